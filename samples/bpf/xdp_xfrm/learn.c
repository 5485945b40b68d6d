// SPDX-License-Identifier: GPL-2.0
/* start and stop: the learning side of a network namespace.
 *
 * It is a struct_ops map with a link that registers it in the namespace of the
 * caller. The pin keeps the link, so it is the last thing that start makes: if
 * the tool dies before, the kernel takes all back. It is also the last thing that
 * stop removes, and what a dead stop leaves to do is found by it.
 */

#include <errno.h>
#include <net/if.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tool.h"
#include "xdp_xfrm.h"

/* BPF_STRUCT_OPS, newer than the headers that libbpf 1.1 comes with */
#define ATTACH_STRUCT_OPS	44

/* Register the learning side. Returns its link, or a negative errno. */
static int learn_register(struct bpf_map *map)
{
	struct bpf_link *link;
	int fd, err;

	link = bpf_map__attach_struct_ops(map);
	err = libbpf_get_error(link);
	if (err)
		return err;

	fd = bpf_link__fd(link);
	/* libbpf before 1.2 fills the map, and knows no link of it. */
	if (fd == bpf_map__fd(map))
		fd = bpf_link_create(fd, 0, ATTACH_STRUCT_OPS, NULL);
	/* The descriptor is the caller's. */
	bpf_link__disconnect(link);
	bpf_link__destroy(link);
	return fd;
}

/* Nothing was registered here: what is pinned was stopped, or is of a namespace
 * that has gone and whose number this one has now.
 */
static int learn_pin_new(int link, const char *pin)
{
	int err;

	err = bpf_obj_pin(link, pin);
	if (err != -EEXIST)
		return err;

	warn(pin, "was left by an interrupted stop, or by a namespace that has gone; replaced");
	return unlink(pin) ? -errno : bpf_obj_pin(link, pin);
}

static int learn_refused(int err, const char *pin)
{
	if (err != -EBUSY)
		return fail("this network namespace",
			    "cannot register the learning side: %s; see the kernel log",
			    reason(err));
	if (access(pin, F_OK))
		return fail("this network namespace",
			    "something else learns here, or xdp_xfrm under another bpffs; see bpftool map and stop that first");
	return fail("this network namespace",
		    "learning already runs; run xdp_xfrm stop first");
}

static int start_learning(struct bpf_object *obj, const char *pin)
{
	struct bpf_map *map;
	int link, err;

	map = bpf_object__find_map_by_name(obj, "xdp_xfrm_learn");
	link = learn_register(map);
	if (link < 0)
		return learn_refused(link, pin);

	err = learn_pin_new(link, pin);
	if (err)
		fail(pin, "%s; remove what is there", reason(err));
	close(link);
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
	if (!devices)
		return;
	for (dev = devices; dev->if_index; dev++) {
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
	struct bpffs bpffs;
	int err;

	(void)argc;
	(void)argv;
	if (probe_kernel() || learn_pin(pin) || pins_open(&bpffs))
		return -1;

	obj = object_load(&learn_object, opts->flows);
	err = obj ? start_learning(obj, pin) : -1;
	bpf_object__close(obj);
	if (!err)
		check_devices();

	pins_close(&bpffs, err);
	return err;
}

struct forgetting {
	int	fd;
	bool	all;
};

static void forget_flow(const struct xdp_xfrm_key *key,
			const struct flow_value *value, void *arg)
{
	const struct forgetting *forgetting = arg;
	char name[IF_NAMESIZE];

	(void)value;
	if (forgetting->all || if_indextoname(key->ifindex, name))
		bpf_map_delete_elem(forgetting->fd, key);
}

/* Delete the flows of this namespace's devices, or all. Without this, programs
 * that are still attached would go on asking for them.
 */
static int forget_flows(bool all)
{
	struct forgetting forgetting = { .all = all };
	__u32 id;
	int err;

	forgetting.fd = flow_map_open(&id, NULL);
	if (forgetting.fd < 0)
		return 0;

	err = flow_map_each(forgetting.fd, forget_flow, &forgetting);
	close(forgetting.fd);
	return err ? fail(FLOWS_PIN,
			  "cannot forget the flows: %s; unload the XDP programs",
			  reason(err)) : 0;
}

static int stop_learning(const char *pin, void *arg)
{
	int fd, err;

	(void)arg;
	fd = bpf_obj_get(pin);
	if (fd == -ENOENT)
		return fail("this network namespace",
			    "learning was not started, or under another bpffs; run xdp_xfrm start");
	err = fd < 0 ? fd : bpf_link_detach(fd);
	if (fd >= 0)
		close(fd);
	if (err)
		return fail(pin, "cannot unregister it: %s; see the kernel log",
			    reason(err));
	return 0;
}

static int remove_pin(const char *pin, void *arg)
{
	(void)arg;
	if (unlink(pin))
		return fail(pin, "%s; remove it", reason(errno));
	return 0;
}

static int stop(const char *pin, bool all)
{
	int err;

	err = all ? learn_pins_each(stop_learning, NULL) :
		    stop_learning(pin, NULL);
	err = err ?: forget_flows(all);
	if (err)
		return err;
	return all ? learn_pins_each(remove_pin, NULL) : remove_pin(pin, NULL);
}

int cmd_stop(const struct options *opts, int argc, char **argv)
{
	char pin[LEARN_PIN_LEN];
	struct bpffs bpffs;
	int err;

	(void)argc;
	(void)argv;
	if (probe_root() || learn_pin(pin) || pins_open(&bpffs))
		return -1;

	err = stop(pin, opts->all);
	pins_close(&bpffs, err);
	return err;
}
