#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# make twin: the same frames through a gateway with the fast path and one without,
# and everything compared that comes out of them or that they remember.
. "$(dirname "$0")/common.sh"

usage() {
	cat <<-EOF
	usage: lab/twin.sh [-0] [-k KERNEL] [-n PACKETS] [-s SEED] [SCENARIO...]
	  -0            no fast path in either gateway: a test of the test
	  -k KERNEL     test, bench or a bzImage; default test
	  -n PACKETS    in all over all scenarios, about; default 105000
	  -s SEED       of the packets, default 1: the same seed, the same packets
	Scenarios, default all of these; burst by name only:
	$("$lab/twin/guest.sh" -l | fmt -w 76 | sed 's/^/  /')
	Prints each difference in full; exit status 0 only if there is none and enough
	packets took the fast path. The kernel and the xdp_xfrm tool must have been built.
	EOF
	exit "$1"
}

kernel=test guest=()
[[ ${1-} != --help ]] || usage 0
while getopts 0k:n:s:h option; do
	case $option in
	k) kernel=$OPTARG ;;
	0) guest+=(-0) ;;
	n | s) guest+=("-$option" "$OPTARG") ;;
	h) usage 0 ;;
	*) usage 2 >&2 ;;
	esac
done
shift $((OPTIND - 1))

"$lab/twin/build.sh"
tool=$build/xdp_xfrm/xdp_xfrm
[[ -x $tool ]] || die "no ${tool#"$top"/}; run make kernel"
rc=0 start=$SECONDS
printf '%-42s ... %s\n' "twins, $(basename "$kernel") kernel" build/log/twin.console
"$lab/boot.sh" -c 1 -l twin -t 20000 "$kernel" -- \
	env "XDP_XFRM=$tool" "$lab/twin/guest.sh" "${guest[@]}" "$@" || rc=$?
printf '%-42s %3d s\n' twins $((SECONDS - start))
((rc == 0)) || die "the twins differ, or the guest failed (exit $rc); see above and build/log/twin.console"
