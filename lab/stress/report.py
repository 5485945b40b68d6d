#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The stress test's figures, judged and printed: report.py CASES JSON.

CASES is what lab/stress/guest.sh wrote, a JSON object a line. Exit status 1 if anything is
not as it should be.
"""
import json
import sys

from verdict import conclude, expect

# Percent of the packets that are to be fast
SHARE = 95
# Flows that wait for RCU, beside those of the map
FLOWS_WAITING = 1.25


def table(title, head, rows):
    print(f'\n{title}')
    rows = [head] + [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        first = f'{row[0]:<{widths[0]}}'
        print('  '.join([first] + [f'{cell:>{width}}' for cell, width in
                                   zip(row[1:], widths[1:])]).rstrip())


def want(good, name, complaint):
    expect(good, f'{name}: {complaint}')


def share(case):
    return 100 * case.get('XfrmXdpOutput', 0) / case['established']


def percent(value):
    """Rounded down: 100 is all of them."""
    return f'{int(value * 1000) / 1000:.3f}'


def unharmed(case, name):
    """Nothing lost, nothing sent twice, nothing in clear."""
    want(case['esp'] - case['esp_long'] == case['established'], name,
         f"{case['established'] - case['esp'] + case['esp_long']} packets lost")
    want(case['repeated'] == 0, name, f"{case['repeated']} sequence numbers repeated")
    want(case['clear'] == 0, name, f"{case['clear']} packets in clear")


def storm(cases):
    rows = []
    for case in cases:
        name = f"storm, {case['rules']} rules, commits: {case['commits']}"
        rate = case['sent'] / case['seconds'] / case['flows']
        again = case.get('XfrmXdpLearned', 0) / case['flows']
        each = again / case['committed'] if case['committed'] else 0
        case.update(share=share(case), rate=rate, learned_per_commit=each)
        rows.append([case['rules'], case['commits'], case['committed'], case['sent'],
                     f'{rate:.1f}', percent(case['share']), f'{again:.2f}',
                     case['sent'] - case['esp'], case['clear']])
        unharmed(case, name)
        want(case['share'] >= SHARE, name, f"{percent(case['share'])} % by XDP, "
             f'{SHARE} % wanted; {rate:.1f} packets a second of each flow')
    table('Storm: 10000 busy flows, a commit of nftables each second',
          ['rules', 'commits', 'made', 'packets', 'per flow and s', '% by XDP',
           'learned again', 'lost', 'clear'], rows)


def flood(cases, limit):
    rows, memory = [], []
    for case in cases:
        name = f"flood, {case['rules']} rules, {case['kind']}"
        lost = case['established'] - case['esp'] + case['esp_long']
        case.update(share=share(case), lost=lost)
        rows.append([case['rules'], case['kind'], case['flooded'], case['established'],
                     percent(case['share']), lost, case.get('XfrmXdpOffer', 0),
                     case.get('XfrmXdpLearned', 0)])
        memory.append([case['rules'], case['kind']] + [
            f"{cache['objects']} ({cache['bytes'] / 2**20:.1f})"
            for cache in case['caches'].values()])
        unharmed(case, name)
        want(case['share'] >= SHARE, name, f"{percent(case['share'])} % by XDP")
        objects = case['caches']['xfrm_xdp_flow']['objects']
        want(objects <= FLOWS_WAITING * limit['entries'], name, f'{objects} flows at once')
    table('Flood: packets that are flows of their own beside 1000 busy flows',
          ['rules', 'flood', 'its packets', 'of the flows', '% by XDP', 'lost', 'offered',
           'learned'], rows)
    table('At most so many objects at once, and MiB of their caches',
          ['rules', 'flood'] + list(cases[0]['caches']), memory)
    sizes = {name: cache['size'] for name, cache in cases[0]['caches'].items()}
    print(f"Bytes of an object: {', '.join(f'{name} {size}' for name, size in sizes.items())}; "
          f"map of {limit['entries']} flows: {limit['memory'] / 2**20:.1f} MiB")


def order(cases):
    rows = []
    for case in cases:
        name = f"order, {case['path']}, bursts of {case['burst']}"
        lost = case['sent'] - case['esp']
        case['lost'] = lost
        rows.append([case['path'], case['burst'], case['sent'], case.get('XfrmXdpOutput', 0),
                     case.get('XfrmXdpPassQueue', 0), case['late'], case['displaced'],
                     case['window_refused'], case['ring_full'], lost])
        want(case['window_refused'] == 0, name,
             f"{case['window_refused']} packets refused by a window of 32")
        want(lost == case['ring_full'] + case['dropped'], name, f'{lost} packets lost')
        want(case['repeated'] == 0, name, f"{case['repeated']} sequence numbers repeated")
        if case['path'] == 'xdp':
            want(case.get('XfrmXdpPassQueue', 0) > 0, name, 'the queue was never full')
    table('Order: each second packet is the stack\'s, on a link that is full',
          ['path', 'burst', 'packets', 'by XDP', 'passed', 'late', 'by at most',
           'refused', 'ring full', 'lost'], rows)


def main():
    source, target = sys.argv[1:]
    parts = {'storm': [], 'flood': [], 'order': []}
    limit = None
    with open(source, encoding='ascii') as lines:
        for case in map(json.loads, lines):
            kind = case.pop('case')
            if kind == 'committed':
                parts['storm'][-1]['committed'] = case['number']
            elif kind == 'receiver':
                parts['order'][-1].update(window_refused=case['refused'],
                                          ring_full=case['ring_full'],
                                          dropped=case['dropped'])
            elif kind == 'map':
                limit = case
            else:
                parts[kind].append(case)
    if parts['storm']:
        storm(parts['storm'])
    if parts['flood']:
        flood(parts['flood'], limit)
        parts['map'] = limit
    if parts['order']:
        order(parts['order'])
    return conclude(target, parts, 'All of it is as it should be.')


if __name__ == '__main__':
    sys.exit(main())
