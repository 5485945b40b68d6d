# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# What every script of the lab starts with: where things are, how to say them.
set -euo pipefail
# the selftests' Makefile behaves otherwise below another make
unset MAKELEVEL MAKEFLAGS MFLAGS MAKEOVERRIDES

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lab=$top/lab
build=$top/build
log=$build/log
pristine=$build/pristine
linux=$build/linux
base=$build/base
source_package='linux-source-6.12'

# The parts of the clone that stand at their place in Linux
overlay=(net include kernel samples tools Documentation)

# What no run may leave in a kernel log
splats='BUG:|WARNING:|KASAN|UBSAN|ODEBUG|Oops|Kernel panic|general protection|refcount_t'
splats+='|possible recursive locking|possible circular locking|inconsistent lock state|suspicious RCU'
splats+='|sleeping function|scheduling while atomic|INFO: task|INFO: rcu|unreferenced object'
splats+='|leaked reference|waiting for .* to become free|stalled pool shutdown'

# die MESSAGE: one line that says what is wrong and what to do
die() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

[[ $top != *[[:space:]:]* ]] ||
	die "Linux cannot be built below a path with spaces or colons ($top); move the clone"
{ mkdir -p "$log" && [[ -w $log ]]; } 2>/dev/null ||
	die "cannot write to ${log#"$top"/}; run as root, with the clone on a disk that has space"

# step NAME LOGFILE COMMAND...: a long step; its output goes to LOGFILE
step() {
	local name=$1 file=$2 start=$SECONDS rc=0
	shift 2
	printf '%-42s ... %s\n' "$name" "${file#"$top"/}"
	set +e
	(set -e && "$@") >"$file" 2>&1 </dev/null
	rc=$?
	set -e
	if ((rc)); then
		tail -n 20 "$file" >&2
		die "$name failed after $((SECONDS - start)) s (exit $rc), see ${file#"$top"/}"
	fi
	printf '%-42s %3d s\n' "$name" $((SECONDS - start))
}

# locked NAME: one such job per clone at a time, until the script ends
locked() {
	local fd
	exec {fd}>"$build/.lock.$1"
	flock "$fd"
}

# pristine_copy DIR: Debian's source, or what is there already. Hard links cost nothing, and
# whoever writes there replaces by rename.
pristine_copy() {
	[[ ! -d $1 ]] || return 0
	rm -rf "$1.new"
	cp -al "$pristine" "$1.new"
	mv "$1.new" "$1"
}

# bpf_tests: Linux's own tests among test_progs, by name
bpf_tests() {
	sed -e '/^#/d' -e 's/.* //' "$lab/selftests.list"
}

# net_tests, long_net_tests: Linux's own shell-level tests, a script and its arguments a line
net_tests() {
	sed -e '/^#/d' -e '/^long /d' "$lab/selftests.net.list"
}

long_net_tests() {
	sed -n 's/^long //p' "$lab/selftests.net.list"
}

# overlay_files: what the clone adds to Linux, one path a line
overlay_files() {
	local dir
	for dir in "${overlay[@]}"; do
		[[ -d $top/$dir ]] || continue
		(cd "$top" && find "$dir" -type f \
			! -name '*.o' ! -name '*.swp' ! -name '*~' ! -name '*.pyc')
	done | sort
}

# patches: the quilt series, one patch name a line
patches() {
	[[ -f $top/patches/series ]] || return 0
	sed -e 's/[[:space:]]*#.*//' -e '/^[[:space:]]*$/d' "$top/patches/series"
}

# touched PATCH: the files of Linux it edits
touched() {
	sed -n 's,^+++ b/\([^[:space:]]*\).*,\1,p' "$top/patches/$1" | sort -u
}

# quilt_series: the patches with a diff; quilt chokes on those that only add overlay files
quilt_series() {
	local patch
	while read -r patch; do
		[[ -z $(touched "$patch") ]] || printf '%s\n' "$patch"
	done < <(patches)
}
