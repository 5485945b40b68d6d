// SPDX-License-Identifier: GPL-2.0-only
/* Learning flows for XDP: an offer travels with the first packet of a flow.
 *
 * It must still be true at every point where the stack could have decided
 * otherwise, and in the end the frame handed to the driver must be the one that
 * the fast path would have made. A packet that is dropped, stolen, consumed or
 * delivered locally never gets there.
 */

#include <linux/etherdevice.h>
#include <linux/llist.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/ip.h>
#include <net/neighbour.h>
#include <net/route.h>
#include <trace/events/xfrm_xdp.h>

#include "xfrm_xdp_internal.h"

/* Ethernet, IPv4 and ESP header. */
#define XFRM_XDP_WIRE_LEN \
	(ETH_HLEN + sizeof(struct iphdr) + sizeof(struct ip_esp_hdr))

enum {
	XFRM_XDP_OFFER_BOUND,		/* to a dst, in ip_forward() */
	XFRM_XDP_OFFER_CLEAR,		/* unchanged, in xfrm_output() */
	XFRM_XDP_OFFER_TAKEN,		/* in xmit_one(), by one skb */
	XFRM_XDP_OFFER_REFUSED,		/* for all clones of the skb */
};

/**
 * struct xfrm_xdp_offer - what may become a flow
 * @refcnt: one for each skb extension, one while being learned
 * @flags: XFRM_XDP_OFFER_*
 * @xnet: netns
 * @dst: bundle, once bound
 * @origin: the packet, for the flow
 * @iph: IP header as XDP saw it
 * @md: the record
 * @wire: the frame sent, from the Ethernet to the ESP header
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
	u8			wire[XFRM_XDP_WIRE_LEN];
	struct llist_node	node;
};

/* Offers whose packet was sent, until the transmit lock is free again. */
struct xfrm_xdp_pending {
	struct llist_head	offers;
	struct work_struct	work;
};

static DEFINE_PER_CPU(struct xfrm_xdp_pending, xfrm_xdp_pending);

static struct kmem_cache *xfrm_xdp_offer_cache __ro_after_init;

DEFINE_STATIC_KEY_FALSE(xfrm_xdp_learning);
EXPORT_SYMBOL_GPL(xfrm_xdp_learning);

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
	xfrm_pols_put(offer->origin.fwd.pols, offer->origin.fwd.num);
	kmem_cache_free(xfrm_xdp_offer_cache, offer);
}

static struct xfrm_xdp_offer *xfrm_xdp_offer(const struct sk_buff *skb)
{
	const struct xfrm_xdp_ext *ext = skb_ext_find(skb, SKB_EXT_XFRM_XDP);

	return ext->offer;
}

static void xfrm_xdp_refuse(struct xfrm_xdp_offer *offer,
			    enum xfrm_xdp_stat why)
{
	if (test_and_set_bit(XFRM_XDP_OFFER_REFUSED, &offer->flags))
		return;

	xfrm_xdp_count(offer->xnet, why);
	trace_xfrm_xdp_refuse(&offer->origin.tuple, offer->origin.iif, why);
}

/* The offer holds a dst, and the skb may wait anywhere: do not leave it there. */
static void xfrm_xdp_refuse_skb(struct sk_buff *skb, enum xfrm_xdp_stat why)
{
	xfrm_xdp_refuse(xfrm_xdp_offer(skb), why);
	skb_ext_del(skb, SKB_EXT_XFRM_XDP);
}

/**
 * xfrm_xdp_md_mac() - authenticate a record
 * @xnet: netns
 * @ifindex: receiving device
 * @key: XFRM_XDP_KEY_LEN bytes
 * @tuple: of the packet
 *
 * Metadata survives tunnels, and a remote host may write what looks like
 * metadata. A record is only good for the netns, device and tuple it was made
 * for.
 *
 * Return: the MAC.
 */
u64 xfrm_xdp_md_mac(const struct xfrm_xdp_net *xnet, u32 ifindex, const u8 *key,
		    const struct xfrm_xdp_tuple *tuple)
{
	struct {
		u8			key[XFRM_XDP_KEY_LEN];
		struct xfrm_xdp_tuple	tuple;
		u64			ifindex;
	} input = { .tuple = *tuple, .ifindex = ifindex };

	memcpy(input.key, key, sizeof(input.key));
	return siphash(&input, sizeof(input), &xnet->secret);
}

