# SPDX-License-Identifier: BSD-2-Clause
"""A node in front of other name servers, over UDP: answers are theirs, whoever of them dies, hangs or fails; questions are joined, told apart, bounded; what is sent is what should be."""
import itertools
import os
import random
import signal
import threading
import time

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import pytest

import hard_zones
import oracle
from edge import CLIENT, NODE, Edge, Fake, exchange, said
from netns import missing, wait_until
from paths import SANITIZED, ZONECAST
from servers import Bind, Knot, Pdns, need

WHY = missing(ZONECAST)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
TEXT = "$TTL 300\n@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.1\n*.w A 192.0.2.2\nc CNAME www\n"
LARGE = "".join(f"large TXT \"{i:03d}{'x' * 200}\"\nmiddle{'' if i < 4 else i} TXT \"{i:03d}{'y' * 200}\"\n" for i in range(20))
WAIT_S = 30
STALE, UNREACHABLE = 3, 22


def zone_file(folder, text=TEXT + LARGE):
    path = os.path.join(str(folder), "example.zone")
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return {"example.": path}


def ede(reply):
    return [o.code for o in reply.options if isinstance(o, dns.edns.EDEOption)]


def without_ttls(reply):
    rcode, flags, sections = said(reply)
    return rcode, flags, [sorted(" ".join(r.split()[:1] + r.split()[2:]) for r in s) for s in sections]


def ttls(reply):
    return [r.ttl for s in reply.sections[1:] for r in s]


def pool(edge):
    return edge.status()["backends"]["pools"][0]


def workers(edge, i):
    return pool(edge)["servers"][i]["workers"]


# ---- the same answers ----

@pytest.mark.asan
@pytest.mark.timeout(300)
@pytest.mark.parametrize("server", [Knot, Bind, Pdns])
def test_the_same_answers(tmp_path, server):
    """First the backend's, then the cache's: all but TTLs, which are counted down, must be what the backend itself says."""
    programs = {Knot: "knotd", Bind: "named", Pdns: "pdns_server"}
    need(programs[server])
    rng = random.Random(11)
    os.chmod(tmp_path, 0o755)
    zones = zone_file(tmp_path)
    names = [("www", "A"), ("WwW", "A"), ("none", "A"), ("www", "AAAA"), ("x.w", "A"), ("X.y.W", "A"), ("c", "A"), ("C", "CNAME"), ("ns1", "A"), ("large", "TXT"), ("middle", "TXT"), ("@", "SOA"),
             ("@", "NS"), ("@", "MX"), ("@", "DNSKEY")]
    with Edge(tmp_path, zones, [server]) as edge:
        for again in (False, True):
            for name, rrtype in names:
                full = "example." if name == "@" else f"{name}.example."
                for where in NODE:
                    for how in ({}, {"use_edns": 0, "payload": 1232, "want_dnssec": True}) if (where == "v6") == again else ({"use_edns": 0, "payload": 1232},):
                        ours, theirs = edge.ask(full, rrtype, where, **how), edge.direct(0, full, rrtype, **how)
                        assert ours is not None and theirs is not None, (full, rrtype, where, how)
                        if theirs.flags & dns.flags.TC or ours.flags & dns.flags.TC:
                            # Who cuts where is each server's own; that it has to be cut is not. We offer 1232 octets whoever asks.
                            assert ours.flags & dns.flags.TC and not ours.answer, ours
                            continue
                        assert without_ttls(ours) == without_ttls(theirs), (full, rrtype, where, how, again)
                        assert all(a <= b and a + 120 > b for a, b in zip(sorted(ttls(ours)), sorted(ttls(theirs))))
                        assert ours.question[0].name.to_text() == full
        rng.shuffle(names)
        status = edge.status()["backends"]
        assert status["hits"] > 0 and status["misses"] > 0 and status["failed"] == 0


