# SPDX-License-Identifier: BSD-2-Clause
"""Rate limits and filters of a node with two workers, under 200,000 queries from fifty prefixes of both families."""
import collections
import ipaddress
import json
import os
import socket
import subprocess
import sys
import threading

import dns.edns
import dns.message
import pytest

from fleet import SERVICE, SLOW, Node, Site
from netns import missing, wait_until
from paths import ZONECAST
from routers import Bird

WHY = missing(ZONECAST, *Bird.needs)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
FLOOD = os.path.join(os.path.dirname(__file__), "..", "..", "lib", "flood.py")
RATE, NO_NAMES = 200, 50
QUERIES, SECONDS = 200000 // SLOW, 5
LIMITS = f"answer: {{rate-limit: {{answers: {RATE}, no-names: {NO_NAMES}, slip: {{slip}}, exempt: [198.18.200.0/24, \"fd00:18:200::/48\"]}}}}\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Clients are all of 198.18.0.0/15 and fd00:18::/32, in the router's namespace."""
    with Site(tmp_path_factory.mktemp("site")) as s:
        s.rtr.ip("route", "add", "local", "198.18.0.0/15", "dev", "lo")
        s.rtr.ip("-6", "route", "add", "local", "fd00:18::/32", "dev", "lo")
        s.pop.ip("route", "add", "198.18.0.0/15", "via", "10.9.0.1")
        s.pop.ip("-6", "route", "add", "fd00:18::/32", "via", "2001:db8:9::1")
        yield s


@pytest.fixture
def node(site, tmp_path, request):
    slip = getattr(request, "param", 0)
    with Node(site, tmp_path, change=lambda t: t + LIMITS.replace("{slip}", str(slip))) as n:
        yield n


def prefixes(first, count):
    """Three addresses in each of `count` prefixes of each family."""
    out = {}
    for i in range(first, first + count):
        out[f"198.18.{i}.0/24"] = [f"198.18.{i}.{k}" for k in (1, 77, 254)]
        out[f"fd00:18:{i:x}:100::/56"] = [f"fd00:18:{i:x}:1{k:02x}::{k}" for k in (1, 0x77, 0xff)]
    return out


