# SPDX-License-Identifier: BSD-2-Clause
"""The workers' answer cache from outside: it answers, everywhere the same, and never what a zone no longer says."""
import socket
import threading

import dns.edns
import dns.message
import dns.rcode
import pytest

from netns import wait_until
from streamnode import FAMILIES, StreamNode, query, receive, send

CHANGES = 25
ASKERS = 4  # per family: with several sources every worker is asked


def zone(version, more=""):
    return f"$TTL 300\n@ SOA ns1 host {version} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.1\nversion TXT {version}\n*.wild TXT {version}\n{more}"


@pytest.fixture(name="node")
def _node(tmp_path):
    with StreamNode(tmp_path, workers=2, zone=zone(1)) as node:
        yield node


def version_of(answer):
    if answer.answer:
        return int(answer.answer[0][0].strings[0])
    return answer.authority[0][0].serial


@pytest.mark.asan
@pytest.mark.parametrize("where", FAMILIES)
def test_the_same_from_the_cache(node, where):
    """The options of each client, its case and its size, around what others were told, too."""
    before = node.counters()["cached"]
    for name, qtype in (("version.example.", "TXT"), ("a.wild.example.", "TXT"), ("none.example.", "A"), ("version.example.", "A")):
        first = node.udp(where, query(name, qtype))
        for _ in range(4):
            again = node.udp(where, query(name, qtype))
            again.id = first.id
            assert again.to_wire() == first.to_wire()
        m = query(name.swapcase(), qtype, use_edns=0, payload=512, options=[dns.edns.GenericOption(3, b""), dns.edns.GenericOption(10, b"8 octets")])
        with node.socket(where, socket.SOCK_DGRAM) as s:
            s.connect((where, 53))
            s.send(m.to_wire())
            wire = s.recv(65535)
        answer = dns.message.from_wire(wire)
        assert wire[12:12 + len(name)].lower() == m.to_wire()[12:12 + len(name)].lower() and m.question[0].name.to_text() in str(answer.question[0])
        assert {o.otype for o in answer.options} >= {3, 10} and answer.rcode() == first.rcode()
        with node.tcp(where) as s:
            send(s, m)
            assert [o.otype for o in receive(s).options] == [o.otype for o in answer.options]
    assert node.counters()["cached"] >= before + 12


class Asker(threading.Thread):
    """Asks without pause; each answer that is older than what anybody had when its question left is a fault."""

    def __init__(self, node, where, name, seen):
        super().__init__(daemon=True)
        self.where, self.name_asked, self.seen, self.end = where, name, seen, False
        self.count, self.faults = 0, []
        self.socket = node.socket(where, socket.SOCK_DGRAM)
        self.socket.connect((where, 53))

    def run(self):
        m = query(self.name_asked, "TXT")
        wire = m.to_wire()
        while not self.end:
            known = self.seen[0]
            self.socket.send(wire)
            got = version_of(dns.message.from_wire(self.socket.recv(4096)))
            self.count += 1
            if got < known:
                self.faults.append((self.where, known, got))
            if got > self.seen[0]:
                self.seen[0] = got
        self.socket.close()


@pytest.mark.asan
def test_no_old_answer_after_a_new_one(node):
    seen = [1]
    askers = [Asker(node, where, name, seen) for where in FAMILIES for name in ("version.example.", "b.wild.example.", "none.example.") for _ in range(ASKERS)]
    for a in askers:
        a.start()
    try:
        for version in range(2, CHANGES + 2):
            node.write("example.zone", zone(version))
            done = node.zonecast("zone", "reload", "example", "--run-dir", node.path("run"))
            assert done.returncode == 0, done.stderr
            wait_until(lambda v=version: seen[0] >= v, 20, lambda v=version: f"version {v}")
    finally:
        for a in askers:
            a.end = True
        for a in askers:
            a.join(20)
    faults = [f for a in askers for f in a.faults]
    print(f"{sum(a.count for a in askers)} questions, {CHANGES} changes")
    assert not faults, faults[:5]
    assert all(a.count > CHANGES for a in askers)
    assert node.counters()["cached"] > 100


@pytest.mark.asan
def test_settings_empty_it(node):
    """QTYPE ANY by another policy, filters, and no cache at all: from the first answer after the reload on."""
    def asked(qtype="ANY"):
        """From an address that is not the node's own, which filters do not concern."""
        with node.socket(FAMILIES[0], socket.SOCK_DGRAM, source="10.1.2.3") as s:
            s.connect((FAMILIES[0], 53))
            s.send(query("ns1.example.", qtype).to_wire())
            return dns.message.from_wire(s.recv(65535))

    def reload(answer, what):
        """Until both workers have taken it; each has been asked often enough before to know the answer by heart."""
        for _ in range(16):
            asked()
        node.fleet(answer)
        done = node.reload()
        assert done.returncode == 0, done.stderr
        wait_until(lambda: all(what(asked()) for _ in range(16)), 20, answer)

    node.write("example.zone", zone(2, "ns1 AAAA 2001:db8::1\n"))
    reload("udp-size: 1400", lambda m: len(m.answer) == 1)
    wait_until(lambda: asked("AAAA").answer, 20, "the new zone")
    reload("any: all", lambda m: len(m.answer) == 2)
    reload("filters: [{types: [ANY], action: refuse}]", lambda m: m.rcode() == dns.rcode.REFUSED)
    reload("cache: 0", lambda m: m.rcode() == dns.rcode.NOERROR)
    before = node.counters()["cached"]
    for _ in range(8):
        assert asked("A").answer
    assert node.counters()["cached"] == before
