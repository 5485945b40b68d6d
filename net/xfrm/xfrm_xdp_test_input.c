// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of xfrm_xdp_input(): ESP packets to the gateway.
 *
 * The peer's packets are made by xfrm_xdp_output(), which other tests compare
 * with the stack and with the cipher itself: ESP does not authenticate the outer
 * header, so only that is turned round.
 */

#include <linux/etherdevice.h>
#include <linux/net.h>
#include <net/dsfield.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/protocol.h>
#include <net/route.h>

#include "xfrm_xdp_test.h"

#define TEST_GCM_OVERHEAD	(sizeof(struct ip_esp_hdr) + 8)

/**
 * struct test_in - the way in
 * @gw: the gateway
 * @x: state of the packets that come in
 * @flow: theirs
 * @clear: the inner packet before it was encrypted
 * @len: its length
 */
struct test_in {
	struct xfrm_xdp_test_gw	*gw;
	struct xfrm_state	*x;
	struct xfrm_xdp_flow	*flow;
	u8			clear[1600];
	u32			len;
};

static struct xfrm_xdp_flow *test_in_flow(struct test_in *in,
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

static void test_in_forget(struct test_in *in)
{
	if (in->flow)
		xfrm_xdp_flow_put(in->flow);
	in->flow = NULL;
}

static void test_in_again(struct test_in *in)
{
	enum xfrm_xdp_stat why = 0;

	test_in_forget(in);
	in->flow = test_in_flow(in, &why);
	KUNIT_ASSERT_NOT_NULL_MSG(in->gw->test, in->flow, "reason %d", why);
}

static void test_in_drop_state(struct test_in *in)
{
	if (!in->x)
		return;
	xfrm_state_delete(in->x);
	xfrm_state_put(in->x);
	in->x = NULL;
}

/* Both directions get this cipher. */
static void test_in_cipher(struct test_in *in, enum xfrm_xdp_test_cipher cipher)
{
	struct xfrm_xdp_test_gw *gw = in->gw;

	test_in_forget(in);
	test_in_drop_state(in);
	xfrm_xdp_test_state(gw, cipher);
	xfrm_xdp_test_flow(gw);
	in->x = xfrm_xdp_test_add_state(gw, cipher, TEST_PEER, TEST_WAN);
	test_in_again(in);
}

static int test_flow_add(const struct xfrm_xdp_md *md,
			 struct xfrm_xdp_flow *flow)
{
	return 0;
}

/* XDP decrypts only while somebody reads records. */
static struct xfrm_xdp_ops test_ops = {
	.flow_add	= test_flow_add,
};

static struct test_in *test_in(struct kunit *test)
{
	struct test_in *in = kunit_kzalloc(test, sizeof(*in), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, in);
	in->gw = test->priv;
	in->gw->peer = in;
	rcu_assign_pointer(in->gw->xnet->ops, &test_ops);
	test_in_cipher(in, TEST_GCM);
	return in;
}

static void test_in_down(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct test_in *in = gw ? gw->peer : NULL;

	if (in) {
		RCU_INIT_POINTER(gw->xnet->ops, NULL);
		test_in_forget(in);
		test_in_drop_state(in);
	}
	xfrm_xdp_test_down(test);
}

static struct iphdr *test_outer(const struct test_in *in)
{
	return xfrm_xdp_test_iph(in->gw);
}

static struct ip_esp_hdr *test_esph(const struct test_in *in)
{
	return (struct ip_esp_hdr *)(test_outer(in) + 1);
}

/* The frame that was just encrypted, as the peer would have sent it. */
static void test_turn_round(struct test_in *in)
{
	struct xfrm_xdp_test_gw *gw = in->gw;
	struct ethhdr *eth = gw->xdp.data;
	struct iphdr *iph = test_outer(in);

	ether_addr_copy(eth->h_dest, gw->wan->dev_addr);
	ether_addr_copy(eth->h_source, xfrm_xdp_test_peer_mac);
	iph->saddr = TEST_PEER;
	iph->daddr = TEST_WAN;
	ip_send_check(iph);
	gw->rxq.dev = gw->wan;
	gw->xdp.data_meta = gw->xdp.data;
}

/* A frame with an ESP packet that holds the frame as it is now. */
static void test_encrypt(struct test_in *in)
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

static void test_esp_frame(struct test_in *in, u32 len)
{
	xfrm_xdp_test_frame(in->gw, TEST_HEADROOM, len);
	test_encrypt(in);
}

static int test_input(struct test_in *in)
{
	int ret;

	local_bh_disable();
	rcu_read_lock();
	ret = xfrm_xdp_input(&in->gw->xdp, in->flow);
	rcu_read_unlock();
	local_bh_enable();
	return ret;
}

static bool test_came_through(const struct test_in *in)
{
	const struct xfrm_xdp_through *through;
	bool is;

	local_bh_disable();
	through = xfrm_xdp_through(&in->gw->xdp);
	is = through && through->came == xfrm_xdp_came(in->x, false);
	local_bh_enable();
	return is;
}

/* The frame is what was encrypted, behind a link layer header. */
static void test_expect_clear(struct test_in *in, void *esp_frame)
{
	struct xfrm_xdp_test_gw *gw = in->gw;
	struct ethhdr *eth = gw->xdp.data;
	struct kunit *test = gw->test;

	KUNIT_EXPECT_PTR_EQ(test, gw->xdp.data, esp_frame +
			    sizeof(struct iphdr) + TEST_GCM_OVERHEAD);
	KUNIT_EXPECT_PTR_EQ(test, gw->xdp.data_end, (void *)(eth + 1) + in->len);
	KUNIT_EXPECT_PTR_EQ(test, gw->xdp.data_meta, gw->xdp.data -
			    sizeof(struct xfrm_xdp_md));
	KUNIT_EXPECT_MEMEQ(test, eth->h_dest, gw->wan->dev_addr, ETH_ALEN);
	KUNIT_EXPECT_MEMEQ(test, eth->h_source, xfrm_xdp_test_peer_mac,
			   ETH_ALEN);
	TEST_EXPECT_BE(test, eth->h_proto, htons(ETH_P_IP));
	KUNIT_EXPECT_EQ(test, memcmp(eth + 1, in->clear, in->len), 0);
	KUNIT_EXPECT_TRUE(test, test_came_through(in));
}

static void test_decrypts(struct test_in *in, u32 len)
{
	struct xfrm_lifetime_cur before = in->x->curlft;
	struct kunit *test = in->gw->test;
	void *frame;

	test_esp_frame(in, len);
	frame = in->gw->xdp.data;
	KUNIT_ASSERT_EQ_MSG(test, test_input(in), 1, "%u bytes", len);
	test_expect_clear(in, frame);
	KUNIT_EXPECT_EQ(test, in->x->curlft.packets, before.packets + 1);
	KUNIT_EXPECT_EQ(test, in->x->curlft.bytes, before.bytes + len);
}

static void test_in_sizes(struct kunit *test)
{
	struct test_in *in = test_in(test);
	u32 len;

	for (len = sizeof(struct iphdr) + 8; len <= 1400; len++)
		test_decrypts(in, len);
	KUNIT_EXPECT_EQ(test, in->x->replay.seq, in->gw->x->replay.oseq);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(in->gw->xnet, XFRM_XDP_INPUT),
			1400 - 27);
}

