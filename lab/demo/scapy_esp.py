#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""scapy_esp.py CAPTURE COUNT SPI,KEY,SRC,DST...: open the first COUNT packets of each SA.

AES-GCM with a 16 byte ICV, tunnel mode. Prints how many were opened, and how many
of these were bad: a wrong ICV, addresses or a length that do not fit.
"""
import sys
import warnings

# about ciphers that nobody uses here
warnings.simplefilter('ignore')

from scapy.layers.inet import IP  # noqa: E402
from scapy.layers.ipsec import ESP, IPSecIntegrityError, SecurityAssociation  # noqa: E402
from scapy.utils import PcapReader  # noqa: E402

LAN = ('10.1.', '10.2.', '10.3.')


def good(state, packet):
    try:
        inner = state.decrypt(packet)
    except IPSecIntegrityError:
        return False
    return inner.src.startswith(LAN) and inner.dst.startswith(LAN) and inner.len == len(bytes(inner))


def main():
    states, left = {}, {}
    for entry in sys.argv[3:]:
        spi, key, src, dst = entry.split(',')
        spi = int(spi, 16)
        left[spi] = int(sys.argv[2])
        states[spi] = SecurityAssociation(ESP, spi, crypt_algo='AES-GCM', crypt_key=bytes.fromhex(key[2:]),
                                          tunnel_header=IP(src=src, dst=dst))
    opened = bad = 0
    for packet in PcapReader(sys.argv[1]):
        if ESP not in packet or not left.get(packet[ESP].spi):
            continue
        left[packet[ESP].spi] -= 1
        opened += 1
        bad += not good(states[packet[ESP].spi], packet[IP])
        if not any(left.values()):
            break
    print(opened, bad)


main()
