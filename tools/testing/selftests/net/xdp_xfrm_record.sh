#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A record is good for the packet and the device it was made for only: not in the
# next namespace, not for what a tunnel carried, not if somebody forged it or
# if it was left in memory.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh

programs=/sys/fs/bpf/xdp_xfrm_meta
port=1000

g2()
{
	in_ns "$NS_G2" "$@"
}

cleanup()
{
	set +e
	g2 "$XDP_XFRM" stop >/dev/null 2>&1
	rm -f "$programs"_*
	gateway_down
}

# tunnel TYPE OPTION...: A sends in it to G1
tunnel()
{
	g1 ip link add tunnel0 type "$@"
	g1 ip link set tunnel0 up
}

# program g1|g2 DEV NAME: instead of what is there
program()
{
	"$1" ip -force link set dev "$2" xdpdrv pinned "${programs}_$3"
}

gateway_up
trap cleanup EXIT
python3 -S xdp_xfrm_meta.py "${programs}_pass" 0
python3 -S xdp_xfrm_meta.py "${programs}_stale" 64
python3 -S xdp_xfrm_meta.py "${programs}_none" 64 0
known_flow 1000
expect 'a record of its own: learned'

# Each packet a flow of its own: one whose flow was refused has no record for a while.
# G1 only bridges: the packet, and the record with it, gets to the stack of G2.
# It is in clear, so G2 drops it.
g1 ip link add br0 type bridge
g1 ip link set br0 up
g1 ip link set lan0 master br0
g1 ip link set wan0 master br0
g2 "$XDP_XFRM" start
send 3 sport=1100 step=1 dmac="$MAC_G2_WAN"
expect 'in the next namespace, which learns' XfrmXdpOffer=0 clear=3 peer_XfrmXdpNoRecord=3 \
	peer_XfrmXdpOffer=0 peer_XfrmXdpLearned=0 delivered=0
program g2 wan0 pass
send 3 sport=1110 step=1 dmac="$MAC_G2_WAN"
expect 'the same behind an XDP program there' XfrmXdpOffer=0 clear=3 peer_XfrmXdpOffer=0 \
	peer_XfrmXdpLearned=0 delivered=0
g2 ip link set wan0 xdp off
g2 "$XDP_XFRM" stop
send 3 sport=1120 step=1 dmac="$MAC_G2_WAN"
expect 'in a namespace that does not learn' XfrmXdpOffer=0 clear=3 peer_XfrmXdpNoRecord=3 \
	peer_XfrmXdpOffer=0 peer_XfrmXdpLearned=0 delivered=0
g1 ip link del br0

# What comes out of a tunnel has no record, whether its packet had one or not
for type in gre ipip; do
	tunnel $type local "$IP_G1_LAN" remote "$IP_A"
	send 3 sport=$((++port)) in=$type arrive=3
	expect "carried by ${type^^}" XfrmXdpOffer=0 XfrmXdpNoRecord=0 XfrmXdpLearned=0 \
		XfrmXdpOutput=0 good=3 delivered=3
	g1 ip link del tunnel0
done
tunnel geneve id 7 remote "$IP_A"
g1 ip link set tunnel0 address "$MAC_G1_LAN"
send 3 sport=$((++port)) in=geneve arrive=3
refused 'carried by Geneve, whose packets have a record' XfrmXdpNoRecord=0 good=3 delivered=3
forge=$(g1 ip -j link show tunnel0 | jq '.[].ifindex')
send 3 sport=$((++port)) in=geneve forge="$forge" arrive=3
expect 'the same with another one among the options' XfrmXdpNoRecord=0 XfrmXdpLearned=0 \
	XfrmXdpOutput=0 good=3 delivered=3
# Metadata of another kind is left alone, and now the options lie where that of
# the packet inside is looked for
program g1 lan0 none
send 3 sport=$((++port)) in=geneve arrive=3
expect 'metadata that is no record' XfrmXdpNoRecord=0 XfrmXdpOffer=0 XfrmXdpLearned=0 \
	XfrmXdpOutput=0 good=3 delivered=3
send 3 sport=$((++port)) in=geneve forge="$forge" arrive=3
expect 'a record from a remote host' XfrmXdpNoRecord=3 XfrmXdpOffer=0 XfrmXdpLearned=0 \
	XfrmXdpOutput=0 good=3 delivered=3
g1 ip link del tunnel0

g1 ip link set lan0 xdp off
g1 "$XDP_XFRM" load lan0
send 60 sport=2000 step=1
expect 'records in memory' XfrmXdpOffer=60
send 60 sport=2000 step=1 options=4
expect 'packets without a record in the same memory' XfrmXdpOffer=0 XfrmXdpNoRecord=0 \
	XfrmXdpLearned=0 XfrmXdpOutput=0 good=60
# A page pool begins with 64 pages, of some five packets each, before one comes again
send 600 sport=3000 step=1
expect 'records in all memory of the device' XfrmXdpOffer=600
program g1 lan0 stale
send 60 sport=3000 step=1
expect 'records of other packets' 'XfrmXdpNoRecord>0' XfrmXdpOffer=0 XfrmXdpLearned=0 \
	XfrmXdpOutput=0 good=60
g1 ip link set lan0 xdp off
g1 "$XDP_XFRM" load lan0
known_flow $((++port))
expect 'a record of its own again: learned'
finish
