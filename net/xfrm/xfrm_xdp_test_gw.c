// SPDX-License-Identifier: GPL-2.0-only
/* A gateway for the KUnit tests of XFRM for XDP: a netns with two devices, a
 * tunnel mode state and policy, and one frame.
 */

#include <linux/etherdevice.h>
#include <linux/inetdevice.h>
#include <linux/route.h>
#include <linux/rtnetlink.h>
#include <linux/user_namespace.h>
#include <net/arp.h>
#include <net/neighbour.h>
#include <net/route.h>

#include "xfrm_xdp_test.h"

const u8 xfrm_xdp_test_key[TEST_KEY_LEN] = {
	0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19,
	0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0xa0, 0xa1, 0xa2, 0xa3,
};

const u8 xfrm_xdp_test_peer_mac[ETH_ALEN] = { 2, 0, 0, 0, 0, 0x22 };
static const u8 test_host_mac[ETH_ALEN] = { 2, 0, 0, 0, 0, 0x11 };

struct sk_buff_head *xfrm_xdp_test_sent(const struct net_device *dev)
{
	return netdev_priv(dev);
}

/* So many transmissions of the devices are answered by NETDEV_TX_BUSY. */
int xfrm_xdp_test_tx_busy;

/* Keep what was forwarded; ARP, IGMP and IPv6 have something to say too. */
static netdev_tx_t test_xmit(struct sk_buff *skb, struct net_device *dev)
{
	if (xfrm_xdp_test_tx_busy) {
		xfrm_xdp_test_tx_busy--;
		return NETDEV_TX_BUSY;
	}

	if (skb->protocol == htons(ETH_P_IP) &&
	    ip_hdr(skb)->protocol != IPPROTO_IGMP)
		skb_queue_tail(xfrm_xdp_test_sent(dev), skb);
	else
		consume_skb(skb);
	return NETDEV_TX_OK;
}

static void test_uninit(struct net_device *dev)
{
	skb_queue_purge(xfrm_xdp_test_sent(dev));
}

static int test_xdp_xmit(struct net_device *dev, int n,
			 struct xdp_frame **frames, u32 flags)
{
	return 0;
}

static const struct net_device_ops test_netdev_ops = {
	.ndo_uninit	= test_uninit,
	.ndo_start_xmit	= test_xmit,
	.ndo_xdp_xmit	= test_xdp_xmit,
};

/* With these a netns that goes takes its devices along. */
static struct rtnl_link_ops test_link_ops = {
	.kind	= "xfrm_xdp_test",
};

static void test_setup(struct net_device *dev)
{
	ether_setup(dev);
	eth_hw_addr_random(dev);
	dev->netdev_ops = &test_netdev_ops;
	dev->rtnl_link_ops = &test_link_ops;
	dev->needs_free_netdev = true;
	dev->xdp_features = NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT;
	skb_queue_head_init(xfrm_xdp_test_sent(dev));
}

static struct net_device *test_device(struct xfrm_xdp_test_gw *gw,
				      const char *name, __be32 addr)
{
	struct kunit *test = gw->test;
	struct sockaddr_in *sin;
	struct net_device *dev;
	struct ifreq ifr = {};
	int err;

	dev = alloc_netdev(sizeof(struct sk_buff_head), name, NET_NAME_USER,
			   test_setup);
	KUNIT_ASSERT_NOT_NULL(test, dev);
	dev_net_set(dev, gw->net);
	err = register_netdev(dev);
	if (err)
		free_netdev(dev);
	KUNIT_ASSERT_EQ(test, err, 0);

	rtnl_lock();
	err = dev_open(dev, NULL);
	rtnl_unlock();
	KUNIT_ASSERT_EQ(test, err, 0);

	strscpy(ifr.ifr_name, name);
	sin = (struct sockaddr_in *)&ifr.ifr_addr;
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = addr;
	KUNIT_ASSERT_EQ(test, devinet_ioctl(gw->net, SIOCSIFADDR, &ifr), 0);

	rtnl_lock();
	IN_DEV_CONF_SET(__in_dev_get_rtnl(dev), FORWARDING, 1);
	rtnl_unlock();
	return dev;
}

static void test_default_route(struct xfrm_xdp_test_gw *gw)
{
	struct rtentry rt = { .rt_flags = RTF_UP | RTF_GATEWAY };
	struct sockaddr_in *sin;

	rt.rt_dst.sa_family = AF_INET;
	rt.rt_genmask.sa_family = AF_INET;
	sin = (struct sockaddr_in *)&rt.rt_gateway;
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = TEST_PEER;
	KUNIT_ASSERT_EQ(gw->test, ip_rt_ioctl(gw->net, SIOCADDRT, &rt), 0);
}

