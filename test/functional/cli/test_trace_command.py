# SPDX-License-Identifier: BSD-2-Clause
"""`zonecast trace` from a machine on which no node runs: the anycast addresses and every node by its own, over both families and transports, and a stranger (BIND) in
place of a node, whose answers differ."""
import json
import os
import subprocess

import pytest

from netns import missing, stop_process, wait_until
from paths import SANITIZED, ZONECAST
from several import Several

WHY = missing(ZONECAST, "named")
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
SLOW = 5 if SANITIZED else 1
NODES = ("hid", "fra", "ams")
LARGE = "".join(f'big TXT "{i:03} {"x" * 200}"\n' for i in range(12))
ZONE = "$TTL 300\n@ SOA ns1 host {serial} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.{serial}\n" + LARGE
ANYCAST = ("192.0.2.53", "2001:db8:35::53")


class Traced(Several):
    """The bridge is somebody's machine, from which the anycast addresses lie behind `served`."""

    def __init__(self, folder):
        super().__init__(folder, NODES)
        self.write("example.zone", ZONE.format(serial=1))
        self.bridge.ip("addr", "add", "10.8.0.99/24", "dev", "br0")
        self.bridge.ip("addr", "add", "2001:db8:8::99/64", "dev", "br0", "nodad")

    def serve_by(self, name):
        self.bridge.ip("route", "replace", f"{ANYCAST[0]}/32", "via", self.v4(name))
        self.bridge.ip("-6", "route", "replace", f"{ANYCAST[1]}/128", "via", self.v6(name))

    def trace(self, *args):
        return subprocess.run(self.bridge.argv([ZONECAST, "trace", *args, "--config", self.path("fleet.yaml")]), capture_output=True,
                              text=True, timeout=120, check=False)

    def trace_json(self, *args):
        done = self.trace(*args, "--json")
        assert done.stdout, done.stderr
        found = json.loads(done.stdout)
        assert done.returncode == (0 if found["agree"] else 1)
        return found

    def all_same(self, *args):
        """Asked until it is so: nodes become ready one after the other, and a packet may be lost."""
        last = {}

        def same():
            last.clear()
            last.update(self.trace_json(*args))
            return last["agree"]
        wait_until(same, 60 * SLOW, lambda: f"the same answers: {last}", interval=0.2)
        return last


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trace")
    os.chmod(folder, 0o755)
    with Traced(folder) as f:
        f.start("hid")
        f.start("fra", "ams")
        f.serve_by("ams")
        yield f


def by_address(found):
    return {a["address"]: a for a in found["answers"]}


@pytest.mark.asan
@pytest.mark.parametrize("tcp", [(), ("--tcp",)])
def test_all_the_same(fleet, tcp):
    found = fleet.all_same("WWW.example", *tcp)
    rows = by_address(found)
    assert set(rows) == {*ANYCAST, *(f(n) for f in (fleet.v4, fleet.v6) for n in NODES)} and found["same"] == 8
    assert (found["zone"], found["network"], found["type"]) == ("example.", "global", "A")
    for a in ANYCAST:
        assert rows[a]["kind"] == "anycast" and rows[a]["node"] is None and rows[a]["nsid"] == "ams"
    for name in NODES:
        for address in (fleet.v4(name), fleet.v6(name)):
            assert rows[address]["node"] == rows[address]["nsid"] == name
    for row in rows.values():
        assert row["rcode"] == "NOERROR" and row["aa"] and row["serial"] == 1 and row["ms"] > 0 and row["digest"] == found["answers"][0]["digest"]
        assert row["transport"] == ("tcp" if tcp else "udp") and row["ede"] == []
    assert found["answers"][0]["records"] == [{"section": "answer", "text": "www.example. 300 IN A 192.0.2.1"}]
    done = fleet.trace("www.example", *tcp)
    assert done.returncode == 0 and done.stdout.endswith("\nAll 8 answers are the same.\n"), done.stdout + done.stderr
    assert f"network global, over {'TCP' if tcp else 'UDP'}" in done.stdout and "NOERROR, authoritative, serial 1, " in done.stdout
    assert "\033" not in done.stdout and all(len(line) <= 80 for line in done.stdout.splitlines())


