# SPDX-License-Identifier: BSD-3-Clause
"""Captures to replay: UDP frames to destinations of the table, sizes as they are on the wire."""
import random
import struct

from peerlib.table import BITS, Destinations

N_PACKETS = 100 * 1024
FCS = 4
IMIX = (64,) * 7 + (570,) * 4 + (1518,)  # with FCS
MAC = b"\x02\0\0\0\0\1" + b"\x02\0\0\0\0\2"


class Shape:
    """What one capture holds. `percent6` of the frames are IPv6."""

    def __init__(self, name, percent6, sizes):
        self.name, self.percent6, self.sizes = name, percent6, sizes


SHAPES = [Shape(f"{family} {size}", percent, sizes)
          for size, sizes in (("64 B", (64,)), ("IMIX", IMIX))
          for family, percent in (("IPv4", 0), ("30 % IPv6", 30), ("IPv6", 100))]


def checksum(header):
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def udp(rng, size):
    """Header and payload; ports stay clear of those that tunnels have."""
    size = max(size, 8)
    ports = struct.pack(">HHHH", rng.randrange(20000, 60000), rng.choice((53, 80, 443, 8080)),
                        size, 0)
    return ports + bytes(size - 8)


def frame4(rng, to, size):
    payload = udp(rng, size - FCS - 14 - 20)
    head = struct.pack(">BBHHHBBH4s", 0x45, 0, 20 + len(payload), 0, 0, 64, 17, 0, b"\x0a\0\0\1")
    to = to.to_bytes(4, "big")
    return MAC + b"\x08\0" + head[:10] + struct.pack(">H", checksum(head + to)) + head[12:] + to \
        + payload


def frame6(rng, to, size):
    payload = udp(rng, size - FCS - 14 - 40)
    head = struct.pack(">IHBB", 6 << 28, len(payload), 17, 64)
    source = bytes.fromhex("2a000000000000000000000000000001")
    return MAC + b"\x86\xdd" + head + source + to.to_bytes(BITS[6] // 8, "big") + payload


class Traffic:
    """One capture: its destinations in order, and the file."""

    def __init__(self, table, shape, is_approved, path, n=N_PACKETS):
        self.shape, self.path, self.is_approved = shape, path, is_approved
        rng = random.Random(7)
        draw = {f: Destinations(table, f, is_approved) for f in (4, 6)
                if 0 < (shape.percent6 if f == 6 else 100 - shape.percent6)}
        self.destinations = []
        with open(path, "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
            for _ in range(n):
                family = 6 if rng.randrange(100) < shape.percent6 else 4
                to = draw[family].draw()
                data = (frame6 if family == 6 else frame4)(rng, to, rng.choice(shape.sizes))
                f.write(struct.pack("<IIII", 0, 0, len(data), len(data)) + data)
                self.destinations.append((family, to))
        self.n_dropped = 0 if is_approved else sum(
            table.is_dropped(family, to) for family, to in self.destinations)
