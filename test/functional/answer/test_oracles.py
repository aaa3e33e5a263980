# SPDX-License-Identifier: BSD-2-Clause
"""The same question to zonecast, Knot, NSD and BIND must get the same meaning; test/differential is the long form of this."""
import csv
import os

import pytest

import hard_zones
import oracle
from paths import SANITIZED, ZONES
from servers import have

NAMES = 6 if SANITIZED else 60


def judged(report, least):
    print(report)
    assert not report.findings, report.show(4)
    assert report.counts["questions"] >= least


@pytest.mark.asan
@pytest.mark.timeout(900)
def test_hard_zones(tmp_path):
    """Every name of generated zones with every construct, signed in each way, each question in one of the modes."""
    assert have("knotd", "nsd", "named")
    rng, report = oracle.rng_of(7), oracle.Report()
    zones = {o: (z.path, z.signed) for o, z in hard_zones.make(tmp_path).items()}
    oracle.compare_zones(str(tmp_path), zones, lambda r, o: oracle.questions(r, o, rng, names_max=NAMES if SANITIZED else None, thin=True), report)
    assert report.counts["zones"] == len(zones)
    judged(report, 1000 if SANITIZED else 15000)


@pytest.mark.timeout(900)
@pytest.mark.skipif(not os.path.isdir(ZONES), reason="no shared zones beside the source tree")
def test_real_zones(tmp_path):
    rng, report = oracle.rng_of(7), oracle.Report()
    left = {"tld": 16, "root-2014": 1, "peers/opendnssec": 1, "corporate": 20, "peers/zonemaster": 40, "peers/knot": 200}
    zones = {}
    with open(os.path.join(ZONES, "MANIFEST.tsv"), encoding="utf-8") as f:
        for row in csv.DictReader(f, delimiter="\t"):
            if row["peers"] == "BKNL" and row["origin"] not in zones and not row["file"].endswith(".gz") and left.get(row["folder"], 0):
                left[row["folder"]] -= 1
                zones[row["origin"]] = (os.path.join(ZONES, row["folder"], row["file"]), False)
    oracle.compare_zones(str(tmp_path), zones, lambda r, o: oracle.questions(r, o, rng, names_max=NAMES, thin=True), report)
    assert report.counts["zones"] > 100
    judged(report, 10000)
