#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Roles by the kernel's word on who asks; approvals of different people, of whom root is not one;
the same through a real sshd. Groups and users are those that every Debian has."""
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile

from e2e import (DONE, KP, NOT_PERMITTED, POLICY, REFUSED, ROOT, UNREACHABLE, WORK, Daemon,
                 Network, Skip, check, equal, main, ping, program, run, until)

OPERATORS, APPROVERS, AUDITORS, VIEWERS = "audio", "video", "games", "news"
ACCESS = {"access.operators": OPERATORS, "access.approvers": APPROVERS,
          "access.auditors": AUDITORS, "access.viewers": VIEWERS}
OPEN = POLICY.replace("drop = KP", "approve = KP")


def gid(name):
    with open("/etc/group") as f:
        return next(int(line.split(":")[2]) for line in f if line.split(":")[0] == name)


class Person:
    """A user by number, in groups by name; trefoilctl is where everybody can run it."""

    def __init__(self, d, uid, *groups):
        if os.geteuid() != 0 or len(open("/proc/self/uid_map").read().split()) == 3 and \
                open("/proc/self/uid_map").read().split()[2] == "1":
            raise Skip("only one user in this namespace: run as root")
        self.d, self.uid, self.groups = d, uid, [gid(g) for g in groups]
        for path in (d.dir, WORK):
            os.chmod(path, 0o755)
        self.program = os.path.join(WORK, "trefoilctl")
        if not os.path.exists(self.program):
            shutil.copy(program("trefoilctl"), self.program)

    def ctl(self, *args, code=DONE):
        return run(self.program, "-s", self.d.socket, *args, code=code, user=self.uid,
                   group=65534, extra_groups=self.groups)

    def push(self, text, *args, code=DONE):
        path = os.path.join(WORK, f"push{self.uid}.ini")
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o644)
        return self.ctl("push", path, *args, code=code)


def test_roles():
    with Network(hosts=False), Daemon(settings=ACCESS) as d:
        people = {"operator": Person(d, 2001, OPERATORS), "approver": Person(d, 2002, APPROVERS),
                  "auditor": Person(d, 2003, AUDITORS), "viewer": Person(d, 2004, VIEWERS),
                  "nobody": Person(d, 2005), "both": Person(d, 2006, VIEWERS, OPERATORS)}
        may = {"status": "operator approver auditor viewer both",
               "counters": "operator approver auditor viewer both",
               "explain 20.1.0.1": "operator approver auditor viewer both",
               "history": "operator approver auditor viewer both",
               "show": "operator approver auditor viewer both",
               "mirror status": "operator auditor both", "mirror rotate": "operator auditor both",
               "push": "operator both", "confirm": "operator both", "rollback": "operator both",
               "approve 1": "approver"}
        for command, allowed in may.items():
            for name, person in people.items():
                done = person.push(POLICY, code=None) if command == "push" else \
                    person.ctl(*command.split(), code=None)
                if name in allowed.split():
                    check(done.returncode in (DONE, REFUSED), f"{name} may {command}", done)
                else:
                    equal(done.returncode, NOT_PERMITTED, f"{name}: {command}")
                    check("trefoild.ini" in done.stderr, "says what to do", done.stderr)
        equal(d.status()["policy"]["pushed_by"], "uid 2006", "who")


ASK = """
import json, socket, sys
for request in json.loads(sys.argv[2]):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(sys.argv[1])
        s.sendall(json.dumps(request).encode() + b"\\n")
        answer = json.loads(s.makefile().readline())
        print(0 if answer["ok"] else answer["exit"])
