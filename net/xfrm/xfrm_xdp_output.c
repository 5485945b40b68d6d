// SPDX-License-Identifier: GPL-2.0-only
/* Forward one packet of a flow in XDP, and encrypt it if the flow says so.
 *
 * Everything is checked before anything is touched: the packet either leaves
 * exactly as the stack would have sent it, or is handed to the stack as it came.
 */

#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/unaligned.h>
#include <net/dst.h>
#include <net/inet_ecn.h>
#include <net/neighbour.h>
#include <net/route.h>
#include <net/sch_generic.h>
#include <trace/events/xfrm_xdp.h>

#include "xfrm_xdp_packet.h"

/**
 * struct xfrm_xdp_packet - what the checks found out about a packet
 * @iph: inner IP header
 * @len: length of the inner packet, without padding of the link layer
 * @tail: length of the ESP trailer and ICV
 * @out_len: length of the outer packet
 * @link_len: length of the payload of the received frame
 */
struct xfrm_xdp_packet {
	struct iphdr	*iph;
	u32		len;
	u32		tail;
	u32		out_len;
	u32		link_len;
};

/**
 * xfrm_xdp_parse() - take the tuple from an IPv4 packet
 * @network: IP header
 * @end: end of the readable data
 * @tuple: result
 *
 * The tag of the frame is the caller's.
 *
 * Return: 0, or -EPROTO for a packet that XDP does not forward: truncated, with
 * options, a fragment, or of a protocol without flows.
 */
int xfrm_xdp_parse(const void *network, const void *end,
		   struct xfrm_xdp_tuple *tuple)
{
	return __xfrm_xdp_parse(network, end, tuple);
}

/**
 * xfrm_xdp_check_tuple() - does a flow select a packet?
 * @flow: flow
 * @iph: IP header of the packet
 * @end: end of the readable data
 *
 * But for the tag. Says why not, and knows ICMP.
 *
 * Return: 0, or XFRM_XDP_PASS*.
 */
enum xfrm_xdp_stat xfrm_xdp_check_tuple(const struct xfrm_xdp_flow *flow,
					const struct iphdr *iph,
					const void *end)
{
	struct xfrm_xdp_tuple tuple;

	if (__xfrm_xdp_parse(iph, end, &tuple))
		return XFRM_XDP_PASSHEADER;

	tuple.vlan_tci = flow->tuple.vlan_tci;
	return memcmp(&tuple, &flow->tuple, sizeof(tuple)) ?
	       XFRM_XDP_PASSSELECTOR : 0;
}

/**
 * xfrm_xdp_trailer_len() - length of padding, trailer and ICV
 * @geometry: of the flow
 * @len: length of the inner packet
 *
 * RFC 4303, 2.4; the same as esp_output() makes without TFC padding.
 *
 * Return: bytes needed behind the inner packet.
 */
u32 xfrm_xdp_trailer_len(const struct xfrm_xdp_geometry *geometry, u32 len)
{
	return ALIGN(len + 2, geometry->align) - (len + 2) + geometry->tail;
}

static __always_inline void
__xfrm_xdp_outer_iph(struct iphdr *top, const struct iphdr *iph,
		     const struct xfrm_xdp_flow *flow,
		     const struct dst_entry *dst, u32 len)
{
	*top = flow->rewrite.iph;
	if (flow->rewrite.ecn)
		top->tos = INET_ECN_encapsulate(top->tos, iph->tos);
	top->frag_off = iph->frag_off & flow->rewrite.df;
	top->ttl = ip4_dst_hoplimit(xfrm_dst_child(dst));
	top->tot_len = htons(len);
	/* as ip_select_ident() does */
	if (!top->frag_off)
		top->id = htons(ip_idents_reserve(flow->rewrite.id_hash, 1));
	top->check = ip_fast_csum(top, sizeof(*top) / 4);
}

