// SPDX-License-Identifier: GPL-2.0
/* data_hard_end is true for every kind of frame that a program may get: the tail
 * grows up to there and not a byte further, skb_shared_info behind it stays as it
 * was, and the next program finds the room that is left. On its way each frame
 * carries 64 bytes of metadata, which arrive whole or not at all.
 *
 * Frames come from four sources and go five ways. There is no source of AF_XDP's
 * zero-copy buffers here: that takes a driver with pools.
 */

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "xdp_xfrm_topology.h"
#include "xdp_xfrm_frames.skel.h"

/* The same in progs/xdp_xfrm_frames.c */
#define STAGES		3
#define STAGE_MARK	0xa0
#define META_LEN	64
enum { THEN_PASS, THEN_CPUMAP, THEN_DEVMAP, THEN_TX, THEN_REDIRECT };

/* With pages of 4096 bytes: what is left of one behind XDP_PACKET_HEADROOM and
 * before skb_shared_info; the same where BPF_PROG_TEST_RUN has two xdp_buff in
 * front of a live frame; and the largest MTU for programs without fragments.
 */
#define PAGE_ROOM	3520
#define LIVE_ROOM	3392
#define PAGE_MTU	3506
#define JUMBO_MTU	9000

/* To shrink a frame to, so that its fragments are gone */
#define SHRUNK		1000

#define XDP_PACKET_TAILROOM	64
#define FRAME_MAX	(JUMBO_MTU + ETH_HLEN)
#define ENOTSUPP	524

enum source { LIVE, NATIVE, GENERIC, TAP };

/* Where a frame goes, past which programs, and where it is received; without a
 * name on the device that the first program is on.
 */
static const struct path {
	const char	*name;
	int		then;
	bool		stage[STAGES];
	const char	*ns;
	const char	*dev;
} paths[] = {
	{ "pass",     THEN_PASS,     { 1, 0, 0 } },
	{ "cpumap",   THEN_CPUMAP,   { 1, 1, 0 } },
	{ "devmap",   THEN_DEVMAP,   { 1, 1, 1 }, NS_B, "wan0" },
	{ "tx",       THEN_TX,	     { 1, 0, 1 }, NS_A, "eth0" },
	{ "redirect", THEN_REDIRECT, { 1, 0, 1 }, NS_B, "wan0" },
};

static const __u32 keeps[][STAGES] = { { 0, 0, 0 }, { 48, 16, 0 } };

struct rig {
	struct xdp_xfrm_frames	*skel;
	struct bpf_link		*links[5];
	const char		*dev;	/* the gateway's, with the first program */
	enum source		source;
	int			ifindex;
	int			fd;	/* a socket of A, or the tap */
};

static int tap_open(void)
{
	struct ifreq ifr = { .ifr_name = "tap0", .ifr_flags = IFF_TAP | IFF_NO_PI };
	struct nstoken *tok = open_netns(NS_GATEWAY);
	int fd;

	if (!tok)
		return -1;
	/* If writing may block, tun makes an skb first, and XDP is generic. */
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &ifr)) {
		close(fd);
		fd = -1;
	}
	close_netns(tok);
	return fd;
}

static bool set_mtu(int mtu)
{
	char both[64], one[32];

	snprintf(both, sizeof(both),
		 "link set lan0 mtu %d\nlink set wan0 mtu %d\n", mtu, mtu);
	snprintf(one, sizeof(one), "link set eth0 mtu %d\n", mtu);
	if (!ip_ok(NS_GATEWAY, both) || !ip_ok(NS_A, one))
		return false;
	snprintf(one, sizeof(one), "link set wan0 mtu %d\n", mtu);
	return ip_ok(NS_B, one);
}

