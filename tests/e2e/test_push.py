#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A pushed policy takes effect between two frames: none is lost, none slips through. A policy that
is refused changes nothing."""
import json
import socket
import struct
import threading
import time

from e2e import (CN, DE, IE, POLICY, REFUSED, Daemon, Network, Sniffer, addresses_of, check, equal,
                 frame4, main, ping, run, udp, until)

PAUSE = 0.0005  # between two frames: about 1500 a second


class Stream:
    """Numbered frames to IE and DE in turn, until stopped."""

    def __init__(self, inside):
        self.inside, self.sent, self.is_over = inside, 0, False
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.is_over:
            for address in (IE, DE):
                self.inside.send(frame4(address, udp(struct.pack("!I", self.sent))))
            self.sent += 1
            time.sleep(PAUSE)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()

    def more(self, count):
        goal = self.sent + count
        until("frames sent", lambda: self.sent >= goal)


def numbers(frames, address):
    return [struct.unpack("!I", f[42:46])[0] for f in frames if addresses_of(f) == address]


def test_no_approved_frame_is_lost():
    """IE is approved by every policy; DE until the third push, and again from the fifth on."""
    without_de = POLICY.replace("drop = KP", "drop = KP DE")
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        with Stream(inside) as stream:
            stream.more(100)
            for i, text in enumerate([POLICY, POLICY + "# again\n", without_de, without_de, POLICY,
                                      POLICY + "[prefix]\npass = 20.4.1.0/24\n"]):
                d.push(text)
                equal(d.status()["generation"], i + 2, "generation")
                stream.more(200)
        c = d.counted(2 * stream.sent)
        frames = outside.take(c["forwarded"]["packets"])
        equal(outside.drops(), 0, "frames that the sniffer missed")
        equal(numbers(frames, IE), list(range(stream.sent)), "numbers of the approved frames")
        german = numbers(frames, DE)
        gaps = [(a, b) for a, b in zip(german, german[1:]) if b != a + 1]
        equal(len(gaps), 1, f"one interruption of DE, gaps: {gaps}")
        check(gaps[0][1] - gaps[0][0] > 200, "it lasts as long as the policies without DE", gaps)
        equal(c["countries"]["DE"]["dropped"], gaps[0][1] - gaps[0][0] - 1, "DE dropped, counted")
        equal(c["countries"]["IE"]["dropped"], 0, "IE dropped")


def test_refused_by_trefoilctl():
    with Network(), Daemon() as d:
        done = d.push(POLICY + "[country]\ndorp = FR\n", code=REFUSED, name="typo.ini")
        check("typo.ini:" in done.stderr and "dorp" in done.stderr, "file:line and the word",
              done.stderr)
        equal((d.status()["generation"], ping(IE), ping(CN, wait=1)), (1, 1, 0),
              "the policy of before")
        for text, word in (("[country]\napprove = XQQ\n", "XQQ"), ("[nowhere]\na = b\n", "nowhere"),
                           ("[country]\napprove = FR\ndrop = FR\n", "FR"), ("approve = FR\n", "1"),
                           ("[policy]\ndefault = maybe\n", "maybe"), ("\0", "1")):
            done = d.push(text, code=REFUSED)
            check("pushed.ini:" in done.stderr and word in done.stderr, "file:line", done.stderr)
        d.ctl("push", "/nowhere/policy.ini", code=REFUSED)
        equal(d.status()["generation"], 1, "generation")


def test_refused_by_the_daemon():
    """What another client sends past trefoilctl's own check is checked again."""
    with Network(), Daemon() as d, socket.socket(socket.AF_UNIX) as s:
        s.connect(d.socket)
        lines = s.makefile("rw")
        for text in ("[country]\napprove = XQQ\n", "garbage", 5, None):
            lines.write(json.dumps({"command": "push", "name": "raw.ini", "text": text}) + "\n")
            lines.flush()
            answer = json.loads(lines.readline())
            equal((answer["ok"], answer["exit"]), (False, REFUSED), f"answer to {text!r}")
        lines.write('not json\n{"command":"nonsense"}\n{"command":"status"}\n')
        lines.flush()
        answers = [json.loads(lines.readline()) for _ in range(3)]
        equal([a["ok"] for a in answers], [False, False, True], "garbage, unknown, status")
        equal(answers[2]["result"]["generation"], 1, "generation")
        equal(ping(IE), 1, "forwards")


def test_who_and_why():
    with Network(hosts=False), Daemon() as d:
        path = d.write_policy(POLICY.replace("name = e2e", "name = second"))
        d.ctl("push", path, "-m", "ticket 4711")
        policy = d.status()["policy"]
        equal((policy["name"], policy["message"], policy["pushed_by"]),
              ("second", "ticket 4711", "root"), "policy")
        digest = run("sha256sum", path).stdout.split()[0]
        equal(policy["sha256"], digest, "sha256 of the file")


def test_check_without_a_daemon():
    with Network(hosts=False), Daemon() as d:
        d.ctl("check", d.policy_path)
        bad = d.write_policy("[policy]\nmode = shdaow\n")
        done = d.ctl("check", bad, code=REFUSED)
        check("policy.ini:2" in done.stderr and "shadow" in done.stderr, "line and nearest word",
              done.stderr)


def test_names_that_do_not_fit():
    """A name or a message is cut between characters, else no status could be told any more; what
    would forge a line of the log is refused."""
    with Network(hosts=False), Daemon() as d, socket.socket(socket.AF_UNIX) as s:
        s.connect(d.socket)
        lines = s.makefile("rw")

        def raw(**request):
            lines.write(json.dumps({"command": "push", "text": "[country]\napprove = IE\n",
                                    **request}) + "\n")
            lines.flush()
            return json.loads(lines.readline())
        for request in ({"name": "é" * 40}, {"name": "x" + "é" * 40}, {"message": "é" * 128},
                        {"message": "x" + "é" * 128}):
            check(raw(**request)["ok"], "pushed", request)
            policy = d.status()["policy"]
            check("é" * 31 in policy["name"] + policy["message"], "cut", policy)
        for name in ("a\ntrefoild: forged.ini", "\x1b[31m.ini"):
            equal(raw(name=name)["exit"], REFUSED, f"pushed as {name!r}")
        equal(d.status()["generation"], 5, "generation")


def test_pushes_in_one_go():
    """Generations that nobody sees any more are freed between pushes that wait in a row."""
    def memory():
        with open(f"/proc/{d.process.pid}/status") as f:
            return next(int(line.split()[1]) >> 10 for line in f if line.startswith("VmRSS"))
    count = 60
    push = json.dumps({"command": "push", "text": POLICY, "name": "raw.ini"}) + "\n"
    with Network(hosts=False), Daemon() as d, socket.socket(socket.AF_UNIX) as s:
        d.ctl("push", d.policy_path)
        most = memory() + 1200  # each takes some 70 MB
        s.connect(d.socket)
        s.sendall(push.encode() * count)
        lines = s.makefile("r")
        for i in range(count):
            answer = json.loads(lines.readline())
            # Where a worker or the writer does not get a core for seconds, waiting is the answer.
            check(answer["ok"] or "older generations" in answer["errors"][0]["message"],
                  "pushed or told to wait", i, answer)
            check(memory() < most, "memory is given back", i, memory(), most)
        d.push(POLICY)


main()
