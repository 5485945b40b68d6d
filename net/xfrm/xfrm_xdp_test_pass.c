// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of xfrm_xdp_output(): packets that it leaves to the stack. Each
 * comes back untouched, uncharged, with its errno and counted as its reason:
 * see xfrm_xdp_test_expect_pass().
 */

#include <linux/etherdevice.h>
#include <linux/icmp.h>
#include <linux/rtnetlink.h>
#include <net/neighbour.h>
#include <net/route.h>

#include "xfrm_xdp_test.h"

/* One frame that would be sent, for a test to spoil. */
static struct iphdr *test_frame(struct xfrm_xdp_test_gw *gw)
{
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	return xfrm_xdp_test_iph(gw);
}

/* Not spoilt any more, it is sent: what was tested made the difference. */
static void test_expect_sent(struct xfrm_xdp_test_gw *gw)
{
	test_frame(gw);
	KUNIT_EXPECT_EQ(gw->test, xfrm_xdp_test_output(gw), gw->wan->ifindex);
}

static void test_authorised(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	test_expect_sent(gw);
	test_frame(gw);
	xfrm_xdp_invalidate(gw->net);
	xfrm_xdp_test_expect_pass(gw, -EPERM, XFRM_XDP_PASSAUTH);
	xfrm_xdp_test_flow(gw);
	test_expect_sent(gw);
}

static void test_device(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	test_frame(gw);
	gw->rxq.dev = gw->wan;
	xfrm_xdp_test_expect_pass(gw, -EXDEV, XFRM_XDP_PASSDEVICE);

	/* the same index in another netns is another device */
	gw->flow->iif = init_net.loopback_dev->ifindex;
	gw->rxq.dev = init_net.loopback_dev;
	xfrm_xdp_test_expect_pass(gw, -EXDEV, XFRM_XDP_PASSDEVICE);

	gw->flow->iif = gw->lan->ifindex;
	gw->rxq.dev = gw->lan;
	test_expect_sent(gw);
}

static void test_buffer(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	test_frame(gw);
	gw->xdp.flags = XDP_FLAGS_HAS_FRAGS;
	xfrm_xdp_test_expect_pass(gw, -EOPNOTSUPP, XFRM_XDP_PASSBUFFER);
	gw->xdp.flags = XDP_FLAGS_INCOMPLETE;
	xfrm_xdp_test_expect_pass(gw, -EOPNOTSUPP, XFRM_XDP_PASSBUFFER);
	test_expect_sent(gw);
}

/* What generic XDP and veth have is an skb, of which the frame need not be all. */
static void test_incomplete(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct sk_buff *skb = alloc_skb(PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	test_frame(gw);
	xdp_buff_mark_incomplete(&gw->xdp, skb);
	KUNIT_EXPECT_EQ(test, gw->xdp.flags, 0);
#ifdef CONFIG_NET_SWITCHDEV
	skb->offload_l3_fwd_mark = 1;
	xdp_buff_mark_incomplete(&gw->xdp, skb);
	KUNIT_EXPECT_EQ(test, gw->xdp.flags, XDP_FLAGS_INCOMPLETE);
	test_frame(gw);
	skb->offload_l3_fwd_mark = 0;
#endif
	skb->mark = 1;
	xdp_buff_mark_incomplete(&gw->xdp, skb);
	KUNIT_EXPECT_EQ(test, gw->xdp.flags, XDP_FLAGS_INCOMPLETE);
	kfree_skb(skb);
}

static void test_mac(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct ethhdr *eth;
	int i;

	for (i = 0; i < ETH_ALEN * 8; i++) {
		test_frame(gw);
		eth = gw->xdp.data;
		eth->h_dest[i / 8] ^= BIT(i % 8);
		xfrm_xdp_test_expect_pass(gw, -EADDRNOTAVAIL, XFRM_XDP_PASSMAC);
	}

	/* from whom it comes is not asked */
	test_frame(gw);
	eth = gw->xdp.data;
	eth_random_addr(eth->h_source);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_output(gw), gw->wan->ifindex);
}

