#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What transfers cost over TLS beside TCP, ours to ours on one cable between two namespaces: one big zone, and many small ones. As root:

    test/bench/xot.py [--names N] [--zones N] [--rounds N]

Prints for each the median seconds until the secondary serves everything, the CPU seconds of both nodes, and the ratios; connections and handshakes of the many."""
import argparse
import os
import socket
import statistics
import sys
import tempfile
import time

import dns.message

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

from certificates import Authority  # noqa: E402
from netns import wait_until  # noqa: E402
from xot import HIDDEN, NAME, POP, Ours, Wire, write_zone  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")


def cpu(node):
    """Seconds of all its processes but admin, which does what this program asks of it to see how far they are."""
    total = 0
    with open(node.path("run", "pids"), encoding="ascii") as f:
        for role, _, pid in map(str.split, f):
            if role == "admin":
                continue
            with open(f"/proc/{pid}/stat", encoding="ascii") as s:
                fields = s.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
    return total / TICK


def answers(node, zone):
    """Does it answer the zone's SOA?"""
    with node.ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.connect((POP[0], 53))
        try:
            s.send(dns.message.make_query(zone, "SOA").to_wire())
            return bool(dns.message.from_wire(s.recv(4096)).answer)
        except OSError:
            return False


def measure(wire, folder, zones, tls, rounds):
    """(median seconds, median CPU seconds, counters of the primary) of a fresh secondary that takes all zones."""
    listed = "".join(f"  - {{name: {z}, file: {folder}/{z}.zone, allow-transfer: [{POP[0]}/32]}}\n" for z in zones)
    primary_yaml = f"""fleet: bench
answer: {{tls: {{certificate-file: {folder}/primary.pem, key-file: {folder}/primary.key}}}}
nodes: [{{name: hidden, role: primary, management: [{HIDDEN[0]}], workers: 2}}]
zones:
{listed}"""
    held = "".join(f"  - {{name: {z}, primaries: [{HIDDEN[0]}]{', tls: up' if tls else ''}}}\n" for z in zones)
    secondary_yaml = f"""fleet: bench
tls-auth: [{{name: up, server-name: {NAME}, ca-file: {folder}/ca/ca.pem}}]
nodes: [{{name: pop, role: primary, management: [{POP[0]}], workers: 1}}]
zones:
{held}"""
    times, used = [], []
    here = os.path.join(folder, f"{'tls' if tls else 'tcp'}-{len(zones)}")
    with Ours(wire.hidden, here, "hidden", primary_yaml) as primary:
        for i in range(rounds):
            pop = Ours(wire.pop, f"{here}-{i}", "pop", secondary_yaml)
            before = cpu(primary)
            began = time.monotonic()
            with pop:
                wait_until(lambda n=(i + 1) * len(zones): primary.status()["transfers_out"]["axfr"] == n, 300, lambda: primary.status()["transfers_out"], 0.001)
                wait_until(lambda p=pop: answers(p, zones[-1]), 300, f"{zones[-1]} at the secondary", 0.001)
                times.append(time.monotonic() - began)
                wait_until(lambda p=pop: p.status()["transfers_in"]["serving"] == len(zones), 300, lambda p=pop: p.status()["transfers_in"], 0.01)
                used.append(cpu(primary) - before + cpu(pop))
        counters = primary.status()["queries"]
    return statistics.median(times), statistics.median(used), counters


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--names", type=int, default=500000, help="records of the big zone")
    parser.add_argument("--zones", type=int, default=1000, help="small zones")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zonecast-xot-") as folder, Wire(folder) as wire:
        os.chmod(folder, 0o755)
        ca = Authority(os.path.join(folder, "ca"))
        ca.issue(f"{folder}/primary.pem", f"{folder}/primary.key", NAME, addresses=HIDDEN)
        write_zone(folder, "big.test", 1, names=args.names)
        many = [f"z{i}.test" for i in range(args.zones)]
        for z in many:
            write_zone(folder, z, 1, names=9)
        for what, zones in (("one zone", ["big.test"]), (f"{len(many)} zones", many)):
            tcp = measure(wire, folder, zones, False, args.rounds)
            tls = measure(wire, folder, zones, True, args.rounds)
            print(f"{what}: tcp {tcp[0]:.3f} s ({tcp[1]:.2f} s CPU), tls {tls[0]:.3f} s ({tls[1]:.2f} s CPU): {tls[0] / tcp[0]:.2f} x, "
                  f"CPU {tls[1] / tcp[1]:.2f} x; {args.rounds} rounds over tls: {tls[2]['tls_handshakes']} handshakes, {tls[2]['tls_resumed']} resumed",
                  flush=True)


if __name__ == "__main__":
    main()
