# SPDX-License-Identifier: GPL-2.0
"""xdp_xfrm_meta.py PATH BYTES [WORD]: loads and pins an XDP program that passes
every packet, with so many bytes of metadata. The first four of them are WORD;
without it all are what was in memory.
"""

import ctypes
import os
import struct
import sys

BPF_PROG_TYPE_XDP = 6
BPF_FUNC_XDP_ADJUST_META = 54
XDP_PASS = 2
# struct xdp_md
DATA = 0
DATA_META = 8

libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)


def instruction(code, dst=0, src=0, off=0, imm=0):
    registers = src << 4 | dst if sys.byteorder == "little" else dst << 4 | src
    return struct.pack("=BBhi", code, registers, off, imm)


def store_word(word):
    """*(u32 *)ctx->data_meta = word; ctx is in r6."""
    return [instruction(0x61, 2, 6, DATA_META),         # r2 = data_meta
            instruction(0x61, 3, 6, DATA),              # r3 = data
            instruction(0xbf, 4, 2),                    # r4 = r2
            instruction(0x07, 4, imm=4),                # r4 += 4
            instruction(0x2d, 4, 3, 1),                 # if r4 > r3: skip
            instruction(0x62, 2, imm=word)]             # *(u32 *)r2 = word


def main():
    path, room, *words = sys.argv[1:]
    program = []
    if int(room):
        program += [instruction(0xbf, 6, 1),            # r6 = ctx
                    instruction(0xb7, 2, imm=-int(room)),
                    instruction(0x85, imm=BPF_FUNC_XDP_ADJUST_META)]
        for word in words:
            program += store_word(int(word))
    program += [instruction(0xb7, imm=XDP_PASS), instruction(0x95)]
    fd = libbpf.bpf_prog_load(BPF_PROG_TYPE_XDP, b"meta", b"GPL", b"".join(program), ctypes.c_size_t(len(program)), None)
    if fd < 0 or libbpf.bpf_obj_pin(fd, path.encode()):
        sys.exit(f"{path}: {os.strerror(ctypes.get_errno())}")


main()
