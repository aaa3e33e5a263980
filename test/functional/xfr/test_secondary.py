# SPDX-License-Identifier: BSD-2-Clause
"""zonecast as a secondary: of BIND, Knot, NSD and PowerDNS, of primaries that lie, and of none at all."""
import os
import random
import re
import socket
import time

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rrset
import pytest

from liar import Liar, apex, reply, soa
from netns import missing
from paths import SANITIZED, ZONECAST
from secondary import Apart, Holder, Zone
from servers import free_port, need
from transfers import PROGRAMS, Key, KnotPeer, dump, fetch, plain, wait

WHY = missing(ZONECAST)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
ZONE = "example."
TIMERS = "1 1 86400 60"


@pytest.fixture(scope="module", autouse=True)
def apart():
    with Apart() as a:
        yield a


def zone_text(serial, names=200, timers=TIMERS):
    lines = [f"$TTL 300\n@ SOA ns1 host {serial} {timers}\n@ NS ns1\n@ TXT apex\nns1 A 192.0.2.53\nns1 AAAA 2001:db8::53"]
    lines += [f"h{i} A 192.0.2.{i % 250}" for i in range(names)]
    lines += [f"v{serial}-{i} TXT \"of {serial}\"" for i in range(5)]
    return "\n".join(lines) + "\n"


def write_zone(folder, serial, name="zone", **how):
    path = os.path.join(str(folder), name)
    with open(path, "w", encoding="ascii") as f:
        f.write(zone_text(serial, **how))
    return path


def same(node, file, zone=ZONE):
    """Is the zone as served that of the file?"""
    return [re.sub(r"\s+", " ", line) for line in plain(node.show(zone))] == [re.sub(r"\s+", " ", line) for line in plain(dump(file, zone))]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("signed", [False, True], ids=["plain", "tsig"])
@pytest.mark.parametrize("kind", PROGRAMS, ids=lambda k: k.name)
def test_real_primaries(tmp_path, kind, signed, host):
    need(PROGRAMS[kind])
    key = Key() if signed else None
    file = write_zone(tmp_path, 1)
    with kind(str(tmp_path), ZONE, file, key=key, host=host) as primary, Holder(str(tmp_path), [Zone(ZONE, [primary], key)]) as node:
        node.wait_serial(ZONE, 1)
        assert same(node, file)
        for serial in (2, 3):
            write_zone(tmp_path, serial)
            primary.reload()
            node.wait_serial(ZONE, serial)
            assert same(node, file)
        wait(lambda: node.told(ZONE)["serial"] == 3, "told, too")
        told, counted = node.told(ZONE), node.counters()
        assert (told["state"], told["role"], told["serial"], told["primary_serial"], told["failures"]) == ("fresh", "secondary", 3, 3, 0)
        assert told["primary"].endswith(f":{primary.port}") and told["expires_s"] > 80000
        if kind.sends_differences:
            assert (counted["axfr"], counted["ixfr"], counted["fallbacks"]) == (1, 2, 0), node.log()
            assert (counted["repeated"] > 0) == kind.adds_again, counted
        assert counted["axfr"] + counted["ixfr"] == 3 and counted["refused"] == counted["journal_failed"] == 0
        # A reboot while no primary is there: the journal has it all.
        primary.stop()
        node.kill()
        node.reboot()
        with node:
            node.wait_serial(ZONE, 3, 30)
            assert same(node, file)
            assert node.counters()["axfr"] == 0


@pytest.mark.parametrize("signed", [False, True], ids=["plain", "tsig"])
def test_notify(tmp_path, signed):
    """A refresh is an hour away: only NOTIFY brings the change, and only one that is to be believed."""
    key, timers = Key() if signed else None, "3600 600 86400 60"
    file = write_zone(tmp_path, 1, timers=timers)
    with KnotPeer(str(tmp_path), ZONE, file, key=key) as primary, Holder(str(tmp_path), [Zone(ZONE, [primary], key)]) as node:
        node.wait_serial(ZONE, 1)
        for serial in (2, 3):
            write_zone(tmp_path, serial, timers=timers)
            primary.reload()
            wait(lambda s=serial: primary.serial() == s, "the primary's new version")
            told = serial - 2
            wait(lambda n=told: node.counters()["notified"] == n, "the count of what was believed so far")
            for message in strange_notifies(key):
                answer = message(node)
                assert answer is None or answer.rcode() in (5, 9), answer
            assert node.serial(ZONE) == serial - 1
            assert node.counters()["notified"] == told
            assert send_notify(key).rcode() == 0
            node.wait_serial(ZONE, serial, 20)
        wait(lambda: node.counters()["notified"] >= 2, "two NOTIFY")
        assert node.counters()["failed"] == 0


