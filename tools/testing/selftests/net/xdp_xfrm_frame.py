# SPDX-License-Identifier: GPL-2.0
"""Packets that xdp_xfrm_wire.py sends, as bytes."""

import struct

from xdp_xfrm_esp import IP_DF, IP_LEN, IPPROTO_IPIP, checksum

IPPROTO_TCP = 6
IPPROTO_UDP = 17
IPPROTO_GRE = 47
ETH_P_IP = 0x0800
ETH_P_TEB = 0x6558
GENEVE_PORT = 6081
TCP_SYN = 2
# struct xfrm_xdp_md
RECORD_MAGIC = 0x78667264
RECORD_LEN = 64


def ipv4(src, dst, proto, body, ident, tos=0, frag=IP_DF, ttl=64, options=b""):
    head = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, tos,
                       IP_LEN + len(options) + len(body), ident, frag, ttl, proto, 0, src, dst) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def syn(src, dst, sport, dport, ident, mss=1460):
    """The first segment of a TCP connection."""
    head = struct.pack("!HHIIBBHHHBBH", sport, dport, ident, 0, 6 << 4, TCP_SYN, 65535, 0, 0, 2, 4, mss)
    summed = checksum(src + dst + struct.pack("!BBH", 0, IPPROTO_TCP, len(head)) + head)
    return ipv4(src, dst, IPPROTO_TCP, head[:16] + struct.pack("!H", summed) + head[18:], ident)


def is_syn(packet):
    return packet[9] == IPPROTO_TCP and packet[IP_LEN + 13] & TCP_SYN


def mss(packet):
    """Of such a segment: its first option."""
    return struct.unpack_from("!H", packet, IP_LEN + 22)[0]


def ipip(src, dst, inner):
    return ipv4(src, dst, IPPROTO_IPIP, inner, 0)


def gre(src, dst, inner):
    return ipv4(src, dst, IPPROTO_GRE, struct.pack("!HH", 0, ETH_P_IP) + inner, 0)


def geneve(src, dst, macs, vni, inner, record=b""):
    """An Ethernet frame in Geneve; the record is all of its one option."""
    options = struct.pack("!HBB", 0xffff, 0, len(record) // 4) + record if record else b""
    body = struct.pack("!BBHI", len(options) // 4, 0, ETH_P_TEB, vni << 8) + options + \
        macs + struct.pack("!H", ETH_P_IP) + inner
    return ipv4(src, dst, IPPROTO_UDP, struct.pack("!HHHH", GENEVE_PORT, GENEVE_PORT, 8 + len(body), 0) + body, 0)


def forged_record(ifindex):
    """What XDP would have written on a device, but for the secret."""
    return struct.pack("=II", RECORD_MAGIC, ifindex) + bytes(RECORD_LEN - 8)