@pytest.mark.asan
def test_other_questions(fleet):
    """SOA itself, what is not there, and what is larger than an answer over UDP."""
    assert fleet.all_same("example", "SOA")["answers"][0]["serial"] == 1
    none = fleet.all_same("no.such.example", "AAAA")["answers"][0]
    assert none["rcode"] == "NXDOMAIN" and none["serial"] == 1 and [r["section"] for r in none["records"]] == ["authority"]
    large = fleet.all_same("big.example", "TXT")
    assert all(a["transport"] == "tcp" and not a["tc"] for a in large["answers"]) and len(large["answers"][0]["records"]) == 12


def test_source(fleet):
    """From an address: only its family is asked; from one that is not there: nobody can be."""
    fleet.all_same("www.example")
    for source, colon in (("10.8.0.99", False), ("2001:db8:8::99", True)):
        found = fleet.all_same("www.example", "--from", source)
        assert len(found["answers"]) == 4 and all((":" in a["address"]) == colon for a in found["answers"])
    done = fleet.trace("www.example", "--from", "10.8.0.98")
    assert done.returncode == 1 and "Of 4, 4 do not answer." in done.stdout, done.stdout


@pytest.mark.parametrize("args, code, said", [
    (("www.example", "AXFR"), 2, '"AXFR" is no record type that can be asked for'),
    (("www..example",), 2, '"www..example" is no domain name'),
    (("www.example", "A", "--from", "here"), 2, "--from here: no address"),
    ((), 2, "something is missing"),
    (("www.example", "A", "--network", "moon"), 1, 'the fleet file has no network "moon"'),
])
def test_mistakes(fleet, args, code, said):
    done = fleet.trace(*args)
    assert done.returncode == code and said in done.stderr and not done.stdout, done


def named(fleet, name, serial):
    """BIND in place of a node, at its addresses, with another version."""
    folder = fleet.path("bind")
    os.makedirs(folder, exist_ok=True)
    fleet.write("bind/zone", ZONE.format(serial=serial))
    conf = fleet.write("bind/named.conf", f"""options {{
  directory "{folder}"; pid-file "{folder}/named.pid"; session-keyfile "{folder}/session.key"; server-id "stranger";
  listen-on {{ {fleet.v4(name)}; }}; listen-on-v6 {{ {fleet.v6(name)}; }}; recursion no; dnssec-validation no; minimal-responses yes; notify no;
}};
controls {{ }};
zone "example" {{ type primary; file "{folder}/zone"; }};
""")
    with open(fleet.path("bind", "log"), "wb") as log:
        return fleet.ns[name].popen(["named", "-g", "-n", "1", "-c", conf], stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def test_differences(fleet):
    """One is not the node and has another version: who, and what differs, record by record. Then nobody is there: who is silent, by name. The others agree all the time."""
    fleet.all_same("www.example")
    fleet.serve_by("fra")
    fleet.stop("ams")
    process = None
    last = {}

    def told(condition):
        last.clear()
        last.update(fleet.trace_json("www.example"))
        return condition(last)
    try:
        wait_until(lambda: told(lambda f: (f["same"], f["silent"]) == (6, 2)), 60 * SLOW, lambda: f"ams is silent: {last}", interval=0.2)
        assert {a["node"] for a in last["answers"] if not a["answered"]} == {"ams"} and all(a["why"] for a in last["answers"] if not a["answered"])
        done = fleet.trace("www.example")
        assert done.returncode == 1 and "\nno answer: 2 of 8\n  ams " in done.stdout and "Of 8, 2 do not answer." in done.stdout, done.stdout
        process = named(fleet, "ams", 2)
        wait_until(lambda: told(lambda f: (f["same"], f["different"]) == (6, 2)), 60 * SLOW, lambda: f"BIND answers: {last}", interval=0.2)
        rows = by_address(last)
        for address in (fleet.v4("ams"), fleet.v6("ams")):
            row = rows[address]
            assert row["nsid"] == "stranger" and row["serial"] == 2 and not row["same"] and "somebody else" in row["stranger"], row
        assert not rows[fleet.v4("fra")]["stranger"] and rows[ANYCAST[0]]["nsid"] == "fra"
        done = fleet.trace("www.example")
        assert done.returncode == 1, done.stdout
        for said in ("\ndifferent: 2 of 8\n  ams ", "-> stranger\n", "    serial   1     ", "    - www.example. 300 IN A 192.0.2.1\n", "    + www.example. 300 IN A 192.0.2.2\n",
                     "Of 8, 2 answer differently."):
            assert said in done.stdout, (said, done.stdout)
    finally:
        if process:
            stop_process(process)
        fleet.start("ams")
    fleet.all_same("www.example")
