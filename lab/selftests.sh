#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Build test_progs by the kernel's own Makefile, in a copy of the selftests that
# holds only the tests named in lab/selftests.list and xdp_xfrm*: a minute, not an hour.
# Beside it, what the scripts of lab/selftests.net.list need.
. "$(dirname "$0")/common.sh"

copy=$build/selftests
bpf=$copy/tools/testing/selftests/bpf
tests=$linux/tools/testing/selftests/bpf
net=$copy/tools/testing/selftests/net

# wanted: the tests, then the BPF programs whose object or skeleton they name
wanted() {
	local name file
	{
		sed '/^#/d' "$lab/selftests.list"
		find "$tests/prog_tests" -name 'xdp_xfrm*.c' -printf '%f\n' | sed 's/\.c$//'
	} | while read -r name _; do
		file=$tests/prog_tests/$name.c
		[[ -f $file ]] || die "lab/selftests.list names $name, which the kernel does not have"
		printf '/prog_tests/%s.c\n' "$name"
		grep -oE '[a-zA-Z0-9_]+\.(skel\.h|lskel\.h|bpf\.o)' "$file" |
			sed -E 's,(.*)\.(skel\.h|lskel\.h|bpf\.o),/progs/\1.c,' || true
	done
	net_tests | while read -r name _; do
		file=$tests/$name
		[[ ! -f $file ]] ||
			grep -oE '[a-zA-Z0-9_]+\.bpf\.o' "$file" | sed -E 's,(.*)\.bpf\.o,/progs/\1.c,' || true
	done
	# what the Makefile itself names
	printf '/progs/%s.c\n' btf_data xdp_synproxy_kern
}

refresh() {
	local part
	mkdir -p "$bpf"
	for part in tools/{arch,build,include,lib,scripts} tools/bpf scripts kernel/bpf include/uapi include/linux; do
		mkdir -p "$copy/$part"
		rsync -a --delete --exclude '*.o' --exclude '*.a' --exclude '*.d' "$linux/$part/" "$copy/$part/"
	done
	rsync -a "$linux"/tools/testing/selftests/{lib.mk,kselftest.h,kselftest_harness.h} "$copy/tools/testing/selftests/"
	wanted | sort -u >"$build/selftests.wanted"
	# what is gone: rsync keeps what it is told not to look at
	(cd "$bpf" && find prog_tests progs -name '*.c' -printf '/%p\n' 2>/dev/null) |
		grep -vxFf "$build/selftests.wanted" | sed "s,^,$bpf," | xargs -r rm || true
	rsync -a --delete --prune-empty-dirs \
		--include-from="$build/selftests.wanted" \
		--include '/progs/*.h' --exclude '/progs/*' --exclude '/prog_tests/*' \
		--include '/*.[ch]' --include '/*.sh' --include '/*.map' --include '/*.ld' --include '/Makefile*' --include '/config*' \
		--include '/bpf_test*/' --include '/bpf_test*/*.[ch]' --include '/bpf_test*/Makefile' \
		--include '/progs/' --include '/prog_tests/' --include '/map_tests/' --include '/verifier/' \
		--filter 'P *' --exclude '*' "$tests/" "$bpf/"
}

# network: the scripts of selftests/net, and what they call
network() {
	local source=$linux/tools/testing/selftests/net name
	mkdir -p "$net"
	cp "$source"/*.sh "$net/"
	for name in nettest udpgso_bench_rx udpgso_bench_tx; do
		gcc -O2 -o "$net/$name" "$source/$name.c"
	done
	clang-19 -O2 -g -target bpf -I/usr/include/x86_64-linux-gnu \
		-c "$source/xdp_dummy.bpf.c" -o "$net/xdp_dummy.bpf.o"
}

# module: what the shell-level tests load into the test kernel
module() {
	local dir=$build/xdp_xfrm_fpu
	rsync -a --delete --include '*.c' --include Makefile --exclude '*' \
		"$linux/tools/testing/selftests/net/xdp_xfrm_fpu/" "$dir/"
	make -C "$linux" O=test "CC=ccache gcc" "M=$dir" W=1 modules
}

locked selftests
# a kernel being linked has no types
locked test
stamp=$(cat "$build/stamp" "$linux/test/built" "$lab"/selftests{,.net}.list "$0" | sha256sum)
[[ $stamp != "$(cat "$copy/built" 2>/dev/null)" ]] || exit 0
rm -f "$copy/built"
refresh
step "building the BPF selftests" "$log/selftests.log" \
	make -C "$bpf" "-j$(nproc)" test_progs LSKELS= LSKELS_EXTRA= LINKED_SKELS= feature-llvm=0 \
	CLANG=clang-19 LLC=llc-19 LLVM_STRIP=llvm-strip-19 LLVM_OBJCOPY=llvm-objcopy-19 LLD=lld-19 LLVM_CONFIG=llvm-config-19 \
	"CC=ccache gcc" "HOSTCC=ccache gcc" \
	"VMLINUX_BTF=$linux/test/vmlinux" "KDIR=$linux/test" "GENDIR=$linux/test/include/generated"
step "building the network selftests" "$log/selftests.net.log" network
step "building xdp_xfrm_fpu.ko" "$log/selftests.module.log" module
printf '%s\n' "$stamp" >"$copy/built"
