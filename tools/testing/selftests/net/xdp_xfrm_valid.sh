#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A flow is valid as long as the stack would still do the same. Each time: a flow
# that is learned and used (known_flow), a change, and packets after it. None of
# them leaves but as the stack would now send it.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh

other_mac=02:00:00:00:00:33
other_hop=192.0.2.3
tunnel=(tmpl src "$IP_G1_WAN" dst "$IP_G2_WAN" proto esp reqid "$REQID" mode tunnel)

# both_add SPI BYTE: a state in the same direction on both gateways, G2 first
both_add()
{
	ask state "$1" "$(fixed_key 128 "$2")"
	add_state "$NS_G2" "$IP_G1_WAN" "$IP_G2_WAN" "$1" "$(fixed_key 128 "$2")"
	add_state "$NS_G1" "$IP_G1_WAN" "$IP_G2_WAN" "$1" "$(fixed_key 128 "$2")"
}

g1_delete()
{
	g1 ip xfrm state delete src "$IP_G1_WAN" dst "$IP_G2_WAN" proto esp spi "$1"
}

# policy DIR COMMAND...: of the packets from A to B, on G1
policy()
{
	g1 ip xfrm policy "$2" src "$NET_A" dst "$NET_B" dir "$1" "${@:3}"
}

gateway_up
# ARP is under test only where it says so
g1 ip neigh replace "$IP_G2_WAN" lladdr "$MAC_G2_WAN" dev wan0 nud permanent

known_flow 1000
g1 ip neigh replace "$IP_G2_WAN" lladdr $other_mac dev wan0 nud permanent
send 3 sport=1000
expect 'neighbour with a new MAC: used at once' XfrmXdpOutput=3 esp=3 good=3 dmac=$other_mac
g1 ip neigh replace "$IP_G2_WAN" lladdr "$MAC_G2_WAN" dev wan0 nud permanent
send 3 sport=1000
expect 'neighbour with its old MAC again' XfrmXdpOutput=3 good=3 dmac="$MAC_G2_WAN" delivered=3

# not so soon that the packets which wait for it are dropped
g1 sysctl -qw net.ipv4.neigh.wan0.mcast_solicit=100
ip -n "$NS_G2" link set wan0 arp off
g1 ip neigh del "$IP_G2_WAN" dev wan0
send 3 sport=1000
expect 'neighbour that does not answer: nothing leaves' XfrmXdpOutput=0 XfrmXdpPassNeigh=3 esp=0
ip -n "$NS_G2" link set wan0 arp on
g1 ip neigh replace "$IP_G2_WAN" lladdr "$MAC_G2_WAN" dev wan0 nud permanent
send 3 sport=1000
expect 'neighbour back: by XDP again' XfrmXdpOutput=3 dmac="$MAC_G2_WAN"

rules 'table ip t { chain c { type filter hook forward priority 0; udp dport 2000 drop; }; }'
send 3 sport=1000
expect 'new drop rule: nothing leaves' XfrmXdpOutput=0 XfrmXdpPassAuth=1 esp=0 clear=0
rules ''
known_flow 1000
expect 'rule gone: learned again'
g1 tc qdisc add dev wan0 clsact
g1 tc filter add dev wan0 egress matchall action pass
send 3 sport=1000
expect 'new tc filter: by the stack' XfrmXdpOutput=0 XfrmXdpPassAuth=1 'XfrmXdpNoTc>0' esp=3
g1 tc qdisc del dev wan0 clsact
known_flow 1000
g1 tc qdisc add dev wan0 root tbf rate 1gbit burst 1mb limit 10mb
send 3 sport=1000
expect 'new queue that shapes: by the stack' XfrmXdpOutput=0 XfrmXdpPassAuth=1 \
	'XfrmXdpNoTc>0' esp=3
g1 tc qdisc del dev wan0 root

known_flow 1000
g1 ip neigh replace $other_hop lladdr $other_mac dev wan0 nud permanent
g1 ip route add "$IP_G2_WAN" via $other_hop dev wan0
send 3 sport=1000
expect 'another route to the peer: the new next hop only' XfrmXdpPassDst=1 good=3 \
	dmac=$other_mac
