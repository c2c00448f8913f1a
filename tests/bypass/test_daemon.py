#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The bypass corpus through the running daemon: each frame is counted under the reason that
expected.tsv says, and leaves on the outside only if it may.

Once over veth and net_af_packet, one frame after the other, and once through net_pcap from files,
which carries what AF_PACKET cannot. By hand: tests/bypass/test_daemon.py BUILD_DIR [TEST...]
"""
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", name) for name in ("oracle", "e2e")]
import capture  # noqa: E402: found through the line above
import e2e  # noqa: E402
import replay  # noqa: E402

ETHERNET_SIZE = 14


class Case:
    def __init__(self, row):
        self.name, number, self.policy, self.verdict, self.reason, _, _ = row
        path = os.path.join(replay.CORPUS, self.name + ".pcap")
        _, self.frame, self.wire = capture.read(path)[int(number) - 1]

    @property
    def is_forwarded(self):
        return not self.verdict.startswith("drop")

    def not_by_any(self):
        """Why no daemon can see this frame as the capture has it, or None."""
        if len(self.frame) < self.wire:
            return "a capture cut it: on a wire it is whole"
        return None

    def not_by_packet_socket(self):
        """Why a packet socket and net_af_packet cannot carry it, or None."""
        if self.not_by_any():
            return self.not_by_any()
        if len(self.frame) < ETHERNET_SIZE:
            return "a packet socket sends no frame without an Ethernet header"
        kind = self.frame[12:14]
        if kind in (b"\x81\x00", b"\x88\xa8") and len(self.frame) < 18:
            return "the kernel drops a frame with half a tag"
        if kind == b"\x08\x00" and len(self.frame) >= 34 and \
                struct.unpack_from("!H", self.frame, 20)[0] & 0x3FFF:
            return "net_af_packet has the kernel put fragments together"
        return None


def cases_by_policy():
    cases = {}
    for row in replay.read_rows(os.path.join(replay.CORPUS, "expected.tsv"), 7):
        cases.setdefault(row[2], []).append(Case(row))
    return cases


def carried(cases, why_not):
    """The cases that can be carried; the others are listed with the reason."""
    for case in cases:
        if why_not(case):
            print(f"skipped frame {case.name}: {why_not(case)}")
    return [case for case in cases if not why_not(case)]


def daemon(policy, **options):
    with open(os.path.join(replay.CORPUS, policy), encoding="utf-8") as f:
        text = f.read()
    table = replay.build_table(e2e.program("trefoil-geo"), e2e.WORK)
    return e2e.Daemon(policy=text, settings={"appliance.geo_table": table}, **options)


def reasons(counters):
    return {name: (r["forwarded"], r["dropped"]) for name, r in counters["reasons"].items()
            if r["forwarded"] or r["dropped"]}


def add(counts, case):
    forwarded, dropped = counts.get(case.reason, (0, 0))
    is_forwarded = case.is_forwarded
    return {**counts, case.reason: (forwarded + is_forwarded, dropped + (not is_forwarded))}


def same_but_for_the_tag(got, want):
    """net_af_packet gives the outermost tag back as 8100 (see tests/e2e/test_frames.py)."""
    return got == want or (want[12:14] == b"\x88\xa8" and
                           got == want[:12] + b"\x81\x00" + want[14:])


def one_by_one(policy, cases):
    n_wrong, counts = 0, {}
    with e2e.Network(hosts=False), daemon(policy) as d, e2e.Sniffer("inside") as inside, \
            e2e.Sniffer("outside") as outside:
        for i, case in enumerate(cases, 1):
            inside.send(case.frame)
            got = reasons(d.counted(i))
            want = add(counts, case)
            if got != want:
                n_wrong += 1
                print(f"{case.name}: want {case.verdict} {case.reason}, got " + ", ".join(
                    name for name in got if got[name] != counts.get(name)))
            counts = got
        want = [case for case in cases if case.is_forwarded]
        frames = outside.take(len(want))
        e2e.equal(outside.poll(), [], "frames outside that should not be there")
        e2e.equal(inside.poll(), [], "frames that turned back")
        for case, frame in zip(want, frames):
            if not same_but_for_the_tag(frame, case.frame):
                n_wrong += 1
                print(f"{case.name}: sent {case.frame.hex()}, came {frame.hex()}")
    return n_wrong


def through_files(policy, cases):
    source = e2e.write_pcap("source.pcap", [case.frame for case in cases])
    nothing = e2e.write_pcap("nothing.pcap", [])
    sinks = [os.path.join(e2e.WORK, name) for name in ("sink-in.pcap", "sink-out.pcap")]
    vdevs = [f"net_pcap0,rx_pcap={source},tx_pcap={sinks[0]}",
             f"net_pcap1,rx_pcap={nothing},tx_pcap={sinks[1]}"]
    with daemon(policy, vdevs=vdevs) as d:
        counters = d.counted(len(cases))
        e2e.equal(d.stop(), 0, "exit code")
    want = {}
    for case in cases:
        want = add(want, case)
    e2e.equal(reasons(counters), want, "forwarded and dropped by reason")
    e2e.equal([frame for _, frame in e2e.read_pcap(sinks[1])],
              [case.frame for case in cases if case.is_forwarded], "frames outside")


def test_one_by_one_over_veth():
    n = n_wrong = 0
    for policy, cases in cases_by_policy().items():
        cases = carried(cases, Case.not_by_packet_socket)
        n_wrong += one_by_one(policy, cases)
        n += len(cases)
    print(f"{n} frames over veth, {n_wrong} wrong")
    e2e.equal(n_wrong, 0, "frames that the daemon judged otherwise")


def test_all_through_files():
    for policy, cases in cases_by_policy().items():
        cases = carried(cases, Case.not_by_any)
        through_files(policy, cases)
        print(f"{len(cases)} frames through files by {policy}")


if __name__ == "__main__":
    e2e.main()
