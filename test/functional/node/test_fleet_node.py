# SPDX-License-Identifier: BSD-2-Clause
"""One PoP of a fleet file, with BIRD as its router: status, reload, roles that die or hang, maintenance, and the ways to end."""
import json
import os
import signal
import socket
import time

import dns.message
import pytest

from fleet import EXTRA, SECRET, SERVICE, SLOW, ZONE, Asker, Node, Site
from netns import missing, wait_until, within
from paths import ZONECAST
from routers import Bird

WHY = missing(ZONECAST, *Bird.needs)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
BACK_S = 0.2 * SLOW
GSHUT = "65535:0"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site")) as s:
        yield s


@pytest.fixture
def node(site, tmp_path):
    with Node(site, tmp_path) as n:
        yield n


def back(node, role, index, old, since):
    """Seconds until the supervisor has another process in that role."""
    wait_until(lambda: node.pids().get((role, index), old) != old, 10 * SLOW, f"a new {role}", 0.005)
    took = time.monotonic() - since
    print(f"{role} {index} back after {took * 1000:.0f} ms")
    return took


def gone(pids):
    """None of them runs: not there, or dead and not yet collected by whoever adopted it."""
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                if f.read().rsplit(")", 1)[1].split()[0] != "Z":
                    return False
        except FileNotFoundError:
            continue
    return True


# ---- status ----

@pytest.mark.asan
def test_status_tells_what_is(site, node):
    status = wait_until(lambda: node.zonecast("status", "--json").returncode == 0 and node.status(), 10, "a good status")
    assert (status["node"], status["fleet"], status["standalone"], status["stopping"]) == ("pop", "test", False, False)
    told = {(p["role"], p["index"]): p["pid"] for p in status["processes"]}
    assert told == {k: v for k, v in node.pids().items() if k[0] != "supervisor"}
    assert set(told) == {("sync", 0), ("watch", 0), ("route", 0), ("admin", 0), ("answer", 0), ("answer", 1)}
    assert all(p["starts"] == 1 and p["heartbeat_ms"] is not None for p in status["processes"])
    assert (status["zones"]["configured"], status["zones"]["serving"], status["zones"]["failed"]) == (1, 1, 0)
    network, = status["networks"]
    assert network["decision"]["announce"] == "announced" and network["order"] == "none" and not network["torn"]
    assert [a["address"] for a in network["addresses"]] == SERVICE
    assert all(a[t]["verdict"] == "pass" for a in network["addresses"] for t in ("udp", "tcp"))
    assert [(n["state"], n["as"], n["prefixes"]) for n in status["neighbors"]] == [("established", 64601, 1)] * 2
    text = node.zonecast("status").stdout
    assert "network global: announced for" in text and "neighbor 2001:db8:9::1 as 64601: established" in text
    for tcp in (False, True):
        for where in SERVICE:
            assert site.answers(where, tcp=tcp)
    assert site.answers("10.9.0.2")


def test_control_socket_and_secrets_are_private(node):
    assert os.stat(node.path("run", "control.sock")).st_mode & 0o077 == 0
    for pid in node.pids().values():
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            assert SECRET.encode() not in f.read()
    assert SECRET not in node.log()


def test_no_faults_without_the_option(site, node):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(5)
        s.connect(node.path("run", "control.sock"))
        s.sendall(b'{"command":"fault","kind":"servfail"}\n')
        reply = json.loads(s.makefile().readline())
    assert reply["ok"] is False and "--allow-faults" in json.dumps(reply)
    assert site.answers(SERVICE[0])


# ---- reload ----

