// SPDX-License-Identifier: GPL-2.0-only
/* Flows of XFRM for XDP: how they are made. xfrm_xdp_gc.c has their end. */

#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <net/ip_tunnels.h>

#include "xfrm_xdp_internal.h"

#define CREATE_TRACE_POINTS
#include <trace/events/xfrm_xdp.h>

static struct kmem_cache *xfrm_xdp_flow_cache __ro_after_init;

/**
 * xfrm_xdp_flow_free() - free a flow that refers to nothing but its type
 * @flow: flow
 */
void xfrm_xdp_flow_free(struct xfrm_xdp_flow *flow)
{
	if (flow->type)
		xfrm_put_type_xdp(flow->type);
	kmem_cache_free(xfrm_xdp_flow_cache, flow);
}

/* Is @x a state that XDP can use as the stack would, either way? */
static bool xfrm_xdp_state_ok(const struct xfrm_state *x)
{
	/* IP-TFS carries the tunnel flag too: look at the mode itself. */
	return x->props.mode == XFRM_MODE_TUNNEL &&
	       x->props.family == AF_INET &&
	       x->id.proto == IPPROTO_ESP &&
	       !x->encap && !x->tfcpad &&
	       x->pcpu_num == UINT_MAX &&
	       x->xso.type == XFRM_DEV_OFFLOAD_UNSPECIFIED && !x->xso.dev &&
	       !x->security;
}

/* Is @x a state that XDP can encrypt with? A mark is that of the ESP packet, which
 * is routed by it.
 */
static bool xfrm_xdp_state_out_ok(const struct xfrm_state *x)
{
	return xfrm_xdp_state_ok(x) && !x->props.smark.m;
}

/* Will all packets be encrypted by the states of the bundle, and by no others? On
 * every CPU, and also when there is one for a template that could do without.
 */
static bool xfrm_xdp_no_other_state(const struct xfrm_xdp_net *xnet,
				    const struct xfrm_dst *xdst)
{
	const struct xfrm_policy *pol;
	int i, j;

	/* dst_check() looks at the first policy: not for one behind a sub policy */
	if (xdst->num_pols > 1)
		return false;

	for (i = 0; i < xdst->num_pols; i++) {
		pol = xdst->pols[i];
		if (pol->flags & XFRM_POLICY_CPU_ACQUIRE)
			return false;
		for (j = 0; j < pol->xfrm_nr; j++) {
			if (pol->xfrm_vec[j].optional)
				return false;
		}
	}

	return !READ_ONCE(xnet->per_cpu);
}

static void xfrm_xdp_rewrite_init(struct xfrm_xdp_flow *flow,
				  const struct xfrm_state *x,
				  const struct net_device *dev, __be16 vlan_tci)
{
	struct xfrm_xdp_rewrite *rewrite = &flow->rewrite;
	struct iphdr *iph = &rewrite->iph;

	rewrite->vlan_tci = vlan_tci;
	rewrite->link_len = vlan_tci ? VLAN_ETH_HLEN : ETH_HLEN;
	/* a cached header is copied with the padding in front of it, and the driver may
	 * want room for one of its own
	 */
	rewrite->room = flow->geometry.head + READ_ONCE(dev->needed_headroom) +
			(vlan_tci ? VLAN_ETH_HLEN : HH_DATA_MOD);
	if (!x)
		return;

	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->saddr = x->props.saddr.a4;
	iph->daddr = x->id.daddr.a4;
	/* ip_select_ident() is asked before ESP is the protocol */
	iph->protocol = IPPROTO_IPIP;
	rewrite->id_hash = ip_idents_hash(flow->xnet->net, iph);
	iph->protocol = x->id.proto;
	iph->tos = xfrm_xdp_outer_tos(x, flow->tuple.dscp);

	rewrite->ecn = !(x->props.flags & XFRM_STATE_NOECN);
	rewrite->df = x->props.flags & XFRM_STATE_NOPMTUDISC ? 0 : htons(IP_DF);
}

/* Would VTI find the state again? There may be another one with the same SPI. */
static bool xfrm_xdp_vti_finds(const struct net_device *vti,
			       const struct xfrm_state *x)
{
	const struct ip_tunnel *tunnel = netdev_priv(vti);
	struct xfrm_state *found;

	found = xfrm_state_lookup(xs_net((struct xfrm_state *)x),
				  be32_to_cpu(tunnel->parms.i_key), &x->id.daddr,
				  x->id.spi, x->id.proto, x->props.family);
	if (found)
		xfrm_state_put(found);
	return found == x;
}

/* Is @x a state that XDP can decrypt with, and the only one of its SPI? With a
 * mark there may be two.
 */
