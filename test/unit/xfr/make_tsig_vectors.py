#!/usr/bin/python3
"""Print tsig_vectors.h: messages signed by dnspython, at fixed times, with ids and keys that never change.

For each algorithm a request, its answer, and a stream of four messages of which the second and third are not signed.

usage: make_tsig_vectors.py > tsig_vectors.h
"""
import base64

import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.rrset
import dns.tsig

NOW = 1700000000
SECRET = bytes(range(1, 33))
ALGORITHMS = ("hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha256-128", "hmac-sha384-192",
              "hmac-sha512-256")


def sign(wire, key, request_mac=b"", ctx=None, multi=False, time=NOW):
    """The message with a TSIG record, its MAC and the context of the stream."""
    rdata = dns.rdtypes.ANY.TSIG.TSIG(dns.rdataclass.ANY, dns.rdatatype.TSIG, key.algorithm, time, 300, b"", int.from_bytes(wire[:2], "big"), 0, b"")
    rdata, ctx = dns.tsig.sign(wire, key, rdata, time, request_mac, ctx, multi)
    body = rdata.to_wire()
    record = key.name.to_wire() + b"\x00\xfa\x00\xff" + bytes(4) + len(body).to_bytes(2, "big") + body
    count = int.from_bytes(wire[10:12], "big") + 1
    return wire[:10] + count.to_bytes(2, "big") + wire[12:] + record, rdata.mac, ctx


def message(records, question=True):
    q = dns.message.make_query("example.", "AXFR")
    q.id = 0x4d5a
    q.flags = 0
    if not records:
        return q.to_wire()
    r = dns.message.make_response(q)
    r.flags |= dns.flags.AA
    if not question:
        r.question = []
    for text in records:
        r.answer.append(dns.rrset.from_text(*text.split(" ", 4)))
    return r.to_wire()


def hexed(name, wire):
    print(f'\t\t.{name} = "' + wire.hex() + '",')


def main():
    print("/* SPDX-License-Identifier: BSD-2-Clause */")
    print("/* Made by make_tsig_vectors.py with dnspython; do not edit. */")
    print("#pragma once\n")
    print("static const struct vector {\n\tconst char *algorithm, *secret, *request, *answer, *stream[4];\n} vectors[] = {")
    for name in ALGORITHMS:
        key = dns.tsig.Key("Transfer.Key.", SECRET, name + ".")
        request, mac, _ = sign(message([]), key)
        soa = "example. 3600 IN SOA ns.example. admin.example. 7 3600 600 86400 60"
        answer, _, _ = sign(message([soa]), key, mac, time=NOW + 1)
        stream, ctx = [], None
        for i, records in enumerate(([soa], ["a.example. 60 IN A 192.0.2.1"], ["b.example. 60 IN A 192.0.2.2"], [soa])):
            plain = message(records, question=i == 0)
            if i in (1, 2):
                ctx.update(plain)
                stream.append(plain)
                continue
            signed, _, ctx = sign(plain, key, mac, ctx, True, time=NOW + 1 + i)
            stream.append(signed)
        print("\t{")
        print(f'\t\t.algorithm = "{name}",')
        print(f'\t\t.secret = "{base64.b64encode(SECRET).decode()}",')
        hexed("request", request)
        hexed("answer", answer)
        print("\t\t.stream = {" + ", ".join(f'"{s.hex()}"' for s in stream) + "},")
        print("\t},")
    print("};")


main()
