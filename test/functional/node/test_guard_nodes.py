# SPDX-License-Identifier: BSD-2-Clause
"""The guard between real nodes: three pops and their primary on one bridge, no routers. One with old data leaves while the others have fresh data, and comes back when they
go; when all have old data nobody moves."""
import contextlib
import shutil
import time

import pytest

from netns import missing, wait_until
from paths import SANITIZED, ZONECAST
from several import Several

WHY = missing(ZONECAST) or (None if shutil.which("nft") else "needs nft")
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
SLOW = 4 if SANITIZED else 1
POPS = ["fra", "ams", "sin"]
STALE_S = 8 * SLOW


class Fleet(Several):
    def text(self):
        return super().text().replace("rise-hold: 100ms", f"rise-hold: 100ms, stale-after: {STALE_S}s, primary-check: 1s")


@pytest.fixture
def fleet(tmp_path):
    with Fleet(tmp_path) as f:
        f.start("hid", *POPS)
        all_are(f, "announced", *POPS)
        yield f


def families(fleet, name):
    return fleet.status(name)["networks"][0]["families"]


def are(fleet, what, name):
    return all(f["announce"] == what for f in families(fleet, name).values())


def all_are(fleet, what, *names, seconds=60):
    for name in names:
        wait_until(lambda n=name: are(fleet, what, n), seconds * SLOW, lambda n=name: f"{n} {what}: {fleet.status(n)['networks']}\n{fleet.log(n)[-3000:]}")


@contextlib.contextmanager
def cut_off(fleet, name, other):
    """The two do not reach each other."""
    ns, table = fleet.ns[name], "inet zct"
    rules = "; ".join(f"add rule {table} {chain} {ip} {side} {a} drop" for ip, a in (("ip", fleet.v4(other)), ("ip6", fleet.v6(other)))
                      for chain, side in (("i", "saddr"), ("o", "daddr")))
    ns.run(["nft", f"add table {table}; add chain {table} i {{ type filter hook input priority 0; }}; "
                   f"add chain {table} o {{ type filter hook output priority 0; }}; {rules}"])
    try:
        yield
    finally:
        ns.run(["nft", f"delete table {table}"])


def test_one_with_old_data_leaves_and_comes_back(fleet):
    with cut_off(fleet, "fra", "hid"):
        began = time.monotonic()
        all_are(fleet, "withdrawn", "fra")
        assert time.monotonic() - began > STALE_S / 2
        told = families(fleet, "fra")["ipv4"]
        assert told["why"].startswith(("withdrawn with the guard's leave: ", "not announced while others carry on: ")), told
        assert "sees ams announced/pass, sin announced/pass" in told["why"] and told["flaps"] == 1
        took = told["checks"]["since_ms"] - told["since_ms"]
        print(f"gone {took} ms after the limit")
        assert took < 3000 * SLOW
        all_are(fleet, "announced", "ams", "sin")
        # One that carries on is enough, none is not: old answers are better than none.
        fleet.stop("ams")
        all_are(fleet, "withdrawn", "fra")
        fleet.stop("sin")
        all_are(fleet, "de-preferred", "fra")
        assert "too few others carry on" in families(fleet, "fra")["ipv6"]["why"]
    all_are(fleet, "announced", "fra")


def test_a_primary_that_is_lost_for_all_moves_nobody(fleet):
    fleet.stop("hid")
    for name in POPS:
        wait_until(lambda n=name: "stale" in families(fleet, n)["ipv4"]["checks"]["causes"], 90 * SLOW, lambda n=name: fleet.status(n)["networks"])
    # Longer than the guard would take, and than a de-preferred one would take to be announced again.
    until = time.monotonic() + 3
    while time.monotonic() < until:
        for name in POPS:
            assert are(fleet, "announced", name), fleet.status(name)["networks"]
    for name in POPS:
        assert families(fleet, name)["ipv4"]["flaps"] == 0 and "guard: no, no other pop is better" in families(fleet, name)["ipv4"]["why"]
        assert fleet.zonecast(name, "status").returncode == 0
