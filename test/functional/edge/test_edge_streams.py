# SPDX-License-Identifier: BSD-2-Clause
"""Clients over TCP and TLS in front of backends, and backends over TCP and TLS."""
import contextlib
import socket
import ssl
import struct
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from certificates import Authority
from edgenode import B4, B6, CERTIFICATE, Bind, EdgeNet, EdgeNode, FakeTcp, Knot, exactly, give, take
from netns import missing, wait_until
from streamnode import BIG, FAMILIES, V4, V6, ZONE, query, receive, send

pytestmark = pytest.mark.skipif(bool(missing("openssl", "named", "knotd")), reason=missing("openssl", "named", "knotd") or "")
ZONE_MORE = ZONE + "".join(f"n{i} A 192.0.2.{i}\n" for i in range(200))
B_PORT, B_DOT, K_PORT = 5300, 8530, 5301


def client(ca):
    c = ssl.create_default_context(cafile=ca.file)
    c.set_alpn_protocols(["dot"])
    return c


def mark(where):
    return "6" if where == V6 else "4"


def answer_to(wire, address="192.0.2.7", ttl=0, kind="A"):
    q = dns.message.from_wire(wire)
    r = dns.message.make_response(q)
    r.flags |= dns.flags.AA
    r.answer = [dns.rrset.from_text(q.question[0].name, ttl, "IN", kind, address)]
    return r.to_wire()


def name_of(wire):
    return dns.message.from_wire(wire).question[0].name.to_text().lower()


class Slow:
    """Answers to slow.* wait until they are let go; others leave at once."""

    def __init__(self):
        self.go = threading.Event()
        self.held = 0

    def __call__(self, fake, s, number):
        lock = threading.Lock()

        def later(wire):
            self.go.wait(60)
            with contextlib.suppress(OSError), lock:  # a check of the node's may be over
                give(s, answer_to(wire))
        while True:
            wire = take(s)
            if name_of(wire).startswith("slow"):
                self.held += 1
                threading.Thread(target=later, args=(wire,), daemon=True).start()
            else:
                with lock:
                    give(s, answer_to(wire))


def good(fake, s, number):
    while True:
        give(s, answer_to(take(s)))


@pytest.fixture(scope="module", name="rig")
def _rig(tmp_path_factory):
    """BIND over UDP, TCP and TLS, Knot over TCP, a fake that answers late, and the node in front."""
    folder = tmp_path_factory.mktemp("edge")
    ca = Authority(tmp_path_factory.mktemp("ca"))
    with contextlib.ExitStack() as all_of_it:
        ns = all_of_it.enter_context(EdgeNet()).ns
        tls = folder / "bind"
        bind = Bind(ns, folder, B_PORT, "".join(f'zone "{z}" {{ type primary; file "zone"; }};\n' for z in ("udp.test", "dot.test")),
                    f'tls edge {{ cert-file "{tls}/cert.pem"; key-file "{tls}/key.pem"; }};',
                    f"listen-on port {B_DOT} tls edge {{ {B4}; }}; listen-on-v6 port {B_DOT} tls edge {{ {B6}; }};")
        bind.write("zone", ZONE_MORE)
        ca.issue(bind.path("cert.pem"), bind.path("key.pem"), name="backend.example")
        all_of_it.enter_context(bind)
        knot = Knot(ns, folder, K_PORT, 'template:\n  - id: default\n    storage: "%s"\n    zonefile-load: whole\n    zonefile-sync: -1\n    journal-content: none\n'
                    'zone:\n  - domain: tcp.test\n    file: zone\n' % (folder / "knot"))
        knot.write("zone", ZONE_MORE)
        all_of_it.enter_context(knot)
        slow = Slow()
        fake = all_of_it.enter_context(FakeTcp(ns, slow))
        node_folder = folder / "node"
        node_folder.mkdir()
        (node_folder / "ca.pem").write_bytes(open(ca.file, "rb").read())
        ca.issue(str(node_folder / "cert.pem"), str(node_folder / "key.pem"))
        pools = {"udp": ([(B4, B_PORT), (B6, B_PORT)], ""), "tcp": ([(B4, K_PORT), (B6, K_PORT)], "over: tcp"),
                 "dot4": ([(B4, B_DOT)], "over: tls\ntls: strict"), "dot6": ([(B6, B_DOT)], "over: tls\ntls: strict"),
                 "slow": ([fake.at], "over: tcp\npatience: 20s")}
        more = "tls-auth:\n  - {name: strict, server-name: backend.example, ca-file: ca.pem}"
        node = all_of_it.enter_context(EdgeNode(node_folder, ns, pools,
                                                {"udp.test": "udp", "tcp.test": "tcp", "dot.test": "dot4", "n1.dot.test": "dot6", "slow.test": "slow"},
                                                CERTIFICATE + "\ntcp: {idle: 2s}", more))
        node.ca, node.slow, node.bind = ca, slow, bind
        yield node


