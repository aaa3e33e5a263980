# SPDX-License-Identifier: BSD-2-Clause
"""DNS over TLS (RFC 7858, 8310): one node in a namespace, kdig, dnsperf, openssl and Python's ssl as clients."""
import os
import re
import select
import socket
import ssl
import struct
import subprocess
import time

import dns.edns
import dns.rcode
import pytest

from certificates import Authority
from netns import Net, missing, wait_until
from paths import SANITIZED, ZONECAST
from streamnode import BIG, FAMILIES, V4, V6, StreamNode, ended, frame, query, receive, send
from test_crowd import Crowd

pytestmark = pytest.mark.skipif(bool(missing("openssl")), reason=missing("openssl") or "")
ANSWER = "tls: {certificate-file: cert.pem, key-file: key.pem}\ntcp: {idle: 5s}"
PADDING, KEEPALIVE = 12, 11
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module", name="ca")
def _ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module", name="node")
def _node(tmp_path_factory, ca):
    folder = tmp_path_factory.mktemp("dot")
    ca.issue(str(folder / "cert.pem"), str(folder / "key.pem"))
    with StreamNode(folder, ANSWER, workers=2) as node:
        yield node


def client(ca, version=None, alpn=("dot",)):
    c = ssl.create_default_context(cafile=ca.file)
    if version:
        c.minimum_version = c.maximum_version = version
    if alpn:
        c.set_alpn_protocols(list(alpn))
    return c


def asks(s, **more):
    send(s, query(**more))
    return receive(s)


# ---- clients ----

@pytest.mark.asan
@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("where", FAMILIES)
def test_queries_over_both_versions(node, ca, where, version):
    before = node.counters()
    with node.tls(client(ca, version), where) as s:
        assert s.selected_alpn_protocol() == "dot" and s.version() == {TLS12: "TLSv1.2", TLS13: "TLSv1.3"}[version]
        send(s, *[query(id=i) for i in range(100)])
        assert [receive(s).id for _ in range(100)] == list(range(100))
        for i, octet in enumerate(frame(query(id=9))):  # a record an octet
            s.sendall(bytes([octet]))
        assert receive(s).id == 9
    after = node.counters()
    family = "tls_ipv6" if where == V6 else "tls_ipv4"
    assert after[family] - before[family] == 101
    assert after["tls_handshakes"] - before["tls_handshakes"] == 1 and after["tls_failed"] == before["tls_failed"]
    assert after["tcp_ipv4"] == before["tcp_ipv4"] and after["tcp_ipv6"] == before["tcp_ipv6"]


@pytest.mark.skipif(bool(missing("kdig")), reason=missing("kdig") or "")
@pytest.mark.parametrize("where", FAMILIES)
def test_kdig(node, ca, where):
    out = node.ns.run(["kdig", f"@{where}", "+tls-ca=" + ca.file, "+tls-hostname=dot.example", "+keepopen", "+noedns", "www.example", "A",
                       "ns1.example", "AAAA"])
    assert "192.0.2.1" in out and "2001:db8::1" in out and "TLS session (TLS1.3)" in out
    wrong = node.ns.run(["kdig", f"@{where}", "+tls-ca=" + ca.file, "+tls-hostname=other.example", "www.example"], check=False)
    assert "192.0.2.1" not in wrong
    assert "192.0.2.1" in node.ns.run(["kdig", f"@{where}", "+tls", "www.example"])


@pytest.mark.skipif(bool(missing("dnsperf")), reason=missing("dnsperf") or "")
@pytest.mark.parametrize("where", FAMILIES)
def test_dnsperf(node, tmp_path, where):
    (tmp_path / "queries").write_text("www.example. A\nns1.example. AAAA\nno.example. A\n")
    out = node.ns.run(["dnsperf", "-m", "dot", "-s", where, "-p", "853", "-d", str(tmp_path / "queries"), "-n", "1000", "-c", "4"], timeout=120)
    assert int(re.search(r"Queries completed:\s+(\d+)", out).group(1)) == 3000, out
    assert "Queries lost:         0" in out and "NOERROR 2000" in out and "NXDOMAIN 1000" in out


