// SPDX-License-Identifier: GPL-2.0
/* Count the instructions that packets of one UDP flow cost on one path.
 *
 * bench RX drop|pass|forward|attached SIZE PACKETS [CIPHER FIRST]
 *
 * RX is the receiving device, "attached" the XDP program on it, SIZE the length of the IPv4
 * packet. With CIPHER the packets come in ESP, the first of them with sequence number FIRST. Prints what PACKETS packets cost together, in instructions, the generator's included, and
 * how many were sent to find out.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <x86intrin.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench.h"
#include "bench.skel.h"

#define FLOW_SRC	"10.1.0.2"
#define FLOW_SRC_ESP	"10.3.0.2"	/* behind the peer */
#define FLOW_DST	"10.2.0.2"
#define FLOW_SPORT	4000
#define FLOW_DPORT	5000

#define TURN		500ULL	/* instructions */
#define CHECKS		5
#define CHECK_TURNS	100000ULL
#define WINDOW_USEC	20000
#define WINDOW_WORK	40000
#define WINDOWS_QUIET	3
#define WINDOWS_MAX	50
#define FIXED_PACKETS	256
#define RUNS		3

struct load {
	int fd;
	int ifindex;
	const uint8_t *frame;
	size_t len;
	int sent;
};

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("bench: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

uint16_t checksum(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += p[i] << 8 | p[i + 1];
	if (i < len)
		sum += p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

static void read_mac(const char *dev, uint8_t mac[ETH_ALEN])
{
	char path[64 + IF_NAMESIZE];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/net/%s/address", dev);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3],
			 &mac[4], &mac[5]) != ETH_ALEN)
		die("%s: no Ethernet address; give a device that exists", dev);
	fclose(f);
}

static void fill_frame(uint8_t *frame, const char *dev, size_t size, const char *src)
{
	uint8_t *payload = frame + ETH_HLEN + sizeof(struct iphdr) + sizeof(struct udphdr);
	size_t udp_len = size - sizeof(struct iphdr), i;
	struct ethhdr eth = { .h_source = { 2, 0, 0, 0, 0, 2 }, .h_proto = htons(ETH_P_IP) };
	struct udphdr udp = {
		.source = htons(FLOW_SPORT),
		.dest = htons(FLOW_DPORT),
		.len = htons(udp_len),
	};
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons(size),
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.saddr = inet_addr(src),
		.daddr = inet_addr(FLOW_DST),
	};
	uint32_t pseudo = IPPROTO_UDP + udp_len;

	read_mac(dev, eth.h_dest);
	ip.check = checksum(0, &ip, sizeof(ip));
	for (i = 0; i < udp_len - sizeof(udp); i++)
		payload[i] = i;
	memcpy(frame, &eth, sizeof(eth));
	memcpy(frame + ETH_HLEN, &ip, sizeof(ip));
	memcpy(frame + ETH_HLEN + sizeof(ip), &udp, sizeof(udp));
	for (i = offsetof(struct iphdr, saddr); i < sizeof(ip); i += 2)
		pseudo += frame[ETH_HLEN + i] << 8 | frame[ETH_HLEN + i + 1];
	udp.check = checksum(pseudo, frame + ETH_HLEN + sizeof(ip), udp_len);
	memcpy(frame + ETH_HLEN + sizeof(ip), &udp, sizeof(udp));
}

/* How many packets measure() sends, at most. */
static int packets_in_all(int packets)
{
	return FIXED_PACKETS + (packets ? RUNS * (2 * FIXED_PACKETS + packets) : 0);
}

/* Put as many frames into the map as will be sent, each in ESP. */
static void fill_frames(int map, const uint8_t *frame, size_t size, const char *cipher,
			uint32_t first, uint32_t count)
{
	uint8_t value[2048];
	uint32_t i;

	memcpy(value, frame, ETH_HLEN);
	for (i = 0; i < count; i++) {
		esp_packet(value + ETH_HLEN, frame + ETH_HLEN, size, first + i, cipher);
		if (bpf_map_update_elem(map, &i, value, 0))
			die("frame %u: %s", i, strerror(errno));
	}
}

/* The length of a packet in ESP. */
static size_t esp_len(const uint8_t *frame, size_t size, const char *cipher)
{
	uint8_t value[2048];

	return esp_packet(value, frame + ETH_HLEN, size, 1, cipher);
}

static int attached_prog(const char *dev)
{
	__u32 id = 0;
	int err, fd;

	err = bpf_xdp_query_id(if_nametoindex(dev), 0, &id);
	if (err || !id)
		die("%s: no XDP program attached; load one first", dev);
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		die("%s: XDP program %u: %s", dev, id, strerror(errno));
	return fd;
}

/* What it counts is what it takes. The emulator is through with a nop at once. */
__attribute__((noreturn))
static void spin(volatile uint64_t *turns)
{
	struct sched_param param = {};

	if (sched_setscheduler(0, SCHED_IDLE, &param))
		die("SCHED_IDLE: %s", strerror(errno));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	asm volatile("1: incq %0; .fill %c1, 1, 0x90; jmp 1b" : "+m"(*turns) : "i"(TURN - 2));
	__builtin_unreachable();
}

