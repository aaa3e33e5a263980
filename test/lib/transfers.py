# SPDX-License-Identifier: BSD-2-Clause
"""Transfers between xfrtool (the cores of src/xfr) and real servers.

fetch() asks a server with `xfrtool in`; Serving is a primary made of `xfrtool out`; the classes below run BIND, Knot, NSD and PowerDNS as primary and
as secondary of one zone. A key is a Key or None.
"""
import os
import selectors
import signal
import socket
import struct
import subprocess
import threading
import time
from dataclasses import dataclass

import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.tsigkeyring

from paths import program
from servers import Server, free_port, knot_server, nsd_server

WAIT_S = 60


@dataclass
class Key:
    name: str = "transfer.key"
    algorithm: str = "hmac-sha256"
    secret: str = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
    octets: int = 0  # of a truncated MAC

    @property
    def ring(self):
        return dns.tsigkeyring.from_text({self.name: (self.algorithm, self.secret)})

    @property
    def tool(self):
        return ["--key", f"{self.name}:{self.algorithm}:{self.secret}" + (f":{self.octets}" if self.octets else "")]


def read_message(s):
    """The next message's octets of a connection, b"" at its end."""
    def exactly(n):
        data = b""
        while len(data) < n:
            more = s.recv(min(n - len(data), 65536))
            if not more:
                return b""
            data += more
        return data
    head = exactly(2)
    return exactly(struct.unpack("!H", head)[0]) if head else b""


def wait(condition, what, limit_s=WAIT_S):
    """What condition() gives, once that is true."""
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit_s} s: {what() if callable(what) else what}")
        time.sleep(0.05)
    return value


def fetch(address, port, zone, key=None, udp=False, options=()):
    """(first line, list of the others, facts) of a transfer."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as s:
        s.settimeout(WAIT_S)
        s.connect((address, port))
        s.settimeout(None)
        p = subprocess.run([program("xfrtool"), "in", zone, *(key.tool if key else ()), *(["--udp"] if udp else ()), *map(str, options)],
                           stdin=s, capture_output=True, timeout=WAIT_S, check=True)
    lines = p.stdout.decode("latin-1").splitlines()
    return lines[0], lines[1:], p.stderr.decode()


def dump(file, zone):
    """The zone's records as zonecast reads the file, one a line, canonical."""
    p = subprocess.run([program("zonedump"), file, zone], capture_output=True, timeout=WAIT_S, check=True)
    return p.stdout.decode("latin-1").splitlines()


def plain(lines):
    """To compare with servers that change the case of names; sorted."""
    return sorted(line.lower() for line in lines)


def identity(line):
    """A record without its TTL, which a deletion may have wrong."""
    owner, _, rest = line.split("\t", 2)
    return (owner + "\t" + rest).lower()


def apply(base, differences, adds_again=False):
    """The zone after the differences; what they delete must be there, what they add must not, unless adds_again."""
    records = {identity(line): line.lower() for line in base}
    for line in differences:
        sign, record = line[0], line[2:]
        if sign == "-":
            assert identity(record) in records, f"deletes what is not there: {record}"
            del records[identity(record)]
        else:
            assert adds_again or identity(record) not in records, f"adds what is there: {record}"
            records[identity(record)] = record.lower()
    return sorted(records.values())


def write_difference(folder, name, old, new):
    """Two files in zone form for `xfrtool out --difference`, each with its SOA first."""
    gone = [r for r in old if r not in set(new)]
    come = [r for r in new if r not in set(old)]
    paths = []
    for suffix, records in (("deleted", gone), ("added", come)):
        records.sort(key=lambda r: "\tIN\tSOA\t" not in r)
        assert "\tIN\tSOA\t" in records[0]
        paths.append(os.path.join(folder, f"{name}.{suffix}"))
        with open(paths[-1], "w", encoding="latin-1") as f:
            f.write("\n".join(records) + "\n")
    return ["--difference", *paths]


