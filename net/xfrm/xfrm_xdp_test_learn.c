// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of XFRM for XDP: the first packet of a flow takes the stack, and
 * the fast path has to do as the stack did.
 */

#include <linux/etherdevice.h>
#include <linux/inetdevice.h>
#include <linux/iopoll.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/route.h>
#include <net/esp.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/neighbour.h>
#include <net/route.h>

#include "xfrm_xdp_test.h"

static const u8 test_map_key[XFRM_XDP_KEY_LEN] = "a key";

/* What flow_add() got, and what it answers. */
static struct xfrm_xdp_flow *test_learned;
static struct xfrm_xdp_md test_learned_md;
static int test_answer;

/* The transmit lock was held when flow_add() was called. */
static bool test_locked;

static int test_flow_add(const struct xfrm_xdp_md *md,
			 struct xfrm_xdp_flow *flow)
{
	struct netdev_queue *txq = netdev_get_tx_queue(flow->dev, 0);

	if (test_answer)
		return test_answer;

	test_locked |= READ_ONCE(txq->xmit_lock_owner) != -1;
	if (test_learned)
		xfrm_xdp_flow_put(test_learned);
	refcount_inc(&flow->refcnt);
	test_learned = flow;
	test_learned_md = *md;
	return 0;
}

static struct xfrm_xdp_ops test_ops = {
	.flow_add	= test_flow_add,
};

/* The record that XDP would write for the frame. */
static struct xfrm_xdp_md test_record(const struct xfrm_xdp_test_gw *gw)
{
	struct xfrm_xdp_md md = {
		.magic = XFRM_XDP_MD_MAGIC,
		.ifindex = gw->lan->ifindex,
	};
	struct xfrm_xdp_tuple tuple;

	KUNIT_ASSERT_EQ(gw->test, xfrm_xdp_parse(xfrm_xdp_test_iph(gw),
						 gw->xdp.data_end, &tuple), 0);
	memcpy(md.key, test_map_key, sizeof(md.key));
	md.mac = xfrm_xdp_md_mac(gw->xnet, &md, &tuple);
	return md;
}

/* The frame as it is now, received, behind @md. */
static struct sk_buff *test_skb(struct xfrm_xdp_test_gw *gw,
				const struct xfrm_xdp_md *md)
{
	struct sk_buff *skb = alloc_skb(PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(gw->test, skb);
	skb_reserve(skb, TEST_HEADROOM);
	skb_put_data(skb, gw->xdp.data, gw->xdp.data_end - gw->xdp.data);
	memcpy(skb->data - sizeof(*md), md, sizeof(*md));
	skb_metadata_set(skb, sizeof(*md));
	skb->protocol = eth_type_trans(skb, gw->lan);
	return skb;
}

/* The frame as it is now goes up the stack, behind @md. @meanwhile happens
 * after it was sent, and before its offer is looked at.
 */
static void test_receive_and(struct xfrm_xdp_test_gw *gw,
			     const struct xfrm_xdp_md *md,
			     void (*meanwhile)(struct xfrm_xdp_test_gw *gw))
{
	struct sk_buff *skb = test_skb(gw, md);

	/* offers are looked at when softirqs are on again */
	local_bh_disable();
	netif_receive_skb(skb);
	if (meanwhile)
		meanwhile(gw);
	local_bh_enable();
}

static void test_receive(struct xfrm_xdp_test_gw *gw,
			 const struct xfrm_xdp_md *md)
{
	test_receive_and(gw, md, NULL);
}

static void test_first_packet(struct xfrm_xdp_test_gw *gw)
{
	struct xfrm_xdp_md md = test_record(gw);

	test_receive(gw, &md);
}

static struct sk_buff *test_forwarded(struct xfrm_xdp_test_gw *gw)
{
	struct sk_buff *skb = skb_dequeue(xfrm_xdp_test_sent(gw->wan));

	if (skb)
		KUNIT_ASSERT_EQ(gw->test, skb_linearize(skb), 0);
	return skb;
}

static void test_forget(void)
{
	if (test_learned)
		xfrm_xdp_flow_put(test_learned);
	test_learned = NULL;
}

/* Nothing was learned, and that is why. */
static void test_expect_refused(struct xfrm_xdp_test_gw *gw,
				enum xfrm_xdp_stat why)
{
	struct kunit *test = gw->test;

	KUNIT_EXPECT_NULL(test, test_learned);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(gw->xnet, XFRM_XDP_LEARNED),
			0);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(gw->xnet, why), 1);
	test_forget();
}

