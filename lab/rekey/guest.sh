#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The rekey test's part in the guest: the demo's gateways, traffic between the hosts
# behind them, and what IKE does to a tunnel, one after the other. What was seen goes to
# directory $1, lab/rekey/report.py judges it. $2 is the xdp_xfrm tool, or "none": the
# stack alone. $3 is "fixed" if the policies are not charon's, so that a rekey replaces
# states only. RATE: datagrams a second each way.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tools/testing/selftests/net/xdp_xfrm_lib.sh
. "$here/../../tools/testing/selftests/net/xdp_xfrm_lib.sh"
# shellcheck source=lab/demo/ike.sh
. "$here/../demo/ike.sh"
out=$1
XDP_XFRM=$2
fixed=${3-}
job=rekey/${out##*/}
# shellcheck disable=SC2034 # for ike.sh
config=("$here/../demo" "$here")
run=/run/$job
# seconds until an event is over, and that the tunnel is looked at then
settle=2 after=3
# addresses of G1 to come
second=192.0.2.11 third=192.0.2.12
# traffic has a CPU, and all else the other, or packets of one SA run on both
traffic_cpu=(taskset -c 0)

finish()
{
	set +e
	cp "$run/wan-$NS_G2.pcap" "$out"
	cp "$run/$NS_G1/charon.log" "$out/charon-$NS_G1.log"
	cp "$run/$NS_G2/charon.log" "$out/charon-$NS_G2.log"
	[[ $XDP_XFRM == none ]] || {
		fast_path_json stats >"$out/stats.json"
		fast_path_json flows >"$out/flows.json"
		fast_path_down lan0 wan0
	}
	[[ -z ${TRAFFIC_PID-} ]] || kill "$TRAFFIC_PID"
	jobs_down
	topology_down
} 2>>"$out/finish.err"

answer()
{
	local line
	read -rt 60 -u "${TRAFFIC[0]}" line || line=none
	[[ $line == ok ]] || die "traffic ended, see build/$job/traffic.err"
}

mark()
{
	printf '%s\n' "$1" >&"${TRAFFIC[1]}"
	answer
}

# esp: the states of both gateways, one a line
esp()
{
	local ns
	for ns in "$NS_G1" "$NS_G2"; do
		ip -n "$ns" xfrm state | sed -n -e "s/^src/$ns src/p" -e 's/ reqid .*//p'
	done | paste - -
}

ike()
{
	local ns
	for ns in "$NS_G1" "$NS_G2"; do
		control "$ns" --list-sas | grep '^gateway:'
	done 2>>"$out/swanctl.err"
}

# replaced WHAT...: none of what there was is left, and there is as much as before
replaced()
{
	local what
	for what; do
		"$what" >"$run/$what.now"
		(($(wc -l <"$run/$what.now") == $(wc -l <"$run/$what.before"))) || return
		! grep -qxFf "$run/$what.before" "$run/$what.now" || return
	done
}

# event NAME WHAT -- COMMAND...: COMMAND, which replaces WHAT
event()
{
	local name=$1 what=()
	shift
	while [[ $1 != -- ]]; do
		what+=("$1")
		shift
	done
	shift
	esp >"$run/esp.before"
	ike >"$run/ike.before"
	say "$name"
	mark "$name"
	"$@" >>"$out/events.log" 2>&1 || die "$name failed, see build/$job/events.log"
	within 60 replaced "${what[@]}" ||
		die "$name did not come to an end, see build/$job/charon-*.log"
	sleep "$settle"
	mark "after $name"
	sleep "$after"
}

load()
{
	control "$NS_G1" --load-all --file "$run/$NS_G1/swanctl.conf"
}

load_changed()
{
	sed -i 's/aes128gcm16, aes256gcm16/aes256gcm16/' "$run/$NS_G1/swanctl.conf"
	load
}

# gone ADDRESS: what still comes to it is answered and so counted, not looked for on the link
gone()
{
	ip -n "$NS_G1" addr del "$1/$PREFIX" dev wan0
	ip -n "$NS_G1" route add unreachable "$1"
}

# A better path appears: IKE goes over to it, then the first one goes
better_path()
{
	ip -n "$NS_G1" addr add "$second/$PREFIX" dev wan0
	ip -n "$NS_G1" route add "$IP_G2_WAN" dev wan0 src "$second"
	within 30 replaced esp || return
	gone "$IP_G1_WAN"
}

# The address in use goes: the stack as well has no way until IKE has found another
path_gone()
{
	ip -n "$NS_G1" addr add "$third/$PREFIX" dev wan0
	gone "$second"
}

# no_clear_text GATEWAY LOCAL_NET REMOTE_NET: also while IKE replaces its policies. Of other
# selectors than those, or they would replace these.
no_clear_text()
{
	local local=${2%/*}/16 remote=${3%/*}/16 policy="action block priority 10000000"
	ip -n "$1" -batch - <<-POLICIES
		xfrm policy add src $local dst $remote dir out $policy
		xfrm policy add src $remote dst $local dir fwd $policy
	POLICIES
}

rm -rf "$run"
mkdir -p "$run"
trap finish EXIT
taskset -cp 1 $$ >/dev/null

say "topology, IKEv2 on both gateways"
topology_up
# an address takes over when another goes, as where a provider gives addresses
settings "$NS_G1" net.ipv4.conf.wan0.promote_secondaries=1
# each packet that has no way is answered
sysctl -qew net.ipv4.route.error_cost=0
settings "$NS_G1" net.ipv4.icmp_ratemask=0
# segments are counted, and none is too long for the tunnel
for ns in "$NS_A" "$NS_B"; do
	in_ns "$ns" ethtool -K eth0 tso off
	ip -n "$ns" link set eth0 mtu 1400
done
# veth takes redirected frames only if the peer polls them with NAPI
in_ns "$NS_A" ethtool -K eth0 gro on
no_clear_text "$NS_G1" "$NET_A" "$NET_B"
no_clear_text "$NS_G2" "$NET_B" "$NET_A"
capture_up "$NS_G2" -s 64
for ns in "$NS_G1" "$NS_G2"; do
	background "$out/monitor-$ns" "$ns" ip -s xfrm monitor nokeys SA
done
charon_up "$NS_G1" "$IP_G1_WAN" "$IP_G2_WAN" "$NET_A" "$NET_B"
charon_up "$NS_G2" "$IP_G2_WAN" "$IP_G1_WAN" "$NET_B" "$NET_A"
policies=yes start='trap|start'
if [[ $fixed ]]; then
	policies=no start=start
	tunnel_policies "$NET_A" "$NET_B" "$IP_G1_WAN" "$IP_G2_WAN" | ip -n "$NS_G1" -batch -
	tunnel_policies "$NET_B" "$NET_A" "$IP_G2_WAN" "$IP_G1_WAN" | ip -n "$NS_G2" -batch -
fi
sed -i "s/@POLICIES@/$policies/; s/@START@/$start/" "$run/$NS_G1/swanctl.conf"
sed -i "s/@POLICIES@/$policies/; s/@START@/none/" "$run/$NS_G2/swanctl.conf"
configure "$NS_G2"
configure "$NS_G1"
await tunnel grep -q 'CHILD_SA lan.* established' "$run/$NS_G1/charon.log"
if [[ $XDP_XFRM != none ]]; then
	say "fast path on $NS_G1"
	fast_path_up lan0 wan0
fi

say "traffic: $RATE datagrams a second and TCP, both ways"
export NS_A NS_G1 NS_G2 NS_B IP_A IP_B
coproc TRAFFIC {
	exec "${traffic_cpu[@]}" /usr/bin/python3 -BS "$here/traffic.py" "$RATE" \
		"$out/traffic.json" 2>"$out/traffic.err"
}
answer
sleep "$settle"
mark 'after start'
sleep "$after"

[[ $fixed ]] || event 'configuration loaded again' -- load
event 'CHILD_SA rekeyed' esp -- control "$NS_G1" --rekey --child lan
event 'IKE_SA rekeyed' ike -- control "$NS_G1" --rekey --ike gateway
if [[ ! $fixed ]]; then
	event 'reauthenticated' ike esp -- control "$NS_G1" --rekey --ike gateway --reauth
	event 'configuration changed' esp -- load_changed
	event 'MOBIKE, better path' esp -- better_path
	event 'MOBIKE, address gone' esp -- path_gone
fi
event 'CHILD_SA rekeyed by peer' esp -- control "$NS_G2" --rekey --child lan

mark end
pid=$TRAFFIC_PID
printf '\n' >&"${TRAFFIC[1]}"
wait "$pid" || die "traffic failed, see build/$job/traffic.err"
capture_down "$NS_G2"
say "done"
