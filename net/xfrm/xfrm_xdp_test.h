/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _XFRM_XDP_TEST_H
#define _XFRM_XDP_TEST_H

#include <kunit/test.h>
#include <linux/if_ether.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/xdp.h>

#include "xfrm_xdp_internal.h"

/* host --- LAN [gateway] WAN === tunnel === peer --- far host */
#define TEST_HOST	htonl(0xc6336402)	/* 198.51.100.2 */
#define TEST_LAN	htonl(0xc6336401)	/* 198.51.100.1 */
#define TEST_WAN	htonl(0xc0000201)	/* 192.0.2.1 */
#define TEST_PEER	htonl(0xc0000202)	/* 192.0.2.2 */
#define TEST_FAR	htonl(0xcb007102)	/* 203.0.113.2 */
#define TEST_SPORT	0x1234
#define TEST_DPORT	0x5678
#define TEST_DSCP	0x28
#define TEST_SPI	0x1000
#define TEST_HEADROOM	256

/* AES key and the salt of RFC 4106 */
#define TEST_KEY_LEN	20
extern const u8 xfrm_xdp_test_key[TEST_KEY_LEN];
extern const u8 xfrm_xdp_test_peer_mac[ETH_ALEN];

/* KUNIT_EXPECT_EQ() for the bitwise types of sparse */
#define TEST_EXPECT_BE(test, left, right)				\
	KUNIT_EXPECT_EQ(test, (__force u32)(left), (__force u32)(right))

enum xfrm_xdp_test_cipher {
	TEST_GCM,
	TEST_ESN,		/* the same, with extended sequence numbers */
	TEST_NULL,
	TEST_ASYNC,		/* of xfrm_xdp_test_async.c */
};

/**
 * struct xfrm_xdp_test_gw - a gateway in a netns of its own
 * @test: the test that runs
 * @net: the netns
 * @xnet: and what XFRM for XDP knows of it
 * @lan: where packets come in
 * @wan: where they leave
 * @neigh: the peer, on @wan
 * @x: state
 * @dst: bundle
 * @flow: flow of the frames that xfrm_xdp_test_frame() makes
 * @page: memory of @xdp
 * @before: copy of it
 * @peer: what a suite has beside it
 * @rxq: @lan's
 * @xdp: the packet
 */
struct xfrm_xdp_test_gw {
	struct kunit		*test;
	struct net		*net;
	struct xfrm_xdp_net	*xnet;
	struct net_device	*lan;
	struct net_device	*wan;
	struct neighbour	*neigh;
	struct xfrm_state	*x;
	struct dst_entry	*dst;
	struct xfrm_xdp_flow	*flow;
	struct page		*page;
	void			*before;
	void			*peer;
	struct xdp_rxq_info	rxq;
	struct xdp_buff		xdp;
};

int xfrm_xdp_test_up(struct kunit *test);
void xfrm_xdp_test_down(struct kunit *test);
void xfrm_xdp_test_state(struct xfrm_xdp_test_gw *gw,
			 enum xfrm_xdp_test_cipher cipher);
struct xfrm_state *xfrm_xdp_test_add_state(struct xfrm_xdp_test_gw *gw,
					   enum xfrm_xdp_test_cipher cipher,
					   __be32 saddr, __be32 daddr);
u64 xfrm_xdp_test_oseq(const struct xfrm_state *x);
struct xfrm_policy *xfrm_xdp_test_policy(struct xfrm_xdp_test_gw *gw, int dir);
enum xfrm_xdp_stat xfrm_xdp_test_try_flow(struct xfrm_xdp_test_gw *gw,
					  int changes);
void xfrm_xdp_test_flow(struct xfrm_xdp_test_gw *gw);
void xfrm_xdp_test_release(struct xfrm_xdp_test_gw *gw);
void xfrm_xdp_test_frame(struct xfrm_xdp_test_gw *gw, u32 headroom, u32 len);
struct iphdr *xfrm_xdp_test_iph(const struct xfrm_xdp_test_gw *gw);
void xfrm_xdp_test_set_iph(struct iphdr *iph, u32 len);
int xfrm_xdp_test_output(struct xfrm_xdp_test_gw *gw);
void xfrm_xdp_test_expect_pass(struct xfrm_xdp_test_gw *gw, int err,
			       enum xfrm_xdp_stat why);
unsigned long xfrm_xdp_test_stat(const struct xfrm_xdp_net *xnet,
				 enum xfrm_xdp_stat stat);
struct sk_buff_head *xfrm_xdp_test_sent(const struct net_device *dev);
extern int xfrm_xdp_test_tx_busy;

#endif /* _XFRM_XDP_TEST_H */
