# SPDX-License-Identifier: BSD-2-Clause
"""Health of backends: what a node finds out of real servers over both families and all transports, what it says of it, and what becomes of its route."""
import contextlib
import itertools
import os
import re
import socket
import ssl
import struct
import subprocess
import threading

import dns.message
import dns.rcode
import pytest

from certificates import Authority
from fleet import SERVICE, Node, Site
from netns import missing, stop_process, wait_until
from openapi import DOCUMENT, Document
from paths import ZONECAST
from program import Folder
from routers import Bird
from servers import knot_server, nsd_server
from streamnode import exactly

WHY = missing(ZONECAST, *Bird.needs, "knotd", "named", "nsd", "pdns_server", "nft")
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
ADDRESSES = ("10.9.0.1", "2001:db8:9::1")
ZONE = "$TTL 60\n@ SOA ns1 host 7 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.9\nwww A 192.0.2.80\n"
PORTS = itertools.count(5301)
SECONDS = 40


class Backend(Folder):
    """A real name server in the router's namespace, on both of its addresses."""
    header = b""

    def __init__(self, site, folder, zone="edge.test"):
        self.site, self.port, self.process = site, next(PORTS), None
        self.folder = os.path.join(str(folder), f"{type(self).__name__.lower()}-{self.port}")
        os.makedirs(self.folder)
        self.zone = zone
        self.write("zone", ZONE)

    def listen(self):
        return [f"{a}@{self.port}" for a in ADDRESSES]

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="latin-1") as f:
            return f.read()[-3000:]

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = self.site.rtr.popen(self.argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        wait_until(lambda: all(self.answers(a) for a in ADDRESSES), SECONDS, lambda: f"{self.folder} answers:\n{self.log()}")
        return self

    def answers(self, address):
        try:
            with self.site.rtr.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(1)
                s.connect((address, self.port))
                s.send(self.header + dns.message.make_query(self.zone, "SOA").to_wire())
                return dns.message.from_wire(s.recv(4096)).rcode() == 0
        except OSError:
            return False

    def stop(self):
        if self.process:
            stop_process(self.process)
        self.process = None

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()


class Knot(Backend):
    def argv(self):
        return ["knotd", "-c", self.write("knot.conf", knot_server(self.folder, *self.listen()) + f"""template:
  - id: default
    storage: "{self.folder}"
    journal-content: none
    zonefile-load: whole
    zonefile-sync: -1
zone:
  - domain: {self.zone}
    file: zone
""")]


class Nsd(Backend):
    def argv(self):
        return ["nsd", "-d", "-c", self.write("nsd.conf", nsd_server(self.folder, *self.listen()) + f"""remote-control:
  control-enable: no
zone:
  name: {self.zone}
  zonefile: zone
""")]


class Bind(Backend):
    """Speaks TLS as well, with a certificate of its own authority."""

    def __init__(self, site, folder, **kw):
        super().__init__(site, folder, **kw)
        self.tls_port = next(PORTS)
        self.ca = Authority(os.path.join(self.folder, "ca"))
        self.ca.issue(self.path("server.pem"), self.path("server.key"), name="ns.edge.test")

    def argv(self):
        return ["named", "-g", "-n", "1", "-c", self.write("named.conf", f"""
tls own {{ cert-file "{self.path('server.pem')}"; key-file "{self.path('server.key')}"; }};
options {{
  directory "{self.folder}"; pid-file "{self.path('named.pid')}"; session-keyfile "{self.path('session.key')}";
  listen-on port {self.port} {{ {ADDRESSES[0]}; }}; listen-on-v6 port {self.port} {{ {ADDRESSES[1]}; }};
  listen-on port {self.tls_port} tls own {{ {ADDRESSES[0]}; }}; listen-on-v6 port {self.tls_port} tls own {{ {ADDRESSES[1]}; }};
  recursion no; dnssec-validation no; notify no;
}};
controls {{ }};
zone "{self.zone}" {{ type primary; file "zone"; }};
""")]


class Pdns(Backend):
    """Takes questions with the header of the PROXY protocol only."""
    header = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"

    def argv(self):
        self.write("zones.conf", f'zone "{self.zone}" {{ type master; file "{self.folder}/zone"; }};\n')
        self.write("pdns.conf", "\n".join([
            "launch=bind", f"bind-config={self.folder}/zones.conf", f"local-address={', '.join(ADDRESSES)}", f"local-port={self.port}", f"socket-dir={self.folder}",
            "proxy-protocol-from=10.9.0.0/24, 2001:db8:9::/64", "receiver-threads=1", "distributor-threads=1", "daemon=no", "guardian=no", "disable-syslog=yes", "loglevel=4", ""]))
        return ["pdns_server", f"--config-dir={self.folder}"]


def at(address, port):
    return f'"[{address}]:{port}"' if ":" in address else f'"{address}:{port}"'


def pool(name, port, more="", check="", addresses=ADDRESSES):
    """Of the fleet file: one server on both addresses, checked often."""
    servers = "".join(f"      - {{name: v{6 if ':' in a else 4}, address: {at(a, port)}}}\n" for a in addresses)
    return f"  - name: {name}\n    servers:\n{servers}    check: {{interval: 100ms, timeout: 2s{check}}}\n{more}"


def fleet_of(pools, zones, only=False, tls=""):
    """A change of the fleet file: with these pools, zones behind them, and without any other zone."""
    def change(text):
        head, own = text.split("zones:\n")
        return head + tls + "backends:\n" + "".join(pools) + "zones:\n" + ("" if only else own) + "".join(
            f"  - {{name: {z}, backends: {p}, network: global}}\n" for z, p in zones)
    return change


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site")) as s:
        yield s


def servers(node):
    """(pool, server) -> what the status says of it."""
    status = node.status()
    return {(p["name"], s["name"]): s for p in status["backends"]["pools"] for s in p["servers"]} if status else {}


def wait_states(node, want, pools=None):
    """Until each server (of these pools) is in that state; what the status says then."""
    def there():
        got = {k: s for k, s in servers(node).items() if not pools or k[0] in pools}
        return got if got and all(s["state"] == want for s in got.values()) else None
    return wait_until(there, SECONDS, lambda: f"{want}: {servers(node)}; log:\n{node.log()[-3000:]}", 0.1)


def document():
    with open(DOCUMENT, encoding="utf-8") as f:
        return Document(f.read())


class Relay:
    """A forwarder that sends each question on to the node's own service addresses, and the answer back."""

    def __init__(self, site):
        self.site, self.port, self.ending = site, next(PORTS), threading.Event()
        self.threads = [threading.Thread(target=self._run, args=pair, daemon=True) for pair in zip(ADDRESSES, SERVICE)]

    def _run(self, own, to):
        family = socket.AF_INET6 if ":" in own else socket.AF_INET
        with self.site.rtr.socket(family, socket.SOCK_DGRAM) as front, self.site.rtr.socket(family, socket.SOCK_DGRAM) as back:
            front.bind((own, self.port))
            front.settimeout(0.1)
            back.settimeout(1)
            while not self.ending.is_set():
                try:
                    question, client = front.recvfrom(4096)
                    back.sendto(question, (to, 53))
                    front.sendto(back.recv(4096), client)
                except OSError:  # nothing came in time, or nobody is there
                    continue

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for t in self.threads:
            t.join(10)


class Forgetful:
    """Over TLS, refuses everything; breaks connections that go on with a session of before."""

    def __init__(self, site, folder):
        self.ca, self.resumed, self.ending = Authority(os.path.join(str(folder), "ca")), 0, threading.Event()
        pem, key = os.path.join(str(folder), "server.pem"), os.path.join(str(folder), "server.key")
        self.ca.issue(pem, key, name="ns.edge.test")
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(pem, key)
        self.tls.set_alpn_protocols(["dot"])
        self.listener = site.rtr.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.bind((ADDRESSES[0], 0))
        self.listener.listen(16)
        self.listener.settimeout(0.1)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.ending.is_set():
            try:
                with self.listener.accept()[0] as s:
                    s.settimeout(2)
                    with self.tls.wrap_socket(s, server_side=True) as t:
                        if t.session_reused:
                            self.resumed += 1
                            continue
                        question = dns.message.from_wire(exactly(t, struct.unpack(">H", exactly(t, 2))[0]))
                        answer = dns.message.make_response(question)
                        answer.set_rcode(dns.rcode.REFUSED)
                        wire = answer.to_wire()
                        t.sendall(struct.pack(">H", len(wire)) + wire)
                        t.recv(1)
            except OSError:  # nobody came in time, or it went
                continue

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join(10)
        self.listener.close()


def checks(node):
    return node.status()["networks"][0]["checks"]


def test_transports(site, tmp_path):
    """Knot over UDP, NSD over TCP, BIND over TLS, PowerDNS with the PROXY protocol, each over IPv4 and IPv6; a server known by a wrong name; TLS where nobody speaks it."""
    with Knot(site, tmp_path) as knot, Nsd(site, tmp_path) as nsd, Bind(site, tmp_path) as bind, Pdns(site, tmp_path) as pdns:
        pools = [pool("udp", knot.port), pool("tcp", nsd.port, "    over: tcp\n"), pool("tls", bind.tls_port, "    over: tls\n    tls: good\n"),
                 pool("proxy", pdns.port, "    proxy-protocol: true\n"), pool("proxytcp", pdns.port, "    over: tcp\n    proxy-protocol: true\n"),
                 pool("name", bind.tls_port, "    over: tls\n    tls: wrong\n"), pool("plain", bind.port, "    over: tls\n    tls: good\n", addresses=ADDRESSES[:1])]
        tls = (f"tls-auth:\n  - {{name: good, server-name: ns.edge.test, ca-file: {bind.ca.file}}}\n"
               f"  - {{name: wrong, server-name: other.test, ca-file: {bind.ca.file}}}\n")
        zones = [("edge.test", "udp"), ("tcp.edge.test", "tcp"), ("tls.edge.test", "tls"), ("proxy.edge.test", "proxy"), ("proxytcp.edge.test", "proxytcp"),
                 ("name.edge.test", "name"), ("plain.edge.test", "plain")]
        pools = [p.replace("check: {", "check: {name: edge.test, ") for p in pools]
        with Node(site, tmp_path, announced=False, change=fleet_of(pools, zones, tls=tls)) as node:
            good = ("udp", "tcp", "tls", "proxy", "proxytcp")
            up = wait_states(node, "up", good)
            assert set(up) == {(p, f) for p in good for f in ("v4", "v6")}
            assert all(s["latency_us"] > 0 and s["failures"] == 0 and not s["loops"] for s in up.values()), up
            assert "answered NOERROR to SOA of edge.test." in up["udp", "v4"]["why"]
            down = wait_states(node, "down", ("name", "plain"))
            assert all("certificate" in down["name", f]["why"] for f in ("v4", "v6")), down
            assert "TLS" in down["plain", "v4"]["why"] or "connection" in down["plain", "v4"]["why"], down
            # Pools of which another server answers are no matter of the verdict; these have none.
            assert wait_until(lambda: checks(node)["verdict"] == "hard-fail" and checks(node)["why"], SECONDS, "a hard failure").startswith("backends of ")
            assert not document().problems(node.status()["backends"], {"$ref": "#/components/schemas/Backends"})
            text = node.zonecast("status").stdout
            assert "udp  2 of 2 up, latency over udp, for edge.test." in text, text


def test_down_and_up_again(site, tmp_path):
    """One of two servers: nothing but an event. Both: soft, and stays; when nothing stale is given any more: hard, and withdrawn. Back: announced."""
    with Knot(site, tmp_path) as one, Nsd(site, tmp_path) as two:
        both = pool("edge", one.port, "    stale-for: 6s\n", addresses=ADDRESSES[:1]).replace("    check", f"      - {{name: two, address: {at(ADDRESSES[1], two.port)}}}\n    check")
        with Node(site, tmp_path, announced=False, change=fleet_of([both], [("edge.test", "edge")])) as node:
            wait_states(node, "up")
            node.wait_announced()
            one.stop()
            wait_until(lambda: servers(node)["edge", "v4"]["state"] == "down", SECONDS, "one is down", 0.1)
            assert servers(node)["edge", "two"]["state"] == "up"
            assert checks(node)["verdict"] == "pass", checks(node)
            shown = re.search(r"\nbackends .*?(?=\n\S)", node.zonecast("status").stdout + "\n-", re.DOTALL)[0]
            assert "    down     v4 " in shown and "timeouts" in shown and max(map(len, shown.splitlines())) <= 80, shown
            two.stop()
            soft = wait_until(lambda: next((e for e in node.events("--kind", "verdict") if e["now"] == "soft-fail"), None), SECONDS, "a soft verdict", 0.1)
            assert soft["why"].startswith("backends of edge.test: none of 2 answers for "), soft
            assert "stale answers are given for " in soft["why"], soft
            wait_until(lambda: not any(site.routes()), SECONDS, lambda: f"withdrawn: {checks(node)}", 0.1)
            assert "no stale answers are given any more" in checks(node)["why"], checks(node)
            hard = next(e for e in node.events("--kind", "verdict") if e["now"] == "hard-fail")
            assert hard["at"] > soft["at"] if "at" in hard else True
            seen = [(e["subject"], e["old"], e["now"]) for e in node.events("--kind", "backend")]
            assert ("edge v4", "up", "down") in seen and ("edge two", "up", "down") in seen, seen
            two.start()
            wait_until(lambda: servers(node)["edge", "two"]["state"] == "up", SECONDS, "one is up again", 0.1)
            node.wait_announced(SECONDS)
            # A successor of watch goes on with what it knew.
            before = servers(node)["edge", "two"]["checks"]
            old = node.pids()["watch", 0]
            os.kill(old, 9)
            wait_until(lambda: node.pids().get(("watch", 0), old) != old, SECONDS, "another watch")
            wait_until(lambda: servers(node)["edge", "two"]["checks"] > before, SECONDS, "its checks go on", 0.1)
            assert not any(e["subject"] == "edge two" and e["old"] == "unknown" for e in node.events("--kind", "backend")[len(seen) + 1:])


def test_loops(site, tmp_path):
    """A server that forwards to the node itself is found, over both families, and told from one that just refuses; the pool's good server goes on."""
    with Knot(site, tmp_path) as knot, Knot(site, tmp_path, zone="other.test") as stranger, Relay(site) as relay:
        more = "".join(f"      - {{name: {n}, address: {at(ADDRESSES[0], k.port)}}}\n" for n, k in (("good", knot), ("stranger", stranger)))
        circle = pool("circle", relay.port).replace("    check", more + "    check")
        with Node(site, tmp_path, announced=False, change=fleet_of([circle], [("edge.test", "circle")])) as node:
            wait_until(site.announced, SECONDS, lambda: f"announced: {node.status()['networks'][0]}", 0.1)
            wait_until(lambda: all(servers(node)["circle", f]["loops"] for f in ("v4", "v6")), SECONDS, lambda: f"loops: {servers(node)}", 0.1)
            got = servers(node)
            for f in ("v4", "v6"):
                assert got["circle", f]["state"] == "down"
                assert got["circle", f]["why"].startswith("its questions come back to this node"), got
            wait_until(lambda: servers(node)["circle", "stranger"]["state"] == "down", SECONDS, "the stranger is down", 0.1)
            wait_until(lambda: servers(node)["circle", "good"]["state"] == "up", SECONDS, "the good one is up", 0.1)
            got = servers(node)
            assert got["circle", "stranger"]["why"].startswith("answered REFUSED"), got
            assert not got["circle", "good"]["loops"] and not got["circle", "stranger"]["loops"], got
            assert node.status()["backends"]["loops"] > 0
            assert "LOOPS" in node.zonecast("status").stdout


def test_only_backends_and_what_they_answer(site, tmp_path):
    """A node without zones of its own announces. What an answer must have; a pool that comes with a reload and never answers does not take the network away."""
    with Knot(site, tmp_path) as knot:
        good = [pool("code", knot.port, check=", name: other.test, rcode: REFUSED"), pool("text", knot.port, check=", name: www.edge.test, type: A, contains: 192.0.2.80")]
        zones = [("edge.test", "text"), (".", "code")]
        with Node(site, tmp_path, announced=False, change=fleet_of(good, zones, only=True)) as node:
            wait_states(node, "up")
            wait_until(site.announced, SECONDS, lambda: f"announced: {node.status()['networks'][0]}", 0.1)
            assert checks(node)["why"].endswith("its zones are those of backends"), checks(node)
            listed = {z["name"]: (z["state"], z["backends"]) for z in node.control("zone", "list")}
            assert listed == {"edge.test.": ("backends", "text"), ".": ("backends", "code")}, listed
            assert "backends text" in node.zonecast("zone", "list").stdout
            for verb in (("show",), ("reload",), ("status",), ("history",), ("publish",), ("retransfer",)):
                said = node.zonecast("zone", *verb, "edge.test")
                assert said.returncode == 1 and 'backends "text" answer for this zone' in said.stderr, (verb, said)
            bad = [*good, pool("other", knot.port, check=", name: www.edge.test, type: A, contains: 192.0.2.81"), pool("nobody", next(PORTS))]
            node.fleet(change=fleet_of(bad, [*zones, ("bad.test", "other"), ("worse.test", "nobody")], only=True))
            done = node.zonecast("reload")
            assert done.returncode == 0, done.stderr
            down = wait_states(node, "down", ("other", "nobody"))
            assert all("answered without the record \"192.0.2.81\"" in down["other", f]["why"] for f in ("v4", "v6")), down
            assert all("refused, nothing listens there" in down["nobody", f]["why"] for f in ("v4", "v6")), down
            soft = wait_until(lambda: checks(node)["verdict"] == "soft-fail" and checks(node)["why"], SECONDS, "a soft verdict", 0.1)
            assert "none of 2 has answered yet; " in soft and "(and 1 more zone)" in soft, soft
            assert all(s["state"] == "up" for k, s in servers(node).items() if k[0] in ("code", "text"))
            assert site.announced()
            node.fleet(change=fleet_of(good, zones, only=True))
            assert node.zonecast("reload").returncode == 0
            wait_until(lambda: checks(node)["verdict"] == "pass" and len(servers(node)) == 4, SECONDS, "as before", 0.1)


@contextlib.contextmanager
def firewall(ns, hook, rule):
    """With one rule of nftables in the namespace."""
    ns.run(["nft", f"add table inet zct; add chain inet zct c {{ type filter hook {hook} priority 0; }}; add rule inet zct c {rule}"])
    try:
        yield
    finally:
        ns.run(["nft", "delete table inet zct"])


def test_a_firewall_before_the_server(site, tmp_path):
    """Who lets nobody through says so by ICMP: the server is down, over both families and transports, and no check is left out for it."""
    port = next(PORTS)
    pools = [pool("udp", port, check=", name: edge.test"), pool("tcp", port, "    over: tcp\n", check=", name: edge.test")]
    with firewall(site.rtr, "input", f"th dport {port} reject with icmpx type admin-prohibited"):
        with Node(site, tmp_path, announced=False, change=fleet_of(pools, [("edge.test", "udp"), ("tcp.edge.test", "tcp")])) as node:
            down = wait_states(node, "down")
            assert {k: s["why"].split(" to SOA")[0] for k, s in down.items()} == {
                (p, f): "no route to the server" if f == "v4" else "prohibited by a router or firewall on the way" for p in ("udp", "tcp") for f in ("v4", "v6")}
            assert "did not count" not in node.log()


def test_checks_that_cannot_be_made(site, tmp_path):
    """A firewall of the node itself keeps its questions: the servers' state does not hold for ever, and is found out again."""
    with Knot(site, tmp_path) as knot, Node(site, tmp_path, announced=False, change=fleet_of([pool("edge", knot.port)], [("edge.test", "edge")])) as node:
        wait_states(node, "up")
        with firewall(site.pop, "output", f"udp dport {knot.port} drop"):
            unknown = wait_states(node, "unknown")
            assert all(s["why"] == "not known: its checks cannot be made: Operation not permitted" for s in unknown.values()), unknown
            assert {(e["subject"], e["old"], e["now"]) for e in node.events("--kind", "backend")} >= {(f"edge {f}", "up", "unknown") for f in ("v4", "v6")}
        wait_states(node, "up")


def test_a_zone_that_comes_with_a_reload(site, tmp_path):
    """Its pool was in the file when the node began, and then had no zone: it has not answered yet, which takes the network away from a node that has just begun, but not after a reload."""
    with Knot(site, tmp_path) as knot:
        pools, one = [pool("edge", knot.port), pool("nobody", next(PORTS))], [("edge.test", "edge")]
        both = [*one, ("bad.test", "nobody")]
        with Node(site, tmp_path, announced=False, change=fleet_of(pools, both)) as node:
            wait_until(lambda: checks(node)["verdict"] == "hard-fail" and "none of 2 has answered yet" in checks(node)["why"], SECONDS, lambda: f"hard: {checks(node)}", 0.1)
            node.fleet(change=fleet_of(pools, one))
            assert node.zonecast("reload").returncode == 0
            wait_until(lambda: checks(node)["verdict"] == "pass", SECONDS, lambda: f"pass: {checks(node)}", 0.1)
            idle = servers(node)["nobody", "v4"]
            assert idle["state"] == "unknown" and idle["why"].startswith("not checked: "), idle
            node.fleet(change=fleet_of(pools, both))
            assert node.zonecast("reload").returncode == 0
            failed = wait_until(lambda: checks(node)["verdict"] != "pass" and checks(node), SECONDS, "a verdict", 0.1)
            assert failed["verdict"] == "soft-fail" and "none of 2 has answered yet" in failed["why"], failed


def test_a_zone_that_comes_back_with_a_reload(site, tmp_path):
    """Its pool answered once, had no zone for longer than stale answers are given, and does not answer any more: no worse than one that never did."""
    with Knot(site, tmp_path) as knot, Knot(site, tmp_path, zone="old.test") as old:
        pools, one = [pool("edge", knot.port), pool("old", old.port, "    stale-for: 1s\n")], [("edge.test", "edge")]
        both = [*one, ("old.test", "old")]
        with Node(site, tmp_path, announced=False, change=fleet_of(pools, both)) as node:
            wait_states(node, "up")
            node.fleet(change=fleet_of(pools, one))
            assert node.zonecast("reload").returncode == 0
            wait_states(node, "unknown", ("old",))
            old.stop()
            wait_until(lambda: servers(node)["old", "v4"]["checked_ms"] > 1500, SECONDS, "stale answers to be too old", 0.1)
            node.fleet(change=fleet_of(pools, both))
            assert node.zonecast("reload").returncode == 0
            failed = wait_until(lambda: checks(node)["verdict"] != "pass" and checks(node), SECONDS, "a verdict", 0.1)
            assert failed["verdict"] == "soft-fail" and "none of 2 has answered yet" in failed["why"], failed


def test_a_session_that_cannot_be_resumed(site, tmp_path):
    """A server that breaks resumed connections fails a check now and then, but is not down for good: after a failure it is asked without a session."""
    with Forgetful(site, tmp_path) as server:
        tls = f"tls-auth:\n  - {{name: it, server-name: ns.edge.test, ca-file: {server.ca.file}}}\n"
        pools = [pool("edge", server.port, "    over: tls\n    tls: it\n", check=", name: edge.test, rcode: REFUSED, rise: 1, fall: 2", addresses=ADDRESSES[:1])]
        with Node(site, tmp_path, announced=False, change=fleet_of(pools, [("edge.test", "edge")], tls=tls)) as node:
            wait_states(node, "up")
            wait_until(lambda: server.resumed > 5, SECONDS, lambda: f"sessions are resumed: {server.resumed}; {servers(node)}", 0.1)
            seen = servers(node)["edge", "v4"]
            assert seen["state"] == "up" and seen["checks"] - seen["failures"] >= 4, seen