/* Headers that the parser refuses are refused by output() too. */
static void test_header(struct kunit *test)
{
	static const u16 protos[] = {
		ETH_P_IPV6, ETH_P_8021Q, ETH_P_ARP, ETH_P_IP + 1,
	};
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct iphdr *iph;
	u32 len;
	int i;

	for (i = 0; i < ARRAY_SIZE(protos); i++) {
		test_frame(gw);
		((struct ethhdr *)gw->xdp.data)->h_proto = htons(protos[i]);
		xfrm_xdp_test_expect_pass(gw, -EPROTO, XFRM_XDP_PASSHEADER);
	}

	/* cut at every byte */
	for (len = 1; len < ETH_HLEN + 100; len++) {
		test_frame(gw);
		gw->xdp.data_end = gw->xdp.data + len;
		xfrm_xdp_test_expect_pass(gw, -EPROTO, XFRM_XDP_PASSHEADER);
	}

	iph = test_frame(gw);
	iph->ihl = 6;
	ip_send_check(iph);
	xfrm_xdp_test_expect_pass(gw, -EPROTO, XFRM_XDP_PASSHEADER);

	iph = test_frame(gw);
	iph->version = 6;
	ip_send_check(iph);
	xfrm_xdp_test_expect_pass(gw, -EPROTO, XFRM_XDP_PASSHEADER);

	iph = test_frame(gw);
	iph->frag_off = htons(IP_MF);
	ip_send_check(iph);
	xfrm_xdp_test_expect_pass(gw, -EPROTO, XFRM_XDP_PASSHEADER);

	iph = test_frame(gw);
	iph->frag_off = htons(1);
	ip_send_check(iph);
	xfrm_xdp_test_expect_pass(gw, -EPROTO, XFRM_XDP_PASSHEADER);

	iph = test_frame(gw);
	iph->tot_len = htons(101);
	ip_send_check(iph);
	xfrm_xdp_test_expect_pass(gw, -EPROTO, XFRM_XDP_PASSHEADER);

	iph = test_frame(gw);
	iph->tot_len = htons(27);
	ip_send_check(iph);
	xfrm_xdp_test_expect_pass(gw, -EPROTO, XFRM_XDP_PASSHEADER);

	test_expect_sent(gw);
}

static void test_csum(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	int i;

	for (i = 0; i < 16; i++) {
		test_frame(gw)->check ^= (__force __sum16)BIT(i);
		xfrm_xdp_test_expect_pass(gw, -EBADMSG, XFRM_XDP_PASSCSUM);
	}
	/* a header that was damaged on the way, but for what selects */
	test_frame(gw)->id ^= htons(1);
	xfrm_xdp_test_expect_pass(gw, -EBADMSG, XFRM_XDP_PASSCSUM);
	test_frame(gw)->ttl--;
	xfrm_xdp_test_expect_pass(gw, -EBADMSG, XFRM_XDP_PASSCSUM);
	test_expect_sent(gw);
}

/* Any other bit of the tuple is another flow. */
static void test_selector(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct iphdr *iph;
	int bit;

	for (bit = 0; bit < 32; bit++) {
		iph = test_frame(gw);
		iph->saddr ^= htonl(BIT(bit));
		ip_send_check(iph);
		xfrm_xdp_test_expect_pass(gw, -ENOENT, XFRM_XDP_PASSSELECTOR);

		iph = test_frame(gw);
		iph->daddr ^= htonl(BIT(bit));
		ip_send_check(iph);
		xfrm_xdp_test_expect_pass(gw, -ENOENT, XFRM_XDP_PASSSELECTOR);

		/* source port above, destination port below */
		iph = test_frame(gw);
		*(__be32 *)(iph + 1) ^= htonl(BIT(bit));
		xfrm_xdp_test_expect_pass(gw, -ENOENT, XFRM_XDP_PASSSELECTOR);
	}

	iph = test_frame(gw);
	iph->protocol = IPPROTO_TCP;
	ip_send_check(iph);
	xfrm_xdp_test_expect_pass(gw, -ENOENT, XFRM_XDP_PASSSELECTOR);

	for (bit = 2; bit < 8; bit++) {
		iph = test_frame(gw);
		iph->tos ^= BIT(bit);
		ip_send_check(iph);
		xfrm_xdp_test_expect_pass(gw, -ENOENT, XFRM_XDP_PASSSELECTOR);
	}
	test_expect_sent(gw);
}

