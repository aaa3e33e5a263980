# SPDX-License-Identifier: BSD-2-Clause
"""TCP as RFC 7766, 7828, 9210 and 7413 want it: one node in a namespace, clients with as many addresses as they need."""
import os
import select
import socket
import struct
import time

import dns.edns
import dns.message
import dns.rcode
import pytest

from netns import missing, wait_until
from paths import SANITIZED
from streamnode import BIG, FAMILIES, V4, V6, StreamNode, ended, frame, octets, query, receive, send

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "")
KEEPALIVE = 11
IPV6_CHECKSUM = 7
SLACK_S = 10 if SANITIZED else 3


@pytest.fixture(scope="module", name="node")
def _node(tmp_path_factory):
    with StreamNode(tmp_path_factory.mktemp("tcp"), "tcp: {idle: 1s}") as node:
        yield node


def keepalive(message):
    """The timeout told, in units of 100 ms; None without the option."""
    found = [o for o in message.options if o.otype == KEEPALIVE]
    return struct.unpack(">H", found[0].to_wire())[0] if found else None


def asking(value=b"", **more):
    return query(options=[dns.edns.GenericOption(KEEPALIVE, value)], **more)


def data_segments_in(s):
    """Segments with data that this socket got: tcpi_data_segs_in of struct tcp_info."""
    return struct.unpack_from("=I", s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192), 152)[0]


def checksum(octets_):
    octets_ += b"\0" * (len(octets_) % 2)
    total = sum(struct.unpack(f">{len(octets_) // 2}H", octets_))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


# ---- queries and answers ----

@pytest.mark.asan
@pytest.mark.parametrize("where", FAMILIES)
def test_pipelined_queries_are_answered_in_order_and_in_few_segments(node, where):
    with node.tcp(where) as s:
        send(s, *[query(id=i) for i in range(200)])
        for i in range(200):
            assert receive(s).id == i
        # 200 answers of some 60 octets; one segment each would be 200.
        assert data_segments_in(s) < 20


@pytest.mark.parametrize("where", FAMILIES)
def test_one_answer_is_one_segment(node, where):
    with node.tcp(where) as s:
        for expected in (1, 2, 3):
            send(s, query())
            assert receive(s).rcode() == dns.rcode.NOERROR
            assert data_segments_in(s) == expected


@pytest.mark.asan
@pytest.mark.parametrize("where", FAMILIES)
def test_octet_by_octet(node, where):
    """Every cut of the stream, also within the length."""
    with node.tcp(where) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i, octet in enumerate(frame(query(id=7), query(id=8))):
            s.sendall(bytes([octet]))
            if i % 3 == 0:  # the server has read it before the next comes
                wait_until(lambda: b"\0\0\0\0" == s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)[24:28], 5, "acknowledged")
        assert [receive(s).id, receive(s).id] == [7, 8]


@pytest.mark.asan
def test_every_cut_in_two(node):
    whole = frame(query(id=1), query(id=2), query(id=3))
    for cut in range(1, len(whole)):
        with node.tcp(V6) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.sendall(whole[:cut])
            s.sendall(whole[cut:])
            assert [receive(s).id for _ in range(3)] == [1, 2, 3], cut


def test_client_that_ends_its_half_gets_all_answers(node):
    with node.tcp() as s:
        send(s, *[query(id=i) for i in range(50)])
        s.shutdown(socket.SHUT_WR)
        assert [receive(s).id for _ in range(50)] == list(range(50))
        assert s.recv(1) == b""


@pytest.mark.asan
@pytest.mark.parametrize("where", FAMILIES)
def test_what_is_no_query_ends_the_connection(node, where):
    before = node.counters()["tcp_malformed"]
    wrong = [struct.pack(">H", 0), struct.pack(">H", 11) + bytes(11), struct.pack(">H", 65535), struct.pack(">H", 16385) + bytes(100)]
    for octets_ in wrong:
        with node.tcp(where) as s:
            send(s, query(id=5))
            s.sendall(octets_)
            assert receive(s).id == 5  # what was right before is answered
            assert ended(s, 0.9)       # sooner than for being idle
    with node.tcp(where) as s:
        s.sendall(struct.pack(">H", 12) + struct.pack(">6H", 1, 0x8000, 0, 0, 0, 0))  # a response: never answered
        assert ended(s, 0.9)
    assert node.counters()["tcp_malformed"] == before + len(wrong)


@pytest.mark.asan
def test_large_answers_to_a_client_that_waits(node):
    """More than the kernel takes: what is kept is sent in order when the client reads."""
    with node.tcp() as s:
        send(s, *[query("big.example.", "TXT", id=i) for i in range(30)], *[query(id=1000 + i) for i in range(30)])
        wait_until(lambda: node.counters()["tcp_memory"] > 60000, 10, "an answer is kept")
        for i in range(30):
            reply = receive(s)
            assert reply.id == i and len(reply.answer[0]) == BIG
        assert [receive(s).id for _ in range(30)] == [1000 + i for i in range(30)]


