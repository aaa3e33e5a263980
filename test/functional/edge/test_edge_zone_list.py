# SPDX-License-Identifier: BSD-2-Clause
"""The list of zones that backends answer for, taken by somebody who is slow, across a reload."""
import json
import os
import socket

import pytest

from edge import Edge
from netns import missing
from paths import ZONECAST

WHY = missing(ZONECAST)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
ZONES = 6000
# Comes before the network that the zones are of, which has another number then.
OTHER = "  - {name: other, prefixes: [198.51.100.0/24], addresses: [198.51.100.53], as: 64500}\n"


@pytest.mark.asan
@pytest.mark.timeout(120)
def test_list_across_a_reload(tmp_path):
    os.chmod(tmp_path, 0o755)
    names = [f"{'n' * 60}.{'n' * 60}.{'n' * 60}.z{i}." for i in range(ZONES)]
    with Edge(tmp_path, {}, [], start=False) as edge:
        behind = edge.fake()
        edge.begin([behind], names=names, check="interval: 1h")
        admin = edge.pids()["admin", 0]
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(30)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(edge.path("run", "control.sock"))
            s.sendall(b'{"command": "zone-list"}\n')
            first = s.recv(1)
            with open(edge.path("fleet.yaml"), "r+", encoding="utf-8") as f:
                text = f.read().replace("networks:\n", "networks:\n" + OTHER, 1)
                f.seek(0)
                f.write(text)
            edge.command("reload")
            octets = first + s.makefile("rb").read()
        listed = json.loads(octets)
        assert [z["name"] for z in listed["zones"]] == names
        assert len(octets) > 1 << 20
        assert edge.pids()["admin", 0] == admin
