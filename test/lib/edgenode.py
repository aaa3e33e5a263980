# SPDX-License-Identifier: BSD-2-Clause
"""A node in front of name servers of the test's, all in one namespace: real ones (BIND, Knot) and fakes of a few lines.

    with EdgeNode(folder, pools=[Pool("tcp", [fake.at], over="tcp")], zones={"example": "tcp"}) as node:
        ...

Servers live at 10.53.0.2 and 2001:db8:53::2, which are on lo from the start. Make the namespace first when servers have to be there before the node: EdgeNet.
"""
import os
import socket
import struct
import threading

from netns import Net, wait_until
from program import Program
from servers import knot_server
from streamnode import V4, V6, StreamNode, exactly

B4, B6 = "10.53.0.2", "2001:db8:53::2"
CERTIFICATE = "tls: {certificate-file: cert.pem, key-file: key.pem}"


def text_of(at):
    address, port = at
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class EdgeNet:
    """The namespace, with the servers' addresses."""

    def __enter__(self):
        self.net = Net()
        try:
            self.ns = self.net.namespace("edge")
            for a in (B4, B6):
                self.ns.ip("addr", "add", a, "dev", "lo", *(["nodad"] if ":" in a else []))
            self.ns.ip("route", "add", "local", "10.0.0.0/8", "dev", "lo")
            self.ns.ip("-6", "route", "add", "local", "2001:db8::/32", "dev", "lo")
        except BaseException:
            self.net.close()
            raise
        return self

    def __exit__(self, *_):
        self.net.close()


class EdgeNode(StreamNode):
    """pools: {name: (servers [(address, port)], lines of the pool)}. zones: {zone: pool}. more: lines at the top level."""

    def __init__(self, folder, ns, pools, zones, answer="", more="", workers=1):
        self.pools, self.edge_zones, self.more = pools, zones, more
        super().__init__(folder, answer, ns=ns, workers=workers)

    def fleet(self, answer):
        lines = ["fleet: test", "nodes:",
                 f"  - {{name: {self.name}, role: primary, management: [{', '.join(self.addresses)}], workers: {self.workers}}}".replace(V6, f'"{V6}"'),
                 "answer:", *("  " + line for line in (answer or "udp-size: 1232").splitlines()), self.more, "backends:"]
        for name, (servers, more) in self.pools.items():
            lines += [f"  - name: {name}", "    check: {interval: 1h}",
                      "    servers: [" + ", ".join(f'{{address: "{text_of(s)}"}}' for s in servers) + "]", *("    " + line for line in more.splitlines())]
            if "patience" not in more:
                lines.append("    patience: 10s")  # machines that test are busy
        lines += ["zones:", "  - {name: own.test, file: example.zone}", *(f'  - {{name: "{zone}", backends: {pool}}}' for zone, pool in self.edge_zones.items())]
        self.write("fleet.yaml", "\n".join(line for line in lines if line) + "\n")


class Bind(Program):
    """head: text of named.conf before the options; zones: after them."""

    def __init__(self, ns, folder, port, zones, head="", options="", name="bind"):
        super().__init__(ns, folder, name)
        os.chmod(self.folder, 0o777)
        self.port, self.zones, self.head, self.options = port, zones, head, options

    def start(self):
        conf = self.write("named.conf", f"""{self.head}
options {{
  directory "{self.folder}"; pid-file "{self.folder}/named.pid"; session-keyfile "{self.folder}/session.key";
  listen-on port {self.port} {{ {B4}; }}; listen-on-v6 port {self.port} {{ {B6}; }};
  {self.options}
  recursion no; dnssec-validation no; notify no; minimal-responses yes;
}};
controls {{ }};
{self.zones}""")
        self.spawn(["named", "-g", "-n", "1", "-c", conf])
        wait_until(lambda: self.up() and "running" in self.log(), 60, lambda: f"BIND; log:\n{self.log()}")

    def up(self):
        assert self.process.poll() is None, self.log()
        return True


class Knot(Program):
    def __init__(self, ns, folder, port, rest, name="knot"):
        super().__init__(ns, folder, name)
        self.port, self.rest = port, rest

    def start(self):
        conf = self.write("knot.conf", knot_server(self.folder, f"{B4}@{self.port}", f"{B6}@{self.port}") + f"""log:
  - target: stderr
    any: info
{self.rest}""")
        self.spawn(["knotd", "-c", conf])
        wait_until(lambda: self.process.poll() is None and "server started" in self.log(), 60, lambda: f"Knot; log:\n{self.log()}")


class FakeTcp:
    """A server over TCP: serve(fake, connection, number) is run in a thread for each connection."""

    def __init__(self, ns, serve, address=B4):
        self.serve, self.connections, self.accepted = serve, [], 0
        self.listener = ns.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        self.listener.bind((address, 0))
        self.listener.listen(64)
        self.at = self.listener.getsockname()[:2]
        self.closed = False
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def run(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(s)
            self.accepted += 1
            threading.Thread(target=self.guard, args=(s, self.accepted), daemon=True).start()

    def guard(self, s, number):
        try:
            self.serve(self, s, number)
        except OSError:
            pass

    def __exit__(self, *_):
        self.closed = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for s in self.connections:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()


def take(s):
    """A message of a connection, without its length."""
    return exactly(s, struct.unpack(">H", exactly(s, 2))[0])


def give(s, message):
    s.sendall(struct.pack(">H", len(message)) + message)
