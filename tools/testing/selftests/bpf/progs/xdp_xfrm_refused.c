// SPDX-License-Identifier: GPL-2.0
/* What the verifier must not accept about flows. */

#include "xdp_xfrm_common.h"
#include <bpf/bpf_core_read.h>
#include "bpf_misc.h"

void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_value);
} flows SEC(".maps");

static __always_inline struct flow_value *value_of(__u32 key)
{
	return bpf_map_lookup_elem(&flows, &key);
}

static __always_inline struct xfrm_xdp_flow *
lookup(struct xdp_md *ctx, struct xfrm_xdp_flow *stale)
{
	struct bpf_xdp_xfrm_opts opts = {};

	return bpf_xdp_xfrm_lookup(ctx, stale, &opts, sizeof(opts));
}

/* The other tests stand for nothing if this does not load. */
SEC("xdp")
__success
int accepted(struct xdp_md *ctx)
{
	struct xfrm_xdp_flow *flow, *old;
	struct flow_value *value;
	__u64 key[5] = {};
	void *data;

	value = value_of(0);
	if (!value)
		return XDP_PASS;
	flow = value->flow;
	if (flow && bpf_xdp_xfrm_output(ctx, flow) == -ESTALE) {
		flow = lookup(ctx, flow);
		if (flow) {
			bpf_xdp_xfrm_output(ctx, flow);
			old = bpf_kptr_xchg(&value->flow, flow);
			if (old)
				bpf_xfrm_xdp_flow_release(old);
		}
	}

	bpf_xdp_xfrm_offer(ctx, key, sizeof(key));
	data = (void *)(long)ctx->data;
	if (data + 1 > (void *)(long)ctx->data_end)
		return XDP_PASS;
	return *(__u8 *)data ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
__failure __msg("Possibly NULL pointer passed to trusted arg1")
int output_null(struct xdp_md *ctx)
{
	return bpf_xdp_xfrm_output(ctx, NULL);
}

SEC("xdp")
__failure __msg("Possibly NULL pointer passed to trusted arg1")
int output_unchecked(struct xdp_md *ctx)
{
	struct flow_value *value = value_of(0);

	return value ? bpf_xdp_xfrm_output(ctx, value->flow) : XDP_PASS;
}

SEC("xdp")
__failure __msg("Possibly NULL pointer passed to trusted arg1")
int output_lookup_unchecked(struct xdp_md *ctx)
{
	return bpf_xdp_xfrm_output(ctx, lookup(ctx, NULL));
}

SEC("xdp")
__failure __msg("R2 must be a rcu pointer")
int output_untrusted(struct xdp_md *ctx)
{
	struct xfrm_xdp_flow *flow;

	flow = bpf_rdonly_cast(ctx, bpf_core_type_id_kernel(struct xfrm_xdp_flow));
	return bpf_xdp_xfrm_output(ctx, flow);
}

SEC("xdp")
__failure __msg("R2 must be a rcu pointer")
int output_walked(struct xdp_md *ctx)
{
	struct flow_value *value = value_of(0);
	struct xfrm_xdp_flow *flow;

	if (!value)
		return XDP_PASS;
	flow = value->flow;
	if (!flow)
		return XDP_PASS;
	/* any pointer that a flow holds, as if it were a flow itself */
	return bpf_xdp_xfrm_output(ctx, (struct xfrm_xdp_flow *)flow->node.next);
}

SEC("xdp")
__failure __msg("arg#1 pointer type STRUCT xfrm_xdp_flow must point to")
int output_memory(struct xdp_md *ctx)
{
	__u64 forged[16] = {};

	return bpf_xdp_xfrm_output(ctx, (struct xfrm_xdp_flow *)forged);
}

SEC("xdp")
__failure __msg("only read is supported")
int flow_write(struct xdp_md *ctx)
{
	struct flow_value *value = value_of(0);
	struct xfrm_xdp_flow *flow;

	if (!value)
		return XDP_PASS;
	flow = value->flow;
	if (flow)
		flow->genid = 0;
	return XDP_PASS;
}

SEC("xdp")
__failure __msg("arg#0 pointer type STRUCT xfrm_xdp_flow must point to")
int release_twice(struct xdp_md *ctx)
{
	struct xfrm_xdp_flow *flow = lookup(ctx, NULL);

	if (!flow)
		return XDP_PASS;
	bpf_xfrm_xdp_flow_release(flow);
	bpf_xfrm_xdp_flow_release(flow);
	return XDP_PASS;
}

SEC("xdp")
__failure __msg("arg#1 pointer type STRUCT xfrm_xdp_flow must point to")
int output_released(struct xdp_md *ctx)
{
	struct xfrm_xdp_flow *flow = lookup(ctx, NULL);

	if (!flow)
		return XDP_PASS;
	bpf_xfrm_xdp_flow_release(flow);
	return bpf_xdp_xfrm_output(ctx, flow);
}

SEC("xdp")
__failure __msg("R1 must be referenced or trusted")
int release_not_acquired(struct xdp_md *ctx)
{
	struct flow_value *value = value_of(0);
	struct xfrm_xdp_flow *flow;

	if (!value)
		return XDP_PASS;
	flow = value->flow;
	if (flow)
		bpf_xfrm_xdp_flow_release(flow);
	return XDP_PASS;
}

SEC("xdp")
__failure __msg("Unreleased reference")
int leak_acquired(struct xdp_md *ctx)
{
	struct flow_value *value = value_of(0);
	struct xfrm_xdp_flow *flow;

	if (!value)
		return XDP_PASS;
	flow = value->flow;
	if (flow)
		flow = bpf_xfrm_xdp_flow_acquire(flow);
	return flow ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
__failure __msg("Unreleased reference")
int leak_lookup(struct xdp_md *ctx)
{
	return lookup(ctx, NULL) ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
__failure __msg("Unreleased reference")
int leak_exchanged(struct xdp_md *ctx)
{
	struct flow_value *value = value_of(0);

	if (value)
		bpf_kptr_xchg(&value->flow, NULL);
	return XDP_PASS;
}

SEC("xdp")
__failure __msg("store to referenced kptr disallowed")
int store_plain(struct xdp_md *ctx)
{
	struct flow_value *value = value_of(0);
	struct xfrm_xdp_flow *flow;

	if (!value)
		return XDP_PASS;
	flow = lookup(ctx, NULL);
	if (!flow)
		return XDP_PASS;
	value->flow = flow;
	bpf_xfrm_xdp_flow_release(flow);
	return XDP_PASS;
}

SEC("xdp")
__failure __msg("R2 must be referenced when passed to release function")
int store_not_acquired(struct xdp_md *ctx)
{
	struct flow_value *from = value_of(0), *to = value_of(1);
	struct xfrm_xdp_flow *flow;

	if (!from || !to)
		return XDP_PASS;
	flow = from->flow;
	if (!flow)
		return XDP_PASS;
	flow = bpf_kptr_xchg(&to->flow, flow);
	if (flow)
		bpf_xfrm_xdp_flow_release(flow);
	return XDP_PASS;
}

/* The kfuncs move the packet: what pointed into it points nowhere. */
SEC("xdp")
__failure __msg("invalid mem access 'scalar'")
int packet_after_output(struct xdp_md *ctx)
{
	struct flow_value *value = value_of(0);
	__u8 *data = (void *)(long)ctx->data;
	struct xfrm_xdp_flow *flow;

	if (!value || (void *)(data + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	flow = value->flow;
	if (!flow)
		return XDP_PASS;
	bpf_xdp_xfrm_output(ctx, flow);
	return *data;
}

SEC("xdp")
__failure __msg("invalid mem access 'scalar'")
int packet_after_input(struct xdp_md *ctx)
{
	struct flow_value *value = value_of(0);
	__u8 *data = (void *)(long)ctx->data;
	struct bpf_xdp_xfrm_sa sa;
	struct xfrm_xdp_flow *flow;

	if (!value || (void *)(data + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	flow = value->flow;
	if (!flow)
		return XDP_PASS;
	bpf_xdp_xfrm_input(ctx, flow, &sa, sizeof(sa));
	return *data;
}

SEC("xdp")
__failure __msg("invalid mem access 'scalar'")
int packet_after_offer(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;
	__u64 key = 0;

	if ((void *)(data + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	bpf_xdp_xfrm_offer(ctx, &key, sizeof(key));
	return *data;
}

SEC("xdp")
__failure __msg("invalid mem access 'scalar'")
int metadata_after_offer(struct xdp_md *ctx)
{
	__u8 *meta = (void *)(long)ctx->data_meta;
	__u64 key = 0;

	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_PASS;
	bpf_xdp_xfrm_offer(ctx, &key, sizeof(key));
	return *meta;
}

__noinline int global_output(struct xdp_md *ctx)
{
	struct flow_value *value = value_of(0);
	struct xfrm_xdp_flow *flow;

	if (!value)
		return 0;
	flow = value->flow;
	return flow ? bpf_xdp_xfrm_output(ctx, flow) : 0;
}

SEC("xdp")
__failure __msg("invalid mem access 'scalar'")
int packet_after_subprog(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;

	if ((void *)(data + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	global_output(ctx);
	return *data;
}

SEC("xdp")
__failure __msg("leads to invalid memory access")
int key_too_long(struct xdp_md *ctx)
{
	__u64 key = 0;

	return bpf_xdp_xfrm_offer(ctx, &key, 32);
}

SEC("xdp")
__failure __msg("leads to invalid memory access")
int key_unbounded(struct xdp_md *ctx)
{
	__u64 key[5] = {};

	return bpf_xdp_xfrm_offer(ctx, key, ctx->rx_queue_index);
}

SEC("xdp")
__failure __msg("leads to invalid memory access")
int opts_too_long(struct xdp_md *ctx)
{
	struct bpf_xdp_xfrm_opts opts = {};
	struct xfrm_xdp_flow *flow;

	flow = bpf_xdp_xfrm_lookup(ctx, NULL, &opts, sizeof(opts) + 1);
	if (flow)
		bpf_xfrm_xdp_flow_release(flow);
	return XDP_PASS;
}

SEC("tc")
__failure __msg("calling kernel function bpf_xdp_xfrm_output is not allowed")
int output_in_tc(struct __sk_buff *skb)
{
	struct flow_value *value = value_of(0);
	struct xfrm_xdp_flow *flow;

	if (!value)
		return 0;
	flow = value->flow;
	return flow ? bpf_xdp_xfrm_output((struct xdp_md *)skb, flow) : 0;
}

SEC("tc")
__failure __msg("calling kernel function bpf_xdp_xfrm_lookup is not allowed")
int lookup_in_tc(struct __sk_buff *skb)
{
	struct xfrm_xdp_flow *flow = lookup((struct xdp_md *)skb, NULL);

	if (flow)
		bpf_xfrm_xdp_flow_release(flow);
	return 0;
}

SEC("socket")
__failure __msg("calling kernel function bpf_xdp_xfrm_offer is not allowed")
int offer_in_socket_filter(struct __sk_buff *skb)
{
	__u64 key = 0;

	return bpf_xdp_xfrm_offer((struct xdp_md *)skb, &key, sizeof(key));
}

SEC("fentry/xfrm_output")
__failure __msg("calling kernel function bpf_xfrm_xdp_flow_acquire is not allowed")
int BPF_PROG(acquire_in_tracing)
{
	struct flow_value *value = value_of(0);
	struct xfrm_xdp_flow *flow;

	if (!value)
		return 0;
	flow = value->flow;
	if (flow)
		flow = bpf_xfrm_xdp_flow_acquire(flow);
	if (flow)
		bpf_xfrm_xdp_flow_release(flow);
	return 0;
}

char _license[] SEC("license") = "GPL";
