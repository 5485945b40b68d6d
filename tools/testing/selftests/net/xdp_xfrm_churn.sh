#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The configuration of the gateway changes again and again while hundreds of
# flows send from all CPUs. Whatever is in flight at that moment is delivered, or
# refused by something that counts it; nothing is sent twice, nothing in clear.
# Only a queue that is replaced, and a link that is down, drop without a count.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh
. ./xdp_xfrm_load_lib.sh

tunnel=(tmpl src "$IP_G1_WAN" dst "$IP_G2_WAN" proto esp reqid "$REQID" mode tunnel)
block=(src "$NET_A" dst "$NET_B" dir out)
last_spi=$SPI_OUT

# batch COMMAND: its lines are commands of ip, on G1
batch()
{
	"$@" | ip -n "$NS_G1" -batch -
}

# out_state SPI
out_state()
{
	state_line "$IP_G1_WAN" "$IP_G2_WAN" "$1" "$(fixed_key 128 c3)"
}

# An IKE daemon adds the new state on both sides, then deletes the old one
rekeys()
{
	local spi
	for spi in 0x200{1..4}; do
		out_state "$spi"
		pause 0.5
		echo xfrm state delete src "$IP_G1_WAN" dst "$IP_G2_WAN" proto esp spi "$last_spi"
		pause 1
		last_spi=$spi
	done
}

peer_states()
{
	local spi
	for spi in 0x200{1..4}; do
		out_state "$spi"
	done | ip -n "$NS_G2" -batch -
}

policies()
{
	local priority
	for priority in {1..3}; do
		echo xfrm policy update "${block[@]}" priority "$priority" "${tunnel[@]}"
		pause 1
	done
}

blocks()
{
	for _ in 1 2; do
		echo xfrm policy add src "$IP_A" dst "$IP_B" dir out action block priority 0
		pause 1
		echo xfrm policy delete src "$IP_A" dst "$IP_B" dir out
		pause 1
	done
}

routes()
{
	for _ in 1 2; do
		echo route replace "$NET_B" via "$IP_G2_WAN" mtu 1400
		pause 1
		echo route replace "$NET_B" via "$IP_G2_WAN"
		pause 1
	done
}

neighbours()
{
	local state
	for state in permanent stale reachable delay probe noarp reachable; do
		echo neigh replace "$IP_G2_WAN" lladdr "$MAC_G2_WAN" dev wan0 nud "$state"
		pause 1
	done
}

addresses()
{
	for _ in 1 2; do
		echo addr add 10.9.0.1/24 dev lan0
		pause 1
		echo addr del 10.9.0.1/24 dev lan0
		pause 1
	done
}

rules()
{
	for _ in 1 2; do
		g1 nft 'add table ip t; add chain ip t c { type filter hook forward priority 0; }'
		g1 nft 'add rule ip t c limit rate 1000000/second accept'
		pause 1
		g1 nft 'delete table ip t'
		pause 1
	done
}

queues()
{
	local kind
	for kind in pfifo_fast fq_codel fq 'tbf rate 1gbit burst 1mb limit 10mb' mq fq_codel; do
		echo qdisc replace dev wan0 root "$kind"
		pause 1
	done
	echo qdisc del dev wan0 root
}

links()
{
	local dev
	for dev in wan0 lan0; do
		ip -n "$NS_G1" link set "$dev" down
		pause 1
		ip -n "$NS_G1" link set "$dev" up
		ip -n "$NS_G1" route replace "$NET_B" via "$IP_G2_WAN"
		pause 1
	done
}

# The map, the tool and the kernel say the same
accounts_agree()
{
	local output
	output=$(g1 sed -n 's/^XfrmXdpOutput[[:space:]][[:space:]]*//p' /proc/net/xfrm_xdp_stat)
	(($(flows_pinned) == FLOWS)) &&
		[[ $(fast_path_json flows | jq -c '[length, (map(.packets) | add)]') == \
			"[$FLOWS,$output]" ]]
}

trap loaded_gateway_down EXIT
loaded_gateway_up

unlost 'nothing changes' "XfrmXdpLearned=$FLOWS" refused=0 -- pause 0
check 'map, tool and kernel agree on flows and packets' accounts_agree

peer_states
unlost 'states are replaced' 'XfrmXdpLookup>0' -- batch rekeys
unlost 'the policy is updated' 'XfrmXdpPassDst>0' 'XfrmXdpLearned>0' -- batch policies
unlost 'a policy blocks for a moment' 'refused>0' 'XfrmXdpPassDst>0' -- batch blocks
unlost 'the route is replaced' 'XfrmXdpPassDst>0' 'XfrmXdpLearned>0' -- batch routes
unlost 'the neighbour changes its state' -- batch neighbours
unlost 'an address comes and goes' 'XfrmXdpPassDst>0' -- batch addresses
unlost 'rules come and go' 'XfrmXdpPassAuth>0' 'XfrmXdpNoFilter>0' 'XfrmXdpLearned>0' -- rules
recovered
during 'queues are replaced' 'XfrmXdpPassAuth>0' 'XfrmXdpNoTc>0' -- \
	eval 'queues | g1 tc -batch -'
recovered
during 'links go down and up' 'XfrmXdpPassAuth>0' -- links
recovered

# That the clear text above would have been seen
ip -n "$NS_G1" xfrm policy delete "${block[@]}"
under_load pause 1
expect 'without the policy: in clear, and seen' 'clear>0' XfrmXdpOutput=0
g1 "$XDP_XFRM" unload lan0
g1 "$XDP_XFRM" stop
loaded_gateway_down
check 'no flow nor offer is left' nothing_alive
finish
