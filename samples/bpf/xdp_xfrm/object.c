// SPDX-License-Identifier: GPL-2.0
/* Load a BPF object with the flow map: the one that is pinned, or a new one. */

#include <errno.h>
#include <unistd.h>
#include <bpf/libbpf.h>

#include "tool.h"

/* libbpf takes a pinned map only if it is as large as the object says. */
static int size_flow_map(struct bpf_object *obj, __u32 flows)
{
	struct bpf_map *map;
	__u32 id, pinned;
	int fd, err;

	map = bpf_object__find_map_by_name(obj, "xdp_xfrm_flows");
	fd = flow_map_open(&id, &pinned);
	if (fd >= 0) {
		close(fd);
		if (flows && flows != pinned)
			return fail("--flows",
				    "the flow map in use has %u entries; unload and stop first, or leave out --flows",
				    pinned);
		flows = pinned;
	} else if (fd != -ENOENT) {
		return fail(FLOWS_PIN, "%s; remove what is there", reason(fd));
	}

	err = flows ? bpf_map__set_max_entries(map, flows) : 0;
	if (err)
		return fail("--flows", "%s; try another size", reason(err));
	return 0;
}

/* Returns NULL after an error. @flows: 0 for the size of the pinned map, or the
 * default. A new map is pinned; see pins_close() for who removes it.
 */
struct bpf_object *object_load(const struct embedded *embedded, __u32 flows)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct bpf_object *obj;
	int err;

	opts.object_name = embedded->name;
	opts.pin_root_path = GLOBALS_DIR;
	obj = bpf_object__open_mem(embedded->start,
				   embedded->end - embedded->start, &opts);
	err = libbpf_get_error(obj);
	if (err) {
		fail(embedded->name,
		     "libbpf cannot read the BPF object: %s; use libbpf 1.1 or later",
		     reason(err));
		return NULL;
	}

	if (size_flow_map(obj, flows))
		goto close;

	err = bpf_object__load(obj);
	if (!err)
		return obj;

	if (probe_types())
		goto close;
	if (err == -ENOMEM || err == -E2BIG)
		fail(embedded->name,
		     "cannot make the flow map: %s; try a smaller --flows",
		     reason(err));
	else
		fail(embedded->name,
		     "cannot load the BPF object: %s; see what --verbose says",
		     reason(err));
close:
	bpf_object__close(obj);
	return NULL;
}