@pytest.mark.timeout(300)
def test_signed_zones(tmp_path, monkeypatch):
    """Zones with every construct, NSEC and NSEC3, of a real server: with DO, from it and from the cache."""
    need("knotd")
    os.chmod(tmp_path, 0o755)
    monkeypatch.setattr(hard_zones, "SIGNED", {o: how for o, how in hard_zones.SIGNED.items() if o == "nsec.test."})
    zones = hard_zones.make(tmp_path)
    rng, asked = random.Random(5), 0
    with Edge(tmp_path, {o: z.path for o, z in zones.items()}, [Knot], names=tuple(zones)) as edge:
        for origin, z in zones.items():
            owners = sorted(oracle.records(z.path, origin), key=str)
            for _ in range(10 if SANITIZED else 25):
                name = rng.choice(owners)
                if rng.random() < 0.3:
                    name = dns.name.Name((b"nx%d" % rng.randrange(99),) + name.labels[-3:])
                rrtype = rng.choice(["A", "AAAA", "TXT", "MX", "DS", "DNSKEY", "NS", "SOA", "ANY"])
                theirs = edge.direct(0, str(name), rrtype, use_edns=0, payload=1232, want_dnssec=True)
                for where in NODE:
                    ours = edge.ask(str(name), rrtype, where, use_edns=0, payload=1232, want_dnssec=True)
                    if theirs.flags & dns.flags.TC:
                        assert ours.flags & dns.flags.TC
                    else:
                        assert without_ttls(ours) == without_ttls(theirs), (name, rrtype)
                    asked += 1
    assert asked >= 40


# ---- servers that fail ----

def ask_many(edge, names, **how):
    """None of them may fail; the longest wait in seconds."""
    longest = 0.0
    for name in names:
        began = time.monotonic()
        reply = edge.ask(name, timeout=WAIT_S, **how)
        longest = max(longest, time.monotonic() - began)
        assert reply is not None and reply.rcode() == dns.rcode.NOERROR and reply.answer, (name, reply)
    return longest


@pytest.mark.asan
@pytest.mark.timeout(300)
@pytest.mark.parametrize("policy", ["latency", "weight", "hash", "ordered"])
def test_one_of_three_fails(tmp_path, policy):
    """Killed, stopped, answering SERVFAIL, REFUSED, or nothing but lies: no client sees it. Checks are so rare that workers find out by themselves."""
    need("knotd")
    os.chmod(tmp_path, 0o755)
    with Edge(tmp_path, zone_file(tmp_path), [Knot, Knot], start=False) as edge:
        fake = edge.fake()
        edge.begin([fake, *edge.servers], pool=f"policy: {policy}, stale-for: 0, patience: 5s", check="interval: 1h")
        n = iter(range(10000))

        def some(count=25):
            return ask_many(edge, [f"q{next(n)}.w.example." for _ in range(count)])
        print("all well:", some())
        for rcode in (dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.FORMERR):
            fake.answer = Fake.failing(rcode)
            print(dns.rcode.to_text(rcode), some())
        fake.answer = lambda q, m: [m[:2] + os.urandom(40), b"", b"\0" * 12, m]
        print("lies:", some())
        fake.answer = lambda q, m: None
        print("silence:", some())
        edge.servers[0].process.send_signal(signal.SIGSTOP)
        print("one left, by SIGSTOP:", some())
        edge.servers[0].process.send_signal(signal.SIGCONT)
        edge.servers[1].process.kill()
        edge.servers[1].process.wait(10)
        print("one left, by SIGKILL:", some())
        status = edge.status()["backends"]
        assert status["failed"] == 0
        if policy != "hash":
            assert sum(s["workers"]["timeouts"] + s["workers"]["errors"] for s in status["pools"][0]["servers"]) > 0


@pytest.mark.asan
def test_watch_says_who_is_down(tmp_path):
    """A server that checks find ill is not asked, and is again when they find it well."""
    with Edge(tmp_path, {}, [], start=False) as edge:
        first, second = edge.fake(), edge.fake(address="::1")
        first.answer = lambda q, m: Fake.failing(dns.rcode.SERVFAIL)(q) if q.question[0].rdtype == 6 else Fake.positive(q, text="192.0.2.91")
        second.answer = lambda q, m: Fake.positive(q, text="192.0.2.92")
        edge.begin([first, second], check="interval: 100ms, timeout: 2s, rise: 1, fall: 1")
        wait_until(lambda: pool(edge)["servers"][0]["state"] == "down" and pool(edge)["servers"][1]["state"] == "up", WAIT_S, "checks have seen both")
        n = iter(range(10000))

        def who():
            return edge.ask(f"d{next(n)}.example.").answer[0][0].address
        wait_until(lambda: who() == "192.0.2.92", WAIT_S, "the second answers")

        def asked():
            return [len([q for q in f.asked if q.question[0].rdtype == 1]) for f in (first, second)]
        before = asked()
        for _ in range(20):
            who()
        # As a last resort at most, where the second is slow on a busy machine.
        ill, well = [now - then for now, then in zip(asked(), before)]
        assert ill <= well and well >= 20
        first.answer = lambda q, m: Fake.positive(q, text="192.0.2.91")
        wait_until(lambda: who() == "192.0.2.91", WAIT_S, "the first answers again")


