# SPDX-License-Identifier: BSD-2-Clause
"""What is measured of one server that runs: one function for each kind of row. Each returns a dict of measures (see MEASURES)."""
import contextlib
import json
import os
import resource
import shutil
import subprocess
import time

import ask
import zonesets
from rig import PORT, SERVER, TLS_PORT, go_ahead, thread_ns

# name: (unit, what it is, is less better?)
MEASURES = {
    "cpu_ns": ("ns", "CPU time of all the server's processes, kernel included, per answer", True),
    "napi_ns": ("ns", "the part of cpu_ns that the server's receive thread used (napi rig)", None),
    "qps": ("1/s", "answers per second", False),
    "busy": ("CPU", "CPU the server used; below 0.95 something else was the limit and qps says nothing about the server", None),
    "limit": ("CPU", "CPU used by the side that used more, server or generator; below 0.8 both were kept waiting by something else, and the run is done once more", None),
    "lost": ("share", "queries without an answer within half a second", True),
    "octets": ("octets", "mean length of an answer", None),
    "failed": ("share", "answers that are neither NOERROR nor NXDOMAIN", True),
    "wrong": ("share", "answers of a sample that have not the RCODE they must have", True),
    "p50_us": ("us", "latency, median", True),
    "p99_us": ("us", "latency, 99 of 100 are faster", True),
    "p999_us": ("us", "latency, 999 of 1000 are faster", True),
    "rate": ("1/s", "queries per second that were sent, evenly", None),
    "cold_first_s": ("s", "start with empty folders and the zone files not in memory, to the first answer", True),
    "cold_s": ("s", "the same, to the answer for all zones that are probed", True),
    "cold_cpu_s": ("s", "CPU time of that start", True),
    "warm_first_s": ("s", "stop and start again in the same folders, to the first answer", True),
    "warm_s": ("s", "the same, to the answer for all zones that are probed", True),
    "warm_cpu_s": ("s", "CPU time of that start", True),
    "memory_mib": ("MiB", "proportional set size of all processes after the load, and all of zonecast's store, which is a file in memory", True),
    "octets_per_record": ("octets", "memory_mib per record served", True),
    "store_mib": ("MiB", "the store's part of memory_mib", None),
    "change_ms": ("ms", "from the reload command for a zone file with one record more to the first answer with the new serial", True),
    "change_cpu_ms": ("ms", "CPU time of that", True),
    "instructions": ("instr.", "in user space per answer, by callgrind", True),
    "axfr_s": ("s", "from the start of an empty secondary to its first answer", True),
    "axfr_cpu_s": ("s", "CPU time of primary and secondary for that, and for what they do afterwards", True),
    "ixfr_ms": ("ms", "from the NOTIFY to the answer with the new serial, 1,000 records more; median of a visit", True),
    "ixfr_most_ms": ("ms", "the same, most of a visit", True),
    "changed_ms": ("ms", "one record more: from the end of reading the zone file at the primary to the secondary's answer; median of a visit", True),
    "changed_most_ms": ("ms", "the same, most of a visit", True),
    "stored_ms": ("ms", "the primary's part of it: until it answers", True),
    "travel_ms": ("ms", "the rest: from the primary's answer to the secondary's", True),
    "empty_mib": ("MiB", "proportional set size of all processes with an empty cache", True),
    "octets_per_entry": ("octets", "memory_mib less empty_mib, per answer that the cache was given", True),
    "idle_p99_us": ("us", "latency at the secondary while nothing changes", True),
    "stolen_ms": ("ms", "CPU time that the host of a virtual machine kept meanwhile", True),
}
IN_FLIGHT = 240          # veth drops what exceeds 256 frames
EVEN_WARM_S = 5
FRAMES_IN_FLIGHT = 192   # they come in bursts of 64
UDP_CLIENTS = 8
TCP_CLIENTS, TCP_WINDOW = 64, 4
PACED_RATE = 30000
WINDOW_PACED = 1000       # no limit in effect: what is lost shows, and the rate holds
SAMPLE = 200
LIMIT_MIN = 0.8
FRESH = ("nx", "fresh")  # each question has a first label of its own


