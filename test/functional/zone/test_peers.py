"""Every real zone beside the source tree: what the peers load is loaded and is, read by us again, octet for octet what named-compilezone prints; what
they refuse is refused with a place. test_records.py compares with BIND and ldns without our own reader (kzonecheck 3.2 cannot print a zone)."""
import csv
import gzip
import os
import re
import subprocess

import pytest

from paths import SHARED, ZONES, program

# Where the peers are divided, and what we do. (folder, file): reason.
DIVIDED = {
    ("peers/knot", "com.zone"): "no NS at the apex: BIND and Knot refuse it, so do we",
    ("peers/knot/19", "example.zone"): "no NS at the apex",
    ("peers/knot/20", "example.zone"): "no NS at the apex",
    ("peers/knot/21", "example.zone"): "no NS at the apex",
    ("peers/knot/61", "example.com.zone"): "no NS at the apex",
    ("peers/knot/2", "example.zone"): "character-strings over 255 octets: only Knot takes them",
    ("peers/zonemaster", "dnssec01.xa.zone"): "DS digests of a wrong length: BIND and Knot refuse it, so do we",
    ("peers/knot/85", "example.com.zone"): "two SOA records: BIND and NSD refuse it, so do we",
}
# Records that two servers may each keep in their own way.
SAME_BUT_CASE = {("peers/knot", "records.zone"): "of duplicates that differ in case, BIND keeps the last and we the first"}


def rows():
    try:
        with open(os.path.join(ZONES, "MANIFEST.tsv"), encoding="utf-8") as f:
            return list(csv.DictReader(f, delimiter="\t"))
    except OSError:
        return []


def dump(path, origin):
    return subprocess.run([program("zonedump"), path, origin], capture_output=True, check=False)


def own_form(text, origin, tmp_path, who):
    path = tmp_path / who
    path.write_bytes(text)
    p = dump(str(path), origin)
    assert p.returncode == 0, p.stderr
    return p.stdout


@pytest.mark.asan
@pytest.mark.skipif(not rows(), reason="no shared zones beside the source tree")
def test_every_zone(tmp_path):
    loaded = refused = 0
    wrong = []
    for row in rows():
        key = (row["folder"], row["file"])
        origin = row["origin"]
        path = os.path.join(ZONES, *key)
        if path.endswith(".gz"):
            with gzip.open(path) as f:
                (tmp_path / "plain").write_bytes(f.read())
            path = str(tmp_path / "plain")
        ours = dump(path, origin)
        peers_load = row["peers"].strip("-") != ""
        if key in DIVIDED:
            assert ours.returncode == 1
            continue
        if ours.returncode:
            refused += 1
            if peers_load or not re.search(rb"^[^\n]+(:\d+)?: error: ", ours.stderr, re.M):
                wrong.append((key, ours.stderr[:300]))
            continue
        loaded += 1
        if not peers_load:
            wrong.append((key, "loaded, but no peer loads it"))
        named = subprocess.run(["named-compilezone", "-i", "none", "-k", "ignore", "-m", "ignore", "-n", "ignore", "-M", "ignore", "-S", "ignore",
                                "-s", "full", "-o", "-", origin, path], capture_output=True, check=False)
        if named.returncode == 0:
            theirs = own_form(named.stdout, origin, tmp_path, "named")
            if theirs != ours.stdout and not (key in SAME_BUT_CASE and theirs.lower() == ours.stdout.lower()):
                wrong.append((key, "BIND", set(ours.stdout.splitlines()) ^ set(theirs.splitlines())))
    print(f"{loaded} loaded, {refused} refused, {len(DIVIDED)} where the peers are divided")
    assert not wrong, wrong[:5]
    assert loaded > 400


@pytest.mark.asan
@pytest.mark.skipif(not os.path.isdir(os.path.join(SHARED, "data", "corpus")), reason="no shared corpus beside the source tree")
def test_hostile_files_are_refused_in_peace():
    base = os.path.join(SHARED, "data", "corpus", "zonefiles")
    for folder, _, files in os.walk(base):
        for name in files:
            p = subprocess.run([program("zonedump"), os.path.join(folder, name), "example."], capture_output=True, timeout=60, check=False)
            assert p.returncode in (0, 1), (folder, name, p.stderr[-500:])
