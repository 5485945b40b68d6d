#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What the demo's guest saw, judged and printed: report.py DIRECTORY JSON [--no-fast-path].

DIRECTORY is what lab/demo/guest.sh wrote. The ESP captured between the gateways
is decrypted by tshark, and a part of it by scapy, with the keys of `ip xfrm state`:
not by the kernel that made it. Exit status 1 if anything is off.
"""
import collections
import json
import os
import re
import subprocess
import sys
import tempfile

from verdict import conclude, expect, paint

PICTURE = """\
   host A           gateway G1                  gateway G2            host B
  +------+      +---------------+           +---------------+       +------+
  | eth0 |------| lan0     wan0 |===========| wan0     lan0 |-------| eth0 |
  +------+      |               |    ESP    +---------------+       +------+
  10.1.0.2      |               |               the stack           10.2.0.2
                |               |           +---------------+       +------+
                |          wan1 |===========| wan0     lan0 |-------| eth0 |
                +---------------+    ESP    +---------------+       +------+
                 {g1:<15}             gateway G3            host C
                 charon ............ IKEv2 ............ charon    10.3.0.2
"""
SHARE = 99.0
SCAPY_PACKETS = 200
G1 = 'G1'
HOST = {'A': '10.1.0.2', 'B': '10.2.0.2', 'C': '10.3.0.2'}


class Peer:
    """A gateway that G1 has a tunnel to, and the host behind it."""
    def __init__(self, near, far, host):
        self.near, self.far, self.host = near, far, host
        self.others = [name for name in HOST if name != host]

    def inner(self, outer_src):
        """Sources and destinations of what comes through the tunnel."""
        here, there = [HOST[self.host]], [HOST[name] for name in self.others]
        return (here, there) if outer_src == self.far else (there, here)


PEERS = {'G2': Peer('192.0.2.1', '192.0.2.2', 'B'), 'G3': Peer('192.0.3.1', '192.0.3.2', 'C')}
ALGORITHMS = {('rfc4106(gcm(aes))', '128'): 'AES-GCM with 16 octet ICV [RFC4106]'}
# What may be on the wire between the gateways
OUTER = ('esp', 'isakmp', 'udpencap', 'arp')


def heading(text):
    print('\n' + paint(1, text))


def line(name, value, mark='  '):
    print(f'  {mark}  {name:<24} {value}'.rstrip())


def check(name, value, good, why):
    """One judged line; why: what is wrong if it is not good."""
    line(name, value, paint(32, 'ok') if good else paint(31, '!!'))
    expect(good, f'{name}: {why}')


class Directory:
    def __init__(self, path):
        self.path = path

    def name(self, file):
        return os.path.join(self.path, file)

    def text(self, file):
        with open(self.name(file), encoding='utf-8') as stream:
            return stream.read()

    def json(self, file):
        return json.loads(self.text(file))

    def counters(self, file):
        """Lines of a name and a number, as in /proc/net/xfrm_stat."""
        return {name: int(value) for name, value
                in (row.split() for row in self.text(file).splitlines())}


def states(text):
    """The states of `ip -s xfrm state`, by SPI."""
    found = {}
    for block in re.split(r'^(?=src )', text, flags=re.M)[1:]:
        def get(pattern, block=block):
            return re.search(pattern, block).groups()
        src, dst = get(r'src (\S+) dst (\S+)')
        algorithm, key, icv = get(r'aead (\S+) (0x\w+) \(\d+ bits\) (\d+)')
        size, packets = get(r'current:\s+(\d+)\(bytes\), (\d+)\(packets\)')
        seq, oseq = get(r'seq (0x\w+), oseq (0x\w+), bitmap')
        found[get(r'spi (0x\w+)')[0]] = {
            'src': src, 'dst': dst, 'algorithm': algorithm, 'icv': icv, 'key': key,
            'packets': int(packets), 'bytes': int(size),
            'sequence': max(int(seq, 16), int(oseq, 16)),
        }
    return found


def tshark(capture, keys):
    """Rows of the capture: protocols, SPI, sequence, ICV, sources, destinations, checksums."""
    args = ['tshark', '-n', '-r', capture, '-o', 'esp.enable_encryption_decode:TRUE',
            '-o', 'esp.enable_authentication_check:TRUE', '-o', 'ip.check_checksum:TRUE',
            '-o', 'tcp.check_checksum:TRUE', '-o', 'udp.check_checksum:TRUE']
    for spi, state in keys.items():
        entry = ('IPv4', state['src'], state['dst'], spi,
                 ALGORITHMS[state['algorithm'], state['icv']], state['key'], 'NULL', '')
        args += ['-o', 'uat:esp_sa:' + ','.join(f'"{value}"' for value in entry)]
    args += ['-T', 'fields']
    for field in ('frame.protocols', 'esp.spi', 'esp.sequence', 'esp.icv_good', 'ip.src',
                  'ip.dst', 'tcp.checksum', 'tcp.checksum_calculated', 'tcp.checksum.status',
                  'ip.checksum.status', 'udp.checksum.status', 'icmp.checksum.status'):
        args += ['-e', field]
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(args, env={**os.environ, 'WIRESHARK_CONFIG_DIR': empty},
                              capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f'error: tshark: {done.stderr.strip().splitlines()[-1]}')
    return [row.split('\t') for row in done.stdout.splitlines()]


def wire(capture, keys, peer):
    """Count what tshark made of the frames between two gateways."""
    count = collections.Counter()
    sequences = collections.defaultdict(list)
    ends = {spi: (state['src'], state['dst']) for spi, state in keys.items()}
    for protocols, spi, sequence, good, src, dst, *sums in tshark(capture, keys):
        count['frames'] += 1
        names = protocols.split(':')
        if 'esp' not in names:
            count['other'] += not any(name in names for name in OUTER)
            continue
        count['esp'] += 1
        sequences[spi].append(int(sequence))
        src, dst = src.split(','), dst.split(',')
        sources, targets = peer.inner(src[0])
        if good == '1' and len(src) == 2 and (src[0], dst[0]) == ends.get(spi) and \
           src[1] in sources and dst[1] in targets:
            count['decrypted'] += 1
        else:
            count['bad'] += 1
        # A TCP checksum of 0xffff is zero as well: skb_checksum_help() writes it.
        if sums[:2] == ['0xffff', '0x0000']:
            sums[2] = '1'
        # tshark: 0 is bad, 1 is good, 2 is not looked at
        count['checksum'] += any('0' in status.split(',') for status in sums[2:])
    count['gaps'] = sum(sorted(numbers) != list(range(1, len(numbers) + 1))
                        for numbers in sequences.values())
    return count


def scapy(capture, keys):
    """A second opinion on the first packets of each SA: how many, how many bad."""
    args = [f'{spi},{state["key"]},{state["src"]},{state["dst"]}' for spi, state in keys.items()]
    # Debian's own Python has it
    done = subprocess.run(['/usr/bin/python3', os.path.join(os.path.dirname(__file__), 'scapy_esp.py'),
                           capture, str(SCAPY_PACKETS), *args],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f'error: scapy: {done.stderr.strip().splitlines()[-1]}')
    return map(int, done.stdout.split())


def traffic(seen):
    heading('Traffic')
    sent, answered = map(int, re.search(r'(\d+) packets transmitted, (\d+) received',
                                        seen.text('ping')).groups())
    check('ping A to B', f'{sent} sent, {answered} answered', sent == answered, 'answers are missing')
    udp = seen.json('iperf3-udp.json')['end']['sum_received']
    names, values = re.findall('^Udp: (.*)', seen.text('snmp'), flags=re.M)
    overrun = int(dict(zip(names.split(), values.split()))['RcvbufErrors'])
    check('iperf3 UDP A to B', f'{udp["packets"]} datagrams, {udp["lost_packets"]} lost, '
          f'{overrun} of them in the socket of B, {udp["bits_per_second"] / 1e6:.1f} Mbit/s',
          udp['packets'] > 0 and udp['lost_packets'] <= overrun, 'datagrams were lost on their way')
    tcp = seen.json('iperf3-tcp.json')['end']['sum_received']
    check('iperf3 TCP A to B', f'{tcp["bytes"]} bytes, {tcp["bits_per_second"] / 1e6:.1f} Mbit/s',
          tcp['bytes'] > 0, 'nothing arrived')
    files = {}
    for row in seen.text('sha256').splitlines():
        name, size, there, here = row.split()
        files[name] = {'bytes': int(size), 'sent': there, 'received': here}
        check(f'HTTP {name.replace("-", " ")}',
              f'{size} bytes, SHA-256 {there[:12]}.. sent, {here[:12]}.. received',
                  there == here, 'the file came out different')
    check('files compared', f'{len(files)}', len(files) == 4, 'not one for each direction')
    return {'ping': {'sent': sent, 'answered': answered}, 'udp': udp, 'tcp': tcp, 'files': files}


def direction(name, total, xdp, fast):
    """Who took the packets of one direction."""
    share = 100 * xdp / total if total else 0.0
    if fast:
        check(name, f'{total - xdp:>8} {xdp:>8}   {share:.2f} %', share >= SHARE,
              f'below {SHARE:.0f} % of all packets {name} by the fast path')
    else:
        line(name, f'{total:>8}')
    return {'total': total, 'fast_path': xdp, 'stack': total - xdp, 'share': share}


def between(flows, src, dst):
    """Packets that the flows from one host to another have forwarded."""
    return sum(flow['packets'] for flow in flows
               if flow['saddr'] == HOST[src] and flow['daddr'] == HOST[dst])


def ports(flow):
    if 'spi' in flow:
        return flow['spi']
    return f'{flow["sport"]} > {flow["dport"]}' if 'sport' in flow else f'echo {flow["id"]}'


def packets(seen, ends, fast):
    """Who took the packets, by direction, and why not the other."""
    stats = collections.Counter(seen.json('stats.json') if fast else {})
    flows = seen.json('flows.json') if fast else []
    to, by = ({name: sum(state['packets'] for state in ends[G1].values()
                         if state[end] == peer.far) for name, peer in PEERS.items()}
              for end in ('dst', 'src'))
    heading('Packets on G1' + ' ' * 16 + '   stack      XDP')
    result = {
        'out': direction('encrypted', sum(to.values()), stats['XfrmXdpOutput'], fast),
        'in': direction('decrypted', sum(by.values()), stats['XfrmXdpInput'], fast),
        'clear': direction('B to A, forwarded', by['G2'] - to['G3'], stats['XfrmXdpForward'], fast),
        'hub B to C': direction('B to C, hub', to['G3'], between(flows, 'B', 'C'), fast),
        'hub C to B': direction('C to B, hub', by['G3'], between(flows, 'C', 'B'), fast),
    }
    if not fast:
        return result
    heading('Flows on G1')
    check('learned', f'{stats["XfrmXdpLearned"]:>8}', stats['XfrmXdpLearned'] > 0, 'none')
    result['stats'] = stats
    result['flows'] = flows
    for flow in sorted(flows, key=lambda flow: (flow['dev'], flow['packets'])):
        line(f'  {flow["dev"]} {flow["protocol"]:<4} {ports(flow)}', f'{flow["packets"]:>8}')
    print('\n' + re.sub('^', '      ', seen.text('stats').rstrip(), flags=re.M))
    return result


def counters(ends, name, peer):
    """One tunnel, at both of its ends."""
    heading('SA counters' + ' ' * 26 + f'G1         {name}')
    mine = {spi: one for spi, one in ends[G1].items() if peer.far in (one['src'], one['dst'])}
    for spi, one in mine.items():
        two = ends[name].get(spi, collections.Counter())
        for item in ('packets', 'bytes', 'sequence'):
            check(f'{spi} {item}', f'{one[item]:>10} {two[item]:>10}',
                  0 < one[item] == two[item], 'both ends differ, or count nothing')
    check('states', f'{len(mine):>10} {len(ends[name]):>10}',
          len(mine) == 2 and mine.keys() == ends[name].keys(), 'not one for each direction')


def errors(seen, ends):
    found = [f'{gateway} {name} {value}' for gateway in ends
             for name, value in seen.counters(f'xfrm_stat-{gateway}').items() if value]
    check('XFRM errors', ', '.join(found) or 'none', not found, 'on a clean wire there are none')


def capture(seen, name, peer, keys):
    """What was on the wire to a gateway."""
    heading(f'ESP on the wire to {name}, decrypted by tshark')
    file = seen.name(f'wan-{name}.pcap')
    count = wire(file, keys, peer)
    counted = sum(state['packets'] for state in keys.values())
    dropped = int(re.search(r'(\d+) packets dropped by kernel', seen.text(f'tcpdump-{name}.log'))[1])
    check('seen', f'{count["esp"]:>8}', count['esp'] == counted,
          f'the SAs counted {counted}, the capture dropped {dropped}')
    check('decrypted, ICV good', f'{count["decrypted"]:>8}', 0 < count['decrypted'] == count['esp'],
          'not all that were seen')
    check('bad', f'{count["bad"]:>8}', not count['bad'], f'see {file}')
    check('bad checksums inside', f'{count["checksum"]:>8}', not count['checksum'], f'see {file}')
    check('gaps in the sequence', f'{count["gaps"]:>8}', not count['gaps'], f'see {file}')
    opened, bad = scapy(file, keys)
    check('opened by scapy as well', f'{opened:>8}   {bad} bad', opened and not bad, 'scapy disagrees')
    # The capture leaves out LAN addresses, for packet sockets see once more what
    # the gateway decrypted. The device counts all frames: the difference is clear text.
    clear = int(seen.text(f'wire-frames-{name}')) - count['frames'] + count['other']
    check('clear text', f'{clear:>8}', not clear, 'there are frames that are not ESP, IKE or ARP')
    return {**{key: count[key] for key in
               ('frames', 'esp', 'decrypted', 'bad', 'checksum', 'gaps')},
            'scapy': {'opened': opened, 'bad': bad}, 'clear': clear}


def main():
    seen = Directory(sys.argv[1])
    fast = '--no-fast-path' not in sys.argv[3:]
    print(PICTURE.format(g1='XDP, then stack' if fast else 'the stack'), end='')
    ends = {gateway: states(seen.text(f'state-{gateway}')) for gateway in (G1, *PEERS)}
    result = {
        'fast_path': fast,
        'traffic': traffic(seen),
        'packets': packets(seen, ends, fast),
        'states': {gateway: {spi: {key: value for key, value in state.items() if key != 'key'}
                             for spi, state in end.items()} for gateway, end in ends.items()},
    }
    for name, peer in PEERS.items():
        counters(ends, name, peer)
    errors(seen, ends)
    result['wire'] = {name: capture(seen, name, peer, ends[name]) for name, peer in PEERS.items()}
    return conclude(sys.argv[2], result, 'All of it is as it should be.')


try:
    sys.exit(main())
except (OSError, AttributeError, KeyError, ValueError) as problem:
    sys.exit(f'error: {sys.argv[1]} is not what a whole run leaves: {problem!r}; see build/log/demo.console')