static void test_selector_icmp(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct icmphdr echo = {
		.type = ICMP_ECHO,
		.un.echo.id = htons(0x1234),
	};
	struct icmphdr *icmp;
	struct iphdr *iph;
	int i;

	gw->flow->tuple.protocol = IPPROTO_ICMP;
	gw->flow->tuple.ports = htonl(ICMP_ECHO << 24 | 0x1234);
	for (i = 0; i < 5; i++) {
		iph = test_frame(gw);
		iph->protocol = IPPROTO_ICMP;
		ip_send_check(iph);
		icmp = (struct icmphdr *)(iph + 1);
		*icmp = echo;
		switch (i) {
		case 0:
			icmp->type = ICMP_ECHOREPLY;
			break;
		case 1:
			icmp->code = 1;
			break;
		case 2:
			icmp->un.echo.id = htons(0x1235);
			break;
		case 3:
			icmp->un.echo.id = htons(0x1334);
			break;
		case 4:
			/* the sequence number does not select */
			icmp->un.echo.sequence = htons(9);
			KUNIT_EXPECT_EQ(test, xfrm_xdp_test_output(gw),
					gw->wan->ifindex);
			return;
		}
		xfrm_xdp_test_expect_pass(gw, -ENOENT, XFRM_XDP_PASSSELECTOR);
	}
}

static void test_ttl(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct iphdr *iph;
	int ttl;

	for (ttl = 0; ttl < 2; ttl++) {
		iph = test_frame(gw);
		iph->ttl = ttl;
		ip_send_check(iph);
		xfrm_xdp_test_expect_pass(gw, -ETIME, XFRM_XDP_PASSTTL);
	}
	iph = test_frame(gw);
	iph->ttl = 2;
	ip_send_check(iph);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_output(gw), gw->wan->ifindex);
}

static void test_route(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	test_frame(gw);
	rt_cache_flush(gw->net);
	xfrm_xdp_test_expect_pass(gw, -ESTALE, XFRM_XDP_PASSDST);
	xfrm_xdp_test_flow(gw);
	test_expect_sent(gw);
}

/* Rekeying: the old flow is stale, a new one uses the new state. */
static void test_rekey(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	test_expect_sent(gw);
	xfrm_xdp_test_state(gw, TEST_GCM);
	test_frame(gw);
	xfrm_xdp_test_expect_pass(gw, -ESTALE, XFRM_XDP_PASSDST);
	xfrm_xdp_test_flow(gw);
	test_expect_sent(gw);
	KUNIT_EXPECT_EQ(test, gw->x->replay.oseq, 1);
	KUNIT_EXPECT_EQ(test, gw->x->curlft.packets, 1);
}

/* From a soft limit on the stack prefers another state, if there is one. */
static void test_dying(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	static_branch_inc(&xfrm_xdp_learning);
	gw->x->lft.soft_packet_limit = 1;
	test_expect_sent(gw);
	test_expect_sent(gw);
	KUNIT_EXPECT_EQ(test, gw->x->km.dying, 1);
	test_frame(gw);
	xfrm_xdp_test_expect_pass(gw, -ESTALE, XFRM_XDP_PASSDST);
	xfrm_xdp_test_flow(gw);
	test_expect_sent(gw);
	static_branch_dec(&xfrm_xdp_learning);
}

/* Why there is no second flow. */
static enum xfrm_xdp_stat test_no_flow(struct xfrm_xdp_test_gw *gw, int changes)
{
	if (gw->flow)
		xfrm_xdp_flow_put(gw->flow);
	gw->flow = NULL;
	return xfrm_xdp_test_try_flow(gw, changes);
}

/* Whom the stack asks for a state, and which one it gets, depends on the CPU. */
static void test_per_cpu(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct xfrm_policy *pol;
	struct xfrm_state *x;

	pol = ((struct xfrm_dst *)gw->dst)->pols[0];
	pol->flags |= XFRM_POLICY_CPU_ACQUIRE;
	KUNIT_EXPECT_EQ(test, test_no_flow(gw, 0), XFRM_XDP_NOSTATE);
	pol->flags &= ~XFRM_POLICY_CPU_ACQUIRE;

	xfrm_xdp_test_flow(gw);
	x = xfrm_state_alloc(gw->net);
	KUNIT_ASSERT_NOT_NULL(test, x);
	x->id.daddr.a4 = TEST_PEER;
	x->id.spi = htonl(TEST_SPI + 1);
	x->id.proto = IPPROTO_ESP;
	x->props.family = AF_INET;
	x->pcpu_num = 0;
	xfrm_state_insert(x);
	test_frame(gw);
	xfrm_xdp_test_expect_pass(gw, -EPERM, XFRM_XDP_PASSAUTH);
	KUNIT_EXPECT_EQ(test, test_no_flow(gw, 0), XFRM_XDP_NOSTATE);
	xfrm_state_delete(x);
}

