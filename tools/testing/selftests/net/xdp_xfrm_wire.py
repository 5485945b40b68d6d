# SPDX-License-Identifier: GPL-2.0
"""Both ends of the test wires: sends frames as host A, sees what comes out
between the gateways and at host B, and the counters of G1.

Reads one command a line from standard input:

  state SPI KEY         what decrypts an SPI (hexadecimal)
  send N [NAME=VALUE]   N packets from A to B: the first alone, then the rest.
                        size: of the frame; sport, tos, df, ttl, pad, csum, dst,
                        dmac, vlan: tag of the frame; step: from one sport to the next;
                        options: bytes of them; fragment=1: each in two;
                        proto=icmp [kind]; by=socket, by=fpu (xdp_xfrm_fpu.ko), by=both
                        (fpu and as usual); inner=any, outer=any: may be changed;
                        inner=unread: a device was to encrypt it;
                        proto=syn: TCP; in=gre|ipip|geneve: encapsulated, for G1;
                        forge=IFINDEX: with a record among the options of Geneve;
                        output=N, arrive=N, deliver=N: wait for N packets by XDP,
                        ESP frames, datagrams
  later [NAME=VALUE]    what came since the last answer; arrive, deliver as above
  tap NAME RECEIVER SENDER
                        one more wire, by NS/DEV of its ends; without ends: no more
  sizes FROM TO STEP    one UDP frame of each size; after every tenth one with
                        IP options, which XDP does not forward
  tcp BYTES             a stream from A to B, compared
  reply SPORT           the socket on B answers datagrams from a port of A
  connect SPORT         a TCP connection from A to B, which stays
  stream BYTES          over it, and compared
  close                 that connection
  note NAME             keep what came by last under a name
  same NAME             did the same come by?
  sequence SPI          sequence numbers and IVs of all packets of a state
  pmtu MTU SPI          a router tells G1 that the packets of a state are too long
  change NAME ARGS      one of xdp_xfrm_change.py, on G1
  quit

Answers with lines of complaints that start with "# ", then one line of
NAME=VALUE: differences of G1's counters, and
  esp, clear            frames between the gateways
  good                  ESP packets without any complaint
  late                  of these, behind one with a higher sequence number
  delivered             datagrams that a socket on B received
  spi, smac, dmac, vlan, outer_src, outer_dst, outer_ttl, outer_tos
                        of the ESP frames, all values
  inner_src, inner_ttl, mss
                        of the packets inside, all values
  NAME_esp, NAME_clear, NAME_other
                        IPv4 frames that came by one more wire
  peer_COUNTER          the same difference on G2, if there is one
  icmp                  type/code of ICMP messages that A received
  bad                   number of complaints

No time-outs decide: a marker frame follows the packets through each wire.
"""

import os
import select
import socket
import struct
import sys
import time

import xdp_xfrm_change
import xdp_xfrm_frame
from xdp_xfrm_esp import (ETH_LEN, IP_DF, IP_FRAGMENT, IP_LEN, IPPROTO_ESP, State, checksum,
                          forwarded, l4_checksum, open_frame)
from xdp_xfrm_frame import ipv4
from xdp_xfrm_tap import IPPROTO_MARKER, SO_RCVBUFFORCE, Tap, in_ns

PORT = 2000
LIMIT = 20
# a veth ring has 256 slots
CHUNK = 64

def sort_of(frame):
    """Of a frame on a wire between the gateways."""
    if frame[12:14] != b"\x08\0":
        return None
    if frame[23] == IPPROTO_ESP:
        return "esp"
    return "clear" if frame[26:30] == socket.inet_aton(os.environ["IP_A"]) else "other"


