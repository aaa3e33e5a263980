# SPDX-License-Identifier: BSD-2-Clause
"""The cores of transfers and TSIG against BIND, Knot, NSD, PowerDNS, dig, kdig and dnspython, in both directions."""
import os
import random
import subprocess

import dns.query
import dns.xfr
import dns.zone
import pytest

import hard_zones

from servers import need
from transfers import (PROGRAMS, BindPeer, Key, KnotPeer, NsdPeer, PdnsPeer, Serving, apply, dump, fetch, plain, wait, write_difference)

ZONE = "transfers.example."
HEAD = """$TTL 300
@ SOA ns1 host {serial} 3600 600 86400 60
@ NS ns1
@ NS ns.elsewhere.example.
ns1 A 192.0.2.1
ns1 AAAA 2001:db8::1
@ MX 10 mail
@ TXT "apex" "of many words"
@ CAA 0 issue "ca.example"
@ HTTPS 1 . alpn=h2
mail A 192.0.2.2
sub NS ns.sub
ns.sub A 192.0.2.3
*.wild TXT "star"
old DNAME new
a.b.c.d SRV 1 2 3 mail
t TYPE65280 \\# 4 01020304
"""


def write_zone(path, serial, rng, names):
    """A version of the zone: the head, and the given names with an address and a name server each; returns them, some changed."""
    with open(path, "w", encoding="ascii") as f:
        f.write(HEAD.format(serial=serial))
        for name, octet in sorted(names.items()):
            f.write(f"{name} A 198.51.100.{octet}\n{name} TXT \"{name} of version {octet}\"\nd-{name} NS ns.{name}.elsewhere.example.\n")
    changed = dict(names)
    for name in rng.sample(sorted(names), 7):
        if rng.random() < 0.5:
            del changed[name]
        else:
            changed[name] = (changed[name] + 1) % 256
    for _ in range(5):
        changed[f"new{serial}-{rng.randrange(10**6)}"] = rng.randrange(256)
    return changed


@pytest.fixture
def versions(tmp_path):
    """Files of four versions, and their dumps."""
    rng = random.Random(7)
    names = {f"host{i}": i % 256 for i in range(400)}
    files = []
    for serial in range(1, 5):
        files.append(str(tmp_path / f"version{serial}"))
        names = write_zone(files[-1], serial, rng, names)
    return files, [dump(f, ZONE) for f in files]


def copy(source, target):
    with open(source, encoding="ascii") as f, open(target, "w", encoding="ascii") as g:
        g.write(f.read())


CASES = [(p, k) for p in (BindPeer, KnotPeer, NsdPeer, PdnsPeer) for k in (None, Key())]


@pytest.mark.asan
@pytest.mark.parametrize("peer,key", CASES, ids=[f"{p.name}-{'key' if k else 'open'}" for p, k in CASES])
def test_from_primary(tmp_path, versions, peer, key):
    need(PROGRAMS[peer])
    files, dumps = versions
    current = str(tmp_path / "current.zone")
    copy(files[0], current)
    with peer(str(tmp_path), ZONE, file=current, key=key) as p:
        def get(*options, udp=False):
            return fetch(p.address, p.port, ZONE, key, udp, options)

        for options in ((), ("--edns",)):
            first, records, _ = get(*options)
            assert first == "whole"
            assert plain(records) == plain(dumps[0])
        for udp in (False, True) if p.sends_differences else (False,):
            assert get("--serial", 1, udp=udp)[0] == "current"
        for serial in (2, 3):
            copy(files[serial - 1], current)
            p.reload()
            wait(lambda want=serial: p.serial() == want, f"serial {serial} at {p.name}\n{p.log()[-2000:]}")
            first, records, _ = get()
            assert first == "whole"
            assert plain(records) == plain(dumps[serial - 1])
            for since in range(1, serial):
                first, records, _ = get("--serial", since)
                if p.sends_differences:
                    assert first == "differences", first
                    assert apply(dumps[since - 1], records, p.adds_again) == plain(dumps[serial - 1])
                else:
                    assert first == "whole"
                    assert plain(records) == plain(dumps[serial - 1])
                if p.sends_differences:
                    first, records, _ = get("--serial", since, udp=True)
                    assert first in ("use-tcp", "differences")
                    if first == "differences":
                        assert apply(dumps[since - 1], records, p.adds_again) == plain(dumps[serial - 1])
        first, _, _ = get("--serial", 1000)
        assert first.startswith("failed: ") and "older than ours" in first


