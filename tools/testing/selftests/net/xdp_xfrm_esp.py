# SPDX-License-Identifier: GPL-2.0
"""An independent ESP peer: what RFC 4303, 4106 and 4301 say about one frame.

Knows nothing of the kernel under test; every deviation is a line of text. The
cipher is OpenSSL's, called directly: Python packages take long to load in an
emulated guest.
"""

import ctypes
import struct

ETH_LEN = 14
IP_LEN = 20
ESP_LEN = 8
IV_LEN = 8
ICV_LEN = 16
IPPROTO_ICMP = 1
IPPROTO_IPIP = 4
IPPROTO_ESP = 50
IP_DF = 0x4000
IP_FRAGMENT = 0x3fff
DEFAULT_TTL = 64
ECT_0 = 2
CE = 3


EVP_CTRL_GCM_GET_TAG = 0x10
EVP_CTRL_GCM_SET_TAG = 0x11

crypto = ctypes.CDLL("libcrypto.so.3")
crypto.EVP_CIPHER_CTX_new.restype = ctypes.c_void_p
crypto.EVP_aes_128_gcm.restype = ctypes.c_void_p
crypto.EVP_DecryptInit_ex.argtypes = [ctypes.c_void_p] * 5
crypto.EVP_DecryptUpdate.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_int]
crypto.EVP_EncryptInit_ex.argtypes = [ctypes.c_void_p] * 5
crypto.EVP_EncryptUpdate.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_int]
crypto.EVP_EncryptFinal_ex.argtypes = [ctypes.c_void_p] * 3
crypto.EVP_CIPHER_CTX_ctrl.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p]
crypto.EVP_DecryptFinal_ex.argtypes = [ctypes.c_void_p] * 3


class AesGcm:
    """AES-128-GCM with an ICV of 16 bytes."""

    def __init__(self, key):
        self.key = key
        self.ctx = crypto.EVP_CIPHER_CTX_new()

    def decrypt(self, nonce, data, aad):
        """The plain text; None if the ICV is wrong."""
        data, icv = data[:-ICV_LEN], data[-ICV_LEN:]
        plain = ctypes.create_string_buffer(len(data) + 16)
        done = ctypes.c_int()
        length = ctypes.byref(done)
        crypto.EVP_DecryptInit_ex(self.ctx, crypto.EVP_aes_128_gcm(), None, self.key, nonce)
        crypto.EVP_DecryptUpdate(self.ctx, None, length, aad, len(aad))
        crypto.EVP_DecryptUpdate(self.ctx, plain, length, data, len(data))
        crypto.EVP_CIPHER_CTX_ctrl(self.ctx, EVP_CTRL_GCM_SET_TAG, ICV_LEN, icv)
        if crypto.EVP_DecryptFinal_ex(self.ctx, None, length) <= 0:
            return None
        return plain.raw[:len(data)]


    def encrypt(self, nonce, data, aad):
        """Cipher text and ICV."""
        out = ctypes.create_string_buffer(len(data) + 16)
        icv = ctypes.create_string_buffer(ICV_LEN)
        done = ctypes.c_int()
        length = ctypes.byref(done)
        crypto.EVP_EncryptInit_ex(self.ctx, crypto.EVP_aes_128_gcm(), None, self.key, nonce)
        crypto.EVP_EncryptUpdate(self.ctx, None, length, aad, len(aad))
        crypto.EVP_EncryptUpdate(self.ctx, out, length, data, len(data))
        crypto.EVP_EncryptFinal_ex(self.ctx, None, length)
        crypto.EVP_CIPHER_CTX_ctrl(self.ctx, EVP_CTRL_GCM_GET_TAG, ICV_LEN, icv)
        return out.raw[:len(data)] + icv.raw


def checksum(data):
    """The Internet checksum; 0 over data that contains its own."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def l4_checksum(packet):
    """0 if the TCP, UDP or ICMP checksum of an IPv4 packet is right."""
    body = packet[IP_LEN:]
    if packet[9] == IPPROTO_ICMP:
        return checksum(body)
    return checksum(packet[12:20] + struct.pack("!BBH", 0, packet[9], len(body)) + body)


def forwarded(packet):
    """An IPv4 packet as a router sends it on."""
    header = bytearray(packet[:IP_LEN])
    header[8] -= 1
    header[10:12] = b"\0\0"
    options = packet[IP_LEN:(packet[0] & 15) * 4]
    header[10:12] = struct.pack("!H", checksum(bytes(header) + options))
    return bytes(header) + packet[IP_LEN:]


def outer_tos(tos):
    """RFC 4301, 5.1.2.1 with Linux's answer to CE (RFC 3168, 9.1.1)."""
    return tos & 0xfc | ECT_0 if tos & 3 == CE else tos


