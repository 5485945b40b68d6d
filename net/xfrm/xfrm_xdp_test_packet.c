// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of xfrm_xdp_output(): packets that the fast path takes. */

#include <crypto/aead.h>
#include <linux/etherdevice.h>
#include <linux/unaligned.h>
#include <net/esp.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/route.h>

#include "xfrm_xdp_test.h"

#define TEST_ICV_LEN	16
#define TEST_IV_LEN	8
#define TEST_GCM_HEAD	(sizeof(struct iphdr) + sizeof(struct ip_esp_hdr) + \
			 TEST_IV_LEN)
#define TEST_NULL_HEAD	(sizeof(struct iphdr) + sizeof(struct ip_esp_hdr))

/* A packet that was sent; the inner one as it came in. */
struct test_sent {
	struct iphdr		*outer;
	struct ip_esp_hdr	*esph;
	u8			*inner;
	u8			clear[1500];
	u32			len;
};

static struct test_sent *test_sent_alloc(struct kunit *test)
{
	struct test_sent *sent = kunit_kzalloc(test, sizeof(*sent), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sent);
	return sent;
}

/* Send the frame as it is now, and check all that is always so. */
static void test_send(struct xfrm_xdp_test_gw *gw, struct test_sent *sent)
{
	u32 head = gw->flow->geometry.head;
	void *first = gw->xdp.data;
	struct kunit *test = gw->test;
	struct ethhdr *eth;

	sent->len = ntohs(xfrm_xdp_test_iph(gw)->tot_len);
	memcpy(sent->clear, xfrm_xdp_test_iph(gw), sent->len);

	KUNIT_ASSERT_EQ(test, xfrm_xdp_test_output(gw), gw->wan->ifindex);
	KUNIT_ASSERT_PTR_EQ(test, gw->xdp.data, first - head);
	KUNIT_EXPECT_PTR_EQ(test, gw->xdp.data_meta, gw->xdp.data);

	eth = gw->xdp.data;
	sent->outer = (struct iphdr *)(eth + 1);
	sent->esph = (struct ip_esp_hdr *)(sent->outer + 1);
	sent->inner = (u8 *)sent->outer + head;

	KUNIT_EXPECT_MEMEQ(test, eth->h_dest, xfrm_xdp_test_peer_mac, ETH_ALEN);
	KUNIT_EXPECT_MEMEQ(test, eth->h_source, gw->wan->dev_addr, ETH_ALEN);
	TEST_EXPECT_BE(test, eth->h_proto, htons(ETH_P_IP));

	KUNIT_EXPECT_EQ(test, *(u8 *)sent->outer, 0x45);
	KUNIT_EXPECT_EQ(test, sent->outer->protocol, IPPROTO_ESP);
	TEST_EXPECT_BE(test, sent->outer->saddr, TEST_WAN);
	TEST_EXPECT_BE(test, sent->outer->daddr, TEST_PEER);
	TEST_EXPECT_BE(test, ip_fast_csum(sent->outer, 5), 0);
	KUNIT_EXPECT_PTR_EQ(test, gw->xdp.data_end, (void *)sent->outer +
			    ntohs(sent->outer->tot_len));

	TEST_EXPECT_BE(test, sent->esph->spi, htonl(TEST_SPI));
	KUNIT_EXPECT_EQ(test, ntohl(sent->esph->seq_no),
			lower_32_bits(xfrm_xdp_test_oseq(gw->x)));
}

/* The decrypted packet: the one that came in, one hop later, and a trailer. */
static void test_expect_inner(struct xfrm_xdp_test_gw *gw,
			      const struct test_sent *sent, const u8 *plain,
			      u32 clen)
{
	const struct iphdr *was = (const struct iphdr *)sent->clear;
	const struct iphdr *iph = (const struct iphdr *)plain;
	struct kunit *test = gw->test;
	struct iphdr expected = *was;
	u32 padlen, i;

	expected.ttl--;
	ip_send_check(&expected);
	KUNIT_EXPECT_MEMEQ(test, iph, &expected, sizeof(*iph));
	KUNIT_EXPECT_EQ(test, memcmp(plain + sizeof(*iph),
				     sent->clear + sizeof(*iph),
				     sent->len - sizeof(*iph)), 0);

	KUNIT_EXPECT_EQ(test, clen, ALIGN(sent->len + 2, 4));
	padlen = clen - sent->len - 2;
	for (i = 0; i < padlen; i++)
		KUNIT_EXPECT_EQ(test, plain[sent->len + i], i + 1);
	KUNIT_EXPECT_EQ(test, plain[clen - 2], padlen);
	KUNIT_EXPECT_EQ(test, plain[clen - 1], IPPROTO_IPIP);
}

