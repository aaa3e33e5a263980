# SPDX-License-Identifier: BSD-2-Clause
"""A primary that has thousands of zones for a hundred pops: what has changed is told before what only began to be served."""
import os
import signal
import socket
import subprocess

import dns.message
import dns.opcode
import pytest

from netns import Net, missing, stop_process, wait_until
from paths import ZONECAST

WHY = missing(ZONECAST)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
ZONES, POPS = 3000, 99  # 297,000 messages: two and a half minutes at the rate they are sent
ZONE = "$TTL 300\n@ SOA ns1 host {} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n"


def pop(i):
    return f"10.77.1.{i + 1}"


@pytest.fixture
def space(tmp_path):
    os.makedirs(tmp_path / "zones")
    for i in range(ZONES):
        (tmp_path / "zones" / f"z{i}.zone").write_text(ZONE.format(1), encoding="ascii")
    nodes = "".join(f"  - {{name: p{i}, role: pop, networks: [g], management: [{pop(i)}], workers: 1, bgp: {{router-id: {pop(i)}}}}}\n" for i in range(POPS))
    zones = "".join(f"  - {{name: z{i}.test, file: {tmp_path}/zones/z{i}.zone, network: g, watch: false}}\n" for i in range(ZONES))
    (tmp_path / "fleet.yaml").write_text(
        "fleet: t\nnetworks:\n  - {name: g, prefixes: [192.0.2.0/24], as: 64500, addresses: [192.0.2.53]}\n"
        f"nodes:\n  - {{name: hid, role: primary, management: [10.77.0.1], workers: 1}}\n{nodes}zones:\n{zones}", encoding="ascii")
    with Net() as net:
        ns = net.namespace("hid")
        ns.ip("addr", "add", "10.77.0.1/16", "dev", "lo")  # and with it the addresses of all pops
        yield ns


def test_changes_are_told_first(space, tmp_path):
    log = tmp_path / "log"
    run = ["--run-dir", str(tmp_path / "run")]
    with open(log, "wb") as out, space.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        listener.bind((pop(POPS - 1), 53))
        listener.settimeout(0.1)
        node = space.popen([ZONECAST, "run", "--config", str(tmp_path / "fleet.yaml"), "--node", "hid", *run, "--state-dir", str(tmp_path / "state")],
                           stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        told = {}

        def listen(what):
            try:
                message = dns.message.from_wire(listener.recv(4096))
            except TimeoutError:
                return None
            if message.opcode() == dns.opcode.NOTIFY and message.answer:
                told[message.question[0].name.to_text()] = message.answer[0][0].serial
            return what in told.items()

        try:
            wait_until(lambda: b"\nready\n" in b"\n" + log.read_bytes(), 60, lambda: log.read_text(encoding="latin-1")[-3000:])
            wait_until(lambda: listen(None) is not None and len(told) >= 5, 60, "the first zones are told")
            (tmp_path / "zones" / f"z{ZONES - 1}.zone").write_text(ZONE.format(2), encoding="ascii")
            subprocess.run([ZONECAST, "zone", "reload", f"z{ZONES - 1}.test", *run], check=True, timeout=60, capture_output=True)
            wait_until(lambda: listen((f"z{ZONES - 1}.test.", 2)), 40, lambda: f"the change; {len(told)} zones told")
            assert len(told) < ZONES - 100, "the others are told in their time"
        finally:
            stop_process(node, signal.SIGTERM, 20)
    assert " hangs " not in log.read_text(encoding="latin-1")
