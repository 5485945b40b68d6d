// SPDX-License-Identifier: GPL-2.0-only
/* Unstable BPF interface of XFRM for XDP: kfuncs and struct_ops.
 *
 * Note that it is allowed to break compatibility for these functions since the
 * interface they are exposed through to BPF programs is explicitly unstable.
 */

#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/if_vlan.h>
#include <linux/nsproxy.h>
#include <net/dst.h>
#include <net/neighbour.h>
#include <net/route.h>

#include "xfrm_xdp_internal.h"

/* struct bpf_xdp_xfrm_opts - Options for bpf_xdp_xfrm_lookup()
 *
 * Members:
 * @error	- Out parameter, set whenever there is no flow
 *		  Values:
 *		    -EINVAL       - opts__sz is wrong or reserved is not zero
 *		    -EPROTO       - not an IPv4 packet that XDP forwards
 *		    -ENXIO        - the flow given is empty
 *		    -EXDEV        - the flow given is of another device
 *		    -EPERM        - the flow given is not authorised any more, or
 *				    a policy blocks the packet
 *		    -ESTALE       - the input route of the flow given is stale
 *		    -ENETUNREACH  - no unicast route
 *		    -ENOENT       - no policy asks for a transformation
 *		    -EAGAIN       - no state yet; one has been asked for
 *		    -EOPNOTSUPP   - a state, mode or device that XDP does not do,
 *				    or rules that must see every packet
 *		    -EHOSTUNREACH - the next hop is not resolved yet
 *		    -ENOMEM       - out of memory
 *		    other         - what the lookup of the route, or
 *				    xfrm_lookup_with_ifid(), said
 * @mark	- Mark for route and policy lookup, without a flow
 * @if_id	- XFRM interface id, without a flow
 * @reserved	- Must be zero
 */
struct bpf_xdp_xfrm_opts {
	s32 error;
	u32 mark;
	u32 if_id;
	u32 reserved;
};

enum {
	BPF_XDP_XFRM_OPTS_SZ = sizeof(struct bpf_xdp_xfrm_opts),
};

static int xfrm_xdp_packet_tuple(const struct xdp_buff *xdp,
				 struct xfrm_xdp_tuple *tuple)
{
	const struct vlan_ethhdr *veth = xdp->data;
	const void *network = xdp->data + ETH_HLEN;
	__be16 tci = 0;
	int err;

	if ((void *)(veth + 1) > xdp->data_end)
		return -EPROTO;

	if (veth->h_vlan_proto == htons(ETH_P_8021Q)) {
		tci = veth->h_vlan_TCI;
		network += VLAN_HLEN;
		if (!tci || veth->h_vlan_encapsulated_proto != htons(ETH_P_IP))
			return -EPROTO;
	} else if (veth->h_vlan_proto != htons(ETH_P_IP)) {
		return -EPROTO;
	}

	err = xfrm_xdp_parse(network, xdp->data_end, tuple);
	tuple->vlan_tci = tci;
	return err;
}

/* Make a flow of what XFRM answered; @learned: on behalf of the stack, whose
 * rules count. Consumes @dst.
 */
static struct xfrm_xdp_flow *
xfrm_xdp_lookup_flow(struct xfrm_xdp_net *xnet, struct dst_entry *dst,
		     const struct xfrm_xdp_origin *origin, bool learned)
{
	struct xfrm_xdp_flow *flow;
	struct neighbour *neigh;
	enum xfrm_xdp_stat why;
	struct net_device *dev;

	if (IS_ERR(dst))
		/* XFRM says so while larval states drop. */
		return ERR_PTR(PTR_ERR(dst) == -EREMOTE ? -EAGAIN :
			       PTR_ERR(dst));

	if (!dst->xfrm) {
		dst_release(dst);
		return ERR_PTR(-ENOENT);
	}

	neigh = dst_neigh_lookup(xfrm_dst_path(dst), &dst->xfrm->id.daddr);
	if (!neigh) {
		dst_release(dst);
		return ERR_PTR(-EHOSTUNREACH);
	}
	why = XFRM_XDP_NONEIGH;
	flow = NULL;
	if (neigh_event_send(neigh, NULL))
		goto out;
	/* Nobody may have sent to it yet. */
	if (!READ_ONCE(neigh->hh.hh_len) && neigh->dev->header_ops &&
	    neigh->dev->header_ops->cache)
		neigh_hh_init(neigh);

	dev = xfrm_dst_path(dst)->dev;
	why = learned ? xfrm_xdp_bypass_check(xnet->net, origin, dev) :
			xfrm_xdp_device_check(xnet->net, origin, dev);
	if (!why)
		flow = xfrm_xdp_flow_create(xnet, dst, neigh, origin, &why);
out:
	neigh_release(neigh);
	dst_release(dst);
	if (flow)
		return flow;

	switch (why) {
	case XFRM_XDP_NONEIGH:
		return ERR_PTR(-EHOSTUNREACH);
	case XFRM_XDP_NOMEMORY:
		return ERR_PTR(-ENOMEM);
	default:
		return ERR_PTR(-EOPNOTSUPP);
	}
}

