# SPDX-License-Identifier: BSD-3-Clause
"""The programs that are compared: started once per capture, stopped while another is measured, and
asked for their own counters."""
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import time

N_BUFFERS = 131072  # of every program: the capture's 100 Ki stay with net_pcap
POOL_MB = 640  # without hugepages a buffer fills a page of 4 KiB
PATIENCE = 60
PR_SET_PDEATHSIG = 1
SETTLE_S = 0.15  # after a program goes on: caches, and frames on their way


class Failure(Exception):
    """A program did not do what was asked; says what, and the end of its log."""


class Skip(Exception):
    """This cannot be measured here; says why."""


def die_with_parent():
    """In the child: a program that was stopped must not be left behind with its hugepages."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait(seconds):
    """A measured interval; nothing else is waited for."""
    select.select([], [], [], seconds)


class Machine:
    """Where things run. `core` is the one under test, `other` has everything else."""

    def __init__(self, directory, core, other, has_hugepages, build):
        self.directory, self.core, self.other = directory, core, other
        self.has_hugepages, self.build = has_hugepages, build
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
            self.has_avx512 = " avx512f " in f.read()

    def memory(self, mb):
        """EAL's options for `mb` beside the buffers. With hugepages it takes what it needs."""
        if self.has_hugepages:
            return ["--in-memory", "--single-file-segments"]
        return ["--no-huge", "--no-shconf", "-m", str(mb + POOL_MB)]


def wire_vdevs(wire):
    return [f"--vdev={v}" for v in wire]


class Program:
    """A process under test. `name` is its column."""

    name = None

    def __init__(self, machine, label):
        self.machine = machine
        self.directory = tempfile.mkdtemp(prefix=f"{label}-", dir=machine.directory)
        self.log_path = os.path.join(self.directory, "log")
        self.process = None

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {**os.environ, "RUNTIME_DIRECTORY": self.directory}

    def start(self):
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.PIPE, stdout=log, stderr=log,
                env=self.environment(), cwd=self.directory, preexec_fn=die_with_parent)
        self.wait_ready()
        return self

    def wait_ready(self):
        """Until it forwards."""
        self.until("it forwards", lambda: self.packets() > 0)

    def until(self, what, probe):
        deadline = time.monotonic() + PATIENCE
        while True:
            if self.process.poll() is not None:
                raise Failure(f"{self.name} ended with {self.process.returncode}\n{self.log()}")
            try:
                if probe():
                    return
            except OSError:  # it does not listen yet
                pass
            if time.monotonic() > deadline:
                raise Failure(f"{self.name}: not within {PATIENCE} s: {what}\n{self.log()}")
            select.select([], [], [], 0.02)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            lines = [line for line in f if "Adding route" not in line]
        return "".join(lines[-15:])

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process = None

    def packets(self):
        """Packets sent on, ever."""
        raise NotImplementedError

    def rate(self, seconds):
        """Mpps over an interval, by its own counter. Reading takes a moment: its middle counts."""
        def read():
            before = time.monotonic()
            packets = self.packets()
            return (before + time.monotonic()) / 2, packets

        wait(SETTLE_S)
        t0, p0 = read()
        wait(seconds)
        t1, p1 = read()
        return (p1 - p0) / (t1 - t0) / 1e6

    def check(self):
        """Raise Failure if what it did is not what is compared."""

    def note(self):
        """What must be known about the figures, or None."""


class Trefoild(Program):
    name = "trefoild"

    def __init__(self, machine, label, wire, table, traffic):
        super().__init__(machine, label)
        self.traffic = traffic
        self.socket = os.path.join(self.directory, "control.sock")
        self.ini = os.path.join(self.directory, "trefoild.ini")
        policy = os.path.join(self.directory, "policy.ini")
        with open(policy, "w", encoding="ascii") as f:
            f.write(table.policy())
        mb = 512 if machine.has_hugepages else 64 + POOL_MB
        inside, outside = (v.split(",")[0] for v in wire)
        with open(self.ini, "w", encoding="ascii") as f:
            f.write(f"[appliance]\nname = bench\nstate_dir = {self.directory}\n"
                    f"socket = {self.socket}\ngeo_table = {os.path.abspath(table.path)}\n"
                    f"policy = {policy}\nmax_geo_age_days = 3650\n"
                    f"[eal]\ncores = {machine.core}\nmemory_mb = {mb}\nbuffers = {N_BUFFERS}\n"
                    f"hugepages = {'yes' if machine.has_hugepages else 'no'}\n"
                    + "".join(f"vdev = {v}\n" for v in wire)
                    + f"[wire bench]\ninside = {inside}\noutside = {outside}\nmtu = 1500\n"
                    "link_propagation = no\n")

    def command(self):
        return [os.path.join(self.machine.build, "app/trefoild/trefoild"), "-c", self.ini]

    def counters(self, by=None):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(PATIENCE)
            s.connect(self.socket)
            request = {"command": "counters", **({"by": by} if by else {})}
            s.sendall(json.dumps(request).encode() + b"\n")
            with s.makefile("rb") as f:
                answer = json.loads(f.readline())
        if not answer.get("ok"):
            raise Failure(f"trefoild: counters: {answer}")
        return answer["result"]

    def packets(self):
        """All of them were to be sent, or (traffic to everywhere) to be judged."""
        c = self.counters()
        return c["forwarded" if self.traffic.is_approved else "rx"]["packets"]

    def check(self):
        c = self.counters()
        n, dropped = c["rx"]["packets"], c["dropped"]["packets"]
        want = n * self.traffic.n_dropped / len(self.traffic.destinations)
        if c["reasons"].get("tx-full", {}).get("dropped"):
            raise Failure(f"trefoild: the port refused frames: {c['reasons']}")
        # Counters of a moment: up to a burst per pass over the capture is on its way.
        if abs(dropped - want) > 2 * len(self.traffic.destinations):
            raise Failure(f"trefoild: dropped {dropped} of {n}, expected about {want:.0f}: "
                          f"{c['reasons']}")


