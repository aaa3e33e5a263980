# SPDX-License-Identifier: BSD-2-Clause
"""Zones with steered names, signed as their operators would: VARIANT records by zonecast, the zone as a whole by BIND, ldns or Knot.

    s = BindNsec(folder, "example.com.")
    s.make(zone_text, config)      -> path of the signed zone
    s.anchor                       the DNSKEY of its key, as a trust anchor
"""
import glob
import os
import shutil
import subprocess

from paths import ZONECAST
from program import Folder


def run(argv, cwd):
    env = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin")
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stdout}{done.stderr}"
    return done.stdout


def sign_variants(*args):
    return subprocess.run([ZONECAST, "zone", "sign-variants", *args], capture_output=True, text=True, timeout=120, check=False)


class Signer(Folder):
    programs = ()

    def __init__(self, folder, zone):
        self.folder, self.zone = os.path.join(str(folder), type(self).__name__), zone
        os.makedirs(self.folder)
        self.key = self.make_key()

    @property
    def anchor(self):
        with open(self.key_record(), encoding="ascii") as f:
            return "".join(line for line in f if not line.startswith(";"))

    def key_record(self):
        return self.key[:-len(".private")] + ".key"

    def unsigned(self, text):
        """The zone as sign-variants gets it."""
        return self.write("unsigned.zone", text)

    def make(self, text, config, *more):
        done = sign_variants(self.zone, "--config", config, "--key", self.key, "--in", self.unsigned(text), "--out", self.path("variants.zone"), *more)
        assert done.returncode == 0, done.stderr
        self.sign(self.path("variants.zone"), self.path("signed.zone"))
        return self.path("signed.zone")


class BindNsec(Signer):
    """ECDSA P-256 and NSEC, by dnssec-signzone."""
    programs = ("dnssec-keygen", "dnssec-signzone")
    algorithm, more = "ECDSAP256SHA256", ()

    def make_key(self):
        run(["dnssec-keygen", "-q", "-f", "KSK", "-a", self.algorithm, "-K", self.folder, self.zone], self.folder)
        return glob.glob(self.path("K*.private"))[0]

    def sign(self, file, out):
        run(["dnssec-signzone", "-q", "-S", "-z", "-K", self.folder, "-o", self.zone, *self.more, "-f", out, file], self.folder)


class BindNsec3(BindNsec):
    """Ed448 and NSEC3."""
    algorithm, more = "ED448", ("-3", "-")


class LdnsNsec3(Signer):
    """Ed25519 and NSEC3, by ldns-signzone."""
    programs = ("ldns-keygen", "ldns-signzone")

    def make_key(self):
        run(["ldns-keygen", "-a", "ED25519", "-k", self.zone], self.folder)
        return glob.glob(self.path("K*.private"))[0]

    def sign(self, file, out):
        run(["ldns-signzone", "-n", "-t", "0", "-f", out, file, self.key[:-len(".private")]], self.folder)


class KnotNsec3(Signer):
    """RSA/SHA-256, NSEC3 and ZONEMD, by Knot, whose keys are PEM files: their DNSKEY records are in the zone before."""
    programs = ("keymgr", "kzonesign")

    def make_key(self):
        self.conf = self.write("knot.conf", f"""server:
    rundir: "{self.folder}"
database:
    storage: "{self.folder}"
    kasp-db: "{self.path("kasp")}"
policy:
  - id: one
    single-type-signing: on
    algorithm: rsasha256
    ksk-size: 2048
    zsk-size: 2048
    nsec3: on
    nsec3-iterations: 0
zone:
  - domain: "{self.zone}"
    file: "{self.path("in.zone")}"
    dnssec-signing: on
    dnssec-policy: one
    zonemd-generate: zonemd-sha384
""")
        run(["keymgr", "-c", self.conf, self.zone, "generate", "algorithm=rsasha256", "size=2048", "ksk=yes", "zsk=yes"], self.folder)
        return glob.glob(self.path("kasp", "keys", "*.pem"))[0]

    def key_record(self):
        return self.path("dnskey")

    def unsigned(self, text):
        said = run(["keymgr", "-c", self.conf, self.zone, "dnskey"], self.folder).splitlines()
        records = "".join(line.replace(" DNSKEY ", " 300 IN DNSKEY ") + "\n" for line in said if " DNSKEY " in line)
        self.write("dnskey", records)
        return self.write("unsigned.zone", text + records)

    def sign(self, file, out):
        shutil.copy(file, self.path("in.zone"))
        os.makedirs(self.path("out"), exist_ok=True)
        run(["kzonesign", "-c", self.conf, "-o", self.path("out"), self.zone], self.folder)
        shutil.copy(glob.glob(self.path("out", "*"))[0], out)


SIGNERS = [BindNsec, BindNsec3, LdnsNsec3, KnotNsec3]
