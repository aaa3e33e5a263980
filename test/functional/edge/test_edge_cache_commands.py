# SPDX-License-Identifier: BSD-2-Clause
"""The cache of backends' answers, from outside: shared by the workers, outliving them, looked into, purged, made anew in another size."""
import json
import os
import signal
import subprocess

import pytest

from edge import Edge
from netns import missing, wait_until
from paths import ZONECAST
from servers import Knot, Zonecast

WHY = missing(ZONECAST, "knotd")
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
TEXT = "$TTL 3600\n@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.1\na.www A 192.0.2.2\nother A 192.0.2.3\n"
WAIT_S = 40
MIB = 1 << 20


def zone_file(folder, text=TEXT):
    path = os.path.join(str(folder), "example.zone")
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return {"example.": path}


def figures(edge):
    return json.loads(edge.command("cache", "status", "--json"))


def show(edge, *args):
    return json.loads(edge.command("cache", "show", *args, "--json"))["entries"]


def address(edge, name, where="v4"):
    """None: no answer, or none with data."""
    reply = edge.ask(name, "A", where)
    return reply.answer[0][0].address if reply is not None and reply.answer else None


def fill(edge, names=("www", "a.www", "other")):
    """Ask for names until each is in the cache: an answer is not kept where another worker is just writing."""
    for name in names:
        wait_until(lambda n=name: address(edge, f"{n}.example.") and show(edge, f"{n}.example."), WAIT_S, lambda n=name: f"{n}: {figures(edge)}")


@pytest.mark.asan
@pytest.mark.timeout(300)
def test_cache_commands(tmp_path):
    os.chmod(tmp_path, 0o755)
    with Edge(tmp_path, zone_file(tmp_path), [Knot], workers=2) as edge:
        before = figures(edge)
        assert before["size"] == 256 * MIB and before["entries_max"] > 2_000_000
        assert "room for" in edge.command("cache", "status")
        fill(edge)
        now = figures(edge)
        assert now["entries"] >= 3 and now["inserted"] >= 3 and 3 * 80 < now["used"] < 100_000
        assert edge.status()["backend_cache"]["size"] == now["size"]

        entries = show(edge, "WWW.example")
        assert len(entries) == 1, entries
        e = entries[0]
        assert (e["name"], e["type"], e["pool"], e["rcode"], e["state"], e["subnet"]) == ("www.example.", "A", "behind", "NOERROR", "fresh", None)
        assert e["records"][0] == 1 and 3000 < e["left"] <= 3600
        assert {x["name"] for x in show(edge, "www.example.", "--subtree")} == {"www.example.", "a.www.example."}
        shown = edge.command("cache", "show", "www.example.")
        assert "www.example. A  NOERROR 1/" in shown and "\n  fresh, " in shown and ", pool behind\n" in shown and max(map(len, shown.splitlines())) <= 80
        assert edge.command("cache", "show", "never.example.") == "nothing is kept of it\n"
        assert edge.ask("none.example.").rcode() == 3
        wait_until(lambda: edge.ask("none.example.") and show(edge, "none.example."), WAIT_S, "NXDOMAIN is kept")
        negative = show(edge, "none.example.")[0]
        assert negative["rcode"] == "NXDOMAIN" and negative["left"] <= 60

        # The backend has other data now: who asks gets the old until they are purged, on both families, from both workers.
        zone_file(tmp_path, TEXT.replace("host 1", "host 2").replace("192.0.2.1\n", "192.0.2.101\n").replace("192.0.2.2\n", "192.0.2.102\n"))
        edge.servers[0].stop()
        edge.servers[0].start()
        wait_until(lambda: (r := edge.direct(0, "www.example.")) is not None and r.answer and r.answer[0][0].address == "192.0.2.101", WAIT_S, "new data in the backend")
        for where in ("v4", "v6"):
            for _ in range(8):
                assert address(edge, "www.example.", where) == "192.0.2.1"
        assert "purged: 1\n" == edge.command("cache", "purge", "www.example.")
        assert show(edge, "www.example.") == []
        wait_until(lambda: address(edge, "www.example.") == "192.0.2.101", WAIT_S, "the new data after a purge")
        assert address(edge, "a.www.example.", "v6") == "192.0.2.2"
        assert json.loads(edge.command("cache", "purge", "Example", "--subtree", "--json"))["purged"] >= 3
        wait_until(lambda: address(edge, "a.www.example.") == "192.0.2.102", WAIT_S, "the new data after a purge of all")
        assert figures(edge)["purged"] >= 4
        assert f"control request=cache-purge name=Example subtree=1 uid={os.getuid()}" in edge.log()

        # The cache outlives the workers, and answers with no backend left.
        fill(edge)
        pids = {k: v for k, v in edge.pids().items() if k[0] == "answer"}
        edge.servers[0].stop()
        for pid in pids.values():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not set(pids.values()) & set(edge.pids().values()) and len([k for k in edge.pids() if k[0] == "answer"]) == 2, WAIT_S, "new workers")
        for where in ("v4", "v6"):
            wait_until(lambda w=where: address(edge, "other.example.", w) == "192.0.2.3", WAIT_S, "an answer of the dead backend")

        assert "is no domain name" in refusal(edge, "cache", "purge", "a..b")
        assert "something is missing" in refusal(edge, "cache", "purge", code=2)

        # Another size: another memory, empty.
        edge.write_fleet(answer="  backend-cache: {size: 8MiB}\n")
        edge.command("reload")
        wait_until(lambda: figures(edge)["size"] == 8 * MIB, WAIT_S, lambda: figures(edge))
        assert show(edge, ".", "--subtree") == []


def refusal(edge, *args, code=1):
    done = subprocess.run(edge.node.argv([ZONECAST, *args, "--run-dir", edge.path("run"), "--config", edge.path("fleet.yaml")]), check=False, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == code, (args, done)
    return done.stderr


@pytest.mark.timeout(120)
def test_without_backends(tmp_path):
    os.chmod(tmp_path, 0o755)
    with Zonecast(tmp_path, zone_file(tmp_path)) as node:
        run = ["--run-dir", node.path("run")]
        assert json.loads(subprocess.run([ZONECAST, "cache", "status", "--json", *run], check=True, timeout=60, stdout=subprocess.PIPE).stdout)["size"] == 0
        told = subprocess.run([ZONECAST, "cache", "status", *run], check=True, timeout=60, stdout=subprocess.PIPE, text=True).stdout
        assert told == "there is no cache: no zone of the node has backends\n"
        done = subprocess.run([ZONECAST, "cache", "purge", ".", "--subtree", *run], check=False, timeout=60, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1 and "no backends" in done.stderr
