#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The unit's exposure, the programs' hardening, and what the daemon does not link.
test_security.py BUILD_DIR WHAT"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

EXPOSURE_MAX = 3.0
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def fail(why):
    print(f"FAILED: {why}")
    sys.exit(1)


def run(*command, **options):
    return subprocess.run(command, text=True, capture_output=True, stdin=subprocess.DEVNULL,
                          timeout=120, **options)


def installed(build):
    done = run("meson", "introspect", "--targets", build)
    return [t["filename"][0] for t in json.loads(done.stdout)
            if t["type"] == "executable" and t["installed"]]


def exposure(unit):
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    if found is None:
        fail(f"systemd-analyze says nothing of {unit}:\n{done.stdout}{done.stderr}")
    return float(found[1]), done.stdout


def test_unit(build):
    """<= 3.0; and a unit without its section of restrictions is over that."""
    if shutil.which("systemd-analyze") is None:
        skip("systemd-analyze is not installed (package systemd)")
    if "--offline" not in run("systemd-analyze", "--help").stdout:
        skip("this systemd-analyze has no --offline")
    unit = os.path.join(build, "config", "trefoild.service")
    value, text = exposure(unit)
    print("\n".join(line for line in text.splitlines() if "✗" in line or "Overall" in line))
    with tempfile.TemporaryDirectory() as place:
        bare = os.path.join(place, "bare.service")
        with open(bare, "w") as f:
            f.write("[Service]\nExecStart=/bin/true\n")
        without, _ = exposure(bare)
    print(f"exposure {value} (a unit without restrictions: {without}), at most {EXPOSURE_MAX}")
    if not value <= EXPOSURE_MAX < without:
        fail("the unit is exposed too much, or the measure does not measure")
    verified = run("systemd-analyze", "verify", unit)
    wrong = [line for line in verified.stderr.splitlines()
             if "trefoild.service" in line and "not executable" not in line and "man" not in line]
    if wrong:
        fail("\n".join(wrong))


def test_hardening(build):
    """All but control flow integrity, which Debian's start-up objects are built without, and what only
    other processors have. A program that is built without any of it is refused."""
    if shutil.which("hardening-check") is None:
        skip("hardening-check is not installed (package devscripts)")
    options = {o["name"]: o["value"] for o in
               json.loads(run("meson", "introspect", "--buildoptions", build).stdout)}
    if options["b_sanitize"] != "none" or options["fuzz"]:
        skip("sanitizers do not get along with _FORTIFY_SOURCE")
    programs = installed(build)
    check = ["hardening-check", "--nocfprotection"]
    if "--nobranchprotection" in run("hardening-check", "--help").stdout:
        check.append("--nobranchprotection")
    done = run(*check, *programs)
    print(done.stdout)
    if done.returncode != 0 or len(programs) < 5:
        fail(f"hardening-check: {done.stderr}")
    with tempfile.TemporaryDirectory() as place:
        source, soft = os.path.join(place, "soft.c"), os.path.join(place, "soft")
        with open(source, "w") as f:
            f.write("#include <stdio.h>\n#include <string.h>\n"
                    "int main(int c, char **v) { char b[9]; strcpy(b, v[c - 1]); return puts(b); }\n")
        run("cc", "-O2", "-no-pie", "-fno-stack-protector", "-U_FORTIFY_SOURCE", "-Wl,-z,norelro",
            "-o", soft, source, check=True)
        if run(*check, soft).returncode == 0:
            fail("a program without any hardening passes")


def test_formats(build):
    """No library and no function that reads foreign formats of geo data is in the daemon; they are
    in trefoil-geo, where this test must find them."""
    def traces(program):
        path = os.path.join(build, program)
        needed = run("readelf", "-d", path, check=True).stdout
        symbols = run("nm", "-a", path, check=True).stdout
        return re.findall(r"\[(libmaxminddb[^]]*)\]", needed) + \
            re.findall(r" [Tt] (geo_import\w*|geo_mmdb\w*|geo_csv\w*)", symbols)
    in_daemon, in_tool = traces("app/trefoild/trefoild"), traces("tools/trefoil-geo/trefoil-geo")
    print(f"trefoild: {in_daemon}; trefoil-geo: {in_tool}")
    if in_daemon or not any(t.startswith("libmaxminddb") for t in in_tool) or len(in_tool) < 3:
        fail("the daemon reads foreign formats, or the test does not see them")


{"unit": test_unit, "hardening": test_hardening, "formats": test_formats}[sys.argv[2]](sys.argv[1])
