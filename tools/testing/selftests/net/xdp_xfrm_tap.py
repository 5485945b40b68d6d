# SPDX-License-Identifier: GPL-2.0
"""Frames of one device, in any network namespace."""

import ctypes
import os
import select
import socket
import struct

from xdp_xfrm_esp import ETH_LEN, IP_LEN

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_QDISC_BYPASS = 20
TP_STATUS_VLAN_VALID = 1 << 4
SO_RCVBUFFORCE = 33
CLONE_NEWNET = 0x40000000
IPPROTO_MARKER = 253

libc = ctypes.CDLL(None, use_errno=True)


def in_ns(name, make):
    """make() with this thread in a namespace; sockets stay there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    with open(f"/var/run/netns/{name}", "rb") as ns:
        if libc.setns(ns.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {name}")
    try:
        return make()
    finally:
        libc.setns(home, CLONE_NEWNET)
        os.close(home)


class Frame(bytes):
    """Without its tag, which the stack strips."""
    vlan = 0


def tag(ancillary):
    for _, kind, data in ancillary:
        if kind == PACKET_AUXDATA:
            status, *_, tci, _ = struct.unpack("IIIHHHH", data)
            return tci if status & TP_STATUS_VLAN_VALID else 0
    return 0


class Tap:
    """Frames of one device."""

    def __init__(self, ns, dev):
        self.sock = in_ns(ns, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)))
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self.sock.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        self.sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.sock.bind((dev, 0))
        self.sock.setblocking(False)
        self.frames = []
        self.marker = None

    def send(self, frame):
        """False if the device is down."""
        for _ in range(3):
            try:
                self.sock.send(frame)
                return True
            except BlockingIOError:
                select.select([], [self.sock], [], 1)
            except OSError:
                # the first may be left from an earlier time when it was down
                continue
        return False

    def read(self):
        """Take what has come in."""
        while True:
            try:
                frame, ancillary, _, addr = self.sock.recvmsg(65536, 64)
            except BlockingIOError:
                return
            except OSError:
                continue
            if addr[2] == socket.PACKET_OUTGOING:
                continue
            if len(frame) >= ETH_LEN + IP_LEN and frame[12:14] == b"\x08\0" and frame[23] == IPPROTO_MARKER:
                self.marker = frame
            else:
                frame = Frame(frame)
                frame.vlan = tag(ancillary)
                self.frames.append(frame)

    def take(self):
        self.read()
        frames, self.frames = self.frames, []
        return frames
