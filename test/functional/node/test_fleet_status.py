# SPDX-License-Identifier: BSD-2-Clause
"""What nodes say to each other: who sees whom, over which family, with which key, and what is made of a node that is cut off, stopped, or lies."""
import os
import pty
import signal
import subprocess
import time

import dns.rcode
import dns.tsig
import pytest

from fakepeer import FakePeer, ask, strings
from netns import missing, wait_until, within
from paths import BUILD, SANITIZED, ZONECAST
from several import OTHER_SECRET, SECRET, Several

WHY = missing(ZONECAST)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
SLOW = 5 if SANITIZED else 1
FRESH_MS = 3000 * SLOW  # asked each second: this is a node that is heard
POPS = ("fra", "ams", "sin")


def sees(fleet, name, other, families=(0, 1)):
    """`name` has heard `other` lately, at its addresses of these families, and on no other."""
    node = fleet.peers(name).get(other)
    if not node or node["heard_ms"] is None or node["heard_ms"] > FRESH_MS:
        return False
    reached = [i for i, a in enumerate(node["addresses"]) if a["heard_ms"] is not None and a["heard_ms"] < 2 * FRESH_MS and not a["failures"]]
    return reached == list(families)


def says(fleet, name, other, network="global"):
    """What `other` says of each family of the network: (announce, verdict)."""
    for n in fleet.peers(name)[other]["networks"]:
        if n["name"] == network:
            return [(n[f]["announce"], n[f]["verdict"]) for f in ("ipv4", "ipv6")]
    return None


GOOD = [("announced", "pass")] * 2


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fleet")
    os.chmod(folder, 0o755)
    with Several(folder) as f:
        f.start("hid")
        f.start(*POPS)
        yield f


def wait_all(fleet):
    for a in fleet.names:
        for b in fleet.names:
            if a != b:
                wait_until(lambda a=a, b=b: sees(fleet, a, b), 30 * SLOW, lambda a=a, b=b: f"{a} sees {b}: {fleet.peers(a).get(b)}")


@pytest.mark.asan
def test_all_see_each_other(fleet):
    """Pops and the primary, over both families; what they see is what the other says of itself."""
    wait_all(fleet)
    for a in fleet.names:
        for b in POPS:
            if a != b:
                wait_until(lambda a=a, b=b: says(fleet, a, b) == GOOD, 20 * SLOW, lambda a=a, b=b: f"{a} of {b}: {says(fleet, a, b)}")
                node = fleet.peers(a)[b]
                assert node["same_config"] and node["serving"] == node["zones"] == 1 and node["why"] == "" and node["version"]
                assert all(n["ipv4"]["answers"] and n["ipv4"]["intent"] == [] for n in node["networks"])
    primary = fleet.peers("fra")["hid"]
    assert primary["role"] == "primary" and primary["networks"] == []


def well(fleet, name):
    """The table of the fleet that says so, or None."""
    out = fleet.zonecast(name, "status", "--fleet").stdout
    return out if "nodes are well." in out else None


def at_terminal(fleet, name, args, **env):
    """What a command prints to a terminal."""
    master, slave = pty.openpty()
    try:
        done = subprocess.Popen([ZONECAST, *args, "--run-dir", fleet.path(name, "run")], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
                                env={k: v for k, v in {**os.environ, "TERM": "xterm", "NO_COLOR": "", **env}.items() if v})
        os.close(slave)
        out = b""
        try:
            while piece := os.read(master, 65536):
                out += piece
        except OSError:  # its end
            pass
        done.wait(60)
        return out.decode()
    finally:
        os.close(master)


@pytest.mark.parametrize("args", [("status",), ("status", "--fleet")])
def test_colors(fleet, args):
    """At a terminal that has them, and not where NO_COLOR says otherwise."""
    wait_all(fleet)
    assert "\033[" in at_terminal(fleet, "fra", args)
    assert "\033" not in at_terminal(fleet, "fra", args, NO_COLOR="1")
    assert "\033" not in at_terminal(fleet, "fra", args, TERM="dumb")


