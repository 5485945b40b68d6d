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

#include "xfrm_xdp_internal.h"

/* struct bpf_xdp_xfrm_opts - Options for bpf_xdp_xfrm_lookup()
 *
 * Members:
 * @error	- Out parameter, set whenever there is no flow
 *		  Values:
 *		    -EINVAL       - opts__sz is wrong or reserved is not zero
 *		    -ESRCH        - nobody takes flows in this netns, so not
 *				    all that ends them is watched; without a flow
 *		    -EPROTO       - not an IPv4 packet that XDP forwards; with a
 *				    flow of ESP packets, not one that could be of
 *				    it but for its SPI
 *		    -ENXIO        - the flow given is empty
 *		    -EXDEV        - the flow given is of another device, or GRO
 *				    decrypts there now, or does not any more
 *		    -EACCES       - the packet came through another state than
 *				    the packets of the flow given, or in clear,
 *				    and policies or rules may tell the two apart
 *		    -EPERM        - the flow given is not authorised any more, or
 *				    a policy blocks the packet
 *		    -ESTALE       - the route of the flow given is stale, or what
 *				    XFRM says now would take the packet another
 *				    way
 *		    -ENOKEY       - no valid state has the SPI of the packet
 *		    -ENETUNREACH  - no unicast route
 *		    -ENOENT       - no policy asks for a transformation
 *		    -EAGAIN       - no state yet; one has been asked for. Or an
 *				    ESP packet that was offered within the last
 *				    second, and not learned from
 *		    -EOPNOTSUPP   - a state, mode, route or device that XDP does
 *				    not do, next hops taken by turns, or rules
 *				    that must see every packet, or those of each
 *				    SPI
 *		    -EHOSTUNREACH - the next hop is not resolved yet, and the
 *				    stack has to ask for it with this packet; or
 *				    there are too many in the neighbour table
 *		    -ENOMEM       - out of memory
 *		    other         - what the lookup of the route, or
 *				    xfrm_lookup_with_ifid(), said; a route that
 *				    refuses by one of these numbers says so, too
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

/* struct bpf_xdp_xfrm_sa - Identity of a state, see bpf_xdp_xfrm_input()
 *
 * Members:
 * @reqid	- The state's reqid, as in the template of its policy
 * @if_id	- The state's XFRM interface id
 */
struct bpf_xdp_xfrm_sa {
	u32 reqid;
	u32 if_id;
};

enum {
	BPF_XDP_XFRM_SA_SZ = sizeof(struct bpf_xdp_xfrm_sa),
};

enum {
	BPF_XDP_XFRM_OPTS_SZ = sizeof(struct bpf_xdp_xfrm_opts),
};

