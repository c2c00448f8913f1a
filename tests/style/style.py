# SPDX-License-Identifier: BSD-3-Clause
"""What the checks of the style suite share. A check prints `file:line: what is wrong` per finding
and exits 0 (none), 1 (some, or nothing to look at), 77 (cannot run here, and why)."""
import argparse
import json
import os
import re
import sys

EXIT_SKIPPED = 77


def arguments(doc):
    """--root: the source tree. --build: a configured and built meson directory."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(here)))
    parser.add_argument("--build", default="build/gcc")
    args = parser.parse_args()
    args.root = os.path.realpath(args.root)
    args.build = os.path.realpath(args.build)
    return args


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(EXIT_SKIPPED)


def finish(findings, n_seen, what):
    """Report and exit. A check that saw nothing has failed: it would never find anything."""
    for finding in findings:
        print(finding)
    print(f"{n_seen} {what}, {len(findings)} findings")
    sys.exit(1 if findings or n_seen == 0 else 0)


def is_build_dir(root, path):
    return path.startswith(os.path.join(root, "build")) or os.path.exists(
        os.path.join(path, "meson-private"))


def files(root, tops=("app", "lib", "config", "tools", "tests", ".ci"), ends=()):
    """Paths relative to `root`, sorted."""
    found = []
    for top in tops:
        for at, dirs, names in os.walk(os.path.join(root, top)):
            dirs[:] = [d for d in dirs
                       if d != "__pycache__" and not is_build_dir(root, os.path.join(at, d))]
            found += [os.path.relpath(os.path.join(at, n), root) for n in names
                      if not ends or n.endswith(ends)]
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def shebang(root, path):
    """The first line of a script, or ''."""
    with open(os.path.join(root, path), "rb") as f:
        first = f.readline(200)
    return first.decode("utf-8", "replace").strip() if first.startswith(b"#!") else ""


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def without_comments(text):
    """C text with comments blanked, lines kept; strings stay."""
    pattern = r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*'

    def blank(match):
        token = match[0]
        return re.sub(r"[^\n]", " ", token) if token.startswith("/") else token
    return re.sub(pattern, blank, text, flags=re.S)


def introspect(build, name):
    """One of meson's intro-NAME.json."""
    path = os.path.join(build, "meson-info", f"intro-{name}.json")
    if not os.path.exists(path):
        skip(f"{build} is no configured build directory (see --build)")
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def compile_commands(build):
    path = os.path.join(build, "compile_commands.json")
    if not os.path.exists(path):
        skip(f"{path} is missing (see --build)")
    with open(path, encoding="utf-8") as f:
        return json.load(f)
