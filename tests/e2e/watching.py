# SPDX-License-Identifier: BSD-3-Clause
"""Events as trefoilctl watch prints them."""
import subprocess
import threading

from common import program, until


class Watch:
    """trefoilctl watch, read line by line."""

    def __init__(self, d, *args):
        self.process = subprocess.Popen(
            [program("trefoilctl"), "-s", d.socket, *args], stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE)
        self.lines = []
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.thread.join()

    def wait_for(self, *words):
        return until(f"a line with {words}",
                     lambda: next((x for x in self.lines if all(w in x for w in words)), None))
