#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The front door: what is missing is said in one line, and nothing is changed by it.
# Each lack is provoked in a copy of the clone; mounts made for it end with the command.
# TAP on standard output.
. "$(dirname "$0")/common.sh"

unset LAB_ANY_DISTRIBUTION
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
# the copy is read by users that are not root
chmod 755 "$work"
clone=$work/clone
stubs=$work/stubs
output=$work/output
as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
number=0 failed=0

# verdict STATUS NAME [WHY]: one line of TAP
verdict() {
	number=$((number + 1))
	if (($1 == 0)); then
		printf 'ok %d %s\n' "$number" "$2"
	else
		failed=$((failed + 1))
		printf 'not ok %d %s\n' "$number" "$2"
		printf '# %s\n' "${3-}"
		sed 's/^/# /' "$output"
	fi
}

skip() {
	number=$((number + 1))
	printf 'ok %d %s # SKIP %s\n' "$number" "$1" "$2"
}

# state: what no refusal may change: the copy and the machine's packages
state() {
	find "$clone" -path "$clone/build/log" -prune -o -printf '%P %M %U\n' | sort
	find "$clone" -path "$clone/build/log" -prune -o -type f -print0 | sort -z | xargs -0 sha256sum
	sha256sum /var/lib/dpkg/status
	find /etc/apt -printf '%p %s %T@\n'
}

# run COMMAND...: in the copy; its output and status. What is not refused ends early.
run() {
	status=0
	(cd "$clone" && exec timeout -k 1 20 "$@") >"$output" 2>&1 </dev/null || status=$?
}

