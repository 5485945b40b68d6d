#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Build samples/bpf/xdp_xfrm against the test kernel's types into build/xdp_xfrm.
. "$(dirname "$0")/common.sh"

source=$linux/samples/bpf/xdp_xfrm
[[ -f $source/Makefile ]] || exit 0
locked tool
stamp=$(cat "$build/stamp" "$linux/test/built" | sha256sum)
[[ $stamp != "$(cat "$build/xdp_xfrm/built" 2>/dev/null)" ]] || exit 0
mkdir -p "$build/xdp_xfrm"
step "building the xdp_xfrm tool" "$log/tool.log" \
	make -C "$source" "OUTPUT=$build/xdp_xfrm" "VMLINUX_BTF=$linux/test/vmlinux" \
	CLANG=clang-19 LLVM_STRIP=llvm-strip-19
printf '%s\n' "$stamp" >"$build/xdp_xfrm/built"
