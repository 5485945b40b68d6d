// SPDX-License-Identifier: GPL-2.0
/* Registration of the operations that take learned flows: one per netns. */

#include "xdp_xfrm_topology.h"
#include "xdp_xfrm_ops.skel.h"

#define NS_ONE		"xdp_xfrm_one"
#define NS_TWO		"xdp_xfrm_two"

static void busy(const char *ns, const struct bpf_map *ops, const char *name)
{
	struct bpf_link *link = ns_attach_ops(ns, ops);

	if (!ASSERT_EQ(libbpf_get_error(link), -EBUSY, name))
		bpf_link__destroy(link);
}

static void one_per_netns(struct xdp_xfrm_ops *skel)
{
	struct bpf_link *first, *second = NULL, *again = NULL;

	first = ns_attach_ops(NS_ONE, skel->maps.first);
	if (!ASSERT_OK_PTR(first, "first"))
		return;
	busy(NS_ONE, skel->maps.second, "second in the same netns");
	busy(NS_ONE, skel->maps.without_link, "without link in the same netns");
	busy(NS_TWO, skel->maps.first, "the same in another netns");

	second = ns_attach_ops(NS_TWO, skel->maps.second);
	if (!ASSERT_OK_PTR(second, "second in another netns"))
		goto out;

	/* We stand in neither of the two: the operations know where they are. */
	bpf_link__destroy(first);
	first = NULL;
	busy(NS_TWO, skel->maps.without_link, "the other netns is left alone");
	again = ns_attach_ops(NS_ONE, skel->maps.first);
	ASSERT_OK_PTR(again, "registered again");
out:
	bpf_link__destroy(again);
	bpf_link__destroy(second);
	bpf_link__destroy(first);
}

static void without_link(struct xdp_xfrm_ops *skel)
{
	struct bpf_link *plain, *link;

	plain = ns_attach_ops(NS_ONE, skel->maps.without_link);
	if (!ASSERT_OK_PTR(plain, "without link"))
		return;
	busy(NS_ONE, skel->maps.first, "with link in the same netns");
	bpf_link__destroy(plain);

	link = ns_attach_ops(NS_ONE, skel->maps.first);
	ASSERT_OK_PTR(link, "after the end of the first");
	bpf_link__destroy(link);
}

static void no_flow_add(struct xdp_xfrm_ops *skel)
{
	struct bpf_link *link = ns_attach_ops(NS_ONE, skel->maps.empty);

	if (!ASSERT_EQ(libbpf_get_error(link), -EINVAL, "operations without flow_add"))
		bpf_link__destroy(link);

	link = ns_attach_ops(NS_ONE, skel->maps.first);
	ASSERT_OK_PTR(link, "the refused ones left nothing behind");
	bpf_link__destroy(link);
}

/* A veth that goes with its peer tells when a netns is really gone. */
static bool netns_gone(const char *dev)
{
	int i;

	for (i = 0; i < 500; i++) {
		if (!if_nametoindex(dev))
			return true;
		usleep(10000);
	}
	return false;
}

static void netns_deleted(struct xdp_xfrm_ops *skel)
{
	struct bpf_link *first, *second;

	first = ns_attach_ops(NS_ONE, skel->maps.first);
	if (!ASSERT_OK_PTR(first, "first"))
		return;

	SYS(out, "ip link add xdp_xfrm_gone type veth peer name peer netns " NS_ONE);
	SYS(out, "ip netns del " NS_ONE);
	ASSERT_TRUE(netns_gone("xdp_xfrm_gone"), "netns is gone");

	/* Unregistering now must not touch the netns, nor the static key. */
	bpf_link__destroy(first);
	first = NULL;
	SYS(out, "ip netns add " NS_ONE);
	second = ns_attach_ops(NS_ONE, skel->maps.second);
	ASSERT_OK_PTR(second, "a new netns of that name");
	bpf_link__destroy(second);
out:
	bpf_link__destroy(first);
}

void serial_test_xdp_xfrm_ops(void)
{
	struct xdp_xfrm_ops *skel = NULL;

	SYS(out, "ip netns add " NS_ONE " && ip netns add " NS_TWO);
	skel = xdp_xfrm_ops__open_and_load();
	if (!ASSERT_OK_PTR(skel, "load"))
		goto out;

	if (test__start_subtest("one_per_netns"))
		one_per_netns(skel);
	if (test__start_subtest("without_link"))
		without_link(skel);
	if (test__start_subtest("no_flow_add"))
		no_flow_add(skel);
	if (test__start_subtest("netns_deleted"))
		netns_deleted(skel);
out:
	xdp_xfrm_ops__destroy(skel);
	SYS_NOFAIL("ip netns del " NS_ONE);
	SYS_NOFAIL("ip netns del " NS_TWO);
}
