#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What rules change, or user space judges, is forwarded as the stack does it and
# not learned: NAT of the packet and of its ESP packet, other fields, NFQUEUE.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh

other_spi=0x3001
other_net=10.9.0.0/24
other_src=10.9.0.9
other_dst=10.3.0.2
other_peer=192.0.2.3
other_mac=02:00:00:00:00:33

# Another pair of states, with its own policies for packets from $other_net
other_tunnel()
{
	local ns tunnel=(tmpl src "$IP_G1_WAN" dst "$IP_G2_WAN" proto esp reqid 2 mode tunnel)
	ask state $other_spi "$(fixed_key 128 c3)"
	for ns in "$NS_G1" "$NS_G2"; do
		REQID=2 add_state "$ns" "$IP_G1_WAN" "$IP_G2_WAN" $other_spi "$(fixed_key 128 c3)"
	done
	g1 ip xfrm policy add src $other_net dst "$NET_B" dir out "${tunnel[@]}"
	g1 ip xfrm policy add src $other_net dst $other_dst dir out "${tunnel[@]}"
	in_ns "$NS_G2" ip xfrm policy add src $other_net dst "$NET_B" dir in "${tunnel[@]}"
	in_ns "$NS_G2" ip xfrm policy add src $other_net dst "$NET_B" dir fwd "${tunnel[@]}"
	g1 ip route add $other_dst via "$IP_G2_WAN"
}

# esp_nat HOOK RULE: also for the ESP packets that conntrack knows already
esp_nat()
{
	nat "$1" "ip protocol esp $2"
	g1 conntrack -F >/dev/null 2>&1
}

# queued N: user space got so many packets
queued()
{
	local row=()
	read -ra row < <(g1 cat /proc/net/netfilter/nfnetlink_queue)
	((${row[7]:--1} == $1))
}

gateway_up
g1 ip neigh replace "$IP_G2_WAN" lladdr "$MAC_G2_WAN" dev wan0 nud permanent
g1 ip neigh replace $other_peer lladdr $other_mac dev wan0 nud permanent
other_tunnel

known_flow 1000
expect 'no rules: learned'

nat postrouting "ip saddr $IP_A snat to $other_src"
send 3 sport=1001 inner=any
refused 'SNAT to an address with another policy' 'XfrmXdpNoClear>0' esp=3 good=3 clear=0 \
	spi=$other_spi inner_src=$other_src delivered=3
send 3 sport=1002 dst=$other_dst inner=any
refused 'SNAT to an address with a policy, from one without' esp=3 good=3 clear=0 \
	spi=$other_spi inner_src=$other_src
esp_nat postrouting 'snat to 192.0.2.77'
send 3 sport=1003 outer=any
refused 'SNAT of the ESP packet' esp=3 good=3 outer_src=192.0.2.77 delivered=3
esp_nat postrouting masquerade
send 3 sport=1004
refused 'masquerading the ESP packet' esp=3 good=3 outer_src="$IP_G1_WAN" delivered=3
esp_nat output "dnat to $other_peer"
send 3 sport=1005 outer=any
refused 'DNAT of the ESP packet' esp=3 good=3 outer_dst=$other_peer dmac=$other_mac
g1 conntrack -F >/dev/null 2>&1

# No packet need show what these would do to another one
chain forward 'ip ttl set 10'
send 3 sport=1010 inner=any
refused 'another TTL in FORWARD' 'XfrmXdpNoFilter>0' good=3 inner_ttl=10 delivered=3
chain postrouting 'ip protocol udp ip ttl set 10'
send 3 sport=1011 inner=any
refused 'another TTL in POSTROUTING' 'XfrmXdpNoFilter>0' good=3 inner_ttl=10 delivered=3
chain postrouting 'ip protocol esp ip ttl set 10'
send 3 sport=1012 outer=any
refused 'another TTL of the ESP packet' 'XfrmXdpNoFilter>0' good=3 outer_ttl=10 delivered=3
chain postrouting 'ip protocol udp ip dscp set cs1'
send 3 sport=1013 inner=any
refused 'another DSCP in POSTROUTING' 'XfrmXdpNoFilter>0' good=3 outer_tos=32 delivered=3
chain postrouting 'ip protocol esp ip dscp set cs1'
send 3 sport=1014 outer=any
refused 'another DSCP of the ESP packet' 'XfrmXdpNoFilter>0' good=3 outer_tos=32 delivered=3
chain forward 'tcp flags syn tcp option maxseg size set 1000'
send 3 sport=1015 proto=syn inner=any
expect 'another maximum segment size' XfrmXdpOffer=0 XfrmXdpLearned=0 XfrmXdpOutput=0 good=3 \
	mss=1000

# The route by its mark has the same next hop
g1 ip route add "$IP_G2_WAN" dev wan0 mtu 1400 table 5
g1 ip rule add fwmark 5 table 5
rules 'table ip t { chain c { type route hook output priority 0;
	ip protocol esp meta mark set 5; }; }'
send 3 sport=1017
refused 'another route for the ESP packet, by its mark' 'XfrmXdpNoClear>0' good=3 delivered=3
g1 ip rule del fwmark 5
g1 ip route flush table 5

rules ''
g1 ip route change "$NET_B" via "$IP_G2_WAN" realm 7
if g1 ip route show "$NET_B" | grep -q realm; then
	send 3 sport=1016
	refused 'a realm, whose packets are counted' XfrmXdpNoRoute=1 good=3 delivered=3
else
	skip 'a realm, whose packets are counted' 'the kernel has no realms (IP_ROUTE_CLASSID)'
fi
g1 ip route change "$NET_B" via "$IP_G2_WAN"
known_flow 1016
expect 'without a realm' good=3
# no function here, so that $! is the program
nsenter "--net=/var/run/netns/$NS_G1" -- python3 -S xdp_xfrm_queue.py &
queue_pid=$!
trap 'kill "$queue_pid"; gateway_down' EXIT
eventually queued 0
port=1020 sum=0
for point in 'prerouting ip protocol udp' 'forward ip protocol udp' \
	'output ip protocol esp' 'postrouting ip protocol esp'; do
	hook=${point%% *}
	chain "$hook" "${point#* } queue num 0"
	send 3 sport=$((++port)) arrive=3
	refused "accepted by user space in ${hook^^}" XfrmXdpNoFilter=1 good=3 delivered=3
	sum=$((sum + 3))
	check "user space judged each of them in ${hook^^}" queued $sum
done

# trusted or not, a packet that is queued loses its offer
g1 sysctl -qw net.core.xfrm_xdp_trust_filter=1
send 3 sport=1029 arrive=3
refused 'accepted by user space, and the filter is trusted' XfrmXdpNoFilter=0 good=3 delivered=3
g1 sysctl -qw net.core.xfrm_xdp_trust_filter=0

rules ''
known_flow 1030
expect 'with all of that gone: learned'
finish