static __always_inline int
__xfrm_xdp_packet_tuple(const struct xdp_buff *xdp,
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

/* Netfilter wants to see such a segment, so it is no use to learn from. */
static bool xfrm_xdp_never_learned(const struct xdp_buff *xdp,
				   const struct xfrm_xdp_tuple *tuple)
{
	const struct iphdr *iph = xdp->data + (tuple->vlan_tci ?
					       VLAN_ETH_HLEN : ETH_HLEN);

	return tuple->protocol == IPPROTO_TCP &&
	       xfrm_xdp_filtered(dev_net(xdp->rxq->dev)) &&
	       ((void *)(iph + 2) > xdp->data_end || xfrm_xdp_tcp_control(iph));
}

/**
 * xfrm_xdp_packet_tuple() - take the tuple from a frame
 * @xdp: frame
 * @tuple: result, with the tag of the frame
 *
 * Return: 0, or -EPROTO.
 */
int xfrm_xdp_packet_tuple(const struct xdp_buff *xdp,
			  struct xfrm_xdp_tuple *tuple)
{
	return __xfrm_xdp_packet_tuple(xdp, tuple);
}

/* @key is NULL if the flow is not to be learned. */
static noinline void
xfrm_xdp_write_record(struct xdp_buff *xdp, const struct xfrm_xdp_net *xnet,
		      const struct xfrm_xdp_through *through,
		      const void *key, u32 len,
		      const struct xfrm_xdp_tuple *tuple)
{
	struct xfrm_xdp_md *md = xdp->data - sizeof(*md);
	struct xfrm_xdp_md record = {
		.magic		= XFRM_XDP_MD_MAGIC,
		.ifindex	= xdp->rxq->dev->ifindex,
		.vlan_tci	= tuple->vlan_tci,
		.held		= !key,
	};
	u32 size = xdp->data_end - xdp->data;

	/* The key may lie where the record goes. */
	if (key)
		memcpy(record.key, key, len);
	if (through) {
		record.spi = through->spi;
		record.daddr = through->daddr;
		if (xfrm_xdp_came(NULL, true) & through->came)
			record.vti = through->vti;
		if (size < ETH_ZLEN)
			record.short_len = size - ETH_HLEN;
	}
	record.mac = xfrm_xdp_md_mac(xnet, &record, tuple);
	*md = record;
	xdp->data_meta = md;
}

/* Is there anything to learn from an ESP packet? What comes before its state does is
 * not held for it.
 */
static bool xfrm_xdp_received(const struct xfrm_xdp_net *xnet,
			      const struct xfrm_xdp_tuple *tuple)
{
	xfrm_address_t daddr = { .a4 = tuple->daddr };
	bool received;

	/* with BH off there is RCU already, but lockdep is not told */
	rcu_read_lock();
	received = xfrm_state_receives(xnet->net, &daddr, tuple->ports,
				       IPPROTO_ESP, AF_INET);
	rcu_read_unlock();
	return received;
}

static __always_inline int
xfrm_xdp_offer_check(const struct xdp_buff *xdp,
		     const struct xfrm_xdp_net *xnet,
		     const struct xfrm_xdp_through *through,
		     const struct xfrm_xdp_tuple *tuple)
{
	u32 way = xdp->rxq->dev->ifindex;

	if (!rcu_access_pointer(xnet->ops))
		return -ESRCH;

	/* Who sends clear text must not hold those that are decrypted. */
	if (unlikely(through))
		way = xfrm_xdp_hold_way(way, through->spi);
	/* first: those that are not learned shall not cost more than that */
	if (xfrm_xdp_held(xnet, way, tuple))
		goto held;

	if (xdp_data_meta_unsupported(xdp)) {
		xfrm_xdp_count(xnet, XFRM_XDP_NOMETA);
		return -EOPNOTSUPP;
	}
	if (xdp->data - sizeof(struct xfrm_xdp_md) <
	    xdp->data_hard_start + sizeof(struct xdp_frame)) {
		xfrm_xdp_count(xnet, XFRM_XDP_NOMETA);
		return -ENOSPC;
	}
	if (xfrm_xdp_never_learned(xdp, tuple))
		return -EPROTO;
	if (tuple->protocol == IPPROTO_ESP && !xfrm_xdp_received(xnet, tuple))
		return -ENOKEY;
	if (!xfrm_xdp_hold(xnet, way, tuple))
		return 0;
held:
	xfrm_xdp_count(xnet, XFRM_XDP_HELD);
	return -EAGAIN;
}

__bpf_kfunc_start_defs();

/* bpf_xdp_xfrm_offer - Ask the stack to learn the flow of this packet
 *
 * Writes a record into the packet's metadata (struct xfrm_xdp_md, 64 bytes);
 * what was there is lost. If the stack forwards the packet, and XDP could have
 * done the same, struct xfrm_xdp_ops gets a flow with this record. To be
 * followed by XDP_PASS.
 *
 * For a packet that bpf_xdp_xfrm_input() decrypted the record is written even if
 * the flow is not to be learned, whatever is returned but -EINVAL or -EACCES: it tells
 * the stack which state the packet came through.
 *
 * Parameters:
 * @ctx		- Pointer to ctx (xdp_md) in XDP program
 * @key		- Key of the flow in the program's map
 * @key__sz	- Its length, at most 32 bytes
 *
 * Return:
 * 0, or
 *   -EINVAL     - the key is empty or too long
 *   -ESRCH      - nobody takes flows in this netns
 *   -EAGAIN     - this flow was offered within the last second, and not learned
 *   -EACCES     - it may have been decrypted, but its record has gone
 *   -EPROTO     - not an IPv4 packet that XDP forwards; SYN, FIN or RST of TCP
 *		   while netfilter has hooks
 *   -ENOKEY     - an ESP packet that no state is there for, yet
 *   -EOPNOTSUPP - this device has no metadata
 *   -ENOSPC     - no room for the record
 */
__bpf_kfunc int bpf_xdp_xfrm_offer(struct xdp_md *ctx, const void *key,
				   u32 key__sz)
{
	struct xdp_buff *xdp = (struct xdp_buff *)ctx;
	struct xfrm_xdp_net *xnet = xfrm_xdp_pernet(dev_net(xdp->rxq->dev));
	const struct xfrm_xdp_through *through;
	struct xfrm_xdp_tuple tuple;
	int err;

	if (!key__sz || key__sz > XFRM_XDP_KEY_LEN)
		return -EINVAL;

	through = xfrm_xdp_through(xdp);
	if (!through && xfrm_xdp_maybe_through(xdp))
		return -EACCES;
	err = __xfrm_xdp_packet_tuple(xdp, &tuple);
	if (!err)
		err = xfrm_xdp_offer_check(xdp, xnet, through, &tuple);
	else
		memset(&tuple, 0, sizeof(tuple));

	if (!err || unlikely(through))
		xfrm_xdp_write_record(xdp, xnet, through, err ? NULL : key,
				      key__sz, &tuple);
	return err;
}

/* bpf_xdp_xfrm_input - Decrypt a packet of a flow
 *
 * Checks that the packet belongs to the flow and that the stack would decrypt
 * it, then does so in place.
 *
 * Parameters:
 * @ctx		- Pointer to ctx (xdp_md) in XDP program
 * @flow	- Flow of ESP packets, from a map
 * @sa		- Set to what a flow of inner packets has to have in its key,
 *		  beside their tuple: it survives a rekey
 * @sa__sz	- Length of sa, BPF_XDP_XFRM_SA_SZ
 *
 * Return:
 *   1 - The packet is the inner one now. To be followed by
 *	 bpf_xdp_xfrm_output(), or by bpf_xdp_xfrm_offer() and XDP_PASS: without
 *	 its record the stack takes it for clear text, and drops it where
 *	 policy asks for more
 *   0 - It was dropped: XDP_DROP
 * < 0 - The packet is as it was, the stack has to take it: XDP_PASS. The errno
 *	 says why, see xfrm_xdp_input(); -EINVAL also if sa__sz is wrong
 */
__bpf_kfunc int bpf_xdp_xfrm_input(struct xdp_md *ctx,
				   struct xfrm_xdp_flow *flow,
				   struct bpf_xdp_xfrm_sa *sa, u32 sa__sz)
{
	if (sa__sz != BPF_XDP_XFRM_SA_SZ)
		return -EINVAL;

	/* before: there is nothing to save then, nor to restore */
	sa->reqid = flow->reqid;
	sa->if_id = flow->if_id;
	return xfrm_xdp_input((struct xdp_buff *)ctx, flow);
}

/* bpf_xdp_xfrm_output - Make a packet of a flow ready to be redirected
 *
 * Checks that the packet belongs to the flow and that the stack would send it
 * as the fast path does, then transforms it in place: encrypts it, or lets what
 * was decrypted go on in clear.
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
 * With a flow: asks XFRM again what the stack asked for the flow's first packet,
 * after a rekey for instance. The verdict of the stack on the flow is still needed
 * and still valid. The flow is one that bpf_xdp_xfrm_output() refused with -ESTALE,
 * or with -EACCES: then the packet may have come through a state that is to the
 * flow's as one SA is to that which it replaces. Or the packet is ESP, and the flow
 * is of others between the same addresses, with another SPI.
 *
 * Without a flow: what XFRM would do with this packet on an output route to its
 * destination, for programs that have a policy of their own. Nothing else was
 * asked: no firewall, no input route, no policy for forwarding.
 *
 * A refusal is not counted: the stack will count it, if it gets the packet.
 *
 * Parameters:
 * @ctx		  - Pointer to ctx (xdp_md) in XDP program
 * @flow__nullable - Flow, or NULL
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
BTF_ID_FLAGS(func, bpf_xdp_xfrm_input, KF_RCU | KF_CHANGES_PKT)
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
	err = xfrm_xdp_hold_init(xnet) ?: xfrm_xdp_rules_init(xnet);
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
	/* While there are ops, the stack reads records. */
	static_branch_enable(&xfrm_xdp_recording);
	static_branch_inc(&xfrm_xdp_learning);
	rcu_assign_pointer(xnet->ops, ops);
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
	/* No flow is made for them any more, and not all that ends flows is noticed. */
	synchronize_rcu();
	xfrm_xdp_invalidate(xnet->net);
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
}

static int xfrm_xdp_ops_init(struct btf *btf)
{
	return 0;
}

/* Flows are learned in softirq. */
static int xfrm_xdp_ops_check_member(const struct btf_type *t,
				     const struct btf_member *member,
				     const struct bpf_prog *prog)
{
	return prog->sleepable ? -EINVAL : 0;
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
	.check_member	= xfrm_xdp_ops_check_member,
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
