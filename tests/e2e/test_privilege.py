#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Root is given up, files and the socket are for whom they are meant. The users and groups are those
that every Debian has: `games` plays the daemon's user, `news` the auditors."""
import os
import pwd
import re
import stat

from e2e import (CN, IE, KP, NOT_PERMITTED, POLICY, REFUSED, ROOT, US, WORK, Daemon, Network, Skip, Sniffer,
                 check, equal, frame4, main, program, run, until, within)

USER, AUDITORS, OPERATORS = "games", "news", "audio"
NET_ADMIN, NET_RAW, IPC_LOCK = 12, 13, 14


def own_daemon(**settings):
    with open("/proc/self/uid_map") as f:
        if os.geteuid() != 0 or f.read().split()[2] == "1":
            raise Skip("only one user in this namespace: run as root")
    place = os.path.join(WORK, f"place{len(os.listdir(WORK))}")
    os.mkdir(place, 0o755)
    os.chmod(WORK, 0o755)
    d = Daemon(settings={
        "appliance.user": USER, "appliance.state_dir": f"{place}/state",
        "appliance.socket": f"{place}/run/control.sock", "mirror.dir": f"{place}/state/evidence",
        "access.operators": OPERATORS, "access.auditors": AUDITORS, **settings})
    d.mirror_dir, d.place = f"{place}/state/evidence", place
    for path in (d.dir, d.policy_path):
        os.chmod(path, 0o755)
    return d


