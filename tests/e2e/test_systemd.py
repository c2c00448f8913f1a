#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The unit as it is shipped, under a systemd that was started in namespaces of its own. It knows no
other unit; only the program it starts, its settings, and how long its watchdog waits are the test's."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time

from e2e import (CN, IE, KP, POLICY, WORK, Daemon, Failure, Network, Skip, Sniffer, check, equal, frame4,
                 lay_over, main, make_geo, program, run, until)
from probes import Stopped

SYSTEMD = "/lib/systemd/systemd"
USER, AUDITORS, OPERATORS = "games", "news", "audio"
SOCKET, STATE = "/run/trefoil/control.sock", "/var/lib/trefoil"
UNITS = f"{WORK}/units"
WATCHDOG_S = 3
GROUP = f"{WORK}/cgroup/trefoil-{time.time_ns()}"
BOOT = f"""mkdir {WORK}/cgroup && mount -t cgroup2 cgroup2 {WORK}/cgroup || exit 77
mkdir {GROUP} && echo $$ >{GROUP}/cgroup.procs || exit 77
exec unshare --cgroup --mount --ipc --uts --pid --fork --kill-child --mount-proc sh -c '
umount -R /sys 2>/dev/null; mount -t sysfs -o ro sysfs /sys || exit 77
mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 77
exec {SYSTEMD} --system --unit=basic.target --log-target=console --show-status=no'"""