def send_notify(key, source="127.0.0.1", zone=ZONE):
    m = dns.message.make_query(zone, "SOA")
    m.flags = dns.flags.AA
    m.set_opcode(dns.opcode.NOTIFY)
    if key:
        m.use_tsig(key.ring, algorithm=key.algorithm)
    try:
        return dns.query.udp(m, "127.0.0.1", timeout=5, port=53, source=source)
    except dns.exception.Timeout:
        return None


def strange_notifies(key):
    yield lambda node: send_notify(key, source="127.0.0.9")
    yield lambda node: send_notify(key, zone="nowhere.")
    if key:
        yield lambda node: send_notify(None)


def test_wrong_key_is_refused_and_told(tmp_path):
    file = write_zone(tmp_path, 1)
    bad = Key(secret="//////////////////////////////////////////8=")
    with KnotPeer(str(tmp_path), ZONE, file, key=Key()) as primary, Holder(str(tmp_path), [Zone(ZONE, [primary], bad)]) as node:
        wait(lambda: node.told(ZONE)["failures"] >= 2, lambda: f"failures; {node.told(ZONE)}")
        told = node.told(ZONE)
        assert told["state"] == "empty" and "BADSIG" in told["error"], told
        assert node.rcode(ZONE) == 2
        # The right key, by a reload: served without anything else.
        node.configure([Zone(ZONE, [primary], Key())])
        assert node.command("reload").returncode == 0
        node.wait_serial(ZONE, 1)


# ---- lies ----

def pieces(records, size=100):
    return [records[i:i + size] for i in range(0, len(records), size)]


def whole(query, zone, serial, more=(), end=None):
    return [reply(query, [soa(zone, serial), *apex(zone), *more, soa(zone, serial if end is None else end)])]


def trickle(query):
    yield reply(query, [soa(ZONE, 2)])
    yield None


# Name: serial over UDP, what is sent over TCP, what the error says.
LIES = {
    "truncated": (2, lambda q: [reply(q, [soa(ZONE, 2), *apex(ZONE)])], "closed the connection"),
    "nothing": (2, lambda q: [], "closed the connection"),
    "another zone": (2, lambda q: [reply(q, [soa("other.", 2), *apex("other."), soa("other.", 2)])], "."),
    "records outside": (2, lambda q: whole(q, ZONE, 2, [dns.rrset.from_text("www.other.", 300, "IN", "A", "192.0.2.9")]), "outside"),
    "ends with another serial": (2, lambda q: whole(q, ZONE, 2, end=3), "ends with 3"),
    "serial goes back over TCP": (2, lambda q: whole(q, ZONE, 0), "older than ours"),
    "serial goes back": (0, lambda q: whole(q, ZONE, 0), "older than ours"),
    "refused": (2, lambda q: [reply(q, [], rcode=5)], "REFUSED"),
    "garbage": (2, lambda q: [os.urandom(200)], "."),
    "no zone": (2, lambda q: [reply(q, [soa(ZONE, 2), soa(ZONE, 2)])], "not fit to be served"),
    "CNAME beside data": (2, lambda q: whole(q, ZONE, 2, [dns.rrset.from_text("c." + ZONE, 300, "IN", "CNAME", "a."),
                                                         dns.rrset.from_text("c." + ZONE, 300, "IN", "A", "192.0.2.3")]), "not fit to be served"),
    "ZONEMD of something else": (2, lambda q: whole(q, ZONE, 2, [dns.rrset.from_text(ZONE, 300, "IN", "ZONEMD", "2 1 1 " + "00" * 48)]), "ZONEMD"),
}


