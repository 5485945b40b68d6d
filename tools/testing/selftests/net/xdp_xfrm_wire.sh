#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What the fast path puts on the wire, byte by byte. xdp_xfrm_esp.py decrypts
# and judges every frame; the stack's frames are the measure.
#
#   1. frames of every size by the stack alone, noted
#   2. the same with the fast path: the same bytes but for sequence, IV and id
#   3. sequence numbers without gap over both
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh

# Outer IPv4 header, ESP header, IV, ICV; pad length and next header; and the
# padding that brings them to 4 bytes: 54 of 1500 bytes.
mtu=1446
largest=$((14 + mtu))

trap gateway_down EXIT
topology_up
tunnel_up
wire_up

ask sizes 42 $largest 1
stack=${got[esp]}
expect 'fast path off: every size by the stack' XfrmXdpOutput=0 XfrmXdpOffer=0 bad=0 "esp>1500"
ask note sizes

fast_path_up
send 10 sport=3000
expect 'the first packet by the stack, nine by XDP' XfrmXdpOffer=1 XfrmXdpLearned=1 \
	XfrmXdpOutput=9 esp=10 good=10 delivered=10
ask sizes 42 $largest 1
expect 'every size from 42 bytes to the MTU by XDP' "XfrmXdpOutput=$((largest - 41))" \
	"esp=$stack" "good=$stack" "delivered=$stack"
ask same sizes
expect 'the same bytes as by the stack' same=1 "frames=$stack"
ask sequence "$SPI_OUT"
expect 'one sequence and one salt over stack and XDP' bad=0 "last=$((2 * stack + 10))"

send 3 sport=3000 size=$((largest + 1))
expect 'one byte more than the MTU: ICMP by the stack' XfrmXdpOutput=0 XfrmXdpPassMtu=3 \
	esp=0 icmp=3/4
send 3 sport=3000 size=$((largest + 1)) df=0
expect 'the same without DF: fragments by the stack' XfrmXdpOutput=0 XfrmXdpPassMtu=3 \
	esp=6 good=3 delivered=3
send 4 sport=3001 df=0
expect 'DF is copied: not set' XfrmXdpOutput=3 esp=4 good=4 delivered=4
for tos in 1 2 3 184 187; do
	send 4 sport=3002 tos=$tos
	expect "DSCP and ECN of TOS $tos" 'XfrmXdpOutput>2' esp=4 good=4 delivered=4
done
send 4 sport=3003 size=50 pad=10
expect 'padding of the link layer is not encrypted' XfrmXdpOutput=3 good=4 delivered=4
send 4 sport=3004 csum=0
expect 'UDP without checksum' XfrmXdpOutput=3 good=4 delivered=4
send 4 proto=icmp
expect 'ICMP echo' XfrmXdpOutput=3 good=4
send 3 proto=icmp kind=13
expect 'ICMP of another type is passed without a record' XfrmXdpOutput=0 XfrmXdpOffer=0 good=3
send 4 sport=3000 ttl=2
expect 'TTL 2 leaves with TTL 1' XfrmXdpOutput=4 good=4
send 3 sport=3000 ttl=1
expect 'TTL 1: ICMP by the stack' XfrmXdpOutput=0 XfrmXdpPassTtl=3 esp=0 icmp=11/0
send 3 sport=3000 dmac=02:00:00:01:00:77
expect "another's MAC address" XfrmXdpOutput=0 XfrmXdpPassMac=3 esp=0 clear=0
send 10 sport=3005 by=socket
expect 'UDP of a socket, its checksum unfinished' XfrmXdpLearned=1 XfrmXdpOutput=9 good=10 \
	delivered=10
ask tcp 200000
expect 'TCP of a socket' 'XfrmXdpOutput>20' equal=1 bad=0
ask sequence "$SPI_OUT"
expect 'one sequence and one salt over all of it' bad=0

fast_path_down
fast_path_up --skb-mode lan0
ask sizes 60 76 1
expect 'generic XDP: each size of a cipher block' XfrmXdpLearned=1 XfrmXdpOutput=16 esp=18 \
	good=18 delivered=18
send 10 sport=3006 by=socket
expect 'generic XDP: UDP of a socket' XfrmXdpLearned=1 XfrmXdpOutput=9 good=10
ask sizes $((largest - 16)) $largest 1
expect 'generic XDP: up to the MTU' XfrmXdpOutput=17 good=18 delivered=18
ask sequence "$SPI_OUT"
expect 'generic XDP: the same sequence' bad=0
finish
