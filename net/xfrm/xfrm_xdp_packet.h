/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _XFRM_XDP_PACKET_H
#define _XFRM_XDP_PACKET_H

/* Does a frame belong to a flow? The same for all that happens to it then. */

#include <linux/etherdevice.h>
#include <linux/icmp.h>
#include <linux/netfilter.h>
#include <linux/unaligned.h>
#include <net/inet_ecn.h>
#include <net/route.h>

#include "xfrm_xdp_internal.h"

/* Is a header, and what flows need behind it, in front of @end? */
static __always_inline bool xfrm_xdp_readable(const struct iphdr *iph,
					      const void *end)
{
	return (const void *)(iph + 1) + 8 <= end;
}

/* Could XDP forward such a packet? It is readable. */
static __always_inline bool xfrm_xdp_header_ok(const struct iphdr *iph,
					       const void *end)
{
	u32 len;

	/* version 4, no options */
	if (unlikely(*(const u8 *)iph != 0x45))
		return false;
	if (unlikely(iph->frag_off & htons(IP_MF | IP_OFFSET)))
		return false;

	len = ntohs(iph->tot_len);
	return likely(len >= sizeof(*iph) + 8 && (const void *)iph + len <= end);
}

/* The parts of a packet that @network begins and @end ends that select a flow;
 * -EPROTO for what is no IPv4 packet that XDP could forward.
 */
static __always_inline int
__xfrm_xdp_parse(const struct iphdr *iph, const void *end,
		 struct xfrm_xdp_tuple *tuple)
{
	const void *l4 = iph + 1;
	const struct icmphdr *icmp;

	if (unlikely(!xfrm_xdp_readable(iph, end) ||
		     !xfrm_xdp_header_ok(iph, end)))
		return -EPROTO;

	tuple->saddr = iph->saddr;
	tuple->daddr = iph->daddr;
	tuple->protocol = iph->protocol;
	tuple->dscp = iph->tos & ~INET_ECN_MASK;
	tuple->vlan_tci = 0;

	switch (iph->protocol) {
	case IPPROTO_UDP:
	case IPPROTO_TCP:
	case IPPROTO_ESP:
		tuple->ports = *(const __be32 *)l4;
		return 0;
	case IPPROTO_ICMP:
		icmp = l4;
		if (icmp->type != ICMP_ECHO && icmp->type != ICMP_ECHOREPLY)
			return -EPROTO;
		tuple->ports = htonl(icmp->type << 24 | icmp->code << 16 |
				     ntohs(icmp->un.echo.id));
		return 0;
	}

	return -EPROTO;
}

/* ip_fast_csum() of a header without options, which is sound if its words add up to
 * a multiple of 0xffff.
 */
static __always_inline bool xfrm_xdp_csum_ok(const struct iphdr *iph)
{
	const u32 *word = (const u32 *)iph;

	if (!IS_ENABLED(CONFIG_64BIT))
		return !ip_fast_csum(iph, sizeof(*iph) / 4);

	return !(((u64)word[0] + word[1] + word[2] + word[3] + word[4]) %
		 0xffff);
}

/* dst_check() of an IPv4 route, as ipv4_dst_check() answers it. */
static __always_inline bool xfrm_xdp_route_ok(const struct dst_entry *dst)
{
	return dst->obsolete == DST_OBSOLETE_FORCE_CHK &&
	       !rt_is_expired(dst_rtable(dst));
}

/* Does a flow of a protocol with ports, or of ESP, select a packet? But for the
 * tag; both addresses at once, and without a tuple of the packet.
 */
static __always_inline bool xfrm_xdp_selects(const struct xfrm_xdp_tuple *tuple,
					     const struct iphdr *iph)
{
	return get_unaligned((const u64 *)&iph->saddr) ==
	       get_unaligned((const u64 *)&tuple->saddr) &&
	       iph->protocol == tuple->protocol &&
	       iph->protocol != IPPROTO_ICMP &&
	       *(const __be32 *)(iph + 1) == tuple->ports &&
	       (iph->tos & ~INET_ECN_MASK) == tuple->dscp;
}

/**
 * xfrm_xdp_check_frame() - does a frame belong to a flow that is authorised?
 * @xdp: frame
 * @flow: flow
 * @clear: one that came in clear
 * @network: set to its IP header
 *
 * Touches nothing. Under RCU, BH off.
 *
 * Return: 0, or XFRM_XDP_PASS*.
 */
