# SPDX-License-Identifier: BSD-2-Clause
"""Steered answers of a whole node: a hidden primary with the zone, a pop that has it by transfer and answers by the policies of the fleet file; clients ask from the primary's namespace, over IPv4 and IPv6."""
import collections
import json
import os
import socket

import dns.edns
import dns.flags
import dns.message
import dns.rdatatype
import pytest

from hidden import Fleet, pop_addresses
from mmdb import Database, asn, city
from netns import missing, wait_until
from paths import ZONECAST

WHY = missing(ZONECAST)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))

GEOIP = "http: {{open: true}}\ngeoip: {{location: {0}/city.mmdb, as: {0}/asn.mmdb}}\n"
POLICIES = """pools:
  - name: eu
    keep: 1
    endpoints:
      - {name: a, address: 198.51.100.11}
      - {name: b, address: 198.51.100.12}
      - {name: a6, address: "2001:db8:e::11"}
      - {name: b6, address: "2001:db8:e::12"}
  - name: us
    endpoints:
      - {name: a, address: 198.51.100.21}
      - {name: a6, address: "2001:db8:e::21"}
  - name: here
    endpoints:
      - {name: a, address: 198.51.100.31}
  - name: shares
    endpoints:
      - {name: heavy, address: 198.51.100.41, weight: 300}
      - {name: light, address: 198.51.100.42, weight: 100}
      - {name: none, address: 198.51.100.43, weight: 0}
      - {name: later, address: 198.51.100.44, priority: 2}
      - {name: off, address: 198.51.100.45, disabled: true}
  - name: backup
    fallback: us
    endpoints:
      - {name: off, address: 198.51.100.51, disabled: true}
  - name: alias
    endpoints:
      - {name: edge, target: edge.example.}
  - name: watched
    check: {type: tcp, port: 7777, interval: 500ms, timeout: 400ms, rise: 1, fall: 2}
    endpoints:
      - {name: one, address: 10.11.0.1}
      - {name: two, address: 10.11.0.7}
  - name: cities
    endpoints:
      - {name: fra, address: 198.51.100.71, latitude: 50.1, longitude: 8.7}
      - {name: nyc, address: 198.51.100.72, latitude: 40.7, longitude: -74.0}
      - {name: fra6, address: "2001:db8:e::71", latitude: 50.1, longitude: 8.7}
      - {name: nyc6, address: "2001:db8:e::72", latitude: 40.7, longitude: -74.0}
steering:
  - name: web
    owners: [www.example, "*.wild.example"]
    rules:
      - {subnets: [203.0.113.0/24, "2001:db8:203::/48"], pool: us}
    pool: eu
    choose: all
    answers: 0
    ttl: 20s
  - name: deaf
    rules:
      - {subnets: [203.0.113.0/24], pool: us}
    pool: eu
    choose: all
    answers: 0
    client-subnet: false
  - {name: bypop, owners: [bypop.example], rules: [{nodes: [pop0], pool: here}], pool: us}
  - {name: chance, owners: [chance.example], pool: shares, ttl: 20s}
  - {name: sticky, owners: [sticky.example], pool: eu, choose: sticky, ttl: 20s}
  - {name: spare, owners: [spare.example], pool: backup, ttl: 20s}
  - {name: alias, owners: [alias.example], pool: alias, ttl: 20s}
  - {name: watched, owners: [watched.example], pool: watched, choose: all, answers: 0, ttl: 1s}
  - {name: near, owners: [near.example], pool: cities, choose: nearest, ttl: 20s}
  - {name: land, owners: [land.example], rules: [{countries: [US], pool: us}, {as: [64496], pool: here}], pool: eu, choose: all, ttl: 20s}
"""
RECORDS = ["www A 192.0.2.1", "www AAAA 2001:db8::1", "www TXT own", "*.wild A 192.0.2.1", "deaf A 192.0.2.1", 'deaf STEER "deaf"', "bypop A 192.0.2.1",
           "chance A 192.0.2.1", "sticky A 192.0.2.1", "spare A 192.0.2.1", "alias CNAME plain", "plain A 192.0.2.1", "edge A 198.51.100.61",
           "later A 192.0.2.1", "near A 192.0.2.1", "watched A 192.0.2.1", "near AAAA 2001:db8::1", "land A 192.0.2.1", "unknown A 192.0.2.1", 'unknown STEER "nobody"', "carried CNAME plain", '_steer.carried STEER "alias"']
