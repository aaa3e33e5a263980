# SPDX-License-Identifier: BSD-2-Clause
"""The node as a primary of zone files: a file that is saved is served at once, however it was saved; the gate that it passes: serials, digests, zones that
shrink; what is remembered over a reboot."""
import json
import os
import shutil
import time

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
import dns.zone
import pytest

from netns import missing
from paths import SANITIZED
from secondary import Apart, Holder, Zone
from servers import Zonecast
from transfers import wait

ZONE = "saved.test"


class FileZone:
    key = None

    def __init__(self, name, file, more=""):
        self.name, self.file, self.more = name, file, more

    def yaml(self):
        return f'  - {{name: "{self.name}", file: "{self.file}"{self.more}}}\n'


def text(serial, records=0, more=""):
    return (f"$TTL 300\n@ SOA ns1 host {serial} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.1\n{more}"
            + "".join(f"n{i} A 192.0.2.{i % 250}\n" for i in range(records)))


def save(path, content):
    """As careful programs do."""
    with open(f"{path}.new", "w", encoding="ascii") as f:
        f.write(content)
    os.rename(f"{path}.new", path)


@pytest.fixture(name="apart", scope="module")
def apart_fixture():
    if missing("ip") is not None:
        pytest.skip(str(missing("ip")))
    with Apart() as apart:
        yield apart


def node_of(tmp_path, more="", content=None):
    os.makedirs(tmp_path / "zones", exist_ok=True)
    path = tmp_path / "zones" / "saved.zone"
    save(path, content or text(1))
    return path, Holder(str(tmp_path), [FileZone(ZONE, path, more)])


def zones_of(node):
    return json.loads(node.command("status", "--json").stdout)["zones"]


