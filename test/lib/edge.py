# SPDX-License-Identifier: BSD-2-Clause
"""A node in front of other name servers: it and they in one namespace, clients in another, on one cable.

    with Edge(folder, zones, [Knot, Bind]) as edge:    # the node is up, the servers answer
        edge.ask("www.example.", "A")
        edge.direct(0, "www.example.", "A")            # the same of a server itself
        edge.status()
"""
import json
import os
import socket
import subprocess
import threading
import time

import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import dns.rrset

from netns import Net, stop_process, wait_until
from paths import ZONECAST

PROXY = b"\r\n\r\n\0\r\nQUIT\n"
NODE = {"v4": "10.9.0.2", "v6": "2001:db8:9::2"}
CLIENT = {"v4": "10.9.0.1", "v6": "2001:db8:9::1"}
FLEET = """fleet: test
networks:
  - name: global
    prefixes: [192.0.2.0/24, "2001:db8:53::/48"]
    addresses: [192.0.2.53, "2001:db8:53::53"]
    as: 64500
nodes:
  - name: edge
    role: pop
    networks: [global]
    management: [10.9.0.2, "2001:db8:9::2"]
    workers: {workers}
    bgp: {{router-id: 10.9.0.2, neighbors: [{{address: 10.9.0.1, as: 64601}}]}}
answer:
  rate-limit: {{answers: 0, referrals: 0, no-data: 0, no-names: 0, errors: 0}}
{answer}
backends:
{backends}
zones:
{zones}"""


def inside(server, ns):
    """A class of servers.py, run in a namespace."""
    class Inside(server):
        def spawn(self, argv):
            with open(self.path("log"), "ab") as log:
                self.process = ns.popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                        env=dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin"))

        def answers(self):
            return all(reply is not None and reply.rcode() == 0 and reply.answer
                       for reply in (exchange(ns, self.address, z, "SOA", port=self.port, timeout=1) for z in self.waits_for or self.zones))
    return Inside


def exchange(ns, where, name, rrtype, port=53, timeout=5, tcp=False, raw=False, source=None, **query):
    """The reply, or None."""
    family = socket.AF_INET6 if ":" in where else socket.AF_INET
    message = dns.message.make_query(name, rrtype, **query) if isinstance(name, str) else name
    try:
        with ns.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as s:
            s.settimeout(timeout)
            if source:
                s.bind((source, 0))
            s.connect((where, port))
            if tcp:
                dns.query.send_tcp(s, message)
                return dns.query.receive_tcp(s, time.time() + timeout)[0]
            s.send(message.to_wire())
            got = s.recv(65535)
            if raw:
                return got
            reply = dns.message.from_wire(got)
            assert reply.id == message.id
            return reply
    except (OSError, dns.exception.DNSException):
        return None


def said(reply):
    """What of an answer has to be the same, whoever gives it."""
    flags = dns.flags.AA | dns.flags.TC | dns.flags.RA | dns.flags.AD | dns.flags.RD
    return (reply.rcode(), dns.flags.to_text(reply.flags & flags),
            [sorted(r for rrset in section for r in rrset.to_text().lower().split("\n")) for section in reply.sections[1:]])


class Fake:
    """A backend of a few lines in a namespace, over UDP: keeps what it is asked, and answers as `answer(message, octets)` says: None, a message, octets, or several of those. hold() lets questions wait."""

    def __init__(self, ns, address="127.0.0.1", port=None, answer=None):
        self.address, self.asked, self.raw = address, [], []
        self.answer = answer or self.positive
        self.socket = ns.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port or 0))
        self.port = self.socket.getsockname()[1]
        self.free = threading.Event()
        self.free.set()
        self.lock = threading.Lock()
        self.peers = set()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @staticmethod
    def positive(query, _=None, ttl=300, text="192.0.2.77"):
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA
        q = query.question[0]
        if q.rdtype == dns.rdatatype.SOA:
            text = "ns1.example. host.example. 1 3600 600 86400 60"
        reply.answer.append(dns.rrset.from_text(q.name, ttl, "IN", q.rdtype, text))
        return reply

    @staticmethod
    def failing(rcode):
        def answer(query, _=None):
            reply = dns.message.make_response(query)
            reply.set_rcode(rcode)
            return reply
        return answer

    def _run(self):
        while True:
            try:
                got, peer = self.socket.recvfrom(65535)
            except OSError:
                return
            octets = got[16 + int.from_bytes(got[14:16], "big"):] if got.startswith(PROXY) else got
            query = dns.message.from_wire(octets)
            with self.lock:
                self.asked.append(query)
                self.raw.append(got)
                self.peers.add(peer[1])
            threading.Thread(target=self._answer, args=(query, octets, peer), daemon=True).start()

    def _answer(self, query, octets, peer):
        if query.question[0].rdtype != dns.rdatatype.SOA:  # checks go on meanwhile
            self.free.wait(60)
        out = self.answer(query, octets)
        for one in out if isinstance(out, list) else [out]:
            if one is not None:
                self.socket.sendto(one if isinstance(one, bytes) else one.to_wire(), peer)

    def count(self, name, rrtype="A"):
        """How often that was asked."""
        with self.lock:
            return sum(q.question[0].name == dns.name.from_text(name) and q.question[0].rdtype == dns.rdatatype.from_text(rrtype) for q in self.asked)

    def last(self, name):
        with self.lock:
            return [(q, r) for q, r in zip(self.asked, self.raw) if q.question[0].name == dns.name.from_text(name)][-1]

    def hold(self):
        self.free.clear()

    def go_on(self):
        self.free.set()

    def close(self):
        self.free.set()
        self.socket.close()


