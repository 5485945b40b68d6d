# SPDX-License-Identifier: GPL-2.0
"""Load for the gateway: many flows from host A to host B, from all CPUs at once.

Reads one command a line from standard input:

  stream FLOWS          every CPU sends over all flows in turn, until
  stop COUNT            not before COUNT packets were sent
  together PORT COUNT   COUNT packets of one flow from every CPU at the same time

A CPU waits for B after WINDOW packets, so that no ring overflows, and rests as
long as it has sent. Answers with one line of NAME=VALUE: the differences of G1's
counters, and

  sent                  packets that the device of A took
  delivered             of these, those that a socket on B received
  repeated              those that it received more than once
  replayed              packets whose sequence number G2 had seen before
  clear                 packets that came off the wire in clear: G2's policy wants
                        them encrypted, and counts those that are not
  refused               by XFRM, IP, UDP and devices of gateways and B, by their
                        own counters
  unaccounted           sent, but neither delivered nor refused
"""

import ctypes
import errno
import mmap
import os
import socket
import struct
import sys
import time

CLONE_NEWNET = 0x40000000
ETH_LEN = 14
IP_LEN = 20
SOL_PACKET = 263
PACKET_QDISC_BYPASS = 20
SO_RCVBUFFORCE = 33
PORT = 2000
FIRST_PORT = 10000
LIMIT = 20
WINDOW = 16
# what is not delivered after that long is not waited for
PATIENCE = 0.5
# the least that is worth waking up for
REST = 0.02
CPUS = os.cpu_count()

# Columns of /proc/net
LOSSES = {("Ip", name) for name in ("InHdrErrors", "InAddrErrors", "InDiscards", "OutDiscards", "OutNoRoutes")}
LOSSES |= {("Udp", "InErrors"), ("Udp", "NoPorts")}
TX_DROPPED = 11

# Words that the processes share: what to do, then a line for each CPU
RUN, MODE, ARG, COUNT, GATE, REPEATED, LINES = range(7)
STREAM, TOGETHER = 1, 2
SENT, DELIVERED, READY, DONE, LINE = range(5)

NUMBER = struct.Struct("!IQ")
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None, use_errno=True)
shared = memoryview(mmap.mmap(-1, 65536)).cast("Q")
home = os.open("/proc/self/ns/net", os.O_RDONLY)


def line(cpu, word):
    return LINES + cpu * LINE + word


