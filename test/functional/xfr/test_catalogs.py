# SPDX-License-Identifier: BSD-2-Clause
"""Catalog zones (RFC 9432): zones that come and go with a catalog of Knot or BIND."""
import dns.rcode
import pytest

from catalogs import BindProducer, KnotProducer
from netns import missing
from paths import ZONECAST
from secondary import Apart, Holder
from servers import have
from transfers import wait

WHY = missing(ZONECAST)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
CATALOG = "catalog.invalid."


@pytest.fixture(scope="module", autouse=True)
def apart():
    with Apart() as a:
        yield a


class Consumer(Holder):
    """catalogs: lines of `catalogs`, zones: lines of `zones` for them, as YAML."""

    def __init__(self, folder, zones, catalogs, name="consumer"):
        self.lines, self.catalogs = zones, catalogs
        super().__init__(str(folder), [], name)

    def configure(self, zones):
        self.held = []
        self.write("fleet.yaml", f"fleet: test\nstate-dir: {self.path('state')}\nrun-dir: {self.path('run')}\n"
                   'nodes:\n  - {name: here, role: primary, management: [127.0.0.1, "::1"], workers: 1}\n'
                   f"zones:\n{self.lines}catalogs:\n{self.catalogs}")

    def reconfigure(self, zones, catalogs):
        self.lines, self.catalogs = zones, catalogs
        self.configure([])
        done = self.command("reload")
        assert done.returncode == 0, done.stdout + done.stderr

    def again(self):
        self.start()
        wait(self.ready, lambda: self.log()[-3000:])

    def members(self):
        return {z["zone"]: z for z in self.told()}

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
    if not have("knotd"):
        pytest.skip("needs knotd")
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
