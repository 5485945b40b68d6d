// SPDX-License-Identifier: GPL-2.0
/* What the verifier must refuse about flows, and why it says it does. */

#include <test_progs.h>
#include "xdp_xfrm_refused.skel.h"
#include "xdp_xfrm_ops_refused.skel.h"

/* libbpf loads the programs of all operations that it creates: create one. */
static void ops_refused(const char *ops, const char *prog, const char *message)
{
	struct xdp_xfrm_ops_refused *skel;
	char log[8192] = {};
	struct bpf_map *map;

	if (!test__start_subtest(ops))
		return;
	skel = xdp_xfrm_ops_refused__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return;

	bpf_object__for_each_map(map, skel->obj)
		bpf_map__set_autocreate(map, !strcmp(bpf_map__name(map), ops));
	bpf_program__set_log_buf(bpf_object__find_program_by_name(skel->obj, prog),
				 log, sizeof(log));
	ASSERT_ERR(xdp_xfrm_ops_refused__load(skel), "load");
	ASSERT_HAS_SUBSTR(log, message, "log");
	xdp_xfrm_ops_refused__destroy(skel);
}

void test_xdp_xfrm_verifier(void)
{
	RUN_TESTS(xdp_xfrm_refused);

	ops_refused("output_ops", "output_in_flow_add",
		    "calling kernel function bpf_xdp_xfrm_output is not allowed");
	ops_refused("leak_ops", "leak_in_flow_add", "Unreleased reference");
	ops_refused("write_ops", "write_in_flow_add", "only read is supported");
	ops_refused("sleep_ops", "sleep_in_flow_add",
		    "attach to unsupported member flow_add");
}