/* Is the answer one that the devices on the way would accept? */
static bool xfrm_xdp_same_way(const struct dst_entry *dst,
			      const struct xfrm_xdp_flow *old)
{
	const struct xfrm_state *x = dst->xfrm;

	/* A tag has its priority from the device that it was learned on. */
	if (old->rewrite.vlan_tci && xfrm_dst_path(dst)->dev != old->neigh->dev)
		return false;

	/* as xfrmi_xmit2() and vti_state_check() ask */
	return !old->tunnel ||
	       (x && x->if_id == old->if_id &&
		x->id.daddr.a4 == old->rewrite.iph.daddr &&
		x->props.saddr.a4 == old->rewrite.iph.saddr);
}

/* The same question again that the stack asked for the first packet. */
static struct xfrm_xdp_flow *
xfrm_xdp_lookup_again(const struct xdp_buff *xdp, struct xfrm_xdp_net *xnet,
		      const struct xfrm_xdp_flow *old)
{
	struct xfrm_xdp_origin origin;
	struct dst_entry *dst, *route;
	const struct xfrm_dst *xdst;

	dst = READ_ONCE(old->dst);
	if (!dst)
		return ERR_PTR(-ENXIO);
	if (old->xnet != xnet || old->iif != xdp->rxq->dev->ifindex)
		return ERR_PTR(-EXDEV);
	if (old->genid != (u32)atomic_read(&xnet->genid))
		return ERR_PTR(-EPERM);

	xdst = (const struct xfrm_dst *)dst;
	route = xdst->route;
	if (!dst_check(route, xdst->route_cookie))
		return ERR_PTR(-ESTALE);

	origin.tuple = old->tuple;
	origin.iif = old->iif;
	origin.in_ifindex = old->in_ifindex;
	origin.tunnel_ifindex = old->tunnel ? old->tunnel->ifindex : 0;
	origin.vlan_tci = old->rewrite.vlan_tci;
	origin.if_id = old->if_id;
	origin.genid = old->genid;
	origin.fl = old->fl;
	origin.fl.flowi_flags |= FLOWI_FLAG_UNCOUNTED;
	origin.fwd = old->fwd;
	ether_addr_copy(origin.dmac, old->dmac);

	dst_hold(route);
	dst = xfrm_lookup_with_ifid(xnet->net, route, &origin.fl, NULL, 0,
				    origin.if_id);
	if (!IS_ERR(dst) && !xfrm_xdp_same_way(dst, old)) {
		dst_release(dst);
		return ERR_PTR(-ESTALE);
	}
	return xfrm_xdp_lookup_flow(xnet, dst, &origin, true);
}

