# SPDX-License-Identifier: BSD-2-Clause
"""A whole node and its neighbors of every make, as the fleet file has them: who connects, over what, and what each router is told in each state.
What a router sees is asked from the router."""
import json
import os
import socket
import struct
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
from netns import Net, missing, stop_process, wait_until  # noqa: E402
from paths import ZONECAST  # noqa: E402
from routers import Bird, Frr, GoBgp, Neighbor, OpenBgpd  # noqa: E402

V4, V6 = "192.0.2.0/24", "2001:db8:53::/48"
OUR_AS = 4200000053
SECRET = "k3yOfTheSession"
KINDS = {"bird": Bird, "frr": Frr, "gobgp": GoBgp, "openbgpd": OpenBgpd}
WHY = missing("bird", "birdc", ZONECAST)
ZONE = "$TTL 300\n@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n"
FLEET = """fleet: test
networks:
  - name: global
    prefixes: [192.0.2.0/24, "2001:db8:53::/48"]
    addresses: [192.0.2.53, "2001:db8:53::53"]
    as: {asn}
    check: {{interval: 50ms, timeout: 400ms, fall: 2, rise: 4}}
    drain-time: {drain}
    rise-hold: 100ms
nodes:
  - name: pop
    role: pop
    networks: [global]
    management: [10.9.0.2]
    workers: 1
    bgp:
      router-id: {router_id}
      neighbors:
{neighbors}
zones:
  - {{name: example, file: example.zone, network: global}}
"""

pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))