static void test_in_esn(struct kunit *test)
{
	struct test_in *in = test_in(test);
	struct xfrm_replay_state_esn *out, *got;
	int i;

	test_in_cipher(in, TEST_ESN);
	out = in->gw->x->replay_esn;
	got = in->x->replay_esn;
	out->oseq = U32_MAX - 5;
	got->seq = U32_MAX - 5;
	for (i = 0; i < 10; i++)
		test_decrypts(in, 100);
	KUNIT_EXPECT_EQ(test, got->seq_hi, 1);
	KUNIT_EXPECT_EQ(test, got->seq, out->oseq);

	/* the stack would take it for one of the old subspace */
	test_esp_frame(in, 100);
	test_esph(in)->seq_no = htonl(U32_MAX);
	KUNIT_EXPECT_EQ(test, test_input(in), -EALREADY);
}

/* Without a cipher the packet may end as a test likes. */
static void test_null_frame(struct test_in *in, u8 padlen, u8 nexthdr)
{
	u8 *end;

	test_esp_frame(in, 102);
	end = in->gw->xdp.data_end;
	end[-2] = padlen;
	end[-1] = nexthdr;
}

static unsigned long test_xfrm_stat(const struct test_in *in, int stat)
{
	return snmp_fold_field(in->gw->net->mib.xfrm_statistics, stat);
}

