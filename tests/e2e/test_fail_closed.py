#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Nothing that is not approved passes, at no moment of start, push, stop, kill, hang and restart, and
nothing at all passes without a policy: 10,000 probes a second that must not come through, both ways,
counted by the kernel of the other side.

TREFOIL_RESTARTS=100 is the full measurement; by default each way to end is tried once."""
import os
import struct
import subprocess
import time

from e2e import (CN, CN6, IE, KP, REFUSED, UNKNOWN, US, WORK, Daemon, Network, check, equal,
                 ethernet, frame4, frame6, ip4, main, program, run, udp, until)
from probes import Counter, Prober, Stopped, mac, settled

RESTARTS = int(os.environ.get("TREFOIL_RESTARTS", "6"))
RATE = 10000  # a second, of probes that must never pass
NEVER, ALWAYS, SOMETIMES = 0xBAD0, 0x600D, 0x50FE

# Frames that enter outside are judged by their source.
OPEN = """\
[policy]
name = open
default = drop

[direction]
inbound = source

[country]
approve = EU US
drop = KP
"""
TIGHT = OPEN.replace("EU US", "EU").replace("name = open", "name = tight")
BROKEN = OPEN.replace("EU US", "EU XQQ")


def marked(kind, frame):
    return frame[:6] + mac(kind) + frame[12:]


def never():
    """Ways to be bound for somewhere that is not approved, or for nobody knows where."""
    gre = struct.pack("!HH", 0, 0x0800)
    vxlan = struct.pack("!II", 8 << 24, 7 << 8)
    truncated = frame4(IE)[:30]
    return [marked(NEVER, f) for f in (
        frame4(CN), frame4(KP), frame4(UNKNOWN), frame6(CN6), truncated,
        ethernet(0x0800, ip4(CN), tags=((0x8100, 5),)),
        ethernet(0x0800, ip4(CN), tags=((0x88A8, 5), (0x8100, 6))),
        frame4(IE, gre + ip4(CN), proto=47),
        frame4(IE, udp(vxlan + frame4(KP), dport=4789)),
        ethernet(0x86DD, b"\x45" + frame6(CN6)[15:]),  # version 4 under the ethertype of 6
        ethernet(0x1234, bytes(50)),
        frame4(CN, fragment=0x2001),
    )]


def plan():
    """In ten probes that must not pass there are one that must and one that depends; from the
    outside comes a third of it."""
    inside = []
    for i, frame in enumerate(never() * 5):
        inside.append(frame)
        if i % 10 == 0:
            inside += [marked(ALWAYS, frame4(IE)), marked(SOMETIMES, frame4(US))]
    outside = [marked(NEVER, frame4("10.77.0.1", src=s)) for s in (CN, KP, UNKNOWN)]
    outside += [marked(ALWAYS, frame4("10.77.0.1", src=IE))]
    outside = (outside * 5)[:20]
    n = len(inside) + len(outside)
    n_never = sum(f[6:12] == mac(NEVER) for f in inside + outside)
    return {"inside": inside, "outside": outside}, RATE * n / n_never, n_never / n


class Border:
    """The network, its probes and what comes through."""

    def __init__(self):
        self.network = Network(hosts=False)
        self.worst = (0, "")

    def __enter__(self):
        self.network.__enter__()
        self.never = [Counter(h, NEVER) for h in ("outside", "inside")]
        self.always = [Counter(h, ALWAYS) for h in ("outside", "inside")]
        self.sometimes = Counter("outside", SOMETIMES)
        frames, rate, self.share = plan()
        self.prober = Prober(frames, rate)
        return self

    def __exit__(self, *_):
        self.prober.close()
        for c in self.never + self.always + [self.sometimes]:
            c.close()
        self.network.__exit__()

    def tight(self, when):
        """Nothing that is not approved has come through, ever."""
        for c in self.never:
            if c() > 0:
                equal(c.total, 0, f"leaks, seen {when}, such as {c.one()}")

    def shut(self, when, probes=500):
        """Nothing at all comes through while so many probes are sent."""
        before = settled(*self.always, self.sometimes)
        self.prober.wait_for(probes)
        equal([c() for c in (*self.always, self.sometimes)], before, f"through {when}")
        self.tight(when)

    def forwards(self, when):
        """Approved probes pass, both ways."""
        begin = time.monotonic()
        for c in self.always:
            before = c()
            until(f"approved probes pass {when}", lambda: c() > before)
        self.worst = max(self.worst, (time.monotonic() - begin, when))
        self.tight(when)


def judged_by(d, border, word):
    """Once a frame to the US was judged so, no burst of before is under way."""
    def count():
        return d.counters()["countries"].get("US", {}).get(word, 0)
    before = count()
    until(f"US {word}", lambda: count() > before)


def end_politely(d, border):
    equal(d.stop(), 0, "exit code")


def end_by_kill(d, border):
    d.process.kill()
    d.process.wait()


def end_after_pushes(d, border):
    """A tighter policy holds from the push on; a broken one changes nothing."""
    d.push(TIGHT)
    judged_by(d, border, "dropped")
    before = settled(border.sometimes)
    d.push(BROKEN, code=REFUSED)
    border.prober.wait_for(1000)
    equal([border.sometimes()], before, "to the US through after the push")
    border.forwards("under the tighter policy")
    d.push(OPEN)
    now = border.sometimes()
    until("US passes again", lambda: border.sometimes() > now)
    end_politely(d, border)


def end_in_a_hang(d, border):
    """The worker hangs in whatever it is doing; the control side sees it and names it."""
    with Stopped(d.process.pid, worker_thread(d)):
        until("an alarm", lambda: any("does not move" in a for a in d.status()["alarms"]))
        border.shut("while the worker hangs")
        d.process.kill()
    d.process.wait()


def worker_thread(d):
    names = [open(f"/proc/{d.process.pid}/task/{t}/comm", encoding="ascii").read().strip()
             for t in os.listdir(f"/proc/{d.process.pid}/task")]
    return next(n for n in names if "worker" in n)


def end_with_a_link_down(d, border):
    """One side's link is down: nothing passes either way, and it goes on afterwards."""
    run("ip", "link", "set", "out0", "down")
    until("link-down", lambda: "link-down" in d.counters()["reasons"])
    border.shut("while the link outside is down")
    run("ip", "link", "set", "out0", "up")
    border.forwards("once the link is back")
    end_by_kill(d, border)


