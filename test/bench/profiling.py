# SPDX-License-Identifier: BSD-2-Clause
"""Where zonecast's CPU time goes in one row, by function: perf with the CPU clock where it is usable, else callgrind (user space only)."""
import os
import re
import shutil
import subprocess

import ask
import measure
from peers import Zonecast, ZonecastXdp
from rig import SERVER, Rig

CALLGRIND_QUESTIONS = 5000


def perf_usable():
    return bool(shutil.which("perf")) and subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-o", "/dev/null", "true"],
                                                         capture_output=True, check=False).returncode == 0


def read_lines(path, count):
    with open(path, encoding="ascii") as f:
        return [line.split() for line, _ in zip(f, range(count))]


def by_perf(rig, server, row, folder, context, out):
    data = server.path("perf.data")
    argv = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "4000", "-g", "-p", ",".join(map(str, server.cgroup.pids())), "-o", data]
    questions = os.path.join(folder, f"questions.{row.queries}")
    rate = measure.PACED_RATE if row.kind in ("paced", "latency") else 0
    measure.blast(rig, row, 1, rate=rate, questions=questions)
    recorder = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        got = measure.blast(rig, row, max(context.seconds, 5), rate=rate, questions=questions)
    finally:
        recorder.terminate()
        recorder.wait()
    with open(out, "w", encoding="utf-8") as f:
        f.write(f"# {row.name}: {got['answered'] / got['seconds']:,.0f} answers/s; samples of zonecast's CPU time, kernel included\n")
        f.flush()
        for title, *extra in (("By function", "--no-children", "--sort", "comm,dso,symbol"), ("With what it calls", "--children", "--sort", "symbol")):
            got = subprocess.run(["perf", "report", "--stdio", "-i", data, "-g", "none", "--percent-limit", "0.1", *extra], capture_output=True, text=True,
                                 check=False).stdout
            f.write(f"\n# {title}\n" + "\n".join(re.sub(r"(\s+-)*\s*$", "", line) for line in got.splitlines() if line and line[0] != "#") + "\n")


def by_callgrind(server, row, folder, probes, out):
    server.wrap = ["valgrind", "-q", "--tool=callgrind", "--trace-children=yes", f"--callgrind-out-file={server.folder}/callgrind.%p"]
    server.start()
    server.wait_ready(probes, 300)
    for name, qtype, _ in read_lines(os.path.join(folder, f"questions.{row.queries}"), CALLGRIND_QUESTIONS):
        ask.question(SERVER[4], name, qtype, 2, row.dnssec)
    server.stop()
    files = [server.path(name) for name in os.listdir(server.folder) if name.startswith("callgrind.")]
    with open(out, "w", encoding="utf-8") as f:
        f.write(f"# {row.name}: instructions in user space, all processes, load included\n")
        f.flush()
        for path in sorted(files, key=os.path.getsize, reverse=True):
            subprocess.run(["callgrind_annotate", "--auto=no", path], stdout=f, stderr=subprocess.DEVNULL, check=False)


def profile(context, row, base, folder, out, say):
    out = out or os.path.join(os.path.dirname(context.binary), "profile-" + row.name.replace("/", "-") + ".txt")
    with open(os.path.join(folder, "probe"), encoding="ascii") as f:
        probes = [tuple(line.split()[:2]) for line in f]
    with open(os.path.join(folder, "zones.list"), encoding="ascii") as f:
        zones = [(name, os.path.join(folder, file)) for name, file in (line.split() for line in f)]
    cls = ZonecastXdp if row.rig == "napi" and not ZonecastXdp.missing(context) else Zonecast
    with Rig(row.rig, context.build, context.cpus) as rig:
        server = cls(rig, zones, tls=row.kind == "dot", base=base)
        try:
            if perf_usable():
                server.start()
                server.wait_ready(probes, 300)
                server.wait_quiet()
                by_perf(rig, server, row, folder, context, out)
            elif shutil.which("valgrind"):
                say("perf is not usable here: callgrind")
                by_callgrind(server, row, folder, probes, out)
            else:
                raise SystemExit("bench: a profile needs perf or valgrind")
        finally:
            server.close()
    with open(out, encoding="utf-8") as f:
        shown = [line.rstrip() for line in f if line.strip() and "%" in line][:40]
    print("\n".join(shown))
    print(f"\nreport: {out}")