/* What a receiver authenticates and decrypts: the packet from the ESP header on,
 * with all of an extended sequence number.
 */
static u8 *test_ciphertext(const struct xfrm_state *x,
			   const struct test_sent *sent, u32 *len, u32 *ad)
{
	u32 behind = ntohs(sent->outer->tot_len) - sizeof(*sent->outer) -
		     sizeof(*sent->esph);
	__be32 hi = htonl(upper_32_bits(xfrm_xdp_test_oseq(x)));
	u8 *copy, *end;

	copy = kmalloc(sizeof(*sent->esph) + sizeof(hi) + behind, GFP_KERNEL);
	if (!copy)
		return NULL;

	end = copy;
	memcpy(end, &sent->esph->spi, sizeof(sent->esph->spi));
	end += sizeof(sent->esph->spi);
	if (x->props.flags & XFRM_STATE_ESN) {
		memcpy(end, &hi, sizeof(hi));
		end += sizeof(hi);
	}
	memcpy(end, &sent->esph->seq_no, sizeof(sent->esph->seq_no));
	end += sizeof(sent->esph->seq_no);
	*ad = end - copy + TEST_IV_LEN;
	*len = end - copy + behind;
	memcpy(end, sent->esph->enc_data, behind);
	return copy;
}

/* Decrypt with a transform that has nothing to do with the state's. */
static void test_expect_gcm(struct xfrm_xdp_test_gw *gw,
			    const struct test_sent *sent)
{
	struct kunit *test = gw->test;
	struct aead_request *req;
	struct crypto_aead *aead;
	DECLARE_CRYPTO_WAIT(wait);
	struct scatterlist sg;
	u8 iv[TEST_IV_LEN];
	u32 len, ad;
	u8 *copy;
	int err;

	KUNIT_ASSERT_EQ(test, gw->flow->geometry.head, TEST_GCM_HEAD);
	copy = test_ciphertext(gw->x, sent, &len, &ad);
	aead = crypto_alloc_aead("rfc4106(gcm(aes))", 0, 0);
	if (!copy || IS_ERR(aead)) {
		kfree(copy);
		KUNIT_FAIL(test, "no transform");
		return;
	}

	err = crypto_aead_setkey(aead, xfrm_xdp_test_key, TEST_KEY_LEN);
	err = err ?: crypto_aead_setauthsize(aead, TEST_ICV_LEN);
	req = aead_request_alloc(aead, GFP_KERNEL);
	if (!err && req) {
		memcpy(iv, copy + ad - sizeof(iv), sizeof(iv));
		sg_init_one(&sg, copy, len);
		aead_request_set_callback(req, 0, crypto_req_done, &wait);
		aead_request_set_crypt(req, &sg, &sg, len - ad, iv);
		aead_request_set_ad(req, ad);
		err = crypto_wait_req(crypto_aead_decrypt(req), &wait);
		KUNIT_EXPECT_EQ(test, err, 0);
		test_expect_inner(gw, sent, copy + ad, len - ad - TEST_ICV_LEN);
	} else {
		KUNIT_FAIL(test, "no request");
	}

	aead_request_free(req);
	crypto_free_aead(aead);
	kfree(copy);
}

/* Every size that the MTU of the tunnel admits. */
static void test_gcm_sizes(struct kunit *test)
{
	struct test_sent *sent = test_sent_alloc(test);
	struct xfrm_xdp_test_gw *gw = test->priv;
	u32 mtu = dst_mtu(gw->dst);
	u64 bytes = 0;
	u32 len;

	KUNIT_EXPECT_EQ(test, gw->flow->geometry.tail, 2 + TEST_ICV_LEN);
	KUNIT_EXPECT_EQ(test, gw->flow->geometry.align, 4);
	KUNIT_ASSERT_EQ(test, mtu, 1446);

	for (len = 28; len <= mtu; len++) {
		xfrm_xdp_test_frame(gw, TEST_HEADROOM, len);
		test_send(gw, sent);
		test_expect_gcm(gw, sent);
		bytes += len;
	}

	KUNIT_EXPECT_LE(test, ntohs(sent->outer->tot_len), 1500);
	KUNIT_EXPECT_EQ(test, gw->x->curlft.packets, mtu - 27);
	KUNIT_EXPECT_EQ(test, gw->x->curlft.bytes, bytes);
	KUNIT_EXPECT_EQ(test, gw->x->replay.oseq, mtu - 27);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_stat(gw->xnet, XFRM_XDP_OUTPUT),
			mtu - 27);
}

