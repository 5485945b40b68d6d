// SPDX-License-Identifier: GPL-2.0-only
/* Learning flows for XDP: of an offer whose packet was sent, or decrypted, a flow is
 * made and given to the program of the netns.
 */

#include <linux/if_vlan.h>
#include <linux/workqueue.h>
#include <net/ip_tunnels.h>
#include <net/neighbour.h>
#include <net/route.h>
#include <trace/events/xfrm_xdp.h>

#include "xfrm_xdp_offer.h"

/* Offers whose packet was sent, until the transmit lock is free again. */
struct xfrm_xdp_pending {
	struct llist_head	offers;
	struct work_struct	work;
};

static DEFINE_PER_CPU(struct xfrm_xdp_pending, xfrm_xdp_pending);

/* Give a new flow to the program; consumes it. */
static enum xfrm_xdp_stat xfrm_xdp_hand_over(const struct xfrm_xdp_ops *ops,
					     const struct xfrm_xdp_offer *offer,
					     struct xfrm_xdp_flow *flow)
{
	int err = ops->flow_add(&offer->md, flow);

	if (!err) {
		xfrm_xdp_count(offer->xnet, XFRM_XDP_LEARNED);
		xfrm_xdp_unhold(offer->xnet,
				xfrm_xdp_hold_way(flow->iif, offer->md.spi),
				&flow->tuple);
		trace_xfrm_xdp_learn(flow);
	}
	xfrm_xdp_flow_put(flow);
	return err ? XFRM_XDP_NOOPS : 0;
}

static enum xfrm_xdp_stat xfrm_xdp_learn(struct xfrm_xdp_offer *offer)
{
	struct xfrm_xdp_net *xnet = offer->xnet;
	const struct xfrm_xdp_ops *ops;
	struct xfrm_xdp_flow *flow;
	struct neighbour *neigh;
	enum xfrm_xdp_stat why;

	ops = rcu_dereference(xnet->ops);
	if (!ops)
		return XFRM_XDP_NOOPS;

	why = xfrm_xdp_filter_check(&offer->origin);
	if (why)
		return why;

	/* Its device may be in another netns by now. */
	if (!dst_check(offer->dst, 0))
		return XFRM_XDP_NOWIRE;

	why = xfrm_xdp_bypass_check(xnet->net, &offer->origin,
				    xfrm_dst_path(offer->dst)->dev);
	if (why)
		return why;

	if (offer->wire.link_len == VLAN_ETH_HLEN)
		offer->origin.vlan_tci =
			((struct vlan_ethhdr *)offer->wire.link)->h_vlan_TCI;

	neigh = xfrm_xdp_next_hop(offer->dst, &offer->origin);
	if (!neigh)
		return XFRM_XDP_NONEIGH;
	flow = xfrm_xdp_flow_create(xnet, offer->dst, neigh, &offer->origin,
				    &why);
	neigh_release(neigh);
	if (!flow)
		return why;

	if (!xfrm_xdp_wire_equal(&offer->wire, &offer->iph, flow,
				 offer->dst)) {
		xfrm_xdp_flow_put(flow);
		return XFRM_XDP_NOWIRE;
	}

	return xfrm_xdp_hand_over(ops, offer, flow);
}

/* Does VTI get what is inside from this netns, and keep it there? */
static bool xfrm_xdp_vti_ok(const struct net *net, const struct net_device *vti)
{
	const struct ip_tunnel *tunnel = netdev_priv(vti);

	return net_eq(dev_net(vti), net) && net_eq(tunnel->net, net);
}

/* Did an ESP packet come to the gateway itself, and by this state only? GRO
 * decrypts without asking for a route. And was what is inside given to nobody but
 * the device, VTI, or the xfrm interface of the state? It would keep a mark that
 * rules gave it, which XDP does not know.
 */
static bool xfrm_xdp_came_in(struct xfrm_xdp_offer *offer, struct sk_buff *skb,
			     struct xfrm_state *x, const struct net_device *vti)
{
	const struct xfrm_xdp_tuple *tuple = &offer->origin.tuple;
	const struct xfrm_offload *xo = xfrm_offload(skb);
	const struct sec_path *sp = skb_sec_path(skb);
	struct net *net = offer->xnet->net;
	const struct net_device *dev;

	if (!net_eq(dev_net(skb->dev), net) || !sp || sp->len != 1 ||
	    offer->origin.sa || skb->mark != xfrm_smark_get(0, x) ||
	    tuple->protocol != IPPROTO_ESP ||
	    tuple->ports != x->id.spi || tuple->daddr != x->id.daddr.a4 ||
	    skb->pkt_type != PACKET_HOST)
		return false;

	offer->origin.gro = xo && xo->flags & XFRM_GRO;
	if (offer->origin.gro != test_bit(XFRM_XDP_OFFER_GRO, &offer->flags))
		return false;

	if (vti) {
		offer->origin.vti = true;
		offer->origin.tunnel_ifindex = vti->ifindex;
		return skb->dev->ifindex == offer->origin.in_ifindex &&
		       xfrm_xdp_vti_ok(net, vti);
	}