def test_fleet_table(fleet):
    """`status --fleet` has every node, itself first, in 80 columns; `status` has the others."""
    wait_all(fleet)
    for name in ("hid", "fra"):
        lines = wait_until(lambda n=name: well(fleet, n), 60 * SLOW, lambda n=name: fleet.zonecast(n, "status", "--fleet").stdout).splitlines()
        assert all(len(line) <= 80 for line in lines), lines
        first = [line.split()[0] for line in lines[:lines.index("")] if not line.startswith(" ")]
        assert first[:2] == ["NODE", name] and sorted(first[2:]) == sorted(set(fleet.names) - {name})
        assert any("  global         v4 announced         pass       v6 announced         pass" == line for line in lines), lines
        assert any(line.startswith(f"All {len(fleet.names)} nodes are well.") for line in lines), lines
        assert "\033" not in "".join(lines)
    assert "ams              pop" in fleet.zonecast("fra", "status").stdout
    done = fleet.zonecast("fra", "status", "--fleet", "--json")
    assert '"self"' in done.stdout and '"nodes"' in done.stdout


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("family", ["v4", "v6"])
@pytest.mark.asan
def test_who_is_told(fleet, family, tcp):
    """Nodes of the fleet that sign; others are refused with less than they sent."""
    at, ams = getattr(fleet, family)("fra"), fleet.ns["ams"]
    source = getattr(fleet, family)("ams")
    reply, _, _ = ask(ams, source, at, "fra.status.zonecast.", SECRET, tcp)
    told = strings(reply)
    assert told[0].startswith("zonecast-status=1 node=fra ") and told[1].startswith("network=global v4="), told
    reply, _, _ = ask(ams, source, at, "global.fra.status.zonecast.", SECRET, tcp)
    assert [t.split()[0] for t in strings(reply)[1:]] == ["network=global", "tree=global"]
    reply, _, _ = ask(ams, source, at, "none.fra.status.zonecast.", SECRET, tcp)
    assert len(strings(reply)) == 1 and "networks=1" in strings(reply)[0]
    for name, secret, rcode in (("fra.status.zonecast.", None, dns.rcode.REFUSED), ("sin.status.zonecast.", SECRET, dns.rcode.REFUSED),
                                ("a.b.fra.status.zonecast.", SECRET, dns.rcode.REFUSED)):
        reply, length, sent = ask(ams, source, at, name, secret, tcp)
        assert reply.rcode() == rcode and not reply.answer and length <= sent, (name, secret, reply)
    # A stranger with the right key, and one without.
    bridge = fleet.bridge
    stranger = "10.8.0.99" if family == "v4" else "2001:db8:8::99"
    bridge.run(["ip", "addr", "replace", stranger + ("/24" if family == "v4" else "/64"), "dev", "br0", *([] if family == "v4" else ["nodad"])])
    for secret in (None, SECRET):
        reply, length, sent = ask(bridge, stranger, at, "fra.status.zonecast.", secret, tcp)
        assert reply.rcode() in (dns.rcode.REFUSED, dns.rcode.NOTAUTH) and length <= sent and not reply.answer and not reply.had_tsig
    # In other letters the question goes another way, to the same end.
    reply, _, _ = ask(ams, source, at, "fra.STATUS.Zonecast.", SECRET, tcp)
    assert strings(reply)[0].startswith("zonecast-status=1 node=fra ")


def test_cut_off(fleet):
    """A node whose cable is out is heard by nobody and hears nobody; what was known ages; back in, all is as it was."""
    wait_all(fleet)
    fleet.bridge.ip("link", "set", "p-sin", "down")
    try:
        for a, b in (("fra", "sin"), ("hid", "sin"), ("sin", "fra"), ("sin", "ams")):
            wait_until(lambda a=a, b=b: fleet.heard_ms(a, b) > FRESH_MS and all(x["failures"] for x in fleet.peers(a)[b]["addresses"]), 30 * SLOW,
                       lambda a=a, b=b: f"{a} does not hear {b}: {fleet.peers(a)[b]}")
        assert sees(fleet, "fra", "ams") and says(fleet, "fra", "sin") == GOOD  # what it said last, with its age
        wait_until(lambda: "status node=sin seen=no" in fleet.log("fra"), 20 * SLOW, "the log says so")
    finally:
        fleet.bridge.ip("link", "set", "p-sin", "up")
    wait_all(fleet)


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_one_way(fleet, family):
    """Of one family, ams cannot send to fra: over it neither hears the other, over the other both do, without a gap."""
    wait_all(fleet)
    route = ["-6"] if family == "v6" else []
    to = f"{getattr(fleet, family)('fra')}/{128 if family == 'v6' else 32}"
    fleet.ns["ams"].ip(*route, "route", "add", "blackhole", to)
    left = (0,) if family == "v6" else (1,)
    worst = 0
    try:
        for a, b in (("fra", "ams"), ("ams", "fra")):
            wait_until(lambda a=a, b=b: sees(fleet, a, b, left), 30 * SLOW, lambda a=a, b=b: f"{a} sees {b} by {left}: {fleet.peers(a)[b]}")
        until = time.monotonic() + 3
        while time.monotonic() < until:
            worst = max(worst, fleet.heard_ms("fra", "ams"), fleet.heard_ms("ams", "fra"))
        assert worst < FRESH_MS and sees(fleet, "fra", "sin")
    finally:
        fleet.ns["ams"].ip(*route, "route", "del", "blackhole", to)
    wait_all(fleet)


