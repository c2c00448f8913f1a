#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every change and every attempt is in the audit log, whose lines hold each other; checked here with
sha256 and openssl alone, and by trefoil-audit."""
import base64
import hashlib
import json
import os

from e2e import (POLICY, REFUSED, USAGE, Daemon, Network, check, equal, main, program, run, until,
                 write)


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


def audit(d, *args, code=0, path=None):
    done = run(program("trefoil-audit"), "verify", "--json", "--key",
               os.path.join(d.dir, "evidence.pub"), *args, path or os.path.join(d.dir, "audit.jsonl"),
               code=code)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_log_of_a_daemon_verifies_and_no_changed_one_does():
    with Network(hosts=False), Daemon() as d:
        d.push(POLICY.replace("name = e2e", "name = second"))
        d.ctl("push", write("bad.ini", "[policy]\nmode = off\n"), code=REFUSED)
        d.ctl("rollback", "1", "-m", "not yet")
        status = d.status()["audit"]
        *notes, found = audit(d)
        equal((notes, found["ok"], found["signed"]), ([], True, True), "as it was written")
        equal((found["head"]["lines"], found["head"]["sha256"]),
              (status["lines"], status["sha256"]), "its head is what the status says")
        equal((found["commands"], found["refused"]), (2, 0), "commands")  # `push` refuses bad.ini itself
        equal(audit(d, "--head", status["sha256"], path=d.dir)[-1], found, "by its directory")
        lines = lines_of(d)
        n = len(lines)
        check(n >= 5, "lines", n)
        changed = lines[2].replace(b'"second"', b'"Second"').replace(b"done", b"Done") \
            .replace(b"push", b"pull")
        check(changed != lines[2], "something to change")
        # What was done to it; the first broken line, 0 = none without a head.
        cases = {
            "a line dropped": (lines[:1] + lines[2:], 2),
            "two lines swapped": (lines[:1] + [lines[2], lines[1]] + lines[3:], 2),
            "a word changed": (lines[:2] + [changed] + lines[3:], 3),
            "a bit changed in the last line": (lines[:-1] + [lines[-1][:-3] + b"!" + lines[-1][-2:]], n),
            "cut inside the last line": (lines[:-1] + [lines[-1][:-9]], n),
            "its tail cut off": (lines[:-1], 0),
            "everything cut off": ([], 0),
        }
        for what, (text, first) in cases.items():
            path = write("tampered.jsonl", b"".join(text))
            if first:
                *_, finding, total = audit(d, path=path, code=REFUSED)
                equal((finding["line"], finding["finding"], total["ok"], total["head"]["lines"]),
                      (first, "broken", False, first - 1), what)
                words = run(program("trefoil-audit"), "verify", "--key",
                            os.path.join(d.dir, "evidence.pub"), path, code=REFUSED).stdout
                check(f"tampered.jsonl:{first}: " in words, what, words)
            else:
                equal(audit(d, path=path)[-1]["ok"], True, what + ", without a head")
            audit(d, "--head", status["sha256"], path=path, code=REFUSED)
        # The same lines again, signed by a key that somebody else made.
        d2 = Daemon()
        equal(d.stop(), 0, "exit code")
        with d2:
            theirs = os.path.join(d2.dir, "audit.jsonl")
            finding = audit(d, path=theirs, code=REFUSED)[-2]
            equal((finding["line"], "signature" in finding["text"]), (1, True), "signed again")
            equal(audit(d2)[-1]["ok"], True, "with their own key it is good")
        run(program("trefoil-audit"), "verify", os.path.join(d.dir, "audit.jsonl"), code=USAGE)
        run(program("trefoil-audit"), "verify", "--unsigned", os.path.join(d.dir, "none"),
            code=REFUSED)


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
        note, found = audit(d)
        equal((note["finding"], "were removed" in note["text"], found["torn"]), ("note", True, 1),
              "trefoil-audit notes it")
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
        check(audit(d)[-1]["missing"] > 0, "trefoil-audit notes it")


main()