# ---- time ----

@pytest.mark.asan
@pytest.mark.parametrize("where", FAMILIES)
def test_idle_connections_are_closed(node, where):
    with node.tcp(where) as silent, node.tcp(where) as used:
        began = time.monotonic()
        while time.monotonic() - began < 1.5:  # longer than the idle time: queries keep it open
            send(used, query())
            assert receive(used).rcode() == 0
            if select.select([silent], [], [], 0.2)[0]:
                assert silent.recv(1) == b"" and time.monotonic() - began > 0.9
        asked = time.monotonic()
        assert ended(silent, SLACK_S)
        assert ended(used, 1 + SLACK_S) and time.monotonic() - asked > 0.7


@pytest.mark.parametrize("where", FAMILIES)
def test_octets_are_no_activity(node, where):
    """A client that sends an octet now and then never comes to a whole query and is idle."""
    slow = node.counters()["tcp_closed_slow"]
    began = time.monotonic()
    with node.tcp(where) as s:
        for octet in frame(query("a-rather-long-name-so-that-there-are-octets-enough.example.")):
            if select.select([s], [], [], 0.1)[0]:
                break
            s.sendall(bytes([octet]))
        took = time.monotonic() - began
        assert ended(s, SLACK_S) and 0.9 < took < 1 + SLACK_S
    wait_until(lambda: node.counters()["tcp_closed_slow"] > slow, 5, "counted")


def test_a_client_that_reads_slowly_is_idle_too(node):
    """It takes one octet of its answers at a time; what is kept for it is bounded, and its time ends."""
    slow = node.counters()["tcp_closed_slow"]
    with node.tcp() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire = frame(*[query("big.example.", "TXT")] * 100)
        s.sendall(wire)
        began = time.monotonic()
        while node.counters()["tcp_closed_slow"] == slow:
            assert time.monotonic() - began < 1 + SLACK_S
            s.recv(1)
            assert node.counters()["tcp_memory"] < 400000
            with node.tcp() as other:  # others do not wait
                send(other, query())
                assert receive(other).rcode() == 0


@pytest.mark.asan
def test_keepalive_tells_the_idle_time(node):
    for where in FAMILIES:
        with node.tcp(where) as s:
            send(s, asking(), query(use_edns=0), query())
            assert keepalive(receive(s)) == 10
            assert keepalive(receive(s)) is None  # not asked
            assert receive(s).edns == -1
        assert keepalive(node.udp(where, asking())) is None  # RFC 7828 3.2.2


# ---- limits ----

def test_idle_time_shrinks_as_slots_fill(tmp_path):
    with StreamNode(tmp_path, "tcp: {idle: 1h, connections: 100}") as node:
        many, told = [], {}
        with node.tcp() as s:
            for _ in range(98):
                send(s, asking())
                told[len(many)] = keepalive(receive(s))
                many.append(node.tcp(source=f"10.1.0.{1 + len(many)}"))
            # Accepted are all, but the server may not have got to the last when it answered.
            wait_until(lambda: node.counters()["tcp_open"] == 99, 10, "all are there")
            send(s, asking())
            last = keepalive(receive(s))
            wait_until(lambda: node.worker_status()[0]["tcp_idle_ms"] == 36000, 10, "the shortest idle time")
        print(told, last)
        assert [told[n] for n in (0, 60, 76, 87, 93)] == [36000, 18000, 9000, 3600, 1440]
        assert last == 0  # close, and come again
        for m in many:
            m.close()
        wait_until(lambda: node.counters()["tcp_open"] == 0, 10, "all are gone")
        with node.tcp() as s:
            send(s, asking())
            assert keepalive(receive(s)) == 36000


def test_when_all_slots_are_taken_the_longest_silent_goes(tmp_path):
    with StreamNode(tmp_path, "tcp: {idle: 1h, connections: 20}") as node:
        good = node.tcp(source="10.9.9.9")
        send(good, query())
        assert receive(good).rcode() == 0
        silent = []
        for i in range(30):
            silent.append(node.tcp(FAMILIES[i % 2], source=["10.1.0.%d", "2001:db8:%x::1"][i % 2] % (i + 1)))
            wait_until(lambda n=i: node.counters()["tcp_accepted"] == n + 2, 10, "accepted")
        send(good, query())
        assert receive(good).rcode() == 0  # it has asked before: the silent ones go first
        counters = node.counters()
        assert counters["tcp_open"] == 20 and counters["tcp_closed_limit"] == 11
        assert all(ended(s, 5) for s in silent[:11])
        for s in silent[11:]:
            send(s, query())
            assert receive(s).rcode() == 0
            s.close()


