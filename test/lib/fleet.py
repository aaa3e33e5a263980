# SPDX-License-Identifier: BSD-2-Clause
"""A whole node as a fleet file describes it, beside a real router: the node in one namespace, BIRD and the clients in another.

    with Site(folder) as site:            # namespaces, BIRD
        with Node(site) as node:          # `zonecast run --config`; returns when announced and answering
            node.control("drain")
            site.ask(SERVICE[0])         # a client of the router: only an announced route leads there
"""
import json
import os
import select
import signal
import socket
import subprocess
import threading
import time

import dns.message
import dns.query

from netns import Net, stop_process, wait_until
from paths import SANITIZED, ZONECAST
from routers import Bird, Neighbor

OUR_AS, ROUTER_AS = 64500, 64601
SECRET = "k3yOfTheSession"
PREFIXES = ["192.0.2.0/24", "2001:db8:53::/48"]
SERVICE = ["192.0.2.53", "2001:db8:53::53"]
EXTRA = ["192.0.2.54", "2001:db8:53::54"]
SLOW = 10 if SANITIZED else 1

ZONE = "$TTL 300\n@ SOA ns1 host {serial} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.{serial}\n"
FLEET = """fleet: test
networks:
  - name: global
    prefixes: [192.0.2.0/24, "2001:db8:53::/48"]
    addresses: [{addresses}]
    as: 64500
    check: {{interval: 50ms, timeout: 400ms, fall: 2, rise: 4}}
    drain-time: {drain}
    rise-hold: 100ms
    last-pop: {last_pop}
nodes:
  - name: pop
    role: pop
    networks: [global]
    management: [10.9.0.2]
    workers: 2
    bgp:
      router-id: 10.9.0.2
      neighbors:
        - {{address: 10.9.0.1, as: 64601, password-file: {key}, families: [ipv4]{more}}}
        - {{address: "2001:db8:9::1", as: 64601, password-file: {key}, families: [ipv6]{more}}}
zones:
  - {{name: example, file: example.zone, network: global}}
{zones}"""


class Site:
    """Two namespaces on one cable, and BIRD (or another router) in the one that is not the node's; `neighbor`: what is said of the node there."""

    def __init__(self, folder, router=Bird, **neighbor):
        self.folder = str(folder)
        self.net = Net()
        try:
            self.pop, self.rtr = self.net.namespace("pop"), self.net.namespace("rtr")
            self.net.veth(self.pop, "up0", ["10.9.0.2/24", "2001:db8:9::2/64"], self.rtr, "pop0", ["10.9.0.1/24", "2001:db8:9::1/64"])
            self.bird = router(self.rtr, self.folder, ROUTER_AS, "10.9.0.1",
                             [Neighbor(a, OUR_AS, password=SECRET, **neighbor) for a in ("10.9.0.2", "2001:db8:9::2")]).start()
        except BaseException:
            self.net.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.net.close()

    def routes(self):
        return [self.bird.route(p) for p in PREFIXES]

    def announced(self):
        return all(self.routes())

    def ask(self, where, qtype="SOA", name="example.", ns=None, tcp=False, timeout=2):
        """The reply, or None. From the router's namespace if no other is named."""
        family = socket.AF_INET6 if ":" in where else socket.AF_INET
        try:
            with (ns or self.rtr).socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as s:
                s.settimeout(timeout)
                s.connect((where, 53))
                query = dns.message.make_query(name, qtype)
                if tcp:
                    dns.query.send_tcp(s, query)
                    return dns.query.receive_tcp(s, time.time() + timeout)[0]
                s.send(query.to_wire())
                return dns.message.from_wire(s.recv(4096))
        except (OSError, dns.exception.DNSException):
            return None

    def answers(self, where, **how):
        reply = self.ask(where, **how)
        return reply is not None and reply.rcode() == 0 and bool(reply.answer)

    def addresses_on_lo(self):
        """Beside the loopback addresses themselves."""
        found = json.loads(self.pop.run(["ip", "-j", "addr", "show", "dev", "lo"]))[0]["addr_info"]
        return sorted(a["local"] for a in found if a["local"] not in ("127.0.0.1", "::1"))


