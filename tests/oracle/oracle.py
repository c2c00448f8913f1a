#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A second, slow parser: which addresses is an Ethernet frame bound for, or why is that unknown?

Written from the RFCs and the classification contract (default limits and ports), and not from
lib/packet, so that a mistake there has to be made twice to stay unseen. Used only by tests.
`oracle.py CAPTURE` prints what it finds, one packet per line.
"""

import ipaddress
import sys

import capture

TAGS = {0x8100, 0x88A8, 0x9100, 0x9200, 0x9300}
SLOW = 0x8809
NON_IP = {0x0806: "arp", 0x88CC: "lldp", SLOW: "lacp", 0x88F7: "ptp", 0x888E: "eapol",
          0x8902: "cfm", 0x8863: "pppoe-control"}
OPAQUE_TYPES = {0x88E5, 0x894F}  # MACsec, NSH
IP4, IP6, TEB, PPPOE, PBB = 0x0800, 0x86DD, 0x6558, 0x8864, 0x88E7
MPLS_TYPES = {0x8847, 0x8848}
TAGS_MAX, LABELS_MAX, HEADERS_MAX, HEADER_BYTES_MAX, DEPTH_MAX = 4, 16, 8, 1024, 4
LEAVES = {6: 20, 1: 8, 58: 8, 132: 12}  # TCP, ICMP, ICMPv6, SCTP: header sizes
PPP_CONTROL_FIRST = 0x8000  # RFC 1661 section 2: 8*** to b*** NCPs, c*** to f*** LCP and kin
EXTENSION = {0, 43, 44, 51, 60, 135, 139, 140}

MAPPED = ipaddress.ip_network("::ffff:0:0/96")
COMPATIBLE = ipaddress.ip_network("::/96")
SIX_TO_FOUR = ipaddress.ip_network("2002::/16")
TEREDO = ipaddress.ip_network("2001::/32")
NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")


class Unparsable(Exception):
    """str() is the reason."""


class Short(Exception):
    """The data ends before the header does."""


class View:
    """The bytes from `at` to `end` (as the lengths of the headers say) of a frame of which a
    capture may hold less. `first` = inside a first fragment, where more follows elsewhere."""

    def __init__(self, frame, at, end, first=False):
        self.frame, self.at, self.end, self.first = frame, at, end, first
        self.is_lie = False  # the UDP length does not fit

    def left(self):
        return self.end - self.at

    def peek(self, size):
        if self.at + size > self.end:
            raise Unparsable("bad-fragment") if self.first else Short()
        if self.at + size > len(self.frame):
            raise Unparsable("truncated")
        return self.frame[self.at:self.at + size]

    def take(self, size):
        data = self.peek(size)
        self.at += size
        return data

    def need(self, size):
        """As take(), where the contract wants the header whole."""
        try:
            return self.take(size)
        except Short:
            raise Unparsable("truncated") from None

    def valid(self):
        """The header of a tunnel that a port suggested has turned out to be one."""
        if self.is_lie:
            raise Unparsable("bad-total-length")

    def must(self, size):
        """As need(), without going on."""
        try:
            return self.peek(size)
        except Short:
            raise Unparsable("truncated") from None

    def cut_here(self):
        """A first fragment ends here; its size is a multiple of 8 (RFC 791, RFC 8200 4.5)."""
        self.end = self.at + self.left() // 8 * 8
        self.first = True

    def limit(self, size):
        """A length field says that `size` bytes follow; if they do, no fragment cuts them."""
        if size <= self.left():
            self.end, self.first = self.at + size, False
        elif not self.first:
            raise Unparsable("bad-total-length")


def number(data):
    return int.from_bytes(data, "big")


class Walk:
    def __init__(self, nat64=()):
        self.found, self.nat64 = [], [ipaddress.ip_network(p) for p in nat64]

    # --- addresses ---

    def add4(self, data):
        self.found.append(str(ipaddress.IPv4Address(data)))

    def add6(self, data):
        address = ipaddress.IPv6Address(data)
        if address in MAPPED or (address in COMPATIBLE and number(data) > 1):
            raise Unparsable("mapped-address")
        self.found.append(str(address))
        if address in SIX_TO_FOUR:
            self.add4(data[2:6])
        elif address in TEREDO:
            self.add4(data[4:8])
            self.add4(bytes(b ^ 0xFF for b in data[12:16]))
        elif address in NAT64_LOCAL:
            self.add4(data[6:8] + data[9:11])
            self.add4(data[12:16])
        else:
            self.add_nat64(address, data)

    def add_nat64(self, address, data):
        """RFC 6052 2.2; byte 8 is left out."""
        for prefix in [ipaddress.ip_network("64:ff9b::/96"), *self.nat64]:
            if address in prefix:
                at = prefix.prefixlen // 8
                tail = data[12:16] if at == 12 else (data[at:8] + data[9:])[:4]
                self.add4(tail)
                return

    # --- link layers ---

    def ethernet(self, v, depth):
        v.need(12)
        self.tagged(v, depth)

    def tagged(self, v, depth):
        kind, n = number(v.need(2)), 0
        while kind in TAGS:
            n += 1
            if n > TAGS_MAX:
                raise Unparsable("too-many-tags")
            kind = number(v.need(4)[2:])
        if kind <= 1500:
            self.llc(v, kind, depth)
        else:
            self.ethertype(kind, v, depth)

    def ethertype(self, kind, v, depth):
        if kind == IP4:
            self.ipv4(v, depth)
        elif kind == IP6:
            self.ipv6(v, depth)
        elif kind in MPLS_TYPES:
            self.mpls(v, depth)
        elif kind == PPPOE:
            self.pppoe(v, depth)
        elif kind == PBB:
            v.need(4)
            self.ethernet(v, self.deeper(depth))
        elif kind == SLOW:
            if v.need(1)[0] not in (1, 2):  # IEEE 802.1AX: LACP, marker
                raise Unparsable("unknown-ethertype")
        elif kind in NON_IP or (kind in OPAQUE_TYPES and self.found):
            return
        else:
            raise Unparsable("unknown-ethertype")

    def llc(self, v, length, depth):
        v.limit(length)
        head = v.need(3)
        if head[2] != 3:
            raise Unparsable("unknown-ethertype")
        if head[:2] == b"\x06\x06":
            self.ipv4(v, depth)
        elif head == b"\xaa\xaa\x03":
            self.snap(v, depth)
        elif head[:2] != b"\x42\x42":
            raise Unparsable("unknown-ethertype")

    def snap(self, v, depth):
        oui, kind = v.need(3), v.peek(2) if v.left() >= 2 else v.need(2)
        if oui == b"\0\0\0":
            if 1500 >= number(kind):
                raise Unparsable("unknown-ethertype")
            self.tagged(v, depth)
        elif oui != b"\x00\x00\x0c" or kind not in (b"\x20\x00", b"\x01\x0b"):  # CDP, PVST
            raise Unparsable("unknown-ethertype")

    def pppoe(self, v, depth):
        head = v.need(6)
        if head[0] != 0x11 or head[1] != 0:
            raise Unparsable("bad-encapsulation")
        v.limit(number(head[4:6]))
        protocol = number(v.need(1))
        if protocol % 2 == 0:
            protocol = protocol << 8 | number(v.need(1))
        if protocol == 0x21:
            self.ipv4(v, depth)
        elif protocol == 0x57:
            self.ipv6(v, depth)
        elif protocol in (0x281, 0x283):
            self.mpls(v, depth)
        elif protocol < PPP_CONTROL_FIRST:
            raise Unparsable("bad-encapsulation")

    def mpls(self, v, depth):
        n, bottom = 0, False
        while not bottom:
            n += 1
            if n > LABELS_MAX:
                raise Unparsable("too-many-labels")
            bottom = v.need(4)[2] & 1
        nibble = number(v.must(1)) >> 4
        if nibble == 4:
            self.ipv4(v, depth)
        elif nibble == 6:
            self.ipv6(v, depth)
        elif nibble == 0:
            v.need(4)
            self.ethernet(v, self.deeper(depth))
        elif nibble != 1:
            if v.left() < 14 and not v.first or not self.is_known(number(v.peek(14)[12:])):
                raise Unparsable("bad-encapsulation")
            self.ethernet(v, self.deeper(depth))

    @staticmethod
    def is_known(kind):
        return kind in TAGS | MPLS_TYPES | {IP4, IP6, PPPOE, PBB} or kind in NON_IP

    @staticmethod
    def deeper(depth):
        if depth >= DEPTH_MAX:
            raise Unparsable("too-deep")
        return depth + 1

    # --- IP ---

    def ipv4(self, v, depth):
        head = v.must(20)
        size = (head[0] & 15) * 4
        if head[0] >> 4 != 4:
            raise Unparsable("bad-version")
        self.add4(head[16:20])
        total = number(head[2:4])
        if size < 20:
            raise Unparsable("bad-header-length")
        if total < size:
            raise Unparsable("bad-total-length")
        v.limit(total)
        self.options4(v.need(size)[20:])
        offset, more = number(head[6:8]) & 0x1FFF, head[6] & 0x20
        if offset:
            self.later_fragment(offset, total - size, head[9])
            return
        if more:
            v.cut_here()
        self.protocol(self.behind4(head[9], v), v, depth)

    @staticmethod
    def behind4(kind, v):
        """The headers of IPv6 that IPv4 may have too: AH, mobility, HIP, shim6."""
        n = 0
        while kind in (51, 135, 139, 140):
            n += 1
            if n > HEADERS_MAX:
                raise Unparsable("too-many-headers")
            body, units = v.need(8), v.frame[v.at - 7]
            if kind == 51 and units < 1:
                raise Unparsable("bad-header-length")
            v.need((units + 2) * 4 - 8 if kind == 51 else units * 8)
            kind = body[0]
        return kind

    def options4(self, data):
        at = 0
        while at < len(data) and data[at] != 0:
            if data[at] == 1:
                at += 1
                continue
            size = data[at + 1] if at + 1 < len(data) else 0
            if size < 2 or at + size > len(data):
                raise Unparsable("bad-header-length")
            if data[at] in (131, 137):
                if size < 3 or size % 4 != 3 or data[at + 2] % 4 or not data[at + 2]:
                    raise Unparsable("bad-header-length")
                for hop in range(at + 3, at + size, 4):
                    self.add4(data[hop:hop + 4])
            at += size

    @staticmethod
    def later_fragment(offset, size, protocol):
        if offset * 8 + size > 65535 or (protocol == 6 and offset == 1):
            raise Unparsable("bad-fragment")

    def ipv6(self, v, depth):
        head = v.need(40)
        if head[0] >> 4 != 6:
            raise Unparsable("bad-version")
        self.add6(head[24:40])
        length = number(head[4:6])
        if length == 0 and head[6] != 59:
            raise Unparsable("bad-total-length")
        v.limit(length)
        self.extensions(head[6], v, depth, head[24:40])

    def extensions(self, kind, v, depth, destination):
        n = total = 0
        while kind in EXTENSION:
            n += 1
            following, units, *_ = head = v.must(8)
            size = 8 if kind == 44 else (units + 2) * 4 if kind == 51 else (units + 1) * 8
            total += size
            if kind == 0 and n > 1:
                raise Unparsable("bad-header-order")
            if kind == 51 and size < 12:  # RFC 4302 2.2: SPI and sequence number
                raise Unparsable("bad-header-length")
            if size > v.left():
                raise Unparsable("bad-fragment" if v.first else "truncated")
            if n > HEADERS_MAX or total > HEADER_BYTES_MAX:
                raise Unparsable("too-many-headers")
            part = View(v.frame, v.at, v.at + size)
            if kind in (0, 60):
                self.options6(part)
            elif kind == 43:
                self.routing(part, head, destination)
            v.at += size
            if kind == 44:
                offset = number(head[2:4]) >> 3
                if offset:
                    self.later_fragment(offset, v.left(), following)
                    return
                if head[3] & 1:
                    v.cut_here()
            kind = following
        if kind != 59:
            self.protocol(kind, v, depth)

    @staticmethod
    def options6(part):
        """RFC 8200 4.2: each option ends inside its header; RFC 2675: the jumbo payload option."""
        part.need(2)
        while part.left():
            kind = part.need(1)[0]
            if kind == 0:
                continue
            if part.left() < 1 or part.must(1)[0] > part.left() - 1:
                raise Unparsable("bad-header-length")
            if kind == 0xC2:
                raise Unparsable("bad-total-length")
            part.at += 1 + part.must(1)[0]

    def routing(self, part, head, destination):
        kind, left, size = head[2], head[3], part.left()
        if left == 0:
            return
        part.need(8)
        if kind == 2 and left == 1 and size == 24:
            self.add6(part.need(16))
        elif kind == 3:
            self.rpl(part, head, left, destination)
        elif kind == 4 and left <= head[4] + 1 and 8 + 16 * (head[4] + 1) <= size:
            for _ in range(head[4] + 1):
                self.add6(part.need(16))
        else:
            raise Unparsable("bad-routing-header")

    def rpl(self, part, head, left, destination):
        """RFC 6554 3: n = (data - pad - size of the last) / (size of the others) + 1."""
        kept, kept_last, pad = 16 - (head[4] >> 4), 16 - (head[4] & 15), head[5] >> 4
        others = part.left() - pad - kept_last
        n = others // kept + 1
        if others < 0 or others % kept or left > n:
            raise Unparsable("bad-routing-header")
        for size in [kept] * (n - 1) + [kept_last]:
            self.add6(destination[:16 - size] + part.need(size))

    # --- above IP ---

    def protocol(self, kind, v, depth):
        if kind == 4:
            self.ipv4(v, self.deeper(depth))
        elif kind == 41:
            self.ipv6(v, self.deeper(depth))
        elif v.first and v.left() < LEAVES.get(kind, 0):
            raise Unparsable("bad-fragment")
        elif kind == 17:
            self.udp(v, depth)
        elif kind == 47:
            self.gre(v, depth)
        elif kind == 97:
            if v.need(2)[0] >> 4 != 3:
                raise Unparsable("bad-encapsulation")
            self.ethernet(v, self.deeper(depth))
        elif kind == 137:
            self.mpls(v, self.deeper(depth))
        elif kind == 143:
            self.ethernet(v, self.deeper(depth))

    @staticmethod
    def gre_size(flags):
        return 4 + 4 * sum(1 for bit in (0x8000, 0x2000, 0x1000) if flags & bit)

    def gre(self, v, depth):
        flags, kind = number(v.need(4)), 0
        flags, kind = flags >> 16, flags & 0xFFFF
        if flags & 7 == 1:
            return  # RFC 2637: PPTP
        if flags & 0x4007:
            raise Unparsable("bad-encapsulation")
        v.need(self.gre_size(flags) - 4)
        if kind == IP4:
            self.ipv4(v, self.deeper(depth))
        elif kind == IP6:
            self.ipv6(v, self.deeper(depth))
        elif kind in MPLS_TYPES:
            self.mpls(v, self.deeper(depth))
        elif kind == TEB:
            self.ethernet(v, self.deeper(depth))
        elif kind == 0x88BE:
            if flags & 0x1000 and v.need(8)[0] >> 4 != 1:
                raise Unparsable("bad-encapsulation")
            self.ethernet(v, self.deeper(depth))
        elif kind == 0x22EB:
            head = v.need(12)
            if head[0] >> 4 != 2:
                raise Unparsable("bad-encapsulation")
            if head[11] & 1:
                v.need(8)
            self.erspan3(head[10] >> 2 & 31, v, self.deeper(depth))

    def erspan3(self, frame_type, v, depth):
        """draft-foschiano-erspan 4.3: 0 is Ethernet, 2 is IP."""
        if frame_type == 0:
            self.ethernet(v, depth)
        elif frame_type == 2:
            self.either(v, depth)
        else:
            raise Unparsable("bad-encapsulation")

    def either(self, v, depth):
        nibble = v.must(1)[0] >> 4
        if nibble not in (4, 6):
            raise Unparsable("bad-encapsulation")
        (self.ipv4 if nibble == 4 else self.ipv6)(v, depth)

    def udp(self, v, depth):
        if v.left() < 8:
            raise Unparsable("bad-fragment" if v.first else "truncated")
        source, port = number(v.need(2)), number(v.need(2))
        tunnel = {4789: self.vxlan, 8472: self.vxlan, 4790: self.gpe, 6081: self.geneve,
                  2152: self.gtp, 6635: self.mpls_in_udp, 4754: self.gre_in_udp,
                  3544: self.teredo}.get(port)
        if tunnel is None and source == 3544:
            tunnel = self.teredo
        if tunnel is None:
            return
        length = number(v.need(2))
        v.at += 2  # the checksum is not needed
        v.is_lie = length < 8 or (length - 8 > v.left() and not v.first)
        if not v.is_lie:
            v.limit(length - 8)
        try:
            tunnel(v, depth)
        except Short:
            return  # no valid header: the outer verdict stands

    def vxlan(self, v, depth):
        if v.take(8)[0] & 8:
            v.valid()
            self.ethernet(v, self.deeper(depth))

    def gpe(self, v, depth):
        head = v.take(8)
        if not head[0] & 8 or head[0] & 0x30:
            return
        v.valid()
        following = head[3] if head[0] & 4 else 3
        if following == 4:
            return
        if following not in (1, 2, 3, 5):
            raise Unparsable("bad-encapsulation")
        {1: self.ipv4, 2: self.ipv6, 3: self.ethernet, 5: self.mpls}[following](
            v, self.deeper(depth))

    def geneve(self, v, depth):
        head = v.take(8)
        if head[0] >> 6 != 0:
            return
        v.take((head[0] & 0x3F) * 4)
        v.valid()
        kind = number(head[2:4])
        if kind == TEB:
            self.ethernet(v, self.deeper(depth))
        elif kind in {IP4, IP6} | MPLS_TYPES:
            self.ethertype(kind, v, self.deeper(depth))
        elif kind != 0x894F:
            raise Unparsable("bad-encapsulation")

    def gtp(self, v, depth):
        head = v.take(8)
        if head[0] >> 4 != 3 or head[1] != 255:
            return
        v.valid()
        v.limit(number(head[2:4]))
        if head[0] & 7:
            following, n = v.need(4)[3], 0
            while head[0] & 4 and following:
                n += 1
                if n > HEADERS_MAX:
                    raise Unparsable("too-many-headers")
                size = v.must(1)[0] * 4
                if size == 0:
                    raise Unparsable("bad-encapsulation")
                following = v.need(size)[-1]
        self.either(v, self.deeper(depth))

    def mpls_in_udp(self, v, depth):
        v.peek(4)
        v.valid()
        self.mpls(v, self.deeper(depth))

    def gre_in_udp(self, v, depth):
        flags = number(v.peek(4)) >> 16
        if flags & 0x4007 == 0:  # RFC 2784 2.3: the other reserved bits are ignored
            v.peek(self.gre_size(flags))
            v.valid()
            self.gre(v, depth)

    def teredo(self, v, depth):
        if v.peek(2) == b"\0\x01":
            head = v.take(4)
            v.take(head[2] + head[3] + 9)
        if v.peek(2) == b"\0\0":
            v.take(8)
        if v.peek(40)[0] >> 4 == 6:
            v.valid()
            self.ipv6(v, self.deeper(depth))


def judge(frame, wire, nat64=()):
    """(addresses, reason or None)."""
    walk = Walk(nat64)
    try:
        walk.ethernet(View(frame, 0, wire), 0)
    except Unparsable as reason:
        return walk.found, str(reason)
    return walk.found, None


def main():
    for i, (link, frame, wire) in enumerate(capture.read(sys.argv[1]), 1):
        print(i, link, *judge(frame, wire))


if __name__ == "__main__":
    main()
