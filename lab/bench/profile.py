#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Instructions a packet, by function: profile.py VMLINUX FEW MANY PACKETS [FUNCTION].

FEW and MANY are what count.c wrote in two boots, PACKETS how many more the second one sent.
With FUNCTION also how many of them are FUNCTION's own and those of what it is made of inline.
"""
import bisect
import collections
import subprocess
import sys


def counts(name):
    with open(name, encoding='ascii') as file:
        return {int(address, 16): int(count) for address, count in map(str.split, file)}


def functions(vmlinux):
    """Begin and name of each, in order."""
    names = subprocess.run(['nm', '-n', vmlinux], capture_output=True, text=True, check=True)
    rows = (row.split() for row in names.stdout.splitlines())
    return [(int(row[0], 16), row[2]) for row in rows if len(row) == 3 and row[1] in 'tTwW']


def inlined(vmlinux, addresses, function):
    """Those addresses that are in lines of a function, inlined or not."""
    done = subprocess.run(['addr2line', '-i', '-f', '-a', '-e', vmlinux], capture_output=True, text=True,
                          input='\n'.join(map(hex, addresses)), check=True)
    found, address = set(), None
    for row in done.stdout.splitlines():
        if row.startswith('0x'):
            address = int(row, 16)
        elif row == function:
            found.add(address)
    return found


def main():
    vmlinux, few, many, packets = sys.argv[1], counts(sys.argv[2]), counts(sys.argv[3]), int(sys.argv[4])
    begins = functions(vmlinux)
    last = begins[-1][0]
    spent = {address: (count - few.get(address, 0)) / packets for address, count in many.items()}
    spent = {address: count for address, count in spent.items() if count >= 0.1}
    table = collections.Counter()
    for address, count in spent.items():
        name = begins[bisect.bisect(begins, (address, '~')) - 1][1] if address < last else '(modules, BPF)'
        table[name] += count
    print(f'{sum(table.values()):9.0f}  all')
    for name, count in table.most_common():
        if count >= 0.5:
            print(f'{count:9.0f}  {name}')
    if len(sys.argv) > 5:
        own = inlined(vmlinux, [address for address in spent if address < last], sys.argv[5])
        print(f'{sum(spent[address] for address in own):9.0f}  in lines of {sys.argv[5]}()')


main()
