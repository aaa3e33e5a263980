# SPDX-License-Identifier: BSD-2-Clause
"""unbound as a validating resolver in a node's namespace, for zones that the node serves.

    with Unbound(node.ns, folder, "example.com.", [V4, V6], anchor) as u:
        reply = u.ask("www.example.com.", "A", source="10.7.0.1")

It keeps nothing longer than a second; flush() makes it forget even that. subnets=True: it tells the servers its clients' networks (RFC 7871), and keeps answers by scope, as long as they say.
"""
import socket

import dns.flags
import dns.message
import dns.query

from netns import wait_until
from program import Program

ADDRESSES = ["10.54.0.1", "2001:db8:54::1"]


class Unbound(Program):
    def __init__(self, ns, folder, zone, servers, anchor, subnets=False, name="unbound"):
        super().__init__(ns, folder, name)
        self.zone, self.servers, self.subnets = zone, servers, subnets
        self.anchor = self.write("anchor", anchor)

    def start(self):
        subnets = "".join(f"  send-client-subnet: {s}\n" for s in self.servers) if self.subnets else ""
        conf = self.write("unbound.conf", f"""server:
  username: ""
  chroot: ""
  directory: "{self.folder}"
  pidfile: "{self.path("pid")}"
  use-syslog: no
  logfile: ""
  log-time-ascii: no
  verbosity: 1
  val-log-level: 2
  num-threads: 1
  do-daemonize: no
  do-not-query-localhost: no
  interface: {ADDRESSES[0]}
  interface: {ADDRESSES[1]}
  access-control: 0.0.0.0/0 allow
  access-control: ::0/0 allow
  qname-minimisation: no
  aggressive-nsec: no
  prefetch: no
  edns-buffer-size: 1232
  trust-anchor-signaling: no
  root-key-sentinel: no
  target-fetch-policy: "0 0 0 0 0"
  module-config: "{"subnetcache " if self.subnets else ""}validator iterator"
  trust-anchor-file: "{self.anchor}"
{subnets}{"" if self.subnets else "  cache-max-ttl: 0" + chr(10)}remote-control:
  control-enable: yes
  control-interface: "{self.path("control")}"
  control-use-cert: no
stub-zone:
  name: "{self.zone}"
{"".join(f"  stub-addr: {s}{chr(10)}" for s in self.servers)}""")
        for a in ADDRESSES:
            self.ns.ip("addr", "replace", a, "dev", "lo", *(["nodad"] if ":" in a else []))
        self.spawn(["unbound", "-d", "-p", "-c", conf])
        try:
            wait_until(self.answers, 30, lambda: f"unbound answers:\n{self.log()[-3000:]}")
        except BaseException:
            self.stop()
            raise

    def answers(self):
        assert self.process.poll() is None, self.log()[-3000:]
        try:
            return self.ask(self.zone, "SOA", timeout=2).rcode() == 0
        except (OSError, dns.exception.DNSException):
            return False

    def ask(self, name, qtype, family=0, source=None, timeout=20, **more):
        """With DO; over TCP where that is needed. source: a client's address."""
        query = dns.message.make_query(name, qtype, want_dnssec=True, **more)
        where = ADDRESSES[family]
        with self.connect(where, socket.SOCK_DGRAM, source, timeout) as s:
            s.send(query.to_wire())
            while True:
                reply = dns.message.from_wire(s.recv(65535))
                if reply.id == query.id:
                    break
        if not reply.flags & dns.flags.TC:
            return reply
        with self.connect(where, socket.SOCK_STREAM, source, timeout) as s:
            dns.query.send_tcp(s, query)
            return dns.query.receive_tcp(s)[0]

    def connect(self, where, kind, source, timeout):
        s = self.ns.socket(socket.AF_INET6 if ":" in where else socket.AF_INET, kind)
        s.settimeout(timeout)
        if source:
            if ":" in source:
                s.setsockopt(socket.IPPROTO_IPV6, 78, 1)  # IPV6_FREEBIND
            s.bind((source, 0))
        s.connect((where, 53))
        return s

    def control(self, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(self.path("control"))
            s.sendall(f"UBCT1 {command}\n".encode())
            said = b""
            while part := s.recv(4096):
                said += part
        return said.decode()

    def flush(self, name):
        assert self.control(f"flush {name}").startswith("ok")
