#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What run, compare and plot work out of figures: that a regression is found, and noise is not one."""
import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from peerlib import results


def cell(name, median, unit="ratio", better="lower", bench="path", **more):
    return {"bench": bench, "name": name, "unit": unit, "better": better, "median": median, "min": median,
            "max": median, "n": 5, "bar": None, "met": None, **more}


def by_key(*cells):
    return {results.key(c): c for c in cells}


class Worse(unittest.TestCase):
    def worse(self, old, new, threshold=15):
        return [c["name"] for c in results.worse({"cells": [old]}, by_key(new), threshold)]

    def test_lower_is_better(self):
        self.assertEqual(self.worse(cell("a", 1.0), cell("a", 1.14)), [])
        self.assertEqual(self.worse(cell("a", 1.0), cell("a", 1.16)), ["a"])
        self.assertEqual(self.worse(cell("a", 1.0), cell("a", 0.5)), [])

    def test_higher_is_better(self):
        self.assertEqual(self.worse(cell("a", 2.0, better="higher"), cell("a", 1.75, better="higher")), [])
        self.assertEqual(self.worse(cell("a", 2.0, better="higher"), cell("a", 1.7, better="higher")), ["a"])

    def test_best_rounds_outweigh_a_noisy_median(self):
        self.assertEqual(self.worse(cell("a", 1.0), cell("a", 3.0, of_best=1.05)), [])
        self.assertEqual(self.worse(cell("a", 1.0), cell("a", 1.0, of_best=1.2)), ["a"])

    def test_what_vanished_is_worse(self):
        self.assertEqual(self.worse(cell("a", 1.0), cell("b", 1.0)), ["a"])
        self.assertEqual(self.worse(cell("a", 1.0), cell("a", None)), ["a"])

    def test_a_bench_that_did_not_run_is_not(self):
        self.assertEqual(self.worse(cell("a", 1.0), cell("b", 1.0, bench="table")), [])

    def test_cycles_are_not_compared(self):
        self.assertEqual(self.worse(cell("a", 20, "cycles"), cell("a", 90, "cycles")), [])


class Differences(unittest.TestCase):
    MACHINE = {"cpu": "A", "huge_pages": "huge pages", "dpdk": "22.11.11", "kernel": "6.1"}

    def test_what_does_not_matter_may_differ(self):
        self.assertEqual(results.differences(self.MACHINE, {**self.MACHINE, "dpdk": "22.11.4", "kernel": "6.12"}), [])

    def test_what_matters_is_told(self):
        for key, value in (("cpu", "B"), ("huge_pages", "no huge pages"), ("dpdk", "24.11.2")):
            found = results.differences(self.MACHINE, {**self.MACHINE, key: value})
            self.assertEqual(len(found), 1)
            self.assertIn("there", found[0])


class Tries(unittest.TestCase):
    def test_the_best_try_is_kept(self):
        best = {}
        for value in (1.5, 1.1, 1.3):
            results.keep_best(best, cell("a", value))
        self.assertEqual([c["median"] for c in best.values()], [1.1])

    def test_a_try_that_could_not_measure_loses(self):
        best = {}
        for value in (None, 1.1, None):
            results.keep_best(best, cell("a", value))
        self.assertEqual([c["median"] for c in best.values()], [1.1])

    def test_what_differs_between_tries_is_left_out_of_a_baseline(self):
        tries = [by_key(cell("calm", v), cell("wild", v * v * v)) for v in (1.0, 1.05, 1.08)]

        class Args:
            short = True
        made = results.baseline(tries, {}, Args)
        self.assertEqual([c["name"] for c in made["cells"]], ["calm"])
        self.assertEqual([c["name"] for c in made["left_out"]], ["wild"])
        self.assertEqual(made["cells"][0]["median"], 1.05)


class Compare(unittest.TestCase):
    def compare(self, before, after, *options, cpus=("x", "x")):
        with tempfile.TemporaryDirectory() as directory:
            paths = []
            for name, cells, cpu in (("a", before, cpus[0]), ("b", after, cpus[1])):
                paths.append(os.path.join(directory, name))
                with open(paths[-1], "w", encoding="utf-8") as f:
                    json.dump({"machine": {"cpu": cpu, "n_cpus": 2}, "cells": cells}, f)
            return subprocess.run([sys.executable, os.path.join(HERE, "compare"), *options, *paths],
                                  capture_output=True, text=True)

    def test_equal_files_have_no_regression(self):
        cells = [cell("a", 1.0), cell("b", 30, "cycles")]
        done = self.compare(cells, copy.deepcopy(cells))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("2 figures compared, 0 regressions", done.stdout)

    def test_a_worse_ratio_fails_on_any_machine(self):
        done = self.compare([cell("a", 1.0)], [cell("a", 1.2)], cpus=("x", "y"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("REGRESSION", done.stdout)

    def test_cycles_count_on_one_machine_only(self):
        before, after = [cell("a", 30, "cycles")], [cell("a", 60, "cycles")]
        self.assertEqual(self.compare(before, after).returncode, 1)
        self.assertEqual(self.compare(before, after, cpus=("x", "y")).returncode, 0)
        self.assertEqual(self.compare(before, after, "--threshold-absolute", "120").returncode, 0)

    def test_bad_files_are_refused(self):
        done = self.compare("no list", [])
        self.assertEqual(done.returncode, 1)
        self.assertIn("no figures of tests/bench/run", done.stderr)
        self.assertEqual(self.compare([cell("a", 1)], [cell("b", 1)]).returncode, 1)


class Shown(unittest.TestCase):
    def test_table_says_whether_bars_are_met(self):
        text = results.table([cell("a", 1.0, bar=0.85, met=False), cell("b", None), cell("c", 1, bar=2, met=True)])
        self.assertIn("<= 0.85  NOT MET", text)
        self.assertIn("<= 2  met", text)
        self.assertEqual(len(text.splitlines()), 4)

    def test_cells_of_peers(self):
        rate = {"median": 9.0, "min": 8.0, "max": 10.0, "n": 7}
        got = {"cells": [{"section": "pcap", "shape": "IPv4", "notes": [], "programs": {
            "trefoild": {"mpps": rate}, "l3fwd": {"mpps": rate, "ratio": 1.0, "bar": 1.25, "met": False}}}]}
        self.assertEqual([(c["unit"], c["met"]) for c in results.of_peers(got)],
                         [("Mpps", None), ("Mpps", None), ("ratio", False)])

    def test_the_committed_baseline_can_be_compared(self):
        baseline = results.load(os.path.join(HERE, "baseline.json"))
        self.assertTrue(baseline["cells"])
        for c in baseline["cells"]:
            self.assertEqual((c["unit"], c["better"] in ("lower", "higher")), ("ratio", True))
        worse = results.worse(baseline, {results.key(c): {**c, "median": c["median"] * (
            1.2 if c["better"] == "lower" else 0.8)} for c in baseline["cells"]}, 15)
        self.assertEqual(len(worse), len(baseline["cells"]))


def main():
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(
        unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__]))
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed, {len(result.skipped)} skipped")
    sys.exit(1 if failed else 0)


main()
