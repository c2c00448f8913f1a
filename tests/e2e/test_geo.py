#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""New geo tables: one path whatever they come by, checks that refuse them, too much change that has
to be approved, and how long a full table takes."""
import os
import shutil
import signal
import time

from e2e import (CN, IE, POLICY, REFUSED, ROOT, WORK, Daemon, Network, check, equal, main, make_geo,
                 ping, program, run, until, write)


def table(name, rows):
    path = os.path.join(WORK, name)
    run(program("trefoil-geo"), "build", "-o", path, "--country", write(name + ".csv", rows))
    return path


def moved():
    """IE is in CN and the other way round."""
    return table("moved.tgt", "20.1.0.0,20.1.255.255,CN\n20.4.0.0,20.4.255.255,IE\n"
                 "20.2.0.0,20.2.255.255,DE\n")


def test_push_status_and_rollback():
    with Network(), Daemon() as d:
        first = d.status()["geo"]["sha256"]
        path = moved()
        d.ctl("geo", "push", path, "-m", "monthly data")
        equal((ping(CN), ping(IE, wait=1)), (1, 0), "judged by the new table")
        s = d.status()
        equal((s["generation"], s["policy"]["message"]), (2, "monthly data"), "generation")
        digest = run("sha256sum", path).stdout.split()[0]
        equal(d.ask("geo", "status")["sha256"], digest, "digest")
        check(digest in d.ctl("geo", "status").stdout, "for people")
        os.unlink(path)
        equal(d.stop(), 0, "exit code")
        Daemon.running.remove(d)
        d.start()
        equal(d.status()["geo"]["sha256"], digest, "kept: the file is not needed any more")
        d.push(POLICY.replace("name = e2e", "name = second"))
        d.ctl("geo", "rollback")
        s = d.status()
        equal((s["geo"]["sha256"], s["policy"]["name"], s["generation"]), (first, "second", 4),
              "the table of before, the policy of now")
        d.ctl("geo", "push", "/nowhere.tgt", code=REFUSED)
        bad = write("bad.tgt", b"TREFOIL" * 100)
        check("bad.tgt" in d.ctl("geo", "push", bad, code=REFUSED).stderr, "not a table")
        d.ctl("geo", "push", code=2)
        for message in "two\nlines", "\x1b[31mred":
            for action in ["push", make_geo()], ["rollback"]:
                done = d.ctl("geo", *action, "-m", message, code=REFUSED)
                check("control character" in done.stderr, "no forged text", done.stderr)
        equal(d.status()["generation"], 4, "nothing changed")


def test_overwriting_the_file_changes_nothing():
    path = os.path.join(WORK, "live.tgt")
    shutil.copy(make_geo(), path)
    with Network(), Daemon(settings={"appliance.geo_table": path}) as d:
        with open(path, "r+b") as f:
            f.write(b"\0" * os.path.getsize(path))
        equal((ping(IE), ping(CN, wait=1)), (1, 0), "as before")
        d.push(POLICY)
        equal((ping(IE), ping(CN, wait=1)), (1, 0), "after a push too")


def test_canaries_and_size():
    settings = {"geo.canary": ["20.1.0.1 IE", "20.4.9.1 AS64699"], "geo.min_ranges": 3}
    path = os.path.join(WORK, "canary.tgt")
    shutil.copy(make_geo(), path)
    with Network(hosts=False), Daemon(settings={**settings, "appliance.geo_table": path}) as d:
        equal(d.ask("geo", "status")["checks"], "good", "the first table")
        done = d.ctl("geo", "push", moved(), code=REFUSED)
        check("20.1.0.1 is in CN" in done.stderr, "canary", done.stderr)
        small = table("small.tgt", "20.1.0.0,20.1.255.255,IE\n")
        check("fewer than 3" in d.ctl("geo", "push", small, code=REFUSED).stderr, "size")
        shutil.copy(small, path)
        d.process.send_signal(signal.SIGHUP)
        until("an alarm", lambda: any("fewer than 3" in a for a in d.status()["alarms"]))
        check("fewer than 3" in d.ctl("geo", "reload", code=REFUSED).stderr, "the same path")
        shutil.copy(make_geo(), path)
        d.process.send_signal(signal.SIGHUP)
        until("no alarm", lambda: d.status()["alarms"] == [])
        equal(d.status()["generation"], 2, "generation")


def test_bad_canaries_are_settings_errors():
    with Network(hosts=False), Daemon() as d:
        for value in ("20.1.0.1", "20.1.0.1 ireland", "x IE", "20.1.0.1 AS0", "20.1.0.1 AS99999999999"):
            path = write("bad.ini", d._text() + f"[geo]\ncanary = {value}\n")
            done = run(program("trefoild"), "--check", "-c", path, code=REFUSED)
            check("canary" in done.stderr and "bad.ini:" in done.stderr, "file:line", done.stderr)


def test_too_much_change_waits_for_an_approval():
    with Network(), Daemon(settings={"geo.max_space": 10, "access.operators": "audio"}) as d:
        out = d.ctl("geo", "push", moved()).stdout
        check("waits for approval: trefoilctl approve 2" in out and "%" in out, "says why", out)
        equal((d.status()["generation"], d.status()["waiting"], ping(IE)), (1, [2], 1), "waits")
        check("%" in d.ask("show", "2")["note"], "says how much", d.ask("show", "2"))
        same = table("same.tgt", open(os.path.join(WORK, "country4.csv")).read())
        d.ctl("geo", "push", same)


def test_full_table_in_time():
    """With the shipped table of the whole Internet: a policy judges within a second, new data within
    three."""
    full = os.path.join(ROOT, "config", "geo", "internet.tgt")
    policy = POLICY + "[prefix]\npass = 20.1.0.0/16\n"
    with Network(), Daemon(policy=policy, settings={"appliance.geo_table": full}) as d:
        def answered(action):
            begin = time.monotonic()
            before = d.status()["generation"]
            action()
            until("it judges", lambda: d.status()["generation"] == before + 1)
            return time.monotonic() - begin
        pushes = [answered(lambda: d.ctl("push", d.policy_path)) for _ in range(5)]
        tables = [answered(lambda: d.ctl("geo", "push", full)) for _ in range(3)]
        equal(ping(IE, 3), 3, "answers")
        print(f"   push {min(pushes):.2f} to {max(pushes):.2f} s, "
              f"geo push {min(tables):.2f} to {max(tables):.2f} s")
        check(min(pushes) < 1, "a policy in under a second", pushes)
        check(min(tables) < 3, "a table in under three", tables)


main()
