// SPDX-License-Identifier: GPL-2.0
/* stats: what the kernel counts, per network namespace. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"

#define MAX_ROWS	128
#define MAX_RULES	16

struct stat_row {
	char			name[64];
	unsigned long long	value;
};

struct rule_row {
	char			table[32];
	char			chain[32];
	unsigned long long	handle;
	char			what[32];
	unsigned long long	packets;
};

/* The counters by the start of their names; the first group takes the rest. */
static const struct {
	const char	*prefix;
	const char	*title;
} stat_groups[] = {
	{ "XfrmXdp",	 "fast path" },
	{ "XfrmXdpPass", "passed to the stack, because" },
	{ "XfrmXdpNo",	 "not learned, because" },
};

static const struct {
	const char	*name;
	const char	*text;
} stat_texts[] = {
	{ "Output",	  "packets encrypted and sent by XDP" },
	{ "OutputAsync",  "of these, sent when the cipher was done" },
	{ "OutputError",  "dropped: the cipher failed" },
	{ "OutputLost",	  "dropped: no memory or device when the cipher was done" },
	{ "Input",	  "packets decrypted by XDP" },
	{ "InputError",	  "dropped: not authentic, or no packet inside" },
	{ "Forward",	  "decrypted packets sent in clear by XDP" },
	{ "Lookup",	  "flows renewed from XDP, as after a rekey" },
	{ "Offer",	  "packets that the stack was asked to learn from" },
	{ "Held",	  "packets not offered again so soon" },
	{ "Learned",	  "flows learned" },
	{ "FlowDead",	  "flows ended with their device, namespace or conntrack" },
	{ "FlowExpired",  "flows ended with their connection, or unused for long" },

	{ "PassKind",	  "a flow for the other direction" },
	{ "PassDead",	  "the flow's device, netns or connection has gone, or nothing used it" },
	{ "PassAuth",	  "rules, queues or devices changed: learned anew" },
	{ "PassDevice",	  "came by another device than the flow's, or GRO decrypts there" },
	{ "PassBuffer",	  "several buffers, GSO, a stripped VLAN tag, or no metadata" },
	{ "PassMac",	  "sent to another MAC than the flow's" },
	{ "PassHeader",	  "not IPv4, with options, a fragment, or too short" },
	{ "PassCsum",	  "wrong IP header checksum" },
	{ "PassSelector", "not the flow's addresses, ports or DSCP" },
	{ "PassTtl",	  "TTL expires here" },
	{ "PassDst",	  "route, policy or state changed" },
	{ "PassMtu",	  "longer than the MTU" },
	{ "PassNeigh",	  "next hop not resolved" },
	{ "PassTxDev",	  "the sending device is down or cannot send from XDP" },
	{ "PassQueue",	  "packets wait in the queue of the sending device" },
	{ "PassRoom",	  "no room for headers or trailer" },
	{ "PassMemory",	  "memory that the cipher cannot use: AF_XDP" },
	{ "PassBusy",	  "the cipher would not be done at once, or too many wait for it" },
	{ "PassState",	  "the state is not valid, or at a hard limit" },
	{ "PassThrough",  "did not come through the flow's state" },
	{ "PassReplay",	  "replayed, or older than the window" },
	{ "PassSocket",	  "a raw socket wants ESP packets" },
	{ "PassConntrack", "conntrack has to see it: TCP that opens or closes, out of its window" },

	{ "NoMetadata",	  "not offered: the device has no metadata, or no room for it" },
	{ "NoRecord",	  "the record was stale, misplaced or forged" },
	{ "NoPacket",	  "options, fragments, ICMP redirect due, a mark that keeps it slow" },
	{ "NoPlain",	  "this route has no transformation, or an optional one" },
	{ "NoState",	  "a state, mode or algorithm that XDP does not do" },
	{ "NoDevice",	  "a device that XDP cannot trust or send by" },
	{ "NoFilter",	  "netfilter may judge each packet" },
	{ "NoConntrack",  "no established connection, or one with NAT" },
	{ "NoTc",	  "tc program, filter or shaping qdisc" },
	{ "NoClear",	  "changed before the transformation, as by NAT" },
	{ "NoRoute",	  "next hops are taken by turns: resilient groups, defaults; or a realm" },
	{ "NoWire",	  "the frame sent is not what XDP would make" },
	{ "NoNeigh",	  "no link layer header for the next hop" },
	{ "NoMemory",	  "out of memory" },
	{ "NoOps",	  "the learning side refused, or has stopped" },
};