/* A next hop that has been used before: its header is cached. */
static void test_neigh(struct xfrm_xdp_test_gw *gw)
{
	struct kunit *test = gw->test;
	__be32 peer = TEST_PEER;
	int err;

	gw->neigh = neigh_create(&arp_tbl, &peer, gw->wan);
	KUNIT_ASSERT_FALSE(test, IS_ERR(gw->neigh));
	err = neigh_update(gw->neigh, xfrm_xdp_test_peer_mac, NUD_PERMANENT,
			   NEIGH_UPDATE_F_ADMIN | NEIGH_UPDATE_F_OVERRIDE, 0);
	KUNIT_ASSERT_EQ(test, err, 0);
	write_lock_bh(&gw->neigh->lock);
	err = gw->wan->header_ops->cache(gw->neigh, &gw->neigh->hh,
					 htons(ETH_P_IP));
	write_unlock_bh(&gw->neigh->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

/* A policy for all packets; outbound ones take the tunnel. The caller must not
 * use it longer than the policy is in the netns.
 */
struct xfrm_policy *xfrm_xdp_test_policy(struct xfrm_xdp_test_gw *gw, int dir)
{
	struct xfrm_policy *pol = xfrm_policy_alloc(gw->net, GFP_KERNEL);
	struct xfrm_tmpl *tmpl;
	int err;

	KUNIT_ASSERT_NOT_NULL(gw->test, pol);
	pol->type = XFRM_POLICY_TYPE_MAIN;
	pol->family = AF_INET;
	pol->selector.family = AF_INET;
	pol->action = XFRM_POLICY_ALLOW;
	pol->lft.soft_byte_limit = XFRM_INF;
	pol->lft.hard_byte_limit = XFRM_INF;
	pol->lft.soft_packet_limit = XFRM_INF;
	pol->lft.hard_packet_limit = XFRM_INF;
	pol->xfrm_nr = dir == XFRM_POLICY_OUT;
	tmpl = &pol->xfrm_vec[0];
	tmpl->id.daddr.a4 = TEST_PEER;
	tmpl->id.proto = IPPROTO_ESP;
	tmpl->saddr.a4 = TEST_WAN;
	tmpl->encap_family = AF_INET;
	tmpl->mode = XFRM_MODE_TUNNEL;
	tmpl->allalgs = 1;
	err = xfrm_policy_insert(dir, pol, 1);
	xfrm_pol_put(pol);
	KUNIT_ASSERT_EQ(gw->test, err, 0);
	return pol;
}

static int test_state_aead(struct xfrm_state *x, const char *name)
{
	x->geniv = "seqiv";
	x->aead = kzalloc(sizeof(*x->aead) + TEST_KEY_LEN, GFP_KERNEL);
	if (!x->aead)
		return -ENOMEM;

	strscpy(x->aead->alg_name, name);
	x->aead->alg_key_len = TEST_KEY_LEN * 8;
	x->aead->alg_icv_len = 128;
	memcpy(x->aead->alg_key, xfrm_xdp_test_key, TEST_KEY_LEN);
	return 0;
}

static int test_state_null(struct xfrm_state *x)
{
	x->ealg = kzalloc(sizeof(*x->ealg), GFP_KERNEL);
	if (!x->ealg)
		return -ENOMEM;

	strscpy(x->ealg->alg_name, "ecb(cipher_null)");
	return 0;
}

static int test_state_esn(struct xfrm_state *x)
{
	u32 len = struct_size(x->replay_esn, bmp, 1);

	x->props.flags |= XFRM_STATE_ESN;
	x->replay_esn = kzalloc(len, GFP_KERNEL);
	x->preplay_esn = kzalloc(len, GFP_KERNEL);
	if (!x->replay_esn || !x->preplay_esn)
		return -ENOMEM;

	x->replay_esn->bmp_len = 1;
	x->replay_esn->replay_window = 32;
	memcpy(x->preplay_esn, x->replay_esn, len);
	return test_state_aead(x, "rfc4106(gcm(aes))");
}

/* The sequence number of the last packet. */
u64 xfrm_xdp_test_oseq(const struct xfrm_state *x)
{
	if (!x->replay_esn)
		return x->replay.oseq;

	return (u64)x->replay_esn->oseq_hi << 32 | x->replay_esn->oseq;
}

static int test_state_cipher(struct xfrm_state *x,
			     enum xfrm_xdp_test_cipher cipher)
{
	switch (cipher) {
	case TEST_GCM:
		return test_state_aead(x, "rfc4106(gcm(aes))");
	case TEST_ESN:
		return test_state_esn(x);
	case TEST_ASYNC:
		return test_state_aead(x, "xfrm-xdp-test");
	case TEST_NULL:
		return test_state_null(x);
	}
	return -EINVAL;
}

/* A state of the tunnel from @saddr to @daddr, held. */
struct xfrm_state *xfrm_xdp_test_add_state(struct xfrm_xdp_test_gw *gw,
					   enum xfrm_xdp_test_cipher cipher,
					   __be32 saddr, __be32 daddr)
{
	struct xfrm_state *x = xfrm_state_alloc(gw->net);
	struct kunit *test = gw->test;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, x);
	x->id.daddr.a4 = daddr;
	x->id.proto = IPPROTO_ESP;
	x->id.spi = htonl(TEST_SPI);
	x->props.saddr.a4 = saddr;
	x->props.family = AF_INET;
	x->props.mode = XFRM_MODE_TUNNEL;
	x->props.replay_window = 32;
	x->sel.family = AF_INET;

	err = test_state_cipher(x, cipher);
	err = err ?: xfrm_init_state(x);
	err = err ?: xfrm_state_add(x);
	if (err) {
		x->km.state = XFRM_STATE_DEAD;
		xfrm_state_put(x);
	}
	KUNIT_ASSERT_EQ(test, err, 0);
	xfrm_state_hold(x);
	return x;
}

/* Replace the state of the tunnel, as rekeying does. */
void xfrm_xdp_test_state(struct xfrm_xdp_test_gw *gw,
			 enum xfrm_xdp_test_cipher cipher)
{
	if (gw->x) {
		xfrm_state_delete(gw->x);
		xfrm_state_put(gw->x);
		gw->x = NULL;
	}

	gw->x = xfrm_xdp_test_add_state(gw, cipher, TEST_WAN, TEST_PEER);
}

/* Let go of flow and bundle. */
void xfrm_xdp_test_release(struct xfrm_xdp_test_gw *gw)
{
	if (gw->flow)
		xfrm_xdp_flow_put(gw->flow);
	gw->flow = NULL;
	dst_release(gw->dst);
	gw->dst = NULL;
}

/* Make a flow of the bundle at hand, or of what XFRM says now, for a packet that
 * came in @changes of the routes ago. Returns why there is none.
 */
enum xfrm_xdp_stat xfrm_xdp_test_try_flow(struct xfrm_xdp_test_gw *gw,
					  int changes)
{
	struct xfrm_xdp_origin origin = {
		.tuple = {
			.saddr = TEST_HOST,
			.daddr = TEST_FAR,
			.ports = htonl(TEST_SPORT << 16 | TEST_DPORT),
			.protocol = IPPROTO_UDP,
			.dscp = TEST_DSCP,
		},
		.iif = gw->lan->ifindex,
		.in_ifindex = gw->lan->ifindex,
		.genid = atomic_read(&gw->xnet->genid),
		.rt_genid = rt_genid_ipv4(gw->net) - changes,
	};
	struct flowi4 fl4 = {
		.saddr = TEST_HOST,
		.daddr = TEST_FAR,
		.flowi4_proto = IPPROTO_UDP,
		.flowi4_flags = FLOWI_FLAG_ANYSRC,
	};
	struct kunit *test = gw->test;
	enum xfrm_xdp_stat why = 0;
	struct rtable *rt;

	ether_addr_copy(origin.dmac, gw->lan->dev_addr);
	if (!gw->dst) {
		rt = ip_route_output_flow(gw->net, &fl4, NULL);
		KUNIT_ASSERT_FALSE(test, IS_ERR(rt));
		gw->dst = &rt->dst;
	}
	KUNIT_ASSERT_PTR_EQ(test, gw->dst->xfrm, gw->x);

	local_bh_disable();
	rcu_read_lock();
	gw->flow = xfrm_xdp_flow_create(gw->xnet, gw->dst, gw->neigh, &origin,
					&why);
	rcu_read_unlock();
	local_bh_enable();
	return gw->flow ? 0 : why;
}

/* A new flow from what XFRM says now. */
void xfrm_xdp_test_flow(struct xfrm_xdp_test_gw *gw)
{
	xfrm_xdp_test_release(gw);
	KUNIT_ASSERT_EQ(gw->test, xfrm_xdp_test_try_flow(gw, 0), 0);
}

struct iphdr *xfrm_xdp_test_iph(const struct xfrm_xdp_test_gw *gw)
{
	return gw->xdp.data + ETH_HLEN;
}

/* A frame with an inner packet of @len bytes. */
void xfrm_xdp_test_frame(struct xfrm_xdp_test_gw *gw, u32 headroom, u32 len)
{
	struct ethhdr *eth;

	memset(page_address(gw->page), 0x5a, PAGE_SIZE);
	xdp_init_buff(&gw->xdp, PAGE_SIZE, &gw->rxq);
	xdp_prepare_buff(&gw->xdp, page_address(gw->page), headroom,
			 ETH_HLEN + len, true);

	eth = gw->xdp.data;
	ether_addr_copy(eth->h_dest, gw->lan->dev_addr);
	ether_addr_copy(eth->h_source, test_host_mac);
	eth->h_proto = htons(ETH_P_IP);
	xfrm_xdp_test_set_iph(xfrm_xdp_test_iph(gw), len);
}

int xfrm_xdp_test_output(struct xfrm_xdp_test_gw *gw)
{
	int ret;

	local_bh_disable();
	rcu_read_lock();
	ret = xfrm_xdp_output(&gw->xdp, gw->flow);
	rcu_read_unlock();
	local_bh_enable();
	return ret;
}

unsigned long xfrm_xdp_test_stat(const struct xfrm_xdp_net *xnet,
				 enum xfrm_xdp_stat stat)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu_ptr(xnet->mib, cpu)[stat];
	return sum;
}

