# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the end-to-end tests of XFRM in XDP share; sourced after xdp_xfrm_lib.sh.
#
#   gateway_up               topology, tunnel and fast path; taps on the wires
#   wire_up, wire_down       only the taps; a netns with taps on it can't go. Meanwhile
#                            nothing protected may come to G2 in clear, but for what
#                            expect was told of (clear=N)
#   in_clear N               so many more may, from another address than A's
#   peer_up                  in place of wire_up: a peer of G1 that sends ESP
#   ask COMMAND...           a command of xdp_xfrm_wire.py, or of a peer
#                            xdp_xfrm_inbound.py; fills the array got
#   send N [NAME=VALUE]...   the same as ask send
#   expect NAME WANTED...    a result: WANTED is KEY=VALUE, KEY<VALUE or KEY>VALUE,
#                            KEY a counter of G1 or what xdp_xfrm_wire.py answers
#   skip NAME WHY            a result of something that this kernel does not have
#   known_flow PORT [NAME=VALUE]...
#                            makes a flow that is learned and used; else the
#                            next result fails
#   check NAME COMMAND...    a result: does COMMAND succeed?
#   eventually COMMAND...    waits until COMMAND succeeds, 20 s at most
#   refused NAME WANTED...   a result: packets were offered, none made a flow
#   g1 COMMAND...            run COMMAND on G1
#   rules RULES              the ruleset of G1, for nft
#   chain HOOK RULES         the same: one chain of filters
#   nat HOOK RULES           the same: one chain that translates addresses
#   finish                   the plan; exit status

declare -A got=()
results=0 failures=0
complaints=()
# packets in clear that were expected; empty if nobody watches
clear_expected=''

taps_up()
{
	export NS_A NS_G1 NS_G2 NS_B IP_A IP_B IP_G1_LAN IP_G1_WAN \
		IP_G2_WAN MAC_A MAC_G1_LAN MAC_G1_WAN MAC_G2_WAN SPI_OUT
	coproc WIRE { exec python3 -S "$1" 2>&1; }
	answer
}

wire_up()
{
	taps_up xdp_xfrm_wire.py
	ask state "$SPI_OUT" "$(fixed_key 128 a1)"
	watch_up
}

watch_up()
{
	clear_expected=0
	in_ns "$NS_G2" nft -f - <<-EOF
		table netdev watch {
			counter clear { }
			chain c {
				type filter hook ingress device wan0 priority 0;
				meta ipsec exists accept
				ip saddr 10.0.0.0/8 counter name clear accept
				ip daddr 10.0.0.0/8 counter name clear
			}
		}
	EOF
}

in_clear()
{
	clear_expected=$((clear_expected + $1))
}

watch_down()
{
	local clear
	[[ -n $clear_expected ]] || return 0
	clear=$(in_ns "$NS_G2" nft list counter netdev watch clear | grep -oP 'packets \K[0-9]+')
	((clear <= clear_expected)) ||
		complaints+=("$clear packets in clear, $clear_expected expected")
	clear_expected=''
	result 'no clear text between the gateways, all the time'
}

peer_up()
{
	taps_up xdp_xfrm_inbound.py
}

wire_down()
{
	local pid=$WIRE_PID
	watch_down
	printf 'quit\n' >&"${WIRE[1]}"
	wait "$pid"
}

# Read complaints and facts
answer()
{
	local line pair
	got=()
	while IFS= read -r -t 120 -u "${WIRE[0]}" line; do
		if [[ ! $line =~ ^[A-Za-z0-9_]+= ]]; then
			complaints+=("${line#\# }")
			continue
		fi
		for pair in $line; do
			got[${pair%%=*}]=${pair#*=}
		done
		return
	done
	printf '# %s\n' "${complaints[@]}"
	printf 'Bail out! the taps do not answer\n'
	exit 1
}

ask()
{
	printf '%s\n' "$*" >&"${WIRE[1]}"
	answer
}

send()
{
	ask send "$@"
}

result()
{
	local verdict=ok line
	results=$((results + 1))
	((!${#complaints[@]})) || verdict='not ok' failures=$((failures + 1))
	printf '%s %d - %s\n' "$verdict" "$results" "$1"
	for line in "${complaints[@]}"; do
		printf '# %s\n' "$line"
	done
	complaints=()
}

skip()
{
	results=$((results + 1))
	printf 'ok %d - %s # SKIP %s\n' "$results" "$1" "$2"
}

expect()
{
	local name=$1 wanted key value is
	shift
	for wanted; do
		[[ $wanted =~ ^([A-Za-z_]+)([=<>])(.*)$ ]] || complaints+=("what is $wanted?")
		key=${BASH_REMATCH[1]} value=${BASH_REMATCH[3]}
		is=${got[$key]-0}
		[[ $key != clear || -z $clear_expected ]] || clear_expected=$((clear_expected + is))
		case ${BASH_REMATCH[2]} in
		=) [[ $is == "$value" ]] ;;
		'<') ((is < value)) ;;
		'>') ((is > value)) ;;
		esac || complaints+=("wanted $wanted, $key is $is")
	done
	if ((${#complaints[@]})); then
		complaints+=("$(for key in "${!got[@]}"; do
			[[ ${got[$key]} == 0 ]] || printf '%s=%s ' "$key" "${got[$key]}"
		done)")
	fi
	result "$name"
}

check()
{
	local name=$1
	shift
	"$@" || complaints+=("$* failed")
	result "$name"
}

refused()
{
	local name=$1
	shift
	expect "$name" 'XfrmXdpOffer>0' XfrmXdpLearned=0 XfrmXdpOutput=0 "$@"
}

rules()
{
	g1 nft -f - <<<"flush ruleset; $1"
}

chain()
{
	rules "table ip t { chain c { type filter hook $1 priority 0; $2; }; }"
}

nat()
{
	rules "table ip t { chain c { type nat hook $1 priority 0; $2; }; }"
}

known_flow()
{
	send 3 "sport=$1" "${@:2}"
	[[ ${got[XfrmXdpLearned]-0} == 1 && ${got[XfrmXdpOutput]-0} == 2 ]] ||
		complaints+=("no flow: learned ${got[XfrmXdpLearned]-0}," \
			"by XDP ${got[XfrmXdpOutput]-0}")
}

eventually()
{
	local end=$((SECONDS + 20))
	until "$@"; do
		((SECONDS < end)) || return
		sleep 0.1
	done
}

gateway_up()
{
	trap gateway_down EXIT
	topology_up
	tunnel_up
	wire_up
	fast_path_up
}

gateway_down()
{
	# a second error must not hide the first
	set +e
	fast_path_down >/dev/null 2>&1
	[[ -z ${WIRE_PID-} ]] || wire_down
	topology_down
}

finish()
{
	watch_down
	printf '1..%d\n' "$results"
	((results && !failures))
	exit
}
