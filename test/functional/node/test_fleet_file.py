# SPDX-License-Identifier: BSD-2-Clause
"""Fleet files that must not take effect: of an older generation, or that would take a network away everywhere; and the plan that tells before."""
import json
import os
import signal
import subprocess

import pytest

from fleet import Node, Site
from netns import missing, wait_until
from paths import ZONECAST
from routers import Bird

WHY = missing(ZONECAST, *Bird.needs)
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site")) as s:
        yield s


def generation(n, more=None):
    """A change of the fleet file: its generation, and what `more` does."""
    return lambda text: (more(text) if more else text).replace("fleet: test\n", f"fleet: test\ngeneration: {n}\n")


def without_neighbors(text):
    return text[:text.index("    bgp:\n")] + text[text.index("zones:\n"):]


def config(node):
    return node.status()["config"]


def reload(node, *args):
    return node.zonecast("reload", *args)


def plan(node, *args, change=None, **fleet):
    """zonecast plan of the changed file, which is put aside."""
    current = node.path("current.yaml")
    os.replace(node.path("fleet.yaml"), current)
    node.fleet(change=change, **fleet)
    os.replace(node.path("fleet.yaml"), node.path("next.yaml"))
    os.replace(current, node.path("fleet.yaml"))
    return subprocess.run([ZONECAST, "plan", node.path("next.yaml"), "--config", node.config, *args], capture_output=True, text=True, timeout=60, check=False)


# ---- generations ----

@pytest.mark.asan
def test_an_older_file_is_refused(site, tmp_path):
    with Node(site, tmp_path, change=generation(5)) as node:
        assert (config(node)["fleet_generation"], config(node)["refused"], config(node)["file_older"]) == (5, None, None)
        node.fleet(change=generation(6), more=", med: 6")
        assert reload(node).returncode == 0
        wait_until(lambda: [r.med for r in site.routes()] == [6, 6], 10, "the newer file")
        node.fleet(change=generation(5), more=", med: 5")
        done = reload(node)
        assert done.returncode == 1 and "generation 5 is older than 6" in done.stderr
        told = config(node)
        assert told["fleet_generation"] == 6 and "generation 5 is older than 6" in told["refused"]["why"]
        assert "a reload was refused" in node.zonecast("status").stdout
        # One that has lost its generation is as old as can be; by signal it is the same.
        node.fleet(more=", med: 5")
        node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "generation 0 is older than 6" in node.log(), 10, "the refusal in the log")
        assert [r.med for r in site.routes()] == [6, 6]
        # The explicit yes: from now on it is what was accepted.
        node.fleet(change=generation(5), more=", med: 5")
        assert reload(node, "--accept-older").returncode == 0
        wait_until(lambda: [r.med for r in site.routes()] == [5, 5], 10, "the older file")
        assert (config(node)["fleet_generation"], config(node)["refused"]) == (5, None)
        # The same generation with other content: taken, and said.
        node.fleet(change=generation(5), more=", med: 55")
        done = reload(node)
        assert done.returncode == 0 and "generation 5 again, with other content: sha256 " in done.stderr


@pytest.mark.asan
def test_a_start_with_an_older_file_goes_on_with_the_newest(site, tmp_path):
    node = Node(site, tmp_path, change=generation(7), more=", med: 7")
    with node:
        assert [r.med for r in site.routes()] == [7, 7]
    assert os.stat(node.path("state", "fleet.accepted")).st_mode & 0o077 == 0
    node.fleet(change=generation(3), more=", med: 3")  # a backup was restored
    with node:
        assert [r.med for r in site.routes()] == [7, 7]
        told = config(node)
        assert (told["fleet_generation"], told["file_older"]) == (7, 3)
        assert "it goes on with its copy" in node.log()
        assert "THE FILE ON THE DISK IS OLDER: generation 3" in node.zonecast("status").stdout
        assert reload(node).returncode == 1
        node.fleet(change=generation(8), more=", med: 8")
        assert reload(node).returncode == 0
        wait_until(lambda: [r.med for r in site.routes()] == [8, 8], 10, "the newest file")
        assert (config(node)["fleet_generation"], config(node)["file_older"]) == (8, None)
    # A copy that is damaged: nobody guesses.
    node.fleet(change=generation(3))
    with open(node.path("state", "fleet.accepted"), "ab") as f:
        f.write(b"x")
    log = len(node.log())
    with open(node.path("log"), "ab") as out:
        process = site.pop.popen(node.argv(), stdout=out, stderr=out)
    assert process.wait(20) == 1 and "--accept-older" in node.log()[log:]
    node.argv = lambda *more: Node.argv(node, "--accept-older", *more)
    with node:
        assert config(node)["fleet_generation"] == 3


