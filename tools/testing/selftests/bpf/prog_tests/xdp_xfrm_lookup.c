// SPDX-License-Identifier: GPL-2.0
/* bpf_xdp_xfrm_lookup() for a program that has a policy of its own, its errnos but
 * those of xdp_xfrm_rekey.c, and those that bpf_xdp_xfrm_output() gives such a program.
 */

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>

#include "xdp_xfrm_topology.h"
#include "xdp_xfrm_lookup.skel.h"
#include "xdp_xfrm_ops.skel.h"
#include "xdp_xfrm_observe.skel.h"

#define OPTS_SZ		16
#define SPORT		20000
#define TRANSPORT_STATE	"xfrm state add src " ADDR_A " dst " ADDR_B " proto esp " \
			"spi 0x1003 mode transport " ESP_CIPHER
#define BLOCKED		"src 10.1.0.0/16 dst 10.2.0.99/32 dir out"

static struct xdp_xfrm_lookup *skel;
static struct xdp_xfrm_observe *observe;
static struct xdp_xfrm_ops *ops;
static int lan, wan;

/* One way to spoil a frame. */
typedef void (*spoil_t)(struct frame *frame);

static void ipv6(struct frame *frame)
{
	frame->eth.h_proto = htons(ETH_P_IPV6);
}

static void with_options(struct frame *frame)
{
	frame->iph.ihl = 6;
}

static void fragment(struct frame *frame)
{
	frame->iph.frag_off = htons(0x2000);
}

static void last_fragment(struct frame *frame)
{
	frame->iph.frag_off = htons(100);
}

static void gre(struct frame *frame)
{
	frame->iph.protocol = IPPROTO_GRE;
}

static void icmp_unreachable(struct frame *frame)
{
	frame->iph.protocol = IPPROTO_ICMP;
	frame->udp.source = htons(3 << 8);
}

static void too_short(struct frame *frame)
{
	frame->iph.tot_len = htons(sizeof(*frame) - ETH_HLEN + 1);
}

static void other_mac(struct frame *frame)
{
	frame->eth.h_dest[5] = 0xff;
}

static void other_port(struct frame *frame)
{
	frame->udp.source = htons(SPORT + 1);
}

static void other_dscp(struct frame *frame)
{
	frame->iph.tos = 0x20;
}

static void other_address(struct frame *frame)
{
	frame->iph.saddr = inet_addr("10.1.0.3");
}

static void last_hop(struct frame *frame)
{
	frame->iph.ttl = 1;
}

static void no_route(struct frame *frame)
{
	frame->iph.daddr = inet_addr("10.3.0.2");
}

static void prohibited(struct frame *frame)
{
	frame->iph.daddr = inet_addr("10.4.0.2");
}

static void blackhole(struct frame *frame)
{
	frame->iph.daddr = inet_addr("10.5.0.2");
}

static void to_gateway(struct frame *frame)
{
	frame->iph.daddr = inet_addr("10.1.0.1");
}

static void blocked(struct frame *frame)
{
	frame->iph.daddr = inet_addr("10.2.0.99");
}

static struct frame spoilt(spoil_t spoil)
{
	struct frame frame = frame_make(SPORT);

	if (spoil) {
		spoil(&frame);
		frame_checksum(&frame);
	}
	return frame;
}

static bool run(const struct bpf_program *prog, const struct frame *frame,
		bool live)
{
	return ASSERT_OK(frame_run(prog, frame, sizeof(*frame), lan, live),
			 bpf_program__name(prog));
}

/* Returns the errno that the program saw, 0 if it got a flow, 1 if neither. */
static int lookup_errno(spoil_t spoil)
{
	struct frame frame = spoilt(spoil);

	skel->bss->error = 1;
	skel->bss->found = false;
	if (!run(skel->progs.lookup, &frame, false))
		return 1;
	ASSERT_EQ(skel->bss->found, !skel->bss->error, "flow or errno");
	return skel->bss->error;
}

static int again_errno(int ifindex)
{
	struct frame frame = frame_make(SPORT);

	skel->bss->error = 1;
	skel->bss->found = false;
	if (!ASSERT_OK(frame_run(skel->progs.lookup_again, &frame, sizeof(frame),
				 ifindex, false), "lookup_again"))
		return 1;
	ASSERT_EQ(skel->bss->found, !skel->bss->error, "flow or errno");
	return skel->bss->error;
}

static int output_errno(spoil_t spoil)
{
	struct frame frame = spoilt(spoil);

	skel->bss->output_ret = 1;
	run(skel->progs.output, &frame, false);
	return skel->bss->output_ret;
}

