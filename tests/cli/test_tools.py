#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
The offline programs as their users call them: options, output, JSON keys, exit codes. No root, no
network. By hand: tests/cli/test_tools.py BUILD_DIR [TEST...]
"""
import json
import os
import struct
import subprocess
import sys
import tempfile
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DONE, REFUSED, USAGE, UNREACHABLE = 0, 1, 2, 3
BUILD = ""

COUNTRIES = """\
1.0.0.0,1.0.0.255,AU
1.0.1.0,1.0.3.255,CN
2001:200::,2001:200:ffff:ffff:ffff:ffff:ffff:ffff,JP
"""
ASNS = '1.0.0.0,1.0.0.255,13335,"Cloudflare, ""Inc."""\n'
POLICY = "[policy]\nname = cli\n[country]\napprove = AU\nmirror = JP\ndrop = CN\n"


def run(program, *args, want=DONE, stdin=None):
    """Run a program of the build, expect an exit code, give (stdout, stderr)."""
    folder = "app" if program == "trefoild" else "tools"
    path = os.path.join(BUILD, folder, program, program)
    done = subprocess.run([path, *args], input=stdin, capture_output=True, timeout=120)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == want, f"{program} {args}: exit {done.returncode}\n{out}{err}"
    return out, err


def write(name, content):
    with open(name, "wb" if isinstance(content, bytes) else "w") as file:
        file.write(content)
    return name


def table():
    run("trefoil-geo", "build", "-o", "t.tgt", "--source", "made up 1", "--country",
        write("c.csv", COUNTRIES), "--asn", write("a.csv", ASNS))
    return "t.tgt"


def frame(destination):
    """An Ethernet frame with a UDP packet to `destination`."""
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, bytes([10, 0, 0, 1]),
                     bytes(int(n) for n in destination.split(".")))
    return bytes(12) + b"\x08\x00" + ip + struct.pack(">HHHH", 1, 53, 8, 0)


def capture(*frames, link=1, cut=0):
    """A pcap file's bytes; the last `cut` bytes are missing."""
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for i, f in enumerate(frames):
        data += struct.pack("<IIII", i, 0, len(f), len(f)) + f
    return data[:len(data) - cut]


def test_every_program_has_help_and_version():
    for program in ("trefoild", "trefoilctl", "trefoil-geo", "trefoil-replay"):
        assert "Usage:" in run(program, "--help")[0]
        assert run(program, "--version")[0].startswith(program + " ")
        _, err = run(program, "--no-such-option", want=USAGE)
        assert "--help" in err


def test_geo_build_and_lookup_give_the_contract_keys():
    out, _ = run("trefoil-geo", "lookup", "--json", "--table", table(), "1.0.0.7", "10.0.0.1",
                 "9.9.9.9", "2001:200::1")
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[0] == {"address": "1.0.0.7", "country": "AU", "asn": 13335,
                        "as_name": 'Cloudflare, "Inc."', "special": None, "first": "1.0.0.0",
                        "last": "1.0.0.255", "sources": ["made up 1"]}, lines[0]
    assert lines[1]["special"] == "private" and lines[1]["country"] is None
    assert lines[2]["country"] is None and lines[2]["asn"] == 0 and lines[2]["sources"] == []
    assert lines[3]["country"] == "JP" and lines[3]["asn"] == 0


def test_default_table_answers_the_readme_example():
    out, _ = run("trefoil-geo", "lookup", "--json", "1.1.1.1", "2606:4700::1111", "8.8.8.8")
    asns = [json.loads(line)["asn"] for line in out.splitlines()]
    assert asns == [13335, 13335, 15169], asns


def test_geo_export_gives_back_what_went_in():
    out, _ = run("trefoil-geo", "export", "--table", table())
    assert "1.0.1.0,1.0.3.255,CN" in out, out
    write("back.csv", out)
    run("trefoil-geo", "build", "-o", "u.tgt", "--overlay", "back.csv")
    assert run("trefoil-geo", "export", "--table", "u.tgt")[0] == out


