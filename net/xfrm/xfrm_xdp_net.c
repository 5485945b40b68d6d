// SPDX-License-Identifier: GPL-2.0-only
/* XFRM for XDP in a netns: its life, and the changes that end its verdicts. */

#include <linux/netdevice.h>
#include <linux/random.h>
#include <net/neighbour.h>
#include <net/netevent.h>
#include <net/netns/generic.h>
#include <net/rtnetlink.h>

#include "xfrm_xdp_internal.h"

static unsigned int xfrm_xdp_net_id __read_mostly;

DEFINE_STATIC_KEY_FALSE(xfrm_xdp_learning);
EXPORT_SYMBOL_GPL(xfrm_xdp_learning);

DEFINE_STATIC_KEY_FALSE(xfrm_xdp_recording);
EXPORT_SYMBOL_GPL(xfrm_xdp_recording);

struct xfrm_xdp_net *xfrm_xdp_pernet(const struct net *net)
{
	return net_generic(net, xfrm_xdp_net_id);
}

/* @bits: rules that changed, or 0 if it was something else. */
static void xfrm_xdp_change(struct net *net, u64 bits)
{
	struct xfrm_xdp_net *xnet;
	unsigned long flags;
	u32 genid;
	int i;

	/* Netfilter and tc may change before we are there. */
	if (unlikely(!xfrm_xdp_net_id))
		return;
	xnet = xfrm_xdp_pernet(net);
	if (!xnet)
		return;

	spin_lock_irqsave(&xnet->lock, flags);
	genid = atomic_read(&xnet->genid) + 1;
	if (!bits)
		WRITE_ONCE(xnet->changed, genid);
	for (i = 0; bits; i++, bits >>= 1) {
		if (bits & 1)
			WRITE_ONCE(xnet->rules_changed[i], genid);
	}
	/* Who sees the generation has to see what changed in it. A packet learned
	 * in this very moment compares with the old value.
	 */
	atomic_inc_return(&xnet->genid);
	spin_unlock_irqrestore(&xnet->lock, flags);
}

/**
 * xfrm_xdp_invalidate() - something changed that may change a verdict
 * @net: netns in which it changed
 *
 * Every flow of the netns passes from now on, and is learned anew. To be
 * called after the change is visible to packets. Any context.
 */
void xfrm_xdp_invalidate(struct net *net)
{
	xfrm_xdp_change(net, 0);
}
EXPORT_SYMBOL_GPL(xfrm_xdp_invalidate);

/**
 * xfrm_xdp_rules_changed() - rules changed
 * @net: netns in which they did
 * @bits: xfrm_xdp_rules_bit() of the chains and sets
 *
 * The same for the flows that one of these has judged: whoever commits rules each
 * second, but others, shall not make all flows slow. Any context.
 */
void xfrm_xdp_rules_changed(struct net *net, u64 bits)
{
	if (bits)
		xfrm_xdp_change(net, bits);
}
EXPORT_SYMBOL_GPL(xfrm_xdp_rules_changed);

/* Whoever is routed by the same routes may be routed so. */
void __xfrm_xdp_by_turns(struct net *net)
{
	struct xfrm_xdp_net *xnet = xfrm_xdp_pernet(net);
	int now = rt_genid_ipv4(net), before = atomic_read(&xnet->turns);

	/* Another CPU may have read an older one. */
	while (now - before > 0 &&
	       !atomic_try_cmpxchg(&xnet->turns, &before, now))
		;
}

/**
 * xfrm_xdp_per_cpu() - there is a state for the packets of one CPU
 * @net: netns
 *
 * Which state encrypts a packet, and whether one is asked for, depends on the CPU
 * from now on: no flow of the netns is encrypted by XDP. Any context.
 */
void xfrm_xdp_per_cpu(struct net *net)
{
	WRITE_ONCE(xfrm_xdp_pernet(net)->per_cpu, true);
	xfrm_xdp_invalidate(net);
}

/**
 * xfrm_xdp_reauthorise() - was it something else that changed?
 * @flow: flow that was authorised in another generation than this, or that
 *	xfrm_xdp_gc() has found unused
 *
 * Under RCU, BH off.
 *
 * Return: true if the verdict on the flow is what it was; it is of this generation
 * now.
 */
bool xfrm_xdp_reauthorise(struct xfrm_xdp_flow *flow)
{
	const struct xfrm_xdp_net *xnet = flow->xnet;
	u32 now = atomic_read_acquire(&xnet->genid);
	u32 genid = READ_ONCE(flow->verdict);
	u64 asked = flow->asked;
	int i;

	if ((s32)(READ_ONCE(xnet->changed) - genid) > 0)
		return false;

	for (i = 0; asked; i++, asked >>= 1) {
		if (asked & 1 &&
		    (s32)(READ_ONCE(xnet->rules_changed[i]) - genid) > 0)
			return false;
	}

	WRITE_ONCE(flow->verdict, now);
	WRITE_ONCE(flow->genid, now);
	return true;
}

/* A tunnel device, or one that is above or below another. */
static bool xfrm_xdp_dev_stacked(const struct net_device *dev)
{
	return xfrm_xdp_is_tunnel(dev) || !list_empty(&dev->adj_list.upper) ||
	       !list_empty(&dev->adj_list.lower);
}

/* A tunnel device may take, or stop to take, what another netns decrypts. */
static void xfrm_xdp_tunnel_event(const struct net_device *dev)
{
	struct net *net = dev->rtnl_link_ops->get_link_net(dev);

	if (!net_eq(net, dev_net(dev)))
		xfrm_xdp_invalidate(net);
}

