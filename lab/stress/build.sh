#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Build lab/stress into build/stress; its module is for the bench kernel.
. "$(dirname "$0")/../common.sh"

out=$build/stress

program() {
	clang-19 -O2 -g -Wall -Werror -target bpf -I/usr/include/x86_64-linux-gnu \
		-c "$lab/stress/stress.bpf.c" -o "$out/stress.bpf.o" &&
		bpftool gen skeleton "$out/stress.bpf.o" name stress_bpf >"$out/stress.skel.h" &&
		gcc -std=gnu11 -O2 -Wall -Wextra -Werror -I"$out" "$lab"/stress/{stress,counters}.c \
			-o "$out/stress" -lbpf
}

module() {
	rm -rf "$out/module"
	mkdir -p "$out/module"
	cp "$lab/stress/slow.c" "$out/module/"
	echo 'obj-m := slow.o' >"$out/module/Makefile"
	make -C "$linux" O=bench 'CC=ccache gcc' M="$out/module" modules
}

locked stress
mkdir -p "$out"
stamp=$(cat "$lab"/stress/*.[ch] "$0" "$linux/bench/built" | sha256sum)
[[ $stamp != "$(cat "$out/built" 2>/dev/null)" ]] || exit 0
rm -f "$out/built"
step "building the stress test" "$log/stress.build.log" program
step "building the slow link" "$log/stress.module.log" module
printf '%s\n' "$stamp" >"$out/built"
