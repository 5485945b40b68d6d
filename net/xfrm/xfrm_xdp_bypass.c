// SPDX-License-Identifier: GPL-2.0-only
/* What a packet would meet in the stack and does not meet in XDP.
 *
 * A verdict of the stack is taken once per flow. Whatever may judge, change or
 * delay two packets of one flow differently keeps the flow out of XDP. Devices,
 * queues and tc are asked here when a flow is made, netfilter is watched
 * (xfrm_xdp_filter.c); whoever changes one of these things calls
 * xfrm_xdp_invalidate().
 */

#include <linux/if_arp.h>
#include <linux/netdevice.h>
#include <net/netdev_rx_queue.h>
#include <net/sch_generic.h>

#include "xfrm_xdp_internal.h"

/* Does another CPU get the packets, behind those that wait there? */
static bool xfrm_xdp_steered(const struct net_device *dev)
{
#ifdef CONFIG_RPS
	const struct netdev_rx_queue *rxq;

	for (rxq = dev->_rx; rxq < dev->_rx + dev->num_rx_queues; rxq++) {
		if (rcu_access_pointer(rxq->rps_map) ||
		    rcu_access_pointer(rxq->rps_flow_table))
			return true;
	}
#endif
	return false;
}

/* Does XDP on @dev see the frame that came in, and nobody before the stack? */
static bool xfrm_xdp_rx_ok(const struct net_device *dev)
{
	if (dev->type != ARPHRD_ETHER)
		return false;

	/* Generic XDP comes behind RPS, and marks a buffer without its VLAN tag. */
	if (rcu_access_pointer(dev->xdp_prog))
		return true;

	/* With the tag stripped, two VLANs look the same to XDP. */
	if (dev->features & (NETIF_F_HW_VLAN_CTAG_RX | NETIF_F_HW_VLAN_STAG_RX) &&
	    !dev->xdp_marks_vlan)
		return false;

	return dev->xdp_features & NETDEV_XDP_ACT_REDIRECT &&
	       !xfrm_xdp_steered(dev);
}

/* Bridge, bond, macvlan ... and VRF decide for themselves. */
static bool xfrm_xdp_in_ok(const struct net_device *dev)
{
	return !rcu_access_pointer(dev->rx_handler) && !netif_is_l3_slave(dev);
}

/* A VLAN device, or the xfrm interface or VTI that got what was decrypted. */
static bool xfrm_xdp_upper_ok(const struct net_device *upper,
			      const struct xfrm_xdp_origin *origin)
{
	return origin->sa ? xfrm_xdp_is_tunnel(upper) : xfrm_xdp_vlan_ok(upper);
}

/* A tap may have filters, which look at skbs only. */
static bool xfrm_xdp_is_tap(const struct net_device *dev)
{
	return dev->rtnl_link_ops && !strcmp(dev->rtnl_link_ops->kind, "tun");
}

/* Is a frame that XDP sends on @dev what the stack would have put there? A bond
 * or bridge would choose once more: nothing may be below it.
 */
static bool xfrm_xdp_tx_ok(const struct net_device *dev,
			   const struct net_device *in)
{
	if (dev->type != ARPHRD_ETHER || dev->hard_header_len != ETH_HLEN ||
	    !list_empty(&dev->adj_list.lower))
		return false;

	/* The skb of generic XDP has no route, at which tunnels look. */
	if (rcu_access_pointer(in->xdp_prog))
		return dev->priv_flags & IFF_XMIT_DST_RELEASE;

	return xfrm_xdp_can_send(dev, in) && !xfrm_xdp_is_tap(dev);
}

static bool xfrm_xdp_no_ingress(const struct net_device *dev)
{
#ifdef CONFIG_NETFILTER_INGRESS
	if (rcu_access_pointer(dev->nf_hooks_ingress))
		return false;
#endif
#ifdef CONFIG_NET_XGRESS
	if (rcu_access_pointer(dev->tcx_ingress))
		return false;
#endif
	return true;
}

static bool xfrm_xdp_no_egress(const struct net_device *dev)
{
#ifdef CONFIG_NETFILTER_EGRESS
	if (rcu_access_pointer(dev->nf_hooks_egress))
		return false;
#endif
#ifdef CONFIG_NET_XGRESS
	if (rcu_access_pointer(dev->tcx_egress))
		return false;
#endif
	return true;
}

/* fq_codel may have filters, and their actions, on its packets. */
static bool xfrm_xdp_qdisc_filters(struct Qdisc *qdisc)
{
	const struct Qdisc_class_ops *cl_ops = qdisc->ops->cl_ops;
	const struct tcf_block *block;

	if (!cl_ops || !cl_ops->tcf_block)
		return false;

	block = cl_ops->tcf_block(qdisc, 0, NULL);
	return block && !list_empty(&block->chain_list);
}

/* A work-conserving queue only costs time; all others shape. */
static bool xfrm_xdp_qdisc_ok(struct Qdisc *qdisc)
{
	static const char * const conserving[] = {
		"noqueue", "pfifo_fast", "mq", "fq", "fq_codel",
	};

	return qdisc && !(qdisc->flags & TCQ_F_SHAPES) &&
	       !xfrm_xdp_qdisc_filters(qdisc) &&
	       match_string(conserving, ARRAY_SIZE(conserving),
			    qdisc->ops->id) >= 0;
}

