#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A firewall on the gateway: what its rules judge alike for all packets of a flow is
# learned, what they may judge packet by packet is not, and the rule is named. With
# conntrack a flow is one of an established connection, which lives on.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh

port=1000

# flow NAME RULES: a new flow past them is learned
flow()
{
	port=$((port + 1))
	rules "$2" || complaints+=("nft refuses")
	known_flow $port
	expect "$1" XfrmXdpNoFilter=0 esp=3 good=3 delivered=3
}

# no_flow NAME WHAT RULES: past these it is not, because of WHAT
no_flow()
{
	port=$((port + 1))
	rules "$3" || complaints+=("nft refuses")
	send 3 sport=$port
	named "$2" || complaints+=("no rule with $2 is named")
	refused "$1" XfrmXdpNoFilter=1 esp=3 good=3 delivered=3
}

# named WHAT: the kernel names a rule with it
named()
{
	g1 cat /proc/net/xfrm_xdp_rules | cut -f 4 | grep -qx "$1"
}

# entries: how many connections conntrack counts
entries()
{
	g1 cat /proc/sys/net/netfilter/nf_conntrack_count
}

# shellcheck disable=SC2317  # by eventually
less_than()
{
	(($(entries) < $1))
}

# setting NAME VALUE: it is refused, as what it is not
setting()
{
	local message
	if message=$(g1 bash -c "echo $2 >/proc/sys/net/core/$1" 2>&1); then
		complaints+=("$1 takes $2")
	elif [[ $message != *'Invalid argument' ]]; then
		complaints+=("$1=$2: $message")
	fi
	[[ $(g1 sysctl -n "net.core.$1") == 0 ]] || complaints+=("$1 is not 0")
}

forward()
{
	printf 'table ip t { %s chain c { type filter hook forward priority 0; %s; }; }' \
		"${2:+$2;}" "$1"
}

# iptables_flow NAME RULE...: a new flow past a rule of iptables-legacy or iptables-nft
iptables_flow()
{
	local name=$1
	port=$((port + 1))
	g1 "$iptables" -F FORWARD
	g1 "$iptables" -A FORWARD "${@:2}"
	known_flow $port
	expect "$iptables: $name" XfrmXdpNoFilter=0 good=3
}

iptables_no_flow()
{
	local name=$1
	port=$((port + 1))
	g1 "$iptables" -F FORWARD
	g1 "$iptables" -A FORWARD "${@:3}"
	send 3 sport=$port
	named "$2" || complaints+=("no rule with $2 is named")
	refused "$iptables: $name" XfrmXdpNoFilter=1 good=3
}

# timeout_of PORT: seconds that its entry has to live
timeout_of()
{
	g1 conntrack -L -p udp --sport "$1" 2>/dev/null | awk '{ print $3 }'
}

gateway_up
g1 ip neigh replace "$IP_G2_WAN" lladdr "$MAC_G2_WAN" dev wan0 nud permanent

flow 'addresses, ports, interfaces' "$(forward "ip saddr $NET_A ip daddr $NET_B iifname lan0 \
	oifname wan0 meta l4proto 17 udp dport 2000 counter accept")"
flow 'policy drop, a rule that accepts' "table ip t { chain c { type filter hook forward \
	priority 0; policy drop; ip daddr $IP_B accept; }; }"
flow 'sets and maps without timeout' "$(forward \
	'ip saddr @s udp dport vmap { 1 : drop, 2000 : accept }' \
	"set s { type ipv4_addr; flags interval; elements = { $NET_A }; }")"
flow 'DSCP, fragment offset, tables inet and ip, log' "table inet u { chain c { type filter hook \
	prerouting priority -300; ip dscp cs0 ip frag-off & 0x3fff == 0 log group 1; }; };
	$(forward 'jump d; }; chain d { accept')"
flow 'mark, jump, route, reverse path' "table ip t { chain c { type filter hook prerouting \
	priority mangle; fib saddr . iif oif exists meta mark set 7; }; chain f { type filter \
	hook forward priority 0; meta mark 7 rt ipsec exists accept; }; }"
flow 'segments that open a connection are of no concern' "$(forward \
	'tcp flags syn tcp option maxseg size set rt mtu; tcp flags syn / syn,rst \
	limit rate 1/second')"
flow 'a limit for others' "$(forward "ip daddr 10.9.9.9 limit rate 1/second accept")"
flow 'ESP on its way out' "table ip t { chain c { type filter hook output priority 0; ip protocol \
	esp ip daddr $IP_G2_WAN accept; }; chain d { type filter hook postrouting priority 0; \
	oifname wan0 accept; }; }"