/* The packet is dropped, and counted as xfrm_input() would. */
static void test_expect_dropped(struct test_in *in, int stat, bool charged)
{
	unsigned long counted = test_xfrm_stat(in, stat), dropped;
	struct xfrm_xdp_test_gw *gw = in->gw;
	u64 packets = in->x->curlft.packets;
	struct kunit *test = gw->test;
	void *data = gw->xdp.data;

	dropped = xfrm_xdp_test_stat(gw->xnet, XFRM_XDP_INPUTERROR);
	KUNIT_EXPECT_EQ(test, test_input(in), 0);
	KUNIT_EXPECT_EQ(test, test_xfrm_stat(in, stat), counted + 1);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(gw->xnet, XFRM_XDP_INPUTERROR),
			dropped + 1);
	KUNIT_EXPECT_EQ(test, in->x->curlft.packets, packets + charged);
	KUNIT_EXPECT_PTR_EQ(test, gw->xdp.data_end, data + ETH_HLEN);
	KUNIT_EXPECT_FALSE(test, test_came_through(in));
}

static void test_in_trailer(struct kunit *test)
{
	struct test_in *in = test_in(test);
	int nexthdr;

	test_in_cipher(in, TEST_NULL);
	test_null_frame(in, 0, IPPROTO_IPIP);
	KUNIT_EXPECT_EQ(test, test_input(in), 1);

	/* 104 bytes of ciphertext, and at least one must be payload */
	test_null_frame(in, 101, IPPROTO_IPIP);
	test_expect_dropped(in, LINUX_MIB_XFRMINSTATEMODEERROR, true);
	test_null_frame(in, 102, IPPROTO_IPIP);
	test_expect_dropped(in, LINUX_MIB_XFRMINSTATEPROTOERROR, false);
	test_null_frame(in, 255, IPPROTO_IPIP);
	test_expect_dropped(in, LINUX_MIB_XFRMINSTATEPROTOERROR, false);
	/* a dummy packet */
	test_null_frame(in, 0, IPPROTO_NONE);
	test_expect_dropped(in, LINUX_MIB_XFRMINSTATEPROTOERROR, false);

	/* less than a header is no packet */
	test_null_frame(in, 102 - sizeof(struct iphdr), IPPROTO_IPIP);
	KUNIT_EXPECT_EQ(test, test_input(in), 1);
	test_null_frame(in, 102 - sizeof(struct iphdr) + 1, IPPROTO_IPIP);
	test_expect_dropped(in, LINUX_MIB_XFRMINSTATEMODEERROR, true);
	test_null_frame(in, 102 - sizeof(struct ipv6hdr) + 1, IPPROTO_IPV6);
	test_expect_dropped(in, LINUX_MIB_XFRMINSTATEMODEERROR, true);

	for (nexthdr = 0; nexthdr < 256; nexthdr++) {
		if (nexthdr == IPPROTO_IPIP || nexthdr == IPPROTO_IPV6 ||
		    nexthdr == IPPROTO_NONE)
			continue;
		test_null_frame(in, 0, nexthdr);
		test_expect_dropped(in, LINUX_MIB_XFRMINSTATEMODEERROR, true);
	}
}

/* What is inside need not be IPv4: the stack gets it with its record. */
static void test_in_ipv6(struct kunit *test)
{
	struct test_in *in = test_in(test);
	struct ethhdr *eth;

	test_in_cipher(in, TEST_NULL);
	test_null_frame(in, 0, IPPROTO_IPV6);
	KUNIT_EXPECT_EQ(test, test_input(in), 1);
	eth = in->gw->xdp.data;
	TEST_EXPECT_BE(test, eth->h_proto, htons(ETH_P_IPV6));
	KUNIT_EXPECT_TRUE(test, test_came_through(in));
}

