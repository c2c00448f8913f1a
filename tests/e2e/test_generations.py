#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Generations survive: a restart, SIGKILL at any moment, a full disk, damaged files. What is not
confirmed in time is rolled back, also by a daemon that was started meanwhile."""
import json
import os
import random
import shutil
import signal
import time

from e2e import (CN, IE, KP, POLICY, REFUSED, WORK, Daemon, Network, check, equal, main, ping, run,
                 until)
from watching import Watch

OPEN = POLICY.replace("drop = KP", "approve = KP")


def restart(d):
    """End it, if it has not ended, and start it again in the same directory."""
    if d.process.poll() is None:
        equal(d.stop(), 0, "exit code")
    Daemon.running.remove(d)
    return d.start()


def running(d):
    s = d.status()
    return s["generation"], s["policy"]["name"], s["policy"]["confirmed"]


def named(name):
    return POLICY.replace("name = e2e", f"name = {name}")


def push(d, text, *args, code=0, name="pushed.ini"):
    path = os.path.join(d.dir, name)
    with open(path, "w") as f:
        f.write(text)
    return d.ctl("push", path, *args, code=code)


def fill(path):
    """Take all the space that is left."""
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(fd, b"x" * 4096)
    except OSError:
        os.close(fd)


def test_a_restart_loads_what_was_pushed():
    with Network(hosts=False), Daemon() as d:
        push(d, named("second"), "-m", "ticket 1")
        before = d.status()
        d.write_policy(named("file"))
        restart(d)
        after = d.status()
        for key in ("name", "sha256", "pushed_by", "pushed_at", "message", "confirmed"):
            equal(after["policy"][key], before["policy"][key], key)
        equal((after["generation"], after["geo"]["sha256"]), (2, before["geo"]["sha256"]),
              "generation and table")
        equal(after["alarms"], [], "alarms")
        push(d, named("third"))
        equal(running(d), (3, "third", True), "numbers go on")


def test_history_and_show():
    with Network(hosts=False), Daemon() as d:
        for i in range(2, 60):
            push(d, named(f"p{i}"), "-m", f"change {i}")
        h = d.ask("history")
        equal(h["running"], 59, "running")
        equal([g["generation"] for g in h["generations"]], list(range(59, 9, -1)), "50 are kept")
        equal([g["running"] for g in h["generations"]][:2], [True, False], "which one runs")
        g = h["generations"][5]
        equal((g["policy"]["name"], g["message"], g["parent"], g["state"], g["kind"],
               g["pushed"]["by"]), ("p54", "change 54", 53, "confirmed", "push", "root"), "record")
        shown = d.ask("show", "54")
        equal((shown["text"], shown["policy"]["sha256"]), (named("p54"), g["policy"]["sha256"]),
              "text")
        check(named("p54") in d.ctl("show", "54").stdout, "the text for people")
        equal(d.ask("show")["generation"], 59, "the running one")
        check("change 33" in d.ctl("history").stdout, "history for people")
        d.ctl("show", "3", code=REFUSED)
        check("history" in d.ctl("rollback", "3", code=REFUSED).stderr, "what to do")
        equal(len(os.listdir(os.path.join(d.dir, "generations"))), 50, "directories")
        equal(len(os.listdir(os.path.join(d.dir, "geo"))), 1, "one table, once")


def test_rollback():
    with Network(), Daemon() as d:
        check("no earlier" in d.ctl("rollback", code=REFUSED).stderr, "nothing to go back to")
        push(d, OPEN)
        equal(ping(KP), 1, "approved by generation 2")
        check("generation 3 is running" in d.ctl("rollback").stdout, "says which one runs")
        equal(ping(KP, wait=1), 0, "dropped again")
        states = {g["generation"]: (g["state"], g["kind"]) for g in d.ask("history")["generations"]}
        equal(states, {1: ("confirmed", "start"), 2: ("rolled-back", "push"),
                       3: ("confirmed", "rollback")}, "history")
        d.ctl("rollback", "2", "-m", "it was right")
        equal((ping(KP), d.status()["generation"]), (1, 4), "an older one by its number")
        d.ctl("rollback", "4", code=REFUSED)
        check("from 1" in d.ctl("rollback", "0", code=2).stderr, "Junos counts another way")
        restart(d)
        equal(d.status()["generation"], 4, "after a restart")


def test_a_second_rollback_goes_one_further():
    """Also when what was left had been pushed twice, or had been gone back to: nothing that was taken
    back judges again unless it is named."""
    with Network(hosts=False), Daemon() as d:
        second, third = (POLICY.replace("name = e2e", f"name = {n}") for n in ("second", "third"))
        for text in (second, third, third):
            push(d, text)
        d.ctl("rollback")
        equal(running(d)[:2], (5, "second"), "one back")
        d.ctl("rollback")
        equal(running(d)[:2], (6, "e2e"), "one further")
        check("no earlier" in d.ctl("rollback", code=REFUSED).stderr, "that was the first")
        push(d, third)
        d.ctl("rollback")
        equal(running(d)[:2], (8, "e2e"), "what was pushed anew is left again")
        d.ctl("rollback", "5")
        equal(running(d)[:2], (9, "second"), "by its number")


def test_confirmed_in_time():
    with Network(), Daemon() as d:
        out = push(d, OPEN, "--confirm-within", "3s").stdout
        check("confirm" in out, "says what to do", out)
        s = d.status()["policy"]
        equal((s["confirmed"], 0 < s["confirm_left_s"] <= 3), (False, True), "time is running")
        check("confirm it" in push(d, POLICY, code=REFUSED).stderr, "no push meanwhile")
        d.ctl("confirm", "1", code=REFUSED)
        d.ctl("confirm")
        equal(running(d), (2, "e2e", True), "confirmed")
        equal(d.ask("history")["generations"][0]["confirmed"]["by"], "root", "by whom")
        time.sleep(4)  # that nothing happens can only be waited for
        equal((d.status()["generation"], ping(KP)), (2, 1), "after the time")
        d.ctl("confirm", code=REFUSED)


def announced(d, watch, number):
    """Who was not there hears of it everywhere."""
    watch.wait_for("rollback", f"generation {number} was rolled back to 1 by trefoild")
    said = d.status()["policy"]["rolled_back"]
    equal((said["generation"], "not confirmed within" in said["note"]), (number, True), "status")
    check("not confirmed within" in d.ctl("status").stdout, "for people", d.ctl("status").stdout)
    with open(os.path.join(d.dir, "audit.jsonl")) as f:
        check(f"generation {number} was rolled back to 1" in f.read(), "audit log")


def test_rolled_back_by_itself():
    with Network(), Daemon() as d, Watch(d, "watch") as watch:
        push(d, OPEN, "--confirm-within", "2s")
        equal(ping(KP), 1, "it judges at once")
        until("the rollback", lambda: running(d) == (3, "e2e", True), patience=6)
        equal(ping(KP, wait=1), 0, "as before the push")
        check("rolled back to 1" in d.stderr() and "not confirmed within 2 s" in d.stderr(),
              "announced", d.stderr())
        equal([g["state"] for g in d.ask("history")["generations"]],
              ["confirmed", "rolled-back", "confirmed"], "states")
        announced(d, watch, 2)
        push(d, OPEN)
        equal(d.status()["policy"]["rolled_back"], None, "old news")


def test_time_goes_on_over_a_restart():
    with Network(hosts=False), Daemon() as d:
        push(d, OPEN, "--confirm-within", "1h")
        d.process.kill()
        d.process.wait()
        restart(d)
        s = d.status()
        equal((s["generation"], s["policy"]["confirmed"]), (2, False), "it still waits")
        check(3500 < s["policy"]["confirm_left_s"] <= 3600, "for the time that was left", s)
        d.ctl("rollback")
        equal(running(d), (3, "e2e", True), "by hand, to the confirmed one")
        push(d, OPEN, "--confirm-within", "6s")
        begin = time.monotonic()
        restart(d)
        equal(running(d)[0], 4, "still in time")
        until("the rollback", lambda: running(d)[0] == 5)
        check(time.monotonic() - begin < 7.5, "the restart gave it no more time")


def test_time_over_while_no_daemon_ran():
    with Network(), Daemon() as d:
        push(d, OPEN, "--confirm-within", "1s")
        d.process.kill()
        d.process.wait()
        time.sleep(1.2)  # the time of the generation
        restart(d)
        equal(running(d), (1, "e2e", True), "the confirmed one")
        check("rolled back to 1" in d.stderr(), "announced", d.stderr())
        equal([g["state"] for g in d.ask("history")["generations"]],
              ["rolled-back", "confirmed"], "states")
        equal(ping(KP, wait=1), 0, "judged by it")
        with Watch(d, "watch", "--since", "0") as watch:
            announced(d, watch, 2)


def test_killed_at_any_moment():
    """SIGKILL while pushes are under way: what was answered is there, and what runs is loadable."""
    rng = random.Random(7)
    with Network(hosts=False), Daemon() as d:
        for turn in range(12):
            answered = d.status()["generation"]
            names = {answered: d.status()["policy"]["name"]}
            path = os.path.join(d.dir, "killed.ini")
            stop = time.monotonic() + rng.uniform(0, 0.35)
            while time.monotonic() < stop:
                with open(path, "w") as f:
                    f.write(named(f"t{turn}n{answered + 1}"))
                d.ctl("push", path)
                answered += 1
                names[answered] = f"t{turn}n{answered}"
            names[answered + 1] = f"t{turn}n{answered + 1}"
            with open(path, "w") as f:
                f.write(names[answered + 1])
            pushing = os.fork()
            if pushing == 0:
                d.ctl("push", path, code=None)
                os._exit(0)
            time.sleep(rng.uniform(0, 0.05))  # any moment
            d.process.kill()
            d.process.wait()
            os.waitpid(pushing, 0)
            restart(d)
            generation, name, confirmed = running(d)
            check(generation in (answered, answered + 1), "the last one", generation, answered)
            equal((name, confirmed), (names[generation], True), "and it is whole")
            equal(d.status()["alarms"], [], "alarms")


def test_full_disk():
    with Network(), Daemon() as d:
        state = os.path.join(d.dir, "state")
        os.mkdir(state)
        run("mount", "-t", "tmpfs", "-o", "size=300k", "state", state)
        try:
            with Daemon(settings={"appliance.state_dir": state,
                                  "appliance.socket": d.socket + "2"},
                        vdevs=["net_null0,no-rx=1", "net_null1,no-rx=1"]) as full:
                push(full, OPEN)
                fill(os.path.join(state, "ballast"))
                for _ in range(3):
                    done = push(full, POLICY, code=REFUSED)
                    check("No space" in done.stderr and "free some" in done.stderr, "says why",
                          done.stderr)
                equal(running(full)[0], 2, "what judged goes on")
                restart(full)
                alarms = [a for a in full.status()["alarms"] if "audit log" not in a]
                equal((running(full)[0], alarms), (2, []), "and is loadable")
                full.ctl("rollback")
                check(any("restart would not know" in a for a in full.status()["alarms"]),
                      "a rollback is not held up, but it is said", full.status()["alarms"])
                os.unlink(os.path.join(state, "ballast"))
                push(full, OPEN)
                equal(full.status()["alarms"], [], "alarms after a push that was kept")
                equal(full.stop(), 0, "exit code")
        finally:
            run("umount", state)


def test_damaged_generations():
    with Network(hosts=False), Daemon() as d:
        for name in ("two", "three"):
            push(d, named(name))
        equal(d.stop(), 0, "exit code")
        path = os.path.join(d.dir, "generations", "3", "policy.ini")
        os.truncate(path, os.path.getsize(path) - 1)
        restart(d)
        equal(running(d)[:2], (2, "two"), "the newest that is whole")
        check(any("generation 3" in a for a in d.status()["alarms"]), "it is said",
              d.status()["alarms"])
        push(d, named("four"))
        equal((running(d)[0], d.status()["alarms"]), (4, []), "a new push")
        equal(d.stop(), 0, "exit code")
        shutil.rmtree(os.path.join(d.dir, "geo"))
        restart(d)
        s = d.status()
        equal((s["mode"], s["policy"]), ("closed", None), "nothing loadable: closed")
        check("can" in s["alarms"][-1], "an alarm", s["alarms"])
        push(d, named("five"))
        equal((running(d), d.status()["alarms"]), ((5, "five", True), []), "a push is the way out")


def test_a_rollback_past_what_is_damaged():
    """Who was cut off is let in again, by an older generation if need be."""
    with Network(hosts=False), Daemon() as d:
        push(d, named("two"))
        push(d, named("three"), "--confirm-within", "2s")
        os.truncate(os.path.join(d.dir, "generations", "2", "policy.ini"), 5)
        until("the rollback", lambda: running(d) == (4, "e2e", True))
        equal(d.ask("show", "3")["state"], "rolled-back", "what was not confirmed")


def test_a_damaged_record_is_said():
    """An older policy judges in its place: nobody may overlook that."""
    with Network(hosts=False), Daemon() as d:
        push(d, named("two"))
        equal(d.stop(), 0, "exit code")
        os.truncate(os.path.join(d.dir, "generations", "2", "generation.json"), 5)
        restart(d)
        equal(running(d)[:2], (1, "e2e"), "the newest that is whole")
        check(any("generation 2 cannot be loaded" in a for a in d.status()["alarms"]), "it is said",
              d.status()["alarms"])
        push(d, named("three"))
        equal((running(d)[0], d.status()["alarms"]), (3, []), "a new push")


def test_a_directory_that_cannot_be_reached():
    """It may hold what was pushed: the older policy of the file must not judge instead."""
    state = os.path.join(WORK, "disk")
    settings = {"appliance.state_dir": state, "mirror.dir": None, "mirror.rotate_mb": None}
    with Network(hosts=False), Daemon(settings=settings) as d:
        push(d, named("two"))
        equal(d.stop(), 0, "exit code")
        os.rename(state, state + ".away")
        os.symlink("nowhere", state)
        restart(d)
        equal(d.status()["mode"], "closed", "a link to what is not mounted")
        os.unlink(state)
        os.rename(state + ".away", state)
        d.process.send_signal(signal.SIGHUP)
        until("what was pushed", lambda: running(d) == (2, "two", True))


def test_no_state_directory():
    """Where nothing can be kept, the policy file judges; a push is refused. The mirror's key would be
    there too, so there is no mirror."""
    settings = {"appliance.state_dir": "/nowhere/state", "mirror.dir": None,
                "mirror.rotate_mb": None}
    with Network(), Daemon(settings=settings) as d:
        equal((ping(IE), ping(CN, wait=1)), (1, 0), "the policy of the file")
        check(any("/nowhere/state" in a for a in d.status()["alarms"]), "alarm")
        done = push(d, POLICY, code=REFUSED)
        check("state_dir" in done.stderr, "the push says why", done.stderr)
        equal(d.ask("history")["generations"], [], "history")


def test_one_daemon_per_directory():
    with Network(hosts=False), Daemon() as d:
        other = Daemon(settings={"appliance.state_dir": d.dir, "appliance.socket": d.socket + "2"},
                       vdevs=["net_null0", "net_null1"])
        with other:
            equal(other.status()["mode"], "closed", "the second one is closed")
            check("another process" in json.dumps(other.status()["alarms"]), "and says why",
                  other.status()["alarms"])
            equal(other.stop(signal.SIGTERM), 0, "exit code")


main()
