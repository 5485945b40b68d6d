// SPDX-License-Identifier: GPL-2.0
/* The frame generator and the programs it is measured with. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define BENCH_FRAME_MAX	2048
#define BENCH_AF_INET	2

const volatile __u32 frame_len = ETH_HLEN;
const volatile __u8 frame[BENCH_FRAME_MAX];

__u32 frames_sent;

struct bench_frame {
	__u8 bytes[BENCH_FRAME_MAX];
};

/* each is sent once */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bench_frame);
} frames SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} under_test SEC(".maps");

/* Live frames come from recycled pages, so each one is written anew. */
SEC("xdp")
int generate(struct xdp_md *ctx)
{
	if (bpf_xdp_store_bytes(ctx, 0, (void *)frame, frame_len))
		return XDP_ABORTED;
	bpf_tail_call(ctx, &under_test, 0);
	return XDP_ABORTED;
}

/* No two packets of ESP are the same. */
SEC("xdp")
int generate_each(struct xdp_md *ctx)
{
	__u32 index = frames_sent++;
	struct bench_frame *next = bpf_map_lookup_elem(&frames, &index);

	if (!next || bpf_xdp_store_bytes(ctx, 0, next->bytes, frame_len))
		return XDP_ABORTED;
	bpf_tail_call(ctx, &under_test, 0);
	return XDP_ABORTED;
}

SEC("xdp")
int drop(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

/* The forwarder of samples/bpf/xdp_fwd, IPv4 only. */
SEC("xdp")
int forward(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct bpf_fib_lookup fib = {};
	struct ethhdr *eth = data;
	struct iphdr *iph = data + sizeof(*eth);
	__u32 check;

	if ((void *)(iph + 1) > data_end)
		return XDP_DROP;
	if (eth->h_proto != bpf_htons(ETH_P_IP) || iph->ttl <= 1)
		return XDP_PASS;

	fib.family = BENCH_AF_INET;
	fib.tos = iph->tos;
	fib.l4_protocol = iph->protocol;
	fib.tot_len = bpf_ntohs(iph->tot_len);
	fib.ipv4_src = iph->saddr;
	fib.ipv4_dst = iph->daddr;
	fib.ifindex = ctx->ingress_ifindex;
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return XDP_PASS;

	check = iph->check + bpf_htons(0x0100);
	iph->check = check + (check >= 0xffff);
	iph->ttl--;
	__builtin_memcpy(eth->h_dest, fib.dmac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, fib.smac, ETH_ALEN);
	return bpf_redirect(fib.ifindex, 0);
}

char _license[] SEC("license") = "GPL";
