// SPDX-License-Identifier: GPL-2.0
/* What may be odd about a frame: the edges, each with all its values. */
#include <string.h>

#include "twin.h"

const uint8_t mac_lan_host[6] = { 0x02, 0, 0, 1, 0, 2 };
const uint8_t mac_gw_lan[6] = { 0x02, 0, 0, 1, 0, 1 };
const uint8_t mac_gw_wan[6] = { 0x02, 0, 0, 0, 0, 1 };
const uint8_t mac_peer[6] = { 0x02, 0, 0, 0, 0, 2 };

#define DF	0x4000
#define MF	0x2000

/* The values of an edge that takes its values from a list: each index. */
#define LIST(list)	0, ARRAY_SIZE(list) - 1, 1

static const uint8_t ttls[] = { 0, 1, 2, 3, 63, 128, 254, 255 };

static const uint16_t frag_offs[] = {
	0, DF, MF, DF | MF, 0x8000, 0x8000 | DF, 1, DF | 1, MF | 1, 2, 64, MF | 185,
	0x1fff, MF | 0x1fff, 0xffff,
};

static const uint16_t tot_lens[] = {
	0, 1, 19, 20, 21, 27, 28, 29, 39, 40, 41, 1445, 1446, 1447, 1500, 32767, 65535,
};

static const uint32_t addresses[] = {
	GW_LAN, GW_WAN, PEER_WAN, LAN_HOST, LAN_HOST + 1, FAR_LOW, FAR_HIGH, PLAIN_HOST,
	IP(0, 0, 0, 0), IP(0, 1, 2, 3), IP(127, 0, 0, 1), IP(127, 1, 2, 3),
	IP(10, 1, 0, 0), IP(10, 1, 0, 255), IP(192, 0, 2, 0), IP(192, 0, 2, 255),
	IP(10, 2, 0, 0), IP(10, 2, 0, 255), IP(169, 254, 1, 1),
	IP(224, 0, 0, 1), IP(224, 0, 0, 5), IP(239, 1, 2, 3), IP(240, 0, 0, 1),
	IP(255, 255, 255, 255), IP(198, 51, 100, 1), IP(198, 51, 101, 1),
	IP(198, 51, 102, 1), IP(198, 51, 103, 1), IP(203, 0, 113, 1),
};

static const uint32_t tags[][TAGS] = {
	{ 0x81000000 }, { 0x8100e000 }, { 0x81001000 }, { 0x8100000a }, { 0x8100a00a },
	{ 0x81000fff }, { 0x88a80000 }, { 0x88a8000a }, { 0x88a80000, 0x81000000 },
	{ 0x88a8000a, 0x8100000a }, { 0x81000000, 0x81000000 }, { 0x81000000, 0x88a80000 },
};

