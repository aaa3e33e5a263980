# SPDX-License-Identifier: BSD-2-Clause
"""A node's web server: who is let in and who is not, what it costs to be rude, and answers that are as doc/openapi.json describes them."""
import contextlib
import gzip
import json
import os
import re
import socket
import threading
import time

import pytest

from netns import missing, wait_until
from openapi import DOCUMENT, Document
from paths import TOP, ZONECAST
from web import ADDRESSES, BOSS, PORT, READER, SLOW, WebNode

WHY = missing(ZONECAST)
pytestmark = [pytest.mark.skipif(WHY is not None, reason=str(WHY)), pytest.mark.asan]
ZONES = 3000
JSON = {"Content-Type": "application/json"}


class Trickle:
    """A client that sends a header a second and never ends its request."""

    def __init__(self, node):
        self.socket, self.ended = node.socket(source="10.77.1.200"), None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.began = time.monotonic()
        self.thread.start()

    def _run(self):
        try:
            self.socket.send(b"GET /api/v1/status HTTP/1.1\r\nHost: 10.77.0.1\r\n")
            self.socket.settimeout(1)
            while not self.over.is_set():
                self.socket.send(b"X-Slow: 1\r\n")
                with contextlib.suppress(TimeoutError):
                    if not self.socket.recv(100):
                        break
        except OSError:
            pass
        self.ended = time.monotonic()


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with WebNode(tmp_path_factory.mktemp("web"), zones=ZONES) as n:
        n.trickle = Trickle(n)
        try:
            wait_until(lambda: n.status()["zones"]["serving"] == ZONES, 60 * SLOW, "all zones")
            yield n
        finally:
            n.trickle.over.set()
            n.trickle.thread.join(20)
            n.trickle.socket.close()


def grown(before, after):
    """Counters of refusals that have changed, and by how much."""
    return {k: after[k] - before[k] for k in after if k.startswith(("refused_", "logins", "orders")) and after[k] != before[k]}


@pytest.mark.parametrize("where", ADDRESSES)
def test_who_may_read(node, where):
    before = node.counters()
    for token, want in ((READER, 200), (BOSS, 200), (None, 401), ("wrong" * 8, 401), (READER + "x", 401), (READER[:-1], 401)):
        status, headers, body = node.get("/api/v1/status", where=where, token=token)
        assert status == want, (token, body)
        assert ("WWW-Authenticate" in headers) == (want == 401)
        assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff"
    assert json.loads(node.get("/api/v1/status", where=where, token=READER)[2])["node"] == "w1"
    assert node.get("/api/v1/status", where=where, headers={"Authorization": f"Basic {READER}"})[0] == 401
    assert node.get(f"/api/v1/status?token={READER}", where=where)[0] == 401  # not in an address, which logs keep
    assert node.get("/", where=where)[0] == 200  # no data in it
    assert grown(before, node.counters()) == {"refused_unauthorized": 6}


def test_a_session(node):
    before = node.counters()
    status, headers, body = node.post("/api/v1/login", {"token": READER})
    assert status == 200 and json.loads(body)["by"] == "session"
    cookie, *attributes = [part.strip() for part in headers["Set-Cookie"].split(";")]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
    mine = {"Cookie": f"other=1; {cookie}"}
    assert node.get("/api/v1/status", headers=mine)[0] == 200
    told = json.loads(node.get("/api/v1/session", headers=mine)[2])
    assert (told["name"], told["by"], told["changes"]) == ("reader", "session", False)
    assert node.get("/api/v1/status", headers={"Cookie": cookie[:-1] + ("0" if cookie[-1] != "0" else "1")})[0] == 401
    assert node.post("/api/v1/login", {"token": "x" * 24})[0] == 401
    assert node.post("/api/v1/login", [1])[0] == 401
    assert node.post("/api/v1/login", "{", headers=JSON)[0] == 401
    assert node.post("/api/v1/logout", {}, headers=mine)[0] == 200
    assert node.get("/api/v1/status", headers=mine)[0] == 401
    told = grown(before, node.counters())
    assert told["logins"] == 1 and told["logins_failed"] == 3