	dev = xfrm_input_dev(net, x);
	if (!dev)
		return skb->dev->ifindex == offer->origin.in_ifindex;

	offer->origin.tunnel_ifindex = dev->ifindex;
	return skb->dev == dev;
}

/* The route of the outer packet, held; GRO has none, and an xfrm interface left
 * none.
 */
static struct dst_entry *xfrm_xdp_route_in(const struct xfrm_xdp_offer *offer,
					   const struct sk_buff *skb)
{
	struct flowi4 fl4 = { .daddr = offer->origin.tuple.daddr };
	struct dst_entry *dst = skb_dst(skb);
	struct rtable *rt;

	if (dst) {
		dst_hold(dst);
		return dst;
	}

	rt = ip_route_output_key(offer->xnet->net, &fl4);
	return IS_ERR(rt) ? NULL : &rt->dst;
}

/* The stack took an ESP packet through its firewall, and it was authentic. */
static enum xfrm_xdp_stat xfrm_xdp_learn_in(struct xfrm_xdp_offer *offer,
					    struct sk_buff *skb,
					    struct xfrm_state *x,
					    const struct net_device *vti)
{
	const struct xfrm_xdp_ops *ops;
	struct xfrm_xdp_flow *flow;
	enum xfrm_xdp_stat why;
	struct dst_entry *dst;

	if (!xfrm_xdp_came_in(offer, skb, x, vti) ||
	    test_and_set_bit(XFRM_XDP_OFFER_TAKEN, &offer->flags))
		return XFRM_XDP_NOPACKET;

	ops = rcu_dereference(offer->xnet->ops);
	if (!ops)
		return XFRM_XDP_NOOPS;

	why = xfrm_xdp_filter_check(&offer->origin);
	if (!why)
		why = xfrm_xdp_input_check(offer->xnet->net, &offer->origin);
	if (why)
		return why;

	dst = xfrm_xdp_route_in(offer, skb);
	if (!dst)
		return XFRM_XDP_NOPACKET;

	why = XFRM_XDP_NOPACKET;
	flow = NULL;
	if (dst_rtable(dst)->rt_type == RTN_LOCAL) {
		xfrm_state_hold(x);
		offer->origin.sa = x;
		flow = xfrm_xdp_flow_create_in(offer->xnet, dst, &offer->origin,
					       &why);
	}
	dst_release(dst);
	return flow ? xfrm_xdp_hand_over(ops, offer, flow) : why;
}

void __xfrm_xdp_decapsulated(struct sk_buff *skb, struct xfrm_state *x,
			     struct net_device *vti)
{
	struct xfrm_xdp_offer *offer = xfrm_xdp_offer(skb);
	enum xfrm_xdp_stat why;

	why = xfrm_xdp_learn_in(offer, skb, x, vti);
	if (why)
		xfrm_xdp_refuse(offer, why);
	skb_ext_del(skb, SKB_EXT_XFRM_XDP);
}
EXPORT_SYMBOL_GPL(__xfrm_xdp_decapsulated);

static void xfrm_xdp_learn_pending(struct work_struct *work)
{
	struct xfrm_xdp_offer *offer, *tmp;
	struct xfrm_xdp_pending *pending;
	struct llist_node *list;
	enum xfrm_xdp_stat why;

	pending = container_of(work, struct xfrm_xdp_pending, work);
	list = llist_reverse_order(llist_del_all(&pending->offers));

	rcu_read_lock();
	llist_for_each_entry_safe(offer, tmp, list, node) {
		why = xfrm_xdp_learn(offer);
		if (why)
			xfrm_xdp_refuse(offer, why);
		xfrm_xdp_offer_put(offer);
	}
	rcu_read_unlock();
}

/* The netns goes: wait until its pending offers have been looked at. */
static void __net_exit xfrm_xdp_learn_drain(struct list_head *exit_list)
{
	int cpu;

	for_each_possible_cpu(cpu)
		flush_work(&per_cpu(xfrm_xdp_pending, cpu).work);
}

static struct pernet_operations xfrm_xdp_learn_net_ops = {
	.exit_batch	= xfrm_xdp_learn_drain,
};

/**
 * xfrm_xdp_learn_later() - learn from an offer when the transmit lock is free again
 * @offer: offer whose packet was sent
 *
 * Takes a reference. BH off.
 */
void xfrm_xdp_learn_later(struct xfrm_xdp_offer *offer)
{
	struct xfrm_xdp_pending *pending = this_cpu_ptr(&xfrm_xdp_pending);

	xfrm_xdp_offer_get(offer);
	llist_add(&offer->node, &pending->offers);
	queue_work(system_bh_wq, &pending->work);
}

static int __init xfrm_xdp_learn_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		INIT_WORK(&per_cpu(xfrm_xdp_pending, cpu).work,
			  xfrm_xdp_learn_pending);

	/* After the flows' own: the offers of a netns go before its flows. */
	return register_pernet_subsys(&xfrm_xdp_learn_net_ops);
}
fs_initcall(xfrm_xdp_learn_init);
