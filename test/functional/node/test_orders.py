# SPDX-License-Identifier: BSD-2-Clause
"""What an operator orders: to leave one neighbor, to freeze, to force; with the control socket and without it; and backstop prefixes, which follow none of it."""
import json
import os
import signal
import socket

import pytest

from fleet import Node, Site
from netns import missing, stop_process, wait_until
from paths import ZONECAST
from routers import Bird

WHY = missing(ZONECAST, *Bird.needs)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
GSHUT = "65535:0"
V4, V6 = "192.0.2.0/24", "2001:db8:53::/48"
BACKSTOPS = ["192.0.0.0/16", "2001:db8::/32"]
PEER4, PEER6 = "10.9.0.1", "2001:db8:9::1"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site")) as s:
        yield s


def with_backstop(text, at=""):
    return text.replace("    as: 64500\n", f'    as: 64500\n    backstop: ["{BACKSTOPS[0]}", "{BACKSTOPS[1]}"]\n{at}')


@pytest.fixture
def node(site, tmp_path):
    with Node(site, tmp_path) as n:
        yield n


class FaultyNode(Node):
    def argv(self, *more):
        return super().argv("--allow-faults", *more)


def fault(node, kind):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(10)
        s.connect(node.path("run", "control.sock"))
        s.sendall(json.dumps({"command": "fault", "kind": kind}).encode() + b"\n")
        assert json.loads(s.makefile().readline())["ok"] is True


def neighbor(node, address):
    status = node.status()
    return next(n for n in status["neighbors"] if n["address"] == address) if status else None


def orders(node):
    with open(node.path("state", "orders"), encoding="ascii") as f:
        return sorted(f.read().splitlines())


def order(node):
    return node.status()["networks"][0]["order"]


# ---- one neighbor ----

@pytest.mark.asan
def test_one_neighbor_is_left_and_its_session_stays(site, node):
    established = neighbor(node, PEER4)["established_count"]
    assert node.zonecast("drain", PEER4, "--no-wait").returncode == 0
    wait_until(lambda: (r := site.bird.route(V4)) and GSHUT in r.communities, 5, "graceful shutdown on the IPv4 session", 0.01)
    assert GSHUT not in site.bird.route(V6).communities
    done = node.control("drain", PEER4)  # waits for what is under way
    assert done["done"] is True and done["way"] == "control socket"
    wait_until(lambda: site.bird.route(V4) is None, 5, "no IPv4 route")
    assert site.bird.route(V6)
    one, other = neighbor(node, PEER4), neighbor(node, PEER6)
    assert (one["state"], one["prefixes"], one["order"], one["drained"], one["established_count"]) == ("established", 0, "drain", True, established)
    assert (other["prefixes"], other["order"], other["drained"]) == (1, "none", False)
    assert node.status()["networks"][0]["decision"]["announce"] == "announced"
    text = node.zonecast("status").stdout
    assert "order      drain, done\n  what to do doc/howto/neighbor-drained.md\n" in text
    assert node.zonecast("resume", PEER4).returncode == 0
    wait_until(lambda: (r := site.bird.route(V4)) and GSHUT not in r.communities, 10, "the IPv4 route again")
    assert orders(node) == []


def test_a_left_neighbor_stays_left_over_reload_and_restart(site, tmp_path):
    node = Node(site, tmp_path)
    with node:
        node.control("drain", PEER6)
        node.fleet(more=", med: 5")
        assert node.zonecast("reload").returncode == 0
        wait_until(lambda: (r := site.bird.route(V4)) and r.med == 5, 10, "the reload")
        assert site.bird.route(V6) is None and neighbor(node, PEER6)["drained"] is True
        assert orders(node) == [f"drain-neighbor [{PEER6}]:179"]
    node.announced = False
    with node:
        wait_until(lambda: site.bird.route(V4) and (n := neighbor(node, PEER6)) and n["state"] == "established" and n["drained"], 20,
                   "the route on one session, the other up and drained")
        assert site.bird.route(V6) is None
        assert node.zonecast("resume").returncode == 0  # everything
        node.wait_announced(10)


def test_no_such_neighbor(site, node):
    done = node.zonecast("drain", "10.9.0.77")
    assert done.returncode == 1 and "no neighbor 10.9.0.77" in done.stderr
    done = node.zonecast("drain", PEER4, "--backstop")
    assert done.returncode == 2
    assert site.announced()


def test_empty_name(site, node):
    """A variable that is not set, in a script, does not mean all networks."""
    for word in ("drain", "freeze", "resume"):
        done = node.zonecast(word, "")
        assert done.returncode == 2 and "the name is empty" in done.stderr, (word, done)
    assert not os.path.exists(node.path("state", "orders")) and site.announced()


# ---- freeze and force ----

