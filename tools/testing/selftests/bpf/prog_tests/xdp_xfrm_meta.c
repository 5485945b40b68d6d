// SPDX-License-Identifier: GPL-2.0
/* Metadata that XDP writes in front of a packet, behind XDP: GRO merges packets
 * only if all bytes of it are equal, and XFRM leaves none in front of what it
 * makes. That it gets from XDP to tc at all is tested by xdp_xfrm_frames.
 */

#include <linux/if_link.h>

#include "xdp_xfrm_topology.h"
#include "xdp_xfrm_meta.skel.h"
#include "xdp_xfrm_ops.skel.h"

/* The same in progs/xdp_xfrm_meta.c */
#define META_MAX	64

#define ADDR_LAN	"10.1.0.1"
#define ADDR_WAN_B	"192.0.2.2"
#define SEGMENT		100

/* Two datagrams of one sendmsg(): as lan0 has a program, eth0 can't leave them
 * in one skb, but both arrive in one NAPI poll.
 */
static bool send_two(int fd)
{
	__u8 data[2 * SEGMENT] = {};

	/* which record to write */
	data[SEGMENT] = 1;
	return ASSERT_EQ(send(fd, data, sizeof(data), 0), sizeof(data), "send");
}

static int segment_socket(const char *addr)
{
	struct sockaddr_storage to;
	int fd, size = SEGMENT;
	struct nstoken *tok;
	socklen_t len;

	if (make_sockaddr(AF_INET, addr, UDP_PORT, &to, &len))
		return -1;
	tok = open_netns(NS_A);
	if (!tok)
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	close_netns(tok);
	if (fd >= 0 &&
	    (connect(fd, (struct sockaddr *)&to, len) ||
	     setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)))) {
		close(fd);
		return -1;
	}
	return fd;
}

