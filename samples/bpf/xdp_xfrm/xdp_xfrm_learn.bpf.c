// SPDX-License-Identifier: GPL-2.0
/* The learning side: puts the flows that the stack forwarded into the map. */

#include <linux/bpf.h>
#include <linux/in.h>
#include <stdbool.h>
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

static __always_inline bool keep(const struct xdp_xfrm_key *key,
				 struct xfrm_xdp_flow *flow)
{
	xfrm_xdp_flow_t *mine = bpf_xfrm_xdp_flow_acquire(flow);

	return mine && keep_flow(key, mine);
}

SEC("struct_ops/flow_add")
int BPF_PROG(flow_add, const struct xfrm_xdp_md *md, struct xfrm_xdp_flow *flow)
{
	struct xdp_xfrm_key key;

	__builtin_memcpy(&key, (const void *)md->key, sizeof(key));
	if (!keep(&key, flow))
		return -ENOENT;

	/* for the states to come after this one */
	if (key.protocol == IPPROTO_ESP && !key.sa) {
		key = any_spi(&key);
		keep(&key, flow);
	}
	return 0;
}

SEC(".struct_ops")
struct xfrm_xdp_ops xdp_xfrm_learn = {
	.flow_add	= (void *)flow_add,
};

char _license[] SEC("license") = "GPL";
