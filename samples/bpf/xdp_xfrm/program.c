// SPDX-License-Identifier: GPL-2.0
/* Which XDP programs are this one? */

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "tool.h"

#define MAX_MAPS	16

static bool is_flow_map(__u32 id)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	bool is;
	int fd;

	fd = bpf_map_get_fd_by_id(id);
	if (fd < 0)
		return false;
	is = !bpf_obj_get_info_by_fd(fd, &info, &len) &&
	     !strcmp(info.name, "xdp_xfrm_flows");
	close(fd);
	return is;
}

/* The id of the flow map that the program uses, 0 if it is not our XDP program;
 * however it was loaded.
 */
static __u32 program_flow_map(int fd, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = {};
	__u32 maps[MAX_MAPS], len = sizeof(info);
	__u32 i;

	info.map_ids = (__u64)(unsigned long)maps;
	info.nr_map_ids = MAX_MAPS;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return 0;
	if (name)
		memcpy(name, info.name, BPF_OBJ_NAME_LEN);

	if (info.type != BPF_PROG_TYPE_XDP || strcmp(info.name, "xdp_xfrm"))
		return 0;
	for (i = 0; i < info.nr_map_ids && i < MAX_MAPS; i++) {
		if (is_flow_map(maps[i]))
			return maps[i];
	}
	return 0;
}

/* Returns a negative errno, reports nothing. Without a program, @attached->id is
 * 0.
 */
int attached_get(int ifindex, struct attached *attached)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	int err;

	memset(attached, 0, sizeof(*attached));
	attached->fd = -1;
	err = bpf_xdp_query(ifindex, 0, &query);
	if (err)
		return err;

	/* An offloaded program is never ours. */
	attached->id = query.drv_prog_id ?: query.skb_prog_id ?:
		       query.hw_prog_id;
	attached->mode = query.drv_prog_id ? XDP_FLAGS_DRV_MODE :
			 query.skb_prog_id ? XDP_FLAGS_SKB_MODE :
					     XDP_FLAGS_HW_MODE;
	if (!attached->id)
		return 0;

	attached->fd = bpf_prog_get_fd_by_id(attached->id);
	if (attached->fd < 0)
		return attached->fd;
	attached->flow_map = program_flow_map(attached->fd, attached->name);
	return 0;
}

void attached_put(struct attached *attached)
{
	if (attached->fd >= 0)
		close(attached->fd);
	attached->fd = -1;
}

/* Does any of our XDP programs, in any network namespace, use the flow map? */
bool flow_map_attached(__u32 map)
{
	bool used = false;
	__u32 id = 0;
	int fd;

	while (!used && !bpf_prog_get_next_id(id, &id)) {
		fd = bpf_prog_get_fd_by_id(id);
		if (fd < 0)
			continue;
		used = program_flow_map(fd, NULL) == map;
		close(fd);
	}
	return used;
}
