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
#   add_state NS SRC DST SPI KEY    one more state of that kind
#   fixed_key BITS BYTE   a key that is BYTE throughout
#   tunnel_down           removes all states and policies of both gateways
#   fast_path_up [DEV]... start the fast path on G1, load it on DEV (lan0)
#   fast_path_down        unload and stop it
#   fast_path_json WHAT   its stats or flows, as JSON
#   in_ns NS COMMAND...   run COMMAND in a namespace
#   g1 COMMAND...         run COMMAND on G1
#   pause SECONDS         sleep without a process

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
REPLAY_WINDOW=${REPLAY_WINDOW:-32}
# The tool of samples/bpf/xdp_xfrm
XDP_XFRM=${XDP_XFRM:-xdp_xfrm}
never=''

# Keeps the mount namespace, and with it the bpffs that maps are pinned in,
# where `ip netns exec` would mount a private one.
in_ns()
{
	local ns=$1
	shift
	nsenter "--net=/var/run/netns/$ns" -- "$@"
}

g1()
{
	in_ns "$NS_G1" "$@"
}

# A process takes its time in an emulated guest that is busy
pause()
{
	[[ -n $never ]] || exec {never}<> <(:)
	read -rt "$1" -u "$never" || true
}

# IPv6 off: router solicitations and duplicate address detection are noise in
# captures. More settings as arguments.
settings()
{
	local ns=$1
	shift
	in_ns "$ns" sysctl -qew net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1 "$@"
}

# Few processes in all: in an emulated guest each one takes its time.
topology_up()
{
	topology_down
	ip -batch - <<-EOF
		netns add $NS_A
		netns add $NS_G1
		netns add $NS_G2
		netns add $NS_B
		link add eth0 netns $NS_A address $MAC_A type veth \
			peer name lan0 netns $NS_G1 address $MAC_G1_LAN
		link add wan0 netns $NS_G1 address $MAC_G1_WAN type veth \
			peer name wan0 netns $NS_G2 address $MAC_G2_WAN
		link add lan0 netns $NS_G2 address $MAC_G2_LAN type veth \
			peer name eth0 netns $NS_B address $MAC_B
	EOF
	settings "$NS_A"
	settings "$NS_G1" net.ipv4.ip_forward=1
	settings "$NS_G2" net.ipv4.ip_forward=1
	settings "$NS_B"
	ip -n "$NS_A" -batch - <<-EOF
		link set lo up
		link set eth0 up
		addr add $IP_A/$PREFIX dev eth0
		route add default via $IP_G1_LAN
	EOF
	ip -n "$NS_G1" -batch - <<-EOF
		link set lo up
		link set lan0 up
		link set wan0 up
		addr add $IP_G1_LAN/$PREFIX dev lan0
		addr add $IP_G1_WAN/$PREFIX dev wan0
		route add $NET_B via $IP_G2_WAN
	EOF
	ip -n "$NS_G2" -batch - <<-EOF
		link set lo up
		link set lan0 up
		link set wan0 up
		addr add $IP_G2_LAN/$PREFIX dev lan0
		addr add $IP_G2_WAN/$PREFIX dev wan0
		route add $NET_A via $IP_G1_WAN
	EOF
	ip -n "$NS_B" -batch - <<-EOF
		link set lo up
		link set eth0 up
		addr add $IP_B/$PREFIX dev eth0
		route add default via $IP_G2_LAN
	EOF
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

# fixed_key BITS BYTE: AES key and 4 bytes of salt, all of them BYTE
fixed_key()
{
	printf '0x'
	printf "$2%.0s" $(seq $(($1 / 8 + 4)))
}

# state_line SRC DST SPI KEY: one direction, AES-GCM with a 16 byte ICV
state_line()
{
	echo xfrm state add src "$1" dst "$2" proto esp spi "$3" reqid "$REQID" \
		mode tunnel replay-window "$REPLAY_WINDOW" aead 'rfc4106(gcm(aes))' "$4" 128
}

# add_state NS SRC DST SPI KEY
add_state()
{
	state_line "${@:2}" | ip -n "$1" -batch -
}

# tunnel_states BITS: the same two on both gateways
tunnel_states()
{
	state_line "$IP_G1_WAN" "$IP_G2_WAN" "$SPI_OUT" "$(fixed_key "$1" a1)"
	state_line "$IP_G2_WAN" "$IP_G1_WAN" "$SPI_IN" "$(fixed_key "$1" b2)"
}

# tunnel_policies LOCAL_NET REMOTE_NET LOCAL REMOTE
tunnel_policies()
{
	local options="proto esp reqid $REQID mode tunnel"
	cat <<-EOF
		xfrm policy add src $1 dst $2 dir out tmpl src $3 dst $4 $options
		xfrm policy add src $2 dst $1 dir in tmpl src $4 dst $3 $options
		xfrm policy add src $2 dst $1 dir fwd tmpl src $4 dst $3 $options
	EOF
}

tunnel_up()
{
	local bits=${1:-128}
	{
		tunnel_states "$bits"
		tunnel_policies "$NET_A" "$NET_B" "$IP_G1_WAN" "$IP_G2_WAN"
	} | ip -n "$NS_G1" -batch -
	{
		tunnel_states "$bits"
		tunnel_policies "$NET_B" "$NET_A" "$IP_G2_WAN" "$IP_G1_WAN"
	} | ip -n "$NS_G2" -batch -
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
	g1 "$XDP_XFRM" start
	g1 "$XDP_XFRM" load "$@"
}

fast_path_down()
{
	(($#)) || set -- lan0
	g1 "$XDP_XFRM" unload "$@"
	g1 "$XDP_XFRM" stop
}

fast_path_json()
{
	g1 "$XDP_XFRM" --json "$1"
}
