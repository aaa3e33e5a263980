# SPDX-License-Identifier: BSD-2-Clause
"""What a pop knows of itself beside its checks: how old its data is, zones near their end or missing, its load; and that such facts alone withdraw nothing."""
import json
import os
import signal
import socket
import subprocess
import time

import dns.message
import pytest

from fleet import SERVICE, SLOW, ZONE, Node, Site
from netns import missing, stop_process, wait_until
from paths import ZONECAST
from routers import Bird

WHY = missing(ZONECAST, "nft", *Bird.needs)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
PRIMARY = {4: "10.9.0.1", 6: "2001:db8:9::1"}
PORT = 5300
STALE_S = 4


@pytest.fixture(name="site", scope="module")
def site_fixture(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site")) as s:
        yield s


def zone_text(serial, timers="3600 600 86400 60"):
    return f"$TTL 300\n@ SOA ns1 host {serial} {timers}\n@ NS ns1\nns1 A 192.0.2.53\nns1 AAAA 2001:db8::53\nwww TXT \"{serial}\"\n"


class Primary:
    """A hidden primary at the router, which can be cut off without a word."""

    def __init__(self, site, folder, zones):
        self.site, self.folder = site, str(folder)
        self.process = None
        self.cut = False
        os.makedirs(f"{self.folder}/zones")
        for name, text in zones.items():
            self.write(name, text)

    def write(self, name, text):
        path = f"{self.folder}/zones/{name}.zone"
        with open(path + ".new", "w", encoding="ascii") as f:
            f.write(text)
        os.rename(path + ".new", path)

    def __enter__(self):
        argv = [ZONECAST, "run", "--zones", f"{self.folder}/zones", "--run-dir", f"{self.folder}/run", "--state-dir", f"{self.folder}/state", "--workers", "1"]
        for a in PRIMARY.values():
            argv += ["--listen", f"[{a}]:{PORT}" if ":" in a else f"{a}:{PORT}"]
        argv += ["--allow-transfer", "10.9.0.0/24", "--allow-transfer", "2001:db8:9::/64"]
        with open(f"{self.folder}/log", "ab") as log:
            self.process = self.site.rtr.popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self.ready, 30, self.log)
        return self

    def ready(self):
        assert self.process.poll() is None, self.log()
        return "\nready\n" in "\n" + self.log()

    def log(self):
        with open(f"{self.folder}/log", encoding="latin-1") as f:
            return f.read()

    def cut_off(self):
        """Both ways: nothing of what is on its way arrives, either."""
        self.cut = True
        rules = "".join(f"add rule inet cut {hook} {proto} {port} {PORT} drop\n" for hook, port in (("input", "dport"), ("output", "sport"))
                        for proto in ("udp", "tcp"))
        self.site.rtr.run(["nft", "-f", "-"], stdin="add table inet cut\nadd chain inet cut input { type filter hook input priority 0; }\n"
                          "add chain inet cut output { type filter hook output priority 0; }\n" + rules)

    def join(self):
        if self.cut:
            self.site.rtr.run(["nft", "delete", "table", "inet", "cut"])
        self.cut = False

    def __exit__(self, *_):
        self.join()
        stop_process(self.process, timeout=20)


def network(node):
    return node.status()["networks"][0]


def of_family(seen, family):
    return seen["families"][family]["checks"]


def held(family, zones=("moved.test",)):
    at = f"[{PRIMARY[6]}]:{PORT}" if family == 6 else f"{PRIMARY[4]}:{PORT}"
    return "".join(f"  - {{name: {z}, primaries: [\"{at}\"], network: global}}\n" for z in zones)


def stays(condition, seconds):
    """True all that time."""
    began = time.monotonic()

    def look():
        assert condition()
        return time.monotonic() >= began + seconds
    wait_until(look, seconds + 60, "to end", interval=0.1)


def age(node):
    return network(node)["data_age_ms"]


