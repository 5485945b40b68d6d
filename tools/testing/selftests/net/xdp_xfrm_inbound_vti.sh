#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The way in through VTI, which asks a policy for the outer packet and, with its key as
# mark, one for the inner one. Not behind xdp_xfrm_async.sh.
#
#   1. lists of packets by the stack alone, then with the fast path: the same came of them,
#      and the device counted the same
#   2. policies that refuse at the device, or that XDP does not keep the use time of
#   3. a device that changes, goes or moves ends its flows
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh
. ./xdp_xfrm_inbound_lib.sh

cases=(inner policy flipped clear replayed)
template=(tmpl src "$IP_G2_WAN" dst "$IP_G1_WAN" proto esp mode tunnel)

cleanup()
{
	set +e
	gateway_down
	modprobe -qr esp4_offload
}

# each_case FUNCTION: FUNCTION NAME after every list
each_case()
{
	local name
	for name in "${cases[@]}"; do
		new_state
		# what VTI refuses is not learned from
		ask send 1 sport=999
		ask case "$name"
		"$1" "$name"
	done
}

# device: the route to B, and what comes from there
device()
{
	g1 ip link add vti1 type vti local "$IP_G1_WAN" remote "$IP_G2_WAN" key 9
	g1 ip link set vti1 up
	g1 ip route replace "$NET_B" dev vti1
	g1 sysctl -qw net.ipv4.conf.vti1.rp_filter=1 net.ipv4.conf.vti1.send_redirects=0
}

# policies DIR...: these, for packets with the key of the device
policies()
{
	local dir
	for dir; do
		tunnel_policies "$NET_A" "$NET_B" "$IP_G1_WAN" "$IP_G2_WAN" | grep "dir $dir" |
			sed 's/ tmpl/ mark 9&/'
	done | ip -n "$NS_G1" -batch -
}

# new_twin: the same state once more, without the mark
new_twin()
{
	g1 ip xfrm state add src "$IP_G2_WAN" dst "$IP_G1_WAN" proto esp spi "$spi" reqid "$REQID" \
		mode tunnel replay-window 32 aead 'rfc4106(gcm(aes))' "$key" 128
}

# used DIR: when a policy was used last
used()
{
	g1 ip -s xfrm policy get src "$NET_B" dst "$NET_A" dir "$1" mark 9 | sed -n 's/.*use //p'
}

# decrypts NAME: a flow that was not known is, and is forwarded in XDP
port=1000
decrypts()
{
	ask send 5 sport=$((++port))
	expect "$1" "${@:2}" arrived=5 good=5 'XfrmXdpLearned>0' 'XfrmXdpInput>2' \
		'XfrmXdpForward>2'
}

# by_stack NAME: not one in XDP, and all that were sent came
by_stack()
{
	ask send 5 sport=$((++port))
	expect "$1" "${@:2}" arrived=5 good=5 XfrmXdpInput=0 XfrmXdpLearned=0 xfrm_packets=5
}

inbound_up
trap cleanup EXIT
# reverse paths: B is behind the device only
g1 sysctl -qw net.ipv4.conf.wan0.rp_filter=1
g1 ip xfrm policy flush
g1 ip xfrm state flush
device
policies out in fwd
add_state "$NS_G1" "$IP_G1_WAN" "$IP_G2_WAN" "$SPI_OUT" "$(fixed_key 128 a1)"

if esp4_offload_builtin; then
	fast_path_up wan0
	new_state 32 mark 9
	by_stack 'esp4_offload is built in: by the stack' XfrmXdpNoPacket=1
	skip 'the rest' 'GRO finds states without a mark, and does not ask VTI'
	finish
fi

each_case note_stack
check 'fast path off: something arrived of every list' true
fast_path_up wan0
new_state
ask send 10
expect 'ESP learned by the first, what is inside by the second' XfrmXdpOffer=2 \
	XfrmXdpLearned=2 XfrmXdpInput=9 XfrmXdpForward=8 arrived=10 good=10 xfrm_packets=10 \
	xfrm_bytes=1000 xfrm_errors=0
ask send 5 clear=1
expect 'clear text with the tuple of a decrypted flow never matches' XfrmXdpForward=0 \
	XfrmXdpInput=0 arrived=0 xfrm_packets=0
