// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of xfrm_xdp_input(): what is left to the stack. And of the record of who
 * came through: what makes it void.
 */

#include <linux/net.h>
#include <net/ip.h>
#include <net/protocol.h>
#include <net/route.h>

#include "xfrm_xdp_test_in.h"

/* The packet comes back as it was, uncharged. */
static void test_expect_untouched(struct xfrm_xdp_test_in *in, int err,
				  enum xfrm_xdp_stat why)
{
	unsigned long counted = xfrm_xdp_test_stat(in->gw->xnet, why);
	struct xfrm_lifetime_cur curlft = in->x->curlft;
	struct xfrm_replay_state replay = in->x->replay;
	struct xfrm_stats stats = in->x->stats;
	struct xfrm_xdp_test_gw *gw = in->gw;
	struct xdp_buff xdp = gw->xdp;
	struct kunit *test = gw->test;

	memcpy(gw->before, page_address(gw->page), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_input(in), err);
	KUNIT_EXPECT_EQ(test, memcmp(gw->before, page_address(gw->page),
				     PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, memcmp(&gw->xdp, &xdp, sizeof(xdp)), 0);
	KUNIT_EXPECT_EQ(test, memcmp(&in->x->curlft, &curlft, sizeof(curlft)),
			0);
	KUNIT_EXPECT_EQ(test, memcmp(&in->x->replay, &replay, sizeof(replay)),
			0);
	KUNIT_EXPECT_EQ(test, memcmp(&in->x->stats, &stats, sizeof(stats)), 0);
	KUNIT_EXPECT_EQ_MSG(test, xfrm_xdp_test_stat(gw->xnet, why),
			    counted + 1, "counter %d", why);
}

/* A frame that would be decrypted, for a test to spoil. */
static struct iphdr *test_good(struct xfrm_xdp_test_in *in)
{
	xfrm_xdp_test_in_frame(in, 100);
	return xfrm_xdp_test_outer(in);
}

static void test_in_pass_frame(struct kunit *test)
{
	struct xfrm_xdp_test_in *in = xfrm_xdp_test_in(test);
	struct xfrm_xdp_test_gw *gw = in->gw;
	struct iphdr *iph;

	test_good(in);
	gw->rxq.dev = gw->lan;
	test_expect_untouched(in, -EXDEV, XFRM_XDP_PASSDEVICE);
	test_good(in);
	gw->xdp.flags = XDP_FLAGS_HAS_FRAGS;
	test_expect_untouched(in, -EOPNOTSUPP, XFRM_XDP_PASSBUFFER);
	test_good(in);
	xdp_set_data_meta_invalid(&gw->xdp);
	test_expect_untouched(in, -EOPNOTSUPP, XFRM_XDP_PASSBUFFER);
	test_good(in);
	((struct ethhdr *)gw->xdp.data)->h_dest[5] ^= 1;
	test_expect_untouched(in, -EADDRNOTAVAIL, XFRM_XDP_PASSMAC);
	test_good(in)->ttl--;
	test_expect_untouched(in, -EBADMSG, XFRM_XDP_PASSCSUM);
	iph = test_good(in);
	iph->tos ^= 4;
	ip_send_check(iph);
	test_expect_untouched(in, -ENOENT, XFRM_XDP_PASSSELECTOR);
	iph = test_good(in);
	iph->frag_off = htons(IP_MF);
	ip_send_check(iph);
	test_expect_untouched(in, -EPROTO, XFRM_XDP_PASSHEADER);
	/* room for the record, and one byte less */
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	xfrm_xdp_test_in_encrypt(in);
	gw->xdp.data_hard_start = gw->xdp.data + sizeof(*iph) +
				  TEST_GCM_OVERHEAD -
				  sizeof(struct xfrm_xdp_md) -
				  sizeof(struct xdp_frame) + 1;
	test_expect_untouched(in, -ENOSPC, XFRM_XDP_PASSROOM);
	gw->xdp.data_hard_start--;
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_input(in), 1);
	test_good(in);
	gw->rxq.mem.type = MEM_TYPE_XSK_BUFF_POOL;
	test_expect_untouched(in, -ENOTBLK, XFRM_XDP_PASSMEMORY);
	gw->rxq.mem.type = MEM_TYPE_PAGE_SHARED;
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_input(in), 1);
	/* inside is what the flow is for, but it is no ESP any more */
	test_expect_untouched(in, -ENOENT, XFRM_XDP_PASSSELECTOR);
}

