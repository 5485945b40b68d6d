// SPDX-License-Identifier: GPL-2.0
/* What the kernel counts, and the memory of some of its caches. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stress_user.h"

static struct counter {
	char name[32];
	uint64_t before;
} counters[512];

static struct cache {
	const char *name;
	uint64_t objects, bytes, size;
} caches[] = {
	{ .name = "xfrm_xdp_flow" }, { .name = "xfrm_xdp_offer" },
	{ .name = "xfrm_dst" }, { .name = "nf_conntrack" },
};

static struct counter *counter(const char *name)
{
	struct counter *c;

	for (c = counters; c < counters + ARRAY_SIZE(counters) - 1 && *c->name; c++) {
		if (!strcmp(c->name, name))
			return c;
	}
	snprintf(c->name, sizeof(c->name), "%s", name);
	return c;
}

/* With @print by how much they grew. */
static void read_counters(const char *path, bool print)
{
	unsigned long long value;
	char name[32];
	FILE *f = fopen(path, "r");

	if (!f)
		die("%s: %s", path, strerror(errno));
	while (fscanf(f, "%31s %llu", name, &value) == 2) {
		struct counter *c = counter(name);

		if (print && value != c->before)
			printf(", \"%s\": %llu", name, value - (unsigned long long)c->before);
		c->before = value;
	}
	fclose(f);
}

/* Those of the netns, as one JSON member each */
void counters_read(bool print)
{
	read_counters("/proc/net/xfrm_xdp_stat", print);
	read_counters("/proc/net/xfrm_stat", print);
}

/* The most that each cache has had */
void caches_read(void)
{
	unsigned long long active, size, per_slab, pages, slabs;
	char line[256], name[32];
	FILE *f = fopen("/proc/slabinfo", "r");
	unsigned int i;

	if (!f)
		die("/proc/slabinfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%31s %llu %*u %llu %llu %llu : tunables %*u %*u %*u : slabdata %*u %llu",
			   name, &active, &size, &per_slab, &pages, &slabs) != 6)
			continue;
		for (i = 0; i < ARRAY_SIZE(caches); i++) {
			if (strcmp(name, caches[i].name))
				continue;
			caches[i].size = size;
			if (active > caches[i].objects)
				caches[i].objects = active;
			if (slabs * pages * getpagesize() > caches[i].bytes)
				caches[i].bytes = slabs * pages * getpagesize();
		}
	}
	fclose(f);
}

void caches_print(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(caches); i++)
		printf("%s\"%s\": {\"objects\": %llu, \"bytes\": %llu, \"size\": %llu}",
		       i ? ", " : ", \"caches\": {", caches[i].name,
		       (unsigned long long)caches[i].objects, (unsigned long long)caches[i].bytes,
		       (unsigned long long)caches[i].size);
	printf("}");
}
