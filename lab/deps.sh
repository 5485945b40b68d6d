#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Install what the lab needs and this machine lacks (lab/packages, virtme-ng).
. "$(dirname "$0")/common.sh"

# all kernels and tests; what is left to write once they were built
need_gb=12
need_gb_again=1

check_machine() {
	local id="" free need=$need_gb
	((EUID == 0)) || die "not root; run as root (packages are installed, namespaces made in a guest)"
	[[ ! -r /etc/os-release ]] || id=$(. /etc/os-release && echo "${ID-unknown}${VERSION_ID+ $VERSION_ID}")
	[[ $id == 'debian 12' || -n ${LAB_ANY_DISTRIBUTION-} ]] ||
		die "this is '${id:-unknown}', the lab knows Debian 12; LAB_ANY_DISTRIBUTION=1 tries anyway"
	[[ ! -e $linux/test/vmlinux ]] || need=$need_gb_again
	# in MB: df rounds up
	free=$(($(df --output=avail -BM "$build" | tail -n 1 | tr -dc 0-9) / 1024))
	((free >= need)) || die "$free GB free below $build, $need GB are needed; free some or clone elsewhere"
}

missing() {
	local names
	mapfile -t names < <(sed -e '/^#/d' -e 's/[[:space:]].*//' "$lab/packages")
	# shellcheck disable=SC2016  # dpkg-query's own variables
	printf '%s\n' "${names[@]}" | grep -vxFf <(dpkg-query -W \
		-f '${db:Status-Status} ${Package}\n' "${names[@]}" 2>/dev/null | sed -n 's/^installed //p') || true
}

mirror() {
	# shellcheck disable=SC2016  # apt's own variables
	apt-get indextargets --format '$(REPO_URI)' \
		'Created-By: Packages' 'Codename: bookworm' 'Component: main' | head -n 1
}

install_missing() {
	export DEBIAN_FRONTEND=noninteractive
	apt-get -y --no-install-recommends install "$@"
}

# Debian 12 has no virtme-ng; the next release's needs nothing that 12 lacks
install_virtme() {
	local dir=$build/apt apt
	rm -rf "$dir"
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s trixie main\n' \
		"$(mirror)" >"$dir/sources.list"
	apt=(apt-get -o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=-
		-o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache"
		-o Acquire::Languages=none -o APT::Sandbox::User=root)
	"${apt[@]}" update
	(cd "$dir" && "${apt[@]}" download virtme-ng)
	install_missing "$dir"/virtme-ng_*.deb
	rm -rf "$dir/lists" "$dir/cache"
}

check_machine
mapfile -t names < <(missing)
if ((${#names[@]})); then
	# old lists name files that the mirror no longer has
	step "updating package lists" "$log/apt-update.log" apt-get update
	unknown=$(comm -23 <(printf '%s\n' "${names[@]}" | sort) \
		<(apt-cache madison "${names[@]}" 2>/dev/null | awk '{ print $1 }' | sort -u))
	[[ -z $unknown ]] ||
		die "no apt source has the package ${unknown//$'\n'/ } (build/log/apt-update.log); add bookworm and bookworm-updates, main"
	step "installing packages" "$log/apt-install.log" install_missing "${names[@]}"
fi
if ! command -v virtme-run >/dev/null; then
	[[ -n $(mirror) ]] || step "updating package lists" "$log/apt-update.log" apt-get update
	[[ -n $(mirror) ]] || die "no apt source is a Debian mirror (bookworm, main), where virtme-ng is; add one"
	step "installing virtme-ng" "$log/apt-virtme.log" install_virtme
fi
# the guest mounts its kernel's modules here
mkdir -p /lib/modules
