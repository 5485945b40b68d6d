// SPDX-License-Identifier: GPL-2.0-only
/* Flows of XFRM for XDP: how they are emptied and freed.
 *
 * A flow lives in a BPF map, as long as its programs like. It must not keep a
 * device or a netns from going, so all flows are also on lists of the kernel's
 * own, by the device of their route: when the device or the netns goes, the
 * flows are emptied, and what stays in the map is a shell that passes every
 * packet.
 *
 * The same happens to flows that no packet takes any more. Until the map is full
 * they would keep connections in conntrack's count, where the stack refuses new
 * ones for their sake, next hops in their table, and states with their keys in
 * memory.
 */

#include <linux/netdevice.h>
#include <trace/events/xfrm_xdp.h>

#include "xfrm_xdp_internal.h"

#define XFRM_XDP_GC_TIME	(2 * HZ)
/* Flows that are looked at before others get the lock */
#define XFRM_XDP_GC_BATCH	128

static void xfrm_xdp_flow_disconnect(struct xfrm_xdp_flow *flow)
{
	nf_conntrack_flow_put(&flow->ct[0]);
	nf_conntrack_flow_put(&flow->ct[1]);
}

static void xfrm_xdp_flow_disconnect_rcu(struct rcu_head *rcu)
{
	struct xfrm_xdp_flow *flow;

	flow = container_of(rcu, struct xfrm_xdp_flow, ct_rcu);
	xfrm_xdp_flow_disconnect(flow);
	flow->ct[0].ct = NULL;
	flow->ct[1].ct = NULL;
	xfrm_xdp_flow_put(flow);
}

/* Take back all that the flow refers to. Readers may still be looking at it:
 * dst, neighbour, state and policies are freed by RCU. A connection could become
 * another one at once, so it is kept until they are done. Caller holds the
 * bucket's lock, and must not touch the flow any more: xfrm_xdp_flow_free_rcu() may be
 * done with it.
 */
static void xfrm_xdp_flow_empty(struct xfrm_xdp_flow *flow)
{
	struct dst_entry *dst = flow->dst;

	lockdep_assert_held(&flow->bucket->lock);
	list_del_init(&flow->node);
	flow->bucket->num--;
	WRITE_ONCE(flow->dst, NULL);
	dst_release(dst);
	if (flow->neigh)
		neigh_release(flow->neigh);
	if (flow->sa)
		xfrm_state_put(flow->sa);
	xfrm_pols_put(flow->fwd.pols, flow->fwd.num);
	xfrm_pols_put(flow->in.pols, flow->in.num);
	/* else xfrm_xdp_flow_free_rcu() is on its way */
	if ((flow->ct[0].ct || flow->ct[1].ct) &&
	    refcount_inc_not_zero(&flow->refcnt))
		call_rcu(&flow->ct_rcu, xfrm_xdp_flow_disconnect_rcu);
	/* last of all, for xfrm_xdp_flow_free_rcu() */
	smp_store_release(&flow->bucket, NULL);
}

static void xfrm_xdp_flow_free_rcu(struct rcu_head *rcu)
{
	struct xfrm_xdp_flow *flow;
	struct xfrm_xdp_bucket *bucket;

	flow = container_of(rcu, struct xfrm_xdp_flow, rcu);

	/* The netns waits for us in its exit, so while it has a bucket xnet is there. */
	bucket = smp_load_acquire(&flow->bucket);
	if (bucket) {
		spin_lock_bh(&bucket->lock);
		if (flow->bucket)
			xfrm_xdp_flow_empty(flow);
		spin_unlock_bh(&bucket->lock);
	}

	xfrm_xdp_flow_disconnect(flow);
	xfrm_xdp_flow_free(flow);
}

/**
 * xfrm_xdp_flow_put() - drop a reference to a flow
 * @flow: flow
 *
 * Any context: on 6.12 BPF maps call it under a raw spinlock with interrupts
 * off, so all real work is left to RCU.
 */
void xfrm_xdp_flow_put(struct xfrm_xdp_flow *flow)
{
	if (refcount_dec_and_test(&flow->refcnt))
		call_rcu(&flow->rcu, xfrm_xdp_flow_free_rcu);
}

/* Empty those flows of a bucket that @match is true for, or all. */
static void xfrm_xdp_bucket_empty(struct xfrm_xdp_net *xnet,
				  struct xfrm_xdp_bucket *bucket,
				  bool (*match)(const struct xfrm_xdp_flow *flow,
						const struct net_device *dev),
				  const struct net_device *dev)
{
	struct xfrm_xdp_flow *flow, *tmp;

	spin_lock_bh(&bucket->lock);
	list_for_each_entry_safe(flow, tmp, &bucket->flows, node) {
		if (match && !match(flow, dev))
			continue;
		trace_xfrm_xdp_flow_dead(flow);
		xfrm_xdp_flow_empty(flow);
		xfrm_xdp_count(xnet, XFRM_XDP_FLOWDEAD);
	}
	spin_unlock_bh(&bucket->lock);
}

static bool xfrm_xdp_flow_at_home(const struct xfrm_xdp_flow *flow,
				  const struct net_device *dev)
{
	return xfrm_xdp_flow_home(flow) == dev;
}

/**
 * xfrm_xdp_flows_leave() - empty the flows of a device that goes
 * @xnet: netns
 * @dev: device
 */
