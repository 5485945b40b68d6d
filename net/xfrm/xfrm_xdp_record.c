// SPDX-License-Identifier: GPL-2.0-only
/* The record of XFRM for XDP: what a packet carries from XDP into the stack.
 *
 * It lies in the metadata of the frame, which survives tunnels and veth pairs,
 * and where a remote host can put bytes by Geneve options. So it is only good
 * for the netns, device, tuple and state that it was made for, and the first
 * who reads it clears it.
 */

#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/unaligned.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/xfrm.h>

#include "xfrm_xdp_internal.h"

DEFINE_PER_CPU(struct xfrm_xdp_through, xfrm_xdp_decrypted);

/**
 * xfrm_xdp_md_mac() - authenticate a record
 * @xnet: netns
 * @md: record
 * @tuple: of the packet; all zero if it has none
 *
 * Return: what @md->mac has to be.
 */
u64 xfrm_xdp_md_mac(const struct xfrm_xdp_net *xnet,
		    const struct xfrm_xdp_md *md,
		    const struct xfrm_xdp_tuple *tuple)
{
	struct {
		struct xfrm_xdp_md	md;
		struct xfrm_xdp_tuple	tuple;
	} input = { .md = *md, .tuple = *tuple };

	input.md.mac = 0;
	return siphash(&input, sizeof(input), &xnet->secret);
}

/**
 * xfrm_xdp_record_take() - take the record off a packet
 * @skb: packet, with as many bytes of metadata as a record has
 * @md: result
 *
 * Return: true if there was one. Whatever it says, it is gone now.
 */
bool xfrm_xdp_record_take(struct sk_buff *skb, struct xfrm_xdp_md *md)
{
	memcpy(md, skb_metadata_end(skb) - sizeof(*md), sizeof(*md));
	if (md->magic != XFRM_XDP_MD_MAGIC)
		return false;

	skb_metadata_clear(skb);
	return true;
}

/* Did the stack receive the packet on the device of the record, or on that of
 * its VLAN? What was decrypted may be at an xfrm interface by now.
 */
static bool xfrm_xdp_same_device(const struct xfrm_xdp_md *md,
				 struct net_device *dev, bool restored)
{
	if (!md->vlan_tci)
		return md->ifindex == dev->ifindex ||
		       (restored && xfrm_xdp_is_tunnel(dev));

	return xfrm_xdp_vlan_is(dev, md->vlan_tci) &&
	       md->ifindex == xfrm_xdp_real_dev(dev)->ifindex;
}

/* How much of the packet there was, if a driver may have filled it up. GRO merges
 * none that was.
 */
static u32 xfrm_xdp_short_len(const struct xfrm_xdp_md *md,
			      const struct sk_buff *skb)
{
	return skb_is_gso(skb) || md->short_len > skb->len ? 0 : md->short_len;
}

/* What was decrypted may be anything, and goes up without a tuple then. */
static bool xfrm_xdp_record_tuple(const struct xfrm_xdp_md *md,
				  struct sk_buff *skb,
				  struct xfrm_xdp_tuple *tuple)
{
	struct {
		struct iphdr	iph;
		u8		l4[8];
	} head;
	u32 len = xfrm_xdp_short_len(md, skb) ?: skb->len;

	if (skb->protocol == htons(ETH_P_IP) &&
	    !skb_copy_bits(skb, 0, &head, sizeof(head))) {
		/* as iph_totlen(): GRO may have merged more than it can say */
		if (!head.iph.tot_len && skb_is_gso(skb))
			head.iph.tot_len = htons(sizeof(head));
		if (!xfrm_xdp_parse(&head.iph, (void *)&head + len, tuple)) {
			tuple->vlan_tci = md->vlan_tci;
			return true;
		}
	}

	memset(tuple, 0, sizeof(*tuple));
	return md->spi && md->held;
}

/**
 * xfrm_xdp_record_ok() - is a record authentic, and of this packet?
 * @xnet: netns
 * @md: record
 * @skb: IP packet
 * @tuple: set to that of the packet, all zero if it has none
 *
 * Return: true if so.
 */
bool xfrm_xdp_record_ok(const struct xfrm_xdp_net *xnet,
			const struct xfrm_xdp_md *md, struct sk_buff *skb,
			struct xfrm_xdp_tuple *tuple)
{
	return xfrm_xdp_same_device(md, skb->dev, secpath_exists(skb)) &&
	       xfrm_xdp_record_tuple(md, skb, tuple) &&
	       md->mac == xfrm_xdp_md_mac(xnet, md, tuple);
}

/**
 * xfrm_xdp_record_path() - did a packet come the way that its record says?
 * @md: record
 * @skb: packet
 * @sa: set to the state of its security path, or NULL if it came in clear
 *
 * Return: true if so, and no other way.
 */
