#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The way in: ESP to the gateway, decrypted in XDP, forwarded there or handed up. Not
# behind xdp_xfrm_async.sh: after it all states get pcrypt, which XDP does not decrypt by.
#
#   1. lists of packets, good and bad ones, by the stack alone; all that came of them noted
#   2. the same with the fast path: the same came of them
#   3. what is learned when, and what ends it
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh

key=$(fixed_key 128 b2)
spi=$SPI_IN
windows=(0 32 1024)

# new_state [WINDOW [ARGS...]]: one more state on G1, the only one; its peer starts at 1
new_state()
{
	local window=${1-32} esn=''
	g1 ip xfrm state deleteall src "$IP_G2_WAN" dst "$IP_G1_WAN" proto esp
	spi=$(printf '%#x' $((spi + 1)))
	g1 ip xfrm state add src "$IP_G2_WAN" dst "$IP_G1_WAN" proto esp spi "$spi" reqid "$REQID" \
		mode tunnel replay-window "$window" "${@:2}" aead 'rfc4106(gcm(aes))' "$key" 128
	[[ " $* " != *' esn '* ]] || esn=esn=1
	ask state "$spi" "$key" $esn
}

# each_case FUNCTION: FUNCTION NAME CASE after every state that the case wants
each_case()
{
	local name window
	for name in sizes inner policy next_header padding flipped truncated outer clear; do
		new_state
		ask case $name
		"$1" $name
	done
	for window in "${windows[@]}"; do
		new_state "$window"
		ask case replayed
		"$1" "replayed-$window"
	done
	new_state 32 flag esn
	ask case replayed
	"$1" replayed-esn
	new_state 64 flag esn replay-seq 0xffffff00
	ask case wrapped
	"$1" wrapped-esn
	new_state 32 flag decap-dscp extra-flag dont-encap-dscp
	ask case outer
	"$1" outer-decap-dscp
	new_state 32 flag noecn
	ask case outer
	"$1" outer-noecn
}

note_stack()
{
	((got[arrived])) || complaints+=("no packet arrived")
	ask note "$1"
}

# at least the packets whose next ones are decrypted were
same_as_stack()
{
	local by_xdp=${got[XfrmXdpInput]-0} forwarded=${got[XfrmXdpForward]-0}
	ask same "$1"
	got[XfrmXdpInput]=$by_xdp
	got[XfrmXdpForward]=$forwarded
	expect "the same as the stack: $1" same=1 bad=0 'XfrmXdpInput>0'
}

# at_g2: packets that G2 decrypted
at_g2()
{
	in_ns "$NS_G2" ip -s xfrm state get src "$IP_G1_WAN" dst "$IP_G2_WAN" proto esp \
		spi "$SPI_OUT" | sed -n 's/.*bytes), \([0-9]*\)(packets).*/\1/p'
}

trap gateway_down EXIT
topology_up
tunnel_up
in_ns "$NS_A" ethtool -K eth0 gro on
# the program runs on frames that the stack of G1 would have polled, too
g1 ethtool -K wan0 gro on
g1 sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_ratemask=0 \
	net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.wan0.send_redirects=0
sysctl -qw net.ipv4.icmp_msgs_per_sec=1000000 net.ipv4.icmp_msgs_burst=1000000
# nothing that a timer decides
ip -n "$NS_G1" link set wan0 arp off
ip -n "$NS_G1" link set lan0 arp off
ip -n "$NS_G1" neigh replace "$IP_A" lladdr "$MAC_A" dev lan0 nud permanent
ip -n "$NS_G1" neigh replace "$IP_G2_WAN" lladdr "$MAC_G2_WAN" dev wan0 nud permanent
peer_up

each_case note_stack
check 'fast path off: something arrived of every list' true

fast_path_up wan0
new_state
ask send 10
expect 'ESP learned by the first, what is inside by the second' XfrmXdpOffer=2 \
	XfrmXdpLearned=2 XfrmXdpInput=9 XfrmXdpForward=8 arrived=10 good=10
ask send 5 sport=1001
expect 'one more flow: its first packet by the stack' XfrmXdpLearned=1 XfrmXdpInput=5 \
	XfrmXdpForward=4 arrived=5 good=5
ask send 5 clear=1
expect 'clear text with the tuple of a decrypted flow never matches' XfrmXdpForward=0 \
	XfrmXdpInput=0 arrived=0 XfrmInTmplMismatch=5
ask send 3 dst="$IP_G1_LAN"
expect 'for the gateway itself: decrypted, and up the stack' XfrmXdpInput=3 XfrmXdpForward=0 \
	IpInDelivers=6 XfrmInTmplMismatch=0 XfrmInNoPols=0

g1 ip xfrm policy delete src "$NET_B" dst "$NET_A" dir fwd
ask send 5
expect 'no policy any more: not one packet' XfrmXdpForward=0 arrived=0 XfrmInNoPols=5
tunnel_policies "$NET_A" "$NET_B" "$IP_G1_WAN" "$IP_G2_WAN" | grep 'dir fwd' |
	ip -n "$NS_G1" -batch -
ask send 5 sport=1002
expect 'the policy is back' arrived=5 good=5 XfrmXdpPassDst=1 XfrmXdpForward=3

# a hub: what comes out of one tunnel goes into another
g1 ip route add 10.3.0.0/24 via "$IP_G2_WAN"
tunnel_policies 10.3.0.0/24 "$NET_B" "$IP_G1_WAN" "$IP_G2_WAN" | grep 'dir fwd' |
	ip -n "$NS_G1" -batch -
tunnel_policies "$NET_B" 10.3.0.0/24 "$IP_G1_WAN" "$IP_G2_WAN" | grep 'dir out' |
	ip -n "$NS_G1" -batch -
before=$(at_g2)
ask send 10 sport=1004 dst=10.3.0.2
expect 'hub: decrypted and encrypted again' XfrmXdpLearned=2 XfrmXdpInput=9 XfrmXdpOutput=8 \
	XfrmXdpForward=0
check 'all of it got to the other end' test "$(at_g2)" = $((before + 10))
ask send 5 sport=1004 dst=10.3.0.2 clear=1
expect 'clear text does not take the flow of the hub' XfrmXdpOutput=0 XfrmInTmplMismatch=5

# IPv6 inside goes up the stack, with its security path
g1 sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.all.forwarding=1
ip -n "$NS_G1" -batch - <<-EOF
	addr add fd00:1::1/64 dev lan0 nodad
	neigh replace fd00:1::2 lladdr $MAC_A dev lan0 nud permanent
	xfrm policy add src fd00:2::/64 dst fd00:1::/64 dir fwd \
		tmpl src $IP_G2_WAN dst $IP_G1_WAN proto esp reqid $REQID mode tunnel
EOF
new_state 32 flag af-unspec
ask send 5 v6=1
expect 'IPv6 inside: decrypted in XDP, forwarded by the stack' XfrmXdpInput=4 \
	XfrmXdpForward=0 XfrmXdpOffer=1 arrived=5 good=5
g1 sysctl -qw net.ipv6.conf.all.disable_ipv6=1
new_state

chain input 'ip protocol esp accept'
ask send 5 sport=1002
expect 'a rule in INPUT may judge each ESP packet: by the stack' XfrmXdpInput=0 arrived=5 \
	good=5
chain forward 'accept'
ask send 5 sport=1003
expect 'a rule in FORWARD: decrypted in XDP, forwarded by the stack' XfrmXdpInput=4 \
	XfrmXdpForward=0 XfrmXdpNoFilter=1 arrived=5 good=5
g1 nft flush ruleset

each_case same_as_stack
finish
