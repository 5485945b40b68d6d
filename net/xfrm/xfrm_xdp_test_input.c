// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of xfrm_xdp_input(): what is decrypted, and what is dropped. */

#include <net/inet_ecn.h>
#include <net/ip.h>

#include "xfrm_xdp_test_in.h"

/* The frame is what was encrypted, behind a link layer header. */
static void test_expect_clear(struct xfrm_xdp_test_in *in, void *esp_frame)
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
	KUNIT_EXPECT_TRUE(test, xfrm_xdp_test_came_through(in));
}

static void test_decrypts(struct xfrm_xdp_test_in *in, u32 len)
{
	struct xfrm_lifetime_cur before = in->x->curlft;
	struct kunit *test = in->gw->test;
	void *frame;

	xfrm_xdp_test_in_frame(in, len);
	frame = in->gw->xdp.data;
	KUNIT_ASSERT_EQ_MSG(test, xfrm_xdp_test_input(in), 1, "%u bytes", len);
	test_expect_clear(in, frame);
	KUNIT_EXPECT_EQ(test, in->x->curlft.packets, before.packets + 1);
	KUNIT_EXPECT_EQ(test, in->x->curlft.bytes, before.bytes + len);
}

static void test_in_sizes(struct kunit *test)
{
	struct xfrm_xdp_test_in *in = xfrm_xdp_test_in(test);
	u32 len;

	for (len = sizeof(struct iphdr) + 8; len <= 1400; len++)
		test_decrypts(in, len);
	KUNIT_EXPECT_EQ(test, in->x->replay.seq, in->gw->x->replay.oseq);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(in->gw->xnet, XFRM_XDP_INPUT),
			1400 - 27);
}

static void test_in_esn(struct kunit *test)
{
	struct xfrm_xdp_test_in *in = xfrm_xdp_test_in(test);
	struct xfrm_replay_state_esn *out, *got;
	int i;

	xfrm_xdp_test_in_cipher(in, TEST_ESN);
	out = in->gw->x->replay_esn;
	got = in->x->replay_esn;
	out->oseq = U32_MAX - 5;
	got->seq = U32_MAX - 5;
	for (i = 0; i < 10; i++)
		test_decrypts(in, 100);
	KUNIT_EXPECT_EQ(test, got->seq_hi, 1);
	KUNIT_EXPECT_EQ(test, got->seq, out->oseq);

	/* the stack would take it for one of the old subspace */
	xfrm_xdp_test_in_frame(in, 100);
	xfrm_xdp_test_esph(in)->seq_no = htonl(U32_MAX);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_input(in), -EALREADY);
}

/* Without a cipher the packet may end as a test likes. */
static void test_null_frame(struct xfrm_xdp_test_in *in, u8 padlen, u8 nexthdr)
{
	u8 *end;

	xfrm_xdp_test_in_frame(in, 102);
	end = in->gw->xdp.data_end;
	end[-2] = padlen;
	end[-1] = nexthdr;
}

static unsigned long test_xfrm_stat(const struct xfrm_xdp_test_in *in, int stat)
{
	return snmp_fold_field(in->gw->net->mib.xfrm_statistics, stat);
}

/* The packet is dropped, and counted as xfrm_input() would. */
static void test_expect_dropped(struct xfrm_xdp_test_in *in, int stat,
				bool charged)
{
	unsigned long counted = test_xfrm_stat(in, stat), dropped;
	struct xfrm_xdp_test_gw *gw = in->gw;
	u64 packets = in->x->curlft.packets;
	struct kunit *test = gw->test;
	void *data = gw->xdp.data;

	dropped = xfrm_xdp_test_stat(gw->xnet, XFRM_XDP_INPUTERROR);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_input(in), 0);
	KUNIT_EXPECT_EQ(test, test_xfrm_stat(in, stat), counted + 1);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(gw->xnet, XFRM_XDP_INPUTERROR),
			dropped + 1);
	KUNIT_EXPECT_EQ(test, in->x->curlft.packets, packets + charged);
	KUNIT_EXPECT_PTR_EQ(test, gw->xdp.data_end, data + ETH_HLEN);
	KUNIT_EXPECT_FALSE(test, xfrm_xdp_test_came_through(in));
}

static void test_in_trailer(struct kunit *test)
{
	struct xfrm_xdp_test_in *in = xfrm_xdp_test_in(test);
	int nexthdr;

	xfrm_xdp_test_in_cipher(in, TEST_NULL);
	test_null_frame(in, 0, IPPROTO_IPIP);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_input(in), 1);

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
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_input(in), 1);
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
	struct xfrm_xdp_test_in *in = xfrm_xdp_test_in(test);
	struct ethhdr *eth;

	xfrm_xdp_test_in_cipher(in, TEST_NULL);
	test_null_frame(in, 0, IPPROTO_IPV6);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_input(in), 1);
	eth = in->gw->xdp.data;
	TEST_EXPECT_BE(test, eth->h_proto, htons(ETH_P_IPV6));
	KUNIT_EXPECT_TRUE(test, xfrm_xdp_test_came_through(in));
}

