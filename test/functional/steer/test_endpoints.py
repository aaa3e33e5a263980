# SPDX-License-Identifier: BSD-2-Clause
"""Endpoints that names are steered to: checked over TCP, HTTP, HTTPS and DNS and by programs, over both families; what one node sees, the others hear."""
import json
import os
import shutil
import time

import pytest

from certificates import Authority
from endpoint_server import Endpoints
from hidden import ask
from netns import missing, wait_until, within
from paths import SANITIZED, ZONECAST
from several import ZONE, Several

WHY = missing(ZONECAST, "openssl") or (None if shutil.which("nft") else "needs nft")
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
SLOW = 4 if SANITIZED else 1
V4, V6 = "10.8.0.200", "2001:db8:8::200"
CHECK = "interval: 800ms, timeout: 800ms, rise: 1, fall: 2"


class Steered(Several):
    """With endpoints in the bridge's namespace."""

    def __init__(self, folder, pools, **more):
        self.pools = pools
        super().__init__(folder, **more)
        try:
            for a in (f"{V4}/24", f"{V6}/64"):
                self.bridge.ip("addr", "add", a, "dev", "br0", *(["nodad"] if ":" in a else []))
            self.endpoints = Endpoints(self.bridge)
        except BaseException:
            self.net.close()
            raise

    def text(self):
        return super().text() + "pools:\n" + "".join(f"  - {p}\n" for p in self.pools)

    def close(self):
        try:
            super().close()
        finally:
            self.endpoints.close()

    def reload(self, pools, *names):
        self.pools = pools
        self.write("fleet.yaml", self.text())
        for name in names:
            done = self.zonecast(name, "reload")
            assert done.returncode == 0, done.stderr + done.stdout

    def rows(self, name):
        """{"POOL/ENDPOINT": row} as this node has them."""
        return {f"{p['name']}/{e['name']}": e for p in self.status(name).get("endpoints", {}).get("pools", []) for e in p["endpoints"]}

    def wait_row(self, name, key, good, seconds=40):
        """What a row says for a moment does not count: a machine that is busy makes single checks fail."""
        wait_until(lambda: key in self.rows(name) and good(self.rows(name)[key]), seconds * SLOW, lambda: f"{name} {key}: {self.rows(name).get(key)}\n{self.log(name)[-3000:]}")

    def wait_for(self, name, want, seconds=40):
        """want: {"POOL/ENDPOINT": "up" or "down"}."""
        wait_until(lambda: {k: v["up"] for k, v in self.rows(name).items() if k in want} == want, seconds * SLOW,
                   lambda: f"{name}: {want}; is {json.dumps(self.rows(name), indent=1)}\n{self.log(name)[-3000:]}")


def pool(name, check, steps=CHECK, more="", **addresses):
    rows = ", ".join(f'{{name: {n}, address: "{a}"}}' for n, a in addresses.items())
    return f"{{name: {name}, endpoints: [{rows}], check: {{{check}, {steps}}}{more}}}"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ca")
    ca = Authority(folder)
    ca.issue(folder / "good.pem", folder / "good.key", name="www.example", addresses=[V4, V6])
    ca.issue(folder / "old.pem", folder / "old.key", name="www.example", days=-1)
    ca.issue(folder / "other.pem", folder / "other.key", name="other.example")
    ca.at = {n: (str(folder / f"{n}.pem"), str(folder / f"{n}.key")) for n in ("good", "old", "other")}
    return ca


