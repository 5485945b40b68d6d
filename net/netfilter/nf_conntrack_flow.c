// SPDX-License-Identifier: GPL-2.0-only
/* What nf_conntrack_in() does to a packet of a known connection, before there is
 * an skb.
 */

#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_flow.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_l4proto.h>
#include <net/netfilter/nf_conntrack_seqadj.h>
#include <net/netfilter/nf_conntrack_synproxy.h>
#include <net/netfilter/nf_conntrack_timeout.h>

/* An address or a sequence number to be changed, or a life that others lead. */
#define NF_CONNTRACK_FLOW_NEVER						\
	(IPS_NAT_MASK | IPS_SEQ_ADJUST | IPS_DYING | IPS_TEMPLATE |	\
	 IPS_NAT_CLASH | IPS_OFFLOAD | IPS_HW_OFFLOAD)

static bool nf_conntrack_flow_helped(const struct nf_conn *ct)
{
	const struct nf_conn_help *help = nfct_help(ct);

	return help && rcu_access_pointer(help->helper);
}

/**
 * nf_conntrack_flow_ok() - can packets of a connection be tracked without an skb?
 * @flow: connection, as its packet met it
 *
 * It has to be confirmed and, but for a protocol that conntrack has no notion of
 * (ESP), seen both ways. NAT, helpers and synproxy want the skb. Under RCU.
 *
 * Return: true if so.
 */
bool nf_conntrack_flow_ok(const struct nf_conntrack_flow *flow)
{
	const struct nf_conn *ct = flow->ct;
	bool established = flow->ctinfo == IP_CT_ESTABLISHED ||
			   flow->ctinfo == IP_CT_ESTABLISHED_REPLY;

	if (nf_ct_l3num(ct) != NFPROTO_IPV4 ||
	    !(flow->status & IPS_CONFIRMED) ||
	    flow->status & NF_CONNTRACK_FLOW_NEVER ||
	    nf_conntrack_flow_helped(ct) || nfct_seqadj(ct) ||
	    nfct_synproxy(ct))
		return false;

	switch (nf_ct_protonum(ct)) {
	case IPPROTO_TCP:
		return established && flow->status & IPS_ASSURED &&
		       READ_ONCE(ct->proto.tcp.state) ==
		       TCP_CONNTRACK_ESTABLISHED;
	case IPPROTO_UDP:
	case IPPROTO_ICMP:
		return established && flow->status & IPS_SEEN_REPLY;
	case IPPROTO_ESP:
		return established || flow->ctinfo == IP_CT_NEW;
	}

	return false;
}

/* As nf_ip_checksum() looks at what came in. */
static bool nf_conntrack_flow_csum_ok(const struct iphdr *iph, unsigned int len)
{
	__wsum csum = csum_partial(iph + 1, len, 0);

	if (iph->protocol == IPPROTO_ICMP)
		return !csum_fold(csum);

	return !csum_tcpudp_magic(iph->saddr, iph->daddr, len, iph->protocol,
				  csum);
}

/* As nf_conntrack_udp_packet(), to which the packet is left that comes first after
 * two seconds, and makes the entry assured.
 */
static bool nf_conntrack_flow_udp(struct nf_conn *ct,
				  enum ip_conntrack_info ctinfo,
				  unsigned int bytes)
{
	bool stream = time_after(jiffies, ct->proto.udp.stream_ts);
	const unsigned int *timeouts = nf_ct_timeout_lookup(ct);

	if (stream && !test_bit(IPS_ASSURED_BIT, &ct->status))
		return false;

	if (!timeouts)
		timeouts = nf_udp_pernet(nf_ct_net(ct))->timeouts;
	__nf_ct_refresh_acct(ct, ctinfo, timeouts[stream ? UDP_CT_REPLIED :
							   UDP_CT_UNREPLIED],
			     bytes);
	return true;
}

/* As nf_conntrack_icmp_packet() and generic_packet(). */
static bool nf_conntrack_flow_refresh(struct nf_conn *ct,
				      enum ip_conntrack_info ctinfo,
				      unsigned int timeout, unsigned int bytes)
{
	const unsigned int *timeouts = nf_ct_timeout_lookup(ct);

	__nf_ct_refresh_acct(ct, ctinfo, timeouts ? *timeouts : timeout, bytes);
	return true;
}

/**
 * nf_conntrack_flow_packet() - track a packet of a connection
 * @flow: connection; nf_conntrack_flow_ok() and nf_conntrack_flow_same() hold
 * @iph: IPv4 header without options; unless it is ESP all of the packet is readable
 * @received: the packet was received, so its checksum counts
 *
 * Under RCU, BH off.
 *
 * Return: true if all is done that nf_conntrack_in() would have done. False if it
 * has to see the packet: a segment that opens, closes or is out of the window, a
 * wrong checksum; nothing has changed for it then.
 */
bool nf_conntrack_flow_packet(const struct nf_conntrack_flow *flow,
			      const struct iphdr *iph, bool received)
{
	unsigned int bytes = ntohs(iph->tot_len);
	unsigned int len = bytes - sizeof(*iph);
	const void *l4 = iph + 1;
	const struct udphdr *udph = l4;
	struct nf_conn *ct = flow->ct;
	struct net *net = nf_ct_net(ct);

	switch (iph->protocol) {
	case IPPROTO_UDP:
		if (ntohs(udph->len) > len || ntohs(udph->len) < sizeof(*udph))
			return false;
		received = received && udph->check;
		break;
	case IPPROTO_ESP:
		received = false;
		break;
	}
	if (received && net->ct.sysctl_checksum &&
	    !nf_conntrack_flow_csum_ok(iph, len))
		return false;

	switch (iph->protocol) {
	case IPPROTO_TCP:
		return nf_conntrack_tcp_flow_packet(ct, flow->ctinfo, l4, len,
						    bytes);
	case IPPROTO_UDP:
		return nf_conntrack_flow_udp(ct, flow->ctinfo, bytes);
	case IPPROTO_ICMP:
		return nf_conntrack_flow_refresh(ct, flow->ctinfo,
						 nf_icmp_pernet(net)->timeout,
						 bytes);
	default:
		return nf_conntrack_flow_refresh(ct, flow->ctinfo,
						 nf_generic_pernet(net)->timeout,
						 bytes);
	}
}
