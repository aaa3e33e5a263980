# SPDX-License-Identifier: BSD-2-Clause
"""Answers from the kernel over a cable: a node with `xdp: native`, and clients at the other end, where a program stands that lets everything
pass (without one, veth loses what an XDP program sends)."""
import os
import signal
import socket
import struct
import threading
import time

import dns.edns
import dns.flags
import dns.message
import pytest

from express import UNLIMITED, WWW, Client, answered, heat, with_xdp
from fleet import SERVICE, SLOW, ZONE, Node
from netns import missing, wait_until
from paths import ZONECAST
from routers import Bird

WHY = missing(ZONECAST, "clang", *Bird.needs)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
COOKIE = dns.edns.GenericOption(10, b"12345678")
SO_TIMESTAMPNS = 35
QUIET_S = 0.2 * SLOW  # after the lease's holder died


@pytest.fixture
def node(site, tmp_path):
    with Node(site, tmp_path, change=with_xdp("native", UNLIMITED)) as n:
        xdp = n.status()["xdp"]
        if xdp["rung"] == "sockets":
            pytest.skip(f"no XDP here: {xdp['why']}")
        yield n


@pytest.mark.parametrize("where", SERVICE)
@pytest.mark.parametrize("edns", [{}, {"use_edns": 0, "payload": 1232}, {"want_dnssec": True, "payload": 4096}])
def test_the_same_octets(site, node, where, edns):
    """The kernel's answers are those of the workers, octet by octet, in whatever case they are asked."""
    with Client(site, where) as client:
        for name, qtype in ((WWW, "A"), (WWW, "AAAA"), ("example.", "SOA"), ("nothing.example.", "A")):
            query = dns.message.make_query(name, qtype, id=7, **edns)
            first = client.octets(query)  # nobody asked that before
            heat(node, client, where, query)
            before = answered(node, where)
            assert client.octets(query) == first
            mixed = dns.message.make_query(name.upper(), qtype, id=9, **edns)
            reply = client.ask(mixed)
            assert reply.question[0].name.to_text() == name.upper() and reply.id == 9
            assert reply.flags & dns.flags.AA
            wait_until(lambda b=before: answered(node, where) >= b + 2, 10, "both counted")


def test_what_is_left_to_workers(site, node):
    """Options, other classes, TCP: answered, but not by the kernel."""
    where = SERVICE[0]
    with Client(site, where) as client:
        plain = dns.message.make_query(WWW, "A")
        heat(node, client, where, plain)
        count = wait_until(lambda: settled(node, where), 10, "a count that stands")
        for query in (dns.message.make_query(WWW, "A", use_edns=0, options=[COOKIE]), dns.message.make_query(WWW, "TXT"),
                      dns.message.make_query("version.server.", "TXT", "CH")):
            assert client.ask(query).rcode() == 0
        assert site.ask(where, "A", WWW, tcp=True).rcode() == 0
        assert wait_until(lambda: settled(node, where), 10, "a count that stands") == count


def settled(node, where):
    """The count, once it has not moved for two refreshings of the board."""
    first, began = answered(node, where), time.monotonic()
    wait_until(lambda: time.monotonic() - began > 0.5, 3, "the board is refreshed")
    return first if answered(node, where) == first else None


@pytest.mark.parametrize("where", SERVICE)
def test_a_change_is_in_the_next_answer(site, node, where):
    """Whoever asks after anybody had the new answer gets the new one."""
    seen, ending = [], threading.Event()  # sent, received, version
    query = dns.message.make_query(WWW, "A")

    def watch():
        with Client(site, where) as client:
            while not ending.is_set():
                sent = time.monotonic()
                try:
                    reply = client.octets(query)
                except OSError:  # no route for a moment, on a machine so busy that a heartbeat was late
                    continue
                seen.append((sent, time.monotonic(), reply[-1]))
    threads = [threading.Thread(target=watch, daemon=True) for _ in range(2)]
    with Client(site, where) as client:
        heat(node, client, where, query)
        for t in threads:
            t.start()
        try:
            for serial in range(2, 12):
                before = answered(node, where)
                node.write("example.zone", ZONE.format(serial=serial))
                assert node.zonecast("zone", "reload", "example").returncode == 0
                wait_until(lambda s=serial: seen and seen[-1][2] == s, 20, f"version {serial}")
                wait_until(lambda b=before: answered(node, where) > b + 20, 20, "the kernel answers again")
        finally:
            ending.set()
            for t in threads:
                t.join(5)
    arrivals = sorted((got, version) for _, got, version in seen)
    newest = at = 0
    for sent, _, version in sorted(seen):
        while at < len(arrivals) and arrivals[at][0] <= sent:
            newest = max(newest, arrivals[at][1])
            at += 1
        assert version >= newest, f"version {version} after {newest}"
    assert {v for _, _, v in seen} == set(range(1, 12))
    print(f"{len(seen)} answers, {answered(node, where)} of them from the kernel")


@pytest.mark.parametrize("where", SERVICE)
def test_a_dead_sync_leaves_no_old_answers(site, node, where):
    """Whatever sync was about when it died: the next one's changes are seen, and kept again."""
    query = dns.message.make_query(WWW, "A")
    with Client(site, where) as client:
        for serial in range(2, 5):
            heat(node, client, where, query)
            old = node.pids()["sync", 0]
            node.write("example.zone", ZONE.format(serial=serial))
            assert node.zonecast("zone", "reload", "example").returncode == 0
            os.kill(old, signal.SIGKILL)
            wait_until(lambda p=old: node.pids().get(("sync", 0), p) != p, 10, "a new sync")
            wait_until(lambda s=serial: client.octets(query)[-1] == s, 20, f"version {serial}")
            assert all(client.octets(query)[-1] == serial for _ in range(200))
        heat(node, client, where, query)


