// SPDX-License-Identifier: GPL-2.0-only
/* Cipher requests of XFRM for XDP.
 *
 * Nothing is allocated for a packet that is done at once: each CPU has one request at
 * hand. Some calls go asynchronous (that of the simd wrapper of x86 when the FPU is taken, or
 * while earlier requests are queued). They work on a copy of the frame, since drivers
 * give the memory of a dropped packet to the next one, whoever refers to it. State and
 * device are held, the request is replaced, and the packet is sent from the completion.
 */

#include <linux/if_vlan.h>
#include <linux/slab.h>
#include <net/route.h>

#include "xfrm_xdp_internal.h"

#define XFRM_XDP_IN_FLIGHT_MAX	1024

enum {
	XFRM_XDP_REQUEST_HELD = 1,	/* xfrm_xdp_request_hold() was there */
	XFRM_XDP_REQUEST_DONE,		/* xfrm_xdp_request_done() was there */
};

DEFINE_PER_CPU(struct xfrm_xdp_requests, xfrm_xdp_requests) = {
	.bh_lock = INIT_LOCAL_LOCK(bh_lock),
};

static atomic_t xfrm_xdp_in_flight = ATOMIC_INIT(0);

static void xfrm_xdp_request_free(struct xfrm_xdp_request *req)
{
	kfree(req->frame);
	kfree(req);
}

static void xfrm_xdp_request_send(struct xfrm_xdp_request *req)
{
	struct xfrm_xdp_net *xnet = xfrm_xdp_pernet(dev_net(req->dev));
	struct net_device *dev = req->dev;
	struct sk_buff *skb;

	/* In another netns by now: what the stack had waiting would be lost, too. */
	if (dev_net(dev)->net_cookie != req->net_cookie)
		goto lost;

	skb = alloc_skb(LL_RESERVED_SPACE(dev) + req->len, GFP_ATOMIC);
	if (!skb)
		goto lost;

	skb_reserve(skb, LL_RESERVED_SPACE(dev) - ETH_HLEN);
	skb_put_data(skb, req->frame, req->len);
	skb->dev = dev;
	skb->priority = req->priority;
	skb->protocol = req->protocol;
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, req->protocol == htons(ETH_P_IP) ?
				    ETH_HLEN : VLAN_ETH_HLEN);
	/* NET_XMIT_CN too: the queue of a device that is down says so */
	if (dev_queue_xmit(skb))
		goto lost;

	xfrm_xdp_count(xnet, XFRM_XDP_OUTPUT);
	xfrm_xdp_count(xnet, XFRM_XDP_OUTPUTASYNC);
	return;

lost:
	xfrm_xdp_count(xnet, XFRM_XDP_OUTPUTLOST);
}

static void xfrm_xdp_request_finish(struct xfrm_xdp_request *req)
{
	struct net *net = dev_net(req->dev);

	if (likely(!req->err)) {
		xfrm_xdp_request_send(req);
	} else {
		XFRM_INC_STATS(net, LINUX_MIB_XFRMOUTSTATEPROTOERROR);
		xfrm_xdp_count(xfrm_xdp_pernet(net), XFRM_XDP_OUTPUTERROR);
	}

	xfrm_state_put(req->x);
	netdev_put(req->dev, &req->tracker);
	xfrm_xdp_request_free(req);
	atomic_dec(&xfrm_xdp_in_flight);
}

/* Completion of an asynchronous cipher call, BH off. -EINPROGRESS only says that a
 * backlog moved on.
 */
static void xfrm_xdp_request_done(void *data, int err)
{
	struct xfrm_xdp_request *req = data;

	if (err == -EINPROGRESS)
		return;

	req->err = err;
	if (atomic_xchg(&req->state, XFRM_XDP_REQUEST_DONE) ==
	    XFRM_XDP_REQUEST_HELD)
		xfrm_xdp_request_finish(req);
}

static struct xfrm_xdp_request *xfrm_xdp_request_alloc(gfp_t gfp)
{
	struct xfrm_xdp_request *req;

	req = kzalloc(sizeof(*req) + XFRM_XDP_REQSIZE, gfp);
	if (!req)
		return NULL;

	sg_init_table(req->sg, ARRAY_SIZE(req->sg));
	sg_set_buf(&req->sg[0], req->aad, sizeof(req->aad));
	return req;
}

/**
 * xfrm_xdp_request_renew() - the last request went asynchronous: make another
 *
 * For xfrm_xdp_request_get(), under its lock.
 *
 * Return: the request, or NULL.
 */
struct xfrm_xdp_request *xfrm_xdp_request_renew(void)
{
	struct xfrm_xdp_request *req = NULL;