before=$(used in)
sleep 1.1
ask send 3
expect 'in XDP' XfrmXdpForward=3 arrived=3
check 'the policy that VTI asks was used' test "$(used in)" != "$before"
ask send 3 dst="$IP_G1_LAN"
expect 'for the gateway itself: from the device' XfrmXdpInput=3 XfrmXdpForward=0 \
	IpInDelivers=6 XfrmInTmplMismatch=0 XfrmInNoPols=0 xfrm_packets=3 xfrm_bytes=300
ip netns exec "$NS_G1" sh -c 'echo 200000000 >/sys/class/net/wan0/gro_flush_timeout'
ask send 40 dst="$IP_G1_LAN" tcp=1 wait=0.3
expect 'merged by GRO: each of them counted' XfrmXdpInput=40 XfrmXdpForward=0 \
	'IpInDelivers<70' xfrm_packets=40 xfrm_bytes=5600 xfrm_errors=0
each_case same_as_stack

new_state
decrypts 'another state: ESP by lookup, what is inside is new' XfrmXdpLookup=1 XfrmXdpLearned=1 \
	XfrmXdpInput=5 xfrm_packets=5
new_state
ask send 5 sport=$port
expect 'and another: not one packet by the stack' XfrmXdpLookup=2 XfrmXdpOffer=0 XfrmXdpInput=5 \
	XfrmXdpForward=5 arrived=5 good=5 xfrm_packets=5
new_state 32 mark 9
decrypts 'a state with the mark of the device' XfrmXdpLearned=2 XfrmXdpForward=3 xfrm_packets=5
new_state
decrypts 'and one without' xfrm_packets=5

# policies
g1 ip xfrm policy delete src "$NET_B" dst "$NET_A" dir in mark 9
ask send 5 sport=$port
expect 'no policy at the device: not one packet' XfrmXdpForward=0 arrived=0 XfrmInNoPols=5 \
	xfrm_packets=0 xfrm_errors=5 xfrm_dropped=5
policies in
decrypts 'the policy is back' xfrm_packets=5
# what is for the gateway itself is refused there, of a flow that decrypts the rest
g1 ip xfrm policy update src "$NET_B" dst "$NET_A" dir in mark 9 priority 10 \
	"${template[@]}" reqid "$REQID"
g1 ip xfrm policy add src "$NET_B" dst "$IP_G1_LAN/32" dir in mark 9 priority 1 \
	"${template[@]}" reqid 99
decrypts 'policies added' xfrm_packets=5
ask send 5 dst="$IP_G1_LAN"
expect 'a policy that asks for another state: decrypted in XDP, refused' XfrmXdpInput=5 \
	XfrmInTmplMismatch=5 xfrm_packets=0 xfrm_errors=5 xfrm_dropped=5 IpInReceives=5
ask send 40 dst="$IP_G1_LAN" tcp=1 wait=0.3
expect 'the same, for packets that GRO has merged' XfrmXdpInput=40 XfrmInTmplMismatch=40 \
	xfrm_packets=0 xfrm_errors=40 xfrm_dropped=40 IpInReceives=40
ip netns exec "$NS_G1" sh -c 'echo 0 >/sys/class/net/wan0/gro_flush_timeout'
g1 ip xfrm policy delete src "$NET_B" dst "$IP_G1_LAN/32" dir in mark 9
decrypts 'policy deleted' xfrm_packets=5
g1 ip xfrm policy add src "$IP_G2_WAN" dst "$IP_G1_WAN" proto esp dir in
by_stack 'a policy for the outer packet: by the stack' XfrmXdpNoPacket=1
g1 ip xfrm policy delete src "$IP_G2_WAN" dst "$IP_G1_WAN" proto esp dir in
g1 sysctl -qw net.ipv4.conf.wan0.disable_policy=1
by_stack 'no policy is asked at all: by the stack' XfrmXdpNoPacket=1
g1 sysctl -qw net.ipv4.conf.wan0.disable_policy=0
new_state
decrypts 'policies are asked again' xfrm_packets=5

# rules and tc at the device
chain forward 'iifname "vti1" drop; accept'
ask send 5 sport=$port
expect 'a rule for the device: it judges what comes from it' 'XfrmXdpInput>3' XfrmXdpForward=0 \
	arrived=0 xfrm_packets=5
