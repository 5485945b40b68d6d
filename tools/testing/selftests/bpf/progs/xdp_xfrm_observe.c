// SPDX-License-Identifier: GPL-2.0
/* What a test can't see from outside: frames on the wire behind the gateway,
 * and flows being made and freed.
 */

#include "xdp_xfrm_common.h"

__u64 flows_made;
__u64 flows_freed;

__u64 esp_frames;
__u64 clear_frames;
__u64 bad_headers;
__u64 esp_gaps;
__u32 esp_seq;
__u32 esp_spi;

SEC("fexit/xfrm_xdp_flow_create")
int BPF_PROG(flow_create, struct xfrm_xdp_net *xnet, struct dst_entry *dst,
	     struct neighbour *neigh, void *origin, void *why,
	     struct xfrm_xdp_flow *flow)
{
	if (flow)
		__sync_fetch_and_add(&flows_made, 1);
	return 0;
}

SEC("fentry/xfrm_xdp_flow_free_rcu")
int BPF_PROG(flow_free)
{
	__sync_fetch_and_add(&flows_freed, 1);
	return 0;
}

static __always_inline bool header_ok(const struct iphdr *iph, void *end)
{
	const __u16 *word = (const void *)iph;
	__u32 sum = 0;
	int i;

	for (i = 0; i < sizeof(*iph) / 2; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);

	return sum == 0xffff && iph->ihl == 5 && iph->ttl == 64 &&
	       bpf_ntohs(iph->tot_len) == end - (void *)iph;
}

SEC("xdp")
int wire(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *iph = (void *)(eth + 1);
	struct ip_esp_hdr *esph = (void *)(iph + 1);
	__u32 seq;

	if ((void *)(esph + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (iph->protocol != IPPROTO_ESP) {
		__sync_fetch_and_add(&clear_frames, 1);
		return XDP_PASS;
	}

	if (!header_ok(iph, end))
		__sync_fetch_and_add(&bad_headers, 1);
	seq = bpf_ntohl(esph->seq_no);
	if (esph->spi != esp_spi) {
		esp_spi = esph->spi;
		esp_seq = 0;
	}
	if (seq != esp_seq + 1)
		__sync_fetch_and_add(&esp_gaps, 1);
	esp_seq = seq;
	__sync_fetch_and_add(&esp_frames, 1);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
