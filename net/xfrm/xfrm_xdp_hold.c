// SPDX-License-Identifier: GPL-2.0-only
/* A flow that was offered and not learned is not offered again for a while.
 *
 * Most flows that can't be learned can't be learned by the next packet either,
 * and an offer costs the stack more than all of its hooks together. A small
 * table, direct mapped, remembers who was offered; a collision only costs an
 * offer too many, or a second.
 */

#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/unaligned.h>
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
	u64	seed[2];
	u64	slot[XFRM_XDP_HOLD_SLOTS];
};

static u32 xfrm_xdp_hold_hash(const struct xfrm_xdp_net *xnet,
			      const struct xfrm_xdp_hold *hold, u32 way,
			      const struct xfrm_xdp_tuple *tuple)
{
	u64 x = get_unaligned((const u64 *)&tuple->saddr);
	u64 y = get_unaligned((const u64 *)&tuple->ports);

	/* rules or routes that change make another question of it */
	x += hold->seed[0] + atomic_read(&xnet->genid);
	y += hold->seed[1] + rt_genid_ipv4(xnet->net) +
	     ((u64)way << 32);

	return mul_u64_u64_shr(x, y, 32);
}

/* Is @slot taken by the flow with this hash, still? An end that is too far away is
 * from before jiffies wrapped.
 */
static bool xfrm_xdp_hold_taken(const u64 *slot, u32 hash)
{
	u64 old = READ_ONCE(*slot);

	return old >> 32 == hash &&
	       (u32)old - (u32)jiffies - 1 < XFRM_XDP_HOLD_TIME;
}

/**
 * xfrm_xdp_held() - was this flow offered a moment ago, and not learned?
 * @xnet: netns, in which somebody takes flows
 * @way: receiving device, or xfrm_xdp_hold_way()
 * @tuple: of the packet
 *
 * Any context.
 *
 * Return: true if so.
 */
bool xfrm_xdp_held(const struct xfrm_xdp_net *xnet, u32 way,
		   const struct xfrm_xdp_tuple *tuple)
{
	const struct xfrm_xdp_hold *hold = READ_ONCE(xnet->hold);
	u32 hash;

	/* The program may be seen before the table is. */
	if (unlikely(!hold))
		return false;

	hash = xfrm_xdp_hold_hash(xnet, hold, way, tuple);
	return xfrm_xdp_hold_taken(&hold->slot[hash % XFRM_XDP_HOLD_SLOTS],
				   hash);
}

/**
 * xfrm_xdp_hold() - may this flow be offered?
 * @xnet: netns, in which somebody takes flows
 * @way: receiving device, or xfrm_xdp_hold_way()
 * @tuple: of the packet
 *
 * Any context.
 *
 * Return: false if it may; then it may not be for the next second. True if it
 * was offered within the last one.
 */
bool xfrm_xdp_hold(const struct xfrm_xdp_net *xnet, u32 way,
		   const struct xfrm_xdp_tuple *tuple)
{
	struct xfrm_xdp_hold *hold = READ_ONCE(xnet->hold);
	u32 now = jiffies;
	u64 *slot;
	u32 hash;

	if (unlikely(!hold))
		return false;

	hash = xfrm_xdp_hold_hash(xnet, hold, way, tuple);
	slot = &hold->slot[hash % XFRM_XDP_HOLD_SLOTS];
	if (xfrm_xdp_hold_taken(slot, hash))
		return true;

	WRITE_ONCE(*slot, (u64)hash << 32 | (u32)(now + XFRM_XDP_HOLD_TIME));
	return false;
}

/**
 * xfrm_xdp_unhold() - a flow was learned: it may be offered again at any time
 * @xnet: netns
 * @way: receiving device, or xfrm_xdp_hold_way()
 * @tuple: selector of the flow
 */
void xfrm_xdp_unhold(const struct xfrm_xdp_net *xnet, u32 way,
		     const struct xfrm_xdp_tuple *tuple)
{
	struct xfrm_xdp_hold *hold = READ_ONCE(xnet->hold);
	u32 hash;

	if (!hold)
		return;

	hash = xfrm_xdp_hold_hash(xnet, hold, way, tuple);
	WRITE_ONCE(hold->slot[hash % XFRM_XDP_HOLD_SLOTS], 0);
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
	struct xfrm_xdp_hold *hold;

	if (xnet->hold)
		return 0;

	hold = kvzalloc(sizeof(*hold), GFP_KERNEL);
	if (!hold)
		return -ENOMEM;
	get_random_bytes(hold->seed, sizeof(hold->seed));
	/* the seed before the pointer to it */
	smp_store_release(&xnet->hold, hold);
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
