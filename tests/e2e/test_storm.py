#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Pushes without a pause, and clients that mean no good. Under traffic each copy is held against the
generation that is on it: no frame is judged by a mix, none is lost uncounted, memory stays."""
import json
import os
import random
import re
import socket
import struct
import threading
import time

from e2e import (CN, DE, IE, POLICY, ROOT, WORK, Daemon, Network, Sniffer, check, conserved, equal,
                 frame4, main, program, read_pcapng, run, udp, until)

SECONDS = float(os.environ.get("TREFOIL_STORM_SECONDS", "20"))
PUSHES = int(os.environ.get("TREFOIL_STORM_PUSHES", "1000"))
RATE = 1000 / 60  # pushes a second
# Generations with an even number drop DE, odd ones mirror it: whatever judged a frame can be told.
ODD = POLICY.replace("mirror = US", "mirror = US DE IE").replace("approve = EU", "approve = EEA") \
    .replace("name = e2e", "name = odd")
EVEN = POLICY.replace("drop = KP", "drop+mirror = DE\nmirror = IE") \
    .replace("name = e2e", "name = even")


def memory(d):
    with open(f"/proc/{d.process.pid}/status") as f:
        return next(int(line.split()[1]) >> 10 for line in f if line.startswith("VmRSS"))


class Client:
    def __init__(self, d):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(d.socket)
        self.lines = self.socket.makefile("r")

    def ask(self, **request):
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(self.lines.readline())

    def push(self, text):
        while True:
            answer = self.ask(command="push", name="storm.ini", text=text)
            if answer["ok"]:
                return answer["result"]["change"]["generation"]
            check("older generations" in answer["errors"][0]["message"], "only to wait", answer)


IN_FLIGHT = 3000  # frames; the port's ring holds 8192, and what the kernel drops nobody counts


def send_all_the_time(d, inside, state):
    client = Client(d)
    while not state["over"]:
        if state["sent"] % IN_FLIGHT == 0:
            until("the worker", lambda: client.ask(command="counters")["result"]["rx"]["packets"]
                  >= state["sent"] - IN_FLIGHT, patience=120)
        for address in (IE, DE, CN):
            inside.send(frame4(address, udp(struct.pack("!I", state["sent"]))))
            state["sent"] += 1
        time.sleep(0.0005)  # about 4000 frames a second


def test_pushes_under_traffic():
    """A thousand a minute; every copy says verdict and generation, and both must fit."""
    want = {"DE": {0: "drop+mirror", 1: "mirror"}, "IE": {0: "mirror", 1: "mirror"},
            "CN": {0: "drop+mirror", 1: "drop+mirror"}}
    with Network(hosts=False), Daemon(policy=ODD) as d, Sniffer("inside") as inside:
        state = {"sent": 0, "over": False}
        client = Client(d)
        thread = threading.Thread(target=send_all_the_time, args=(d, inside, state))
        begin, pushed = time.monotonic(), 0
        thread.start()
        try:
            while time.monotonic() - begin < SECONDS:
                generation = client.push(EVEN if pushed % 2 == 0 else ODD)
                pushed += 1
                equal(generation, pushed + 1, "generation")
                time.sleep(max(0, begin + pushed / RATE - time.monotonic()))
        finally:
            state["over"] = True
            thread.join()
        c = d.counted(state["sent"])
        equal(conserved(c), None, "conservation")
        computed = cpu(d)
        lost = c["mirror"]["lost"]
        equal(d.stop(), 0, "exit code")
        copies = forwarded = 0
        generations = set()
        for path in d.mirror_files():
            for packet in read_pcapng(path):
                fields = dict(re.findall(r"(\w+)=(\S+)", packet["comment"]))
                generation = int(fields["generation"])
                generations.add(generation)
                equal(fields["verdict"], want[fields["country"]][generation % 2],
                      f"verdict of {packet['comment']}")
                copies += 1
                forwarded += fields["verdict"] == "mirror"
        equal(copies + lost, state["sent"], "copies")
        if lost == 0:
            equal(forwarded, c["forwarded"]["packets"], "every forwarded frame was looked at")
        rate = pushed / SECONDS * 60
        print(f"   {pushed} pushes ({rate:.0f} a minute, {computed / pushed * 1e3:.1f} ms of one core "
              f"each), rx {c['rx']['packets']} = forwarded {c['forwarded']['packets']} + dropped "
              f"{c['dropped']['packets']}, {copies} copies of "
              f"{len(generations)} generations, {lost} lost by the mirror")
        check(len(generations) > pushed / 2, "most generations judged", len(generations), pushed)


def cpu(d):
    """Seconds that the daemon's main thread has computed."""
    with open(f"/proc/{d.process.pid}/task/{d.process.pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Stopwatch:
    """From a command to the first frame that it lets through, and what the daemon's main thread
    computed meanwhile: on a busy machine only that tells how long it takes."""

    def __init__(self, d, outside):
        self.outside = outside
        self.d = d
        self.begin, self.cpu_begin = time.monotonic(), cpu(d)
        outside.poll()
        outside.frames = []

    def stop(self, what, most):
        answered = time.monotonic() - self.begin
        until("a frame that the new generation lets through", self.outside.poll, pause=0.001)
        enforced, computed = time.monotonic() - self.begin, cpu(self.d) - self.cpu_begin
        print(f"   {what}: enforced after {enforced:.3f} s (answered after {answered:.3f} s), "
              f"{computed:.2f} s of one core; at most {most} s are allowed")
        check(computed < most, f"{what}: seconds of one core", computed)


def internet(name, *rows):
    """The shipped table with rows of an overlay."""
    table, text = os.path.join(WORK, name), os.path.join(WORK, name + ".csv")
    shipped = os.path.join(ROOT, "config/geo/internet.tgt")
    with open(text, "w") as f:
        f.write(run(program("trefoil-geo"), "export", "--table", shipped).stdout)
        f.write("".join(f"{row}\n" for row in rows))
    run(program("trefoil-geo"), "build", "-o", table, "--overlay", text)
    return table


def test_a_push_over_the_table_of_the_internet_is_quick():
    """Policy and data, while frames flow: none is lost, and the new generation judges in time."""
    closed = "[policy]\ndefault = pass\n[country]\ndrop = US\n"
    opened = closed.replace("drop = US", "drop = KP")
    address = "8.8.8.8"
    first = os.path.join(ROOT, "config/geo/internet.tgt")
    second = internet("moved.tgt", "8.8.8.0,8.8.8.255,IE")
    settings = {"appliance.geo_table": first}
    with Network(hosts=False), Daemon(policy=closed, settings=settings) as d, \
            Sniffer("inside") as inside, Sniffer("outside") as outside:
        state = {"sent": 0, "over": False}

        def send():
            while not state["over"]:
                inside.send(frame4(address, udp(struct.pack("!I", state["sent"]))))
                state["sent"] += 1
                time.sleep(0.0005)
        thread = threading.Thread(target=send)
        thread.start()
        try:
            until("frames", lambda: d.counters()["dropped"]["packets"] > 100)
            watch = Stopwatch(d, outside)
            d.push(opened)
            watch.stop("a policy", 1)
            d.push(closed)
            outside.poll()
            watch = Stopwatch(d, outside)
            d.ctl("geo", "push", second)
            watch.stop("a table of the Internet", 3)
        finally:
            state["over"] = True
            thread.join()
        c = d.counted(state["sent"])
        equal(conserved(c), None, "conservation")
        equal({r for r, n in c["reasons"].items() if n["packets"]},
              {"country", "approved-default"}, "no frame was lost")
        equal(c["forwarded"]["packets"] + c["dropped"]["packets"], state["sent"], "all were judged")


def test_pushes_in_a_row_take_no_memory():
    with Network(hosts=False), Daemon() as d:
        client = Client(d)
        for i in range(60):
            client.push(POLICY)
        before = memory(d)
        for i in range(PUSHES):
            client.push(POLICY)
        after = memory(d)
        print(f"   {PUSHES} pushes: {before} to {after} MiB")
        # The generations that wait for the readers, 70 MB each, come and go.
        check(after - before < 17 * 75, "memory", before, after)
        until("they are freed", lambda: memory(d) < before + 75)
        print(f"   {memory(d)} MiB once they are freed")
        equal(d.status()["generation"], PUSHES + 61, "generation")


def test_two_hundred_clients_that_mean_no_good():
    rng = random.Random(11)
    with Network(hosts=False), Daemon() as d:
        clients = []
        for i in range(200):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(5)
            try:
                s.connect(d.socket)
                kind = i % 5
                if kind == 0:
                    s.sendall(rng.randbytes(rng.randrange(1, 5000)))
                elif kind == 1:
                    s.sendall(b'{"command":"sta')  # and never goes on
                elif kind == 2:
                    s.sendall(b'{"command":"counters"}\n' * 50)  # and never reads
                elif kind == 3:
                    s.sendall(b'{"command":"push","text":"' + b"x" * 100000)
                    s.close()  # in the middle
            except OSError:
                pass
            clients.append(s)
            if i % 10 == 9:
                time.sleep(0.06)
        begin = time.monotonic()
        done = until("an answer", lambda: d.ctl("status", code=None).returncode == 0)
        check(done and time.monotonic() - begin < 5, "an operator gets in", time.monotonic() - begin)
        d.push(POLICY)
        equal(d.status()["generation"], 2, "generation")
        for s in clients:
            s.close()
        check(memory(d) < 600, "memory", memory(d))


main()
