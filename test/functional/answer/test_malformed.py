# SPDX-License-Identifier: BSD-2-Clause
"""Whatever comes, by UDP and TCP, IPv4 and IPv6: the worker goes on, what it says is a DNS message that fits, good queries in between are answered at once,
memory does not grow, and the counters account for every input."""
import json
import socket
import statistics
import struct
import subprocess
import time

import dns.exception
import dns.message
import dns.query
import dns.tsig
import pytest

import hard_zones
import malformed
from paths import SANITIZED, ZONECAST
from servers import Zonecast
from streamnode import frame, octets

FAMILIES = ["127.0.0.1", "::1"]
WAIT_S = 20
LATE_S = 5
TRIES = 4
PROMPT_S = 0.1                # median of good queries; the machine may be busy now and then
GROWTH = 512 << 10            # octets of memory; leaking one octet an input would be 10 KiB, a small block each half a MiB
UDP_QUERY_MAX, TCP_QUERY_MAX, UDP_ANSWER_MAX = 4096, 16384, 1232
HEADER = 12
GOOD = dns.message.make_query("ns1.nsec.test", "A", id=0x900d).to_wire()


def never_answered(octets_):
    """No query: shorter than a header, or a response."""
    return len(octets_) < HEADER or octets_[2] & 0x80


def judge(query, reply, limit):
    """reply is an answer to these octets that may be sent. None, or what is wrong with it."""
    opcode = reply[2] >> 3 & 15
    try:  # as a QUERY's: dnspython does not know every opcode, and reads an UPDATE's sections otherwise
        message = dns.message.from_wire(reply[:2] + bytes([reply[2] & 0x87]) + reply[3:], keyring=False)
    except dns.tsig.PeerError:
        return None  # a whole answer, to a key that nobody knows
    except (dns.exception.DNSException, ValueError) as e:
        return f"does not parse: {e!r}"
    flags = struct.unpack(">H", reply[2:4])[0]
    asked = struct.unpack(">H", query[2:4])[0]
    counts = struct.unpack(">4H", reply[4:12])
    try:
        parsed = dns.message.from_wire(query)
    except (dns.exception.DNSException, ValueError, IndexError, struct.error):
        parsed = None
    if limit == UDP_ANSWER_MAX:
        limit = 512 if message.edns < 0 else min(limit, max(512, parsed.payload)) if parsed else limit
    if reply[:2] != query[:2]:
        return "another ID"
    if not flags & 0x8000 or flags & 0x00e0 or (flags ^ asked) & 0x7900:
        return f"flags {flags:04x} to {asked:04x}"
    if counts[0] > 1:
        return "more than one question"
    if counts[0] and dns.name.from_wire(reply, HEADER)[1] + 4 > len(query):
        return "a question longer than the query"
    if counts[0] and reply[HEADER:dns.name.from_wire(reply, HEADER)[1] + HEADER + 4] != query[HEADER:dns.name.from_wire(reply, HEADER)[1] + HEADER + 4]:
        return "another question"
    if parsed is not None and opcode == 0 and len(parsed.question) == 1 and not counts[0]:
        return "the question is missing"
    if parsed is not None and message.edns >= 0 > parsed.edns:
        return "EDNS that was not asked for"
    if len(reply) > limit:
        return f"{len(reply)} octets, {limit} are allowed"
    if message.rcode() not in (0, 1, 2, 3, 4, 5, 6, 9, 16):
        return f"rcode {message.rcode()}"
    if message.rcode() not in (0, 3, 6) and any(counts[1:3]):
        return "an error with records"
    return None


class Attack:
    """One way in. Each input is followed by a good query; what comes before its answer is the answer to the input, but for what another process answers."""

    def __init__(self, node, where):
        self.node, self.where = node, where
        self.family = socket.AF_INET6 if ":" in where else socket.AF_INET
        self.waits, self.faults = [], []
        self.turn = self.late_count = 0
        self.connect()

    def good(self):
        self.turn = self.turn % 65535 + 1
        return struct.pack(">H", self.turn) + GOOD[2:]

    def is_good(self, reply, query):
        return len(reply) >= HEADER and reply[:2] == query[:2] and reply[HEADER:len(GOOD)] == GOOD[HEADER:] and reply[3] & 15 == 0 and struct.unpack(">H", reply[6:8])[0] == 1

    def check(self, octets_, reply, expect, limit):
        if expect != (reply is not None):
            self.faults.append((octets_[:100].hex(), "no answer" if expect else f"an answer: {reply[:50].hex()}"))
        elif reply is not None:
            wrong = judge(octets_, reply, limit)
            if wrong:
                self.faults.append((octets_[:100].hex(), wrong, reply[:100].hex()))

    def close(self):
        self.socket.close()