static const char *stat_text(const char *name)
{
	const char *rest = name + strlen("XfrmXdp");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(stat_texts); i++) {
		if (!strcmp(stat_texts[i].name, rest))
			return stat_texts[i].text;
	}
	return "";
}

static size_t group_of(const char *name)
{
	size_t i;

	for (i = ARRAY_SIZE(stat_groups) - 1; i; i--) {
		if (!strncmp(name, stat_groups[i].prefix,
			     strlen(stat_groups[i].prefix)))
			break;
	}
	return i;
}

static size_t read_rows(FILE *file, struct stat_row rows[MAX_ROWS])
{
	size_t count = 0;

	while (count < MAX_ROWS &&
	       fscanf(file, "%63s %llu", rows[count].name,
		      &rows[count].value) == 2)
		count++;
	return count;
}

/* The rules that keep flows slow; only root may read them. */
static size_t read_rules(struct rule_row rules[MAX_RULES])
{
	FILE *file = fopen(RULES_FILE, "re");
	size_t count = 0;

	if (!file)
		return 0;
	while (count < MAX_RULES &&
	       fscanf(file, "%31[^\t]\t%31[^\t]\t%llu\t%31[^\t]\t%llu\n",
		      rules[count].table, rules[count].chain,
		      &rules[count].handle, rules[count].what,
		      &rules[count].packets) == 5)
		count++;
	fclose(file);
	return count;
}

static void print_rules_json(const struct rule_row *rules, size_t count)
{
	size_t i;

	printf(",\"rules\":[");
	for (i = 0; i < count; i++) {
		printf("%s{\"table\":", i ? "," : "");
		print_json_string(rules[i].table);
		printf(",\"chain\":");
		print_json_string(rules[i].chain);
		printf(",\"handle\":%llu,\"what\":", rules[i].handle);
		print_json_string(rules[i].what);
		printf(",\"packets\":%llu}", rules[i].packets);
	}
	putchar(']');
}

static void print_rules(const struct rule_row *rules, size_t count)
{
	size_t i;

	if (count)
		printf("rules that may judge packet by packet (nft -a list ruleset)\n");
	for (i = 0; i < count; i++) {
		printf("  %s %s", rules[i].table, rules[i].chain);
		if (rules[i].handle)
			printf(" handle %llu", rules[i].handle);
		printf(": %s, %llu packets\n", rules[i].what,
		       rules[i].packets);
	}
}

static void print_json(const struct stat_row *rows, size_t count,
		       const struct rule_row *rules, size_t num_rules)
{
	size_t i;

	putchar('{');
	for (i = 0; i < count; i++) {
		if (i)
			putchar(',');
		print_json_string(rows[i].name);
		printf(":%llu", rows[i].value);
	}
	print_rules_json(rules, num_rules);
	puts("}");
}

static void print_group(const struct stat_row *rows, size_t count,
			size_t group, bool zeros)
{
	bool titled = false;
	size_t i;

	for (i = 0; i < count; i++) {
		if (group_of(rows[i].name) != group ||
		    !(rows[i].value || zeros))
			continue;
		if (!titled)
			printf("%s\n", stat_groups[group].title);
		titled = true;
		printf("  %-20s %12llu  %s\n", rows[i].name, rows[i].value,
		       stat_text(rows[i].name));
	}
}

int cmd_stats(const struct options *opts, int argc, char **argv)
{
	struct rule_row rules[MAX_RULES];
	struct stat_row rows[MAX_ROWS];
	size_t count, num_rules, i;
	FILE *file;

	(void)argc;
	(void)argv;
	file = fopen(STAT_FILE, "re");
	if (!file)
		return fail(STAT_FILE,
			    "%s; use a kernel with CONFIG_XFRM_XDP, and mount /proc",
			    reason(errno));
	count = read_rows(file, rows);
	fclose(file);
	if (!count)
		return fail(STAT_FILE, "has no counters; mount /proc");
	num_rules = read_rules(rules);

	if (opts->json) {
		print_json(rows, count, rules, num_rules);
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(stat_groups); i++)
		print_group(rows, count, i, opts->all);
	print_rules(rules, num_rules);
	return 0;
}
