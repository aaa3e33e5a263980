# SPDX-License-Identifier: BSD-2-Clause
"""A real Prometheus asks a primary and two pops beside a real router each second. First nothing fires; then faults are made, many at a time, and the alert for each names it: node, zone, family,
neighbor. What is repaired is silent again. Alerts that cannot be provoked in a minute have their test in test_alert_rules.py."""
import json
import os
import re
import signal
import socket
import subprocess

import pytest

from netns import missing, stop_process, wait_until
from paths import ZONECAST
from prometheus import Prometheus
from routers import Bird, Neighbor
from rpki_cache import Cache
from several import Several

WHY = missing(ZONECAST, *Prometheus.needs, *Bird.needs, "promtool")
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
ROUTER, RTR_PORT = "10.8.0.100", 8282
GOOD = [("192.0.2.0/24", 24, 64500), ("2001:db8:35::/48", 48, 64500)]
BAD = [("192.0.2.0/24", 24, 64999), GOOD[1]]
ALL = ("hid", "fra", "ams")


def zone(serial, text="192.0.2.1"):
    return f"$TTL 300\n@ SOA ns1 host {serial} 1 1 86400 60\n@ NS ns1\nns1 A 192.0.2.53\nwww A {text}\n"


class Watched(Several):
    """With web servers, a router on the bridge, an RPKI cache, and a second zone; drift is an alert after 2 s."""

    def text(self):
        out = super().text()
        out = re.sub(r"bgp: \{router-id: ([0-9.]+)\}", rf"bgp: {{router-id: \1, neighbors: [{{address: {ROUTER}, as: 64601, watch-routes: true}}]}}", out)
        out += f'  - {{name: second, file: "{self.folder}/second.zone", network: global, key: transfer}}\n'
        return out + f"http: {{open: true}}\ndrift: {{alert-after: 2s}}\nrpki: {{caches: [{{address: {ROUTER}, port: {RTR_PORT}}}]}}\n"

    def change(self, name, serial, text="192.0.2.1"):
        self.write(f"{name}.new", zone(serial, text))
        os.rename(self.path(f"{name}.new"), self.path(f"{name}.zone"))

    def hold(self, name, held):
        """Nothing comes to it by transfer."""
        for family, to in (("-4", self.v4("hid")), ("-6", self.v6("hid"))):
            self.ns[name].ip(family, "rule", "add" if held else "del", "to", to, "ipproto", "tcp", "dport", "53", "pref", "10", "type", "blackhole")

    def order(self, name, **request):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(30)
            s.connect(self.path(name, "run", "control.sock"))
            s.sendall(json.dumps(request).encode() + b"\n")
            reply = b""
            while not reply.endswith(b"\n"):
                got = s.recv(4096)
                assert got, reply
                reply += got
        assert json.loads(reply)["ok"], reply

    def kill(self, name, role):
        """The process ends, and its successor runs."""
        pid = self.pid(name, role)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.pid(name, role) not in (pid, None), 30, f"another {role} of {name}")

    def at(self, name):
        return f"{self.v4(name)}:8053" if name != "ams" else f"[{self.v6(name)}]:8053"

    def metrics(self, name):
        return self.bridge.run(["curl", "-sf", f"http://{self.at(name)}/metrics"])


@pytest.fixture(scope="module", name="fleet")
def fleet_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alerts")
    os.chmod(folder, 0o755)
    with Watched(folder, names=ALL) as f:
        f.flags = ["--allow-faults"]
        f.change("example", 1)
        f.change("second", 1)
        f.bridge.ip("addr", "add", f"{ROUTER}/24", "dev", "br0")
        f.bridge.ip("addr", "add", "2001:db8:8::100/64", "dev", "br0", "nodad")
        f.bird = Bird(f.bridge, folder, 64601, ROUTER, [Neighbor(f.v4(n), 64500) for n in ("fra", "ams")]).start()
        with Cache(f.bridge, ROUTER, RTR_PORT, GOOD) as f.cache:
            f.start("hid")
            f.start("fra", "ams")
            # The primary is a client of fra.
            f.ns["hid"].ip("route", "add", "192.0.2.0/24", "via", f.v4("fra"))
            f.ns["hid"].ip("route", "add", "2001:db8:35::/48", "via", f.v6("fra"))
            with Prometheus(f.bridge, folder, [f.at(n) for n in ALL]) as f.prometheus:
                yield f


