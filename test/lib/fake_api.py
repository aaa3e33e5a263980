# SPDX-License-Identifier: BSD-2-Clause
"""The JSON API of a node of a large fleet, made up: N nodes at real places, M zones, and what has been set to be wrong. For pictures and tests of the dashboard, which it
serves from the source folder with the same policy (Content-Security-Policy) as the node does.

    with FakeApi(nodes=100, zones=100_000) as api:    # api.url
        api.fleet.kill("hkg")                         # is in the stream a moment later
"""
import http.server
import json
import math
import os
import queue
import random
import threading
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UI = os.path.join(ROOT, "src", "admin", "ui")
HOWTO = os.path.join(ROOT, "doc", "howto")
TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml", "md": "text/markdown; charset=utf-8"}
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
          "frame-ancestors 'none'")  # as src/admin/http_request.c

CITIES = """fra Frankfurt 50.1 8.7;hkg Hong Kong 22.3 114.2;iad Ashburn 39 -77.5;lhr London 51.5 -.1;sin Singapore 1.3 103.8;gru São Paulo -23.5 -46.6;syd Sydney -33.9 151.2;
nrt Tokyo 35.7 139.7;sjc San Jose 37.3 -121.9;jnb Johannesburg -26.2 28;ams Amsterdam 52.4 4.9;cdg Paris 48.9 2.4;bom Mumbai 19.1 72.9;ord Chicago 41.9 -87.6;dfw Dallas 32.8 -96.8;
arn Stockholm 59.3 18.1;mad Madrid 40.4 -3.7;waw Warsaw 52.2 21;icn Seoul 37.6 127;lax Los Angeles 34.1 -118.2;mia Miami 25.8 -80.2;eze Buenos Aires -34.6 -58.4;nbo Nairobi -1.3 36.8;
dxb Dubai 25.2 55.3;mxp Milan 45.5 9.2;vie Vienna 48.2 16.4;zrh Zürich 47.4 8.5;yyz Toronto 43.7 -79.4;sea Seattle 47.6 -122.3;atl Atlanta 33.7 -84.4;den Denver 39.7 -105;
bog Bogotá 4.7 -74.1;scl Santiago -33.4 -70.7;lim Lima -12 -77;mex Mexico City 19.4 -99.1;los Lagos 6.5 3.4;cai Cairo 30 31.2;cpt Cape Town -33.9 18.4;akl Auckland -36.8 174.8;
per Perth -31.9 115.9;mel Melbourne -37.8 145;kix Osaka 34.7 135.5;tpe Taipei 25 121.5;mnl Manila 14.6 121;cgk Jakarta -6.2 106.8;bkk Bangkok 13.8 100.5;kul Kuala Lumpur 3.1 101.7;
del Delhi 28.6 77.2;maa Chennai 13.1 80.3;khi Karachi 24.9 67;tlv Tel Aviv 32.1 34.8;ist Istanbul 41 29;ath Athens 38 23.7;otp Bucharest 44.4 26.1;sof Sofia 42.7 23.3;bud Budapest 47.5 19;
prg Prague 50.1 14.4;txl Berlin 52.5 13.4;ham Hamburg 53.6 10;muc Munich 48.1 11.6;dus Düsseldorf 51.2 6.8;cph Copenhagen 55.7 12.6;osl Oslo 59.9 10.8;hel Helsinki 60.2 24.9;
rix Riga 56.9 24.1;tll Tallinn 59.4 24.8;vno Vilnius 54.7 25.3;dub Dublin 53.3 -6.3;man Manchester 53.5 -2.2;edi Edinburgh 55.9 -3.2;bru Brussels 50.9 4.4;lux Luxembourg 49.6 6.1;
mrs Marseille 43.3 5.4;bcn Barcelona 41.4 2.2;lis Lisbon 38.7 -9.1;fco Rome 41.9 12.5;zag Zagreb 45.8 16;kbp Kyiv 50.4 30.5;kef Reykjavík 64.1 -21.9;yul Montréal 45.5 -73.6;
yvr Vancouver 49.3 -123.1;bos Boston 42.4 -71.1;ewr Newark 40.7 -74.2;phx Phoenix 33.4 -112.1;slc Salt Lake City 40.8 -111.9;msp Minneapolis 45 -93.3;stl St. Louis 38.6 -90.2;
iah Houston 29.8 -95.4;hnl Honolulu 21.3 -157.9;pty Panama 9 -79.5;uio Quito -.2 -78.5;gig Rio de Janeiro -22.9 -43.2;for Fortaleza -3.7 -38.5;dkr Dakar 14.7 -17.4;acc Accra 5.6 -.2;
kgl Kigali -1.9 30.1;mru Mauritius -20.2 57.5;doh Doha 25.3 51.5;alm Almaty 43.2 76.9;cmb Colombo 6.9 79.9;sgn Ho Chi Minh City 10.8 106.6;kmg Kunming 25 102.7"""


