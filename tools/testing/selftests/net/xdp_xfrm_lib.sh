# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The topology of the IPsec gateway that forwards in XDP; sourced by tests.
#
#    hostA          gateway G1 (fast path)     gateway G2 (stack)         hostB
#   +------+        +----------------+          +----------------+       +------+
#   | eth0 |--------| lan0      wan0 |==========| wan0      lan0 |-------| eth0 |
#   +------+        +----------------+   ESP    +----------------+       +------+
#   10.1.0.2        10.1.0.1  192.0.2.1      192.0.2.2    10.2.0.1      10.2.0.2
#
#   topology_up           the four namespaces, routes and forwarding
#   topology_down         removes them; safe to call at any time
#   tunnel_up [128|256]   states with fixed keys and policies on both gateways
#   tunnel_down           removes all states and policies of both gateways
#   fast_path_up [DEV]... start the fast path on G1, load it on DEV (lan0)
#   fast_path_down        unload and stop it
#   fast_path_json WHAT   its stats or flows, as JSON
#   in_ns NS COMMAND...   run COMMAND in a namespace

NS_A=${NS_A:-hostA}
NS_G1=${NS_G1:-G1}
NS_G2=${NS_G2:-G2}
NS_B=${NS_B:-hostB}
PREFIX=24
NET_A=${NET_A:-10.1.0.0/$PREFIX}
NET_B=${NET_B:-10.2.0.0/$PREFIX}
IP_A=${IP_A:-10.1.0.2}
IP_G1_LAN=${IP_G1_LAN:-10.1.0.1}
IP_G1_WAN=${IP_G1_WAN:-192.0.2.1}
IP_G2_WAN=${IP_G2_WAN:-192.0.2.2}
IP_G2_LAN=${IP_G2_LAN:-10.2.0.1}
IP_B=${IP_B:-10.2.0.2}
MAC_A=02:00:00:01:00:02
MAC_G1_LAN=02:00:00:01:00:01
MAC_G1_WAN=02:00:00:00:00:01
MAC_G2_WAN=02:00:00:00:00:02
MAC_G2_LAN=02:00:00:02:00:01
MAC_B=02:00:00:02:00:02
SPI_OUT=${SPI_OUT:-0x00001001}
SPI_IN=${SPI_IN:-0x00001002}
REQID=${REQID:-1}
# The tool of samples/bpf/xdp_xfrm
XDP_XFRM=${XDP_XFRM:-xdp_xfrm}

# Keeps the mount namespace, and with it the bpffs that maps are pinned in,
# where `ip netns exec` would mount a private one.
in_ns()
{
	local ns=$1
	shift
	nsenter "--net=/var/run/netns/$ns" -- "$@"
}

link_up()
{
	local ns=$1 dev=$2 addr=$3
	ip -n "$ns" addr add "$addr/$PREFIX" dev "$dev"
	ip -n "$ns" link set "$dev" up
}

# wire NS DEV MAC NS DEV MAC
wire()
{
	ip link add "$2" netns "$1" address "$3" type veth \
		peer name "$5" netns "$4" address "$6"
}

netns_up()
{
	local ns=$1
	ip netns add "$ns"
	# router solicitations and duplicate address detection are noise in captures
	in_ns "$ns" sysctl -qe -w net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1
	ip -n "$ns" link set lo up
}

