# SPDX-License-Identifier: BSD-2-Clause
"""Steered names in signed zones: whatever is chosen, for whomever and with whichever endpoints, validators accept it, and every denial: unbound, delv and dnspython; zones signed as a whole by BIND,
ldns and Knot with several algorithms, NSEC and NSEC3. A resolver that tells its clients' networks keeps answers for those that they are good for."""
import itertools
import json
import shutil
import socket
import subprocess

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rdatatype as T
import pytest

from netns import missing, wait_until
from paths import SANITIZED, ZONECAST
from servers import need
from signing import SIGNERS, LdnsNsec3
from streamnode import V4, V6, StreamNode
from unbound import Unbound
from validator import Validator

WHY = missing(ZONECAST, "unbound")
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))

ZONE = "steered.example."
TEXT = """$ORIGIN steered.example.
$TTL 300
@ SOA ns1 host 1 3600 600 86400 60
@ NS ns1
ns1 A 10.53.0.1
ns1 AAAA 2001:db8:53::1
www A 192.0.2.200
www AAAA 2001:db8:ff::200
two A 192.0.2.200
two STEER "two"
every A 192.0.2.200
*.wild A 192.0.2.200
*.wild STEER "two"
alias CNAME plain
_steer.alias STEER "alias"
near A 192.0.2.200
near AAAA 2001:db8:ff::200
live A 192.0.2.200
live STEER "live"
plain A 192.0.2.9
t1 A 192.0.2.101
t2 A 192.0.2.102
"""
SIX = {c: f"192.0.2.{i}" for i, c in enumerate("abcdef", 1)}
SIX6 = {"g": "2001:db8:ff::1", "h": "2001:db8:ff::2"}
FLEET = """fleet: test
nodes:
  - {{name: hidden, role: primary, management: ["{v4}", "{v6}"], workers: 1}}
zones:
  - {{name: steered.example, file: signed.zone}}
pools:
  - name: six
    endpoints:
{six}
  - {{name: names, endpoints: [{{name: t1, target: t1.steered.example}}, {{name: t2, target: T2.steered.example}}]}}
  - {{name: left, endpoints: [{{name: a, address: 198.51.100.1}}, {{name: a6, address: "2001:db8:aa::1"}}]}}
  - {{name: right, endpoints: [{{name: a, address: 198.51.100.2}}, {{name: a6, address: "2001:db8:aa::2"}}]}}
  - {{name: rest, endpoints: [{{name: a, address: 198.51.100.3}}, {{name: a6, address: "2001:db8:aa::3"}}]}}
  - name: live
    endpoints:
{live}
    check: {{type: {check}, interval: 500ms, timeout: 500ms, rise: 1, fall: 2}}
    checked-from: [hidden]
steering:
  - {{name: one, owners: [www.steered.example], pool: six}}
  - {{name: two, pool: six, answers: 2}}
  - {{name: alias, pool: names}}
  - {{name: live, pool: live, choose: all}}
  - {{name: every, owners: [every.steered.example], pool: six, choose: all}}
  - name: near
    owners: [near.steered.example]
    pool: rest
    ttl: 5m
    rules:
      - {{subnets: [10.1.0.0/16, "2001:db8:1000::/40"], pool: left}}
      - {{subnets: [10.2.0.0/16, "2001:db8:2000::/40"], pool: right}}
"""


LIVE = [f"10.60.0.{i}" for i in (1, 2, 3)]


def fleet_text(down="", check="none"):
    """down: endpoints that are not to be given; check: of the pool `live`."""
    rows = [f'      - {{name: {c}, address: "{a}"{", disabled: true" if c in down else ""}}}' for c, a in {**SIX, **SIX6}.items()]
    live = [f"      - {{name: {a}, address: {a}}}" for a in LIVE]
    return FLEET.format(v4=V4, v6=V6, six="\n".join(rows), live="\n".join(live), check=check)