class Edge:
    def __init__(self, folder, zones, servers, pool="policy: ordered, stale-for: 0", workers=1, answer="", names=("example.",), check="interval: 200ms, timeout: 400ms", start=True):
        """servers: classes of servers.py, all with `zones` (as there); pool: the rest of the pool's options."""
        self.folder, self.process, self.fakes = str(folder), None, []
        self.net = Net()
        self.node, self.world = self.net.namespace("node"), self.net.namespace("world")
        try:
            self.net.veth(self.node, "up0", [f"{NODE['v4']}/24", f"{NODE['v6']}/64"], self.world, "pop0", [f"{CLIENT['v4']}/24", f"{CLIENT['v6']}/64"])
            self.servers = []
            for i, server in enumerate(servers):
                os.makedirs(self.path(str(i)), exist_ok=True)
                self.servers.append(inside(server, self.node)(self.path(str(i)), zones))
            self.options = {"pool": pool, "workers": workers, "answer": answer, "names": names, "check": check, "zones": ""}
            self.started = start
        except BaseException:
            self.net.close()
            raise

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write_fleet(self, servers=None, **options):
        """The fleet file; servers: [(name, address, port, more)], default: those that were begun here."""
        o = {**self.options, **options}
        self.options = o
        rows = servers or [(f"s{i}", s.address, s.port, "") for i, s in enumerate(self.servers)]
        text = ", ".join(f'{{name: {n}, address: "{f"[{a}]" if ":" in a else a}:{p}"{more}}}' for n, a, p, more in rows)
        backends = f"  - {{name: behind, servers: [{text}], {o['pool']}, check: {{{o['check']}}}}}\n"
        zones = "".join(f'  - {{name: "{n}", backends: behind, network: global}}\n' for n in o["names"]) + o["zones"]
        with open(self.path("fleet.yaml"), "w", encoding="utf-8") as f:
            f.write(FLEET.format(workers=o["workers"], answer=o["answer"], backends=backends, zones=zones))

    def fake(self, **how):
        """A Fake beside the node, closed with it."""
        self.fakes.append(Fake(self.node, **how))
        return self.fakes[-1]

    def begin(self, servers, **options):
        """With servers that are begun here, by hand: fakes, or anything with an address and a port."""
        self.write_fleet([(f"s{i}", s.address, s.port, "") for i, s in enumerate(servers)], **options)
        self.run_node()

    def log(self):
        with open(self.path("log"), encoding="latin-1") as f:
            return f.read()

    def run_node(self):
        with open(self.path("log"), "ab") as log:
            self.process = self.node.popen([ZONECAST, "run", "--config", self.path("fleet.yaml"), "--node", "edge", "--run-dir", self.path("run"),
                                            "--state-dir", self.path("state")], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: self.process.poll() is not None or "\nready\n" in "\n" + self.log(), 60, lambda: f"ready:\n{self.log()}")
        assert self.process.poll() is None, self.log()

    def __enter__(self):
        try:
            for s in self.servers:
                s.__enter__()
            if self.started:
                self.write_fleet()
                self.run_node()
        except BaseException:
            self.close()
            raise
        return self

    def close(self):
        try:
            if self.process:
                stop_process(self.process, timeout=30)
        finally:
            for f in self.fakes:
                f.close()
            self.net.close()

    def __exit__(self, *_):
        self.close()
        assert "AddressSanitizer" not in self.log() and "runtime error:" not in self.log(), self.log()[-5000:]

    def ask(self, name, rrtype="A", where="v4", **how):
        return exchange(self.world, NODE[where], name, rrtype, **how)

    def direct(self, i, name, rrtype="A", **how):
        return exchange(self.node, self.servers[i].address, name, rrtype, port=self.servers[i].port, **how)

    def command(self, *args, code=0):
        done = subprocess.run(self.node.argv([ZONECAST, *args, "--run-dir", self.path("run"), "--config", self.path("fleet.yaml")]), check=False, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert code is None or done.returncode == code, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}\n{self.log()[-3000:]}"
        return done.stdout

    def status(self):
        return json.loads(self.command("status", "--json", code=None))

    def pids(self):
        """Role and index to pid."""
        with open(self.path("run", "pids"), encoding="ascii") as f:
            return {(r, int(i)): int(p) for r, i, p in (line.split() for line in f)}
