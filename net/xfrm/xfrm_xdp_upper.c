// SPDX-License-Identifier: GPL-2.0-only
/* Devices above those that receive and send the frames of a flow.
 *
 * On the way in that may be a VLAN device, or VTI that got what was decrypted; on the
 * way out a tunnel device whose packets XFRM transforms (xfrm interface, VTI) and a VLAN
 * device. XDP steps over them, but does and counts what they would have done.
 */

#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <net/ip.h>
#include <net/neighbour.h>
#include <net/rtnetlink.h>

#include "xfrm_xdp_internal.h"

/**
 * xfrm_xdp_is_tunnel() - does XFRM transform what is sent to this device?
 * @dev: device
 *
 * Return: true for an xfrm interface and for VTI.
 */
bool xfrm_xdp_is_tunnel(const struct net_device *dev)
{
	return dev->rtnl_link_ops &&
	       (!strcmp(dev->rtnl_link_ops->kind, "xfrm") ||
		xfrm_xdp_is_vti(dev));
}

/**
 * xfrm_xdp_is_vti() - is a device one of VTI for IPv4?
 * @dev: device
 *
 * Return: true if so, and its private part is a struct ip_tunnel.
 */
bool xfrm_xdp_is_vti(const struct net_device *dev)
{
	return dev->rtnl_link_ops && !strcmp(dev->rtnl_link_ops->kind, "vti");
}

#if IS_ENABLED(CONFIG_VLAN_8021Q)

/**
 * xfrm_xdp_real_dev() - the device that sends what is sent to another
 * @dev: device at the end of a route
 *
 * Return: the device below a VLAN device, or @dev itself.
 */
struct net_device *xfrm_xdp_real_dev(struct net_device *dev)
{
	return is_vlan_dev(dev) ? vlan_dev_priv(dev)->real_dev : dev;
}

/**
 * xfrm_xdp_vlan_ok() - can XDP step over this device?
 * @dev: VLAN device
 *
 * Return: true for one of IEEE 802.1Q, which keeps the tag to itself, and whose
 * tag is not only a priority.
 */
bool xfrm_xdp_vlan_ok(const struct net_device *dev)
{
	return is_vlan_dev(dev) && vlan_dev_priv(dev)->vlan_id &&
	       vlan_dev_priv(dev)->vlan_proto == htons(ETH_P_8021Q) &&
	       vlan_dev_priv(dev)->flags & VLAN_FLAG_REORDER_HDR;
}

/**
 * xfrm_xdp_vlan_is() - is this tag one of this device?
 * @dev: device
 * @tci: tag control information
 *
 * Return: true for a VLAN device with this VLAN id.
 */
bool xfrm_xdp_vlan_is(const struct net_device *dev, __be16 tci)
{
	return is_vlan_dev(dev) &&
	       vlan_dev_priv(dev)->vlan_id == (ntohs(tci) & VLAN_VID_MASK);
}

/**
 * xfrm_xdp_vlan_in() - the VLAN device that gets a frame, as vlan_do_receive()
 * @in: device that received it
 * @tci: its tag
 *
 * Under RCU.
 *
 * Return: the device, or NULL if there is none, or it is down.
 */
const struct net_device *xfrm_xdp_vlan_in(struct net_device *in, __be16 tci)
{
	const struct net_device *dev;

	/* with BH off there is RCU already, but lockdep is not told */
	rcu_read_lock();
	dev = __vlan_find_dev_deep_rcu(in, htons(ETH_P_8021Q),
				       ntohs(tci) & VLAN_VID_MASK);
	rcu_read_unlock();
	return dev && dev->flags & IFF_UP ? dev : NULL;
}

/**
 * xfrm_xdp_vlan_tci() - the tag that a device gives to a packet by default
 * @dev: VLAN device
 * @tos: TOS octet of the packet, which ip_forward() makes a priority of
 *
 * Return: tag control information.
 */
__be16 xfrm_xdp_vlan_tci(struct net_device *dev, u8 tos)
{
	return htons(vlan_dev_priv(dev)->vlan_id |
		     vlan_dev_get_egress_qos_mask(dev, rt_tos2priority(tos)));
}

static void xfrm_xdp_vlan_count_in(const struct net_device *dev, u32 len)
{
	struct vlan_pcpu_stats *stats;

	stats = this_cpu_ptr(vlan_dev_priv(dev)->vlan_pcpu_stats);
	u64_stats_update_begin(&stats->syncp);
	u64_stats_inc(&stats->rx_packets);
	u64_stats_add(&stats->rx_bytes, len);
	u64_stats_update_end(&stats->syncp);
}

