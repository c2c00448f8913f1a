#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Links go and come, devices are deleted and made again: events with counters, never a crash, and
what one neighbour loses the other one sees."""
import os
import signal
import threading
import time

from e2e import (IE, KP, POLICY, Daemon, Network, Skip, Sniffer, check, conserved, equal, frame4, ip4, main,
                 ping, run, udp, until, within)
from watching import Watch

PROPAGATES = {"wire border.link_propagation": "yes", "wire border.link_hold_down_ms": 300,
              "wire border.link_settle_ms": 1500}


def carrier(host):
    """Does the neighbour see a link?"""
    with within(host):
        return "LOWER_UP" in run("ip", "link", "show", "eth0").stdout


def switch(host, state):
    """Pull or plug the neighbour's cable."""
    with within(host):
        run("ip", "link", "set", "eth0", state)


def sides(d):
    [wire] = d.status()["wires"]
    return wire["inside"], wire["outside"]


def wait_for(d, inside, outside):
    until(f"inside {inside}, outside {outside}",
          lambda: tuple(s["state"] for s in sides(d)) == (inside, outside))


def test_a_lost_link_is_passed_on():
    with Network(), Daemon(settings=PROPAGATES) as d, Watch(d, "watch") as lines:
        equal(ping(IE), 1, "before")
        for lost, other, port, held in (("outside", "inside", "net_af_packet1", "net_af_packet0"),
                                        ("inside", "outside", "net_af_packet0", "net_af_packet1")):
            del lines.lines[:]
            switch(lost, "down")
            until(f"{other} sees no link", lambda: not carrier(other))
            lines.wait_for("link", f"{port} is down")
            lines.wait_for("link-held", f"{held} is taken down")
            until("the alarm", lambda: any(f"{port} has no link; down with it: port {held}" in a
                                           for a in d.status()["alarms"]))
            states = {s["port"]: s["state"] for s in sides(d)}
            equal(states, {port: "down", held: "held"}, "states")
            switch(lost, "up")
            lines.wait_for("link", f"{port} is up")
            lines.wait_for("link-released", f"{held} is let go")
            until(f"{other} sees a link", lambda: carrier(other))
            wait_for(d, "up", "up")
            until("no alarm", lambda: d.status()["alarms"] == [])
            if lost == "outside":
                equal(ping(IE), 1, "afterwards")
        equal([(s["downs"], s["held"]) for s in sides(d)], [(1, 1), (1, 1)], "counters in status")
        ports = d.counters("port")["ports"]
        equal([(p["link_downs"], p["link_held"], p["unplugged"]) for p in ports.values()],
              [(1, 1, 0)] * 2, "counters by port")


def test_hold_down():
    """A link that comes and goes faster than the hold-down keeps the other side down."""
    settings = {**PROPAGATES, "wire border.link_hold_down_ms": 600000}
    with Network(hosts=False), Daemon(settings=settings) as d:
        for _ in range(3):
            switch("outside", "down")
            wait_for(d, "held", "down")
            switch("outside", "up")
            wait_for(d, "held", "hold-down")
        equal(carrier("inside"), False, "the other side")
        equal([(s["downs"], s["held"]) for s in sides(d)], [(0, 1), (3, 0)], "counters")
        equal(d.stop(), 0, "exit code")
        equal(carrier("inside"), True, "it is let go when the daemon ends")


def test_both_lost_and_one_stays_dead():
    """Who was let go and gets no link takes the first one down again, until it is back."""
    with Network(hosts=False), Daemon(settings=PROPAGATES) as d:
        switch("outside", "down")
        wait_for(d, "held", "down")
        switch("inside", "down")
        switch("outside", "up")
        wait_for(d, "down", "held")
        switch("inside", "up")
        wait_for(d, "up", "up")
        equal(carrier("outside"), True, "the other side")


def test_a_killed_daemon_leaves_no_port_down_for_good():
    with Network(hosts=False), Daemon(settings=PROPAGATES) as d:
        switch("outside", "down")
        wait_for(d, "held", "down")
        d.stop(signal.SIGKILL)
        switch("outside", "up")
        equal(carrier("inside"), False, "it stays closed while no daemon runs")
        Daemon.running.remove(d)
        d.start()
        wait_for(d, "up", "up")
        equal(carrier("inside"), True, "inside")


def test_without_propagation():
    with Network(hosts=False), Daemon() as d:
        switch("outside", "down")
        wait_for(d, "up", "down")
        equal(carrier("inside"), True, "the other side")
        switch("outside", "up")
        wait_for(d, "up", "up")


class Load:
    """Frames from inside all the time; a link that is down refuses them."""

    def __init__(self, inside, address=IE):
        self.inside, self.address, self.is_over = inside, address, False
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.is_over:
            try:
                self.inside.send(*[frame4(self.address, udp(bytes(100)))] * 64)
            except OSError:
                pass
            time.sleep(0.001)  # the load

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()


def plug(network, end, host):
    run("ip", "link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", host)
    network._quiet(end)
    with within(host):
        network._quiet("eth0")


def passes(d):
    with Sniffer("inside") as inside, Sniffer("outside") as outside:
        def has_come():
            inside.send(frame4(IE))
            return outside.poll()
        until("a frame passes", has_come, pause=0.05)


