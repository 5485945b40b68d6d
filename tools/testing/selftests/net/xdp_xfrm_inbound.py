# SPDX-License-Identifier: GPL-2.0
"""A peer of G1 that we can make misbehave: sends ESP to its WAN device, sees what
comes out at host A, and all that G1 counts.

The same packets go through G1 with the fast path and without; what came of them
is one text, and the two must be equal.

Reads one command a line from standard input:

  state SPI KEY [esn=1]  packets are made with this state from now on, from number 1
  send N [NAME=VALUE]    N datagrams from B to A. sport, tos, size, ttl, df; src, dst: of
                         the inner packet; outer_src, outer_dst, outer_tos, dmac, spi;
                         clear=1: without ESP; tfc: bytes of TFC padding; by=stack: by
                         G2's stack, from a socket of B; v6=1: IPv6 inside; tcp=1: segments
                         of one TCP stream; wait: seconds, before it is looked what came
  hub 0|1                packets of the lists are for another tunnel of G1, to G2
  case NAME              one of the lists below (their docstrings say what it is)
  cases                  their names
  note NAME              keep what came of the packets since the last note
  same NAME              did the same come of those since?
  quit

Answers with lines of complaints that start with "# ", then one line of NAME=VALUE:
differences of G1's counters, those of its xfrm interface or VTI as xfrm_packets and so
on, and
  arrived                frames that A received from B
  good                   of these, one hop older than sent, with right MACs and checksums
  encrypted              ESP of G1 that G2 received, of a hub
  bad                    number of complaints
"""

import os
import random
import re
import select
import socket
import struct
import subprocess
import sys
import time

from xdp_xfrm_esp import (ETH_LEN, ICV_LEN, IP_DF, IP_LEN, IPPROTO_ESP, IPPROTO_IPIP, AesGcm, State,
                          checksum, forwarded, open_frame)
from xdp_xfrm_frame import ipip, ipv4, gre
from xdp_xfrm_tap import IPPROTO_MARKER, Tap, in_ns

IPPROTO_IPV6 = 41
IP6_LEN = 40
PORT = 2000
LIMIT = 20
CHUNK = 32


class Sender:
    """The other end of a state: RFC 4303 and 4106."""

    def __init__(self, spi, key, esn=0):
        self.spi, self.esn, self.seq = spi, esn, 0
        self.aead, self.salt = AesGcm(key[:-4]), key[-4:]

    def esp(self, inner, seq=None, next_header=IPPROTO_IPIP, pad=None, spi=None, tfc=0):
        """One packet; the next number unless one is given."""
        if seq is None:
            self.seq += 1
            seq = self.seq
        inner += bytes(tfc)
        if pad is None:
            pad = -(len(inner) + 2) % 4
        plain = inner + bytes(range(1, pad + 1)) if pad < 200 else inner
        plain += bytes([pad, next_header])
        head = struct.pack("!II", self.spi if spi is None else spi, seq & 0xffffffff)
        iv = struct.pack("!Q", seq ^ 0x5a5a5a5a5a5a5a5a)
        aad = struct.pack("!IQ", self.spi, seq) if self.esn else struct.pack("!II", self.spi, seq & 0xffffffff)
        return head + iv + self.aead.encrypt(self.salt + iv, plain, aad)


def snmp(file):
    """Two lines each: names, values."""
    counters = {}
    file.seek(0)
    lines = file.read().splitlines()
    for names, values in zip(lines[::2], lines[1::2]):
        kind, *names = names.split()
        if kind.startswith("Ip"):
            counters |= {f"{kind[:-1]}{name}": int(value) for name, value in zip(names, values.split()[1:])}
    return counters


def tunnel_device(file):
    """What the xfrm interface or VTI has received."""
    file.seek(0)
    for line in file:
        name, _, values = line.partition(":")
        if name.strip() in ("xfrm0", "vti1"):
            return {f"xfrm_{what}": int(value) for what, value in
                    zip(("bytes", "packets", "errors", "dropped"), values.split())}
    return {}


