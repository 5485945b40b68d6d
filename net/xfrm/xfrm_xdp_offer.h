/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _XFRM_XDP_OFFER_H
#define _XFRM_XDP_OFFER_H

/* An offer, for those who carry it and those who make a flow of it. */

#include <linux/ip.h>
#include <linux/llist.h>

#include "xfrm_xdp_internal.h"

enum {
	XFRM_XDP_OFFER_GRO,		/* made in GRO */
	XFRM_XDP_OFFER_BOUND,		/* to a dst, in ip_forward() */
	XFRM_XDP_OFFER_TUNNEL,		/* to another one, by a tunnel device */
	XFRM_XDP_OFFER_CLEAR,		/* in xfrm_output(), or ip_forward() */
	XFRM_XDP_OFFER_TAKEN,		/* in xmit_one(), by one skb */
	XFRM_XDP_OFFER_REFUSED,		/* for all clones of the skb */
};

/**
 * struct xfrm_xdp_offer - what may become a flow
 * @refcnt: one for each skb extension, one while being learned
 * @flags: XFRM_XDP_OFFER_*
 * @xnet: netns
 * @dst: once bound: bundle, or route: to a tunnel device, or of what goes on in clear
 * @origin: the packet, for the flow
 * @iph: IP header as XDP saw it
 * @md: the record
 * @wire: the frame sent
 * @node: in the list of offers to be learned
 */
struct xfrm_xdp_offer {
	refcount_t		refcnt;
	unsigned long		flags;
	struct xfrm_xdp_net	*xnet;
	struct dst_entry	*dst;
	struct xfrm_xdp_origin	origin;
	struct iphdr		iph;
	struct xfrm_xdp_md	md;
	struct xfrm_xdp_wire	wire;
	struct llist_node	node;
};

struct xfrm_xdp_offer *xfrm_xdp_offer(const struct sk_buff *skb);
void xfrm_xdp_refuse(struct xfrm_xdp_offer *offer, enum xfrm_xdp_stat why);
void xfrm_xdp_learn_later(struct xfrm_xdp_offer *offer);

#endif /* _XFRM_XDP_OFFER_H */