/**
 * xfrm_xdp_outer_iph() - write the outer IPv4 header
 * @top: where
 * @iph: inner header, TTL already decremented
 * @flow: flow
 * @dst: the flow's bundle; flow->dst may have gone meanwhile
 * @len: length of the outer packet
 *
 * The same as xfrm4_tunnel_encap_add() and __ip_local_out() together. RFC 4301,
 * 5.1.2.1; ECN by RFC 6040, DF copied unless the state says otherwise.
 */
void xfrm_xdp_outer_iph(struct iphdr *top, const struct iphdr *iph,
			const struct xfrm_xdp_flow *flow,
			const struct dst_entry *dst, u32 len)
{
	__xfrm_xdp_outer_iph(top, iph, flow, dst, len);
}

/* Is the next hop known? If it has to be confirmed, ask as the stack would. One that
 * is not known the stack asks for with the packet, whose source address ARP takes.
 */
static __always_inline bool xfrm_xdp_neigh_ok(struct neighbour *neigh)
{
	u8 state = READ_ONCE(neigh->nud_state);

	if (likely(state & NUD_CONNECTED))
		return true;

	return state & NUD_VALID && !neigh_event_send_probe(neigh, NULL, true);
}

/* May this packet take the flow? Touches nothing. @plain: nothing is added to
 * it, what its headers and trailer need is there.
 */
static __always_inline enum xfrm_xdp_stat
xfrm_xdp_check(const struct xdp_buff *xdp, struct xfrm_xdp_flow *flow,
	       struct dst_entry *dst, bool ordinary, bool plain,
	       struct xfrm_xdp_packet *pkt)
{
	const struct net_device *in = xdp->rxq->dev;
	const struct net_device *dev = flow->dev;
	enum xfrm_xdp_stat why;
	struct iphdr *iph;
	u32 mtu;

	why = xfrm_xdp_check_frame(xdp, flow, ordinary, &iph);
	if (unlikely(why))
		return why;

	if (unlikely(iph->ttl <= 1))
		return XFRM_XDP_PASSTTL;

	/* A dead neighbour may look connected, but the stack has another. */
	if (unlikely(!(plain ? xfrm_xdp_route_ok(dst) : !!dst_check(dst, 0)) ||
		     READ_ONCE(flow->neigh->dead)))
		return XFRM_XDP_PASSDST;

	pkt->iph = iph;
	pkt->len = ntohs(iph->tot_len);
	pkt->link_len = xdp->data_end - (void *)iph;

	/* ip_forward() asks the first, xfrm4_tunnel_check_size() the second:
	 * dst_mtu() of a bundle, which dst_check() has just brought up to date.
	 */
	mtu = ip_dst_mtu_maybe_forward(dst, true);
	if (!plain)
		mtu = min(mtu, dst_metric_raw(dst, RTAX_MTU));
	if (unlikely(pkt->len > mtu))
		return XFRM_XDP_PASSMTU;

	if (unlikely(!xfrm_xdp_neigh_ok(flow->neigh)))
		return XFRM_XDP_PASSNEIGH;

	/* Redirecting must not fail after a sequence number was used. */
	if (unlikely(!(dev->flags & IFF_UP) || !netif_carrier_ok(dev) ||
		     !xfrm_xdp_can_send(dev, in)))
		return XFRM_XDP_PASSTXDEV;

	/* As __dev_xmit_skb() asks before it sends past the queue. What waits
	 * there has lower sequence numbers.
	 */
	if (unlikely(!qdisc_is_empty(rcu_dereference_bh(flow->txq->qdisc))))
		return XFRM_XDP_PASSQUEUE;

	/* In front, redirecting needs a struct xdp_frame as well. */
	if (unlikely((void *)iph - flow->rewrite.room <
		     xdp->data_hard_start + sizeof(struct xdp_frame)))
		return XFRM_XDP_PASSROOM;

