#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Flows over devices that are above those which receive and send: VLANs on either
# side, and the tunnel devices of route-based VPNs, xfrm interface and VTI. They
# are learned, leave with the right tag, and count as they do in the stack.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh

tunnel=(tmpl src "$IP_G1_WAN" dst "$IP_G2_WAN" proto esp reqid "$REQID" mode tunnel)
to_b=(src "$NET_A" dst "$NET_B" dir out)

# vlan NS DEV ID ADDRESS [OPTIONS...]: the address moves to a VLAN
vlan()
{
	ip -n "$1" -batch - <<-EOF
		link add link $2 name $2.$3 type vlan id $3 ${*:5}
		link set $2.$3 up
		addr flush dev $2
		addr add $4/$PREFIX dev $2.$3
	EOF
}

# counted DEV rx|tx: packets and bytes of a device of G1
counted()
{
	ip -n "$NS_G1" -j -s link show "$1" | jq -r ".[0].stats64.$2 | .packets, .bytes"
}

# counts DEV rx|tx BYTES: five packets by the stack and by XDP alike, of so many
# bytes each
counts()
{
	local before after
	mapfile -t before < <(counted "$1" "$2")
	send 5 "sport=$port" "${@:4}"
	mapfile -t after < <(counted "$1" "$2")
	((after[0] - before[0] == 5 && after[1] - before[1] == 5 * $3)) ||
		complaints+=("$1 was at ${before[*]}, is at ${after[*]}")
}

both_states()
{
	local ns
	ask state "$1" "$(fixed_key 128 "$2")"
	for ns in "$NS_G2" "$NS_G1"; do
		ip -n "$ns" xfrm state add src "$IP_G1_WAN" dst "$IP_G2_WAN" proto esp spi "$1" \
			reqid "$REQID" mode tunnel "${@:3}" \
			aead 'rfc4106(gcm(aes))' "$(fixed_key 128 "$2")" 128
	done
}

g1_delete()
{
	g1 ip xfrm state delete src "$IP_G1_WAN" dst "$IP_G2_WAN" proto esp spi "$1"
}

# A frame of 100 bytes without its Ethernet header; ESP in IP makes 140 of these 86,
# a frame of 154
inner=86 outer=154

gateway_up
vlan "$NS_A" eth0 100 "$IP_A"
ip -n "$NS_A" route add default via "$IP_G1_LAN"
vlan "$NS_G1" lan0 100 "$IP_G1_LAN"

port=1000
counts lan0.100 rx $inner vlan=100
expect 'received on a VLAN: learned, counted' XfrmXdpOffer=1 XfrmXdpLearned=1 XfrmXdpOutput=4 \
	good=5 delivered=5
check 'the tool shows the VLAN' test "$(fast_path_json flows | jq '.[0].vlan')" = 100
send 3 sport=1000 vlan=101
expect 'on a VLAN that is not there' XfrmXdpOutput=0 XfrmXdpNoRecord=0 esp=0
send 3 sport=1000 vlan=8292
expect 'with another priority: a flow of its own' XfrmXdpLearned=1 XfrmXdpOutput=2 good=3
send 3 sport=1000
expect 'without a tag: a flow of its own' XfrmXdpLearned=1 XfrmXdpOutput=2 good=3
g1 ip link set lan0.100 down
send 3 sport=1000 vlan=100
expect 'VLAN device down: nothing leaves' XfrmXdpOutput=0 esp=0 clear=0
g1 ip link set lan0.100 up
port=1001
send 3 sport=1001 vlan=100
expect 'up again: learned again' XfrmXdpLearned=1 XfrmXdpOutput=2 good=3
g1 tc qdisc add dev lan0.100 clsact
g1 tc filter add dev lan0.100 ingress matchall action pass
send 3 sport=1001 vlan=100
expect 'tc on the VLAN device: by the stack' XfrmXdpOutput=0 'XfrmXdpNoTc>0' good=3
g1 tc qdisc del dev lan0.100 clsact
send 3 sport=1002 vlan=100
expect 'tc gone: learned' XfrmXdpLearned=1 XfrmXdpOutput=2 good=3
g1 ip link del lan0.100
send 3 sport=1002 vlan=100
expect 'VLAN device deleted: nothing leaves' XfrmXdpOutput=0 esp=0 clear=0

vlan "$NS_G1" lan0 100 "$IP_G1_LAN"
vlan "$NS_G1" wan0 200 "$IP_G1_WAN" egress-qos-map 0:3 6:6
vlan "$NS_G2" wan0 200 "$IP_G2_WAN"
g1 ip route replace "$NET_B" via "$IP_G2_WAN"
ip -n "$NS_G2" route replace "$NET_A" via "$IP_G1_WAN"
send 1 sport=1009 vlan=100
expect 'the next hop is asked for'
port=1010
counts wan0.200 tx $outer vlan=100
expect 'sent on a VLAN: with its tag and priority, counted' XfrmXdpLearned=1 XfrmXdpOutput=4 \
	good=5 delivered=5 vlan=0x60c8
send 3 sport=1011 vlan=100 tos=16
expect 'another DSCP, another priority' XfrmXdpLearned=1 XfrmXdpOutput=2 good=3 vlan=0xc0c8
g1 sysctl -qw net.ipv4.ip_forward_update_priority=0
send 3 sport=1011 vlan=100 tos=16
expect 'priority not from the DSCP any more: used at once' XfrmXdpPassAuth=1 XfrmXdpLearned=1 \
	good=3 vlan=0x60c8
