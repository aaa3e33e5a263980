# SPDX-License-Identifier: BSD-2-Clause
"""Answers of signed zones are good for validators: all of them for ours (test/lib/validator.py), a sample for delv, which follows the keys down from a trust
anchor itself. ZONECAST_LONG=1 asks delv everything."""
import concurrent.futures
import os
import subprocess

import dns.flags
import dns.message
import dns.query
import dns.name
import dns.rdataset
import dns.rdatatype as T
import dns.zone
import pytest

import hard_zones
import oracle
from paths import SANITIZED, ZONES
from servers import Zonecast, have
from validator import Validator

FAMILIES = ["127.0.0.1", "::1"]
LONG = os.environ.get("ZONECAST_LONG") == "1"
DELV_MAX = 10 ** 9 if LONG else 20 if SANITIZED else 150
NAMES_MAX = None if LONG else 15 if SANITIZED else 25  # of each zone
DELV_AT_ONCE = 4
DELV_S = 60  # for one; it takes a twentieth of a second on a machine that is not busy
ROOT = os.path.join(ZONES, "root-2014", "root.zone")
REAL_NAMES = None if LONG else 60
NEGATIVE = ("ncache nxdomain", "ncache nxrrset")  # how delv ends after a denial


@pytest.fixture(scope="module", name="served")
def _served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("validation")
    zones = {**hard_zones.make(folder), **hard_zones.make_root(folder)}
    anchors = folder / "anchors"
    anchors.write_text(hard_zones.trust_anchors(zones))
    with Zonecast(str(folder), {o: z.path for o, z in zones.items()}) as node:
        yield node, zones, anchors


def ask(node, qname, qtype, where):
    query = dns.message.make_query(qname, qtype, want_dnssec=True, payload=1232)
    reply = dns.query.udp(query, where, timeout=20, port=node.port)
    return dns.query.tcp(query, where, timeout=20, port=node.port) if reply.flags & dns.flags.TC else reply


def questions(zones, origin, seed, names_max=None, thin=False):
    """(name, type) of one zone, each once: all names, those between, beside and below them; all types they have, and others."""
    asked = oracle.questions(oracle.records(zones[origin], origin), origin, oracle.rng_of(seed), names_max=names_max, thin=thin)
    return list(dict.fromkeys((q.name, T.from_text(q.qtype)) for q in asked if q.qclass == "IN"))


def validate(node, zones, asked, now=None):
    """Everything asked by one family and then the other; what is wrong."""
    v, faults = Validator(zones, now), []
    for origin in zones:
        wrong = v.learn(origin, ask(node, origin, "DNSKEY", FAMILIES[0]))
        assert wrong is None, (origin, wrong)
    for i, (qname, qtype) in enumerate(asked):
        if v.home(qname, qtype) not in v.keys or qtype in (T.AXFR, T.IXFR):
            continue
        reply = ask(node, qname, qtype, FAMILIES[i % 2])
        wrong = v.problem(reply, qname, qtype)
        if wrong:
            faults.append((str(qname), T.to_text(qtype), wrong))
    print(v.counts)
    assert not faults, f"{len(faults)} answers do not validate, e.g. {faults[:5]}"
    return v


@pytest.mark.asan
def test_every_answer_is_signed_and_proved(served):
    node, zones, _ = served
    paths = {o: z.path for o, z in zones.items()}
    asked = [q for o, z in zones.items() if z.signed for q in questions(paths, o, 11, names_max=NAMES_MAX, thin=not LONG)]
    v = validate(node, paths, asked)
    assert v.counts["answers"] > (500 if SANITIZED else 1000) and v.counts["signatures"] > 300


# ---- delv ----

def delv(node, anchors, root, qname, qtype, how):
    argv = ["delv", "@" + how[0], "-p", str(node.port), "-a", str(anchors), "+root=" + root, *how[1:], "-q", qname.to_text(), "-t", T.to_text(qtype)]
    p = subprocess.run(argv, capture_output=True, text=True, timeout=DELV_S, check=False)
    lines = (p.stdout + p.stderr).splitlines()
    said = {line[2:] for line in lines if line.startswith("; ") and line.endswith((" validated", "unsigned answer", "authoritative"))}
    failed = [line.split(": ", 1)[1] for line in lines if line.startswith(";; resolution failed: ")]
    return said, failed, "\n".join(lines)


def resolvable(reply, qname, qtype):
    """Not by delv as it runs here, which takes the server for a resolver: what is delegated away, loops, and RRSIG."""
    if qtype in (T.RRSIG, T.ANY) or reply.rcode() == 6 or qname.labels[0] == b"\0":
        return False
    soa = any(s.rdtype == T.SOA for s in reply.authority)
    if soa:
        return True
    name = qname
    for _ in range(20):
        if reply.get_rrset(reply.answer, name, 1, qtype):
            return True
        cname = reply.get_rrset(reply.answer, name, 1, T.CNAME)
        if not cname:
            return False
        name = cname[0].target
    return False