def status_of(pid, tid):
    with open(f"/proc/{pid}/task/{tid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_every_thread_has_given_up():
    user = pwd.getpwnam(USER)
    with Network(hosts=False), own_daemon() as d:
        with open(f"/proc/{d.process.pid}/limits") as f:
            lock = 0 if re.search(r"Max locked memory +unlimited", f.read()) else 1 << IPC_LOCK
        tids = os.listdir(f"/proc/{d.process.pid}/task")
        check(len(tids) >= 4, "control, interrupt, worker and writer threads", tids)
        for tid in tids:
            s = status_of(d.process.pid, tid)
            equal(s["Uid"].split(), [str(user.pw_uid)] * 4, f"user of {s['Name']}")
            equal(s["Gid"].split(), [str(user.pw_gid)] * 4, f"group of {s['Name']}")
            check("0" not in s["Groups"].split(), "not in root's group", s["Groups"])
            equal(s["NoNewPrivs"], "1", f"no_new_privs of {s['Name']}")
            equal([int(s[k], 16) for k in ("CapInh", "CapAmb")], [0, 0], f"of {s['Name']}")
            kept = 1 << NET_ADMIN | 1 << NET_RAW | lock if int(tid) == d.process.pid else 0
            equal((int(s["CapPrm"], 16), int(s["CapEff"], 16)), (kept, kept),
                  f"capabilities of {s['Name']}")
        equal(int(status_of(d.process.pid, d.process.pid)["CapBnd"], 16), 0, "bounding set")
        check(re.search(r"runs as user games \(uid \d+\).*net_admin, net_raw", d.stderr()),
              "the log says what is kept", d.stderr())


def test_a_device_comes_back():
    """Its ring is locked memory, which is made again by somebody who is not root any more."""
    with Network(hosts=False) as network, own_daemon() as d, Sniffer("inside") as inside:
        run("ip", "link", "del", "out0")
        until("it is gone", lambda: d.status()["wires"][0]["outside"]["state"] == "unplugged")
        run("ip", "link", "add", "out0", "type", "veth", "peer", "name", "eth0", "netns", "outside")
        network._quiet("out0")
        with within("outside"):
            network._quiet("eth0")
        until("it is back", lambda: d.status()["wires"][0]["outside"]["state"] == "up")
        with Sniffer("outside") as outside:
            inside.send(frame4(CN), frame4(IE))
            equal(outside.take(1), [frame4(IE)], "what passes")


def test_it_works_as_before():
    """Frames, pushes, geo data, links, the mirror, and an end without leftovers."""
    with Network(hosts=False), own_daemon() as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        inside.send(frame4(IE), frame4(KP), frame4(US))
        outside.take(2)
        d.counted(3)
        d.push(POLICY.replace("drop = KP", "approve = KP"))
        inside.send(frame4(KP))
        outside.take(1)
        d.ctl("geo", "reload")
        d.ctl("mirror", "rotate")
        run("ip", "link", "set", "out0", "down")
        until("the alarm", lambda: any("link" in a for a in d.status()["alarms"]))
        run("ip", "link", "set", "out0", "up")
        until("its end", lambda: d.status()["alarms"] == [])
        equal(d.stop(), 0, "exit code")
        check(not os.path.exists(d.socket), "the socket is removed")
        run(program("trefoil-audit"), "verify", d.mirror_dir, "--key", f"{d.mirror_dir}/public.pem")
        in0 = run("ip", "-d", "link", "show", "in0").stdout
        check("promiscuity 0" in in0, "in0 is not promiscuous any more", in0)
        Daemon.running.remove(d)
        d.start()
        equal(d.status()["generation"], 3, "after a restart, as its own user again")


def test_the_capabilities_of_the_unit_are_enough():
    """First start and restart with what config/trefoild.service.in leaves to root."""
    with open(os.path.join(ROOT, "config/trefoild.service.in")) as f:
        caps = re.search(r"^CapabilityBoundingSet=(.*)$", f.read(), re.M)[1].lower().split()
    caps.append("cap_ipc_lock")  # in place of the unit's LimitMEMLOCK=infinity
    bound = ",".join(["-all", *("+" + c.removeprefix("cap_") for c in caps)])
    with Network(hosts=False):
        d = own_daemon()
        os.mkdir(f"{d.place}/state")
        os.mkdir(f"{d.place}/run")
        d.prefix = ["setpriv", f"--bounding-set={bound}", f"--inh-caps={bound}"]
        for generation in (1, 1):
            with d:
                equal(d.status()["generation"], generation, "generation")
                equal(d.stop(), 0, "exit code")


def as_user(uid, groups, *command):
    return run(*command, code=None, user=uid, group=65534, extra_groups=groups)


def test_evidence_is_for_auditors():
    auditors = int(next(g for g in open("/etc/group") if g.startswith(AUDITORS + ":")).split(":")[2])
    operators = int(next(g for g in open("/etc/group") if g.startswith(OPERATORS + ":")).split(":")[2])
    with Network(hosts=False), own_daemon() as d, Sniffer("inside") as inside:
        inside.send(frame4(KP))
        d.counted(1)
        equal(mode(d.mirror_dir), 0o750, "mode of the directory")
        files = [os.path.join(d.mirror_dir, name) for name in os.listdir(d.mirror_dir)]
        check(len(files) >= 3, "segment, checkpoints, manifest", files)
        for path in files:
            check(mode(path) & 0o022 == 0, "nobody else writes", path)
        segment = d.mirror_files()[0]
        equal(as_user(2001, [auditors], "cat", segment).returncode, 0, "an auditor reads it")
        for groups in ([operators], []):
            check(as_user(2002, groups, "cat", segment).returncode != 0, "others do not", groups)
        check(as_user(2001, [auditors], "touch", segment).returncode != 0, "nor writes an auditor")
        for secret in ("evidence.key", "audit.jsonl"):
            check(as_user(2001, [auditors, operators], "cat", f"{d.place}/state/{secret}")
                  .returncode != 0, "nobody reads", secret)


def test_the_socket():
    """The kernel admits the groups of [access] and nobody else; mode 0660."""
    gids = {g.split(":")[0]: int(g.split(":")[2]) for g in open("/etc/group")}
    with Network(hosts=False), own_daemon() as d:
        equal(mode(d.socket), 0o660, "mode of the socket")
        copy = os.path.join(WORK, "trefoilctl")
        run("cp", program("trefoilctl"), copy)

        def ask(uid, groups):
            return as_user(uid, groups, copy, "-s", d.socket, "status")
        equal(ask(2001, [gids[AUDITORS]]).returncode, 0, "an auditor")
        equal(ask(2002, [gids[OPERATORS]]).returncode, 0, "an operator")
        nobody = ask(2003, [])
        equal(nobody.returncode, NOT_PERMITTED, "somebody else")
        check("not permitted to connect" in nobody.stderr, "by the kernel", nobody.stderr)
        d.push(POLICY)  # root


def test_what_cannot_be_given_up():
    """Somebody else's directory, no such user, root: refused with the command that mends it."""
    with Network(hosts=False):
        d = own_daemon()
        os.mkdir(f"{d.place}/state")
        with open(f"{d.place}/state/something", "w"):
            pass
        done = run(program("trefoild"), "-c", d.ini, code=None)
        check(f"chown -R {USER}: {d.place}/state" in done.stderr, "the command", done.stderr)
        equal(os.stat(f"{d.place}/state").st_uid, 0, "still root's")
        for user, text in (("nosuchuser", "adduser --system"), ("root", "name another user")):
            done = run(program("trefoild"), "-c", own_daemon(**{"appliance.user": user}).ini,
                       code=REFUSED)
            check(text in done.stderr, user, done.stderr)


def test_evidence_that_cannot_be_shared():
    """No group of auditors, a directory that is root's: the command that mends it."""
    with Network(hosts=False):
        with own_daemon(**{"access.auditors": "nosuchgroup"}) as d:
            check(f"{d.mirror_dir}: only root and {USER} may read it" in d.stderr(), "who", d.stderr())
            check("addgroup --system nosuchgroup" in d.stderr(), "the command", d.stderr())
        d = own_daemon()
        os.makedirs(f"{d.place}/evidence")
        d.values["mirror.dir"] = f"{d.place}/evidence"
        with open(d.ini, "w") as f:
            f.write(d._text())
        done = run(program("trefoild"), "-c", d.ini, code=NOT_PERMITTED)
        check(f"chown -R {USER}: {d.place}/evidence" in done.stderr, "the command", done.stderr)


def test_root_is_said():
    with Network(hosts=False), Daemon() as d:
        check("keeps the privileges of root" in d.stderr(), "the log", d.stderr())


main()
