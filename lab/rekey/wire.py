# SPDX-License-Identifier: GPL-2.0
"""What was between the gateways, and which SAs their kernels had."""
import re
import struct

ETH_IP, ETH_ARP, ESP, UDP, ICMP = 0x0800, 0x0806, 50, 17, 1


def frames(path):
    """Of each captured frame time, sort, and for ESP addresses, SPI and sequence number."""
    with open(path, 'rb') as file:
        data = file.read()
    at = 24
    while at + 16 <= len(data):
        seconds, micro, size, _ = struct.unpack_from('=4I', data, at)
        frame = data[at + 16:at + 16 + size]
        at += 16 + size
        protocol = int.from_bytes(frame[12:14], 'big')
        when, sort, sa, number = seconds + micro / 1e6, protocol, None, 0
        if protocol == ETH_IP:
            sort = frame[23]
            l4 = 14 + (frame[14] & 15) * 4
            if sort == ESP:
                src, dst = ('.'.join(map(str, frame[n:n + 4])) for n in (26, 30))
                spi, number = struct.unpack_from('!2I', frame, l4)
                sa = src, dst, spi
        yield when, sort, sa, number


def deleted(text):
    """Of `ip -s xfrm monitor`: last sequence numbers of states when they were deleted."""
    last = {}
    for block in re.split(r'^(?=\S)', text, flags=re.M):
        found = re.match(r'Deleted src (\S+) dst (\S+)\s+proto esp spi (0x\w+)', block)
        numbers = re.search(r'seq (0x\w+), oseq (0x\w+)', block)
        if found and numbers:
            src, dst, spi = found.groups()
            last[src, dst, int(spi, 16)] = max(int(value, 16) for value in numbers.groups())
    return last