@pytest.mark.parametrize("host, want", [("10.77.0.1:8053", 200), ("[2001:db8:77::1]:8053", 200), ("localhost:8053", 200), ("127.0.0.1", 200), ("W1", 200), ("dns.example:8053", 200),
                                        ("dns.example.", 200), ("evil.example", 421), ("10.77.0.1.evil.example", 421), ("", 421), ("w1.", 200), ("w1.evil", 421), ("[::1", 421),
                                        ("10.77.0.1:99999", 421), ("w1:80:80", 421), ("a b", 421)])
def test_names_that_are_not_its_own(node, host, want):
    status, _, body = node.get("/api/v1/status", token=READER, headers={"Host": host})
    assert status == want or (want == 421 and status == 400), (status, body)


def raw(node, octets):
    """What comes back for these octets, to the end of the connection or of what is sent at once."""
    with node.socket() as s:
        with contextlib.suppress(OSError):  # it may have had enough
            s.sendall(octets)
            s.shutdown(socket.SHUT_WR)
        got = b""
        with contextlib.suppress(OSError):
            while piece := s.recv(65536):
                got += piece
        return got


def test_too_much_and_malformed(node):
    before = node.counters()
    host = b"Host: 10.77.0.1\r\n"
    assert raw(node, b"GET /" + b"a" * 60000 + b" HTTP/1.1\r\n" + host + b"\r\n")[9:12] in (b"414", b"431", b"400", b"")
    assert raw(node, b"GET / HTTP/1.1\r\n" + host + b"X: " + b"a" * 60000 + b"\r\n\r\n")[9:12] in (b"431", b"413", b"400", b"")
    assert raw(node, b"no such words\r\n\r\n")[9:12] in (b"400", b"421", b"505", b"")
    assert raw(node, b"GET / HTTP/1.1\r\n\r\n")[9:12] in (b"400", b"421")  # without a Host
    assert raw(node, b"DELETE /api/v1/status HTTP/1.1\r\n" + host + b"\r\n")[9:12] == b"405"
    assert raw(node, b"GET /api/v1/status HTTP/1.1\r\n" + host + b"Content-Length: 5\r\n\r\nhello")[9:12] == b"400"
    assert raw(node, b"POST /api/v1/login HTTP/1.1\r\n" + host + b"Content-Length: 99999999\r\n\r\n")[9:12] == b"413"
    assert raw(node, b"POST /api/v1/login HTTP/1.1\r\n" + host + b"Content-Length: -5\r\n\r\n")[9:12] == b"400"
    assert raw(node, b"POST /api/v1/login HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")[9:12] == b"411"
    assert node.post("/api/v1/login", "a" * 20000, headers=JSON)[0] == 413
    assert node.post("/api/v1/login", "token=1", headers={"Content-Type": "application/x-www-form-urlencoded"})[0] == 415
    assert node.get("/api/v1/nothing", token=READER)[0] == 404
    assert node.get("/api/v1/../../etc/passwd", token=READER)[0] == 404
    assert node.post("/api/v1/status", {}, token=READER)[0] == 405
    told = grown(before, node.counters())
    assert told["refused_too_large"] == 2 and told["refused_not_found"] == 4 and told["refused_bad"] >= 3
    assert node.get("/api/v1/status", token=READER)[0] == 200


def test_files_and_their_tags(node):
    status, headers, body = node.get("/")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert node.ask("HEAD", "/")[2] == b"" and int(node.ask("HEAD", "/")[1]["Content-Length"]) == len(body)
    for tag, want in ((headers["ETag"], 304), ('"other"', 200), (f'"other", W/{headers["ETag"]}', 304), ("*", 304)):
        assert node.get("/", headers={"If-None-Match": tag})[0] == want
    status, headers, packed = node.get("/openapi.json", headers={"Accept-Encoding": "br, gzip"})
    assert headers["Content-Encoding"] == "gzip"
    plain = node.get("/openapi.json", headers={"Accept-Encoding": "gzip;q=0"})
    assert plain[1]["Content-Encoding"] is None
    with open(DOCUMENT, "rb") as f:
        assert gzip.decompress(packed) == plain[2] == f.read()
    assert node.get("/ui/nothing.js")[0] == 404


