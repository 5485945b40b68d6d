/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _XDP_XFRM_TOPOLOGY_H
#define _XDP_XFRM_TOPOLOGY_H

/* What the tests of XFRM for XDP run on:
 *
 *   host A                 gateway                          host B
 *  +----------+        +---------------+              +------------------+
 *  |   eth0   |--------| lan0     wan0 |=== ESP ======| wan0        (lo) |
 *  +----------+        +---------------+              +------------------+
 *    10.1.0.2        10.1.0.1    192.0.2.1         192.0.2.2      10.2.0.2
 *
 * The program under test runs on lan0. B decrypts in the stack; a program on its
 * wan0 looks at what was on the wire, and makes the veth take redirected frames.
 */

#include <linux/if_packet.h>
#include <linux/udp.h>
#include <stddef.h>

#include "test_progs.h"
#include "network_helpers.h"

#define NS_A		"xdp_xfrm_a"
#define NS_GATEWAY	"xdp_xfrm_g"
#define NS_B		"xdp_xfrm_b"

#define MAC_A		"02:00:00:01:00:02"
#define MAC_LAN		"02:00:00:01:00:01"
#define MAC_WAN		"02:00:00:00:00:01"
#define MAC_B		"02:00:00:00:00:02"

#define ADDR_A		"10.1.0.2"
#define ADDR_B		"10.2.0.2"
#define UDP_PORT	4789

/* Raw frames of the tests: an EtherType that nothing else has. */
#define TEST_PROTO	0x88b5
#define TEST_BYTE	0x5a

#define ESP_STATE	"src 192.0.2.1 dst 192.0.2.2 proto esp spi "
#define ESP_MODE	" reqid 1 mode tunnel "
#define ESP_CIPHER	"aead rfc4106(gcm(aes)) " \
			"0xa1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1 128\n"
#define ESP_POLICY	"src 10.1.0.0/16 dst 10.2.0.0/16 dir "
#define ESP_TMPL	" tmpl src 192.0.2.1 dst 192.0.2.2 proto esp " \
			"reqid 1 mode tunnel\n"

#define STATE_ADD(spi)	"xfrm state add " ESP_STATE spi ESP_MODE ESP_CIPHER
#define STATE_DEL(spi)	"xfrm state delete " ESP_STATE spi "\n"
#define POLICY_ADD	"xfrm policy add " ESP_POLICY "out priority 10" ESP_TMPL
#define POLICY_DEL	"xfrm policy delete " ESP_POLICY "out\n"

#define PEER(name, ns, mac) "name " name " netns " ns " address " mac "\n"

struct frame {
	struct ethhdr	eth;
	struct iphdr	iph;
	struct udphdr	udp;
	__u32		payload[5];
} __packed;

/* One process for many commands: it is the processes that take the time. */
static inline int ip_batch(const char *ns, const char *commands)
{
	char cmd[64];
	FILE *ip;

	snprintf(cmd, sizeof(cmd), "ip -n %s -batch -", ns);
	ip = popen(cmd, "w");
	if (!ip)
		return -errno;
	fputs(commands, ip);
	return pclose(ip);
}

static inline bool ip_ok(const char *ns, const char *commands)
{
	return ASSERT_OK(ip_batch(ns, commands), commands);
}

static inline void topology_down(void)
{
	SYS_NOFAIL("ip netns del " NS_A);
	SYS_NOFAIL("ip netns del " NS_GATEWAY);
	SYS_NOFAIL("ip netns del " NS_B);
}

static inline bool sysctl_ok(const char *ns, const char *path,
			     const char *value)
{
	struct nstoken *tok = open_netns(ns);
	int err = -1;

	if (tok) {
		err = write_sysctl(path, value);
		close_netns(tok);
	}
	return ASSERT_OK(err, path);
}

/* Whose packets are the tests' alone: no neighbour discovery between them. */
static inline bool netns_add(const char *ns)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "ip netns add %s", ns);
	return ASSERT_OK(system(cmd), cmd) &&
	       sysctl_ok(ns, "/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
}

