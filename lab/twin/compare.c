// SPDX-License-Identifier: GPL-2.0
/* Two lists of answers: what differs, in full. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "twin.h"

#define SHOWN_MAX	12	/* differences of a scenario that are printed in full */
#define DUMP_WIDTH	32

struct totals totals;

static const char *scenario = "";
static uint64_t scenario_seed;
static bool memory_differs;

static const char * const twin_name[TWINS] = { "off", "on" };
static const char * const wire_name[WIRES] = { "LAN", "WAN" };

void compare_name(const char *name, uint64_t seed)
{
	static char copy[64];

	snprintf(copy, sizeof(copy), "%s", name);
	scenario = copy;
	scenario_seed = seed;
	memory_differs = false;
	memset(&totals, 0, sizeof(totals));
}

/* One line for whoever reads results: behind "# ", as TAP has it. */
void report(const char *fmt, ...)
{
	va_list ap;

	fputs("# ", stdout);
	va_start(ap, fmt);
	vfprintf(stdout, fmt, ap);
	va_end(ap);
	fputc('\n', stdout);
}

static void dump(const uint8_t *data, unsigned int len)
{
	char line[DUMP_WIDTH * 2 + DUMP_WIDTH / 4 + 1];
	unsigned int i, j, used;

	for (i = 0; i < len; i += DUMP_WIDTH) {
		for (used = 0, j = i; j < i + DUMP_WIDTH && j < len; j++)
			used += snprintf(line + used, sizeof(line) - used, "%02x%s", data[j],
					 j % 4 == 3 ? " " : "");
		report("    %04x  %s", i, line);
	}
}

void report_bytes(const char *what, const uint8_t *off, const uint8_t *on, unsigned int len)
{
	report("  %s: off", what);
	dump(off, len);
	report("  %s: on", what);
	dump(on, len);
}

static const struct sent *sent_for(const struct answer *answer, const struct sent *batch,
				   unsigned int count)
{
	int ident = answer ? answer_ident(answer) : -1;
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (ident >= 0 && (batch[i].index & 0xffff) == (unsigned int)ident)
			return &batch[i];
	}
	return NULL;
}

static void show_sent(const struct sent *sent)
{
	report("  sent: packet %u (%s), %u bytes", sent->index, sent->label, sent->len);
	dump(sent->data, sent->len);
}

static void show_answer(enum twin twin, const struct answer *answer)
{
	unsigned int i;

	if (!answer) {
		report("  %s: nothing", twin_name[twin]);
		return;
	}
	report("  %s: %s%s%u bytes%s", twin_name[twin],
	       answer->complaint ? answer->complaint : "", answer->complaint ? ", " : "",
	       answer->len, answer->esp ? " decrypted" : "");
	if (answer->esp)
		report("    SPI %#x, sequence %llu", answer->spi, (unsigned long long)answer->seq);
	if (answer->tagged)
		report("    tag %04x %04x", answer->tpid, answer->tci);
	for (i = 0; i < answer->fragments; i++)
		report("    fragment of %u bytes", answer->fragment_len[i]);
	dump(answer->data, answer->len);
}

/* What is different about a pair, or NULL; but for the sequence number. */
static const char *differs(const struct answer *off, const struct answer *on)
{
	if (!off || !on)
		return "one twin sent nothing";
	if (off->complaint || on->complaint)
		return off->complaint ? off->complaint : on->complaint;
	if (off->esp != on->esp)
		return "one of them is ESP";
	if (off->tagged != on->tagged || off->tpid != on->tpid || off->tci != on->tci)
		return "VLAN tags";
	if (off->len != on->len)
		return "lengths";
	if (memcmp(off->data, on->data, off->len))
		return "bytes";
	if (off->fragments != on->fragments ||
	    memcmp(off->fragment_len, on->fragment_len, sizeof(off->fragment_len)))
		return "fragments";
	return NULL;
}

