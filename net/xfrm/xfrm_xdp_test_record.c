// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of the record of packets that XDP decrypted: it gives a packet its
 * security path, so nobody else may make one.
 */

#include <linux/etherdevice.h>
#include <net/ip.h>

#include "xfrm_xdp_test.h"

/**
 * struct test_rec - a packet that XDP decrypted
 * @gw: the gateway
 * @x: the state it came through
 * @md: its record
 */
struct test_rec {
	struct xfrm_xdp_test_gw	*gw;
	struct xfrm_state	*x;
	struct xfrm_xdp_md	md;
};

static int test_flow_add(const struct xfrm_xdp_md *md,
			 struct xfrm_xdp_flow *flow)
{
	return 0;
}

static struct xfrm_xdp_ops test_ops = {
	.flow_add	= test_flow_add,
};

/* Make the record one of the frame as it is now. */
static void test_rec_seal(struct test_rec *rec)
{
	struct xfrm_xdp_test_gw *gw = rec->gw;
	struct xfrm_xdp_tuple tuple;

	KUNIT_ASSERT_EQ(gw->test, xfrm_xdp_parse(xfrm_xdp_test_iph(gw),
						 gw->xdp.data_end, &tuple), 0);
	rec->md.mac = xfrm_xdp_md_mac(gw->xnet, &rec->md, &tuple);
}

static struct test_rec *test_rec(struct kunit *test)
{
	struct test_rec *rec = kunit_kzalloc(test, sizeof(*rec), GFP_KERNEL);
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct xfrm_xdp_md *md = &rec->md;

	KUNIT_ASSERT_NOT_NULL(test, rec);
	gw->peer = rec;
	rec->gw = gw;
	rec->x = xfrm_xdp_test_add_state(gw, TEST_GCM, TEST_PEER, TEST_WAN);
	rcu_assign_pointer(gw->xnet->ops, &test_ops);
	static_branch_enable(&xfrm_xdp_recording);
	static_branch_inc(&xfrm_xdp_learning);

	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	md->magic = XFRM_XDP_MD_MAGIC;
	md->ifindex = gw->wan->ifindex;
	md->spi = rec->x->id.spi;
	md->daddr = rec->x->id.daddr.a4;
	test_rec_seal(rec);
	return rec;
}

static void test_rec_down(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct test_rec *rec = gw ? gw->peer : NULL;

	if (rec) {
		static_branch_dec(&xfrm_xdp_learning);
		RCU_INIT_POINTER(gw->xnet->ops, NULL);
		xfrm_state_delete(rec->x);
		xfrm_state_put(rec->x);
	}
	xfrm_xdp_test_down(test);
}

/* The frame as it is now, behind @md. */
static struct sk_buff *test_skb(const struct test_rec *rec,
				const struct xfrm_xdp_md *md,
				struct net_device *dev)
{
	struct xfrm_xdp_test_gw *gw = rec->gw;
	struct sk_buff *skb = alloc_skb(PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(gw->test, skb);
	skb_reserve(skb, TEST_HEADROOM);
	skb_put_data(skb, gw->xdp.data, gw->xdp.data_end - gw->xdp.data);
	memcpy(skb->data - sizeof(*md), md, sizeof(*md));
	skb_metadata_set(skb, sizeof(*md));
	skb->protocol = eth_type_trans(skb, dev);
	skb_reset_network_header(skb);
	return skb;
}

static int test_restore(struct sk_buff *skb)
{
	int ret;

	local_bh_disable();
	rcu_read_lock();
	ret = xfrm_xdp_restore(skb);
	rcu_read_unlock();
	local_bh_enable();
	return ret;
}

/* The same, as far as ip_rcv_core(). */
static struct sk_buff *test_up(const struct test_rec *rec,
			       const struct xfrm_xdp_md *md,
			       struct net_device *dev)
{
	struct xfrm_xdp_test_gw *gw = rec->gw;
	struct sk_buff *skb = test_skb(rec, md, dev);

