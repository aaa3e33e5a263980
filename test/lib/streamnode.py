# SPDX-License-Identifier: BSD-2-Clause
"""A node as a fleet file describes it, alone in a namespace, for tests of TCP and TLS: clients have as many addresses as they like.

    with StreamNode(folder, answer="tcp: {idle: 1s}") as node:
        s = node.tcp(V4)                      # connected; source="10.1.2.3" to be someone else
        send(s, query("www.example."))
        receive(s)                            # a message, or None at the end of the connection
"""
import json
import os
import signal
import socket
import ssl
import struct
import subprocess

import dns.message

from netns import Net, stop_process, wait_until
from paths import ZONECAST

V4, V6 = "10.53.0.1", "2001:db8:53::1"
FAMILIES = [V4, V6]
IPV6_FREEBIND = 78
BIG = 60  # of TXT records of 1,000 octets
ZONE = ("$TTL 300\n@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.1\nns1 AAAA 2001:db8::1\nwww A 192.0.2.1\n" +
        "".join(f"big TXT \"{i:03}\" " + " ".join(['"' + "x" * 248 + '"'] * 4) + "\n" for i in range(BIG)))
FLEET = """fleet: test
nodes:
  - {{name: {name}, role: primary, management: [{addresses}], workers: {workers}}}
zones:
  - {{name: example, file: example.zone}}
answer:
{answer}
"""


def query(name="www.example.", qtype="A", **more):
    return dns.message.make_query(name, qtype, **more)


def frame(*queries):
    wires = [q if isinstance(q, bytes) else q.to_wire() for q in queries]
    return b"".join(struct.pack(">H", len(w)) + w for w in wires)


def send(s, *queries):
    s.sendall(frame(*queries))


def octets(s, count):
    """So many, or None when the connection ends before."""
    got = b""
    while len(got) < count:
        try:
            more = s.recv(count - len(got))
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            return None
        if not more:
            return None
        got += more
    return got


def exactly(s, count):
    """So many; ConnectionError when the connection ends before."""
    got = octets(s, count)
    if got is None:
        raise ConnectionError("the end")
    return got


def receive(s):
    head = octets(s, 2)
    body = octets(s, struct.unpack(">H", head)[0]) if head else None
    return dns.message.from_wire(body) if body else None


def ended(s, timeout):
    """True when the server ends the connection within so many seconds; what it says before is thrown away."""
    s.settimeout(timeout)
    try:
        while s.recv(65536):
            pass
        return True
    except (ConnectionResetError, ssl.SSLEOFError):
        return True
    except TimeoutError:
        return False


class StreamNode:
    """Use as a context manager. net: a netns.Net of the caller's; ns: a namespace that is there already."""

    def __init__(self, folder, answer="", name="hidden", workers=1, addresses=(V4, V6), ns=None, zone=ZONE):
        self.folder = str(folder)
        self.name, self.workers, self.addresses = name, workers, addresses
        self.net = None if ns else Net()
        self.process = None
        os.makedirs(self.folder, exist_ok=True)
        try:
            self.ns = ns or self.net.namespace("node")
            for a in addresses:
                self.ns.ip("addr", "add", a, "dev", "lo", *(["nodad"] if ":" in a else []))
            if not ns:
                # Any source address is ours.
                self.ns.ip("route", "add", "local", "10.0.0.0/8", "dev", "lo")
                self.ns.ip("-6", "route", "add", "local", "2001:db8::/32", "dev", "lo")
            self.write("example.zone", zone)
            self.fleet(answer)
        except BaseException:
            if self.net:
                self.net.close()
            raise

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def fleet(self, answer):
        lines = "\n".join("  " + line for line in (answer or "udp-size: 1232").splitlines())
        self.write("fleet.yaml", FLEET.format(name=self.name, workers=self.workers, answer=lines,
                                              addresses=", ".join(f'"{a}"' for a in self.addresses)))

    def start(self):
        with open(self.path("log"), "ab") as log:
            self.process = self.ns.popen([ZONECAST, "run", "--config", self.path("fleet.yaml"), "--node", self.name, "--run-dir", self.path("run"),
                                          "--state-dir", self.path("state")], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: self.alive() and "\nready\n" in "\n" + self.log(), 30, lambda: f"ready; log:\n{self.log()}")

    def alive(self):
        assert self.process.poll() is None, f"the node ended with {self.process.returncode}:\n{self.log()}"
        return True

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            if self.process:
                stop_process(self.process)
            if self.net:
                self.net.close()
            raise
        return self

    def __exit__(self, *_):
        try:
            stop_process(self.process, signal.SIGTERM, 20)
            log = self.log()
            assert "ERROR: AddressSanitizer" not in log and "runtime error:" not in log, log[-5000:]
            assert "ended signal" not in log and "hangs" not in log, log[-5000:]
        finally:
            if self.net:
                self.net.close()

    def log(self):
        with open(self.path("log"), encoding="latin-1") as f:
            return f.read()

    def pids(self):
        with open(self.path("run", "pids"), encoding="ascii") as f:
            return {(r, int(i)): int(p) for r, i, p in (line.split() for line in f)}

    def zonecast(self, *args):
        return subprocess.run([ZONECAST, *args], capture_output=True, text=True, timeout=60, check=False)

    def reload(self):
        return self.zonecast("reload", "--run-dir", self.path("run"))

    def counters(self):
        """`queries` of the status: sums over the workers."""
        done = self.zonecast("status", "--json", "--run-dir", self.path("run"))
        return json.loads(done.stdout)["queries"]

    def worker_status(self):
        return json.loads(self.zonecast("status", "--json", "--run-dir", self.path("run")).stdout)["workers"]

    def memory(self):
        """Pss in octets of the workers' own memory (not the store's, which is the page cache's)."""
        total = 0
        for (role, _), pid in self.pids().items():
            if role == "answer":
                with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
                    total += sum(int(line.split()[1]) * 1024 for line in f if line.startswith("Pss_Anon:"))
        return total

    def socket(self, where, kind=socket.SOCK_STREAM, source=None, protocol=0):
        s = self.ns.socket(socket.AF_INET6 if ":" in where else socket.AF_INET, kind, protocol)
        s.settimeout(20)
        if ":" in where:
            s.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        if source:
            s.bind((source, 0))
        return s

    def tcp(self, where=V4, source=None, port=53):
        s = self.socket(where, source=source)
        s.connect((where, port))
        return s

    def udp(self, where, message):
        with self.socket(where, socket.SOCK_DGRAM) as s:
            s.connect((where, 53))
            s.send(message.to_wire())
            return dns.message.from_wire(s.recv(65535))

    def tls(self, context, where=V4, session=None, name="dot.example", port=853):
        return context.wrap_socket(self.tcp(where, port=port), server_hostname=name, session=session)