def remove_groups():
    """Those are left of the whole machine's; what is killed may need a moment to leave them."""
    for place, _, _ in os.walk(GROUP, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(place)
    return not os.path.exists(GROUP)


class Unit:
    """systemd, and how it is asked of the unit."""

    def __enter__(self):
        with open("/proc/self/uid_map") as f:
            if os.geteuid() != 0 or f.read().split()[2] == "1":
                raise Skip("systemd needs a root with more than one user: run as root")
        if not os.path.exists(SYSTEMD):
            raise Skip("systemd is not installed: tools/install-deps test")
        self.log = open(f"{WORK}/systemd.log", "w")
        self.process = subprocess.Popen(
            ["sh", "-c", BOOT], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={"PATH": os.environ["PATH"], "container": "trefoil-e2e", "SYSTEMD_UNIT_PATH": UNITS})
        is_up = False
        with contextlib.suppress(Failure):
            until("systemd answers or has ended", lambda: self.process.poll() is not None or self.answers())
            is_up = self.process.poll() is None
        if not is_up:
            self.__exit__(Skip)
            raise Skip(f"no systemd comes up here: {self.text('systemd.log')[-300:] or 'it is silent'}")
        return self

    def __exit__(self, kind, *_):
        if kind is not None and kind is not Skip:
            print(self.text("systemd.log"), self.text("unit.log"))
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()
        until("its control groups can be removed", remove_groups)

    @staticmethod
    def text(name):
        with contextlib.suppress(FileNotFoundError), open(f"{WORK}/{name}", errors="replace") as f:
            return f.read()
        return ""

    def ctl(self, *args):
        first = run("pgrep", "-P", self.process.pid, code=None).stdout.strip() or "0"
        return run("nsenter", "-t", first, "-a", "-r", "systemctl", *args, code=None, timeout=30)

    def answers(self):
        return self.ctl("is-active", "basic.target").stdout == "active\n"

    def show(self, key):
        return self.ctl("show", "trefoild", "-P", key).stdout.strip()

    def do(self, verb):
        done = self.ctl(verb, "trefoild")
        equal(done.returncode, 0, f"systemctl {verb}: {done.stderr}{self.text('unit.log')[-3000:]}")

    def comes_back(self, how):
        """The main process is hit; seconds until another one answers."""
        old, begin = self.pid(), time.monotonic()
        if how == "a worker hangs":
            self.hang(old)
        else:
            os.kill(old, how)
        until("another one", lambda: self.pid() not in (0, old), 30)
        until("it answers", lambda: ctl("status", code=None).returncode == 0)
        return time.monotonic() - begin

    def hang(self, pid):
        """A worker; the daemon names it, asks systemd to act, and leaves a backtrace."""
        names = [open(f"/proc/{pid}/task/{t}/comm").read().strip() for t in os.listdir(f"/proc/{pid}/task")]
        before = self.text("unit.log").count("SIGABRT in thread")
        with Stopped(pid, next(n for n in names if "worker" in n)):
            until("it is ended", lambda: self.text("unit.log").count("SIGABRT in thread") > before, 30)
        check("the worker on core" in self.text("unit.log"), "the worker is named")

    def pid(self):
        """As this namespace calls the main process."""
        found = run("pgrep", "-f", "^/usr/sbin/trefoild$", code=None).stdout.split()
        return int(found[0]) if len(found) == 1 else 0


def ctl(*args, **options):
    return run(program("trefoilctl"), "-s", SOCKET, *args, **options)


def install():
    """What the package would: program, table, settings, unit."""
    for place in ("/etc", "/usr/sbin", "/usr/share", "/var/lib"):
        lay_over(place)
    shutil.rmtree(STATE, ignore_errors=True)
    for path in ("/etc/trefoil", "/usr/share/trefoil", UNITS, f"{UNITS}/trefoild.service.d"):
        os.makedirs(path, exist_ok=True)
    shutil.copy(program("trefoild"), "/usr/sbin/trefoild")
    shutil.copy(make_geo(), "/usr/share/trefoil/internet.tgt")
    # Small rings: where systemd may not lift the limit of locked memory, they have to fit into it.
    d = Daemon(vdevs=["net_af_packet0,iface=in0", "net_af_packet1,iface=out0"], settings={
        "appliance.user": USER, "appliance.state_dir": None, "appliance.socket": None,
        "appliance.geo_table": None, "appliance.policy": None, "mirror.dir": f"{STATE}/evidence",
        "mirror.filter": "not port 443", "metrics.listen": "127.0.0.1:9433",
        "metrics.telemetry": "yes", "access.operators": OPERATORS, "access.auditors": AUDITORS})
    shutil.copy(d.ini, "/etc/trefoil/trefoild.ini")
    put_policy(POLICY)
    build = os.environ["TREFOIL_E2E_BUILD"]
    with open(os.path.join(build, "config", "trefoild.service")) as f:
        unit = re.sub(r"=(\+?)\S*/sbin/trefoild\b", r"=\1/usr/sbin/trefoild", f.read())
    put("trefoild.service", unit)
    put("trefoild.service.d/test.conf",
        f"[Service]\nWatchdogSec={WATCHDOG_S}s\nStandardError=append:{WORK}/unit.log\n")
    for target in ("sysinit", "basic", "shutdown", "network-pre"):
        put(f"{target}.target", "[Unit]\nDefaultDependencies=no\n")


def put(name, text):
    with open(f"{UNITS}/{name}", "w") as f:
        f.write(text)


def put_policy(text):
    with open("/etc/trefoil/policy.ini", "w") as f:
        f.write(text)


def forwards(inside, outside, what):
    """What is approved passes again, and nothing else."""
    def passes():
        inside.send(frame4(KP), frame4(IE), frame4(CN))
        return outside.take(1)
    equal(until(what, passes)[0], frame4(IE), what)


def test_it_starts_and_comes_back():
    install()
    with Network(hosts=False), Unit() as unit, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        unit.do("start")
        equal((unit.show("ActiveState"), unit.show("NRestarts")), ("active", "0"), "the unit")
        forwards(inside, outside, "after the first start")
        equal(os.stat(STATE).st_uid, os.stat(SOCKET).st_uid, "owner of state and socket")
        check(os.stat(STATE).st_uid != 0, "which is not root")
        check(os.path.exists("/run/trefoil/dpdk/trefoil/dpdk_telemetry.v2"), "telemetry")
        push = f"{WORK}/pushed.ini"
        shutil.copy("/etc/trefoil/policy.ini", push)
        ctl("push", push)
        unit.do("reload")
        unit.do("restart")
        forwards(inside, outside, "after a restart, with what the first start left")
        put_policy("[policy]\nmistake = yes\n")
        took = unit.comes_back(signal.SIGKILL)
        forwards(inside, outside, "after a kill, with the generation and not with the file")
        worker = unit.comes_back("a worker hangs")
        forwards(inside, outside, "after a worker hung")
        hung = unit.comes_back(signal.SIGSTOP)
        forwards(inside, outside, "after it hung")
        check(hung < WATCHDOG_S + 10, "by the watchdog", hung)
        print(f"         killed: answers after {took:.2f} s; a worker hung: {worker:.2f} s; "
              f"all hung: {hung:.2f} s (watchdog {WATCHDOG_S} s)")
        equal(unit.show("NRestarts"), "3", "restarts by systemd")
        equal(json.loads(ctl("--json", "status").stdout)["generation"], 3, "pushed, then reloaded")
        check("bpf_jit" not in unit.text("unit.log"), "no native code is asked for in vain")
        unit.do("stop")
        equal((unit.show("Result"), unit.show("ActiveState")), ("success", "inactive"), "its end")
        run(program("trefoil-audit"), "verify", f"{STATE}/evidence", "--key", f"{STATE}/evidence.pub")


main()
