# SPDX-License-Identifier: BSD-2-Clause
"""A whole node with BFD beside its BGP sessions, against BIRD, FRR and a neighbor that does what it is told: over both families, what becomes of
routes when the path, the router or the node itself dies. Routers have no real-time priority and the machine may be busy: intervals are short only where
that is what is tested."""
import ctypes
import json
import os
import re
import signal
import socket
import time

import pytest

from bfdalarm import watch
from bfdpeer import ADMIN_DOWN, DOWN, FINAL, POLL, UP, PROGRAM, BfdPeer, packet, send
from fleet import OUR_AS, SECRET, SLOW, Node, Site
from netns import missing, wait_until
from paths import SANITIZED, ZONECAST
from routers import SIGCONT, SIGSTOP, Bird, Frr, Neighbor

WHY = missing(ZONECAST, PROGRAM, "nft")
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
ROUTER = ["10.9.0.1", "2001:db8:9::1"]
OURS = ["10.9.0.2", "2001:db8:9::2"]
KINDS = {"bird": Bird, "frr": Frr}


def open_for_others(folder):
    for above in (folder, folder.parent, folder.parent.parent):
        os.chmod(above, 0o755)  # FRR's daemons change their user


def make_site(kind, folder, **neighbor):
    why = missing(*KINDS[kind].needs)
    if why:
        pytest.skip(why)
    open_for_others(folder)
    return Site(folder, KINDS[kind], **neighbor)


@pytest.fixture(scope="module", params=list(KINDS))
def site(request, tmp_path_factory):
    with make_site(request.param, tmp_path_factory.mktemp("bfd"), bfd=(50, 3)) as s:
        yield s


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """BIRD does BGP only; BFD is for the test itself."""
    with make_site("bird", tmp_path_factory.mktemp("plain")) as s:
        yield s


def bfd(node):
    """BFD of each neighbor, IPv4 first."""
    return [n["bfd"] for n in (node.status() or {"neighbors": []})["neighbors"]]


def established(node):
    return [n["established_count"] for n in node.status()["neighbors"]]


def wait_up(node, seconds=20):
    def up():
        now = bfd(node)
        return len(now) == 2 and all(b and b["state"] == b["remote_state"] == "up" for b in now) and now
    return wait_until(up, seconds, lambda: f"BFD up; log:\n{node.log()[-3000:]}")


def wait_agreed(node, interval_ms, detect_ms):
    wait_until(lambda: [(b["interval_us"], b["detection_us"]) for b in bfd(node)] == [(interval_ms * 1000, detect_ms * 1000)] * 2, 10,
               lambda: f"{interval_ms}/{detect_ms} ms: {bfd(node)}")


def wait_gone(site, since, seconds):
    wait_until(lambda: not any(site.routes()), seconds, "no route", 0.005)
    print(f"routes gone after {(time.monotonic() - since) * 1000:.0f} ms")


class Cut:
    """The cable is dark in both directions, carrier stays: what a dead hypervisor, switch port or power supply looks like."""

    def __init__(self, site):
        self.site = site

    def __enter__(self):
        self.site.pop.run(["nft", "-f", "-"], stdin="table inet cut { chain in { type filter hook input priority 0; iifname up0 drop;\n }\n"
                                                    "chain out { type filter hook output priority 0; oifname up0 drop;\n }\n}\n")
        return time.monotonic()

    def __exit__(self, *_):
        self.site.pop.run(["nft", "delete", "table", "inet", "cut"])


# ---- against BIRD and FRR ----

