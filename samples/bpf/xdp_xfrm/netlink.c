// SPDX-License-Identifier: GPL-2.0
/* The XDP programs of several devices, changed in one system call: it cannot be
 * interrupted between two of them.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "tool.h"

/* More than the kernel needs for the answer to one request */
#define ANSWER_SIZE	4096

union answer {
	struct nlmsghdr	header;
	char		bytes[ANSWER_SIZE];
};

struct request {
	struct nlmsghdr		header;
	struct ifinfomsg	link;
	struct rtattr		xdp;
	struct rtattr		fd_attr;
	__s32			fd;
	struct rtattr		expected_attr;
	__s32			expected;
	struct rtattr		flags_attr;
	__u32			flags;
};

static void fill_request(struct request *request,
			 const struct xdp_change *change, __u32 seq)
{
	struct rtattr attr = { .rta_len = RTA_LENGTH(sizeof(__u32)) };

	request->header.nlmsg_len = sizeof(*request);
	request->header.nlmsg_type = RTM_SETLINK;
	request->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	request->header.nlmsg_seq = seq;
	request->link.ifi_index = change->ifindex;

	request->xdp.rta_type = IFLA_XDP | NLA_F_NESTED;
	request->xdp.rta_len = sizeof(*request) -
			       offsetof(struct request, xdp);
	request->fd_attr = attr;
	request->fd_attr.rta_type = IFLA_XDP_FD;
	request->fd = change->fd;
	request->expected_attr = attr;
	request->expected_attr.rta_type = IFLA_XDP_EXPECTED_FD;
	request->expected = change->expected;
	request->flags_attr = attr;
	request->flags_attr.rta_type = IFLA_XDP_FLAGS;
	request->flags = change->mode |
			 (change->expected < 0 ? XDP_FLAGS_UPDATE_IF_NOEXIST :
						 XDP_FLAGS_REPLACE);
}

/* Room for all answers, for the kernel does not wait until they are read. */
static int open_socket(int count)
{
	int one = 1, size = (count + 1) * ANSWER_SIZE;
	int fd;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size))) {
		size = -errno;
		close(fd);
		return size;
	}
	return fd;
}

static int send_requests(int fd, const struct xdp_change *changes, int count)
{
	struct request *requests;
	int err = 0;
	int i;

	requests = calloc(count, sizeof(*requests));
	if (!requests)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		fill_request(&requests[i], &changes[i], i);
	if (send(fd, requests, count * sizeof(*requests), 0) < 0)
		err = -errno;
	free(requests);
	return err;
}

/* The kernel's own words follow the error. */
static void copy_words(struct xdp_change *change, struct nlmsghdr *header)
{
	struct nlmsgerr *error = NLMSG_DATA(header);
	int len = header->nlmsg_len - NLMSG_LENGTH(sizeof(*error));
	struct rtattr *attr = (void *)(error + 1);

	if (!(header->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	for (; RTA_OK(attr, len); attr = RTA_NEXT(attr, len)) {
		if (attr->rta_type == NLMSGERR_ATTR_MSG)
			snprintf(change->words, sizeof(change->words), "%.*s",
				 (int)RTA_PAYLOAD(attr),
				 (const char *)RTA_DATA(attr));
	}
}

static int read_answer(int fd, struct xdp_change *changes, int count)
{
	struct xdp_change *change;
	struct nlmsghdr *header;
	struct nlmsgerr *error;
	union answer answer;
	ssize_t len;

	len = recv(fd, &answer, sizeof(answer), 0);
	if (len < 0)
		return -errno;
	header = &answer.header;
	if (!NLMSG_OK(header, len) || header->nlmsg_type != NLMSG_ERROR ||
	    header->nlmsg_len < NLMSG_LENGTH(sizeof(*error)) ||
	    header->nlmsg_seq >= (__u32)count)
		return -EBADMSG;

	error = NLMSG_DATA(header);
	change = &changes[header->nlmsg_seq];
	change->err = error->error;
	if (error->error)
		copy_words(change, header);
	return 0;
}

/* Each change succeeds or fails by itself and has its @err. Reports nothing. */
void xdp_change_all(struct xdp_change *changes, int count)
{
	int fd, err, i;

	fd = open_socket(count);
	err = fd < 0 ? fd : send_requests(fd, changes, count);
	for (i = 0; i < count; i++) {
		changes[i].err = err;
		changes[i].words[0] = '\0';
	}
	for (i = 0; i < count && !err; i++)
		err = read_answer(fd, changes, count);
	/* Not known: what has no answer counts as failed. */
	for (i = 0; i < count && err; i++)
		changes[i].err = err;
	if (fd >= 0)
		close(fd);
}