def test_freeze_and_force_are_kept(site, tmp_path):
    node = Node(site, tmp_path)
    with node:
        assert node.zonecast("freeze", "global").returncode == 0
        assert order(node) == "freeze" and orders(node) == ["freeze global"]
        assert node.zonecast("announce", "global").returncode == 2  # not without --force
        assert node.zonecast("announce", "--force").returncode == 2  # and not without a name
        assert node.zonecast("announce", "--force", "nowhere").returncode == 1
        assert order(node) == "freeze"
        assert node.zonecast("announce", "--force", "global").returncode == 0
        assert order(node) == "force" and orders(node) == ["force global"]
    with node:
        assert order(node) == "force"
        assert "order=force" in node.log()
        assert node.zonecast("resume").returncode == 0
        assert order(node) == "none" and orders(node) == []


def network(node):
    return node.status()["networks"][0]


@pytest.mark.asan
def test_a_frozen_network_stays_as_it_is(site, tmp_path):
    with FaultyNode(site, tmp_path) as node:
        assert node.zonecast("freeze", "global").returncode == 0
        fault(node, "servfail")
        told = wait_until(lambda: (n := network(node)) and n["checks"]["verdict"] == "hard-fail" and n, 10, "the checks fail")
        assert told["decision"]["announce"] == "announced" and site.announced()
        assert told["families"]["ipv6"]["page"] == "frozen" and "what to do doc/howto/frozen.md\n" in node.zonecast("status").stdout
        assert node.zonecast("status").returncode == 0
        # Not over the death of the process that speaks BGP: its successor announces when the checks pass, and freezes that.
        fault(node, "none")
        wait_until(lambda: network(node)["checks"]["verdict"] == "pass", 10, "the checks pass")
        assert node.zonecast("resume").returncode == 0
        fault(node, "servfail")
        wait_until(lambda: not any(site.routes()), 10, "no route: the checks decide again")
        assert node.zonecast("freeze").returncode == 0
        fault(node, "none")
        wait_until(lambda: network(node)["checks"]["verdict"] == "pass", 10, "the checks pass")
        assert network(node)["decision"]["announce"] == "withdrawn" and not any(site.routes())
        assert node.zonecast("resume").returncode == 0
        node.wait_announced(20)


@pytest.mark.asan
def test_a_forced_network_is_announced(site, tmp_path):
    with FaultyNode(site, tmp_path) as node:
        fault(node, "servfail")
        wait_until(lambda: not any(site.routes()), 10, "no route")
        assert node.zonecast("status").returncode == 1
        assert node.zonecast("announce", "--force", "global").returncode == 0
        wait_until(site.announced, 10, "both routes, by order")
        assert network(node)["checks"]["verdict"] == "hard-fail" and network(node)["order"] == "force"
        # Nor does a drain wait behind it: the last order counts.
        node.control("drain", "global")
        wait_until(lambda: not any(site.routes()), 10, "no route")
        assert orders(node) == ["drain global"]
        assert node.zonecast("resume").returncode == 0
        assert network(node)["decision"]["announce"] == "withdrawn"
        fault(node, "none")
        node.wait_announced(20)


# ---- with nothing else up ----

@pytest.mark.asan
def test_orders_without_the_control_socket(site, node):
    """The socket's file is gone: whoever wants to give an order writes it down, and the supervisor reads it."""
    os.rename(node.path("run", "control.sock"), node.path("run", "hidden.sock"))
    done = node.zonecast("freeze")
    assert done.returncode == 0 and "the supervisor has read the orders file" in done.stdout
    done = node.zonecast("drain", PEER4)
    assert done.returncode == 0
    wait_until(lambda: site.bird.route(V4) is None, 10, "no IPv4 route")
    assert orders(node) == sorted(["freeze *", f"drain-neighbor {PEER4}:179"])
    os.rename(node.path("run", "hidden.sock"), node.path("run", "control.sock"))
    assert order(node) == "freeze"
    assert node.zonecast("resume", "global").returncode == 0  # the socket again: what was said of all is spelled out
    assert orders(node) == [f"drain-neighbor {PEER4}:179"] and order(node) == "none"
    assert node.zonecast("resume").returncode == 0
    node.wait_announced(10)


def test_orders_while_admin_hangs(site, node):
    os.kill(node.pids()[("admin", 0)], signal.SIGSTOP)
    done = node.zonecast("drain", "global")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: not any(site.routes()), 10, "no route")


def test_orders_to_a_node_that_does_not_run(site, tmp_path):
    node = Node(site, tmp_path)
    os.makedirs(node.path("state"))
    done = node.zonecast("drain", "global", "--state-dir", node.path("state"))
    assert done.returncode == 0 and "from its next start" in done.stdout
    assert orders(node) == ["drain global"]
    done = node.zonecast("drain", "global", "--state-dir", node.path("nowhere"))
    assert done.returncode == 1 and "orders" in done.stderr
    node.announced = False
    with node:
        wait_until(lambda: (s := node.status()) and s["networks"][0]["order"] == "drain" and
                   all(n["state"] == "established" for n in s["neighbors"]), 20, "sessions up, drained")
        assert not any(site.routes())


