# SPDX-License-Identifier: BSD-3-Clause
"""Capture files. Reading gives (link type, frame, length on the wire) of each packet up
to the damage, if any."""

import struct

BYTE_ORDERS = {b"\xa1\xb2\xc3\xd4": ">", b"\xd4\xc3\xb2\xa1": "<",
               b"\xa1\xb2\x3c\x4d": ">", b"\x4d\x3c\xb2\xa1": "<"}
MODIFIED = {b"\xa1\xb2\xcd\x34": ">", b"\x34\xcd\xb2\xa1": "<"}  # Kuznetzov's: 8 bytes more
FRAME_MAX = 262144


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    magic = data[:4]
    if magic in BYTE_ORDERS:
        return read_pcap(data, BYTE_ORDERS[magic], 16)
    if magic in MODIFIED:
        return read_pcap(data, MODIFIED[magic], 24)
    if magic == b"\x0a\x0d\x0d\x0a":
        return read_pcapng(data)
    return []


def read_pcap(data, order, header_size):
    if len(data) < 24:
        return []
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    packets, at = [], 24
    while at + header_size <= len(data):
        captured, wire = struct.unpack_from(order + "II", data, at + 8)
        at += header_size
        if captured > FRAME_MAX or at + captured > len(data):
            break
        packets.append((link, data[at:at + captured], max(wire, captured)))
        at += captured
    return packets


def read_pcapng(data):
    packets, links, order, at = [], [], "<", 0
    while at + 12 <= len(data):
        kind = data[at:at + 4]
        if kind == b"\x0a\x0d\x0d\x0a":
            order = ">" if data[at + 8:at + 12] == b"\x1a\x2b\x3c\x4d" else "<"
            links = []
        size = struct.unpack_from(order + "I", data, at + 4)[0]
        if size < 12 or size % 4 or at + size > len(data):
            break
        add_block(struct.unpack(order + "I", kind)[0], data[at + 8:at + size - 4], order, links,
                  packets)
        at += size
    return packets


def add_block(kind, body, order, links, packets):
    if kind == 1:
        links.append((*struct.unpack_from(order + "H", body), struct.unpack_from(
            order + "I", body, 4)[0]))
    elif kind == 6:  # enhanced packet block
        interface, _, _, captured, wire = struct.unpack_from(order + "5I", body)
        add_packet(links, interface, body[20:20 + captured], wire, packets)
    elif kind == 2:  # the obsolete packet block
        interface, _, _, _, captured, wire = struct.unpack_from(order + "HHIIII", body)
        add_packet(links, interface, body[20:20 + captured], wire, packets)
    elif kind == 3:  # simple packet block
        wire = struct.unpack_from(order + "I", body)[0]
        captured = min(wire, len(body) - 4)
        if links and links[0][1]:
            captured = min(captured, links[0][1])
        add_packet(links, 0, body[4:4 + captured], wire, packets)


def add_packet(links, interface, frame, wire, packets):
    if interface < len(links):
        packets.append((links[interface][0], frame, max(wire, len(frame))))


def write(path, packets):
    """A pcap file of Ethernet packets."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, FRAME_MAX, 1))
        for _, frame, wire in packets:
            out.write(struct.pack("<IIII", 0, 0, len(frame), wire) + frame)
