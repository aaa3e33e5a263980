# SPDX-License-Identifier: BSD-2-Clause
"""Transfers over TLS (RFC 9103): ours to ours with good, wrong and expired certificates, mutual TLS and TSIG on top; with BIND both ways, with NSD as secondary. Knot 3.2 and PowerDNS do not
speak it."""
import os
import socket
import ssl
import struct
import time

import dns.edns
import dns.message
import dns.rcode
import pytest

from certificates import Authority
from netns import missing, wait_until
from servers import need
from transfers import Key, read_message
from xot import CLIENT, HIDDEN, NAME, POP, BindPrimary, BindSecondary, NsdSecondary, Ours, Wire, pin_of, write_zone

WHY = missing("openssl", "dig")
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
KEY = Key(name="xot.key")
FAMILIES = {"4": 0, "6": 1}


class Site(Wire):
    """With an authority, its certificates, and another's."""

    def __init__(self, folder):
        super().__init__(folder)
        os.chmod(folder, 0o755)
        self.ca, self.other = Authority(self.path("ca")), Authority(self.path("other"))
        self.ca.issue(self.path("primary.pem"), self.path("primary.key"), NAME, addresses=HIDDEN)
        self.ca.issue(self.path("expired.pem"), self.path("expired.key"), NAME, days=-1)
        self.ca.issue(self.path("client.pem"), self.path("client.key"), CLIENT)
        self.other.issue(self.path("stranger.pem"), self.path("stranger.key"), CLIENT)
        with open(self.path("secret"), "w", encoding="ascii") as f:
            f.write(KEY.secret + "\n")
        os.chmod(self.path("secret"), 0o600)

    def path(self, name):
        return os.path.join(self.folder, name)

    def primary(self, zones, client_ca=None, certificate="primary"):
        """zones: name -> more options."""
        ca = f", client-ca-file: {client_ca}" if client_ca else ""
        listed = "".join(f"  - {{name: {z}, file: {self.path(z + '.zone')}{more}}}\n" for z, more in zones.items())
        return f"""fleet: test
answer: {{tls: {{certificate-file: {self.path(certificate + '.pem')}, key-file: {self.path(certificate + '.key')}{ca}}}}}
keys: [{{name: {KEY.name}, secret-file: {self.path('secret')}}}]
nodes: [{{name: hidden, role: primary, management: [{HIDDEN[0]}, "{HIDDEN[1]}"], workers: 2}}]
zones:
{listed}"""

    def secondary(self, zones, auths):
        """zones: name -> options; auths: name -> options."""
        return f"""fleet: test
keys: [{{name: {KEY.name}, secret-file: {self.path('secret')}}}]
tls-auth:
{"".join(f"  - {{name: {n}, {o}}}{chr(10)}" for n, o in auths.items())}nodes: [{{name: pop, role: primary, management: [{POP[0]}, "{POP[1]}"], workers: 1}}]
zones:
{"".join(f"  - {{name: {z}, {o}}}{chr(10)}" for z, o in zones.items())}"""


@pytest.fixture(name="site")
def _site(tmp_path):
    with Site(tmp_path) as s:
        yield s


def allow(more=""):
    return f', allow-transfer: [{POP[0]}/32, "{POP[1]}/128"], notify: [{POP[0]}, "{POP[1]}"]{more}'


def clear_questions(node):
    c = node.status()["queries"]
    return c["udp_ipv4"] + c["udp_ipv6"] + c["tcp_ipv4"] + c["tcp_ipv6"]


