#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A push that would not fit the memory is refused before anything is built; what runs goes on. The
memory is taken away while the daemon runs, by RLIMIT_AS and RLIMIT_DATA."""
import os
import resource
import re

from e2e import (KP, IE, POLICY, REFUSED, Daemon, Network, Sniffer, check, conserved, equal, frame4,
                 main, make_geo, until, write)

OPEN = POLICY.replace("drop = KP", "pass = KP")
MIB = 1 << 20


def used(d, kind):
    """Of what the limit counts: pages of address space, or of data."""
    with open(f"/proc/{d.process.pid}/statm") as f:
        pages = f.read().split()
    return int(pages[0 if kind == resource.RLIMIT_AS else 5]) * resource.getpagesize()


def peak(d):
    with open(f"/proc/{d.process.pid}/status") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read())[1]) >> 10


def limited(d, kind, left):
    """A limit that leaves so many bytes; None takes it away."""
    unlimited = resource.RLIM_INFINITY
    soft = unlimited if left is None else used(d, kind) + left
    resource.prlimit(d.process.pid, kind, (soft, unlimited))


def settled(d, kind, start):
    """Retired generations are freed a little after the push that retired them, and what they held would
    count as free: until no more is used than at the start, but for what malloc keeps."""
    until("what was retired is freed", lambda: used(d, kind) < start + 16 * MIB)


def judges(d, inside, outside, is_open):
    """What comes out shows which generation it is."""
    before = d.counters()["rx"]["packets"]
    inside.send(frame4(IE), frame4(KP), frame4(IE))
    c = d.counted(before + 3)
    equal(conserved(c), None, "conservation")
    want = [frame4(IE), frame4(KP), frame4(IE)] if is_open else [frame4(IE)] * 2
    equal(outside.take(len(want)), want, "what is forwarded")


def test_what_does_not_fit_is_refused_and_what_runs_goes_on():
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        kinds = (resource.RLIMIT_AS, resource.RLIMIT_DATA)
        start = [used(d, kind) for kind in kinds]
        for kind, started_with in zip(kinds, start):
            settled(d, kind, started_with)
            number = d.status()["generation"]
            audited = d.status()["audit"]["lines"]
            for left in (64 * MIB, 16 * MIB, 2 * MIB):
                limited(d, kind, left)
                highest = peak(d)
                for command in (["push", write("open.ini", OPEN)], ["diff", write("open.ini", OPEN)],
                                ["push", "--shadow", write("open.ini", OPEN)],
                                ["geo", "push", make_geo()]):
                    text = d.ctl(*command, code=REFUSED).stderr
                    said = re.search(r"no memory for .*may take (\d+) MiB, (\d+) are available; "
                                     "nothing was changed", text)
                    check(said, "it says so", command, text)
                    check(int(said[1]) > int(said[2]) and int(said[2]) <= left // MIB, "how much", text)
                check(peak(d) - highest < 16, "nothing was built", highest, peak(d))
                judges(d, inside, outside, False)
                equal(d.status()["generation"], number, "generation")
            check(d.status()["audit"]["lines"] >= audited + 9, "the audit log has the attempts")
            limited(d, kind, None)
            d.ctl("push", write("open.ini", OPEN))
            judges(d, inside, outside, True)
            d.ctl("rollback")
            judges(d, inside, outside, False)
        equal(d.status()["alarms"], [], "alarms")


def test_wherever_the_limit_is_the_daemon_lives():
    """Also where the check lets it through: what compiling takes is less than what was asked for."""
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        is_open, done, refused = False, 0, 0
        for left in range(80, 161, 8):
            limited(d, resource.RLIMIT_AS, left * MIB)
            text = POLICY if is_open else OPEN
            result = d.ctl("push", write("next.ini", text), code=None)
            check(result.returncode in (0, REFUSED), "exit code", result.returncode, result.stderr)
            if result.returncode == 0:
                is_open, done = not is_open, done + 1
            else:
                refused += 1
                check("no memory" in result.stderr, "why", left, result.stderr)
            judges(d, inside, outside, is_open)
        check(done > 0 and refused > 0, "both were seen", done, refused)


def test_the_bound_holds_for_the_table_of_the_internet():
    """What compiling it took at most is not more than what is asked for in advance."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    settings = {"appliance.geo_table": os.path.join(root, "config/geo/internet.tgt")}
    with Network(hosts=False), Daemon(settings=settings) as d:
        limited(d, resource.RLIMIT_AS, 40 * MIB)
        text = d.ctl("push", write("open.ini", OPEN), code=REFUSED).stderr
        asked = int(re.search(r"may take (\d+) MiB", text)[1])
        limited(d, resource.RLIMIT_AS, None)
        with open(f"/proc/{d.process.pid}/clear_refs", "w") as f:
            f.write("5")  # the peak begins anew
        before = peak(d)
        d.ctl("push", write("open.ini", OPEN))
        took = peak(d) - before
        print(f"   a push of the full table takes {took} MiB at its peak, {asked} are asked for")
        check(20 < took <= asked, "the bound", took, asked)


def test_the_bound_holds_for_a_policy_as_long_as_any():
    """Whose rules cut the table into far more ranges than it has. Its diff is bounded, too."""
    prefixes = [f"{0x2001 + (i >> 16):x}:{i & 0xffff:x}::/32" for i in range(240000)]
    lines = "".join(f"drop = {' '.join(prefixes[i:i + 12])}\n" for i in range(0, len(prefixes), 12))
    path = write("long.ini", POLICY + "[prefix]\n" + lines)
    with Network(hosts=False), Daemon() as d:
        limited(d, resource.RLIMIT_AS, 60 * MIB)
        asked = int(re.search(r"may take (\d+) MiB", d.ctl("push", path, code=REFUSED).stderr)[1])
        limited(d, resource.RLIMIT_AS, None)
        answer = d.ask("diff", path, "--limit", "1")
        equal((len(answer["rules"]), answer["n_rules"]), (10000, len(prefixes)), "rules of the diff")
        with open(f"/proc/{d.process.pid}/clear_refs", "w") as f:
            f.write("5")  # the peak begins anew
        before = peak(d)
        d.ctl("push", path)
        took = peak(d) - before
        print(f"   a push of {len(prefixes)} rules takes {took} MiB at its peak, {asked} are asked for")
        check(20 < took <= asked, "the bound", took, asked)


main()
