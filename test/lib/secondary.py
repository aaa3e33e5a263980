# SPDX-License-Identifier: BSD-2-Clause
"""A zonecast node that holds zones by transfer, in a network namespace that the test's own process has entered, so that loopback and port 53 are its
own.

    with Apart():                                  # from here on sockets and children are in a namespace of their own
        with KnotPeer(folder, ZONE, file) as primary, Holder(folder, [Zone(ZONE, [primary])]) as node:
            wait(lambda: node.serial(ZONE) == 1, "the zone")
"""
import ctypes
import json
import os
import signal
import socket
import subprocess
import time

import dns.message
import dns.query
import dns.rdatatype

from netns import CLONE_NEWNET, Net
from paths import ZONECAST
from servers import Server
from transfers import wait


class Apart:
    def __init__(self):
        self.net = Net()

    def _enter(self, path):
        libc = ctypes.CDLL(None, use_errno=True)
        with open(path, "rb") as f:
            if libc.setns(f.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), path)

    def __enter__(self):
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        ns = self.net.namespace("apart")
        self._enter(f"/run/netns/{ns.name}")
        return self

    def __exit__(self, *_):
        self._enter(f"/proc/self/fd/{self.home}")
        os.close(self.home)
        self.net.close()


def runs(pid):
    """Does it, and is it not merely waiting to be reaped?"""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Zone:
    """primaries: servers, or texts as in the fleet file."""

    def __init__(self, name, primaries, key=None, more=""):
        self.name, self.key, self.more = name, key, more
        self.primaries = [p if isinstance(p, str) else f"[{p.address}]:{p.port}" if ":" in p.address else f"{p.address}:{p.port}" for p in primaries]

    def yaml(self):
        key = f", key: {self.key.name}" if self.key else ""
        primaries = ", ".join(f'"{p}"' for p in self.primaries)
        return f'  - {{name: "{self.name}", primaries: [{primaries}]{key}{self.more}}}\n'


class Holder(Server):
    """Starts at once and is not asked for its zones: the primaries may be away."""

    name = "holder"
    port = 53

    def __init__(self, folder, zones, name="holder"):
        self.name = name
        super().__init__(folder, {})
        self.port = 53
        self.configure(zones)

    def configure(self, zones):
        self.held = zones
        keys = {z.key.name: z.key for z in zones if z.key}
        text = f"fleet: test\nstate-dir: {self.path('state')}\nrun-dir: {self.path('run')}\n"
        if keys:
            text += "keys:\n"
        for k in keys.values():
            path = self.write(f"{k.name}.secret", k.secret + "\n")
            os.chmod(path, 0o600)
            text += f"  - {{name: {k.name}, algorithm: {k.algorithm}, secret-file: {path}}}\n"
        text += 'nodes:\n  - {name: here, role: primary, management: [127.0.0.1, "::1"], workers: 1}\nzones:\n'
        self.write("fleet.yaml", text + "".join(z.yaml() for z in zones))

    def readies(self):
        return self.log().count("\nready\n") if os.path.exists(self.path("log")) else 0

    def start(self):
        self.before = self.readies()
        self.spawn([ZONECAST, "run", "--config", self.path("fleet.yaml"), "--node", "here"])

    def ready(self):
        return self.readies() > self.before

    def stop(self):
        super().stop()
        log = self.log()
        assert "ERROR: AddressSanitizer" not in log and "runtime error:" not in log and "ERROR: LeakSanitizer" not in log, log[-5000:]

    def kill(self):
        """The whole node at once, as a power cut would; the store's folder may be removed then to be a reboot."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        pids = list(self.pids().values())
        wait(lambda: not any(runs(p) for p in pids), "all roles gone")

    def reboot(self):
        """To be called while it is stopped: what is in memory is lost."""
        for name in os.listdir(self.path("run", "store")):
            os.unlink(self.path("run", "store", name))

    def pids(self):
        with open(self.path("run", "pids"), encoding="ascii") as f:
            return {(r, int(i)): int(p) for r, i, p in (line.split() for line in f)}

    def command(self, *args):
        return subprocess.run([ZONECAST, *args, "--run-dir", self.path("run")], capture_output=True, text=True, timeout=60, check=False)

    def told(self, zone=None):
        """What the node says of a zone, or of all."""
        done = self.command("zone", "status", *([zone] if zone else []), "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        zones = json.loads(done.stdout)
        return zones[0] if zone else zones

    def counters(self):
        done = self.command("status", "--json")
        return json.loads(done.stdout)["transfers_in"]

    def show(self, zone):
        done = self.command("zone", "show", zone)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()

    def ask(self, zone, qtype="SOA", address="127.0.0.1"):
        try:
            return dns.query.udp(dns.message.make_query(zone, qtype), address, timeout=2, port=53)
        except (dns.exception.Timeout, OSError):
            return None

    def rcode(self, zone):
        reply = self.ask(zone)
        return reply.rcode() if reply else None

    def serial(self, zone):
        reply = self.ask(zone)
        return reply.answer[0][0].serial if reply and reply.answer else None

    def wait_serial(self, zone, serial, seconds=60):
        wait(lambda: self.serial(zone) == serial, lambda: f"serial {serial} of {zone}; has {self.serial(zone)}; {self.told(zone)}\n{self.log()[-3000:]}",
             seconds)