@pytest.mark.asan
def test_many_zones_on_few_connections(site):
    """All zones come over TLS, nothing is asked in clear text, connections and sessions are used again; a change comes by IXFR."""
    zones = [f"z{i}.test" for i in range(120)]
    for z in zones:
        write_zone(site.folder, z, 1)
    auth = {"up": f"server-name: {NAME}, ca-file: {site.ca.file}", "address": f"ca-file: {site.ca.file}"}
    held = {z: f'primaries: ["{HIDDEN[i % 2]}"], tls: {"up" if i % 4 < 2 else "address"}' + (f", key: {KEY.name}" if i % 3 == 0 else "")
            for i, z in enumerate(zones)}
    with Ours(site.hidden, site.folder, "hidden", site.primary({z: allow(f", key: {KEY.name}" if i % 3 == 0 else "") for i, z in enumerate(zones)})) as primary, \
            Ours(site.pop, site.folder, "pop", site.secondary(held, auth)) as pop:
        wait_until(lambda: pop.status()["transfers_in"]["serving"] == len(zones), 60, lambda: f"{pop.status()['transfers_in']}\n{pop.log()[-4000:]}")
        first = primary.status()
        assert first["transfers_out"]["axfr"] == len(zones) and first["transfers_out"]["tsig_bad"] == 0
        # Requests that are under way at the same time need connections of their own; how many that are depends on the speed of the machine. Not used again, they would be one per zone and more.
        assert first["queries"]["tls_relayed"] < len(zones) and first["queries"]["tls_handshakes"] < len(zones), "few connections"
        assert "over=tls" in primary.log()
        clear = clear_questions(primary)
        for z in (zones[0], zones[1]):
            write_zone(site.folder, z, 2, names=21)
            primary.command("zone", "reload", z)
        for z in (zones[0], zones[1]):
            pop.wait_serial(POP, z, 2)
        # All again, after connections were closed for idleness: sessions are resumed.
        wait_until(lambda: primary.status()["queries"]["tls_relays"] == 0, 30, "idle connections end")
        for z in zones[:10]:
            pop.command("zone", "retransfer", z)
        wait_until(lambda: primary.status()["transfers_out"]["axfr"] >= len(zones) + 10, 30, lambda: primary.status()["transfers_out"])
        last = primary.status()
        assert last["transfers_out"]["ixfr"] == 2
        assert last["queries"]["tls_resumed"] > first["queries"]["tls_resumed"]
        assert clear_questions(primary) == clear, "no question in clear text"
        assert pop.status()["transfers_in"]["failed"] == 0, pop.log()


@pytest.mark.asan
def test_who_is_believed(site):
    """One zone for each way to know a server."""
    good, ca, other = f"server-name: {NAME}", site.ca.file, site.other.file
    own = f"certificate-file: {site.path('client.pem')}, key-file: {site.path('client.key')}"
    stranger = f"certificate-file: {site.path('stranger.pem')}, key-file: {site.path('stranger.key')}"
    pin, wrong = pin_of(site.path("primary.pem")), pin_of(site.path("expired.pem"))
    # auth, what the primary demands, part of the error or None
    rows = {
        "good": (f"{good}, ca-file: {ca}", "any", None),
        "address": (f"ca-file: {ca}", "tls", None),
        "name": (f"server-name: other.example, ca-file: {ca}", "any", "hostname mismatch"),
        "authority": (f"{good}, ca-file: {other}", "any", "certificate"),
        "pinned": (f'pins: ["{wrong}", "{pin}"]', "tls", None),
        "unpinned": (f'pins: ["{wrong}"]', "any", "none of the pins"),
        "both": (f'{good}, ca-file: {ca}, pins: ["{wrong}"]', "any", "none of the pins"),
        "blind": ("mode: opportunistic", "tls", None),
        "mutual": (f"{good}, ca-file: {ca}, {own}", "mutual-tls", None),
        "nobody": (f"{good}, ca-file: {ca}", "mutual-tls", "REFUSED"),
        "stranger": (f"{good}, ca-file: {ca}, {stranger}", "mutual-tls", "REFUSED"),
        "clear": (None, "tls", "REFUSED"),
        "clear-any": (None, "any", None),
        "plain-port": (f"{good}, ca-file: {ca}", "any", "no connection"),
    }
    zones = {f"{n}.test": n for n in rows}
    for z in zones:
        write_zone(site.folder, z, 1)
    auths = {n: r[0] for n, r in rows.items() if r[0]}
    held = {}
    for i, (z, n) in enumerate(zones.items()):
        port = ", port: 53" if n == "plain-port" else ""
        tls = f", tls: {n}" if rows[n][0] else ""
        held[z] = f'primaries: [{{address: "{HIDDEN[i % 2]}"{port}{tls}}}]'
    with Ours(site.hidden, site.folder, "hidden", site.primary({z: allow(f", transfer-over: {rows[n][1]}") for z, n in zones.items()}, client_ca=ca)) as primary, \
            Ours(site.pop, site.folder, "pop", site.secondary(held, auths)) as pop:
        for z, n in zones.items():
            if rows[n][2] is None:
                pop.wait_serial(POP[:1], z, 1)
                continue
            told = wait_until(lambda z=z: (lambda t: t if t.get("failures") else None)(pop.told(z)), 60, lambda z=z: f"{z} fails: {pop.told(z)}")
            assert rows[n][2] in told["error"] and not told.get("serial"), told
        log = primary.log()
        assert 'zone=nobody.test. client' in log and "good certificate" in log and "over TLS only" in log
        assert "zone=mutual.test." in log and "over=mutual-tls" in log


