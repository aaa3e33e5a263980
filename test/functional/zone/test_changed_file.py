# SPDX-License-Identifier: BSD-2-Clause
"""A zone file in which little has changed is not built anew: the difference is applied. What is answered then is what a node that has read the file
for the first time answers."""
import re
import subprocess
import time

import dns.message
import dns.query
import dns.rcode
import pytest

from paths import ZONECAST
from servers import Zonecast

NAMES = 400
DEADLINE_S = 30


def lines(serial):
    out = [f"@ 3600 SOA ns1 host {serial} 3600 600 86400 60", "@ 3600 NS ns1", "ns1 3600 A 192.0.2.1", "ns1 3600 AAAA 2001:db8::1"]
    for i in range(NAMES):
        out.append(f"n{i} 300 A 192.0.2.{i % 250}")
        out.append(f"n{i} 300 TXT \"text {i}\"")
    return out


def changed(rows, *changes):
    """Rows without those that begin with a change's first word, and with its second added."""
    for old, new in changes:
        rows = [r for r in rows if not old or not r.startswith(old)] + ([new] if new else [])
    return rows


# What is done to the file, records removed and added (None: the zone is built anew), names to ask.
CASES = [
    ("serial", [], (1, 1), ["n1", "n2"]),
    ("address", [("n7 300 A", "n7 300 A 198.51.100.7")], (2, 2), ["n7", "n8"]),
    ("name comes, below nothing", [("", "a.b.c.d 300 A 192.0.2.9")], (1, 2), ["a.b.c.d", "b.c.d", "x.c.d", "d"]),
    ("name goes", [("n9 ", "")], (3, 1), ["n9", "x.n9", "n10"]),
    ("wildcard", [("", "*.n11 300 TXT wild")], (1, 2), ["n11", "x.n11", "x.y.n11", "n12"]),
    ("delegation over names", [("n13 ", "n13 300 NS ns.n13"), ("", "ns.n13 300 A 192.0.2.13")], (3, 3), ["n13", "x.n13", "ns.n13"]),
    ("TTL", [("n14 300 TXT", "n14 900 TXT \"text 14\"")], (2, 2), ["n14"]),
    ("case", [("n15 ", "N15 300 A 192.0.2.15")], (3, 2), ["n15"]),
    ("alias", [("n16 ", "n16 300 CNAME n17")], (3, 2), ["n16", "n17"]),
    ("much", [("n1", "n1 300 A 192.0.2.77"), ("n2", "")], None, ["n1", "n2", "n3"]),
]


def wait_for(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def serial_of(node):
    reply = dns.query.udp(dns.message.make_query("example.", "SOA"), "127.0.0.1", timeout=5, port=node.port)
    return reply.answer[0][0].serial


def ask(node, where, name, qtype):
    reply = dns.query.udp(dns.message.make_query(name, qtype, want_dnssec=True), where, timeout=5, port=node.port)
    return dns.rcode.to_text(reply.rcode()), int(reply.flags), [sorted(r.to_text() for r in s) for s in reply.sections[1:]]


def write(path, rows):
    path.write_text("\n".join(rows) + "\n")


@pytest.mark.asan
def test_a_changed_file(tmp_path):
    path = tmp_path / "example.zone"
    rows = lines(1)
    write(path, rows)
    with Zonecast(str(tmp_path / "one"), {"example.": str(path)}) as node:
        for number, (what, changes, counts, names) in enumerate(CASES, 2):
            rows = changed(rows, ("@ 3600 SOA", f"@ 3600 SOA ns1 host {number} 3600 600 86400 60"), *changes)
            write(path, rows)
            subprocess.run([ZONECAST, "zone", "reload", "example", "--run-dir", node.path("run")], check=True, capture_output=True, timeout=60)
            wait_for(lambda number=number: serial_of(node) == number, what)
            wait_for(lambda number=number: f"zone=example. serial={number} " in node.log(), what)
            said = re.search(rf"zone=example\. serial={number} records=(\d+)(?: removed=(\d+) added=(\d+))? read_ms=", node.log())
            assert said, what
            assert int(said[1]) == len(rows), what
            assert (counts is None) == (said[2] is None), what
            if counts:
                assert (int(said[2]), int(said[3])) == counts, what
            with Zonecast(str(tmp_path / f"fresh{number}"), {"example.": str(path)}) as fresh:
                for where in ("127.0.0.1", "::1"):
                    for name in [n + ".example." for n in names] + ["example.", "zz.example."]:
                        for qtype in ("A", "TXT", "NS", "AAAA"):
                            assert ask(node, where, name, qtype) == ask(fresh, where, name, qtype), (what, where, name, qtype)
