# SPDX-License-Identifier: BSD-3-Clause
"""What the tests that replay captures share: running the programs, tables of expected values,
the closing line."""

import glob
import ipaddress
import json
import os
import subprocess
import sys

SKIP = 77
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CORPUS = os.path.join(TESTS, "data", "bypass")


def shared_captures():
    """The shared captures by path relative to their directory, or {} where they are absent."""
    root = os.environ.get("TREFOIL_PCAPS") or os.path.join(
        os.path.dirname(os.path.dirname(TESTS)), "shared", "pcaps")
    paths = glob.glob(os.path.join(root, "*", "*.*cap*"))
    return {os.path.relpath(p, root): p for p in sorted(paths) if "licences" not in p}


def corpus_captures():
    paths = sorted(glob.glob(os.path.join(CORPUS, "*.pcap")))
    return {"bypass/" + os.path.basename(p): p for p in paths}


def build_table(geo, directory):
    """The corpus' own table of a few rows."""
    out = os.path.join(directory, "bypass.tgt")
    subprocess.run([geo, "build", "-o", out, "--country", os.path.join(CORPUS, "geo.csv")],
                   check=True, stdout=subprocess.DEVNULL)
    return out


def replay(program, table, path, policy="policy.ini", arguments=()):
    """One JSON object per packet, and what the program says on standard error."""
    done = subprocess.run(
        [program, "-g", table, "-p", os.path.join(CORPUS, policy), "--json", *arguments, path],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode not in (0, 1):
        sys.exit("%s %s: exit status %d\n%s" % (program, path, done.returncode, done.stderr))
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.strip()


def canonical(text):
    """One spelling for one address."""
    return str(ipaddress.ip_address(text))


def read_rows(path, n_columns):
    """Rows of a tab-separated table without its comments."""
    rows = []
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            columns = line.split("\t")
            if len(columns) != n_columns:
                sys.exit("%s:%d: %d columns, not %d" % (path, number, len(columns), n_columns))
            rows.append(columns)
    return rows


def skip(why):
    print("skipped: " + why)
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(SKIP)


def close(n_passed, n_failed, n_skipped=0):
    print("%d passed, %d failed, %d skipped" % (n_passed, n_failed, n_skipped))
    sys.exit(1 if n_failed else 0)


def settle(found, known_path, names, n_compared, n_skipped=0, write=False):
    """Compare differences {(file, packet, what): text} in the files `names` with the explained ones
    of a table whose rows are file, packet, what, class; print what is left over and finish."""
    known = {tuple(row[:3]): row[3] for row in read_rows(known_path, 4) if row[0] in names}
    classes = {}
    with open(known_path, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("# class "):
                name, text = line[len("# class "):].rstrip("\n").split(": ", 1)
                classes[name] = text
    bad = 0
    if write:
        for key in sorted(found):
            print("\t".join(key) + "\t" + known.get(key, "?") + "\t" + found[key])
        sys.exit(0)
    for key in sorted(set(found) - set(known)):
        bad += 1
        print("unexplained: %s packet %s: %s (%s)" % (*key, found[key]))
    for key in sorted(set(known) - set(found)):
        bad += 1
        print("explained, but no longer so: %s packet %s: %s" % key)
    for key, name in known.items():
        if name not in classes:
            bad += 1
            print("no '# class %s: ...' in %s" % (name, known_path))
    counts = {}
    for key in set(known) & set(found):
        counts[known[key]] = counts.get(known[key], 0) + 1
    for name in sorted(counts):
        print("%5d  %s: %s" % (counts[name], name, classes.get(name, "?")))
    print("%d packets compared" % n_compared)
    close(0 if bad else 1, bad, n_skipped)  # one test, however many packets
