# SPDX-License-Identifier: BSD-2-Clause
"""Through zonecast, from it or from its cache, must come what the server behind it says."""
import pytest

import front
import hard_zones
import oracle
from paths import SANITIZED
from servers import Bind, Knot, Pdns, need

KINDS = {"knot": (Knot, "knotd"), "bind": (Bind, "named"), "pdns": (Pdns, "pdns_server")}


@pytest.mark.asan
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", KINDS)
def test_hard_zones(tmp_path, kind):
    """Names of generated zones with every construct, signed in each way; asked twice, each question in one of the modes."""
    need(KINDS[kind][1])
    rng, report = oracle.rng_of(8), oracle.Report()
    zones = {o: (z.path, z.signed) for o, z in hard_zones.make(tmp_path).items()}
    front.compare(str(tmp_path), KINDS[kind][0], zones, lambda r, o: oracle.questions(r, o, rng, names_max=3 if SANITIZED else 25, thin=True), report)
    print(report)
    assert not report.findings, report.show(6)
    assert report.counts["questions"] >= (500 if SANITIZED else 5000) and report.counts["zones"] >= 5