/* A frame that B gets decrypted; @prog encrypts it. */
static bool delivered(const struct bpf_program *prog)
{
	static __u32 number;
	struct frame frame = frame_make(SPORT);
	__u32 got[5] = {};
	bool ok = false;
	int fd;

	frame.payload[0] = ++number;
	fd = receiver();
	if (!ASSERT_OK_FD(fd, "receiver"))
		return false;
	if (run(prog, &frame, true) &&
	    ASSERT_EQ(recv(fd, got, sizeof(got), 0), sizeof(got), "receive"))
		ok = ASSERT_EQ(got[0], number, "payload");
	close(fd);
	return ok;
}

/* Somebody has to listen, or XFRM does not wait for a key. */
static int key_daemon(void)
{
	struct sockaddr_nl addr = {
		.nl_family = AF_NETLINK,
		.nl_groups = XFRMGRP_ACQUIRE,
	};
	struct nstoken *tok = open_netns(NS_GATEWAY);
	int fd;

	if (!tok)
		return -1;
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_XFRM);
	close_netns(tok);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool gateway(const char *commands)
{
	return ip_ok(NS_GATEWAY, commands);
}

/* A flow keeps its neighbour in the table: give back the one that is kept. */
static bool forget(void)
{
	__u64 none = 0;
	__u32 key = 0;
	int i;

	if (!ASSERT_OK(bpf_map__update_elem(skel->maps.kept, &key, sizeof(key),
					    &none, sizeof(none), BPF_ANY),
		       "give the flow back"))
		return false;
	for (i = 0; i < 500; i++) {
		if (READ_ONCE(observe->bss->flows_freed) ==
		    READ_ONCE(observe->bss->flows_made))
			return true;
		usleep(10000);
	}
	return ASSERT_EQ(observe->bss->flows_freed, observe->bss->flows_made,
			 "flow freed");
}

static void opts(void)
{
	static const __u32 wrong[] = { 4, 12, 15, 17, 20, 32 };
	int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		skel->bss->opts_sz = wrong[i];
		ASSERT_EQ(lookup_errno(NULL), -EINVAL, "size of the options");
	}

	/* no room for an errno */
	skel->bss->opts_sz = 3;
	skel->bss->error = 0;
	skel->bss->found = true;
	run(skel->progs.lookup, &(struct frame){}, false);
	ASSERT_EQ(skel->bss->error, 1, "options without an errno");
	ASSERT_FALSE(skel->bss->found, "options without an errno");

	skel->bss->opts_sz = OPTS_SZ;
	skel->bss->reserved = 1;
	ASSERT_EQ(lookup_errno(NULL), -EINVAL, "reserved member");
	skel->bss->reserved = 0;
	ASSERT_EQ(lookup_errno(NULL), 0, "right options");
}

static void lookup_packets(void)
{
	static const struct {
		const char	*name;
		spoil_t		spoil;
		int		err;
	} tests[] = {
		{ "IPv6", ipv6, -EPROTO },
		{ "IP options", with_options, -EPROTO },
		{ "first fragment", fragment, -EPROTO },
		{ "last fragment", last_fragment, -EPROTO },
		{ "GRE", gre, -EPROTO },
		{ "ICMP error", icmp_unreachable, -EPROTO },
		{ "shorter than its header says", too_short, -EPROTO },
		{ "no route", no_route, -ENETUNREACH },
		{ "a route that prohibits", prohibited, -EACCES },
		{ "a blackhole", blackhole, -EINVAL },
		{ "for the gateway itself", to_gateway, -ENETUNREACH },
		{ "block policy", blocked, -EPERM },
		{ "good", NULL, 0 },
	};
	int i;

	if (!gateway("xfrm policy add " BLOCKED " action block priority 1\n"
		     "route add prohibit 10.4.0.0/24\n"
		     "route add blackhole 10.5.0.0/24\n"))
		return;
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		ASSERT_EQ(lookup_errno(tests[i].spoil), tests[i].err,
			  tests[i].name);
	gateway("xfrm policy delete " BLOCKED "\n");
}

/* What lookup() refuses, the stack will refuse and count: not so lookup(). */
static void lookup_uncounted(void)
{
	long before = gateway_xfrm_errors();
	int fd;

	if (!ASSERT_GE(before, 0, "xfrm_stat") ||
	    !gateway("xfrm policy add " BLOCKED " action block priority 1\n"))
		return;
	ASSERT_EQ(lookup_errno(blocked), -EPERM, "block policy");
	gateway("xfrm policy delete " BLOCKED "\n");

	fd = key_daemon();
	if (ASSERT_OK_FD(fd, "key daemon") && gateway(STATE_DEL("0x1001")))
		ASSERT_EQ(lookup_errno(NULL), -EAGAIN, "no state yet");
	close(fd);
	gateway("xfrm state flush\n" STATE_ADD("0x1001"));
	ASSERT_EQ(gateway_xfrm_errors(), before, "XFRM's counters");
}