g1 sysctl -qw net.ipv4.ip_forward_update_priority=1
known_flow 1010 vlan=100
g1 ip link set wan0.200 type vlan egress-qos-map 0:1
send 3 sport=1010 vlan=100
expect 'another map of priorities: used at once' XfrmXdpPassAuth=1 XfrmXdpLearned=1 good=3 \
	vlan=0x20c8
g1 ip neigh replace "$IP_G2_WAN" lladdr 02:00:00:00:00:33 dev wan0.200 nud permanent
send 3 sport=1010 vlan=100
expect 'neighbour with a new MAC: used at once' XfrmXdpOutput=3 good=3 dmac=02:00:00:00:00:33
g1 ip neigh replace "$IP_G2_WAN" lladdr "$MAC_G2_WAN" dev wan0.200 nud permanent
g1 tc qdisc add dev wan0 clsact
g1 tc filter add dev wan0 egress matchall action pass
send 3 sport=1010 vlan=100
expect 'tc on the device below: by the stack' XfrmXdpOutput=0 'XfrmXdpNoTc>0' good=3
g1 tc qdisc del dev wan0 clsact
known_flow 1012 vlan=100
timeout 20 ip -n "$NS_G1" link del wan0.200 || complaints+=('wan0.200 does not go')
send 3 sport=1012 vlan=100
expect 'VLAN device deleted with flows: it goes, nothing leaves' XfrmXdpOutput=0 esp=0 clear=0

# Route-based VPN
wire_down
fast_path_down
topology_up
tunnel_up
wire_up
fast_path_up
g1 ip xfrm policy flush
g1 ip xfrm state flush
g1 ip link add xfrm0 type xfrm if_id 7
g1 ip link set xfrm0 up
g1 ip route replace "$NET_B" dev xfrm0
g1 ip xfrm policy add "${to_b[@]}" if_id 7 "${tunnel[@]}"
both_states 0x3001 c3 if_id 7
port=1020
counts xfrm0 tx $inner
expect 'xfrm interface: learned, counted' XfrmXdpOffer=1 XfrmXdpLearned=1 XfrmXdpOutput=4 good=5 \
	delivered=5 spi=0x3001
both_states 0x3002 d4 if_id 7
g1_delete 0x3001
send 3 sport=1020
expect 'rekeyed: no trip to the stack' XfrmXdpLookup=1 XfrmXdpLearned=0 XfrmXdpOutput=3 good=3 \
	spi=0x3002
# the answer comes in clear, and makes the connection one that was seen both ways
chain forward 'ct state established,new accept; drop'
ip -n "$NS_G2" xfrm policy delete src "$NET_B" dst "$NET_A" dir out
send 1 sport=1024
ask reply 1024
sleep 2.2
known_flow 1024
expect 'with conntrack, which the xfrm interface takes off' XfrmXdpNoConntrack=0 good=3 \
	delivered=3 spi=0x3002
rules ''
g1 tc qdisc add dev xfrm0 clsact
g1 tc filter add dev xfrm0 egress matchall action pass
send 3 sport=1020
expect 'tc on the xfrm interface: by the stack' XfrmXdpOutput=0 'XfrmXdpNoTc>0' good=3
g1 tc qdisc del dev xfrm0 clsact
known_flow 1021
g1 ip link set xfrm0 mtu 1300
send 3 sport=1021 size=1400
expect 'smaller MTU of the xfrm interface: ICMP by the stack' XfrmXdpOutput=0 esp=0 icmp=3/4
send 3 sport=1022
expect 'a packet that fits: learned' XfrmXdpLearned=1 XfrmXdpOutput=2 good=3
g1 ip link set xfrm0 down
send 3 sport=1022
expect 'xfrm interface down: nothing leaves' XfrmXdpOutput=0 esp=0 clear=0
g1 ip link set xfrm0 up
g1 ip route replace "$NET_B" dev xfrm0
known_flow 1023
g1 ip link del xfrm0
send 3 sport=1023
expect 'xfrm interface deleted: nothing leaves' XfrmXdpOutput=0 esp=0 clear=0

g1 ip xfrm policy flush
g1 ip xfrm state flush
g1 ip link add vti1 type vti local "$IP_G1_WAN" remote "$IP_G2_WAN" key 9
g1 ip link set vti1 up
g1 ip route replace "$NET_B" dev vti1
g1 ip xfrm policy add "${to_b[@]}" mark 9 "${tunnel[@]}"
both_states 0x3003 e5
port=1030
counts vti1 tx $inner
expect 'VTI: learned, counted' XfrmXdpOffer=1 XfrmXdpLearned=1 XfrmXdpOutput=4 good=5 delivered=5 \
	spi=0x3003
both_states 0x3004 f6
g1_delete 0x3003
send 3 sport=1030
expect 'VTI, rekeyed: no trip to the stack' XfrmXdpLookup=1 XfrmXdpLearned=0 XfrmXdpOutput=3 \
	good=3 spi=0x3004
both_states 0x3005 a7 mark 9
known_flow 1031
expect 'VTI, a state with its mark' good=3 spi=0x3005
sleep 1.1
both_states 0x3006 b8
send 3 sport=1031
expect 'a newer one without a mark takes its place' XfrmXdpLookup=1 XfrmXdpOutput=3 good=3 \
	spi=0x3006
g1 ip link set vti1 type vti local "$IP_G1_WAN" remote "$IP_G2_WAN" key 10
send 3 sport=1030
expect 'VTI with another key: no policy, nothing leaves' XfrmXdpOutput=0 XfrmXdpPassAuth=1 \
	esp=0 clear=0
finish
