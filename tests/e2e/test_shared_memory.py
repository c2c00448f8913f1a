#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Ports in shared memory: another process sends over memif, or as the vhost of a virtio-user port."""
import glob
import os
import subprocess

from e2e import (CN, IE, IE6, WORK, Daemon, Failure, Skip, check, conserved, equal, frame4, frame6,
                 main, until, write_pcap)

N = 100000
POLICY = "[policy]\nname = e2e\ndefault = drop\n\n[country]\napprove = EU\n"
SINK = "net_null0,no-rx=1"


class Generator:
    """tests/bench/generator: sends a capture again and again."""

    def __init__(self, vdev, path, memory):
        capture = write_pcap("sent.pcap", [frame4(IE), frame4(CN), frame6(IE6)])
        first = min(os.sched_getaffinity(0))
        self.path = path
        self.process = subprocess.Popen(
            [os.path.join(os.environ["TREFOIL_E2E_BUILD"], "tests/bench/generator"),
             f"--lcores=0@{first}", "--file-prefix=generator", "--no-pci", "--no-telemetry",
             *memory, f"--vdev={vdev}", "--", capture], stdin=subprocess.DEVNULL)

    def __enter__(self):
        until("the generator's socket", self._has_socket)
        return self

    def _has_socket(self):
        if self.process.poll() is not None:
            raise Failure(f"the generator ended with {self.process.returncode}")
        return os.path.exists(self.path)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.unlink(self.path)


def judges(there, here, path, hugepages=False):
    """What comes over a port is judged frame by frame, none is lost in between."""
    memory = ["--in-memory", "--single-file-segments"] if hugepages else \
        ["--no-huge", "--no-shconf", "-m", "64"]
    settings = {"eal.hugepages": "yes" if hugepages else "no", "mirror.dir": None,
                "mirror.rotate_mb": None}
    with Generator(there, path, memory) as generator, \
            Daemon(policy=POLICY, vdevs=[here, SINK], settings=settings) as d:
        until(f"{N} frames received", lambda: d.counters()["rx"]["packets"] >= N)
        generator.process.kill()
        seen = []

        def is_still():
            seen.append(d.counters()["rx"]["packets"])
            return len(seen) > 1 and seen[-1] == seen[-2]
        until("nothing more comes", is_still, pause=0.1)
        c = d.counters()
        equal(conserved(c), None, "what the counters break")
        check(abs(c["forwarded"]["packets"] - 2 * c["dropped"]["packets"]) <= 2,
              "two of three frames are forwarded", c["forwarded"], c["dropped"])
        equal(sorted(c["reasons"]), ["approved-country", "default"], "reasons")


def memif(directory):
    common = f"id=0,socket-abstract=no,socket={directory}/memif"
    return f"net_memif0,role=server,{common}", f"net_memif0,role=client,{common}", \
        f"{directory}/memif"


def virtio(directory):
    path = f"{directory}/vhost"
    return f"net_vhost0,iface={path}", \
        f"net_virtio_user0,path={path},queue_size=1024,packed_vq=1,mrg_rxbuf=0", path


def test_memif():
    judges(*memif(WORK))


def test_virtio_user():
    judges(*virtio(WORK))


def test_virtio_user_with_hugepages():
    """The other side maps the memory of the port: few files, however many hugepages."""
    free = 0
    for path in glob.glob("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"):
        with open(path, encoding="ascii") as f:
            free = int(f.read())
    if free < 300:
        raise Skip(f"needs 300 free hugepages of 2 MiB, here are {free}: sysctl vm.nr_hugepages")
    judges(*virtio(WORK), hugepages=True)


main()
