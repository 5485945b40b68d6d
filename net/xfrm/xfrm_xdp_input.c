// SPDX-License-Identifier: GPL-2.0-only
/* Decrypt one ESP packet of a flow in XDP.
 *
 * What xfrm_input() would refuse before it decrypts, it shall refuse and count
 * itself: the packet is handed over as it came. What is found out only by
 * decrypting is counted here as there, and dropped. What is left is the inner
 * packet, and the XDP program either forwards it or hands it to the stack, with
 * a record that says which state it came through.
 */

#include <net/dsfield.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/xfrm.h>

#include "xfrm_xdp_packet.h"

/**
 * struct xfrm_xdp_esp - an ESP packet
 * @iph: outer IP header
 * @esph: ESP header
 * @len: from there on, without padding of the link layer
 * @seq_hi: upper half of the sequence number
 * @clear: inner packet
 * @clear_len: its length, with TFC padding
 */
struct xfrm_xdp_esp {
	struct iphdr		*iph;
	struct ip_esp_hdr	*esph;
	u32			len;
	u32			seq_hi;
	void			*clear;
	u32			clear_len;
};

/* Would what is decrypted go another way in the stack by now? No event tells of
 * esp4_offload; that of XDP at the xfrm interface or VTI may be on its way.
 */
static bool xfrm_xdp_moved(const struct xfrm_xdp_flow *flow,
			   const struct net_device *in)
{
	return xfrm_xdp_gro_can(in) != flow->gro_can ||
	       (flow->tunnel && rcu_access_pointer(flow->tunnel->xdp_prog)) ||
	       (flow->vti && xfrm_xdp_gro_loaded());
}

/* May this packet take the flow? Touches nothing. @ordinary: the flow is. */
static __always_inline enum xfrm_xdp_stat
xfrm_xdp_check_in(const struct xdp_buff *xdp, struct xfrm_xdp_flow *flow,
		  struct dst_entry *dst, bool ordinary,
		  struct xfrm_xdp_esp *esp)
{
	enum xfrm_xdp_stat why;

	why = xfrm_xdp_check_frame(xdp, flow, false, &esp->iph);
	if (unlikely(why))
		return why;

	if (!ordinary && flow->judged) {
		why = xfrm_xdp_check_judged(flow, esp->iph);
		if (why)
			return why;
	}

	/* Nobody would read the record. */
	if (unlikely(!rcu_access_pointer(flow->xnet->ops)))
		return XFRM_XDP_PASSAUTH;

	/* ESP in ESP */
	if (xfrm_xdp_maybe_through(xdp))
		return XFRM_XDP_PASSTHROUGH;

	if (unlikely(ordinary ? xfrm_xdp_gro_can(xdp->rxq->dev) :
				xfrm_xdp_moved(flow, xdp->rxq->dev)))
		return XFRM_XDP_PASSDEVICE;

	if (unlikely(!xfrm_xdp_route_ok(dst)))
		return XFRM_XDP_PASSDST;

	if (unlikely(xfrm_xdp_socket_listens(flow->xnet)))
		return XFRM_XDP_PASSSOCKET;

	/* The stack could not be told what it gets. */
	if (unlikely(xdp_data_meta_unsupported(xdp)))
		return XFRM_XDP_PASSBUFFER;
	if (unlikely((void *)esp->iph + flow->geometry.head - ETH_HLEN -
		     sizeof(struct xfrm_xdp_md) <
		     xdp->data_hard_start + sizeof(struct xdp_frame)))
		return XFRM_XDP_PASSROOM;

	if (unlikely(!xfrm_xdp_memory_ok(xdp)))
		return XFRM_XDP_PASSMEMORY;

	esp->esph = (struct ip_esp_hdr *)(esp->iph + 1);
	esp->len = ntohs(esp->iph->tot_len) - sizeof(*esp->iph);

	/* GRO takes padding of the link layer for ciphertext. */
	if (!ordinary && flow->gro &&
	    (void *)esp->esph + esp->len != xdp->data_end)
		return XFRM_XDP_PASSHEADER;

	return 0;
}

/* Would xfrm_replay_check() accept this number, and what is its upper half? Mostly
 * it is higher than all that were there; then the window need not be asked. ESN
 * has no such shortcut.
 */
static __always_inline bool xfrm_xdp_replay_ok(struct xfrm_state *x, __be32 seq,
					       u32 *seq_hi)
{
	*seq_hi = 0;
	if (likely(x->repl_mode == XFRM_REPLAY_MODE_BMP)) {
		if (likely(ntohl(seq) > x->replay_esn->seq))
			return true;
	} else if (x->repl_mode == XFRM_REPLAY_MODE_LEGACY) {
		if (likely(ntohl(seq) > x->replay.seq))
			return true;
	} else {
		*seq_hi = xfrm_replay_seqhi(x, seq);
	}

	return !xfrm_replay_check(x, NULL, seq);
}

