#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What users get wrong: one line that says what to do, and the exit codes of the contract."""
import os
import shutil

from e2e import (IE, NOT_PERMITTED, REFUSED, UNREACHABLE, USAGE, WORK, Daemon, Network, Skip, check,
                 equal, main, make_geo, program, run, write)


def refused(words, settings=None, vdevs=None, code=REFUSED, args=(), **options):
    """trefoild must end at once, with one line of its own that has all the words."""
    d = Daemon(settings=settings, vdevs=vdevs, **options)
    done = run(program("trefoild"), "-c", d.ini, *args, code=None, timeout=30)
    equal(done.returncode, code, f"exit code\n{done.stderr}")
    notes = ("generation 1 judges", "[access] there is no group", "keeps the privileges of root")
    lines = [x for x in done.stderr.splitlines()
             if x.startswith("trefoild: ") and not any(note in x for note in notes)]
    equal(len(lines), 1, f"lines of the error\n{done.stderr}")
    for word in words:
        check(word in lines[0], "the error says", word, lines[0])
    check(not os.path.exists(d.socket), "no socket is left")
    return lines[0]


def test_settings():
    refused(["trefoild.ini:", "quueues", "queues"], {"wire border.quueues": 2})
    refused(["trefoild.ini:", "9", "mtu"], {"wire border.mtu": 9})
    refused(["trefoild.ini:", "cores"], {"eal.cores": "two"})
    refused(["trefoild.ini:", "hugepages", "maybe"], {"eal.hugepages": "maybe"})
    refused(["trefoild.ini:", "outside"], {"wire border.outside": None})
    refused(["trefoild.ini:", "pcapgn", "pcapng"], {"mirror.format": "pcapgn"})


def test_no_settings_file():
    done = run(program("trefoild"), "-c", "/nowhere/trefoild.ini", code=REFUSED)
    equal(len(done.stderr.splitlines()), 1, done.stderr)
    check("/nowhere/trefoild.ini" in done.stderr, "the file's name", done.stderr)


def test_usage():
    for args in (("--nonsense",), ("-c",)):
        run(program("trefoild"), *args, code=USAGE)
    for args in ((), ("nonsense",), ("status", "too", "many"), ("counters", "--by", "colour"),
                 ("mirror", "explode"), ("push",)):
        run(program("trefoilctl"), *args, code=USAGE)
    for name in ("trefoild", "trefoilctl", "trefoil-replay", "trefoil-geo"):
        for option in ("--help", "--version"):
            check(run(program(name), option).stdout != "", name, option)


def test_missing_port():
    with Network(hosts=False):
        line = refused(["net_af_packet7"], {"wire border.outside": "net_af_packet7"})
        check("vdev" in line, "what to do", line)
        refused(["0000:99:00.0"], {"wire border.outside": "0000:99:00.0"})


def test_missing_interface():
    with Network(hosts=False):
        refused(["net_af_packet1", "iface="],
                vdevs=["net_af_packet0,iface=in0", "net_af_packet1,iface=nowhere0"])


def test_too_many_queues():
    with Network(hosts=False):
        line = refused(["queues = 3", "1"], {"wire border.queues": 3})
        check("qpairs" in line, "what to do", line)


def test_mtu_without_room():
    with Network(hosts=False):
        vdevs = ["net_af_packet0,iface=in0", "net_af_packet1,iface=out0"]
        refused(["mtu = 9000", "framesz=16384", "vdev"], {"wire border.mtu": 9000}, vdevs)


def test_no_hugepages():
    with open("/proc/meminfo") as f:
        if "HugePages_Free:        0" not in f.read():
            raise Skip("this machine has free huge pages")
    with Network(hosts=False):
        refused(["hugepages", "vm.nr_hugepages", "hugepages = no"], {"eal.hugepages": "yes"})


def test_too_little_memory():
    with Network(hosts=False):
        refused(["memory_mb"], {"eal.memory_mb": 64, "wire border.queues": 4,
                                "wire border.mtu": 9000},
                ["net_af_packet0,iface=in0,qpairs=4", "net_af_packet1,iface=out0,qpairs=4"])


def test_core_that_is_not_there():
    with Network(hosts=False):
        refused(["core 999", "cores"], {"eal.cores": "999"})


def test_mirror_directory():
    with Network(hosts=False):
        refused(["/nowhere/mirror"], {"mirror.dir": "/nowhere/mirror"})


def test_socket_directory():
    with Network(hosts=False):
        refused(["/nowhere/control.sock"], {"appliance.socket": "/nowhere/control.sock"})


def test_check_option():
    d = Daemon()
    check("good" in run(program("trefoild"), "-c", d.ini, "--check").stdout, "good")
    d.write_policy("[country]\napprove = XQQ\n")
    done = run(program("trefoild"), "-c", d.ini, "--check", code=REFUSED)
    check("policy.ini:2" in done.stderr, "file:line", done.stderr)
    d = Daemon(settings={"appliance.geo_table": "/nowhere/geo.tgt"})
    done = run(program("trefoild"), "-c", d.ini, "--check", code=REFUSED)
    check("/nowhere/geo.tgt" in done.stderr, "the table's name", done.stderr)


def as_nobody(*command):
    if os.geteuid() != 0:
        raise Skip("not root")
    try:
        return run(*command, code=None, user=65534, group=65534, extra_groups=[])
    except OSError as e:
        raise Skip(f"only one user in this namespace: {e}") from None


def test_not_permitted():
    """As nobody: no packet sockets, and no reading of a file of root's."""
    for path in (WORK, "/run"):
        os.chmod(path, 0o755)
    daemon = f"{WORK}/trefoild"
    shutil.copy(program("trefoild"), daemon)
    with Network(hosts=False):
        d = Daemon(settings={"mirror.dir": None, "mirror.rotate_mb": None})
        for path in (d.dir, make_geo(), d.policy_path, d.ini):
            os.chmod(path, 0o755)
        done = as_nobody(daemon, "-c", d.ini)
        equal(done.returncode, NOT_PERMITTED, done.stderr)
        check("CAP_NET_RAW" in done.stderr, "what to do", done.stderr)
        os.chmod(d.ini, 0o600)
        done = as_nobody(daemon, "-c", d.ini)
        equal(done.returncode, NOT_PERMITTED, done.stderr)
        equal(len(done.stderr.splitlines()), 1, done.stderr)


def test_unreachable():
    for command in (("status",), ("counters",), ("explain", IE), ("mirror", "rotate"),
                    ("push", write("good.ini", "[country]\napprove = IE\n"))):
        done = run(program("trefoilctl"), "-s", "/run/nowhere.sock", *command, code=UNREACHABLE)
        equal(len(done.stderr.splitlines()), 1, done.stderr)
        check("/run/nowhere.sock" in done.stderr, "which socket", done.stderr)


main()
