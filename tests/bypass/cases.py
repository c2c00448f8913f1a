# SPDX-License-Identifier: BSD-3-Clause
"""The tricks: one frame each, and what the classification contract and the RFCs say it gets.

Everything outer is bound for 2.0.0.1 or 2a00::1 (IE, approved); what a trick hides is bound for
1.0.0.1 or 2a01::1 (CN, drop). The expected values were written from the contract, not from what
the program printed.
"""

from frames import *  # noqa: F403: the vocabulary of this table

OK4, BAD4, OK6, BAD6 = "2.0.0.1", "1.0.0.1", "2a00::1", "2a01::1"
DEFAULT, STRICT, LOOSE = "policy.ini", "policy-strict.ini", "policy-loose.ini"
DATA = b"0123456789abcdef"

INNER4 = ip4(BAD4, UDP, udp(53, DATA))
INNER6 = ip6(BAD6, UDP, udp(53, DATA))
FINE4 = ip4(OK4, UDP, udp(53, DATA))
FINE6 = ip6(OK6, UDP, udp(53, DATA))
INNER_ETH = eth(P_IPV4, INNER4)
INNER_ETH6 = eth(P_IPV6, INNER6)

CASES = []
NAMES = set()


def case(name, frame, want, note, policy=DEFAULT, wire=None):
    """wire: the length on the wire, larger than the frame when the capture cut it."""
    assert name not in NAMES, name
    NAMES.add(name)
    CASES.append((name, frame, wire or len(frame), policy, want, note))


def bad(address=BAD4):
    return "drop", "country", address


def good(address=OK4):
    return "pass", "approved-country", address


def un(reason):
    return "drop+mirror", reason, "-"


def outer(payload, protocol=IPIP, **more):
    return eth(P_IPV4, ip4(OK4, protocol, payload, **more))


def outer6(payload, following=IPV6, to=OK6, **more):
    return eth(P_IPV6, ip6(to, following, payload, **more))


def in_udp(port, payload, **more):
    return outer(udp(port, payload, **more), UDP)


def plain_cases():
    case("plain-ipv4-approved", eth(P_IPV4, FINE4), good(), "control: nothing hidden")
    case("plain-ipv4-bad", eth(P_IPV4, INNER4), bad(), "control: nothing hidden")
    case("plain-ipv6-approved", eth(P_IPV6, FINE6), good(OK6), "control: nothing hidden")
    case("plain-ipv6-bad", eth(P_IPV6, INNER6), bad(BAD6), "control: nothing hidden")
    case("plain-ipv4-mirror", eth(P_IPV4, ip4("3.0.0.1", UDP, udp(53))),
         ("mirror", "country", "3.0.0.1"), "control: forward and copy")
    case("plain-unknown", eth(P_IPV4, ip4("9.9.9.9", UDP, udp(53))),
         ("drop", "unknown", "9.9.9.9"), "control: in no data source")
    case("plain-private", eth(P_IPV4, ip4("10.0.0.1", UDP, udp(53))),
         ("pass", "special", "10.0.0.1"), "RFC 1918: special is decided before countries")
    case("plain-multicast", eth(P_IPV6, ip6("ff02::1", UDP, udp(53))),
         ("pass", "special", "ff02::1"), "RFC 4291: multicast is special")
    case("strictest-wins", outer(ip4("3.0.0.1", IPIP, INNER4)), ("drop+mirror", "country", BAD4),
         "pass, mirror and drop in one frame: bits are OR-ed, the strictest address decides")
    case("mirror-inside", outer(ip4("3.0.0.1", UDP, udp(53))), ("mirror", "country", "3.0.0.1"),
         "RFC 2003: an inner address that is mirrored makes the frame mirrored")


def tag_cases():
    for kind in (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300):
        case("tag-%04x" % kind, tags([kind], P_IPV4, INNER4), bad(), "IEEE 802.1Q: one tag")
    case("tag-qinq", tags([0x88A8, 0x8100], P_IPV4, INNER4), bad(), "IEEE 802.1ad: S-tag, C-tag")
    case("tag-reversed", tags([0x8100, 0x88A8], P_IPV6, INNER6), bad(BAD6),
         "IEEE 802.1ad: tags in the unusual order")
    case("tag-mix-at-limit", tags([0x9300, 0x8100, 0x88A8, 0x9100], P_IPV4, INNER4), bad(),
         "four tags of four kinds: at the limit")
    case("tag-over-limit", tags([0x8100] * 5, P_IPV4, FINE4), un("too-many-tags"),
         "five tags: over the limit, also with an approved destination")
    case("tag-64", tags([0x8100] * 64, P_IPV4, INNER4), un("too-many-tags"), "64 tags")
    case("tag-configured-limit", tags([0x8100] * 3, P_IPV4, FINE4), un("too-many-tags"),
         "[limits] tags = 2", LOOSE)
    case("tag-cut", tags([0x8100], P_IPV4, b"")[:17], un("truncated"), "the tag is cut in half")
    case("tag-then-nothing", tags([0x8100, 0x8100], P_IPV4, b""), un("truncated"),
         "tags in front of an absent IP header")
    case("tag-hides-unknown", tags([0x8100], 0x88B5, INNER4), un("unknown-ethertype"),
         "an experimental ethertype behind a tag")
    case("tag-llc", eth(0x8100, h("0064") + snap(P_IPV4, INNER4)[12:]), bad(),
         "LLC/SNAP behind a VLAN tag")
    for name, kind in (("vn", 0x8926), ("e", 0x893F), ("r", 0xF1C1)):
        case("tag-%s-tag" % name, eth(kind, bytes(4) + h("0800") + INNER4),
             un("unknown-ethertype"), "contract: VN-, E- and R-tags are unknown")
    case("pbb", eth(0x88E7, pbb(INNER4)), bad(), "IEEE 802.1ah: provider backbone bridge")
    case("pbb-btag", eth(0x88A8, h("0064 88e7") + pbb(INNER6, P_IPV6)), bad(BAD6),
         "IEEE 802.1ah: B-tag, I-tag")
    case("pbb-inner-tags", eth(0x88A8, h("006488e7") + pbb(h("0001 8100 0002 0800") + INNER4,
                                                            0x88A8)), bad(),
         "IEEE 802.1ah: customer S-tag and C-tag behind the I-tag")
    case("pbb-cut", eth(0x88E7, pbb(b"")[:12]), un("truncated"), "IEEE 802.1ah: cut I-tag")
    case("pbb-deep", eth(0x88E7, (h("00000100") + MAC_TO + MAC_FROM + h("88e7")) * 20 + INNER4),
         un("too-deep"), "IEEE 802.1ah inside itself twenty times")


def llc_cases():
    case("llc-snap-ipv4", snap(P_IPV4, INNER4), bad(), "RFC 1042: IP in SNAP")
    case("llc-snap-ipv6", snap(P_IPV6, INNER6), bad(BAD6), "RFC 1042: IPv6 in SNAP")
    case("llc-snap-vlan", snap(0x8100, h("0064 0800") + INNER4), bad(),
         "RFC 1042: a tag in SNAP")
    case("llc-sap-06", llc(INNER4, sap=6), bad(), "IEEE 802.2: SAP 06 is IP")
    case("llc-sap-06-version-6", llc(INNER6, sap=6), un("bad-version"),
         "IEEE 802.2: SAP 06 is IP version 4")
    case("llc-netbios", llc(INNER4, sap=0xF0), un("unknown-ethertype"), "a SAP that is no IP")
    case("llc-novell", eth(len(INNER4) + 2, h("ffff") + INNER4), un("unknown-ethertype"),
         "raw 802.3 as Novell used it")
    case("llc-length-lie", snap(P_IPV4, FINE4, length=1000), un("bad-total-length"),
         "IEEE 802.3: the length is more than the frame has")
    case("llc-cut", llc(b"")[:16], un("bad-total-length"),
         "IEEE 802.3: the frame ends before its length")
    case("llc-padding", snap(P_IPV4, FINE4) + INNER4, good(), "IEEE 802.3: padding is no payload")
    case("llc-type-between", eth(0x05F0, INNER4), un("unknown-ethertype"),
         "IEEE 802.3: 1501 to 1535 is neither a length nor an ethertype")


