# SPDX-License-Identifier: BSD-3-Clause
"""Headers as bytes. Every length and checksum is right unless a case says otherwise."""

import ipaddress
import struct

MAC_TO = bytes.fromhex("020000000001")
MAC_FROM = bytes.fromhex("020000000002")

IPIP, IPV6, TCP, UDP, GRE, ESP, AH = 4, 41, 6, 17, 47, 50, 51
HOP, ROUTING, FRAGMENT, DSTOPTS, NONE = 0, 43, 44, 60, 59
ETHERNET, ETHERIP, MPLS = 143, 97, 137
P_IPV4, P_IPV6, P_ARP, P_MPLS, P_TEB = 0x0800, 0x86DD, 0x0806, 0x8847, 0x6558


def b(*values):
    return bytes(values)


def h(text):
    return bytes.fromhex(text.replace(" ", ""))


def a4(text):
    return ipaddress.IPv4Address(text).packed


def a6(text):
    return ipaddress.IPv6Address(text).packed


def eth(ethertype, payload=b"", to=MAC_TO):
    return to + MAC_FROM + struct.pack(">H", ethertype) + payload


def tags(tpids, ethertype, payload):
    """An Ethernet frame with tags, the outermost first."""
    chain = list(tpids) + [ethertype]
    body = b"".join(struct.pack(">HH", 100 + i, kind) for i, kind in enumerate(chain[1:]))
    return eth(chain[0], body + payload)


def llc(payload, sap=0xAA, control=3, length=None):
    body = b(sap, sap, control) + payload
    return eth(len(body) if length is None else length, body)


def snap(ethertype, payload, oui="000000", **more):
    return llc(h(oui) + struct.pack(">H", ethertype) + payload, **more)


def pbb(payload, ethertype=P_IPV4):
    """802.1ah: service instance tag, customer addresses, customer ethertype."""
    return h("00000100") + MAC_TO + MAC_FROM + struct.pack(">H", ethertype) + payload


def mpls(n, payload, first=100, bottom=True):
    last = [0] * (n - 1) + [1 if bottom else 0]
    stack = [struct.pack(">I", (first + i) << 12 | bit << 8 | 64) for i, bit in enumerate(last)]
    return b"".join(stack) + payload


def pppoe(protocol, payload, length=None, head=0x11, code=0):
    body = struct.pack(">H", protocol) + payload
    return struct.pack(">BBHH", head, code, 1, len(body) if length is None else length) + body


def checksum(data):
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip4(to, protocol, payload=b"", options=b"", total=None, ihl=None, version=4, offset=0, more=0,
        source="2.0.0.9", flags=0, sum_=None):
    """offset in units of 8 bytes."""
    ihl = 5 + len(options) // 4 if ihl is None else ihl
    total = 20 + len(options) + len(payload) if total is None else total
    fragment = flags << 14 | more << 13 | offset

    def header(check):
        return struct.pack(">BBHHHBBH4s4s", version << 4 | ihl, 0, total, 7, fragment, 64, protocol,
                           check, a4(source), a4(to)) + options
    return header(checksum(header(0)) if sum_ is None else sum_) + payload


def ip6(to, following, payload=b"", length=None, version=6, source="2a00::9"):
    return struct.pack(">IHBB", version << 28, len(payload) if length is None else length,
                       following, 64) + a6(source) + a6(to) + payload


def udp(port, payload=b"", source=40000, length=None):
    return struct.pack(">HHHH", source, port, 8 + len(payload) if length is None else length,
                       0) + payload


def tcp(size=20):
    return struct.pack(">HHIIBBHHH", 40000, 443, 1, 0, 0x50, 2, 1024, 0, 0)[:size]


def padded(body):
    return body + bytes(-len(body) % 8)


def option_header(following, body):
    """Hop-by-hop or destination options; padded with Pad1."""
    body = padded(b(following, 0) + body)
    return b(following, len(body) // 8 - 1) + body[2:]


def ah(following):
    return b(following, 4) + bytes(22)


def fragment(following, payload, offset=0, more=0):
    return struct.pack(">BBHI", following, 0, offset << 3 | more, 7) + payload


def routing(following, kind, left, body, units=None):
    """body is what follows the first four bytes."""
    units = (4 + len(body)) // 8 - 1 if units is None else units
    return b(following, units, kind, left) + body


def srh(following, segments, left, last=None, **more):
    last = len(segments) - 1 if last is None else last
    return routing(following, 4, left, b(last & 0xFF, 0, 0, 0) + b"".join(map(a6, segments)),
                   **more)


def rpl(following, left, segments, cmpr_i, cmpr_e, **more):
    """RFC 6554: segments are their bytes after the elided prefix."""
    body = b"".join(segments)
    pad = -len(body) % 8
    return routing(following, 3, left,
                   struct.pack(">I", cmpr_i << 28 | cmpr_e << 24 | pad << 20) + body + bytes(pad),
                   **more)


def gre(protocol, payload, key=None, sequence=None, check=False, flags=0, version=0):
    flags |= (0x8000 if check else 0) | (0x2000 if key is not None else 0)
    flags |= (0x1000 if sequence is not None else 0) | version
    out = struct.pack(">HH", flags, protocol) + (bytes(4) if check else b"")
    for value in (key, sequence):
        out += struct.pack(">I", value) if value is not None else b""
    return out + payload


def erspan2(payload):
    return struct.pack(">HHI", 0x1000 | 100, 0, 1) + payload


def erspan3(payload, sub=False, kind=0):
    return (struct.pack(">HHIHH", 0x2000 | 100, 0, 1, 0, kind << 10 | (1 if sub else 0)) +
            (bytes(8) if sub else b"") + payload)


def vxlan(payload, flags=0x08, reserved=b"\0\0\0", last=0):
    return b(flags) + reserved + h("000100") + b(last) + payload


def gpe(following, payload, flags=0x0C):
    return b(flags, 0, 0, following) + h("00010000") + payload


def geneve(protocol, payload, options=b"", version=0, n_options=None, flags=0):
    units = len(options) // 4 if n_options is None else n_options
    return struct.pack(">BBH", version << 6 | units, flags, protocol) + h("00010000") + \
        options + payload


def gtp(payload, flags=0x30, kind=255, optional=b"", length=None):
    length = len(optional) + len(payload) if length is None else length
    return struct.pack(">BBHI", flags, kind, length, 1) + optional + payload


def lsrr(hops, kind=131, pointer=4, length=None, end=b"\0"):
    hops = b"".join(map(a4, hops))
    option = b(kind, 3 + len(hops) if length is None else length, pointer) + hops
    return option + end * (-len(option) % 4)
