# SPDX-License-Identifier: BSD-2-Clause
"""Versions of zones from files: kept across kills and reboots, listed, compared, exported, gone back to; and published to pops."""
import json
import os
import re
import signal
import subprocess

import dns.zone
import pytest

from fleet import SLOW
from hidden import Fleet, ask, hidden_addresses, pop_addresses, serial
from netns import missing, stop_process, wait_until
from paths import ZONECAST

pytestmark = pytest.mark.skipif(missing("ip") is not None, reason=str(missing("ip")))
ZONE = "z.test"
DIGESTED = "digested.test"


@pytest.fixture
def fleet(tmp_path):
    f = Fleet(tmp_path, [ZONE, DIGESTED])
    f.write(ZONE, 1, ["a A 192.0.2.1", "keep TXT stays"])
    f.write(DIGESTED, 1)
    with f:
        yield f


def wait_pop(fleet, number, zone=ZONE, pop=0):
    for address in pop_addresses(pop):
        wait_until(lambda a=address: serial(fleet.pops[pop].ns, a, zone) == number, 30,
                   lambda: f"{number} at the pop\n{fleet.pops[pop].log()[-3000:]}\n{fleet.hidden.log()[-3000:]}")


def records(text):
    """Zone file text as a set of lines without the SOA."""
    return {" ".join(line.split()) for line in text.splitlines() if line and "\tSOA\t" not in line}


def test_history_and_diff(fleet):
    hidden = fleet.hidden
    only, = hidden.versions(ZONE)  # a file that never changed is not in the journal
    assert (only["serial"], only["origin"], only["who"], only["records"]) == (1, "file", fleet.file(ZONE), 5)
    assert "no earlier version" in hidden.command("zone", "diff", ZONE, "7", code=1)
    assert hidden.control("zone", "diff", ZONE, "1")["added"] == []
    fleet.publish(ZONE, 2, ["b A 192.0.2.2", "keep TXT stays"])
    fleet.write(ZONE, 5, ["b A 192.0.2.2", "c A 192.0.2.3"])
    hidden.command("zone", "reload", ZONE)
    wait_pop(fleet, 5)
    wait_until(lambda: hidden.serials(ZONE) == [1, 2, 5], 10, lambda: f"versions: {hidden.versions(ZONE)}")
    first, second, third = hidden.versions(ZONE)
    assert (first["who"], second["who"]) == (fleet.file(ZONE), fleet.file(ZONE) + " (publish)")
    assert third["who"] == f"{fleet.file(ZONE)} (zone reload by uid {os.getuid()})"
    assert (second["from"], second["removed"], second["added"]) == (1, 2, 2)
    # From the pop's side: the same versions, by transfer.
    assert fleet.pops[0].serials(ZONE) == [1, 2, 5]
    assert {v["origin"] for v in fleet.pops[0].versions(ZONE)} == {"transfer"}
    for node in (hidden, fleet.pops[0]):
        diff = node.control("zone", "diff", ZONE, "1", "5")
        assert (diff["from"], diff["to"]) == (1, 5)
        assert {(r["name"], r["type"], r["data"]) for r in diff["removed"] if r["type"] != "SOA"} == {
            ("a.z.test.", "A", "192.0.2.1"), ("keep.z.test.", "TXT", '"stays"')}
        assert {r["name"] for r in diff["added"] if r["type"] != "SOA"} == {"b.z.test.", "c.z.test."}
        back = node.control("zone", "diff", ZONE, "5", "1")
        assert back["added"] == diff["removed"] and back["removed"] == diff["added"]
        assert node.control("zone", "diff", ZONE, "2")["to"] == 5
        lines = node.command("zone", "diff", ZONE, "2", "5").splitlines()
        assert [line[0] for line in lines] == ["-", "-", "+", "+"]
    assert "no version with serial 3 is kept" in hidden.command("zone", "diff", ZONE, "3", code=1)
    assert "no version is kept" in hidden.command("zone", "history", "nowhere.test", code=1)
    hidden.command("zone", "diff", ZONE, "x", code=2)