@pytest.mark.parametrize("name", LIES)
def test_lies(tmp_path, name):
    serial, lie, text = LIES[name]
    with Liar(ZONE, 1, lambda q: whole(q, ZONE, 1)) as primary, Holder(str(tmp_path), [Zone(ZONE, [primary])]) as node:
        node.wait_serial(ZONE, 1)
        before = node.show(ZONE)
        primary.lie, primary.serial = lie, serial
        wait(lambda: node.told(ZONE)["failures"] >= 1, lambda: f"a failure; {node.told(ZONE)}\n{node.log()}")
        told = node.told(ZONE)
        assert text in told["error"] and told["state"] == "failing", told
        assert node.show(ZONE) == before and told["serial"] == 1
        if serial == 2:  # differences were asked for first, then all
            assert {"IXFR", "AXFR"} <= set(primary.asked)
        primary.lie, primary.serial = (lambda q: whole(q, ZONE, 4)), 4
        node.wait_serial(ZONE, 4)
        wait(lambda: node.told(ZONE)["state"] == "fresh", lambda: f"fresh; {node.told(ZONE)}")


def unsigned(message):
    message.tsig = None


def spoilt(query, serial):
    wire = bytearray(whole(query, ZONE, serial)[0])
    wire[-10] ^= 1  # in the MAC: only original id, error and length of other data follow
    return [bytes(wire)]


def other_secret(message):
    message.use_tsig(Key(secret="//////////////////////////////////////////8=").ring)


# What is sent over TCP, what the error says.
SIGNED_LIES = {
    "not signed": (lambda q: [reply(q, [soa(ZONE, 2), *apex(ZONE), soa(ZONE, 2)], sign=unsigned)], "without the TSIG record"),
    "wrong MAC": (lambda q: spoilt(q, 2), "BADSIG"),
    "another secret": (lambda q: [reply(q, [soa(ZONE, 2), *apex(ZONE), soa(ZONE, 2)], sign=other_secret)], "BADSIG"),
    "end not signed": (lambda q: [reply(q, [soa(ZONE, 2), *apex(ZONE)]), reply(q, [soa(ZONE, 2)], sign=unsigned)], "not signed"),
}


@pytest.mark.parametrize("name", SIGNED_LIES)
def test_lies_in_signatures(tmp_path, name):
    lie, text = SIGNED_LIES[name]
    key = Key()
    with Liar(ZONE, 1, lambda q: whole(q, ZONE, 1), key=key) as primary, Holder(str(tmp_path), [Zone(ZONE, [primary], key)]) as node:
        node.wait_serial(ZONE, 1)
        before = node.show(ZONE)
        primary.lie, primary.serial = lie, 2
        wait(lambda: node.told(ZONE)["failures"] >= 1, lambda: f"a failure; {node.told(ZONE)}\n{node.log()}")
        assert text in node.told(ZONE)["error"] and node.show(ZONE) == before, node.told(ZONE)
        primary.lie = lambda q: whole(q, ZONE, 2)
        node.wait_serial(ZONE, 2)


def test_lies_about_differences(tmp_path):
    """Differences that do not apply: the whole zone comes instead, in the same turn."""
    def lie(query):
        if query.question[0].rdtype == 251:
            gone = dns.rrset.from_text("never." + ZONE, 300, "IN", "A", "192.0.2.77")
            return [reply(query, [soa(ZONE, 2), soa(ZONE, 1), gone, soa(ZONE, 2), soa(ZONE, 2)])]
        return whole(query, ZONE, 2)

    with Liar(ZONE, 1, lambda q: whole(q, ZONE, 1)) as primary, Holder(str(tmp_path), [Zone(ZONE, [primary])]) as node:
        node.wait_serial(ZONE, 1)
        primary.lie, primary.serial = lie, 2
        node.wait_serial(ZONE, 2)
        assert "do not apply" in node.log() and "never" in node.log()
        wait(lambda: node.counters()["axfr"] >= 2, "counted")  # after it is answered
        counted = node.counters()
        assert (counted["axfr"], counted["fallbacks"], counted["failed"]) == (2, 1, 0), counted