/* The packet must come back untouched, with @err, counted as @why, and not
 * charged to the state.
 */
void xfrm_xdp_test_expect_pass(struct xfrm_xdp_test_gw *gw, int err,
			       enum xfrm_xdp_stat why)
{
	const struct xfrm_xdp_net *xnet;
	unsigned long stats[XFRM_XDP_STAT_MAX];
	struct xfrm_lifetime_cur curlft = gw->x->curlft;
	struct xdp_buff xdp = gw->xdp;
	u64 oseq = xfrm_xdp_test_oseq(gw->x);
	u8 state = gw->x->km.state;
	struct kunit *test = gw->test;
	int i;

	xnet = xfrm_xdp_pernet(dev_net(gw->xdp.rxq->dev));
	for (i = 0; i < XFRM_XDP_STAT_MAX; i++)
		stats[i] = xfrm_xdp_test_stat(xnet, i);
	memcpy(gw->before, page_address(gw->page), PAGE_SIZE);

	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_output(gw), err);

	KUNIT_EXPECT_EQ(test, memcmp(&gw->xdp, &xdp, sizeof(xdp)), 0);
	KUNIT_EXPECT_EQ(test, memcmp(gw->before, page_address(gw->page),
				     PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, memcmp(&gw->x->curlft, &curlft, sizeof(curlft)),
			0);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_oseq(gw->x), oseq);
	KUNIT_EXPECT_EQ(test, gw->x->km.state, state);
	for (i = 0; i < XFRM_XDP_STAT_MAX; i++)
		KUNIT_EXPECT_EQ_MSG(test, xfrm_xdp_test_stat(xnet, i),
				    stats[i] + (i == why), "counter %d", i);
}

