#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The first 15 minutes of the README and its transcript of a change, command by command, with the real
programs: what they print is what the README says, but for what differs from run to run. A line of three
dots stands for any lines."""
import os
import re
import shutil
import subprocess

from e2e import (ROOT, WORK, Daemon, Failure, Network, Skip, Sniffer, check, equal, frame4, lay_over,
                 main, program, run, write)

BRAZIL = "200.160.0.1"
VOLATILE = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"\b[0-9a-f]{12}\b(\.\.\.)?", "DIGEST"),
    (r"sha256 [0-9a-f]{64}", "sha256 DIGEST"),
    (r"rolled back in \d+ s", "rolled back in N s"),
    (r" +", " "),
]


def blocks(language):
    with open(os.path.join(ROOT, "README.md")) as f:
        return re.findall(rf"^```{language}\n(.*?)^```", f.read(), re.M | re.S)


def transcript(word):
    """(command, lines) of each command of the console block with that word."""
    block, = [b for b in blocks("console") if word in b]
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


def compare(command, want, got):
    if not matches([plain(x) for x in want if x.strip()],
                   [plain(x) for x in got.splitlines() if x.strip()]):
        raise Failure("the README says\n$ " + "\n".join([command] + want) + "\nbut it prints\n" + got)


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
    commands = transcript("--confirm-within")
    equal([c.split()[1] for c, _ in commands],
          ["check", "diff", "push", "confirm", "rollback", "history"], "commands of the README")
    settings = {"appliance.geo_table": os.path.join(ROOT, "config/geo/internet.tgt")}
    after = {"push": True, "confirm": True, "rollback": False}
    with Network(hosts=False), Daemon(policy=policy, settings=settings) as d, \
            Sniffer("inside") as inside, Sniffer("outside") as outside:
        write(os.path.join(d.dir, "new.ini"), new)
        for line, want in commands:
            got = run_line(d, line)
            compare(line, want, got)
            if line.split()[1] in after:
                judged(d, inside, outside, after[line.split()[1]])
        equal(d.status()["generation"], 3, "generation")


MARK = "---- command"


def prepare_reader():
    """A folder with what the reader has: the clone, the files that he wrote, installed programs."""
    for tool in ("ping", "sysctl", "tshark"):
        if shutil.which(tool) is None:
            raise Skip(f"'{tool}' is missing: tools/install-deps")
    lay_over("/usr/share")
    os.makedirs("/usr/share/trefoil", exist_ok=True)
    shutil.copy(os.path.join(ROOT, "config", "geo", "internet.tgt"), "/usr/share/trefoil")
    folder = os.path.join(WORK, "reader")
    os.mkdir(folder)
    os.symlink(os.path.join(ROOT, "tests"), os.path.join(folder, "tests"))
    for name, text in zip(("policy.ini", "trial.ini"), blocks("ini")):
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)
    return folder


def run_script(folder, script):
    """In namespaces of its own, as the README begins its shell; what it leaves running ends with it."""
    where = [os.path.dirname(program(p)) for p in ("trefoild", "trefoilctl", "trefoil-geo",
                                                   "trefoil-replay", "trefoil-audit")]
    done = run("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
               "bash", "-c", script, cwd=folder,
               env={**os.environ, "PATH": ":".join(where + [os.environ["PATH"]]), "LC_ALL": "C.UTF-8"})
    return done.stdout


def test_the_first_minutes_are_what_happens():
    folder = prepare_reader()
    offline, = [b for b in blocks("sh") if "trefoilctl check policy.ini" in b]
    out = run_script(folder, "set -eu\n" + offline)
    check("policy.ini: valid" in out and "[country] approve EU" in out and "reasons" in out, "offline", out)
    setup, = [b for b in blocks("sh") if "ip netns add inside" in b]
    commands = transcript("ping")
    script = "set -eu\n" + setup + "set +e\n" + "".join(f"echo '{MARK}'\n{c}\n" for c, _ in commands)
    parts = run_script(folder, script).split(MARK + "\n")
    check("are good" in parts[0], "the settings are checked", parts[0])
    equal(len(parts) - 1, len(commands), "commands run")
    for (command, want), got in zip(commands, parts[1:]):
        compare(command, want, got)


main()
