# SPDX-License-Identifier: BSD-2-Clause
"""The checks of a node's own service addresses, against what can happen to them: and the route that follows, at a real router."""
import itertools
import json
import os
import re
import shutil
import signal
import socket
import time

import dns.rdatatype
import dns.zone
import pytest

from fleet import SERVICE, SLOW, ZONE, Asker, Node, Site
from netns import missing, wait_until, within
from paths import ZONECAST
from routers import Bird

WHY = missing(ZONECAST, *Bird.needs)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
V4, V6 = SERVICE


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site")) as s:
        yield s


class FaultyNode(Node):
    def argv(self, *more):
        return super().argv("--allow-faults", *more)


@pytest.fixture
def node(site, tmp_path):
    with FaultyNode(site, tmp_path) as n:
        yield n


def network(node):
    return node.status()["networks"][0]


def checks(node):
    """(address, transport) -> check."""
    return {(a["address"], t): a[t] for a in network(node)["addresses"] for t in ("udp", "tcp")}


def failures(node):
    return sum(c["failures"] for c in checks(node).values())


def passes_more(node, count):
    """Wait until every check has passed so many times more."""
    goal = {k: c["passes"] + count for k, c in checks(node).items()}
    wait_until(lambda: all(c["passes"] >= goal[k] for k, c in checks(node).items()), 30, f"{count} more passes of every check")