def frames(rig, row, seconds, rate, skip, questions):
    """Where servers have no sockets the generator has none, either: it would be the one that is busy."""
    argv = [os.path.join(rig.build, "frames"), "-t", seconds, "-o", skip, "-w", FRAMES_IN_FLIGHT]
    argv += ["-r", rate] if rate else []
    argv += ["-D"] if row.dnssec else []
    argv += ["-x"] if row.queries in FRESH else []
    return argv + [rig.client_if, SERVER[4], os.path.join(rig.build, "gen.bpf.o"), questions]


def blast(rig, row, seconds, *, rate=0, skip=0, questions):
    address = SERVER[6 if row.ipv6 else 4]
    stream = row.kind in ("tcp", "dot")
    argv = [os.path.join(rig.build, "blast"), "-t", seconds, "-o", skip, "-c", TCP_CLIENTS if stream else UDP_CLIENTS,
            "-w", TCP_WINDOW if stream else WINDOW_PACED if rate else IN_FLIGHT // UDP_CLIENTS]
    argv += ["-r", rate] if rate else []
    argv += ["-D"] if row.dnssec else []
    argv += ["-x"] if row.queries in FRESH else []
    argv += ["-T"] if row.kind == "tcp" else ["-S"] if row.kind == "dot" else []
    argv += [address, TLS_PORT if row.kind == "dot" else PORT, questions]
    if rig.napi and os.path.exists(os.path.join(rig.build, "frames")):
        argv = frames(rig, row, seconds, rate, skip, questions)
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False,
                          start_new_session=True, preexec_fn=go_ahead)
    if done.returncode:
        raise RuntimeError(f"{os.path.basename(argv[0])}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def used_ns(server, rig):
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (server.cgroup.cpu_ns(), thread_ns(rig.napi) if rig.napi else 0, int((children.ru_utime + children.ru_stime) * 1e9))


def queries(server, rig, row, folder, seconds, *, rate=0):
    """Any row that asks questions."""
    questions = os.path.join(folder, f"questions.{row.queries}")
    # Caches, branch predictors, page faults; what is asked evenly comes round several times.
    blast(rig, row, EVEN_WARM_S if row.set == "even" else min(1, seconds), rate=rate, skip=zonesets.QUERIES, questions=questions)
    for _ in range(2):
        before = used_ns(server, rig)
        got = blast(rig, row, seconds, rate=rate, questions=questions)
        process, napi, generator = (b - a for a, b in zip(before, used_ns(server, rig)))
        # The generator's includes its start, when it reads the questions; its receive thread (napi rig) is not in it.
        limit = max(process + napi, generator) / 1e9 / got["seconds"]
        if rate or limit > LIMIT_MIN:
            break
    answers = max(got["answered"], 1)
    out = {"cpu_ns": (process + napi) / answers, "qps": got["answered"] / got["seconds"], "busy": (process + napi) / 1e9 / got["seconds"],
           "limit": limit, "lost": got["lost"] / max(got["sent"], 1), "octets": got["octets"] / answers,
           "p50_us": got["p50_us"], "p99_us": got["p99_us"], "p999_us": got["p999_us"]}
    if rig.napi:
        out["napi_ns"] = napi / answers
    if rate:
        out["rate"] = rate
    if not server.floor:
        out["failed"] = 1 - (got["rcodes"][0] + got["rcodes"][3]) / answers
        out["wrong"] = wrong(row, questions)
    return out


def wrong(row, path):
    """The share of a sample that is not answered as the questions' third column says."""
    with open(path, encoding="ascii") as f:
        lines = f.read().splitlines()
    sample = lines[::max(1, len(lines) // SAMPLE)]
    bad = 0
    for line in sample:
        name, qtype, expected = line.split()
        answer = None
        for _ in range(3):
            answer = answer or ask.question(SERVER[6 if row.ipv6 else 4], name, qtype, 0.2, row.dnssec)
        bad += answer is None or ask.rcode(answer) != expected
    return bad / len(sample)


def forget(paths):
    """The files' pages leave the page cache."""
    for path in paths:
        with open(path, "rb") as f:
            os.fsync(f.fileno())
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def start(server, probes, limit_s, prefix):
    cpu = server.cgroup.cpu_ns()
    started = server.start()
    first, ready = server.wait_ready(probes, limit_s)
    return {prefix + "_first_s": first - started, prefix + "_s": ready - started, prefix + "_cpu_s": (server.cgroup.cpu_ns() - cpu) / 1e9}


def memory(server, records):
    server.wait_quiet()
    store = getattr(server, "store", None)
    held = sum(os.lstat(os.path.join(at, f)).st_blocks * 512 for at, _, files in os.walk(store) for f in files) if store else 0
    if store and held < records:
        raise RuntimeError(f"no store of {records} records in {store}: its memory would not be counted")
    octets = server.cgroup.memory(without=store) + held
    out = {"memory_mib": octets / 2**20, "octets_per_record": octets / records}
    if store:
        out["store_mib"] = held / 2**20
    return out


def editable(zone, file, folder):
    """A copy of the zone file that may be changed; returns its path."""
    path = os.path.join(folder, "edited.zone")
    shutil.copyfile(file, path)
    with open(path, "rb") as f:
        os.fsync(f.fileno())
    return path


def change(server, zone, file, turn):
    """One record more and a new serial in the zone file of `zone`, and the reload command."""
    old, new = zonesets.SERIAL + turn - 1, zonesets.SERIAL + turn
    with open(file, "r+b") as f:
        head = f.read(4096)
        f.seek(head.index(str(old).encode()))
        f.write(str(new).encode())
        f.seek(0, os.SEEK_END)
        f.write(f"added-{turn}.{zone} 3600 NS ns1.hoster.example.\n".encode())
    server.wait_quiet()
    time.sleep(1.1)  # servers that look at whole seconds of the file's time, and NSD, which waits that long between reloads, must not be hit by it
    cpu, begun = server.cgroup.cpu_ns(), time.monotonic()
    server.changed(zone)
    deadline = begun + 120
    while ask.serial(SERVER[4], zone) != new:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{server.name}: serial {new} was never served")
        time.sleep(0.0005)
    took = time.monotonic() - begun
    server.wait_quiet()
    return {"change_ms": took * 1e3, "change_cpu_ms": (server.cgroup.cpu_ns() - cpu) / 1e6}


def instructions(make_server, probes, path):
    """User-space instructions per answer: two lives under callgrind that differ by so many questions."""
    lives = []
    for count in (1000, 6000):
        server = make_server()
        try:
            server.wrap = ["valgrind", "-q", "--tool=callgrind", "--trace-children=yes", f"--callgrind-out-file={server.folder}/callgrind.%p"]
            short = server.path("questions")
            with open(path, encoding="ascii") as f, open(short, "w", encoding="ascii") as out:
                out.writelines(line for line, _ in zip(f, range(count)))
            server.start()
            server.wait_ready(probes, 120)
            done = 0
            with open(short, encoding="ascii") as f:
                for line in f:
                    name, qtype, _ = line.split()
                    done += ask.question(SERVER[4], name, qtype, 2) is not None
            server.cgroup.kill(60)
            server.stop()
            total = 0
            for name in os.listdir(server.folder):
                if name.startswith("callgrind."):
                    with open(server.path(name), encoding="latin-1") as f:
                        total += next((int(line.split()[1]) for line in f if line.startswith(("summary:", "totals:"))), 0)
            lives.append((total, done))
        finally:
            with contextlib.suppress(RuntimeError):
                server.close()
    return {"instructions": (lives[1][0] - lives[0][0]) / max(1, lives[1][1] - lives[0][1])}
