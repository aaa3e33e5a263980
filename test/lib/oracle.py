# SPDX-License-Identifier: BSD-2-Clause
"""The same question to zonecast and its peers must get the same meaning.

Meaning is rcode, AA, TC, and the sections as sets; of a referral the glue too. What at least two of three peers say is right. What differs from
that is a finding, unless `excuse` names the RFC that allows it. Denials in signed zones are judged by themselves beside that (denial.py):
two different proofs of the same are equal, a proof with a hole is a finding even when everybody has it.
"""
import collections
import functools
import random

import socket
import subprocess
import time

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype as T

import denial
from paths import BUILD

WINDOW, TRIES, WAIT_S = 100, 5, 2.0
PRESENT_TYPES_MAX = 24
ABSENT = ["A", "AAAA", "NS", "SOA", "MX", "TXT", "DS", "CNAME", "DNAME", "SRV", "DNSKEY", "NSEC", "HTTPS", "TYPE65280", "ANY"]
Question = collections.namedtuple("Question", "name qtype mode qclass", defaults=("IN",))
# EDNS payload size (None: no EDNS), DO, TCP
MODES = {"plain": (None, False, False), "edns": (1232, False, False), "do": (1232, True, False), "small": (512, True, False),
         "tcp": (None, False, True), "tcp-do": (1232, True, True)}


def records(path, origin):
    """{owner: types} of a zone file, as zonecast reads it; None when it refuses the zone."""
    done = subprocess.run([f"{BUILD}/test/lib/zonedump", path, origin], capture_output=True, check=False, timeout=600)
    if done.returncode:
        return None
    out = collections.defaultdict(set)
    for line in done.stdout.decode("latin-1").splitlines():
        owner, _, _, rdtype, *_ = line.split(None, 4)
        out[owner].add(rdtype)
    return {dns.name.from_text(o): t for o, t in out.items()}


# ---- questions ----

def child_of(name, *labels):
    try:
        return dns.name.Name(tuple(labels) + name.labels)
    except dns.name.NameTooLong:
        return None


def mixed(name, rng):
    flip = bytes.maketrans(bytes(range(65, 91)) + bytes(range(97, 123)), bytes(range(97, 123)) + bytes(range(65, 91)))
    return dns.name.Name(tuple(bytes(c if rng.random() < 0.5 else bytes([c]).translate(flip)[0] for c in label) for label in name.labels))


def neighbours(name):
    """Names right before and after in canonical order, and others that are not there."""
    if len(name) <= 1:
        return []
    first, rest = name.labels[0], name.labels[1:]
    out = [child_of(name, b"nx-zz"), child_of(name, b"a", b"b-zz"), child_of(name, b"*"), child_of(name, b"nx", b"*"), child_of(name, b"\0")]
    for label in (first[:-1] + bytes([max(first[-1] - 1, 0)]) + b"~", first + b"\0", b"-" + first, first + b"-"):
        if 0 < len(label) <= 63:
            try:
                out.append(dns.name.Name((label,) + rest))
            except dns.name.NameTooLong:
                pass
    return [n for n in out if n is not None]


