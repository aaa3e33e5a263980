# SPDX-License-Identifier: BSD-2-Clause
"""Nodes and networks as clients see them: ways to other nodes at port 53, who answers at an anycast address, what those outside tell, and what eats port 53."""
import os
import socket

import dns.edns
import dns.message
import pytest

from netns import missing, wait_until
from paths import SANITIZED, ZONECAST
from several import Several

WHY = missing(ZONECAST, "nft")
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
SLOW = 5 if SANITIZED else 1
NODES = ("hid", "fra", "ams", "syd")
SERVICE = {"ipv4": "192.0.2.53", "ipv6": "2001:db8:35::53"}
POPS = ("fra", "ams")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """fra and ams have `global`; syd has `far`, so it asks global from outside, as the hidden primary does."""
    folder = tmp_path_factory.mktemp("views")
    os.chmod(folder, 0o755)
    with Several(folder, NODES, {"global": list(POPS), "far": ["syd"]}) as f:
        for ns in f.ns.values():  # a packet to an address that is not here is nobody's
            ns.run(["sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0"])
        for viewer in ("hid", "syd"):
            lead(f, viewer, "fra")
        f.start("hid")
        f.start("fra", "ams", "syd")
        yield f


def lead(fleet, viewer, pop, families=("ipv4", "ipv6")):
    """The routing of the Internet: `viewer` comes to this pop."""
    for family in families:
        six = family == "ipv6"
        fleet.ns[viewer].ip(*(["-6"] if six else []), "route", "replace", SERVICE[family] + ("/128" if six else "/32"), "via", (fleet.v6 if six else fleet.v4)(pop))


def view(fleet, name, family, network="global"):
    for n in fleet.status(name).get("views", {}).get("networks", []):
        if n["name"] == network:
            return n[family]
    return {}


def told(fleet, name, family, viewer):
    for t in view(fleet, name, family).get("told", []):
        if t["viewer"] == viewer:
            return t
    return {}


def path(fleet, name, other, address, transport):
    for n in fleet.status(name).get("views", {}).get("nodes", []):
        if n["name"] == other:
            for a in n["addresses"]:
                if a["address"] == address:
                    return a[transport]
    return {}


def await_view(fleet, name, family, holds):
    """That what `name` says of the family is so, at one moment: a node on a busy machine may be out of itself for another."""
    wait_until(lambda: holds(view(fleet, name, family)), 60 * SLOW, lambda: f"{name} {family}: {view(fleet, name, family)}", 0.1)


def await_outside(fleet, name, family, state):
    await_view(fleet, name, family, lambda v: v.get("outside") == state)


def await_text(fleet, name, *words):
    wait_until(lambda: all(w in fleet.zonecast(name, "status").stdout for w in words), 60 * SLOW, lambda: f"{words} in {fleet.zonecast(name, 'status').stdout}", 0.1)


def await_good(fleet):
    for family in SERVICE:
        for pop in POPS:
            await_outside(fleet, pop, family, "good")
        for viewer in ("hid", "syd"):
            await_view(fleet, viewer, family, lambda v: v.get("seen") == "good" and v["node"] == "fra")


def filter_in(ns, rule):
    ns.run(["nft", "-f", "-"], stdin="add table inet t\nadd chain inet t in { type filter hook input priority 0; }\nadd rule inet t in iifname \"up0\" " + rule + "\n")


def unfilter(ns):
    ns.run(["nft", "delete", "table", "inet", "t"])


@pytest.mark.asan
def test_ways(fleet):
    """Every node that another one asks answers it at each of its addresses, over UDP and TCP, in some measured time."""
    for a, b in (("hid", "fra"), ("fra", "hid"), ("fra", "ams"), ("hid", "syd"), ("syd", "hid")):
        for address in (fleet.v4(b), fleet.v6(b)):
            for transport in ("udp", "tcp"):
                wait_until(lambda p=(a, b, address, transport): path(fleet, *p).get("answered", 0), 40 * SLOW, lambda p=(a, b, address, transport): f"{p}: {path(fleet, *p)}")
                wait_until(lambda p=(a, b, address, transport): path(fleet, *p)["latency_us"] > 0 and path(fleet, *p)["last_ms"] is not None and path(fleet, *p)["failures"] == 0, 40 * SLOW,
                           lambda p=(a, b, address, transport): f"{p}: {path(fleet, *p)}")