@pytest.mark.asan
def test_reload_takes_all_of_a_good_file(site, node):
    """A new address, a new zone, other attributes of the routes: and not a question lost, not a session closed."""
    before = node.status()
    node.write("second.zone", ZONE.format(serial=7))
    node.write("example.zone", ZONE.format(serial=2))
    node.fleet(addresses=SERVICE + EXTRA, more=", med: 77", zones="  - {name: second, file: second.zone, network: global}\n")
    with Asker(site) as asker:
        assert node.zonecast("reload").returncode == 0
        for where in EXTRA:
            wait_until(lambda w=where: site.answers(w), 10, f"an answer from {where}")
        wait_until(lambda: site.answers(SERVICE[0], name="second."), 10, "the new zone")
        wait_until(lambda: site.ask(SERVICE[0]).answer[0][0].serial == 2, 10, "the new version of the old zone")
        wait_until(lambda: [r.med for r in site.routes()] == [77, 77], 10, lambda: f"the new MED: {site.routes()}")
        asker.more(50)
    print(asker)
    assert asker.lost == {a: 0 for a in SERVICE}
    after = node.status()
    assert after["config"]["generation"] == before["config"]["generation"] + 1
    assert after["config"]["sha256"] != before["config"]["sha256"]
    assert [n["established_count"] for n in after["neighbors"]] == [n["established_count"] for n in before["neighbors"]]
    assert after["networks"][0]["decision"]["announce"] == "announced" and after["networks"][0]["decision"]["flaps"] == 0
    assert site.addresses_on_lo() == sorted(SERVICE + EXTRA)

    # And back: what is not in the file any more is given up, but not before routers had time to hear of it.
    node.fleet()
    with Asker(site) as asker:
        assert node.zonecast("reload").returncode == 0
        assert site.answers(EXTRA[0], ns=site.pop)
        wait_until(lambda: site.addresses_on_lo() == sorted(SERVICE), 15, "the extra addresses gone from lo")
        wait_until(lambda: site.ask(SERVICE[0], name="second.").rcode() == 5, 10, "the second zone refused")
    assert asker.lost == {a: 0 for a in SERVICE}
    assert not site.answers(EXTRA[0], ns=site.pop, timeout=0.3)
    assert node.status()["networks"][0]["decision"]["flaps"] == 0


def soa_query():
    message = dns.message.make_query("example.", "SOA").to_wire()
    return len(message).to_bytes(2, "big") + message


def test_many_reloads_in_a_row_disturb_nobody(site, node):
    """Each adds an address and changes a setting: the workers stay, and so do TCP connections."""
    pids = node.pids()
    with Asker(site) as asker, site.pop.socket(socket.AF_INET, socket.SOCK_STREAM) as kept:
        kept.settimeout(10)
        kept.connect((SERVICE[0], 53))
        for i in range(8):
            more = [f"192.0.2.{100 + k}" for k in range(i + 1)]
            node.fleet(addresses=SERVICE + more, change=lambda t, n=i: t + f"answer: {{any: {'refuse' if n % 2 else 'one'}}}\n")
            assert node.zonecast("reload").returncode == 0
            wait_until(lambda a=more[-1]: site.answers(a, timeout=1), 10, f"an answer from {more[-1]}")
            rcode = 5 if i % 2 else 0
            wait_until(lambda r=rcode: all(site.ask(a, "ANY").rcode() == r for a in SERVICE for _ in range(8)), 10, "the new setting everywhere")
            kept.sendall(soa_query())
            assert len(kept.recv(4096)) > 40
    assert node.pids() == pids
    print(asker)
    assert asker.lost == {a: 0 for a in SERVICE}
    assert asker.latest_ms < 300 * SLOW
    assert node.status()["networks"][0]["decision"]["flaps"] == 0


# ---- roles that die or hang ----

@pytest.mark.parametrize("role,index", [("answer", 0), ("answer", 1), ("sync", 0), ("watch", 0), ("route", 0), ("admin", 0)])
def test_a_killed_role_is_back_and_nobody_noticed(site, node, role, index):
    """What waits in a worker's sockets is answered by the next one; a question that it had in hand when it was killed is lost, which is rare."""
    within([BACK_S, 200 * SLOW, 1], lambda: kill_role(site, node, role, index))


