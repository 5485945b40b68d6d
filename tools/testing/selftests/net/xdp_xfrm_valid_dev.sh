#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# As xdp_xfrm_valid.sh, for devices: their queues, XDP programs, hooks, addresses,
# features, names, masters, VLANs and network namespaces. Each time: a flow that XDP
# forwards, a change, and packets after it. None of them leaves but as the stack would now
# send it.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh
. ./xdp_xfrm_valid_lib.sh

other_mac=02:00:00:00:00:33
# a netns in which devices keep their index
elsewhere=elsewhere

# sysfs FILE VALUE, of lan0: ip mounts the sysfs of G1
sysfs()
{
	ip netns exec "$NS_G1" sh -c "echo $2 >/sys/class/net/lan0/$1"
}

# counter NS NAME
counter()
{
	in_ns "$1" sed -n "s/^$2[[:space:]]*//p" /proc/net/xfrm_xdp_stat
}

# passed: a packet of the flow came in by a device of another netns
passed()
{
	in_ns "$NS_A" ping -q -e 77 -c 1 -W 0.1 "$IP_B" >/dev/null || true
	(($(counter "$elsewhere" XfrmXdpPassDevice)))
}

cleanup()
{
	ip netns del "$elsewhere"
	gateway_down
}

gateway_up
ip netns add $elsewhere
trap cleanup EXIT
ip -n "$NS_A" neigh replace "$IP_G1_LAN" lladdr "$MAC_G1_LAN" dev eth0 nud permanent
g1 ip neigh replace "$IP_G2_WAN" lladdr "$MAC_G2_WAN" dev wan0 nud permanent

known
g1 tc qdisc replace dev wan0 root handle 1: fq
judged 'a queue that does not shape'
g1 tc qdisc change dev wan0 root handle 1: fq maxrate 1gbit
by_stack 'the same queue with a rate' 'XfrmXdpNoTc>0'
g1 tc qdisc replace dev wan0 root handle 2: fq_codel
known
g1 tc filter add dev wan0 parent 2: protocol ip prio 1 matchall classid 2:1
by_stack 'a filter of the queue' 'XfrmXdpNoTc>0'
g1 tc qdisc del dev wan0 root

known
ask change attach wan0 2
judged 'generic XDP on the transmitting device'
ask change detach wan0 2
judged 'and not any more'
ask change link wan0
judged 'an XDP program by a BPF link'
ask change update
judged 'another program in the link'
ask change unlink
judged 'the link gone'

rules 'table netdev t { chain c { type filter hook ingress device lan0 priority 0;
	policy drop; }; }'
nothing 'a chain at the receiving device' XfrmXdpPassAuth=1
rules ''
known
rules 'table netdev t { chain c { type filter hook egress device wan0 priority 0;
	ip protocol esp drop; }; }'
nothing 'a chain at the transmitting device' XfrmXdpPassAuth=1
# rules may ask for these
rules 'table ip t { chain c { type filter hook forward priority 0; policy drop;
	iifname "lan0" iifgroup 0 accept; }; }'
known
g1 ip link set lan0 group 5
nothing 'receiving device in another group' XfrmXdpPassAuth=1
g1 ip link set lan0 group 0
known
sysfs netdev_group 5
nothing 'the same by sysfs' XfrmXdpPassAuth=1
g1 ip link set lan0 group 0
known
g1 ip link set lan0 name lan9
nothing 'receiving device renamed' XfrmXdpPassAuth=1
g1 ip link set lan9 name lan0
rules ''

known
g1 ip link set lan0 address 02:00:00:01:00:77
nothing 'receiving device with another MAC address' XfrmXdpPassAuth=1
g1 ip link set lan0 address "$MAC_G1_LAN"
known
ip -n "$NS_G1" -batch - <<-EOF
	link set wan0 address 02:00:00:00:00:77
	neigh replace $IP_G2_WAN lladdr $MAC_G2_WAN dev wan0 nud permanent
EOF
flow+=(outer=any)
judged 'transmitting device with another MAC address' smac=02:00:00:00:00:77
flow=(sport=1000)
ip -n "$NS_G1" -batch - <<-EOF
	link set wan0 address $MAC_G1_WAN
	neigh replace $IP_G2_WAN lladdr $MAC_G2_WAN dev wan0 nud permanent
EOF
judged 'with its own' smac="$MAC_G1_WAN"
g1 ethtool -K wan0 tso off
judged 'other features'
sysfs queues/rx-0/rps_cpus 1
by_stack 'RPS, packets may wait for another CPU' 'XfrmXdpNoDevice>0'
sysfs queues/rx-0/rps_cpus 0
known
sysfs queues/rx-0/rps_flow_cnt 64
by_stack 'RFS' 'XfrmXdpNoDevice>0'
sysfs queues/rx-0/rps_flow_cnt 0
known
in_ns "$NS_G2" ethtool -K wan0 gro off
by_stack 'a device that does not send for XDP any more' 'XfrmXdpNoDevice>0'
in_ns "$NS_G2" ethtool -K wan0 gro on

known
ip -n "$NS_G1" -batch - <<-EOF
	link add br0 type bridge
	link set lan0 master br0
EOF
nothing 'a bridge that is down has taken the receiving device' XfrmXdpPassAuth=1
ip -n "$NS_G1" -batch - <<-EOF
	link del br0
	link add vrf0 type vrf table 10
	link set vrf0 up
EOF
known
g1 ip link set lan0 master vrf0
by_stack 'a VRF has'
g1 ip link del vrf0

ip -n "$NS_G1" -batch - <<-EOF
	link add link lan0 name lan0.100 type vlan id 100
	link add link wan0 name wan0.200 type vlan id 200 egress-qos-map 0:3
	link set lan0.100 up
	link set wan0.200 up
	neigh replace $IP_G2_WAN lladdr $other_mac dev wan0.200 nud permanent
	route add $IP_G2_WAN dev wan0.200
EOF
flow=(sport=1010 vlan=100)
known
expect 'over VLANs: learned' vlan=0x60c8
ask change egress wan0.200 0 5
judged 'another priority, by ioctl' vlan=0xa0c8
ask change reorder lan0.100 0
by_stack 'a VLAN device that does not strip its tag, by ioctl' XfrmXdpLearned=0
ask change reorder lan0.100 1
known
ask change link lan0.100
by_stack 'generic XDP on a VLAN device, by a BPF link' XfrmXdpLearned=0
ask change unlink
known
expect 'and not any more: learned'
ip -n "$NS_G1" -batch - <<-EOF
	link del lan0.100
	link del wan0.200
EOF

flow=(sport=1000)
known
ip -n "$NS_G2" link set wan0 down
nothing 'carrier lost'
ip -n "$NS_G2" link set wan0 up
known
g1 ip link set wan0 netns $elsewhere
nothing 'transmitting device in another netns'
ip -n $elsewhere link set wan0 netns "$NS_G1"
ip -n "$NS_G1" -batch - <<-EOF
	link set wan0 up
	addr add $IP_G1_WAN/$PREFIX dev wan0
	neigh replace $IP_G2_WAN lladdr $MAC_G2_WAN dev wan0 nud permanent
	route replace $NET_B via $IP_G2_WAN
EOF
known_flow 77 proto=icmp
wire_down
WIRE_PID=''
output=$(counter "$NS_G1" XfrmXdpOutput)
g1 ip link set lan0 netns $elsewhere
ip -n $elsewhere link set lan0 up
check 'receiving device in another netns: its packets pass' eventually passed
check 'and none is sent by XDP' test "$(counter "$NS_G1" XfrmXdpOutput)" = "$output"
finish