static bool fill_maps(struct xdp_xfrm_frames *skel)
{
	struct bpf_cpumap_val cpu = { .qsize = 64 };
	struct bpf_devmap_val dev = {};
	struct nstoken *tok;
	__u32 key = 0;
	bool ok;

	/* a devmap's index counts in the caller's netns */
	tok = open_netns(NS_GATEWAY);
	if (!ASSERT_OK_PTR(tok, "netns"))
		return false;
	cpu.bpf_prog.fd = bpf_program__fd(skel->progs.second_cpu);
	dev.bpf_prog.fd = bpf_program__fd(skel->progs.second_dev);
	dev.ifindex = if_nametoindex("wan0");
	skel->bss->redirect_to = dev.ifindex;

	ok = ASSERT_OK(bpf_map__update_elem(skel->maps.cpus, &key, sizeof(key),
					    &cpu, sizeof(cpu), 0), "cpumap") &&
	     ASSERT_OK(bpf_map__update_elem(skel->maps.devs, &key, sizeof(key),
					    &dev, sizeof(dev), 0), "devmap");
	close_netns(tok);
	return ok;
}

static bool attach_all(struct rig *rig)
{
	__u32 flags = rig->source == GENERIC ? XDP_FLAGS_SKB_MODE :
					       XDP_FLAGS_DRV_MODE;
	struct xdp_xfrm_frames *skel = rig->skel;
	struct nstoken *tok;
	int i, err;

	rig->links[0] = ns_attach_tc(NS_GATEWAY, rig->dev, skel->progs.look);
	rig->links[1] = ns_attach_tc(NS_A, "eth0", skel->progs.look);
	rig->links[2] = ns_attach_tc(NS_B, "wan0", skel->progs.look);
	/* also because veth takes redirected frames only for a program */
	rig->links[3] = ns_attach_xdp(NS_A, "eth0", skel->progs.third);
	rig->links[4] = ns_attach_xdp(NS_B, "wan0", skel->progs.third);
	for (i = 0; i < ARRAY_SIZE(rig->links); i++) {
		if (!ASSERT_OK_PTR(rig->links[i], "attach"))
			return false;
	}

	tok = open_netns(NS_GATEWAY);
	if (!ASSERT_OK_PTR(tok, "netns"))
		return false;
	err = bpf_xdp_attach(rig->ifindex, bpf_program__fd(skel->progs.first),
			     flags, NULL);
	close_netns(tok);
	return ASSERT_OK(err, "attach the first program");
}

static void rig_down(struct rig *rig)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(rig->links); i++)
		bpf_link__destroy(rig->links[i]);
	if (rig->fd >= 0)
		close(rig->fd);
	xdp_xfrm_frames__destroy(rig->skel);
	topology_down();
}

static bool rig_up(struct rig *rig, enum source source, bool frags)
{
	struct bpf_program *prog;

	*rig = (struct rig){ .source = source, .dev = "lan0", .fd = -1 };
	if (topology_up())
		return false;
	rig->skel = xdp_xfrm_frames__open();
	if (!ASSERT_OK_PTR(rig->skel, "open"))
		goto fail;
	bpf_object__for_each_program(prog, rig->skel->obj) {
		if (!frags)
			bpf_program__set_flags(prog, bpf_program__flags(prog) &
						     ~BPF_F_XDP_HAS_FRAGS);
	}
	if (!ASSERT_OK(xdp_xfrm_frames__load(rig->skel), "load") ||
	    !set_mtu(frags ? JUMBO_MTU : PAGE_MTU) || !fill_maps(rig->skel))
		goto fail;

	if (source == TAP)
		rig->dev = "tap0";
	rig->fd = source == TAP ? tap_open() : packet_socket(NS_A, "eth0", 0);
	if (!ASSERT_OK_FD(rig->fd, "sender") ||
	    (source == TAP && !ip_ok(NS_GATEWAY, "link set tap0 up\n")))
		goto fail;
	rig->ifindex = ns_ifindex(NS_GATEWAY, rig->dev);
	if (attach_all(rig))
		return true;
fail:
	rig_down(rig);
	return false;
}

static bool frame_send(struct rig *rig, const __u8 *frame, int len)
{
	if (rig->source == LIVE)
		return ASSERT_OK(frame_run(rig->skel->progs.first, frame, len,
					   rig->ifindex, true), "run");
	return ASSERT_EQ(write(rig->fd, frame, len), len, "send");
}

