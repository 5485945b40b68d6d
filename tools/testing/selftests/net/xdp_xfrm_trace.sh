#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The tracepoints of XFRM in XDP name the flow and why. They belong to all network
# namespaces, so nothing else should forward meanwhile.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh

events=/sys/kernel/tracing/events/xfrm_xdp
trace=/sys/kernel/tracing/trace
# UDP from port 1000 to 2000
flow="saddr=$IP_A daddr=$IP_B protocol=17 ports=03e807d0"

# traced NAME EVENT...: a result: these events, and no other, since the last result
traced()
{
	local name=$1 line
	local -a lines
	shift
	mapfile -t lines < <(sed -nE 's/.*: (xfrm_xdp_[a-z_]+: .*)/\1/p' "$trace")
	: >"$trace"
	for line in "${lines[@]}"; do
		if [[ $line == "${1-}" ]]; then
			shift
		else
			complaints+=("not expected: $line")
		fi
	done
	for line; do
		complaints+=("missing: $line")
	done
	result "$name"
}

# ifindex DEV: its number on G1
ifindex()
{
	g1 ip -j link show "$1" | jq '.[].ifindex'
}

# shellcheck disable=SC2317  # by trap
trace_down()
{
	echo 0 >"$events/enable"
	gateway_down
}

if [[ ! -d $events ]]; then
	skip 'tracepoints' 'no tracefs'
	finish
fi
gateway_up
lan=$(ifindex lan0)
wan=$(ifindex wan0)
: >"$trace"
trap trace_down EXIT
echo 1 >"$events/enable"

known_flow 1000
traced 'learned, then by XDP' "xfrm_xdp_learn: $flow iif=$lan oif=$wan"
send 1 ttl=1
traced 'handed to the stack' "xfrm_xdp_pass: $flow iif=$lan err=-62"
chain forward 'limit rate 1000/second accept'
send 1
traced 'refused' "xfrm_xdp_pass: $flow iif=$lan err=-1" \
	"xfrm_xdp_refuse: $flow iif=$lan why=NoFilter"
rules ''
sleep 1.1
send 3
traced 'learned again' "xfrm_xdp_learn: $flow iif=$lan oif=$wan"
wire_down
g1 ip link del wan0
traced 'ended with its device' "xfrm_xdp_flow_dead: $flow iif=$lan oif=$wan"
finish
