// SPDX-License-Identifier: GPL-2.0-only
/* /proc/net/xfrm_xdp_stat: what XFRM for XDP did, and why it did not. */

#include <linux/proc_fs.h>
#include <linux/seq_file.h>

#include "xfrm_xdp_internal.h"

static const struct {
	const char	*name;
	int		err;
} xfrm_xdp_stats[XFRM_XDP_STAT_MAX] = {
	[XFRM_XDP_OUTPUT]	= { "XfrmXdpOutput" },
	[XFRM_XDP_OUTPUTASYNC]	= { "XfrmXdpOutputAsync" },
	[XFRM_XDP_OUTPUTERROR]	= { "XfrmXdpOutputError" },
	[XFRM_XDP_OUTPUTLOST]	= { "XfrmXdpOutputLost" },
	[XFRM_XDP_INPUT]	= { "XfrmXdpInput" },
	[XFRM_XDP_INPUTERROR]	= { "XfrmXdpInputError" },
	[XFRM_XDP_FORWARD]	= { "XfrmXdpForward" },
	[XFRM_XDP_LOOKUP]	= { "XfrmXdpLookup" },
	[XFRM_XDP_OFFER]	= { "XfrmXdpOffer" },
	[XFRM_XDP_HELD]		= { "XfrmXdpHeld" },
	[XFRM_XDP_LEARNED]	= { "XfrmXdpLearned" },
	[XFRM_XDP_FLOWDEAD]	= { "XfrmXdpFlowDead" },
	[XFRM_XDP_FLOWEXPIRED]	= { "XfrmXdpFlowExpired" },

	[XFRM_XDP_PASSKIND]	= { "XfrmXdpPassKind",		-EINVAL },
	[XFRM_XDP_PASSDEAD]	= { "XfrmXdpPassDead",		-ENXIO },
	[XFRM_XDP_PASSAUTH]	= { "XfrmXdpPassAuth",		-EPERM },
	[XFRM_XDP_PASSDEVICE]	= { "XfrmXdpPassDevice",	-EXDEV },
	[XFRM_XDP_PASSBUFFER]	= { "XfrmXdpPassBuffer",	-EOPNOTSUPP },
	[XFRM_XDP_PASSMAC]	= { "XfrmXdpPassMac",	-EADDRNOTAVAIL },
	[XFRM_XDP_PASSHEADER]	= { "XfrmXdpPassHeader",	-EPROTO },
	[XFRM_XDP_PASSCSUM]	= { "XfrmXdpPassCsum",		-EBADMSG },
	[XFRM_XDP_PASSSELECTOR]	= { "XfrmXdpPassSelector",	-ENOENT },
	[XFRM_XDP_PASSTTL]	= { "XfrmXdpPassTtl",		-ETIME },
	[XFRM_XDP_PASSDST]	= { "XfrmXdpPassDst",		-ESTALE },
	[XFRM_XDP_PASSMTU]	= { "XfrmXdpPassMtu",		-EMSGSIZE },
	[XFRM_XDP_PASSNEIGH]	= { "XfrmXdpPassNeigh",	-EHOSTUNREACH },
	[XFRM_XDP_PASSTXDEV]	= { "XfrmXdpPassTxDev",		-ENETDOWN },
	[XFRM_XDP_PASSQUEUE]	= { "XfrmXdpPassQueue",		-EAGAIN },
	[XFRM_XDP_PASSROOM]	= { "XfrmXdpPassRoom",		-ENOSPC },
	[XFRM_XDP_PASSMEMORY]	= { "XfrmXdpPassMemory",	-ENOTBLK },
	[XFRM_XDP_PASSBUSY]	= { "XfrmXdpPassBusy",		-EBUSY },
	[XFRM_XDP_PASSSTATE]	= { "XfrmXdpPassState",	-EKEYEXPIRED },
	[XFRM_XDP_PASSTHROUGH]	= { "XfrmXdpPassThrough",	-EACCES },
	[XFRM_XDP_PASSREPLAY]	= { "XfrmXdpPassReplay",	-EALREADY },
	[XFRM_XDP_PASSSOCKET]	= { "XfrmXdpPassSocket",	-EUSERS },
	[XFRM_XDP_PASSCONN]	= { "XfrmXdpPassConntrack",	-ENOTCONN },

	[XFRM_XDP_NOMETA]	= { "XfrmXdpNoMetadata" },
	[XFRM_XDP_NORECORD]	= { "XfrmXdpNoRecord" },
	[XFRM_XDP_NOPACKET]	= { "XfrmXdpNoPacket" },
	[XFRM_XDP_NOPLAIN]	= { "XfrmXdpNoPlain" },
	[XFRM_XDP_NOSTATE]	= { "XfrmXdpNoState" },
	[XFRM_XDP_NODEVICE]	= { "XfrmXdpNoDevice" },
	[XFRM_XDP_NOFILTER]	= { "XfrmXdpNoFilter" },
	[XFRM_XDP_NOCONN]	= { "XfrmXdpNoConntrack" },
	[XFRM_XDP_NOTC]		= { "XfrmXdpNoTc" },
	[XFRM_XDP_NOCLEAR]	= { "XfrmXdpNoClear" },
	[XFRM_XDP_NOROUTE]	= { "XfrmXdpNoRoute" },
	[XFRM_XDP_NOWIRE]	= { "XfrmXdpNoWire" },
	[XFRM_XDP_NONEIGH]	= { "XfrmXdpNoNeigh" },
	[XFRM_XDP_NOMEMORY]	= { "XfrmXdpNoMemory" },
	[XFRM_XDP_NOOPS]	= { "XfrmXdpNoOps" },
};

/**
 * xfrm_xdp_pass_errno() - the errno of a reason for passing
 * @why: XFRM_XDP_PASS*
 *
 * Return: what bpf_xdp_xfrm_output() and bpf_xdp_xfrm_input() return for it.
 */
int xfrm_xdp_pass_errno(enum xfrm_xdp_stat why)
{
	return xfrm_xdp_stats[why].err;
}

static int xfrm_xdp_stat_show(struct seq_file *seq, void *v)
{
	const struct xfrm_xdp_net *xnet = xfrm_xdp_pernet(seq->private);
	int cpu, i;

	for (i = 0; i < XFRM_XDP_STAT_MAX; i++) {
		unsigned long sum = 0;

		for_each_possible_cpu(cpu)
			sum += READ_ONCE(per_cpu_ptr(xnet->mib, cpu)[i]);
		seq_printf(seq, "%-24s\t%lu\n", xfrm_xdp_stats[i].name, sum);
	}

	return 0;
}

int __net_init xfrm_xdp_proc_init(struct net *net)
{
	if (!IS_ENABLED(CONFIG_PROC_FS))
		return 0;

	if (!proc_create_net_single("xfrm_xdp_stat", 0444, net->proc_net,
				    xfrm_xdp_stat_show, NULL))
		return -ENOMEM;
	if (!proc_create_net_single("xfrm_xdp_rules", 0400, net->proc_net,
				    xfrm_xdp_rules_show, NULL)) {
		remove_proc_entry("xfrm_xdp_stat", net->proc_net);
		return -ENOMEM;
	}
	return 0;
}

void xfrm_xdp_proc_fini(struct net *net)
{
	remove_proc_entry("xfrm_xdp_rules", net->proc_net);
	remove_proc_entry("xfrm_xdp_stat", net->proc_net);
}
