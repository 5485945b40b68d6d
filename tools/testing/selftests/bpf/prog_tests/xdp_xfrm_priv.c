// SPDX-License-Identifier: GPL-2.0
/* Who may do what: which capabilities the flow map, the XDP program and the
 * operations take, what is left to a user namespace, to other types of programs
 * and to user space, and what a flow is worth outside of its netns.
 */

#include <sched.h>
#include <sys/wait.h>

#include "xdp_xfrm_topology.h"
#include "cap_helpers.h"
#include "xdp_xfrm.skel.h"
#include "xdp_xfrm_lookup.skel.h"
#include "xdp_xfrm_ops.skel.h"
#include "xdp_xfrm_types.skel.h"
#include "xdp_xfrm_types_tcp.skel.h"

#define CAP(name)	(1ULL << CAP_##name)
#define ALL_CAPS	(CAP(BPF) | CAP(PERFMON) | CAP(NET_ADMIN) | CAP(SYS_ADMIN))

/* Parts of progs/xdp_xfrm.c */
enum { FLOW_MAP = 1, XDP_PROG = 2, OPS = 4 };

#define SPORT		20000

/* What to do in a process of its own, which may lose its capabilities: capset()
 * is for ever, and libbpf remembers what the kernel refused.
 */
typedef int (*job_t)(void *arg);

struct who {
	const char	*name;
	__u64		caps;		/* the only ones of ALL_CAPS */
	int		unshare;	/* CLONE_* */
	const char	*ns;		/* or in this netns */
};

static int job_errno(const struct who *who, job_t job, void *arg)
{
	struct nstoken *tok;
	int status, err;
	pid_t pid;

	pid = fork();
	if (!ASSERT_GE(pid, 0, "fork"))
		return 1;
	if (!pid) {
		tok = who->ns ? open_netns(who->ns) : NULL;
		err = who->ns && !tok ? EINVAL : 0;
		if (!err && who->unshare && unshare(who->unshare))
			err = errno;
		if (!err && cap_disable_effective(ALL_CAPS & ~who->caps, NULL))
			err = EINVAL;
		_exit(err ?: -job(arg));
	}
	if (!ASSERT_EQ(waitpid(pid, &status, 0), pid, "wait") ||
	    !ASSERT_TRUE(WIFEXITED(status), "no signal"))
		return 1;
	return -WEXITSTATUS(status);
}

static int load_parts(void *arg)
{
	int parts = *(int *)arg;
	struct xdp_xfrm *skel;
	int err;

	skel = xdp_xfrm__open();
	if (!skel)
		return -EINVAL;
	bpf_program__set_autoload(skel->progs.forward, parts & XDP_PROG);
	bpf_program__set_autoload(skel->progs.flow_add, parts & OPS);
	bpf_map__set_autocreate(skel->maps.learn, parts & OPS);
	bpf_map__set_autocreate(skel->maps.bss, parts & (XDP_PROG | OPS));
	bpf_map__set_autocreate(skel->maps.lru_flows, parts & (XDP_PROG | OPS));
	err = xdp_xfrm__load(skel);
	xdp_xfrm__destroy(skel);
	return err;
}

static int load_errno(const struct who *who, int parts)
{
	return job_errno(who, load_parts, &parts);
}