class Udp(Attack):
    def connect(self):
        self.socket = socket.socket(self.family, socket.SOCK_DGRAM)
        self.socket.settimeout(WAIT_S)
        self.socket.connect((self.where, self.node.port))

    def late(self):
        """NOTIFY, IXFR and signed questions are answered by another process, in its own time."""
        self.late_count += 1
        self.socket.settimeout(LATE_S)
        try:
            return self.socket.recv(65535)
        except TimeoutError:
            return None
        finally:
            self.socket.settimeout(WAIT_S)

    def send(self, octets_):
        """(answered, dropped, malformed) as the counters should say."""
        good, reply = self.good(), None
        self.socket.send(octets_)
        began = time.monotonic()
        self.socket.send(good)
        while True:
            got = self.socket.recv(65535)
            if self.is_good(got, good):
                break
            if reply is not None:
                self.faults.append((octets_[:100].hex(), "two answers"))
            reply = got
        self.waits.append(time.monotonic() - began)
        expect = not never_answered(octets_) and len(octets_) <= UDP_QUERY_MAX
        if expect and reply is None:
            reply = self.late()
        self.check(octets_, reply, expect, UDP_ANSWER_MAX)
        return (1 + expect, int(not expect), 0)


class Tcp(Attack):
    def connect(self):
        self.socket = socket.create_connection((self.where, self.node.port), timeout=WAIT_S)

    def receive(self):
        head = octets(self.socket, 2)
        return octets(self.socket, struct.unpack(">H", head)[0]) if head else None

    def send(self, octets_):
        ends = never_answered(octets_) or len(octets_) > TCP_QUERY_MAX
        malformed_ = len(octets_) < HEADER or len(octets_) > TCP_QUERY_MAX
        good = self.good()
        began = time.monotonic()
        try:
            self.socket.sendall(frame(good, octets_) + (b"" if ends else frame(good)))
        except (ConnectionResetError, BrokenPipeError):
            assert ends
        before = self.receive()
        self.waits.append(time.monotonic() - began)
        if before is None or not self.is_good(before, good):
            if not (before is None and len(octets_) > TCP_QUERY_MAX):  # a reset overtakes what was said before it
                self.faults.append((octets_[:100].hex(), "the good query before it is not answered"))
        reply = self.receive()
        self.check(octets_, reply, not ends, 65535)
        if ends:
            self.close()
            self.connect()
        elif reply is not None and (after := self.receive()) is None:
            # The process that answers transfers has taken the connection, and leaves other questions to a new one.
            self.late_count += 1
            self.close()
            self.connect()
            self.socket.sendall(frame(good))
            if not self.is_good(self.receive() or b"", good):
                self.faults.append((octets_[:100].hex(), "the good query on a new connection is not answered"))
        elif reply is None or not self.is_good(after, good):
            self.faults.append((octets_[:100].hex(), "the good query after it is not answered"))
            self.close()
            self.connect()
        return (1 if ends else 3, int(ends and not malformed_), int(malformed_))


@pytest.fixture(scope="module", name="node")
def _node(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    with Zonecast(str(folder), {o: z.path for o, z in hard_zones.make(folder).items()}) as z:
        yield z


def counters(node):
    p = subprocess.run([ZONECAST, "status", "--json", "--run-dir", node.path("run")], capture_output=True, text=True, timeout=60, check=False)
    assert p.returncode == 0, p.stderr
    status = json.loads(p.stdout)
    handed_over = status["transfers_out"]["handed_over"]
    return dict(status["queries"], handed_over=handed_over, answers=status["queries"]["answers"] + handed_over)


def settled(node, want, before):
    """The counters once they say what they should, or what they say in the end."""
    deadline = time.monotonic() + WAIT_S
    while True:
        now = counters(node)
        grown = {k: now[k] - before[k] for k in want}
        if grown == want or time.monotonic() > deadline:
            return grown


def pss(node):
    """Of its memory alone: pages of the program count more whenever another test's process that shares them ends."""
    with open(f"/proc/{node.pids()[('answer', 0)]}/smaps_rollup", encoding="ascii") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith(("Pss_Anon:", "Pss_Shmem:"))) << 10


