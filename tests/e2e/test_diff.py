#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a policy or a geo table would change is said before it is pushed: rules, address space, and
the share of the traffic that the daemon counted. Looking changes nothing."""
import os
import socket

from e2e import (CN, DE, IE, JP, KP, POLICY, REFUSED, USAGE, WORK, Daemon, Network, Sniffer, check,
                 equal, ethernet, frame4, main, program, run, udp, until, write)
from places import ASNS, COUNTRIES, COUNTRIES6


def diff(d, text, *options, code=0, json=True):
    path = write("candidate.ini", text)
    return d.ask("diff", path, *options) if json else d.ctl("diff", path, *options, code=code)


def table(name, countries):
    """A table like that of the tests, with other countries."""
    path = os.path.join(WORK, name)
    run(program("trefoil-geo"), "build", "-o", path, "--country", write("c4.csv", countries),
        "--country", write("c6.csv", COUNTRIES6), "--asn", write("a4.csv", ASNS))
    return path


def row_of(rows, country):
    found = [r for r in rows if r["before"].get("country") == country]
    equal(len(found), 1, f"rows of {country} in {rows}")
    return found[0]


def test_policy_with_its_share_of_the_traffic():
    """DE carries 300 of 1000 equal frames; without it exactly 30 % change."""
    candidate = POLICY.replace("drop = KP", "drop = KP DE").replace("mirror = US\n", "")
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        inside.send(*[frame4(IE)] * 500, *[frame4(DE)] * 300, *[frame4(CN)] * 200)
        d.counted(1000)
        answer = diff(d, candidate)
        rules = [(r["change"], r["before"], r["after"]) for r in answer["rules"]]
        equal(rules, [("added", None, "candidate.ini:7 [country] drop DE"),
                      ("removed", "policy.ini:7 [country] mirror US", None)], "rules")
        affected = answer["traffic"]["affected"]
        equal(answer["traffic"]["packets"], 1000, "judged")
        equal((affected["packets"], round(affected["percent"], 6)), (300, 30.0), "affected")
        equal(affected["certain_percent"], affected["percent"], "the whole country is affected")
        row = row_of(answer["countries"], "DE")
        equal((row["before"]["verdict"], row["after"]["verdict"]), ("pass", "drop"), "verdicts")
        equal((row["space"]["prefixes4"], row["space"]["addresses4"]), (1, 65536), "space of DE")
        row = row_of(answer["countries"], "US")
        equal((row["before"]["verdict"], row["after"]["verdict"]), ("mirror", "drop+mirror"),
              "US falls to the default")
        equal((row["space"]["prefixes4"], row["space"]["prefixes6"]), (1, 1), "space of US")
        equal([r["asn"] for r in answer["asns"]], [64603], "DE has no AS here")
        equal(answer["countries"][0]["before"]["country"], "DE", "more traffic comes first")
        equal(sorted((c["first"], c["last"]) for c in answer["changes"]),
              [("20.2.0.0", "20.2.255.255"), ("20.3.0.0", "20.3.255.255"),
               ("2a01:3::", "2a01:3:ffff:ffff:ffff:ffff:ffff:ffff")], "ranges")
        equal(d.status()["generation"], 1, "nothing was pushed")
        equal(d.counters()["reasons"]["approved-country"]["forwarded"], 800, "nothing is dropped")
        text = diff(d, candidate, json=False).stdout
        for word in ("30.00 %", "- policy.ini:7 [country] mirror US",
                     "+ candidate.ini:7 [country] drop DE", "DE pass -> drop",
                     "AS64603 US Example mirror -> drop+mirror", "20.2.0.0 - 20.2.255.255"):
            check(word in text, "in the text:", word, text)


def test_part_of_a_class_is_a_bound():
    """A prefix in DE: counters are by class, so all of DE may be affected, and none for sure."""
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        inside.send(*[frame4(IE)] * 50, *[frame4(DE)] * 50)
        d.counted(100)
        answer = diff(d, POLICY + "[prefix]\ndrop = 20.2.7.0/24\n")
        affected = answer["traffic"]["affected"]
        equal((affected["certain_percent"], affected["percent"]), (0.0, 50.0), "bounds")
        equal(answer["space"]["changed"]["addresses4"], 256, "addresses")
        equal(answer["changes"][0]["last"], "20.2.7.255", "range")


def test_frames_without_an_address():
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        inside.send(*[frame4(IE)] * 3, ethernet(0x1234, bytes(len(frame4(IE)) - 14)))
        d.counted(4)
        answer = diff(d, POLICY.replace("[country]", "unparsable = pass\n[country]")
                      .replace("[policy]", "[policy]\nmode = shadow"))
        equal([f["frames"] for f in answer["traffic"]["frames"]], ["unparsable"], "frames")
        equal(answer["traffic"]["affected"]["percent"], 25.0, "one of four")
        equal([(s["key"], s["after"]) for s in answer["settings"]], [("[policy] mode", "shadow")],
              "settings")


def test_generations_have_traffic_of_their_own():
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        inside.send(*[frame4(IE)] * 40)
        d.counted(40)
        d.push(POLICY + "# again\n")
        equal(diff(d, POLICY)["traffic"]["bytes"], 0, "nothing judged by generation 2")
        inside.send(*[frame4(DE)] * 10)
        d.counted(50)
        equal(diff(d, POLICY)["traffic"]["packets"], 10, "judged by generation 2")


def test_without_a_policy_that_of_the_settings():
    with Network(hosts=False), Daemon() as d:
        d.write_policy(POLICY.replace("mirror = US", "drop = US"))
        equal([r["after"] for r in d.ask("diff")["rules"]], ["policy.ini:7 [country] drop US"],
              "the file on the disk")


def test_settings_that_are_no_rules():
    """What the parser takes and what evidence keeps, key by key; order and blanks are no change."""
    base = POLICY + "[nat64]\nprefix = 2001:67c::/96\n[ports]\nvxlan = 4789 8472\n"
    cases = {"[limits] depth": ("depth = 2", "4", "2"), "[limits] tags": ("tags = 1", "4", "1"),
             "[ports] geneve": ("geneve = 6081 6082", "6081", "6081 6082"),
             "[evidence] payload": ("payload = KP unknown-ethertype", None, "KP unknown-ethertype"),
             "[evidence] rate": ("rate = KP@5", None, "KP@5")}
    with Network(hosts=False), Daemon(policy=base) as d:
        for key, (line, before, after) in cases.items():
            section = key.split()[0]
            text = base + line + "\n" if section == "[ports]" else f"{base}{section}\n{line}\n"
            equal(diff(d, text)["settings"], [{"key": key, "before": before, "after": after}], key)
            out = diff(d, text, json=False).stdout
            check(f"{key} changes: {before or '-'} -> {after}" in out, "the text", out)
        answer = diff(d, base.replace("2001:67c::/96", "2001:67d::/96"))["settings"]
        equal(answer, [{"key": "[nat64] prefix", "before": "2001:67c::/96",
                        "after": "2001:67d::/96"}], "nat64")
        equal(diff(d, base.replace("4789 8472", "8472  4789"))["settings"], [], "order")
        out = diff(d, base.replace("mirror = US", "drop = US"), "--limit", "0", json=False).stdout
        check("... and 1 more countries" in out, "no rows are asked for", out)


def test_geo_table():
    """One /24 of AS 64601 moves from IE to KP; JP moves within what is approved."""
    moved = COUNTRIES.replace("20.6.0.0,20.6.255.255,JP", "20.6.0.0,20.6.255.255,FR") + \
        "20.1.7.0,20.1.7.255,KP\n"
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        inside.send(*[frame4(IE)] * 20, *[frame4(JP)] * 60, *[frame4(KP)] * 20)
        d.counted(100)
        path = table("moved.tgt", moved)
        answer = d.ask("geo", "diff", path)
        equal(answer["rules"], [], "rules")
        changed, origin = answer["space"]["changed"], answer["space"]["moved"]
        equal((changed["prefixes4"], changed["addresses4"]), (1, 256), "verdict changes")
        equal(origin["addresses4"], 256 + 65536, "origin changes")
        equal(len(answer["asns"]), 1, "one AS")
        row = answer["asns"][0]
        equal((row["asn"], row["before"]["country"], row["after"]["country"],
               row["after"]["verdict"]), (64601, "IE", "KP", "drop"), "its move")
        equal(answer["traffic"]["affected"]["percent"], 20.0, "at most")
        equal([r["changes_verdict"] for r in answer["countries"]], [True, False], "JP comes last")
        text = d.ctl("geo", "diff", path).stdout
        check("AS64601 Irish Example IE -> KP pass -> drop: 1 prefixes: 256 IPv4 addresses" in text,
              "the text", text)
        check("moved.tgt with policy.ini against generation 1" in text, "the candidate", text)
        check(d.ask("geo", "diff", path)["after"]["geo_file"] == "moved.tgt", "its file")
        equal(d.status()["geo"]["sha256"] != answer["after"]["geo_sha256"], True, "not loaded")
        none = d.ask("geo", "diff", table("same.tgt", COUNTRIES))
        equal((none["countries"], none["changes"]), ([], []), "a table that says the same")


def test_refused():
    with Network(hosts=False), Daemon() as d:
        done = diff(d, POLICY + "dorp = FR\n", json=False, code=REFUSED)
        check("candidate.ini:" in done.stderr and "dorp" in done.stderr, "file:line", done.stderr)
        done = d.ctl("geo", "diff", write("bad.tgt", "no table"), code=REFUSED)
        check("bad.tgt" in done.stderr, "the file", done.stderr)
        done = d.ctl("geo", "diff", write("empty.tgt", ""), code=REFUSED)
        check("empty.tgt" in done.stderr and "is empty" in done.stderr, "nothing in it", done.stderr)
        d.ctl("geo", "diff", "/nowhere.tgt", code=REFUSED)
        d.ctl("geo", "diff", code=USAGE)
        d.ctl("geo", "dif", "x", code=USAGE)
        d.ctl("diff", "--limit", "1001", code=USAGE)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(d.socket)
            lines = s.makefile("rw")
            for request in ('"text":5', '"table":"!"', '"table":""', '"table":7', '"limit":-1',
                            '"limit":"x"', '"text":"","name":"a\\u0001"',
                            '"table":"' + "A" * 4000 + '"'):
                lines.write('{"command":"diff",%s}\n' % request)
                lines.flush()
                check('"ok":false' in lines.readline(), "refused:", request[:40])
        until("the daemon still answers", lambda: d.status()["generation"] == 1)


def test_closed_has_nothing_to_compare_with():
    with Network(hosts=False), Daemon(policy="[nonsense]\n") as d:
        done = diff(d, POLICY, json=False, code=REFUSED)
        check("no policy is running" in done.stderr, "the reason", done.stderr)


main()
