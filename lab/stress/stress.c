// SPDX-License-Identifier: GPL-2.0
/* Send through the gateway's XDP program, and tell what became of it.
 *
 * stress send [OPTION]... DEV   in the gateway's netns, through the program of DEV
 * stress receive drop|pass DEV  count what comes to DEV from now on
 *
 * Frames are made where a driver would hand them to the program of DEV
 * (BPF_F_TEST_XDP_LIVE_FRAMES): that costs a tenth of a packet socket and a veth pair.
 * send prints one JSON object: what was sent, what the receiver saw, by how much the
 * counters of the netns grew, and with -m the most memory that some caches had.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "stress.h"
#include "stress.skel.h"
#include "stress_user.h"

/* Each call waits for RCU */
#define CHUNK		65536
#define QUIET_USEC	50000
#define QUIET_TURNS	4

static struct options {
	uint64_t packets;
	unsigned int seconds, burst, pause_usec, batch;
	bool memory;
} options;

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("stress: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static struct seen read_seen(int map)
{
	struct seen seen;
	__u32 zero = 0;

	if (bpf_map_lookup_elem(map, &zero, &seen))
		die("what the receiver saw: %s", strerror(errno));
	return seen;
}

/* What is on its way shall arrive. */
static struct seen settle(int map)
{
	struct seen seen;
	uint64_t before = 0;
	int quiet = 0;

	while (quiet < QUIET_TURNS) {
		usleep(QUIET_USEC);
		seen = read_seen(map);
		quiet = seen.esp == before ? quiet + 1 : 0;
		before = seen.esp;
	}
	return seen;
}

/* /sys would show another netns. */
static void read_mac(const char *dev, uint8_t mac[ETH_ALEN])
{
	struct ifreq request = {};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", dev);
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		die("%s: %s", dev, strerror(errno));
	memcpy(mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
	close(fd);
}

static void run(int prog, const char *dev, uint32_t packets)
{
	static uint8_t frame[ETH_LEN + SHORT_LEN];
	struct xdp_md ctx = {
		.data_end = sizeof(frame),
		.ingress_ifindex = if_nametoindex(dev),
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts,
		.data_in = frame,
		.data_size_in = sizeof(frame),
		.ctx_in = &ctx,
		.ctx_size_in = sizeof(ctx),
		.repeat = packets,
		.batch_size = options.batch,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES,
	);
	int err = bpf_prog_test_run_opts(prog, &opts);

	if (err)
		die("sending %u frames: %s", packets, strerror(-err));
}

static void send_all(int prog, const char *dev, const struct plan *plan)
{
	double end = now() + options.seconds;
	uint64_t left, chunk = options.burst ? options.burst : CHUNK;

	while (options.seconds ? now() < end : plan->sent < options.packets) {
		left = options.seconds ? chunk : options.packets - plan->sent;
		run(prog, dev, left < chunk ? left : chunk);
		if (options.memory)
			caches_read();
		if (options.pause_usec)
			usleep(options.pause_usec);
	}
}

static void attach_sender(struct stress_bpf *skel, const char *dev)
{
	__u32 zero = 0, id = 0;
	int fd;

	if (skel->bss->plan.straight)
		return;
	if (bpf_xdp_query_id(if_nametoindex(dev), 0, &id) || !id)
		die("%s: no XDP program attached; load one first", dev);
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0 || bpf_map_update_elem(bpf_map__fd(skel->maps.attached), &zero, &fd, 0))
		die("%s: XDP program %u: %s", dev, id, strerror(errno));
}

static struct stress_bpf *open_skeleton(void)
{
	struct stress_bpf *skel = stress_bpf__open();

	if (!skel)
		die("opening the programs: %s", strerror(errno));
	return skel;
}

static int do_send(const char *dev, const struct plan *plan)
{
	struct stress_bpf *skel = open_skeleton();
	struct seen before, after;
	double start, seconds;
	uint64_t flooded;
	int map;

	bpf_program__set_autoload(skel->progs.receiver, false);
	bpf_map__set_max_entries(skel->maps.numbers, 1);
	if (stress_bpf__load(skel))
		die("loading the sender: %s", strerror(errno));
	skel->bss->plan = *plan;
	read_mac(dev, skel->bss->plan.gateway);
	attach_sender(skel, dev);
	map = bpf_obj_get(SEEN_PIN);
	if (map < 0)
		die("no receiver; run stress receive");

	before = settle(map);
	before.displaced = 0;
	bpf_map_update_elem(map, &(__u32){ 0 }, &before, 0);
	counters_read(false);
	start = now();
	send_all(bpf_program__fd(skel->progs.sender), dev, &skel->bss->plan);
	seconds = now() - start;
	after = settle(map);

	flooded = skel->bss->plan.flooded - plan->flooded;
	printf("{\"seconds\": %.3f, \"flows\": %u, \"sent\": %llu, \"established\": %llu, \"flooded\": %llu",
	       seconds, plan->flows, (unsigned long long)skel->bss->plan.sent,
	       (unsigned long long)(skel->bss->plan.sent - flooded), (unsigned long long)flooded);
#define DELTA(name) printf(", \"" #name "\": %llu", (unsigned long long)(after.name - before.name))
	DELTA(esp);
	DELTA(esp_long);
	DELTA(clear);
	DELTA(repeated);
	DELTA(late);
	DELTA(refused);
	DELTA(displaced);
	counters_read(true);
	if (options.memory)
		caches_print();
	printf("}\n");
	stress_bpf__destroy(skel);
	return 0;
}

static int do_receive(const char *verdict, const char *dev)
{
	struct stress_bpf *skel = open_skeleton();
	int err;

	bpf_program__set_autoload(skel->progs.sender, false);
	skel->rodata->verdict = strcmp(verdict, "pass") ? XDP_DROP : XDP_PASS;
	if (stress_bpf__load(skel))
		die("loading the receiver: %s", strerror(errno));
	unlink(SEEN_PIN);
	if (bpf_map__pin(skel->maps.seen, SEEN_PIN))
		die("%s: %s", SEEN_PIN, strerror(errno));
	err = bpf_xdp_attach(if_nametoindex(dev), bpf_program__fd(skel->progs.receiver), 0, NULL);
	if (err)
		die("attaching to %s: %s", dev, strerror(-err));
	stress_bpf__destroy(skel);
	return 0;
}

__attribute__((noreturn))
static void usage(FILE *f, int status)
{
	fputs("usage: stress send [OPTION]... DEV\n"
	      "       stress receive drop|pass DEV\n"
	      "  -f FLOWS    established, in turn\n"
	      "  -n PACKETS  in all, or -t SECONDS\n"
	      "  -F KIND     a flood beside them: inside, anywhere, scan\n"
	      "  -r RATIO    its packets for each of theirs, default 1\n"
	      "  -s NUMBER   its first packet is this one, default 0\n"
	      "  -o EACH     each so manieth packet with IP options, which XDP passes\n"
	      "  -b BURST    packets at once, and -p MICROSECONDS between bursts\n"
	      "  -B BATCH    frames that the device finds at once, default 64\n"
	      "  -a          answers to the flows, which only conntrack sees\n"
	      "  -x          past the XDP program\n"
	      "  -m          look at caches of the kernel\n", f);
	exit(status);
}

static __u32 flood_kind(const char *name)
{
	static const char * const names[] = {
		[FLOOD_INSIDE] = "inside", [FLOOD_ANYWHERE] = "anywhere", [FLOOD_SCAN] = "scan",
	};
	__u32 i;

	for (i = FLOOD_INSIDE; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(name, names[i]))
			return i;
	}
	usage(stderr, 2);
}

