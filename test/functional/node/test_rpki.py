# SPDX-License-Identifier: BSD-2-Clause
"""Origin validation: a node beside BIRD, and RPKI caches that do whatever caches can do. What counts is the route at the router."""
import datetime
import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from fleet import PREFIXES, Node, Site
from netns import missing, stop_process, wait_until
from paths import ZONECAST
from routers import Bird
from rpki_cache import END, RESET_QUERY, SERIAL_QUERY, Cache, pdu

WHY = missing(ZONECAST, *Bird.needs)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
V4, V6 = PREFIXES
PORT = 8282
AT = {4: "10.9.0.1", 6: "2001:db8:9::1"}
OK4, OK6 = (V4, 24, 64500), (V6, 48, 64500)
BAD4, BAD6 = (V4, 24, 64999), (V6, 48, 64999)
GOOD = [OK4, OK6, ("198.51.100.0/24", 24, 64501)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site")) as s:
        yield s


class RpkiNode(Node):
    def __init__(self, site, folder, caches=(AT[4],), rpki="", **more):
        self.rpki = rpki
        self.caches = [c if isinstance(c, tuple) else (c, PORT, 100) for c in caches]
        super().__init__(site, folder, change=self.with_rpki, **more)

    def with_rpki(self, text):
        caches = ", ".join(f'{{address: "{a}", port: {p}, preference: {n}}}' for a, p, n in self.caches)
        return text + (f"rpki: {{caches: [{caches}]{self.rpki}}}\n" if caches else "")

    def reload(self):
        self.fleet(change=self.with_rpki)
        done = self.zonecast("reload")
        assert done.returncode == 0, done.stdout + done.stderr

    def origin(self, prefix):
        return next((o for o in self.status()["rpki"]["origins"] if o["prefix"] == prefix), None)

    def states(self):
        return [self.origin(p)["state"] for p in PREFIXES]

    def cache(self, i=0):
        return self.status()["rpki"]["caches"][i]

    def wait_states(self, *want, seconds=20):
        wait_until(lambda: self.states() == list(want), seconds, lambda: f"{want}, not {self.states()}; log:\n{self.log()}")


def wait_routes(site, v4, v6, node=None):
    wait_until(lambda: [bool(r) for r in site.routes()] == [v4, v6], 20,
               lambda: f"routes {v4} {v6}, not {site.routes()}; log:\n{node.log() if node else ''}")


@pytest.mark.asan
@pytest.mark.parametrize("family", [4, 6])
def test_valid_invalid_not_found(site, tmp_path, family):
    with Cache(site.rtr, AT[family], PORT, GOOD) as cache, RpkiNode(site, tmp_path, [AT[family]]) as node:
        node.wait_states("valid", "valid")
        assert "valid by ROA 192.0.2.0/24 AS64500" in node.origin(V4)["why"]
        assert node.cache()["state"] == "current" and node.cache()["payloads"] == 2 and node.cache()["believed"]
        assert cache.queries[0] == (RESET_QUERY, 1, None)
        # One prefix invalid: it goes, the other stays, and so does the network.
        cache.set([BAD4, OK6])
        wait_routes(site, False, True, node)
        node.wait_states("invalid", "valid")
        origin = node.origin(V4)
        assert origin["refused"] and "192.0.2.0/24 AS64999" in origin["why"] and "allow others" in origin["why"]
        assert "state=invalid announce=refused" in node.log()
        assert cache.queries[-1][0] == SERIAL_QUERY
        # By a ROA for something longer or for nobody it is invalid as well.
        cache.set([OK4, (V6, 48, 0)])
        wait_routes(site, True, False, node)
        cache.set([("192.0.0.0/16", 16, 64500), OK6])
        wait_routes(site, False, True, node)
        assert "more specific than the ROAs allow" in node.origin(V4)["why"]
        # No ROA at all is a warning.
        cache.set([])
        wait_routes(site, True, True, node)
        node.wait_states("not-found", "not-found")
        assert "no ROA covers it" in node.origin(V6)["why"]
        assert not cache.errors
        node.zonecast("status")


def test_all_invalid_withdraws_the_network(site, tmp_path):
    with Cache(site.rtr, AT[4], PORT, GOOD) as cache, RpkiNode(site, tmp_path) as node:
        node.wait_states("valid", "valid")
        cache.set([BAD4, BAD6])
        wait_routes(site, False, False, node)
        decision = node.status()["networks"][0]["decision"]
        assert decision["announce"] == "withdrawn" and "RPKI" in decision["why"] and "AS64999" in decision["why"]
        done = node.zonecast("status")
        assert done.returncode == 1 and "invalid, not announced," in done.stdout and "AS64999" in done.stdout
        cache.set(GOOD)
        node.wait_announced()
        assert node.zonecast("status").returncode == 0
        for prefix in (V4, V6):
            told = [e for e in node.events("--kind", "rpki", "--network", "global") if e["subject"] == prefix]
            assert [(e["now"], e["level"]) for e in told] == [("valid", "info"), ("invalid", "alert"), ("valid", "info")], told
            assert told[1]["why"].startswith("not announced: ") and "AS64999" in told[1]["why"]


def test_invalid_at_the_start(site, tmp_path):
    """A node that starts waits for the first answer, so that what is invalid is not announced for a moment either."""
    with Cache(site.rtr, AT[4], PORT, [BAD4, OK6]), RpkiNode(site, tmp_path, announced=False) as node:
        wait_routes(site, False, True, node)
        node.wait_states("invalid", "valid")
        wait_routes(site, False, True, node)
        assert "family=ipv6 decision=announce" in node.log() and "family=ipv4 decision=announce" not in node.log()


def test_start_without_caches(site, tmp_path):
    """But not for ever, and with no fault counted."""
    with RpkiNode(site, tmp_path, announced=False) as node:
        node.wait_announced()
        lines = node.log().splitlines()
        began, announced = (datetime.datetime.fromisoformat(line.split("Z ", 1)[0]) for line in (
            lines[0], next(n for n in lines if "decision=announce" in n)))
        assert (announced - began).total_seconds() >= 4  # of 5, by whole seconds
        assert node.states() == ["unknown", "unknown"] and node.status()["networks"][0]["decision"]["flaps"] == 0
        assert "no cache has answered yet" in node.origin(V4)["why"] and "state=lost" in node.log()


def test_alert_only(site, tmp_path):
    with Cache(site.rtr, AT[4], PORT, [BAD4, BAD6]), RpkiNode(site, tmp_path, rpki=", invalid: alert") as node:
        node.wait_states("invalid", "invalid")
        assert not node.origin(V4)["refused"] and site.announced()
        assert "state=invalid why=" in node.log()
        # The word changes by a reload, both ways, without a new answer of the cache.
        node.rpki = ", invalid: refuse"
        node.reload()
        wait_routes(site, False, False, node)
        node.rpki = ", invalid: alert"
        node.reload()
        wait_routes(site, True, True, node)
        # And without caches nothing is refused.
        node.rpki = ""
        node.reload()
        wait_routes(site, False, False, node)
        node.caches = []
        node.reload()
        wait_routes(site, True, True, node)
        assert node.status()["rpki"] == {"configured": False, "caches": [], "origins": []}


@pytest.mark.asan
def test_cache_lost_and_back(site, tmp_path):
    with Cache(site.rtr, AT[6], PORT, [BAD4, OK6]) as cache, RpkiNode(site, tmp_path, [AT[6]], rpki=", expire: 6s", announced=False) as node:
        wait_routes(site, False, True, node)
        before = node.status()["networks"][0]["decision"]
        cache.down()
        wait_until(lambda: node.cache()["state"] in ("down", "connecting") and "state=lost" in node.log(), 20, "the cache is lost")
        # Held: what is refused stays refused, what is valid stays valid.
        if node.origin(V4)["expires_ms"]:
            assert [bool(r) for r in site.routes()] == [False, True]
        # Then nothing is known any more, which refuses nothing.
        wait_routes(site, True, True, node)
        node.wait_states("unknown", "unknown")
        assert "last data no longer count" in node.origin(V6)["why"]
        decision = node.status()["networks"][0]["decision"]
        assert decision["announce"] == "announced" and decision["flaps"] == before["flaps"]
        cache.up()
        wait_routes(site, False, True, node)
        node.wait_states("invalid", "valid")
        assert cache.queries[-1][0] in (SERIAL_QUERY, RESET_QUERY)


def test_held_results_and_going_on_from_the_serial(site, tmp_path):
    """A cache that comes back in time is asked for what is new only; one that is another by then, for everything."""
    with Cache(site.rtr, AT[4], PORT, GOOD) as cache, RpkiNode(site, tmp_path) as node:
        node.wait_states("valid", "valid")
        cache.down()
        wait_until(lambda: node.cache()["state"] != "current", 20, "the cache is lost")
        node.wait_states("valid", "valid")
        assert node.origin(V4)["expires_ms"] > 3600000
        cache.set([BAD4, OK6], notify=False)
        cache.up()
        wait_routes(site, False, True, node)
        assert cache.queries[-1] == (SERIAL_QUERY, 1, 1)
        cache.down()
        cache.restart()
        cache.set(GOOD, notify=False)
        cache.up()
        wait_routes(site, True, True, node)
        assert [q[0] for q in cache.queries[-2:]] == [SERIAL_QUERY, RESET_QUERY]


def test_orders_are_stronger(site, tmp_path):
    """freeze keeps what is announced, prefix by prefix, and announce --force announces it, whatever RPKI says; resume is the end of it."""
    with Cache(site.rtr, AT[4], PORT, GOOD) as cache, RpkiNode(site, tmp_path) as node:
        cache.set([OK4, BAD6])
        wait_routes(site, True, False, node)
        node.control("freeze")
        cache.set([BAD4, OK6])
        node.wait_states("invalid", "valid")
        wait_until(lambda: node.origin(V4)["refused"], 10, "it would be refused")
        wait_routes(site, True, False, node)
        node.control("resume")
        wait_routes(site, False, True, node)
        node.control("announce", "--force", "global")
        wait_routes(site, True, True, node)
        assert "forced" in node.status()["networks"][0]["families"]["ipv4"]["why"] or "force" in node.status()["networks"][0]["decision"]["why"]
        node.control("resume")
        wait_routes(site, False, True, node)


def test_backstop_is_never_refused(site, tmp_path):
    def change(text):
        return text.replace("    as: 64500\n", "    as: 64500\n    backstop: [192.0.0.0/16, \"2001:db8::/32\"]\n")
    with Cache(site.rtr, AT[4], PORT, [("192.0.0.0/16", 16, 64999), ("2001:db8::/32", 32, 64999)]), RpkiNode(site, tmp_path, announced=False) as node:
        node.fleet(change=lambda t: node.with_rpki(change(t)))
        assert node.zonecast("reload").returncode == 0
        node.wait_states("invalid", "invalid")
        wait_routes(site, False, False, node)
        for backstop in ("192.0.0.0/16", "2001:db8::/32"):
            origin = node.origin(backstop)
            assert (origin["state"], origin["refused"], origin["backstop"]) == ("invalid", False, True)
            wait_until(lambda b=backstop: site.bird.route(b), 20, f"{backstop} is announced; log:\n{node.log()}")


def test_two_caches(site, tmp_path):
    caches = [(AT[4], PORT, 20), (AT[6], PORT, 10)]
    with Cache(site.rtr, AT[4], PORT, [BAD4, BAD6]), Cache(site.rtr, AT[6], PORT, GOOD) as best, \
            RpkiNode(site, tmp_path, caches, announced=False) as node:
        wait_routes(site, True, True, node)
        wait_until(lambda: [node.cache(i)["state"] for i in (0, 1)] == ["current", "current"], 20, "both are current")
        node.wait_states("valid", "valid")
        assert [node.cache(i)["believed"] for i in (0, 1)] == [False, True]
        best.down()
        node.wait_states("invalid", "invalid")
        wait_routes(site, False, False, node)
        assert [node.cache(i)["believed"] for i in (0, 1)] == [True, False]
        best.up()
        node.wait_states("valid", "valid")
        wait_routes(site, True, True, node)


@pytest.mark.asan
def test_manners(site, tmp_path):
    """However a cache fails, what it said last is held, and it is believed again when it behaves."""
    with Cache(site.rtr, AT[4], PORT, GOOD) as cache, RpkiNode(site, tmp_path) as node:
        node.wait_states("valid", "valid")
        for manner in cache.manners[2:]:
            held = node.states()
            news = ["invalid", "valid"] if held[0] == "valid" else ["valid", "valid"]
            cache.manner = manner
            asked = len(cache.queries)
            cache.set([BAD4, OK6] if news[0] == "invalid" else GOOD)
            if manner in ("reset-only", "slow"):  # these are good manners
                node.wait_states(*news)
            else:
                wait_until(lambda n=asked + 2: len(cache.queries) >= n, 30, lambda m=manner: f"{m}: two more questions; log:\n{node.log()}")
                assert node.states() == held, manner
            cache.manner = "good"
            node.wait_states(*news, seconds=70)
            wait_routes(site, news[0] == "valid", True, node)
        assert node.alive() and node.status()["processes"][1]["starts"] == 1


@pytest.mark.parametrize("refusal", ["error", "close"])
def test_version_0(site, tmp_path, refusal):
    with Cache(site.rtr, AT[4], PORT, GOOD, version=0, refusal=refusal) as cache, RpkiNode(site, tmp_path) as node:
        node.wait_states("valid", "valid", seconds=30)
        assert node.cache()["version"] == 0
        assert [q[:2] for q in cache.queries] == [(RESET_QUERY, 1), (RESET_QUERY, 0)]
        cache.say(pdu(1, END, cache.session, bytes(16)))  # another version in the midst: the connection ends
        wait_until(lambda: cache.errors, 20, "an error report")
        assert cache.errors[0][0] == 8
        cache.set([BAD4, OK6], notify=False)
        node.wait_states("invalid", "valid", seconds=70)


def test_dead_watch(site, tmp_path):
    """What is refused does not depend on a living process: watch is killed, and the cache is gone when the next one starts."""
    with Cache(site.rtr, AT[4], PORT, [BAD4, OK6]) as cache, RpkiNode(site, tmp_path, announced=False) as node:
        wait_routes(site, False, True, node)
        cache.down()
        pid = node.pids()[("watch", 0)]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: node.pids().get(("watch", 0), pid) != pid, 20, "another watch")
        wait_until(lambda: node.status()["processes"][1]["starts"] == 2 and node.cache()["errors"] > 0, 20, "it has tried the cache")
        assert node.states() == ["invalid", "valid"]
        wait_routes(site, False, True, node)
        cache.set(GOOD, notify=False)
        cache.up()
        wait_routes(site, True, True, node)
        node.wait_states("valid", "valid")


