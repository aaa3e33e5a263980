# SPDX-License-Identifier: BSD-2-Clause
"""What is passed on to backends as it is: signed questions, UPDATE, NOTIFY, transfers; with BIND and Knot behind, nsupdate, dig and kdig in front."""
import contextlib
import socket
import subprocess

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update
import dns.zone
import pytest

from certificates import Authority
from edgenode import B4, B6, CERTIFICATE, Bind, EdgeNet, EdgeNode, FakeTcp, Knot, give, take
from netns import missing, wait_until
from streamnode import FAMILIES, V4, V6, ZONE, octets, query, receive, send

pytestmark = pytest.mark.skipif(bool(missing("openssl", "named", "knotd", "nsupdate", "dig", "kdig")),
                                reason=missing("openssl", "named", "knotd", "nsupdate", "dig", "kdig") or "")
PRIMARY, SECONDARY, DOT = 5300, 5301, 8530
SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0cyBvZiB6b25lY2FzdA=="
KEY = f"hmac-sha256:passing:{SECRET}"
RING = dns.tsigkeyring.from_text({"passing": SECRET})
ZONES = ("primary.test", "second.test", "closed.test", "over.test", "tls.test")


@pytest.fixture(scope="module", name="rig")
def _rig(tmp_path_factory):
    """BIND as primary of *.test, Knot as its secondary; the node is in front of both, with and without leave to pass things on."""
    folder = tmp_path_factory.mktemp("passing")
    ca = Authority(tmp_path_factory.mktemp("ca"))
    with contextlib.ExitStack() as stack:
        ns = stack.enter_context(EdgeNet()).ns
        zones = "".join(f'zone "{z}" {{ type primary; file "{z}.zone"; allow-update {{ key passing; }}; allow-transfer {{ key passing; }}; '
                        f'allow-query {{ any; }}; }};\n' for z in ZONES)
        bind = Bind(ns, folder, PRIMARY, zones, f'key passing {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n'
                    f'tls edge {{ cert-file "{folder}/bind/cert.pem"; key-file "{folder}/bind/key.pem"; }};',
                    f"listen-on port {DOT} tls edge {{ {B4}; }}; listen-on-v6 port {DOT} tls edge {{ {B6}; }};")
        ca.issue(bind.path("cert.pem"), bind.path("key.pem"), name="backend.example")
        for z in ZONES:
            bind.write(f"{z}.zone", ZONE)
        stack.enter_context(bind)
        knot = Knot(ns, folder, SECONDARY, f"""key:
  - id: passing
    algorithm: hmac-sha256
    secret: {SECRET}
remote:
  - id: bind
    address: {B4}@{PRIMARY}
    key: passing
acl:
  - id: notify
    action: notify
  - id: out
    action: transfer
    key: passing
template:
  - id: default
    storage: "{folder}/knot"
zone:
  - domain: second.test
    master: bind
    acl: [notify, out]
""")
        stack.enter_context(knot)
        node_folder = folder / "node"
        node_folder.mkdir()
        ca.issue(str(node_folder / "cert.pem"), str(node_folder / "key.pem"))
        (node_folder / "ca.pem").write_bytes(open(ca.file, "rb").read())
        open_ = "pass: [notify, update, transfer]"
        pools = {"primary": ([(B4, PRIMARY), (B6, PRIMARY)], "policy: ordered\n" + open_), "tcp": ([(B6, PRIMARY)], "over: tcp\n" + open_),
                 "second": ([(B4, SECONDARY), (B6, SECONDARY)], open_), "closed": ([(B4, PRIMARY)], ""), "dot": ([(B4, DOT), (B6, DOT)], "over: tls\ntls: strict\n" + open_)}
        more = "tls-auth:\n  - {name: strict, server-name: backend.example, ca-file: ca.pem}"
        node = stack.enter_context(EdgeNode(node_folder, ns, pools, {"primary.test": "primary", "second.test": "second", "closed.test": "closed", "over.test": "tcp", "tls.test": "dot"},
                                            CERTIFICATE, more))
        node.bind, node.knot, node.ca = bind, knot, ca
        yield node


