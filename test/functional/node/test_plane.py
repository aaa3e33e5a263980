# SPDX-License-Identifier: BSD-2-Clause
"""Management goes on while the service addresses are flooded: DNS at the management addresses, HTTP and the control socket, over both families."""
import os

import pytest

from netns import missing, within
from plane import BLAST, SERVICE, Plane, percentiles

NEEDED = missing(BLAST)
pytestmark = pytest.mark.skipif(bool(NEEDED), reason=NEEDED or "")
COUNT = 25
P50_MS = 100


@pytest.fixture(name="plane", scope="module")
def _plane(tmp_path_factory):
    with Plane(tmp_path_factory.mktemp("plane")) as plane:
        yield plane


@pytest.mark.parametrize("family", SERVICE)
def test_management_beside_a_flood(plane, family):
    """Nothing is lost, and half of it takes no longer than a moment, however busy this machine is."""
    before = plane.answered()
    with plane.flood(SERVICE[family], seconds=120, clients=32) as flood:
        for name, way, where in plane.ways():
            def measured(way=way, where=where, name=name):
                times, lost = percentiles(plane.measure(way, where, COUNT))
                print(f"{name}: {times} ms, {lost} lost, load {os.getloadavg()[0]:.1f}")
                return times[0], lost

            within((P50_MS, 1), measured)
        assert flood.poll() is None, "the flood was over too early"
    assert plane.answered() - before > 5000
