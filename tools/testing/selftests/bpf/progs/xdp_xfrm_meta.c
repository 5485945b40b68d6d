// SPDX-License-Identifier: GPL-2.0
/* Write metadata, and look how much of it is left further on. */

#define BPF_NO_KFUNC_PROTOTYPES
#include <vmlinux.h>
#include <errno.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ETH_P_IP	0x0800
#define ETH_ALEN	6
#define UDP_PORT	4789

/* The same in prog_tests/xdp_xfrm_meta.c */
#define META_MAX	64

/* What to write: the first byte of a datagram says which of the two. */
struct {
	__u32	len;
	__u8	bytes[META_MAX];
} record[2];

/* Where to redirect the packet then; 0: nowhere */
__u32 redirect_to;
__u8 redirect_mac[ETH_ALEN];

__u64 written;
__u64 failed;

/* What tc saw */
struct {
	__u32	skbs;
	__u32	len;
	__u32	segs;
	__u32	meta;
	__u32	wrong;
} seen;
__u32 esp_seen;
__u32 esp_meta;

static __always_inline bool is_test(const struct ethhdr *eth, const void *end,
				    __u32 *index)
{
	const struct iphdr *iph = (const void *)(eth + 1);
	const struct udphdr *udp = (const void *)(iph + 1);
	const __u8 *payload = (const void *)(udp + 1);

	if ((const void *)(payload + 1) > end ||
	    eth->h_proto != bpf_htons(ETH_P_IP) || iph->ihl != 5 ||
	    iph->protocol != IPPROTO_UDP || udp->dest != bpf_htons(UDP_PORT))
		return false;
	*index = *payload & 1;
	return true;
}

SEC("xdp")
int write(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u8 *meta, *data;
	__u32 index;
	int i;

	if (!is_test(eth, end, &index))
		return XDP_PASS;
	if (redirect_to)
		__builtin_memcpy(eth->h_dest, redirect_mac, ETH_ALEN);

	if (bpf_xdp_adjust_meta(ctx, -(int)record[index].len)) {
		failed++;
		return XDP_DROP;
	}
	meta = (void *)(long)ctx->data_meta;
	data = (void *)(long)ctx->data;
	for (i = 0; i < META_MAX; i++) {
		if (meta + i + 1 > data)
			break;
		meta[i] = record[index].bytes[i];
	}
	written++;
	return redirect_to ? bpf_redirect(redirect_to, 0) : XDP_PASS;
}

/* For the device that frames are redirected to: veth takes them only then. */
SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

static __always_inline void look(struct __sk_buff *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct iphdr *iph = (void *)(eth + 1);
	__u8 *meta = (void *)(long)ctx->data_meta;
	__u8 *data = (void *)eth;
	__u32 index;
	int i;

	if ((void *)(iph + 1) <= end && eth->h_proto == bpf_htons(ETH_P_IP) &&
	    iph->protocol == IPPROTO_ESP) {
		esp_seen++;
		esp_meta += data - meta;
	}
	if (!is_test(eth, end, &index))
		return;
	seen.skbs++;
	seen.len += ctx->len;
	seen.segs += ctx->gso_segs ?: 1;
	seen.meta += data - meta;
	for (i = 0; i < META_MAX; i++) {
		if (meta + i + 1 > data)
			break;
		seen.wrong += meta[i] != record[index].bytes[i];
	}
}

SEC("tcx/ingress")
int look_in(struct __sk_buff *ctx)
{
	look(ctx);
	return TCX_NEXT;
}

SEC("tcx/egress")
int look_out(struct __sk_buff *ctx)
{
	look(ctx);
	return TCX_NEXT;
}

char _license[] SEC("license") = "GPL";
