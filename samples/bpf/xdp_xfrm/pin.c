// SPDX-License-Identifier: GPL-2.0
/* What is pinned in the bpffs.
 *
 * The flow map is where iproute2 looks for it, so that a program loaded by
 * `ip link set DEV xdp obj` uses the same map. Its pin is removed together with
 * its last user: a learning side or an XDP program, of any network namespace.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "tool.h"

#define LEARN_PREFIX	"learn-"

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

	if (learn_pins_each(see_learn_pin, &learning) || learning)
		return;

	fd = flow_map_open(&id, NULL);
	if (fd < 0)
		return;
	/* In doubt it is used. */
	if (!flow_map_attached(id))
		unlink(FLOWS_PIN);
	close(fd);
}

int pins_open(struct bpffs *bpffs)
{
	if (bpffs_lock(bpffs))
		return -1;

	/* Left by a call that was killed: its size binds nobody. */
	flow_map_release();
	if (!make_dir(XDP_DIR) && !make_dir(GLOBALS_DIR) &&
	    !make_dir(LEARN_DIR))
		return 0;
	pins_close(bpffs, true);
	return -1;
}

/* Programs that this call loaded and did not attach must be gone by now. */
void pins_close(struct bpffs *bpffs, bool failed)
{
	flow_map_release();
	remove_empty_dirs();
	bpffs_unlock(bpffs, failed);
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
		return errno == ENOENT ? 0 :
		       fail(LEARN_DIR, "%s; see what is there", reason(errno));

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
