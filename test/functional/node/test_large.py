"""A zone of a million delegations: loads, answers, and answers again at once after the whole node was killed and started anew."""
import os
import signal
import socket
import subprocess
import sys
import time

import dns.message
import pytest

from paths import TOP, ZONECAST, ZONES, program
from servers import Zonecast

DELEGATIONS = 1000000
RESTART_S = 0.3  # the aim is 0.1, seen on an idle machine; a busy one must not fail


@pytest.fixture(scope="module")
def zone(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "tld.zone"
    with open(path, "wb") as f:
        subprocess.run([sys.executable, os.path.join(TOP, "test", "lib", "make_zones.py"), "tld", str(DELEGATIONS), "--origin", "tld."], stdout=f,
                       check=True)
    return path


def last_owner(path):
    with open(path, "rb") as f:
        f.seek(-200, os.SEEK_END)
        return f.read().splitlines()[-1].split()[0].decode().split(".")[-1] + ".tld."


def first_answer_s(server, name):
    """From the start of the process to a referral for the name, asked every 2 ms."""
    wire = dns.message.make_query(name, "A").to_wire()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.002)
    s.connect((server.address, server.port))
    began = time.monotonic()
    server.start()
    while time.monotonic() - began < 30:
        try:
            s.send(wire)
            reply = dns.message.from_wire(s.recv(4096))
        except (socket.timeout, ConnectionRefusedError):
            continue
        if reply.rcode() == 0 and reply.authority:
            s.close()
            return time.monotonic() - began
    raise AssertionError("never answered")


def test_a_million_delegations(zone, tmp_path):
    name = last_owner(zone)
    with Zonecast(str(tmp_path), {"tld.": str(zone)}) as node:
        restarts = []
        for _ in range(3):
            os.kill(node.pids()[("supervisor", 0)], signal.SIGKILL)
            node.process.wait(10)
            open(node.path("log"), "w").close()
            restarts.append(first_answer_s(node, name))
            deadline = time.monotonic() + 30
            while not node.ready():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert "fresh=0" in node.log()
        print("restart to first answer, ms:", [round(r * 1000) for r in restarts])
        # The best of three: the machine may be busy with something else, and a slow design would be slow three times.
        assert min(restarts) < RESTART_S


@pytest.mark.skipif(not os.path.isdir(ZONES), reason="no shared zones beside the source tree")
def test_zone_show_of_real_zones(tmp_path):
    """What a running node prints is what the file says, record for record."""
    folder = os.path.join(ZONES, "tld")
    zones = {f[:-5] + ".": os.path.join(folder, f) for f in os.listdir(folder) if f.endswith(".zone")}
    with Zonecast(str(tmp_path), zones) as node:
        for origin, path in zones.items():
            shown = subprocess.run([ZONECAST, "zone", "show", origin, "--run-dir", node.path("run")], capture_output=True, check=True).stdout
            file = subprocess.run([program("zonedump"), path, origin], capture_output=True, check=True).stdout
            assert sorted(shown.splitlines()) == sorted(file.splitlines()), origin
