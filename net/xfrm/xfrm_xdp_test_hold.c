// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of XFRM for XDP: a flow that was offered is not offered again and
 * again.
 */

#include <linux/delay.h>
#include <net/route.h>

#include "xfrm_xdp_test.h"

/* Offered once in a while, unless it was learned or something changed. */
static void test_hold(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct xfrm_xdp_tuple tuple, other;

	KUNIT_ASSERT_EQ(test, xfrm_xdp_hold_init(gw->xnet), 0);
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	KUNIT_ASSERT_EQ(test, xfrm_xdp_parse(xfrm_xdp_test_iph(gw),
					     gw->xdp.data_end, &tuple), 0);
	other = tuple;
	other.vlan_tci = htons(1);

	rcu_read_lock();
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_held(gw->xnet, 1, &tuple));
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_hold(gw->xnet, 1, &tuple));
	KUNIT_EXPECT_TRUE(test, xfrm_xdp_held(gw->xnet, 1, &tuple));
	KUNIT_EXPECT_TRUE(test, xfrm_xdp_hold(gw->xnet, 1, &tuple));
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_hold(gw->xnet, 2, &tuple));
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_hold(gw->xnet, 1, &other));

	xfrm_xdp_unhold(gw->xnet, 1, &tuple);
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_hold(gw->xnet, 1, &tuple));
	KUNIT_EXPECT_TRUE(test, xfrm_xdp_hold(gw->xnet, 1, &tuple));

	xfrm_xdp_invalidate(gw->net);
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_hold(gw->xnet, 1, &tuple));
	rt_genid_bump_ipv4(gw->net);
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_hold(gw->xnet, 1, &tuple));
	KUNIT_EXPECT_TRUE(test, xfrm_xdp_hold(gw->xnet, 1, &tuple));
	rcu_read_unlock();

	msleep(1100);
	rcu_read_lock();
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_hold(gw->xnet, 1, &tuple));
	rcu_read_unlock();
}

static struct kunit_case xfrm_xdp_hold_cases[] = {
	KUNIT_CASE(test_hold),
	{}
};

static struct kunit_suite xfrm_xdp_hold_suite = {
	.name		= "xfrm_xdp_hold",
	.init		= xfrm_xdp_test_up,
	.exit		= xfrm_xdp_test_down,
	.test_cases	= xfrm_xdp_hold_cases,
};

kunit_test_suite(xfrm_xdp_hold_suite);
