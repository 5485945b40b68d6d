#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# kernel.sh test|bench|uml|base|patch [TARGET...]: configure and build one kernel of the lab.
# base is the bench kernel from the unpatched source, to compare with; patch the one
# of a part of the series, which lab/series-check.sh puts into build/patch; TARGETs are
# its alone.
. "$(dirname "$0")/common.sh"

kernel=${1-}
case $kernel in
test) fragments=(common net x86 test) ;;
bench | base) fragments=(common net x86 bench) ;;
patch) fragments=(common patch) ;;
uml) fragments=(common uml) ;;
*) die "kernel.sh: no kernel '$kernel'; there are test, bench, uml, base and patch" ;;
esac

"$lab/tree.sh"
source=$linux
dir=$kernel
targets=(bzImage modules)
case $kernel in
base | patch)
	# built in bench/ as well: the same paths, the same ccache entries
	source=$build/$kernel
	dir=bench
	[[ $kernel == base ]] || targets=("${@:2}")
	;;
uml)
	targets=(linux)
	;;
esac
out=$source/$dir
make=(make "-j$(nproc)" "O=$dir" "CC=ccache gcc" "HOSTCC=ccache gcc")
[[ $kernel != uml ]] || make+=(ARCH=um)
# debug information is there for BTF and lines: where each variable is takes a fifth of the time
[[ $kernel != test && $kernel != bench && $kernel != base ]] || make+=(KCFLAGS=-fno-var-tracking)
[[ $kernel != patch ]] || make+=(W=1)
# KASAN watches what the series changes and calls. Memory management, file systems and what else
# watches the kernel (lockdep, the unwinder ...) go without it: far fewer instructions a process
# shellcheck disable=SC2016 # make's own variables
[[ $kernel != test ]] ||
	make+=('KASAN_SANITIZE=$(if $(filter $(KASAN_DIRS),$(filter-out kernel/entry,$(obj))),,n)'
		'KASAN_DIRS=net net/% drivers/net drivers/net/% kernel kernel/% crypto arch/x86/crypto lib lib/%'
		KASAN_SANITIZE_{debugobjects,extable,lockdep,ref_tracker,stacktrace}.o=n)

# The same objects from every clone: relative paths, no clock, no names. What gcc says of the
# headers is believed: without running the preprocessor first a miss takes a quarter less.
export CCACHE_DEPEND=1 CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$source CCACHE_MAXSIZE=${CCACHE_MAXSIZE-5G}
export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970'
export KBUILD_BUILD_USER=lab KBUILD_BUILD_HOST=lab KBUILD_BUILD_VERSION=1
export LC_ALL=C

# requested: the fragments in one; of this series' symbols those that the tree has
requested() {
	local line own='^CONFIG_(XFRM_XDP|INET6?_ESP_XDP)[A-Z_]*='
	(cd "$lab/config" && cat "${fragments[@]/%/.config}") >"$out/requested"
	grep -Eo "$own" "$out/requested" | while read -r line; do
		line=${line#CONFIG_}
		grep -qrx "config ${line%=}" "$source"/net/{xfrm,ipv4,ipv6} --include='Kconfig*' ||
			sed -i "/^CONFIG_$line/d" "$out/requested"
	done
}

# refused: what was asked for and is not in .config
refused() {
	grep '^CONFIG_' "$out/requested" | grep -v '=n$' | grep -vxFf "$out/.config" || true
	sed -n 's/^\(CONFIG_.*=\)n$/^\1/p' "$out/requested" | grep -f - "$out/.config" || true
}

configure() {
	(cd "$source" && "${make[@]}" allnoconfig KCONFIG_ALLCONFIG="$out/requested")
	[[ -z $(refused) ]] ||
		die "$kernel kernel: Kconfig refuses $(refused | xargs), see the dependencies"
}

compile() {
	cd "$source"
	"${make[@]}" "${targets[@]}"
	# where lab/boot.sh lets the guest find them
	[[ $kernel == uml || $kernel == patch ]] ||
		"${make[@]}" modules_install INSTALL_MOD_PATH="$out/modules"
}

# symbols: what the configuration of a patch depends on, as far as the series changes it
symbols() {
	cat "$out/requested" "$source"/net/{xfrm,ipv4}/Kconfig | sha256sum
}

locked "$kernel"
pristine_copy "$source"
mkdir -p "$out"
requested
stamp=$(cat "$build/stamp" "$out/requested" "$0" | sha256sum)
[[ $kernel != base ]] || stamp=$(cat "$out/requested" "$0" | sha256sum)
# changes under us
[[ $kernel != patch ]] || stamp=
[[ -z $stamp || $stamp != "$(cat "$out/built" 2>/dev/null)" ]] || exit 0
rm -f "$out/built"
if [[ $kernel != patch || $(symbols) != "$(cat "$out/symbols" 2>/dev/null)" ]]; then
	step "configuring the $kernel kernel" "$log/$kernel.config.log" configure
	[[ $kernel != patch ]] || symbols >"$out/symbols"
fi
step "building the $kernel kernel" "$log/$kernel.log" compile
printf '%s\n' "$stamp" >"$out/built"
