#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Build test_progs by the kernel's own Makefile, in a copy of the selftests that
# holds only the tests named in lab/selftests.list and xdp_xfrm*: a minute, not an hour.
. "$(dirname "$0")/common.sh"

copy=$build/selftests
bpf=$copy/tools/testing/selftests/bpf
tests=$linux/tools/testing/selftests/bpf

# wanted: the tests, then the BPF programs whose object or skeleton they name
wanted() {
	local name file
	{
		sed '/^#/d' "$lab/selftests.list"
		find "$tests/prog_tests" -name 'xdp_xfrm*.c' -printf '%f\n' | sed 's/\.c$//'
	} | while read -r name; do
		file=$tests/prog_tests/$name.c
		[[ -f $file ]] || die "lab/selftests.list names $name, which the kernel does not have"
		printf '/prog_tests/%s.c\n' "$name"
		grep -oE '[a-zA-Z0-9_]+\.(skel\.h|lskel\.h|bpf\.o)' "$file" |
			sed -E 's,(.*)\.(skel\.h|lskel\.h|bpf\.o),/progs/\1.c,'
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
	rsync -a --delete --prune-empty-dirs \
		--include-from="$build/selftests.wanted" \
		--include '/progs/*.h' --exclude '/progs/*' --exclude '/prog_tests/*' \
		--include '/*.[ch]' --include '/*.sh' --include '/*.map' --include '/*.ld' --include '/Makefile*' --include '/config*' \
		--include '/bpf_test*/' --include '/bpf_test*/*.[ch]' --include '/bpf_test*/Makefile' \
		--include '/progs/' --include '/prog_tests/' --include '/map_tests/' --include '/verifier/' \
		--filter 'P *' --exclude '*' "$tests/" "$bpf/"
}

locked selftests
# a kernel being linked has no types
locked test
stamp=$(cat "$build/stamp" "$linux/test/built" "$lab/selftests.list" "$0" | sha256sum)
[[ $stamp != "$(cat "$copy/built" 2>/dev/null)" ]] || exit 0
refresh
step "building the BPF selftests" "$log/selftests.log" \
	make -C "$bpf" "-j$(nproc)" test_progs LSKELS= LSKELS_EXTRA= LINKED_SKELS= feature-llvm=0 \
	CLANG=clang-19 LLC=llc-19 LLVM_STRIP=llvm-strip-19 LLVM_OBJCOPY=llvm-objcopy-19 LLD=lld-19 LLVM_CONFIG=llvm-config-19 \
	"CC=ccache gcc" "HOSTCC=ccache gcc" \
	"VMLINUX_BTF=$linux/test/vmlinux" "KDIR=$linux/test" "GENDIR=$linux/test/include/generated"
printf '%s\n' "$stamp" >"$copy/built"