/* There may be a state for another template any moment. */
static void test_optional(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct xfrm_policy *pol;

	pol = ((struct xfrm_dst *)gw->dst)->pols[0];
	pol->xfrm_vec[0].optional = 1;
	KUNIT_EXPECT_EQ(test, test_no_flow(gw, 0), XFRM_XDP_NOSTATE);
	pol->xfrm_vec[0].optional = 0;
	KUNIT_EXPECT_EQ(test, test_no_flow(gw, 0), 0);
}

/* Where there are too many next hops no flow keeps one of them, but those that stay
 * anyway.
 */
static void test_neigh_table(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	int thresh = arp_tbl.gc_thresh2;

	arp_tbl.gc_thresh2 = -1;
	KUNIT_EXPECT_EQ(test, test_no_flow(gw, 0), 0);
	neigh_update(gw->neigh, xfrm_xdp_test_peer_mac, NUD_REACHABLE,
		     NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_ADMIN, 0);
	KUNIT_EXPECT_EQ(test, test_no_flow(gw, 0), XFRM_XDP_NONEIGH);
	arp_tbl.gc_thresh2 = thresh;
	KUNIT_EXPECT_EQ(test, test_no_flow(gw, 0), 0);
}

/* Conntrack has to see what opens or closes a connection. */
static void test_connection(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct iphdr *iph = test_frame(gw);

	iph->protocol = IPPROTO_TCP;
	ip_send_check(iph);
	gw->flow->tuple.protocol = IPPROTO_TCP;
	gw->flow->ordinary = false;
	gw->flow->judged = true;
	tcp_flag_byte((struct tcphdr *)(iph + 1)) = TCPHDR_FIN;
	xfrm_xdp_test_expect_pass(gw, -ENOTCONN, XFRM_XDP_PASSCONN);
	tcp_flag_byte((struct tcphdr *)(iph + 1)) = TCPHDR_ACK;
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_output(gw), gw->wan->ifindex);
}

/* The next packet may take another next hop. */
static void test_next_hop(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct rtable *rt;

	KUNIT_EXPECT_EQ(test, test_no_flow(gw, 1), XFRM_XDP_NOROUTE);
	xfrm_xdp_test_flow(gw);

	/* a broadcast address of a network behind the peer */
	dst_rtable(gw->dst)->rt_type = RTN_BROADCAST;
	KUNIT_EXPECT_EQ(test, test_no_flow(gw, 0), XFRM_XDP_NOROUTE);
	dst_rtable(gw->dst)->rt_type = RTN_UNICAST;
	xfrm_xdp_test_flow(gw);

	rt = dst_rtable(xfrm_dst_path(gw->dst));
	rt->rt_flags |= RTCF_REDIRECTED;
	KUNIT_EXPECT_EQ(test, test_no_flow(gw, 0), XFRM_XDP_NOROUTE);
	rt->rt_flags &= ~RTCF_REDIRECTED;
	xfrm_xdp_test_flow(gw);

	static_branch_inc(&xfrm_xdp_learning);
	xfrm_xdp_by_turns(gw->net);
	static_branch_dec(&xfrm_xdp_learning);
	KUNIT_EXPECT_EQ(test, test_no_flow(gw, 0), XFRM_XDP_NOROUTE);
	rt_cache_flush(gw->net);
	xfrm_xdp_test_flow(gw);
	test_expect_sent(gw);
}

static void test_mtu(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	u32 mtu = dst_mtu(gw->dst);

	xfrm_xdp_test_frame(gw, TEST_HEADROOM, mtu + 1);
	xfrm_xdp_test_expect_pass(gw, -EMSGSIZE, XFRM_XDP_PASSMTU);
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, mtu);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_output(gw), gw->wan->ifindex);

	/* the device's own: routes are asked again, and know */
	rtnl_lock();
	KUNIT_EXPECT_EQ(test, dev_set_mtu(gw->wan, 1400), 0);
	rtnl_unlock();
	test_frame(gw);
	xfrm_xdp_test_expect_pass(gw, -ESTALE, XFRM_XDP_PASSDST);
	xfrm_xdp_test_flow(gw);
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, mtu - 100);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_output(gw), gw->wan->ifindex);
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, mtu - 99);
	xfrm_xdp_test_expect_pass(gw, -EMSGSIZE, XFRM_XDP_PASSMTU);
}