def test_a_table_of_the_world(site, tmp_path):
    """Hundreds of thousands of payloads that are nobody's business here: none is kept, and the checks go on."""
    with Cache(site.rtr, AT[4], PORT, GOOD, bulk=300000), RpkiNode(site, tmp_path) as node:
        node.wait_states("valid", "valid", seconds=60)
        cache = node.cache()
        assert cache["records"] == 300003 and cache["payloads"] == 2
        assert node.status()["processes"][1]["starts"] == 1


STAYRTR = shutil.which("stayrtr")


@pytest.mark.skipif(not STAYRTR, reason="stayrtr is not installed")
@pytest.mark.parametrize("family", [4, 6])
def test_stayrtr(site, tmp_path, family):
    """A real cache: valid, invalid, not found, lost, back."""
    file = tmp_path / "vrps.json"

    def write(*vrps):
        fresh = tmp_path / "fresh.json"
        fresh.write_text(json.dumps({"metadata": {"buildtime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}, "roas": [
            {"prefix": p, "maxLength": m, "asn": f"AS{a}", "ta": "test"} for p, m, a in vrps]}))
        fresh.rename(file)

    def start():
        log = open(tmp_path / "stayrtr.log", "ab")  # pylint: disable=consider-using-with
        with log:
            return site.rtr.popen([STAYRTR, "-bind", f"{'[' + AT[6] + ']' if family == 6 else AT[4]}:{PORT}", "-cache", str(file), "-refresh", "1",
                                   "-checktime=false", "-metrics.addr", ""], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    write(*GOOD)
    process = start()
    try:
        with RpkiNode(site, tmp_path, [AT[family]]) as node:
            node.wait_states("valid", "valid", seconds=40)
            assert node.cache()["version"] == 1
            write(BAD4, OK6, ("198.51.100.0/24", 24, 64501))
            node.wait_states("invalid", "valid", seconds=40)
            wait_routes(site, False, True, node)
            write(("198.51.100.0/24", 24, 64501))
            node.wait_states("not-found", "not-found", seconds=40)
            wait_routes(site, True, True, node)
            write(BAD4, OK6)
            node.wait_states("invalid", "valid", seconds=40)
            stop_process(process)
            wait_until(lambda: node.cache()["state"] != "current", 20, "the cache is lost")
            wait_routes(site, False, True, node)
            write(*GOOD)
            process = start()
            node.wait_states("valid", "valid", seconds=60)
            wait_routes(site, True, True, node)
    finally:
        stop_process(process)
