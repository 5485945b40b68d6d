// SPDX-License-Identifier: GPL-2.0
/* Two sets of operations, with a link and without, and one that lacks what it
 * is there for.
 */

#include "xdp_xfrm_common.h"

SEC("struct_ops/flow_add")
int BPF_PROG(flow_add, const struct xfrm_xdp_md *md, struct xfrm_xdp_flow *flow)
{
	return -ENOENT;
}

SEC(".struct_ops.link")
struct xfrm_xdp_ops first = {
	.flow_add = (void *)flow_add,
};

SEC(".struct_ops.link")
struct xfrm_xdp_ops second = {
	.flow_add = (void *)flow_add,
};

SEC(".struct_ops")
struct xfrm_xdp_ops without_link = {
	.flow_add = (void *)flow_add,
};

SEC(".struct_ops.link")
struct xfrm_xdp_ops empty = {};

char _license[] SEC("license") = "GPL";
