#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A disk that errs or does not answer, a clock that steps: forwarding never notices, copies that
are lost are counted, the alarm tells and goes, and the evidence verifies. faults.c plays the disk."""
import contextlib
import errno
import json
import os
import struct
import time

from e2e import (US, WORK, Daemon, Network, Sniffer, check, equal, frame4, main, program,
                 read_pcapng, run, udp, until)

BIG = frame4(US, udp(bytes(1000)))
DAYS = 86400 * 400
WRITES, SYNCS = 1, 2
STEP = int(os.environ.get("TREFOIL_E2E_CUT_STEP", "23"))  # bytes between power cuts; 1 = each
MEGABYTE = 1200  # copies that are more than the writer's buffer


class Faulty:
    """A daemon whose evidence is on a disk, and whose clock is one, that obeys set()."""

    def __init__(self, settings=None):
        self.path = os.path.join(WORK, f"faults{len(os.listdir(WORK))}")
        self.set()
        library = os.path.join(os.environ["TREFOIL_E2E_BUILD"], "tests/e2e/libfaults.so")
        check(os.path.exists(library), "the faults are built", library)
        environment = {"LD_PRELOAD": library, "TREFOIL_FAULTS": self.path}
        self.daemon = Daemon(settings={"mirror.snaplen": 1500, **(settings or {})},
                             environment=environment)
        environment["TREFOIL_FAULTS_DIR"] = self.daemon.mirror_dir

    def set(self, write=0, sync=0, let_through=0, hangs=0, clock_s=0):
        with open(self.path, "r+b" if os.path.exists(self.path) else "w+b") as f:
            f.write(struct.pack("=iiiiq", write, sync, let_through, hangs, clock_s))

    def alarm(self, *texts):
        return until(f"an alarm: {texts}", lambda: any(
            all(t in a for t in texts) for a in self.daemon.status()["alarms"]))

    def calm(self):
        until("no alarm", lambda: self.daemon.status()["alarms"] == [])


@contextlib.contextmanager
def faulty(settings=None):
    f = Faulty(settings)
    with Network(hosts=False), f.daemon as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        yield f, d, lambda count: forward(inside, outside, count)


def forward(inside, outside, count):
    """Frames that are mirrored go on, whatever the mirror does."""
    for n in range(0, count, 200):
        burst = min(200, count - n)
        inside.send(*[BIG] * burst)
        equal(len(outside.take(burst)), burst, "forwarded")


def manifest(d):
    with open(os.path.join(d.mirror_dir, "manifest.jsonl")) as f:
        return [json.loads(line) for line in f]


def verify(d, notes=0):
    done = run(program("trefoil-audit"), "verify", "--json", "--key",
               os.path.join(d.mirror_dir, "public.pem"), d.mirror_dir, code=None)
    last = json.loads(done.stdout.splitlines()[-1])
    equal((last["ok"], last["broken"], last["notes"]), (True, 0, notes), done.stdout)
    return last


def accounted(d, count):
    """After the end: each copy is in a capture or on record as lost."""
    lost = sum(sum(r["lost"].values()) for r in manifest(d) if r["type"] == "close")
    kept = sum(len(read_pcapng(f)) for f in d.mirror_files())
    equal(kept + lost, count, f"kept {kept} and lost {lost}")
    equal(verify(d)["packets"], kept, "packets that verify")
    return lost


def write_errors(error, let_through, text):
    with faulty() as (f, d, send):
        send(10)
        f.set(write=error, let_through=let_through)
        send(2 * MEGABYTE)
        f.alarm(text)
        lost = d.counted(10 + 2 * MEGABYTE)["mirror"]["lost_by"]["write"]
        check(lost > 0, "lost by write", lost)
        f.set()
        f.calm()
        send(10)
        equal(d.counted(20 + 2 * MEGABYTE)["mirror"]["lost_by"]["write"], lost, "no more is lost")
        equal(d.stop(), 0, "exit code")
        equal(accounted(d, 20 + 2 * MEGABYTE), lost, "the loss is on record")


def test_input_output_error_in_the_middle_of_a_block():
    write_errors(errno.EIO, 777, "Input/output error")


def test_read_only_at_once():
    """What a remount after an error of the disk looks like to who has the file open."""
    write_errors(errno.EROFS, 0, "Read-only file system")


def test_syncs_that_fail():
    """Lines are in the file, the disk does not confirm: none is written twice, and all is told."""
    with faulty() as (f, d, send):
        send(10)
        f.set(sync=errno.EIO)
        for n in (2, 3):
            d.ctl("mirror", "rotate")
            until("the next segment", lambda n=n: d.status()["mirror"]["segments"] == n)
            send(10)
        segment = d.ask("mirror", "list")["segments"][0]["segment"]
        d.ctl("mirror", "hold", segment)
        f.alarm("does not confirm")
        f.set()
        f.calm()
        send(10)
        equal(d.counted(40)["mirror"]["lost"], 0, "lost")
        equal(d.stop(), 0, "exit code")
        accounted(d, 40)
        equal([r["type"] for r in manifest(d) if r["type"] != "covered"],
              ["start", "open", "close", "open", "close", "open", "hold", "close", "stop"], "lines")


def test_a_writer_that_is_held_up():
    """Neither yes nor no from the disk: the control side answers, the rings lose and count."""
    for hangs in (WRITES, SYNCS):
        with faulty() as (f, d, send):
            send(10)
            f.set(hangs=hangs)
            d.ctl("mirror", "rotate")
            send(12000)
            f.alarm("does not answer")
            began = time.monotonic()
            m = d.counters()["mirror"]
            equal(m["written"] + m["lost"] + m["queued"], 12010, "written, lost and queued")
            d.ctl("push", d.policy_path)
            d.ctl("mirror", "list", code=None)
            d.status()
            check(time.monotonic() - began < 15, "the control side goes on")
            send(100)
            f.set()
            f.calm()
            lost = d.counted(12110)["mirror"]["lost_by"]["ring"]
            check(lost > 0, "lost at the ring", lost)
            equal(d.stop(), 0, "exit code")
            equal(accounted(d, 12110), lost, "the loss is on record")


def clock_steps(d):
    return [r["step_s"] for r in manifest(d) if r["type"] == "clock"]


def test_a_clock_that_steps_back():
    """Nothing is removed by a wrong clock, the step is on record, the order of the chain holds."""
    with faulty({"mirror.retention_days": 1}) as (f, d, send):
        send(10)
        d.ctl("mirror", "rotate")
        until("the next segment", lambda: d.status()["mirror"]["segments"] == 2)
        for n, step in ((1, -DAYS), (2, DAYS)):
            f.set(clock_s=step)
            send(10)
            d.ctl("mirror", "rotate")
            until("it is on record", lambda n=n: len(clock_steps(d)) == n)
        send(10)
        until("an alarm", lambda: "the clock was set" in str(d.status()["alarms"]))
        check(d.status()["mirror"]["evidence"]["clock_step"], "in status")
        equal(d.counted(40)["mirror"]["lost"], 0, "lost")
        equal(d.stop(), 0, "exit code")
        equal([r for r in manifest(d) if r["type"] == "remove"], [], "removed")
        steps = clock_steps(d)
        check(abs(steps[0] + DAYS) < 5 and abs(steps[1] - 2 * DAYS) < 5, "the steps", steps)
        accounted(d, 40)


def test_a_power_cut_at_each_byte_of_the_last_block():
    """The disk has the open segment only up to some byte (each with TREFOIL_E2E_CUT_STEP=1): it
    verifies up to the last checkpoint. Into what that covers: the place is named."""
    with faulty() as (f, d, send):
        send(20)
        until("a checkpoint", lambda: d.status()["mirror"]["evidence"]["checkpoint"]["lines"])
        segment = d.mirror_files()[0]
        covered = d.status()["mirror"]["evidence"]["checkpoint"]["bytes"]
        size = os.path.getsize(segment)
        f.set(sync=errno.EIO)  # no checkpoint covers what comes now
        f.set(hangs=SYNCS)
        send(1)
        until("a block more", lambda: os.path.getsize(segment) > size)
        d.process.kill()
        d.process.wait()
        content = open(segment, "rb").read()
        check(len(content) - size > 1000, "the last block", len(content) - size)
        check(covered <= size, "not covered")
        for end in range(len(content), size - 1, -STEP):
            with open(segment, "r+b") as file:
                file.truncate(end)
            verify(d, notes=1)
        with open(segment, "r+b") as file:
            file.truncate(covered - 1)
        done = run(program("trefoil-audit"), "verify", "--key",
                   os.path.join(d.mirror_dir, "public.pem"), d.mirror_dir, code=1)
        check(os.path.basename(segment) in done.stdout and "packets" in done.stdout, "named",
              done.stdout)


main()
