"""The lab: six catchments, and each drill with the gap its client saw. Bounds are twice the aims, since the machine may be busy; the figures are printed."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from paths import ZONECAST

NAME = f"t{os.getpid() % 1000000}"
DRILLS = [
    ("kill", [], 0),
    ("crash", [], 100),
    ("hang", [], 700),
    ("hang", ["--deep"], 900),
    ("wrong", [], 700),
    ("drain", [], 0),
    ("cut", [], 300),
]

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for network namespaces"),
    pytest.mark.timeout(900),
]


def zonecast(*args, check=True):
    p = subprocess.run([ZONECAST, *args], capture_output=True, text=True, timeout=300, check=False)
    assert not check or p.returncode == 0, f"{args}: {p.stdout}\n{p.stderr}"
    return p


@pytest.fixture(scope="module")
def lab():
    # FRR gives up root and must still reach its folder: pytest's own are closed to others.
    folder = tempfile.mkdtemp(prefix="zonecast-lab-")
    os.chmod(folder, 0o755)
    where = ["--dir", folder, "--name", NAME]
    try:
        zonecast("lab", "up", *where)
        yield where
    finally:
        zonecast("lab", "down", *where, check=False)
        shutil.rmtree(folder)


def test_six_of_six_catchments(lab):
    status = json.loads(zonecast("lab", "status", "--json", *lab).stdout)
    assert status["right"] == 6 and all(c["right"] for c in status["catchments"])


@pytest.mark.parametrize("region", ["eu", "us"])
@pytest.mark.parametrize("name,flags,bound", DRILLS, ids=lambda v: "-".join(v) if isinstance(v, list) else str(v))
def test_drill(lab, region, name, flags, bound):
    result = json.loads(zonecast("lab", "drill", name, "--region", region, "--json", *flags, *lab).stdout)
    if region == "us" and bound:
        bound += 200  # FRR takes some 70 ms to put a change into the kernel
    print(f"{name} {' '.join(flags)} behind {result['router']}: gap {result['gap_median_ms']:.0f} ms, lost {result['lost']}")
    if bound == 0:
        assert result["lost"] == 0
    assert result["gap_median_ms"] <= bound
    for run in result["runs"]:
        for family in ("ipv4", "ipv6"):
            assert run[family]["before"] == f"pop-{region}"
            if name == "kill":
                assert run[family]["late_max_ms"] <= 400 and run[family]["after"] == f"pop-{region}"
            elif name != "hang" or flags:
                assert run[family]["after"] != f"pop-{region}"


def test_a_change_at_the_hidden_primary_reaches_everybody(lab):
    """NOTIFY, connection, IXFR: five crossings of the ocean. The primary is in eu, us 40 ms away, as 110 ms."""
    result = json.loads(zonecast("lab", "drill", "zone", "--runs", "3", "--json", *lab).stdout)
    for run in result["runs"]:
        print({region: round(times["ipv4_ms"]) for region, times in run.items()})
        for region, bound in (("eu", 1000), ("us", 1500), ("as", 2500)):
            assert 0 < run[region]["ipv4_ms"] < bound and 0 < run[region]["ipv6_ms"] < bound


def test_the_hidden_primary_is_lost(lab):
    result = json.loads(zonecast("lab", "drill", "primary-lost", "--json", *lab).stdout)
    assert result["lost"] == 0
    for region, pop in result["pops"].items():
        print(f"{region}: {pop}")
        assert pop["announce"] == "announced" and pop["asked_ipv4"] > 400 and pop["asked_ipv6"] > 400
        assert pop["state"] == "failing" and pop["error"] and 0 < pop["noticed_ms"] < 30000 and 0 < pop["fresh_ms"] < 60000
    assert all(times["ipv4_ms"] > 0 and times["ipv6_ms"] > 0 for times in result["change"].values())


def pids(lab, region):
    with open(os.path.join(lab[1], f"pop-{region}", "run", "pids"), encoding="ascii") as f:
        return {(r, int(i)): int(p) for r, i, p in (line.split() for line in f)}


@pytest.mark.parametrize("role", ["watch", "route", "sync", "admin"])
def test_a_killed_role_of_a_pop_is_back(lab, role):
    """Within 200 ms, on new feet, and no other role with it. Losing watch moves no route; losing route closes its sessions, by design."""
    before = pids(lab, "us")
    run_dir = os.path.join(lab[1], "pop-us", "run")
    established = [n["established_count"] for n in json.loads(zonecast("status", "--json", "--run-dir", run_dir).stdout)["neighbors"]]
    began = time.monotonic()
    os.kill(before[(role, 0)], signal.SIGKILL)
    while pids(lab, "us").get((role, 0), before[(role, 0)]) == before[(role, 0)]:
        assert time.monotonic() - began < 5
        time.sleep(0.005)
    took = time.monotonic() - began
    print(f"{role} back after {took * 1000:.0f} ms")
    assert took < 0.4  # the aim is 0.2; the machine may be busy
    after = pids(lab, "us")
    assert {k: v for k, v in after.items() if k[0] != role} == {k: v for k, v in before.items() if k[0] != role}
    deadline = time.monotonic() + 30
    while True:
        p = zonecast("status", "--json", "--run-dir", run_dir, check=False)
        status = json.loads(p.stdout) if p.returncode == 0 else None
        if status and all(n["state"] == "established" for n in status["neighbors"]) and len(status["neighbors"]) == 2 and \
                status["networks"][0]["decision"]["announce"] == "announced":
            break
        assert time.monotonic() < deadline, p.stdout + p.stderr
        time.sleep(0.05)
    if role == "route":  # what is shown is the new process's own, not what the killed one left
        assert status["networks"][0]["decision"]["since_ms"] <= (time.monotonic() - began) * 1000
    else:
        assert [n["established_count"] for n in status["neighbors"]] == established
    # Routers need a moment to take the route again.
    while zonecast("lab", "status", "--json", *lab, check=False).returncode != 0:
        assert time.monotonic() < deadline


def test_nothing_is_left(lab):
    zonecast("lab", "down", *lab)
    names = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    assert f"{NAME}-" not in names
    assert zonecast("lab", "status", *lab, check=False).returncode == 1