def mpls_cases():
    case("mpls-ipv4", eth(P_MPLS, mpls(1, INNER4)), bad(), "RFC 3032")
    case("mpls-ipv6", eth(P_MPLS, mpls(3, INNER6)), bad(BAD6), "RFC 3032: three labels")
    case("mpls-multicast", eth(0x8848, mpls(1, INNER4)), bad(), "RFC 5332: upstream-assigned")
    case("mpls-explicit-null", eth(P_MPLS, mpls(1, INNER4, first=0)), bad(), "RFC 3032: label 0")
    case("mpls-at-limit", eth(P_MPLS, mpls(16, INNER4)), bad(), "16 labels: at the limit")
    case("mpls-over-limit", eth(P_MPLS, mpls(17, FINE4)), un("too-many-labels"), "17 labels")
    case("mpls-configured-limit", eth(P_MPLS, mpls(3, FINE4)), un("too-many-labels"),
         "[limits] labels = 2", LOOSE)
    case("mpls-no-bottom", eth(P_MPLS, mpls(2, b"", bottom=False)), un("truncated"),
         "RFC 3032: the stack never ends")
    case("mpls-control-word", eth(P_MPLS, mpls(1, bytes(4) + INNER_ETH)), bad(),
         "RFC 4448: control word, then Ethernet")
    case("mpls-control-word-cut", eth(P_MPLS, mpls(1, bytes(10))), un("truncated"),
         "RFC 4448: the Ethernet header is cut")
    case("mpls-ethernet", eth(P_MPLS, mpls(1, eth(P_IPV6, INNER6, h("80" * 6)))),
         bad(BAD6), "RFC 4448: Ethernet without control word, a known ethertype")
    case("mpls-ethernet-tagged",
         eth(P_MPLS, mpls(1, tags([0x8100], P_IPV4, INNER4).replace(MAC_TO, h("22" * 6), 1))),
         bad(), "RFC 4448: tagged Ethernet without control word")
    case("mpls-other-nibble", eth(P_MPLS, mpls(1, h("f0" * 40))), un("bad-encapsulation"),
         "RFC 4928: neither IP nor control word nor Ethernet")
    case("mpls-oam", eth(P_MPLS, mpls(1, h("10000007") + INNER4)), ("drop", "non-ip", "-"),
         "RFC 5586: associated channel")
    case("mpls-nibble-4-mac", eth(P_MPLS, mpls(1, eth(P_IPV4, FINE4, h("4600ffff0001")))),
         un("bad-total-length"), "RFC 4928: a MAC address that looks like IPv4 is read as IPv4")
    case("mpls-tagged", tags([0x8100], P_MPLS, mpls(2, INNER4)), bad(), "a tag, then labels")


def pppoe_cases():
    case("pppoe-ipv4", eth(0x8864, pppoe(0x0021, INNER4)), bad(), "RFC 2516")
    case("pppoe-ipv6", eth(0x8864, pppoe(0x0057, INNER6)), bad(BAD6), "RFC 2516, RFC 5072")
    case("pppoe-lcp", eth(0x8864, pppoe(0xC021, h("01010004"))), ("drop", "non-ip", "-"),
         "RFC 1661: a control protocol, pppoe-control")
    case("pppoe-ecp", eth(0x8864, pppoe(0x8053, h("01010004"))), ("drop", "non-ip", "-"),
         "RFC 1661 section 2: 8*** to f*** are control protocols")
    case("pppoe-discovery", eth(0x8863, pppoe(0, b"", head=0x11, code=9)),
         ("drop", "non-ip", "-"), "RFC 2516: PADI, pppoe-control")
    case("pppoe-length-lie", eth(0x8864, pppoe(0x0021, FINE4, length=1000)),
         un("bad-total-length"), "RFC 2516: more than the frame has")
    case("pppoe-length-short", eth(0x8864, pppoe(0x0021, FINE4, length=2 + 30)),
         un("bad-total-length"), "RFC 2516: IP total length beyond the PPPoE payload")
    case("pppoe-length-cuts", eth(0x8864, pppoe(0x0021, FINE4, length=2 + 10)),
         un("truncated"), "RFC 2516: the IP header goes on behind the PPPoE payload")
    case("pppoe-compressed-protocol", eth(0x8864, h("11000001") + b(0, len(INNER4) + 1, 0x21) +
                                          INNER4), bad(),
         "RFC 1661 6.5: one-byte protocol field; RFC 2516 7 only advises against it")
    case("pppoe-version", eth(0x8864, pppoe(0x0021, INNER4, head=0x21)), un("bad-encapsulation"),
         "RFC 2516: version 1, type 1")
    case("pppoe-unknown-protocol", eth(0x8864, pppoe(0x00FD, INNER4)), un("bad-encapsulation"),
         "RFC 1962: a compressed datagram")


def non_ip_cases():
    passes = ("pass", "non-ip", "-")
    drops = ("drop", "non-ip", "-")
    arp = h("0001 0800 06 04 0001") + MAC_FROM + a4("2.0.0.9") + bytes(6) + a4(BAD4)
    case("arp", eth(P_ARP, arp), passes, "RFC 826")
    case("arp-tagged", tags([0x8100], P_ARP, arp), passes, "RFC 826")
    case("lldp", eth(0x88CC, h("0207") + bytes(7)), passes, "IEEE 802.1AB")
    case("lacp", eth(0x8809, h("0101") + bytes(50)), passes, "IEEE 802.1AX")
    case("slow-oam", eth(0x8809, h("0300") + bytes(50)), un("unknown-ethertype"),
         "IEEE 802.3 57A: a slow protocol without a key")
    case("pvst", snap(0x010B, bytes(40), oui="00000c"), drops, "Cisco's spanning tree per VLAN")
    case("stp", llc(h("0000000000") + bytes(30), sap=0x42), drops, "IEEE 802.1D")
    case("cdp", snap(0x2000, h("02b40000"), oui="00000c"), drops, "Cisco discovery")
    case("ptp", eth(0x88F7, bytes(44)), drops, "IEEE 1588")
    case("eapol", eth(0x888E, h("01010000")), drops, "IEEE 802.1X")
    case("cfm", eth(0x8902, bytes(40)), drops, "IEEE 802.1ag")
    case("macsec", eth(0x88E5, h("00000000 0001") + INNER4), un("unknown-ethertype"),
         "IEEE 802.1AE: opaque and no outer address to judge")
    case("nsh", eth(0x894F, h("0fc60103 00000100") + bytes(16) + INNER4),
         un("unknown-ethertype"), "RFC 8300: opaque and no outer address to judge")
    case("rarp", eth(0x8035, arp), un("unknown-ethertype"), "RFC 903: not on the list")
    case("trill", eth(0x22F3, bytes(6) + INNER_ETH), un("unknown-ethertype"),
         "RFC 6325: not on the list")
    case("experimental-ethertype", eth(0x88B5, INNER4), un("unknown-ethertype"),
         "IEEE 802: local experimental")
    case("loopback-ethertype", eth(0x9000, INNER4), un("unknown-ethertype"), "Ethernet CTP")