static void test_learns(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct xfrm_xdp_md md;

	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	md = test_record(gw);
	test_receive(gw, &md);

	KUNIT_ASSERT_NOT_NULL(test, test_learned);
	KUNIT_EXPECT_MEMEQ(test, &test_learned_md, &md, sizeof(md));
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(gw->xnet, XFRM_XDP_OFFER), 1);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(gw->xnet, XFRM_XDP_LEARNED),
			1);
	KUNIT_EXPECT_EQ(test, test_learned->iif, gw->lan->ifindex);
	KUNIT_EXPECT_EQ(test, test_learned->ifindex, gw->wan->ifindex);
	KUNIT_EXPECT_MEMEQ(test, &test_learned->tuple, &gw->flow->tuple,
			   sizeof(gw->flow->tuple));
	KUNIT_EXPECT_MEMEQ(test, &test_learned->rewrite, &gw->flow->rewrite,
			   sizeof(gw->flow->rewrite));
	KUNIT_EXPECT_EQ(test, test_learned->fl.flowi_oif, gw->wan->ifindex);
	TEST_EXPECT_BE(test, test_learned->fl.u.ip4.daddr, TEST_FAR);
}

/* The same packet by stack and fast path: only the sequence number differs.
 * The null cipher makes that so for all of the frame.
 */
static void test_expect_twins(struct xfrm_xdp_test_gw *gw, u8 tos,
			      __be16 frag_off, u32 len)
{
	struct kunit *test = gw->test;
	struct ip_esp_hdr *esph;
	struct iphdr *iph;
	struct sk_buff *skb;
	u32 seq;

	xfrm_xdp_test_frame(gw, TEST_HEADROOM, len);
	iph = xfrm_xdp_test_iph(gw);
	iph->tos = tos;
	iph->frag_off = frag_off;
	ip_send_check(iph);

	test_first_packet(gw);
	skb = test_forwarded(gw);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	KUNIT_ASSERT_NOT_NULL(test, test_learned);
	swap(gw->flow, test_learned);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_output(gw), gw->wan->ifindex);
	swap(gw->flow, test_learned);

	iph = xfrm_xdp_test_iph(gw);
	esph = (struct ip_esp_hdr *)(iph + 1);
	seq = ntohl(((struct ip_esp_hdr *)(ip_hdr(skb) + 1))->seq_no);
	KUNIT_EXPECT_EQ(test, ntohl(esph->seq_no), seq + 1);
	esph->seq_no = htonl(seq);
	if (!iph->frag_off) {
		KUNIT_EXPECT_NE(test, ntohs(iph->id), ntohs(ip_hdr(skb)->id));
		iph->id = ip_hdr(skb)->id;
		ip_send_check(iph);
	}

	KUNIT_EXPECT_EQ(test, gw->xdp.data_end - gw->xdp.data, skb->len);
	KUNIT_EXPECT_EQ_MSG(test, memcmp(gw->xdp.data, skb->data, skb->len), 0,
			    "length %u, TOS %x", len, tos);
	kfree_skb(skb);
	test_forget();
}

