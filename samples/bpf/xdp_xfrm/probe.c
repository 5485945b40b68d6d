// SPDX-License-Identifier: GPL-2.0
/* Is there what the tool needs? Asked before anything is made. */

#include <errno.h>
#include <unistd.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "tool.h"

int probe_root(void)
{
	if (geteuid())
		return fail("not root", "%s; run it as root", reason(EPERM));
	return 0;
}

int probe_kernel(void)
{
	bool output, ops;
	struct btf *btf;
	int err;

	if (probe_root())
		return -1;

	btf = btf__load_vmlinux_btf();
	err = libbpf_get_error(btf);
	if (err)
		return fail("this kernel",
			    "no type information: %s; build it with CONFIG_DEBUG_INFO_BTF",
			    reason(err));

	output = btf__find_by_name_kind(btf, "bpf_xdp_xfrm_output",
					BTF_KIND_FUNC) > 0;
	ops = btf__find_by_name_kind(btf, "bpf_struct_ops_xfrm_xdp_ops",
				     BTF_KIND_STRUCT) > 0;
	btf__free(btf);

	if (!output)
		return fail("this kernel",
			    "no XFRM for XDP, bpf_xdp_xfrm_output() is missing; build it with CONFIG_XFRM_XDP and CONFIG_BPF_JIT");
	if (!ops)
		return fail("this kernel",
			    "no XFRM for XDP, struct_ops xfrm_xdp_ops is missing; build it with CONFIG_XFRM_XDP and CONFIG_BPF_JIT");
	return 0;
}
