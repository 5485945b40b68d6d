// SPDX-License-Identifier: GPL-2.0
/* bpf_xdp_xfrm_offer() and nothing else. */

#include "xdp_xfrm_common.h"

/* in */
__u32 key_sz;
int shrink_headroom;

/* out */
int offer_ret;

SEC("xdp")
int offer(struct xdp_md *ctx)
{
	__u64 key[6] = {};
	__u32 sz = key_sz;

	if (sz > sizeof(key) ||
	    (shrink_headroom && !move_forward(ctx, shrink_headroom)))
		return XDP_ABORTED;
	offer_ret = bpf_xdp_xfrm_offer(ctx, key, sz);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