static void show_difference(const char *what, enum wire wire, const struct answer *off,
			    const struct answer *on, const struct sent *batch, unsigned int count)
{
	const struct sent *a = sent_for(off, batch, count), *b = sent_for(on, batch, count);
	unsigned int i;

	if (totals.differences++ >= SHOWN_MAX)
		return;
	report("DIFFERENCE, seed %llu, scenario %s, packets %u to %u, %s wire: %s",
	       (unsigned long long)scenario_seed, scenario, batch[0].index,
	       batch[count - 1].index, wire_name[wire], what);
	if (off && on && !off->complaint && !on->complaint) {
		for (i = 0; i < off->len && i < on->len && off->data[i] == on->data[i]; i++)
			;
		report("  the same up to byte %u", i);
	}
	if (a)
		show_sent(a);
	if (b && b != a)
		show_sent(b);
	show_answer(OFF, off);
	show_answer(ON, on);
}

/* Is one list the other in another order? @place: where each of @off is in @on. */
static bool reordered(const struct answers *off, const struct answers *on, unsigned int *place)
{
	bool taken[ANSWERS_MAX] = {};
	unsigned int i, j;

	if (off->count != on->count)
		return false;
	for (i = 0; i < off->count; i++) {
		/* the same frame may have come more than once: first where it should be */
		for (j = taken[i] || differs(&off->list[i], &on->list[i]) ? 0 : i; j < on->count; j++) {
			if (!taken[j] && !differs(&off->list[i], &on->list[j]))
				break;
		}
		if (j == on->count)
			return false;
		taken[j] = true;
		place[i] = j;
	}
	return true;
}

static void show_order(enum wire wire, const unsigned int *place, const struct sent *batch,
		       unsigned int count)
{
	const struct answers *off = &answers[OFF][wire];
	const struct sent *sent;
	unsigned int i;

	if (totals.differences++ >= SHOWN_MAX)
		return;
	report("DIFFERENCE, seed %llu, scenario %s, packets %u to %u, %s wire: order",
	       (unsigned long long)scenario_seed, scenario, batch[0].index,
	       batch[count - 1].index, wire_name[wire]);
	for (i = 0; i < off->count; i++) {
		if (place[i] == i)
			continue;
		sent = sent_for(&off->list[i], batch, count);
		if (sent) {
			report("  packet %u (%s) leaves off in place %u, on in %u", sent->index,
			       sent->label, i, place[i]);
			continue;
		}
		report("  a frame of no packet leaves off in place %u, on in %u", i, place[i]);
		dump(off->list[i].data, off->list[i].len);
	}
}

static bool in_place(const unsigned int *place, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count && place[i] == i; i++)
		;
	return i == count;
}

/* After a frame too many or too few nothing fits until the next batch. */
static void compare_wire(enum wire wire, const struct sent *batch, unsigned int count)
{
	struct answers *off = &answers[OFF][wire], *on = &answers[ON][wire];
	unsigned int i, n = off->count > on->count ? off->count : on->count;
	unsigned int place[ANSWERS_MAX];

	totals.answers += n;
	for (i = 0; i < off->count; i++)
		totals.esp += off->list[i].esp;
	if (reordered(off, on, place) && !in_place(place, off->count)) {
		show_order(wire, place, batch, count);
		return;
	}
	for (i = 0; i < n; i++) {
		const struct answer *a = i < off->count ? &off->list[i] : NULL;
		const struct answer *b = i < on->count ? &on->list[i] : NULL;
		const char *what = differs(a, b);

		if (!what && a->esp && !esp_sequence_same(a->spi, a->seq, b->seq))
			what = "sequence numbers";
		if (what)
			show_difference(what, wire, a, b, batch, count);
		if (what && off->count != on->count)
			return;
	}
}

void compare_batch(const struct sent *batch, unsigned int count)
{
	int wire;

	for (wire = 0; wire < WIRES; wire++)
		compare_wire(wire, batch, count);
}

/**
 * compare_memory() - compare what the gateways count and remember
 * @last: the packet that was sent last
 *
 * Once a scenario: what has differed goes on to differ.
 */
void compare_memory(unsigned int last)
{
	unsigned int differences;

	if (memory_differs)
		return;
	differences = counters_compare() + states_compare();
	if (!differences)
		return;
	memory_differs = true;
	totals.differences += differences;
	report("DIFFERENCE, seed %llu, scenario %s, after packet %u: the above",
	       (unsigned long long)scenario_seed, scenario, last);
}
