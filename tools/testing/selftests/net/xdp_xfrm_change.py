# SPDX-License-Identifier: GPL-2.0
"""Changes of a gateway that its tools can't make; for xdp_xfrm_wire.py:

  egress DEV PRIORITY QOS    priority of the frames of a VLAN device, by ioctl
  reorder DEV 0|1            does it strip the tag before others see it? By ioctl
  conf DEV NUMBER VALUE      an IPv4 setting of a device, by netlink
  attach DEV FLAGS           an XDP program that passes everything, by netlink
  detach DEV FLAGS           no program any more
  link DEV                   the same by a BPF link
  update                     another program in the link
  unlink                     no link any more
  pin PATH TYPE              a program for a route (lwtunnel) that passes everything
  migrate DIR SRC DST REQID OLD_SRC OLD_DST NEW_SRC NEW_DST
                             the tunnel of a policy has other ends
  connection ID NUMBER VALUE an attribute of the entry of an ICMP flow from A to B
  quota TABLE SET ADDRESS BYTES
                             an element of a set, found when so many bytes are over
"""

import ctypes
import fcntl
import os
import socket
import struct

AF_NETLINK = 16
NETLINK_ROUTE = 0
NETLINK_XFRM = 6
NETLINK_NETFILTER = 12
NLM_F_REQUEST = 1
NLM_F_ACK = 4
NLM_F_CREATE = 0x400
NFNL_MSG_BATCH_BEGIN = 0x10
NFNL_MSG_BATCH_END = 0x11
NFNL_SUBSYS_NFTABLES = 10
NFT_MSG_NEWSETELEM = NFNL_SUBSYS_NFTABLES << 8 | 12
NFTA_SET_ELEM_LIST_TABLE = NFTA_LIST_ELEM = NFTA_SET_ELEM_KEY = NFTA_DATA_VALUE = 1
NFTA_EXPR_NAME = NFTA_QUOTA_BYTES = NFT_QUOTA_F_INV = 1
NFTA_SET_ELEM_LIST_SET = NFTA_EXPR_DATA = NFTA_QUOTA_FLAGS = 2
NFTA_SET_ELEM_LIST_ELEMENTS = 3
NFTA_SET_ELEM_EXPR = 7
NLA_F_NESTED = 1 << 15
RTM_SETLINK = 19
IPCTNL_MSG_CT_NEW = 1 << 8
CTA_TUPLE_ORIG = CTA_TUPLE_IP = CTA_IP_V4_SRC = CTA_PROTO_NUM = 1
CTA_TUPLE_PROTO = CTA_IP_V4_DST = 2
CTA_PROTO_ICMP_ID = 4
CTA_PROTO_ICMP_TYPE = 5
CTA_PROTO_ICMP_CODE = 6
ICMP_ECHO = 8
IFLA_AF_SPEC = 26
IFLA_INET_CONF = 1
XFRM_MSG_MIGRATE = 0x21
XFRMA_MIGRATE = 17
XFRM_POLICY = {"in": 0, "out": 1, "fwd": 2}
XFRM_MODE_TUNNEL = 1
IPPROTO_ESP = 50
SIOCSIFVLAN = 0x8983
SET_VLAN_EGRESS_PRIORITY_CMD = 3
SET_VLAN_FLAG_CMD = 7
VLAN_FLAG_REORDER_HDR = 1
BPF_PROG_TYPE_XDP = 6
BPF_XDP = 37
BPF_OK = 0
XDP_PASS = 2

links = []


def bpf(function, *args):
    """A function of libbpf, which is loaded only where it is needed."""
    ret = getattr(ctypes.CDLL("libbpf.so.1", use_errno=True), function)(*args)
    if ret < 0:
        raise OSError(ctypes.get_errno(), function)
    return ret


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def message(kind, flags, body):
    return struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST | flags, 1, 0) + body


def request(protocol, kind, body, flags=0, begin=b"", end=b""):
    """Send it, and wait for the answer."""
    with socket.socket(AF_NETLINK, socket.SOCK_RAW, protocol) as sock:
        sock.send(begin + message(kind, NLM_F_ACK | flags, body) + end)
        err = struct.unpack_from("=i", sock.recv(65536), 16)[0]
    if err:
        raise OSError(-err, f"netlink {kind:#x}")


