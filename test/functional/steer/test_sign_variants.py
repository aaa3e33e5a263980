# SPDX-License-Identifier: BSD-2-Clause
"""`zonecast zone sign-variants`: keys of all kinds, what it refuses and says, files, what is made again, and what --check finds in a signed zone."""
import glob
import json
import os
import stat
import time

import dns.dnssec
import dns.name
import dns.rdataclass
import dns.rdatatype as T
import dns.rrset
import dns.zone
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from servers import need
from signing import run, sign_variants

NAME = "example.com."
ZONE = """$TTL 300
@ SOA ns1 host 7 3600 600 86400 60
@ NS ns1
ns1 A 192.0.2.53
www A 192.0.2.200
www AAAA 2001:db8::200
*.wild A 192.0.2.201
alias CNAME ns1
"""
FLEET = """fleet: test
nodes: [{name: a, role: primary, management: [192.0.2.53]}]
zones: [{name: example.com, file: example.com.zone}]
pools:
  - name: four
    endpoints:
      - {name: a, address: 192.0.2.1}
      - {name: b, address: 192.0.2.2}
      - {name: c, address: "2001:db8::1"}
      - {name: d, address: "2001:db8::2"}
  - {name: names, endpoints: [{name: a, target: One.example.net}]}
steering:
  - {name: one, owners: [www.example.com, "*.wild.example.com"], pool: four}
  - {name: alias, owners: [alias.example.com], pool: names}
"""
SETS = 2 + 2 + 2 + 1
ALGORITHMS = {8: "rsa", 10: "rsa", 13: ec.SECP256R1(), 14: ec.SECP384R1(), 15: ed25519.Ed25519PrivateKey, 16: ed448.Ed448PrivateKey}