def ip4_cases():
    case("ipv4-bad-version-5", eth(P_IPV4, ip4(OK4, UDP, udp(53), version=5)), un("bad-version"),
         "RFC 791: version 5")
    case("ipv4-is-ipv6", eth(P_IPV4, INNER6), un("bad-version"), "RFC 894: 0800 is IPv4")
    case("ipv4-ihl-4", eth(P_IPV4, ip4(OK4, UDP, udp(53), ihl=4)), un("bad-header-length"),
         "RFC 791: IHL < 5")
    case("ipv4-ihl-beyond-total", eth(P_IPV4, ip4(OK4, UDP, udp(53), ihl=15)),
         un("bad-total-length"), "RFC 791: the datagram is shorter than its header")
    case("ipv4-total-0", eth(P_IPV4, ip4(OK4, UDP, udp(53), total=0)), un("bad-total-length"),
         "RFC 791: total length 0")
    case("ipv4-total-19", eth(P_IPV4, ip4(OK4, UDP, udp(53), total=19)), un("bad-total-length"),
         "RFC 791: shorter than its header")
    case("ipv4-total-beyond-frame", eth(P_IPV4, ip4(OK4, UDP, udp(53), total=999)),
         un("bad-total-length"), "RFC 791: longer than the frame")
    case("ipv4-bad-checksum", eth(P_IPV4, ip4(BAD4, UDP, udp(53), sum_=0xBEEF)), bad(),
         "contract: header checksums are not verified")
    case("ipv4-evil-bit", eth(P_IPV4, ip4(BAD4, UDP, udp(53), flags=2)), bad(), "RFC 3514")
    case("ipv4-padding", eth(P_IPV4, ip4(OK4, UDP, udp(53))) + INNER4, good(),
         "RFC 894: padding is no payload")
    case("ipv4-padding-hides-ipip", outer(b"", total=20) + INNER4, un("truncated"),
         "RFC 2003: the inner header lies outside the datagram")
    case("ipv4-options", eth(P_IPV4, ip4(BAD4, UDP, udp(53), options=h("01010100"))), bad(),
         "RFC 791: NOP, EOL")
    case("ipv4-options-15", eth(P_IPV4, ip4(BAD4, UDP, udp(53), options=b(1) * 40)), bad(),
         "RFC 791: 40 bytes of options")
    case("ipv4-options-ipip", outer(INNER4, options=b(1) * 12), bad(),
         "RFC 2003: options in the outer header shift the inner one")
    route = ("drop+mirror", "source-route", "-")
    case("ipv4-lsrr", eth(P_IPV4, ip4(OK4, UDP, udp(53), options=lsrr([BAD4]))), route, "RFC 7126")
    case("ipv4-ssrr", eth(P_IPV4, ip4(OK4, UDP, udp(53), options=lsrr([OK4, BAD4], 137))), route,
         "RFC 7126")
    case("ipv4-lsrr-done", eth(P_IPV4, ip4(OK4, UDP, udp(53), options=lsrr([OK4], pointer=8))),
         route, "RFC 7126: an exhausted route is dropped too")
    case("ipv4-lsrr-empty", eth(P_IPV4, ip4(OK4, UDP, udp(53), options=lsrr([]))), route,
         "RFC 7126: the option itself is dropped")
    case("ipv4-lsrr-after-nops", eth(P_IPV4, ip4(OK4, UDP, udp(53), options=b(1, 1, 1, 1) +
                                                 lsrr([BAD4]))), route, "RFC 7126")
    case("ipv4-lsrr-hops", eth(P_IPV4, ip4(OK4, UDP, udp(53), options=lsrr([OK4, BAD4]))), bad(),
         "source-route = pass: every listed hop is judged", LOOSE)
    case("ipv4-ssrr-hops", eth(P_IPV4, ip4(OK4, UDP, udp(53), options=lsrr([BAD4, OK4], 137))),
         bad(), "source-route = pass: every listed hop is judged", LOOSE)
    case("ipv4-lsrr-hop-behind-pointer",
         eth(P_IPV4, ip4(OK4, UDP, udp(53), options=lsrr([BAD4, OK4], pointer=8))), bad(),
         "source-route = pass: hops in front of the pointer are listed too", LOOSE)
    case("ipv4-lsrr-inner", outer(ip4(OK4, UDP, udp(53), options=lsrr([BAD4]))), route,
         "RFC 7126: in the inner header")
    case("ipv4-lsrr-later-fragment",
         eth(P_IPV4, ip4(OK4, UDP, DATA, offset=100, options=lsrr([BAD4]))), route,
         "RFC 791: the option is copied into fragments")
    case("ipv4-lsrr-behind-eol", eth(P_IPV4, ip4(OK4, UDP, udp(53), options=h("00000000") +
                                                 lsrr([BAD4]))), good(),
         "RFC 791: nothing behind end-of-options is an option")
    case("ipv4-option-length-0", eth(P_IPV4, ip4(OK4, UDP, udp(53), options=h("83000400"))),
         un("bad-header-length"), "RFC 791: an option length of 0 never ends")
    case("ipv4-option-length-1", eth(P_IPV4, ip4(OK4, UDP, udp(53), options=h("44010000"))),
         un("bad-header-length"), "RFC 791: shorter than itself")
    case("ipv4-option-overrun", eth(P_IPV4, ip4(OK4, UDP, udp(53), options=h("07280400"))),
         un("bad-header-length"), "RFC 791: longer than the header")
    case("ipv4-option-cut", eth(P_IPV4, ip4(OK4, UDP, udp(53), options=h("01010183"))),
         un("bad-header-length"), "RFC 791: no length byte")
    case("ipv4-lsrr-length-lie",
         eth(P_IPV4, ip4(OK4, UDP, udp(53), options=lsrr([OK4], length=6))),
         un("bad-header-length"), "RFC 791: half a hop")
    case("ipv4-record-route", eth(P_IPV4, ip4(OK4, UDP, udp(53), options=lsrr([BAD4], 7))),
         good(), "RFC 791: a recorded route steers nothing")
    case("ipv4-cut-header", eth(P_IPV4, FINE4)[:14 + 19], un("truncated"), "19 of 20 bytes")
    case("ipv4-cut-options", eth(P_IPV4, ip4(OK4, UDP, b"", options=b(1) * 8))[:14 + 24],
         un("bad-total-length"), "RFC 791: longer than the frame")


