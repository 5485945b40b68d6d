/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _XDP_XFRM_TOOL_H
#define _XDP_XFRM_TOOL_H

/* What the files of the xdp_xfrm tool share. Functions return 0 or a negative
 * number, and have reported the error, unless their comment says otherwise.
 */

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define __printf(a, b)	__attribute__((__format__(printf, a, b)))

struct bpf_object;

/**
 * struct options - the command line
 * @command: its name
 * @json: print JSON
 * @skb_mode: attach generic XDP
 * @all: stats: zeros as well; stop: every network namespace
 * @verbose: print what libbpf and the verifier say
 * @flows: size of the flow map, 0 for the default
 */
struct options {
	const char	*command;
	bool		json;
	bool		skb_mode;
	bool		all;
	bool		verbose;
	__u32		flows;
};

/* The commands, each in the file of its subject. */
int cmd_start(const struct options *opts, int argc, char **argv);
int cmd_stop(const struct options *opts, int argc, char **argv);
int cmd_load(const struct options *opts, int argc, char **argv);
int cmd_unload(const struct options *opts, int argc, char **argv);
int cmd_stats(const struct options *opts, int argc, char **argv);
int cmd_flows(const struct options *opts, int argc, char **argv);

/* report.c */
void report_init(const struct options *opts);
int fail(const char *what, const char *fmt, ...) __printf(2, 3);
void warn(const char *what, const char *fmt, ...) __printf(2, 3);
void kernel_said(const char *words);
const char *reason(int err);
void print_json_string(const char *s);

/* What the kernel counts, of the network namespace of the caller */
#define STAT_FILE	"/proc/thread-self/net/xfrm_xdp_stat"
#define RULES_FILE	"/proc/thread-self/net/xfrm_xdp_rules"

/* probe.c */
int probe_root(void);
int probe_kernel(void);
int probe_types(void);

/* bpffs.c */
#define BPFFS		"/sys/fs/bpf"

/**
 * struct bpffs - the bpffs while a command changes what is pinned there
 * @lock: open directory, locked against other calls of this tool
 * @below: the directory that it is mounted on, locked, if it was not mounted
 * @mounted: this call mounted it
 * @signals: those that the caller blocked
 */
struct bpffs {
	int		lock;
	int		below;
	bool		mounted;
	sigset_t	signals;
};

int bpffs_lock(struct bpffs *bpffs);
void bpffs_unlock(struct bpffs *bpffs, bool failed);

/* pin.c: paths below the bpffs */
#define XDP_DIR		BPFFS "/xdp"
#define GLOBALS_DIR	XDP_DIR "/globals"	/* iproute2's choice */
#define FLOWS_PIN	GLOBALS_DIR "/xdp_xfrm_flows"
#define LEARN_DIR	XDP_DIR "/xdp_xfrm"

#define LEARN_PIN_LEN	64

int pins_open(struct bpffs *bpffs);
void pins_close(struct bpffs *bpffs, bool failed);
int learn_pin(char pin[LEARN_PIN_LEN]);
int learn_pins_each(int (*visit)(const char *pin, void *arg), void *arg);

/* map.c */

struct xdp_xfrm_key;

/* struct xdp_xfrm_value as user space sees it */
struct flow_value {
	__u64	flow;
	__u64	packets;
	__u64	bytes;
};

typedef void (*flow_visit_t)(const struct xdp_xfrm_key *key,
			     const struct flow_value *value, void *arg);

int flow_map_open(__u32 *id, __u32 *max_entries);
int flow_map_each(int fd, flow_visit_t visit, void *arg);

/* program.c */

/**
 * struct attached - the XDP program of a device
 * @fd: of the program, -1 if there is none
 * @id: of the program, 0 if there is none
 * @flow_map: id of its flow map; 0: not our program
 * @mode: XDP_FLAGS_*_MODE
 * @name: of the program
 */
struct attached {
	int	fd;
	__u32	id;
	__u32	flow_map;
	__u32	mode;
	char	name[16];
};

int attached_get(int ifindex, struct attached *attached);
void attached_put(struct attached *attached);
int flow_map_attached(__u32 id);

/* netlink.c */

/**
 * struct xdp_change - another XDP program for a device
 * @ifindex: of the device
 * @fd: the program that it gets, -1 for none
 * @expected: the program that it has, -1 for none; else the change fails
 * @mode: XDP_FLAGS_*_MODE
 * @err: 0 or a negative errno
 * @words: of the kernel, on the error
 */
struct xdp_change {
	int	ifindex;
	int	fd;
	int	expected;
	__u32	mode;
	int	err;
	char	words[128];
};

void xdp_change_all(struct xdp_change *changes, int count);

/* device.c */

/**
 * struct device - a device of the command line
 * @name: its name
 * @ifindex: its index
 * @before: the program it had
 */
struct device {
	const char	*name;
	int		ifindex;
	struct attached	before;
};

struct device *devices_find(int count, char **names);
void devices_free(struct device *devices, int count);
int devices_change(const struct device *devices, int count, int fd, __u32 mode,
		   int (*report)(const struct device *device, int err,
				 __u32 mode));

/* embed.c: the BPF objects, as ELF */
extern const char xdp_elf_start[], xdp_elf_end[];
extern const char learn_elf_start[], learn_elf_end[];

struct embedded {
	const char	*name;
	const void	*start;
	const void	*end;
};

extern const struct embedded xdp_object;
extern const struct embedded learn_object;

/* object.c */
struct bpf_object *object_load(const struct embedded *embedded, __u32 flows);

#endif /* _XDP_XFRM_TOOL_H */