static void test_neigh_state(struct xfrm_xdp_test_gw *gw, u8 nud, const u8 *mac)
{
	int err = neigh_update(gw->neigh, mac, nud, NEIGH_UPDATE_F_ADMIN |
			       NEIGH_UPDATE_F_OVERRIDE, 0);

	KUNIT_ASSERT_EQ(gw->test, err, 0);
}

static void test_neigh(struct kunit *test)
{
	static const u8 other[ETH_ALEN] = { 2, 0, 0, 0, 0, 0x33 };
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct ethhdr *eth;

	test_frame(gw);
	test_neigh_state(gw, NUD_FAILED, NULL);
	xfrm_xdp_test_expect_pass(gw, -EHOSTUNREACH, XFRM_XDP_PASSNEIGH);
	/* the stack asks for it, with the packet */
	KUNIT_EXPECT_EQ(test, gw->neigh->nud_state, NUD_FAILED);

	/* stale: used, and confirmed by and by */
	test_neigh_state(gw, NUD_STALE, xfrm_xdp_test_peer_mac);
	test_expect_sent(gw);
	KUNIT_EXPECT_EQ(test, gw->neigh->nud_state, NUD_DELAY);

	/* another address is used from the next packet on */
	test_neigh_state(gw, NUD_PERMANENT, other);
	test_expect_sent(gw);
	eth = gw->xdp.data;
	KUNIT_EXPECT_MEMEQ(test, eth->h_dest, other, ETH_ALEN);
}

/* It is no longer in the table: the stack has another one by now. */
static void test_neigh_dead(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	test_frame(gw);
	gw->neigh->dead = 1;
	xfrm_xdp_test_expect_pass(gw, -ESTALE, XFRM_XDP_PASSDST);
	gw->neigh->dead = 0;
	test_expect_sent(gw);
}

/* What no notifier has told yet: written where the drivers' helpers do. */
static void test_txdev(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	test_frame(gw);
	gw->wan->flags &= ~IFF_UP;
	xfrm_xdp_test_expect_pass(gw, -ENETDOWN, XFRM_XDP_PASSTXDEV);
	gw->wan->flags |= IFF_UP;

	set_bit(__LINK_STATE_NOCARRIER, &gw->wan->state);
	xfrm_xdp_test_expect_pass(gw, -ENETDOWN, XFRM_XDP_PASSTXDEV);
	clear_bit(__LINK_STATE_NOCARRIER, &gw->wan->state);

	gw->wan->xdp_features = 0;
	xfrm_xdp_test_expect_pass(gw, -ENETDOWN, XFRM_XDP_PASSTXDEV);
	gw->wan->xdp_features = NETDEV_XDP_ACT_NDO_XMIT;
	test_expect_sent(gw);
}

/* What waits in the queue of the device is not overtaken. */
static void test_queue(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct Qdisc *qdisc, *before;

	qdisc = kunit_kzalloc(test, sizeof(*qdisc), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, qdisc);
	before = rcu_replace_pointer(gw->flow->txq->qdisc, qdisc, true);
	test_expect_sent(gw);

	test_frame(gw);
	qdisc->q.qlen = 1;
	xfrm_xdp_test_expect_pass(gw, -EAGAIN, XFRM_XDP_PASSQUEUE);
	qdisc->flags = TCQ_F_CPUSTATS;
	qdisc->state = QDISC_STATE_MISSED;
	xfrm_xdp_test_expect_pass(gw, -EAGAIN, XFRM_XDP_PASSQUEUE);
	qdisc->state = 0;
	test_expect_sent(gw);

	rcu_assign_pointer(gw->flow->txq->qdisc, before);
}

static void test_hard_limit(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	gw->x->lft.hard_packet_limit = 2;
	test_expect_sent(gw);
	test_expect_sent(gw);
	test_frame(gw);
	xfrm_xdp_test_expect_pass(gw, -EKEYEXPIRED, XFRM_XDP_PASSSTATE);

	gw->x->lft.hard_packet_limit = XFRM_INF;
	gw->x->lft.hard_byte_limit = 201;
	test_expect_sent(gw);
	test_frame(gw);
	xfrm_xdp_test_expect_pass(gw, -EKEYEXPIRED, XFRM_XDP_PASSSTATE);
}

