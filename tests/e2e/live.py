# SPDX-License-Identifier: BSD-3-Clause
"""Real programs on both sides of the border: servers outside, clients inside."""
import contextlib
import hashlib
import json
import os
import random
import shutil
import subprocess
import time

from common import WORK, Failure, Skip, check, equal, run, until, write
from network import within

SIZE = 3 << 20


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            raise Skip(f"'{tool}' is missing: tools/install-deps test")


class Server:
    """A program that runs outside, or elsewhere, until the end of the block."""

    def __init__(self, *command, host="outside", ready=None, **options):
        self.log = os.path.join(WORK, f"server-{os.path.basename(command[0])}.log")
        options.setdefault("stdin", subprocess.DEVNULL)
        with open(self.log, "w") as log, contextlib.ExitStack() as where:
            if host is not None:
                where.enter_context(within(host))
            self.process = subprocess.Popen([str(c) for c in command], stdout=log,
                                            stderr=subprocess.STDOUT, **options)
        try:
            if ready is not None:
                until(f"{command[0]} is ready", lambda: self._check() and ready(self))
        except BaseException:
            self.close()
            raise

    def _check(self):
        if self.process.poll() is not None:
            raise Failure(f"{self.process.args[0]} ended with {self.process.returncode}: "
                          f"{self.text()}")
        return True

    def text(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def __enter__(self):
        return self

    def close(self):
        self.process.kill()
        self.process.wait()

    def __exit__(self, *_):
        self.close()


def listens(host, port, kind="-lnt"):
    """Does somebody listen there?"""
    with within(host):
        return f":{port} " in run("ss", kind).stdout


class Web(Server):
    """nginx outside, with a file of chance; gives the file's SHA-256."""

    def __init__(self):
        need("nginx", "curl", "ss")
        data = random.Random(3).randbytes(SIZE)
        self.digest = hashlib.sha256(data).hexdigest()
        super().__init__("nginx", "-p", WORK, "-c", web_settings(data),
                         ready=lambda _: listens("outside", 80))

    def __enter__(self):
        return self.digest


def web_settings(data):
    root = os.path.join(WORK, "www")
    os.makedirs(root, exist_ok=True)
    write("www/file", data)
    return write("nginx.conf", f"""\
daemon off;
user root;
pid {WORK}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {WORK}/body;
    proxy_temp_path {WORK}/proxy;
    fastcgi_temp_path {WORK}/fastcgi;
    uwsgi_temp_path {WORK}/uwsgi;
    scgi_temp_path {WORK}/scgi;
    server {{
        listen 80;
        listen [::]:80;
        root {root};
    }}
}}
""")


def fetch(address, patience=30):
    """SHA-256 of the file as a client inside gets it, None = no answer in time."""
    got = os.path.join(WORK, "got")
    url = f"http://[{address}]/file" if ":" in address else f"http://{address}/file"
    with within("inside"):
        done = run("curl", "-s", "-o", got, "--max-time", patience, url, code=None)
    if done.returncode != 0:
        return None
    with open(got, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def iperf(address, *options):
    """One run of iperf3; its sums."""
    need("iperf3", "ss")
    with Server("iperf3", "-s", "-1", "-B", address, ready=lambda _: listens("outside", 5201)):
        with within("inside"):
            done = run("iperf3", "-c", address, "-J", "-t", "1", *options, code=None)
    answer = json.loads(done.stdout)
    check("error" not in answer, "iperf3:", answer.get("error"))
    return answer["end"]


def unharmed(d, approved, mirrored, refused, digest):
    """A file crosses bit by bit from whom it may, with copies where they are asked for, and not from
    others."""
    for address in approved:
        equal(fetch(address), digest, f"the file from {address}")
    for address in mirrored:
        before = d.counters()["mirrored"]["packets"]
        equal(fetch(address), digest, f"the file from {address}")
        check(d.counters()["mirrored"]["packets"] > before, "copies of", address)
    for address in refused:
        begin = time.monotonic()
        equal(fetch(address, 1), None, f"the file from {address}")
        check(time.monotonic() - begin > 0.9, "no answer at all, rather than a refusal", address)
