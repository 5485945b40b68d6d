// SPDX-License-Identifier: GPL-2.0-only
/* The gateway of xfrm_xdp_test_gw.c, and ESP packets to it.
 *
 * The peer's packets are made by xfrm_xdp_output(), which other tests compare
 * with the stack and with the cipher itself: ESP does not authenticate the outer
 * header, so only that is turned round.
 */

#include <linux/etherdevice.h>
#include <net/ip.h>
#include <net/route.h>

#include "xfrm_xdp_test_in.h"

struct xfrm_xdp_flow *xfrm_xdp_test_in_flow(struct xfrm_xdp_test_in *in,
					    enum xfrm_xdp_stat *why)
{
	struct xfrm_xdp_test_gw *gw = in->gw;
	struct xfrm_xdp_origin origin = {
		.tuple = {
			.saddr = TEST_PEER,
			.daddr = TEST_WAN,
			.ports = htonl(TEST_SPI),
			.protocol = IPPROTO_ESP,
			.dscp = TEST_DSCP,
		},
		.iif = gw->wan->ifindex,
		.in_ifindex = gw->wan->ifindex,
		.genid = atomic_read(&gw->xnet->genid),
		.sa = in->x,
	};
	struct flowi4 fl4 = { .daddr = TEST_WAN };
	struct xfrm_xdp_flow *flow;
	struct rtable *rt;

	ether_addr_copy(origin.dmac, gw->wan->dev_addr);
	rt = ip_route_output_key(gw->net, &fl4);
	KUNIT_ASSERT_FALSE(gw->test, IS_ERR(rt));

	local_bh_disable();
	rcu_read_lock();
	flow = xfrm_xdp_flow_create_in(gw->xnet, &rt->dst, &origin, why);
	rcu_read_unlock();
	local_bh_enable();
	ip_rt_put(rt);
	return flow;
}

static void test_in_forget(struct xfrm_xdp_test_in *in)
{
	if (in->flow)
		xfrm_xdp_flow_put(in->flow);
	in->flow = NULL;
}

void xfrm_xdp_test_in_again(struct xfrm_xdp_test_in *in)
{
	enum xfrm_xdp_stat why = 0;

	test_in_forget(in);
	in->flow = xfrm_xdp_test_in_flow(in, &why);
	KUNIT_ASSERT_NOT_NULL_MSG(in->gw->test, in->flow, "reason %d", why);
}

static void test_in_drop_state(struct xfrm_xdp_test_in *in)
{
	if (!in->x)
		return;
	xfrm_state_delete(in->x);
	xfrm_state_put(in->x);
	in->x = NULL;
}

/* Both directions get this cipher. */
void xfrm_xdp_test_in_cipher(struct xfrm_xdp_test_in *in,
			     enum xfrm_xdp_test_cipher cipher)
{
	struct xfrm_xdp_test_gw *gw = in->gw;

	test_in_forget(in);
	test_in_drop_state(in);
	xfrm_xdp_test_state(gw, cipher);
	xfrm_xdp_test_flow(gw);
	in->x = xfrm_xdp_test_add_state(gw, cipher, TEST_PEER, TEST_WAN);
	xfrm_xdp_test_in_again(in);
}

static int test_flow_add(const struct xfrm_xdp_md *md,
			 struct xfrm_xdp_flow *flow)
{
	return 0;
}

/* XDP decrypts only while somebody reads records. */
struct xfrm_xdp_ops xfrm_xdp_test_in_ops = {
	.flow_add	= test_flow_add,
};

struct xfrm_xdp_test_in *xfrm_xdp_test_in(struct kunit *test)
{
	struct xfrm_xdp_test_in *in = kunit_kzalloc(test, sizeof(*in), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, in);
	in->gw = test->priv;
	in->gw->peer = in;
	rcu_assign_pointer(in->gw->xnet->ops, &xfrm_xdp_test_in_ops);
	xfrm_xdp_test_in_cipher(in, TEST_GCM);
	return in;
}

void xfrm_xdp_test_in_down(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct xfrm_xdp_test_in *in = gw ? gw->peer : NULL;

	if (in) {
		RCU_INIT_POINTER(gw->xnet->ops, NULL);
		test_in_forget(in);
		test_in_drop_state(in);
	}
	xfrm_xdp_test_down(test);
}

/* The frame that was just encrypted, as the peer would have sent it. */
static void test_turn_round(struct xfrm_xdp_test_in *in)
{
	struct xfrm_xdp_test_gw *gw = in->gw;
	struct ethhdr *eth = gw->xdp.data;
	struct iphdr *iph = xfrm_xdp_test_outer(in);

	ether_addr_copy(eth->h_dest, gw->wan->dev_addr);
	ether_addr_copy(eth->h_source, xfrm_xdp_test_peer_mac);
	iph->saddr = TEST_PEER;
	iph->daddr = TEST_WAN;
	ip_send_check(iph);
	gw->rxq.dev = gw->wan;
	gw->xdp.data_meta = gw->xdp.data;
}

/* A frame with an ESP packet that holds the frame as it is now. */
void xfrm_xdp_test_in_encrypt(struct xfrm_xdp_test_in *in)
{
	struct xfrm_xdp_test_gw *gw = in->gw;
	struct iphdr *iph = xfrm_xdp_test_iph(gw);

	gw->rxq.dev = gw->lan;
	in->len = ntohs(iph->tot_len);
	memcpy(in->clear, iph, in->len);
	ip_decrease_ttl((struct iphdr *)in->clear);
	KUNIT_ASSERT_EQ(gw->test, xfrm_xdp_test_output(gw), gw->wan->ifindex);
	test_turn_round(in);
}

void xfrm_xdp_test_in_frame(struct xfrm_xdp_test_in *in, u32 len)
{
	xfrm_xdp_test_frame(in->gw, TEST_HEADROOM, len);
	xfrm_xdp_test_in_encrypt(in);
}

int xfrm_xdp_test_input(struct xfrm_xdp_test_in *in)
{
	int ret;

	local_bh_disable();
	rcu_read_lock();
	ret = xfrm_xdp_input(&in->gw->xdp, in->flow);
	rcu_read_unlock();
	local_bh_enable();
	return ret;
}

bool xfrm_xdp_test_came_through(const struct xfrm_xdp_test_in *in)
{
	const struct xfrm_xdp_through *through;
	bool is;

	local_bh_disable();
	through = xfrm_xdp_through(&in->gw->xdp);
	is = through && through->came == xfrm_xdp_came(in->x, false);
	local_bh_enable();
	return is;
}