/* Not a bit of the packet may be another. */
static void test_in_flipped(struct kunit *test)
{
	struct xfrm_xdp_test_in *in = xfrm_xdp_test_in(test);
	u32 bits, bit, failed = 0;
	u8 *esp;

	xfrm_xdp_test_in_frame(in, 60);
	bits = (in->gw->xdp.data_end - (void *)xfrm_xdp_test_esph(in)) * 8;
	for (bit = 0; bit < bits; bit++) {
		xfrm_xdp_test_in_frame(in, 60);
		esp = (u8 *)xfrm_xdp_test_esph(in);
		esp[bit / 8] ^= BIT(bit % 8);
		if (bit < 32) {
			KUNIT_EXPECT_EQ(test, xfrm_xdp_test_input(in), -ENOENT);
			continue;
		}
		/* far ahead of the window, or before it */
		if (bit < 64 && ntohl(xfrm_xdp_test_esph(in)->seq_no) <= in->x->replay.seq)
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
	struct xfrm_xdp_test_in *in = xfrm_xdp_test_in(test);
	u32 least = TEST_GCM_OVERHEAD + 2 + 16, len, full;
	struct iphdr *iph;

	xfrm_xdp_test_in_frame(in, 60);
	full = ntohs(xfrm_xdp_test_outer(in)->tot_len) - sizeof(*iph);
	for (len = 8; len < full; len++) {
		xfrm_xdp_test_in_frame(in, 60);
		iph = xfrm_xdp_test_outer(in);
		iph->tot_len = htons(sizeof(*iph) + len);
		ip_send_check(iph);
		if (len < least)
			KUNIT_EXPECT_EQ_MSG(test, xfrm_xdp_test_input(in), -EPROTO,
					    "%u bytes", len);
		else
			test_expect_dropped(in, LINUX_MIB_XFRMINSTATEPROTOERROR,
					    false);
	}
}

/* RFC 6040, and what the state says about it. */
static void test_in_ecn(struct kunit *test)
{
	struct xfrm_xdp_test_in *in = xfrm_xdp_test_in(test);
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
				xfrm_xdp_test_in_encrypt(in);
				iph = xfrm_xdp_test_outer(in);
				iph->tos = TEST_DSCP | outer;
				ip_send_check(iph);

				KUNIT_ASSERT_EQ(test, xfrm_xdp_test_input(in), 1);
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

/* An xfrm interface counts what it gets, and what its state refused. */
static void test_in_interface(struct kunit *test)
{
	struct xfrm_xdp_test_in *in = xfrm_xdp_test_in(test);
	struct net_device *dev = in->gw->lan;
	struct pcpu_sw_netstats __percpu *stats;

	stats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	KUNIT_ASSERT_TRUE(test, !!stats);
	dev->tstats = stats;
	in->flow->ordinary_in = false;
	in->flow->tunnel = dev;
	test_decrypts(in, 100);
	test_decrypts(in, 200);
	xfrm_xdp_test_in_frame(in, 60);
	((u8 *)in->gw->xdp.data_end)[-1] ^= 1;
	test_expect_dropped(in, LINUX_MIB_XFRMINSTATEPROTOERROR, false);

	KUNIT_EXPECT_EQ(test, atomic_long_read(&dev->stats.__rx_errors), 1);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&dev->stats.__rx_dropped), 1);
	in->flow->tunnel = NULL;
	dev->tstats = NULL;
	free_percpu(stats);
}

static struct kunit_case xfrm_xdp_input_cases[] = {
	KUNIT_CASE_SLOW(test_in_sizes),
	KUNIT_CASE(test_in_esn),
	KUNIT_CASE(test_in_trailer),
	KUNIT_CASE(test_in_ipv6),
	KUNIT_CASE(test_in_flipped),
	KUNIT_CASE(test_in_truncated),
	KUNIT_CASE(test_in_ecn),
	KUNIT_CASE(test_in_interface),
	{}
};

static struct kunit_suite xfrm_xdp_input_suite = {
	.name		= "xfrm_xdp_input",
	.init		= xfrm_xdp_test_up,
	.exit		= xfrm_xdp_test_in_down,
	.test_cases	= xfrm_xdp_input_cases,
};

kunit_test_suites(&xfrm_xdp_input_suite);