def test_differences_that_add_what_is_there(tmp_path):
    """As NSD does: passed over where it is there to the octet, counted, and neither journal nor those who transfer from here hear of it."""
    def lie(query):
        if query.question[0].rdtype == 251:
            new = dns.rrset.from_text("new." + ZONE, 300, "IN", "A", "192.0.2.77")
            return [reply(query, [soa(ZONE, 2), soa(ZONE, 1), soa(ZONE, 2), *apex(ZONE), new, soa(ZONE, 2)])]
        return whole(query, ZONE, 1)

    def other_ttl(query):
        if query.question[0].rdtype == 251:
            return [reply(query, [soa(ZONE, 3), soa(ZONE, 2), soa(ZONE, 3), dns.rrset.from_text("new." + ZONE, 77, "IN", "A", "192.0.2.77"), soa(ZONE, 3)])]
        return whole(query, ZONE, 3)

    more = ', allow-transfer: ["127.0.0.0/8"]'
    with Liar(ZONE, 1, lambda q: whole(q, ZONE, 1)) as primary, Holder(str(tmp_path), [Zone(ZONE, [primary], more=more)]) as node:
        node.wait_serial(ZONE, 1)
        primary.lie, primary.serial = lie, 2
        node.wait_serial(ZONE, 2)
        wait(lambda: node.counters()["ixfr"] == 1, "the count")
        counted = node.counters()
        assert (counted["axfr"], counted["fallbacks"], counted["repeated"]) == (1, 0, 2), counted
        first, lines, _ = fetch("127.0.0.1", 53, ZONE, options=("--serial", 1))
        assert len([line for line in lines if line.startswith("+")]) == 2, (first, lines)
        before = node.show(ZONE)
        node.kill()
        node.reboot()
        primary.answers_udp = False
        with node:
            node.wait_serial(ZONE, 2)
            assert node.show(ZONE) == before
            # With another TTL it is not what is there.
            primary.answers_udp, primary.lie, primary.serial = True, other_ttl, 3
            node.wait_serial(ZONE, 3)
            wait(lambda: node.counters()["axfr"] == 1, "the whole zone")
            assert node.counters()["fallbacks"] == 1


def test_differences_that_cost_more_than_the_zone(tmp_path):
    """A DNAME at the apex comes and goes with each: after twice the zone's worth the whole zone is asked for."""
    names = dns.rrset.from_text_list("many." + ZONE, 300, "IN", "TXT", ["x"])
    zone = [names] + [dns.rrset.from_text(f"n{i}.{ZONE}", 300, "IN", "A", "192.0.2.9") for i in range(3000)]
    alias = dns.rrset.from_text(ZONE, 300, "IN", "DNAME", "other.")

    def complete(query, serial):
        records = [soa(ZONE, serial), *apex(ZONE), *zone, soa(ZONE, serial)]
        return [reply(query, part) for part in pieces(records, 1000)]

    def lie(query):
        if query.question[0].rdtype != 251:
            return complete(query, 101)
        steps = [soa(ZONE, 101)]
        for n in range(1, 101):
            steps += [soa(ZONE, n), *([] if n % 2 else [alias]), soa(ZONE, n + 1), *([alias] if n % 2 else [])]
        return [reply(query, part) for part in pieces([*steps, soa(ZONE, 101)], 50)]

    with Liar(ZONE, 1, lambda q: complete(q, 1)) as primary, Holder(str(tmp_path), [Zone(ZONE, [primary])]) as node:
        node.wait_serial(ZONE, 1)
        primary.lie, primary.serial = lie, 101
        node.wait_serial(ZONE, 101)
        wait(lambda: node.counters()["axfr"] == 2, "the whole zone")
        assert "hide and show most of the zone" in node.log()


def test_hanging_primary_holds_up_nobody(tmp_path):
    """One primary takes connections and says no more: another zone, and the other primary of the same zone, go on."""
    with Liar(ZONE, 2, trickle) as bad, Liar("good.", 1, lambda q: whole(q, "good.", 1)) as good:
        with Holder(str(tmp_path), [Zone(ZONE, [bad]), Zone("good.", [good])]) as node:
            node.wait_serial("good.", 1)
            good.lie, good.serial = (lambda q: whole(q, "good.", 2)), 2
            node.wait_serial("good.", 2)
            assert node.told(ZONE)["phase"] == "busy" or node.told(ZONE)["failures"]
            assert node.rcode(ZONE) == 2


def rss_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:")) // 1024


