// SPDX-License-Identifier: GPL-2.0
/* What the gateways count, from /proc/net: how much more than at the beginning. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "twin.h"

#define COUNTERS_MAX	1000
#define TEXT_MAX	(1 << 16)

struct counters {
	unsigned int count;
	struct {
		char name[48];
		long long value;
	} list[COUNTERS_MAX];
};

static void parse_pairs(struct counters *counters, char *text);
static void parse_tables(struct counters *counters, char *text);
static void parse_dev(struct counters *counters, char *text);

static const struct {
	const char *name;
	void (*parse)(struct counters *counters, char *text);
} files[] = {
	{ "snmp", parse_tables },
	{ "netstat", parse_tables },
	{ "snmp6", parse_pairs },
	{ "xfrm_stat", parse_pairs },
	{ "dev", parse_dev },
};

static int fds[TWINS][ARRAY_SIZE(files)];
static struct counters base[TWINS], now[TWINS];

/* The fast path's own are not compared: only one twin has it. */
static const char fast_name[] = "xfrm_xdp_stat";
static int fast_fd;
static struct counters fast_base, fast_now;

/* veth puts the WAN device's frames on one ring with those from XDP. From there it
 * counts them without their Ethernet header, but those from XDP with it.
 */
static bool wan_by_ring;

static int open_file(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/thread-self/net/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

void counters_open(enum twin twin)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(files); i++)
		fds[twin][i] = open_file(files[i].name);
	if (twin == ON)
		fast_fd = open_file(fast_name);
}

static void put(struct counters *counters, const char *prefix, const char *name,
		const char *value)
{
	typeof(counters->list[0]) *counter = &counters->list[counters->count];

	if (counters->count++ == COUNTERS_MAX)
		die("more than %d counters", COUNTERS_MAX);
	snprintf(counter->name, sizeof(counter->name), "%s%s", prefix, name);
	counter->value = strtoll(value, NULL, 10);
}

/* "Name value" lines */
static void parse_pairs(struct counters *counters, char *text)
{
	char *state, *name, *value;

	for (name = strtok_r(text, " \t\n", &state); name;
	     name = strtok_r(NULL, " \t\n", &state)) {
		value = strtok_r(NULL, " \t\n", &state);
		if (value)
			put(counters, "", name, value);
	}
}

/* A line of names, a line of values, each after "Prefix:" */
static void parse_tables(struct counters *counters, char *text)
{
	char *lines, *names, *values, *name, *value, *prefix, *name_state, *value_state;

	for (names = strtok_r(text, "\n", &lines); names; names = strtok_r(NULL, "\n", &lines)) {
		values = strtok_r(NULL, "\n", &lines);
		if (!values)
			return;
		prefix = strtok_r(names, ": ", &name_state);
		strtok_r(values, " ", &value_state);
		while ((name = strtok_r(NULL, " ", &name_state)) &&
		       (value = strtok_r(NULL, " ", &value_state)))
			put(counters, prefix, name, value);
	}
}

static void parse_dev(struct counters *counters, char *text)
{
	static const char * const columns[] = {
		" rx bytes", " rx packets", " rx errors", " rx dropped", " rx fifo", " rx frame",
		" rx compressed", " rx multicast", " tx bytes", " tx packets", " tx errors",
		" tx dropped", " tx fifo", " tx collisions", " tx carrier", " tx compressed",
	};
	char *lines, *line, *state, *name, *value;
	unsigned int i;

	for (line = strtok_r(text, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
		if (!strchr(line, ':'))
			continue;
		name = strtok_r(line, ": ", &state);
		for (i = 0; i < ARRAY_SIZE(columns); i++) {
			value = strtok_r(NULL, ": ", &state);
			if (value)
				put(counters, name, columns[i], value);
		}
	}
}

static void read_file(int fd, const char *name, struct counters *counters,
		      void (*parse)(struct counters *counters, char *text))
{
	static char text[TEXT_MAX];
	size_t used;
	ssize_t n;

	for (used = 0; used < sizeof(text) - 1; used += n) {
		n = pread(fd, text + used, sizeof(text) - 1 - used, used);
		if (n < 0)
			die("reading %s: %s", name, strerror(errno));
		if (!n)
			break;
	}
	text[used] = '\0';
	parse(counters, text);
}

static void read_counters(enum twin twin, struct counters *counters)
{
	unsigned int i;

	counters->count = 0;
	for (i = 0; i < ARRAY_SIZE(files); i++)
		read_file(fds[twin][i], files[i].name, counters, files[i].parse);
}

static void read_fast(struct counters *counters)
{
	counters->count = 0;
	read_file(fast_fd, fast_name, counters, parse_pairs);
}

/* Some are only there once they have counted something. @hint: probably this one. */
static const long long *find(const struct counters *counters, const char *name, unsigned int hint)
{
	unsigned int i;

	if (hint < counters->count && !strcmp(counters->list[hint].name, name))
		return &counters->list[hint].value;
	for (i = 0; i < counters->count; i++) {
		if (!strcmp(counters->list[i].name, name))
			return &counters->list[i].value;
	}
	return NULL;
}

/* Packets that took the fast path; with @print, why the others did not. */
long long counters_fast(bool print)
{
	long long output = 0, value;
	unsigned int i;

	read_fast(&fast_now);
	for (i = 0; i < fast_now.count; i++) {
		value = fast_now.list[i].value - fast_base.list[i].value;
		if (!strcmp(fast_now.list[i].name, "XfrmXdpOutput"))
			output = value;
		if (print && value)
			report("  %-24s %7lld", fast_now.list[i].name, value);
	}
	return output;
}

static long long since_base(enum twin twin, const char *name, unsigned int hint)
{
	const long long *value = find(&now[twin], name, hint), *old = find(&base[twin], name, hint);
	long long since = (value ? *value : 0) - (old ? *old : 0);

	if (wan_by_ring && twin == ON && !strcmp(name, "wan0 tx bytes"))
		since -= counters_fast(false) * ETH_LEN;
	return since;
}

void counters_wan_by_ring(void)
{
	wan_by_ring = true;
}

void counters_begin(void)
{
	int twin;

	for (twin = 0; twin < TWINS; twin++)
		read_counters(twin, &base[twin]);
	read_fast(&fast_base);
	wan_by_ring = false;
}

/* Prints what differs; returns how many counters do. */
unsigned int counters_compare(void)
{
	unsigned int i, differences = 0;
	long long off, on;
	const char *name;
	int twin;

	for (twin = 0; twin < TWINS; twin++)
		read_counters(twin, &now[twin]);
	for (twin = 0; twin < TWINS; twin++) {
		for (i = 0; i < now[twin].count; i++) {
			name = now[twin].list[i].name;
			off = since_base(OFF, name, i);
			on = since_base(ON, name, i);
			/* once, if both have it */
			if (off == on || (twin == ON && find(&now[OFF], name, i)))
				continue;
			differences++;
			report("  %s: off %lld, on %lld", name, off, on);
		}
	}
	return differences;
}
