# SPDX-License-Identifier: BSD-2-Clause
"""The servers that are measured, each as a class: how it is configured, started and told of a changed zone file.

All serve the same zones with one worker, minimal answers, no transfers, no rate limits, and are pinned to one CPU with all they start. A server
lives in a folder of its own that outlives a restart. To add one: a class here, and its name in SERVERS.
"""
import os
import re
import shutil
import subprocess
import tempfile
import time

import ask
from rig import MANAGEMENT, PATH, PORT, SERVER, TLS_PORT, Cgroup, enter, go_ahead, run


def have(program):
    return shutil.which(program, path=PATH)


class Peer:
    name = ""
    program = ""
    floor = False    # not a DNS server
    xdp = False      # needs the napi rig
    tls = False      # has a DoT form in the version Debian 12 has, configured here
    front = False    # stands in front of another (edge.py)
    process = None

    def __init__(self, rig, zones, *, tls=False, signed=False, wrap=(), base=None):
        """zones: list of (name, file). base: a folder for the folder; it must be readable for all."""
        self.rig, self.zones, self.use_tls, self.signed, self.wrap = rig, zones, tls, signed, list(wrap)
        self.folder = tempfile.mkdtemp(prefix=f"bench-{self.name}-", dir=base)
        os.chmod(self.folder, 0o755)
        self.cgroup = Cgroup(os.path.basename(self.folder))
        self.log_path = self.path("log")

    @classmethod
    def missing(cls, context):
        """Why it cannot take part, or None. context: .build, .binary."""
        return None if have(cls.program) else f"no {cls.program} here"

    @classmethod
    def version(cls, context):
        out = subprocess.run([cls.program, *cls.version_args], capture_output=True, text=True, check=False, env=dict(os.environ, PATH=PATH))
        return (out.stdout or out.stderr).strip().splitlines()[0]

    version_args = ("-V",)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, *lines):
        with open(self.path(name), "w", encoding="ascii") as f:
            f.write("\n".join(lines) + "\n")
        return self.path(name)

    def log(self):
        with open(self.log_path, encoding="latin-1") as f:
            return f.read()

    def cpu(self):
        return self.rig.server_cpu

    def start(self):
        """Returns when it was started; it may not answer yet."""
        self.configure()

        def settle():
            enter(self.rig.server_ns)
            os.sched_setaffinity(0, {self.cpu()})
            go_ahead()
            self.cgroup.join()

        with open(self.log_path, "ab") as log:
            started = time.monotonic()
            self.process = subprocess.Popen([*self.wrap, *self.argv()], stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=settle,
                                            start_new_session=True, env=dict(os.environ, PATH=PATH), cwd=self.folder)
        return started

    def wait_ready(self, probes, limit_s):
        """Until all probes have a good answer: when the first had it, and when the last."""
        deadline, first = time.monotonic() + limit_s, None
        for name, qtype in probes:
            while not ask.good(SERVER[4], name, qtype):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.name} does not answer: {self.log()[-1500:]}")
                time.sleep(0.0005)
            first = first or time.monotonic()
        return first, time.monotonic()

    def wait_quiet(self, limit_s=20):
        """Until it uses less than 2% of a CPU."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            before = self.cgroup.cpu_ns()
            time.sleep(0.5)
            if self.cgroup.cpu_ns() - before < 10_000_000:
                return

    def stop(self):
        if self.process:
            self.cgroup.kill()
            self.process.wait()
            self.process = None

    def close(self):
        self.stop()
        self.cgroup.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def configure(self):
        pass


class Echo(Peer):
    name, floor = "echo", True

    @classmethod
    def missing(cls, context):
        return None

    @classmethod
    def version(cls, context):
        return "floor of UDP sockets: recvmmsg, sendmmsg"

    def argv(self):
        return [os.path.join(self.rig.build, "echo"), str(PORT), SERVER[4], SERVER[6]]


class Reflect(Peer):
    name, floor, xdp = "reflect", True, True

    @classmethod
    def missing(cls, context):
        return None if os.path.exists(os.path.join(context.build, "reflect.bpf.o")) else "no BPF object: clang cannot compile for BPF here"

    @classmethod
    def version(cls, context):
        return "floor of XDP: XDP_TX"

    def argv(self):
        return ["sleep", "1000000"]  # the program needs nobody

    def start(self):
        started = super().start()
        run("ip", "-n", self.rig.server_ns, "link", "set", "dev", self.rig.server_if, "xdpdrv", "obj",
            os.path.join(self.rig.build, "reflect.bpf.o"), "sec", "xdp")
        return started

    def stop(self):
        subprocess.run(["ip", "-n", self.rig.server_ns, "link", "set", "dev", self.rig.server_if, "xdpdrv", "off"], check=False,
                       stderr=subprocess.DEVNULL)
        super().stop()


class Zonecast(Peer):
    name, tls = "zonecast", True
    nodes = ("nodes:", f'  - {{name: bench, role: primary, management: ["{SERVER[4]}", "{SERVER[6]}"], workers: 1}}')
    answer, zone_more = (), ""
    binary = None  # set by the run

    @classmethod
    def missing(cls, context):
        return None

    @classmethod
    def version(cls, context):
        return subprocess.run([cls.binary, "version"], capture_output=True, text=True, check=True).stdout.strip().splitlines()[0]

    @classmethod
    def fleet(cls, folder, store, zones, tls):
        """Lines of a fleet file of one node."""
        yield from ("fleet: bench", f"state-dir: {folder}/state", f"run-dir: {store}", "user: root", *cls.nodes, "answer:",
                    "  rate-limit: {answers: 0, referrals: 0, no-data: 0, no-names: 0, errors: 0}")
        yield from ("  " + line for line in cls.answer)
        if tls:
            yield from ("  tls:", f"    certificate-file: {folder}/cert.pem", f"    key-file: {folder}/key.pem", f"    port: {TLS_PORT}")
        yield "zones:" if zones else "zones: []"
        for name, file in zones:
            yield f'  - {{name: "{name.rstrip(".") or "."}", file: "{file}"{cls.zone_more}}}'

    def configure(self):
        # The store is memory, as /run is where a node really runs.
        self.store = os.path.join("/dev/shm", os.path.basename(self.folder))
        os.makedirs(self.store, exist_ok=True)
        if self.use_tls:
            certificate(self.folder)
        self.write("fleet.yaml", *self.fleet(self.folder, self.store, self.zones, self.use_tls))

    def argv(self):
        return [self.binary, "run", "--config", self.path("fleet.yaml"), "--node", "bench"]

    def changed(self, zone):
        run(self.binary, "zone", "reload", zone, "--run-dir", self.store)

    def close(self):
        super().close()
        shutil.rmtree(os.path.join("/dev/shm", os.path.basename(self.folder)), ignore_errors=True)


class ZonecastXdp(Zonecast):
    """Only service addresses are answered in the kernel: here they are those of a network without neighbors."""
    name, xdp, tls = "zonecast-xdp", True, False
    nodes = ("networks:", '  - {name: bench, prefixes: ["192.0.2.0/24", "2001:db8::/48"], addresses: ["%s", "%s"], as: 64500}' % (SERVER[4], SERVER[6]), "nodes:",
             f"  - {{name: bench, role: pop, networks: [bench], management: [{MANAGEMENT}], workers: 1, bgp: {{router-id: {MANAGEMENT}}}}}")
    answer, zone_more = ("xdp: native",), ", network: bench"

    @classmethod
    def missing(cls, context):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "fleet.yaml")
            with open(path, "w", encoding="ascii") as f:
                f.write("\n".join(cls.fleet(folder, folder, [], False)) + "\n")
            done = subprocess.run([cls.binary, "check", "--config", path], capture_output=True, text=True, check=False)
        return None if done.returncode == 0 else "zonecast takes no such fleet file: " + (done.stderr or done.stdout).strip().splitlines()[0]


class ZonecastXdpOnlyKept(ZonecastXdp):
    """What the kernel's cache has no answer for comes by sockets."""
    name = "zonecast-xdp-kept"
    answer = ("xdp: native", "xdp-sockets: false")