def test_every_kind_of_check(tmp_path, authority):
    script = tmp_path / "check.sh"
    script.write_text("#!/bin/sh\n[ -e \"$1/down\" ] && { echo \"down, says $ZONECAST_ENDPOINT of $ZONECAST_POOL\"; exit 3; }\n"
                      "[ -e \"$1/hang\" ] && sleep 600\necho \"$ZONECAST_ADDRESS $2\" > \"$1/asked\"\n")
    script.chmod(0o755)
    state = tmp_path / "exec"
    state.mkdir()
    state.chmod(0o777)
    tmp_path.chmod(0o755)
    tls = f"host: www.example, ca-file: {authority.file}"
    pools = [pool("tcp", "type: tcp, port: 7001", a=V4, b=V6, nobody="10.8.0.201"),
             pool("http", "type: http, port: 8001, path: /up, host: www.example, contains: all is well", a=V4, b=V6),
             pool("moved", "type: http, port: 8002, status: 503", a=V4),
             pool("https", f"type: https, port: 8443, {tls}", a=V4, b=V6),
             pool("old", f"type: https, port: 8444, {tls}", a=V4),
             pool("other", f"type: https, port: 8445, {tls}", a=V4),
             pool("byaddress", f"type: https, port: 8443, ca-file: {authority.file}", a=V4, b=V6),
             pool("system", "type: https, port: 8443, host: www.example", a=V4),
             pool("insecure", "type: https, port: 8444, insecure: true", a=V4),
             pool("dns", "type: dns, port: 5301, name: www.example, contains: 192.0.2.1", a=V4, b=V6),
             pool("exec", f'type: exec, exec: ["{script}", "{state}"]', a=V4),
             f"{{name: names, endpoints: [{{name: a, target: a.example}}], check: {{type: exec, exec: [/bin/false], {CHECK}}}}}",
             f'{{name: unchecked, endpoints: [{{name: a, address: "{V4}"}}, {{name: b, address: "{V6}", disabled: true}}]}}']
    with Steered(tmp_path, pools, names=("hid", "fra")) as f:
        e = f.endpoints
        for where, address in (("a", V4), ("b", V6)):
            e.open(f"tcp-{where}", "tcp", address, 7001)
            e.open(f"http-{where}", "http", address, 8001)
            e.open(f"https-{where}", "https", address, 8443, authority.at["good"])
            e.open(f"dns-{where}", "dns", address, 5301)
        e.open("moved", "http", V4, 8002, how="error")
        e.open("old", "https", V4, 8444, authority.at["old"])
        e.open("other", "https", V4, 8445, authority.at["other"])
        f.start("hid", "fra")
        good = {k: "up" for k in ("tcp/a", "tcp/b", "http/a", "http/b", "moved/a", "https/a", "https/b", "byaddress/a", "byaddress/b", "insecure/a", "dns/a", "dns/b", "exec/a")}
        bad = {k: "down" for k in ("tcp/nobody", "old/a", "other/a", "system/a", "names/a")}
        f.wait_for("fra", good | bad)
        f.wait_row("fra", "http/a", lambda r: r["own"] == "up" and r["latency_us"] > 0 and r["why"] == "its checks pass")
        f.wait_row("fra", "tcp/nobody", lambda r: "no connection within" in r["why"] or "no route" in r["why"])
        f.wait_row("fra", "old/a", lambda r: "expired" in r["why"])
        f.wait_row("fra", "other/a", lambda r: "mismatch" in r["why"])
        f.wait_row("fra", "system/a", lambda r: "self-signed" in r["why"])
        f.wait_row("fra", "names/a", lambda r: r["target"] == "a.example." and r["why"].startswith("exit code 1"))
        rows = f.rows("fra")
        assert rows["unchecked/a"]["up"] == "unknown" and rows["unchecked/b"]["up"] == "down" and rows["unchecked/b"]["disabled"]
        assert (state / "asked").read_text().split() == [V4, V4]
        assert "GET /up HTTP/1.1\r\nHost: www.example:8001\r\n" in e.last("http-b")
        # Everything that can go wrong, in both families.
        for how, why in (("error", "status 503"), ("hang", "no answer within"), ("slow", "no answer within"), ("close", "connection"), ("garbage", "not HTTP"),
                         ("other", "the text that is wanted"), ("gone", "refused")):
            for where in "ab":
                e.behave(f"http-{where}", how)
            f.wait_for("fra", {"http/a": "down", "http/b": "down"})
            for where in "ab":
                f.wait_row("fra", f"http/{where}", lambda r, y=why: y in r["why"])
                e.behave(f"http-{where}", "good")
            f.wait_for("fra", {"http/a": "up", "http/b": "up"})
        for name, how in (("dns-a", "error"), ("dns-b", "hang"), ("https-a", "hang"), ("https-b", "gone"), ("tcp-b", "gone")):
            e.behave(name, how)
        (state / "hang").touch()
        f.wait_for("fra", {"dns/a": "down", "dns/b": "down", "https/a": "down", "https/b": "down", "tcp/b": "down", "tcp/a": "up", "exec/a": "down"})
        f.wait_row("fra", "exec/a", lambda r: "did not end within" in r["why"])
        (state / "hang").unlink()
        (state / "down").touch()
        f.wait_row("fra", "exec/a", lambda r: r["why"] == "exit code 3: down, says a of exec")
        (state / "down").unlink()
        for name in ("dns-a", "dns-b", "https-a", "https-b", "tcp-b"):
            e.behave(name, "good")
        f.wait_for("fra", good)
        # Told: events, text.
        events = f.zonecast("fra", "events", "--kind", "endpoint").stdout
        assert "endpoint http/a: up -> down" in events and "endpoint http/a: down -> up" in events, events
        wait_until(lambda: "tcp  2 of 3 up" in f.zonecast("fra", "status").stdout.partition("\npools of endpoints\n")[2], 40 * SLOW, lambda: f.zonecast("fra", "status").stdout)
        # A pool that goes is not asked any more; what stays keeps what is known of it.
        before = f.rows("fra")["tcp/nobody"]
        f.reload([p for p in pools if "name: http," not in p], "fra")
        wait_until(lambda: "http/a" not in f.rows("fra"), 20 * SLOW, "the pool to go")
        count, others = e.asked("http-a"), e.asked("tcp-a")
        after = f.rows("fra")["tcp/nobody"]
        assert after["up"] == "down" and after["since_ms"] >= before["since_ms"]
        wait_until(lambda: e.asked("tcp-a") > others + 3, 20 * SLOW, "checks of others to go on")
        assert e.asked("http-a") == count
        # A watch that is killed leaves what it knew to the next.
        os.kill(f.pid("fra", "watch"), 9)
        f.wait_for("fra", {"tcp/nobody": "down", "tcp/a": "up", "https/a": "up"})
        assert f.rows("fra")["tcp/nobody"]["since_ms"] > before["since_ms"]


