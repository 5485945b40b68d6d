// SPDX-License-Identifier: GPL-2.0
/* What the verifier must not accept in the operations. */

#include "xdp_xfrm_common.h"

SEC("struct_ops/output_in_flow_add")
int BPF_PROG(output_in_flow_add, const struct xfrm_xdp_md *md,
	     struct xfrm_xdp_flow *flow)
{
	return bpf_xdp_xfrm_output((struct xdp_md *)ctx, flow);
}

SEC("struct_ops/leak_in_flow_add")
int BPF_PROG(leak_in_flow_add, const struct xfrm_xdp_md *md,
	     struct xfrm_xdp_flow *flow)
{
	return bpf_xfrm_xdp_flow_acquire(flow) ? 0 : -ENOENT;
}

SEC("struct_ops/write_in_flow_add")
int BPF_PROG(write_in_flow_add, struct xfrm_xdp_md *md,
	     struct xfrm_xdp_flow *flow)
{
	md->magic = 0;
	return 0;
}

/* Flows are learned in softirq. */
SEC("struct_ops.s/sleep_in_flow_add")
int BPF_PROG(sleep_in_flow_add, const struct xfrm_xdp_md *md,
	     struct xfrm_xdp_flow *flow)
{
	return 0;
}

SEC(".struct_ops.link")
struct xfrm_xdp_ops output_ops = {
	.flow_add = (void *)output_in_flow_add,
};

SEC(".struct_ops.link")
struct xfrm_xdp_ops leak_ops = {
	.flow_add = (void *)leak_in_flow_add,
};

SEC(".struct_ops.link")
struct xfrm_xdp_ops write_ops = {
	.flow_add = (void *)write_in_flow_add,
};

SEC(".struct_ops.link")
struct xfrm_xdp_ops sleep_ops = {
	.flow_add = (void *)sleep_in_flow_add,
};

char _license[] SEC("license") = "GPL";
