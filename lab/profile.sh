#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# profile.sh: where the instructions of one row of make bench go. By hand, after it.
. "$(dirname "$0")/common.sh"

usage() {
	cat <<-EOT
	usage: lab/profile.sh [base:]DIRECTION PATH CIPHER SIZE [FUNCTION]
	  DIRECTION   out, in or hub; base: the unpatched kernel
	  PATH        stack, stack-refused or xdp-xfrm
	  CIPHER      null or aes-gcm-128
	  SIZE        of the inner packet: 64, 512 or 1400
	  FUNCTION    also count the lines of this one, wherever it is inlined
	Prints instructions a packet by function, those of the generator among them.
	EOT
	exit "$1"
}

work=$build/bench
few=2000 many=6000
# bench.c sends them three times
packets=$(((many - few) * 3))

# boot PACKETS: the row with so many, and how often each instruction was executed
boot() {
	COUNTS=$work/counts.$1 timeout 600 qemu-system-x86_64 -accel tcg -icount shift=0,sleep=off \
		-cpu max,-fsrm,-erms -smp 1 -m 1G -nographic -nodefaults -serial stdio -no-reboot \
		-plugin "$work/count.so" \
		-kernel "$source/bench/arch/x86/boot/bzImage" -initrd "$work/$kernel/initramfs" \
		-append "console=ttyS0 quiet panic=-1 nokaslr rdinit=/init packets=$1 row=$row" |
		tr -d '\r'
}

case ${1-} in
-h | --help) usage 0 ;;
base:*) kernel=base source=$base ;;
*) kernel=bench source=$linux ;;
esac
(($# == 4 || $# == 5)) || usage 2 >&2
[[ -f $work/$kernel/initramfs ]] || die "no ${work#"$top"/}/$kernel/initramfs; run make bench first"
row=${1#base:}:$2:$3:$4
locked count
gcc -O2 -Wall -shared -fPIC -o "$work/count.so" "$lab/bench/count.c"
for n in $few $many; do
	step "counting with $n packets" "$log/profile.$n.log" boot "$n"
	grep -qx end "$log/profile.$n.log" || die "the guest failed, see ${log#"$top"/}/profile.$n.log"
done
python3 "$lab/bench/profile.py" "$source/bench/vmlinux" "$work/counts.$few" "$work/counts.$many" \
	"$packets" ${5:+"$5"}