@pytest.mark.parametrize("limit", ["of the zone held", "of records", "none"])
def test_endless_transfer(tmp_path, limit):
    """A primary that sends 10 GiB of records, made while it sends: it is stopped by what the zone took so far, or by the operator's number; answers go on, and the version held
    stays. "none": a new configuration ends what it no longer wants."""
    sent = [0]

    def flood(query):
        yield reply(query, [soa(ZONE, 2)])
        records = [dns.rrset.from_text(f"x{i}.{ZONE}", 300, "IN", "TXT", '"' + "x" * 200 + '"') for i in range(250)]
        one = reply(query, records)
        while sent[0] < 10 << 30:
            sent[0] += len(one)
            yield one

    zone = Zone(ZONE, [], more=", max-records: 100000" if limit == "of records" else "")
    with Liar(ZONE, 1, lambda q: whole(q, ZONE, 1)) as primary:
        zone.primaries = [f"127.0.0.1:{primary.port}"]
        with Holder(str(tmp_path), [zone]) as node:
            node.wait_serial(ZONE, 1)
            sync = node.pids()["sync", 0]
            before, usual = node.show(ZONE), rss_mib(sync)
            primary.lie, primary.serial = flood, 2
            if limit == "none":
                wait(lambda: node.told(ZONE).get("receiving", {}).get("records", 0) > 500 or node.told(ZONE)["failures"],
                     lambda: f"it is under way; {node.told(ZONE)}")
                assert node.serial(ZONE) == 1
                node.configure([Zone("other.", [primary])])
                assert node.command("reload").returncode == 0
                wait(lambda: node.rcode(ZONE) == 5, "the zone is gone")
                return
            wait(lambda: node.told(ZONE)["failures"], lambda: f"a failure; {node.told(ZONE)}")
            told = node.told(ZONE)
            assert ("more than 100000 records" if limit == "of records" else "octets of records") in told["error"], told
            assert node.pids()["sync", 0] == sync
            assert node.show(ZONE) == before and node.rcode(ZONE) == 0
            assert sent[0] < 2 << 30
            # IXFR, then AXFR; memory of the first may linger. With a sanitizer there is more of it.
            assert SANITIZED or rss_mib(sync) < usual + (200 if limit == "of records" else 1000)
            primary.lie, primary.serial = (lambda q: whole(q, ZONE, 3)), 3
            node.wait_serial(ZONE, 3)


# ---- several primaries ----

def test_newest_primary_is_chosen(tmp_path):
    old = Liar(ZONE, 5, lambda q: whole(q, ZONE, 5))
    new = Liar(ZONE, 7, lambda q: whole(q, ZONE, 7))
    silent = Liar(ZONE, 9, lambda q: [], udp=False)
    with old, new, silent, Holder(str(tmp_path), [Zone(ZONE, [silent, old, new])]) as node:
        node.wait_serial(ZONE, 7)
        assert not old.asked
        new.serial = 6  # goes back: it is not followed, and the other is older still
        old.serial, old.lie = 8, lambda q: whole(q, ZONE, 8)
        node.wait_serial(ZONE, 8)
        wait(lambda: node.told(ZONE)["primary"].endswith(f":{old.port}"), lambda: f"taken from the one that is newest now: {node.told(ZONE)}")


def test_many_zones_of_a_silent_primary(tmp_path):
    """Thousands of zones that want to be refreshed at once: few sockets, each question from a port of its own that cannot be foretold, and nobody is flooded."""
    count, ports, begun = 3000, [], time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.settimeout(0.2)
        zones = [Zone(f"z{i}.test.", [f"127.0.0.1:{silent.getsockname()[1]}", "127.0.0.1:9"]) for i in range(count)]
        with Holder(str(tmp_path), zones) as node:
            most, fds = 0, f"/proc/{node.pids()['sync', 0]}/fd"
            while len(ports) < 150:
                try:
                    ports.append(silent.recvfrom(4096)[1][1])
                except TimeoutError:
                    assert time.monotonic() - begun < 60, len(ports)
                most = max(most, len(os.listdir(fds)))
            assert most < 250, most  # 32 zones at a time for a primary, two sockets each, and its own
            assert len(ports) / (time.monotonic() - begun) < 1000
            steps = [abs(b - a) for a, b in zip(ports, ports[1:])]
            # Each question is sent up to three times from one port.
            assert len(set(ports)) >= len(ports) // 4 and sum(step > 16 for step in steps) > len(steps) // 2, ports
            assert node.told("z0.test.")["state"] == "empty"


