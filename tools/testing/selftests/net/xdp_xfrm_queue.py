# SPDX-License-Identifier: GPL-2.0
"""Accepts all packets of queue 0 of nf_queue, a while after it got them."""

import socket
import struct
import time

NETLINK_NETFILTER = 12
NLM_F_REQUEST = 1
NFNL_SUBSYS_QUEUE = 3 << 8
NFQNL_MSG_PACKET, NFQNL_MSG_VERDICT, NFQNL_MSG_CONFIG = (NFNL_SUBSYS_QUEUE | n for n in range(3))
NFQA_PACKET_HDR = 1
NFQA_VERDICT_HDR = 2
NFQA_CFG_CMD = 1
NFQA_CFG_PARAMS = 2
NFQNL_CFG_CMD_BIND = 1
NFQNL_COPY_META = 1
NF_ACCEPT = 1
DELAY = 0.05


def message(kind, attribute, value):
    payload = struct.pack("=BBHHH", socket.AF_UNSPEC, 0, 0, 4 + len(value), attribute) + value
    payload += bytes(-len(payload) % 4)
    return struct.pack("=IHHII", 16 + len(payload), kind, NLM_F_REQUEST, 0, 0) + payload


def packet_ids(data):
    """Of all packets in a datagram of netlink."""
    while data:
        length, kind = struct.unpack_from("=IH", data)
        # the header of the packet is the first attribute, its id comes first there
        if kind == NFQNL_MSG_PACKET:
            _, attribute, ident = struct.unpack_from("=HH4s", data, 20)
            assert attribute == NFQA_PACKET_HDR
            yield ident
        data = data[length + 3 & ~3:]


def main():
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    sock.bind((0, 0))
    sock.send(message(NFQNL_MSG_CONFIG, NFQA_CFG_CMD, struct.pack("!BBH", NFQNL_CFG_CMD_BIND, 0, socket.AF_INET)))
    sock.send(message(NFQNL_MSG_CONFIG, NFQA_CFG_PARAMS, struct.pack("!IB", 0, NFQNL_COPY_META)))
    while True:
        idents = list(packet_ids(sock.recv(65536)))
        time.sleep(DELAY)
        for ident in idents:
            sock.send(message(NFQNL_MSG_VERDICT, NFQA_VERDICT_HDR, struct.pack("!I", NF_ACCEPT) + ident))


main()
