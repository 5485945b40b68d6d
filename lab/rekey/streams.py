# SPDX-License-Identifier: GPL-2.0
"""What lab/rekey/traffic.py sends, and what it knows of what came."""
import os
import socket
import struct
import time

# offsets in struct tcp_info
TOTAL_RETRANS, SEGS_OUT = 100, 136
FLOWS = 4
PORT = 4000
SIZE = 200
NUMBER = struct.Struct(f'!Q{SIZE - 36}x')
TCP_PART = 1000
AHEAD = 1 << 16     # TCP owes no more than that
PERIOD = 65521      # a prime: no lost or repeated segment goes unseen
STREAM = os.urandom(PERIOD) * 2

now = time.monotonic


class Datagrams:
    """One way: every number that was sent, how often it came, and whether in order."""

    def __init__(self, senders, to):
        self.senders, self.to = senders, to
        self.seen, self.late = bytearray(), bytearray()
        self.last = [-1] * FLOWS
        self.missing = self.given_up = 0
        self.silence = self.arrived = 0.0

    def send(self):
        number = len(self.seen)
        flow = number % FLOWS
        self.senders[flow].sendto(NUMBER.pack(number), (self.to, PORT + flow))
        self.seen.append(0)
        self.late.append(0)
        self.missing += 1

    def receive(self, sock):
        number, = NUMBER.unpack(sock.recv(SIZE))
        flow = number % FLOWS
        self.missing -= not self.seen[number]
        self.seen[number] += 1
        self.late[number] = number < self.last[flow]
        self.last[flow] = max(self.last[flow], number)
        arrived = now()
        self.silence = max(self.silence, arrived - self.arrived)
        self.arrived = arrived

    def between(self, first, last):
        seen = self.seen[first:last]
        return {'sent': last - first, 'lost': seen.count(0), 'late': sum(self.late[first:last]),
                'repeated': sum(seen) + seen.count(0) - len(seen)}


class End:
    """One end of the TCP connection."""

    def __init__(self, sock):
        sock.setblocking(False)
        self.sock = sock
        self.due = self.sent = self.received = self.wrong = 0

    def send(self, more):
        self.due = min(self.due + more, self.sent + AHEAD)
        while self.sent < self.due:
            at = self.sent % PERIOD
            try:
                self.sent += self.sock.send(STREAM[at:at + min(self.due - self.sent, TCP_PART)])
            except BlockingIOError:
                return

    def receive(self, sock):
        data = sock.recv(PERIOD)
        at = self.received % PERIOD
        self.wrong += data != STREAM[at:at + len(data)] or not data
        self.received += len(data)

    def facts(self):
        info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        word = {name: struct.unpack_from('=I', info, at)[0] for name, at in
                (('retransmits', TOTAL_RETRANS), ('segments', SEGS_OUT))}
        return {'sent': self.sent, 'received': self.received, 'wrong': self.wrong, **word}
