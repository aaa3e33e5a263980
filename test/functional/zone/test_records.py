# SPDX-License-Identifier: BSD-2-Clause
"""What zonecast reads from a zone file, record for record against what BIND and ldns read from it, and its verdict against those of BIND, Knot
and NSD as the collection's lists tell them.

Three ways to the same set of records, none through our own reader: our print, named-compilezone's output and ldns-read-zone's (kzonecheck and
nsd-checkzone print nothing). Each line becomes (owner, ttl, type, RDATA in wire form) by dnspython, which shares nothing with any of the three;
what dnspython cannot read is compared as text."""
import collections
import csv
import gzip
import os
import pathlib
import re
import shutil
import subprocess

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest

from paths import BUILD, SHARED

ZONEDUMP = os.path.join(BUILD, "test", "lib", "zonedump")
DATA = pathlib.Path(SHARED) / "data"
BIND = shutil.which("named-compilezone")
LDNS = shutil.which("ldns-read-zone")

# Checks of the zone as a whole are switched off, so that what is left is what BIND reads.
BIND_OPTIONS = ["-i", "none", "-k", "ignore", "-m", "ignore", "-n", "ignore", "-M", "ignore", "-S", "ignore", "-T", "ignore", "-q",
                "-f", "text", "-F", "text", "-s", "full", "-o", "-"]

# Zones that some server loads and zonecast refuses, and what it must say. One that is accepted, or refused for another reason, fails.
REFUSED = {
    # RFC 1034 4.2.1: only NSD loads a zone without NS at its apex.
    "zones/peers/knot/com.zone": "has no NS record at its apex",
    "zones/peers/knot/19/example.zone": "has no NS record at its apex",
    "zones/peers/knot/20/example.zone": "has no NS record at its apex",
    "zones/peers/knot/21/example.zone": "has no NS record at its apex",
    "zones/peers/knot/61/example.com.zone": "has no NS record at its apex",
    # Only Knot loads it: it splits longer strings without a word.
    "zones/peers/knot/2/example.zone": "a character-string holds at most 255 octets",
    # Only NSD loads a zone with DS records whose digests are shorter or longer than their algorithm's.
    "zones/peers/zonemaster/dnssec01.xa.zone": "a digest of type 1 has 20 octets, not 32",
    # Only Knot loads it, with one of two SOA records.
    "zones/peers/knot/85/example.com.zone": "2 different SOA records",
}

# {zone: (peers, reason)} where records differ.
DIFFERENT = {
    "zones-awkward/bind-all-types/example.zone":
        ("B", "ATMA and RKEY, which dnspython cannot read, are compared as text: BIND writes hex in small letters and base64 with blanks"),
    "zones/peers/knot/records.zone": ("BL", "of records that differ in case only, BIND keeps the last, we the first, ldns all; a blank that ldns prints bare"),
    "zones-awkward/nsd/blaat.nl.zone": ("L", "a quote inside a word begins a field of its own for BIND and us; ldns keeps it in the string"),
    "zones-awkward/bind-unknown/example.zone": ("L", "TXT \\# text: ldns drops the data"),
}


def cases():
    found = []
    try:
        with open(DATA / "zones" / "MANIFEST.tsv", encoding="utf-8") as f:
            for row in csv.DictReader(f, delimiter="\t"):
                name = f"zones/{row['folder']}/{row['file']}"
                # ldns-read-zone reads lines and judges no zone: it has no vote.
                found.append((name, row["origin"], bool(row["peers"].strip("-L"))))
    except OSError:
        return []
    loads = {}
    for line in (DATA / "zones-awkward" / "README.md").read_text().splitlines():
        cell = [c.strip() for c in line.split("|")]
        if len(cell) > 6 and cell[1].endswith(".zone"):
            loads[cell[1]] = cell[5] != "none"
    for path in sorted((DATA / "zones-awkward").glob("*/*.zone")):
        name = f"{path.parent.name}/{path.name}"
        found.append(("zones-awkward/" + name, "." if path.stem == "root" else path.stem + ".", loads[name]))
    return found


CASES = cases()


