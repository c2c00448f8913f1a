#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Start, stop, signals: nothing is cut short and nothing stays behind."""
import json
import os
import shutil
import signal
import socket

from e2e import (CN, IE, NOT_PERMITTED, UNREACHABLE, US, WORK, Daemon, Network, Skip, Sniffer,
                 addresses_of, check, equal, frame4, main, make_geo, program, read_pcapng, run,
                 until, write)


def stops_well(how):
    count = 3000
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        inside.send(*[frame4(CN)] * count)
        until("received", lambda: d.counters()["rx"]["packets"] == count)
        equal(d.stop(how), 0, "exit code")
        files = d.mirror_files()
        equal(len(files), 1, "capture files")
        equal(len(read_pcapng(files[0])), count, "copies in the file")
        check(not os.path.exists(d.socket), "the socket is removed")
        d.ctl("status", code=UNREACHABLE)


def test_sigterm():
    stops_well(signal.SIGTERM)


def test_sigint():
    stops_well(signal.SIGINT)


def test_stop_in_traffic():
    """Frames that were judged are also written, however many are under way."""
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        inside.send(*[frame4(US)] * 2000)
        until("some", lambda: d.counters()["rx"]["packets"] > 0)
        equal(d.stop(), 0, "exit code")
        copies = len(read_pcapng(d.mirror_files()[0]))
        until("all that left", lambda: len(outside.poll()) >= copies, patience=5)
        equal(copies, len(outside.poll()), "forwarded and copied")


def test_killed_and_started_again():
    """After SIGKILL the socket file stays; the next daemon replaces it, and one that lives is not
    replaced."""
    with Network(hosts=False):
        with Daemon() as d:
            d.process.kill()
            d.process.wait()
            check(os.path.exists(d.socket), "a stale socket")
            with Daemon(settings={"appliance.socket": d.socket}) as again:
                equal(again.status()["generation"], 1, "generation")
                third = run(program("trefoild"), "-c", again.ini, code=None)
                check(third.returncode == 1, "a third daemon is refused", third)
                check("control.sock" in third.stderr, "and says why", third.stderr)
                equal(again.status()["generation"], 1, "the second goes on")
                equal(len(again.mirror_files()), 1, "the third did not begin to forward: files")


def test_sighup_loads_the_geo_table():
    table = os.path.join(WORK, "live.tgt")
    shutil.copy(make_geo(), table)
    with Network(hosts=False), Daemon(settings={"appliance.geo_table": table}) as d, \
            Sniffer("inside") as inside, Sniffer("outside") as outside:
        inside.send(frame4(IE), frame4(CN))
        outside.take(1)
        before = d.status()
        moved = write("moved.csv", "20.1.0.0,20.1.255.255,CN\n20.4.0.0,20.4.255.255,IE\n")
        run(program("trefoil-geo"), "build", "-o", table, "--country", moved)
        d.process.send_signal(signal.SIGHUP)
        until("generation 2", lambda: d.status()["generation"] == 2)
        after = d.status()
        check(after["geo"]["sha256"] != before["geo"]["sha256"], "another table", after["geo"])
        equal(after["policy"]["sha256"], before["policy"]["sha256"], "the same policy")
        inside.send(frame4(IE), frame4(CN))
        equal(addresses_of(outside.take(1)[0]), CN, "what passes now")
        d.counted(4)
        with open(table, "wb") as f:
            f.write(b"broken")
        d.process.send_signal(signal.SIGHUP)
        until("an alarm", lambda: any("geo" in a for a in d.status()["alarms"]))
        equal(d.status()["generation"], 2, "generation after a broken table")
        with open(os.path.join(d.dir, "audit.jsonl")) as f:
            last = json.loads(f.readlines()[-1])
        equal((last["event"], last["text"][:8], last["after"]["generation"]),
              ("refused", "SIGHUP: ", 2), "that it was tried is in the audit log")
        inside.send(frame4(CN))
        equal(len(outside.take(1)), 1, "the table of before judges")


def test_counters_survive_generations():
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        for i in range(1, 6):
            inside.send(frame4(IE), frame4(CN))
            c = d.counted(2 * i)
            equal(c["countries"]["IE"]["packets"], i, "IE")
            equal(c["countries"]["CN"]["dropped"], i, "CN")
            d.ctl("push", d.policy_path)


def test_link_down():
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        run("ip", "link", "set", "out0", "down")
        until("an alarm", lambda: any("link" in a for a in d.status()["alarms"]))
        inside.send(frame4(IE))
        c = d.counted(1)
        equal(c["reasons"]["link-down"]["dropped"], 1, "dropped with link-down")
        run("ip", "link", "set", "out0", "up")
        until("no alarm", lambda: d.status()["alarms"] == [])


def test_only_who_may():
    """Who has no role gets exit code 4."""
    with Network(hosts=False), Daemon() as d:
        os.chmod(d.dir, 0o755)
        os.chmod(WORK, 0o755)
        shutil.copy(program("trefoilctl"), f"{WORK}/trefoilctl")
        nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        try:
            done = run(f"{WORK}/trefoilctl", "-s", d.socket, "status", code=None, **nobody)
        except (PermissionError, OSError):
            raise Skip("only one user in this namespace") from None
        equal(done.returncode, NOT_PERMITTED, done.stderr)
        equal(len(done.stderr.strip().splitlines()), 1, "lines of the error")


def test_many_clients():
    """More clients than the daemon takes are refused in words; when they have gone, it answers."""
    with Network(hosts=False), Daemon() as d:
        clients = []
        for _ in range(100):
            s = socket.socket(socket.AF_UNIX)
            s.connect(d.socket)
            clients.append(s)
        until("a refusal", lambda: "clients" in d.ctl("status", code=None).stderr)
        for s in clients:
            s.close()
        until("an answer", lambda: d.ctl("status", code=None).returncode == 0)


def test_signals_while_it_ends():
    """SIGHUP after SIGTERM does not cut the draining short."""
    with Network(hosts=False), Daemon() as d:
        d.process.send_signal(signal.SIGTERM)

        def has_ended():
            d.process.send_signal(signal.SIGHUP)
            return d.process.poll() is not None
        until("the end", has_ended, pause=0.001)
        equal(d.process.returncode, 0, "exit code")
        check(not os.path.exists(d.socket), "no socket is left")


main()
