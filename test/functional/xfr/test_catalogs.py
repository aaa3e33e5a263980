# SPDX-License-Identifier: BSD-2-Clause
"""Catalog zones (RFC 9432): zones that come and go with a catalog of Knot or BIND."""
import json
import subprocess

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest

from catalogs import BindConsumer, BindProducer, KnotConsumer, KnotProducer, PdnsConsumer, PdnsProducer, write_zone
from netns import missing
from paths import ZONECAST
from secondary import Apart, Holder
from servers import need
from transfers import wait

WHY = missing(ZONECAST)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
CATALOG = "catalog.invalid."


@pytest.fixture(scope="module", autouse=True)
def apart():
    with Apart() as a:
        yield a


class Node(Holder):
    def again(self):
        self.start()
        wait(self.ready, lambda: self.log()[-3000:])


class Consumer(Node):
    """catalogs: lines of `catalogs`, zones: lines of `zones` for them, as YAML."""

    def __init__(self, folder, zones, catalogs, name="consumer", address=None):
        self.lines, self.tables, self.at = zones, catalogs, address
        super().__init__(str(folder), [], name)

    def configure(self, zones):
        self.held = []
        self.write("fleet.yaml", f"fleet: test\nstate-dir: {self.path('state')}\nrun-dir: {self.path('run')}\n"
                   f'nodes:\n  - {{name: here, role: primary, management: [{self.at or "127.0.0.1"}{"" if self.at else ", " + chr(34) + "::1" + chr(34)}], workers: 1}}\n'
                   f"zones:\n{self.lines}catalogs:\n{self.tables}")

    def ask(self, zone, qtype="SOA", address=None):
        return super().ask(zone, qtype, address or self.at or "127.0.0.1")

    def reconfigure(self, zones, catalogs):
        self.lines, self.tables = zones, catalogs
        self.configure([])
        done = self.command("reload")
        assert done.returncode == 0, done.stdout + done.stderr

    def members(self):
        return {z["zone"]: z for z in self.told()}

    def catalogs(self):
        done = self.command("catalog", "status", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return {c["catalog"]: c for c in json.loads(done.stdout)}

    def catalog(self):
        return self.catalogs()[CATALOG]

    def wait_zones(self, *zones, serial=1, seconds=60):
        """Just these members are answered."""
        def there():
            have_now = self.members()
            return set(have_now) - self.own() == set(zones) and all(have_now[z].get("serial") == serial for z in zones)
        wait(there, lambda: f"{zones}; has {self.members()}\n{self.log()[-4000:]}", seconds)
        for z in zones:
            assert self.serial(z) == serial

    def own(self):
        return {line.split("name: ")[1].split(",")[0].strip('"') for line in self.lines.splitlines() if "name: " in line}


def catalog_line(producer, name=CATALOG, host="127.0.0.1", more=""):
    return f'  - {{name: {name}, primaries: ["{"[::1]" if host == "::1" else host}:{producer.port}"]{more}}}\n'


@pytest.mark.asan
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_knot_produces(tmp_path, host):
    need("knotd")
    with KnotProducer(tmp_path, CATALOG, {"a.example.": None, "b.example.": "blue"}, notify=f"{host}@53") as knot, \
            Consumer(tmp_path, catalog_line(knot, host=host), f"  - zone: {CATALOG}\n") as node:
        node.wait_zones("a.example.", "b.example.")
        knot.set({"b.example.": "blue", "c.example.": None})
        node.wait_zones("b.example.", "c.example.")
        assert node.rcode("a.example.") == dns.rcode.REFUSED
        knot.change("c.example.", 2)
        node.wait_serial("c.example.", 2)
        knot.set({"b.example.": None})
        node.wait_zones("b.example.")
        # Nothing of all that is needed for the next start.
        knot.stop()
        node.kill()
        node.again()
        node.wait_zones("b.example.")
        node.kill()
        node.reboot()
        node.again()
        node.wait_zones("b.example.")
        assert node.rcode("c.example.") == dns.rcode.REFUSED


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_powerdns_produces(tmp_path, host):
    need("pdns_server", "pdnsutil", "sqlite3")
    assert PdnsProducer.available(), "missing: PowerDNS with SQLite (package pdns-backend-sqlite3); run make deps"
    groups = f"  - zone: {CATALOG}\n    groups:\n      - {{name: blue, at-expiry: serve}}\n"
    with PdnsProducer(tmp_path, CATALOG, {"a.example.": None, "b.example.": "blue"}, f"[{host}]:53" if ":" in host else host) as pdns, \
            Consumer(tmp_path, catalog_line(pdns, host=host), groups) as node:
        node.wait_zones("a.example.", "b.example.")
        assert node.members()["b.example."]["group"] == "blue"
        pdns.set({"b.example.": "blue", "c.example.": None})
        node.wait_zones("b.example.", "c.example.")


class Maker(Node):
    """Ours as the primary that makes a catalog of its zones, a dict as of the other producers. consumer: whom it tells."""

    def __init__(self, folder, members, consumer=None, zone_more="", catalog_more="", address="127.0.0.1"):
        self.zone_folder = str(folder / "made")
        self.consumer, self.zone_more, self.catalog_more, self.address = consumer, zone_more, catalog_more, address
        self.contents = dict(members)
        super().__init__(str(folder), [], "maker")
        self.waits_for = list(members)[-1:]

    def configure(self, zones):
        notify = f', notify: ["{self.consumer}"]' if self.consumer else ""
        allow = f'allow-transfer: [127.0.0.0/8, "::1/128"]{notify}'
        text = (f"fleet: test\nstate-dir: {self.path('state')}\nrun-dir: {self.path('run')}\n"
                f'nodes:\n  - {{name: here, role: primary, management: ["{self.address}"], workers: 1}}\nzones:\n'
                f"  - {{name: {CATALOG}, {allow}}}\n{self.zone_more}")
        for zone, group in self.contents.items():
            text += f"  - {{name: {zone}, file: {write_zone(self.zone_folder, zone)}, {allow}{', group: ' + group if group else ''}}}\n"
        self.write("fleet.yaml", f"{text}catalogs:\n  - {{zone: {CATALOG}, produce: true{self.catalog_more}}}\n")

    def set(self, members):
        self.contents = dict(members)
        self.configure([])
        done = self.command("reload")
        assert done.returncode == 0, done.stdout + done.stderr

    def ask(self, zone, qtype="SOA", address=None):
        return super().ask(zone, qtype, address or self.address)


def bind(tmp_path, members, **how):
    need("named")
    return BindProducer(tmp_path, CATALOG, members, notify="127.0.0.1 port 53", **how)


TEN = [f"z{i}.example." for i in range(10)]


@pytest.mark.asan
def test_what_is_broken_changes_nothing(tmp_path):
    with bind(tmp_path, {"a.example.": None}, zones=["a.example.", "b.example."]) as server, Consumer(tmp_path, catalog_line(server), f"  - zone: {CATALOG}\n") as node:
        node.wait_zones("a.example.")
        for how, why in (({"version": "1"}, 'is not version "2"'), ({"version": None}, "no version record"),
                         ({"more": "b-example.zones PTR c.example.\n"}, "more than one PTR")):
            server.set({"b.example.": None}, **how)
            wait(lambda: why in node.catalog().get("error", ""), lambda: f"{node.catalog()}\n{node.log()[-3000:]}")
            state = node.catalog()
            assert (state["state"], state["serial"], state["refused_serial"], state["members"]) == ("broken", 1, server.serial_now, 1)
            node.wait_zones("a.example.")
        # Nor does a start.
        server.stop()
        for reboot in (False, True):
            node.kill()
            if reboot:
                node.reboot()
            node.again()
            node.wait_zones("a.example.")
        server.start()
        wait(server.ready, "BIND")
        server.set({"b.example.": None})
        node.wait_zones("b.example.")
        assert node.catalog()["state"] == "good" and "error" not in node.catalog()


@pytest.mark.asan
def test_many_go_at_once(tmp_path):
    with bind(tmp_path, dict.fromkeys(TEN)) as server, Consumer(tmp_path, catalog_line(server), f"  - zone: {CATALOG}\n") as node:
        node.wait_zones(*TEN)
        server.set({TEN[0]: None})
        wait(lambda: node.catalog()["state"] == "held", lambda: f"{node.catalog()}\n{node.log()[-3000:]}")
        assert "of 10 members 9 would go" in node.catalog()["error"]
        node.wait_zones(*TEN)
        assert node.command("catalog", "accept", "other.invalid.").returncode == 1
        done = node.command("catalog", "accept", CATALOG)
        assert done.returncode == 0, done.stderr
        node.wait_zones(TEN[0])
        assert node.catalog()["state"] == "good"


@pytest.mark.asan
def test_groups_and_networks(tmp_path):
    """A group has other primaries; one that moves is asked for there, without losing its data."""
    with bind(tmp_path, {"a.example.": None, "b.example.": "blue"}) as server, KnotProducer(tmp_path, "other.invalid.", {"b.example.": None, "c.example.": None}) as other:
        groups = f"  - zone: {CATALOG}\n    groups:\n      - {{name: blue, primaries: [\"[::1]:{other.port}\"], at-expiry: serve}}\n"
        other.change("b.example.", 7)
        with Consumer(tmp_path, catalog_line(server), groups) as node:
            wait(lambda: node.serial("b.example.") == 7 and node.serial("a.example.") == 1, lambda: f"{node.told()}\n{node.log()[-3000:]}")
            told = node.members()
            assert told["b.example."]["group"] == "blue" and told["b.example."]["catalog"] == CATALOG and "group" not in told["a.example."]
            server.set({"a.example.": "green", "b.example.": None})
            wait(lambda: "group" not in node.members()["b.example."], lambda: node.told())
            assert node.serial("b.example.") == 7  # older ones are no reason to go back
            server.set({"a.example.": "green", "b.example.": "blue", "c.example.": "blue"})
            wait(lambda: node.serial("c.example.") == 1, lambda: f"{node.told()}\n{node.log()[-3000:]}")
            # The template is another with a reload: asked at once.
            node.reconfigure(catalog_line(server), groups.replace("blue", "green"))
            wait(lambda: node.members()["a.example."].get("group") == "green" and "group" not in node.members()["c.example."], lambda: node.told())
            assert node.serial("c.example.") == 1


@pytest.mark.asan
def test_reset_clash_and_ownership(tmp_path):
    second = "second.invalid."
    with bind(tmp_path, {"x.example.": ("one", None, None), "y.example.": None}) as server, \
            KnotProducer(tmp_path, second, {"x.example.": None, "own.example.": None}, notify="127.0.0.1@53") as knot:
        lines, catalogs = catalog_line(server) + catalog_line(knot, second), f"  - zone: {CATALOG}\n  - zone: {second}\n"
        with Consumer(tmp_path, lines, catalogs) as node:
            wait(lambda: set(node.members()) == {"x.example.", "y.example.", CATALOG, second, "own.example."}, lambda: f"{node.told()}\n{node.log()[-3000:]}")
            first = node.members()["x.example."]["catalog"]
            wait(lambda: sum(c["listed"] - c["members"] for c in node.catalogs().values()) == 1, lambda: node.catalogs())
            if first == second:  # it came sooner: the other gets it when it is let go
                knot.set({"own.example.": None})
                wait(lambda: node.members()["x.example."].get("catalog") == CATALOG, lambda: node.told())
                knot.set({"x.example.": None, "own.example.": None})
                wait(lambda: node.catalogs()[second]["listed"] == 2, lambda: node.catalogs())
            wait(lambda: node.serial("x.example.") == 1, lambda: node.told())
            # Another id: all begins anew, from the server that BIND's catalog belongs to.
            resets = node.log().count("came=1 went=1")
            server.set({"x.example.": ("two", None, None), "y.example.": None})
            wait(lambda: node.log().count("came=1 went=1") == resets + 1, lambda: node.log()[-3000:])
            wait(lambda: node.serial("x.example.") == 1, lambda: node.told())
            # Handed over.
            server.set({"x.example.": ("two", None, second), "y.example.": None})
            wait(lambda: node.members()["x.example."].get("catalog") == second, lambda: f"{node.told()}\n{node.log()[-3000:]}")
            wait(lambda: node.serial("x.example.") == 1, lambda: node.told())
            server.set({"y.example.": None})
            wait(lambda: node.catalogs()[CATALOG]["listed"] == 1, lambda: node.catalogs())
            assert node.members()["x.example."]["catalog"] == second
            knot.set({"own.example.": None})
            wait(lambda: "x.example." not in node.members(), lambda: node.told())
            assert node.rcode("x.example.") == dns.rcode.REFUSED


@pytest.mark.asan
def test_configured_zone_wins(tmp_path):
    with bind(tmp_path, {"a.example.": None, "b.example.": None}) as server:
        line = f'  - {{name: a.example., primaries: ["127.0.0.1:{server.port}"]}}\n'
        with Consumer(tmp_path, catalog_line(server) + line, f"  - zone: {CATALOG}\n") as node:
            wait(lambda: node.serial("a.example.") == 1 and node.serial("b.example.") == 1, lambda: f"{node.told()}\n{node.log()[-3000:]}")
            assert "catalog" not in node.members()["a.example."] and node.catalog()["members"] == 1
            node.reconfigure(catalog_line(server), f"  - zone: {CATALOG}\n")
            wait(lambda: node.members()["a.example."].get("catalog") == CATALOG, lambda: node.told())
            assert node.serial("a.example.") == 1
            node.reconfigure(catalog_line(server) + line, f"  - zone: {CATALOG}\n")
            wait(lambda: "catalog" not in node.members()["a.example."], lambda: node.told())
            # No catalog any more: what it gave goes.
            node.reconfigure(catalog_line(server) + line, "  []\n")
            wait(lambda: set(node.members()) == {"a.example.", CATALOG}, lambda: node.told())
            assert node.serial("a.example.") == 1 and node.rcode("b.example.") == dns.rcode.REFUSED


def test_catalog_in_a_file(tmp_path):
    """The catalog is an operator's file; members come from where it says."""
    from catalogs import catalog_text

    with bind(tmp_path, {}, zones=["a.example.", "b.example."]) as server:
        path = tmp_path / "mine.zone"
        path.write_text(catalog_text("mine.invalid.", {"a.example.": None}))
        catalogs = f'  - zone: mine.invalid.\n    members: {{primaries: ["127.0.0.1:{server.port}"]}}\n'
        with Consumer(tmp_path, f"  - {{name: mine.invalid., file: {path}}}\n", catalogs) as node:
            node.wait_zones("a.example.")
            path.write_text(catalog_text("mine.invalid.", {"a.example.": None, "b.example.": None}, 2))
            assert node.command("zone", "reload", "mine.invalid.").returncode == 0
            node.wait_zones("a.example.", "b.example.")


def test_a_member_that_nobody_has(tmp_path):
    """It is empty and asked for ever more rarely; the others are served."""
    with bind(tmp_path, {"a.example.": None, "nowhere.example.": None}, zones=["a.example."]) as server, \
            Consumer(tmp_path, catalog_line(server), f"  - zone: {CATALOG}\n") as node:
        wait(lambda: node.serial("a.example.") == 1 and node.members()["nowhere.example."]["failures"] > 1, lambda: f"{node.told()}\n{node.log()[-3000:]}")
        assert node.rcode("nowhere.example.") == dns.rcode.SERVFAIL
        server.set({"a.example.": None})
        node.wait_zones("a.example.")


def test_many_members(tmp_path):
    """2,000 of them, and what one costs then."""
    need("knotd")
    many = {f"m{i}.example.": None for i in range(2000)}
    with KnotProducer(tmp_path, CATALOG, many, notify="127.0.0.1@53") as knot, Consumer(tmp_path, catalog_line(knot), f"  - zone: {CATALOG}\n") as node:
        wait(lambda: node.catalog()["members"] == 2000 and node.counters()["serving"] == 2001, lambda: f"{node.catalog()} {node.counters()}", 120)
        knot.change("m1234.example.", 2)
        node.wait_serial("m1234.example.", 2)
        node.kill()
        node.reboot()
        node.again()
        wait(lambda: node.counters()["serving"] == 2001, node.counters)
        assert node.serial("m1234.example.") == 2
        knot.set({z: None for z in many if z != "m7.example."})
        wait(lambda: node.counters()["zones"] == 2000, node.counters)
        assert node.rcode("m7.example.") == dns.rcode.REFUSED and node.serial("m8.example.") == 1


CONSUMERS = {KnotConsumer: "knotd", BindConsumer: "named", PdnsConsumer: "pdns_server"}


@pytest.mark.asan
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("kind", CONSUMERS, ids=lambda k: k.name)
def test_we_produce(tmp_path, kind, host):
    """Others take zones from our catalog, and follow it."""
    need(CONSUMERS[kind])
    assert kind is not PdnsConsumer or PdnsConsumer.available(), "missing: PowerDNS with SQLite (package pdns-backend-sqlite3); run make deps"
    them = kind(tmp_path, CATALOG, f"{host}@53")
    with Maker(tmp_path, {"a.example.": None, "b.example.": "blue"}, consumer=f"[{host}]:{them.port}" if host == "::1" and kind is PdnsConsumer else f"127.0.0.1:{them.port}", address=host) as node:
        wait(lambda: node.serial(CATALOG) and node.serial("b.example.") == 1, node.log)
        first = node.serial(CATALOG)

        def has(zone):
            try:
                reply = dns.query.udp(dns.message.make_query(zone, "SOA"), "127.0.0.1", timeout=1, port=them.port)
            except (dns.exception.Timeout, OSError):
                return None
            return reply.rcode() == 0 and bool(reply.answer)
        with them:
            wait(lambda: has("a.example.") and has("b.example."), lambda: them.log()[-3000:] + node.log()[-3000:])
            # What does not change the list of members is no new version of the catalog.
            node.set({"b.example.": "blue", "a.example.": None})
            assert node.command("reload").returncode == 0
            assert node.serial(CATALOG) == first
            node.set({"b.example.": None, "c.example.": None})
            wait(lambda: has("c.example.") and has("a.example.") is False, lambda: them.log()[-3000:] + node.log()[-3000:])
            assert has("b.example.") and (node.serial(CATALOG) - first) % 2**32 < 2**31 and node.serial(CATALOG) != first
            now = node.serial(CATALOG)
            node.kill()
            node.again()
            assert node.serial(CATALOG) == now
            # After a reboot a new serial, and the same ids: nobody resets a zone.
            node.kill()
            node.reboot()
            node.again()
            wait(lambda: node.serial(CATALOG), node.log)
            assert (node.serial(CATALOG) - now) % 2**32 < 2**31
            node.set({"b.example.": None})
            wait(lambda: has("c.example.") is False, lambda: them.log()[-3000:] + node.log()[-3000:])
            assert has("b.example.")


@pytest.mark.asan
def test_ours_to_ours(tmp_path):
    lines = f'  - {{name: {CATALOG}, primaries: ["127.0.0.1"], allow-transfer: [127.0.0.3/32]}}\n'
    with Maker(tmp_path, {"a.example.": None, "b.example.": "blue"}, consumer="127.0.0.2:53") as maker, \
            Consumer(tmp_path, lines, f"  - zone: {CATALOG}\n    members-limit: 3\n", address="127.0.0.2") as node:
        node.wait_zones("a.example.", "b.example.")
        # Who may transfer members is said by their template.
        assert node.command("zone", "status", "a.example.").returncode == 0
        for source, good in (("127.0.0.3", True), ("127.0.0.4", False)):
            out = subprocess.run(["dig", "-b", source, "@127.0.0.2", "AXFR", "a.example.", "+noall", "+answer"], capture_output=True, text=True, timeout=60, check=False)
            assert ("ns1.a.example." in out.stdout) == good, out.stdout
        maker.set({"a.example.": None, "c.example.": None})
        node.wait_zones("a.example.", "c.example.")
        assert "came=1 went=1" in node.log()
        maker.set({f"m{i}.example.": None for i in range(4)})
        wait(lambda: "more than 3 members" in node.catalog().get("error", ""), node.catalog)
        node.wait_zones("a.example.", "c.example.")