def test_one_connection_many_requests(node):
    with node.socket(ADDRESSES[1]) as s:
        for _ in range(20):
            s.sendall(f"GET /api/v1/networks HTTP/1.1\r\nHost: w1\r\nAuthorization: Bearer {READER}\r\n\r\n".encode())
            got = b""
            while b"\r\n\r\n" not in got:
                got += s.recv(65536)
            head, body = got.split(b"\r\n\r\n", 1)
            assert head.startswith(b"HTTP/1.1 200")
            while len(body) < int(re.search(rb"Content-Length: (\d+)", head)[1]):
                body += s.recv(65536)
            assert json.loads(body)["networks"][0]["name"] == "global"


def test_all_zones_by_pages(node):
    seen, after, pages = [], "", 0
    while after is not None:
        page = node.json(f"/api/v1/zones?limit=700&after={after}")
        assert len(page["zones"]) <= 700 and page["total"] == ZONES
        seen += [z["name"] for z in page["zones"]]
        after, pages = page["next"], pages + 1
        assert pages < 10
    assert seen == [f"{z}." for z in node.zones] and pages == 5
    assert [z["name"] for z in node.json("/api/v1/zones?match=Z0123&limit=1000")["zones"]] == [f"z0123{i}.example." for i in range(10)]
    assert node.json("/api/v1/zones?match=nothing")["zones"] == []
    assert len(node.json("/api/v1/zones")["zones"]) == 100
    for bad in ("limit=0", "limit=1001", "limit=x", "limit=-1", "limit=", "after=a..b", "after=" + "a" * 300, "match=" + "a" * 300, "limit=99999999999999999999"):
        assert node.get(f"/api/v1/zones?{bad}", token=READER)[0] == 400, bad


def test_described_as_it_is(node):
    """Each path of the description, and each route of the source."""
    with open(DOCUMENT, encoding="utf-8") as f:
        document = Document(f.read())
    with open(os.path.join(TOP, "src/admin/http_routes.c"), encoding="utf-8") as f:
        routes = {(m[1], m[2]) for m in re.finditer(r"\{HTTP_(GET|POST), \"([^\"]+)\"", f.read())}
    described = {(method.upper(), path) for path, methods in document.tree["paths"].items() for method in methods}
    assert described == routes | {("GET", "/"), ("GET", "/openapi.json")}
    wait_until(lambda: node.json("/api/v1/rates")["points"], 20, "a second to pass")
    problems = []
    for method, path in sorted(described):
        if path == "/api/v1/stream":
            continue
        for token in (READER, None):
            status, headers, body = node.ask(method, path, token=token, body={} if method == "POST" else None)
            problems += document.problems_of_answer(method, path, status, headers["Content-Type"], body)
    for path in ("/api/v1/zones?limit=x", "/api/v1/events?after=1", "/api/v1/events?kind=x", "/api/v1/events?level=x", "/api/v1/events?limit=x"):
        status, headers, body = node.get(path, token=READER)
        assert status == 400
        problems += document.problems_of_answer("GET", path.split("?")[0], status, headers["Content-Type"], body)
    assert not problems
    fleet = node.json("/api/v1/fleet")
    assert [(n["name"], n["self"]) for n in fleet["nodes"]] == [("w1", True), ("w2", False)]
    assert fleet["nodes"][0]["site"] == {"city": "Frankfurt", "latitude": 50.11, "longitude": 8.68}
    assert {"Fleet", "Node", "NodeAddress", "Zone", "Rates", "Error", "Session", "Network"} <= document.met


class Stream:
    """Server-Sent Events as they come."""

    def __init__(self, node, source=None):
        self.socket = node.socket(source=source)
        self.socket.sendall(f"GET /api/v1/stream HTTP/1.1\r\nHost: w1\r\nAuthorization: Bearer {READER}\r\n\r\n".encode())
        self.got = b""
        while b"\r\n\r\n" not in self.got:
            self.got += self.socket.recv(4096)
        self.status = int(self.got.split(b" ")[1])

    def wait(self, *kinds):
        """Until all of these have come; the last data of each."""
        data = {}
        end = time.monotonic() + 30 * SLOW
        while set(kinds) - set(data):
            assert time.monotonic() < end, self.got[-2000:]
            self.got += self.socket.recv(65536)
            # chunks: a line with a length before each piece, which may fall anywhere
            plain = re.sub(rb"\r\n[0-9a-fA-F]+\r\n", b"", self.got.split(b"\r\n\r\n", 1)[1])
            for m in re.finditer(rb"event: (\w+)\ndata: (.*)\n\n", plain):
                data[m[1].decode()] = json.loads(m[2])
        return data


