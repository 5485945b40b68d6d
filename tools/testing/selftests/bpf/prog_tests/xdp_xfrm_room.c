// SPDX-License-Identifier: GPL-2.0
/* Wherever packets are copied for XDP, every size from 42 bytes to the MTU has
 * room for an ESP trailer behind it. It used to be 0 to 63 bytes, depending on
 * the size. Up to 3456 bytes the copy is one page, which has headroom, trailer
 * and skb_shared_info as well. From 3521 bytes, without room for headroom and
 * skb_shared_info in a page, generic XDP makes one large buffer for programs
 * that don't know fragments.
 */

#include <linux/if_link.h>

#include "xdp_xfrm_topology.h"
#include "xdp_xfrm_room.skel.h"

#define FRAME_MAX	9014
#define JUMBO_MTU	"9000"

struct sizes {
	int	first;
	int	last;
	int	step;
};

static const struct sizes ethernet = { 42, 1514, 1 };
static const struct sizes jumbo = { 3521, FRAME_MAX, 37 };

static bool send_all_sizes(int fd, const struct sizes *sizes)
{
	__u8 frame[FRAME_MAX] = {};
	int len;

	test_header(frame);
	for (len = sizes->first; len <= sizes->last; len += sizes->step) {
		if (send(fd, frame, len, 0) != len)
			return ASSERT_OK(-errno, "send");
	}
	return true;
}

static int grown(const struct xdp_xfrm_room *skel)
{
	int len, sizes = 0;

	for (len = 0; len <= FRAME_MAX; len++)
		sizes += skel->bss->grown[len];
	return sizes;
}

static void all_sizes(struct xdp_xfrm_room *skel, int fd, __u32 flags,
		      const struct sizes *sizes)
{
	int number = (sizes->last - sizes->first) / sizes->step + 1;
	int ifindex = ns_ifindex(NS_GATEWAY, "lan0");
	int prog = bpf_program__fd(skel->progs.grow);
	struct nstoken *tok;
	int i;

	memset(skel->bss, 0, sizeof(*skel->bss));
	tok = open_netns(NS_GATEWAY);
	if (!ASSERT_OK_PTR(tok, "netns"))
		return;
	if (!ASSERT_OK(bpf_xdp_attach(ifindex, prog, flags, NULL), "attach"))
		goto out;
	if (!send_all_sizes(fd, sizes))
		goto detach;
	for (i = 0; i < 100 && grown(skel) + skel->bss->refused < number; i++)
		usleep(10000);

	ASSERT_EQ(grown(skel), number, "sizes with room");
	ASSERT_EQ(skel->bss->refused, 0, "sizes without room");
	ASSERT_EQ(skel->bss->overrun, 0, "tails beyond the end of the buffer");
detach:
	bpf_xdp_detach(ifindex, flags, NULL);
out:
	close_netns(tok);
}

void serial_test_xdp_xfrm_room(void)
{
	struct xdp_xfrm_room *skel = NULL;
	int fd = -1;

	if (topology_up())
		return;
	skel = xdp_xfrm_room__open_and_load();
	if (!ASSERT_OK_PTR(skel, "load"))
		goto out;
	fd = packet_socket(NS_A, "eth0", 0);
	if (!ASSERT_OK_FD(fd, "packet socket"))
		goto out;

	if (test__start_subtest("native"))
		all_sizes(skel, fd, XDP_FLAGS_DRV_MODE, &ethernet);
	if (test__start_subtest("generic"))
		all_sizes(skel, fd, XDP_FLAGS_SKB_MODE, &ethernet);
	if (test__start_subtest("generic_jumbo") &&
	    ip_ok(NS_GATEWAY, "link set lan0 mtu " JUMBO_MTU "\n") &&
	    ip_ok(NS_A, "link set eth0 mtu " JUMBO_MTU "\n"))
		all_sizes(skel, fd, XDP_FLAGS_SKB_MODE, &jumbo);
out:
	if (fd >= 0)
		close(fd);
	xdp_xfrm_room__destroy(skel);
	topology_down();
}
