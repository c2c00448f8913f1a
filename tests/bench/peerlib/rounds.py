# SPDX-License-Identifier: BSD-3-Clause
"""Alternated rounds: one program runs, the others are stopped."""


def run(cell, programs, n_rounds, seconds):
    """Programs are started and stopped; after this they still are."""
    for number in range(n_rounds):
        at = number % len(programs)
        for program in programs[at:] + programs[:at]:
            program.resume()
            cell.add(program.name, program.rate(seconds))
            program.check()
            program.pause()
    for program in programs:
        program.resume()
        note = program.note()
        program.pause()
        if note:
            cell.notes.append(note)