/* What xfrm_input() asks before it decrypts, in its order. Where it would
 * refuse, nothing is changed.
 */
static __always_inline enum xfrm_xdp_stat
xfrm_xdp_admit(const struct xfrm_xdp_flow *flow, struct xfrm_state *x,
	       struct xfrm_xdp_esp *esp)
{
	enum xfrm_xdp_stat why = XFRM_XDP_PASSSTATE;

	spin_lock(&x->lock);

	/* an update may have brought another interface, or a mark */
	if (unlikely(x->km.state != XFRM_STATE_VALID ||
		     x->if_id != flow->if_id ||
		     xfrm_smark_get(0, x) != flow->mark))
		goto unlock;

	if (unlikely(!xfrm_xdp_replay_ok(x, esp->esph->seq_no,
					 &esp->seq_hi))) {
		why = XFRM_XDP_PASSREPLAY;
		goto unlock;
	}

	if (unlikely(x->curlft.bytes >= x->lft.hard_byte_limit ||
		     x->curlft.packets >= x->lft.hard_packet_limit))
		goto unlock;

	xfrm_xdp_check_expire(x);
	why = 0;
unlock:
	spin_unlock(&x->lock);
	return why;
}

/* The headers of a packet, for those who look for addresses and SPI. */
static struct sk_buff *xfrm_xdp_headers(const struct xfrm_xdp_esp *esp)
{
	struct sk_buff *skb;