@pytest.mark.asan
def test_what_is_refused(node, ca):
    """Old versions, foreign protocols, no TLS at all: counted, and the others go on."""
    before = node.counters()
    old = subprocess.run(node.ns.argv(["openssl", "s_client", "-connect", f"{V4}:853", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]), input=b"",
                         capture_output=True, timeout=30, check=False)
    assert old.returncode != 0 and b"Cipher is (NONE)" in old.stdout
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        node.tls(client(ca, alpn=("http/1.1",)))
    with node.tls(client(ca, alpn=("http/1.1", "dot"))) as s:
        assert s.selected_alpn_protocol() == "dot"
    with node.tls(client(ca, alpn=())) as s:
        assert asks(s).rcode() == dns.rcode.NOERROR
    with node.tcp(V6, port=853) as s:
        send(s, query())
        assert ended(s, 4)
    wait_until(lambda: node.counters()["tls_failed"] == before["tls_failed"] + 3, 5, lambda: f"{before} {node.counters()}")


@pytest.mark.asan
def test_handshake_has_a_time_limit(tmp_path, ca):
    ca.issue(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    with StreamNode(tmp_path, ANSWER.replace("5s", "1s")) as node:
        began = time.monotonic()
        with node.tcp(port=853) as silent, node.tcp(port=853) as half:
            half.sendall(b"\x16\x03\x01\x02\x00\x01")
            assert ended(silent, 10) and ended(half, 10)
        assert 0.9 < time.monotonic() - began < 9
        wait_until(lambda: node.counters()["tls_timeouts"] == 2, 5, "counted")
        with node.tls(client(ca)) as s:  # idle after the handshake
            began = time.monotonic()
            assert ended(s, 10) and time.monotonic() - began > 0.8
        assert node.counters()["tcp_closed_idle"] == 1


@pytest.mark.asan
@pytest.mark.parametrize("where", FAMILIES)
def test_padding_and_keepalive(node, ca, where):
    """RFC 8467: blocks of 468 octets where the query was padded, over TLS only. RFC 7828 as over TCP."""
    pad, keep = dns.edns.GenericOption(PADDING, bytes(20)), dns.edns.GenericOption(KEEPALIVE, b"")
    for context in (client(ca, TLS12), client(ca, TLS13)):
        with node.tls(context, where) as s:
            for more, padded in (({"options": [pad]}, True), ({"use_edns": 0}, False), ({}, False), ({"options": [pad, keep]}, True)):
                send(s, query(**more))
                head = s.recv(2)
                length = struct.unpack(">H", head)[0]
                body = b""
                while len(body) < length:
                    body += s.recv(length - len(body))
                assert (length % 468 == 0) == padded
            assert any(o.otype == KEEPALIVE and o.to_wire() == struct.pack(">H", 50) for o in dns.message.from_wire(body).options)
    with node.tcp(where) as s:
        assert not [o for o in asks(s, options=[pad]).options if o.otype == PADDING]


@pytest.mark.asan
@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_large_answers_to_a_client_that_waits(node, ca, version):
    """What the client does not take is kept, in order; the same for queries that come meanwhile."""
    with node.tls(client(ca, version)) as s:
        send(s, *[query("big.example.", "TXT", id=i) for i in range(30)], *[query(id=1000 + i) for i in range(30)])
        wait_until(lambda: node.counters()["tcp_memory"] > 100000, 10, "an answer is kept")
        for i in range(30):
            reply = receive(s)
            assert reply.id == i and len(reply.answer[0]) == BIG
        assert [receive(s).id for _ in range(30)] == [1000 + i for i in range(30)]


# ---- tickets ----

@pytest.mark.asan
@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_tickets_are_good_at_every_worker(node, ca, version):
    context, session = client(ca, version), None
    with node.tls(context) as s:
        assert asks(s).rcode() == 0 and not s.session_reused
        session = s.session
    before = node.counters()["tls_resumed"]
    for where in FAMILIES * 8:  # the kernel spreads them over both workers
        with node.tls(context, where, session=session) as s:
            assert asks(s).rcode() == 0 and s.session_reused
            session = s.session
    assert node.counters()["tls_resumed"] == before + 16
    assert all(w["queries"] > 0 for w in node.worker_status())


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_tickets_are_good_at_another_node(node, ca, tmp_path, version):
    """With the same certificate and key, as PoPs of one network have; with another key the handshake is a full one."""
    context = client(ca, version)
    with node.tls(context) as s:
        assert asks(s).rcode() == 0
        session = s.session
    for key, resumed in (("same", True), ("other", False)):
        folder = tmp_path / key
        folder.mkdir()
        if resumed:
            for name in ("cert.pem", "key.pem"):
                with open(node.path(name), encoding="ascii") as f:
                    (folder / name).write_text(f.read())
            os.chmod(folder / "key.pem", 0o600)
        else:
            ca.issue(str(folder / "cert.pem"), str(folder / "key.pem"))
        with StreamNode(folder, ANSWER, name="second") as second:
            with second.tls(context, session=session) as s:
                assert asks(s).rcode() == 0
                assert s.session_reused == resumed
            assert second.counters()["tls_resumed"] == resumed


# ---- certificates ----

def serial_of(s):
    return s.getpeercert()["serialNumber"]


@pytest.mark.asan
def test_a_new_certificate_comes_with_reload(tmp_path, ca):
    """Open connections go on with the old one, and new ones get the new one; a bad one changes nothing."""
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    ca.issue(cert, key)
    with StreamNode(tmp_path, ANSWER.replace("5s", "1h"), workers=2) as node:
        pids, context = node.pids(), client(ca)
        held = [node.tls(context, w) for w in FAMILIES * 4]
        plain = node.tcp()
        assert all(asks(s).rcode() == 0 for s in [*held, plain])
        old = serial_of(held[0])
        expires = [w["tls_expires"] for w in node.worker_status()]
        ca.issue(cert, key, days=60)
        done = node.reload()
        assert done.returncode == 0, done.stderr

        def everyone_new():
            seen = set()
            for _ in range(16):
                with node.tls(context) as s:
                    assert asks(s).rcode() == 0
                    seen.add(serial_of(s))
            return seen if old not in seen else None
        new, = wait_until(everyone_new, 10, "the new certificate at every worker")
        assert all(asks(s).rcode() == 0 for s in [*held, plain])
        assert all(w["tls_expires"] > e + 29 * 86400 for w, e in zip(node.worker_status(), expires))

        # The key of another certificate.
        ca.issue(str(tmp_path / "third.pem"), key)
        done = node.reload()
        assert done.returncode == 1 and f"{key}: error: this key does not belong to the certificate in {cert}" in done.stdout + done.stderr
        # No certificate at all, no key at all.
        good = (tmp_path / "third.pem").read_text()
        for broken, what in (("nothing\n", "there is no certificate in PEM form"), (good[:300], "there is no certificate|damaged"),
                             (good.replace("MII", "MIJ", 1), "there is no certificate|damaged")):
            (tmp_path / "cert.pem").write_text(broken)
            done = node.reload()
            assert done.returncode == 1 and cert in done.stdout + done.stderr and re.search(what, done.stdout + done.stderr)
        with node.tls(context) as s:
            assert asks(s).rcode() == 0 and serial_of(s) == new
        assert all(asks(s).rcode() == 0 for s in [*held, plain])

        # Off, and on again.
        (tmp_path / "cert.pem").write_text(good)
        node.fleet("tcp: {idle: 1h}")
        assert node.reload().returncode == 0
        wait_until(lambda: refused(node), 20, "port 853 is closed")
        assert asks(plain).rcode() == 0
        node.fleet(ANSWER.replace("5s", "1h"))
        assert node.reload().returncode == 0
        wait_until(lambda: not refused(node), 20, "port 853 is open")
        with node.tls(context) as s:
            assert asks(s).rcode() == 0
        assert node.pids() == pids
        for s in [*held, plain]:
            s.close()


def refused(node):
    try:
        node.tcp(port=853).close()
        return False
    except ConnectionRefusedError:
        return True


def test_check_tells_what_is_wrong(tmp_path, ca):
    folder = tmp_path / "n"
    node = StreamNode(folder, ANSWER)
    try:
        cert, key = str(folder / "cert.pem"), str(folder / "key.pem")

        def check():
            done = subprocess.run([ZONECAST, "check", "--config", node.path("fleet.yaml")], capture_output=True, text=True, timeout=60, check=False)
            return done.returncode, done.stdout + done.stderr
        ca.issue(cert, key)
        assert check() == (0, check()[1])
        ca.issue(cert, key, days=2)
        code, text = check()
        assert code == 0 and f"{cert}: warning: certificate 1 expires at " in text
        ca.issue(cert, key, algorithm="rsa:1024")
        code, text = check()
        assert code == 1 and f"{key}: error: a key of 1024 bits is too weak" in text
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes256", "-pass", "pass:x", "-out", key],
                       check=True, capture_output=True, timeout=60)
        code, text = check()
        assert code == 1 and f"{key}: error: there is no private key in PEM form that opens without a password" in text
        ca.issue(cert, key)
        os.chmod(key, 0o644)
        code, text = check()
        assert code == 1 and f"{key}: error: others may read this secret" in text
        os.chmod(key, 0o600)
        with open(cert, encoding="ascii") as f:
            parts = f.read().split("-----BEGIN")
        with open(cert, "w", encoding="ascii") as f:
            f.write("-----BEGIN" + parts[1] + "-----BEGIN" + parts[1])
        code, text = check()
        assert code == 0 and "certificate 2 did not issue certificate 1" in text
        node.fleet(ANSWER.replace("key.pem}", "key.pem, port: 53}"))
        code, text = check()
        assert code == 1 and "port 53 is that of DNS without TLS" in text
    finally:
        node.net.close()


