#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The way in: ESP to the gateway, decrypted in XDP, forwarded there or handed up. Not
# behind xdp_xfrm_async.sh: after it all states get pcrypt, which XDP does not decrypt by.
#
#   1. lists of packets, good and bad ones, by the stack alone; all that came of them noted
#   2. the same with the fast path: the same came of them, at host A or in another tunnel
#   3. what is learned when, and what ends it
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh
. ./xdp_xfrm_inbound_lib.sh

windows=(0 32 64 1024 4096)

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
	new_state 32 sel src "$NET_B" dst "$NET_A" proto udp
	ask case policy
	"$1" selector
}

# each_hub_case FUNCTION: the same for packets that go into another tunnel
each_hub_case()
{
	local name ns
	ask hub 1
	for name in sizes inner clear replayed; do
		for ns in "$NS_G1" "$NS_G2"; do
			ip -n "$ns" xfrm state delete src "$IP_G1_WAN" dst "$IP_G2_WAN" \
				proto esp spi "$SPI_OUT"
			add_state "$ns" "$IP_G1_WAN" "$IP_G2_WAN" "$SPI_OUT" "$KEY_OUT"
		done
		new_state
		ask case $name
		[[ $1 == note_stack ]] || ((got[XfrmXdpOutput])) ||
			complaints+=("XDP encrypted none of $name")
		"$1" "hub-$name"
	done
	ask hub 0
}

# at_g2: packets that G2 decrypted
at_g2()
{
	in_ns "$NS_G2" ip -s xfrm state get src "$IP_G1_WAN" dst "$IP_G2_WAN" proto esp \
		spi "$SPI_OUT" | sed -n 's/.*bytes), \([0-9]*\)(packets).*/\1/p'
}

# last_used: when, the policy by which packets go in clear
last_used()
{
	g1 ip -s xfrm policy get src "$NET_B" dst "$NET_A" dir out | grep -o 'use .*'
}

inbound_up

# a hub: what comes out of one tunnel goes into another
g1 ip route add 10.3.0.0/24 via "$IP_G2_WAN"
tunnel_policies 10.3.0.0/24 "$NET_B" "$IP_G1_WAN" "$IP_G2_WAN" | grep 'dir fwd' |
	ip -n "$NS_G1" -batch -
tunnel_policies "$NET_B" 10.3.0.0/24 "$IP_G1_WAN" "$IP_G2_WAN" | grep 'dir out' |
	ip -n "$NS_G1" -batch -

each_case note_stack
each_hub_case note_stack
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
# GRO may wait for more, as long as a busy machine needs: one packet is all that a
# poll of wan0 finds. Without any merging it would be 80, outer and inner ones.
ip netns exec "$NS_G1" sh -c 'echo 200000000 >/sys/class/net/wan0/gro_flush_timeout'
ask send 40 dst="$IP_G1_LAN" tcp=1 wait=0.3
expect 'the same, merged by GRO' XfrmXdpInput=40 XfrmXdpForward=0 'IpInReceives<70' \
	'IpInDelivers<70' XfrmInNoPols=0
ip netns exec "$NS_G1" sh -c 'echo 0 >/sys/class/net/wan0/gro_flush_timeout'

g1 ip xfrm policy delete src "$NET_B" dst "$NET_A" dir fwd
ask send 5
expect 'no policy any more: not one packet' XfrmXdpForward=0 arrived=0 XfrmInNoPols=5
tunnel_policies "$NET_A" "$NET_B" "$IP_G1_WAN" "$IP_G2_WAN" | grep 'dir fwd' |
	ip -n "$NS_G1" -batch -
ask send 5 sport=1002
expect 'the policy is back' arrived=5 good=5 XfrmXdpPassDst=1 XfrmXdpForward=3
new_state
ask send 5 sport=1002
expect 'another state in its place: not one packet by the stack' XfrmXdpLookup=2 \
	XfrmXdpOffer=0 XfrmXdpInput=5 XfrmXdpForward=5 arrived=5 good=5

