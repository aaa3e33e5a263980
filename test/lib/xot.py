# SPDX-License-Identifier: BSD-2-Clause
"""Transfers over TLS (RFC 9103) between a hidden primary and a secondary, each in a namespace of its own: nodes of ours by any fleet file, and other people's
servers that speak it.

    with Wire(folder) as wire:
        with Ours(wire.hidden, folder, "hidden", fleet_of(...)) as primary: ...
"""
import base64
import hashlib
import json
import os
import subprocess

from netns import Net, wait_until
from paths import ZONECAST
from program import Program

HIDDEN, POP = ("10.7.0.1", "2001:db8:7::1"), ("10.7.0.2", "2001:db8:7::2")
NAME, CLIENT = "primary.example", "secondary.example"


class Wire:
    """Two namespaces on one cable; certificates of an authority, and of another."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.net = Net()
        try:
            self.hidden, self.pop = self.net.namespace("hidden"), self.net.namespace("pop")
            self.net.veth(self.hidden, "e0", [f"{HIDDEN[0]}/24", f"{HIDDEN[1]}/64"], self.pop, "e0", [f"{POP[0]}/24", f"{POP[1]}/64"])
        except BaseException:
            self.net.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.net.close()


def pin_of(certificate):
    """Base64 of the SHA-256 of its public key."""
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], capture_output=True, check=True, timeout=60).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=key, capture_output=True, check=True, timeout=60).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def zone_text(serial, names=20):
    return (f"$TTL 300\n@ SOA ns1 host {serial} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\nwww TXT \"version {serial}\"\n"
            + "".join(f"host{i} A 10.{i >> 16}.{i >> 8 & 255}.{i & 255}\n" for i in range(names)))


def write_zone(folder, name, serial, names=20):
    path = os.path.join(str(folder), name + ".zone")
    with open(path + ".new", "w", encoding="ascii") as f:
        f.write(zone_text(serial, names))
    os.rename(path + ".new", path)
    return path


class Process(Program):
    def serial(self, address, zone):
        out = self.ns.run(["dig", f"@{address}", zone, "SOA", "+noall", "+answer", "+time=2", "+tries=1", "+norecurse"], check=False)
        lines = [line for line in out.splitlines() if line and not line.startswith(";")]
        return int(lines[0].split()[6]) if lines and lines[0].split()[3] == "SOA" else None

    def wait_serial(self, addresses, zone, serial, seconds=60):
        for a in addresses:
            wait_until(lambda a=a: self.process.poll() is None and self.serial(a, zone) == serial, seconds,
                       lambda a=a: f"{self.name} has {zone} {serial}, not {self.serial(a, zone)}; log:\n{self.log()[-5000:]}", 0.05)


class Ours(Process):
    killed = False  # a role of it, by the test

    def __init__(self, ns, folder, name, yaml):
        super().__init__(ns, folder, name)
        self.configure(yaml)

    def configure(self, yaml):
        self.write("fleet.yaml", yaml)

    def start(self):
        before = self.log().count("\nready\n") if self.process else 0
        self.spawn([ZONECAST, "run", "--config", self.path("fleet.yaml"), "--node", self.name, "--run-dir", self.path("run"), "--state-dir",
                    self.path("state")])
        wait_until(lambda: self.process.poll() is None and ("\n" + self.log()).count("\nready\n") > before, 60, lambda: f"{self.name} ready:\n{self.log()}")

    def stop(self):
        super().stop()
        log = self.log()
        assert "ERROR: AddressSanitizer" not in log and "runtime error:" not in log and "ERROR: LeakSanitizer" not in log, log[-5000:]
        assert self.killed or " ended signal=" not in log, log[-5000:]

    def command(self, *args):
        done = subprocess.run([ZONECAST, *args, "--run-dir", self.path("run")], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def status(self):
        return json.loads(self.command("status", "--json"))

    def told(self, zone):
        return json.loads(self.command("zone", "status", zone, "--json"))[0]


class BindPrimary(Process):
    """Serves zones over TLS at port 853, and its SOA in clear text at port 53. client_ca: asks for certificates of it, and takes no others."""

    def __init__(self, ns, folder, addresses, zones, certificate, key, client_ca=None, tsig=None):
        super().__init__(ns, folder, "bind-primary")
        self.addresses, self.zones, self.identity, self.client_ca, self.tsig = addresses, zones, (certificate, key), client_ca, tsig

    def start(self):
        v4 = [a for a in self.addresses if ":" not in a]
        v6 = [a for a in self.addresses if ":" in a]
        ca = f' ca-file "{self.client_ca}";' if self.client_ca else ""
        key = f'key "{self.tsig.name}" {{ algorithm {self.tsig.algorithm}; secret "{self.tsig.secret}"; }};\n' if self.tsig else ""
        who = f'key "{self.tsig.name}"' if self.tsig else "any"
        zones = "".join(f'zone "{z}" {{ type primary; file "{f}"; ixfr-from-differences yes; notify no; allow-transfer port 853 transport tls {{ {who}; }}; }};\n'
                        for z, f in self.zones.items())
        conf = self.write("named.conf", f"""{key}tls served {{ cert-file "{self.identity[0]}"; key-file "{self.identity[1]}"; protocols {{ TLSv1.3; }};{ca} }};
