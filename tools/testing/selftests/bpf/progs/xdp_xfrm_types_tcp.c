// SPDX-License-Identifier: GPL-2.0
/* The operations of somebody else: TCP congestion control with one operation
 * that wants to use XFRM.
 */

#include "xdp_xfrm_common.h"

SEC("struct_ops")
__u32 BPF_PROG(ssthresh, struct sock *sk)
{
	__u64 key = 0;

	return bpf_xdp_xfrm_offer((struct xdp_md *)sk, &key, sizeof(key));
}

SEC("struct_ops")
__u32 BPF_PROG(undo_cwnd, struct sock *sk)
{
	return 1;
}

SEC("struct_ops")
void BPF_PROG(cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
}

SEC(".struct_ops")
struct tcp_congestion_ops tcp_offers = {
	.ssthresh = (void *)ssthresh,
	.undo_cwnd = (void *)undo_cwnd,
	.cong_avoid = (void *)cong_avoid,
	.name = "xdp_xfrm_tcp",
};

char _license[] SEC("license") = "GPL";
