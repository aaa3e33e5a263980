# SPDX-License-Identifier: BSD-2-Clause
"""zonecast in front of another server: whoever asks it must get what that server itself says.

    report = oracle.Report()
    front.compare(folder, Knot, zones, asked_of, report)

Compared are RCODE, AA, and the three sections as sets with their TTLs, which may have been counted down. Over UDP one of the two may be truncated where the other is not (the backend is asked
with another size than the client's): then what both say over TCP counts, and truncation must have had a reason.
Of an error counts its RCODE alone: all servers were asked, and this is what the last one said.
"""
import contextlib
import itertools
import os
import time

import dns.name

import oracle
from paths import ZONECAST
from servers import Zonecast

ROUNDS = 2  # the second time answers come from the cache
ERRORS = (1, 2, 4, 5)  # FORMERR, SERVFAIL, NOTIMP, REFUSED


class Front(Zonecast):
    """By a fleet file, at port 53 of a loopback address of its own."""
    name = "front"
    port_of_service = 53

    def __init__(self, folder, zones, servers, more="", workers=1):
        """zones: names with final dot. servers: [(address, port)] of the backends. more: lines of the pool."""
        super().__init__(folder, zones)
        pid = os.getpid()
        self.address, self.port = f"127.53.{pid >> 8 & 0xff}.{pid & 0xff or 1}", self.port_of_service
        lines = ["fleet: front", f"run-dir: {self.path('run')}", f"state-dir: {self.path('state')}",
                 f"nodes:\n  - {{name: n, role: primary, management: [{self.address}], workers: {workers}}}",
                 "answer:\n  rate-limit: {answers: 0, referrals: 0, no-data: 0, no-names: 0, errors: 0}",
                 "backends:\n  - name: behind\n    servers: [" + ", ".join('{address: "%s:%d"}' % s for s in servers) + "]", more,
                 "zones:", *(f'  - {{name: "{z.rstrip(".") or "."}", backends: behind}}' for z in zones)]
        self.config = self.write("fleet.yaml", "\n".join(line for line in lines if line) + "\n")

    def start(self):
        self.spawn([ZONECAST, "run", "--config", self.config, "--node", "n"])


def counted_down(ours, theirs, age_s):
    """Is a section the same but for TTLs that are less by age_s at most?"""
    if {s[:3] + s[4:] for s in ours} != {s[:3] + s[4:] for s in theirs} or len(ours) != len(theirs):
        return False
    ttl = {s[:3] + s[4:]: s[3] for s in theirs}
    return all(max(0, ttl[s[:3] + s[4:]] - age_s) <= s[3] <= ttl[s[:3] + s[4:]] for s in ours)


def differs(a, b, age_s):
    """In what two replies (octets) are not the same; None: in nothing."""
    if a is None or b is None:
        return None if a is b else "no answer of " + ("ours" if a is None else "the backend")
    try:
        flags_a, *sections_a = oracle.wire_sections(a, False)
        flags_b, *sections_b = oracle.wire_sections(b, False)
    except oracle.Malformed as e:
        return f"malformed: {e}"
    if flags_a & 15 == flags_b & 15 and flags_a & 15 in ERRORS:
        return None
    if (flags_a ^ flags_b) & 0x040f:
        return "RCODE or AA"
    if a[12:12 + 2] and a[4:6] != b[4:6]:
        return "the question"
    for title, mine, other in zip(("answer", "authority", "additional"), sections_a, sections_b):
        if not counted_down(mine, other, age_s):
            return title
    return None


def served(name, zones):
    return any(name.is_subdomain(dns.name.from_text(z)) for z in zones)


def truncated(reply):
    return reply is not None and bool(reply[2] & 2)


def compare(folder, kind, zones, asked_of, report):
    """zones: {origin: (path, signed)}. kind: of server that is behind (servers.py)."""
    paths = {oracle.READY: oracle.ready_zone(folder)} | {o: p for o, (p, _) in zones.items()}
    with contextlib.ExitStack() as running:
        behind = kind(folder, paths)
        behind.waits_for = (oracle.READY,)
        running.enter_context(behind)
        has = oracle.settled(behind, list(zones))
        report.counts["zones not loaded"] += len(zones) - len(has)
        began = time.monotonic()
        ours = running.enter_context(Front(folder, [oracle.READY, *has], [("127.0.0.1", behind.port)]))
        for origin in sorted(has):
            report.counts["zones"] += 1
            asked = iter(asked_of(oracle.records(zones[origin][0], origin) or {dns.name.from_text(origin): {"SOA", "NS"}}, origin))
            while batch := list(itertools.islice(asked, oracle.BATCH)):
                compare_batch(ours, behind, [q for q in batch if q.qclass == "IN" and served(q.name, has)], began, report)


def glue(reply):
    return {s[:3] + s[4:] for s in oracle.wire_sections(reply, False)[3]}


def is_said_otherwise(behind, q, ours, report):
    """BIND leaves glue and other additional records out over UDP without TC, more of it for a smaller size, and each time other. It is asked over UDP for the size of RFC 9715, and what it says so is
    given to all."""
    do = oracle.MODES[q.mode][1]
    over_udp, over_tcp = oracle.Asker(behind).ask([q._replace(mode="do" if do else "edns"), q._replace(mode="tcp-do" if do else "tcp-edns")])
    report.counts["the server leaves additional records out over UDP"] += 1
    if over_udp is None or over_tcp is None:
        return False
    return glue(ours) == glue(over_udp) or (len(glue(over_udp)) < len(glue(over_tcp)) and glue(ours) <= glue(over_tcp))


def compare_batch(ours, behind, batch, began, report):
    """began: when the cache was empty."""
    theirs = oracle.Asker(behind).ask(batch)
    by_tcp = [q if oracle.MODES[q.mode][2] else q._replace(mode="tcp-do" if oracle.MODES[q.mode][1] else "tcp-edns" if oracle.MODES[q.mode][0] else "tcp") for q in batch]
    whole = None
    for _ in range(ROUNDS):
        mine = oracle.Asker(ours).ask(batch)
        mine_whole = None
        for i, q in enumerate(batch):
            report.counts["questions"] += 1
            if truncated(mine[i]) or truncated(theirs[i]):
                whole = whole or oracle.Asker(behind).ask(by_tcp)
                mine_whole = mine_whole or oracle.Asker(ours).ask(by_tcp)
                report.counts["truncated"] += 1
                age_s = int(time.monotonic() - began) + 2
                why = differs(mine_whole[i], whole[i], age_s)
                if why == "additional" and is_said_otherwise(behind, q, mine_whole[i], report):
                    why = None
                if not why and truncated(mine[i]) and not truncated(theirs[i]) and len(whole[i] or b"") <= oracle.limit_of(q):
                    why = "truncated without need"
            else:
                why = differs(mine[i], theirs[i], int(time.monotonic() - began) + 2)
                if why == "additional" and is_said_otherwise(behind, q, mine[i], report):
                    why = None
            if not why and mine[i] and len(mine[i]) > (65535 if oracle.MODES[q.mode][2] else oracle.limit_of(q)):
                why = "more than the client can take"
            if why:
                report.finding(q, why, mine[i], {behind.name: theirs[i]})