def test_stopped_sync(fleet):
    """A node whose sync hangs says how it is: until it is killed, and after."""
    wait_all(fleet)
    pid = fleet.pid("ams", "sync")
    os.kill(pid, signal.SIGSTOP)
    try:
        before = fleet.peers("fra")["ams"]
        worst = 0
        while fleet.pid("ams", "sync") == pid:
            worst = max(worst, fleet.heard_ms("fra", "ams"))
            assert time.monotonic() and worst < FRESH_MS, fleet.peers("fra")["ams"]
        assert sees(fleet, "fra", "ams") and before["uptime_s"] <= fleet.peers("fra")["ams"]["uptime_s"]
    finally:
        if fleet.pid("ams", "sync") == pid:
            os.kill(pid, signal.SIGCONT)


def test_stopped_watch(fleet):
    """Who judges hangs: the others' view of the node gets old, until that process is killed and back."""
    wait_all(fleet)
    pid = fleet.pid("ams", "watch")
    os.kill(pid, signal.SIGSTOP)
    aged = wait_until(lambda: fleet.heard_ms("fra", "ams") > 1200, 20, "a view that gets old")
    assert aged
    wait_until(lambda: fleet.pid("ams", "watch") not in (pid, None), 30, "a new watch")
    wait_all(fleet)


BLAST = os.path.join(BUILD, "test", "bench", "blast")


@pytest.mark.skipif(not os.path.exists(BLAST), reason="needs test/bench/blast")
def test_flood(fleet):
    """More queries at fra's IPv4 management address than its worker, which gets hardly any CPU, can answer: who asks how fra is, is told."""
    wait_all(fleet)
    questions = fleet.write("questions", "www.example. A\nexample. SOA\n")
    fleet.bridge.run(["ip", "addr", "replace", "10.8.0.99/24", "dev", "br0"])
    os.setpriority(os.PRIO_PROCESS, fleet.pid("fra", "answer"), 19)
    before = fleet.status("ams")["peers"]
    flood = fleet.bridge.popen([BLAST, "-t", "6", "-c", "8", "-r", "60000", fleet.v4("fra"), "53", questions], stdout=subprocess.PIPE, text=True)
    worst = 0
    while flood.poll() is None:
        worst = max(worst, fleet.heard_ms("ams", "fra"))
    after = fleet.status("ams")["peers"]
    asked, heard = (after[k] - before[k] for k in ("asked", "heard"))
    print(f"{asked} asked, {heard} heard, oldest view {worst} ms; flood: {flood.communicate()[0].strip()}")
    assert worst < FRESH_MS and heard >= asked - 3
    wait_all(fleet)


def test_restart(fleet):
    """A node that ends is not heard, and heard as a new one when it is back."""
    wait_all(fleet)
    wait_until(lambda: fleet.peers("fra")["sin"]["uptime_s"] > 2, 20, "some uptime")
    fleet.stop("sin")
    wait_until(lambda: fleet.heard_ms("fra", "sin") > FRESH_MS, 20 * SLOW, "silence")
    old = fleet.peers("fra")["sin"]["uptime_s"]
    fleet.start("sin")
    wait_all(fleet)
    assert fleet.peers("fra")["sin"]["uptime_s"] < old + 10


def test_wrong_key(fleet):
    """A node with another secret is not believed and believes nobody, and each says why; with the right one it is back."""
    wait_all(fleet)
    fleet.stop("sin")
    fleet.secret(OTHER_SECRET)
    try:
        fleet.start("sin")
    finally:
        fleet.secret(SECRET)
    for a, b in (("fra", "sin"), ("sin", "fra")):
        wait_until(lambda a=a, b=b: "refuses" in fleet.peers(a)[b]["why"], 30 * SLOW, lambda a=a, b=b: f"{a} tells why not {b}: {fleet.peers(a)[b]}")
        wait_until(lambda a=a, b=b: fleet.heard_ms(a, b) > FRESH_MS, 20 * SLOW, "nothing of it is believed")
    assert sees(fleet, "fra", "ams")
    done = fleet.zonecast("sin", "reload")
    assert done.returncode == 0, done.stderr
    wait_all(fleet)
    assert fleet.peers("fra")["sin"]["why"] == ""


