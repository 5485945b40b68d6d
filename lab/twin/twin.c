// SPDX-License-Identifier: GPL-2.0
/* Sends the same frames to both gateways and compares all that comes out.
 *
 * Reads one command a line from standard input:
 *
 *   begin SCENARIO SEED		from here on packets are counted from 0
 *   mtu MTU			of the tunnel
 *   sa SPI gcm|cbc|null FIRST-SEQUENCE esn|- [KEY [AUTH-KEY]]	a state of both
 *   pace FRAMES MSEC		so many frames at once, then that long no answer
 *   burst			whole batches for a LAN device that a thread polls
 *   warm-up			two packets of each flow
 *   answers			the other end of each flow sends one packet, in clear
 *   random COUNT		packets at random
 *   table SLOTS|all		so many of the table of edges, evenly spread
 *   too-big MTU SPI		a router behind the WAN wire has no room for ESP
 *   fast			prints what the fast path counted
 *   quit
 *
 * What the gateways count and remember is compared after each, and after a
 * thousand packets. Answers with one line of NAME=VALUE, after lines that begin with "# ": the
 * differences in full.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "twin.h"

#define WORDS		8
#define MEMORY_FRAMES	1000	/* after so many everything is compared */
#define QUIET_MSEC	2
#define QUIET_BURST_MSEC	400	/* 16 frames in the slowest guest */
#define SETTLE_MSEC	50	/* for what was there before */
#define LATE_MSEC	300	/* for one twin that answers less than the other */

static struct sent batch[BATCH_MAX];
static unsigned int batch_count, pace = BATCH_MAX;
static int quiet_msec;

