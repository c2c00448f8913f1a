# SPDX-License-Identifier: BSD-3-Clause
"""Two hosts and the cut cable between them.

Checksum and segmentation offloads are off on every veth: the kernel would hand frames of 64 KiB
with unfinished checksums to AF_PACKET. It also takes the outermost VLAN tag off each frame;
Sniffer puts it back, and so does net_af_packet (but always as 8100, see test_frames.py)."""
import contextlib
import ctypes
import fcntl
import os
import select
import socket
import struct

from common import PATIENCE, Failure, run, until
from places import HOSTS4, HOSTS6

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def _setns(path):
    with open(path, "rb") as f:
        if _libc.setns(f.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {path}")


@contextlib.contextmanager
def within(host):
    """Sockets and processes made in here belong to `inside` or `outside`."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    _setns(f"/run/netns/{host}")
    try:
        yield
    finally:
        _libc.setns(here, _CLONE_NEWNET)
        os.close(here)


def sysctl(key, value):
    with open("/proc/sys/" + key, "w") as f:
        f.write(str(value))


def _offloads_off(interface):
    """What `ethtool -K DEV rx off tx off sg off tso off ufo off gso off gro off` does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for command in (0x15, 0x17, 0x19, 0x1F, 0x22, 0x24, 0x2C):
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sP", interface.encode(), ctypes.addressof(value))
            with contextlib.suppress(OSError):  # a kernel without this switch
                fcntl.ioctl(s, 0x8946, request)


class Network:
    """Two hosts and the cut cable between them. Without `hosts` no IP is spoken: only frames that a
    test sends cross the wire."""

    def __init__(self, hosts=True, mtu=1500, queues=1):
        self.hosts, self.mtu, self.queues = hosts, mtu, queues

    def __enter__(self):
        for host, end in (("inside", "in0"), ("outside", "out0")):
            run("ip", "netns", "add", host)
            run("ip", "link", "add", end, "numtxqueues", self.queues, "numrxqueues", self.queues,
                "type", "veth", "peer", "name", "eth0", "netns", host,
                "numtxqueues", self.queues, "numrxqueues", self.queues)
            self._quiet(end)
            with within(host):
                self._quiet("eth0", ipv6=self.hosts)
                run("ip", "link", "set", "lo", "up")
        if self.hosts:
            self._addresses()
        return self

    def __exit__(self, *_):
        for host in ("inside", "outside"):
            run("ip", "netns", "del", host, code=None)
        for end in ("in0", "out0"):
            run("ip", "link", "del", end, code=None)

    def _quiet(self, interface, ipv6=False):
        sysctl(f"net/ipv6/conf/{interface}/disable_ipv6", int(not ipv6))
        sysctl(f"net/ipv6/conf/{interface}/accept_dad", 0)
        sysctl(f"net/ipv6/conf/{interface}/router_solicitations", 0)
        run("ip", "link", "set", interface, "mtu", self.mtu, "addrgenmode", "none", code=None)
        _offloads_off(interface)
        run("ip", "link", "set", interface, "up")

    def _addresses(self):
        """outside is the router behind the border, and all servers of the world at once."""
        with within("inside"):
            run("ip", "address", "add", "10.77.0.1/24", "dev", "eth0")
            run("ip", "-6", "address", "add", "fd77::1/64", "dev", "eth0", "nodad")
            run("ip", "route", "add", "default", "via", "10.77.0.254")
            run("ip", "-6", "route", "add", "default", "via", "fd77::254")
        with within("outside"):
            run("ip", "address", "add", "10.77.0.254/24", "dev", "eth0")
            run("ip", "-6", "address", "add", "fd77::254/64", "dev", "eth0", "nodad")
            for ip in HOSTS4 + HOSTS6:
                run("ip", "address", "add", ip, "dev", "lo")


def ping(address, count=1, wait=10):
    """How many answers came; ends with the last one, or `wait` seconds after the last question."""
    with within("inside"):
        done = run("ping", "-n", "-q", "-c", count, "-i", "0.05", "-W", wait, address, code=None)
    return int(done.stdout.split(" received")[0].split()[-1])


class Sniffer:
    """Everything that arrives at a host's eth0, as it was on the wire, and what to send from it."""

    def __init__(self, host):
        with within(host):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.socket.setsockopt(263, 8, 1)  # PACKET_AUXDATA: the tag that the kernel took off
            self.socket.setsockopt(263, 23, 1)  # PACKET_IGNORE_OUTGOING
            for option in (33, 32):  # SO_RCVBUFFORCE, SO_SNDBUFFORCE
                with contextlib.suppress(PermissionError):  # in a user namespace
                    self.socket.setsockopt(socket.SOL_SOCKET, option, 64 << 20)
            self.socket.bind(("eth0", 3))
        self.frames = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *frames):
        for frame in frames:
            self.socket.send(frame)

    def poll(self):
        """All frames so far."""
        while select.select([self.socket], [], [], 0)[0]:
            data, control, _, _ = self.socket.recvmsg(65536, 256)
            for level, kind, value in control:
                if (level, kind) != (263, 8):
                    continue
                status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", value[:20])
                if status & 0x10:  # TP_STATUS_VLAN_VALID
                    tpid = tpid if status & 0x40 else 0x8100
                    data = data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
            self.frames.append(data)
        return self.frames

    def take(self, count, patience=PATIENCE):
        """Wait for so many, return and forget them."""
        try:
            until(f"{count} frames", lambda: len(self.poll()) >= count, patience)
        except Failure as e:
            raise Failure(f"{e}: {len(self.frames)} came") from None
        frames, self.frames = self.frames, []
        return frames

    def drops(self):
        """What the kernel dropped before this sniffer saw it, since the last call."""
        return struct.unpack("II", self.socket.getsockopt(263, 6, 8))[1]
