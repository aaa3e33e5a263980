# SPDX-License-Identifier: BSD-2-Clause
"""Several nodes of one fleet, each in a namespace of its own, on one bridge: what they say to each other, without routers.

    with Several(folder) as fleet:            # namespaces, bridge, fleet file; nothing runs yet
        fleet.start("hid", "fra", "ams")
        fleet.peers("fra")["ams"]             # what fra's status says of ams
"""
import base64
import json
import os
import signal
import subprocess

from netns import Net, stop_process, wait_until
from paths import ZONECAST

SECRET = base64.b64encode(b"what nodes say to each other....").decode()
OTHER_SECRET = base64.b64encode(b"what somebody else says to them.").decode()
ZONE = "$TTL 300\n@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.1\n"


class Several:
    """names: of nodes; one that begins with "hid" is the primary. The i-th has 10.8.0.<i + 1> and 2001:db8:8::<i + 1>. networks: name to nodes."""

    def __init__(self, folder, names=("hid", "fra", "ams", "sin"), networks=None, keys=True, more=""):
        self.folder, self.names, self.keys, self.more = str(folder), list(names), keys, more
        self.networks = networks or {"global": [n for n in names if not n.startswith("hid")]}
        self.running = {}
        self.flags = []  # more of `zonecast run`
        self.extra = {}  # name to further management addresses, for write("fleet.yaml", text())
        self.net = Net()
        try:
            self.bridge = self.net.namespace("bridge")
            self.bridge.ip("link", "add", "br0", "type", "bridge")
            self.bridge.ip("link", "set", "br0", "up")
            self.ns = {name: self.net.namespace(name) for name in self.names}
            for name, ns in self.ns.items():
                port = f"p-{name}"
                Net.veth(ns, "up0", [f"{self.v4(name)}/24", f"{self.v6(name)}/64"], self.bridge, port, [])
                self.bridge.ip("link", "set", port, "master", "br0")
            self.write("example.zone", ZONE)
            self.secret(SECRET)
            self.write("fleet.yaml", self.text())
        except BaseException:
            self.net.close()
            raise

    def v4(self, name):
        return f"10.8.0.{self.names.index(name) + 1}"

    def v6(self, name):
        return f"2001:db8:8::{self.names.index(name) + 1}"

    def text(self):
        out = ["fleet: several", "networks:"]
        for i, name in enumerate(self.networks):
            out.append(f'  - {{name: {name}, prefixes: [192.0.{i + 2}.0/24, "2001:db8:{i + 53:x}::/48"], as: 64500, '
                       f'addresses: [192.0.{i + 2}.53, "2001:db8:{i + 53:x}::53"], check: {{interval: 50ms, timeout: 400ms, fall: 2, rise: 4}}, rise-hold: 100ms}}')
        if self.keys:
            out += ["keys:", f'  - {{name: transfer, algorithm: hmac-sha256, secret-file: "{self.folder}/secret"}}']
        out.append("nodes:")
        for i, name in enumerate(self.names):
            own = [n for n, nodes in self.networks.items() if name in nodes]
            role = "primary" if name.startswith("hid") else "pop"
            more = "".join(f', "{a}"' for a in self.extra.get(name, []))
            bgp = "" if role == "primary" else f", networks: [{', '.join(own)}], bgp: {{router-id: {self.v4(name)}}}"
            out.append(f'  - {{name: {name}, role: {role}, management: [{self.v4(name)}, "{self.v6(name)}"{more}], workers: 1{bgp}}}')
        out.append("zones:")
        key = ", key: transfer" if self.keys else ""
        out.append(f'  - {{name: example, file: "{self.folder}/example.zone", network: {next(iter(self.networks))}{key}}}')
        return "\n".join(out) + "\n" + self.more

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def secret(self, text):
        """What a node reads that is started or reloaded from now on."""
        self.write("secret", text + "\n", 0o600)

    def start(self, *names):
        began = {}
        for name in names:
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
            began[name] = len(self.log(name)) if os.path.exists(self.path(name, "log")) else 0
            with open(os.path.join(self.folder, name, "log"), "ab") as log:
                self.running[name] = self.ns[name].popen(
                    [ZONECAST, "run", "--config", os.path.join(self.folder, "fleet.yaml"), "--node", name, "--run-dir", self.path(name, "run"),
                     "--state-dir", self.path(name, "state"), *self.flags], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for name in names:
            wait_until(lambda n=name: "\nready\n" in "\n" + self.log(n)[began[n]:], 60, lambda n=name: f"{n} ready; log:\n{self.log(n)}")

    def stop(self, name):
        stop_process(self.running.pop(name), signal.SIGTERM, 30)
        log = self.log(name)
        assert "ERROR: AddressSanitizer" not in log and "runtime error:" not in log, log[-5000:]

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def log(self, name):
        with open(self.path(name, "log"), encoding="latin-1") as f:
            return f.read()

    def pid(self, name, role, index=0):
        with open(self.path(name, "run", "pids"), encoding="ascii") as f:
            return {(r, int(i)): int(p) for r, i, p in (line.split() for line in f)}.get((role, index))

    def zonecast(self, name, *args):
        return subprocess.run([ZONECAST, *args, "--run-dir", self.path(name, "run")], capture_output=True, text=True, timeout=60, check=False)

    def status(self, name):
        done = self.zonecast(name, "status", "--json")
        return json.loads(done.stdout) if done.stdout else {"peers": {"nodes": []}}

    def peers(self, name):
        """Other nodes as `name` sees them, by their names."""
        return {n["name"]: n for n in self.status(name)["peers"]["nodes"]}

    def heard_ms(self, name, other):
        """How old what `other` said last is at `name`; infinite: never heard."""
        ms = self.peers(name).get(other, {}).get("heard_ms")
        return float("inf") if ms is None else ms

    def close(self):
        for name in list(self.running):
            self.stop(name)
        self.net.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.close()
        finally:
            self.net.close()
