#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The xdp_xfrm tool many times, twice at the same time, with devices that vanish,
# without a bpffs, and asked to end: all of a command, or nothing. Where it is
# killed: xdp_xfrm_kill.sh.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh
. ./xdp_xfrm_tool_lib.sh

learning='learning=yes programs:'
loaded='learning=no programs: lan0:xdp wan0:xdp'

# together N COMMAND...: at the same time; N of the two succeed
together()
{
	local wanted=$1 good=0 first
	shift
	tool "$@" 2>/dev/null &
	first=$!
	! tool "$@" 2>/dev/null || good=1
	! wait $first || good=$((good + 1))
	((good == wanted)) || complaints+=("$good of two: $*")
}

twenty_times()
{
	local i
	for i in {1..20}; do
		tool start && tool load lan0 wan0 && tool stop && tool unload lan0 wan0 && continue
		complaints+=("time $i")
		return 1
	done
}

# vanishes DEVICE STATUS OPPOSITE COMMAND...: stopped before it changes devices, it
# goes on when DEVICE has gone
vanishes()
{
	local device=$1 wanted=$2 opposite status=0 call number
	read -ra opposite <<<"$3"
	shift 3
	points "$set_link" "$@"
	read -r call number < <(awk -F'(' -v pattern="$set_link" '
		$0 ~ pattern { print previous }
		{ previous = $1 " " ++number[$1] }' "$trace")
	tool "${opposite[@]}"
	: >"$trace"
	injected signal=SIGSTOP "$call" "$number" "$@" &
	until grep -q 'stopped by SIGSTOP' "$trace"; do
		kill -0 $! || break
		sleep 0.1
	done
	grep -q 'stopped by SIGSTOP' "$trace" || complaints+=('it does not stop')
	ip -n "$NS_G1" link del "$device"
	# shellcheck disable=SC2046  # numbers
	kill -CONT $(ip netns pids "$NS_G1")
	wait $! || status=$?
	((status == wanted)) || complaints+=("status $status")
}

# asked OPPOSITE COMMAND...: to end, at its first change
asked()
{
	local opposite status=0
	read -ra opposite <<<"$1"
	shift
	points "mkdir|$set_link|LINK_DETACH" "$@"
	tool "${opposite[@]}"
	# shellcheck disable=SC2086  # call and number
	injected signal=SIGTERM ${points[0]} "$@" || status=$?
	((status == 143)) || complaints+=("status $status")
}

id_of()
{
	ip -n "$NS_G1" -j link show "$1" | jq '.[0].xdp.prog.id'
}

# In a container whose bpffs is not mounted; it ends with two namespaces learning
container()
{
	export NS_G1 NS_G2 XDP_XFRM
	# shellcheck disable=SC2016  # the inner shell's variables
	unshare --mount --pid --fork --mount-proc bash -euc '
		tool()
		{
			nsenter "--net=/var/run/netns/$1" -- "$XDP_XFRM" "$2" 2>/dev/null
		}
		! mountpoint -q /sys/fs/bpf || umount /sys/fs/bpf
		if tool "$NS_G1" stop; then exit 1; fi
		if mountpoint -q /sys/fs/bpf; then exit 1; fi
		tool "$NS_G1" start &
		tool "$NS_G2" start
		wait $!
		(($(grep -c " /sys/fs/bpf " /proc/mounts) == 1))
		(($(find /sys/fs/bpf/xdp/xdp_xfrm -type f | wc -l) == 2))'
}

tool_gateway_up
check 'start, load, stop, unload, twenty times' twenty_times
check 'nothing is left' nothing

together 1 start
check 'two at the same time: start' is "$learning"
together 1 stop
check 'two at the same time: stop' nothing
together 2 load lan0 wan0
check 'two at the same time: load' is "$loaded"
together 1 unload lan0 wan0
check 'two at the same time: unload' nothing

check 'no bpffs: refused without a mount, started twice with one' container
check 'with the bpffs ends all that is pinned there' is "$state_none"

asked stop start
check 'asked to end, complete: start' is "$learning"
asked start stop
check 'asked to end, complete: stop' nothing
asked 'unload lan0 wan0' load lan0 wan0
check 'asked to end, complete: load' is "$loaded"
asked 'load lan0 wan0' unload lan0 wan0
check 'asked to end, complete: unload' nothing

ip -n "$NS_G1" link add gone0 type veth peer name gone1
check 'load: no such device' refused 'gone9: No such device' load lan0 gone9
check 'load: the same device twice' refused 'lan0: is given twice' load lan0 lan0
check 'load: the second cannot' refused 'lo: ' load lan0 lo
check 'the first has nothing' nothing
vanishes gone0 1 'unload lan0 gone0' load lan0 gone0
check 'load: the second vanishes, the first has nothing' nothing
tool load lan0
id=$(id_of lan0)
check 'load again: the second cannot' refused 'lo: ' load lan0 lo
check 'the first has what it had' test "$(id_of lan0)" = "$id"
check 'load: the second has it in the other mode' refused 'in native mode' load -S wan0 lan0
check 'the first has nothing' is 'learning=no programs: lan0:xdp'
check 'unload: no such device' refused 'gone9: No such device' unload lan0 gone9
check 'unload: the second has no program' refused 'wan0: has no XDP program' unload lan0 wan0
check 'the first has what it had' test "$(id_of lan0)" = "$id"
ip -n "$NS_G1" link add gone0 type veth peer name gone1
tool load lan0 gone0
vanishes gone0 0 'load lan0 gone0' unload lan0 gone0
check 'unload: the second vanishes, and all is done' nothing

tool start
tool load lan0
known_flow 1001
result 'after all that, a flow by XDP'
fast_path_down
check 'nothing is left' nothing
finish
