# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the tests of the xdp_xfrm tool share; sourced after xdp_xfrm_tap_lib.sh.
# Few processes in all: in an emulated guest each one takes its time.
#
#   tool ARGUMENT...     the tool on G1
#   traced ARGUMENT...   the same; its system calls go to the file $trace
#   injected HOW CALL NUMBER ARGUMENT...   the same; HOW befalls that CALL
#   points PATTERN ARGUMENT...   traced; its calls that are like PATTERN and succeed
#                        go to the array points, as CALL NUMBER
#   refused WORDS ARGUMENT...    it fails, and WORDS are in its one line
#   state                who learns, and the XDP programs of G1
#   is STATE             waits until it is so: the kernel frees a map late
#   pins                 what is pinned
#   nothing              there is nothing of the tool
#   tool_gateway_up      the gateway without a fast path, and the file $trace

state_none='learning=no programs:'
# the request that changes a device; not every strace knows its name
# shellcheck disable=SC2034  # for the caller
set_link='RTM_SETLINK|nlmsg_type=0x13'

tool()
{
	in_ns "$NS_G1" "$XDP_XFRM" "$@"
}

traced()
{
	in_ns "$NS_G1" strace -qq -o "$trace" \
		-e trace=bpf,sendto,mkdir,rmdir,unlink,mount "${inject[@]}" \
		"$XDP_XFRM" "$@" 2>/dev/null
}

injected()
{
	local inject=(-e "inject=$2:$1:when=$3")
	traced "${@:4}"
}

points()
{
	local pattern=$1 inject=()
	shift
	traced "$@" || complaints+=("$* failed")
	# shellcheck disable=SC2034  # for the caller
	mapfile -t points < <(awk -F'(' -v pattern="$pattern" '
		{ number[$1]++ }
		$0 ~ pattern && !/ = -1 / { print $1, number[$1] }' "$trace")
}

refused()
{
	local words=$1 said
	shift
	! said=$(tool "$@" 2>&1) && [[ $said == *"$words"* && $said != *$'\n'* ]]
}

# For bpftool a map that there is has a key, no key, or a namesake; and this is
# its fastest command
map_there()
{
	[[ -n $(bpftool map getnext name "$1" 2>&1) ]]
}

state()
{
	local learning=no programs='' line
	! map_there xdp_xfrm_learn || learning=yes
	while read -r line; do
		[[ ! $line =~ ^[0-9]+:\ ([a-z0-9]+).*\ (xdp[a-z]*)\  ]] ||
			programs+=" ${BASH_REMATCH[1]}:${BASH_REMATCH[2]}"
	done < <(ip -n "$NS_G1" link show)
	printf 'learning=%s programs:%s' $learning "$programs"
}

now()
{
	[[ $(state) == "$1" ]]
}

is()
{
	eventually now "$1" || {
		complaints+=("wanted $1, is $(state)")
		return 1
	}
}

pins()
{
	compgen -G '/sys/fs/bpf/xdp/*/*' || true
}

no_flow_map()
{
	! map_there xdp_xfrm_flows
}

nothing()
{
	is "$state_none" && eventually no_flow_map && [[ ! -e /sys/fs/bpf/xdp ]]
}

tool_gateway_up()
{
	command -v strace >/dev/null || {
		echo '1..0 # SKIP no strace'
		exit 4
	}
	trap tool_gateway_down EXIT
	# the one that iproute2 makes for objects of older days
	[[ ! -L /sys/fs/bpf/xdp ]] || rm /sys/fs/bpf/xdp
	trace=$(mktemp)
	topology_up
	tunnel_up
	wire_up
}

tool_gateway_down()
{
	rm -f "$trace"
	gateway_down
}
