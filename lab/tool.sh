#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Build samples/bpf/xdp_xfrm into build/xdp_xfrm.
. "$(dirname "$0")/common.sh"

"$lab/tree.sh"
source=$linux/samples/bpf/xdp_xfrm
[[ -f $source/Makefile ]] || exit 0
locked tool
stamp=$(find "$source" -type f -exec sha256sum {} + | sort | sha256sum)
[[ $stamp != "$(cat "$build/xdp_xfrm/built" 2>/dev/null)" ]] || exit 0
mkdir -p "$build/xdp_xfrm"
rm -f "$build/xdp_xfrm/built"
step "building the xdp_xfrm tool" "$log/tool.log" \
	make -C "$source" "OUTPUT=$build/xdp_xfrm" CLANG=clang-19 LLVM_STRIP=llvm-strip-19
printf '%s\n' "$stamp" >"$build/xdp_xfrm/built"
