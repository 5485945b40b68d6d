// SPDX-License-Identifier: GPL-2.0
/* States, policies and messages about limits, as XFRM's netlink tells them.
 *
 * All bytes must be equal but for times: when a thing was made is not compared, and
 * when it was last used may be two seconds apart, as the twins get a packet one after
 * the other.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "twin.h"

#define MESSAGES_MAX	(1 << 17)
#define APART_MAX	2

struct messages {
	unsigned int len;
	uint8_t data[MESSAGES_MAX] __attribute__((aligned(8)));
};

static int dump_fd[TWINS], expire_fd[TWINS];
static struct messages seen[TWINS];

static int netlink(unsigned int groups)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("netlink of XFRM: %s", strerror(errno));
	return fd;
}

void states_open(enum twin twin)
{
	dump_fd[twin] = netlink(0);
	expire_fd[twin] = netlink(1 << (XFRMNLGRP_EXPIRE - 1));
}

/* Appends a datagram's messages; false at the end of a dump or if there is nothing. */
static bool receive(int fd, int flags, struct messages *messages)
{
	struct nlmsghdr *nlh = (void *)(messages->data + messages->len);
	ssize_t len = recv(fd, nlh, sizeof(messages->data) - messages->len, flags);

	if (len < 0 && errno == EAGAIN)
		return false;
	if (len < 0 || nlh->nlmsg_type == NLMSG_ERROR)
		die("netlink of XFRM: %s", strerror(errno));
	if (nlh->nlmsg_type == NLMSG_DONE)
		return false;
	for (; NLMSG_OK(nlh, len); nlh = NLMSG_NEXT(nlh, len)) {
		if (nlh->nlmsg_type == NLMSG_DONE)
			return false;
		messages->len += NLMSG_ALIGN(nlh->nlmsg_len);
	}
	return true;
}

static void dump(enum twin twin, int type, struct messages *messages)
{
	struct nlmsghdr request = {
		.nlmsg_len = NLMSG_LENGTH(0),
		.nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
	};

	messages->len = 0;
	if (send(dump_fd[twin], &request, request.nlmsg_len, 0) < 0)
		die("netlink of XFRM: %s", strerror(errno));
	while (receive(dump_fd[twin], 0, messages))
		;
}

/* Of the fixed part of a message: its length, and where it has its lifetimes. */
static bool layout(int type, unsigned int *fixed, unsigned int *lifetime)
{
	*lifetime = offsetof(struct xfrm_usersa_info, curlft);
	switch (type) {
	case XFRM_MSG_NEWSA:
		*fixed = sizeof(struct xfrm_usersa_info);
		return true;
	case XFRM_MSG_EXPIRE:
		*fixed = sizeof(struct xfrm_user_expire);
		return true;
	case XFRM_MSG_NEWPOLICY:
		*fixed = sizeof(struct xfrm_userpolicy_info);
		*lifetime = offsetof(struct xfrm_userpolicy_info, curlft);
		return true;
	}
	return false;
}

static unsigned int compare_times(const char *what, const char *name, uint64_t off, uint64_t on)
{
	int64_t apart = on - off;

	if (!off == !on && apart <= APART_MAX && apart >= -APART_MAX)
		return 0;
	report("  %s: %s in twin on is %lld s later", what, name, (long long)apart);
	return 1;
}

static unsigned int compare_lifetimes(const char *what, uint8_t *off, uint8_t *on)
{
	struct xfrm_lifetime_cur a, b;
	unsigned int differences;

	memcpy(&a, off, sizeof(a));
	memcpy(&b, on, sizeof(b));
	differences = compare_times(what, "time of use", a.use_time, b.use_time);
	if (a.bytes != b.bytes || a.packets != b.packets) {
		report("  %s: off %llu bytes, %llu packets; on %llu bytes, %llu packets", what,
		       a.bytes, a.packets, b.bytes, b.packets);
		differences++;
	}
	memset(off, 0, sizeof(a));
	memset(on, 0, sizeof(b));
	return differences;
}