static void lookup_system(void)
{
	int fd = -1;

	if (!gateway(POLICY_DEL))
		return;
	ASSERT_EQ(lookup_errno(NULL), -ENOENT, "no policy");

	if (!gateway(POLICY_ADD STATE_DEL("0x1001")))
		return;
	fd = key_daemon();
	if (!ASSERT_OK_FD(fd, "key daemon"))
		return;
	ASSERT_EQ(lookup_errno(NULL), -EAGAIN, "no state yet");
	close(fd);

	/* flush takes the larval state too */
	if (!gateway("xfrm state flush\n" POLICY_DEL TRANSPORT_STATE
		     "xfrm policy add " ESP_POLICY "out tmpl proto esp mode transport\n"))
		return;
	ASSERT_EQ(lookup_errno(NULL), -EOPNOTSUPP, "transport mode");
	if (!gateway("xfrm state flush\n" POLICY_DEL POLICY_ADD STATE_ADD("0x1001")))
		return;

	if (!forget() || !gateway("neigh del 192.0.2.2 dev wan0\n"))
		return;
	ASSERT_EQ(lookup_errno(NULL), -EHOSTUNREACH, "neighbour not resolved");
	if (!gateway("neigh replace 192.0.2.2 lladdr " MAC_B " dev wan0\n"))
		return;

	/* The mark selects the policy, and the interface id does. */
	if (!gateway(POLICY_DEL
		     "xfrm policy add " ESP_POLICY "out mark 7 mask 0xff" ESP_TMPL
		     "xfrm policy add " ESP_POLICY "out if_id 9" ESP_TMPL
		     STATE_ADD("0x1009 if_id 9")))
		return;
	ASSERT_EQ(lookup_errno(NULL), -ENOENT, "without mark");
	skel->bss->mark = 7;
	ASSERT_EQ(lookup_errno(NULL), 0, "with mark");
	skel->bss->mark = 0;
	skel->bss->if_id = 9;
	ASSERT_EQ(lookup_errno(NULL), 0, "with interface id");
	ASSERT_EQ(again_errno(lan), 0, "its flow, asked with the same");
	skel->bss->if_id = 0;
	gateway(STATE_DEL("0x1009")
		"xfrm policy delete " ESP_POLICY "out mark 7 mask 0xff\n"
		"xfrm policy delete " ESP_POLICY "out if_id 9\n" POLICY_ADD);
	ASSERT_EQ(lookup_errno(NULL), 0, "after all");
}

static void output_packets(void)
{
	static const struct {
		const char	*name;
		spoil_t		spoil;
		int		err;
		const char	*counter;
	} tests[] = {
		{ "IPv6", ipv6, -EPROTO, "XfrmXdpPassHeader" },
		{ "IP options", with_options, -EPROTO, "XfrmXdpPassHeader" },
		{ "fragment", fragment, -EPROTO, "XfrmXdpPassHeader" },
		{ "too short", too_short, -EPROTO, "XfrmXdpPassHeader" },
		{ "other MAC", other_mac, -EADDRNOTAVAIL, "XfrmXdpPassMac" },
		{ "other port", other_port, -ENOENT, "XfrmXdpPassSelector" },
		{ "other DSCP", other_dscp, -ENOENT, "XfrmXdpPassSelector" },
		{ "other address", other_address, -ENOENT, "XfrmXdpPassSelector" },
		{ "TTL", last_hop, -ETIME, "XfrmXdpPassTtl" },
	};
	struct frame frame = frame_make(SPORT);
	char large[6000] = {};
	long before;
	int i;

	if (!ASSERT_EQ(lookup_errno(NULL), 0, "lookup"))
		return;
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		before = gateway_stat(tests[i].counter);
		ASSERT_EQ(output_errno(tests[i].spoil), tests[i].err,
			  tests[i].name);
		ASSERT_EQ(gateway_stat(tests[i].counter) - before, 1,
			  tests[i].counter);
	}

	frame.iph.check ^= 1;
	run(skel->progs.output, &frame, false);
	ASSERT_EQ(skel->bss->output_ret, -EBADMSG, "checksum");
	frame.iph.check ^= 1;

	frame_run(skel->progs.output, &frame, sizeof(frame), wan, false);
	ASSERT_EQ(skel->bss->output_ret, -EXDEV, "other device");

	skel->bss->shrink_headroom = 200;
	run(skel->progs.output, &frame, false);
	ASSERT_EQ(skel->bss->output_ret, -ENOSPC, "no headroom");
	skel->bss->shrink_headroom = 0;

	frame.iph.tot_len = htons(1500);
	frame_checksum(&frame);
	memcpy(large, &frame, sizeof(frame));
	frame_run(skel->progs.output, large, ETH_HLEN + 1500, lan, false);
	ASSERT_EQ(skel->bss->output_ret, -EMSGSIZE, "longer than the MTU");
	frame_run(skel->progs.output, large, sizeof(large), lan, false);
	ASSERT_EQ(skel->bss->output_ret, -EOPNOTSUPP, "several buffers");

	ASSERT_TRUE(delivered(skel->progs.output), "still a good flow");
}