def test_export(fleet):
    """Zones of any size, whole or not at all."""
    hidden = fleet.hidden
    many = [f"host{i} A 10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(50000)]
    fleet.publish(ZONE, 2, many)
    wait_pop(fleet, 2)
    fleet.write(ZONE, 3, ["a A 192.0.2.1"])
    assert "shrink-limit" in hidden.command("zone", "publish", ZONE, code=1)
    fleet.publish(ZONE, 3, ["a A 192.0.2.1"], "--force")
    wait_pop(fleet, 3)  # one yes is enough
    path = os.path.join(fleet.folder, "out.zone")
    hidden.command("zone", "export", ZONE, "2", "--output", path)
    zone = dns.zone.from_file(path, ZONE, relativize=False)
    assert len(zone.nodes) == 50002
    with open(path, encoding="ascii") as f:
        text = f.read()
    assert hidden.command("zone", "export", ZONE, "2") == text
    subprocess.run([ZONECAST, "zone", "check", path, ZONE], check=True, capture_output=True)
    before = set(os.listdir(fleet.folder))
    assert "no version with serial 9" in hidden.command("zone", "export", ZONE, "9", "--output", path, code=1)
    with open(path, encoding="ascii") as f:
        assert f.read() == text
    assert set(os.listdir(fleet.folder)) == before
    now = hidden.control("zone", "export", ZONE)
    assert now["serial"] == 3 and {r["type"] for r in now["records"]} == {"SOA", "NS", "A"} and len(now["records"]) == 4
    # Who takes nothing of a large answer keeps nobody from anything.
    idle = [hidden.run("zone", "export", ZONE, "2")[0] for _ in range(3)]
    try:
        assert hidden.serials(ZONE) == [1, 2, 3]
        fleet.publish(ZONE, 4)
        assert serial(hidden.ns, hidden_addresses(0)[0], ZONE) == 4
    finally:
        for p in idle:
            p.kill()
            p.communicate()


def test_ixfr_after_restarts(fleet):
    """The primary's journal tells secondaries what they lack, also of versions that no process has seen."""
    hidden, pop = fleet.hidden, fleet.pops[0]
    wait_pop(fleet, 1)
    pop.stop()
    for number in range(2, 6):
        fleet.publish(ZONE, number, [f"v{number} A 192.0.2.{number}"])
    hidden.kill_role("sync")
    wait_until(lambda: hidden.serials(ZONE) == [1, 2, 3, 4, 5], 20, "the history of a new sync process")
    fleet.publish(ZONE, 6, ["v6 A 192.0.2.6"])
    hidden.stop(signal.SIGKILL)
    fleet.write(ZONE, 7, ["v7 A 192.0.2.7"])  # changed while the node was off
    subprocess.run(["rm", "-rf", hidden.path("run")], check=True)
    hidden.start()
    wait_until(lambda: hidden.serials(ZONE) == [1, 2, 3, 4, 5, 6, 7], 20, lambda: f"versions: {hidden.versions(ZONE)}")
    pop.start()
    wait_pop(fleet, 7)
    sent = [line for line in hidden.log().splitlines() if f"transfer zone={ZONE}." in line]
    assert "kind=differences serial=7" in sent[-1], sent
    assert pop.serials(ZONE) == [1, 2, 3, 4, 5, 6, 7]
    assert pop.control("zone", "export", ZONE)["records"] == hidden.control("zone", "export", ZONE)["records"]


def test_rollback(fleet):
    hidden, pop = fleet.hidden, fleet.pops[0]
    fleet.publish(ZONE, 2, [])  # most of it is gone: a mistake
    wait_pop(fleet, 2)
    good = records(hidden.command("zone", "export", ZONE, "1"))
    assert "holds until" in hidden.command("zone", "rollback", ZONE, "1")
    wait_pop(fleet, 3)
    assert records(pop.command("zone", "export", ZONE)) == good
    assert "kind=differences serial=3" in hidden.log()
    newest = hidden.versions(ZONE)[-1]
    assert (newest["serial"], newest["origin"], newest["who"]) == (3, "rollback", f"to serial 1 by uid {os.getuid()}")
    # It holds: through reloads, a touched file, restarts, and with nothing left but the disk.
    hidden.command("zone", "reload", ZONE)
    hidden.command("reload")
    os.utime(fleet.file(ZONE))
    held = hidden.control("zone", "publish", ZONE)
    assert held["serial"] == 3 and "the file still says what was gone back from, serial 2" in held["problems"][0]
    hidden.kill_role("sync")
    wait_until(lambda: hidden.status()["zones"]["held_back"] == 1, 20, "the new sync process")
    hidden.reboot()
    assert serial(hidden.ns, hidden_addresses(0)[1], ZONE) == 3
    assert hidden.control("zone", "history", ZONE)["held_back"] == {"file_serial": 2}
    assert "1 rolled back and not as their files say" in hidden.run_status()
    # The file counts again when it says something else, with a serial that others can see.
    fleet.write(ZONE, 3, ["new A 192.0.2.9"])
    assert "its serial has not (3)" in hidden.command("zone", "publish", ZONE, code=1)
    assert serial(hidden.ns, hidden_addresses(0)[0], ZONE) == 3
    assert fleet.publish(ZONE, 4, ["new A 192.0.2.9"])["serial"] == 4
    wait_pop(fleet, 4)
    assert hidden.status()["zones"]["held_back"] == 0
    assert "held_back" not in hidden.control("zone", "history", ZONE)
    hidden.reboot()
    assert serial(hidden.ns, hidden_addresses(0)[0], ZONE) == 4
    assert hidden.serials(ZONE) == [1, 2, 3, 4]


def test_rollback_written(fleet):
    """With the file written, file and node agree: the next change starts from there."""
    hidden = fleet.hidden
    fleet.publish(ZONE, 2, [])
    os.chmod(fleet.file(ZONE), 0o664)
    done = hidden.control("zone", "rollback", ZONE, "1", "--write")
    assert (done["serial"], done["from"], done["to"], done["written"]) == (3, 2, 1, True)
    assert os.stat(fleet.file(ZONE)).st_mode & 0o777 == 0o664
    zone = dns.zone.from_file(fleet.file(ZONE), ZONE, relativize=False)
    assert zone.get_soa().serial == 3 and len(zone.nodes) == 4
    assert hidden.control("zone", "publish", ZONE)["problems"] == []
    assert hidden.status()["zones"]["held_back"] == 0
    assert hidden.serials(ZONE) == [1, 2, 3]
    # Back from going back, and again.
    for to, number in ((2, 4), (1, 5), (2, 6)):
        hidden.command("zone", "rollback", ZONE, str(to))
        assert serial(hidden.ns, hidden_addresses(0)[0], ZONE) == number
    assert records(hidden.command("zone", "export", ZONE)) == records(hidden.command("zone", "export", ZONE, "2"))


def test_commands_while_sync_is_restarted(fleet):
    """Sync is restarted for many reasons, once for each configuration also to get a right that it lacks: a command in that moment waits for it."""
    hidden = fleet.hidden
    for i in range(5):
        os.kill(hidden.pid("sync"), signal.SIGKILL)
        if i % 2:
            hidden.command("zone", "publish", ZONE)
        else:
            assert [v["serial"] for v in hidden.versions(ZONE)] == [1]


@pytest.mark.parametrize("words", [("zone", "publish", ZONE), ("zone", "history", ZONE), ("zone", "status", ZONE)], ids=lambda w: w[1])
def test_a_command_that_a_dying_sync_has_taken(fleet, words):
    """Nobody answers what was asked of a process that hangs and is killed for it: the command asks its successor."""
    hidden = fleet.hidden
    pid = hidden.pid("sync")
    os.kill(pid, signal.SIGSTOP)
    assert hidden.command(*words, timeout=45)
    assert hidden.pid("sync") != pid
    age_ms = int(re.search(r"process=sync .* hangs heartbeat_age_ms=(\d+)", hidden.log())[1])
    assert age_ms < 10000 * SLOW  # also of one that has just begun


def test_publish_of_a_file_that_its_account_cannot_read(fleet):
    """Sync goes on with the right to: the command waits for that."""
    fleet.write(ZONE, 2)
    os.chmod(fleet.file(ZONE), 0o600)
    assert fleet.hidden.control("zone", "publish", ZONE)["serial"] == 2
    assert "goes on with the privilege to read all" in fleet.hidden.log()


@pytest.mark.parametrize("restart", [False, True], ids=["at-once", "after-a-reboot"])
def test_a_serial_that_two_versions_had(fleet, restart):
    """Who has the first of them is told the whole of the next version, not what changed since the second."""
    hidden, pop = fleet.hidden, fleet.pops[0]
    fleet.publish(ZONE, 2, ["a A 192.0.2.1"])
    wait_pop(fleet, 2)
    fleet.write(ZONE, 2, ["a A 192.0.2.2"])
    hidden.command("zone", "reload", ZONE, "--force")
    wait_until(lambda: ask(hidden.ns, hidden_addresses(0)[0], "a." + ZONE, "A")[0].address == "192.0.2.2", 20, "the other content")
    if restart:
        hidden.reboot()
    fleet.publish(ZONE, 3, ["a A 192.0.2.2", "b A 192.0.2.3"])
    wait_pop(fleet, 3)
    assert ask(pop.ns, pop_addresses(0)[0], "a." + ZONE, "A")[0].address == "192.0.2.2"
    # The next one is told by differences again.
    sent = hidden.status()["transfers_out"]["ixfr"]
    fleet.publish(ZONE, 4, ["a A 192.0.2.2"])
    wait_pop(fleet, 4)
    assert hidden.status()["transfers_out"]["ixfr"] == sent + 1


def test_rollback_refused(fleet):
    hidden, pop = fleet.hidden, fleet.pops[0]
    wait_pop(fleet, 1)
    assert "go back at its primary" in pop.command("zone", "rollback", ZONE, "1", code=1)
    assert "no version is kept" in hidden.command("zone", "rollback", ZONE, "1", code=1)
    assert "no such zone" in hidden.command("zone", "rollback", "nowhere.test", "1", code=1)
    fleet.publish(ZONE, 2)
    assert "no version with serial 7" in hidden.command("zone", "rollback", ZONE, "7", code=1)
    # A signature over a SOA of another serial would be no good.
    rrsig = "@ RRSIG SOA 13 2 300 20400101000000 20200101000000 1 z.test. AAAA"
    fleet.publish(ZONE, 3, [rrsig])
    fleet.publish(ZONE, 4)
    assert "the zone is signed" in hidden.command("zone", "rollback", ZONE, "3", code=1)
    assert hidden.serials(ZONE) == [1, 2, 3, 4]
    assert serial(hidden.ns, hidden_addresses(0)[0], ZONE) == 4
    assert hidden.status()["zones"]["history_failed"] == 0


def zonemd(fleet, zone, number, lines):
    """Zone file lines with a good ZONEMD."""
    fleet.write(zone, number, lines)
    z = dns.zone.from_file(fleet.file(zone), zone, relativize=False)
    return [*lines, "@ ZONEMD " + z.compute_digest(1).to_text()]


def test_digest(fleet):
    """ZONEMD is made anew for the new serial, verified by the pop, and compared by publish."""
    hidden, pop = fleet.hidden, fleet.pops[0]
    for number in (2, 3):
        fleet.publish(DIGESTED, number, zonemd(fleet, DIGESTED, number, [f"v{number} A 192.0.2.{number}"]))
    wait_pop(fleet, 3, DIGESTED)
    hidden.command("zone", "rollback", DIGESTED, "2")
    wait_pop(fleet, 4, DIGESTED)
    answer = ask(pop.ns, pop_addresses(0)[0], DIGESTED, "ZONEMD")
    path = os.path.join(fleet.folder, "digested.out")
    pop.command("zone", "export", DIGESTED, "--output", path)
    dns.zone.from_file(path, DIGESTED, relativize=False).verify_digest()
    assert [r.serial for r in answer] == [4]
    done = hidden.control("zone", "publish", DIGESTED, "--wait")
    assert done["zonemd"] == [r.to_text().lower() for r in answer] or len(done["zonemd"]) == 1
    assert [p["why"] for p in done["pops"]] == ["answers serial and digest"] * 2


def test_publish(tmp_path):
    """It returns when all pops answer, by both families, and says which do not."""
    fleet = Fleet(tmp_path, [ZONE], pops=2)
    fleet.write(ZONE, 1)
    with fleet:
        hidden = fleet.hidden
        for pop in range(2):
            wait_pop(fleet, 1, pop=pop)
        fleet.write(ZONE, 2, ["a A 192.0.2.1"])
        done = hidden.control("zone", "publish", ZONE, "--wait")
        assert (done["serial"], done["before"], done["follow"]) == (2, 1, True)
        assert {p["address"] for p in done["pops"]} == {*pop_addresses(0), *pop_addresses(1)}
        assert "all 4 addresses" in hidden.command("zone", "publish", ZONE, "--wait")
        # One that does not follow, since nobody reaches it.
        fleet.pops[1].ns.run(["ip", "link", "set", "e0", "down"])
        fleet.write(ZONE, 3, ["b A 192.0.2.1"])
        process, _ = hidden.run("zone", "publish", ZONE, "--wait", "--timeout", "2s", "--json")
        out, err = process.communicate(timeout=60)
        assert process.returncode == 1, out + err
        done = json.loads(out)
        assert done["serial"] == 3 and not done["follow"]
        assert {p["address"]: p["follows"] for p in done["pops"]} == {**{a: True for a in pop_addresses(0)}, **{a: False for a in pop_addresses(1)}}
        assert "2 of 4 addresses do not answer it" in hidden.command("zone", "publish", ZONE, "--wait", "--timeout", "500ms", code=1)
        # A file that is not fit: nothing changes, and the reason is told.
        with open(fleet.file(ZONE), "w", encoding="ascii") as f:
            f.write("$TTL 300\n@ SOA ns1 host 4 1 1 1 1\n@ NS ns1\nns1 A 192.0.2.53\nx CNAME y\nx A 192.0.2.1\n")
        said = hidden.command("zone", "publish", ZONE, code=1)
        assert f"{ZONE}.zone:" in said and "CNAME" in said
        assert serial(hidden.ns, hidden_addresses(0)[0], ZONE) == 3
        assert "publish it at its primary" in fleet.pops[0].command("zone", "publish", ZONE, code=1)


def test_killed(fleet):
    """Killed at any moment, sync goes on with a version that was, and history has no gap that a secondary could fall into."""
    hidden = fleet.hidden
    number = 1
    for turn in range(8):
        for _ in range(3):
            number += 1
            fleet.write(ZONE, number, [f"v{number} A 192.0.2.{number % 200 + 1}", *(f"k{i} A 192.0.2.1" for i in range(turn * 100))])
            hidden.command("zone", "reload", ZONE)
        hidden.kill_role("sync")
        wait_pop(fleet, number)
    wait_until(lambda: hidden.serials(ZONE)[-1] == number, 20, lambda: f"{hidden.versions(ZONE)}")
    for one in hidden.serials(ZONE):
        text = hidden.command("zone", "export", ZONE, str(one))
        if one > 1:
            assert f"v{one}.z.test.\t" in text
    assert records(fleet.pops[0].command("zone", "export", ZONE)) == records(hidden.command("zone", "export", ZONE))


def test_limits(tmp_path):
    fleet = Fleet(tmp_path, [ZONE], more="history: {versions: 4}\n")
    fleet.write(ZONE, 1)
    with fleet:
        for number in range(2, 12):
            fleet.publish(ZONE, number, [f"v{number} A 192.0.2.1"])
        assert fleet.hidden.serials(ZONE) == [7, 8, 9, 10, 11]
        assert "no version with serial 6" in fleet.hidden.command("zone", "export", ZONE, "6", code=1)


@pytest.mark.skipif(missing("named") is not None, reason=str(missing("named")))
def test_bind_after_restart(tmp_path):
    """BIND, which has an older version, gets differences from a primary that has been restarted and lost its run folder."""
    fleet = Fleet(tmp_path, [ZONE])
    fleet.nodes = [fleet.hidden]
    folder = tmp_path / "named"
    folder.mkdir(mode=0o777)
    (folder / "named.conf").write_text(f"""options {{
  directory "{folder}"; pid-file none; session-keyfile none; listen-on {{ {pop_addresses(0)[0]}; }}; listen-on-v6 {{ none; }};
  recursion no; dnssec-validation no; allow-query {{ any; }};
}};
controls {{ }};
zone "{ZONE}" {{ type secondary; primaries {{ {hidden_addresses(0)[0]}; }}; file "zone"; masterfile-format text; min-refresh-time 1; max-refresh-time 2; }};
""", encoding="ascii")
    fleet.write(ZONE, 1, ["a A 192.0.2.1"])
    ns, hidden = fleet.pops[0].ns, fleet.hidden

    def named():
        with open(folder / "log", "ab") as log:
            return ns.popen(["named", "-g", "-c", str(folder / "named.conf")], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def has(number):
        wait_until(lambda: serial(ns, pop_addresses(0)[0], ZONE) == number, 60, lambda: f"{number} at BIND\n{(folder / 'log').read_text()[-3000:]}")

    with fleet:
        bind = named()
        try:
            has(1)
            fleet.publish(ZONE, 2, ["a A 192.0.2.1", "b A 192.0.2.2"])
            has(2)
            stop_process(bind)
            for number in (3, 4):
                fleet.publish(ZONE, number, ["a A 192.0.2.1", f"v{number} A 192.0.2.3"])
            hidden.reboot()
            bind = named()
            has(4)
            sent = [line for line in hidden.log().splitlines() if f"transfer zone={ZONE}." in line]
            assert "kind=differences serial=4" in sent[-1], sent
            assert ask(ns, pop_addresses(0)[0], "v4." + ZONE, "A") is not None
        finally:
            stop_process(bind)