class DpdkProgram(Program):
    """A program of DPDK, asked over telemetry."""

    prefix = "peer"
    out_port = 1

    def eal(self, lcores, memory_mb):
        force = ["--force-max-simd-bitwidth=512"] if self.machine.has_avx512 else []
        return [f"--lcores={lcores}", f"--file-prefix={self.prefix}", "--no-pci",
                "--log-level=*:warning", *self.machine.memory(memory_mb), *force]

    def telemetry(self, request):
        path = os.path.join(self.directory, "dpdk", self.prefix, "dpdk_telemetry.v2")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(PATIENCE)
            s.connect(path)
            s.recv(16384)
            s.send(request.encode())
            return json.loads(s.recv(65536))[request.split(",", maxsplit=1)[0]]

    def packets(self):
        stats = self.telemetry(f"/ethdev/stats,{self.out_port}")
        return stats["opackets"] if stats else 0


class Testpmd(DpdkProgram):
    name = "testpmd mac"

    def __init__(self, machine, label, wire):
        super().__init__(machine, label)
        self.wire = wire

    def command(self):
        lcores = f"0@({self.machine.other},{self.machine.core}),1@{self.machine.core}"
        return ["dpdk-testpmd", *self.eal(lcores, 64), "--main-lcore=0", *wire_vdevs(self.wire),
                "--", "--forward-mode=mac", "--auto-start", "--nb-cores=1", "--burst=32",
                "--rxd=1024", "--txd=1024", "--mbcache=256", "--no-flush-rx",
                f"--total-num-mbufs={N_BUFFERS}"]


class Generator(DpdkProgram):
    """Sends a capture over `vdev` from the other core, as fast as it is taken."""

    name = "generator"
    prefix = "generator"

    def __init__(self, machine, label, vdev, capture):
        super().__init__(machine, label)
        self.vdev, self.capture = vdev, capture

    def command(self):
        return [os.path.join(self.machine.build, "tests/bench/generator"),
                *self.eal(f"0@{self.machine.other}", 64), f"--vdev={self.vdev}", "--",
                self.capture.path]

    def wait_ready(self):
        """Until the other side could connect."""
        self.until("its port is up", lambda: self.telemetry("/generator/bursts"))

    def bursts(self):
        """Taken whole, and others."""
        b = self.telemetry("/generator/bursts")
        return b["whole"], b["partial"]


class Pair:
    """A program and the generator that feeds it, as one: both run, or neither."""

    def __init__(self, generator, program):
        self.generator, self.program = generator, program
        self.name = program.name
        self.bursts = (0, 0)

    def start(self):
        self.generator.start()
        try:
            self.program.start()
        except BaseException:
            self.generator.stop()
            raise
        self.bursts = self.generator.bursts()
        return self

    def pause(self):
        self.generator.pause()
        self.program.pause()

    def resume(self):
        self.program.resume()
        self.generator.resume()

    def stop(self):
        self.program.stop()
        self.generator.stop()

    def rate(self, seconds):
        return self.program.rate(seconds)

    def check(self):
        self.program.check()

    def note(self):
        """Who waited for whom."""
        whole, partial = (a - b for a, b in zip(self.generator.bursts(), self.bursts))
        share = 100 * whole / max(whole + partial, 1)
        text = f"{self.name}: took {share:.0f} % of the generator's bursts whole"
        return text + (", so that the generator was the limit" if share > 90 else "")


class L3fwd(DpdkProgram):
    name = "l3fwd FIB"

    def __init__(self, machine, label, wire, binary, routes):
        super().__init__(machine, label)
        self.wire, self.binary, self.routes = wire, binary, routes

    def command(self):
        # It sets up a queue per lcore and port, and net_pcap has one: the main lcore forwards.
        return [self.binary, *self.eal(f"0@{self.machine.core}", 4000), *wire_vdevs(self.wire),
                "--", "-p", "3", "-P", "--lookup", "fib", "--parse-ptype", "--config",
                "(0,0,0),(1,0,0)", f"--rule_ipv4={self.routes[4][0]}",
                f"--rule_ipv6={self.routes[6][0]}"]
