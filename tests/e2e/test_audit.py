#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every change and every attempt is in the audit log, whose lines hold each other; checked here with
sha256 and openssl alone."""
import base64
import hashlib
import json
import os

from e2e import (POLICY, REFUSED, Daemon, Network, check, equal, main, run, until, write)


def lines_of(d):
    with open(os.path.join(d.dir, "audit.jsonl"), "rb") as f:
        return f.read().splitlines(keepends=True)


def verify(d):
    """The records, once each holds the line before and is signed by the key."""
    before, records = "0" * 64, []
    for i, line in enumerate(lines_of(d), 1):
        record = json.loads(line)
        equal((record["seq"], record["prev"]), (i, before), "chain")
        signed = line[:line.rindex(b',"sig":')] + b"}"
        message, signature = write("m", signed), write("s", base64.b64decode(record["sig"]))
        run("openssl", "pkeyutl", "-verify", "-pubin", "-inkey",
            os.path.join(d.dir, "evidence.pub"), "-rawin", "-in", message, "-sigfile", signature)
        before = hashlib.sha256(line).hexdigest()
        records.append(record)
    return records


def test_what_changed_and_what_tried_to():
    with Network(hosts=False), Daemon() as d:
        d.push(POLICY.replace("name = e2e", "name = second"))
        d.ctl("push", d.policy_path, "-m", "ticket 5", "--confirm-within", "1s")
        d.ctl("push", d.policy_path, code=REFUSED)
        until("the rollback", lambda: d.status()["generation"] == 4)
        d.ctl("rollback", "1")
        d.ctl("approve", "1", code=None)
        d.ctl("confirm", code=REFUSED)
        d.ctl("status")
        d.ctl("history")
        d.ctl("mirror", "rotate")
        records = verify(d)
        commands = [(r["command"], r["outcome"], r["before"]["generation"],
                     r["after"]["generation"]) for r in records if r["audit"] == "command"]
        equal(commands, [("push", "done", 1, 2), ("push", "done", 2, 3), ("push", "refused", 3, 3),
                         ("rollback", "done", 4, 5), ("approve", "not-permitted", 5, 5),
                         ("confirm", "refused", 5, 5), ("mirror", "done", 5, 5)], "commands")
        first, second = (r for r in records if r["audit"] == "command" and
                         r["outcome"] == "done" and r["command"] == "push")
        equal((second["who"], second["uid"], second["arguments"]["message"]),
              ("root", os.getuid(), "ticket 5"), "who and why")
        equal(second["before"], first["after"], "digests go on")
        check(first["before"]["policy_sha256"] != first["after"]["policy_sha256"], "digests")
        equal(second["arguments"]["text_sha256"], second["after"]["policy_sha256"], "of the text")
        events = [r["text"] for r in records if r.get("event") == "rollback"]
        check(any("was not confirmed within 1 s" in e for e in events), "the daemon's own", events)
        refused = next(r for r in records if r.get("outcome") == "refused")
        check("waits for its confirmation" in refused["error"], "why", refused)


def test_it_goes_on_after_a_restart_and_a_torn_line():
    with Network(hosts=False), Daemon() as d:
        d.push(POLICY)
        d.process.kill()
        d.process.wait()
        with open(os.path.join(d.dir, "audit.jsonl"), "ab") as f:
            f.write(b'{"seq":99,"torn')
        Daemon.running.remove(d)
        d.start()
        d.push(POLICY)
        records = verify(d)
        check(any(r["audit"] == "torn" for r in records), "the torn line is on record", records)
        equal(records[-1]["command"], "push", "the last line")


def test_a_log_that_cannot_be_written():
    with Network(hosts=False), Daemon() as d:
        equal(d.stop(), 0, "exit code")
        path = os.path.join(d.dir, "audit.jsonl")
        os.rename(path, path + ".away")
        os.mkdir(path)
        Daemon.running.remove(d)
        d.start()
        d.push(POLICY)
        check(any("audit log" in a for a in d.status()["alarms"]), "alarm", d.status()["alarms"])
        os.rmdir(path)
        os.rename(path + ".away", path)
        d.push(POLICY)
        equal(d.status()["alarms"], [], "alarms")
        check(any(r.get("missing_before", 0) > 0 for r in verify(d)), "what is missing is said")


main()
