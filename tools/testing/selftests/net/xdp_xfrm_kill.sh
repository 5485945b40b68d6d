#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Each command of the xdp_xfrm tool is all or nothing: refused a system call that
# changes something, and then killed before it, it has done all or nothing, the
# same command succeeds then, and its opposite leaves nothing.
# XDP_XFRM_CALLS=. does so with every call that is traced, which takes long.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh
. ./xdp_xfrm_tool_lib.sh

# Between two of these nothing changes that outlives the process
changing='BPF_(OBJ_PIN|LINK_CREATE|LINK_DETACH|MAP_UPDATE_ELEM|MAP_DELETE_ELEM)'
changing="$changing|$set_link|^(mkdir.*xdp_xfrm\"|unlink)"
calls=${XDP_XFRM_CALLS:-$changing}

whole()
{
	now=$(state)
	[[ $now == "$before" || $now == "$after" ]]
}

# befalls HOW CALL NUMBER COMMAND...: all or nothing; $now is which
befalls()
{
	local status=0
	injected "$@" || status=$?
	eventually whole || return
	((status)) || [[ $now == "$after" ]]
}

# point CALL NUMBER COMMAND...
point()
{
	local now
	befalls error=EPERM "$@" || return
	[[ $now == "$before" ]] || tool "${opposite[@]}" || return
	befalls signal=SIGKILL "$@" || return
	# where all is done, it may say so and fail
	tool "${@:3}" 2>/dev/null || [[ $now == "$after" ]] || return
	[[ $(pins) == "$pins_after" ]] || return
	tool "${opposite[@]}" 2>/dev/null && [[ $(pins) == "$pins_before" ]]
}

# interrupt OPPOSITE COMMAND...
interrupt()
{
	local opposite call before after pins_before pins_after
	read -ra opposite <<<"$1"
	shift
	before=$(state) pins_before=$(pins)
	points "$calls" "$@"
	after=$(state) pins_after=$(pins)
	[[ $after != "$before" ]] || complaints+=("$* does nothing")
	((${#points[@]})) || complaints+=("no call of $* was seen")
	tool "${opposite[@]}"
	for call in "${points[@]}"; do
		point "${call% *}" "${call#* }" "$@" && continue
		complaints+=("at $call; there is $(state), pinned $(pins | paste -sd' ')")
		break
	done
	check "$*, refused or killed at each of ${#points[@]} calls: all or nothing" is "$before"
}

tool_gateway_up
check 'there is nothing' nothing
interrupt stop start
interrupt 'unload lan0 wan0' load lan0 wan0
tool start
interrupt start stop
tool stop
tool load lan0 wan0 2>/dev/null
interrupt 'load lan0 wan0' unload lan0 wan0

# A stop that has ended learning, not yet the flows
tool start
known_flow 1001
points MAP_DELETE_ELEM stop
tool start
known_flow 1002
injected signal=SIGKILL bpf "${points[0]#* }" stop || true
check 'stop, killed before it forgets the flows: they are there' \
	test "$(fast_path_json flows | jq length)" = 1
tool stop
send 3 sport=1002
expect 'the next stop forgets them' XfrmXdpOutput=0 good=3 delivered=3
tool start
known_flow 1003
result 'and then start learns'
tool stop
tool unload lan0 wan0
check 'nothing is left' nothing
finish