class Metronome:
    """Asks every 2 ms, whether answers come or not; when the last one came, by the kernel's clock (of time.time()): this process may be late to
    read it."""

    def __init__(self, site, where, query=None):
        self.client = Client(site, where)
        self.client.socket.setblocking(False)
        self.client.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.wire = (query or dns.message.make_query(WWW, "A")).to_wire()
        self.last, self.count = 0.0, 0
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.ending.is_set():
            try:
                self.client.socket.send(self.wire)
            except OSError:
                pass
            at = time.monotonic() + 0.002
            while time.monotonic() < at:
                try:
                    _, said, _, _ = self.client.socket.recvmsg(4096, 128)
                    seconds, ns = struct.unpack("=qq", said[0][2])
                    self.last = seconds + ns / 1e9
                    self.count += 1
                except OSError:
                    time.sleep(0.0005)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join(5)
        self.client.socket.close()

    def quiet_after(self, since):
        """Seconds from `since` to the last answer, known once there has been none for long."""
        wait_until(lambda: time.time() - max(self.last, since) > 4 * QUIET_S, 20, "silence")
        return self.last - since


def workers(node):
    return [pid for (role, _), pid in node.pids().items() if role == "answer"]


@pytest.mark.parametrize("where", SERVICE)
@pytest.mark.parametrize("sig", [signal.SIGSTOP, signal.SIGKILL])
@pytest.mark.parametrize("query", [dns.message.make_query(WWW, "A"), dns.message.make_query(WWW, "A", use_edns=0, options=[COOKIE])], ids=["kept", "not-kept"])
def test_no_answer_without_a_living_worker(site, tmp_path, where, sig, query):
    """The supervisor, who would put new ones in their place, is held meanwhile. What the kernel does not keep goes to AF_XDP sockets."""
    with Node(site, tmp_path, change=with_xdp("native")) as node:
        if node.status()["xdp"]["rung"] == "sockets":
            pytest.skip(node.status()["xdp"]["why"])
        with Client(site, where) as client:
            heat(node, client, where, dns.message.make_query(WWW, "A"))
        pids, boss = workers(node), node.pids()["supervisor", 0]
        with Metronome(site, where, query) as asking:
            wait_until(lambda: asking.count > 50, 20, "answers")
            os.kill(boss, signal.SIGSTOP)
            try:
                for pid in pids:
                    os.kill(pid, sig)
                since = time.time()
                took = asking.quiet_after(since)
                print(f"last answer {took * 1000:.0f} ms after the signal")
                assert took < QUIET_S
            finally:
                if sig == signal.SIGSTOP:
                    for pid in pids:
                        os.kill(pid, signal.SIGCONT)
                os.kill(boss, signal.SIGCONT)
            count = asking.count
            wait_until(lambda: asking.count > count + 50, 20, "answers again")


def test_nothing_outlives_the_supervisor(site, tmp_path):
    with Node(site, tmp_path, change=with_xdp("native")) as node:
        if node.status()["xdp"]["rung"] == "sockets":
            pytest.skip(node.status()["xdp"]["why"])
        assert "xdp" in site.pop.run(["ip", "link", "show", "dev", "up0"])
        with Client(site, SERVICE[0]) as client:
            heat(node, client, SERVICE[0], dns.message.make_query(WWW, "A"))
        with Metronome(site, SERVICE[0]) as asking:
            wait_until(lambda: asking.count > 50, 20, "answers")
            os.kill(node.process.pid, signal.SIGKILL)
            since = time.time()
            assert asking.quiet_after(since) < QUIET_S
        wait_until(lambda: "xdp" not in site.pop.run(["ip", "link", "show", "dev", "up0"]), 10, "the program is gone")
        node.process.wait()


def test_generic(site, tmp_path):
    with Node(site, tmp_path, change=with_xdp("generic")) as node:
        if node.status()["xdp"]["rung"] == "sockets":
            pytest.skip(node.status()["xdp"]["why"])
        assert node.status()["xdp"]["rung"] == "generic"
        for where in SERVICE:
            with Client(site, where) as client:
                heat(node, client, where, dns.message.make_query(WWW, "A"))


def test_rates(site, tmp_path):
    """What the kernel gives and what workers give is one account."""
    with Node(site, tmp_path, change=with_xdp("native", ", rate-limit: {answers: 50, slip: 0}")) as node:
        if node.status()["xdp"]["rung"] == "sockets":
            pytest.skip(node.status()["xdp"]["why"])
        with Metronome(site, SERVICE[0]) as asking:
            wait_until(lambda: asking.count > 30, 20, "answers")
            count, since = asking.count, time.monotonic()
            wait_until(lambda: time.monotonic() - since > 2, 5, "two seconds")
            rate = (asking.count - count) / (time.monotonic() - since)
        assert rate < 75, rate
        wait_until(lambda: node.status()["xdp"]["limited_dropped"] > 0, 10, "drops in the kernel are counted")


def test_reload_switches_it_off(site, node, tmp_path):
    where = SERVICE[1]
    with Client(site, where) as client:
        query = dns.message.make_query(WWW, "A")
        heat(node, client, where, query)
        node.fleet(change=with_xdp("off", UNLIMITED))
        node.control("reload")
        wait_until(lambda: node.status()["xdp"]["rung"] == "off", 10, "off")
        count = wait_until(lambda: settled(node, where), 10, "a count that stands")
        for _ in range(20):
            assert client.ask(query).answer
        assert wait_until(lambda: settled(node, where), 10, "a count that stands") == count
        node.fleet(change=with_xdp("native", UNLIMITED))
        node.control("reload")
        heat(node, client, where, query)