static void test_in_pass_state(struct kunit *test)
{
	struct xfrm_xdp_test_in *in = xfrm_xdp_test_in(test);

	test_good(in);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_input(in), 1);

	test_good(in);
	xfrm_xdp_test_esph(in)->seq_no = htonl(in->x->replay.seq);
	test_expect_untouched(in, -EALREADY, XFRM_XDP_PASSREPLAY);
	xfrm_xdp_test_esph(in)->seq_no = 0;
	test_expect_untouched(in, -EALREADY, XFRM_XDP_PASSREPLAY);
	in->x->replay.seq = 1000;
	xfrm_xdp_test_esph(in)->seq_no = htonl(1000 - 32);
	test_expect_untouched(in, -EALREADY, XFRM_XDP_PASSREPLAY);
	in->x->replay.seq = 1;

	/* replayed and expired: the stack looks at the window first */
	xfrm_xdp_test_esph(in)->seq_no = htonl(1);
	in->x->lft.hard_packet_limit = in->x->curlft.packets;
	test_expect_untouched(in, -EALREADY, XFRM_XDP_PASSREPLAY);
	test_good(in);
	test_expect_untouched(in, -EKEYEXPIRED, XFRM_XDP_PASSSTATE);
	in->x->lft.hard_packet_limit = XFRM_INF;
	in->x->lft.hard_byte_limit = in->x->curlft.bytes;
	test_expect_untouched(in, -EKEYEXPIRED, XFRM_XDP_PASSSTATE);
	in->x->lft.hard_byte_limit = XFRM_INF;
	in->x->km.state = XFRM_STATE_EXPIRED;
	test_expect_untouched(in, -EKEYEXPIRED, XFRM_XDP_PASSSTATE);
	in->x->km.state = XFRM_STATE_VALID;

	/* an update brings these */
	in->x->if_id++;
	test_expect_untouched(in, -EKEYEXPIRED, XFRM_XDP_PASSSTATE);
	in->x->if_id--;
	in->x->props.smark.v = 1;
	in->x->props.smark.m = 1;
	test_expect_untouched(in, -EKEYEXPIRED, XFRM_XDP_PASSSTATE);
	in->x->props.smark.v = 0;
	in->x->props.smark.m = 0;
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_input(in), 1);

	test_good(in);
	xfrm_state_delete(in->x);
	test_expect_untouched(in, -EKEYEXPIRED, XFRM_XDP_PASSSTATE);
}

static void test_in_pass_flow(struct kunit *test)
{
	struct xfrm_xdp_test_in *in = xfrm_xdp_test_in(test);
	struct xfrm_xdp_test_gw *gw = in->gw;
	struct xfrm_xdp_flow *flow = in->flow;
	struct socket *sock;

	test_good(in);
	in->flow = gw->flow;
	test_expect_untouched(in, -EINVAL, XFRM_XDP_PASSKIND);
	in->flow = flow;

	swap(gw->flow, in->flow);
	xfrm_xdp_test_expect_pass(gw, -EINVAL, XFRM_XDP_PASSKIND);
	swap(gw->flow, in->flow);

	RCU_INIT_POINTER(gw->xnet->ops, NULL);
	test_expect_untouched(in, -EPERM, XFRM_XDP_PASSAUTH);
	rcu_assign_pointer(gw->xnet->ops, &xfrm_xdp_test_in_ops);
	xfrm_xdp_invalidate(gw->net);
	test_expect_untouched(in, -EPERM, XFRM_XDP_PASSAUTH);
	xfrm_xdp_test_in_again(in);

	KUNIT_ASSERT_EQ(test, sock_create_kern(gw->net, AF_INET, SOCK_RAW,
					       IPPROTO_ESP, &sock), 0);
	test_expect_untouched(in, -EUSERS, XFRM_XDP_PASSSOCKET);
	sock_release(sock);

	rt_cache_flush(gw->net);
	test_expect_untouched(in, -ESTALE, XFRM_XDP_PASSDST);
	xfrm_xdp_test_in_again(in);
	xfrm_xdp_flows_leave(gw->xnet, in->flow->dst->dev);
	test_expect_untouched(in, -ENXIO, XFRM_XDP_PASSDEAD);
	xfrm_xdp_test_in_again(in);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_input(in), 1);
}

