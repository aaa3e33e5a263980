# SPDX-License-Identifier: BSD-2-Clause
"""Zones with every construct that authoritative servers get wrong, made and signed anew by each run.

make(folder) returns {origin: Zone}: the same body under several origins, once for each way to deny (unsigned, NSEC, NSEC3, with opt-out,
with salt and iterations, with two algorithms, by another signer), each with a child zone of its own that the same server has, and one unsigned
zone beside them that aliases lead to. Parents know their signed children by DS.
"""
import os
import subprocess
from dataclasses import dataclass, field

BODY = r"""$TTL 300
@ SOA ns1 host 1 3600 600 86400 60
@ NS ns1
@ NS ns.elsewhere.example.
ns1 A 192.0.2.1
ns1 AAAA 2001:db8::1
@ MX 10 mail
@ MX 20 mail.elsewhere.example.
@ TXT "apex"
@ CAA 0 issue "ca.example"
@ HTTPS 1 . alpn=h2
mail A 192.0.2.2
mail AAAA 2001:db8::2
; aliases
www CNAME mail
c1 CNAME c2
c2 CNAME c3
c3 CNAME mail
loop1 CNAME loop2
loop2 CNAME loop1
self CNAME self
dangling CNAME nothing
out CNAME www.elsewhere.example.
outwild CNAME any.wild.elsewhere.example.
outnothing CNAME nothing.elsewhere.example.
nobodys CNAME www.nobodys.invalid.
tochild CNAME www.child
tochildapex CNAME child
tochildnothing CNAME nothing.child
todeleg CNAME www.insecure
tocut CNAME insecure
towild CNAME anything.w
toent CNAME ent.a.b
todname CNAME x.dn
towildalias CNAME q.wc
; wildcards
*.w A 192.0.2.3
*.w TXT "wild"
exact.w A 192.0.2.33
a.b.w TXT "b.w is empty"
*.deep.w TXT "deeper"
*.wc CNAME mail
*.wcw CNAME any.w
*.wcout CNAME www.elsewhere.example.
*.wself CNAME b.wself
*.wmx MX 5 mail
sub.*.ww A 192.0.2.44
*.ww TXT "beside what is below the asterisk"
a.*.ast A 192.0.2.45
*.*.two A 192.0.2.46
*.wsrv SRV 1 2 3 mail
; DNAME
dn DNAME target
t1.target A 192.0.2.50
*.v.target A 192.0.2.51
dn2 DNAME dn
dnloop DNAME dnloop2
dnloop2 DNAME dnloop
dnself DNAME x.dnself
dnout DNAME elsewhere.example.
dnnobody DNAME nobodys.invalid.
dnchild DNAME child
dndeleg DNAME insecure
dnwild DNAME w
dnlong DNAME {long}.target
dn A 192.0.2.52
*.dnw TXT "wildcard beside a DNAME"
d.dnw DNAME target
; delegations
child NS ns.child
ns.child A 192.0.2.60
ns.child AAAA 2001:db8::60
insecure NS ns.insecure
insecure NS ns.elsewhere.example.
ns.insecure A 192.0.2.61
ns.insecure AAAA 2001:db8::61
deep.glue.insecure A 192.0.2.62
secure NS ns1
secure DS 12345 13 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
sibling NS ns.insecure
outns NS ns.elsewhere.example.
noglue NS ns.noglue
lame NS mail
x.y.entcut NS ns.elsewhere.example.
cutbeside NS ns.cutbeside
ns.cutbeside A 192.0.2.63
cutbeside2 A 192.0.2.64
; empty non-terminals
ent.a.b.c TXT "three"
; odd names and types
esc\.aped TXT "dot"
\000bin A 192.0.2.70
sp\032ace TXT "blank"
\255\254 TXT "high"
UPPER.Case A 192.0.2.71
_sip._tcp SRV 1 2 5060 mail
_sip._udp SRV 0 0 0 .
naptr NAPTR 1 2 "u" "E2U+sip" "!^.*$!sip:x@y!" .
svc HTTPS 0 www
svc2 SVCB 1 mail alpn=h2 port=53
svc3 SVCB 1 svc2
unk TYPE65280 \# 3 010203
loc LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
tlsa TLSA 3 1 1 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
ptr PTR mail
multi A 192.0.2.80
multi AAAA 2001:db8::80
multi TXT "one"
multi TXT "two"
multi MX 1 mail
a0 TXT "before"
z9 TXT "after"
"""
LONG = ".".join(["l" * 60] * 3)
ELSEWHERE = """$TTL 300
@ SOA ns host 9 3600 600 86400 60
@ NS ns
ns A 192.0.2.9
www A 192.0.2.99
mail A 192.0.2.98
*.wild A 192.0.2.97
back CNAME mail.plain.test.
"""
CHILD = """$TTL 300
@ SOA ns host 5 3600 600 86400 60
@ NS ns
ns A 192.0.2.60
ns AAAA 2001:db8::60
www A 192.0.2.65
*.w A 192.0.2.66
grand NS ns.grand
ns.grand A 192.0.2.67
up CNAME mail.{parent}
"""
MANY = "".join(f"many NS ns{i}.many\nns{i}.many A 192.0.2.{i + 100}\nns{i}.many AAAA 2001:db8::1:{i:x}\n" for i in range(1, 31))
BIG = "".join(f'big TXT "record {i:02} of a set that does not fit into one datagram of five hundred octets"\n' for i in range(40))
ROOT = """$TTL 300
. SOA a.nic.one. host.nic.one. 1 1800 900 604800 86400
. NS a.nic.one.
. NS b.nic.zz.
one. NS a.nic.one.
one. DS 12345 13 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
a.nic.one. A 192.0.2.81
a.nic.one. AAAA 2001:db8::81
nods. NS a.nic.one.
nods. NS ns.nods.
ns.nods. A 192.0.2.82
xn--p1ai. NS a.nic.one.
xn--p1ai. DS 54321 8 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
xn--p1ai. DS 54322 8 2 FF112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
zz. NS b.nic.zz.
b.nic.zz. A 192.0.2.83
"""
EC, RSA = "ECDSAP256SHA256", "RSASHA256"
# How each origin is signed: the options of dnssec-signzone, and the algorithms of its keys.
SIGNED = {
    "nsec.test.": ([], [EC]),
    "nsec3.test.": (["-3", "-", "-H", "0"], [EC]),
    "optout.test.": (["-3", "-", "-H", "0", "-A"], [EC]),
    "salted.test.": (["-3", "AABBCCDD", "-H", "12"], [EC]),
    "two.test.": ([], [EC, RSA]),
}


