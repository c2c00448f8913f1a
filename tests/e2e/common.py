# SPDX-License-Identifier: BSD-3-Clause
"""Claims, waiting, programs: what every part of the end-to-end tests uses."""
import os
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = "/run/e2e"  # on the private tmpfs
PATIENCE = float(os.environ.get("TREFOIL_E2E_PATIENCE", "20"))  # seconds until() waits

DONE, REFUSED, USAGE, UNREACHABLE, NOT_PERMITTED = range(5)


class Failure(Exception):
    """What was claimed was not observed."""


class Skip(Exception):
    """This cannot be tried here; says why."""


def check(condition, what, *details):
    if not condition:
        raise Failure(" ".join([what] + [repr(d) for d in details]))


def equal(got, want, what):
    if got != want:
        raise Failure(f"{what}: got {got!r}, want {want!r}")


def until(what, probe, patience=PATIENCE, pause=0.02):
    """The first true value of probe()."""
    deadline = time.monotonic() + patience
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"not within {patience:.0f} s: {what}")
        time.sleep(pause)


def program(name):
    folder = "app" if name == "trefoild" else "tools"
    return os.path.join(os.environ["TREFOIL_E2E_BUILD"], folder, name, name)


def run(*command, code=0, **options):
    """Run to the end; `code` None allows any exit code."""
    options.setdefault("timeout", 120)
    done = subprocess.run(
        [str(c) for c in command], text=True, errors="replace", capture_output=True,
        stdin=subprocess.DEVNULL, **options)
    if code is not None and done.returncode != code:
        raise Failure(f"{' '.join(map(str, command))}: exit {done.returncode}, not {code}\n"
                      f"{done.stdout}{done.stderr}")
    return done


def write(name, text):
    path = os.path.join(WORK, name)
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    return path


def lay_over(place):
    """What is written there from now on is on the test's tmpfs, and seen by nobody else."""
    if os.path.ismount(place):
        return
    parts = [f"{WORK}/over{place}/{part}" for part in ("upper", "work")]
    for part in parts:
        os.makedirs(part)
    done = run("mount", "-t", "overlay", "overlay", "-o",
               f"lowerdir={place},upperdir={parts[0]},workdir={parts[1]}", place, code=None)
    if done.returncode != 0:
        raise Skip(f"no overlay can be mounted over {place}: {done.stderr.strip()}")
