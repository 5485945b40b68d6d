// SPDX-License-Identifier: GPL-2.0
/* load and unload: the XDP program of devices. */

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>

#include "tool.h"

/**
 * struct device - a device of the command line
 * @name: its name
 * @ifindex: its index
 * @before: the program it had
 */
struct device {
	const char	*name;
	int		ifindex;
	struct attached	before;
};

static void devices_free(struct device *devices, int count)
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

/* Find all devices before anything is done to one of them. */
static struct device *devices_find(int count, char **names)
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
		if (device_find(&devices[i])) {
			devices_free(devices, count);
			return NULL;
		}
	}
	return devices;
}

/* Put program @fd on a device in place of @old; -1 for none. */
static int replace(const struct device *device, int fd, int old, __u32 mode)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts);

	if (old < 0)
		return bpf_xdp_attach(device->ifindex, fd,
				      mode | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
	opts.old_prog_fd = old;
	return bpf_xdp_attach(device->ifindex, fd, mode, &opts);
}

static int attach(const struct device *device, int fd, __u32 mode)
{
	int err;

	if (device->before.id && device->before.mode != mode)
		return fail(device->name,
			    "has the program in %s mode; run xdp_xfrm unload %s first",
			    mode == XDP_FLAGS_DRV_MODE ? "skb" : "native",
			    device->name);

	err = replace(device, fd, device->before.fd, mode);
	switch (err) {
	case 0:
		return 0;
	case -EOPNOTSUPP:
		return fail(device->name, "%s; %s", reason(err),
			    mode == XDP_FLAGS_DRV_MODE ?
			    "if the driver has no native XDP, use --skb-mode" :
			    "see ip -d link show");
	case -EBUSY:
	case -EEXIST:
		return fail(device->name, "%s; detach what is there first",
			    reason(err));
	}
	return fail(device->name,
		    "%s; see the driver's limits on MTU and queues",
		    reason(err));
}

/* All devices get the program, or none. */
static int attach_all(struct device *devices, int count, int fd, __u32 mode)
{
	int i;

	for (i = 0; i < count; i++) {
		if (attach(&devices[i], fd, mode))
			break;
	}
	if (i == count)
		return 0;

	while (i--)
		replace(&devices[i], devices[i].before.fd, fd, mode);
	return -1;
}

static int ask_ethtool(const struct device *device, void *request)
{
	struct ifreq ifr = { .ifr_data = request };
	int fd, err;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", device->name);
	err = ioctl(fd, SIOCETHTOOL, &ifr);
	close(fd);
	return err;
}

/* With the tag stripped two VLANs look the same to native XDP: the kernel learns
 * no flow of such a device. Only veth marks a packet that had a tag.
 */
static bool hides_vlans(const struct device *device)
{
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };

	return !ask_ethtool(device, &flags) && flags.data & ETH_FLAG_RXVLAN &&
	       !ask_ethtool(device, &driver) && strcmp(driver.driver, "veth");
}

static void check_learning(const struct device *devices, int count,
			   const char *pin, __u32 mode)
{
	int i;

	if (access(pin, F_OK))
		warn("this network namespace",
		     "nothing is learned yet, all packets pass; run xdp_xfrm start");

	for (i = 0; mode == XDP_FLAGS_DRV_MODE && i < count; i++) {
		if (hides_vlans(&devices[i]))
			warn(devices[i].name,
			     "strips VLAN tags, its flows will not be learned; run ethtool -K %s rxvlan off",
			     devices[i].name);
	}
}

static int load(const struct options *opts, struct device *devices, int count)
{
	__u32 mode = opts->skb_mode ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	struct bpf_program *program;
	struct bpf_object *obj;
	char pin[LEARN_PIN_LEN];
	struct pins pins;
	int err;

	if (learn_pin(pin) || pins_open(&pins))
		return -1;

	obj = object_load(&xdp_object, opts->flows);
	err = obj ? 0 : -1;
	if (!err) {
		program = bpf_object__find_program_by_name(obj, "xdp_xfrm");
		err = attach_all(devices, count, bpf_program__fd(program),
				 mode);
	}
	bpf_object__close(obj);
	if (!err)
		check_learning(devices, count, pin, mode);

	pins_close(&pins, err);
	return err;
}

int cmd_load(const struct options *opts, int argc, char **argv)
{
	struct device *devices;
	int err;

	if (probe_kernel())
		return -1;
	devices = devices_find(argc, argv);
	if (!devices)
		return -1;

	err = load(opts, devices, argc);
	devices_free(devices, argc);
	return err;
}

static int detach(struct device *device)
{
	int err;

	err = replace(device, -1, device->before.fd, device->before.mode);
	/* A program that is held open is one that uses the flow map. */
	attached_put(&device->before);
	if (err)
		return fail(device->name, "%s; see ip -d link", reason(err));
	return 0;
}

int cmd_unload(const struct options *opts, int argc, char **argv)
{
	struct device *devices;
	struct pins pins;
	int err = 0;
	int i;

	(void)opts;
	if (probe_root())
		return -1;
	devices = devices_find(argc, argv);
	if (!devices)
		return -1;

	for (i = 0; i < argc && !err; i++) {
		if (!devices[i].before.id)
			err = fail(devices[i].name,
				   "has no XDP program; see ip -d link");
	}
	if (err || pins_open(&pins)) {
		devices_free(devices, argc);
		return -1;
	}

	for (i = 0; i < argc; i++) {
		if (detach(&devices[i]))
			err = -1;
	}

	devices_free(devices, argc);
	pins_close(&pins, err);
	return err;
}