static void test_null_sizes(struct kunit *test)
{
	struct test_sent *sent = test_sent_alloc(test);
	struct xfrm_xdp_test_gw *gw = test->priv;
	u32 len;

	xfrm_xdp_test_state(gw, TEST_NULL);
	xfrm_xdp_test_flow(gw);
	KUNIT_EXPECT_EQ(test, gw->flow->geometry.head, TEST_NULL_HEAD);
	KUNIT_EXPECT_EQ(test, gw->flow->geometry.tail, 2);

	for (len = 28; len <= dst_mtu(gw->dst); len++) {
		xfrm_xdp_test_frame(gw, TEST_HEADROOM, len);
		test_send(gw, sent);
		test_expect_inner(gw, sent, sent->inner,
				  gw->xdp.data_end - (void *)sent->inner);
	}
}

/* The IV is the sequence number XOR the salt of seqiv: never twice. */
static void test_iv(struct kunit *test)
{
	struct test_sent *sent = test_sent_alloc(test);
	struct xfrm_xdp_test_gw *gw = test->priv;
	u64 iv, last = 0;
	u32 seq;

	KUNIT_ASSERT_TRUE(test, gw->flow->cipher.seqiv);
	KUNIT_EXPECT_NE(test, gw->flow->cipher.salt, 0);
	for (seq = 1; seq <= 300; seq++) {
		xfrm_xdp_test_frame(gw, TEST_HEADROOM, 64);
		test_send(gw, sent);
		KUNIT_EXPECT_EQ(test, ntohl(sent->esph->seq_no), seq);
		iv = get_unaligned((u64 *)sent->esph->enc_data);
		KUNIT_EXPECT_EQ(test, iv ^ gw->flow->cipher.salt,
				(__force u64)cpu_to_be64(seq));
		KUNIT_EXPECT_NE(test, iv, last);
		last = iv;
	}

	/* a new flow of the same state goes on with number and salt */
	xfrm_xdp_test_flow(gw);
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 64);
	test_send(gw, sent);
	iv = get_unaligned((u64 *)sent->esph->enc_data);
	KUNIT_EXPECT_EQ(test, iv ^ last, (__force u64)cpu_to_be64(300 ^ 301));
}

/* What the link layer pads short packets with does not enter the tunnel. */
static void test_link_padding(struct kunit *test)
{
	struct test_sent *sent = test_sent_alloc(test);
	struct xfrm_xdp_test_gw *gw = test->priv;

	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 46);
	xfrm_xdp_test_set_iph(xfrm_xdp_test_iph(gw), 33);
	test_send(gw, sent);
	KUNIT_EXPECT_EQ(test, sent->len, 33);
	test_expect_gcm(gw, sent);
	KUNIT_EXPECT_EQ(test, gw->x->curlft.bytes, 33);
}

/* RFC 6040: copied, but CE becomes ECT(0). */
static void test_tos(struct kunit *test)
{
	static const struct {
		u32 flags;
		u32 extra_flags;
		u8 tos[4];
	} cases[] = {
		{ 0, 0, { 0x28, 0x29, 0x2a, 0x2a } },
		{ XFRM_STATE_NOECN, 0, { 0x28, 0x28, 0x28, 0x28 } },
		{ 0, XFRM_SA_XFLAG_DONT_ENCAP_DSCP, { 0, 1, 2, 2 } },
		{ XFRM_STATE_NOECN, XFRM_SA_XFLAG_DONT_ENCAP_DSCP, { 0 } },
	};
	struct test_sent *sent = test_sent_alloc(test);
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct iphdr *iph;
	int i, ecn;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		gw->x->props.flags = cases[i].flags;
		gw->x->props.extra_flags = cases[i].extra_flags;
		xfrm_xdp_test_flow(gw);
		for (ecn = 0; ecn < 4; ecn++) {
			xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
			iph = xfrm_xdp_test_iph(gw);
			iph->tos = TEST_DSCP | ecn;
			ip_send_check(iph);
			test_send(gw, sent);
			KUNIT_EXPECT_EQ_MSG(test, sent->outer->tos,
					    cases[i].tos[ecn], "case %d ECN %d",
					    i, ecn);
			test_expect_gcm(gw, sent);
		}
	}
}

