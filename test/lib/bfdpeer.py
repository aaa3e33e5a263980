# SPDX-License-Identifier: BSD-2-Clause
"""BFD from the router's side for tests: bfd_peer (our own sessions as a program, which do what they are told), and packets made by hand.

    peer = BfdPeer(ns, ["10.9.0.2"], interval=50)
    peer.wait("10.9.0.2", "up")
    peer.tell("admin down")
    send(ns, "10.9.0.2", packet(state=1), ttl=254)
"""
import os
import re
import socket
import struct
import subprocess
import threading
import time

from netns import wait_until
from paths import BUILD

PROGRAM = os.path.join(BUILD, "test", "lib", "bfd_peer")
ADMIN_DOWN, DOWN, INIT, UP = range(4)
POLL, FINAL = 0x20, 0x10


class BfdPeer:
    def __init__(self, ns, remotes, interval=300, multiplier=3, multihop=False):
        argv = [PROGRAM, f"interval-ms={interval}", f"multiplier={multiplier}", *(["multihop=1"] if multihop else []), *remotes]
        self.process = ns.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = []  # (monotonic time as the peer saw it, text)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        wait_until(lambda: any("ready" in t for _, t in self.lines), 10, "bfd_peer is ready")

    def _read(self):
        for line in self.process.stdout:
            first, _, rest = line.strip().partition(" ")
            self.lines.append((int(first) / 1000, rest) if first.isdigit() else (time.monotonic(), line.strip()))

    def tell(self, *commands):
        self.process.stdin.write("".join(c + "\n" for c in commands))
        self.process.stdin.flush()

    def changes(self, remote, since=0.0):
        return [(at, text) for at, text in list(self.lines) if at >= since and text.startswith(remote + " ")]

    def wait(self, remote, what, timeout=15, since=0.0):
        """When a line about this session that matches came."""
        def seen():
            return [at for at, text in self.changes(remote, since) if re.search(what, text)]
        return wait_until(seen, timeout, lambda: f"{remote} {what}; seen: {self.lines}")[0]

    def status(self):
        """{remote: {key: number or word}}, and "totals"."""
        before = len(self.lines)
        self.tell("status")
        wait_until(lambda: any(t.startswith("totals") for _, t in self.lines[before:]), 10, "bfd_peer's status")
        found = {}
        for _, text in self.lines[before:]:
            words = text.split()
            name = words[1] if words[0] == "status" else words[0]
            if words[0] in ("status", "totals"):
                pairs = (w.split("=", 1) for w in words[1:] if "=" in w)
                found[name] = {k: int(v) if v.isdigit() else v for k, v in pairs}
        return found

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(10)


def packet(state=DOWN, flags=0, diag=0, multiplier=3, length=24, mine=77, yours=0, tx=50000, rx=50000, version=1):
    return struct.pack(">BBBBIIIII", version << 5 | diag, state << 6 | flags, multiplier, length, mine, yours, tx, rx, 0)


def send(ns, where, octets, ttl=255, port=3784, count=1, source=""):
    v6 = ":" in where
    with ns.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP, socket.IPV6_UNICAST_HOPS if v6 else socket.IP_TTL, ttl)
        if source:
            s.bind((source, 0))
        for _ in range(count):
            s.sendto(octets, (where, port))
