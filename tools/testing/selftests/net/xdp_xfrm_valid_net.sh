#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# As xdp_xfrm_valid.sh, for what the network layer decides by: next hops, rules, addresses,
# settings, path MTU, policies and states that expire, migrate or are updated, connections.
# Each time: a flow that XDP forwards, a change, and packets after it. None of them leaves
# but as the stack would now send it.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh
. ./xdp_xfrm_valid_lib.sh

hop1=192.0.2.3 hop2=192.0.2.4
mac1=02:00:00:00:00:33 mac2=02:00:00:00:00:44
far_peer=203.0.113.2 far_net=10.3.0.0/24
to_b=(src "$NET_A" dst "$NET_B" dir out)
program=/sys/fs/bpf/xdp_xfrm_change
# enums of linux/ip.h, linux/bpf.h, linux/netfilter/nfnetlink_conntrack.h
IPV4_DEVCONF_RP_FILTER=8
BPF_PROG_TYPE_LWT_IN=10
CTA_TIMEOUT=7
CTA_MARK=8

# batch: lines of commands of ip for G1
batch()
{
	ip -n "$NS_G1" -batch -
}

set_g1()
{
	g1 sysctl -qw "$@"
}

# tmpl PEER REQID
tmpl()
{
	echo tmpl src "$IP_G1_WAN" dst "$1" proto esp reqid "$2" mode tunnel
}

# neigh HOP STATE: a next hop, with its MAC address where the state has one
neigh()
{
	local mac="lladdr $mac1"
	[[ $1 != "$hop2" ]] || mac="lladdr $mac2"
	[[ $2 != failed ]] || mac=''
	echo "neigh replace $1 $mac dev wan0 nud $2"
}

# other MAC: that of the other next hop
other()
{
	[[ $1 == "$mac1" ]] && echo $mac2 || echo $mac1
}

# shellcheck disable=SC2317  # by eventually
answered()
{
	! g1 conntrack -L -p icmp 2>/dev/null | grep -q UNREPLIED
}

gateway_up
# every ICMP message is sent
set_g1 net.ipv4.icmp_ratemask=0

# Next hop objects
batch <<-EOF
	neigh replace $IP_G2_WAN lladdr $MAC_G2_WAN dev wan0 nud permanent
	$(neigh $hop1 permanent)
	$(neigh $hop2 permanent)
	nexthop add id 1 via $hop1 dev wan0
	nexthop add id 2 via $hop2 dev wan0
	nexthop add id 10 group 1
	route add $IP_G2_WAN nhid 10
	xfrm policy update ${to_b[*]} priority 10 $(tmpl "$IP_G2_WAN" "$REQID")
EOF
known
expect 'next hop objects: learned' dmac=$mac1
g1 ip nexthop replace id 10 group 2
judged 'another group' dmac=$mac2
g1 ip nexthop replace id 2 via $hop1 dev wan0
judged 'another next hop in the group' dmac=$mac1

g1 ip nexthop add id 20 group 1/2 type resilient buckets 2
g1 ip route replace "$IP_G2_WAN" nhid 20
send 3 "${flow[@]}"
refused 'a resilient group, whose buckets have to be kept busy' XfrmXdpNoRoute=1 good=3

# expired: policy and state are gone
expired()
{
	[[ $(g1 ip xfrm policy) != *'dst 10.2.0.9/32'* && $(g1 ip xfrm state) != *0x00003003* ]]
}

# What expires
ask state 0x3003 "$(fixed_key 128 c3)"
batch <<-EOF
	nexthop replace id 2 via $hop2 dev wan0
	route replace $IP_G2_WAN nhid 10
	xfrm policy add src $NET_A dst 10.2.0.8/30 dir out action block priority 2
	xfrm policy add src $NET_A dst 10.2.0.9 dir out priority 1 limit time-hard 10 \
		$(tmpl "$IP_G2_WAN" "$REQID")
	xfrm policy add src $NET_A dst 10.2.0.10 dir out priority 1 $(tmpl "$IP_G2_WAN" 3)
	$(REQID=3 state_line "$IP_G1_WAN" "$IP_G2_WAN" 0x3003 "$(fixed_key 128 c3)") \
		limit time-hard 10
EOF
known_flow 1001 dst=10.2.0.9
known_flow 1002 dst=10.2.0.10
eventually expired
send 3 sport=1001 dst=10.2.0.9
expect 'policy expired: nothing leaves' XfrmXdpOutput=0 esp=0 clear=0
send 3 sport=1002 dst=10.2.0.10
expect 'state expired: nothing leaves' XfrmXdpOutput=0 esp=0 clear=0

# Several next hops of one route
g1 ip route replace "$IP_G2_WAN" nexthop via $hop1 dev wan0 nexthop via $hop2 dev wan0
known
mac=${got[dmac]}
for seed in {1..20}; do
	set_g1 net.ipv4.fib_multipath_hash_seed="$seed"
	send 3 "${flow[@]}"
	[[ ${got[dmac]} == "$mac" && ${got[XfrmXdpPassAuth]} == 1 ]] || break
