// SPDX-License-Identifier: GPL-2.0
/* The learning side: puts the flows that the stack forwarded into the map. */

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "xdp_xfrm_bpf.h"

#define ENOENT	2

struct xfrm_xdp_md {
	__u8	key[32];
} __attribute__((preserve_access_index));

struct xfrm_xdp_ops {
	int	(*flow_add)(const struct xfrm_xdp_md *md,
			    struct xfrm_xdp_flow *flow);
} __attribute__((preserve_access_index));

SEC("struct_ops/flow_add")
int BPF_PROG(flow_add, const struct xfrm_xdp_md *md, struct xfrm_xdp_flow *flow)
{
	struct xdp_xfrm_value *value, empty = {};
	xfrm_xdp_flow_t *mine, *old;
	struct xdp_xfrm_key key;

	__builtin_memcpy(&key, (const void *)md->key, sizeof(key));

	/* An entry that is there keeps its counters. */
	bpf_map_update_elem(&xdp_xfrm_flows, &key, &empty, BPF_NOEXIST);
	value = bpf_map_lookup_elem(&xdp_xfrm_flows, &key);
	if (!value)
		return -ENOENT;

	mine = bpf_xfrm_xdp_flow_acquire(flow);
	if (!mine)
		return -ENOENT;
	old = bpf_kptr_xchg(&value->flow, mine);
	if (old)
		bpf_xfrm_xdp_flow_release(old);
	return 0;
}

SEC(".struct_ops")
struct xfrm_xdp_ops xdp_xfrm_learn = {
	.flow_add	= (void *)flow_add,
};

char _license[] SEC("license") = "GPL";
