#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The way in where the stack decrypts for another device, or at another place: a
# route-based VPN (xfrm interface), and GRO (esp4_offload). Not behind xdp_xfrm_async.sh.
#
#   1. lists of packets by the stack alone, then with the fast path: the same came of them,
#      and the xfrm interface counted the same
#   2. what is decrypted belongs to the interface: rp_filter, policies, rules, tc
#   3. an interface that changes, goes or moves ends its flows, and so does GRO
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh
. ./xdp_xfrm_inbound_lib.sh

programs=/sys/fs/bpf/xdp_xfrm_meta
if_id=(if_id 7)
cases=(inner policy padding clear replayed)
# what counts as delivered of three packets then: not the outer ones
builtin=$(esp4_offload_builtin && echo 3 || true)

cleanup()
{
	set +e
	rm -f "$programs"_*
	gateway_down
	modprobe -qr esp4_offload
}

# each_case NAME FUNCTION: FUNCTION NAME-CASE after every list
each_case()
{
	local name
	for name in "${cases[@]}"; do
		new_state 32 "${if_id[@]}"
		ask case "$name"
		"$2" "$1-$name"
	done
}

# interface: the route to B, and what comes from there
interface()
{
	g1 ip link add xfrm0 type xfrm if_id 7
	g1 ip link set xfrm0 up
	g1 ip route replace "$NET_B" dev xfrm0
	g1 sysctl -qw net.ipv4.conf.xfrm0.rp_filter=1 net.ipv4.conf.xfrm0.send_redirects=0
}

# decrypts NAME: a flow that was not known is, and is forwarded in XDP
port=1000
decrypts()
{
	ask send 5 sport=$((++port))
	expect "$1" "${@:2}" arrived=5 good=5 'XfrmXdpLearned>0' 'XfrmXdpInput>2' \
		'XfrmXdpForward>2'
}

inbound_up
trap cleanup EXIT
python3 -S xdp_xfrm_meta.py "${programs}_pass" 0
# reverse paths: B is behind the interface only
g1 sysctl -qw net.ipv4.conf.wan0.rp_filter=1
g1 ip xfrm policy flush
g1 ip xfrm state flush
interface
{
	tunnel_policies "$NET_A" "$NET_B" "$IP_G1_WAN" "$IP_G2_WAN" | sed 's/ tmpl/ if_id 7&/'
	state_line "$IP_G1_WAN" "$IP_G2_WAN" "$SPI_OUT" "$(fixed_key 128 a1)" | sed 's/$/ if_id 7/'
} | ip -n "$NS_G1" -batch -

# with it built in GRO decrypts, but without a program veth would not poll these frames
[[ -z $builtin ]] || g1 ip link set dev wan0 xdpdrv pinned "${programs}_pass"
each_case interface note_stack
g1 ip link set dev wan0 xdpdrv off
check 'xfrm interface, fast path off: something arrived of every list' true
fast_path_up wan0
new_state 32 if_id 7
ask send 10
expect 'xfrm interface: ESP learned by the first, what is inside by the second' XfrmXdpOffer=2 \
	XfrmXdpLearned=2 XfrmXdpInput=9 XfrmXdpForward=8 arrived=10 good=10 xfrm_packets=10 \
	xfrm_bytes=1000 xfrm_errors=0
ask send 5 clear=1
expect 'clear text with the tuple of a decrypted flow never matches' XfrmXdpForward=0 \
	XfrmXdpInput=0 arrived=0 xfrm_packets=0
ask send 3 dst="$IP_G1_LAN"
expect 'for the gateway itself: from the interface' XfrmXdpInput=3 XfrmXdpForward=0 \
	"IpInDelivers=${builtin:-6}" XfrmInTmplMismatch=0 XfrmInNoPols=0 xfrm_packets=3
each_case interface same_as_stack

new_state 32 if_id 7
decrypts 'another state: ESP by lookup, what is inside is new' XfrmXdpLookup=1 XfrmXdpLearned=1 \
	XfrmXdpInput=5 xfrm_packets=5
new_state 32 if_id 7
ask send 5 sport=$port
expect 'and another: not one packet by the stack' XfrmXdpLookup=2 XfrmXdpOffer=0 XfrmXdpInput=5 \
	XfrmXdpForward=5 arrived=5 good=5 xfrm_packets=5
chain forward 'iifname "xfrm0" accept; drop'
ask send 5 sport=1900
expect 'a rule for the interface: it judges what comes from it' 'XfrmXdpInput>3' \
	'XfrmXdpForward>0' arrived=5 good=5
chain forward 'iifname "xfrm0" drop; accept'
ask send 5 sport=1900
expect 'the same rule drops' 'XfrmXdpInput>3' XfrmXdpForward=0 arrived=0
g1 nft flush ruleset
g1 tc qdisc add dev xfrm0 clsact
g1 tc filter add dev xfrm0 ingress protocol ip matchall action drop
ask send 5 sport=1901
expect 'tc at the interface: decrypted in XDP, dropped by tc' 'XfrmXdpInput>3' XfrmXdpForward=0 \
	arrived=0 xfrm_packets=5
