# SPDX-License-Identifier: BSD-2-Clause
"""TCP Fast Open (RFC 7413) as anycast needs it: the cookie got at one node is good at another, which has the same address and the same secrets."""
import os
import socket
import struct

import pytest

from netns import Net, missing, wait_until
from streamnode import V4, V6, StreamNode, frame, query, receive

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "")
CLIENT = {V4: "10.54.0.1", V6: "2001:db8:54::1"}
ALLOW = 3  # net.ipv4.tcp_fastopen: clients and servers
SECRETS = ["00112233445566778899aabbccddeeff", "f0e1d2c3b4a5968778695a4b3c2d1e0f", "0123456789abcdef0123456789abcdef"]


class World:
    """A client between two nodes that hold the same addresses; routing decides to which one it comes."""

    def __init__(self, tmp_path, secrets):
        self.net = Net()
        try:
            self.client = self.net.namespace("client")
            self.spaces = [self.net.namespace(name) for name in ("a", "b")]
            for a in CLIENT.values():
                self.client.ip("addr", "add", a, "dev", "lo", *(["nodad"] if ":" in a else []))
            for i, ns in enumerate(self.spaces):
                self.net.veth(self.client, f"c{i}", [f"10.55.{i}.1/24", f"2001:db8:55:{i}::1/64"], ns, "up0", [f"10.55.{i}.2/24", f"2001:db8:55:{i}::2/64"])
                ns.ip("route", "add", CLIENT[V4], "via", f"10.55.{i}.1")
                ns.ip("-6", "route", "add", CLIENT[V6], "via", f"2001:db8:55:{i}::1")
            for ns in (self.client, *self.spaces):
                ns.run(["sh", "-c", f"echo {ALLOW} > /proc/sys/net/ipv4/tcp_fastopen"])
            self.nodes = []
            for name, ns, own in zip("ab", self.spaces, secrets):
                folder = tmp_path / name
                folder.mkdir()
                files = [f"cookie{i}" for i in range(len(own))]
                for file, secret in zip(files, own):
                    (folder / file).write_text(secret + "\n")
                    os.chmod(folder / file, 0o600)
                self.nodes.append(StreamNode(folder, f"cookies: {{secret-files: [{', '.join(files)}]}}", name=name, ns=ns))
        except BaseException:
            self.net.close()
            raise

    def towards(self, i):
        self.client.ip("route", "replace", V4, "via", f"10.55.{i}.2")
        self.client.ip("-6", "route", "replace", V6, "via", f"2001:db8:55:{i}::2")

    def reach(self, where):
        """Without a cookie, and none is asked for: a first segment that is lost while addresses are resolved is sent again without one."""
        with self.client.socket(socket.AF_INET6 if ":" in where else socket.AF_INET, socket.SOCK_STREAM) as s:
            s.settimeout(20)
            s.bind((CLIENT[where], 0))
            s.connect((where, 53))

    def opened_fast(self, i):
        """Connections whose first segment had data that was taken."""
        names, values = self.spaces[i].run(["sh", "-c", "grep ^TcpExt: /proc/net/netstat"]).splitlines()
        return int(dict(zip(names.split(), values.split()))["TCPFastOpenPassive"])

    def ask(self, where):
        """A query in the first segment if the kernel has a cookie, after the handshake otherwise."""
        with self.client.socket(socket.AF_INET6 if ":" in where else socket.AF_INET, socket.SOCK_STREAM) as s:
            for side in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):  # a blocking socket: the kernel keeps the data until it may be sent
                s.setsockopt(socket.SOL_SOCKET, side, struct.pack("=qq", 10, 0))
            s.bind((CLIENT[where], 0))
            s.sendto(frame(query()), socket.MSG_FASTOPEN, (where, 53))
            return receive(s)

    def __enter__(self):
        try:
            for node in self.nodes:
                node.__enter__()
        except BaseException:
            self.net.close()
            raise
        return self

    def __exit__(self, *_):
        try:
            for node in self.nodes:
                node.__exit__()
        finally:
            self.net.close()


@pytest.mark.parametrize("where", [V4, V6])
@pytest.mark.parametrize("secrets,good", [((SECRETS[:1], SECRETS[:1]), True),
                                          ((SECRETS[:1], [SECRETS[1], SECRETS[0]]), True),  # rolled over there already
                                          ((SECRETS[:1], SECRETS[1:2]), False)], ids=["same", "rolled-over", "other"])
def test_a_cookie_is_good_at_the_other_node(tmp_path, where, secrets, good):
    with World(tmp_path, secrets) as world:
        world.towards(0)
        world.reach(where)
        assert world.ask(where).rcode() == 0 and world.opened_fast(0) == 0  # gets a cookie
        assert world.ask(where).rcode() == 0
        wait_until(lambda: world.opened_fast(0) == 1, 5, "the cookie is used where it came from")
        world.towards(1)
        world.reach(where)
        assert world.ask(where).rcode() == 0  # in any case
        assert world.opened_fast(1) == good
