# SPDX-License-Identifier: BSD-2-Clause
"""Zones that are not the same everywhere: held back on one pop, changed under the same serial, stuck while others move, missing, and all of them older than a server outside."""
import json
import os
import subprocess
import threading

import pytest

from netns import missing, stop_process, wait_until
from paths import SANITIZED, ZONECAST
from several import Several

WHY = missing(ZONECAST)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
SLOW = 5 if SANITIZED else 1
REFERENCE = "10.8.0.100", "2001:db8:8::100"
ALL = ("hid", "fra", "ams", "sin")


def zone(serial, text="192.0.2.1"):
    return f"$TTL 300\n@ SOA ns1 host {serial} 1 1 86400 60\n@ NS ns1\nns1 A 192.0.2.53\nwww A {text}\n"


class Drifting(Several):
    """With two more zones, references, and alerts after 2 s."""

    zones = ("example", "second", "third")

    def text(self):
        out = super().text()
        key = ", key: transfer"
        for name in self.zones[1:]:
            out += f'  - {{name: {name}, file: "{self.folder}/{name}.zone", network: global{key}}}\n'
        out += "drift:\n  alert-after: 2s\n  references:\n"
        out += "".join(f'    - {{address: "{a}", zones: [third]}}\n' for a in ("10.8.0.100@5300", "[2001:db8:8::100]:5300"))
        return out.replace("10.8.0.100@5300", "10.8.0.100:5300")

    def change(self, name, serial, text="192.0.2.1"):
        """Whole at once, as a careful operator does it."""
        self.write(f"{name}.new", zone(serial, text))
        os.rename(self.path(f"{name}.new"), self.path(f"{name}.zone"))

    def drift(self, name):
        return self.status(name)["drift"]

    def rows(self, name, **want):
        return [r for r in self.drift(name)["rows"] if all(r[k] == v for k, v in want.items())]

    def hold(self, name, held):
        """Nothing comes to it by transfer."""
        for family, to in (("-4", self.v4("hid")), ("-6", self.v6("hid"))):
            self.ns[name].ip(family, "rule", "add" if held else "del", "to", to, "ipproto", "tcp", "dport", "53", "pref", "10", "type", "blackhole")

    def settled(self, name):
        """All is compared, and nothing differs."""
        d = self.drift(name)
        return not d["rows"] and not d["hidden"] and len(d["nodes"]) == len(self.names) - 1 and all(
            n["compared_ms"] is not None and n["compared_ms"] < 10000 * SLOW for n in d["nodes"])

    def wait_settled(self):
        for name in self.names:
            wait_until(lambda n=name: self.settled(n), 60 * SLOW, lambda n=name: f"{n} finds all the same: {json.dumps(self.drift(n))}")


@pytest.fixture(scope="module", name="fleet")
def fleet_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drift")
    os.chmod(folder, 0o755)
    with Drifting(folder) as f:
        for name in f.zones:
            f.write(f"{name}.zone", zone(1))
        f.start("hid")
        f.start("fra", "ams", "sin")
        yield f


@pytest.fixture(name="held")
def held_fixture(fleet):
    fleet.wait_settled()
    fleet.hold("ams", True)
    state = {"held": True}

    def let_go():
        if state.pop("held", None):
            fleet.hold("ams", False)

    yield let_go
    let_go()


def wait_for(fleet, by, **want):
    wait_until(lambda: fleet.rows(by, **want), 30 * SLOW, lambda: f"{by} sees {want}: {json.dumps(fleet.drift(by))}")
    return fleet.rows(by, **want)[0]


@pytest.mark.asan
def test_held_back(fleet, held):
    """One zone on one pop: each node names zone and node; after the limit it is an alert; then it ends, and all of that are events."""
    fleet.change("example", 2)
    for by in ("hid", "fra", "sin"):
        row = wait_for(fleet, by, zone="example.", node="ams")
        assert row["kind"] in ("behind", "stuck") and (row["there"], row["here"], row["versions"]) == (1, 2, 1), row
        assert row["network"] == "global" and "ams" in row["why"]
    own = wait_for(fleet, "ams", zone="example.", kind="ahead")
    assert (own["here"], own["there"]) == (1, 2)
    for by in ("hid", "fra", "sin"):
        assert wait_for(fleet, by, zone="example.", node="ams", kind="stuck")["alert"]
        assert {r["node"] for r in fleet.rows(by)} == {"ams"}, "nobody else is blamed"
        assert [n["stuck"] for n in fleet.drift(by)["nodes"] if n["name"] == "ams"] == [1]
    # One of three zones, at all other pops: that is the node's fault, as far as it knows, and a cause that the guard weighs.
    wait_until(lambda: "behind" in json.dumps(fleet.status("ams")["networks"][0]["checks"]["causes"]), 30 * SLOW, lambda: fleet.status("ams")["networks"][0]["checks"]["causes"])
    assert "behind" not in json.dumps(fleet.status("fra")["networks"][0]["checks"]["causes"])
    shown = fleet.zonecast("fra", "status").stdout
    assert "stuck    example.  ALERT  network global, node ams" in shown, shown
    log = fleet.log("fra")
    assert "zone=example. node=ams state=behind was=same" in log and "zone=example. node=ams state=stuck was=behind" in log
    held()
    fleet.wait_settled()
    wait_until(lambda: "zone=example. node=ams state=same was=stuck" in fleet.log("fra"), 20 * SLOW, "its end is told")