def fragment_cases():
    frag = un("bad-fragment")
    case("frag4-first", eth(P_IPV4, ip4(BAD4, UDP, udp(53, DATA), more=1)), bad(), "RFC 791")
    case("frag4-first-udp-whole", outer(udp(4789, b""), UDP, more=1), good(),
         "the UDP length ends in front of the cut: no tunnel header")
    case("frag4-first-not-8", outer(INNER4[:21], more=1), frag,
         "RFC 791: what follows the last multiple of 8 is not part of a first fragment")
    case("frag4-later", eth(P_IPV4, ip4(BAD4, UDP, DATA, offset=100)), bad(), "RFC 791")
    case("frag4-later-opaque", outer(INNER4, offset=100), good(),
         "contract: inner headers of later fragments are not guessed")
    case("frag4-first-ipip", outer(INNER4, more=1), bad(), "RFC 2003: first fragment of a tunnel")
    case("frag4-first-ipip-long", outer(ip4(BAD4, UDP, DATA, total=1400), more=1), bad(),
         "contract: inner lengths may exceed what is there in a first fragment")
    case("frag4-first-ipip-cut", outer(INNER4[:16], more=1), frag,
         "RFC 7112, RFC 1858: the chain is cut inside the inner header")
    case("frag4-first-vxlan-cut", outer(udp(4789, vxlan(INNER_ETH[:20]), length=1400), UDP, more=1),
         frag, "the chain is cut inside the tunnel")
    case("frag4-first-vxlan", outer(udp(4789, vxlan(INNER_ETH), length=1400), UDP, more=1), bad(),
         "the first fragment holds the inner header")
    case("frag4-inner", outer(ip4(BAD4, UDP, DATA, offset=100)), bad(),
         "RFC 2003: a fragment inside a tunnel")
    case("frag4-first-udp-cut", eth(P_IPV4, ip4(OK4, UDP, udp(4789)[:4], more=1)), frag,
         "RFC 1858: the port lies in the next fragment")
    case("frag4-tiny-tcp", eth(P_IPV4, ip4(OK4, TCP, tcp(8), more=1)), frag,
         "RFC 1858: the TCP flags lie in the next fragment")
    case("frag4-tcp-offset-1", eth(P_IPV4, ip4(OK4, TCP, tcp(), offset=1)), frag,
         "RFC 1858, RFC 3128: overwrites the TCP flags")
    case("frag4-overrun", eth(P_IPV4, ip4(OK4, UDP, bytes(64), offset=8191)), frag,
         "RFC 791: beyond 65,535, the ping of death")
    case("frag6-atomic", outer6(fragment(IPIP, INNER4), FRAGMENT), bad(),
         "RFC 6946: an atomic fragment is ordinary")
    case("frag6-atomic-plain", outer6(fragment(UDP, udp(53)), FRAGMENT), good(OK6),
         "RFC 6946: an atomic fragment is ordinary")
    case("frag6-first", outer6(fragment(IPV6, INNER6 + DATA, more=1), FRAGMENT), bad(BAD6),
         "RFC 8200: first fragment of a tunnel")
    case("frag6-later", outer6(fragment(IPV6, INNER6, offset=100), FRAGMENT), good(OK6),
         "contract: inner headers of later fragments are not guessed")
    case("frag6-no-chain", outer6(fragment(DSTOPTS, option_header(DSTOPTS, b""), more=1),
                                  FRAGMENT), frag,
         "RFC 7112: the first fragment has extension headers only")
    case("frag6-tiny-tcp", outer6(fragment(TCP, tcp(8), more=1), FRAGMENT), frag, "RFC 7112")
    case("frag6-tcp-offset-1", outer6(fragment(TCP, tcp(24), offset=1), FRAGMENT), frag,
         "RFC 5722: overlaps the TCP header")
    case("frag6-overrun", outer6(fragment(UDP, bytes(64), offset=8191), FRAGMENT), frag,
         "RFC 8200: beyond 65,535")
    case("frag6-cut", outer6(fragment(UDP, b"")[:4], FRAGMENT), un("truncated"),
         "RFC 8200: the payload ends inside the fragment header")
    case("frag6-chain-cut-srh", outer6(fragment(ROUTING, srh(UDP, [OK6, OK6], 1)[:16], more=1),
                                       FRAGMENT), frag,
         "RFC 7112: a routing header that goes on in the next fragment")


def exthdr_cases():
    empty = h("0104 0000 0000")
    for name, number, body in (
            ("hopopts", HOP, option_header(IPIP, empty)),
            ("dstopts", DSTOPTS, option_header(IPIP, empty)),
            ("routing-done", ROUTING, routing(IPIP, 4, 0, b(0, 0, 0, 0) + a6(OK6))),
            ("fragment", FRAGMENT, fragment(IPIP, b"")),
            ("ah", AH, ah(IPIP)),
            ("mobility", 135, option_header(IPIP, b"")),
            ("hip", 139, b(IPIP, 4, 1, 0x21) + bytes(36)),
            ("shim6", 140, option_header(IPIP, b""))):
        case("ext-" + name, outer6(body + INNER4, number), bad(),
             "RFC 8200, RFC 7045: 4in6 behind this extension header")
    chain = (option_header(DSTOPTS, b"") + option_header(ROUTING, b"") +
             routing(FRAGMENT, 4, 0, b(0, 0, 0, 0) + a6(OK6)) + fragment(AH, b"") +
             ah(DSTOPTS) + option_header(IPV6, b""))
    case("ext-chain", outer6(chain + INNER6, HOP), bad(BAD6), "RFC 8200: the recommended order")
    case("ext-vxlan", outer6(option_header(UDP, b"") + udp(4789, vxlan(INNER_ETH)), DSTOPTS), bad(),
         "RFC 7348 behind an extension header")
    case("ext-hop-not-first", outer6(option_header(HOP, b"") + option_header(UDP, b"") + udp(53),
                                     DSTOPTS), un("bad-header-order"), "RFC 8200 4.1")
    case("ext-hop-twice", outer6(option_header(HOP, b"") + option_header(UDP, b"") + udp(53), HOP),
         un("bad-header-order"), "RFC 8200 4.1")
    case("ext-8", outer6(option_header(DSTOPTS, b"") * 7 + option_header(IPIP, b"") + INNER4,
                         DSTOPTS), bad(), "eight headers: at the limit")
    case("ext-9", outer6(option_header(DSTOPTS, b"") * 8 + option_header(UDP, b"") + udp(53),
                         DSTOPTS), un("too-many-headers"), "nine headers: over the limit")
    case("ext-1024-bytes", outer6(option_header(IPIP, bytes(1022)) + INNER4, DSTOPTS), bad(),
         "1,024 bytes of headers: at the limit")
    case("ext-1032-bytes", outer6(option_header(UDP, bytes(1030)) + udp(53), DSTOPTS),
         un("too-many-headers"), "1,032 bytes of headers: over the limit")
    case("ext-configured-limit",
         outer6(option_header(DSTOPTS, b"") * 2 + option_header(UDP, b"") + udp(53), DSTOPTS),
         un("too-many-headers"), "[limits] headers = 2", LOOSE)
    case("ext-configured-bytes", outer6(option_header(UDP, bytes(70)) + udp(53), DSTOPTS),
         un("too-many-headers"), "[limits] header-bytes = 64", LOOSE)
    case("ext-overrun", outer6(b(UDP, 20) + bytes(6) + udp(53), DSTOPTS), un("truncated"),
         "RFC 8200: the header goes on behind the payload")
    case("ext-none", outer6(INNER6, NONE), good(OK6),
         "RFC 8200 4.7: what follows no-next-header is ignored")
    case("ext-option-lie", outer6(b(UDP, 0, 1, 9, 0, 0, 0, 0) + udp(53), DSTOPTS),
         un("bad-header-length"), "RFC 8200 4.2: an option longer than its header")
    case("ext-ah-length", outer6(b(UDP, 0) + bytes(6) + udp(53), AH), un("bad-header-length"),
         "RFC 4302 2.2: shorter than its fixed part")
    case("ext-jumbo", outer6(option_header(UDP, h("c204 00011000")) + udp(53), HOP, length=0),
         un("bad-total-length"), "RFC 2675: jumbograms")
    case("ext-jumbo-length", outer6(option_header(UDP, h("c204 00011000")) + udp(53), HOP),
         un("bad-total-length"), "RFC 2675: the jumbo option with a payload length")
    case("ipv6-length-beyond-frame", outer6(udp(53), UDP, length=999), un("bad-total-length"),
         "RFC 8200: longer than the frame")
    case("ipv6-length-0-hides", outer6(INNER6, IPV6, length=0), un("bad-total-length"),
         "RFC 2675: length 0 without a jumbo option, the inner header lies outside the packet")
    case("ipv6-is-ipv4", eth(P_IPV6, INNER4), un("bad-version"), "RFC 2464: 86dd is IPv6")
    case("ipv6-padding", outer6(udp(53), UDP) + INNER6, good(OK6), "padding is no payload")
    case("ipv6-cut-header", eth(P_IPV6, FINE6)[:14 + 39], un("truncated"), "39 of 40 bytes")


