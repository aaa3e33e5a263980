#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What dnstap costs: instructions and CPU time a query of the worker, and CPU time a query of the tap process, without dnstap and with it.

    test/bench/tap_cost.py [--rate QPS] [--seconds S]

Needs root, fstrm_capture, and test/bench/blast of the build folder. Instructions in user mode, which perf
counts where the machine lets it, are the figure to trust on a busy machine; --rate 0 keeps the worker busy, so that it answers in full batches.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
# pylint: disable=wrong-import-position
from netns import stop_process, wait_until  # noqa: E402
from plane import SERVICE, FLEET, Plane  # noqa: E402


def cpu_ns(pid):
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
        return int(f.read().split()[0])


def pids(plane):
    with open(plane.path("run", "pids"), encoding="ascii") as f:
        return {line.split()[0]: int(line.split()[2]) for line in f}


def status(plane):
    return json.loads(plane.control('{"command":"status"}'))["status"]


def one(folder, name, more, options, collector=None):
    fleet = FLEET.replace("workers: 2", "workers: 1") + more
    with Plane(os.path.join(folder, name), fleet) as plane:
        capture = None
        if collector:
            capture = plane.world.popen(["fstrm_capture", "-t", "protobuf:dnstap.Dnstap", "-u", collector, "-w", "/dev/null"], stderr=subprocess.DEVNULL)
            wait_until(lambda: os.path.exists(collector), 20, "the collector")
            os.chmod(collector, 0o777)
        if more:
            wait_until(lambda: status(plane)["dnstap"]["state"] == "open", 30, lambda: status(plane)["dnstap"])
        who = pids(plane)
        with plane.flood(SERVICE["v4"], seconds=600, clients=4, window=64, rate=options.rate):
            time.sleep(1)
            before, cpu = status(plane), {k: cpu_ns(p) for k, p in who.items()}
            perf = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u", "-p", str(who["answer"]), "sleep", str(options.seconds)],
                                  capture_output=True, text=True, check=False)
            after, spent = status(plane), {k: cpu_ns(p) - cpu[k] for k, p in who.items()}
        count = after["queries"]["answers"] - before["queries"]["answers"]
        found = re.search(r"^(\d+),", perf.stderr, re.M)
        tap = after["dnstap"]
        print(f"{name:16} {f'{int(found[1]) / count:.0f}' if found else '-':>8} instructions:u  {spent['answer'] / count:7.0f} ns  "
              f"tap {spent.get('tap', 0) / count:6.0f} ns  {count / options.seconds:8.0f} q/s  events {tap['events']:8} dropped {tap['dropped']}", flush=True)
        if capture:
            stop_process(capture)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=20000)
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args()
    print(f"load of the machine {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs")
    with tempfile.TemporaryDirectory(prefix="zonecast-tap-") as folder:
        os.chmod(folder, 0o777)
        where = os.path.join(folder, "tap.sock")
        one(folder, "off", "", options)
        one(folder, "file", f"dnstap: {{file: {folder}/all.fstrm}}\n", options)
        one(folder, "file-1-in-100", f"dnstap: {{file: {folder}/some.fstrm, sample: 100}}\n", options)
        one(folder, "socket", f"dnstap: {{socket: {where}}}\n", options, where)


if __name__ == "__main__":
    main()
