# SPDX-License-Identifier: BSD-2-Clause
"""A zone whose signatures end in seconds: degraded before, with a cause to leave after, well again once it is signed anew. The only pop of its network stays: nobody would do better."""
import subprocess
import time

import pytest

from fleet import SLOW, Node, Site
from netns import missing, wait_until
from paths import ZONECAST, SANITIZED
from routers import Bird

WHY = missing(ZONECAST, "dnssec-keygen", "dnssec-signzone", *Bird.needs)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
LIFE_S = 25 if SANITIZED else 12
PLAIN = "$TTL 300\n@ SOA ns1 host {serial} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\nns1 AAAA 2001:db8::53\n"


@pytest.fixture(name="site", scope="module")
def site_fixture(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site")) as s:
        yield s


class Signer:
    def __init__(self, folder):
        self.folder = str(folder)
        self.serial = 0
        for flags in ((), ("-f", "KSK")):
            subprocess.run(["dnssec-keygen", "-K", self.folder, "-a", "ECDSAP256SHA256", *flags, "signed.test"], capture_output=True, check=True)

    def sign(self, out, life_s):
        self.serial += 1
        plain = f"{self.folder}/plain"
        with open(plain, "w", encoding="ascii") as f:
            f.write(PLAIN.format(serial=self.serial))
        # Replaced in one step: a node watches.
        subprocess.run(["dnssec-signzone", "-S", "-K", self.folder, "-d", self.folder, "-o", "signed.test", "-f", f"{out}.new", "-x", "-j", "0",
                        "-e", f"now+{life_s}", plain], capture_output=True, check=True)
        subprocess.run(["mv", f"{out}.new", out], check=True)
        return time.time() + life_s


def network(node):
    return node.status()["networks"][0]


@pytest.mark.parametrize("mode", ["withdraw", "alert"])
def test_expiry(site, tmp_path, mode):
    signer = Signer(tmp_path)
    signed = f"{tmp_path}/signed.zone"
    signer.sign(signed, 30 * 86400)
    node = Node(site, tmp_path, zones="  - {name: signed.test, file: signed.zone, network: global}\n",
                change=lambda t: t.replace("    drain-time:", f"    expired-signatures: {mode}\n    signatures-alert: 1h\n    drain-time:"))
    with node:
        wait_until(lambda: network(node)["checks"]["verdict"] == "pass", 30, "all is well")
        told = network(node)["signatures"]
        assert told["zone"].rstrip(".") == "signed.test" and told["exact"] and 29 * 86400 < told["left_s"] <= 30 * 86400
        ends = signer.sign(signed, LIFE_S)
        wait_until(lambda: network(node)["checks"]["verdict"] == "soft-fail", LIFE_S, lambda: f"degraded: {network(node)}\n{node.log()[-3000:]}")
        assert "signed.test" in network(node)["checks"]["why"] and "expire in" in network(node)["checks"]["why"]
        assert site.announced() and network(node)["decision"]["announce"] == "announced"
        wait_until(lambda: "expired" in network(node)["checks"]["why"], LIFE_S + 20 * SLOW, "expired")
        assert time.time() >= ends - 1
        told = network(node)["checks"]
        assert told["verdict"] == "soft-fail" and told["causes"] == (["signatures"] if mode == "withdraw" else [])
        assert all(f["checks"]["causes"] == told["causes"] for f in network(node)["families"].values())
        assert site.announced()
        signer.sign(signed, 30 * 86400)
        wait_until(lambda: network(node)["checks"]["verdict"] == "pass", 30, "signed anew")
        wait_until(site.announced, 60, "announced again")
        zone = [z for z in node.control("zone", "status") if z["zone"].rstrip(".") == "signed.test"][0]
        assert zone["signatures_end_exact"] and zone["signatures_end_s"] > 29 * 86400
