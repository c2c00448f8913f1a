#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What the mirror keeps convinces others: other programs check it, crashes are told, nothing old goes
before its time, and whatever happens to it forwarding goes on."""
import json
import os
import random
import shutil
import signal
import time

from e2e import (CN, REFUSED, ROOT, US, USAGE, Daemon, Network, Skip, Sniffer, check, equal, frame4,
                 main, program, read_pcapng, run, udp, until, write)

AUDIT = "trefoil-audit"
KILLS = int(os.environ.get("TREFOIL_E2E_KILLS", "20"))
BIG = frame4(US, udp(bytes(1000)))


def audit(d, *arguments, code=0, key=None):
    key = key or os.path.join(d.mirror_dir, "public.pem")
    return run(program(AUDIT), arguments[0], "--key", key, *arguments[1:], d.mirror_dir, code=code)


def verify(d, *arguments, code=0):
    done = audit(d, "verify", "--json", *arguments, code=code)
    return [json.loads(line) for line in done.stdout.splitlines()]


def manifest(d):
    with open(os.path.join(d.mirror_dir, "manifest.jsonl")) as f:
        return [json.loads(line) for line in f]


def checkpointed(d):
    return until("a checkpoint", lambda: d.status()["mirror"]["evidence"]["checkpoint"]["lines"])


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            raise Skip(f"{tool} is not installed (tools/install-deps)")


def mirror_some(d, inside, count=5):
    inside.send(*[frame4(US)] * count, *[frame4(CN)] * count)
    return d.counted(2 * count)


def test_verify_and_published_head():
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        mirror_some(d, inside)
        checkpointed(d)
        open_sum = verify(d)[-1]
        equal((open_sum["ok"], open_sum["notes"]), (True, 1), "an open segment is a note")
        head = d.status()["mirror"]["evidence"]["chain"]["sha256"]
        d.ctl("mirror", "rotate")
        until("the next segment", lambda: d.status()["mirror"]["segments"] == 2)
        equal(d.stop(), 0, "exit code")
        done = verify(d, "--head", head)[-1]
        equal((done["ok"], done["packets"], done["broken"], done["notes"]), (True, 10, 0, 0), "sum")
        equal([r["type"] for r in manifest(d) if r["type"] != "covered"],
              ["start", "open", "close", "open", "close", "stop"], "lines")
        verify(d, "--head", "0" * 63 + "1", code=1)


def test_tools_of_others_check_it():
    """Nothing but sha256sum, jq, sed and openssl, as the README says."""
    need("jq", "openssl", "sha256sum", "sed", "base64")
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        mirror_some(d, inside)
        checkpointed(d)
        d.stop()
        script = write("check.sh", r"""
set -eu
cd "$1"
n=0
before=0000000000000000000000000000000000000000000000000000000000000000
while [ "$n" -lt "$(wc -l <manifest.jsonl)" ]; do
    n=$((n + 1))
    [ "$(sed -n "${n}p" manifest.jsonl | jq -r .prev)" = "$before" ]
    before=$(sed -n "${n}p" manifest.jsonl | sha256sum | cut -d' ' -f1)
    sed -n "${n}p" manifest.jsonl | sed 's/,"sig":"[^"]*"}$/}/' | tr -d '\n' >"$2/line"
    sed -n "${n}p" manifest.jsonl | jq -r .sig | base64 -d >"$2/sig"
    openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in "$2/line" -sigfile "$2/sig" >/dev/null
done
jq -r 'select(.type == "close") | .sha256 + "  " + .segment' manifest.jsonl | sha256sum -c --quiet
for f in *.checkpoints.jsonl; do
    jq -r '"\(.bytes) \(.sha256)"' "$f" | while read -r bytes sha256; do
        [ "$(head -c "$bytes" "${f%.checkpoints.jsonl}" | sha256sum | cut -d' ' -f1)" = "$sha256" ]
    done
