# SPDX-License-Identifier: BSD-2-Clause
"""Fleet files that must not be taken: at a reload, where nothing may change, and at the start, where nothing may be left behind."""
import os
import socket
import subprocess

import pytest

from fleet import EXTRA, SERVICE, Node, Site
from netns import missing, wait_until
from paths import ZONECAST
from routers import Bird

WHY = missing(ZONECAST, *Bird.needs)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site")) as s:
        yield s


@pytest.fixture(scope="module")
def steady(site, tmp_path_factory):
    """A node that none of the bad reloads may move."""
    with Node(site, tmp_path_factory.mktemp("steady")) as n:
        wait_until(lambda: all(s["established_count"] for s in n.status()["neighbors"]), 30, "both sessions up")
        yield n


BAD_RELOADS = {
    "unknown key": (lambda t: t.replace("drain-time:", "drane-time:"), ["fleet.yaml:8:5: error:", "drain-time"]),
    "not yaml": (lambda t: t.replace("nodes:", "nodes: ["), ["fleet.yaml:"]),
    "empty": (lambda t: "", ["fleet.yaml"]),
    "node is gone": (lambda t: t.replace("- name: pop\n", "- name: other\n"), ['no node is called "pop"']),
    "no such key file": (lambda t: t.replace("bgp.key", "missing.key"), ["missing.key", "No such file"]),
    "no such zone file": (lambda t: t.replace("example.zone", "nothing.zone"), ["nothing.zone"]),
    "not our address": (lambda t: t.replace("management: [10.9.0.2]", "management: [10.9.0.99]"),
                        ["cannot listen on 10.9.0.99:53: this machine has no such address"]),
    "other workers": (lambda t: t.replace("workers: 2", "workers: 1"), ["workers cannot change while running"]),
    "no such user": (lambda t: t + "user: nobody-at-all\n", ["nobody-at-all"]),
}


@pytest.mark.parametrize("case", BAD_RELOADS)
def test_a_bad_reload_changes_nothing(site, steady, case):
    change, expected = BAD_RELOADS[case]
    before, pids = steady.status(), steady.pids()
    addresses = list(SERVICE)
    if case == "not our address":
        addresses += EXTRA  # put up before the failure is met, and to be taken back
    steady.fleet(addresses=addresses, change=change)
    done = steady.zonecast("reload")
    steady.fleet()
    print(done.stderr)
    assert done.returncode == 1
    for words in expected:
        assert words in done.stderr
    after = steady.status()
    del before["config"]["refused"]
    assert after["config"].pop("refused")["why"]
    assert after["config"] == before["config"] and steady.pids() == pids
    assert site.addresses_on_lo() == sorted(SERVICE)
    assert after["networks"][0]["decision"]["announce"] == "announced" and site.announced()
    assert [n["established_count"] for n in after["neighbors"]] == [n["established_count"] for n in before["neighbors"]]
    assert all(site.answers(a) for a in SERVICE)


def test_a_reload_that_would_open_a_secret_to_others(site, steady):
    os.chmod(steady.path("bgp.key"), 0o644)
    done = steady.zonecast("reload")
    os.chmod(steady.path("bgp.key"), 0o600)
    assert done.returncode == 1 and "others may read this secret (mode 0644)" in done.stderr
    assert site.announced()


def test_a_new_port_that_somebody_has(site, steady):
    site.pop.ip("addr", "add", "192.0.2.77/32", "dev", "lo")
    with site.pop.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("192.0.2.77", 53))
        steady.fleet(addresses=SERVICE + EXTRA + ["192.0.2.77"])
        done = steady.zonecast("reload")
        steady.fleet()
    assert done.returncode == 1 and "cannot listen on 192.0.2.77:53: another program has this port" in done.stderr
    assert site.addresses_on_lo() == sorted(SERVICE + ["192.0.2.77"])
    site.pop.ip("addr", "del", "192.0.2.77/32", "dev", "lo")
    assert not site.answers(EXTRA[0], ns=site.pop, timeout=0.3)
    assert site.announced()


# ---- at the start ----

def run(site, node, user=None, extra=()):
    """The ended process of a start that must fail, and fast."""
    argv = site.pop.argv([*(["setpriv", "--reuid", user, "--regid", "nogroup", "--clear-groups"] if user else []), *node.argv(*extra)])
    return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)


@pytest.fixture
def fresh(tmp_path):
    """A namespace where no node runs: just lo, and a cable to nobody."""
    with Site(tmp_path) as s:
        yield s