g1 ip route del "$IP_G2_WAN"
send 3 sport=1000
expect 'the old route again' XfrmXdpPassDst=1 good=3 dmac="$MAC_G2_WAN"
known_flow 1001
g1 ip route replace blackhole "$NET_B"
send 3 sport=1001
expect 'blackhole route: nothing leaves' XfrmXdpOutput=0 XfrmXdpPassDst=1 esp=0 clear=0
g1 ip route replace "$NET_B" via "$IP_G2_WAN"
known_flow 1001
g1 sysctl -qw net.ipv4.ip_forward=0
send 3 sport=1001
expect 'ip_forward=0: nothing leaves' XfrmXdpOutput=0 esp=0 clear=0
g1 sysctl -qw net.ipv4.ip_forward=1
known_flow 1001
g1 sysctl -qw net.ipv4.conf.lan0.forwarding=0
send 3 sport=1001
expect 'forwarding off on the receiving device: nothing leaves' XfrmXdpOutput=0 esp=0 clear=0
g1 sysctl -qw net.ipv4.conf.lan0.forwarding=1
known_flow 1001
g1 ip link set wan0 mtu 1400
send 3 sport=1001 size=1400
expect 'smaller MTU: ICMP by the stack' XfrmXdpOutput=0 esp=0 icmp=3/4
g1 ip link set wan0 mtu 1500
known_flow 1002
g1 ip link set wan0 down
send 3 sport=1002
expect 'link down: nothing leaves' XfrmXdpOutput=0 esp=0 clear=0
g1 ip link set wan0 up
g1 ip neigh replace "$IP_G2_WAN" lladdr "$MAC_G2_WAN" dev wan0 nud permanent
g1 ip route replace "$NET_B" via "$IP_G2_WAN"
known_flow 1002
expect 'link up again: learned again'

ask sequence "$SPI_OUT"
expect 'sequence numbers without a gap over all of it' bad=0

# States: the rekey of an IKE daemon adds the new one, then deletes the old one
both_add 0x2001 c3
send 3 sport=1002
expect 'new state beside the old: used at once, without the stack' XfrmXdpLookup=1 \
	XfrmXdpLearned=0 XfrmXdpOutput=3 good=3 spi=0x2001 delivered=3
g1_delete "$SPI_OUT"
send 3 sport=1002
expect 'old state deleted: the new one goes on' XfrmXdpOutput=3 good=3 spi=0x2001
both_add 0x2002 d4
g1_delete 0x2001
send 3 sport=1002
expect 'deleted after a new one was added: no trip to the stack' XfrmXdpLookup=1 \
	XfrmXdpLearned=0 XfrmXdpOutput=3 good=3 spi=0x2002
g1_delete 0x2002
send 3 sport=1002
expect 'the only state deleted: nothing leaves' XfrmXdpOutput=0 XfrmXdpPassDst=1 esp=0 clear=0
g1 ip xfrm state flush
both_add 0x2003 e5
known_flow 1004
expect 'state added again: learned again' spi=0x2003
g1 ip xfrm state update src "$IP_G1_WAN" dst "$IP_G2_WAN" proto esp spi 0x2003 reqid "$REQID" \
	mode tunnel replay-window 32 aead 'rfc4106(gcm(aes))' "$(fixed_key 128 e5)" 128 \
	limit packet-hard 5
send 3 sport=1004
expect 'hard limit of a state: not one packet more' good=2
ask sequence 0x2003
expect 'sequence numbers up to the limit' bad=0 last=5
g1 ip xfrm state flush
both_add 0x2004 f6

# Policies: that of the tunnel comes after those added here
policy out update priority 10 "${tunnel[@]}"
known_flow 1003
g1 ip xfrm policy add src "$IP_A" dst "$IP_B" dir out action block priority 1
send 3 sport=1003
expect 'new policy that blocks: nothing leaves' XfrmXdpOutput=0 XfrmXdpPassDst=1 esp=0 clear=0
g1 ip xfrm policy delete src "$IP_A" dst "$IP_B" dir out
known_flow 1003
policy out delete
send 3 sport=1003
expect 'policy deleted: in clear, by the stack' XfrmXdpOutput=0 XfrmXdpPassDst=1 \
	'XfrmXdpNoPlain>0' esp=0 clear=3
policy out add priority 10 "${tunnel[@]}"
policy fwd add priority 1
g1 ip xfrm policy add src "$IP_A" dst "$IP_B" dir fwd action block priority 2
known_flow 1003
policy fwd delete
send 3 sport=1003
expect 'policy that let it in deleted: nothing leaves' XfrmXdpOutput=0 esp=0 clear=0
g1 ip xfrm policy delete src "$IP_A" dst "$IP_B" dir fwd
known_flow 1003
g1 ip xfrm policy setdefault fwd block
send 3 sport=1003
expect 'policy for the rest blocks: nothing leaves' XfrmXdpOutput=0 esp=0 clear=0
g1 ip xfrm policy setdefault fwd accept
known_flow 1003
expect 'policies as they were: learned again'
ask sequence 0x2004
expect 'sequence numbers without a gap' bad=0
finish