	pkt->out_len = pkt->len;
	if (!plain) {
		pkt->tail = xfrm_xdp_trailer_len(&flow->geometry, pkt->len);
		if (unlikely((void *)iph + pkt->len + pkt->tail >
			     xdp_data_hard_end(xdp)))
			return XFRM_XDP_PASSROOM;
		pkt->out_len += flow->geometry.head + pkt->tail;
	}

	/* The MTU of a route may be the larger one: as xdp_ok_fwd_dev() will ask. */
	if (unlikely(flow->rewrite.link_len + pkt->out_len >
		     READ_ONCE(dev->mtu) + VLAN_ETH_HLEN))
		return XFRM_XDP_PASSMTU;

	return 0;
}

/* Charge the packet to its state, in the order of xfrm_output_one(). Where the
 * stack would refuse, nothing is changed: it shall refuse and count itself.
 */
static __always_inline bool xfrm_xdp_charge(struct xfrm_state *x, u32 len,
					    time64_t now, u64 *seq)
{
	u32 seq_lo, seq_hi;

	spin_lock(&x->lock);

	if (unlikely(x->km.state != XFRM_STATE_VALID ||
		     x->curlft.bytes >= x->lft.hard_byte_limit ||
		     x->curlft.packets >= x->lft.hard_packet_limit))
		goto refuse;

	if (unlikely(xfrm_replay_oseq(x, &seq_lo, &seq_hi)))
		goto refuse;
	*seq = (u64)seq_hi << 32 | seq_lo;

	xfrm_xdp_check_expire(x);
	if (xfrm_aevent_is_on(xs_net(x)))
		xfrm_replay_notify(x, XFRM_REPLAY_UPDATE);

	x->curlft.bytes += len;
	x->curlft.packets++;
	x->lastused = now;

	spin_unlock(&x->lock);
	return true;

refuse:
	spin_unlock(&x->lock);
	return false;
}

/* As xfrm_replay_oseq() will ask. */
static bool xfrm_xdp_numbers_left(const struct xfrm_state *x)
{
	const struct xfrm_replay_state_esn *esn = x->replay_esn;

	switch (x->repl_mode) {
	case XFRM_REPLAY_MODE_ESN:
		return ~esn->oseq || ~esn->oseq_hi;
	case XFRM_REPLAY_MODE_BMP:
		return ~esn->oseq ||
		       x->props.extra_flags & XFRM_SA_XFLAG_OSEQ_MAY_WRAP;
	default:
		return ~x->replay.oseq ||
		       x->props.extra_flags & XFRM_SA_XFLAG_OSEQ_MAY_WRAP;
	}
}

/* May the packet be charged? Asked before anything else is changed for it. */
static bool xfrm_xdp_chargeable(const struct xfrm_state *x)
{
	return READ_ONCE(x->km.state) == XFRM_STATE_VALID &&
	       xfrm_xdp_numbers_left(x) &&
	       x->curlft.bytes < x->lft.hard_byte_limit &&
	       x->curlft.packets < x->lft.hard_packet_limit;
}

/* What ip_rcv_core() and ip_forward() count. */
static __always_inline void
xfrm_xdp_mib_forward(struct net *net, const struct xfrm_xdp_packet *pkt)
{
	struct ipstats_mib __percpu *mib = net->mib.ip_statistics;

	xfrm_xdp_mib_in(mib, pkt->iph->tos, pkt->link_len);
	__SNMP_INC_STATS64(mib, IPSTATS_MIB_OUTFORWDATAGRAMS);
}

/* What ip_finish_output2() counts, and __ip_local_out() of an outer packet. */
static __always_inline void
xfrm_xdp_mib_out(struct net *net, const struct xfrm_xdp_packet *pkt, bool outer)
{
	struct ipstats_mib __percpu *mib = net->mib.ip_statistics;

	if (outer)
		__SNMP_INC_STATS64(mib, IPSTATS_MIB_OUTREQUESTS);
	__SNMP_UPD_PO_STATS64(mib, IPSTATS_MIB_OUT, pkt->out_len);
}

