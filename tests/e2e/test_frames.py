#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Frames leave bit for bit as they came: tags, padding, checksums, MAC addresses, any length."""
import random

from e2e import (CN, DE, IE, IE6, Daemon, Network, Sniffer, addresses_of, arp, check, equal,
                 ethernet, frame4, frame6, ip4, lldp, main, read_pcap, udp, until, write_pcap)


def approved(mtu):
    """Approved frames, each unlike the others; the outermost tag is never 88a8 (see below)."""
    noise = random.Random(7)
    padded = frame4(IE, ident=2)
    frames = [
        frame4(IE), frame6(IE6), arp(), lldp(),
        padded + bytes(60 - len(padded)),
        padded + noise.randbytes(32),  # padding that is not zero
        frame4(IE, options=bytes.fromhex("94040000"), ident=3),
        ethernet(0x0800, ip4(IE, ident=5), dst=bytes.fromhex("02aabbccddee"),
                 src=bytes.fromhex("f2fedcba9876")),
        ethernet(0x0800, ip4(IE, ident=6)[:10] + b"\xde\xad" + ip4(IE, ident=6)[12:]),
        ethernet(0x0800, ip4(IE, ident=7), tags=[(0x8100, 42)]),
        ethernet(0x0800, ip4(IE, ident=8), tags=[(0x8100, 0xF000)]),  # priority only
        ethernet(0x86DD, frame6(IE6)[14:], tags=[(0x8100, 0x3001), (0x8100, 4094)]),
        ethernet(0x0800, ip4(IE, ident=9), tags=[(0x8100, 1), (0x88A8, 2), (0x8100, 3),
                                                 (0x9100, 4)]),
        ethernet(0x0800, ip4(IE, ident=10), tags=[(0x9100, 7), (0x8100, 8)]),
    ]
    for size in (0, 1, 17, 18, 19, 512, mtu - 28):
        frames.append(frame4(DE, udp(noise.randbytes(size)), ident=100 + size))
    frames.append(ethernet(0x0800, ip4(DE, udp(noise.randbytes(mtu - 28))), tags=[(0x8100, 9)]))
    equal(len(set(frames)), len(frames), "distinct frames")
    return frames


def beyond_af_packet():
    """What net_af_packet of DPDK 22.11 changes, and real NICs and net_pcap do not."""
    noise = random.Random(8)
    return [
        frame4(IE, fragment=0x2000, payload=noise.randbytes(1200), ident=4),
        frame4(IE, fragment=150, payload=noise.randbytes(77), ident=4),
        frame4(IE, fragment=0x2001, payload=noise.randbytes(80), ident=5),  # never completed
        ethernet(0x0800, ip4(IE), tags=[(0x88A8, 5), (0x8100, 6)]),
        ethernet(0x0800, ip4(IE), tags=[(0x88A8, 0), (0x88A8, 1), (0x9200, 2), (0x9300, 3)]),
    ]


def compare(got, want, what):
    equal(len(got), len(want), f"frames {what}")
    for i, (a, b) in enumerate(zip(got, want)):
        if a != b:
            check(False, f"frame {i} {what} differs:\n  sent {b.hex()}\n  came {a.hex()}\n")


def cross(mtu):
    frames = approved(mtu)
    with Network(hosts=False, mtu=mtu), Daemon(mtu=mtu) as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        inside.send(*frames)
        compare(outside.take(len(frames)), frames, "outbound")
        back = [f[6:12] + f[:6] + f[12:] for f in frames]
        outside.send(*back)
        compare(inside.take(len(back)), back, "inbound")
        d.counted(2 * len(frames))
        equal((inside.poll(), outside.poll()), ([], []), "frames that nobody sent")
        c = d.counters()
        equal(c["rx"]["bytes"], 2 * sum(map(len, frames)), "bytes, as on the wire")
        equal(c["dropped"]["packets"], 0, "dropped")


def test_bit_for_bit():
    cross(1500)


def test_bit_for_bit_jumbo():
    cross(9000)