EU, EU6 = ["198.51.100.11", "198.51.100.12"], ["2001:db8:e::11", "2001:db8:e::12"]


def databases(folder, country="US"):
    """203.0.113.0/24 and 2001:db8:203::/48 are in New York, 198.18.0.0/15 in Frankfurt; the AS of 198.19.0.0/16 is known. By rename, as databases should come."""
    places, numbers = Database(kind="Test-City"), Database(kind="Test-ASN")
    for network in ("203.0.113.0/24", "2001:db8:203::/48"):
        places.insert(network, city(country, "NA", 40.7, -74.0))
    places.insert("198.18.0.0/15", city("DE", "EU", 50.1, 8.7))
    numbers.insert("198.19.0.0/16", asn(64496))
    for name, database in (("city.mmdb", places), ("asn.mmdb", numbers)):
        database.write(os.path.join(folder, name + ".new"))
        os.chmod(os.path.join(folder, name + ".new"), 0o644)
        os.rename(os.path.join(folder, name + ".new"), os.path.join(folder, name))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("steering")
    databases(folder)
    with Fleet(folder, ["example"], more=GEOIP.format(folder) + POLICIES) as f:
        f.publish("example", 1, RECORDS)
        wait_until(lambda: addresses(f, "plain.example")[0] == ["192.0.2.1"], 60, lambda: f"the zone at the pop\n{f.pops[0].log()[-3000:]}", 0.1)
        yield f


def ask(fleet, name, qtype="A", subnet=None, family=4, tcp=False, dnssec=False):
    """The reply of the pop's management address."""
    options = []
    if subnet:
        address, bits = subnet.split("/")
        options = [dns.edns.ECSOption(address, int(bits))]
    query = dns.message.make_query(name, qtype, use_edns=0, options=options, want_dnssec=dnssec)
    where = pop_addresses(0)[family == 6]
    kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
    with fleet.hidden.ns.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, kind) as s:
        s.settimeout(10)
        s.connect((where, 53))
        if tcp:
            dns.query.send_tcp(s, query)
            reply = dns.query.receive_tcp(s)[0]
        else:
            s.send(query.to_wire())
            reply = dns.message.from_wire(s.recv(4096))
    assert reply.id == query.id
    return reply


def addresses(fleet, name, qtype="A", subnet=None, **how):
    """Data of the last set of the answer, its TTL, and the scope of the client subnet option (None: there is none)."""
    reply = ask(fleet, name, qtype, subnet, **how)
    scope = next((o.scopelen for o in reply.options if o.otype == dns.edns.OptionType.ECS), None)
    if not reply.answer:
        return [], None, scope
    last = reply.answer[-1]
    return sorted(str(r) for r in last), last.ttl, scope


CASES = [
    # name, type, subnet -> data, TTL, scope
    ("www.example", "A", None, EU, 20, None),
    ("www.example", "AAAA", None, EU6, 20, None),
    ("www.example", "A", "203.0.113.0/24", ["198.51.100.21"], 20, 24),
    ("WWW.example", "A", "203.0.113.0/24", ["198.51.100.21"], 20, 24),
    ("www.example", "A", "203.0.113.128/25", ["198.51.100.21"], 20, 24),
    ("www.example", "AAAA", "203.0.113.0/24", ["2001:db8:e::21"], 20, 24),
    ("www.example", "AAAA", "2001:db8:203::/48", ["2001:db8:e::21"], 20, 48),
    ("www.example", "A", "2001:db8:203:1::/56", ["198.51.100.21"], 20, 48),
    ("www.example", "A", "0.0.0.0/0", EU, 20, 0),
    ("x.wild.example", "A", "203.0.113.0/24", ["198.51.100.21"], 20, 24),
    ("x.y.wild.example", "A", None, EU, 20, None),
    ("www.example", "TXT", "203.0.113.0/24", ['"own"'], 300, 0),
    ("plain.example", "A", "203.0.113.0/24", ["192.0.2.1"], 300, 0),
    # By a record that came with the zone; the policy does not believe the option.
    ("deaf.example", "A", "203.0.113.0/24", EU, 30, 0),
    ("unknown.example", "A", None, ["192.0.2.1"], 300, None),
    ("bypop.example", "A", None, ["198.51.100.31"], 30, None),
    ("spare.example", "A", None, ["198.51.100.21"], 20, None),
    ("alias.example", "CNAME", None, ["edge.example."], 20, None),
    ("alias.example", "A", None, ["198.51.100.61"], 300, None),
    ("carried.example", "A", None, ["198.51.100.61"], 300, None),
    ("bypop.example", "AAAA", None, [], None, None),
]