def end_while_it_starts(d, border):
    """Killed again at some moment before it is ready."""
    end_by_kill(d, border)
    for pause in (0.05, 0.15, 0.3):
        begun = run_in_background(d)
        time.sleep(pause)  # the moment is the point
        begun.kill()
        begun.wait()
    border.tight("after kills while it starts")


def run_in_background(d):
    return subprocess.Popen([program("trefoild"), "-c", d.ini], stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


ENDS = (end_politely, end_by_kill, end_after_pushes, end_in_a_hang, end_with_a_link_down,
        end_while_it_starts)


def start_again(d):
    Daemon.running.remove(d)
    d.start()


def test_restarts():
    with Border() as border:
        border.shut("before there is a daemon")
        with Daemon(policy=OPEN) as d:
            for i in range(RESTARTS):
                border.forwards(f"after start {i + 1}")
                ENDS[i % len(ENDS)](d, border)
                border.shut(f"after {ENDS[i % len(ENDS)].__name__}", 200)
                start_again(d)
            border.forwards("at the end")
            sent, rate, pause, failed = border.prober.figures()
            print(f"   {RESTARTS} restarts, {sent * border.share:.0f} probes that must not pass at "
                  f"{rate * border.share:.0f} a second (longest pause {pause:.0f} ms), 0 leaks; "
                  f"{border.always[0].total + border.always[1].total} approved ones passed; "
                  f"at most {border.worst[0]:.2f} s to the first ({border.worst[1]})")
            check(rate * border.share > RATE * 0.9, "probes a second", rate * border.share)
            can_see_leaks(d, border)


def can_see_leaks(d, border):
    """What was counted above would have been seen: a policy that passes all shows it."""
    d.push(OPEN.replace("default = drop", "default = pass\nunknown = pass\nunparsable = pass")
           .replace("drop = KP\n", ""))
    for c in border.never:
        until("probes that a lax policy lets through", lambda: c() > 0)


def test_without_a_policy():
    """Broken, missing, and then pushed: only what is approved passes, from then on."""
    with Border() as border:
        for policy in (BROKEN, None):
            with Daemon(policy=policy) as d:
                border.shut("without a policy")
                d.push(BROKEN, code=REFUSED)
                border.shut("after a push that failed")
                d.push(TIGHT)
                border.forwards("after the push")
                d.process.kill()
                d.process.wait()
            border.shut("after the kill")
        table = os.path.join(WORK, "gone.tgt")
        with Daemon(policy=OPEN, settings={"appliance.geo_table": table}):
            border.shut("without a geo table")


def test_stale_data():
    """Data beyond its limit, from the first frame on, where the policy says so."""
    old = os.path.join(WORK, "stale.tgt")
    run(program("trefoil-geo"), "build", "-o", old, "--country",
        os.path.join(WORK, "country4.csv"), env={**os.environ, "SOURCE_DATE_EPOCH": "1500000000"})
    settings = {"appliance.geo_table": old, "appliance.max_geo_age_days": 45}
    with Border() as border, Daemon(policy=OPEN.replace("default =", "stale = drop\ndefault ="),
                                    settings=settings) as d:
        border.shut("with stale data")
        until("stale-data", lambda: "stale-data" in d.counters()["reasons"])


main()