def asks(s, name, qtype="A", **more):
    send(s, query(name, qtype, **more))
    return receive(s)


@pytest.mark.asan
@pytest.mark.parametrize("zone", ["udp.test.", "tcp.test.", "dot.test."])
@pytest.mark.parametrize("where", FAMILIES)
def test_answers_by_all_ways(rig, where, zone):
    """Over UDP, TCP and TLS the client gets what the backend says; large answers whole where they can be."""
    with rig.tcp(where) as tcp, rig.tls(client(rig.ca), where) as tls:
        for s in (tcp, tls):
            for name, rcode, answers in (("www", 0, 1), ("nothere", 3, 0), ("mail", 3, 0), ("n7", 0, 1)):
                r = asks(s, f"{name}.{zone}")
                assert (r.rcode(), len(r.answer)) == (rcode, answers) and r.flags & dns.flags.AA, r
            big = asks(s, f"big.{zone}", "TXT")
            assert len(big.answer[0]) == BIG and not big.flags & dns.flags.TC
            assert asks(s, "www.own.test.").answer
    r = rig.udp(where, query(f"big.{zone}", "TXT"))
    assert r.flags & dns.flags.TC and not r.answer
    assert rig.udp(where, query(f"www.{zone}")).answer


@pytest.mark.parametrize("where", FAMILIES)
@pytest.mark.parametrize("zone", ["udp.test.", "tcp.test.", "dot.test."])
def test_many_on_one_connection(rig, where, zone):
    """More than may be open at a time: nothing is lost, ids find their questions."""
    with rig.tcp(where) as s:
        send(s, *[query(f"n{i % 200}.{zone}", id=i) for i in range(600)])
        got = [receive(s) for _ in range(600)]
    assert sorted(r.id for r in got) == list(range(600))
    for r in got:
        assert r.rcode() == 0 and r.question[0].name.to_text() == f"n{r.id % 200}.{zone}"
        if r.id % 200 != 1 or zone != "dot.test.":
            assert r.answer[0][0].address == f"192.0.2.{r.id % 200}"


@pytest.mark.parametrize("where", FAMILIES)
def test_out_of_order(rig, where):
    """RFC 7766: what can be answered is not kept waiting by what cannot, be it from here or from a backend."""
    rig.slow.go.clear()
    family = mark(where)
    with rig.tcp(where) as s:
        send(s, query(f"slow{family}.slow.test.", id=1), query(f"fast{family}.slow.test.", id=2), query("www.own.test.", id=3))
        assert sorted([receive(s).id, receive(s).id]) == [2, 3]
        rig.slow.go.set()
        assert receive(s).id == 1
        assert asks(s, f"again{family}.slow.test.").answer


@pytest.mark.parametrize("where", FAMILIES)
def test_waiting_is_not_idle_and_half_a_close_is_none(rig, where):
    """The idle time (2 s) does not run while a backend is waited for; a client that has said all gets its answer, then the end."""
    rig.slow.go.clear()
    with rig.tcp(where) as s, rig.tcp(where) as half:
        send(s, query(f"slow-idle{mark(where)}.slow.test.", id=1))
        send(half, query(f"slow-half{mark(where)}.slow.test.", id=2))
        half.shutdown(1)
        with rig.tcp(where) as other:  # by now the first two would have been closed
            assert other.recv(1) == b""
        rig.slow.go.set()
        assert receive(s).id == 1 and receive(half).id == 2
        assert half.recv(1) == b""


