#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Several queues and workers: every frame is handled once, a flow stays in order."""
import struct

from e2e import (CN, DE, IE, Daemon, Network, Sniffer, check, equal, frame4, main, ping, udp)

FLOWS, FRAMES = 40, 50


def flows():
    """Numbered frames of many flows in turn, every fifth flow not approved."""
    for i in range(FRAMES):
        for flow in range(FLOWS):
            address = CN if flow % 5 == 4 else (IE, DE)[flow % 2]
            yield frame4(address, udp(struct.pack("!HI", flow, i), sport=10000 + flow))


def crosses(queues, workers):
    frames = list(flows())
    with Network(hosts=False, queues=queues), \
            Daemon(queues=queues, workers=workers, settings={"eal.memory_mb": 256}) as d, \
            Sniffer("inside") as inside, Sniffer("outside") as outside:
        inside.send(*frames)
        c = d.counted(len(frames))
        passed = FLOWS * FRAMES * 4 // 5
        equal(c["forwarded"]["packets"], passed, "forwarded")
        equal(c["countries"]["CN"]["dropped"], FLOWS * FRAMES // 5, "dropped for CN")
        seen = {}
        for frame in outside.take(passed):
            flow, number = struct.unpack("!HI", frame[42:48])
            seen.setdefault(flow, []).append(number)
        for flow, got in seen.items():
            equal(got, list(range(FRAMES)), f"numbers of flow {flow}, in order")
        by = {k: w["rx"]["packets"] for k, w in d.counters("worker")["workers"].items()}
        equal(len(by), workers, "workers")
        equal(sum(by.values()), len(frames), "frames of all workers")
        if workers > 1:
            check(min(by.values()) > 0, "each worker has its share", by)


def test_two_queues_one_worker():
    crosses(2, 1)


def test_two_queues_two_workers():
    crosses(2, 2)


def test_one_queue_two_workers():
    """One of them has nothing to do and does not disturb."""
    with Network(), Daemon(workers=2) as d:
        equal(ping(IE, 5), 5, "answers")
        equal([w["alive"] for w in d.status()["workers"]], [True, True], "alive")


def test_push_with_two_workers():
    with Network(), Daemon(queues=2, workers=2, settings={"eal.memory_mb": 256}) as d:
        for i in range(10):
            d.ctl("push", d.policy_path)
            equal(ping(IE, 2), 2, "answers")
        equal(d.status()["generation"], 11, "generation")


main()