def test_inbound_pass_forwards_what_cannot_be_parsed():
    frames = [ethernet(0x0800, b"\x45"), ethernet(0x1234, b"?" * 50), bytes(range(14)),
              frame4("10.77.0.1", src=CN)]
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        outside.send(*frames)
        compare(inside.take(len(frames)), frames, "inbound")
        c = d.counted(len(frames))
        equal(c["reasons"]["inbound"]["forwarded"], len(frames), "reason inbound")
        equal(c["inbound"]["CN"]["packets"], 1, "inbound from CN")


def test_limits_of_af_packet():
    """The kernel hands net_af_packet (DPDK 22.11) the outermost tag beside the frame, and the
    driver puts it back as 8100; and it asks the kernel to put IPv4 fragments together. What comes
    out of that is judged as usual."""
    tagged = ethernet(0x0800, ip4(IE), tags=[(0x88A8, 0x6005), (0x8100, 6)])
    halves = [(0x2000, bytes(range(80))), (10, bytes(range(40)))]
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        inside.send(tagged)
        got = outside.take(1)[0]
        check(got in (tagged[:12] + b"\x81\x00" + tagged[14:], tagged),
              "only the tag's type may change:", got.hex())
        for address in (CN, IE):
            inside.send(*[frame4(address, data, fragment=offset) for offset, data in halves])
        whole = b"".join(data for _, data in halves)
        until("the datagram", lambda: b"".join(
            f[34:] for f in outside.poll()) == whole)
        equal({addresses_of(f) for f in outside.frames}, {IE}, "destinations outside")
        c = d.counters()
        equal(c["countries"]["CN"]["dropped"], c["countries"]["CN"]["packets"], "CN: all dropped")


def test_bit_for_bit_by_libpcap():
    """The same wire through net_pcap: tags of all types and fragments stay as they are."""
    frames = approved(1500) + beyond_af_packet()
    vdevs = ["net_pcap0,iface=in0", "net_pcap1,iface=out0"]
    with Network(hosts=False), Daemon(vdevs=vdevs) as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        inside.send(*frames)
        compare(outside.take(len(frames)), frames, "outbound")
        d.counted(len(frames))
        equal(inside.poll(), [], "frames that turned back")


def through_files(frames, mtu):
    """A wire between capture files: no kernel in between, so nothing at all may change."""
    source, nothing = write_pcap("source.pcap", frames), write_pcap("nothing.pcap", [])
    sinks = ["/run/e2e/sink-in.pcap", "/run/e2e/sink-out.pcap"]
    vdevs = [f"net_pcap0,rx_pcap={source},tx_pcap={sinks[0]}",
             f"net_pcap1,rx_pcap={nothing},tx_pcap={sinks[1]}"]
    with Daemon(vdevs=vdevs, mtu=mtu) as d:
        c = d.counted(len(frames))
        equal(d.stop(), 0, "exit code")
    equal(read_pcap(sinks[0]), [], "frames that turned back")
    return [data for _, data in read_pcap(sinks[1])], c


def test_bit_for_bit_through_files():
    noise = random.Random(9)
    frames = approved(9000) + beyond_af_packet()
    refused = [frame4(CN), ethernet(0x0800, b"\x45"), frame4(CN, udp(noise.randbytes(8000)))]
    mixed = [f for pair in zip(frames, refused * len(frames)) for f in pair]
    got, c = through_files(mixed, 9000)
    compare(got, frames, "through files")
    equal(c["dropped"]["packets"], len(frames), "dropped")


def test_frames_of_many_segments():
    """Buffers of 2 KiB and frames of 9: chains of segments are parsed and sent whole."""
    noise = random.Random(11)
    frames = [frame4(IE, udp(noise.randbytes(size))) for size in (2000, 2100, 4096, 8972)]
    frames.append(ethernet(0x0800, ip4(IE, udp(noise.randbytes(5000))), tags=[(0x8100, 1)] * 4))
    got, _ = through_files(frames + [frame4(CN, udp(noise.randbytes(6000)))], 1500)
    compare(got, frames, "in segments")


main()