class Rig:
    def __init__(self, folder):
        self.folder = str(folder)
        self.write("example.com.zone", ZONE)
        self.write("fleet.yaml", FLEET)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text, mode=0o600):
        with open(self.path(name), "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), encoding="ascii") as f:
            return f.read()

    def sign(self, *args, config="fleet.yaml"):
        return sign_variants(NAME, "--config", self.path(config), *args)

    def check(self, *args, config="fleet.yaml"):
        done = self.sign("--check", "--json", *args, config=config)
        return done.returncode, json.loads(done.stdout)

    def key(self, algorithm=13, name="zsk", flags=256):
        """A PEM file and its DNSKEY record, which are made by other programs than the one under test."""
        kind = ALGORITHMS[algorithm]
        private = rsa.generate_private_key(65537, 2048) if kind == "rsa" else kind.generate() if algorithm > 14 else ec.generate_private_key(kind)
        record = dns.dnssec.make_dnskey(private.public_key(), algorithm, flags)
        pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return self.write(name + ".pem", pem.decode()), record

    def keyed_zone(self, *records):
        return self.write("example.com.zone", ZONE + "".join(f"@ DNSKEY {r.to_text()}\n" for r in records))


@pytest.fixture(name="rig")
def _rig(tmp_path):
    return Rig(tmp_path)


def variants(text):
    """(owner, hash, RRSIG) of each record, by another parser."""
    zone = dns.zone.from_text(text, NAME, relativize=False, check_origin=False)
    out = []
    for owner, node in zone.nodes.items():
        for rdataset in node:
            for r in rdataset:
                if rdataset.rdtype == 65281:
                    out.append((owner, r.data[:8], dns.rdata.from_wire(dns.rdataclass.IN, T.RRSIG, r.data, 8, len(r.data) - 8)))
    return out


@pytest.mark.asan
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_signatures_validate_elsewhere(rig, algorithm):
    """Every signature, by dnspython and the cryptography library, over the set that it is for."""
    key, record = rig.key(algorithm)
    rig.keyed_zone(record)
    done = rig.sign("--key", key, "--records", "--valid", "3h", "--inception", "10m")
    assert done.returncode == 0, done.stderr
    assert f"{SETS} sets of 4 steered names and types signed by 1 key" in done.stderr
    apex = dns.name.from_text(NAME)
    keys = {apex: dns.rrset.from_rdata(apex, 300, record)}
    made = variants(f"$ORIGIN {NAME}\n" + done.stdout)
    values = {("www", T.A): ["192.0.2.1", "192.0.2.2"], ("www", T.AAAA): ["2001:db8::1", "2001:db8::2"], ("*.wild", T.A): ["192.0.2.1", "192.0.2.2"], ("alias", T.CNAME): ["one.example.net."]}
    good = set()
    for owner, _, rrsig in made:
        for (name, rdtype), list_ in values.items():
            for value in list_:
                rrset = dns.rrset.from_text(dns.name.from_text(name, apex), rrsig.original_ttl, "IN", rdtype, value)
                try:
                    dns.dnssec.validate_rrsig(rrset, rrsig, keys)
                    good.add((name, rdtype, value))
                    assert owner == dns.name.from_text(("_steer." if rdtype == T.CNAME else "") + name, apex)
                    assert rrsig.original_ttl == 30 and abs(rrsig.expiration - rrsig.inception - 3 * 3600 - 600) < 5
                except dns.dnssec.ValidationFailure:
                    pass
    assert len(good) == len(made) == SETS


def test_keys_of_bind_are_found_by_any_of_their_names(rig):
    need("dnssec-keygen")
    run(["dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-K", rig.folder, NAME], rig.folder)
    stem = glob.glob(rig.path("K*.key"))[0][:-len(".key")]
    for name in (stem, stem + ".key", stem + ".private"):
        done = rig.sign("--key", name)
        assert done.returncode == 0 and "no DNSKEY records yet" in done.stderr, done.stderr
        assert len(variants(done.stdout)) == SETS
    rig.write("example.com.zone", ZONE + rig.read(os.path.basename(stem) + ".key"))
    done = rig.sign("--key", stem)
    assert done.returncode == 0 and "warning" not in done.stderr, done.stderr
    # A private key without its record tells neither its flags nor its tag.
    os.rename(stem + ".key", stem + ".elsewhere")
    rig.write("example.com.zone", ZONE)
    done = rig.sign("--key", stem + ".private")
    assert done.returncode == 1 and "nor a file .key beside it" in done.stderr


def test_what_cannot_be_signed_with_is_refused(rig):
    key, record = rig.key(15)
    other, _ = rig.key(15, "other")
    rig.keyed_zone(record)
    cases = [
        (["--key", other], "DNSKEY set has not this key"),
        (["--key", rig.path("none.pem")], "No such file"),
        (["--key", rig.write("empty", "")], "empty, or cut short"),
        (["--key", rig.write("junk", "Private-key-format: v1.3\nAlgorithm: 5\n")], "algorithm 5"),
        (["--key", rig.folder], ""),
        (["--key", key, "--in", rig.path("none.zone")], "none.zone"),
        (["--key", key, "--out", rig.path("none", "out")], "none/out"),
    ]
    for args, said in cases:
        done = rig.sign(*args)
        assert done.returncode == 1 and said in done.stderr and not done.stdout, (args, done)
    for args in ([], ["--key", key, "--check"], ["--key", key, "--json"], ["--key", key, "--valid", "1s"], ["--key", key, "--valid", "9999d"], ["--key", key, "--inception", "x"],
                 ["--check", "--out", "x"], ["--key", key] * 9):
        assert rig.sign(*args).returncode == 2, args
    # Flags that say it is not for zones.
    key, record = rig.key(15, "host", flags=0)
    rig.keyed_zone(record)
    done = rig.sign("--key", key)
    assert done.returncode == 1 and "no key to sign zones with" in done.stderr


def test_each_algorithm_wants_its_key(rig):
    first, one = rig.key(13, "one")
    second, two = rig.key(8, "two")
    rig.keyed_zone(one, two)
    done = rig.sign("--key", first)
    assert done.returncode == 0 and "algorithm 8 (RSASHA256), for which there is no --key" in done.stderr
    done = rig.sign("--key", first, "--key", second)
    assert done.returncode == 0 and "no --key" not in done.stderr
    by_hash = {}
    for _, digest, rrsig in variants(done.stdout):
        by_hash.setdefault(digest, set()).add(rrsig.algorithm)
    assert set(map(frozenset, by_hash.values())) == {frozenset({13, 8})}


def test_the_file_is_replaced_when_all_is_there(rig):
    key, record = rig.key()
    zone = rig.keyed_zone(record)
    os.chmod(zone, 0o640)
    # Written over its own input, twice: records that were there are made anew, not added to.
    for _ in range(2):
        assert rig.sign("--key", key, "--out", zone).returncode == 0
        assert len(variants(rig.read("example.com.zone"))) == SETS
        assert stat.S_IMODE(os.stat(zone).st_mode) == 0o640
    before = rig.read("example.com.zone")
    rig.write("example.com.zone", before.replace("ns1.example.com.\t300\tIN\tA", "ns1.example.com.\t300\tIN\tTYPE65280\t\\# 2 0171\nns1.example.com.\t300\tIN\tA"))
    before = rig.read("example.com.zone")
    done = rig.sign("--key", key, "--out", zone)
    assert done.returncode == 1 and "its STEER record names a policy" in done.stderr
    assert rig.read("example.com.zone") == before
    assert not [f for f in os.listdir(rig.folder) if f.startswith("example.com.zone.")]


def test_a_signed_zone_is_taken_apart(rig):
    need("dnssec-keygen", "dnssec-signzone")
    run(["dnssec-keygen", "-q", "-f", "KSK", "-a", "ECDSAP256SHA256", "-K", rig.folder, NAME], rig.folder)
    key = glob.glob(rig.path("K*.private"))[0]
    for _ in range(2):
        done = rig.sign("--key", key, "--out", rig.path("variants.zone"))
        assert done.returncode == 0, done.stderr
        run(["dnssec-signzone", "-q", "-S", "-z", "-K", rig.folder, "-o", NAME, "-f", rig.path("signed.zone"), rig.path("variants.zone")], rig.folder)
        rig.write("example.com.zone", rig.read("signed.zone"))
    assert "the zone was signed already" in done.stderr
    code, said = rig.check()
    assert code == 0 and said["sets"] == SETS and said["owners"] == 4 and not said["missing"] + said["stale"] + said["wrong"], said
    left = time.mktime(time.strptime(said["end"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone - time.time()
    assert 13.9 * 86400 < left <= 14 * 86400
    # An endpoint more: two sets without a signature (www, and the wildcard). Signed for both fleet files, none.
    rig.write("more.yaml", FLEET.replace("{name: b,", "{name: e, address: 192.0.2.5}\n      - {name: b,"))
    code, said = rig.check(config="more.yaml")
    assert code == 1 and (said["sets"], said["missing"], said["stale"], said["wrong"]) == (SETS + 2, 2, 0, 0)
    assert "there is no VARIANT record for it" in said["problems"][0]["text"] and "192.0.2.5" in said["problems"][0]["text"]
    done = rig.sign("--key", key, "--out", rig.path("variants.zone"), "--config", rig.path("more.yaml"))
    assert done.returncode == 0 and f"{SETS + 2} sets of" in done.stderr
    run(["dnssec-signzone", "-q", "-S", "-z", "-K", rig.folder, "-o", NAME, "-f", rig.path("signed.zone"), rig.path("variants.zone")], rig.folder)
    for config in ("fleet.yaml", "more.yaml"):
        code, said = rig.check("--in", rig.path("signed.zone"), config=config)
        assert code == 0, said
    # Damaged: one octet of one signature.
    lines = rig.read("signed.zone").split("\n")
    at = next(i for i, line in enumerate(lines) if "TYPE65281" in line and "RRSIG" not in line and "NSEC" not in line)
    while ")" not in lines[at]:
        at += 1
    text = lines[at].rstrip(" )")
    rig.write("signed.zone", "\n".join(lines[:at] + [text[:-1] + ("0" if text[-1] != "0" else "1") + lines[at][len(text):]] + lines[at + 1:]))
    code, said = rig.check("--in", rig.path("signed.zone"), config="more.yaml")
    assert code == 1 and (said["wrong"], said["missing"]) == (1, 0), said


def test_a_zone_without_keys_or_steering_is_told(rig):
    code, said = rig.check()
    assert code == 1 and "no DNSKEY record" in said["problems"][0]["text"]
    key, record = rig.key()
    rig.keyed_zone(record)
    rig.write("plain.yaml", FLEET[:FLEET.index("pools:")])
    done = rig.sign("--key", key, config="plain.yaml")
    assert done.returncode == 0 and "no name of this zone is steered" in done.stderr
    rig.write("large.yaml", FLEET[:FLEET.index("pools:")] + "pools:\n  - name: big\n    endpoints:\n" + "".join(f"      - {{name: e{i}, address: 192.0.2.{i + 1}}}\n" for i in range(12)) +
              "steering: [{name: p, owners: [www.example.com], pool: big, choose: all}]\n")
    done = rig.sign("--key", key, config="large.yaml")
    assert done.returncode == 0 and "more than 64 KiB, which BIND does not take" in done.stderr and len(variants(done.stdout)) == 4095
    rig.write("many.yaml", FLEET[:FLEET.index("pools:")] + "pools:\n  - name: big\n    endpoints:\n" + "".join(f"      - {{name: e{i}, address: 192.0.2.{i + 1}}}\n" for i in range(40)) +
              "steering: [{name: p, owners: [www.example.com], pool: big, answers: 4}]\n")
    done = rig.sign("--key", key, config="many.yaml")
    assert done.returncode == 1 and "fewer answers, or fewer endpoints" in done.stderr