def test_ways_to_save(apart, tmp_path):
    path, holder = node_of(tmp_path)
    with holder as node:
        wait(lambda: node.serial(ZONE) == 1, "the zone")
        wait(lambda: zones_of(node)["watched_folders"] == 1, "the folder is watched")
        took = []

        def is_served(serial, how):
            began = time.monotonic()
            wait(lambda: node.serial(ZONE) == serial, f"serial {serial}, {how}: {node.told(ZONE)} {node.log()[-2000:]}")
            took.append(time.monotonic() - began)

        path.write_text(text(2))
        is_served(2, "written in place")
        save(path, text(3))
        is_served(3, "renamed")
        # vi: the old one is renamed, a new one written
        os.rename(path, f"{path}~")
        path.write_text(text(4))
        is_served(4, "renamed away and written")
        with open(path, "a", encoding="ascii") as f:
            f.write("@ 300 TXT \"not closed yet\"\n")
            f.flush()
            assert node.serial(ZONE) == 4
            f.seek(0)
            f.truncate()
            f.write(text(5))
        is_served(5, "closed")
        other = tmp_path / "other"
        other.mkdir()
        (other / "a.zone").write_text(text(6))
        os.symlink(other / "a.zone", f"{path}.link")
        os.rename(f"{path}.link", path)
        is_served(6, "a link in its place")
        (other / "a.zone").write_text(text(7))
        is_served(7, "the link's target written")
        path.unlink()
        (other / "b.zone").write_text(text(8))
        os.symlink("../other/b.zone", path)
        is_served(8, "a new link")
        path.unlink()
        (other / "c.zone").write_text(text(9))
        os.link(other / "c.zone", path)
        is_served(9, "a hard link")
        path.unlink()
        # Long enough for a reading that would take the zone away: what is gone is no reason to.
        path.parent.rename(tmp_path / "elsewhere")
        wait(lambda: zones_of(node)["unwatched_folders"] == 1, "the folder has gone")
        assert node.serial(ZONE) == 9
        path.parent.mkdir()
        path.write_text(text(10))
        is_served(10, "the folder is back")
        path.write_text(text(11))
        is_served(11, "and watched")
        # The waits are for the loop of this test, too; the folder that was away is asked for once a second.
        quick = sorted(took)[len(took) // 2]
        print(f"saved to served: median {quick * 1000:.0f} ms, all {[round(t * 1000) for t in took]}")
        assert quick < (5 if SANITIZED else 1)
        assert zones_of(node)["saved"] >= 9


def test_swapped_folder(apart, tmp_path):
    """All files of a folder exchanged by one rename of a link, as container platforms do with what they mount."""
    zones = tmp_path / "mounted"
    for n in (1, 2, 3):
        (zones / f"..{n}").mkdir(parents=True)
        (zones / f"..{n}" / "saved.zone").write_text(text(n))
    os.symlink("..1", zones / "..data")
    os.symlink("..data/saved.zone", zones / "saved.zone")
    with Holder(str(tmp_path), [FileZone(ZONE, zones / "saved.zone")]) as node:
        wait(lambda: node.serial(ZONE) == 1, "the zone")
        wait(lambda: zones_of(node)["watched_folders"] == 2, "both folders are watched")
        for n in (2, 3):
            os.symlink(f"..{n}", zones / "..next")
            os.rename(zones / "..next", zones / "..data")
            wait(lambda n=n: node.serial(ZONE) == n, f"the folder of {n}")


def test_includes(apart, tmp_path):
    part = tmp_path / "part.inc"
    part.write_text("in A 192.0.2.7\n")
    path, holder = node_of(tmp_path, content=text(1, more=f"$INCLUDE {part}\n"))

    def address(node):
        reply = node.ask(f"in.{ZONE}", "A")
        return reply.answer[0][0].address if reply and reply.answer else None

    with holder as node:
        wait(lambda: address(node) == "192.0.2.7", "the zone")
        wait(lambda: zones_of(node)["watched_folders"] == 2, "both folders are watched")
        part.write_text("in A 192.0.2.8\n")
        wait(lambda: address(node) == "192.0.2.8", "the include saved")
        # Broken in a file that no version has included yet, and mended there.
        late = tmp_path / "late" / "late.inc"
        late.parent.mkdir()
        late.write_text("late BOGUS x\n")
        save(path, text(2, more=f"$INCLUDE {part}\n$INCLUDE {late}\n"))
        wait(lambda: node.told(ZONE)["state"] == "failing", "the mistake is told")
        assert "late.inc:1" in node.told(ZONE)["error"]
        assert node.serial(ZONE) == 1
        late.write_text("late A 192.0.2.9\n")
        wait(lambda: node.serial(ZONE) == 2, "mended")


def test_bad_file(apart, tmp_path):
    path, holder = node_of(tmp_path)
    with holder as node:
        wait(lambda: node.serial(ZONE) == 1, "the zone")
        before = zones_of(node)
        assert before["failing"] == 0
        save(path, "$TTL 300\n@ SOA ns1 host 2 3600 600 86400 60\n")
        wait(lambda: node.told(ZONE)["state"] == "failing", "the mistake is told")
        told = node.told(ZONE)
        assert "NS" in told["error"] and told["serial"] == 1 and told["file"] == str(path)
        assert node.serial(ZONE) == 1
        wait(lambda: zones_of(node)["failing"] == 1, "counted")
        assert "the last good version stays" in node.log()
        shown = node.command("zone", "status").stdout
        assert str(path)[:24] in shown and "failing" in shown
        save(path, text(2))
        wait(lambda: node.serial(ZONE) == 2, "mended")
        wait(lambda: zones_of(node)["failing"] == 0, "counted")
        assert node.told(ZONE)["state"] == "fresh" and "error" not in node.told(ZONE)


def test_watch_off(apart, tmp_path):
    path, holder = node_of(tmp_path, ", watch: false")
    with holder as node:
        wait(lambda: node.serial(ZONE) == 1, "the zone")
        save(path, text(2))
        other = tmp_path / "zones" / "watched.zone"
        save(other, text(1))
        node.configure([FileZone(ZONE, path, ", watch: false"), FileZone("watched.test", other)])
        # A reload looks at all files: the next change is the one that must not be seen.
        assert node.command("reload").returncode == 0
        wait(lambda: node.serial("watched.test") == 1 and node.serial(ZONE) == 2, "both")
        wait(lambda: zones_of(node)["watched_folders"] == 1, "the folder is watched")
        save(path, text(3))
        save(other, text(2))
        wait(lambda: node.serial("watched.test") == 2, "the other")
        assert node.serial(ZONE) == 2
        assert node.command("zone", "reload", ZONE).returncode == 0
        wait(lambda: node.serial(ZONE) == 3, "told to")


def test_stand_alone_folder(tmp_path):
    first = tmp_path / "first"
    first.write_text(text(1))
    with Zonecast(str(tmp_path), {"first.test.": str(first)}) as node:
        def rcode(zone, where="127.0.0.1"):
            try:
                return dns.query.udp(dns.message.make_query(zone, "SOA"), where, timeout=5, port=node.port).rcode()
            except (dns.exception.Timeout, OSError):
                return None

        def serial(zone, where="::1"):
            reply = dns.query.udp(dns.message.make_query(zone, "SOA"), where, timeout=5, port=node.port)
            return reply.answer[0][0].serial if reply.answer else None

        zones = tmp_path / "zonecast" / "zones"
        first.write_text(text(2))
        wait(lambda: serial("first.test") == 2, "the link's target is saved")
        (zones / "second.test.zone").write_text(text(7))
        wait(lambda: serial("second.test") == 7, "a new file")
        # Same serial, and one that goes back: nobody has asked for guards.
        (zones / "second.test.zone").write_text(text(7, more="new A 192.0.2.2\n"))
        wait(lambda: rcode("new.second.test") == 0, "the same serial")
        (zones / "second.test.zone").write_text(text(3))
        wait(lambda: serial("second.test") == 3, "an older serial")
        assert "goes back" in node.log() and "its serial has not" in node.log()
        (zones / "second.test.zone").unlink()
        wait(lambda: rcode("second.test") == 5, "its file is gone")
        assert rcode("first.test") == 0


# Policy, further options, steps: content and serial of the file, --force, serial served then (None: refused).
FOLLOWED = ", allow-transfer: [127.0.0.1/32]"
STEPS = {
    "keep": ("keep", FOLLOWED, [("a", 10, False, 10), ("b", 10, False, None), ("b", 11, False, 11), ("c", 5, False, None), ("c", 11, False, None),
                                ("c", 5, True, 5), ("d", 5, True, 5), ("e", 4000000000, False, None), ("e", 2147483652, False, 2147483652)]),
    "keep, nobody follows": ("keep", "", [("a", 10, False, 10), ("b", 10, False, 10), ("c", 9, False, None)]),
    "increment": ("increment", FOLLOWED, [("a", 10, False, 10), ("b", 10, False, 11), ("b", 10, False, 11), ("b", 7, False, 11), ("c", 10, False, 12),
                                          ("d", 12, False, 13), ("e", 100, False, 100), ("f", 20, False, 101), ("g", 4294967295, True, 4294967295),
                                          ("h", 4294967295, False, 0)]),
}


def content(word):
    return f"word TXT {word}\n"


def word_of(node):
    reply = node.ask(f"word.{ZONE}", "TXT")
    return reply.answer[0][0].strings[0].decode() if reply and reply.answer else None


@pytest.mark.parametrize("case", STEPS)
def test_serials(apart, tmp_path, case):
    policy, more, steps = STEPS[case]
    path, holder = node_of(tmp_path, f", serial: {policy}, watch: false{more}", content=text(steps[0][1], more=content(steps[0][0])))
    with holder as node:
        wait(lambda: node.serial(ZONE) == steps[0][3], "the first version")
        served = (steps[0][0], steps[0][3])
        for word, serial, force, want in steps[1:]:
            log = len(node.log())
            save(path, text(serial, more=content(word)))
            assert node.command("zone", "reload", ZONE, *(["--force"] if force else [])).returncode == 0
            if want is None:
                wait(lambda log=log: "the last good version stays" in node.log()[log:], f"{word} {serial} refused")
                assert node.told(ZONE)["state"] == "failing" and "serial" in node.told(ZONE)["error"]
            else:
                served = (word, want)
                wait(lambda log=log: "zones configured=" in node.log()[log:], f"{word} {serial} read")
                wait(lambda: node.told(ZONE)["state"] == "fresh", "no error")
            assert (word_of(node), node.serial(ZONE)) == served


@pytest.mark.parametrize("policy", ["unixtime", "date"])
def test_serials_of_time(apart, tmp_path, policy):
    def now():
        return int(time.time()) if policy == "unixtime" else int(time.strftime("%Y%m%d00", time.gmtime()))

    path, holder = node_of(tmp_path, f", serial: {policy}{FOLLOWED}", content=text(1, more=content("a")))
    with holder as node:
        wait(lambda: node.serial(ZONE) == 1, "the first version")
        before = 1
        for word in "bcd":
            early = now()
            save(path, text(1, more=content(word)))
            wait(lambda word=word: word_of(node) == word, f"version {word}")
            serial = node.serial(ZONE)
            assert serial > before and early <= serial <= now() + 10
            before = serial


def test_serial_survives_reboot(apart, tmp_path):
    path, holder = node_of(tmp_path, f", serial: increment{FOLLOWED}", content=text(1, more=content("a")))
    with holder as node:
        wait(lambda: node.serial(ZONE) == 1, "the first version")
        for n, word in enumerate("bcd"):
            save(path, text(1, more=content(word)))
            wait(lambda n=n: node.serial(ZONE) == n + 2, f"version {word}")
        node.kill()
    holder.reboot()
    with holder as node:
        wait(lambda: node.serial(ZONE) == 4, "the same file has the same serial")
        assert word_of(node) == "d"
    holder.reboot()
    save(path, text(1, more=content("e")))
    with holder as node:
        wait(lambda: node.serial(ZONE) == 5, "another file goes on from there")
        assert word_of(node) == "e"
        save(path, text(50, more=content("f")))
        wait(lambda: node.serial(ZONE) == 50, "the file's own, ahead")
    holder.reboot()
    with holder as node:
        wait(lambda: node.serial(ZONE) == 50, "still")


def test_serial_and_digest_of_a_large_zone(apart, tmp_path):
    """Large zones are compared by fingerprints: these are of the version with its new serial and digest, not of the file."""
    path, holder = node_of(tmp_path, f", serial: increment, zonemd: compute{FOLLOWED}", content=text(1, 25000, content("a")))
    with holder as node:
        wait(lambda: node.serial(ZONE) == 1, "the first version")
        for n, word in enumerate("bcd"):
            save(path, text(1, 25000, content(word)))
            wait(lambda n=n: node.serial(ZONE) == n + 2, f"version {word}: {node.log()[-1000:]}")
            assert word_of(node) == word
            assert node.ask(ZONE, "ZONEMD").answer[0][0].serial == n + 2
        save(path, text(40, 25000, content("d")))
        wait(lambda: node.serial(ZONE) == 40, "the file's own serial, and nothing else")
        assert node.ask(ZONE, "ZONEMD").answer[0][0].serial == 40


def test_signed_zones_get_no_serial(apart, tmp_path):
    key = "@ DNSKEY 257 3 13 ICqHQXzk6cZvzeSXg7zNAAp1eiJd4xwA+4Vj2R2oU3HQsyTgfpBXSGlmGQfKwFLDMZcLb4TIk0iLb7zLQUgHfA==\n"
    path, holder = node_of(tmp_path, f", serial: increment{FOLLOWED}", content=text(1, more=key))
    with holder as node:
        wait(lambda: node.serial(ZONE) == 1, "the first version")
        save(path, text(1, more=key + content("b")))
        wait(lambda: "signed" in node.told(ZONE).get("error", ""), "refused")
        assert node.serial(ZONE) == 1 and word_of(node) is None
        save(path, text(2, more=key + content("b")))
        wait(lambda: node.serial(ZONE) == 2, "signed anew")


def test_shrinking_file(apart, tmp_path):
    path, holder = node_of(tmp_path, ", shrink-limit: 30", content=text(1, 1000))
    with holder as node:
        wait(lambda: node.serial(ZONE) == 1, "the zone")
        save(path, text(2, 600))
        wait(lambda: "shrink-limit" in node.told(ZONE).get("error", ""), "refused")
        assert "400 of its 1003 records" in node.told(ZONE)["error"]
        assert node.serial(ZONE) == 1
        assert zones_of(node)["refused"] == 1
        save(path, text(3, 750))
        wait(lambda: node.serial(ZONE) == 3, "not too much")
        save(path, text(4, 2))
        wait(lambda: "shrink-limit" in node.told(ZONE).get("error", ""), "refused again")
        assert node.command("zone", "reload", "--force").returncode == 2
        assert node.command("zone", "reload", ZONE, "--force").returncode == 0
        wait(lambda: node.serial(ZONE) == 4, "an explicit yes")
        # A yes is for one reading, and small zones may come and go.
        save(path, text(5, 90))
        wait(lambda: node.serial(ZONE) == 5, "small")
        save(path, text(6))
        wait(lambda: node.serial(ZONE) == 6, "smaller")


class Source(Zonecast):
    name = "source"
    extra = ("--allow-transfer", "127.0.0.1/32")


@pytest.mark.parametrize("records,left", [(1000, 300), (6000, 100)], ids=["differences", "whole"])
def test_shrinking_transfer(apart, tmp_path, records, left):
    path = tmp_path / "zone"
    save(path, text(1, records))
    with Source(str(tmp_path), {f"{ZONE}.": str(path)}) as source, Holder(str(tmp_path), [Zone(ZONE, [source])]) as node:
        wait(lambda: node.serial(ZONE) == 1, "the zone")
        save(path, text(2, left))
        wait(lambda: dns.query.udp(dns.message.make_query(ZONE, "SOA"), "127.0.0.1", port=source.port, timeout=5).answer[0][0].serial == 2, "the primary")
        assert node.command("zone", "reload", ZONE).returncode == 0
        wait(lambda: "shrink-limit" in node.told(ZONE).get("error", ""), lambda: f"refused: {node.told(ZONE)}")
        assert f"{records - left} of its {records + 3} records" in node.told(ZONE)["error"]
        assert node.serial(ZONE) == 1 and node.counters()["refused"] >= 1
        assert node.command("zone", "retransfer", ZONE).returncode == 0
        wait(lambda: node.counters()["refused"] >= 2, "refused again")
        assert node.serial(ZONE) == 1
        assert node.command("zone", "retransfer", ZONE, "--force").returncode == 0
        wait(lambda: node.serial(ZONE) == 2, "an explicit yes")
        # It is answered before the disk has it, and told after.
        wait(lambda: node.told(ZONE)["state"] == "fresh", "no error")


def transferred(node, address="127.0.0.1"):
    return dns.zone.from_xfr(dns.query.xfr(address, ZONE, port=53, timeout=10, relativize=False), relativize=False)


def test_zonemd_computed(apart, tmp_path):
    more = f', zonemd: compute, serial: increment, allow-transfer: [127.0.0.1/32, "::1/128"]'
    path, holder = node_of(tmp_path, more, content=text(1, 300))
    with holder as node:
        wait(lambda: node.serial(ZONE) == 1, "the zone")
        for serial in (1, 2, 3):
            for address in ("127.0.0.1", "::1"):
                zone = transferred(node, address)
                zone.verify_digest()
                assert len(zone.find_rdataset(f"{ZONE}.", "ZONEMD")) == 1
                assert zone.find_rdataset(f"{ZONE}.", "ZONEMD")[0].serial == serial
                assert zone.find_rdataset(f"{ZONE}.", "ZONEMD").ttl == 300
            save(path, text(1, 300, content(f"w{serial}") + "@ ZONEMD 1 1 1 " + "00" * 48 + "\n@ ZONEMD 1 1 2 " + "00" * 64 + "\n"))
            wait(lambda serial=serial: node.serial(ZONE) == serial + 1, "another version")
        # The same content, whatever digest the file claims, is the same version.
        log = len(node.log())
        save(path, text(1, 300, content("w3")))
        wait(lambda: "zones configured=" in node.log()[log:], "read")
        assert node.serial(ZONE) == 4
        transferred(node).verify_digest()


def test_zonemd_verified(apart, tmp_path):
    bad = "@ ZONEMD {} 1 1 " + "ab" * 48 + "\n"
    path, holder = node_of(tmp_path, content=text(1))
    with holder as node:
        wait(lambda: node.serial(ZONE) == 1, "the zone")
        save(path, text(2, more=bad.format(2)))
        wait(lambda: "ZONEMD" in node.told(ZONE).get("error", ""), "refused")
        assert node.serial(ZONE) == 1
        save(path, text(3, more=bad.format(2)))
        wait(lambda: node.serial(ZONE) == 3, "a digest of another version says nothing")
        node.configure([FileZone(ZONE, path, ", zonemd: off")])
        assert node.command("reload").returncode == 0
        save(path, text(4, more=bad.format(4)))
        wait(lambda: node.serial(ZONE) == 4, "not looked at")
        # Turned on, it is computed without a change of the file.
        save(path, text(5))
        wait(lambda: node.serial(ZONE) == 5, "another version")
        node.configure([FileZone(ZONE, path, ", zonemd: compute")])
        assert node.command("reload").returncode == 0
        wait(lambda: node.ask(ZONE, "ZONEMD").answer, "a digest")


def test_digest(apart, tmp_path):
    """Of the content: whatever the order of the file, and with the serial as every other record."""
    path, holder = node_of(tmp_path, ", zonemd: compute", content=text(1, 30000))

    def digest(node):
        done = node.command("zone", "show", ZONE, "--digest", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    with holder as node:
        wait(lambda: node.serial(ZONE) == 1, "the zone")
        first = digest(node)
        assert first["serial"] == 1 and first["records"] == 30004 and len(first["digest"]) == 64
        assert first["zonemd_sha384"] == node.ask(ZONE, "ZONEMD").answer[0][0].digest.hex()
        save(path, text(2, 30000))
        wait(lambda: node.serial(ZONE) == 2, "another serial")
        second = digest(node)
        assert second["digest"] != first["digest"] and second["zonemd_sha384"] != first["zonemd_sha384"]
        rows = text(1, 30000).splitlines()
        save(path, "\n".join(rows[:1] + rows[:0:-1]) + "\n")
        assert node.command("zone", "reload", ZONE, "--force").returncode == 0
        wait(lambda: node.serial(ZONE) == 1, "the first again")
        assert digest(node) == first
        shown = node.command("zone", "show", ZONE, "--digest").stdout
        assert first["digest"] in shown and first["zonemd_sha384"] in shown


def test_many_saved_at_once(apart, tmp_path):
    """More than are kept by name: all are looked at."""
    count = 300 if SANITIZED else 3000
    folder = tmp_path / "many"
    folder.mkdir()
    zones = []
    for i in range(count):
        (folder / f"z{i}.zone").write_text(text(1))
        zones.append(FileZone(f"z{i}.test", folder / f"z{i}.zone"))
    with Holder(str(tmp_path), zones) as node:
        wait(lambda: zones_of(node)["watched_folders"] == 1, "watched")
        for i in range(count):
            save(folder / f"z{i}.zone", text(2))
        wait(lambda: all(node.serial(f"z{i}.test") == 2 for i in range(0, count, 97)) and node.serial(f"z{count - 1}.test") == 2, "all")
        done = node.told()
        assert len(done) == count and all(z["serial"] == 2 and z["state"] == "fresh" for z in done)
    shutil.rmtree(folder)
