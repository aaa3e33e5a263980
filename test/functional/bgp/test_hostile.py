# SPDX-License-Identifier: BSD-2-Clause
"""A neighbor that misbehaves, played by this test over loopback: the right NOTIFICATION, a clear reason, and we come back."""
import os
import socket
import struct
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
from speaker import Speaker, program  # noqa: E402
from netns import wait_until  # noqa: E402

pytestmark = [pytest.mark.skipif(not os.path.exists(program()), reason=f"needs {program()}"), pytest.mark.asan]

MARKER = b"\xff" * 16


def message(kind, body=b""):
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


OPEN = message(1, bytes.fromhex("04fc59005a0a09000116021401040001000101040002000102004104" "0000fc59"))
KEEPALIVE = message(4)


class Peer:
    """Listens on loopback; one connection at a time."""

    def __init__(self, rcvbuf=0):
        self.listener = socket.socket()
        if rcvbuf:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(4)
        self.listener.settimeout(10)
        self.port = self.listener.getsockname()[1]
        self.conn = None
        self.buffer = b""

    def accept(self):
        self.close_connection()
        self.conn, _ = self.listener.accept()
        self.conn.settimeout(10)
        self.buffer = b""

    def take(self, n):
        while len(self.buffer) < n:
            more = self.conn.recv(65536)
            if not more:
                raise EOFError
            self.buffer += more
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def read(self):
        header = self.take(19)
        length, kind = struct.unpack("!HB", header[16:])
        return kind, self.take(length - 19)

    def read_notification(self):
        while True:
            kind, body = self.read()
            if kind == 3:
                return body[0], body[1], body[2:]

    def bring_to(self, state):
        self.accept()
        assert self.read()[0] == 1
        if state >= 1:
            self.conn.sendall(OPEN)
            assert self.read()[0] == 4
        if state >= 2:
            self.conn.sendall(KEEPALIVE)

    def close_connection(self):
        if self.conn:
            self.conn.close()
            self.conn = None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close_connection()
        self.listener.close()


def speaker(peer, **options):
    values = {"remote": f"127.0.0.1:{peer.port}", "as": 64500, "peer_as": 64601, "router_id": "10.9.0.2",
              "nh4": "192.0.2.1", "nh6": "2001:db8::1", **options}
    return Speaker(None, **values)


OPEN_SENT, OPEN_CONFIRM, ESTABLISHED = range(3)
CASES = {
    "http": (b"HTTP/1.1 400 Bad Request\r\n\r\n", {0: (1, 1), 1: (1, 1), 2: (1, 1)}),
    "zeros": (bytes(100), {0: (1, 1), 1: (1, 1), 2: (1, 1)}),
    "length-5000": (MARKER + struct.pack("!HB", 5000, 2), {0: (1, 2), 1: (1, 2), 2: (1, 2)}),
    "type-9": (message(9, b"abcd"), {0: (1, 3), 1: (1, 3), 2: (1, 3)}),
    "keepalive": (KEEPALIVE, {0: (5, 1)}),
    "update": (message(2, bytes(4)), {0: (5, 1), 1: (5, 2)}),
    "open": (OPEN, {1: (5, 2), 2: (5, 3)}),
    "open-version-3": (OPEN[:19] + b"\x03" + OPEN[20:], {0: (2, 1)}),
    "open-hold-1": (OPEN[:22] + b"\x00\x01" + OPEN[24:], {0: (2, 6)}),
    "open-id-0": (OPEN[:24] + bytes(4) + OPEN[28:], {0: (2, 3)}),
}


STATES = ["open-sent", "open-confirm", "established"]


@pytest.mark.parametrize("case,state", [(case, state) for case in CASES for state in CASES[case][1]],
                         ids=lambda value: STATES[value] if isinstance(value, int) else value)
def test_garbage_gets_its_notification_and_we_come_back(case, state):
    octets, expected = CASES[case]
    with Peer() as peer, speaker(peer) as s:
        s.send("announce 192.0.2.0/24", "start")
        peer.bring_to(state)
        if state == ESTABLISHED:
            s.wait("established")
        peer.conn.sendall(octets)
        assert peer.read_notification()[:2] == expected[state]
        with pytest.raises(EOFError):
            peer.read()
        peer.close_connection()
        status = s.status()
        assert status["garbage"] == "1" and status["last-error"]
        s.wait("state .* idle")
        if state != max(expected):
            return
        # Not discouraged: the next connection works. It takes 1 to 5 s, so once for each case.
        peer.bring_to(ESTABLISHED)
        wait_until(lambda: s.status()["told"] == "1", 5, "announced again")
        s.quit()