def routing_cases():
    def via(body, to=OK6):
        return outer6(body + udp(53), ROUTING, to)
    wrong = un("bad-routing-header")
    case("rh0", via(routing(UDP, 0, 1, bytes(4) + a6(BAD6))), wrong, "RFC 5095: type 0 is banned")
    case("rh0-done", via(routing(UDP, 0, 0, bytes(4) + a6(BAD6))), good(OK6),
         "RFC 5095: Segments Left 0 is skipped")
    case("rh1-nimrod", via(routing(UDP, 1, 1, bytes(4) + a6(OK6))), wrong, "RFC 8200: unknown type")
    case("rh2", via(routing(UDP, 2, 1, bytes(4) + a6(BAD6))), bad(BAD6),
         "RFC 6275: the home address is the final destination")
    case("rh2-two-left", via(routing(UDP, 2, 2, bytes(4) + a6(OK6))), wrong,
         "RFC 6275: Segments Left is 1")
    case("rh2-two-addresses", via(routing(UDP, 2, 1, bytes(4) + a6(OK6) + a6(OK6))), wrong,
         "RFC 6275: one address")
    case("rh3-rpl", via(rpl(UDP, 1, [a6(OK6), a6(BAD6)], 0, 0)), bad(BAD6), "RFC 6554")
    case("rh3-rpl-compressed", via(rpl(UDP, 2, [a6(OK6)[1:], a6(BAD6)[1:]], 1, 1)), bad(BAD6),
         "RFC 6554: elided bytes come from the destination")
    case("rh3-rpl-mixed", via(rpl(UDP, 2, [a6(OK6)[15:], a6(BAD6)[1:]], 15, 1)), bad(BAD6),
         "RFC 6554: the last address is compressed otherwise")
    case("rh3-rpl-too-many-left", via(rpl(UDP, 3, [a6(OK6), a6(OK6)], 0, 0)), wrong, "RFC 6554")
    case("rh4-srh", via(srh(UDP, [BAD6, OK6], 1)), bad(BAD6), "RFC 8754: the last segment")
    case("rh4-srh-middle", via(srh(UDP, [OK6, BAD6, OK6], 2)), bad(BAD6), "RFC 8754: a middle one")
    case("rh4-srh-visited", via(srh(UDP, [OK6, BAD6, BAD6], 1)), bad(BAD6),
         "contract: every listed segment, visited ones too")
    case("rh4-srh-reduced", via(srh(UDP, [BAD6], 1)), bad(BAD6),
         "RFC 8754 4.1.1: a reduced SRH, Segments Left = Last Entry + 1")
    case("rh4-srh-left-lie", via(srh(UDP, [OK6], 2)), wrong, "RFC 8754: beyond Last Entry + 1")
    case("rh4-srh-last-entry-lie", via(srh(UDP, [OK6], 1, last=3)), wrong,
         "RFC 8754: Last Entry is beyond the header")
    case("rh4-srh-hidden-segment", via(srh(UDP, [OK6, BAD6], 1, last=0)), good(OK6),
         "RFC 8754: what follows the segment list is TLVs")
    case("rh4-srh-done", via(srh(UDP, [BAD6], 0)), good(OK6),
         "RFC 8754: Segments Left 0 is skipped")
    case("rh4-srh-mapped", via(srh(UDP, ["::ffff:1.0.0.1", OK6], 1)), un("mapped-address"),
         "RFC 4291: a mapped address as segment")
    case("rh4-srh-6to4", via(srh(UDP, ["2002:100:1::1", OK6], 1)), bad(),
         "RFC 3056: a 6to4 address as segment")
    case("rh4-srh-tunnel", outer6(srh(IPIP, [OK6, OK6], 1) + INNER4, ROUTING), bad(),
         "RFC 8986: 4in6 behind the SRH")
    case("rh4-two", outer6(srh(ROUTING, [OK6, OK6], 1) + srh(UDP, [BAD6, OK6], 1) + udp(53),
                           ROUTING), bad(BAD6), "a second routing header")
    case("rh4-cut", outer6(srh(UDP, [OK6, OK6], 1)[:24], ROUTING), un("truncated"),
         "RFC 8754: the payload ends inside the segment list")
    case("rh5-crh", via(routing(UDP, 5, 1, bytes(4))), wrong, "RFC 9631: CRH-16")
    case("rh253", via(routing(UDP, 253, 1, bytes(4))), wrong, "RFC 4727: experimental type")
    case("rh253-done", via(routing(UDP, 253, 0, bytes(4))), good(OK6),
         "RFC 8200 4.4: unknown type with Segments Left 0 is skipped")


def address_cases():
    def to(address):
        return outer6(udp(53), UDP, address)
    mapped = un("mapped-address")
    case("mapped", to("::ffff:1.0.0.1"), mapped, "RFC 4291: IPv4-mapped on the wire")
    case("mapped-approved", to("::ffff:2.0.0.1"), mapped, "RFC 4291: approved ones too")
    case("compatible", to("::1.0.0.1"), mapped, "RFC 4291: IPv4-compatible on the wire")
    case("compatible-2", to("::2"), mapped, "RFC 4291: ::/96 is IPv4-compatible")
    case("unspecified", to("::"), ("pass", "special", "::"), "RFC 4291: special, not compatible")
    case("loopback", to("::1"), ("pass", "special", "::1"), "RFC 4291: special, not compatible")
    case("siit", to("::ffff:0:100:1"), ("drop", "unknown", "::ffff:0:100:1"),
         "RFC 2765: IPv4-translated is in no data source")
    case("6to4", to("2002:100:1::1"), bad(), "RFC 3056")
    case("6to4-approved", to("2002:200:1::1"), good(), "RFC 3056: the embedded address decides")
    case("6to4-private", to("2002:a00:1::1"), ("pass", "special", "10.0.0.1"),
         "RFC 3056: an embedded private address is special")
    case("6to4-inner", outer(ip6("2002:100:1::1", UDP, udp(53)), IPV6), bad(),
         "RFC 3056: as it travels")
    case("nat64", to("64:ff9b::1.0.0.1"), bad(), "RFC 6052: the well-known prefix")
    case("nat64-approved", to("64:ff9b::2.0.0.1"), good(), "RFC 6052: the well-known prefix")
    case("nat64-local-48", to("64:ff9b:1:100:0:100:200:1"), bad(),
         "RFC 8215: the /48 form is bad, the last 32 bits (2.0.0.1) are approved")
    case("nat64-local-96", to("64:ff9b:1:200:0:100:100:1"), bad(),
         "RFC 8215: the /48 form (2.0.0.1) is approved, the last 32 bits are bad")
    case("nat64-local-approved", to("64:ff9b:1:200:0:100:200:1"), good(), "RFC 8215: both approved")
    case("nat64-configured-96", to("2a00:64::1.0.0.1"), bad(), "RFC 6052: [nat64] prefix /96")
    case("nat64-configured-40", to("2a00:40:1:0:1::"), bad(), "RFC 6052 2.2: [nat64] prefix /40")
    case("teredo-server", to("2001:0:100:1:0:0:fdff:fffe"), bad(),
         "RFC 4380: the server is bad, the client 2.0.0.1")
    case("teredo-client", to("2001:0:200:1:0:0:feff:fffe"), bad(),
         "RFC 4380: the client, XOR ones, is bad")
    case("teredo-approved", to("2001:0:200:1:0:0:fdff:fffe"), good(), "RFC 4380: both approved")
    case("address-source-is-no-destination", outer6(udp(53), UDP, source="2a01::1"), good(OK6),
         "outbound frames are judged by destination")