def test_a_stream(node):
    stream = Stream(node)
    try:
        assert stream.status == 200
        got = stream.wait("rates", "fleet", "drift")
        with open(DOCUMENT, encoding="utf-8") as f:
            document = Document(f.read())
        for kind, schema in (("rates", "Rates"), ("fleet", "Fleet"), ("drift", "Drift")):
            assert not document.problems(got[kind], {"$ref": f"#/components/schemas/{schema}"}, kind)
        assert node.counters()["streams"] == 1
    finally:
        stream.socket.close()
    wait_until(lambda: node.counters()["streams"] == 0, 30 * SLOW, "its end to be noticed")


def test_too_many_streams(node):
    streams = []
    wait_until(lambda: node.counters()["streams"] == 0, 30 * SLOW, "the end of others")
    try:
        for i in range(33):
            streams.append(Stream(node, f"10.77.1.{1 + i % 3}"))
        assert [s.status for s in streams] == [200] * 32 + [503]
        streams[0].wait("rates")
    finally:
        for s in streams:
            s.socket.close()
    wait_until(lambda: node.counters()["streams"] == 0, 30 * SLOW, "their end to be noticed")


def test_a_stream_that_nobody_reads(node):
    """It is closed, and costs no memory for what it did not take."""
    slow = node.ns.socket(socket.AF_INET, socket.SOCK_STREAM)
    wait_until(lambda: node.counters()["streams"] == 0, 30 * SLOW, "the end of others")
    before = node.counters()
    try:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        slow.connect((ADDRESSES[0], PORT))
        slow.sendall(f"GET /api/v1/stream HTTP/1.1\r\nHost: w1\r\nAuthorization: Bearer {READER}\r\n\r\n".encode())
        wait_until(lambda: node.counters()["streams"] == 1, 30 * SLOW, "the stream")
        assert node.get("/api/v1/status", token=READER)[0] == 200
    finally:
        slow.close()
    wait_until(lambda: node.counters()["streams"] == 0, 30 * SLOW, "its end")
    assert node.counters()["streams_ever"] == before["streams_ever"] + 1


def order_of(node):
    return node.status()["networks"][0]["order"]


def test_orders(node):
    before = node.counters()
    for body, how, want in (({"order": "drain"}, {"token": READER}, 403), ({"order": "drain"}, {}, 401), ({"order": "drain"}, {"token": BOSS, "headers": {"Origin": "http://evil.example"}}, 403),
                            ({"order": "drain"}, {"token": BOSS, "headers": {"Sec-Fetch-Site": "cross-site"}}, 403), ({"order": "drain"}, {"token": BOSS, "headers": {"Origin": "null"}}, 403),
                            ('{"order": "drain"}', {"token": BOSS, "headers": {"Content-Type": "text/plain"}}, 415), ({"order": "drop"}, {"token": BOSS}, 400), ([], {"token": BOSS}, 400),
                            ({"order": "drain", "network": 1}, {"token": BOSS}, 400), ({"order": "drain", "network": ""}, {"token": BOSS}, 400),
                            ({"order": "drain", "netwrok": "global"}, {"token": BOSS}, 400), ({"order": "drain", "network": "none"}, {"token": BOSS}, 409),
                            ({"order": "resume", "backstop": True}, {"token": BOSS}, 400)):
        status, _, text = node.post("/api/v1/orders", body, **how)
        assert status == want, (body, how, status, text)
    assert order_of(node) == "none"
    assert node.post("/api/v1/orders", {"order": "drain", "network": "global"}, token=BOSS, headers={"Origin": f"http://{ADDRESSES[0]}:{PORT}", "Host": f"{ADDRESSES[0]}:{PORT}"})[0] == 200
    assert order_of(node) == "drain"
    status, headers, _ = node.post("/api/v1/login", {"token": BOSS})
    mine = {"Cookie": headers["Set-Cookie"].split(";")[0]}
    assert node.post("/api/v1/orders", {"order": "freeze"}, headers=mine)[0] == 200
    assert order_of(node) == "freeze"
    assert node.post("/api/v1/orders", {"order": "resume"}, headers={**mine, "Sec-Fetch-Site": "same-origin"}, where=ADDRESSES[1])[0] == 200
    assert order_of(node) == "none"
    assert grown(before, node.counters())["orders"] == 3
    assert "http order=drain network=global by=boss" in node.log()