def test_dead_primary_beside_a_live_one(tmp_path):
    with Liar(ZONE, 1, lambda q: whole(q, ZONE, 1)) as live:
        with Holder(str(tmp_path), [Zone(ZONE, [f"127.0.0.1:{free_port()}", live])]) as node:
            node.wait_serial(ZONE, 1)
            live.lie, live.serial = (lambda q: whole(q, ZONE, 2)), 2
            node.wait_serial(ZONE, 2, 20)


def test_older_serial_needs_force(tmp_path):
    with Liar(ZONE, 10, lambda q: whole(q, ZONE, 10)) as primary, Holder(str(tmp_path), [Zone(ZONE, [primary])]) as node:
        node.wait_serial(ZONE, 10)
        primary.lie, primary.serial = (lambda q: whole(q, ZONE, 4)), 4
        assert node.command("zone", "retransfer", ZONE).returncode == 0
        wait(lambda: node.told(ZONE)["failures"], "refused")
        assert node.serial(ZONE) == 10
        assert node.command("zone", "retransfer", ZONE, "--force").returncode == 0
        node.wait_serial(ZONE, 4)
        wait(lambda: node.told(ZONE)["state"] == "fresh", lambda: f"fresh; {node.told(ZONE)}")
        assert node.command("zone", "retransfer", "nowhere.").returncode == 1


# ---- expiry ----

@pytest.mark.parametrize("policy", ["servfail", "serve"])
def test_expiry(tmp_path, policy):
    """REFRESH, RETRY 1 s, EXPIRE 3 s."""
    def short(query, serial):
        return [reply(query, [soa(ZONE, serial, "1 1 3 60"), *apex(ZONE), soa(ZONE, serial, "1 1 3 60")])]

    node = Holder(str(tmp_path), [])
    with Liar(ZONE, 1, lambda q: short(q, 1)) as primary:
        node.configure([Zone(ZONE, [primary], more=f", at-expiry: {policy}")])
        with node:
            node.wait_serial(ZONE, 1)
            since = time.monotonic()
            wait(lambda: time.monotonic() - since > 4.5 or node.serial(ZONE) != 1, "more than its EXPIRE")
            assert node.serial(ZONE) == 1 and node.told(ZONE)["state"] == "fresh", node.told(ZONE)  # refreshed all the while
            primary.answers_udp = False
            primary.lie = lambda q: []
            wait(lambda: node.told(ZONE)["state"] == "expired", lambda: f"expired; {node.told(ZONE)}")
            if policy == "servfail":
                wait(lambda: node.rcode(ZONE) == 2, "SERVFAIL")
            assert node.rcode(ZONE) == (2 if policy == "servfail" else 0)
            # A restart changes nothing of it: neither store nor journal bring it back.
            node.kill()
            with node:
                wait(lambda: node.told(ZONE)["state"] in ("expired", "empty"), "still not served")
                assert node.rcode(ZONE) == (2 if policy == "servfail" else 0)
                primary.answers_udp, primary.lie = True, lambda q: short(q, 1)
                node.wait_serial(ZONE, 1)
                wait(lambda: node.told(ZONE)["state"] == "fresh", "fresh")


# ---- restarts and crashes ----

def test_zones_of_the_store_answer_at_once(tmp_path):
    file = write_zone(tmp_path, 1)
    with KnotPeer(str(tmp_path), ZONE, file) as primary, Holder(str(tmp_path), [Zone(ZONE, [primary])]) as node:
        node.wait_serial(ZONE, 1)
        primary.stop()
        node.kill()
        with node:
            assert node.serial(ZONE) == 1
            assert node.counters()["axfr"] == 0


def test_journal_that_is_damaged(tmp_path):
    """It is set aside, told, and made anew from the store."""
    file = write_zone(tmp_path, 1)
    with KnotPeer(str(tmp_path), ZONE, file) as primary, Holder(str(tmp_path), [Zone(ZONE, [primary])]) as node:
        node.wait_serial(ZONE, 1)
        wait(lambda: os.path.exists(node.path("state", "journal")), "the journal")
        node.kill()
        for name in os.listdir(node.path("state", "journal")):
            path = node.path("state", "journal", name)
            if os.path.isfile(path) and "lock" not in name:
                with open(path, "r+b") as f:
                    f.write(b"\xa5" * 8192)
        with node:
            assert node.serial(ZONE) == 1
            assert "set aside" in node.log()
        primary.stop()
        node.reboot()
        with node:
            node.wait_serial(ZONE, 1, 30)