static struct xfrm_xdp_flow *
xfrm_xdp_lookup_new(const struct xdp_buff *xdp, struct xfrm_xdp_net *xnet,
		    u32 mark, u32 if_id)
{
	const struct ethhdr *eth = xdp->data;
	struct xfrm_xdp_origin origin = {};
	struct flowi4 *fl4 = &origin.fl.u.ip4;
	const struct net_device *in;
	struct net_device *path;
	struct dst_entry *dst;
	struct rtable *rt;
	int err;

	err = xfrm_xdp_packet_tuple(xdp, &origin.tuple);
	if (err)
		return ERR_PTR(err);

	origin.if_id = if_id;
	origin.iif = xdp->rxq->dev->ifindex;
	origin.in_ifindex = origin.iif;
	if (origin.tuple.vlan_tci) {
		in = xfrm_xdp_vlan_in(xdp->rxq->dev, origin.tuple.vlan_tci);
		if (!in)
			return ERR_PTR(-EPROTO);
		origin.in_ifindex = in->ifindex;
	}
	origin.genid = atomic_read(&xnet->genid);
	ether_addr_copy(origin.dmac, eth->h_dest);

	fl4->saddr = origin.tuple.saddr;
	fl4->daddr = origin.tuple.daddr;
	fl4->flowi4_proto = origin.tuple.protocol;
	fl4->flowi4_tos = origin.tuple.dscp;
	fl4->flowi4_mark = mark;
	fl4->flowi4_flags = FLOWI_FLAG_ANYSRC | FLOWI_FLAG_UNCOUNTED;
	if (origin.tuple.protocol == IPPROTO_ICMP) {
		fl4->fl4_icmp_type = ntohl(origin.tuple.ports) >> 24;
		fl4->fl4_icmp_code = ntohl(origin.tuple.ports) >> 16;
	} else {
		fl4->fl4_sport = htons(ntohl(origin.tuple.ports) >> 16);
		fl4->fl4_dport = htons(ntohl(origin.tuple.ports));
	}

	rt = __ip_route_output_key(xnet->net, fl4);
	if (IS_ERR(rt))
		return ERR_CAST(rt);
	if (rt->rt_type != RTN_UNICAST) {
		ip_rt_put(rt);
		return ERR_PTR(-ENETUNREACH);
	}

	fl4->flowi4_oif = rt->dst.dev->ifindex;
	dst = xfrm_lookup_with_ifid(xnet->net, &rt->dst, &origin.fl, NULL, 0,
				    if_id);
	if (!IS_ERR(dst)) {
		path = xfrm_dst_path(dst)->dev;
		if (path != xfrm_xdp_real_dev(path))
			origin.vlan_tci =
				xfrm_xdp_vlan_tci(path, origin.tuple.dscp);
	}
	return xfrm_xdp_lookup_flow(xnet, dst, &origin, false);
}

static noinline void xfrm_xdp_write_record(struct xfrm_xdp_md *md,
					   const struct xfrm_xdp_net *xnet,
					   int ifindex, const void *key, u32 len,
					   const struct xfrm_xdp_tuple *tuple)
{
	struct xfrm_xdp_md record = {
		.magic		= XFRM_XDP_MD_MAGIC,
		.ifindex	= ifindex,
		.vlan_tci	= tuple->vlan_tci,
	};

	/* The key may lie where the record goes. */
	memcpy(record.key, key, len);
	record.mac = xfrm_xdp_md_mac(xnet, ifindex, record.key, tuple);
	*md = record;
}

__bpf_kfunc_start_defs();

/* bpf_xdp_xfrm_offer - Ask the stack to learn the flow of this packet
 *
 * Writes a record into the packet's metadata (struct xfrm_xdp_md, 64 bytes);
 * what was there is lost. If the stack forwards the packet, and XDP could have
 * done the same, struct xfrm_xdp_ops gets a flow with this record. To be
 * followed by XDP_PASS.
 *
 * Parameters:
 * @ctx		- Pointer to ctx (xdp_md) in XDP program
 * @key		- Key of the flow in the program's map
 * @key__sz	- Its length, at most 40 bytes
 *
 * Return:
 * 0, or
 *   -EINVAL     - the key is empty or too long
 *   -ESRCH      - nobody takes flows in this netns
 *   -EAGAIN     - this flow was offered within the last second, and not learned
 *   -EPROTO     - not an IPv4 packet that XDP forwards
 *   -EOPNOTSUPP - this device has no metadata
 *   -ENOSPC     - no room for the record
 */