def test_certificate_expires(site):
    """A primary whose certificate has expired is refused at the next handshake, the version stays; a new certificate is taken."""
    write_zone(site.folder, "a.test", 1)
    conf = site.primary({"a.test": allow()})
    auth = {"up": f"server-name: {NAME}, ca-file: {site.ca.file}"}
    with Ours(site.hidden, site.folder, "hidden", conf) as primary, \
            Ours(site.pop, site.folder, "pop", site.secondary({"a.test": f"primaries: [{HIDDEN[0]}], tls: up"}, auth)) as pop:
        pop.wait_serial(POP, "a.test", 1)
        primary.configure(site.primary({"a.test": allow()}, certificate="expired"))
        primary.command("reload")
        wait_until(lambda: primary.status()["queries"]["tls_relays"] == 0, 30, "idle connections end")
        write_zone(site.folder, "a.test", 2)
        primary.command("zone", "reload", "a.test")
        told = wait_until(lambda: (lambda t: t if t.get("failures") else None)(pop.told("a.test")), 60, "refused")
        assert "expired" in told["error"], told
        assert pop.serial(POP[0], "a.test") == 1
        primary.configure(conf)
        primary.command("reload")
        wait_until(lambda: pop.serial(POP[0], "a.test") == 2 or (pop.command("zone", "retransfer", "a.test") and False), 60, lambda: pop.told("a.test"), 1)


# ---- as a client sees us ----

def client(site, version=None, alpn=("dot",), identity=None):
    c = ssl.create_default_context(cafile=site.ca.file)
    if version:
        c.minimum_version = c.maximum_version = version
    if alpn:
        c.set_alpn_protocols(list(alpn))
    if identity:
        c.load_cert_chain(site.path(identity + ".pem"), site.path(identity + ".key"))
    return c


def connect(site, context, address=HIDDEN[0]):
    s = site.pop.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(60)
    s.connect((address, 853))
    return context.wrap_socket(s, server_hostname=NAME)


def send(s, *messages):
    s.sendall(b"".join(struct.pack("!H", len(w)) + w for w in (m.to_wire() for m in messages)))


def axfr(zone, pad=False, number=None):
    m = dns.message.make_query(zone, "AXFR", use_edns=0, options=[dns.edns.GenericOption(12, b"")] if pad else [])
    if number is not None:
        m.id = number
    return m


def read_transfer(s, records):
    """Lengths of the messages of one transfer of so many records."""
    lengths, got = [], 0
    while got < records:
        wire = read_message(s)
        assert wire and wire[3] & 15 == 0, f"{len(lengths)} messages, {got} records, rcode {wire[3] & 15 if wire else None}"
        got += struct.unpack("!H", wire[6:8])[0]
        lengths.append(len(wire))
    return lengths


@pytest.mark.asan
def test_connections_of_clients(site):
    """Versions, ALPN, padding, many requests on one connection mixed with questions, a client that reads slowly or not at all, and one that goes."""
    names = 20000
    records = names + 5
    write_zone(site.folder, "small.test", 1)
    write_zone(site.folder, "big.test", 1, names=names)
    with Ours(site.hidden, site.folder, "hidden", site.primary({"small.test": allow(), "big.test": allow()})) as primary:
        for address in HIDDEN:
            with connect(site, client(site), address) as s:
                send(s, dns.message.make_query("www.small.test", "TXT"), axfr("small.test", number=1), axfr("big.test", number=2), axfr("small.test", number=3))
                assert dns.message.from_wire(read_message(s)).answer
                read_transfer(s, 25)
                read_transfer(s, records)
                read_transfer(s, 25)
                send(s, axfr("big.test", pad=True))
                assert all(n % 468 == 0 for n in read_transfer(s, records))
        for version, alpn in ((ssl.TLSVersion.TLSv1_2, ("dot",)), (ssl.TLSVersion.TLSv1_3, ())):
            with connect(site, client(site, version, alpn)) as s:
                send(s, axfr("small.test"))
                assert read_message(s)[3] & 15 == dns.rcode.REFUSED
        # Six that take nothing for now: answers to others and transfers go on; then they take all of it.
        idle = [connect(site, client(site), HIDDEN[i % 2]) for i in range(6)]
        try:
            for s in idle:
                send(s, axfr("big.test"))
            with connect(site, client(site)) as s:
                began = time.monotonic()
                send(s, axfr("small.test"))
                read_transfer(s, 25)
                assert time.monotonic() - began < 20
            wait_until(lambda: primary.status()["queries"]["tls_relays"] >= 6, 20, "relays")
            for s in idle[:3]:
                read_transfer(s, records)
            idle[3].close()
            idle[4].shutdown(socket.SHUT_RDWR)
        finally:
            for s in idle:
                s.close()
        wait_until(lambda: primary.status()["queries"]["tls_relays"] == 0, 60, "all have ended")
        wait_until(lambda: primary.status()["transfers_out"]["connections"] == 0, 20, lambda: primary.status()["transfers_out"])