def cities():
    for row in CITIES.replace("\n", "").split(";"):
        name, *city, latitude, longitude = row.split(" ")
        yield name, " ".join(city), float(latitude), float(longitude)


def distance(a, b):
    """Kilometres."""
    p, q = (math.radians(x["latitude"]) for x in (a, b))
    d = math.radians(a["longitude"] - b["longitude"])
    return 6371 * math.acos(min(1, math.sin(p) * math.sin(q) + math.cos(p) * math.cos(q) * math.cos(d)))


class Fleet:
    """What the API tells, as this node (the first one) sees it."""

    NETWORKS = {"global": ["203.0.113.0/24", "2001:db8:53::/48"], "second": ["198.51.100.0/24", "2001:db8:54::/48"], "eu": ["192.0.2.0/24", "2001:db8:55::/48"]}
    EUROPE = (34, 66, -25, 35)

    def __init__(self, nodes, zones, seed=1):
        self.random = random.Random(seed)
        self.zone_count = zones
        self.lock = threading.RLock()
        self.began = time.time()
        self.drift, self.events, self.points, self.orders = [], [], [], {}
        self.backends = []
        self.dead, self.changed, self.pools = {}, {}, []
        places = list(cities())[:nodes - 1]
        self.nodes = {}
        for i, (name, city, latitude, longitude) in enumerate(places):
            s, n, w, e = self.EUROPE
            europe = s < latitude < n and w < longitude < e
            self.nodes[name] = {"name": name, "role": "pop", "site": {"city": city, "latitude": latitude, "longitude": longitude}, "base": self.random.lognormvariate(8.6, .8),
                                "networks": ["global"] + (["second"] if i % 2 == 0 or nodes < 5 else []) + (["eu"] if europe and nodes > 5 else []), "number": i + 1}
        self.nodes["hidden"] = {"name": "hidden", "role": "primary", "site": {"city": "Nuremberg", "latitude": 49.5, "longitude": 11.1}, "base": 0, "networks": [], "number": nodes}
        self.me = places[0][0]
        names = [n for n in self.NETWORKS if any(n in x["networks"] for x in self.nodes.values())]
        self.network_names = names
        for i in range(300):
            self._point(time.time() - 300 + i)
        self.add_event("info", "config", subject="generation 41", now="accepted", why="the fleet file was read again: generation 41, no routes change", ago=3600)
        self.add_event("info", "neighbor-up", subject="192.0.2.1", old="opensent", now="established", why="session with AS 64496, hold time 9 s", ago=3580)
        for n in names:
            self.add_event("info", "announce", network=n, family=4, old="withdrawn", now="announced", why="all checks pass; rise hold-down is over; guard: not asked", ago=3570)
            self.add_event("info", "announce", network=n, family=6, old="withdrawn", now="announced", why="all checks pass; rise hold-down is over; guard: not asked", ago=3569)

    # what is wrong

    def kill(self, name):
        with self.lock:
            self.dead[name] = time.time()
            self.add_event("warn", "peer", subject=name, old="seen", now="silent", why=f"{name} has answered none of 5 questions on any of its addresses")

    def revive(self, name):
        with self.lock:
            self.dead.pop(name)

    def change(self, name, **what):
        """same_config, v6_dead, serving, verdicts {(network, family): (announce, verdict, causes)}."""
        with self.lock:
            self.changed.setdefault(name, {}).update(what)

    def add_drift(self, kind, zone, node, network="global", alert=True, here=2026112103, there=2026112101, versions=2, ago=95, why=""):
        with self.lock:
            self.drift.append({"kind": kind, "zone": zone, "node": node, "network": network, "alert": alert, "here": here, "there": there, "versions": versions,
                               "since": time.time() - ago, "why": why})

    def add_event(self, level, kind, network="", subject="", family=0, old="", now="", why="", ago=0.0):
        with self.lock:
            at = time.time() - ago
            self.events.append({"role": "route", "number": len(self.events) + 1, "time_ms": int(at * 1000), "level": level, "kind": kind, "network": network, "subject": subject,
                                "family": family or None, "old": old, "now": now, "why": why})

    # what the API says

    def _qps(self, n):
        wave = 1 + .25 * math.sin(time.time() / 40 + n["number"]) + self.random.uniform(-.06, .06)
        return int(n["base"] * wave)

    def _answerer(self, n, network):
        able = [x for x in self.nodes.values() if network in x["networks"] and x["name"] not in self.dead]
        return min(able, key=lambda x: distance(n["site"], x["site"])) if able else None

    def _views(self, n):
        views = []
        for name in self.network_names:
            own = name in n["networks"] and n["name"] not in self.dead
            to = None if own else self._answerer(n, name)
            family = {"own": own, "node": to["name"] if to else "", "last": to["name"] if to else "", "since_ms": 3600000 if to else None, "asked_ms": 400, "heard_ms": 400 if to else None,
                      "latency_us": int(900 + distance(n["site"], to["site"]) * 21) if to else 0, "failures": 0, "flips": 0, "outside": "good" if own else "unknown",
                      "outside_since_ms": None, "why": ""}
            views.append({"network": name, "ipv4": family, "ipv6": dict(family)})
        return views

    def _node(self, n):
        name, changed, dead = n["name"], self.changed.get(n["name"], {}), self.dead.get(n["name"])
        mine = n["name"] == self.me
        qps, km = self._qps(n), distance(n["site"], self.nodes[self.me]["site"])
        latency = int(300 + km * 21 + self.random.uniform(0, 300))
        heard = int((time.time() - dead) * 1000) if dead else self.random.randrange(50, 900)

        def family(network, f):
            announce, verdict, causes = changed.get("verdicts", {}).get((network, f), ("announced", "pass", []))
            return {"announce": announce, "verdict": verdict, "causes": causes, "intent": [], "answers": verdict != "hard-fail"}

        def address(text, v6):
            failures = 9 if dead or (v6 and changed.get("v6_dead")) else 0
            ago = 71000 if failures and not dead else heard
            one = {"latency_us": latency, "failures": failures, "asked": 360, "answered": 360, "answered_ms": ago}
            return {"address": text, "asked_ms": 300, "heard_ms": ago, "failures": failures, "udp": one, "tcp": dict(one)}

        drift = {k: 0 for k in ("behind", "stuck", "content", "missing", "ahead")}
        for d in self.drift:
            if d["node"] == name:
                drift[d["kind"]] += 1
        return {"name": name, "self": mine, "role": n["role"], "site": n["site"], "asked_ms": 300, "heard_ms": 0 if mine else heard, "round_us": latency, "why": "", "version": "0.1.0",
                "uptime_s": int(time.time() - self.began) + 86400 * (3 + n["number"] % 40), "generation": 41, "same_config": changed.get("same_config", True),
                "zones": self.zone_count, "serving": changed.get("serving", self.zone_count), "stopping": False,
                "addresses": [] if mine else [address(f"192.0.2.{n['number']}", False), address(f"2001:db8::{n['number']:x}", True)],
                "networks": [{"name": w, "heard_ms": heard, "ipv4": family(w, 4), "ipv6": family(w, 6), "data_age_ms": 800, "load": min(990, qps // 60), "qps": qps if w == "global" else qps // 3,
                              "headroom": 60000} for w in n["networks"]],
                "drift": drift, "views": self._views(n)}

    def fleet_json(self):
        with self.lock:
            return {"fleet": "example", "node": self.me, "time_ms": int(time.time() * 1000), "nodes": [self._node(n) for n in self.nodes.values()], "views": self._views(self.nodes[self.me])}

    def status_json(self):
        networks = []
        for name in self.nodes[self.me]["networks"]:
            f = {"announce": "announced", "since_ms": 3570000, "why": "all checks pass", "page": "announced", "flaps": 0, "intent": [],
                 "checks": {"verdict": "pass", "causes": [], "checks": 8, "passing": 8, "since_ms": 3570000, "why": "all answers are right"}}
            networks.append({"name": name, "prefixes": self.NETWORKS[name], "addresses": [], "order": self.orders.get(name, "none"), "zones": self.zone_count, "zones_ready": self.zone_count,
                             "decision": {"announce": "announced", "since_ms": 3570000, "why": "all checks pass", "flaps": 0, "drained": False}, "families": {"ipv4": f, "ipv6": dict(f)}})
        up = int((time.time() - self.began) * 1000) + 3600000
        neighbors = [{"address": a, "as": 64496, "state": "established", "since_ms": up, "prefixes": len(networks), "last_error": "", "order": "none",
                      "bfd": {"state": "up"}} for a in ("192.0.2.1", "2001:db8::1")]
        processes = [{"role": r, "index": i, "pid": 100 + n, "starts": 1, "up_ms": up, "heartbeat_ms": 12, "why": "running since the node started"}
                     for n, (r, i) in enumerate([("sync", 0), ("watch", 0), ("route", 0), ("admin", 0), ("answer", 0), ("answer", 1)])]
        return {"node": self.me, "fleet": "example", "version": "0.1.0", "uptime_ms": up, "config": {"refused": None}, "networks": networks, "neighbors": neighbors, "processes": processes,
                "zones": {"failing": 0, "serving": self.zone_count}, "load": {"permille": 143, "qps": 5200, "headroom": 48000},
                "endpoints": {"pools": list(self.pools), "hidden": 0}, "backends": {"pools": list(self.backends)}}

    def add_backends(self, name, **servers):
        """servers: name to "up", "down" or "unknown"; none: the pool is gone."""
        why = {"up": "answered NOERROR to SOA of edge.test. in 0.4 ms", "down": "no answer within 500 ms to SOA of edge.test.", "unknown": "not checked yet"}
        rows = [{"name": n, "address": f"198.51.100.{i}:53", "state": up, "loops": False, "since_ms": 65000, "checked_ms": 300, "passed_ms": 300 if up == "up" else None, "checks": 9, "failures": 0,
                 "latency_us": 400, "why": why[up], "workers": {"sent": 8, "answered": 7, "timeouts": 1, "errors": 0, "servfails": 0, "retried": 0, "outstanding": 0, "circuits_open": 0,
                                                                "latency_us": 500}} for i, (n, up) in enumerate(servers.items())]
        self.backends = [b for b in self.backends if b["name"] != name]
        if rows:
            self.backends.append({"name": name, "policy": "latency", "over": "udp", "patience_ms": 900, "stale_for_ms": 86400000, "zones": ["edge.test."], "zone_count": 1,
                                  "up": list(servers.values()).count("up"), "servers": rows})

    def add_pool(self, name, keep=1, **endpoints):
        """endpoints: name to "up", "down" or "unknown"."""
        rows = [{"name": n, "address": f"198.51.100.{i + 1}", "up": up, "own": up, "disabled": False, "weight": 100, "priority": 1, "others_up": 3 if up == "up" else 0,
                 "others_down": 3 if up == "down" else 0, "since_ms": 95000, "checked_ms": 1200, "latency_us": 8300 if up == "up" else None,
                 "why": "its checks pass" if up == "up" else "status 503, wanted 200 to 399"} for i, (n, up) in enumerate(endpoints.items())]
        good = sum(r["up"] != "down" for r in rows)
        with self.lock:
            self.pools = [p for p in self.pools if p["name"] != name]
            self.pools.append({"name": name, "state": "down" if not good else "below-keep" if good < keep else "good", "check": "http", "total": len(rows), "up": good, "differ": 0,
                               "keep": keep, "checked_from": [], "endpoints": rows})

    def drift_json(self):
        with self.lock:
            now = time.time()
            return {"hidden": 0, "compared_ms": 900, "rows": [{**{k: v for k, v in d.items() if k != "since"}, "since_ms": int((now - d["since"]) * 1000)} for d in self.drift]}

    def zones_json(self, after, limit, match):
        rows = []
        start = int(after[1:7]) + 1 if after else 0
        for i in range(start, self.zone_count):
            name = f"z{i:06}.example."
            if match in name:
                if len(rows) == limit:
                    return {"zones": rows, "next": rows[-1]["name"], "total": self.zone_count}
                rows.append({"name": name, "state": "serving", "serial": 2026112100 + i % 90, "records": 8 + i % 31, "signed": i % 3 == 0, "age_s": 600 + i % 4000, "network": "global"})
        return {"zones": rows, "next": None, "total": self.zone_count}

    def _point(self, at):
        v = 5200 * (1 + .2 * math.sin(at / 37) + self.random.uniform(-.05, .05))
        self.points.append({"time_ms": int(at * 1000), "udp_ipv4": v * .6, "udp_ipv6": v * .36, "tcp_ipv4": v * .02, "tcp_ipv6": v * .015, "tls_ipv4": v * .003, "tls_ipv6": v * .002, "xdp": v * .4,
                            "noerror": v * .71, "nxdomain": v * .26, "other": v * .02, "dropped": v * .01, "cpu_percent": v / 400, "latency_p50_us": 4 + v / 4000, "latency_p99_us": 30 + v / 300})
        del self.points[:-300]

    def tick(self):
        with self.lock:
            self._point(time.time())
            return self.points[-1]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, kind, body):
        self.send_response(status)
        for key, value in (("Content-Type", kind), ("Content-Length", len(body)), ("Content-Security-Policy", POLICY), ("Cache-Control", "no-store")):
            self.send_header(key, str(value))
        self.end_headers()
        self.wfile.write(body)

    def file(self, path):
        name = "index.html" if path == "/" else os.path.basename(path)
        where = os.path.join(HOWTO if name.endswith(".md") else UI, name)
        if not os.path.isfile(where):
            return self.reply(404, "text/plain", b"not found\n")
        with open(where, "rb") as f:
            return self.reply(200, TYPES[name.rsplit(".", 1)[1]], f.read())

    def allowed(self):
        return not self.server.token or "zonecast_session=good" in self.headers.get("Cookie", "")

    def do_GET(self):  # pylint: disable=invalid-name
        at = urllib.parse.urlsplit(self.path)
        asked = dict(urllib.parse.parse_qsl(at.query))
        fleet = self.server.fleet
        self.server.asked.append(self.path)
        if not at.path.startswith("/api/"):
            return self.file(at.path)
        if not self.allowed() and at.path != "/api/v1/session":
            return self.reply(401, "application/json", b'{"error": "who are you?"}')
        if at.path == "/api/v1/stream":
            return self.stream()
        made = {"/api/v1/fleet": fleet.fleet_json, "/api/v1/status": fleet.status_json, "/api/v1/drift": fleet.drift_json,
                "/api/v1/networks": lambda: {"networks": fleet.status_json()["networks"]}, "/api/v1/events": lambda: {"events": [] if "after" in asked else fleet.events, "next": "0.0.0.9", "lost": 0},
                "/api/v1/rates": lambda: {"points": fleet.points}, "/api/v1/session": lambda: {"by": "session" if self.server.token else "anybody", "reads": self.allowed(), "changes": self.server.changes},
                "/api/v1/zones": lambda: fleet.zones_json(asked.get("after", ""), int(asked.get("limit", 100)), asked.get("match", ""))}.get(at.path)
        return self.reply(200, "application/json", json.dumps(made()).encode()) if made else self.reply(404, "application/json", b"{}")

    def do_POST(self):  # pylint: disable=invalid-name
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        self.server.posted.append((self.path, body))
        if self.path == "/api/v1/login":
            if body.get("token") != self.server.token:
                return self.reply(401, "application/json", b'{"error": "there is no such token"}')
            self.send_response(200)
            self.send_header("Set-Cookie", "zonecast_session=good; HttpOnly; SameSite=Strict; Path=/")
            self.send_header("Content-Length", "2")
            self.end_headers()
            return self.wfile.write(b"{}")
        if self.path == "/api/v1/orders" and self.allowed() and self.server.changes:
            self.server.fleet.orders[body["network"]] = "none" if body["order"] == "resume" else body["order"]
            return self.reply(200, "application/json", b'{"message": "done"}')
        return self.reply(403, "application/json", b'{"error": "not allowed"}')

    def stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.close_connection = True  # pylint: disable=attribute-defined-outside-init
        inbox = queue.Queue()
        self.server.streams.append(inbox)
        try:
            while (message := inbox.get()) is not None:
                self.wfile.write(message)
                self.wfile.flush()
        except OSError:
            pass
        finally:
            if inbox in self.server.streams:
                self.server.streams.remove(inbox)


