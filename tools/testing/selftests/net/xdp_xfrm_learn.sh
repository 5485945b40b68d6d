#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What is not really forwarded is not learned, nor what the stack might treat
# differently the next time. Each time three packets of one flow: XDP offers the
# first, and the others if a second has passed since.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh

# refused NAME WANTED...
refused()
{
	local name=$1
	shift
	expect "$name" 'XfrmXdpOffer>0' XfrmXdpLearned=0 XfrmXdpOutput=0 "$@"
}

# starve PERCENT: allocations of offers fail
starve()
{
	local fail=/sys/kernel/debug/failslab
	mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug
	[[ -d $fail ]] || return
	echo "$1" >"$fail/probability"
	echo -1 >"$fail/times"
	echo 0 >"$fail/verbose"
	echo Y >"$fail/cache-filter"
	echo 1 >/sys/kernel/slab/xfrm_xdp_offer/failslab
}

gateway_up

send 3
expect 'forwarded as it came: learned' XfrmXdpOffer=1 XfrmXdpLearned=1 XfrmXdpOutput=2 good=3

send 3 sport=1001 dst="$IP_G1_LAN"
refused 'for the gateway itself' esp=0 clear=0 icmp=3/3
send 20 sport=1030 dst="$IP_G1_LAN"
expect 'refused, and not offered with each packet' 'XfrmXdpOffer<10' 'XfrmXdpHeld>10' \
	XfrmXdpLearned=0 XfrmXdpOutput=0
sleep 1.1
send 1 sport=1030 dst="$IP_G1_LAN"
expect 'but after a second' XfrmXdpOffer=1 XfrmXdpHeld=0
send 3 sport=1001 dst="$IP_G2_WAN"
refused 'a route without policy' 'XfrmXdpNoPlain>0' esp=0 clear=3
send 3 sport=1002 ttl=1
refused 'TTL 1' esp=0 icmp=11/0
send 3 sport=1003 size=1500
refused 'longer than the MTU' esp=0 icmp=3/4
send 3 sport=1004 size=1500 df=0
refused 'longer than the MTU, without DF' esp=6 good=3 delivered=3
send 3 sport=1005 size=1000 fragment=1 df=0
expect 'fragments' XfrmXdpOffer=0 XfrmXdpLearned=0 XfrmXdpOutput=0 esp=6 delivered=3
send 3 sport=1006 options=4
expect 'IP options' XfrmXdpOffer=0 XfrmXdpLearned=0 XfrmXdpOutput=0 esp=3 delivered=3
send 3 sport=1007 dmac=02:00:00:01:00:77
expect "another's MAC address" XfrmXdpOffer=0 XfrmXdpLearned=0 XfrmXdpOutput=0 esp=0 clear=0

chain forward 'udp dport 2000 drop'
send 3 sport=1010
refused 'dropped in FORWARD' esp=0 clear=0
chain postrouting "ip daddr $IP_B drop"
send 3 sport=1011
refused 'dropped in POSTROUTING' esp=0 clear=0
chain output 'ip protocol esp drop'
send 3 sport=1012
refused 'its ESP packet dropped in OUTPUT' esp=0 clear=0
chain postrouting 'ip protocol esp drop'
send 3 sport=1013
refused 'its ESP packet dropped in POSTROUTING' esp=0 clear=0
chain forward 'limit rate 1000/second accept'
send 3 sport=1014
refused 'accepted by a rule that counts packets' 'XfrmXdpNoFilter>0' good=3 delivered=3
chain forward 'ip dscp set cs1'
send 3 sport=1015 inner=any
refused 'another DSCP by a rule' 'XfrmXdpNoFilter>0' esp=3 delivered=3
nat postrouting "ip saddr $IP_A masquerade"
send 3 sport=1016
refused 'masqueraded, and then without policy' esp=0
in_clear 3
nat postrouting "ip saddr $IP_A snat to 10.1.0.77"
send 3 sport=1017 inner=any
refused 'SNAT to an address with the same policy' 'XfrmXdpNoClear>0' esp=3
nat prerouting "ip daddr 10.2.0.9 dnat to $IP_B"
send 3 sport=1018 dst=10.2.0.9 inner=any
refused 'DNAT' 'XfrmXdpNoClear>0' esp=3 delivered=3
rules ''

g1 tc qdisc add dev wan0 clsact
g1 tc filter add dev wan0 egress matchall action drop
send 3 sport=1020
refused 'dropped by tc on the way out' esp=0
g1 tc filter replace dev wan0 egress prio 1 matchall action pass
g1 tc filter del dev wan0 egress
g1 tc filter add dev wan0 egress matchall action pass
send 3 sport=1021
refused 'passed by tc on the way out' 'XfrmXdpNoTc>0' good=3 delivered=3
g1 tc qdisc del dev wan0 clsact
g1 tc qdisc add dev lan0 clsact
g1 tc filter add dev lan0 ingress matchall action pass
send 3 sport=1022
refused 'passed by tc on the way in' 'XfrmXdpNoTc>0' good=3 delivered=3
g1 tc qdisc del dev lan0 clsact
g1 tc qdisc add dev wan0 root tbf rate 1gbit burst 1mb limit 10mb
send 3 sport=1023 arrive=3
refused 'a queue that shapes' 'XfrmXdpNoTc>0' good=3 delivered=3
g1 tc qdisc del dev wan0 root
rules 'table netdev t { chain c { type filter hook ingress device lan0 priority 0; accept; }; }'
send 3 sport=1024
refused 'a chain of the receiving device' 'XfrmXdpNoTc>0' good=3 delivered=3
rules ''

# A record is good for the device it was made on only. The frames come in on
# lan0, and then once more on dummy0.
g1 ip link add dummy0 type dummy
g1 ip link set dummy0 address "$MAC_G1_LAN" up
g1 tc qdisc add dev lan0 clsact
g1 tc filter add dev lan0 ingress matchall action mirred ingress redirect dev dummy0
send 3 sport=1025
expect 'the record of another device' 'XfrmXdpNoRecord>0' XfrmXdpOffer=0 XfrmXdpLearned=0 \
	XfrmXdpOutput=0 good=3 delivered=3
g1 tc qdisc del dev lan0 clsact
g1 ip link del dummy0

g1 ip xfrm state delete src "$IP_G1_WAN" dst "$IP_G2_WAN" proto esp spi "$SPI_OUT"
g1 ip xfrm state add src "$IP_G1_WAN" dst "$IP_G2_WAN" proto esp spi "$SPI_OUT" \
	reqid "$REQID" mode tunnel aead 'rfc4106(gcm(aes))' "$(fixed_key 128 a1)" 128 \
	encap espinudp 4500 4500 0.0.0.0
send 3 sport=1026
refused 'a state that XDP does not do: ESP in UDP' 'XfrmXdpNoState>0' esp=0
g1 ip xfrm state delete src "$IP_G1_WAN" dst "$IP_G2_WAN" proto esp spi "$SPI_OUT"
add_state "$NS_G1" "$IP_G1_WAN" "$IP_G2_WAN" "$SPI_OUT" "$(fixed_key 128 a1)"

if starve 100; then
	send 3 sport=1027
	expect 'no memory for an offer' 'XfrmXdpNoMemory>0' XfrmXdpOffer=0 XfrmXdpLearned=0 good=3
	starve 0
else
	skip 'no memory for an offer' 'needs CONFIG_FAILSLAB'
fi

send 3 sport=1023
expect 'with all of that gone: learned' XfrmXdpOffer=1 XfrmXdpLearned=1 XfrmXdpOutput=2 good=3
finish