@pytest.mark.asan
@pytest.mark.parametrize("algorithm", ["ec", "rsa:2048", "rsa:4096"])
def test_other_ports_and_keys(tmp_path, ca, algorithm):
    ca.issue(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"), algorithm=algorithm)
    with StreamNode(tmp_path, "tls: {certificate-file: cert.pem, key-file: key.pem, port: 8853}") as node:
        for where in FAMILIES:
            for version in (TLS12, TLS13):
                with node.tls(client(ca, version), where, port=8853) as s:
                    assert asks(s).rcode() == 0
        assert refused(node)


# ---- many ----

@pytest.mark.skipif(SANITIZED, reason="about speed")
def test_handshakes_do_not_starve_udp(tmp_path, ca):
    """Clients that shake hands as fast as they can: UDP waits for one turn's share at most, and no worker is taken for dead."""
    ca.issue(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"), algorithm="rsa:4096")  # the most expensive one
    with StreamNode(tmp_path, ANSWER) as node:
        pids = node.pids()
        loads = [node.ns.popen(["openssl", "s_time", "-connect", f"{V4}:853", "-new", "-time", "6"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL) for _ in range(3)]
        wait_until(lambda: node.counters()["tls_handshakes"] > 20, 20, "handshakes")
        worst = 0.0
        with node.socket(V6, socket.SOCK_DGRAM) as s:
            s.connect((V6, 53))
            for _ in range(300):
                began = time.monotonic()
                s.send(query().to_wire())
                assert select.select([s], [], [], 5)[0]
                s.recv(4096)
                worst = max(worst, time.monotonic() - began)
        print(f"slowest of 300 answers {worst * 1000:.1f} ms, {node.counters()['tls_handshakes']} handshakes")
        assert worst < 0.5
        for load in loads:
            load.wait(30)
        assert node.pids() == pids


@pytest.mark.skipif(SANITIZED, reason="about memory")
def test_memory_of_idle_tls_connections_is_bounded(tmp_path, ca):
    ca.issue(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    with StreamNode(tmp_path, ANSWER.replace("5s", "1h, memory: 32MiB, connections: 40000")) as node:
        base = node.memory()
        with Crowd(node, 853, 500, 0, "tls") as crowd:
            counters, grown = node.counters(), node.memory() - base
            print(f"{grown // 500} octets a connection in fact, counted {counters['tcp_memory'] // 500}")
            assert counters["tls_open"] == 500 and grown / 500 < 40000
            assert abs(grown - counters["tcp_memory"]) < 0.4 * grown + (1 << 20)
            assert crowd.state()["open"] == 500
            with Crowd(node, 853, 3000, 0, "tls") as more:
                counters, grown = node.counters(), node.memory() - base
                print(f"{counters['tls_open']} open, grown by {grown}, {more.state()}, {counters}")
                assert counters["tcp_memory"] <= 32 << 20 and grown < 48 << 20
            with node.tls(client(ca), V6) as s:
                assert asks(s).rcode() == 0
        wait_until(lambda: node.counters()["tcp_open"] == 0, 30, "all are gone")
        wait_until(lambda: node.counters()["tcp_memory"] < 1 << 20, 5, "and their memory")
