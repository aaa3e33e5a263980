"""The same question to zonecast, Knot, NSD and BIND must get the same meaning: rcode, AA, TC, and the sections as sets.

Every zone: each name with a choice of types, with and without DO; a name that does not exist beside and below each; and special ones. An
answer that at least two of the three peers give is right; what differs from that is a failure unless `excused` knows why.
"""
import collections
import csv
import gzip
import os
import random
import re

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.zone
import pytest

from paths import SANITIZED, ZONES
from servers import Bind, Knot, Nsd, Zonecast, have

NAMES_PER_ZONE = 12 if SANITIZED else 60
TYPES = ["A", "AAAA", "NS", "SOA", "MX", "TXT", "DS", "CNAME", "SRV", "DNSKEY", "NSEC", "TYPE65280"]


def own_zones(folder):
    """Small zones with every construct, so that a clone alone suffices."""
    text = {
        "example.com.": """$TTL 300
@ SOA ns1 host 1 3600 600 86400 60
@ NS ns1
@ NS ns.sub
ns1 A 192.0.2.1
ns1 AAAA 2001:db8::1
@ MX 10 mail
mail A 192.0.2.2
www CNAME mail
chain CNAME www
gone CNAME nothing
out CNAME www.example.net.
*.wild A 192.0.2.3
*.wild TXT "wild"
host.wild A 192.0.2.33
sub.wild.x TXT "ent"
*.walias CNAME mail
sub NS ns.sub
sub NS ns.example.net.
ns.sub A 192.0.2.4
insecure NS ns.example.net.
d DNAME example.org.
deep.a.b.c TXT "x"
_sip._tcp SRV 1 2 5060 mail
@ CAA 0 issue "ca.example"
@ HTTPS 1 . alpn=h2
""" + "".join(f'many TXT "record {i} of a set that does not fit into one datagram of five hundred octets"\n' for i in range(40)),
        "sub.example.com.": "$TTL 300\n@ SOA ns host 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.4\nwww A 192.0.2.44\n",
        "example.org.": "$TTL 300\n@ SOA ns host 9 3600 600 86400 60\n@ NS ns\nns A 192.0.2.9\nt A 192.0.2.99\n* TXT \"any\"\n",
    }
    zones = {}
    for name, body in text.items():
        path = os.path.join(folder, name + "zone")
        with open(path, "w", encoding="ascii") as f:
            f.write(f"$ORIGIN {name}\n{body}")
        zones[name] = path
    return zones


def shared_zones(folder):
    zones = {}
    wanted = {"tld": 16, "root-2014": 1, "peers/opendnssec": 1, "corporate": 20, "peers/zonemaster": 20}
    with open(os.path.join(ZONES, "MANIFEST.tsv"), encoding="utf-8") as f:
        for row in csv.DictReader(f, delimiter="\t"):
            if row["peers"] != "BKNL" or row["origin"] in zones:
                continue
            # Zones of the peers' NSEC3 and wildcard tests are the awkward ones.
            if not row["folder"].startswith("peers/knot"):
                if wanted.get(row["folder"], 0) <= 0:
                    continue
                wanted[row["folder"]] -= 1
            path = os.path.join(ZONES, row["folder"], row["file"])
            if path.endswith(".gz"):
                plain = os.path.join(folder, row["folder"].replace("/", "_") + row["file"][:-3])
                with gzip.open(path) as g, open(plain, "wb") as p:
                    p.write(g.read())
                path = plain
            zones[row["origin"]] = path
    return zones


def questions(zones, rng):
    for origin, path in zones.items():
        try:
            zone = dns.zone.from_file(path, origin, relativize=False, check_origin=False, allow_include=True)
        except dns.exception.DNSException:
            continue  # not dnspython's zone; the peers load it
        names = sorted(zone.nodes)
        if len(names) > NAMES_PER_ZONE:
            names = [dns.name.from_text(origin)] + rng.sample(names, NAMES_PER_ZONE)
        for name in names:
            node = zone.nodes.get(name)
            types = set(rng.sample(TYPES, 3)) | {dns.rdatatype.to_text(s.rdtype) for s in (node.rdatasets if node else [])}
            types -= {"RRSIG", "NSEC3"}
            for qtype in sorted(types):
                yield name, qtype, rng.random() < 0.5
            for extra in ("nx-zz", "a.b-zz", "*"):
                try:
                    yield dns.name.from_text(extra, name), "A", True
                except dns.name.NameTooLong:
                    pass


def ask(server, name, qtype, do):
    q = dns.message.make_query(name, qtype, want_dnssec=do, use_edns=0 if do else None, payload=1232)
    q.flags &= ~dns.flags.RD
    for _ in range(3):
        try:
            return dns.query.udp(q, server.address, timeout=2, port=server.port, ignore_unexpected=True)
        except dns.exception.Timeout:
            continue
    return None


def sets(section):
    return frozenset((str(s.name).lower(), s.rdtype, s.covers, s.ttl, frozenset(r.to_digestable() for r in s)) for s in section)


def meaning(reply):
    if reply is None:
        return ("no answer",)
    flags = reply.flags & (dns.flags.AA | dns.flags.TC)
    if reply.flags & dns.flags.TC:
        return (reply.rcode(), bool(flags & dns.flags.TC))
    return (reply.rcode(), bool(flags & dns.flags.AA), sets(reply.answer), sets(reply.authority))