def questions(zone, origin, rng, names_max=None, thin=False):
    """Of one zone: {owner: types}. names_max: a sample of so many owners; thin: one mode a question, chosen at random."""
    apex = dns.name.from_text(origin)
    owners = sorted(zone)
    ents = {n for o in owners for n in iterate_up(o, apex)} - set(owners)
    owners = [o for o in owners if not zone[o] <= {"NSEC3", "RRSIG"}] + sorted(ents)
    if names_max and len(owners) > names_max:
        owners = [apex] + rng.sample(owners, names_max)

    def ask(name, qtype, modes, qclass="IN"):
        if thin:
            modes = [rng.choice(modes)]
        for mode in modes:
            yield Question(name, qtype, mode, qclass)

    for owner in owners:
        own = sorted(zone.get(owner, set()) - {"RRSIG", "NSEC3"})[:PRESENT_TYPES_MAX]
        for qtype in own:
            yield from ask(owner, qtype, list(MODES))
        for qtype in rng.sample(ABSENT, 3) if thin else ABSENT:
            if qtype not in own:
                yield from ask(owner, qtype, ["plain", "do"])
        yield from ask(owner, "RRSIG", ["do"])
        yield from ask(mixed(owner, rng), rng.choice(own or ["A"]), ["do"])
        near = neighbours(owner)
        for name in rng.sample(near, min(3, len(near))) if thin else near:
            yield from ask(name, "A", ["plain", "do"])
            yield from ask(name, rng.choice(["DS", "NS", "TXT", "SOA", "CNAME", "ANY", "NSEC"]), ["do"])
    for qclass in ("CH", "HS", "ANY"):
        yield from ask(apex, "SOA", ["plain"], qclass)
        yield from ask(child_of(apex, b"nx-zz"), "A", ["edns"], qclass)
    if len(apex) > 1:
        yield from ask(apex.parent(), "SOA", ["plain", "do"])
        yield from ask(dns.name.Name((b"beside-" + apex.labels[0][:40],) + apex.labels[1:]), "A", ["do"])


def iterate_up(name, apex):
    while name != apex and len(name) > len(apex):
        name = name.parent()
        yield name


def wire_of(q, ident):
    payload, do, _ = MODES[q.mode]
    m = dns.message.make_query(q.name, q.qtype, rdclass=q.qclass, want_dnssec=do, use_edns=0 if payload else None, payload=payload or 512)
    m.flags &= ~dns.flags.RD
    m.id = ident
    return m.to_wire()


# ---- asking ----

class Asker:
    """Many questions to one server: over UDP in a window, over one TCP connection in a row. Answers in the order of the questions."""

    def __init__(self, server):
        self.server = server

    def udp(self, wires):
        answers = [None] * len(wires)
        todo = collections.deque(range(len(wires)))
        flying = {}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            s.connect((self.server.address, self.server.port))
            s.settimeout(0.05)
            tries = collections.Counter()
            while todo or flying:
                while todo and len(flying) < WINDOW:
                    i = todo.popleft()
                    tries[i] += 1
                    s.send(wires[i])
                    flying[i & 0xffff] = (i, time.monotonic())
                try:
                    reply = s.recv(65535)
                    got = flying.pop(int.from_bytes(reply[:2], "big"), None)
                    if got:
                        answers[got[0]] = reply
                except TimeoutError:
                    pass
                except ConnectionRefusedError as e:
                    raise AssertionError(f"{self.server.name} is gone:\n{self.server.log()[-2000:]}") from e
                now = time.monotonic()
                for ident, (i, at) in list(flying.items())[:5]:
                    if now - at > WAIT_S:
                        del flying[ident]
                        if tries[i] < TRIES:
                            todo.append(i)
        return answers

    def tcp(self, wires):
        answers = [None] * len(wires)
        for start in range(0, len(wires), WINDOW):
            part = range(start, min(start + WINDOW, len(wires)))
            with socket.create_connection((self.server.address, self.server.port), timeout=10) as s:
                s.sendall(b"".join(len(wires[i]).to_bytes(2, "big") + wires[i] for i in part))
                data, waiting = b"", len(part)
                while waiting:
                    more = s.recv(1 << 18)
                    if not more:
                        break
                    data += more
                    while len(data) >= 2 and len(data) >= 2 + int.from_bytes(data[:2], "big"):
                        size = int.from_bytes(data[:2], "big")
                        reply, data = data[2:2 + size], data[2 + size:]
                        base = start & ~0xffff
                        i = base | int.from_bytes(reply[:2], "big")
                        answers[i if i >= start else i + 0x10000] = reply
                        waiting -= 1
        return answers

    def ask(self, batch):
        """Replies of a list of questions, None where there was none."""
        out = [None] * len(batch)
        for tcp in (False, True):
            which = [i for i, q in enumerate(batch) if MODES[q.mode][2] == tcp]
            wires = [wire_of(batch[i], k & 0xffff) for k, i in enumerate(which)]
            for i, reply in zip(which, (self.tcp if tcp else self.udp)(wires) if wires else []):
                out[i] = reply
        return out