def ip_tunnel_cases():
    case("ipip", outer(INNER4), bad(), "RFC 2003")
    case("6in4", outer(INNER6, IPV6), bad(BAD6), "RFC 4213")
    case("4in6", outer6(INNER4, IPIP), bad(), "RFC 2473")
    case("6in6", outer6(INNER6), bad(BAD6), "RFC 2473")
    case("ipip-is-6", outer(INNER6), un("bad-version"), "RFC 2003: protocol 4 is IPv4")
    case("6in4-is-4", outer(INNER4, IPV6), un("bad-version"), "RFC 4213: protocol 41 is IPv6")
    case("ipip-cut", outer(INNER4[:12]), un("truncated"), "RFC 2003: 12 of 20 bytes")
    case("ipip-length-lie", outer(ip4(OK4, UDP, udp(53), total=999)), un("bad-total-length"),
         "RFC 2003: the inner datagram is longer than the outer one")
    case("ipip-ihl", outer(ip4(OK4, UDP, udp(53), ihl=3)), un("bad-header-length"), "RFC 2003")
    case("etherip", outer(h("3000") + INNER_ETH, ETHERIP), bad(), "RFC 3378")
    case("etherip-version", outer(h("2000") + INNER_ETH, ETHERIP), un("bad-encapsulation"),
         "RFC 3378: version 3")
    case("mpls-in-ip", outer(mpls(2, INNER4), MPLS), bad(), "RFC 4023")
    case("srv6-l2", outer6(srh(ETHERNET, [OK6, OK6], 1) + INNER_ETH6, ROUTING), bad(BAD6),
         "RFC 8986: next header 143 is Ethernet")
    case("ah-ipip", outer(ah(IPIP) + INNER4, AH), bad(), "RFC 4302: AH does not encrypt")
    case("esp", outer(h("00000100 00000001") + DATA, ESP), good(), "RFC 4303: opaque, outer only")
    case("esp-action", outer(h("00000100 00000001") + DATA, ESP),
         ("mirror", "opaque-tunnel", "-"), "opaque-tunnel = mirror", STRICT)
    case("esp-action-drop", outer6(h("00000100 00000001") + DATA, ESP),
         ("drop+mirror", "opaque-tunnel", "-"), "opaque-tunnel = drop+mirror", LOOSE)
    case("ipcomp-action", outer(h("04000002") + DATA, 108), ("mirror", "opaque-tunnel", "-"),
         "RFC 3173: IPComp is opaque", STRICT)
    case("l2tp-ip-action", outer(h("00000001") + DATA, 115), ("mirror", "opaque-tunnel", "-"),
         "RFC 3931: L2TPv3 over IP is opaque", STRICT)
    for name, number, note in (("minimal", 55, "RFC 2004"), ("ipip-94", 94, "KA9Q"),
                               ("encap", 98, "RFC 1241")):
        hidden = outer(b(UDP, 0, 0, 0) + a4(BAD4) + udp(53, DATA), number)
        case("opaque-" + name, hidden, good(),
             note + ": a tunnel that we do not look into is opaque, outer only")
        case("opaque-%s-action" % name, hidden, ("mirror", "opaque-tunnel", "-"),
             note + ": opaque-tunnel = mirror", STRICT)
    case("ip-protocol-253", outer(INNER4, 253), good(),
         "RFC 3692: an experimental protocol is no tunnel we know, outer only")
    case("pim-register", outer(h("21000000 00000000") + INNER4, 103), good(),
         "RFC 7761: PIM register, outer only by contract")


def gre_cases():
    case("gre-ipv4", outer(gre(P_IPV4, INNER4), GRE), bad(), "RFC 2784")
    case("gre-ipv6", outer(gre(P_IPV6, INNER6), GRE), bad(BAD6), "RFC 7676")
    case("gre-checksum", outer(gre(P_IPV4, INNER4, check=True), GRE), bad(), "RFC 2784: C")
    case("gre-key", outer(gre(P_IPV4, INNER4, key=7), GRE), bad(), "RFC 2890: K")
    case("gre-sequence", outer(gre(P_IPV4, INNER4, sequence=7), GRE), bad(), "RFC 2890: S")
    case("gre-all", outer(gre(P_IPV6, INNER6, key=1, sequence=2, check=True), GRE), bad(BAD6),
         "RFC 2890: C, K and S")
    case("gre-routing", outer(gre(P_IPV4, FINE4, flags=0x4000), GRE), un("bad-encapsulation"),
         "RFC 1701: source routing, to be discarded by RFC 2784 2.3")
    case("gre-version-1", outer(gre(0x880B, h("ff03 0021") + INNER4, key=1, version=1), GRE),
         good(), "RFC 2637: PPTP is opaque, outer only")
    case("gre-version-1-action", outer(gre(0x880B, INNER4, key=1, version=1), GRE),
         ("mirror", "opaque-tunnel", "-"), "RFC 2637: opaque-tunnel = mirror", STRICT)
    case("gre-unknown-protocol", outer(gre(0x883E, INNER4), GRE), good(),
         "contract: a GRE protocol that we do not know is opaque, outer only")
    case("gre-unknown-protocol-action", outer(gre(0x883E, INNER4), GRE),
         ("mirror", "opaque-tunnel", "-"), "WCCP, opaque-tunnel = mirror", STRICT)
    case("gre-teb", outer(gre(P_TEB, INNER_ETH), GRE), bad(), "RFC 7637: Ethernet without a key")
    case("nvgre", outer(gre(P_TEB, INNER_ETH6, key=0x100), GRE), bad(BAD6), "RFC 7637")
    case("gre-mpls", outer(gre(P_MPLS, mpls(1, INNER4)), GRE), bad(), "RFC 4023")
    case("gre-wrong-version", outer(gre(P_IPV4, INNER6), GRE), un("bad-version"),
         "RFC 2784: the protocol says IPv4")
    case("gre-cut", outer(gre(P_IPV4, b"", key=1)[:6], GRE), un("truncated"),
         "RFC 2890: the key is cut")
    case("gre-in-ipv6", outer6(gre(P_IPV4, INNER4), GRE), bad(), "RFC 7676")
    case("erspan-1", outer(gre(0x88BE, INNER_ETH), GRE), bad(), "ERSPAN type I: no header")
    case("erspan-2", outer(gre(0x88BE, erspan2(INNER_ETH), sequence=1), GRE), bad(),
         "ERSPAN type II")
    case("erspan-3", outer(gre(0x22EB, erspan3(INNER_ETH), sequence=1), GRE), bad(),
         "ERSPAN type III")
    case("erspan-3-subheader", outer(gre(0x22EB, erspan3(INNER_ETH6, True), sequence=1), GRE),
         bad(BAD6), "ERSPAN type III with the platform sub-header")
    case("erspan-3-ip", outer(gre(0x22EB, erspan3(INNER4, kind=2), sequence=1), GRE), bad(),
         "ERSPAN type III: frame type 2 is IP")
    case("erspan-3-frame-type", outer(gre(0x22EB, erspan3(FINE4, kind=5), sequence=1), GRE),
         un("bad-encapsulation"), "ERSPAN type III: an unknown frame type")
    case("erspan-2-version", outer(gre(0x88BE, h("f000") + erspan2(INNER_ETH)[2:], sequence=1),
                                   GRE), un("bad-encapsulation"), "ERSPAN type II is version 1")
    case("gre-version-2", outer(gre(P_IPV4, INNER4, version=2), GRE), un("bad-encapsulation"),
         "RFC 2784: an unknown version")
    case("gre-reserved-bits", outer(gre(P_IPV4, INNER4, flags=0x03F8), GRE), bad(),
         "RFC 2784 2.3: bits 6 to 12 are ignored on receipt")
    case("gre-in-udp", in_udp(4754, gre(P_IPV4, INNER4, key=1)), bad(), "RFC 8086")
    case("gre-in-udp-invalid", in_udp(4754, h("ffff ffff") + INNER4), good(),
         "contract: no valid GRE header, the outer verdict stands")