@pytest.mark.asan
def test_all_fail(tmp_path):
    """Stale answers with their extended error, at once when that is known; SERVFAIL for the rest; and all is well when a server is."""
    with Edge(tmp_path, {}, [], start=False) as edge:
        fake = edge.fake()
        fake.answer = lambda q, m: Fake.positive(q, ttl=1)
        edge.begin([fake], pool="stale-for: 1h, patience: 700ms", check="interval: 100ms, timeout: 300ms, rise: 1, fall: 1")
        edns = {"use_edns": 0, "payload": 1232, "timeout": WAIT_S}
        assert edge.ask("kept.example.", **edns).rcode() == 0
        fake.answer = lambda q, m: None
        wait_until(lambda: pool(edge)["servers"][0]["state"] == "down", WAIT_S, "checks have seen it")
        reply = wait_until(lambda: (lambda r: ede(r) == [STALE] and r)(edge.ask("kept.example.", **edns)), WAIT_S, "a stale answer")
        assert reply.rcode() == 0 and reply.answer[0][0].address == "192.0.2.77" and reply.answer[0].ttl <= 30
        reply = edge.ask("new.example.", **edns)
        assert reply.rcode() == dns.rcode.SERVFAIL and ede(reply) == [UNREACHABLE]
        status = edge.status()["backends"]
        assert status["stale"] > 0 and status["failed"] > 0
        fake.answer = lambda q, m: Fake.positive(q, text="192.0.2.78")
        wait_until(lambda: (lambda r: r.rcode() == 0 and r.answer and not ede(r))(edge.ask("new.example.", **edns)), WAIT_S, "an answer")
        wait_until(lambda: (lambda r: r.answer[0][0].address == "192.0.2.78" and not ede(r))(edge.ask("kept.example.", **edns)), WAIT_S, "a fresh answer")


@pytest.mark.asan
def test_all_say_no(tmp_path):
    """What all servers say is what the client gets; it is not kept."""
    with Edge(tmp_path, {}, [], start=False) as edge:
        fakes = [edge.fake(answer=Fake.failing(dns.rcode.REFUSED)), edge.fake(answer=Fake.failing(dns.rcode.REFUSED))]
        edge.begin(fakes, pool="policy: ordered", check="interval: 1h")
        for asked in (1, 2):
            assert edge.ask("r.example.", timeout=WAIT_S).rcode() == dns.rcode.REFUSED
            assert all(f.count("r.example.") >= asked for f in fakes)
        fakes[1].answer = Fake.positive
        assert edge.ask("r.example.", timeout=WAIT_S).rcode() == dns.rcode.NOERROR


# ---- questions under way ----

def parallel(edge, questions, timeout=WAIT_S):
    """Asked at the same time; call the result for their replies."""
    out = [None] * len(questions)

    def one(i):
        out[i] = exchange(edge.world, NODE["v4" if i % 2 else "v6"], questions[i], None, timeout=timeout)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(questions))]
    for t in threads:
        t.start()

    def replies():
        for t in threads:
            t.join()
        return out
    return replies


def question(name, rrtype="A", flags=dns.flags.RD, **how):
    q = dns.message.make_query(name, rrtype, **how)
    q.flags = flags
    return q