class ZonecastAfXdp(ZonecastXdp):
    """Nothing is kept in the kernel: all comes by AF_XDP."""
    name = "zonecast-af-xdp"
    answer = ("xdp: native", "xdp-cache: false")


class ZonecastOfKnot(Zonecast):
    """In rows of transfers: a secondary of Knot."""
    name, tls = "zonecast-of-knot", False

    @classmethod
    def missing(cls, context):
        return Knot.missing(context)


class Knot(Peer):
    name, program = "knot", "knotd"
    listen_xdp = False

    def configure(self):
        os.makedirs(self.path("run"), exist_ok=True)
        os.makedirs(self.path("db"), exist_ok=True)
        self.write("knot.conf", "server:", f"    rundir: {self.folder}/run", f"    listen: [ {SERVER[4]}@{PORT}, {SERVER[6]}@{PORT} ]",
                   "    udp-workers: 1", "    tcp-workers: 1", "    tcp-max-clients: 2000", "    background-workers: 1",
                   *(("xdp:", f"    listen: {self.rig.server_if}@{PORT}") if self.listen_xdp else ()),
                   "database:", f"    storage: {self.folder}/db", "log:", "  - target: stderr", "    any: warning",
                   "template:", "  - id: default", "    semantic-checks: off", "    zonefile-sync: -1", "    zonefile-load: whole",
                   "    journal-content: none", "zone:", *(f"  - domain: {name}\n    file: {file}" for name, file in self.zones))

    def argv(self):
        return ["knotd", "-c", self.path("knot.conf")]

    def changed(self, zone):
        run("knotc", "-c", self.path("knot.conf"), "zone-reload", zone)