def flood(site, sources, count=QUERIES, seconds=SECONDS, **plan):
    plan = {"to": SERVICE, "sources": sources, "count": count, "seconds": seconds, "name": "www.example.", **plan}
    done = subprocess.run(["ip", "netns", "exec", site.rtr.name, sys.executable, FLOOD, json.dumps(plan)], capture_output=True, text=True,
                          timeout=120 * SLOW, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def by_prefix(result, groups, what):
    return {p: sum(result["sources"][a][what] for a in members) for p, members in groups.items()}


class Client:
    """Asks once in a while from one address, in a thread; every question must be answered."""

    def __init__(self, site, source, to, tcp=False, cookie=False):
        self.site, self.source, self.to, self.tcp, self.with_cookie = site, source, to, tcp, cookie
        self.cookie = bytes(range(8))
        self.asked = self.lost = 0
        self.error = None
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def once(self):
        family = socket.AF_INET6 if ":" in self.to else socket.AF_INET
        options = [dns.edns.GenericOption(10, self.cookie)] if self.with_cookie else []
        wire = dns.message.make_query("www.example.", "A", use_edns=0, options=options).to_wire()
        with self.site.rtr.socket(family, socket.SOCK_STREAM if self.tcp else socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.IPPROTO_IPV6 if ":" in self.to else socket.IPPROTO_IP, 78 if ":" in self.to else 15, 1)
            s.settimeout(3 * SLOW)
            s.bind((self.source, 0))
            s.connect((self.to, 53))
            if self.tcp:
                s.sendall(len(wire).to_bytes(2, "big") + wire)
                reply = dns.message.from_wire(s.recv(4096)[2:])
            else:
                s.send(wire)
                reply = dns.message.from_wire(s.recv(4096))
        for o in reply.options:
            if o.otype == 10:
                self.cookie = o.data
        return reply.rcode() == 0 and bool(reply.answer)

    def run(self):
        while not self.ending.wait(0.02):
            self.asked += 1
            try:
                self.lost += not self.once()
            except OSError as e:
                self.lost += 1
                self.error = e

    def __enter__(self):
        assert self.once()  # learns its cookie before the flood
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()


@pytest.mark.parametrize("node", [0, 2], indirect=True, ids=["all dropped", "every second truncated"])
def test_each_prefix_gets_its_rate(site, node, request):
    slip = request.node.callspec.params["node"]
    groups = prefixes(0, 25)
    victims = next(iter(groups.values()))[0], list(groups.values())[1][0]
    with Client(site, victims[0], SERVICE[0], tcp=True) as a, Client(site, victims[1], SERVICE[1], tcp=True) as b, \
         Client(site, victims[0], SERVICE[0], cookie=True) as c, Client(site, victims[1], SERVICE[1], cookie=True) as d:
        result = flood(site, [x for members in groups.values() for x in members])
    elapsed = result["seconds"]
    full, truncated, sent = (by_prefix(result, groups, k) for k in ("full", "truncated", "sent"))
    most = RATE * (elapsed + 0.2)  # the burst is a fifth of a second
    print(f"{sum(sent.values())} queries from {len(groups)} prefixes in {elapsed:.1f} s: full answers a prefix {min(full.values())} to "
          f"{max(full.values())}, {most:.0f} allowed; truncated {sum(truncated.values())}")
    assert sum(sent.values()) >= 0.9 * QUERIES  # else there was no flood
    for prefix, n in full.items():
        assert n <= most * 1.05 + 5, prefix
        if sent[prefix] > 2 * most:
            assert n >= most * 0.7, prefix
    beyond = sum(sent.values()) - sum(full.values())
    if slip:
        assert 0.3 * beyond / slip <= sum(truncated.values()) <= beyond / slip + len(groups)
    else:
        assert sum(truncated.values()) == 0
    for client in (a, b, c, d):
        assert client.asked >= 20 and client.lost == 0, (client.source, client.tcp, client.lost, client.asked, client.error)
    counts = node.status()["queries"]
    assert counts["limited_dropped"] > 0 and (counts["limited_slipped"] > 0) == bool(slip)
    assert node.status()["networks"][0]["decision"]["flaps"] == 0


def test_an_exempt_prefix_has_no_limit(site, node):
    groups = {"198.18.200.0/24": ["198.18.200.9"], "fd00:18:200::/48": ["fd00:18:200:ff::9"]}
    count = 10 * RATE * 2
    result = flood(site, [a for m in groups.values() for a in m], count=count, seconds=2)
    assert sum(by_prefix(result, groups, "full").values()) == count
    assert node.status()["queries"]["limited_dropped"] == 0


def test_random_subdomains_cost_the_flooding_prefix_only_its_nxdomains(site, node):
    """Its own positive answers and everything of its neighbour go on."""
    groups = {"198.18.7.0/24": ["198.18.7.1", "198.18.7.2"], "fd00:18:7::/56": ["fd00:18:7::1", "fd00:18:7::2"]}
    with Client(site, "198.18.7.50", SERVICE[0]) as same4, Client(site, "fd00:18:7::50", SERVICE[1]) as same6, \
         Client(site, "198.18.8.50", SERVICE[0]) as other4, Client(site, "fd00:18:8::50", SERVICE[1]) as other6:
        result = flood(site, [a for m in groups.values() for a in m], count=60000 // SLOW, seconds=4, random=True)
    for prefix, n in by_prefix(result, groups, "full").items():
        assert n <= NO_NAMES * (result["seconds"] + 0.2) * 1.1 + 5, prefix
    rcodes = collections.Counter()
    for c in result["sources"].values():
        rcodes.update(c["rcodes"])
    assert set(rcodes) == {"3"}
    for client in (same4, same6, other4, other6):
        assert client.asked >= 20 and client.lost == 0, (client.source, client.lost, client.asked, client.error)


def test_a_limited_client_that_knows_cookies_is_told(site, node):
    """BADCOOKIE in the place of an answer: with the cookie it brings next it has no limit any more."""
    node.fleet(change=lambda t: t + LIMITS.replace("{slip}", "1"))
    assert node.zonecast("reload").returncode == 0
    source = "198.18.9.1"
    client = Client(site, source, SERVICE[0])
    client.with_cookie = True

    def limited():
        client.cookie = bytes(range(8))
        return not client.once() and len(client.cookie) == 24

    # Sent in bursts: so many that the prefix is beyond its rate for a good part of the time between two of them as well.
    flooding = threading.Thread(target=flood, args=(site, ["198.18.9.2"]), kwargs={"count": 150 * RATE, "seconds": 6})
    flooding.start()
    try:
        wait_until(limited, 6 * SLOW, "BADCOOKIE")
        for _ in range(50):
            assert client.once()
    finally:
        flooding.join()
    assert node.status()["queries"]["limited_badcookie"] >= 1


def test_filters_by_reload(site, node):
    def rcode(name, qtype="A", tcp=False, where=SERVICE[0], timeout=0.4):
        reply = site.ask(where, qtype, name, tcp=tcp, timeout=timeout)
        return None if reply is None else (reply.rcode(), bool(reply.flags & 0x0200))

    def use(filters):
        node.fleet(change=lambda t: t + filters)
        assert node.zonecast("reload").returncode == 0

    assert rcode("www.example.") == (0, False)
    use("answer: {filters: [{name: www.example, types: [A], action: refuse}, {name: ns1.example, action: drop}, {types: [SOA], action: truncate}]}\n")
    # Each question may meet another worker: all of them know within moments.
    wait_until(lambda: all(rcode("www.example.") == (5, False) for _ in range(16)), 10, "REFUSED by every worker")
    for where in SERVICE:
        assert rcode("www.example.", where=where, tcp=True, timeout=3) == (5, False)
        assert rcode("www.example.", "AAAA", where=where, timeout=3) == (0, False)
        assert rcode("ns1.example.", where=where) is None
        assert rcode("example.", "SOA", where=where, timeout=3) == (0, True)
        assert rcode("example.", "SOA", where=where, tcp=True, timeout=3) == (0, False)
    counts = node.status()["queries"]
    assert counts["filtered_refused"] >= 18 and counts["filtered_dropped"] >= 2 and counts["filtered_truncated"] >= 2
    use("")
    wait_until(lambda: all(rcode("www.example.") == (0, False) for _ in range(16)), 10, "answers again")


def test_source_addresses_are_what_they_seem():
    """The sources of the flood lie in the prefixes they are counted for."""
    for prefix, members in prefixes(0, 25).items():
        assert all(ipaddress.ip_address(m) in ipaddress.ip_network(prefix) for m in members)
