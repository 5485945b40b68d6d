// SPDX-License-Identifier: GPL-2.0
/* A gateway's frames, freed from what two stacks may choose differently:
 *
 *   IP id and with it the header checksum	of packets that the gateway makes, unless DF
 *   IV						of ESP; the rule that it follows is checked
 *
 * Nothing else is taken away.
 */
#include <string.h>

#include "twin.h"

#define PROTO_ICMP	1
#define PROTO_ESP	50
#define DF		0x4000
#define FRAGMENT	0x3fff
#define MF		0x2000
#define DATAGRAM_MAX	(2 * FRAME_MAX)

struct answers answers[TWINS][WIRES];

/* ESP in fragments, one after the other */
static struct {
	unsigned int count, len;
	uint16_t id, fragment_len[8];
	uint8_t head[ETH_LEN + IP_LEN];
	uint8_t data[DATAGRAM_MAX];
} pending[TWINS][WIRES];

void answers_forget(void)
{
	int twin, wire;

	for (twin = 0; twin < TWINS; twin++)
		for (wire = 0; wire < WIRES; wire++)
			answers[twin][wire].count = 0;
}

static bool made_by_gateway(const uint8_t *ip)
{
	return get32(ip + 12) == GW_LAN || get32(ip + 12) == GW_WAN;
}

static void mask_id(uint8_t *ip)
{
	if (get16(ip + 6) & DF)
		return;
	put16(ip + 4, 0);
	put16(ip + 10, 0);
}

/* Headers and plain text to @answer->data. */
static void open_esp(enum twin twin, struct answer *answer, const uint8_t *head,
		     const uint8_t *esp, size_t len)
{
	uint8_t *to = answer->data + ETH_LEN + IP_LEN;
	size_t plain_len = 0;

	answer->esp = true;
	memcpy(answer->data, head, ETH_LEN + IP_LEN);
	mask_id(answer->data + ETH_LEN);
	answer->len = ETH_LEN + IP_LEN;
	answer->complaint = esp_open(twin, esp, len, to + 4, &plain_len, &answer->seq);
	if (len < ESP_LEN)
		return;
	answer->spi = get32(esp);
	put32(to, answer->spi);
	answer->len += 4 + plain_len;
	if (plain_len >= IP_LEN && made_by_gateway(to + 4))
		mask_id(to + 4);
}

/* Returns false as long as fragments are missing. */
static bool reassemble(enum twin twin, enum wire wire, struct answer *answer,
		       const struct capture *capture, unsigned int len)
{
	const uint8_t *ip = capture->data + ETH_LEN;
	unsigned int payload = len - IP_LEN;
	typeof(pending[0][0]) *whole = &pending[twin][wire];

	if (!(get16(ip + 6) & 0x1fff)) {
		memcpy(whole->head, capture->data, sizeof(whole->head));
		whole->id = get16(ip + 4);
		whole->count = 0;
		whole->len = 0;
	}
	if (whole->id != get16(ip + 4) || (get16(ip + 6) & 0x1fff) * 8u != whole->len ||
	    whole->count == ARRAY_SIZE(whole->fragment_len) ||
	    whole->len + payload > sizeof(whole->data)) {
		answer->complaint = "a fragment of ESP out of order";
		return true;
	}
	memcpy(whole->data + whole->len, ip + IP_LEN, payload);
	whole->fragment_len[whole->count++] = payload;
	whole->len += payload;
	if (get16(ip + 6) & MF)
		return false;

	open_esp(twin, answer, whole->head, whole->data, whole->len);
	answer->fragments = whole->count;
	memcpy(answer->fragment_len, whole->fragment_len, sizeof(answer->fragment_len));
	return true;
}

/* Returns false if there is nothing to be compared yet. */
static bool open_ip(enum twin twin, enum wire wire, struct answer *answer,
		    const struct capture *capture)
{
	const uint8_t *ip = capture->data + ETH_LEN;
	unsigned int head = (ip[0] & 15) * 4, len = get16(ip + 2);

	if (head < IP_LEN || len < head || len > capture->len - ETH_LEN) {
		answer->complaint = "IP header says a wrong length";
		return true;
	}
	if (checksum(ip, head, 0)) {
		answer->complaint = "IP header checksum is wrong";
		return true;
	}
	if (ip[9] == PROTO_ESP && made_by_gateway(ip)) {
		if (head != IP_LEN || len != capture->len - ETH_LEN) {
			answer->complaint = "ESP with IP options, or bytes behind it";
			return true;
		}
		if (get16(ip + 6) & FRAGMENT)
			return reassemble(twin, wire, answer, capture, len);
		open_esp(twin, answer, capture->data, ip + IP_LEN, len - IP_LEN);
		return true;
	}
	if (made_by_gateway(ip))
		mask_id(answer->data + ETH_LEN);
	return true;
}

void answer_take(enum twin twin, enum wire wire, const struct capture *capture)
{
	struct answers *list = &answers[twin][wire];
	struct answer *answer = &list->list[list->count];

	if (list->count == ANSWERS_MAX)
		die("more than %d answers to a batch", ANSWERS_MAX);
	memset(answer, 0, offsetof(struct answer, data));
	answer->len = capture->len;
	answer->tagged = capture->tagged;
	answer->tpid = capture->tpid;
	answer->tci = capture->tci;
	memcpy(answer->data, capture->data, capture->len);
	if (capture->len >= ETH_LEN + IP_LEN && get16(capture->data + 12) == 0x0800 &&
	    capture->data[ETH_LEN] >> 4 == 4 && !open_ip(twin, wire, answer, capture))
		return;
	list->count++;
}

int answer_ident(const struct answer *answer)
{
	const uint8_t *ip = answer->data + ETH_LEN;
	unsigned int at = 0;

	if (answer->len < ETH_LEN + IP_LEN || get16(answer->data + 12) != 0x0800)
		return -1;
	if (answer->esp)
		at = IP_LEN + 4;	/* the SPI, then the packet */
	else if (made_by_gateway(ip) && ip[9] == PROTO_ICMP)
		/* an answer to an echo has its sequence number, an error quotes */
		return ip[IP_LEN] ? get16(ip + IP_LEN + 8 + 4) : get16(ip + IP_LEN + 6);
	return ETH_LEN + at + IP_LEN > answer->len ? -1 : get16(ip + at + 4);
}
