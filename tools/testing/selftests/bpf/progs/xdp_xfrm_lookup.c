// SPDX-License-Identifier: GPL-2.0
/* Programs with a policy of their own: nothing is learned, XFRM is asked. */

#include "xdp_xfrm_common.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_value);
} kept SEC(".maps");

/* in */
__u32 mark;
__u32 if_id;
__u32 reserved;
__u32 opts_sz;
int shrink_headroom;

/* out */
int error;
int output_ret;
bool found;

static __always_inline struct flow_value *kept_value(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&kept, &zero);
}

static __always_inline void keep(struct flow_value *value,
				 struct xfrm_xdp_flow *flow)
{
	flow = bpf_kptr_xchg(&value->flow, flow);
	if (flow)
		bpf_xfrm_xdp_flow_release(flow);
}

/* What XFRM says about this packet; the flow is kept. */
SEC("xdp")
int lookup(struct xdp_md *ctx)
{
	union {
		struct bpf_xdp_xfrm_opts opts;
		__u8 memory[32];
	} in = {};
	struct flow_value *value = kept_value();
	struct xfrm_xdp_flow *flow;
	__u32 sz = opts_sz;

	if (!value || sz > sizeof(in))
		return XDP_ABORTED;

	in.opts.error = 1;
	in.opts.mark = mark;
	in.opts.if_id = if_id;
	in.opts.reserved = reserved;
	flow = bpf_xdp_xfrm_lookup(ctx, NULL, &in.opts, sz);
	error = in.opts.error;
	found = flow;
	if (flow)
		keep(value, flow);
	return XDP_DROP;
}

/* The same with the flow kept: what it is now. */
SEC("xdp")
int lookup_again(struct xdp_md *ctx)
{
	struct bpf_xdp_xfrm_opts opts = {};
	struct flow_value *value = kept_value();
	struct xfrm_xdp_flow *flow;

	if (!value)
		return XDP_ABORTED;
	flow = value->flow;
	if (!flow)
		return XDP_ABORTED;

	flow = bpf_xdp_xfrm_lookup(ctx, flow, &opts, sizeof(opts));
	error = opts.error;
	found = flow;
	if (flow)
		keep(value, flow);
	return XDP_DROP;
}

SEC("xdp.frags")
int output(struct xdp_md *ctx)
{
	struct flow_value *value = kept_value();
	struct xfrm_xdp_flow *flow;

	if (!value || (shrink_headroom && !move_forward(ctx, shrink_headroom)))
		return XDP_ABORTED;
	flow = value->flow;
	if (!flow)
		return XDP_ABORTED;

	output_ret = bpf_xdp_xfrm_output(ctx, flow);
	if (output_ret > 0)
		return bpf_redirect(output_ret, 0);
	return XDP_DROP;
}

/* All in one go, the flow is not kept. */
SEC("xdp")
int forward(struct xdp_md *ctx)
{
	struct bpf_xdp_xfrm_opts opts = {};
	struct xfrm_xdp_flow *flow;

	flow = bpf_xdp_xfrm_lookup(ctx, NULL, &opts, sizeof(opts));
	error = opts.error;
	if (!flow)
		return XDP_DROP;
	output_ret = bpf_xdp_xfrm_output(ctx, flow);
	bpf_xfrm_xdp_flow_release(flow);
	if (output_ret > 0)
		return bpf_redirect(output_ret, 0);
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
