# SPDX-License-Identifier: BSD-3-Clause
"""Measured rates, their medians, ratios and bars, as a table for people and as JSON."""
import os
import statistics
import subprocess
import time

OURS = "trefoild"


class Cell:
    """One wire and one kind of traffic: rates[program] has a figure per round, in Mpps. `bars` maps
    a peer to the least ratio of ours to it."""

    def __init__(self, section, shape, bars):
        self.section, self.shape, self.bars = section, shape, bars
        self.rates, self.notes = {}, []

    def add(self, program, mpps):
        self.rates.setdefault(program, []).append(mpps)

    def ratio(self, peer):
        """Median of the rounds' ratios: what drifts over a run hits both alike."""
        return statistics.median(
            o / p for o, p in zip(self.rates[OURS], self.rates[peer]))

    def as_json(self):
        rows = {}
        for program, rates in self.rates.items():
            row = {"mpps": summary(rates), "rounds": rates}
            if program != OURS and OURS in self.rates:
                bar, ratio = self.bars.get(program), self.ratio(program)
                row.update(ratio=ratio, bar=bar, met=None if bar is None else ratio >= bar)
            rows[program] = row
        return {"section": self.section, "shape": self.shape, "programs": rows,
                "notes": self.notes}


def summary(rates):
    return {"median": statistics.median(rates), "min": min(rates), "max": max(rates),
            "n": len(rates)}


def header():
    return f"{'':34}{'median':>8}{'min':>8}{'max':>8}{'n':>4}{'ratio':>8}{'bar':>7}"


def lines(cell):
    """The cell as text; the ratio is trefoild's to the program of the line."""
    yield f"{cell.section}, {cell.shape}"
    for program, row in cell.as_json()["programs"].items():
        m = row["mpps"]
        line = f"  {program:32}{m['median']:8.2f}{m['min']:8.2f}{m['max']:8.2f}{m['n']:4}"
        if "ratio" in row:
            line += f"{row['ratio']:8.2f}"
        if row.get("bar") is not None:
            line += f"{row['bar']:7.2f}  {'met' if row['met'] else 'NOT MET'}"
        yield line
    for note in cell.notes:
        yield f"  {note}"


def machine():
    """What a figure means nothing without."""
    def first(*command):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            return done.stdout.splitlines()[0].strip()
        except (OSError, subprocess.CalledProcessError, IndexError):
            return "unknown"

    cpu = {}
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
        for line in f:
            if not line.strip():
                break
            key, _, value = line.partition(":")
            cpu[key.strip()] = value.strip()
    model = cpu.get("model name", "unknown")
    if "cpu family" in cpu:  # a cloud's name for it is that of several
        model += f", family {cpu['cpu family']} model {cpu['model']}"
    root = os.path.dirname(os.path.abspath(__file__))
    return {
        "cpu": model, "n_cpus": os.cpu_count(), "kernel": os.uname().release,
        "dpdk": first("pkg-config", "--modversion", "libdpdk"),
        "commit": first("git", "-c", "safe.directory=*", "-C", root, "describe", "--always",
                        "--dirty", "--abbrev=12"),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
