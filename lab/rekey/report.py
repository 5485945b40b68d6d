#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What the rekey test's guest saw, judged and printed: report.py DIRECTORY JSON.

DIRECTORY has what lab/rekey/guest.sh wrote, run by run. Exit status 1 if anything is off.
"""
import collections
import json
import os
import re
import sys

from verdict import conclude, expect, paint
from wire import ESP, ETH_ARP, ICMP, UDP, deleted, frames

RUNS = {'stack': 'the stack alone', 'xdp': 'with the fast path',
        'stackfixed': 'the stack alone, fixed policies',
        'xdpfixed': 'with the fast path, fixed policies'}
SHARE = 95.0
# at most, of one direction: a flow waits for its next packet, charon changes one thing after
# the other, and there are five flows
LEARNING = 50
# A tunnel is there all the time: what the stack does not lose, nobody may. With policies that
# charon does not touch it is not: the kernel takes a new state before the peer has it.
SEAMLESS = ('configuration loaded again', 'CHILD_SA rekeyed', 'IKE_SA rekeyed',
            'CHILD_SA rekeyed by peer')
# no state or policy takes part
KEPT = ('configuration loaded again', 'IKE_SA rekeyed')
G2 = '192.0.2.2'


class Run:
    def __init__(self, path):
        def text(file):
            with open(os.path.join(path, file), encoding='utf-8') as stream:
                return stream.read()
        traffic = json.loads(text('traffic.json'))
        self.intervals = {interval['name']: interval for interval in traffic['intervals']}
        self.streams = traffic['streams']
        self.events = [name for name in self.intervals if not name.startswith('after ')]
        self.counted = int(text('wire-frames-G2'))
        self.dropped = int(re.search(r'(\d+) packets dropped by kernel', text('tcpdump-G2.log'))[1])
        self.wire(path, deleted(text('monitor-G1')), deleted(text('monitor-G2')))

    def wire(self, path, g1, g2):
        """Count frames; those that an SA sent after its sender's kernel had deleted it."""
        self.sorts, self.sas = collections.Counter(), set()
        self.after = {'G1': collections.Counter(), 'G2': collections.Counter()}
        for when, sort, sa, number in frames(os.path.join(path, 'wan-G2.pcap')):
            self.sorts[sort] += 1
            if sa:
                self.sas.add(sa)
                gateway, last = ('G1', g1) if sa[1] == G2 else ('G2', g2)
                if number > last.get(sa, number):
                    self.after[gateway][self.event_at(when)] += 1
        self.replaced = sum(sa in self.sas and sa[1] == G2 for sa in g1)
        # from LAN to LAN is not captured, so what G2 decrypted is not seen again
        self.clear = self.counted - self.sorts.total()

    def event_at(self, when):
        return next((name for name, interval in self.intervals.items()
                     if interval['from'] <= when < interval['to']), None)

    def facts(self, name):
        during, later = self.intervals[name], self.intervals[f'after {name}']
        counters, ways = collections.Counter(during['counters']), during['ways']
        facts = {key: {way: numbers[key] for way, numbers in ways.items()}
                 for key in ('sent', 'lost', 'repeated', 'late', 'silence')}
        # by counters of XFRM and IP: no state, no policy, no route, replayed; what waits for the
        # neighbour that an address was is given up after three seconds
        refused = counters + collections.Counter(
            {name: value for name, value in later['counters'].items() if name.endswith('OutDestUnreachs')})
        facts['refused'] = {name: value for name, value in refused.items()
                            if not name.startswith(('G1 XfrmXdp', 'G2 XfrmXdp'))}
        facts['retransmits'] = sum(way['tcp'].get('retransmits', 0) for way in ways.values())
        facts['stack'] = {'out': through_stack(during, 'out', 'Output'),
                          'in': through_stack(during, 'in', 'Forward')}
        facts['share'] = {'out': share(later, 'out', 'Output'), 'in': share(later, 'in', 'Forward')}
        facts['xdp'] = {key: counters[f'G1 XfrmXdp{key}']
                        for key in ('Output', 'Input', 'Forward', 'Lookup', 'Learned')}
        facts['lost_after'] = {way: numbers['lost'] for way, numbers in later['ways'].items()}
        facts['dead'] = {gateway: count[name] + count[f'after {name}']
                         for gateway, count in self.after.items()}
        return facts


def total(interval, way):
    return interval['ways'][way]['sent'] + interval['ways'][way]['tcp'].get('segments', 0)


def through_stack(interval, way, counter):
    return total(interval, way) - interval['counters'].get(f'G1 XfrmXdp{counter}', 0)


def share(interval, way, counter):
    return 100 - 100 * through_stack(interval, way, counter) / total(interval, way)


def both(numbers):
    return sum(numbers.values())


