#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# bench.sh: instructions per packet, ours and others', to build/bench.json.
# Both the bench kernel and base, to see what the series costs unused, are booted three times,
# and again until the two lowest counts of every row agree. PACKETS: of each row, 5000 if unset.
. "$(dirname "$0")/common.sh"

packets=${PACKETS-5000}
work=$build/bench
declare -A source=([base]=$base [bench]=$linux)
boots=3
most_boots=8
# for each transformation; a hub has two
unused_limit=10
refused_limit=5
spread_limit=20

# guest: the program that generates and counts
guest() {
	clang-19 -O2 -g -Wall -target bpf -I/usr/include/x86_64-linux-gnu \
		-c "$lab/bench/bench.bpf.c" -o "$work/guest/bench.bpf.o" &&
		bpftool gen skeleton "$work/guest/bench.bpf.o" name bench_bpf >"$work/guest/bench.skel.h" &&
		gcc -O2 -Wall -I"$work/guest" "$lab"/bench/{bench,esp}.c -o "$work/guest/bench" -lbpf
}

# tool: xdp_xfrm, whose XDP program is the one measured
tool() {
	make -C "$linux/samples/bpf/xdp_xfrm" "OUTPUT=$work/xdp_xfrm" \
		CLANG=clang-19 LLVM_STRIP=llvm-strip-19
}

# install_program ROOT FILE: with the libraries it is linked to, if any
install_program() {
	local library
	cp "$2" "$1/bin/"
	{ ldd "$2" || true; } | grep -o '/[^ ]*' | while read -r library; do
		install -D "$library" "$1$library"
	done
}

# image KERNEL SOURCE: its modules and an initramfs
image() {
	local dir=$work/$1 root=$work/$1/root name
	rm -rf "$dir"
	mkdir -p "$dir/modules" "$root"/{bin,dev,proc,sys}
	cp "$lab"/bench/{sink,cipher}.c "$dir/modules/"
	echo 'obj-m := sink.o cipher.o' >"$dir/modules/Makefile"
	make -C "$2" O=bench "CC=ccache gcc" M="$dir/modules" modules || return
	cp "$dir"/modules/{sink,cipher}.ko "$lab/bench/init" "$root/"
	for name in "$work/guest/bench" "$(command -v ip)" "$(command -v busybox)"; do
		install_program "$root" "$name" || return
	done
	[[ $1 == base ]] || install_program "$root" "$work/xdp_xfrm/xdp_xfrm" || return
	for name in sh cat awk insmod rmmod mount reboot; do
		ln -s busybox "$root/bin/$name"
	done
	(cd "$root" && find . | cpio --quiet -o -H newc) >"$dir/initramfs"
}

# boot KERNEL SOURCE RUN
boot() {
	local out=$work/$1/run.$3
	timeout 600 qemu-system-x86_64 -accel tcg -icount shift=0,sleep=off \
		-cpu max,-fsrm,-erms -smp 1 -m 1G -nographic -nodefaults -serial stdio -no-reboot \
		-kernel "$2/bench/arch/x86/boot/bzImage" -initrd "$work/$1/initramfs" \
		-append "console=ttyS0 quiet panic=-1 rdinit=/init packets=$packets" | tr -d '\r' >"$out"
	if ! grep -qx end "$out"; then
		cat "$out"
		return 1
	fi
}

# rows BOOTS: the least of the boots, for what disturbs only adds, as one JSON array, with how far
# it is from the next
rows() {
	local kernel run
	for kernel in base bench; do
		for ((run = 1; run <= $1; run++)); do
			sed -n "s/^row /$kernel /p" "$work/$kernel/run.$run"
		done
	done | jq -nR '
		[inputs / " " | {kernel: .[0], path: .[1], direction: .[2], family: "ipv4",
			cipher: .[3], size: (.[4] | tonumber), net: (.[5] | tonumber)}]
		| group_by([.kernel, .direction, .path, .cipher, .size])
		| map(map(.net) as $net | .[0] + {net: ($net | min), spread: ($net | sort | .[1] - .[0])})'
}