@pytest.mark.parametrize("family", [4, 6])
def test_stale(site, tmp_path, family):
    with Primary(site, tmp_path / "primary", {"moved.test": zone_text(1)}) as primary:
        node = Node(site, tmp_path, zones=held(family),
                    change=lambda t: t.replace("    drain-time:", f"    stale-after: {STALE_S}s\n    primary-check: 500ms\n    drain-time:"))
        with node:
            wait_until(lambda: network(node)["checks"]["verdict"] == "pass", 30, "all is well")
            wait_until(lambda: age(node) is not None and age(node) < 1500 * SLOW, 20, lambda: f"current: {network(node)}")
            # Well for longer than the limit, with a refresh interval of an hour: the primary is asked.
            stays(lambda: network(node)["checks"]["verdict"] == "pass" and age(node) < 1000 * STALE_S, STALE_S + 1)
            primary.cut_off()
            began = time.monotonic()
            seen = wait_until(lambda: (lambda n: n if n["checks"]["verdict"] == "soft-fail" else None)(network(node)), STALE_S + 10 * SLOW, "stale")
            took = time.monotonic() - began
            assert seen["checks"]["causes"] == ["stale"] and of_family(seen, "ipv4")["causes"] == ["stale"] == of_family(seen, "ipv6")["causes"], seen
            assert seen["stale_in_ms"] == 0 and seen["data_age_ms"] >= STALE_S * 1000
            assert of_family(seen, "ipv4")["passing"] == of_family(seen, "ipv4")["checks"] == 2
            assert took >= STALE_S - 1, f"before its time, after {took:.1f} s"
            # Nobody else is there: it stays.
            assert site.announced() and network(node)["decision"]["announce"] == "announced"
            # Sync dies meanwhile: the age is remembered.
            os.kill(node.pids()[("sync", 0)], signal.SIGKILL)
            wait_until(lambda: [p for p in node.status()["processes"] if p["role"] == "sync"][0]["starts"] > 1, 20, "sync is back")
            assert network(node)["data_age_ms"] >= STALE_S * 1000
            primary.join()
            wait_until(lambda: network(node)["checks"]["verdict"] == "pass", 20 * SLOW, lambda: f"well again: {network(node)}")
            assert age(node) < 1000 * STALE_S
            # A NOTIFY that nobody sent is made up for by the next look.
            primary.write("moved.test", zone_text(2))
            wait_until(lambda: (lambda r: r is not None and r.answer and r.answer[0][0].serial == 2)(site.ask("192.0.2.53", name="moved.test.")), 20 * SLOW,
                       "the new version")
        assert "verdict=soft-fail was=pass" in node.log()


def test_near_expiry(site, tmp_path):
    """Refreshes fail; a quarter of 16 s before the end its network is degraded for it, and after the end for the zone that is missing."""
    with Primary(site, tmp_path / "primary", {"moved.test": zone_text(1, "2 2 16 60")}) as primary:
        node = Node(site, tmp_path, zones=held(4), change=lambda t: t.replace("    drain-time:", "    stale-after: 1h\n    drain-time:"))
        with node:
            wait_until(lambda: network(node)["checks"]["verdict"] == "pass", 30, "all is well")
            primary.cut_off()
            seen = wait_until(lambda: (lambda n: n if "expiry" in n["checks"]["causes"] else None)(network(node)), 30 * SLOW, "near its end")
            assert seen["checks"]["verdict"] == "soft-fail" and "moved.test" in seen["checks"]["why"] and site.announced()
            wait_until(lambda: network(node)["checks"]["causes"] == ["zones"], 40 * SLOW, lambda: f"expired, and missed: {network(node)}")
            assert site.announced() and site.answers("192.0.2.53")
            primary.join()
            wait_until(lambda: network(node)["checks"]["verdict"] == "pass", 60 * SLOW, lambda: f"well again: {network(node)}")


def test_bad_zone_everywhere(site, tmp_path):
    """A zone that is added by a reload and does not load degrades the network after a while; nothing is withdrawn, nothing lost."""
    node = Node(site, tmp_path)
    with node:
        wait_until(lambda: network(node)["checks"]["verdict"] == "pass", 30, "all is well")
        assert network(node)["data_age_ms"] is None and network(node)["stale_in_ms"] is None
        node.write("bad.zone", "@ SOA this is no zone\n")
        node.fleet(zones="  - {name: bad.test, file: bad.zone, network: global}\n")
        node.zonecast("reload")
        wait_until(lambda: network(node)["checks"]["causes"] == ["zones"], 40 * SLOW, lambda: f"degraded: {network(node)}\n{node.log()[-2000:]}")
        assert site.announced()
        node.write("bad.zone", zone_text(1))
        wait_until(lambda: network(node)["checks"]["verdict"] == "pass", 30 * SLOW, lambda: f"well again: {network(node)}")
        assert "decision=withdraw" not in [line for line in node.log().splitlines() if "decision=" in line][-1]


def some_queries(s):
    """A hundred, and whatever answers are there by then."""
    query = dns.message.make_query("www.example.", "A").to_wire()
    for _ in range(100):
        try:
            s.send(query)
            s.recv(4096)
        except BlockingIOError:
            pass
    return True


