#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# make stress: many flows under a firewall that changes each second, a flood of flows, and
# a link that is full.
. "$(dirname "$0")/common.sh"

usage() {
	cat <<-EOF
	usage: lab/stress.sh [-k IMAGE] [-n PACKETS] [-t SECONDS] [PART...]
	  -k IMAGE      a bzImage of the bench kernel, to compare with
	  -n PACKETS    of the flood, each a flow; default 1000000
	  -t SECONDS    each storm takes, in the guest; default 20
	Parts, default all:
	  storm   10000 busy flows, and a commit of nftables each second
	  flood   1000 busy flows among packets that are flows of their own, and port scans
	  order   packets of the stack and of XDP on a link that is full
	The guest's clock counts instructions, one a nanosecond: it is a CPU of 1 GHz that does
	one each cycle. Figures are in build/stress.json; exit status 0 only if all are as they
	should be.
	EOF
	exit "$1"
}

kernel=bench packets=1000000 seconds=20
[[ ${1-} != --help ]] || usage 0
while getopts k:n:t:h option; do
	case $option in
	k) kernel=$OPTARG ;;
	n) packets=$OPTARG ;;
	t) seconds=$OPTARG ;;
	h) usage 0 ;;
	*) usage 2 >&2 ;;
	esac
done
shift $((OPTIND - 1))
(($#)) || set -- storm flood order
for part; do
	[[ $part =~ ^(storm|flood|order)$ ]] || usage 2 >&2
done

"$lab/kernel.sh" bench
"$lab/tool.sh"
"$lab/stress/build.sh"
locked stress.run
start=$SECONDS rc=0
printf '%-42s ... %s\n' "the guest, $(basename "$kernel") kernel" build/log/stress.console
# the last of several -cpu counts: one instruction, not one a byte, for a string
"$lab/boot.sh" -T -c 1 -l stress -t 3600 -q '-icount shift=0 -cpu max,-fsrm,-erms' "$kernel" -- \
	env "XDP_XFRM=$build/xdp_xfrm/xdp_xfrm" "SECONDS_EACH=$seconds" "FLOOD=$packets" \
	"$lab/stress/guest.sh" "$build/stress" "$@" || rc=$?
printf '%-42s %3d s\n' 'the guest' $((SECONDS - start))
((rc == 0)) || die "the guest ended with status $rc, see build/log/stress.console"
PYTHONPATH=$lab python3 -B "$lab/stress/report.py" "$build/stress/cases" "$build/stress.json"
