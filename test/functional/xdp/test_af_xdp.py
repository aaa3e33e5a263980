# SPDX-License-Identifier: BSD-2-Clause
"""Questions that the kernel's cache has no answer for go to the workers by AF_XDP sockets, and nobody can tell."""
import json
import os
import random
import signal
import subprocess

import dns.edns
import dns.flags
import dns.message
import pytest

from express import UNLIMITED, WWW, Client, with_xdp
from fleet import SERVICE, SLOW, ZONE, Node
from netns import missing, wait_until
from paths import SANITIZED, ZONECAST, program
from routers import Bird

WHY = missing(ZONECAST, "clang", *Bird.needs)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
COOKIE = dns.edns.GenericOption(10, b"12345678")
BIG = "".join(f"big TXT {'x' * 200}{n}\n" for n in range(5)) + "huge TXT " + " ".join("y" * 250 for _ in range(8)) + "\n" \
      "*.wild A 192.0.2.9\nalias CNAME www\nsub NS ns.sub\nns.sub A 192.0.2.7\nns.sub AAAA 2001:db8::7\n"


def af_xdp(node):
    return node.status()["xdp"]["af_xdp_answers"]


def wait_af_xdp(site, node):
    """Until questions come by AF_XDP, after a start of workers."""
    before = af_xdp(node)

    def asked():
        for where in SERVICE:
            site.ask(where, name=f"n{random.randrange(1 << 40)}.example.", qtype="TXT")
        return af_xdp(node) >= before + 10
    wait_until(asked, 20 * SLOW, lambda: f"answers by AF_XDP; {node.status()['xdp']}; {node.log()}")


@pytest.fixture
def node(site, tmp_path):
    with Node(site, tmp_path, change=with_xdp("native", ", xdp-cache: false" + UNLIMITED)) as n:
        if n.status()["xdp"]["rung"] == "sockets":
            pytest.skip(n.status()["xdp"]["why"])
        yield n


def questions():
    """Wire forms of all kinds of questions, some of them odd."""
    names = [WWW, "WwW.ExAmPlE.", "example.", "nothing.example.", "big.example.", "huge.example.", "a.wild.example.", "alias.example.", "x.sub.example.",
             "else.where.", ".", "x" * 63 + "." + "y" * 63 + "." + "z" * 63 + ".example."]
    for number, name in enumerate(names):
        for qtype in ("A", "AAAA", "TXT", "SOA", "ANY", "AXFR"):
            for how in ({}, {"use_edns": 0, "payload": 512}, {"use_edns": 0, "payload": 1232}, {"want_dnssec": True, "payload": 4096},
                        {"use_edns": 0, "options": [dns.edns.GenericOption(3, b"")]}, {"use_edns": 1}):
                query = dns.message.make_query(name, qtype, id=number, **how)
                query.flags |= dns.flags.CD if number % 2 else 0
                yield query.to_wire()
    yield dns.message.make_query("version.server.", "TXT", "CH", id=1).to_wire()
    wire = dns.message.make_query(WWW, "A", id=2).to_wire()
    yield wire[:2] + b"\x28" + wire[3:]  # UPDATE
    yield wire[:2] + b"\x20" + wire[3:]  # NOTIFY
    yield wire + b"\0"


@pytest.mark.parametrize("where", SERVICE)
def test_the_same_octets(site, tmp_path, where):
    """As over a socket, for every question; and none is lost."""
    answers = []
    for word, more in (("off", ""), ("native", ", xdp-cache: false")):
        folder = tmp_path / word
        folder.mkdir()
        os.chmod(folder, 0o755)
        node = Node(site, folder, change=with_xdp(word, more + UNLIMITED))
        node.write("example.zone", ZONE.format(serial=1) + BIG)
        with node, Client(site, where) as client:
            if word == "native":
                wait_af_xdp(site, node)
            before = af_xdp(node)
            got = []
            for wire in questions():
                client.socket.send(wire)
                try:
                    client.socket.settimeout(2)
                    got.append(client.socket.recv(65535))
                except TimeoutError:
                    got.append(None)
            answers.append(got)
            if word == "native":
                assert af_xdp(node) - before > 400, node.status()["xdp"]
    for wire, one, other in zip(questions(), *answers):
        assert one == other, f"{wire.hex()}: {one and one.hex()} by socket, {other and other.hex()} by AF_XDP"
    assert len([a for a in answers[1] if a]) > 400


