# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
# What the tests in a guest said: lines of "pass|fail|skip TEST". Sourced.

# tap FILE NAME
tap() {
	sed -nE \
		-e "s/^ok [0-9]+ ?(.*# SKIP.*)/skip $2 \\1/p;t" \
		-e "s/^ok [0-9]+ ?(.*)/pass $2 \\1/p;t" \
		-e "s/^not ok [0-9]+ ?(.*)/fail $2 \\1/p;t" "$1"
}

# progs FILE: of test_progs, "#1/2 test/subtest:OK"; a test with subtests is not counted itself
progs() {
	sed -nE 's/^#[0-9]+(\/[0-9]+)? +(.+):(OK|FAIL|SKIP).*/\2\t\3/p' "$1" | awk -F '\t' '
		{ verdict[$1] = $2; order[NR] = $1; split($1, part, "/"); if (part[2] != "") parent[part[1]] = 1 }
		END { for (i = 1; i <= NR; i++) { name = order[i]
			if (name in parent || done[name]++) continue
			v = verdict[name]; print (v == "OK" ? "pass" : v == "SKIP" ? "skip" : "fail"), "test_progs", name } }'
}

# absent FILE: tests that are listed, but that test_progs does not know
absent() {
	local name
	bpf_tests | while read -r name; do
		grep -qE "^#[0-9/]+ +$name(/.*)?:" "$1" || printf 'fail test_progs %s did not run\n' "$name"
	done
}

# verdicts NAME DIR: lab/check-guest ran NAME and left its output and exit status in DIR
verdicts() {
	local name=$1 dir=$2 found status
	if [[ ! -f $dir/output ]]; then
		printf 'fail %s did not run\n' "$name"
		return
	fi
	case $name in
	test_progs) found=$(progs "$dir/output" && absent "$dir/output") ;;
	xdp_xfrm) found=$(progs "$dir/output") ;;
	*) found=$(tap "$dir/output" "$name") ;;
	esac
	# an exit status that no single result accounts for is a failure too
	if [[ ! -f $dir/status ]]; then
		found+=$'\n'"fail $name did not end"
	else
		status=$(<"$dir/status")
		if ((status == 4)) && [[ -z $found ]]; then
			found="skip $name $(tail -n 1 "$dir/output")"
		elif ((status)) && ! grep -q '^fail' <<<"$found"; then
			found+=$'\n'"fail $name exit status $status"
		elif [[ -z $found ]] && grep -qxF -- "$name" <(net_tests && long_net_tests); then
			# many of these have nothing but an exit status
			found="pass $name"
		elif [[ -z $found ]]; then
			found="fail $name printed no result"
		fi
	fi
	sed '/^$/d' <<<"$found"
}
