# SPDX-License-Identifier: BSD-2-Clause
"""The zones that are served and the questions that are asked: the same on every machine (signatures excepted), kept between runs.

A set is a folder of the cache with
    zones.list     lines NAME FILE
    questions.*    lines NAME TYPE RCODE, in the order they are asked: hot, unique, nx, mixed
    probe          such lines too: all are answered once the whole set is loaded
    about.json     records, zones, queries
The cache is $BENCH_CACHE, default /var/cache/zonecast-bench; a set is written beside its place and moved there when it is whole.
"""
import itertools
import json
import os
import random
import shutil
import subprocess

CACHE = os.environ.get("BENCH_CACHE", "/var/cache/zonecast-bench")
FORM = 1  # goes up when what is generated changes
QUERIES = 500_000
SERIAL = 1_000_000_001  # in every SOA: ten digits, so that a change of it keeps the file's other octets in place
SOA = "{0} 3600 SOA ns1.{0} hostmaster.{0} " + str(SERIAL) + " 3600 900 604800 300"
SYLLABLES = [c + v for c in "bcdfghjklmnprstvwz" for v in "aeiou"]


def labels(rng, count):
    """Distinct labels that can be spoken, of 6 to 14 octets, sorted."""
    seen = set()
    while len(seen) < count:
        label = "".join(rng.choices(SYLLABLES, k=rng.choice((3, 4, 4, 5, 5, 6))))
        seen.add(label + str(rng.randrange(100)) if rng.random() < 0.1 else label)
    return sorted(seen)


def v4(rng):
    return f"198.18.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def v6(rng):
    return f"2001:db8:{rng.randrange(65536):x}::{rng.randrange(1, 65536):x}"


def zipf(rng, population, count):
    """So many draws; the r-th most popular has weight 1/r, and popularity has nothing to do with order."""
    ranked = list(population)
    rng.shuffle(ranked)
    weights = list(itertools.accumulate(1 / r for r in range(1, len(ranked) + 1)))
    return rng.choices(ranked, cum_weights=weights, k=count)


def no_name(rng):
    """A label that no zone here has (they have no hyphen), long enough for the generator to make new."""
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randrange(8, 15))) + "-0"


class Set:
    def __init__(self, path):
        self.path = path
        os.makedirs(os.path.join(path, "zones"))
        self.list = open(os.path.join(path, "zones.list"), "w", encoding="ascii")
        self.about = {"form": FORM, "records": 0, "zones": 0}

    def add_zone(self, name, lines):
        file = os.path.join("zones", (name.rstrip(".") or "root") + ".zone")
        with open(os.path.join(self.path, file), "w", encoding="ascii") as f:
            f.write("\n".join(lines) + "\n")
        self.list.write(f"{name} {file}\n")
        self.about["records"] += len(lines)
        self.about["zones"] += 1

    def questions(self, kind, lines):
        with open(os.path.join(self.path, "probe" if kind == "probe" else f"questions.{kind}"), "w", encoding="ascii") as f:
            f.writelines(line + "\n" for line in lines)

    def mixed(self, rng, hot, nx, nodata, apex):
        """65% existing names, 20% names that do not exist, 10% types that do not exist, 5% of the apex."""
        self.questions("mixed", (rng.choices((h, n, rng.choice(nodata), rng.choice(apex)), (65, 20, 10, 5))[0] for h, n in zip(hot, nx)))

    def close(self):
        self.list.close()
        with open(os.path.join(self.path, "about.json"), "w", encoding="ascii") as f:
            json.dump(self.about, f)


def good(questions):
    return [q + " NOERROR" for q in questions]


def apex_of(zone):
    return good((f"{zone} SOA", f"{zone} NS", f"{zone} DNSKEY"))