topology_up()
{
	local ns
	topology_down
	for ns in "$NS_A" "$NS_G1" "$NS_G2" "$NS_B"; do
		netns_up "$ns"
	done
	wire "$NS_A" eth0 "$MAC_A" "$NS_G1" lan0 "$MAC_G1_LAN"
	wire "$NS_G1" wan0 "$MAC_G1_WAN" "$NS_G2" wan0 "$MAC_G2_WAN"
	wire "$NS_G2" lan0 "$MAC_G2_LAN" "$NS_B" eth0 "$MAC_B"
	link_up "$NS_A" eth0 "$IP_A"
	link_up "$NS_G1" lan0 "$IP_G1_LAN"
	link_up "$NS_G1" wan0 "$IP_G1_WAN"
	link_up "$NS_G2" wan0 "$IP_G2_WAN"
	link_up "$NS_G2" lan0 "$IP_G2_LAN"
	link_up "$NS_B" eth0 "$IP_B"
	ip -n "$NS_A" route add default via "$IP_G1_LAN"
	ip -n "$NS_B" route add default via "$IP_G2_LAN"
	ip -n "$NS_G1" route add "$NET_B" via "$IP_G2_WAN"
	ip -n "$NS_G2" route add "$NET_A" via "$IP_G1_WAN"
	for ns in "$NS_G1" "$NS_G2"; do
		in_ns "$ns" sysctl -qw net.ipv4.ip_forward=1
	done
	# veth takes redirected frames only if the peer polls them with NAPI
	in_ns "$NS_G2" ethtool -K wan0 gro on
}

topology_down()
{
	local ns
	for ns in "$NS_A" "$NS_G1" "$NS_G2" "$NS_B"; do
		[[ ! -e /var/run/netns/$ns ]] || ip netns del "$ns"
	done
}

# add_state NS SRC DST SPI KEY: one direction, AES-GCM with a 16 byte ICV
add_state()
{
	ip -n "$1" xfrm state add src "$2" dst "$3" proto esp spi "$4" \
		reqid "$REQID" mode tunnel replay-window 32 \
		aead 'rfc4106(gcm(aes))' "$5" 128
}

add_policy()
{
	local ns=$1 dir=$2 src=$3 dst=$4 from=$5 to=$6
	ip -n "$ns" xfrm policy add src "$src" dst "$dst" dir "$dir" \
		tmpl src "$from" dst "$to" proto esp reqid "$REQID" mode tunnel
}

# fixed_key BITS BYTE: AES key and 4 bytes of salt, all of them BYTE
fixed_key()
{
	printf '0x'
	printf "$2%.0s" $(seq $(($1 / 8 + 4)))
}

tunnel_up()
{
	local bits=${1:-128} ns dir
	for ns in "$NS_G1" "$NS_G2"; do
		add_state "$ns" "$IP_G1_WAN" "$IP_G2_WAN" "$SPI_OUT" "$(fixed_key "$bits" a1)"
		add_state "$ns" "$IP_G2_WAN" "$IP_G1_WAN" "$SPI_IN" "$(fixed_key "$bits" b2)"
	done
	add_policy "$NS_G1" out "$NET_A" "$NET_B" "$IP_G1_WAN" "$IP_G2_WAN"
	add_policy "$NS_G2" out "$NET_B" "$NET_A" "$IP_G2_WAN" "$IP_G1_WAN"
	for dir in in fwd; do
		add_policy "$NS_G1" "$dir" "$NET_B" "$NET_A" "$IP_G2_WAN" "$IP_G1_WAN"
		add_policy "$NS_G2" "$dir" "$NET_A" "$NET_B" "$IP_G1_WAN" "$IP_G2_WAN"
	done
}

tunnel_down()
{
	local ns
	for ns in "$NS_G1" "$NS_G2"; do
		ip -n "$ns" xfrm policy flush
		ip -n "$ns" xfrm state flush
	done
}

fast_path_up()
{
	(($#)) || set -- lan0
	in_ns "$NS_G1" "$XDP_XFRM" start
	in_ns "$NS_G1" "$XDP_XFRM" load "$@"
}

fast_path_down()
{
	(($#)) || set -- lan0
	in_ns "$NS_G1" "$XDP_XFRM" unload "$@"
	in_ns "$NS_G1" "$XDP_XFRM" stop
}

fast_path_json()
{
	in_ns "$NS_G1" "$XDP_XFRM" --json "$1"
}