done
echo "$n lines hold"
""")
        done = run("sh", script, d.mirror_dir, d.dir)
        equal(done.stdout.strip(), f"{len(manifest(d))} lines hold", "output")
        path = os.path.join(d.mirror_dir, "manifest.jsonl")
        with open(path, "r+b") as f:
            f.seek(700)
            byte = f.read(1)[0] ^ 1
            f.seek(700)
            f.write(bytes([byte]))
        check(run("sh", script, d.mirror_dir, d.dir, code=None).returncode != 0, "a flipped bit is seen")


def readme_commands():
    with open(os.path.join(ROOT, "README.md")) as f:
        after = f.read().split("without any of our programs", 1)[1]
    return after.split("```sh\n", 1)[1].split("```", 1)[0]


def test_commands_of_the_readme():
    """Word for word: what they print is what the manifest and the checkpoint say."""
    need("jq", "openssl", "sha256sum", "sed", "base64")
    script = write("readme.sh", "set -eu\n" + readme_commands())
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        mirror_some(d, inside)
        checkpointed(d)
        d.ctl("mirror", "rotate")
        until("the next segment", lambda: d.status()["mirror"]["segments"] == 2)
        d.stop()
        close = next(r for r in manifest(d) if r["type"] == "close")
        with open(os.path.join(d.mirror_dir, close["segment"] + ".checkpoints.jsonl")) as f:
            checkpoint = json.loads(f.readline())
        environment = {**os.environ, "segment": close["segment"], "bytes": str(checkpoint["bytes"])}
        done = run("sh", script, cwd=d.mirror_dir, env=environment)
        said = [line.split()[0] for line in done.stdout.splitlines()]
        equal(said[:4], [close["sha256"], checkpoint["sha256"], manifest(d)[4]["prev"],
                         manifest(d)[4]["prev"]], "digests")
        equal(done.stdout.splitlines()[4], "Signature Verified Successfully", "openssl")
        with open(os.path.join(d.mirror_dir, "manifest.jsonl"), "r+b") as f:
            lines = f.read().splitlines(keepends=True)
            f.seek(sum(map(len, lines[:4])) + 200)
            f.write(b"#")
        done = run("sh", script, cwd=d.mirror_dir, env=environment, code=None)
        check(done.returncode != 0, "a changed line is seen", done.stdout)


def test_capinfos_and_tshark():
    need("capinfos", "tshark")
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        mirror_some(d, inside)
        d.stop()
        path = d.mirror_files()[0]
        info = run("capinfos", path).stdout
        policy = manifest(d)[1]["policy"]["sha256"]
        geo = manifest(d)[1]["geo"]["sha256"]
        for text in (f"policy_sha256={policy}", f"geo_sha256={geo}", "appliance=e2e",
                     "Name = border/inside", "Name = border/outside", "nanoseconds (9)",
                     "outbound frames", "Number of stat entries = 1"):
            check(text in info, f"capinfos says {text}", info)
        done = run("tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.packet_id", "-e",
                   "frame.interface_queue", "-e", "frame.comment")
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        equal([int(r[0]) for r in rows], list(range(1, 11)), "packet ids")
        check(all(f"seq={r[0]}" in r[2] for r in rows), "sequence numbers", rows)


def test_extract_flows_report():
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        mirror_some(d, inside, 7)
        d.stop()
        out = os.path.join(d.dir, "kept.pcapng")
        audit(d, "extract", "--country", "CN", "-o", out)
        packets = read_pcapng(out)
        equal(len(packets), 7, "packets to CN")
        check(all("country=CN" in p["comment"] for p in packets), "annotations")
        flows = [json.loads(x) for x in audit(d, "flows", "--json").stdout.splitlines()]
        equal([(f["destination"].split(":")[0], f["packets"], f["country"], f["verdict"])
               for f in flows], [(CN, 7, "CN", "drop+mirror")], "flows that were stopped")
        csv = audit(d, "flows", "--all", "--csv").stdout.splitlines()
        equal(len(csv), 3, "a header and two flows")
        report = json.loads(audit(d, "report", "--json").stdout)
        equal(report["countries"]["US"]["packets"], 7, "report")
        equal(len(audit(d, "list").stdout.splitlines()), 2, "list")


def test_what_auditors_mistype_or_lack():
    """A word that selects nothing is no answer; a file that a copy left out does not hide the rest."""
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        mirror_some(d, inside, 7)
        d.ctl("mirror", "rotate")
        until("the next segment", lambda: d.status()["mirror"]["segments"] == 2)
        inside.send(frame4(CN))
        d.counted(15)
        d.stop()
        for words, text in ((("--reason", "defualt"), "did you mean 'default'"),
                            (("--country", "cn"), "'cn' is not a country code"),
                            (("--verdict", "dropped"), "'dropped' is not a verdict"),
                            (("--flow", "20.4.0"), "'20.4.0' is not an address"),
                            (("--flow", "[::1]x"), "is not an address"),
                            (("--flow", "[::1"), "is not an address"),
                            (("--flow", "20.4.0.1,10.77.0.1,1.2.3.4"), "is too much")):
            refused = audit(d, "flows", *words, code=USAGE)
            check(text in refused.stderr, text, refused.stderr)
        [flow] = map(json.loads, audit(d, "flows", "--json").stdout.splitlines())
        for words in (("--flow", flow["destination"]), ("--from", flow["first"]),
                      ("--flow", f"{flow['source']},{flow['destination'].split(':')[0]}")):
            equal(len(audit(d, "flows", "--json", *words).stdout.splitlines()), 1, f"{words}")
        equal(audit(d, "flows", "--json", "--to", flow["first"]).stdout, "", "before the first")
        out = os.path.join(d.dir, "kept.pcapng")
        audit(d, "extract", "--json", code=USAGE)
        equal(json.loads(audit(d, "extract", "--json", "-o", out).stdout),
              {"ok": True, "file": out, "packets": 15, "segments": 2}, "what was written")
        os.unlink(d.mirror_files()[0])
        done = audit(d, "flows", "--json", code=REFUSED)
        equal(json.loads(done.stdout)["packets"], 1, "of the segment that is there")
        check("-000001.pcapng: No such file" in done.stderr, "the one that is not", done.stderr)


def test_tampering_is_named():
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        mirror_some(d, inside)
        d.stop()
        path = d.mirror_files()[0]
        with open(path, "r+b") as f:
            f.seek(600)
            byte = f.read(1)[0] ^ 4
            f.seek(600)
            f.write(bytes([byte]))
        done = audit(d, "verify", code=1)
        check(os.path.basename(path) in done.stdout and "packets 1-10" in done.stdout, "named",
              done.stdout)


def broken_evidence(d):
    return until("an alarm", lambda: [a for a in d.status()["alarms"] if "evidence is broken" in a])


def test_emptied_while_it_was_down_is_told():
    """All of it taken away, its tail cut, or the head that was kept made unreadable: the start after
    it says so in an alarm and, for good, in the chain; a start after nothing was done does not."""
    def empty(d):
        shutil.rmtree(d.mirror_dir)
        os.mkdir(d.mirror_dir)

    def cut(d):
        path = os.path.join(d.mirror_dir, "manifest.jsonl")
        with open(path) as f:
            lines = f.readlines()
        with open(path, "w") as f:
            f.writelines(lines[:-1])

    def scribble(d):
        with open(os.path.join(d.dir, "evidence.heads"), "w") as f:
            f.write("{")

    shared, settings = None, {}
    with Network(hosts=False):
        for deed, breaks in ((None, 0), (None, 0), (empty, 1), (None, 1), (cut, 2), (None, 2), (scribble, 3)):
            if deed is not None:
                deed(shared)
            with Daemon(settings=settings) as d:
                if shared is None:
                    shared = d
                    settings = {"mirror.dir": d.mirror_dir, "appliance.state_dir": d.dir}
                if deed is not None:
                    alarm = broken_evidence(d)[0]
                    check("SHA-256" in alarm or "evidence.heads" in alarm, "why", alarm)
                    check("break" in d.status()["mirror"]["evidence"], "in status", d.status())
                    check("evidence is broken" in d.ctl("status").stdout, "for people", "")
                else:
                    equal(d.status()["alarms"], [], f"alarms, {breaks} breaks before")
                equal(d.stop(), 0, "exit code")
            found = [r for r in verify(shared, code=1 if breaks else 0) if "a break" in r.get("text", "")]
            equal(len(found), breaks, f"breaks named {found}")
            equal(sum("broken" in r for r in manifest(shared)), breaks, "lines of the manifest")


def test_legal_hold():
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside:
        mirror_some(d, inside)
        segment = d.ask("mirror", "list")["segments"][0]["segment"]
        d.ctl("mirror", "hold", segment, "-m", "case 7")
        d.ctl("mirror", "hold", segment, code=1)
        d.ctl("mirror", "hold", "nothing", code=1)
        d.ctl("mirror", "hold", code=2)
        equal(d.ask("mirror", "list")["segments"][0]["held"], True, "held")
        d.ctl("mirror", "release", segment)
        d.stop()
        holds = [r for r in manifest(d) if r["type"] in ("hold", "release")]
        equal([(r["type"], r["why"]) for r in holds], [("hold", "case 7"), ("release", "")], "record")
        equal(verify(d)[-1]["ok"], True, "verify")


def test_no_room_stops_the_mirror_not_forwarding():
    """max_bytes is used up: old evidence stays, copies are lost by that cause, frames go on."""
    settings = {"mirror.max_bytes": 4 << 20, "mirror.snaplen": 1500, "mirror.rotate_mb": 1}
    count = 8000
    with Network(hosts=False), Daemon(settings=settings) as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        for _ in range(count // 500):
            inside.send(*[BIG] * 500)
            outside.take(500)
        c = d.counted(count)
        check(c["mirror"]["lost_by"]["space"] > 0, "lost for lack of space", c["mirror"])
        equal(c["mirror"]["written"] + c["mirror"]["lost"], count, "written and lost")
        until("an alarm", lambda: any("max_bytes" in a for a in d.status()["alarms"]))
        equal(d.status()["mirror"]["evidence"]["full"], True, "status says so")
        equal(d.stop(), 0, "exit code")
        files = [os.path.join(d.mirror_dir, n) for n in os.listdir(d.mirror_dir)]
        check(sum(map(os.path.getsize, files)) <= 4 << 20, "never more than max_bytes")
        check(len(d.mirror_files()) >= 2, "old segments are there")
        check("full" in [r["type"] for r in manifest(d)], "on record")
        equal(verify(d)[-1]["packets"], c["mirror"]["written"], "packets in the evidence")


def test_killed_at_random():
    """kill -9, again and again: the chain verifies up to the named point every time."""
    shared = None
    random.seed(7)
    with Network(hosts=False), Sniffer("inside") as inside:
        for i in range(KILLS):
            settings = {"mirror.rotate_mb": 1, "mirror.snaplen": 1500}
            if shared is not None:
                settings.update({"mirror.dir": shared.mirror_dir, "appliance.state_dir": shared.dir})
            with Daemon(settings=settings) as d:
                shared = shared or d
                for _ in range(random.randrange(1, 30)):
                    inside.send(*[BIG] * random.randrange(1, 100))
                    if random.random() < 0.2:
                        d.ctl("mirror", "rotate")
                d.process.send_signal(signal.SIGKILL)
                d.process.wait()
            done = verify(shared)[-1]
            equal((done["ok"], done["broken"]), (True, 0), f"after kill {i + 1}")
        still_open, recovered = set(), []
        for r in manifest(shared):
            if r["type"] == "open":
                still_open.add(r["segment"])
            elif r["type"] in ("close", "recover"):
                still_open.remove(r["segment"])
                recovered += [r] if r["type"] == "recover" else []
            elif r["type"] == "start":  # a kill may come between the end of one and the next
                equal(still_open, set(), "each open segment is recovered by the next start")
        check(KILLS / 2 < len(recovered) < KILLS, "segments recovered", len(recovered))
        check(all("error" not in r for r in recovered), "without damage", recovered)


def test_read_only_file_system():
    """The directory becomes read-only (another file system over it, since the kernel refuses a
    remount while a segment is open): the next segment cannot begin, frames go on, and the mirror
    comes back by itself."""
    with Network(hosts=False), Daemon() as d, Sniffer("inside") as inside, \
            Sniffer("outside") as outside:
        run("mount", "-t", "tmpfs", "-o", "ro", "readonly", d.mirror_dir)
        d.ctl("mirror", "rotate")
        until("an alarm", lambda: any("Read-only" in a for a in d.status()["alarms"]))
        inside.send(*[frame4(US)] * 10)
        outside.take(10)
        equal(d.counted(10)["mirror"]["lost_by"]["write"], 10, "lost")
        run("umount", d.mirror_dir)
        until("no alarm", lambda: d.status()["alarms"] == [])
        inside.send(*[frame4(US)] * 10)
        outside.take(10)
        equal(d.counted(20)["mirror"]["written"], 10, "written again")
        d.stop()
        equal(verify(d)[-1]["ok"], True, "verify")


def test_full_disk_in_the_middle_of_a_block_verifies():
    path = "/run/full"
    os.mkdir(path)
    run("mount", "-t", "tmpfs", "-o", "size=200k", "full", path)
    with Network(hosts=False), Daemon(settings={"mirror.dir": path, "mirror.snaplen": 1500}) as d, \
            Sniffer("inside") as inside, Sniffer("outside") as outside:
        d.mirror_dir = path
        for _ in range(10):
            inside.send(*[BIG] * 100)
            outside.take(100)
        until("an alarm", lambda: d.status()["alarms"])
        c = d.counted(1000)["mirror"]
        check(c["lost_by"]["write"] > 0, "lost by write", c)
        run("mount", "-o", "remount,size=16m", path)
        until("no alarm", lambda: d.status()["alarms"] == [])
        inside.send(*[BIG] * 10)
        d.counted(1010)
        equal(d.stop(), 0, "exit code")
        done = verify(d)[-1]
        equal(done["ok"], True, "verify")
        equal(sum(r["lost"]["write"] for r in manifest(d) if r["type"] == "close"),
              c["lost_by"]["write"], "the loss is on record")
        packets = sum(len(read_pcapng(f)) for f in d.mirror_files())
        equal(packets, 1010 - c["lost_by"]["write"], "packets in the captures")
    run("umount", path)


def test_head_command():
    with Network(hosts=False):
        script = write("publish", "#!/bin/sh\necho \"$@\" >>/run/e2e/heads\n")
        os.chmod(script, 0o755)
        with Daemon(settings={"mirror.head_command": script}) as d:
            d.ctl("mirror", "rotate")
            until("a head", lambda: os.path.exists("/run/e2e/heads"))
            lines, head, key = open("/run/e2e/heads").readline().split()
            d.stop()
            equal(key, d_key(d), "key")
            verify(d, "--head", head)
            check(int(lines) >= 3, "lines", lines)


def test_hung_head_command_is_stopped():
    """With all that it started; the head that came meanwhile is told then."""
    with Network(hosts=False):
        script = write("publish", "#!/bin/sh\necho \"$@\" >>/run/e2e/told\n"
                       "[ -e /run/e2e/mended ] || sleep 98765\n")
        os.chmod(script, 0o755)
        with Daemon(settings={"mirror.head_command": script}) as d:
            d.ctl("mirror", "rotate")
            until("a head", lambda: os.path.exists("/run/e2e/told"))
            until("a hung child", lambda: run("pgrep", "-x", "-f", "sleep 98765", code=None).stdout)
            write("mended", "")
            d.ctl("mirror", "rotate")
            until("the next head", lambda: len(open("/run/e2e/told").readlines()) == 2, 40)
            equal(run("pgrep", "-x", "-f", "sleep 98765", code=None).stdout, "", "nothing is left")
            d.stop()
            verify(d, "--head", open("/run/e2e/told").readlines()[1].split()[1])


def test_no_room_for_another_file():
    """Neither lines of the manifest nor numbers are used up by tries, and it goes on by itself."""
    with Network(hosts=False):
        path = "/run/e2e/few"
        os.makedirs(path)
        run("mount", "-t", "tmpfs", "-o", "nr_inodes=20", "few", path)
        with Daemon(settings={"mirror.dir": path}) as d, Sniffer("inside") as inside:
            d.mirror_dir = path
            fillers = []
            try:
                while True:
                    fillers.append(write(f"few/filler{len(fillers)}", ""))
            except OSError:
                pass
            d.ctl("mirror", "rotate")
            until("an alarm", lambda: any("no file can be made" in a for a in
                                          d.status()["alarms"]))
            before, begin = len(manifest(d)), time.monotonic()
            until("tries", lambda: time.monotonic() - begin > 3)
            equal(len(manifest(d)), before, "lines of the manifest")
            for filler in fillers:
                os.unlink(filler)
            until("no alarm", lambda: d.status()["alarms"] == [])
            inside.send(*[frame4(US)] * 10)
            d.counted(10)
            d.stop()
            equal(verify(d)[-1]["ok"], True, "verify")
        run("umount", path)


def copies(d):
    return [p for f in d.mirror_files() for p in read_pcapng(f)]


def lost_by(d, count):
    c = d.counted(count)["mirror"]
    equal(c["written"] + c["lost"], count, "mirrored = written + lost")
    return c["lost_by"]


def test_filter():
    """Both ways to run it: DPDK's, and libpcap's for what asks for the length."""
    for expression in (f"dst host {US} and udp port 9", f"dst host {US} and greater 200"):
        with Network(hosts=False), Daemon(settings={"mirror.filter": expression}) as d, \
                Sniffer("inside") as inside:
            inside.send(*[frame4(US, udp(bytes(300)))] * 3, *[frame4(CN, udp(bytes(300)))] * 4)
            equal(lost_by(d, 7)["filter"], 4, f"left out by {expression}")
            equal(d.status()["alarms"], [], "what nobody wanted raises no alarm")
            equal(d.stop(), 0, "exit code")
            equal(len(copies(d)), 3, "copies")
            equal(manifest(d)[-2]["lost"]["filter"], 4, "on record")


def test_bad_filter_is_refused():
    with Network(hosts=False):
        d = Daemon(settings={"mirror.filter": "hots 1.2.3.4"})
        done = run(program("trefoild"), "-c", d.ini, "--check", code=1)
        check("[mirror] filter" in done.stderr, "names the key", done.stderr)


def test_first_packets_of_each_flow():
    with Network(hosts=False), Daemon(settings={"mirror.flow_packets": 2}) as d, \
            Sniffer("inside") as inside:
        inside.send(*[frame4(US)] * 9, *[frame4(CN)] * 1)
        equal(lost_by(d, 10)["flow"], 7, "left out")
        d.stop()
        comments = [p["comment"] for p in copies(d)]
        equal(len(comments), 3, "copies")
        equal(["flow-ends-here=limit" in c for c in comments], [False, True, False], "annotations")


def test_rate_of_a_rule():
    from places import POLICY
    policy = POLICY + "\n[evidence]\nrate = US@5\n"
    with Network(hosts=False), Daemon(policy=policy) as d, Sniffer("inside") as inside:
        inside.send(*[frame4(US)] * 50, *[frame4(CN)] * 20)
        left_out = lost_by(d, 70)["rate"]
        check(40 <= left_out <= 45, "left out", left_out)
        until("a second later", lambda: inside.send(frame4(US)) or
              any("left-out=" in c for c in comments_now(d)))
        d.stop()
        equal(sum("country=CN" in p["comment"] for p in copies(d)), 20, "others are not limited")


def comments_now(d):
    d.ctl("mirror", "rotate")
    return [p["comment"] for p in copies(d)]


def test_payload_for_what_the_policy_names():
    from places import POLICY
    policy = POLICY + "\n[evidence]\npayload = US unknown-ethertype\n"
    with Network(hosts=False), Daemon(policy=policy) as d, Sniffer("inside") as inside:
        frame = frame4(US, udp(bytes(range(200))))
        inside.send(frame, frame4(CN, udp(bytes(200))))
        d.counted(2)
        d.stop()
        packets = copies(d)
        equal(packets[0]["data"], frame, "the whole frame")
        check("cut=" not in packets[0]["comment"], "nothing left out", packets[0]["comment"])
        equal(len(packets[1]["data"]), 14 + 20 + 8, "headers only")
        check(packets[1]["comment"].endswith(" cut=200"), "said so", packets[1]["comment"])


def test_evidence_of_rules_nobody_has_is_refused():
    from places import POLICY
    for line, word in (("payload = XX", "XX"), ("payload = trunkated", "truncated"),
                       ("rate = US", "US"), ("rate = US@0", "US@0"), ("rate = DE@5", "DE")):
        path = write("bad.ini", POLICY + f"\n[evidence]\n{line}\n")
        done = run(program("trefoilctl"), "check", path, code=1)
        check("bad.ini:" in done.stderr and word in done.stderr, line, done.stderr)


def d_key(d):
    return manifest(d)[0]["key"]


def test_private_key_is_private():
    with Network(hosts=False), Daemon() as d:
        path = os.path.join(d.dir, "evidence.key")
        equal(os.stat(path).st_mode & 0o7777, 0o600, "mode")
        d.stop()


main()