static bool xfrm_xdp_queues_ok(const struct net_device *dev)
{
	unsigned int i;

	if (!xfrm_xdp_qdisc_ok(rcu_dereference(dev->qdisc)))
		return false;

	for (i = 0; i < dev->real_num_tx_queues; i++) {
		const struct netdev_queue *txq = netdev_get_tx_queue(dev, i);

		if (!xfrm_xdp_qdisc_ok(rcu_dereference(txq->qdisc)) ||
		    READ_ONCE(txq->tx_maxrate))
			return false;
	}

	return true;
}

/**
 * xfrm_xdp_device_check() - can packets go from one device to the other by XDP?
 * @net: netns
 * @origin: the first packet: devices that it came in on
 * @dev: device of its route
 *
 * Under RCU.
 *
 * Return: 0, or XFRM_XDP_NODEVICE.
 */
enum xfrm_xdp_stat xfrm_xdp_device_check(const struct net *net,
					 const struct xfrm_xdp_origin *origin,
					 struct net_device *dev)
{
	const struct net_device *real = xfrm_xdp_real_dev(dev);
	const struct net_device *in, *upper;

	in = dev_get_by_index_rcu((struct net *)net, origin->iif);
	if (!in || !xfrm_xdp_rx_ok(in) || !xfrm_xdp_in_ok(in))
		return XFRM_XDP_NODEVICE;

	upper = dev_get_by_index_rcu((struct net *)net, origin->in_ifindex);
	if (!upper || (upper != in && (!xfrm_xdp_upper_ok(upper, origin) ||
				       !xfrm_xdp_in_ok(upper) ||
				       rcu_access_pointer(upper->xdp_prog))))
		return XFRM_XDP_NODEVICE;

	if (!xfrm_xdp_tx_ok(real, in) || !net_eq(dev_net(real), net) ||
	    (dev != real && !xfrm_xdp_vlan_ok(dev)) || netif_is_l3_slave(dev))
		return XFRM_XDP_NODEVICE;

	return 0;
}

static bool xfrm_xdp_egress_ok(const struct net_device *dev)
{
	return dev && xfrm_xdp_no_egress(dev) && xfrm_xdp_queues_ok(dev);
}

/**
 * xfrm_xdp_tc_check() - is there no tc between two devices that XDP would skip?
 * @net: netns
 * @origin: the first packet: devices that it came in on, and its tunnel device
 * @dev: device of its route
 *
 * An offer must not go on to another netns, which does not wait for its own to go.
 * Under RCU.
 *
 * Return: 0, XFRM_XDP_NOTC, or XFRM_XDP_NODEVICE if @dev is in another netns.
 */
enum xfrm_xdp_stat xfrm_xdp_tc_check(const struct net *net,
				     const struct xfrm_xdp_origin *origin,
				     struct net_device *dev)
{
	const struct net_device *in, *upper, *tunnel, *real;

	in = dev_get_by_index_rcu((struct net *)net, origin->iif);
	upper = dev_get_by_index_rcu((struct net *)net, origin->in_ifindex);
	if (!in || !xfrm_xdp_no_ingress(in) ||
	    !upper || !xfrm_xdp_no_ingress(upper))
		return XFRM_XDP_NOTC;

	real = xfrm_xdp_real_dev(dev);
	if (!net_eq(dev_net(dev), net) || !net_eq(dev_net(real), net))
		return XFRM_XDP_NODEVICE;
	if (!xfrm_xdp_egress_ok(dev) ||
	    (real != dev && !xfrm_xdp_egress_ok(real)))
		return XFRM_XDP_NOTC;

	if (!origin->tunnel_ifindex)
		return 0;

	tunnel = dev_get_by_index_rcu((struct net *)net,
				      origin->tunnel_ifindex);
	return xfrm_xdp_egress_ok(tunnel) ? 0 : XFRM_XDP_NOTC;
}

/**
 * xfrm_xdp_input_check() - may ESP packets to the gateway be decrypted by XDP?
 * @net: netns
 * @origin: the first packet: devices that it came in on, and the xfrm interface or
 *	VTI that got what was inside
 *
 * Under RCU.
 *
 * Return: 0, or the reason why not: XFRM_XDP_NODEVICE, XFRM_XDP_NOTC.
 */
enum xfrm_xdp_stat xfrm_xdp_input_check(const struct net *net,
					const struct xfrm_xdp_origin *origin)
{
	const struct net_device *in, *tunnel;

	in = dev_get_by_index_rcu((struct net *)net, origin->iif);
	if (!in || !xfrm_xdp_rx_ok(in) || !xfrm_xdp_in_ok(in))
		return XFRM_XDP_NODEVICE;

	/* XDP at the interface would see what is forwarded here. */
	tunnel = dev_get_by_index_rcu((struct net *)net,
				      origin->tunnel_ifindex);
	if (tunnel && rcu_access_pointer(tunnel->xdp_prog))
		return XFRM_XDP_NODEVICE;

	return xfrm_xdp_no_ingress(in) ? 0 : XFRM_XDP_NOTC;
}

/**
 * xfrm_xdp_bypass_check() - may packets go from one device to the other by XDP?
 * @net: netns
 * @origin: the first packet: devices that it came in on, and its tunnel device
 * @dev: device of its route
 *
 * Under RCU.
 *
 * Return: 0, or the reason why not: XFRM_XDP_NODEVICE, XFRM_XDP_NOTC.
 */
enum xfrm_xdp_stat xfrm_xdp_bypass_check(const struct net *net,
					 const struct xfrm_xdp_origin *origin,
					 struct net_device *dev)
{
	enum xfrm_xdp_stat why;

	why = xfrm_xdp_device_check(net, origin, dev);
	if (why)
		return why;

	return xfrm_xdp_tc_check(net, origin, dev);
}