def keep_from(fleet, name, *addresses):
    """The node does not reach these."""
    rules = "; ".join(f"add rule inet zct o {'ip6' if ':' in a else 'ip'} daddr {a} drop" for a in addresses)
    fleet.ns[name].run(["nft", "add table inet zct; add chain inet zct o { type filter hook output priority 0; }; " + rules])


def let_again(fleet, name):
    fleet.ns[name].run(["nft", "delete table inet zct"])


STEERING = """steering:
  - {name: www, owners: [www.example], pool: answers, choose: all, answers: 0, client-subnet: false}
"""


def answers(fleet, name, qtype):
    """Addresses that www.example has at this node, asked over both families."""
    got = [ask(fleet.bridge, a, "www.example", qtype) for a in (fleet.v4(name), fleet.v6(name))]
    return {tuple(sorted(r.to_text() for r in g)) for g in got} if all(got) else got


def test_an_endpoint_that_fails_changes_answers_everywhere(tmp_path):
    interval_s = 3
    slow = f"interval: {interval_s}s, timeout: 1s, rise: 1, fall: 2"
    other4, other6 = "10.8.0.202", "2001:db8:8::202"
    pools = [pool("answers", "type: http, port: 7004", slow, ", checked-from: [fra]", a=V4, b=other4, a6=V6, b6=other6)]
    pops = ("fra", "ams", "sin")
    with Steered(tmp_path, pools, names=("hid", *pops), networks={"eu": ["fra"], "global": ["ams", "sin"]}, more=STEERING) as f:
        e = f.endpoints
        # In both families, of which a zone has to have a set.
        f.write("example.zone", ZONE + "www AAAA 2001:db8::1\n")
        for a in (other4 + "/24", other6 + "/64"):
            f.bridge.ip("addr", "add", a, "dev", "br0", *(["nodad"] if ":" in a else []))
        for name, address in (("a", V4), ("b", other4), ("a6", V6), ("b6", other6)):
            e.open(name, "http", address, 7004)
        # fra serves a network without the zone: it only checks. The others only answer.
        f.write("fleet.yaml", f.text().replace("network: eu", "network: global"))
        f.start("hid", *pops)
        for name in pops[1:]:
            f.wait_for(name, {f"answers/{x}": "up" for x in ("a", "b", "a6", "b6")})
            wait_until(lambda n=name: answers(f, n, "A") == {(V4, other4)} and answers(f, n, "AAAA") == {(V6, other6)}, 40 * SLOW,
                       lambda n=name: f"{n}: {answers(f, n, 'A')} {answers(f, n, 'AAAA')}")
        def fail_and_mend():
            began = time.monotonic()
            e.behave("a", "error")
            e.behave("a6", "gone")
            for name in pops[1:]:
                wait_until(lambda n=name: answers(f, n, "A") == {(other4,)} and answers(f, n, "AAAA") == {(other6,)}, 40 * SLOW,
                           lambda n=name: f"{n}: {answers(f, n, 'A')} {answers(f, n, 'AAAA')}")
            took = time.monotonic() - began
            print(f"answers changed everywhere after {took:.2f} s; interval {interval_s} s")
            e.behave("a", "good")
            e.behave("a6", "good")
            for name in pops[1:]:
                wait_until(lambda n=name: answers(f, n, "A") == {(V4, other4)} and answers(f, n, "AAAA") == {(V6, other6)}, 60 * SLOW,
                           lambda n=name: f"{n}: {answers(f, n, 'A')} {answers(f, n, 'AAAA')}")
            return [took]

        within([2 * interval_s * SLOW], fail_and_mend)


