# SPDX-License-Identifier: BSD-2-Clause
"""An RPKI cache (RFC 8210, RFC 6810) that says what it is told to, in whatever way it is told to.

    with Cache(ns, "10.9.0.1", 8282) as cache:
        cache.set([("192.0.2.0/24", 24, 64500)])        # a new serial; clients are notified
        cache.manner = "silent"                          # how it answers from now on, see Cache.manners
        cache.down(); cache.up()                         # the machine, so to speak
"""
import ipaddress
import select
import socket
import struct
import threading

NOTIFY, SERIAL_QUERY, RESET_QUERY, RESPONSE, IPV4, IPV6, END, RESET, ERROR = 0, 1, 2, 3, 4, 6, 7, 8, 10


def pdu(version, kind, field, body=b""):
    return struct.pack("!BBHI", version, kind, field, 8 + len(body)) + body


def prefix_pdu(version, vrp, announce=True):
    prefix, most, asn = vrp
    net = ipaddress.ip_network(prefix)
    body = struct.pack("!BBBB", announce, net.prefixlen, most, 0) + net.network_address.packed + struct.pack("!I", asn)
    return pdu(version, IPV4 if net.version == 4 else IPV6, 0, body)


def error_pdu(version, code, text=b""):
    return pdu(version, ERROR, code, struct.pack("!II", 0, len(text)) + text)


class Cache:
    manners = ("good", "silent", "garbage", "close", "no-data", "reset-only", "broken-off", "other-session", "slow", "duplicate")

    def __init__(self, ns, address, port, vrps=(), version=1, timers=(3600, 600, 7200), bulk=0, refusal="error"):
        self.ns, self.address, self.port = ns, address, port
        self.version, self.timers, self.bulk = version, timers, bulk
        self.manner, self.refusal = "good", refusal  # refusal: of a version that is too high, "error" or "close"
        self.session, self.serial = 0x1234, 1
        self.vrps = {1: frozenset(vrps)}  # by serial
        self.queries = []   # (type, version, serial or None)
        self.errors = []    # (code, text) that clients sent
        self.lock = threading.Lock()
        self.clients = {}
        self.listener = None
        self.ending = threading.Event()
        self.thread = None

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, *_):
        self.down()

    def up(self):
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self.listener = self.ns.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((self.address, self.port))
        self.listener.listen(8)
        self.ending.clear()
        self.thread = threading.Thread(target=self._loop, daemon=True)
        self.thread.start()

    def down(self):
        if not self.thread:
            return
        self.ending.set()
        self.thread.join(10)
        self.thread = None

    def set(self, vrps, notify=True):
        with self.lock:
            self.serial += 1
            self.vrps[self.serial] = frozenset(vrps)
            if notify:
                for s, c in self.clients.items():
                    self._send(s, pdu(c["version"], NOTIFY, self.session, struct.pack("!I", self.serial)))

    def restart(self):
        """Another session: what clients know of serials is worth nothing."""
        with self.lock:
            self.session = self.session % 65535 + 1

    def say(self, octets):
        """To all that are connected."""
        with self.lock:
            for s in self.clients:
                self._send(s, octets)

    @staticmethod
    def _send(s, octets):
        try:
            s.sendall(octets)
        except OSError:
            pass

    def _loop(self):
        while not self.ending.is_set():
            ready = select.select([self.listener, *self.clients], [], [], 0.02)[0]
            for s in ready:
                if s is self.listener:
                    peer = s.accept()[0]
                    peer.settimeout(5)
                    with self.lock:
                        self.clients[peer] = {"in": b"", "version": self.version}
                else:
                    self._read(s)
        self.listener.close()
        with self.lock:
            for s in self.clients:
                s.close()
            self.clients = {}

    def _drop(self, s):
        s.close()
        self.clients.pop(s, None)

    def _read(self, s):
        with self.lock:
            try:
                got = s.recv(4096)
            except OSError:
                got = b""
            if not got:
                self._drop(s)
                return
            c = self.clients[s]
            c["in"] += got
            while s in self.clients and len(c["in"]) >= 8:
                version, kind, field, length = struct.unpack("!BBHI", c["in"][:8])
                if len(c["in"]) < length:
                    break
                body, c["in"] = c["in"][8:length], c["in"][length:]
                self._on(s, c, version, kind, field, body)

    def _on(self, s, c, version, kind, field, body):
        if kind == ERROR:
            at = 4 + struct.unpack("!I", body[:4])[0]
            self.errors.append((field, body[at + 4:].decode("latin-1")))
            self._drop(s)
            return
        serial = struct.unpack("!I", body)[0] if kind == SERIAL_QUERY else None
        self.queries.append((kind, version, serial))
        if version > self.version:
            if self.refusal == "error":
                self._send(s, error_pdu(0, 4, b"version 0 only"))
            self._drop(s)
            return
        c["version"] = version
        self._answer(s, version, field, serial)

    def _answer(self, s, version, session, serial):
        if self.manner == "silent":
            return
        if self.manner == "close":
            self._drop(s)
            return
        if self.manner == "garbage":
            self._send(s, b"\x01\x63" + bytes(range(200)))
            return
        if self.manner == "no-data":
            self._send(s, error_pdu(version, 2, b"not yet"))
            return
        known = serial is not None and session == self.session and serial in self.vrps and self.manner != "reset-only"
        if serial is not None and not known:
            self._send(s, pdu(version, RESET, 0))
            return
        now = self.vrps[self.serial]
        gone, come = (self.vrps[serial] - now, now - self.vrps[serial]) if known else ((), now)
        out = pdu(version, RESPONSE, self.session ^ (self.manner == "other-session"))
        out += b"".join(prefix_pdu(version, v, False) for v in gone) + b"".join(prefix_pdu(version, v) for v in sorted(come))
        if self.manner == "duplicate":
            out += b"".join(prefix_pdu(version, v) for v in sorted(now))
        if not known:
            out += b"".join(prefix_pdu(version, (f"100.{i >> 8 & 255}.{i & 255}.0/24", 24, 65000 + (i >> 16))) for i in range(self.bulk))
        if self.manner == "broken-off":
            self._send(s, out[:-3])
            self._drop(s)
            return
        end = struct.pack("!I", self.serial) + (struct.pack("!III", *self.timers) if version else b"")
        out += pdu(version, END, self.session, end)
        if self.manner == "slow":
            for i in range(0, len(out), 7):
                self._send(s, out[i:i + 7])
                self.ending.wait(0.01)
            return
        self._send(s, out)