@pytest.mark.parametrize("name, qtype, subnet, data, ttl, scope", CASES, ids=[f"{c[0]}-{c[1]}-{c[2]}" for c in CASES])
def test_answers(fleet, name, qtype, subnet, data, ttl, scope):
    # More than twice: the worker's cache answers then.
    for family in (4, 6, 4, 6, 4, 6):
        for tcp in (False, True):
            assert addresses(fleet, name, qtype, subnet, family=family, tcp=tcp) == (data, ttl, scope)


def test_places(fleet):
    """By country, AS and distance; a database that changes is used without a reload."""
    def is_known():
        return addresses(fleet, "land.example", subnet="203.0.113.0/24")[0] == ["198.51.100.21"]
    wait_until(is_known, 60, lambda: f"the map\n{fleet.pops[0].log()[-3000:]}", 0.1)
    for family in (4, 6):
        for _ in range(4):
            assert addresses(fleet, "land.example", subnet="203.0.113.0/24", family=family) == (["198.51.100.21"], 20, 24)
            assert addresses(fleet, "land.example", subnet="2001:db8:203::/56", family=family) == (["198.51.100.21"], 20, 48)
            assert addresses(fleet, "land.example", subnet="198.19.7.0/24", family=family)[:2] == (["198.51.100.31"], 20)
            assert addresses(fleet, "land.example", subnet="198.18.7.0/24", family=family)[0][0] in EU
            assert addresses(fleet, "near.example", subnet="203.0.113.7/32", family=family) == (["198.51.100.72"], 20, 24)
            assert addresses(fleet, "near.example", subnet="198.18.0.0/16", family=family)[0] == ["198.51.100.71"]
            assert addresses(fleet, "near.example", "AAAA", subnet="2001:db8:203::/48", family=family) == (["2001:db8:e::72"], 20, 48)
    told = json.loads(fleet.pops[0].command("steer", "near.example", "--from", "203.0.113.7", "--down", "cities/nyc", "--json"))
    assert (told["policy"], told["country"], told["continent"], told["as"]) == ("near", "US", "NA", None)
    given = {a["type"]: [e["name"] for e in a["endpoints"] if e["given"]] for a in told["answers"]}
    assert given == {"A": ["fra"], "AAAA": ["nyc6"]}
    assert "A: rule 2 of 2: pool here" in fleet.pops[0].command("steer", "land", "--from", "198.19.0.0/24")
    databases(fleet.folder, "CA")
    wait_until(lambda: not is_known(), 60, lambda: f"another map\n{fleet.pops[0].log()[-3000:]}", 0.1)
    assert addresses(fleet, "land.example", subnet="203.0.113.0/24")[0][0] in EU


def test_explained(fleet):
    """The verb `steer`, without a map and for a node."""
    def say(*args, code=0):
        return fleet.pops[0].command("steer", *args, code=code)
    out = say("www.example", "--from", "203.0.113.0/24")
    assert "A: rule 1 of 1: pool us\n  -> a" in out and "scope 24" in out
    assert "AAAA: no rule of 1 matches: pool eu" in say("web", "--from", "2001:db8:77::1")
    assert "pool us in its place" in say("spare")
    assert "too few are up" in say("web", "--down", "eu/a", "--down", "eu/b")
    assert all(len(line) <= 80 for policy in ("web", "spare", "bypop") for line in say(policy, "--down", "eu/a").splitlines())
    assert "no rule of 1 matches: pool us" in say("bypop") and "rule 1 of 1: pool here" in say("bypop", "--node", "pop0")
    assert "neither a policy" in say("none.example", code=1)
    assert "no such endpoint" in say("web", "--down", "eu/x", code=2)
    assert "no such node" in say("web", "--node", "x", code=2)
    assert "neither an address" in say("web", "--from", "x", code=2)


