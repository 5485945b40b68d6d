#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The twin test's part in the guest: two gateways that are the same but for the
# fast path, the same frames through both. TAP, one result a scenario.
#
#                wire-off                                      wire-on
#           lan0p      wan0p                              lan0p      wan0p
#             |          ^                                  |          ^
#            lan0 off wan0           the same as           lan0 on   wan0
#
# twin sends into both lan0p, looks at all four peers, and compares what the
# gateways count and remember. Few processes: each takes its time in the guest.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
export NS_G1=on
# shellcheck source=tools/testing/selftests/net/xdp_xfrm_lib.sh
. "$top/tools/testing/selftests/net/xdp_xfrm_lib.sh"
# shellcheck source=lab/twin/scenarios.sh
. "$here/scenarios.sh"

usage()
{
	cat <<-EOF
	usage: lab/twin/guest.sh [-0] [-n PACKETS] [-s SEED] [SCENARIO...]
	       lab/twin/guest.sh -l
	  -l            print the names of the scenarios that run by default
	The rest is as in lab/twin.sh -h, which boots a guest and runs this.
	EOF
	exit "$1"
}

fast=yes packets=105000 seed=1
while getopts 0ln:s:h option; do
	case $option in
	0) fast='' ;;
	l) printf '%s\n' "${scenarios[@]}" && exit ;;
	n) packets=$OPTARG ;;
	s) seed=$OPTARG ;;
	h) usage 0 ;;
	*) usage 2 >&2 ;;
	esac