__bpf_kfunc int bpf_xdp_xfrm_offer(struct xdp_md *ctx, const void *key,
				   u32 key__sz)
{
	struct xdp_buff *xdp = (struct xdp_buff *)ctx;
	const struct net_device *dev = xdp->rxq->dev;
	struct xfrm_xdp_net *xnet = xfrm_xdp_pernet(dev_net(dev));
	struct xfrm_xdp_tuple tuple;
	struct xfrm_xdp_md *md;
	int err;

	if (!key__sz || key__sz > XFRM_XDP_KEY_LEN)
		return -EINVAL;
	if (!rcu_access_pointer(xnet->ops))
		return -ESRCH;

	err = xfrm_xdp_packet_tuple(xdp, &tuple);
	if (err)
		return err;

	if (xdp_data_meta_unsupported(xdp))
		return -EOPNOTSUPP;
	md = xdp->data - sizeof(*md);
	if ((void *)md < xdp->data_hard_start + sizeof(struct xdp_frame))
		return -ENOSPC;

	if (xfrm_xdp_hold(xnet, dev->ifindex, &tuple)) {
		xfrm_xdp_count(xnet, XFRM_XDP_HELD);
		return -EAGAIN;
	}

	xfrm_xdp_write_record(md, xnet, dev->ifindex, key, key__sz, &tuple);
	xdp->data_meta = md;
	return 0;
}

/* bpf_xdp_xfrm_output - Encrypt a packet of a flow
 *
 * Checks that the packet belongs to the flow and that the stack would send it
 * as the fast path does, then transforms it in place.
 *
 * Parameters:
 * @ctx		- Pointer to ctx (xdp_md) in XDP program
 * @flow	- Flow, from a map
 *
 * Return:
 * > 0 - Index of the device to redirect to
 *   0 - The kernel sends the packet later, or had to drop it: XDP_DROP
 * < 0 - The packet is as it was, the stack has to take it: XDP_PASS. The errno
 *	 says why, see xfrm_xdp_output()
 */
__bpf_kfunc int bpf_xdp_xfrm_output(struct xdp_md *ctx,
				    struct xfrm_xdp_flow *flow)
{
	return xfrm_xdp_output((struct xdp_buff *)ctx, flow);
}

/* bpf_xdp_xfrm_lookup - Ask XFRM what to do with a packet
 *
 * With a flow that bpf_xdp_xfrm_output() called stale: asks XFRM again what the
 * stack asked for the flow's first packet, for instance after a rekey. The
 * verdict of the stack on the flow is still needed and still valid.
 *
 * Without a flow: what XFRM would do with this packet on an output route to its
 * destination, for programs that have a policy of their own. Nothing else was
 * asked: no firewall, no input route, no policy for forwarding.
 *
 * A refusal is not counted: the stack will count it, if it gets the packet.
 *
 * Parameters:
 * @ctx		  - Pointer to ctx (xdp_md) in XDP program
 * @flow__nullable - Stale flow, or NULL
 * @opts	  - Options (documented above)
 * @opts__sz	  - Length of opts, BPF_XDP_XFRM_OPTS_SZ
 *
 * Return:
 * A flow, to be released or moved into a map; or NULL, and opts->error says why
 */
__bpf_kfunc struct xfrm_xdp_flow *
bpf_xdp_xfrm_lookup(struct xdp_md *ctx, struct xfrm_xdp_flow *flow__nullable,
		    struct bpf_xdp_xfrm_opts *opts, u32 opts__sz)
{
	struct xdp_buff *xdp = (struct xdp_buff *)ctx;
	struct xfrm_xdp_net *xnet = xfrm_xdp_pernet(dev_net(xdp->rxq->dev));
	struct xfrm_xdp_flow *flow;

	if (opts__sz < sizeof(opts->error))
		return NULL;
	if (opts__sz != BPF_XDP_XFRM_OPTS_SZ || READ_ONCE(opts->reserved)) {
		opts->error = -EINVAL;
		return NULL;
	}

	rcu_read_lock();
	if (flow__nullable)
		flow = xfrm_xdp_lookup_again(xdp, xnet, flow__nullable);
	else
		flow = xfrm_xdp_lookup_new(xdp, xnet, READ_ONCE(opts->mark),
					   READ_ONCE(opts->if_id));
	rcu_read_unlock();
	if (IS_ERR(flow)) {
		opts->error = PTR_ERR(flow);
		return NULL;
	}

