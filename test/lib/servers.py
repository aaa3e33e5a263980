"""Authoritative servers on loopback for tests: zonecast itself and its peers, each in a folder of its own, stopped by its pid.

    with Zonecast(folder, zones) as z, Knot(folder, zones) as k:
        ask(z.address, z.port, ...)

zones is a dict of zone name (with final dot) to the path of its file. A server that does not start raises with its log.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import dns.message
import dns.query

from paths import SANITIZED, ZONECAST

START_S = 60


def free_port():
    """A port that is free for UDP and TCP on 127.0.0.1 and ::1 right now."""
    while True:
        socks = []
        try:
            port = 0
            for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    s = socket.socket(family, kind)
                    socks.append(s)
                    s.bind((host, port))
                    port = s.getsockname()[1]
            return port
        except OSError:
            continue
        finally:
            for s in socks:
                s.close()


# Packages of packages.txt, by their programs.
PACKAGES = {"named": "bind9", "dnssec-keygen": "bind9-utils", "dnssec-signzone": "bind9-utils", "named-compilezone": "bind9-utils", "delv": "bind9-dnsutils", "dig": "bind9-dnsutils",
            "knotd": "knot", "kdig": "knot-dnsutils", "nsd": "nsd", "pdns_server": "pdns-server", "pdnsutil": "pdns-server", "sqlite3": "sqlite3", "ldns-keygen": "ldnsutils",
            "ldns-signzone": "ldnsutils", "ldns-read-zone": "ldnsutils"}


def have(*programs):
    return all(shutil.which(p, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin") for p in programs)


def need(*programs):
    """`make deps` installs all of them, so a test does not pass over one that is missing: it fails."""
    lacking = [f"{p} (package {PACKAGES[p]})" for p in programs if not have(p)]
    assert not lacking, f"missing: {', '.join(lacking)}; run make deps"


def knot_server(folder, *listen):
    """Sections of knot.conf: a server with few threads that keeps everything in the folder. listen: "ADDRESS@PORT"."""
    return f"""server:
    listen: [{', '.join(f'"{at}"' for at in listen)}]
    rundir: "{folder}"
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{folder}"
"""


def nsd_server(folder, *listen):
    """Likewise the begin of nsd.conf; more of its section may follow."""
    return "server:\n" + "".join(f"  ip-address: {at}\n" for at in listen) + f"""  server-count: 1
  rrl-ratelimit: 0
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/nsd.pid"
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  xfrdir: "{folder}"
"""


class Server:
    address = "127.0.0.1"
    name = "server"

    def __init__(self, folder, zones):
        self.folder = os.path.join(folder, self.name)
        os.makedirs(self.folder, exist_ok=True)
        self.zones = zones
        self.port = free_port()
        self.process = None

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    waits_for = None

    def write(self, name, text):
        with open(self.path(name), "w", encoding="latin-1") as f:
            f.write(text)
        return self.path(name)

    def spawn(self, argv):
        log = open(self.path("log"), "ab")
        env = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin")
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=self.folder)
        log.close()

    def log(self):
        with open(self.path("log"), encoding="latin-1") as f:
            return f.read()

    def answers(self):
        """Does every zone answer its SOA, or those of waits_for where that is set?"""
        for zone in self.waits_for or self.zones:
            try:
                reply = dns.query.udp(dns.message.make_query(zone, "SOA"), self.address, timeout=1, port=self.port)
            except (dns.exception.Timeout, OSError, dns.exception.DNSException):
                return False
            if reply.rcode() != 0 or not reply.answer:
                return False
        return True

    def ready(self):
        return self.answers()

    def __enter__(self):
        self.start()
        deadline = time.monotonic() + START_S
        try:
            while not self.ready():
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.name} did not start:\n{self.log()[-3000:]}")
                time.sleep(0.05)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)


class Zonecast(Server):
    name = "zonecast"
    workers = "1"
    extra = ()

    def start(self):
        zones = self.path("zones")
        os.makedirs(zones, exist_ok=True)
        for zone, file in self.zones.items():
            stem = zone.rstrip(".").replace("/", "%2f") or "root"
            link = os.path.join(zones, stem + ".zone")
            if not os.path.lexists(link):
                os.symlink(os.path.abspath(file), link)
        self.spawn([ZONECAST, "run", "--zones", zones, "--listen", f"127.0.0.1:{self.port}", "--listen", f"[::1]:{self.port}",
                    "--workers", self.workers, "--run-dir", self.path("run"), "--state-dir", self.path("state"), *self.extra])

    def ready(self):
        return "\nready\n" in "\n" + self.log()

    def pids(self):
        """Role and index to pid, as the supervisor tells."""
        with open(self.path("run", "pids"), encoding="ascii") as f:
            return {(r, int(i)): int(p) for r, i, p in (line.split() for line in f)}

    def stop(self):
        super().stop()
        assert not SANITIZED or "ERROR: AddressSanitizer" not in self.log(), self.log()[-5000:]
        assert "runtime error:" not in self.log(), self.log()[-5000:]


class Knot(Server):
    name = "knot"

    def start(self):
        zones = "".join(f'  - domain: "{z}"\n    file: "{os.path.abspath(f)}"\n' for z, f in self.zones.items())
        conf = self.write("knot.conf", knot_server(self.folder, f"127.0.0.1@{self.port}") + f"""log:
  - target: stderr
    any: warning