@pytest.mark.asan
def test_equal_questions_are_one(tmp_path):
    """Many clients of both families want the same: one question goes out. Other types, DO, CD, RD are others."""
    with Edge(tmp_path, {}, [], start=False) as edge:
        fake = edge.fake()
        edge.begin([fake], pool="patience: 20s", check="interval: 1h")
        fake.hold()
        names = ["Join.example.", "jOIN.example.", "join.eXample."]
        same = [question(names[i % 3]) for i in range(30)]
        others = [question("join.example.", "AAAA"), question("join.example.", want_dnssec=True), question("join.example.", flags=dns.flags.RD | dns.flags.CD), question("join.example.", flags=0),
                  question("join2.example.")]
        replies = parallel(edge, same + others)
        wait_until(lambda: edge.status()["backends"]["waiting"] == 35, WAIT_S, lambda: f"all wait: {edge.status()['backends']}")
        assert edge.status()["backends"]["under_way"] == 6
        tries = fake.count("join.example.")
        fake.answer = lambda q, m: Fake.positive(q, text="::1" if q.question[0].rdtype == 28 else "192.0.2.5")
        fake.go_on()
        got = replies()
        assert all(r is not None and r.rcode() == 0 and r.answer for r in got)
        assert [r.question[0].name.to_text() for r in got] == [q.question[0].name.to_text() for q in same + others]
        assert all(bool(r.flags & dns.flags.RD) == bool(q.flags & dns.flags.RD) for r, q in zip(got, same + others))
        # Each is tried again while nobody answers; of the thirty that is one question's tries.
        assert tries <= 4 * 8
        status = edge.status()["backends"]
        assert status["joined"] == 29 and status["misses"] == 35
        assert wait_until(lambda: edge.status()["backends"]["waiting"] == 0, WAIT_S, "nobody waits")


@pytest.mark.asan
def test_limit_of_a_server(tmp_path):
    with Edge(tmp_path, {}, [], start=False) as edge:
        fake = edge.fake()
        edge.write_fleet([("s0", fake.address, fake.port, ", outstanding: 3")], pool="patience: 20s", check="interval: 1h")
        edge.run_node()
        fake.hold()
        replies = parallel(edge, [question(f"l{i}.example.") for i in range(3)])
        wait_until(lambda: len([q for q in fake.asked if q.question[0].rdtype == 1]) >= 3, WAIT_S, "three are under way")
        refused = [edge.ask(f"m{i}.example.", timeout=WAIT_S, use_edns=0) for i in range(3)]
        fake.go_on()
        assert all(r.rcode() == 0 for r in replies())
        # Tries that are given up leave room for others: of three at least one met the limit.
        assert any(r.rcode() == dns.rcode.SERVFAIL for r in refused) or workers(edge, 0)["timeouts"] > 0
        assert edge.ask("after.example.", timeout=WAIT_S).rcode() == 0


# ---- what is sent ----

@pytest.mark.asan
def test_what_is_sent(tmp_path):
    """The name as it was asked, RD, CD, DO; an OPT of ours, and nothing of the client's; ids and ports that differ."""
    with Edge(tmp_path, {}, [], start=False) as edge:
        fake = edge.fake()
        edge.begin([fake], check="interval: 1h")
        q = dns.message.make_query("MiXed.eXaMple.", "A", use_edns=0, payload=4096, want_dnssec=True,
                                   options=[dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"12345678"), dns.edns.GenericOption(dns.edns.OptionType.NSID, b""), dns.edns.ECSOption("198.51.100.0", 24)])
        q.flags = dns.flags.CD
        reply = edge.ask(q, timeout=WAIT_S)
        sent, _ = fake.last("mixed.example.")
        assert reply.rcode() == 0 and sent.question[0].name.to_text() == "MiXed.eXaMple."
        assert sent.flags == dns.flags.CD and sent.ednsflags == dns.flags.DO and sent.payload == 1232 and not sent.options
        types = {o.otype for o in reply.options}
        assert dns.edns.COOKIE in types and dns.edns.NSID in types and dns.edns.ECS in types
        plain = edge.ask("plain.example.", use_edns=False)
        sent, _ = fake.last("plain.example.")
        assert sent.edns == 0 and sent.flags == dns.flags.RD and not sent.ednsflags and plain.edns == -1
        for i in range(60):
            assert edge.ask(f"n{i}.example.", timeout=WAIT_S).rcode() == 0
        with fake.lock:
            ids = [m.id for m in fake.asked]
            assert len(set(ids)) > len(ids) * 0.9 and len(fake.peers) >= 4
            assert max(ids) - min(ids) > 20000