int main(int argc, char **argv)
{
	struct plan plan = { .flows = 1, .ratio = 1 };
	int option;

	if (argc == 4 && !strcmp(argv[1], "receive"))
		return do_receive(argv[2], argv[3]);
	if (argc == 2 && !strcmp(argv[1], "-h"))
		usage(stdout, 0);
	if (argc < 3 || strcmp(argv[1], "send"))
		usage(stderr, 2);
	optind = 2;
	while ((option = getopt(argc, argv, "f:n:t:F:r:s:o:b:p:B:axm")) != -1) {
		switch (option) {
		case 'f': plan.flows = atoi(optarg); break;
		case 'n': options.packets = atoll(optarg); break;
		case 't': options.seconds = atoi(optarg); break;
		case 'F': plan.flood = flood_kind(optarg); break;
		case 'r': plan.ratio = atoi(optarg); break;
		case 's': plan.flooded = atoll(optarg); break;
		case 'o': plan.options = atoi(optarg); break;
		case 'b': options.burst = atoi(optarg); break;
		case 'p': options.pause_usec = atoi(optarg); break;
		case 'B': options.batch = atoi(optarg); break;
		case 'a': plan.answers = 1; break;
		case 'x': plan.straight = 1; break;
		case 'm': options.memory = true; break;
		default: usage(stderr, 2);
		}
	}
	if (optind != argc - 1 || !plan.flows || (!options.packets && !options.seconds))
		usage(stderr, 2);
	return do_send(argv[optind], &plan);
}