def mark(where):
    return "6" if where == V6 else "4"


def serial(rig, zone, address, port):
    with rig.socket(address, 2) as s:
        s.connect((address, port))
        s.send(query(zone, "SOA").to_wire())
        r = dns.message.from_wire(s.recv(65535))
    return r.answer[0][0].serial if r.answer else 0


def over_tcp(rig, where, message, port=53):
    """A signed exchange over TCP: dnspython checks the answer's signature."""
    with rig.tcp(where, port=port) as s:
        dns.query.send_tcp(s, message)
        return dns.query.receive_tcp(s, keyring=message.keyring, request_mac=message.mac)[0]


def over_udp(rig, where, message):
    with rig.socket(where, 2) as s:
        s.connect((where, 53))
        dns.query.send_udp(s, message, (where, 53) if ":" not in where else (where, 53, 0, 0))
        wire = s.recv(65535)
    return dns.message.from_wire(wire, keyring=message.keyring, request_mac=message.mac)


WAYS = {"udp": over_udp, "tcp": over_tcp}


@pytest.mark.asan
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("where", FAMILIES)
def test_signed_questions(rig, where, way):
    """The backend's signature reaches the client whole; signed by nobody's key, so does its refusal. Answers are not kept for others."""
    q = query("www.primary.test.")
    q.use_tsig(RING)
    r = WAYS[way](rig, where, q)
    assert r.had_tsig and r.rcode() == 0 and r.answer and r.id == q.id
    q = query("www.primary.test.")
    q.use_tsig(dns.tsigkeyring.from_text({"stranger": SECRET}))
    with pytest.raises(dns.tsig.PeerBadKey):
        WAYS[way](rig, where, q)
    q = query("www.closed.test.")  # needs no leave
    q.use_tsig(RING)
    assert WAYS[way](rig, where, q).had_tsig


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("where", FAMILIES)
def test_signed_questions_over_connections(rig, where, way):
    """To a pool that is spoken to over TCP, whatever the client comes by. IDs are ours there; what is too long for UDP is cut."""
    for i in range(20):
        q = query(f"x{i}.over.test." if i else "www.over.test.")
        q.use_tsig(RING)
        r = WAYS[way](rig, where, q)
        assert r.had_tsig and r.id == q.id and r.rcode() == (3 if i else 0)
    q = query("big.over.test.", "TXT")
    q.use_tsig(RING)
    if way == "tcp":
        assert len(over_tcp(rig, where, q).answer[0]) == 60
    else:
        with rig.socket(where, 2) as s:
            s.connect((where, 53))
            s.send(q.to_wire())
            r = dns.message.from_wire(s.recv(65535), keyring=RING)
        assert r.flags & dns.flags.TC and not r.answer and not r.had_tsig


@pytest.mark.parametrize("where,flags", [(V4, []), (V6, []), (V4, ["-v"]), (V6, ["-v"])])
def test_nsupdate(rig, where, flags):
    name = f"new{mark(where)}{len(flags)}.primary.test"
    before = serial(rig, "primary.test.", B4, PRIMARY)
    done = subprocess.run(rig.ns.argv(["nsupdate", *flags, "-y", KEY]), text=True, capture_output=True, timeout=60, check=False,
                          input=f"server {where}\nzone primary.test\nupdate add {name} 60 A 192.0.2.99\nsend\n")
    assert done.returncode == 0, done.stderr
    assert serial(rig, "primary.test.", B4, PRIMARY) > before
    assert rig.udp(where, query(name)).answer[0][0].address == "192.0.2.99"
    done = subprocess.run(rig.ns.argv(["nsupdate", *flags]), text=True, capture_output=True, timeout=60, check=False,
                          input=f"server {where}\nzone primary.test\nupdate add {name}x 60 A 192.0.2.99\nsend\n")
    assert done.returncode != 0 and "REFUSED" in done.stderr  # unsigned: that is BIND's word