def make_small(out, _size):
    rng, zone = random.Random(1), "small.test."
    lines = [SOA.format(zone)]
    for ns in ("ns1", "ns2"):
        lines += [f"{zone} 3600 NS {ns}.{zone}", f"{ns}.{zone} 3600 A {v4(rng)}", f"{ns}.{zone} 3600 AAAA {v6(rng)}"]
    lines += [f"{zone} 3600 MX 10 mail.{zone}", f"mail.{zone} 3600 A {v4(rng)}"]
    positive, nodata = [], []
    hosts = [f"{label}.{zone}" for label in labels(rng, 1000)]
    for i, host in enumerate(hosts):
        if i % 20 == 0:
            lines.append(f"{host} 300 CNAME {hosts[i + 4]}")
            positive.append(f"{host} A")
        elif i % 20 == 1:
            lines += [f"{host} 300 A {v4(rng)}", f'{host} 300 TXT "v=spf1 mx -all"']
            positive += [f"{host} A", f"{host} TXT"]
        elif i % 20 == 2:
            lines.append(f"{host} 300 MX 10 mail.{zone}")
            positive.append(f"{host} MX")
        elif i % 20 == 3:
            lines += [f"{host} 3600 NS ns1.{host}", f"ns1.{host} 3600 A {v4(rng)}"]
            positive.append(f"www.{host} A")
        else:
            lines += [f"{host} 300 A {v4(rng)}", f"{host} 300 AAAA {v6(rng)}"]
            positive += [f"{host} A", f"{host} AAAA"]
            nodata.append(f"{host} TXT NOERROR")
    out.add_zone(zone, lines)
    hot, nx = zipf(rng, good(positive), QUERIES), [f"{no_name(rng)}.{zone} A NXDOMAIN" for _ in range(QUERIES)]
    out.questions("hot", hot)
    out.questions("nx", nx)
    out.mixed(rng, hot, nx, nodata, apex_of(zone))
    out.questions("probe", good([f"{zone} SOA"]))


def make_wild(out, _size):
    """Every name exists."""
    zone = "wild.test."
    out.add_zone(zone, [SOA.format(zone), f"{zone} 3600 NS ns1.{zone}", f"ns1.{zone} 3600 A 192.0.2.1", f"*.{zone} 3600 A 192.0.2.2"])
    out.questions("fresh", good([f"abcdefgh.{zone} A"] * 1000))
    out.questions("probe", good([f"{zone} SOA"]))


def make_even(out, size):
    """Names with an address each, all asked equally often: more than a processor's caches hold."""
    rng, zone = random.Random(5), "even.test."
    names = [f"{label}.{zone}" for label in labels(rng, size)]
    out.add_zone(zone, [SOA.format(zone), f"{zone} 3600 NS ns1.{zone}", f"ns1.{zone} 3600 A {v4(rng)}", *(f"{name} 300 A {v4(rng)}" for name in names)])
    hot = names[:]
    rng.shuffle(hot)
    out.questions("hot", good(f"{name} A" for name in hot))
    out.questions("nx", [f"{no_name(rng)}.{zone} A NXDOMAIN" for _ in range(QUERIES)])
    out.questions("probe", good([f"{zone} SOA"]))


def delegation_lines(rng, names, hosters):
    """Two NS for each name; one in ten has glue (2 A, 2 AAAA), one in ten a DS."""
    for i, name in enumerate(names):
        if i % 10 == 0:
            for ns in ("ns1", "ns2"):
                yield f"{name} 3600 NS {ns}.{name}"
                yield f"{ns}.{name} 3600 A {v4(rng)}"
                yield f"{ns}.{name} 3600 AAAA {v6(rng)}"
        else:
            hoster = rng.choice(hosters)
            yield f"{name} 3600 NS ns1.{hoster}"
            yield f"{name} 3600 NS ns2.{hoster}"
        if i % 10 == 5:
            yield f"{name} 3600 DS {rng.randrange(65536)} 13 2 {rng.randbytes(32).hex()}"