static int xfrm_xdp_netdev_event(struct notifier_block *nb, unsigned long event,
				 void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct xfrm_xdp_net *xnet = xfrm_xdp_pernet(dev_net(dev));

	if (xfrm_xdp_is_tunnel(dev))
		xfrm_xdp_tunnel_event(dev);

	switch (event) {
	case NETDEV_UNREGISTER:
		xfrm_xdp_flows_leave(xnet, dev);
		/* Flows over VLAN and tunnel devices know more than one. */
		if (xfrm_xdp_dev_stacked(dev))
			xfrm_xdp_invalidate(dev_net(dev));
		break;
	case NETDEV_DOWN:
		/* The state's packets are those of the device below it now. */
		if (xfrm_xdp_is_tunnel(dev))
			xfrm_xdp_invalidate(dev_net(dev));
		break;
	case NETDEV_UP:
	case NETDEV_CHANGE:
	case NETDEV_CHANGEADDR:
	case NETDEV_CHANGENAME:
	case NETDEV_CHANGEUPPER:
	case NETDEV_FEAT_CHANGE:
	case NETDEV_XDP_FEAT_CHANGE:
		xfrm_xdp_invalidate(dev_net(dev));
		break;
	}

	return NOTIFY_DONE;
}

static struct notifier_block xfrm_xdp_netdev_notifier = {
	.notifier_call = xfrm_xdp_netdev_event,
};

/* Does the choice among next hops depend on the state of neighbours? Where
 * fib_select_path() and nexthop_select_path() may look at it.
 */
static bool xfrm_xdp_neigh_chooses(struct net *net)
{
#ifdef CONFIG_IP_ROUTE_MULTIPATH
	if (READ_ONCE(net->ipv4.sysctl_fib_multipath_use_neigh))
		return true;
#endif

	return !RB_EMPTY_ROOT(&net->nexthop.rb_root);
}

static void xfrm_xdp_neigh_event(const struct neighbour *neigh)
{
	struct net *net = dev_net(neigh->dev);

	if (xfrm_xdp_is_learning() && xfrm_xdp_neigh_chooses(net))
		xfrm_xdp_invalidate(net);
}

/* Packets of a VLAN may have another priority now, others another next hop. */
static int xfrm_xdp_netevent(struct notifier_block *nb, unsigned long event,
			     void *ptr)
{
	switch (event) {
	case NETEVENT_IPV4_FWD_UPDATE_PRIORITY_UPDATE:
	case NETEVENT_IPV4_MPATH_HASH_UPDATE:
		xfrm_xdp_invalidate(ptr);
		break;
	case NETEVENT_NEIGH_UPDATE:
		xfrm_xdp_neigh_event(ptr);
		break;
	}

	return NOTIFY_DONE;
}

static struct notifier_block xfrm_xdp_netevent_notifier = {
	.notifier_call = xfrm_xdp_netevent,
};

static int __net_init xfrm_xdp_net_init(struct net *net)
{
	struct xfrm_xdp_net *xnet = xfrm_xdp_pernet(net);
	int err;

	xnet->net = net;
	atomic_set(&xnet->turns, rt_genid_ipv4(net) - 1);
	xnet->raw_esp = &raw_v4_hashinfo.ht[raw_hashfunc(net, IPPROTO_ESP)];
	spin_lock_init(&xnet->lock);
	xnet->mib = __alloc_percpu(sizeof(unsigned long) * XFRM_XDP_STAT_MAX,
				   sizeof(unsigned long));
	if (!xnet->mib)
		return -ENOMEM;

	get_random_bytes(&xnet->secret, sizeof(xnet->secret));
	xfrm_xdp_gc_init(xnet);

	err = xfrm_xdp_proc_init(net);
	if (err)
		goto free;
	err = xfrm_xdp_sysctl_init(xnet);
	if (err)
		goto proc;
	return 0;

proc:
	xfrm_xdp_proc_fini(net);
free:
	free_percpu(xnet->mib);
	return err;
}

static void __net_exit xfrm_xdp_net_pre_exit(struct net *net)
{
	WRITE_ONCE(xfrm_xdp_pernet(net)->dead, true);
}

static void __net_exit xfrm_xdp_net_exit_batch(struct list_head *exit_list)
{
	struct xfrm_xdp_net *xnet;
	struct net *net;

	list_for_each_entry(net, exit_list, exit_list)
		xfrm_xdp_flows_empty(xfrm_xdp_pernet(net));

	/* Programs of other netns may still be looking at these flows, and
	 * flows being freed in this moment may be about to take a lock.
	 */
	synchronize_rcu();
	rcu_barrier();

	list_for_each_entry(net, exit_list, exit_list) {
		xnet = xfrm_xdp_pernet(net);
		xfrm_xdp_sysctl_fini(xnet);
		xfrm_xdp_proc_fini(net);
		xfrm_xdp_rules_fini(xnet);
		xfrm_xdp_hold_fini(xnet);
		free_percpu(xnet->mib);
	}
}

static struct pernet_operations xfrm_xdp_net_ops = {
	.init		= xfrm_xdp_net_init,
	.pre_exit	= xfrm_xdp_net_pre_exit,
	.exit_batch	= xfrm_xdp_net_exit_batch,
	.id		= &xfrm_xdp_net_id,
	.size		= sizeof(struct xfrm_xdp_net),
};

static int __init xfrm_xdp_init(void)
{
	int err;

	err = register_pernet_subsys(&xfrm_xdp_net_ops);
	if (err)
		return err;

	err = register_netevent_notifier(&xfrm_xdp_netevent_notifier);
	return err ?: register_netdevice_notifier(&xfrm_xdp_netdev_notifier);
}
subsys_initcall(xfrm_xdp_init);
