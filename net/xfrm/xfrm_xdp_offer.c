// SPDX-License-Identifier: GPL-2.0-only
/* Offers of XFRM for XDP: one travels with the first packet of a flow.
 *
 * It must still be true at every point where the stack could have decided
 * otherwise, and in the end the frame handed to the driver must be the one that
 * the fast path would have made. A packet that is dropped, stolen, consumed or
 * delivered locally never gets there.
 */

#include <linux/etherdevice.h>
#include <linux/slab.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/route.h>
#include <trace/events/xfrm_xdp.h>

#include "xfrm_xdp_offer.h"

static struct kmem_cache *xfrm_xdp_offer_cache __ro_after_init;

struct xfrm_xdp_offer *xfrm_xdp_offer_get(struct xfrm_xdp_offer *offer)
{
	refcount_inc(&offer->refcnt);
	return offer;
}

void xfrm_xdp_offer_put(struct xfrm_xdp_offer *offer)
{
	if (!refcount_dec_and_test(&offer->refcnt))
		return;

	dst_release(offer->dst);
	nf_conntrack_flow_put(&offer->origin.ct[0]);
	nf_conntrack_flow_put(&offer->origin.ct[1]);
	xfrm_pols_put(offer->origin.fwd.pols, offer->origin.fwd.num);
	xfrm_pols_put(offer->origin.in.pols, offer->origin.in.num);
	if (offer->origin.sa)
		xfrm_state_put(offer->origin.sa);
	kmem_cache_free(xfrm_xdp_offer_cache, offer);
}

struct xfrm_xdp_offer *xfrm_xdp_offer(const struct sk_buff *skb)
{
	const struct xfrm_xdp_ext *ext = skb_ext_find(skb, SKB_EXT_XFRM_XDP);

	return ext->offer;
}

/* For xfrm_xdp_filter.c: the netns of an offer, and what its packet brings into
 * the flow.
 */
struct xfrm_xdp_net *xfrm_xdp_offer_net(const struct sk_buff *skb)
{
	return xfrm_xdp_offer(skb)->xnet;
}

struct xfrm_xdp_origin *xfrm_xdp_offer_origin(const struct sk_buff *skb)
{
	return &xfrm_xdp_offer(skb)->origin;
}

void xfrm_xdp_refuse(struct xfrm_xdp_offer *offer,
		     enum xfrm_xdp_stat why)
{
	if (test_and_set_bit(XFRM_XDP_OFFER_REFUSED, &offer->flags))
		return;

	xfrm_xdp_count(offer->xnet, why);
	trace_xfrm_xdp_refuse(&offer->origin.tuple, offer->origin.iif, why);
}

/* The offer holds a dst, and the skb may wait anywhere: do not leave it there. */
void xfrm_xdp_refuse_skb(struct sk_buff *skb, enum xfrm_xdp_stat why)
{
	xfrm_xdp_refuse(xfrm_xdp_offer(skb), why);
	skb_ext_del(skb, SKB_EXT_XFRM_XDP);
}

void __xfrm_xdp_hashed(struct sk_buff *skb)
{
	xfrm_xdp_refuse_skb(skb, XFRM_XDP_NOROUTE);
}

void __xfrm_xdp_realm(struct sk_buff *skb)
{
	xfrm_xdp_refuse_skb(skb, XFRM_XDP_NOROUTE);
}

void __xfrm_xdp_marked(struct sk_buff *skb)
{
	if (skb->mark & READ_ONCE(xfrm_xdp_offer_net(skb)->slow_mark))
		xfrm_xdp_refuse_skb(skb, XFRM_XDP_NOPACKET);
}

void __xfrm_xdp_rerouted(struct sk_buff *skb)
{
	xfrm_xdp_refuse_skb(skb, XFRM_XDP_NOCLEAR);
}

/**
 * xfrm_xdp_offer_new() - make an offer of a record
 * @xnet: netns
 * @skb: IP packet
 * @md: its record, which is authentic
 * @tuple: of the packet
 * @sa: state that it was decrypted with, or NULL
 *
 * Under RCU, BH off.
 *
 * Return: an offer for xfrm_xdp_tunnelled(), with one reference; NULL without memory,
 * which is counted.
 */