no_flow 'limit' limit "$(forward 'limit rate 1000/second accept')"
handle=$(g1 nft -a list chain ip t c | sed -n 's/.*limit.* # handle //p')
line=$(g1 cat /proc/net/xfrm_xdp_rules)
[[ $line == $'t\tc\t'"$handle"$'\tlimit\t1' ]] || complaints+=("rule $handle, named: $line")
result 'and named by table, chain and handle'
no_flow 'quota' quota "$(forward 'quota 1 mbytes accept')"
no_flow 'length' meta "$(forward 'meta length 0-1400 accept')"
no_flow 'TTL' payload "$(forward 'ip ttl > 5 accept')"
no_flow 'ECN' payload "$(forward 'ip ecn 0 accept')"
no_flow 'IP id' payload "$(forward 'ip id 7 accept')"
no_flow 'MAC of the sender' payload "$(forward "ether saddr $MAC_A accept")"
no_flow 'payload' payload "$(forward '@th,64,8 0x30 accept')"
no_flow 'time' meta "$(forward 'meta hour "00:00"-"23:59" accept')"
no_flow 'random number' numgen "$(forward 'numgen random mod 2 0 accept')"
no_flow 'set with timeouts' lookup "$(forward 'ip saddr @s accept' \
	"set s { type ipv4_addr; timeout 1h; elements = { $IP_A }; }")"
no_flow 'set that packets fill' dynset "$(forward 'update @s { ip saddr }' \
	'set s { type ipv4_addr; size 8; flags dynamic,timeout; timeout 1h; }')"
no_flow 'priority' meta "$(forward 'meta priority 0:1 drop')"
no_flow 'bytes that others may not have' payload "$(forward '@th,64,8 & 0 == 0 accept')"
no_flow 'MSS of the route' rt "$(forward 'rt mtu 1-100 drop')"
no_flow 'SPI on the way out' payload 'table ip t { chain c { type filter hook output priority 0;
	ip protocol esp @th,0,32 7 drop; }; }'
no_flow 'mangling that changes nothing yet' payload "$(forward 'ip dscp set cs0')"

port=$((port + 1))
rules "$(forward 'limit rate 1000/second accept')"
g1 sysctl -qw net.core.xfrm_xdp_trust_filter=1
known_flow $port
expect 'the administrator trusts the filter: learned past a limit' good=3
g1 sysctl -qw net.core.xfrm_xdp_trust_filter=0
send 3 sport=$port
expect 'not any more' XfrmXdpOutput=0 XfrmXdpPassAuth=1 XfrmXdpLearned=0 esp=3
g1 sysctl -qw net.core.xfrm_xdp_trust_filter=1
port=$((port + 1))
rules "$(forward 'queue flags bypass to 77')"
send 3 sport=$port
refused 'a queue that nobody reads yet is not trusted' esp=3 good=3
port=$((port + 1))
rules "$(forward 'ip ttl set 63')"
send 3 sport=$port
refused 'what changes packets is not trusted, even if it does not now' XfrmXdpNoFilter=1 esp=3
rules "$(forward 'limit name ip saddr map @m drop' \
	'limit l { rate over 1/hour burst 1 packets; }; map m { type ipv4_addr : limit; }')"
port=$((port + 1))
known_flow $port
g1 nft add element ip t m "{ $IP_A : \"l\" }"
send 3 sport=$port
expect 'trusted: a map of limits changes, and is asked again' XfrmXdpPassAuth=1 XfrmXdpLearned=1
g1 sysctl -qw net.core.xfrm_xdp_trust_filter=0
rules "$(forward "udp sport $((port + 1)) meta mark set 0x10")"
g1 sysctl -qw net.core.xfrm_xdp_slow_mark=0x10
send 3 sport=$((port + 1))
refused 'a mark that keeps flows out' esp=3
known_flow $((port + 2))
expect 'and others in'
g1 sysctl -qw net.core.xfrm_xdp_slow_mark=0
port=$((port + 2))

setting xfrm_xdp_trust_filter 2
setting xfrm_xdp_trust_filter -1
setting xfrm_xdp_slow_mark -1
setting xfrm_xdp_slow_mark 0x100000000
setting xfrm_xdp_slow_mark yes
result 'settings out of range are refused'

flow 'a chain for NAT' "table ip n { chain a { type nat hook postrouting priority 100; }; }"
g1 nft add chain ip n b '{ type nat hook postrouting priority 101; }'
send 3 sport=$port
expect 'and one more: judged again' XfrmXdpPassAuth=1 esp=3

flow 'a set, to be changed' "$(forward 'ip saddr @s drop' 'set s { type ipv4_addr; }')"
g1 nft add element ip t s "{ $IP_A }"
send 3 sport=$port
expect 'new element of a set: nothing leaves' XfrmXdpOutput=0 XfrmXdpPassAuth=1 esp=0 clear=0
g1 nft delete element ip t s "{ $IP_A }"
known_flow $port
g1 nft add chain ip t c '{ policy drop; }'
send 3 sport=$port
expect 'policy of a chain: nothing leaves' XfrmXdpOutput=0 esp=0 clear=0