# ---- meaning ----

def sets(section):
    out = []
    for s in section:
        out.append((s.name.canonicalize(), s.rdtype, s.covers, s.ttl, frozenset(r.to_digestable() for r in s)))
    return frozenset(out)


@functools.lru_cache(maxsize=20000)
def parsed(reply):
    return dns.message.from_wire(reply)


Meaning = collections.namedtuple("Meaning", "rcode aa tc answer authority glue")


@functools.lru_cache(maxsize=20000)
def meaning(reply):
    if reply is None:
        return None
    try:
        m = parsed(reply)
    except dns.exception.DNSException as e:
        return f"malformed: {e!r}"
    tc = bool(m.flags & dns.flags.TC)
    aa = bool(m.flags & dns.flags.AA)
    if tc:
        return Meaning(m.rcode(), aa, True, None, None, None)
    authority = sets(m.authority)
    referral = not aa and any(s[1] == T.NS for s in authority)
    return Meaning(m.rcode(), aa, False, sets(m.answer), authority, sets(m.additional) if referral else None)


def types(section):
    return {s[1] for s in section}


def without(section, *rdtypes):
    return frozenset(s for s in section if s[1] not in rdtypes and s[2] not in rdtypes)


class Judge:
    def __init__(self, zones, no_ttl=()):
        """zones: {origin: signed, so that denials must be complete}."""
        self.zones = {dns.name.from_text(z): s for z, s in zones.items()}
        self.no_ttl = set(no_ttl)

    def home(self, name):
        while name not in self.zones:
            if name == dns.name.root:
                return None
            name = name.parent()
        return name

    def leaves(self, name, answer):
        """Does an alias of the answer lead from the zone of the question into another?"""
        home = self.home(name)
        for s in answer:
            if s[1] in (T.CNAME, T.DNAME) and self.home(dns.name.from_wire(next(iter(s[4])), 0)[0]) != home:
                return True
        return False

    def excuse(self, q, a, b):
        """Why an answer of ours may differ from a peer's. a: ours."""
        if b is None:
            return "no answer of the peer"
        if isinstance(b, str):
            return None
        qtype = T.from_text(q.qtype)
        if q.qclass != "IN":
            return "RFC 1035 3.2.4, RFC 4892: what other classes than IN get is up to the server"
        if qtype == T.ANY:
            if a.rcode == b.rcode and a.aa == b.aa:
                return "RFC 8482 4.1: QTYPE ANY gets one of the sets"
        if qtype == T.RRSIG and a.rcode == b.rcode:
            return "RFC 8482 7: QTYPE RRSIG may get some of the signatures"
        if a.tc != b.tc and MODES[q.mode][0] in (None, 512, 1232):
            return "RFC 2181 9: TC depends on how much optional data was tried, and on room kept for options"
        if a.tc and b.tc:
            return "RFC 2181 9: what else a truncated answer says does not count" if a.rcode == b.rcode else None
        if a.tc or b.tc:
            return None
        if a.rcode == b.rcode and a.aa == b.aa and a.answer == b.answer:
            x, y = a.authority, b.authority
            if x == y:
                return "RFC 9471 3: which glue is sent beyond what the referral needs"
            if without(x, T.NS) == without(y, T.NS) and a.aa:
                return "RFC 1034 6.2.1: NS of the zone in the authority section is optional"
            if without(x, T.NS, T.NSEC, T.NSEC3) == without(y, T.NS, T.NSEC, T.NSEC3):
                return "RFC 4035 3.1.3, RFC 5155 7.2: another complete proof"
        home = self.home(q.name)
        if a.rcode == b.rcode and home in self.no_ttl and all(
                {(s[0], s[1], s[4]) for s in m if s[1] != T.RRSIG} == {(s[0], s[1], s[4]) for s in n if s[1] != T.RRSIG}
                for m, n in ((a.answer, b.answer), (a.authority, b.authority))):
            return "RFC 1035 5.1: the file states no TTL; servers choose the SOA's MINIMUM or an hour"
        if self.leaves(q.name, a.answer) and (a.answer >= b.answer or b.answer >= a.answer or without(a.answer, T.RRSIG) >= without(b.answer, T.RRSIG)):
            return "RFC 1034 4.3.2 3a: following an alias into another zone is optional"
        return None

    def hole(self, q, reply):
        """What our own denial lacks."""
        if q.qclass != "IN" or not MODES[q.mode][1] or not self.zones.get(self.home(q.name)):
            return None
        m = parsed(reply)
        if m.flags & dns.flags.TC or m.rcode() not in (0, 3) or q.qtype == "RRSIG":
            return None
        if m.answer:  # an alias may end in a zone that is not signed
            name, answered = denial.end_of_chain(m, q.name, T.from_text(q.qtype))
            if not answered and not self.zones.get(self.home(name)):
                return None
        elif q.qtype == "DS" and not any(q.name in self.zones and q.name.is_subdomain(z) and z != q.name for z in self.zones) and q.name in self.zones:
            pass
        return denial.problem(m, q.name, T.from_text(q.qtype))


