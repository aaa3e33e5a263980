# SPDX-License-Identifier: BSD-2-Clause
"""Primaries and secondaries of catalogs (RFC 9432): Knot, BIND and PowerDNS with many zones each.

A producer has `members`, a dict of zone (with final dot) to its group or None; set() changes them while it runs. A consumer has a catalog at a primary. Zones
are all the same but for their name and serial.
"""
import os
import signal
import subprocess

from servers import Server

KNOT_DATABASE = "    storage: \"{0}\"\n    catalog-db: \"{0}/catalog\"\n    catalog-db-max-size: 1G\n"


refresh_s = 3600  # of all zones; a bench sets it


def zone_text(zone, serial=1):
    return f"$ORIGIN {zone}\n$TTL 300\n@ SOA ns1 host {serial} {refresh_s} 60 86400 60\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.1\n@ TXT \"{zone}\"\n"


def file_of(folder, zone):
    return os.path.join(folder, zone.rstrip(".") + ".zone")


def write_zone(folder, zone, serial=1):
    os.makedirs(folder, exist_ok=True)
    path = file_of(folder, zone)
    with open(path + ".new", "w", encoding="ascii") as f:
        f.write(zone_text(zone, serial))
    os.replace(path + ".new", path)
    return path


def catalog_text(catalog, members, serial=1, version="2", more=""):
    """members: dict of zone to group, or to (id, group, coo)."""
    lines = [f"$ORIGIN {catalog}\n$TTL 0\n@ SOA invalid. invalid. {serial} 3600 600 2147483646 0\n@ NS invalid.\n"]
    if version:
        lines.append(f'version TXT "{version}"\n')
    for zone, what in members.items():
        label, group, coo = what if isinstance(what, tuple) else (None, what, None)
        label = label or zone.rstrip(".").replace(".", "-")
        lines.append(f"{label}.zones PTR {zone}\n")
        if group:
            lines.append(f'group.{label}.zones TXT "{group}"\n')
        if coo:
            lines.append(f"coo.{label}.zones PTR {coo}\n")
    return "".join(lines) + more


