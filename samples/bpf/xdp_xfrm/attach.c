// SPDX-License-Identifier: GPL-2.0
/* load and unload: the XDP program of devices. */

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <bpf/libbpf.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>

#include "tool.h"

static int report_attach(const struct device *device, int err, __u32 mode)
{
	switch (err) {
	case -EOPNOTSUPP:
		return fail(device->name, "%s; %s", reason(err),
			    mode == XDP_FLAGS_DRV_MODE ?
			    "if the driver has no native XDP, use --skb-mode" :
			    "see ip -d link show");
	case -EBUSY:
	case -EEXIST:
		return fail(device->name,
			    "%s; detach what is there first, see ip -d link and bpftool link",
			    reason(err));
	}
	return fail(device->name,
		    "%s; see the driver's limits on MTU and queues",
		    reason(err));
}

static int attach_all(const struct device *devices, int count, int fd,
		      __u32 mode)
{
	int i;

	for (i = 0; i < count; i++) {
		if (devices[i].before.id && devices[i].before.mode != mode)
			return fail(devices[i].name,
				    "has the program in %s mode; run xdp_xfrm unload %s first",
				    mode == XDP_FLAGS_DRV_MODE ? "skb" :
								 "native",
				    devices[i].name);
	}
	return devices_change(devices, count, fd, mode, report_attach);
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

static int load(const struct options *opts, const struct device *devices,
		int count)
{
	__u32 mode = opts->skb_mode ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	struct bpf_program *program;
	char pin[LEARN_PIN_LEN];
	struct bpf_object *obj;
	int err;

	if (learn_pin(pin))
		return -1;
	obj = object_load(&xdp_object, opts->flows);
	if (!obj)
		return -1;
	program = bpf_object__find_program_by_name(obj, "xdp_xfrm");
	err = attach_all(devices, count, bpf_program__fd(program), mode);
	bpf_object__close(obj);
	if (!err)
		check_learning(devices, count, pin, mode);
	return err;
}

/* Two calls at the same time must not both see what was there before. */
static int with_devices(const struct options *opts, int count, char **names,
			int (*change)(const struct options *opts,
				      const struct device *devices, int count))
{
	struct device *devices;
	struct bpffs bpffs;
	int err = -1;

	if (pins_open(&bpffs))
		return -1;
	devices = devices_find(count, names);
	if (devices) {
		err = change(opts, devices, count);
		/* A program that is held open is one that uses the flow map. */
		devices_free(devices, count);
	}
	pins_close(&bpffs, err);
	return err;
}

int cmd_load(const struct options *opts, int argc, char **argv)
{
	if (probe_kernel())
		return -1;
	return with_devices(opts, argc, argv, load);
}

static int report_detach(const struct device *device, int err, __u32 mode)
{
	(void)mode;
	/* The program went with the device. */
	if (err == -ENODEV)
		return 0;
	if (err == -EBUSY)
		return fail(device->name,
			    "%s; end who holds the BPF link, see bpftool link",
			    reason(err));
	return fail(device->name, "%s; see ip -d link", reason(err));
}

static int unload(const struct options *opts, const struct device *devices,
		  int count)
{
	int i;

	(void)opts;
	for (i = 0; i < count; i++) {
		if (!devices[i].before.id)
			return fail(devices[i].name,
				    "has no XDP program; see ip -d link");
	}
	return devices_change(devices, count, -1, 0, report_detach);
}

int cmd_unload(const struct options *opts, int argc, char **argv)
{
	if (probe_root())
		return -1;
	return with_devices(opts, argc, argv, unload);
}