/* The only reader of the record: whatever it says, it is gone afterwards. */
void __xfrm_xdp_rcv(struct sk_buff *skb, struct net *net)
{
	struct xfrm_xdp_net *xnet = xfrm_xdp_pernet(net);
	struct xfrm_xdp_tuple tuple;
	struct xfrm_xdp_offer *offer;
	struct xfrm_xdp_ext *ext;
	struct xfrm_xdp_md md;

	memcpy(&md, skb_metadata_end(skb) - sizeof(md), sizeof(md));
	if (md.magic != XFRM_XDP_MD_MAGIC)
		return;
	skb_metadata_clear(skb);

	if (!rcu_access_pointer(xnet->ops) ||
	    md.ifindex != skb->dev->ifindex || secpath_exists(skb) ||
	    !pskb_may_pull(skb, sizeof(struct iphdr) + 8) ||
	    xfrm_xdp_parse(ip_hdr(skb), (void *)ip_hdr(skb) + skb->len,
			   &tuple) ||
	    md.mac != xfrm_xdp_md_mac(xnet, md.ifindex, md.key, &tuple)) {
		xfrm_xdp_count(xnet, XFRM_XDP_NORECORD);
		return;
	}

	offer = kmem_cache_zalloc(xfrm_xdp_offer_cache,
				  GFP_ATOMIC | __GFP_NOWARN);
	if (!offer)
		goto no_memory;
	ext = skb_ext_add(skb, SKB_EXT_XFRM_XDP);
	if (!ext)
		goto free;
	ext->offer = offer;

	refcount_set(&offer->refcnt, 1);
	offer->xnet = xnet;
	offer->md = md;
	offer->iph = *ip_hdr(skb);
	offer->origin.tuple = tuple;
	offer->origin.iif = md.ifindex;
	offer->origin.genid = atomic_read(&xnet->genid);
	ether_addr_copy(offer->origin.dmac, eth_hdr(skb)->h_dest);
	xfrm_xdp_count(xnet, XFRM_XDP_OFFER);
	return;

free:
	kmem_cache_free(xfrm_xdp_offer_cache, offer);
no_memory:
	xfrm_xdp_count(xnet, XFRM_XDP_NOMEMORY);
}

static enum xfrm_xdp_stat xfrm_xdp_bind(struct xfrm_xdp_offer *offer,
					struct sk_buff *skb)
{
	const struct inet_skb_parm *cb = IPCB(skb);
	const struct xfrm_dst *xdst;
	enum xfrm_xdp_stat why;
	int num;

	if (skb->dev->ifindex != offer->origin.iif || secpath_exists(skb) ||
	    cb->opt.optlen || cb->frag_max_size ||
	    cb->flags & IPSKB_DOREDIRECT ||
	    test_bit(XFRM_XDP_OFFER_BOUND, &offer->flags))
		return XFRM_XDP_NOPACKET;

	if (!skb_dst(skb)->xfrm)
		return XFRM_XDP_NOPLAIN;

	/* Will be asked again, but tc might copy the packet on its way. */
	why = xfrm_xdp_tc_check(offer->xnet->net, offer->origin.iif,
				xfrm_dst_path(skb_dst(skb))->dev);
	if (why)
		return why;

	if (xfrm_decode_session(dev_net(skb->dev), skb, &offer->origin.fl,
				AF_INET))
		return XFRM_XDP_NOPACKET;
	/* XFRM was asked with the route, before there was a bundle. */
	xdst = (const struct xfrm_dst *)skb_dst(skb);
	offer->origin.fl.flowi_oif = xdst->route->dev->ifindex;

	/* as xfrm4_policy_check() did before the route was transformed */
	if (!(cb->flags & IPSKB_NOPOLICY)) {
		num = xfrm_fwd_policies(skb, AF_INET, offer->origin.fwd.pols);
		if (num < 0)
			return XFRM_XDP_NOPACKET;
		offer->origin.fwd.num = num;
	}

	dst_hold(skb_dst(skb));
	offer->dst = skb_dst(skb);
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

/* Is the packet, but for its TTL, the one that XDP saw? */
static bool xfrm_xdp_unchanged(const struct xfrm_xdp_offer *offer,
			       struct sk_buff *skb)
{
	struct xfrm_xdp_tuple tuple;
	struct iphdr iph;

	if (!pskb_may_pull(skb, sizeof(iph) + 8) ||
	    xfrm_xdp_parse(ip_hdr(skb), (void *)ip_hdr(skb) + skb->len, &tuple))
		return false;

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
	    skb_dst(skb) != offer->dst ||
	    !xfrm_xdp_unchanged(offer, skb) ||
	    test_and_set_bit(XFRM_XDP_OFFER_CLEAR, &offer->flags))
		xfrm_xdp_refuse_skb(skb, XFRM_XDP_NOCLEAR);
}