"""


def test_every_command_by_its_own_name():
    """What trefoilctl would not send; a command that is new must be put in here."""
    anybody, operator = "operator approver auditor viewer", "operator"
    may = {"status": anybody, "counters": anybody, "diff": anybody, "explain": anybody,
           "history": anybody, "show": anybody, "shadow": anybody, "watch": anybody,
           "push": operator, "confirm": operator, "rollback": operator, "shadow-push": operator,
           "shadow-drop": operator, "promote": operator, "approve": "approver",
           "mirror": "operator auditor", "geo": operator}
    actions = {"mirror": ("", "status", "rotate", "list", "hold", "release", "x"),
               "geo": ("", "push", "reload", "rollback", "x", "Status")}
    requests, allowed = [], []
    for name, roles in may.items():
        for action in actions.get(name, ("", "status")):
            requests.append({"command": name, "action": action})
            allowed.append(roles)
    requests += [{"command": "geo", "action": "status"}, {"command": "geo", "action": ["status"]},
                 {"command": ["status"], "action": "status"}, {"command": "push\0", "text": POLICY},
                 {"command": "geo", "action": "status\0x"}]
    allowed += [anybody, operator, None, None, None]
    with open(os.path.join(ROOT, "app/trefoild/commands.c")) as f:
        equal(sorted(re.findall(r'^\t\{ "(.*?)",', f.read(), re.M)), sorted(may), "the commands")
    with Network(hosts=False), Daemon(settings=ACCESS) as d:
        people = {"operator": Person(d, 2001, OPERATORS), "approver": Person(d, 2002, APPROVERS),
                  "auditor": Person(d, 2003, AUDITORS), "viewer": Person(d, 2004, VIEWERS)}
        before = d.ask("show")["generation"]
        for name in ("viewer", "auditor", "approver", "operator"):
            person = people[name]
            done = run("/usr/bin/python3", "-c", ASK, d.socket, json.dumps(requests),
                       user=person.uid, group=65534, extra_groups=person.groups)
            for request, roles, code in zip(requests, allowed, done.stdout.split(), strict=True):
                if roles is None:
                    check(code != "0", f"{name}: {request}", code)
                else:
                    equal(code != "4", name in roles.split(), f"{name} may {request}: {code}")
            if name != "operator":
                equal(d.ask("show")["generation"], before, f"nothing changed by {name}")


def test_who_may_nothing_cannot_fill_the_log():
    """What was tried is told for 60 a minute, and counted in the next line beyond them."""
    tried = [{"command": "push", "text": POLICY}] * 200
    with Network(hosts=False), Daemon(settings=ACCESS) as d:
        before = d.status()["audit"]["lines"]
        done = run("/usr/bin/python3", "-c", ASK, d.socket, json.dumps(tried),
                   user=2004, group=65534, extra_groups=Person(d, 2004, VIEWERS).groups)
        equal(set(done.stdout.split()), {"4"}, "not permitted")
        told = d.status()["audit"]["lines"] - before
        check(60 <= told <= 120, "told; at most two minutes have begun", told)
        Person(d, 2001, OPERATORS).push(POLICY)
        with open(os.path.join(d.dir, "audit.jsonl")) as f:
            records = [json.loads(line) for line in f]
        equal(sum(r.get("not_permitted_before", 0) for r in records), 200 - told, "counted")


FLOOD = """
import socket, sys, time
clients, chunk, sent = [], b"x" * 65536, 0
for i in range(60):
    s = socket.socket(socket.AF_UNIX)
    s.setblocking(False)
    s.connect(sys.argv[1])
    s.send(b'{"command":"status","x":"')
    clients.append([s, 0])
end = time.monotonic() + 5
while time.monotonic() < end and sent < 300 << 20:
    for c in clients:
        try:
            n = c[0].send(chunk) if c[1] < 15 << 20 else 0
            c[1] += n
            sent += n
        except BlockingIOError:
            pass
        except OSError:
            c[1] = 1 << 30