class FakeApi(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, nodes=3, zones=1200, token=None, changes=False, pace=0.25):
        super().__init__(("127.0.0.1", 0), Handler)
        self.fleet = Fleet(nodes, zones)
        self.token, self.changes, self.pace = token, changes, pace
        self.streams, self.asked, self.posted = [], [], []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=f, daemon=True) for f in (lambda: self.serve_forever(0.05), self._talk)]

    def handle_error(self, request, client_address):
        """A browser that has gone is no news."""

    def _talk(self):
        told = len(self.fleet.events)
        while not self.ending.wait(self.pace):
            lines = [("rates", self.fleet.tick()), ("fleet", self.fleet.fleet_json()), ("drift", self.fleet.drift_json())]
            lines += [("event", e) for e in self.fleet.events[told:]]
            told = len(self.fleet.events)
            message = "".join(f"event: {k}\ndata: {json.dumps(v)}\n\n" for k, v in lines).encode()
            for s in list(self.streams):
                s.put(message)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def silence(self):
        """As if the node had died: streams end, nothing is taken any more."""
        self.ending.set()
        self.shutdown()
        self.server_close()
        for s in list(self.streams):
            s.put(None)

    def __exit__(self, *_):
        if not self.ending.is_set():
            self.silence()
        for t in self.threads:
            t.join(10)