static bool xfrm_xdp_state_in_ok(const struct xfrm_state *x,
				 const struct net_device *vti)
{
	return xfrm_xdp_state_ok(x) &&
	       (vti ? xfrm_xdp_vti_finds(vti, x) : !x->mark.m);
}

static void xfrm_xdp_flow_init(struct xfrm_xdp_flow *flow,
			       struct xfrm_xdp_net *xnet, struct dst_entry *dst,
			       const struct xfrm_xdp_origin *origin)
{
	refcount_set(&flow->refcnt, 1);
	flow->xnet = xnet;
	flow->dst = dst;
	flow->sa = origin->sa;
	flow->came = xfrm_xdp_came(origin->sa, origin->vti);
	flow->genid = origin->genid;
	flow->verdict = origin->genid;
	flow->tuple = origin->tuple;
	flow->iif = origin->iif;
	flow->in_ifindex = origin->in_ifindex;
	flow->judged = origin->judged;
	flow->watched = origin->judged || origin->vti;
	flow->trusted = origin->trusted;
	flow->asked = origin->asked;
	ether_addr_copy(flow->dmac, origin->dmac);
}

/* Put a flow on its list; from here on it has references of its own. */
static bool xfrm_xdp_flow_link(struct xfrm_xdp_flow *flow,
			       const struct xfrm_xdp_origin *origin)
{
	const struct net_device *dev = xfrm_xdp_flow_home(flow);
	struct xfrm_xdp_bucket *bucket;

	/* Whoever empties the flows of dev or net first marks them so, and
	 * waits for RCU: either we see the mark, or he sees the flow.
	 */
	if (READ_ONCE(flow->xnet->dead) ||
	    READ_ONCE(dev->reg_state) != NETREG_REGISTERED)
		return false;

	/* They may be those of a flow that is being emptied. */
	if (flow->sa && !refcount_inc_not_zero(&flow->sa->refcnt))
		return false;
	if (!xfrm_xdp_pols_hold(&flow->fwd, &origin->fwd))
		goto put_sa;
	if (!xfrm_xdp_pols_hold(&flow->in, &origin->in))
		goto put_fwd;
	if (!nf_conntrack_flow_hold(&flow->ct[0], &origin->ct[0]))
		goto put_in;
	if (!nf_conntrack_flow_hold(&flow->ct[1], &origin->ct[1]))
		goto put_ct;

	dst_hold(flow->dst);
	if (flow->neigh)
		neigh_hold(flow->neigh);
	bucket = xfrm_xdp_bucket(flow->xnet, dev);
	flow->bucket = bucket;
	spin_lock_bh(&bucket->lock);
	list_add_tail(&flow->node, &bucket->flows);
	bucket->num++;
	spin_unlock_bh(&bucket->lock);
	xfrm_xdp_gc_start(flow->xnet);
	return true;

put_ct:
	nf_conntrack_flow_put(&flow->ct[0]);
put_in:
	xfrm_pols_put(flow->in.pols, flow->in.num);
put_fwd:
	xfrm_pols_put(flow->fwd.pols, flow->fwd.num);
put_sa:
	if (flow->sa)
		xfrm_state_put(flow->sa);
	return false;
}

/* Would the next packet take the same next hop? A route that was found while routes
 * changed may be an old one with the new generation, and one by an ICMP redirect
 * expires.
 */
static bool xfrm_xdp_same_hop(const struct xfrm_xdp_net *xnet,
			      const struct dst_entry *path,
			      const struct xfrm_xdp_origin *origin)
{
	return origin->rt_genid == rt_genid_ipv4(xnet->net) &&
	       origin->rt_genid != atomic_read(&xnet->turns) &&
	       !(dst_rtable(path)->rt_flags & RTCF_REDIRECTED);
}

/* A flow keeps its next hop from being collected, and where there are too many of
 * them new ones could not be resolved. As neigh_alloc() asks.
 */
static bool xfrm_xdp_neigh_table_full(const struct neighbour *neigh)
{
	const struct neigh_table *tbl = neigh->tbl;

	return !list_empty(&neigh->gc_list) &&
	       atomic_read(&tbl->gc_entries) > READ_ONCE(tbl->gc_thresh2);
}

static bool xfrm_xdp_flow_type(struct xfrm_xdp_flow *flow, struct xfrm_state *x)
{
	flow->type = xfrm_get_type_xdp(x->id.proto, x->props.family);
	return flow->type && !flow->type->init_flow(flow, x);
}