static void test_df(struct kunit *test)
{
	static const struct {
		u32 flags;
		__be16 inner;
		__be16 outer;
	} cases[] = {
		{ 0, htons(IP_DF), htons(IP_DF) },
		{ 0, 0, 0 },
		/* the reserved bit stays where it is */
		{ 0, htons(IP_CE), 0 },
		{ 0, htons(IP_CE | IP_DF), htons(IP_DF) },
		{ XFRM_STATE_NOPMTUDISC, htons(IP_DF), 0 },
		{ XFRM_STATE_NOPMTUDISC, 0, 0 },
	};
	struct test_sent *sent = test_sent_alloc(test);
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct iphdr *iph;
	u16 last = 0;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		gw->x->props.flags = cases[i].flags;
		xfrm_xdp_test_flow(gw);
		for (j = 0; j < 8; j++) {
			xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
			iph = xfrm_xdp_test_iph(gw);
			iph->frag_off = cases[i].inner;
			ip_send_check(iph);
			test_send(gw, sent);
			KUNIT_EXPECT_EQ_MSG(test,
					    ntohs(sent->outer->frag_off),
					    ntohs(cases[i].outer), "case %d",
					    i);
			if (cases[i].outer)
				KUNIT_EXPECT_EQ(test, ntohs(sent->outer->id),
						0);
			else
				KUNIT_EXPECT_NE(test, ntohs(sent->outer->id),
						last);
			last = ntohs(sent->outer->id);
			test_expect_gcm(gw, sent);
		}
	}
}

static void test_ttl(struct kunit *test)
{
	struct test_sent *sent = test_sent_alloc(test);
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct iphdr *iph;
	int ttl;

	/* for every one of them, the sum of the header changes another way */
	for (ttl = 2; ttl < 256; ttl++) {
		xfrm_xdp_test_frame(gw, TEST_HEADROOM, 64);
		iph = xfrm_xdp_test_iph(gw);
		iph->ttl = ttl;
		iph->id = htons(ttl * 257);
		ip_send_check(iph);
		test_send(gw, sent);
		KUNIT_EXPECT_EQ(test, sent->outer->ttl, IPDEFTTL);
		test_expect_gcm(gw, sent);
	}

	WRITE_ONCE(gw->net->ipv4.sysctl_ip_default_ttl, 77);
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 64);
	test_send(gw, sent);
	KUNIT_EXPECT_EQ(test, sent->outer->ttl, 77);
}

/* Redirecting needs a struct xdp_frame in front; not a byte more is needed. */
static void test_headroom(struct kunit *test)
{
	u32 need = sizeof(struct xdp_frame) + TEST_GCM_HEAD +
		   HH_DATA_MOD - ETH_HLEN;
	struct test_sent *sent = test_sent_alloc(test);
	struct xfrm_xdp_test_gw *gw = test->priv;
	u32 headroom;

	for (headroom = 0; headroom < need; headroom++) {
		xfrm_xdp_test_frame(gw, headroom, 100);
		xfrm_xdp_test_expect_pass(gw, -ENOSPC, XFRM_XDP_PASSROOM);
	}

	xfrm_xdp_test_frame(gw, need, 100);
	memset(gw->xdp.data_hard_start, 0x77, need);
	test_send(gw, sent);
	test_expect_gcm(gw, sent);
	KUNIT_EXPECT_NULL(test, memchr_inv(gw->xdp.data_hard_start, 0x77,
					   sizeof(struct xdp_frame)));
	KUNIT_EXPECT_NOT_NULL(test, xdp_convert_buff_to_frame(&gw->xdp));
}

/* The driver wants room for a header of its own. */
static void test_needed_headroom(struct kunit *test)
{
	u32 need = sizeof(struct xdp_frame) + TEST_GCM_HEAD + HH_DATA_MOD -
		   ETH_HLEN + 64;
	struct test_sent *sent = test_sent_alloc(test);
	struct xfrm_xdp_test_gw *gw = test->priv;

	xfrm_xdp_test_release(gw);
	gw->wan->needed_headroom = 64;
	xfrm_xdp_test_flow(gw);
	xfrm_xdp_test_frame(gw, need - 1, 100);
	xfrm_xdp_test_expect_pass(gw, -ENOSPC, XFRM_XDP_PASSROOM);
	xfrm_xdp_test_frame(gw, need, 100);
	test_send(gw, sent);
	test_expect_gcm(gw, sent);
}