def judge(fixed, name, stack, xdp):
    def check(good, reason):
        expect(good, f'{name}{fixed and ", fixed policies"}: {reason}')

    kept, passed = name in KEPT, xdp['stack']
    xdp['unaccounted'] = max(0, both(xdp['lost']) - both(xdp['refused']))
    check(not xdp['unaccounted'], f'nobody counted {xdp["unaccounted"]} packets that were lost')
    check(both(xdp['lost_after']) <= both(stack['lost_after']), 'packets were lost after it')
    check(both(xdp['repeated']) <= both(stack['repeated']), 'packets were repeated')
    for way, value in xdp['share'].items():
        check(value >= SHARE, f'{value:.1f} % of {way} by XDP after it')
    if fixed:
        # XDP asks XFRM itself for the new state: no packet takes the stack, but those that
        # come in before it is there, and that the stack refuses
        check(not passed['out'], f'{passed["out"]} packets out took the stack')
        early = sum(count for counter, count in xdp['refused'].items()
                    if counter in ('G1 XfrmInNoStates', 'G1 XfrmAcquireError', 'G1 XfrmInStateInvalid'))
        check(passed['in'] <= early,
              f'{passed["in"]} packets in took the stack, {early} were there before their state')
        check(kept or xdp['xdp']['Lookup'], 'no flow asked XFRM again')
    elif name in SEAMLESS:
        check(both(xdp['lost']) <= both(stack['lost']),
              f'{both(xdp["lost"])} lost, by the stack alone {both(stack["lost"])}')
        for way, count in passed.items():
            check(count <= (0 if kept else LEARNING), f'{count} packets {way} took the stack')


def heading():
    print(f'{"":28}{"":>7}{"lost":>14}{"silent, ms":>14}{"during: by the stack":>24}{"flows":>18}'
          f'{"after: by XDP, %":>20}')
    print(f'{"":28}{"sent":>7}' + f'{"stack":>8}{"XDP":>6}' * 2 +
          f'{"out":>16}{"in":>8}{"asked":>10}{"learned":>8}{"out":>12}{"in":>8}')


def line(name, stack, xdp):
    silent = [f'{1000 * max(run["silence"].values()):.0f}' for run in (stack, xdp)]
    print(f'{name:<28}{both(xdp["sent"]):>7}{both(stack["lost"]):>8}{both(xdp["lost"]):>6}'
          f'{silent[0]:>8}{silent[1]:>6}{xdp["stack"]["out"]:>16}{xdp["stack"]["in"]:>8}'
          f'{xdp["xdp"]["Lookup"]:>10}{xdp["xdp"]["Learned"]:>8}'
          f'{xdp["share"]["out"]:>12.1f}{xdp["share"]["in"]:>8.1f}')


def wire(key, run):
    """The whole time: ESP, clear text, TCP."""
    dead = {gateway: count.total() for gateway, count in run.after.items()}
    known = sum(run.sorts[sort] for sort in (ESP, UDP, ICMP, ETH_ARP))
    clear = run.clear + run.sorts.total() - known
    late = sum(numbers['late'] for interval in run.intervals.values()
               for numbers in interval['ways'].values())
    print(f'\n{RUNS[key]}:\n    {run.sorts[ESP]} ESP packets by {len(run.sas)} SAs, '
          f'{clear} in clear, by a deleted SA: {dead["G1"]} of G1, {dead["G2"]} of G2\n'
          f'    {late} datagrams out of order; TCP ' +
          ', '.join(f'{way}: {end["received"]} of {end["sent"]} bytes, {end["wrong"]} wrong'
                    for way, end in run.streams.items()))
    expect(not run.dropped, f'{RUNS[key]}: the capture dropped {run.dropped} frames')
    expect(not clear, f'{RUNS[key]}: {clear} frames with clear text')
    expect(run.replaced and not dead['G1'],
           f'{RUNS[key]}: {dead["G1"]} packets by {run.replaced} SAs that were deleted')
    for way, end in run.streams.items():
        expect(end['sent'] == end['received'] and not end['wrong'],
               f'{RUNS[key]}: TCP {way} came out different')
    return {'frames': run.sorts.total(), 'esp': run.sorts[ESP], 'clear': clear,
            'sas': len(run.sas), 'replaced': run.replaced, 'dead': dead, 'streams': run.streams}


def main():
    runs = {key: Run(os.path.join(sys.argv[1], key)) for key in RUNS}
    facts = {key: {name: run.facts(name) for name in run.events} for key, run in runs.items()}
    heading()
    for fixed in ('', 'fixed'):
        if fixed:
            print('with policies that charon does not touch:')
        for name, xdp in facts[f'xdp{fixed}'].items():
            stack = facts[f'stack{fixed}'][name]
            judge(fixed, name, stack, xdp)
            line(name, stack, xdp)
    result = {'events': facts, 'wire': {key: wire(key, run) for key, run in runs.items()}}
    return conclude(sys.argv[2], result, 'A rekey loses nothing, and what else is lost was refused by the stack.')


try:
    sys.exit(main())
except (OSError, TypeError, KeyError, ValueError) as problem:
    sys.exit(f'error: {sys.argv[1]} is not what a whole run leaves: {problem!r}; '
             'see build/log/rekey.console')
