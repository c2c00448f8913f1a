# SPDX-License-Identifier: BSD-3-Clause
"""Probes at a fixed rate from a process of their own, and a count of those that came through.

What a probe stands for is in its source address, which a border must not touch: so the kernel of the
other side can tell probes apart by a filter, whatever else is in them, and count them without ever
missing one (PACKET_STATISTICS counts before anything can be lost)."""
import ctypes
import mmap
import os
import signal
import socket
import struct
import time

from common import Failure, check, until
from network import within

_SOCKET, _PACKET = socket.SOL_SOCKET, 263


def mac(kind):
    """Source address of probes of a kind, a number of 16 bits."""
    return bytes.fromhex("02547246") + struct.pack("!H", kind)


class Counter:
    """Counts frames whose source address says `kind` as they arrive at a host's eth0."""

    def __init__(self, host, kind):
        with within(host):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        # ld [8] (last four bytes of the source); accept those of the kind, refuse others
        want = struct.unpack("!I", mac(kind)[2:])[0]
        code = [(0x20, 0, 0, 8), (0x15, 0, 1, want), (6, 0, 0, 0x40000), (6, 0, 0, 0)]
        self.program = ctypes.create_string_buffer(
            b"".join(struct.pack("=HBBI", *c) for c in code))
        self.socket.setsockopt(_SOCKET, 26, struct.pack(
            "HL", len(code), ctypes.addressof(self.program)))  # SO_ATTACH_FILTER
        self.socket.setsockopt(_PACKET, 23, 1)  # PACKET_IGNORE_OUTGOING
        self.socket.setblocking(False)
        with within(host):
            self.socket.bind(("eth0", 3))
        self.total = 0

    def __call__(self):
        """How many so far."""
        self.total += struct.unpack("II", self.socket.getsockopt(_PACKET, 6, 8))[0]
        return self.total

    def one(self):
        """A frame that was counted, for the message that says what went wrong."""
        try:
            return self.socket.recv(256).hex()
        except OSError:
            return "none kept"

    def close(self):
        self.socket.close()


class Prober:
    """Sends frames in turns, `rate` a second in all, until closed. What a busy machine holds up is
    made up for at once; the longest pause is kept."""

    TICK = 0.001

    def __init__(self, frames, rate):
        """frames: {host: [frame...]}, sent in the order of the list."""
        self.shared = mmap.mmap(-1, 4096)  # sent, longest pause in ns, failed
        self.begin = time.monotonic()
        self.process = os.fork()
        if self.process == 0:
            try:
                self._send(frames, rate)
            finally:
                os._exit(1)

    def _send(self, frames, rate):
        sockets = {}
        for host in frames:
            with within(host):
                sockets[host] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
                sockets[host].bind(("eth0", 0))
        turns = max(map(len, frames.values()))
        plan = [(sockets[h], f[i]) for i in range(turns) for h, f in frames.items() if i < len(f)]
        begin = last = time.monotonic()
        sent = longest = failed = 0
        while True:
            now = time.monotonic()
            longest = max(longest, now - last)
            last = now
            while sent < (now - begin) * rate:
                where, frame = plan[sent % len(plan)]
                try:
                    where.send(frame)
                except OSError:  # its link is down, on purpose
                    failed += 1
                sent += 1
            struct.pack_into("QQQ", self.shared, 0, sent, int(longest * 1e9), failed)
            time.sleep(self.TICK)

    def figures(self):
        """(frames sent, frames a second, longest pause in ms, frames that a dead link refused)"""
        sent, longest, failed = struct.unpack_from("QQQ", self.shared)
        return sent, sent / (time.monotonic() - self.begin), longest / 1e6, failed

    def wait_for(self, count):
        """Until so many more were sent."""
        want = self.figures()[0] + count
        until(f"{count} more probes", lambda: self.figures()[0] >= want)

    def close(self):
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)


def settled(*counters):
    """The counts once nothing is on its way any more."""
    seen = []

    def is_still():
        seen.append([c() for c in counters])
        return len(seen) > 3 and seen[-1] == seen[-4]
    until("no more probes come through", is_still)
    return seen[-1]


class Stopped:
    """One thread of a process stopped in its tracks, as by a hang: the others go on."""

    SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
    _libc = ctypes.CDLL(None, use_errno=True)

    def __init__(self, process, name):
        self.thread = next(
            (int(t) for t in os.listdir(f"/proc/{process}/task")
             if open(f"/proc/{process}/task/{t}/comm", encoding="ascii").read().strip() == name),
            None)
        check(self.thread is not None, f"no thread {name} in", process)

    def _trace(self, what):
        if self._libc.ptrace(what, self.thread, None, None) != 0:
            raise Failure(f"ptrace {what:#x}: {os.strerror(ctypes.get_errno())}")

    def __enter__(self):
        self._trace(self.SEIZE)
        self._trace(self.INTERRUPT)
        os.waitpid(self.thread, 0x40000000)  # __WALL
        return self

    def __exit__(self, *_):
        if self._libc.ptrace(self.DETACH, self.thread, None, None) != 0:
            os.waitpid(self.thread, 0x40000000)  # it was killed: nobody else may collect it
