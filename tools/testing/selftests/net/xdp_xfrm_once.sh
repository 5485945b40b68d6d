#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The packets of one flow come in on all CPUs and queues at the same moment, each
# of them as if it were the first: one entry in the map, one flow.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh
. ./xdp_xfrm_load_lib.sh

flows=10 packets=12

# all_at_once PORT: got of it
all_at_once()
{
	ask together "$1" $packets
	((got[XfrmXdpLearned] <= got[XfrmXdpOffer])) ||
		complaints+=("port $1: ${got[XfrmXdpOffer]} offers, ${got[XfrmXdpLearned]} learned")
}

# each_at_once NAME WANTED...: a result, of all flows
each_at_once()
{
	local name=$1 port wanted value
	local -A sum=()
	shift
	for ((port = 20001; port <= 20000 + flows; port++)); do
		all_at_once $port
		for value in "${!got[@]}"; do
			sum[$value]=$((${sum[$value]-0} + got[$value]))
		done
	done
	got=()
	for value in "${!sum[@]}"; do
		got[$value]=${sum[$value]}
	done
	wanted=$(($(nproc) * packets * flows))
	expect "$name" "sent=$wanted" "delivered=$wanted" repeated=0 \
		replayed=0 clear=0 "$@"
	check 'one entry for each flow' test "$(flows_pinned)" = $flows
	check 'and one flow for each' eventually alive xfrm_xdp_flow $flows
}

trap loaded_gateway_down EXIT
loaded_gateway_up

each_at_once 'the first packets at once' "XfrmXdpLearned>$((flows - 1))" 'XfrmXdpOutput>0'
each_at_once 'all of them known: by XDP' XfrmXdpOffer=0 XfrmXdpLearned=0 \
	"XfrmXdpOutput=$(($(nproc) * packets * flows))"
g1 nft "add table ip t; add chain ip t c { type filter hook forward priority 0; }
	delete table ip t"
each_at_once 'not authorised any more' "XfrmXdpPassAuth>$((flows - 1))" \
	"XfrmXdpLearned>$((flows - 1))"
add_state "$NS_G2" "$IP_G1_WAN" "$IP_G2_WAN" 0x2001 "$(fixed_key 128 c3)"
add_state "$NS_G1" "$IP_G1_WAN" "$IP_G2_WAN" 0x2001 "$(fixed_key 128 c3)"
each_at_once 'stale: XFRM is asked' "XfrmXdpLookup>$((flows - 1))" XfrmXdpLearned=0 \
	"XfrmXdpOutput=$(($(nproc) * packets * flows))"

g1 "$XDP_XFRM" unload lan0
g1 "$XDP_XFRM" stop
loaded_gateway_down
check 'no flow nor offer is left' nothing_alive
finish
