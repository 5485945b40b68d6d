# SPDX-License-Identifier: GPL-2.0
"""How the reports of lab/ end: what was not as it should be, on the screen and in a file."""
import json
import sys

failed = []


def paint(code, text):
    return f'\033[{code}m{text}\033[0m' if sys.stdout.isatty() else text


def expect(good, reason):
    if not good:
        failed.append(reason)


def conclude(path, result, fine):
    """Write the figures; exit status of the report."""
    with open(path, 'w', encoding='utf-8') as stream:
        json.dump(result | {'failed': failed}, stream, indent=2)
        stream.write('\n')
    print()
    for reason in failed:
        print(paint(31, f'FAILED {reason}'))
    if not failed:
        print(paint(32, fine))
    return 1 if failed else 0