def test_new_address(fleet):
    """A reload gives a node a management address, and takes it away: it is asked there as well, and then nobody holds the port any more."""
    wait_all(fleet)
    fra = fleet.ns["fra"]
    fra.ip("addr", "add", "10.8.0.22/24", "dev", "up0")

    def reload():
        fleet.write("fleet.yaml", fleet.text())
        for name in fleet.names:
            done = fleet.zonecast(name, "reload")
            assert done.returncode == 0, done.stderr

    fleet.extra = {"fra": ["10.8.0.22"]}
    reload()
    wait_until(lambda: sees(fleet, "ams", "fra", (0, 1, 2)), 30 * SLOW, lambda: f"ams sees fra: {fleet.peers('ams')['fra']}")
    assert strings(ask(fleet.ns["ams"], fleet.v4("ams"), "10.8.0.22", "fra.status.zonecast.", SECRET)[0])
    fleet.extra = {}
    reload()
    wait_all(fleet)
    wait_until(lambda: "10.8.0.22:53" not in fra.run(["ss", "-Hlun"]), 30 * SLOW, "nobody listens there")


def line(intent="0", announce="yes", verdict="pass", name="global"):
    return f"network={name} v4={announce},{verdict},{intent},{intent},1 v6={announce},{verdict},{intent},{intent},1 age=0 load=1 qps=2 room=3"


HEAD = "zonecast-status=1 node=sin version=9.9 up=5 config=0011223344556677 generation=4 zones=1 serving=1 networks=1"


@pytest.fixture
def script(fleet):
    """fra and ams with a script in sin's place."""
    if "sin" in fleet.running:
        fleet.stop("sin")
    with FakePeer(fleet.ns["sin"], [fleet.v4("sin"), fleet.v6("sin")], SECRET, [HEAD, line()]) as peer:
        yield peer
    for p in list(fleet.running):
        assert fleet.running[p].poll() is None
    fleet.start("sin")


def heard_again(fleet):
    """Something that was said from now on."""
    wait_until(lambda: fleet.heard_ms("fra", "sin") < 300, 20 * SLOW, lambda: f"fra hears sin: {fleet.peers('fra')['sin']}", 0.1)


def test_liar(fleet, script):
    """Only what is well-formed, signed and fresh counts. It means to leave, so that it is asked often."""
    script.say = said = [HEAD, line("1")]
    heard_again(fleet)
    node = fleet.peers("fra")["sin"]
    assert node["version"] == "9.9" and not node["same_config"] and node["generation"] == 4 and node["networks"][0]["headroom"] == 3
    kept = []
    mine = b"\x03sin\x06status\x08zonecast"  # it is asked for other things as well
    script.how = lambda octets: (kept.append(octets) if octets[12:].startswith(mine) else None) or octets
    wait_until(lambda: len(kept) > 2, 20, "answers to keep")
    for what, how in (("one kept from before", lambda o: o[:2] + kept[0][2:]), ("one octet is different", lambda o: o[:-40] + bytes([o[-40] ^ 1]) + o[-39:]),
                      ("cut short", lambda o: o[:60]), ("nothing", lambda o: b""), ("octets", lambda o: o[:12] + bytes(500)), ("unsigned", unsigned)):
        bad = fleet.status("fra")["peers"]["bad"]
        script.how = how
        wait_until(lambda: fleet.heard_ms("fra", "sin") > 900 * SLOW, 20 * SLOW, f"fra does not believe what is {what}")
        if what in ("one kept from before", "one octet is different", "unsigned"):
            wait_until(lambda: fleet.status("fra")["peers"]["bad"] > bad and fleet.peers("fra")["sin"]["why"], 20 * SLOW, f"fra counts what is {what}")
        script.how = None
        heard_again(fleet)
    for what, bad in (("another form", ["zonecast-status=2 node=sin"]), ("rubbish", ["v=spf1 -all"]), ("another node", [HEAD.replace("sin", "ams"), line()])):
        script.say = bad
        wait_until(lambda: fleet.heard_ms("fra", "sin") > 900 * SLOW and fleet.peers("fra")["sin"]["why"], 20 * SLOW, f"fra does not believe {what}")
        script.say = said
        heard_again(fleet)
        assert fleet.peers("fra")["sin"]["why"] == ""
    # That it does not have the network.
    script.say = [HEAD.replace("networks=1", "networks=0")]
    wait_until(lambda: says(fleet, "fra", "sin") == [("withdrawn", "unknown")] * 2, 20 * SLOW, "it has no such network")


