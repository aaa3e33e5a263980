# SPDX-License-Identifier: BSD-2-Clause
"""dnstap to real collectors (fstrm_capture) and into files, read by BIND's dnstap-read: both families, UDP, TCP and TLS; collectors that come late, go away, or do not read."""
import json
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile

import dns.message
import dns.name
import dns.rcode
import pytest

from certificates import Authority
from netns import missing, stop_process, wait_until
from paths import SANITIZED
from streamnode import FAMILIES, V4, V6, StreamNode, query, receive, send

NEEDED = missing("fstrm_capture", "dnstap-read", "openssl")
pytestmark = pytest.mark.skipif(bool(NEEDED), reason=NEEDED or "")
TLS = "tls: {certificate-file: cert.pem, key-file: key.pem}\n"
CONTENT = b"protobuf:dnstap.Dnstap"
ACCEPT, START, STOP, READY, FINISH = 1, 2, 3, 4, 5


@pytest.fixture(name="place")
def _place():
    """A folder in which the node's account may write."""
    folder = tempfile.mkdtemp(prefix=f"zonecast-tap-{os.getpid()}-")
    os.chmod(folder, 0o777)
    yield folder
    shutil.rmtree(folder)


class TapNode(StreamNode):
    """more: lines of the fleet file beside those of `answer`."""

    def __init__(self, folder, more, answer="", **how):
        self.more = more
        super().__init__(folder, answer, **how)

    def fleet(self, answer):
        super().fleet(answer)
        with open(self.path("fleet.yaml"), "a", encoding="utf-8") as f:
            f.write(self.more)

    def log(self):
        """Without what a test does itself."""
        return "".join(line for line in super().log().splitlines(True) if "process=tap index=0 ended signal=9" not in line)

    def status(self):
        return json.loads(self.zonecast("status", "--json", "--run-dir", self.path("run")).stdout)

    def tap(self):
        return self.status()["dnstap"]

    def reload_with(self, more, answer=""):
        self.more = more
        self.fleet(answer)
        done = self.reload()
        assert done.returncode == 0, done.stderr

    def wait_open(self, key="dnstap"):
        wait_until(lambda: self.status()[key]["state"] == "open", 30, lambda: f"{key} open: {self.status()[key]}\n{self.log()[-2000:]}", interval=0.1)

    def ask(self, where, name, count=1):
        with self.socket(where, socket.SOCK_DGRAM) as s:
            s.connect((where, 53))
            for i in range(count):
                s.send(query(f"{name}{i}.example." if count > 1 else name).to_wire())
                s.recv(65535)
            return s.getsockname()


def fields(octets):
    """The fields of a protobuf message, by number: the last of each."""
    found, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            b = octets[at]
            at += 1
            value |= (b & 0x7f) << shift
            shift += 7
            if b < 0x80:
                return value

    while at < len(octets):
        key = varint()
        if key & 7 == 0:
            found[key >> 3] = varint()
        elif key & 7 == 2:
            n = varint()
            found[key >> 3] = octets[at:at + n]
            at += n
        else:
            assert key & 7 == 5
            found[key >> 3] = struct.unpack("<I", octets[at:at + 4])[0]
            at += 4
    return found


def frames(octets):
    """Data frames of a Frame Streams file, and whether it ends with STOP."""
    at, data, stopped = 0, [], False
    while at + 4 <= len(octets):
        n = struct.unpack(">I", octets[at:at + 4])[0]
        at += 4
        if n == 0:
            n, kind = struct.unpack(">II", octets[at:at + 8])
            stopped = kind == STOP
            at += 4
        elif at + n <= len(octets):  # else it is being written
            data.append(octets[at:at + n])
        at += n
    return data, stopped


def read_file(path):
    with open(path, "rb") as f:
        return frames(f.read())


def messages(path):
    return [dict(fields(fields(d)[14]), origin=fields(d)) for d in read_file(path)[0]]


def about(path, name):
    """Those whose query or response is about a name."""
    want = dns.name.from_text(name)
    return [m for m in messages(path) if dns.message.from_wire(m.get(10) or m[14]).question[0].name == want]