/* Memory of an AF_XDP socket is mapped by vmap(): no scatterlist may point
 * there, whatever the cipher.
 */
static void test_memory(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	gw->rxq.mem.type = MEM_TYPE_XSK_BUFF_POOL;
	test_frame(gw);
	xfrm_xdp_test_expect_pass(gw, -ENOTBLK, XFRM_XDP_PASSMEMORY);
	gw->rxq.mem.type = MEM_TYPE_PAGE_SHARED;
	test_expect_sent(gw);
}

/* The device goes, although a flow is cached: the flow is empty then. */
static void test_device_gone(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	/* only the flow may hold what it holds */
	dst_release(gw->dst);
	gw->dst = NULL;
	neigh_release(gw->neigh);
	gw->neigh = NULL;

	test_frame(gw);
	unregister_netdev(gw->wan);
	gw->wan = NULL;

	KUNIT_EXPECT_NULL(test, gw->flow->dst);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(gw->xnet, XFRM_XDP_FLOWDEAD),
			1);
	xfrm_xdp_test_expect_pass(gw, -ENXIO, XFRM_XDP_PASSDEAD);
}

/* The same for the netns; where the packet comes from another one by now. */
static void test_netns_gone(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	int i;

	dst_release(gw->dst);
	gw->dst = NULL;
	neigh_release(gw->neigh);
	gw->neigh = NULL;

	test_frame(gw);
	put_net(gw->net);
	gw->net = NULL;
	gw->lan = NULL;
	gw->wan = NULL;
	for (i = 0; READ_ONCE(gw->flow->dst) && i < 1000; i++)
		schedule_timeout_uninterruptible(1);
	KUNIT_ASSERT_NULL(test, gw->flow->dst);

	gw->rxq.dev = init_net.loopback_dev;
	xfrm_xdp_test_expect_pass(gw, -ENXIO, XFRM_XDP_PASSDEAD);
}

/* A flow that no packet takes is let go; one packet now and then keeps it. */
static void test_unused(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	int i, round;

	cancel_delayed_work_sync(&gw->xnet->gc);
	for (round = 0; round < 2; round++) {
		test_expect_sent(gw);
		for (i = 0; i < XFRM_XDP_GC_IDLE; i++)
			KUNIT_EXPECT_TRUE(test, xfrm_xdp_gc(gw->xnet));
	}
	KUNIT_EXPECT_NOT_NULL(test, gw->flow->dst);
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_gc(gw->xnet));
	KUNIT_EXPECT_NULL(test, gw->flow->dst);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(gw->xnet, XFRM_XDP_FLOWEXPIRED),
			1);
	test_frame(gw);
	xfrm_xdp_test_expect_pass(gw, -ENXIO, XFRM_XDP_PASSDEAD);
}

static struct kunit_case xfrm_xdp_pass_cases[] = {
	KUNIT_CASE(test_authorised),
	KUNIT_CASE(test_device),
	KUNIT_CASE(test_buffer),
	KUNIT_CASE(test_incomplete),
	KUNIT_CASE(test_mac),
	KUNIT_CASE(test_header),
	KUNIT_CASE(test_csum),
	KUNIT_CASE(test_selector),
	KUNIT_CASE(test_selector_icmp),
	KUNIT_CASE(test_ttl),
	KUNIT_CASE(test_route),
	KUNIT_CASE(test_rekey),
	KUNIT_CASE(test_dying),
	KUNIT_CASE(test_per_cpu),
	KUNIT_CASE(test_optional),
	KUNIT_CASE(test_neigh_table),
	KUNIT_CASE(test_connection),
	KUNIT_CASE(test_next_hop),
	KUNIT_CASE(test_mtu),
	KUNIT_CASE(test_neigh),
	KUNIT_CASE(test_neigh_dead),
	KUNIT_CASE(test_txdev),
	KUNIT_CASE(test_queue),
	KUNIT_CASE(test_hard_limit),
	KUNIT_CASE(test_memory),
	KUNIT_CASE(test_device_gone),
	KUNIT_CASE(test_netns_gone),
	KUNIT_CASE(test_unused),
	{}
};

static struct kunit_suite xfrm_xdp_pass_suite = {
	.name = "xfrm_xdp_pass",
	.init = xfrm_xdp_test_up,
	.exit = xfrm_xdp_test_down,
	.test_cases = xfrm_xdp_pass_cases,
};

kunit_test_suite(xfrm_xdp_pass_suite);