done
expect 'another hash, another next hop: at once' XfrmXdpPassAuth=1 XfrmXdpLearned=1 \
	XfrmXdpOutput=2 good=3 dmac="$(other "$mac")"
set_g1 net.ipv4.fib_multipath_hash_policy=1
judged 'the hash of other fields'
mac=${got[dmac]}
[[ $mac == "$mac1" ]] && hop=$hop1 || hop=$hop2
set_g1 net.ipv4.fib_multipath_use_neigh=1
send 3 "${flow[@]}"
neigh "$hop" failed | batch
judged 'a next hop that failed, and the choice depends on it' dmac="$(other "$mac")"
neigh "$hop" permanent | batch
judged 'it is back' dmac="$mac"
neigh "$hop" failed | batch
judged 'it failed again' dmac="$(other "$mac")"
set_g1 net.ipv4.fib_multipath_use_neigh=0
nothing 'the choice does not depend on it any more'
neigh "$hop" permanent | batch

# Several default routes
ask state 0x3001 "$(fixed_key 128 d4)"
batch <<-EOF
	$(neigh $hop1 stale)
	$(neigh $hop2 stale)
	route del $IP_G2_WAN
	route add $far_net via $IP_G2_WAN
	route add default via $hop1
	route append default via $hop2
	xfrm policy add src $NET_A dst $far_net dir out $(tmpl $far_peer 2)
	$(REQID=2 state_line "$IP_G1_WAN" $far_peer 0x3001 "$(fixed_key 128 d4)")
EOF
flow=(sport=1100 dst=10.3.0.2 outer=any)
send 3 "${flow[@]}"
refused 'two default routes, taken by turns' XfrmXdpNoRoute=1 good=3
g1 ip route del default via $hop1
known
expect 'one default route: learned' dmac=$mac2

# Several next hops to B, by the hash that the socket of the sender gave
batch <<-EOF
	neigh replace $hop2 lladdr $MAC_G2_WAN dev wan0 nud permanent
	route replace $NET_B nexthop via $IP_G2_WAN dev wan0 nexthop via $hop2 dev wan0
EOF
ask tcp 20000
expect 'several next hops, by a hash that is not of the packet alone' 'XfrmXdpNoRoute>0' \
	XfrmXdpLearned=0 XfrmXdpOutput=0 equal=1
batch <<-EOF
	route replace $NET_B via $IP_G2_WAN
	$(neigh $hop2 permanent)
EOF

# Programs, rules and addresses
batch <<-EOF
	$(neigh $hop1 permanent)
	route del default via $hop2
	nexthop flush
	route add prohibit $NET_B table 100
EOF
flow=(sport=1200)
known
ask change pin $program $BPF_PROG_TYPE_LWT_IN
g1 ip route replace "$NET_B" encap bpf in pinned $program via "$IP_G2_WAN" dev wan0
rm $program
send 3 "${flow[@]}"
expect 'a BPF program on the route: by the stack' XfrmXdpPassDst=1 XfrmXdpOutput=0 good=3
g1 ip route replace "$NET_B" via "$IP_G2_WAN"
known
g1 ip rule add from "$IP_A" lookup 100
nothing 'a rule for this source' icmp=3/13
g1 ip rule del from "$IP_A" lookup 100
batch <<-EOF
	addr add 198.51.100.9/24 dev wan0
	route add $IP_G2_WAN dev wan0
EOF
known
g1 ip addr del "$IP_G1_WAN/$PREFIX" dev wan0
nothing 'the address of the tunnel removed'
batch <<-EOF
	addr add $IP_G1_WAN/$PREFIX dev wan0
	addr del 198.51.100.9/24 dev wan0
	route add $IP_A via $IP_G2_WAN
EOF

# Settings of devices
known
ask change conf lan0 $IPV4_DEVCONF_RP_FILTER 1
nothing 'rp_filter, by netlink' XfrmXdpPassAuth=1
set_g1 net.ipv4.conf.lan0.rp_filter=0
known
set_g1 net.ipv4.conf.all.rp_filter=1
nothing 'rp_filter' XfrmXdpPassAuth=1
set_g1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.all.send_redirects=0 \
	net.ipv4.conf.lan0.send_redirects=0
batch <<-EOF
	route del $IP_A
	route replace $NET_B via 10.1.0.9
