# SPDX-License-Identifier: BSD-2-Clause
"""dnstap beside answers from the kernel: with all queries wanted the kernel answers none, also when dnstap is turned on by a reload; by AF_XDP they are seen with their addresses; with a
sample the kernel goes on, and the status says so."""
import os
import shutil
import subprocess
import tempfile

import dns.message
import pytest

from express import UNLIMITED, WWW, Client, heat, with_xdp
from fleet import SERVICE, Node
from netns import missing, wait_until
from paths import ZONECAST
from routers import Bird

WHY = missing(ZONECAST, "clang", "dnstap-read", *Bird.needs)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))

COUNT = 300


@pytest.fixture(name="place")
def _place():
    folder = tempfile.mkdtemp(prefix=f"zonecast-xtap-{os.getpid()}-")
    os.chmod(folder, 0o777)
    yield folder
    shutil.rmtree(folder)


def seen(path, port):
    """Queries from this port that are in the file, which is being written."""
    done = subprocess.run(["dnstap-read", path], capture_output=True, text=True, timeout=60, check=False)
    return sum(" AQ " in line and f":{port} " in line for line in done.stdout.splitlines())


def tapped(mode, more):
    change = with_xdp(mode, UNLIMITED)
    return lambda text: change(text) + more


@pytest.mark.parametrize("where", SERVICE)
def test_all_are_seen(site, tmp_path, place, where):
    path = os.path.join(place, "all.fstrm")
    query = dns.message.make_query(WWW, "A", id=7)
    with Node(site, tmp_path, change=with_xdp("native", UNLIMITED), last_pop="stay") as node, Client(site, where) as client:
        xdp = node.status()["xdp"]
        if xdp["rung"] == "sockets":
            pytest.skip(f"no XDP here: {xdp['why']}")
        heat(node, client, where, query)
        node.fleet(last_pop="stay", change=tapped("native", f"dnstap: {{file: {path}}}\n"))
        node.control("reload")
        wait_until(lambda: node.status()["dnstap"]["state"] == "open", 30, "dnstap open", interval=0.1)
        assert "not kept in the kernel" in node.status()["dnstap"]["note"]
        port = client.socket.getsockname()[1]
        before = seen(path, port)
        for _ in range(COUNT):
            client.ask(query)
        wait_until(lambda: seen(path, port) - before >= COUNT, 30, lambda: f"all seen: {seen(path, port) - before}, {node.status()['dnstap']}", interval=0.2)
        node.fleet(last_pop="stay", change=tapped("native", f"dnstap: {{file: {path}, sample: 50}}\n"))
        node.control("reload")
        heat(node, client, where, query)
        assert "is not seen" in node.status()["dnstap"]["note"]
    done = subprocess.run(["dnstap-read", "-y", path + ".1" if os.path.exists(path + ".1") else path], capture_output=True, text=True, timeout=60, check=False)
    text = done.stdout.replace('"', "")
    assert f"response_address: {where}" in text and "response_port: 53" in text and "www.example" in text
