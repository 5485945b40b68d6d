// SPDX-License-Identifier: GPL-2.0
/* The devices of the command line: all of them are changed, or none. */

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>

#include "tool.h"

void devices_free(struct device *devices, int count)
{
	while (count--)
		attached_put(&devices[count].before);
	free(devices);
}

static int device_find(struct device *device)
{
	int err;

	device->ifindex = if_nametoindex(device->name);
	if (!device->ifindex)
		return fail(device->name, "%s; see ip link", reason(errno));

	err = attached_get(device->ifindex, &device->before);
	if (err)
		return fail(device->name,
			    "cannot tell its XDP program: %s; see ip -d link",
			    reason(err));
	if (device->before.id && !device->before.flow_map)
		return fail(device->name,
			    "has another XDP program, %s (id %u); detach that first",
			    device->before.name, device->before.id);
	return 0;
}

static int check_twice(const struct device *devices, int count)
{
	int i;

	for (i = 0; i < count - 1; i++) {
		if (devices[i].ifindex == devices[count - 1].ifindex)
			return fail(devices[count - 1].name,
				    "is given twice; give it once");
	}
	return 0;
}

/* Find all devices before anything is done to one of them. */
struct device *devices_find(int count, char **names)
{
	struct device *devices;
	int i;

	devices = calloc(count, sizeof(*devices));
	if (!devices) {
		fail("memory", "%s; give fewer devices", reason(errno));
		return NULL;
	}

	for (i = 0; i < count; i++) {
		devices[i].before.fd = -1;
		devices[i].name = names[i];
	}
	for (i = 0; i < count; i++) {
		if (device_find(&devices[i]) || check_twice(devices, i + 1)) {
			devices_free(devices, count);
			return NULL;
		}
	}
	return devices;
}

/* The opposite of @changes; the kernel refuses it where there was no change. */
static void undo(const struct device *devices, struct xdp_change *changes,
		 int count)
{
	int i, fd, err;

	for (i = 0; i < count; i++) {
		fd = changes[i].fd;
		changes[i].fd = changes[i].expected;
		changes[i].expected = fd;
	}
	xdp_change_all(changes, count);
	for (i = 0; i < count; i++) {
		err = changes[i].err;
		if (err && err != -EEXIST && err != -EBUSY && err != -ENODEV)
			fail(devices[i].name,
			     "cannot be set back: %s; see ip -d link",
			     reason(err));
	}
}

/* Put program @fd, -1 for none, on all devices, or on none. @report says what is
 * to be done about an error, and returns 0 if that is none.
 */
int devices_change(const struct device *devices, int count, int fd, __u32 mode,
		   int (*report)(const struct device *device, int err,
				 __u32 mode))
{
	struct xdp_change *changes;
	int err = 0;
	int i;

	changes = calloc(count, sizeof(*changes));
	if (!changes)
		return fail("memory", "%s; give fewer devices", reason(errno));
	for (i = 0; i < count; i++) {
		changes[i].ifindex = devices[i].ifindex;
		changes[i].fd = fd;
		changes[i].expected = devices[i].before.fd;
		changes[i].mode = mode ?: devices[i].before.mode;
	}

	xdp_change_all(changes, count);
	for (i = 0; i < count; i++) {
		if (!changes[i].err)
			continue;
		kernel_said(changes[i].words);
		if (report(&devices[i], changes[i].err, mode))
			err = -1;
	}
	if (err)
		undo(devices, changes, count);

	free(changes);
	return err;
}
