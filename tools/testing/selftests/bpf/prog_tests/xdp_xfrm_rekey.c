// SPDX-License-Identifier: GPL-2.0
/* bpf_xdp_xfrm_lookup() on the way in: what comes by a new state takes the flows that
 * were learned by the old one, if nobody could tell the two apart; and its errnos there.
 *
 * B sends to A, as in xdp_xfrm_topology.h but the other way: its stack encrypts. The
 * program runs on wan0 of the gateway.
 */

#include <linux/if_link.h>

#include "xdp_xfrm_topology.h"
#include "xdp_xfrm_rekey.skel.h"

#define IN_STATE	"src 192.0.2.2 dst 192.0.2.1 proto esp spi "
#define IN_POLICY	"src 10.2.0.0/16 dst 10.1.0.0/16 dir "
#define IN_TMPL		" tmpl src 192.0.2.2 dst 192.0.2.1 proto esp "
#define IN_MODE		"reqid 1 mode tunnel\n"
#define IN_ADD(spi, more) \
	"xfrm state add " IN_STATE spi ESP_MODE more " " ESP_CIPHER
#define LARVAL		"src 192.0.2.2 dst 192.0.2.1 proto esp mode tunnel reqid 1 " \
			"min 0x2ffe max 0x2ffe"
#define IN_DEL(spi)	"xfrm state delete " IN_STATE spi "\n"

static struct xdp_xfrm_rekey *skel;
static int from = -1, to = -1;
static int lan, wan;

static bool gateway(const char *commands)
{
	return ip_ok(NS_GATEWAY, commands);
}

static int sender(void)
{
	struct nstoken *tok = open_netns(NS_B);
	int fd;

	if (!tok)
		return -1;
	fd = start_server(AF_INET, SOCK_DGRAM, ADDR_B, 0, 0);
	close_netns(tok);
	return fd;
}

static int host(void)
{
	struct nstoken *tok = open_netns(NS_A);
	int fd;

	if (!tok)
		return -1;
	fd = start_server(AF_INET, SOCK_DGRAM, ADDR_A, UDP_PORT, 1000);
	close_netns(tok);
	return fd;
}

/* One datagram from B. Did A get it? */
static bool arrives(void)
{
	static __u32 number;
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(UDP_PORT),
		.sin_addr.s_addr = inet_addr(ADDR_A),
	};
	__u32 got;

	number++;
	skel->bss->outer_error = 1;
	skel->bss->inner_error = 1;
	if (!ASSERT_EQ(sendto(from, &number, sizeof(number), 0,
			      (struct sockaddr *)&addr, sizeof(addr)),
		       sizeof(number), "send"))
		return false;
	return recv(to, &got, sizeof(got), 0) == sizeof(got) && got == number;
}

/* Datagrams until both flows are there, of the state in use. */
static bool learn(void)
{
	__u64 none = 0, added = skel->bss->added;
	__u32 key;
	int i;

	for (key = 0; key < 2; key++) {
		if (!ASSERT_OK(bpf_map__update_elem(skel->maps.kept, &key,
						    sizeof(key), &none,
						    sizeof(none), BPF_ANY),
			       "give a flow back"))
			return false;
	}
	for (i = 0; i < 20; i++) {
		if (READ_ONCE(skel->bss->added) >= added + 2)
			return true;
		if (!ASSERT_TRUE(arrives(), "arrives by the stack"))
			return false;
		usleep(10000);
	}
	return ASSERT_GE(skel->bss->added, added + 2, "flows learned");
}

/* The first state, the only one, and its flows. */
static bool start(const char *state)
{
	return gateway("xfrm state deleteall src 192.0.2.2\n") &&
	       ip_ok(NS_B, "xfrm state deleteall src 192.0.2.2\n") &&
	       gateway(state) && ip_ok(NS_B, IN_ADD("0x2001", "")) && learn();
}

/* B and the gateway go over to the second state; the gateway by @add. */
static bool rekey(const char *add)
{
	return gateway(add) && ip_ok(NS_B, IN_ADD("0x2002", "") IN_DEL("0x2001"));
}