def unless_starved(node, step, *args):
    """step, and again when the supervisor took the worker for hung meanwhile: on a machine with more to do than it can, that befalls one that waits for
    its turn. What hangs because of an input hangs each time."""
    for left in reversed(range(TRIES)):
        hangs = node.log().count(" hangs ")
        try:
            return step(node, *args)
        except (AssertionError, OSError):
            if node.log().count(" hangs ") == hangs or not left:
                raise
        print("the worker was killed for a late heartbeat; once more")
        dns.query.udp_with_fallback(dns.message.from_wire(GOOD), FAMILIES[0], timeout=WAIT_S, port=node.port)
    return None


def run(node, way, where, inputs):
    unless_starved(node, attack_all, way, where, inputs)


def attack_all(node, way, where, inputs):
    before, pids = counters(node), node.pids()
    attack = way(node, where)
    want = [0, 0, 0]
    try:
        for octets_ in inputs:
            for i, n in enumerate(attack.send(octets_)):
                want[i] += n
    finally:
        attack.close()
    family = "ipv6" if ":" in where else "ipv4"
    kind = "udp_" if way is Udp else "tcp_"
    want = {"answers": want[0], "dropped": want[1], "tcp_malformed": want[2], kind + family: want[0] + want[1]}
    median = statistics.median(attack.waits)
    print(f"{way.__name__} {where}: {len(inputs)} inputs, good queries in {median * 1e6:.0f} us (median), {max(attack.waits) * 1e3:.1f} ms at most; {want}")
    assert not attack.faults, f"{len(attack.faults)} faults, e.g. {attack.faults[:3]}"
    assert median < PROMPT_S
    assert node.pids() == pids
    assert settled(node, want, before) == want
    assert attack.late_count <= counters(node)["handed_over"] - before["handed_over"]


def everything():
    return [*malformed.generated(), *malformed.seeds()]


@pytest.mark.asan
def test_generated_and_corpora(node):
    inputs = everything()
    assert len(inputs) > 5000
    for way in (Udp, Tcp):  # to warm up
        run(node, way, FAMILIES[0], inputs[::4])
    before = pss(node)
    for way in (Udp, Tcp):
        for where in FAMILIES:
            run(node, way, where, inputs)
    grown = pss(node) - before
    print(f"PSS {before} octets, grown by {grown}")
    assert grown < GROWTH or SANITIZED


@pytest.mark.asan
def test_inputs_of_other_projects(node):
    inputs = malformed.corpus()
    if not inputs:
        pytest.skip("no corpus beside the source tree, nor at ZONECAST_CORPUS")
    for way in (Udp, Tcp):
        run(node, way, FAMILIES[0], inputs[::4])
    before = pss(node)
    for way in (Udp, Tcp):
        for where in FAMILIES:
            run(node, way, where, inputs)
    grown = pss(node) - before
    print(f"PSS {before} octets, grown by {grown}")
    assert grown < GROWTH or SANITIZED


@pytest.mark.asan
@pytest.mark.parametrize("where", FAMILIES)
def test_lengths_that_lie(node, where):
    """TCP: a length that is more or less than what follows, cut anywhere, and the end of the stream in the middle."""
    unless_starved(node, lie, where)


def lie(node, where):
    pids = node.pids()
    waits = []
    for length in (0, 1, 11, 12, 13, len(GOOD) - 1, len(GOOD), len(GOOD) + 1, 512, 16384, 16385, 65535):
        for cut in (0, 1, 2, 13, len(GOOD)):
            with socket.create_connection((where, node.port), timeout=WAIT_S) as s:
                s.sendall((frame(GOOD) + struct.pack(">H", length) + GOOD)[:len(frame(GOOD)) + 2 + cut])
                s.shutdown(socket.SHUT_WR)
                said = b""
                try:
                    while more := s.recv(65536):
                        said += more
                except ConnectionResetError:
                    pass
                replies = []
                while said:
                    n = struct.unpack(">H", said[:2])[0]
                    replies.append(said[2:2 + n])
                    assert len(replies[-1]) == n, "an answer is cut"
                    said = said[2 + n:]
                for r in replies:
                    assert dns.message.from_wire(r).id == 0x900d
                whole = HEADER <= length <= cut
                assert len(replies) == 1 + whole or (not replies and not HEADER <= length <= TCP_QUERY_MAX), (length, cut)
            began = time.monotonic()
            assert dns.query.udp(dns.message.from_wire(GOOD), where, timeout=WAIT_S, port=node.port).answer
            waits.append(time.monotonic() - began)
    assert statistics.median(waits) < PROMPT_S
    assert node.pids() == pids