/* Not a bit of the packet may be another. */
static void test_in_flipped(struct kunit *test)
{
	struct test_in *in = test_in(test);
	u32 bits, bit, failed = 0;
	u8 *esp;

	test_esp_frame(in, 60);
	bits = (in->gw->xdp.data_end - (void *)test_esph(in)) * 8;
	for (bit = 0; bit < bits; bit++) {
		test_esp_frame(in, 60);
		esp = (u8 *)test_esph(in);
		esp[bit / 8] ^= BIT(bit % 8);
		if (bit < 32) {
			KUNIT_EXPECT_EQ(test, test_input(in), -ENOENT);
			continue;
		}
		/* far ahead of the window, or before it */
		if (bit < 64 && ntohl(test_esph(in)->seq_no) <= in->x->replay.seq)
			continue;
		test_expect_dropped(in, LINUX_MIB_XFRMINSTATEPROTOERROR, false);
		failed++;
	}
	KUNIT_EXPECT_EQ(test, in->x->stats.integrity_failed, failed);
	KUNIT_EXPECT_EQ(test, in->x->replay.seq, 0);
	test_decrypts(in, 60);
}

/* Nor may one be missing. */
static void test_in_truncated(struct kunit *test)
{
	struct test_in *in = test_in(test);
	u32 least = TEST_GCM_OVERHEAD + 2 + 16, len, full;
	struct iphdr *iph;

	test_esp_frame(in, 60);
	full = ntohs(test_outer(in)->tot_len) - sizeof(*iph);
	for (len = 8; len < full; len++) {
		test_esp_frame(in, 60);
		iph = test_outer(in);
		iph->tot_len = htons(sizeof(*iph) + len);
		ip_send_check(iph);
		if (len < least)
			KUNIT_EXPECT_EQ_MSG(test, test_input(in), -EPROTO,
					    "%u bytes", len);
		else
			test_expect_dropped(in, LINUX_MIB_XFRMINSTATEPROTOERROR,
					    false);
	}
}

/* RFC 6040, and what the state says about it. */
static void test_in_ecn(struct kunit *test)
{
	struct test_in *in = test_in(test);
	u32 outer, inner, flags, want;
	struct iphdr *iph;

	for (flags = 0; flags < 4; flags++) {
		in->x->props.flags = (flags & 1 ? XFRM_STATE_NOECN : 0) |
				     (flags & 2 ? XFRM_STATE_DECAP_DSCP : 0);
		for (outer = 0; outer < 4; outer++) {
			for (inner = 0; inner < 4; inner++) {
				xfrm_xdp_test_frame(in->gw, TEST_HEADROOM, 100);
				iph = xfrm_xdp_test_iph(in->gw);
				iph->tos = TEST_DSCP | inner;
				ip_send_check(iph);
				test_encrypt(in);
				iph = test_outer(in);
				iph->tos = TEST_DSCP | outer;
				ip_send_check(iph);

				KUNIT_ASSERT_EQ(test, test_input(in), 1);
				want = inner;
				if (outer == INET_ECN_CE && inner &&
				    !(flags & 1))
					want = INET_ECN_CE;
				iph = xfrm_xdp_test_iph(in->gw);
				KUNIT_EXPECT_EQ(test, iph->tos,
						TEST_DSCP | want);
				TEST_EXPECT_BE(test, ip_fast_csum(iph, 5), 0);
			}
		}
	}
}

