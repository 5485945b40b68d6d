// SPDX-License-Identifier: GPL-2.0-only
/* Flows that nobody learned: XFRM for XDP asks XFRM itself. */

#include <linux/if_vlan.h>
#include <net/dst.h>
#include <net/neighbour.h>
#include <net/route.h>

#include "xfrm_xdp_internal.h"

/* Make a flow of what XFRM answered; @learned: on behalf of the stack, whose
 * rules count. Consumes @dst.
 */
static struct xfrm_xdp_flow *
xfrm_xdp_lookup_flow(struct xfrm_xdp_net *xnet, struct dst_entry *dst,
		     const struct xfrm_xdp_origin *origin, bool learned)
{
	struct xfrm_xdp_flow *flow;
	struct neighbour *neigh;
	enum xfrm_xdp_stat why;
	struct net_device *dev;

	if (IS_ERR(dst))
		/* XFRM says so while larval states drop. */
		return ERR_PTR(PTR_ERR(dst) == -EREMOTE ? -EAGAIN :
			       PTR_ERR(dst));

	if (!dst->xfrm) {
		dst_release(dst);
		return ERR_PTR(-ENOENT);
	}

	neigh = dst_neigh_lookup(xfrm_dst_path(dst), &dst->xfrm->id.daddr);
	if (!neigh) {
		dst_release(dst);
		return ERR_PTR(-EHOSTUNREACH);
	}
	why = XFRM_XDP_NONEIGH;
	flow = NULL;
	if (neigh_event_send(neigh, NULL))
		goto out;
	/* Nobody may have sent to it yet. */
	if (!READ_ONCE(neigh->hh.hh_len) && neigh->tbl->family == AF_INET &&
	    neigh->dev->header_ops &&
	    neigh->dev->header_ops->cache)
		neigh_hh_init(neigh);

	dev = xfrm_dst_path(dst)->dev;
	why = learned ? xfrm_xdp_bypass_check(xnet->net, origin, dev) :
			xfrm_xdp_device_check(xnet->net, origin, dev);
	if (!why)
		flow = xfrm_xdp_flow_create(xnet, dst, neigh, origin, &why);
out:
	neigh_release(neigh);
	dst_release(dst);
	if (flow)
		return flow;

	switch (why) {
	case XFRM_XDP_NONEIGH:
		return ERR_PTR(-EHOSTUNREACH);
	case XFRM_XDP_NOMEMORY:
		return ERR_PTR(-ENOMEM);
	default:
		return ERR_PTR(-EOPNOTSUPP);
	}
}

/* Is the answer one that the devices and rules on the way would accept? */
static bool xfrm_xdp_same_way(const struct dst_entry *dst,
			      const struct xfrm_xdp_flow *old)
{
	const struct xfrm_state *x = dst->xfrm;

	/* A tag has its priority from the device that it was learned on. */
	if (old->rewrite.vlan_tci && xfrm_dst_path(dst)->dev != old->neigh->dev)
		return false;

	if (!old->tunnel && !old->judged)
		return true;

	/* as xfrmi_xmit2() and vti_state_check() ask; rules judged the rest too */
	return x && x->if_id == old->if_id && x->props.reqid == old->reqid &&
	       x->id.daddr.a4 == old->rewrite.iph.daddr &&
	       x->props.saddr.a4 == old->rewrite.iph.saddr &&
	       xfrm_xdp_outer_tos(x, old->tuple.dscp) == old->rewrite.iph.tos;
}

/**
 * xfrm_xdp_lookup_again() - ask XFRM what the stack asked for the first packet
 * @xdp: packet
 * @xnet: netns
 * @old: flow of the packet that is stale
 *
 * Under RCU, BH off.
 *
 * Return: a flow with one reference, or an errno, see struct bpf_xdp_xfrm_opts.
 */
struct xfrm_xdp_flow *
xfrm_xdp_lookup_again(const struct xdp_buff *xdp, struct xfrm_xdp_net *xnet,
		      struct xfrm_xdp_flow *old)
{
	struct xfrm_xdp_origin origin;
	struct dst_entry *dst, *route;
	const struct xfrm_dst *xdst;

	dst = READ_ONCE(old->dst);
	if (!dst)
		return ERR_PTR(-ENXIO);
	if (old->kind != XFRM_XDP_ENCRYPT)
		return ERR_PTR(-EOPNOTSUPP);
	if (old->xnet != xnet || old->iif != xdp->rxq->dev->ifindex)
		return ERR_PTR(-EXDEV);
	if (READ_ONCE(old->genid) != (u32)atomic_read(&xnet->genid) &&
	    !xfrm_xdp_reauthorise(old))
		return ERR_PTR(-EPERM);

	xdst = (const struct xfrm_dst *)dst;
	route = xdst->route;
	if (!dst_check(route, xdst->route_cookie))
		return ERR_PTR(-ESTALE);