def test_without_generations_nothing_is_kept(site, tmp_path):
    with Node(site, tmp_path) as node:
        node.fleet(more=", med: 5")
        assert reload(node).returncode == 0
        assert not os.path.exists(node.path("state", "fleet.accepted"))
        assert config(node)["fleet_generation"] == 0


# ---- what would be lost ----

@pytest.mark.asan
def test_a_reload_that_would_take_a_network_away_is_refused(site, tmp_path):
    zones = "  - {name: example, file: example.zone, network: global}\n"
    with Node(site, tmp_path) as node:
        node.fleet(change=without_neighbors)
        done = reload(node)
        assert done.returncode == 1
        assert "network global: IPv4 would be withdrawn everywhere" in done.stderr and "--withdraw global" in done.stderr
        node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "network global: IPv6 would be withdrawn everywhere" in node.log(), 10, "the refusal in the log")
        node.fleet(change=lambda t: t.replace(zones, "").replace("zones:\n", "zones: []\n"))
        done = reload(node)
        assert done.returncode == 1 and "none of its zones is left" in done.stderr
        node.fleet(change=lambda t: t.replace(', "2001:db8:53::/48"', "").replace(', "2001:db8:53::53"', ""))
        assert reload(node, "--withdraw", "glob").returncode == 1
        assert "IPv6 would be withdrawn everywhere: it has no prefix" in config(node)["refused"]["why"]
        assert site.announced() and site.answers("192.0.2.53") and site.answers("2001:db8:53::53")
        assert reload(node, "--withdraw", "glob", "--withdraw", "global").returncode == 0
        wait_until(lambda: site.bird.route("2001:db8:53::/48") is None, 10, "no IPv6 route")
        assert site.bird.route("192.0.2.0/24") and config(node)["refused"] is None


# ---- the plan ----

def test_a_plan_tells_what_a_file_would_change(site, tmp_path):
    node = Node(site, tmp_path, change=generation(2))
    done = plan(node, change=generation(3), more=", med: 9")
    assert done.returncode == 0, done.stderr
    assert "~ generation: 2 -> 3\n" in done.stdout and "+ node pop neighbor 10.9.0.1: med: 9\n" in done.stdout
    done = plan(node, "--json", change=generation(3), more=", hold-time: 9s")
    told = json.loads(done.stdout)
    assert told["refused"] is False and [told["from"]["generation"], told["to"]["generation"]] == [2, 3]
    assert {"sign": "~", "effect": "session", "allowed": False, "subject": "node pop neighbor 10.9.0.1", "text": "hold-time: 90s -> 9s"} in told["changes"]
    done = plan(node, change=generation(2))
    assert done.returncode == 0 and done.stdout == "nothing changes\n"


def test_a_plan_refuses(site, tmp_path):
    node = Node(site, tmp_path, change=generation(2))
    done = plan(node, change=generation(1))
    assert done.returncode == 1 and "1 is older than 2" in done.stdout
    assert plan(node, "--accept-older", change=generation(1)).returncode == 0
    done = plan(node, change=generation(3, without_neighbors))
    assert done.returncode == 1 and "network global: IPv4 would be withdrawn everywhere" in done.stdout
    assert "192.0.2.0/24 withdrawn at pop: everywhere" in done.stdout
    assert plan(node, "--withdraw", "global", change=generation(3, without_neighbors)).returncode == 0
    done = plan(node, change=lambda text: text + "nonsense: 1\n")
    assert done.returncode == 1 and 'unknown key "nonsense"' in done.stderr
    done = subprocess.run([ZONECAST, "plan", node.path("nowhere.yaml"), "--config", node.config], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert subprocess.run([ZONECAST, "plan"], capture_output=True, timeout=60, check=False).returncode == 2
