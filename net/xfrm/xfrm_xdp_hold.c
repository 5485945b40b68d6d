// SPDX-License-Identifier: GPL-2.0-only
/* A flow that was offered and not learned is not offered again for a while.
 *
 * Most flows that can't be learned can't be learned by the next packet either,
 * and an offer costs the stack more than all of its hooks together. A small
 * table, direct mapped, remembers who was offered; a collision only costs an
 * offer too many, or a second.
 */

#include <linux/jhash.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <net/netns/ipv4.h>

#include "xfrm_xdp_internal.h"

#define XFRM_XDP_HOLD_SLOTS	4096
#define XFRM_XDP_HOLD_TIME	HZ

/**
 * struct xfrm_xdp_hold - who was offered and when
 * @seed: of the hash, so that nobody can hold others on purpose
 * @slot: hash in the upper half, end of the time in jiffies in the lower
 */
struct xfrm_xdp_hold {
	u32	seed;
	u64	slot[XFRM_XDP_HOLD_SLOTS];
};

static u32 xfrm_xdp_hold_hash(const struct xfrm_xdp_net *xnet, int ifindex,
			      const struct xfrm_xdp_tuple *tuple)
{
	const struct {
		struct xfrm_xdp_tuple	tuple;
		u32			ifindex;
		u32			genid;
		u32			rt_genid;
	} input = {
		.tuple		= *tuple,
		.ifindex	= ifindex,
		/* rules or routes that change make another question of it */
		.genid		= atomic_read(&xnet->genid),
		.rt_genid	= rt_genid_ipv4(xnet->net),
	};

	return jhash2((const u32 *)&input, sizeof(input) / sizeof(u32),
		      xnet->hold->seed);
}

/**
 * xfrm_xdp_hold() - may this flow be offered?
 * @xnet: netns, in which somebody takes flows
 * @ifindex: receiving device
 * @tuple: of the packet
 *
 * Under RCU.
 *
 * Return: false if it may; then it may not be for the next second. True if it
 * was offered within the last one.
 */
bool xfrm_xdp_hold(const struct xfrm_xdp_net *xnet, int ifindex,
		   const struct xfrm_xdp_tuple *tuple)
{
	u32 hash = xfrm_xdp_hold_hash(xnet, ifindex, tuple);
	u64 *slot = &xnet->hold->slot[hash % XFRM_XDP_HOLD_SLOTS];
	u64 old = READ_ONCE(*slot);
	u32 now = jiffies;

	/* an end that is too far away is from before jiffies wrapped */
	if (old >> 32 == hash && (u32)old - now - 1 < XFRM_XDP_HOLD_TIME)
		return true;

	WRITE_ONCE(*slot, (u64)hash << 32 | (u32)(now + XFRM_XDP_HOLD_TIME));
	return false;
}

/**
 * xfrm_xdp_unhold() - a flow was learned: it may be offered again at any time
 * @xnet: netns
 * @ifindex: receiving device
 * @tuple: selector of the flow
 */
void xfrm_xdp_unhold(const struct xfrm_xdp_net *xnet, int ifindex,
		     const struct xfrm_xdp_tuple *tuple)
{
	u32 hash = xfrm_xdp_hold_hash(xnet, ifindex, tuple);

	WRITE_ONCE(xnet->hold->slot[hash % XFRM_XDP_HOLD_SLOTS], 0);
}

/**
 * xfrm_xdp_hold_init() - make the table of a netns, if there is none yet
 * @xnet: netns
 *
 * May sleep. It stays until the netns goes.
 *
 * Return: 0, or -ENOMEM.
 */
int xfrm_xdp_hold_init(struct xfrm_xdp_net *xnet)
{
	if (xnet->hold)
		return 0;

	xnet->hold = kvzalloc(sizeof(*xnet->hold), GFP_KERNEL);
	if (!xnet->hold)
		return -ENOMEM;
	xnet->hold->seed = get_random_u32();
	return 0;
}

/**
 * xfrm_xdp_hold_fini() - free the table of a netns that goes
 * @xnet: netns
 */
void xfrm_xdp_hold_fini(struct xfrm_xdp_net *xnet)
{
	kvfree(xnet->hold);
}