/* No packet takes the stack. */
static void replaced(void)
{
	long learned, lookups, forwarded, offers;
	int i;

	if (!start(IN_ADD("0x2001", "")))
		return;
	offers = gateway_stat("XfrmXdpOffer");
	learned = gateway_stat("XfrmXdpLearned");
	lookups = gateway_stat("XfrmXdpLookup");
	forwarded = gateway_stat("XfrmXdpForward");

	if (!rekey(IN_ADD("0x2002", "")))
		return;
	ASSERT_TRUE(arrives(), "first of the new state");
	ASSERT_EQ(skel->bss->outer_error, 0, "ESP: lookup");
	ASSERT_EQ(skel->bss->inner_error, 0, "inside: lookup");
	for (i = 0; i < 4; i++)
		ASSERT_TRUE(arrives(), "more of it");
	ASSERT_EQ(gateway_stat("XfrmXdpForward") - forwarded, 5, "XfrmXdpForward");
	ASSERT_EQ(gateway_stat("XfrmXdpLookup") - lookups, 2, "XfrmXdpLookup");
	ASSERT_EQ(gateway_stat("XfrmXdpOffer") - offers, 0, "XfrmXdpOffer");
	ASSERT_EQ(gateway_stat("XfrmXdpLearned") - learned, 0, "XfrmXdpLearned");
	if (!gateway(IN_DEL("0x2001")))
		return;
	ASSERT_TRUE(arrives(), "after the old state was deleted");
	ASSERT_EQ(gateway_stat("XfrmXdpForward") - forwarded, 6, "XfrmXdpForward");
}

/* A second state that policies or routes could tell from the first. */
static void different(void)
{
	static const struct {
		const char	*name;
		const char	*first;
		const char	*second;
		int		outer;
		bool		arrives;
	} tests[] = {
		{ "selector", IN_ADD("0x2001", ""),
		  IN_ADD("0x2002", "sel src 10.2.0.0/16 dst 10.1.0.0/16"), 0, true },
		{ "mark of what is inside", IN_ADD("0x2001", ""),
		  IN_ADD("0x2002", "output-mark 7"), 0, true },
		{ "mark of what was inside", IN_ADD("0x2001", "output-mark 7"),
		  IN_ADD("0x2002", ""), -EOPNOTSUPP, true },
		{ "xfrm interface", IN_ADD("0x2001", ""), IN_ADD("0x2002", "if_id 9"),
		  -EOPNOTSUPP, true },
		{ "reqid", IN_ADD("0x2001", ""),
		  "xfrm state add " IN_STATE "0x2002 reqid 2 mode tunnel " ESP_CIPHER,
		  0, false },
	};
	long forwarded;
	int i;

	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		if (!start(tests[i].first) || !rekey(tests[i].second))
			return;
		forwarded = gateway_stat("XfrmXdpForward");
		ASSERT_EQ(arrives(), tests[i].arrives, tests[i].name);
		ASSERT_EQ(skel->bss->outer_error, tests[i].outer, tests[i].name);
		if (!tests[i].outer)
			ASSERT_EQ(skel->bss->inner_error, -EACCES, tests[i].name);
		ASSERT_EQ(gateway_stat("XfrmXdpForward"), forwarded,
			  "what is inside: by the stack");
	}
}

/* The policy wants this SPI and no other. */
static void named(void)
{
	if (!gateway("xfrm policy update " IN_POLICY "fwd" IN_TMPL "spi 0x2001 "
		     IN_MODE))
		return;
	if (start(IN_ADD("0x2001", "")) && rekey(IN_ADD("0x2002", ""))) {
		ASSERT_FALSE(arrives(), "another SPI than the policy's");
		ASSERT_EQ(skel->bss->inner_error, -EACCES,
			  "another SPI than the policy's");
	}
	gateway("xfrm policy update " IN_POLICY "fwd" IN_TMPL IN_MODE);
}

/* A frame with an ESP header, or what else is in the place of one. */
static struct frame esp_frame(const char *saddr, __u8 protocol, __u32 spi)
{
	static const __u8 mac_wan[] = { 2, 0, 0, 0, 0, 1 };
	struct frame frame = frame_make(0);
	__be32 ports = htonl(spi);

	memcpy(frame.eth.h_dest, mac_wan, ETH_ALEN);
	frame.iph.saddr = inet_addr(saddr);
	frame.iph.daddr = inet_addr("192.0.2.1");
	frame.iph.protocol = protocol;
	memcpy(&frame.udp, &ports, sizeof(ports));
	frame_checksum(&frame);
	return frame;
}