def ask_control(node, octets, limit=1 << 26, timeout=15):
    """What the control socket says to these octets, until it closes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(timeout)
        s.connect(node.path("run", "control.sock"))
        try:
            s.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            pass
        got = b""
        while len(got) < limit:
            try:
                chunk = s.recv(65536)
            except ConnectionResetError:
                break
            if not chunk:
                break
            got += chunk
        return got


def withdrawn_after(site, began, what, address=None):
    """Seconds. With an address: of its family, which may fail alone."""
    mine = slice(2) if address is None else slice(1, 2) if ":" in address else slice(1)
    wait_until(lambda: not any(site.routes()[mine]), 20, f"no route: {what}", 0.005)
    took = time.monotonic() - began
    print(f"{what}: withdrawn after {took * 1000:.0f} ms")
    return [took]


# ---- what passes ----

@pytest.mark.asan
def test_checks_go_on(node):
    before = checks(node)
    assert set(before) == {(a, t) for a in SERVICE for t in ("udp", "tcp")}
    passes_more(node, 20)
    after = checks(node)
    assert all(c["verdict"] == "pass" and 0 < c["latency_us"] < 400000 for c in after.values())
    assert network(node)["checks"]["why"] == "all 4 checks pass: 2 addresses over UDP and TCP"
    assert network(node)["checks"]["verdict"] == "pass"


def test_changing_zones_are_no_failures(node):
    passes_more(node, 3)
    began = failures(node)
    for serial in range(2, 22):
        node.write("example.zone", ZONE.format(serial=serial))
        assert node.zonecast("zone", "reload", "example").returncode == 0
        wait_until(lambda s=serial: node.site.ask(V4).answer[0][0].serial == s, 10, f"serial {serial}", 0.005)
    passes_more(node, 5)
    assert failures(node) == began
    assert network(node)["decision"]["flaps"] == 0


@pytest.mark.asan
def test_a_bad_new_zone_is_its_own_matter(site, node):
    """One file with a mistake, sent to every node, must not withdraw every node; a good one that is slow to load neither."""
    began = failures(node)
    node.write("second.zone", ZONE.format(serial=7) + "bad A not-an-address\n")
    node.fleet(zones="  - {name: second, file: second.zone, network: global}\n")
    with Asker(site) as asker:
        assert node.zonecast("reload").returncode == 0
        wait_until(lambda: site.ask(V4, name="second.").rcode() == 2, 10, "SERVFAIL for the zone without data")
        passes_more(node, 10)
        asker.more(20)
    assert asker.lost == {a: 0 for a in SERVICE}
    assert network(node)["checks"]["verdict"] == "pass" and network(node)["decision"]["flaps"] == 0
    assert failures(node) == began
    assert (network(node)["zones"], network(node)["zones_ready"]) == (2, 1)
    states = {z["name"]: z["state"] for z in node.control("zone", "list")}
    assert states == {"example.": "serving", "second.": "no-data"}
    node.write("second.zone", ZONE.format(serial=7))
    assert node.zonecast("zone", "reload").returncode == 0
    wait_until(lambda: site.answers(V4, name="second."), 10, "the zone after its file was mended")
    assert failures(node) == began


def test_a_killed_watch_leaves_no_gap(node):
    """The next one goes on with the states it finds: the verdict is never unknown and its age goes on."""
    before = network(node)["checks"]
    old = node.pids()[("watch", 0)]
    log = len(node.log())
    os.kill(old, signal.SIGKILL)
    seen = []

    def back():
        seen.append(network(node)["checks"]["verdict"])
        return node.pids().get(("watch", 0), old) != old

    wait_until(back, 10, "a new watch", 0.001)
    passes_more(node, 10)
    after = network(node)["checks"]
    assert set(seen) == {"pass"} and after["verdict"] == "pass"
    assert after["since_ms"] > before["since_ms"]
    assert "verdict=unknown" not in node.log()[log:]
    assert network(node)["decision"]["flaps"] == 0


def test_a_watch_that_was_stopped_for_a_moment(node):
    """Answers that came while we did not run are no failures of the service."""
    passes_more(node, 3)
    began = failures(node)
    pid = node.pids()[("watch", 0)]
    for _ in range(3):
        os.kill(pid, signal.SIGSTOP)
        stamp = [p["heartbeat_ms"] for p in node.status()["processes"] if p["role"] == "watch"][0]
        wait_until(lambda: [p["heartbeat_ms"] for p in node.status()["processes"] if p["role"] == "watch"][0] > stamp + 600, 10, "a silent watch")
        os.kill(pid, signal.SIGCONT)
        passes_more(node, 3)
    assert node.pids()[("watch", 0)] == pid
    assert failures(node) == began
    assert network(node)["checks"]["verdict"] == "pass" and network(node)["decision"]["flaps"] == 0


# ---- what fails ----

@pytest.mark.asan
def test_wrong_answers_withdraw_and_good_ones_bring_back(site, node):
    flaps = itertools.count(1)

    def fail():
        began = time.monotonic()
        assert json.loads(ask_control(node, b'{"command":"fault","kind":"servfail"}\n'))["ok"]
        took = withdrawn_after(site, began, "SERVFAIL")
        status = node.status()
        told = status["networks"][0]
        assert told["checks"]["verdict"] == "hard-fail" and told["decision"]["announce"] == "withdrawn"
        assert re.search(r": answered SERVFAIL for ([A-Z]+ of )?([a-z0-9]+\.)?example( by worker [01])?, \d+ checks in a row", told["checks"]["why"]), told
        assert "answered SERVFAIL for " in told["decision"]["why"]
        assert node.zonecast("status").returncode == 1
        assert "answered SERVFAIL for " in node.zonecast("status").stdout
        assert json.loads(ask_control(node, b'{"command":"fault","kind":"none"}\n'))["ok"]
        node.wait_announced(10)
        wait_until(lambda: network(node)["checks"]["verdict"] == "pass", 10, "checks pass")
        assert network(node)["decision"]["flaps"] == next(flaps)
        assert node.zonecast("status").returncode == 0
        return took

    within([0.5 * SLOW], fail)


@pytest.mark.parametrize("address", SERVICE)
def test_an_address_that_is_gone(site, node, address):
    """Taken off lo by somebody else. No other PoP may answer our question for us."""
    bits = "128" if ":" in address else "32"

    def take():
        began = time.monotonic()
        site.pop.ip("addr", "del", f"{address}/{bits}", "dev", "lo")
        took = withdrawn_after(site, began, f"{address} gone", address)
        told = network(node)["checks"]["why"]
        assert told.startswith(f"{address} ") and "not on this machine" in told
        site.pop.ip("addr", "add", f"{address}/{bits}", "dev", "lo", *(["nodad"] if ":" in address else []))
        node.wait_announced(15)
        return took

    within([0.5 * SLOW], take)


@pytest.mark.skipif(not shutil.which("nft"), reason="needs nft")
@pytest.mark.parametrize("family,address,transport", [("ip", V4, "udp"), ("ip6", V6, "udp"), ("ip", V4, "tcp"), ("ip6", V6, "tcp")])
def test_a_firewall_in_the_way(site, node, family, address, transport):
    """Only one address over one transport is silent: enough, since a client cannot choose."""
    table = f"{family} zct"

    def drop():
        began = time.monotonic()
        site.pop.run(["nft", f"add table {table}; add chain {table} c {{ type filter hook input priority 0; }}; "
                             f"add rule {table} c {family} daddr {address} {transport} dport 53 drop"])
        try:
            took = withdrawn_after(site, began, f"{address} {transport} dropped", address)
            told = network(node)["checks"]["why"]
            assert told.startswith(f"{address} {transport.upper()}: no {'answer' if transport == 'udp' else 'connection'} within 400 ms for ")
            others = {k: c["verdict"] for k, c in checks(node).items() if k != (address, transport)}
            assert set(others.values()) == {"pass"}
            assert checks(node)[(address, transport)]["verdict"] == "hard-fail"
        finally:
            site.pop.run(["nft", f"delete table {table}"])
        node.wait_announced(15)
        return took

    within([1.2 * SLOW], drop)


# ---- zones and the control socket ----

def test_zone_show_is_what_the_file_says(node):
    text = ZONE.format(serial=5) + "*.wild TXT \"a;b\" \"q\\\"uote\"\nsub NS ns.sub\nns.sub A 192.0.2.9\nodd\\.dot\\032x MX 10 www\n"
    node.write("example.zone", text)
    assert node.zonecast("zone", "reload", "example").returncode == 0
    wait_until(lambda: node.site.ask(V4).answer[0][0].serial == 5, 10, "the new version")
    shown = node.zonecast("zone", "show", "example")
    assert shown.returncode == 0
    want = dns.zone.from_text(text, origin="example.", relativize=False)
    got = dns.zone.from_text(shown.stdout, origin="example.", relativize=False)
    assert got == want
    assert shown.stdout.splitlines()[0].split()[3] == "SOA"
    listed, = node.control("zone", "list")
    assert (listed["name"], listed["serial"], listed["state"], listed["network"], listed["signed"]) == ("example.", 5, "serving", "global", False)
    assert listed["records"] == len(shown.stdout.splitlines())
    for bad in ("nothere", "www.example", "a..b"):
        assert node.zonecast("zone", "show", bad).returncode == 1


@pytest.mark.asan
def test_hostile_requests(site, node):
    answers = {
        b"\n": "not JSON",
        b"GET / HTTP/1.0\n\n": "not JSON",
        b"\x00\xff\xfe\n": "not JSON",
        b"[" * 60000 + b"\n": "not JSON",
        b'{"command":"status"} x\n': "not JSON",
        b'{"command":"halt"}\n': 'no command "halt"',
        b'{"command":"zone-show","zone":"' + b"a." * 300 + b'"}\n': "that is no domain name",
        b'{"command":"drain","network":"nowhere"}\n': "this node has no such network",
        b'{"command":"zone-show"}\n': "zone-show needs",
        b"x" * 70000 + b"\n": "the request is too long",
        b"y" * 1000000: "the request is too long",
    }
    for octets, why in answers.items():
        got = ask_control(node, octets)
        lines = got.splitlines()
        assert len(lines) == 1, (octets[:40], got)
        reply = json.loads(lines[0])
        assert reply["ok"] is False and why in reply["error"], (octets[:40], reply)
    # One request a connection: what comes after it changes nothing.
    got = ask_control(node, b'{"command":"zone-list"}\n{"command":"drain"}\n' + b"x" * 3000)
    assert len(got.splitlines()) == 1 and json.loads(got)["ok"] is True
    assert network(node)["order"] == "none" and site.announced()
    assert node.status()["processes"][3]["role"] == "admin" and node.status()["processes"][3]["starts"] == 1


def test_clients_that_say_nothing(node):
    """They fill the places, the next are turned away at once, and when they go or their time is over there is place again."""
    idle = []
    try:
        def full():
            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            s.connect(node.path("run", "control.sock"))
            idle.append(s)
            s.settimeout(0.05)
            try:
                return s.recv(1) == b""
            except socket.timeout:
                return False
        wait_until(full, 20, "the first client that is turned away", 0)
        assert len(idle) == 33
        for s in idle[:16]:
            s.close()
        wait_until(lambda: ask_control(node, b'{"command":"status"}\n'), 5, "an answer again")
        rest = idle[16:32]
        for s in rest:
            s.settimeout(20)
            assert s.recv(1) == b""  # let go by the node itself
    finally:
        for s in idle:
            s.close()


def test_a_reader_that_stops_reading_holds_nothing_up(node):
    """A big zone on its way to a client that does not take it: versions of zones come and go meanwhile, others are served, and the client is
    let go in the end."""
    node.write("example.zone", ZONE.format(serial=1) + "".join(f"h{i} A 10.0.{i >> 8 & 255}.{i & 255}\n" for i in range(60000)))
    assert node.zonecast("zone", "reload", "example").returncode == 0
    wait_until(lambda: node.status()["zones"]["records"] > 60000, 30, "the big zone")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(30)
        s.connect(node.path("run", "control.sock"))
        s.sendall(b'{"command":"zone-show","zone":"example"}\n')
        head = s.recv(100)
        assert head.startswith(b'{"ok":true,"stream":true}\n')
        shown = node.zonecast("zone", "show", "example")
        assert shown.returncode == 0 and len(shown.stdout.splitlines()) == 60000 + 4
        node.write("example.zone", ZONE.format(serial=9))
        assert node.zonecast("zone", "reload", "example", "--force").returncode == 0
        wait_until(lambda: node.site.ask(V4).answer[0][0].serial == 9, 10, "the new version")
        rest = b""
        while chunk := s.recv(1 << 20):
            rest += chunk
    assert rest.endswith(b"; the zone has changed meanwhile: ask again\n")
    assert network(node)["checks"]["verdict"] == "pass"
