#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Assemble build/linux = Debian's source + patches/series + the overlay.
# Only files whose content changed are written, so only those are built again.
. "$(dirname "$0")/common.sh"

unpack() {
	local tarball=/usr/src/$source_package.tar.xz
	[[ -d $pristine ]] && return
	[[ -f $tarball ]] || die "no $tarball; install the package $source_package"
	rm -rf "$pristine.new"
	mkdir "$pristine.new"
	step "unpacking $source_package" "$log/unpack.log" \
		tar -xJf "$tarball" --strip-components=1 -C "$pristine.new"
	mv "$pristine.new" "$pristine"
}

# Stage the changed files alone: the patched ones, then the overlay
stage() {
	local patch file
	rm -rf "$build/stage" "$build/stage.pc"
	mkdir -p "$build/stage"
	while read -r patch; do
		[[ -f $top/patches/$patch ]] ||
			die "patches/series names $patch, which is not in patches/"
		while read -r file; do
			[[ -e $pristine/$file && ! -e $build/stage/$file ]] || continue
			install -D -m "$(stat -c %a "$pristine/$file")" \
				"$pristine/$file" "$build/stage/$file"
		done < <(touched "$patch")
	done < <(patches)
	quilt_series >"$build/stage.series"
	if [[ -s $build/stage.series ]]; then
		(cd "$build/stage" &&
			QUILT_PC="$build/stage.pc" QUILT_PATCHES="$top/patches" QUILT_SERIES="$build/stage.series" \
				quilt --quiltrc=- push -a --fuzz=0 -q) >"$log/quilt.log" 2>&1 || {
			tail -n 20 "$log/quilt.log" >&2
			die "patches/series does not apply to $source_package, see build/log/quilt.log"
		}
	fi
	overlay_files | rsync -rp --files-from=- "$top/" "$build/stage/"
	rm -rf "$build/stage.pc" "$build/stage.series"
	(cd "$build/stage" && find . -type f -printf '%P\n' | sort) >"$build/changed.new"
}

# What the last assembly changed and this one does not goes back
restore() {
	local file
	touch "$build/changed"
	comm -23 "$build/changed" "$build/changed.new" | while read -r file; do
		rm -f "$linux/$file"
		if [[ -e $pristine/$file ]]; then
			# a new time stamp: make(1) must see that it went back
			cp "$pristine/$file" "$linux/$file"
		else
			rmdir -p --ignore-fail-on-non-empty "$(dirname "$linux/$file")"
		fi
	done
	# should the next step be interrupted, what it wrote is known
	sort -u -o "$build/changed" "$build/changed" "$build/changed.new"
}

inputs() {
	{
		overlay_files
		[[ ! -d $top/patches ]] || (cd "$top" && find patches -type f)
		echo lab/tree.sh lab/common.sh | tr ' ' '\n'
	} | sort | (cd "$top" && xargs -d '\n' sha256sum)
	overlay_files | (cd "$top" && xargs -rd '\n' stat -c '%a %n')
}

locked tree
unpack
pristine_copy "$linux"
stamp=$(inputs | sha256sum)
[[ -f $build/changed && $stamp == "$(cat "$build/stamp" 2>/dev/null)" ]] && exit
stage
restore
rsync -rpc --no-times --files-from=<(cd "$build/stage" && find . -type f -printf '%P\n') \
	"$build/stage/" "$linux/"
mv "$build/changed.new" "$build/changed"
printf '%s\n' "$stamp" >"$build/stamp"