bool xfrm_xdp_record_path(const struct xfrm_xdp_md *md,
			  const struct sk_buff *skb, struct xfrm_state **sa)
{
	const struct sec_path *sp = skb_sec_path(skb);

	*sa = NULL;
	if (!md->spi)
		return !sp;

	if (!sp || sp->len != 1 || sp->xvec[0]->id.spi != md->spi ||
	    sp->xvec[0]->id.daddr.a4 != md->daddr)
		return false;

	*sa = sp->xvec[0];
	return true;
}

/* What the device said about the checksum was about ciphertext, and it may have
 * filled up a short packet. Without the security path policies see clear text,
 * and refuse it where they ask for more.
 */
static bool xfrm_xdp_decrypted_by(struct sk_buff *skb, struct xfrm_state *x,
				  u32 short_len)
{
	struct sec_path *sp = secpath_set(skb);

	if (!sp || (short_len && pskb_trim(skb, short_len))) {
		xfrm_state_put(x);
		return false;
	}

	sp->xvec[sp->len++] = x;
	/* GRO has looked at what it merged itself. */
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		skb->ip_summed = CHECKSUM_NONE;
	return true;
}

/* The state of a record, and the packet's mark after it. */
static bool xfrm_xdp_record_state(const struct xfrm_xdp_md *md,
				  struct sk_buff *skb, u32 mark)
{
	xfrm_address_t daddr = { .a4 = md->daddr };
	struct xfrm_state *x;

	x = xfrm_state_lookup(dev_net(skb->dev), mark, &daddr, md->spi,
			      IPPROTO_ESP, AF_INET);
	if (!x || !xfrm_xdp_decrypted_by(skb, x, xfrm_xdp_short_len(md, skb)))
		return false;

	skb->mark = xfrm_smark_get(skb->mark, x);
	return true;
}

/* @md is authentic: make the packet what xfrm_input() would have made of it. */
static bool xfrm_xdp_record_restore(const struct xfrm_xdp_md *md,
				    struct sk_buff *skb)
{
	struct xfrm_state *x;
	struct net_device *dev;

	if (!xfrm_xdp_record_state(md, skb, 0))
		return false;

	x = xfrm_input_state(skb);
	/* as xfrmi_rcv_cb(), which counted it already */
	dev = x->if_id ? xfrm_input_dev(dev_net(skb->dev), x) : NULL;
	if (dev)
		skb->dev = dev;
	return true;
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
static bool xfrm_xdp_record_vti(struct xfrm_xdp_net *xnet,
				const struct xfrm_xdp_md *md,
				const struct xfrm_xdp_tuple *tuple,
				struct sk_buff *skb)
{
	struct xfrm_xdp_offer *offer = NULL;
	const struct ip_tunnel *tunnel;
	struct net_device *vti;

	vti = dev_get_by_index_rcu(xnet->net, md->vti);
	if (!vti || !xfrm_xdp_is_vti(vti) || !(vti->flags & IFF_UP))
		goto refuse;

	tunnel = netdev_priv(vti);
	if (!net_eq(tunnel->net, xnet->net) ||
	    !xfrm_xdp_record_state(md, skb, be32_to_cpu(tunnel->parms.i_key)))
		goto refuse;

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
		return false;
	}

	skb_metadata_clear(skb);
	xfrm_xdp_tunnelled(skb, offer);
	return true;

refuse:
	xfrm_xdp_count(xnet, XFRM_XDP_NORECORD);
	return false;
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

/* Packets go up with their security path before anybody asks for it: taps, tc,
 * GRO that decrypts once more. The record stays for ip_rcv_core(), if the packet
 * is to be offered; VTI takes off both. Under RCU, BH off.
 */
int __xfrm_xdp_restore(struct sk_buff *skb)
{
	struct xfrm_xdp_net *xnet = xfrm_xdp_pernet(dev_net(skb->dev));
	const struct net_device *dev = skb->dev;
	struct xfrm_xdp_tuple tuple;
	struct xfrm_xdp_md md;

	memcpy(&md, skb_metadata_end(skb) - sizeof(md), sizeof(md));
	if (md.magic != XFRM_XDP_MD_MAGIC || !md.spi || secpath_exists(skb))
		return 0;

	if (!xfrm_xdp_record_ok(xnet, &md, skb, &tuple))
		goto clear;

	if (md.vti) {
		if (xfrm_xdp_record_vti(xnet, &md, &tuple, skb))
			return 1;
		kfree_skb(skb);
		return -EPERM;
	}

	if (xfrm_xdp_record_restore(&md, skb)) {
		if (md.held)
			skb_metadata_clear(skb);
		return skb->dev != dev;
	}

clear:
	skb_metadata_clear(skb);
	xfrm_xdp_count(xnet, XFRM_XDP_NORECORD);
	return 0;
}

static int __init xfrm_xdp_record_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		get_random_bytes(&per_cpu(xfrm_xdp_decrypted, cpu).nonce,
				 sizeof(u64));
	return 0;
}
subsys_initcall(xfrm_xdp_record_init);