static int outer_errno(struct frame frame, int ifindex)
{
	skel->bss->outer_error = 1;
	if (!ASSERT_OK(frame_run(skel->progs.ask_outer, &frame, sizeof(frame),
				 ifindex, false), "run"))
		return 1;
	return skel->bss->outer_error;
}

static int offer_errno(__u32 spi)
{
	struct frame frame = esp_frame("192.0.2.2", IPPROTO_ESP, spi);

	skel->bss->offer_ret = 1;
	frame_run(skel->progs.offer_outer, &frame, sizeof(frame), wan, false);
	return skel->bss->offer_ret;
}

static int spi_errno(__u32 spi)
{
	return outer_errno(esp_frame("192.0.2.2", IPPROTO_ESP, spi), wan);
}

/* A rule for ports looks at the SPI. */
static void ruled(void)
{
	if (!gateway("rule add sport 1-2 lookup main\n"))
		return;
	if (start(IN_ADD("0x2001", "")))
		ASSERT_EQ(spi_errno(0x2001), -EOPNOTSUPP, "a rule for ports");
	gateway("rule del sport 1-2 lookup main\n");
}

/* Where GRO decrypts there are other flows. */
static void gro(void)
{
	SYS(out, "ip netns exec " NS_GATEWAY " ethtool -K wan0 gro on");
	if (!start(IN_ADD("0x2001", "")))
		return;
	ASSERT_EQ(spi_errno(0x2001), 0, "without GRO");
	SYS(out, "modprobe esp4_offload");
	ASSERT_EQ(spi_errno(0x2001), -EXDEV, "GRO has come");
	SYS(out, "modprobe -r esp4_offload");
	ASSERT_EQ(spi_errno(0x2001), 0, "GRO has gone");
out:
	return;
}

/* A mark that rules may ask for, on the connection of the ESP packets. */
static void connection(void)
{
	SYS(out, "ip netns exec " NS_GATEWAY " nft 'table ip filter { "
	    "chain raw { type filter hook prerouting priority -300; "
	    "ip protocol udp notrack; }; "
	    "chain input { type filter hook input priority 0; "
	    "ct state established,new accept; }; }'");
	/* conntrack does not know the first ESP packet, and one a second is offered */
	ASSERT_TRUE(arrives(), "arrives by the stack");
	usleep(1100000);
	if (!start(IN_ADD("0x2001", "")))
		goto out;
	ASSERT_EQ(spi_errno(0x2001), 0, "as it was");
	SYS(out, "ip netns exec " NS_GATEWAY
	    " conntrack -U -s 192.0.2.2 -d 192.0.2.1 --mark 7 >/dev/null 2>&1");
	ASSERT_EQ(spi_errno(0x2001), -EPERM, "with a mark");
out:
	SYS_NOFAIL("ip netns exec " NS_GATEWAY " nft delete table ip filter");
}

/* Then the packet is the stack's. */
static void sa_size(void)
{
	static const __u32 wrong[] = { 4, 12 };
	__u32 right = skel->data->sa_sz;
	int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		skel->data->sa_sz = wrong[i];
		ASSERT_TRUE(arrives(), "arrives by the stack");
		ASSERT_EQ(skel->bss->input_ret, -EINVAL, "size of the identity");
	}
	skel->data->sa_sz = right;
	ASSERT_TRUE(arrives(), "arrives");
	ASSERT_EQ(skel->bss->input_ret, 1, "right size");
}

