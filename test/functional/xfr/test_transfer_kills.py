# SPDX-License-Identifier: BSD-2-Clause
"""SIGKILL at random moments while transfers, writes and merges of the journal go on: afterwards each zone is, record by record, a version that the primary had, and nothing has to be
repaired by hand. Sync alone is killed, or all processes at once; then half of the times the store is thrown away, too, as a reboot does, and no primary is in reach.

ZONECAST_KILLS is how often, default 40."""
import hashlib
import os
import random
import re
import signal
import socket
import threading
import time

import dns.flags
import dns.message
import dns.opcode
import dns.rrset
import pytest

from liar import Liar, reply, soa
from netns import missing
from paths import SANITIZED, ZONECAST
from secondary import Apart, Holder, Zone
from transfers import wait

WHY = missing(ZONECAST)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
KILLS = int(os.environ.get("ZONECAST_KILLS", "40"))
ZONES = ("one.test.", "two.test.", "three.test.")
NAMES = 60
TIMERS = "1 1 86400 60"


def value(n, i):
    """What record i says in version n: a third of them change with each version."""
    return (n + i) // 3


def record(zone, n, i):
    return dns.rrset.from_text(f"h{i}.{zone}", 300, "IN", "TXT", f'"{zone} {i} {value(n, i)}"')


def fixed(zone):
    return [dns.rrset.from_text(zone, 300, "IN", "NS", f"ns1.{zone}"), dns.rrset.from_text(f"ns1.{zone}", 300, "IN", "A", "192.0.2.1")]


def lines(zone, n):
    """The version as `zone show` prints it, in any order."""
    rrsets = [soa(zone, n, TIMERS), *fixed(zone), *(record(zone, n, i) for i in range(NAMES))]
    return sorted(re.sub(r"\s+", " ", line) for r in rrsets for line in r.to_text().splitlines())


def difference(zone, n):
    """From version n to the next."""
    changed = [i for i in range(NAMES) if value(n, i) != value(n + 1, i)]
    return [soa(zone, n, TIMERS), *(record(zone, n, i) for i in changed), soa(zone, n + 1, TIMERS), *(record(zone, n + 1, i) for i in changed)]


def digest(some):
    return hashlib.sha256("\n".join(some).encode()).hexdigest()


class Primary(Liar):
    """Has a new version of all zones every few milliseconds, tells of them, and sends differences or, now and then, all."""

    def __init__(self, rng):
        super().__init__(ZONES[0], 1, self.send)
        self.rng = rng
        self.away = threading.Event()
        self.threads.append(threading.Thread(target=self._publish))

    def __enter__(self):
        self.threads[1].start()
        return super().__enter__()

    def _publish(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            while not self.ending.wait(0.012):
                if self.away.is_set():
                    continue
                self.serial += 1
                for zone in ZONES:
                    m = dns.message.make_query(zone, "SOA")
                    m.flags = dns.flags.AA
                    m.set_opcode(dns.opcode.NOTIFY)
                    m.answer.append(soa(zone, self.serial, TIMERS))
                    s.sendto(m.to_wire(), ("127.0.0.1", 53))

    def send(self, query):
        zone, now = query.question[0].name.to_text(), self.serial
        if self.away.is_set():
            return []
        if query.question[0].rdtype == 251:
            have = query.authority[0][0].serial
            if 0 < now - have < 60 and self.rng.random() < 0.9:
                records = [soa(zone, now, TIMERS)]
                for n in range(have, now):
                    records += difference(zone, n)
                return [reply(query, part) for part in parts([*records, soa(zone, now, TIMERS)])]
            if now == have:
                return [reply(query, [soa(zone, now, TIMERS)])]
        return [reply(query, part) for part in
                parts([soa(zone, now, TIMERS), *fixed(zone), *(record(zone, now, i) for i in range(NAMES)), soa(zone, now, TIMERS)])]

    def leave(self):
        self.away.set()
        self.answers_udp = False

    def come_back(self):
        self.answers_udp = True
        self.away.clear()


def parts(records, size=150):
    return [records[i:i + size] for i in range(0, len(records), size)]


def shown(node, zone):
    """(serial, lines) or None."""
    done = node.command("zone", "show", zone)
    if done.returncode:
        return None
    some = [re.sub(r"\s+", " ", line) for line in done.stdout.splitlines() if line and not line.startswith(";")]
    found = [int(line.split()[6]) for line in some if " IN SOA " in line]
    return (found[0], sorted(some)) if found else None


class Watch:
    def __init__(self, node, primary):
        self.node, self.primary = node, primary
        self.seen = dict.fromkeys(ZONES, 0)

    def check(self, zone, floor):
        """A version that was published, not older than floor."""
        got = []
        wait(lambda: bool(got.append(shown(self.node, zone)) or got[-1]), lambda: f"{zone} to be served\n{self.node.log()[-3000:]}", 30)
        serial, some = got[-1]
        assert floor <= serial <= self.primary.serial, (zone, floor, serial, self.primary.serial)
        assert digest(some) == digest(lines(zone, serial)), f"{zone} {serial}: {set(some) ^ set(lines(zone, serial))}\n{self.node.log()[-3000:]}"
        self.seen[zone] = serial
        return serial


def kill_sync(node):
    pids = node.pids()
    os.kill(pids["sync", 0], signal.SIGKILL)
    wait(lambda: node.pids().get(("sync", 0)) not in (None, pids["sync", 0]), "sync is back")


def test_killed_at_any_moment(tmp_path):
    rng = random.Random(os.getpid())
    with Primary(rng) as primary:
        zones = [Zone(z, [primary]) for z in ZONES]
        node = Holder(str(tmp_path), zones)
        watch = Watch(node, primary)
        with node:
            for zone in ZONES:
                watch.check(zone, 1)
            for _ in range(KILLS):
                time.sleep(rng.random() * 0.15)  # the moment is the test
                if rng.random() < 0.5:
                    kill_sync(node)
                    for zone in ZONES:
                        watch.check(zone, watch.seen[zone])
                    continue
                for zone in ZONES:
                    watch.check(zone, watch.seen[zone])
                node.kill()
                primary.leave()
                reboot = rng.random() < 0.5
                if reboot:
                    node.reboot()
                node.start()
                wait(node.ready, lambda: f"ready\n{node.log()[-3000:]}")
                for zone in ZONES:
                    # The journal may lag behind answers by what one run of the loader brought; the store never.
                    watch.check(zone, 1 if reboot else watch.seen[zone])
                primary.come_back()
            # It goes on by itself.
            final = primary.serial
            for zone in ZONES:
                wait(lambda z=zone: (shown(node, z) or (0,))[0] > final, lambda: f"newer than {final}: {node.told()}\n{node.log()[-3000:]}")
                watch.check(zone, final)
            assert "damaged" not in node.log()
            assert SANITIZED or primary.serial > 20 * KILLS // 10