def test_load(site, tmp_path):
    """More than its capacity, as configured: overload; enough less: not."""
    node = Node(site, tmp_path, change=lambda t: t.replace("    workers: 2\n", "    workers: 2\n    capacity: 200\n"))
    with node:
        wait_until(lambda: network(node)["checks"]["verdict"] == "pass", 30, "all is well")
        assert node.status()["load"]["headroom"] <= 200
        wait_until(lambda: node.status()["load"]["qps"] > 10, 20, "its own checks are seen")
        with site.rtr.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setblocking(False)
            s.connect((SERVICE[0], 53))
            now = wait_until(lambda: some_queries(s) and (lambda n: n if "overload" in n["networks"][0]["checks"]["causes"] else None)(node.status()), 60 * SLOW,
                             lambda: f"overload: {node.status()['load']}")
        assert now["load"]["headroom"] == 0 and now["networks"][0]["checks"]["verdict"] == "soft-fail"
        assert "capacity is 200" in now["networks"][0]["checks"]["why"]
        assert site.announced()
        wait_until(lambda: network(node)["checks"]["verdict"] == "pass", 60 * SLOW, "over")


def order(node, **request):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(30)
        s.connect(node.path("run", "control.sock"))
        s.sendall(json.dumps(request).encode() + b"\n")
        reply = b""
        while not reply.endswith(b"\n"):
            got = s.recv(4096)
            assert got, reply
            reply += got
    assert json.loads(reply)["ok"], reply


class Faulty(Node):
    def argv(self, *more):
        return super().argv("--allow-faults", *more)


def test_damaged_store(site, tmp_path):
    """An octet of the store changes under everybody: found though all answers are as the store says, and a new store is made."""
    node = Node(site, tmp_path)
    node.write("example.zone", ZONE.format(serial=3) + "needle TXT haystack-with-a-needle\n")
    with node:
        wait_until(lambda: site.ask(SERVICE[0], "TXT", "needle.example.").answer, 20, "the needle")
        wait_until(lambda: network(node)["checks"]["verdict"] == "pass", 30, "all is well")
        store, = (os.path.join(at, n) for at, _, names in os.walk(node.path("run")) for n in names if n == "zones.store")
        with open(store, "r+b") as f:
            text = f.read()
            at = text.find(b"haystack-with-a-needle")
            assert at > 0
            while at > 0:  # not only what an older version left
                f.seek(at)
                f.write(b"H")
                at = text.find(b"haystack-with-a-needle", at + 1)
        # For a second or so: a busy machine may miss it in the status.
        wait_until(lambda: "its content is not as it was written" in node.log(), 20 * SLOW, lambda: f"found: {node.log()[-3000:]}")
        wait_until(lambda: "verdict=hard-fail" in node.log() and "the store is damaged" in node.log(), 20 * SLOW, "a hard failure")
        wait_until(lambda: "action=\"restarting to make a new one\"" in node.log(), 20 * SLOW, "sync makes a new one")
        wait_until(lambda: network(node)["checks"]["verdict"] == "pass", 60 * SLOW, lambda: f"made anew: {network(node)}\n{node.log()[-3000:]}")
        node.wait_announced(60)
        for where in SERVICE:
            assert site.ask(where, "TXT", "needle.example.").answer[0][0].strings[0] == b"haystack-with-a-needle"


def test_one_worker_of_four(site, tmp_path):
    """The others answer rightly, and most clients meet those; it is found all the same, and named."""
    node = Faulty(site, tmp_path, change=lambda t: t.replace("    workers: 2\n", "    workers: 4\n"))
    with node:
        for worker, kind, what in ((2, "servfail", "answered SERVFAIL for "), (3, "wrong", "not as in the zone for ")):
            wait_until(lambda: network(node)["checks"]["verdict"] == "pass", 60 * SLOW, lambda: f"all is well: {network(node)}")
            wait_until(lambda: network(node)["decision"]["announce"] == "announced", 60 * SLOW, "announced")
            order(node, command="fault", kind=kind, worker=worker)
            seen = wait_until(lambda: (lambda n: n if n["checks"]["verdict"] == "hard-fail" else None)(network(node)), 20 * SLOW, f"{kind} found")
            assert what in seen["checks"]["why"] and f"by worker {worker}" in seen["checks"]["why"], seen
            wait_until(lambda: not any(site.routes()), 10 * SLOW, "withdrawn")
            assert 0 < sum(of_family(seen, f)["passing"] for f in ("ipv4", "ipv6")) <= 4
            order(node, command="fault", kind="none")


def test_wrong_content(site, tmp_path):
    """Serials are right, and what stands beside them is not."""
    node = Faulty(site, tmp_path)
    with node:
        order(node, command="fault", kind="wrong")
        wait_until(lambda: network(node)["checks"]["verdict"] == "hard-fail", 20 * SLOW, "found")
        assert "for its own name" not in network(node)["checks"]["why"]
        wait_until(lambda: not any(site.routes()), 10 * SLOW, "withdrawn")
        order(node, command="fault", kind="none")
        wait_until(lambda: network(node)["checks"]["verdict"] == "pass", 30 * SLOW, "well again")
        node.wait_announced()
