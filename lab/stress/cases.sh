# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # for and from guest.sh
# The parts of the stress test.
#
#   part_storm   many busy flows while somebody commits rules each second
#   part_flood   some busy flows among packets that are flows of their own
#   part_order   packets of the stack and of XDP on a link that is full

storm_flows=10000
flood_flows=1000

# As fail2ban does: an element of a set that all flows are looked up in comes and goes
commit_ban()
{
	local change=add
	(($1 % 2)) || change=delete
	g1 nft "$change element inet filter banned { 198.51.100.$((2 + ($1 - 1) / 2)) }"
}

# As kube-proxy does: rules of chains that these flows never come to
commit_services()
{
	local chain=svc$((1 + $1 % 2))
	g1 nft -f - <<-EOF
		flush chain inet filter $chain
		add rule inet filter $chain ip daddr 10.96.0.$1 tcp dport 80 counter accept
		add rule inet filter $chain ip daddr 10.96.0.$1 tcp dport 443 counter accept
	EOF
}

# The same with a service that is new: its chains may have a slot of another's
commit_chains()
{
	g1 nft -f - <<-EOF
		add chain inet filter ext$1
		add chain inet filter sep$1
		add rule inet filter sep$1 ip daddr 10.244.0.$1 counter accept
		add rule inet filter ext$1 goto sep$1
		add rule inet filter services ip daddr 10.96.0.$1 tcp dport 80 goto ext$1
	EOF
}

# One a second, until it is killed
committing()
{
	local next=${EPOCHREALTIME/./} wait n
	for ((n = 1; ; n++)); do
		next=$((next + 1000000))
		wait=$((next - ${EPOCHREALTIME/./}))
		((wait <= 0)) || pause "$((wait / 1000000)).$(printf %06d $((wait % 1000000)))"
		"commit_$1" "$n"
		echo "$n" >/run/commits
	done
}

# storm RULES COMMITS
storm()
{
	local job=''
	say "storm: $1 rules, commits: $2"
	rules "$1"
	warm_up "$1" $storm_flows
	echo 0 >/run/commits
	more=([rules]="\"$1\"" [commits]="\"$2\"")
	if [[ $2 != none ]]; then
		committing "$2" &
		job=$!
	fi
	send storm -f $storm_flows -t "$seconds"
	if [[ -n $job ]]; then
		kill "$job"
		wait "$job" || true
	fi
	# who killed it may have done so between the commit and the note
	printf '{"case": "committed", "number": %d}\n' "$(</run/commits)" >>"$out/cases"
}

part_storm()
{
	local kind
	gateway_up
	in_ns "$NS_G2" "$stress" receive drop wan0
	storm none none
	for kind in stateless stateful; do
		storm "$kind" none
		storm "$kind" services
		storm "$kind" chains
		storm "$kind" ban
	done
	gateway_down
}

# flooded RULES FIRST: number of its first packet, for none to come twice
flooded()
{
	local kind packets first=$2
	say "flood: $1 rules"
	rules "$1"
	warm_up "$1" $flood_flows
	more=([rules]="\"$1\"" [kind]='"before"')
	send flood -f $flood_flows -n $((100 * flood_flows)) -m
	for kind in inside:$flood anywhere:$((flood / 4)) scan:131072; do
		packets=${kind#*:}
		more[kind]="\"${kind%:*}\""
		say "flood: $1 rules, $packets packets, ${kind%:*}"
		send flood -f $flood_flows -F "${kind%:*}" -s $first -n $((2 * packets)) -m
		first=$((first + packets))
		if [[ $kind == inside* ]]; then
			bpftool -j map show pinned /sys/fs/bpf/xdp/globals/xdp_xfrm_flows |
				jq -c '{"case": "map", memory: .bytes_memlock, entries: .max_entries}' >>"$out/cases"
		fi
	done
	more[kind]='"after"'
	send flood -f $flood_flows -n $((100 * flood_flows)) -m
}

part_flood()
{
	gateway_up
	in_ns "$NS_G2" "$stress" receive drop wan0
	flooded stateless 0
	flooded stateful 4000000
	gateway_down
}

# A link that takes 20 us for a frame, where the stack takes 15 us and XDP 5 us; fq_codel
# in front of it. G2 decrypts, with a window of 32, and goes no further.
slow_link_up()
{
	ip -n "$NS_G1" link del wan0
	insmod "$top/build/stress/module/slow.ko"
	ip -batch - <<-EOF
		link set slow0 netns $NS_G1 address $MAC_G1_WAN name wan0
		link set slow1 netns $NS_G2 address $MAC_G2_WAN name wan0
	EOF
	ip -n "$NS_G1" -batch - <<-EOF
		link set wan0 up
		addr add $IP_G1_WAN/$PREFIX dev wan0
		route add $NET_B via $IP_G2_WAN
	EOF
	ip -n "$NS_G2" -batch - <<-EOF
		link set wan0 up
		addr add $IP_G2_WAN/$PREFIX dev wan0
		route replace blackhole $NET_B
	EOF
	g1 tc qdisc replace dev wan0 root fq_codel
	neighbours
}

# refused: packets that the window of G2 refused so far
refused()
{
	in_ns "$NS_G2" sed -n 's/^XfrmInStateSeqError[[:space:]]*//p' /proc/net/xfrm_stat
}

# full PATH BURST OPTION...: bursts of packets, each second one of which is the stack's
full()
{
	local before full
	say "order: $1, bursts of $2"
	more=([path]="\"$1\"" [burst]="$2")
	before=$(refused)
	full=$(</sys/module/slow/parameters/xdp_full)
	send order -f 1 -o 2 -B 8 -n $((50 * $2)) -b "$2" -p $((20 * $2)) "${@:3}"
	printf '{"case": "receiver", "refused": %d, "ring_full": %d, "dropped": %d}\n' \
		$(($(refused) - before)) $(($(</sys/module/slow/parameters/xdp_full) - full)) \
		"$(g1 tc -s -j qdisc show dev wan0 | jq .[0].drops)" >>"$out/cases"
}

part_order()
{
	local burst
	gateway_up
	slow_link_up
	in_ns "$NS_G2" "$stress" receive pass wan0
	warm_up none 1
	for burst in 100 400 2000; do
		full stack "$burst" -x
		full xdp "$burst"
	done
	gateway_down
}
