// SPDX-License-Identifier: GPL-2.0
/* A fast path as small as it can be: UDP flows, learned from the stack into a
 * hash or an LRU hash map.
 */

#include "xdp_xfrm_common.h"

#define LRU_FLOWS	16

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct flow_key);
	__type(value, struct flow_value);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, LRU_FLOWS);
	__type(key, struct flow_key);
	__type(value, struct flow_value);
} lru_flows SEC(".maps");

bool use_lru;
bool refuse;
__u64 redirected;
__u64 passed;
__u64 added;
int output_ret;
int offer_ret;

static __always_inline struct flow_value *value_of(struct flow_key *key)
{
	if (use_lru)
		return bpf_map_lookup_elem(&lru_flows, key);
	return bpf_map_lookup_elem(&flows, key);
}

static __always_inline bool parse(struct xdp_md *ctx, struct flow_key *key)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *iph = (void *)(eth + 1);
	__be32 *ports = (void *)(iph + 1);

	if ((void *)(ports + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) ||
	    iph->protocol != IPPROTO_UDP)
		return false;

	key->saddr = iph->saddr;
	key->daddr = iph->daddr;
	key->ports = *ports;
	return true;
}

SEC("xdp")
int forward(struct xdp_md *ctx)
{
	struct flow_value *value;
	struct flow_key key;
	struct xfrm_xdp_flow *flow;

	if (!parse(ctx, &key))
		return XDP_PASS;

	value = value_of(&key);
	flow = value ? value->flow : NULL;
	if (flow) {
		output_ret = bpf_xdp_xfrm_output(ctx, flow);
		if (output_ret > 0) {
			__sync_fetch_and_add(&redirected, 1);
			return bpf_redirect(output_ret, 0);
		}
		if (!output_ret)
			return XDP_DROP;
	}

	offer_ret = bpf_xdp_xfrm_offer(ctx, &key, sizeof(key));
	__sync_fetch_and_add(&passed, 1);
	return XDP_PASS;
}

SEC("struct_ops/flow_add")
int BPF_PROG(flow_add, const struct xfrm_xdp_md *md, struct xfrm_xdp_flow *flow)
{
	struct flow_value *value, empty = {};
	struct xfrm_xdp_flow *mine, *old;
	struct flow_key key;

	if (refuse)
		return -EPERM;
	__builtin_memcpy(&key, (const void *)md->key, sizeof(key));

	if (use_lru)
		bpf_map_update_elem(&lru_flows, &key, &empty, BPF_NOEXIST);
	else
		bpf_map_update_elem(&flows, &key, &empty, BPF_NOEXIST);
	value = value_of(&key);
	if (!value)
		return -ENOENT;

	mine = bpf_xfrm_xdp_flow_acquire(flow);
	if (!mine)
		return -ENOENT;
	old = bpf_kptr_xchg(&value->flow, mine);
	if (old)
		bpf_xfrm_xdp_flow_release(old);
	__sync_fetch_and_add(&added, 1);
	return 0;
}

SEC(".struct_ops.link")
struct xfrm_xdp_ops learn = {
	.flow_add = (void *)flow_add,
};

char _license[] SEC("license") = "GPL";