def udp_tunnel_cases():
    case("vxlan", in_udp(4789, vxlan(INNER_ETH)), bad(), "RFC 7348")
    case("vxlan-8472", in_udp(8472, vxlan(INNER_ETH6)), bad(BAD6), "the port of Linux")
    case("vxlan-reserved", in_udp(4789, vxlan(INNER_ETH, 0xFF, h("ffffff"), 255)), bad(),
         "RFC 7348: reserved fields are ignored on receipt")
    case("vxlan-no-i-flag", in_udp(4789, vxlan(INNER_ETH, 0)), good(),
         "RFC 7348: not valid, the outer verdict stands")
    case("vxlan-short", in_udp(4789, vxlan(b"")[:4]), good(),
         "RFC 7348: not valid, the outer verdict stands")
    case("vxlan-64-tags", in_udp(4789, vxlan(tags([0x8100] * 64, P_IPV4, INNER4))),
         un("too-many-tags"), "contract: once valid, what is wrong behind it is unparsable")
    case("vxlan-unknown-ethertype", in_udp(4789, vxlan(eth(0x88B5, INNER4))),
         un("unknown-ethertype"), "contract: once valid, what is wrong behind it is unparsable")
    case("vxlan-cut", in_udp(4789, vxlan(INNER_ETH[:13])), un("truncated"),
         "RFC 7348: the inner Ethernet header is cut")
    case("vxlan-arp", in_udp(4789, vxlan(eth(P_ARP, bytes(28)))), good(),
         "the tunnel's address is judged, ARP has none")
    case("vxlan-source-port", in_udp(53, vxlan(INNER_ETH), source=4789), good(),
         "contract: tunnels are known by their destination port")
    case("vxlan-configured-port", in_udp(12345, vxlan(INNER_ETH)), bad(), "[ports] vxlan = 12345",
         LOOSE)
    case("vxlan-checksum-zero-ipv6", outer6(udp(4789, vxlan(INNER_ETH)), UDP), bad(), "RFC 6935")
    case("vxlan-qinq", in_udp(4789, vxlan(tags([0x88A8, 0x8100], P_IPV6, INNER6))), bad(BAD6),
         "inner tags")
    case("udp-length-beyond", in_udp(4789, vxlan(INNER_ETH), length=999), un("bad-total-length"),
         "RFC 768: in front of a tunnel")
    case("udp-length-short", in_udp(4789, vxlan(INNER_ETH), length=16), un("truncated"),
         "RFC 768: the inner frame lies outside the datagram")
    case("udp-length-7", in_udp(4789, vxlan(INNER_ETH), length=7), un("bad-total-length"),
         "RFC 768: shorter than its header")
    case("udp-length-no-tunnel", in_udp(53, DATA, length=999), good(),
         "contract: only in front of a tunnel")
    case("udp-cut", eth(P_IPV4, ip4(OK4, UDP, udp(4789)[:6])), un("truncated"),
         "RFC 768: 6 of 8 bytes")
    case("udp-padding-hides", in_udp(4789, b"") + vxlan(INNER_ETH), good(),
         "padding is no payload: there is no tunnel header")
    for name, following, inner, want in (
            ("ipv4", 1, INNER4, bad()), ("ipv6", 2, INNER6, bad(BAD6)),
            ("ethernet", 3, INNER_ETH, bad()), ("mpls", 5, mpls(1, INNER4), bad())):
        case("gpe-" + name, in_udp(4790, gpe(following, inner)), want, "draft-ietf-nvo3-vxlan-gpe")
    case("gpe-nsh", in_udp(4790, gpe(4, h("0fc60103 00000100") + bytes(16) + INNER4)), good(),
         "RFC 8300: NSH is opaque, outer only")
    case("gpe-nsh-action", in_udp(4790, gpe(4, h("0fc60103 00000100") + bytes(16) + INNER4)),
         ("mirror", "opaque-tunnel", "-"), "RFC 8300: opaque-tunnel = mirror", STRICT)
    case("gpe-unknown", in_udp(4790, gpe(77, INNER4)), un("bad-encapsulation"),
         "a valid header, an unknown next protocol")
    case("gpe-no-p-flag", in_udp(4790, gpe(0, INNER_ETH, 0x08)), bad(),
         "draft-ietf-nvo3-vxlan-gpe 3.2: without the P bit the payload is Ethernet")
    case("gpe-on-vxlan-port", in_udp(4789, gpe(1, INNER4)), un("bad-total-length"),
         "IPv4 where RFC 7348 has Ethernet: reads as an 802.3 length that lies")
    case("geneve", in_udp(6081, geneve(P_TEB, INNER_ETH)), bad(), "RFC 8926")
    case("geneve-options", in_udp(6081, geneve(P_IPV4, INNER4, h("0101 0002 00000000 00000000"))),
         bad(), "RFC 8926: options shift the payload")
    case("geneve-options-max", in_udp(6081, geneve(P_IPV6, INNER6, bytes(252))), bad(BAD6),
         "RFC 8926: 252 bytes of options")
    case("geneve-option-overrun", in_udp(6081, geneve(P_IPV4, INNER4, n_options=63)), good(),
         "RFC 8926: not a valid header (options beyond the datagram), the outer verdict stands")
    case("geneve-version", in_udp(6081, geneve(P_IPV4, INNER4, version=1)), good(),
         "RFC 8926: not valid, the outer verdict stands")
    case("geneve-unknown", in_udp(6081, geneve(0x88B5, INNER4)), un("bad-encapsulation"),
         "RFC 8926: an unknown protocol behind a valid header")
    case("geneve-control", in_udp(6081, geneve(P_IPV4, INNER4, flags=0x80)), bad(),
         "RFC 8926: a control packet still carries a payload")
    case("mpls-in-udp", in_udp(6635, mpls(2, INNER4)), bad(), "RFC 7510")
    case("mpls-in-udp-over", in_udp(6635, mpls(20, FINE4)), un("too-many-labels"), "RFC 7510")


def gtp_cases():
    case("gtpu", in_udp(2152, gtp(INNER4)), bad(), "3GPP TS 29.281")
    case("gtpu-ipv6", in_udp(2152, gtp(INNER6)), bad(BAD6), "3GPP TS 29.281")
    case("gtpu-sequence", in_udp(2152, gtp(INNER4, 0x32, optional=h("00010000"))), bad(),
         "3GPP TS 29.281: S, four more bytes")
    case("gtpu-npdu", in_udp(2152, gtp(INNER4, 0x31, optional=h("00000100"))), bad(),
         "3GPP TS 29.281: PN, four more bytes")
    case("gtpu-extension", in_udp(2152, gtp(INNER4, 0x34, optional=h("00000085 01100500"))), bad(),
         "3GPP TS 38.415: PDU session container")
    case("gtpu-extensions", in_udp(2152, gtp(INNER6, 0x34, optional=h(
        "00000085 01100585 01100540 020000000000 0000"))), bad(BAD6),
         "3GPP TS 29.281: a chain of extension headers")
    case("gtpu-flag-without-extension", in_udp(2152, gtp(INNER4, 0x34, optional=h("00000000"))),
         bad(), "3GPP TS 29.281: E with no extension header")
    case("gtpu-extension-length-0", in_udp(2152, gtp(FINE4, 0x34, optional=h(
        "00000085 00000085"))), un("bad-encapsulation"),
         "3GPP TS 29.281: an extension header of length 0 never ends")
    case("gtpu-echo", in_udp(2152, gtp(INNER4, 0x32, kind=1, optional=h("00010000"))), good(),
         "3GPP TS 29.281: a signalling message carries no packet")
    case("gtpu-prime", in_udp(2152, gtp(INNER4, 0x20)), good(),
         "3GPP TS 32.295: GTP' is not valid here, the outer verdict stands")
    case("gtpu-version", in_udp(2152, gtp(INNER4, 0x50)), good(),
         "3GPP TS 29.281: version 1 only, the outer verdict stands")
    case("gtpu-length-lie", in_udp(2152, gtp(FINE4, length=999)), un("bad-total-length"),
         "3GPP TS 29.281: longer than the datagram")
    case("gtpu-payload", in_udp(2152, gtp(h("f0" * 30))), un("bad-encapsulation"),
         "3GPP TS 29.281: neither IPv4 nor IPv6 behind a valid header")