@pytest.mark.asan
def test_client_subnet(tmp_path):
    """Told where the pool says so: what the client says, else its network; answers are kept for the scope they have."""
    with Edge(tmp_path, {}, [], start=False) as edge:
        fake, of = edge.fake(), [2]

        def scoped(q, _=None):
            told = [o for o in q.options if o.otype == dns.edns.ECS]
            reply = Fake.positive(q, text="192.0.%d.%d" % (of[0], 1 + int(str(told[0].address).split(".")[1]) if told and told[0].family == 1 else 250))
            reply.use_edns(0, options=[dns.edns.ECSOption(o.address, o.srclen, min(o.srclen, 16)) for o in told])
            return reply
        fake.answer = scoped
        edge.begin([fake], pool="client-subnet: true", check="interval: 1h")

        def ask(*subnet, name="s.example.", where="v4"):
            reply = edge.ask(name, "A", where, timeout=WAIT_S, use_edns=0, options=[dns.edns.ECSOption(*subnet)] if subnet else [])
            return reply.answer[0][0].address, [o.scopelen for o in reply.options if o.otype == dns.edns.ECS]
        assert ask("10.7.1.0", 24) == ("192.0.2.8", [16])
        of[0] = 3  # from now on it says something else
        assert ask("10.7.200.0", 24) == ("192.0.2.8", [16])  # within the scope: from the cache
        assert ask("10.8.1.0", 24) == ("192.0.3.9", [16])
        assert ask()[1] == []
        sent, _ = fake.last("s.example.")
        assert (sent.options[0].address, sent.options[0].srclen) == (".".join(CLIENT["v4"].split(".")[:3]) + ".0", 24)
        assert ask(name="six.example.", where="v6")[1] == []
        sent, _ = fake.last("six.example.")
        assert (sent.options[0].address, sent.options[0].srclen) == ("2001:db8:9::", 56)


@pytest.mark.asan
def test_proxy_protocol(tmp_path):
    """The header of version 2 with the client's address; questions are not joined, answers not kept: servers may answer by who asks."""
    with Edge(tmp_path, {}, [], start=False) as edge:
        fake = edge.fake()
        edge.begin([fake], pool="proxy-protocol: true", check="interval: 1h")
        for where, family, octets in (("v4", 0x12, bytes([10, 9, 0, 1, 10, 9, 0, 2])), ("v6", 0x22, bytes.fromhex("20010db8000900000000000000000001" "20010db8000900000000000000000002"))):
            for n in (1, 2):
                assert edge.ask(f"{where}.example.", "A", where, timeout=WAIT_S).rcode() == 0
                assert fake.count(f"{where}.example.") >= n
            raw = fake.last(f"{where}.example.")[1]
            assert raw[12:14] == bytes([0x21, family]) and raw[16:16 + len(octets)] == octets
            assert raw[18 + len(octets):20 + len(octets)] == (53).to_bytes(2, "big")


# ---- strange answers ----

@pytest.mark.asan
def test_strange_answers(tmp_path):
    """Another question's, another id's, garbage: counted, and the true one that comes after is taken."""
    with Edge(tmp_path, {}, [], start=False) as edge:
        fake = edge.fake()

        def strange(q, m):
            true = Fake.positive(q)
            other = dns.message.make_query("other.example.", "A", id=q.id)
            return [Fake.positive(other, text="192.0.2.66"), Fake.positive(dns.message.make_query(q.question[0].name, "A", id=q.id ^ 1), text="192.0.2.66"), m, m[:14], b"x", true]
        fake.answer = strange
        edge.begin([fake], pool="patience: 5s", check="interval: 1h")
        for i in range(10):
            reply = edge.ask(f"t{i}.example.", timeout=WAIT_S)
            assert reply.rcode() == 0 and reply.answer[0][0].address == "192.0.2.77"
        status = edge.status()["backends"]
        assert status["strange"] >= 10 and status["late"] >= 10


@pytest.mark.asan
def test_what_is_kept(tmp_path):
    """NOERROR and NXDOMAIN with a TTL; not SERVFAIL, not what is truncated, not TTL 0."""
    with Edge(tmp_path, {}, [], start=False) as edge:
        fake = edge.fake()

        number = itertools.count(1)

        def by_name(q, m):
            kind, n = q.question[0].name.labels[0].lower(), next(number)
            reply = Fake.positive(q, ttl=0 if kind == b"zero" else 300, text=f"192.0.2.{n % 250}" if q.question[0].rdtype == 1 else None)
            if kind == b"nx":
                reply.answer.clear()
                reply.set_rcode(dns.rcode.NXDOMAIN)
                reply.authority.append(dns.rrset.from_text("example.", 300, "IN", "SOA", f"ns1.example. host.example. {n} 3600 600 86400 60"))
            if kind == b"cut":
                reply.flags |= dns.flags.TC
            return reply
        fake.answer = by_name
        edge.begin([fake], check="interval: 1h")
        for kind, kept in (("good", True), ("nx", True), ("zero", False), ("cut", False)):
            replies, asked = [], []
            for _ in range(3):
                replies.append(edge.ask(f"{kind}.example.", timeout=WAIT_S))
                asked.append(fake.count(f"{kind}.example."))
            if kept:
                assert len({str(without_ttls(r)) for r in replies}) == 1, kind
            else:
                assert asked[0] < asked[1] < asked[2], (kind, asked)
            assert all(r.rcode() == (dns.rcode.NXDOMAIN if kind == "nx" else 0) for r in replies)
            assert all(bool(r.flags & dns.flags.TC) == (kind == "cut") for r in replies)
            assert all(r.flags & dns.flags.AA for r in replies)