/* What came out of ESP is ESP with the tuple of the flow. */
static void test_in_nested(struct kunit *test)
{
	struct xfrm_xdp_test_in *in = xfrm_xdp_test_in(test);
	struct xfrm_xdp_test_gw *gw = in->gw;
	struct iphdr *iph;

	test_good(in);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_input(in), 1);
	iph = xfrm_xdp_test_iph(gw);
	iph->saddr = TEST_PEER;
	iph->daddr = TEST_WAN;
	iph->protocol = IPPROTO_ESP;
	ip_send_check(iph);
	xfrm_xdp_test_esph(in)->spi = in->x->id.spi;
	test_expect_untouched(in, -EACCES, XFRM_XDP_PASSTHROUGH);
}

static u64 test_received(const struct xfrm_xdp_test_in *in)
{
	return snmp_fold_field64(in->gw->net->mib.ip_statistics,
				 IPSTATS_MIB_INPKTS,
				 offsetof(struct ipstats_mib, syncp));
}

/* Where GRO decrypts, the outer packet is counted by nobody. */
static void test_in_gro(struct kunit *test)
{
	static const struct net_offload offload = {};
	struct xfrm_xdp_test_in *in = xfrm_xdp_test_in(test);
	u64 received;

	test_good(in);
	received = test_received(in);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_input(in), 1);
	KUNIT_EXPECT_EQ(test, test_received(in), received + 1);

	KUNIT_ASSERT_EQ(test, inet_add_offload(&offload, IPPROTO_ESP), 0);
	test_good(in);
	test_expect_untouched(in, -EXDEV, XFRM_XDP_PASSDEVICE);
	xfrm_xdp_test_in_again(in);
	in->flow->ordinary_in = false;
	in->flow->gro = true;
	received = test_received(in);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_input(in), 1);
	KUNIT_EXPECT_EQ(test, test_received(in), received);
	/* it would take padding for ciphertext */
	test_good(in);
	in->gw->xdp.data_end++;
	test_expect_untouched(in, -EPROTO, XFRM_XDP_PASSHEADER);
	in->gw->xdp.data_end--;
	in->flow->gro_can = false;
	test_expect_untouched(in, -EXDEV, XFRM_XDP_PASSDEVICE);
	KUNIT_EXPECT_EQ(test, inet_del_offload(&offload, IPPROTO_ESP), 0);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_input(in), 1);
}

/* States that XDP can't decrypt with as the stack would. */
static void test_in_refuses(struct kunit *test)
{
	struct xfrm_xdp_test_in *in = xfrm_xdp_test_in(test);
	struct xfrm_sec_ctx context = {};
	enum xfrm_xdp_stat why = 0;

	in->x->mark.m = 1;
	KUNIT_EXPECT_NULL(test, xfrm_xdp_test_in_flow(in, &why));
	KUNIT_EXPECT_EQ(test, why, XFRM_XDP_NOSTATE);
	in->x->mark.m = 0;
	in->x->props.mode = XFRM_MODE_TRANSPORT;
	KUNIT_EXPECT_NULL(test, xfrm_xdp_test_in_flow(in, &why));
	in->x->props.mode = XFRM_MODE_TUNNEL;
	in->x->security = &context;
	KUNIT_EXPECT_NULL(test, xfrm_xdp_test_in_flow(in, &why));
	in->x->security = NULL;
	xfrm_xdp_test_in_again(in);
}