	if (atomic_read(&xfrm_xdp_in_flight) < XFRM_XDP_IN_FLIGHT_MAX)
		req = xfrm_xdp_request_alloc(GFP_ATOMIC | __GFP_NOWARN);
	__this_cpu_write(xfrm_xdp_requests.req, req);
	return req;
}

/**
 * xfrm_xdp_request_grow() - make room for a copy of a frame
 * @req: this CPU's request, whose room does not suffice
 * @len: length of the frame
 *
 * What it gets it keeps. BH off.
 *
 * Return: false if there is no memory.
 */
bool xfrm_xdp_request_grow(struct xfrm_xdp_request *req, u32 len)
{
	size_t room = kmalloc_size_roundup(len);
	void *frame;

	frame = kmalloc(room, GFP_ATOMIC | __GFP_NOWARN);
	if (!frame)
		return false;

	kfree(req->frame);
	req->frame = frame;
	req->room = room;
	return true;
}

/* As ip_forward() has it: packets that follow by the stack are not to overtake this one
 * in the queue of the device.
 */
static u32 xfrm_xdp_priority(const struct xfrm_xdp_flow *flow)
{
	if (!READ_ONCE(flow->xnet->net->ipv4.sysctl_ip_fwd_update_priority))
		return 0;
	return rt_tos2priority(flow->tuple.dscp);
}

/* What is in front of the inner packet in a frame. */
static u32 xfrm_xdp_frame_head(const struct xfrm_xdp_flow *flow)
{
	return flow->rewrite.link_len + flow->geometry.head;
}

/**
 * xfrm_xdp_request_copy() - copy a frame that an asynchronous cipher shall work on
 * @req: this CPU's request
 * @flow: flow, with a cipher that is marked asynchronous
 * @inner: inner packet, behind the headers that it is sent with but for that of ESP
 * @len: length of the inner packet with trailer and ICV
 *
 * xfrm_xdp_output() made room before it charged the packet. Under RCU, BH off.
 *
 * Return: the inner packet in the copy.
 */
void *xfrm_xdp_request_copy(struct xfrm_xdp_request *req,
			    const struct xfrm_xdp_flow *flow,
			    const void *inner, u32 len)
{
	u32 head = xfrm_xdp_frame_head(flow);

	req->len = head + len;
	DEBUG_NET_WARN_ON_ONCE(req->len > req->room);
	memcpy(req->frame, inner - head, req->len);
	req->protocol = ((struct ethhdr *)req->frame)->h_proto;
	req->priority = xfrm_xdp_priority(flow);
	/* cryptd that refused the last packet has left its own behind */
	aead_request_set_callback(&req->aead, 0, xfrm_xdp_request_done, req);
	return req->frame + head;
}
EXPORT_SYMBOL_GPL(xfrm_xdp_request_copy);

/**
 * xfrm_xdp_request_copy_back() - the cipher was done at once
 * @req: this CPU's request
 * @flow: flow
 * @inner: what xfrm_xdp_request_copy() got
 */
void xfrm_xdp_request_copy_back(const struct xfrm_xdp_request *req,
				const struct xfrm_xdp_flow *flow, void *inner)
{
	memcpy(inner - xfrm_xdp_frame_head(flow), req->frame, req->len);
}
EXPORT_SYMBOL_GPL(xfrm_xdp_request_copy_back);

/**
 * xfrm_xdp_request_hold() - a cipher call went asynchronous: hold what it needs
 * @req: this CPU's request, which is no longer this CPU's from now on
 * @x: state
 * @dev: transmitting device
 *
 * Under RCU, BH off, and between request_get() and request_put(). The cipher
 * may already be done.
 */
void xfrm_xdp_request_hold(struct xfrm_xdp_request *req, struct xfrm_state *x,
			   struct net_device *dev)
{
	__this_cpu_write(xfrm_xdp_requests.req, NULL);
	atomic_inc(&xfrm_xdp_in_flight);

	/* The bundle holds both until the end of this RCU section. */
	xfrm_state_hold(x);
	req->x = x;
	netdev_hold(dev, &req->tracker, GFP_ATOMIC);
	req->dev = dev;
	req->net_cookie = dev_net(dev)->net_cookie;

	if (atomic_xchg(&req->state, XFRM_XDP_REQUEST_HELD) ==
	    XFRM_XDP_REQUEST_DONE)
		xfrm_xdp_request_finish(req);
}

static int __init xfrm_xdp_request_init(void)
{
	struct xfrm_xdp_request *req;
	int cpu;

	for_each_possible_cpu(cpu) {
		req = xfrm_xdp_request_alloc(GFP_KERNEL);
		if (!req)
			return -ENOMEM;
		per_cpu(xfrm_xdp_requests.req, cpu) = req;
	}

	return 0;
}
subsys_initcall(xfrm_xdp_request_init);
