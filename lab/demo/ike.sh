# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
# Gateways with charon, and what is on the wires between them. Sourced in the guest
# after xdp_xfrm_lib.sh, by the demo and the rekey test. They set
#
#   job       their name; logs are in build/$job, which is directory $out
#   run       where daemons keep their things
#   config    directories with a strongswan.conf and a swanctl.conf, each adds to those before
#
#   die MESSAGE...               the end
#   say MESSAGE...               a line with the time
#   within SECONDS COMMAND...    until COMMAND succeeds
#   await WHAT COMMAND...        the same, or die
#   background LOG NS COMMAND... a job, ended by jobs_down
#   charon_up GATEWAY LOCAL REMOTE LOCAL_NET REMOTE_NET
#   conf FILE GATEWAY LOCAL REMOTE LOCAL_NET REMOTE_NET   of $config, filled in
#   configure GATEWAY            loads swanctl.conf
#   control GATEWAY ARGS...      swanctl
#   capture_up GATEWAY OPTION... what is on the wire to a gateway but not from LAN to LAN,
#                                to $run/wan-GATEWAY.pcap
#   capture_down GATEWAY
#   frames GATEWAY               what its device sent and received so far

jobs=()

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

within()
{
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || return
		sleep 0.1
	done
}

await()
{
	within 60 "${@:2}" || die "$1 did not come up within 60 s, see build/$job/"
}

# not through in_ns, $! has to be the command
background()
{
	local file=$1 ns=$2
	shift 2
	nsenter "--net=/var/run/netns/$ns" -- "$@" >"$file" 2>&1 </dev/null &
	jobs+=($!)
}

jobs_down()
{
	kill "${jobs[@]}" 2>/dev/null
	wait
}

control()
{
	local gateway=$1
	shift
	in_ns "$gateway" env "STRONGSWAN_CONF=$run/$gateway/strongswan.conf" \
		swanctl "$@" --uri "unix://$run/$gateway/charon.vici"
}

# conf FILE GATEWAY LOCAL REMOTE LOCAL_NET REMOTE_NET
conf()
{
	: "${secret:=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')}"
	sed -e "s|@RUN@|$run/$2|g; s|@LOCAL@|$3|g; s|@REMOTE@|$4|g" \
		-e "s|@LOCAL_NET@|$5|; s|@REMOTE_NET@|$6|; s|@SECRET@|$secret|" "${config[@]/%//$1}"
}

charon_up()
{
	local dir=$run/$1 file
	mkdir "$dir"
	for file in strongswan.conf swanctl.conf; do
		conf "$file" "$@" >"$dir/$file"
	done
	background "$out/charon-$1.err" "$1" \
		env "STRONGSWAN_CONF=$dir/strongswan.conf" charon-systemd
}

configure()
{
	await "charon of $1" test -S "$run/$1/charon.vici"
	control "$1" --load-all --file "$run/$1/swanctl.conf" >"$out/swanctl-$1.log" 2>&1 ||
		die "charon of $1 took no configuration, see build/$job/swanctl-$1.log"
}

declare -A tcpdump=()

# the options are those of tcpdump
capture_up()
{
	local gateway=$1
	shift
	background "$out/tcpdump-$gateway.log" "$gateway" \
		tcpdump -n -Z root -i wan0 "$@" -B 65536 -w "$run/wan-$gateway.pcap" \
		"not (src net 10.0.0.0/8 and dst net 10.0.0.0/8)"
	tcpdump[$gateway]=${jobs[-1]}
	await tcpdump grep -q 'listening on' "$out/tcpdump-$gateway.log"
}

frames()
{
	# shellcheck disable=SC2016 # awk's own
	in_ns "$1" awk '$1 == "wan0:" { print $3 + $11 }' /proc/net/dev
}

# quiet GATEWAY: no frame for longer than the 1 s that tcpdump leaves frames in its buffer
quiet()
{
	local before
	before=$(frames "$1")
	sleep 1.2
	[[ $(frames "$1") == "$before" ]]
}

capture_down()
{
	within 10 quiet "$1" || say "the wire to $1 does not get quiet"
	frames "$1" >"$out/wire-frames-$1"
	kill "${tcpdump[$1]}"
	wait "${tcpdump[$1]}" || true
}
