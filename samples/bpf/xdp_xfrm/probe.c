// SPDX-License-Identifier: GPL-2.0
/* Is there what the tool needs? Asked before anything is made. */

#include <errno.h>
#include <unistd.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "tool.h"

#define BTF_FILE	"/sys/kernel/btf/vmlinux"

int probe_root(void)
{
	if (geteuid())
		return fail("not root", "%s; run it as root", reason(EPERM));
	return 0;
}

int probe_kernel(void)
{
	if (probe_root())
		return -1;
	if (access(STAT_FILE, F_OK))
		return fail("this kernel",
			    "no XFRM for XDP: %s: %s; build it with CONFIG_XFRM_XDP, and mount /proc",
			    STAT_FILE, reason(errno));
	if (access(BTF_FILE, F_OK))
		return fail("this kernel",
			    "no type information: %s: %s; build it with CONFIG_DEBUG_INFO_BTF, and mount /sys",
			    BTF_FILE, reason(errno));
	return 0;
}

/* Does the kernel have what the BPF objects refer to? Asked when they could not
 * be loaded: libbpf reads the types as well, and that takes a while.
 */
int probe_types(void)
{
	bool output, ops;
	struct btf *btf;

	btf = btf__load_vmlinux_btf();
	if (libbpf_get_error(btf))
		return 0;
	output = btf__find_by_name_kind(btf, "bpf_xdp_xfrm_output",
					BTF_KIND_FUNC) > 0;
	ops = btf__find_by_name_kind(btf, "bpf_struct_ops_xfrm_xdp_ops",
				     BTF_KIND_STRUCT) > 0;
	btf__free(btf);

	if (output && ops)
		return 0;
	return fail("this kernel",
		    "BPF programs cannot use XFRM, %s is missing; build it with CONFIG_BPF_JIT",
		    output ? "struct xfrm_xdp_ops" : "bpf_xdp_xfrm_output()");
}