class Node:
    """`zonecast run` in a namespace with these neighbors, one YAML mapping each."""

    def __init__(self, ns, folder, neighbors, asn=OUR_AS, router_id="10.9.0.2", drain="2s"):
        self.ns, self.folder = ns, str(folder)
        self.fleet(neighbors, asn, router_id, drain)
        self.write("example.zone", ZONE)
        self.write("bgp.key", SECRET + "\n", 0o600)
        with open(self.path("log"), "ab") as log:
            self.process = ns.popen([ZONECAST, "run", "--config", self.path("fleet.yaml"), "--node", "pop", "--run-dir", self.path("run"),
                                     "--state-dir", self.path("state")], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: self.alive() and "\nready\n" in "\n" + self.log(), 30, lambda: f"ready; log:\n{self.log()}")

    def fleet(self, neighbors, asn=OUR_AS, router_id="10.9.0.2", drain="2s"):
        rows = "\n".join(f"        - {{{n}}}" for n in neighbors)
        self.write("fleet.yaml", FLEET.format(asn=asn, router_id=router_id, drain=drain, neighbors=rows))

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(name), mode)

    def log(self):
        with open(self.path("log"), encoding="latin-1") as f:
            return f.read()

    def alive(self):
        assert self.process.poll() is None, f"the node ended with {self.process.returncode}:\n{self.log()}"
        return True

    def zonecast(self, *args):
        return subprocess.run([ZONECAST, *args, "--run-dir", self.path("run")], capture_output=True, text=True, timeout=60, check=False)

    def neighbor(self, address):
        """Its row of the status; {} while there is none."""
        out = self.zonecast("status", "--json").stdout
        rows = [n for n in json.loads(out)["neighbors"] if n["address"] == address] if out else []
        return rows[0] if rows else {}

    def wait_state(self, address, state="established", timeout=30):
        wait_until(lambda: self.neighbor(address).get("state") == state, timeout, lambda: f"{address} {state}: {self.neighbor(address)}\n{self.log()}")

    def reload(self):
        done = self.zonecast("reload")
        assert done.returncode == 0, done.stderr + done.stdout

    def stop(self):
        stop_process(self.process, timeout=20)
        assert "ERROR: AddressSanitizer" not in self.log() and "runtime error:" not in self.log(), self.log()[-5000:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Bed:
    """A node's namespace and routers', each on a cable of its own: number i has 10.9.i.1 and 2001:db8:9:i::1 there, the node .2 and ::2."""

    def __init__(self, folder):
        self.net = Net()
        self.folder = str(folder)
        self.pop = self.net.namespace("pop")
        self.pop.ip("addr", "add", "10.9.0.2/32", "dev", "lo")
        self.count = 0

    def router(self, kind, asn, neighbors, start=True):
        """neighbors(i) -> list of Neighbor, the router being number i."""
        if missing(*KINDS[kind].needs):
            self.net.close()
            pytest.skip(missing(*KINDS[kind].needs))
        self.count += 1
        i = self.count
        ns = self.net.namespace(f"{kind}{i}")
        self.net.veth(self.pop, f"up{i}", [f"10.9.{i}.2/24", f"2001:db8:9:{i}::2/64"], ns, "pop0", [f"10.9.{i}.1/24", f"2001:db8:9:{i}::1/64"])
        made = KINDS[kind](ns, self.folder, asn, f"10.9.{i}.1", neighbors(i))
        return made.start() if start else made

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.net.close()


@pytest.fixture
def bed(tmp_path):
    for above in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        os.chmod(above, 0o755)  # FRR's daemons and our roles are other users
    with Bed(tmp_path) as b:
        yield b


def seen(router, prefix, timeout=20):
    return wait_until(lambda: router.route(prefix), timeout, f"{prefix} at {type(router).__name__}")


def test_every_make_in_every_state(bed, tmp_path):
    """Two sessions or one, MD5, GTSM; own attributes; a drain, which is called off; new attributes by a reload. The node's status says what the routers say."""
    bird = bed.router("bird", 64601, lambda i: [Neighbor(f"10.9.{i}.2", OUR_AS, password=SECRET, ttl_security=True, role="provider", strict=True)])
    frr = bed.router("frr", 64602, lambda i: [Neighbor(f"10.9.{i}.2", OUR_AS, password=SECRET), Neighbor(f"2001:db8:9:{i}::2", OUR_AS, password=SECRET)])
    gobgp = bed.router("gobgp", 64603, lambda i: [Neighbor(f"2001:db8:9:{i}::2", OUR_AS, password=SECRET)])
    open_bgpd = bed.router("openbgpd", 64604, lambda i: [Neighbor(f"10.9.{i}.2", OUR_AS, ttl_security=True), Neighbor(f"2001:db8:9:{i}::2", OUR_AS)])
    inside = bed.router("bird", OUR_AS, lambda i: [Neighbor(f"10.9.{i}.2", OUR_AS)])
    routers = [bird, frr, gobgp, open_bgpd, inside]
    attributes = 'communities: ["64601:7", no-peer], large-communities: ["4200000053:1:2"], prepend: 1, med: 30'
    rows = [
        f'address: 10.9.1.1, as: 64601, password-file: bgp.key, ttl-security: true, role: customer, role-strict: true, {attributes}, '
        'drain: {prepend: 2, communities: ["64601:9"], med: 99}',
        "address: 10.9.2.1, as: 64602, password-file: bgp.key, families: [ipv4]",
        'address: "2001:db8:9:2::1", as: 64602, password-file: bgp.key, families: [ipv6]',
        'address: "2001:db8:9:3::1", as: 64603, password-file: bgp.key, large-communities: ["4200000053:3:4"]',
        "address: 10.9.4.1, as: 64604, families: [ipv4], ttl-security: true",
        'address: "2001:db8:9:4::1", as: 64604, families: [ipv6], med: 4',
        f"address: 10.9.5.1, as: {OUR_AS}, local-pref: 140",
    ]
    with Node(bed.pop, tmp_path, rows, drain="10m") as node:
        for router in routers:
            for prefix in (V4, V6):
                seen(router, prefix)
        for prefix in (V4, V6):
            r = bird.route(prefix)
            assert r.path == [OUR_AS] * 2 and r.med == 30 and r.large == ["4200000053:1:2"]
            assert sorted(r.communities) == ["64601:7", "65535:65284"]
            r = frr.route(prefix)
            assert r.path == [OUR_AS] and r.communities == [] and r.med == 0
            assert r.next_hop == ("10.9.2.2" if prefix == V4 else "2001:db8:9:2::2")
            r = gobgp.route(prefix)
            assert r.path == [OUR_AS] and r.large == ["4200000053:3:4"]
            assert r.next_hop == ("10.9.3.2" if prefix == V4 else "2001:db8:9:3::2")
            r = inside.route(prefix)
            assert r.path == [] and r.local_pref == 140
        assert open_bgpd.route(V4).med == 0 and open_bgpd.route(V6).med == 4

        # The status may be some milliseconds behind what the routers have.
        wait_until(lambda: [node.neighbor(a)["prefixes"] for a in ("10.9.1.1", "10.9.5.1")] == [2, 2], 10, "what is told in the status")
        told = node.neighbor("10.9.1.1")
        assert told["announced_left_out"] == 0
        assert next(r for r in told["announced"] if r["prefix"] == V4) == {
            "text": f"{V4} nh 10.9.1.2 path {OUR_AS} {OUR_AS} med 30 communities 64601:7 65535:65284 large 4200000053:1:2",
            "prefix": V4, "next_hop": "10.9.1.2", "as_path": [OUR_AS] * 2, "med": 30, "communities": ["64601:7", "65535:65284"],
            "large_communities": ["4200000053:1:2"]}
        assert [r["local_pref"] for r in node.neighbor("10.9.5.1")["announced"]] == [140, 140]
        assert f"announced  {V6} nh 2001:db8:9:5::2 local-pref 140" in node.zonecast("status").stdout

        assert node.zonecast("drain", "--no-wait").returncode == 0
        for prefix in (V4, V6):
            for router in routers:
                wait_until(lambda r=router, p=prefix: "65535:0" in r.route(p).communities, 20, f"graceful-shutdown at {type(router).__name__}")
            r = bird.route(prefix)
            assert r.path == [OUR_AS] * 4 and r.med == 99 and sorted(r.communities) == ["64601:7", "64601:9", "65535:0", "65535:65284"]
            assert inside.route(prefix).local_pref == 0
        assert node.zonecast("resume").returncode == 0
        for router in routers:
            for prefix in (V4, V6):
                wait_until(lambda r=router, p=prefix: "65535:0" not in r.route(p).communities, 20, f"the drain's end at {type(router).__name__}")
        # Only attributes change: the session stays.
        node.fleet([r.replace("local-pref: 140", "local-pref: 150") for r in rows], drain="10m")
        node.reload()
        wait_until(lambda: inside.route(V4).local_pref == 150, 10, "the new local-pref")
        assert node.neighbor("10.9.5.1")["established_count"] == 1


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_router_connects(bed, tmp_path, kind):
    """connect: passive, over both families, with MD5 and with GTSM; the router comes again after a break."""
    router = bed.router(kind, 64601, lambda i: [Neighbor(f"10.9.{i}.2", OUR_AS, password=SECRET), Neighbor(f"2001:db8:9:{i}::2", OUR_AS, ttl_security=True)])
    rows = ["address: 10.9.1.1, as: 64601, local: 10.9.1.2, connect: passive, password-file: bgp.key, families: [ipv4]",
            'address: "2001:db8:9:1::1", as: 64601, local: "2001:db8:9:1::2", connect: passive, ttl-security: true, families: [ipv6]']
    with Node(bed.pop, tmp_path, rows) as node:
        for address in ("10.9.1.1", "2001:db8:9:1::1"):
            node.wait_state(address, timeout=60)
        seen(router, V4)
        seen(router, V6)
        if kind == "bird":  # a killed route process leaves nothing that keeps its successor from listening
            with open(node.path("run", "pids"), encoding="ascii") as f:
                pid = next(int(line.split()[2]) for line in f if line.startswith("route "))
            os.kill(pid, 9)
            wait_until(lambda: node.neighbor("10.9.1.1").get("state") not in ("established", None), 10, "the session's end")
            node.wait_state("10.9.1.1", timeout=60)
            seen(router, V4)


def test_passive_says_so_and_can_be_changed(bed, tmp_path):
    """Before the router comes; then by a reload from passive to active and back, the port closed and opened."""
    router = bed.router("bird", 64601, lambda i: [Neighbor(f"10.9.{i}.2", OUR_AS, passive=True)])
    row = "address: 10.9.1.1, as: 64601, local: 10.9.1.2"
    def listening():
        return "10.9.1.2:179" in bed.pop.run(["ss", "-Hltn"])
    with Node(bed.pop, tmp_path, [row + ", connect: passive"]) as node:
        node.wait_state("10.9.1.1", "listening")
        assert listening() and router.route(V4) is None
        node.fleet([row])
        node.reload()
        seen(router, V4)
        wait_until(lambda: not listening(), 10, "the port closed")
        node.fleet([row + ", connect: both"])
        node.reload()
        wait_until(listening, 10, "the port open")
        node.wait_state("10.9.1.1")
        seen(router, V4)


@pytest.mark.asan
@pytest.mark.parametrize("ours", ["10.9.0.2", "200.0.0.1"], ids=["lower-id", "higher-id"])
def test_both_connect(bed, tmp_path, ours):
    """Whoever is first and whatever collides: one session, and the routes."""
    router = bed.router("bird", 64601, lambda i: [Neighbor(f"10.9.{i}.2", OUR_AS, password=SECRET)])
    with Node(bed.pop, tmp_path, ["address: 10.9.1.1, as: 64601, local: 10.9.1.2, connect: both, password-file: bgp.key"], router_id=ours) as node:
        for round_ in range(2):
            node.wait_state("10.9.1.1")
            seen(router, V4)
            row = node.neighbor("10.9.1.1")
            count = row["established_count"]
            wait_until(lambda: bed.pop.run(["ss", "-Htn", "state", "established", "( sport = :179 or dport = :179 )"]).count("\n") == 1, 15, "one connection")
            assert node.neighbor("10.9.1.1")["established_count"] == count and row["state"] == "established"
            router.ask("restart all" if round_ % 2 else "disable all")
            router.ask("enable all")
            wait_until(lambda c=count: node.neighbor("10.9.1.1").get("established_count", 0) > c, 40, "the session again")


OPEN = bytes.fromhex("04fc59005a0a09010116021401040001000101040002000102004104" "0000fc59")
MARKER = b"\xff" * 16


def message(kind, body=b""):
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


class Dialer:
    """A peer by hand, which connects from the router's namespace."""

    def __init__(self, ns, to=("10.9.1.2", 179)):
        self.socket = ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        self.socket.connect(to)

    def send(self, *messages):
        self.socket.sendall(b"".join(messages))

    def read(self):
        """Kind and body; None at the end of the connection."""
        data = b""
        while len(data) < 19 or len(data) < struct.unpack("!H", data[16:18])[0]:
            try:
                more = self.socket.recv((struct.unpack("!H", data[16:18])[0] if len(data) >= 19 else 19) - len(data))
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            data += more
        return data[18], data[19:]

    def until(self, kind):
        while (got := self.read()) is not None:
            if got[0] == kind:
                return got[1]
        return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


@pytest.mark.asan
def test_an_established_session_is_never_displaced(bed, tmp_path):
    """By hand: a second connection beside an established one, a second one before that, a stranger's, garbage."""
    bed.count += 1
    rtr = bed.net.namespace("rtr")
    bed.net.veth(bed.pop, "up1", ["10.9.1.2/24"], rtr, "pop0", ["10.9.1.1/24", "10.9.1.99/24"])
    with Node(bed.pop, tmp_path, ["address: 10.9.1.1, as: 64601, local: 10.9.1.2, connect: passive, families: [ipv4]"]) as node:
        node.wait_state("10.9.1.1", "listening")
        with rtr.socket(socket.AF_INET, socket.SOCK_STREAM) as stranger:
            stranger.bind(("10.9.1.99", 0))
            stranger.settimeout(10)
            stranger.connect(("10.9.1.2", 179))
            assert stranger.recv(100) == b""
        with Dialer(rtr) as garbage:
            assert garbage.read()[0] == 1
            garbage.send(b"GET / HTTP/1.0\r\n\r\n")
            assert garbage.until(3)[:2] == b"\x01\x01"
        with Dialer(rtr) as half, Dialer(rtr) as good:
            # The later one of two that both say nothing yet is the peer's newer life.
            assert half.until(3) is None
            good.send(message(1, OPEN), message(4))
            assert good.until(2) is not None
            node.wait_state("10.9.1.1")
            for _ in range(3):
                with Dialer(rtr) as another:
                    note = another.until(3)
                    assert note is None or note[:2] == b"\x06\x07"
            row = node.neighbor("10.9.1.1")
            assert row["state"] == "established" and row["established_count"] == 1
            good.send(message(4))
            # Its own end is noticed, and the next one is welcome.
            good.send(message(3, b"\x06\x04"))
            node.wait_state("10.9.1.1", "listening")
        with Dialer(rtr) as next_one:
            next_one.send(message(1, OPEN), message(4))
            assert next_one.until(2) is not None
            node.wait_state("10.9.1.1")
            assert node.neighbor("10.9.1.1")["established_count"] == 2


@pytest.mark.parametrize("kind", ["bird", "frr"])
def test_link_local_and_extended_next_hop(bed, tmp_path, kind):
    """A session over link-local addresses on an interface that appears later; IPv4 by an IPv6 next hop."""
    ns = bed.net.namespace("rtr")
    rows = ['address: "fe80::1%late0", as: 64601, local: "fe80::2", extended-next-hop: true']
    why = missing(*KINDS[kind].needs)
    if why:
        pytest.skip(why)
    with Node(bed.pop, tmp_path, rows) as node:
        wait_until(lambda: "no such interface" in node.neighbor("fe80::1%late0").get("last_error", ""), 15, "the missing interface is said")
        bed.net.veth(bed.pop, "late0", ["fe80::2/64", "2001:db8:9::2/64"], ns, "pop0", ["fe80::1/64", "2001:db8:9::1/64"])
        router = KINDS[kind](ns, bed.folder, 64601, "10.9.0.1", [Neighbor("fe80::2", OUR_AS, interface="pop0", extended=True)]).start()
        v4, v6 = seen(router, V4, 40), seen(router, V6)
        assert v6.next_hop == "2001:db8:9::2" and v4.next_hop == "2001:db8:9::2"
        wait_until(lambda: node.neighbor("fe80::1%late0")["prefixes"] == 2, 10, lambda: f"what is told in the status: {node.neighbor('fe80::1%late0')}")
        told = node.neighbor("fe80::1%late0")
        assert told["state"] == "established"
        assert {(r["prefix"], r["next_hop"], r["link_local"]) for r in told["announced"]} == {(p, "2001:db8:9::2", "fe80::2") for p in (V4, V6)}
        # The router forwards by it.
        wait_until(lambda: "via inet6" in ns.run(["ip", "route", "show", V4]), 10, "the kernel's route")


@pytest.mark.parametrize("kind", ["bird", "frr"])
def test_interface_with_nothing_but_a_link_local_address(bed, tmp_path, kind):
    why = missing(*KINDS[kind].needs)
    if why:
        pytest.skip(why)
    ns = bed.net.namespace("rtr")
    bed.net.veth(bed.pop, "up1", ["fe80::2/64"], ns, "pop0", ["fe80::1/64"])
    router = KINDS[kind](ns, bed.folder, 64601, "10.9.0.1", [Neighbor("fe80::2", OUR_AS, interface="pop0", extended=True)]).start()
    with Node(bed.pop, tmp_path, ['address: "fe80::1%up1", as: 64601, local: "fe80::2", extended-next-hop: true']) as node:
        node.wait_state("fe80::1%up1")
        wait_until(lambda: "via inet6 fe80::2" in ns.run(["ip", "route", "show", V4]), 20, lambda: f"the kernel's route: {router.ask('show route all')}")
        wait_until(lambda: "via fe80::2" in ns.run(["ip", "-6", "route", "show", V6]), 20, "the kernel's IPv6 route")


@pytest.mark.parametrize("kind", ["bird", "frr"])
def test_roles(bed, tmp_path, kind):
    """A router that wants roles to be stated: none is refused by it, the wrong one by both, the right one is fine."""
    router = bed.router(kind, 64601, lambda i: [Neighbor(f"10.9.{i}.2", OUR_AS, role="provider", strict=True)])
    row = "address: 10.9.1.1, as: 64601"
    with Node(bed.pop, tmp_path, [row]) as node:
        wait_until(lambda: "2/11" in node.neighbor("10.9.1.1").get("last_error", ""), 20, "the router refuses")
        node.fleet([row + ", role: peer"])
        node.reload()
        wait_until(lambda: "role" in node.neighbor("10.9.1.1").get("last_error", ""), 20, "refused")
        assert router.route(V4) is None
        node.fleet([row + ", role: customer, role-strict: true"])
        node.reload()
        seen(router, V4, 30)


def test_only_to_customer(bed, tmp_path):
    """As a peer our routes carry OTC, and a router that takes them for a customer's refuses the leak; here it is a peer and sees the attribute."""
    router = bed.router("bird", 64601, lambda i: [Neighbor(f"10.9.{i}.2", OUR_AS, role="peer")])
    with Node(bed.pop, tmp_path, ["address: 10.9.1.1, as: 64601, role: peer"]) as node:
        seen(router, V4)
        assert f"otc: {OUR_AS}" in router.ask(f"show route for {V4} all")
        # The status may be some milliseconds behind what the router has, and the other family on its way.
        wait_until(lambda: [r["otc"] for r in node.neighbor("10.9.1.1")["announced"]] == [OUR_AS] * 2, 10, lambda: str(node.neighbor("10.9.1.1")))


@pytest.mark.asan
def test_max_prefixes(bed, tmp_path):
    """A router that sends more than it should: said once, or the session ends; another limit by a reload."""
    router = bed.router("bird", 64601, lambda i: [Neighbor(f"10.9.{i}.2", OUR_AS)])
    row = "address: 10.9.1.1, as: 64601"
    many = [(f"198.51.100.{i}/32", 64999) for i in range(20)] + [(f"2001:db8:100:{i:x}::/64", 64999) for i in range(20)]
    with Node(bed.pop, tmp_path, [row + ", max-prefixes: 50"]) as node:
        seen(router, V4)
        router.send(many)
        wait_until(lambda: node.neighbor("10.9.1.1")["received"] == 40, 10, lambda: str(node.neighbor("10.9.1.1")))
        router.send(many[:25])
        wait_until(lambda: node.neighbor("10.9.1.1")["received"] == 25, 10, lambda: str(node.neighbor("10.9.1.1")))
        assert not node.neighbor("10.9.1.1")["over_max_prefixes"] and "25 prefixes, not used" in node.zonecast("status").stdout
        node.fleet([row + ", max-prefixes: 10"])
        node.reload()
        wait_until(lambda: node.neighbor("10.9.1.1")["over_max_prefixes"], 10, "too many")
        assert "more than 10 prefixes" in node.neighbor("10.9.1.1")["last_error"]
        assert node.neighbor("10.9.1.1")["established_count"] == 1 and router.route(V4)
        node.fleet([row + ", max-prefixes: 24, at-max-prefixes: cease"])
        node.reload()
        wait_until(lambda: node.neighbor("10.9.1.1")["state"] != "established", 10, "the session's end")
        wait_until(lambda: "Maximum number of prefixes" in router.log(), 10, "BIRD is told why")
        assert router.route(V4) is None
        # Half a minute later, or when something changes.
        node.fleet([row + ", max-prefixes: 0, hold-time: 60s"])
        node.reload()
        seen(router, V4)
        assert node.neighbor("10.9.1.1")["received"] == 0 and not node.neighbor("10.9.1.1")["over_max_prefixes"]


def test_local_bird_by_ibgp(bed, tmp_path):
    """A BIRD on the node's own machine, inside the AS, passes it on to the upstream; see doc/howto/local-bird.md."""
    upstream = bed.router("bird", 64601, lambda i: [Neighbor(f"10.9.{i}.2", OUR_AS)])
    local = Bird(bed.pop, bed.folder, OUR_AS, "10.9.0.3", [])
    local.config = lambda: f"""router id 10.9.0.3;
log "{local.path('bird.log')}" all;
protocol device {{ scan time 5; }}
filter from_zonecast {{
  if net != 192.0.2.0/24 && net != 2001:db8:53::/48 then reject;
  dest = RTD_BLACKHOLE;
  accept;
}}
protocol bgp zonecast {{
  local 127.0.0.1 as {OUR_AS}; neighbor 127.0.0.2 as {OUR_AS}; multihop; passive;
  error wait time 1, 5;
  ipv4 {{ import filter from_zonecast; export none; }};
  ipv6 {{ import filter from_zonecast; export none; }};
}}
protocol bgp upstream {{
  local 10.9.1.2 as {OUR_AS}; neighbor 10.9.1.1 as 64601;
  ipv4 {{ import none; export where proto = "zonecast"; next hop self; }};
  ipv6 {{ import none; export where proto = "zonecast"; next hop address 2001:db8:9:1::2; }};
}}
"""
    local.start()
    with Node(bed.pop, tmp_path, [f"address: 127.0.0.1, as: {OUR_AS}, local: 127.0.0.2, next-hop: [127.0.0.2, \"2001:db8:9:1::2\"]"]) as node:
        r4, r6 = seen(upstream, V4, 40), seen(upstream, V6)
        assert r4.path == r6.path == [OUR_AS] and r4.next_hop == "10.9.1.2" and r6.next_hop == "2001:db8:9:1::2"
        assert node.zonecast("drain", "--no-wait").returncode == 0
        wait_until(lambda: upstream.route(V4) is None and upstream.route(V6) is None, 30, "withdrawn")
        assert node.neighbor("127.0.0.1")["state"] == "established"
        assert node.zonecast("resume").returncode == 0
        seen(upstream, V4, 40)
        seen(upstream, V6)
        with open(node.path("run", "pids"), encoding="ascii") as f:
            pid = next(int(line.split()[2]) for line in f if line.startswith("supervisor "))
        os.kill(pid, 9)
        wait_until(lambda: upstream.route(V4) is None and upstream.route(V6) is None, 10, "the routes go with the node")
        node.process.wait(10)