/* As __xfrm_policy_check() and xfrm_lookup_with_ifid() keep the use time. */
static __always_inline void
xfrm_xdp_policies_used(struct xfrm_policy *const *pols, int num, time64_t now)
{
	int i;

	for (i = 0; i < num; i++) {
		if (READ_ONCE(pols[i]->curlft.use_time) != now)
			WRITE_ONCE(pols[i]->curlft.use_time, now);
	}
}

/* Copy the neighbour's cached header, as neigh_hh_output() does. */
static __always_inline void
xfrm_xdp_cached_header(const struct xfrm_xdp_flow *flow, void *network)
{
	const struct hh_cache *hh = &flow->neigh->hh;
	unsigned int seq;

	do {
		seq = read_seqbegin(&hh->hh_lock);
		memcpy(network - HH_DATA_MOD, hh->hh_data, HH_DATA_MOD);
	} while (read_seqretry(&hh->hh_lock, seq));
}

/**
 * xfrm_xdp_link_header() - write the link layer header
 * @flow: flow
 * @network: where the network header begins; without a tag HH_DATA_MOD bytes
 *	in front of it are written
 */
void xfrm_xdp_link_header(const struct xfrm_xdp_flow *flow, void *network)
{
	if (flow->rewrite.vlan_tci)
		xfrm_xdp_vlan_header(flow, network);
	else
		xfrm_xdp_cached_header(flow, network);
}

/**
 * xfrm_xdp_pass() - hand a packet to the stack
 * @flow: flow that it met
 * @xdp: packet
 * @why: XFRM_XDP_PASS*, to be counted
 *
 * Return: errno for the program.
 */
noinline int xfrm_xdp_pass(const struct xfrm_xdp_flow *flow,
			   const struct xdp_buff *xdp, enum xfrm_xdp_stat why)
{
	int err = xfrm_xdp_pass_errno(why);

	/* An empty flow has no netns any more: the device has. */
	xfrm_xdp_count(xfrm_xdp_pernet(dev_net(xdp->rxq->dev)), why);
	trace_xfrm_xdp_pass(flow, xdp->rxq->dev, err);
	return err;
}

/* Was it the same VTI that got what was decrypted? Asked if @flow->came is right. */
static bool xfrm_xdp_same_vti(const struct xfrm_xdp_flow *flow)
{
	return !flow->vti ||
	       this_cpu_read(xfrm_xdp_decrypted.vti) == flow->in_ifindex;
}

/* What VTI and netfilter would do with a packet that goes on in clear. */
static enum xfrm_xdp_stat xfrm_xdp_watch(const struct xfrm_xdp_flow *flow,
					 const struct iphdr *iph)
{
	enum xfrm_xdp_stat why;

	if (!xfrm_xdp_same_vti(flow))
		return XFRM_XDP_PASSTHROUGH;
	if (!flow->judged)
		return 0;

	why = xfrm_xdp_check_judged(flow, iph);
	if (!why && !xfrm_xdp_track(&flow->ct[0], iph, true))
		why = XFRM_XDP_PASSCONN;
	return why;
}

/* What was decrypted goes on in clear, as ip_forward() sends it. */
static noinline int xfrm_xdp_output_plain(struct xdp_buff *xdp,
					  struct xfrm_xdp_flow *flow)
{
	struct xfrm_xdp_packet pkt __uninitialized;
	enum xfrm_xdp_stat why;
	struct dst_entry *dst;
	time64_t now;

	dst = READ_ONCE(flow->dst);
	if (unlikely(!dst))
		return xfrm_xdp_pass(flow, xdp, XFRM_XDP_PASSDEAD);
	why = xfrm_xdp_check(xdp, flow, dst, false, true, &pkt);
	if (unlikely(why))
		return xfrm_xdp_pass(flow, xdp, why);

