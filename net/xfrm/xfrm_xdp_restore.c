// SPDX-License-Identifier: GPL-2.0-only
/* What XDP decrypted gets its security path back, and its device.
 *
 * As xfrm_input() would have left it: with the state that its record names, at the
 * xfrm interface of the state, or by way of VTI, which may refuse it.
 */

#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/unaligned.h>
#include <net/ip_tunnels.h>
#include <net/xfrm.h>

#include "xfrm_xdp_internal.h"

/* What the device said about the checksum was about ciphertext, and it may have
 * filled up a short packet.
 */
static int xfrm_xdp_decrypted_by(struct sk_buff *skb, struct xfrm_state *x,
				 u32 short_len)
{
	struct sec_path *sp = NULL;

	if (!short_len || !pskb_trim(skb, short_len))
		sp = secpath_set(skb);
	if (!sp) {
		xfrm_state_put(x);
		return -ENOMEM;
	}

	sp->xvec[sp->len++] = x;
	/* GRO has looked at what it merged itself. */
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		skb->ip_summed = CHECKSUM_NONE;
	return 0;
}

/* The state of a record, and the packet's mark after it. -ENOENT if the state has gone
 * meanwhile, or -ENOMEM.
 */
static int xfrm_xdp_record_state(const struct xfrm_xdp_md *md,
				 struct sk_buff *skb, u32 mark)
{
	xfrm_address_t daddr = { .a4 = md->daddr };
	struct xfrm_state *x;
	int err;

	x = xfrm_state_lookup(dev_net(skb->dev), mark, &daddr, md->spi,
			      IPPROTO_ESP, AF_INET);
	if (!x)
		return -ENOENT;
	err = xfrm_xdp_decrypted_by(skb, x, xfrm_xdp_short_len(md, skb));
	if (err)
		return err;

	skb->mark = xfrm_smark_get(skb->mark, x);
	return 0;
}

/* @md is authentic: make the packet what xfrm_input() would have made of it. */
static int xfrm_xdp_record_restore(const struct xfrm_xdp_md *md,
				   struct sk_buff *skb)
{
	struct xfrm_state *x;
	struct net_device *dev;
	int err;

	err = xfrm_xdp_record_state(md, skb, 0);
	if (err)
		return err;

	x = xfrm_input_state(skb);
	/* as xfrmi_rcv_cb(), which counted it already */
	dev = x->if_id ? xfrm_input_dev(dev_net(skb->dev), x) : NULL;
	if (dev)
		skb->dev = dev;
	return 0;
}

/* The headers that each packet had which GRO merged into this one. */
static u32 xfrm_xdp_merged_header(const struct sk_buff *skb)
{
	if (skb_shinfo(skb)->gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6))
		return skb->encapsulation ? skb_inner_tcp_all_headers(skb) :
					    skb_tcp_all_headers(skb);

	return sizeof(struct udphdr) +
	       (skb->encapsulation ? skb_inner_transport_offset(skb) :
				     skb_transport_offset(skb));
}

/* As xfrm_input() hands a packet to VTI, which asks policies; but GRO has been here
 * before, and all that it merged has to be counted.
 */
static bool xfrm_xdp_vti_take(struct sk_buff *skb, struct net_device *vti)
{
	int more = skb_is_gso(skb) ? skb_shinfo(skb)->gso_segs - 1 : 0;

	if (!xfrm_rcv_cb(skb, AF_INET, IPPROTO_ESP, 0)) {
		for (; more > 0; more--)
			dev_sw_netstats_rx_add(vti, xfrm_xdp_merged_header(skb));
		return true;
	}

	/* dropped, even if a policy comes meanwhile that would accept it */
	do
		xfrm_rcv_cb(skb, AF_INET, IPPROTO_ESP, -1);
	while (more-- > 0 && xfrm_rcv_cb(skb, AF_INET, IPPROTO_ESP, 0));
	return false;
}

/* The same as xfrm_xdp_record_restore() for what VTI gets. If it can't, nobody else
 * gets the packet: policies may ask for ESP by the key of the device only.
 */
static int xfrm_xdp_record_vti(struct xfrm_xdp_net *xnet,
			       const struct xfrm_xdp_md *md,
			       const struct xfrm_xdp_tuple *tuple,
			       struct sk_buff *skb)
{
	struct xfrm_xdp_offer *offer = NULL;
	const struct ip_tunnel *tunnel;
	struct net_device *vti;
	int err;

	vti = dev_get_by_index_rcu(xnet->net, md->vti);
	if (!vti || !xfrm_xdp_is_vti(vti) || !(vti->flags & IFF_UP))
		goto refuse;