static void forward(void)
{
	long output = gateway_stat("XfrmXdpOutput");
	long lookups = gateway_stat("XfrmXdpLookup");
	__u64 frames = observe->bss->esp_frames;
	int i;

	for (i = 0; i < 5; i++)
		ASSERT_TRUE(delivered(skel->progs.forward), "delivered");
	ASSERT_EQ(skel->bss->output_ret, wan, "device to redirect to");
	ASSERT_EQ(gateway_stat("XfrmXdpLookup") - lookups, 5, "XfrmXdpLookup");
	ASSERT_EQ(gateway_stat("XfrmXdpOutput") - output, 5, "XfrmXdpOutput");
	ASSERT_EQ(observe->bss->esp_frames - frames, 5, "on the wire");
	ASSERT_EQ(observe->bss->clear_frames, 0, "clear text on the wire");
	ASSERT_EQ(observe->bss->bad_headers, 0, "wrong outer headers");
}

/* The state is replaced under a flow: no packet is lost or sent by the stack. */
static void rekey(void)
{
	if (!ASSERT_EQ(lookup_errno(NULL), 0, "lookup") ||
	    !ASSERT_TRUE(delivered(skel->progs.output), "first state"))
		return;
	ASSERT_EQ(observe->bss->esp_spi, htonl(0x1001), "SPI on the wire");

	if (!gateway(STATE_ADD("0x1002") STATE_DEL("0x1001")))
		return;
	ASSERT_EQ(output_errno(NULL), -ESTALE, "stale flow");
	ASSERT_EQ(again_errno(lan), 0, "fresh flow");
	ASSERT_TRUE(delivered(skel->progs.output), "second state");
	ASSERT_EQ(observe->bss->esp_spi, htonl(0x1002), "SPI on the wire");

	gateway(STATE_DEL("0x1002") STATE_ADD("0x1001"));
}

static void hard_limit(void)
{
	struct frame frame = frame_make(SPORT);
	long before = gateway_stat("XfrmXdpPassState");

	if (!gateway(STATE_DEL("0x1001") "xfrm state add " ESP_STATE "0x1002"
		     ESP_MODE "limit packet-hard 2 " ESP_CIPHER))
		return;
	if (ASSERT_EQ(lookup_errno(NULL), 0, "lookup") &&
	    ASSERT_TRUE(delivered(skel->progs.output), "first packet") &&
	    ASSERT_TRUE(delivered(skel->progs.output), "second packet")) {
		run(skel->progs.output, &frame, true);
		ASSERT_EQ(skel->bss->output_ret, -EKEYEXPIRED, "third packet");
		ASSERT_EQ(gateway_stat("XfrmXdpPassState") - before, 1,
			  "XfrmXdpPassState");
	}
	gateway("xfrm state flush\n" STATE_ADD("0x1001"));
}

static void again(void)
{
	int fd;

	if (!ASSERT_EQ(lookup_errno(NULL), 0, "lookup"))
		return;
	ASSERT_EQ(again_errno(lan), 0, "not stale");
	ASSERT_EQ(again_errno(wan), -EXDEV, "other device");

	if (!gateway("route add 10.2.0.2/32 via 192.0.2.2\n"))
		return;
	ASSERT_EQ(output_errno(NULL), -ESTALE, "route changed");
	ASSERT_EQ(again_errno(lan), -ESTALE, "route changed");
	if (!gateway("route del 10.2.0.2/32\n"))
		return;

	ASSERT_EQ(lookup_errno(NULL), 0, "lookup");
	fd = key_daemon();
	if (!ASSERT_OK_FD(fd, "key daemon"))
		return;
	if (gateway(STATE_DEL("0x1001"))) {
		ASSERT_EQ(output_errno(NULL), -ESTALE, "state deleted");
		ASSERT_EQ(again_errno(lan), -EAGAIN, "no state yet");
	}
	close(fd);
	if (!gateway("xfrm state flush\n" STATE_ADD("0x1001")))
		return;

	ASSERT_EQ(lookup_errno(NULL), 0, "lookup");
	if (!gateway("link set lo down\nlink set lo up\n"))
		return;
	ASSERT_EQ(output_errno(NULL), -EPERM, "verdict has ended");
	ASSERT_EQ(again_errno(lan), -EPERM, "verdict has ended");
}

