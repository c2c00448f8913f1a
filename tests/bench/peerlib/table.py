# SPDX-License-Identifier: BSD-3-Clause
"""The shipped table as ranges and prefixes, what a policy makes of it, and destinations from it."""
import bisect
import ipaddress
import math
import os
import random
import socket
import subprocess

BITS = {4: 32, 6: 128}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
# What traffic goes to and what the policy says: as in bench_classify.
APPROVED_GROUPS = ("EU", "EEA", "adequacy")
APPROVED_CODES = ("US",)
# Decided by what they embed, never by the table (RFC 3056, 4380, 6052, 4291).
EMBEDDING = [ipaddress.ip_network(n) for n in
             ("2002::/16", "2001::/32", "64:ff9b::/96", "64:ff9b:1::/48", "::/8")]


def text(family, address):
    return socket.inet_ntop(FAMILY[family], address.to_bytes(BITS[family] // 8, "big"))


def prefixes(first, last, bits):
    """The CIDR blocks that make up a range, as (address, length)."""
    while first <= last:
        size = (first & -first).bit_length() - 1 if first else bits
        size = min(size, (last - first + 1).bit_length() - 1)
        yield first, bits - size
        first += 1 << size


def merge(ranges):
    """Sorted disjoint ranges with neighbours joined."""
    merged = []
    for first, last in ranges:
        if merged and merged[-1][1] + 1 == first:
            merged[-1][1] = last
        else:
            merged.append([first, last])
    return merged


def complement(ranges, bits):
    """What lies between sorted disjoint ranges."""
    at, gaps = 0, []
    for first, last in ranges:
        if at < first:
            gaps.append((at, first - 1))
        at = last + 1
    if at < 1 << bits:
        gaps.append((at, (1 << bits) - 1))
    return gaps


def approved_countries(root):
    codes = set(APPROVED_CODES)
    groups = {}
    with open(os.path.join(root, "config", "groups.ini"), encoding="utf-8") as f:
        name = None
        for line in f:
            line = line.strip()
            if line.startswith("[group "):
                name = line[len("[group "):-1]
            elif line.startswith("countries"):
                groups.setdefault(name, []).extend(line.split("=", 1)[1].split())
    for name in APPROVED_GROUPS:
        codes.update(groups[name])
    return codes


class Table:
    """ranges[4], ranges[6]: sorted (first, last, country)."""

    def __init__(self, geo_program, path, root):
        self.path = path
        self.countries = approved_countries(root)
        self.ranges = {4: [], 6: []}
        done = subprocess.run([geo_program, "export", "--table", path], check=True,
                              capture_output=True)
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            first, last, country = line.split(",", 3)[:3]
            self._add(first, last, country)
        self._drops = {}

    def _add(self, first, last, country):
        family = 6 if ":" in first else 4
        first, last = (int.from_bytes(socket.inet_pton(FAMILY[family], a), "big")
                       for a in (first, last))
        self.ranges[family].append((first, last, country))

    def blocks(self, family, is_approved=None):
        """All prefixes, or those that the policy approves (or does not)."""
        for first, last, country in self.ranges[family]:
            if is_approved is None or (country in self.countries) == is_approved:
                yield from prefixes(first, last, BITS[family])

    def drops(self, family):
        """Ranges that the policy does not approve: the rest of the address space."""
        if family not in self._drops:
            approved = merge((f, l) for f, l, c in self.ranges[family] if c in self.countries)
            self._drops[family] = complement(approved, BITS[family])
        return self._drops[family]

    def is_dropped(self, family, address):
        ranges = self.drops(family)
        at = bisect.bisect_right(ranges, (address, 1 << 128)) - 1
        return at >= 0 and ranges[at][0] <= address <= ranges[at][1]

    def policy(self):
        approve = " ".join(APPROVED_GROUPS + APPROVED_CODES)
        return f"[policy]\nname = bench\ndefault = drop\nunknown = drop\nunparsable = drop\n" \
               f"[country]\napprove = {approve}\n"

    def write_routes(self, directory, out_port):
        """The table as l3fwd's rule files; returns their paths and counts."""
        made = {}
        for family in (4, 6):
            path = os.path.join(directory, f"routes{family}")
            n = 0
            with open(path, "w", encoding="ascii") as f:
                for address, length in self.blocks(family):
                    f.write(f"R{text(family, address)}/{length} {out_port}\n")
                    n += 1
            made[family] = (path, n)
        return made


class Destinations:
    """Zipf(1.0) over real prefixes; ranks are spread over the table, so that popular prefixes are
    no neighbours. Special-purpose addresses and those that embed others are left out."""

    def __init__(self, table, family, is_approved, seed=42):
        self.family = family
        self.blocks = list(table.blocks(family, is_approved))
        self.random = random.Random(seed)

    def draw(self):
        bits, n = BITS[self.family], len(self.blocks)
        while True:
            rank = int(math.exp(self.random.random() * math.log(n))) % n
            address, length = self.blocks[rank * 2654435761 % n]
            address += self.random.getrandbits(bits - length) if length < bits else 0
            if is_plain(self.family, address):
                return address


def is_plain(family, address):
    ip = (ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address)(address)
    if not ip.is_global or ip.is_multicast or ip.is_reserved:
        return False
    return family == 4 or not any(ip in network for network in EMBEDDING)
