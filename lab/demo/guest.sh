#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The demo's part in the guest: two gateways, their IKE daemons, traffic between
# the hosts behind them. What was seen goes to directory $1, lab/demo/report.py
# judges it. $2 is the xdp_xfrm tool, or "none": the stack alone.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tools/testing/selftests/net/xdp_xfrm_lib.sh
. "$here/../../tools/testing/selftests/net/xdp_xfrm_lib.sh"
out=$1
XDP_XFRM=$2
run=/run/demo
port=8080
jobs=()
# veth runs the gateways on the sender's CPU, and two CPUs take the packets of
# one SA further out of order than a replay window bears. A NIC would keep a
# flow on one queue; here all traffic starts on one CPU.
one_cpu=(taskset -c 0)

die()
{
	printf 'error: %s\n' "$*" >&2
	exit 1
}

say()
{
	read -r uptime _ </proc/uptime
	printf '%6.1f s  %s\n' "$uptime" "$*"
}

# collect: also what a run that failed leaves, as far as it came
collect()
{
	local ns
	for ns in "$NS_G1" "$NS_G2"; do
		cp "$run/$ns/charon.log" "$out/charon-$ns.log"
		ip -n "$ns" -s xfrm state >"$out/state-$ns"
		in_ns "$ns" cat /proc/net/xfrm_stat >"$out/xfrm_stat-$ns"
	done
	in_ns "$NS_B" cat /proc/net/snmp >"$out/snmp"
	cp "$run/wan.pcap" "$out"
	[[ $XDP_XFRM == none ]] && return
	in_ns "$NS_G1" "$XDP_XFRM" stats >"$out/stats"
	fast_path_json stats >"$out/stats.json"
	fast_path_json flows >"$out/flows.json"
	fast_path_down lan0 wan0
}

finish()
{
	set +e
	collect 2>"$out/collect.err"
	kill "${jobs[@]}" 2>/dev/null
	wait
	topology_down
}

# within SECONDS COMMAND...: until COMMAND succeeds
within()
{
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || return
		sleep 0.1
	done
}

# await WHAT COMMAND...
await()
{
	within 60 "${@:2}" || die "$1 did not come up within 60 s, see build/demo/"
}

# background LOG NS COMMAND...: not through in_ns, $! has to be the command
background()
{
	local file=$1 ns=$2
	shift 2
	nsenter "--net=/var/run/netns/$ns" -- "$@" >"$file" 2>&1 </dev/null &
	jobs+=($!)
}

listens()
{
	[[ -n $(in_ns "$1" ss -Hltn "sport = :$2") ]]
}

control()
{
	local gateway=$1
	shift
	in_ns "$gateway" env "STRONGSWAN_CONF=$run/$gateway/strongswan.conf" \
		swanctl "$@" --uri "unix://$run/$gateway/charon.vici"
}

# charon_up GATEWAY LOCAL REMOTE LOCAL_NET REMOTE_NET
charon_up()
{
	local dir=$run/$1 file
	mkdir "$dir"
	for file in strongswan.conf swanctl.conf; do
		sed -e "s,@RUN@,$dir,g; s,@LOCAL@,$2,g; s,@REMOTE@,$3,g" \
			-e "s,@LOCAL_NET@,$4,; s,@REMOTE_NET@,$5,; s,@SECRET@,$secret," \
			"$here/$file" >"$dir/$file"
	done
	background "$out/charon-$1.err" "$1" \
		env "STRONGSWAN_CONF=$dir/strongswan.conf" charon-systemd
}

configure()
{
	await "charon of $1" test -S "$run/$1/charon.vici"
	control "$1" --load-all --file "$run/$1/swanctl.conf" >"$out/swanctl-$1.log" 2>&1 ||
		die "charon of $1 took no configuration, see build/demo/swanctl-$1.log"
}

# fetch NAME SERVER ADDRESS CLIENT BYTES: a file over HTTP, compared
fetch()
{
	local name=$1 server=$2 address=$3 client=$4
	mkdir "$run/$name"
	head -c "$5" /dev/urandom >"$run/$name/file"
	background "$out/httpd-$name.log" "$server" \
		"${one_cpu[@]}" busybox httpd -f -p "$address:$port" -h "$run/$name"
	await "the HTTP server of $server" listens "$server" "$port"
	in_ns "$client" "${one_cpu[@]}" curl -sS --max-time 200 -o "$run/$name/copy" "http://$address:$port/file" ||
		die "HTTP $name failed, see build/demo/httpd-$name.log"
	sha256sum "$run/$name/file" "$run/$name/copy" | cut -d' ' -f1 | xargs echo "$name" "$5" >>"$out/sha256"
}

