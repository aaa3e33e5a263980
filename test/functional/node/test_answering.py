# SPDX-License-Identifier: BSD-2-Clause
"""How a node answers beyond what is in its zones: cookies that other nodes know, options, sizes that fit the interface."""
import ipaddress
import secrets
import socket

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

from fleet import SERVICE, Node, Site
from netns import missing, wait_until
from paths import ZONECAST
from routers import Bird

WHY = missing(ZONECAST, *Bird.needs)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
CLIENT = bytes(range(8))
BIG = "".join(f'big TXT "{c * 200}"\n' for c in "abcdefghijkl")  # about 2,600 octets


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site")) as s:
        yield s


def node_of(site, folder, answer, keys="", name="pop"):
    def change(text):
        return text.replace("name: pop", f"name: {name}") + keys + answer
    n = Node(site, folder, change=change)
    n.name = name
    n.argv = lambda *more: [ZONECAST, "run", "--config", n.config, "--node", name, "--run-dir", n.path("run"), "--state-dir", n.path("state"), *more]
    return n


def ask(site, where, options=(), name="example.", qtype="SOA", payload=1232, tcp=False, **flags):
    family = socket.AF_INET6 if ":" in where else socket.AF_INET
    query = dns.message.make_query(name, qtype, use_edns=0, payload=payload, options=list(options), **flags)
    with site.rtr.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.connect((where, 53))
        wire = query.to_wire()
        if tcp:
            s.sendall(len(wire).to_bytes(2, "big") + wire)
            data = s.recv(65537)
            while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
                data += s.recv(65537)
            return dns.message.from_wire(data[2:])
        s.send(wire)
        return dns.message.from_wire(s.recv(65535))


def option(reply, code):
    found = [o for o in reply.options if o.otype == code]
    assert len(found) <= 1
    return found[0] if found else None


def cookie(site, where, value=CLIENT):
    reply = ask(site, where, [dns.edns.GenericOption(10, value)])
    assert reply.rcode() == dns.rcode.NOERROR
    return option(reply, 10).data


SECRET_FILES = "answer: {{cookies: {{secret-files: [{}]}}}}\n"
KEYS = "keys: [{name: k, secret-file: tsig.key}]\n"


@pytest.mark.parametrize("secret", ["of its own", "derived from a key"])
def test_a_cookie_is_good_at_another_node(site, tmp_path, secret):
    value = secrets.token_hex(16)
    given = {}
    for name in ("pop", "elsewhere"):
        (tmp_path / name).mkdir()
        own = secret == "of its own"
        node = node_of(site, tmp_path / name, SECRET_FILES.format("a.cookie") if own else "", "" if own else KEYS, name)
        node.write("a.cookie" if own else "tsig.key", value + "\n", 0o600)
        with node:
            for where in SERVICE:
                if name == "pop":
                    given[where] = cookie(site, where)
                    assert len(given[where]) == 24 and given[where][:8] == CLIENT
                else:
                    assert cookie(site, where, given[where]) == given[where]  # fresh and good: the same again
                    assert cookie(site, where, given[where][:-1] + bytes([given[where][-1] ^ 1])) != given[where]
            counts = node.status()["queries"]
            assert counts["cookies_good"] == (0 if name == "pop" else 2)
            assert counts["cookies_bad"] == (0 if name == "pop" else 2)