/* For every length of the trailer: ends where data_hard_end is, no later. */
static void test_tailroom(struct kunit *test)
{
	struct test_sent *sent = test_sent_alloc(test);
	struct xfrm_xdp_test_gw *gw = test->priv;
	u32 len, tail, room, headroom;

	room = PAGE_SIZE - SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
	for (len = 100; len < 104; len++) {
		tail = xfrm_xdp_trailer_len(&gw->flow->geometry, len);
		headroom = room - tail - len - ETH_HLEN;

		xfrm_xdp_test_frame(gw, headroom + 1, len);
		xfrm_xdp_test_expect_pass(gw, -ENOSPC, XFRM_XDP_PASSROOM);

		xfrm_xdp_test_frame(gw, headroom, len);
		test_send(gw, sent);
		KUNIT_EXPECT_PTR_EQ(test, gw->xdp.data_end,
				    gw->xdp.data_hard_end);
		test_expect_gcm(gw, sent);
		KUNIT_EXPECT_NULL(test, memchr_inv(gw->xdp.data_hard_end, 0x5a,
						   PAGE_SIZE - room));
	}
}

/* Where there is no metadata, none appears. */
static void test_no_metadata(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;

	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	xdp_set_data_meta_invalid(&gw->xdp);
	KUNIT_ASSERT_EQ(test, xfrm_xdp_test_output(gw), gw->wan->ifindex);
	KUNIT_EXPECT_TRUE(test, xdp_data_meta_unsupported(&gw->xdp));
}

/* A state is told of its soft limits, as by the stack. */
static void test_soft_limit(struct kunit *test)
{
	struct test_sent *sent = test_sent_alloc(test);
	struct xfrm_xdp_test_gw *gw = test->priv;
	int i;

	gw->x->lft.soft_packet_limit = 2;
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, gw->x->km.dying, i > 2);
		xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
		test_send(gw, sent);
	}

	gw->x->km.dying = 0;
	gw->x->lft.soft_packet_limit = XFRM_INF;
	gw->x->lft.soft_byte_limit = 401;
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	test_send(gw, sent);
	KUNIT_EXPECT_EQ(test, gw->x->km.dying, 0);
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	test_send(gw, sent);
	KUNIT_EXPECT_EQ(test, gw->x->km.dying, 1);
	KUNIT_EXPECT_EQ(test, gw->x->km.state, XFRM_STATE_VALID);
	KUNIT_EXPECT_NE(test, gw->x->curlft.use_time, 0);
}

/* The last sequence number is used, the one after it is not. */
static void test_last_sequence(struct kunit *test)
{
	struct test_sent *sent = test_sent_alloc(test);
	struct xfrm_xdp_test_gw *gw = test->priv;

	gw->x->replay.oseq = U32_MAX - 1;
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	test_send(gw, sent);
	KUNIT_EXPECT_EQ(test, ntohl(sent->esph->seq_no), U32_MAX);
	test_expect_gcm(gw, sent);

	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	xfrm_xdp_test_expect_pass(gw, -EKEYEXPIRED, XFRM_XDP_PASSSTATE);

	gw->x->props.extra_flags = XFRM_SA_XFLAG_OSEQ_MAY_WRAP;
	test_send(gw, sent);
	KUNIT_EXPECT_EQ(test, ntohl(sent->esph->seq_no), 0);
}

/* Extended sequence numbers, through the wrap of what is sent of them. */
static void test_esn(struct kunit *test)
{
	struct test_sent *sent = test_sent_alloc(test);
	struct xfrm_xdp_test_gw *gw = test->priv;
	u32 len;
	u64 iv;

	xfrm_xdp_test_state(gw, TEST_ESN);
	xfrm_xdp_test_flow(gw);
	gw->x->replay_esn->oseq_hi = 7;
	gw->x->replay_esn->oseq = U32_MAX - 2;
	for (len = 60; len < 66; len++) {
		xfrm_xdp_test_frame(gw, TEST_HEADROOM, len);
		test_send(gw, sent);
		test_expect_gcm(gw, sent);
		iv = get_unaligned((u64 *)sent->esph->enc_data);
		KUNIT_EXPECT_EQ(test, iv ^ gw->flow->cipher.salt,
				(__force u64)cpu_to_be64(0x7fffffffeULL +
							 len - 60));
	}
	KUNIT_EXPECT_EQ(test, xfrm_xdp_test_oseq(gw->x), 0x800000003ULL);

	gw->x->replay_esn->oseq_hi = U32_MAX;
	gw->x->replay_esn->oseq = U32_MAX - 1;
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	test_send(gw, sent);
	test_expect_gcm(gw, sent);
	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	xfrm_xdp_test_expect_pass(gw, -EKEYEXPIRED, XFRM_XDP_PASSSTATE);
}