	if (unlikely(flow->watched)) {
		why = xfrm_xdp_watch(flow, pkt.iph);
		if (why)
			return xfrm_xdp_pass(flow, xdp, why);
	}

	now = ktime_get_real_seconds();
	xfrm_xdp_policies_used(flow->fwd.pols, flow->fwd.num, now);
	xfrm_xdp_mib_forward(flow->xnet->net, &pkt);
	xfrm_xdp_mib_out(flow->xnet->net, &pkt, false);

	ip_decrease_ttl(pkt.iph);
	if (unlikely(flow->rewrite.vlan_tci))
		xfrm_xdp_vlan_header(flow, pkt.iph);
	else
		xfrm_xdp_cached_header(flow, pkt.iph);
	xdp->data = (void *)pkt.iph - flow->rewrite.link_len;
	xdp->data_end = (void *)pkt.iph + pkt.len;
	xdp->data_meta = xdp->data;
	xdp->flags &= ~XDP_FLAGS_DECRYPTED;
	this_cpu_write(xfrm_xdp_decrypted.data, NULL);
	if (unlikely(flow->upper)) {
		xfrm_xdp_policies_used(flow->in.pols, flow->in.num, now);
		xfrm_xdp_upper_count_in(flow, xdp->rxq->dev, pkt.link_len);
		xfrm_xdp_upper_count_out(flow, pkt.len, pkt.len);
	}

	xfrm_xdp_count(flow->xnet, XFRM_XDP_FORWARD);
	return flow->ifindex;
}

/* As xfrmi_xmit2() and vti_xmit() count what was not sent. */
static void xfrm_xdp_tunnel_error(struct net_device *dev)
{
	DEV_STATS_INC(dev, tx_errors);
	DEV_STATS_INC(dev, tx_aborted_errors);
}

static int xfrm_xdp_output_through(struct xdp_buff *xdp,
				   struct xfrm_xdp_flow *flow);