def teredo_cases():
    case("teredo", in_udp(3544, INNER6), bad(BAD6), "RFC 4380")
    case("teredo-source-port", in_udp(50000, INNER6, source=3544), bad(BAD6),
         "RFC 4380: either side")
    case("teredo-origin", in_udp(3544, h("0000 0000 00000000") + INNER6), bad(BAD6),
         "RFC 4380 5.1.1: origin indication")
    case("teredo-auth", in_udp(3544, h("0001 00 00") + bytes(9) + INNER6), bad(BAD6),
         "RFC 4380 5.1.1: authentication")
    case("teredo-auth-long", in_udp(3544, h("0001 04 08") + bytes(12 + 9) + INNER6), bad(BAD6),
         "RFC 4380 5.1.1: authentication with identifier and value")
    case("teredo-auth-origin", in_udp(3544, h("0001 00 00") + bytes(9) + bytes(8) + INNER6),
         bad(BAD6), "RFC 4380 5.1.1: authentication, then origin")
    case("teredo-invalid", in_udp(3544, INNER4), good(),
         "RFC 4380: not valid, the outer verdict stands")


def opaque_cases():
    for name, port in (("openvpn", 1194), ("l2tp", 1701), ("lisp", 4341), ("nat-t", 4500),
                       ("wireguard", 51820)):
        case("opaque-" + name, in_udp(port, h("01000000") + INNER4), good(),
             "contract: opaque, outer only")
        case("opaque-%s-action" % name, in_udp(port, h("01000000") + INNER4),
             ("mirror", "opaque-tunnel", "-"), "opaque-tunnel = mirror", STRICT)
    case("opaque-bad-outer", eth(P_IPV4, ip4(BAD4, UDP, udp(51820, DATA))),
         ("drop+mirror", "country", BAD4), "the outer address is judged, the action is added",
         STRICT)
    case("opaque-unparsable", outer(gre(P_IPV4, outer(DATA, ESP, total=999)[14:]), GRE),
         un("bad-total-length"), "unparsable wins over opaque-tunnel", STRICT)


def nested(n, inner=INNER4):
    for _ in range(n):
        inner = ip4(OK4, IPIP, inner)
    return eth(P_IPV4, inner)


def depth_cases():
    case("nested-4", nested(4), bad(), "four tunnels: at the limit")
    case("nested-5", nested(5, FINE4), un("too-deep"), "five tunnels: over the limit")
    case("nested-64", nested(64), un("too-deep"), "64 tunnels")
    case("nested-configured-limit", nested(2, FINE4), un("too-deep"), "[limits] depth = 1", LOOSE)
    teredo = ip4(OK4, UDP, udp(3544, ip6(OK6, IPIP, INNER4)))
    case("nested-mixed", tags([0x88A8, 0x8100], P_MPLS, mpls(2, ip4(OK4, GRE, gre(
        P_IPV6, ip6(OK6, UDP, udp(4789, vxlan(eth(P_IPV4, INNER4)))), key=1)))), bad(),
         "tags, labels, GRE, IPv6, VXLAN")
    case("nested-gtp-gre-teredo", in_udp(2152, gtp(ip4(OK4, GRE, gre(P_IPV4, teredo)))), bad(),
         "GTP-U, GRE, Teredo, 4in6: four tunnels")
    case("nested-over-mixed", in_udp(4789, vxlan(eth(P_IPV4, ip4(OK4, UDP, udp(2152, gtp(ip4(
        OK4, GRE, gre(P_IPV4, teredo)))))))), un("too-deep"),
         "VXLAN, GTP-U, GRE, Teredo, 4in6: five tunnels")
    case("nested-6to4-in-teredo", in_udp(3544, ip6("2002:100:1::1", UDP, udp(53))), bad(),
         "an embedded address inside a tunnel")
    case("nested-etherip-pppoe", outer(h("3000") + eth(0x8864, pppoe(0x57, INNER6)), ETHERIP),
         bad(BAD6), "PPPoE inside EtherIP")
    case("nested-mpls-cw-pbb", eth(P_MPLS, mpls(1, bytes(4) + eth(0x88E7, pbb(INNER4)))), bad(),
         "802.1ah inside a pseudowire")
    case("nested-unparsable-wins", outer(ip4(BAD4, GRE, gre(P_IPV4, ip4(OK4, UDP, udp(53),
                                                                         total=999)))),
         un("bad-total-length"), "unparsable wins over a bad address")


def cut_cases():
    """Frames too short, and captures that cut a frame."""
    case("cut-ethernet", eth(P_IPV4)[:13], un("truncated"), "13 of 14 bytes")
    case("cut-ethernet-1", b"\x02", un("truncated"), "one byte")
    case("cut-nothing", eth(P_IPV4), un("truncated"), "no IP header at all")
    long4 = ip4(OK4, TCP, tcp() + bytes(400))
    case("snap-payload", eth(P_IPV4, long4)[:54], good(), "all that is judged was captured",
         wire=14 + len(long4))
    case("snap-ipv4-header", eth(P_IPV4, long4)[:30], un("truncated"),
         "the destination was cut off by the capture", wire=14 + len(long4))
    case("snap-tunnel", nested(1, ip4(BAD4, UDP, bytes(400)))[:50], un("truncated"),
         "the inner destination was cut off by the capture", wire=14 + 20 + 20 + 400)
    case("snap-udp-header", in_udp(4789, vxlan(INNER_ETH))[:36], un("truncated"),
         "whether it is a tunnel was cut off by the capture", wire=14 + 20 + 8 + 8 + len(INNER_ETH))
    case("snap-vxlan-header", in_udp(4789, vxlan(INNER_ETH))[:44], un("truncated"),
         "the tunnel's header was cut off by the capture", wire=14 + 20 + 8 + 8 + len(INNER_ETH))
    case("snap-tcp-header", eth(P_IPV4, long4)[:36], good(), "nothing in TCP is judged",
         wire=14 + len(long4))
    case("snap-srh", outer6(srh(UDP, [BAD6, OK6], 1) + udp(53), ROUTING)[:70], un("truncated"),
         "segments were cut off by the capture", wire=14 + 40 + 40 + 8)
    case("snap-length-lie", eth(P_IPV4, ip4(OK4, TCP, tcp() + bytes(400), total=999))[:54],
         un("bad-total-length"), "longer than the frame was on the wire", wire=14 + 440)


def all_cases():
    for group in (plain_cases, tag_cases, llc_cases, mpls_cases, pppoe_cases, non_ip_cases,
                  ip4_cases, fragment_cases, exthdr_cases, routing_cases, address_cases,
                  ip_tunnel_cases, gre_cases, udp_tunnel_cases, gtp_cases, teredo_cases,
                  opaque_cases, depth_cases, cut_cases):
        group()
    return CASES
