// SPDX-License-Identifier: GPL-2.0
/* What is pinned in the bpffs.
 *
 * The flow map is where iproute2 looks for it, so that a program loaded by
 * `ip link set DEV xdp obj` uses the same map. Its pin is removed together with
 * its last user: a learning side or an XDP program, of any network namespace.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <linux/magic.h>

#include "tool.h"

#define LEARN_PREFIX	"learn-"

static bool bpffs_mounted(void)
{
	struct statfs fs;

	return !statfs(BPFFS, &fs) && fs.f_type == BPF_FS_MAGIC;
}

/* A mount in a namespace of one command, as `ip netns exec` makes it, would take
 * all pins with it.
 */
static bool mount_lasts(void)
{
	struct stat mine, init;

	return !stat("/proc/self/ns/mnt", &mine) &&
	       !stat("/proc/1/ns/mnt", &init) &&
	       mine.st_ino == init.st_ino && mine.st_dev == init.st_dev;
}

static int bpffs_mount(void)
{
	if (!mount_lasts())
		return fail(BPFFS,
			    "no bpffs in this mount namespace, pins would be lost; enter a network namespace by nsenter --net=/run/netns/NAME, not by ip netns exec");
	if (mount("bpf", BPFFS, "bpf", 0, "mode=0700"))
		return fail(BPFFS, "cannot mount bpffs: %s; mount it",
			    reason(errno));
	return 0;
}

static int make_dir(const char *path)
{
	if (mkdir(path, 0700) && errno != EEXIST)
		return fail(path, "%s; make the directory", reason(errno));
	return 0;
}

static void remove_empty_dirs(void)
{
	rmdir(LEARN_DIR);
	rmdir(GLOBALS_DIR);
	rmdir(XDP_DIR);
}

int pins_open(struct pins *pins)
{
	pins->mounted = false;
	if (!bpffs_mounted()) {
		if (bpffs_mount())
			return -1;
		pins->mounted = true;
	}

	pins->lock = open(BPFFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (pins->lock < 0 || flock(pins->lock, LOCK_EX)) {
		fail(BPFFS, "cannot lock it: %s; mount a bpffs",
		     reason(errno));
		goto close;
	}

	if (make_dir(XDP_DIR) || make_dir(GLOBALS_DIR) || make_dir(LEARN_DIR))
		goto close;
	return 0;

close:
	pins_close(pins, true);
	return -1;
}

static int see_learn_pin(const char *pin, void *arg)
{
	(void)pin;
	*(bool *)arg = true;
	return 0;
}

static void flow_map_release(void)
{
	bool learning = false;
	__u32 id;
	int fd;

	learn_pins_each(see_learn_pin, &learning);
	if (learning)
		return;

	fd = flow_map_open(&id, NULL);
	if (fd < 0)
		return;
	if (!flow_map_attached(id))
		unlink(FLOWS_PIN);
	close(fd);
}

/* Programs that this call loaded and did not attach must be gone by now. */
void pins_close(struct pins *pins, bool failed)
{
	flow_map_release();
	remove_empty_dirs();
	if (pins->lock >= 0)
		close(pins->lock);
	if (pins->mounted && failed)
		umount(BPFFS);
}

/* Where the learning side of this network namespace is pinned. */
int learn_pin(char pin[LEARN_PIN_LEN])
{
	struct stat netns;

	if (stat("/proc/thread-self/ns/net", &netns))
		return fail("/proc/thread-self/ns/net", "%s; mount /proc",
			    reason(errno));
	snprintf(pin, LEARN_PIN_LEN, LEARN_DIR "/" LEARN_PREFIX "%lu",
		 (unsigned long)netns.st_ino);
	return 0;
}

/* Stops at the first pin for which @visit does not return 0. */
int learn_pins_each(int (*visit)(const char *pin, void *arg), void *arg)
{
	char pin[sizeof(LEARN_DIR) + sizeof(((struct dirent *)0)->d_name)];
	struct dirent *entry;
	int err = 0;
	DIR *dir;

	dir = opendir(LEARN_DIR);
	if (!dir)
		return 0;

	while (!err && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, LEARN_PREFIX,
			    sizeof(LEARN_PREFIX) - 1))
			continue;
		snprintf(pin, sizeof(pin), LEARN_DIR "/%s", entry->d_name);
		err = visit(pin, arg);
	}
	closedir(dir);
	return err;
}

/* The pinned flow map. Returns a file descriptor or a negative errno; reports
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
