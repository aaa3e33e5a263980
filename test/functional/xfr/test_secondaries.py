# SPDX-License-Identifier: BSD-2-Clause
"""BIND, Knot, NSD and PowerDNS as secondaries of a zonecast primary: with and without a key, over IPv4 and IPv6; whole zones, differences, NOTIFY. The primary is a node
of a fleet file in one namespace, the secondaries are in another."""
import json
import os
import signal
import subprocess

import dns.message
import dns.query
import pytest

import secondaries
from netns import Net, missing, stop_process, wait_until
from paths import ZONECAST
from servers import need
from transfers import Key, dump, plain

pytestmark = pytest.mark.skipif(missing("dig") is not None, reason=str(missing("dig")))

PRIMARY = {4: "10.8.0.1", 6: "2001:db8:8::1"}
SECONDARY = {4: "10.8.0.2", 6: "2001:db8:8::2"}
KEY = Key(name="transfer.key")
LONG_KEY = Key(name="long.key", algorithm="hmac-sha512", secret="c2VjcmV0IG9mIHRoZSBsb25nIGtleSBzZWNyZXQgb2YgdGhlIGxvbmcga2V5IDAxMjM=")
KINDS = {"p4": (4, None), "p6": (6, None), "k4": (4, KEY), "k6": (6, LONG_KEY)}
HEAD = """$TTL 300
@ SOA ns1 host {serial} 3600 600 86400 60
@ NS ns1
@ NS ns.elsewhere.example.
ns1 A 192.0.2.1
ns1 AAAA 2001:db8::1
@ MX 10 mail
@ TXT "apex" "of version {serial}"
mail A 192.0.2.{serial}
sub NS ns.sub
ns.sub A 192.0.2.3
*.wild TXT "star"
a.b.c.d SRV 1 2 3 mail
t TYPE65280 \\# 4 01020304
st STEER "policy" "a note"
st VARIANT 00112233445566ff A 13 3 60 20300101000000 20200101000000 1 Signer.example. c2lnbmF0dXJl
only{serial} A 192.0.2.4
Case TXT "Mixed"
"""


