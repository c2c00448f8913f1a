#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""watch prints events as they happen; top draws rates on a terminal of 80x24, with colours and
without. tmux is the terminal."""
import json
import os
import shutil
import socket
import threading
import time

from e2e import (CN, IE, JP, POLICY, REFUSED, UNREACHABLE, US, WORK, Daemon, Network, Skip, Sniffer,
                 check, equal, frame4, main, program, run, udp, until)
from watching import Watch


def test_events_as_they_happen():
    with Network(hosts=False), Daemon() as d, Watch(d, "watch", "--since", "0") as lines, \
            Watch(d, "watch", "--since", "0", "--json") as objects:
        lines.wait_for("start", "generation 1 judges")
        d.push(POLICY + "# again\n")
        lines.wait_for("push", "generation 2 judges", "e2e")
        event = json.loads(objects.wait_for("generation 2 judges"))
        equal((event["kind"], event["generation"]), ("push", 2), "as an object")
        check(event["at"].startswith("20") and event["number"] >= 2, "time and number", event)
        lines.wait_for("link", "net_af_packet1 is up")
        del lines.lines[:]
        run("ip", "link", "set", "out0", "down")
        lines.wait_for("link", "net_af_packet1 is down")
        lines.wait_for("alarm", "net_af_packet1 has no link")
        run("ip", "link", "set", "out0", "up")
        lines.wait_for("link", "net_af_packet1 is up")
        lines.wait_for("alarm-over")
        check(all(json.loads(x) for x in objects.lines), "each line is an object")


def test_lost_copies():
    with Network(hosts=False), Daemon(settings={"mirror.dir": None, "mirror.rotate_mb": None}) as d, \
            Sniffer("inside") as inside, Watch(d, "watch") as lines:
        inside.send(*[frame4(CN)] * 7)
        lines.wait_for("mirror-loss", "lost")


def test_from_now_on_and_count():
    """Without --since nothing of before is shown; --count ends it."""
    with Network(hosts=False), Daemon() as d, Watch(d, "watch", "--count", "2") as lines:
        def pushed_and_seen():
            d.push(POLICY)
            return lines.process.poll() is not None or lines.lines
        until("the first event is seen", pushed_and_seen)
        d.push(POLICY)
        until("it ends", lambda: lines.process.poll() is not None)
        equal((lines.process.returncode, len(lines.lines)), (0, 2), "after two")
        check(not any("generation 1 judges" in x for x in lines.lines), "not the start")


def test_what_is_missed_is_said():
    """560 events and more; 512 are kept."""
    with Network(hosts=False), Daemon(settings={"eal.memory_mb": 128}) as d, \
            socket.socket(socket.AF_UNIX) as s:
        s.connect(d.socket)
        lines = s.makefile("rw")

        def ask(**request):
            json.dump(request, lines)
            lines.write("\n")
            lines.flush()
            return json.loads(lines.readline())

        for _ in range(560):
            run_push = ask(command="push", name="p.ini", text=POLICY)
            if not run_push["ok"]:  # older generations wait to be freed
                until("room", lambda: ask(command="push", name="p.ini", text=POLICY)["ok"])
        first = ask(command="watch", since=0)["result"]
        check(first["missed"] >= 48 and len(first["events"]) == 256, "missed and a bounded answer",
              first["missed"])
        seen, since = len(first["events"]), first["next"]
        while True:
            more = ask(command="watch", since=since)["result"]
            if not more["events"]:
                break
            seen, since = seen + len(more["events"]), more["next"]
            equal(more["missed"], 0, "nothing missed meanwhile")
        equal(seen, 512, "all that are kept")
        for bad in (-1, "x", 1.5, None):
            equal(ask(command="watch", since=bad)["ok"], False, f"since {bad!r}")
        equal(ask(command="watch", since=10 ** 9)["result"]["missed"] >= 48, True, "too new")


def test_watch_ends_with_the_daemon():
    with Network(hosts=False), Daemon() as d, Watch(d, "watch", "--since", "0") as lines:
        lines.wait_for("generation 1")
        d.stop()
        until("it ends", lambda: lines.process.poll() is not None)
        equal(lines.process.returncode, UNREACHABLE, "exit code")


class Screen:
    """A program on a terminal of tmux. Each has a server of its own: one that ends may still hold its
    socket when the next one comes."""
    n_screens = 0

    def __init__(self, command, columns=80, rows=24, env=None):
        if shutil.which("tmux") is None:
            raise Skip("'tmux' is missing: tools/install-deps test")
        Screen.n_screens += 1
        self.socket = os.path.join(WORK, f"tmux{Screen.n_screens}")
        words = " ".join(f"{k}={v}" for k, v in (env or {}).items())
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows),
                  f"env {words} {command}; echo EXIT $?; read line")

    def tmux(self, *args):
        return run("tmux", "-S", self.socket, *args).stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        run("tmux", "-S", self.socket, "kill-server", code=None)

    def text(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def wait_for(self, *words):
        try:
            return until(f"{words} on the screen", lambda: next(
                (t for t in [self.text()] if all(w in t for w in words)), None))
        except Exception:
            print(self.text())
            raise

    def keys(self, *keys):
        self.tmux("send-keys", *keys)


class Traffic:
    """Frames without end: IE and US pass, CN does not."""

    def __init__(self, inside):
        self.inside, self.is_over = inside, False
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.is_over:
            self.inside.send(*[frame4(IE, udp(bytes(1000)))] * 6, frame4(US), frame4(CN),
                             frame4(JP))
            time.sleep(0.02)  # the load

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()


def rate_of(lines, word):
    """Frames per second in the first row that begins with it."""
    row = next(x for x in lines if x.startswith(word))[:39].rstrip()
    return float(row.split()[-2]) * (1000 if row.endswith("kp/s") else 1)


def command(d):
    return f"{program('trefoilctl')} -s {d.socket} top"


def test_top_at_80_by_24():
    for env in ({"NO_COLOR": "1"}, {"TERM": "vt100"}, {"TERM": "screen-256color"}):
        with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside, Traffic(inside), \
                Screen(command(d), env=env) as screen:
            text = screen.wait_for("generation 1  enforce", "policy e2e", "received", "COUNTRY",
                                   "REASON", "AS64601 Irish", "approved-country", "WORKER", "core ",
                                   "q quits")
            lines = text.rstrip("\n").split("\n")
            check(len(lines) <= 24 and max(map(len, lines)) <= 80, "fits", text)
            body = "\n".join(lines[4:])
            check(body.index("IE ") < body.index("US "), "the busiest first", text)
            row = next(x for x in lines if x.startswith("CN "))
            check("!" in row[:39] and "bit/s" in row and "p/s" in row, "CN is dropped", row)
            ratio = rate_of(lines, "IE ") / rate_of(lines, "CN ")
            check(4.5 < ratio < 7.5, "six frames to IE for one to CN", ratio, text)
            is_coloured = "\x1b[31m" in screen.text("-e")
            equal(is_coloured, env.get("TERM") == "screen-256color", f"red with {env}")
            screen.keys("q")
            screen.wait_for("EXIT 0")


def test_top_goes_on():
    """It pauses, follows the size of the terminal, says when the daemon is gone and comes back."""
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside, Traffic(inside), \
            Screen(command(d)) as screen:
        screen.wait_for("COUNTRY", "IE ")
        screen.keys("p")
        screen.wait_for("PAUSED")
        screen.keys("x")
        screen.wait_for("q quits   p pauses")
        screen.tmux("resize-window", "-x", "40", "-y", "10")
        screen.wait_for("too small")
        screen.tmux("resize-window", "-x", "120", "-y", "40")
        screen.wait_for("COUNTRY", "IE ")
        run("ip", "link", "set", "out0", "down")
        screen.wait_for("ALARM (1): wire border", "link-down")
        d.stop()
        screen.wait_for("NO ANSWER")
        screen.keys("q")
        screen.wait_for("EXIT 0")


def test_top_needs_a_terminal():
    with Network(hosts=False), Daemon() as d:
        done = d.ctl("top", code=REFUSED)
        check("counters --json" in done.stderr, "what to do instead", done.stderr)
        with Screen(f"{program('trefoilctl')} -s /nowhere.sock top") as screen:
            screen.wait_for("no daemon listens", "EXIT 3")
        with Screen(command(d), env={"TERM": "nonsense"}) as screen:
            screen.wait_for("TERM", "EXIT 1")


main()
