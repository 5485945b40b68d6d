// SPDX-License-Identifier: GPL-2.0
/* The pinned flow map. */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "tool.h"
#include "xdp_xfrm.h"

/* Flows that are read at a time */
#define BATCH	1024

/* Open it. Returns a file descriptor or a negative errno; reports
 * nothing. @max_entries may be NULL.
 */
int flow_map_open(__u32 *id, __u32 *max_entries)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int fd, err;

	fd = bpf_obj_get(FLOWS_PIN);
	if (fd < 0)
		return fd;

	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (err) {
		close(fd);
		return err;
	}
	*id = info.id;
	if (max_entries)
		*max_entries = info.max_entries;
	return fd;
}

/* Visit what the map holds, each flow once, though programs add and delete flows
 * meanwhile: bucket by bucket, while the key that follows a deleted one is the first of
 * the map. Returns 0 or a negative errno; reports nothing.
 */
int flow_map_each(int fd, flow_visit_t visit, void *arg)
{
	struct xdp_xfrm_key *keys = calloc(BATCH, sizeof(*keys));
	struct flow_value *values = calloc(BATCH, sizeof(*values));
	__u32 bucket, count, i;
	bool first = true;
	int err = -ENOMEM;

	while (keys && values) {
		count = BATCH;
		err = bpf_map_lookup_batch(fd, first ? NULL : &bucket, &bucket,
					   keys, values, &count, NULL);
		if (err && err != -ENOENT)
			break;
		first = false;
		for (i = 0; i < count; i++)
			visit(&keys[i], &values[i], arg);
		if (err) {
			err = 0;
			break;
		}
	}
	free(keys);
	free(values);
	return err;
}
