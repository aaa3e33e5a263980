# SPDX-License-Identifier: BSD-2-Clause
"""Workers that take long to begin, since there is much to prepare and others want the CPUs, are not taken for ones that hang."""
import os
import subprocess
import sys

import pytest

from netns import missing, stop_process
from paths import ZONECAST
from streamnode import StreamNode

WHY = missing(ZONECAST)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))


def test_workers_begin_on_a_busy_machine(tmp_path):
    """The table of a cache of 256 MiB is 32 MiB, which each worker clears before it comes to its loop."""
    os.chmod(tmp_path, 0o755)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        with StreamNode(tmp_path, "cache: 256MiB", workers=2) as node:
            # StreamNode looks for ends and hangs when the node stops.
            assert node.log().count(" ready ") == 1
    finally:
        for p in busy:
            stop_process(p)
