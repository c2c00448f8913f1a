#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What monitoring reads is what trefoilctl says, to the packet; promtool and a real Prometheus take
it; whoever reaches the port can do no harm."""
import contextlib
import glob
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import urllib.parse

from e2e import (CN, DE, IE, JP, KP, ROOT, UNKNOWN, US, WORK, Daemon, Network, Skip, Sniffer, check,
                 equal, frame4, frame6, main, run, udp, until, write)

PORT = 9433
LISTEN = {"metrics.listen": f"127.0.0.1:{PORT}"}
SAMPLE = re.compile(r'^(trefoil_[a-z0-9_]+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z0-9_]+)="((?:[^"\\]|\\.)*)"')
OPEN = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}
FRAMES = [frame4(IE, udp(bytes(100)))] * 40 + [frame4(DE)] * 30 + [frame4("20.4.9.7")] * 20 + \
    [frame4(US)] * 10 + [frame4(CN)] * 15 + [frame4(KP)] * 5 + [frame4(UNKNOWN)] * 4 + \
    [frame4(JP)] * 3 + [frame4("192.168.3.4")] * 2 + [frame6("2a01:4::1")]


@contextlib.contextmanager
def appliance(**settings):
    run("ip", "link", "set", "lo", "up")
    with Network(hosts=False), Daemon(settings={**LISTEN, **settings}) as d, \
            Sniffer("inside") as inside:
        yield d, inside


def ask(path, method="GET", headers=None, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()
    finally:
        connection.close()


def parse(text):
    """{("trefoil_x_total", (("label", "value"),)): number}"""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = SAMPLE.match(line)
        check(match is not None, "a sample", line)
        key = (match[1], tuple(sorted(LABEL.findall(match[2] or ""))))
        check(key not in found, "one sample per series", line)
        found[key] = float(match[3])
    return found


def scrape():
    status, headers, text = ask("/metrics")
    equal(status, 200, "status of /metrics")
    check("version=0.0.4" in headers["Content-Type"], "content type", headers)
    return parse(text)


def value(samples, name, **labels):
    return samples[(name, tuple(sorted(labels.items())))]


def expected(d):
    """The series that trefoilctl's answers make."""
    want = {}

    def put(name, number, **labels):
        want[(name, tuple(sorted(labels.items())))] = number

    c = d.counters()
    for key, name in (("rx", "received"), ("forwarded",) * 2, ("dropped",) * 2, ("mirrored",) * 2):
        put(f"trefoil_{name}_packets_total", c[key]["packets"])
        put(f"trefoil_{name}_bytes_total", c[key]["bytes"])
    for reason, n in c["reasons"].items():
        for fate in ("forwarded", "dropped"):
            put("trefoil_reason_packets_total", n[fate], reason=reason, fate=fate)
        put("trefoil_reason_bytes_total", n["bytes"], reason=reason)
    columns = (("packets", "packets"), ("bytes", "bytes"), ("dropped", "dropped_packets"),
               ("mirrored", "mirrored_packets"))
    for key, name in columns:
        for country, n in c["countries"].items():
            put(f"trefoil_country_{name}_total", n[key], country=country)
        for asn, n in d.counters("asn")["asns"].items():
            put(f"trefoil_asn_{name}_total", n[key], asn=asn)
        put(f"trefoil_asn_{name}_total", 0, asn="other")
    for special, n in c["specials"].items():
        put("trefoil_special_packets_total", n["packets"], special=special)
    for port, n in d.counters("port")["ports"].items():
        put("trefoil_port_received_packets_total", n["rx"]["packets"], port=port)
        put("trefoil_port_transmitted_bytes_total", n["tx"]["bytes"], port=port)
    for core, n in d.counters("worker")["workers"].items():
        put("trefoil_worker_received_packets_total", n["rx"]["packets"], core=core.split()[1])
    put("trefoil_mirror_written_packets_total", c["mirror"]["written"])
    for cause, n in c["mirror"]["lost_by"].items():
        put("trefoil_mirror_lost_packets_total", n, cause=cause)
    return want