static int gro_socket(const char *ns, const char *addr)
{
	struct nstoken *tok = open_netns(ns);
	int fd, on = 1;

	if (!tok)
		return -1;
	fd = start_server(AF_INET, SOCK_DGRAM, addr, UDP_PORT, 3000);
	close_netns(tok);
	if (fd >= 0 && setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Do two datagrams with the two records get merged? Asked of tc and the socket. */
static bool merged(struct xdp_xfrm_meta *skel, int from, int to, bool expected)
{
	typeof(skel->bss->seen) *seen = &skel->bss->seen;
	__u32 len_0 = skel->bss->record[0].len;
	__u32 len_1 = skel->bss->record[1].len;
	int skbs = expected ? 1 : 2, i, got;
	__u64 written = skel->bss->written;
	__u8 data[4 * SEGMENT];

	memset(seen, 0, sizeof(*seen));
	if (!send_two(from))
		return false;
	for (i = 0; i < skbs; i++) {
		got = recv(to, data, sizeof(data), 0);
		if (!ASSERT_EQ(got, 2 * SEGMENT / skbs, "length received"))
			return false;
	}
	return ASSERT_EQ(skel->bss->written - written, 2, "packets at XDP") &&
	       ASSERT_EQ(seen->skbs, skbs, "skbs at tc") &&
	       ASSERT_EQ(seen->segs, 2, "segments at tc") &&
	       ASSERT_EQ(seen->meta, expected ? len_0 : len_0 + len_1,
			 "bytes of metadata at tc") &&
	       ASSERT_EQ(seen->wrong, 0, "wrong bytes of metadata at tc");
}

static void records(struct xdp_xfrm_meta *skel, int len_0, int len_1, __u8 first)
{
	int i;

	for (i = 0; i < META_MAX; i++) {
		skel->bss->record[0].bytes[i] = first + i;
		skel->bss->record[1].bytes[i] = first + i;
	}
	skel->bss->record[0].len = len_0;
	skel->bss->record[1].len = len_1;
}

/* The first byte or the last one; those between are KUnit's (net_test.c). */
static void gro_bytes(struct xdp_xfrm_meta *skel, int from, int to)
{
	int len, i;

	for (len = 4; len <= META_MAX; len += 4) {
		records(skel, len, len, len);
		if (!merged(skel, from, to, true))
			PRINT_FAIL("%d equal bytes\n", len);
		for (i = 0; i < len; i += len - 1) {
			/* one bit, and not the same for all bytes */
			skel->bss->record[1].bytes[i] ^= 1 << i % 8;
			if (!merged(skel, from, to, false))
				PRINT_FAIL("%d bytes but for byte %d\n", len, i);
			skel->bss->record[1].bytes[i] ^= 1 << i % 8;
		}
	}
}

/* The same length, the next ones, and none on either side. */
static void gro_lengths(struct xdp_xfrm_meta *skel, int from, int to)
{
	int len_0, len_1;

	for (len_0 = 0; len_0 <= META_MAX; len_0 += 4) {
		for (len_1 = 0; len_1 <= META_MAX; len_1 += 4) {
			if (len_0 && len_1 && abs(len_0 - len_1) > 4)
				continue;
			records(skel, len_0, len_1, 0);
			/* then all bytes are equal, whatever the length */
			memset(skel->bss->record[0].bytes, 0, META_MAX);
			memset(skel->bss->record[1].bytes, 0, META_MAX);
			if (!merged(skel, from, to, len_0 == len_1))
				PRINT_FAIL("%d and %d bytes\n", len_0, len_1);
		}
	}
}

static bool attach_lan(struct xdp_xfrm_meta *skel, __u32 flags)
{
	int ifindex = ns_ifindex(NS_GATEWAY, "lan0");
	struct nstoken *tok = open_netns(NS_GATEWAY);
	int err;

	if (!ASSERT_OK_PTR(tok, "netns"))
		return false;
	err = bpf_xdp_attach(ifindex, bpf_program__fd(skel->progs.write), flags,
			     NULL);
	close_netns(tok);
	return ASSERT_OK(err, "attach XDP");
}

/* On lan0, where packets come as skbs; or redirected from there to B, as frames. */
static void gro_test(bool redirect, void (*test)(struct xdp_xfrm_meta *, int, int))
{
	static const __u8 mac_b[] = { 2, 0, 0, 0, 0, 2 };
	const char *addr = redirect ? ADDR_WAN_B : ADDR_LAN;
	const char *dev = redirect ? "wan0" : "lan0";
	const char *ns = redirect ? NS_B : NS_GATEWAY;
	struct xdp_xfrm_meta *skel;
	int from = -1, to = -1;

	skel = xdp_xfrm_meta__open_and_load();
	if (!ASSERT_OK_PTR(skel, "load"))
		return;
	if (topology_up())
		goto out;
	/* veth has it off */
	SYS(down, "ip netns exec %s ethtool -K %s gro on", ns, dev);
	if (!attach_lan(skel, XDP_FLAGS_DRV_MODE))
		goto down;
	if (redirect) {
		skel->bss->redirect_to = ns_ifindex(NS_GATEWAY, "wan0");
		memcpy(skel->bss->redirect_mac, mac_b, sizeof(mac_b));
		skel->links.pass = ns_attach_xdp(ns, dev, skel->progs.pass);
		if (!ASSERT_OK_PTR(skel->links.pass, "attach XDP to B"))
			goto down;
	}
	skel->links.look_in = ns_attach_tc(ns, dev, skel->progs.look_in);
	if (!ASSERT_OK_PTR(skel->links.look_in, "attach tc"))
		goto down;

	from = segment_socket(addr);
	to = gro_socket(ns, addr);
	if (ASSERT_OK_FD(from, "sender") && ASSERT_OK_FD(to, "receiver"))
		test(skel, from, to);
	ASSERT_EQ(skel->bss->failed, 0, "metadata not written");
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
down:
	topology_down();
out:
	xdp_xfrm_meta__destroy(skel);
}

static bool wait_equal(const __u32 *counter, __u32 value)
{
	int i;

	for (i = 0; i < 300 && READ_ONCE(*counter) != value; i++)
		usleep(10000);
	return READ_ONCE(*counter) == value;
}

/* At the egress of wan0, and behind it at the ingress of B. */
static void forward_two(struct xdp_xfrm_meta *skel)
{
	struct xdp_xfrm_meta__bss *bss = skel->bss;
	struct frame frame = frame_make(10000);
	int from, to;

	from = packet_socket(NS_A, "eth0", 0);
	to = receiver();
	if (!ASSERT_OK_FD(from, "sender") || !ASSERT_OK_FD(to, "receiver"))
		goto out;

	/* In clear it is still there: what is tested below is XFRM. B drops it. */
	if (!ASSERT_EQ(send(from, &frame, sizeof(frame), 0), sizeof(frame), "send") ||
	    !ASSERT_TRUE(wait_equal(&bss->seen.skbs, 2), "forwarded in clear"))
		goto out;
	ASSERT_EQ(bss->seen.meta, 2 * META_MAX, "metadata without XFRM");

	memset(&bss->seen, 0, sizeof(bss->seen));
	if (!ip_ok(NS_GATEWAY, STATE_ADD("0x1001") POLICY_ADD))
		goto out;
	if (!ASSERT_EQ(send(from, &frame, sizeof(frame), 0), sizeof(frame), "send") ||
	    !ASSERT_EQ(recv(to, &frame, sizeof(frame), 0), sizeof(frame.payload),
		       "receive decrypted"))
		goto out;
	ASSERT_EQ(bss->written, 2, "packets at XDP");
	ASSERT_EQ(bss->esp_seen, 2, "encrypted, at wan0 and at B");
	ASSERT_EQ(bss->esp_meta, 0, "metadata in front of ESP");
out:
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
}

/* XFRM looks for metadata while a program takes flows */
static void encrypted(__u32 flags)
{
	struct bpf_link *taker = NULL;
	struct xdp_xfrm_meta *skel;
	struct xdp_xfrm_ops *ops;

	skel = xdp_xfrm_meta__open_and_load();
	ops = xdp_xfrm_ops__open_and_load();
	if (!ASSERT_OK_PTR(skel, "load") || !ASSERT_OK_PTR(ops, "load struct_ops") ||
	    topology_up())
		goto out;
	taker = ns_attach_ops(NS_GATEWAY, ops->maps.first);
	if (!ASSERT_OK_PTR(taker, "struct_ops"))
		goto down;
	records(skel, META_MAX, META_MAX, 0xa5);
	skel->links.look_out = ns_attach_tc(NS_GATEWAY, "wan0",
					    skel->progs.look_out);
	skel->links.look_in = ns_attach_tc(NS_B, "wan0", skel->progs.look_in);
	if (attach_lan(skel, flags) &&
	    ASSERT_OK_PTR(skel->links.look_out, "attach tc to wan0") &&
	    ASSERT_OK_PTR(skel->links.look_in, "attach tc to B"))
		forward_two(skel);
	bpf_link__destroy(taker);
down:
	topology_down();
out:
	xdp_xfrm_ops__destroy(ops);
	xdp_xfrm_meta__destroy(skel);
}

void serial_test_xdp_xfrm_meta(void)
{
	if (test__start_subtest("gro_bytes"))
		gro_test(false, gro_bytes);
	if (test__start_subtest("gro_lengths"))
		gro_test(false, gro_lengths);
	if (test__start_subtest("gro_bytes_redirected"))
		gro_test(true, gro_bytes);
	if (test__start_subtest("gro_lengths_redirected"))
		gro_test(true, gro_lengths);
	if (test__start_subtest("encrypted_native"))
		encrypted(XDP_FLAGS_DRV_MODE);
	if (test__start_subtest("encrypted_generic"))
		encrypted(XDP_FLAGS_SKB_MODE);
}
