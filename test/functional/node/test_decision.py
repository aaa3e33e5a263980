# SPDX-License-Identifier: BSD-2-Clause
"""What a node announces of a network whose checks fail in part: each family for itself, and the last pop stays. At a real router."""
import contextlib
import shutil

import pytest

from fleet import SERVICE, SLOW, Node, Site
from netns import missing, wait_until
from paths import ZONECAST
from routers import Bird

WHY = missing(ZONECAST, *Bird.needs) or (None if shutil.which("nft") else "needs nft")
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
V4, V6 = SERVICE
FAMILIES = ("ipv4", "ipv6")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site")) as s:
        yield s


@pytest.fixture
def node(site, tmp_path):
    with Node(site, tmp_path, last_pop="stay") as n:
        yield n


def network(node):
    return node.status()["networks"][0]


@contextlib.contextmanager
def dropped(site, *what):
    """Questions to an address over a transport go nowhere."""
    table = "inet zct"
    rules = "; ".join(f"add rule {table} c {'ip6' if ':' in a else 'ip'} daddr {a} {t} dport 53 drop" for a, t in what)
    site.pop.run(["nft", f"add table {table}; add chain {table} c {{ type filter hook input priority 0; }}; {rules}"])
    try:
        yield
    finally:
        site.pop.run(["nft", f"delete table {table}"])


@pytest.mark.asan
def test_both_families_say_why(node):
    told = network(node)
    assert set(told["families"]) == set(FAMILIES)
    for f in FAMILIES:
        family = told["families"][f]
        assert (family["announce"], family["flaps"], family["intent"]) == ("announced", 0, []), family
        assert family["why"] == "all checks pass" == told["decision"]["why"]


@pytest.mark.asan
@pytest.mark.parametrize("address", SERVICE)
def test_the_last_pop_stays_while_it_answers_anything(site, node, address):
    mine, other = (FAMILIES if address == V4 else FAMILIES[::-1])
    with dropped(site, (address, "tcp")):
        wait_until(lambda: network(node)["checks"]["verdict"] == "hard-fail", 20 * SLOW, "hard failure")
        wait_until(lambda: "no other pop answers" in network(node)["families"][mine]["why"], 5 * SLOW, lambda: network(node))
        assert site.announced() and network(node)["families"][mine]["announce"] == "announced"
        assert "there is no other pop" in node.zonecast("status").stdout
        assert node.zonecast("status").returncode == 0
    wait_until(lambda: network(node)["decision"]["why"] == "all checks pass", 20 * SLOW, "all checks pass")
    # Nothing is answered in this family: it goes, and the other one stays.
    with dropped(site, (address, "tcp"), (address, "udp")):
        wait_until(lambda: network(node)["families"][mine]["announce"] == "withdrawn", 20 * SLOW, lambda: network(node))
        wait_until(lambda: not site.routes()[FAMILIES.index(mine)], 10 * SLOW, "no route")
        told = network(node)
        assert site.routes()[FAMILIES.index(other)] and told["families"][other]["announce"] == "announced"
        assert told["decision"]["announce"] == "withdrawn" and told["families"][mine]["flaps"] == 1
        text = node.zonecast("status")
        assert text.returncode == 1
        for name, family in (("IPv4", "ipv4"), ("IPv6", "ipv6")):
            assert f"  {name}       {told['families'][family]['announce']} for" in text.stdout
    node.wait_announced(20 * SLOW)
    assert network(node)["families"][other]["flaps"] == 0


def test_a_family_without_prefixes_is_none(site, tmp_path):
    def only_ipv4(text):
        return text.replace(', "2001:db8:53::/48"', "").replace(f', "{V6}"', "")

    with Node(site, tmp_path, announced=False, change=only_ipv4) as node:
        wait_until(lambda: network(node)["decision"]["announce"] == "announced", 20 * SLOW, lambda: network(node))
        told = network(node)
        assert told["families"]["ipv6"] is None and told["families"]["ipv4"]["announce"] == "announced"
        assert site.routes()[0] and not site.routes()[1]
