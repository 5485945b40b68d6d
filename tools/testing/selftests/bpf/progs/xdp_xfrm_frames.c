// SPDX-License-Identifier: GPL-2.0
/* Up to three programs see one frame, one after the other: that of the receiving
 * device, that of a map, that of the peer device. Each compares data_hard_end
 * with what the frame's size says, grows the tail, and looks whether what lies
 * behind has changed. tc sees what became of it, if it got to the stack.
 */

#define BPF_NO_KFUNC_PROTOTYPES
#include <vmlinux.h>
#include <errno.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define TEST_PROTO	0x88b5
#define TEST_BYTE	0x5a
#define ETH_ALEN	6

/* The same in prog_tests/xdp_xfrm_frames.c */
#define STAGES		3
#define STAGE_MARK	0xa0
#define META_LEN	64
enum { THEN_PASS, THEN_CPUMAP, THEN_DEVMAP, THEN_TX, THEN_REDIRECT };

/* SKB_DATA_ALIGN(), cache lines of 64 bytes */
#define SHINFO_LEN	((sizeof(struct skb_shared_info) + 63) & ~63)

void *bpf_cast_to_kern_ctx(void *obj) __ksym;

/* What to do */
__u32 then;
__u32 redirect_to;
__s32 shrink[STAGES];
__u32 keep[STAGES];	/* room to leave for the next program */

/* What was seen */
struct {
	__u32	runs;
	__u32	len;		/* of the frame, with fragments */
	__u32	linear;		/* of the first buffer alone */
	__s32	meta;		/* bytes of metadata */
	__s32	room;		/* up to data_hard_end */
	__s32	frame_room;	/* up to where the frame's size puts the end */
	__s32	left;		/* room that is left for the next program */
	__s32	shrunk;		/* what bpf_xdp_adjust_tail() said: to shrink[], */
	__s32	grown;		/* to room - left, */
	__s32	beyond;		/* to a byte more than is left */
	__u32	spoilt;		/* words of skb_shared_info that have changed */
} seen[STAGES];

struct {
	__u32	runs;
	__u32	len;
	__u32	mac_len;
	__s32	tail;		/* skb->tail, minus where it should be */
	__u32	meta;
	__u32	meta_wrong;	/* bytes that are not what XDP wrote */
} arrived;

__s32 meta_ret;

struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bpf_cpumap_val);
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} devs SEC(".maps");

static __u64 before[SHINFO_LEN / sizeof(__u64)];
static __u64 after[SHINFO_LEN / sizeof(__u64)];

static __always_inline bool is_test(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	return (void *)(eth + 1) <= (void *)(long)ctx->data_end &&
	       eth->h_source[ETH_ALEN - 1] == TEST_BYTE &&
	       eth->h_proto == bpf_htons(TEST_PROTO);
}

/* A byte says which program grew the frame up to here. */
static __always_inline void mark(struct xdp_md *ctx, int stage)
{
	__u8 byte = STAGE_MARK + stage;

	bpf_xdp_store_bytes(ctx, bpf_xdp_get_buff_len(ctx) - 1, &byte, 1);
}

static __always_inline void see(struct xdp_md *ctx, int stage)
{
	struct xdp_buff *xdp = bpf_cast_to_kern_ctx(ctx);
	typeof(seen[0]) *s = &seen[stage];
	void *end;
	int i;

	s->runs++;
	s->meta = (long)ctx->data - (long)ctx->data_meta;
	if (shrink[stage])
		s->shrunk = bpf_xdp_adjust_tail(ctx, -shrink[stage]);

	end = xdp->data_hard_start + xdp->frame_sz - SHINFO_LEN;
	s->len = bpf_xdp_get_buff_len(ctx);
	s->linear = xdp->data_end - xdp->data;
	s->room = xdp->data_hard_end - xdp->data_end;
	s->frame_room = end - xdp->data_end;
	s->left = s->room < keep[stage] ? s->room : keep[stage];

	bpf_probe_read_kernel(before, sizeof(before), end);
	s->grown = bpf_xdp_adjust_tail(ctx, s->room - s->left);
	s->beyond = bpf_xdp_adjust_tail(ctx, s->left + 1);
	mark(ctx, stage);
	bpf_probe_read_kernel(after, sizeof(after), end);
	for (i = 0; i < SHINFO_LEN / sizeof(__u64); i++)
		s->spoilt += before[i] != after[i];
}

static __always_inline void write_meta(struct xdp_md *ctx)
{
	__u8 *meta;
	int i;

	meta_ret = bpf_xdp_adjust_meta(ctx, -META_LEN);
	if (meta_ret)
		return;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + META_LEN) > (void *)(long)ctx->data)
		return;
	for (i = 0; i < META_LEN; i++)
		meta[i] = i ^ TEST_BYTE;
}

SEC("xdp.frags")
int first(struct xdp_md *ctx)
{
	if (!is_test(ctx))
		return XDP_PASS;
	see(ctx, 0);
	write_meta(ctx);

	switch (then) {
	case THEN_CPUMAP:
		return bpf_redirect_map(&cpus, 0, 0);
	case THEN_DEVMAP:
		return bpf_redirect_map(&devs, 0, 0);
	case THEN_TX:
		return XDP_TX;
	case THEN_REDIRECT:
		return bpf_redirect(redirect_to, 0);
	default:
		return XDP_PASS;
	}
}

SEC("xdp.frags/cpumap")
int second_cpu(struct xdp_md *ctx)
{
	if (is_test(ctx))
		see(ctx, 1);
	return XDP_PASS;
}

SEC("xdp.frags/devmap")
int second_dev(struct xdp_md *ctx)
{
	if (is_test(ctx))
		see(ctx, 1);
	return XDP_PASS;
}

SEC("xdp.frags")
int third(struct xdp_md *ctx)
{
	if (is_test(ctx))
		see(ctx, 2);
	return XDP_PASS;
}

SEC("tcx/ingress")
int look(struct __sk_buff *ctx)
{
	struct sk_buff *skb = bpf_cast_to_kern_ctx(ctx);
	__u8 *meta = (void *)(long)ctx->data_meta;
	__u8 *data = (void *)(long)ctx->data;
	int i;

	if (ctx->protocol != bpf_htons(TEST_PROTO))
		return TCX_NEXT;
	arrived.runs++;
	arrived.len = skb->len;
	arrived.mac_len = skb->mac_len;
	arrived.tail = (skb->head + skb->tail) -
		       (skb->data + skb->len - skb->data_len);
	arrived.meta = data - meta;
	if (meta + META_LEN > data)
		return TCX_NEXT;
	for (i = 0; i < META_LEN; i++)
		arrived.meta_wrong += meta[i] != (__u8)(i ^ TEST_BYTE);
	return TCX_NEXT;
}

char _license[] SEC("license") = "GPL";