def test_what_nodes_see_is_shared(tmp_path):
    interval_s = 3
    slow = f"interval: {interval_s}s, timeout: 1s, rise: 1, fall: 2"
    pools = [pool("seen", "type: tcp, port: 7001", slow, ", checked-from: [fra]", a=V4, b=V6),
             pool("both", "type: tcp, port: 7002", CHECK, ", checked-from: [fra, ams]", a=V4, b=V6),
             pool("own", "type: tcp, port: 7003", CHECK, "", a=V4, b=V6)]
    # Networks of their own: only what they are to hear of endpoints has them ask each other.
    networks = {"eu": ["fra"], "global": ["ams", "sin"]}
    nodes = ("hid", "fra", "ams", "sin")
    with Steered(tmp_path, pools, names=nodes, networks=networks) as f:
        e = f.endpoints
        for i, name in enumerate(("seen", "both", "own")):
            e.open(f"{name}-a", "tcp", V4, 7001 + i)
            e.open(f"{name}-b", "tcp", V6, 7001 + i)
        f.start(*nodes)
        for name in nodes:
            f.wait_for(name, {f"{p}/{x}": "up" for p in ("seen", "both", "own") for x in "ab"})
        f.wait_row("sin", "seen/a", lambda r: r["own"] == "unknown" and r["others_up"] == 1 and r["why"] == "1 of 1 nodes that check it say that it is up")
        f.wait_row("fra", "seen/a", lambda r: r["own"] == "up")
        f.wait_row("ams", "both/a", lambda r: r["others_up"] == 1)
        # One fails: known everywhere, soon.
        began = time.monotonic()
        for x in "ab":
            e.behave(f"seen-{x}", "gone")
        for name in nodes:
            f.wait_for(name, {"seen/a": "down", "seen/b": "down"})
        took = time.monotonic() - began
        print(f"down on {len(nodes)} nodes after {took:.2f} s; interval {interval_s} s")
        # It comes back.
        for x in "ab":
            e.behave(f"seen-{x}", "good")
        f.wait_for("sin", {"seen/a": "up", "seen/b": "up"})
        # What a node sees itself comes first; those who see nothing go by the most, and as many say up as down.
        keep_from(f, "ams", V4, V6)
        f.wait_for("ams", {"both/a": "down", "both/b": "down", "own/a": "down", "seen/a": "up"})
        for x in "ab":
            f.wait_row("sin", f"both/{x}", lambda r: r["up"] == "up" and r["others_down"] == 1 and r["others_up"] == 1)
        f.wait_for("sin", {"own/a": "up"})
        f.wait_for("fra", {"both/a": "up", "own/a": "up"})

        def state():
            return {p["name"]: (p["differ"], p["checked_from"]) for p in f.status("sin")["endpoints"]["pools"]}

        wait_until(lambda: state()["both"] == (2, ["fra", "ams"]) and state()["seen"] == (0, ["fra"]), 40 * SLOW, state)
        # The one that could see goes: what is left says that it is down.
        f.stop("fra")
        f.wait_for("sin", {"both/a": "down", "both/b": "down"}, 90)
        # Nobody checks these any more: they count as up.
        for x in "ab":
            f.wait_row("sin", f"seen/{x}", lambda r: r["up"] == "unknown", 90)
        let_again(f, "ams")
        f.wait_for("sin", {"both/a": "up", "both/b": "up"})
