# SPDX-License-Identifier: BSD-2-Clause
"""A real Prometheus in a namespace, that asks nodes for their metrics each second and judges them by the alerting rules that zonecast ships.

    with Prometheus(ns, folder, ["10.8.0.1:8053"]) as p:
        p.query('zonecast_bgp_up')            # [(labels, value), ...]
        p.firing("ZonecastBgpDown")           # labels of the alerts of that name that fire
"""
import json
import os
import shutil
import subprocess
import tempfile
import urllib.parse

from netns import stop_process, wait_until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RULES = os.path.join(TOP, "dist", "prometheus", "zonecast.rules.yml")
PORT = 9090


class Prometheus:
    needs = ("prometheus", "curl")

    def __init__(self, ns, folder, targets, interval="1s"):
        self.ns, self.folder, self.targets, self.interval = ns, str(folder), targets, interval
        self.process = self.data = None

    def __enter__(self):
        path = os.path.join(self.folder, "prometheus.json")
        with open(path, "w", encoding="utf-8") as f:  # JSON is YAML
            json.dump({"global": {"scrape_interval": self.interval, "scrape_timeout": self.interval, "evaluation_interval": self.interval}, "rule_files": [RULES],
                       "scrape_configs": [{"job_name": "zonecast", "static_configs": [{"targets": self.targets}]}]}, f)
        # It syncs its files often; nothing of them is needed.
        self.data = tempfile.mkdtemp(prefix="zct-prometheus-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        with open(os.path.join(self.folder, "prometheus.log"), "ab") as log:
            self.process = self.ns.popen(["prometheus", f"--config.file={path}", f"--storage.tsdb.path={self.data}", f"--web.listen-address=127.0.0.1:{PORT}"],
                                         stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(self.ready, 60, lambda: f"Prometheus; log:\n{self.log()}", 0.2)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        stop_process(self.process, timeout=20)
        shutil.rmtree(self.data, ignore_errors=True)

    def log(self):
        with open(os.path.join(self.folder, "prometheus.log"), encoding="utf-8") as f:
            return f.read()

    def ready(self):
        assert self.process.poll() is None, f"Prometheus ended with {self.process.returncode}:\n{self.log()}"
        return self.ns.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{PORT}/-/ready"], check=False) == "200"

    def ask(self, path):
        text = self.ns.run(["curl", "-s", "--max-time", "15", f"http://127.0.0.1:{PORT}{path}"], check=False)
        try:
            return json.loads(text)["data"]
        except (ValueError, KeyError):
            return None

    def query(self, expr):
        data = self.ask("/api/v1/query?query=" + urllib.parse.quote(expr)) or {"result": []}
        return [(r["metric"], float(r["value"][1])) for r in data["result"]]

    def alerts(self):
        return (self.ask("/api/v1/alerts") or {"alerts": []})["alerts"]

    def firing(self, name=None):
        return [a["labels"] for a in self.alerts() if a["state"] == "firing" and name in (None, a["labels"]["alertname"])]

    def wait_firing(self, name, seconds=60, **labels):
        """Until an alert of that name with these labels fires."""
        wait_until(lambda: any(all(a.get(k) == v for k, v in labels.items()) for a in self.firing(name)), seconds,
                   lambda: f"{name} {labels}; there are {json.dumps(self.alerts(), indent=1)}", 0.3)
