// SPDX-License-Identifier: GPL-2.0
/* A QEMU plugin that counts how often each instruction of the kernel is executed. At the
 * end it writes lines "ADDRESS COUNT" to the file in $COUNTS.
 *
 * Debian has no header for plugins: what is used of version 1 of their interface is
 * declared here.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPORT		__attribute__((visibility("default")))
#define KERNEL		0xffff800000000000ULL
#define SLOTS		(1U << 22)

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, void *),
				    void *data);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn,
						enum qemu_plugin_op op, void *ptr, uint64_t imm);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

EXPORT int qemu_plugin_version = 1;

/* open addressing; the kernel has fewer instructions than there are slots */
static struct {
	uint64_t address;
	uint64_t count;
} slots[SLOTS];

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t address = qemu_plugin_insn_vaddr(insn);
		uint32_t slot = address * 0x9e3779b97f4a7c15ULL >> 42;

		if (address < KERNEL)
			continue;
		while (slots[slot].address && slots[slot].address != address)
			slot = (slot + 1) % SLOTS;
		slots[slot].address = address;
		qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
							   &slots[slot].count, 1);
	}
}

static void done(qemu_plugin_id_t id, void *data)
{
	FILE *file = fopen(getenv("COUNTS"), "w");

	for (size_t i = 0; file && i < SLOTS; i++) {
		if (slots[i].count)
			fprintf(file, "%lx %lu\n", slots[i].address, slots[i].count);
	}
	if (!file || fclose(file))
		perror("counts");
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, done, NULL);
	return 0;
}