def settle(fleet):
    p = fleet.prometheus
    wait_until(lambda: p.query('sum(up{job="zonecast"})') == [({}, 3.0)], 60, lambda: f"all are asked: {p.query('up')}", 0.3)
    # So that silence is not for want of figures.
    for expr, count in (("sum(zonecast_peer_up) == 6", 1), ("zonecast_bgp_up == 1", 2), ('zonecast_rpki_origins{state="valid"} == 2', 2),
                        ('zonecast_network_announce{state="announced"} == 1', 4), ('zonecast_view_outside{state="good"} == 1', 4), ("zonecast_drift_compared_timestamp_seconds", 3)):
        wait_until(lambda e=expr, n=count: len(p.query(e)) == n, 60, lambda e=expr: f"{e}: {p.query(e)}", 0.3)
    wait_until(lambda: not p.alerts(), 60, lambda: f"silence: {json.dumps(p.alerts(), indent=1)}", 0.3)


def test_nothing_fires_and_then_everything(fleet):
    p = fleet.prometheus
    settle(fleet)
    for name in ALL:
        done = subprocess.run(["promtool", "check", "metrics"], input=fleet.metrics(name), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0 and not done.stdout + done.stderr, done.stdout + done.stderr

    fleet.hold("ams", True)
    fleet.change("example", 2)
    fleet.change("second", 1, "192.0.2.99")
    done = fleet.zonecast("hid", "zone", "reload", "second", "--force")
    assert done.returncode == 0, done.stdout + done.stderr
    fleet.bird.send([("192.0.2.0/25", 666)])
    fleet.cache.set(BAD)
    fleet.ns["fra"].ip("addr", "del", f"{fleet.v6('fra')}/64", "dev", "up0")
    fleet.order("ams", command="fault", kind="servfail")
    fleet.write("fleet.yaml", "fleet: several\nnodes: none\n")
    assert fleet.zonecast("fra", "reload").returncode == 1
    fleet.write("fleet.yaml", fleet.text())
    for _ in range(3):
        fleet.kill("fra", "sync")

    p.wait_firing("ZonecastZoneStuck", node="ams", zone="example.", network="global", severity="critical")
    p.wait_firing("ZonecastZoneContentDiffers", node="fra", zone="second.", network="global")
    p.wait_firing("ZonecastHijack", prefix="192.0.2.0/25", origin="666", neighbor=ROUTER)
    p.wait_firing("ZonecastRpkiInvalid", network="global", instance=fleet.at("fra"))
    p.wait_firing("ZonecastNodeFamilyNotSeen", node="fra", family="ipv6")
    p.wait_firing("ZonecastOutside", instance=fleet.at("fra"), network="global", family="ipv6")
    for family in ("ipv4", "ipv6"):
        p.wait_firing("ZonecastChecksFail", instance=fleet.at("ams"), network="global", family=family)
    p.wait_firing("ZonecastWithdrawn", instance=fleet.at("ams"), family="ipv4")
    p.wait_firing("ZonecastReloadRefused", instance=fleet.at("fra"))
    p.wait_firing("ZonecastProcessRestarting", instance=fleet.at("fra"), role="sync")
    # ams fails, and fra must not announce what is invalid; the IPv6 prefix is valid.
    p.wait_firing("ZonecastNowhereAnnounced", network="global", family="ipv4")
    assert {a["family"] for a in p.firing("ZonecastNowhereAnnounced")} == {"ipv4"}
    names = {a["alertname"] for a in p.firing()}
    assert not names & {"ZonecastNodeNotSeen", "ZonecastMetricsMissing", "ZonecastBgpDown", "ZonecastProcessDown"}, names
    assert {a["node"] for a in p.firing("ZonecastZoneStuck")} == {"ams"}
    alert = next(a for a in p.alerts() if a["labels"]["alertname"] == "ZonecastHijack")
    assert alert["annotations"]["summary"] == "192.0.2.0/25 is announced by AS666"
    page = fleet.bridge.run(["curl", "-sf", alert["annotations"]["runbook_url"]])
    assert page.startswith("# Somebody else announces our prefix")

    # Repaired, and worse faults at once.
    fleet.hold("ams", False)
    fleet.change("second", 3, "192.0.2.98")
    fleet.cache.set(GOOD)
    fleet.ns["fra"].ip("addr", "add", f"{fleet.v6('fra')}/64", "dev", "up0", "nodad")
    for name in ("ZonecastZoneStuck", "ZonecastZoneContentDiffers", "ZonecastRpkiInvalid", "ZonecastNodeFamilyNotSeen", "ZonecastOutside"):
        wait_until(lambda n=name: not p.firing(n), 60, lambda n=name: f"the end of {n}: {p.firing(n)}", 0.3)
    fleet.bird.stop()
    p.wait_firing("ZonecastBgpDown", neighbor=ROUTER, instance=fleet.at("fra"))
    p.wait_firing("ZonecastBgpAllDown", instance=fleet.at("ams"))
    stop_process(fleet.running.pop("ams"), signal.SIGKILL)
    p.wait_firing("ZonecastMetricsMissing", instance=fleet.at("ams"))
    p.wait_firing("ZonecastNodeNotSeen", node="ams")
    assert {a["node"] for a in p.firing("ZonecastNodeNotSeen")} == {"ams"}


def test_figures_of_answers(fleet):
    """What clients ask is counted where it belongs."""
    before = fleet.metrics("fra")
    for server in ("192.0.2.53", "2001:db8:35::53"):
        for how in ("+notcp", "+tcp"):
            text = fleet.ns["fra"].run(["dig", how, f"@{server}", "www.example", "AAAA"])
            assert "status: NOERROR" in text
    fleet.ns["fra"].run(["dig", "@192.0.2.53", "nowhere.example", "HTTPS"])

    def value(text, series):
        return next((float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(series + " ")), 0)

    def more(series, least):
        wait_until(lambda: value(fleet.metrics("fra"), series) - value(before, series) >= least, 30, f"{series} grows by {least}")

    more('zonecast_queries_by_type_total{type="AAAA"}', 4)
    more('zonecast_queries_by_type_total{type="HTTPS"}', 1)
    more('zonecast_responses_total{rcode="NXDOMAIN",path="worker"}', 1)
    for family in ("ipv4", "ipv6"):
        more(f'zonecast_queries_total{{transport="tcp",family="{family}",path="worker"}}', 1)
        more(f'zonecast_queries_by_network_total{{network="global",family="{family}"}}', 2)
    for transport in ("udp", "tcp"):
        more(f'zonecast_query_duration_seconds_count{{transport="{transport}"}}', 2)
        more(f'zonecast_response_size_bytes_count{{transport="{transport}"}}', 2)
    text = fleet.metrics("fra")
    assert value(text, 'zonecast_sources{family="ipv4",day="today"}') >= 1
    assert 0 < value(text, 'zonecast_query_duration_seconds_sum{transport="udp"}') < 60
    for role in ("supervisor", "sync", "watch", "route", "admin", "answer"):
        assert value(text, f'zonecast_process_resident_memory_bytes{{role="{role}",index="0"}}') > 1 << 20, role
    report = fleet.bridge.run(["curl", "-sf", f"http://{fleet.at('fra')}/api/v1/rssac002?service=x.example"])
    assert report.count("version: rssac002v3\nservice: x.example\n") == 4
    assert int(re.search(r"^dns-tcp-queries-received-ipv6: (\d+)$", report, re.MULTILINE)[1]) >= 1
    for bad, status in (("day=yesterday", "404"), ("day=tomorrow", "400"), ("service=a%0ab", "400")):
        assert fleet.bridge.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{fleet.at('fra')}/api/v1/rssac002?{bad}"]) == status, bad
