#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What is mirrored is in the capture files, with its verdict, and other programs read them."""
import os
import re
import shutil

from e2e import (CN, IE, IE6, REFUSED, US, US6, WORK, Daemon, Network, Skip, Sniffer, check,
                 equal, ethernet, frame4, frame6, main, ping, program, read_pcap, read_pcapng, run,
                 udp, until)

FRAMES = [
    (frame4(CN, udp(bytes(range(200)))), "drop+mirror", "default", "CN", 64604),
    (frame4(US, udp(bytes(1400))), "mirror", "country", "US", 64603),
    (frame4(IE), None, None, None, None),
    (frame6(US6, udp(b"x" * 99)), "mirror", "country", "US", 0),
    (ethernet(0x1234, b"?" * 60), "drop+mirror", "unknown-ethertype", None, 0),
]


def sent(d, inside, times=1):
    for _ in range(times):
        inside.send(*[f[0] for f in FRAMES])
    return d.counted(times * len(FRAMES))


def one_file(d):
    files = d.mirror_files()
    equal(len(files), 1, f"capture files: {files}")
    return files[0]


def test_copies_and_comments():
    with Network(hosts=False), Daemon(settings={"mirror.snaplen": 65535}) as d, \
            Sniffer("inside") as inside:
        sent(d, inside)
        equal(d.stop(), 0, "exit code")
        packets = read_pcapng(one_file(d))
        want = [f for f in FRAMES if f[1]]
        equal([p["data"] for p in packets], [f[0] for f in want], "copies")
        for packet, (frame, verdict, reason, country, asn) in zip(packets, want):
            equal(packet["wire_length"], len(frame), "original length")
            equal(packet["interface"]["name"], "border/inside", "interface")
            fields = dict(re.findall(r"(\w+)=((?:(?! \w+=).)*)", packet["comment"]))
            equal(fields["verdict"], verdict, packet["comment"])
            equal(fields["reason"], reason, packet["comment"])
            equal(fields["generation"], "1", packet["comment"])
            check(re.match(r'"?(policy.ini:\d+|default) \[', fields["rule"]), "rule",
                  packet["comment"])
            if country:
                equal((fields["country"], fields["asn"]), (country, str(asn)), packet["comment"])


def test_headers_only_keep_the_original_length():
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        sent(d, inside)
        d.stop()
        packets = read_pcapng(one_file(d))
        headers = [14 + 20 + 8, 14 + 20 + 8, 14 + 40 + 8, 14]
        equal([len(p["data"]) for p in packets], headers, "bytes kept")
        equal([p["wire_length"] for p in packets], [len(f[0]) for f in FRAMES if f[1]], "lengths")


def test_mirrored_still_answers():
    with Network(), Daemon() as d:
        equal(ping(US, 3), 3, "answers of a mirrored address")
        equal(ping(US6, 2), 2, "answers of a mirrored IPv6 address")
        equal(ping(IE6, 1), 1, "answers of an approved address")
        d.stop()
        comments = [p["comment"] for p in read_pcapng(one_file(d))]
        equal(len(comments), 5, "copies: the echo requests, not the replies")
        check(all("verdict=mirror " in c and "country=US" in c for c in comments), "comments",
              comments)


def need(tool):
    if shutil.which(tool) is None:
        raise Skip(f"{tool} is not installed (tools/install-deps)")


def test_tshark_reads_it():
    need("tshark")
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        sent(d, inside)
        d.stop()
        done = run("tshark", "-n", "-r", one_file(d), "-T", "fields", "-e", "frame.len", "-e",
                   "frame.cap_len", "-e", "ip.dst", "-e", "frame.comment", "-e",
                   "frame.interface_name")
        warnings = [x for x in done.stderr.splitlines()
                    if x and not x.startswith("Running as user")]
        equal(warnings, [], "warnings of tshark")
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        equal([int(r[0]) for r in rows], [len(f[0]) for f in FRAMES if f[1]], "lengths")
        equal([r[2] for r in rows], [CN, US, "", ""], "destinations")
        for row, frame in zip(rows, [f for f in FRAMES if f[1]]):
            check(f"verdict={frame[1]} reason={frame[2]} " in row[3], "comment", row)
            equal(row[4], "border/inside", "interface")


def libpcap_reads(path, count):
    need("tcpdump")
    done = run("tcpdump", "-nn", "-tttt", "-r", path)
    equal(len([x for x in done.stdout.splitlines() if re.match(r"\d{4}-", x)]), count,
          "frames that tcpdump reads")
    bad = [x for x in done.stderr.splitlines() if not x.startswith("reading from file")
           and "dropped privs" not in x]
    equal(bad, [], "warnings of tcpdump")


def test_libpcap_reads_it():
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        sent(d, inside)
        d.stop()
        libpcap_reads(one_file(d), 4)


def test_replay_reads_it():
    """The mirror judged again gives the verdicts it was mirrored with."""
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        sent(d, inside)
        d.stop()
        done = run(program("trefoil-replay"), "-g", d.values["appliance.geo_table"], "-p",
                   d.policy_path, "--summary", "--json", one_file(d))
        check('"drop+mirror":2' in done.stdout.replace(" ", ""), "verdicts", done.stdout)


def test_classic_pcap():
    with Network(hosts=False), Daemon(settings={"mirror.format": "pcap"}) as d, \
            Sniffer("inside") as inside:
        sent(d, inside)
        equal(d.stop(), 0, "exit code")
        path = one_file(d)
        check(path.endswith(".pcap"), "name", path)
        equal([full for full, _ in read_pcap(path)], [len(f[0]) for f in FRAMES if f[1]], "lengths")
        libpcap_reads(path, 4)