	origin.tuple = old->tuple;
	origin.iif = old->iif;
	origin.in_ifindex = old->in_ifindex;
	origin.vti = old->vti;
	origin.tunnel_ifindex = old->tunnel ? old->tunnel->ifindex : 0;
	origin.vlan_tci = old->rewrite.vlan_tci;
	origin.queue = old->txq - old->dev->_tx;
	origin.if_id = old->if_id;
	origin.sa = old->sa;
	origin.judged = old->judged;
	origin.asked = old->asked;
	origin.ct[0] = old->ct[0];
	origin.ct[1] = old->ct[1];
	origin.genid = READ_ONCE(old->genid);
	origin.rt_genid = rt_genid_ipv4(xnet->net);
	origin.fl = old->fl;
	origin.fl.flowi_flags |= FLOWI_FLAG_UNCOUNTED;
	origin.fwd = old->fwd;
	origin.in = old->in;
	ether_addr_copy(origin.dmac, old->dmac);

	dst_hold(route);
	dst = xfrm_lookup_with_ifid(xnet->net, route, &origin.fl, NULL, 0,
				    origin.if_id);
	if (!IS_ERR(dst) && !xfrm_xdp_same_way(dst, old)) {
		dst_release(dst);
		return ERR_PTR(-ESTALE);
	}
	return xfrm_xdp_lookup_flow(xnet, dst, &origin, true);
}

/**
 * xfrm_xdp_lookup_new() - ask XFRM about a packet, and nobody else
 * @xdp: packet
 * @xnet: netns
 * @mark: for route and policy lookup
 * @if_id: XFRM interface id
 *
 * Under RCU, BH off.
 *
 * Return: a flow with one reference, or an errno, see struct bpf_xdp_xfrm_opts.
 */
struct xfrm_xdp_flow *
xfrm_xdp_lookup_new(const struct xdp_buff *xdp, struct xfrm_xdp_net *xnet,
		    u32 mark, u32 if_id)
{
	const struct ethhdr *eth = xdp->data;
	struct xfrm_xdp_origin origin = {};
	struct flowi4 *fl4 = &origin.fl.u.ip4;
	const struct net_device *in;
	struct net_device *path;
	struct dst_entry *dst;
	struct rtable *rt;
	int err;

	/* Not all that ends flows is noticed then. */
	if (!rcu_access_pointer(xnet->ops))
		return ERR_PTR(-ESRCH);

	err = xfrm_xdp_packet_tuple(xdp, &origin.tuple);
	if (err)
		return ERR_PTR(err);
	if (origin.tuple.protocol == IPPROTO_ESP || xfrm_xdp_through(xdp))
		return ERR_PTR(-EPROTO);

	origin.if_id = if_id;
	origin.iif = xdp->rxq->dev->ifindex;
	origin.in_ifindex = origin.iif;
	if (origin.tuple.vlan_tci) {
		in = xfrm_xdp_vlan_in(xdp->rxq->dev, origin.tuple.vlan_tci);
		if (!in)
			return ERR_PTR(-EPROTO);
		origin.in_ifindex = in->ifindex;
	}
	origin.genid = atomic_read(&xnet->genid);
	origin.rt_genid = rt_genid_ipv4(xnet->net);
	ether_addr_copy(origin.dmac, eth->h_dest);

	fl4->saddr = origin.tuple.saddr;
	fl4->daddr = origin.tuple.daddr;
	fl4->flowi4_proto = origin.tuple.protocol;
	fl4->flowi4_tos = origin.tuple.dscp;
	fl4->flowi4_mark = mark;
	fl4->flowi4_flags = FLOWI_FLAG_ANYSRC | FLOWI_FLAG_UNCOUNTED;
	if (origin.tuple.protocol == IPPROTO_ICMP) {
		fl4->fl4_icmp_type = ntohl(origin.tuple.ports) >> 24;
		fl4->fl4_icmp_code = ntohl(origin.tuple.ports) >> 16;
	} else {
		fl4->fl4_sport = htons(ntohl(origin.tuple.ports) >> 16);
		fl4->fl4_dport = htons(ntohl(origin.tuple.ports));
	}

	rt = __ip_route_output_key(xnet->net, fl4);
	if (IS_ERR(rt))
		return ERR_CAST(rt);
	if (rt->rt_type != RTN_UNICAST) {
		ip_rt_put(rt);
		return ERR_PTR(-ENETUNREACH);
	}

	fl4->flowi4_oif = rt->dst.dev->ifindex;
	dst = xfrm_lookup_with_ifid(xnet->net, &rt->dst, &origin.fl, NULL, 0,
				    if_id);
	if (!IS_ERR(dst)) {
		path = xfrm_dst_path(dst)->dev;
		if (path != xfrm_xdp_real_dev(path))
			origin.vlan_tci =
				xfrm_xdp_vlan_tci(path, origin.tuple.dscp);
	}
	return xfrm_xdp_lookup_flow(xnet, dst, &origin, false);
}