static void xfrm_xdp_take(struct xfrm_xdp_offer *offer,
			  const struct sk_buff *skb)
{
	struct xfrm_xdp_pending *pending;

	if (test_bit(XFRM_XDP_OFFER_REFUSED, &offer->flags) ||
	    test_and_set_bit(XFRM_XDP_OFFER_TAKEN, &offer->flags))
		return;

	if (skb_is_gso(skb) || skb_vlan_tag_present(skb) ||
	    skb_headlen(skb) < XFRM_XDP_WIRE_LEN) {
		xfrm_xdp_refuse(offer, XFRM_XDP_NOWIRE);
		return;
	}

	memcpy(offer->wire, skb->data, XFRM_XDP_WIRE_LEN);
	xfrm_xdp_offer_get(offer);
	pending = this_cpu_ptr(&xfrm_xdp_pending);
	llist_add(&offer->node, &pending->offers);
	queue_work(system_bh_wq, &pending->work);
}

/* The device gets the frame; the transmit lock is held, so only take it down.
 * The offer ends here, before taps clone the skb and driver or peer keep it.
 */
void __xfrm_xdp_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct xfrm_xdp_offer *offer = xfrm_xdp_offer(skb);

	/* Not for a copy that somebody sends elsewhere. */
	if (test_bit(XFRM_XDP_OFFER_CLEAR, &offer->flags) &&
	    dev == xfrm_dst_path(offer->dst)->dev)
		xfrm_xdp_take(offer, skb);
	skb_ext_del(skb, SKB_EXT_XFRM_XDP);
}

/* Is the frame that was sent the one that XDP would have made? Length, id,
 * checksum and sequence number belong to the packet, not to the flow.
 */
static bool xfrm_xdp_wire_equal(const struct xfrm_xdp_offer *offer,
				const struct xfrm_xdp_flow *flow)
{
	const struct ethhdr *eth = (const struct ethhdr *)offer->wire;
	struct ip_esp_hdr esph;
	struct iphdr sent, iph;

	memcpy(&sent, offer->wire + ETH_HLEN, sizeof(sent));
	memcpy(&esph, offer->wire + ETH_HLEN + sizeof(sent), sizeof(esph));

	xfrm_xdp_outer_iph(&iph, &offer->iph, flow, offer->dst,
			   ntohs(sent.tot_len));
	iph.id = sent.id;
	iph.check = sent.check;

	return !memcmp(eth, (u8 *)flow->neigh->hh.hh_data + HH_DATA_OFF(ETH_HLEN),
		       ETH_HLEN) &&
	       !memcmp(&iph, &sent, sizeof(iph)) &&
	       esph.spi == offer->dst->xfrm->id.spi;
}

static enum xfrm_xdp_stat xfrm_xdp_learn(struct xfrm_xdp_offer *offer)
{
	struct xfrm_xdp_net *xnet = offer->xnet;
	const struct xfrm_xdp_ops *ops;
	struct xfrm_xdp_flow *flow;
	struct neighbour *neigh;
	enum xfrm_xdp_stat why;
	int err;

	ops = rcu_dereference(xnet->ops);
	if (!ops)
		return XFRM_XDP_NOOPS;

	/* Its device may be in another netns by now. */
	if (!dst_check(offer->dst, 0))
		return XFRM_XDP_NOWIRE;

	why = xfrm_xdp_bypass_check(xnet->net, offer->origin.iif,
				    xfrm_dst_path(offer->dst)->dev);
	if (why)
		return why;

	neigh = dst_neigh_lookup(xfrm_dst_path(offer->dst),
				 &offer->dst->xfrm->id.daddr);
	if (!neigh)
		return XFRM_XDP_NONEIGH;
	flow = xfrm_xdp_flow_create(xnet, offer->dst, neigh, &offer->origin,
				    &why);
	neigh_release(neigh);
	if (!flow)
		return why;

	if (!xfrm_xdp_wire_equal(offer, flow)) {
		xfrm_xdp_flow_put(flow);
		return XFRM_XDP_NOWIRE;
	}

	err = ops->flow_add(&offer->md, flow);
	if (!err) {
		xfrm_xdp_count(xnet, XFRM_XDP_LEARNED);
		trace_xfrm_xdp_learn(flow);
	}
	xfrm_xdp_flow_put(flow);
	return err ? XFRM_XDP_NOOPS : 0;
}

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
static void __net_exit xfrm_xdp_offer_drain(struct list_head *exit_list)
{
	int cpu;

	for_each_possible_cpu(cpu)
		flush_work(&per_cpu(xfrm_xdp_pending, cpu).work);
}

static struct pernet_operations xfrm_xdp_offer_net_ops = {
	.exit_batch	= xfrm_xdp_offer_drain,
};

static int __init xfrm_xdp_offer_init(void)
{
	int cpu;

	xfrm_xdp_offer_cache = KMEM_CACHE(xfrm_xdp_offer, SLAB_PANIC);
	for_each_possible_cpu(cpu)
		INIT_WORK(&per_cpu(xfrm_xdp_pending, cpu).work,
			  xfrm_xdp_learn_pending);

	/* After the flows' own: the offers of a netns go before its flows. */
	return register_pernet_subsys(&xfrm_xdp_offer_net_ops);
}
fs_initcall(xfrm_xdp_offer_init);
