// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of XFRM for XDP: what needs no gateway. */

#include <linux/icmp.h>
#include <net/inet_ecn.h>

#include "xfrm_xdp_test.h"

#define TEST_L4_LEN	8

/* An inner packet of @len bytes, UDP as far as anybody looks. */
void xfrm_xdp_test_set_iph(struct iphdr *iph, u32 len)
{
	u8 *payload = (u8 *)(iph + 1);
	u32 i;

	memset(iph, 0, sizeof(*iph));
	iph->version = 4;
	iph->ihl = 5;
	iph->tos = TEST_DSCP;
	iph->tot_len = htons(len);
	iph->id = htons(0x4321);
	iph->frag_off = htons(IP_DF);
	iph->ttl = 64;
	iph->protocol = IPPROTO_UDP;
	iph->saddr = TEST_HOST;
	iph->daddr = TEST_FAR;
	ip_send_check(iph);

	*(__be32 *)payload = htonl(TEST_SPORT << 16 | TEST_DPORT);
	for (i = 4; i < len - sizeof(*iph); i++)
		payload[i] = i;
	if (len >= sizeof(*iph) + 8)
		*(__be32 *)(payload + 4) = htonl((len - sizeof(*iph)) << 16);
}

/* The trailer that esp_output() makes of an skb of @len bytes. */
static u32 test_esp_trailer(u32 len, u32 blocksize, u32 icvlen)
{
	u32 clen = ALIGN(len + 2, ALIGN(blocksize, 4));

	return clen - len + icvlen;
}

static void test_trailer(struct kunit *test)
{
	static const u32 blocksizes[] = { 1, 4, 8, 16 };
	static const u32 icvlens[] = { 0, 8, 12, 16 };
	u32 len, i, j;

	for (i = 0; i < ARRAY_SIZE(blocksizes); i++) {
		for (j = 0; j < ARRAY_SIZE(icvlens); j++) {
			struct xfrm_xdp_geometry geometry = {
				.tail = 2 + icvlens[j],
				.align = ALIGN(blocksizes[i], 4),
			};

			for (len = 28; len <= 1500; len++)
				KUNIT_ASSERT_EQ_MSG(test,
						    xfrm_xdp_trailer_len(&geometry, len),
						    test_esp_trailer(len, blocksizes[i],
								     icvlens[j]),
						    "length %u", len);
		}
	}
}

/* By hand, so that two equal mistakes show. */
static void test_trailer_values(struct kunit *test)
{
	struct xfrm_xdp_geometry gcm = { .tail = 18, .align = 4 };
	struct xfrm_xdp_geometry cbc = { .tail = 14, .align = 16 };

	KUNIT_EXPECT_EQ(test, xfrm_xdp_trailer_len(&gcm, 30), 18);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_trailer_len(&gcm, 31), 21);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_trailer_len(&gcm, 32), 20);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_trailer_len(&gcm, 33), 19);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_trailer_len(&cbc, 30), 14);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_trailer_len(&cbc, 31), 29);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_trailer_len(&cbc, 46), 14);
}

/* An IPv4 packet in memory of exactly its length, so that KASAN sees every
 * byte that is read too much.
 */
struct test_packet {
	struct iphdr	*iph;
	void		*end;
};

static struct test_packet test_packet(struct kunit *test, u32 len)
{
	struct test_packet packet;

	packet.iph = kunit_kmalloc(test, len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, packet.iph);
	packet.end = (void *)packet.iph + len;
	xfrm_xdp_test_set_iph(packet.iph, len);
	return packet;
}

static int test_parse(const struct test_packet *packet,
		      struct xfrm_xdp_tuple *tuple)
{
	memset(tuple, 0xff, sizeof(*tuple));
	return xfrm_xdp_parse(packet->iph, packet->end, tuple);
}

static void test_parse_tuple(struct kunit *test)
{
	struct test_packet packet = test_packet(test, 100);
	struct xfrm_xdp_tuple tuple;

	packet.iph->tos = TEST_DSCP | INET_ECN_CE;
	KUNIT_ASSERT_EQ(test, test_parse(&packet, &tuple), 0);
	TEST_EXPECT_BE(test, tuple.saddr, TEST_HOST);
	TEST_EXPECT_BE(test, tuple.daddr, TEST_FAR);
	TEST_EXPECT_BE(test, tuple.ports,
		       htonl(TEST_SPORT << 16 | TEST_DPORT));
	KUNIT_EXPECT_EQ(test, tuple.protocol, IPPROTO_UDP);
	KUNIT_EXPECT_EQ(test, tuple.dscp, TEST_DSCP);
	TEST_EXPECT_BE(test, tuple.vlan_tci, 0);

	packet.iph->protocol = IPPROTO_TCP;
	KUNIT_ASSERT_EQ(test, test_parse(&packet, &tuple), 0);
	KUNIT_EXPECT_EQ(test, tuple.protocol, IPPROTO_TCP);
	TEST_EXPECT_BE(test, tuple.ports,
		       htonl(TEST_SPORT << 16 | TEST_DPORT));
}