def test_sync_dies_in_the_midst(site):
    write_zone(site.folder, "big.test", 1, names=60000)
    with Ours(site.hidden, site.folder, "hidden", site.primary({"big.test": allow()})) as primary:
        with connect(site, client(site)) as s:
            send(s, axfr("big.test"))
            read_message(s)
            with open(primary.path("run", "pids"), encoding="ascii") as f:
                pid = next(int(p) for r, i, p in (line.split() for line in f) if r == "sync")
            primary.killed = True
            os.kill(pid, 9)
            with pytest.raises((OSError, AssertionError)):
                read_transfer(s, 60005)
                raise AssertionError("it was whole before the end")
        wait_until(lambda: primary.status()["queries"]["tls_relays"] == 0, 30, "the relay ends")

        def again():
            with connect(site, client(site)) as t:
                send(t, axfr("big.test"))
                wire = read_message(t)
                return wire and wire[3] & 15 == 0
        wait_until(again, 30, "transfers again", 0.2)


# ---- other people's servers ----

@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("mutual", [False, True])
def test_bind_is_primary(site, family, mutual):
    need("named")
    at = FAMILIES[family]
    zones = {z: write_zone(site.folder, z, 1, names=3000) for z in ("a.test", "b.test")}
    own = f", certificate-file: {site.path('client.pem')}, key-file: {site.path('client.key')}" if mutual else ""
    auth = {"up": f"server-name: {NAME}, ca-file: {site.ca.file}{own}", "none": f"server-name: {NAME}, ca-file: {site.ca.file}"}
    held = {"a.test": f'primaries: ["{HIDDEN[at]}"], tls: up, key: {KEY.name}', "b.test": f'primaries: ["{HIDDEN[at]}"], tls: none, key: {KEY.name}'}
    with BindPrimary(site.hidden, site.folder, HIDDEN, zones, site.path("primary.pem"), site.path("primary.key"), site.ca.file if mutual else None,
                     KEY), Ours(site.pop, site.folder, "pop", site.secondary(held, auth)) as pop:
        pop.wait_serial(POP, "a.test", 1)
        if mutual:
            wait_until(lambda: pop.told("b.test").get("failures"), 60, "refused without a certificate")
        else:
            pop.wait_serial(POP, "b.test", 1)


@pytest.mark.parametrize("family", list(FAMILIES))
def test_bind_is_secondary(site, family):
    need("named")
    at = FAMILIES[family]
    for z in ("a.test", "b.test"):
        write_zone(site.folder, z, 1, names=3000)
    conf = site.primary({"a.test": allow(f", key: {KEY.name}, transfer-over: mutual-tls"), "b.test": allow(f", key: {KEY.name}, transfer-over: tls")}, site.ca.file)
    with Ours(site.hidden, site.folder, "hidden", conf) as primary, \
            BindSecondary(site.pop, site.folder, POP, ["a.test", "b.test"], HIDDEN[at], site.ca.file,
                          (site.path("client.pem"), site.path("client.key")), KEY) as bind:
        for z in ("a.test", "b.test"):
            bind.wait_serial(POP, z, 1)
            write_zone(site.folder, z, 2, names=3001)
            primary.command("zone", "reload", z)
            bind.wait_serial(POP, z, 2)
        assert primary.status()["transfers_out"]["ixfr"] == 2
        assert "over=mutual-tls" in primary.log()


@pytest.mark.parametrize("family", list(FAMILIES))
def test_nsd_is_secondary(site, family):
    need("nsd")
    at = FAMILIES[family]
    for z in ("a.test", "b.test"):
        write_zone(site.folder, z, 1, names=3000)
    conf = site.primary({"a.test": allow(f", key: {KEY.name}, transfer-over: tls"), "b.test": allow(f", key: {KEY.name}, transfer-over: tls")})
    with Ours(site.hidden, site.folder, "hidden", conf) as primary, \
            NsdSecondary(site.pop, site.folder, POP, ["a.test", "b.test"], HIDDEN[at], site.ca.file, KEY) as nsd:
        for z in ("a.test", "b.test"):
            nsd.wait_serial(POP, z, 1)
            write_zone(site.folder, z, 2, names=3001)
            primary.command("zone", "reload", z)
            nsd.wait_serial(POP, z, 2)