# iperf NAME OPTIONS...: from A to B
iperf()
{
	local name=$1 server
	shift
	background "$out/iperf3-server-$name.log" "$NS_B" "${one_cpu[@]}" iperf3 -s -1
	server=${jobs[-1]}
	await "the iperf3 server" listens "$NS_B" 5201
	in_ns "$NS_A" "${one_cpu[@]}" timeout 200 iperf3 -c "$IP_B" -J "$@" >"$out/iperf3-$name.json" ||
		die "iperf3 $name failed, see build/demo/iperf3-$name.json"
	wait "$server" || true
}

# What left one gateway has come to the other, both ways
settled()
{
	local seen
	seen=$(for ns in "$NS_G1" "$NS_G2"; do
		ip -n "$ns" -s xfrm state | sed -n -e '/^src/p' -e 's/.*, \([0-9]*\)(packets)/\1/p' | paste - -
	done | sort -u | wc -l)
	((seen == 2))
}

# frames: what the device between the gateways sent and received so far
frames()
{
	# shellcheck disable=SC2016 # awk's own
	in_ns "$NS_G2" awk '$1 == "wan0:" { print $3 + $11 }' /proc/net/dev
}

# quiet: no frame for longer than the 1 s that tcpdump leaves frames in its buffer
quiet()
{
	local before
	before=$(frames)
	sleep 1.2
	[[ $(frames) == "$before" ]]
}

mkdir -p "$run"
secret=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
trap finish EXIT

say "topology: four namespaces"
topology_up
# Windows smaller than the 256 slots of a veth ring: nothing is lost between the
# gateways however fast one of them is, and counters compare exactly.
for ns in "$NS_A" "$NS_B"; do
	settings "$ns" 'net.ipv4.tcp_rmem=4096 65536 131072' 'net.ipv4.tcp_wmem=4096 65536 131072'
done
background "$out/tcpdump.log" "$NS_G2" \
	tcpdump -n -Z root -i wan0 -s 0 -B 65536 -w "$run/wan.pcap" \
	"not (net $NET_A or net $NET_B)"
tcpdump=${jobs[-1]}
await tcpdump grep -q 'listening on' "$out/tcpdump.log"

say "IKEv2: charon on both gateways"
charon_up "$NS_G1" "$IP_G1_WAN" "$IP_G2_WAN" "$NET_A" "$NET_B"
charon_up "$NS_G2" "$IP_G2_WAN" "$IP_G1_WAN" "$NET_B" "$NET_A"
configure "$NS_G1"
configure "$NS_G2"
control "$NS_G1" --initiate --child lan >"$out/initiate.log" ||
	die "IKE did not bring the tunnel up, see build/demo/initiate.log"

if [[ $XDP_XFRM != none ]]; then
	say "fast path on $NS_G1"
	# veth takes redirected frames only if the peer polls them with NAPI
	in_ns "$NS_A" ethtool -K eth0 gro on
	fast_path_up lan0 wan0
fi

say "ping A to B"
in_ns "$NS_A" "${one_cpu[@]}" ping -q -c 20 -i 0.05 "$IP_B" >"$out/ping" ||
	die "no answer to any ping, see build/demo/"
say "iperf3 UDP A to B"
iperf udp -u -l 256 -b 2M -k "$UDP_PACKETS"
say "iperf3 TCP A to B"
iperf tcp -n "$TCP_BYTES"
say "HTTP: B fetches a file from A"
fetch A-to-B "$NS_A" "$IP_A" "$NS_B" "$FILE_BYTES"
say "HTTP: A fetches a file from B"
fetch B-to-A "$NS_B" "$IP_B" "$NS_A" "$FILE_BYTES"

say "collecting"
within 10 settled || say "the gateways count differently"
within 10 quiet || say "the wire does not get quiet"
frames >"$out/wire-frames"
kill "$tcpdump"
wait "$tcpdump" || true
say "done"