# the policy migrates, and one of two states with it: not that of the packets
ask send 5 sport=1006
expect 'one more flow' arrived=5 good=5 XfrmXdpForward=4
if grep -qw xfrm_migrate /proc/kallsyms; then
	add_state "$NS_G1" "$IP_G2_WAN" "$IP_G1_WAN" 0x7777 "$key"
	g1 python3 -S -c 'import sys, xdp_xfrm_change as x; x.change(*sys.argv[1:])' migrate fwd \
		"$NET_B" "$NET_A" "$REQID" "$IP_G2_WAN" "$IP_G1_WAN" 192.0.2.9 "$IP_G1_WAN"
	ask send 5 sport=1006
	expect 'it was migrated: not one packet' XfrmXdpForward=0 arrived=0 XfrmInTmplMismatch=5
	g1 ip xfrm state deleteall src 192.0.2.9 dst "$IP_G1_WAN"
else
	skip 'it was migrated: not one packet' 'the kernel has no CONFIG_XFRM_MIGRATE'
fi
g1 ip xfrm policy delete src "$NET_B" dst "$NET_A" dir fwd
tunnel_policies "$NET_A" "$NET_B" "$IP_G1_WAN" "$IP_G2_WAN" | grep 'dir fwd' |
	ip -n "$NS_G1" -batch -

before=$(at_g2)
ask send 10 sport=1004 dst=10.3.0.2
expect 'hub: decrypted and encrypted again' XfrmXdpLearned=2 XfrmXdpInput=9 XfrmXdpOutput=8 \
	XfrmXdpForward=0
check 'all of it got to the other end' test "$(at_g2)" = $((before + 10))
ask send 5 sport=1004 dst=10.3.0.2 clear=1
expect 'clear text does not take the flow of the hub' XfrmXdpOutput=0 XfrmInTmplMismatch=5
new_state
ask send 5 sport=1004 dst=10.3.0.2
expect 'hub, another state in its place: not one packet by the stack' XfrmXdpLookup=2 \
	XfrmXdpOffer=0 XfrmXdpInput=5 XfrmXdpOutput=5

# a state that marks what is inside, which is routed by it: another hop, and a TTL less
g1 ip route add table 100 "$NET_A" via 192.0.2.9 dev wan0
g1 ip neigh replace 192.0.2.9 lladdr 02:00:00:00:00:09 dev wan0 nud permanent
g1 ip rule add fwmark 7/0xf lookup 100
new_state 32 output-mark 7 mask 0xf
ask send 5 sport=1005
expect 'a mark of the state: routed by it, in XDP too' XfrmXdpLearned=2 XfrmXdpInput=4 \
	XfrmXdpForward=3 arrived=0
g1 sysctl -qw net.core.xfrm_xdp_slow_mark=0x100
new_state 32 output-mark 7
chain prerouting 'ip protocol esp meta mark set 0x100'
ask send 5 sport=1005
expect 'a mark that keeps ESP out, though the state hides it' XfrmXdpInput=0 \
	'XfrmXdpNoPacket>0' arrived=0
g1 sysctl -qw net.core.xfrm_xdp_slow_mark=0
rules ''
new_state 32 output-mark 7 mask 0xf
ask send 5 sport=1005
expect 'and without it again' XfrmXdpInput=4 XfrmXdpForward=3 arrived=0
g1 ip rule del fwmark 7/0xf lookup 100
ask send 5 sport=1005
expect 'the rule gone: as the others' arrived=5 good=5 XfrmXdpPassDst=2 XfrmXdpForward=3
new_state
ask send 5 sport=1005
expect 'a state without mark in its place: learned anew' XfrmXdpLookup=0 XfrmXdpLearned=2 \
	XfrmXdpInput=4 XfrmXdpForward=3 arrived=5 good=5

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
expect 'IPv6 inside: decrypted in XDP, forwarded by the stack' XfrmXdpInput=5 \
	XfrmXdpForward=0 XfrmXdpOffer=0 arrived=5 good=5
g1 sysctl -qw net.ipv6.conf.all.disable_ipv6=1
new_state

