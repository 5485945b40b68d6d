// SPDX-License-Identifier: GPL-2.0
/* start and stop: the learning side of a network namespace.
 *
 * It is a struct_ops map, registered in the namespace of the caller. The kernel
 * keeps it registered until its element is deleted, so it is pinned to be found
 * again.
 */

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tool.h"
#include "xdp_xfrm.h"

/* Unregister the learning side with this pin, and remove the pin. */
static int unregister(const char *pin)
{
	const __u32 zero = 0;
	int fd, err;

	fd = bpf_obj_get(pin);
	if (fd < 0)
		return fd;
	err = bpf_map_delete_elem(fd, &zero);
	close(fd);
	/* Somebody else may have unregistered it. */
	if (err && err != -ENOENT && err != -EINPROGRESS)
		return err;
	return unlink(pin) ? -errno : 0;
}

static int pin_registered(int fd, const char *pin)
{
	int err;

	err = bpf_obj_pin(fd, pin);
	if (err != -EEXIST)
		return err;

	/* Nothing was registered here: the pin is of a namespace that has gone,
	 * and whose number this one has now.
	 */
	err = unregister(pin);
	return err ?: bpf_obj_pin(fd, pin);
}

static int start_learning(struct bpf_object *obj, const char *pin)
{
	struct bpf_link *link;
	struct bpf_map *map;
	int err;

	map = bpf_object__find_map_by_name(obj, "xdp_xfrm_learn");
	link = bpf_map__attach_struct_ops(map);
	err = libbpf_get_error(link);
	if (err == -EBUSY)
		return fail("this network namespace",
			    "learning already runs; run xdp_xfrm stop first");
	if (err)
		return fail("this network namespace",
			    "cannot register the learning side: %s; see the kernel log",
			    reason(err));

	err = pin_registered(bpf_map__fd(map), pin);
	if (err)
		fail(pin, "%s; remove what is there", reason(err));
	else
		bpf_link__disconnect(link);
	bpf_link__destroy(link);
	return err;
}

/* A program that was loaded where this bpffs is not seen has another map. */
static void check_devices(void)
{
	struct if_nameindex *devices, *dev;
	struct attached attached;
	__u32 id;
	int fd;

	fd = flow_map_open(&id, NULL);
	if (fd < 0)
		return;
	close(fd);

	devices = if_nameindex();
	for (dev = devices; dev && dev->if_index; dev++) {
		if (!attached_get(dev->if_index, &attached) &&
		    attached.flow_map && attached.flow_map != id)
			warn(dev->if_name,
			     "its XDP program has another flow map and sees no flows; run xdp_xfrm load %s",
			     dev->if_name);
		attached_put(&attached);
	}
	if_freenameindex(devices);
}

int cmd_start(const struct options *opts, int argc, char **argv)
{
	struct bpf_object *obj;
	char pin[LEARN_PIN_LEN];
	struct pins pins;
	int err;

	(void)argc;
	(void)argv;
	if (probe_kernel() || learn_pin(pin) || pins_open(&pins))
		return -1;

	obj = object_load(&learn_object, opts->flows);
	err = obj ? start_learning(obj, pin) : -1;
	bpf_object__close(obj);
	if (!err)
		check_devices();

	pins_close(&pins, err);
	return err;
}

/* Delete the flows of this namespace's devices, or all. Without this, programs
 * that are still attached would go on forwarding them.
 */
static int forget_flows(bool all)
{
	__u32 id, max_entries, count = 0, i;
	struct xdp_xfrm_key *keys;
	char name[IF_NAMESIZE];
	int fd;

	fd = flow_map_open(&id, &max_entries);
	if (fd < 0)
		return 0;
	keys = calloc(max_entries, sizeof(*keys));
	if (!keys) {
		close(fd);
		return fail(FLOWS_PIN,
			    "no memory to forget the flows; unload the XDP programs");
	}

	while (count < max_entries &&
	       !bpf_map_get_next_key(fd, count ? &keys[count - 1] : NULL,
				     &keys[count]))
		count++;
	for (i = 0; i < count; i++) {
		if (all || if_indextoname(keys[i].ifindex, name))
			bpf_map_delete_elem(fd, &keys[i]);
	}

	free(keys);
	close(fd);
	return 0;
}

static int stop_learning(const char *pin, void *arg)
{
	int err;

	(void)arg;
	err = unregister(pin);
	if (err == -ENOENT)
		return fail("this network namespace",
			    "learning was not started, or under another bpffs; run xdp_xfrm start");
	if (err)
		return fail(pin, "cannot unregister it: %s; see the kernel log",
			    reason(err));
	return 0;
}

int cmd_stop(const struct options *opts, int argc, char **argv)
{
	char pin[LEARN_PIN_LEN];
	struct pins pins;
	int err;

	(void)argc;
	(void)argv;
	if (probe_root() || learn_pin(pin) || pins_open(&pins))
		return -1;

	err = opts->all ? learn_pins_each(stop_learning, NULL) :
			  stop_learning(pin, NULL);
	if (!err)
		err = forget_flows(opts->all);

	pins_close(&pins, err);
	return err;
}
