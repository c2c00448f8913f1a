#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Without a valid policy and geo table nothing is forwarded, in either direction, and it is said
why; what is put right takes effect without a restart."""
import os
import shutil
import signal
import time

from e2e import (IE, POLICY, REFUSED, Daemon, Network, Sniffer, arp, check, conserved, equal,
                 frame4, frame6, IE6, main, make_geo, ping, program, run, until, WORK)


def nothing_passes(d, inside, outside, alarm):
    frames = [frame4(IE), frame6(IE6), arp(), frame4("192.168.1.1")]
    before = d.counters()["rx"]["packets"]
    inside.send(*frames)
    outside.send(*frames)
    c = d.counted(before + 2 * len(frames))
    equal(c["forwarded"]["packets"], 0, "forwarded")
    equal(c["reasons"], {"no-policy": c["reasons"].get("no-policy")}, "the only reason")
    equal(c["reasons"]["no-policy"]["dropped"], c["rx"]["packets"], "dropped with no-policy")
    equal((inside.poll(), outside.poll()), ([], []), "frames that came through")
    s = d.status()
    equal((s["generation"], s["policy"], s["mode"]), (0, None, "closed"), "status")
    check(any(alarm in a for a in s["alarms"]), f"an alarm that says {alarm}", s["alarms"])
    check(alarm in d.stderr(), "the log says it too", d.stderr())
    check("no policy" in d.ctl("status").stdout, "status for people")
    d.ctl("explain", IE, code=REFUSED)


def passes(inside, outside):
    inside.send(frame4(IE))
    equal(len(outside.take(1)), 1, "forwarded")


def test_broken_policy():
    with Network(hosts=False), Daemon(policy="[country]\napprove = XQQ\n") as d, \
            Sniffer("inside") as inside, Sniffer("outside") as outside:
        nothing_passes(d, inside, outside, "policy.ini:2")
        d.push(POLICY)
        passes(inside, outside)
        s = d.status()
        equal((s["generation"], s["mode"], s["alarms"]), (1, "enforce", []), "status")
        equal(conserved(d.counters()), None, "conservation")


def test_missing_policy():
    with Network(hosts=False), Daemon(policy=None) as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        nothing_passes(d, inside, outside, "policy.ini")
        d.push("[country]\napprove = XQQ\n", code=REFUSED)
        nothing_passes(d, inside, outside, "policy.ini")
        d.push(POLICY)
        passes(inside, outside)


def test_missing_geo_table():
    table = os.path.join(WORK, "later.tgt")
    with Network(hosts=False), Daemon(settings={"appliance.geo_table": table}) as d, \
            Sniffer("inside") as inside, Sniffer("outside") as outside:
        nothing_passes(d, inside, outside, "later.tgt")
        done = d.push(POLICY, code=REFUSED)
        check("later.tgt" in done.stderr, "the push says what is missing", done.stderr)
        shutil.copy(make_geo(), table)
        d.process.send_signal(signal.SIGHUP)
        until("a generation", lambda: d.status()["generation"] == 1)
        passes(inside, outside)
        equal(d.status()["alarms"], [], "alarms")
    os.unlink(table)


def test_damaged_geo_table():
    table = os.path.join(WORK, "damaged.tgt")
    with open(make_geo(), "rb") as f:
        data = bytearray(f.read())
    data[len(data) // 2] ^= 0x10
    with open(table, "wb") as f:
        f.write(data)
    with Network(hosts=False), Daemon(settings={"appliance.geo_table": table}) as d, \
            Sniffer("inside") as inside, Sniffer("outside") as outside:
        nothing_passes(d, inside, outside, "damaged.tgt")


def test_old_geo_data_raises_an_alarm():
    """Whatever the policy says of stale data, the alarm is raised; here frames still pass."""
    old = os.path.join(WORK, "old.tgt")
    run(program("trefoil-geo"), "build", "-o", old, "--country", os.path.join(WORK, "country4.csv"),
        env={**os.environ, "SOURCE_DATE_EPOCH": "1500000000"})
    settings = {"appliance.geo_table": old, "appliance.max_geo_age_days": 45}
    with Network(), Daemon(settings=settings) as d:
        check(any("days old" in a for a in d.status()["alarms"]), "an alarm", d.status()["alarms"])
        equal(d.status()["geo"]["stale"], True, "stale")
        equal(ping(IE), 1, "judged by the old data (stale = keep)")
        d.push(POLICY.replace("default =", "stale = drop\ndefault ="))
        equal(ping(IE, wait=1), 0, "stale = drop")
        until("the reason stale-data",
              lambda: d.counters()["reasons"].get("stale-data", {}).get("dropped", 0) > 0)


def test_data_grows_old_while_a_push_waits():
    """The time to confirm is no time off for old data, and goes on."""
    table = os.path.join(WORK, "ageing.tgt")
    run(program("trefoil-geo"), "build", "-o", table, "--country", os.path.join(WORK, "country4.csv"),
        env={**os.environ, "SOURCE_DATE_EPOCH": str(int(time.time()) - 46 * 86400 + 8)})
    settings = {"appliance.geo_table": table, "appliance.max_geo_age_days": 45}
    with Network(hosts=False), Daemon(settings=settings) as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        d.write_policy(POLICY.replace("default =", "stale = drop\ndefault ="))
        d.ctl("push", d.policy_path, "--confirm-within", "1h")
        inside.send(frame4(IE))
        outside.take(1)
        until("old data", lambda: d.status()["geo"]["stale"])

        def is_dropped():
            inside.send(frame4(IE))
            return "stale-data" in d.counters()["reasons"]
        until("stale-data", is_dropped, pause=0.1)
        status = d.status()
        equal((status["generation"], status["policy"]["confirmed"]), (2, False), "it still waits")
        check(0 < status["policy"]["confirm_left_s"] < 3600, "time goes on", status["policy"])
        d.ctl("confirm")
        record = d.ask("show", "2")
        equal((record["state"], record["kind"]), ("confirmed", "push"), "record")


main()