chain input 'ip protocol esp limit rate 1000/second accept'
ask send 5 sport=1002
expect 'a rule in INPUT may judge each ESP packet: by the stack' XfrmXdpInput=0 arrived=5 \
	good=5
chain input 'ip protocol esp accept'
ask send 5 sport=1004
expect 'a rule in INPUT that judges them alike: in XDP' XfrmXdpInput=4 arrived=5 good=5
new_state
ask send 5 sport=1004
expect 'the same with another state: not one packet by the stack' XfrmXdpLookup=2 \
	XfrmXdpOffer=0 XfrmXdpInput=5 XfrmXdpForward=5 arrived=5 good=5
chain forward 'limit rate 1000/second accept'
ask send 5 sport=1003
expect 'a rule in FORWARD: decrypted in XDP, forwarded by the stack' XfrmXdpInput=4 \
	XfrmXdpForward=0 XfrmXdpNoFilter=1 arrived=5 good=5
chain forward 'ip protocol udp accept'
ask send 5 sport=1003
expect 'rules that judge all alike' XfrmXdpForward=3 arrived=5 good=5
new_state
ask send 5 sport=1003
expect 'rules that judge all alike, another state: not one packet by the stack' \
	XfrmXdpLookup=2 XfrmXdpOffer=0 XfrmXdpInput=5 XfrmXdpForward=5 arrived=5 good=5
g1 sysctl -qw net.core.xfrm_xdp_slow_mark=0x100
chain forward 'meta mark set 0x100'
ask send 5 sport=1003
expect 'a slow mark in FORWARD: decrypted in XDP, forwarded by the stack' XfrmXdpNoPacket=1 \
	XfrmXdpForward=0 arrived=5 good=5
g1 sysctl -qw net.core.xfrm_xdp_slow_mark=0
chain forward "ipsec in spi $spi accept"
ask send 5 sport=1003
expect 'a rule asks by which state: forwarded by the stack' XfrmXdpNoFilter=1 \
	XfrmXdpForward=0 arrived=5 good=5
chain input "esp spi $spi accept"
ask send 5 sport=1003
expect 'a rule asks for the SPI: by the stack' XfrmXdpInput=0 arrived=5 good=5

# the operator says that the verdict on one packet is that on its flow, but not on all
g1 sysctl -qw net.core.xfrm_xdp_trust_filter=1
chain input "esp spi $spi accept; ip protocol esp drop"
ask send 5 sport=1003
expect 'trusted: in XDP' XfrmXdpInput=4 XfrmXdpForward=3 arrived=5 good=5
new_state
ask send 5 sport=1003
expect 'but not for another SPI, which the rules drop' XfrmXdpInput=0 arrived=0
chain forward "ipsec in spi $spi accept; ip protocol udp drop"
ask send 5 sport=1003
expect 'trusted: forwarded in XDP' XfrmXdpForward=3 arrived=5 good=5
new_state
ask send 5 sport=1003
expect 'but not from another state, which the rules drop' XfrmXdpInput=5 XfrmXdpForward=0 arrived=0
g1 sysctl -qw net.core.xfrm_xdp_trust_filter=0
g1 nft flush ruleset

# what goes on in clear does so by a policy, too
in_clear=(src "$NET_B" dst "$NET_A" dir out priority 1)
g1 ip xfrm policy add "${in_clear[@]}"
ask send 5 sport=1007
expect 'a policy lets it go in clear: forwarded in XDP' XfrmXdpForward=3 arrived=5 good=5
used=$(last_used)
sleep 1.1
ask send 3 sport=1007
[[ $(last_used) != "$used" ]] || complaints+=("used: $used")
expect 'which shows when it was used last' XfrmXdpForward=3 arrived=3 good=3
g1 ip xfrm policy update "${in_clear[@]}" tmpl proto esp reqid 77 mode transport level use
ask send 5 sport=1008
expect 'it would be encrypted if there was a state: by the stack' XfrmXdpForward=0 \
	'XfrmXdpNoPlain>0' arrived=5 good=5
g1 ip xfrm policy delete src "$NET_B" dst "$NET_A" dir out

each_case same_as_stack
each_hub_case same_as_stack
finish
