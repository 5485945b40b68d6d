#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A state whose packets the network card is to encrypt: what the driver gets is in
# clear, and XDP would send ciphertext. netdevsim is the card; it does not encrypt.
# Generic XDP sends on any device, so the state alone keeps the flow out.
set -euo pipefail
cd "$(dirname "$0")"
. ./xdp_xfrm_lib.sh
. ./xdp_xfrm_tap_lib.sh

simulator=/sys/bus/netdevsim
state=(src "$IP_G1_WAN" dst "$IP_G2_WAN" proto esp spi "$SPI_OUT")

# card ID NS MAC: instead of the WAN device
card()
{
	local devices=$simulator/devices/netdevsim$1/net
	echo "$1 1" >$simulator/new_device
	eventually test -e "$devices"
	ip link set "$(ls "$devices")" name wan0 address "$3" netns "$2"
	in_ns "$2" ip link set wan0 up
}

cards_up()
{
	local near far
	ip -n "$NS_G1" link del wan0
	card 1 "$NS_G1" "$MAC_G1_WAN"
	card 2 "$NS_G2" "$MAC_G2_WAN"
	exec {near}<"/var/run/netns/$NS_G1" {far}<"/var/run/netns/$NS_G2"
	echo "$near:$(ifindex "$NS_G1") $far:$(ifindex "$NS_G2")" >$simulator/link_device
	exec {near}<&- {far}<&-
	g1 ip addr add "$IP_G1_WAN/$PREFIX" dev wan0
	g1 ip route add "$NET_B" via "$IP_G2_WAN"
	in_ns "$NS_G2" ip addr add "$IP_G2_WAN/$PREFIX" dev wan0
	in_ns "$NS_G2" ip route add "$NET_A" via "$IP_G1_WAN"
	g1 ip neigh replace "$IP_G2_WAN" lladdr "$MAC_G2_WAN" dev wan0 nud permanent
}

ifindex()
{
	ip -n "$1" -j link show wan0 | jq '.[].ifindex'
}

cleanup()
{
	local id
	set +e
	for id in 1 2; do
		[[ ! -e $simulator/devices/netdevsim$id ]] || echo $id >$simulator/del_device
	done
	gateway_down
	# came with the card's state; it would decrypt before the taps of others
	[[ ! -e /sys/module/esp4_offload ]] || eventually rmmod esp4_offload
}

# add_offloaded SPI BYTE
add_offloaded()
{
	g1 ip xfrm state add src "$IP_G1_WAN" dst "$IP_G2_WAN" proto esp spi "$1" reqid "$REQID" \
		mode tunnel aead 'rfc4106(gcm(aes))' "$(fixed_key 128 "$2")" 128 \
		offload dev wan0 dir out
}

# by_card N: the card was asked to encrypt so many packets
by_card()
{
	local stat=/sys/kernel/debug/netdevsim/netdevsim1/ports/0/ipsec
	mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug
	grep -q "tx=$1\$" $stat
}

if ! modprobe -q netdevsim || ! modprobe -q esp4_offload; then
	skip 'a state of the network card' 'needs CONFIG_NETDEVSIM and CONFIG_INET_ESP_OFFLOAD'
	finish
fi
trap cleanup EXIT
topology_up
cards_up
tunnel_up
wire_up
fast_path_up --skb-mode lan0

known_flow 1000
expect 'a card, but a state of software: learned' good=3 delivered=3

g1 ip xfrm state delete "${state[@]}"
add_offloaded "$SPI_OUT" a1
send 3 sport=1001 inner=unread
refused 'a state of the card' 'XfrmXdpNoState>0' esp=3 clear=0
check 'the card was to encrypt' by_card 3
send 3 sport=1000 inner=unread
refused 'the flow that was known: by the stack' 'XfrmXdpNoState>0' XfrmXdpLookup=0 esp=3 clear=0
check 'the card was to encrypt that, too' by_card 6

g1 ip xfrm state delete "${state[@]}"
ask state 0x2001 "$(fixed_key 128 c3)"
for ns in "$NS_G1" "$NS_G2"; do
	add_state "$ns" "$IP_G1_WAN" "$IP_G2_WAN" 0x2001 "$(fixed_key 128 c3)"
done
known_flow 1002
expect 'a state of software again: learned' good=3 spi=0x2001 delivered=3
finish
