#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What tests/bench/peers works out beside measuring: prefixes, destinations, captures, ratios."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
from peerlib import figures, l3fwd
from peerlib.programs import Skip
from peerlib.table import BITS, Table, complement, merge, prefixes
from peerlib.traffic import IMIX, SHAPES, Shape, Traffic

BUILD = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else sys.exit("usage: BUILD_DIR")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COUNTRIES = {
    "4.csv": "8.8.8.0,8.8.8.255,US\n20.4.0.0,20.4.255.255,CN\n20.1.0.3,20.1.9.9,IE\n"
             "192.168.0.0,192.168.255.255,AU\n20.6.0.0,20.6.0.255,BR\n",
    "6.csv": "2a01:1::,2a01:1::ffff,IE\n2a01:4::,2a01:4:0:ffff::,CN\n2002::,2002:ffff::,US\n",
}


def program(name):
    return os.path.join(BUILD, "tools", name, name)


class Peers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = tempfile.TemporaryDirectory()
        cls.directory = cls.made.name
        for name, text in COUNTRIES.items():
            with open(os.path.join(cls.directory, name), "w", encoding="ascii") as f:
                f.write(text)
        cls.path = os.path.join(cls.directory, "t.tgt")
        files = [a for name in COUNTRIES
                 for a in ("--country", os.path.join(cls.directory, name))]
        subprocess.run([program("trefoil-geo"), "build", "-o", cls.path, *files], check=True,
                       capture_output=True)
        cls.table = Table(program("trefoil-geo"), cls.path, ROOT)

    @classmethod
    def tearDownClass(cls):
        cls.made.cleanup()

    def test_prefixes_cover_a_range_and_nothing_else(self):
        for first, last in ((0, 0), (3, 17), (0, 2**32 - 1), (5, 2**32 - 1), (2**31, 2**31 + 255)):
            at = first
            for address, length in prefixes(first, last, 32):
                self.assertEqual(address, at)
                self.assertEqual(address % 2**(32 - length), 0)
                at += 2**(32 - length)
            self.assertEqual(at, last + 1)

    def test_merged_and_complement_are_all_there_is(self):
        ranges = merge([(2, 3), (4, 9), (11, 11)])
        self.assertEqual(ranges, [[2, 9], [11, 11]])
        self.assertEqual(complement(ranges, 4), [(0, 1), (10, 10), (12, 15)])
        self.assertEqual(complement([(0, 15)], 4), [])

    def test_approved_destinations_are_approved(self):
        for shape in SHAPES[:3]:
            capture = self.capture(shape, True)
            for family, to in capture.destinations:
                self.assertFalse(self.table.is_dropped(family, to), (family, to))
            self.assertEqual(self.replay(capture), 0)

    def test_drops_agree_with_trefoil(self):
        """Destinations all over: the sum that XDP and nftables are held to."""
        for shape in SHAPES:
            capture = self.capture(shape, None)
            self.assertGreater(capture.n_dropped, 0)
            self.assertEqual(self.replay(capture), capture.n_dropped)

    def capture(self, shape, is_approved):
        path = os.path.join(self.directory, "c.pcap")
        return Traffic(self.table, shape, is_approved, path, n=600)

    def replay(self, capture):
        """Frames that trefoil would drop; none of them for being malformed."""
        policy = os.path.join(self.directory, "policy.ini")
        with open(policy, "w", encoding="ascii") as f:
            f.write(self.table.policy())
        done = subprocess.run(
            [program("trefoil-replay"), "-g", self.path, "-p", policy, "--summary", "--json",
             capture.path], check=True, capture_output=True)
        summary = json.loads(done.stdout)
        self.assertEqual(summary["packets"], len(capture.destinations))
        self.assertLessEqual(set(summary["reasons"]), {"approved-country", "default", "unknown"})
        return summary["verdicts"].get("drop", 0)

    def test_sizes_are_those_on_the_wire(self):
        capture = self.capture(Shape("x", 0, IMIX), True)
        sizes = set()
        with open(capture.path, "rb") as f:
            data = f.read()[24:]
        while data:
            size = int.from_bytes(data[8:12], "little")
            sizes.add(size + 4)
            data = data[16 + size:]
        self.assertEqual(sizes, set(IMIX))

    def test_routes_are_the_table(self):
        for family, (path, n) in self.table.write_routes(self.directory, 1).items():
            with open(path, encoding="ascii") as f:
                lines = f.read().splitlines()
            self.assertEqual(len(lines), n)
            covered = sum(2**(BITS[family] - int(line.split()[0].split("/")[1]))
                          for line in lines)
            self.assertEqual(covered, sum(
                last - first + 1 for first, last, _ in self.table.ranges[family]))

    def test_ratios_are_of_rounds(self):
        cell = figures.Cell("pcap", "x", {"peer": 1.25})
        for ours, peer in ((2.0, 1.0), (3.0, 3.0), (30.0, 20.0)):
            cell.add(figures.OURS, ours)
            cell.add("peer", peer)
        row = cell.as_json()["programs"]["peer"]
        self.assertEqual((row["ratio"], row["met"]), (1.5, True))
        self.assertEqual(row["mpps"], {"median": 3.0, "min": 1.0, "max": 20.0, "n": 3})
        cell.bars["peer"] = 1.51
        self.assertIn("NOT MET", "\n".join(figures.lines(cell)))

    def test_another_l3fwd_is_not_measured_as_if_changed(self):
        text = "config.max_routes = (1 << 16) - 1; config.trie.num_tbl8 = (1 << 15);"
        self.assertEqual(l3fwd.change(text, "l3fwd_fib.c"),
                         "config.max_routes = (1 << 21); config.trie.num_tbl8 = (1 << 20);")
        with self.assertRaises(Skip):
            l3fwd.change("max_routes = (1 << 16)", "l3fwd_fib.c")


unittest.main()