def records(text):
    out = []
    for line in text.splitlines():
        if not line.strip() or line.startswith(";"):
            continue
        owner, ttl, rclass, kind, data = (re.split(r"[ \t]+", line.strip(), maxsplit=4) + [""])[:5]
        assert rclass == "IN", line
        # The keys that dnspython does not know by name.
        data = re.sub(r"\bdohpath=", "key7=", re.sub(r"\bohttp\b", "key8", data)) if kind in ("SVCB", "HTTPS") else data
        try:
            rdtype = dns.rdatatype.from_text(kind)
            wire = dns.rdata.from_text(dns.rdataclass.IN, rdtype, data, origin=dns.name.root, relativize=False).to_wire()
            kind = int(rdtype)
        except Exception:  # not for dnspython
            wire = re.sub(r"\s+", "" if kind in ("DS", "CDS", "ZONEMD") else " ", data).strip()
            wire = wire.upper() if kind in ("DS", "CDS", "ZONEMD") else wire  # hexadecimal
        try:
            owner = dns.name.from_text(owner).to_wire().lower()
        except Exception:
            owner = owner.lower()
        out.append((owner, int(ttl), kind, wire))
    return collections.Counter(out)


def run(*argv, **kw):
    return subprocess.run(argv, capture_output=True, text=True, errors="surrogateescape", timeout=120, check=False, **kw)


def differences(mine, theirs):
    return f"only ours: {list(mine - theirs)[:4]}\nonly theirs: {list(theirs - mine)[:4]}"


def against_bind(name, path, origin, mine):
    q = run(BIND, *BIND_OPTIONS, origin, path.name, cwd=path.parent)
    if q.returncode:
        return
    theirs = records(q.stdout)
    assert "B" not in DIFFERENT.get(name, "  ")[0] or mine != theirs, "no difference any more: take it off the list"
    assert mine == theirs or "B" in DIFFERENT.get(name, "  ")[0], differences(mine, theirs)


def against_ldns(name, path, origin, mine, tmp_path):
    """ldns knows no origin but the file's own, takes an hour where no TTL is stated, completes a relative $ORIGIN with the root, and keeps
    duplicates and what is outside the zone."""
    text = path.read_bytes()
    if re.search(rb"^\$ORIGIN[ \t]+\S*[^.\s][ \t\r]*(;.*)?$", text, re.M):
        return
    (tmp_path / "ldns").write_bytes(b"$ORIGIN " + origin.encode() + b"\n" + text)
    q = run(LDNS, tmp_path / "ldns")
    if q.returncode:
        return
    apex = dns.name.from_text(origin)
    with_ttl = re.search(rb"^\$TTL[ \t]+0*[1-9]", text, re.M) is not None  # it takes $TTL 0 for none
    strip = lambda counted: {r if with_ttl else (r[0], r[2], r[3]) for r in counted}
    inside = {r: 1 for r in records(q.stdout) if isinstance(r[0], str) or dns.name.from_wire(r[0], 0)[0].is_subdomain(apex)}
    mine, theirs = strip(mine), strip(inside)
    # What dnspython knows by number only is printed by name on one side.
    for known in ("NID", "L32", "L64", "LP"):
        number = dns.rdatatype.from_text(f"TYPE{ {'NID': 104, 'L32': 105, 'L64': 106, 'LP': 107}[known] }")
        mine = {r for r in mine if r[-2] not in (known, int(number))}
        theirs = {r for r in theirs if r[-2] not in (known, int(number))}
    assert mine == theirs or "L" in DIFFERENT.get(name, "  ")[0], differences(mine, theirs)


def test_lists_name_zones_that_are_there():
    if not CASES:
        pytest.skip(f"no collection of zones in {DATA}")
    assert len(CASES) > 500
    assert {c[0] for c in CASES} >= set(REFUSED) | set(DIFFERENT)


@pytest.mark.parametrize("name,origin,loads", CASES, ids=[c[0] for c in CASES])
def test_zone(name, origin, loads, tmp_path):
    path = DATA / name
    if path.suffix == ".gz":
        plain = tmp_path / path.stem
        plain.write_bytes(gzip.decompress(path.read_bytes()))
        path = plain
    p = run(ZONEDUMP, path, origin)
    assert p.returncode in (0, 1), f"exit {p.returncode}: {p.stderr[-500:]}"
    if name in REFUSED:
        assert p.returncode == 1 and REFUSED[name] in p.stderr, p.stderr
    else:
        assert (p.returncode == 0) == loads, f"servers {'load' if loads else 'refuse'} it\n{p.stderr[-1500:]}"
    if p.returncode:
        assert re.search(r"\.zone(:\d+(:\d+)?)?: error: ", p.stderr), p.stderr
        assert not p.stdout
        return
    mine = records(p.stdout)
    assert mine and max(mine.values()) == 1
    if BIND:
        against_bind(name, path, origin, mine)
    if LDNS:
        against_ldns(name, path, origin, mine, tmp_path)
    # What we print, we read, and print again octet for octet.
    again = tmp_path / "again.zone"
    again.write_text(p.stdout, errors="surrogateescape")
    assert run(ZONEDUMP, again, origin).stdout == p.stdout