/* Who came through is forgotten when anything about the packet is another. */
static void test_in_through(struct kunit *test)
{
	struct xfrm_xdp_test_in *in = xfrm_xdp_test_in(test);
	struct xfrm_xdp_test_gw *gw = in->gw;
	struct xdp_rxq_info other = gw->rxq;
	struct xfrm_xdp_md *md;
	int i;

	test_good(in);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_input(in), 1);
	KUNIT_EXPECT_TRUE(test, xfrm_xdp_test_came_through(in));
	md = gw->xdp.data_meta;
	for (i = 0; i < 64; i++) {
		md->mac ^= BIT_ULL(i);
		KUNIT_EXPECT_FALSE(test, xfrm_xdp_test_came_through(in));
		md->mac ^= BIT_ULL(i);
	}
	gw->xdp.data_meta = gw->xdp.data;
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_test_came_through(in));
	gw->xdp.data_meta = md;
	gw->xdp.data += 4;
	gw->xdp.data_meta += 4;
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_test_came_through(in));
	gw->xdp.data -= 4;
	gw->xdp.data_meta -= 4;
	gw->xdp.rxq = &other;
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_test_came_through(in));
	gw->xdp.rxq = &gw->rxq;
	KUNIT_EXPECT_TRUE(test, xfrm_xdp_test_came_through(in));

	/* what came out of ESP does not take the flow of clear packets */
	gw->flow->iif = gw->wan->ifindex;
	ether_addr_copy(gw->flow->dmac, gw->wan->dev_addr);
	xfrm_xdp_test_expect_pass(gw, -EACCES, XFRM_XDP_PASSTHROUGH);
	/* nor that of what VTI got */
	gw->flow->ordinary = false;
	gw->flow->came = xfrm_xdp_came(in->x, true);
	xfrm_xdp_test_expect_pass(gw, -EACCES, XFRM_XDP_PASSTHROUGH);
	/* nor, of what VTI got, that of another one */
	local_bh_disable();
	this_cpu_write(xfrm_xdp_decrypted.came, gw->flow->came);
	this_cpu_write(xfrm_xdp_decrypted.vti, gw->lan->ifindex);
	local_bh_enable();
	gw->flow->vti = gw->wan;
	gw->flow->in_ifindex = gw->wan->ifindex;
	xfrm_xdp_test_expect_pass(gw, -EACCES, XFRM_XDP_PASSTHROUGH);
	gw->flow->vti = NULL;
	gw->flow->ordinary = true;
	gw->flow->came = 0;
	/* nor when its record has gone, here or on its way to another CPU */
	gw->xdp.data_meta = gw->xdp.data;
	KUNIT_ASSERT_EQ(test, xdp_rxq_info_reg(&gw->rxq, gw->wan, 0, 0), 0);
	KUNIT_ASSERT_EQ(test, xdp_rxq_info_reg(&other, gw->wan, 0, 0), 0);
	xfrm_xdp_test_expect_pass(gw, -EACCES, XFRM_XDP_PASSTHROUGH);
	local_bh_disable();
	this_cpu_write(xfrm_xdp_decrypted.data, &other);
	local_bh_enable();
	gw->xdp.rxq = &other;
	xfrm_xdp_test_expect_pass(gw, -EACCES, XFRM_XDP_PASSTHROUGH);
	xdp_rxq_info_unreg(&other);
	gw->xdp.rxq = &gw->rxq;
	/* but the next packet of the queue does, if it kept the mark */
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_output(gw), gw->wan->ifindex);
	xdp_rxq_info_unreg(&gw->rxq);
}

static struct kunit_case xfrm_xdp_input_pass_cases[] = {
	KUNIT_CASE(test_in_pass_frame),
	KUNIT_CASE(test_in_pass_state),
	KUNIT_CASE(test_in_pass_flow),
	KUNIT_CASE(test_in_nested),
	KUNIT_CASE(test_in_gro),
	KUNIT_CASE(test_in_refuses),
	KUNIT_CASE(test_in_through),
	{}
};

static struct kunit_suite xfrm_xdp_input_pass_suite = {
	.name		= "xfrm_xdp_input_pass",
	.init		= xfrm_xdp_test_up,
	.exit		= xfrm_xdp_test_in_down,
	.test_cases	= xfrm_xdp_input_pass_cases,
};

kunit_test_suites(&xfrm_xdp_input_pass_suite);
