/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _XFRM_XDP_INTERNAL_H
#define _XFRM_XDP_INTERNAL_H

/* What the files of XFRM for XDP share among themselves. */

#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/siphash.h>
#include <net/ip.h>
#include <net/net_namespace.h>
#include <net/xfrm.h>
#include <net/xfrm_xdp.h>

#define XFRM_XDP_FLOW_BUCKETS	64

/**
 * struct xfrm_xdp_bucket - flows by the device of their route
 * @lock: protects @flows and the emptying of the flows in it
 * @flows: flows, linked by their node
 */
struct xfrm_xdp_bucket {
	spinlock_t		lock; /* protects flows */
	struct hlist_head	flows;
};

/**
 * struct xfrm_xdp_net - state per netns
 * @genid: generation of all verdicts, see xfrm_xdp_invalidate()
 * @dead: the netns is going, no flow may be made
 * @mib: counters
 * @net: the netns
 * @ops: the program that takes the flows
 * @hold: flows not to be offered, there before @ops
 * @secret: key of the records' siphash
 * @bucket: all flows that are not empty
 */
struct xfrm_xdp_net {
	atomic_t			genid;
	bool				dead;
	unsigned long __percpu		*mib;
	struct net			*net;
	struct xfrm_xdp_ops __rcu	*ops;
	struct xfrm_xdp_hold		*hold;
	siphash_key_t			secret;
	struct xfrm_xdp_bucket		bucket[XFRM_XDP_FLOW_BUCKETS];
};

struct xfrm_xdp_net *xfrm_xdp_pernet(const struct net *net);

static inline void xfrm_xdp_count(const struct xfrm_xdp_net *xnet,
				  enum xfrm_xdp_stat stat)
{
	this_cpu_inc(xnet->mib[stat]);
}

/* Can XDP on @in redirect to @dev? Generic XDP sends skbs on any device. */
static inline bool xfrm_xdp_can_send(const struct net_device *dev,
				     const struct net_device *in)
{
	return dev->xdp_features & NETDEV_XDP_ACT_NDO_XMIT ||
	       rcu_access_pointer(in->xdp_prog);
}

/**
 * struct xfrm_xdp_origin - what a flow inherits from its first packet
 * @tuple: selector
 * @iif: index of the receiving device
 * @in_ifindex: index of the device that the stack received it on
 * @tunnel_ifindex: index of the tunnel device it was routed to, or 0
 * @genid: generation in which the packet was authorised
 * @dmac: destination MAC
 * @vlan_tci: tag it was sent with, or 0
 * @if_id: what the stack asked XFRM for
 * @fl: the same
 * @fwd: policies that let it be forwarded
 */
struct xfrm_xdp_origin {
	struct xfrm_xdp_tuple	tuple;
	int			iif;
	int			in_ifindex;
	int			tunnel_ifindex;
	u32			genid;
	u8			dmac[ETH_ALEN];
	__be16			vlan_tci;
	u32			if_id;
	struct flowi		fl;
	struct xfrm_xdp_fwd	fwd;
};

/* Under RCU; false if one of the policies is about to be freed. */
static inline bool xfrm_xdp_fwd_hold(struct xfrm_xdp_fwd *to,
				     const struct xfrm_xdp_fwd *from)
{
	for (to->num = 0; to->num < from->num; to->num++) {
		to->pols[to->num] = from->pols[to->num];
		if (!refcount_inc_not_zero(&to->pols[to->num]->refcnt)) {
			xfrm_pols_put(to->pols, to->num);
			return false;
		}
	}

	return true;
}

struct xfrm_xdp_flow *
xfrm_xdp_flow_create(struct xfrm_xdp_net *xnet, struct dst_entry *dst,
		     struct neighbour *neigh,
		     const struct xfrm_xdp_origin *origin,
		     enum xfrm_xdp_stat *why);
void xfrm_xdp_flow_put(struct xfrm_xdp_flow *flow);