static void test_twins(struct kunit *test)
{
	static const u32 flags[] = {
		0, XFRM_STATE_NOECN, XFRM_STATE_NOPMTUDISC,
	};
	struct xfrm_xdp_test_gw *gw = test->priv;
	u32 len;
	int i;

	for (i = 0; i < ARRAY_SIZE(flags) * 2; i++) {
		xfrm_xdp_test_state(gw, TEST_NULL);
		gw->x->props.flags = flags[i / 2];
		if (i % 2)
			gw->x->props.extra_flags = XFRM_SA_XFLAG_DONT_ENCAP_DSCP;
		for (len = 28; len < 36; len++)
			test_expect_twins(gw, TEST_DSCP, htons(IP_DF), len);
		test_expect_twins(gw, INET_ECN_NOT_ECT, 0, 100);
		test_expect_twins(gw, TEST_DSCP | INET_ECN_ECT_0, 0, 100);
		test_expect_twins(gw, TEST_DSCP | INET_ECN_ECT_1, 0, 100);
		test_expect_twins(gw, TEST_DSCP | INET_ECN_CE, htons(IP_DF),
				  100);
		test_expect_twins(gw, TEST_DSCP, htons(IP_DF), 1400);
		/* stack and fast path have charged it alike */
		KUNIT_EXPECT_EQ(test, gw->x->curlft.packets, 2 * 13);
		KUNIT_EXPECT_EQ(test, gw->x->curlft.bytes,
				2 * (28 + 29 + 30 + 31 + 32 + 33 + 34 + 35 +
				     4 * 100 + 1400));
	}
}

/* The driver is busy at first; what is sent in the end counts once, and whoever
 * takes the flow does not hold up the queue.
 */
static void test_requeued(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	u32 len;

	xfrm_xdp_test_tx_busy = 3;
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	test_first_packet(gw);
	/* the qdisc tries again in its softirq */
	KUNIT_ASSERT_EQ(test, read_poll_timeout(skb_queue_len, len, len, 1000,
						1000000, false,
						xfrm_xdp_test_sent(gw->wan)),
			0);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_tx_busy, 0);
	KUNIT_EXPECT_EQ(test, skb_queue_len(xfrm_xdp_test_sent(gw->wan)), 1);
	KUNIT_EXPECT_NOT_NULL(test, test_learned);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(gw->xnet, XFRM_XDP_LEARNED),
			1);
	KUNIT_EXPECT_FALSE(test, test_locked);
}

/* A record that XDP did not make for this packet, here and now. */
static void test_forged(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct xfrm_xdp_md md;
	int i;

	for (i = 0; i < 6; i++) {
		xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
		md = test_record(gw);
		switch (i) {
		case 0:
			md.mac ^= 1;
			break;
		case 1:
			md.ifindex = gw->wan->ifindex;
			break;
		case 2:
			md.key[XFRM_XDP_KEY_LEN - 1] ^= 1;
			break;
		case 3:
			((__be16 *)(xfrm_xdp_test_iph(gw) + 1))[0] ^= htons(1);
			break;
		case 4:
			md.vlan_tci = htons(1);
			break;
		case 5:
			rcu_assign_pointer(gw->xnet->ops, NULL);
			break;
		}
		test_receive(gw, &md);
		KUNIT_EXPECT_NULL(test, test_learned);
		KUNIT_EXPECT_EQ_MSG(test,
				    xfrm_xdp_test_stat(gw->xnet,
						       XFRM_XDP_NORECORD),
				    i + 1, "case %d", i);
	}
	rcu_assign_pointer(gw->xnet->ops, &test_ops);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(gw->xnet, XFRM_XDP_OFFER), 0);
	/* the packets themselves are forwarded as ever */
	KUNIT_EXPECT_EQ(test, skb_queue_len(xfrm_xdp_test_sent(gw->wan)), 6);

	/* metadata that is somebody else's is not ours to judge */
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	md = test_record(gw);
	md.magic++;
	test_receive(gw, &md);
	KUNIT_EXPECT_NULL(test, test_learned);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(gw->xnet, XFRM_XDP_NORECORD),
			6);
}