static void xfrm_xdp_vlan_count_out(const struct net_device *dev, u32 len)
{
	struct vlan_pcpu_stats *stats;

	stats = this_cpu_ptr(vlan_dev_priv(dev)->vlan_pcpu_stats);
	u64_stats_update_begin(&stats->syncp);
	u64_stats_inc(&stats->tx_packets);
	u64_stats_add(&stats->tx_bytes, len);
	u64_stats_update_end(&stats->syncp);
}

#else /* !CONFIG_VLAN_8021Q */

struct net_device *xfrm_xdp_real_dev(struct net_device *dev)
{
	return dev;
}

bool xfrm_xdp_vlan_ok(const struct net_device *dev)
{
	return false;
}

bool xfrm_xdp_vlan_is(const struct net_device *dev, __be16 tci)
{
	return false;
}

const struct net_device *xfrm_xdp_vlan_in(struct net_device *in, __be16 tci)
{
	return NULL;
}

__be16 xfrm_xdp_vlan_tci(struct net_device *dev, u8 tos)
{
	return 0;
}

static void xfrm_xdp_vlan_count_in(const struct net_device *dev, u32 len)
{
}

static void xfrm_xdp_vlan_count_out(const struct net_device *dev, u32 len)
{
}

#endif /* CONFIG_VLAN_8021Q */

/**
 * xfrm_xdp_check_vlan() - is a frame of the flow's VLAN?
 * @xdp: frame, with a tag
 * @flow: flow over a VLAN
 *
 * And does the same device receive it? Under RCU.
 *
 * Return: 0, or XFRM_XDP_PASS*.
 */
enum xfrm_xdp_stat
xfrm_xdp_check_vlan(const struct xdp_buff *xdp,
		    const struct xfrm_xdp_flow *flow)
{
	const struct vlan_ethhdr *veth = xdp->data;
	const struct net_device *dev;

	if ((void *)(veth + 1) > xdp->data_end ||
	    veth->h_vlan_encapsulated_proto != htons(ETH_P_IP))
		return XFRM_XDP_PASSHEADER;

	if (veth->h_vlan_TCI != flow->tuple.vlan_tci)
		return XFRM_XDP_PASSSELECTOR;

	dev = xfrm_xdp_vlan_in(xdp->rxq->dev, veth->h_vlan_TCI);
	if (!dev || dev->ifindex != flow->in_ifindex)
		return XFRM_XDP_PASSDEVICE;

	return 0;
}

/**
 * xfrm_xdp_vlan_header() - write the link layer header of a flow over a VLAN
 * @flow: flow whose rewrite has a tag
 * @network: where the network header begins
 *
 * VLAN devices have no header cache: as vlan_dev_hard_header() and the device
 * below do it.
 */
void xfrm_xdp_vlan_header(const struct xfrm_xdp_flow *flow, void *network)
{
	const struct net_device *dev = flow->neigh->dev;
	struct vlan_ethhdr *veth = network - VLAN_ETH_HLEN;

	neigh_ha_snapshot(veth->h_dest, flow->neigh, dev);
	ether_addr_copy(veth->h_source, dev->dev_addr);
	veth->h_vlan_proto = htons(ETH_P_8021Q);
	veth->h_vlan_TCI = flow->rewrite.vlan_tci;
	veth->h_vlan_encapsulated_proto = htons(ETH_P_IP);
}

/**
 * xfrm_xdp_upper_count_in() - count a packet where the stack would on its way in
 * @flow: flow
 * @in: device that received the frame
 * @len: length of its payload, with padding
 *
 * The VLAN device, or VTI as vti_rcv_cb() does. Under RCU, BH off.
 */
void xfrm_xdp_upper_count_in(const struct xfrm_xdp_flow *flow,
			     struct net_device *in, u32 len)
{
	const struct net_device *dev;

	if (flow->vti)
		dev_sw_netstats_rx_add(flow->vti, len);
	if (!flow->tuple.vlan_tci)
		return;
	dev = xfrm_xdp_vlan_in(in, flow->tuple.vlan_tci);
	if (dev)
		xfrm_xdp_vlan_count_in(dev, len);
}

/**
 * xfrm_xdp_upper_count_out() - the same on its way out
 * @flow: flow
 * @len: length of the inner packet
 * @out_len: length of the outer packet
 *
 * A tunnel device counts in xfrmi_xmit2() and vti_xmit(), and the inner packet
 * is sent to it by ip_finish_output2(). Under RCU, BH off.
 */
void xfrm_xdp_upper_count_out(const struct xfrm_xdp_flow *flow, u32 len,
			      u32 out_len)
{
	if (flow->tunnel) {
		__IP_UPD_PO_STATS(flow->xnet->net, IPSTATS_MIB_OUT, len);
		dev_sw_netstats_tx_add(flow->tunnel, 1, len);
	}
	if (flow->rewrite.vlan_tci)
		xfrm_xdp_vlan_count_out(flow->neigh->dev, ETH_HLEN + out_len);
}
