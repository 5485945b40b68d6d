// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of XFRM for XDP: ciphers that finish later, or fail. */

#include <crypto/internal/aead.h>
#include <linux/etherdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <net/esp.h>
#include <net/ip.h>
#include <net/route.h>

#include "xfrm_xdp_test.h"

/* As many as xfrm_xdp_request.c lets wait at a time. */
#define TEST_IN_FLIGHT_MAX	1024

/* What the cipher of the tests does with the next packets. */
static enum {
	TEST_LATER,
	TEST_AT_ONCE,		/* completes before it returns -EINPROGRESS */
	TEST_FAILS,
	TEST_IN_TIME,
} test_mode;

static struct aead_request *test_waiting[TEST_IN_FLIGHT_MAX];
static unsigned int test_waiting_len;

static int test_aead_setkey(struct crypto_aead *aead, const u8 *key,
			    unsigned int len)
{
	return 0;
}

static void test_aead_done(void *data, int err)
{
}

static int test_aead_encrypt(struct aead_request *req)
{
	switch (test_mode) {
	case TEST_LATER:
		if (test_waiting_len == TEST_IN_FLIGHT_MAX)
			return -ENOSPC;
		test_waiting[test_waiting_len++] = req;
		return -EINPROGRESS;
	case TEST_AT_ONCE:
		aead_request_complete(req, 0);
		return -EINPROGRESS;
	case TEST_FAILS:
		/* as cryptd does when its queue is full */
		req->base.complete = test_aead_done;
		return -EIO;
	case TEST_IN_TIME:
		return 0;
	}
	return -EINVAL;
}

static struct aead_alg test_aead = {
	.setkey		= test_aead_setkey,
	.encrypt	= test_aead_encrypt,
	.decrypt	= test_aead_encrypt,
	.ivsize		= 8,
	.maxauthsize	= 16,
	.base		= {
		.cra_name		= "xfrm-xdp-test",
		.cra_driver_name	= "xfrm-xdp-test-async",
		.cra_priority		= 1,
		.cra_flags		= CRYPTO_ALG_ASYNC,
		.cra_blocksize		= 1,
		.cra_module		= THIS_MODULE,
	},
};

static void test_complete(int err)
{
	unsigned int i;

	local_bh_disable();
	for (i = 0; i < test_waiting_len; i++) {
		/* a backlog that moves on is not the end */
		aead_request_complete(test_waiting[i], -EINPROGRESS);
		aead_request_complete(test_waiting[i], err);
	}
	local_bh_enable();
	test_waiting_len = 0;
}

static unsigned int test_count(const struct xfrm_xdp_test_gw *gw,
			       enum xfrm_xdp_stat stat)
{
	return xfrm_xdp_test_stat(gw->xnet, stat);
}

/* The packet is the kernel's: the program sees a frame without content. Its memory
 * is the next packet's at once, as many drivers have it.
 */
static void test_send_len(struct xfrm_xdp_test_gw *gw, u32 len)
{
	struct kunit *test = gw->test;

	xfrm_xdp_test_frame(gw, TEST_HEADROOM, len);
	KUNIT_ASSERT_EQ(test, xfrm_xdp_test_output(gw), 0);
	KUNIT_EXPECT_EQ(test, gw->xdp.data_end - gw->xdp.data, ETH_HLEN);
	memset(page_address(gw->page), 0xff, PAGE_SIZE);
}

static void test_send(struct xfrm_xdp_test_gw *gw)
{
	test_send_len(gw, 100);
}

/* The cipher of the tests leaves all but header and trailer as it was. */
static void test_expect_frame(struct kunit *test, const void *data, u32 len,
			      u32 seq)
{
	const struct ethhdr *eth = data;
	const struct iphdr *iph = (const struct iphdr *)(eth + 1), *inner;
	const struct ip_esp_hdr *esph = (const struct ip_esp_hdr *)(iph + 1);
	const u8 *trailer;

	KUNIT_EXPECT_MEMEQ(test, eth->h_dest, xfrm_xdp_test_peer_mac, ETH_ALEN);
	TEST_EXPECT_BE(test, iph->daddr, TEST_PEER);
	TEST_EXPECT_BE(test, ip_fast_csum(iph, 5), 0);
	KUNIT_EXPECT_EQ(test, len, ETH_HLEN + ntohs(iph->tot_len));
	TEST_EXPECT_BE(test, esph->spi, htonl(TEST_SPI));
	KUNIT_EXPECT_EQ(test, ntohl(esph->seq_no), seq);

	inner = (const struct iphdr *)(esph->enc_data + test_aead.ivsize);
	TEST_EXPECT_BE(test, inner->saddr, TEST_HOST);
	TEST_EXPECT_BE(test, ip_fast_csum(inner, 5), 0);
	trailer = data + len - test_aead.maxauthsize;
	KUNIT_EXPECT_EQ(test, trailer[-1], IPPROTO_IPIP);
	KUNIT_EXPECT_PTR_EQ(test, (const void *)inner + ntohs(inner->tot_len),
			    (const void *)trailer - 2 - trailer[-2]);
}