static void test_parse_icmp(struct kunit *test)
{
	struct test_packet packet = test_packet(test, 84);
	struct icmphdr *icmp = (struct icmphdr *)(packet.iph + 1);
	struct xfrm_xdp_tuple tuple;
	int type;

	packet.iph->protocol = IPPROTO_ICMP;
	icmp->code = 3;
	icmp->un.echo.id = htons(0xbeef);
	for (type = 0; type < 256; type++) {
		bool echo = type == ICMP_ECHO || type == ICMP_ECHOREPLY;

		icmp->type = type;
		KUNIT_ASSERT_EQ_MSG(test, test_parse(&packet, &tuple),
				    echo ? 0 : -EPROTO, "type %d", type);
		if (echo)
			KUNIT_EXPECT_EQ(test, ntohl(tuple.ports),
					(u32)type << 24 | 0x03beef);
	}
}

/* What has no flows: all protocols but four. */
static void test_parse_protocol(struct kunit *test)
{
	struct test_packet packet = test_packet(test, 100);
	struct xfrm_xdp_tuple tuple;
	int protocol;

	((struct icmphdr *)(packet.iph + 1))->type = ICMP_ECHO;
	for (protocol = 0; protocol < 256; protocol++) {
		bool known = protocol == IPPROTO_TCP ||
			     protocol == IPPROTO_UDP ||
			     protocol == IPPROTO_ICMP ||
			     protocol == IPPROTO_ESP;

		packet.iph->protocol = protocol;
		KUNIT_EXPECT_EQ_MSG(test, test_parse(&packet, &tuple),
				    known ? 0 : -EPROTO, "protocol %d",
				    protocol);
	}
}

static void test_parse_truncated(struct kunit *test)
{
	struct xfrm_xdp_tuple tuple;
	u32 len;

	for (len = sizeof(struct iphdr) + 4; len <= 42; len++) {
		struct test_packet packet = test_packet(test, len);

		KUNIT_EXPECT_EQ_MSG(test, test_parse(&packet, &tuple),
				    len < 28 ? -EPROTO : 0, "length %u", len);
	}

	/* the header says more than there is */
	for (len = 0; len <= 42; len++) {
		struct test_packet packet = test_packet(test, 43);
		void *iph = kunit_kmalloc(test, len, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, iph);
		memcpy(iph, packet.iph, len);
		KUNIT_EXPECT_EQ_MSG(test,
				    xfrm_xdp_parse(iph, iph + len, &tuple),
				    -EPROTO, "length %u", len);
	}
}

/* tot_len: at least a tuple, at most what is there; padding may follow */
static void test_parse_length(struct kunit *test)
{
	struct test_packet packet = test_packet(test, 60);
	struct xfrm_xdp_tuple tuple;
	u32 len;

	for (len = 0; len <= 0xffff; len++) {
		packet.iph->tot_len = htons(len);
		KUNIT_ASSERT_EQ_MSG(test, test_parse(&packet, &tuple),
				    len >= sizeof(struct iphdr) + TEST_L4_LEN &&
				    len <= 60 ? 0 : -EPROTO, "length %u", len);
	}
}

static void test_parse_version(struct kunit *test)
{
	struct test_packet packet = test_packet(test, 100);
	struct xfrm_xdp_tuple tuple;
	int i;

	for (i = 0; i < 256; i++) {
		*(u8 *)packet.iph = i;
		KUNIT_EXPECT_EQ_MSG(test, test_parse(&packet, &tuple),
				    i == 0x45 ? 0 : -EPROTO, "first byte %x",
				    i);
	}
}

static void test_parse_fragment(struct kunit *test)
{
	struct test_packet packet = test_packet(test, 100);
	struct xfrm_xdp_tuple tuple;
	int bit;

	packet.iph->frag_off = 0;
	KUNIT_EXPECT_EQ(test, test_parse(&packet, &tuple), 0);
	packet.iph->frag_off = htons(IP_DF);
	KUNIT_EXPECT_EQ(test, test_parse(&packet, &tuple), 0);
	packet.iph->frag_off = htons(IP_MF | IP_DF);
	KUNIT_EXPECT_EQ(test, test_parse(&packet, &tuple), -EPROTO);
	packet.iph->frag_off = htons(IP_MF);
	KUNIT_EXPECT_EQ(test, test_parse(&packet, &tuple), -EPROTO);
	for (bit = 0; bit < 13; bit++) {
		packet.iph->frag_off = htons(BIT(bit));
		KUNIT_EXPECT_EQ_MSG(test, test_parse(&packet, &tuple), -EPROTO,
				    "offset bit %d", bit);
	}
}