def test_client_s_own_address(fleet):
    """Without the option who asks is the client: the primary's namespace gets another address, of a network that a rule has."""
    ns = fleet.hidden.ns
    for family, own in ((4, "203.0.113.7"), (6, "2001:db8:203::7")):
        device, pop = "e0", fleet.pops[0].ns
        ns.ip("addr", "add", f"{own}/{32 if family == 4 else 128}", "dev", device, *(["nodad"] if family == 6 else []))
        pop.ip("route", "add", own, "dev", "e0")
        query = dns.message.make_query("www.example", "A")
        with ns.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(10)
            s.bind((own, 0))
            s.connect((pop_addresses(0)[family == 6], 53))
            s.send(query.to_wire())
            reply = dns.message.from_wire(s.recv(4096))
        assert [str(r) for r in reply.answer[0]] == ["198.51.100.21"]


def test_weights_and_priorities(fleet):
    """Three parts to one, by chance: of 400, 300 are expected with a standard deviation below 9."""
    seen = collections.Counter(addresses(fleet, "chance.example")[0][0] for _ in range(400))
    assert set(seen) == {"198.51.100.41", "198.51.100.42"}
    assert 230 < seen["198.51.100.41"] < 365


def test_sticky(fleet):
    """A network stays where it is, networks spread, and the scope says how wide a network is."""
    by_network = {}
    for i in range(24):
        got = [addresses(fleet, "sticky.example", subnet=f"203.0.{i}.{x}/32") for x in (1, 200)]
        assert got[0] == got[1] and got[0][1:] == (20, 24)
        by_network[i] = got[0][0][0]
    assert set(by_network.values()) == set(EU)
    got = {tuple(addresses(fleet, "sticky.example", subnet=f"2001:db8:{i}::/48")[0]) for i in range(24)}
    assert len(got) == 2


@pytest.mark.parametrize("option, why", [
    (b"\0\3\x18\0\xcb\0\x71", "family"), (b"\0\1\x21\0\xcb\0\x71\0\0", "longer than an address"), (b"\0\1\x18\0\xcb\0", "cut short"),
    (b"\0\1\x18\0\xcb\0\x71\0", "an octet too many"), (b"\0\1\x17\0\xcb\0\x71", "a bit beyond the prefix"), (b"\0\1\x18\x18\xcb\0\x71", "a scope in a query"),
])
def test_broken_subnet(fleet, option, why):
    query = dns.message.make_query("www.example", "A", use_edns=0, options=[dns.edns.GenericOption(dns.edns.OptionType.ECS, option)])
    with fleet.hidden.ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.connect((pop_addresses(0)[0], 53))
        s.send(query.to_wire())
        assert dns.message.from_wire(s.recv(4096)).rcode() == dns.rcode.FORMERR, why


def test_reload_and_publish(fleet):
    """A policy changes with a reload, a name begins to be steered with its zone; neither waits for a TTL of ours."""
    path = os.path.join(fleet.folder, "fleet.yaml")
    with open(path, encoding="ascii") as f:
        was = f.read()
    try:
        assert addresses(fleet, "later.example")[0] == ["192.0.2.1"]
        with open(path, "w", encoding="ascii") as f:
            f.write(was.replace("pool: eu\n    choose: all\n    answers: 0\n    ttl: 20s", "pool: us\n    choose: all\n    answers: 0\n    ttl: 25s"))
        fleet.pops[0].command("reload")
        wait_until(lambda: addresses(fleet, "www.example")[:2] == (["198.51.100.21"], 25), 30, "the other pool")
        fleet.publish("example", 2, [*RECORDS, 'later STEER "web"'])
        wait_until(lambda: addresses(fleet, "later.example")[:2] == (["198.51.100.21"], 25), 30, "a name that is steered")
        fleet.publish("example", 3, RECORDS)
        wait_until(lambda: addresses(fleet, "later.example")[:2] == (["192.0.2.1"], 300), 30, "a name that is not steered any more")
    finally:
        with open(path, "w", encoding="ascii") as f:
            f.write(was)
        fleet.pops[0].command("reload")
    wait_until(lambda: addresses(fleet, "www.example")[:2] == (EU, 20), 30, "what was before")


