// SPDX-License-Identifier: GPL-2.0
/* flows: what the flow map holds. */

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>
#include <linux/in.h>

#include "tool.h"
#include "xdp_xfrm.h"

#define DSCP_SHIFT	2
#define VLAN_ID_MASK	0xfff

/**
 * struct flow_row - one flow, in words
 * @dev: receiving device
 * @saddr: source address
 * @daddr: destination address
 * @protocol: name of the protocol
 * @icmp: has type, code and identifier in place of ports
 * @spi: of ESP, else 0
 * @high: upper half of the key's ports
 * @low: lower half of the key's ports
 * @dscp: differentiated services code point
 * @vlan: VLAN id, 0 without a tag
 * @key: the rest
 * @value: counters
 */
struct flow_row {
	char			dev[IF_NAMESIZE];
	char			saddr[INET_ADDRSTRLEN];
	char			daddr[INET_ADDRSTRLEN];
	const char		*protocol;
	bool			icmp;
	__u16			high;
	__u16			low;
	__u8			dscp;
	__u16			vlan;
	__u32			spi;
	const struct xdp_xfrm_key	*key;
	const struct flow_value	*value;
};

static const char *protocol_name(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_ESP:
		return "esp";
	}
	return "udp";
}

static void fill_row(struct flow_row *row, const struct xdp_xfrm_key *key,
		     const struct flow_value *value)
{
	if (!if_indextoname(key->ifindex, row->dev))
		snprintf(row->dev, sizeof(row->dev), "if%u", key->ifindex);
	inet_ntop(AF_INET, &key->saddr, row->saddr, sizeof(row->saddr));
	inet_ntop(AF_INET, &key->daddr, row->daddr, sizeof(row->daddr));
	row->icmp = key->protocol == IPPROTO_ICMP;
	row->protocol = protocol_name(key->protocol);
	row->spi = key->protocol == IPPROTO_ESP ? ntohl(key->ports) : 0;
	row->high = ntohl(key->ports) >> 16;
	row->low = ntohl(key->ports);
	row->dscp = key->dscp >> DSCP_SHIFT;
	row->vlan = ntohs(key->vlan_tci) & VLAN_ID_MASK;
	row->key = key;
	row->value = value;
}

static void print_json_row(const struct flow_row *row, bool first)
{
	printf("%s{\"dev\":", first ? "" : ",");
	print_json_string(row->dev);
	if (row->vlan)
		printf(",\"vlan\":%u", row->vlan);
	printf(",\"saddr\":\"%s\",\"daddr\":\"%s\",\"protocol\":\"%s\"",
	       row->saddr, row->daddr, row->protocol);
	if (row->icmp)
		printf(",\"type\":%u,\"code\":%u,\"id\":%u", row->high >> 8,
		       row->high & 0xff, row->low);
	else if (row->spi)
		printf(",\"spi\":\"%#010x\"", row->spi);
	else
		printf(",\"sport\":%u,\"dport\":%u", row->high, row->low);
	if (row->key->sa)
		printf(",\"reqid\":%u", row->key->sa - 1);
	printf(",\"dscp\":%u,\"packets\":%llu,\"bytes\":%llu}", row->dscp,
	       row->value->packets, row->value->bytes);
}

#define COLUMNS	"%-15s %-8s %-15s %-15s %-16s"

static void print_text_row(const struct flow_row *row, bool first)
{
	char detail[32], dev[IF_NAMESIZE + 8];

	if (row->vlan)
		snprintf(dev, sizeof(dev), "%s.%u", row->dev, row->vlan);
	else
		snprintf(dev, sizeof(dev), "%s", row->dev);
	if (first)
		printf(COLUMNS " %4s %12s %14s\n", "DEV", "PROTOCOL", "SOURCE",
		       "DESTINATION", "PORTS", "DSCP", "PACKETS", "BYTES");
	if (row->icmp)
		snprintf(detail, sizeof(detail), "%u/%u id %u", row->high >> 8,
			 row->high & 0xff, row->low);
	else if (row->spi)
		snprintf(detail, sizeof(detail), "SPI %#010x", row->spi);
	else
		snprintf(detail, sizeof(detail), "%u > %u", row->high,
			 row->low);
	printf(COLUMNS " %4u %12llu %14llu\n", dev, row->protocol,
	       row->saddr, row->daddr, detail, row->dscp, row->value->packets,
	       row->value->bytes);
}

/* The programs' own: no packet counts for it. */
static bool for_new_states(const struct xdp_xfrm_key *key)
{
	return key->protocol == IPPROTO_ESP && key->sa == XDP_XFRM_ANY_SPI;
}

struct printing {
	bool	json;
	bool	begun;
};

static void print_flow(const struct xdp_xfrm_key *key,
		       const struct flow_value *value, void *arg)
{
	struct printing *printing = arg;
	struct flow_row row;

	if (for_new_states(key))
		return;
	fill_row(&row, key, value);
	if (printing->json)
		print_json_row(&row, !printing->begun);
	else
		print_text_row(&row, !printing->begun);
	printing->begun = true;
}

int cmd_flows(const struct options *opts, int argc, char **argv)
{
	struct printing printing = { .json = opts->json };
	int fd, err;
	__u32 id;

	(void)argc;
	(void)argv;
	if (probe_root())
		return -1;

	fd = flow_map_open(&id, NULL);
	if (fd < 0)
		return fail(FLOWS_PIN, "%s; run xdp_xfrm start", reason(fd));

	if (opts->json)
		putchar('[');
	err = flow_map_each(fd, print_flow, &printing);
	if (opts->json)
		puts("]");
	close(fd);
	return err ? fail(FLOWS_PIN, "cannot be read: %s", reason(err)) : 0;
}
