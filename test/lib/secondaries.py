# SPDX-License-Identifier: BSD-2-Clause
"""Other people's servers as secondaries of zonecast, in a namespace, each with several zones of its own.

A Held is one zone at one server: from which address of the primary, with which key, asked over which family.
"""
from dataclasses import dataclass

from netns import wait_until
from program import Program
from transfers import Key, pdns_database, pdns_key, pdns_keys


@dataclass
class Held:
    zone: str
    primary: str          # its address, port 53
    key: Key | None = None


class Secondary(Program):
    """Runs in `ns`, listens on `addresses` at `port`."""

    name = "server"
    asks_differences = True

    def __init__(self, ns, folder, addresses, port, held):
        super().__init__(ns, folder, self.name)
        self.addresses, self.port, self.held = addresses, port, held

    def keys(self):
        return {h.key.name: h.key for h in self.held if h.key}.values()

    def dig(self, zone, qtype, *more):
        """Lines of the answer section."""
        out = self.ns.run(["dig", f"@{self.addresses[0]}", "-p", str(self.port), zone, qtype, "+noall", "+answer", "+time=2", "+tries=1", *more],
                          check=False)
        return [line for line in out.splitlines() if line and not line.startswith(";")]

    def serial(self, zone):
        lines = self.dig(zone, "SOA", "+norecurse")
        return int(lines[0].split()[6]) if lines and lines[0].split()[3] == "SOA" else None

    def wait(self, serials, seconds=60):
        """Until each zone has the serial."""
        wait_until(lambda: self.process.poll() is None and all(self.serial(z) == s for z, s in serials.items()), seconds,
                   lambda: f"{self.name}: {[(z, self.serial(z), s) for z, s in serials.items()]}\n{self.log()[-4000:]}", 0.1)


class Bind(Secondary):
    name = "bind"
    program = "named"

    def start(self):
        keys = "".join(f'key "{k.name}" {{ algorithm {k.algorithm}; secret "{k.secret}"; }};\n' for k in self.keys())
        zones = ""
        for h in self.held:
            key = f" key {h.key.name}" if h.key else ""
            zones += (f'zone "{h.zone}" {{ type secondary; file "{self.path(h.zone + "db")}"; primaries {{ {h.primary}{key}; }}; '
                      f'notify no; allow-transfer {{ any; }}; }};\n')
        v4 = [a for a in self.addresses if ":" not in a]
        v6 = [a for a in self.addresses if ":" in a]
        conf = self.write("named.conf", f"""{keys}options {{
  directory "{self.folder}"; pid-file "{self.path("named.pid")}"; session-keyfile "{self.path("session.key")}";
  listen-on port {self.port} {{ {"; ".join(v4)}; }}; listen-on-v6 port {self.port} {{ {"; ".join(v6)}; }};
  recursion no; dnssec-validation no; transfer-source {v4[0]}; transfer-source-v6 {v6[0]};
}};
controls {{ }};
{zones}""")
        self.spawn(["named", "-g", "-n", "1", "-c", conf])


class Knot(Secondary):
    name = "knot"
    program = "knotd"

    def start(self):
        keys = "".join(f"  - id: {k.name}\n    algorithm: {k.algorithm}\n    secret: {k.secret}\n" for k in self.keys())
        remotes = acls = zones = ""
        for i, h in enumerate(self.held):
            key = f"    key: {h.key.name}\n" if h.key else ""
            remotes += f"  - id: primary{i}\n    address: {h.primary}\n{key}"
            acls += f"  - id: acl{i}\n    address: {h.primary}\n{key}    action: notify\n"
            zones += f"  - domain: \"{h.zone}\"\n    master: primary{i}\n    acl: [acl{i}, out]\n    zonefile-sync: -1\n"
        listen = ", ".join(f"{a}@{self.port}" for a in self.addresses)
        conf = self.write("knot.conf", f"""server:
    listen: [{listen}]
    rundir: "{self.folder}"
    udp-workers: 1
    tcp-workers: 1
    background-workers: 2
database:
    storage: "{self.folder}"
log:
  - target: stderr
    any: info
{"key:" if keys else ""}
{keys}remote:
{remotes}acl:
  - id: out
    address: [{", ".join(self.addresses)}]
    action: transfer
{acls}template:
  - id: default
    storage: "{self.folder}"
    semantic-checks: off
zone:
{zones}""")
        self.spawn(["knotd", "-c", conf])


class Nsd(Secondary):
    name = "nsd"
    program = "nsd"

    def start(self):
        keys = "".join(f'key:\n  name: "{k.name}"\n  algorithm: {k.algorithm}\n  secret: "{k.secret}"\n' for k in self.keys())
        zones = ""
        for h in self.held:
            key = h.key.name if h.key else "NOKEY"
            zones += (f'zone:\n  name: "{h.zone}"\n  zonefile: "{self.path(h.zone + "db")}"\n  request-xfr: {h.primary} {key}\n'
                      f"  allow-notify: {h.primary} {key}\n")
            zones += "".join(f"  provide-xfr: {a} NOKEY\n" for a in self.addresses)
        listen = "".join(f"  ip-address: {a}@{self.port}\n" for a in self.addresses)
        conf = self.write("nsd.conf", f"""server:
{listen}  server-count: 1
  rrl-ratelimit: 0
  username: ""
  chroot: ""
  zonesdir: "{self.folder}"
  database: ""
  pidfile: "{self.path("nsd.pid")}"
  xfrdfile: "{self.path("xfrd.state")}"
  zonelistfile: "{self.path("zone.list")}"
  xfrdir: "{self.folder}"
  verbosity: 2
remote-control:
  control-enable: no
{keys}{zones}""")
        self.spawn(["nsd", "-d", "-c", conf])


class Pdns(Secondary):
    """With the bind backend, its keys in SQLite: it asks for whole zones."""

    name = "pdns"
    program = "pdns_server"
    asks_differences = False

    def start(self):
        self.write("zones.conf", "".join(f'zone "{h.zone.rstrip(".")}" {{ type slave; file "{self.path(h.zone + "db")}"; masters {{ {h.primary}; }}; }};\n'
                                         for h in self.held))
        for h in self.held:
            self.write(h.zone + "db", "")
        self.write("pdns.conf", f"""launch=bind
bind-config={self.path("zones.conf")}
bind-check-interval=1
{pdns_keys(self.path("keys.db"))}
local-address={", ".join(self.addresses)}
local-port={self.port}
socket-dir={self.folder}
daemon=no
guardian=no
slave=yes
disable-axfr=no
allow-axfr-ips={", ".join(self.addresses)}
query-local-address={", ".join(self.addresses)}
zone-cache-refresh-interval=0
query-cache-ttl=0
cache-ttl=0
xfr-cycle-interval=1
security-poll-suffix=
""")
        pdns_database(self.folder)
        for k in self.keys():
            pdns_key(self.folder, k, {h.zone: "slave" for h in self.held if h.key == k})
        self.spawn(["pdns_server", f"--config-dir={self.folder}"])


ALL = [Bind, Knot, Nsd, Pdns]