# ---- changes ----

@pytest.mark.asan
def test_reload(tmp_path):
    """Backends come, change and go by reloads; clients that wait meanwhile are answered."""
    with Edge(tmp_path, zone_file(tmp_path), [], start=False) as edge:
        one, two = edge.fake(), edge.fake()
        one.answer, two.answer = (lambda q, m: Fake.positive(q, text="192.0.2.101")), (lambda q, m: Fake.positive(q, text="192.0.2.102"))
        held = '  - {name: "held.", file: example.zone, network: global}\n'
        edge.begin([one], names=("example.",), zones=held, check="interval: 1h", pool="patience: 20s")
        assert edge.ask("www.held.").answer[0][0].address == "192.0.2.1"

        def who(name):
            reply = edge.ask(name, timeout=WAIT_S)
            return reply.answer[0][0].address if reply is not None and reply.answer else None
        assert who("a.example.") == "192.0.2.101"
        one.hold()
        waiting = parallel(edge, [question("w0.example."), question("w1.example.")])
        wait_until(lambda: edge.status()["backends"]["waiting"] == 2, WAIT_S, "two wait")
        edge.write_fleet([("s0", two.address, two.port, "")])
        edge.command("reload")
        # Their server is gone: they are asked of the other one.
        assert [r.answer[0][0].address for r in waiting()] == ["192.0.2.102"] * 2
        wait_until(lambda: who("b%d.example." % time.monotonic_ns()) == "192.0.2.102", WAIT_S, "the other answers")
        one.go_on()
        # A zone deeper than the one that is held here, and the whole rest of the world.
        edge.write_fleet([("s0", two.address, two.port, "")], names=("example.", "sub.held.", "."))
        edge.command("reload")
        wait_until(lambda: who("x.sub.held.") == "192.0.2.102", WAIT_S, "the deeper zone")
        assert who("www.held.") == "192.0.2.1" and who("some.where.else.") == "192.0.2.102"


@pytest.mark.asan
def test_worker_killed(tmp_path):
    """What one worker's backends said is there for its successor."""
    with Edge(tmp_path, {}, [], start=False) as edge:
        fake = edge.fake()
        edge.begin([fake], check="interval: 1h", workers=2)
        names = [f"k{i}.example." for i in range(20)]
        assert all(edge.ask(n, timeout=WAIT_S).rcode() == 0 for n in names)
        before = {r: p for r, p in edge.pids().items() if r[0] == "answer"}
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: all(edge.pids().get(r, p) != p for r, p in before.items()), WAIT_S, "their successors")
        fake.answer = lambda q, m: Fake.positive(q, text="192.0.2.99")
        assert all(edge.ask(n, timeout=WAIT_S).answer[0][0].address == "192.0.2.77" for n in names)
        assert edge.ask("new.example.", timeout=WAIT_S).answer[0][0].address == "192.0.2.99"


@pytest.mark.asan
def test_a_server_that_leads_back(tmp_path):
    """A forwarder whose server is this node: watch finds out by the mark of its check, and clients get an answer that says so."""
    with Edge(tmp_path, {}, [], start=False) as edge:
        def back(q, m):
            reply = exchange(edge.node, NODE["v4"], q, None, timeout=10)
            return reply
        fake = edge.fake(answer=back)
        edge.begin([fake], pool="stale-for: 0, patience: 500ms", check="interval: 100ms, timeout: 5s, rise: 1, fall: 1")
        wait_until(lambda: pool(edge)["servers"][0]["loops"], WAIT_S, lambda: f"it is found: {pool(edge)}")
        reply = edge.ask("loop.example.", timeout=WAIT_S, use_edns=0)
        assert reply.rcode() == dns.rcode.SERVFAIL
        assert edge.status()["backends"]["loops"] > 0