static struct sk_buff *test_first_skb(struct xfrm_xdp_test_gw *gw, __be32 saddr)
{
	struct xfrm_xdp_md md;

	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	xfrm_xdp_test_iph(gw)->saddr = saddr;
	ip_send_check(xfrm_xdp_test_iph(gw));
	md = test_record(gw);
	return test_skb(gw, &md);
}

/* The stack may take the route of the packet before it, and does not look at the source
 * then. It is the gateway's own here.
 */
static void test_route_hint(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	LIST_HEAD(received);

	list_add_tail(&test_first_skb(gw, TEST_HOST)->list, &received);
	list_add_tail(&test_first_skb(gw, TEST_LAN)->list, &received);
	local_bh_disable();
	netif_receive_skb_list(&received);
	local_bh_enable();

	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(gw->xnet, XFRM_XDP_OFFER), 2);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(gw->xnet, XFRM_XDP_LEARNED),
			1);
	KUNIT_EXPECT_EQ(test, skb_queue_len(xfrm_xdp_test_sent(gw->wan)), 1);
	KUNIT_ASSERT_NOT_NULL(test, test_learned);
	TEST_EXPECT_BE(test, test_learned->tuple.saddr, TEST_HOST);
}

static void test_first_marked(struct xfrm_xdp_test_gw *gw)
{
	struct sk_buff *skb = test_first_skb(gw, TEST_HOST);

	skb->mark = 7;
	local_bh_disable();
	netif_receive_skb(skb);
	local_bh_enable();
}

/* A mark ends with a frame that XDP sends: not where the device may look at it. */
static void test_device_with_mark(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	gw->wan->xdp_features = 0;
	test_first_marked(gw);
	test_expect_refused(gw, XFRM_XDP_NOWIRE);

	gw->wan->xdp_features = NETDEV_XDP_ACT_NDO_XMIT;
	xfrm_xdp_invalidate(gw->net);
	test_first_marked(gw);
	KUNIT_EXPECT_NOT_NULL(test, test_learned);
}

/* Not forwarded: delivered here, expired, a fragment. */
static void test_not_forwarded(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct xfrm_xdp_md md;
	struct iphdr *iph;

	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	iph = xfrm_xdp_test_iph(gw);
	iph->daddr = TEST_LAN;
	ip_send_check(iph);
	test_first_packet(gw);
	KUNIT_EXPECT_NULL(test, test_learned);

	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	iph = xfrm_xdp_test_iph(gw);
	iph->ttl = 1;
	ip_send_check(iph);
	test_first_packet(gw);
	KUNIT_EXPECT_NULL(test, test_learned);

	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	md = test_record(gw);
	iph = xfrm_xdp_test_iph(gw);
	iph->frag_off = htons(IP_MF);
	ip_send_check(iph);
	test_receive(gw, &md);
	KUNIT_EXPECT_NULL(test, test_learned);

	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(gw->xnet, XFRM_XDP_LEARNED),
			0);
}

static void test_no_policy(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct sk_buff *skb;

	xfrm_policy_flush(gw->net, XFRM_POLICY_TYPE_MAIN, true);
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	test_first_packet(gw);
	skb = test_forwarded(gw);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	KUNIT_EXPECT_EQ(test, ip_hdr(skb)->protocol, IPPROTO_UDP);
	kfree_skb(skb);
	test_expect_refused(gw, XFRM_XDP_NOPLAIN);
}

static void test_no_ops(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	test_answer = -ENOSPC;
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	test_first_packet(gw);
	test_expect_refused(gw, XFRM_XDP_NOOPS);
}

/* A state that pads each packet as it likes. */
static void test_no_state(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	gw->x->tfcpad = 200;
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	test_first_packet(gw);
	test_expect_refused(gw, XFRM_XDP_NOSTATE);
}