	opts->error = 0;
	xfrm_xdp_count(xnet, XFRM_XDP_LOOKUP);
	return flow;
}

/* bpf_xfrm_xdp_flow_acquire - Take a reference to a flow
 *
 * Parameters:
 * @flow	- Flow, from a map or from struct xfrm_xdp_ops
 *
 * Return:
 * The flow, to be released or moved into a map; NULL if it is going away
 */
__bpf_kfunc struct xfrm_xdp_flow *
bpf_xfrm_xdp_flow_acquire(struct xfrm_xdp_flow *flow)
{
	return refcount_inc_not_zero(&flow->refcnt) ? flow : NULL;
}

/* bpf_xfrm_xdp_flow_release - Drop a reference to a flow
 *
 * Parameters:
 * @flow	- Flow
 */
__bpf_kfunc void bpf_xfrm_xdp_flow_release(struct xfrm_xdp_flow *flow)
{
	xfrm_xdp_flow_put(flow);
}

__bpf_kfunc void bpf_xfrm_xdp_flow_release_dtor(void *flow)
{
	xfrm_xdp_flow_put(flow);
}

CFI_NOSEAL(bpf_xfrm_xdp_flow_release_dtor);

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(xfrm_xdp_kfunc_ids)
BTF_ID_FLAGS(func, bpf_xdp_xfrm_offer, KF_CHANGES_PKT)
BTF_ID_FLAGS(func, bpf_xdp_xfrm_output, KF_RCU | KF_CHANGES_PKT)
BTF_ID_FLAGS(func, bpf_xdp_xfrm_lookup, KF_ACQUIRE | KF_RCU | KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_xfrm_xdp_flow_acquire, KF_ACQUIRE | KF_RCU | KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_xfrm_xdp_flow_release, KF_RELEASE)
BTF_KFUNCS_END(xfrm_xdp_kfunc_ids)

static const struct btf_kfunc_id_set xfrm_xdp_kfunc_set = {
	.owner	= THIS_MODULE,
	.set	= &xfrm_xdp_kfunc_ids,
};

BTF_KFUNCS_START(xfrm_xdp_ops_kfunc_ids)
BTF_ID_FLAGS(func, bpf_xfrm_xdp_flow_acquire, KF_ACQUIRE | KF_RCU | KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_xfrm_xdp_flow_release, KF_RELEASE)
BTF_KFUNCS_END(xfrm_xdp_ops_kfunc_ids)

static const struct btf_kfunc_id_set xfrm_xdp_ops_kfunc_set = {
	.owner	= THIS_MODULE,
	.set	= &xfrm_xdp_ops_kfunc_ids,
};

BTF_ID_LIST(xfrm_xdp_dtor_ids)
BTF_ID(struct, xfrm_xdp_flow)
BTF_ID(func, bpf_xfrm_xdp_flow_release_dtor)

/* Serialises registration with the exit of a netns. */
static DEFINE_MUTEX(xfrm_xdp_ops_mutex);

static int xfrm_xdp_ops_reg(void *kdata, struct bpf_link *link)
{
	struct net *net = current->nsproxy->net_ns;
	struct xfrm_xdp_net *xnet = xfrm_xdp_pernet(net);
	struct xfrm_xdp_ops *ops = kdata;
	int err;

	/* As for a program on a device: whoever made the map may not be asked. */
	if (!ns_capable(net->user_ns, CAP_NET_ADMIN))
		return -EPERM;

	mutex_lock(&xfrm_xdp_ops_mutex);
	err = xfrm_xdp_hold_init(xnet);
	if (err)
		goto unlock;

	/* One program a netns, and one netns a program. */
	if (rcu_access_pointer(xnet->ops) || ops->xnet) {
		err = -EBUSY;
		goto unlock;
	}

	/* The module that knows ESP, for states that are already there. */
	xfrm_load_type_xdp(IPPROTO_ESP, AF_INET);
	ops->xnet = xnet;
	rcu_assign_pointer(xnet->ops, ops);
	static_branch_inc(&xfrm_xdp_learning);
unlock:
	mutex_unlock(&xfrm_xdp_ops_mutex);
	return err;
}

