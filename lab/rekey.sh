#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# make rekey: what IKE does to a tunnel under traffic, and that the fast path loses nothing.
. "$(dirname "$0")/common.sh"

usage() {
	cat <<-EOF
	usage: [KERNEL=bench|test] lab/rekey.sh [-0]
	  -0   no fast path at all: a test of the test, which has to fail
	The demo's gateways and hosts, once with the stack alone and once with the fast path, and
	once more with policies that charon does not touch, where a rekey replaces states only.
	While datagrams and TCP go both ways, charon rekeys, reauthenticates, loads another
	configuration, and changes its address. Exit status 0 only if a rekey loses no more than by the
	stack alone, whatever else is lost was refused and counted, nothing leaves in clear or by an SA
	that was deleted, and the fast path carries the packets again after each of it; all the time,
	if states only are replaced. The figures: build/rekey.json.
	EOF
	exit "$1"
}

kernel=${KERNEL:-bench} tool=$build/xdp_xfrm/xdp_xfrm
case ${1-} in
'') ;;
-0) tool=none ;;
-h | --help) usage 0 ;;
*) usage 2 >&2 ;;
esac

"$lab/kernel.sh" "$kernel"
"$lab/tool.sh"
[[ $tool == none || -x $tool ]] || die "no ${tool#"$top"/}; see build/log/tool.log"

locked rekey
seen=$build/rekey
rm -rf "$seen" "$seen.json"
mkdir -p "$seen"/{stack,xdp}{,fixed}
# the test kernel in an emulated guest forwards a hundred packets a second
rate=20
[[ $kernel == test ]] || rate=250
start=$SECONDS rc=0
printf '%-42s ... %s\n' "booting the $kernel kernel" build/log/rekey.console
# shellcheck disable=SC2016 # the guest's own
"$lab/boot.sh" -l rekey -t 900 "$kernel" -- bash -c \
	'set -e; export RATE=$1
	for fixed in "" fixed; do
		for path in stack xdp; do
			tool=none
			[[ $path == stack ]] || tool=$4
			printf "%s %s\n" "$path" "$fixed"
			"$2" "$3/$path$fixed" "$tool" "$fixed"
		done
	done' \
	bash "$rate" "$lab/rekey/guest.sh" "$seen" "$tool" || rc=$?
printf '%-42s %3d s\n' 'the guest' $((SECONDS - start))
((rc == 0 || rc == 99)) ||
	die "the guest ended with status $rc, see build/rekey/ and build/log/rekey.console"
PYTHONPATH=$lab python3 -B "$lab/rekey/report.py" "$seen" "$seen.json"
((rc == 0)) || die "the kernel complained, see build/log/rekey.console"
