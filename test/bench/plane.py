#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""How long management takes while the service addresses are flooded, at p50 and p99: DNS at the management addresses, HTTP, the control socket.

    test/bench/plane.py [--count N] [--role pop|primary] [--clients N]

Needs root, and test/bench/blast of the build folder. The flood keeps 1,024 queries in flight on each of its sockets, from the same CPUs that the node has. Who asks for management runs in
real time where that is allowed: its own wait for a CPU is not the node's.
"""
import argparse
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
# pylint: disable=wrong-import-position
from plane import SERVICE, Plane, percentiles  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300, help="questions of each kind")
    parser.add_argument("--role", default="pop", choices=["pop", "primary"])
    parser.add_argument("--clients", type=int, default=8, help="sockets of the flood, with 1,024 queries in flight each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zonecast-plane-") as folder, Plane(folder, role=options.role) as plane:
        print(f"load of the machine {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs")
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(10))
        except PermissionError:
            print("not in real time: the waits for a CPU of whoever asks are in the figures")
        print(f"{'flood':6} {'what':10} {'p50 ms':>8} {'p99 ms':>8} {'worst':>8} {'lost':>5}")
        for family in ("none", *SERVICE):
            if family == "none":
                table(plane, family, options.count)
                continue
            before = plane.answered()
            with plane.flood(SERVICE[family], seconds=600, clients=options.clients):
                began = time.monotonic()
                table(plane, family, options.count)
                took = time.monotonic() - began
            print(f"{family:6} flood answered {int((plane.answered() - before) / took):,} q/s")


def table(plane, family, count):
    for name, way, where in plane.ways():
        (p50, p99, worst), lost = percentiles(plane.measure(way, where, count))
        print(f"{family:6} {name:10} {p50:8} {p99:8} {worst:8} {lost:5}", flush=True)


if __name__ == "__main__":
    main()