@pytest.mark.asan
@pytest.mark.parametrize("where,mine,same,other", [(V4, "10.1.1.1", "10.1.1.1", "10.1.1.2"),
                                                   (V6, "2001:db8:1:1::1", "2001:db8:1:1:ffff::2", "2001:db8:1:2::1")])
def test_a_client_over_its_limit_loses_its_own_longest_idle(tmp_path, where, mine, same, other):
    with StreamNode(tmp_path, "tcp: {idle: 1h, per-client: 4}") as node:
        stranger = node.tcp(where, source=other)
        held = []
        for i in range(4):
            held.append(node.tcp(where, source=[mine, same][i % 2]))
            send(held[i], query())
            assert receive(held[i]).rcode() == 0
        send(held[0], query())  # now the second has been idle for longest
        assert receive(held[0]).rcode() == 0
        extra = node.tcp(where, source=mine)
        assert ended(held[1], 5)
        for s in (stranger, held[0], held[2], held[3], extra):
            send(s, query())
            assert receive(s).rcode() == 0
            s.close()
        counters = node.counters()
        assert counters["tcp_closed_client"] == 1 and counters["tcp_closed_limit"] == 0


def test_memory_is_bounded_by_the_figure(tmp_path):
    """Clients that ask for much and take nothing fill the figure and no more; others go on."""
    with StreamNode(tmp_path, "tcp: {idle: 20s, memory: 1MiB}") as node:
        base = node.memory()
        wire = frame(*[query("big.example.", "TXT")] * 20)
        greedy = []
        for i in range(100):
            s = node.tcp(FAMILIES[i % 2], source=["10.2.0.%d", "2001:db8:%x::1"][i % 2] % (i + 1))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(wire)
            greedy.append(s)
            if i % 10 == 9:
                counters = node.counters()
                assert counters["tcp_memory"] <= 1 << 20
                with node.tcp(V6) as other:
                    send(other, query())
                    assert receive(other).rcode() == 0
        wait_until(lambda: node.counters()["tcp_closed_memory"] > 0, 10, "some had to go for want of memory")
        grown = node.memory() - base
        print(f"grown by {grown} octets, {node.counters()}")
        assert grown < 3 << 20 or SANITIZED
        for s in greedy:
            s.close()
        wait_until(lambda: node.counters()["tcp_open"] == 0, 10, "all are gone")


def test_reload_changes_limits_of_open_connections(tmp_path):
    with StreamNode(tmp_path, "tcp: {idle: 100s}", workers=2) as node:
        with node.tcp() as s, node.tcp() as silent:
            send(s, asking())
            assert keepalive(receive(s)) == 1000
            pids = node.pids()
            node.fleet("tcp: {idle: 2s}")
            assert node.reload().returncode == 0
            wait_until(lambda: (send(s, asking()), keepalive(receive(s)))[1] == 20, 10, "the new time")
            assert ended(silent, 2 + SLACK_S)
            assert node.pids() == pids


# ---- TCP below ----

@pytest.mark.asan
@pytest.mark.parametrize("where", FAMILIES)
def test_a_connection_from_elsewhere_is_reset_at_once(node, where):
    """Anycast: routing moved a client here in mid-stream. Its next segment, which belongs to no connection of ours, is answered by RST, so that it
    connects anew instead of waiting."""
    source, sport, seq, ack = {V4: "10.7.7.7", V6: "2001:db8:7::7"}[where], 40000 + os.getpid() % 20000, 1000, 5000
    payload = frame(query())
    with node.socket(where, socket.SOCK_RAW, protocol=socket.IPPROTO_TCP) as s:
        if where == V6:
            s.setsockopt(socket.IPPROTO_IPV6, IPV6_CHECKSUM, 16)  # the kernel computes it and puts it there
        s.bind((source, 0))
        s.connect((where, 0))
        s.settimeout(5)
        head = struct.pack(">HHIIBBHHH", sport, 53, seq, ack, 5 << 4, 0x18, 1000, 0, 0)  # PSH, ACK; no SYN
        if where == V4:
            pseudo = socket.inet_aton(source) + socket.inet_aton(where) + struct.pack(">BBH", 0, 6, len(head) + len(payload))
            head = head[:16] + struct.pack(">H", checksum(pseudo + head + payload)) + head[18:]
        began = time.monotonic()
        s.send(head + payload)
        while True:
            got = s.recv(4096)
            if where == V4:
                got = got[(got[0] & 15) * 4:]
            ports, got_seq, flags = struct.unpack(">HH", got[:4]), struct.unpack(">I", got[4:8])[0], got[13]
            if ports == (53, sport):
                break
        took = time.monotonic() - began
    assert flags & 4 and got_seq == ack  # RFC 9293 3.10.7.1: <SEQ=SEG.ACK><CTL=RST>
    print(f"reset after {took * 1e6:.0f} us")
    assert took < 0.5
