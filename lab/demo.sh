#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# make demo: an IPsec gateway in XDP, both ways, from IKE to the wire.
. "$(dirname "$0")/common.sh"

usage() {
	cat <<-EOF
	usage: [KERNEL=bench|test] lab/demo.sh [--no-fast-path]
	  --no-fast-path   the same traffic by the stack alone
	Exit status 0 only if all that build/demo.json has is as it should be.
	EOF
	exit "$1"
}

kernel=${KERNEL:-bench} tool=$build/xdp_xfrm/xdp_xfrm
case ${1-} in
'') ;;
--no-fast-path) tool=none ;;
-h | --help) usage 0 ;;
*) usage 2 >&2 ;;
esac

"$lab/kernel.sh" "$kernel"
"$lab/tool.sh"
[[ $tool == none || -x $tool ]] || die "no ${tool#"$top"/}; see build/log/tool.log"

locked demo
seen=$build/demo
rm -rf "$seen" "$seen.json"
mkdir "$seen"
# the test kernel in an emulated guest forwards a hundred packets a second
traffic=(UDP_PACKETS=600 TCP_BYTES=512K FILE_BYTES=1048576)
[[ $kernel == test ]] || traffic=(UDP_PACKETS=3000 TCP_BYTES=4M FILE_BYTES=4194304)
start=$SECONDS rc=0
printf '%-42s ... %s\n' "booting the $kernel kernel" build/log/demo.console
"$lab/boot.sh" -l demo -t 900 "$kernel" -- \
	env "${traffic[@]}" \
	"$lab/demo/guest.sh" "$seen" "$tool" || rc=$?
printf '%-42s %3d s\n\n' 'the guest' $((SECONDS - start))
((rc == 0 || rc == 99)) || die "the guest ended with status $rc, see build/demo/ and build/log/demo.console"
PYTHONPATH=$lab python3 -B "$lab/demo/report.py" "$seen" "$seen.json" "$@"
((rc == 0)) || die "the kernel complained, see build/log/demo.console"
