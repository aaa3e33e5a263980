# SPDX-License-Identifier: BSD-2-Clause
"""Octets that no resolver sends: made from good queries, taken from the fuzz corpora of this tree, and from a folder of other projects' inputs.

    generated()  a few thousand, the same in every run
    seeds()      the corpora under test/fuzz
    corpus()     ZONECAST_CORPUS or, when it is there, data/corpus beside the source tree: dns-packets, dns-names; empty without
"""
import os
import random
import struct
import tarfile

import dns.edns
import dns.message

from paths import SHARED, TOP

CORPUS = os.environ.get("ZONECAST_CORPUS", os.path.join(SHARED, "data", "corpus"))
INPUT_MAX = 65000  # octets; fits into a datagram and into a frame
OPT = 41


def header(qd=1, an=0, ns=0, ar=0, flags=0x0100, ident=0x4d4d):
    return struct.pack(">6H", ident, flags, qd, an, ns, ar)


def wire(name):
    return b"".join(bytes([len(label)]) + label for label in name.encode().rstrip(b".").split(b".")) + b"\0"


def question(name, qtype=1, qclass=1):
    return wire(name) + struct.pack(">2H", qtype, qclass)


def record(owner, rtype, rdata, rclass=1, ttl=0, rdlen=None):
    return owner + struct.pack(">HHIH", rtype, rclass, ttl, len(rdata) if rdlen is None else rdlen) + rdata


def opt(options=b"", size=1232, ttl=0x8000, **more):
    return record(b"\0", OPT, options, rclass=size, ttl=ttl, **more)


def option(code, value, length=None):
    return struct.pack(">HH", code, len(value) if length is None else length) + value


def _mutations(good):
    yield from (good[:n] for n in range(len(good)))
    for bit in range(8 * len(good)):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 128 >> bit % 8
        yield bytes(flipped)
    for count in range(4):
        for value in (0, 1, 2, 3, 255, 65535):
            yield good[:4 + 2 * count] + struct.pack(">H", value) + good[6 + 2 * count:]
    for more in (b"\0", b"\0" * 11, b"\xff" * 100, good, b"\xc0\x0c" * 500):
        yield good + more