/* The packet comes back as it was, uncharged. */
static void test_expect_untouched(struct test_in *in, int err,
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
	KUNIT_EXPECT_EQ(test, test_input(in), err);
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
static struct iphdr *test_good(struct test_in *in)
{
	test_esp_frame(in, 100);
	return test_outer(in);
}

static void test_in_pass_frame(struct kunit *test)
{
	struct test_in *in = test_in(test);
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
	test_good(in)->check ^= htons(1);
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
	test_encrypt(in);
	gw->xdp.data_hard_start = gw->xdp.data + sizeof(*iph) +
				  TEST_GCM_OVERHEAD -
				  sizeof(struct xfrm_xdp_md) -
				  sizeof(struct xdp_frame) + 1;
	test_expect_untouched(in, -ENOSPC, XFRM_XDP_PASSROOM);
	gw->xdp.data_hard_start--;
	KUNIT_EXPECT_EQ(test, test_input(in), 1);
	test_good(in);
	gw->rxq.mem.type = MEM_TYPE_XSK_BUFF_POOL;
	test_expect_untouched(in, -ENOTBLK, XFRM_XDP_PASSMEMORY);
	gw->rxq.mem.type = MEM_TYPE_PAGE_SHARED;
	KUNIT_EXPECT_EQ(test, test_input(in), 1);
	/* inside is what the flow is for, but it is no ESP any more */
	test_expect_untouched(in, -ENOENT, XFRM_XDP_PASSSELECTOR);
}

static void test_in_pass_state(struct kunit *test)
{
	struct test_in *in = test_in(test);

	test_good(in);
	KUNIT_EXPECT_EQ(test, test_input(in), 1);

	test_good(in);
	test_esph(in)->seq_no = htonl(in->x->replay.seq);
	test_expect_untouched(in, -EALREADY, XFRM_XDP_PASSREPLAY);
	test_esph(in)->seq_no = 0;
	test_expect_untouched(in, -EALREADY, XFRM_XDP_PASSREPLAY);
	in->x->replay.seq = 1000;
	test_esph(in)->seq_no = htonl(1000 - 32);
	test_expect_untouched(in, -EALREADY, XFRM_XDP_PASSREPLAY);
	in->x->replay.seq = 1;

	/* replayed and expired: the stack looks at the window first */
	test_esph(in)->seq_no = htonl(1);
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
	KUNIT_EXPECT_EQ(test, test_input(in), 1);

	test_good(in);
	xfrm_state_delete(in->x);
	test_expect_untouched(in, -EKEYEXPIRED, XFRM_XDP_PASSSTATE);
}

static void test_in_pass_flow(struct kunit *test)
{
	struct test_in *in = test_in(test);
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
	rcu_assign_pointer(gw->xnet->ops, &test_ops);
	xfrm_xdp_invalidate(gw->net);
	test_expect_untouched(in, -EPERM, XFRM_XDP_PASSAUTH);
	test_in_again(in);

	KUNIT_ASSERT_EQ(test, sock_create_kern(gw->net, AF_INET, SOCK_RAW,
					       IPPROTO_ESP, &sock), 0);
	test_expect_untouched(in, -EUSERS, XFRM_XDP_PASSSOCKET);
	sock_release(sock);

	rt_cache_flush(gw->net);
	test_expect_untouched(in, -ESTALE, XFRM_XDP_PASSDST);
	test_in_again(in);
	KUNIT_EXPECT_EQ(test, test_input(in), 1);
}

static u64 test_received(const struct test_in *in)
{
	return snmp_fold_field64(in->gw->net->mib.ip_statistics,
				 IPSTATS_MIB_INPKTS,
				 offsetof(struct ipstats_mib, syncp));
}

/* Where GRO decrypts, the outer packet is counted by nobody. */
static void test_in_gro(struct kunit *test)
{
	static const struct net_offload offload = {};
	struct test_in *in = test_in(test);
	u64 received;

	test_good(in);
	received = test_received(in);
	KUNIT_EXPECT_EQ(test, test_input(in), 1);
	KUNIT_EXPECT_EQ(test, test_received(in), received + 1);

	KUNIT_ASSERT_EQ(test, inet_add_offload(&offload, IPPROTO_ESP), 0);
	test_good(in);
	test_expect_untouched(in, -EXDEV, XFRM_XDP_PASSDEVICE);
	test_in_again(in);
	in->flow->ordinary_in = false;
	in->flow->gro = true;
	received = test_received(in);
	KUNIT_EXPECT_EQ(test, test_input(in), 1);
	KUNIT_EXPECT_EQ(test, test_received(in), received);
	/* it would take padding for ciphertext */
	test_good(in);
	in->gw->xdp.data_end++;
	test_expect_untouched(in, -EPROTO, XFRM_XDP_PASSHEADER);
	in->gw->xdp.data_end--;
	in->flow->gro_can = false;
	test_expect_untouched(in, -EXDEV, XFRM_XDP_PASSDEVICE);
	KUNIT_EXPECT_EQ(test, inet_del_offload(&offload, IPPROTO_ESP), 0);
	KUNIT_EXPECT_EQ(test, test_input(in), 1);
}

/* An xfrm interface counts what it gets, and what its state refused. */
static void test_in_interface(struct kunit *test)
{
	struct test_in *in = test_in(test);
	struct net_device *dev = in->gw->lan;
	struct pcpu_sw_netstats __percpu *stats;

	stats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	KUNIT_ASSERT_NOT_NULL(test, stats);
	dev->tstats = stats;
	in->flow->ordinary_in = false;
	in->flow->tunnel = dev;
	test_decrypts(in, 100);
	test_decrypts(in, 200);
	test_esp_frame(in, 60);
	((u8 *)in->gw->xdp.data_end)[-1] ^= 1;
	test_expect_dropped(in, LINUX_MIB_XFRMINSTATEPROTOERROR, false);

	KUNIT_EXPECT_EQ(test, atomic_long_read(&dev->stats.__rx_errors), 1);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&dev->stats.__rx_dropped), 1);
	in->flow->tunnel = NULL;
	dev->tstats = NULL;
	free_percpu(stats);
}