def test_sync_killed_at_random_moments(tmp_path):
    """While versions come: what is served is always one of the primary's, whole, and the node catches up by itself."""
    def content(query, serial):
        more = [dns.rrset.from_text(f"r{i}.{ZONE}", 300, "IN", "TXT", f'"{serial}"') for i in range(300)]
        return whole(query, ZONE, serial, more)

    chance = random.Random(os.getpid())
    with Liar(ZONE, 1, lambda q: content(q, primary.serial)) as primary, Holder(str(tmp_path), [Zone(ZONE, [primary])]) as node:
        node.wait_serial(ZONE, 1)
        for serial in range(2, 12):
            primary.serial = serial
            node.command("zone", "retransfer", ZONE)
            until = time.monotonic() + chance.random() * 0.03
            while time.monotonic() < until:
                pass
            whole_node = chance.random() < 0.3
            if whole_node:
                node.kill()
                if chance.random() < 0.5:
                    node.reboot()
                node.__enter__()
            else:
                pid = node.pids()["sync", 0]
                os.kill(pid, 9)
                wait(lambda p=pid: node.pids().get(("sync", 0), p) != p, "a new sync")
            wait(lambda: node.serial(ZONE) is not None, lambda: f"an answer; {node.log()[-3000:]}")
            shown = node.show(ZONE)
            texts = {line.split("\t")[-1] for line in shown if "\tTXT\t" in line}
            assert len(texts) == 1 and len([1 for line in shown if "\tTXT\t" in line]) == 300, texts
            node.wait_serial(ZONE, serial)
        assert node.counters()["refused"] == 0


def test_reload_keeps_what_stays(tmp_path):
    """Zones come and go; those that stay are not transferred again."""
    zones = [f"z{i}." for i in range(20)]
    primaries = [Liar(z, 1, lambda q, z=z: whole(q, z, 1)) for z in zones]
    for p in primaries:
        p.__enter__()
    try:
        node = Holder(str(tmp_path), [Zone(z, [p]) for z, p in zip(zones[:10], primaries)])
        with node:
            for z in zones[:10]:
                node.wait_serial(z, 1)
            wait(lambda: node.counters()["axfr"] == 10, "ten transfers")  # counters are published once a second
            node.configure([Zone(z, [p]) for z, p in list(zip(zones, primaries))[5:]])
            assert node.command("reload").returncode == 0
            for z in zones[5:]:
                node.wait_serial(z, 1)
            wait(lambda: node.rcode(zones[0]) == 5, "a zone that went")
            wait(lambda: node.counters()["axfr"] == 20, "twenty transfers")
            assert [t["zone"] for t in node.told()] == sorted(zones[5:])
    finally:
        for p in primaries:
            p.__exit__()


def test_first_transferred_zone_by_reload(tmp_path):
    """A node without transfers gets one by a reload: sync is started anew, and answers go on."""
    file = write_zone(tmp_path, 1, name="plain")
    node = Holder(str(tmp_path), [])
    text = open(node.path("fleet.yaml"), encoding="ascii").read()
    own = f'  - {{name: "own.", file: {file}}}\n'
    node.write("fleet.yaml", text + own)
    with node, Liar(ZONE, 1, lambda q: whole(q, ZONE, 1)) as primary:
        assert node.serial("own.") == 1
        node.write("fleet.yaml", text + own + Zone(ZONE, [primary]).yaml())
        assert node.command("reload").returncode == 0
        node.wait_serial(ZONE, 1)
        assert node.serial("own.") == 1


def test_many_zones(tmp_path):
    """Many zones of one primary: all come, none is asked for twice, status tells of each."""
    count = 300
    with Liar(ZONE, 1, lambda q: whole(q, q.question[0].name.to_text(), 1)) as primary:
        zones = [Zone(f"m{i}.test.", [primary]) for i in range(count)]
        with Holder(str(tmp_path), zones) as node:
            wait(lambda: node.counters()["serving"] == count, lambda: f"all; {node.counters()}\n{node.log()[-2000:]}", 120)
            assert len(primary.asked) == count
            assert len(node.told()) == count
            assert node.counters()["failed"] == 0
