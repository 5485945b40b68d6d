/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NF_CONNTRACK_FLOW_H
#define _NF_CONNTRACK_FLOW_H

/* Connections of packets that are forwarded before there is an skb. */

#include <linux/skbuff.h>
#include <net/netfilter/nf_conntrack.h>

/**
 * struct nf_conntrack_flow - a connection as the first packet of a flow met it
 * @ct: entry, one reference; NULL if the packets are not tracked
 * @status: of the entry; rules may have asked for it
 * @mark: the same
 * @ctinfo: direction and state of the packets
 */
struct nf_conntrack_flow {
	struct nf_conn	*ct;
	unsigned long	status;
	u32		mark;
	u8		ctinfo;
};

#if IS_ENABLED(CONFIG_NF_CONNTRACK)

static inline u32 nf_conntrack_flow_mark(const struct nf_conn *ct)
{
#if IS_ENABLED(CONFIG_NF_CONNTRACK_MARK)
	return READ_ONCE(ct->mark);
#else
	return 0;
#endif
}

/**
 * nf_conntrack_flow_note() - note the connection of a packet
 * @flow: result; takes a reference
 * @skb: packet, tracked
 */
static inline void nf_conntrack_flow_note(struct nf_conntrack_flow *flow,
					  const struct sk_buff *skb)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	nf_conntrack_get(&ct->ct_general);
	flow->ct = ct;
	flow->status = READ_ONCE(ct->status);
	flow->mark = nf_conntrack_flow_mark(ct);
	flow->ctinfo = ctinfo;
}

/**
 * nf_conntrack_flow_same() - would rules get the same answers about it today?
 * @flow: connection, tracked
 *
 * Return: false if it is gone, expired, or not what it was.
 */
static inline bool nf_conntrack_flow_same(const struct nf_conntrack_flow *flow)
{
	const struct nf_conn *ct = flow->ct;

	return READ_ONCE(ct->status) == flow->status &&
	       nf_conntrack_flow_mark(ct) == flow->mark &&
	       !nf_ct_is_expired(ct);
}

/* Has conntrack, or will it soon, put away what @flow holds? */
static inline bool nf_conntrack_flow_ended(const struct nf_conntrack_flow *flow)
{
	return flow->ct &&
	       (nf_ct_is_dying(flow->ct) || nf_ct_is_expired(flow->ct));
}

/* Under RCU; false if the connection is about to be freed. */
static inline bool nf_conntrack_flow_hold(struct nf_conntrack_flow *to,
					  const struct nf_conntrack_flow *from)
{
	struct nf_conn *ct = READ_ONCE(from->ct);

	*to = *from;
	to->ct = ct && refcount_inc_not_zero(&ct->ct_general.use) ? ct : NULL;
	return to->ct == ct;
}

static inline void nf_conntrack_flow_put(struct nf_conntrack_flow *flow)
{
	if (flow->ct)
		nf_conntrack_put(&flow->ct->ct_general);
}

#else /* !CONFIG_NF_CONNTRACK */

static inline void nf_conntrack_flow_note(struct nf_conntrack_flow *flow,
					  const struct sk_buff *skb)
{
}

static inline bool nf_conntrack_flow_same(const struct nf_conntrack_flow *flow)
{
	return true;
}

static inline bool nf_conntrack_flow_ended(const struct nf_conntrack_flow *flow)
{
	return false;
}

static inline bool nf_conntrack_flow_hold(struct nf_conntrack_flow *to,
					  const struct nf_conntrack_flow *from)
{
	return true;
}

static inline void nf_conntrack_flow_put(struct nf_conntrack_flow *flow)
{
}

#endif /* CONFIG_NF_CONNTRACK */

/* Within the module: others call them by struct nf_ct_hook. */
bool nf_conntrack_flow_ok(const struct nf_conntrack_flow *flow);
bool nf_conntrack_flow_packet(const struct nf_conntrack_flow *flow,
			      const struct iphdr *iph, bool received);

#endif /* _NF_CONNTRACK_FLOW_H */