	skb = alloc_skb(sizeof(*esp->iph) + sizeof(*esp->esph),
			GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;

	skb_reset_network_header(skb);
	skb_put_data(skb, esp->iph, sizeof(*esp->iph));
	skb_set_transport_header(skb, sizeof(*esp->iph));
	skb_put_data(skb, esp->esph, sizeof(*esp->esph));
	skb->protocol = htons(ETH_P_IP);
	XFRM_SKB_CB(skb)->seq.input.hi = htonl(esp->seq_hi);
	return skb;
}

/* The packet was not authentic, or no ESP. Under the lock of the state. */
static noinline void xfrm_xdp_not_authentic(struct xfrm_state *x,
					    const struct xfrm_xdp_esp *esp,
					    int err)
{
	struct sk_buff *skb;

	XFRM_INC_STATS(xs_net(x), LINUX_MIB_XFRMINSTATEPROTOERROR);
	if (err != -EBADMSG)
		return;

	x->stats.integrity_failed++;
	skb = xfrm_xdp_headers(esp);
	if (!skb)
		return;
	xfrm_audit_state_icvfail(x, skb, x->type->proto);
	kfree_skb(skb);
}

/* Another CPU was faster with the same number, or moved the window. */
static noinline void xfrm_xdp_overtaken(struct xfrm_state *x,
					const struct xfrm_xdp_esp *esp)
{
	struct sk_buff *skb;

	XFRM_INC_STATS(xs_net(x), LINUX_MIB_XFRMINSTATESEQERROR);
	skb = xfrm_xdp_headers(esp);
	if (!skb)
		return;
	xfrm_replay_recheck(x, skb, esp->esph->seq_no);
	kfree_skb(skb);
}

/* What xfrm_input() does after it decrypted. Returns false if it drops. */
static __always_inline bool xfrm_xdp_accept(struct xfrm_state *x,
					    const struct xfrm_xdp_esp *esp,
					    int nexthdr)
{
	__be32 seq = esp->esph->seq_no;
	u32 seq_hi;

	spin_lock(&x->lock);

	if (unlikely(nexthdr < 0)) {
		xfrm_xdp_not_authentic(x, esp, nexthdr);
		goto refuse;
	}

	if (unlikely(!xfrm_xdp_replay_ok(x, seq, &seq_hi) ||
		     seq_hi != esp->seq_hi)) {
		xfrm_xdp_overtaken(x, esp);
		goto refuse;
	}

	xfrm_replay_advance(x, seq);
	x->curlft.bytes += esp->clear_len;
	x->curlft.packets++;
	x->lastused = ktime_get_real_seconds();

	spin_unlock(&x->lock);
	return true;

refuse:
	spin_unlock(&x->lock);
	return false;
}

/* As xfrm6_remove_tunnel_encap(). */
static void xfrm_xdp_inner6(const struct xfrm_state *x, u8 tos, void *clear)
{
	struct ipv6hdr *ip6h = clear;

	if (x->props.flags & XFRM_STATE_DECAP_DSCP)
		ipv6_copy_dscp(tos, ip6h);
	if (!(x->props.flags & XFRM_STATE_NOECN) && INET_ECN_is_ce(tos) &&
	    !INET_ECN_is_not_ect(ipv6_get_dsfield(ip6h)))
		ipv6_change_dsfield(ip6h, 0xff, INET_ECN_CE);
}

/* As xfrm4_remove_tunnel_encap(). */
static void xfrm_xdp_inner4(const struct xfrm_state *x, u8 tos, void *clear)
{
	struct iphdr *iph = clear;

	if (unlikely(x->props.flags & XFRM_STATE_DECAP_DSCP))
		ipv4_copy_dscp(tos, iph);
	if (unlikely(INET_ECN_is_ce(tos)) &&
	    !(x->props.flags & XFRM_STATE_NOECN))
		IP_ECN_set_ce(iph);
}

/* The EtherType of the inner packet, or 0 if a tunnel has no such packets. */
static __always_inline __be16 xfrm_xdp_inner(const struct xfrm_state *x,
					     const struct xfrm_xdp_esp *esp,
					     int nexthdr)
{
	if (likely(nexthdr == IPPROTO_IPIP) &&
	    esp->clear_len >= sizeof(struct iphdr)) {
		xfrm_xdp_inner4(x, esp->iph->tos, esp->clear);
		return htons(ETH_P_IP);
	}

	if (nexthdr == IPPROTO_IPV6 &&
	    esp->clear_len >= sizeof(struct ipv6hdr)) {
		xfrm_xdp_inner6(x, esp->iph->tos, esp->clear);
		return htons(ETH_P_IPV6);
	}

	return 0;
}

/* Make the inner packet a frame, with a record that only this CPU believes. */
static __always_inline void
xfrm_xdp_decapsulate(struct xdp_buff *xdp, const struct xfrm_xdp_flow *flow,
		     const struct xfrm_state *x, bool ordinary,
		     const struct xfrm_xdp_esp *esp, __be16 proto)
{
	struct ethhdr *eth = esp->clear - ETH_HLEN;
	struct xfrm_xdp_through *through;
	struct xfrm_xdp_md *md;

	memcpy(eth, xdp->data, 2 * ETH_ALEN);
	eth->h_proto = proto;
	md = (struct xfrm_xdp_md *)eth - 1;
	xdp->data = eth;
	xdp->data_end = esp->clear + esp->clear_len;
	xdp->data_meta = md;
	xdp->flags |= XDP_FLAGS_DECRYPTED;

	through = this_cpu_ptr(&xfrm_xdp_decrypted);
	md->mac = ++through->nonce;
	through->data = eth;
	through->rxq = xdp->rxq;
	through->came = xfrm_xdp_came(x, false);
	through->spi = x->id.spi;
	through->daddr = x->id.daddr.a4;
	if (!ordinary && flow->vti) {
		through->came = flow->came;
		through->vti = flow->vti->ifindex;
	}
}

static __always_inline int __xfrm_xdp_input(struct xdp_buff *xdp,
					    struct xfrm_xdp_flow *flow,
					    bool ordinary)
{
	struct xfrm_xdp_esp esp __uninitialized;
	struct xfrm_state *x = flow->sa;
	struct ipstats_mib __percpu *mib;
	struct xfrm_xdp_request *req;
	enum xfrm_xdp_stat why;
	struct dst_entry *dst;
	int nexthdr;
	__be16 proto;

	dst = READ_ONCE(flow->dst);
	if (unlikely(!dst))
		return xfrm_xdp_pass(flow, xdp, XFRM_XDP_PASSDEAD);
	if (unlikely(flow->kind != XFRM_XDP_DECRYPT))
		return xfrm_xdp_pass(flow, xdp, XFRM_XDP_PASSKIND);

	why = xfrm_xdp_check_in(xdp, flow, dst, ordinary, &esp);
	if (unlikely(why))
		return xfrm_xdp_pass(flow, xdp, why);

	why = xfrm_xdp_admit(flow, x, &esp);
	if (unlikely(why))
		return xfrm_xdp_pass(flow, xdp, why);

	req = xfrm_xdp_request_get();
	if (unlikely(!req))
		return xfrm_xdp_pass(flow, xdp, XFRM_XDP_PASSBUSY);
	nexthdr = flow->type->input(flow, x, esp.esph, esp.len, esp.seq_hi, req);
	esp.clear = req->clear;
	esp.clear_len = req->clear_len;
	xfrm_xdp_request_put();
	if (unlikely(nexthdr == -ENODATA))
		return xfrm_xdp_pass(flow, xdp, XFRM_XDP_PASSHEADER);
	if (unlikely(nexthdr == -EBUSY))
		return xfrm_xdp_pass(flow, xdp, XFRM_XDP_PASSBUSY);

	/* From here on the packet is changed, and will not be passed. */
	if (ordinary || !flow->gro) {
		mib = flow->xnet->net->mib.ip_statistics;
		xfrm_xdp_mib_in(mib, esp.iph->tos,
				xdp->data_end - (void *)esp.iph);
		__SNMP_INC_STATS64(mib, IPSTATS_MIB_INDELIVERS);
	}
	if (!ordinary && flow->judged)
		xfrm_xdp_track(&flow->ct[0], esp.iph, true);

	if (unlikely(!xfrm_xdp_accept(x, &esp, nexthdr)))
		goto drop;

	proto = xfrm_xdp_inner(x, &esp, nexthdr);
	if (unlikely(!proto)) {
		XFRM_INC_STATS(flow->xnet->net, LINUX_MIB_XFRMINSTATEMODEERROR);
		goto drop;
	}

	/* as xfrmi_rcv_cb(); VTI has to ask policies first */
	if (!ordinary && flow->tunnel && !flow->vti)
		dev_sw_netstats_rx_add(flow->tunnel, esp.clear_len);
	xfrm_xdp_decapsulate(xdp, flow, x, ordinary, &esp, proto);
	xfrm_xdp_count(flow->xnet, XFRM_XDP_INPUT);
	return 1;

drop:
	if (!ordinary && flow->tunnel) {
		DEV_STATS_INC(flow->tunnel, rx_errors);
		DEV_STATS_INC(flow->tunnel, rx_dropped);
	}
	xfrm_xdp_count(flow->xnet, XFRM_XDP_INPUTERROR);
	xfrm_xdp_consume(xdp);
	return 0;
}

/* The caller below saves no register before it knows which of these it is. */
static noinline int xfrm_xdp_input_ordinary(struct xdp_buff *xdp,
					    struct xfrm_xdp_flow *flow)
{
	return __xfrm_xdp_input(xdp, flow, true);
}

static noinline int xfrm_xdp_input_other(struct xdp_buff *xdp,
					 struct xfrm_xdp_flow *flow)
{
	return __xfrm_xdp_input(xdp, flow, false);
}

/**
 * xfrm_xdp_input() - decrypt an ESP packet
 * @xdp: packet, from the Ethernet header on
 * @flow: flow that the program thinks it belongs to
 *
 * XDP context: softirq or BH off, RCU held. Takes the state's lock twice, as
 * xfrm_input() does. RFC 4303, 3.4.
 *
 * Return: 1 if the packet is the inner one now, behind an Ethernet header. The
 * program must give it to xfrm_xdp_output(), or write a record and hand it to
 * the stack. 0 if it was refused after it was changed; it is counted, and the
 * program has to drop it. Negative if it is untouched and the stack has to take
 * it:
 *
 * * -EINVAL: a flow for xfrm_xdp_output()
 * * -EACCES: ESP inside of ESP
 * * -ENXIO: the flow is empty, its netns or connection has gone, or no packet
 *   took it for long
 * * -EPERM: rules, devices or its connection have changed since the flow was
 *   learned, or nobody takes flows any more
 * * -ESTALE: the route of the packet to the gateway has changed
 * * -EXDEV: not the flow's receiving device, GRO decrypts there now or does not
 *   any more, or the xfrm interface or VTI has an XDP program
 * * -EOPNOTSUPP: several buffers, a VLAN tag that is not in the frame, or a
 *   device without metadata
 * * -EADDRNOTAVAIL: not the flow's destination MAC
 * * -EPROTO: not IPv4, options, fragment, wrong or too short length
 * * -EBADMSG: wrong checksum of the outer IP header
 * * -ENOENT: not the flow's addresses, SPI or DSCP
 * * -EUSERS: a raw socket may want a copy of ESP packets
 * * -ENOSPC: no room for the record
 * * -ENOTBLK: memory that the cipher can't use
 * * -EBUSY: the cipher would not be done at once, or out of memory
 * * -EALREADY: replayed, or older than the window
 * * -EKEYEXPIRED: state not valid, at a hard limit, or updated with another
 *   interface id or output mark
 */
int xfrm_xdp_input(struct xdp_buff *xdp, struct xfrm_xdp_flow *flow)
{
	return likely(flow->ordinary_in) ? xfrm_xdp_input_ordinary(xdp, flow) :
					   xfrm_xdp_input_other(xdp, flow);
}
