// SPDX-License-Identifier: GPL-2.0
/* Grow the tail of every packet by what an ESP trailer may need. */

#include <vmlinux.h>
#include <errno.h>
#include <bpf/bpf_helpers.h>

#define XDP_PACKET_TAILROOM	64
#define FRAME_MAX		9014
#define TEST_BYTE		0x5a

__u8 grown[FRAME_MAX + 1];
__u64 refused;
__u64 overrun;

SEC("xdp")
int grow(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	__u8 *data = (void *)(long)ctx->data;
	__u64 len = end - (void *)data;

	/* only what the test sends: its last address byte */
	if (len > FRAME_MAX || (void *)(data + 12) > end ||
	    data[11] != TEST_BYTE)
		return XDP_PASS;

	if (bpf_xdp_adjust_tail(ctx, XDP_PACKET_TAILROOM)) {
		__sync_fetch_and_add(&refused, 1);
		return XDP_DROP;
	}
	grown[len] = 1;

	/* data_hard_end is an end: more than any buffer has never fits */
	if (!bpf_xdp_adjust_tail(ctx, 65536))
		__sync_fetch_and_add(&overrun, 1);
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
