#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The stress test's part in the guest: G1 of xdp_xfrm_lib.sh under load. Each case is a line
# of JSON in $1/cases, which lab/stress/report.py judges.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=tools/testing/selftests/net/xdp_xfrm_lib.sh
. "$top/tools/testing/selftests/net/xdp_xfrm_lib.sh"
# shellcheck source=lab/stress/cases.sh
. "$here/cases.sh"

out=$1
shift
# of a storm
seconds=${SECONDS_EACH:-20}
# of the flood, one packet each
flood=${FLOOD:-1000000}
stress=$top/build/stress/stress

say()
{
	read -r uptime _ </proc/uptime
	printf '%6.1f s  %s\n' "$uptime" "$*"
}

# Neighbours that are not asked for: the peer only counts
neighbours()
{
	ip -n "$NS_G1" -batch - <<-EOF
		neigh replace $IP_A lladdr $MAC_A dev lan0 nud permanent
		neigh replace $IP_G2_WAN lladdr $MAC_G2_WAN dev wan0 nud permanent
	EOF
}

gateway_up()
{
	topology_up
	tunnel_up
	neighbours
	# conntrack of a flood is that of G1 alone
	sysctl -qw net.netfilter.nf_conntrack_max=65536
	fast_path_up lan0
}

gateway_down()
{
	set +e
	fast_path_down lan0 2>/dev/null
	topology_down
	set -e
}

# rules none|stateless|stateful: of a gateway that lets its LAN send to some ports
rules()
{
	local stateful=''
	g1 nft flush ruleset
	[[ $1 != none ]] || return 0
	if [[ $1 == stateful ]]; then
		stateful='ct state vmap { established : accept, related : accept, invalid : drop }'
	fi
	g1 nft -f - <<-EOF
		table inet filter {
			set banned { type ipv4_addr; elements = { 198.51.100.1 }; }
			set open { type inet_service; elements = { 5000, 5001 }; }
			chain services { }
			chain svc1 { }
			chain svc2 { }
			chain forward {
				type filter hook forward priority filter; policy drop;
				ip saddr @banned drop
				ip daddr 10.96.0.0/12 jump services
				$stateful
				iifname "lan0" ip saddr != $NET_A drop
				iifname "lan0" oifname "wan0" udp dport @open accept
				icmp type echo-request accept
			}
			chain input {
				type filter hook input priority filter; policy accept;
				ip saddr @banned drop
			}
		}
	EOF
}

# send CASE [OPTION]...: its line of JSON, with what the array more has
declare -A more=()
send()
{
	local name=$1 key facts=''
	shift
	g1 "$stress" send "$@" lan0 >"$out/sent"
	for key in "${!more[@]}"; do
		facts+="\"$key\": ${more[$key]}, "
	done
	printf '{"case": "%s", %s%s\n' "$name" "$facts" "$(sed 's/^{//' "$out/sent")" >>"$out/cases"
}

# warm_up RULES FLOWS: all of them are learned. Conntrack wants an answer first, which XFRM
# drops as it came in clear, and a packet two seconds later.
warm_up()
{
	if [[ $1 == stateful ]]; then
		g1 conntrack -F 2>/dev/null
		g1 "$stress" send -f "$2" -n "$2" -x lan0 >/dev/null
		g1 "$stress" send -f "$2" -n "$2" -x -a lan0 >/dev/null
		pause 2.1
	fi
	g1 "$stress" send -f "$2" -n $((3 * $2)) lan0 >/dev/null
}

trap gateway_down EXIT
: >"$out/cases"
for part; do
	"part_$part"
done
say "done"