static void nobody(void)
{
	ASSERT_EQ(lookup_errno(NULL), 0, "lookup");
	bpf_link__destroy(ops->links.first);
	ops->links.first = NULL;
	ASSERT_EQ(output_errno(NULL), -EPERM, "nobody takes flows: verdicts have ended");
	ASSERT_EQ(again_errno(lan), -EPERM, "nobody takes flows: verdicts have ended");
	ASSERT_EQ(lookup_errno(NULL), -ESRCH, "nobody takes flows");

	ops->links.first = ns_attach_ops(NS_GATEWAY, ops->maps.first);
	ASSERT_OK_PTR(ops->links.first, "operations");
}

static void device_deleted(void)
{
	struct frame frame = frame_make(SPORT);

	if (!ASSERT_EQ(lookup_errno(NULL), 0, "lookup") ||
	    !gateway("link del wan0\n"))
		return;
	run(skel->progs.output, &frame, false);
	ASSERT_EQ(skel->bss->output_ret, -ENXIO, "empty flow");
	ASSERT_EQ(again_errno(lan), -ENXIO, "empty flow");
}

static bool set_up(void)
{
	if (topology_up() || !gateway(STATE_ADD("0x1001") POLICY_ADD))
		return false;
	lan = ns_ifindex(NS_GATEWAY, "lan0");
	wan = ns_ifindex(NS_GATEWAY, "wan0");

	/* Whatever they do there: a device with XDP can be named in a test run. */
	skel->links.output = ns_attach_xdp(NS_GATEWAY, "lan0", skel->progs.output);
	if (!ASSERT_OK_PTR(skel->links.output, "attach to lan0"))
		return false;
	skel->links.forward = ns_attach_xdp(NS_GATEWAY, "wan0", skel->progs.forward);
	if (!ASSERT_OK_PTR(skel->links.forward, "attach to wan0"))
		return false;
	ops->links.first = ns_attach_ops(NS_GATEWAY, ops->maps.first);
	if (!ASSERT_OK_PTR(ops->links.first, "operations"))
		return false;
	observe->links.wire = ns_attach_xdp(NS_B, "wan0", observe->progs.wire);
	if (!ASSERT_OK_PTR(observe->links.wire, "attach to B"))
		return false;
	observe->links.flow_create = bpf_program__attach(observe->progs.flow_create);
	observe->links.flow_free = bpf_program__attach(observe->progs.flow_free);
	if (!ASSERT_OK_PTR(observe->links.flow_create, "attach to flow_create") ||
	    !ASSERT_OK_PTR(observe->links.flow_free, "attach to flow_free"))
		return false;

	skel->bss->opts_sz = OPTS_SZ;
	return true;
}

void serial_test_xdp_xfrm_lookup(void)
{
	observe = xdp_xfrm_observe__open_and_load();
	skel = xdp_xfrm_lookup__open_and_load();
	ops = xdp_xfrm_ops__open_and_load();
	if (!ASSERT_OK_PTR(observe, "load") || !ASSERT_OK_PTR(skel, "load") ||
	    !ASSERT_OK_PTR(ops, "load") || !set_up())
		goto out;

	if (test__start_subtest("forward"))
		forward();
	if (test__start_subtest("opts"))
		opts();
	if (test__start_subtest("lookup_packets"))
		lookup_packets();
	if (test__start_subtest("lookup_uncounted"))
		lookup_uncounted();
	if (test__start_subtest("lookup_system"))
		lookup_system();
	if (test__start_subtest("output_packets"))
		output_packets();
	if (test__start_subtest("rekey"))
		rekey();
	if (test__start_subtest("hard_limit"))
		hard_limit();
	if (test__start_subtest("again"))
		again();
	if (test__start_subtest("nobody"))
		nobody();
	if (test__start_subtest("device_deleted"))
		device_deleted();
	forget();
out:
	xdp_xfrm_lookup__destroy(skel);
	xdp_xfrm_ops__destroy(ops);
	xdp_xfrm_observe__destroy(observe);
	topology_down();
}
