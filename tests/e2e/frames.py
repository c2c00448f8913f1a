# SPDX-License-Identifier: BSD-3-Clause
"""Building and reading frames."""
import ipaddress
import socket
import struct

MAC_IN, MAC_OUT = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) & ~1]))
    total += data[-1] << 8 if len(data) % 2 else 0
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(ethertype, payload, tags=(), dst=MAC_OUT, src=MAC_IN):
    """tags: (tpid, tci), outermost first."""
    return dst + src + b"".join(struct.pack("!HH", *t) for t in tags) + \
        struct.pack("!H", ethertype) + payload


def udp(payload=b"trefoil", sport=4000, dport=9):
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def ip4(dst, payload=None, src="10.77.0.1", proto=17, fragment=0, ident=1, options=b"", ttl=64):
    payload = udp() if payload is None else payload
    length = 20 + len(options)
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | length // 4, 0, length + len(payload), ident,
                       fragment, ttl, proto, 0, socket.inet_aton(src), socket.inet_aton(dst))
    head += options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(dst, payload=None, src="fd77::1", proto=17):
    payload = udp() if payload is None else payload
    return struct.pack("!IHBB", 6 << 28, len(payload), proto, 64) + \
        ipaddress.IPv6Address(src).packed + ipaddress.IPv6Address(dst).packed + payload


def frame4(dst, payload=None, **options):
    return ethernet(0x0800, ip4(dst, payload, **options))


def frame6(dst, payload=None, **options):
    return ethernet(0x86DD, ip6(dst, payload, **options))


def arp():
    return ethernet(0x0806, struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, MAC_IN,
                                        socket.inet_aton("10.77.0.1"), bytes(6),
                                        socket.inet_aton("10.77.0.254")), dst=b"\xff" * 6)


def lldp():
    return ethernet(0x88CC, bytes.fromhex("0207040200000000010403057000060200780000"),
                    dst=bytes.fromhex("0180c200000e"))


def addresses_of(frame):
    """Destination of a frame's outer IP header as text, None without one."""
    at = 12
    while frame[at:at + 2] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    kind = frame[at:at + 2]
    if kind == b"\x08\x00":
        return socket.inet_ntoa(frame[at + 18:at + 22])
    if kind == b"\x86\xdd":
        return str(ipaddress.IPv6Address(frame[at + 26:at + 42]))
    return None
