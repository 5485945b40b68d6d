#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Boot a kernel with this machine's file system as the guest's, run a command
# in it, hand out its exit status. Fails as well when the kernel complained.
. "$(dirname "$0")/common.sh"

usage() {
	cat <<-EOF
	usage: lab/boot.sh [OPTION]... KERNEL [-- COMMAND...]
	KERNEL is test, bench, base or a bzImage; without COMMAND: a prompt.
	  -c CPUS      default \$LAB_CPUS or 2
	  -m MEMORY    default 3G
	  -t SECONDS   give up after that long, default 1200
	  -l NAME      build/log/NAME.console gets the kernel log, default: KERNEL
	  -k ARGS      more kernel arguments
	  -q ARGS      more QEMU arguments
	  -T           TCG even where KVM works
	  -r FILE      prompt only: bash reads FILE first
	The guest may write below build/; elsewhere it sees a copy (/etc /tmp /root
	/home), tmpfs (/run /var/log /var/tmp /var/cache) or read-only files.
	EOF
	exit "$1"
}

cpus=${LAB_CPUS:-2} memory=3G limit=1200 name='' kernel_args=() qemu_args=() tcg='' rc_file=''
while getopts c:m:t:l:k:q:r:Th option; do
	case $option in
	c) cpus=$OPTARG ;;
	m) memory=$OPTARG ;;
	t) limit=$OPTARG ;;
	l) name=$OPTARG ;;
	k) read -ra kernel_args <<<"$OPTARG" ;;
	q) read -ra qemu_args <<<"$OPTARG" ;;
	r) rc_file=$(realpath "$OPTARG") ;;
	T) tcg=yes ;;
	h) usage 0 ;;
	*) usage 2 >&2 ;;
	esac
done
shift $((OPTIND - 1))
(($#)) || usage 2 >&2
kernel=$1
shift
[[ ${1-} != -- ]] || shift

case $kernel in
test | bench) image=$linux/$kernel/arch/x86/boot/bzImage ;;
base) image=$base/bench/arch/x86/boot/bzImage ;;
*) image=$(realpath -m "$kernel") ;;
esac
[[ -f $image ]] || die "no kernel $image; run make kernel (test), make bench (bench, base)"
name=${name:-$(basename "$kernel")}
# two guests of one name at once would write one log
exec 8>"$build/.lock.boot.$name"
flock -n 8 || name=$name.$$
console=$log/$name.console

# kvm_works: a kernel really got to its root file system within 10 s
kvm_works() (
	local answer=$build/kvm
	locked kvm
	if [[ ! -f $answer ]]; then
		# in a group: the shell tells there, too, if it was aborted
		{
			timeout -k 1 10 qemu-system-x86_64 -accel kvm -cpu host -m 1G -nodefaults \
				-display none -no-reboot -serial file:"$log/kvm.console" -kernel "$image" \
				-append 'console=ttyS0 panic=-1 root=none' || true
		} >"$log/kvm.log" 2>&1 </dev/null
		if grep -qsE 'Unable to mount root|No working init found' "$log/kvm.console"; then
			echo yes
		else
			echo no
		fi >"$answer"
	fi
	[[ $(<"$answer") == yes ]]
)

# programs: files below /usr of what tests start over and over, libraries and links among them
programs() {
	local PATH=/usr/sbin:/usr/bin name
	for name in awk basename bash cat cp cut date dirname env ethtool grep head ip jq ln ls mkdir \
		mktemp mount nft ping python3 readlink rm rmdir sed seq sh sleep sort stat sysctl \
		tail taskset tc timeout tr wc xargs; do
		if type -P "$name"; then
			ldd "$(type -P "$name")"
		fi
	done | grep -oE '/[^ ]+' | sort -u | while read -r name; do
		realpath -s "/usr/${name#/usr}"
		realpath "/usr/${name#/usr}"
	done | sort -u
}

# virtme-ng takes bin/virtme-ng-init of its package where that exists: put ours there
virtme() {
	local package rc=0
	package=$(/usr/bin/python3 -c 'import virtme; print(virtme.__path__[0])')
	# two guests may begin at once, and one must not find half of it
	exec 9>"$build/.lock.virtme"
	flock 9
	if [[ ! $build/virtme/lab -nt $package || ! $build/virtme/lab -nt $lab/guest-init ||
		! $build/virtme/lab -nt $lab/boot.sh ]]; then
		rm -rf "$build/virtme"
		mkdir -p "$build/virtme"
		cp -a "$package" "$build/virtme/virtme"
		install -D "$lab/guest-init" "$build/virtme/virtme/guest/bin/virtme-ng-init"
		programs >"$build/virtme/virtme/guest/bin/programs"
		touch "$build/virtme/lab"
	fi
	exec 9>&-
	# it looks for writable directories from where it stands
	cd /
	PYTHONPATH=$build/virtme timeout --foreground "$limit" virtme-run "$@" || rc=$?
	# it does not take QEMU along, which would keep our pipes
	end_guest
	return "$rc"
}

end_guest() {
	kill "$(cat "$build/$name.pid" 2>/dev/null)" 2>/dev/null || true
}

if [[ -z $tcg ]] && kvm_works; then
	accel=()
else
	accel=(--disable-kvm --qemu-opt=-cpu --qemu-opt=max)
fi
args=(--kimg "$image" --mods none --force-9p "${accel[@]}"
	--cpus "$cpus" --memory "$memory" --rwdir "$build")
for dir in /etc /tmp /root /home; do
	args+=(--overlay-rwdir "$dir")
done
# a kernel without a block layer wants root= to be a name like this
for option in root=/dev/root \
	rootflags=version=9p2000.L,trans=virtio,access=any,cache=loose,msize=262144 \
	"lab_modules=${image%/arch/*}/modules" nokaslr no_timer_check printk.devkmsg=on ignore_loglevel \
	fb_tunnels=none bonding.max_bonds=0 dummy.numdummies=0 ifb.numifbs=0 "${kernel_args[@]}"; do
	args+=(--kopt "$option")
done
# of six serial devices each has one port, and each port polled costs with every request
args+=(--qemu-opt=-global --qemu-opt=virtio-serial-device.max_ports=2)
args+=("${qemu_args[@]/#/--qemu-opt=}")
# whatever ends this script ends the guest
args+=(--qemu-opt=-pidfile "--qemu-opt=$build/$name.pid")
# that of a guest which was killed may be somebody else's number by now
rm -f "$build/$name.pid"
trap end_guest EXIT

if (($# == 0)); then
	[[ -z $rc_file ]] || args+=(--kopt "lab_rc=$rc_file")
	limit=0 virtme "${args[@]}" 2>"$console"
	exit
fi

# A kernel command line is short: the guest finds its command in a file
command=$build/$name.command
printf 'cd %q\n' "$PWD" >"$command"
(($# == 1)) && printf '%s\n' "$1" >>"$command" || printf '%q ' "$@" >>"$command"
rc=0
{
	virtme "${args[@]}" --show-boot-console \
		--script-sh "bash $(printf %q "$lab/guest-run") $(printf %q "$command")" \
		2>&1 >&3 </dev/null | sed -u 's/\r$//' >"$console"
} 3>&1 | cat || rc=$?
((rc != 124)) || printf 'error: the guest did not end within %s s\n' "$limit" >&2
if grep -nE "$splats" "$console" >&2; then
	printf 'error: the %s kernel complained, see %s\n' "$name" "${console#"$top"/}" >&2
	((rc)) || rc=99
fi
exit "$rc"
