// SPDX-License-Identifier: GPL-2.0
/* A pair of devices with a slow link between them, one way: what slow0 sends, slow1
 * receives. As a NIC does, slow0 has a ring of descriptors that the link empties, stops
 * its queue when the stack has filled it, and cannot take more from XDP.
 */
#include <linux/etherdevice.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <net/xdp.h>

#define RING		64

static unsigned int gap = 20;
module_param(gap, uint, 0644);
MODULE_PARM_DESC(gap, "Microseconds that the link takes for a frame");

static unsigned long xdp_full;
module_param(xdp_full, ulong, 0444);
MODULE_PARM_DESC(xdp_full, "Frames of XDP that the ring had no room for");

/**
 * struct slow_ring - descriptors, under the lock of the transmit queue
 * @frame: what is to be sent
 * @xdp: it is a struct xdp_frame
 * @head: next to be filled
 * @tail: next to be sent
 * @busy: the link has a frame
 */
struct slow_ring {
	void		*frame[RING];
	bool		xdp[RING];
	unsigned int	head;
	unsigned int	tail;
	bool		busy;
};

static struct net_device *slow[2];
static struct slow_ring ring;
static struct hrtimer timer;

static unsigned int slow_room(void)
{
	return RING - (ring.head - ring.tail);
}

static void slow_put(void *frame, bool xdp)
{
	unsigned int slot = ring.head++ % RING;

	ring.frame[slot] = frame;
	ring.xdp[slot] = xdp;
	if (!ring.busy)
		hrtimer_start(&timer, ns_to_ktime(gap * NSEC_PER_USEC), HRTIMER_MODE_REL_SOFT);
	ring.busy = true;
}

static void slow_deliver(void *frame, bool xdp)
{
	struct sk_buff *skb = frame;

	if (!xdp) {
		dev_forward_skb(slow[1], skb);
		return;
	}

	skb = xdp_build_skb_from_frame(frame, slow[1]);
	if (skb)
		netif_rx(skb);
	else
		xdp_return_frame(frame);
}

static enum hrtimer_restart slow_link(struct hrtimer *unused)
{
	struct netdev_queue *txq = netdev_get_tx_queue(slow[0], 0);
	void *frame = NULL;
	bool busy, xdp;

	__netif_tx_lock(txq, smp_processor_id());
	if (ring.tail != ring.head) {
		frame = ring.frame[ring.tail % RING];
		xdp = ring.xdp[ring.tail % RING];
		ring.tail++;
	}
	busy = ring.tail != ring.head;
	ring.busy = busy;
	if (netif_tx_queue_stopped(txq) && slow_room() >= RING / 2)
		netif_tx_wake_queue(txq);
	__netif_tx_unlock(txq);

	if (frame)
		slow_deliver(frame, xdp);
	if (!busy)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(&timer, ns_to_ktime(gap * NSEC_PER_USEC));
	return HRTIMER_RESTART;
}

static netdev_tx_t slow_xmit(struct sk_buff *skb, struct net_device *dev)
{
	if (dev == slow[1]) {
		dev_kfree_skb(skb);
		return NETDEV_TX_OK;
	}

	/* XDP may have filled it */
	if (!slow_room()) {
		netif_stop_queue(dev);
		return NETDEV_TX_BUSY;
	}

	skb_orphan(skb);
	slow_put(skb, false);
	if (!slow_room())
		netif_stop_queue(dev);
	return NETDEV_TX_OK;
}

static int slow_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames, u32 flags)
{
	struct netdev_queue *txq = netdev_get_tx_queue(dev, 0);
	int sent;

	__netif_tx_lock(txq, smp_processor_id());
	for (sent = 0; sent < n && slow_room(); sent++)
		slow_put(frames[sent], true);
	xdp_full += n - sent;
	__netif_tx_unlock(txq);
	return sent;
}

static const struct net_device_ops slow_netdev_ops = {
	.ndo_start_xmit		= slow_xmit,
	.ndo_xdp_xmit		= slow_xdp_xmit,
	.ndo_set_mac_address	= eth_mac_addr,
};

static void slow_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &slow_netdev_ops;
	dev->needs_free_netdev = true;
	dev->xdp_features = NETDEV_XDP_ACT_NDO_XMIT;
	eth_hw_addr_random(dev);
}

static int __init slow_init(void)
{
	int i, err;

	hrtimer_init(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	timer.function = slow_link;
	for (i = 0; i < 2; i++) {
		slow[i] = alloc_netdev(0, "slow%d", NET_NAME_ENUM, slow_setup);
		err = slow[i] ? register_netdev(slow[i]) : -ENOMEM;
		if (err)
			goto undo;
	}
	return 0;

undo:
	if (slow[i])
		free_netdev(slow[i]);
	if (i)
		unregister_netdev(slow[0]);
	return err;
}

module_init(slow_init);
MODULE_DESCRIPTION("A slow link");
MODULE_LICENSE("GPL");