static void test_no_device(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	gw->wan->xdp_features = 0;
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	test_first_packet(gw);
	test_expect_refused(gw, XFRM_XDP_NODEVICE);
}

/* What XDP redirects, such a driver drops. */
static void test_no_redirect(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	gw->lan->xdp_features &= ~NETDEV_XDP_ACT_REDIRECT;
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	test_first_packet(gw);
	test_expect_refused(gw, XFRM_XDP_NODEVICE);
}

/* XDP would send past a rate that the driver keeps. */
static void test_maxrate(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	netdev_get_tx_queue(gw->wan, 0)->tx_maxrate = 100;
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	test_first_packet(gw);
	test_expect_refused(gw, XFRM_XDP_NOTC);
}

static void test_other_mac(struct xfrm_xdp_test_gw *gw)
{
	static const u8 other[ETH_ALEN] = { 2, 0, 0, 0, 0, 0x33 };

	neigh_update(gw->neigh, other, NUD_PERMANENT, NEIGH_UPDATE_F_ADMIN |
		     NEIGH_UPDATE_F_OVERRIDE, 0);
}

static void test_other_route(struct xfrm_xdp_test_gw *gw)
{
	rt_cache_flush(gw->net);
}

static void test_other_spi(struct xfrm_xdp_test_gw *gw)
{
	gw->x->id.spi ^= htonl(1);
}

static void test_no_header(struct xfrm_xdp_test_gw *gw)
{
	gw->neigh->hh.hh_len = 0;
}

/* The frame that was sent is not what XDP would send now. */
static void test_wire(struct kunit *test)
{
	static const struct {
		void (*meanwhile)(struct xfrm_xdp_test_gw *gw);
		enum xfrm_xdp_stat why;
	} cases[] = {
		{ test_other_mac, XFRM_XDP_NOWIRE },
		{ test_other_route, XFRM_XDP_NOWIRE },
		{ test_other_spi, XFRM_XDP_NOWIRE },
		{ test_no_header, XFRM_XDP_NONEIGH },
	};
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct xfrm_xdp_md md;
	unsigned long before;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		before = xfrm_xdp_test_stat(gw->xnet, cases[i].why);
		xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
		md = test_record(gw);
		test_receive_and(gw, &md, cases[i].meanwhile);
		KUNIT_EXPECT_NULL_MSG(test, test_learned, "case %d", i);
		KUNIT_EXPECT_EQ_MSG(test,
				    xfrm_xdp_test_stat(gw->xnet, cases[i].why),
				    before + 1, "case %d", i);
	}
}

/* The stack would tell the host of a shorter way: for each packet. */
static void test_redirect_due(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct rtentry rt = { .rt_flags = RTF_UP | RTF_GATEWAY | RTF_HOST };
	struct sockaddr_in *sin = (struct sockaddr_in *)&rt.rt_dst;

	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = TEST_FAR;
	sin = (struct sockaddr_in *)&rt.rt_gateway;
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(ntohl(TEST_LAN) + 8);
	KUNIT_ASSERT_EQ(test, ip_rt_ioctl(gw->net, SIOCADDRT, &rt), 0);

	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	test_first_packet(gw);
	test_expect_refused(gw, XFRM_XDP_NOPACKET);
}

static unsigned int test_accept(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	return NF_ACCEPT;
}

static unsigned int test_drop(void *priv, struct sk_buff *skb,
			      const struct nf_hook_state *state)
{
	return NF_DROP;
}

static unsigned int test_mangle(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	ip_hdr(skb)->tos ^= 0x10;
	ip_send_check(ip_hdr(skb));
	return NF_ACCEPT;
}