def check_equal_to_counters(d):
    want, got = expected(d), scrape()
    for key, number in want.items():
        equal(got.get(key), number, f"series {key}")
    for kind in ("country", "asn", "special"):
        name = f"trefoil_{kind}_packets_total"
        equal(sorted(k for k in got if k[0] == name), sorted(k for k in want if k[0] == name),
              f"the series of {name}")
    received = value(got, "trefoil_received_packets_total")
    equal(sum(n for (name, _), n in got.items() if name == "trefoil_reason_packets_total"),
          received, "reasons add up to what was received")


def test_off_unless_configured():
    run("ip", "link", "set", "lo", "up")
    with Network(hosts=False), Daemon():
        with socket.socket() as s:
            check(s.connect_ex(("127.0.0.1", PORT)) != 0, "nobody listens")


def test_under_load_no_counter_falls_and_at_rest_all_are_equal():
    with appliance() as (d, inside):
        stop = threading.Event()
        sent = []

        def send():
            """At most 4000 frames ahead: the port's ring has 8192, and does not say what it drops."""
            while not stop.is_set():
                for _ in range(15):
                    inside.send(*FRAMES)
                    sent.append(len(FRAMES))
                received = value(scrape(), "trefoil_received_packets_total")
                while sum(sent) - received > 2000 and not stop.is_set():
                    received = value(scrape(), "trefoil_received_packets_total")

        sender = threading.Thread(target=send)
        sender.start()
        try:
            before, rounds, grown = scrape(), 0, 0
            until("traffic", lambda: d.counters()["rx"]["packets"] > 0)
            while rounds < 30:
                now = scrape()
                for key, number in before.items():
                    if key[0].endswith("_total"):
                        check(now.get(key, -1) >= number, "no counter falls", key, number)
                a, b = (value(s, "trefoil_received_packets_total") for s in (before, now))
                told = d.counters()["rx"]["packets"]
                check(b <= told, "trefoilctl, asked later, says no less", b, told)
                grown += b > a
                before, rounds = now, rounds + 1
        finally:
            stop.set()
            sender.join()
        check(grown > 5, "the load was there", grown)
        d.counted(sum(sent))
        check_equal_to_counters(d)
        print(f"         {sum(sent)} frames, {rounds} scrapes under load, all series equal")


def promtool(*args, text=None):
    if shutil.which("promtool") is None:
        raise Skip("'promtool' is missing: tools/install-deps test")
    return subprocess.run(["promtool", *args], input=text, text=True, capture_output=True,
                          timeout=60)


def test_promtool_finds_nothing():
    with appliance() as (d, inside):
        inside.send(*FRAMES)
        d.counted(len(FRAMES))
        done = promtool("check", "metrics", text=ask("/metrics")[2])
        equal((done.returncode, done.stdout, done.stderr), (0, "", ""), "promtool check metrics")


def test_rules_and_dashboard_ask_for_what_there_is():
    rules = os.path.join(ROOT, "config", "prometheus", "trefoil.rules.yml")
    tests = os.path.join(ROOT, "config", "prometheus", "trefoil.test.yml")
    with open(rules) as f:
        asked = set(re.findall(r"\btrefoil_[a-z_]+", f.read()))
    with open(os.path.join(ROOT, "config", "grafana", "trefoil.json")) as f:
        panels = json.load(f)["panels"]
    expressions = [t["expr"] for p in panels for t in p["targets"]]
    asked |= {m for e in expressions for m in re.findall(r"\btrefoil_[a-z_]+", e)}
    check(len(asked) > 15 and len(panels) > 10, "metrics are asked for", asked)
    with appliance() as (d, inside):
        inside.send(*FRAMES)
        d.counted(len(FRAMES))
        text = ask("/metrics")[2]
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    equal(sorted(asked - families), [], "asked for, but not there")
    for args in (("check", "rules", rules), ("test", "rules", tests)):
        done = promtool(*args)
        equal(done.returncode, 0, f"promtool {' '.join(args[:2])}: {done.stdout}{done.stderr}")


def test_open_metrics_for_who_asks():
    with appliance() as (d, inside):
        inside.send(*FRAMES)
        d.counted(len(FRAMES))
        plain, (status, headers, text) = scrape(), ask("/metrics", headers=OPEN)
        equal(status, 200, "status")
        check(headers["Content-Type"].startswith("application/openmetrics-text"), "type", headers)
        check(text.endswith("\n# EOF\n"), "the end", text[-20:])
        check("# TYPE trefoil_received_packets counter\n" in text, "name without suffix")
        still = [k for k in plain if k[0].endswith("_total")]
        both = parse(text)
        equal({k: both[k] for k in still}, {k: plain[k] for k in still}, "the same counters")