class Primary:
    def __init__(self, ns, folder, ports):
        """ports: of each secondary's name; each has one zone of each kind."""
        self.ns, self.folder = ns, str(folder)
        self.process = None
        zones = ""
        for name, port in ports.items():
            for kind, (family, key) in KINDS.items():
                at = f"[{SECONDARY[6]}]:{port}" if family == 6 else f"{SECONDARY[4]}:{port}"
                zones += (f"  - {{name: {kind}.{name}.test, file: {kind}.{name}.zone, notify: [\"{at}\"]"
                          + (f", key: {key.name}" if key else "") + f", allow-transfer: [\"{SECONDARY[family]}/{32 if family == 4 else 128}\"]}}\n")
                self.zone_file(kind, name, 1)
        for key in (KEY, LONG_KEY):
            self.write(f"{key.name}.secret", key.secret + "\n", 0o600)
        self.write("fleet.yaml", f"""fleet: test
nodes:
  - {{name: hidden, role: primary, management: [{PRIMARY[4]}, "{PRIMARY[6]}"], workers: 2}}
keys:
  - {{name: {KEY.name}, secret-file: {KEY.name}.secret}}
  - {{name: {LONG_KEY.name}, algorithm: {LONG_KEY.algorithm}, secret-file: {LONG_KEY.name}.secret}}
zones:
{zones}""")

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def zone_file(self, kind, name, serial):
        hosts = "".join(f"host{i} A 198.51.100.{(i + (serial if i % 50 == 0 else 0)) % 250}\n" for i in range(400))
        return self.write(f"{kind}.{name}.zone", HEAD.format(serial=serial) + hosts)

    def __enter__(self):
        with open(self.path("log"), "ab") as log:
            self.process = self.ns.popen([ZONECAST, "run", "--config", self.path("fleet.yaml"), "--node", "hidden", "--run-dir", self.path("run"),
                                          "--state-dir", self.path("state")], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: self.process.poll() is None and "\nready\n" in "\n" + self.log(), 30, lambda: f"ready; log:\n{self.log()}")
        return self

    def __exit__(self, *_):
        stop_process(self.process, timeout=20)
        assert "ERROR: AddressSanitizer" not in self.log() and "runtime error:" not in self.log(), self.log()[-5000:]

    def log(self):
        with open(self.path("log"), encoding="latin-1") as f:
            return f.read()

    def zonecast(self, *args):
        done = subprocess.run([ZONECAST, *args, "--run-dir", self.path("run")], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0 or args[0] == "status", done.stdout + done.stderr
        return done.stdout

    def counts(self):
        return json.loads(self.zonecast("status", "--json"))["transfers_out"]

    def pids(self):
        with open(self.path("run", "pids"), encoding="ascii") as f:
            return {(r, int(i)): int(p) for r, i, p in (line.split() for line in f)}


@pytest.fixture(scope="module")
def net():
    with Net() as n:
        prim, sec = n.namespace("prim"), n.namespace("sec")
        n.veth(prim, "e0", [f"{PRIMARY[4]}/24", f"{PRIMARY[6]}/64"], sec, "e0", [f"{SECONDARY[4]}/24", f"{SECONDARY[6]}/64"])
        yield prim, sec


def canonical(lines):
    """Of dig's lines: as zonedump writes records, with the first SOA only."""
    seen, out = False, []
    for line in lines:
        owner, ttl, rclass, rtype, rdata = line.split(None, 4)
        if rtype == "SOA":
            if seen:
                continue
            seen = True
        out.append("\t".join((owner, ttl, rclass, rtype, rdata)))
    return plain(out)


@pytest.mark.parametrize("peer", secondaries.ALL, ids=lambda p: p.name)
def test_secondary_follows(net, tmp_path, peer):
    need(peer.program)
    prim, sec = net
    port = 5300 + secondaries.ALL.index(peer)
    zones = {kind: f"{kind}.{peer.name}.test." for kind in KINDS}
    os.chmod(tmp_path, 0o755)
    with Primary(prim, tmp_path, {peer.name: port}) as primary:
        held = [secondaries.Held(zones[kind], PRIMARY[family], key) for kind, (family, key) in KINDS.items()]
        s = peer(sec, tmp_path, [SECONDARY[4], SECONDARY[6]], port, held)
        s.start()
        try:
            s.wait(dict.fromkeys(zones.values(), 1))
            before = primary.counts()
            assert before["axfr"] >= len(zones) and before["failed"] == 0, before
            for serial in (2, 3):
                was = primary.counts()
                for kind in KINDS:
                    primary.zone_file(kind, peer.name, serial)
                primary.zonecast("reload")
                # Nobody asks before its refresh time: the change comes by NOTIFY.
                s.wait(dict.fromkeys(zones.values(), serial), 30)
                wait_until(lambda w=was: primary.counts()["notify_acked"] >= w["notify_acked"] + len(zones), 20,
                           lambda: f"acknowledgements: {primary.counts()}\n{primary.log()[-3000:]}")
                now = primary.counts()
                if peer.asks_differences:
                    assert now["ixfr"] >= was["ixfr"] + len(zones), (was, now, primary.log()[-4000:])
                assert now["tsig_bad"] == 0 and now["failed"] == 0, now
            for kind, zone in zones.items():
                assert canonical(s.dig(zone, "AXFR", "+nosplit")) == plain(dump(primary.path(f"{kind}.{peer.name}.zone"), zone)), zone
        finally:
            stop_process(s.process, timeout=20)


def refused(ns, zone, address, *more):
    out = ns.run(["dig", f"@{address}", zone, "AXFR", "+time=5", "+tries=1", *more], check=False)
    return "Transfer failed" in out or "REFUSED" in out or "NOTAUTH" in out


def key_option(key, secret=None):
    return ["-y", f"{key.algorithm}:{key.name}:{secret or key.secret}"]


def test_who_may(net, tmp_path):
    prim, sec = net
    os.chmod(tmp_path, 0o755)
    with Primary(prim, tmp_path, {"x": 5399}) as primary:
        def records(ns, zone, address, *more):
            out = ns.run(["dig", f"@{address}", zone, "AXFR", "+nosplit", "+noall", "+answer", "+time=5", "+tries=1", *more], check=False)
            return [line for line in out.splitlines() if line and not line.startswith(";")]

        for family in (4, 6):
            plain_zone, key_zone, key = f"p{family}.x.test", f"k{family}.x.test", KINDS[f"k{family}"][1]
            other = LONG_KEY if key is KEY else KEY
            want = plain(dump(primary.path(f"k{family}.x.zone"), key_zone + "."))
            # The allowed address, and the node's own: both are of the fleet or named.
            assert canonical(records(sec, plain_zone, PRIMARY[family])) == plain(dump(primary.path(f"p{family}.x.zone"), plain_zone + "."))
            assert records(prim, plain_zone, PRIMARY[family])
            assert canonical(records(sec, key_zone, PRIMARY[family], *key_option(key))) == want
            # With a key the address counts too.
            assert refused(prim, key_zone, PRIMARY[family], *key_option(key))
            assert refused(sec, key_zone, PRIMARY[family])
            assert refused(sec, key_zone, PRIMARY[family], *key_option(other))
            assert refused(sec, key_zone, PRIMARY[family], *key_option(key, "d3Jvbmc="))
            assert refused(sec, "nowhere.test", PRIMARY[family])
        # Nobody is told of the address that asks over the other family.
        assert refused(sec, "p4.x.test", PRIMARY[6])
        now = primary.counts()
        assert now["refused"] >= 8 and now["tsig_bad"] >= 2, now
        # A signed question for the SOA is answered, signed; NOTIFY to a zone that has no primaries is not believed.
        out = sec.run(["dig", f"@{PRIMARY[4]}", "k4.x.test", "SOA", *key_option(KEY)])
        assert "ANSWER: 1" in out and "NOERROR" in out and "could not be validated" not in out, out
        out = sec.run(["dig", f"@{PRIMARY[4]}", "k4.x.test", "SOA", "+tcp", *key_option(KEY)])
        assert "ANSWER: 1" in out and "could not be validated" not in out, out
        out = sec.run(["dig", f"@{PRIMARY[4]}", "k4.x.test", "SOA", "+opcode=notify", "+noedns"], check=False)
        assert "NOTAUTH" in out, out
        assert primary.counts()["notify_refused"] >= 1
        assert primary.counts()["handover_failed"] == 0


def test_told_again(net, tmp_path):
    """Who does not answer is told again; changes meanwhile are told once; sync's death loses no worker and is soon over."""
    prim, sec = net
    os.chmod(tmp_path, 0o755)
    sock = sec.socket(2, 2)
    sock.bind((SECONDARY[4], 5388))
    sock.settimeout(20)
    with sock, Primary(prim, tmp_path, {"y": 5388}) as primary:
        got = []
        while len(got) < 5:
            wire, source = sock.recvfrom(4096)
            m = dns.message.from_wire(wire, keyring=KEY.ring) if b"k4" in wire else dns.message.from_wire(wire, ignore_trailing=True)
            assert source[0] == PRIMARY[4] and m.opcode() == dns.opcode.NOTIFY, (source, m)
            got.append((str(m.question[0].name), wire, source))
        assert {z for z, _, _ in got} == {"p4.y.test.", "k4.y.test."}
        assert len([z for z, _, _ in got if z == "p4.y.test."]) >= 2, "it was told again"
        before = primary.counts()
        assert before["notify_pending"] >= 2 and before["notify_acked"] == 0, before
        # An answer with another id is none; the right one ends it.
        last = [g for g in got if g[0] == "p4.y.test."][-1]
        wrong = bytearray(last[1])
        wrong[0] ^= 1
        wrong[2] |= 0x80
        sock.sendto(bytes(wrong), last[2])
        primary.zone_file("p4", "y", 2)
        primary.zonecast("zone", "reload", "p4.y.test")

        def answer():
            wire, source = sock.recvfrom(4096)
            if b"p4" in wire:
                reply = dns.message.make_response(dns.message.from_wire(wire))
                sock.sendto(reply.to_wire(), source)
            return primary.counts()["notify_acked"] >= 1
        wait_until(answer, 30, lambda: f"acknowledged: {primary.counts()}")
        # Sync dies: the descriptors of the pairs are the supervisor's, and the next sync serves them.
        os.kill(primary.pids()["sync", 0], signal.SIGKILL)
        wait_until(lambda: sec.run(["dig", f"@{PRIMARY[4]}", "p4.y.test", "AXFR", "+noall", "+answer", "+time=2", "+tries=1"], check=False).count("SOA") == 2,
                   20, "a transfer after sync's death")
        # What its predecessor may not have told it tells again, acknowledged or not.
        wait_until(lambda: b"p4" in sock.recvfrom(4096)[0], 30, "told once more")