static __always_inline enum xfrm_xdp_stat
xfrm_xdp_check_frame(const struct xdp_buff *xdp,
		     struct xfrm_xdp_flow *flow, bool clear,
		     struct iphdr **network)
{
	const u32 refused = XDP_FLAGS_HAS_FRAGS | XDP_FLAGS_INCOMPLETE |
			    (clear ? XDP_FLAGS_DECRYPTED : 0);
	const struct net_device *in = xdp->rxq->dev;
	const struct ethhdr *eth = xdp->data;
	enum xfrm_xdp_stat why;
	struct iphdr *iph;

	/* The verdict was taken under another set of rules. */
	if (unlikely(flow->genid != (u32)atomic_read(&flow->xnet->genid)) &&
	    !xfrm_xdp_reauthorise(flow))
		return XFRM_XDP_PASSAUTH;

	if (unlikely(in->ifindex != flow->iif ||
		     !net_eq(dev_net(in), flow->xnet->net)))
		return XFRM_XDP_PASSDEVICE;

	/* Several buffers or packets, or a VLAN tag that is not in the frame. */
	if (unlikely(xdp->flags & refused))
		return XFRM_XDP_PASSBUFFER;

	iph = (struct iphdr *)(eth + 1);
	if (unlikely(!xfrm_xdp_readable(iph, xdp->data_end) ||
		     eth->h_proto != flow->h_proto))
		return XFRM_XDP_PASSHEADER;

	if (unlikely(!ether_addr_equal_64bits(eth->h_dest, flow->dmac)))
		return XFRM_XDP_PASSMAC;

	if (unlikely(flow->tuple.vlan_tci)) {
		why = xfrm_xdp_check_vlan(xdp, flow);
		if (why)
			return why;
		iph = (void *)iph + VLAN_HLEN;
		if (!xfrm_xdp_readable(iph, xdp->data_end))
			return XFRM_XDP_PASSHEADER;
	}

	if (unlikely(!xfrm_xdp_header_ok(iph, xdp->data_end)))
		return XFRM_XDP_PASSHEADER;

	if (unlikely(!xfrm_xdp_selects(&flow->tuple, iph))) {
		why = xfrm_xdp_check_tuple(flow, iph, xdp->data_end);
		if (why)
			return why;
	}

	if (unlikely(!xfrm_xdp_csum_ok(iph)))
		return XFRM_XDP_PASSCSUM;

	*network = iph;
	return 0;
}

/* xfrm_state_check_expire(), called only where it has something to do: no flow has
 * a state that a device transforms for. The hard limits are the caller's. Under
 * the lock of the state.
 */
static __always_inline void xfrm_xdp_check_expire(struct xfrm_state *x)
{
	if (unlikely(!READ_ONCE(x->curlft.use_time) ||
		     x->curlft.bytes >= x->lft.soft_byte_limit ||
		     x->curlft.packets >= x->lft.soft_packet_limit))
		xfrm_state_check_expire(x);
}

/**
 * xfrm_xdp_check_judged() - would netfilter see what it saw of the first packet?
 * @flow: flow that netfilter has judged
 * @iph: IP header of the packet, which is the flow's
 *
 * Touches nothing. Under RCU, BH off.
 *
 * Return: 0, or XFRM_XDP_PASS*.
 */
static inline enum xfrm_xdp_stat
xfrm_xdp_check_judged(const struct xfrm_xdp_flow *flow, const struct iphdr *iph)
{
	if (iph->protocol == IPPROTO_TCP && xfrm_xdp_tcp_control(iph))
		return XFRM_XDP_PASSCONN;

	if ((flow->ct[0].ct && !nf_conntrack_flow_same(&flow->ct[0])) ||
	    (flow->ct[1].ct && !nf_conntrack_flow_same(&flow->ct[1])))
		return XFRM_XDP_PASSAUTH;

	return 0;
}

/**
 * xfrm_xdp_track() - track a packet of a connection
 * @flow: connection, or nothing
 * @iph: packet
 * @received: it was received, so its checksum counts
 *
 * As nf_conntrack_in() does. Under RCU, BH off.
 *
 * Return: true if it was done; false, and nothing was changed, if the stack has to
 * do it.
 */
static inline bool xfrm_xdp_track(const struct nf_conntrack_flow *flow,
				  const struct iphdr *iph, bool received)
{
	const struct nf_ct_hook *hook;
	bool done;

	if (!flow->ct)
		return true;

	/* with BH off there is RCU already, but lockdep is not told */
	rcu_read_lock();
	hook = rcu_dereference(nf_ct_hook);
	done = hook && hook->flow_packet(flow, iph, received);
	rcu_read_unlock();
	return done;
}

#endif /* _XFRM_XDP_PACKET_H */