def test_geo_diff_and_verify():
    changed = COUNTRIES.replace("1.0.1.0,1.0.3.255,CN", "1.0.1.0,1.0.3.255,KP")
    run("trefoil-geo", "build", "-o", "v.tgt", "--country", write("d.csv", changed))
    out, _ = run("trefoil-geo", "diff", table(), "v.tgt")
    assert "CN" in out and "KP" in out, out
    json.loads(run("trefoil-geo", "diff", "--json", "t.tgt", "v.tgt")[0])
    run("trefoil-geo", "verify", "t.tgt")
    with open("t.tgt", "rb") as file:
        data = bytearray(file.read())
    data[len(data) // 2] ^= 1
    _, err = run("trefoil-geo", "verify", write("bad.tgt", bytes(data)), want=REFUSED)
    assert "bad.tgt" in err, err


def test_geo_names_file_and_line_of_bad_rows():
    write("bad.csv", COUNTRIES + "1.2.3.4,1.2.3.3,AU\n")
    _, err = run("trefoil-geo", "build", "-o", "x.tgt", "--country", "bad.csv", want=REFUSED)
    assert "bad.csv:4" in err, err
    assert not os.path.exists("x.tgt")
    _, err = run("trefoil-geo", "build", "-o", "x.tgt", "--country", "none.csv", want=REFUSED)
    assert "none.csv" in err, err


def test_check_names_every_error_with_file_and_line():
    out, _ = run("trefoilctl", "check", write("p.ini", POLICY))
    assert "cli" in out
    answer = json.loads(run("trefoilctl", "check", "--json", "p.ini")[0])
    assert answer["ok"] is True and answer["name"] == "cli" and len(answer["sha256"]) == 64
    write("q.ini", POLICY + "[county]\n[asn]\ndrop = AS0\n")
    _, err = run("trefoilctl", "check", "q.ini", want=REFUSED)
    assert "q.ini:7" in err and "did you mean" in err and "q.ini:9" in err, err


def test_ctl_says_when_no_daemon_is_there():
    _, err = run("trefoilctl", "-s", "none.sock", "status", want=UNREACHABLE)
    assert "trefoild" in err, err


def test_replay_prints_the_contract_keys():
    write("c.pcap", capture(frame("1.0.1.1"), frame("1.0.0.1"), frame("9.9.9.9"), b"\0" * 20))
    out, _ = run("trefoil-replay", "-g", table(), "-p", write("p.ini", POLICY), "--json", "c.pcap")
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[0] == {
        "packet": 1, "direction": "outbound", "verdict": "drop", "reason": "country",
        "rule": "p.ini:6 [country] drop CN", "deciding": "1.0.1.1", "country": "CN", "asn": 0,
        "destinations": [{"address": "1.0.1.1", "country": "CN", "asn": 0, "verdict": "drop"}],
        "layers": "eth/ipv4/udp"}, lines[0]
    assert [x["reason"] for x in lines[1:3]] == ["approved-country", "unknown"]
    assert lines[3]["deciding"] is None and lines[3]["verdict"] == "drop+mirror"


def test_replay_writes_what_passes_and_what_is_mirrored():
    frames = [frame("1.0.1.1"), frame("1.0.0.1"), frame("9.9.9.9")]
    write("c.pcap", capture(*frames))
    run("trefoil-replay", "-g", table(), "-p", write("p.ini", POLICY), "--summary",
        "--write-pass", "pass.pcap", "--write-mirror", "mirror.pcapng", "c.pcap")
    with open("pass.pcap", "rb") as file:
        data = file.read()
    assert frames[1] in data and frames[0] not in data and frames[2] not in data
    with open("mirror.pcapng", "rb") as file:
        data = file.read()
    assert frames[2] in data and b"verdict=drop+mirror reason=unknown rule=" in data
    assert frames[0] not in data and frames[1] not in data


def test_replay_in_shadow_mode_says_what_would_have_been():
    write("c.pcap", capture(frame("1.0.1.1")))
    policy = write("p.ini", POLICY.replace("name = cli", "mode = shadow"))
    out, _ = run("trefoil-replay", "-g", table(), "-p", policy, "--json", "--write-pass", "s.pcap",
                 "c.pcap")
    line = json.loads(out)
    assert line["shadow"] is True and line["verdict"] == "drop"
    with open("s.pcap", "rb") as file:
        assert frame("1.0.1.1") in file.read()


def test_replay_judges_inbound_by_the_direction_key():
    write("c.pcap", capture(frame("1.0.1.1")))
    out, _ = run("trefoil-replay", "-g", table(), "-p", write("p.ini", POLICY), "--json",
                 "--direction", "inbound", "c.pcap")
    assert json.loads(out)["reason"] == "inbound"
    run("trefoil-replay", "--direction", "sideways", "c.pcap", want=USAGE)


def test_replay_refuses_what_it_cannot_read():
    policy = write("p.ini", POLICY)
    base = ["-g", table(), "-p", policy, "--summary", "--json"]
    out, err = run("trefoil-replay", *base,
                   write("cut.pcap", capture(frame("1.0.0.1"), frame("1.0.0.1"), cut=9)),
                   want=REFUSED)
    assert json.loads(out)["packets"] == 1 and "cut.pcap" in err and "2" in err, err
    _, err = run("trefoil-replay", *base, write("l.pcap", capture(link=147)), want=REFUSED)
    assert "link type 147" in err, err
    _, err = run("trefoil-replay", *base, write("j.pcap", "not a capture"), want=REFUSED)
    assert "j.pcap" in err, err
    _, err = run("trefoil-replay", "-g", "p.ini", "-p", policy, "cut.pcap", want=REFUSED)
    assert "p.ini" in err, err


def test_replay_reads_raw_ip_cooked_and_loopback():
    ip = frame("1.0.1.1")[14:]
    cases = {101: ip, 228: ip, 113: bytes(14) + b"\x08\x00" + ip,
             276: b"\x08\x00" + bytes(18) + ip, 0: struct.pack("<I", 2) + ip}
    policy = write("p.ini", POLICY)
    for link, data in cases.items():
        write("k.pcap", capture(data, link=link))
        out, _ = run("trefoil-replay", "-g", table(), "-p", policy, "-j", "k.pcap")
        assert json.loads(out)["deciding"] == "1.0.1.1", (link, out)


def doctor(*args):
    """(findings by check, the exit code, which says the worst); what people see has the same."""
    def run_doctor(*options):
        return subprocess.run([f"{BUILD}/tools/trefoilctl/trefoilctl", "doctor", *options, *args],
                              capture_output=True, timeout=120)

    done = run_doctor("--json")
    assert done.returncode in (0, 1, 5), done
    report = json.loads(done.stdout)
    assert done.returncode == {"ok": 0, "unknown": 0, "warn": 5, "fail": 1}[report["worst"]], report
    text = run_doctor().stdout.decode()
    for f in report["findings"]:
        assert set(f) == {"check", "subject", "state", "found", "why", "mend"} and f["why"], f
        if f["check"].startswith(("disk", "hugepages")):
            continue  # each run measures anew
        assert f["found"] in text, f
        assert f["mend"] is None or f["mend"] in text, f
    return {f["check"]: f for f in report["findings"]}, done.returncode


def test_doctor_commands_mend_what_they_are_for():
    folder = os.getcwd()
    write("policy.ini", POLICY)
    os.mkdir("state")
    os.mkdir("evidence", 0o700)
    ini = f"""[appliance]
state_dir = {folder}/state
socket = {folder}/state/control.sock
policy = {folder}/policy.ini
geo_table = {folder}/{table()}
[eal]
cores = 1000
hugepages = no
vdev = net_null0
vdev = net_null1
[wire w]
inside = net_null0
outside = net_null1
queues = 2
[mirror]
dir = {folder}/evidence
rotate_mb = 1
"""
    path = os.path.join(folder, write("trefoild.ini", ini))
    damaged = {"policy": ("policy.ini", 0o666), "state": ("state", 0o777),
               "evidence": ("evidence", 0o755), "geo-table": ("t.tgt", 0o664)}
    for name, mode in damaged.values():
        os.chmod(name, mode)
    found, code = doctor("-c", path)
    assert code == 1, found
    for check in [*damaged, "cores"]:
        assert found[check]["state"] == "fail", found[check]
        subprocess.run(["sh", "-c", found[check]["mend"]], check=True)
    for check in ("hugepages", "user", "rss"):
        subprocess.run(["sh", "-c", found[check]["mend"]], check=True)
    again, _ = doctor("-c", path)
    for check in [*damaged, "cores", "rss"]:
        assert again[check]["state"] == "ok", again[check]
    assert "no [appliance] user" not in again["user"]["found"], again["user"]
    assert "hugepages = no" not in again["hugepages"]["found"], again["hugepages"]
    assert os.listdir("evidence") == [], "the probe of the disk leaves nothing"


def test_doctor_refuses_bad_settings():
    _, err = run("trefoilctl", "doctor", "-c", "missing.ini", want=REFUSED)
    assert "missing.ini" in err, err
    _, err = run("trefoilctl", "doctor", "-c", write("bad.ini", "[eal]\ncoers = 1\n"), want=REFUSED)
    assert "bad.ini:2" in err and "cores" in err, err
    run("trefoilctl", "doctor", "extra", want=USAGE)


def test_doctor_is_of_the_machine_that_it_runs_on():
    for args in (["-H", "ssh://alice@border", "doctor"], ["doctor", "--host", "ssh://alice@border"]):
        out, err = run("trefoilctl", *args, want=USAGE)
        assert "ssh ssh://alice@border trefoilctl doctor" in err and not out, (out, err)


def test_help_says_which_arguments_may_be_missing():
    listed = run("trefoilctl", "--help")[0]
    for text in ("geo       ACTION [TABLE] ", "mirror    ACTION [SEGMENT] ", "push      POLICY "):
        assert text in listed, listed
    assert "geo [OPTION...] ACTION [TABLE]\n" in run("trefoilctl", "geo", "--help")[0]
    assert "TABLE is missing" in run("trefoilctl", "geo", "push", want=USAGE)[1]


def test_daemon_check_finds_bad_settings_before_they_are_used():
    settings = ("[appliance]\nname = x\ngeo_table = %s\npolicy = %s\n[eal]\nhugepages = no\n"
                "vdev = net_tap0\nvdev = net_tap1\n[wire w]\ninside = net_tap0\n"
                "outside = net_tap1\n")
    here = os.getcwd()
    paths = (os.path.join(here, table()), os.path.join(here, write("p.ini", POLICY)))
    out, _ = run("trefoild", "--check", "-c", write("d.ini", settings % paths))
    assert "good" in out
    told = json.loads(run("trefoild", "--check", "--json", "-c", "d.ini")[0])
    assert (told["ok"], told["name"], told["policy"]["name"]) == (True, "x", "cli"), told
    geo = json.loads(run("trefoil-geo", "info", "--json", "t.tgt")[0])
    assert told["geo"]["sha256"] == geo["sha256"], (told, geo)
    run("trefoild", "--json", "-c", "d.ini", want=USAGE)
    _, err = run("trefoild", "--check", "-c",
                 write("e.ini", settings % paths + "quees = 2\n"), want=REFUSED)
    assert "e.ini:12" in err and "queues" in err, err
    out, err = run("trefoild", "--check", "--json", "-c", "e.ini", want=REFUSED)
    told = json.loads(out)
    assert (told["ok"], told["exit"], told["errors"][0]["line"]) == (False, REFUSED, 12), told
    assert "e.ini:12" in err, err
    _, err = run("trefoild", "--check", "-c",
                 write("f.ini", settings % ("/none.tgt", paths[1])), want=REFUSED)
    assert "/none.tgt" in err, err
    _, err = run("trefoild", "--check", "-c", "none.ini", want=REFUSED)
    assert "none.ini" in err, err


def main():
    global BUILD
    BUILD = os.path.abspath(sys.argv[1])
    tests = [(n, f) for n, f in globals().items() if n.startswith("test_")]
    failed = 0
    for name, test in tests:
        if len(sys.argv) > 2 and not any(word in name for word in sys.argv[2:]):
            continue
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                test()
                print(f"{name} ... passed")
            except Exception:  # whatever it is, it is this test's failure
                failed += 1
                print(f"{name} ... FAILED\n{traceback.format_exc()}")
            os.chdir(ROOT)
    print(f"{len(tests) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
