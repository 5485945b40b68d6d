#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What is dropped, kept waiting, reassembled or answered on the way is not learned,
# and leaves in clear at no time.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh

tunnel=(tmpl src "$IP_G1_WAN" dst "$IP_G2_WAN" proto esp reqid "$REQID" mode tunnel)
monitor_pid=''

# listening: a key manager waits for requests
listening()
{
	g1 grep -Eq '^[0-9a-f]+ +6 +[0-9]+ +0*1 ' /proc/net/netlink
}

cleanup()
{
	[[ -z $monitor_pid ]] || kill "$monitor_pid"
	gateway_down
}

# both_add SPI BYTE: a state in the same direction on both gateways, G2 first
both_add()
{
	ask state "$1" "$(fixed_key 128 "$2")"
	add_state "$NS_G2" "$IP_G1_WAN" "$IP_G2_WAN" "$1" "$(fixed_key 128 "$2")"
	add_state "$NS_G1" "$IP_G1_WAN" "$IP_G2_WAN" "$1" "$(fixed_key 128 "$2")"
}

gateway_up
trap cleanup EXIT
g1 ip neigh replace "$IP_G2_WAN" lladdr "$MAC_G2_WAN" dev wan0 nud permanent
known_flow 1000
expect 'as it is: learned'

# a queue that flows may be learned through, but for what it does here
g1 tc qdisc replace dev wan0 root fq limit 0
send 3 sport=1010
refused 'dropped by a full queue' XfrmXdpNoTc=0 esp=0 clear=0
g1 tc qdisc replace dev wan0 root fq limit 1000
known_flow 1011
expect 'the same queue with room: learned'
g1 tc qdisc del dev wan0 root

# the sender shall be told every time
g1 sysctl -qw net.ipv4.icmp_ratemask=0
port=1020
for route in blackhole/0 unreachable/3/1 prohibit/3/13; do
	g1 ip route replace "${route%%/*}" "$NET_B"
	send 3 sport=$((++port))
	refused "a route that is ${route%%/*}" esp=0 clear=0 icmp="${route#*/}"
done
g1 ip route replace "$NET_B" via "$IP_G2_WAN"

g1 ip xfrm policy update src "$NET_A" dst "$NET_B" dir out priority 10 "${tunnel[@]}"
g1 ip xfrm policy add src "$IP_A" dst "$IP_B" dir out action block priority 1
send 3 sport=1030
refused 'a policy that blocks' esp=0 clear=0
g1 ip xfrm policy delete src "$IP_A" dst "$IP_B" dir out
# what is deleted behind it no bundle notices
g1 ip xfrm policy add src "$IP_A" dst "$IP_B" dir out ptype sub
send 3 sport=1049
refused 'a policy behind a sub policy' XfrmXdpNoState=1 esp=3 good=3 clear=0
g1 ip xfrm policy delete src "$IP_A" dst "$IP_B" dir out ptype sub
g1 ip xfrm policy add src "$IP_A" dst "$IP_B" dir fwd action block
send 3 sport=1031
refused 'a policy that blocks what is forwarded' esp=0 clear=0
g1 ip xfrm policy delete src "$IP_A" dst "$IP_B" dir fwd

# G1 counts packets to a group as such, and hears them itself if it is a member
ask state 0x3002 "$(fixed_key 128 c3)"
REQID=2 add_state "$NS_G1" "$IP_G1_WAN" 239.1.1.1 0x3002 "$(fixed_key 128 c3)"
g1 ip xfrm policy add src "$IP_A" dst "$IP_B" dir out priority 1 \
	tmpl src "$IP_G1_WAN" dst 239.1.1.1 proto esp reqid 2 mode tunnel
g1 ip route add 239.1.1.1 dev wan0
send 3 sport=1050 outer=any
refused 'a peer that is a multicast group' 'XfrmXdpNoRoute>0' esp=3 good=3 outer_dst=239.1.1.1
g1 ip route del 239.1.1.1
g1 ip xfrm policy delete src "$IP_A" dst "$IP_B" dir out

# The way in and the way out in clear are the same: the sender is told, though
# the ESP packet leaves elsewhere
g1 ip route replace "$NET_B" via 10.1.0.9
send 3 sport=1032
refused 'an ICMP redirect is due' 'XfrmXdpNoPacket>0' good=3 delivered=3 icmp=5/1
g1 sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.lan0.send_redirects=0
known_flow 1033
expect 'no redirects are sent: learned'
g1 ip route replace "$NET_B" via "$IP_G2_WAN"

send 3 sport=1040 dst=224.0.0.251 dmac=01:00:5e:00:00:fb
expect 'multicast' XfrmXdpLearned=0 XfrmXdpOutput=0 esp=0 clear=0
send 3 sport=1041 dst=10.1.0.255 dmac=ff:ff:ff:ff:ff:ff
expect 'broadcast' XfrmXdpLearned=0 XfrmXdpOutput=0 esp=0 clear=0 icmp=0
send 3 sport=1042 dst=255.255.255.255 dmac=ff:ff:ff:ff:ff:ff
expect 'limited broadcast' XfrmXdpLearned=0 XfrmXdpOutput=0 esp=0 clear=0 icmp=0
known_flow 1044
expect 'a host: learned'
for dmac in ff:ff:ff:ff:ff:ff 01:00:5e:02:00:02; do
	send 3 sport=1043 dmac=$dmac
	expect "to a host, in a frame to $dmac" XfrmXdpLearned=0 XfrmXdpOutput=0 esp=0 clear=0
	send 3 sport=1044 dmac=$dmac
	expect "the same of a known flow, $dmac" XfrmXdpOutput=0 XfrmXdpPassMac=3 esp=0 clear=0
done
g1 ip link set lan0 promisc on
send 3 sport=1045 dmac=02:00:00:01:00:77
expect "another's MAC address on a promiscuous device" XfrmXdpLearned=0 XfrmXdpOutput=0 \
	esp=0 clear=0
g1 ip link set lan0 promisc off

chain prerouting 'ct state new,established accept'
send 3 sport=1050 size=1000 df=0 fragment=1 inner=any
expect 'reassembled for conntrack' XfrmXdpOffer=0 XfrmXdpLearned=0 XfrmXdpOutput=0 esp=3 \
	good=3 delivered=3
send 3 sport=1050 size=1000 df=0
refused 'the same datagrams in one piece, not answered' 'XfrmXdpNoConntrack>0' good=3 delivered=3
rules ''

g1 ip xfrm state delete src "$IP_G1_WAN" dst "$IP_G2_WAN" proto esp spi "$SPI_OUT"
send 3 sport=1060
refused 'no state, and nobody to ask for one' esp=0 clear=0
ip -n "$NS_G1" xfrm monitor acquire >/dev/null &
monitor_pid=$!
eventually listening
send 3 sport=1061
refused 'no state yet: dropped' esp=0 clear=0
# now XFRM makes bundles that only queue: valid always, without a transformation
g1 sysctl -qw net.core.xfrm_larval_drop=0
send 3 sport=1062
refused 'no state yet: waiting' esp=0 clear=0
both_add 0x2001 c3
ask later arrive=3 deliver=3
expect 'what waited leaves as ESP, and is not learned' XfrmXdpLearned=0 XfrmXdpOutput=0 \
	esp=3 good=3 clear=0 spi=0x2001 delivered=3
known_flow 1063
expect 'the next flow is learned' good=3 clear=0 spi=0x2001 delivered=3
finish