struct xfrm_xdp_offer *
xfrm_xdp_offer_new(struct xfrm_xdp_net *xnet, const struct sk_buff *skb,
		   const struct xfrm_xdp_md *md,
		   const struct xfrm_xdp_tuple *tuple, struct xfrm_state *sa)
{
	struct xfrm_xdp_offer *offer;

	offer = kmem_cache_zalloc(xfrm_xdp_offer_cache,
				  GFP_ATOMIC | __GFP_NOWARN);
	if (!offer) {
		xfrm_xdp_count(xnet, XFRM_XDP_NOMEMORY);
		return NULL;
	}

	refcount_set(&offer->refcnt, 1);
	offer->xnet = xnet;
	offer->md = *md;
	skb_copy_bits(skb, 0, &offer->iph, sizeof(offer->iph));
	offer->origin.tuple = *tuple;
	offer->origin.iif = md->ifindex;
	offer->origin.in_ifindex = skb->dev->ifindex;
	offer->origin.genid = atomic_read(&xnet->genid);
	offer->origin.rt_genid = rt_genid_ipv4(xnet->net);
	if (sa)
		xfrm_state_hold(sa);
	offer->origin.sa = sa;
	ether_addr_copy(offer->origin.dmac, eth_hdr(skb)->h_dest);
	xfrm_xdp_count(xnet, XFRM_XDP_OFFER);
	return offer;
}

/**
 * xfrm_xdp_offer_vti() - the same for a packet that VTI gets, decrypted
 * @xnet: netns
 * @skb: IP packet, with its security path
 * @md: its record, which is authentic
 * @tuple: of the packet
 * @vti: device
 *
 * Notes the policies that VTI will ask, by the key of the device. Under RCU, BH off.
 *
 * Return: an offer for xfrm_xdp_tunnelled(), or NULL.
 */
struct xfrm_xdp_offer *
xfrm_xdp_offer_vti(struct xfrm_xdp_net *xnet, struct sk_buff *skb,
		   const struct xfrm_xdp_md *md,
		   const struct xfrm_xdp_tuple *tuple,
		   const struct net_device *vti)
{
	const struct ip_tunnel *tunnel = netdev_priv(vti);
	u16 sel = xfrm_input_state(skb)->sel.family;
	struct xfrm_xdp_offer *offer;
	u32 mark = skb->mark;
	int num = -EINVAL;

	offer = xfrm_xdp_offer_new(xnet, skb, md, tuple, xfrm_input_state(skb));
	if (!offer)
		return NULL;

	skb->mark = be32_to_cpu(tunnel->parms.i_key);
	/* vti_rcv_cb() asks for a packet of this family */
	if (sel == AF_INET || sel == AF_UNSPEC)
		num = xfrm_passed_policies(skb, XFRM_POLICY_IN, AF_INET,
					   offer->origin.in.pols);
	skb->mark = mark;
	if (num < 0) {
		xfrm_xdp_refuse(offer, XFRM_XDP_NOPACKET);
		xfrm_xdp_offer_put(offer);
		return NULL;
	}

	offer->origin.in.num = num;
	offer->origin.in_ifindex = vti->ifindex;
	offer->origin.vti = true;
	return offer;
}

/* The end of a record, but for those of VTI. */
void __xfrm_xdp_rcv(struct sk_buff *skb)
{
	struct xfrm_xdp_net *xnet = xfrm_xdp_pernet(dev_net(skb->dev));
	struct xfrm_xdp_tuple tuple;
	struct xfrm_xdp_md md;
	struct xfrm_state *sa;

	if (!xfrm_xdp_record_take(skb, &md))
		return;

	if (md.held || md.vti || !xfrm_xdp_record_path(&md, skb, &sa) ||
	    !xfrm_xdp_record_ok(xnet, &md, skb, &tuple) ||
	    !rcu_access_pointer(xnet->ops)) {
		xfrm_xdp_count(xnet, XFRM_XDP_NORECORD);
		return;
	}

	xfrm_xdp_tunnelled(skb, xfrm_xdp_offer_new(xnet, skb, &md, &tuple, sa));
}

/* XDP would keep up no use time for the outer packet. */
void __xfrm_xdp_tunnel_in(struct sk_buff *skb)
{
	struct xfrm_policy *pols[XFRM_POLICY_TYPE_MAX];
	int num = -EINVAL;

	/* with this flag none is asked for the inner packet either */
	if (!(IPCB(skb)->flags & IPSKB_NOPOLICY))
		num = xfrm_passed_policies(skb, XFRM_POLICY_IN, AF_INET, pols);
	if (!num)
		return;

	if (num > 0)
		xfrm_pols_put(pols, num);
	xfrm_xdp_refuse_skb(skb, XFRM_XDP_NOPACKET);
}
EXPORT_SYMBOL_GPL(__xfrm_xdp_tunnel_in);

