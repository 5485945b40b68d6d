#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# upstream.sh base|bench|test...: Linux's own tests (lab/selftests*.list) on these kernels,
# as a table of a column for each. base is unpatched; bench is the same, patched.
# Fails where two kernels differ. A guest may take LAB_CHECK_LIMIT seconds, 3600 if unset.
. "$(dirname "$0")/common.sh"
. "$lab/verdicts.sh"

results=$build/upstream
limit=${LAB_CHECK_LIMIT-3600}

(($#)) || die "upstream.sh: no kernel; name some of base, bench and test"
for kernel; do
	[[ $kernel == @(base|bench|test) ]] || die "upstream.sh: no kernel '$kernel'; there are base, bench and test"
done

# edited: tests that the series edits, to follow what it changes
edited() {
	local patch
	patches | while read -r patch; do
		touched "$patch"
	done | sed -n 's,^tools/testing/selftests/bpf/prog_tests/\(.*\)\.c$,\1,p'
}

# ran_on KERNEL: lines of TEST, tab, verdict
ran_on() {
	local name
	for name in test_progs "${scripts[@]}"; do
		verdicts "$name" "$results/$1/$name"
	done | if [[ $1 == base ]]; then
		# what base lacks is no failure of it
		sed -E "$(edited | sed 's,.*,s/^fail (test_progs &)$/skip \\1/,')"
	else
		cat
	fi | sed -E 's/^(pass|fail|skip) (.*)/\2\t\1/'
}

run_on() {
	local rc=0
	rm -rf "${results:?}/$1"
	mkdir -p "$results/$1"
	printf '%-42s ... %s\n' "the $1 kernel" "build/log/upstream-$1.console"
	"$lab/boot.sh" -l "upstream-$1" -t "$limit" "$1" -- \
		env "RESULTS=$results/$1" "$lab/check-guest" test_progs "${scripts[@]}" || rc=$?
	ran_on "$1" >"$results/$1/table"
	((!rc)) || printf 'kernel log or guest\tfail\n' >>"$results/$1/table"
}

# table KERNEL...: a row for each test; exit status 1 where columns differ
table() {
	local kernel files=()
	for kernel; do
		files+=("$results/$kernel/table")
	done
	awk -F '\t' -v names="$*" '
		FNR == 1 { column++ }
		!($1 in seen) { seen[$1] = 1; order[++rows] = $1 }
		{ verdict[$1, column] = $2 }
		END {
			n = split(names, name, " ")
			printf "%-86s", "test"
			for (i = 1; i <= n; i++) printf " %-5s", name[i]
			print ""
			for (row = 1; row <= rows; row++) {
				printf "%-86s", order[row]
				for (i = 1; i <= n; i++) {
					v = verdict[order[row], i] == "" ? "-" : verdict[order[row], i]
					printf " %-5s", v
					total[i, v]++
					# what base lacks it skips
					if (i > 1 && v != first && (first != "skip" || v == "fail")) differ++
					if (i == 1 || first == "skip") first = v
				}
				print ""
			}
			for (i = 1; i <= n; i++)
				printf "%s: %d passed, %d failed, %d skipped\n", name[i],
					total[i, "pass"], total[i, "fail"], total[i, "skip"]
			if (differ) print "different: " differ
			for (i = 1; i <= n; i++)
				if (!total[i, "pass"] || verdict["kernel log or guest", i]) differ++
			exit (differ > 0)
		}' "${files[@]}"
}

mapfile -t scripts < <(net_tests && long_net_tests)
# test_progs is built with the types of the test kernel
for kernel in test "$@"; do
	"$lab/kernel.sh" "$kernel"
done
"$lab/selftests.sh"
for kernel; do
	run_on "$kernel"
done
table "$@"
