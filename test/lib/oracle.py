# SPDX-License-Identifier: BSD-2-Clause
"""The same question to zonecast and its peers must get the same meaning.

Meaning is rcode, AA, TC, and the sections as sets; of a referral the glue too. What at least two of three peers say is right. What differs from
that is a finding, unless `excuse` names the RFC that allows it. Denials in signed zones are judged by themselves beside that (denial.py):
two different proofs of the same are equal, a proof with a hole is a finding even when everybody has it.
"""
import collections
import contextlib
import functools
import itertools
import os
import random
import re
import socket
import struct
import subprocess
import time

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass as C
import dns.rdatatype as T

import denial
from paths import BUILD
from servers import Bind, Knot, Nsd, Zonecast

WINDOW, TRIES, WAIT_S, BATCH = 100, 20, 0.3, 4000
SETTLE_S = 3.0
READY = "ready.invalid."
CHAIN_MAX = 16  # ENGINE_CHAIN_MAX: a chain of ours as long as this was cut off
PRESENT_TYPES_MAX = 24
ABSENT = ["A", "AAAA", "NS", "SOA", "MX", "TXT", "DS", "CNAME", "DNAME", "SRV", "DNSKEY", "NSEC", "HTTPS", "TYPE65280", "ANY"]
Question = collections.namedtuple("Question", "name qtype mode qclass", defaults=("IN",))
# EDNS payload size (None: no EDNS), DO, TCP
MODES = {"plain": (None, False, False), "edns": (1232, False, False), "do": (1232, True, False), "small": (512, True, False),
         "tcp": (None, False, True), "tcp-edns": (1232, False, True), "tcp-do": (1232, True, True)}


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


@functools.lru_cache(maxsize=20000)
def wire_of(q):
    """By hand: dnspython takes a millisecond for names of 127 labels."""
    payload, do, _ = MODES[q.mode]
    question = b"".join(bytes([len(label)]) + label for label in q.name.labels) + struct.pack("!HH", T.from_text(q.qtype), C.from_text(q.qclass))
    opt = struct.pack("!BHHBBHH", 0, T.OPT, payload, 0, 0, 0x8000 if do else 0, 0) if payload else b""
    return b"\0\0" + struct.pack("!HHHHH", 0, 1, 0, 0, bool(opt)) + question + opt


def with_id(wire, ident):
    return ident.to_bytes(2, "big") + wire[2:]


# ---- asking ----

class Asker:
    """Many questions to one server: over UDP in a window, over one TCP connection in a row. Answers in the order of the questions."""

    def __init__(self, server):
        self.server = server

    def udp(self, wires, tries_max):
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
                        if tries[i] < tries_max[i]:
                            todo.append(i)
        return answers

    def tcp(self, wires, _):
        answers = [None] * len(wires)
        for start in range(0, len(wires), WINDOW):
            part = range(start, min(start + WINDOW, len(wires)))
            with socket.create_connection((self.server.address, self.server.port), timeout=10) as s:
                s.sendall(b"".join(len(wires[i]).to_bytes(2, "big") + wires[i] for i in part))
                data, waiting = b"", len(part)
                while waiting:
                    try:
                        more = s.recv(1 << 18)
                    except (TimeoutError, ConnectionResetError):
                        break  # those that are missing count as not answered
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
            wires = [with_id(wire_of(batch[i]), k & 0xffff) for k, i in enumerate(which)]
            # Some servers are silent about some classes.
            tries = [TRIES if batch[i].qclass == "IN" else 2 for i in which]
            for i, reply in zip(which, (self.tcp if tcp else self.udp)(wires, tries) if wires else []):
                out[i] = reply
        return out


# ---- meaning ----

def parsed(reply):
    return parsed_without_id(b"\0\0" + reply[2:])


@functools.lru_cache(maxsize=2000)
def parsed_without_id(reply):
    return dns.message.from_wire(reply)


class Malformed(Exception):
    pass


