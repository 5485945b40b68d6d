# SPDX-License-Identifier: GPL-2.0
# The front door. Everything generated lives in build/.

.PHONY: help deps assemble kernel uml demo check soak twin rekey stress series series-check bench shell clean
.DEFAULT_GOAL := help

help:
	@echo 'As root on Debian 12, each does all of its own set-up:'
	@echo '  make demo          an IPsec gateway in XDP, both ways, from IKE to the wire, in a guest'
	@echo '  make check         tests: KUnit, BPF selftests, shell-level tests; make soak has the long ones'
	@echo '  make soak          tests that take minutes each: load, churn, the tool interrupted'
	@echo '  make twin          the same frames with and without the fast path, all compared'
	@echo '  make rekey         IKE rekeys and moves under traffic, stack and fast path compared'
	@echo '  make stress        10000 flows under nft commits, a flood, a full link; build/stress.json'
	@echo '  make shell         the topology of the tests, booted, and a prompt in it'
	@echo '  make bench         instructions per packet: stack, plain XDP, this; build/bench.json'
	@echo 'Pieces:'
	@echo '  make deps          install what is missing (lab/packages, virtme-ng)'
	@echo '  make assemble      build/linux: Debian source + patches/series + overlay'
	@echo '  make kernel        the test kernel, and the xdp_xfrm tool'
	@echo '  make uml           the User Mode Linux kernel of KUnit'
	@echo '  make series        build/series: the mails, verified against build/linux'
	@echo '  make series-check  every patch builds (long, by hand)'
	@echo '  make clean         remove build/'
	@echo 'By hand:'
	@echo '  lab/boot.sh -h     boot a kernel, run a command in it'
	@echo '  lab/profile.sh -h  where the instructions of the bench go, by function'
	@echo '  lab/upstream.sh base bench'
	@echo "                     Linux's own XDP and XFRM tests, unpatched beside patched"
	@echo '  lab/quilt ARGS     quilt on the series: new, add, edit, refresh, push, pop'

deps:
	@lab/deps.sh

assemble: deps
	@lab/tree.sh

kernel: deps
	@lab/kernel.sh test
	@lab/tool.sh

uml: deps
	@lab/kernel.sh uml

# without the debug options: the demo is to be done in a minute under TCG
demo: deps
	@lab/kernel.sh bench
	@lab/tool.sh
	@KERNEL=bench lab/demo.sh

check: deps
	@lab/check.sh

soak: deps
	@lab/check.sh soak

twin: deps
	@lab/kernel.sh test
	@lab/tool.sh
	@lab/twin.sh

rekey: deps
	@lab/rekey.sh

stress: deps
	@lab/stress.sh

series: deps
	@lab/series.sh

series-check: deps
	@lab/series.sh
	@lab/series-check.sh

bench: deps
	@lab/bench.sh

shell: deps
	@lab/shell.sh

clean:
	rm -rf build

.DEFAULT:
	@echo "error: no target '$@'; make help has them" >&2
	@false
