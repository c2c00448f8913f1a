# SPDX-License-Identifier: BSD-3-Clause
"""Hugepages for all programs or for none, and the machine as it was afterwards."""
import contextlib

TOTAL = "/proc/sys/vm/nr_hugepages"
FREE = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
NEEDED = 2400  # l3fwd's IPv6 table alone takes 1.1 GB


def read(path):
    with open(path, encoding="ascii") as f:
        return int(f.read())


def write(path, value):
    with open(path, "w", encoding="ascii") as f:
        f.write(str(value))


@contextlib.contextmanager
def reserved(are_wanted):
    """Yields whether there are enough."""
    if not are_wanted:
        yield False
        return
    added = 0
    try:
        missing = NEEDED - read(FREE)
        if missing > 0:
            before = read(TOTAL)
            write(TOTAL, before + missing)
            added = read(TOTAL) - before
        has_enough = read(FREE) >= NEEDED
    except OSError:
        has_enough = False
    try:
        yield has_enough
    finally:
        if added > 0:  # others may have asked for more meanwhile
            write(TOTAL, max(read(TOTAL) - added, 0))
