#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The daemon and trefoil-replay give the same frames the same verdicts: one classifier."""
import json
import os
import shutil

from e2e import (REFUSED, ROOT, Daemon, Network, Sniffer, check, equal, main, make_geo, program,
                 read_pcap, read_pcapng, run, write_pcap)

TABLE = os.path.join(ROOT, "config/geo/internet.tgt")
DEMO = os.path.join(ROOT, "tests/data/demo.pcap")


def shipped_policy():
    with open(os.path.join(ROOT, "config/policy.ini")) as f:
        return f.read()


def frames():
    return [data for _, data in read_pcap(DEMO)]


def is_fragment(frame):
    """Of IPv4: the kernel would put them together before net_af_packet sees them."""
    return frame[12:14] == b"\x08\x00" and len(frame) > 22 and \
        int.from_bytes(frame[20:22], "big") & 0x3FFF != 0


def replayed(d, sent, *options):
    done = run(program("trefoil-replay"), "-g", TABLE, "-p", d.policy_path, "--summary", "--json",
               *options, write_pcap("sent.pcap", sent))
    return json.loads(done.stdout)


def packets(counts):
    """{name: packets} of either program's figures."""
    return {k: v["packets"] if isinstance(v, dict) else v for k, v in counts.items()
            if (v["packets"] if isinstance(v, dict) else v) > 0}


def compare(c, summary, sent):
    equal(c["rx"]["packets"], len(sent), "frames received")
    equal(packets(c["reasons"]), packets(summary["reasons"]), "reasons")
    verdicts = packets(summary["verdicts"])
    equal(c["dropped"]["packets"], verdicts.get("drop", 0) + verdicts.get("drop+mirror", 0),
          "dropped")
    equal(c["mirrored"]["packets"], verdicts.get("mirror", 0) + verdicts.get("drop+mirror", 0),
          "mirrored")
    known = {k: v for k, v in packets(summary["countries"]).items() if len(k) == 2}
    equal({k: v for k, v in packets(c["countries"]).items() if len(k) == 2}, known, "countries")


def settings(**more):
    return {"appliance.geo_table": TABLE, **more}


def test_injected_frames():
    sent = [f for f in frames() if not is_fragment(f)]
    with Network(hosts=False), Daemon(policy=shipped_policy(), settings=settings()) as d, \
            Sniffer("inside") as inside, Sniffer("outside") as outside:
        inside.send(*sent)
        c = d.counted(len(sent))
        summary = replayed(d, sent, "--write-pass", "/run/e2e/pass.pcap")
        compare(c, summary, sent)
        passed = [data for _, data in read_pcap("/run/e2e/pass.pcap")]
        equal(outside.take(len(passed)), passed, "frames that passed")


def test_capture_through_a_wire():
    """All of the capture, through net_pcap: the frames that leave are those of --write-pass, the
    copies those of --write-mirror."""
    sent, sink = frames(), "/run/e2e/out.pcap"
    vdevs = [f"net_pcap0,rx_pcap={DEMO},tx_pcap=/run/e2e/back.pcap",
             f"net_pcap1,rx_pcap={write_pcap('nothing.pcap', [])},tx_pcap={sink}"]
    with Daemon(policy=shipped_policy(), vdevs=vdevs,
                settings=settings(**{"mirror.snaplen": 65535})) as d:
        c = d.counted(len(sent))
        summary = replayed(d, sent, "--write-pass", "/run/e2e/pass.pcap", "--write-mirror",
                           "/run/e2e/mirror.pcapng")
        compare(c, summary, sent)
        equal(d.stop(), 0, "exit code")
        equal(read_pcap(sink), read_pcap("/run/e2e/pass.pcap"), "frames that passed")
        ours = read_pcapng(d.mirror_files()[0])
        theirs = read_pcapng("/run/e2e/mirror.pcapng")
        equal([p["data"] for p in ours], [p["data"] for p in theirs], "copies")

        def said(packet):
            return packet["comment"].split(" generation=")[0]
        equal([said(p) for p in ours], [said(p) for p in theirs], "comments")


def test_inbound_by_source():
    policy = shipped_policy().replace("inbound = pass", "inbound = source")
    check("inbound = source" in policy, "the shipped policy has [direction] inbound = pass")
    sent = [f for f in frames() if not is_fragment(f)]
    with Network(hosts=False), Daemon(policy=policy, settings=settings()) as d, \
            Sniffer("outside") as outside:
        outside.send(*sent)
        c = d.counted(len(sent))
        compare(c, replayed(d, sent, "--direction", "inbound"), sent)


def test_what_is_read_is_not_overwritten():
    own = {"capture": "/run/e2e/own.pcap", "policy": "/run/e2e/own.ini"}
    shutil.copy(DEMO, own["capture"])
    with open(own["policy"], "w") as f:
        f.write(shipped_policy())
    os.symlink(own["capture"], "/run/e2e/link.pcap")
    table = make_geo()
    command = (program("trefoil-replay"), "-g", table, "-p", own["policy"], own["capture"],
               "--summary")
    for option in ("--write-pass", "--write-mirror"):
        for path in (own["capture"], "/run/e2e/link.pcap", own["policy"], table):
            content = open(path, "rb").read()
            done = run(*command, option, path, code=REFUSED)
            check(path in done.stderr and "read" in done.stderr, "which file", done.stderr)
            equal(open(path, "rb").read(), content, f"{path} after {option}")
    both = "/run/e2e/both.pcap"
    run(*command, "--write-pass", both, "--write-mirror", both, code=REFUSED)
    done = run("sh", "-c", '"$@" > /dev/full', "sh", *command[:-1], "--json", code=REFUSED)
    check("memory" not in done.stderr, "no lack of memory", done.stderr)


main()