static void __xfrm_xdp_ops_clear(struct xfrm_xdp_net *xnet)
{
	struct xfrm_xdp_ops *ops;

	ops = rcu_replace_pointer(xnet->ops, NULL,
				  lockdep_is_held(&xfrm_xdp_ops_mutex));
	if (!ops)
		return;

	ops->xnet = NULL;
	static_branch_dec(&xfrm_xdp_learning);
}

/* The netns goes: its program gets no more flows. */
static void __net_exit xfrm_xdp_ops_pre_exit(struct net *net)
{
	mutex_lock(&xfrm_xdp_ops_mutex);
	__xfrm_xdp_ops_clear(xfrm_xdp_pernet(net));
	mutex_unlock(&xfrm_xdp_ops_mutex);
}

static struct pernet_operations xfrm_xdp_ops_net_ops = {
	.pre_exit	= xfrm_xdp_ops_pre_exit,
};

/* Runs in the netns of whoever deletes the map: the ops know theirs. */
static void xfrm_xdp_ops_unreg(void *kdata, struct bpf_link *link)
{
	struct xfrm_xdp_ops *ops = kdata;

	mutex_lock(&xfrm_xdp_ops_mutex);
	if (ops->xnet)
		__xfrm_xdp_ops_clear(ops->xnet);
	mutex_unlock(&xfrm_xdp_ops_mutex);
	synchronize_rcu();
}

static int xfrm_xdp_ops_init(struct btf *btf)
{
	return 0;
}

static int xfrm_xdp_ops_init_member(const struct btf_type *t,
				    const struct btf_member *member,
				    void *kdata, const void *udata)
{
	return 0;
}

static int xfrm_xdp_ops_validate(void *kdata)
{
	const struct xfrm_xdp_ops *ops = kdata;

	return ops->flow_add ? 0 : -EINVAL;
}

static const struct bpf_verifier_ops xfrm_xdp_ops_verifier = {
	.get_func_proto		= bpf_base_func_proto,
	.is_valid_access	= bpf_tracing_btf_ctx_access,
};

static int xfrm_xdp_flow_add_stub(const struct xfrm_xdp_md *md,
				  struct xfrm_xdp_flow *flow)
{
	return -EOPNOTSUPP;
}

static struct xfrm_xdp_ops xfrm_xdp_ops_stubs = {
	.flow_add	= xfrm_xdp_flow_add_stub,
};

static struct bpf_struct_ops xfrm_xdp_bpf_struct_ops = {
	.verifier_ops	= &xfrm_xdp_ops_verifier,
	.init		= xfrm_xdp_ops_init,
	.init_member	= xfrm_xdp_ops_init_member,
	.validate	= xfrm_xdp_ops_validate,
	.reg		= xfrm_xdp_ops_reg,
	.unreg		= xfrm_xdp_ops_unreg,
	.cfi_stubs	= &xfrm_xdp_ops_stubs,
	.name		= "xfrm_xdp_ops",
	.owner		= THIS_MODULE,
};

static int __init xfrm_xdp_bpf_init(void)
{
	const struct btf_id_dtor_kfunc dtor = {
		.btf_id		= xfrm_xdp_dtor_ids[0],
		.kfunc_btf_id	= xfrm_xdp_dtor_ids[1],
	};
	int err;

	err = register_pernet_subsys(&xfrm_xdp_ops_net_ops);
	err = err ?: register_btf_id_dtor_kfuncs(&dtor, 1, THIS_MODULE);
	err = err ?: register_btf_kfunc_id_set(BPF_PROG_TYPE_XDP,
					       &xfrm_xdp_kfunc_set);
	err = err ?: register_btf_kfunc_id_set(BPF_PROG_TYPE_STRUCT_OPS,
					       &xfrm_xdp_ops_kfunc_set);
	return err ?: register_bpf_struct_ops(&xfrm_xdp_bpf_struct_ops,
					      xfrm_xdp_ops);
}
late_initcall(xfrm_xdp_bpf_init);
