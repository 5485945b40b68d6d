// SPDX-License-Identifier: GPL-2.0-only
/* The record of XFRM for XDP: what a packet carries from XDP into the stack.
 *
 * It lies in the metadata of the frame, which survives tunnels and veth pairs,
 * and where a remote host can put bytes by Geneve options. So it is only good
 * for the netns, device, tuple and state that it was made for. GRO and
 * __netif_receive_skb_core() read what concerns them; who makes an offer of it,
 * or finds it false, clears it.
 */

#include <linux/random.h>
#include <linux/siphash.h>
#include <net/ip.h>
#include <net/xfrm.h>

#include "xfrm_xdp_internal.h"

DEFINE_PER_CPU(struct xfrm_xdp_through, xfrm_xdp_decrypted);

/**
 * xfrm_xdp_unclear() - may a packet have been decrypted, though its record is not there?
 * @xdp: packet, marked by XDP_FLAGS_DECRYPTED, xfrm_xdp_through() is false
 *
 * A program may have moved the packet or its metadata, or sent both to another CPU,
 * where its queue is not a device's. A driver may also leave the mark of one packet to
 * the next one of its queue; who does not know says that it may. BH off.
 *
 * Return: false if it came in clear.
 */
bool xfrm_xdp_unclear(const struct xdp_buff *xdp)
{
	const struct xfrm_xdp_through *last = this_cpu_ptr(&xfrm_xdp_decrypted);

	return last->rxq != xdp->rxq || !xdp_rxq_info_is_reg(xdp->rxq) ||
	       (last->data >= xdp->data_hard_start &&
		last->data < xdp_data_hard_end(xdp));
}

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

static int __init xfrm_xdp_record_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		get_random_bytes(&per_cpu(xfrm_xdp_decrypted, cpu).nonce,
				 sizeof(u64));
	return 0;
}
subsys_initcall(xfrm_xdp_record_init);