options {{
  directory "{self.folder}"; pid-file "{self.path("named.pid")}"; session-keyfile "{self.path("session.key")}";
  listen-on port 53 {{ {"; ".join(v4)}; }}; listen-on-v6 port 53 {{ {"; ".join(v6)}; }};
  listen-on port 853 tls served {{ {"; ".join(v4)}; }}; listen-on-v6 port 853 tls served {{ {"; ".join(v6)}; }};
  recursion no; dnssec-validation no;
}};
controls {{ }};
{zones}""")
        self.spawn(["named", "-g", "-n", "1", "-c", conf])
        self.wait_serial(self.addresses, next(iter(self.zones)), 1)


class BindSecondary(Process):
    """Zones from `primary` over TLS; mutual: shows this certificate and key."""

    def __init__(self, ns, folder, addresses, zones, primary, ca, mutual=None, tsig=None):
        super().__init__(ns, folder, "bind-secondary")
        self.addresses, self.zones, self.primary, self.ca, self.mutual, self.tsig = addresses, zones, primary, ca, mutual, tsig

    def start(self):
        v4 = [a for a in self.addresses if ":" not in a]
        v6 = [a for a in self.addresses if ":" in a]
        own = f' cert-file "{self.mutual[0]}"; key-file "{self.mutual[1]}";' if self.mutual else ""
        key = f'key "{self.tsig.name}" {{ algorithm {self.tsig.algorithm}; secret "{self.tsig.secret}"; }};\n' if self.tsig else ""
        with_key = f" key {self.tsig.name}" if self.tsig else ""
        zones = "".join(f'zone "{z}" {{ type secondary; file "{z}.db"; primaries {{ {self.primary} port 853{with_key} tls up; }}; allow-notify {{ any; }}; }};\n'
                        for z in self.zones)
        conf = self.write("named.conf", f"""{key}tls up {{ remote-hostname "{NAME}"; ca-file "{self.ca}"; protocols {{ TLSv1.3; }};{own} }};
options {{
  directory "{self.folder}"; pid-file "{self.path("named.pid")}"; session-keyfile "{self.path("session.key")}";
  listen-on port 53 {{ {"; ".join(v4)}; }}; listen-on-v6 port 53 {{ {"; ".join(v6)}; }};
  recursion no; dnssec-validation no; transfer-source {v4[0]}; transfer-source-v6 {v6[0]};
}};
controls {{ }};
{zones}""")
        self.spawn(["named", "-g", "-n", "1", "-c", conf])


class NsdSecondary(Process):
    def __init__(self, ns, folder, addresses, zones, primary, ca, tsig=None):
        super().__init__(ns, folder, "nsd-secondary")
        self.addresses, self.zones, self.primary, self.ca, self.tsig = addresses, zones, primary, ca, tsig

    def start(self):
        key = f'key:\n  name: "{self.tsig.name}"\n  algorithm: {self.tsig.algorithm}\n  secret: "{self.tsig.secret}"\n' if self.tsig else ""
        use = self.tsig.name if self.tsig else "NOKEY"
        zones = "".join(f'zone:\n  name: "{z}"\n  zonefile: "{self.path(z + ".db")}"\n  request-xfr: AXFR {self.primary}@853 {use} up\n'
                        f"  allow-notify: {self.primary} {use}\n" for z in self.zones)
        conf = self.write("nsd.conf", f"""server:
{"".join(f"  ip-address: {a}@53{chr(10)}" for a in self.addresses)}  server-count: 1
  rrl-ratelimit: 0
  username: ""
  chroot: ""
  zonesdir: "{self.folder}"
  database: ""
  pidfile: "{self.path("nsd.pid")}"
  xfrdfile: "{self.path("xfrd.state")}"
  zonelistfile: "{self.path("zone.list")}"
  xfrdir: "{self.folder}"
  tls-cert-bundle: "{self.ca}"
  verbosity: 2
remote-control:
  control-enable: no
{key}tls-auth:
  name: up
  auth-domain-name: {NAME}
{zones}""")
        self.spawn(["nsd", "-d", "-c", conf])
