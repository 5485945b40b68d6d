#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What flows refer to goes while hundreds of flows send from all CPUs: devices
# and network namespaces, the entries of the map, the map, both programs. Nothing
# waits for a flow, nothing is left of one, nothing leaves twice or in clear.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh
. ./xdp_xfrm_load_lib.sh

object=${XDP_XFRM_DIR:-../../../../samples/bpf/xdp_xfrm}/xdp_xfrm.bpf.o
elsewhere=elsewhere
# of the map that overflows: flows that are sent, and room for
many=100 few=48

output()
{
	g1 sed -n 's/^XfrmXdpOutput[[:space:]][[:space:]]*//p' /proc/net/xfrm_xdp_stat
}

# What a device forgets where it has been
configure()
{
	ip -n "$NS_G1" -batch - <<-EOF
		link set $1 up
		addr replace $IP_G1_LAN/$PREFIX dev lan0
		addr replace $IP_G1_WAN/$PREFIX dev wan0
		route replace $NET_B via $IP_G2_WAN
	EOF
}

# moves DEV: to another namespace and back, twice
moves()
{
	local before
	for _ in 1 2; do
		ip -n "$NS_G1" link set "$1" netns $elsewhere
		ip -n $elsewhere link set "$1" up
		before=$(output)
		pause 0.3
		[[ $(output) == "$before" ]] || complaints+=("$1 is elsewhere, XDP sends")
		ip -n $elsewhere link set "$1" netns "$NS_G1"
		configure "$1"
		pause 1
	done
}

devices_go()
{
	pause 0.5
	ip -n "$NS_G1" link del wan0
	pause 0.5
	ip -n "$NS_G1" link del lan0
}

gone()
{
	! ip -n "$1" link show "$2" >/dev/null 2>&1
}

netns_goes()
{
	pause 0.5
	ip netns del "$NS_G1"
	eventually gone "$NS_G2" wan0 && eventually gone "$NS_A" eth0
}

entries_go()
{
	for _ in 1 2; do
		bpftool -j map dump pinned "$FLOW_MAP" |
			jq -r --arg map "$FLOW_MAP" '.[].key | map(ltrimstr("0x")) |
				"map delete pinned \($map) key hex " + join(" ")' |
			bpftool batch file - >/dev/null
		pause 0.5
	done
}

program_is_replaced()
{
	for _ in 1 2; do
		g1 "$XDP_XFRM" load lan0
		pause 0.2
		g1 ip -force link set dev lan0 xdp obj "$object" sec xdp
		pause 0.2
	done
}

learning_stops()
{
	for _ in 1 2; do
		g1 "$XDP_XFRM" stop
		pause 0.2
		g1 "$XDP_XFRM" start
		pause 0.5
	done
}

# by somebody in another namespace
learning_is_stopped()
{
	for _ in 1 2; do
		in_ns "$NS_G2" "$XDP_XFRM" stop --all
		pause 0.2
		g1 "$XDP_XFRM" start
		pause 0.5
	done
}

map_goes()
{
	for _ in 1 2; do
		g1 "$XDP_XFRM" stop
		g1 "$XDP_XFRM" unload lan0
		g1 "$XDP_XFRM" start
		g1 "$XDP_XFRM" load lan0
		pause 0.5
	done
}

nothing_left()
{
	g1 "$XDP_XFRM" stop --all && [[ -z $(find /sys/fs/bpf -type f) ]]
}

all_down()
{
	[[ ! -e /var/run/netns/$elsewhere ]] || ip netns del $elsewhere
	loaded_gateway_down
}

trap all_down EXIT
loaded_gateway_up
unlost 'nothing changes' "XfrmXdpLearned=$FLOWS" -- pause 0
ip netns add $elsewhere
settings $elsewhere

unlost 'entries are deleted' 'XfrmXdpLearned>0' -- entries_go
unlost 'the XDP program is replaced' -- program_is_replaced
unlost 'learning stops and starts' 'XfrmXdpLearned>0' -- learning_stops
unlost 'stopped from another namespace' 'XfrmXdpLearned>0' -- learning_is_stopped
recovered
during 'the map goes' 'XfrmXdpLearned>0' -- map_goes
recovered

during 'the transmitting device moves away and back' 'XfrmXdpFlowDead>0' -- moves wan0
recovered
during 'the receiving device moves away and back' -- moves lan0
recovered

enough=0 during 'the devices go' 'XfrmXdpFlowDead>0' -- devices_go
loaded_gateway_down
loaded_gateway_up
enough=0 during 'the gateway goes' -- netns_goes
loaded_gateway_down
check 'its map is given up' "$XDP_XFRM" stop --all

loaded_gateway_up --flows $few
FLOWS=$many
unlost 'more flows than room in the map' "XfrmXdpLearned>$many" -- pause 2
check 'the map holds what it has room for' test "$(flows_pinned)" -le $few
g1 "$XDP_XFRM" unload lan0
check 'stop leaves nothing behind' nothing_left
loaded_gateway_down
check 'no flow nor offer is left' nothing_alive
finish
