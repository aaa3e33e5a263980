"""Choices against a second implementation, maps of places against the database's own reader: random fleets, databases, clients and health, in both families. ZONECAST_LONG=1: many more."""
import ipaddress
import os
import random
import subprocess
import threading

import maxminddb
import pytest
import yaml

import mmdb
import paths
import steer_reference

LONG = bool(os.environ.get("ZONECAST_LONG"))
CASES = 100_000 if LONG else 20_000
TOOL = paths.program("steertool")
COUNTRIES = ["DE", "AT", "FR", "US", "NO", "BR", "JP", "XK"]
CONTINENTS = ["EU", "NA", "SA", "AS"]
ALIASES = ["2002::/16", "::ffff:0:0/96", "2001::/32"]


def tool(*words, text=None):
    done = subprocess.run([TOOL, *map(str, words)], input=text, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def some_network(rng, version):
    """Networks that are near each other, so that they overlap and meet."""
    if version == 4:
        length = rng.randint(4, 32)
        return ipaddress.ip_network((rng.choice([0x0a000000, 0xc0000200, 0x05000000]) ^ rng.getrandbits(24) & rng.getrandbits(24), 32)).supernet(new_prefix=length)
    length = rng.choice([8, 20, 29, 32, 44, 48, 56, 57, 64, 96, 128])
    return ipaddress.ip_network(((0x2a0 << 116 | rng.getrandbits(14) << 70 | rng.getrandbits(16) << 48 | rng.getrandbits(3)), 128)).supernet(new_prefix=length)


def some_database(rng, entry, version, size):
    db = mmdb.Database(version, rng.choice([24, 28, 32]), "Test")
    db.insert("198.18.0.0/15", entry())  # IPv4 is there
    networks = []
    for _ in range(size):
        net = some_network(rng, 4 if version == 4 else rng.choice([4, 6]))
        networks.append(net)
    for net in sorted(networks, key=lambda n: n.prefixlen):
        db.insert(net, entry() if rng.random() < 0.9 else None)
    if version == 6 and rng.random() < 0.7:
        for net in ALIASES:
            db.alias(net)
    return db, networks


def some_city(rng):
    if rng.random() < 0.2:
        return mmdb.city(registered=rng.choice(COUNTRIES))
    if rng.random() < 0.2:
        return mmdb.city(rng.choice(COUNTRIES), rng.choice(CONTINENTS))
    return mmdb.city(rng.choice(COUNTRIES), rng.choice(CONTINENTS), rng.randint(-90, 90) / 2, rng.randint(-180, 179) + rng.random())


def some_address(rng, networks):
    kind = rng.random()
    if kind < 0.75 and networks:
        net = rng.choice(networks)
        return net.network_address.__class__(int(net.network_address) | rng.getrandbits(128) & int(net.hostmask))
    if kind < 0.82:
        return ipaddress.IPv6Address(int(ipaddress.IPv6Address("2002::")) | rng.getrandbits(112) & ~(0xff << 104) | 0x0a << 104)
    if kind < 0.9:
        return ipaddress.IPv6Address(rng.getrandbits(128))
    return ipaddress.IPv4Address(rng.getrandbits(32))


def as_line(place, scope):
    country, continent, at, autonomous = place
    return f"{scope} {autonomous} {country} {continent}" + (f" {at[0]:.9g} {at[1]:.9g}" if at else "")


@pytest.mark.parametrize("versions", [(6, 6), (6, 4), (4, None), (None, 6), (None, None)], ids=str)
def test_map(tmp_path, versions):
    """Databases of every size of record, read back by maxminddb and by the map made of them."""
    rng = random.Random(repr(versions))
    for _ in range(12 if LONG else 3):
        made, networks, files = [], [], []
        for i, version in enumerate(versions):
            path = tmp_path / f"{i}.mmdb"
            if version is None:
                made.append(None)
                files.append("-")
                continue
            db, nets = some_database(rng, (lambda: some_city(rng)) if i == 0 else (lambda: mmdb.asn(rng.choice([64500, 64501, 4200000000]))), version, 300)
            db.write(path)
            made.append(db)
            networks += nets
            files.append(path)
        assert tool("build", *files, tmp_path / "geo.map") == ["ok"]
        places = steer_reference.Places(*made)
        addresses = [some_address(rng, networks) for _ in range(1500)] + [ipaddress.ip_address(a) for a in ("0.0.0.0", "255.255.255.255", "::", "ffff:" * 7 + "ffff")]
        addresses = [a for a in addresses if getattr(a, "ipv4_mapped", None) is None]
        got = tool("find", tmp_path / "geo.map", text="".join(f"{a}\n" for a in addresses))
        readers = [None if f == "-" else maxminddb.open_database(str(f)) for f in files]
        for address, line in zip(addresses, got, strict=True):
            place, scope = places.find(address)
            assert line == as_line(place, scope), address
            read = [r.get(str(address)) if r and (address.version == 4 or r.metadata().ip_version == 6) else None for r in readers]
            if address.version == 4 or versions.count(6) + versions.count(None) == 2:
                assert places.decode(read) == place, address
        for r in readers:
            if r:
                r.close()


def broken(what):
    """A database with something wrong in it, and what is said of it."""
    db = mmdb.Database(4, 24)
    db.insert("10.0.0.0/8", mmdb.city("DE"))
    if what == "ring":
        db.root[1] = [None, mmdb.city("US")]
        db.root[1][0] = db.root[1]
        return db.octets(), "deeper than addresses are long"
    if what == "ladder":  # a few nodes, and 2^32 ways through them
        node = mmdb.city("DE")
        for _ in range(31):
            node = [node, node]
        db.root[0] = db.root[1] = node
        return db.octets(), "has no end"
    if what == "cut":
        return db.octets()[:-40], "bad data"
    if what == "text":
        return b"not a database\n", "metadata"
    raise ValueError(what)


@pytest.mark.parametrize("what", ["ring", "cut", "text"] + ["ladder"] * LONG)
def test_broken_database(tmp_path, what):
    """It is told, and the map that is there stays."""
    octets, said = broken(what)
    (tmp_path / "bad.mmdb").write_bytes(octets)
    (tmp_path / "geo.map").write_bytes(b"as it was")
    done = subprocess.run([TOOL, "build", tmp_path / "bad.mmdb", "-", tmp_path / "geo.map"], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 1 and said in done.stdout and "bad.mmdb" in done.stdout, done.stdout
    assert (tmp_path / "geo.map").read_bytes() == b"as it was"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.mmdb", "geo.map"]


def test_database_written_in_place(tmp_path):
    """While it is cut short and written again, over and over, a map is made of it as a whole, or none is; nobody dies of it."""
    rng = random.Random(5)
    db, _ = some_database(rng, lambda: some_city(rng), 6, 4000)
    path, octets = tmp_path / "db.mmdb", db.octets()
    path.write_bytes(octets)
    assert tool("build", path, "-", tmp_path / "whole.map") == ["ok"]
    stop = threading.Event()

    def cut():
        with open(path, "r+b", buffering=0) as f:
            while not stop.is_set():
                f.truncate(4096)
                f.seek(4096)
                f.write(octets[4096:])

    writer = threading.Thread(target=cut)
    writer.start()
    try:
        ends = [subprocess.run([TOOL, "build", path, "-", tmp_path / "geo.map"], capture_output=True, text=True, timeout=600, check=False) for _ in range(60)]
    finally:
        stop.set()
        writer.join()
    assert {e.returncode for e in ends} <= {0, 1}, [(e.returncode, e.stdout) for e in ends]
    assert tool("build", path, "-", tmp_path / "geo.map") == ["ok"]
    assert (tmp_path / "geo.map").stat().st_size == (tmp_path / "whole.map").stat().st_size
    assert sorted(p.name for p in tmp_path.iterdir()) == ["db.mmdb", "geo.map", "whole.map"]


def test_strange_data(tmp_path):
    """Data that are of other types than they should be, or beyond the globe, say nothing."""
    db = mmdb.Database(6, 28)
    db.insert("10.0.0.0/8", {"country": {"iso_code": "deu"}, "continent": "EU", "location": {"latitude": 91.0, "longitude": 3.0}})
    db.insert("11.0.0.0/8", {"country": "DE", "location": {"latitude": float("nan"), "longitude": 3.0}})
    db.insert("12.0.0.0/8", {"country": {"iso_code": "de"}, "continent": {"code": "EU"}, "location": {"latitude": mmdb.Float(1.5), "longitude": mmdb.Float(-180.0)}})
    db.write(tmp_path / "odd.mmdb")
    assert tool("build", tmp_path / "odd.mmdb", "-", tmp_path / "geo.map") == ["ok"]
    # Networks of which nothing is known are one with those around that are in no database.
    assert tool("find", tmp_path / "geo.map", text="10.1.1.1\n11.1.1.1\n12.1.1.1\n2001:db8::1\n") == ["6 0 -- --", "6 0 -- --", "8 0 -- EU 1.5 -180", "3 0 -- --"]


def some_pool(rng, i, pools, names):
    endpoints = []
    for n in range(rng.randint(1, 9)):
        e = {"name": f"e{rng.randint(0, 99)}x{n}", "weight": rng.choice([0, 1, 50, 100, 100, 10000]), "priority": rng.choice([1, 1, 1, 2, 9]),
             "latitude": rng.randint(-90, 90) / 2, "longitude": float(rng.randint(-180, 180))}
        if names:
            e["target"] = f"t{n}.example."
        else:
            e["address"] = f"192.0.2.{n}" if rng.random() < 0.6 else f"2001:db8::{n}"
        if rng.random() < 0.1:
            e["disabled"] = True
        endpoints.append(e)
    pool = {"name": f"p{i}", "endpoints": endpoints, "keep": min(rng.randint(0, 4), len(endpoints))}
    others = [p["name"] for p in pools if ("target" in p["endpoints"][0]) == names]
    if others and rng.random() < 0.6:
        pool["fallback"] = rng.choice(others)
    return pool


def some_rule(rng, pools):
    rule = {"pool": rng.choice(pools)}
    parts = {"countries": lambda: rng.sample(COUNTRIES, 2), "continents": lambda: [rng.choice(CONTINENTS)], "as": lambda: [64500] if rng.random() < 0.5 else [4200000000, 64501],
             "subnets": lambda: [str(some_network(rng, rng.choice([4, 6]))) for _ in range(rng.randint(1, 6))], "nodes": lambda: rng.sample(["a", "b", "c"], rng.randint(1, 2))}
    for part in rng.sample(sorted(parts), rng.choice([1, 1, 1, 2, 3])):
        rule[part] = parts[part]()
    return rule


def depth(pools, name):
    n = 1
    while "fallback" in pools[name]:
        name, n = pools[name]["fallback"], n + 1
    return n


def some_fleet(rng):
    pools = []
    for i in range(14):
        pools.append(some_pool(rng, i, pools, names=i % 5 == 4))
        if depth({p["name"]: p for p in pools}, pools[-1]["name"]) > 8:
            del pools[-1]["fallback"]
    steering = []
    for i in range(40):
        names = i % 7 == 6
        usable = [p["name"] for p in pools if ("target" in p["endpoints"][0]) == names]
        steering.append({"name": f"Policy{i}", "pool": rng.choice(usable), "rules": [some_rule(rng, usable) for _ in range(rng.randint(0, 5))],
                         "choose": "weight" if names and i % 2 else rng.choice(["weight", "sticky", "nearest", "all"]), "answers": 1 if names else rng.choice([0, 1, 1, 2, 3])})
    return {"fleet": "f", "nodes": [{"name": n, "role": "pop"} for n in "abc"], "geoip": {"location": "city.mmdb", "as": "as.mmdb"}, "pools": pools, "steering": steering}


def test_choices(tmp_path):
    """Random policies, clients, health and chance: the same rule, pool, endpoints and scope."""
    rng = random.Random(8)
    rounds = 10
    differ = []
    for _ in range(rounds):
        fleet = some_fleet(rng)
        city, nets = some_database(rng, lambda: some_city(rng), 6, 400)
        autonomous, more = some_database(rng, lambda: mmdb.asn(rng.choice([64500, 64501, 4200000000])), 6, 200)
        city.write(tmp_path / "city.mmdb")
        autonomous.write(tmp_path / "as.mmdb")
        (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(fleet))
        assert tool("build", tmp_path / "city.mmdb", tmp_path / "as.mmdb", tmp_path / "geo.map") == ["ok"]
        nets = nets + more + [ipaddress.ip_network(s) for p in fleet["steering"] for r in p["rules"] for s in r.get("subnets", [])]
        for node in ("a", "b", "-"):
            reference = steer_reference.Chooser(fleet, steer_reference.Places(city, autonomous), node)
            lines, want = [], []
            for _ in range(CASES // rounds // 3 + 1):
                policy = rng.choice(fleet["steering"])
                address = some_address(rng, nets)
                full = address.max_prefixlen
                prefix = rng.choice([full, full, full, 24 if full == 32 else 56, rng.randint(0, full)])
                family = rng.choice([0, 4, 6]) if rng.random() < 0.05 else 0 if "target" in reference.by_name[policy["pool"]]["endpoints"][0] else rng.choice([4, 6])
                chance = rng.getrandbits(32)
                up = [rng.choice([0, rng.getrandbits(9), rng.getrandbits(9) | rng.getrandbits(9), (1 << 64) - 1]) for _ in fleet["pools"]]
                if getattr(address, "ipv4_mapped", None) is not None:
                    continue
                lines.append(" ".join([policy["name"], str(family), str(address), str(prefix), str(chance)] + [f"{u:x}" for u in up]) + "\n")
                rule, pool, chosen, scope, kept, foreign, certain = reference.choose(policy, family, str(address), prefix, chance, up)
                want.append(f"{rule} {pool} {sum(1 << i for i in chosen):x} {scope} 30" + " kept" * kept + " foreign" * foreign + " certain" * certain)
            got = tool("choose", tmp_path / "fleet.yaml", tmp_path / "geo.map", node, text="".join(lines))
            assert len(got) == len(want)
            differ += [f"{line}got  {g}\nwant {w}" for line, g, w in zip(lines, got, want) if g != w]
    assert not differ, f"{len(differ)} differ:\n" + "\n".join(differ[:5])


def test_scope_of_places(tmp_path):
    """Whoever shares the bits of the scope is given the same."""
    rng = random.Random(15)
    fleet = some_fleet(rng)
    city, nets = some_database(rng, lambda: some_city(rng), 6, 400)
    autonomous, more = some_database(rng, lambda: mmdb.asn(rng.choice([64500, 64501])), 6, 200)
    city.write(tmp_path / "city.mmdb")
    autonomous.write(tmp_path / "as.mmdb")
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(fleet))
    assert tool("build", tmp_path / "city.mmdb", tmp_path / "as.mmdb", tmp_path / "geo.map") == ["ok"]
    nets = nets + more + [ipaddress.ip_network(s) for p in fleet["steering"] for r in p["rules"] for s in r.get("subnets", [])]

    def ask(questions):
        lines = [f"{policy} {family} {address} {address.max_prefixlen} 77\n" for policy, family, address in questions]
        return [line.split() for line in tool("choose", tmp_path / "fleet.yaml", tmp_path / "geo.map", "a", text="".join(lines))]

    first = [(rng.choice(fleet["steering"])["name"], rng.choice([4, 6]), some_address(rng, nets)) for _ in range(2000)]
    first = [f for f in first if getattr(f[2], "ipv4_mapped", None) is None]
    answers = ask(first)
    others, want = [], []
    for (policy, family, address), answer in zip(first, answers):
        for _ in range(10):
            host = rng.getrandbits(128) & (1 << (address.max_prefixlen - int(answer[3]))) - 1
            near = address.__class__(int(address) & ~((1 << (address.max_prefixlen - int(answer[3]))) - 1) | host)
            if getattr(near, "ipv4_mapped", None) is None:
                others.append((policy, family, near))
                want.append(answer)
    for question, got, wanted in zip(others, ask(others), want):
        assert got == wanted, question
