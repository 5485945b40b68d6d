// SPDX-License-Identifier: GPL-2.0
/* Packet sockets on the peers of the gateways' devices. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "twin.h"

#define RECEIVE_BUFFER	(64 << 20)

static const char * const dev_name[WIRES] = { "lan0p", "wan0p" };

static struct pollfd wires[TWINS * WIRES];

static void option(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		die("socket option %d: %s", name, strerror(errno));
}

static int wire_open(const char *dev)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(dev),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || !addr.sll_ifindex)
		die("packet socket on %s: %s", dev, strerror(errno));
	option(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER);
	option(fd, SOL_PACKET, PACKET_AUXDATA, 1);
	option(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	option(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("bind to %s: %s", dev, strerror(errno));
	return fd;
}

void wires_open(enum twin twin)
{
	int wire;

	for (wire = 0; wire < WIRES; wire++) {
		wires[twin * WIRES + wire].fd = wire_open(dev_name[wire]);
		wires[twin * WIRES + wire].events = POLLIN;
	}
}

/**
 * wire_send() - send a frame to a gateway
 * @twin: which
 * @wire: to which of its devices
 * @data: frame
 * @len: its length
 *
 * Return: 0, or an errno: what the device refuses is refused here.
 */
int wire_send(enum twin twin, enum wire wire, const uint8_t *data, size_t len)
{
	return send(wires[twin * WIRES + wire].fd, data, len, 0) < 0 ? errno : 0;
}

static void read_tag(struct msghdr *msg, struct capture *capture)
{
	struct tpacket_auxdata aux;
	struct cmsghdr *cmsg;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_PACKET || cmsg->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(cmsg), sizeof(aux));
		capture->tagged = aux.tp_status & TP_STATUS_VLAN_VALID;
		capture->tci = capture->tagged ? aux.tp_vlan_tci : 0;
		capture->tpid = capture->tagged ? aux.tp_vlan_tpid : 0;
	}
}

static bool wire_receive(int fd, struct capture *capture)
{
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec iov = { capture->data, sizeof(capture->data) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(fd, &msg, 0);

	if (len < 0 && (errno == EAGAIN || errno == ENETDOWN))
		return false;
	if (len < 0)
		die("receiving: %s", strerror(errno));
	if (msg.msg_flags & MSG_TRUNC)
		die("a frame longer than %d", FRAME_MAX);
	capture->len = len;
	capture->tagged = false;
	read_tag(&msg, capture);
	return true;
}

void wires_drain(int msec, void (*take)(enum twin, enum wire, const struct capture *))
{
	static struct capture capture;
	unsigned int i;

	while (poll(wires, ARRAY_SIZE(wires), msec) > 0) {
		for (i = 0; i < ARRAY_SIZE(wires); i++) {
			if (!wires[i].revents)
				continue;
			while (wire_receive(wires[i].fd, &capture))
				take(i / WIRES, i % WIRES, &capture);
		}
	}
}

/* Frames that the sockets had no room for since the last time. */
unsigned int wires_lost(void)
{
	unsigned int i, lost = 0;

	for (i = 0; i < ARRAY_SIZE(wires); i++) {
		struct tpacket_stats stats;
		socklen_t len = sizeof(stats);

		if (getsockopt(wires[i].fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len))
			die("packet statistics: %s", strerror(errno));
		lost += stats.tp_drops;
	}
	return lost;
}
