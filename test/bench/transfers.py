# SPDX-License-Identifier: BSD-2-Clause
"""Transfers between two servers on loopback, in a namespace of their own, with all CPUs for both.

    primary 127.0.0.1 (or ::1)  ---NOTIFY, IXFR, AXFR--->  secondary 127.0.0.2 (or fd00::2)  <--- asked for its serial, ten times a millisecond at most

axfr     an empty secondary is started beside a primary that serves: until it answers. Then all of the zone again, while it answers: p99_us is the median of five such times, stolen_ms
         what the host of a virtual machine kept of its CPUs in each, on average.
ixfr     the zone gets 1,000 records more. The primary tells nobody; the secondary is told by us: from the NOTIFY to its answer with the new serial.
changes  one record more in the zone file of the primary, which tells the secondary: from the end of reading the file to the secondary's answer.

During each of these, and before, the secondary is asked at a steady rate: p99_us beside idle_p99_us.
"""
import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import struct
import subprocess
import tempfile
import time

import ask
import zonesets
from rig import PATH, Cgroup, enter, go_ahead, libc, run

PRIMARY, SECONDARY = {4: "127.0.0.1", 6: "::1"}, {4: "127.0.0.2", 6: "fd00::2"}
CHANGES, ROUNDS, RECORDS, AGAIN = 20, 10, 1000, 5
RATE = 4000          # questions a second, to see their latency
IDLE_S = 5
LIMIT_S = 300
KINDS = {"axfr": ("zonecast", "zonecast-of-knot", "knot", "nsd", "bind"), "ixfr": ("zonecast", "knot", "nsd", "bind"), "changes": ("zonecast",)}
WHAT = {"axfr": "an empty secondary, to its first answer; primary and secondary on loopback",
        "ixfr": f"from NOTIFY to the answer with {RECORDS:,} records more; the primary is zonecast",
        "changes": "from the end of reading the changed file at the primary to the secondary's answer"}


class Apart:
    """A namespace with loopback; this process is in it."""

    def __enter__(self):
        self.name = f"zcbench{os.getpid()}t"
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            run("ip", "netns", "add", self.name)
            run("ip", "-n", self.name, "link", "set", "lo", "up")
            run("ip", "-n", self.name, "addr", "add", SECONDARY[4] + "/32", "dev", "lo")  # BIND listens only where an interface has the address
            run("ip", "-n", self.name, "addr", "add", SECONDARY[6] + "/128", "dev", "lo", "nodad")
            enter(self.name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        libc.setns(self.home, 0x40000000)
        os.close(self.home)
        subprocess.run(["ip", "netns", "del", self.name], check=False, stderr=subprocess.DEVNULL)


class Node:
    """One server with one zone: of a file, or of `of`, the address of its primary."""
    name = program = ""

    def __init__(self, address, zone, *, file=None, of=None, notify=None, base=None):
        self.address, self.zone, self.file, self.of, self.notify = address, zone, file, of, notify
        self.folder = tempfile.mkdtemp(prefix=f"bench-{self.name}-", dir=base)
        os.chmod(self.folder, 0o755)
        self.cgroup = Cgroup(os.path.basename(self.folder))
        self.process = None

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, *lines):
        with open(self.path(name), "w", encoding="ascii") as f:
            f.write("\n".join(lines) + "\n")
        return self.path(name)

    def log(self):
        with open(self.path("log"), encoding="latin-1") as f:
            return f.read()

    def settle(self):
        self.cgroup.join()
        go_ahead()

    def start(self):
        argv = self.argv()
        with open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=self.settle,
                                            start_new_session=True, env=dict(os.environ, PATH=PATH), cwd=self.folder)
        return time.monotonic()

    def wait_serial(self, serial, limit_s=LIMIT_S):
        deadline = time.monotonic() + limit_s
        while ask.serial(self.address, self.zone) != serial:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not answer serial {serial}: {self.log()[-1500:]}")
            time.sleep(0.0001)
        return time.monotonic()

    def wait_quiet(self, limit_s=30):
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            before = self.cgroup.cpu_ns()
            time.sleep(0.3)
            if self.cgroup.cpu_ns() - before < 6_000_000:
                return

    def close(self):
        if self.process:
            self.cgroup.kill()
            self.process.wait()
        self.cgroup.remove()
        shutil.rmtree(self.folder, ignore_errors=True)


