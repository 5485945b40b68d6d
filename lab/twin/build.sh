#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Build lab/twin into build/twin.
. "$(dirname "$0")/../common.sh"

compile() {
	gcc -std=gnu11 -O2 -Wall -Wextra -Werror "$lab"/twin/*.c -o "$build/twin/twin" -lcrypto
}

locked twin
mkdir -p "$build/twin"
stamp=$(cat "$lab"/twin/*.[ch] "$0" | sha256sum)
[[ $stamp != "$(cat "$build/twin/built" 2>/dev/null)" ]] || exit 0
rm -f "$build/twin/built"
step "building the twin test" "$log/twin.build.log" compile
printf '%s\n' "$stamp" >"$build/twin/built"
