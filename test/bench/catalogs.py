#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Zones by catalog: how long until all are there, in how much memory, and what they cost afterwards.

    test/bench/catalogs.py [--zones 100000] [--idle 60] [--refresh 3600] [--pairs knot-ours,knot-knot,ours-ours]

Each pair is a producer and a consumer on loopback, in a network namespace of its own (root is needed). Printed for each: seconds from the start of the consumer until the last
of its zones answers (all are asked, one after the other); PSS of all its processes, with mapped files; its CPU seconds until then; for ours: CPU over --idle seconds
of nothing but refresh timers, of the node and by role, and how many refreshes there were in that time, milliseconds from a change of one member at the producer to its answer here (change_ms, median of 10), and from the producer's own answer to ours (follow_ms);
how long the consumer takes to take one more member. change_ms contains the order to the producer to read the file: knotc reads the whole configuration first, 1.8 s with
20,000 zones.

Zones of --refresh 3600 are not asked for in the first 54 minutes. To see what refreshes cost, give a short one and be idle for longer than it: `--refresh 120 --idle 240` makes
some 700 a second with 100,000 zones (a node begins 1,000 a second at most), a zone's usual hour 29: what one costs is their CPU time by `refreshes`.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

import dns.exception  # noqa: E402
import dns.message  # noqa: E402
import dns.query  # noqa: E402

import catalogs as lib  # noqa: E402
from catalogs import KnotConsumer, KnotProducer, write_zone  # noqa: E402
from secondary import Apart, Holder  # noqa: E402

CATALOG = "catalog.invalid."


class Ours(Holder):
    def __init__(self, folder, name, address, text):
        self.text, self.address = text, address
        super().__init__(folder, [], name)

    def configure(self, zones):
        self.write("fleet.yaml", f"fleet: test\nstate-dir: {self.path('state')}\nrun-dir: {self.path('run')}\n"
                   f"nodes:\n  - {{name: here, role: primary, management: [{self.address}], workers: 1}}\n{self.text}")

    def processes(self):
        return list(self.pids().values())

    def cpu_by_role(self):
        return {role: cpu_s([pid]) for (role, _), pid in self.pids().items()}

    def refreshes(self):
        return self.counters()["confirmed"]


class KnotTaker(KnotConsumer):
    def processes(self):
        return [self.process.pid]


def maker(folder, members):
    zones = os.path.join(folder, "made")
    allow = "allow-transfer: [127.0.0.0/8]"
    lines = "".join(f"  - {{name: {z}, file: {write_zone(zones, z)}, {allow}, notify: [127.0.0.2]}}\n" for z in members)
    one = Ours(folder, "maker", "127.0.0.1", f"zones:\n  - {{name: {CATALOG}, {allow}, notify: [127.0.0.2]}}\n{lines}catalogs:\n  - {{zone: {CATALOG}, produce: true}}\n")
    one.zone_folder = zones

    def change(zone, serial):
        write_zone(zones, zone, serial)
        assert one.command("zone", "reload", zone).returncode == 0
    one.change = change
    return one


def taker(folder, port):
    return Ours(folder, "taker", "127.0.0.2", f"zones:\n  - {{name: {CATALOG}, primaries: [\"127.0.0.1:{port}\"]}}\ncatalogs:\n  - zone: {CATALOG}\n")


def serial(zone, address, port, timeout=0.2):
    try:
        reply = dns.query.udp(dns.message.make_query(zone, "SOA"), address, timeout=timeout, port=port)
        return reply.answer[0][0].serial if reply.answer else None
    except (dns.exception.DNSException, OSError):
        return None


def cpu_s(pids):
    total = 0
    for p in pids:
        with open(f"/proc/{p}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def pss_mib(pids):
    total = 0
    for p in pids:
        with open(f"/proc/{p}/smaps_rollup", encoding="ascii") as f:
            total += next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    return total / 1024


def wait_for(condition, limit_s=1800):
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("not within half an hour")
        time.sleep(0.002)


def run(pair, members, idle_s):
    kind_from, kind_to = pair.split("-")
    row = {"pair": pair, "zones": len(members), "load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory(prefix="catalog-bench-") as folder:
        source = KnotProducer(folder, CATALOG, dict.fromkeys(members), notify="127.0.0.2@53") if kind_from == "knot" else maker(folder, members)
        with source:
            wait_for(lambda: all(serial(z, "127.0.0.1", source.port) for z in (members[0], members[-1])))
            target = taker(folder, source.port) if kind_to == "ours" else KnotTaker(folder, CATALOG, f"127.0.0.1@{source.port}")
            address = target.address
            began = time.monotonic()
            target.start()
            try:
                for z in members:
                    wait_for(lambda zone=z: serial(zone, address, target.port) == 1)
                row["all_s"] = round(time.monotonic() - began, 2)
                row["cpu_s"] = round(cpu_s(target.processes()), 2)
                row["pss_mib"] = round(pss_mib(target.processes()), 1)
                if kind_to == "ours":
                    refreshes, before, at = target.refreshes(), target.cpu_by_role(), time.monotonic()
                    time.sleep(idle_s)
                    took_s, after = time.monotonic() - at, target.cpu_by_role()
                    row["idle_by_role"] = {role: round((after[role] - before[role]) / took_s * 100, 2) for role in after}
                    row["idle_percent"] = round(sum(row["idle_by_role"].values()), 2)
                    row["refreshes"] = target.refreshes() - refreshes
                    took, followed = [], []
                    for i in range(10):
                        zone = members[(i + 1) * len(members) // 11]
                        at = time.monotonic()
                        source.change(zone, 2)
                        wait_for(lambda z=zone: serial(z, "127.0.0.1", source.port) == 2)
                        there = time.monotonic()
                        wait_for(lambda z=zone: serial(z, address, target.port) == 2)
                        took.append((time.monotonic() - at) * 1000)
                        followed.append((time.monotonic() - there) * 1000)
                    row["change_ms"], row["follow_ms"] = round(statistics.median(took), 1), round(statistics.median(followed), 1)
                    log = subprocess.run(["grep", "-c", "catalog=", target.path("log")], capture_output=True, text=True, check=False).stdout.strip()
                    if kind_from == "knot":
                        source.set({**dict.fromkeys(members), "one.more.": None})
                        wait_for(lambda: serial("one.more.", address, target.port) == 1)
                        line = subprocess.run(["grep", "catalog=", target.path("log")], capture_output=True, text=True, check=False).stdout.splitlines()
                        row["one_more_read_ms"] = int(line[-1].rsplit("took_ms=", 1)[1]) if len(line) > int(log) else None
            finally:
                target.stop()
            print(json.dumps(row), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--zones", type=int, default=100000)
    p.add_argument("--idle", type=int, default=60)
    p.add_argument("--refresh", type=int, default=3600, help="seconds, in the SOA of all zones")
    p.add_argument("--pairs", default="knot-ours,knot-knot,ours-ours")
    o = p.parse_args()
    lib.refresh_s = o.refresh
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # what was started is stopped
    members = [f"m{i:06}.example." for i in range(o.zones)]
    with Apart():
        for pair in o.pairs.split(","):
            run(pair, members, o.idle)


if __name__ == "__main__":
    main()
