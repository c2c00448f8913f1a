#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Counters add up, by reason and by country, and the JSON keys other people's scripts rely on are
there."""
import os
import random
import signal

from e2e import (CN, CN6, DE, IE, IE6, JP, KP, UNKNOWN, US, US6, Daemon, Network, Sniffer, arp,
                 check, equal, ethernet, frame4, frame6, lldp, main, udp, until)

# (frame, how many, expected: reason, is forwarded, is mirrored, country)
TRAFFIC = [
    (frame4(IE, udp(bytes(100))), 400, ("approved-country", True, False, "IE")),
    (frame4(DE), 300, ("approved-country", True, False, "DE")),
    (frame4(JP), 50, ("approved-country", True, False, "JP")),
    (frame4("20.4.9.7"), 70, ("approved-asn", True, False, "CN")),
    (frame4(US, udp(bytes(700))), 200, ("country", True, True, "US")),
    (frame4(CN), 150, ("default", False, True, "CN")),
    (frame4(KP), 30, ("country", False, False, "KP")),
    (frame4(UNKNOWN), 20, ("unknown", False, True, "unknown")),
    (frame6(IE6), 60, ("approved-country", True, False, "IE")),
    (frame6(US6), 40, ("country", True, True, "US")),
    (frame6(CN6), 25, ("default", False, True, "CN")),
    (frame4("192.168.3.4"), 15, ("special", True, False, None)),
    (arp(), 8, ("non-ip", True, False, None)),
    (lldp(), 4, ("non-ip", True, False, None)),
    (ethernet(0x1234, bytes(46)), 5, ("unknown-ethertype", False, True, None)),
    (frame4(IE)[:20], 6, ("truncated", False, True, None)),
]


def send_all(host, traffic):
    frames = [f for f, count, _ in traffic for _ in range(count)]
    random.Random(3).shuffle(frames)
    host.send(*frames)
    return frames


def test_laws_and_totals():
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        frames = send_all(inside, TRAFFIC)
        c = d.counted(len(frames))
        equal(c["rx"]["bytes"], sum(map(len, frames)), "bytes received")
        want = {"reasons": {}, "countries": {}, "forwarded": 0, "mirrored": 0}
        for frame, count, (reason, is_forwarded, is_mirrored, country) in TRAFFIC:
            r = want["reasons"].setdefault(
                reason, {"packets": 0, "bytes": 0, "forwarded": 0, "dropped": 0})
            r["packets"] += count
            r["bytes"] += count * len(frame)
            r["forwarded" if is_forwarded else "dropped"] += count
            want["forwarded"] += count * is_forwarded
            want["mirrored"] += count * is_mirrored
            if country is None:
                continue
            n = want["countries"].setdefault(
                country, {"packets": 0, "bytes": 0, "dropped": 0, "mirrored": 0})
            n["packets"] += count
            n["bytes"] += count * len(frame)
            n["dropped"] += count * (not is_forwarded)
            n["mirrored"] += count * is_mirrored
        equal(c["reasons"], want["reasons"], "reasons")
        equal(c["countries"], want["countries"], "countries")
        equal(c["specials"]["private"]["packets"], 15, "private")
        equal(c["forwarded"]["packets"], want["forwarded"], "forwarded")
        equal(c["mirrored"]["packets"], want["mirrored"], "mirrored")
        equal(c["mirror"]["written"], want["mirrored"], "written")
        equal(c["mirror"]["lost"], 0, "lost")
        equal(len(outside.take(want["forwarded"])), want["forwarded"], "frames outside")


def test_frames_a_port_had_no_buffer_for_have_a_name():
    """Stop the daemon until the port's buffer overflows: nothing sent is unaccounted for. Through
    net_pcap: net_af_packet of DPDK 22.11 does not say what the kernel dropped."""
    n = 60000
    vdevs = ["net_pcap0,iface=in0", "net_pcap1,iface=out0"]
    with Network(hosts=False), Daemon(vdevs=vdevs) as d, Sniffer("inside") as inside:
        d.process.send_signal(signal.SIGSTOP)
        os.waitpid(d.process.pid, os.WUNTRACED)
        inside.send(*[frame4(IE)] * n)
        d.process.send_signal(signal.SIGCONT)
        c = d.counted(n)
        lost = c["reasons"]["no-mbuf"]["dropped"]
        check(0 < lost < n, "some frames found no buffer", lost)
        equal(c["forwarded"]["packets"], n - lost, "forwarded")
        until("an alarm", lambda: "alarm: ports lose frames" in d.stderr())
        until("its end", lambda: "alarm over: ports lose frames" in d.stderr())


def test_workers_say_how_busy_they_are():
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        frames = send_all(inside, TRAFFIC)
        d.counted(len(frames))
        [w] = d.counters("worker")["workers"].values()
        check(0 < w["bursts"] <= len(frames), "bursts", w)
        check(0 <= w["busy_percent"] <= 100, "busy", w)
        equal((w["queue_depth"], w["queue_depth_max"]), (None, None), "af_packet cannot say")
        equal((w["queues"], w["idle"], w["waits"]), (2, "poll", 0), "queues, idle, waits")
        # Nothing came for a second: not busy, and nothing to divide by.
        [w] = until("a quiet worker", lambda: [
            w for w in d.status()["workers"]
            if w["busy_percent"] == 0 and w["cycles_per_packet"] is None])
        check(w["alive"] and w["rx_packets"] == len(frames), "its other keys", w)


def test_idle_workers_lose_nothing():
    for idle in ("pause", "sleep"):
        settings = {"eal.idle": idle, "eal.idle_after_us": 5}
        with Network(hosts=False), Daemon(settings=settings) as d, Sniffer("inside") as inside:
            until("a wait", lambda: d.status()["workers"][0]["waits"] > 0)
            frames = send_all(inside, TRAFFIC)
            c = d.counted(len(frames))
            equal(c["reasons"].get("no-mbuf"), None, f"frames lost with idle = {idle}")


def test_by_other_things():
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        frames = send_all(inside, TRAFFIC)
        d.counted(len(frames))
        asns = d.counters("asn")["asns"]
        equal(asns["AS64601"]["packets"], 400, "AS64601")
        equal(asns["AS64601"]["name"], "Irish Example", "its name")
        equal(asns["AS64699"]["packets"], 70, "AS64699")
        rules = d.counters("rule")["rules"]
        mirrored = [n["packets"] for text, n in rules.items() if "[country] mirror US" in text]
        equal(mirrored, [240], "frames of the rule for US")
        ports = d.counters("port")["ports"]
        equal(ports["net_af_packet0"]["rx"]["packets"], len(frames), "received by port")
        workers = d.counters("worker")["workers"]
        equal(sum(w["rx"]["packets"] for w in workers.values()), len(frames), "by worker")
        for by in ("reason", "country"):
            check(d.counters(by)["rx"]["packets"] == len(frames), "--by", by)


def test_tables_for_people():
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        inside.send(frame4(IE), frame4(CN))
        d.counted(2)
        text = d.ctl("counters").stdout
        for word in ("received", "approved-country", "COUNTRY", "IE", "CN"):
            check(word in text, "in the tables:", word, text)
        text = d.ctl("status").stdout
        for word in ("e2e", "enforce", "generation", "net_af_packet0", "up"):
            check(word in text, "in the status:", word, text)
        text = d.ctl("explain", CN).stdout
        for word in ("drop+mirror", "default", "CN", "AS64604"):
            check(word in text, "in the explanation:", word, text)


def has_keys(value, keys, what):
    for key in keys:
        check(key in value, f"{what} has no key", key, sorted(value))


def test_keys_of_status():
    with Network(hosts=False), Daemon() as d:
        s = d.status()
        has_keys(s, ("name version mode generation policy geo wires workers mirror uptime_s "
                     "alarms").split(), "status")
        has_keys(s["policy"], "name sha256 pushed_by pushed_at confirmed".split(), "policy")
        has_keys(s["geo"], "sha256 built_at age_days prefixes4 prefixes6 origins".split(), "geo")
        has_keys(s["mirror"], "written lost segment".split(), "mirror")
        equal((s["name"], s["mode"], s["generation"]), ("e2e", "enforce", 1), "status")
        equal(s["geo"]["prefixes4"], 14, "prefixes of 8 ranges")
        equal(s["geo"]["prefixes6"], 3, "IPv6 prefixes")
        equal([w["name"] for w in s["wires"]], ["border"], "wires")
        for side in ("inside", "outside"):
            equal(s["wires"][0][side]["link"], "up", f"link {side}")
        equal(s["alarms"], [], "alarms")


def test_keys_of_explain():
    with Network(hosts=False), Daemon() as d:
        e = d.ask("explain", "20.4.9.1")
        has_keys(e, ("address special country asn as_name sources first last rule shadows verdict "
                     "reason generation geo_built_at").split(), "explain")
        equal((e["country"], e["asn"], e["verdict"], e["reason"]),
              ("CN", 64699, "pass", "approved-asn"), "explanation")
        equal((e["first"], e["last"]), ("20.4.9.0", "20.4.9.255"), "range")
        check(e["rule"].startswith("policy.ini:11 [asn] approve"), "rule with its line", e["rule"])
        check(any("default" in s for s in e["shadows"]), "shadows the default", e["shadows"])
        equal(d.ask("explain", "fd00::1")["special"], "private", "special")
        e = d.ask("explain", UNKNOWN)
        equal((e["country"], e["asn"], e["reason"]), (None, 0, "unknown"), "unknown address")
        d.ctl("explain", "20.4.9.300", code=1)
        d.ctl("explain", code=2)


main()