	tunnel = netdev_priv(vti);
	if (!net_eq(tunnel->net, xnet->net))
		goto refuse;
	err = xfrm_xdp_record_state(md, skb, be32_to_cpu(tunnel->parms.i_key));
	if (err)
		return err;

	/* policies look there for a VRF */
	memset(skb->cb, 0, sizeof(skb->cb));
	XFRM_TUNNEL_SKB_CB(skb)->tunnel.ip4 = netdev_priv(vti);
	XFRM_MODE_SKB_CB(skb)->protocol = skb->protocol == htons(ETH_P_IP) ?
					  IPPROTO_IPIP : IPPROTO_IPV6;
	if (!md->held && rcu_access_pointer(xnet->ops))
		offer = xfrm_xdp_offer_vti(xnet, skb, md, tuple, vti);
	if (!xfrm_xdp_vti_take(skb, vti)) {
		if (offer)
			xfrm_xdp_offer_put(offer);
		return -EPERM;
	}

	skb_metadata_clear(skb);
	xfrm_xdp_tunnelled(skb, offer);
	return 1;

refuse:
	xfrm_xdp_count(xnet, XFRM_XDP_NORECORD);
	return -EPERM;
}

/**
 * xfrm_xdp_record_of_vti() - does the record of a packet name a VTI?
 * @skb: packet, with as many bytes of metadata as a record has
 *
 * Return: true if there is a record, and it does. It may be forged.
 */
bool xfrm_xdp_record_of_vti(const struct sk_buff *skb)
{
	const struct xfrm_xdp_md *md = skb_metadata_end(skb) - sizeof(*md);

	return get_unaligned(&md->magic) == XFRM_XDP_MD_MAGIC &&
	       get_unaligned(&md->vti);
}

/* GRO believes what the device said about the checksum. */
void __xfrm_xdp_unchecked(struct sk_buff *skb)
{
	const struct xfrm_xdp_md *md = skb_metadata_end(skb) - sizeof(*md);

	if (skb->ip_summed != CHECKSUM_PARTIAL &&
	    get_unaligned(&md->magic) == XFRM_XDP_MD_MAGIC &&
	    get_unaligned(&md->spi))
		skb->ip_summed = CHECKSUM_NONE;
}

/**
 * xfrm_xdp_restore_path() - give a packet its security path back
 * @skb: packet, with as many bytes of metadata as a record has
 *
 * The record stays for ip_rcv_core(), if the packet is to be offered; VTI takes off
 * both. Under RCU, BH off.
 *
 * Return: as xfrm_xdp_restore(), but a packet that is refused is the caller's: -EPERM if
 * VTI did, -ENOENT if its state has gone, or -ENOMEM.
 */
int xfrm_xdp_restore_path(struct sk_buff *skb)
{
	struct xfrm_xdp_net *xnet = xfrm_xdp_pernet(dev_net(skb->dev));
	const struct net_device *dev = skb->dev;
	struct xfrm_xdp_tuple tuple;
	struct xfrm_xdp_md md;
	int err;

	memcpy(&md, skb_metadata_end(skb) - sizeof(md), sizeof(md));
	if (md.magic != XFRM_XDP_MD_MAGIC || !md.spi || secpath_exists(skb))
		return 0;

	if (!xfrm_xdp_record_ok(xnet, &md, skb, &tuple))
		goto clear;

	if (md.vti)
		return xfrm_xdp_record_vti(xnet, &md, &tuple, skb);

	err = xfrm_xdp_record_restore(&md, skb);
	if (err)
		return err;

	if (md.held)
		skb_metadata_clear(skb);
	return skb->dev != dev;

clear:
	skb_metadata_clear(skb);
	xfrm_xdp_count(xnet, XFRM_XDP_NORECORD);
	return 0;
}

/* Packets go up with their security path before anybody asks for it: taps, tc,
 * GRO that decrypts once more. Without it one would be clear text, which policies may
 * accept where they refuse what was decrypted.
 */
int __xfrm_xdp_restore(struct sk_buff *skb)
{
	int ret = xfrm_xdp_restore_path(skb);
	struct net *net;

	if (likely(ret >= 0))
		return ret;

	if (ret != -EPERM) {
		net = dev_net(skb->dev);
		XFRM_INC_STATS(net, ret == -ENOENT ? LINUX_MIB_XFRMINNOSTATES :
						     LINUX_MIB_XFRMINERROR);
		xfrm_xdp_count(xfrm_xdp_pernet(net), XFRM_XDP_NORECORD);
	}
	kfree_skb(skb);
	return -EPERM;
}