# spread: of the row whose two lowest counts differ most
spread() {
	jq 'map(.spread) | max' "$work/rows.json"
}

table() {
	jq -r '
		["direction", "path", "cipher", "64", "512", "1400", "spread"],
		([.[] | select(.kernel == "bench")] | group_by([.direction, .path, .cipher])[]
			| [.[0].direction, .[0].path, .[0].cipher, (map(.net) | .[]), (map(.spread) | max)]) | @tsv' \
		"$work/rows.json" |
		awk '{ printf "%-9s %-14s %-12s %7s %7s %7s %8s\n", $1, $2, $3, $4, $5, $6, $7 }'
}

# unused: the stack without the series, with it but nothing loaded, the difference
unused() {
	jq -r '
		["cipher", "size", "without", "with", "difference"],
		([.[] | select(.path == "stack")] | group_by([.direction, .cipher, .size])[]
			| map({key: .kernel, value: .}) | from_entries
			| [.base.direction + "," + .base.cipher, .base.size, .base.net, .bench.net, .bench.net - .base.net]) | @tsv' \
		"$work/rows.json" |
		awk '{ printf "%-15s %5s %8s %8s %11s\n", $1, $2, $3, $4, $5 }'
}

# refused: the stack, the stack behind XDP that can't learn the flow, the difference
refused() {
	jq -r '
		["cipher", "size", "stack", "refused", "percent"],
		([.[] | select(.kernel == "bench" and .direction == "out" and
				(.path | startswith("stack")) and .cipher != "none")]
			| group_by([.cipher, .size])[]
			| map({key: .path, value: .}) | from_entries
			| [.stack.cipher, .stack.size, .stack.net, ."stack-refused".net,
				((."stack-refused".net / .stack.net - 1) * 1000 | round / 10)]) | @tsv' \
		"$work/rows.json" |
		awk '{ printf "%-12s %5s %8s %8s %8s\n", $1, $2, $3, $4, $5 }'
}

"$lab/kernel.sh" base
"$lab/kernel.sh" bench
locked count
mkdir -p "$work/guest"
step "building the generator" "$log/bench.guest.log" guest
step "building xdp_xfrm" "$log/bench.tool.log" tool
for kernel in base bench; do
	step "packing the $kernel guest" "$log/bench.$kernel.image.log" \
		image "$kernel" "${source[$kernel]}"
done
for ((run = 1; run <= most_boots; run++)); do
	for kernel in base bench; do
		step "counting on $kernel, boot $run" "$log/bench.$kernel.run.log" \
			boot "$kernel" "${source[$kernel]}" "$run"
	done
	((run >= boots)) || continue
	rows "$run" >"$work/rows.json"
	(($(spread) > spread_limit)) || break
done

printf '\nInstructions per packet, net of the generator, by inner length\n'
table
printf '\nThe stack with the series built in and nothing loaded\n'
unused
printf '\nA flow that XDP offers and that is not learned\n'
refused
(($(spread) <= spread_limit)) ||
	die "two boots differ by $(spread) instructions a packet; compare build/bench/*/run.*"
# no hook asks for the length: the mean of the three
worst=$(unused | awk 'NR > 1 { sum[$1] += $5; n[$1] += 1 + /^hub/ }
	END { for (row in sum) if (sum[row] / n[row] > worst) worst = sum[row] / n[row]; printf "%.1f", worst }')
awk "BEGIN { exit $worst > $unused_limit }" ||
	die "unused, the series costs the stack $worst instructions a packet and transformation; $unused_limit is the limit"
worst=$(refused | awk 'NR > 1 && $5 > worst { worst = $5 } END { print worst + 0 }')
awk "BEGIN { exit $worst > $refused_limit }" ||
	die "a flow that is not learned costs the stack $worst % more; $refused_limit % is the limit"
mv "$work/rows.json" "$build/bench.json"
