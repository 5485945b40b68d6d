// SPDX-License-Identifier: GPL-2.0-only
/* The last comparison before a flow is learned by XFRM for XDP: the frame handed to
 * the driver must be the one that the fast path would have made.
 */

#include <linux/icmp.h>
#include <linux/if_vlan.h>
#include <net/ip.h>

#include "xfrm_xdp_internal.h"

/**
 * xfrm_xdp_wire_note() - note a frame as it will be on the wire
 * @wire: result
 * @skb: frame, in xmit_one(); a device that can insert the tag does so later
 *
 * Return: false for what can't be a frame of one flow.
 */
bool xfrm_xdp_wire_note(struct xfrm_xdp_wire *wire, const struct sk_buff *skb)
{
	struct vlan_ethhdr *veth = (struct vlan_ethhdr *)wire->link;
	unsigned int in_frame = ETH_HLEN;

	if (skb_is_gso(skb) ||
	    skb_headlen(skb) < VLAN_ETH_HLEN + sizeof(wire->iph) +
			       sizeof(wire->esph))
		return false;

	memcpy(veth, skb->data, VLAN_ETH_HLEN);
	wire->link_len = VLAN_ETH_HLEN;
	if (skb_vlan_tag_present(skb)) {
		veth->h_vlan_encapsulated_proto = veth->h_vlan_proto;
		veth->h_vlan_proto = skb->vlan_proto;
		veth->h_vlan_TCI = htons(skb_vlan_tag_get(skb));
	} else if (veth->h_vlan_proto == htons(ETH_P_8021Q)) {
		in_frame = VLAN_ETH_HLEN;
	} else {
		wire->link_len = ETH_HLEN;
	}

	memcpy(&wire->iph, skb->data + in_frame, sizeof(wire->iph));
	memcpy(&wire->esph, skb->data + in_frame + sizeof(wire->iph),
	       sizeof(wire->esph));
	return true;
}

static bool xfrm_xdp_same_ports(const struct xfrm_xdp_tuple *tuple,
				const __be32 *l4)
{
	const struct icmphdr *icmp = (const struct icmphdr *)l4;

	if (tuple->protocol != IPPROTO_ICMP)
		return tuple->ports == l4[0];

	return tuple->ports == htonl(icmp->type << 24 | icmp->code << 16 |
				     ntohs(icmp->un.echo.id));
}

/**
 * xfrm_xdp_wire_equal() - is the frame that was sent the one XDP would have made?
 * @wire: frame
 * @was: IP header of the packet as XDP saw it
 * @flow: what XDP would have gone by
 * @dst: the flow's
 *
 * Length, id, checksum and sequence number of an outer header belong to the
 * packet, not to the flow. Under RCU.
 *
 * Return: true if it is.
 */
bool xfrm_xdp_wire_equal(const struct xfrm_xdp_wire *wire,
			 const struct iphdr *was,
			 const struct xfrm_xdp_flow *flow,
			 const struct dst_entry *dst)
{
	u8 head[HH_DATA_ALIGN(VLAN_ETH_HLEN)];
	struct iphdr iph;

	xfrm_xdp_link_header(flow, head + sizeof(head));
	if (wire->link_len != flow->rewrite.link_len ||
	    memcmp(wire->link, head + sizeof(head) - wire->link_len,
		   wire->link_len))
		return false;

	if (flow->kind == XFRM_XDP_PLAIN) {
		iph = *was;
		ip_decrease_ttl(&iph);
		return !memcmp(&iph, &wire->iph, sizeof(iph)) &&
		       xfrm_xdp_same_ports(&flow->tuple, wire->l4);
	}

	xfrm_xdp_outer_iph(&iph, was, flow, dst,
			   ntohs(wire->iph.tot_len));
	iph.id = wire->iph.id;
	iph.check = wire->iph.check;
	return !memcmp(&iph, &wire->iph, sizeof(iph)) &&
	       wire->esph.spi == dst->xfrm->id.spi;
}