def test_few_asns_have_series_and_other_has_the_rest():
    with appliance(**{"metrics.top_asns": 1}) as (d, inside):
        inside.send(*FRAMES)
        d.counted(len(FRAMES))

        def series(samples):
            return {dict(k[1])["asn"]: n for k, n in samples.items()
                    if k[0] == "trefoil_asn_packets_total"}

        equal(series(scrape()), {"AS64601": 40, "other": 20 + 10 + 15}, "ASNs")
        inside.send(*[frame4(US)] * 200)
        d.counted(len(FRAMES) + 200)
        equal(series(scrape()), {"AS64601": 40, "other": 45 + 200}, "second of two stays listed")
        inside.send(*[frame4(CN)] * 300)
        d.counted(len(FRAMES) + 500)
        # AS64601 has fallen behind: the largest takes its place; its past stays in other.
        equal(series(scrape()), {"AS64604": 315, "other": 245 + 300}, "replaced")
        inside.send(*[frame4(CN)] * 10, *[frame4(IE)] * 20)
        d.counted(len(FRAMES) + 530)
        equal(series(scrape()), {"AS64604": 325, "other": 545 + 20}, "each goes to one series")


def test_health():
    with appliance() as (d, _):
        status, headers, text = ask("/healthz")
        equal((status, text), (200, "ok\n"), "health")
        equal(ask("/healthz", "HEAD")[0], 200, "HEAD")
        equal(value(scrape(), "trefoil_forwarding"), 1, "forwarding")
    run("ip", "link", "set", "lo", "up")
    with Network(hosts=False), Daemon(policy="[policy\n", settings=LISTEN):
        status, _, text = ask("/healthz")
        equal(status, 503, "health without a policy")
        check(text.startswith("closed: ") and "alarm policy: " in text, "it says why", text)
        samples = scrape()
        equal(value(samples, "trefoil_forwarding"), 0, "forwarding")
        equal(value(samples, "trefoil_alarm", alarm="policy"), 1, "the alarm")


def test_nothing_else_is_served():
    with appliance() as (d, _):
        for path in ("/", "/metrics/", "/metrics/../etc/passwd", "/" + "x" * 2000, "/healthz%00"):
            equal(ask(path)[0], 404, path[:40])
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            status, headers, _ = ask("/metrics", method, body=b"x" * 100000)
            equal((status, headers.get("Allow")), (405, "GET, HEAD"), method)
        addresses = [line.split()[3] for line in run("ss", "-Hltn").stdout.splitlines()]
        equal(addresses, [f"127.0.0.1:{PORT}"], "listening addresses")


def test_strangers_do_no_harm():
    """Garbage, endless headers, and more connections than are allowed, all left open."""
    with appliance() as (d, inside), contextlib.ExitStack() as held:
        for junk in (b"\0" * 5000, b"GET " + b"/" * 100000, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 9000,
                     b"\r\n\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"):
            with socket.create_connection(("127.0.0.1", PORT), 1) as s, \
                    contextlib.suppress(OSError):
                s.sendall(junk)
                s.shutdown(socket.SHUT_WR)
                s.recv(65536)
        for _ in range(60):
            s = held.enter_context(socket.create_connection(("127.0.0.1", PORT), 20))
            with contextlib.suppress(OSError):
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        inside.send(*FRAMES)
        d.counted(len(FRAMES))  # forwards and answers its operators
        fds = len(os.listdir(f"/proc/{d.process.pid}/fd"))
        check(fds < 80, "descriptors", fds)
        held.close()
        until("an answer", lambda: ask("/healthz")[0] == 200)
        check_equal_to_counters(d)