class Steered(StreamNode):
    def __init__(self, folder, signer):
        super().__init__(folder)
        self.signer = signer
        try:
            self.signed = signer.make(TEXT, self.path("fleet.yaml"), "--valid", "2h")
            shutil.copy(self.signed, self.path("signed.zone"))
        except BaseException:
            self.net.close()
            raise

    def fleet(self, answer):
        self.write("fleet.yaml", fleet_text())

    def down(self, names):
        self.write("fleet.yaml", fleet_text(names))
        done = self.reload()
        assert done.returncode == 0, done.stderr
        up = {a for c, a in SIX.items() if c not in names}
        wait_until(lambda: self.given("every", T.A) == up, 30, lambda: f"{names} down:\n{self.log()[-3000:]}")

    def ask(self, name, qtype, where=V4, dnssec=True, tcp=False, subnet=None):
        options = [dns.edns.ECSOption(*subnet)] if subnet else []
        query = dns.message.make_query(full(name), qtype, use_edns=0, want_dnssec=dnssec, payload=1232, options=options)
        if tcp:
            with self.tcp(where) as s:
                dns.query.send_tcp(s, query)
                return dns.query.receive_tcp(s)[0]
        reply = self.udp(where, query)
        return self.ask(name, qtype, where, dnssec, True, subnet) if reply.flags & dns.flags.TC else reply

    def given(self, name, qtype):
        return set(data_of(self.ask(name, qtype, dnssec=False), qtype))


def full(name):
    return dns.name.from_text(name, dns.name.from_text(ZONE))


def data_of(reply, qtype):
    return [r.to_text() for s in reply.answer if s.rdtype == qtype for r in s]


@pytest.fixture(scope="module", params=SIGNERS, ids=lambda s: s.__name__, name="rig")
def _rig(request, tmp_path_factory):
    signer = request.param
    need(*signer.programs)
    folder = tmp_path_factory.mktemp("variants")
    with Steered(folder / "node", signer(folder, ZONE)) as node, Unbound(node.ns, folder, ZONE, [V4, V6], node.signer.anchor) as u:
        yield node, u


def secure(reply, rcode=0):
    return reply.rcode() == rcode and bool(reply.flags & dns.flags.AD)


def collect(u, name, qtype, wanted, tries=600):
    """Sets that a validating resolver gives, until all that are wanted were seen; each is secure, and wanted."""
    seen = set()
    for i in range(tries):
        if seen == wanted:
            break
        where = name.replace("#", str(i))
        u.flush(full(where).to_text())
        reply = u.ask(full(where), qtype, family=i % 2)
        assert secure(reply), f"{where}: {reply}\n{u.log()[-2000:]}"
        got = frozenset(data_of(reply, qtype))
        assert got in wanted, (where, got)
        seen.add(got)
    assert seen == wanted, f"{name}: never given: {wanted - seen}"


def singles(values):
    return {frozenset([v]) for v in values}


def pairs(values):
    return {frozenset(p) for p in itertools.combinations(values, 2)}


@pytest.mark.asan
def test_unbound_accepts_every_variant(rig):
    node, u = rig
    for down in ("", "ab", "abcdg", "abcde"):
        node.down(down)
        up = [a for c, a in SIX.items() if c not in down]
        up6 = [a for c, a in SIX6.items() if c not in down]
        collect(u, "www", T.A, singles(up))
        collect(u, "www", T.AAAA, singles(up6))
        collect(u, "every", T.A, {frozenset(up)})
        collect(u, "two", T.A, pairs(up) if len(up) > 1 else singles(up))
        collect(u, "n#.wild", T.A, pairs(up) if len(up) > 1 else singles(up))
    node.down("")
    collect(u, "alias", T.CNAME, singles(["t1.steered.example.", "t2.steered.example."]))
    collect(u, "alias", T.A, singles(["192.0.2.101", "192.0.2.102"]))


