# SPDX-License-Identifier: BSD-2-Clause
"""Transfers from the stand-alone form: many at a time while answers go on, slow and silent clients, several requests on one connection, changes in the midst of a
transfer, sync stopped and killed, refusals."""
import json
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time

import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from paths import ZONECAST
from servers import Zonecast
from transfers import dump, fetch, plain, read_message, wait

pytestmark = pytest.mark.asan

SMALL, BIG = "small.test.", "big.test."
RECORDS = 60000
FAMILIES = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}


class Node(Zonecast):
    workers = "2"
    extra = ("--allow-transfer", "127.0.0.1/32", "--allow-transfer", "::1/128")

    def write_small(self, serial):
        with open(self.zones[SMALL], "w", encoding="ascii") as f:
            f.write(f"$TTL 300\n@ SOA ns1 host {serial} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.{serial % 250}\n")

    def reload(self, zone=None):
        done = subprocess.run([ZONECAST, *(["zone", "reload", zone] if zone else ["reload"]), "--run-dir", self.path("run")], capture_output=True,
                              text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def change(self, serial):
        self.write_small(serial)
        self.reload(SMALL)
        wait(lambda: self.serial() == serial, f"serial {serial}")

    def serial(self):
        reply = dns.query.udp(dns.message.make_query(SMALL, "SOA"), self.address, timeout=5, port=self.port)
        return reply.answer[0][0].serial

    def status(self):
        done = subprocess.run([ZONECAST, "status", "--json", "--run-dir", self.path("run")], capture_output=True, text=True, timeout=60, check=False)
        return json.loads(done.stdout)

    def counts(self):
        return self.status()["transfers_out"]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outbound")
    os.chmod(folder, 0o755)
    files = {z: str(folder / f"{z}zone") for z in (SMALL, BIG)}
    with open(files[BIG], "w", encoding="ascii") as f:
        f.write("$TTL 300\n@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n")
        f.writelines(f"host{i} A 10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}\n" for i in range(RECORDS))
    n = Node(str(folder), files)
    n.write_small(1)
    with n:
        yield n


def framed(message):
    wire = message if isinstance(message, bytes) else message.to_wire()
    return struct.pack("!H", len(wire)) + wire


def request(zone, qtype="AXFR", serial=None):
    m = dns.message.make_query(zone, qtype, use_edns=False)
    if serial is not None:
        m.authority.append(dns.rrset.from_text(zone, 0, "IN", "SOA", f". . {serial} 0 0 0 0"))
    return m


def connect(node, address="127.0.0.1", receive=None):
    s = socket.socket(FAMILIES[address], socket.SOCK_STREAM)
    if receive:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    s.settimeout(60)
    s.connect((address, node.port))
    return s


def answers(wire):
    return struct.unpack("!H", wire[6:8])[0]


def read_transfer(s, records):
    """Until so many records of one transfer came."""
    got = 0
    while got < records:
        wire = read_message(s)
        assert wire and wire[3] & 15 == 0, (got, wire[:12])
        got += answers(wire)
    return got


@pytest.mark.parametrize("address", FAMILIES)
def test_whole_zone(node, address):
    for zone in (SMALL, BIG):
        first, lines, _ = fetch(address, node.port, zone)
        assert first.split()[0] == "whole", first
        assert plain(lines) == plain(dump(node.zones[zone], zone))


@pytest.mark.parametrize("address", FAMILIES)
@pytest.mark.parametrize("udp", [False, True])
def test_differences(node, address, udp):
    serial = node.serial()
    for step in range(1, 4):
        node.change(serial + step)
    first, lines, _ = fetch(address, node.port, SMALL, udp=udp, options=["--serial", serial])
    assert first.split()[0] == "differences", first
    assert [line for line in lines if "\tSOA\t" in line and line[0] == "+"][-1].split()[-5] == str(serial + 3), lines
    assert len([line for line in lines if "www" in line]) == 6, lines
    # Of a version that nobody remembers the way is not known.
    first, lines, _ = fetch(address, node.port, SMALL, udp=False, options=["--serial", 4000000000 + 294967295 - 5])
    assert first.split()[0] == "whole", first
    first, lines, _ = fetch(address, node.port, SMALL, udp=udp, options=["--serial", serial + 3])
    assert first.split()[0] == "current" and not lines, (first, lines)


def test_one_connection_for_all(node):
    """Ordinary questions, transfers one after the other, an SOA; then something for workers, which sync does not answer."""
    with connect(node) as s:
        plain_query, axfr = dns.message.make_query(SMALL, "SOA"), request(SMALL)
        s.sendall(framed(plain_query) + framed(dns.message.make_query("www." + SMALL, "A")) + framed(axfr) + framed(request(BIG)) +
                  framed(request(SMALL, "SOA")) + framed(request(SMALL)))
        for qtype in (dns.rdatatype.SOA, dns.rdatatype.A):
            reply = dns.message.from_wire(read_message(s))
            assert reply.answer[0].rdtype == qtype
        read_transfer(s, 5)
        read_transfer(s, RECORDS + 4)
        assert dns.message.from_wire(read_message(s)).answer[0].rdtype == dns.rdatatype.SOA
        read_transfer(s, 5)
        s.sendall(framed(dns.message.make_query("www." + SMALL, "A")))
        assert dns.message.from_wire(read_message(s)).rcode() == dns.rcode.REFUSED
        assert read_message(s) == b"", "closed after it"


def test_split_request(node):
    """A request that comes in pieces, after one that was handed over."""
    whole = framed(request(SMALL))
    with connect(node) as s:
        s.sendall(whole + whole[:7])
        read_transfer(s, 5)
        for i in range(7, len(whole)):
            s.sendall(whole[i:i + 1])
        read_transfer(s, 5)


def test_many_while_answering(node):
    """A hundred transfers at a time, some by clients that take nothing; questions go on being answered, and quickly."""
    ends, worst, lost = threading.Event(), [0.0], [0]

    def ask():
        q = dns.message.make_query("www." + SMALL, "A").to_wire()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(("127.0.0.1", node.port))
            while not ends.is_set():
                began = time.monotonic()
                s.send(q)
                if not select.select([s], [], [], 2)[0]:
                    lost[0] += 1
                    continue
                s.recv(4096)
                worst[0] = max(worst[0], time.monotonic() - began)
    asker = threading.Thread(target=ask)
    asker.start()
    before = node.counts()
    socks = [connect(node, list(FAMILIES)[i % 2]) for i in range(100)]
    silent = [connect(node, receive=4096) for _ in range(20)]
    try:
        for s in socks + silent:
            s.sendall(framed(request(BIG)))
        got = {s: 0 for s in socks}
        pending = {s: b"" for s in socks}
        deadline = time.monotonic() + 300
        while got and time.monotonic() < deadline:
            for s in select.select(list(got), [], [], 5)[0]:
                pending[s] += s.recv(1 << 18)
                while len(pending[s]) >= 2 and len(pending[s]) >= 2 + struct.unpack("!H", pending[s][:2])[0]:
                    n = 2 + struct.unpack("!H", pending[s][:2])[0]
                    got[s] += answers(pending[s][2:n])
                    pending[s] = pending[s][n:]
                if got[s] >= RECORDS + 4:
                    assert got[s] == RECORDS + 4
                    del got[s]
        assert not got, f"{len(got)} transfers are not complete"
        assert node.counts()["axfr"] >= before["axfr"] + 100
        # Those that take nothing hold their transfer and nothing else.
        now = node.counts()
        assert now["active"] >= 1 and now["connections"] >= 20, now
    finally:
        ends.set()
        asker.join()
        for s in socks + silent:
            s.close()
    assert lost[0] == 0 and worst[0] < 2, (lost, worst)
    wait(lambda: node.counts()["active"] == 0, "silent clients' transfers end with their connections")


def test_version_held(node):
    """A transfer gives the version it began with, though others are committed meanwhile; and what it held is freed after it."""
    was = dump(node.zones[BIG], BIG)
    with connect(node, receive=4096) as s:
        s.sendall(framed(request(BIG)))
        first = read_message(s)
        with open(node.zones[BIG], encoding="ascii") as f:
            text = f.read()
        with open(node.zones[BIG], "w", encoding="ascii") as f:
            f.write(text.replace("host 1 3600", "host 2 3600").replace("host77 A", "host77changed A"))
        node.reload(BIG)
        wait(lambda: dns.query.udp(dns.message.make_query(BIG, "SOA"), "127.0.0.1", timeout=5, port=node.port).answer[0][0].serial == 2, "serial 2")
        got, last = answers(first), first
        while got < len(was) + 1:
            last = read_message(s)
            assert last
            got += answers(last)
        assert got == len(was) + 1
        m = dns.message.from_wire(last)
        assert m.answer[-1].rdtype == dns.rdatatype.SOA and m.answer[-1][0].serial == 1
    first, lines, _ = fetch("127.0.0.1", node.port, BIG, options=["--serial", 1])
    assert first.split()[0] == "differences" and sorted(line[0] for line in lines) == ["+", "+", "-", "-"], (first, lines[:10])


def test_changes_under_transfers(node):
    """Versions change ten times a second while eight clients transfer without a pause: each transfer is one version as a whole."""
    ends, bad, done = threading.Event(), [], [0]

    def transfer(address):
        while not ends.is_set():
            try:
                first, lines, _ = fetch(address, node.port, SMALL)
                serial = next(line for line in lines if "\tSOA\t" in line).split()[-5]
                www = next(line for line in lines if line.startswith("www")).split()[-1]
                if first.split()[0] != "whole" or www != f"192.0.2.{int(serial) % 250}":
                    bad.append((first, lines))
                done[0] += 1
            except (AssertionError, StopIteration, IndexError, subprocess.SubprocessError, OSError) as e:
                bad.append(repr(e))
    threads = [threading.Thread(target=transfer, args=(list(FAMILIES)[i % 2],)) for i in range(8)]
    for t in threads:
        t.start()
    serial = node.serial()
    for i in range(1, 40):
        node.change(serial + i)
    ends.set()
    for t in threads:
        t.join()
    assert not bad and done[0] > 8, bad[:3]


def test_refusals(node):
    def ask(m, tcp=False):
        return (dns.query.tcp if tcp else dns.query.udp)(m, "127.0.0.1", timeout=10, port=node.port)

    assert ask(request("elsewhere.test."), tcp=True).rcode() == dns.rcode.NOTAUTH
    assert ask(request("www." + SMALL), tcp=True).rcode() == dns.rcode.NOTAUTH
    assert ask(request(SMALL)).rcode() == dns.rcode.FORMERR, "AXFR over UDP"
    assert ask(request(SMALL, "IXFR"), tcp=True).rcode() == dns.rcode.FORMERR, "IXFR without a serial"
    notify = dns.message.make_query(SMALL, "SOA", use_edns=False)
    notify.set_opcode(dns.opcode.NOTIFY)
    for tcp in (False, True):
        assert ask(notify, tcp).rcode() == dns.rcode.NOTAUTH, "no zone here has primaries"
    update = dns.message.make_query(SMALL, "SOA", use_edns=False)
    update.set_opcode(dns.opcode.UPDATE)
    assert ask(update).rcode() == dns.rcode.NOTIMP
    # Octets that are no request, behind one that is.
    with connect(node) as s:
        s.sendall(framed(request(SMALL)) + b"\0\5abcde")
        read_transfer(s, 5)
        assert read_message(s) == b""
    # Half a request, and never the rest: the connection is closed in time.
    with connect(node) as s:
        s.sendall(framed(request(SMALL)) + b"\0\x20abc")
        read_transfer(s, 5)
        assert read_message(s) == b""
    assert node.counts()["handover_failed"] == 0


def test_sync_stopped(node):
    """While sync stands still workers answer all others, and say SERVFAIL to what sync does not take once the pair is full; sync is killed and comes back by itself."""
    pid = node.pids()["sync", 0]
    flood = request(SMALL, "IXFR", 1).to_wire()
    os.kill(pid, signal.SIGSTOP)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(("127.0.0.1", node.port))
            s.settimeout(5)
            seen = set()
            deadline = time.monotonic() + 20
            while dns.rcode.SERVFAIL not in seen and time.monotonic() < deadline:
                for _ in range(50):
                    s.send(flood)
                while select.select([s], [], [], 0.01)[0]:
                    seen.add(s.recv(4096)[3] & 15)
            assert dns.rcode.SERVFAIL in seen
        reply = dns.query.udp(dns.message.make_query("www." + SMALL, "A"), "127.0.0.1", timeout=5, port=node.port)
        assert reply.answer
        assert node.counts()["handover_failed"] > 0
    finally:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass
    wait(lambda: node.pids().get(("sync", 0)) and can_transfer(node), "transfers again")


def can_transfer(node):
    try:
        return fetch("127.0.0.1", node.port, SMALL)[0].split()[0] == "whole"
    except (OSError, subprocess.SubprocessError, IndexError):
        return False


def test_sync_killed(node):
    """A transfer dies with sync, the next is served by the next; workers are not touched."""
    workers = [node.pids()["answer", i] for i in range(2)]
    with connect(node, receive=4096) as s:
        s.sendall(framed(request(BIG)))
        assert read_message(s)
        os.kill(node.pids()["sync", 0], signal.SIGKILL)
        with pytest.raises((AssertionError, OSError)):
            read_transfer(s, RECORDS + 4)
    wait(lambda: can_transfer(node), "transfers again")
    assert [node.pids()["answer", i] for i in range(2)] == workers


def test_not_allowed(tmp_path):
    """Without --allow-transfer nobody may, not even loopback."""
    os.chmod(tmp_path, 0o755)
    file = tmp_path / "zone"
    file.write_text("$TTL 300\n@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n")

    class Closed(Zonecast):
        pass
    with Closed(str(tmp_path), {SMALL: str(file)}) as n:
        for address in FAMILIES:
            reply = dns.query.tcp(request(SMALL), address, timeout=10, port=n.port)
            assert reply.rcode() == dns.rcode.REFUSED


def hold(node, count):
    """Connections with a transfer each, of which nothing more is read than its beginning."""
    socks = [connect(node, receive=2048) for _ in range(count)]
    for s in socks:
        s.sendall(framed(request(BIG)))
    return socks


def test_too_many(node):
    """More transfers than may be at a time: the rest wait for the others to end."""
    held = hold(node, 256)
    try:
        wait(lambda: node.counts()["active"] == 256, lambda: f"256 transfers at a time: {node.counts()}\n{node.log()[-1500:]}")
        with connect(node) as late, connect(node, "::1") as later:
            for s in (late, later):
                s.sendall(framed(request(SMALL)))
            wait(lambda: node.counts()["waiting"] == 2, "two that wait")
            assert not select.select([late, later], [], [], 0.2)[0]
            for s in held[:2]:
                s.close()
            for s in (late, later):
                read_transfer(s, 5)
    finally:
        for s in held:
            s.close()
    wait(lambda: node.counts()["active"] == 0, "all have ended")


@pytest.mark.skipif(not os.environ.get("ZONECAST_LONG"), reason="takes a minute: ZONECAST_LONG=1")
def test_limits_of_time(node):
    """Who takes nothing is cut off, and so is who waits for ever."""
    held = hold(node, 256)
    began = time.monotonic()
    with connect(node) as late:
        wait(lambda: node.counts()["active"] == 256, lambda: f"256 transfers at a time: {node.counts()}\n{node.log()[-1500:]}")
        late.sendall(framed(request(SMALL)))
        wait(lambda: node.counts()["active"] == 0, "cut off")
        assert 15 < time.monotonic() - began < 40
        read_transfer(late, 5)
    for s in held:
        s.close()