static unsigned int compare_attributes(const char *what, const uint8_t *off, const uint8_t *on,
				       unsigned int len)
{
	const struct nlattr *a = (const void *)off, *b = (const void *)on;
	unsigned int differences = 0, at;
	char name[96];
	uint64_t u[TWINS];

	for (at = 0; at + NLA_HDRLEN <= len; at += NLA_ALIGN(a->nla_len)) {
		a = (const void *)(off + at);
		b = (const void *)(on + at);
		if (a->nla_len != b->nla_len || a->nla_type != b->nla_type || !a->nla_len) {
			report("  %s: other attributes", what);
			return differences + 1;
		}
		if (a->nla_type == XFRMA_LASTUSED) {
			memcpy(&u[OFF], off + at + NLA_HDRLEN, sizeof(uint64_t));
			memcpy(&u[ON], on + at + NLA_HDRLEN, sizeof(uint64_t));
			differences += compare_times(what, "last use", u[OFF], u[ON]);
			continue;
		}
		if (!memcmp(off + at, on + at, a->nla_len))
			continue;
		snprintf(name, sizeof(name), "%s: attribute %u", what, a->nla_type);
		report_bytes(name, off + at + NLA_HDRLEN, on + at + NLA_HDRLEN,
			     a->nla_len - NLA_HDRLEN);
		differences++;
	}
	return differences;
}

static unsigned int compare_message(const char *kind, unsigned int n, struct nlmsghdr *off,
				    struct nlmsghdr *on)
{
	unsigned int differences, fixed, lifetime;
	uint8_t *a = NLMSG_DATA(off), *b = NLMSG_DATA(on);
	char what[64];

	snprintf(what, sizeof(what), "%s %u", kind, n);
	if (off->nlmsg_type != on->nlmsg_type || off->nlmsg_len != on->nlmsg_len ||
	    !layout(off->nlmsg_type, &fixed, &lifetime)) {
		report("  %s: messages %u and %u of %u and %u bytes", what, off->nlmsg_type,
		       on->nlmsg_type, off->nlmsg_len, on->nlmsg_len);
		return 1;
	}
	differences = compare_lifetimes(what, a + lifetime, b + lifetime);
	if (memcmp(a, b, fixed)) {
		report_bytes(what, a, b, fixed);
		differences++;
	}
	fixed = NLMSG_ALIGN(fixed);
	return differences + compare_attributes(what, a + fixed, b + fixed,
						off->nlmsg_len - NLMSG_HDRLEN - fixed);
}

static unsigned int compare_messages(const char *kind)
{
	struct nlmsghdr *off = (void *)seen[OFF].data, *on = (void *)seen[ON].data;
	unsigned int differences = 0, n;
	int off_len = seen[OFF].len, on_len = seen[ON].len;

	for (n = 1; NLMSG_OK(off, off_len) && NLMSG_OK(on, on_len); n++) {
		differences += compare_message(kind, n, off, on);
		off = NLMSG_NEXT(off, off_len);
		on = NLMSG_NEXT(on, on_len);
	}
	if (off_len > 0 || on_len > 0) {
		report("  %s: twin %s has more than %u", kind, off_len > 0 ? "off" : "on", n - 1);
		differences++;
	}
	return differences;
}

/* Messages about limits since the last time; true if there were any. */
static bool read_expiry(void)
{
	int twin;

	for (twin = 0; twin < TWINS; twin++) {
		seen[twin].len = 0;
		while (receive(expire_fd[twin], MSG_DONTWAIT, &seen[twin]))
			;
	}
	return seen[OFF].len || seen[ON].len;
}

void states_begin(void)
{
	read_expiry();
}

/* Prints what differs; returns how much does. */
unsigned int states_compare(void)
{
	static const struct {
		const char *kind;
		int type;
	} dumps[] = { { "state", XFRM_MSG_GETSA }, { "policy", XFRM_MSG_GETPOLICY } };
	unsigned int i, differences = 0;
	int twin;

	for (i = 0; i < ARRAY_SIZE(dumps); i++) {
		for (twin = 0; twin < TWINS; twin++)
			dump(twin, dumps[i].type, &seen[twin]);
		differences += compare_messages(dumps[i].kind);
	}
	totals.expired += read_expiry();
	return differences + compare_messages("message about a limit");
}
