#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# check.sh: the front door, KUnit under UML, BPF selftests and shell-level tests in the booted
# test kernel. check.sh soak: those that take their time. Both end with
# "N passed, N failed, N skipped".
. "$(dirname "$0")/common.sh"
. "$lab/verdicts.sh"

results=$build/check
limit=${LAB_CHECK_LIMIT-3000}
# minutes each, and some on all CPUs
soak=(xdp_xfrm_once.sh xdp_xfrm_churn.sh xdp_xfrm_gone.sh xdp_xfrm_tool.sh xdp_xfrm_kill.sh
	xdp_xfrm_valid_dev.sh xdp_xfrm_valid_net.sh)
# in the guest with test_progs, which would be done first
beside=(xdp_xfrm_devices.sh xdp_xfrm_nic.sh xdp_xfrm_filter.sh)
passed=0 failed=0 skipped=0

# count NAME: results on standard input, one a line: "pass|fail|skip TEST"
count() {
	local suite=$1 verdict test p=0 f=0 s=0
	while read -r verdict test; do
		case $verdict in
		pass) p=$((p + 1)) ;;
		skip) s=$((s + 1)) && printf '  skipped: %s\n' "$test" ;;
		*) f=$((f + 1)) && printf '  FAILED:  %s\n' "$test" ;;
		esac
	done
	printf '%-42s %d passed, %d failed, %d skipped\n' "$suite" "$p" "$f" "$s"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# KUnit's cases are indented once, its suites not at all, parameters twice
ktap() {
	tr -d '\r' <"$1" | sed -nE \
		-e 's/^    ok [0-9]+ (.*# SKIP.*)/skip KUnit \1/p;t' \
		-e 's/^    ok [0-9]+ (.*)/pass KUnit \1/p;t' \
		-e 's/^    not ok [0-9]+ (.*)/fail KUnit \1/p;t'
}

# run_kunit: UML runs its KUnit cases at boot and halts
run_kunit() {
	local plan ended
	timeout 300 "$linux/uml/linux" mem=512M console=tty printk.time=0 kunit.enable=1 \
		kunit_shutdown=halt >"$results/kunit.ktap" 2>&1 </dev/null || true
	if grep -nE "$splats" "$results/kunit.ktap"; then
		count 'UML kernel log' <<<"fail a splat in ${results#"$top"/}/kunit.ktap"
	fi
	count KUnit < <(ktap "$results/kunit.ktap")
	plan=$(sed -n 's/^1\.\.//p' "$results/kunit.ktap" | tr -d '\r')
	ended=$(grep -cE '^(not )?ok [0-9]' "$results/kunit.ktap" || true)
	if [[ -z $plan ]] || ((ended < plan)); then
		tail -n 5 "$results/kunit.ktap"
		count 'KUnit under UML' <<<"fail $ended of ${plan:-no} suites ended"
	fi
}

# run_guests: two guests at once, each a share of the tests. Under TCG two guests
# of one CPU do more than one of two; the one with test_progs has two.
run_guests() {
	local guest pids=() rc
	printf '%-42s ... %s\n' 'two guests, test kernel' 'build/log/check-{bpf,net}.console'
	"$lab/boot.sh" -l check-bpf -t "$limit" test -- \
		"$lab/check-guest" test_progs xdp_xfrm twin "${beside[@]}" "${others[@]}" &
	pids+=($!)
	"$lab/boot.sh" -l check-net -c 1 -t "$limit" test -- "$lab/check-guest" "${scripts[@]}" &
	pids+=($!)
	for guest in bpf net; do
		rc=0
		wait "${pids[0]}" || rc=$?
		pids=("${pids[@]:1}")
		guest_ended "check-$guest" "$rc"
	done
}

# guest_ended NAME STATUS
guest_ended() {
	case $2 in
	0) ;;
	99) count "kernel log of $1" <<<"fail a splat in build/log/$1.console" ;;
	*) count "guest $1" <<<"fail it ended with status $2, see build/log/$1.console" ;;
	esac
}

# run_soak: one guest, all CPUs
run_soak() {
	local rc=0
	printf '%-42s ... %s\n' 'one guest, test kernel' 'build/log/check-soak.console'
	"$lab/boot.sh" -l check-soak -c 4 -t 3600 test -- "$lab/check-guest" "${soak[@]}" || rc=$?
	guest_ended check-soak "$rc"
}

# collect NAME: what it left in its directory
collect() {
	count "$1" < <(verdicts "$1" "$results/guest/$1")
}

# run_door: on this machine, not in a guest
run_door() {
	local dir=$results/guest/door
	mkdir -p "$dir"
	printf '%-42s ... %s\n' 'front door' "${dir#"$top"/}/output"
	(set +e; "$lab/door.sh" >"$dir/output" 2>&1; echo $? >"$dir/status")
	collect door
}

[[ ${1-} == soak ]] || "$lab/kernel.sh" uml
"$lab/kernel.sh" test
"$lab/tool.sh"
"$lab/selftests.sh"
"$lab/twin/build.sh"
rm -rf "$results"
mkdir -p "$results/guest"
# the tests of selftests/net that are the series' own, as their Makefile has them
mapfile -t scripts < <(sed -n 's/^TEST_PROGS *+= *//p' "$linux/tools/testing/selftests/net/Makefile" |
	grep -oE 'xdp_xfrm[a-z0-9_]*\.(sh|py)')
mapfile -t others < <(net_tests)
mapfile -t scripts < <(printf '%s\n' "${scripts[@]}" |
	grep -vxFf <(printf '%s\n' "${soak[@]}" "${beside[@]}"))

start=$SECONDS
if [[ ${1-} == soak ]]; then
	run_soak
	names=("${soak[@]}")
else
	run_door
	printf '%-42s ... %s\n' 'KUnit under UML' "${results#"$top"/}/kunit.ktap"
	run_kunit
	run_guests
	names=(test_progs xdp_xfrm twin "${scripts[@]}" "${beside[@]}" "${others[@]}")
fi
for name in "${names[@]}"; do
	collect "$name"
done
printf '%-42s %3d s\n' 'tests' $((SECONDS - start))
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
((passed && !failed))