static void capabilities(void)
{
	static const struct {
		struct who	who;
		int		map, prog, ops;
	} tests[] = {
		{ { "nothing" }, -EPERM, -EPERM, -EPERM },
		{ { "CAP_NET_ADMIN", CAP(NET_ADMIN) }, -EPERM, -EPERM, -EPERM },
		{ { "CAP_BPF", CAP(BPF) }, 0, -EPERM, -EPERM },
		{ { "CAP_BPF and CAP_NET_ADMIN", CAP(BPF) | CAP(NET_ADMIN) },
		  0, 0, -EPERM },
		{ { "CAP_BPF and CAP_PERFMON", CAP(BPF) | CAP(PERFMON) },
		  0, -EPERM, 0 },
		{ { "user namespace", ALL_CAPS, CLONE_NEWUSER | CLONE_NEWNET },
		  -EPERM, -EPERM, -EPERM },
		{ { "all", ALL_CAPS }, 0, 0, 0 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		const struct who *who = &tests[i].who;

		ASSERT_EQ(load_errno(who, FLOW_MAP), tests[i].map, who->name);
		ASSERT_EQ(load_errno(who, XDP_PROG), tests[i].prog, who->name);
		ASSERT_EQ(load_errno(who, OPS), tests[i].ops, who->name);
	}
}

static int attach_ops(void *arg)
{
	return libbpf_get_error(bpf_map__attach_struct_ops(arg));
}

/* The file descriptor alone does not let anybody take the flows of a netns. */
static void registration(void)
{
	static const struct {
		struct who	who;
		int		err;
	} tests[] = {
		{ { "nothing", 0, 0, NS_GATEWAY }, -EPERM },
		{ { "CAP_BPF and CAP_PERFMON", CAP(BPF) | CAP(PERFMON), 0,
		    NS_GATEWAY }, -EPERM },
		{ { "user namespace", ALL_CAPS, CLONE_NEWUSER, NS_GATEWAY },
		  -EPERM },
		{ { "CAP_NET_ADMIN", CAP(NET_ADMIN), 0, NS_GATEWAY }, 0 },
		{ { "user namespace with its own netns", ALL_CAPS,
		    CLONE_NEWUSER | CLONE_NEWNET, NS_GATEWAY }, 0 },
	};
	struct xdp_xfrm_ops *ops = xdp_xfrm_ops__open_and_load();
	struct bpf_link *link;
	int i;

	if (!ASSERT_OK_PTR(ops, "load"))
		return;
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		ASSERT_EQ(job_errno(&tests[i].who, attach_ops, ops->maps.first),
			  tests[i].err, tests[i].who.name);

	/* Their links have gone with them. */
	link = ns_attach_ops(NS_GATEWAY, ops->maps.first);
	ASSERT_OK_PTR(link, "nothing left behind");
	bpf_link__destroy(link);
	xdp_xfrm_ops__destroy(ops);
}

static void other_ops(void)
{
	struct xdp_xfrm_types_tcp *tcp = xdp_xfrm_types_tcp__open();
	char log[8192] = {};

	if (!ASSERT_OK_PTR(tcp, "open"))
		return;
	bpf_program__set_log_buf(tcp->progs.ssthresh, log, sizeof(log));
	ASSERT_EQ(xdp_xfrm_types_tcp__load(tcp), -EACCES, "load");
	ASSERT_HAS_SUBSTR(log, "calling kernel function bpf_xdp_xfrm_offer is not allowed",
			  "log");
	xdp_xfrm_types_tcp__destroy(tcp);
}

/* Of the netns it stands in. */
static long pass_device_count(const char *ns)
{
	char line[128], name[64];
	long value, found = -1;
	struct nstoken *tok;
	FILE *file;

	tok = open_netns(ns);
	if (!tok)
		return -1;
	file = fopen("/proc/thread-self/net/xfrm_xdp_stat", "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %ld", name, &value) == 2 &&
		    !strcmp(name, "XfrmXdpPassDevice"))
			found = value;
	}
	if (file)
		fclose(file);
	close_netns(tok);
	return found;
}

/* As if a device of B, with the same index as lan0, had received the frame. */
static bool run_in_b(const struct bpf_program *prog, const struct frame *frame,
		     int ifindex)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts,
		    .data_in = frame,
		    .data_size_in = sizeof(*frame),
		    .repeat = 1);
	struct xdp_md md = {
		.data_end = sizeof(*frame),
		.ingress_ifindex = ifindex,
	};
	struct nstoken *tok = open_netns(NS_B);
	int err;

	if (!tok)
		return false;
	opts.ctx_in = &md;
	opts.ctx_size_in = sizeof(md);
	err = bpf_prog_test_run_opts(bpf_program__fd(prog), &opts);
	close_netns(tok);
	return ASSERT_OK(err, bpf_program__name(prog));
}