def delegation_questions(out, rng, zone, names, nx_zone):
    asked = rng.choices(("www.%s A", "%s A", "%s AAAA", "%s MX", "%s NS"), (50, 25, 15, 5, 5), k=QUERIES)
    hot = good(q % name for q, name in zip(asked, zipf(rng, names, QUERIES)))
    nx = [f"{no_name(rng)}.{nx_zone} A NXDOMAIN" for _ in range(QUERIES)]
    unique = names[:]
    rng.shuffle(unique)
    out.questions("hot", hot)
    out.questions("nx", nx)
    out.questions("unique", good(f"www.{name} A" for name in unique))
    nodata = [f"{name} DS NOERROR" for name in rng.choices(names, k=1000)]
    out.mixed(rng, hot, nx, nodata, apex_of(zone))
    out.questions("probe", good([f"{zone} SOA", f"{names[-1]} NS"]))


def make_tld(out, size):
    rng, zone = random.Random(2), "tld."
    lines = [SOA.format(zone)]
    for ns in ("ns1.nic", "ns2.nic"):
        lines += [f"{zone} 86400 NS {ns}.{zone}", f"{ns}.{zone} 86400 A {v4(rng)}", f"{ns}.{zone} 86400 AAAA {v6(rng)}"]
    hosters = [f"{label}.example." for label in labels(rng, 3000)]
    names = [f"{label}.{zone}" for label in labels(rng, size)]
    lines += delegation_lines(rng, names, hosters)
    out.add_zone(zone, lines)
    delegation_questions(out, rng, zone, names, zone)


