#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""push --shadow: a candidate is judged beside the running policy, on the same frames; it decides
nothing, what it would change is counted exactly, and promote makes it the running one."""
import json
import socket

from e2e import (CN, CN6, DE, IE, JP, KP, POLICY, REFUSED, UNKNOWN, US, USAGE, Daemon, Network,
                 Sniffer, arp, check, equal, ethernet, frame4, frame6, main, until, write)

# DE becomes mirrored, IE dropped, CN passes; US, KP and the unknown stay as they are.
CANDIDATE = """\
[policy]
name = candidate
default = drop+mirror
unparsable = drop

[country]
approve = EU adequacy CN
mirror = US DE
drop = KP IE

[asn]
approve = AS64699
"""
TRAFFIC = [(frame4(IE), 40), (frame4(DE), 30), (frame4(CN), 20), (frame4(US), 5), (frame4(KP), 3),
           (frame4(JP), 2), (frame4(UNKNOWN), 4), (frame6(CN6), 6), (arp(), 7),
           (ethernet(0x1234, bytes(46)), 8)]
FRAMES = [f for f, n in TRAFFIC for _ in range(n)]


def push(d, text=CANDIDATE, code=0):
    return d.ctl("push", "--shadow", write("candidate.ini", text), code=code)


def shadow(d, packets):
    """What is counted, once so many frames were judged."""
    def probe():
        s = d.ask("shadow")
        return s if s["judged"]["packets"] >= packets else None
    s = until(f"{packets} frames judged", probe)
    equal(s["judged"]["packets"], packets, "judged")
    return s


def test_counts_what_would_change_and_decides_nothing():
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        inside.send(*FRAMES)
        before = d.counted(len(FRAMES))
        outside.take(before["forwarded"]["packets"])
        push(d)
        inside.send(*FRAMES)
        s = shadow(d, len(FRAMES))
        c = d.counted(2 * len(FRAMES))
        for key in ("forwarded", "dropped", "mirrored"):
            equal(c[key]["packets"], 2 * before[key]["packets"], f"{key}: nothing is decided")
        outside.take(before["forwarded"]["packets"])
        equal((d.status()["generation"], d.status()["policy"]["name"]), (1, "e2e"), "what runs")
        pairs = {(v["before"], v["after"]): v["packets"] for v in s["verdicts"]}
        equal(pairs, {("pass", "drop"): 40, ("pass", "mirror"): 30, ("drop+mirror", "pass"): 26,
                      ("mirror", "mirror"): 5, ("drop", "drop"): 3, ("pass", "pass"): 2 + 7,
                      ("drop+mirror", "drop+mirror"): 4, ("drop+mirror", "drop"): 8}, "verdicts")
        equal((s["stricter"]["packets"], s["looser"]["packets"]), (70, 34), "sums")
        changed = sum(len(f) * n for f, n in TRAFFIC
                      if f in (frame4(IE), frame4(DE), frame4(CN), frame6(CN6),
                               ethernet(0x1234, bytes(46))))
        equal(s["stricter"]["bytes"] + s["looser"]["bytes"], changed, "bytes")
        equal(round(s["percent"], 6), round(100 * changed / sum(map(len, FRAMES)), 6), "per cent")
        places = {k: (v["stricter"]["packets"], v["looser"]["packets"])
                  for k, v in s["countries"].items()}
        equal(places, {"IE": (40, 0), "DE": (30, 0), "CN": (0, 26), "no address": (0, 8)},
              "countries")
        equal({k: v["stricter"]["packets"] for k, v in s["asns"].items()},
              {"AS64601": 40, "AS64604": 0}, "AS")
        equal({k: v["packets"] for k, v in s["reasons"].items()},
              {"country": 70, "approved-country": 26, "unknown-ethertype": 8}, "reasons")
        text = d.ctl("shadow").stdout
        for word in ("candidate.ini", "generation 1", "would change", "drop+mirror", "no address",
                     "AS64601"):
            check(word in text, "in the text:", word, text)


def test_inbound_is_judged_too():
    with Network(hosts=False), Daemon() as d, Sniffer("outside") as outside:
        push(d, CANDIDATE + "[direction]\ninbound = source\n")
        outside.send(*[frame4("10.77.0.1", src=IE)] * 9, *[frame4("10.77.0.1", src=CN)] * 4)
        s = shadow(d, 13)
        equal(s["countries"], {"IE": {"stricter": {"packets": 9, "bytes": 9 * len(frame4(IE))},
                                      "looser": {"packets": 0, "bytes": 0}}}, "by source")


def test_promote():
    """What passes before and after is what the candidate says; the counters then are gone."""
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        push(d)
        inside.send(frame4(IE), frame4(CN))
        shadow(d, 2)
        equal(outside.take(1), [frame4(IE)], "as before")
        out = d.ctl("promote", "-m", "looks good", "--confirm-within", "10m").stdout
        check("generation 2 is running (policy candidate" in out and "confirm" in out, "said", out)
        p = d.status()["policy"]
        equal((p["name"], p["message"], p["confirmed"]), ("candidate", "looks good", False),
              "the push of it")
        inside.send(frame4(IE), frame4(CN))
        equal(outside.take(1), [frame4(CN)], "as the candidate said")
        done = d.ctl("shadow", code=REFUSED)
        check("push --shadow" in done.stderr, "no candidate any more", done.stderr)
        check("promoted to generation 2" in d.stderr(), "said in the log")


def test_counts_anew_beside_another_generation():
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        push(d)
        inside.send(*[frame4(IE)] * 5)
        shadow(d, 5)
        d.push(POLICY.replace("drop = KP", "drop = KP IE"))
        until("judged beside generation 2", lambda: d.ask("shadow")["against"] == 2)
        inside.send(*[frame4(IE)] * 3, frame4(DE))
        s = shadow(d, 4)
        equal(s["countries"]["DE"]["stricter"]["packets"], 1, "DE alone differs now")
        check("IE" not in s["countries"], "IE is dropped by both", s["countries"])


def test_mode_shadow_is_part_of_it():
    """A policy in shadow mode drops nothing, so promoting it would let pass what is dropped."""
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        push(d, POLICY.replace("[policy]", "[policy]\nmode = shadow"))
        inside.send(*[frame4(CN)] * 4, frame4(IE))
        pairs = {(v["before"], v["after"]): v["packets"] for v in shadow(d, 5)["verdicts"]}
        equal(pairs, {("drop+mirror", "mirror"): 4, ("pass", "pass"): 1}, "verdicts")


def test_under_traffic_nothing_is_lost():
    """Candidates come and go 30 times while frames flow."""
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        for i in range(30):
            push(d, CANDIDATE + f"# {i}\n")
            inside.send(*[frame4(IE)] * 20)
            if i % 3 == 0:
                d.ctl("shadow", "drop")
        c = d.counted(600)
        equal((c["forwarded"]["packets"], c["dropped"]["packets"]), (600, 0), "all forwarded")
        equal(len(outside.take(600)), 600, "frames")


def test_refused():
    with Network(hosts=False), Daemon() as d:
        done = push(d, CANDIDATE + "dorp = FR\n", code=REFUSED)
        check("candidate.ini:" in done.stderr, "file:line", done.stderr)
        for command in (["shadow"], ["shadow", "drop"], ["promote"]):
            d.ctl(*command, code=REFUSED)
        d.ctl("shadow", "drpo", code=USAGE)
        d.ctl("push", "--shadow", "-m", "x", write("c.ini", CANDIDATE), code=USAGE)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(d.socket)
            lines = s.makefile("rw")
            for request in ({}, {"text": 5}, {"text": "garbage"}, {"text": "", "name": "a\nb"}):
                lines.write(json.dumps({"command": "shadow-push", **request}) + "\n")
                lines.flush()
                check('"ok":false' in lines.readline(), "refused:", request)
        push(d)
        d.ctl("shadow", "drop")
        d.ctl("shadow", code=REFUSED)
        d.push(POLICY)
        equal(d.status()["generation"], 2, "pushes go on")


def test_closed_has_nothing_beside():
    with Network(hosts=False), Daemon(policy="[nonsense]\n") as d:
        done = push(d, code=REFUSED)
        check("no policy is running" in done.stderr, "the reason", done.stderr)


main()
