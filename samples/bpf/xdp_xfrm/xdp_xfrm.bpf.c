// SPDX-License-Identifier: GPL-2.0
/* The forwarding fast path of an IPsec gateway.
 *
 * A packet whose flow is in the map is encrypted and sent by
 * bpf_xdp_xfrm_output(). An ESP packet to the gateway is decrypted by
 * bpf_xdp_xfrm_input(), and what is inside looked up in turn. All others go to
 * the stack, with a record that asks it to learn the flow; see
 * xdp_xfrm_learn.bpf.c.
 */

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "xdp_xfrm_bpf.h"

#define EPERM	1
#define ENOENT	2
#define ENXIO	6
#define EACCES	13
#define EXDEV	18
#define EINVAL	22
#define ESTALE	116
#define EKEYEXPIRED	127

#define VERSION_4_NO_OPTIONS	0x45
#define DSCP_MASK	0xfc
#define ICMP_ECHOREPLY	0
#define ICMP_ECHO	8

#define DECRYPTED	-1

struct bpf_xdp_xfrm_opts {
	__s32	error;
	__u32	mark;
	__u32	if_id;
	__u32	reserved;
};

/* Not packed as that of the uapi is: it is read at once. */
struct link_header {
	__u8	addresses[2 * ETH_ALEN];
	__be16	proto;
};

struct vlan_header {
	__be16	tci;
	__be16	proto;
};

struct icmp_echo {
	__u8	type;
	__u8	code;
	__be16	checksum;
	__be16	id;
};

struct bpf_xdp_xfrm_sa {
	__u32	reqid;
	__u32	if_id;
};

extern int bpf_xdp_xfrm_offer(struct xdp_md *ctx, const void *key,
			      __u32 key__sz) __ksym;
extern int bpf_xdp_xfrm_input(struct xdp_md *ctx, xfrm_xdp_flow_t *flow,
			      struct bpf_xdp_xfrm_sa *sa, __u32 sa__sz) __ksym;
extern int bpf_xdp_xfrm_output(struct xdp_md *ctx,
			       xfrm_xdp_flow_t *flow) __ksym;
extern xfrm_xdp_flow_t *
bpf_xdp_xfrm_lookup(struct xdp_md *ctx, xfrm_xdp_flow_t *flow__nullable,
		    struct bpf_xdp_xfrm_opts *opts, __u32 opts__sz) __ksym;

/* Take the key from the packet, but for the device and @sa. It is only a hint: the
 * kernel compares the packet with the flow itself. @len is that of the frame.
 * Returns false for what XDP never forwards.
 */
static __always_inline bool parse(struct xdp_md *ctx, struct xdp_xfrm_key *key,
				  __u64 *len)
{
	void *end = (void *)(long)ctx->data_end;
	struct link_header *link = (void *)(long)ctx->data;
	struct vlan_header *vlan = (void *)(link + 1);
	struct iphdr *iph = (void *)(link + 1);
	struct icmp_echo *icmp;
	__be32 *ports;

	*len = end - (void *)link;
	if ((void *)(iph + 1) + 8 > end)
		return false;

	if (link->proto != bpf_htons(ETH_P_IP)) {
		if (link->proto != bpf_htons(ETH_P_8021Q) ||
		    vlan->proto != bpf_htons(ETH_P_IP))
			return false;
		key->vlan_tci = vlan->tci;
		iph = (void *)(vlan + 1);
		if ((void *)(iph + 1) + 8 > end)
			return false;
	}

	if (*(__u8 *)iph != VERSION_4_NO_OPTIONS)
		return false;

	icmp = (void *)(iph + 1);
	ports = (void *)(iph + 1);
	key->saddr = iph->saddr;
	key->daddr = iph->daddr;
	key->protocol = iph->protocol;
	key->dscp = iph->tos & DSCP_MASK;

	switch (iph->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_ESP:
		key->ports = *ports;
		return true;
	case IPPROTO_ICMP:
		if (icmp->type != ICMP_ECHO && icmp->type != ICMP_ECHOREPLY)
			return false;
		key->ports = bpf_htonl(icmp->type << 24 | icmp->code << 16 |
				       bpf_ntohs(icmp->id));
		return true;
	}

	return false;
}

static __always_inline void drop_flow(struct xdp_xfrm_value *value,
				      struct xdp_xfrm_key *key)
{
	xfrm_xdp_flow_t *old;

	/* Deleting the entry need not free the flow: take it out first. */
	old = bpf_kptr_xchg(&value->flow, NULL);
	if (old)
		bpf_xfrm_xdp_flow_release(old);
	bpf_map_delete_elem(&xdp_xfrm_flows, key);
}

/* Route, policy or state have changed, on this side or on that where the packet came
 * from: ask XFRM again, use what it says. Or return @why once more.
 */
static __always_inline int output_again(struct xdp_md *ctx,
					struct xdp_xfrm_value *value,
					xfrm_xdp_flow_t *stale, int why)
{
	struct bpf_xdp_xfrm_opts opts = {};
	xfrm_xdp_flow_t *flow, *old;
	int ret;

	flow = bpf_xdp_xfrm_lookup(ctx, stale, &opts, sizeof(opts));
	if (!flow)
		return why;

	ret = bpf_xdp_xfrm_output(ctx, flow);
	old = bpf_kptr_xchg(&value->flow, flow);
	if (old)
		bpf_xfrm_xdp_flow_release(old);
	return ret;
}

