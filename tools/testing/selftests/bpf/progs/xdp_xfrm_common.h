/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _XDP_XFRM_COMMON_H
#define _XDP_XFRM_COMMON_H

#define BPF_NO_KFUNC_PROTOTYPES
#include <vmlinux.h>
#include <errno.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define ETH_P_IP	0x0800
#define ETH_IP_UDP_LEN	42

int bpf_xdp_xfrm_offer(struct xdp_md *ctx, const void *key, __u32 key__sz) __ksym;
int bpf_xdp_xfrm_input(struct xdp_md *ctx, struct xfrm_xdp_flow *flow,
		       struct bpf_xdp_xfrm_sa *sa, __u32 sa__sz) __ksym;
int bpf_xdp_xfrm_output(struct xdp_md *ctx, struct xfrm_xdp_flow *flow) __ksym;
struct xfrm_xdp_flow *
bpf_xdp_xfrm_lookup(struct xdp_md *ctx, struct xfrm_xdp_flow *flow__nullable,
		    struct bpf_xdp_xfrm_opts *opts, __u32 opts__sz) __ksym;
struct xfrm_xdp_flow *
bpf_xfrm_xdp_flow_acquire(struct xfrm_xdp_flow *flow) __ksym;
void bpf_xfrm_xdp_flow_release(struct xfrm_xdp_flow *flow) __ksym;

struct flow_key {
	__be32	saddr;
	__be32	daddr;
	__be32	ports;
};

struct flow_value {
	struct xfrm_xdp_flow __kptr * flow;
};

/* Leave so much less room in front of the packet. */
static __always_inline bool move_forward(struct xdp_md *ctx, int by)
{
	__u8 headers[ETH_IP_UDP_LEN];
	void *data = (void *)(long)ctx->data;

	if (data + sizeof(headers) > (void *)(long)ctx->data_end)
		return false;
	__builtin_memcpy(headers, data, sizeof(headers));
	if (bpf_xdp_adjust_head(ctx, -by))
		return false;
	data = (void *)(long)ctx->data;
	if (data + sizeof(headers) > (void *)(long)ctx->data_end)
		return false;
	__builtin_memcpy(data, headers, sizeof(headers));
	return true;
}

#endif /* _XDP_XFRM_COMMON_H */
