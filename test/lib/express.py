# SPDX-License-Identifier: BSD-2-Clause
"""For tests of XDP: a site whose router end of the cable lets an XDP program's packets through, clients there, and what a node says of its way
past sockets."""
import socket
import subprocess

import dns.message

from fleet import Site
from netns import wait_until

PASS = '__attribute__((section("xdp"), used)) int pass(void *ctx) { return 2; }\n' \
       'char terms[] __attribute__((section("license"), used)) = "GPL";\n'
WWW = "www.example."
UNLIMITED = ", rate-limit: {answers: 0, referrals: 0, no-data: 0, no-names: 0, errors: 0}"


class ExpressSite(Site):
    """The router's end of the cable has a program that lets everything pass: without one, veth loses what an XDP program sends."""

    def __enter__(self):
        self.object = f"{self.folder}/pass.o"
        with open(f"{self.folder}/pass.c", "w", encoding="ascii") as f:
            f.write(PASS)
        subprocess.run(["clang", "-target", "bpf", "-O2", "-g", "-c", f"{self.folder}/pass.c", "-o", self.object], check=True, timeout=60)
        self.why = self.let_pass(True)
        return super().__enter__()

    def let_pass(self, wanted):
        """Whether what the node's program sends arrives. The reason when that cannot be had."""
        how = ["obj", self.object, "sec", "xdp"] if wanted else ["off"]
        done = subprocess.run(["ip", "-n", self.rtr.name, "link", "set", "dev", "pop0", "xdpdrv", *how], check=False, timeout=20,
                              capture_output=True, text=True)
        return None if done.returncode == 0 else f"no native XDP on veth here: {done.stderr.strip()}"


def with_xdp(word, more=""):
    return lambda text: text + f"answer: {{xdp: {word}{more}}}\n"


class Client:
    """One socket of the router's namespace, for questions in any form."""

    def __init__(self, site, where):
        self.socket = site.rtr.socket(socket.AF_INET6 if ":" in where else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(2)
        self.socket.connect((where, 53))

    def octets(self, query):
        self.socket.send(query.to_wire())
        return self.socket.recv(4096)

    def ask(self, query):
        return dns.message.from_wire(self.octets(query))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def answered(node, where):
    return node.status()["xdp"]["answered_ipv6" if ":" in where else "answered_ipv4"]


def heat(node, client, where, query):
    """Ask until the kernel answers it."""
    before = answered(node, where)

    def hot():
        for _ in range(20):
            client.ask(query)
        return answered(node, where) >= before + 10
    wait_until(hot, 20, lambda: f"answers from the kernel; {node.status()['xdp']}")
