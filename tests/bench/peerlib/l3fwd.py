# SPDX-License-Identifier: BSD-3-Clause
"""Build l3fwd from the distribution's examples, in a temporary directory.

Changed there, and only there: room for the full table, buffers for the capture, and no checksum
offload, which net_pcap does not have and l3fwd asks for."""
import os
import re
import shutil
import subprocess

from peerlib.programs import N_BUFFERS, Skip

EXAMPLES = ("/usr/share/dpdk/examples", "/usr/share/doc/libdpdk-dev/examples",
            "/usr/local/share/dpdk/examples")
CHANGES = {
    "main.c": [
        (r"\(unsigned\)8192", f"(unsigned){N_BUFFERS}"),
        (r"\.offloads = RTE_ETH_RX_OFFLOAD_CHECKSUM", ".offloads = 0"),
    ],
    "l3fwd_fib.c": [
        (r"max_routes = \(1 << 16\)( - 1)?", "max_routes = (1 << 21)"),
        (r"trie\.num_tbl8 = \(1 << 15\)", "trie.num_tbl8 = (1 << 20)"),
    ],
}


def examples():
    for path in EXAMPLES:
        if os.path.exists(os.path.join(path, "l3fwd", "l3fwd_fib.c")):
            return path
    raise Skip("l3fwd: no DPDK examples here (Debian: apt-get install dpdk-doc libdpdk-dev)")


def change(text, name):
    for pattern, by in CHANGES[name]:
        text, n = re.subn(pattern, by, text)
        if n == 0:
            raise Skip(f"l3fwd: {name} of this DPDK has no '{pattern}' to change")
    return text


def build(directory):
    """Returns the program."""
    source = examples()
    for name in ("l3fwd", "common"):
        shutil.copytree(os.path.join(source, name), os.path.join(directory, name))
    for name in CHANGES:
        path = os.path.join(directory, "l3fwd", name)
        with open(path, encoding="utf-8") as f:
            text = change(f.read(), name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    done = subprocess.run(["make", "-C", os.path.join(directory, "l3fwd"), "shared"],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skip(f"l3fwd does not build: {done.stderr.strip().splitlines()[-1:]}")
    return os.path.join(directory, "l3fwd", "build", "l3fwd")