# What each server says to a key that is not as agreed: part of what xfrtool prints.
@pytest.mark.parametrize("peer", [BindPeer, KnotPeer, NsdPeer], ids=lambda p: p.name)
def test_keys_refused(tmp_path, versions, peer):
    need(PROGRAMS[peer])
    files, dumps = versions
    with peer(str(tmp_path), ZONE, file=files[0], key=Key()) as p:
        def get(key, *options):
            return fetch(p.address, p.port, ZONE, key, False, options)[0]

        assert get(Key()) == "whole"
        other = "ERERERERERERERERERERERERERERERERERERERERERE="
        assert "error 16 unsigned" in get(Key(secret=other))
        assert "error 17 unsigned" in get(Key(name="unknown.key"))
        late = get(Key(), "--clock", 4000)
        # Knot and BIND sign the answer and tell their clock (RFC 8945 5.2.3).
        assert "error 18" in late
        assert get(None).startswith("failed: ")
        assert get(None, "--serial", 0).startswith("use-axfr: ")
        assert get(Key(), "--clock", 200) == "whole"


ALGORITHMS = [Key(algorithm=a) for a in ("hmac-sha1", "hmac-sha224", "hmac-sha384", "hmac-sha512")]


@pytest.mark.parametrize("key", ALGORITHMS + [Key(algorithm="hmac-sha256", octets=16), Key(algorithm="hmac-sha512", octets=32)],
                         ids=lambda k: f"{k.algorithm}-{k.octets}")
def test_algorithms(tmp_path, versions, key):
    need(PROGRAMS[BindPeer])
    files, dumps = versions
    with BindPeer(str(tmp_path), ZONE, file=files[0], key=key) as p:
        first, records, _ = fetch(p.address, p.port, ZONE, key)
        assert first == "whole"
        assert plain(records) == plain(dumps[0])


CASES_OUT = [(p, k) for p in (BindPeer, KnotPeer, NsdPeer) for k in (None, Key())]


@pytest.mark.parametrize("peer,key", CASES_OUT, ids=[f"{p.name}-{'key' if k else 'open'}" for p, k in CASES_OUT])
def test_to_secondary(tmp_path, versions, peer, key):
    need(PROGRAMS[peer])
    files, dumps = versions
    folder = str(tmp_path)
    steps = [write_difference(folder, f"d{i}", dumps[i], dumps[i + 1]) for i in range(3)]
    with Serving(ZONE, files[0], key) as primary, peer(folder, ZONE, master=primary.port, key=key) as p:
        def check(version):
            wait(lambda: p.serial() == version, f"serial {version} at {p.name}\n{p.log()[-3000:]}\n{primary.logs[-5:]}")
            # NSD closes the connections of its old processes when it has reloaded.
            got = wait(lambda: [t for t in [fetch(p.address, p.port, ZONE, key)] if t[0] == "whole"], f"the whole zone of {p.name}")
            assert plain(got[0][1]) == plain(dumps[version - 1])

        check(1)
        assert any(": whole" in line for line in primary.logs), primary.logs
        primary.set(files[1], steps[0])
        p.notify()
        check(2)
        wait(lambda: "IXFR from 1: 1 differences" in primary.logs, f"{p.name} asks for IXFR: {primary.logs}")
        # Two differences at once, and messages of few records, of which every fourth is signed.
        primary.set(files[3], [*steps[0], *steps[1], *steps[2], "--message", "600", "--sign-every", "4" if p.accepts_unsigned else "1"])
        p.notify()
        check(4)
        wait(lambda: "IXFR from 2: 2 differences" in primary.logs, f"{p.name} asks for IXFR: {primary.logs}")


def squeezed(text):
    """Records of dig or kdig, without blanks and quotes, which they put differently."""
    lines = [line for line in text.splitlines() if line and not line.startswith(";")]
    return sorted("".join(line.replace('"', "").split()).lower() for line in lines)


@pytest.mark.parametrize("tool", ["dig", "kdig"])
@pytest.mark.parametrize("key", [None, Key(), Key(algorithm="hmac-sha512")], ids=lambda k: k.algorithm if k else "open")
def test_to_tools(versions, tool, key):
    need(tool)
    files, dumps = versions
    for options in ((), ("--message", "700", "--sign-every", "100")):
        with Serving(ZONE, files[0], key, options) as primary:
            secret = ["-y", f"{key.algorithm}:{key.name}:{key.secret}"] if key else []
            p = subprocess.run([tool, "@127.0.0.1", "-p", str(primary.port), *secret, "+noall", "+answer", "+onesoa", ZONE, "AXFR"] if tool == "dig"
                               else [tool, "@127.0.0.1", "-p", str(primary.port), *secret, "+noall", "+answer", ZONE, "AXFR"],
                               capture_output=True, timeout=60, check=True)
            got = squeezed(p.stdout.decode("latin-1"))
            want = squeezed("\n".join(dumps[0]))
            soa = [line for line in want if "insoans1" in line]
            assert len(soa) == 1
            assert got == want or got == sorted(want + soa), (p.stdout.decode()[-500:], p.stderr.decode()[-500:])


