# SPDX-License-Identifier: BSD-2-Clause
"""What a real router makes of a pop that has old data and may not leave: its routes are the worse ones, the others carry the traffic, and it is still there."""
import re

import pytest

from netns import Net, missing, wait_until
from paths import SANITIZED, ZONECAST
from routers import Bird, Neighbor
from several import Several

WHY = missing(ZONECAST, "nft", *Bird.needs)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
SLOW = 4 if SANITIZED else 1
OUR_AS, ROUTER_AS, STALE_S = 64500, 64601, 8 * SLOW
PREFIXES = ["192.0.2.0/24", "2001:db8:35::/48"]
POPS = ["fra", "ams"]


class Routed(Several):
    """Two pops and their primary on one bridge, and BIRD beside them; both pops are needed."""

    def __init__(self, folder):
        super().__init__(folder, names=("hid", *POPS))
        self.router = self.net.namespace("rtr")
        Net.veth(self.router, "up0", ["10.8.0.100/24", "2001:db8:8::100/64"], self.bridge, "p-rtr", [])
        self.bridge.ip("link", "set", "p-rtr", "master", "br0")
        self.bird = Bird(self.router, self.folder, ROUTER_AS, "10.8.0.100", [Neighbor(a, OUR_AS) for n in POPS for a in (self.v4(n), self.v6(n))]).start()

    def text(self):
        neighbors = f'neighbors: [{{address: 10.8.0.100, as: {ROUTER_AS}, families: [ipv4]}}, {{address: "2001:db8:8::100", as: {ROUTER_AS}, families: [ipv6]}}]'
        text = re.sub(r"bgp: \{(router-id: [0-9.]+)\}", rf"bgp: {{\1, {neighbors}}}", super().text())
        return text.replace("rise-hold: 100ms", f"rise-hold: 100ms, stale-after: {STALE_S}s, primary-check: 1s, keep-at-least: 2")

    def close(self):
        self.bird.stop()
        super().close()

    def paths(self, prefix):
        """AS paths by pop, the chosen one's pop under "best"."""
        out = {}
        for name in POPS:
            for address in (self.v4(name), self.v6(name)):
                said = self.bird.ask(f"show route for {prefix} protocol {Neighbor(address, OUR_AS).ident} all")
                found = re.search(r"BGP\.as_path:(.*)", said)
                if found:
                    out[name] = found.group(1).split()
                    if re.search(r" \* \(", said):
                        out["best"] = name
        return out


@pytest.fixture
def fleet(tmp_path):
    with Routed(tmp_path) as f:
        yield f


def shows(fleet, seconds, what, **lengths):
    for prefix in PREFIXES:
        wait_until(lambda p=prefix: {n: len(fleet.paths(p).get(n, ())) for n in lengths} == lengths, seconds * SLOW,
                   lambda p=prefix: f"{what}: {p} {fleet.paths(p)}\n{fleet.bird.ask('show protocols')}\n{fleet.status('fra')['networks']}")


def test_a_router_prefers_those_with_fresh_data(fleet):
    fleet.start("hid", *POPS)
    shows(fleet, 60, "both are announced alike", fra=1, ams=1)
    primary = [fleet.v4("hid"), fleet.v6("hid")]
    fleet.ns["fra"].run(["nft", "add table inet zct; add chain inet zct i { type filter hook input priority 0; }; "
                         + "; ".join(f"add rule inet zct i {'ip6' if ':' in a else 'ip'} saddr {a} drop" for a in primary)])
    shows(fleet, 60, "fra is the worse way", fra=4, ams=1)
    for prefix in PREFIXES:
        assert fleet.paths(prefix)["best"] == "ams"
    for family in fleet.status("fra")["networks"][0]["families"].values():
        assert family["announce"] == "de-preferred" and "stale" in family["checks"]["causes"], family
    # Nobody is lost where only the worse way is left.
    fleet.stop("ams")
    for prefix in PREFIXES:
        wait_until(lambda p=prefix: fleet.paths(p).get("best") == "fra", 30 * SLOW, lambda p=prefix: f"fra carries on: {fleet.paths(p)}")
    fleet.ns["fra"].run(["nft", "delete table inet zct"])
    shows(fleet, 90, "fra is announced plainly again", fra=1)