print(sent >> 20, flush=True)
sys.stdin.read()
"""


def resident(d):
    with open(f"/proc/{d.process.pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) >> 10


def test_what_a_viewer_sends_takes_little_memory():
    """Requests that never end, as large as they may be, by somebody who may only look."""
    with Network(hosts=False), Daemon(settings=ACCESS) as d:
        viewer = Person(d, 2004, VIEWERS)
        before = resident(d)
        flood = subprocess.Popen(["python3", "-c", FLOOD, d.socket], user=viewer.uid, group=65534,
                                 extra_groups=viewer.groups, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        sent = int(flood.stdout.readline())
        check(sent > 100, "it was sent", sent)
        check(resident(d) - before < 160, "memory", before, resident(d))
        d.push(OPEN)
        d.ctl("geo", "push", os.path.join(ROOT, "config/geo/internet.tgt"))
        equal(d.status()["generation"], 3, "operators are served")
        flood.communicate()


def test_groups_that_do_not_exist():
    with Network(hosts=False), Daemon(settings={"access.approvals": 1}) as d:
        stranger = Person(d, 2001, OPERATORS)
        stranger.ctl("status", code=NOT_PERMITTED)
        check("no group 'trefoil-operators'" in d.stderr(), "the log says it", d.stderr())
        d.push(POLICY)  # the daemon's own user is an operator
        equal(d.status()["waiting"], [2], "and waits for an approval like everybody")
        d.ctl("approve", "2", code=NOT_PERMITTED)
        said = [x for x in d.stderr().splitlines() if "no group 'trefoil-operators': nobody has a role" in x]
        equal(len(said), 1, "each missing group is named once")
        check(any("nobody can approve" in a for a in d.status()["alarms"]), "alarm",
              d.status()["alarms"])


def test_approvals():
    with Network(), Daemon(settings={**ACCESS, "access.approvals": 2}) as d:
        operator = Person(d, 2001, OPERATORS, APPROVERS)
        first, second = Person(d, 2002, APPROVERS), Person(d, 2003, APPROVERS)
        other = Person(d, 2004, APPROVERS)
        check("approve 2" in operator.push(OPEN).stdout, "says what is missing")
        equal((d.status()["generation"], d.status()["waiting"], ping(KP, wait=1)), (1, [2], 0),
              "it does not judge yet")
        check("your own" in operator.ctl("approve", "2", code=NOT_PERMITTED).stderr, "own push")
        first.ctl("approve", "2")
        check("already" in first.ctl("approve", "2", code=NOT_PERMITTED).stderr, "twice")
        d.ctl("approve", "2", code=NOT_PERMITTED)  # root is no approver
        equal(ping(KP, wait=1), 0, "one of two")
        equal(d.stop(), 0, "exit code")
        Daemon.running.remove(d)
        d.start()
        equal(d.status()["waiting"], [2], "it still waits after a restart")
        check("is running" in second.ctl("approve", "2").stdout, "the second one")
        equal((ping(KP), d.status()["generation"], d.status()["waiting"]), (1, 2, []), "it judges")
        record = d.ask("show", "2")
        equal([a["uid"] for a in record["approvals"]], [2002, 2003], "by whom")
        check("no approval" in other.ctl("approve", "2", code=REFUSED).stderr, "too late")
        d.push(POLICY)
        operator.ctl("rollback")
        equal((ping(KP, wait=1), d.status()["generation"]), (0, 4), "back needs no approval")
        for person in (first, second):
            check("push it again" in person.ctl("approve", "3", code=REFUSED).stderr, "stale")
        record = d.ask("show", "3")
        equal((record["state"], "generation 4 began" in record["note"]), ("refused", True),
              "it does not wait for ever")
        check("waits for approval" in operator.ctl("rollback", "2").stdout, "not the one before")


def test_a_push_is_withdrawn():
    with Network(hosts=False), Daemon(settings={**ACCESS, "access.approvals": 1}) as d:
        operator, approver = Person(d, 2001, OPERATORS), Person(d, 2002, APPROVERS)
        operator.push(OPEN)
        approver.ctl("rollback", "2", code=NOT_PERMITTED)
        check("2 is withdrawn" in operator.ctl("rollback", "2", "-m", "a typo").stdout, "says so")
        equal((d.status()["waiting"], d.status()["generation"]), ([], 1), "nothing changed")
        record = d.ask("show", "2")
        equal((record["state"], record["note"][-6:]), ("refused", "a typo"), "record")
        text = d.ctl("show", "2").stdout
        check(re.search("note +by uid 2001: a typo", text) and "rolled back" not in text, "for people",
              text)
        operator.ctl("rollback", "2", code=REFUSED)
        check("a typo" in approver.ctl("approve", "2", code=REFUSED).stderr, "why not")
        with open(os.path.join(d.dir, "audit.jsonl")) as f:
            check("generation 2 is withdrawn by" in f.read(), "the audit log has it")
        states = [g["state"] for g in d.ask("history")["generations"]]
        equal(states, ["refused", "confirmed"], "history")


def test_nobody_goes_back_step_by_step():
    """Each of many steps back would be free: together they are what an approval is for."""
    with Network(), Daemon(policy=OPEN, settings=ACCESS) as d:
        d.push(POLICY)
        d.push(POLICY.replace("name = e2e", "name = third"))
        equal(d.stop(), 0, "exit code")
        d.values["access.approvals"] = 1
        with open(d.ini, "w") as f:
            f.write(d._text())
        Daemon.running.remove(d)
        d.start()
        operator, approver = Person(d, 2001, OPERATORS), Person(d, 2002, APPROVERS)
        operator.ctl("rollback")
        equal((ping(KP, wait=1), d.status()["policy"]["name"]), (0, "e2e"), "one step is free")
        check("waits for approval" in operator.ctl("rollback").stdout, "the next one is not")
        equal((ping(KP, wait=1), d.status()["policy"]["name"]), (0, "e2e"), "nothing changed")
        approver.ctl("approve", str(d.status()["waiting"][0]))
        equal(ping(KP), 1, "approved")
        check("no earlier" in operator.ctl("rollback", code=REFUSED).stderr, "what was left is left")


def test_approvals_and_confirmation():
    """The time to confirm begins when it judges."""
    with Network(hosts=False), Daemon(settings={**ACCESS, "access.approvals": 1}) as d:
        operator, approver = Person(d, 2001, OPERATORS), Person(d, 2002, APPROVERS)
        operator.push(OPEN, "--confirm-within", "2s")
        equal(d.stop(), 0, "exit code")
        Daemon.running.remove(d)
        d.start()
        equal((d.status()["waiting"], d.ask("show", "2")["state"]), ([2], "waiting"),
              "it still waits after a restart")
        until("more than the time", lambda: d.status()["uptime_s"] > 3)
        approver.ctl("approve", "2")
        policy = d.status()["policy"]
        equal((policy["confirmed"], policy["confirm_left_s"] > 0), (False, True), "time runs")
        until("the rollback", lambda: d.status()["generation"] == 3)


class Sshd:
    """A real one, on loopback, for root by key."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(dir=WORK)
        for key in ("host", "user"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.dir}/{key}")
        shutil.copy(f"{self.dir}/user.pub", f"{self.dir}/authorized_keys")
        with open(f"{self.dir}/sshd_config", "w") as f:
            f.write(f"Port 2222\nListenAddress 127.0.0.1\nHostKey {self.dir}/host\n"
                    f"AuthorizedKeysFile {self.dir}/authorized_keys\nStrictModes no\n"
                    f"UsePAM no\nPasswordAuthentication no\nPidFile none\n"
                    f"PermitRootLogin prohibit-password\nLogLevel VERBOSE\n"
                    f"SetEnv PATH={os.path.dirname(program('trefoilctl'))}:/usr/bin:/bin\n")
        self.ssh = f"{self.dir}/ssh"
        with open(self.ssh, "w") as f:
            f.write(f"#!/bin/sh\nexec ssh -F none -i {self.dir}/user -o BatchMode=yes "
                    f"-o StrictHostKeyChecking=no -o UserKnownHostsFile={self.dir}/known "
                    f"-o LogLevel=ERROR \"$@\"\n")
        os.chmod(self.ssh, 0o755)

    def __enter__(self):
        os.makedirs("/run/sshd", exist_ok=True)
        run("ip", "link", "set", "lo", "up")
        self.log = open(f"{self.dir}/log", "w")
        self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f",
                                         f"{self.dir}/sshd_config"], stderr=self.log)

        def answers():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", 2222)) == 0
        until("sshd", answers)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def ctl(self, d, *args, code=DONE, url="ssh://root@127.0.0.1:2222"):
        return run(program("trefoilctl"), "-H", url, "-s", d.socket, *args, code=code,
                   env={**os.environ, "TREFOIL_SSH": self.ssh})