class Capture:
    """fstrm_capture, in the node's namespace, to a file."""

    def __init__(self, node, folder, *where):
        self.node, self.path = node, os.path.join(folder, f"captured-{os.urandom(4).hex()}.fstrm")
        self.where, self.process = where, None

    def __enter__(self):
        with open(self.path + ".log", "wb") as log:
            self.process = self.node.ns.popen(["fstrm_capture", *["-d"] * 6, "-t", CONTENT.decode(), *self.where, "-w", self.path],
                                              stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if self.where[0] == "-u":
            wait_until(lambda: os.path.exists(self.where[1]), 20, "the collector's socket")
            os.chmod(self.where[1], 0o777)
        return self

    def wait_frames(self, count):
        def seen():
            with open(self.path + ".log", encoding="latin-1") as f:
                return f.read().count("processing data frame")

        wait_until(lambda: seen() >= count, 30, lambda: f"{count} frames: {seen()}\n{self.node.tap()}", interval=0.05)

    def stop(self):
        """It writes what it has when it ends."""
        if self.process:
            stop_process(self.process, signal.SIGTERM, 20)
        self.process = None
        return self.path

    def __exit__(self, *_):
        self.stop()


def yaml_of(path):
    done = subprocess.run(["dnstap-read", "-y", path], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout


@pytest.mark.asan
def test_collector_on_a_unix_socket(tmp_path, place):
    """What is asked by each transport of each family is there as it was, read by BIND."""
    ca = Authority(tmp_path / "ca")
    where = os.path.join(place, "tap.sock")
    ca.issue(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    with TapNode(tmp_path, f"dnstap: {{socket: {where}}}\n", TLS, workers=2) as node, Capture(node, place, "-u", where) as capture:
        node.wait_open()
        asked = {}
        for family in FAMILIES:
            asked["UDP", family] = node.ask(family, f"udp-{len(family)}.example.")
            with node.tcp(family) as s:
                send(s, query(f"tcp-{len(family)}.example."))
                asked["TCP", family] = s.getsockname()
                receive(s)
            with node.tls(ssl.create_default_context(cafile=ca.file), family) as s:
                send(s, query(f"dot-{len(family)}.example."))
                asked["DOT", family] = s.getsockname()
                receive(s)
        capture.wait_frames(12)
        wait_until(lambda: node.tap()["frames"] >= 12, 30, "the figures")
        tap = node.tap()
        assert (tap["configured"], tap["to"], tap["why"], tap["dropped"], tap["frames_lost"], tap["opened"]) == (True, where, "", 0, 0, 1)
        assert tap["frames"] == 2 * tap["events"] and tap["octets"] > 500
        text = node.zonecast("status", "--run-dir", node.path("run")).stdout
        assert f"dnstap to {where}: open" in text and "tap" in text
        with open(f"/proc/{node.pids()['tap', 0]}/status", encoding="ascii") as f:
            status = f.read()
        assert SANITIZED or "Seccomp:\t2" in status
        capture.stop()
        for (transport, family), client in asked.items():
            got = about(capture.path, f"{transport.lower()}-{len(family)}.example.")
            assert [m[1] for m in got] == [1, 2], got
            number = socket.AF_INET6 if ":" in family else socket.AF_INET
            for m in got:
                assert (m["origin"][1], m["origin"][15]) == (b"hidden", 1) and m["origin"][2].startswith(b"zonecast ")
                assert (m[2], m[3]) == (2 if ":" in family else 1, {"UDP": 1, "TCP": 2, "DOT": 3}[transport])
                assert (socket.inet_ntop(number, m[4]), m[6]) == client[:2]
                assert (socket.inet_ntop(number, m[5]), m[7]) == (family, 853 if transport == "DOT" else 53)
                assert abs(m[8] + m[9] / 1e9 - os.stat(capture.path).st_mtime) < 300
            assert 14 not in got[0] and 12 not in got[0] and 10 not in got[1]
            assert dns.message.from_wire(got[1][14]).rcode() == dns.rcode.NXDOMAIN
            took = (got[1][12] - got[1][8]) * 10**9 + got[1][13] - got[1][9]
            assert 0 <= took < 10**9
        text = yaml_of(capture.path)
        assert text.count("type: AUTH_QUERY") == text.count("type: AUTH_RESPONSE") >= 6 and "identity: hidden" in text
        for line in (f"query_address: {V4}", f"response_address: {V6}", "socket_protocol: TCP", "socket_family: INET6", "response_port: 853"):
            assert line in text.replace('"', ""), (line, text[:1500])
        assert f"udp-{len(V4)}.example" in text


@pytest.mark.parametrize("address", FAMILIES)
def test_collector_by_tcp_that_comes_late_and_goes(tmp_path, place, address):
    """Nothing listens at first: queries are answered, wait, and reach the collector when it is there; likewise after it went away."""
    net = ["-a", address, "-p", "6001"]
    with TapNode(tmp_path, f'dnstap: {{tcp: "{address}", port: 6001, responses: false}}\n') as node:
        node.ask(V4, "early.example.")
        wait_until(lambda: "refused" in node.tap()["why"].lower(), 30, lambda: f"why not: {node.tap()}", interval=0.1)
        wait_until(lambda: node.tap()["backlog_octets"] > 0, 30, "something waits", interval=0.1)
        assert node.tap()["state"] == "apart"
        with Capture(node, place, *net) as first:
            node.wait_open()
            first.wait_frames(1)
            first.stop()
        assert [m[1] for m in about(first.path, "early.example.")] == [1]
        wait_until(lambda: node.tap()["state"] == "apart", 30, "the end noticed", interval=0.1)
        node.ask(V6, "between.example.")
        with Capture(node, place, *net) as second:
            node.wait_open()
            second.wait_frames(1)
            second.stop()
        assert [m[1] for m in about(second.path, "between.example.")] == [1]
        assert node.tap()["opened"] == 2 and node.tap()["dropped"] == 0
        assert "dnstap to=" in node.log()


def test_collector_that_does_not_read(tmp_path, place):
    """Queries go on at full speed; beyond the backlog they are dropped and counted, and when it reads again all that was kept is whole."""
    where = os.path.join(place, "slow.sock")
    with TapNode(tmp_path, f"dnstap: {{socket: {where}, max-backlog: 1MiB}}\n") as node, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(where)
        os.chmod(where, 0o777)
        listener.listen(1)
        listener.settimeout(30)
        slow, _ = listener.accept()
        with slow:
            slow.settimeout(30)
            ready = slow.recv(4096)
            assert struct.unpack(">III", ready[:12]) == (0, 12 + len(CONTENT), READY) and ready.endswith(CONTENT)
            slow.sendall(struct.pack(">IIIII", 0, 12 + len(CONTENT), ACCEPT, 1, len(CONTENT)) + CONTENT)
            node.wait_open()
            count = 0
            with node.tcp(V4) as s:
                while not node.tap()["dropped"]:
                    send(s, *[query("big.example.", "TXT")] * 20)
                    for _ in range(20):
                        assert receive(s).rcode() == dns.rcode.NOERROR
                    count += 20
                    assert count < 5000
            tap = node.tap()
            assert tap["state"] == "open" and tap["dropped"] > 0 and tap["backlog_octets"] <= 1 << 20
            got = slow.recv(1 << 20)
            node.ask(V4, "after.example.")
            while b"\x05after" not in got[-4096:]:
                got += slow.recv(1 << 20)
            head = 8 + 12 + len(CONTENT)
            assert struct.unpack(">III", got[:12]) == (0, 12 + len(CONTENT), START)
            data, _ = frames(got)
            for d in data[:-1]:
                m = fields(fields(d)[14])
                dns.message.from_wire(m.get(10) or m[14])
            assert len(got) > head and len(data) >= tap["events"]


def test_stranger_instead_of_a_collector(tmp_path, place):
    where = os.path.join(place, "stranger.sock")
    with TapNode(tmp_path, f"dnstap: {{socket: {where}}}\n") as node, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(where)
        os.chmod(where, 0o777)
        listener.listen(4)
        listener.settimeout(30)
        other = b"protobuf:something.Else"
        for answer, why in [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "not Frame Streams"),
                            (struct.pack(">IIIII", 0, 12 + len(other), ACCEPT, 1, len(other)) + other, "does not take dnstap"),
                            (struct.pack(">III", 0, 1 << 30, ACCEPT), "not Frame Streams"), (b"", "not accepted")]:
            s, _ = listener.accept()
            with s:
                s.recv(4096)
                s.sendall(answer)
                if not answer:
                    s.shutdown(socket.SHUT_WR)
                wait_until(lambda w=why: w in node.tap()["why"], 30, lambda w=why: f"{w}: {node.tap()}", interval=0.05)
        assert node.ask(V4, "www.example.") and node.tap()["opened"] == 0


@pytest.mark.asan
def test_file_that_is_put_aside(tmp_path, place):
    """A file is whole when the node stops, when it is moved away and the node told, and when it has its size; one that is there at the start is kept."""
    path = os.path.join(place, "node.fstrm")
    more = f"dnstap: {{file: {path}, file-size: 1MiB, files: 2}}\n"
    with TapNode(tmp_path, more) as node:
        node.wait_open()
        node.ask(V4, "first.example.")
        wait_until(lambda: len(read_file(path)[0]) >= 2, 30, "two frames")
        os.rename(path, os.path.join(place, "moved.fstrm"))
        node.reload_with(more)
        wait_until(lambda: os.path.exists(path) and node.tap()["files_aside"] == 1, 30, "a new file")
        data, stopped = read_file(os.path.join(place, "moved.fstrm"))
        assert stopped and len(data) == 2
        node.ask(V6, "second.example.")
        wait_until(lambda: len(read_file(path)[0]) >= 2, 30, "two frames")
        assert node.tap()["lines" if "lines" in node.tap() else "frames"] == 4
    assert read_file(path)[1], "no STOP at the end"
    assert "AUTH_RESPONSE" in yaml_of(path)
    with TapNode(tmp_path, more) as node:
        wait_until(lambda: os.path.exists(path + ".1"), 30, "the file of before put aside")
        assert about(path + ".1", "second.example.")
        with node.tcp(V4) as s:
            for _ in range(30):
                send(s, *[query("big.example.", "TXT")] * 5)
                for _ in range(5):
                    receive(s)
        wait_until(lambda: node.tap()["files_aside"] >= 2 and node.tap()["backlog_octets"] == 0, 60, "files put aside by size")
    assert sorted(os.listdir(place)) == ["moved.fstrm", "node.fstrm", "node.fstrm.1", "node.fstrm.2"]
    for n in (1, 2):
        data, stopped = read_file(f"{path}.{n}")
        assert stopped and os.path.getsize(f"{path}.{n}") < 8 << 20
        for d in data:
            fields(fields(d)[14])


def test_folder_that_cannot_be_written(tmp_path, place):
    path = os.path.join(place, "not-there", "node.fstrm")
    with TapNode(tmp_path, f"dnstap: {{file: {path}}}\n") as node:
        wait_until(lambda: "cannot write" in node.tap()["why"], 30, lambda: f"why: {node.tap()}", interval=0.1)
        node.ask(V4, "www.example.")
        os.mkdir(os.path.dirname(path))
        os.chmod(os.path.dirname(path), 0o777)
        node.wait_open()
        wait_until(lambda: about(path, "www.example."), 30, "what was asked before")


def test_turned_on_and_off_and_sampled(tmp_path, place):
    """Reloads start and end the process; a sample takes one query in so many, each with its response."""
    path = os.path.join(place, "sample.fstrm")
    with TapNode(tmp_path, "", workers=2) as node:
        assert ("tap", 0) not in node.pids() and node.tap()["state"] == "off"
        node.ask(V4, "before.example.")
        node.reload_with(f"dnstap: {{file: {path}, sample: 10}}\n")
        node.wait_open()
        node.ask(V4, "q", 2000)
        wait_until(lambda: node.tap()["events"] and len(read_file(path)[0]) == 2 * node.tap()["events"], 30, "all written")
        assert 100 < node.tap()["events"] < 350
        pid = node.pids()["tap", 0]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: node.pids().get(("tap", 0), pid) != pid, 30, "the process again")
        node.wait_open()
        node.ask(V6, "r", 500)
        wait_until(lambda: os.path.exists(path + ".1") and read_file(path)[0], 30, "what was asked after")
        node.reload_with("")
        wait_until(lambda: node.tap()["state"] == "off" and ("tap", 0) not in node.pids(), 30, "off")
        events = node.tap()["events"]
        node.ask(V4, "off", 100)
        assert node.tap()["events"] == events
        node.reload_with(f"dnstap: {{file: {path}, queries: false}}\n")
        node.wait_open()
        node.ask(V4, "again.example.")
        wait_until(lambda: about(path, "again.example."), 30, "on again")
        assert [m[1] for m in about(path, "again.example.")] == [2]


@pytest.mark.parametrize("form", ["text", "json"])
def test_query_log_file(tmp_path, place, form):
    path = os.path.join(place, "queries.log")
    more = f"query-log: {{file: {path}, format: {form}}}\n"

    def lines():
        with open(path, encoding="utf-8") as f:
            return [line for line in f.read().split("\n") if "logged" in line]

    with TapNode(tmp_path, more, "query-log-sample: 1") as node:
        node.wait_open("query_log")
        client = node.ask(V4, "LOGGED.example.")
        node.ask(V6, "logged-too.example.")
        wait_until(lambda: len(lines()) == 1 and "LOGGED" in open(path, encoding="utf-8").read(), 30, "both logged")
        with open(path, encoding="utf-8") as f:
            first = next(line for line in f if "LOGGED" in line)
        if form == "json":
            e = json.loads(first)
            assert (e["client"], e["port"], e["name"], e["type"], e["rcode"]) == (*client, "LOGGED.example.", "A", "NXDOMAIN")
        else:
            assert f' client={client[0]} port={client[1]} ' in first and ' name="LOGGED.example." class=IN type=A ' in first
            assert " rcode=NXDOMAIN " in first and " transport=udp " in first and first.split()[1] == "query"
        os.rename(path, path + ".moved")
        os.kill(node.pids()["supervisor", 0], signal.SIGHUP)
        wait_until(lambda: os.path.exists(path), 30, "a new file")
        node.ask(V4, "logged-later.example.")
        wait_until(lambda: len(lines()) == 1 and "logged-later" in lines()[0], 30, "the line")
        assert node.status()["query_log"]["lines"] >= 3
        assert "query log to " + path in node.zonecast("status", "--run-dir", node.path("run")).stdout
