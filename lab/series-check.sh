#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Every patch of the series builds, with the drivers it edits, and brings no
# warning of its own under W=1 and sparse. Long: by hand, after make series.
. "$(dirname "$0")/common.sh"

repo=$build/series.git
tree=$build/patch
checks=$build/series-check

# build TARGET...: those of this state; modules are the drivers
build() {
	"$lab/kernel.sh" patch "$@"
	! grep -n 'warning:' "$log/patch.log" >&2 || die "$* of patch $number compiles with warnings"
}

# put COMMIT: the tree gets the files of this state of the series, and no others of it
put() {
	local state=$build/patch.state
	rm -rf "$state"
	mkdir "$state"
	git -C "$repo" archive "$1" | tar -x -C "$state"
	git -C "$repo" diff --name-only --diff-filter=A start base | while read -r file; do
		[[ -e $state/$file ]] || rm -f "$tree/$file"
	done
	rsync -rpc --no-times "$state/" "$tree/"
	rm -rf "$state"
}

# warnings FILE.c...: what gcc W=1 and sparse say of them, without line numbers
warnings() {
	local file objects=()
	for file; do
		[[ ! -f $tree/bench/${file%.c}.o ]] || objects+=("${file%.c}.o")
	done
	((${#objects[@]})) || return 0
	(cd "$tree/bench" && rm -f "${objects[@]}")
	make -C "$tree" O=bench -k C=1 W=1 "CC=gcc" "HOSTCC=ccache gcc" "${objects[@]}" 2>&1 |
		grep -E 'warning:|error:' | sed -E 's/:[0-9]+(:[0-9]+)?:/:/g' | sort -u || true
}

[[ -d $tree ]] || cp -al "$pristine" "$tree"
rm -rf "$checks"
mkdir -p "$checks"
number=0
put start
build vmlinux modules
for commit in $(git -C "$repo" rev-list --reverse start..base); do
	number=$((number + 1))
	subject=$(git -C "$repo" log -1 --format=%s "$commit")
	mapfile -t sources < <(git -C "$repo" diff --name-only "$commit^" "$commit" -- '*.c')
	warnings "${sources[@]}" >"$checks/before"
	put "$commit"
	printf '%02d %s\n' "$number" "$subject"
	build vmlinux
	[[ "${sources[*]}" != *drivers/net/ethernet* ]] || build modules
	warnings "${sources[@]}" >"$checks/$number"
	new=$(comm -13 "$checks/before" "$checks/$number")
	[[ -z $new ]] || die "patch $number ($subject) brings warnings: $new"
done
build modules
printf '%d patches build, without a new warning of gcc W=1 or sparse\n' "$number"
