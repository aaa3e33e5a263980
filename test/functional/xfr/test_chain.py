# SPDX-License-Identifier: BSD-2-Clause
"""A fleet of zonecast alone: a hidden primary, a pop that holds its zones by transfer, and a client that transfers from the pop. Changes travel by NOTIFY and IXFR; each end is
killed in turn."""
import json
import os
import signal
import socket
import subprocess
import time

import dns.edns
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import pytest

from netns import Net, missing, stop_process, wait_until
from paths import SANITIZED, ZONECAST
from transfers import Key, dump, plain

pytestmark = pytest.mark.skipif(missing("dig") is not None, reason=str(missing("dig")))

HIDDEN, POP = ("10.7.0.1", "2001:db8:7::1"), ("10.7.0.2", "2001:db8:7::2")
SERVICE = ("192.0.2.53", "2001:db8:53::53")
KEY = Key(name="fleet.key")
RECORDS = 3000
ZONES = {"signed.test": f", key: {KEY.name}", "plain.test": f", allow-transfer: [{HIDDEN[0]}/32]"}


class Node:
    def __init__(self, ns, folder, name, shared):
        self.ns, self.folder, self.name, self.shared = ns, str(folder), name, shared
        self.process = None
        os.makedirs(self.path(), exist_ok=True)

    def path(self, *parts):
        return os.path.join(self.folder, self.name, *parts)

    def start(self):
        with open(self.path("log"), "ab") as log:
            self.process = self.ns.popen([ZONECAST, "run", "--config", os.path.join(self.shared, "fleet.yaml"), "--node", self.name, "--run-dir",
                                          self.path("run"), "--state-dir", self.path("state"), "--log-level", "debug"],
                                         stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_ready(self):
        wait_until(lambda: self.process.poll() is None and "\nready\n" in "\n" + self.log(), 30, lambda: f"{self.name} ready; log:\n{self.log()}")

    def log(self):
        with open(self.path("log"), encoding="latin-1") as f:
            return f.read()

    def status(self):
        done = subprocess.run([ZONECAST, "status", "--json", "--run-dir", self.path("run")], capture_output=True, text=True, timeout=60, check=False)
        return json.loads(done.stdout)

    def zonecast(self, *args):
        done = subprocess.run([ZONECAST, *args, "--run-dir", self.path("run")], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def pid(self, role):
        with open(self.path("run", "pids"), encoding="ascii") as f:
            return next((int(p) for r, i, p in (line.split() for line in f) if r == role and i == "0"), 0)

    def stop(self):
        stop_process(self.process, timeout=20)
        assert "ERROR: AddressSanitizer" not in self.log() and "runtime error:" not in self.log(), self.log()[-5000:]


@pytest.fixture
def fleet(tmp_path):
    os.chmod(tmp_path, 0o755)
    with Net() as net:
        prim, pop = net.namespace("hidden"), net.namespace("pop")
        net.veth(prim, "e0", [f"{HIDDEN[0]}/24", f"{HIDDEN[1]}/64"], pop, "e0", [f"{POP[0]}/24", f"{POP[1]}/64"])
        for name in ZONES:
            write_zone(tmp_path, name, 1)
        secret = tmp_path / "fleet.secret"
        secret.write_text(KEY.secret + "\n")
        secret.chmod(0o600)
        zones = "".join(f"  - {{name: {name}, file: {name}.zone, network: one{more}}}\n" for name, more in ZONES.items())
        (tmp_path / "fleet.yaml").write_text(f"""fleet: test
networks:
  - {{name: one, prefixes: [192.0.2.0/24, "2001:db8:53::/48"], addresses: [{SERVICE[0]}, "{SERVICE[1]}"], as: 64500}}
nodes:
  - {{name: hidden, role: primary, management: [{HIDDEN[0]}, "{HIDDEN[1]}"], workers: 1}}
  - {{name: pop, role: pop, networks: [one], management: [{POP[0]}, "{POP[1]}"], workers: 1, bgp: {{router-id: {POP[0]}}}}}
keys:
  - {{name: {KEY.name}, secret-file: fleet.secret}}
zones:
{zones}""")
        nodes = Node(prim, tmp_path, "hidden", str(tmp_path)), Node(pop, tmp_path, "pop", str(tmp_path))
        try:
            for n in nodes:
                n.start()
            for n in nodes:
                n.wait_ready()
            yield nodes
        finally:
            for n in nodes:
                n.stop()


def write_zone(folder, name, serial):
    with open(os.path.join(folder, name + ".zone"), "w", encoding="ascii") as f:
        f.write(f"$TTL 300\n@ SOA ns1 host {serial} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\nwww TXT \"version {serial}\"\n")
        f.writelines(f"host{i} A 10.0.{i >> 8}.{i & 255}\n" for i in range(RECORDS))


def dig(ns, address, zone, qtype, *more):
    out = ns.run(["dig", f"@{address}", zone, qtype, "+noall", "+answer", "+time=2", "+tries=1", *more], check=False)
    return [line for line in out.splitlines() if line and not line.startswith(";")]


def serial(ns, address, zone):
    lines = dig(ns, address, zone, "SOA")
    return int(lines[0].split()[6]) if lines else None


def change(hidden, name, number):
    """A new version; seconds until the pop answers it over both families."""
    write_zone(hidden.shared, name, number)
    began = time.monotonic()
    hidden.zonecast("zone", "reload", name)
    return began


def wait_served(pop, name, number, seconds=30):
    for address in POP:
        wait_until(lambda a=address: serial(pop.ns, a, name) == number, seconds,
                   lambda: f"{name} {number} at the pop: {pop.status()['transfers_out']} {pop.status()['transfers_in']}\n{pop.log()[-3000:]}", 0.002)


def ask(ns, address, kind, message):
    """The reply to one message over TCP or UDP."""
    with ns.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as s:
        s.settimeout(10)
        s.connect((address, 53))
        if kind == socket.SOCK_DGRAM:
            s.send(message.to_wire())
            return dns.message.from_wire(s.recv(4096))
        dns.query.send_tcp(s, message)
        return dns.query.receive_tcp(s, time.time() + 10)[0]


def key_option(name):
    return ["-y", f"{KEY.algorithm}:{KEY.name}:{KEY.secret}"] if name == "signed.test" else []


def canonical(lines):
    out = []
    for line in lines[:-1]:
        out.append("\t".join(line.split(None, 4)))
    return plain(out)


def test_chain(fleet):
    hidden, pop = fleet
    for name in ZONES:
        wait_served(pop, name, 1)
        took = []
        for number in range(2, 8):
            began = change(hidden, name, number)
            wait_served(pop, name, number)
            took.append(time.monotonic() - began)
        print(f"{name}: from reload to the pop's answer {' '.join(f'{t * 1000:.0f}' for t in took)} ms")
        assert sorted(took)[len(took) // 2] < (10 if SANITIZED else 3)
    assert hidden.status()["transfers_out"]["ixfr"] >= 2 * 6, hidden.status()["transfers_out"]
    assert pop.status()["transfers_in"]["notified"] >= 2 * 6, pop.status()["transfers_in"]
    # The pop's copy, transferred from the pop; and the way there from every version it had.
    for name in ZONES:
        want = plain(dump(os.path.join(hidden.shared, name + ".zone"), name + "."))
        for address in (POP[0],) if name == "plain.test" else POP:
            assert canonical(dig(hidden.ns, address, name, "AXFR", *key_option(name))) == want
        lines = dig(hidden.ns, POP[0], name, "IXFR=3", *key_option(name))
        assert 12 < len(lines) < 100, lines[:5]
    # No transfer over service addresses, whoever asks.
    for address in SERVICE:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            for qtype in ("AXFR", "IXFR"):
                reply = ask(pop.ns, address, kind, dns.message.make_query("plain.test.", qtype, use_edns=True))
                assert reply.rcode() == dns.rcode.REFUSED, reply
                assert [o.code for o in reply.options] == [dns.edns.EDECode.PROHIBITED], reply
            notify = dns.message.make_query("plain.test.", "SOA")
            notify.set_opcode(dns.opcode.NOTIFY)
            assert ask(pop.ns, address, kind, notify).rcode() == dns.rcode.REFUSED
    handed = pop.status()["transfers_out"]
    assert handed["handed_over"] > 0 and handed["handover_failed"] == 0, handed


def test_killed(fleet):
    """Sync of either end is killed; the next change arrives all the same, and the pop still knows its differences: from the journal."""
    hidden, pop = fleet
    name, number = "signed.test", 1
    wait_served(pop, name, number)
    for _ in range(2):
        number += 1
        change(hidden, name, number)
        wait_served(pop, name, number)
    for node in (pop, hidden, pop):
        was = node.pid("sync")
        os.kill(was, signal.SIGKILL)
        wait_until(lambda n=node, w=was: n.pid("sync") not in (0, w), 20, "another sync")
        number += 1
        change(hidden, name, number)
        wait_served(pop, name, number)
    lines = dig(hidden.ns, POP[0], name, "IXFR=1", *key_option(name))
    assert 10 < len(lines) < 100, lines[:5]
    assert canonical(dig(hidden.ns, POP[0], name, "AXFR", *key_option(name))) == plain(dump(os.path.join(hidden.shared, name + ".zone"), name + "."))