static inline int topology_up(void)
{
	topology_down();
	if (!netns_add(NS_A) || !netns_add(NS_GATEWAY) || !netns_add(NS_B))
		goto fail;

	if (!ip_ok(NS_GATEWAY,
		   "link add lan0 address " MAC_LAN " type veth peer "
		   PEER("eth0", NS_A, MAC_A)
		   "link add wan0 address " MAC_WAN " type veth peer "
		   PEER("wan0", NS_B, MAC_B)
		   "addr add 10.1.0.1/24 dev lan0\n"
		   "addr add 192.0.2.1/24 dev wan0\n"
		   "link set lan0 up\n"
		   "link set wan0 up\n"
		   "neigh add " ADDR_A " lladdr " MAC_A " dev lan0\n"
		   "neigh add 192.0.2.2 lladdr " MAC_B " dev wan0\n"
		   "route add 10.2.0.0/24 via 192.0.2.2\n"))
		goto fail;
	if (!ip_ok(NS_A,
		   "addr add " ADDR_A "/24 dev eth0\n"
		   "link set eth0 up\n"
		   "neigh add 10.1.0.1 lladdr " MAC_LAN " dev eth0\n"
		   "route add default via 10.1.0.1\n"))
		goto fail;
	if (!ip_ok(NS_B,
		   "addr add 192.0.2.2/24 dev wan0\n"
		   "addr add " ADDR_B "/32 dev lo\n"
		   "link set lo up\n"
		   "link set wan0 up\n"
		   "neigh add 192.0.2.1 lladdr " MAC_WAN " dev wan0\n"
		   "route add 10.1.0.0/24 via 192.0.2.1\n"
		   STATE_ADD("0x1001") STATE_ADD("0x1002")
		   "xfrm policy add " ESP_POLICY "in" ESP_TMPL))
		goto fail;
	if (!sysctl_ok(NS_GATEWAY, "/proc/sys/net/ipv4/ip_forward", "1"))
		goto fail;

	return 0;

fail:
	topology_down();
	return -1;
}

/* One of the gateway's counters, or with @name NULL the sum of all. */
static inline long gateway_count(const char *path, const char *name)
{
	struct nstoken *tok = open_netns(NS_GATEWAY);
	char line[128], found[64];
	long value, result = -1;
	FILE *file;

	if (!tok)
		return -1;
	file = fopen(path, "r");
	if (file && !name)
		result = 0;
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %ld", found, &value) != 2)
			continue;
		if (!name)
			result += value;
		else if (!strcmp(found, name))
			result = value;
	}
	if (file)
		fclose(file);
	close_netns(tok);
	return result;
}

static inline long gateway_stat(const char *name)
{
	return gateway_count("/proc/thread-self/net/xfrm_xdp_stat", name);
}

/* XFRM's own errors, all of them. */
static inline long gateway_xfrm_errors(void)
{
	return gateway_count("/proc/thread-self/net/xfrm_stat", NULL);
}

static inline int ns_ifindex(const char *ns, const char *name)
{
	struct nstoken *tok = open_netns(ns);
	int ifindex;

	if (!tok)
		return 0;
	ifindex = if_nametoindex(name);
	close_netns(tok);
	return ifindex;
}

static inline struct bpf_link *
ns_attach_xdp(const char *ns, const char *name, const struct bpf_program *prog)
{
	struct nstoken *tok = open_netns(ns);
	struct bpf_link *link;

	if (!tok)
		return NULL;
	link = bpf_program__attach_xdp(prog, if_nametoindex(name));
	close_netns(tok);
	return link;
}

static inline struct bpf_link *
ns_attach_ops(const char *ns, const struct bpf_map *ops)
{
	struct nstoken *tok = open_netns(ns);
	struct bpf_link *link;
	int err;

	if (!tok)
		return NULL;
	link = bpf_map__attach_struct_ops(ops);
	err = errno;
	close_netns(tok);
	errno = err;
	return link;
}

