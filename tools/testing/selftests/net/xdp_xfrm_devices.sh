#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A device in the way decides for itself: bridge, bond, macvlan and VRF where
# packets come in, macvlan, tunnel and bond where they leave. The stack forwards as
# ever, and XDP neither skips the device nor what is attached to it.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh

other_mac=02:00:00:01:00:66
port=1000

# lan_to DEV [MAC]: the address of the LAN side
lan_to()
{
	g1 ip addr flush dev lan0
	g1 ip link set "$1" address "${2-$MAC_G1_LAN}" up
	g1 ip addr add "$IP_G1_LAN/$PREFIX" dev "$1"
}

# wan_to DEV: the address of the WAN side, and what belongs to it
wan_to()
{
	g1 ip addr flush dev wan0
	g1 ip link set "$1" up
	g1 ip addr add "$IP_G1_WAN/$PREFIX" dev "$1"
	g1 ip neigh replace "$IP_G2_WAN" lladdr "$MAC_G2_WAN" dev "$1" nud permanent
	g1 ip route replace "$NET_B" via "$IP_G2_WAN"
}

# enslave DEV: to upper0; a bond wants it down
enslave()
{
	g1 ip link set "$1" down
	g1 ip link set "$1" master upper0
	g1 ip link set "$1" up
}

# toward DEV MAC: the way to G2
toward()
{
	g1 ip link set "$1" up
	g1 ip neigh replace "$IP_G2_WAN" lladdr "$2" dev "$1" nud permanent
	g1 ip route add "$IP_G2_WAN" dev "$1"
}

# control NAME: without anything in the way flows are learned
control()
{
	known_flow $((++port))
	expect "$1: learned" good=3 delivered=3
}

gateway_up
g1 ip neigh replace "$IP_G2_WAN" lladdr "$MAC_G2_WAN" dev wan0 nud permanent
control 'nothing in the way'

for upper in bridge 'bond mode active-backup'; do
	read -ra type <<<"$upper"
	g1 ip link add upper0 type "${type[@]}"
	enslave lan0
	lan_to upper0
	send 3 sport=$((++port))
	# XDP runs on the port, the stack receives on the upper device
	expect "in by a port: $upper" 'XfrmXdpNoRecord>0' XfrmXdpOffer=0 XfrmXdpLearned=0 \
		XfrmXdpOutput=0 good=3 delivered=3
	g1 ip link del upper0
	lan_to lan0
done
g1 ip link add upper0 link lan0 type macvlan mode bridge
g1 ip link set upper0 up
send 3 sport=$((++port))
refused 'in by a device with a macvlan, for the device' 'XfrmXdpNoDevice>0' good=3 delivered=3
lan_to upper0 $other_mac
send 3 sport=$((++port)) dmac=$other_mac
expect 'in by a macvlan' 'XfrmXdpNoRecord>0' XfrmXdpOffer=0 XfrmXdpLearned=0 XfrmXdpOutput=0 \
	good=3 delivered=3
g1 ip link del upper0
lan_to lan0
g1 ip link add upper0 type vrf table 10
g1 ip link set upper0 up
g1 ip link set lan0 master upper0
g1 ip route replace "$NET_B" via "$IP_G2_WAN" dev wan0 table 10 onlink
send 3 sport=$((++port))
refused 'in by a device of a VRF' 'XfrmXdpNoPacket>0' good=3 delivered=3
g1 ip link del upper0
control 'in by the device alone again'

g1 ip link add upper0 link wan0 type macvlan mode bridge
wan_to upper0
send 3 sport=$((++port)) outer=any
refused 'out by a macvlan' 'XfrmXdpNoDevice>0' good=3 delivered=3
g1 ip link del upper0
wan_to wan0
# ESP in GRE, ESP in IPIP: no such frame is made by XDP
in_ns "$NS_G2" ip addr add 203.0.113.2/24 dev wan0
g1 ip addr add 203.0.113.1/24 dev wan0
for tunnel in gre ipip; do
	g1 ip link add upper0 type $tunnel local 203.0.113.1 remote 203.0.113.2
	in_ns "$NS_G2" ip link add upper0 type $tunnel local 203.0.113.2 remote 203.0.113.1
	g1 ip link set upper0 up
	in_ns "$NS_G2" ip link set upper0 up
	g1 ip route add "$IP_G2_WAN" dev upper0
	send 3 sport=$((++port)) deliver=3
	refused "out by a tunnel, $tunnel" esp=0 clear=0 delivered=3
	g1 ip link del upper0
	in_ns "$NS_G2" ip link del upper0
done
control 'out by the device alone again'

# A filter of the tap has the last word
nsenter "--net=/var/run/netns/$NS_G1" -- python3 -S xdp_xfrm_tuntap.py tap0 &
tap_pid=$!
trap 'kill "$tap_pid"; gateway_down' EXIT
eventually g1 ip link show dev tap0 >/dev/null 2>&1
toward tap0 "$MAC_G2_WAN"
send 3 sport=$((++port))
refused 'out by a tap' 'XfrmXdpNoDevice>0' esp=0 clear=0
g1 ip route del "$IP_G2_WAN"
control 'out by the device alone again'

# Generic XDP may send by any device, but has no route for those that ask for it
fast_path_down
fast_path_up --skb-mode lan0
control 'generic XDP'
tunnel=(gretap key 1)
g1 ip link add upper0 type "${tunnel[@]}" local 203.0.113.1 remote 203.0.113.2
in_ns "$NS_G2" ip link add upper0 address $other_mac type "${tunnel[@]}" \
	local 203.0.113.2 remote 203.0.113.1
in_ns "$NS_G2" ip link set upper0 up
toward upper0 $other_mac
# with the first packet the tunnel tells its route of the MTU, which ends the bundle
send 1 sport=$((++port)) deliver=1
send 3 sport=$((++port)) deliver=3
refused 'generic XDP, out by a tunnel, gretap' 'XfrmXdpNoDevice>0' esp=0 clear=0 delivered=3
g1 ip link del upper0
in_ns "$NS_G2" ip link del upper0
fast_path_down
fast_path_up
control 'native XDP again'

# A bond chooses its port, and the port has rules and queues of its own. The mode is
# one in which a bond sends for XDP.
g1 ip link add upper0 type bond mode active-backup
enslave wan0
wan_to upper0
send 3 sport=$((++port))
refused 'out by a bond' 'XfrmXdpNoDevice>0' good=3 delivered=3
g1 tc qdisc add dev wan0 clsact
g1 tc filter add dev wan0 egress matchall action drop
send 3 sport=$port
expect 'the same flow, dropped on a port of the bond' XfrmXdpLearned=0 XfrmXdpOutput=0 \
	esp=0 clear=0
g1 tc qdisc del dev wan0 clsact
g1 tc qdisc replace dev wan0 root fq limit 0
send 3 sport=$((++port))
refused 'dropped by the queue of a port' esp=0 clear=0
g1 ip link del upper0
g1 tc qdisc del dev wan0 root
g1 ip link set wan0 up
wan_to wan0
control 'out by the port alone again'
finish