def sign(zone, source, target, *, nsec3):
    """By BIND's dnssec-signzone: one ECDSA P-256 key, good for ten years. NSEC3 is as RFC 9276 wants it, with opt-out."""
    scratch = target + ".sign"
    os.makedirs(scratch)
    keys = [subprocess.run(["dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", *flags, "-K", scratch, zone], check=True, capture_output=True, text=True,
                           env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin")).stdout.strip() for flags in (("-f", "KSK"), ())]
    with open(os.path.join(scratch, "whole"), "wb") as f:
        with open(source, "rb") as zonefile:
            shutil.copyfileobj(zonefile, f)
        for key in keys:
            with open(os.path.join(scratch, key + ".key"), "rb") as k:
                f.write(b"\n" + k.read())
    subprocess.run(["dnssec-signzone", "-q", "-P", "-x", "-K", scratch, "-o", zone, "-e", "20350101000000", "-d", scratch, "-N", "keep", "-t",
                    *(("-3", "-", "-A", "-H", "0") if nsec3 else ()), "-O", "full", "-k", keys[0], "-f", target, os.path.join(scratch, "whole"), keys[1]],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin"))
    shutil.rmtree(scratch)


def make_tld_signed(out, size):
    source = prepare("tld", size)
    target = os.path.join(out.path, "zones", "tld.zone")
    sign("tld.", os.path.join(source, "zones", "tld.zone"), target, nsec3=True)
    with open(target, encoding="ascii") as f:
        out.about["records"] = sum(1 for line in f if line.strip() and not line.startswith(";"))
    out.about["zones"] = 1
    out.list.write("tld. zones/tld.zone\n")
    for name in os.listdir(source):
        if name.startswith("questions.") or name == "probe":
            shutil.copy(os.path.join(source, name), out.path)


def make_hosting(out, size):
    """Zones of nine records, as a web hoster's customers have them."""
    rng = random.Random(3)
    zones = [f"{label}.test." for label in labels(rng, size)]
    for zone in zones:
        address = v4(rng)
        out.add_zone(zone, [SOA.format(zone), f"{zone} 3600 NS ns1.hoster.example.", f"{zone} 3600 NS ns2.hoster.example.",
                            f"{zone} 300 A {address}", f"{zone} 300 AAAA {v6(rng)}", f"{zone} 3600 MX 10 mail.{zone}",
                            f"mail.{zone} 3600 A {address}", f'{zone} 3600 TXT "v=spf1 mx -all"', f"www.{zone} 300 CNAME {zone}"])
    asked = rng.choices(("www.%s A", "%s A", "%s AAAA", "%s MX", "%s TXT", "mail.%s A"), (40, 25, 15, 10, 5, 5), k=QUERIES)
    hot = good(q % zone for q, zone in zip(asked, zipf(rng, zones, QUERIES)))
    nx = [f"{no_name(rng)}.{zone} A NXDOMAIN" for zone in zipf(rng, zones, QUERIES)]
    unique = [q % zone for q in ("www.%s A", "%s MX") for zone in zones]
    rng.shuffle(unique)
    out.questions("hot", hot)
    out.questions("nx", nx)
    out.questions("unique", good(unique))
    apex = [q for zone in rng.choices(zones, k=1000) for q in apex_of(zone)]
    out.mixed(rng, hot, nx, [f"mail.{zone} MX NOERROR" for zone in rng.choices(zones, k=1000)], apex)
    out.questions("probe", good(f"{zone} SOA" for zone in zones[::max(1, len(zones) // 200)] + zones[-1:]))


def make_root(out, _size):
    """The root zone of $BENCH_ROOT (a master file, one record a line, absolute names, as IANA gives it), else one of the same shape, signed."""
    rng, given = random.Random(4), os.environ.get("BENCH_ROOT")
    if given:
        with open(given, encoding="ascii") as f:
            lines = [line.rstrip("\n") for line in f if line.strip() and not line.startswith(";")]
        names = sorted({words[0] for words in (line.split() for line in lines) if words[3] == "NS" and words[0] != "."})
        out.add_zone(".", lines)
    else:
        names = [f"{label}." for label in labels(rng, 1440)]
        lines = [SOA.format(".").replace("ns1..", "a.root-servers.net.").replace("hostmaster..", "nstld.example.")]
        for host in (f"{c}.root-servers.net." for c in "abcdefghijklm"):
            lines += [f". 518400 NS {host}", f"{host} 518400 A {v4(rng)}", f"{host} 518400 AAAA {v6(rng)}"]
        for i, name in enumerate(names):
            for ns in range(1, 3 + i % 5):
                host = f"ns{ns}.nic.{name}" if i % 3 else f"{'abcdef'[ns % 6]}.gtld{i % 40}.{names[i // 40 * 40]}"
                lines += [f"{name} 172800 NS {host}"] + ([f"{host} 172800 A {v4(rng)}", f"{host} 172800 AAAA {v6(rng)}"] if i % 3 else [])
            if i % 10:
                lines.append(f"{name} 86400 DS {rng.randrange(65536)} 13 2 {rng.randbytes(32).hex()}")
        out.add_zone(".", lines)
        file = os.path.join(out.path, "zones", "root.zone")
        os.rename(file, file + ".plain")
        sign(".", file + ".plain", file, nsec3=False)
        os.unlink(file + ".plain")
        with open(file, encoding="ascii") as f:
            out.about["records"] = sum(1 for line in f if line.strip() and not line.startswith(";"))
    delegation_questions(out, rng, ".", names, "no-such-tld-0.")


SETS = {"small": (make_small, 0), "wild": (make_wild, 0), "even": (make_even, 100_000), "root": (make_root, 0), "tld": (make_tld, 1_000_000), "tld-10k": (make_tld, 10_000),
        "tld-10m": (make_tld, 10_000_000), "tld-signed": (make_tld_signed, 1_000_000), "hosting": (make_hosting, 100_000)}


def prepare(name, size=None, say=lambda text: None):
    """The folder of the set, made if need be."""
    make, default = SETS[name]
    size = size or default
    path = os.path.join(CACHE, f"{name}-{size}" if default else name)
    if name == "root" and os.environ.get("BENCH_ROOT"):
        path += "-given"
    try:
        with open(os.path.join(path, "about.json"), encoding="ascii") as f:
            if json.load(f)["form"] == FORM:
                return path
    except (OSError, ValueError):
        pass
    say(f"making the zones of {name} in {path}")
    part = f"{path}.{os.getpid()}.part"
    try:
        out = Set(part)
        make(out, size)
        out.close()
        shutil.rmtree(path, ignore_errors=True)
        os.rename(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return path