def _names():
    tail = struct.pack(">2H", 1, 1)
    for name in (b"\xc0\x0c", b"\xc0\x0d", b"\xc0\x0e\xc0\x0c", b"\x01a\xc0\x0c", b"\x01a\xc0\x0e", b"\xc0\x00", b"\xff\xff", b"\xc0", b"\x40a\0", b"\x80a\0",
                 b"\x41\x01a\0", b"\x3f" + b"a" * 10, b"\x3f" + b"a" * 63, (b"\x3f" + b"a" * 63) * 4 + b"\0", (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"b" * 61 + b"\0",
                 (b"\x3f" + b"a" * 63) * 3 + b"\x3e" + b"b" * 62 + b"\0", b"\x01a" * 127 + b"\0", b"\x01a" * 128 + b"\0", b"\x01a" * 2000 + b"\0", b""):
        yield header() + name + tail
        yield header() + name
        yield header(ar=1) + name + tail + opt()
        yield header(qd=1, an=1) + question("nsec.test") + record(name, 1, b"\1\2\3\4")
        yield header(qd=1, an=1) + question("nsec.test") + record(b"\xc0\x0c", 5, name)
    # A pointer to the next, each in turn, and all the way round.
    chain = b"".join(struct.pack(">H", 0xc000 | 12 + 2 * (i + 1)) for i in range(200))
    yield header() + chain + b"\0" + tail
    yield header() + chain[:-2] + b"\xc0\x0c" + tail
    yield header(qd=1, an=300) + question("nsec.test") + b"".join(record(struct.pack(">H", 0xc000 | 27 + 12 * i), 1, b"") for i in range(300))


def _edns():
    base = question("www.nsec3.test")
    for value in (option(3, b"x"), option(8, b""), option(8, b"\0\1\x18\0\xc0\0\2"), option(8, b"\0\1\xff\0" + bytes(32)), option(8, b"\0\7\x18\0abc"),
                  option(8, b"\0\1\x18\x18\xc0\0\2"), option(10, b""), option(10, bytes(7)), option(10, bytes(8)), option(10, bytes(9)), option(10, bytes(24)),
                  option(10, bytes(40)), option(10, bytes(41)), option(11, b""), option(11, bytes(2)), option(11, bytes(3)), option(12, bytes(1000)), option(15, b""),
                  option(18, wire("a.example")), option(19, b""), option(19, bytes(100)), option(65001, b"x" * 3000), option(0, b""), option(65535, b""),
                  option(10, bytes(8), length=9), option(10, bytes(8), length=65535), option(3, b"", length=1), b"\0", b"\0\3", b"\0\3\0",
                  option(3, b"") * 2, option(10, bytes(8)) * 2, option(3, b"") * 64, option(3, b"") * 65, option(3, b"") * 900, option(8, b"\0\1\0\0") * 300):
        for size in (0, 511, 512, 1232, 65535):
            yield header(ar=1) + base + opt(value, size)
    for version in (1, 2, 255):
        yield header(ar=1) + base + opt(ttl=version << 16 | 0x8000)
    yield header(ar=1) + base + opt(ttl=0xffffffff)
    yield header(ar=2) + base + opt() + opt()
    yield header(ar=3) + base + opt() * 3
    yield header(an=1) + base + opt()
    yield header(ns=1) + base + opt()
    yield header(ar=1) + base + record(b"\1a\0", OPT, b"", rclass=1232)
    yield header(ar=1) + base + record(b"\xc0\x0c", OPT, b"", rclass=1232)
    for rdlen in (1, 2, 4, 255, 65535):
        yield header(ar=1) + base + opt(rdlen=rdlen)
    yield header(ar=1) + base + opt(option(3, b""), rdlen=3)


def _kinds():
    """Opcodes, flags, types and classes that mean something else, and records where none belong."""
    for flags in range(0, 0x8000, 0x0100):
        yield header(flags=flags) + question("www.nsec.test")
        yield header(flags=flags, ar=1) + question("www.nsec.test") + opt()
    for rtype in (0, 10, 41, 128, 249, 250, 251, 252, 253, 254, 255, 256, 32768, 65535):
        for rclass in (0, 1, 3, 4, 254, 255, 65535):
            yield header() + question("www.nsec3.test", rtype, rclass)
    tsig = record(wire("key.example"), 250, wire("hmac-sha256") + bytes(8) + struct.pack(">HH", 300, 32) + bytes(32) + bytes(6), rclass=255)
    yield header(ar=1) + question("nsec.test") + tsig
    yield header(ar=2) + question("nsec.test") + tsig + opt()
    yield header(ar=2) + question("nsec.test") + tsig * 2
    for cut in range(0, len(tsig), 7):
        yield header(ar=1) + question("nsec.test") + tsig[:cut]
    for qd in (2, 3, 50):
        yield header(qd=qd) + question("www.nsec.test") * qd
    soa = wire("ns1.nsec.test") + wire("h.nsec.test") + bytes(20)
    for opcode in (0, 4, 5):
        for section in ("an", "ns", "ar"):
            for n in (1, 40):
                yield header(flags=opcode << 11, **{section: n}) + question("nsec.test", 6) + record(b"\xc0\x0c", 6, soa) * n
    yield header(ns=1) + question("nsec.test", 251) + record(b"\xc0\x0c", 6, soa)
    yield header(ns=1) + question("nsec.test", 251) + record(b"\xc0\x0c", 6, soa[:-1])


def generated():
    goods = [dns.message.make_query("www.nsec.test", "A", id=0x1111),
             dns.message.make_query("nothing.ent.a.b.c.nsec3.test", "MX", want_dnssec=True, payload=1232, id=0x2222,
                                    options=[dns.edns.GenericOption(10, bytes(8)), dns.edns.GenericOption(3, b"")])]
    out = []
    for good in goods:
        out += _mutations(good.to_wire())
    for part in (_names, _edns, _kinds):
        out += part()
    rng = random.Random(1)
    for _ in range(1000):
        out.append(rng.randbytes(rng.choice((1, 11, 12, 13, 20, 64, 300, 512, 1500, 4096, 4097))))
        out.append(header(rng.randrange(3), rng.randrange(3), rng.randrange(3), rng.randrange(3), rng.randrange(0x8000), rng.randrange(65536)) +
                   rng.randbytes(rng.randrange(100)))
    for _ in range(1500):  # several things wrong at once
        broken = bytearray(rng.choice(goods).to_wire())
        for _ in range(rng.randrange(1, 6)):
            broken[rng.randrange(2, len(broken))] = rng.choice((0, 1, 0x3f, 0x40, 0xc0, 0xff, rng.randrange(256)))
        out.append(bytes(broken))
    return out


def _files(folder):
    for at, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(at, name)
            if name.endswith(".tar.gz"):
                with tarfile.open(path) as tar:
                    for member in tar:
                        if member.isfile():
                            yield tar.extractfile(member).read(INPUT_MAX)
            else:
                with open(path, "rb") as f:
                    yield f.read(INPUT_MAX)


def seeds():
    return [octets for part in ("answer", "dns_message", "dns_name", "probe", "dns_rdata") for octets in _files(os.path.join(TOP, "test", "fuzz", part + ".in"))]


def corpus():
    """Messages as they are; what may be a name also as the name of a question."""
    out = list(_files(os.path.join(CORPUS, "dns-packets")))
    for octets in _files(os.path.join(CORPUS, "dns-names")):
        out += [octets, header() + octets[:1000] + struct.pack(">2H", 1, 1)]
    return out
