// SPDX-License-Identifier: GPL-2.0-only
/* Flows that nobody learned: XFRM for XDP asks XFRM itself. */

#include <net/dst.h>
#include <net/ip_tunnels.h>
#include <net/neighbour.h>
#include <net/route.h>

#include "xfrm_xdp_packet.h"

static int xfrm_xdp_lookup_errno(enum xfrm_xdp_stat why)
{
	switch (why) {
	case XFRM_XDP_NONEIGH:
		return -EHOSTUNREACH;
	case XFRM_XDP_NOMEMORY:
		return -ENOMEM;
	default:
		return -EOPNOTSUPP;
	}
}

/* Make a flow of a bundle or route; @learned: on behalf of the stack, whose rules
 * count. Consumes @dst.
 */
static struct xfrm_xdp_flow *
xfrm_xdp_lookup_flow(struct xfrm_xdp_net *xnet, struct dst_entry *dst,
		     const struct xfrm_xdp_origin *origin, bool learned)
{
	struct xfrm_xdp_flow *flow;
	struct neighbour *neigh;
	enum xfrm_xdp_stat why;
	struct net_device *dev;

	neigh = xfrm_xdp_next_hop(dst, origin);
	if (!neigh) {
		dst_release(dst);
		return ERR_PTR(-EHOSTUNREACH);
	}
	why = XFRM_XDP_NONEIGH;
	flow = NULL;
	/* The stack asks for it, with a packet. */
	if (!(READ_ONCE(neigh->nud_state) & NUD_VALID) ||
	    neigh_event_send(neigh, NULL))
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
	return flow ?: ERR_PTR(xfrm_xdp_lookup_errno(why));
}