def test_a_bad_address_is_refused():
    for listen, what in (("9433", "is not an address and a port"), (":9433", "is not an address"),
                         ("localhost:9433", "is not an address"), ("127.0.0.1:0", "is not"),
                         ("127.0.0.1:99999", "is not"), ("[::1:9433", "is not")):
        d = Daemon(settings={"metrics.listen": listen})
        done = run(d_program(), "-c", d.ini, "--check", code=1)
        check(what in done.stderr and "[metrics] listen" in done.stderr, listen, done.stderr)
    run("ip", "link", "set", "lo", "up")
    with Network(hosts=False):
        d = Daemon(settings={"metrics.listen": "192.0.2.77:9433"})
        done = run(d_program(), "-c", d.ini, code=1)
        check("[metrics] listen: cannot listen on 192.0.2.77:9433" in done.stderr, "said so",
              done.stderr)


def d_program():
    return os.path.join(os.environ["TREFOIL_E2E_BUILD"], "app", "trefoild", "trefoild")


def telemetry(path, *commands):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(20)
        s.connect(path)
        json.loads(s.recv(1024))  # who answers
        answers = []
        for command in commands:
            s.send(command.encode())
            answers.append(json.loads(s.recv(1 << 20))[command])
        return answers


def test_telemetry_of_dpdk():
    with appliance(**{"metrics.telemetry": "yes"}) as (d, inside):
        inside.send(*FRAMES)
        c = d.counted(len(FRAMES))
        [path] = glob.glob("/run/dpdk/trefoil/dpdk_telemetry.v2*")
        status, counters, reasons, countries, mirror, workers = telemetry(
            path, *(f"/trefoil/{name}" for name in (
                "status", "counters", "reasons", "countries", "mirror", "workers")))
        equal((status["name"], status["mode"], status["generation"], status["alarms"]),
              ("e2e", "enforce", 1, []), "status")
        equal(counters, {k: c[k] for k in ("rx", "forwarded", "dropped", "mirrored")}, "counters")
        equal(reasons, {k.replace("-", "_"): n for k, n in c["reasons"].items()}, "reasons")
        equal(countries, {k: n["packets"] for k, n in c["countries"].items()}, "countries")
        equal(mirror["written"], c["mirror"]["written"], "written")
        [worker] = workers.values()
        equal(worker.get("queues"), 2, "a worker's queues")


@contextlib.contextmanager
def prometheus():
    """A real one that scrapes each second and knows the shipped rules."""
    if shutil.which("prometheus") is None:
        raise Skip("'prometheus' is missing: tools/install-deps test")
    config = write("prometheus.yml", f"""\
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: [{ROOT}/config/prometheus/trefoil.rules.yml]
scrape_configs:
  - job_name: trefoil
    static_configs: [{{targets: ['127.0.0.1:{PORT}']}}]
""")
    with open(f"{WORK}/prometheus.log", "w") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={WORK}/tsdb",
             "--web.listen-address=127.0.0.1:9090"], stdout=log, stderr=log)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def query(path, **parameters):
    connection = http.client.HTTPConnection("127.0.0.1", 9090, timeout=20)
    try:
        connection.request("GET", f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        response = connection.getresponse()
        return json.loads(response.read())["data"] if response.status == 200 else None
    except OSError:
        return None  # it does not listen yet
    finally:
        connection.close()


def instant(expression):
    found = query("query", query=expression)
    return [float(r["value"][1]) for r in found["result"]] if found else []


def test_a_real_prometheus_scrapes_it():
    with appliance() as (d, inside), prometheus():
        until("a scrape", lambda: instant('up{job="trefoil"}') == [1], 60)
        inside.send(*FRAMES)
        c = d.counted(len(FRAMES))
        until("the packets", lambda: instant("trefoil_received_packets_total") == [len(FRAMES)], 60)
        equal(instant('trefoil_country_packets_total{country="IE"}'),
              [c["countries"]["IE"]["packets"]], "IE in Prometheus")
        equal(instant('sum(trefoil_reason_packets_total{fate="dropped"})'),
              [c["dropped"]["packets"]], "dropped in Prometheus")
        [target] = query("targets")["activeTargets"]
        equal((target["health"], target["lastError"]), ("up", ""), "the target")
        rules = [r for g in query("rules")["groups"] for r in g["rules"]]
        check(len(rules) >= 8, "alert rules", len(rules))
        until("rules evaluated", lambda: all(
            r["health"] == "ok" for g in query("rules")["groups"] for r in g["rules"]), 60)
        series = len(instant('{job="trefoil"}'))
        print(f"         {len(rules)} rules, {series} series")


main()
