#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""One real node of a fleet of 100 with 100,000 zones; the others are played by fleet_peers, in the same namespace. What comparing zones costs it at rest, in octets and CPU time, and how long a zone that
falls behind on one of the others stays unnoticed. Prints one JSON object. As root:

    test/bench/drift.py [--nodes 100] [--zones 100000] [--rest 60]
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from netns import Net, stop_process, wait_until  # noqa: E402
from paths import BUILD, ZONECAST  # noqa: E402
from several import SECRET  # noqa: E402

ZONE = "$TTL 300\n@ SOA ns1 host 2026112101 3600 600 86400 60\n@ NS ns1\n@ NS ns2\n@ MX 10 mail\nns1 A 192.0.2.53\nns2 A 192.0.2.54\nmail A 192.0.2.1\nwww A 192.0.2.2\n"


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bench:
    def __init__(self, folder, nodes, zones):
        self.folder, self.nodes, self.zones = folder, nodes, zones
        self.net = Net()
        self.ns = self.net.namespace("drift")
        for i in range(nodes):
            self.ns.ip("addr", "add", f"127.1.0.{i + 1}/32", "dev", "lo")
        self.write("zone", ZONE)
        self.write("secret", SECRET + "\n", 0o600)
        self.write("fleet.yaml", self.text())

    def write(self, name, text, mode=0o644):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(os.path.join(self.folder, name), mode)

    def text(self):
        out = ["fleet: bench", f"state-dir: {self.folder}/state", f"run-dir: {self.folder}/run", "networks:",
               "  - {name: global, prefixes: [192.0.2.0/24], as: 64500, addresses: [192.0.2.53]}", "keys:",
               f'  - {{name: transfer, algorithm: hmac-sha256, secret-file: "{self.folder}/secret"}}', "nodes:",
               "  - {name: hid, role: primary, management: [127.1.0.1], workers: 1}"]
        out += [f"  - {{name: pop{i}, role: primary, management: [127.1.0.{i + 2}]}}" for i in range(self.nodes - 1)]
        out.append("zones:")
        out += [f'  - {{name: z{i}.example, file: "{self.folder}/zone", network: global, watch: false, key: transfer}}' for i in range(self.zones)]
        return "\n".join(out) + "\n"

    def status(self):
        done = subprocess.run([ZONECAST, "status", "--json", "--run-dir", f"{self.folder}/run"], capture_output=True, text=True, timeout=60, check=False)
        return json.loads(done.stdout) if done.stdout else {}

    def start(self):
        with open(f"{self.folder}/log", "wb") as log:
            self.node = self.ns.popen([ZONECAST, "run", "--config", f"{self.folder}/fleet.yaml", "--node", "hid"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: b"\nready\n" in b"\n" + open(f"{self.folder}/log", "rb").read(), 600, "the node is ready")
        self.watch = self.status()["processes"][1]
        assert self.watch["role"] == "watch", self.watch
        store = [f for f in os.listdir(f"{self.folder}/run/store") if "lock" not in f]
        self.peers = self.ns.popen([f"{BUILD}/test/bench/fleet_peers", f"{self.folder}/run/store/{store[0]}", "global", "hid", str(self.nodes - 1), f"{self.folder}/secret", "z4711.example."],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        print(self.peers.stdout.readline().strip(), file=sys.stderr)

    def counts(self):
        self.peers.send_signal(signal.SIGUSR2)
        return {k: float(v) for k, v in (w.split("=") for w in self.peers.stdout.readline().split()[1:])}

    def compared(self):
        nodes = self.status()["drift"]["nodes"]
        return len(nodes) == self.nodes - 1 and all(n["compared_ms"] is not None and n["compared_ms"] < 60000 for n in nodes)

    def close(self):
        for p in (getattr(self, "peers", None), getattr(self, "node", None)):
            if p:
                stop_process(p, signal.SIGTERM, 60)
        self.net.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--zones", type=int, default=100000)
    parser.add_argument("--rest", type=int, default=60)
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="zonecast-drift-")
    os.chmod(folder, 0o755)
    bench = Bench(folder, args.nodes, args.zones)
    result = {"nodes": args.nodes, "zones": args.zones, "load": os.getloadavg()[0]}
    try:
        bench.start()
        began = time.monotonic()
        wait_until(bench.compared, 600, "all are compared")
        result["compared_s"] = round(time.monotonic() - began, 1)
        time.sleep(5)
        bench.counts()
        cpu, began = cpu_s(bench.watch["pid"]), time.monotonic()
        time.sleep(args.rest)
        took, counts = time.monotonic() - began, bench.counts()
        result["rest_kbit_s"] = round((counts["in"] + counts["out"]) * 8 / took / 1000, 1)
        result["other_questions_kbit_s"] = round(counts["other"] * 8 / took / 1000, 1)
        result["rest_cpu_percent"] = round((cpu_s(bench.watch["pid"]) - cpu) / took * 100, 2)
        result["rest_tree_questions"] = int(counts["tree_questions"])
        bench.peers.send_signal(signal.SIGUSR1)
        began = time.monotonic()
        bench.peers.stdout.readline()
        wait_until(lambda: bench.status()["drift"]["rows"], 120, "the drift is found")
        result["found_s"] = round(time.monotonic() - began, 1)
        result["rows"] = [(r["zone"], r["node"], r["kind"]) for r in bench.status()["drift"]["rows"]]
        counts = bench.counts()
        result["found_tree_questions"] = int(counts["tree_questions"])
        time.sleep(20)
        result["standing_tree_questions"] = int(bench.counts()["tree_questions"])
    finally:
        bench.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