@pytest.mark.asan
def test_catchment(fleet):
    """Who is outside sees who answers, by name and family, and says so to the others; a pop that holds the address sees but itself."""
    await_good(fleet)
    for family in SERVICE:
        for viewer in ("hid", "syd"):
            await_view(fleet, viewer, family, lambda v: not v["own"] and v["node"] == "fra" and v["latency_us"] > 0 and v["outside"] == "unknown")
        # Pops ask the primary, which asks everybody.
        for asker, viewer in (("fra", "hid"), ("ams", "hid"), ("syd", "hid"), ("hid", "syd")):
            wait_until(lambda p=asker, w=viewer, f=family: told(fleet, p, f, w).get("node") == "fra", 40 * SLOW, lambda p=asker, f=family: f"{p}: {view(fleet, p, f)}")
        for pop in POPS:
            await_view(fleet, pop, family, lambda v: v["own"] and v["seen"] == "unknown" and v["node"] == "" and v["why"] == "answered at hid")
    await_text(fleet, "hid", "global         v6 answered by fra for ", "port 53 of other nodes answers at 12 of 12")
    await_text(fleet, "fra", "global         v4 good from outside", "at hid")


@pytest.mark.parametrize("family", list(SERVICE))
def test_moves(fleet, family):
    """Routing moves one family of one viewer to the other pop: its catchment changes and is counted, the other family and the other viewer stay."""
    await_good(fleet)
    other = "ipv4" if family == "ipv6" else "ipv6"
    before, still = view(fleet, "hid", family)["flips"], view(fleet, "hid", other)["flips"]
    lead(fleet, "hid", "ams", [family])
    try:
        await_view(fleet, "hid", family, lambda v: v["node"] == "ams" and v["seen"] == "good" and v["flips"] == before + 1)
        await_view(fleet, "hid", other, lambda v: v["node"] == "fra" and v["flips"] == still)
        await_view(fleet, "syd", family, lambda v: v["node"] == "fra")
        wait_until(lambda: told(fleet, "fra", family, "hid").get("node") == "ams", 20 * SLOW, lambda: f"fra is told: {view(fleet, 'fra', family)}")
        wait_until(lambda: "old=\"fra\" now=\"ams\"" in fleet.log("hid"), 20 * SLOW, "the log says so")
    finally:
        lead(fleet, "hid", "fra", [family])
    await_good(fleet)


@pytest.mark.parametrize("family", list(SERVICE))
def test_filtered(fleet, family):
    """Port 53 of fra's service address is filtered for one family: those outside see silence, and fra itself says so, with family and who; ams is told, and the other family is good."""
    await_good(fleet)
    other = "ipv4" if family == "ipv6" else "ipv6"
    filter_in(fleet.ns["fra"], f"{'ip6' if family == 'ipv6' else 'ip'} daddr {SERVICE[family]} udp dport 53 drop")
    try:
        lost = "hid, answered by this node before, gets no answer over IP" + family[2:]
        await_view(fleet, "fra", family, lambda v: v["outside"] == "filtered" and lost in v["why"] and v["outside_since_ms"] is not None)
        for viewer in ("hid", "syd"):
            await_view(fleet, viewer, family, lambda v: v["seen"] == "silent" and v["node"] == "fra")
            await_view(fleet, viewer, other, lambda v: v["seen"] == "good")
        await_outside(fleet, "ams", family, "silent")
        await_outside(fleet, "fra", other, "good")
        await_text(fleet, "fra", f"global         {family[2:]} FILTERED from outside for ", "outside-in.md")
        await_text(fleet, "hid", f"{family[2:]} NOBODY ANSWERS for ")
        # Soft: it is named, and nothing is withdrawn for it.
        wait_until(lambda: fleet.status("fra")["networks"][0]["decision"]["announce"] == "announced", 40 * SLOW, "it stays announced")
        await_outside(fleet, "fra", family, "filtered")
    finally:
        unfilter(fleet.ns["fra"])
    await_good(fleet)