/* States that XDP can't decrypt with as the stack would. */
static void test_in_refuses(struct kunit *test)
{
	struct test_in *in = test_in(test);
	struct xfrm_sec_ctx context = {};
	enum xfrm_xdp_stat why = 0;

	in->x->mark.m = 1;
	KUNIT_EXPECT_NULL(test, test_in_flow(in, &why));
	KUNIT_EXPECT_EQ(test, why, XFRM_XDP_NOSTATE);
	in->x->mark.m = 0;
	in->x->props.mode = XFRM_MODE_TRANSPORT;
	KUNIT_EXPECT_NULL(test, test_in_flow(in, &why));
	in->x->props.mode = XFRM_MODE_TUNNEL;
	in->x->security = &context;
	KUNIT_EXPECT_NULL(test, test_in_flow(in, &why));
	in->x->security = NULL;
	test_in_again(in);
}

/* Who came through is forgotten when anything about the packet is another. */
static void test_in_through(struct kunit *test)
{
	struct test_in *in = test_in(test);
	struct xfrm_xdp_test_gw *gw = in->gw;
	struct xdp_rxq_info other = gw->rxq;
	struct xfrm_xdp_md *md;
	int i;

	test_good(in);
	KUNIT_EXPECT_EQ(test, test_input(in), 1);
	KUNIT_EXPECT_TRUE(test, test_came_through(in));
	md = gw->xdp.data_meta;
	for (i = 0; i < 64; i++) {
		md->mac ^= BIT_ULL(i);
		KUNIT_EXPECT_FALSE(test, test_came_through(in));
		md->mac ^= BIT_ULL(i);
	}
	gw->xdp.data_meta = gw->xdp.data;
	KUNIT_EXPECT_FALSE(test, test_came_through(in));
	gw->xdp.data_meta = md;
	gw->xdp.data += 4;
	gw->xdp.data_meta += 4;
	KUNIT_EXPECT_FALSE(test, test_came_through(in));
	gw->xdp.data -= 4;
	gw->xdp.data_meta -= 4;
	gw->xdp.rxq = &other;
	KUNIT_EXPECT_FALSE(test, test_came_through(in));
	gw->xdp.rxq = &gw->rxq;
	KUNIT_EXPECT_TRUE(test, test_came_through(in));

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
	gw->xdp.data_meta = gw->xdp.data;
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_output(gw), gw->wan->ifindex);
}

static struct kunit_case xfrm_xdp_input_cases[] = {
	KUNIT_CASE_SLOW(test_in_sizes),
	KUNIT_CASE(test_in_esn),
	KUNIT_CASE(test_in_trailer),
	KUNIT_CASE(test_in_ipv6),
	KUNIT_CASE(test_in_flipped),
	KUNIT_CASE(test_in_truncated),
	KUNIT_CASE(test_in_ecn),
	KUNIT_CASE(test_in_pass_frame),
	KUNIT_CASE(test_in_pass_state),
	KUNIT_CASE(test_in_pass_flow),
	KUNIT_CASE(test_in_gro),
	KUNIT_CASE(test_in_interface),
	KUNIT_CASE(test_in_refuses),
	KUNIT_CASE(test_in_through),
	{}
};

static struct kunit_suite xfrm_xdp_input_suite = {
	.name		= "xfrm_xdp_input",
	.init		= xfrm_xdp_test_up,
	.exit		= test_in_down,
	.test_cases	= xfrm_xdp_input_cases,
};

kunit_test_suites(&xfrm_xdp_input_suite);