def test_rotate():
    """Each rotation begins a new file; none is overwritten, nothing is lost in between."""
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        for i in range(1, 4):
            sent_before = i - 1
            inside.send(*[f[0] for f in FRAMES])
            d.counted(i * len(FRAMES))
            before = d.status()["mirror"]["segment"]
            d.ctl("mirror", "rotate")
            until("a new segment", lambda: d.status()["mirror"]["segment"] != before)
            equal(len(d.mirror_files()), i + 1, f"files after {sent_before + 1} rotations")
        check(d.ask("mirror", "status")["segments"] == 4, "segments")
        equal(d.stop(), 0, "exit code")
        equal([len(read_pcapng(f)) for f in d.mirror_files()], [4, 4, 4, 0], "copies by file")


def test_start_again_keeps_old_files():
    with Network(hosts=False), Sniffer("inside") as inside:
        with Daemon() as d:
            sent(d, inside)
            d.stop()
            first = d.mirror_files()
            content = [open(f, "rb").read() for f in first]
        with Daemon(settings={"mirror.dir": d.mirror_dir}) as again:
            sent(again, inside)
            again.stop()
        files = d.mirror_files()
        equal(len(files), 2, f"files: {files}")
        equal([open(f, "rb").read() for f in first], content, "the first file")


def test_full_disk_does_not_stop_forwarding():
    """The mirror on a tmpfs of 64 KiB: copies are lost, counted, raise an alarm; frames go on."""
    path = "/run/small"
    os.mkdir(path)
    run("mount", "-t", "tmpfs", "-o", "size=64k", "small", path)
    count = 2000
    with Network(hosts=False), Daemon(settings={"mirror.dir": path, "mirror.snaplen": 1500}) as d, \
            Sniffer("inside") as inside, Sniffer("outside") as outside:
        frame = frame4(US, udp(bytes(1000)))
        inside.send(*[frame] * count)
        equal(len(outside.take(count)), count, "forwarded")
        until("an alarm", lambda: any("mirror" in a for a in d.status()["alarms"]))
        c = d.counted(count)
        check(c["mirror"]["lost"] > 0, "lost copies are counted", c["mirror"])
        equal(c["mirror"]["written"] + c["mirror"]["lost"], count, "written and lost")
        equal(d.stop(), 0, "exit code")
    run("umount", path)


def test_without_mirror():
    no_mirror = {"mirror.dir": None, "mirror.rotate_mb": None}
    with Network(hosts=False), Daemon(settings=no_mirror) as d, Sniffer("inside") as inside:
        inside.send(*[f[0] for f in FRAMES])
        until("all frames", lambda: d.counters()["rx"]["packets"] == 5)
        c = d.counters()
        equal(c["forwarded"]["packets"], 3, "forwarded")
        without = {"enabled": False, "written": 0, "lost": c["mirrored"]["packets"], "queued": 0,
                   "segment": None, "segments": 0, "failing": False}
        check(without["lost"] > 0, "the policy mirrors", c)
        equal((c["mirror"], d.status()["mirror"]), (without, without), "mirror")
        until("an alarm", lambda: any("mirror" in a for a in d.status()["alarms"]))
        d.ctl("mirror", "rotate", code=1)


def test_its_directory_is_made():
    path = os.path.join(WORK, "new-evidence")
    with Network(hosts=False), Daemon(settings={"mirror.dir": path}) as d, Sniffer("inside") as inside:
        equal(os.stat(path).st_mode & 0o777, 0o750, "mode")
        inside.send(frame4(CN))
        until("the copy", lambda: d.status()["mirror"]["written"] == 1)
    with Network(hosts=False):
        d = Daemon(settings={"mirror.dir": "/nowhere/evidence"})
        done = run(program("trefoild"), "-c", d.ini, code=REFUSED)
        check("/nowhere/evidence: [mirror] dir: cannot be made" in done.stderr, "why", done.stderr)


def test_room_again_ends_the_alarm():
    path = "/run/grows"
    os.mkdir(path)
    run("mount", "-t", "tmpfs", "-o", "size=64k", "grows", path)
    with Network(hosts=False), Daemon(settings={"mirror.dir": path, "mirror.snaplen": 1500}) as d, \
            Sniffer("inside") as inside:
        inside.send(*[frame4(US, udp(bytes(1000)))] * 500)
        until("an alarm", lambda: any("mirror" in a for a in d.status()["alarms"]))
        run("mount", "-o", "remount,size=16m", path)
        until("no alarm", lambda: d.status()["alarms"] == [])
        equal(d.status()["mirror"]["failing"], False, "failing")
        lost = d.status()["mirror"]["lost"]
        inside.send(*[frame4(US)] * 5)
        equal(d.counted(505)["mirror"]["lost"], lost, "lost")
        equal(d.stop(), 0, "exit code")
    run("umount", path)


def test_files_removed_under_it():
    """Copies that go nowhere are not called written: another file begins, or an alarm tells."""
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        sent(d, inside)
        os.unlink(d.mirror_files()[0])
        until("another file", lambda: len(d.mirror_files()) == 1)
        shutil.rmtree(d.mirror_dir)
        until("an alarm", lambda: any(d.mirror_dir in a for a in d.status()["alarms"]))
        os.mkdir(d.mirror_dir)
        alarms = until("only that it was taken away", lambda: [
            a for a in d.status()["alarms"] if "evidence is broken" in a])
        equal(len(alarms), 1, "alarms")
        equal(len(d.status()["alarms"]), 1, "alarms, the mirror goes on")
        until("another file", lambda: len(d.mirror_files()) == 1)
        equal(d.stop(), 0, "exit code")


main()