def wire_name(m, at):
    """The name at `at` in lower case, uncompressed, and the place behind it."""
    out, end, lowest = [], None, at
    while True:
        if at >= len(m):
            raise Malformed("a name runs out of the message")
        n = m[at]
        if n >= 0xc0:
            if at + 1 >= len(m):
                raise Malformed("half a pointer")
            end = end or at + 2
            at = (n & 0x3f) << 8 | m[at + 1]
            if at >= lowest:
                raise Malformed("a pointer that does not lead back")
            lowest = at
            continue
        if n > 63:
            raise Malformed("a label of another kind")
        out.append(m[at:at + n + 1])
        at += n + 1
        if not n:
            name = b"".join(out).lower()
            if len(name) > 255:
                raise Malformed("a name of more than 255 octets")
            return name, end or at


# Octets before the names of RDATA that may be compressed or compare without case, and how many names.
NAMES_IN = {T.NS: (0, 1), T.MD: (0, 1), T.MF: (0, 1), T.CNAME: (0, 1), T.SOA: (0, 2), T.MB: (0, 1), T.MG: (0, 1), T.MR: (0, 1), T.PTR: (0, 1),
            T.MINFO: (0, 2), T.MX: (2, 1), T.RP: (0, 2), T.AFSDB: (2, 1), T.RT: (2, 1), T.PX: (2, 2), T.KX: (2, 1), T.SRV: (6, 1), T.DNAME: (0, 1),
            T.NSEC: (0, 1), T.RRSIG: (18, 1), T.SIG: (18, 1)}


def wire_rdata(m, rdtype, at, end):
    if rdtype not in NAMES_IN:
        return bytes(m[at:end])
    fixed, names = NAMES_IN[rdtype]
    out = [m[at:at + fixed]]
    at += fixed
    for _ in range(names):
        name, at = wire_name(m, at)
        out.append(name)
    if at > end:
        raise Malformed("a name runs out of RDATA")
    return b"".join(out) + m[at:end]


def wire_sections(m, once):
    """Flags, and the three sections as sets of (owner, type, type covered, TTL, RDATA). once: a record twice is a fault. Raises Malformed."""
    if len(m) < 12:
        raise Malformed("shorter than a header")
    _, flags, qd, *counts = struct.unpack("!HHHHHH", m[:12])
    at, sections = 12, []
    for _ in range(qd):
        at = wire_name(m, at)[1] + 4
    for n in counts:
        out = collections.defaultdict(set)
        for _ in range(n):
            owner, at = wire_name(m, at)
            if at + 10 > len(m):
                raise Malformed("a record runs out of the message")
            rdtype, _, ttl, size = struct.unpack("!HHIH", m[at:at + 10])
            at += 10 + size
            if at > len(m):
                raise Malformed("RDATA runs out of the message")
            if rdtype != T.OPT:
                covers = int.from_bytes(m[at - size:at - size + 2], "big") if rdtype == T.RRSIG else 0
                rdata = wire_rdata(m, rdtype, at - size, at)
                if once and rdata in out[owner, rdtype, covers, ttl]:
                    raise Malformed("a record twice")
                out[owner, rdtype, covers, ttl].add(rdata)
        sections.append(frozenset((*key, frozenset(rdata)) for key, rdata in out.items()))
    if at != len(m):
        raise Malformed("octets behind the message")
    return flags, *sections


Meaning = collections.namedtuple("Meaning", "rcode aa tc answer authority glue")


def meaning(reply, once=False):
    return None if reply is None else meaning_without_id(b"\0\0" + reply[2:], once)


@functools.lru_cache(maxsize=20000)
def meaning_without_id(reply, once):
    try:
        flags, answer, authority, additional = wire_sections(reply, once)
    except Malformed as e:
        return f"malformed: {e}"
    aa, tc = bool(flags & 0x400), bool(flags & 0x200)
    if tc:
        return Meaning(flags & 15, aa, True, None, None, None)
    referral = not aa and any(s[1] == T.NS for s in authority)
    return Meaning(flags & 15, aa, False, answer, authority, additional if referral else None)


def lowered(name):
    return b"".join(bytes([len(label)]) + label for label in name.labels).lower()


def types(section):
    return {s[1] for s in section}


