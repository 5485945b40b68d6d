// SPDX-License-Identifier: GPL-2.0
/* xdp_xfrm: the command line. */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/libbpf.h>

#include "tool.h"
#include "xdp_xfrm.h"

#define EXIT_USAGE	2
#define MAX_FLOWS	0x1000000

struct option_info {
	char		letter;
	const char	*name;
	const char	*arg;
	const char	*text;
};

/**
 * struct command - one command
 * @name: of the command
 * @devices: takes device names, at least one
 * @options: letters of the options it takes
 * @run: does it
 * @text: what it does
 */
struct command {
	const char	*name;
	bool		devices;
	const char	*options;
	int		(*run)(const struct options *opts, int argc,
			       char **argv);
	const char	*text;
};

static const struct option_info option_table[] = {
	{ 'j', "json",	   NULL, "print JSON" },
	{ 'S', "skb-mode", NULL, "attach to the generic hook, not to the driver's" },
	{ 'n', "flows",	   "N",	 "size of the flow map, default 65536" },
	{ 'a', "all",	   NULL, "stats: zeros as well; stop: all network namespaces" },
	{ 'v', "verbose",  NULL, "print what libbpf and the verifier say" },
	{ 'h', "help",	   NULL, "print this, or the help of a command" },
	{ 'V', "version",  NULL, "print the version" },
};

static const struct command command_table[] = {
	{ "start", false, "nvh", cmd_start,
	  "learn the flows of this network namespace" },
	{ "stop", false, "avh", cmd_stop,
	  "stop learning, and forget the flows" },
	{ "load", true, "Snvh", cmd_load,
	  "attach the XDP program to devices, all or none" },
	{ "unload", true, "vh", cmd_unload,
	  "detach the XDP program from devices, all or none" },
	{ "stats", false, "ajh", cmd_stats,
	  "what was sent by XDP, and why the rest was not" },
	{ "flows", false, "jvh", cmd_flows,
	  "the flows, and what XDP sent of each" },
};

static void print_options(FILE *out, const char *letters)
{
	const struct option_info *info;
	char name[32];
	size_t i;

	fprintf(out, "options:\n");
	for (i = 0; i < ARRAY_SIZE(option_table); i++) {
		info = &option_table[i];
		if (letters && !strchr(letters, info->letter))
			continue;
		snprintf(name, sizeof(name), "--%s%s%s", info->name,
			 info->arg ? " " : "", info->arg ?: "");
		fprintf(out, "  -%c, %-12s  %s\n", info->letter, name,
			info->text);
	}
}

static void print_command_help(FILE *out, const struct command *command)
{
	fprintf(out, "usage: xdp_xfrm %s [OPTION]...%s\n%s\n", command->name,
		command->devices ? " DEV..." : "", command->text);
	print_options(out, command->options);
}

static void print_help(FILE *out)
{
	const struct command *command;
	size_t i;

	fprintf(out, "usage: xdp_xfrm COMMAND [OPTION]... [DEV]...\n"
		"The forwarding fast path of an IPsec gateway, in XDP.\n"
		"commands:\n");
	for (i = 0; i < ARRAY_SIZE(command_table); i++) {
		command = &command_table[i];
		fprintf(out, "  %-6s %-8s  %s\n", command->name,
			command->devices ? "DEV..." : "", command->text);
	}
	print_options(out, NULL);
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(command_table); i++) {
		if (!strcmp(command_table[i].name, name))
			return &command_table[i];
	}
	return NULL;
}

static int parse_flows(const char *arg, __u32 *flows)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(arg, &end, 10);
	if (errno || end == arg || *end || !value || value > MAX_FLOWS)
		return fail("--flows", "%s is not a size; give 1 to %u", arg,
			    MAX_FLOWS);
	*flows = value;
	return 0;
}

/* getopt_long() wants the option table in two forms of its own. */
static int next_option(int argc, char **argv)
{
	static struct option longs[ARRAY_SIZE(option_table) + 1];
	static char shorts[2 * ARRAY_SIZE(option_table) + 1];
	char *s = shorts;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(option_table); i++) {
		longs[i].name = option_table[i].name;
		longs[i].has_arg = option_table[i].arg ? required_argument :
							 no_argument;
		longs[i].val = option_table[i].letter;
		*s++ = option_table[i].letter;
		if (option_table[i].arg)
			*s++ = ':';
	}

	return getopt_long(argc, argv, shorts, longs, NULL);
}

/* Fills @given with the letters of the options found. */
static int parse_options(int argc, char **argv, struct options *opts,
			 char *given)
{
	int letter;

	opterr = 0;
	while ((letter = next_option(argc, argv)) != -1) {
		switch (letter) {
		case 'j':
			opts->json = true;
			break;
		case 'S':
			opts->skb_mode = true;
			break;
		case 'n':
			if (parse_flows(optarg, &opts->flows))
				return -1;
			break;
		case 'a':
			opts->all = true;
			break;
		case 'v':
			opts->verbose = true;
			break;
		case 'h':
		case 'V':
			break;
		default:
			/* a letter may have others behind it */
			return fail(optopt ? (char []){ '-', optopt, 0 } :
					     argv[optind - 1],
				    "no such option, or its argument is missing; see xdp_xfrm --help");
		}
		if (!strchr(given, letter))
			given[strlen(given)] = letter;
	}

	return 0;
}

static int check_usage(const struct command *command, const char *given,
		       int args)
{
	size_t at = strspn(given, command->options);

	if (given[at])
		return fail(command->name,
			    "takes no option -%c; see xdp_xfrm %s --help",
			    given[at], command->name);
	if (command->devices && !args)
		return fail(command->name,
			    "no device given; see xdp_xfrm %s --help",
			    command->name);
	if (!command->devices && args)
		return fail(command->name,
			    "takes no arguments; see xdp_xfrm %s --help",
			    command->name);
	return 0;
}

/* A write that failed before the last one leaves nothing but the mark. */
static int printed(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return EXIT_SUCCESS;

	fail("output", "cannot be written, what was printed is incomplete; see where it goes");
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	char given[ARRAY_SIZE(option_table) + 1] = "";
	const struct command *command;
	struct options opts = {};

	if (parse_options(argc, argv, &opts, given))
		return EXIT_USAGE;

	if (strchr(given, 'V')) {
		printf("xdp_xfrm %s, libbpf %s\n", VERSION,
		       libbpf_version_string());
		return printed();
	}

	if (optind == argc) {
		print_help(strchr(given, 'h') ? stdout : stderr);
		return strchr(given, 'h') ? printed() : EXIT_USAGE;
	}

	command = find_command(argv[optind]);
	if (!command) {
		fail(argv[optind], "no such command; see xdp_xfrm --help");
		return EXIT_USAGE;
	}
	if (strchr(given, 'h')) {
		print_command_help(stdout, command);
		return printed();
	}

	argc -= optind + 1;
	argv += optind + 1;
	if (check_usage(command, given, argc))
		return EXIT_USAGE;

	opts.command = command->name;
	report_init(&opts);
	if (command->run(&opts, argc, argv))
		return EXIT_FAILURE;
	return printed();
}