@dataclass
class Zone:
    origin: str
    path: str
    signed: bool = False
    keys: list = field(default_factory=list)  # DNSKEY records of the key-signing keys, as in a zone file


def _run(*argv, cwd=None):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=cwd, timeout=120)
    assert done.returncode == 0, (argv, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def _keys(folder, origin, algorithms):
    """A KSK and two ZSKs (one for all but the first algorithm) each; the names of their files."""
    ksk, zsk = [], []
    for n, a in enumerate(algorithms):
        size = ["-b", "1024"] if a == RSA else []
        ksk.append(_run("dnssec-keygen", "-q", "-K", folder, "-a", a, *size, "-f", "KSK", origin).strip())
        for _ in range(2 if n == 0 and len(algorithms) == 1 else 1):
            zsk.append(_run("dnssec-keygen", "-q", "-K", folder, "-a", a, *size, origin).strip())
    return ksk, zsk


def _write(path, origin, text):
    with open(path, "w", encoding="latin-1") as f:
        f.write(f"$ORIGIN {origin}\n{text}")


def _body(origin, signed):
    text = BODY.format(long=LONG) + MANY + BIG
    # As many labels, and as many octets, as a name can have under this origin; signers want room for an asterisk.
    octets = (253 if signed else 255) - sum(len(label) + 1 for label in origin.rstrip(".").split(".")) - 1
    deepest = ".".join(["x"] * min(octets // 2, 126 - origin.count(".")))
    left = octets
    widest = []
    while left > 1:
        n = min(63, left - 1)
        widest.append("y" * n)
        left -= n + 1
    return text + f'{deepest} TXT "deepest"\n{".".join(widest)} TXT "widest"\n'


def _sign(folder, zone, options, algorithms, by_ldns=False):
    ksk, zsk = _keys(folder, zone.origin, algorithms)
    records = []
    for k in ksk + zsk:
        with open(os.path.join(folder, k + ".key"), encoding="ascii") as f:
            records.append([line for line in f if not line.startswith(";")][-1].strip())
    zone.keys = records[:len(ksk)]
    out = zone.path + ".signed"
    if by_ldns:
        _run("ldns-signzone", "-o", zone.origin, "-f", out, *options, zone.path, *(os.path.join(folder, k) for k in zsk + ksk))
    else:
        with open(zone.path, "a", encoding="latin-1") as f:
            f.write("\n".join(records) + "\n")
        _run("dnssec-signzone", "-q", "-P", "-K", folder, *sum((["-k", k] for k in ksk), []), "-o", zone.origin, "-f", out, *options, zone.path, *zsk,
             cwd=folder)
    zone.path, zone.signed = out, True
    return [_run("dnssec-dsfromkey", "-2", os.path.join(folder, k + ".key")).strip() for k in ksk]


def make(folder):
    folder = str(folder)
    zones = {}

    def add(origin, text):
        zones[origin] = Zone(origin, os.path.join(folder, origin + "zone"))
        _write(zones[origin].path, origin, text)
        return zones[origin]

    add("elsewhere.example.", ELSEWHERE)
    plan = {"plain.test.": None, "ldns.test.": (["-n", "-s", "BEEF", "-t", "3"], [EC]), **SIGNED}
    for origin, how in plan.items():
        by_ldns = origin == "ldns.test."
        child = add("child." + origin, CHILD.format(parent=origin))
        ds = _sign(folder, child, how[0], how[1][:1], by_ldns) if how else []
        parent = add(origin, _body(origin, how) + "".join(d + "\n" for d in ds))
        if how:
            _sign(folder, parent, how[0], how[1], by_ldns)
    return zones


def make_root(folder):
    """A signed root zone as the real one is made: NSEC, RSA, delegations with and without DS, nothing else but glue."""
    root = Zone(".", os.path.join(str(folder), "root.zone"))
    _write(root.path, ".", ROOT)
    _sign(str(folder), root, [], [RSA])
    return {".": root}


def trust_anchors(zones):
    """For delv -a: the keys of the parents."""
    out = []
    for z in zones.values():
        for key in z.keys if not z.origin.startswith("child.") else []:
            owner, *rest = key.split()
            rest = rest[rest.index("DNSKEY") + 1:]
            out.append(f'"{owner}" static-key {rest[0]} {rest[1]} {rest[2]} "{"".join(rest[3:])}";')
    return "trust-anchors {\n" + "\n".join(out) + "\n};\n"
