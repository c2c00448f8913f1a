# SPDX-License-Identifier: BSD-3-Clause
"""trefoild under test."""
import json
import os
import select
import signal
import socket
import subprocess

from common import PATIENCE, WORK, Failure, Skip, check, equal, program, run, until
from places import POLICY, make_geo


def cores(count):
    """Cores for the workers; the last ones, since everything else runs on the first."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < count:
        raise Skip(f"{count} workers need {count} cores, here is {len(allowed)}")
    return ",".join(map(str, allowed[-count:]))


class Daemon:
    """trefoild with settings of its own. `settings` replaces keys: {"mirror.format": "pcap"}; None
    leaves a key out."""

    running = []

    def __init__(self, policy=POLICY, settings=None, vdevs=None, queues=1, mtu=1500, workers=1,
                 environment=None):
        self.dir = os.path.join(WORK, f"daemon{len(os.listdir(WORK))}")
        os.mkdir(self.dir)
        self.mirror_dir = os.path.join(self.dir, "mirror")
        os.mkdir(self.mirror_dir)
        self.policy_path = os.path.join(self.dir, "policy.ini")
        if policy is not None:
            self.write_policy(policy)
        self.process = None
        self.prefix = []  # a program that starts it
        self.environment = environment or {}  # may have a NOTIFY_SOCKET of the test's own
        if vdevs is None:
            # Rings of 8192 frames: on a busy machine the worker may not run for a while.
            ring = f"qpairs={queues},"
            ring += "blocksz=16384,framesz=16384,framecnt=2048" if mtu > 1800 else \
                "blocksz=65536,framesz=2048,framecnt=8192"
            vdevs = [f"net_af_packet0,iface=in0,{ring}", f"net_af_packet1,iface=out0,{ring}"]
        self.values = {
            "appliance.name": "e2e", "appliance.state_dir": self.dir,
            "appliance.socket": os.path.join(self.dir, "control.sock"),
            "appliance.geo_table": make_geo(),
            "appliance.policy": self.policy_path, "appliance.max_geo_age_days": 3650,
            "eal.cores": cores(workers), "eal.memory_mb": 192, "eal.hugepages": "no",
            "eal.vdev": vdevs,
            "wire border.inside": vdevs[0].split(",")[0] if vdevs else None,
            "wire border.outside": vdevs[1].split(",")[0] if vdevs else None,
            "wire border.queues": queues, "wire border.mtu": mtu,
            "wire border.link_propagation": "no",
            "mirror.dir": self.mirror_dir, "mirror.rotate_mb": 64,
            "access.operators": None,
        }
        self.values.update(settings or {})
        self.socket = self.values["appliance.socket"]
        self.ini = os.path.join(self.dir, "trefoild.ini")
        with open(self.ini, "w") as f:
            f.write(self._text())

    def _text(self):
        sections = {}
        for key, value in self.values.items():
            name, key = key.split(".", 1)
            values = value if isinstance(value, list) else [] if value is None else [value]
            sections.setdefault(name, []).extend(f"{key} = {v}" for v in values)
        return "".join("\n".join([f"[{name}]", *lines, ""]) for name, lines in sections.items()
                       if lines)

    def write_policy(self, text):
        with open(self.policy_path, "w") as f:
            f.write(text)
        return self.policy_path

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is not None and kind is not Skip:
            self.dump()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        Daemon.running.remove(self)

    def start(self):
        self.stderr_path = os.path.join(self.dir, "stderr")
        if "NOTIFY_SOCKET" in self.environment:
            return self._start_noticed()
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = os.path.join(self.dir, "notify")
        notify.bind(path)
        os.chmod(path, 0o777)  # as systemd's: the daemon may have become somebody else
        self.spawn({**self.environment, "NOTIFY_SOCKET": path})
        with notify:
            while not select.select([notify], [], [], 0.05)[0]:
                if self.process.poll() is not None:
                    raise Failure(f"trefoild ended with {self.process.returncode} at start\n"
                                  f"{self.stderr()}")
            check(b"READY=1" in notify.recv(4096), "READY=1 first")
        os.unlink(path)
        return self

    def spawn(self, environment=None):
        """Start without waiting for anything."""
        with open(self.stderr_path, "w") as err:
            self.process = subprocess.Popen(
                [*self.prefix, program("trefoild"), "-c", self.ini], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=err, env={**os.environ, **(environment or {})})
        Daemon.running.append(self)

    def _start_noticed(self):
        """The test hears what it notifies; here it has only to answer."""
        self.spawn(self.environment)

        def answers():
            if self.process.poll() is not None:
                raise Failure(f"trefoild ended with {self.process.returncode} at start\n"
                              f"{self.stderr()}")
            return self.ctl("status", code=None).returncode == 0
        until("it answers", answers)
        return self

    def stop(self, how=signal.SIGTERM):
        """Ask it to end; its exit code."""
        self.process.send_signal(how)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failure("trefoild does not end") from None

    def stderr(self):
        with open(self.stderr_path, errors="replace") as f:
            return f.read()

    def ctl(self, *args, code=0):
        return run(program("trefoilctl"), "-s", self.socket, *args, code=code)

    def ask(self, *args, code=0):
        return json.loads(self.ctl("--json", *args, code=code).stdout)

    def status(self):
        return self.ask("status")

    def counters(self, by=None):
        return self.ask("counters", *(["--by", by] if by else []))

    def push(self, text, code=0, name="pushed.ini"):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return self.ctl("push", path, code=code)

    def counted(self, packets, patience=PATIENCE):
        """The counters once so many frames were received and the mirror has caught up."""
        def probe():
            c = self.counters()
            is_there = c["rx"]["packets"] >= packets and c["mirror"].get("queued", 0) == 0
            return c if is_there and conserved(c) is None else None
        try:
            c = until(f"{packets} frames received and conserved", probe, patience)
        except Failure as e:
            last = self.counters()
            raise Failure(f"{e}; rx {last['rx']}; {conserved(last)}") from None
        equal(c["rx"]["packets"], packets, "frames received")
        return c

    def mirror_files(self):
        """The segments; what keeps them in custody lies beside them."""
        return sorted(os.path.join(self.mirror_dir, n) for n in os.listdir(self.mirror_dir)
                      if n.endswith((".pcap", ".pcapng")))

    def dump(self):
        print("--- trefoild's standard error")
        print(self.stderr())
        if self.process.poll() is not None:
            print(f"--- trefoild has ended with {self.process.returncode}")
            return
        for args in (("status",), ("counters", "--by", "port"), ("counters",)):
            print(f"--- trefoilctl {' '.join(args)}")
            print(self.ctl(*args, code=None).stdout)


def conserved(c):
    """None, or which law the counters break."""
    forwarded = sum(r["forwarded"] for r in c["reasons"].values())
    dropped = sum(r["dropped"] for r in c["reasons"].values())
    m = c["mirror"]
    if c["rx"]["packets"] != c["forwarded"]["packets"] + c["dropped"]["packets"]:
        return f"rx {c['rx']} != forwarded {c['forwarded']} + dropped {c['dropped']}"
    if c["rx"]["bytes"] != c["forwarded"]["bytes"] + c["dropped"]["bytes"]:
        return f"bytes: rx {c['rx']} != forwarded {c['forwarded']} + dropped {c['dropped']}"
    if (forwarded, dropped) != (c["forwarded"]["packets"], c["dropped"]["packets"]):
        return f"reasons sum up to {forwarded} forwarded, {dropped} dropped"
    if m["enabled"] and c["mirrored"]["packets"] != m["written"] + m["lost"] + m["queued"]:
        return f"mirrored {c['mirrored']} != {m}"
    return None
