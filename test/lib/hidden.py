# SPDX-License-Identifier: BSD-2-Clause
"""A hidden primary with zone files, and pops that hold them by transfer, each in a namespace of its own on one cable or bridge."""
import json
import os
import signal
import socket
import subprocess

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from netns import Net, stop_process, wait_until
from paths import ZONECAST

SERVICE = ("192.0.2.53", "2001:db8:53::53")


def hidden_addresses(i):
    return f"10.11.{i}.1", f"2001:db8:11:{i + 1:x}::1"


def pop_addresses(i):
    return f"10.11.{i}.2", f"2001:db8:11:{i + 1:x}::2"


class Node:
    def __init__(self, ns, folder, name):
        self.ns, self.folder, self.name = ns, str(folder), name
        self.process = None
        os.makedirs(self.path(), exist_ok=True)

    def path(self, *parts):
        return os.path.join(self.folder, self.name, *parts)

    def config(self):
        return os.path.join(self.folder, "fleet.yaml")

    def start(self):
        ready = self.log().count("\nready\n") if os.path.exists(self.path("log")) else 0
        with open(self.path("log"), "ab") as log:
            self.process = self.ns.popen([ZONECAST, "run", "--config", self.config(), "--node", self.name, "--run-dir", self.path("run"),
                                          "--state-dir", self.path("state")], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: self.alive() and ("\n" + self.log()).count("\nready\n") > ready, 30, lambda: f"{self.name} ready; log:\n{self.log()}")

    def alive(self):
        assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.log()}"
        return True

    def log(self):
        with open(self.path("log"), encoding="latin-1") as f:
            return f.read()

    def run(self, *args, timeout=60):
        """A command to this node, begun in its namespace, and how long it may take."""
        return self.ns.popen([ZONECAST, *args, "--run-dir", self.path("run"), "--config", self.config()], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True), timeout

    def command(self, *args, code=0, timeout=60):
        process, limit = self.run(*args, timeout=timeout)
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        assert process.returncode == code, f"{args}: {process.returncode}\n{out}{err}\n{self.log()[-3000:]}"
        return out if code == 0 else out + err

    def control(self, *args):
        return json.loads(self.command(*args, "--json"))

    def status(self):
        process, limit = self.run("status", "--json")
        return json.loads(process.communicate(timeout=limit)[0])

    def run_status(self):
        process, limit = self.run("status")
        return process.communicate(timeout=limit)[0]

    def versions(self, zone):
        return self.control("zone", "history", zone)["versions"]

    def serials(self, zone):
        return [v["serial"] for v in self.versions(zone)]

    def pid(self, role):
        with open(self.path("run", "pids"), encoding="ascii") as f:
            return next((int(p) for r, i, p in (line.split() for line in f) if r == role and i == "0"), 0)

    def kill_role(self, role):
        old = self.pid(role)
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: self.pid(role) not in (0, old), 20, f"a new {role}")

    def reboot(self):
        """As after a loss of power: nothing of the run folder is left."""
        self.stop(signal.SIGKILL)
        subprocess.run(["rm", "-rf", self.path("run")], check=True)
        self.start()

    def stop(self, sig=signal.SIGTERM):
        if not self.process:
            return
        stop_process(self.process, sig, 20)
        assert "ERROR: AddressSanitizer" not in self.log() and "runtime error:" not in self.log(), self.log()[-5000:]


class Fleet:
    """The hidden primary and pops, each pop on a cable of its own to the primary. Files are read when that is asked for, unless zone_more says otherwise."""

    def __init__(self, folder, zones, pops=1, more="", zone_more=", watch: false"):
        self.folder = str(folder)
        os.chmod(self.folder, 0o755)
        self.net = Net()
        self.nodes = []
        try:
            hidden = self.net.namespace("hidden")
            spaces = [self.net.namespace(f"pop{i}") for i in range(pops)]
            for i, ns in enumerate(spaces):
                self.net.veth(hidden, f"e{i}", [f"{hidden_addresses(i)[0]}/24", f"{hidden_addresses(i)[1]}/64"], ns, "e0",
                              [f"{pop_addresses(i)[0]}/24", f"{pop_addresses(i)[1]}/64"])
            self.write_config(zones, pops, more, zone_more)
            self.hidden = Node(hidden, folder, "hidden")
            self.pops = [Node(ns, folder, f"pop{i}") for i, ns in enumerate(spaces)]
            self.nodes = [self.hidden, *self.pops]
        except BaseException:
            self.net.close()
            raise

    def write_config(self, zones, pops, more="", zone_more=""):
        management = ", ".join(f'"{a}"' for i in range(max(pops, 1)) for a in hidden_addresses(i))
        nodes = "".join(f'  - {{name: pop{i}, role: pop, networks: [one], management: [{pop_addresses(i)[0]}, "{pop_addresses(i)[1]}"], workers: 1, '
                        f"bgp: {{router-id: {pop_addresses(i)[0]}}}}}\n" for i in range(pops))
        with open(os.path.join(self.folder, "fleet.yaml"), "w", encoding="ascii") as f:
            f.write(f"""fleet: test
networks:
  - {{name: one, prefixes: [192.0.2.0/24, "2001:db8:53::/48"], addresses: [{SERVICE[0]}, "{SERVICE[1]}"], as: 64500}}
nodes:
  - {{name: hidden, role: primary, management: [{management}], workers: 1}}
{nodes}zones:
{"".join(f"  - {{name: {z}, file: {z}.zone, network: one{zone_more}}}" + chr(10) for z in zones)}{more}""")

    def file(self, zone):
        return os.path.join(self.folder, zone + ".zone")

    def write(self, zone, serial, records=(), soa="3600 600 86400 60"):
        with open(self.file(zone) + ".new", "w", encoding="ascii") as f:
            f.write(f"$TTL 300\n@ SOA ns1 host {serial} {soa}\n@ NS ns1\nns1 A 192.0.2.53\n")
            f.writelines(line + "\n" for line in records)
        os.rename(self.file(zone) + ".new", self.file(zone))

    def publish(self, zone, serial, records=(), *more):
        self.write(zone, serial, records)
        return self.hidden.control("zone", "publish", zone, *more)

    def __enter__(self):
        try:
            for n in self.nodes:
                n.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            for n in self.nodes:
                n.stop()
        finally:
            self.net.close()


def ask(ns, address, zone, qtype="SOA", timeout=3):
    """The answer's RRset, or None."""
    name = dns.name.from_text(zone)
    query = dns.message.make_query(name, qtype)
    with ns.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        try:
            s.connect((address, 53))
            s.send(query.to_wire())
            reply = dns.message.from_wire(s.recv(4096))
        except (OSError, dns.exception.DNSException):
            return None
    return reply.get_rrset(reply.answer, name, 1, dns.rdatatype.from_text(qtype)) if reply.rcode() == 0 else None


def serial(ns, address, zone):
    answer = ask(ns, address, zone)
    return answer[0].serial if answer else None
