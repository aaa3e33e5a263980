# SPDX-License-Identifier: BSD-2-Clause
"""Programs that a node runs when something changes: as which account, with what, in which order, and that nothing waits for them."""
import os
import pwd
import shutil
import tempfile

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


@pytest.fixture
def out():
    """A folder that the roles' account may write to."""
    folder = tempfile.mkdtemp(prefix="zonecast-hooks-")
    os.chmod(folder, 0o777)
    yield folder
    shutil.rmtree(folder)


def hooks(*rows):
    return lambda text: text + "hooks:\n" + "".join(f"  - {r}\n" for r in rows)


def lines(*path):
    try:
        with open(os.path.join(*path), encoding="utf-8") as f:
            return f.read().splitlines()
    except FileNotFoundError:
        return []


@pytest.mark.asan
def test_a_maintenance_as_hooks_see_it(site, tmp_path, out):
    script = f'exec: [/bin/sh, "-c", "echo $ZONECAST_EVENT $ZONECAST_NETWORK$ZONECAST_NEIGHBOR $ZONECAST_NEW by $(id -un) $ZONECAST_FAMILY >> {out}/$1", sh, '
    change = hooks("{on: [announce, withdraw, graceful-shutdown], " + script + "routes]}", "{on: [neighbor-up, neighbor-down], " + script + "neighbors]}",
                   "{on: [verdict], " + script + "verdicts]}")
    by = pwd.getpwuid(os.stat("/proc/self").st_uid).pw_name
    with Node(site, tmp_path, change=change) as node:
        account = pwd.getpwuid(os.stat(f"/proc/{node.pids()[('watch', 0)]}").st_uid).pw_name
        assert account != by
        wait_until(lambda: len(lines(out, "neighbors")) == 2, 10, "both neighbors up")
        assert sorted(lines(out, "neighbors")) == [f"neighbor-up 10.9.0.1 established by {account} ipv4", f"neighbor-up 2001:db8:9::1 established by {account} ipv6"]
        wait_until(lambda: any(x.startswith(f"verdict global pass by {account}") for x in lines(out, "verdicts")), 10, "a verdict")
        node.control("drain", "global")
        assert node.zonecast("resume").returncode == 0
        node.wait_announced(20)
        # Of each family, or of both at once where they are not told apart, the same in this order.
        story = ["announce", "graceful-shutdown", "withdraw", "announce"]

        def told(family):
            return [x.split()[0] for x in lines(out, "routes") if x.endswith(family)]

        for family in ("ipv4", "ipv6"):
            wait_until(lambda f=family: told(f) == story, 30, lambda: f"the whole story: {lines(out, 'routes')}")
        ran = node.status()["hooks"]
        assert ran["run"] >= 7 and ran["failed"] == ran["killed"] == ran["dropped"] == 0
    # The end of the node is an event, too.
    assert lines(out, "routes")[-1].startswith("withdraw global withdrawn")
    assert [x.split()[0] for x in lines(out, "neighbors")].count("neighbor-down") == 2


@pytest.mark.asan
def test_hooks_that_hang_or_fail_keep_nobody_waiting(site, tmp_path, out):
    change = hooks("{on: [announce, neighbor-up, verdict], exec: [/bin/sh, \"-c\", \"sleep 600\"], timeout: 60s}",
                   "{on: [announce], exec: [/bin/false]}", "{on: [announce], exec: [/nonexistent/hook]}",
                   f"{{on: [announce], exec: [/bin/sh, \"-c\", \"echo pid $$ >> {out}/pid; echo oh no; sleep 600\"], timeout: 300ms}}")
    with Node(site, tmp_path, change=change) as node:
        assert "hook /nonexistent/hook: No such file" in node.log()
        wait_until(lambda: node.status()["hooks"]["failed"] >= 3 and node.status()["hooks"]["killed"] >= 1, 15, "their ends")
        assert "said=\"oh no\"" in node.log() and "took longer than its timeout" in node.log()
        pids = [int(x.split()[1]) for x in lines(out, "pid")]
        assert pids
        wait_until(lambda: not any(os.path.exists(f"/proc/{p}") for p in pids), 10, "their end")
        assert node.status()["hooks"]["running"] >= 1  # the one that has a minute
        assert site.announced() and node.zonecast("status").returncode == 0
        # A reload without them; what runs goes on to its end.
        node.fleet()
        assert node.zonecast("reload").returncode == 0


def test_a_hook_without_a_path_is_refused(site, tmp_path):
    node = Node(site, tmp_path, change=hooks("{on: [announce], exec: [echo, hello]}"))
    done = node.zonecast("status")  # nothing runs
    assert done.returncode == 1
    with open(node.path("log"), "ab") as log:
        assert site.pop.popen(node.argv(), stdout=log, stderr=log).wait(20) == 1
    assert 'write the absolute path of the program: there is no PATH to look for "echo" in' in node.log()