class KnotXdp(Knot):
    name, xdp, listen_xdp = "knot-xdp", True, True


class Nsd(Peer):
    name, program, tls = "nsd", "nsd", True
    version_args = ("-v",)

    def configure(self):
        if self.use_tls:
            certificate(self.folder)
        tls = (f"    ip-address: {SERVER[4]}@{TLS_PORT}", f"    tls-port: {TLS_PORT}", f'    tls-service-key: "{self.folder}/key.pem"',
               f'    tls-service-pem: "{self.folder}/cert.pem"') if self.use_tls else ()
        self.write("nsd.conf", "server:", f"    ip-address: {SERVER[4]}@{PORT}", f"    ip-address: {SERVER[6]}@{PORT}", *tls, "    server-count: 1",
                   '    username: ""', '    chroot: ""', f'    zonesdir: "{self.folder}"', '    database: ""', f'    pidfile: "{self.folder}/nsd.pid"',
                   f'    xfrdfile: "{self.folder}/xfrd.state"', f'    xfrdir: "{self.folder}"', f'    zonelistfile: "{self.folder}/zone.list"',
                   f'    logfile: "{self.folder}/nsd.log"', "    tcp-count: 1000", "    minimal-responses: yes", "    rrl-ratelimit: 0",
                   "    rrl-whitelist-ratelimit: 0", "    zonefiles-write: 0", "remote-control:", "    control-enable: yes",
                   f'    control-interface: "{self.folder}/control"', *(f'zone:\n    name: "{name}"\n    zonefile: "{file}"' for name, file in self.zones))

    def argv(self):
        return ["nsd", "-d", "-c", self.path("nsd.conf")]

    def changed(self, zone):
        run("nsd-control", "-c", self.path("nsd.conf"), "reload", zone)


