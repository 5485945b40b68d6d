/* SPDX-License-Identifier: GPL-2.0 */
/* The twin test: the same frames through two gateways, their answers compared. */
#ifndef TWIN_H
#define TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define FRAME_MAX	4096
#define BATCH_MAX	64
#define ANSWERS_MAX	256	/* of one batch on one wire */
#define ETH_LEN		14
#define IP_LEN		20
#define ESP_LEN		8
#define TAGS		2

/* Network byte order is written out as bytes everywhere; addresses are host order. */
#define IP(a, b, c, d)	((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

/* The topology of guest.sh */
#define GW_LAN		IP(10, 1, 0, 1)
#define GW_WAN		IP(192, 0, 2, 1)
#define PEER_WAN	IP(192, 0, 2, 2)
#define LAN_HOST	IP(10, 1, 0, 2)
#define LAN_HOSTS	14
#define FAR_LOW		IP(10, 2, 0, 2)
#define FAR_HIGH	IP(10, 2, 0, 130)
#define PLAIN_HOST	IP(10, 3, 0, 2)

enum twin { OFF, ON, TWINS };
enum wire { LAN, WAN, WIRES };

/* frame.c: a frame as it is described, and as it is sent */

enum layout { LAYOUT_UDP, LAYOUT_TCP, LAYOUT_ICMP, LAYOUTS };

struct recipe {
	uint8_t dmac[6], smac[6];
	uint32_t tag[TAGS];	/* TPID and TCI, outermost first; 0: none */
	uint16_t ethertype;
	uint8_t version, tos, ttl, protocol;
	uint16_t id, frag_off;
	uint32_t saddr, daddr;
	uint8_t options[40];
	unsigned int options_len;
	int ihl;		/* -1: right */
	int tot_len;		/* -1: right */
	int tot_len_add;
	uint16_t check_xor;
	enum layout layout;	/* may be another than protocol says */
	uint16_t sport, dport;	/* ICMP: type and code, id */
	uint32_t seq;
	uint8_t tcp_flags, tcp_words;
	uint16_t l4_check_xor;
	bool l4_check_none;
	uint16_t udp_len_add;
	unsigned int arp;	/* 1 + index of an ARP frame; 0: IPv4 */
	unsigned int size;	/* of the frame without tags and padding */
	unsigned int padding;	/* of the link layer */
	unsigned int cut;	/* the frame ends here; 0: it does not */
	uint64_t content;	/* seed of the payload */
	char label[160];
};

struct sent {
	unsigned int index, len;
	char label[160];
	uint8_t data[FRAME_MAX];
};

uint64_t random_next(uint64_t *state);
unsigned int random_below(uint64_t *state, unsigned int limit);
uint16_t get16(const uint8_t *p);
uint32_t get32(const uint8_t *p);
void put16(uint8_t *p, uint16_t v);
void put32(uint8_t *p, uint32_t v);
uint16_t checksum(const uint8_t *data, size_t len, uint32_t sum);
void recipe_render(const struct recipe *r, struct sent *frame);
void frame_too_big(struct sent *frame, unsigned int mtu, uint32_t spi);
bool frame_tells_time(const struct sent *frame);

/* flow.c: what is sent, in which order */

void generator_seed(uint64_t seed);
/* Packets at random are not longer, but for those that are odd in it. */
void generator_mtu(unsigned int mtu);
void generator_next(struct sent *frame);
void generator_warm_up(unsigned int i, struct sent *frame);
unsigned int generator_warm_ups(void);
void generator_answer(unsigned int flow, struct sent *frame);
unsigned int generator_answers(void);
unsigned int generator_table_size(void);
/* @slot of @slots, spread over the whole table; false: it has no more repeats */
bool generator_table(unsigned int slot, unsigned int slots, unsigned int repeat,
		     struct sent *frame);

/* table.c: edges, used by the table and at random */

struct edge {
	const char *name;
	void (*apply)(struct recipe *r, unsigned int value);
	unsigned int first, last, step;
	unsigned int repeat;	/* that often, for those that make another flow */
};

extern const struct edge edges[];
extern const unsigned int edges_count;
extern const uint8_t mac_lan_host[6], mac_gw_lan[6], mac_gw_wan[6], mac_peer[6];

/* wire.c: packet sockets on the gateways' peers */

struct capture {
	unsigned int len;
	bool tagged;
	uint16_t tpid, tci;
	uint8_t data[FRAME_MAX];
};

void wires_open(enum twin twin);
int wire_send(enum twin twin, enum wire wire, const uint8_t *data, size_t len);
/* Take frames until all wires have been quiet for @msec */
void wires_drain(int msec, void (*take)(enum twin, enum wire, const struct capture *));
unsigned int wires_lost(void);

/* esp.c: states, and what their packets hide */

void sa_add(int argc, char **argv);
void sa_forget(void);
/* The plain text with its trailer to @plain; NULL, or what is wrong with the packet */
const char *esp_open(enum twin twin, const uint8_t *esp, size_t len, uint8_t *plain,
		     size_t *plain_len, uint64_t *seq);
/* Are the sequence numbers of a pair as before? Notes how they are. */
bool esp_sequence_same(uint32_t spi, uint64_t off, uint64_t on);

/* answer.c: frames of the gateway in a form that compares */

struct answer {
	unsigned int len;
	bool esp, tagged;
	uint16_t tpid, tci;
	uint64_t seq;
	uint32_t spi;
	unsigned int fragments;
	uint16_t fragment_len[8];
	const char *complaint;
	uint8_t data[FRAME_MAX];
};

struct answers {
	unsigned int count;
	struct answer list[ANSWERS_MAX];
};

extern struct answers answers[TWINS][WIRES];

void answers_forget(void);
void answer_take(enum twin twin, enum wire wire, const struct capture *capture);
/* IP id of the frame that was answered, if it can be told; -1 */
int answer_ident(const struct answer *answer);

/* counters.c, state.c: open in the gateway's namespace, begin a scenario, compare */

void counters_open(enum twin twin);
void counters_begin(void);
void counters_wan_by_ring(void);
unsigned int counters_compare(void);
long long counters_fast(bool print);
void states_open(enum twin twin);
void states_begin(void);
unsigned int states_compare(void);

/* compare.c */

struct totals {
	unsigned int frames, answers, esp, expired, differences;
};

extern struct totals totals;

void compare_name(const char *scenario, uint64_t seed);
void compare_batch(const struct sent *batch, unsigned int count);
void compare_memory(unsigned int last);
void report(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void report_bytes(const char *what, const uint8_t *off, const uint8_t *on, unsigned int len);

/* twin.c */
__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *fmt, ...);

#endif