void xfrm_xdp_flows_leave(struct xfrm_xdp_net *xnet,
			  const struct net_device *dev)
{
	xfrm_xdp_bucket_empty(xnet, xfrm_xdp_bucket(xnet, dev),
			      xfrm_xdp_flow_at_home, dev);
}

/**
 * xfrm_xdp_flows_empty() - empty the flows of a netns that goes
 * @xnet: netns, in which no flow is made any more
 *
 * Process context.
 */
void xfrm_xdp_flows_empty(struct xfrm_xdp_net *xnet)
{
	int i;

	cancel_delayed_work_sync(&xnet->gc);
	for (i = 0; i < XFRM_XDP_FLOW_BUCKETS; i++)
		xfrm_xdp_bucket_empty(xnet, &xnet->bucket[i], NULL, NULL);
}

static bool xfrm_xdp_flow_connected(const struct xfrm_xdp_flow *flow,
				    const struct net_device *dev)
{
	return flow->ct[0].ct || flow->ct[1].ct;
}

/**
 * xfrm_xdp_disconnect() - empty the flows that hold a connection of conntrack
 * @net: netns, or conntrack in it, that goes and waits for its connections
 *
 * Process context.
 */
void xfrm_xdp_disconnect(struct net *net)
{
	struct xfrm_xdp_net *xnet = xfrm_xdp_pernet(net);
	int i;

	for (i = 0; i < XFRM_XDP_FLOW_BUCKETS; i++)
		xfrm_xdp_bucket_empty(xnet, &xnet->bucket[i],
				      xfrm_xdp_flow_connected, NULL);
}
EXPORT_SYMBOL_GPL(xfrm_xdp_disconnect);

/* Has no packet taken the flow since it was last asked? Then it says so, and the next
 * packet has to ask xfrm_xdp_reauthorise(), so that packets need not leave a time stamp:
 * @genid is one that no netns gets to meanwhile.
 */
static bool xfrm_xdp_flow_unused(struct xfrm_xdp_flow *flow)
{
	u32 unused = READ_ONCE(flow->verdict) + BIT(31);

	if (READ_ONCE(flow->genid) == unused)
		return true;
	WRITE_ONCE(flow->genid, unused);
	return false;
}

/* Is there no use any more in what a flow holds? */
static bool xfrm_xdp_flow_expired(struct xfrm_xdp_flow *flow)
{
	flow->idle = xfrm_xdp_flow_unused(flow) ? flow->idle + 1 : 0;
	return flow->idle >= XFRM_XDP_GC_IDLE ||
	       nf_conntrack_flow_ended(&flow->ct[0]) ||
	       nf_conntrack_flow_ended(&flow->ct[1]);
}

static void xfrm_xdp_bucket_gc(struct xfrm_xdp_net *xnet,
			       struct xfrm_xdp_bucket *bucket)
{
	unsigned int left = READ_ONCE(bucket->num), i;
	struct xfrm_xdp_flow *flow;

	while (left) {
		i = min(left, XFRM_XDP_GC_BATCH);
		left -= i;
		spin_lock_bh(&bucket->lock);
		for (; i && !list_empty(&bucket->flows); i--) {
			flow = list_first_entry(&bucket->flows,
						struct xfrm_xdp_flow, node);
			list_move_tail(&flow->node, &bucket->flows);
			if (!xfrm_xdp_flow_expired(flow))
				continue;
			trace_xfrm_xdp_flow_dead(flow);
			xfrm_xdp_flow_empty(flow);
			xfrm_xdp_count(xnet, XFRM_XDP_FLOWEXPIRED);
		}
		spin_unlock_bh(&bucket->lock);
		cond_resched();
	}
}

/**
 * xfrm_xdp_gc() - empty the flows that nothing takes any more
 * @xnet: netns
 *
 * Those whose connection has ended, and those that no packet took the last
 * %XFRM_XDP_GC_IDLE times. Process context.
 *
 * Return: true if there are still flows.
 */
bool xfrm_xdp_gc(struct xfrm_xdp_net *xnet)
{
	bool more = false;
	int i;

	for (i = 0; i < XFRM_XDP_FLOW_BUCKETS; i++) {
		xfrm_xdp_bucket_gc(xnet, &xnet->bucket[i]);
		more |= READ_ONCE(xnet->bucket[i].num);
	}

	return more;
}

/**
 * xfrm_xdp_gc_start() - flows are to be looked after
 * @xnet: netns that has got one
 *
 * Any context.
 */
void xfrm_xdp_gc_start(struct xfrm_xdp_net *xnet)
{
	if (!delayed_work_pending(&xnet->gc))
		queue_delayed_work(system_power_efficient_wq, &xnet->gc,
				   XFRM_XDP_GC_TIME);
}

static void xfrm_xdp_gc_work(struct work_struct *work)
{
	struct xfrm_xdp_net *xnet;

	xnet = container_of(to_delayed_work(work), struct xfrm_xdp_net, gc);
	if (xfrm_xdp_gc(xnet))
		xfrm_xdp_gc_start(xnet);
}

/**
 * xfrm_xdp_gc_init() - the lists of flows of a netns
 * @xnet: netns
 */
void xfrm_xdp_gc_init(struct xfrm_xdp_net *xnet)
{
	int i;

	for (i = 0; i < XFRM_XDP_FLOW_BUCKETS; i++) {
		spin_lock_init(&xnet->bucket[i].lock);
		INIT_LIST_HEAD(&xnet->bucket[i].flows);
	}
	INIT_DELAYED_WORK(&xnet->gc, xfrm_xdp_gc_work);
}