enum xfrm_xdp_stat xfrm_xdp_device_check(const struct net *net,
					 const struct xfrm_xdp_origin *origin,
					 struct net_device *dev);
enum xfrm_xdp_stat xfrm_xdp_tc_check(const struct net *net,
				     const struct xfrm_xdp_origin *origin,
				     struct net_device *dev);
enum xfrm_xdp_stat xfrm_xdp_bypass_check(const struct net *net,
					 const struct xfrm_xdp_origin *origin,
					 struct net_device *dev);

bool xfrm_xdp_is_tunnel(const struct net_device *dev);
struct net_device *xfrm_xdp_real_dev(struct net_device *dev);
bool xfrm_xdp_vlan_ok(const struct net_device *dev);
bool xfrm_xdp_vlan_is(const struct net_device *dev, __be16 tci);
const struct net_device *xfrm_xdp_vlan_in(struct net_device *in, __be16 tci);
__be16 xfrm_xdp_vlan_tci(struct net_device *dev, u8 tos);
void xfrm_xdp_vlan_header(const struct xfrm_xdp_flow *flow, void *network);
void xfrm_xdp_upper_count_in(const struct xfrm_xdp_flow *flow,
			     struct net_device *in, u32 len);
void xfrm_xdp_upper_count_out(const struct xfrm_xdp_flow *flow, u32 len,
			      u32 out_len);

bool xfrm_xdp_hold(const struct xfrm_xdp_net *xnet, int ifindex,
		   const struct xfrm_xdp_tuple *tuple);
void xfrm_xdp_unhold(const struct xfrm_xdp_net *xnet, int ifindex,
		     const struct xfrm_xdp_tuple *tuple);
int xfrm_xdp_hold_init(struct xfrm_xdp_net *xnet);
void xfrm_xdp_hold_fini(struct xfrm_xdp_net *xnet);

int xfrm_xdp_parse(const void *network, const void *end,
		   struct xfrm_xdp_tuple *tuple);
void xfrm_xdp_outer_iph(struct iphdr *top, const struct iphdr *iph,
			const struct xfrm_xdp_flow *flow,
			const struct dst_entry *dst, u32 len);
void xfrm_xdp_link_header(const struct xfrm_xdp_flow *flow, void *network);
u32 xfrm_xdp_trailer_len(const struct xfrm_xdp_geometry *geometry, u32 len);
int xfrm_xdp_output(struct xdp_buff *xdp, struct xfrm_xdp_flow *flow);

u64 xfrm_xdp_md_mac(const struct xfrm_xdp_net *xnet, u32 ifindex,
		    const u8 *key, const struct xfrm_xdp_tuple *tuple);

/**
 * xfrm_xdp_request_room() - can a cipher work in the memory of a packet?
 * @xdp: packet
 * @async: the call may go asynchronous
 *
 * Memory of an AF_XDP socket is mapped where a scatterlist can't find it, and
 * belongs to user space. A slab object can't be held by a reference to its
 * page.
 *
 * Return: true if it can, with @async beyond the end of the XDP program.
 */
static inline bool xfrm_xdp_request_room(const struct xdp_buff *xdp, bool async)
{
	switch (xdp->rxq->mem.type) {
	case MEM_TYPE_PAGE_POOL:
		return true;
	case MEM_TYPE_XSK_BUFF_POOL:
		return false;
	default:
		return !async ||
		       !PageSlab(virt_to_head_page(xdp->data_hard_start));
	}
}

struct xfrm_xdp_request *xfrm_xdp_request_get(void);
void xfrm_xdp_request_put(void);
void xfrm_xdp_request_hold(struct xfrm_xdp_request *req,
			   const struct xdp_buff *xdp, struct xfrm_state *x,
			   struct net_device *dev);

int xfrm_xdp_proc_init(struct net *net);
void xfrm_xdp_proc_fini(struct net *net);
int xfrm_xdp_pass_errno(enum xfrm_xdp_stat why);

#endif /* _XFRM_XDP_INTERNAL_H */