static const uint8_t macs[][6] = {
	{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, { 0x01, 0x00, 0x5e, 0, 0, 1 },
	{ 0x01, 0x80, 0xc2, 0, 0, 0 }, { 0x33, 0x33, 0, 0, 0, 1 }, { 0, 0, 0, 0, 0, 0 },
	{ 0x02, 0, 0, 1, 0, 2 }, { 0x02, 0, 0, 0, 0, 1 }, { 0x02, 0, 0, 1, 0, 3 },
	{ 0x03, 0, 0, 1, 0, 1 }, { 0x02, 0, 0, 1, 0x01, 1 }, { 0x12, 0, 0, 1, 0, 1 },
	{ 0x02, 0, 0, 1, 0, 1 },
};

static const uint16_t ethertypes[] = {
	0x0800, 0x0806, 0x86dd, 0x8035, 0x88cc, 0x8847, 0x8864, 0x9000, 0x0842, 0x88e5,
	0x0000, 0x002e, 0x05dc, 0x0600, 0x0801, 0xffff,
};

/* Length, then the options */
static const uint8_t options[][42] = {
	{ 4, 0, 0, 0, 0 },				/* end of list */
	{ 4, 0, 1, 2, 3 },
	{ 4, 1, 1, 1, 0 },
	{ 8, 7, 7, 4, 0, 0, 0, 0, 0 },			/* record route */
	{ 12, 7, 11, 8, 9, 9, 9, 9, 0, 0, 0, 0, 0 },
	{ 8, 7, 7, 8, 9, 9, 9, 9, 0 },			/* full */
	{ 8, 7, 7, 3, 0, 0, 0, 0, 0 },			/* bad pointer */
	{ 4, 7, 2, 4, 0 },				/* too short */
	{ 8, 131, 7, 4, 10, 2, 0, 2, 0 },		/* loose source route */
	{ 8, 137, 7, 4, 10, 2, 0, 2, 0 },		/* strict source route */
	{ 8, 131, 7, 8, 10, 2, 0, 2, 0 },
	{ 16, 131, 7, 4, 10, 2, 0, 2, 137, 7, 4, 10, 2, 0, 2, 0, 0 },
	{ 4, 148, 4, 0, 0 },				/* router alert */
	{ 4, 148, 4, 0, 1 },
	{ 4, 148, 3, 0, 0 },
	{ 12, 130, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },	/* security */
	{ 4, 136, 4, 0, 1 },				/* stream id */
	{ 8, 134, 6, 0, 0, 0, 1, 0, 0 },		/* CIPSO */
	{ 4, 94, 4, 0, 0 },				/* unknown */
	{ 4, 94, 0, 0, 0 },				/* length 0 */
	{ 4, 94, 1, 0, 0 },
	{ 4, 94, 40, 0, 0 },				/* beyond the header */
	{ 4, 1, 1, 1, 94 },				/* no length */
	{ 40, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 },
};

/* Sets a field to the value, or to the list's element of that index. */
#define SET(field)							\
	static void set_##field(struct recipe *r, unsigned int v)	\
	{								\
		r->field = v;						\
	}
#define SET_FROM(field, list)						\
	static void set_##field(struct recipe *r, unsigned int v)	\
	{								\
		r->field = (list)[v];		\
	}
#define COPY_FROM(field, list)						\
	static void set_##field(struct recipe *r, unsigned int v)	\
	{								\
		memcpy(r->field, (list)[v], sizeof(r->field)); \
	}

SET(size)
SET(ihl)
SET(version)
SET(tos)
SET(protocol)
SET(check_xor)
SET(l4_check_xor)
SET(l4_check_none)
SET(padding)
SET(cut)
SET(sport)
SET(dport)
SET(tcp_words)
SET_FROM(ttl, ttls)
SET_FROM(frag_off, frag_offs)
SET_FROM(tot_len, tot_lens)
SET_FROM(ethertype, ethertypes)
SET_FROM(saddr, addresses)
SET_FROM(daddr, addresses)
COPY_FROM(tag, tags)
COPY_FROM(dmac, macs)
COPY_FROM(smac, macs)

static void set_size_df(struct recipe *r, unsigned int v)
{
	r->size = v;
	r->frag_off = DF;
}

static void set_size_no_df(struct recipe *r, unsigned int v)
{
	r->size = v;
	r->frag_off = 0;
}

static void set_options(struct recipe *r, unsigned int v)
{
	r->options_len = options[v][0];
	memcpy(r->options, options[v] + 1, r->options_len);
}

static void set_nops(struct recipe *r, unsigned int v)
{
	r->options_len = v * 4;
	memset(r->options, 1, r->options_len);
}

static void set_tot_len_add(struct recipe *r, unsigned int v)
{
	r->tot_len_add = (int)v - 64;
}

static void set_arp(struct recipe *r, unsigned int v)
{
	r->arp = 1 + v;
}

/* PSH always: else GRO may hold a clear-text segment back, longer in one twin. */
static void set_tcp_flags(struct recipe *r, unsigned int v)
{
	r->tcp_flags = v | 8;
}

static void set_udp_len(struct recipe *r, unsigned int v)
{
	r->udp_len_add = v - 16;
}

/* Sizes have their step so that the whole table is some thousand frames. */
const struct edge edges[] = {
	{ "size",		set_size,		42, 1530, 1, 1 },
	{ "size DF",		set_size_df,		1380, 1524, 1, 1 },
	{ "size no DF",		set_size_no_df,		1380, 1524, 1, 1 },
	{ "ihl",		set_ihl,		0, 15, 1, 1 },
	{ "version",		set_version,		0, 15, 1, 1 },
	{ "options",		set_options,		LIST(options), 1 },
	{ "no-operations",	set_nops,		1, 10, 1, 1 },
	{ "frag_off",		set_frag_off,		LIST(frag_offs), 2 },
	{ "ttl",		set_ttl,		LIST(ttls), 2 },
	{ "tos",		set_tos,		0, 255, 1, 3 },
	{ "protocol",		set_protocol,		0, 255, 1, 2 },
	{ "header checksum ^",	set_check_xor,		1, 0xffff, 4095, 1 },
	{ "L4 checksum ^",	set_l4_check_xor,	1, 0xffff, 8191, 1 },
	{ "no L4 checksum",	set_l4_check_none,	1, 1, 1, 2 },
	{ "tot_len",		set_tot_len,		LIST(tot_lens), 1 },
	{ "tot_len - 64 +",	set_tot_len_add,	0, 128, 1, 1 },
	{ "padding",		set_padding,		1, 64, 3, 1 },
	{ "cut",		set_cut,		14, 80, 1, 1 },
	{ "tag",		set_tag,		LIST(tags), 2 },
	{ "dmac",		set_dmac,		LIST(macs), 1 },
	{ "smac",		set_smac,		LIST(macs), 1 },
	{ "ethertype",		set_ethertype,		LIST(ethertypes), 1 },
	{ "arp",		set_arp,		0, 10, 1, 1 },
	{ "saddr",		set_saddr,		LIST(addresses), 3 },
	{ "daddr",		set_daddr,		LIST(addresses), 3 },
	{ "sport or type",	set_sport,		0, 0xffff, 2047, 3 },
	{ "dport or id",	set_dport,		0, 0xffff, 4095, 3 },
	{ "icmp code or sport",	set_sport,		0x0800, 0x0804, 1, 3 },
	{ "tcp flags",		set_tcp_flags,		0, 255, 8, 1 },
	{ "tcp words",		set_tcp_words,		0, 15, 1, 1 },
	{ "udp length - 16 +",	set_udp_len,		0, 32, 1, 1 },
};

const unsigned int edges_count = ARRAY_SIZE(edges);
