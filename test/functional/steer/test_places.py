"""The map of places of a whole node: made at the start, made anew when a database is replaced, kept when one is broken, and answers that go by it."""
import os

import dns.edns
import dns.message
import pytest

import mmdb
from hidden import Fleet, pop_addresses
from netns import missing, wait_until
from paths import ZONECAST

WHY = missing(ZONECAST)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))

POLICIES = """geoip: {location: GEO/city.mmdb, as: GEO/as.mmdb}
pools:
  - {name: eu, endpoints: [{name: a, address: 198.51.100.11}, {name: a6, address: "2001:db8:e::11"}]}
  - {name: us, endpoints: [{name: a, address: 198.51.100.21}, {name: a6, address: "2001:db8:e::21"}]}
  - {name: own, endpoints: [{name: a, address: 198.51.100.31}, {name: a6, address: "2001:db8:e::31"}]}
steering:
  - {name: www, owners: [www.example], pool: us, rules: [{as: [64500], pool: own}, {countries: [DE], pool: eu}]}
"""


def write(folder, name, entries):
    db = mmdb.Database(6, 28)
    db.insert("198.18.0.0/15", {})
    for network, entry in entries:
        db.insert(network, entry)
    path = os.path.join(folder, name)
    db.write(path + ".new")
    os.chmod(path + ".new", 0o644)
    os.rename(path + ".new", path)


@pytest.fixture(name="fleet")
def fixture_fleet(tmp_path):
    geo = tmp_path / "geo"
    geo.mkdir()
    geo.chmod(0o755)
    tmp_path.chmod(0o755)
    write(geo, "city.mmdb", [("203.0.113.0/24", mmdb.city("DE", "EU", 50, 8)), ("2001:db8:203::/48", mmdb.city("DE", "EU", 50, 8))])
    write(geo, "as.mmdb", [("192.88.99.0/24", mmdb.asn(64500)), ("2001:db8:99::/48", mmdb.asn(64500))])
    with Fleet(tmp_path, ["example"], more=POLICIES.replace("GEO", str(geo))) as f:
        f.publish("example", 1, ["www A 192.0.2.1", "www AAAA 2001:db8::1"])
        yield f


def answer(fleet, subnet, qtype):
    """What clients of this subnet are given, and the scope; None: no answer."""
    address, bits = subnet.split("/")
    query = dns.message.make_query("www.example", qtype, use_edns=0, options=[dns.edns.ECSOption(address, int(bits))])
    with fleet.hidden.ns.socket(2, 2) as s:
        s.settimeout(2)
        s.connect((pop_addresses(0)[0], 53))
        s.send(query.to_wire())
        try:
            reply = dns.message.from_wire(s.recv(4096))
        except OSError:
            return None
    scope = next((o.scopelen for o in reply.options if o.otype == 8), None)
    return (str(reply.answer[-1][0]), scope) if reply.answer else None


def becomes(fleet, subnet, qtype, want):
    """An address, and the scope where that matters."""
    wait_until(lambda: (answer(fleet, subnet, qtype) or ())[:len(want)] == want, 60, lambda: f"{subnet} {qtype} {want}, not {answer(fleet, subnet, qtype)}\n{fleet.pops[0].log()[-3000:]}", 0.2)


def test_map(fleet, tmp_path):
    geo = str(tmp_path / "geo")
    pop = fleet.pops[0]
    becomes(fleet, "203.0.113.0/24", "A", ("198.51.100.11", 24))
    becomes(fleet, "2001:db8:203::/56", "AAAA", ("2001:db8:e::11", 48))
    becomes(fleet, "192.88.99.0/24", "A", ("198.51.100.31", 24))
    becomes(fleet, "2001:db8:99::/56", "AAAA", ("2001:db8:e::31", 48))
    assert answer(fleet, "192.0.3.0/24", "A")[0] == "198.51.100.21"

    # A broken one changes nothing, and is told once.
    with open(os.path.join(geo, "bad"), "wb") as f:
        f.write(b"no database")
    os.chmod(os.path.join(geo, "bad"), 0o644)
    os.rename(os.path.join(geo, "bad"), os.path.join(geo, "city.mmdb"))
    wait_until(lambda: "geoip error=" in pop.log(), 60, lambda: f"told\n{pop.log()[-3000:]}", 0.2)
    assert answer(fleet, "203.0.113.0/24", "A") == ("198.51.100.11", 24)
    assert "refused" in pop.command("events")
    # Nor does a restart of who makes it.
    pop.kill_role("sync")
    wait_until(lambda: pop.log().count("geoip error=") == 2, 60, lambda: f"told again\n{pop.log()[-3000:]}", 0.2)
    assert answer(fleet, "203.0.113.0/24", "A") == ("198.51.100.11", 24)

    # Another network is German now.
    write(geo, "city.mmdb", [("198.18.7.0/24", mmdb.city("DE"))])
    becomes(fleet, "198.18.7.0/24", "A", ("198.51.100.11", 24))
    becomes(fleet, "203.0.113.0/24", "A", ("198.51.100.21",))
    becomes(fleet, "192.88.99.0/24", "A", ("198.51.100.31", 24))

    # A file that is gone is like a broken one.
    os.unlink(os.path.join(geo, "as.mmdb"))
    wait_until(lambda: pop.log().count("geoip error=") == 3, 60, lambda: f"told\n{pop.log()[-3000:]}", 0.2)
    assert answer(fleet, "192.88.99.0/24", "A") == ("198.51.100.31", 24)
