// SPDX-License-Identifier: GPL-2.0
/* The BPF objects, in the tool itself: it works wherever it lies. */

#include "tool.h"

#define EMBED(symbol, file)				\
	asm(".pushsection .rodata\n"			\
	    ".globl " #symbol "_start, " #symbol "_end\n" \
	    ".balign 8\n"				\
	    #symbol "_start:\n"				\
	    ".incbin \"" file "\"\n"			\
	    #symbol "_end:\n"				\
	    ".byte 0\n"					\
	    ".popsection\n")

EMBED(xdp_elf, "xdp_xfrm.bpf.o");
EMBED(learn_elf, "xdp_xfrm_learn.bpf.o");

const struct embedded xdp_object = {
	"xdp_xfrm", xdp_elf_start, xdp_elf_end,
};

const struct embedded learn_object = {
	"xdp_xfrm_learn", learn_elf_start, learn_elf_end,
};