def test_unbound_accepts_every_denial(rig):
    node, u = rig
    for i, (name, qtype, rcode) in enumerate([("www", T.MX, 0), ("www", T.CNAME, 0), ("two", T.AAAA, 0), ("alias", T.MX, 0), ("plain", T.AAAA, 0), ("nowhere", T.A, 3), ("a.www", T.A, 3),
                                              ("b.wild", T.AAAA, 0), ("c.d.wild", T.MX, 0), ("wild", T.A, 0), ("_steer.alias", T.A, 0), ("_steer.www", T.A, 3), ("_steer", T.A, 3)] * 2):
        reply = u.ask(full(name), qtype, family=i % 2)
        assert secure(reply, rcode), f"{name} {T.to_text(qtype)}: {reply}\n{u.log()[-2000:]}"
        assert not data_of(reply, qtype)
    # The records themselves are data like any.
    for name, qtype in (("two", 65280), ("www", 65281), ("_steer.alias", 65281)):
        reply = u.ask(full(name), qtype)
        assert secure(reply) and reply.answer, f"{name} {qtype}: {reply}"


@pytest.mark.asan
def test_every_signature_is_right(rig):
    """Asked directly, by UDP and TCP over both families, of clients of all networks."""
    node, _ = rig
    v = Validator({ZONE: node.signed})
    assert v.learn(ZONE, node.ask("@", T.DNSKEY)) is None
    nets = [None, ("10.1.2.0", 24), ("10.2.3.0", 24), ("2001:db8:1000::", 56), ("2001:db8:2000::", 56), ("192.0.2.0", 0)]
    names = ["www", "two", "near", "q.wild", "r.s.wild", "alias", "plain", "nowhere", "wild"]
    for i, (name, qtype, net) in enumerate(itertools.product(names, (T.A, T.AAAA, T.CNAME, T.MX), nets)):
        reply = node.ask(name, qtype, where=(V4, V6)[i % 2], tcp=i % 5 == 0, subnet=net)
        wrong = v.problem(reply, full(name), qtype)
        assert wrong is None, (name, T.to_text(qtype), net, wrong)
    print(v.counts)
    assert v.counts["signatures"] > (15 if SANITIZED else 20)
    for net, address in ((None, "198.51.100.3"), (nets[1], "198.51.100.1"), (nets[2], "198.51.100.2"), (nets[3], "198.51.100.1"), (nets[5], "198.51.100.3")):
        assert data_of(node.ask("near", T.A, subnet=net), T.A) == [address]


def test_their_ends_count(rig):
    """The zone as a whole is signed for weeks, what its names may be answered with for two hours."""
    node, _ = rig
    said = json.loads(node.zonecast("zone", "status", ZONE, "--json", "--run-dir", node.path("run")).stdout)
    zone = next(z for z in said if z["zone"].rstrip(".") == ZONE.rstrip("."))
    assert zone["signatures_end_exact"] and 0 < zone["signatures_end_s"] <= 7200, zone


def test_delv_accepts_them(rig):
    node, _ = rig
    need("delv")
    record = next(line for line in node.signer.anchor.splitlines() if "DNSKEY" in line).split("DNSKEY", 1)[1].split(";")[0].split()
    anchors = node.write("anchors", f'trust-anchors {{ "{ZONE}" static-key {" ".join(record[:3])} "{"".join(record[3:])}"; }};\n')
    for i, (name, qtype, said) in enumerate([("www", "A", "fully validated"), ("www", "AAAA", "fully validated"), ("two", "A", "fully validated"), ("x.y.wild", "A", "fully validated"),
                                             ("www", "MX", "negative response, fully validated"), ("no", "A", "negative response, fully validated"), ("alias", "A", "fully validated")]):
        out = subprocess.run(node.ns.argv(["delv", "@" + (V4, V6)[i % 2], "-a", anchors, "+root=" + ZONE, "-q", full(name).to_text(), "-t", qtype]), capture_output=True, text=True, timeout=60,
                             check=False)
        assert f"; {said}" in out.stdout, (name, qtype, out.stdout, out.stderr)


# ---- endpoints that fail ----