class Report:
    def __init__(self):
        self.counts = collections.Counter()
        self.classes = collections.Counter()
        self.findings = []

    def __str__(self):
        lines = [", ".join(f"{v} {k}" for k, v in self.counts.items()) + f", {len(self.findings)} unexplained"]
        lines += [f"  {n:7}  {c}" for c, n in self.classes.most_common()]
        return "\n".join(lines)

    def finding(self, q, why, ours, peers):
        self.findings.append((q, why, ours, peers))

    def show(self, most=8):
        out = []
        for q, why, ours, peers in self.findings[:most]:
            out.append(f"\n{q.name} {q.qclass} {q.qtype} {q.mode}: {why}\n--- ours\n{text_of(ours)}")
            out += [f"--- {n}\n{text_of(r)}" for n, r in peers.items()]
        return "\n".join(out)


def text_of(reply):
    if reply is None:
        return "(no answer)"
    try:
        m = parsed(reply)
    except dns.exception.DNSException as e:
        return f"(malformed: {e!r}) {reply.hex()}"
    lines = [f"{dns.rcode.to_text(m.rcode())} {dns.flags.to_text(m.flags)}"]
    for title, section in (("an", m.answer), ("au", m.authority), ("ad", m.additional)):
        lines += [f"  {title} {line[:150]}" for s in section for line in s.to_text().splitlines()]
    return "\n".join(lines[:30])


def compare(ours, peers, asked, judge, report):
    """ours, peers: servers that run; asked: an iterable of questions."""
    batch = []
    for q in asked:
        batch.append(q)
        if len(batch) == 4000:
            compare_batch(ours, peers, batch, judge, report)
            batch = []
    if batch:
        compare_batch(ours, peers, batch, judge, report)


def compare_batch(ours, peers, batch, judge, report):
    mine = Asker(ours).ask(batch)
    theirs = {p.name: Asker(p).ask(batch) for p in peers}
    for i, q in enumerate(batch):
        report.counts["questions"] += 1
        replies = {n: r[i] for n, r in theirs.items()}
        a = meaning(mine[i])
        if a is None or isinstance(a, str):
            report.finding(q, a or "no answer", mine[i], replies)
            continue
        hole = judge.hole(q, mine[i])
        if hole:
            report.finding(q, f"the proof is not complete: {hole}", mine[i], replies)
            continue
        meanings = {n: meaning(r) for n, r in replies.items()}
        agree = [n for n, m in meanings.items() if m == a]
        if len(agree) >= 2:
            report.counts["agreed with two or more peers"] += 1
            continue
        reasons = [judge.excuse(q, a, m) for m in meanings.values() if m != a]
        if len(agree) + sum(r is not None for r in reasons) >= 2:
            report.counts["differ as an RFC allows"] += 1
            report.classes.update(r for r in reasons if r)
        else:
            report.finding(q, "differs", mine[i], replies)


def rng_of(seed):
    return random.Random(seed)


__all__ = ["Judge", "Report", "compare", "questions", "records", "rng_of"]