@pytest.mark.parametrize("where", FAMILIES)
def test_nobody_gets_anothers_answer(rig, where):
    """Connections that end while they wait are forgotten: late answers reach nobody else, not even on the same place."""
    rig.slow.go.clear()
    held = rig.slow.held
    gone = [rig.tcp(where) for _ in range(20)]
    for i, s in enumerate(gone):
        send(s, query(f"slow-gone{i}-{mark(where)}.slow.test.", id=7))
    wait_until(lambda: rig.slow.held >= held + 20, 30, "the backend has all questions")
    for s in gone:
        s.close()
    wait_until(lambda: rig.worker_status()[0]["tcp_open"] == 0, 30, "they are closed")
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(rig.tcp(where)) for _ in range(20)]
        for i, s in enumerate(others):
            send(s, query(f"fast{i}-{mark(where)}.slow.test.", id=8))
        for i, s in enumerate(others):
            assert receive(s).question[0].name.to_text() == f"fast{i}-{mark(where)}.slow.test."
        rig.slow.go.set()
        for i, s in enumerate(others):
            r = asks(s, f"last{i}-{mark(where)}.slow.test.", id=9)
            assert r.id == 9 and r.question[0].name.to_text() == f"last{i}-{mark(where)}.slow.test."


def test_options_are_ours(rig):
    """NSID and keepalive are this node's, padding fills what leaves by TLS; the backend sees none of them."""
    import dns.edns  # pylint: disable=import-outside-toplevel
    options = [dns.edns.GenericOption(3, b""), dns.edns.GenericOption(10, b"12345678"), dns.edns.GenericOption(11, b"")]
    with rig.tcp() as s:
        r = asks(s, "www.udp.test.", use_edns=0, options=options)
        told = {o.otype: o.to_wire() for o in r.options}
        assert told[3] == b"hidden" and 0 < struct.unpack(">H", told[11])[0] <= 20
        assert told[10][:8] == b"12345678" and len(told[10]) == 24
    with rig.tls(client(rig.ca)) as s:
        r = asks(s, "www.tcp.test.", use_edns=0, options=[dns.edns.GenericOption(12, b"")])
        assert len(r.to_wire()) > 0 and 12 in {o.otype for o in r.options}


def test_cut_answers_come_by_tcp(rig):
    """With BIND over UDP, what is truncated there is asked for again over TCP, for clients that can take it."""
    with rig.tcp() as s:
        r = asks(s, "big.udp.test.", "TXT", use_edns=0, payload=512)
        assert len(r.answer[0]) == BIG


def test_reload_while_waiting(rig):
    """Questions under way go on: connections to servers that stay are kept, and clients' tickets."""
    rig.slow.go.clear()
    with rig.tcp() as s, rig.tls(client(rig.ca)) as t:
        send(s, query("slow-reload1.slow.test.", id=1))
        send(t, query("slow-reload2.slow.test.", id=2))
        held = rig.slow.held
        assert rig.reload().returncode == 0
        assert asks(s, "www.dot.test.").answer and asks(t, "www.tcp.test.").answer
        rig.slow.go.set()
        assert receive(s).id == 1 and receive(t).id == 2
        assert rig.slow.held >= held


# ---- who asks, told by PROXY ----

def told(fake, s, number):
    """A server that wants a PROXY header (version 2) and answers with the address in it; for one question."""
    head = exactly(s, 16)
    assert head[:12] == b"\r\n\r\n\0\r\nQUIT\n" and head[12] >> 4 == 2
    rest = exactly(s, struct.unpack(">H", head[14:])[0])
    wire = take(s)
    if head[13] == 0x11:
        give(s, answer_to(wire, socket.inet_ntop(socket.AF_INET, rest[:4])))
    elif head[13] == 0x21:
        give(s, answer_to(wire, socket.inet_ntop(socket.AF_INET6, rest[:16]), kind="AAAA"))
    else:
        give(s, answer_to(wire))


@pytest.mark.parametrize("where,backend", [(V4, B6), (V6, B4)])
def test_proxy_header(tmp_path_factory, where, backend):
    with contextlib.ExitStack() as stack:
        ns = stack.enter_context(EdgeNet()).ns
        fake = stack.enter_context(FakeTcp(ns, told, backend))
        node = stack.enter_context(EdgeNode(tmp_path_factory.mktemp("proxy"), ns, {"p": ([fake.at], "over: tcp\nproxy-protocol: true\npatience: 10s")}, {"p.test": "p"}))
        sources = ["2001:db8:9::1", "2001:db8:9::2"] if where == V6 else ["10.9.0.1", "10.9.0.2"]
        for source in sources * 2:
            with node.tcp(where, source=source) as s:
                for i in range(3):
                    assert asks(s, f"n{i}.p.test.").answer[0][0].address == source
        assert node.udp(where, query("udp.p.test.")).answer[0][0].address == where  # from its own address


