// SPDX-License-Identifier: GPL-2.0
/* Load a BPF object with the flow map: the one that is pinned, or a new one. */

#include <errno.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tool.h"

/* BPF_F_LINK, newer than the headers that libbpf 1.1 comes with */
#define MAP_FLAG_LINK	0x2000

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

/* Registered by a link, what is registered goes with the last user of the link. */
static int use_link(struct bpf_object *obj)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj) {
		if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS)
			return bpf_map__set_map_flags(map, MAP_FLAG_LINK);
	}
	return 0;
}

/* Programs and maps are found again by name. libbpf leaves names out where its
 * attempt to use one was refused, for whatever reason.
 */
static int check_names(struct bpf_object *obj)
{
	struct bpf_program *program = bpf_object__next_program(obj, NULL);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int err;

	err = bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len);
	return err ?: info.name[0] ? 0 : -EPERM;
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

	err = use_link(obj) ?: bpf_object__load(obj) ?: check_names(obj);
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