# A zone file that is not there is that zone's misfortune: the others are answered, see test_many_zones.py.
BAD_STARTS = {name: case for name, case in BAD_RELOADS.items() if name not in ("other workers", "no such zone file")}


def test_bad_starts_leave_nothing(fresh, tmp_path):
    node = Node(fresh, tmp_path)
    for name, (change, expected) in BAD_STARTS.items():
        node.fleet(addresses=SERVICE + EXTRA, change=change)
        done = run(fresh, node)
        assert done.returncode == 1, (name, done.stderr)
        for words in expected:
            assert words in done.stderr, (name, done.stderr)
        assert fresh.addresses_on_lo() == [], name
        assert not os.path.exists(node.path("run", "control.sock"))
    # And with what is right again it starts in the same folders.
    node.fleet()
    with node:
        pass


def test_no_fleet_file(fresh, tmp_path):
    node = Node(fresh, tmp_path)
    os.unlink(node.config)
    done = run(fresh, node)
    assert done.returncode == 1 and "fleet.yaml: error: cannot read the fleet file" in done.stderr
    assert not os.path.exists(node.path("run"))


def test_a_secret_that_others_may_read(fresh, tmp_path):
    node = Node(fresh, tmp_path)
    os.chmod(node.path("bgp.key"), 0o604)
    done = run(fresh, node)
    assert done.returncode == 1
    assert f"others may read this secret (mode 0604): chmod o-rwx {node.path('bgp.key')}" in done.stderr
    assert fresh.addresses_on_lo() == []
    os.truncate(node.path("bgp.key"), 0)
    os.chmod(node.path("bgp.key"), 0o600)
    assert "a secret of 0 octets" in run(fresh, node).stderr


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["udp", "tcp"])
@pytest.mark.parametrize("where", [SERVICE[0], "10.9.0.2", "0.0.0.0", "::"])
def test_port_53_is_taken(fresh, tmp_path, where, kind):
    node = Node(fresh, tmp_path)
    family = socket.AF_INET6 if ":" in where else socket.AF_INET
    service = where in SERVICE
    if service:
        fresh.pop.ip("addr", "add", where + "/32", "dev", "lo")
    try:
        with fresh.pop.socket(family, kind) as s:
            s.bind((where, 53))
            if kind == socket.SOCK_STREAM:
                s.listen()
            done = run(fresh, node)
        assert done.returncode == 1 and ":53: another program has this port; stop it, or listen elsewhere" in done.stderr
        # What the operator put there stays; what the node added is gone.
        assert fresh.addresses_on_lo() == ([where] if service else [])
    finally:
        if service:
            fresh.pop.ip("addr", "del", where + "/32", "dev", "lo")


def test_without_privileges(fresh, tmp_path):
    node = Node(fresh, tmp_path)
    for folder in ("run", "state"):
        os.mkdir(node.path(folder))
        os.chown(node.path(folder), 65534, 65534)
    os.chown(node.path("bgp.key"), 65534, 65534)
    binary = node.path("zonecast")
    with open(ZONECAST, "rb") as f, open(binary, "wb") as g:
        g.write(f.read())
    for above in (node.folder, os.path.dirname(node.folder), os.path.dirname(os.path.dirname(node.folder))):
        os.chmod(above, 0o755)
    os.chmod(binary, 0o755)
    plain = node.argv
    node.argv = lambda *more: [binary, *plain(*more)[1:]]
    done = run(fresh, node, user="nobody")
    assert done.returncode == 1
    assert "not permitted; run as root or with CAP_NET_BIND_SERVICE and CAP_NET_ADMIN" in done.stderr
    assert fresh.addresses_on_lo() == []


def test_a_folder_belongs_to_one_node(site, steady):
    done = run(site, steady)
    assert done.returncode == 1 and "another zonecast runs with this folder" in done.stderr
    assert site.announced() and site.addresses_on_lo() == sorted(SERVICE)


def test_a_zone_with_mistakes_is_not_announced_until_it_is_right(fresh, tmp_path):
    node = Node(fresh, tmp_path, announced=False)
    right = open(node.path("example.zone"), encoding="ascii").read()
    node.write("example.zone", right + "www CNAME\n")
    with node:
        status = node.status()
        assert status["zones"]["failed"] == 1 and "example.zone:6:" in node.log()
        assert node.zonecast("status").returncode == 1
        assert not any(fresh.routes())
        reply = fresh.ask("10.9.0.2")
        assert reply is not None and reply.rcode() == 2
        node.write("example.zone", right)
        assert node.zonecast("zone", "reload", "example").returncode == 0
        node.wait_announced(15)