	local_bh_disable();
	rcu_read_lock();
	KUNIT_EXPECT_FALSE(gw->test, xfrm_xdp_restore(skb));
	xfrm_xdp_rcv(skb);
	rcu_read_unlock();
	local_bh_enable();
	return skb;
}

/* It is clear text to the stack, as it came. */
static void test_expect_clear(const struct test_rec *rec,
			      const struct xfrm_xdp_md *md,
			      struct net_device *dev, const char *what, int i)
{
	struct kunit *test = rec->gw->test;
	struct sk_buff *skb;

	skb = test_up(rec, md, dev);
	KUNIT_EXPECT_FALSE_MSG(test, secpath_exists(skb), "%s %d", what, i);
	KUNIT_EXPECT_FALSE_MSG(test, skb_ext_exist(skb, SKB_EXT_XFRM_XDP),
			       "%s %d", what, i);
	kfree_skb(skb);
}

static void test_rec_good(struct kunit *test)
{
	struct test_rec *rec = test_rec(test);
	struct xfrm_xdp_net *xnet = rec->gw->xnet;
	struct sk_buff *skb;

	skb = test_up(rec, &rec->md, rec->gw->wan);
	KUNIT_ASSERT_TRUE(test, secpath_exists(skb));
	KUNIT_EXPECT_EQ(test, skb_sec_path(skb)->len, 1);
	KUNIT_EXPECT_PTR_EQ(test, xfrm_input_state(skb), rec->x);
	KUNIT_EXPECT_TRUE(test, skb_ext_exist(skb, SKB_EXT_XFRM_XDP));
	KUNIT_EXPECT_EQ(test, skb_metadata_len(skb), 0);
	kfree_skb(skb);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(xnet, XFRM_XDP_OFFER), 1);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(xnet, XFRM_XDP_NORECORD), 0);
}

/* Not a bit of it may be another. */
static void test_rec_flipped(struct kunit *test)
{
	struct test_rec *rec = test_rec(test);
	struct xfrm_xdp_md md;
	int bit;

	for (bit = 0; bit < sizeof(md) * 8; bit++) {
		md = rec->md;
		((u8 *)&md)[bit / 8] ^= BIT(bit % 8);
		test_expect_clear(rec, &md, rec->gw->wan, "bit", bit);
	}
	/* what does not say that it is a record is somebody else's */
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(rec->gw->xnet,
						 XFRM_XDP_NORECORD),
			(sizeof(md) - sizeof(md.magic)) * 8);
}

/* Nor of what it says about the packet. */
static void test_rec_tuple(struct kunit *test)
{
	static const u8 offsets[] = {
		offsetof(struct iphdr, saddr), offsetof(struct iphdr, daddr),
		sizeof(struct iphdr),
	};
	struct test_rec *rec = test_rec(test);
	struct iphdr *iph = xfrm_xdp_test_iph(rec->gw);
	int i, bit;
	u8 *byte;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		for (bit = 0; bit < 32; bit++) {
			byte = (u8 *)iph + offsets[i] + bit / 8;
			*byte ^= BIT(bit % 8);
			test_expect_clear(rec, &rec->md, rec->gw->wan, "tuple",
					  i * 32 + bit);
			*byte ^= BIT(bit % 8);
		}
	}
	for (bit = 2; bit < 8; bit++) {
		iph->tos ^= BIT(bit);
		test_expect_clear(rec, &rec->md, rec->gw->wan, "DSCP", bit);
		iph->tos ^= BIT(bit);
	}
	iph->protocol = IPPROTO_TCP;
	test_expect_clear(rec, &rec->md, rec->gw->wan, "protocol", 0);
}

/* Replayed on another device, in another netns. */
static void test_rec_elsewhere(struct kunit *test)
{
	struct test_rec *rec = test_rec(test);
	struct xfrm_xdp_net *xnet = rec->gw->xnet;

	test_expect_clear(rec, &rec->md, rec->gw->lan, "device", 0);
	/* each netns has a secret of its own */
	xnet->secret.key[0] ^= 1;
	test_expect_clear(rec, &rec->md, rec->gw->wan, "netns", 0);
	xnet->secret.key[0] ^= 1;
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(xnet, XFRM_XDP_NORECORD), 2);
}