/* ESP inside ESP gets its security path here: GRO is before all others but VTI, which
 * has to be asked first. Who can't get one is refused later.
 */
bool __xfrm_xdp_gro_receive(struct sk_buff *skb)
{
	if (xfrm_xdp_record_of_vti(skb) || xfrm_xdp_restore_path(skb) < 0)
		return false;

	if (secpath_exists(skb)) {
		skb_metadata_clear(skb);
		return true;
	}

	/* GRO takes what ip_rcv_core() would not. */
	if (skb->pkt_type != PACKET_HOST || skb_network_offset(skb))
		return true;

	__xfrm_xdp_rcv(skb);
	if (skb_ext_exist(skb, SKB_EXT_XFRM_XDP))
		set_bit(XFRM_XDP_OFFER_GRO, &xfrm_xdp_offer(skb)->flags);
	return true;
}
EXPORT_SYMBOL_GPL(__xfrm_xdp_gro_receive);

/* Did the packet come the way that its record says, and no other? VTI has taken the
 * security path off.
 */
static bool xfrm_xdp_came_through(const struct xfrm_xdp_offer *offer,
				  const struct sk_buff *skb)
{
	struct xfrm_state *sa;

	if (offer->origin.vti)
		return !secpath_exists(skb);

	return xfrm_xdp_record_path(&offer->md, skb, &sa) &&
	       sa == offer->origin.sa;
}

/* A route in clear is only one for what was decrypted. A queue bundle has no
 * transformation and is always valid, but the packets wait for one.
 */
static bool xfrm_xdp_plain_ok(const struct xfrm_xdp_offer *offer,
			      const struct dst_entry *dst)
{
	const struct rtable *rt = dst_rtable(dst);

	return offer->origin.sa && !dst->lwtstate &&
	       !(dst->flags & DST_XFRM_QUEUE) && rt->rt_type == RTN_UNICAST &&
	       dst->output == ip_output;
}

/* Note the policies that let the packet be forwarded, as xfrm4_policy_check() asked
 * before the route was transformed.
 */
static bool xfrm_xdp_note_fwd(struct xfrm_xdp_pols *fwd, struct sk_buff *skb)
{
	int num;

	if (IPCB(skb)->flags & IPSKB_NOPOLICY)
		return true;

	num = xfrm_passed_policies(skb, XFRM_POLICY_FWD, AF_INET, fwd->pols);
	if (num < 0)
		return false;
	fwd->num = num;
	return true;
}

/* Note those by which it goes in clear, as xfrm4_route_forward() asked. One whose
 * templates are all optional would have it encrypted once there is a state.
 */
static bool xfrm_xdp_note_clear(struct xfrm_xdp_pols *fwd, struct sk_buff *skb)
{
	struct xfrm_policy **pols = fwd->pols + fwd->num;
	bool clear = true;
	int i, num;

	if (skb_dst(skb)->flags & DST_NOXFRM)
		return true;

	num = xfrm_passed_policies(skb, XFRM_POLICY_OUT, AF_INET, pols);
	if (num < 0)
		return false;
	for (i = 0; i < num; i++)
		clear &= !pols[i]->xfrm_nr;
	fwd->num += num;
	return clear;
}

static enum xfrm_xdp_stat xfrm_xdp_bind(struct xfrm_xdp_offer *offer,
					struct sk_buff *skb)
{
	const struct inet_skb_parm *cb = IPCB(skb);
	struct dst_entry *dst = skb_dst(skb);
	const struct xfrm_dst *xdst;
	enum xfrm_xdp_stat why;

	if (skb->dev->ifindex != offer->origin.in_ifindex ||
	    offer->origin.tuple.protocol == IPPROTO_ESP ||
	    !xfrm_xdp_came_through(offer, skb) ||
	    cb->opt.optlen || cb->frag_max_size ||
	    cb->flags & IPSKB_DOREDIRECT ||
	    skb->mark & READ_ONCE(offer->xnet->slow_mark) ||
	    test_bit(XFRM_XDP_OFFER_REFUSED, &offer->flags) ||
	    test_bit(XFRM_XDP_OFFER_BOUND, &offer->flags))
		return XFRM_XDP_NOPACKET;