def ask_with_cookie(fleet, source, at, cookie):
    """The COOKIE option of the answer to a question with this one."""
    query = dns.message.make_query("www.example.", "A", use_edns=0, options=[dns.edns.GenericOption(dns.edns.OptionType.COOKIE, cookie)])
    with fleet.ns["hid"].socket(socket.AF_INET6 if ":" in at else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((source, 0))
        s.settimeout(20)
        s.sendto(query.to_wire(), (at, 53))
        reply = dns.message.from_wire(s.recv(4096))
    assert reply.id == query.id
    return next(o.data if hasattr(o, "data") else o.client + o.server for o in reply.options if o.otype == dns.edns.OptionType.COOKIE)


def flips(fleet, name, prefix):
    return sum(c["count"] for c in fleet.status(name)["views"]["flips"]["clients"] if c["prefix"] == prefix)


@pytest.mark.asan
@pytest.mark.parametrize("family", ["v4", "v6"])
def test_site_flips(fleet, family):
    """A client that routing moves shows the cookie of the node before: counted by its network, once, for it is given a new one. Its own cookie counts nothing."""
    source, prefix = (fleet.v4("hid"), "10.8.0.0/24") if family == "v4" else (fleet.v6("hid"), "2001:db8:8::/48")
    fra, ams = (getattr(fleet, family)(n) for n in POPS)
    before, elsewhere = flips(fleet, "ams", prefix), flips(fleet, "fra", prefix)
    own = ask_with_cookie(fleet, source, fra, bytes(range(8)))
    assert len(own) == 24 and ask_with_cookie(fleet, source, fra, own) == own
    moved = ask_with_cookie(fleet, source, ams, own)
    assert moved != own and moved[:8] == own[:8]
    assert ask_with_cookie(fleet, source, ams, moved) == moved
    wait_until(lambda: flips(fleet, "ams", prefix) == before + 1, 20 * SLOW, lambda: f"one more than {before}: {fleet.status('ams')['views']['flips']}")
    assert flips(fleet, "fra", prefix) == elsewhere
    row = next(c for c in fleet.status("ams")["views"]["flips"]["clients"] if c["prefix"] == prefix)
    assert row["from"] == "fra" and row["error"] == 0
    await_text(fleet, "ams", f"    {prefix}", " from fra")


@pytest.mark.parametrize("family,transport", [("v4", "tcp"), ("v6", "udp")])
def test_dead_way(fleet, family, transport):
    """Port 53 of ams's management address is filtered for one family and transport: who asks it knows which, the rest goes on."""
    await_good(fleet)
    address, other = (fleet.v4("ams"), fleet.v6("ams")) if family == "v4" else (fleet.v6("ams"), fleet.v4("ams"))
    filter_in(fleet.ns["ams"], f"{'ip6' if family == 'v6' else 'ip'} daddr {address} {transport} dport 53 drop")
    try:
        wait_until(lambda: path(fleet, "fra", "ams", address, transport)["failures"] >= 2, 40 * SLOW, lambda: f"no answer: {path(fleet, 'fra', 'ams', address, 'tcp')}")
        for way in ((address, "udp" if transport == "tcp" else "tcp"), (other, transport)):
            wait_until(lambda w=way: path(fleet, "fra", "ams", *w)["failures"] < 2, 40 * SLOW, lambda w=way: f"{w} answers: {path(fleet, 'fra', 'ams', *w)}")
        await_text(fleet, "fra", f"{address} over {transport}: NO ANSWER")
    finally:
        unfilter(fleet.ns["ams"])
    wait_until(lambda: path(fleet, "fra", "ams", address, transport)["failures"] == 0, 40 * SLOW, "answers again")


def test_restart(fleet):
    """A watch that is killed goes on with what its predecessor knew; a reload keeps it, too."""
    await_good(fleet)
    before = view(fleet, "hid", "ipv4")
    asked = path(fleet, "hid", "fra", fleet.v4("fra"), "udp")["asked"]
    pid = fleet.pid("hid", "watch")
    os.kill(pid, 9)
    wait_until(lambda: fleet.pid("hid", "watch") not in (pid, None), 30 * SLOW, "a new watch")
    assert fleet.zonecast("hid", "reload").returncode == 0
    wait_until(lambda: path(fleet, "hid", "fra", fleet.v4("fra"), "udp")["asked"] > asked, 20 * SLOW, "it asks on")
    # Nobody else answers meanwhile, so these may only go on.
    await_view(fleet, "hid", "ipv4", lambda v: v["node"] == "fra" and v["flips"] == before["flips"] and v["since_ms"] >= before["since_ms"])