def unsigned(octets):
    """Without its last record: as if nobody had signed."""
    return octets[:10] + bytes([0, octets[11] - 1]) + octets[12:-(10 + 10 + 61)]


def test_hurry(fleet, script):
    """While a node says that it means to leave, it is asked ten times a second, over both families and from the management addresses; then once again."""
    heard_again(fleet)

    def rate(seconds):
        began = time.monotonic()
        time_is_up = began + seconds
        wait_until(lambda: time.monotonic() > time_is_up, seconds + 5, "some time to pass")
        asked = [a for a in script.since(began) if a[2] in (fleet.v4("fra"), fleet.v6("fra")) and a[1] == "sin.status.zonecast."]
        return len(asked) / seconds, {a[2] for a in asked}

    within([2.5], lambda: rate(2.5)[:1])
    script.say = [HEAD, line("1", "yes", "soft")]
    wait_until(lambda: fleet.peers("fra")["sin"]["networks"][0]["ipv4"]["intent"] == ["stale"], 20 * SLOW, "the intent is known")
    fast, sources = rate(2.5)
    assert fast > 5 / SLOW and fast < 14, fast
    assert sources == {fleet.v4("fra"), fleet.v6("fra")}
    script.say = [HEAD, line()]
    wait_until(lambda: fleet.peers("fra")["sin"]["networks"][0]["ipv4"]["intent"] == [], 20 * SLOW, "the intent is gone")
    within([2.5], lambda: rate(2.5)[:1])


@pytest.mark.asan
def test_no_key(tmp_path):
    """A fleet without keys: addresses alone decide, questions are as long as their answers."""
    os.chmod(tmp_path, 0o755)
    with Several(tmp_path, names=("fra", "ams"), keys=False) as fleet:
        fleet.start("fra", "ams")
        for a, b in (("fra", "ams"), ("ams", "fra")):
            wait_until(lambda a=a, b=b: sees(fleet, a, b) and says(fleet, a, b) == GOOD, 30 * SLOW, lambda a=a, b=b: f"{a} sees {b}: {fleet.peers(a)}")
        for v in ("v4", "v6"):
            to, source = getattr(fleet, v)("fra"), getattr(fleet, v)("ams")
            reply, length, sent = ask(fleet.ns["ams"], source, to, "fra.status.zonecast.")
            assert length <= sent and reply.flags & 0x0200 and not reply.answer
            reply, length, sent = ask(fleet.ns["ams"], source, to, "fra.status.zonecast.", pad=468)
            assert length <= sent and strings(reply)[0].startswith("zonecast-status=1 node=fra")
            # Signed although there is no key: nobody can tell whether rightly.
            with pytest.raises(dns.tsig.PeerBadKey):
                ask(fleet.ns["ams"], source, to, "fra.status.zonecast.", SECRET)


def test_many_networks(tmp_path):
    """More networks than one answer is to hold: each is asked for by itself, and all are heard."""
    os.chmod(tmp_path, 0o755)
    networks = {f"network-with-a-long-name-{i:02}": ["fra", "ams"] for i in range(14)}
    with Several(tmp_path, names=("fra", "ams", "hid"), networks=networks) as fleet:
        fleet.start("hid")
        fleet.start("fra", "ams")
        for a in ("fra", "hid"):
            wait_until(lambda a=a: all(says(fleet, a, "ams", n) == GOOD for n in networks), 40 * SLOW, lambda a=a: f"{a} hears of all: {fleet.peers(a)['ams']}")
            assert all(n["heard_ms"] < 2 * FRESH_MS for n in fleet.peers(a)["ams"]["networks"])
        reply, length, _ = ask(fleet.ns["ams"], fleet.v4("ams"), fleet.v4("fra"), "fra.status.zonecast.", SECRET)
        assert reply.flags & 0x0200 and not reply.answer and length <= 1232
        reply, _, _ = ask(fleet.ns["ams"], fleet.v4("ams"), fleet.v4("fra"), "fra.status.zonecast.", SECRET, tcp=True)
        assert sorted(s.split()[0] for s in strings(reply)[1:]) == sorted(f"{key}={n}" for key in ("network", "tree") for n in networks)