def test_a_flood_of_updates_is_read_and_forgotten():
    update = message(2, bytes(4) + bytes(4000))
    with Peer() as peer, speaker(peer) as s:
        s.send("announce 192.0.2.0/24", "start")
        peer.bring_to(ESTABLISHED)
        s.wait("established")
        for _ in range(5000):
            peer.conn.sendall(update)
        wait_until(lambda: s.status()["updates-in"] == "5000", 10, "20 MB read")
        assert s.status()["state"] == "established"
        s.quit()


def test_octet_by_octet():
    with Peer() as peer, speaker(peer) as s:
        s.send("announce 192.0.2.0/24", "start")
        peer.accept()
        assert peer.read()[0] == 1
        peer.conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in OPEN + KEEPALIVE:
            peer.conn.sendall(bytes([octet]))
        s.wait("open-confirm established")
        assert peer.read()[0] == 4
        kinds = [peer.read() for _ in range(3)]
        assert [k for k, _ in kinds] == [2, 2, 2]
        assert kinds[0][1].endswith(bytes.fromhex("18c00002"))
        assert kinds[1][1] == bytes(4) and kinds[2][1].hex() == "00000006800f03000201"
        s.quit()


def test_a_peer_that_does_not_read():
    """Zero window: nothing of ours blocks, nothing grows, and the send hold timer ends it (RFC 9687)."""
    with Peer(rcvbuf=2048) as peer, speaker(peer, send_hold_ms=20000) as s:
        s.send("start")
        peer.bring_to(ESTABLISHED)
        s.wait("established")
        deadline = 400
        while int(s.status()["queued"]) == 0 and deadline:
            deadline -= 1
            s.send(*[f"announce 10.{i}.0.0/16 prepend={deadline % 2 + 31} large=1:2:3 large=4:5:6 large=7:8:9" for i in range(200)])
        stuck = s.status()
        assert 0 < int(stuck["queued"]) <= 16384
        s.send("withdraw all")  # answered at once, though it cannot leave
        assert s.status()["state"] == "established"
        s.wait(r"error send hold timer expired", 60)
        s.wait(r"notification-out 8/0", 1)
        peer.bring_to(ESTABLISHED)
        s.wait("open-confirm established", after=len(s.lines) - 1)
        s.quit()


def test_a_peer_that_does_not_read_what_the_kernel_holds():
    """The same where all that we have to say fits into our kernel's buffer; a peer that does read is left alone."""
    with Peer(rcvbuf=2048) as peer, speaker(peer, send_hold_ms=1500) as s:
        s.send("start")
        peer.bring_to(ESTABLISHED)
        s.wait("established")
        s.send(*[f"announce 10.{i}.0.0/16 prepend=31" for i in range(200)])
        assert s.status()["queued"] == "0"
        s.wait(r"error send hold timer expired", 20)
        s.wait(r"notification-out 8/0", 1)
        s.quit()
    with Peer() as peer, speaker(peer, send_hold_ms=300) as s:
        s.send("start")
        peer.bring_to(ESTABLISHED)
        s.wait("established")
        for i in range(100):
            s.send(f"announce 10.{i}.0.0/16")
            while peer.read()[0] != 2:
                pass
        until = time.monotonic() + 1
        wait_until(lambda: s.status()["state"] != "established" or time.monotonic() > until, 5, "longer than the timer")
        assert s.status()["state"] == "established"
        s.quit()


def test_open_offers_no_graceful_restart():
    with Peer() as peer, speaker(peer) as s:
        s.send("start")
        peer.accept()
        _, body = peer.read()
        caps, at = {}, 12
        while at < len(body):
            caps.setdefault(body[at], []).append(body[at + 2:at + 2 + body[at + 1]])
            at += 2 + body[at + 1]
        assert set(caps) == {1, 2, 65}
        assert caps[1] == [b"\0\1\0\1", b"\0\2\0\1"] and caps[65] == [struct.pack("!I", 64500)]


def test_refused_and_silent_ports_are_said():
    with Peer() as peer:
        port = peer.port
    with Speaker(None, **{"remote": f"127.0.0.1:{port}", "as": 1, "peer_as": 2, "router_id": "1.1.1.1"}) as s:
        s.send("start")
        at, _ = s.wait(r"error cannot connect: [Cc]onnection refused", 5)
        s.wait(r"error cannot connect: [Cc]onnection refused", 7, at + 1)