def test_what_is_up_is_signed_too(tmp_path):
    """Endpoints are checked by the node; whatever is left of them, answers validate, and names what is left."""
    need(*LdnsNsec3.programs)
    port, listeners = 4433, {}
    with Steered(tmp_path / "node", LdnsNsec3(tmp_path, ZONE)) as node, Unbound(node.ns, tmp_path, ZONE, [V4, V6], node.signer.anchor) as u:
        def given():
            u.flush(full("live").to_text())
            reply = u.ask(full("live"), T.A)
            assert secure(reply), f"{reply}\n{u.log()[-2000:]}"
            return set(data_of(reply, T.A))

        try:
            for a in LIVE:
                listeners[a] = node.ns.socket(socket.AF_INET, socket.SOCK_STREAM)
                listeners[a].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listeners[a].bind((a, port))
                listeners[a].listen(64)
            node.write("fleet.yaml", fleet_text(check=f"tcp, port: {port}"))
            assert node.reload().returncode == 0
            wait_until(lambda: node.log().count("state=up") >= 3 and given() == set(LIVE), 60, lambda: f"all of them\n{node.log()[-3000:]}")
            for left in (LIVE[1:], LIVE[2:]):
                listeners.pop(next(a for a in listeners if a not in left)).close()
                wait_until(lambda left=left: given() == set(left), 60, lambda: f"{left}\n{node.log()[-3000:]}")
            # The last one: one is kept, whichever.
            listeners.popitem()[1].close()
            wait_until(lambda: node.log().count("state=down") >= 3, 60, lambda: f"none\n{node.log()[-3000:]}")
            assert len(given()) == 1 and given() < set(LIVE)
        finally:
            for s in listeners.values():
                s.close()


# ---- resolvers that tell their clients' networks ----

@pytest.fixture(scope="module", name="teller")
def _teller(tmp_path_factory):
    need(*LdnsNsec3.programs)
    folder = tmp_path_factory.mktemp("scopes")
    with Steered(folder / "node", LdnsNsec3(folder, ZONE)) as node, Unbound(node.ns, folder, ZONE, [V4, V6], node.signer.anchor, subnets=True) as u:
        yield node, u


@pytest.mark.parametrize("family", [0, 1], ids=["ipv4", "ipv6"])
def test_answers_are_kept_for_whom_they_are_good(teller, family):
    """Two networks get their own answers of one resolver; a third client within the scope of the first gets the one kept for it, without a question here; one beside it does not."""
    node, u = teller
    clients = [("10.1.1.1", "10.1.200.7", "10.2.1.1", "10.2.77.1"), ("2001:db8:1000:1::1", "2001:db8:1055:1::7", "2001:db8:2000:1::1", "2001:db8:2077::1")][family]
    rest = ("10.99.1.1", "2001:db8:3000::1")[family]
    qtype = (T.A, T.AAAA)[family]
    address = ("198.51.100.{}", "2001:db8:aa::{}")[family].format
    count = node.counters

    def ask(client):
        reply = u.ask(full("near"), qtype, family, source=client)
        assert secure(reply), f"{client}: {reply}\n{u.log()[-2000:]}"
        return data_of(reply, qtype)

    assert ask(clients[0]) == [address(1)]
    assert ask(clients[2]) == [address(2)]
    assert ask(rest) == [address(3)]
    before = settled(count)
    assert ask(clients[0]) == [address(1)]
    assert ask(clients[1]) == [address(1)]
    assert ask(clients[3]) == [address(2)]
    assert settled(count) == before, "answers kept by the resolver were asked for again"
    reply = node.ask("near", qtype, subnet=(clients[1], (24, 56)[family]))
    scopes = [o.scopelen for o in reply.options if isinstance(o, dns.edns.ECSOption)]
    assert scopes == [(16, 40)[family]]


def settled(count):
    """Counters are copied out every so often: what they are when they stand still."""
    last = [None, count()]

    def still():
        last[0], last[1] = last[1], count()
        return last[0] == last[1]
    wait_until(lambda: still() and still(), 30, "counters that stand still", 0.3)
    return last[1]