# ---- servers that misbehave ----

def half_answers(fake, s, number):
    while True:
        wire = answer_to(take(s))
        s.sendall(struct.pack(">H", len(wire)) + wire[:len(wire) // 2])
        if number % 2:
            s.close()
            return


def garbage(fake, s, number):
    take(s)
    s.sendall(b"\x00\x05hello" * 3)


def endless(fake, s, number):
    wire = bytearray(answer_to(take(s)))
    while not fake.closed:
        wire[0] ^= 0x5a
        give(s, bytes(wire))


def silent(fake, s, number):
    exactly(s, 1 << 20)


def closes(fake, s, number):
    take(s)
    s.close()


def another_question(fake, s, number):
    while True:
        give(s, answer_to(dns.message.make_query("other.example.", "A", id=struct.unpack(">H", take(s)[:2])[0]).to_wire()))


@pytest.mark.asan
@pytest.mark.parametrize("where,backend", [(V4, B6), (V6, B4)])
def test_hostile_servers(tmp_path_factory, where, backend):
    """Beside one that is good: every client gets its answer, whatever the others do to their connections."""
    with contextlib.ExitStack() as stack:
        ns = stack.enter_context(EdgeNet()).ns
        pools, zones = {}, {}
        for deed in (half_answers, garbage, endless, silent, closes, another_question):
            bad, fine = (stack.enter_context(FakeTcp(ns, d, backend)) for d in (deed, good))
            name = deed.__name__.replace("_", "-")
            pools[name] = ([bad.at, fine.at], "over: tcp\npolicy: ordered\npatience: 10s")
            zones[name + ".test"] = name
        node = stack.enter_context(EdgeNode(tmp_path_factory.mktemp("hostile"), ns, pools, zones))
        with node.tcp(where) as s:
            for zone in zones:
                for i in range(12):
                    r = asks(s, f"n{i}.{zone}.")
                    assert r.rcode() == 0 and r.answer[0][0].address == "192.0.2.7", (zone, i, r)
        assert node.pids()  # and it lives: __exit__ looks for deaths


@pytest.mark.parametrize("where", FAMILIES)
def test_a_server_is_killed(tmp_path_factory, where):
    """One of two, with many questions under way on connections to it: all of them are answered."""
    folder = tmp_path_factory.mktemp("killed")
    with contextlib.ExitStack() as stack:
        ns = stack.enter_context(EdgeNet()).ns
        knots = []
        for i in range(2):
            knot = Knot(ns, folder, K_PORT + i, f'template:\n  - id: default\n    storage: "{folder}/knot{i}"\n    zonefile-load: whole\n    zonefile-sync: -1\n'
                        '    journal-content: none\nzone:\n  - domain: p.test\n    file: zone\n', name=f"knot{i}")
            knot.write("zone", ZONE_MORE)
            knots.append(stack.enter_context(knot))
        servers = [(B4, K_PORT), (B6, K_PORT + 1)]
        node = stack.enter_context(EdgeNode(folder / "node", ns, {"p": (servers, "over: tcp\npatience: 10s")}, {"p.test": "p"}))
        with node.tcp(where) as s, node.tcp(where) as t:
            for part in range(3):
                for conn in (s, t):
                    send(conn, *[query(f"x{part}-{i}.p.test.", id=i) for i in range(300)])
                if part == 1:
                    knots[0].process.kill()
                for conn in (s, t):
                    got = [receive(conn) for _ in range(300)]
                    assert sorted(r.id for r in got) == list(range(300))
                    assert {r.rcode() for r in got} == {dns.rcode.NXDOMAIN}


@pytest.mark.parametrize("where,backend", [(V4, B4), (V6, B6)])
def test_a_server_that_closes_between(tmp_path_factory, where, backend):
    """One that answers and closes at once, as some do: each question finds a connection."""
    def one_each(fake, s, number):
        give(s, answer_to(take(s)))
        s.close()
    with contextlib.ExitStack() as stack:
        ns = stack.enter_context(EdgeNet()).ns
        fake = stack.enter_context(FakeTcp(ns, one_each, backend))
        node = stack.enter_context(EdgeNode(tmp_path_factory.mktemp("between"), ns, {"p": ([fake.at], "over: tcp\npatience: 10s")}, {"p.test": "p"}))
        with node.tcp(where) as s:
            for i in range(30):
                assert asks(s, f"n{i}.p.test.").answer
        assert fake.accepted >= 15
