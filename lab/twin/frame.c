// SPDX-License-Identifier: GPL-2.0
/* Frames from their description, right and wrong ones. */
#include <stdio.h>
#include <string.h>

#include "twin.h"

#define ETHERTYPE_ARP	0x0806
#define OPTION_TIME	68
#define ICMP_TIMESTAMP	13

/* splitmix64 */
uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

unsigned int random_below(uint64_t *state, unsigned int limit)
{
	return random_next(state) % limit;
}

uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

/* The Internet checksum on top of a sum; 0 over data that contains its own. */
uint16_t checksum(const uint8_t *data, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += get16(data + i);
	if (len & 1)
		sum += data[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static unsigned int header_len(enum layout layout)
{
	return layout == LAYOUT_TCP ? 20 : 8;
}

/* Layer 4 of @len bytes, payload and all. */
static void render_l4(const struct recipe *r, uint8_t *l4, unsigned int len)
{
	unsigned int i, check = 6, head = header_len(r->layout);
	uint64_t state = r->content;
	uint32_t pseudo = 0;

	for (i = head; i < len; i++) {
		l4[i] = random_next(&state);
		/* if the header length says so, payload is options */
		if (l4[i] == OPTION_TIME)
			l4[i]++;
	}
	memset(l4, 0, head);
	if (r->layout == LAYOUT_ICMP) {
		put16(l4, r->sport);
		put16(l4 + 4, r->dport);
		put16(l4 + 6, r->id);
		check = 2;
	} else {
		put16(l4, r->sport);
		put16(l4 + 2, r->dport);
		pseudo = (r->saddr >> 16) + (r->saddr & 0xffff) + (r->daddr >> 16) +
			 (r->daddr & 0xffff) + r->protocol + len;
	}
	if (r->layout == LAYOUT_UDP)
		put16(l4 + 4, len + r->udp_len_add);
	if (r->layout == LAYOUT_TCP) {
		put32(l4 + 4, r->seq);
		put32(l4 + 8, ~r->seq);
		l4[12] = r->tcp_words << 4;
		l4[13] = r->tcp_flags;
		put16(l4 + 14, 0x2000);
		check = 16;
	}
	if (!r->l4_check_none)
		put16(l4 + check, checksum(l4, len, pseudo) ^ r->l4_check_xor);
}

static unsigned int render_ip(const struct recipe *r, uint8_t *ip)
{
	unsigned int head = IP_LEN + r->options_len, l4_len = header_len(r->layout), len;

	if (r->size > ETH_LEN + head + l4_len)
		l4_len = r->size - ETH_LEN - head;
	len = head + l4_len;

	memset(ip, 0, head);
	ip[0] = r->version << 4 | (r->ihl < 0 ? head / 4 : (unsigned int)r->ihl);
	ip[1] = r->tos;
	put16(ip + 2, (r->tot_len < 0 ? (int)len : r->tot_len) + r->tot_len_add);
	put16(ip + 4, r->id);
	put16(ip + 6, r->frag_off);
	ip[8] = r->ttl;
	ip[9] = r->protocol;
	put32(ip + 12, r->saddr);
	put32(ip + 16, r->daddr);
	memcpy(ip + IP_LEN, r->options, r->options_len);
	render_l4(r, ip + head, l4_len);

	/* right for the header that it says it has, as far as that goes */
	if (r->ihl >= 5 && (unsigned int)r->ihl * 4 <= len)
		head = r->ihl * 4;
	put16(ip + 10, checksum(ip, head, 0) ^ r->check_xor);
	return len;
}

static unsigned int render_arp(const struct recipe *r, uint8_t *arp)
{
	static const struct {
		uint16_t hardware, op;
		uint32_t sender, target;
	} frames[] = {
		{ 1, 1, LAN_HOST, GW_LAN },
		{ 1, 1, LAN_HOST, GW_WAN },
		{ 1, 1, LAN_HOST, LAN_HOST },		/* gratuitous */
		{ 1, 1, 0, GW_LAN },			/* probe */
		{ 1, 1, LAN_HOST, FAR_LOW },
		{ 1, 2, LAN_HOST, GW_LAN },
		{ 1, 2, GW_LAN, LAN_HOST },		/* our own address */
		{ 1, 1, PEER_WAN, GW_LAN },
		{ 1, 9, LAN_HOST, GW_LAN },
		{ 6, 1, LAN_HOST, GW_LAN },
		{ 99, 1, LAN_HOST, GW_LAN },
	};
	unsigned int i = (r->arp - 1) % ARRAY_SIZE(frames);

	memset(arp, 0, 46);
	put16(arp, frames[i].hardware);
	put16(arp + 2, 0x0800);
	arp[4] = 6;
	arp[5] = 4;
	put16(arp + 6, frames[i].op);
	memcpy(arp + 8, mac_lan_host, 6);
	put32(arp + 14, frames[i].sender);
	put32(arp + 24, frames[i].target);
	return 46;
}

void recipe_render(const struct recipe *r, struct sent *frame)
{
	uint8_t *p = frame->data;
	unsigned int i;

	memcpy(p, r->dmac, 6);
	memcpy(p + 6, r->smac, 6);
	p += 12;
	for (i = 0; i < TAGS; i++) {
		if (!r->tag[i])
			continue;
		put32(p, r->tag[i]);
		p += 4;
	}
	put16(p, r->arp ? ETHERTYPE_ARP : r->ethertype);
	p += 2;
	p += r->arp ? render_arp(r, p) : render_ip(r, p);
	memset(p, 0xa5, r->padding);
	p += r->padding;
	frame->len = p - frame->data;
	if (r->cut && r->cut < frame->len)
		frame->len = r->cut;
	snprintf(frame->label, sizeof(frame->label), "%s", r->label);
}

static uint8_t *put_ip(uint8_t *ip, uint8_t protocol, uint16_t frag_off, uint32_t saddr,
		       uint32_t daddr, unsigned int len)
{
	memset(ip, 0, IP_LEN);
	ip[0] = 0x45;
	put16(ip + 2, len);
	put16(ip + 6, frag_off);
	ip[8] = 64;
	ip[9] = protocol;
	put32(ip + 12, saddr);
	put32(ip + 16, daddr);
	put16(ip + 10, checksum(ip, IP_LEN, 0));
	return ip + IP_LEN;
}

/**
 * frame_too_big() - ICMP says that an ESP packet of the gateway was too long
 * @frame: result
 * @mtu: what there is room for
 * @spi: of the packet
 */
void frame_too_big(struct sent *frame, unsigned int mtu, uint32_t spi)
{
	uint8_t *icmp, *quoted;

	memcpy(frame->data, mac_gw_wan, 6);
	memcpy(frame->data + 6, mac_peer, 6);
	put16(frame->data + 12, 0x0800);
	icmp = put_ip(frame->data + ETH_LEN, 1, 0, PEER_WAN, GW_WAN, IP_LEN + 8 + IP_LEN + 8);
	memset(icmp, 0, 8);
	put16(icmp, 0x0304);
	put16(icmp + 6, mtu);
	quoted = put_ip(icmp + 8, 50, 0x4000, GW_WAN, PEER_WAN, 1500);
	put32(quoted, spi);
	put32(quoted + 4, 1);
	put16(icmp + 2, checksum(icmp, 8 + IP_LEN + 8, 0));
	frame->len = quoted + 8 - frame->data;
	snprintf(frame->label, sizeof(frame->label), "ICMP: ESP is too long for %u", mtu);
}

/**
 * frame_tells_time() - would the gateway answer with its clock?
 * @frame: frame
 *
 * The twins get it one after the other, and may see another millisecond. Such
 * a frame is not sent: an IP timestamp option, an ICMP timestamp request.
 *
 * Return: true if so.
 */
bool frame_tells_time(const struct sent *frame)
{
	unsigned int at = 12, head, i;
	const uint8_t *ip;

	while (at + 4 <= frame->len && (get16(frame->data + at) == 0x8100 ||
					get16(frame->data + at) == 0x88a8))
		at += 4;
	at += 2;
	if (at + IP_LEN + 1 > frame->len)
		return false;

	ip = frame->data + at;
	head = (ip[0] & 15) * 4;
	for (i = IP_LEN; i < head && at + i < frame->len; i++) {
		if (ip[i] == OPTION_TIME)
			return true;
	}
	return ip[9] == 1 && at + head < frame->len && ip[head] == ICMP_TIMESTAMP;
}