@pytest.mark.parametrize("every", [1, 2, 99, 100])
def test_to_dnspython(versions, every):
    """dnspython verifies streams by itself: that the unsigned messages between are covered."""
    files, dumps = versions
    key = Key()
    with Serving(ZONE, files[0], key, ["--message", "500", "--sign-every", str(every)]) as primary:
        zone = dns.zone.Zone(ZONE)
        query, _ = dns.xfr.make_query(zone, keyring=key.ring, keyname=key.name, keyalgorithm=key.algorithm)
        dns.query.inbound_xfr("127.0.0.1", zone, query, port=primary.port, timeout=60, lifetime=60)
        assert sum(len(r) for _, r in zone.iterate_rdatasets()) == len(dumps[0])
        assert zone.get_soa().serial == 1


@pytest.mark.asan
def test_hard_zones(tmp_path):
    """Every construct, signed by every kind: out of our store and in again over a socket, and through BIND."""
    need("dnssec-keygen", "dnssec-signzone", "named")
    made = hard_zones.make(str(tmp_path))
    for origin, z in made.items():
        file = z.path
        want = dump(file, origin)
        with Serving(origin, file) as primary:
            first, records, _ = fetch("127.0.0.1", primary.port, origin)
            assert first == "whole"
            assert records == want
    origin = max(made, key=lambda o: len(dump(made[o].path, o)))
    file = made[origin].path
    with BindPeer(os.path.join(str(tmp_path), "b"), origin, file=file) as p:
        first, records, _ = fetch(p.address, p.port, origin)
        assert first == "whole"
        assert plain(records) == plain(dump(file, origin))


POLICY = """policy:
  - id: signing
    algorithm: ecdsap256sha256
    nsec3: {nsec3}
    nsec3-iterations: 0
    nsec3-opt-out: {opt_out}
"""


@pytest.mark.parametrize("digest", ["sha384", "sha512"])
@pytest.mark.parametrize("nsec3,opt_out", [(None, "off"), ("off", "off"), ("on", "off"), ("on", "on")], ids=["unsigned", "nsec", "nsec3", "opt-out"])
def test_zonemd(tmp_path, versions, digest, nsec3, opt_out):
    """Knot makes the digest, in a zone it signs; it is right for what came, and no longer when one record differs."""
    need(PROGRAMS[KnotPeer])
    with KnotPeer(str(tmp_path), ZONE, file=versions[0][0]) as p:
        p.stop()
        p.policy = POLICY.format(nsec3=nsec3, opt_out=opt_out) if nsec3 else ""
        p.zone_more = f"zonemd-generate: zonemd-{digest}\n" + ("    dnssec-signing: on\n    dnssec-policy: signing\n" if nsec3 else "")
        p.start()
        wait(lambda: p.serial() is not None, f"{p.name} answers\n{p.log()[-2000:]}")
        algorithm = {"sha384": 1, "sha512": 2}[digest]
        wait(lambda: f"its ZONEMD record of algorithm {algorithm} is right" in fetch(p.address, p.port, ZONE)[2], f"a digest\n{p.log()[-2000:]}")
        first, records, facts = fetch(p.address, p.port, ZONE)
        assert any("\tNSEC3\t" in r for r in records) == (nsec3 == "on")
        assert any("\tNSEC\t" in r for r in records) == (nsec3 == "off")
        # Out of our store and in again: the store's order and forms are those of the digest.
        file = tmp_path / "again"
        file.write_text("\n".join(records) + "\n", encoding="latin-1")
        with Serving(ZONE, str(file)) as primary:
            first, again, facts = fetch("127.0.0.1", primary.port, ZONE)
            assert again == records
            assert f"algorithm {algorithm} is right" in facts
        changed = [r.replace("198.51.100.7", "198.51.100.8") for r in records]
        assert changed != records
        file.write_text("\n".join(changed) + "\n", encoding="latin-1")
        with Serving(ZONE, str(file)) as primary:
            assert "the content is not what the ZONEMD record" in fetch("127.0.0.1", primary.port, ZONE)[2]