class Zonecast(Node):
    name = "zonecast"
    binary = None

    def argv(self):
        self.run_dir = os.path.join("/dev/shm", os.path.basename(self.folder))
        os.makedirs(self.run_dir, exist_ok=True)
        source = f'primaries: ["{host(self.of)}"]' if self.of else f'file: "{self.file}"'
        told = f', notify: ["{host(self.notify)}"]' if self.notify else ""
        path = self.write("fleet.yaml", "fleet: bench", f"state-dir: {self.folder}/state", f"run-dir: {self.run_dir}", "user: root", "nodes:",
                          f'  - {{name: bench, role: primary, management: ["{self.address}"], workers: 1}}', "answer:",
                          "  rate-limit: {answers: 0, referrals: 0, no-data: 0, no-names: 0, errors: 0}", "zones:",
                          f'  - {{name: "{self.zone}", {source}, allow-transfer: ["127.0.0.0/8", "fd00::/8", "::1/128"]{told}}}')
        return [self.binary, "run", "--config", path, "--node", "bench"]

    def command(self, *args):
        run(self.binary, *args, "--run-dir", self.run_dir)

    def close(self):
        super().close()
        shutil.rmtree(getattr(self, "run_dir", self.folder), ignore_errors=True)


class Knot(Node):
    name, program = "knot", "knotd"

    def argv(self):
        for sub in ("run", "db"):
            os.makedirs(self.path(sub), exist_ok=True)
        source = ["    master: primary", "    acl: [ notify, transfer ]"] if self.of else [f"    file: {self.file}", "    acl: [ transfer ]"]
        remote = ["remote:", "  - id: primary", f"    address: {self.of}@53", f"    via: {self.address}"] if self.of else []
        path = self.write("knot.conf", "server:", f"    rundir: {self.folder}/run", f"    listen: [ {self.address}@53 ]", "    udp-workers: 1",
                          "database:", f"    storage: {self.folder}/db", "log:", "  - target: stderr", "    any: warning", *remote, "acl:",
                          "  - id: notify", f"    address: {self.of or PRIMARY[4]}", "    action: notify",
                          "  - id: transfer", "    address: [ 127.0.0.0/8, fd00::/8, ::1 ]", "    action: transfer",
                          "template:", "  - id: default", "    semantic-checks: off", "    zonefile-sync: -1", f"    storage: {self.folder}",
                          "zone:", f"  - domain: {self.zone}", *source)
        return ["knotd", "-c", path]

    def command(self, *args):
        """zone retransfer ZONE"""
        run("knotc", "-c", self.path("knot.conf"), f"zone-{args[1]}", args[2])


class Nsd(Node):
    name, program = "nsd", "nsd"

    def argv(self):
        source = [f'    zonefile: "{self.path("secondary.zone")}"', f"    request-xfr: {self.of} NOKEY", f"    allow-notify: {self.of} NOKEY",
                  f"    outgoing-interface: {self.address}"] if self.of else [f'    zonefile: "{self.file}"']
        path = self.write("nsd.conf", "server:", f"    ip-address: {self.address}", "    server-count: 1", '    username: ""', '    chroot: ""',
                          f'    zonesdir: "{self.folder}"', '    database: ""', f'    pidfile: "{self.folder}/nsd.pid"',
                          f'    xfrdfile: "{self.folder}/xfrd.state"', f'    xfrdir: "{self.folder}"', f'    zonelistfile: "{self.folder}/zone.list"',
                          "    rrl-ratelimit: 0", "    zonefiles-write: 0", "    xfrd-reload-timeout: 0", "remote-control:", "    control-enable: no",
                          f'zone:\n    name: "{self.zone}"', "    provide-xfr: 127.0.0.0/8 NOKEY", "    provide-xfr: fd00::/8 NOKEY", *source)
        return ["nsd", "-d", "-c", path]