@pytest.mark.parametrize("where", FAMILIES)
def test_transfers(rig, where):
    """AXFR and IXFR with TSIG, through us, over TCP and TLS; without the key BIND refuses."""
    dig = rig.ns.run(["dig", f"@{where}", "-y", KEY, "primary.test", "AXFR"], timeout=60)
    assert dig.count("\nbig.primary.test.") == 60 and "Some TSIG could not be validated" not in dig and "; Transfer failed" not in dig
    axfr = rig.ns.run(["kdig", f"@{where}", "-y", KEY, "+tls-ca=" + rig.ca.file, "+tls-hostname=dot.example", "primary.test", "AXFR"], timeout=60)
    assert axfr.count("\nbig.primary.test.") == 60 and ";; ERROR" not in axfr
    ixfr = rig.ns.run(["dig", f"@{where}", "-y", KEY, "primary.test", "IXFR=1", "+tcp"], timeout=60)
    assert "SOA" in ixfr and "; Transfer failed" not in ixfr
    assert "; Transfer failed" in rig.ns.run(["dig", f"@{where}", "primary.test", "AXFR"], timeout=60, check=False)
    second = rig.ns.run(["dig", f"@{where}", "-y", KEY, "second.test", "AXFR"], timeout=60)
    assert second.count("\nbig.second.test.") == 60


@pytest.mark.parametrize("where", FAMILIES)
def test_all_over_tls_to_the_backend(rig, where):
    """Signed questions, updates and transfers to a pool that is spoken to over TLS."""
    name = f"new{mark(where)}.tls.test"
    done = subprocess.run(rig.ns.argv(["nsupdate", "-y", KEY]), text=True, capture_output=True, timeout=60, check=False,
                          input=f"server {where}\nzone tls.test\nupdate add {name} 60 A 192.0.2.99\nsend\n")
    assert done.returncode == 0, done.stderr
    q = query(name)
    q.use_tsig(RING)
    assert over_tcp(rig, where, q).answer[0][0].address == "192.0.2.99"
    for tool in (["dig"], ["kdig", "+tls-ca=" + rig.ca.file, "+tls-hostname=dot.example"]):
        axfr = rig.ns.run([tool[0], f"@{where}", *tool[1:], "-y", KEY, "tls.test", "AXFR"], timeout=60)
        assert axfr.count("\nbig.tls.test.") == 60 and ";; ERROR" not in axfr and "; Transfer failed" not in axfr


@pytest.mark.parametrize("where", FAMILIES)
def test_transfer_after_questions(rig, where):
    """On a connection with questions before: their answers come first."""
    axfr = dns.message.make_query("primary.test.", "AXFR", id=99)
    axfr.use_tsig(RING)
    with rig.tcp(where) as s:
        send(s, *[query(f"q{i}.primary.test.", id=i) for i in range(30)], axfr.to_wire())
        got = [receive(s) for _ in range(30)]
        assert sorted(r.id for r in got) == list(range(30))
        head = octets(s, 4)
        assert int.from_bytes(head[:2], "big") > 12 and int.from_bytes(head[2:], "big") == 99