template:
  - id: default
    storage: "{self.folder}"
    semantic-checks: off
    journal-content: none
    zonefile-load: whole
    zonefile-sync: -1
zone:
{zones}""")
        self.spawn(["knotd", "-c", conf])


class Nsd(Server):
    name = "nsd"

    def start(self):
        zones = "".join(f'zone:\n  name: "{z}"\n  zonefile: "{os.path.abspath(f)}"\n' for z, f in self.zones.items())
        conf = self.write("nsd.conf", nsd_server(self.folder, f"127.0.0.1@{self.port}") + f"""  minimal-responses: yes
remote-control:
  control-enable: no
{zones}""")
        self.spawn(["nsd", "-d", "-c", conf])


class Bind(Server):
    name = "bind"

    def start(self):
        zones = "".join(f'zone "{z}" {{ type primary; file "{os.path.abspath(f)}"; check-names ignore; check-integrity no; }};\n'
                        for z, f in self.zones.items())
        conf = self.write("named.conf", f"""options {{
  directory "{self.folder}"; pid-file "{self.folder}/named.pid"; session-keyfile "{self.folder}/session.key";
  listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  recursion no; dnssec-validation no; minimal-responses yes; minimal-any yes; notify no; allow-transfer {{ any; }};
  rate-limit {{ responses-per-second 0; }};
}};
controls {{ }};
{zones}""")
        self.spawn(["named", "-g", "-n", "1", "-c", conf])


class Pdns(Server):
    """With its BIND back end; signed zones are served as they are signed. Its caches are off: what it says is what is in the file."""
    name = "pdns"

    def start(self):
        self.write("zones.conf", "".join(f'zone "{z}" {{ type master; file "{os.path.abspath(f)}"; }};\n' for z, f in self.zones.items()))
        database = self.path("dnssec.db")
        self.write("pdns.conf", "\n".join([
            "launch=bind", f"bind-config={self.folder}/zones.conf", f"bind-dnssec-db={database}", f"local-address=127.0.0.1:{self.port}", f"socket-dir={self.folder}",
            "receiver-threads=1", "distributor-threads=1", "max-tcp-connections-per-client=0", "max-tcp-transactions-per-conn=0", "daemon=no", "guardian=no", "disable-syslog=yes",
            "loglevel=3", "cache-ttl=0", "query-cache-ttl=0", "negquery-cache-ttl=0", "consistent-backends=yes", ""]))
        self.pdnsutil("create-bind-db", database)
        for zone, file in self.zones.items():
            with open(file, encoding="latin-1") as f:
                text = f.read()
            if "RRSIG" in text:
                for hashed in re.findall(r"\bNSEC3PARAM\s+(\d+)\s+\d+\s+(\d+)\s+(\S+)", text)[:1]:
                    self.pdnsutil("set-nsec3", zone, f"{hashed[0]} 0 {hashed[1]} {hashed[2]}")
                self.pdnsutil("set-presigned", zone)
        self.spawn(["pdns_server", f"--config-dir={self.folder}"])

    def pdnsutil(self, *args):
        subprocess.run(["pdnsutil", f"--config-dir={self.folder}", *args], check=True, capture_output=True, timeout=60)