g1 nft flush ruleset
g1 tc qdisc add dev vti1 clsact
g1 tc filter add dev vti1 ingress protocol ip matchall action drop
ask send 5 sport=1901
expect 'tc at the device: decrypted in XDP, dropped by tc' 'XfrmXdpInput>3' XfrmXdpForward=0 \
	arrived=0 xfrm_packets=5
g1 tc qdisc del dev vti1 clsact
decrypts 'tc gone'

# a hub: what VTI got goes into another tunnel
g1 ip route add 10.3.0.0/24 via "$IP_G2_WAN"
{
	tunnel_policies "$NET_B" 10.3.0.0/24 "$IP_G1_WAN" "$IP_G2_WAN" | grep 'dir out'
	tunnel_policies 10.3.0.0/24 "$NET_B" "$IP_G1_WAN" "$IP_G2_WAN" | grep 'dir in' |
		sed 's/ tmpl/ mark 9&/'
} | ip -n "$NS_G1" -batch -
new_state
ask send 10 sport=1902 dst=10.3.0.2
expect 'hub: decrypted and encrypted again' XfrmXdpInput=9 XfrmXdpOutput=8 XfrmXdpForward=0 \
	xfrm_packets=10 xfrm_bytes=1000

# IPv6 inside goes up the stack, through the device
g1 sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.all.forwarding=1
ip -n "$NS_G1" -batch - <<-EOF
	addr add fd00:1::1/64 dev lan0 nodad
	neigh replace fd00:1::2 lladdr $MAC_A dev lan0 nud permanent
	xfrm policy add src fd00:2::/64 dst fd00:1::/64 dir in mark 9 \
		tmpl src $IP_G2_WAN dst $IP_G1_WAN proto esp reqid $REQID mode tunnel
EOF
new_state 32 flag af-unspec
ask send 5 v6=1
expect 'IPv6 inside: decrypted in XDP, forwarded by the stack' XfrmXdpInput=5 \
	XfrmXdpForward=0 arrived=5 good=5 xfrm_packets=5 xfrm_bytes=500
g1 sysctl -qw net.ipv6.conf.all.disable_ipv6=1

# the device
new_state
decrypts 'IPv4 again'
g1 ip link set vti1 type vti key 8
ask send 5 sport=$port
expect 'the device has another key: not one packet' XfrmXdpForward=0 arrived=0 XfrmInNoPols=5 \
	xfrm_errors=5
g1 ip link set vti1 type vti key 9
decrypts 'its key again' xfrm_packets=5
g1 ip link set vti1 down
ask send 5 sport=$port
expect 'the device is down: not one packet' XfrmXdpForward=0 arrived=0 xfrm_packets=0
g1 ip link set vti1 up
g1 ip route replace "$NET_B" dev vti1
decrypts 'up again' xfrm_packets=5
g1 ip link set vti1 netns "$NS_G2"
in_ns "$NS_G2" ip link set vti1 up
ask send 5 sport=$port
expect 'the device is in another netns: by the stack' XfrmXdpInput=0 XfrmXdpForward=0 arrived=0
timeout 20 ip -n "$NS_G2" link del vti1 || complaints+=('vti1 does not go')
device
decrypts 'another device with its key' xfrm_packets=5
timeout 20 ip -n "$NS_G1" link del vti1 || complaints+=('vti1 does not go')
ask send 5 sport=$port
expect 'the device is deleted: it goes, not one packet' XfrmXdpForward=0 arrived=0
device

# states of one SPI, of which VTI takes the one that it finds first
new_state 32 mark 9
decrypts 'a state with a mark'
new_twin
ask send 5 sport=$port
expect 'another state of the same SPI, without: learned again' XfrmXdpPassAuth=1 arrived=5 good=5

# GRO finds no state with a mark, and does not decrypt what VTI gets
new_state 32 mark 9
decrypts 'one state'
if modprobe -q esp4_offload; then
	ask send 5 sport=$port
	expect 'GRO could decrypt: by the stack' XfrmXdpPassDevice=1 XfrmXdpInput=0 arrived=5 \
		good=5 xfrm_packets=5
	new_state 32 mark 9
	by_stack 'GRO has seen it: by the stack' XfrmXdpNoPacket=1
	g1 ethtool -K wan0 gro off
	new_state 32 mark 9
	by_stack 'GRO has not, but could behind the device' XfrmXdpNoDevice=1
	g1 ethtool -K wan0 gro on
else
	skip 'GRO could decrypt' 'no esp4_offload'
fi
finish
