# SPDX-License-Identifier: BSD-2-Clause
"""A node whose service addresses are flooded, and how long management takes meanwhile: SOA at its management addresses over UDP and TCP, its status as other nodes ask for it,
HTTP, and the control socket.

    with Plane(folder) as plane:
        with plane.flood(seconds=5):
            for way in plane.ways():
                print(way.name, percentiles(plane.measure(way, count=100)))
"""
import contextlib
import json
import os
import socket
import struct
import subprocess
import time

import dns.message
import dns.rcode

from netns import Net, stop_process, wait_until
from paths import BUILD, ZONECAST
from streamnode import exactly

BLAST = os.path.join(BUILD, "test", "bench", "blast")
MANAGEMENT = {"v4": "10.9.0.2", "v6": "2001:db8:9::2"}
SERVICE = {"v4": "192.0.2.53", "v6": "2001:db8:53::53"}
FLEET = """fleet: test
networks:
  - name: global
    prefixes: [192.0.2.0/24, "2001:db8:53::/48"]
    addresses: [192.0.2.53, "2001:db8:53::53"]
    as: 64500
nodes:
  - name: pop
    role: primary
    networks: [global]
    management: [10.9.0.2, "2001:db8:9::2"]
    workers: 2
  - name: other
    role: pop
    networks: [global]
    management: [10.9.0.1, "2001:db8:9::1"]
    bgp: {router-id: 10.9.0.1, neighbors: [{address: 10.9.0.7, as: 64601}]}
answer:
  rate-limit: {answers: 0, referrals: 0, no-data: 0, no-names: 0, errors: 0}
http: {open: true}
zones:
  - {name: example, file: example.zone, network: global}
"""
ZONE = "$TTL 300\n@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.1\n"
HTTP_PORT = 8053
GIVEN_UP_S = 5.0


def percentiles(times):
    """(p50, p99, largest) in milliseconds, and how many were given up; those count as GIVEN_UP_S."""
    t = sorted(GIVEN_UP_S if x is None else x for x in times)
    return tuple(round(1000 * t[min(len(t) - 1, int(len(t) * p))], 1) for p in (0.5, 0.99, 1.0)), sum(x is None for x in times)


class Plane:
    def __init__(self, folder, fleet=FLEET, role="pop"):
        self.folder, self.process = str(folder), None
        os.makedirs(self.folder, exist_ok=True)
        self.net = Net()
        self.node, self.world = self.net.namespace("node"), self.net.namespace("world")
        self.net.veth(self.node, "up0", ["10.9.0.2/24", "2001:db8:9::2/64"], self.world, "pop0", ["10.9.0.1/24", "2001:db8:9::1/64"])
        self.world.ip("route", "add", "192.0.2.0/24", "via", "10.9.0.2")
        self.world.ip("-6", "route", "add", "2001:db8:53::/48", "via", "2001:db8:9::2")
        bgp = "    bgp: {router-id: 10.9.0.2, neighbors: [{address: 10.9.0.1, as: 64601}]}\n" if role == "pop" else ""
        self.write("fleet.yaml", fleet.replace("role: primary\n", f"role: {role}\n{bgp}", 1))
        self.write("example.zone", ZONE)
        self.write("questions", "www.example. A\nexample. SOA\nnone.example. A\n")

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)

    def log(self):
        with open(self.path("log"), encoding="latin-1") as f:
            return f.read()

    def __enter__(self):
        try:
            with open(self.path("log"), "ab") as log:
                self.process = self.node.popen([ZONECAST, "run", "--config", self.path("fleet.yaml"), "--node", "pop", "--run-dir", self.path("run"),
                                                "--state-dir", self.path("state")], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            wait_until(lambda: self.process.poll() is not None or "\nready\n" in self.log(), 30, lambda: f"ready:\n{self.log()}")
            assert self.process.poll() is None, self.log()
            for where in SERVICE.values():
                wait_until(lambda w=where: self.once(self.world, "UDP", w) is not None, 20, f"an answer from {where}")
        except BaseException:
            self.net.close()
            raise
        return self

    def __exit__(self, *_):
        try:
            stop_process(self.process, timeout=30)
        finally:
            self.net.close()

    @contextlib.contextmanager
    def flood(self, where, seconds=60, clients=8, window=1024, rate=0):
        """As much as it can answer, or so many queries a second."""
        process = self.world.popen([BLAST, "-t", str(seconds), "-c", str(clients), "-w", str(window), "-r", str(rate), where, "53", self.path("questions")],
                                   stdout=subprocess.PIPE, text=True)
        try:
            yield process
        finally:
            if process.poll() is None:
                stop_process(process)
            process.communicate()

    def answered(self):
        """Answers given so far."""
        return json.loads(self.control('{"command":"status"}'))["status"]["queries"]["answers"]

    def control(self, request):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(GIVEN_UP_S)
            s.connect(self.path("run", "control.sock"))
            s.sendall(request.encode() + b"\n")
            got = b""
            while not got.endswith(b"\n"):
                more = s.recv(1 << 16)
                if not more:
                    break
                got += more
            return got

    def soa(self, s, tcp):
        q = dns.message.make_query("example.", "SOA")
        wire = q.to_wire()
        s.sendall(struct.pack(">H", len(wire)) + wire if tcp else wire)
        while True:
            got = exactly(s, struct.unpack(">H", exactly(s, 2))[0]) if tcp else s.recv(4096)
            m = dns.message.from_wire(got)
            if m.id == q.id:
                assert m.rcode() == dns.rcode.NOERROR and m.answer, m
                return

    def once(self, ns, way, where):
        """One question by a new socket; seconds, or None."""
        if way == "control":
            began = time.monotonic()
            try:
                assert b'"ok":true' in self.control('{"command":"status"}').replace(b" ", b"")[:40]
            except (TimeoutError, ConnectionError):
                return None
            return time.monotonic() - began
        s = ns.socket(socket.AF_INET6 if ":" in where else socket.AF_INET, socket.SOCK_DGRAM if way == "UDP" else socket.SOCK_STREAM)
        with s:
            s.settimeout(GIVEN_UP_S)
            began = time.monotonic()
            try:
                s.connect((where, HTTP_PORT if way == "HTTP" else 53))
                if way == "HTTP":
                    host = f"[{where}]" if ":" in where else where
                    s.sendall(f"GET /api/v1/status HTTP/1.1\r\nHost: {host}:{HTTP_PORT}\r\nConnection: close\r\n\r\n".encode())
                    got = b""
                    while True:
                        more = s.recv(1 << 16)
                        if not more:
                            break
                        got += more
                    assert got.startswith(b"HTTP/1.1 200"), got[:200]
                else:
                    self.soa(s, way == "TCP")
            except (TimeoutError, ConnectionError, OSError) as e:
                if isinstance(e, AssertionError):
                    raise
                return None
            return time.monotonic() - began

    def ways(self):
        """(name, way, address) of all there is to ask."""
        return [(f"{way} {family}", way, MANAGEMENT[family]) for way in ("UDP", "TCP", "HTTP") for family in MANAGEMENT] + [("control", "control", "")]

    def measure(self, way, where, count, pause=0.01):
        times = []
        for _ in range(count):
            times.append(self.once(self.world, way, where))
            time.sleep(pause)
        return times
