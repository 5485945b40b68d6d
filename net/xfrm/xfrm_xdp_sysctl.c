// SPDX-License-Identifier: GPL-2.0-only
/* net.core.xfrm_xdp_*: what the administrator says about learning, per netns. */

#include <linux/slab.h>
#include <linux/sysctl.h>

#include "xfrm_xdp_internal.h"

/* What was learned was learned by the old value. */
static int xfrm_xdp_sysctl_trust(const struct ctl_table *ctl, int write,
				 void *buffer, size_t *lenp, loff_t *ppos)
{
	struct xfrm_xdp_net *xnet = ctl->extra2;
	struct ctl_table table = *ctl;
	int err;

	table.extra1 = SYSCTL_ZERO;
	table.extra2 = SYSCTL_ONE;
	err = proc_dou8vec_minmax(&table, write, buffer, lenp, ppos);
	if (write && !err)
		xfrm_xdp_invalidate(xnet->net);
	return err;
}

static int xfrm_xdp_sysctl_mark(const struct ctl_table *ctl, int write,
				void *buffer, size_t *lenp, loff_t *ppos)
{
	struct xfrm_xdp_net *xnet = ctl->extra2;
	int err;

	err = proc_douintvec(ctl, write, buffer, lenp, ppos);
	if (write && !err)
		xfrm_xdp_invalidate(xnet->net);
	return err;
}

static const struct ctl_table xfrm_xdp_sysctls[] = {
	{
		.procname	= "xfrm_xdp_trust_filter",
		.maxlen		= sizeof(u8),
		.mode		= 0644,
		.proc_handler	= xfrm_xdp_sysctl_trust,
	},
	{
		.procname	= "xfrm_xdp_slow_mark",
		.maxlen		= sizeof(u32),
		.mode		= 0644,
		.proc_handler	= xfrm_xdp_sysctl_mark,
	},
};

/**
 * xfrm_xdp_sysctl_init() - make the settings of a new netns
 * @xnet: netns
 *
 * Return: 0, or -ENOMEM.
 */
int __net_init xfrm_xdp_sysctl_init(struct xfrm_xdp_net *xnet)
{
	struct ctl_table *table;

	table = kmemdup(xfrm_xdp_sysctls, sizeof(xfrm_xdp_sysctls), GFP_KERNEL);
	if (!table)
		return -ENOMEM;

	table[0].data = &xnet->trust_filter;
	table[0].extra2 = xnet;
	table[1].data = &xnet->slow_mark;
	table[1].extra2 = xnet;
	xnet->sysctl = register_net_sysctl_sz(xnet->net, "net/core", table,
					      ARRAY_SIZE(xfrm_xdp_sysctls));
	if (IS_ENABLED(CONFIG_SYSCTL) && !xnet->sysctl) {
		kfree(table);
		return -ENOMEM;
	}

	return 0;
}

/**
 * xfrm_xdp_sysctl_fini() - remove the settings of a netns that goes
 * @xnet: netns
 */
void xfrm_xdp_sysctl_fini(struct xfrm_xdp_net *xnet)
{
	const struct ctl_table *table;

	if (!xnet->sysctl)
		return;

	table = xnet->sysctl->ctl_table_arg;
	unregister_net_sysctl_table(xnet->sysctl);
	kfree(table);
}