def kill_role(site, node, role, index):
    """Seconds until it is back, milliseconds that the slowest answer took meanwhile, questions lost."""
    before = node.pids()
    established = [n["established_count"] for n in node.status()["neighbors"]]
    with Asker(site) as asker:
        began = time.monotonic()
        os.kill(before[(role, index)], signal.SIGKILL)
        took = back(node, role, index, before[(role, index)], began)
        if role == "route":
            wait_until(lambda: (s := node.status()) and len(s["neighbors"]) == 2 and
                       all(n["state"] == "established" and n["since_ms"] < (time.monotonic() - began) * 1000 for n in s["neighbors"]),
                       15, "new sessions")
            node.wait_announced(15)
            print(f"announced again after {time.monotonic() - began:.1f} s")
        status = wait_until(lambda: (s := node.status()) and s["networks"][0]["checks"]["verdict"] == "pass" and s, 10, "checks pass")
        asker.more(100)
    assert {k: v for k, v in node.pids().items() if k != (role, index)} == {k: v for k, v in before.items() if k != (role, index)}
    print(asker)
    if role == "route":  # its sessions closed and the route was withdrawn: the safe way, by design
        return took, 0, 0
    lost = sum(asker.lost.values())
    assert lost <= (role == "answer")
    assert [n["established_count"] for n in status["neighbors"]] == established
    assert status["networks"][0]["decision"]["flaps"] == 0
    return took, asker.latest_ms, lost


@pytest.mark.parametrize("role", ["answer", "sync", "watch", "route", "admin"])
def test_a_hanging_role_is_killed_and_back(site, node, role):
    def hang():
        old = node.pids()[(role, 0)]
        began = time.monotonic()
        os.kill(old, signal.SIGSTOP)
        took = back(node, role, 0, old, began)
        node.wait_announced(15)
        assert f"process={role} index=0 pid={old} hangs" in node.log()
        return [took]

    within([(0.4 if role == "answer" else 3) * SLOW], hang)


def test_a_role_that_dies_again_and_again(site, node):
    """It is started ever more slowly, and once left alone it stays."""
    for _ in range(4):
        old = node.pids().get(("admin", 0))
        os.kill(old, signal.SIGKILL)
        wait_until(lambda o=old: node.pids().get(("admin", 0), o) != o, 10, "a new admin", 0.005)
    assert "restart_in_ms=100" in node.log()
    wait_until(node.status, 10, "admin answers")
    assert site.announced()


def test_status_does_not_repeat_what_a_dead_route_said(site, node):
    """Killed until its restart has to wait: the sessions are closed, whatever it wrote on the board before."""
    for i in range(7):
        old = node.pids()[("route", 0)]
        os.kill(old, signal.SIGKILL)
        wait_until(lambda o=old, last=i == 6: node.pids().get(("route", 0), 0 if last else o) != o, 10, "the end of route", 0.002)
    assert "process=route index=0 ended signal=9 restart_in_ms=1600" in node.log()
    wait_until(lambda: not any(site.routes()), 1, "no route", 0.01)
    done = node.zonecast("status", "--json")
    status = json.loads(done.stdout)
    assert done.returncode == 1
    assert status["networks"][0]["decision"]["announce"] == "withdrawn"
    assert "the route process is not running" in status["networks"][0]["decision"]["why"]
    assert [(n["state"], n["prefixes"]) for n in status["neighbors"]] == [("idle", 0)] * 2
    node.wait_announced(10)
    assert node.zonecast("status").returncode == 0


def test_all_workers_killed_at_once(site, node):
    def kill_all():
        with Asker(site) as asker:
            for (role, _), pid in node.pids().items():
                if role == "answer":
                    os.kill(pid, signal.SIGKILL)
            asker.more(100)
        print(asker)
        lost = sum(asker.lost.values())
        assert lost <= 2
        assert node.status()["networks"][0]["decision"]["flaps"] == 0
        return asker.latest_ms, lost

    within([200 * SLOW, 1], kill_all)


# ---- planned maintenance ----

