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

/* Returns 1 if it is one, 0 if not or no more, or a negative errno. */
static int is_flow_map(__u32 id)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int fd, err;

	fd = bpf_map_get_fd_by_id(id);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	return err ?: !strcmp(info.name, "xdp_xfrm_flows");
}

/* @map gets the id of the flow map that the program uses, 0 if it is not our XDP
 * program; however it was loaded. Returns 0 or a negative errno.
 */
static int program_flow_map(int fd, __u32 *map, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = {};
	__u32 maps[MAX_MAPS], len = sizeof(info);
	int err, is = 0;
	__u32 i;

	*map = 0;
	info.map_ids = (__u64)(unsigned long)maps;
	info.nr_map_ids = MAX_MAPS;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (err)
		return err;
	memcpy(name, info.name, BPF_OBJ_NAME_LEN);

	if (info.type != BPF_PROG_TYPE_XDP || strcmp(info.name, "xdp_xfrm"))
		return 0;
	for (i = 0; i < info.nr_map_ids && i < MAX_MAPS && !is; i++) {
		is = is_flow_map(maps[i]);
		if (is > 0)
			*map = maps[i];
	}
	return is < 0 ? is : 0;
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
	return program_flow_map(attached->fd, &attached->flow_map,
				attached->name);
}

void attached_put(struct attached *attached)
{
	if (attached->fd >= 0)
		close(attached->fd);
	attached->fd = -1;
}

/* Does any of our XDP programs, in any network namespace, use the flow map?
 * Returns 1 or 0, or a negative errno; reports nothing.
 */
int flow_map_attached(__u32 map)
{
	char name[BPF_OBJ_NAME_LEN];
	__u32 used = 0, id = 0;
	int fd, err = 0;

	while (!err && used != map) {
		err = bpf_prog_get_next_id(id, &id);
		if (err)
			break;
		fd = bpf_prog_get_fd_by_id(id);
		if (fd == -ENOENT)
			continue;
		err = fd < 0 ? fd : program_flow_map(fd, &used, name);
		if (fd >= 0)
			close(fd);
	}
	return err == -ENOENT ? 0 : err ?: 1;
}
