#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Traffic between hosts A and B that goes on while the tunnel between them changes.

traffic.py RATE JSON: RATE numbered datagrams a second each way, over FLOWS flows in turn,
and one TCP connection with a known stream each way. Each line on standard input names a
mark: nothing is sent until all that is on its way has come or is overdue, counters are
noted, "ok" is printed. At the end of input JSON gets what was between each two marks.
"""
import ctypes
import json
import os
import select
import socket
import sys
import time

from streams import FLOWS, PORT, TCP_PART, Datagrams, End, now

CLONE_NEWNET = 0x40000000
SO_RCVBUFFORCE = 33
EVERY = 10          # datagrams each way for one part of each TCP stream
OVERDUE = 0.3
DELAYED_ACK = 0.06
ERRORS = ('Ip:InHdrErrors', 'Ip:InAddrErrors', 'Ip:InDiscards', 'Ip:OutDiscards', 'Ip:OutNoRoutes',
          'Icmp:OutDestUnreachs')
OUT, IN = 'out', 'in'

libc = ctypes.CDLL(None, use_errno=True)


def enter(name):
    """This thread is in that namespace now."""
    with open(f'/var/run/netns/{name}', 'rb') as ns:
        if libc.setns(ns.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f'setns {name}')


def moved(one, two):
    return {name: value - one[name] for name, value in two.items() if value != one[name]}


class Counters:
    """Of both gateways, by the name of the gateway and their own."""

    def __init__(self):
        self.files = {}
        for ns in ('G1', 'G2'):
            enter(os.environ[f'NS_{ns}'])
            for file in ('xfrm_stat', 'xfrm_xdp_stat', 'snmp'):
                # pylint: disable=consider-using-with
                self.files[ns, file] = open(f'/proc/thread-self/net/{file}', encoding='ascii')

    def read(self):
        found = {}
        for (ns, file), stream in self.files.items():
            stream.seek(0)
            rows = [row.split() for row in stream]
            if file == 'snmp':
                # a line of names, then one of values
                rows = [(kind[0][:-1] + name, value) for kind, values in zip(rows[::2], rows[1::2])
                        for name, value in zip(kind[1:], values[1:]) if kind[0] + name in ERRORS]
            found |= {f'{ns} {name}': int(value) for name, value in rows}
        return found


class Traffic:
    def __init__(self, rate):
        self.rate = rate
        self.counters = Counters()
        socks = {host: self.sockets(host) for host in 'AB'}
        self.ways = {OUT: Datagrams(socks['A'], os.environ['IP_B']),
                     IN: Datagrams(socks['B'], os.environ['IP_A'])}
        self.ends = dict(zip((OUT, IN), self.connect()))
        self.poll = select.epoll()
        self.receivers = {}
        for host, way in (('A', IN), ('B', OUT)):
            for sock in socks[host]:
                self.watch(sock, self.ways[way])
        for end in self.ends.values():
            self.watch(end.sock, end)
        self.poll.register(0, select.EPOLLIN)
        self.marks = []

    def watch(self, sock, receiver):
        self.receivers[sock.fileno()] = receiver.receive, sock
        self.poll.register(sock, select.EPOLLIN)

    @staticmethod
    def sockets(host):
        enter(os.environ[f'NS_{host}'])
        socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(FLOWS)]
        for flow, sock in enumerate(socks):
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20)
            sock.bind((os.environ[f'IP_{host}'], PORT + flow))
        return socks

    @staticmethod
    def connect():
        enter(os.environ['NS_B'])
        listener = socket.create_server((os.environ['IP_B'], PORT))
        listener.settimeout(10)
        enter(os.environ['NS_A'])
        one = socket.create_connection((os.environ['IP_B'], PORT), 10)
        other = listener.accept()[0]
        listener.close()
        return End(one), End(other)

    def wait(self, seconds):
        """Take what comes, for so long at most; True if standard input has a line."""
        ready = self.poll.poll(max(0, seconds))
        for fd, _ in ready:
            if fd:
                receive, sock = self.receivers[fd]
                receive(sock)
        return any(not fd for fd, _ in ready)

    def on_its_way(self):
        out, back = self.ends.values()
        return (any(way.missing > way.given_up for way in self.ways.values()) or
                out.sent > back.received or back.sent > out.received)

    def mark(self, name):
        end = now() + OVERDUE
        while self.on_its_way() and now() < end:
            self.wait(0.01)
        end = now() + DELAYED_ACK
        while now() < end:
            self.wait(0.01)
        self.marks.append({
            'name': name, 'time': time.time(), 'counters': self.counters.read(),
            'tcp': {way: end.facts() for way, end in self.ends.items()},
            'numbers': {name: {'sent': len(way.seen), 'silence': way.silence}
                        for name, way in self.ways.items()}})
        for way in self.ways.values():
            way.given_up, way.silence, way.arrived = way.missing, 0.0, now()

    def run(self):
        """Send until the end of input."""
        due, count = now(), 0
        while True:
            if self.wait(due - now()):
                name = sys.stdin.readline().strip()
                if not name:
                    return
                self.mark(name)
                print('ok', flush=True)
                due = now()
            if now() < due:
                continue
            # what was missed while this process did not run is not made up for
            due = max(due, now() - 10 / self.rate) + 1 / self.rate
            count += 1
            for way in self.ways.values():
                way.send()
            for end in self.ends.values():
                end.send(0 if count % EVERY else TCP_PART)

    def intervals(self):
        for one, two in zip(self.marks, self.marks[1:]):
            ways = {}
            for name, way in self.ways.items():
                first, last = one['numbers'][name], two['numbers'][name]
                ways[name] = {**way.between(first['sent'], last['sent']),
                              'silence': last['silence'],
                              'tcp': moved(one['tcp'][name], two['tcp'][name])}
            yield {'name': one['name'], 'from': one['time'], 'to': two['time'], 'ways': ways,
                   'counters': moved(one['counters'], two['counters'])}

    def streams(self):
        out, back = self.ends.values()
        return {name: {'sent': one.sent, 'received': other.received, 'wrong': other.wrong}
                for name, one, other in ((OUT, out, back), (IN, back, out))}


def main():
    traffic = Traffic(int(sys.argv[1]))
    print('ok', flush=True)
    traffic.run()
    with open(sys.argv[2], 'w', encoding='ascii') as file:
        json.dump({'intervals': list(traffic.intervals()), 'streams': traffic.streams()}, file)


main()
