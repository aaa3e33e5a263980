# SPDX-License-Identifier: BSD-2-Clause
"""A node of the fleet that is a script: answers questions about its status as it is told to, and remembers them."""
import socket
import threading
import time

import dns.exception
import dns.flags
import dns.message
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig

KEY_NAME = "transfer."


def keyring(secret):
    return {dns.name.from_text(KEY_NAME): dns.tsig.Key(KEY_NAME, secret, "hmac-sha256")}


def ask(ns, source, where, name, secret=None, tcp=False, timeout=3, pad=0):
    """The reply of `where` to a question from namespace ns and address source, and its length in octets; (None, 0): there is none."""
    query = dns.message.make_query(name, "TXT", dns.rdataclass.CH, use_edns=0, pad=pad)
    if secret:
        query.use_tsig(keyring(secret))
    wire = query.to_wire()
    family = socket.AF_INET6 if ":" in where else socket.AF_INET
    with ns.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        try:
            s.bind((source, 0))
            s.connect((where, 53))
            if tcp:
                s.sendall(len(wire).to_bytes(2, "big") + wire)
                got = b""
                while len(got) < 2 or len(got) < 2 + int.from_bytes(got[:2], "big"):
                    more = s.recv(65537)
                    if not more:
                        return None, 0, len(wire)
                    got += more
                got = got[2:]
            else:
                s.send(wire)
                got = s.recv(4096)
        except OSError:
            return None, 0, len(wire)
    return dns.message.from_wire(got, keyring=keyring(secret) if secret else None, request_mac=query.mac), len(got), len(wire)


def strings(reply):
    """The character-strings of the answer's one TXT record."""
    rrset, = reply.answer
    record, = rrset
    return [s.decode() for s in record.strings]


class FakePeer:
    """At `addresses` of namespace ns. `say` is the list of strings that it tells, `how` what is done with the answer's octets (None: nothing)."""

    def __init__(self, ns, addresses, secret, say):
        self.secret, self.say, self.how = secret, say, None
        self.asked = []  # questions about status: (monotonic time, name asked for, source address)
        self.sockets, self.ending = [], threading.Event()
        for a in addresses:
            s = ns.socket(socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_DGRAM)
            s.settimeout(0.1)
            s.bind((a, 53))
            self.sockets.append(s)
        self.threads = [threading.Thread(target=self._run, args=(s,), daemon=True) for s in self.sockets]
        for t in self.threads:
            t.start()

    def _run(self, s):
        while not self.ending.is_set():
            try:
                wire, client = s.recvfrom(4096)
                query = dns.message.from_wire(wire, keyring=keyring(self.secret) if self.secret else None)
            except (TimeoutError, dns.exception.DNSException):
                continue
            name = query.question[0].name.to_text()
            if name.endswith("status.zonecast."):
                self.asked.append((time.monotonic(), name, client[0]))
            say = self.say(name) if callable(self.say) else self.say
            if say is None:
                continue
            reply = dns.message.make_response(query)
            reply.flags |= dns.flags.AA
            text = " ".join('"' + t + '"' for t in say)
            reply.answer.append(dns.rrset.from_text(query.question[0].name, 0, dns.rdataclass.CH, dns.rdatatype.TXT, text))
            octets = reply.to_wire()
            octets = self.how(octets) if self.how else octets
            if octets:
                s.sendto(octets, client)

    def since(self, at):
        return [a for a in list(self.asked) if a[0] >= at]

    def close(self):
        self.ending.set()
        for t in self.threads:
            t.join(10)
        for s in self.sockets:
            s.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