def test_secrets_roll_over(site, tmp_path):
    """Old first, both, both the other way round, new alone: a cookie of the old secret is good until the last step."""
    with node_of(site, tmp_path, "") as node:
        for name in ("old", "new"):
            node.write(f"{name}.cookie", secrets.token_hex(16), 0o600)

        def use(*names):
            node.fleet(change=lambda t: t + SECRET_FILES.format(", ".join(f"{n}.cookie" for n in names)))
            assert node.zonecast("reload").returncode == 0

        def good(value):
            """Seen by every worker? Each question may meet another one."""
            before = node.status()["queries"]["cookies_good"]
            for _ in range(16):
                cookie(site, SERVICE[0], value)
            return node.status()["queries"]["cookies_good"] - before

        use("old")
        wait_until(lambda: len({cookie(site, SERVICE[0])[16:] for _ in range(2)}) == 1, 10, "one secret")
        old = wait_until(lambda: (c := cookie(site, SERVICE[0])) and good(c) == 16 and c, 10, "cookies of the old secret")
        use("old", "new")
        assert good(old) == 16
        use("new", "old")
        new = wait_until(lambda: (c := cookie(site, SERVICE[0], old)) != old and good(c) == 16 and c, 10, "cookies of the new secret")
        assert good(old) == 16
        use("new")
        wait_until(lambda: good(old) == 0, 10, "the end of the old secret")
        assert good(new) == 16

        node.write("new.cookie", "not hexadecimal", 0o600)
        done = node.zonecast("reload")
        assert done.returncode == 1 and "new.cookie" in done.stderr and "32 hexadecimal digits" in done.stderr
        assert good(new) == 16


def test_cookies_required(site, tmp_path):
    with node_of(site, tmp_path, "answer: {cookies: {mode: required}, report-agent: agent.example.net}\n"):
        for where in SERVICE:
            reply = ask(site, where, [dns.edns.GenericOption(10, CLIENT)])
            assert reply.rcode() == 23 and not reply.answer
            reply = ask(site, where, [dns.edns.GenericOption(10, option(reply, 10).data)])
            assert reply.rcode() == 0 and reply.answer
            assert ask(site, where, [dns.edns.GenericOption(10, CLIENT)], tcp=True).rcode() == 0
            reply = ask(site, where)  # who does not know cookies is not shut out
            assert reply.rcode() == 0
            assert option(reply, 18).data == b"\x05agent\x07example\x03net\x00"


def test_options(site, tmp_path):
    with node_of(site, tmp_path, ""):
        for where in SERVICE:
            net = ipaddress.ip_network("2001:db8:77::/48" if ":" in where else "192.0.2.0/24")
            reply = ask(site, where, [dns.edns.GenericOption(3, b""), dns.edns.ECSOption(str(net[0]), net.prefixlen),
                                      dns.edns.GenericOption(19, b""), dns.edns.GenericOption(65001, b"x")])
            assert option(reply, 3).data == b"pop"
            ecs = option(reply, 8)
            assert (ecs.address, ecs.srclen, ecs.scopelen) == (str(net[0]), net.prefixlen, 0)
            assert option(reply, 19).data == b"\x01\x00\x00\x00\x00\x01"
            assert option(reply, 65001) is None
            reply = ask(site, where, name="not.ours.")
            assert reply.rcode() == dns.rcode.REFUSED and option(reply, 15).code == 20


def test_an_answer_larger_than_the_interface_takes_is_not_fragmented(site, tmp_path):
    """Cut to fit and marked truncated instead, so that the client comes by TCP."""
    node = node_of(site, tmp_path, "answer: {udp-size: 4096}\n")
    with open(node.path("example.zone"), "a", encoding="ascii") as f:
        f.write(BIG)
    with node:
        for where in SERVICE:  # loopback in the node's own namespace takes 64 KiB at once
            family = socket.AF_INET6 if ":" in where else socket.AF_INET
            with site.pop.socket(family, socket.SOCK_DGRAM) as s:
                s.settimeout(10)
                s.connect((where, 53))
                s.send(dns.message.make_query("big.example.", "TXT", use_edns=0, payload=4096).to_wire())
                assert len(s.recv(65535)) > 2500
        before = site.pop.run(["nstat", "-asz", "IpFragCreates", "Ip6FragCreates"])
        for where in SERVICE:
            reply = ask(site, where, name="big.example.", qtype="TXT", payload=4096)
            assert reply.flags & dns.flags.TC and not reply.answer
            assert len(ask(site, where, name="big.example.", qtype="TXT", payload=4096, tcp=True).answer[0]) == 12
        assert site.pop.run(["nstat", "-asz", "IpFragCreates", "Ip6FragCreates"]) == before
        assert node.status()["queries"]["too_big"] == 2