static bool xfrm_xdp_flow_tunnel(struct xfrm_xdp_flow *flow,
				 const struct xfrm_xdp_origin *origin)
{
	if (!origin->tunnel_ifindex)
		return true;

	flow->tunnel = dev_get_by_index_rcu(flow->xnet->net,
					    origin->tunnel_ifindex);
	return flow->tunnel;
}

/* The VTI that the packet was received on, decrypted. */
static bool xfrm_xdp_flow_vti(struct xfrm_xdp_flow *flow,
			      const struct xfrm_xdp_origin *origin)
{
	if (!origin->vti)
		return true;

	flow->vti = dev_get_by_index_rcu(flow->xnet->net, origin->in_ifindex);
	return flow->vti;
}

/* Take the devices that a packet passes, from the first packet. Their pointers
 * are good for as long as the flow is authorised.
 */
static bool xfrm_xdp_flow_devices(struct xfrm_xdp_flow *flow,
				  struct net_device *dev,
				  const struct xfrm_xdp_origin *origin)
{
	flow->dev = xfrm_xdp_real_dev(dev);
	flow->ifindex = flow->dev->ifindex;
	if (origin->queue >= flow->dev->num_tx_queues)
		return false;
	flow->txq = netdev_get_tx_queue(flow->dev, origin->queue);
	flow->h_proto = htons(origin->tuple.vlan_tci ? ETH_P_8021Q : ETH_P_IP);

	if (flow->dev == dev ? !!origin->vlan_tci :
			       !xfrm_xdp_vlan_is(dev, origin->vlan_tci))
		return false;

	if (!xfrm_xdp_flow_tunnel(flow, origin) ||
	    !xfrm_xdp_flow_vti(flow, origin))
		return false;

	flow->upper = flow->tunnel || flow->vti || origin->tuple.vlan_tci ||
		      origin->vlan_tci;
	return true;
}

/**
 * xfrm_xdp_next_hop() - the neighbour that a packet is sent to
 * @dst: bundle or route
 * @origin: the packet
 *
 * Return: with a reference; or NULL.
 */
struct neighbour *xfrm_xdp_next_hop(struct dst_entry *dst,
				    const struct xfrm_xdp_origin *origin)
{
	const void *daddr = &origin->tuple.daddr;

	if (dst->xfrm)
		daddr = &dst->xfrm->id.daddr;
	return dst_neigh_lookup(xfrm_dst_path(dst), daddr);
}

/**
 * xfrm_xdp_flow_create() - make a flow of packets that are forwarded
 * @xnet: netns
 * @dst: bundle, valid; or a route, for what was decrypted
 * @neigh: next hop of the packet as sent
 * @origin: the first packet
 * @why: set when there is no flow: XFRM_XDP_NO*
 *
 * Takes its own references to @dst, @neigh, @origin's state and policies. The caller
 * has asked xfrm_xdp_bypass_check(), as far as it has to. Under RCU, BH off.
 *
 * Return: a flow with one reference, or NULL.
 */
struct xfrm_xdp_flow *
xfrm_xdp_flow_create(struct xfrm_xdp_net *xnet, struct dst_entry *dst,
		     struct neighbour *neigh,
		     const struct xfrm_xdp_origin *origin,
		     enum xfrm_xdp_stat *why)
{
	const struct dst_entry *path = xfrm_dst_path(dst);
	struct xfrm_state *x = dst->xfrm;
	struct xfrm_xdp_flow *flow;
	struct net_device *dev;

	/* DST_XFRM_QUEUE is a bundle without XFRM that is always valid: as a
	 * plain route it would leak clear text.
	 */
	if ((!x && !origin->sa) || dst->flags & DST_XFRM_QUEUE ||
	    path->lwtstate || dst->ops->family != AF_INET ||
	    (x && ((const struct xfrm_dst *)dst)->route->lwtstate)) {
		*why = XFRM_XDP_NOPLAIN;
		return NULL;
	}

	if (x && (xfrm_dst_child(dst)->xfrm || !xfrm_xdp_state_out_ok(x) ||
		  !xfrm_xdp_no_other_state(xnet, (const struct xfrm_dst *)dst))) {
		*why = XFRM_XDP_NOSTATE;
		return NULL;
	}

	/* Multicast and broadcast the stack counts as such, and may keep a copy. */
	if (dst_rtable(dst)->rt_type != RTN_UNICAST ||
	    dst_rtable(path)->rt_type != RTN_UNICAST ||
	    !xfrm_xdp_same_hop(xnet, path, origin)) {
		*why = XFRM_XDP_NOROUTE;
		return NULL;
	}

	if (xfrm_xdp_neigh_table_full(neigh)) {
		*why = XFRM_XDP_NONEIGH;
		return NULL;
	}

