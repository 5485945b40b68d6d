# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2153,SC2154
# A third gateway: G1 is the hub between the hosts behind the other two. Sourced in the
# guest after ike.sh.
#
#    G1                         G3                     hostC
#   +----------------+         +----------------+     +------+
#   |           wan1 |=========| wan0      lan0 |-----| eth0 |
#   +----------------+   ESP   +----------------+     +------+
#         192.0.3.1           192.0.3.2   10.3.0.1    10.3.0.2
#
#   hub_up               its two namespaces, routes and forwarding; after topology_up
#   hub_charon_up        charon on all three: children lan and spoke on G1
#   hub_down             removes them

NS_G3=G3
NS_C=hostC
NET_C=10.3.0.0/$PREFIX
IP_C=10.3.0.2
IP_G1_HUB=192.0.3.1
IP_G3_WAN=192.0.3.2

hub_up()
{
	hub_down
	ip -batch - <<-EOF
		netns add $NS_G3
		netns add $NS_C
		link add wan1 netns $NS_G1 type veth peer name wan0 netns $NS_G3
		link add lan0 netns $NS_G3 type veth peer name eth0 netns $NS_C
	EOF
	settings "$NS_G3" net.ipv4.ip_forward=1
	settings "$NS_C"
	ip -n "$NS_G1" -batch - <<-EOF
		link set wan1 up
		addr add $IP_G1_HUB/$PREFIX dev wan1
		route add $NET_C via $IP_G3_WAN
	EOF
	ip -n "$NS_G2" route add "$NET_C" via "$IP_G1_WAN"
	ip -n "$NS_G3" -batch - <<-EOF
		link set lo up
		link set lan0 up
		link set wan0 up
		addr add 10.3.0.1/$PREFIX dev lan0
		addr add $IP_G3_WAN/$PREFIX dev wan0
		route add $NET_A via $IP_G1_HUB
		route add $NET_B via $IP_G1_HUB
	EOF
	ip -n "$NS_C" -batch - <<-EOF
		link set lo up
		link set eth0 up
		addr add $IP_C/$PREFIX dev eth0
		route add default via 10.3.0.1
	EOF
	# veth takes redirected frames only if the peer polls them with NAPI
	in_ns "$NS_G3" ethtool -K wan0 gro on
}

hub_charon_up()
{
	charon_up "$NS_G1" "$IP_G1_WAN" "$IP_G2_WAN" "$NET_A,$NET_C" "$NET_B"
	# its other end, beside the first
	conf swanctl.conf "$NS_G1" "$IP_G1_HUB" "$IP_G3_WAN" "$NET_A,$NET_B" "$NET_C" |
		sed -e 's/gateway {/hub {/' -e 's/lan {/spoke {/' >>"$run/$NS_G1/swanctl.conf"
	charon_up "$NS_G2" "$IP_G2_WAN" "$IP_G1_WAN" "$NET_B" "$NET_A,$NET_C"
	charon_up "$NS_G3" "$IP_G3_WAN" "$IP_G1_HUB" "$NET_C" "$NET_A,$NET_B"
}

hub_down()
{
	local ns
	for ns in "$NS_G3" "$NS_C"; do
		[[ ! -e /var/run/netns/$ns ]] || ip netns del "$ns"
	done
}