static void test_netfilter(struct kunit *test)
{
	static const struct {
		nf_hookfn *hook;
		unsigned int hooknum;
		enum xfrm_xdp_stat why;
		unsigned int sent;
		enum nf_hook_flow flow;
	} cases[] = {
		{ test_accept, NF_INET_PRE_ROUTING, XFRM_XDP_NOFILTER, 1 },
		{ test_accept, NF_INET_FORWARD, XFRM_XDP_NOFILTER, 1 },
		{ test_accept, NF_INET_LOCAL_OUT, XFRM_XDP_NOFILTER, 1 },
		{ test_accept, NF_INET_POST_ROUTING, XFRM_XDP_NOFILTER, 1 },
		{ test_mangle, NF_INET_FORWARD, XFRM_XDP_NOFILTER, 1 },
		/* it does not say what it does */
		{ test_mangle, NF_INET_FORWARD, XFRM_XDP_NOCLEAR, 1,
		  NF_HOOK_FLOW_STABLE },
		/* nor does it give them a connection */
		{ test_accept, NF_INET_FORWARD, XFRM_XDP_NOCONN, 1,
		  NF_HOOK_FLOW_TRACKED },
		{ test_drop, NF_INET_FORWARD, XFRM_XDP_OFFER, 0 },
		{ test_drop, NF_INET_POST_ROUTING, XFRM_XDP_OFFER, 0 },
	};
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct nf_hook_ops ops = { .pf = NFPROTO_IPV4 };
	unsigned long before;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ops.hook = cases[i].hook;
		ops.hooknum = cases[i].hooknum;
		ops.flow = cases[i].flow;

		/* a new hook ends the flows that did not meet it */
		xfrm_xdp_test_flow(gw);
		KUNIT_ASSERT_EQ(test, nf_register_net_hook(gw->net, &ops), 0);
		xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
		xfrm_xdp_test_expect_pass(gw, -EPERM, XFRM_XDP_PASSAUTH);

		before = xfrm_xdp_test_stat(gw->xnet, cases[i].why);
		test_first_packet(gw);
		KUNIT_EXPECT_NULL_MSG(test, test_learned, "case %d", i);
		KUNIT_EXPECT_EQ_MSG(test,
				    xfrm_xdp_test_stat(gw->xnet, cases[i].why),
				    before + 1, "case %d", i);
		KUNIT_EXPECT_EQ_MSG(test,
				    skb_queue_len(xfrm_xdp_test_sent(gw->wan)),
				    cases[i].sent, "case %d", i);
		skb_queue_purge(xfrm_xdp_test_sent(gw->wan));
		nf_unregister_net_hook(gw->net, &ops);
	}

	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	test_first_packet(gw);
	KUNIT_EXPECT_NOT_NULL(test, test_learned);
}

/* A hook that treats all packets of a flow alike: XDP goes past it. */
static void test_stable_hook(struct kunit *test)
{
	static const struct nf_hook_ops ops = {
		.hook		= test_accept,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_FORWARD,
		.flow		= NF_HOOK_FLOW_STABLE,
	};
	struct xfrm_xdp_test_gw *gw = test->priv;

	KUNIT_ASSERT_EQ(test, nf_register_net_hook(gw->net, &ops), 0);
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	test_first_packet(gw);
	KUNIT_ASSERT_NOT_NULL(test, test_learned);
	KUNIT_EXPECT_TRUE(test, test_learned->judged);
	KUNIT_EXPECT_FALSE(test, test_learned->ordinary);

	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_output(&gw->xdp, test_learned),
			gw->wan->ifindex);
	nf_unregister_net_hook(gw->net, &ops);
}

/* Policies have nothing to say about other families. */
static void test_undecodable(struct xfrm_xdp_test_gw *gw)
{
	struct xfrm_policy *pols[XFRM_POLICY_TYPE_MAX];
	struct sk_buff *skb = test_forwarded(gw);

	KUNIT_ASSERT_NOT_NULL(gw->test, skb);
	skb->dev = gw->lan;
	local_bh_disable();
	rcu_read_lock();
	KUNIT_EXPECT_EQ(gw->test,
			xfrm_passed_policies(skb, XFRM_POLICY_FWD, AF_UNSPEC,
					     pols), -EINVAL);
	rcu_read_unlock();
	local_bh_enable();
	kfree_skb(skb);
}