	if (dst->xfrm) {
		if (xfrm_decode_session(dev_net(skb->dev), skb,
					&offer->origin.fl, AF_INET))
			return XFRM_XDP_NOPACKET;
		/* XFRM was asked with the route, before there was a bundle. */
		xdst = (const struct xfrm_dst *)dst;
		offer->origin.fl.flowi_oif = xdst->route->dev->ifindex;
	} else if (xfrm_xdp_is_tunnel(dst->dev) && !dst->lwtstate &&
		   !(dst->flags & DST_XFRM_QUEUE)) {
		/* XFRM will be asked there. */
		offer->origin.tunnel_ifindex = dst->dev->ifindex;
	} else if (xfrm_xdp_plain_ok(offer, dst)) {
		/* There will be no other point before it is sent. */
		set_bit(XFRM_XDP_OFFER_CLEAR, &offer->flags);
	} else {
		return XFRM_XDP_NOPLAIN;
	}

	/* Will be asked again, but tc might copy the packet on its way. */
	why = xfrm_xdp_tc_check(offer->xnet->net, &offer->origin,
				xfrm_dst_path(dst)->dev);
	if (why)
		return why;

	if (!xfrm_xdp_note_fwd(&offer->origin.fwd, skb))
		return XFRM_XDP_NOPACKET;
	if (!dst->xfrm && !xfrm_xdp_note_clear(&offer->origin.fwd, skb))
		return XFRM_XDP_NOPLAIN;

	/* It is not the skb's own if XFRM was not asked. */
	if (!dst_hold_safe(dst))
		return XFRM_XDP_NOPACKET;
	offer->dst = dst;
	set_bit(XFRM_XDP_OFFER_BOUND, &offer->flags);
	return 0;
}

void __xfrm_xdp_forward(struct sk_buff *skb)
{
	enum xfrm_xdp_stat why;

	rcu_read_lock();
	why = xfrm_xdp_bind(xfrm_xdp_offer(skb), skb);
	rcu_read_unlock();
	if (why)
		xfrm_xdp_refuse_skb(skb, why);
}

static enum xfrm_xdp_stat
xfrm_xdp_rebind(struct xfrm_xdp_offer *offer, const struct sk_buff *skb,
		struct dst_entry *dst, const struct flowi *fl, u32 if_id)
{
	struct dst_entry *route = offer->dst;

	if (!test_bit(XFRM_XDP_OFFER_BOUND, &offer->flags) ||
	    skb_dst(skb) != route ||
	    skb->dev->ifindex != offer->origin.tunnel_ifindex ||
	    test_and_set_bit(XFRM_XDP_OFFER_TUNNEL, &offer->flags))
		return XFRM_XDP_NOCLEAR;

	/* The packet waits until there is a state. */
	if (!dst->xfrm)
		return XFRM_XDP_NOPLAIN;

	offer->origin.fl = *fl;
	offer->origin.if_id = if_id;
	dst_hold(dst);
	/* A copy of the packet may be looking at it. */
	WRITE_ONCE(offer->dst, dst);
	dst_release(route);
	return xfrm_xdp_tc_check(offer->xnet->net, &offer->origin,
				 xfrm_dst_path(dst)->dev);
}

struct xfrm_xdp_offer *__xfrm_xdp_tunnel(struct sk_buff *skb,
					 struct dst_entry *dst,
					 const struct flowi *fl, u32 if_id)
{
	struct xfrm_xdp_offer *offer = xfrm_xdp_offer(skb);
	enum xfrm_xdp_stat why;

	xfrm_xdp_offer_get(offer);
	skb_ext_del(skb, SKB_EXT_XFRM_XDP);

	rcu_read_lock();
	why = xfrm_xdp_rebind(offer, skb, dst, fl, if_id);
	rcu_read_unlock();
	if (!why)
		return offer;

	xfrm_xdp_refuse(offer, why);
	xfrm_xdp_offer_put(offer);
	return NULL;
}
EXPORT_SYMBOL_GPL(__xfrm_xdp_tunnel);

void __xfrm_xdp_tunnelled(struct sk_buff *skb, struct xfrm_xdp_offer *offer)
{
	struct xfrm_xdp_ext *ext = skb_ext_add(skb, SKB_EXT_XFRM_XDP);

	if (ext) {
		ext->offer = offer;
		return;
	}

	xfrm_xdp_refuse(offer, XFRM_XDP_NOMEMORY);
	xfrm_xdp_offer_put(offer);
}
EXPORT_SYMBOL_GPL(__xfrm_xdp_tunnelled);

/* Is the packet, but for its TTL, the one that XDP saw? */
static bool xfrm_xdp_unchanged(const struct xfrm_xdp_offer *offer,
			       struct sk_buff *skb)
{
	struct xfrm_xdp_tuple tuple;
	struct iphdr iph;