@pytest.mark.parametrize("where,way", [(V4, "udp"), (V6, "udp"), (V4, "tcp"), (V6, "tcp")])
def test_notify_reaches_the_secondary(rig, where, way):
    """BIND tells nobody (notify no): that Knot has the new version is the NOTIFY's doing that went through us."""
    wait_until(lambda: serial(rig, "second.test.", B4, SECONDARY), 60, "Knot has the zone")
    update = dns.update.UpdateMessage("second.test.", keyring=RING)
    update.add(f"told-{way}-{mark(where)}", 60, "A", "192.0.2.5")
    with rig.tcp(B4, port=PRIMARY) as s:
        dns.query.send_tcp(s, update)
        assert dns.query.receive_tcp(s, keyring=RING, request_mac=update.mac)[0].rcode() == 0
    new = serial(rig, "second.test.", B4, PRIMARY)
    assert serial(rig, "second.test.", B4, SECONDARY) != new
    notify = dns.message.make_query("second.test.", "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    notify.flags |= dns.flags.AA
    r = WAYS[way](rig, where, notify)
    assert r.opcode() == dns.opcode.NOTIFY and r.rcode() == 0 and r.id == notify.id
    wait_until(lambda: serial(rig, "second.test.", B4, SECONDARY) == new, 60, lambda: f"Knot has {new}; log:\n{rig.knot.log()}")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("where", FAMILIES)
def test_refused_without_leave(rig, where, way):
    def ede(r):
        return [o.to_wire()[:2] for o in r.options if o.otype == 15]
    notify = dns.message.make_query("closed.test.", "SOA", use_edns=0)
    notify.set_opcode(dns.opcode.NOTIFY)
    update = dns.update.UpdateMessage("closed.test.", keyring=RING)
    update.add("x", 60, "A", "192.0.2.5")
    update_plain = dns.update.UpdateMessage("closed.test.")
    update_plain.use_edns(0)
    update_plain.add("x", 60, "A", "192.0.2.5")
    before = serial(rig, "closed.test.", B4, PRIMARY)
    for message in (notify, update_plain, *([] if way == "udp" else [dns.message.make_query("closed.test.", "AXFR", use_edns=0)])):
        r = WAYS[way](rig, where, message)
        assert r.rcode() == dns.rcode.REFUSED and r.opcode() == message.opcode() and ede(r) == [b"\0\x12"], r
    message = update.to_wire()
    with rig.tcp(where) as s:
        send(s, message)
        assert receive(s).rcode() == dns.rcode.REFUSED
    assert serial(rig, "closed.test.", B4, PRIMARY) == before


def test_own_zones_as_ever(rig):
    """What is for zones of this node's own is not passed to anybody."""
    q = query("www.own.test.")
    assert rig.udp(V4, q).answer
    notify = dns.message.make_query("own.test.", "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    assert rig.udp(V4, notify).rcode() != 0  # sync's word: it is this zone's primary


class Taker(FakeTcp):
    """Has updates, and does them or leaves without a word; answers health checks."""

    def __init__(self, ns, leaves):
        super().__init__(ns, self.talk)
        self.leaves, self.had = leaves, 0

    def talk(self, _, s, _number):
        while True:
            message = dns.message.from_wire(take(s))
            update = message.opcode() == dns.opcode.UPDATE
            self.had += update
            if update and self.leaves:
                s.shutdown(socket.SHUT_RDWR)
                return
            give(s, dns.message.make_response(message).to_wire())


def refused_port(ns):
    with ns.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.bind((B4, 0))
        return s.getsockname()[1]


@pytest.mark.asan
def test_an_update_is_not_given_twice(tmp_path):
    """To another server only where the first has not had it: who has may have done it, and answers no more."""
    with contextlib.ExitStack() as stack:
        ns = stack.enter_context(EdgeNet()).ns
        leaves, second = stack.enter_context(Taker(ns, True)), stack.enter_context(Taker(ns, False))
        how = "over: tcp\npolicy: ordered\npass: [update]\npatience: 3s"
        pools = {"leaves": ([leaves.at, second.at], how), "away": ([(B4, refused_port(ns)), second.at], how)}
        node = stack.enter_context(EdgeNode(tmp_path, ns, pools, {"leaves.test": "leaves", "away.test": "away"}))
        for zone, rcode, had in (("leaves.test.", 2, (1, 0)), ("away.test.", 0, (1, 1))):
            update = dns.update.UpdateMessage(zone)
            update.add("x", 60, "A", "192.0.2.5")
            with node.tcp(V4) as s:
                dns.query.send_tcp(s, update)
                assert dns.query.receive_tcp(s)[0].rcode() == rcode, zone
            assert (leaves.had, second.had) == had, zone
