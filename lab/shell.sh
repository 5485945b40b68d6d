#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# make shell: the topology of the tests, booted, and a prompt in it.
. "$(dirname "$0")/common.sh"

[[ -t 0 ]] || die "make shell wants a terminal; lab/boot.sh test -- COMMAND runs one command"
"$lab/kernel.sh" bench
"$lab/tool.sh"
exec "$lab/boot.sh" -r "$lab/shell.rc" bench
