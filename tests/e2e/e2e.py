# SPDX-License-Identifier: BSD-3-Clause
"""
What the end-to-end tests share; a test imports everything from here.

A test file ends with main(), which starts it again in network, mount and process namespaces of its
own, with a fresh tmpfs at /run: whatever happens, even SIGKILL, ends all processes and leaves no
interface, mount or file behind. Then it runs every test_* function. In there:

    inside (netns) eth0 --veth-- in0 | trefoild | out0 --veth-- eth0 outside (netns)

There is no other way from inside to outside, and none from either to the host's network.
Sockets belong to the namespace they were made in, so one process plays all hosts (see within()).
Nothing here sleeps for an effect: until() asks for it until a deadline.

Standard library only. By hand: tests/e2e/test_push.py BUILD_DIR [TEST...]
"""
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
import traceback

from captures import read_pcap, read_pcapng, write_pcap  # noqa: F401
from common import (DONE, NOT_PERMITTED, PATIENCE, REFUSED, ROOT, UNREACHABLE,  # noqa: F401
                    USAGE, WORK, Failure, Skip, check, equal, lay_over, program, run, until,
                    write)
from daemon import Daemon, conserved  # noqa: F401
from frames import (MAC_IN, MAC_OUT, addresses_of, arp, checksum, ethernet,  # noqa: F401
                    frame4, frame6, ip4, ip6, lldp, udp)
from network import Network, Sniffer, ping, within  # noqa: F401
from places import (CN, CN6, DE, IE, IE6, JP, KP, POLICY, UNKNOWN, US, US6,  # noqa: F401
                    make_geo)

MARK = "TREFOIL_E2E_INSIDE"
LOCKED = 160 << 20  # bytes, of the rings of two ports with two queues


def _enter():
    """Start again in namespaces of our own."""
    if len(sys.argv) > 1 and os.path.isdir(sys.argv[1]):
        os.environ["TREFOIL_E2E_BUILD"] = os.path.abspath(sys.argv.pop(1))
    if "TREFOIL_E2E_BUILD" not in os.environ:
        sys.exit(f"usage: {sys.argv[0]} BUILD_DIR [TEST...]")
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    os.environ.update(PATH=path, LC_ALL="C.UTF-8")
    for tool in ("unshare", "ip", "ping"):
        if shutil.which(tool, path=path) is None:
            _skip_all(f"'{tool}' is missing: tools/install-deps demo")
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        unshare.append("--map-root-user")
        _need_locked_memory()
    tried = subprocess.run(unshare + ["mount", "-t", "tmpfs", "run", "/run"], capture_output=True,
                           text=True)
    if tried.returncode != 0:
        _skip_all(f"namespaces are not permitted here: {tried.stderr.strip()}")
    os.environ[MARK] = "1"
    sys.stdout.flush()
    os.execvp("unshare", unshare + [sys.executable, "-B"] + sys.argv)


def _need_locked_memory():
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    if limit != resource.RLIM_INFINITY and limit < LOCKED:
        _skip_all(f"packet rings need {LOCKED >> 20} MiB of locked memory (ulimit -l), here is "
                  f"{limit >> 20}: run as root")


def _skip_all(why):
    print(f"skipped: {why}\n0 passed, 0 failed, 1 skipped")
    sys.exit(77)


def _prepare():
    run("mount", "-t", "tmpfs", "-o", "mode=755", "run", "/run")
    os.makedirs("/run/netns")
    os.mkdir(WORK)
    os.environ.pop("NOTIFY_SOCKET", None)
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)):
            pass
    except OSError as e:
        _skip_all(f"AF_PACKET sockets are not permitted here: {e}")
    tried = run("ip", "link", "add", "in0", "type", "veth", "peer", "name", "out0", code=None)
    if tried.returncode != 0:
        _skip_all(f"veth interfaces cannot be made here: {tried.stderr.strip()}")
    run("ip", "link", "del", "in0")


def main():
    """Run every function test_* of the program, in the order they are written."""
    tests = [f for name, f in vars(sys.modules["__main__"]).items() if name.startswith("test_")]
    if MARK not in os.environ:
        _enter()
    _prepare()
    passed = failed = skipped = 0
    for test in tests:
        name = test.__name__.removeprefix("test_")
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        begin = time.monotonic()
        try:
            test()
            passed += 1
            print(f"ok       {name} ({time.monotonic() - begin:.1f} s)")
        except Skip as e:
            skipped += 1
            print(f"skipped  {name}: {e}")
        except Exception as e:
            failed += 1
            traceback.print_exc(file=sys.stdout)
            print(f"FAILED   {name}: {e}")
        sys.stdout.flush()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 77 if skipped and not passed else 0)
