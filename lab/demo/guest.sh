#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The demo's part in the guest: three gateways, their IKE daemons, traffic between
# the hosts behind them. What was seen goes to directory $1, lab/demo/report.py
# judges it. $2 is the xdp_xfrm tool, or "none": the stack alone.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tools/testing/selftests/net/xdp_xfrm_lib.sh
. "$here/../../tools/testing/selftests/net/xdp_xfrm_lib.sh"
# shellcheck source=lab/demo/ike.sh
. "$here/ike.sh"
# shellcheck source=lab/demo/hub.sh
. "$here/hub.sh"
out=$1
XDP_XFRM=$2
# shellcheck disable=SC2034 # for ike.sh
job=demo config=("$here")
run=/run/demo
port=8080
# veth runs the gateways on the sender's CPU, and two CPUs take the packets of
# one SA further out of order than a replay window bears. A NIC would keep a
# flow on one queue; here all traffic starts on one CPU.
one_cpu=(taskset -c 0)
gateways=("$NS_G1" "$NS_G2" "$NS_G3")
fast=(lan0 wan0 wan1)

# collect: also what a run that failed leaves, as far as it came
collect()
{
	local ns
	for ns in "${gateways[@]}"; do
		cp "$run/$ns/charon.log" "$out/charon-$ns.log"
		ip -n "$ns" -s xfrm state >"$out/state-$ns"
		in_ns "$ns" cat /proc/net/xfrm_stat >"$out/xfrm_stat-$ns"
	done
	in_ns "$NS_B" cat /proc/net/snmp >"$out/snmp"
	cp "$run"/wan-*.pcap "$out"
	[[ $XDP_XFRM == none ]] && return
	in_ns "$NS_G1" "$XDP_XFRM" stats >"$out/stats"
	fast_path_json stats >"$out/stats.json"
	fast_path_json flows >"$out/flows.json"
	fast_path_down "${fast[@]}"
}

finish()
{
	set +e
	collect 2>"$out/collect.err"
	jobs_down
	hub_down
	topology_down
}

listens()
{
	[[ -n $(in_ns "$1" ss -Hltn "sport = :$2") ]]
}

# fetch NAME SERVER ADDRESS CLIENT BYTES: a file over HTTP, compared
fetch()
{
	local name=$1 server=$2 address=$3 client=$4
	# each server has its own
	port=$((port + 1))
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

# What left one gateway has come to another: each state counts the same at both ends
settled()
{
	for ns in "${gateways[@]}"; do
		ip -n "$ns" -s xfrm state | sed -n -e '/^src/p' -e 's/.*, \([0-9]*\)(packets)/\1/p' | paste - -
	done | sort | uniq -c | awk '$1 != 2 { differ = 1 } END { exit differ }'
}

mkdir -p "$run"
trap finish EXIT

say "topology: six namespaces"
topology_up
hub_up
# Windows smaller than the 256 slots of a veth ring: nothing is lost between the
# gateways however fast one of them is, and counters compare exactly.
for ns in "$NS_A" "$NS_B" "$NS_C"; do
	settings "$ns" 'net.ipv4.tcp_rmem=4096 65536 131072' 'net.ipv4.tcp_wmem=4096 65536 131072'
done
capture_up "$NS_G2" -s 0
capture_up "$NS_G3" -s 0

say "IKEv2: charon on all gateways"
hub_charon_up
for ns in "${gateways[@]}"; do
	configure "$ns"
done
for child in lan spoke; do
	control "$NS_G1" --initiate --child $child >"$out/initiate-$child.log" ||
		die "IKE did not bring the tunnel up, see build/demo/initiate-$child.log"
done

if [[ $XDP_XFRM != none ]]; then
	say "fast path on $NS_G1"
	# veth takes redirected frames only if the peer polls them with NAPI
	in_ns "$NS_A" ethtool -K eth0 gro on
	fast_path_up "${fast[@]}"
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
say "HTTP through the hub: C fetches a file from B, B one from C"
fetch B-to-C "$NS_B" "$IP_B" "$NS_C" "$FILE_BYTES"
fetch C-to-B "$NS_C" "$IP_C" "$NS_B" "$FILE_BYTES"

say "collecting"
within 10 settled || say "the gateways count differently"
capture_down "$NS_G2"
capture_down "$NS_G3"
say "done"
