#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# check.sh: the front door, KUnit under UML, BPF selftests and shell-level tests in the booted
# test kernel. check.sh soak: those that take their time. Both end with
# "N passed, N failed, N skipped". A guest may take LAB_CHECK_LIMIT seconds, 3000 if unset.
. "$(dirname "$0")/common.sh"
. "$lab/verdicts.sh"

results=$build/check
limit=${LAB_CHECK_LIMIT-3000}
# minutes each, and some on all CPUs
soak=(xdp_xfrm_once.sh xdp_xfrm_churn.sh xdp_xfrm_gone.sh xdp_xfrm_tool.sh xdp_xfrm_kill.sh
	xdp_xfrm_valid_dev.sh xdp_xfrm_valid_net.sh)
# what takes longest, to begin with
long=(xdp_xfrm twin xdp_xfrm_life.sh xdp_xfrm_filter.sh)
# it leaves pcrypt behind
last=xdp_xfrm_async.sh
uml=''
declare -A guests
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
	if ! wait "$uml"; then
		count 'KUnit under UML' <<<'fail its kernel was not built, see build/log/uml.log'
		return
	fi
	printf '%-42s ... %s\n' 'KUnit under UML' "${results#"$top"/}/kunit.ktap"
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

# start_guest NAME CPUS TEST...: tests that other guests have not taken. Nobody else would use
# a CPU while one waits for RCU; and while all boot, a CPU may stand still for long. Memory that
# is not there is not scanned for leaks.
start_guest() {
	local rcu='rcupdate.rcu_expedited=1 rcupdate.rcu_cpu_stall_suppress_at_boot=1'
	"$lab/boot.sh" -l "check-$1" -c "$2" -m 2G -t "$limit" -k "$rcu" test -- \
		env "SHARED=$results/taken" "$lab/check-guest" "${@:3}" &
	guests[$1]=$!
}

wait_guests() {
	local guest rc
	for guest in "${!guests[@]}"; do
		rc=0
		wait "${guests[$guest]}" || rc=$?
		unset "guests[$guest]"
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

# the UML kernel has what the test kernel and the guests leave of the CPUs, and may take as
# long as both
if [[ ${1-} != soak ]]; then
	timeout $((limit * 3 / 2)) nice -n 19 "$lab/kernel.sh" uml &
	uml=$!
	trap 'kill "$uml" "${guests[@]}" 2>/dev/null || true' EXIT
fi
"$lab/kernel.sh" test
"$lab/tool.sh"
"$lab/selftests.sh"
"$lab/twin/build.sh"
locked check
rm -rf "$results"
mkdir -p "$results/guest" "$results/taken"
# the tests of selftests/net that are the series' own, as their Makefile has them
mapfile -t scripts < <(sed -n 's/^TEST_PROGS *+= *//p' "$linux/tools/testing/selftests/net/Makefile" |
	grep -oE 'xdp_xfrm[a-z0-9_]*\.(sh|py)' | grep -vxFf <(printf '%s\n' "${soak[@]}"))
mapfile -t others < <(net_tests)

start=$SECONDS
if [[ ${1-} == soak ]]; then
	names=("${soak[@]}")
	run_soak
else
	mapfile -t names < <(printf '%s\n' "${long[@]}" "${scripts[@]}" "${others[@]}" |
		grep -vx "$last" | awk '!seen[$0]++')
	names+=("$last")
	# Under TCG two guests of one CPU do more than one of two, but not all happens on one
	printf '%-42s ... %s\n' 'three guests, test kernel' 'build/log/check-{smp,a,b}.console'
	start_guest smp 2 xdp_xfrm_learn.sh test_progs
	start_guest a 1 "${names[@]}"
	start_guest b 1 "${names[@]}"
	names+=(test_progs)
	run_door
	run_kunit
	wait_guests
fi
for name in "${names[@]}"; do
	collect "$name"
done
printf '%-42s %3d s\n' 'tests' $((SECONDS - start))
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
((passed && !failed))