/* The tap sees other packets as well. */
static int frame_receive(int fd, __u8 *frame)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int len;

	do {
		if (poll(&pfd, 1, 3000) != 1)
			return -ETIMEDOUT;
		len = read(fd, frame, FRAME_MAX);
	} while (len >= ETH_HLEN && frame[ETH_ALEN * 2 - 1] != TEST_BYTE);
	return len;
}

/* What the first program must find behind a frame. */
static bool check_first(enum source source, int len, int room)
{
	switch (source) {
	case LIVE:
		return ASSERT_EQ(room, LIVE_ROOM - len, "room of a live frame");
	case TAP:
		/* tun rounds up to cache lines */
		return ASSERT_EQ(room, (64 - len % 64) % 64, "room in tun");
	default:
		return len + XDP_PACKET_TAILROOM > PAGE_ROOM ||
		       ASSERT_GE(room, XDP_PACKET_TAILROOM, "room of a copy");
	}
}

/* @left by the program before. An skb that runs out of room is copied by the
 * next device, if a page has more.
 */
static bool check_next(bool skb, int len, int room, int left)
{
	if (skb && left < XDP_PACKET_TAILROOM &&
	    len + XDP_PACKET_TAILROOM <= PAGE_ROOM)
		return ASSERT_GE(room, XDP_PACKET_TAILROOM, "room of a copy");
	return ASSERT_EQ(room, left, "room left by the program before");
}

/* Put into @frame what the programs have made of it; its length, or -1. */
static int check_stages(struct rig *rig, const struct path *path, __u8 *frame,
			int len, int meta)
{
	typeof(rig->skel->bss->seen[0]) *s = rig->skel->bss->seen;
	bool ok = true, runs, frags = len > PAGE_ROOM;
	int i, left = 0;

	for (i = 0; i < STAGES; i++, s++) {
		/* what tun transmits ends at its reader */
		runs = path->stage[i] && !(rig->source == TAP && i == 2 &&
					   path->then == THEN_TX);
		if (!ASSERT_EQ(s->runs, runs, "runs of a program"))
			return -1;
		if (!runs)
			continue;
		if (rig->skel->bss->shrink[i]) {
			ok &= ASSERT_EQ(s->shrunk, 0, "shrink");
			len = SHRUNK;
			left = PAGE_ROOM - len;
			frags = false;
		}
		ok &= ASSERT_EQ(s->len, len, "length that a program sees") &&
		      ASSERT_EQ(s->room, s->frame_room, "end of the frame") &&
		      ASSERT_GE(s->room, 0, "room") &&
		      ASSERT_EQ(s->spoilt, 0, "skb_shared_info changed");
		if (frags)
			ok &= ASSERT_EQ(s->linear, PAGE_ROOM, "linear part") &&
			      ASSERT_EQ(s->grown, -EOPNOTSUPP, "grow fragments") &&
			      ASSERT_EQ(s->beyond, -EOPNOTSUPP, "grow fragments");
		else
			ok &= ASSERT_EQ(s->linear, len, "linear part") &&
			      ASSERT_EQ(s->grown, 0, "grow") &&
			      ASSERT_EQ(s->beyond, -EINVAL, "a byte more");
		if (i)
			ok &= check_next(rig->source == GENERIC && i == 2, len,
					 s->room, left) &&
			      ASSERT_EQ(s->meta, meta, "metadata at a program");
		else
			ok &= check_first(rig->source, len, s->room);

		if (!s->grown) {
			memset(frame + len, 0, s->room - s->left);
			len += s->room - s->left;
		}
		frame[len - 1] = STAGE_MARK + i;
		left = s->left;
	}
	return ok ? len : -1;
}

