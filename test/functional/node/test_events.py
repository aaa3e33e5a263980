# SPDX-License-Identifier: BSD-2-Clause
"""What a node tells of what happens on it: in which order, with which reasons, whoever dies, and to whoever follows."""
import json
import os
import re
import signal
import subprocess
import threading

import pytest

from fleet import Node, Site
from netns import missing, stop_process, wait_until
from paths import ZONECAST
from routers import Bird
from servers import free_port

WHY = missing(ZONECAST, *Bird.needs)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
PEER4, PEER6 = "10.9.0.1", "2001:db8:9::1"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site")) as s:
        yield s


def patient(fleet):
    """On a busy machine checks must not fail: this is about what is told."""
    return fleet.replace("timeout: 400ms, fall: 2", "timeout: 5s, fall: 20")


def events(node, *args):
    return node.events(*args)


def has(list_, **want):
    return any(all(e[k] == v for k, v in want.items()) for e in list_)


def kinds(list_, family):
    return [e["kind"] for e in list_ if e["family"] == family]


@pytest.mark.asan
def test_the_story_of_a_node(site, tmp_path):
    moves = ("--kind", "announce", "--kind", "withdraw", "--kind", "graceful-shutdown", "--network", "global")
    with Node(site, tmp_path, change=patient) as node:
        story = events(node)
        assert story[0]["kind"] == "process" and story[0]["subject"] == "node" and story[0]["now"] == "started"
        assert has(story, kind="zone", subject="all zones", now="loaded", level="info")
        for family, peer in ((4, PEER4), (6, PEER6)):
            assert has(story, kind="neighbor-up", subject=peer, old="down", now="established", family=family)
            assert has(story, kind="verdict", network="global", family=family, old="unknown", now="pass")
            assert has(story, kind="announce", network="global", family=family, old="withdrawn", now="announced", level="info")
        # In the order of their times; the numbers of each process without holes.
        assert [e["time_ms"] for e in story] == sorted(e["time_ms"] for e in story)
        for role in {e["role"] for e in story}:
            numbers = [e["number"] for e in story if e["role"] == role]
            assert numbers == list(range(1, len(numbers) + 1)), role

        # A maintenance.
        node.control("drain", "global")
        assert node.zonecast("resume").returncode == 0
        for family in (4, 6):
            wait_until(lambda f=family: kinds(events(node, *moves), f) == ["announce", "graceful-shutdown", "withdraw", "announce"], 60, lambda: f"the story: {events(node, *moves)}")
        orders = events(node, "--kind", "order")
        assert [(e["old"], e["now"], e["network"]) for e in orders] == [("none", "drain", "global"), ("drain", "none", "global")]
        assert all(e["why"] == f"said by uid {os.getuid()}" for e in orders)
        assert all(e["level"] == "info" for e in events(node, *moves))
        # Why traffic was moved stands in the log with all that it rests on.
        line = next(x for x in node.log().splitlines() if "decision=withdraw" in x)
        assert re.search(r'network=global family=ipv[46] decision=withdraw .* why="drained by order" verdict=pass causes=none answers=yes zones=1/1 checks_silent_ms=\d+ '
                         r'worker_silent_ms=\d+ order=drain stopping=no rpki=allowed .* guard=not-asked .* others=0 seen=0 peers=""', line), line

        # For people.
        text = node.zonecast("events", "--kind", "order").stdout.splitlines()
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ info  order global: none -> drain: said by uid \d+", text[0]), text
        assert len(events(node, "--since", "0s")) < len(story) <= len(events(node, "--since", "1h"))
        assert events(node, "--network", "other") == [] and node.zonecast("events", "--kind", "nothing").returncode == 2
        assert len(story) < node.status()["events"]["written"] <= len(events(node))

        # A file of mistakes, then a neighbor less: the one that goes is named, nobody dies of it.
        route = node.pids()[("route", 0)]
        node.fleet(change=lambda t: patient(t) + "nonsense: 1\n")
        assert node.zonecast("reload").returncode == 1
        node.fleet(change=lambda t: "".join(x for x in patient(t).splitlines(True) if PEER6 not in x))
        assert node.zonecast("reload", "--withdraw", "global").returncode == 0
        wait_until(lambda: has(events(node), kind="neighbor-down", subject=PEER6, why="removed or changed by a reload"), 60, lambda: f"its end: {events(node)}")
        taken = events(node, "--kind", "config")
        assert [e["now"] for e in taken] == ["refused", "accepted"] and "nonsense" in taken[0]["why"] and taken[0]["level"] == "warn"
        assert node.pids()[("route", 0)] == route


