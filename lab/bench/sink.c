// SPDX-License-Identifier: GPL-2.0
/* The benchmark's egress: frees what it is given, from the stack and from XDP alike. */
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <net/xdp.h>

static struct net_device *sink;

/* So that a packet of the stack does not pass for one of XDP. One CPU, so no lock. */
static unsigned long xdp_frames;
module_param(xdp_frames, ulong, 0444);
MODULE_PARM_DESC(xdp_frames, "Frames taken from XDP so far");

static netdev_tx_t sink_xmit(struct sk_buff *skb, struct net_device *dev)
{
	dev_lstats_add(dev, skb->len);
	dev_kfree_skb(skb);
	return NETDEV_TX_OK;
}

static int sink_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames, u32 flags)
{
	int i;

	for (i = 0; i < n; i++) {
		dev_lstats_add(dev, frames[i]->len);
		xdp_return_frame_rx_napi(frames[i]);
	}
	xdp_frames += n;
	return n;
}

static void sink_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	dev_lstats_read(dev, &stats->tx_packets, &stats->tx_bytes);
}

static int sink_init(struct net_device *dev)
{
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_LSTATS;
	return 0;
}

static const struct net_device_ops sink_netdev_ops = {
	.ndo_init		= sink_init,
	.ndo_start_xmit		= sink_xmit,
	.ndo_xdp_xmit		= sink_xdp_xmit,
	.ndo_get_stats64	= sink_get_stats64,
	.ndo_set_mac_address	= eth_mac_addr,
};

static void sink_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &sink_netdev_ops;
	dev->needs_free_netdev = true;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->lltx = true;
	dev->features |= NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_GSO_SOFTWARE | NETIF_F_HW_CSUM |
			 NETIF_F_HIGHDMA;
	dev->xdp_features = NETDEV_XDP_ACT_NDO_XMIT;
	eth_hw_addr_random(dev);
}

static int __init sink_module_init(void)
{
	int err;

	sink = alloc_netdev(0, "sink%d", NET_NAME_ENUM, sink_setup);
	if (!sink)
		return -ENOMEM;
	err = register_netdev(sink);
	if (err)
		free_netdev(sink);
	return err;
}

static void __exit sink_module_exit(void)
{
	unregister_netdev(sink);
}

module_init(sink_module_init);
module_exit(sink_module_exit);
MODULE_DESCRIPTION("Benchmark egress: frees every frame");
MODULE_LICENSE("GPL");