/* Does this errno say that the flow is of no use any more? The key has all that
 * selects a flow, so one that is not the packet's got there by a race.
 */
static __always_inline bool is_stale(int err)
{
	return err == -ENOENT || err == -ESTALE || err == -EPERM || err == -ENXIO ||
	       err == -EXDEV || err == -EINVAL;
}

static __always_inline void count(struct xdp_xfrm_value *value, __u64 len)
{
	__sync_fetch_and_add(&value->packets, 1);
	__sync_fetch_and_add(&value->bytes, len);
}

/* Forward a packet, or ask the stack to and to learn how. Whatever was decrypted
 * goes up with a record.
 */
static __always_inline int forward(struct xdp_md *ctx, struct xdp_xfrm_key *key,
				   __u64 len, bool decrypted)
{
	struct xdp_xfrm_value *value;
	xfrm_xdp_flow_t *flow;
	int ret;

	value = bpf_map_lookup_elem(&xdp_xfrm_flows, key);
	if (!value)
		goto offer;
	flow = value->flow;
	if (!flow)
		goto offer;

	ret = bpf_xdp_xfrm_output(ctx, flow);
	if (ret > 0)
		goto sent;
	if (ret == -ESTALE || ret == -EACCES)
		ret = output_again(ctx, value, flow, ret);
	if (ret > 0)
		goto sent;
	if (!ret)
		return XDP_DROP;
	if (is_stale(ret))
		drop_flow(value, key);
	else if (!decrypted)
		return XDP_PASS;
offer:
	bpf_xdp_xfrm_offer(ctx, key, sizeof(*key));
	return XDP_PASS;

sent:
	count(value, len);
	return bpf_redirect(ret, 0);
}

/* The first packet of a state: use the flow of another one of the same peer, if there
 * is any, else -ENOENT.
 */
static __always_inline int input_first(struct xdp_md *ctx,
				       struct xdp_xfrm_key *key, __u64 len,
				       struct bpf_xdp_xfrm_sa *sa)
{
	struct bpf_xdp_xfrm_opts opts = {};
	struct xdp_xfrm_key any = any_spi(key);
	struct xdp_xfrm_value *value;
	xfrm_xdp_flow_t *flow, *same;
	int ret;

	value = bpf_map_lookup_elem(&xdp_xfrm_flows, &any);
	if (!value)
		return -ENOENT;
	flow = value->flow;
	if (!flow)
		return -ENOENT;

	flow = bpf_xdp_xfrm_lookup(ctx, flow, &opts, sizeof(opts));
	if (!flow) {
		if (is_stale(opts.error))
			drop_flow(value, &any);
		return -ENOENT;
	}

	ret = bpf_xdp_xfrm_input(ctx, flow, sa, sizeof(*sa));
	/* the one before belongs to a state that goes; forged ones change nothing */
	same = ret > 0 ? bpf_xfrm_xdp_flow_acquire(flow) : NULL;
	if (same)
		keep_flow(&any, same);
	value = keep_flow(key, flow);
	if (value && ret > 0)
		count(value, len);
	return ret;
}

/* Decrypt a packet to the gateway; DECRYPTED, or what to do with it. */
static __always_inline int decrypt(struct xdp_md *ctx, struct xdp_xfrm_key *key,
				   __u64 len)
{
	struct bpf_xdp_xfrm_sa sa = {};
	struct xdp_xfrm_value *value;
	xfrm_xdp_flow_t *flow;
	int ret;

	value = bpf_map_lookup_elem(&xdp_xfrm_flows, key);
	if (!value)
		goto first;
	flow = value->flow;
	if (!flow)
		goto first;

	ret = bpf_xdp_xfrm_input(ctx, flow, &sa, sizeof(sa));
	if (ret > 0) {
		count(value, len);
		goto decrypted;
	}
	if (!ret)
		return XDP_DROP;
	/* A state that expired or was deleted never comes back. */
	if (!is_stale(ret) && ret != -EKEYEXPIRED)
		return XDP_PASS;

	drop_flow(value, key);
	goto offer;
first:
	ret = input_first(ctx, key, len, &sa);
	if (ret > 0)
		goto decrypted;
	if (ret != -ENOENT)
		return ret ? XDP_PASS : XDP_DROP;
offer:
	bpf_xdp_xfrm_offer(ctx, key, sizeof(*key));
	return XDP_PASS;

decrypted:
	/* the rest is taken from the inner packet; neither had a tag */
	key->sa = sa.reqid + 1;
	return DECRYPTED;
}

SEC("xdp")
int xdp_xfrm(struct xdp_md *ctx)
{
	struct xdp_xfrm_key key = {};
	bool decrypted = false;
	__u64 len;
	int ret;

	if (!parse(ctx, &key, &len))
		return XDP_PASS;

	key.ifindex = ctx->ingress_ifindex;
	if (key.protocol == IPPROTO_ESP) {
		ret = decrypt(ctx, &key, len);
		if (ret != DECRYPTED)
			return ret;
		decrypted = true;
		/* What XDP does not forward needs its record all the same. */
		if (!parse(ctx, &key, &len)) {
			bpf_xdp_xfrm_offer(ctx, &key, sizeof(key));
			return XDP_PASS;
		}
	}

	return forward(ctx, &key, len, decrypted);
}

char _license[] SEC("license") = "GPL";