/* Its state has gone: it was not clear text before, and is not now. */
static void test_rec_state_gone(struct kunit *test)
{
	struct test_rec *rec = test_rec(test);
	struct xfrm_xdp_net *xnet = rec->gw->xnet;
	struct sk_buff *skb;

	xfrm_state_delete(rec->x);
	KUNIT_EXPECT_EQ(test, test_restore(test_skb(rec, &rec->md,
						    rec->gw->wan)), -EPERM);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(xnet, XFRM_XDP_NORECORD), 1);

	/* GRO leaves it to whoever refuses it */
	skb = test_skb(rec, &rec->md, rec->gw->wan);
	local_bh_disable();
	rcu_read_lock();
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_gro_receive(skb));
	rcu_read_unlock();
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, skb_metadata_len(skb), sizeof(rec->md));
	kfree_skb(skb);
}

/* The stack decrypted the packet already: the record is of another one. */
static void test_rec_path(struct kunit *test)
{
	struct test_rec *rec = test_rec(test);
	struct xfrm_xdp_net *xnet = rec->gw->xnet;
	struct sk_buff *skb;
	struct sec_path *sp;

	skb = test_up(rec, &rec->md, rec->gw->wan);
	KUNIT_ASSERT_TRUE(test, secpath_exists(skb));
	skb_ext_del(skb, SKB_EXT_XFRM_XDP);
	sp = skb_sec_path(skb);
	xfrm_state_hold(rec->x);
	sp->xvec[sp->len++] = rec->x;
	skb_metadata_set(skb, sizeof(rec->md));
	memcpy(skb_metadata_end(skb) - sizeof(rec->md), &rec->md,
	       sizeof(rec->md));

	local_bh_disable();
	rcu_read_lock();
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_restore(skb));
	xfrm_xdp_rcv(skb);
	rcu_read_unlock();
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, skb_sec_path(skb)->len, 2);
	KUNIT_EXPECT_FALSE(test, skb_ext_exist(skb, SKB_EXT_XFRM_XDP));
	kfree_skb(skb);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(xnet, XFRM_XDP_NORECORD), 1);
}

/* Headers were put in front of the packet, where its metadata was. */
static void test_rec_covered(struct kunit *test)
{
	struct test_rec *rec = test_rec(test);
	struct sk_buff *skb = test_skb(rec, &rec->md, rec->gw->wan);

	KUNIT_EXPECT_TRUE(test, xfrm_xdp_recorded(skb));
	skb->mac_header = sizeof(rec->md);
	KUNIT_EXPECT_TRUE(test, xfrm_xdp_recorded(skb));
	skb->mac_header--;
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_recorded(skb));
	kfree_skb(skb);
}

/* GRO has made more of it than its length can say. */
static void test_rec_merged(struct kunit *test)
{
	struct test_rec *rec = test_rec(test);
	struct sk_buff *skb;

	xfrm_xdp_test_iph(rec->gw)->tot_len = 0;
	test_expect_clear(rec, &rec->md, rec->gw->wan, "no length", 0);

	skb = test_skb(rec, &rec->md, rec->gw->wan);
	skb_shinfo(skb)->gso_size = 10;
	local_bh_disable();
	rcu_read_lock();
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_restore(skb));
	rcu_read_unlock();
	local_bh_enable();
	KUNIT_EXPECT_TRUE(test, secpath_exists(skb));
	kfree_skb(skb);

	/* its packets were short, as all of them is not */
	xfrm_xdp_test_frame(rec->gw, TEST_HEADROOM, 50);
	rec->md.short_len = 45;
	test_rec_seal(rec);
	skb = test_skb(rec, &rec->md, rec->gw->wan);
	skb_shinfo(skb)->gso_size = 5;
	local_bh_disable();
	rcu_read_lock();
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_restore(skb));
	rcu_read_unlock();
	local_bh_enable();
	KUNIT_EXPECT_TRUE(test, secpath_exists(skb));
	KUNIT_EXPECT_EQ(test, skb->len, 50);
	kfree_skb(skb);
}