/* Encrypt. @ordinary: the flow is, and no packet takes it that was decrypted. */
static __always_inline int __xfrm_xdp_output(struct xdp_buff *xdp,
					     struct xfrm_xdp_flow *flow,
					     bool ordinary)
{
	struct xfrm_xdp_packet pkt __uninitialized;
	struct xfrm_xdp_request *req;
	enum xfrm_xdp_stat why;
	struct xfrm_dst *xdst;
	struct dst_entry *dst;
	struct iphdr *top;
	time64_t now;
	bool no_meta;
	u64 seq;
	u32 len;
	int err;

	dst = READ_ONCE(flow->dst);
	if (unlikely(!dst))
		return xfrm_xdp_pass(flow, xdp, XFRM_XDP_PASSDEAD);
	why = xfrm_xdp_check(xdp, flow, dst, ordinary, false, &pkt);
	if (unlikely(why))
		return ordinary && xdp->flags & XDP_FLAGS_DECRYPTED ?
		       xfrm_xdp_output_through(xdp, flow) :
		       xfrm_xdp_pass(flow, xdp, why);

	if (!ordinary && !xfrm_xdp_same_vti(flow))
		return xfrm_xdp_pass(flow, xdp, XFRM_XDP_PASSTHROUGH);

	if (!ordinary && flow->judged) {
		why = xfrm_xdp_check_judged(flow, pkt.iph);
		if (why)
			return xfrm_xdp_pass(flow, xdp, why);
	}

	if (unlikely(!xfrm_xdp_memory_ok(xdp)))
		return xfrm_xdp_pass(flow, xdp, XFRM_XDP_PASSMEMORY);

	req = xfrm_xdp_request_get();
	if (unlikely(!req))
		return xfrm_xdp_pass(flow, xdp, XFRM_XDP_PASSBUSY);

	/* Should it be copied, there must be room for it. */
	len = flow->rewrite.link_len + pkt.out_len;
	if (unlikely(flow->cipher.async && len > req->room &&
		     !xfrm_xdp_request_grow(req, len))) {
		xfrm_xdp_request_put();
		return xfrm_xdp_pass(flow, xdp, XFRM_XDP_PASSBUSY);
	}

	if (!ordinary && flow->judged) {
		why = !xfrm_xdp_chargeable(dst->xfrm) ? XFRM_XDP_PASSSTATE :
		      !xfrm_xdp_track(&flow->ct[0], pkt.iph, true) ?
		      XFRM_XDP_PASSCONN : 0;
		if (why) {
			xfrm_xdp_request_put();
			return xfrm_xdp_pass(flow, xdp, why);
		}
	}

	now = ktime_get_real_seconds();
	if (unlikely(!xfrm_xdp_charge(dst->xfrm, pkt.len, now, &seq))) {
		xfrm_xdp_request_put();
		return xfrm_xdp_pass(flow, xdp, XFRM_XDP_PASSSTATE);
	}

	xdst = (struct xfrm_dst *)dst;
	xfrm_xdp_policies_used(xdst->pols, xdst->num_pols, now);
	xfrm_xdp_policies_used(flow->fwd.pols, flow->fwd.num, now);
	xfrm_xdp_mib_forward(flow->xnet->net, &pkt);

	/* From here on the packet is changed, and will not be passed. */
	ip_decrease_ttl(pkt.iph);
	top = (void *)pkt.iph - flow->geometry.head;
	__xfrm_xdp_outer_iph(top, pkt.iph, flow, dst, pkt.out_len);
	if (unlikely(flow->upper)) {
		xfrm_xdp_policies_used(flow->in.pols, flow->in.num, now);
		xfrm_xdp_upper_count_in(flow, xdp->rxq->dev, pkt.link_len);
		xfrm_xdp_link_header(flow, top);
	} else {
		xfrm_xdp_cached_header(flow, top);
	}

	no_meta = xdp_data_meta_unsupported(xdp);
	xdp->data = (void *)top - flow->rewrite.link_len;
	xdp->data_end = (void *)top + pkt.out_len;
	xdp->data_meta = xdp->data + no_meta;

	err = flow->type->output(flow, dst->xfrm, pkt.iph, pkt.len, seq, req);
	if (likely(!err) || err == -EINPROGRESS) {
		xfrm_xdp_mib_out(flow->xnet->net, &pkt, true);
		if (!ordinary && flow->judged)
			xfrm_xdp_track(&flow->ct[1], top, false);
		if (unlikely(flow->upper))
			xfrm_xdp_upper_count_out(flow, pkt.len, pkt.out_len);
	}
	if (likely(!err)) {
		xfrm_xdp_request_put();
		xfrm_xdp_count(flow->xnet, XFRM_XDP_OUTPUT);
		return flow->ifindex;
	}

	if (err == -EINPROGRESS) {
		xfrm_xdp_request_hold(req, dst->xfrm, flow->dev);
	} else {
		XFRM_INC_STATS(flow->xnet->net, LINUX_MIB_XFRMOUTSTATEPROTOERROR);
		xfrm_xdp_count(flow->xnet, XFRM_XDP_OUTPUTERROR);
		if (flow->tunnel)
			xfrm_xdp_tunnel_error(flow->tunnel);
	}
	xfrm_xdp_request_put();
	xfrm_xdp_consume(xdp);
	return 0;
}

/* The callers below save no register before they know which of these it is. */
static noinline int xfrm_xdp_output_ordinary(struct xdp_buff *xdp,
					     struct xfrm_xdp_flow *flow)
{
	return __xfrm_xdp_output(xdp, flow, true);
}

static noinline int xfrm_xdp_output_other(struct xdp_buff *xdp,
					  struct xfrm_xdp_flow *flow)
{
	int ret = __xfrm_xdp_output(xdp, flow, false);

