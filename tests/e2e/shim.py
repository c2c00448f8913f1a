# SPDX-License-Identifier: BSD-3-Clause
"""VLAN sub-interfaces and GRE tunnels for kernels without them: a process between a tap or tun, on
which the host's own stack speaks, and the wire."""
import fcntl
import os
import select
import signal
import socket
import struct

from common import Skip
from network import within

_TUNSETIFF, _TUN, _TAP, _NO_PI = 0x400454CA, 1, 2, 0x1000
_AUXDATA, _IGNORE_OUTGOING = 8, 23


def _device(name, kind):
    if not os.path.exists("/dev/net/tun"):
        raise Skip("there is no /dev/net/tun")
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH", name.encode(), kind | _NO_PI))
    return fd


class Shim:
    """A device `name` on a host until the end of the block. Subclasses say what is put around what
    leaves it, and taken off what comes."""

    KIND = _TAP

    def __init__(self, host, name):
        with within(host):
            self.device = _device(name, self.KIND)
            self.wire = self.open()
        self.process = os.fork()
        if self.process == 0:
            try:
                self.work()
            finally:
                os._exit(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self.device)
        self.wire.close()

    def work(self):
        while True:
            for ready in select.select([self.device, self.wire], [], [])[0]:
                try:
                    if ready == self.device:
                        self.send(os.read(self.device, 65536))
                    else:
                        data = self.receive()
                        if data is not None:
                            os.write(self.device, data)
                except OSError:
                    pass  # a device that is down


class Tagged(Shim):
    """tags: (TPID, VLAN id), outermost first."""

    def __init__(self, host, name, tags):
        self.tags = b"".join(struct.pack("!HH", *t) for t in tags)
        super().__init__(host, name)

    def open(self):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        s.setsockopt(263, _AUXDATA, 1)
        s.setsockopt(263, _IGNORE_OUTGOING, 1)
        s.bind(("eth0", 3))
        return s

    def send(self, frame):
        self.wire.send(frame[:12] + self.tags + frame[12:])

    def receive(self):
        data, control, _, _ = self.wire.recvmsg(65536, 256)
        for _, _, value in control:  # the tag that the kernel took off
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", value[:20])
            if status & 0x10:
                tpid = tpid if status & 0x40 else 0x8100
                data = data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
        end = 12 + len(self.tags)
        # DPDK 22.11's net_af_packet gives an outermost 88a8 back as 8100 (README).
        mine = data[14:end] == self.tags[2:] and data[12:14] in (self.tags[:2], b"\x81\x00")
        return data[:12] + data[end:] if mine else None


class Gre(Shim):
    """GRE over IPv4 between two addresses."""

    KIND = _TUN

    def __init__(self, host, name, local, remote):
        self.local, self.remote = local, remote
        super().__init__(host, name)

    def open(self):
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)
        s.bind((self.local, 0))
        return s

    def send(self, packet):
        kind = {4: 0x0800, 6: 0x86DD}[packet[0] >> 4]
        self.wire.sendto(struct.pack("!HH", 0, kind) + packet, (self.remote, 0))

    def receive(self):
        packet, (source, _) = self.wire.recvfrom(65536)
        header = 4 * (packet[0] & 15)
        if source != self.remote or packet[header:header + 2] != b"\0\0":
            return None
        return packet[header + 4:]