g1 tc qdisc del dev xfrm0 clsact
decrypts 'tc gone'
g1 ip link set dev xfrm0 xdpgeneric pinned "${programs}_pass"
ask send 5 sport=$port
expect 'XDP at the interface: by the stack' XfrmXdpInput=0 XfrmXdpNoDevice=1 \
	arrived=5 good=5 xfrm_packets=5
g1 ip link set dev xfrm0 xdp off
# a flow that was refused is not offered for a second
new_state 32 if_id 7
decrypts 'XDP at the interface gone'

g1 ip link set xfrm0 down
ask send 5 sport=$port
expect 'interface down: not one packet' XfrmXdpForward=0 arrived=0 xfrm_packets=0
g1 ip link set xfrm0 up
g1 ip route replace "$NET_B" dev xfrm0
decrypts 'interface up' xfrm_packets=5
g1 ip link set xfrm0 type xfrm if_id 8
ask send 5 sport=$port
expect 'interface with another id: not one packet' XfrmXdpForward=0 arrived=0 xfrm_packets=0
g1 ip link set xfrm0 type xfrm if_id 7
decrypts 'interface with its id' xfrm_packets=5
g1 ip link set xfrm0 netns "$NS_G2"
in_ns "$NS_G2" ip link set xfrm0 up
ask send 5 sport=$port
expect 'interface in another netns: by the stack' XfrmXdpInput=0 XfrmXdpForward=0 arrived=0
in_ns "$NS_G2" ip link set xfrm0 down
ask send 5 sport=$port
in_ns "$NS_G2" ip link set xfrm0 up
ask send 5 sport=$port
expect 'interface in another netns up again: by the stack' 'XfrmXdpPassAuth>0' XfrmXdpInput=0 \
	XfrmXdpForward=0 arrived=0
timeout 20 ip -n "$NS_G2" link del xfrm0 || complaints+=('xfrm0 does not go')
interface
decrypts 'another interface with its id' xfrm_packets=5
timeout 20 ip -n "$NS_G1" link del xfrm0 || complaints+=('xfrm0 does not go')
ask send 5 sport=$port
expect 'interface deleted: it goes, not one packet' XfrmXdpForward=0 arrived=0
g1 ip link add xfrm1 type xfrm external
g1 ip link set xfrm1 up
g1 ip route replace "$NET_B" dev xfrm1
new_state 32 if_id 7
ask send 5 sport=$port
expect 'interface of all ids (external): by the stack' XfrmXdpInput=0 XfrmXdpLearned=0
g1 ip link del xfrm1

# GRO
fast_path_down wan0
if ! modprobe -q esp4_offload; then
	skip 'ESP that GRO decrypts' 'no esp4_offload'
	finish
fi
g1 ip xfrm policy flush
g1 ip route replace "$NET_B" via "$IP_G2_WAN"
tunnel_policies "$NET_A" "$NET_B" "$IP_G1_WAN" "$IP_G2_WAN" | ip -n "$NS_G1" -batch -
if_id=()
cases=(inner flipped truncated outer)
# without a program veth would not poll these frames
g1 ip link set dev wan0 xdpdrv pinned "${programs}_pass"
each_case GRO note_stack
g1 ip link set dev wan0 xdpdrv off
check 'GRO, fast path off: something arrived of every list' true
fast_path_up wan0
new_state
ask send 10
expect 'GRO: ESP learned, outer packets counted by nobody' XfrmXdpLearned=2 XfrmXdpInput=9 \
	XfrmXdpForward=8 arrived=10 good=10 IpInReceives=10 IpInDelivers=0
each_case GRO same_as_stack
new_state
decrypts 'GRO: another state' IpInReceives=5
g1 ethtool -K wan0 gro off
decrypts 'no GRO any more: outer packets counted' XfrmXdpPassAuth=1 IpInReceives=10
g1 ethtool -K wan0 gro on
decrypts 'GRO again' XfrmXdpPassAuth=1 IpInReceives=5
if [[ -n $builtin ]]; then
	skip 'esp4_offload comes and goes' 'it is built in'
	finish
fi
# a state that was made with it keeps it, and flows keep their state
fast_path_down wan0
g1 ip xfrm state flush
eventually modprobe -qr esp4_offload
new_state
fast_path_up wan0
decrypts 'without esp4_offload: outer packets counted' XfrmXdpLearned=2 IpInReceives=10
modprobe esp4_offload
decrypts 'esp4_offload has come' XfrmXdpPassDevice=1 IpInReceives=5
modprobe -r esp4_offload
decrypts 'esp4_offload has gone' XfrmXdpPassDevice=1 IpInReceives=10
finish
