# SPDX-License-Identifier: BSD-2-Clause
"""Whether answers leave by the device at all: a node asks itself by way of its neighbor, and acts on what it finds."""
import subprocess

import dns.message
import pytest

from express import UNLIMITED, WWW, Client, heat, with_xdp
from fleet import SERVICE, SLOW, Node
from netns import missing, wait_until
from paths import ZONECAST
from routers import Bird

WHY = missing(ZONECAST, "clang", *Bird.needs)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))


def xdp(node):
    return node.status()["xdp"]


def wait_rung(node, rung, seconds):
    wait_until(lambda: xdp(node)["rung"] == rung, seconds * SLOW, lambda: f"rung {rung}; {xdp(node)}")


def all_answer(site):
    return all(site.answers(where, name=WWW, qtype="A") for where in SERVICE)


def test_auto_proves_it(site, tmp_path):
    """Clients are answered by sockets until an answer has come back over the cable, over either family; then by the kernel."""
    with Node(site, tmp_path, change=with_xdp("auto", UNLIMITED)) as node:
        wait_rung(node, "native", 10)
        log = node.log()
        assert log.index("xdp rung=sockets") < log.index("xdp rung=native"), log
        for where in SERVICE:
            with Client(site, where) as client:
                heat(node, client, where, dns.message.make_query(WWW, "A"))
        wait_until(lambda: all(p["verdict"] == "pass" and p["from_cache"] > 3 and p["from_worker"] > 3 for p in xdp(node)["paths"]), 20 * SLOW,
                   lambda: f"both ways of both families; {xdp(node)}")
        assert sorted(p["neighbor"] for p in xdp(node)["paths"]) == ["10.9.0.1", "2001:db8:9::1"]
        assert "answers are seen to arrive" in node.zonecast("status").stdout


def test_auto_keeps_sockets_where_answers_are_lost(site, tmp_path):
    assert site.let_pass(False) is None
    try:
        with Node(site, tmp_path, change=with_xdp("auto")) as node:
            wait_until(lambda: "what XDP sends is lost" in xdp(node)["why"], 20 * SLOW, lambda: f"the reason; {xdp(node)}")
            assert xdp(node)["rung"] == "sockets" and all_answer(site)
            assert "xdp sockets: up0: by way of" in node.zonecast("status").stdout
            assert "xdp rung=native" not in node.log()
    finally:
        assert site.let_pass(True) is None


def test_a_device_that_begins_to_lose_answers(site, tmp_path):
    """Clients go back to the sockets, without a withdrawal, and to the kernel when the device has been good for a while."""
    with Node(site, tmp_path, change=with_xdp("native", UNLIMITED)) as node:
        wait_until(lambda: len(xdp(node)["paths"]) == 2 and all(p["verdict"] == "pass" for p in xdp(node)["paths"]), 20 * SLOW,
                   lambda: f"proofs; {xdp(node)}")
        with Client(site, SERVICE[0]) as client:
            heat(node, client, SERVICE[0], dns.message.make_query(WWW, "A"))
        assert site.let_pass(False) is None
        try:
            assert not site.answers(SERVICE[0], name=WWW, qtype="A", timeout=0.3), "it was to be lost"
            wait_rung(node, "sockets", 10)
            assert all_answer(site) and site.announced()
            assert "path device=up0" in node.log() and "verdict=hard-fail" in node.log()
        finally:
            assert site.let_pass(True) is None
        wait_rung(node, "native", 30)
        assert all_answer(site) and site.announced()


def test_a_silent_neighbor_proves_nothing(site, tmp_path):
    def echoes(wanted):
        for key in ("net.ipv4.icmp_echo_ignore_all", "net.ipv6.icmp.echo_ignore_all"):
            site.rtr.run(["sysctl", "-q", "-w", f"{key}={int(not wanted)}"])
    try:
        echoes(False)
        with Node(site, tmp_path, change=with_xdp("auto")) as node:
            wait_until(lambda: [p["why"] for p in xdp(node)["paths"] if "answers no echoes" in p["why"]], 20 * SLOW, lambda: f"the reason; {xdp(node)}")
            assert xdp(node)["rung"] == "sockets" and all_answer(site)
            echoes(True)
            wait_rung(node, "native", 10)
            echoes(False)
            wait_until(lambda: all("answers no echoes" in p["why"] for p in xdp(node)["paths"]), 20 * SLOW, lambda: f"the reason; {xdp(node)}")
            assert xdp(node)["rung"] == "native" and all_answer(site)
    except (RuntimeError, subprocess.CalledProcessError) as e:
        pytest.skip(str(e))
    finally:
        echoes(True)