def enter(name):
    with open(f"/var/run/netns/{name}", "rb") as ns:
        if libc.setns(ns.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {name}")


def in_ns(name, read):
    """read() in a namespace that may have gone; nothing keeps it from going."""
    try:
        enter(name)
    except FileNotFoundError:
        return {}
    try:
        return read()
    finally:
        libc.setns(home, CLONE_NEWNET)


def header(sport):
    """An Ethernet frame up to the number in its payload. UDP without checksum."""
    env = os.environ
    size = IP_LEN + 8 + NUMBER.size
    ip = struct.pack("!BBHHHBBH", 0x45, 0, size, 0, 0x4000, 64, 17, 0)
    ip += socket.inet_aton(env["IP_A"]) + socket.inet_aton(env["IP_B"])
    total = sum(struct.unpack("!10H", ip))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    macs = bytes.fromhex((env["MAC_G1_LAN"] + env["MAC_A"]).replace(":", ""))
    return (macs + b"\x08\0" + ip[:10] + struct.pack("!H", ~total & 0xffff) + ip[12:] +
            struct.pack("!HHHH", sport, PORT, 8 + NUMBER.size, 0))


class Sender:
    """One CPU of host A."""

    def __init__(self, cpu):
        os.sched_setaffinity(0, {cpu})
        # whoever changes the gateway comes first
        os.nice(19)
        enter(os.environ["NS_A"])
        self.cpu = cpu
        self.sock = None
        self.given_up = 0
        self.progress = (0, 0.0)

    def open(self):
        """The device may not be there: then None."""
        if self.sock:
            self.sock.close()
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        try:
            self.sock.bind(("eth0", 0))
        except OSError:
            self.sock = None

    def send(self, head):
        """False if the device did not take it; numbers count what it did."""
        number = shared[line(self.cpu, SENT)]
        try:
            self.sock.send(head + NUMBER.pack(self.cpu, number))
        except (OSError, AttributeError) as err:
            # its queue may be full; anything else: the device is another now
            if getattr(err, "errno", None) != errno.ENOBUFS:
                self.open()
            return False
        shared[line(self.cpu, SENT)] = number + 1
        return True

    def room(self):
        """In the window. If nothing comes for long, forget what is on its way."""
        delivered = shared[line(self.cpu, DELIVERED)]
        on_its_way = shared[line(self.cpu, SENT)] - delivered - self.given_up
        now = time.monotonic()
        if self.progress[0] != delivered or on_its_way < WINDOW:
            self.progress = (delivered, now)
        elif now - self.progress[1] > PATIENCE:
            self.given_up += on_its_way
        return WINDOW - on_its_way

    def stream(self, run):
        heads = [header(FIRST_PORT + n) for n in range(shared[ARG])]
        n = self.cpu * len(heads) // CPUS
        while shared[RUN] == run:
            begin = time.monotonic()
            for _ in range(self.room()):
                n += 1
                if not self.send(heads[n % len(heads)]):
                    break
            time.sleep(max(REST, time.monotonic() - begin))

    def together(self, run):
        head = header(shared[ARG])
        shared[line(self.cpu, READY)] = run
        while shared[GATE] != run:
            pass
        for _ in range(shared[COUNT]):
            self.send(head)

    def loop(self):
        run = 0
        while True:
            while shared[RUN] == run:
                time.sleep(0.002)
            run = shared[RUN]
            self.open()
            if shared[MODE] == STREAM:
                self.stream(run)
            elif shared[MODE] == TOGETHER:
                self.together(run)
            shared[line(self.cpu, DONE)] = run


def receive():
    """Host B."""
    enter(os.environ["NS_B"])
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    sock.bind((os.environ["IP_B"], PORT))
    print("ready=1", flush=True)
    seen = [bytearray() for _ in range(CPUS)]
    while True:
        try:
            cpu, number = NUMBER.unpack(sock.recv(64, socket.MSG_DONTWAIT))
        except BlockingIOError:
            time.sleep(REST)
            sock.recv(64, socket.MSG_PEEK)
            continue
        if number >= len(seen[cpu]):
            seen[cpu].extend(bytes(number + 65536 - len(seen[cpu])))
        if seen[cpu][number]:
            shared[REPEATED] += 1
        else:
            seen[cpu][number] = 1
            shared[line(cpu, DELIVERED)] += 1


def read(name):
    with open(f"/proc/thread-self/net/{name}", encoding="ascii") as file:
        return [text.replace(":", " ").split() for text in file]


def counters():
    return in_ns(os.environ["NS_G1"], lambda: {name: int(value) for name, value in read("xfrm_xdp_stat")})


def refusals_here():
    facts = {name: int(value) for name, value in read("xfrm_stat")}
    rows = read("snmp")
    for names, values in zip(rows[::2], rows[1::2]):
        for name, value in zip(names, values):
            if (names[0], name) in LOSSES:
                facts[names[0], name] = int(value)
    for name, *values in read("dev")[2:]:
        facts[name] = int(values[TX_DROPPED])
    return facts


def refusals():
    """All counters of losses behind host A."""
    return {(ns, name): value for ns in map(os.environ.get, ("NS_G1", "NS_G2", "NS_B"))
            for name, value in in_ns(ns, refusals_here).items()}


class Load:
    """What the commands have in common."""

    def begin(self, mode, arg, count=0):
        self.before = counters(), refusals()
        self.start = list(shared)
        shared[ARG], shared[COUNT], shared[MODE] = arg, count, mode
        shared[RUN] += 1

    def await_all(self, word, run):
        end = time.monotonic() + LIMIT
        while any(shared[line(cpu, word)] < run for cpu in range(CPUS)):
            time.sleep(0.005)
            if time.monotonic() > end:
                print("# a sender does not answer")
                return

    def since(self, word):
        return sum(shared[line(cpu, word)] - self.start[line(cpu, word)] for cpu in range(CPUS))

    def end(self):
        sent = self.since(SENT)
        end = time.monotonic() + LIMIT
        last = progress = -1
        while time.monotonic() < end:
            delivered = self.since(DELIVERED)
            if delivered == sent:
                break
            if delivered != last:
                last, progress = delivered, time.monotonic()
            elif time.monotonic() - progress > 1:
                break
            time.sleep(0.01)
        after = counters()
        facts = {name: after[name] - self.before[0].get(name, 0) for name in after}
        delivered, now = self.since(DELIVERED), refusals()
        more = {key: max(0, now[key] - self.before[1].get(key, 0)) for key in now}
        clear = more.pop((os.environ["NS_G2"], "XfrmInTmplMismatch"))
        replayed = more.pop((os.environ["NS_G2"], "XfrmInStateSeqError"))
        refused = sum(more.values())
        return facts | {"sent": sent, "delivered": delivered, "clear": clear, "replayed": replayed, "refused": refused,
                        "repeated": shared[REPEATED] - self.start[REPEATED],
                        "unaccounted": max(0, sent - delivered - refused)}

    def stream(self, flows):
        self.begin(STREAM, flows)
        return {"started": 1}

    def stop(self, count):
        run = shared[RUN]
        end = time.monotonic() + LIMIT
        while self.since(SENT) < count and time.monotonic() < end:
            time.sleep(REST)
        shared[MODE] = 0
        shared[RUN] += 1
        self.await_all(DONE, run)
        return self.end()

    def together(self, port, count):
        self.begin(TOGETHER, port, count)
        self.await_all(READY, shared[RUN])
        shared[GATE] = shared[RUN]
        self.await_all(DONE, shared[RUN])
        return self.end()


def child(work):
    pid = os.fork()
    if not pid:
        libc.prctl(PR_SET_PDEATHSIG, 9)
        sys.stdin.close()
        work()
    return pid


def main():
    children = [child(lambda cpu=cpu: Sender(cpu).loop()) for cpu in range(CPUS)]
    children.append(child(receive))
    load = Load()
    for words in map(str.split, sys.stdin):
        if words[0] == "quit":
            break
        facts = getattr(load, words[0])(*map(int, words[1:]))
        print(" ".join(f"{key}={value}" for key, value in facts.items()), flush=True)
    for pid in children:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


main()