/* The record is good for one netns, device, key, state and tuple only. */
static void test_record_mac(struct kunit *test)
{
	struct xfrm_xdp_net *xnet, *other;
	struct xfrm_xdp_tuple tuple = {
		.saddr = TEST_HOST, .daddr = TEST_FAR,
		.protocol = IPPROTO_UDP, .dscp = TEST_DSCP,
	};
	struct xfrm_xdp_md md = { .ifindex = 7, .spi = htonl(TEST_SPI) };
	u8 *bytes = (u8 *)&tuple, *record = (u8 *)&md;
	u64 mac;
	u32 i;

	xnet = kunit_kzalloc(test, sizeof(*xnet), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, xnet);
	other = kunit_kzalloc(test, sizeof(*other), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, other);
	xnet->secret.key[0] = 1;
	other->secret.key[0] = 2;

	mac = xfrm_xdp_md_mac(xnet, &md, &tuple);
	KUNIT_EXPECT_EQ(test, xfrm_xdp_md_mac(xnet, &md, &tuple), mac);
	KUNIT_EXPECT_NE(test, xfrm_xdp_md_mac(other, &md, &tuple), mac);

	/* but for the MAC itself */
	for (i = 0; i < offsetof(struct xfrm_xdp_md, mac); i++) {
		record[i] ^= 0x80;
		KUNIT_EXPECT_NE_MSG(test, xfrm_xdp_md_mac(xnet, &md, &tuple),
				    mac, "byte %u of the record", i);
		record[i] ^= 0x80;
	}
	for (i = 0; i < sizeof(tuple); i++) {
		bytes[i] ^= 1;
		KUNIT_EXPECT_NE_MSG(test, xfrm_xdp_md_mac(xnet, &md, &tuple),
				    mac, "byte %u of the tuple", i);
		bytes[i] ^= 1;
	}

	md.mac = mac;
	KUNIT_EXPECT_EQ(test, xfrm_xdp_md_mac(xnet, &md, &tuple), mac);
}

/* No reason for passing without an errno of its own. */
static void test_pass_errno(struct kunit *test)
{
	int why, other;

	for (why = XFRM_XDP_PASSKIND; why <= XFRM_XDP_PASSCONN; why++) {
		KUNIT_EXPECT_LT(test, xfrm_xdp_pass_errno(why), 0);
		for (other = XFRM_XDP_PASSKIND; other < why; other++)
			KUNIT_EXPECT_NE(test, xfrm_xdp_pass_errno(why),
					xfrm_xdp_pass_errno(other));
	}
}

static void test_register(struct kunit *test)
{
	const struct xfrm_type_xdp *esp;
	struct xfrm_type_xdp ah = { .proto = IPPROTO_AH };

	rcu_read_lock();
	esp = xfrm_get_type_xdp(IPPROTO_ESP, AF_INET);
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, esp);
	KUNIT_EXPECT_EQ(test, xfrm_register_type_xdp(esp, AF_INET), -EEXIST);
	KUNIT_EXPECT_EQ(test, xfrm_register_type_xdp(esp, NPROTO),
			-EAFNOSUPPORT);
	KUNIT_EXPECT_EQ(test, xfrm_register_type_xdp(&ah, AF_INET),
			-EPROTONOSUPPORT);
	xfrm_put_type_xdp(esp);
}

static struct kunit_case xfrm_xdp_cases[] = {
	KUNIT_CASE(test_trailer),
	KUNIT_CASE(test_trailer_values),
	KUNIT_CASE(test_parse_tuple),
	KUNIT_CASE(test_parse_icmp),
	KUNIT_CASE(test_parse_protocol),
	KUNIT_CASE(test_parse_truncated),
	KUNIT_CASE(test_parse_length),
	KUNIT_CASE(test_parse_version),
	KUNIT_CASE(test_parse_fragment),
	KUNIT_CASE(test_record_mac),
	KUNIT_CASE(test_pass_errno),
	KUNIT_CASE(test_register),
	{}
};

static struct kunit_suite xfrm_xdp_suite = {
	.name = "xfrm_xdp",
	.test_cases = xfrm_xdp_cases,
};

kunit_test_suite(xfrm_xdp_suite);