class Asker:
    """Asks the service addresses each 5 ms from the router's namespace, on sockets that stay and are many enough to meet each worker."""

    flows = 16

    def __init__(self, site):
        self.lost = {}
        self.sent = dict.fromkeys(SERVICE, 0)
        self.latest_ms = 0.0
        self.site = site
        self.ending = threading.Event()
        self.threads = []

    def __enter__(self):
        for where in SERVICE:
            sockets = [self.site.rtr.socket(socket.AF_INET6 if ":" in where else socket.AF_INET, socket.SOCK_DGRAM) for _ in range(self.flows)]
            for s in sockets:
                s.setblocking(False)
                s.connect((where, 53))
            self.threads.append(threading.Thread(target=self._run, args=(where, sockets), daemon=True))
        for t in self.threads:
            t.start()
        self.more(2 * self.flows)
        return self

    def more(self, count):
        """Wait until so many more have been asked of each address."""
        goal = {a: n + count for a, n in self.sent.items()}
        wait_until(lambda: all(self.sent[a] >= goal[a] for a in goal), 60, f"{count} more questions")

    def _take(self, ready, waiting):
        """Answers that are there; how many of them are no good ones."""
        bad = 0
        for s in ready:
            try:
                got = s.recv(4096)
            except OSError:  # told that there is no way: it stays missing
                continue
            began = waiting.pop(int.from_bytes(got[:2], "big"), None)
            if began is not None:
                self.latest_ms = max(self.latest_ms, (time.monotonic() - began) * 1000)
                bad += got[3] & 15 != 0 or got[6:8] == b"\0\0"
        return bad

    def _run(self, where, sockets):
        wire = dns.message.make_query("www.example.", "A", id=0).to_wire()
        waiting, bad, until = {}, 0, None
        while until is None or (waiting and time.monotonic() < until):
            next_at = time.monotonic() + 0.005
            if self.ending.is_set():
                until = until or time.monotonic() + 1
            else:
                number = self.sent[where] & 0xffff
                waiting[number] = time.monotonic()
                try:
                    sockets[number % self.flows].send(number.to_bytes(2, "big") + wire[2:])
                except OSError:  # no route: it will be missing
                    pass
                self.sent[where] += 1
            while (left := next_at - time.monotonic()) > 0:
                bad += self._take(select.select(sockets, [], [], left)[0], waiting)
        for s in sockets:
            s.close()
        self.lost[where] = len(waiting) + bad

    def __exit__(self, *_):
        self.ending.set()
        for t in self.threads:
            t.join(10)

    def __str__(self):
        return f"{sum(self.sent.values())} asked, {sum(self.lost.values())} lost, slowest {self.latest_ms:.0f} ms"


class Node:
    def __init__(self, site, folder, announced=True, **fleet):
        self.site, self.folder, self.announced = site, str(folder), announced
        self.process = None
        self.config = self.path("fleet.yaml")
        self.write("example.zone", ZONE.format(serial=1))
        self.write("bgp.key", SECRET + "\n", 0o600)
        self.fleet(**fleet)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def fleet(self, addresses=tuple(SERVICE), key="bgp.key", more="", zones="", drain="1s", last_pop="withdraw", change=None):
        text = FLEET.format(addresses=", ".join(f'"{a}"' for a in addresses), key=key, more=more, zones=zones, drain=drain, last_pop=last_pop)
        self.write("fleet.yaml", change(text) if change else text)

    def argv(self, *more):
        return [ZONECAST, "run", "--config", self.config, "--node", "pop", "--run-dir", self.path("run"), "--state-dir", self.path("state"), *more]

    def start(self):
        with open(self.path("log"), "ab") as log:
            self.process = self.site.pop.popen(self.argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: self.alive() and "\nready\n" in "\n" + self.log(), 30, lambda: f"ready; log:\n{self.log()}")
        if self.announced:
            self.wait_announced()

    def alive(self):
        assert self.process.poll() is None, f"the node ended with {self.process.returncode}:\n{self.log()}"
        return True

    def wait_announced(self, seconds=30):
        wait_until(self.site.announced, seconds, lambda: f"announced; log:\n{self.log()}")
        for where in SERVICE:
            wait_until(lambda w=where: self.site.answers(w), 10, f"an answer from {where}")

    def stop(self, sig=signal.SIGTERM, seconds=20):
        stop_process(self.process, sig, seconds)
        log = self.log()
        assert "ERROR: AddressSanitizer" not in log and "runtime error:" not in log, log[-5000:]
        return self.process.returncode

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            if self.process:
                stop_process(self.process)
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def log(self):
        with open(self.path("log"), encoding="latin-1") as f:
            return f.read()

    def pids(self):
        """Role and index to pid, as the supervisor tells."""
        with open(self.path("run", "pids"), encoding="ascii") as f:
            return {(r, int(i)): int(p) for r, i, p in (line.split() for line in f)}

    def zonecast(self, *args):
        """The finished process of a command to this node."""
        return subprocess.run([ZONECAST, *args, "--run-dir", self.path("run")], capture_output=True, text=True, timeout=60, check=False)

    def control(self, *args):
        done = self.zonecast(*args, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def events(self, *args):
        """What it tells of what has happened, oldest first."""
        done = self.zonecast("events", "--json", *args)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def status(self):
        """status --json whatever its exit code; None while it cannot be asked."""
        done = self.zonecast("status", "--json")
        return json.loads(done.stdout) if done.stdout else None
