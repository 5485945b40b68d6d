// SPDX-License-Identifier: GPL-2.0
/* Flows are for XDP programs and for struct xfrm_xdp_ops: all others are refused.
 * More of them are in xdp_xfrm_refused.c.
 */

#include "xdp_xfrm_common.h"
#include "bpf_misc.h"

#define NOT_ALLOWED(kfunc) __msg("calling kernel function " kfunc " is not allowed")

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_value);
} flows SEC(".maps");

static __always_inline struct xfrm_xdp_flow *flow_of(__u32 key)
{
	struct flow_value *value = bpf_map_lookup_elem(&flows, &key);

	return value ? value->flow : NULL;
}

static __always_inline int offer(void *ctx)
{
	__u64 key = 0;

	return bpf_xdp_xfrm_offer(ctx, &key, sizeof(key));
}

static __always_inline int output(void *ctx)
{
	struct xfrm_xdp_flow *flow = flow_of(0);

	return flow ? bpf_xdp_xfrm_output(ctx, flow) : 0;
}

static __always_inline int acquire(void)
{
	struct xfrm_xdp_flow *flow = flow_of(0);

	if (flow)
		flow = bpf_xfrm_xdp_flow_acquire(flow);
	if (flow)
		bpf_xfrm_xdp_flow_release(flow);
	return 0;
}

SEC("tc")
__failure NOT_ALLOWED("bpf_xdp_xfrm_offer")
int offer_in_tc(struct __sk_buff *ctx)
{
	return offer(ctx);
}

SEC("tc")
__failure NOT_ALLOWED("bpf_xfrm_xdp_flow_acquire")
int acquire_in_tc(struct __sk_buff *ctx)
{
	return acquire();
}

SEC("socket")
__failure NOT_ALLOWED("bpf_xdp_xfrm_output")
int output_in_socket_filter(struct __sk_buff *ctx)
{
	return output(ctx);
}

SEC("cgroup_skb/egress")
__failure NOT_ALLOWED("bpf_xdp_xfrm_output")
int output_in_cgroup(struct __sk_buff *ctx)
{
	return output(ctx);
}

SEC("lwt_xmit")
__failure NOT_ALLOWED("bpf_xdp_xfrm_output")
int output_in_tunnel(struct __sk_buff *ctx)
{
	return output(ctx);
}

SEC("netfilter")
__failure NOT_ALLOWED("bpf_xdp_xfrm_output")
int output_in_netfilter(struct bpf_nf_ctx *ctx)
{
	return output(ctx);
}

SEC("syscall")
__failure NOT_ALLOWED("bpf_xdp_xfrm_offer")
int offer_in_syscall(void *ctx)
{
	return offer(ctx);
}

SEC("syscall")
__failure NOT_ALLOWED("bpf_xfrm_xdp_flow_acquire")
int acquire_in_syscall(void *ctx)
{
	return acquire();
}

SEC("tp_btf/xfrm_xdp_learn")
__failure NOT_ALLOWED("bpf_xfrm_xdp_flow_acquire")
int acquire_in_tracepoint(__u64 *ctx)
{
	return acquire();
}

SEC("fexit/xfrm_output")
__failure NOT_ALLOWED("bpf_xdp_xfrm_output")
int output_in_tracing(__u64 *ctx)
{
	return output(ctx);
}

char _license[] SEC("license") = "GPL";