def vlan(command, dev, value, qos):
    """struct vlan_ioctl_args"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFVLAN, struct.pack("=i24sI20xhxx", command, dev.encode(), value, qos))


def egress(dev, priority, qos):
    vlan(SET_VLAN_EGRESS_PRIORITY_CMD, dev, int(priority), int(qos))


def reorder(dev, on):
    vlan(SET_VLAN_FLAG_CMD, dev, VLAN_FLAG_REORDER_HDR, int(on))


def conf(dev, number, value):
    body = struct.pack("=BxHiII", 0, 0, socket.if_nametoindex(dev), 0, 0)
    settings = attribute(IFLA_INET_CONF | NLA_F_NESTED, attribute(int(number), struct.pack("=I", int(value))))
    body += attribute(IFLA_AF_SPEC | NLA_F_NESTED, attribute(socket.AF_INET | NLA_F_NESTED, settings))
    request(NETLINK_ROUTE, RTM_SETLINK, body)


def program(kind=BPF_PROG_TYPE_XDP, verdict=XDP_PASS):
    """return verdict"""
    code = struct.pack("=BBhiBBhi", 0xb7, 0, 0, verdict, 0x95, 0, 0, 0)
    return bpf("bpf_prog_load", kind, b"pass", b"GPL", code, ctypes.c_size_t(2), None)


def attach(dev, flags):
    fd = program()
    bpf("bpf_xdp_attach", socket.if_nametoindex(dev), fd, int(flags), None)
    os.close(fd)


def detach(dev, flags):
    bpf("bpf_xdp_detach", socket.if_nametoindex(dev), int(flags), None)


def link(dev):
    fd = program()
    links.append(bpf("bpf_link_create", fd, socket.if_nametoindex(dev), BPF_XDP, None))
    os.close(fd)


def update():
    fd = program()
    bpf("bpf_link_update", links[-1], fd, None)
    os.close(fd)


def unlink():
    bpf("bpf_link_detach", links[-1])
    os.close(links.pop())


def pin(path, kind):
    fd = program(int(kind), BPF_OK)
    bpf("bpf_obj_pin", fd, path.encode())
    os.close(fd)


def address(text):
    """xfrm_address_t"""
    return socket.inet_aton(text) + bytes(12)


def migrate(direction, src, dst, reqid, *ends):
    """struct xfrm_userpolicy_id, and one struct xfrm_user_migrate"""
    (src, src_len), (dst, dst_len) = src.split("/"), dst.split("/")
    old_src, old_dst, new_src, new_dst = map(address, ends)
    body = address(dst) + address(src) + bytes(8) + struct.pack("=HBBBxxxiI", socket.AF_INET, int(dst_len),
                                                                int(src_len), 0, 0, 0)
    body += struct.pack("=IBxxx", 0, XFRM_POLICY[direction])
    body += attribute(XFRMA_MIGRATE, old_dst + old_src + new_dst + new_src +
                      struct.pack("=BBHIHH", IPPROTO_ESP, XFRM_MODE_TUNNEL, 0, int(reqid), socket.AF_INET, socket.AF_INET))
    request(NETLINK_XFRM, XFRM_MSG_MIGRATE, body)


def nested(kind, *attributes):
    return attribute(kind | NLA_F_NESTED, b"".join(attribute(*pair) for pair in attributes))


def connection(ident, number, value):
    """conntrack(8) can't."""
    addresses = (socket.inet_aton(os.environ[name]) for name in ("IP_A", "IP_B"))
    echo = nested(CTA_TUPLE_IP, *zip((CTA_IP_V4_SRC, CTA_IP_V4_DST), addresses))
    echo += nested(CTA_TUPLE_PROTO, (CTA_PROTO_NUM, bytes([socket.IPPROTO_ICMP])),
                   (CTA_PROTO_ICMP_ID, struct.pack("!H", int(ident))), (CTA_PROTO_ICMP_TYPE, bytes([ICMP_ECHO])),
                   (CTA_PROTO_ICMP_CODE, bytes(1)))
    request(NETLINK_NETFILTER, IPCTNL_MSG_CT_NEW,
            struct.pack("=BBH", socket.AF_INET, 0, 0) + attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, echo) +
            attribute(int(number), struct.pack("!I", int(value))))


def quota(table, name, key, limit):
    """An element of a set that judges by itself: nft(8) wants the set to say so."""
    expression = attribute(NFTA_EXPR_NAME, b"quota\0")
    expression += nested(NFTA_EXPR_DATA, (NFTA_QUOTA_BYTES, struct.pack("!Q", int(limit))),
                         (NFTA_QUOTA_FLAGS, struct.pack("!I", NFT_QUOTA_F_INV)))
    element = nested(NFTA_SET_ELEM_KEY, (NFTA_DATA_VALUE, socket.inet_aton(key)))
    element += attribute(NFTA_SET_ELEM_EXPR | NLA_F_NESTED, expression)
    body = struct.pack("=BBH", socket.AF_INET, 0, 0)
    body += attribute(NFTA_SET_ELEM_LIST_TABLE, table.encode() + b"\0")
    body += attribute(NFTA_SET_ELEM_LIST_SET, name.encode() + b"\0")
    body += nested(NFTA_SET_ELEM_LIST_ELEMENTS, (NFTA_LIST_ELEM | NLA_F_NESTED, element))
    batch = struct.pack("!BBH", socket.AF_UNSPEC, 0, NFNL_SUBSYS_NFTABLES)
    request(NETLINK_NETFILTER, NFT_MSG_NEWSETELEM, body, NLM_F_CREATE, message(NFNL_MSG_BATCH_BEGIN, 0, batch),
            message(NFNL_MSG_BATCH_END, 0, batch))


CHANGES = {change.__name__: change for change in (egress, reorder, conf, attach, detach, link, update, unlink,
                                                  pin, migrate, connection, quota)}


def change(name, *args):
    """In the network namespace of the gateway."""
    CHANGES[name](*args)