class Serving:
    """A primary: each TCP connection gets an `xfrtool out` of its own, datagrams share one."""

    def __init__(self, zone, file, key=None, options=()):
        self.zone, self.key = zone, key
        self.port = free_port()
        self.lock = threading.Lock()
        self.children, self.logs = [], []
        self.datagrams = None
        self.tcp = socket.create_server(("127.0.0.1", self.port))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.set(file, options)
        self.stopping = False
        self.thread = threading.Thread(target=self.loop)

    def set(self, file, options=()):
        """Serve this version from now on."""
        with self.lock:
            self.argv = [program("xfrtool"), "out", self.zone, file, *(self.key.tool if self.key else ()), *options]
            if self.datagrams:
                self.datagrams.close()
            self.datagrams, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.datagrams.settimeout(WAIT_S)
            self.spawn(theirs, ["--udp", "--message", "512"])

    def spawn(self, sock, options=()):
        with sock:
            p = subprocess.Popen([*self.argv, *options], stdin=sock, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        reader = threading.Thread(target=lambda: self.logs.extend(line.decode().strip() for line in p.stderr))
        reader.start()
        self.children.append((p, reader))

    def loop(self):
        with selectors.DefaultSelector() as sel:
            sel.register(self.tcp, selectors.EVENT_READ)
            sel.register(self.udp, selectors.EVENT_READ)
            while not self.stopping:
                for ready, _ in sel.select(0.1):
                    with self.lock:
                        if ready.fileobj is self.tcp:
                            self.spawn(self.tcp.accept()[0])
                            continue
                        message, client = self.udp.recvfrom(65535)
                        self.datagrams.send(message)
                        self.udp.sendto(self.datagrams.recv(65535), client)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()
        self.datagrams.close()
        for p, reader in self.children:
            p.terminate()
            p.wait()
            reader.join()
            p.stderr.close()
        self.tcp.close()
        self.udp.close()


class Peer(Server):
    """A server of one zone. file: of a primary; master: port of the primary on 127.0.0.1, of a secondary."""

    sends_differences = True
    adds_again = False
    accepts_unsigned = True

    def __init__(self, folder, zone, file=None, master=None, key=None, host="127.0.0.1"):
        super().__init__(folder, {zone: file})
        self.zone, self.file, self.master, self.key, self.address = zone, file, master, key, host
        self.touched = time.time()

    def write(self, name, text):
        """Configurations are written for IPv4; for ::1 both sides change."""
        if self.address == "::1":
            text = text.replace(f"listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};",
                                f"listen-on {{ none; }}; listen-on-v6 port {self.port} {{ ::1; }};").replace("127.0.0.1", "::1")
        return super().write(name, text)

    def serial(self):
        try:
            reply = dns.query.udp(dns.message.make_query(self.zone, "SOA"), self.address, timeout=2, port=self.port)
            return reply.answer[0][0].serial if reply.answer else None
        except (dns.exception.Timeout, OSError):
            return None

    def reload(self):
        """Take the changed zone file."""
        self.touch()
        self.process.send_signal(signal.SIGHUP)

    def touch(self):
        """A time of change that no version before had, to the second."""
        self.touched += 10
        os.utime(self.file, (self.touched, self.touched))

    def notify(self):
        m = dns.message.make_query(self.zone, "SOA")
        m.set_opcode(dns.opcode.NOTIFY)
        m.flags = dns.flags.AA | (dns.opcode.NOTIFY << 11)
        if self.key:
            m.use_tsig(self.key.ring, algorithm=self.key.algorithm)
        try:
            dns.query.udp(m, self.address, timeout=2, port=self.port)
        except dns.exception.Timeout:
            pass


class BindPeer(Peer):
    name = "bind"
    accepts_unsigned = False  # BIND 9.18.49 wants every message signed, which RFC 8945 5.3.1 does not ask for

    def start(self):
        k = self.key
        key = f'key "{k.name}" {{ algorithm {k.algorithm}{f"-{k.octets * 8}" if k.octets else ""}; secret "{k.secret}"; }};\n' if k else ""
        if self.file:
            zone = f'type primary; file "{self.file}"; check-names ignore; check-integrity no; ixfr-from-differences yes;'
        else:
            zone = (f'type secondary; file "{self.path("secondary.db")}"; masterfile-format text; '
                    f'primaries {{ 127.0.0.1 port {self.master}{f" key {k.name}" if k else ""}; }}; min-refresh-time 1; min-retry-time 1;')
        conf = self.write("named.conf", f"""{key}options {{
  directory "{self.folder}"; pid-file "{self.folder}/named.pid"; session-keyfile "{self.folder}/session.key";
  listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  recursion no; dnssec-validation no; notify no; allow-notify {{ 127.0.0.1; }};
  allow-transfer {{ {f"key {k.name}" if k else "any"}; }};
}};
controls {{ }};
zone "{self.zone}" {{ {zone} }};
""")
        self.spawn(["named", "-g", "-n", "1", "-c", conf])


class KnotPeer(Peer):
    name = "knot"
    policy = ""     # sections of its own, before the zone
    zone_more = ""  # lines of the zone

    def start(self):
        k = self.key
        key = f"key:\n  - id: {k.name}\n    algorithm: {k.algorithm}\n    secret: {k.secret}\n" if k else ""
        use_key = f"key: {k.name}" if k else "address: 127.0.0.1"
        remote = f"remote:\n  - id: primary\n    address: 127.0.0.1@{self.master}\n    {use_key if k else ''}\n" if self.master else ""
        zone = "zonefile-load: difference" if self.file else "zonefile-load: none\n    master: primary\n    zonefile-sync: -1"
        conf = self.write("knot.conf", knot_server(self.folder, f"127.0.0.1@{self.port}") + f"""log:
  - target: stderr
    any: info
{key}{remote}{self.policy}acl:
  - id: all
    action: [transfer, notify]
    {use_key}
zone:
  - domain: "{self.zone}"
    file: "{self.file or self.path('secondary.db')}"
    semantic-checks: off
    journal-content: all
    acl: all
    {zone}
    {self.zone_more}
""")
        self.spawn(["knotd", "-c", conf])


class NsdPeer(Peer):
    name = "nsd"
    adds_again = True  # NSD 4.6: differences it makes of zone files add the apex's other sets once more

    def start(self):
        k = self.key
        key = f'key:\n  name: "{k.name}"\n  algorithm: {k.algorithm}\n  secret: "{k.secret}"\n' if k else ""
        use = k.name if k else "NOKEY"
        master = f"  request-xfr: 127.0.0.1@{self.master} {use}\n  allow-notify: 127.0.0.1 {use}\n" if self.master else "  create-ixfr: yes\n"
        conf = self.write("nsd.conf", nsd_server(self.folder, f"127.0.0.1@{self.port}") + f"""  verbosity: 2
remote-control:
  control-enable: no
{key}zone:
  name: "{self.zone}"
  zonefile: "{self.file or self.path('secondary.db')}"
  provide-xfr: 127.0.0.1 {use}
  store-ixfr: yes
{master}""")
        self.spawn(["nsd", "-d", "-c", conf])


def pdns_keys(path):
    """A line of its configuration: where the bind backend has its keys."""
    return f"bind-dnssec-db={path}"


def pdns_util(folder, *args):
    subprocess.run(["pdnsutil", f"--config-dir={folder}", *args], check=True, capture_output=True, timeout=60)


def pdns_database(folder):
    """The database of that line, empty."""
    pdns_util(folder, "create-bind-db", os.path.join(folder, "keys.db"))


def pdns_key(folder, key, uses):
    """Puts the key into it, used of zones as "master" or "slave"."""
    pdns_util(folder, "import-tsig-key", key.name, key.algorithm, key.secret)
    for zone, role in uses.items():
        pdns_util(folder, "activate-tsig-key", zone, key.name, role)


class PdnsPeer(Peer):
    """With the bind backend, its keys in SQLite: whole zones only."""

    name = "pdns"
    sends_differences = False

    def start(self):
        self.write("zones.conf", f'zone "{self.zone.rstrip(".")}" {{ type master; file "{self.file}"; }};\n')
        self.write("pdns.conf", f"""launch=bind
bind-config={self.path("zones.conf")}
{pdns_keys(self.path("keys.db"))}
bind-check-interval=1
local-address=127.0.0.1
local-port={self.port}
socket-dir={self.folder}
daemon=no
guardian=no
disable-axfr=no
allow-axfr-ips={"" if self.key else "127.0.0.1"}
zone-cache-refresh-interval=0
query-cache-ttl=0
cache-ttl=0
version-string=anonymous
security-poll-suffix=
""")
        pdns_database(self.folder)
        if self.key:
            pdns_key(self.folder, self.key, {self.zone: "master"})
        self.spawn(["pdns_server", f"--config-dir={self.folder}"])

    def reload(self):
        """It looks at the second of the inode's change."""
        def is_later():
            self.touch()
            return int(os.stat(self.file).st_ctime) > self.changed

        self.changed = getattr(self, "changed", int(time.time()))
        wait(is_later, "the next second")
        self.changed = int(os.stat(self.file).st_ctime)


PROGRAMS = {BindPeer: "named", KnotPeer: "knotd", NsdPeer: "nsd", PdnsPeer: "pdns_server"}