# refuses NAME WORDS COMMAND...: one line, "error:" and then WORDS (a regular
# expression), exit status not 0, nothing changed
refuses() {
	local name=$1 words=$2 before why='' lines
	shift 2
	before=$(state)
	run "$@"
	lines=$(grep -c '^error: ' "$output" || true)
	((status && status != 124)) || why+=" exit status $status;"
	((lines == 1)) || why+=" $lines error lines;"
	grep -qE "^error: .*$words" "$output" || why+=" no '$words';"
	[[ $(state) == "$before" ]] || why+=' something was changed;'
	verdict ${#why} "$name" "$why"
}

# without NAME LACK WORDS COMMAND...: refuses, where the function LACK has made mounts
# of its own. The copy's build/ is a file system of 64 GB, on paper: room for all checks.
without() {
	local name=$1 lack=$2 words=$3
	shift 3
	if ! unshare -m true 2>/dev/null; then
		skip "$name" 'this machine lets nobody mount'
		return
	fi
	# shellcheck disable=SC2016  # the inner shell's variables
	refuses "$name" "$words" unshare -m env "clone=$clone" bash -euc "$(declare -f)"'
		mount -t tmpfs -o size=64g build "$clone/build"
		mkdir "$clone/build/log"
		eval "$1"
		exec "${@:2}"' bash "$lack" "$@"
}

# os_is [LINE]...: another system's os-release
os_is() {
	printf '%s\n' "$@" >"$clone/build/os"
	mount --bind "$clone/build/os" /etc/os-release
}

disk_is() {
	umount "$clone/build"
	mount -t tmpfs -o "$1" build "$clone/build"
}

already_built() {
	mkdir -p "$clone/build/linux/test"
	touch "$clone/build/linux/test/vmlinux"
}

# apt_is NEEDED...: an apt whose one source has lab-known, but not its file
apt_is() {
	local dir
	for dir in /etc/apt /var/lib/apt/lists /var/cache/apt; do
		mount -t tmpfs apt "$dir"
	done
	mkdir "$clone/build/source"
	echo "deb [trusted=yes] file:$clone/build/source ./" >/etc/apt/sources.list
	cat >"$clone/build/source/Packages" <<-EOF
		Package: lab-known
		Version: 1
		Architecture: all
		Maintainer: lab
		Filename: ./known.deb
		Size: 1
		SHA256: 0
		Description: known
	EOF
	printf '%s   why\n' "$@" >"$clone/build/needed"
	mount --bind "$clone/build/needed" "$clone/lab/packages"
}

no_virtme() {
	local bin=$clone/build/bin
	mkdir "$bin"
	# what is in both is refused, and is there once
	ln -s /usr/bin/* /usr/sbin/* "$bin" 2>/dev/null || true
	rm "$bin/virtme-run"
	export PATH=$bin
}

no_source() {
	mount -t tmpfs src /usr/src
}

# series_is NAME: a series of one patch, for a source of one file
series_is() {
	mkdir -p "$clone/build/pristine/net"
	seq 9 >"$clone/build/pristine/net/file"
	mount -t tmpfs patches "$clone/patches"
	echo "$1" >"$clone/patches/series"
	printf '%s\n' '--- a/net/file' '+++ b/net/file' '@@ -1,2 +1,2 @@' ' 7' '-no' '+yes' \
		>"$clone/patches/bad.patch"
}

copy_clone() {
	mkdir -p "$clone"
	tar -C "$top" --exclude=./build --exclude=./.git -c . | tar -C "$clone" -x
	chmod 755 "$clone"
	mkdir "$clone/build"
}

# make_stubs: a guest and an emulator that are done at once, to see what becomes of them
make_stubs() {
	mkdir -p "$stubs"
	touch "$work/bzImage"
	cat >"$stubs/virtme-run" <<-'EOF'
		#!/bin/sh
		echo "$*" >"$STUB_ARGS"
		echo "${STUB_LOG-all is well}" >&2
		# the guest is a child, as virtme-run's is, and has its pipes
		sleep "${STUB_TIME-0}" &
		echo $! >"$(echo "$*" | sed 's/.*-pidfile --qemu-opt=//; s/ .*//')"
		wait
	EOF
	cat >"$stubs/qemu-system-x86_64" <<-'EOF'
		#!/bin/sh
		[ -n "$STUB_KVM" ] || exit 1
		for argument; do
			case $argument in
			file:*) echo 'VFS: Unable to mount root fs' >"${argument#file:}" ;;
			esac
		done
	EOF
	chmod 755 "$stubs"/*
}

# boot VARIABLE=VALUE... -- OPTION...: lab/boot.sh with the stubs in the copy
boot() {
	local settings=()
	while [[ $1 != -- ]]; do
		settings+=("$1")
		shift
	done
	rm -f "$clone/build/kvm"
	run env "PATH=$stubs:$PATH" "STUB_ARGS=$work/args" "${settings[@]}" \
		lab/boot.sh "${@:2}" "$work/bzImage" -- true
}

# tells NAME COMMAND...: COMMAND is true
tells() {
	local name=$1 rc=0
	shift
	"$@" >>"$output" 2>&1 || rc=$?
	verdict $rc "$name" "exit status $rc of $*"
}

help_names_every_target() {
	local target unnamed=0
	while read -r target; do
		[[ $target == help ]] || grep -qE "make $target( |\$)" "$output" || unnamed=$((unnamed + 1))
	done < <(sed -n 's/^\.PHONY: //p' "$clone/Makefile" | xargs -n 1)
	return $unnamed
}

scripts_can_be_run() {
	local script bad=0
	while read -r script; do
		[[ -x $clone/$script ]] || bad=$((bad + 1))
	done < <(grep -oE 'lab/[a-z-]+\.sh' "$clone/Makefile")
	return $bad
}

copy_clone

run make
tells 'make alone explains itself' test "$status" -eq 0
tells 'make help names every target' help_names_every_target
tells 'what the Makefile runs can be run' scripts_can_be_run
refuses 'unknown make target' "no target 'no-such-target'.*make help" make no-such-target

refuses 'unknown kernel' 'there are test, bench' lab/kernel.sh no-such-kernel
refuses 'no kernel named' 'there are test, bench' lab/kernel.sh
refuses 'tests on an unknown kernel' 'there are base, bench and test' lab/upstream.sh base no-such-kernel
refuses 'tests on no kernel' 'name some of base, bench and test' lab/upstream.sh
refuses 'boot of an unknown kernel' 'make kernel' lab/boot.sh no-such-kernel -- true
for kernel in test bench base; do
	refuses "boot of kernel $kernel, not built" 'make ' lab/boot.sh $kernel -- true
done
refuses 'make shell without a terminal' 'terminal; lab/boot.sh' lab/shell.sh

rm -r "$clone/build"
for target in demo check shell bench; do
	refuses "make $target, not root, in root's clone" 'run as root' "${as_nobody[@]}" make $target
done
mkdir -p "$clone/build/log"
refuses "make demo, not root, in root's clone with a build" 'run as root' "${as_nobody[@]}" make demo
chown -R 65534:65534 "$clone"
refuses 'make demo, not root, in a clone of its own' 'run as root' "${as_nobody[@]}" make demo
chown -R 0:0 "$clone"

# "make deps" is what every target above starts with
any='LAB_ANY_DISTRIBUTION=1'
without 'Debian 13' 'os_is ID=debian VERSION_ID=13' "this is 'debian 13'.*$any" make deps
without 'Debian 11' 'os_is ID=debian VERSION_ID=11' "this is 'debian 11'.*$any" make deps
without 'Debian testing, without a number' 'os_is ID=debian' "this is 'debian'.*$any" make deps
without 'Ubuntu' 'os_is ID=ubuntu VERSION_ID=24.04' "this is 'ubuntu 24.04'.*$any" make deps
without 'a system that does not say what it is' 'os_is' "this is 'unknown'.*$any" make deps

without 'disk full' 'disk_is size=16m' '0 GB free below .* 12 GB are needed' make deps
without 'disk full, on any distribution' "os_is; disk_is size=16m; export $any" \
	'0 GB free below .* 12 GB are needed' make deps
without 'disk too small' 'disk_is size=12287m' '11 GB free below .* 12 GB are needed' make deps
without 'disk full after a first build' 'disk_is size=16m; already_built' \
	'0 GB free below .* 1 GB are needed' make deps
without 'no inode left' 'disk_is nr_inodes=1' 'a disk that has space' make deps

without 'a package that no apt source has' 'apt_is bash lab-known lab-unknown' \
	'package lab-unknown .*add bookworm' make deps
without 'a package that apt cannot fetch' 'apt_is bash lab-known' \
	'installing packages failed .*see build/log/apt-install.log' make deps
# shellcheck disable=SC2016  # the inner shell's variable
without 'an apt source that is not there' 'apt_is lab-known; rm -r "$clone/build/source"' \
	'updating package lists failed .*see build/log/apt-update.log' make deps
without 'no mirror for virtme-ng' 'apt_is bash; no_virtme' \
	'no apt source is a Debian mirror .*add one' make deps

without 'no Linux source' 'no_source' 'install the package linux-source' lab/tree.sh
without 'a patch that is not there' 'series_is absent.patch' \
	'absent.patch, which is not in patches' lab/tree.sh
without 'a patch that does not apply' 'series_is bad.patch' \
	'does not apply .*see build/log/quilt.log' lab/tree.sh

mkdir "$clone/a b"
cp -a "$clone/lab" "$clone/a b/"
refuses 'a clone whose path has a space' 'spaces or colons .*move the clone' 'a b/lab/tree.sh'
rm -r "$clone/a b"

make_stubs
boot STUB_KVM= --
tells 'boot: KVM that does not work is not used' grep -q -- --disable-kvm "$work/args"
boot STUB_KVM=yes --
tells 'boot: KVM that works is used' grep -qv -- --disable-kvm "$work/args"
boot STUB_KVM=yes -- -T
tells 'boot: -T is TCG' grep -q -- --disable-kvm "$work/args"
tells 'boot: a quiet kernel log, status 0' test "$status" -eq 0
boot STUB_KVM= 'STUB_LOG=WARNING: CPU: 0 PID: 1 at net/xfrm' --
tells 'boot: a splat fails a command that did not' test "$status" -eq 99
tells 'boot: and is shown' grep -q 'net/xfrm' "$output"
tells 'boot: with where to read on' grep -q '^error: .*kernel complained, see build/log/' "$output"
start=$SECONDS
boot STUB_KVM= STUB_TIME=19 -- -t 1
tells 'boot: a guest that does not end is ended' test "$status" -eq 124
tells 'boot: at once' test $((SECONDS - start)) -lt 15
tells 'boot: and that is said' grep -q '^error: the guest did not end within 1 s' "$output"

printf '1..%d\n' "$number"
((!failed))
