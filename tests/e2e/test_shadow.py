#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Shadow mode forwards everything and counts and mirrors what it would have done."""
from e2e import (CN, IE, KP, POLICY, US, Daemon, Network, Sniffer, check, equal, ethernet, frame4,
                 main, ping, read_pcapng)

SHADOW = POLICY.replace("[policy]", "[policy]\nmode = shadow")
FRAMES = [frame4(IE), frame4(CN), frame4(CN), frame4(KP), frame4(US), frame4(IE)[:20],
          ethernet(0x1234, bytes(46))]


def test_forwards_all_and_counts():
    with Network(hosts=False), Daemon(policy=SHADOW) as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        inside.send(*FRAMES)
        equal(outside.take(len(FRAMES)), FRAMES, "forwarded")
        c = d.counted(len(FRAMES))
        equal(c["dropped"]["packets"], 0, "dropped")
        would = {k: v["packets"] for k, v in c["shadow"].items()}
        equal(would, {"default": 2, "country": 1, "truncated": 1, "unknown-ethertype": 1},
              "would have been dropped")
        equal(c["reasons"]["shadow"]["forwarded"], 5, "reason shadow")
        equal(c["mirrored"]["packets"], 5, "mirrored: CN twice, US, and the unparsable two")
        equal(d.status()["mode"], "shadow", "mode")
        check("shadow" in d.ctl("status").stdout, "status for people")
        d.stop()
        verdicts = [p["comment"].split(" reason")[0] for p in read_pcapng(d.mirror_files()[0])]
        equal(verdicts.count("verdict=drop+mirror"), 4, f"verdicts in the mirror: {verdicts}")


def test_from_shadow_to_enforce_and_back():
    with Network(), Daemon(policy=SHADOW) as d:
        equal((ping(CN), ping(IE)), (1, 1), "shadow: all answer")
        d.push(POLICY)
        equal((ping(CN, wait=1), ping(IE)), (0, 1), "enforce: the approved one answers")
        d.push(SHADOW)
        equal((ping(CN), ping(IE)), (1, 1), "shadow again")


main()