def delv_problem(node, anchors, origin, qname, qtype, i):
    """None: not a question for delv; "" when it validates; else what it says."""
    reply = ask(node, qname, qtype, FAMILIES[i % 2])
    if not resolvable(reply, qname, qtype):
        return None
    said, failed, text = delv(node, anchors, origin, qname, qtype, [FAMILIES[i % 2], *(["+tcp"] if i % 3 == 0 else [])])
    good = {"fully validated", "negative response, fully validated"}
    last = max((s for s in reply.answer + reply.authority if s.rdtype != T.RRSIG), key=lambda s: s.rdtype in (T.SOA, qtype)).name
    if "optout" in origin or not last.is_subdomain(dns.name.from_text(origin)):
        # What opt-out covers is insecure, and so is where an alias leads that no anchor is for.
        good |= {"unsigned answer", "negative response, unsigned answer", "authoritative"}
    if any(f not in NEGATIVE for f in failed) or not said or not said <= good:
        return f"delv: {qname} {T.to_text(qtype)} under {origin}:\n{text}"
    return ""


@pytest.mark.asan
@pytest.mark.timeout(3600 if LONG else 600)
def test_delv_validates(served):
    assert have("delv")
    node, zones, anchors = served
    rng = oracle.rng_of(5)
    work = []
    for origin, zone in zones.items():
        if zone.signed:
            root = origin[len("child."):] if origin.startswith("child.") else origin
            work += [(root, q) for q in questions({origin: zone.path}, origin, 13, thin=not LONG) if q[0].is_subdomain(dns.name.from_text(root))]
    work = rng.sample(work, min(len(work), DELV_MAX))
    with concurrent.futures.ThreadPoolExecutor(DELV_AT_ONCE) as pool:
        done = list(pool.map(lambda n: delv_problem(node, anchors, n[1][0], *n[1][1], n[0]), enumerate(work)))
    asked = [d for d in done if d is not None]
    faults = [d for d in asked if d]
    print(f"{len(work)} questions, {len(asked)} of them for delv, {len(faults)} not validated")
    assert not faults, "\n\n".join(faults[:3])
    assert len(asked) > len(work) / 2


# ---- the real root ----

@pytest.mark.skipif(not os.path.exists(ROOT), reason="no shared zones beside the source tree")
def test_the_real_root_zone(tmp_path):
    """Its signatures have expired: validated as of the day it was signed. The generated root zone above stands for it elsewhere."""
    zones = {".": ROOT}
    with Zonecast(str(tmp_path), zones) as node:
        reply = ask(node, ".", "SOA", FAMILIES[0])
        now = max(r.inception for s in reply.answer if s.rdtype == T.RRSIG for r in s) + 3600
        asked = questions(zones, ".", 17, names_max=REAL_NAMES, thin=not LONG)
        v = validate(node, zones, asked, now)
        assert v.counts["answers"] > 300


def test_faults_are_found(tmp_path):
    """The judges judge: an altered address, a missing signature, a missing link of the NSEC chain, in a zone that is right otherwise."""
    zones = hard_zones.make(tmp_path)
    zone = zones["two.test."]
    anchors = tmp_path / "anchors"
    anchors.write_text(hard_zones.trust_anchors(zones))
    z = dns.zone.from_file(zone.path, origin=zone.origin, relativize=False, check_origin=False)

    def name(first):
        return dns.name.from_text(f"{first}.{zone.origin}")
    z.replace_rdataset(name("mail"), dns.rdataset.from_text("IN", "A", 300, "192.0.2.200"))
    sigs = z.get_rdataset(name("multi"), "RRSIG", "TXT")
    sigs.remove(next(s for s in sigs if s.algorithm == 8))
    z.delete_rdataset(name("multi"), "NSEC")
    z.delete_rdataset(name("multi"), "RRSIG", "NSEC")
    z.to_file(str(tmp_path / "broken"), relativize=False)
    v = Validator([zone.origin])
    with Zonecast(str(tmp_path), {zone.origin: str(tmp_path / "broken")}) as node:
        assert v.learn(zone.origin, ask(node, zone.origin, "DNSKEY", FAMILIES[1])) is None

        def both(qname, qtype):
            said, failed, _ = delv(node, anchors, zone.origin, qname, T.from_text(qtype), FAMILIES[:1])
            return v.problem(ask(node, qname, qtype, FAMILIES[1]), qname, T.from_text(qtype)), bool(said) and not failed
        # A resolver is content with the signature of one algorithm.
        for first, qtype, ours, theirs in (("mail", "A", "signature over", False), ("mail", "AAAA", None, True), ("multi", "TXT", "by every algorithm", True),
                                           ("multi", "CAA", "no NSEC", False), ("multi-", "A", "no NSEC", False)):
            wrong, validated = both(name(first), qtype)
            assert (ours in wrong if ours else wrong is None) and validated == theirs, (first, qtype, wrong, validated)