def test_sessions_come_up_and_follow_reloads(site, tmp_path):
    with Node(site, tmp_path, more=", bfd: {}") as node:
        now = wait_up(node)
        wait_agreed(node, 300, 900)
        assert all(b["falls"] == 0 and b["packets_bad"] == 0 and not b["multihop"] for b in now), now
        status = node.status()
        assert status["bfd"]["realtime"] and status["bfd"]["locked"] and not status["bfd"]["held"]
        sessions, transitions = established(node), [b["transitions"] for b in now]
        # Other timers: agreed on by a Poll Sequence, nothing falls.
        node.fleet(more=", bfd: {interval: 200ms}")
        assert node.zonecast("reload").returncode == 0
        wait_agreed(node, 200, 600)
        # Something else changes: nobody notices.
        node.fleet(more=", bfd: {interval: 200ms}, med: 5")
        assert node.zonecast("reload").returncode == 0
        wait_until(lambda: all(r and r.med == 5 for r in site.routes()), 10, "the new MED")
        assert [b["transitions"] for b in bfd(node)] == transitions and established(node) == sessions
        text = node.zonecast("status").stdout
        assert len(re.findall(r"bfd +up for .*sends each 200 ms, detects in 600 ms", text)) == 2
        # Without BFD: the session ends, and the thread has nothing to send.
        node.fleet()
        assert node.zonecast("reload").returncode == 0
        wait_until(lambda: bfd(node) == [None, None], 10, "no BFD")


@pytest.mark.asan
@pytest.mark.parametrize("interval", [300, 50], ids=["300x3", "50x3"])
def test_silent_cut(site, tmp_path, interval):
    with Node(site, tmp_path, more=f", bfd: {{interval: {interval}ms}}") as node:
        wait_up(node)
        wait_agreed(node, interval, interval * 3)
        with Cut(site) as since:
            wait_gone(site, since, 5 * SLOW)  # the machine may be busy; without BFD it would be the hold time, 90 s
            wait_until(lambda: all(b["falls"] >= 1 and b["state"] == "down" for b in bfd(node)), 5 * SLOW, "our side's fall")
            for n in node.status()["neighbors"]:
                assert n["state"] != "established" and n["bfd"]["diagnostic"] == "detection time expired", n
        assert "action=\"BGP session reset\"" in node.log()
        wait_up(node, 30)
        node.wait_announced(30)


def test_router_that_hangs(site, tmp_path):
    """Its kernel keeps the TCP connections: only BFD tells."""
    with Node(site, tmp_path, more=", bfd: {}") as node:
        wait_up(node)
        before = established(node)
        site.bird.signal(SIGSTOP)
        try:
            since = time.monotonic()
            wait_until(lambda: all(n["state"] != "established" for n in node.status()["neighbors"]), 10, "sessions reset")
            print(f"sessions reset after {(time.monotonic() - since) * 1000:.0f} ms, status included")
        finally:
            site.bird.signal(SIGCONT)
        wait_up(node, 30)
        node.wait_announced(30)
        assert all(b > a for a, b in zip(before, established(node)))


@pytest.mark.asan
def test_node_whose_worker_hangs_does_not_look_alive(site, tmp_path):
    """The supervisor hangs as well, else it would kill and restart the worker. Route withdraws by UPDATE; then BFD goes down, too."""
    with Node(site, tmp_path, more=", bfd: {}") as node:
        wait_up(node)
        pids = node.pids()
        stopped = [pids[("supervisor", 0)], pids[("answer", 0)]]
        fell = [b["falls"] for b in bfd(node)]
        try:
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            wait_gone(site, time.monotonic(), 5 * SLOW)
            wait_until(lambda: all(b["state"] == "down" and b["diagnostic"] == "path down" for b in bfd(node)), 10 * SLOW, "BFD down")
            wait_until(lambda: node.status()["bfd"]["held"] is True, 5, "held")
            assert [b["falls"] for b in bfd(node)] == fell  # the paths are well
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        wait_up(node, 30)
        node.wait_announced(30)
        log = node.log()
        assert "bfd held=true worker=0" in log and "bfd held=false" in log