def test_through_ssh():
    if not os.path.exists("/usr/sbin/sshd"):
        raise Skip("sshd is not installed (tools/install-deps)")
    if os.geteuid() != 0:
        raise Skip("sshd logs in as root only when root runs it")
    with Network(hosts=False), Daemon(settings=ACCESS) as d, Sshd() as sshd:
        s = json.loads(sshd.ctl(d, "--json", "status").stdout)
        equal((s["name"], s["generation"]), ("e2e", 1), "status")
        path = d.write_policy(OPEN + "; " + "x" * 180 + "\n" + ("; " + "y" * 190 + "\n") * 3000)
        sshd.ctl(d, "push", path, "-m", "from afar", "--confirm-within", "10m")
        equal((d.status()["generation"], d.status()["policy"]["message"]), (2, "from afar"),
              "half a megabyte of policy")
        sshd.ctl(d, "confirm")
        equal(d.status()["policy"]["confirmed"], True, "confirmed")
        done = sshd.ctl(d, "rollback", "9", code=REFUSED)
        check("no generation 9" in done.stderr, "the daemon's own words", done.stderr)
        done = sshd.ctl(d, "status", code=UNREACHABLE, url="ssh://root@127.0.0.1:2223")
        check("can you log in" in done.stderr, "no sshd there", done.stderr)
        equal(d.stop(), 0, "exit code")
        done = sshd.ctl(d, "status", code=UNREACHABLE)
        check("is trefoild running" in done.stderr, "no daemon there", done.stderr)


main()