class Peer:
    """The topology of xdp_xfrm_lib.sh, from the far side."""

    def __init__(self):
        env = os.environ
        self.host = Tap(env["NS_A"], "eth0")
        self.wan = Tap(env["NS_G2"], "wan0")
        self.near = Tap(env["NS_G1"], "lan0")
        self.gateway = Tap(env["NS_G1"], "wan0")
        self.ip_a, self.ip_b, self.ip_lan, self.ip_g1, self.ip_g2 = (
            socket.inet_aton(env[name]) for name in ("IP_A", "IP_B", "IP_G1_LAN", "IP_G1_WAN", "IP_G2_WAN"))
        self.mac_a, self.mac_lan, self.mac_g1, self.mac_g2 = (
            bytes.fromhex(env[name].replace(":", "")) for name in ("MAC_A", "MAC_G1_LAN", "MAC_G1_WAN", "MAC_G2_WAN"))
        self.files = [in_ns(env["NS_G1"], lambda name=name: open(f"/proc/thread-self/net/{name}", encoding="ascii"))
                      for name in ("xfrm_stat", "xfrm_xdp_stat", "snmp", "netstat", "dev")]
        # without it A would answer with as many ICMP messages as it likes
        self.sink = in_ns(env["NS_A"], lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.sink.bind((env["IP_A"], PORT))
        self.sink.setblocking(False)
        self.sender, self.to, self.hub = None, self.ip_a, None
        self.markers = self.ident = 0
        self.sent, self.bad = {}, []
        self.came, self.notes = [], {}
        self.before = self.counters()

    def counters(self):
        counters = snmp(self.files[2]) | snmp(self.files[3]) | tunnel_device(self.files[4])
        for file in self.files[:2]:
            file.seek(0)
            counters |= {name: int(value) for name, value in (line.split() for line in file)}
        return counters

    def moved(self):
        before, self.before = self.before, self.counters()
        return {name: value - before.get(name, 0) for name, value in self.before.items() if value != before.get(name, 0)}

    def marker_pass(self, sender, receiver):
        """Everything sent before has come by when the marker has."""
        self.markers += 1
        frame = bytes.fromhex("020000000099") + self.mac_a + b"\x08\0" + ipv4(
            b"\xc6\x33\x64\1", b"\xc6\x33\x64\2", IPPROTO_MARKER, struct.pack("!Q", self.markers), 0)
        sender.send(frame)
        end = time.monotonic() + LIMIT
        while receiver.marker != frame:
            select.select([receiver.sock], [], [], 1)
            receiver.read()
            if time.monotonic() > end:
                self.bad.append("a marker frame did not come by")
                return

    def settle(self):
        self.marker_pass(self.wan, self.gateway)
        self.marker_pass(self.wan, self.gateway)
        self.marker_pass(self.near, self.host)
        self.marker_pass(self.near, self.host)

    def udp(self, size=100, sport=1000, tos=0, df=1, ttl=64, src=None, dst=None):
        self.ident = self.ident % 65535 + 1
        src, dst = src or self.ip_b, dst or self.to
        data = (b"%08d" % self.ident * (size // 8 + 1))[:size - IP_LEN - 8]
        head = struct.pack("!HHH", sport, PORT, 8 + len(data))
        summed = checksum(src + dst + struct.pack("!BBH", 0, 17, 8 + len(data)) + head + b"\0\0" + data) or 0xffff
        return ipv4(src, dst, 17, head + struct.pack("!H", summed) + data, self.ident, tos, IP_DF if df else 0, ttl)

    def tcp(self, size=100, sport=1000, dst=None):
        """The next segment of a stream."""
        dst = dst or self.ip_a
        data = bytes(size)
        head = struct.pack("!HHIIBBH", sport, PORT, self.ident * size, 1, 5 << 4, 0x10, 8192)
        self.ident += 1
        summed = checksum(self.ip_b + dst + struct.pack("!BBH", 0, 6, 20 + size) + head + bytes(4) + data)
        return ipv4(self.ip_b, dst, 6, head + struct.pack("!HH", summed, 0) + data, self.ident, 0, IP_DF, 64)

    def udp6(self, size=100, sport=1000):
        self.ident = self.ident % 65535 + 1
        addresses = socket.inet_pton(socket.AF_INET6, "fd00:2::2") + socket.inet_pton(socket.AF_INET6, "fd00:1::2")
        data = (b"%08d" % self.ident * (size // 8 + 1))[:size - IP6_LEN - 8]
        head = struct.pack("!HHH", sport, PORT, 8 + len(data))
        summed = checksum(addresses + struct.pack("!II", 8 + len(data), 17) + head + b"\0\0" + data) or 0xffff
        return struct.pack("!IHBB", 6 << 28, 8 + len(data), 17, 64) + addresses + head + struct.pack("!H", summed) + data

    def frame(self, packet, dmac=None, pad=0):
        return (dmac or self.mac_g1) + self.mac_g2 + b"\x08\0" + packet + bytes(pad)

    def outer(self, esp, src=None, dst=None, tos=0, ident=0, frag=IP_DF, ttl=64, options=b""):
        return ipv4(src or self.ip_g2, dst or self.ip_g1, IPPROTO_ESP, esp, ident, tos, frag, ttl, options)

    def good(self, inner, **esp):
        """A frame that is as it should be."""
        return self.frame(self.outer(self.sender.esp(inner, **esp)))

    def run(self, frames, alone=2, wait="0"):
        """Send, the first ones alone; what came of it."""
        self.bad, self.sent = [], {}
        self.settle()
        self.host.take()
        for n, frame in enumerate(frames):
            if n <= alone or n % CHUNK == 0:
                self.settle()
            self.wan.send(frame)
        time.sleep(float(wait))
        return self.end()

    def forget(self):
        """What waits to be read holds memory of a device, and states."""
        for tap in self.near, self.gateway:
            tap.take()
        try:
            while True:
                self.sink.recv(1)
        except BlockingIOError:
            pass

    def encrypted(self, frames):
        """Of a hub: what came is all of it but for IV, id and sequence number."""
        frames = [frame for frame in frames if frame[12:14] == b"\x08\0" and frame[6:12] == self.mac_g1
                  and frame[ETH_LEN + 9] == IPPROTO_ESP]
        if not self.hub:
            return 0
        for frame in frames:
            _, constant, bad = open_frame(frame, {self.hub.spi: self.hub}, (self.mac_g2, self.mac_g1),
                                          (self.ip_g1, self.ip_g2))
            self.came.append(f"{frame[:ETH_LEN].hex()} {(constant or b'').hex()}")
            self.bad += bad
        self.bad += self.hub.complaints()
        return len(frames)

    def end(self):
        self.settle()
        self.forget()
        facts = {"arrived": 0, "good": 0, "encrypted": self.encrypted(self.wan.take())}
        for frame in self.host.take():
            if frame[12:14] == b"\x86\xdd" and frame[ETH_LEN + 6] == 17:
                facts["arrived"] += 1
                facts["good"] += frame[ETH_LEN:] in self.sent and frame[:12] == self.mac_a + self.mac_lan
                continue
            if frame[12:14] != b"\x08\0" or frame[ETH_LEN + 9] == 1 or frame[6:12] != self.mac_lan:
                continue
            facts["arrived"] += 1
            packet = frame[ETH_LEN:ETH_LEN + struct.unpack_from("!H", frame, ETH_LEN + 2)[0]]
            self.came.append(frame.hex())
            facts["good"] += packet in self.sent and frame[:6] == self.mac_a and not checksum(packet[:IP_LEN])
        moved = self.moved()
        self.came.append(" ".join(f"{name}={value}" for name, value in sorted(moved.items())
                                  if not name.startswith("XfrmXdp")))
        return facts | moved

    def packets(self, count, clear=0, outer_src=None, outer_dst=None, outer_tos=0, dmac=None, spi=None, tfc=0,
                pad=0, v6=0, tcp=0, **inner):
        for _ in range(count):
            if tcp:
                yield self.good(self.tcp(**inner))
                continue
            if v6:
                packet = self.udp6(**inner)
                self.sent[packet[:7] + b"\x3f" + packet[8:]] = None
                yield self.good(packet, next_header=IPPROTO_IPV6)
                continue
            packet = self.udp(**inner)
            self.sent[forwarded(packet)] = None
            if clear:
                yield self.frame(packet, dmac, pad)
                continue
            esp = self.sender.esp(packet, spi=spi, tfc=tfc)
            yield self.frame(self.outer(esp, outer_src, outer_dst, outer_tos), dmac, pad)

    def send(self, count, wait="0", **named):
        for name in ("src", "dst", "outer_src", "outer_dst"):
            if name in named:
                named[name] = socket.inet_aton(named[name])
        if "dmac" in named:
            named["dmac"] = bytes.fromhex(named["dmac"].replace(":", ""))
        return self.run(self.packets(count, **named), wait=wait)

    def socket(self, count, size=100, sport=4000):
        """Datagrams that G2's stack encrypts."""
        self.bad, self.sent = [], {}
        self.settle()
        self.host.take()
        sock = in_ns(os.environ["NS_B"], lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sock.bind((os.environ["IP_B"], sport))
        for n in range(count):
            sock.sendto(bytes(size), (os.environ["IP_A"], PORT))
            if n < 2:
                time.sleep(0.1)
                self.settle()
        time.sleep(0.1)
        return self.end()

    def states(self):
        """What G1 remembers of the states, without times, SPI and key."""
        ends = os.environ["IP_G2_WAN"], os.environ["IP_G1_WAN"]
        lines = self.state(*ends, self.sender.spi)
        return lines + self.state(*reversed(ends), self.hub.spi) if self.hub else lines

    @staticmethod
    def state(src, dst, spi):
        text = subprocess.run(["ip", "-n", os.environ["NS_G1"], "-s", "xfrm", "state", "get",
                               "src", src, "dst", dst, "proto", "esp", "spi", hex(spi)],
                              check=True, stdout=subprocess.PIPE, text=True).stdout
        return [line for line in text.splitlines()
                if re.search("bytes|replay|seq|bitmap|^ *[0-9a-f]{8}|failed", line) and "limit" not in line
                and "spi" not in line]

    # The lists: what a peer or somebody between could send. Each a generator of frames.

    def case_sizes(self):
        """sizes of the inner packet, each remainder of a cipher block"""
        for size in range(IP_LEN + 8, 1401, 9):
            yield self.good(self.udp(size))

    def case_inner(self):
        """inner packets that XDP does not forward"""
        packet = self.udp()
        for _ in range(3):
            yield self.good(self.udp())
        yield self.good(self.udp(ttl=1))
        yield self.good(self.udp(ttl=0))
        yield self.good(self.udp(df=0, size=1400))
        yield self.good(ipv4(self.ip_b, self.ip_a, 17, packet[IP_LEN:], 7, options=b"\1" * 4))
        yield self.good(ipv4(self.ip_b, self.ip_a, 17, packet[IP_LEN:IP_LEN + 40], 8, frag=0x2000))
        yield self.good(ipv4(self.ip_b, self.ip_a, 17, packet[IP_LEN + 40:], 8, frag=5))
        yield self.good(gre(self.ip_b, self.ip_a, packet))
        yield self.good(ipip(self.ip_b, self.ip_a, packet))
        # a header that says less or more than there is, or is no header
        yield self.good(packet, tfc=50)
        yield self.good(packet[:60])
        yield self.good(packet[:IP_LEN])
        yield self.good(packet[:IP_LEN - 1])
        yield self.good(packet[:10] + b"\0\0" + packet[12:])
        yield self.good(b"\x44" + packet[1:])
        yield self.good(b"\x65" + packet[1:])
        yield self.good(packet)

    def case_policy(self):
        """inner packets outside of the selector of every policy"""
        far = [socket.inet_aton(addr) for addr in ("10.9.0.2", "192.0.2.2", "127.0.0.1", "10.1.0.2", "224.0.0.1")]
        for _ in range(2):
            for addr in far:
                yield self.good(self.udp(src=addr))
                yield self.good(self.udp(dst=addr))
            yield self.good(self.udp())

    def case_next_header(self):
        """all next headers"""
        for _ in range(2):
            yield self.good(self.udp())
        for proto in range(256):
            yield self.good(self.udp(), next_header=proto)

    def case_padding(self):
        """pad lengths that are there and that are not"""
        packet = self.udp()
        yield self.good(packet)
        for pad in list(range(0, 200, 4)) + [200, 201, 254, 255]:
            yield self.good(packet, pad=pad + 2 if pad < 200 else pad)

    def case_flipped(self):
        """a bit of every byte from the ESP header on, and of the outer header"""
        for _ in range(2):
            yield self.good(self.udp())
        length = len(self.good(self.udp()))
        for byte in range(ETH_LEN, length):
            frame = bytearray(self.good(self.udp()))
            frame[byte] ^= 1 << byte % 8
            yield bytes(frame)
        # the same with a checksum of the outer header that is right
        for byte in range(ETH_LEN, ETH_LEN + IP_LEN):
            frame = bytearray(self.good(self.udp()))
            frame[byte] ^= 1 << byte % 8
            frame[ETH_LEN + 10:ETH_LEN + 12] = b"\0\0"
            frame[ETH_LEN + 10:ETH_LEN + 12] = struct.pack("!H", checksum(bytes(frame[ETH_LEN:ETH_LEN + IP_LEN])))
            yield bytes(frame)
        yield self.good(self.udp())

    def case_truncated(self):
        """every length of the packet, and of the frame"""
        for _ in range(2):
            yield self.good(self.udp(40))
        whole = self.sender.esp(self.udp(40))
        for length in range(len(whole)):
            yield self.frame(self.outer(self.sender.esp(self.udp(40))[:length]))
        for length in range(IP_LEN + len(whole)):
            yield self.good(self.udp(40))[:ETH_LEN + length]
        yield self.good(self.udp(40))

    def case_outer(self):
        """outer headers that are not the first packet's"""
        for _ in range(2):
            yield self.good(self.udp())
        for tos in range(0, 256, 7):
            yield self.frame(self.outer(self.sender.esp(self.udp(tos=tos & 3)), tos=tos))
        for ttl in 0, 1, 2, 255:
            yield self.frame(self.outer(self.sender.esp(self.udp()), ttl=ttl))
        yield self.frame(self.outer(self.sender.esp(self.udp()), options=b"\1" * 4))
        yield self.frame(self.outer(self.sender.esp(self.udp()), src=socket.inet_aton("192.0.2.77")))
        yield self.frame(self.outer(self.sender.esp(self.udp()), dst=socket.inet_aton("192.0.2.77")))
        yield self.frame(self.outer(self.sender.esp(self.udp()), dst=self.ip_lan))
        yield self.frame(self.outer(self.sender.esp(self.udp())), dmac=bytes.fromhex("020000000077"))
        yield self.frame(self.outer(self.sender.esp(self.udp())), dmac=b"\xff" * 6)
        yield self.frame(self.outer(self.sender.esp(self.udp())), pad=13)
        esp = self.sender.esp(self.udp(200))
        yield self.frame(self.outer(esp[:80], ident=9, frag=0x2000))
        yield self.frame(self.outer(esp[80:], ident=9, frag=10))
        # to the gateway with the SPI of the other direction, and with none
        for spi in int(os.environ["SPI_OUT"], 0), 0:
            yield self.frame(self.outer(self.sender.esp(self.udp(), spi=spi)))
        # ESP in GRE and IPIP to the gateway, GRE in ESP
        packet = self.outer(self.sender.esp(self.udp()))
        yield self.frame(gre(self.ip_g2, self.ip_g1, packet))
        yield self.frame(ipip(self.ip_g2, self.ip_g1, packet))
        yield self.good(self.outer(self.sender.esp(self.udp())))
        yield self.frame(self.outer(self.sender.esp(self.udp()), ttl=64)[:-ICV_LEN] + bytes(ICV_LEN))
        yield self.good(self.udp())

    def case_clear(self):
        """clear text with the tuple of a flow that came out of ESP"""
        for _ in range(5):
            yield self.good(self.udp())
        for _ in range(5):
            yield self.frame(self.udp())
        for _ in range(2):
            yield self.good(self.udp())

    def case_replayed(self):
        """repeated, late and lost packets at random, around any window"""
        rng = random.Random(7)
        top = 1
        for _ in range(150):
            kind = rng.randrange(10)
            if kind < 5:
                top += 1
                seq = top
            elif kind == 5:
                top += rng.choice((2, 5, 31, 32, 33, 63, 64, 65, 1023, 1025, 5000))
                seq = top
            else:
                seq = max(0, top - rng.choice((0, 1, 2, 5, 31, 32, 33, 63, 64, 65, 127, 128, 1023, 1024, 4095, 4096)))
            yield self.good(self.udp(), seq=seq)
        self.sender.seq = top

    def case_wrapped(self):
        """the same around the end of a subspace of numbers"""
        rng = random.Random(9)
        top = 0xfffffff0
        for _ in range(100):
            if rng.randrange(3):
                top += rng.choice((1, 1, 1, 2, 20))
                seq = top
            else:
                seq = max(1, top - rng.randrange(0, 70))
            yield self.good(self.udp(), seq=seq)
        self.sender.seq = top

    def cases(self):
        return [name[5:] for name in dir(self) if name.startswith("case_")]

    def command(self, name, args):
        named = dict(arg.split("=") for arg in args if "=" in arg)
        args = [arg for arg in args if "=" not in arg]
        named = {k: int(v, 0) if re.fullmatch("[0-9]+|0x[0-9a-f]+", v) else v for k, v in named.items()}
        self.bad = []
        if name == "send":
            if named.pop("by", None) == "stack":
                return self.socket(int(args[0]), **named)
            return self.send(int(args[0]), **named)
        if name == "state":
            self.sender = Sender(int(args[0], 16), bytes.fromhex(args[1].removeprefix("0x")), **named)
            self.ident = 0
            self.came = []
            self.hub = None
            if self.to != self.ip_a:
                self.hub = State(int(os.environ["SPI_OUT"], 0), bytes.fromhex(os.environ["KEY_OUT"].removeprefix("0x")))
            self.before = self.counters()
            return {}
        if name == "hub":
            # begins with each new state
            self.to = socket.inet_aton("10.3.0.2") if int(args[0]) else self.ip_a
            return {}
        if name == "case":
            return self.run(getattr(self, f"case_{args[0]}")(), alone=6)
        if name == "note":
            self.notes[args[0]] = self.came + self.states()
            return {"lines": len(self.notes[args[0]])}
        if name == "same":
            return self.same(self.notes[args[0]], self.came + self.states())
        return {"cases": ",".join(self.cases())}

    def same(self, before, now):
        for old, new in zip(before, now):
            if old != new:
                self.bad.append(f"off: {old[:400]}")
                self.bad.append(f"on:  {new[:400]}")
                break
        if len(before) != len(now):
            self.bad.append(f"{len(before)} lines without the fast path, {len(now)} with it")
        return {"same": int(before == now), "lines": len(now)}


def main():
    # G1's XDP runs on the CPU of the sender: it has run when we run again
    os.sched_setaffinity(0, {os.cpu_count() - 1})
    peer = Peer()
    print("ready=1", flush=True)
    for line in sys.stdin:
        name, *args = line.split()
        if name == "quit":
            break
        facts = peer.command(name, args)
        for text in peer.bad[:6]:
            print("#", text)
        facts["bad"] = len(peer.bad)
        print(" ".join(f"{key}={value}" for key, value in facts.items() if value != ""), flush=True)


main()