done
shift $((OPTIND - 1))
(($#)) || set -- "${scenarios[@]}"

tunnel_mtu=1446
declare -A got=()
problems=0 number=0 lines=''
# changed: this scenario leaves the gateways other than it found them
is_up='' changed=''

note()
{
	problems=$((problems + 1))
	printf '# %s\n' "$@"
}

# later WORDS...: a command for ip, with those that come before the next packet
later()
{
	local words
	printf -v words '"%s" ' "$@"
	lines+=$words$'\n'
}

apply()
{
	local ns
	[[ -n $lines ]] || return 0
	for ns in off on; do
		ip -n "$ns" -batch - <<<"$lines" || note "ip of $ns failed: $lines"
	done
	lines=''
}

both()
{
	later "$@"
	apply
}

both_in()
{
	local ns
	for ns in off on; do
		in_ns "$ns" "$@" || note "in $ns failed: $*"
	done
}

# What would depend on the time is made equal: neighbours are known, ICMP errors
# are not limited, redirects are sent once, fragments and exceptions stay. One
# packet is through before the next comes, however slow the guest is.
machine_settings()
{
	sysctl -qew net.ipv4.icmp_msgs_per_sec=1000000000 net.ipv4.icmp_msgs_burst=1000000000 \
		net.ipv4.route.error_cost=0 net.ipv4.route.redirect_load=16777216 \
		net.ipv4.route.redirect_silence=536870912 net.core.netdev_budget_usecs=1000000
}

# gateway NS: addresses, routes, neighbours
gateway()
{
	local host
	settings "$1" net.ipv4.ip_forward=1 net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_ratemask=0 \
		net.ipv4.ipfrag_time=1000000 net.ipv4.route.mtu_expires=1000000
	{
		cat <<-EOF
			link set lo up
			link set lan0 up
			link set wan0 up
			addr add 10.1.0.1/24 dev lan0
			addr add 192.0.2.1/24 dev wan0
			route add 10.2.0.0/24 via 192.0.2.2
			route add 10.3.0.0/24 via 192.0.2.2
			route add unreachable 198.51.100.0/24
			route add prohibit 198.51.101.0/24
			route add blackhole 198.51.102.0/24
			route add throw 198.51.103.0/24
			neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev wan0 nud permanent
			neigh add 192.0.2.0 lladdr 02:00:00:00:00:03 dev wan0 nud permanent
		EOF
		for host in {0,{2..15}}; do
			printf 'neigh add 10.1.0.%d lladdr 02:00:00:01:00:%02x dev lan0 nud permanent\n' \
				"$host" "$host"
		done
	} | ip -n "$1" -batch -
	# veth counts frames that it polls without their Ethernet header: poll in both
	in_ns "$1" ethtool -K lan0 gro on
	in_ns "wire-$1" ethtool -K lan0p tso off
	# and takes redirected frames only if the peer polls
	in_ns "wire-$1" ethtool -K wan0p gro on
}

twins_up()
{
	local ns
	for ns in off on; do
		cat <<-EOF
			netns add $ns
			netns add wire-$ns
			link add name lan0 index 11 netns $ns address 02:00:00:01:00:01 type veth \
				peer name lan0p index 11 netns wire-$ns address 02:00:00:01:00:02
			link add name wan0 index 12 netns $ns address 02:00:00:00:00:01 type veth \
				peer name wan0p index 12 netns wire-$ns address 02:00:00:00:00:02
		EOF
	done | ip -batch -
	for ns in off on; do
		settings "wire-$ns"
		ip -n "wire-$ns" -batch - <<-EOF
			link set lan0p up mtu 1600
			link set wan0p up
		EOF
		gateway "$ns"
	done
	[[ -z $fast ]] || fast_path_up lan0
	coproc TWIN { exec "$top/build/twin/twin" 2>&1; }
	# bash forgets those of a coprocess that ends, and with them its last words
	exec {twin_out}<&"${TWIN[0]}" {twin_in}>&"${TWIN[1]}"
	is_up=yes
}

twins_down()
{
	local ns pid=${TWIN_PID-}
	set +e
	if [[ -n $pid ]]; then
		printf 'quit\n' >&"$twin_in"
		wait "$pid"
		exec {twin_out}<&- {twin_in}>&-
	fi
	[[ -z $fast ]] || fast_path_down lan0 2>/dev/null
	for ns in off on wire-off wire-on; do
		[[ ! -e /var/run/netns/$ns ]] || ip netns del "$ns"
	done
	set -e
	is_up='' lines=''
}

# ask COMMAND...: of twin; its differences are printed, its facts fill the array got
ask()
{
	local line pair
	printf '%s\n' "$*" >&"$twin_in"
	while IFS= read -r -t 600 -u "$twin_out" line; do
		if [[ $line != frames=* ]]; then
			printf '# %s\n' "${line#\# }"
			continue
		fi
		for pair in $line; do
			got[${pair%%=*}]=${pair#*=}
		done
		return
	done
	printf 'Bail out! twin does not answer\n'
	exit 1
}

# key BYTES BYTE: sets the variable key
key()
{
	local i
	key=0x
	for ((i = 0; i < $1; i++)); do
		key+=$2
	done
}

# state SPI KIND ARGS...: $first is the first sequence number, for ESN
state()
{
	local spi=$1 kind=$2 byte key secret=() esn=- args=("${@:3}")
	printf -v byte '%02x' $((spi & 0xff))
	[[ " ${args[*]} " == *' reqid '* ]] || args+=(reqid 1)
	[[ " ${args[*]} " != *' esn '* ]] || esn=esn
	case $kind in
	gcm*)
		key $((${kind#gcm} / 8 + 4)) "$byte"
		secret=("$key")
		args+=(aead 'rfc4106(gcm(aes))' "$key" 128)
		kind=gcm
		;;
	cbc-sha256)
		key 16 "$byte"
		secret=("$key")
		key 32 "$byte"
		secret+=("$key")
		args+=(enc 'cbc(aes)' "${secret[0]}" auth-trunc 'hmac(sha256)' "$key" 128)
		kind=cbc
		;;
	null) args+=(enc 'ecb(cipher_null)' '' auth digest_null '') ;;
	esac
	later xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi "$spi" mode tunnel "${args[@]}"
	ask sa "$spi" "$kind" "${first-0}" "$esn" "${secret[@]}"
}

# policies [REQID [NET [ARGS...]]]: those of a tunnel, ARGS for that on the way out, and
# one for its packets to be forwarded
policies()
{
	local near=10.1.0.0/24 far=${2-10.2.0.0/24} options=(proto esp reqid "${1-1}" mode tunnel)
	later xfrm policy add src "$near" dst "$far" dir out "${@:3}" \
		tmpl src 192.0.2.1 dst 192.0.2.2 "${options[@]}"
	later xfrm policy add src "$far" dst "$near" dir in \
		tmpl src 192.0.2.2 dst 192.0.2.1 "${options[@]}"
	later xfrm policy add src "$far" dst "$near" dir fwd \
		tmpl src 192.0.2.2 dst 192.0.2.1 "${options[@]}"
	later xfrm policy add src "$near" dst "$far" dir fwd
}

wan_mtu()
{
	local ns
	for ns in off on; do
		ip -n "wire-$ns" link set wan0p mtu "$1"
		ip -n "$ns" link set wan0 mtu "$1"
	done
	ask mtu $(($1 - 54 < 1500 ? $1 - 54 : 1500))
}

one_by_one()
{
	ask pace 1 5
}

# A thread on twin's CPU polls lan0, and finds many frames at once. Frames to the
# WAN wire stay in order only if those of the stack go the way of XDP's.
burst()
{
	local ns pid
	changed=yes
	for ns in off on; do
		ip netns exec "$ns" sh -c 'echo 1 >/sys/class/net/lan0/threaded'
		in_ns "$ns" ethtool -K wan0 tso off
	done
	for pid in $(pgrep napi/lan0); do
		taskset -c -p 0 "$pid" >/dev/null
	done
	ask burst
}

# traffic COUNT: half of it at random, the rest from the table, where a slot is
# one frame or more; so that flows are known, they all come by first
traffic()
{
	apply
	ask warm-up
	ask random $(($1 / 2))
	ask table $(($1 / 4))
}

expect_expiry()
{
	((got[expired])) || note 'no message about a limit'
}

# conntrack's order is that of a seeded hash, its timeouts count down, flows refer to entries
entries()
{
	in_ns "$1" conntrack -L 2>/dev/null |
		sed -E 's/^([a-z]+ +[0-9]+) [0-9]+ /\1 /; s/ use=[0-9]+//' | sort
}

compare_conntrack()
{
	local difference
	[[ -n $(entries on) ]] || note 'conntrack shows no entries'
	difference=$(diff <(entries off) <(entries on)) ||
		note "DIFFERENCE, seed $seed, scenario $scenario: conntrack"$'\n'"$difference"
}

scenario()
{
	local before=$problems share start=$SECONDS
	scenario=$1 got=() changed=''
	[[ -n $is_up ]] || twins_up
	ask begin "$scenario" "$seed"
	ask mtu "$tunnel_mtu"
	"run_$scenario"
	share=$((got[fast] * 100 / got[frames]))
	if [[ -n $fast ]]; then
		((share >= ${least[$scenario]})) ||
			note "only $share % of the packets by the fast path, ${least[$scenario]} % wanted"
		ask fast
	fi
	((!got[differences])) || note "${got[differences]} differences"
	((got[esp])) || note 'not one packet of ESP'
	if [[ -n $changed ]] || ((problems > before)); then
		twins_down
	else
		later xfrm policy flush
		later xfrm state flush
	fi
	number=$((number + 1))
	((problems == before)) || printf 'not '
	printf 'ok %d - %s # %d packets, %d answers, %d ESP, %d %% fast, %d s\n' "$number" \
		"$scenario" "${got[frames]}" "${got[answers]}" "${got[esp]}" "$share" \
		$((SECONDS - start))
}

for name; do
	[[ -n ${least[$name]-} ]] || usage 2 >&2
done
packets=$((packets / $#))
trap twins_down EXIT
machine_settings
for name; do
	scenario "$name"
done
printf '1..%d\n' "$#"
((!problems))