static void other_netns(void)
{
	struct xdp_xfrm_lookup *skel = xdp_xfrm_lookup__open_and_load();
	struct xdp_xfrm_ops *ops = xdp_xfrm_ops__open_and_load();
	int lan = ns_ifindex(NS_GATEWAY, "lan0");
	struct frame frame = frame_make(SPORT);
	__u64 value = 1;
	__u32 key = 0;
	long before;

	if (!ASSERT_OK_PTR(skel, "load") || !ASSERT_OK_PTR(ops, "load"))
		goto out;
	if (!ASSERT_EQ(ns_ifindex(NS_B, "wan0"), lan, "index of B's device"))
		goto out;
	ops->links.first = ns_attach_ops(NS_GATEWAY, ops->maps.first);
	if (!ASSERT_OK_PTR(ops->links.first, "operations"))
		goto out;
	skel->links.output = ns_attach_xdp(NS_GATEWAY, "lan0", skel->progs.output);
	skel->links.forward = ns_attach_xdp(NS_B, "wan0", skel->progs.forward);
	if (!ASSERT_OK_PTR(skel->links.output, "attach to lan0") ||
	    !ASSERT_OK_PTR(skel->links.forward, "attach to B"))
		goto out;

	skel->bss->opts_sz = 16;
	if (!ASSERT_OK(frame_run(skel->progs.lookup, &frame, sizeof(frame), lan,
				 false), "lookup") ||
	    !ASSERT_OK(skel->bss->error, "a flow of the gateway"))
		goto out;
	ASSERT_OK(bpf_map__lookup_elem(skel->maps.kept, &key, sizeof(key), &value,
				       sizeof(value), 0), "read the map");
	ASSERT_EQ(value, 0, "user space sees no kernel address");

	before = pass_device_count(NS_B);
	if (!run_in_b(skel->progs.output, &frame, lan) ||
	    !run_in_b(skel->progs.lookup_again, &frame, lan))
		goto out;
	ASSERT_EQ(skel->bss->output_ret, -EXDEV, "output");
	ASSERT_EQ(skel->bss->error, -EXDEV, "lookup");
	ASSERT_FALSE(skel->bss->found, "no flow for B");
	ASSERT_EQ(pass_device_count(NS_B) - before, 1, "B's XfrmXdpPassDevice");

	/* It is still good where it is at home. */
	ASSERT_OK(frame_run(skel->progs.output, &frame, sizeof(frame), lan, true),
		  "output");
	ASSERT_EQ(skel->bss->output_ret, ns_ifindex(NS_GATEWAY, "wan0"),
		  "output in the gateway");
out:
	xdp_xfrm_lookup__destroy(skel);
	xdp_xfrm_ops__destroy(ops);
}

/* What user space writes into a map is no flow. */
static void forged(void)
{
	struct xdp_xfrm_lookup *skel = xdp_xfrm_lookup__open_and_load();
	int lan = ns_ifindex(NS_GATEWAY, "lan0");
	struct frame frame = frame_make(SPORT);
	__u64 value = -1ULL;
	__u32 key = 0;

	if (!ASSERT_OK_PTR(skel, "load"))
		return;
	skel->links.output = ns_attach_xdp(NS_GATEWAY, "lan0", skel->progs.output);
	if (!ASSERT_OK_PTR(skel->links.output, "attach to lan0"))
		goto out;
	ASSERT_OK(bpf_map__update_elem(skel->maps.kept, &key, sizeof(key), &value,
				       sizeof(value), BPF_ANY), "write the map");
	skel->bss->output_ret = 1;
	skel->bss->error = 1;
	ASSERT_OK(frame_run(skel->progs.output, &frame, sizeof(frame), lan,
			    false), "output");
	ASSERT_OK(frame_run(skel->progs.lookup_again, &frame, sizeof(frame), lan,
			    false), "lookup_again");
	ASSERT_EQ(skel->bss->output_ret, 1, "nothing to call output() with");
	ASSERT_EQ(skel->bss->error, 1, "nothing to call lookup() with");
out:
	xdp_xfrm_lookup__destroy(skel);
}

void serial_test_xdp_xfrm_priv(void)
{
	RUN_TESTS(xdp_xfrm_types);
	if (test__start_subtest("other_ops"))
		other_ops();

	if (topology_up() ||
	    !ip_ok(NS_GATEWAY, STATE_ADD("0x1001") POLICY_ADD))
		goto out;
	if (test__start_subtest("capabilities"))
		capabilities();
	if (test__start_subtest("registration"))
		registration();
	if (test__start_subtest("other_netns"))
		other_netns();
	if (test__start_subtest("forged"))
		forged();
out:
	topology_down();
}