static bool check_arrived(struct rig *rig, int len, int meta)
{
	typeof(rig->skel->bss->arrived) *skb = &rig->skel->bss->arrived;
	bool ok = ASSERT_EQ(skb->runs, 1, "skbs");

	ok &= ASSERT_EQ(skb->len, len, "length of the skb");
	ok &= ASSERT_EQ(skb->mac_len, ETH_HLEN, "MAC header of the skb");
	ok &= ASSERT_EQ(skb->tail, 0, "tail of the skb");
	ok &= ASSERT_EQ(skb->meta, meta, "metadata of the skb");
	ok &= ASSERT_EQ(skb->meta_wrong, 0, "wrong bytes of metadata");
	return ok;
}

static bool frame_goes(struct rig *rig, const struct path *path, int len,
		       const __u32 *keep)
{
	static __u8 frame[FRAME_MAX + PAGE_ROOM], got[FRAME_MAX];
	bool back = rig->source == TAP && path->then == THEN_TX;
	bool shrink, ok = false;
	int i, fd, meta;

	memset(rig->skel->bss->seen, 0, sizeof(rig->skel->bss->seen));
	memset(&rig->skel->bss->arrived, 0, sizeof(rig->skel->bss->arrived));
	memcpy(rig->skel->bss->keep, keep, sizeof(rig->skel->bss->keep));
	rig->skel->bss->then = path->then;
	/* In a cpumap, where memory has its true type when fragments are freed. */
	shrink = rig->source == NATIVE && path->then == THEN_CPUMAP &&
		 len > PAGE_ROOM && *keep;
	rig->skel->bss->shrink[1] = shrink ? len - SHRUNK : 0;
	for (i = 0; i < len; i++)
		frame[i] = i * 7 + len;
	test_header(frame);

	fd = back ? rig->fd : packet_socket(path->ns ?: NS_GATEWAY,
					    path->dev ?: rig->dev, TEST_PROTO);
	if (!ASSERT_OK_FD(fd, "receiver"))
		return false;
	if (!frame_send(rig, frame, len))
		goto out;
	i = frame_receive(fd, got);

	/* tun has none; generic XDP keeps it with the skb, but only for XDP_PASS */
	meta = META_LEN;
	if (rig->source == TAP ||
	    (rig->source == GENERIC && path->then != THEN_PASS))
		meta = 0;
	ok = ASSERT_EQ(rig->skel->bss->meta_ret,
		       rig->source == TAP ? -ENOTSUPP : 0, "bpf_xdp_adjust_meta");
	len = check_stages(rig, path, frame, len, meta);
	ok &= len >= 0 && ASSERT_EQ(i, len, "length received") &&
	      ASSERT_OK(memcmp(frame, got, len), "content received") &&
	      (back || check_arrived(rig, len, meta));
out:
	if (!back)
		close(fd);
	return ok;
}

static void all_paths(enum source source, bool frags, const int *lens)
{
	struct rig rig;
	int i, j;

	if (!rig_up(&rig, source, frags))
		return;
	for (; *lens; lens++) {
		for (i = 0; i < ARRAY_SIZE(paths); i++) {
			for (j = 0; j < ARRAY_SIZE(keeps); j++) {
				if (!frame_goes(&rig, &paths[i], *lens, keeps[j]))
					PRINT_FAIL("%s, %d bytes, keep %d\n",
						   paths[i].name, *lens,
						   keeps[j][0]);
			}
		}
	}
	rig_down(&rig);
}

void serial_test_xdp_xfrm_frames(void)
{
	static const int live[] = { 60, 1514, LIVE_ROOM, 0 };
	static const int page[] = { 60, 1514, 3000, 0 };
	static const int jumbo[] = { 60, 1514, FRAME_MAX, 0 };
	static const int tap[] = { 60, 1514, 0 };

	if (test__start_subtest("live"))
		all_paths(LIVE, false, live);
	if (test__start_subtest("native"))
		all_paths(NATIVE, false, page);
	if (test__start_subtest("native_frags"))
		all_paths(NATIVE, true, jumbo);
	if (test__start_subtest("generic"))
		all_paths(GENERIC, false, page);
	if (test__start_subtest("generic_frags"))
		all_paths(GENERIC, true, jumbo);
	if (test__start_subtest("tap"))
		all_paths(TAP, false, tap);
}