	if (!pskb_may_pull(skb, sizeof(iph) + 8) ||
	    xfrm_xdp_parse(ip_hdr(skb), (void *)ip_hdr(skb) + skb->len, &tuple))
		return false;

	tuple.vlan_tci = offer->origin.tuple.vlan_tci;
	iph = *ip_hdr(skb);
	iph.check = offer->iph.check;
	iph.ttl++;
	return !memcmp(&iph, &offer->iph, sizeof(iph)) &&
	       !memcmp(&tuple, &offer->origin.tuple, sizeof(tuple));
}

void __xfrm_xdp_clear(struct sk_buff *skb)
{
	struct xfrm_xdp_offer *offer = xfrm_xdp_offer(skb);

	/* NAT, mangling and routing after NAT all show here. */
	if (!test_bit(XFRM_XDP_OFFER_BOUND, &offer->flags) ||
	    skb_dst(skb) != offer->dst || !offer->dst->xfrm ||
	    skb->mark & READ_ONCE(offer->xnet->slow_mark) ||
	    !xfrm_xdp_unchanged(offer, skb) ||
	    test_and_set_bit(XFRM_XDP_OFFER_CLEAR, &offer->flags))
		xfrm_xdp_refuse_skb(skb, XFRM_XDP_NOCLEAR);
	else
		offer->origin.outer = true;
}

/* A frame that XDP sends has no mark. Does the device look at that of an skb? Tunnels
 * choose a route by it, and veth within one netns hands it on.
 */
static bool xfrm_xdp_mark_counts(struct net_device *dev)
{
	const struct net_device *peer = NULL;
	bool counts;

	rcu_read_lock();
	if (dev->netdev_ops->ndo_get_peer_dev)
		peer = dev->netdev_ops->ndo_get_peer_dev(dev);
	counts = (peer && net_eq(dev_net(peer), dev_net(dev))) ||
		 !(READ_ONCE(dev->xdp_features) & NETDEV_XDP_ACT_NDO_XMIT);
	rcu_read_unlock();
	return counts;
}

static void xfrm_xdp_take(struct xfrm_xdp_offer *offer,
			  const struct sk_buff *skb, struct net_device *dev)
{
	if (test_bit(XFRM_XDP_OFFER_REFUSED, &offer->flags) ||
	    test_and_set_bit(XFRM_XDP_OFFER_TAKEN, &offer->flags))
		return;

	/* rules behind FORWARD, or for the ESP packet, may have said so */
	if (skb->mark & READ_ONCE(offer->xnet->slow_mark)) {
		xfrm_xdp_refuse(offer, XFRM_XDP_NOPACKET);
		return;
	}

	if (!xfrm_xdp_wire_note(&offer->wire, skb) ||
	    (skb->mark && xfrm_xdp_mark_counts(dev))) {
		xfrm_xdp_refuse(offer, XFRM_XDP_NOWIRE);
		return;
	}

	offer->origin.queue = skb_get_queue_mapping(skb);
	xfrm_xdp_learn_later(offer);
}

/* Does the packet of an offer go on to a device below this one? */
static bool xfrm_xdp_below(const struct xfrm_xdp_offer *offer,
			   struct net_device *dev)
{
	if (test_bit(XFRM_XDP_OFFER_CLEAR, &offer->flags))
		return dev == xfrm_dst_path(offer->dst)->dev &&
		       dev != xfrm_xdp_real_dev(dev);

	return test_bit(XFRM_XDP_OFFER_BOUND, &offer->flags) &&
	       dev->ifindex == offer->origin.tunnel_ifindex;
}

/* The device gets the frame; the transmit lock is held, so only take it down.
 * The offer ends here, before taps clone the skb and driver or peer keep it.
 */
void __xfrm_xdp_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct xfrm_xdp_offer *offer = xfrm_xdp_offer(skb);

	if (xfrm_xdp_below(offer, dev))
		return;

	/* Not for a copy that somebody sends elsewhere. */
	if (test_bit(XFRM_XDP_OFFER_CLEAR, &offer->flags) &&
	    dev == xfrm_xdp_real_dev(xfrm_dst_path(offer->dst)->dev))
		xfrm_xdp_take(offer, skb, dev);
	skb_ext_del(skb, SKB_EXT_XFRM_XDP);
}

static int __init xfrm_xdp_offer_init(void)
{
	xfrm_xdp_offer_cache = KMEM_CACHE(xfrm_xdp_offer, SLAB_PANIC);
	return 0;
}
fs_initcall(xfrm_xdp_offer_init);
