#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Copies of a packet, and packets sent elsewhere, go where the stack sends them;
# neither they nor the packet itself are learned, and never the wrong device.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh

span_ip=198.51.100.1
span_hop=198.51.100.2
# nobody's: G2 shall not take the copies for its own
span_mac=02:00:00:00:00:44

# filter DEV DIRECTION ACTION...
filter()
{
	g1 tc qdisc replace dev "$1" clsact
	g1 tc filter add dev "$1" "$2" matchall action "${@:3}"
}

# netdev DEV DIRECTION RULE
netdev()
{
	rules "table netdev t { chain c { type filter hook $2 device $1 priority 0; $3; }; }"
}

# wan_to DEV: the address of the WAN side, and what belongs to it
wan_to()
{
	g1 ip addr flush dev wan0
	g1 ip link set "$1" address "$MAC_G1_WAN" up
	g1 ip addr add "$IP_G1_WAN/$PREFIX" dev "$1"
	g1 ip neigh replace "$IP_G2_WAN" lladdr "$MAC_G2_WAN" dev "$1" nud permanent
	g1 ip route replace "$NET_B" via "$IP_G2_WAN"
}

gateway_up
ip link add span0 netns "$NS_G1" type veth peer name span0 netns "$NS_G2"
in_ns "$NS_G2" ip link set span0 up
g1 ip link set span0 up
g1 ip addr add $span_ip/24 dev span0
g1 ip neigh replace $span_hop lladdr $span_mac dev span0 nud permanent
g1 ip neigh replace "$IP_G2_WAN" lladdr "$MAC_G2_WAN" dev wan0 nud permanent
ask tap span "$NS_G2/span0" "$NS_G1/span0"

known_flow 1000
expect 'no copies: learned' span_esp=0 span_clear=0

port=1010
for hook in prerouting forward; do
	chain $hook "ip protocol udp dup to $span_hop device span0"
	send 3 sport=$((++port))
	refused "duplicated in ${hook^^}" good=3 delivered=3 span_clear=3 span_esp=0
done
for hook in output postrouting; do
	chain $hook "ip protocol esp dup to $span_hop device span0"
	send 3 sport=$((++port))
	refused "its ESP packet duplicated in ${hook^^}" good=3 delivered=3 span_esp=3 span_clear=0
done
netdev lan0 ingress 'dup to span0'
send 3 sport=$((++port))
refused 'duplicated by a chain of the receiving device' 'XfrmXdpNoTc>0' good=3 delivered=3 \
	span_clear=3 span_esp=0
# ESP only: for frames of a packet socket this chain may be preempted, and dup must not
netdev wan0 egress 'ip protocol esp dup to span0'
send 3 sport=$((++port))
refused 'duplicated by a chain of the transmitting device' 'XfrmXdpNoTc>0' good=3 delivered=3 \
	span_esp=3 span_clear=0
netdev wan0 egress 'ip protocol esp fwd to span0'
send 3 sport=$((++port))
refused 'sent elsewhere by a chain of the transmitting device' 'XfrmXdpNoTc>0' esp=0 \
	span_esp=3 span_clear=0
rules ''

filter lan0 ingress mirred egress mirror dev span0
send 3 sport=$((++port))
refused 'mirrored on the way in' 'XfrmXdpNoTc>0' good=3 delivered=3 span_clear=3 span_esp=0
g1 tc qdisc del dev lan0 clsact
filter wan0 egress mirred egress mirror dev span0
send 3 sport=$((++port))
refused 'mirrored on the way out' 'XfrmXdpNoTc>0' good=3 delivered=3 span_esp=3 span_clear=0
g1 tc qdisc del dev wan0 clsact
filter wan0 egress mirred egress redirect dev span0
send 3 sport=$((++port))
refused 'redirected on the way out' 'XfrmXdpNoTc>0' esp=0 span_esp=3 span_clear=0
g1 tc qdisc del dev wan0 clsact
filter lan0 ingress mirred egress redirect dev span0
send 3 sport=$((++port))
expect 'redirected on the way in' XfrmXdpLearned=0 XfrmXdpOutput=0 esp=0 span_esp=0 span_clear=3
g1 tc qdisc del dev lan0 clsact
# a copy that comes in on another device is forwarded, too
g1 ip link add dummy0 type dummy
g1 ip link set dummy0 address "$MAC_G1_LAN" up
filter lan0 ingress mirred ingress mirror dev dummy0
send 3 sport=$((++port)) inner=any
expect 'received twice' XfrmXdpLearned=0 XfrmXdpOutput=0 esp=6 good=6 delivered=6
g1 tc qdisc del dev lan0 clsact
g1 ip link del dummy0
known_flow $((++port))
expect 'no copies any more: learned' span_esp=0 span_clear=0

# Two ports that both get each frame
# shellcheck disable=SC2317  # by eventually
up()
{
	[[ $(g1 ip -j link show "$1" | jq -r '.[].operstate') == UP ]]
}

g1 ip addr flush dev span0
for upper in 'bond mode broadcast' 'bridge ageing_time 0'; do
	read -ra type <<<"$upper"
	g1 ip link add upper0 type "${type[@]}"
	for dev in wan0 span0; do
		g1 ip link set $dev down
		g1 ip link set $dev master upper0
		g1 ip link set $dev up
	done
	wan_to upper0
	# a bridge sends on a port when it has heard that it is up
	eventually up wan0
	eventually up span0
	send 3 sport=$((++port))
	refused "sent on all ports: $upper" 'XfrmXdpNoDevice>0' good=3 delivered=3 span_esp=3 \
		span_clear=0
	g1 ip link del upper0
done
for dev in wan0 span0; do
	g1 ip link set $dev up
done
wan_to wan0
known_flow $((++port))
expect 'the port alone again: learned' span_esp=0 span_clear=0
finish