@pytest.mark.asan
def test_drain_and_resume(site, node):
    established = [n["established_count"] for n in node.status()["neighbors"]]
    assert node.zonecast("drain", "--no-wait").returncode == 0
    wait_until(lambda: all(r and GSHUT in r.communities for r in site.routes()), 5, "graceful shutdown on both routes", 0.01)
    assert site.answers(SERVICE[0])
    done = node.control("drain")  # waits for what is under way
    assert done["done"] is True
    wait_until(lambda: not any(site.routes()), 5, lambda: f"no route: {site.routes()}")
    status = node.status()
    seen = [(n["state"], n["prefixes"], n["established_count"]) for n in status["neighbors"]]
    assert seen == [("established", 0, e) for e in established]
    assert status["networks"][0]["order"] == "drain" and status["networks"][0]["decision"]["drained"] is True
    assert node.zonecast("status").returncode == 0
    assert all(site.answers(a, ns=site.pop) for a in SERVICE)
    assert node.zonecast("resume").returncode == 0
    node.wait_announced(10)
    assert not any(GSHUT in r.communities for r in site.routes())
    assert node.status()["networks"][0]["decision"]["flaps"] == 0


def test_a_drain_outlives_the_node(site, tmp_path):
    node = Node(site, tmp_path)
    with node:
        node.control("drain", "global")
        wait_until(lambda: not any(site.routes()), 5, "no route")
    node.announced = False
    with node:
        status = wait_until(lambda: (s := node.status()) and s["networks"][0]["checks"]["verdict"] == "pass" and
                            all(n["state"] == "established" for n in s["neighbors"]) and s, 20, "checks pass, sessions up")
        assert status["networks"][0]["order"] == "drain" and not any(site.routes())
        assert node.zonecast("resume", "global").returncode == 0
        node.wait_announced(10)


def test_a_drain_survives_a_reload(site, node):
    node.control("drain")
    node.fleet(more=", med: 5")
    assert node.zonecast("reload").returncode == 0
    status = node.status()
    assert status["networks"][0]["order"] == "drain" and status["networks"][0]["decision"]["drained"] is True
    assert not any(site.routes())


def test_an_order_that_cannot_be_kept_is_refused(site, node):
    os.mkdir(node.path("state", "orders.new"))  # where the file is to be written
    done = node.zonecast("drain", "--no-wait")
    assert done.returncode == 1 and "Is a directory" in done.stderr
    assert node.status()["networks"][0]["order"] == "none" and site.announced()
    os.rmdir(node.path("state", "orders.new"))
    assert node.zonecast("drain", "--no-wait").returncode == 0


def test_no_such_network(site, node):
    for verb in ("drain", "resume"):
        done = node.zonecast(verb, "nowhere")
        assert done.returncode == 1 and "no such network" in done.stderr
    assert site.announced()


# ---- the ends ----

@pytest.mark.asan
def test_sigterm_drains_and_leaves_nothing(site, node):
    pids = list(node.pids().values())
    node.process.send_signal(signal.SIGTERM)
    wait_until(lambda: all(r and GSHUT in r.communities for r in site.routes()), 5, "graceful shutdown", 0.01)
    assert site.answers(SERVICE[0])
    assert node.process.wait(15) == 0
    assert not any(site.routes()) and site.addresses_on_lo() == []
    assert gone(pids)
    for name in ("control.sock", "pids", "addresses"):
        assert not os.path.exists(node.path("run", name))


def test_the_second_sigterm_does_not_wait(site, tmp_path):
    with Node(site, tmp_path, drain="60s") as node:
        node.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "draining=true" in node.log(), 5, "the drain", 0.005)
        assert node.zonecast("reload").returncode == 1  # not now
        began = time.monotonic()
        node.process.send_signal(signal.SIGTERM)
        assert node.process.wait(10) == 0
        took = time.monotonic() - began
        print(f"stopped after {took * 1000:.0f} ms")
        assert took < 2 * SLOW and site.addresses_on_lo() == []


def test_the_supervisor_is_killed(site, tmp_path):
    """Everything goes with it, so the routes do; the next start cleans up and serves."""
    with Node(site, tmp_path) as node:
        pids = list(node.pids().values())
        began = time.monotonic()
        node.process.kill()
        wait_until(lambda: not any(site.routes()), 5, "no route", 0.01)
        print(f"withdrawn after {(time.monotonic() - began) * 1000:.0f} ms")
        wait_until(lambda: gone(pids), 5, "no process left")
        node.process.wait(5)
    os.unlink(node.path("log"))
    with node:
        pass
    assert site.addresses_on_lo() == []