	if (ret >= 0)
		xdp->flags &= ~XDP_FLAGS_DECRYPTED;
	return ret;
}

/* What came in clear does not take the flow of what was decrypted, nor the other
 * way round, nor does what came through another state, or VTI.
 */
static int xfrm_xdp_output_through(struct xdp_buff *xdp,
				   struct xfrm_xdp_flow *flow)
{
	const struct xfrm_xdp_through *through = xfrm_xdp_through(xdp);

	if (unlikely(through ? through->came != flow->came :
			       flow->came || xfrm_xdp_maybe_through(xdp)))
		return xfrm_xdp_pass(flow, xdp,
				     flow->kind == XFRM_XDP_DECRYPT ?
				     XFRM_XDP_PASSKIND : XFRM_XDP_PASSTHROUGH);
	if (likely(flow->kind == XFRM_XDP_PLAIN))
		return xfrm_xdp_output_plain(xdp, flow);
	if (unlikely(flow->kind == XFRM_XDP_DECRYPT))
		return xfrm_xdp_pass(flow, xdp, XFRM_XDP_PASSKIND);

	return xfrm_xdp_output_other(xdp, flow);
}

/**
 * xfrm_xdp_output() - make a packet ready to be redirected, encrypted if need be
 * @xdp: packet, from the Ethernet header on
 * @flow: flow that the program thinks it belongs to
 *
 * XDP context: softirq or BH off, RCU held. Takes the state's lock once, as
 * xfrm_output_one() does.
 *
 * Return: index of the device to redirect to (> 0). 0 if the packet is the
 * kernel's now and the program has to drop it: the cipher works on it and
 * it is sent later, or the cipher failed. Negative if the packet is untouched
 * and the stack has to take it:
 *
 * * -EINVAL: a flow for xfrm_xdp_input()
 * * -EACCES: it came in clear and the flow's came through a state, or the other
 *   way round, or through another state; or nobody knows, as its record has gone
 * * -ENXIO: the flow is empty, its device, netns or connection has gone, or no
 *   packet took it for long
 * * -EPERM: rules, queues, devices or its connection have changed since the flow
 *   was learned
 * * -ESTALE: route, policy, state or neighbour have changed, see
 *   bpf_xdp_xfrm_lookup()
 * * -EXDEV: not the flow's receiving device, or its VLAN device is not there
 * * -EOPNOTSUPP: several buffers, GSO, or a VLAN tag that is not in the frame
 * * -EADDRNOTAVAIL: not the flow's destination MAC
 * * -EPROTO: not IPv4, options, fragment, wrong length, a VLAN tag or none where
 *   the flow has none or one
 * * -EBADMSG: wrong IP header checksum
 * * -ENOENT: not the flow's addresses, ports, protocol, DSCP or VLAN tag
 * * -ETIME: TTL is 1 or less
 * * -EMSGSIZE: longer than the MTU
 * * -EHOSTUNREACH: the next hop is not resolved
 * * -ENETDOWN: the transmitting device is down or can't send from XDP
 * * -EAGAIN: packets wait in the queue of the transmitting device
 * * -ENOSPC: no room for headers or trailer
 * * -ENOTBLK: memory that the cipher can't use
 * * -EBUSY: too many packets wait for an asynchronous cipher, or out of memory
 * * -EKEYEXPIRED: state not valid, at a hard limit, or out of sequence numbers
 * * -ENOTCONN: netfilter has judged the flow, and its conntrack has to see this
 *   packet: SYN, FIN or RST of TCP, out of the window, a wrong checksum or length,
 *   the first of UDP after two seconds
 */
int xfrm_xdp_output(struct xdp_buff *xdp, struct xfrm_xdp_flow *flow)
{
	if (unlikely(!flow->ordinary))
		return xfrm_xdp_output_through(xdp, flow);

	return xfrm_xdp_output_ordinary(xdp, flow);
}
