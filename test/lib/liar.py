# SPDX-License-Identifier: BSD-2-Clause
"""A primary that does what it is told to: each lie is a function that takes the query and gives the messages to send over TCP, as octets, or None to hang.

    with Liar("example.", 5, lie) as primary: ...       # answers SOA over UDP with serial 5, and everything over TCP with the lie
"""
import selectors
import socket
import struct
import threading

import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset

from servers import free_port

REFRESH = "1 1 86400 60"


def soa(zone, serial, timers=REFRESH):
    return dns.rrset.from_text(zone, 300, "IN", "SOA", f"ns1.{zone} host.{zone} {serial} {timers}")


def apex(zone):
    return [dns.rrset.from_text(zone, 300, "IN", "NS", f"ns1.{zone}"), dns.rrset.from_text(f"ns1.{zone}", 300, "IN", "A", "192.0.2.1")]


def reply(query, rrsets, rcode=0, sign=None):
    """The octets of an answer with these RRsets in this order."""
    m = dns.message.make_response(query)
    m.flags |= dns.flags.AA
    m.set_rcode(rcode)
    m.use_edns(False)
    m.answer.extend(rrsets)
    if sign:
        sign(m)
    elif query.had_tsig:
        m.use_tsig(query.keyring, keyname=query.keyname)
    return m.to_wire(max_size=65535)


class Liar:
    def __init__(self, zone, serial, lie, key=None, udp=True):
        self.zone, self.serial, self.lie, self.key, self.answers_udp = zone, serial, lie, key, udp
        self.address, self.port = "127.0.0.1", free_port()
        self.asked = []  # types over TCP
        self.tcp = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._loop)]

    def _query(self, octets):
        return dns.message.from_wire(octets, keyring=self.key.ring if self.key else None)

    def _loop(self):
        with selectors.DefaultSelector() as sel:
            sel.register(self.tcp, selectors.EVENT_READ)
            sel.register(self.udp, selectors.EVENT_READ)
            while not self.ending.is_set():
                for ready, _ in sel.select(0.05):
                    if ready.fileobj is self.tcp:
                        self.threads.append(threading.Thread(target=self._serve, args=(self.tcp.accept()[0],)))
                        self.threads[-1].start()
                        continue
                    octets, client = self.udp.recvfrom(65535)
                    if self.answers_udp:
                        query = self._query(octets)
                        self.udp.sendto(reply(query, [soa(query.question[0].name.to_text(), self.serial)]), client)

    def _serve(self, conn):
        with conn:
            conn.settimeout(20)
            try:
                n, = struct.unpack("!H", conn.recv(2, socket.MSG_WAITALL))
                query = self._query(conn.recv(n, socket.MSG_WAITALL))
                self.asked.append(dns.rdatatype.to_text(query.question[0].rdtype))
                for octets in self.lie(query):
                    if self.ending.is_set():
                        return
                    if octets is None:  # hang
                        self.ending.wait(60)
                        return
                    conn.settimeout(5)
                    conn.sendall(struct.pack("!H", len(octets)) + octets)
            except (OSError, struct.error):
                pass

    def __enter__(self):
        self.threads[0].start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for t in self.threads:
            t.join()
        self.tcp.close()
        self.udp.close()
