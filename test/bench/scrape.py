#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What metrics cost: CPU time of a node for each answer, with /metrics read each second and without.

    test/bench/scrape.py [--rounds 10] [--seconds 4] [--interval 1] [--nodes 3]

One pop with one worker, kept on the last CPU with all its other processes, and as many other nodes as asked for, in namespaces of their own (root is needed); blast keeps its UDP questions
in flight, from the other CPUs. Rounds with and without scraping take turns, in changing order, so that what else the machine does hits both alike; the figure is the ratio of their CPU time, of
all processes of the node, for an answer: median of the rounds, with its quartiles. Also: CPU time of admin for one scrape, and octets of it.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

from netns import wait_until  # noqa: E402
from paths import BUILD  # noqa: E402
from several import Several  # noqa: E402


class Fleet(Several):
    def text(self):
        return super().text() + "http: {open: true}\nanswer: {rate-limit: {answers: 0, referrals: 0, no-data: 0, no-names: 0, errors: 0}}\n"


def cpu(pid):
    """Nanoseconds of a process and its threads, as the scheduler counts them."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total


class Scraper:
    def __init__(self, ns, url, interval):
        self.ns, self.url, self.interval = ns, url, interval
        self.on, self.end = threading.Event(), threading.Event()
        self.count = self.octets = 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.end.is_set():
            if self.on.wait(0.1):
                self.octets = len(self.ns.run(["curl", "-sf", self.url]))
                self.count += 1
                self.end.wait(self.interval)


def main():
    ask = argparse.ArgumentParser()
    ask.add_argument("--rounds", type=int, default=10)
    ask.add_argument("--seconds", type=int, default=4)
    ask.add_argument("--interval", type=float, default=1.0)
    ask.add_argument("--nodes", type=int, default=3)
    o = ask.parse_args()
    with tempfile.TemporaryDirectory(prefix="zct-scrape-") as folder:
        os.chmod(folder, 0o755)
        run(o, folder)


def run(o, folder):
    cpus = sorted(os.sched_getaffinity(0))
    names = ["hid", "fra"] + [f"pop{i}" for i in range(o.nodes - 2)]
    with Fleet(folder, names=names) as fleet:
        questions = fleet.write("questions", "www.example A\nexample SOA\nnowhere.example A\nns1.example A\n")
        fleet.start(*names)
        pids = {role: fleet.pid("fra", *role) for role in [("answer", 0), ("sync", 0), ("watch", 0), ("route", 0), ("admin", 0)]}
        pids["supervisor"] = fleet.running["fra"].pid
        for pid in pids.values():
            subprocess.run(["taskset", "-apc", str(cpus[-1]), str(pid)], check=True, stdout=subprocess.DEVNULL)
        os.sched_setaffinity(0, cpus[:-1] or cpus)
        scraper = Scraper(fleet.ns["hid"], f"http://{fleet.v4('fra')}:8053/metrics", o.interval)

        def measure(scrape):
            if scrape:
                scraper.on.set()
                seen = scraper.count
                wait_until(lambda: scraper.count > seen, 30, "a scrape")
            else:
                scraper.on.clear()
            scrapes, before = scraper.count, {r: cpu(p) for r, p in pids.items()}
            done = json.loads(fleet.ns["hid"].run([os.path.join(BUILD, "test", "bench", "blast"), "-t", str(o.seconds), "-c", "8", "-w", "16", fleet.v4("fra"), "53", questions],
                                                  timeout=o.seconds + 60))
            spent = {r: cpu(p) - before[r] for r, p in pids.items()}
            return sum(spent.values()) / done["answered"], spent[("admin", 0)], scraper.count - scrapes, done

        measure(False)
        ratios, admin, idle, scrapes, rates = [], 0, 0, 0, {True: [], False: []}
        for i in range(o.rounds):
            got = {}
            for scrape in ((True, False), (False, True))[i % 2]:
                got[scrape] = measure(scrape)
                rates[scrape].append(got[scrape][3]["answered"] / o.seconds)
            ratios.append(got[True][0] / got[False][0])
            admin += got[True][1]
            idle += got[False][1]
            scrapes += got[True][2]
            print(f"round {i + 1}: {got[False][0]:.0f} ns an answer, with scraping {got[True][0]:.0f}, {100 * (ratios[-1] - 1):+.2f} %", flush=True)
        scraper.end.set()
        scraper.thread.join()
        low, mid, high = statistics.quantiles(ratios, n=4)
        print(json.dumps({"ratio": round(mid, 5), "quartiles": [round(low, 5), round(high, 5)], "admin_us_a_scrape": round((admin - idle) / 1000 / max(scrapes, 1)), "octets": scraper.octets,
                          "scrapes": scrapes, "qps_with": round(statistics.median(rates[True])), "qps_without": round(statistics.median(rates[False])),
                          "load": os.getloadavg()[0]}))
        for name in list(fleet.running):
            fleet.stop(name)


if __name__ == "__main__":
    main()
