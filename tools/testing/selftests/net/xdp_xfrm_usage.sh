#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What the xdp_xfrm tool says of what is wrong: one line that names it and what to do,
# and nothing is left behind. In the order in which it gets further each time.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh
. ./xdp_xfrm_tool_lib.sh

usage=2 failure=1
# what the tool is run by, where the machine lacks something
lack=()

# says STATUS WORDS ARGUMENT...: it ends so, with one line that has WORDS
says()
{
	local status=0 said line
	said=$(in_ns "$NS_G1" "${lack[@]}" "$XDP_XFRM" "${@:3}" 2>&1 >/dev/null) || status=$?
	line="xdp_xfrm: *$2*"
	((status == $1)) || complaints+=("exit status $status")
	# shellcheck disable=SC2053  # a pattern
	[[ $said == $line && $said != *$'\n'* ]] || complaints+=("says: $said")
	result "${*:3}: $2"
}

# without COMMANDS: from here on they were done, in a mount namespace of its own
without()
{
	# shellcheck disable=SC2016  # the inner shell's
	lack=(unshare -m bash -euc 'eval "$0"; exec "$@"' "$1")
}

# prints WORDS ARGUMENT...
prints()
{
	tool "${@:2}" 2>&1 | grep -q -- "$1" || complaints+=("not $1")
	result "${*:2}: $1"
}

# change WORDS...: see xdp_xfrm_change.py
change()
{
	g1 python3 -S -c 'import sys, xdp_xfrm_change as x; x.change(*sys.argv[1:])' "$@"
}

tool_gateway_up

prints commands: --help
prints 'xdp_xfrm load' load --help
prints libbpf --version
says $usage 'no such command; see' frob
says $usage '--frob: no such option' --frob
says $usage '-x: no such option' stats -xa
says $usage 'argument is missing' start --flows
for size in 0 1x 16777217; do
	says $usage 'is not a size; give 1 to 16777216' --flows $size start
done
says $usage 'takes no option -S' start --skb-mode
says $usage 'no device given' load
says $usage 'takes no arguments' stats lan0

lack=(setpriv --reuid=65534)
for command in start stop 'load lan0' 'unload lan0'; do
	# shellcheck disable=SC2086  # words
	says $failure 'not root: ' $command
done
without 'mount -t tmpfs none /proc'
says $failure 'no XFRM for XDP' start
says $failure 'mount /proc' stats
without 'mount -t tmpfs none /sys/kernel/btf'
says $failure 'no type information' start
without 'umount /sys/fs/bpf'
says $failure 'no bpffs in this mount namespace' start
lack=()

says $failure 'see ip link' load nowhere
says $failure 'is given twice' load lan0 lan0
says $failure 'use --skb-mode' load lo
says $failure 'run xdp_xfrm start' flows
says $failure 'run xdp_xfrm start' stop
says $failure 'has no XDP program' unload lan0
says 0 'nothing is learned yet' load lan0
says $failure 'has the program in native mode' load --skb-mode lan0
tool unload lan0

tool --flows 64 start
says $failure 'learning already runs; run xdp_xfrm stop first' start
says $failure 'has 64 entries' --flows 65 load lan0
tool stop
nothing || complaints+=('something is left')
result 'nothing is left'

mkdir -p /sys/fs/bpf/xdp/globals/xdp_xfrm_flows
says $failure 'remove what is there' start
rmdir /sys/fs/bpf/xdp/globals/xdp_xfrm_flows /sys/fs/bpf/xdp/globals /sys/fs/bpf/xdp

change attach lan0 4
says $failure 'has another XDP program' load lan0
says $failure 'has another XDP program' unload lan0
change detach lan0 4

tool start
for command in 'stats --all' --version; do
	status=0
	# shellcheck disable=SC2086  # words
	said=$(tool $command 2>&1 >/dev/full) || status=$?
	[[ $status == $failure && $said == *'what was printed is incomplete'* ]] ||
		complaints+=("exit status $status, says: $said")
	result "$command >/dev/full: what was printed is incomplete"
done
tool stop
nothing || complaints+=('something is left')
result 'nothing is left'
finish