class Bind(Peer):
    name, program, tls = "bind", "named", True
    version_args = ("-v",)

    def configure(self):
        if self.use_tls:
            certificate(self.folder)
        key = 'key "bench" { algorithm hmac-sha256; secret "YmVuY2ggb25seSwgaW4gYSBuYW1lc3BhY2U="; };'
        self.write("rndc.conf", key, 'options { default-key "bench"; default-server 127.0.0.1; };')
        tls = (f'tls bench {{ key-file "{self.folder}/key.pem"; cert-file "{self.folder}/cert.pem"; }};',) if self.use_tls else ()
        self.write("named.conf", key, *tls, 'controls { inet 127.0.0.1 allow { 127.0.0.1; } keys { "bench"; }; };', "options {",
                   f'  directory "{self.folder}"; pid-file "{self.folder}/named.pid"; session-keyfile none; lock-file none;',
                   f"  listen-on port {PORT} {{ {SERVER[4]}; }}; listen-on-v6 port {PORT} {{ {SERVER[6]}; }};",
                   *((f"  listen-on port {TLS_PORT} tls bench {{ {SERVER[4]}; }};",) if self.use_tls else ()),
                   "  recursion no; dnssec-validation no; minimal-responses yes; notify no; zone-statistics none; allow-transfer { none; };",
                   "  check-names primary ignore; check-integrity no; tcp-clients 2000;", "};",
                   f'logging {{ channel file {{ file "{self.folder}/named.log"; severity warning; }}; category default {{ file; }}; }};',
                   *(f'zone "{name}" {{ type primary; file "{file}"; }};' for name, file in self.zones))

    def argv(self):
        return ["named", "-f", "-n", "1", "-c", self.path("named.conf")]

    def changed(self, zone):
        run("ip", "netns", "exec", self.rig.server_ns, "rndc", "-c", self.path("rndc.conf"), "reload", zone)


class Pdns(Peer):
    """With its BIND back end; the packet and query caches are at their defaults. Signed zones are served as they are signed."""
    name, program = "pdns", "pdns_server"
    version_args = ("--version",)

    @classmethod
    def version(cls, context):
        out = subprocess.run([cls.program, "--version"], capture_output=True, text=True, check=False, env=dict(os.environ, PATH=PATH))
        return next((word.group() for word in [re.search(r"PowerDNS Authoritative Server [0-9.]+", out.stdout + out.stderr)] if word), "PowerDNS")

    def configure(self):
        self.write("zones.conf", *(f'zone "{name}" {{ type master; file "{file}"; }};' for name, file in self.zones))
        database = self.path("dnssec.db")
        self.write("pdns.conf", "launch=bind", f"bind-config={self.folder}/zones.conf", f"bind-dnssec-db={database}",
                   f"local-address={SERVER[4]}, {SERVER[6]}", f"local-port={PORT}", f"socket-dir={self.folder}", "receiver-threads=1",
                   "distributor-threads=1", "max-tcp-connections=2000", "max-tcp-connections-per-client=0", "max-tcp-transactions-per-conn=0",
                   "daemon=no", "guardian=no", "disable-syslog=yes", "loglevel=3", "consistent-backends=yes")
        if not os.path.exists(database):
            run("pdnsutil", f"--config-dir={self.folder}", "create-bind-db", database)
            if self.signed:
                for name, file in self.zones:
                    if "nsec3" in self.signed:
                        run("pdnsutil", f"--config-dir={self.folder}", "set-nsec3", name, "1 1 0 -")
                    run("pdnsutil", f"--config-dir={self.folder}", "set-presigned", name)

    def argv(self):
        return ["pdns_server", f"--config-dir={self.folder}"]

    def changed(self, zone):
        # It waits seven seconds for the reload, and the reload goes on without it; whether it succeeded shows in the serial.
        subprocess.run(["pdns_control", f"--config-dir={self.folder}", "bind-reload-now", zone.rstrip(".")], capture_output=True, check=False)


def certificate(folder):
    """A self-signed certificate, ECDSA P-256; the generators do not judge it."""
    if not os.path.exists(os.path.join(folder, "key.pem")):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 30, "-subj", "/CN=bench",
            "-addext", "subjectAltName=DNS:bench", "-keyout", os.path.join(folder, "key.pem"), "-out", os.path.join(folder, "cert.pem"))
        os.chmod(os.path.join(folder, "key.pem"), 0o600)


SERVERS = {s.name: s for s in (Echo, Zonecast, Knot, Nsd, Bind, Pdns, Reflect, ZonecastXdp, ZonecastXdpOnlyKept, ZonecastAfXdp, KnotXdp, ZonecastOfKnot)}