class Bind(Node):
    name, program = "bind", "named"

    def argv(self):
        source = (f'type secondary; primaries {{ {self.of}; }}; file "{self.path("secondary.zone")}";' if self.of
                  else f'type primary; file "{self.file}"; check-names ignore; check-integrity no;')
        six = ":" in self.address
        listen = f"listen-on{'-v6' if six else ''} {{ {self.address}; }}; listen-on{'' if six else '-v6'} {{ none; }};"
        path = self.write("named.conf", "options {",
                          f'  directory "{self.folder}"; pid-file "{self.folder}/named.pid"; session-keyfile none; lock-file none; {listen}',
                          "  recursion no; dnssec-validation no; minimal-responses yes; notify no; allow-transfer { any; };",
                          f"  transfer-source{'-v6' if six else ''} {self.address};", "};", "controls { };",
                          f'logging {{ channel file {{ file "{self.folder}/named.log"; severity warning; }}; category default {{ file; }}; }};',
                          f'zone "{self.zone}" {{ {source} }};')
        return ["named", "-f", "-c", path]


SECONDARIES = {c.name: c for c in (Zonecast, Knot, Nsd, Bind)}


def stolen_ms():
    """CPU time that the machine under this one has not given, of all CPUs: a hundredth of the time of one CPU is enough to be the p99."""
    with open("/proc/stat", encoding="ascii") as f:
        return int(f.readline().split()[8]) * 1000 / os.sysconf("SC_CLK_TCK")


def host(address):
    return f"[{address}]" if ":" in address else address


def name_wire(zone):
    return b"".join(bytes([len(label)]) + label.encode() for label in zone.rstrip(".").split(".") if label) + b"\0"