EOF
known
set_g1 net.ipv4.conf.lan0.send_redirects=1
by_stack 'send_redirects' 'XfrmXdpNoPacket>0' icmp=5/1
g1 ip route replace "$NET_B" via "$IP_G2_WAN"
set_g1 net.ipv4.conf.lan0.disable_policy=1
g1 ip xfrm policy add src "$IP_A" dst "$IP_B" dir fwd action block
known
set_g1 net.ipv4.conf.lan0.disable_policy=0
nothing 'disable_policy, and a policy that blocks'
g1 ip xfrm policy delete src "$IP_A" dst "$IP_B" dir fwd
known
set_g1 net.ipv4.conf.wan0.disable_xfrm=1
send 3 "${flow[@]}"
expect 'disable_xfrm: in clear, by the stack' XfrmXdpOutput=0 esp=0 clear=3
set_g1 net.ipv4.conf.wan0.disable_xfrm=0

# MTU
known
g1 ip route replace "$NET_B" via "$IP_G2_WAN" mtu 1000
flow+=(size=1100)
nothing 'MTU of the route' XfrmXdpPassDst=1 icmp=3/4
g1 ip route replace "$NET_B" via "$IP_G2_WAN"
known
ask pmtu 1100 "$SPI_OUT"
nothing 'path MTU learned' XfrmXdpPassMtu=3 icmp=3/4
flow=(sport=1200)
send 3 "${flow[@]}"
expect 'a packet that fits: by XDP' XfrmXdpOutput=3 good=3

# A veth asks for the MTU of its peer only, XDP for that of the device
g1 ip link set wan0 mtu 1300
batch <<-EOF
	route replace $IP_G2_WAN dev wan0 mtu 1500
	route replace $NET_B via $IP_G2_WAN mtu 1500
EOF
flow=(sport=1201)
known
send 3 "${flow[@]}" size=1260
expect 'as long as the device sends for XDP' XfrmXdpOutput=3 good=3 delivered=3
send 3 "${flow[@]}" size=1400
expect 'longer than the MTU of the device, but not of the route: by the stack' \
	XfrmXdpPassMtu=3 XfrmXdpOutput=0 good=3 delivered=3
batch <<-EOF
	route replace $IP_G2_WAN dev wan0
	route replace $NET_B via $IP_G2_WAN
	link set wan0 mtu 1500
EOF

# Connections; of ICMP, as B answers
rules 'table ip t { chain c { type filter hook forward priority 0; ct state invalid drop; }; }'
flow=(sport=500 proto=icmp)
send 1 "${flow[@]}"
eventually answered
known
ask change connection 500 $CTA_MARK 7
judged 'the connection has a mark'
g1 nft -f - <<-EOF
	table ip n { chain c { type nat hook postrouting priority 100;
		ip protocol icmp snat to 10.1.0.77; }; }
EOF
judged 'NAT for new connections'
ask change connection 500 $CTA_TIMEOUT 0
flow+=(inner=any)
by_stack 'the connection has expired, a new one is translated' XfrmXdpLearned=0 \
	inner_src=10.1.0.77
rules 'table ip t { chain c { type filter hook forward priority 0; meta mark set 0x10; }; }'
flow=(sport=1200)
known
set_g1 net.core.xfrm_xdp_slow_mark=0x10
by_stack 'slow_mark' 'XfrmXdpNoClear>0'
set_g1 net.core.xfrm_xdp_slow_mark=0
rules ''

# States and policies
ask state 0x3005 "$(fixed_key 128 e5)"
batch <<-EOF
	xfrm policy add src $NET_A dst $IP_B dir out priority 1 $(tmpl "$IP_G2_WAN" 5)
	$(REQID=5 state_line "$IP_G1_WAN" "$IP_G2_WAN" 0x3005 "$(fixed_key 128 e5)")
EOF
rules 'table ip t { chain c { type filter hook forward priority 0; policy drop;
	ipsec out reqid 5 accept; }; }'
known
expect 'a rule for the reqid: learned' spi=0x3005
g1 ip xfrm policy delete src "$NET_A" dst "$IP_B" dir out
nothing 'another policy, another reqid' XfrmXdpPassDst=1
rules ''
known
ask change migrate out "$NET_A" "$NET_B" "$REQID" "$IP_G1_WAN" "$IP_G2_WAN" "$IP_G1_WAN" $hop1
flow+=(outer=any)
send 3 "${flow[@]}"
expect 'migrated: to the new end at once' XfrmXdpPassDst=1 good=3 outer_dst=$hop1 dmac=$mac1
ask state 0x3004 "$(fixed_key 128 f6)"
batch <<-EOF
	$(state_line "$IP_G1_WAN" $hop1 0x3004 "$(fixed_key 128 f6)") mark 0 mask 0xff
EOF
judged 'a state with a mark: used at once' spi=0x3004
g1 ip xfrm policy update "${to_b[@]}" priority 10 action block
nothing 'policy updated, it blocks' XfrmXdpPassDst=1
batch <<-EOF
	xfrm policy update ${to_b[*]} priority 10 $(tmpl $hop1 "$REQID")
EOF
known
g1 ip xfrm policy flush
send 3 "${flow[@]}"
expect 'policies flushed: in clear, by the stack' XfrmXdpOutput=0 XfrmXdpPassAuth=1 esp=0 clear=3
finish
