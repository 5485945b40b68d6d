// SPDX-License-Identifier: GPL-2.0
/* The sender, in front of the gateway's XDP program, and the receiver behind it. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "stress.h"

#define IP(a, b, c, d)	((__u32)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define SEQUENCES	(1 << 26)

struct plan plan;
const volatile __u32 verdict = XDP_DROP;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} attached SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct seen);
} seen SEC(".maps");

/* a bit for each sequence number */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SEQUENCES / 64);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

struct tuple {
	__u32 saddr, daddr;
	__u16 sport, dport;
};

static __always_inline void established(struct tuple *tuple, __u64 i)
{
	tuple->saddr = IP(10, 1, 0, 2);
	tuple->daddr = IP(10, 2, 0, 2);
	tuple->sport = FIRST_PORT + i % plan.flows;
	tuple->dport = OPEN_PORT;
	if (!plan.answers)
		return;
	tuple->saddr = IP(10, 2, 0, 2);
	tuple->daddr = IP(10, 1, 0, 2);
	tuple->dport = tuple->sport;
	tuple->sport = OPEN_PORT;
}

/* Odd factors: no tuple comes twice before all others were there. */
static __always_inline void flood(struct tuple *tuple, __u64 i)
{
	__u32 mixed = (__u32)i * 0x9e3779b1;

	tuple->daddr = IP(10, 2, 0, 2);
	tuple->dport = OPEN_PORT;
	switch (plan.flood) {
	case FLOOD_INSIDE:
		mixed &= (1 << 24) - 1;
		tuple->saddr = IP(10, 1, 0, 64) + (mixed & 127);
		tuple->sport = mixed >> 7;
		tuple->dport += mixed >> 23;
		break;
	case FLOOD_ANYWHERE:
		tuple->saddr = mixed;
		tuple->sport = mixed >> 3;
		break;
	default:
		tuple->saddr = IP(10, 1, 0, 3);
		tuple->daddr += i >> 16 & 127;
		tuple->sport = 40000;
		tuple->dport = i;
	}
}

static __always_inline __u16 checksum(const __u16 *words, int count)
{
	__u32 sum = 0;
	int i;

	for (i = 0; i < count; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

/* Pages are used again, so each frame is written anew; a UDP checksum is optional. */
static __always_inline int render(struct xdp_md *ctx, const struct tuple *tuple, __u32 len,
				  __u32 options)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)data;
	struct iphdr *ip = (void *)(data + ETH_LEN);
	struct udphdr *udp = (void *)(data + ETH_LEN + IP_LEN + options);

	if (data + ETH_LEN + IP_LEN + OPTIONS_LEN + UDP_LEN > end)
		return -1;
	__builtin_memcpy(eth->h_dest, plan.gateway, ETH_ALEN);
	__builtin_memset(eth->h_source, 2, ETH_ALEN);
	eth->h_proto = bpf_htons(ETH_P_IP);

	__builtin_memset(ip, 0, IP_LEN);
	ip->version = 4;
	ip->ihl = (IP_LEN + options) / 4;
	ip->tot_len = bpf_htons(len);
	ip->ttl = 64;
	ip->protocol = IPPROTO_UDP;
	ip->saddr = bpf_htonl(tuple->saddr);
	ip->daddr = bpf_htonl(tuple->daddr);
	if (options)
		*(__u32 *)(ip + 1) = bpf_htonl(0x01010100);
	ip->check = checksum((void *)ip, options ? (IP_LEN + OPTIONS_LEN) / 2 : IP_LEN / 2);

	udp->source = bpf_htons(tuple->sport);
	udp->dest = bpf_htons(tuple->dport);
	udp->len = bpf_htons(len - IP_LEN - options);
	udp->check = 0;
	return 0;
}

SEC("xdp")
int sender(struct xdp_md *ctx)
{
	__u64 i = plan.sent++;
	struct tuple tuple;
	int err;

	if (plan.flood && i % (plan.ratio + 1)) {
		if (bpf_xdp_adjust_tail(ctx, LONG_LEN - SHORT_LEN))
			return XDP_ABORTED;
		flood(&tuple, plan.flooded++);
		err = render(ctx, &tuple, LONG_LEN, 0);
	} else {
		if (plan.flood)
			i /= plan.ratio + 1;
		established(&tuple, i);
		if (plan.options && i % plan.options == 0)
			err = render(ctx, &tuple, SHORT_LEN, OPTIONS_LEN);
		else
			err = render(ctx, &tuple, SHORT_LEN, 0);
	}
	if (err)
		return XDP_ABORTED;

	if (!plan.straight)
		bpf_tail_call(ctx, &attached, 0);
	return XDP_PASS;
}

static __always_inline void count_esp(struct seen *count, __u32 seq, __u64 len)
{
	__u32 index = seq % SEQUENCES / 64;
	__u64 *bits, bit = 1ULL << seq % 64;

	count->esp++;
	count->esp_long += len > ESP_LONG;
	bits = bpf_map_lookup_elem(&numbers, &index);
	if (bits) {
		count->repeated += !!(*bits & bit);
		*bits |= bit;
	}

	if (seq >= count->highest) {
		count->highest = seq;
		return;
	}
	count->late++;
	count->refused += count->highest - seq >= WINDOW;
	if (count->highest - seq > count->displaced)
		count->displaced = count->highest - seq;
}

SEC("xdp")
int receiver(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = (void *)(data + ETH_LEN);
	__be32 *esp = (void *)(ip + 1);
	struct seen *count;
	__u32 zero = 0;

	count = bpf_map_lookup_elem(&seen, &zero);
	if (!count || data + ETH_LEN + IP_LEN + 8 > end ||
	    ((struct ethhdr *)data)->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;

	if (ip->protocol != IPPROTO_ESP)
		count->clear++;
	else
		count_esp(count, bpf_ntohl(esp[1]), end - data);
	return verdict;
}

char _license[] SEC("license") = "GPL";