void die(const char *fmt, ...)
{
	va_list ap;

	fputs("twin: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static void discard(enum twin twin, enum wire wire, const struct capture *capture)
{
	(void)capture;
	report("a frame nobody asked for: %s wire of twin %d", wire == LAN ? "LAN" : "WAN", twin);
	totals.differences++;
}

static bool as_many(void)
{
	return answers[OFF][LAN].count == answers[ON][LAN].count &&
	       answers[OFF][WAN].count == answers[ON][WAN].count;
}

static void batch_end(void)
{
	if (!batch_count)
		return;
	wires_drain(quiet_msec, answer_take);
	if (!as_many())
		wires_drain(LATE_MSEC, answer_take);
	compare_batch(batch, batch_count);
	answers_forget();
	batch_count = 0;
}

/* Send the frame that was made in batch[batch_count]. */
static void batch_send(enum wire wire)
{
	const struct sent *frame = &batch[batch_count++];
	int off = wire_send(OFF, wire, frame->data, frame->len);
	int on = wire_send(ON, wire, frame->data, frame->len);

	totals.frames++;
	if (off != on) {
		report("DIFFERENCE, packet %u (%s): sending gives error %d and %d", frame->index,
		       frame->label, off, on);
		totals.differences++;
	}
	if (batch_count == pace)
		batch_end();
	if (totals.frames % MEMORY_FRAMES == 0) {
		batch_end();
		compare_memory(totals.frames - 1);
	}
}

static void send_random(unsigned int count)
{
	while (count--) {
		generator_next(&batch[batch_count]);
		batch_send(LAN);
	}
}

static void send_warm_up(void)
{
	unsigned int i;

	for (i = 0; i < generator_warm_ups(); i++) {
		generator_warm_up(i, &batch[batch_count]);
		batch_send(LAN);
	}
}

static void send_answers(void)
{
	unsigned int i;

	for (i = 0; i < generator_answers(); i++) {
		generator_answer(i, &batch[batch_count]);
		batch_send(WAN);
	}
}

static void send_table(unsigned int slots)
{
	unsigned int slot, repeat;

	if (!slots || slots > generator_table_size())
		slots = generator_table_size();
	for (slot = 0; slot < slots; slot++)
		for (repeat = 0; generator_table(slot, slots, repeat, &batch[batch_count]);
		     repeat++)
			batch_send(LAN);
}

static void send_too_big(char **argv)
{
	struct sent *frame = &batch[batch_count];

	frame_too_big(frame, strtoul(argv[0], NULL, 0), strtoul(argv[1], NULL, 0));
	frame->index = totals.frames;
	batch_send(WAN);
}

static void begin(char **argv)
{
	uint64_t seed = strtoull(argv[1], NULL, 0), state = seed;
	const char *p;

	/* each scenario its own packets, however it is chosen */
	for (p = argv[0]; *p; p++)
		state = random_next(&state) ^ *p;
	compare_name(argv[0], seed);
	generator_seed(state);
	sa_forget();
	pace = BATCH_MAX;
	quiet_msec = QUIET_MSEC;
	wires_drain(SETTLE_MSEC, discard);
	answers_forget();
	counters_begin();
	states_begin();
}

static void set_pace(char **argv)
{
	pace = strtoul(argv[0], NULL, 0);
	quiet_msec = strtol(argv[1], NULL, 0);
	if (!pace || pace > BATCH_MAX)
		die("pace: 1 to %d frames", BATCH_MAX);
}

/* The threads that poll do not run before this one waits for answers. */
static void set_burst(void)
{
	struct sched_param param = { .sched_priority = 1 };

	if (sched_setscheduler(0, SCHED_FIFO, &param))
		die("real-time priority: %s", strerror(errno));
	quiet_msec = QUIET_BURST_MSEC;
	counters_wan_by_ring();
}

static void command(int argc, char **argv)
{
	const char *name = *argv++;

	argc--;
	if (!strcmp(name, "begin") && argc == 2)
		begin(argv);
	else if (!strcmp(name, "mtu") && argc == 1)
		generator_mtu(strtoul(argv[0], NULL, 0));
	else if (!strcmp(name, "sa"))
		sa_add(argc, argv);
	else if (!strcmp(name, "pace") && argc == 2)
		set_pace(argv);
	else if (!strcmp(name, "burst") && !argc)
		set_burst();
	else if (!strcmp(name, "warm-up") && !argc)
		send_warm_up();
	else if (!strcmp(name, "answers") && !argc)
		send_answers();
	else if (!strcmp(name, "random") && argc == 1)
		send_random(strtoul(argv[0], NULL, 0));
	else if (!strcmp(name, "table") && argc == 1)
		send_table(strcmp(argv[0], "all") ? strtoul(argv[0], NULL, 0) : 0);
	else if (!strcmp(name, "too-big") && argc == 2)
		send_too_big(argv);
	else if (!strcmp(name, "fast") && !argc)
		counters_fast(true);
	else
		die("what is %s with %d words?", name, argc);
	batch_end();
	if (totals.frames)
		compare_memory(totals.frames - 1);
}

/* All of a gateway's work is done by softirqs of the sender's CPU: with one CPU
 * a frame has gone its way before the next is sent, and both twins keep order.
 */
static void one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("can't stay on one CPU");
}

static void enter(const char *format, enum twin twin)
{
	char path[64];
	int ns;

	snprintf(path, sizeof(path), format, twin == OFF ? "off" : "on");
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET))
		die("%s: %s", path, strerror(errno));
	close(ns);
}

/* Sockets and open files stay in the namespace that they were made in. */
static void open_all(void)
{
	int twin;

	for (twin = 0; twin < TWINS; twin++) {
		enter("/var/run/netns/wire-%s", twin);
		wires_open(twin);
		enter("/var/run/netns/%s", twin);
		counters_open(twin);
		states_open(twin);
	}
}

int main(void)
{
	char line[1024], *argv[WORDS];
	unsigned int lost;
	int argc;

	one_cpu();
	open_all();
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	while (fgets(line, sizeof(line), stdin)) {
		for (argc = 0; argc < WORDS; argc++) {
			argv[argc] = strtok(argc ? NULL : line, " \n");
			if (!argv[argc])
				break;
		}
		if (!argc)
			continue;
		if (!strcmp(argv[0], "quit"))
			break;
		command(argc, argv);
		lost = wires_lost();
		if (lost)
			die("the sockets lost %u frames", lost);
		printf("frames=%u answers=%u esp=%u fast=%lld expired=%u differences=%u\n",
		       totals.frames, totals.answers, totals.esp, counters_fast(false),
		       totals.expired, totals.differences);
		fflush(stdout);
	}
	return 0;
}