class KnotProducer(Server):
    """Makes the catalog itself."""

    name = "knot-producer"
    address = "127.0.0.1"

    def __init__(self, folder, catalog, members, notify=None):
        super().__init__(str(folder), {catalog: None})
        self.catalog, self.members, self.notify = catalog, dict(members), notify
        self.waits_for = list(members)[-1:]  # it refuses questions for a catalog over UDP
        self.zone_folder = self.path("zones")
        for zone in members:
            write_zone(self.zone_folder, zone)

    def configure(self):
        remote = f"remote:\n  - id: them\n    address: {self.notify}\n" if self.notify else ""
        notify = "    notify: them\n" if self.notify else ""
        text = f"""server:
    listen: [127.0.0.1@{self.port}, ::1@{self.port}]
    rundir: "{self.folder}"
    udp-workers: 1
    tcp-workers: 2
    background-workers: 2
database:
    storage: "{self.folder}"
    journal-db-max-size: 4G
log:
  - target: stderr
    any: warning
{remote}acl:
  - id: all
    action: [transfer, notify]
    address: [127.0.0.0/8, ::1]
template:
  - id: default
    storage: "{self.zone_folder}"
    file: "%s.zone"
    zonefile-sync: -1
    zonefile-load: difference
    journal-content: changes
    semantic-checks: off
    acl: all
{notify}  - id: member
    storage: "{self.zone_folder}"
    file: "%s.zone"
    zonefile-sync: -1
    zonefile-load: difference
    journal-content: changes
    semantic-checks: off
    acl: all
    catalog-role: member
    catalog-zone: {self.catalog}
{notify}zone:
  - domain: {self.catalog}
    catalog-role: generate
"""
        zones = []
        for zone, group in self.members.items():
            zones.append(f"  - domain: {zone}\n    template: member\n" + (f"    catalog-group: {group}\n" if group else ""))
        self.write("knot.conf", text + "".join(zones))

    def start(self):
        self.configure()
        self.spawn(["knotd", "-c", self.path("knot.conf")])

    def set(self, members):
        for zone in members:
            if zone not in self.members:
                write_zone(self.zone_folder, zone)
        self.members = dict(members)
        self.configure()
        self.process.send_signal(signal.SIGHUP)

    def change(self, zone, serial):
        write_zone(self.zone_folder, zone, serial)
        subprocess.run(["knotc", "-c", self.path("knot.conf"), "zone-reload", zone], check=True, capture_output=True, timeout=60,
                       env=dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin"))


class BindProducer(Server):
    """The catalog is a file like any other."""

    name = "bind-producer"
    address = "127.0.0.1"

    def __init__(self, folder, catalog, members, notify=None, zones=None, **how):
        super().__init__(str(folder), {catalog: None})
        self.catalog, self.members, self.notify, self.serial_now, self.how = catalog, dict(members), notify, 1, how
        self.zone_folder = self.path("zones")
        self.known = list(zones or members)

    def configure(self):
        with open(file_of(self.folder, self.catalog), "w", encoding="ascii") as f:
            f.write(catalog_text(self.catalog, self.members, self.serial_now, **self.how))
        for zone in self.known:
            if not os.path.exists(file_of(self.zone_folder, zone)):
                write_zone(self.zone_folder, zone)
        notify = f"notify explicit; also-notify {{ {self.notify}; }};" if self.notify else "notify no;"
        zones = "".join(f'zone "{z}" {{ type primary; file "{file_of(self.zone_folder, z)}"; }};\n' for z in self.known)
        self.write("named.conf", f"""options {{
  directory "{self.folder}"; pid-file "{self.folder}/named.pid"; session-keyfile "{self.folder}/session.key";
  listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 port {self.port} {{ ::1; }};
  recursion no; dnssec-validation no; notify-delay 0; {notify} allow-transfer {{ any; }}; ixfr-from-differences yes; check-names primary ignore;
}};
controls {{ }};
zone "{self.catalog}" {{ type primary; file "{file_of(self.folder, self.catalog)}"; }};
{zones}""")

    def start(self):
        self.configure()
        self.spawn(["named", "-g", "-n", "1", "-c", self.path("named.conf")])

    def set(self, members, **how):
        """A new version of the catalog; how: of catalog_text()."""
        self.members, self.how = dict(members), how
        self.serial_now += 1
        self.configure()
        path = file_of(self.folder, self.catalog)
        self.touched = getattr(self, "touched", os.stat(path).st_mtime) + 10
        os.utime(path, (self.touched, self.touched))
        self.process.send_signal(signal.SIGHUP)


class KnotConsumer(Server):
    name = "knot-consumer"
    address = "127.0.0.1"

    def __init__(self, folder, catalog, primary):
        super().__init__(str(folder), {})
        self.catalog, self.primary = catalog, primary

    def start(self):
        self.write("knot.conf", f"""server:
    listen: 127.0.0.1@{self.port}
    rundir: "{self.folder}"
    udp-workers: 1
    tcp-workers: 2
    background-workers: 2
database:
    storage: "{self.folder}"
log:
  - target: stderr
    any: info
remote:
  - id: primary
    address: {self.primary}
acl:
  - id: primary
    action: notify
    address: [127.0.0.0/8, ::1]
template:
  - id: default
    storage: "{self.folder}"
    zonefile-sync: -1
    zonefile-load: none
    journal-content: all
    master: primary
    acl: primary
  - id: member
    storage: "{self.folder}"
    zonefile-sync: -1
    zonefile-load: none
    journal-content: all
    master: primary
    acl: primary
zone:
  - domain: {self.catalog}
    catalog-role: interpret
    catalog-template: member
""")
        self.spawn(["knotd", "-c", self.path("knot.conf")])


class BindConsumer(Server):
    name = "bind-consumer"
    address = "127.0.0.1"

    def __init__(self, folder, catalog, primary):
        super().__init__(str(folder), {})
        self.catalog, self.primary = catalog, primary

    def start(self):
        address, port = self.primary.split("@")
        self.write("named.conf", f"""options {{
  directory "{self.folder}"; pid-file "{self.folder}/named.pid"; session-keyfile "{self.folder}/session.key";
  listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  recursion no; dnssec-validation no; allow-notify {{ 127.0.0.1; ::1; }}; notify no;
  catalog-zones {{ zone "{self.catalog}" default-primaries {{ {address} port {port}; }} in-memory yes min-update-interval 1; }};
}};
controls {{ }};
zone "{self.catalog}" {{ type secondary; file "{self.folder}/catalog.db"; primaries {{ {address} port {port}; }}; min-refresh-time 1; min-retry-time 1; }};
""")
        self.spawn(["named", "-g", "-n", "1", "-c", self.path("named.conf")])


class Pdns(Server):
    """With SQLite, since the backend for BIND's files knows no catalogs."""

    address = "127.0.0.1"
    more = ""

    @staticmethod
    def available():
        return any(os.path.exists(f"/usr/lib/{a}/pdns/libgsqlite3backend.so") for a in ("x86_64-linux-gnu", "aarch64-linux-gnu"))

    def util(self, *args):
        subprocess.run(["pdnsutil", f"--config-dir={self.folder}", *args], check=True, capture_output=True, timeout=60)

    def prepare(self):
        database = self.path("pdns.sqlite3")
        self.write("pdns.conf", f"""launch=gsqlite3
gsqlite3-database={database}
gsqlite3-pragma-journal-mode=WAL
gsqlite3-pragma-synchronous=0
retrieval-threads=1
receiver-threads=1
distributor-threads=1
local-address=127.0.0.1, ::1
local-port={self.port}
socket-dir={self.folder}
daemon=no
guardian=no
xfr-cycle-interval=1
zone-cache-refresh-interval=0
query-cache-ttl=0
cache-ttl=0
version-string=anonymous
security-poll-suffix=
loglevel=5
{self.more}
""")
        if os.path.exists(database):
            return False
        with open("/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql", encoding="ascii") as schema:
            subprocess.run(["sqlite3", database], stdin=schema, check=True, timeout=60)
        return True

    def start(self):
        self.prepare()
        self.spawn(["pdns_server", f"--config-dir={self.folder}"])


class PdnsConsumer(Pdns):
    name = "pdns-consumer"
    more = "secondary=yes\nautosecondary=yes\n"

    def __init__(self, folder, catalog, primary):
        super().__init__(str(folder), {})
        self.catalog, self.primary = catalog, primary

    def prepare(self):
        if super().prepare():
            address, port = self.primary.split("@")
            self.util("create-secondary-zone", self.catalog.rstrip("."), f"[{address}]:{port}" if ":" in address else f"{address}:{port}")
            self.util("set-kind", self.catalog.rstrip("."), "consumer")


class PdnsProducer(Pdns):
    name = "pdns-producer"

    def __init__(self, folder, catalog, members, notify):
        super().__init__(str(folder), {catalog: None})
        self.catalog, self.members = catalog, dict(members)
        self.more = f"primary=yes\nalso-notify={notify}\nallow-axfr-ips=127.0.0.0/8,::1\ndisable-axfr=no\n"
        self.waits_for = list(members)[-1:]

    def add(self, zone, group):
        text = zone_text(zone)
        path = self.write(zone + "zone", text)
        self.util("load-zone", zone.rstrip("."), path)
        self.util("set-kind", zone.rstrip("."), "primary")
        self.util("set-catalog", zone.rstrip("."), self.catalog.rstrip("."))
        if group:
            self.util("set-option", zone.rstrip("."), "producer", "group", group)

    def prepare(self):
        if not super().prepare():
            return
        path = self.write("catalog.zone", f"$ORIGIN {self.catalog}\n@ 0 SOA invalid. invalid. 1 3600 600 2147483646 0\n@ 0 NS invalid.\n")
        self.util("load-zone", self.catalog.rstrip("."), path)
        self.util("set-kind", self.catalog.rstrip("."), "producer")
        for zone, group in self.members.items():
            self.add(zone, group)

    def set(self, members):
        for zone in self.members:
            if zone not in members:
                self.util("delete-zone", zone.rstrip("."))
        for zone, group in members.items():
            if zone not in self.members:
                self.add(zone, group)
        self.members = dict(members)