flow 'rules, and others beside them' "$(forward 'ip saddr @s accept' \
	"set s { type ipv4_addr; elements = { $IP_A }; }; set u { type ipv4_addr; }")
	table ip v { set w { type ipv4_addr; }; chain i { type filter hook input priority 0;
	ip saddr @w drop; }; chain unused { drop; }; }"
for change in 'add element ip v w { 10.9.9.9 }' 'add rule ip v i tcp dport 22 accept' \
	'add element ip t u { 10.9.9.9 }' 'flush chain ip v unused'; do
	g1 nft "$change"
	send 3 sport=$port
	expect "nft $change: by XDP all the time" XfrmXdpOutput=3 XfrmXdpPassAuth=0
done
for change in 'add element ip t s { 10.9.9.9 }' 'add rule ip t c accept'; do
	g1 nft "$change"
	send 3 sport=$port
	expect "nft $change: judged again" XfrmXdpPassAuth=1 XfrmXdpLearned=1 XfrmXdpOutput=2
done

flow 'a set without elements' "$(forward 'ip saddr @s drop' 'set s { type ipv4_addr; }')"
g1 python3 -S -c 'import sys, xdp_xfrm_change as x; x.change(*sys.argv[1:])' quota t s \
	"$IP_A" 1000000
send 3 sport=$port
named lookup || complaints+=("no rule with lookup is named")
refused 'an element with a quota of its own' XfrmXdpNoFilter=1 XfrmXdpPassAuth=1 esp=3 good=3

# nothing says so of the set, and the rule comes in a transaction of its own
flow 'a set that nothing changes' "$(forward 'ip saddr @s drop' 'set s { type ipv4_addr; }')
	table ip t { chain i { type filter hook input priority 0; }; }"
g1 nft add rule ip t i tcp dport 23 add @s '{ ip saddr }'
send 3 sport=$port
refused 'and now packets do' XfrmXdpNoFilter=1 XfrmXdpPassAuth=1 esp=3 good=3

rules ''
for iptables in iptables-legacy iptables-nft; do
	if ! g1 $iptables -P FORWARD ACCEPT 2>/dev/null; then
		complaints+=("no $iptables")
		result "$iptables"
		continue
	fi
	iptables_flow 'what is the flow' -s "$NET_A" -i lan0 -p udp --dport 2000 -m comment \
		--comment x -j ACCEPT
	iptables_flow 'MSS clamping' -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
	iptables_no_flow 'limit' limit -m limit --limit 1000/second -j ACCEPT
	if [[ $iptables == iptables-legacy ]]; then
		g1 ipset create s hash:ip
		iptables_no_flow 'ipset' set -m set ! --match-set s src -j ACCEPT
	fi
	g1 $iptables -F FORWARD
	known_flow $port
	g1 $iptables -A FORWARD -p udp --dport 2000 -j DROP
	send 3 sport=$port
	expect "$iptables: new rule: nothing leaves" XfrmXdpOutput=0 XfrmXdpPassAuth=1 esp=0 clear=0
	g1 $iptables -F FORWARD
done

# the second answer marks the connection
rules "$(forward 'iifname wan0 limit rate over 1/hour burst 1 packets ct mark set 5; ct state \
	invalid drop; ct state established,related accept; limit rate 5/second accept')"
send 1 sport=4000
refused 'first packet of a connection' XfrmXdpNoFilter=1 esp=1
ask reply 4000
sleep 2.2
known_flow 4000
expect 'seen both ways: learned, and no limit any more' good=3 delivered=3
sleep 3
tracked=$(timeout_of 4000)
send 3 sport=4000
expect 'by XDP' XfrmXdpOutput=3 good=3
(($(timeout_of 4000) > tracked)) || complaints+=("it lives $tracked s, then $(timeout_of 4000) s")
result 'its entry lives on, as the stack would have it'
ask reply 4000
send 3 sport=4000
expect 'mark of the connection changed: judged again' XfrmXdpPassAuth=1 XfrmXdpLearned=1 good=3
send 2 sport=4000 size=1000
expect 'and by XDP again' XfrmXdpOutput=2 good=2
tracked=$(entries)
g1 conntrack -D -p udp --sport 4000 >/dev/null 2>&1
eventually less_than "$tracked" || complaints+=("$(entries) of $tracked entries are still held")
result 'connection deleted: its flow lets it go'
send 3 sport=4000
expect 'and a new one is made by the stack' XfrmXdpOutput=0 XfrmXdpPassDead=1 esp=3

ask connect 4001
expect 'TCP opens by the stack, then is learned' 'XfrmXdpLearned>0' esp=2
ask stream 200000
expect 'TCP by XDP, window tracked' 'XfrmXdpOutput>20' XfrmXdpPassConntrack=0 equal=1
fast_path_down >/dev/null
ask stream 100000
expect 'the stack goes on within the window' XfrmXdpOutput=0 equal=1
fast_path_up
ask stream 200000
expect 'and XDP again' 'XfrmXdpOutput>20' equal=1
ask close
expect 'what closes it takes the stack' 'XfrmXdpPassConntrack>0'
rules ''
finish
