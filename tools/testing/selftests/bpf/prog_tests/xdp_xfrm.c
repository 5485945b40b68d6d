// SPDX-License-Identifier: GPL-2.0
/* Flows from the first packet to the end of their map.
 *
 *  1) A sends a datagram to B. The program on lan0 does not know its flow and
 *     passes it with an offer.
 *  2) The stack of the gateway encrypts and forwards it; flow_add() puts the
 *     flow into a map.
 *  3) The next datagrams are encrypted on lan0 and redirected to wan0.
 *  4) B's stack decrypts all of them, in order: they share one state.
 */

#include <linux/if_link.h>

#include "xdp_xfrm_topology.h"
#include "xdp_xfrm.skel.h"
#include "xdp_xfrm_observe.skel.h"

#define N_PACKETS	20
#define N_FLOWS		64
#define LRU_FLOWS	16

struct flow_key {
	__be32	saddr;
	__be32	daddr;
	__be32	ports;
};

static struct xdp_xfrm_observe *observe;
static bool topology;

struct fast_path {
	struct xdp_xfrm	*skel;
	struct bpf_link	*ops;
	__u32		flags;
	int		lan;
	int		from;
	int		to;
};

static int sender(void)
{
	struct sockaddr_storage addr;
	struct nstoken *tok;
	socklen_t len;
	int fd;

	if (make_sockaddr(AF_INET, ADDR_B, UDP_PORT, &addr, &len))
		return -1;
	tok = open_netns(NS_A);
	if (!tok)
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	close_netns(tok);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, len)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* All datagrams are numbered; B gets each of them once, in order. */
static bool transfer(struct fast_path *path, __u32 count)
{
	static __u32 number;
	__u32 i, got;

	for (i = 0; i < count; i++) {
		number++;
		if (!ASSERT_EQ(send(path->from, &number, sizeof(number), 0),
			       sizeof(number), "send"))
			return false;
		if (!ASSERT_EQ(recv(path->to, &got, sizeof(got), 0), sizeof(got),
			       "receive decrypted") ||
		    !ASSERT_EQ(got, number, "payload"))
			return false;
	}
	return true;
}

static bool wait_equal(const __u64 *counter, __u64 value)
{
	int i;

	for (i = 0; i < 500; i++) {
		if (READ_ONCE(*counter) == value)
			return true;
		usleep(10000);
	}
	return false;
}

static __u64 flows_alive(void)
{
	return READ_ONCE(observe->bss->flows_made) -
	       READ_ONCE(observe->bss->flows_freed);
}

/* Flows are freed by RCU. */
static bool wait_alive(__u64 max)
{
	int i;

	for (i = 0; i < 500 && flows_alive() > max; i++)
		usleep(10000);
	return flows_alive() <= max;
}

static bool topology_ready(void)
{
	struct bpf_link *link;

	if (topology)
		return true;
	if (topology_up())
		return false;
	link = ns_attach_xdp(NS_B, "wan0", observe->progs.wire);
	if (!ASSERT_OK_PTR(link, "attach to B"))
		return false;
	bpf_link__destroy(observe->links.wire);
	observe->links.wire = link;
	observe->bss->esp_seq = 0;
	topology = ip_ok(NS_GATEWAY, STATE_ADD("0x1001") POLICY_ADD);
	return topology;
}

static void fast_path_down(struct fast_path *path)
{
	struct nstoken *tok;

	bpf_link__destroy(path->ops);
	if (path->lan) {
		tok = open_netns(NS_GATEWAY);
		bpf_xdp_detach(path->lan, path->flags, NULL);
		close_netns(tok);
	}
	if (path->from >= 0)
		close(path->from);
	if (path->to >= 0)
		close(path->to);
	xdp_xfrm__destroy(path->skel);
}

static bool fast_path_up(struct fast_path *path, bool use_lru, __u32 flags)
{
	struct nstoken *tok;
	int err;

	*path = (struct fast_path){ .from = -1, .to = -1, .flags = flags };
	if (!topology_ready())
		return false;
	path->skel = xdp_xfrm__open_and_load();
	if (!ASSERT_OK_PTR(path->skel, "load"))
		return false;
	path->skel->bss->use_lru = use_lru;
	path->from = sender();
	path->to = receiver();
	if (!ASSERT_OK_FD(path->from, "sender") ||
	    !ASSERT_OK_FD(path->to, "receiver"))
		goto fail;

	path->ops = ns_attach_ops(NS_GATEWAY, path->skel->maps.learn);
	if (!ASSERT_OK_PTR(path->ops, "struct_ops"))
		goto fail;
	path->lan = ns_ifindex(NS_GATEWAY, "lan0");
	tok = open_netns(NS_GATEWAY);
	err = bpf_xdp_attach(path->lan, bpf_program__fd(path->skel->progs.forward),
			     flags, NULL);
	close_netns(tok);
	if (ASSERT_OK(err, "attach to lan0"))
		return true;
fail:
	fast_path_down(path);
	return false;
}