def without(section, *rdtypes):
    return frozenset(s for s in section if s[1] not in rdtypes and s[2] not in rdtypes)


def without_soa_ttl(section):
    return frozenset((*s[:3], 0 if s[1] == T.SOA else s[3], s[4]) for s in section)


class Judge:
    def __init__(self, zones, no_ttl=()):
        """zones: {origin: signed, so that denials must be complete}."""
        self.zones = {dns.name.from_text(z): s for z, s in zones.items()}
        self.no_ttl = {dns.name.from_text(z) for z in no_ttl}

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
        if qtype in (T.RRSIG, T.NSEC) and not b.answer and any(s[0] == lowered(q.name) and s[1] == T.CNAME for s in a.answer):
            return "RFC 1034 4.3.2 3a, RFC 5155 8.5: an alias is followed for these too; the bare denial that some send would not validate"
        if qtype == T.DS and q.name in self.zones and self.home(q.name.parent()) is None:
            return "RFC 4035 2.4: DS must not stand at an apex; where it does and there is no parent, it may be served or ignored"
        if {a.rcode, b.rcode} == {0, 3} and not a.answer and not b.answer and any(z.is_subdomain(q.name) for z in self.zones):
            return "RFC 1034 4.2.1: a zone is served whose delegation its parent lacks; the names between may or may not count as there"
        if qtype == T.SOA and a.rcode == b.rcode and not a.answer and not b.answer and without_soa_ttl(a.authority) == without_soa_ttl(b.authority):
            return "RFC 2308 5: a denial of SOA is best not cached; BIND gives it TTL 0 (zero-no-soa-ttl)"
        if a.rcode == b.rcode and a.aa == b.aa and a.answer == b.answer:
            x, y = a.authority, b.authority
            if x == y:
                return "RFC 9471 3: which glue is sent beyond what the referral needs"
            if without(x, T.NS) == without(y, T.NS) and a.aa:
                return "RFC 1034 6.2.1: NS of the zone in the authority section is optional"
            if without(x, T.NS, T.NSEC, T.NSEC3) == without(y, T.NS, T.NSEC, T.NSEC3):
                return "RFC 4035 3.1.3, RFC 5155 7.2: another complete proof"
        if sum(s[1] == T.CNAME for s in a.answer) >= CHAIN_MAX and (b.rcode == 2 or b.answer <= a.answer):
            return "RFC 1034 3.6.2: how far a chain without end is followed is up to the server"
        home = self.home(q.name.parent() if qtype == T.DS and len(q.name) > 1 else q.name)
        if a.rcode == b.rcode and {home, self.home(q.name)} & self.no_ttl and all(
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


def settled(server, origins):
    """Those of the zones that the server has, once that does not change any more."""
    asked = [Question(dns.name.from_text(o), "SOA", "tcp") for o in origins]
    have, since = None, 0
    while have is None or time.monotonic() - since < SETTLE_S:
        replies = Asker(server).ask(asked)
        now = {o for o, r in zip(origins, replies) if r and r[3] & 15 == 0 and r[2] & 4}
        if now != have:
            have, since = now, time.monotonic()
        elif len(now) == len(origins):
            break
        time.sleep(0.1)
    return have


def compare(ours, peers, asked, judge, report):
    """ours, peers: servers that run and have the zone; asked: an iterable of questions."""
    asked = iter(asked)
    while batch := list(itertools.islice(asked, BATCH)):
        compare_batch(ours, peers, batch, judge, report)


def compare_zones(folder, zones, asked_of, report, say=None, kinds=(Zonecast, Knot, Nsd, Bind)):
    """zones: {origin: (path, signed)}, each of another origin; asked_of(records, origin) gives the questions.

    Some zones are loaded by some servers. What a server lacks changes what it says about zones around; so those are asked apart, of those who
    have them."""
    os.makedirs(folder, exist_ok=True)
    paths = {READY: ready_zone(folder)} | {o: p for o, (p, _) in zones.items()}
    judge = Judge({o: s for o, (_, s) in zones.items()}, no_ttl=[o for o, p in paths.items() if states_no_ttl(p)])
    servers = [kind(folder, paths) for kind in kinds]
    groups = collections.defaultdict(dict)
    with contextlib.ExitStack() as running:
        for s in servers:
            s.waits_for = (READY,)
            running.enter_context(s)
        has = {s.name: settled(s, list(zones)) for s in servers}
        for origin, zone in zones.items():
            groups[tuple(k for k in kinds if origin in has[k.name])][origin] = zone
        if set(groups) == {kinds}:
            for origin, (path, _) in zones.items():
                report.counts["zones"] += 1
                found = len(report.findings)
                compare(servers[0], servers[1:], asked_of(records(path, origin), origin), judge, report)
                if say:
                    say(f"{origin} {report.counts['questions']} questions so far, {len(report.findings) - found} unexplained here")
            return
    for n, (having, of_them) in enumerate(groups.items()):
        if kinds[0] not in having:
            report.counts["zones not loaded"] += len(of_them)
        elif len(having) < 3:
            report.counts["zones that fewer than two peers load"] += len(of_them)
        else:
            compare_zones(os.path.join(folder, str(n)), of_them, asked_of, report, say, having)


def ready_zone(folder):
    """The first zone tells that a server is up: one that all load."""
    path = os.path.join(folder, READY + "zone")
    with open(path, "w", encoding="ascii") as f:
        f.write("$TTL 60\n@ SOA ns host 1 60 60 60 60\n@ NS ns\nns A 192.0.2.1\n")
    return path


def states_no_ttl(path):
    with open(path, encoding="latin-1") as f:
        return not re.search(r"^\$TTL", f.read(), re.M | re.I)


def limit_of(q):
    return MODES[q.mode][0] or 512


def in_domain_glue(m):
    cuts = [s[0] for s in m.authority if s[1] == T.NS] if m.glue else []
    return {s for s in m.glue or () if s[1] in (T.A, T.AAAA) and any(s[0].endswith(cut) for cut in cuts)}


def cut_wrongly(q, reply, whole, peers):
    """What is wrong with a reply over UDP beside the same over TCP."""
    a, b = meaning(reply), meaning(whole)
    if isinstance(a, str) or isinstance(b, str) or b is None:
        return None
    if len(reply) > limit_of(q):
        return f"{len(reply)} octets, more than the client can take"
    if not a.tc:
        # RFC 2181 9: all sets that are needed, or TC. RFC 9471 3: all in-domain glue of a referral, or TC.
        same = (a.rcode, a.aa, a.answer, a.authority, in_domain_glue(a)) == (b.rcode, b.aa, b.answer, b.authority, in_domain_glue(b))
        return None if same else "not all, but not truncated"
    if len(whole) <= limit_of(q) and not any(p and not isinstance(p, str) and p.tc for p in peers):
        return "truncated without need"
    return None


def compare_batch(ours, peers, batch, judge, report):
    mine = Asker(ours).ask(batch)
    whole = Asker(ours).ask([q if MODES[q.mode][2] else q._replace(mode="tcp-do" if MODES[q.mode][1] else "tcp-edns" if MODES[q.mode][0] else "tcp")
                             for q in batch])
    theirs = {p.name: Asker(p).ask(batch) for p in peers}
    for i, q in enumerate(batch):
        report.counts["questions"] += 1
        replies = {n: r[i] for n, r in theirs.items()}
        a = meaning(mine[i], once=True)
        if a is None or isinstance(a, str):
            report.finding(q, a or "no answer", mine[i], replies)
            continue
        hole = judge.hole(q, mine[i])
        if hole:
            report.finding(q, f"the proof is not complete: {hole}", mine[i], replies)
            continue
        meanings = {n: meaning(r) for n, r in replies.items()}
        cut = cut_wrongly(q, mine[i], whole[i], meanings.values()) if not MODES[q.mode][2] else None
        if cut:
            report.finding(q, cut, mine[i], {**replies, "ours, by TCP": whole[i]})
            continue
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


__all__ = ["Report", "compare_zones", "questions", "records", "rng_of"]