static inline struct bpf_link *
ns_attach_tc(const char *ns, const char *name, const struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_tcx_opts, opts);
	struct nstoken *tok = open_netns(ns);
	struct bpf_link *link;

	if (!tok)
		return NULL;
	link = bpf_program__attach_tcx(prog, if_nametoindex(name), &opts);
	close_netns(tok);
	return link;
}

/* A raw socket on a device, which receives @proto; 0: which only sends. Or -1. */
static inline int packet_socket(const char *ns, const char *name, __u16 proto)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(proto),
	};
	struct nstoken *tok = open_netns(ns);
	int fd;

	if (!tok)
		return -1;
	addr.sll_ifindex = if_nametoindex(name);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	close_netns(tok);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The header of a raw frame. The programs know it by the last address byte. */
static inline void test_header(__u8 *frame)
{
	memset(frame, 0xff, ETH_ALEN);
	frame[11] = TEST_BYTE;
	frame[12] = TEST_PROTO >> 8;
	frame[13] = TEST_PROTO & 0xff;
}

/* A socket of B for the clear text, or -1. */
static inline int receiver(void)
{
	struct nstoken *tok = open_netns(NS_B);
	int fd;

	if (!tok)
		return -1;
	fd = start_server(AF_INET, SOCK_DGRAM, ADDR_B, UDP_PORT, 3000);
	close_netns(tok);
	return fd;
}

static inline void frame_checksum(struct frame *frame)
{
	__u16 words[sizeof(frame->iph) / 2];
	__u32 sum = 0;
	int i;

	frame->iph.check = 0;
	memcpy(words, &frame->iph, sizeof(words));
	for (i = 0; i < ARRAY_SIZE(words); i++)
		sum += words[i];
	frame->iph.check = csum_fold(sum);
}

/* A packet from A to B as it arrives at lan0. */
static inline struct frame frame_make(__u16 sport)
{
	static const __u8 mac_lan[] = { 2, 0, 0, 1, 0, 1 };
	static const __u8 mac_a[] = { 2, 0, 0, 1, 0, 2 };
	struct frame frame = {
		.eth.h_proto = htons(ETH_P_IP),
		.iph.version = 4,
		.iph.ihl = 5,
		.iph.ttl = 64,
		.iph.protocol = IPPROTO_UDP,
		.iph.tot_len = htons(sizeof(frame) - offsetof(struct frame, iph)),
		.iph.saddr = inet_addr(ADDR_A),
		.iph.daddr = inet_addr(ADDR_B),
		.udp.source = htons(sport),
		.udp.dest = htons(UDP_PORT),
		.udp.len = htons(sizeof(frame) - offsetof(struct frame, udp)),
	};

	memcpy(frame.eth.h_dest, mac_lan, ETH_ALEN);
	memcpy(frame.eth.h_source, mac_a, ETH_ALEN);
	frame_checksum(&frame);
	return frame;
}

/* Run a program on a frame as if lan0, or @ifindex, had received it; live: what
 * the program says is done.
 */
static inline int frame_run(const struct bpf_program *prog, const void *frame,
			    __u32 len, int ifindex, bool live)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts,
		    .data_in = frame,
		    .data_size_in = len,
		    .repeat = 1,
		    .flags = live ? BPF_F_TEST_XDP_LIVE_FRAMES : 0);
	struct xdp_md md = { .data_end = len, .ingress_ifindex = ifindex };
	struct nstoken *tok = open_netns(NS_GATEWAY);
	int err;

	if (!tok)
		return -1;
	opts.ctx_in = &md;
	opts.ctx_size_in = sizeof(md);
	err = bpf_prog_test_run_opts(bpf_program__fd(prog), &opts);
	close_netns(tok);
	return err;
}

#endif /* _XDP_XFRM_TOPOLOGY_H */