/* The same of what XFRM answered. */
static struct xfrm_xdp_flow *
xfrm_xdp_lookup_bundle(struct xfrm_xdp_net *xnet, struct dst_entry *dst,
		       const struct xfrm_xdp_origin *origin, bool learned)
{
	if (IS_ERR(dst))
		/* XFRM says so while larval states drop. */
		return ERR_PTR(PTR_ERR(dst) == -EREMOTE ? -EAGAIN :
			       PTR_ERR(dst));

	if (!dst->xfrm) {
		dst_release(dst);
		return ERR_PTR(-ENOENT);
	}

	return xfrm_xdp_lookup_flow(xnet, dst, origin, learned);
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

/* Does a policy ask for a state by its SPI? */
static bool xfrm_xdp_names_spi(const struct xfrm_xdp_pols *pols)
{
	const struct xfrm_policy *pol;
	int i, j;

	for (i = 0; i < pols->num; i++) {
		pol = pols->pols[i];
		for (j = 0; j < pol->xfrm_nr; j++) {
			if (pol->xfrm_vec[j].id.spi)
				return true;
		}
	}

	return false;
}

/* Would policies, rules and routes take what one state decrypted for what the other
 * did? All they may ask for but the SPI: xfrm_state_ok(), the selector, the mark.
 */
static bool xfrm_xdp_alike(const struct xfrm_state *x, const struct xfrm_state *y)
{
	return x->id.daddr.a4 == y->id.daddr.a4 &&
	       x->props.saddr.a4 == y->props.saddr.a4 &&
	       x->props.reqid == y->props.reqid &&
	       x->props.aalgo == y->props.aalgo &&
	       x->props.ealgo == y->props.ealgo &&
	       x->props.smark.v == y->props.smark.v &&
	       x->props.smark.m == y->props.smark.m &&
	       x->if_id == y->if_id &&
	       !memcmp(&x->sel, &y->sel, sizeof(x->sel));
}

/* The state with the SPI of an ESP packet, held. As xfrm_input() looks for it, with
 * the key of VTI for a mark.
 */
static struct xfrm_state *xfrm_xdp_state_in(const struct xfrm_xdp_flow *old,
					    __be32 daddr, __be32 spi)
{
	xfrm_address_t addr = { .a4 = daddr };
	const struct ip_tunnel *tunnel;
	u32 mark = 0;

	if (old->vti) {
		tunnel = netdev_priv(old->vti);
		mark = be32_to_cpu(tunnel->parms.i_key);
	}

	return xfrm_state_lookup(old->xnet->net, mark, &addr, spi, IPPROTO_ESP,
				 AF_INET);
}

/* The state that a packet came through, held, if it may take the place of the flow's;
 * NULL if it is the flow's, or both came in clear.
 */
static struct xfrm_state *xfrm_xdp_lookup_sa(const struct xdp_buff *xdp,
					     const struct xfrm_xdp_flow *old)
{
	const struct xfrm_xdp_through *through = xfrm_xdp_through(xdp);
	unsigned long came = through ? through->came : 0;
	struct xfrm_state *x;

	if (through && old->vti && through->vti != old->in_ifindex)
		return ERR_PTR(-EACCES);
	if (!through && xfrm_xdp_maybe_through(xdp))
		return ERR_PTR(-EACCES);
	if (came == old->came)
		return NULL;
	/* what was trusted may have asked by which state */
	if (!through || !old->sa || old->trusted ||
	    xfrm_xdp_names_spi(&old->fwd) || xfrm_xdp_names_spi(&old->in))
		return ERR_PTR(-EACCES);

	/* only to be compared: it may be older than this RCU section */
	x = xfrm_xdp_state_in(old, through->daddr, through->spi);
	if (!x)
		return ERR_PTR(-EACCES);
	if (xfrm_xdp_came(x, old->vti) == came && xfrm_xdp_alike(x, old->sa))
		return x;

	xfrm_state_put(x);
	return ERR_PTR(-EACCES);
}

static void xfrm_xdp_inherit(struct xfrm_xdp_origin *origin,
			     const struct xfrm_xdp_flow *old)
{
	*origin = (struct xfrm_xdp_origin) {
		.tuple		= old->tuple,
		.iif		= old->iif,
		.in_ifindex	= old->in_ifindex,
		.tunnel_ifindex	= old->tunnel ? old->tunnel->ifindex : 0,
		.gro		= old->gro,
		.vti		= old->vti,
		.genid		= READ_ONCE(old->verdict),
		.rt_genid	= rt_genid_ipv4(old->xnet->net),
		.vlan_tci	= old->rewrite.vlan_tci,
		.queue		= old->dev ? old->txq - old->dev->_tx : 0,
		.if_id		= old->if_id,
		.judged		= old->judged,
		.trusted	= old->trusted,
		.asked		= old->asked,
		.ct		= { old->ct[0], old->ct[1] },
		.fl		= old->fl,
		.fwd		= old->fwd,
		.in		= old->in,
	};
	ether_addr_copy(origin->dmac, old->dmac);
}

/* The bundle is asked for again. */
static struct xfrm_xdp_flow *
xfrm_xdp_lookup_encrypt(struct xfrm_xdp_net *xnet,
			const struct xfrm_xdp_flow *old,
			const struct xfrm_dst *xdst,
			struct xfrm_xdp_origin *origin)
{
	struct dst_entry *route = xdst->route;
	struct dst_entry *dst;

	if (!dst_check(route, xdst->route_cookie))
		return ERR_PTR(-ESTALE);

	origin->fl.flowi_flags |= FLOWI_FLAG_UNCOUNTED;
	dst_hold(route);
	dst = xfrm_lookup_with_ifid(xnet->net, route, &origin->fl, NULL, 0,
				    origin->if_id);
	if (!IS_ERR(dst) && !xfrm_xdp_same_way(dst, old)) {
		dst_release(dst);
		return ERR_PTR(-ESTALE);
	}
	return xfrm_xdp_lookup_bundle(xnet, dst, origin, true);
}

/* The route is as good as it was; unless the flow is being emptied. */
static struct xfrm_xdp_flow *
xfrm_xdp_lookup_plain(struct xfrm_xdp_net *xnet, struct dst_entry *route,
		      const struct xfrm_xdp_origin *origin)
{
	if (!xfrm_xdp_route_ok(route))
		return ERR_PTR(-ESTALE);
	if (!dst_hold_safe(route))
		return ERR_PTR(-ENXIO);

	return xfrm_xdp_lookup_flow(xnet, route, origin, true);
}

/* A rule for ports would find the SPI in their place. */
static bool xfrm_xdp_routed_by_ports(const struct net *net)
{
#ifdef CONFIG_IP_MULTIPLE_TABLES
	return net->ipv4.fib_rules_require_fldissect;
#else
	return false;
#endif
}

/* May packets of other states be decrypted by what was learned of this one? On the
 * way to xfrm_input() nobody may have asked for the SPI. A mark that rules gave it
 * would show only in what a state without output mark decrypted.
 */
static bool xfrm_xdp_any_spi(const struct xfrm_xdp_flow *old)
{
	return !old->trusted && !old->sa->props.smark.m &&
	       !xfrm_xdp_routed_by_ports(old->xnet->net);
}

/* Does the flow of an ESP packet differ from it by the SPI only? Set @origin for one
 * that does not. Returns 0 or an errno.
 */
static int xfrm_xdp_check_other(const struct xdp_buff *xdp,
				const struct xfrm_xdp_flow *old,
				const struct dst_entry *route,
				struct xfrm_xdp_origin *origin)
{
	struct xfrm_xdp_tuple tuple;
	int err;

	err = xfrm_xdp_packet_tuple(xdp, &tuple);
	if (err)
		return err;
	xfrm_xdp_inherit(origin, old);
	origin->tuple.ports = tuple.ports;
	if (xfrm_xdp_maybe_through(xdp) ||
	    memcmp(&tuple, &origin->tuple, sizeof(tuple)))
		return -EPROTO;

	/* no event tells of esp4_offload */
	if (xfrm_xdp_gro_can(xdp->rxq->dev) != old->gro_can)
		return -EXDEV;
	if (!xfrm_xdp_route_ok(route))
		return -ESTALE;
	if (old->ct[0].ct && !nf_conntrack_flow_same(&old->ct[0]))
		return -EPERM;
	if (!xfrm_xdp_any_spi(old))
		return -EOPNOTSUPP;

	/* it was offered, and not learned: that would fail here as well */
	return xfrm_xdp_held(old->xnet, old->iif, &tuple) ? -EAGAIN : 0;
}

/* Only in xfrm_input() the state comes into play. */
static struct xfrm_xdp_flow *
xfrm_xdp_lookup_decrypt(const struct xdp_buff *xdp, struct xfrm_xdp_net *xnet,
			const struct xfrm_xdp_flow *old,
			struct dst_entry *route)
{
	enum xfrm_xdp_stat why = XFRM_XDP_NOSTATE;
	struct xfrm_xdp_flow *flow = NULL;
	struct xfrm_xdp_origin origin;
	struct xfrm_state *x;
	int err;

	err = xfrm_xdp_check_other(xdp, old, route, &origin);
	if (err)
		return ERR_PTR(err);

	x = xfrm_xdp_state_in(old, origin.tuple.daddr, origin.tuple.ports);
	if (!x)
		return ERR_PTR(-ENOKEY);

	err = -ENOKEY;
	if (READ_ONCE(x->km.state) != XFRM_STATE_VALID)
		goto put_state;
	err = -ENXIO;
	if (!dst_hold_safe(route))
		goto put_state;

	origin.sa = x;
	if (x->dir != XFRM_SA_DIR_OUT && x->if_id == old->if_id)
		why = xfrm_xdp_input_check(xnet->net, &origin);
	if (!why)
		flow = xfrm_xdp_flow_create_in(xnet, route, &origin, &why);
	err = xfrm_xdp_lookup_errno(why);
	dst_release(route);
put_state:
	xfrm_state_put(x);
	return flow ?: ERR_PTR(err);
}

/* A packet that goes on encrypted or in clear, and may have come through another
 * state than the flow's.
 */
static struct xfrm_xdp_flow *
xfrm_xdp_lookup_output(const struct xdp_buff *xdp, struct xfrm_xdp_net *xnet,
		       const struct xfrm_xdp_flow *old, struct dst_entry *dst)
{
	struct xfrm_xdp_origin origin;
	struct xfrm_xdp_flow *flow;
	struct xfrm_state *x;

	x = xfrm_xdp_lookup_sa(xdp, old);
	if (IS_ERR(x))
		return ERR_CAST(x);

	xfrm_xdp_inherit(&origin, old);
	origin.sa = x ?: old->sa;
	if (old->kind == XFRM_XDP_PLAIN)
		flow = xfrm_xdp_lookup_plain(xnet, dst, &origin);
	else
		flow = xfrm_xdp_lookup_encrypt(xnet, old,
					       (struct xfrm_dst *)dst, &origin);
	if (x)
		xfrm_state_put(x);
	return flow;
}

/**
 * xfrm_xdp_lookup_again() - a flow in the place of one that does not fit any more
 * @xdp: packet
 * @xnet: netns
 * @old: flow of the packet; or of ESP packets that differ from it by their SPI only
 *
 * Asks XFRM what the stack asked for the first packet: for the bundle, for the state
 * that an ESP packet names, and whether what was decrypted by another state than
 * the flow's is to be treated alike. Under RCU, BH off.
 *
 * Return: a flow with one reference, or an errno, see struct bpf_xdp_xfrm_opts.
 */
struct xfrm_xdp_flow *
xfrm_xdp_lookup_again(const struct xdp_buff *xdp, struct xfrm_xdp_net *xnet,
		      struct xfrm_xdp_flow *old)
{
	struct dst_entry *dst;

	dst = READ_ONCE(old->dst);
	if (!dst)
		return ERR_PTR(-ENXIO);
	if (old->xnet != xnet || old->iif != xdp->rxq->dev->ifindex)
		return ERR_PTR(-EXDEV);
	if (READ_ONCE(old->genid) != (u32)atomic_read(&xnet->genid) &&
	    !xfrm_xdp_reauthorise(old))
		return ERR_PTR(-EPERM);

	if (old->kind == XFRM_XDP_DECRYPT)
		return xfrm_xdp_lookup_decrypt(xdp, xnet, old, dst);

	return xfrm_xdp_lookup_output(xdp, xnet, old, dst);
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
	if (origin.tuple.protocol == IPPROTO_ESP || xfrm_xdp_maybe_through(xdp))
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
	return xfrm_xdp_lookup_bundle(xnet, dst, &origin, false);
}
