# SPDX-License-Identifier: GPL-2.0
"""Keeps a tap device, whose name is the argument, until it is killed; reads nothing."""

import fcntl
import os
import signal
import struct
import sys

TUNSETIFF = 0x400454ca
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000

fd = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", sys.argv[1].encode(), IFF_TAP | IFF_NO_PI))
signal.pause()