class State:
    """One security association, seen from the wire."""

    def __init__(self, spi, key):
        self.spi = spi
        self.aead = AesGcm(key[:-4])
        self.salt = key[-4:]
        self.sequence = []
        self.ivs = []

    def decrypt(self, esp):
        """Plain text with its trailer, or None."""
        _, seq = struct.unpack_from("!II", esp)
        iv = esp[ESP_LEN:ESP_LEN + IV_LEN]
        self.sequence.append(seq)
        self.ivs.append(iv)
        return self.aead.decrypt(self.salt + iv, esp[ESP_LEN + IV_LEN:], esp[:ESP_LEN])

    def complaints(self):
        """Over all packets of the state, whoever made them."""
        bad = []
        if sorted(self.sequence) != list(range(1, len(self.sequence) + 1)):
            seen = sorted(self.sequence)
            gaps = sorted(set(range(1, seen[-1] + 1)) - set(seen))[:5]
            again = sorted({n for n in seen if seen.count(n) > 1})[:5]
            bad.append(f"{len(seen)} sequence numbers {seen[0]}..{seen[-1]}, missing {gaps}, repeated {again}")
        if len(set(self.ivs)) != len(self.ivs):
            bad.append("an IV was used twice")
        salts = {seq ^ struct.unpack("!Q", iv)[0] for seq, iv in zip(self.sequence, self.ivs)}
        if len(salts) > 1:
            bad.append(f"IV XOR sequence number has {len(salts)} values, not one")
        return bad


def open_trailer(plain):
    """(inner packet, complaints)"""
    pad_len, next_header = plain[-2:]
    inner = plain[:-2 - pad_len]
    padding = plain[len(inner):-2]
    bad = []
    if next_header != IPPROTO_IPIP:
        bad.append(f"next header {next_header}")
    if padding != bytes(range(1, pad_len + 1)):
        bad.append(f"padding {padding.hex()}")
    if pad_len > 3 or len(plain) % 4:
        bad.append(f"{pad_len} bytes of padding, {len(plain)} in all")
    return inner, bad


def outer_complaints(frame, macs, addresses):
    """What is wrong with the headers in front of ESP."""
    bad = []
    if (frame[0:6], frame[6:12]) != macs:
        bad.append(f"MAC addresses {frame[0:6].hex(':')} {frame[6:12].hex(':')}")
    outer = frame[ETH_LEN:ETH_LEN + IP_LEN]
    ver_ihl, tot_len, ttl, src, dst = struct.unpack("!BxHxxxxBxxx4s4s", outer)
    if ver_ihl != 0x45:
        bad.append(f"outer version and header length {ver_ihl:#x}")
    if tot_len != len(frame) - ETH_LEN:
        bad.append(f"outer length {tot_len}, frame has {len(frame) - ETH_LEN}")
    if ttl != DEFAULT_TTL:
        bad.append(f"outer TTL {ttl}")
    if checksum(outer):
        bad.append("outer header checksum")
    if (src, dst) != addresses:
        bad.append(f"outer addresses {src.hex()} {dst.hex()}")
    return bad


def copied_complaints(outer, inner):
    """What is wrong with the fields that the outer header takes from the inner one."""
    bad = []
    tos, ident, frag = struct.unpack_from("!xBxxHH", outer)
    inner_frag = struct.unpack_from("!H", inner, 6)[0]
    if frag != inner_frag & IP_DF:
        bad.append(f"outer fragment field {frag:#x}, inner {inner_frag:#x}")
    if frag and ident:
        bad.append(f"outer id {ident} although DF")
    if tos != outer_tos(inner[1]):
        bad.append(f"outer TOS {tos:#x}, inner {inner[1]:#x}")
    return bad


def open_frame(frame, states, macs, addresses):
    """One frame between the gateways: (inner packet or None, what does not
    depend on sequence number, IV and id, complaints). Without macs and addresses
    somebody may have changed the headers in front of ESP.
    """
    outer = frame[ETH_LEN:ETH_LEN + IP_LEN]
    esp = frame[ETH_LEN + IP_LEN:]
    bad = outer_complaints(frame, macs, addresses) if macs else []

    spi = struct.unpack_from("!I", esp)[0]
    state = states.get(spi)
    if not state:
        return None, None, bad + [f"unknown SPI {spi:#x}"]
    plain = state.decrypt(esp)
    if plain is None:
        return None, None, bad + [f"ICV of sequence number {state.sequence[-1]}"]
    inner, more = open_trailer(plain)
    bad += more
    if struct.unpack_from("!H", inner, 2)[0] != len(inner):
        bad.append(f"inner packet has {len(inner)} bytes, says {struct.unpack_from('!H', inner, 2)[0]}")
    if checksum(inner[:(inner[0] & 15) * 4]):
        bad.append("inner header checksum")
    if macs:
        bad += copied_complaints(outer, inner)
    constant = outer[:4] + outer[6:10] + outer[12:] + esp[:4] + plain
    return inner, constant, bad
