# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154  # for and from xdp_xfrm_tap_lib.sh
# Many flows through the gateway, from all CPUs, while something happens to it;
# sourced after xdp_xfrm_tap_lib.sh.
#
#   loaded_gateway_up [ARG]...    the gateway, a queue for each CPU, and the load;
#                                 ARG: of xdp_xfrm start
#   loaded_gateway_down           all of it; safe to call at any time
#   under_load COMMAND...         COMMAND while FLOWS flows send; fills got, as
#                                 xdp_xfrm_load.py says
#   during NAME WANTED... -- COMMAND...
#                                 a result: COMMAND under load; nothing is sent twice,
#                                 nothing in clear
#   unlost NAME WANTED... -- COMMAND...
#                                 the same, and nothing is lost, XDP goes on
#   recovered                     a result: all packets of a few flows arrive, most
#                                 of them by XDP
#   within SECONDS COMMAND...     a hang ends the test
#   flows_pinned                  number of flows in the map
#   alive CACHE NUMBER            so many objects are in use
#   nothing_alive                 no flow nor offer is left of all there were
#
# The window of G2 is as large as can be, so that it refuses and counts sequence
# numbers that repeat, but none for being late.

FLOWS=100
# packets of each flow
enough=3
REPLAY_WINDOW=4096
FLOW_MAP=/sys/fs/bpf/xdp/globals/xdp_xfrm_flows
watchdog=''
XDP_XFRM_CACHES=${XDP_XFRM_CACHES:-xfrm_xdp_flow xfrm_xdp_offer}

within()
{
	local limit=$1
	shift
	{
		pause "$limit"
		printf 'Bail out! %s hangs\n' "$*"
		kill -9 $$
	} &
	watchdog=$!
	"$@"
	no_watchdog
}

no_watchdog()
{
	[[ -n $watchdog ]] || return 0
	kill "$watchdog" || true
	wait "$watchdog" || true
	watchdog=''
}

queues_up()
{
	local n
	n=$(nproc)
	((n > 1)) || return 0
	g1 ethtool -L lan0 rx "$n" tx "$n"
	g1 ethtool -L wan0 rx "$n" tx "$n"
	in_ns "$NS_A" ethtool -L eth0 rx "$n" tx "$n"
	in_ns "$NS_G2" ethtool -L wan0 rx "$n" tx "$n"
}

loaded_gateway_up()
{
	topology_up
	queues_up
	tunnel_up
	export NS_A NS_G1 NS_G2 NS_B IP_A IP_B MAC_A MAC_G1_LAN
	coproc WIRE { exec python3 -S xdp_xfrm_load.py 2>&1; }
	answer
	g1 "$XDP_XFRM" start "$@"
	g1 "$XDP_XFRM" load lan0
}

loaded_gateway_down()
{
	no_watchdog
	gateway_down
	WIRE_PID=''
	set -e
}

under_load()
{
	ask stream "$FLOWS"
	within 240 "$@"
	ask stop $((enough * FLOWS))
}

# during NAME WANTED... -- COMMAND...
during()
{
	local name=$1 wanted=()
	shift
	while [[ $1 != -- ]]; do
		wanted+=("$1")
		shift
	done
	under_load "${@:2}"
	printf '# %d s: %d sent, %d by XDP, %d refused\n' $SECONDS "${got[sent]}" \
		"${got[XfrmXdpOutput]-0}" "${got[refused]}"
	expect "$name" 'sent>0' repeated=0 replayed=0 clear=0 "${wanted[@]}"
}

unlost()
{
	during "$1" unaccounted=0 'XfrmXdpOutput>0' "${@:2}"
}

recovered()
{
	local FLOWS=16
	under_load pause 1
	((2 * got[XfrmXdpOutput] > got[sent])) ||
		complaints+=("${got[sent]} sent, ${got[XfrmXdpOutput]} by XDP")
	expect 'as before' 'sent>0' "delivered=${got[sent]}" repeated=0 replayed=0 clear=0
}

flows_pinned()
{
	bpftool -j map dump pinned "$FLOW_MAP" | jq length
}

# Shrinking gives back what KASAN holds.
alive()
{
	local slab=/sys/kernel/slab/$1 objects
	[[ -d $slab ]] || return
	echo 1 >"$slab/shrink"
	read -r objects _ <"$slab/objects"
	((objects == $2))
}

nothing_alive()
{
	local cache
	for cache in $XDP_XFRM_CACHES; do
		eventually alive "$cache" 0 || return
	done
}