def test_workers_that_die(site, node):
    """Questions go to sockets at once, and by AF_XDP again when the next worker is there."""
    wait_af_xdp(site, node)
    for _ in range(3):
        old = {key: pid for key, pid in node.pids().items() if key[0] == "answer"}
        for pid in old.values():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: all(node.pids().get(k, p) != p for k, p in old.items()), 20, "new workers")
        wait_until(lambda: all(site.answers(where) for where in SERVICE), 20, "answers")
        wait_af_xdp(site, node)
    assert "AF_XDP:" not in node.log(), node.log()


def test_odd_frames_do_no_harm(site, node):
    """Noise to the port, small and large."""
    noise = random.Random(5)
    for where in SERVICE:
        with Client(site, where) as client:
            good = dns.message.make_query(WWW, "A", use_edns=0, options=[COOKIE]).to_wire()
            for _ in range(3000):
                wire = bytearray(good if noise.random() < 0.7 else noise.randbytes(noise.choice((0, 1, 11, 12, 40, 250, 300, 1200))))
                for _ in range(noise.randrange(4)):
                    if wire:
                        wire[noise.randrange(len(wire))] = noise.randrange(256)
                client.socket.send(bytes(wire))
    wait_af_xdp(site, node)
    assert all(site.answers(where) for where in SERVICE)
    assert "ended signal" not in node.log()


@pytest.mark.parametrize("where", SERVICE)
def test_no_old_answer_after_a_new_one(site, tmp_path, where):
    """Under load, through the cache and by AF_XDP at once: whoever asks after anybody had the new version gets it."""
    goal = int(os.environ.get("ZONECAST_LONG") or 0) * 9_000_000 + (300_000 if SANITIZED else 1_000_000)
    with Node(site, tmp_path, change=with_xdp("native", UNLIMITED)) as node:
        if node.status()["xdp"]["rung"] == "sockets":
            pytest.skip(node.status()["xdp"]["why"])
        wait_af_xdp(site, node)
        before = node.status()["xdp"]
        load = site.rtr.popen([program("freshness"), where, "53", WWW, str(goal), "200"], stdout=subprocess.PIPE, text=True)
        serial = 1
        while load.poll() is None and serial < 250:
            serial += 1
            node.write("example.zone", ZONE.format(serial=serial))
            assert node.zonecast("zone", "reload", "example").returncode == 0
            wait_until(lambda s=serial: load.poll() is not None or (site.ask(where) or [None]) and serial_of(site, where) == s, 20, f"version {serial}")
        said = json.loads(load.communicate(timeout=220)[0])
        wait_until(lambda: node.status()["xdp"]["seen"] - before["seen"] >= said["answers"], 10, "the count")
        after = node.status()["xdp"]
        kept = sum(after[k] - before[k] for k in ("answered_ipv4", "answered_ipv6"))
        print(said, f"{kept} by the kernel, {after['af_xdp_answers'] - before['af_xdp_answers']} by AF_XDP")
    assert said["stale"] == 0 and said["other"] == 0, said
    assert said["answers"] >= goal and said["versions"] > 3, said
    assert kept > goal / 10 and after["af_xdp_answers"] - before["af_xdp_answers"] > goal / 10


def serial_of(site, where):
    reply = site.ask(where)
    return reply.answer[0][0].serial if reply is not None and reply.answer else None
