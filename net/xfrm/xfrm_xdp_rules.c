// SPDX-License-Identifier: GPL-2.0-only
/* /proc/net/xfrm_xdp_rules: which rules of the firewall keep flows out of XDP. */

#include <linux/seq_file.h>
#include <linux/slab.h>

#include "xfrm_xdp_internal.h"

#define XFRM_XDP_RULES	16

/**
 * struct xfrm_xdp_rule - one that depends on more than the flow
 * @table: where it stands
 * @chain: the same
 * @what: part of the rule
 * @handle: of the rule, or 0
 * @packets: whose flow was not learned
 */
struct xfrm_xdp_rule {
	char	table[32];
	char	chain[32];
	char	what[32];
	u64	handle;
	u64	packets;
};

/**
 * struct xfrm_xdp_rules - the first of them; there are few, or the first suffice
 * @lock: protects the rest
 * @num: how many
 * @rule: rules
 */
struct xfrm_xdp_rules {
	spinlock_t		lock; /* protects rule and num */
	unsigned int		num;
	struct xfrm_xdp_rule	rule[XFRM_XDP_RULES];
};

static bool xfrm_xdp_rule_is(const struct xfrm_xdp_rule *rule,
			     const char *table, const char *chain, u64 handle,
			     const char *what)
{
	return rule->handle == handle &&
	       !strncmp(rule->table, table, sizeof(rule->table) - 1) &&
	       !strncmp(rule->chain, chain, sizeof(rule->chain) - 1) &&
	       !strncmp(rule->what, what, sizeof(rule->what) - 1);
}

/**
 * xfrm_xdp_rules_note() - a rule kept the flow of a packet out of XDP
 * @xnet: netns
 * @table: where the rule stands
 * @chain: the same
 * @handle: of the rule, or 0
 * @what: part of the rule
 *
 * Any context; packets that are not offered never get here.
 */
void xfrm_xdp_rules_note(struct xfrm_xdp_net *xnet, const char *table,
			 const char *chain, u64 handle, const char *what)
{
	struct xfrm_xdp_rules *rules = READ_ONCE(xnet->rules);
	struct xfrm_xdp_rule *rule;

	if (!rules)
		return;

	spin_lock_bh(&rules->lock);
	for (rule = rules->rule; rule < rules->rule + rules->num; rule++) {
		if (xfrm_xdp_rule_is(rule, table, chain, handle, what))
			break;
	}
	if (rule == rules->rule + XFRM_XDP_RULES)
		goto unlock;

	if (rule == rules->rule + rules->num) {
		rules->num++;
		strscpy(rule->table, table);
		strscpy(rule->chain, chain);
		strscpy(rule->what, what);
		rule->handle = handle;
	}
	rule->packets++;
unlock:
	spin_unlock_bh(&rules->lock);
}

int xfrm_xdp_rules_show(struct seq_file *seq, void *v)
{
	const struct xfrm_xdp_net *xnet = xfrm_xdp_pernet(seq->private);
	struct xfrm_xdp_rules *rules = READ_ONCE(xnet->rules);
	const struct xfrm_xdp_rule *rule;

	if (!rules)
		return 0;

	spin_lock_bh(&rules->lock);
	for (rule = rules->rule; rule < rules->rule + rules->num; rule++)
		seq_printf(seq, "%s\t%s\t%llu\t%s\t%llu\n", rule->table,
			   rule->chain, rule->handle, rule->what,
			   rule->packets);
	spin_unlock_bh(&rules->lock);
	return 0;
}

/**
 * xfrm_xdp_rules_init() - make the list of a netns, if there is none yet
 * @xnet: netns
 *
 * May sleep. It stays until the netns goes.
 *
 * Return: 0, or -ENOMEM.
 */
int xfrm_xdp_rules_init(struct xfrm_xdp_net *xnet)
{
	struct xfrm_xdp_rules *rules;

	if (xnet->rules)
		return 0;

	rules = kzalloc(sizeof(*rules), GFP_KERNEL);
	if (!rules)
		return -ENOMEM;
	spin_lock_init(&rules->lock);
	/* the lock before the pointer to it */
	smp_store_release(&xnet->rules, rules);
	return 0;
}

/**
 * xfrm_xdp_rules_fini() - free the list of a netns that goes
 * @xnet: netns
 */
void xfrm_xdp_rules_fini(struct xfrm_xdp_net *xnet)
{
	kfree(xnet->rules);
}
