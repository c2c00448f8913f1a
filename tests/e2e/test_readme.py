#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The transcript in the README, command by command, against a real daemon: what it prints is what the
README says, but for what differs from run to run. A line of three dots stands for any lines."""
import os
import re
import subprocess

from e2e import ROOT, WORK, Daemon, Failure, Network, Sniffer, check, equal, frame4, main, program, write

BRAZIL = "200.160.0.1"
VOLATILE = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"\b[0-9a-f]{12}\b(\.\.\.)?", "DIGEST"),
    (r"sha256 [0-9a-f]{64}", "sha256 DIGEST"),
    (r"rolled back in \d+ s", "rolled back in N s"),
    (r" +", " "),
]


def transcript():
    """(command, lines) of each command of the console block in which a push is confirmed."""
    with open(os.path.join(ROOT, "README.md")) as f:
        blocks = re.findall(r"^```console\n(.*?)^```", f.read(), re.M | re.S)
    block, = [b for b in blocks if "--confirm-within" in b]
    commands = []
    for line in block.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        else:
            commands[-1][1].append(line)
    return commands


def plain(line):
    for pattern, word in VOLATILE:
        line = re.sub(pattern, word, line)
    return line.strip()


def matches(want, got):
    """Lines against lines; three dots may be any."""
    if not want:
        return not got
    if want[0] == "...":
        return any(matches(want[1:], got[i:]) for i in range(len(got) + 1))
    return bool(got) and want[0] == got[0] and matches(want[1:], got[1:])


def run_line(d, line):
    """As the reader types it, in a shell, with the programs of this build."""
    where = os.path.dirname(program("trefoilctl"))
    done = subprocess.run(
        ["bash", "-c", f'trefoilctl() {{ "{where}/trefoilctl" -s "{d.socket}" "$@"; }}\n{line}'],
        cwd=d.dir, text=True, capture_output=True, timeout=120, stdin=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "200"})
    if done.returncode != 0:
        raise Failure(f"{line}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def judged(d, inside, outside, passes):
    """The frame to Brazil shows what the transcript changed."""
    before = d.counters()["rx"]["packets"]
    inside.send(frame4(BRAZIL))
    d.counted(before + 1)
    outside.poll()
    equal((len(outside.frames), passes), (int(passes), passes), "Brazil passes")
    outside.frames = []


def test_the_transcript_is_what_happens():
    with open(os.path.join(ROOT, "config/policy.ini")) as f:
        policy = f.read()
    new = policy.replace("approve = EU EEA adequacy\n", "approve = EU EEA adequacy\napprove = BR\n")
    check(new != policy, "the example policy approves the EU")
    commands = transcript()
    equal([c.split()[1] for c, _ in commands],
          ["check", "diff", "push", "confirm", "rollback", "history"], "commands of the README")
    settings = {"appliance.geo_table": os.path.join(ROOT, "config/geo/internet.tgt")}
    after = {"push": True, "confirm": True, "rollback": False}
    with Network(hosts=False), Daemon(policy=policy, settings=settings) as d, \
            Sniffer("inside") as inside, Sniffer("outside") as outside:
        write(os.path.join(d.dir, "new.ini"), new)
        for line, want in commands:
            got = run_line(d, line)
            if not matches([plain(x) for x in want if x.strip()],
                           [plain(x) for x in got.splitlines() if x.strip()]):
                raise Failure("the README says\n$ " + "\n".join([line] + want) +
                              "\nbut it prints\n" + got)
            if line.split()[1] in after:
                judged(d, inside, outside, after[line.split()[1]])
        equal(d.status()["generation"], 3, "generation")


main()
