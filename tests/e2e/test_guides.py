#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Each command in the operator's and the auditor's guide is executed, but those that need a NIC or a
booted system, which are counted. See the head of tools/man/trefoil-operator.7.scd for the marks."""
import os
import re
import shutil
import subprocess

from e2e import (CN, IE, ROOT, US, WORK, Daemon, Failure, Network, Skip, Sniffer, check, equal,
                 frame4, lay_over, main, make_geo, program, run, udp, until)

BLOCK = re.compile(r"^```\n(.*?)^```\n", re.M | re.S)
MARKS = re.compile(r"((?:^; [^\n]*\n)+)\Z", re.M)
# The whole Internet takes half a minute more; the small table of the tests has the same commands.
IS_FULL = os.environ.get("TREFOIL_E2E_FULL") == "1"
TABLE = "/usr/share/trefoil/internet.tgt"
STATE = "/var/lib/trefoil"
TOOLS = ("trefoild", "trefoilctl", "trefoil-geo", "trefoil-replay", "trefoil-audit")


class Block:
    def __init__(self, text, marks, line):
        # As scdoc prints it: a backslash hides the next character.
        self.text, self.line = re.sub(r"\\(.)", r"\1", text), line
        tests = re.findall(r"^; test: (\w+) ?(.*)$", marks, re.M)
        check(len(tests) == 1, f"line {line}: one mark '; test: ...' before each block", marks)
        [(self.kind, self.argument)] = tests
        self.expected = re.findall(r"^; expect: (.*)$", marks, re.M)


def read_guide(name):
    with open(os.path.join(ROOT, "tools", "man", f"{name}.7.scd")) as f:
        text = f.read()
    blocks = []
    for match in BLOCK.finditer(text):
        marks = MARKS.search(text[:match.start()])
        blocks.append(Block(match[1], marks[1] if marks else "", text.count("\n", 0, match.start()) + 1))
    equal(len(blocks), len(re.findall(r"^```$", text, re.M)) // 2, "blocks found")
    return blocks


def shell(block, folder):
    """The block's commands as they stand."""
    want = int((re.findall(r"exit (\d+)", block.argument) or ["0"])[0])
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", block.text], cwd=folder, text=True,
                          errors="replace", capture_output=True, timeout=120,
                          stdin=subprocess.DEVNULL,
                          env={**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"})
    output = done.stdout + done.stderr
    where = f"the block at line {block.line}:\n{block.text}"
    if done.returncode != want:
        raise Failure(f"exit {done.returncode}, not {want}: {where}\n{output}")
    for text in block.expected:
        check(text in output, f"'{text}' is not in the output of {where}\n{output}")


def put(path, text, folder):
    with open(os.path.join(folder, path), "w") as f:
        f.write(text)


def follow(name, blocks, folder):
    counts = {"run": 0, "file": 0, "host": 0}
    for block in blocks:
        check(block.kind in counts, "a known kind", block.kind)
        counts[block.kind] += 1
        if block.kind == "file":
            put(block.argument, block.text, folder)
        elif block.kind == "run":
            shell(block, folder)
        else:
            check(block.argument, "a reason why it is not executed", block.line)
            run("bash", "-n", "-c", block.text)
    print(f"         {name}: {counts['run']} blocks executed, {counts['file']} files, "
          f"{counts['host']} not executed: they need a NIC or a booted system")
    check(counts["run"] > counts["host"], "most are executed", counts)


def prepare(name):
    for tool in ("jq", "curl", "openssl", "tshark"):
        if shutil.which(tool) is None:
            raise Skip(f"'{tool}' is missing: tools/install-deps")
    folder = os.path.join(WORK, name)
    os.makedirs(f"{folder}/bin")
    for place in ("/etc", "/usr/share", "/var/lib"):
        lay_over(place)
    os.makedirs("/etc/trefoil", exist_ok=True)
    os.makedirs("/usr/share/trefoil", exist_ok=True)
    shutil.copy(os.path.join(ROOT, "config", "geo", "internet.tgt") if IS_FULL else make_geo(), TABLE)
    shutil.rmtree("/var/lib/trefoil", ignore_errors=True)
    os.makedirs(f"{STATE}/evidence")
    for tool in TOOLS:
        os.symlink(program(tool), os.path.join(folder, "bin", tool))
    os.makedirs("/run/trefoil", exist_ok=True)
    run("ip", "link", "set", "lo", "up")
    return folder


def settings(**more):
    return {"appliance.socket": "/run/trefoil/control.sock", "mirror.dir": f"{STATE}/evidence",
            "appliance.state_dir": STATE, "metrics.listen": "127.0.0.1:9433", **more}


def test_operator():
    folder = prepare("operator")
    blocks = read_guide("trefoil-operator")
    [policy] = [b.text for b in blocks if b.argument == "/etc/trefoil/policy.ini"]
    shutil.copy(os.path.join(ROOT, "tests", "data", "demo.pcap"), f"{folder}/capture.pcap")
    with Network(hosts=False), \
            Daemon(policy, settings(**{"appliance.geo_table": TABLE})) as d, \
            Sniffer("inside") as inside:
        inside.send(*[frame4("8.8.8.8", udp(bytes(30)))] * 50, *[frame4("175.45.176.1")] * 5)
        d.counted(55)
        follow("trefoil-operator(7)", blocks, folder)


def test_auditor():
    folder = prepare("auditor")
    with Network(hosts=False), Daemon(settings=settings()) as d, Sniffer("inside") as inside:
        inside.send(*[frame4(CN, udp(bytes(40)))] * 9, *[frame4(US)] * 4, frame4(IE))
        d.counted(14)
        d.ctl("mirror", "rotate")
        until("the next segment", lambda: d.status()["mirror"]["segments"] == 2)
        with open(d.policy_path) as f:
            policy = f.read()
        d.push(policy + "\n[prefix]\npass = 20.5.1.0/24\n")
        put("head", d.status()["mirror"]["evidence"]["chain"]["sha256"], folder)
        put("policy.ini", policy, folder)
        equal(d.stop(), 0, "exit code")
        shutil.copytree(f"{STATE}/evidence", f"{folder}/evidence")
        shutil.copy(f"{folder}/evidence/public.pem", folder)
        shutil.copy(f"{STATE}/audit.jsonl", folder)
        shutil.copy(make_geo(), f"{folder}/table.tgt")
        for name in ("country4.csv", "country6.csv", "asn4.csv"):
            shutil.copy(os.path.join(WORK, name), folder)
        Daemon.running.remove(d)
        d.start()
        follow("trefoil-auditor(7)", read_guide("trefoil-auditor"), folder)


main()
