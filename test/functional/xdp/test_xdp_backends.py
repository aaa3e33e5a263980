# SPDX-License-Identifier: BSD-2-Clause
"""Answers of backends from the cache in the kernel: with TTLs that are counted down, for those alone whom they are for, while they are fresh, and until they are purged."""
import contextlib
import json
import threading
import time

import dns.edns
import dns.flags
import dns.message
import pytest

from edge import Fake
from express import UNLIMITED, Client, answered, heat
from fleet import SERVICE, SLOW, Node
from netns import missing, wait_until
from paths import ZONECAST
from routers import Bird

WHY = missing(ZONECAST, "clang", *Bird.needs)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
NAME = "www.behind.test."
EDNS = {"use_edns": 0, "payload": 1232}


class Behind(Fake):
    """Says `text` for questions with the CD bit clear, and `cd_text` for others."""

    def __init__(self, ns, ttl=300, address="127.0.0.1"):
        self.text, self.cd_text, self.ttl = "192.0.2.1", "192.0.2.99", ttl
        super().__init__(ns, address, answer=self.say)

    def say(self, query, _=None):
        return self.positive(query, ttl=self.ttl, text=self.cd_text if query.flags & dns.flags.CD else self.text)


@contextlib.contextmanager
def front(site, folder, behind, pool=""):
    def change(text):
        address = f"[{behind.address}]" if ":" in behind.address else behind.address
        return (f"{text}  - {{name: behind.test, backends: behind, network: global}}\nanswer: {{xdp: native{UNLIMITED}}}\n"
                f"backends:\n  - {{name: behind, servers: [{{address: \"{address}:{behind.port}\"}}]{pool}}}\n")
    with contextlib.closing(behind), Node(site, folder, change=change) as node:
        xdp = node.status()["xdp"]
        if xdp["rung"] == "sockets":
            pytest.skip(f"no XDP here: {xdp['why']}")
        yield node


def question(**more):
    return dns.message.make_query(NAME, "A", **EDNS, **more)


def cache_status(node):
    return json.loads(node.zonecast("cache", "status", "--json").stdout)


@pytest.mark.parametrize("where", SERVICE)
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_ttls_are_counted_down(site, tmp_path, where, address):
    """To the second, as a worker does it; the backend is asked once, and hits in the kernel are hits."""
    with front(site, tmp_path, behind := Behind(site.pop, address=address)) as node, Client(site, where) as client:
        heat(node, client, where, question())
        before, hits, asked, seen = answered(node, where), cache_status(node)["hits"], 0, []
        began = time.monotonic()
        while time.monotonic() - began < 4:
            sent = time.monotonic()
            reply = client.ask(question())
            seen.append((sent, time.monotonic(), reply.answer[0].ttl))
            assert reply.flags & dns.flags.AA and reply.answer[0][0].address == "192.0.2.1"
            asked += 1
        assert behind.count(NAME) == 1
        assert [t for _, _, t in seen] == sorted((t for _, _, t in seen), reverse=True)
        # Whatever the moment at which it was fetched: what is told at two moments differs by the seconds between them, up to one.
        for sent, got, ttl in seen[1:]:
            assert sent - seen[0][1] - 1 <= seen[0][2] - ttl <= got - seen[0][0] + 1
        assert seen[0][2] - seen[-1][2] >= 3
        wait_until(lambda: answered(node, where) - before >= 0.9 * asked, 10, lambda: f"nearly all of {asked} by the kernel: {answered(node, where) - before}")
        assert node.status()["xdp"]["of_backends"] >= 0.9 * asked
        wait_until(lambda: cache_status(node)["hits"] - hits >= asked, 10, lambda: f"{asked} hits: {cache_status(node)}")
        with Client(site, where) as other:
            assert abs(other.ask(question(options=[dns.edns.GenericOption(10, b"12345678")])).answer[0].ttl - client.ask(question()).answer[0].ttl) <= 1


@pytest.mark.parametrize("where", SERVICE)
def test_a_question_with_cd_is_another(site, tmp_path, where):
    with front(site, tmp_path, Behind(site.pop)) as node, Client(site, where) as client:
        heat(node, client, where, question())
        checked, disabled = question(), question()
        disabled.flags |= dns.flags.CD
        for _ in range(50):
            assert client.ask(disabled).answer[0][0].address == "192.0.2.99"
            assert client.ask(checked).answer[0][0].address == "192.0.2.1"


@pytest.mark.parametrize("where", SERVICE)
def test_purged_is_purged(site, tmp_path, where):
    """No question that was sent after the command ended gets what was purged, however much is asked meanwhile."""
    with front(site, tmp_path, behind := Behind(site.pop)) as node:
        seen, ending = [], threading.Event()

        def ask():
            with Client(site, where) as client:
                while not ending.is_set():
                    sent = time.monotonic()
                    seen.append((sent, client.ask(question()).answer[0][0].address))
        with Client(site, where) as client:
            heat(node, client, where, question())
        threads = [threading.Thread(target=ask, daemon=True) for _ in range(2)]
        for t in threads:
            t.start()
        purges = []
        try:
            for i in range(2, 12):
                before = answered(node, where)
                behind.text = f"192.0.2.{i}"
                assert "purged: " in node.zonecast("cache", "purge", NAME).stdout
                purges.append((time.monotonic(), behind.text))
                wait_until(lambda b=before: answered(node, where) > b + 50, 20, "the kernel answers again")
        finally:
            ending.set()
            for t in threads:
                t.join(5)
        for at, text in purges:
            later = [address for sent, address in seen if sent >= at]
            assert later and all(int(a.rsplit(".", 1)[1]) >= int(text.rsplit(".", 1)[1]) for a in later), (text, set(later))


def test_fetched_anew_when_it_is_over(site, tmp_path):
    """An entry that the kernel answers from is in use: it is fetched before its end, and what is over is not given."""
    where = SERVICE[0]
    with front(site, tmp_path, behind := Behind(site.pop, ttl=3)) as node, Client(site, where) as client:
        heat(node, client, where, question())
        behind.text, changed = "192.0.2.2", time.monotonic()
        ttls = set()
        while True:
            reply = client.ask(question())
            ttls.add(reply.answer[0].ttl)
            if reply.answer[0][0].address == "192.0.2.2":
                break
            assert time.monotonic() - changed < 3.5 * SLOW
        assert ttls <= {1, 2, 3}
        assert behind.count(NAME) >= 2


def test_a_client_s_network_may_matter(site, tmp_path):
    """Where servers are told of the client's network, each is asked for: nothing of them is kept in the kernel."""
    where = SERVICE[1]
    with front(site, tmp_path, behind := Behind(site.pop), ", client-subnet: true") as node, Client(site, where) as client:
        before = answered(node, where)
        for _ in range(200):
            assert client.ask(question()).answer
        hits = wait_until(lambda: (s := cache_status(node))["hits"] >= 190 and s["hits"], 10, lambda: f"hits: {cache_status(node)}")
        assert hits and behind.count(NAME) < 10
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 0.5, 3, "the board is refreshed")
        assert answered(node, where) == before
