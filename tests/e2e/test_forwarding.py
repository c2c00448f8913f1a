#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Approved traffic of real hosts crosses the border both ways; other traffic does not."""
import hashlib
import random
import socket
import threading

from e2e import (CN, CN6, DE, IE, IE6, JP, KP, UNKNOWN, US, US6, Daemon, Network, Sniffer,
                 addresses_of, check, conserved, equal, main, ping, until, within)

BULK = 4 << 20


def test_ping_approved():
    with Network(), Daemon() as d:
        for address in (IE, DE, JP, US, "20.4.9.1", IE6, US6):
            if address == "20.4.9.1":
                continue
            equal(ping(address, 3), 3, f"answers of {address}")
        c = d.counters()
        for country, count in (("IE", 6), ("DE", 3), ("JP", 3), ("US", 6)):
            equal(c["countries"][country]["packets"], count, f"echo requests to {country}")
        equal(c["inbound"]["IE"]["packets"], 6, "echo replies from IE")
        check("arp" not in c["reasons"] and c["reasons"]["non-ip"]["dropped"] == 0, "ARP passes")


def test_not_approved_do_not_answer():
    with Network(), Daemon() as d, Sniffer("outside") as outside:
        for address in (CN, KP, UNKNOWN, CN6):
            equal(ping(address, wait=1), 0, f"answers of {address}")
        equal(ping(IE), 1, "answers of IE, after all others")
        until("the approved one on the outside", lambda: IE in map(addresses_of, outside.poll()))
        seen = set(map(addresses_of, outside.frames))
        equal(seen & {CN, KP, UNKNOWN, CN6}, set(), "not approved, but seen on the outside")
        equal(outside.drops(), 0, "frames that the sniffer missed")
        c = d.counters()
        for country in ("CN", "KP", "unknown"):
            equal(c["countries"][country]["dropped"], c["countries"][country]["packets"],
                  f"all frames to {country} dropped")
        equal(conserved(c), None, "conservation")


def send_and_receive(connection, data, digest):
    """Send `data` while hashing as many bytes that come in."""
    sender = threading.Thread(target=connection.sendall, args=(data,))
    sender.start()
    left = len(data)
    while left > 0:
        part = connection.recv(min(left, 1 << 16))
        check(part != b"", "the connection was closed early")
        digest.update(part)
        left -= len(part)
    sender.join()


def bulk(family, address):
    data = [random.Random(seed).randbytes(BULK) for seed in (1, 2)]
    digests = [hashlib.sha256(), hashlib.sha256()]
    with within("outside"):
        server = socket.create_server((address, 7000), family=family)
    with within("inside"):
        client = socket.socket(family, socket.SOCK_STREAM)
    client.settimeout(30)
    client.connect((address, 7000))
    connection, _ = server.accept()
    connection.settimeout(30)
    answer = threading.Thread(target=send_and_receive, args=(connection, data[1], digests[1]))
    answer.start()
    send_and_receive(client, data[0], digests[0])
    answer.join()
    for s in (server, client, connection):
        s.close()
    equal(digests[0].digest(), hashlib.sha256(data[1]).digest(), "what the client received")
    equal(digests[1].digest(), hashlib.sha256(data[0]).digest(), "what the server received")


def test_tcp_bulk_ip4():
    with Network(), Daemon() as d:
        bulk(socket.AF_INET, IE)
        check(d.counters()["countries"]["IE"]["bytes"] > BULK, "the bytes are counted for IE")


def test_tcp_bulk_ip6():
    with Network(), Daemon():
        bulk(socket.AF_INET6, IE6)


def test_tcp_to_a_mirrored_country():
    with Network(), Daemon() as d:
        bulk(socket.AF_INET, US)
        until("all copies", lambda: d.counters()["mirror"]["queued"] == 0)
        c = d.counters()
        equal(c["countries"]["US"]["mirrored"], c["countries"]["US"]["packets"], "US: all mirrored")
        equal(c["countries"]["US"]["dropped"], 0, "US: none dropped")
        equal(conserved(c), None, "conservation")


def exchange(family, address, count):
    with within("outside"):
        server = socket.socket(family, socket.SOCK_DGRAM)
        server.bind((address, 5353))
    with within("inside"):
        client = socket.socket(family, socket.SOCK_DGRAM)
    server.settimeout(10)
    client.settimeout(10)
    for i in range(count):
        question = f"question {i}".encode() + bytes(i)
        client.sendto(question, (address, 5353))
        got, peer = server.recvfrom(2048)
        equal(got, question, "the datagram")
        server.sendto(got[::-1], peer)
        equal(client.recv(2048), question[::-1], "the answer")
    server.close()
    client.close()


def test_udp():
    with Network(), Daemon():
        exchange(socket.AF_INET, DE, 200)
        exchange(socket.AF_INET6, IE6, 200)


def test_jumbo_hosts():
    with Network(mtu=9000), Daemon(mtu=9000):
        bulk(socket.AF_INET, IE)


main()