static void errors(void)
{
	struct frame frame = esp_frame("192.0.2.2", IPPROTO_ESP, 0x2001);

	if (!start(IN_ADD("0x2001", "")))
		return;
	sa_size();
	ASSERT_EQ(spi_errno(0x2001), 0, "the state of the flow");
	ASSERT_EQ(outer_errno(frame, lan), -EXDEV, "other device");
	frame.iph.tos = 0x20;
	frame_checksum(&frame);
	ASSERT_EQ(outer_errno(frame, wan), -EPROTO, "other DSCP");
	frame.eth.h_proto = htons(ETH_P_IPV6);
	ASSERT_EQ(outer_errno(frame, wan), -EPROTO, "IPv6");
	ASSERT_EQ(outer_errno(esp_frame("192.0.2.9", IPPROTO_ESP, 0x2001), wan),
		  -EPROTO, "other address");
	ASSERT_EQ(outer_errno(esp_frame("192.0.2.2", IPPROTO_UDP, 0x2001), wan),
		  -EPROTO, "UDP");

	ASSERT_EQ(spi_errno(0x2fff), -ENOKEY, "no state");
	ASSERT_EQ(offer_errno(0x2fff), -ENOKEY, "no state");
	/* nothing is held for it: with a state it is offered at once */
	if (!gateway(IN_ADD("0x2fff", "")))
		return;
	ASSERT_EQ(offer_errno(0x2fff), 0, "offered");
	ASSERT_EQ(offer_errno(0x2fff), -EAGAIN, "offered a moment ago");
	ASSERT_EQ(spi_errno(0x2fff), -EAGAIN, "offered a moment ago");
	usleep(1100000);
	ASSERT_EQ(spi_errno(0x2fff), 0, "a state");

	SYS(out, "ip -n " NS_GATEWAY " xfrm state allocspi " LARVAL " >/dev/null");
	ASSERT_EQ(spi_errno(0x2ffe), -ENOKEY, "larval state");
	ASSERT_EQ(offer_errno(0x2ffe), -ENOKEY, "larval state");

	if (!gateway(IN_ADD("0x2ffd", "if_id 9")))
		return;
	ASSERT_EQ(spi_errno(0x2ffd), -EOPNOTSUPP, "of an xfrm interface");
	if (!gateway("xfrm state add " IN_STATE "0x2ffc reqid 1 mode transport "
		     ESP_CIPHER))
		return;
	ASSERT_EQ(spi_errno(0x2ffc), -EOPNOTSUPP, "transport mode");

	skel->bss->inner_error = 1;
	frame_run(skel->progs.ask_inner, &frame, sizeof(frame), wan, false);
	ASSERT_EQ(skel->bss->inner_error, -EACCES, "came in clear");

	if (!gateway("route add 10.2.0.2/32 via 192.0.2.2\n"))
		return;
	ASSERT_EQ(spi_errno(0x2001), -ESTALE, "routes changed");
	if (!gateway("link set lo down\nlink set lo up\n"))
		return;
	ASSERT_EQ(spi_errno(0x2001), -EPERM, "verdict has ended");
out:
	return;
}

static bool set_up(void)
{
	if (topology_up())
		return false;
	if (!gateway(IN_ADD("0x2001", "") "xfrm policy add " IN_POLICY "fwd" IN_TMPL
		     IN_MODE) ||
	    !ip_ok(NS_B, IN_ADD("0x2001", "") "xfrm policy add " IN_POLICY "out" IN_TMPL
		   IN_MODE))
		return false;
	lan = ns_ifindex(NS_GATEWAY, "lan0");
	wan = ns_ifindex(NS_GATEWAY, "wan0");

	skel->links.learn = ns_attach_ops(NS_GATEWAY, skel->maps.learn);
	if (!ASSERT_OK_PTR(skel->links.learn, "operations"))
		return false;
	skel->links.gateway = ns_attach_xdp(NS_GATEWAY, "wan0", skel->progs.gateway);
	if (!ASSERT_OK_PTR(skel->links.gateway, "attach to wan0"))
		return false;
	/* a device with XDP can be named in a test run */
	skel->links.offer_outer = ns_attach_xdp(NS_GATEWAY, "lan0", skel->progs.pass);
	if (!ASSERT_OK_PTR(skel->links.offer_outer, "attach to lan0"))
		return false;
	skel->links.pass = ns_attach_xdp(NS_A, "eth0", skel->progs.pass);
	if (!ASSERT_OK_PTR(skel->links.pass, "attach to A"))
		return false;

	from = sender();
	to = host();
	return ASSERT_OK_FD(from, "sender") && ASSERT_OK_FD(to, "receiver");
}

void serial_test_xdp_xfrm_rekey(void)
{
	skel = xdp_xfrm_rekey__open_and_load();
	if (!ASSERT_OK_PTR(skel, "load") || !set_up())
		goto out;

	if (test__start_subtest("replaced"))
		replaced();
	if (test__start_subtest("different"))
		different();
	if (test__start_subtest("named"))
		named();
	if (test__start_subtest("ruled"))
		ruled();
	if (test__start_subtest("gro"))
		gro();
	if (test__start_subtest("connection"))
		connection();
	if (test__start_subtest("errors"))
		errors();
out:
	xdp_xfrm_rekey__destroy(skel);
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	topology_down();
}