	dev = path->dev;
	/* VLAN devices have no header cache, and that of a next hop by IPv6 is
	 * for IPv6.
	 */
	if (neigh->dev != dev || neigh->tbl->family != AF_INET ||
	    (xfrm_xdp_real_dev(dev) == dev && !READ_ONCE(neigh->hh.hh_len))) {
		*why = XFRM_XDP_NONEIGH;
		return NULL;
	}

	flow = kmem_cache_zalloc(xfrm_xdp_flow_cache,
				 GFP_ATOMIC | __GFP_NOWARN);
	if (!flow) {
		*why = XFRM_XDP_NOMEMORY;
		return NULL;
	}

	xfrm_xdp_flow_init(flow, xnet, dst, origin);
	flow->neigh = neigh;
	flow->fl = origin->fl;
	flow->if_id = origin->if_id;
	flow->reqid = x ? x->props.reqid : 0;
	flow->kind = x ? XFRM_XDP_ENCRYPT : XFRM_XDP_PLAIN;
	flow->ordinary = x && !origin->sa && !origin->judged;
	flow->geometry.align = 1;

	*why = XFRM_XDP_NOSTATE;
	if (x && !xfrm_xdp_flow_type(flow, x))
		goto free;
	xfrm_xdp_rewrite_init(flow, x, xfrm_xdp_real_dev(dev), origin->vlan_tci);

	*why = XFRM_XDP_NODEVICE;
	if (xfrm_xdp_flow_devices(flow, dev, origin) &&
	    xfrm_xdp_flow_link(flow, origin))
		return flow;
free:
	xfrm_xdp_flow_free(flow);
	return NULL;
}

/**
 * xfrm_xdp_flow_create_in() - make a flow of ESP packets to the gateway
 * @xnet: netns
 * @dst: their route
 * @origin: the first of them, with the state it was decrypted with
 * @why: set when there is no flow: XFRM_XDP_NO*
 *
 * Takes its own references. The caller has asked xfrm_xdp_input_check(). Under
 * RCU, BH off.
 *
 * Return: a flow with one reference, or NULL.
 */
struct xfrm_xdp_flow *
xfrm_xdp_flow_create_in(struct xfrm_xdp_net *xnet, struct dst_entry *dst,
			const struct xfrm_xdp_origin *origin,
			enum xfrm_xdp_stat *why)
{
	const struct net_device *in;
	struct xfrm_xdp_flow *flow;

	/* A VLAN device would count the packet that goes up. */
	*why = XFRM_XDP_NODEVICE;
	in = dev_get_by_index_rcu(xnet->net, origin->iif);
	if (!in || origin->tuple.vlan_tci)
		return NULL;

	/* GRO would decrypt without asking VTI, and ESP that is inside once more. */
	if (origin->vti && xfrm_xdp_gro_loaded())
		return NULL;

	flow = kmem_cache_zalloc(xfrm_xdp_flow_cache,
				 GFP_ATOMIC | __GFP_NOWARN);
	if (!flow) {
		*why = XFRM_XDP_NOMEMORY;
		return NULL;
	}

	xfrm_xdp_flow_init(flow, xnet, dst, origin);
	flow->kind = XFRM_XDP_DECRYPT;
	flow->h_proto = htons(ETH_P_IP);
	flow->if_id = origin->sa->if_id;
	flow->reqid = origin->sa->props.reqid;
	flow->mark = xfrm_smark_get(0, origin->sa);
	flow->gro = origin->gro;
	flow->gro_can = xfrm_xdp_gro_can(in);

	if (!xfrm_xdp_flow_tunnel(flow, origin))
		goto free;
	if (origin->vti)
		flow->vti = flow->tunnel;

	*why = XFRM_XDP_NOSTATE;
	if (!xfrm_xdp_state_in_ok(origin->sa, flow->vti) ||
	    !xfrm_xdp_flow_type(flow, origin->sa) ||
	    (flow->cipher.async && !flow->cipher.simd))
		goto free;

	*why = XFRM_XDP_NODEVICE;
	flow->ordinary_in = !flow->tunnel && !flow->judged && !flow->gro &&
			    !flow->gro_can;
	if (xfrm_xdp_flow_link(flow, origin))
		return flow;
free:
	xfrm_xdp_flow_free(flow);
	return NULL;
}

static int __init xfrm_xdp_flow_cache_init(void)
{
	xfrm_xdp_flow_cache = KMEM_CACHE(xfrm_xdp_flow,
					 SLAB_HWCACHE_ALIGN | SLAB_PANIC);
	return 0;
}
subsys_initcall(xfrm_xdp_flow_cache_init);