@pytest.mark.asan
def test_what_dies_is_told_with_what_it_took_along(site, tmp_path):
    with Node(site, tmp_path, change=patient) as node:
        before = len(events(node))
        os.kill(node.pids()[("route", 0)], signal.SIGKILL)
        wait_until(lambda: has(events(node)[before:], kind="announce", network="global", family=6) and has(events(node)[before:], kind="announce", family=4), 60,
                   lambda: f"announced again: {events(node)[before:]}")
        after = events(node)[before:]
        assert has(after, kind="process", subject="route", now="killed", level="alert") and has(after, kind="process", subject="route", now="running", level="info")
        for family, peer in ((4, PEER4), (6, PEER6)):
            assert has(after, kind="withdraw", network="global", family=family, old="announced", level="alert", role="supervisor")
            assert has(after, kind="neighbor-down", subject=peer, old="established", role="supervisor")
            assert [k for k in kinds(after, family) if k in ("withdraw", "announce")][:2] == ["withdraw", "announce"]
        assert node.status()["events"]["last_alert"]["level"] == "alert"
        # A worker; the events of all are still there.
        os.kill(node.pids()[("answer", 1)], signal.SIGKILL)
        wait_until(lambda: has(events(node), kind="process", subject="answer 1", now="running"), 60, "it runs again")
        assert has(events(node), kind="process", subject="answer 1", now="killed") and len(events(node)) > before
        # A zone that goes bad, and comes back.
        node.write("example.zone", "no zone\n")
        assert node.zonecast("zone", "reload", "example").returncode in (0, 1)
        wait_until(lambda: has(events(node), kind="zone", subject="example.", old="served", now="refused", level="warn"), 60, lambda: f"refused: {events(node)[-3:]}")
        node.write("example.zone", "$TTL 300\n@ SOA ns1 host 7 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n")
        node.zonecast("zone", "reload", "example")
        wait_until(lambda: has(events(node), kind="zone", subject="example.", old="refused", now="served", level="info"), 60, lambda: f"back: {events(node)[-3:]}")
        assert len(events(node, "--level", "alert")) < len(events(node, "--level", "warn")) < len(events(node))


def test_following(site, tmp_path):
    with Node(site, tmp_path, change=patient) as node:
        follower = subprocess.Popen([ZONECAST, "events", "--follow", "--json", "--since", "0s", "--kind", "order", "--run-dir", node.path("run")], stdout=subprocess.PIPE, text=True)
        seen = []
        reader = threading.Thread(target=lambda: seen.extend(json.loads(x) for x in follower.stdout), daemon=True)
        reader.start()
        try:
            # It may come to its first look after the first order.
            def ordered():
                node.zonecast("freeze", "global")
                node.zonecast("resume", "global")
                return len(seen) >= 2
            wait_until(ordered, 40, "an order that is told")
            assert {(e["old"], e["now"]) for e in seen} == {("none", "freeze"), ("freeze", "none")}
            os.kill(node.pids()[("admin", 0)], signal.SIGKILL)
            assert follower.wait(30) == 1
        finally:
            stop_process(follower)
        reader.join(10)


def objects(text):
    return [json.loads(x) for x in text.splitlines() if x.startswith("{")]


def test_a_log_of_objects_after_a_reload(site, tmp_path):
    def logged(node, **want):
        return any(all(o.get(k) == v for k, v in want.items()) for o in objects(node.log()))

    with Node(site, tmp_path, change=patient) as node:
        node.fleet(change=lambda t: patient(t) + "log: {format: json}\n")
        assert node.zonecast("reload").returncode == 0
        wait_until(lambda: logged(node, event="reload", role="supervisor"), 60, "the supervisor's word")
        assert node.zonecast("drain", "global", "--no-wait").returncode == 0
        wait_until(lambda: logged(node, role="route", event="network", network="global", family="ipv6", decision="withdraw", verdict="pass", order="drain", seen=0), 30,
                   lambda: f"a decision: {node.log()[-3000:]}")
        node.write("example.zone", "no zone\n")
        node.zonecast("zone", "reload", "example")
        wait_until(lambda: logged(node, role="sync", level="error", zone="example."), 60, lambda: f"a word of sync: {node.log()[-3000:]}")
        os.kill(node.pids()[("answer", 0)], signal.SIGKILL)
        wait_until(lambda: logged(node, role="supervisor", event="process", process="answer", index=0, signal=9), 60, "a worker's end")
        # Of no process a line of text after one of JSON.
        told = set()
        for x in node.log().splitlines():
            role = json.loads(x)["role"] if x.startswith("{") else (re.match(r"\S+Z [a-z]+ ([a-z]+): ", x) or [None, None])[1]
            assert x.startswith("{") or role not in told, x
            if x.startswith("{"):
                told.add(role)
        assert {"supervisor", "route", "sync"} <= told


def test_a_log_of_objects_from_the_start(tmp_path):
    (tmp_path / "zones").mkdir()
    (tmp_path / "zones" / "example.zone").write_text("$TTL 300\n@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.1\n")
    (tmp_path / "zones" / "bad.zone").write_text("no zone\n")
    log = tmp_path / "log"
    with open(log, "wb") as out:
        node = subprocess.Popen([ZONECAST, "run", "--zones", str(tmp_path / "zones"), "--listen", f"127.0.0.1:{free_port()}", "--workers", "1", "--log-format", "json",
                                 "--run-dir", str(tmp_path / "run"), "--state-dir", str(tmp_path / "state")], stdout=out, stderr=out)
    try:
        wait_until(lambda: any(o["event"] == "ready" for o in objects(log.read_text())), 60, lambda: f"ready: {log.read_text()}")
    finally:
        stop_process(node)
    lines = [json.loads(x) for x in log.read_text().splitlines()]  # each of them
    assert all({"time", "level", "role", "event"} <= set(o) for o in lines)
    assert any(o["event"] == "ready" and o["zones"] == 1 and o["failed"] == 1 for o in lines) and lines[-1]["event"] == "stopped"