/* The driver has filled it up. */
static void test_rec_padded(struct kunit *test)
{
	struct test_rec *rec = test_rec(test);
	struct xfrm_xdp_test_gw *gw = rec->gw;
	struct xfrm_xdp_tuple tuple;
	struct sk_buff *skb;

	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 30);
	rec->md.short_len = 30;
	test_rec_seal(rec);
	gw->xdp.data_end = gw->xdp.data + ETH_ZLEN;
	skb = test_up(rec, &rec->md, gw->wan);
	KUNIT_EXPECT_TRUE(test, secpath_exists(skb));
	KUNIT_EXPECT_EQ(test, skb->len, 30);
	kfree_skb(skb);

	/* cut off while it was sent: not to be completed by the driver */
	memset(&tuple, 0, sizeof(tuple));
	xfrm_xdp_test_iph(gw)->tot_len = htons(40);
	rec->md.held = 1;
	rec->md.mac = xfrm_xdp_md_mac(gw->xnet, &rec->md, &tuple);
	skb = test_up(rec, &rec->md, gw->wan);
	KUNIT_EXPECT_TRUE(test, secpath_exists(skb));
	KUNIT_EXPECT_EQ(test, skb->len, 30);
	kfree_skb(skb);
}

/* What the device said about the checksum was about ciphertext. */
static void test_rec_unchecked(struct kunit *test)
{
	struct test_rec *rec = test_rec(test);
	struct sk_buff *skb;

	skb = test_skb(rec, &rec->md, rec->gw->wan);
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	xfrm_xdp_unchecked(skb);
	KUNIT_EXPECT_TRUE(test, skb->ip_summed == CHECKSUM_NONE);
	kfree_skb(skb);

	/* it came in clear */
	rec->md.spi = 0;
	skb = test_skb(rec, &rec->md, rec->gw->wan);
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	xfrm_xdp_unchecked(skb);
	KUNIT_EXPECT_TRUE(test, skb->ip_summed == CHECKSUM_UNNECESSARY);
	kfree_skb(skb);
}

/* What VTI shall get is nobody else's. */
static void test_rec_vti(struct kunit *test)
{
	struct test_rec *rec = test_rec(test);
	struct xfrm_xdp_test_gw *gw = rec->gw;
	struct sk_buff *skb;

	/* one that nobody wrote is that of a packet in clear */
	rec->md.vti = gw->lan->ifindex;
	test_expect_clear(rec, &rec->md, gw->wan, "forged", 0);

	/* another device has the index now, or none */
	test_rec_seal(rec);
	KUNIT_EXPECT_EQ(test, test_restore(test_skb(rec, &rec->md, gw->wan)),
			-EPERM);
	rec->md.vti = INT_MAX;
	test_rec_seal(rec);
	KUNIT_EXPECT_EQ(test, test_restore(test_skb(rec, &rec->md, gw->wan)),
			-EPERM);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(gw->xnet, XFRM_XDP_NORECORD),
			3);

	/* GRO does not decrypt it */
	skb = test_skb(rec, &rec->md, gw->wan);
	KUNIT_EXPECT_TRUE(test, xfrm_xdp_record_of_vti(skb));
	local_bh_disable();
	rcu_read_lock();
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_gro_receive(skb));
	rcu_read_unlock();
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, skb_metadata_len(skb), sizeof(rec->md));
	KUNIT_EXPECT_FALSE(test, secpath_exists(skb));
	KUNIT_EXPECT_FALSE(test, skb_ext_exist(skb, SKB_EXT_XFRM_XDP));
	kfree_skb(skb);
}

static struct kunit_case xfrm_xdp_record_cases[] = {
	KUNIT_CASE(test_rec_good),
	KUNIT_CASE(test_rec_covered),
	KUNIT_CASE(test_rec_merged),
	KUNIT_CASE(test_rec_padded),
	KUNIT_CASE(test_rec_unchecked),
	KUNIT_CASE(test_rec_vti),
	KUNIT_CASE(test_rec_flipped),
	KUNIT_CASE(test_rec_tuple),
	KUNIT_CASE(test_rec_elsewhere),
	KUNIT_CASE(test_rec_state_gone),
	KUNIT_CASE(test_rec_path),
	{}
};

static struct kunit_suite xfrm_xdp_record_suite = {
	.name		= "xfrm_xdp_record",
	.init		= xfrm_xdp_test_up,
	.exit		= test_rec_down,
	.test_cases	= xfrm_xdp_record_cases,
};

kunit_test_suites(&xfrm_xdp_record_suite);
