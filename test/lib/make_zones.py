#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Big zones for tests and benchmarks, the same for the same arguments.

  make_zones.py tld N [--origin NAME] [--shuffle] > FILE   one zone of N delegations: 2 NS each; one in ten with glue (2 A, 2 AAAA), one in ten with DS
  make_zones.py hosting N FOLDER                           N small zones in files FOLDER/NAME.zone
"""
import argparse
import hashlib
import pathlib
import random
import sys


def label(i):
    """Spread over the alphabet like registered names, and unique."""
    return hashlib.md5(b"%d" % i).hexdigest()[:6] + "-%x" % i


def delegation(i):
    name = label(i)
    lines = []
    if i % 10 == 0:
        for n in (1, 2):
            lines.append(f"{name} NS ns{n}.{name}\n")
            lines.append(f"ns{n}.{name} A 192.0.{i >> 8 & 255}.{i & 255}\n")
            lines.append(f"ns{n}.{name} AAAA 2001:db8:{i >> 16:x}:{i & 65535:x}::{n}\n")
    else:
        for n in (1, 2):
            lines.append(f"{name} NS ns{n}.hoster{i % 997}.example.\n")
    if i % 10 == 1:
        lines.append(f"{name} DS {i & 65535} 13 2 {hashlib.sha256(name.encode()).hexdigest()}\n")
    return lines


def tld(n, origin, shuffle, out):
    out.write(f"$ORIGIN {origin}\n$TTL 86400\n@ SOA a.nic hostmaster.nic 2026112100 1800 900 604800 3600\n@ NS a.nic\n@ NS b.nic\n"
              "a.nic A 192.0.2.1\na.nic AAAA 2001:db8::1\nb.nic A 192.0.2.2\nb.nic AAAA 2001:db8::2\n")
    if shuffle:
        lines = [line for i in range(n) for line in delegation(i)]
        random.Random(1).shuffle(lines)
        out.writelines(lines)
        return
    for i in sorted(range(n), key=label):
        out.writelines(delegation(i))


def hosting(n, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        a, b = i >> 8 & 255, i & 255
        (folder / f"{label(i)}.example.zone").write_text(
            f"$TTL 3600\n@ SOA ns1.hoster.test. hostmaster.hoster.test. {2026112100 + i % 100} 3600 900 1209600 300\n"
            f"@ NS ns1.hoster.test.\n@ NS ns2.hoster.test.\n@ A 192.0.{a}.{b}\n@ AAAA 2001:db8:{i >> 16:x}:{i & 65535:x}::1\n"
            f"@ MX 10 mail\n@ TXT \"v=spf1 mx -all\"\nwww CNAME @\nmail A 192.0.{a}.{b}\n*.web A 192.0.{a}.{b}\n"
            f"_dmarc TXT \"v=DMARC1; p=reject\"\n")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(dest="kind", required=True)
    one = sub.add_parser("tld")
    one.add_argument("n", type=int)
    one.add_argument("--origin", default="tld.")
    one.add_argument("--shuffle", action="store_true")
    many = sub.add_parser("hosting")
    many.add_argument("n", type=int)
    many.add_argument("folder", type=pathlib.Path)
    a = p.parse_args()
    if a.kind == "tld":
        tld(a.n, a.origin, a.shuffle, sys.stdout)
    else:
        hosting(a.n, a.folder)


if __name__ == "__main__":
    main()