@pytest.mark.asan
def test_same_serial_other_content(fleet):
    """A record that changed on the primary under the serial it had: an alert at once, against every pop."""
    fleet.wait_settled()
    fleet.change("second", 1, "192.0.2.99")
    done = fleet.zonecast("hid", "zone", "reload", "second", "--force")
    assert done.returncode == 0, done.stdout + done.stderr
    for by, node in (("hid", "fra"), ("hid", "ams"), ("fra", "hid"), ("sin", "hid")):
        row = wait_for(fleet, by, zone="second.", node=node, kind="content")
        assert row["alert"] and row["here"] == row["there"] == 1, row
    assert not fleet.rows("fra", node="ams") and not fleet.rows("fra", node="sin")
    # Differences between versions do not mend it: the pops' version 1 is another one. A whole transfer does.
    for node in ("fra", "ams", "sin"):
        done = fleet.zonecast(node, "zone", "retransfer", "second")
        assert done.returncode == 0, done.stdout + done.stderr
    fleet.wait_settled()


def test_stuck_among_changes(fleet, held):
    """A zone that changes all the time: nothing is said of pops that follow; the one that is stuck is named, with the number of versions."""
    stop = threading.Event()
    serial = [int(fleet.status("hid")["drift"]["hidden"]) + 10]

    def keep_changing():
        while not stop.wait(0.4):
            serial[0] += 1
            fleet.change("third", serial[0])

    changes = threading.Thread(target=keep_changing)
    changes.start()
    try:
        row = wait_for(fleet, "fra", zone="third.", node="ams", kind="stuck")
        wait_until(lambda: fleet.rows("fra", zone="third.", node="ams", kind="stuck")[0]["versions"] >= 5, 30 * SLOW, "versions count up")
        assert row["there"] == 1
        for by in ("hid", "fra", "sin"):
            assert not [r for r in fleet.rows(by) if r["alert"] and r["node"] in ("fra", "sin")], fleet.drift(by)
    finally:
        stop.set()
        changes.join()
    held()
    fleet.wait_settled()
    log = fleet.log("hid")
    assert "zone=third. node=fra state=stuck" not in log and "zone=third. node=sin state=stuck" not in log


def test_missing(fleet, held):
    """A new zone that one pop does not get."""
    fleet.write("fourth.zone", zone(1))
    fleet.zones = Drifting.zones + ("fourth",)
    fleet.write("fleet.yaml", fleet.text())
    try:
        for name in ALL:
            done = fleet.zonecast(name, "reload")
            assert done.returncode == 0, done.stderr
        for by in ("hid", "fra"):
            row = wait_for(fleet, by, zone="fourth.", node="ams", kind="missing")
            assert row["here"] == 1
            wait_until(lambda by=by: fleet.rows(by, zone="fourth.", kind="missing", alert=True), 30 * SLOW, "an alert after the limit")
        wait_for(fleet, "ams", zone="fourth.", kind="ahead", node="hid")
        held()
        fleet.wait_settled()
    finally:
        fleet.zones = Drifting.zones
        fleet.write("fleet.yaml", fleet.text())
        for name in ALL:
            fleet.zonecast(name, "reload")


@pytest.mark.parametrize("family", [0, 1])
def test_all_are_old(fleet, family):
    """All nodes agree, and a server outside, asked over each family, has a newer serial: all say that they are old. Later it is the server that is behind."""
    fleet.wait_settled()
    at, serial = REFERENCE[family], 4000 + 2000 * family
    folder = fleet.path(f"reference{family}")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "third.zone"), "w", encoding="utf-8") as f:
        f.write(zone(serial))
    fleet.bridge.run(["ip", "addr", "replace", at + ("/64" if family else "/24"), "dev", "br0", *(["nodad"] if family else [])])
    listen = f"[{at}]:5300" if family else f"{at}:5300"
    outside = fleet.bridge.popen([ZONECAST, "run", "--zones", folder, "--listen", listen, "--workers", "1", "--state-dir", folder + "/state", "--run-dir", folder + "/run"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for by in ALL:
            row = wait_for(fleet, by, zone="third.", node=None, server=at, kind="ahead")
            assert row["there"] == serial
            wait_until(lambda by=by: fleet.rows(by, server=at, alert=True), 30 * SLOW, "an alert after the limit")
        fleet.change("third", serial + 1000)
        row = wait_for(fleet, "fra", zone="third.", server=at, kind="stuck")
        assert (row["there"], row["here"]) == (serial, serial + 1000)
    finally:
        stop_process(outside)
    # What is not heard any more stays as it was found.
    assert fleet.rows("fra", server=at)
    for name in ALL:
        assert fleet.zonecast(name, "reload").returncode == 0


@pytest.mark.asan
def test_tree_by_dig(fleet):
    """People can ask for the tree as well; who may not is refused."""
    from fakepeer import ask, strings
    from several import SECRET
    for family in ("v4", "v6"):
        at, source = getattr(fleet, family)("fra"), getattr(fleet, family)("ams")
        reply, _, _ = ask(fleet.ns["ams"], source, at, "tree.global.fra.status.zonecast.", SECRET, False)
        told = strings(reply)
        assert told[0].startswith("zonecast-tree=1 zones=3 unknown=0 serials="), told
        assert sorted(t.split(",")[3] for t in told[1:]) == ["example.", "second.", "third."]
        for name in ("tree.none.fra.status.zonecast.", "tree-g.global.fra.status.zonecast.", "tree.global.sin.status.zonecast."):
            reply, length, sent = ask(fleet.ns["ams"], source, at, name, SECRET, False)
            assert reply.rcode() != 0 and not reply.answer, (name, reply)
        reply, length, sent = ask(fleet.ns["ams"], source, at, "tree.global.fra.status.zonecast.", None, False)
        assert reply.rcode() != 0 and length <= sent