/* The first packet of the sender's flow: by the stack. */
static bool learn(struct fast_path *path)
{
	__u64 redirected = path->skel->bss->redirected;
	__u64 added = path->skel->bss->added;

	return transfer(path, 1) &&
	       ASSERT_TRUE(wait_equal(&path->skel->bss->added, added + 1),
			   "flow learned") &&
	       ASSERT_EQ(path->skel->bss->redirected, redirected,
			 "first packet by the stack");
}

/* A packet of a known flow. */
static bool known(struct fast_path *path)
{
	__u64 redirected = path->skel->bss->redirected;

	return transfer(path, 1) &&
	       ASSERT_EQ(path->skel->bss->redirected, redirected + 1,
			 "packet by the fast path");
}

static void forward(bool use_lru, __u32 flags)
{
	long output, learned, offers;
	struct fast_path path;
	__u64 frames;

	if (!fast_path_up(&path, use_lru, flags))
		return;
	offers = gateway_stat("XfrmXdpOffer");
	learned = gateway_stat("XfrmXdpLearned");
	output = gateway_stat("XfrmXdpOutput");
	frames = observe->bss->esp_frames;

	if (!learn(&path) || !transfer(&path, N_PACKETS))
		goto out;

	ASSERT_EQ(path.skel->bss->redirected, N_PACKETS, "redirected");
	ASSERT_EQ(path.skel->bss->passed, 1, "passed");
	ASSERT_EQ(path.skel->bss->offer_ret, 0, "offer");
	ASSERT_EQ(path.skel->bss->output_ret, ns_ifindex(NS_GATEWAY, "wan0"),
		  "device to redirect to");
	ASSERT_EQ(gateway_stat("XfrmXdpOffer") - offers, 1, "XfrmXdpOffer");
	ASSERT_EQ(gateway_stat("XfrmXdpLearned") - learned, 1, "XfrmXdpLearned");
	ASSERT_EQ(gateway_stat("XfrmXdpOutput") - output, N_PACKETS,
		  "XfrmXdpOutput");

	ASSERT_EQ(observe->bss->esp_frames - frames, N_PACKETS + 1, "on the wire");
	ASSERT_EQ(observe->bss->esp_gaps, 0, "gaps in the sequence numbers");
	ASSERT_EQ(observe->bss->clear_frames, 0, "clear text on the wire");
	ASSERT_EQ(observe->bss->bad_headers, 0, "wrong outer headers");
out:
	fast_path_down(&path);
	ASSERT_TRUE(wait_alive(0), "flows freed with their map");
}

static struct flow_key first_key(struct fast_path *path)
{
	struct flow_key key = {};

	ASSERT_OK(bpf_map__get_next_key(path->skel->maps.flows, NULL, &key,
					sizeof(key)), "a flow in the map");
	return key;
}

static void deleted(void)
{
	struct flow_key key;
	struct fast_path path;

	if (!fast_path_up(&path, false, XDP_FLAGS_DRV_MODE))
		return;
	if (!learn(&path) || !known(&path))
		goto out;

	key = first_key(&path);
	ASSERT_OK(bpf_map__delete_elem(path.skel->maps.flows, &key, sizeof(key),
				       0), "delete");
	ASSERT_TRUE(wait_alive(0), "flow freed after delete");
	if (learn(&path))
		known(&path);
out:
	fast_path_down(&path);
	ASSERT_TRUE(wait_alive(0), "flows freed with their map");
}

static void overwritten(void)
{
	struct flow_key key;
	struct fast_path path;
	__u64 forged = -1ULL;

	if (!fast_path_up(&path, false, XDP_FLAGS_DRV_MODE))
		return;
	if (!learn(&path) || !known(&path))
		goto out;

	/* User space can end a flow, but not make one. */
	key = first_key(&path);
	ASSERT_OK(bpf_map__update_elem(path.skel->maps.flows, &key, sizeof(key),
				       &forged, sizeof(forged), BPF_ANY),
		  "overwrite");
	ASSERT_TRUE(wait_alive(0), "flow freed after overwrite");
	if (!learn(&path) || !known(&path))
		goto out;

	/* The program's own exchange, when a flow is learned again. */
	if (!ip_ok(NS_GATEWAY, "link set lo down\nlink set lo up\n"))
		goto out;
	learn(&path);
	ASSERT_EQ(path.skel->bss->output_ret, -EPERM, "verdict has ended");
	ASSERT_TRUE(wait_alive(1), "old flow freed after exchange");
	known(&path);
out:
	fast_path_down(&path);
	ASSERT_TRUE(wait_alive(0), "flows freed with their map");
}

