# SPDX-License-Identifier: BSD-2-Clause
"""The query log sample: what is kept of queries by UDP, TCP and TLS, how it is read, and that nobody is disturbed by it."""
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time

import dns.edns
import dns.flags
import dns.message
import dns.name
import pytest

from certificates import Authority
from netns import missing, wait_until
from paths import SANITIZED, ZONECAST
from streamnode import FAMILIES, V4, V6, StreamNode, query, receive, send

pytestmark = pytest.mark.skipif(bool(missing("openssl")), reason=missing("openssl") or "")
TLS = "tls: {certificate-file: cert.pem, key-file: key.pem}\n"
FILTER = 'filters: [{name: dropped.example, action: drop}, {name: refused.example, action: refuse}]\n'
RING = 1024


def sampling(every):
    return TLS + FILTER + f"query-log-sample: {every}\n"


@pytest.fixture(scope="module", name="ca")
def _ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(name="node")
def _node(tmp_path, ca):
    ca.issue(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    with StreamNode(tmp_path, sampling(1), workers=2) as node:
        yield node


def queries(node, *args):
    done = node.zonecast("queries", "--json", "--run-dir", node.path("run"), *args)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def one(node, name):
    """The entry of a name asked once; nothing else asks for names of these tests."""
    found = queries(node, "--name", name)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.asan
@pytest.mark.parametrize("where", FAMILIES)
def test_each_transport(node, ca, where):
    with node.socket(where, socket.SOCK_DGRAM) as s:
        s.connect((where, 53))
        m = query("UdP.example.", "AAAA", use_edns=0, payload=1400, want_dnssec=True, options=[dns.edns.ECSOption("192.0.2.77", 24)])
        m.flags |= dns.flags.CD
        s.send(m.to_wire())
        answer = s.recv(65535)
        e = one(node, "udp.example.")
        local = s.getsockname()
        assert (e["client"], e["port"]) == (local[0], local[1])
    assert e["name"] == "UdP.example." and (e["class"], e["type"], e["transport"]) == ("IN", "AAAA", "udp")
    assert e["id"] == m.id and e["flags"] == ["RD", "CD"] and e["opcode"] == 0 and e["query_size"] == len(m.to_wire())
    assert (e["edns"], e["udp_size"], e["do"], e["ecs"], e["cookie"]) == (0, 1400, True, "192.0.2.0/24", "none")
    assert (e["answered"], e["rcode"], e["answer_size"], e["truncated"]) == (True, "NXDOMAIN", len(answer), False)
    assert (e["filtered"], e["limited"]) == ("no", "no") and 0 < e["duration_us"] < 1e6
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", e["time"])
    seen = time.strptime(e["time"].split(".")[0], "%Y-%m-%dT%H:%M:%S")
    assert abs(time.mktime(seen) - time.mktime(time.gmtime())) < 60

    with node.tcp(where) as s:
        send(s, query("tcp.example."))
        receive(s)
        e = one(node, "tcp.example.")
        assert (e["transport"], e["port"]) == ("tcp", s.getsockname()[1]) and "edns" not in e
    context = ssl.create_default_context(cafile=ca.file)
    with node.tls(context, where) as s:
        send(s, query("tls.example."))
        receive(s)
        e = one(node, "tls.example.")
        assert (e["transport"], e["client"]) == ("tls", s.getsockname()[0])


def test_what_was_done(node):
    """Filters, errors, names that want escaping, octets that are no query."""
    with node.socket(V4, socket.SOCK_DGRAM, source="10.9.9.9") as s:  # the node's own addresses are not filtered
        s.connect((V4, 53))
        s.send(query("x.dropped.example.").to_wire())
        s.send(query("x.refused.example.", use_edns=0).to_wire())
        s.recv(65535)
        s.send(query(dns.name.Name([b'a"b\\\x07\n\x1b[2J', b"example", b""])).to_wire())
        s.recv(65535)
        s.send(query(dns.name.Name([b"z.escaped", b"example", b""])).to_wire())
        s.recv(65535)
        s.send(b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x3fcut")
        s.recv(65535)
        s.send(query("nobodys.invalid.", use_edns=0).to_wire())
        s.recv(65535)
    e = one(node, "dropped.example.")
    assert (e["filtered"], e["answered"]) == ("drop", False) and "rcode" not in e
    e = one(node, "refused.example.")
    assert (e["filtered"], e["rcode"], e["ede"]) == ("refuse", "REFUSED", 18)
    e = [e for e in queries(node) if e.get("name", "").startswith("a")]
    assert [x["name"] for x in e] == ['a\\"b\\\\\\007\\010\\027[2J.example.']
    assert not queries(node, "--name", "escaped.example.")  # its dot is no end of a label
    assert one(node, "Z\\.escaped.example.")["name"] == "z\\.escaped.example."
    e = [e for e in queries(node) if e.get("malformed")]
    assert len(e) == 1 and (e[0]["id"], e[0]["rcode"]) == (0x1234, "FORMERR") and "name" not in e[0]
    assert one(node, "invalid.")["ede"] == 20
    text = node.zonecast("queries", "--run-dir", node.path("run"))
    assert text.returncode == 0 and "\x1b" not in text.stdout
    line = next(line for line in text.stdout.splitlines() if "refused" in line)
    assert re.search(r" udp 10\.\S+#\d+ x\.refused\.example\. IN A \+RD \+E\(1232\) -> REFUSED \d+B ede=18 filtered=refuse [\d.]+us$", line), line


def test_picking(node):
    for where in FAMILIES:
        for i in range(5):
            node.udp(where, query(f"p{i}.pick.example."))
    names = [e["name"] for e in queries(node, "--name", "pick.example")]
    assert sorted(names) == sorted(f"p{i}.pick.example." for i in range(5) for _ in FAMILIES)
    times = [e["time"] for e in queries(node)]
    assert times == sorted(times)
    v6 = queries(node, "--name", "PICK.example.", "--client", "2001:db8::/32")
    assert len(v6) == 5 and all(":" in e["client"] for e in v6)
    last = queries(node, "--name", "pick.example", "--count", "3")
    assert last == [e for e in queries(node, "--name", "pick.example")][-3:]
    assert not queries(node, "--name", "ick.example")
    assert not queries(node, "--name", "pick.example", "--rcode", "servfail")
    assert len(queries(node, "--name", "pick.example", "--rcode", "nxdomain")) == 10
    for bad in (["--client", "x"], ["--count", "0"], ["--name", "a..b"], ["operand"]):
        assert node.zonecast("queries", "--run-dir", node.path("run"), *bad).returncode == 2


def test_follow(node):
    """New ones as they come, by several at once, without an end; a reader that does not read costs nobody anything."""
    argv = [ZONECAST, "queries", "--follow", "--json", "--name", "follow.example", "--run-dir", node.path("run")]
    node.udp(V4, query("before.follow.example."))
    control = []
    with subprocess.Popen([*argv, "--count", "3"], stdout=subprocess.PIPE) as limited, \
            subprocess.Popen(argv, stdout=subprocess.PIPE) as endless:
        try:
            # Who follows is known by what it prints: ask until both have printed one.
            for p in (limited, endless):
                os.set_blocking(p.stdout.fileno(), False)
            got = {limited: b"", endless: b""}

            def both():
                node.udp(V6, query("after.follow.example."))
                for p in got:
                    got[p] += p.stdout.read() or b""
                return all(got.values())
            wait_until(both, 20, "both follow")
            for _ in range(4):  # the limited one may have seen one only
                node.udp(V4, query("after.follow.example."))
            assert limited.wait(20) == 0
            got[limited] += limited.stdout.read() or b""
            assert len(got[limited].splitlines()) == 3
            assert b"before" not in got[limited] + got[endless]
            assert endless.poll() is None
            # Readers that never read: as many as may follow, then one is refused; others are served as ever.
            while True:
                s = socket.socket(socket.AF_UNIX)
                s.connect(node.path("run", "control.sock"))
                s.sendall(b'{"command": "queries", "follow": true}\n')
                s.settimeout(10)
                head = json.loads(s.recv(4096).split(b"\n")[0])
                control.append(s)
                if not head["ok"]:
                    break
                assert len(control) < 20
            assert "too many" in head["error"]
            for i in range(3000):
                node_ask(node, f"n{i}.example.")
            assert node.counters()["answers"] > 3000
            endless.send_signal(signal.SIGTERM)  # a shell in the background passes on that SIGINT is ignored
            assert endless.wait(10) != 0
        finally:
            for s in control:
                s.close()
            for p in (limited, endless):
                if p.poll() is None:
                    p.kill()
    # Places are free again.
    wait_until(lambda: queries(node, "--name", "n2999.example.") is not None, 10, "an answer")
    # Whoever follows learns that there is no more to follow.
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as follower:
        try:
            os.set_blocking(follower.stdout.fileno(), False)

            def follows():
                node.udp(V4, query("again.follow.example."))
                return follower.stdout.read()
            wait_until(follows, 20, "it follows")
            for pid in [p for (r, _), p in node.pids().items() if r == "admin"]:
                os.kill(pid, signal.SIGKILL)
            assert follower.wait(20) == 1 and b"reading the node's reply" in follower.stderr.read()
        finally:
            if follower.poll() is None:
                follower.kill()
    wait_until(lambda: node.zonecast("queries", "--run-dir", node.path("run")).returncode == 0, 20, "another admin process")
    killed_on_purpose(node)


def killed_on_purpose(node):
    """The log of a killed process is not for this test's node to complain about."""
    log = node.log().replace("ended signal", "was ended, signal")
    with open(node.path("log"), "w", encoding="latin-1") as f:
        f.write(log)


def node_ask(node, name):
    if not hasattr(node, "asker"):
        node.asker = node.socket(V4, socket.SOCK_DGRAM)
        node.asker.connect((V4, 53))
    node.asker.send(query(name).to_wire())
    node.asker.recv(65535)


def test_the_ring_outlives_its_worker(node):
    node.udp(V4, query("kept.example."))
    assert len(queries(node, "--name", "kept.example")) == 1
    old = {p for (r, _), p in node.pids().items() if r == "answer"}
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: {p for (r, _), p in node.pids().items() if r == "answer"}.isdisjoint(old), 20, "new workers")
    wait_until(lambda: node.udp(V4, query("later.example.")), 10, "an answer")
    assert len(queries(node, "--name", "kept.example")) == 1
    assert queries(node, "--name", "later.example")
    killed_on_purpose(node)


def test_a_sample_and_reload(node):
    """One in ten, and none, at once by reload; the ring keeps the last RING of each worker."""
    def sample(every, ask):
        node.fleet(sampling(every))
        assert node.reload().returncode == 0
        for i in range(ask):
            node_ask(node, f"s{every}-{i}.sample.example.")
        return [e for e in queries(node, "--name", "sample.example") if e["name"].startswith(f"s{every}-")]
    total = 2000 if SANITIZED else 8000  # fits into the rings
    assert abs(len(sample(10, total)) - total / 10) < 4 * (total / 10) ** 0.5 + 10
    assert sample(0, 200) == []
    done = node.zonecast("queries", "--run-dir", node.path("run"))
    assert "query-log-sample is 0" in done.stderr and done.returncode == 0
    last = 3 * RING  # which worker is met is chance: of each the last RING are there, and nothing after the first of them is missing
    of = {0: [], 1: []}
    for e in sample(1, last):
        of[e["worker"]].append(int(e["name"].split(".")[0].split("-")[1]))
    assert [len(kept) for kept in of.values()] == [RING, RING]
    assert all(kept == sorted(kept) for kept in of.values())
    both = set(of[0]) | set(of[1])
    assert set(range(max(of[0][0], of[1][0]), last)) <= both and len(both) == 2 * RING
