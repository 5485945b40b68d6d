// SPDX-License-Identifier: GPL-2.0
/* What is sent: flows that stay, their packets now and then with odd edges. */
#include <stdio.h>
#include <string.h>

#include "twin.h"

#define FLOWS		32
#define IPPROTO_OF(l)	((const uint8_t[]){ 17, 6, 1 }[l])
#define DF		0x4000
#define PSH_ACK		0x18
#define ICMP_ECHO	0x0800
#define ICMP_ECHO_REPLY	0x0000
#define DSCP_EF		0xb8

static struct {
	uint64_t state;
	unsigned int mtu, index, offset;
} generator;

void generator_seed(uint64_t seed)
{
	generator.state = seed;
	generator.index = 0;
	generator.offset = random_next(&generator.state) >> 40;
}

void generator_mtu(unsigned int mtu)
{
	generator.mtu = mtu;
}

/* Half of the flows are UDP, the others TCP and ICMP echo. */
static enum layout flow_layout(unsigned int flow)
{
	return flow % 2 ? LAYOUT_UDP : flow % 4 ? LAYOUT_ICMP : LAYOUT_TCP;
}

/* A packet of a flow as its host would send it. */
static void flow_packet(unsigned int flow, struct recipe *r)
{
	enum layout layout = flow_layout(flow);

	memset(r, 0, sizeof(*r));
	memcpy(r->dmac, mac_gw_lan, 6);
	memcpy(r->smac, mac_lan_host, 6);
	r->smac[5] += flow % LAN_HOSTS;
	r->ethertype = 0x0800;
	r->version = 4;
	r->tos = flow % 5 ? 0 : DSCP_EF;
	r->ttl = 64;
	r->protocol = IPPROTO_OF(layout);
	r->id = generator.index;
	r->frag_off = DF;
	r->saddr = LAN_HOST + flow % LAN_HOSTS;
	r->daddr = (flow % 8 < 4 ? FAR_LOW : FAR_HIGH) + flow;
	r->ihl = -1;
	r->tot_len = -1;
	r->layout = layout;
	r->sport = layout == LAYOUT_ICMP ? ICMP_ECHO : 1024 + flow;
	r->dport = 2000 + flow;
	r->seq = random_next(&generator.state);
	r->tcp_flags = PSH_ACK;
	r->tcp_words = 5;
	r->size = 100;
	r->content = random_next(&generator.state);
	snprintf(r->label, sizeof(r->label), "flow %u, %s", flow,
		 (const char *[]){ "UDP", "TCP", "ICMP" }[layout]);
}

static void apply(const struct edge *edge, unsigned int value, struct recipe *r)
{
	size_t used = strlen(r->label);

	edge->apply(r, value);
	snprintf(r->label + used, sizeof(r->label) - used, ", %s %u", edge->name, value);
}

static void finish(struct recipe *r, struct sent *frame)
{
	recipe_render(r, frame);
	frame->index = generator.index++;
}

static unsigned int any(unsigned int limit)
{
	return random_below(&generator.state, limit);
}

static void random_packet(struct recipe *r)
{
	const struct edge *edge;
	unsigned int n;

	flow_packet(any(FLOWS), r);
	r->size = any(2) ? 42 + any(100) : 42 + any(ETH_LEN + generator.mtu - 42 + 1);
	r->ttl = any(4) ? 64 : 2 + any(254);
	r->tos |= any(4) ? 0 : any(4);
	if (!any(4))
		r->frag_off = 0;

	for (n = any(3) ? 0 : 1 + any(3); n; n--) {
		edge = &edges[any(edges_count)];
		apply(edge, edge->first + any(edge->last - edge->first + 1), r);
	}
}

/**
 * generator_next() - a packet at random
 * @frame: result
 */
void generator_next(struct sent *frame)
{
	struct recipe r;

	do {
		random_packet(&r);
		recipe_render(&r, frame);
	} while (frame_tells_time(frame));
	frame->index = generator.index++;
}

unsigned int generator_warm_ups(void)
{
	return 2 * FLOWS;
}

/**
 * generator_warm_up() - a packet from which a flow is learned
 * @i: which, below generator_warm_ups()
 * @frame: result
 */
void generator_warm_up(unsigned int i, struct sent *frame)
{
	struct recipe r;

	flow_packet(i % FLOWS, &r);
	finish(&r, frame);
}

unsigned int generator_answers(void)
{
	return FLOWS;
}

/**
 * generator_answer() - what the other end of a flow sends, in clear
 * @flow: which, below generator_answers()
 * @frame: result
 */
void generator_answer(unsigned int flow, struct sent *frame)
{
	uint32_t addr;
	uint16_t port;
	struct recipe r;

	flow_packet(flow, &r);
	memcpy(r.dmac, mac_gw_wan, 6);
	memcpy(r.smac, mac_peer, 6);
	addr = r.saddr;
	r.saddr = r.daddr;
	r.daddr = addr;
	if (r.layout == LAYOUT_ICMP) {
		r.sport = ICMP_ECHO_REPLY;
	} else {
		port = r.sport;
		r.sport = r.dport;
		r.dport = port;
	}
	finish(&r, frame);
}

static unsigned int edge_values(const struct edge *edge)
{
	return (edge->last - edge->first) / edge->step + 1;
}

unsigned int generator_table_size(void)
{
	unsigned int i, total = 0;

	for (i = 0; i < edges_count; i++)
		total += edge_values(&edges[i]) * LAYOUTS;
	return total;
}

/**
 * generator_table() - a frame of the table: each edge with each value and layout
 * @slot: which of @slots
 * @slots: how many are sent, spread evenly over the table, or all of it
 * @repeat: how often this one was sent
 * @frame: result
 *
 * Return: false if it has been sent often enough.
 */
bool generator_table(unsigned int slot, unsigned int slots, unsigned int repeat,
		     struct sent *frame)
{
	/* the first flow of each layout */
	static const unsigned int flows[LAYOUTS] = { 1, 0, 2 };
	unsigned int i, total = generator_table_size();
	struct recipe r;
	uint64_t at;

	at = slots == total ? slot : ((uint64_t)slot * total + generator.offset % total) / slots;

	for (i = 0; at >= edge_values(&edges[i]) * LAYOUTS; i++)
		at -= edge_values(&edges[i]) * LAYOUTS;
	if (repeat >= edges[i].repeat)
		return false;

	flow_packet(flows[at % LAYOUTS], &r);
	apply(&edges[i], edges[i].first + at / LAYOUTS * edges[i].step, &r);
	recipe_render(&r, frame);
	if (frame_tells_time(frame))
		return false;
	frame->index = generator.index++;
	return true;
}
