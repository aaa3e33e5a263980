# SPDX-License-Identifier: BSD-2-Clause
"""Very many connections at once: nobody who asks notices, and memory stays within the configured figure."""
import json
import os
import re
import subprocess
import sys

import pytest

from netns import missing, wait_until
from streamnode import FAMILIES, V4, V6, StreamNode, query, receive, send

IDLE, SLOW = 10000, 1000
MEMORY = 16 << 20
CROWD = os.path.join(os.path.dirname(os.path.abspath(sys.modules["streamnode"].__file__)), "crowd.py")

pytestmark = pytest.mark.skipif(bool(missing("dnsperf")), reason=missing("dnsperf") or "")


def dnsperf(node, tmp_path, where):
    """Lost queries, mean and largest latency in ms at a moderate rate over UDP."""
    (tmp_path / "queries").write_text("www.example. A\nns1.example. AAAA\n")
    out = node.ns.run(["dnsperf", "-s", where, "-d", str(tmp_path / "queries"), "-l", "3", "-Q", "2000", "-c", "8", "-t", "2"], timeout=60)
    lost = int(re.search(r"Queries lost:\s+(\d+)", out).group(1))
    sent = int(re.search(r"Queries sent:\s+(\d+)", out).group(1))
    mean, most = (float(x) * 1000 for x in re.search(r"Average Latency \(s\):\s+([\d.]+) \(min [\d.]+, max ([\d.]+)\)", out).groups())
    assert sent > 1000, out
    return lost, mean, most


class Crowd:
    def __init__(self, node, port, idle, slow, *more):
        self.process = node.ns.popen([sys.executable, CROWD, V4, V6, str(port), str(idle), str(slow), *more], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
        self.first = json.loads(self.process.stdout.readline())

    def state(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


def test_ten_thousand_silent_and_a_thousand_slow_connections(tmp_path):
    with StreamNode(tmp_path, f"tcp: {{idle: 25s, connections: 40000, memory: {MEMORY >> 20}MiB}}", workers=2) as node:
        node.udp(V4, query())
        before, base = [dnsperf(node, tmp_path, w) for w in FAMILIES], node.memory()
        pids = node.pids()
        with Crowd(node, 53, IDLE, SLOW) as crowd:
            assert crowd.first["connected"] == IDLE + SLOW
            during = [dnsperf(node, tmp_path, w) for w in FAMILIES]
            counters, grown = node.counters(), node.memory() - base
            print(f"before {before}, during {during}, {crowd.first}")
            print(f"workers grown by {grown} octets for {counters['tcp_open']} connections, they count {counters['tcp_memory']}")
            assert counters["tcp_open"] >= IDLE + SLOW
            assert counters["tcp_memory"] <= MEMORY and grown < MEMORY
            assert grown / counters["tcp_open"] < 400  # cells, half queries of the slow ones, page rounding
            for (lost, mean, _), (lost_before, mean_before, _) in zip(during, before):
                assert lost <= lost_before and mean < 3 * mean_before + 2
            for where in FAMILIES:
                with node.tcp(where) as s:
                    send(s, query())
                    assert receive(s).rcode() == 0
            wait_until(lambda: crowd.state()["open"] == 0, 90, "all have been idle too long, also the slow ones", 0.2)
        counters = node.counters()
        assert counters["tcp_closed_idle"] >= IDLE and counters["tcp_closed_slow"] >= SLOW
        assert counters["tcp_closed_limit"] == counters["tcp_closed_memory"] == 0
        wait_until(lambda: node.memory() - base < 2 << 20, 10, lambda: f"memory is given back: {node.memory() - base}")
        assert node.pids() == pids


def test_a_crowd_that_is_larger_than_the_limit(tmp_path):
    """Silent connections push out each other, not those that ask."""
    with StreamNode(tmp_path, "tcp: {idle: 1h, connections: 1000}", workers=1) as node:
        good = [node.tcp(w, source=a) for w, a in zip(FAMILIES, ("10.8.8.8", "2001:db8:8888::1"))]
        for s in good:
            send(s, query())
            assert receive(s).rcode() == 0
        with Crowd(node, 53, 5000, 0) as crowd:
            wait_until(lambda: crowd.state()["ended"] >= 4000, 60, "the first ones are closed")
            for s in good:
                send(s, query())
                assert receive(s).rcode() == 0
            for where in FAMILIES:
                with node.tcp(where) as s:
                    send(s, query())
                    assert receive(s).rcode() == 0
            counters = node.counters()
            assert counters["tcp_open"] <= 1000 and counters["tcp_closed_limit"] >= 4000
