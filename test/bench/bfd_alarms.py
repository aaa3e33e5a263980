#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Counts false alarms of BFD while a flood of queries takes all CPUs, on one machine, in namespaces. Needs root.

    test/bench/bfd_alarms.py [--seconds 600] [--interval 50] [--multiplier 3] [--peer self|bird|frr]

self: the neighbor is our own BFD thread as a program, real-time as well, so an alarm is this node's or its twin's; bird, frr: the router's own BFD, which
has no priority, so that an alarm may be its own. Prints one line of JSON each minute and one for all; exit status 1 when anything fell.
"""
import argparse
import json
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from bfdalarm import watch  # noqa: E402
from bfdpeer import BfdPeer  # noqa: E402
from fleet import Node, Site  # noqa: E402
from netns import wait_until  # noqa: E402
from routers import Bird, Frr  # noqa: E402

STEP_S = 60


def measure(options, folder):
    own = options.peer == "self"
    site = Site(folder, Frr if options.peer == "frr" else Bird, **({} if own else {"bfd": (options.interval, options.multiplier)}))
    more = f", bfd: {{interval: {options.interval}ms, multiplier: {options.multiplier}}}"
    total = 0
    with site, Node(site, tempfile.mkdtemp(dir=folder), more=more) as node:
        peer = BfdPeer(site.rtr, ["10.9.0.2", "2001:db8:9::2"], options.interval, options.multiplier) if own else None
        wait_until(lambda: all(n["bfd"]["state"] == "up" for n in node.status()["neighbors"]), 30, "BFD up")
        left = options.seconds
        while left > 0:
            told = watch(site, node, peer, min(STEP_S, left))
            print(json.dumps(told), flush=True)
            total += told["falls"] + told["held"]
            left -= STEP_S
        total += sum(s["falls"] for r, s in peer.status().items() if r != "totals") if peer else 0
        print(json.dumps({"seconds": options.seconds, "peer": options.peer, "false_alarms": total}))
        if peer:
            peer.stop()
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--interval", type=int, default=50)
    parser.add_argument("--multiplier", type=int, default=3)
    parser.add_argument("--peer", choices=["self", "bird", "frr"], default="self")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for above in (pathlib.Path(folder), pathlib.Path(folder).parent):
            if above != pathlib.Path(tempfile.gettempdir()):
                os.chmod(above, 0o755)  # FRR's daemons change their user
        return 1 if measure(options, folder) else 0


if __name__ == "__main__":
    sys.exit(main())