def test_tokens_change_by_a_reload(node):
    fresh = "f" * 24
    headers = node.post("/api/v1/login", {"token": READER})[1]
    mine = {"Cookie": headers["Set-Cookie"].split(";")[0]}
    stream = Stream(node)
    assert node.get("/api/v1/status", headers=mine)[0] == 200
    node.write("tokens", f"fresh ro {fresh}\nboss rw {BOSS}\n", 0o600)
    try:
        assert node.zonecast("reload").returncode == 0
        wait_until(lambda: node.get("/api/v1/status", token=fresh)[0] == 200, 30 * SLOW, "the new token")
        assert node.get("/api/v1/status", token=READER)[0] == 401
        assert node.get("/api/v1/status", headers=mine)[0] == 401  # with its token the session goes
        while stream.socket.recv(65536):  # and the stream
            pass
        node.write("tokens", "short ro abc\n", 0o600)
        refused = node.zonecast("reload")
        assert refused.returncode == 1 and "20 to 256 characters" in refused.stdout + refused.stderr
        assert node.get("/api/v1/status", token=fresh)[0] == 200
    finally:
        stream.socket.close()
        node.write("tokens", f"reader ro {READER}\nboss rw {BOSS}\n", 0o600)
        assert node.zonecast("reload").returncode == 0
    wait_until(lambda: node.get("/api/v1/status", token=READER)[0] == 200, 30 * SLOW, "the old token")


def test_said_by_status(node):
    line = [x for x in node.zonecast("status").stdout.splitlines() if x.startswith("web ")]
    assert len(line) == 1 and re.fullmatch(r"web http://10\.77\.0\.1:8053 http://\[2001:db8:77::1\]:8053: \d+ connections?, \d+ streams?, \d+ requests, [1-9]\d* refused", line[0]), line


def test_slow_for_ever_is_cut_off(node):
    wait_until(lambda: node.trickle.ended is not None, 60 * SLOW, "the end of the slow one")
    assert node.trickle.ended - node.trickle.began > 5  # it had its time
    assert node.counters()["slow"] >= 1
    assert node.get("/api/v1/status", token=READER)[0] == 200


def test_many_connections(node):
    """One client gets its share, all together theirs, and who comes then makes the idle go."""
    before = node.counters()
    held = []

    def open_now(source, count):
        mine = [node.socket(source=source) for _ in range(count)]
        held.extend(mine)
        return mine

    try:
        open_now("10.77.1.50", 40)
        wait_until(lambda: node.counters()["refused_client_full"] - before["refused_client_full"] == 8, 30 * SLOW, lambda: node.counters())
        for i in range(4):
            open_now(f"10.77.1.{51 + i}", 32)
        wait_until(lambda: node.counters()["accepted"] + node.counters()["refused_full"] + node.counters()["refused_client_full"] - before["accepted"] - before["refused_full"]
                   - before["refused_client_full"] >= 168, 30 * SLOW, lambda: node.counters())
        assert node.counters()["open"] <= 128

        def served():
            try:
                return node.get("/api/v1/status", token=READER, source="10.77.1.60")[0] == 200
            except (OSError, EOFError) as e:
                assert not isinstance(e, TimeoutError)
            except Exception as e:  # http.client: closed without an answer
                assert "RemoteDisconnected" in type(e).__name__ or "BadStatus" in type(e).__name__, e
            return False

        wait_until(served, 30 * SLOW, "room for one more", interval=0.2)
    finally:
        for s in held:
            s.close()
    wait_until(lambda: node.counters()["open"] < 20, 30 * SLOW, lambda: node.counters())