/* The flow remembers who let its first packet be forwarded, and for how long. */
static void test_fwd_policy(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct xfrm_policy *fwd;

	fwd = xfrm_xdp_test_policy(gw, XFRM_POLICY_FWD);
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	test_first_packet(gw);
	KUNIT_ASSERT_NOT_NULL(test, test_learned);
	KUNIT_ASSERT_EQ(test, test_learned->fwd.num, 1);
	KUNIT_EXPECT_PTR_EQ(test, test_learned->fwd.pols[0], fwd);
	test_forget();
	test_undecodable(gw);

	/* not asked for, so not kept up */
	rtnl_lock();
	IN_DEV_CONF_SET(__in_dev_get_rtnl(gw->lan), NOPOLICY, 1);
	rtnl_unlock();
	rt_cache_flush(gw->net);
	test_first_packet(gw);
	KUNIT_ASSERT_NOT_NULL(test, test_learned);
	KUNIT_EXPECT_EQ(test, test_learned->fwd.num, 0);
}

/* Metadata of whomever is not read from somewhere else after encapsulation. */
static void test_metadata(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct xfrm_xdp_md md;
	struct sk_buff *skb;
	int i;

	for (i = 0; i < 2; i++) {
		xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
		md = test_record(gw);
		/* ours is gone after ip_rcv_core() */
		md.magic += i;
		test_receive(gw, &md);
		skb = test_forwarded(gw);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		KUNIT_EXPECT_EQ(test, ip_hdr(skb)->protocol, IPPROTO_ESP);
		KUNIT_EXPECT_EQ(test, skb_metadata_len(skb), 0);
		kfree_skb(skb);
	}
}

static int test_learn_up(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw;
	int err = xfrm_xdp_test_up(test);

	if (err)
		return err;

	gw = test->priv;
	test_answer = 0;
	test_locked = false;
	err = xfrm_xdp_hold_init(gw->xnet);
	if (err)
		return err;
	rcu_assign_pointer(gw->xnet->ops, &test_ops);
	static_branch_enable(&xfrm_xdp_recording);
	static_branch_inc(&xfrm_xdp_learning);
	return 0;
}

static void test_learn_down(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	if (gw && gw->xnet && rcu_access_pointer(gw->xnet->ops))
		static_branch_dec(&xfrm_xdp_learning);
	if (gw && gw->xnet)
		RCU_INIT_POINTER(gw->xnet->ops, NULL);
	synchronize_rcu();
	test_forget();
	xfrm_xdp_test_down(test);
}

static struct kunit_case xfrm_xdp_learn_cases[] = {
	KUNIT_CASE(test_learns),
	KUNIT_CASE(test_twins),
	KUNIT_CASE(test_requeued),
	KUNIT_CASE(test_forged),
	KUNIT_CASE(test_route_hint),
	KUNIT_CASE(test_device_with_mark),
	KUNIT_CASE(test_not_forwarded),
	KUNIT_CASE(test_no_policy),
	KUNIT_CASE(test_no_ops),
	KUNIT_CASE(test_no_state),
	KUNIT_CASE(test_no_device),
	KUNIT_CASE(test_no_redirect),
	KUNIT_CASE(test_wire),
	KUNIT_CASE(test_redirect_due),
	KUNIT_CASE(test_maxrate),
	KUNIT_CASE(test_netfilter),
	KUNIT_CASE(test_stable_hook),
	KUNIT_CASE(test_fwd_policy),
	KUNIT_CASE(test_metadata),
	{}
};

static struct kunit_suite xfrm_xdp_learn_suite = {
	.name = "xfrm_xdp_learn",
	.init = test_learn_up,
	.exit = test_learn_down,
	.test_cases = xfrm_xdp_learn_cases,
};

kunit_test_suite(xfrm_xdp_learn_suite);
