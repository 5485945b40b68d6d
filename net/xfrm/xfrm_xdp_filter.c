// SPDX-License-Identifier: GPL-2.0-only
/* Netfilter watched while it judges the first packet of a flow.
 *
 * Its hooks, and the rules behind them, say whether they would have judged any
 * other packet of the flow alike. All that was asked has to say so: then others
 * take the same path through the ruleset, and get the same verdict.
 *
 * Connections are noted in the moment that a packet gets them, before any rule
 * can ask for their mark or status; what changed until the packet was sent has
 * been judged as something else.
 */

#include <linux/netfilter.h>
#include <net/ip.h>
#include <net/netfilter/nf_conntrack_flow.h>

#include "xfrm_xdp_internal.h"

/**
 * xfrm_xdp_filtered() - does netfilter see packets that are forwarded?
 * @net: netns
 *
 * Any context.
 *
 * Return: true if there is a hook.
 */
bool xfrm_xdp_filtered(const struct net *net)
{
#ifdef CONFIG_NETFILTER
	return rcu_access_pointer(net->nf.hooks_ipv4[NF_INET_PRE_ROUTING]) ||
	       rcu_access_pointer(net->nf.hooks_ipv4[NF_INET_FORWARD]) ||
	       rcu_access_pointer(net->nf.hooks_ipv4[NF_INET_LOCAL_OUT]) ||
	       rcu_access_pointer(net->nf.hooks_ipv4[NF_INET_POST_ROUTING]);
#else
	return false;
#endif
}

/* Rules may ask for these flags, but XDP leaves such segments to the stack. */
static bool xfrm_xdp_controls(struct sk_buff *skb)
{
	return ip_hdr(skb)->protocol == IPPROTO_TCP &&
	       (!pskb_may_pull(skb, sizeof(struct iphdr) +
				    sizeof(struct tcphdr)) ||
		xfrm_xdp_tcp_control(ip_hdr(skb)));
}

#if IS_ENABLED(CONFIG_NF_CONNTRACK)
static bool xfrm_xdp_note_connection(struct xfrm_xdp_origin *origin,
				     const struct sk_buff *skb)
{
	struct nf_conntrack_flow *flow = &origin->ct[origin->outer];
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (!ct) {
		/* a tunnel device has taken it off, and will from all packets */
		if (origin->tunnel_ifindex && !origin->outer)
			return true;
		return !flow->ct && ctinfo == IP_CT_UNTRACKED;
	}

	if (!flow->ct)
		nf_conntrack_flow_note(flow, skb);
	return flow->ct == ct;
}
#else
static bool xfrm_xdp_note_connection(struct xfrm_xdp_origin *origin,
				     const struct sk_buff *skb)
{
	return false;
}
#endif

void __xfrm_xdp_hooked(struct sk_buff *skb, const struct nf_hook_ops *ops)
{
	struct xfrm_xdp_origin *origin = xfrm_xdp_offer_origin(skb);

	if (ops->flow == NF_HOOK_FLOW_UNKNOWN) {
		__xfrm_xdp_unstable(skb, "netfilter", "hook", 0, "unknown");
		if (!xfrm_xdp_offered(skb))
			return;
	}

	if (!origin->judged && xfrm_xdp_controls(skb))
		xfrm_xdp_refuse_skb(skb, XFRM_XDP_NOCONN);
	else if (ops->flow == NF_HOOK_FLOW_TRACKED &&
		 !xfrm_xdp_note_connection(origin, skb))
		xfrm_xdp_refuse_skb(skb, XFRM_XDP_NOCONN);
	else
		origin->judged = true;
}
EXPORT_SYMBOL_GPL(__xfrm_xdp_hooked);

void __xfrm_xdp_asked(struct sk_buff *skb, u64 bit)
{
	xfrm_xdp_offer_origin(skb)->asked |= bit;
}
EXPORT_SYMBOL_GPL(__xfrm_xdp_asked);

void __xfrm_xdp_changed(struct sk_buff *skb)
{
	xfrm_xdp_offer_origin(skb)->changed = true;
}
EXPORT_SYMBOL_GPL(__xfrm_xdp_changed);

void __xfrm_xdp_unstable(struct sk_buff *skb, const char *table,
			 const char *chain, u64 rule, const char *what)
{
	struct xfrm_xdp_origin *origin = xfrm_xdp_offer_origin(skb);
	struct xfrm_xdp_net *xnet = xfrm_xdp_offer_net(skb);

	if (READ_ONCE(xnet->trust_filter) && !origin->changed) {
		origin->trusted = true;
		return;
	}

	xfrm_xdp_rules_note(xnet, table, chain, rule, what);
	xfrm_xdp_refuse_skb(skb, XFRM_XDP_NOFILTER);
}
EXPORT_SYMBOL_GPL(__xfrm_xdp_unstable);

/**
 * xfrm_xdp_filter_check() - can the connections of a packet be tracked from XDP?
 * @origin: packet, after it was sent
 *
 * And were they all the time what they are now? Under RCU.
 *
 * Return: 0, or XFRM_XDP_NOCONN.
 */
enum xfrm_xdp_stat xfrm_xdp_filter_check(const struct xfrm_xdp_origin *origin)
{
	const struct nf_conntrack_flow *flow;
	const struct nf_ct_hook *hook;

	for (flow = origin->ct;
	     flow < origin->ct + ARRAY_SIZE(origin->ct); flow++) {
		if (!flow->ct)
			continue;

		hook = rcu_dereference(nf_ct_hook);
		if (!hook || !hook->flow_ok(flow) ||
		    !nf_conntrack_flow_same(flow))
			return XFRM_XDP_NOCONN;
	}

	return 0;
}