def freeze_thread(tid):
    """Stop one thread of a process, as SIGSTOP cannot; returns what lets it go. By ptrace(2), from a thread that stays."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    seize, interrupt, detach = 0x4206, 0x4207, 17
    if libc.ptrace(seize, tid, None, None) != 0 or libc.ptrace(interrupt, tid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    os.waitpid(tid, 0x40000000)  # __WALL
    return lambda: libc.ptrace(detach, tid, None, None)


@pytest.mark.skipif(SANITIZED, reason="one kind of build is enough")
def test_node_whose_route_loop_hangs_does_not_look_alive(site, tmp_path):
    """Here nobody can withdraw by UPDATE: the BFD thread, which lives on, has to do it."""
    with Node(site, tmp_path, more=", bfd: {}") as node:
        wait_up(node)
        pids = node.pids()
        os.kill(pids[("supervisor", 0)], signal.SIGSTOP)  # else it kills route after 2 s
        try:
            let_go = freeze_thread(pids[("route", 0)])
            try:
                wait_gone(site, time.monotonic(), 10)
                assert node.process.poll() is None
            finally:
                let_go()
        finally:
            os.kill(pids[("supervisor", 0)], signal.SIGCONT)
        wait_up(node, 30)
        node.wait_announced(30)
        assert "bfd held=true note=\"this process hung" in node.log()


def test_ttl_security_and_multihop(tmp_path):
    """FRR: a neighbor with ttl-security has BFD of the multihop kind."""
    with make_site("frr", tmp_path, bfd=(50, 3), ttl_security=True) as site:
        folder = tmp_path / "node"
        folder.mkdir()
        with Node(site, folder, more=", ttl-security: true, bfd: {multihop: true}") as node:
            assert all(b["multihop"] for b in wait_up(node))
            wait_agreed(node, 300, 900)
            with Cut(site) as since:
                wait_gone(site, since, 5 * SLOW)
            wait_up(node, 30)
            node.wait_announced(30)


# ---- against a neighbor that does what it is told ----

@pytest.fixture
def pair(plain, tmp_path):
    """A node with 50 ms x 3 and its neighbor, both up."""
    peer = BfdPeer(plain.rtr, OURS, interval=50)
    with Node(plain, tmp_path, more=", bfd: {interval: 50ms}") as node:
        wait_up(node)
        yield node, peer
    peer.stop()


def test_admin_down_is_no_failure(plain, pair):
    node, peer = pair
    before = established(node)
    peer.tell("admin down")
    now = wait_until(lambda: (b := bfd(node)) and all(x["state"] == "down" for x in b) and b, 5, "BFD down")
    assert [(b["remote_state"], b["falls"]) for b in now] == [("admin-down", 0)] * 2
    assert all("operator" in b["why"] for b in now)
    assert plain.announced() and established(node) == before
    peer.tell("admin up")
    wait_up(node)
    assert plain.announced() and established(node) == before
    # Down, on the other hand, is one.
    os.kill(peer.process.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: all(b["falls"] == 1 for b in bfd(node)), 10, "the fall")
        wait_until(lambda: all(a < b for a, b in zip(before, established(node))), 20, "new sessions: BFD that is down is no obstacle")
    finally:
        os.kill(peer.process.pid, signal.SIGCONT)
    wait_up(node)


@pytest.mark.parametrize("family", [0, 1], ids=["v4", "v6"])
def test_bad_packets_are_counted_and_ignored(plain, pair, family):
    node, peer = pair
    where = OURS[family]

    def counted():
        return bfd(node)[family]["packets_bad"]

    bad = {
        "from beyond the link": dict(octets=packet(DOWN), ttl=254),
        "from far away": dict(octets=packet(DOWN), ttl=1),
        "a discriminator that is not ours": dict(octets=packet(DOWN, yours=0x01020304)),
        "up without a discriminator": dict(octets=packet(UP)),
        "no discriminator of its own": dict(octets=packet(DOWN, mine=0)),
        "version 0": dict(octets=packet(DOWN, version=0)),
        "multiplier 0": dict(octets=packet(DOWN, multiplier=0)),
        "multipoint": dict(octets=packet(DOWN, flags=1)),
        "authenticated": dict(octets=packet(DOWN, flags=4, length=28) + b"\1\4\1\0"),
        "short": dict(octets=packet(DOWN)[:23]),
        "long": dict(octets=packet(DOWN, length=40)),
        "nothing": dict(octets=b""),
        "garbage": dict(octets=os.urandom(24)),
        "much garbage": dict(octets=b"\xff" * 1400),
    }
    transitions = [b["transitions"] for b in bfd(node)]
    for name, how in bad.items():
        before = counted()
        send(plain.rtr, where, how["octets"], ttl=how.get("ttl", 255), count=3)
        wait_until(lambda b=before: counted() == b + 3, 10, lambda n=name, b=before: f"{n} counted: {counted() - b} of 3")
    # To the port for multihop nobody listens; from somebody else's address it is nobody's.
    send(plain.rtr, where, packet(DOWN), port=4784)
    strange = node.status()["bfd"]["packets_strange"]
    other = "10.9.0.77" if family == 0 else "2001:db8:9::77"
    plain.rtr.ip("addr", "add", other + ("/24" if family == 0 else "/64"), "dev", "pop0", *(["nodad"] if family else []))
    try:
        send(plain.rtr, where, packet(ADMIN_DOWN), source=other, count=2)
        wait_until(lambda: node.status()["bfd"]["packets_strange"] == strange + 2, 10, "strangers counted")
    finally:
        plain.rtr.ip("addr", "del", other + ("/24" if family == 0 else "/64"), "dev", "pop0")
    assert [b["transitions"] for b in bfd(node)] == transitions and all(b["state"] == "up" and b["falls"] == 0 for b in bfd(node))
    assert plain.announced()


@pytest.mark.skipif(SANITIZED, reason="about speed")
def test_flood_from_afar_does_not_push_out_the_neighbor(plain, pair):
    """Packets with another TTL go to another socket: the session stays up while that one overflows."""
    node, _ = pair
    began = time.monotonic()
    while time.monotonic() - began < 2:
        send(plain.rtr, OURS[0], packet(DOWN), ttl=64, count=5000)
    assert all(b["state"] == "up" and b["falls"] == 0 for b in bfd(node))
    assert bfd(node)[0]["packets_bad"] > 1000


def test_poll_is_answered_at_once(plain, tmp_path):
    """A session by hand: each Poll has its Final, whatever the send timer says."""
    with Node(plain, tmp_path, more=", bfd: {interval: 1s}") as node:
        with plain.rtr.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
            s.bind((ROUTER[0], 3784))
            s.settimeout(5)
            state, yours = DOWN, 0
            while state != UP:
                s.sendto(packet(state, yours=yours, tx=1000000, rx=1000000), (OURS[0], 3784))
                got = s.recv(100)
                yours, state = int.from_bytes(got[4:8], "big"), {DOWN: 2, 2: UP, UP: UP}[got[1] >> 6]
            s.sendto(packet(UP, yours=yours, tx=1000000, rx=1000000), (OURS[0], 3784))
            wait_until(lambda: bfd(node)[0]["state"] == "up", 5, "up")
            took = []
            for _ in range(20):
                began = time.monotonic()
                s.sendto(packet(UP, POLL, yours=yours, tx=1000000, rx=1000000), (OURS[0], 3784))
                while not s.recv(100)[1] & FINAL:
                    pass
                took.append(time.monotonic() - began)
            print(f"Final after {sorted(took)[10] * 1e6:.0f} us, at most {max(took) * 1e6:.0f}")
            assert sorted(took)[10] < 0.1 * SLOW  # at its own pace it would be 0.4 s and more


def test_stop_withdraws_first_and_then_says_admin_down(plain, tmp_path):
    peer = BfdPeer(plain.rtr, OURS, interval=50)
    with Node(plain, tmp_path, drain="1s", more=", bfd: {interval: 50ms}") as node:
        wait_up(node)
        began = time.monotonic()
        node.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not any(plain.routes()), 10, "no route", 0.005)
        gone = time.monotonic()
        assert node.process.wait(15) == 0
    for where in OURS:
        down = peer.wait(where, r"^\S+ down remote=admin-down falls=0", since=began)
        assert down > gone - 0.05
        assert len(peer.changes(where, began)) == 1
    peer.stop()


def test_a_session_that_cannot_be_yet_is_tried_again(plain, tmp_path):
    """Somebody else has the port, and gives it up."""
    with plain.pop.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("0.0.0.0", 3784))
        peer = BfdPeer(plain.rtr, OURS, interval=50)
        with Node(plain, tmp_path, more=", bfd: {interval: 50ms}") as node:
            wait_until(lambda: bfd(node)[1]["state"] == "up", 10, "IPv6 is up")
            assert bfd(node)[0]["state"] == "down" and "cannot begin" in bfd(node)[0]["why"]
            assert "another BFD speaker on this machine has the port" in node.log()
            s.close()
            wait_up(node)
        peer.stop()


def test_own_address_that_goes_and_comes(plain, tmp_path):
    """The source is what routing chose; when that is gone the session finds another."""
    peer = BfdPeer(plain.rtr, [*OURS, "10.9.0.99"], interval=50)
    with Node(plain, tmp_path, more=", bfd: {interval: 50ms}") as node:
        wait_up(node)
        plain.pop.ip("addr", "add", "10.9.0.99/25", "dev", "up0")
        try:
            plain.pop.ip("addr", "del", "10.9.0.2/24", "dev", "up0")
            peer.wait("10.9.0.99", "up")
        finally:
            plain.pop.ip("addr", "add", "10.9.0.2/24", "dev", "up0")
            plain.pop.ip("addr", "del", "10.9.0.99/25", "dev", "up0")
        wait_up(node)
    peer.stop()


def test_link_local_neighbor(tmp_path):
    """By interface; IPv4 over an address beside it."""
    with make_site("bird", tmp_path) as site:
        folder = tmp_path / "node"
        folder.mkdir()
        site.pop.ip("addr", "add", "fe80::2/64", "dev", "up0", "nodad")
        site.rtr.ip("addr", "add", "fe80::1/64", "dev", "pop0", "nodad")
        site.bird.neighbors = [Neighbor(OURS[0], OUR_AS, password=SECRET), Neighbor("fe80::2", OUR_AS, password=SECRET, interface="pop0")]
        site.bird.send([])
        peer = BfdPeer(site.rtr, [OURS[0], "fe80::2%pop0=fe80::1%pop0"], interval=50)

        def link_local(text):
            return text.replace('address: "2001:db8:9::1"', 'address: "fe80::1%up0", local: "fe80::2"')
        with Node(site, folder, more=", bfd: {interval: 50ms}", change=link_local) as node:
            wait_up(node)
            assert [n["address"] for n in node.status()["neighbors"]] == [ROUTER[0], "fe80::1%up0"]
            with Cut(site) as since:
                wait_until(lambda: all(b["falls"] >= 1 for b in bfd(node)), 5 * SLOW, "the fall")
                print(f"fell after {(time.monotonic() - since) * 1000:.0f} ms")
            wait_up(node, 30)
        peer.stop()


def test_neighbor_that_never_answers(plain, tmp_path):
    with Node(plain, tmp_path, more=", bfd: {}") as node:
        wait_until(lambda: all(b and b["packets_out"] > 2 for b in bfd(node)), 10, "packets sent")
        assert all(b["state"] == "down" and b["packets_in"] == 0 and b["falls"] == 0 and b["detection_us"] == 0 for b in bfd(node))
        assert plain.announced()  # RFC 5882 4.1: no obstacle
        assert "bfd        down for" in node.zonecast("status").stdout
        assert json.loads(node.zonecast("status", "--json").stdout)["bfd"]["packets_strange"] == 0


@pytest.mark.skipif(SANITIZED, reason="about speed")
def test_no_false_alarm_beside_a_flood_of_queries(plain, pair):
    """Ten seconds of it; test/bench/bfd_alarms.py is for longer. All CPUs are taken by the node's workers and those who ask."""
    node, peer = pair
    told = watch(plain, node, peer, 10)
    print(told)
    assert told["realtime"] and told["falls"] == 0 and told["peer_falls"] == 0 and told["held"] == 0
    assert told["packets_per_second"] > 60 and told["cpu_percent"] < 5
