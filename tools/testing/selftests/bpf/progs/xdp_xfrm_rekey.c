// SPDX-License-Identifier: GPL-2.0
/* The way in, one flow of ESP packets and one of what is inside; both are used for
 * the states to come by bpf_xdp_xfrm_lookup().
 */

#include "xdp_xfrm_common.h"

/* The same in prog_tests/xdp_xfrm_rekey.c */
enum { OUTER, INNER, N_FLOWS };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, N_FLOWS);
	__type(key, __u32);
	__type(value, struct flow_value);
} kept SEC(".maps");

__u32 sa_sz = BPF_XDP_XFRM_SA_SZ;
int input_ret;
/* What lookup() said, 1 if it was not asked */
int outer_error;
int inner_error;
int offer_ret;
__u64 added;

static __always_inline bool is_esp(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *iph = (void *)(eth + 1);

	return (void *)(iph + 1) <= (void *)(long)ctx->data_end &&
	       eth->h_proto == bpf_htons(ETH_P_IP) &&
	       iph->protocol == IPPROTO_ESP;
}

static __always_inline int offer(struct xdp_md *ctx, __u32 which)
{
	offer_ret = bpf_xdp_xfrm_offer(ctx, &which, sizeof(which));
	return XDP_PASS;
}

/* What is there instead of a flow; kept. */
static __always_inline struct xfrm_xdp_flow *again(struct xdp_md *ctx,
						   struct flow_value *value,
						   struct xfrm_xdp_flow *flow,
						   int *error)
{
	struct bpf_xdp_xfrm_opts opts = {};

	flow = bpf_xdp_xfrm_lookup(ctx, flow, &opts, sizeof(opts));
	*error = opts.error;
	if (!flow)
		return NULL;
	flow = bpf_kptr_xchg(&value->flow, flow);
	if (flow)
		bpf_xfrm_xdp_flow_release(flow);
	return value->flow;
}

static __always_inline int decrypt(struct xdp_md *ctx)
{
	union {
		struct bpf_xdp_xfrm_sa sa;
		__u8 memory[16];
	} out = {};
	struct xfrm_xdp_flow *flow;
	struct flow_value *value;
	__u32 key = OUTER;
	__u32 sz = sa_sz;

	value = bpf_map_lookup_elem(&kept, &key);
	flow = value ? value->flow : NULL;
	if (!flow || sz > sizeof(out))
		return -ENOENT;

	input_ret = bpf_xdp_xfrm_input(ctx, flow, &out.sa, sz);
	if (input_ret != -ENOENT)
		return input_ret;
	flow = again(ctx, value, flow, &outer_error);
	return flow ? bpf_xdp_xfrm_input(ctx, flow, &out.sa, sz) : -ENOENT;
}

static __always_inline int forward(struct xdp_md *ctx)
{
	struct xfrm_xdp_flow *flow;
	struct flow_value *value;
	__u32 key = INNER;
	int ret;

	value = bpf_map_lookup_elem(&kept, &key);
	flow = value ? value->flow : NULL;
	if (!flow)
		return -ENOENT;

	ret = bpf_xdp_xfrm_output(ctx, flow);
	if (ret != -EACCES)
		return ret;
	flow = again(ctx, value, flow, &inner_error);
	return flow ? bpf_xdp_xfrm_output(ctx, flow) : -ENOENT;
}

SEC("xdp")
int gateway(struct xdp_md *ctx)
{
	int ret;

	if (!is_esp(ctx))
		return XDP_PASS;

	ret = decrypt(ctx);
	if (!ret)
		return XDP_DROP;
	if (ret < 0)
		return offer(ctx, OUTER);

	ret = forward(ctx);
	if (!ret)
		return XDP_DROP;
	return ret > 0 ? bpf_redirect(ret, 0) : offer(ctx, INNER);
}

static __always_inline int ask(struct xdp_md *ctx, __u32 key, int *error)
{
	struct xfrm_xdp_flow *flow;
	struct flow_value *value;

	value = bpf_map_lookup_elem(&kept, &key);
	flow = value ? value->flow : NULL;
	if (flow)
		again(ctx, value, flow, error);
	return XDP_DROP;
}

SEC("xdp")
int ask_outer(struct xdp_md *ctx)
{
	return ask(ctx, OUTER, &outer_error);
}

SEC("xdp")
int ask_inner(struct xdp_md *ctx)
{
	return ask(ctx, INNER, &inner_error);
}

SEC("xdp")
int offer_outer(struct xdp_md *ctx)
{
	offer(ctx, OUTER);
	return XDP_DROP;
}

/* A veth takes redirected frames only if its peer has a program. */
SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("struct_ops/flow_add")
int BPF_PROG(flow_add, const struct xfrm_xdp_md *md, struct xfrm_xdp_flow *flow)
{
	struct flow_value *value;
	__u32 key;

	__builtin_memcpy(&key, (const void *)md->key, sizeof(key));
	value = bpf_map_lookup_elem(&kept, &key);
	if (!value)
		return -ENOENT;
	flow = bpf_xfrm_xdp_flow_acquire(flow);
	if (!flow)
		return -ENOENT;
	flow = bpf_kptr_xchg(&value->flow, flow);
	if (flow)
		bpf_xfrm_xdp_flow_release(flow);
	__sync_fetch_and_add(&added, 1);
	return 0;
}

SEC(".struct_ops.link")
struct xfrm_xdp_ops learn = {
	.flow_add = (void *)flow_add,
};

char _license[] SEC("license") = "GPL";
