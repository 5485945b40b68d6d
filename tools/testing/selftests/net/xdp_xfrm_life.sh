#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Flows do not keep what they refer to: devices, network namespaces and the
# program itself come and go with flows in the map. And the plain way of
# loading, by ip link.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh

object=${XDP_XFRM_DIR:-../../../../samples/bpf/xdp_xfrm}/xdp_xfrm.bpf.o

counter()
{
	g1 sed -n "s/^$1[[:space:]][[:space:]]*//p" /proc/net/xfrm_xdp_stat
}

more_by_xdp()
{
	(($(counter XfrmXdpOutput) > $1))
}

# Five flows, each used
five_flows()
{
	local port
	for port in {1001..1005}; do
		known_flow "$port"
	done
}

ended()
{
	! kill -0 "$1" 2>/dev/null
}

# A process that waits in unregister can't be killed: look at it from outside
removed()
{
	ip -n "$NS_G1" link del "$1" &
	eventually ended $!
}

gone()
{
	! ip -n "$1" link show "$2" >/dev/null 2>&1
}

flows_are()
{
	(($(fast_path_json flows | jq length) == $1))
}

pinned_flows_are()
{
	(($(bpftool -j map dump pinned /sys/fs/bpf/xdp/globals/xdp_xfrm_flows | jq length) == $1))
}

nothing_left()
{
	g1 "$XDP_XFRM" stop --all && [[ -z $(find /sys/fs/bpf -type f) ]]
}

quiet_log()
{
	! dmesg | grep -q 'waiting for .* to become free'
}

# The plain way
trap gateway_down EXIT
topology_up
tunnel_up
wire_up
g1 ip link set dev lan0 xdp obj "$object" sec xdp
send 5
expect 'ip link, nobody learns: all packets pass' XfrmXdpOffer=0 XfrmXdpOutput=0 good=5 \
	delivered=5
g1 ip link set dev lan0 xdp off
g1 "$XDP_XFRM" start
g1 ip link set dev lan0 xdp obj "$object" sec xdp
send 5
expect 'start, then ip link: by XDP' XfrmXdpLearned=1 XfrmXdpOutput=4 good=5 delivered=5
g1 "$XDP_XFRM" stop
send 5
expect 'stop: all packets pass' XfrmXdpOutput=0 good=5 delivered=5
g1 "$XDP_XFRM" start
g1 ip link set dev lan0 xdp off

# Under traffic; taps that nobody reads would keep pages of the pools that go
wire_down
nsenter "--net=/var/run/netns/$NS_A" -- ping -q -i 0.02 "$IP_B" >/dev/null &
ping=$!
for _ in 1 2 3; do
	before=$(counter XfrmXdpOutput)
	g1 "$XDP_XFRM" load lan0
	eventually more_by_xdp "$before" || complaints+=('nothing by XDP')
	g1 "$XDP_XFRM" stop
	g1 "$XDP_XFRM" start
	g1 "$XDP_XFRM" unload lan0
done
kill $ping
wait $ping || true
result 'start, load, stop, unload under traffic'
g1 "$XDP_XFRM" stop
wire_up
fast_path_up

# Devices. The taps hold copies of each first packet, which nobody has read.
five_flows
check 'five flows in the map' flows_are 5
check 'the transmitting device goes' removed wan0
check 'its flows are empty' test "$(counter XfrmXdpFlowDead)" = 5
send 3 sport=1001
expect 'an empty flow passes' XfrmXdpPassDead=1 XfrmXdpOutput=0
wire_down
fast_path_down
topology_up
tunnel_up
wire_up
fast_path_up
five_flows
check 'the receiving device goes' removed lan0

# The network namespace, and another with the same numbers of devices
wire_down
ip netns del "$NS_G1"
check 'the gateway goes with flows in the map' eventually gone "$NS_G2" wan0
check 'the map is still there' pinned_flows_are 5
topology_up
tunnel_up
wire_up
fast_path_up
send 3 sport=1001
expect 'its flows are empty for the next gateway' XfrmXdpPassDead=1 XfrmXdpLearned=1 \
	XfrmXdpOutput=2 good=3
check 'no device waits for its users' quiet_log

# With this module the stack encrypts after the queue, and G2 decrypts before
# the taps
wire_down
topology_down
modprobe esp4_offload
topology_up
tunnel_up
wire_up
fast_path_up
ask tcp 100000
expect 'the stack encrypts by esp4_offload: learned' 'XfrmXdpLearned>0' 'XfrmXdpOutput>10' \
	equal=1
wire_down
g1 "$XDP_XFRM" unload lan0
check 'stop leaves nothing behind' nothing_left
topology_down
WIRE_PID=''
eventually rmmod esp4_offload
finish