class Wire:
    """The topology of xdp_xfrm_lib.sh."""

    def __init__(self):
        env = os.environ
        self.a = Tap(env["NS_A"], "eth0")
        self.lan = Tap(env["NS_G1"], "lan0")
        self.wan_near = Tap(env["NS_G1"], "wan0")
        self.wan = Tap(env["NS_G2"], "wan0")
        self.taps = {}
        self.ip_a, self.ip_b, self.ip_lan, self.ip_g1, self.ip_g2 = (
            socket.inet_aton(env[name]) for name in ("IP_A", "IP_B", "IP_G1_LAN", "IP_G1_WAN", "IP_G2_WAN"))
        self.mac_a, self.mac_lan, self.mac_g1, self.mac_g2 = (
            bytes.fromhex(env[name].replace(":", "")) for name in ("MAC_A", "MAC_G1_LAN", "MAC_G1_WAN", "MAC_G2_WAN"))
        self.stat, self.peer_stat = (
            in_ns(env[name], lambda: open("/proc/thread-self/net/xfrm_xdp_stat", encoding="ascii"))
            for name in ("NS_G1", "NS_G2"))
        self.sink = in_ns(env["NS_B"], lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.sink.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self.sink.bind((env["IP_B"], PORT))
        self.sink.setblocking(False)
        self.states = {}
        self.markers = 0
        self.ident = 0
        self.sent = {}
        self.constant = []
        self.notes = {}
        self.fragment = b""
        self.bad = []

    def counters(self):
        counters = {}
        for prefix, file in ("", self.stat), ("peer_", self.peer_stat):
            file.seek(0)
            counters |= {prefix + name: int(value) for name, value in (line.split() for line in file)}
        return counters

    def marker_pass(self, sender, receiver):
        """Everything sent before has come by when the marker has."""
        self.markers += 1
        frame = bytes.fromhex("020000000099") + self.mac_a + b"\x08\0" + ipv4(
            b"\xc6\x33\x64\1", b"\xc6\x33\x64\2", IPPROTO_MARKER, struct.pack("!Q", self.markers), 0)
        if not sender.send(frame):
            return
        end = time.monotonic() + LIMIT
        while receiver.marker != frame:
            select.select([receiver.sock], [], [], 1)
            receiver.read()
            if time.monotonic() > end:
                self.bad.append("a marker frame did not come by")
                return

    def settle(self):
        # the second marker comes after the work that the first left behind: learning
        self.marker_pass(self.a, self.lan)
        self.marker_pass(self.a, self.lan)
        self.marker_pass(self.wan_near, self.wan)
        for receiver, sender in self.taps.values():
            self.marker_pass(sender, receiver)

    def tap(self, name, *ends):
        """One more wire, or no more."""
        self.taps.pop(name, None)
        if ends:
            self.taps[name] = [Tap(*end.split("/")) for end in ends]
        return {}

    def udp(self, size, sport=1000, tos=0, df=1, ttl=64, pad=0, options=0, csum=1, dst=None):
        """An Ethernet frame of a size, plus padding of the link layer."""
        self.ident = self.ident % 65535 + 1
        data = (b"%08d" % self.ident * (size // 8 + 1))[:size - ETH_LEN - IP_LEN - 8]
        dst = dst or self.ip_b
        head = struct.pack("!HHH", sport, PORT, 8 + len(data))
        summed = checksum(self.ip_a + dst + struct.pack("!BBH", 0, 17, 8 + len(data)) + head + b"\0\0" + data) or 0xffff
        packet = ipv4(self.ip_a, dst, 17, head + struct.pack("!H", summed if csum else 0) + data,
                      self.ident, tos, IP_DF if df else 0, ttl, b"\1" * options)
        return packet, bytes(pad)

    def icmp(self, size, sport=1000, kind=8, **_):
        self.ident = self.ident % 65535 + 1
        body = struct.pack("!BBHHH", kind, 0, 0, sport, self.ident) + bytes(size - ETH_LEN - IP_LEN - 8)
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
        return ipv4(self.ip_a, self.ip_b, 1, body, self.ident), b""

    def syn(self, sport=1000, **_):
        self.ident = self.ident % 65535 + 1
        return xdp_xfrm_frame.syn(self.ip_a, self.ip_b, sport, PORT, self.ident), b""

    def encapsulate(self, tunnel, packet, forge):
        """For G1 to decapsulate."""
        if tunnel == "geneve":
            record = xdp_xfrm_frame.forged_record(forge) if forge else b""
            return xdp_xfrm_frame.geneve(self.ip_a, self.ip_lan, self.mac_lan + self.mac_a, 7, packet, record)
        return getattr(xdp_xfrm_frame, tunnel)(self.ip_a, self.ip_lan, packet)

    def frame(self, packet, pad=b"", dmac=None, tunnel=None, forge=0, vlan=0):
        if packet[8] > 1:
            self.sent[forwarded(packet)] = None
        if tunnel:
            packet = self.encapsulate(tunnel, packet, forge)
        kind = (struct.pack("!HH", 0x8100, vlan) if vlan else b"") + b"\x08\0"
        return (dmac or self.mac_lan) + self.mac_a + kind + packet + pad

    def fragments(self, packet):
        """The same datagram in two fragments."""
        half = (len(packet) - IP_LEN) // 2 // 8 * 8
        body = packet[IP_LEN:]
        return [ipv4(self.ip_a, self.ip_b, packet[9], part, self.ident, frag=frag)
                for part, frag in ((body[:half], 0x2000), (body[half:], half // 8))]

    def begin(self):
        self.settle()
        for tap in (self.a, self.lan, self.wan_near, *(receiver for receiver, _ in self.taps.values())):
            tap.take()
        # what was late, in a queue: its sequence numbers count
        for frame in self.wan.take():
            if frame[12:14] == b"\x08\0" and frame[23] == IPPROTO_ESP:
                self.open(frame)
        self.drain()
        self.sent = {}
        self.constant = []
        self.bad = []
        self.before = self.counters()

    def drain(self):
        count = 0
        while True:
            try:
                self.sink.recv(65536)
            except BlockingIOError:
                return count
            count += 1

    def await_delivery(self, expected):
        count = self.drain()
        end = time.monotonic() + 3
        while count < expected and time.monotonic() < end:
            select.select([self.sink], [], [], 0.1)
            count += self.drain()
        return count

    def reassemble(self, frame):
        """A whole frame, or None if this one is a first fragment."""
        head = frame[ETH_LEN:ETH_LEN + IP_LEN]
        frag = struct.unpack_from("!H", head, 6)[0]
        if not frag & IP_FRAGMENT:
            return frame
        if not frag & 0x1fff:
            self.fragment = frame
            return None
        frame = self.fragment + frame[ETH_LEN + IP_LEN:]
        head = head[:2] + struct.pack("!HHHBBH", len(frame) - ETH_LEN, 0, 0, head[8], head[9], 0) + head[12:]
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        return frame[:ETH_LEN] + head + frame[ETH_LEN + IP_LEN:]

    def open(self, frame, outer=True):
        return open_frame(frame, self.states, outer and (frame[0:6], self.mac_g1), (self.ip_g1, self.ip_g2))

    def await_arrival(self, expected):
        """Queues and timers: markers overtake what waits there."""
        end = time.monotonic() + LIMIT
        while sum(sort_of(frame) == "esp" for frame in self.wan.frames) < expected:
            select.select([self.wan.sock], [], [], 0.1)
            self.wan.read()
            if time.monotonic() > end:
                return

    def await_output(self, expected):
        """Asynchronous ciphers: markers overtake what they work on."""
        end = time.monotonic() + LIMIT
        while self.counters()["XfrmXdpOutput"] - self.before["XfrmXdpOutput"] < expected:
            time.sleep(0.01)
            if time.monotonic() > end:
                return

    def end(self, inner="sent", outer="equal", datagrams=True, output=0, arrive=0, deliver=0):
        """Judge what came by. inner: "sent", every one must be a packet that was sent;
        "any", its checksum must be right; "unread". outer: "equal", or changed.
        """
        self.await_output(output)
        self.await_arrival(arrive)
        self.settle()
        facts = {"esp": 0, "clear": 0, "good": 0, "late": 0}
        values = {name: {} for name in ("spi", "smac", "dmac", "vlan", "outer_src", "outer_dst", "outer_ttl",
                                        "outer_tos", "inner_src", "inner_ttl", "mss", "icmp")}
        inners, arriving, last = set(), 0, {}
        for frame in self.wan.take():
            if frame[12:14] != b"\x08\0":
                continue
            packet = frame[ETH_LEN:]
            if packet[9] != IPPROTO_ESP:
                # the stack of G2 shows its taps the decrypted packet as well
                if packet[12:16] == self.ip_a and packet not in inners:
                    facts["clear"] += 1
                continue
            facts["esp"] += 1
            vlan = frame.vlan
            frame = self.reassemble(frame)
            if not frame:
                continue
            packet = frame[ETH_LEN:]
            spi, seq = struct.unpack_from("!II", packet, IP_LEN)
            facts["late"] += seq < last.get(spi, 0)
            last[spi] = seq
            for name, value in (("spi", f"{spi:#x}"), ("dmac", frame[0:6].hex(":")),
                                ("smac", frame[6:12].hex(":")), ("vlan", f"{vlan:#x}"),
                                ("outer_src", socket.inet_ntoa(packet[12:16])),
                                ("outer_dst", socket.inet_ntoa(packet[16:20])),
                                ("outer_ttl", packet[8]), ("outer_tos", packet[1])):
                values[name][value] = None
            arriving += frame[0:6] == self.mac_g2
            if inner == "unread":
                continue
            plain, constant, bad = self.open(frame, outer == "equal")
            if plain:
                inners.add(plain)
                values["inner_src"][socket.inet_ntoa(plain[12:16])] = None
                values["inner_ttl"][plain[8]] = None
                if xdp_xfrm_frame.is_syn(plain):
                    values["mss"][xdp_xfrm_frame.mss(plain)] = None
                self.constant.append(constant)
                if inner == "sent" and self.sent.pop(plain, 1):
                    bad.append(f"inner packet is none that was sent: {plain[:28].hex()}")
                if inner == "any" and l4_checksum(plain):
                    bad.append("checksum of the inner packet")
            facts["good"] += not bad
            self.bad += bad
        facts["delivered"] = self.await_delivery(max(arriving, deliver)) if datagrams else 0
        for frame in self.a.take():
            if frame[12:14] == b"\x08\0" and frame[23] == 1:
                values["icmp"][f"{frame[34]}/{frame[35]}"] = None
        facts |= {name: ",".join(map(str, all_values)) for name, all_values in values.items()}
        for name, (receiver, _) in self.taps.items():
            sorts = [sort_of(frame) for frame in receiver.take()]
            facts |= {f"{name}_{what}": sorts.count(what) for what in ("esp", "clear", "other")}
        return facts | self.counted()

    def counted(self):
        """What the counters have moved; those of G2 only if they have."""
        before, self.before = self.before, self.counters()
        moved = {name: value - before[name] for name, value in self.before.items()}
        return {name: value for name, value in moved.items() if value or not name.startswith("peer_")}

    def send_fpu(self, frame):
        """While the FPU of this CPU is taken."""
        with open("/proc/xdp_xfrm_fpu", "wb", buffering=0) as file:
            in_ns(os.environ["NS_A"], lambda: file.write(frame))

    def send(self, count, size=100, proto="udp", fragment=0, by="frame", inner="sent", outer="equal",
             dmac=None, dst=None, forge=0, step=0, sport=1000, vlan=0, **options):
        waits = {name: options.pop(name) for name in ("output", "arrive", "deliver") if name in options}
        tunnel = options.pop("in", None)
        self.begin()
        sock = None
        if by == "socket":
            sock = in_ns(os.environ["NS_A"], lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.bind((os.environ["IP_A"], sport))
        if dmac:
            dmac = bytes.fromhex(dmac.replace(":", ""))
        if dst:
            dst = socket.inet_aton(dst)
        for n in range(count):
            if n == 1 or n % CHUNK == 1:
                self.settle()
            options["sport"] = sport + n * step
            if sock:
                try:
                    sock.sendto(bytes(size - ETH_LEN - IP_LEN - 8), (os.environ["IP_B"], PORT))
                except OSError:
                    pass
                continue
            if proto == "icmp":
                packet, pad = self.icmp(size, **options)
            elif proto == "syn":
                packet, pad = self.syn(**options)
            else:
                packet, pad = self.udp(size, dst=dst, **options)
            fpu = by == "fpu" or by == "both" and n % 2
            for part in self.fragments(packet) if fragment else [packet]:
                (self.send_fpu if fpu else self.a.send)(self.frame(part, pad, dmac, tunnel, forge, vlan))
        return self.end("any" if sock else inner, outer, datagrams=proto == "udp", **waits)

    def later(self, **waits):
        self.bad = []
        return self.end(**waits)

    def sizes(self, first, last, step):
        self.begin()
        # the same packets every time
        self.ident = 0
        for n, size in enumerate(range(first, last + 1, step)):
            packet, pad = self.udp(size, sport=3000)
            self.a.send(self.frame(packet, pad))
            if n % 10 == 9:
                packet, pad = self.udp(size, sport=3000, options=4)
                self.a.send(self.frame(packet, pad))
            if n % CHUNK == 0:
                self.settle()
        return self.end()

    def reply(self, sport):
        """Both ways now, for the conntrack of G1."""
        with in_ns(os.environ["NS_A"], lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
            sock.bind((os.environ["IP_A"], sport))
            sock.settimeout(LIMIT)
            self.sink.sendto(b"answer", (os.environ["IP_A"], sport))
            sock.recv(64)
        return {}

    def connect(self, sport=0):
        self.begin()
        listener = in_ns(os.environ["NS_B"], lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((os.environ["IP_B"], PORT))
        listener.listen()
        listener.settimeout(LIMIT)
        sender = in_ns(os.environ["NS_A"], lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        sender.settimeout(LIMIT)
        if sport:
            sender.bind((os.environ["IP_A"], sport))
        sender.connect((os.environ["IP_B"], PORT))
        receiver = listener.accept()[0]
        receiver.settimeout(LIMIT)
        listener.close()
        sender.setblocking(False)
        self.connection = sender, receiver
        return self.end("any", datagrams=False)

    def stream(self, count):
        self.begin()
        sender, receiver = self.connection
        data = os.urandom(count)
        left, came = memoryview(data), b""
        end = time.monotonic() + LIMIT
        while len(came) < count and time.monotonic() < end:
            readable, writable, _ = select.select([receiver], [sender] if left else [], [], 1)
            if writable:
                left = left[sender.send(left[:16384]):]
            if readable:
                came += receiver.recv(65536)
        facts = self.end("any", datagrams=False)
        facts["equal"] = int(came == data)
        return facts

    def close(self):
        self.begin()
        for sock in self.connection:
            sock.close()
        return self.end("any", datagrams=False)

    def tcp(self, count):
        connected = self.connect()
        facts = self.stream(count)
        self.close()
        return facts | {name: value + connected.get(name, 0)
                        for name, value in facts.items() if isinstance(value, int)}

    def same(self, name):
        before, now = self.notes[name], sorted(self.constant)
        for old, new in zip(before, now):
            if old != new:
                self.bad.append(f"was {old[:48].hex()}, is {new[:48].hex()}")
                break
        return {"same": int(before == now), "frames": len(now)}

    def sequence(self, spi):
        state = self.states[int(spi, 16)]
        self.bad += state.complaints()
        return {"last": max(state.sequence, default=0), "seen": len(state.sequence)}

    def pmtu(self, mtu, spi):
        """ICMP by the peer, with what it says of the packet that it got."""
        packet = ipv4(self.ip_g1, self.ip_g2, IPPROTO_ESP, struct.pack("!II", int(spi, 16), 1), 0)
        body = struct.pack("!BBHHH", 3, 4, 0, 0, int(mtu)) + packet
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
        self.wan.send(self.mac_g1 + self.mac_g2 + b"\x08\0" + ipv4(self.ip_g2, self.ip_g1, 1, body, 0))
        self.marker_pass(self.wan, self.wan_near)
        return {}

    def change(self, *args):
        in_ns(os.environ["NS_G1"], lambda: xdp_xfrm_change.change(*args))
        return {}

    def command(self, name, args):
        named = dict(arg.split("=") for arg in args if "=" in arg)
        args = [arg for arg in args if "=" not in arg]
        named = {k: int(v) if v.isdigit() else v for k, v in named.items()}
        if name == "send":
            return self.send(int(args[0]), **named)
        if name == "later":
            return self.later(**named)
        if name in ("sizes", "tcp", "reply", "connect", "stream", "close"):
            return getattr(self, name)(*map(int, args))
        self.bad = []
        if name == "state":
            self.states[int(args[0], 16)] = State(int(args[0], 16), bytes.fromhex(args[1].removeprefix("0x")))
            return {}
        if name == "note":
            self.notes[args[0]] = sorted(self.constant)
            return {}
        return {"same": self.same, "sequence": self.sequence, "tap": self.tap, "pmtu": self.pmtu,
                "change": self.change}[name](*args)


def main():
    # G1's XDP runs on the CPU of the sender: it has run when we run again
    os.sched_setaffinity(0, {os.cpu_count() - 1})
    wire = Wire()
    print("ready=1", flush=True)
    for line in sys.stdin:
        name, *args = line.split()
        if name == "quit":
            break
        facts = wire.command(name, args)
        for text in wire.bad[:5]:
            print("#", text)
        facts["bad"] = len(wire.bad)
        print(" ".join(f"{key}={value}" for key, value in facts.items() if value != ""), flush=True)


main()