def test_seen_by_operators(fleet):
    pop = fleet.pops[0]
    shown = pop.command("zone", "show", "example")
    assert 'deaf.example.\t300\tIN\tSTEER\t"deaf"\n' in shown
    assert 'deaf.example.\t300\tIN\tTYPE65280\t\\# 5 0464656166\n' in pop.command("zone", "export", "example")
    trace = [ZONECAST, "trace", "--config", pop.config(), "www.example"]
    out = fleet.hidden.ns.run([*trace, "A", "--from", "203.0.113.0/24"], check=False)
    assert "\nscope: 24 of 24 bits\nendpoints: us/a\n" in out, out
    told = json.loads(fleet.hidden.ns.run([*trace, "AAAA", "--from", "2001:db8:203::/48", "--json"], check=False))
    mine = next(a for a in told["answers"] if a["node"] == "pop0" and a["answered"])
    assert mine["scope"] == 48 and mine["endpoints"] == ["us/a6"]


def test_owner_without_a_set(fleet):
    """`check` says of which owners the zone has nothing."""
    path = os.path.join(fleet.folder, "other.yaml")
    with open(fleet.pops[0].config(), encoding="ascii") as f:
        text = f.read()
    with open(path, "w", encoding="ascii") as f:
        f.write(text.replace("owners: [spare.example]", "owners: [spare.example, gone.example, deep.wild.example]"))
    out = fleet.hidden.ns.run([ZONECAST, "check", "--config", path], check=False)
    assert 'warning: steering "spare": gone.example. has neither A, AAAA nor CNAME in its zone' in out, out
    assert out.count("has neither A, AAAA nor CNAME") == 1


def test_counted(fleet):
    """What workers counted by policy and pool comes out as metrics."""
    def steered():
        host = pop_addresses(0)[0]
        with fleet.hidden.ns.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            s.settimeout(10)
            s.connect((host, 8053))
            s.sendall(f"GET /metrics HTTP/1.1\r\nHost: {host}:8053\r\nConnection: close\r\n\r\n".encode())
            text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        lines = [line for line in text.splitlines() if line.startswith('zonecast_steered_answers_total{policy="bypop",pool="here"}')]
        return int(lines[0].split()[-1]) if lines else 0
    before = steered()
    for _ in range(10):
        addresses(fleet, "bypop.example")
    wait_until(lambda: steered() >= before + 10, 30, "ten more")


def test_checks_know(fleet):
    """The node's own checks compare answers with the zone, but not what a policy decides: what fails once is asked again until it passes, so no good checks would follow."""
    def checks():
        network, = fleet.pops[0].status()["networks"]
        return network, [a[t]["passes"] for a in network["addresses"] for t in ("udp", "tcp")]
    before = checks()[1]
    network = None

    def more():
        nonlocal network
        network, now = checks()
        return all(n >= was + 40 for n, was in zip(now, before))
    wait_until(more, 60, lambda: f"forty more good checks of each: {network['checks']}", 0.2)
    assert "wrong content" not in network["checks"]["why"], network["checks"]


def test_health(fleet):
    """Endpoints that fail their checks are not given, whatever the workers' caches hold, until they are up again; when all fail, the one that the pool keeps."""
    ns = fleet.hidden.ns
    ns.ip("addr", "add", "10.11.0.7/24", "dev", "e0")
    def listen(address):
        s = ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, 7777))
        s.listen(1024)
        return s
    def wait_for(*want):
        wait_until(lambda: addresses(fleet, "watched.example")[0] == sorted(want), 60, lambda: f"{want}\n{json.dumps(fleet.pops[0].status().get('endpoints'))[:2000]}", 0.05)
    one, two = listen("10.11.0.1"), listen("10.11.0.7")
    try:
        wait_for("10.11.0.1", "10.11.0.7")
        one.close()
        wait_for("10.11.0.7")
        one = listen("10.11.0.1")
        wait_for("10.11.0.1", "10.11.0.7")
        two.close()
        wait_for("10.11.0.1")
        one.close()
        wait_until(lambda: len(addresses(fleet, "watched.example")[0]) == 1, 60, "one is kept")
    finally:
        one.close()
        two.close()
