# SPDX-License-Identifier: BSD-3-Clause
"""Capture files, read and written independently of Trefoil's own code."""
import struct

from common import check, equal, write


def read_pcapng(path):
    """Packets of a pcapng file as dicts; a reader of its own, strict about what we write."""
    packets, interfaces = [], []
    with open(path, "rb") as f:
        data = f.read()
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        check(length >= 12 and length % 4 == 0 and at + length <= len(data),
              "a whole pcapng block at", at)
        equal(struct.unpack_from("<I", data, at + length - 4)[0], length, "trailing block length")
        body = data[at + 8:at + length - 4]
        if kind == 0x0A0D0D0A:
            equal(body[:4], b"\x4d\x3c\x2b\x1a", "byte order")
        elif kind == 1:
            interfaces.append({"link": struct.unpack_from("<H", body)[0],
                               **_options(body[8:], {2: "name", 3: "description"})})
        elif kind == 6:
            number, high, low, cut, full = struct.unpack_from("<IIIII", body)
            packets.append({"interface": interfaces[number], "time": high << 32 | low,
                            "wire_length": full, "data": body[20:20 + cut],
                            **_options(body[20 + (cut + 3 & ~3):], {1: "comment"})})
        at += length
    return packets


def _options(data, names):
    found, at = {}, 0
    while at + 4 <= len(data):
        code, length = struct.unpack_from("<HH", data, at)
        if code == 0:
            break
        if code in names:
            found[names[code]] = data[at + 4:at + 4 + length].decode()
        at += 4 + (length + 3 & ~3)
    return found


def read_pcap(path):
    """(wire length, data) of each packet of a classic pcap file of either resolution."""
    with open(path, "rb") as f:
        data = f.read()
    magic = struct.unpack_from("<I", data)[0]
    check(magic in (0xA1B2C3D4, 0xA1B23C4D), "a little-endian pcap file:", path)
    equal(struct.unpack_from("<I", data, 20)[0], 1, "link type")
    frames, at = [], 24
    while at < len(data):
        _, _, cut, full = struct.unpack_from("<IIII", data, at)
        frames.append((full, data[at + 16:at + 16 + cut]))
        at += 16 + cut
    equal(at, len(data), "end of the pcap file")
    return frames


def write_pcap(name, frames):
    head = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1)
    return write(name, head + b"".join(
        struct.pack("<IIII", 1700000000 + i, 0, len(f), len(f)) + f for i, f in enumerate(frames)))