static void test_expect_sent(struct xfrm_xdp_test_gw *gw, u32 seq)
{
	struct sk_buff *skb = skb_dequeue(xfrm_xdp_test_sent(gw->wan));

	KUNIT_ASSERT_NOT_NULL(gw->test, skb);
	test_expect_frame(gw->test, skb_mac_header(skb), skb->len, seq);
	KUNIT_EXPECT_EQ(gw->test, skb->priority, rt_tos2priority(TEST_DSCP));
	kfree_skb(skb);
}

/* The cipher works on a copy, which is sent when it is done. */
static void test_later(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	int states = refcount_read(&gw->x->refcnt);

	test_mode = TEST_LATER;
	test_send(gw);
	KUNIT_EXPECT_EQ(test, refcount_read(&gw->x->refcnt), states + 1);
	KUNIT_EXPECT_EQ(test, test_count(gw, XFRM_XDP_OUTPUT), 0);
	KUNIT_EXPECT_TRUE(test, skb_queue_empty(xfrm_xdp_test_sent(gw->wan)));
	KUNIT_EXPECT_EQ(test, gw->x->curlft.packets, 1);

	test_complete(0);
	KUNIT_EXPECT_EQ(test, refcount_read(&gw->x->refcnt), states);
	KUNIT_EXPECT_EQ(test, test_count(gw, XFRM_XDP_OUTPUT), 1);
	KUNIT_EXPECT_EQ(test, test_count(gw, XFRM_XDP_OUTPUTASYNC), 1);
	test_expect_sent(gw, 1);
	KUNIT_EXPECT_TRUE(test, skb_queue_empty(xfrm_xdp_test_sent(gw->wan)));
}

static void test_order(struct kunit *test)
{
	static const u32 lens[] = { 100, 1400, 60, 1000 };
	struct xfrm_xdp_test_gw *gw = test->priv;
	u32 i;

	test_mode = TEST_LATER;
	for (i = 0; i < ARRAY_SIZE(lens); i++)
		test_send_len(gw, lens[i]);

	test_complete(0);
	for (i = 0; i < ARRAY_SIZE(lens); i++)
		test_expect_sent(gw, i + 1);
}

/* On another CPU the cipher may be done before its caller knows. */
static void test_at_once(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	u32 i;

	test_mode = TEST_AT_ONCE;
	for (i = 1; i <= 3; i++) {
		test_send(gw);
		test_expect_sent(gw, i);
	}
	KUNIT_EXPECT_EQ(test, test_count(gw, XFRM_XDP_OUTPUT), 3);
	KUNIT_EXPECT_EQ(test, test_count(gw, XFRM_XDP_OUTPUTASYNC), 3);
}

/* Flagged asynchronous, yet done: the request is used again, also for a frame that is
 * longer.
 */
static void test_in_time(struct kunit *test)
{
	static const u32 lens[] = { 100, 1400, 100 };
	struct xfrm_xdp_test_gw *gw = test->priv;
	u32 i;

	test_mode = TEST_IN_TIME;
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		xfrm_xdp_test_frame(gw, TEST_HEADROOM, lens[i]);
		KUNIT_EXPECT_EQ(test, xfrm_xdp_test_output(gw),
				gw->wan->ifindex);
		test_expect_frame(test, gw->xdp.data,
				  gw->xdp.data_end - gw->xdp.data, i + 1);
	}
	KUNIT_EXPECT_EQ(test, test_count(gw, XFRM_XDP_OUTPUT), 3);
	KUNIT_EXPECT_EQ(test, test_count(gw, XFRM_XDP_OUTPUTASYNC), 0);
}

static u64 test_out_requests(const struct xfrm_xdp_test_gw *gw)
{
	return snmp_fold_field64(gw->net->mib.ip_statistics,
				 IPSTATS_MIB_OUTREQUESTS,
				 offsetof(struct ipstats_mib, syncp));
}

/* A packet that the cipher spoilt is neither sent nor passed, nor counted as sent. */
static void test_fails(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	u64 sent = test_out_requests(gw);

	test_mode = TEST_FAILS;
	/* any device that counts */
	gw->flow->tunnel = gw->lan;
	test_send(gw);
	gw->flow->tunnel = NULL;
	KUNIT_EXPECT_EQ(test, test_out_requests(gw), sent);
	KUNIT_EXPECT_EQ(test, test_count(gw, XFRM_XDP_OUTPUTERROR), 1);
	KUNIT_EXPECT_EQ(test, DEV_STATS_READ(gw->lan, tx_errors), 1);
	KUNIT_EXPECT_EQ(test, DEV_STATS_READ(gw->lan, tx_aborted_errors), 1);

	test_mode = TEST_LATER;
	test_send(gw);
	test_complete(-EIO);
	KUNIT_EXPECT_EQ(test, test_count(gw, XFRM_XDP_OUTPUTERROR), 2);
	KUNIT_EXPECT_EQ(test, test_count(gw, XFRM_XDP_OUTPUT), 0);
	KUNIT_EXPECT_TRUE(test, skb_queue_empty(xfrm_xdp_test_sent(gw->wan)));
}