def notify(primary, secondary, zone, serial):
    """As the primary would."""
    soa = b"\0\0" + struct.pack("!IIIII", serial, 3600, 900, 604800, 300)
    message = (struct.pack("!HHHHHH", 0x4321, 0x2400, 1, 1, 0, 0) + name_wire(zone) + struct.pack("!HH", 6, 1)
               + b"\xc0\x0c" + struct.pack("!HHIH", 6, 1, 3600, len(soa)) + soa)
    with socket.socket(socket.AF_INET6 if ":" in secondary else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((primary, 0))
        s.sendto(message, (secondary, 53))


class Asking:
    """Questions at a steady rate meanwhile; `p99_us` afterwards. Who asks stands for clients far away: it takes little of the CPUs, which the servers share, and is not held up itself by them."""

    def __init__(self, build, address, questions, seconds):
        self.argv = [os.path.join(build, "blast"), "-t", str(seconds), "-c", "4", "-w", "1000", "-r", str(RATE), "-n", address, "53", questions]

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
                                        preexec_fn=lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.process.kill()
        out, err = self.process.communicate()
        if not kind and self.process.returncode:
            raise RuntimeError(f"blast: {err.strip()}")
        self.got = json.loads(out) if not kind else {}


class File:
    """The primary's zone file, which changes."""

    def __init__(self, path, zone):
        self.path, self.zone, self.serial, self.added = path, zone, zonesets.SERIAL, 0

    def add(self, records):
        with open(self.path, "r+b") as f:
            head = f.read(4096)
            f.seek(head.index(str(self.serial).encode()))
            f.write(str(self.serial + 1).encode())
            f.seek(0, os.SEEK_END)
            for _ in range(records):
                self.added += 1
                f.write(f"added-{self.added}.{self.zone} 3600 NS ns1.hoster.example.\n".encode())
        self.serial += 1


def axfr(context, server, zone, file, questions, base, family):
    """Pairs of one kind, but for zonecast-of-knot."""
    secondary_class = SECONDARIES["zonecast" if server.startswith("zonecast") else server]
    primary_class = SECONDARIES["knot" if server == "zonecast-of-knot" else server]
    with contextlib.ExitStack() as stack:
        primary = primary_class(PRIMARY[family], zone, file=file.path, base=base)
        stack.callback(primary.close)
        primary.start()
        primary.wait_serial(file.serial)
        primary.wait_quiet()
        secondary = secondary_class(SECONDARY[family], zone, of=PRIMARY[family], base=base)
        stack.callback(secondary.close)
        cpu = primary.cgroup.cpu_ns() + secondary.cgroup.cpu_ns()
        begun = secondary.start()
        out = {"axfr_s": secondary.wait_serial(file.serial) - begun}
        secondary.wait_quiet()
        out["axfr_cpu_s"] = (primary.cgroup.cpu_ns() + secondary.cgroup.cpu_ns() - cpu) / 1e9
        if server in ("zonecast", "knot"):
            with Asking(context.build, secondary.address, questions, IDLE_S) as asking:
                pass
            out["idle_p99_us"] = asking.got["p99_us"]
            late, lost, stolen = [], [], stolen_ms()
            for _ in range(AGAIN):
                with Asking(context.build, secondary.address, questions, max(4 * out["axfr_s"], 3)) as asking:
                    for _ in range(2):
                        secondary.command("zone", "retransfer", zone.rstrip("."))
                        time.sleep(1.6 * out["axfr_s"])
                late.append(asking.got["p99_us"])
                lost.append(asking.got["lost"] / max(asking.got["sent"], 1))
            out["p99_us"], out["lost"], out["stolen_ms"] = statistics.median(late), max(lost), (stolen_ms() - stolen) / AGAIN
        return out


def ixfr(context, server, zone, file, questions, base, family):
    with contextlib.ExitStack() as stack:
        primary = Zonecast(PRIMARY[family], zone, file=file.path, base=base)
        stack.callback(primary.close)
        primary.start()
        primary.wait_serial(file.serial)
        secondary = SECONDARIES[server](SECONDARY[family], zone, of=PRIMARY[family], base=base)
        stack.callback(secondary.close)
        secondary.start()
        secondary.wait_serial(file.serial)
        took, late = [], []
        with Asking(context.build, secondary.address, questions, IDLE_S) as asking:
            pass
        idle = asking.got["p99_us"]
        for _ in range(ROUNDS):
            file.add(RECORDS)
            primary.command("zone", "reload", zone.rstrip("."))
            primary.wait_serial(file.serial)
            primary.wait_quiet()
            secondary.wait_quiet()
            with Asking(context.build, secondary.address, questions, 1) as asking:
                time.sleep(0.3)
                begun = time.monotonic()
                notify(primary.address, secondary.address, zone, file.serial)
                took.append((secondary.wait_serial(file.serial) - begun) * 1e3)
            late.append(asking.got["p99_us"])
        return {"ixfr_ms": statistics.median(took), "ixfr_most_ms": max(took), "idle_p99_us": idle, "p99_us": statistics.median(late)}


READ_LINE = re.compile(r"zone=\S+ serial=(\d+) .*read_ms=(\d+) took_ms=(\d+)")


def changes(context, _server, zone, file, questions, base, family):
    with contextlib.ExitStack() as stack:
        primary = Zonecast(PRIMARY[family], zone, file=file.path, notify=SECONDARY[family], base=base)
        stack.callback(primary.close)
        primary.start()
        primary.wait_serial(file.serial)
        secondary = Zonecast(SECONDARY[family], zone, of=PRIMARY[family], base=base)
        stack.callback(secondary.close)
        secondary.start()
        secondary.wait_serial(file.serial)
        took, last, stored, late = [], [], [], []
        with Asking(context.build, secondary.address, questions, IDLE_S) as asking:
            pass
        idle = asking.got["p99_us"]
        for _ in range(CHANGES):
            file.add(1)
            primary.wait_quiet()
            secondary.wait_quiet()
            with Asking(context.build, secondary.address, questions, 3) as asking:
                primary.command("zone", "reload", zone.rstrip("."))
                here = primary.wait_serial(file.serial)
                there = secondary.wait_serial(file.serial)
            # What the primary did between reading and answering is in its log, which is written when it is done.
            line = next(m for m in READ_LINE.finditer(primary.log()) if int(m[1]) == file.serial)
            stored.append(int(line[3]) - int(line[2]))
            last.append((there - here) * 1e3)
            took.append(stored[-1] + last[-1])
            late.append(asking.got["p99_us"])
        return {"changed_ms": statistics.median(took), "changed_most_ms": max(took), "stored_ms": statistics.median(stored),
                "travel_ms": statistics.median(last), "idle_p99_us": idle, "p99_us": statistics.median(late)}


def visit(context, results, server, row, base, set_folder):
    """One row of one server in one round."""
    Zonecast.binary = context.binary
    with open(os.path.join(set_folder, "zones.list"), encoding="ascii") as f:
        zone, name = f.readline().split()
    path = os.path.join(base, f"transfer-{os.getpid()}.zone")
    shutil.copyfile(os.path.join(set_folder, name), path)
    try:
        with Apart():
            results.add(row, server, globals()[row.kind](context, server, zone, File(path, zone), os.path.join(set_folder, "questions.hot"), base,
                                                         6 if row.ipv6 else 4))
    finally:
        os.unlink(path)
