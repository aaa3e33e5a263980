# SPDX-License-Identifier: BSD-2-Clause
"""BFD beside a flood of queries on the same CPUs: how often a session falls though nothing is wrong, and what the thread costs.

    alarms = watch(site, node, peer, seconds=600)     # {"falls": 0, "cpu_percent": 0.4, ...}

`peer` is a BfdPeer, or None when the site's router does BFD itself. The flood keeps as many queries in flight as the node can answer, over both
families, from the router's namespace.
"""
import json
import os
import subprocess
import time

from fleet import SERVICE
from paths import BUILD

BLAST = os.path.join(BUILD, "test", "bench", "blast")


def thread_of(pid, name="zonecast-bfd"):
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as f:
            if f.read().strip() == name:
                return tid
    raise AssertionError(f"process {pid} has no thread {name}")


def cpu_ns(pid, tid):
    with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as f:
        return int(f.read().split()[0])


def falls(status):
    return [n["bfd"]["falls"] for n in status["neighbors"]]


def watch(site, node, peer, seconds):
    questions = node.write("questions", "www.example. A\nexample. SOA\nno.example. A\n")
    pid = node.pids()[("route", 0)]
    tid = thread_of(pid)
    before = node.status()
    cpu, began = cpu_ns(pid, tid), time.monotonic()
    floods = [site.rtr.popen([BLAST, "-t", str(seconds), "-c", "8", "-w", "32", where, "53", questions], stdout=subprocess.PIPE, text=True)
              for where in SERVICE]
    answered = 0
    for flood in floods:
        out, _ = flood.communicate(timeout=seconds + 60)
        told = json.loads(out)
        answered += told.get("answered", 0)
    took = time.monotonic() - began
    after = node.status()
    return {
        "seconds": round(took, 1), "answered_per_second": round(answered / took), "load": os.getloadavg()[0],
        "falls": sum(falls(after)) - sum(falls(before)),
        "held": after["bfd"]["held_count"] - before["bfd"]["held_count"],
        "peer_falls": sum(s["falls"] for r, s in peer.status().items() if r != "totals") if peer else None,
        "packets_per_second": round(sum(n["bfd"]["packets_in"] + n["bfd"]["packets_out"] for n in after["neighbors"]) / took -
                                    sum(n["bfd"]["packets_in"] + n["bfd"]["packets_out"] for n in before["neighbors"]) / took, 1),
        "cpu_percent": round((cpu_ns(pid, tid) - cpu) / took / 1e7, 3),
        "latest_ms": after["bfd"]["latest_us"] / 1000,
        "realtime": after["bfd"]["realtime"],
    }
