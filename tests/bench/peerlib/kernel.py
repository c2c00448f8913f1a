# SPDX-License-Identifier: BSD-3-Clause
"""The same policy in the kernel, as pure program time: XDP with an LPM trie of what is not approved,
and nftables with interval sets of it on a netdev ingress hook."""
import contextlib
import ctypes
import json
import multiprocessing
import os
import shutil
import socket
import struct
import subprocess

from peerlib import bpf
from peerlib.programs import Failure, Skip
from peerlib.table import BITS, prefixes, text
from peerlib.traffic import MAC

CLONE_NEWNET = 0x40000000
FRAME = MAC + b"\x08\0" + bytes(48)  # what `feed` writes destinations into
PASSES = 2  # over the capture, for a first guess of the time it takes


@contextlib.contextmanager
def pinned(core):
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def destinations(capture):
    """The array of struct destination."""
    return b"".join(to.to_bytes(16, "big") + struct.pack("=I", 1) if family == 6 else
                    to.to_bytes(4, "big") + bytes(12) + struct.pack("=I", 0)
                    for family, to in capture.destinations)


def load(machine, capture):
    program = bpf.Object(bpf.build(machine.directory))
    n = len(capture.destinations)
    program.update("destinations", struct.pack(f"={n}I", *range(n)), destinations(capture), n)
    return program


def fill_trie(program, table, family):
    size = BITS[family] // 8
    keys = [struct.pack("=I", length) + address.to_bytes(size, "big")
            for first, last in table.drops(family)
            for address, length in prefixes(first, last, BITS[family])]
    program.update(f"drop{family}", b"".join(keys), bytes(4 * len(keys)), len(keys))
    return len(keys)


def families(capture):
    return sorted({family for family, _ in capture.destinations})


class Xdp:
    """Runs in this process, on the core under test."""

    name = "XDP LPM_TRIE"

    def __init__(self, machine, table, capture):
        self.machine, self.capture = machine, capture
        self.program = load(machine, capture)
        self.counts = {f: fill_trie(self.program, table, f) for f in families(capture)}
        self.feed_ns = 0

    def start(self):
        return self

    def pause(self):
        pass

    def resume(self):
        pass

    def check(self):
        pass

    def stop(self):
        self.program.close()

    def n_dropped(self):
        return struct.unpack("=QQ", self.program.lookup(".bss", bytes(4), 16))[1]

    def judge(self, passes):
        """Nanoseconds per packet, all in all."""
        before = self.n_dropped()
        ns = self.program.run("judge", FRAME, passes * len(self.capture.destinations))
        dropped = self.n_dropped() - before
        if dropped != passes * self.capture.n_dropped:
            raise Failure(f"XDP dropped {dropped} of {passes} captures with "
                          f"{self.capture.n_dropped} to drop each")
        return ns

    def rate(self, seconds):
        """Without the time that it takes to put the next destination into the packet."""
        n = len(self.capture.destinations)
        with pinned(self.machine.core):
            guess = self.judge(PASSES)
            ns = self.judge(max(1, round(seconds * 1e9 / guess / n)))
            self.feed_ns = self.program.run("feed", FRAME, PASSES * n)
        return 1e3 / (ns - self.feed_ns)

    def note(self):
        entries = ", ".join(f"{n} IPv{f}" for f, n in self.counts.items())
        return f"{self.name}: pure program time, {entries} prefixes; drops counted and right"


RULES = """
table netdev bench {{
	counter bad4 {{ }}
	counter bad6 {{ }}
	counter rest {{ }}
	set drop4 {{ type ipv4_addr; flags interval; {elements4} }}
	set drop6 {{ type ipv6_addr; flags interval; {elements6} }}
	chain judge {{
		type filter hook ingress device v0 priority 0;
		ip daddr @drop4 counter name bad4 drop
		ip6 daddr @drop6 counter name bad6 drop
		counter name rest drop
	}}
	chain base {{
		type filter hook ingress device v1 priority 0;
		counter name rest drop
	}}
}}
"""