static volatile uint64_t *start_spinner(void)
{
	volatile uint64_t *turns;

	turns = mmap(NULL, sizeof(*turns), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	if (turns == MAP_FAILED)
		die("spinner: %s", strerror(errno));
	switch (fork()) {
	case -1:
		die("spinner: %s", strerror(errno));
	case 0:
		spin(turns);
	}
	return turns;
}

/* The shortest of some, since there may be an interrupt in it. */
static void check_clock(void)
{
	uint64_t shortest = UINT64_MAX, n, ticks;
	int i;

	for (i = 0; i < CHECKS; i++) {
		n = CHECK_TURNS;
		ticks = __rdtsc();
		asm volatile("1: dec %0; jnz 1b" : "+r"(n));
		ticks = __rdtsc() - ticks;
		if (ticks < shortest)
			shortest = ticks;
	}
	if (shortest < 2 * CHECK_TURNS || shortest > 2 * CHECK_TURNS + CHECK_TURNS / 100)
		die("%llu TSC ticks for %llu instructions; boot with -icount shift=0,sleep=off",
		    (unsigned long long)shortest, 2 * CHECK_TURNS);
}

static void run(struct load *load, int packets)
{
	struct xdp_md ctx = { .data_end = load->len, .ingress_ifindex = load->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts,
		.data_in = load->frame,
		.data_size_in = load->len,
		.ctx_in = &ctx,
		.ctx_size_in = sizeof(ctx),
		.repeat = packets,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES,
	);
	int err = bpf_prog_test_run_opts(load->fd, &opts);

	if (err)
		die("running %d frames: %s", packets, strerror(-err));
	load->sent += packets;
}

/* Under -icount shift=0 the TSC counts instructions, but jumps while the CPU idles. With a spinner
 * of the lowest priority it never does, and what the spinner did not take is work.
 */
static uint64_t work(uint64_t since, uint64_t turns_since, volatile uint64_t *turns)
{
	return __rdtsc() - since - TURN * (*turns - turns_since);
}

/* Wait until RCU has freed what there is and nothing is at work but the tick. */
static void settle(volatile uint64_t *turns)
{
	uint64_t start, turns_before;
	int i, quiet = 0;

	for (i = 0; i < WINDOWS_MAX && quiet < WINDOWS_QUIET; i++) {
		start = __rdtsc();
		turns_before = *turns;
		usleep(WINDOW_USEC);
		quiet = work(start, turns_before, turns) < WINDOW_WORK ? quiet + 1 : 0;
	}
	if (quiet < WINDOWS_QUIET)
		die("the guest does not come to rest; look at what runs in it");
}

static uint64_t run_and_settle(struct load *load, int packets, volatile uint64_t *turns)
{
	uint64_t start = __rdtsc(), turns_before = *turns;

	run(load, packets);
	settle(turns);
	return work(start, turns_before, turns);
}

/* The least of some runs: the kernel has things of its own to do now and then. */
static uint64_t least(struct load *load, int packets, volatile uint64_t *turns)
{
	uint64_t cost, least = UINT64_MAX;
	int i;

	for (i = 0; i < RUNS; i++) {
		cost = run_and_settle(load, packets, turns);
		if (cost < least)
			least = cost;
	}
	return least;
}

/* What a run costs beside its packets is in both. Without packets it only warms up. */
static uint64_t measure(struct load *load, int packets)
{
	volatile uint64_t *turns = start_spinner();
	uint64_t fixed;

	check_clock();
	settle(turns);
	run_and_settle(load, FIXED_PACKETS, turns);
	if (!packets)
		return 0;
	fixed = least(load, FIXED_PACKETS, turns);
	return least(load, FIXED_PACKETS + packets, turns) - fixed;
}

int main(int argc, char **argv)
{
	struct bpf_program *prog;
	struct bench_bpf *skel;
	struct load load = {};
	__u32 slot = 0;
	const char *cipher;
	uint64_t cost;
	int size, fd, count;

	if (argc != 5 && argc != 7)
		die("usage: bench RX drop|pass|forward|attached SIZE PACKETS [CIPHER FIRST]");
	size = atoi(argv[3]);
	count = packets_in_all(atoi(argv[4]));
	cipher = argc == 7 ? argv[5] : NULL;

	skel = bench_bpf__open();
	if (!skel)
		die("opening the generator: %s", strerror(errno));
	if (size < (int)(sizeof(struct iphdr) + sizeof(struct udphdr)) ||
	    size > (int)sizeof(skel->rodata->frame) - ETH_HLEN)
		die("%s: a UDP packet of this size does not fit the generator", argv[3]);
	fill_frame((uint8_t *)skel->rodata->frame, argv[1], size,
		   cipher ? FLOW_SRC_ESP : FLOW_SRC);
	skel->rodata->frame_len = ETH_HLEN +
		(cipher ? esp_len((uint8_t *)skel->rodata->frame, size, cipher) : (size_t)size);
	if (cipher)
		bpf_map__set_max_entries(skel->maps.frames, count);
	if (bench_bpf__load(skel))
		die("loading the generator: %s", strerror(errno));
	if (cipher)
		fill_frames(bpf_map__fd(skel->maps.frames), (uint8_t *)skel->rodata->frame, size,
			    cipher, atoi(argv[6]), count);

	prog = bpf_object__find_program_by_name(skel->obj, argv[2]);
	if (!strcmp(argv[2], "attached"))
		fd = attached_prog(argv[1]);
	else if (prog)
		fd = bpf_program__fd(prog);
	else
		die("%s: no such program; say drop, pass, forward or attached", argv[2]);
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.under_test), &slot, &fd, 0))
		die("%s: cannot be called from the generator: %s", argv[2], strerror(errno));

	load.fd = bpf_program__fd(cipher ? skel->progs.generate_each : skel->progs.generate);
	load.ifindex = if_nametoindex(argv[1]);
	load.frame = (const uint8_t *)skel->rodata->frame;
	load.len = skel->rodata->frame_len;
	cost = measure(&load, atoi(argv[4]));
	printf("%llu %d\n", (unsigned long long)cost, load.sent);
	bench_bpf__destroy(skel);
	return 0;
}
