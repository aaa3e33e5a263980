# SPDX-License-Identifier: BSD-2-Clause
"""A neighbor sends routes for our own prefixes from somebody else: seen, told with the path, and over when they go. Nothing of it is used."""
import os

import pytest

from fleet import PREFIXES, Node, Site
from netns import missing, wait_until
from paths import ZONECAST
from routers import Bird, Frr

WHY = missing(ZONECAST, *Bird.needs)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
NO_FRR = missing(*Frr.needs)
V4, V6 = PREFIXES
EVIL = 64999
HARMLESS = [("198.51.100.0/24", EVIL), ("192.0.0.0/16", EVIL), ("2001:db8::/32", EVIL)]  # elsewhere, or less specific


def hijacks(node):
    return {(h["prefix"], h["neighbor"]): h for h in node.status()["hijacks"]["routes"]}


def wait_hijacks(node, *prefixes):
    wait_until(lambda: sorted({p for p, _ in hijacks(node)}) == sorted(prefixes), 30, lambda: f"{prefixes}, not {hijacks(node)}; log:\n{node.log()}")


@pytest.mark.asan
@pytest.mark.parametrize("router", [Bird, pytest.param(Frr, marks=pytest.mark.skipif(NO_FRR is not None, reason=str(NO_FRR)))])
def test_seen_and_over(tmp_path, router):
    for above in [tmp_path, *list(tmp_path.parents)[:2]]:
        os.chmod(above, 0o755)  # FRR's daemons change their user
    with Site(tmp_path, router) as site, Node(site, tmp_path, more=", watch-routes: true") as node:
        site.bird.send(HARMLESS)
        site.bird.send(HARMLESS + [("192.0.2.0/25", EVIL), ("2001:db8:53:1::/64", EVIL), ("2001:db8:53::53/128", 64500)])
        wait_hijacks(node, "192.0.2.0/25", "2001:db8:53:1::/64")
        seen = hijacks(node)
        assert seen["192.0.2.0/25", "10.9.0.1"]["path"] == f"64601 {EVIL}"
        assert seen["2001:db8:53:1::/64", "2001:db8:9::1"]["path"] == f"64601 {EVIL}"
        for h in seen.values():
            assert (h["as"], h["origin"], h["ours"] in PREFIXES) == (64500, EVIL, True)
        assert "hijack prefix=192.0.2.0/25 state=begun ours=192.0.2.0/24 as=64500" in node.log()
        done = node.zonecast("status")
        assert f"POSSIBLE HIJACK: 192.0.2.0/25" in done.stdout and f"AS{EVIL}" in done.stdout
        # It changes nothing: what is announced stays, and no route came in.
        assert site.announced() and node.status()["networks"][0]["decision"]["announce"] == "announced"
        assert "192.0.2.0/25" not in site.pop.run(["ip", "route"])
        # Another path, then an end.
        site.bird.send(HARMLESS + [("192.0.2.0/25", 64998), ("2001:db8:53:1::/64", EVIL)])
        wait_until(lambda: hijacks(node).get(("192.0.2.0/25", "10.9.0.1"), {}).get("origin") == 64998, 30, "the other path")
        assert "state=other-path" in node.log()
        site.bird.send(HARMLESS + [("2001:db8:53:1::/64", EVIL)])
        wait_hijacks(node, "2001:db8:53:1::/64")
        site.bird.send([])
        wait_hijacks(node)
        assert node.log().count("state=over") == 2
        told = node.events("--kind", "hijack")
        assert [(e["now"], e["level"], e["network"]) for e in told if e["subject"] == "192.0.2.0/25"] == [
            ("seen", "alert", "global"), ("other-path", "alert", "global"), ("over", "info", "global")]
        assert [e["now"] for e in told if e["subject"] == "2001:db8:53:1::/64"] == ["seen", "over"] and f"AS{EVIL} originates it" in told[0]["why"]
        assert node.status()["hijacks"]["seen"] == 2


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site")) as s:
        yield s


def test_only_where_wanted(site, tmp_path):
    """Off by default; turned on and off by a reload that leaves the sessions as they are."""
    with Node(site, tmp_path) as node:
        site.bird.send([("192.0.2.0/24", EVIL), (V6, EVIL)])
        ups = [n["established_count"] for n in node.status()["neighbors"]]
        assert not hijacks(node)
        node.fleet(more=", watch-routes: true")
        assert node.zonecast("reload").returncode == 0
        wait_hijacks(node, V4, V6)  # what was sent long before: the router is asked again
        node.fleet()
        assert node.zonecast("reload").returncode == 0
        wait_hijacks(node)
        assert [n["established_count"] for n in node.status()["neighbors"]] == ups
        site.bird.send([])


def test_gone_with_the_session(site, tmp_path):
    with Node(site, tmp_path, more=", watch-routes: true") as node:
        site.bird.send([("192.0.2.0/25", EVIL), ("2001:db8:53:1::/64", EVIL)])
        wait_hijacks(node, "192.0.2.0/25", "2001:db8:53:1::/64")
        name = next(n.ident for n in site.bird.neighbors if ":" not in n.address)
        site.bird.ask(f"restart {name}")
        wait_until(lambda: "the session with who saw it has ended" in node.log(), 20, "the end of the session")
        wait_until(lambda: node.log().count("hijack prefix=192.0.2.0/25 state=begun") == 2, 60, "it is seen again")
        wait_hijacks(node, "192.0.2.0/25", "2001:db8:53:1::/64")
        assert node.log().count("hijack prefix=2001:db8:53:1::/64 state=begun") == 1
        site.bird.send([])
        wait_hijacks(node)