def test_no_signal_to_a_stranger(site, tmp_path):
    """A pid that is not a supervisor's any more gets no signal."""
    node = Node(site, tmp_path)
    os.makedirs(node.path("state"))
    os.makedirs(node.path("run"))
    stranger = site.pop.popen(["sleep", "60"])
    try:
        node.write(os.path.join("run", "pids"), f"supervisor 0 {stranger.pid}\n")
        done = node.zonecast("freeze", "--state-dir", node.path("state"))
        assert done.returncode == 0 and "from its next start" in done.stdout
        assert stranger.poll() is None
    finally:
        stop_process(stranger)


# ---- the backstop ----

@pytest.mark.asan
def test_the_backstop_follows_nothing_but_life(site, tmp_path):
    with FaultyNode(site, tmp_path, change=with_backstop) as node:
        wait_until(lambda: all(site.bird.route(p) for p in BACKSTOPS), 10, "both backstops")
        # Not the drain of its network,
        node.control("drain", "global")
        wait_until(lambda: not any(site.routes()), 10, "the network withdrawn")
        assert all(site.bird.route(p) and GSHUT not in site.bird.route(p).communities for p in BACKSTOPS)
        shown = node.status()["networks"][0]["backstop"]
        assert shown["announce"] == "announced" and shown["prefixes"] == BACKSTOPS and "worker" in shown["why"]
        assert "backstop   192.0.0.0/16 2001:db8::/32 announced" in node.zonecast("status").stdout
        assert node.zonecast("resume").returncode == 0
        node.wait_announced(10)
        # not a hard failure of its checks,
        fault(node, "servfail")
        wait_until(lambda: not any(site.routes()), 10, "the network withdrawn")
        assert node.status()["networks"][0]["checks"]["verdict"] == "hard-fail"
        assert all(site.bird.route(p) for p in BACKSTOPS)
        fault(node, "none")
        node.wait_announced(20)
        # but an order that names it, and one to leave the neighbor.
        node.control("drain", "global", "--backstop")
        wait_until(lambda: not any(site.bird.route(p) for p in BACKSTOPS), 10, "no backstop")
        assert orders(node) == ["drain global", "drain-backstop global"]
        assert node.status()["networks"][0]["backstop"]["announce"] == "withdrawn"
        assert node.zonecast("resume", "global").returncode == 0
        wait_until(lambda: all(site.bird.route(p) for p in BACKSTOPS), 10, "both backstops again")
        node.control("drain", PEER4)
        wait_until(lambda: site.bird.route(BACKSTOPS[0]) is None, 10, "no IPv4 backstop on the drained session")
        assert site.bird.route(BACKSTOPS[1])
        assert node.zonecast("resume").returncode == 0
    assert not any(site.bird.route(p) for p in BACKSTOPS)


def test_the_backstop_of_chosen_nodes(site, tmp_path):
    other = ("  - name: other\n    role: pop\n    networks: [global]\n    management: [10.9.0.3]\n"
             "    bgp: {router-id: 10.9.0.3, neighbors: [{address: 10.9.0.9, as: 64601}]}\n")

    def fleet(at):
        return lambda text: with_backstop(text, f"    backstop-at: [{at}]\n").replace("zones:\n", other + "zones:\n", 1)

    with Node(site, tmp_path, change=fleet("other")) as node:
        assert node.status()["networks"][0]["backstop"] is None
        assert not any(site.bird.route(p) for p in BACKSTOPS)
        node.fleet(change=fleet("other, pop"))
        assert node.zonecast("reload").returncode == 0
        wait_until(lambda: all(site.bird.route(p) for p in BACKSTOPS), 10, "both backstops")
        node.fleet(change=fleet("nobody"))
        done = node.zonecast("reload")
        assert done.returncode == 1 and 'no node is called "nobody"' in done.stderr
        assert all(site.bird.route(p) for p in BACKSTOPS)


def test_the_backstop_withdraws_when_nobody_can_answer(site, tmp_path):
    """Workers that die as fast as they are started."""
    with Node(site, tmp_path, change=with_backstop) as node:
        wait_until(lambda: all(site.bird.route(p) for p in BACKSTOPS), 10, "both backstops")

        def kill_workers():
            for (role, _), pid in node.pids().items():
                if role == "answer":
                    try:
                        os.kill(pid, signal.SIGSTOP)
                    except ProcessLookupError:
                        pass
            return not any(site.bird.route(p) for p in BACKSTOPS)

        wait_until(kill_workers, 60, "no backstop", 0.05)
        wait_until(lambda: all(site.bird.route(p) for p in BACKSTOPS), 60, "both backstops again")
