#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""explain says of an address, a 5-tuple and a packet of a capture what the data plane does to it,
and why."""
import base64
import glob
import ipaddress
import json
import os
import socket
import struct

from e2e import (CN, CN6, DE, IE, IE6, JP, KP, POLICY, REFUSED, ROOT, UNKNOWN, US, US6, USAGE, WORK, Daemon,
                 Network, Sniffer, addresses_of, arp, check, equal, ethernet, frame4, frame6, ip4,
                 main, program, run, udp, write, write_pcap)
from places import COUNTRIES


def embedded(ip):
    """6to4."""
    a = socket.inet_aton(ip)
    return str(ipaddress.IPv6Address(b"\x20\x02" + a + bytes(10)))


def test_address():
    with Network(hosts=False), Daemon() as d:
        e = d.ask("explain", CN)
        equal((e["address"], e["deciding"], e["layers"], e["direction"]),
              (CN, CN, "eth/ipv4/tcp", "outbound"), "the frame")
        equal((e["verdict"], e["reason"], e["country"], e["asn"], e["generation"]),
              ("drop+mirror", "default", "CN", 64604, 1), "what happens")
        equal((e["first"], e["last"]), ("20.4.0.0", "20.4.8.255"), "range")
        check(e["geo_file"].endswith("e2e.tgt") and e["sources"], "data", e)
        equal(d.ask("explain", "20.4.9.1")["rule"].split()[1:], ["[asn]", "approve", "AS64699"],
              "rule")
        e = d.ask("explain", embedded(CN))
        equal((e["address"], e["deciding"], e["verdict"]), (embedded(CN), CN, "drop+mirror"),
              "6to4 is judged by what it embeds")
        equal([x["carrier"] for x in e["destinations"]], [True, False], "carrier")
        e = d.ask("explain", "::ffff:" + IE)
        equal((e["verdict"], e["reason"], e["deciding"]), ("drop+mirror", "mapped-address", None),
              "mapped")
        text = d.ctl("explain", embedded(CN)).stdout
        for word in ("eth/ipv6/tcp", "decided by     " + CN, "drop+mirror", "carrier", "AS64604"):
            check(word in text, "in the text:", word, text)


def test_sources_that_disagree():
    path = os.path.join(WORK, "disputed.tgt")
    run(program("trefoil-geo"), "build", "-o", path, "--source", "one 1", "--country",
        write("one.csv", COUNTRIES), "--source", "two 2", "--country",
        write("two.csv", "20.4.7.0,20.4.7.255,IE\n20.5.0.0,20.5.255.255,KP\n"))
    with Network(hosts=False), Daemon(settings={"appliance.geo_table": path}) as d:
        e = d.ask("explain", "20.4.7.9")
        equal((e["country"], e["verdict"], e["sources"], e["disagree"]),
              ("IE", "pass", ["two 2"], [{"source": "one 1", "country": "CN"}]), "the dispute")
        equal((e["first"], e["last"]), ("20.4.7.0", "20.4.7.255"), "its range")
        equal([d.ask("explain", a)["disagree"] for a in ("20.4.8.1", KP)], [[], []], "none")
        text = d.ctl("explain", "20.4.7.9").stdout
        check("disagree       one 1 says CN" in text, "in the text", text)
        equal(e["conflict"], "first", "how disputes are settled")
        equal(d.ask("explain", KP)["conflict"], None, "no dispute")
    out = run(program("trefoil-geo"), "lookup", "--table", path, "20.4.7.9").stdout
    check("; but one 1 says CN" in out, "trefoil-geo lookup", out)


def test_conflict():
    """The policy settles what sources dispute: for frames, in explanations and for trefoil-replay."""
    table = os.path.join(WORK, "conflict.tgt")
    run(program("trefoil-geo"), "build", "-o", table, "--source", "one 1", "--country",
        write("one.csv", COUNTRIES), "--source", "two 2", "--country",
        write("two.csv", "20.4.7.0,20.4.7.255,IE\n20.4.9.0,20.4.9.255,US\n"
              "20.6.0.0,20.6.0.255,KP\n"),
        "--asn", write("asn.csv", "20.4.9.0,20.4.9.255,64699,Approved Example\n"))
    disputed, by_asn, kp = "20.4.7.9", "20.4.9.7", JP
    head = "[policy]\nunknown = drop\n"
    expected = {  # of the three addresses and one that nobody disputes
        "first": ["[country] approve EU", "[asn] approve AS64699", "[country] drop KP"],
        "strictest": ["[country] drop+mirror CN", "[asn] approve AS64699", "[country] drop KP"],
        "unknown": ["[policy] unknown drop", "[asn] approve AS64699", "[policy] unknown drop"],
    }
    policy = POLICY + "[country]\ndrop+mirror = CN\n" + head
    with Network(hosts=False), Daemon(policy=policy, settings={"appliance.geo_table": table}) as d, \
            Sniffer("inside") as inside, Sniffer("outside") as outside:
        capture = os.path.join(d.dir, "disputed.pcap")
        frames = [frame4(a) for a in (disputed, by_asn, kp, IE)]
        write_pcap(capture, frames)
        for i, (word, rules) in enumerate(expected.items()):
            text = policy + f"conflict = {word}\n"
            if i > 0:
                diff = d.ask("diff", write("next.ini", text))
                check([s for s in diff["settings"] if s["key"] == "[policy] conflict"
                       and s["after"] == word], "the diff says so", diff["settings"])
            d.push(text)
            got = [d.ask("explain", a) for a in (disputed, by_asn, kp)]
            equal([" ".join(e["rule"].split()[1:]) for e in got], rules, word)
            equal([e["conflict"] for e in got], [word] * 3, "conflict")
            equal(d.ask("explain", IE)["conflict"], None, "nobody disputes it")
            check(f"conflict       {word}" in d.ctl("explain", disputed).stdout, "in the text")
            inside.send(*frames)
            d.counted(len(frames) * (i + 1))
            passing = [f for f, e in zip(frames, got + [{"verdict": "pass"}])
                       if not e["verdict"].startswith("drop")]
            equal(outside.take(len(passing)), passing, f"what passes with {word}")
            out = run(program("trefoil-replay"), "-g", table, "-p", write("next.ini", text),
                      "--json", capture).stdout
            equal([json.loads(x)["verdict"] for x in out.splitlines()][:3],
                  [e["verdict"] for e in got], f"trefoil-replay with {word}")


def test_tuple():
    with Network(hosts=False), Daemon(policy=POLICY + "[policy]\nopaque-tunnel = drop\n") as d:
        e = d.ask("explain", IE, "--source", "10.77.0.1", "--protocol", "udp", "--sport", "4000",
                  "--dport", "51820")
        equal((e["verdict"], e["reason"], e["layers"]), ("drop", "opaque-tunnel",
                                                         "eth/ipv4/udp/opaque"), "WireGuard")
        e = d.ask("explain", IE, "--protocol", "udp", "--dport", "53")
        equal((e["verdict"], e["layers"]), ("pass", "eth/ipv4/udp"), "DNS")
        equal(d.ask("explain", IE6, "--protocol", "icmp")["layers"], "eth/ipv6/icmpv6", "ICMPv6")
        equal(d.ask("explain", CN, "--direction", "inbound")["reason"], "inbound", "inbound")
        d.ctl("explain", IE, "--source", IE6, code=REFUSED)
        d.ctl("explain", IE, "--protocol", "gre", code=USAGE)
        d.ctl("explain", IE, "--dport", "65536", code=USAGE)


def test_inbound_by_source():
    with Network(hosts=False), Daemon(policy=POLICY + "[direction]\ninbound = source\n") as d:
        e = d.ask("explain", IE, "--source", CN, "--direction", "inbound")
        equal((e["verdict"], e["deciding"]), ("drop+mirror", CN), "judged by its source")
        e = d.ask("explain", CN, "--direction", "inbound")
        equal((e["verdict"], e["deciding"]), ("drop+mirror", CN), "the address is either end")


def test_what_it_says_is_what_happens():
    """Every frame is asked about and then sent: those that come out are those it says pass."""
    inner = ip4(CN, udp())
    frames = [frame4(a) for a in (IE, DE, US, CN, KP, UNKNOWN, "20.4.9.7", "192.168.1.1")]
    frames += [frame6(a) for a in (IE6, US6, CN6, embedded(IE), embedded(CN))]
    frames += [arp(), ethernet(0x1234, bytes(46)), frame4(IE)[:20], frame4(IE, inner, proto=4),
               frame4(IE, options=bytes([131, 7, 4]) + socket.inet_aton(CN) + b"\0")]
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        path = os.path.join(d.dir, "asked.pcap")
        write_pcap(path, frames)
        answers = [d.ask("explain", "--pcap", path, "--packet", str(i + 1))
                   for i in range(len(frames))]
        inside.send(*frames)
        c = d.counted(len(frames))
        passing = [f for f, a in zip(frames, answers) if not a["verdict"].startswith("drop")]
        equal(outside.take(len(passing)), passing, "what passes")
        equal(c["forwarded"]["packets"], len(passing), "forwarded")
        reasons = {}
        for a in answers:
            reasons[a["reason"]] = reasons.get(a["reason"], 0) + 1
        equal({k: v["packets"] for k, v in c["reasons"].items()}, reasons, "reasons")
        tunnel = answers[-2]
        equal([x["address"] for x in tunnel["destinations"]], [IE, CN], "outer and inner")
        equal((tunnel["deciding"], tunnel["layers"]), (CN, "eth/ipv4/ipv4/udp"), "the inner one")
        check(all(x["rule"] for x in tunnel["destinations"]), "each with its rule")
        equal(answers[13]["protocol"], "arp", "ARP")
        text = d.ctl("explain", "--pcap", path, "--packet", str(len(frames) - 1)).stdout
        for word in ("judged", IE, CN, "eth/ipv4/ipv4/udp"):
            check(word in text, "in the text:", word, text)


def test_agrees_with_replay_on_the_corpus():
    """Hundreds of frames with tunnels, extension headers and lies: the same verdict, reason, rule,
    layers and addresses as trefoil-replay."""
    folder = os.path.join(ROOT, "tests/data/bypass")
    with open(os.path.join(folder, "policy.ini")) as f:
        policy = f.read()
    paths = sorted(glob.glob(os.path.join(folder, "*.pcap")))[::3]
    with Network(hosts=False), Daemon(policy=policy) as d, socket.socket(socket.AF_UNIX) as s:
        s.connect(d.socket)
        lines = s.makefile("rw")
        for path in paths:
            with open(path, "rb") as f:
                data = f.read()
            kind, = struct.unpack("<I", data[20:24])
            kept, length = struct.unpack("<II", data[32:40])
            frame = base64.b64encode(data[40:40 + kept]).decode()
            json.dump({"command": "explain", "frame": frame, "link_type": kind,
                       "wire_length": length}, lines)
            lines.write("\n")
            lines.flush()
            answer = json.loads(lines.readline())
            check(answer["ok"], "answered", path, answer)
            replayed = run(program("trefoil-replay"), "-g", d.values["appliance.geo_table"], "-p",
                           d.policy_path, "--json", path).stdout.splitlines()[0]
            want = json.loads(replayed)
            got = {k: answer["result"][k] for k in ("verdict", "reason", "rule", "layers",
                                                    "deciding")}
            equal(got, {k: want[k] for k in got}, os.path.basename(path))
            equal([x["address"] for x in answer["result"]["destinations"]],
                  [x["address"] for x in want["destinations"]], os.path.basename(path))
        check(len(paths) > 80, "frames", len(paths))


def test_refused():
    with Network(hosts=False), Daemon() as d:
        path = os.path.join(d.dir, "one.pcap")
        write_pcap(path, [frame4(IE)])
        done = d.ctl("explain", "--pcap", path, "--packet", "2", code=REFUSED)
        check("has 1 packets" in done.stderr, "how many there are", done.stderr)
        d.ctl("explain", "--pcap", write("no.pcap", "nonsense"), "--packet", "1", code=REFUSED)
        wifi = write("wifi.pcap", open(path, "rb").read().replace(b"\1\0\0\0", b"\x69\0\0\0", 1))
        done = d.ctl("explain", "--pcap", wifi, "--packet", "1", code=REFUSED)
        check("link_type: 105 is not supported" in done.stderr, "which one", done.stderr)
        for args in (["--pcap", path], ["--packet", "1"], [IE, "--pcap", path, "--packet", "1"],
                     ["--pcap", path, "--packet", "0"], ["--pcap", path, "--packet", "1",
                                                        "--dport", "1"], []):
            d.ctl("explain", *args, code=USAGE)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(d.socket)
            lines = s.makefile("rw")
            for request in ('"frame":""', '"frame":"!!!!"', '"frame":5',
                            '"frame":"AAAA","link_type":147', '"frame":"AAAA","wire_length":1', '"frame":"AAAA","direction":"up"',
                            '"frame":"AAAA","link_type":"x"', '"address":"1.2.3.4","port":-1',
                            '"address":"1.2.3.4","source_port":"x"',
                            '"address":"1.2.3.4","ip_protocol":7', '"frame":"' + "A" * 400000 + '"'):
                lines.write('{"command":"explain",%s}\n' % request)
                lines.flush()
                check('"ok":false' in lines.readline(), "refused:", request[:50])
            lines.write('{"command":"explain","frame":"AAAA"}\n')
            lines.flush()
            check('"truncated"' in lines.readline(), "three bytes are a truncated frame")


main()