int xfrm_xdp_test_up(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = kunit_kzalloc(test, sizeof(*gw),
						    GFP_KERNEL);
	struct net *net;

	KUNIT_ASSERT_NOT_NULL(test, gw);
	test->priv = gw;
	gw->test = test;
	gw->before = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, gw->before);
	gw->page = alloc_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, gw->page);

	net = copy_net_ns(CLONE_NEWNET, &init_user_ns, &init_net);
	KUNIT_ASSERT_FALSE(test, IS_ERR(net));
	gw->net = net;
	gw->xnet = xfrm_xdp_pernet(net);
	gw->lan = test_device(gw, "lan", TEST_LAN);
	gw->wan = test_device(gw, "wan", TEST_WAN);
	gw->rxq.dev = gw->lan;
	gw->rxq.mem.type = MEM_TYPE_PAGE_SHARED;

	test_default_route(gw);
	test_neigh(gw);
	xfrm_xdp_test_policy(gw, XFRM_POLICY_OUT);
	xfrm_xdp_test_state(gw, TEST_GCM);
	xfrm_xdp_test_flow(gw);
	return 0;
}

void xfrm_xdp_test_down(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	if (!gw)
		return;

	if (gw->wan)
		skb_queue_purge(xfrm_xdp_test_sent(gw->wan));
	xfrm_xdp_test_release(gw);
	if (!IS_ERR_OR_NULL(gw->neigh))
		neigh_release(gw->neigh);
	if (gw->x) {
		xfrm_state_delete(gw->x);
		xfrm_state_put(gw->x);
	}
	if (gw->net)
		put_net(gw->net);
	if (gw->page)
		put_page(gw->page);
}
