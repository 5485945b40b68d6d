#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# patches/ + overlay -> build/series/*.patch, and the proof that `git am` on
# Debian's source gives the assembled tree.
. "$(dirname "$0")/common.sh"
shopt -s inherit_errexit

repo=$build/series.git
mails=$build/series
prefix='PATCH 6.12'

# A patch file is a mail: header lines, an empty line, the message, the diff.
# Header lines "Adds: PATH" name overlay files that come with it; a PATH that ends
# in / is every file below.
field() {
	sed -n -e '/^$/q' -e "s/^$2:[[:space:]]*//p" "$top/patches/$1"
}

body() {
	sed -e '1,/^$/d' "$top/patches/$1" | sed -e '/^---$/,$d' -e '/^diff /,$d' -e '/^--- /,$d' -e '/^Index: /,$d'
}

added() {
	field "$1" Adds | while read -r path; do
		if [[ $path == */ ]]; then
			overlay_files | grep "^$path" || die "patches/$1 adds $path, where the clone has no file"
		else
			[[ -f $top/$path ]] || die "patches/$1 adds $path, which the clone does not have"
			printf '%s\n' "$path"
		fi
	done
}

# Each overlay file comes with exactly one patch
check_named() {
	local names patch
	for patch in $(patches); do
		[[ -n $(field "$patch" Subject) ]] || die "patches/$patch has no Subject:"
		[[ -n $(field "$patch" From) ]] || die "patches/$patch has no From:"
	done
	names=$(for patch in $(patches); do added "$patch"; done | sort)
	[[ -z $(uniq -d <<<"$names") ]] ||
		die "added by two patches: $(uniq -d <<<"$names" | xargs)"
	names=$(comm -13 <(printf '%s\n' "$names") <(overlay_files))
	[[ -z $names ]] || die "no patch has an Adds: line for $(xargs <<<"$names")"
}

git_() {
	git -C "$repo" -c core.autocrlf=false -c commit.gpgsign=false -c core.hooksPath=/dev/null "$@"
}

# A repository of the touched files alone
start_repo() {
	local patch
	rm -rf "$repo"
	mkdir -p "$repo"
	git_ init -q -b base
	for patch in $(patches); do touched "$patch"; done | sort -u | while read -r file; do
		[[ ! -e $pristine/$file ]] || install -D -m "$(stat -c %a "$pristine/$file")" "$pristine/$file" "$repo/$file"
	done
	git_ add -A
	git_ commit -q --allow-empty -m "$source_package"
	git_ branch -q start
}

commit_patch() {
	local patch=$1
	if [[ -n $(touched "$patch") ]]; then
		git_ apply --index --whitespace=nowarn "$top/patches/$patch" ||
			die "patches/$patch does not apply"
	fi
	added "$patch" | while read -r file; do
		install -D -m "$(stat -c %a "$top/$file")" "$top/$file" "$repo/$file"
		git_ add "$file"
	done
	{
		field "$patch" Subject
		echo
		body "$patch"
	} | git_ commit -q --author="$(field "$patch" From)" -F -
}

write_mails() {
	rm -rf "$mails"
	git_ format-patch -q --cover-letter --subject-prefix="$prefix" -o "$mails" start..base
	[[ -f $top/patches/cover-letter ]] || die "no patches/cover-letter (first line: the subject)"
	python3 - "$mails"/0000-cover-letter.patch "$top/patches/cover-letter" <<-'EOF'
	import sys
	mail, cover = sys.argv[1:]
	subject, _, blurb = open(cover).read().partition("\n")
	text = open(mail).read().replace("*** SUBJECT HERE ***", subject)
	open(mail, "w").write(text.replace("*** BLURB HERE ***", blurb.strip()))
	EOF
}

# git am on the pristine files gives what build/linux is built from
verify() {
	local file
	git_ checkout -q -b applied start
	git_ am -q "${numbered[@]}"
	git_ diff --name-only start applied | sort | diff "$build/changed" - >&2 ||
		die "git am touches other files than the assembled tree"
	while read -r file; do
		cmp "$repo/$file" "$linux/$file" >&2 || die "git am gives another $file than the assembled tree"
		[[ $(stat -c %A "$repo/$file" | cut -c4) == "$(stat -c %A "$linux/$file" | cut -c4)" ]] ||
			die "git am gives another mode of $file than the assembled tree"
	done <"$build/changed"
}

# complaints MAIL: what checkpatch says and lab/checkpatch.accepted does not accept
complaints() {
	(cd "$build" && perl "$linux/scripts/checkpatch.pl" --root="$linux" --strict --terse \
		--show-types --showfile --no-summary "$1" || (($? == 1))) |
		while IFS= read -r line; do
			accepted "$line" || printf '%s\n' "$line"
		done
}

# The file's lines: TYPE PATH-PATTERN reason
accepted() {
	local type pattern reason
	while read -r type pattern reason; do
		[[ -n $reason ]] || continue
		# shellcheck disable=SC2053
		[[ $1 == *":$type: "* && $1 == $pattern* ]] && return
	done < <(sed '/^#/d' "$lab/checkpatch.accepted")
	return 1
}

table() {
	local mail bad=0 found numbers subjects
	mapfile -t subjects < <(git_ log --reverse --format=%s start..base)
	printf '%4s  %-62s %5s %6s %6s  %s\n' nr subject files + - checkpatch
	for mail in "${numbered[@]}"; do
		found=$(complaints "$mail")
		[[ -z $found ]] || bad=1
		read -ra numbers < <(git apply --numstat "$mail" | awk '{f++; a += $1; d += $2} END {print f, a, d}')
		printf '%4s  %-62.62s %5s %6s %6s  %s\n' \
			"$(basename "$mail" | cut -c1-4)" \
			"${subjects[0]}" \
			"${numbers[@]}" \
			"$(if [[ -z $found ]]; then echo clean; else wc -l <<<"$found"; fi)"
		[[ -z $found ]] || printf '%s\n' "$found" >&2
		subjects=("${subjects[@]:1}")
	done
	((!bad)) || die "checkpatch complains; mend it, or accept it by name and reason in lab/checkpatch.accepted"
}

"$lab/tree.sh"
locked series
[[ -n $(patches) ]] || die "patches/series is empty"
check_named
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
author=$(field "$(patches | head -n 1)" From)
export GIT_COMMITTER_NAME=${author% <*} GIT_COMMITTER_EMAIL=${author##*<}
GIT_COMMITTER_EMAIL=${GIT_COMMITTER_EMAIL%>}
export GIT_AUTHOR_NAME=$GIT_COMMITTER_NAME GIT_AUTHOR_EMAIL=$GIT_COMMITTER_EMAIL
GIT_AUTHOR_DATE=$(git -C "$top" log -1 --format=%cD 2>/dev/null || date -R)
export GIT_AUTHOR_DATE GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
start_repo
for patch in $(patches); do
	commit_patch "$patch"
done
write_mails
numbered=("$mails"/*.patch)
# without the cover letter
numbered=("${numbered[@]:1}")
verify
table
printf '%s mails in build/series; git am gives the assembled tree\n' "$(patches | wc -l)"