def test_flaps_under_load():
    """Every frame is counted, and forwarding goes on each time."""
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside, Load(inside):
        for _ in range(5):
            run("ip", "link", "set", "out0", "down")
            wait_for(d, "up", "down")
            before = d.counters()["reasons"].get("link-down", {"dropped": 0})["dropped"]
            until("frames are dropped", lambda: d.counters()["reasons"].get(
                "link-down", {"dropped": 0})["dropped"] > before)
            run("ip", "link", "set", "out0", "up")
            wait_for(d, "up", "up")
            outside.poll()
            del outside.frames[:]
            until("frames pass", outside.poll)
        equal(conserved(d.counters()), None, "conservation")


def test_nothing_of_before_a_flap_passes_after_a_push():
    """The driver keeps what it could not send while the interface was down, approved as it was then."""
    with Network(hosts=False), Sniffer("inside") as inside, Sniffer("outside") as outside, \
            Daemon(policy=POLICY.replace("drop = KP", "approve = KP")) as d:
        with Load(inside, KP):
            until("frames pass", outside.poll)
            run("ip", "link", "set", "out0", "down")
            wait_for(d, "up", "down")
        received = -1
        while received != (received := d.counters()["rx"]["packets"]):
            time.sleep(0.05)  # between two looks
        d.push(POLICY)
        outside.poll()
        del outside.frames[:]
        run("ip", "link", "set", "out0", "up")
        wait_for(d, "up", "up")
        for i in range(1, 4):
            inside.send(frame4(IE))
            until(f"approved frame {i}", lambda: sum(f[30:34] == ip4(IE)[16:20]
                                                     for f in outside.poll()) >= i)
        equal([f[30:34] for f in outside.frames].count(ip4(KP)[16:20]), 0,
              "frames that are not approved any more")
        equal(conserved(d.counters()), None, "conservation")


def test_a_queue_of_the_kernel_that_is_full_holds_nobody_up():
    """net_af_packet waits in poll() for a place in its ring, for ever, where frames go through a
    queueing discipline that takes no more; by default they go past it."""
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        done = run("tc", "qdisc", "add", "dev", "out0", "root", "tbf", "rate", "1kbit", "burst", "2kb",
                   "limit", "1000000000", code=None)
        if done.returncode != 0:
            raise Skip(f"no token bucket in this kernel: {done.stderr.strip()}")
        for _ in range(100):  # more than the ring of 8192 holds
            received = d.counters()["rx"]["packets"]
            inside.send(*[frame4(IE, udp(bytes(1200)))] * 100)
            until("they are received", lambda: d.counters()["rx"]["packets"] >= received + 100)
        outside.send(frame4(IE))
        equal(inside.take(1), [frame4(IE)], "the other direction")
        check(d.status()["workers"][0]["still_ms"] < 1000, "the worker goes round")
        equal(conserved(d.counters()), None, "conservation")


def test_unplugged_and_plugged_in_again():
    """Either device, and both at once, under load."""
    with Network(hosts=False) as network, Daemon(settings=PROPAGATES) as d, \
            Watch(d, "watch") as lines:
        ends = {"in0": "inside", "out0": "outside"}
        for gone in (["out0"], ["in0"], ["in0", "out0"], ["out0", "in0"]):
            with Sniffer("inside") as inside, Load(inside):
                del lines.lines[:]
                for end in gone:
                    run("ip", "link", "del", end)
                    lines.wait_for("port-gone", f"net_af_packet{int(end == 'out0')}")
                until("unplugged", lambda: [s["state"] for s in sides(d)].count("unplugged")
                      == len(gone))
            check(any("its device is gone" in a for a in d.status()["alarms"]), "an alarm",
                  d.status()["alarms"])
            for end in reversed(gone):
                plug(network, end, ends[end])
                lines.wait_for("port-back", f"net_af_packet{int(end == 'out0')}")
            wait_for(d, "up", "up")
            passes(d)
            equal(conserved(d.counters()), None, "conservation")
        equal([s["unplugged"] for s in sides(d)], [3, 3], "counters")
        equal(d.stop(), 0, "exit code")


def packet_sockets(d):
    """Those of the daemon: a port that was given up must leave none, with its ring, behind."""
    with open(f"/proc/{d.process.pid}/net/packet") as f:
        sockets = {f"socket:[{line.split()[-1]}]" for line in f}
    place = f"/proc/{d.process.pid}/fd"
    return sum(os.readlink(f"{place}/{fd}") in sockets for fd in os.listdir(place))


def test_a_device_that_cannot_be_set_up_leaves_nothing():
    """Another one comes in the place of the first, and refuses the wire's mtu; then the right one."""
    with Network(hosts=False) as network, Daemon() as d, Watch(d, "watch") as lines:
        equal(packet_sockets(d), 2, "sockets of two ports")
        run("ip", "link", "del", "out0")
        lines.wait_for("port-gone")
        run("ip", "link", "add", "low0", "mtu", "1280", "type", "veth", "peer", "name", "low1")
        run("ip", "link", "add", "out0", "link", "low0", "type", "macvlan")
        until("it is refused", lambda: "does not take mtu = 1500" in d.stderr())
        until("its sockets are closed", lambda: packet_sockets(d) == 1)
        run("ip", "link", "del", "low0")  # and what is upon it
        plug(network, "out0", "outside")
        lines.wait_for("port-back")
        wait_for(d, "up", "up")
        passes(d)
        equal(packet_sockets(d), 2, "sockets of two ports")


def test_stops_while_unplugged():
    with Network(hosts=False), Daemon() as d, Watch(d, "watch") as lines:
        run("ip", "link", "del", "out0")
        lines.wait_for("port-gone")
        equal(d.stop(), 0, "exit code")
        check(not os.path.exists(d.socket), "no socket is left")


main()