/* The device went down while the cipher worked. */
static void test_lost(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	test_mode = TEST_LATER;
	test_send(gw);
	rtnl_lock();
	dev_close(gw->wan);
	rtnl_unlock();
	test_complete(0);
	KUNIT_EXPECT_EQ(test, test_count(gw, XFRM_XDP_OUTPUTLOST), 1);
	KUNIT_EXPECT_EQ(test, test_count(gw, XFRM_XDP_OUTPUT), 0);
}

/* The device went to another netns while the cipher worked. */
static void test_other_netns(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	const struct xfrm_xdp_net *xnet;
	struct net *other;

	other = copy_net_ns(CLONE_NEWNET, &init_user_ns, &init_net);
	KUNIT_ASSERT_FALSE(test, IS_ERR(other));
	test_mode = TEST_LATER;
	test_send(gw);

	rtnl_lock();
	KUNIT_EXPECT_EQ(test, dev_change_net_namespace(gw->wan, other, NULL), 0);
	KUNIT_EXPECT_EQ(test, dev_open(gw->wan, NULL), 0);
	rtnl_unlock();
	test_complete(0);
	KUNIT_EXPECT_TRUE(test, skb_queue_empty(xfrm_xdp_test_sent(gw->wan)));
	xnet = xfrm_xdp_pernet(other);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(xnet, XFRM_XDP_OUTPUTLOST), 1);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(xnet, XFRM_XDP_OUTPUT), 0);

	rtnl_lock();
	KUNIT_EXPECT_EQ(test, dev_change_net_namespace(gw->wan, gw->net, NULL), 0);
	rtnl_unlock();
	put_net(other);
}

/* The state was deleted while the cipher worked on its key. */
static void test_state_gone(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	test_mode = TEST_LATER;
	test_send(gw);
	xfrm_xdp_test_release(gw);
	xfrm_state_delete(gw->x);
	xfrm_state_put(gw->x);
	gw->x = NULL;
	rcu_barrier();
	xfrm_flush_gc();
	test_complete(0);
	test_expect_sent(gw, 1);
}

/* So many and not one more; and when they are done, it goes on. */
static void test_busy(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	u32 i;

	test_mode = TEST_LATER;
	for (i = 0; i < TEST_IN_FLIGHT_MAX; i++)
		test_send(gw);
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	xfrm_xdp_test_expect_pass(gw, -EBUSY, XFRM_XDP_PASSBUSY);

	test_complete(0);
	KUNIT_EXPECT_EQ(test, skb_queue_len(xfrm_xdp_test_sent(gw->wan)),
			TEST_IN_FLIGHT_MAX);

	test_mode = TEST_IN_TIME;
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_output(gw), gw->wan->ifindex);
}

static int test_async_up(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw;
	int err = xfrm_xdp_test_up(test);

	if (err)
		return err;

	gw = test->priv;
	xfrm_xdp_test_state(gw, TEST_ASYNC);
	xfrm_xdp_test_flow(gw);
	KUNIT_ASSERT_TRUE(test, gw->flow->cipher.async);
	return 0;
}

static void test_async_down(struct kunit *test)
{
	test_complete(-ECANCELED);
	xfrm_xdp_test_down(test);
}

static int test_async_suite_init(struct kunit_suite *suite)
{
	return crypto_register_aead(&test_aead);
}

/* The states that used it are freed behind bundles and flows. */
static void test_async_suite_exit(struct kunit_suite *suite)
{
	rcu_barrier();
	rcu_barrier();
	xfrm_flush_gc();
	crypto_unregister_aead(&test_aead);
}

static struct kunit_case xfrm_xdp_async_cases[] = {
	KUNIT_CASE(test_later),
	KUNIT_CASE(test_order),
	KUNIT_CASE(test_at_once),
	KUNIT_CASE(test_in_time),
	KUNIT_CASE(test_fails),
	KUNIT_CASE(test_lost),
	KUNIT_CASE(test_other_netns),
	KUNIT_CASE(test_state_gone),
	KUNIT_CASE(test_busy),
	{}
};

static struct kunit_suite xfrm_xdp_async_suite = {
	.name = "xfrm_xdp_async",
	.suite_init = test_async_suite_init,
	.suite_exit = test_async_suite_exit,
	.init = test_async_up,
	.exit = test_async_down,
	.test_cases = xfrm_xdp_async_cases,
};

kunit_test_suite(xfrm_xdp_async_suite);
