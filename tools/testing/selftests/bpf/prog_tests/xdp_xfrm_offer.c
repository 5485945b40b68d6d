// SPDX-License-Identifier: GPL-2.0
/* The errnos of bpf_xdp_xfrm_offer(), but those of ESP packets: xdp_xfrm_rekey.c. */

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include "xdp_xfrm_topology.h"
#include "xdp_xfrm_offer.skel.h"
#include "xdp_xfrm_ops.skel.h"

#define KEY_SZ	8

static struct xdp_xfrm_offer *skel;
static struct xdp_xfrm_ops *ops;
static int lan;

/* Each flow is another one: what was offered a moment ago is held. */
static struct frame fresh_frame(void)
{
	static __u16 sport = 20000;

	return frame_make(sport++);
}

static int offer_frame(const struct frame *frame)
{
	skel->bss->offer_ret = 1;
	ASSERT_OK(frame_run(skel->progs.offer, frame, sizeof(*frame), lan, false),
		  "run");
	return skel->bss->offer_ret;
}

static int offer_key(__u32 key_sz)
{
	struct frame frame = fresh_frame();
	int ret;

	skel->bss->key_sz = key_sz;
	ret = offer_frame(&frame);
	skel->bss->key_sz = KEY_SZ;
	return ret;
}

static void nobody(void)
{
	struct frame frame = fresh_frame();
	struct bpf_link *link;

	bpf_link__destroy(ops->links.first);
	ops->links.first = NULL;
	ASSERT_EQ(offer_frame(&frame), -ESRCH, "nobody takes flows");
	link = ns_attach_ops(NS_B, ops->maps.first);
	ASSERT_OK_PTR(link, "operations elsewhere");
	ASSERT_EQ(offer_frame(&frame), -ESRCH, "nobody takes flows here");
	bpf_link__destroy(link);

	ops->links.first = ns_attach_ops(NS_GATEWAY, ops->maps.first);
	ASSERT_OK_PTR(ops->links.first, "operations");
}

static void key(void)
{
	ASSERT_EQ(offer_key(0), -EINVAL, "no key");
	ASSERT_EQ(offer_key(33), -EINVAL, "key too long");
	ASSERT_EQ(offer_key(1), 0, "shortest key");
	ASSERT_EQ(offer_key(32), 0, "longest key");
}

static void held(void)
{
	struct frame frame = fresh_frame();

	ASSERT_EQ(offer_frame(&frame), 0, "first packet");
	ASSERT_EQ(offer_frame(&frame), -EAGAIN, "offered a moment ago");
}

static void room(void)
{
	struct frame frame = fresh_frame();

	skel->bss->shrink_headroom = 200;
	ASSERT_EQ(offer_frame(&frame), -ENOSPC, "no headroom");
	skel->bss->shrink_headroom = 0;
	ASSERT_EQ(offer_frame(&frame), 0, "with headroom");
}

static void packets(void)
{
	struct frame frame;

	frame = fresh_frame();
	frame.eth.h_proto = htons(ETH_P_IPV6);
	ASSERT_EQ(offer_frame(&frame), -EPROTO, "IPv6");

	frame = fresh_frame();
	frame.iph.frag_off = htons(0x2000);
	frame_checksum(&frame);
	ASSERT_EQ(offer_frame(&frame), -EPROTO, "fragment");

	frame = fresh_frame();
	frame.iph.tot_len = htons(sizeof(frame) - ETH_HLEN + 1);
	frame_checksum(&frame);
	ASSERT_EQ(offer_frame(&frame), -EPROTO, "shorter than its header says");
}

static int offer_tcp(__u8 flags)
{
	struct frame frame = fresh_frame();
	struct tcphdr tcp = { .source = frame.udp.source };

	tcp.doff = sizeof(tcp) / 4;
	tcp.th_flags = flags;
	memcpy(&frame.udp, &tcp, sizeof(tcp));
	frame.iph.protocol = IPPROTO_TCP;
	frame_checksum(&frame);
	return offer_frame(&frame);
}

/* A connection begins and ends in the stack, if somebody looks at it there. */
static void control(void)
{
	static const struct {
		const char	*name;
		__u8		flags;
	} tests[] = {
		{ "SYN", TH_SYN },
		{ "FIN", TH_FIN | TH_ACK },
		{ "RST", TH_RST },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(tests); i++)
		ASSERT_EQ(offer_tcp(tests[i].flags), 0, tests[i].name);

	SYS(out, "ip netns exec " NS_GATEWAY " nft 'table ip filter { "
	    "chain forward { type filter hook forward priority 0; }; }'");
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		ASSERT_EQ(offer_tcp(tests[i].flags), -EPROTO, tests[i].name);
	ASSERT_EQ(offer_tcp(TH_ACK), 0, "ACK");
	SYS(out, "ip netns exec " NS_GATEWAY " nft delete table ip filter");
	ASSERT_EQ(offer_tcp(TH_SYN), 0, "nobody looks any more");
out:
	return;
}

/* A tap of the gateway, or -1. */
static int tap(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	struct nstoken *tok = open_netns(NS_GATEWAY);
	int fd;

	if (!tok)
		return -1;
	/* else the frame becomes an skb first, which generic XDP copies */
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &ifr)) {
		close(fd);
		fd = -1;
	}
	close_netns(tok);
	return fd;
}

/* Frames that are written to a tap come without metadata. */
static void metadata(void)
{
	struct frame frame = fresh_frame();
	struct bpf_link *link = NULL;
	int fd = tap("tap0");

	if (!ASSERT_OK_FD(fd, "tap"))
		return;
	link = ns_attach_xdp(NS_GATEWAY, "tap0", skel->progs.offer);
	if (!ASSERT_OK_PTR(link, "attach to tap0") ||
	    !ip_ok(NS_GATEWAY, "link set tap0 up\n"))
		goto out;

	skel->bss->offer_ret = 1;
	ASSERT_EQ(write(fd, &frame, sizeof(frame)), sizeof(frame), "write");
	ASSERT_EQ(skel->bss->offer_ret, -EOPNOTSUPP, "no metadata");
	ASSERT_EQ(offer_frame(&frame), 0, "the same from another device");
out:
	bpf_link__destroy(link);
	close(fd);
}

static bool set_up(void)
{
	if (topology_up())
		return false;
	lan = ns_ifindex(NS_GATEWAY, "lan0");

	/* a device with XDP can be named in a test run */
	skel->links.offer = ns_attach_xdp(NS_GATEWAY, "lan0", skel->progs.offer);
	if (!ASSERT_OK_PTR(skel->links.offer, "attach to lan0"))
		return false;
	ops->links.first = ns_attach_ops(NS_GATEWAY, ops->maps.first);
	if (!ASSERT_OK_PTR(ops->links.first, "operations"))
		return false;

	skel->bss->key_sz = KEY_SZ;
	return true;
}

void serial_test_xdp_xfrm_offer(void)
{
	skel = xdp_xfrm_offer__open_and_load();
	ops = xdp_xfrm_ops__open_and_load();
	if (!ASSERT_OK_PTR(skel, "load") || !ASSERT_OK_PTR(ops, "load") || !set_up())
		goto out;

	if (test__start_subtest("nobody"))
		nobody();
	if (test__start_subtest("key"))
		key();
	if (test__start_subtest("held"))
		held();
	if (test__start_subtest("room"))
		room();
	if (test__start_subtest("packets"))
		packets();
	if (test__start_subtest("control"))
		control();
	if (test__start_subtest("metadata"))
		metadata();
out:
	xdp_xfrm_offer__destroy(skel);
	xdp_xfrm_ops__destroy(ops);
	topology_down();
}