static void evicted(void)
{
	struct fast_path path;
	struct frame frame;
	__u64 made;
	int i;

	if (!fast_path_up(&path, true, XDP_FLAGS_DRV_MODE))
		return;
	made = observe->bss->flows_made;
	for (i = 0; i < N_FLOWS; i++) {
		frame = frame_make(10000 + i);
		if (!ASSERT_OK(frame_run(path.skel->progs.forward, &frame,
					 sizeof(frame), path.lan, true),
			       "first packet of a flow"))
			goto out;
	}

	ASSERT_TRUE(wait_equal(&path.skel->bss->added, N_FLOWS), "flows learned");
	ASSERT_EQ(observe->bss->flows_made - made, N_FLOWS, "flows made");
	ASSERT_TRUE(wait_alive(LRU_FLOWS), "flows freed after eviction");
	ASSERT_GT(flows_alive(), 0, "flows in the map");
out:
	fast_path_down(&path);
	ASSERT_TRUE(wait_alive(0), "flows freed with their map");
}

static void refused(void)
{
	struct fast_path path;
	long no_ops;

	if (!fast_path_up(&path, false, XDP_FLAGS_DRV_MODE))
		return;
	no_ops = gateway_stat("XfrmXdpNoOps");
	path.skel->bss->refuse = true;
	if (!transfer(&path, 3))
		goto out;

	ASSERT_TRUE(wait_alive(0), "no flow");
	ASSERT_GT(gateway_stat("XfrmXdpNoOps") - no_ops, 0, "XfrmXdpNoOps");
	path.skel->bss->refuse = false;
	/* it is not offered again so soon */
	usleep(1100000);
	if (learn(&path))
		known(&path);
out:
	fast_path_down(&path);
	ASSERT_TRUE(wait_alive(0), "flows freed with their map");
}

/* A flow in a map keeps neither a device nor a netns. */
static void device_deleted(void)
{
	struct fast_path path;
	struct frame frame;

	if (!fast_path_up(&path, false, XDP_FLAGS_DRV_MODE))
		return;
	frame = frame_make(10000);
	if (!ASSERT_OK(frame_run(path.skel->progs.forward, &frame, sizeof(frame),
				 path.lan, true), "first packet") ||
	    !ASSERT_TRUE(wait_equal(&path.skel->bss->added, 1), "flow learned"))
		goto out;

	topology = false;
	if (!ip_ok(NS_GATEWAY, "link del wan0\n"))
		goto out;
	ASSERT_EQ(gateway_stat("XfrmXdpFlowDead"), 1, "XfrmXdpFlowDead");
	ASSERT_EQ(flows_alive(), 1, "the flow itself is still there");
	ASSERT_OK(frame_run(path.skel->progs.forward, &frame, sizeof(frame),
			    path.lan, true), "second packet");
	ASSERT_EQ(path.skel->bss->output_ret, -ENXIO, "empty flow");
	ASSERT_EQ(gateway_stat("XfrmXdpPassDead"), 1, "XfrmXdpPassDead");
out:
	fast_path_down(&path);
	ASSERT_TRUE(wait_alive(0), "flows freed with their map");
}

static void netns_deleted(void)
{
	struct fast_path path;
	int i;

	if (!fast_path_up(&path, false, XDP_FLAGS_DRV_MODE))
		return;
	if (!learn(&path) || !known(&path))
		goto out;

	topology = false;
	path.lan = 0;
	SYS(out, "ip netns del " NS_GATEWAY);
	for (i = 0; i < 500 && ns_ifindex(NS_A, "eth0"); i++)
		usleep(10000);
	ASSERT_EQ(ns_ifindex(NS_A, "eth0"), 0, "gateway gone, and its devices");
	ASSERT_EQ(flows_alive(), 1, "the flow itself is still there");
out:
	fast_path_down(&path);
	ASSERT_TRUE(wait_alive(0), "flows freed with their map");
}

void serial_test_xdp_xfrm(void)
{
	topology = false;
	observe = xdp_xfrm_observe__open_and_load();
	if (!ASSERT_OK_PTR(observe, "load"))
		return;
	observe->links.flow_create = bpf_program__attach(observe->progs.flow_create);
	observe->links.flow_free = bpf_program__attach(observe->progs.flow_free);
	if (!ASSERT_OK_PTR(observe->links.flow_create, "attach to flow_create") ||
	    !ASSERT_OK_PTR(observe->links.flow_free, "attach to flow_free"))
		goto out;

	if (test__start_subtest("hash_native"))
		forward(false, XDP_FLAGS_DRV_MODE);
	if (test__start_subtest("lru_generic"))
		forward(true, XDP_FLAGS_SKB_MODE);
	if (test__start_subtest("deleted"))
		deleted();
	if (test__start_subtest("overwritten"))
		overwritten();
	if (test__start_subtest("evicted"))
		evicted();
	if (test__start_subtest("refused"))
		refused();
	if (test__start_subtest("device_deleted"))
		device_deleted();
	if (test__start_subtest("netns_deleted"))
		netns_deleted();
out:
	xdp_xfrm_observe__destroy(observe);
	topology_down();
}
