#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Every patch of the series builds, the drivers it edits too, and brings no warning of its
# own under W=1 and sparse. Long: by hand, after make series. series-check.sh N: goes on at patch N.
. "$(dirname "$0")/common.sh"

repo=$build/series.git
tree=$build/patch
checks=$build/series-check

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

# objects FILE...: what those of them that are here and the kernel's are compiled to
objects() {
	local file
	for file; do
		case $file in
		tools/* | samples/*) ;;
		*.c) [[ ! -f $tree/$file ]] || printf '%s\n' "${file%.c}.o" ;;
		esac
	done
}

# warnings NAME OBJECT...: what gcc W=1 and sparse say, without line numbers, into NAME
warnings() {
	local name=$1
	shift
	"$lab/kernel.sh" patch vmlinux "$@"
	cp "$log/patch.log" "$checks/$name.gcc"
	(($#)) && "$lab/kernel.sh" patch C=2 "$@"
	# nobody but BPF programs calls a kfunc, so it has no declaration
	grep -hE 'warning:|error:' "$checks/$name.gcc" "$log/patch.log" |
		grep -v "symbol 'bpf_x[a-z_]*' was not declared" |
		sed -E 's/:[0-9]+(:[0-9]+)?:/:/g' | sort -u >"$checks/$name" || true
}

# Without debug info there is no BTF: what depends on it is compiled as it is edited, and
# linked in the test kernel only.
pristine_copy "$tree"
mkdir -p "$checks"
if ((${1-1} == 1)) || [[ ! -f $checks/known ]]; then
	# what is compiled already has said its warnings; ccache repeats them
	rm -rf "$checks" "$tree/bench"
	mkdir -p "$checks"
	put start
	mapfile -t files < <(git -C "$repo" diff --name-only start base)
	mapfile -t edited < <(objects "${files[@]}")
	printf 'the unpatched kernel, for its own warnings\n'
	warnings known "${edited[@]}"
fi
commits=$(git -C "$repo" rev-list --reverse start..base)
number=0
for commit in $commits; do
	number=$((number + 1))
	((number >= ${1-1})) || continue
	subject=$(git -C "$repo" log -1 --format=%s "$commit")
	printf '%02d %s\n' "$number" "$subject"
	put "$commit"
	mapfile -t files < <(git -C "$repo" diff --name-only "$commit^" "$commit")
	mapfile -t edited < <(objects "${files[@]}")
	warnings "$number" "${edited[@]}"
	new=$(comm -13 "$checks/known" "$checks/$number")
	[[ -z $new ]] || die "patch $number ($subject) brings warnings: $new"
done
step "building the modules" "$log/patch.modules.log" "$lab/kernel.sh" patch modules
printf 'patches %d to %d build, without a new warning of gcc W=1 or sparse\n' "${1-1}" "$number"