def excused(name, qtype, do, ours, theirs, zones):
    """Differences that an RFC allows. Returns its name, or None."""
    a, b = ours, theirs
    if a[0] == b[0] and len(a) == 4 and len(b) == 4:
        if a[:3] == b[:3]:
            if {s[1] for s in b[3]} - {s[1] for s in a[3]} == {dns.rdatatype.NS} or \
                    {s[1] for s in a[3]} - {s[1] for s in b[3]} == {dns.rdatatype.NS}:
                return "RFC 1034 6.2.1: NS of the zone in the authority section is optional"
            if do and {s[:3] for s in a[3]} >= {s[:3] for s in b[3]} or {s[:3] for s in b[3]} >= {s[:3] for s in a[3]}:
                return "RFC 4035 3.1.3, RFC 5155 7.2: a superset of the same proof"
        if qtype == "NSEC3" or qtype == "RRSIG":
            return "RFC 8482: questions for DNSSEC types may get one set"
    if len(a) == 2 or len(b) == 2:
        return "RFC 2181 9: TC depends on how much optional data was tried"
    if len(a) == 4 and len(b) == 4 and a[:2] == b[:2] and {zone_of(name, zones), zone_of(name.parent() if name != dns.name.root else name, zones)} & NO_TTL and \
            all({(s[0], s[1], s[4]) for s in x if s[1] != dns.rdatatype.RRSIG} ==
                {(s[0], s[1], s[4]) for s in y if s[1] != dns.rdatatype.RRSIG} for x, y in zip(a[2:], b[2:])):
        # The signatures of these test zones, which nobody could validate, are not compared either.
        return "RFC 1035 5.1: the file states no TTL; servers choose the SOA's MINIMUM or an hour"
    # The same aliases, ending outside the zone that was asked, and one server goes on in another of its zones (here: the root).
    if len(a) == 4 and len(b) == 4 and a[2] == b[2] and leaves_zone(name, a[2], zones):
        return "RFC 1034 4.3.2 step 3a: following an alias into another zone is optional"
    # CNAME or DNAME into another zone of the same server: how far it is followed is up to the server.
    if len(a) == 4 and len(b) == 4 and (a[2] > b[2] or b[2] > a[2]) and any(s[1] in (5, 39) for s in a[2] | b[2]):
        return "RFC 1034 4.3.2 step 3a: following an alias into another zone is optional"
    return None


NO_TTL = set()


def zone_of(name, zones):
    while True:
        if str(name).lower() in zones or name == dns.name.root:
            return str(name).lower()
        name = name.parent()


def leaves_zone(name, answer, zones):
    home = zone_of(name, zones)
    for owner, rdtype, _, _, records in answer:
        if rdtype in (dns.rdatatype.CNAME, dns.rdatatype.DNAME):
            target = dns.name.from_wire(next(iter(records)), 0)[0]
            if zone_of(target, zones) != home:
                return True
    return False


def run(tmp_path, zones):
    rng = random.Random(7)
    for origin, path in zones.items():
        with open(path, encoding="latin-1") as f:
            if not re.search(r"^\$TTL", f.read(), re.M | re.I):
                NO_TTL.add(origin)
    counts = collections.Counter()
    classes = collections.Counter()
    bad = []
    with Zonecast(str(tmp_path), zones) as ours, Knot(str(tmp_path), zones) as knot, Nsd(str(tmp_path), zones) as nsd, \
            Bind(str(tmp_path), zones) as bind:
        for name, qtype, do in questions(zones, rng):
            counts["questions"] += 1
            mine = meaning(ask(ours, name, qtype, do))
            peers = {s.name: meaning(ask(s, name, qtype, do)) for s in (knot, nsd, bind)}
            agree = [n for n, m in peers.items() if m == mine]
            if len(agree) >= 2:
                counts["agreed by two or more"] += 1
                continue
            reasons = [excused(name, qtype, do, mine, m, zones) for m in peers.values() if m != mine]
            if len(agree) + sum(r is not None for r in reasons) >= 2:
                counts["explained"] += 1
                for r in reasons:
                    if r:
                        classes[r] += 1
                continue
            bad.append((str(name), qtype, do, mine, peers))
    print(dict(counts), dict(classes), f"{len(bad)} unexplained")
    for b in bad[:4]:
        print("\n", b[0], b[1], "DO" if b[2] else "", "\n   ours", str(b[3])[:600])
        for n, m in b[4].items():
            print("  ", n, str(m)[:600])
    return counts, bad


@pytest.mark.asan
@pytest.mark.timeout(900)
def test_own_zones(tmp_path):
    assert have("knotd", "nsd", "named")
    counts, bad = run(tmp_path, own_zones(str(tmp_path)))
    assert counts["questions"] > 100
    assert not bad


@pytest.mark.timeout(1500)
@pytest.mark.skipif(not os.path.isdir(ZONES), reason="no shared zones beside the source tree")
def test_real_zones(tmp_path):
    counts, bad = run(tmp_path, shared_zones(str(tmp_path)))
    assert counts["questions"] > 3000
    assert not bad
