// SPDX-License-Identifier: GPL-2.0
/* The bpffs: mounted, and locked against other calls of this tool. Signals wait
 * while it is.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/magic.h>

#include "tool.h"

static bool is_bpffs(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && fs.f_type == BPF_FS_MAGIC;
}

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

/* Returns the directory at the place of the bpffs, locked. */
static int lock_dir(void)
{
	int fd;

	fd = open(BPFFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && !flock(fd, LOCK_EX))
		return fd;

	fail(BPFFS, "cannot lock it: %s; mount a bpffs", reason(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static void signals_wait(struct bpffs *bpffs)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &bpffs->signals);
}

int bpffs_lock(struct bpffs *bpffs)
{
	bpffs->below = -1;
	bpffs->lock = lock_dir();
	if (bpffs->lock < 0)
		return -1;
	signals_wait(bpffs);
	if (is_bpffs(bpffs->lock))
		return 0;

	/* Whoever mounts holds the directory below, so that no two do. */
	bpffs->below = bpffs->lock;
	bpffs->lock = -1;
	bpffs->mounted = !bpffs_mounted();
	if (bpffs->mounted && bpffs_mount()) {
		bpffs->mounted = false;
		goto unlock;
	}
	bpffs->lock = lock_dir();
	if (bpffs->lock >= 0)
		return 0;
unlock:
	bpffs_unlock(bpffs, true);
	return -1;
}

void bpffs_unlock(struct bpffs *bpffs, bool failed)
{
	if (bpffs->lock >= 0)
		close(bpffs->lock);
	if (bpffs->below >= 0) {
		/* It stays if another call waits for the lock. */
		if (bpffs->mounted && failed)
			umount(BPFFS);
		close(bpffs->below);
	}
	sigprocmask(SIG_SETMASK, &bpffs->signals, NULL);
}
