# SPDX-License-Identifier: BSD-3-Clause
"""Alternated rounds: one program runs, the others are stopped; each is measured by its counters."""
import select
import time

SETTLE_S = 0.15  # caches, buffers on their way


def wait(seconds):
    """A measured interval; nothing else is waited for."""
    select.select([], [], [], seconds)


def rate(program, seconds):
    """Mpps over an interval, by the program's own counter. Reading takes a moment: its middle
    counts."""
    def read():
        before = time.monotonic()
        packets = program.packets()
        return (before + time.monotonic()) / 2, packets

    wait(SETTLE_S)
    t0, p0 = read()
    wait(seconds)
    t1, p1 = read()
    return (p1 - p0) / (t1 - t0) / 1e6


def run(cell, programs, n_rounds, seconds):
    """Programs are running and stopped; after this they still are."""
    for number in range(n_rounds):
        order = programs[number % len(programs):] + programs[:number % len(programs)]
        for program in order:
            program.resume()
            cell.add(program.name, rate(program, seconds))
            program.check()
            program.pause()