/* A policy shows when it last let a packet pass, also one for forwarding. */
static void test_policy_use_time(struct kunit *test)
{
	struct test_sent *sent = test_sent_alloc(test);
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct xfrm_policy *fwd;
	struct xfrm_dst *xdst;

	fwd = xfrm_xdp_test_policy(gw, XFRM_POLICY_FWD);
	xfrm_xdp_test_flow(gw);
	xdst = (struct xfrm_dst *)gw->dst;
	KUNIT_ASSERT_EQ(test, xdst->num_pols, 1);
	gw->flow->fwd.pols[0] = fwd;
	gw->flow->fwd.num = 1;
	xfrm_pol_hold(fwd);
	fwd->curlft.use_time = 0;
	xdst->pols[0]->curlft.use_time = 0;

	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 100);
	test_send(gw, sent);
	KUNIT_EXPECT_NE(test, fwd->curlft.use_time, 0);
	KUNIT_EXPECT_NE(test, xdst->pols[0]->curlft.use_time, 0);
	KUNIT_EXPECT_NE(test, gw->x->lastused, 0);
}

/* The stack's counters, for a packet that it never saw. */
static void test_mib(struct kunit *test)
{
	struct test_sent *sent = test_sent_alloc(test);
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct ipstats_mib __percpu *mib = gw->net->mib.ip_statistics;
	static const int counters[] = {
		IPSTATS_MIB_INPKTS, IPSTATS_MIB_INOCTETS,
		IPSTATS_MIB_NOECTPKTS, IPSTATS_MIB_OUTFORWDATAGRAMS,
		IPSTATS_MIB_OUTREQUESTS, IPSTATS_MIB_OUTPKTS,
		IPSTATS_MIB_OUTOCTETS,
	};
	u64 before[ARRAY_SIZE(counters)];
	u64 expected[ARRAY_SIZE(counters)] = { 1, 60, 1, 1, 1, 1, 0 };
	int i;

	xfrm_xdp_test_frame(gw, TEST_HEADROOM, 60);
	xfrm_xdp_test_set_iph(xfrm_xdp_test_iph(gw), 33);
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		before[i] = snmp_fold_field64(mib, counters[i],
					      offsetof(struct ipstats_mib,
						       syncp));
	test_send(gw, sent);
	expected[ARRAY_SIZE(counters) - 1] = ntohs(sent->outer->tot_len);
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    snmp_fold_field64(mib, counters[i],
						      offsetof(struct ipstats_mib,
							       syncp)),
				    before[i] + expected[i], "counter %d", i);
}

/* The stack draws an id when the outer packet is IPIP yet, and so does XDP. */
static void test_id_generator(struct kunit *test)
{
	struct xfrm_xdp_test_gw *gw = test->priv;
	struct iphdr iph = gw->flow->rewrite.iph;

	iph.protocol = IPPROTO_IPIP;
	KUNIT_EXPECT_EQ(test, gw->flow->rewrite.id_hash,
			ip_idents_hash(gw->net, &iph));
	KUNIT_EXPECT_EQ(test, gw->flow->rewrite.iph.protocol, IPPROTO_ESP);
}

static struct kunit_case xfrm_xdp_packet_cases[] = {
	KUNIT_CASE_SLOW(test_gcm_sizes),
	KUNIT_CASE(test_id_generator),
	KUNIT_CASE(test_null_sizes),
	KUNIT_CASE(test_iv),
	KUNIT_CASE(test_link_padding),
	KUNIT_CASE(test_tos),
	KUNIT_CASE(test_df),
	KUNIT_CASE(test_ttl),
	KUNIT_CASE(test_headroom),
	KUNIT_CASE(test_needed_headroom),
	KUNIT_CASE(test_tailroom),
	KUNIT_CASE(test_no_metadata),
	KUNIT_CASE(test_soft_limit),
	KUNIT_CASE(test_last_sequence),
	KUNIT_CASE(test_esn),
	KUNIT_CASE(test_policy_use_time),
	KUNIT_CASE(test_mib),
	{}
};

static struct kunit_suite xfrm_xdp_packet_suite = {
	.name = "xfrm_xdp_packet",
	.init = xfrm_xdp_test_up,
	.exit = xfrm_xdp_test_down,
	.test_cases = xfrm_xdp_packet_cases,
};

kunit_test_suite(xfrm_xdp_packet_suite);