def run_tool(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skip(f"{' '.join(command[:3])}: {done.stderr.strip().splitlines()[:1]}")
    return done.stdout


def nft_rules(table, capture):
    elements = {4: "", 6: ""}
    for family in families(capture):
        ranges = ",\n".join(f"{text(family, first)}-{text(family, last)}" if first != last else
                            text(family, first) for first, last in table.drops(family))
        elements[family] = f"elements = {{ {ranges} }}"
    return RULES.format(elements4=elements[4], elements6=elements[6])


class NftChild:
    """In a network namespace of its own. Frames that `feed` passes meet the ingress hook of v0,
    which judges and drops all, or of v1, which drops all at once: the difference is nftables."""

    def __init__(self, machine, table, capture):
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
            raise Skip(f"no network namespace: {os.strerror(ctypes.get_errno())}")
        run_tool("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1")
        for name in ("v0", "v1"):
            run_tool("ip", "link", "set", name, "up")
        path = os.path.join(machine.directory, "rules.nft")
        with open(path, "w", encoding="ascii") as f:
            f.write(nft_rules(table, capture))
        run_tool("nft", "-f", path)
        self.machine, self.capture = machine, capture
        self.program = load(machine, capture)
        self.index = {name: socket.if_nametoindex(name) for name in ("v0", "v1")}

    def n_bad(self):
        counters = json.loads(run_tool("nft", "-j", "list", "counters"))["nftables"]
        return sum(c["counter"]["packets"] for c in counters
                   if c.get("counter", {}).get("name", "").startswith("bad"))

    def judge(self, passes):
        before = self.n_bad()
        n = passes * len(self.capture.destinations)
        ns = self.program.run("feed", FRAME, n, self.index["v0"])
        bad, want = self.n_bad() - before, passes * self.capture.n_dropped
        # The kernel may drop what comes in faster than it has memory for.
        if abs(bad - want) > want / 1000:
            raise Failure(f"nftables dropped {bad} for their destination, not {want}")
        return ns

    def rate(self, seconds):
        n = len(self.capture.destinations)
        with pinned(self.machine.core):
            guess = self.judge(1)
            ns = self.judge(max(1, round(seconds * 1e9 / guess / n)))
            base_ns = self.program.run("feed", FRAME, PASSES * n, self.index["v1"])
        if ns <= base_ns:
            raise Failure(f"nftables: {ns} ns with and {base_ns} ns without look-up")
        return 1e3 / (ns - base_ns)


def serve(connection, machine, table, capture):
    """The child: answers each number of seconds with (rate, None) or (None, why not)."""
    try:
        child = NftChild(machine, table, capture)
        connection.send((0, None))
        while True:
            connection.send((child.rate(connection.recv()), None))
    except EOFError:
        pass
    except (Skip, Failure, OSError) as e:
        connection.send((None, str(e)))


class Nft:
    """nftables in a child process."""

    name = "nftables"

    def __init__(self, machine, table, capture):
        if shutil.which("nft") is None:
            raise Skip("no nft (Debian: apt-get install nftables)")
        self.connection, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("fork")
        self.child = context.Process(
            target=serve, args=(theirs, machine, table, capture), daemon=True)
        self.child.start()
        theirs.close()
        self._answer()

    def _answer(self):
        rate, reason = self.connection.recv()
        if reason is not None:
            raise Skip(f"nftables: {reason}")
        return rate

    def start(self):
        return self

    def pause(self):
        pass

    def resume(self):
        pass

    def check(self):
        pass

    def stop(self):
        self.connection.close()
        self.child.terminate()
        self.child.join()

    def rate(self, seconds):
        self.connection.send(seconds)
        return self._answer()

    def note(self):
        return f"{self.name}: the ingress hook's time less that of a hook that only drops"
