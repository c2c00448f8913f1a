# SPDX-License-Identifier: BSD-3-Clause
"""What tests/bench/run writes: its cells, their table, and comparing two files of them.

A cell is {"bench", "name", "unit", "better", "median", "min", "max", "n", "bar", "met"}, figures may be
null; a ratio may have "of_best", which is compared before the median."""
import json
import statistics
import sys

SPREAD = 10  # per cent, between the tries of a baseline: what differs by more is left out


def load(path):
    try:
        with open(path, encoding="utf-8") as f:
            got = json.load(f)
        assert isinstance(got["cells"], list)
        return got
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as e:
        print(f"bench: {path}: these are no figures of tests/bench/run --json: {e}", file=sys.stderr)
        sys.exit(1)


def key(cell):
    return cell["bench"], cell["name"], cell["unit"]


def value(cell):
    """What is compared; None when it could not be measured."""
    return cell["of_best"] if cell.get("of_best") is not None else cell["median"]


def percent_worse(cell, before, now):
    """Below 0: better. None when one of them is missing or 0."""
    if not before or not now:
        return None
    return 100 * ((now / before if cell["better"] == "lower" else before / now) - 1)


def keep_best(best, cell):
    old = best.get(key(cell))
    if old is None or value(old) is None or (percent_worse(cell, value(old), value(cell)) or 0) < 0:
        best[key(cell)] = cell


def ratios(cells):
    return {key(c): c for c in cells if c["unit"] == "ratio" and value(c) is not None}


def worse(baseline, cells, threshold):
    """What of the baseline's ratios is worse in `cells` (by key), or could not be measured there
    although its bench ran."""
    ran = {c["bench"] for c in cells.values()}
    found = []
    for old in baseline["cells"]:
        if old["unit"] != "ratio" or old["bench"] not in ran or value(old) is None:
            continue
        new = cells.get(key(old))
        now = value(new) if new else None
        percent = percent_worse(old, value(old), now)
        if percent is None or percent > threshold:
            found.append({"bench": old["bench"], "name": old["name"], "before": value(old),
                          "now": now or float("nan"), "percent": percent if percent is not None else float("inf")})
    return found


def differences(a, b):
    """What makes ratios of two machines incomparable, in words: [] when nothing does."""
    alike = {"cpu": "processor", "huge_pages": "memory", "dpdk": "DPDK"}
    short = {k: (str(a.get(k)), str(b.get(k))) for k in alike}
    short["dpdk"] = tuple(".".join(v.split(".")[:2]) for v in short["dpdk"])
    return [f"{alike[k]} {v[0]} there, {v[1]} here" for k, v in short.items() if v[0] != v[1]]


def baseline(tries, machine, args):
    """The ratios that all tries have and agree on, and beside them those left out."""
    cells, left_out = [], []
    for k, cell in tries[0].items():
        values = [value(t[k]) for t in tries if k in t]
        spread = 100 * (max(values) / min(values) - 1)
        row = {n: cell[n] for n in ("bench", "name", "unit", "better")}
        row.update(median=round(statistics.median(values), 4), spread_percent=round(spread, 1), n=len(values))
        (cells if spread <= SPREAD and len(values) == len(tries) else left_out).append(row)
    command = "tests/bench/run " + " ".join(sys.argv[1:])
    return {"made_by": command, "machine": machine, "short": args.short,
            "spread_percent_allowed": SPREAD, "cells": cells, "left_out": left_out}


def of_peers(got):
    """Cells of what tests/bench/peers --json wrote."""
    cells = []
    for cell in got["cells"]:
        for program, row in cell["programs"].items():
            name = f"{cell['section']}, {cell['shape']}: {program}"
            cells.append({"bench": "peers", "name": name, "unit": "Mpps", "better": "higher", **row["mpps"],
                          "bar": None, "met": None})
            if "ratio" in row:
                cells.append({"bench": "peers", "name": f"{cell['section']}, {cell['shape']}: trefoild / {program}",
                              "unit": "ratio", "better": "higher", "median": row["ratio"], "min": None, "max": None,
                              "n": row["mpps"]["n"], "bar": row["bar"], "met": row["met"]})
    return cells


def figure(number):
    return f"{number:10.3f}" if number is not None else f"{'-':>10}"


def table(cells):
    width = max([len(c["name"]) for c in cells] + [4])
    lines = [f"{'bench':9}{'name':{width}}{'median':>10}{'min':>10}{'max':>10}{'n':>5}  {'unit':8}{'bar':>10}  met?"]
    for c in cells:
        bar = "" if c["bar"] is None else f"{'<=' if c['better'] == 'lower' else '>='} {c['bar']:g}"
        met = {True: "met", False: "NOT MET", None: ""}[c["met"]]
        lines.append(f"{c['bench']:9}{c['name']:{width}}{figure(c['median'])}{figure(c['min'])}{figure(c['max'])}"
                     f"{c['n']:5}  {c['unit']:8}{bar:>10}  {met}".rstrip())
    return "\n".join(lines)
