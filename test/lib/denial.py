# SPDX-License-Identifier: BSD-2-Clause
"""Does an answer prove what it denies? NSEC (RFC 4035 5.4) and NSEC3 (RFC 5155 8), without signatures: those are checked elsewhere.

problem(reply, qname, qtype) gives None when the denials in a dnspython message are complete, else what is missing.
"""
import base64
import functools
import hashlib

import dns.name
import dns.rdatatype as T

B32 = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHIJKLMNOPQRSTUV")


@functools.lru_cache(maxsize=100000)
def nsec3_hash(name, salt, iterations):
    digest = hashlib.sha1(name.canonicalize().to_wire() + salt).digest()
    for _ in range(iterations):
        digest = hashlib.sha1(digest + salt).digest()
    return base64.b32encode(digest).translate(B32)


def types_of(rdata):
    found = set()
    for window, bitmap in rdata.windows:
        for i, octet in enumerate(bitmap):
            for bit in range(8):
                if octet & (0x80 >> bit):
                    found.add(window * 256 + i * 8 + bit)
    return found


class Nsec:
    def __init__(self, section):
        self.records = [(s.name, r.next, types_of(r)) for s in section if s.rdtype == T.NSEC for r in s]

    def __bool__(self):
        return bool(self.records)

    def match(self, name):
        return next((t for owner, _, t in self.records if owner == name), None)

    def cover(self, name):
        """(owner, next) of a record that says the name does not exist."""
        for owner, following, types in self.records:
            inside = owner < name < following if owner < following else (name > owner or name < following)
            # RFC 6840 4.1, 4.4: not from above a cut or a DNAME.
            below = name.is_subdomain(owner) and name != owner and (T.DNAME in types or (T.NS in types and T.SOA not in types))
            if inside and not below:
                return owner, following
        return None

    def encloser(self, name):
        got = self.cover(name)
        if not got:
            return None
        return max((name.fullcompare(other)[2], other) for other in got)[0]

    def no_name(self, name):
        labels = self.encloser(name)
        if labels is None:
            return f"no NSEC covers {name}"
        wildcard = dns.name.Name((b"*",) + name.labels[-labels:])
        return None if self.cover(wildcard) else f"no NSEC covers {wildcard}"

    def no_data(self, name, rdtype, absent):
        types = self.match(name)
        if types is not None:
            return None if absent(types) else f"NSEC of {name} has the type"
        got = self.cover(name)
        if not got:
            return f"no NSEC matches or covers {name}"
        if got[1].is_subdomain(name):
            return None  # an empty non-terminal
        wildcard = dns.name.Name((b"*",) + name.labels[-self.encloser(name):])
        types = self.match(wildcard)
        if types is None:
            got = self.cover(wildcard)
            return None if got and got[1].is_subdomain(wildcard) else f"no NSEC of a wildcard for {name}"  # empty itself
        return None if absent(types) else f"NSEC of {wildcard} has the type"

    def wildcard(self, name, labels):
        got = self.cover(name)
        return None if got else f"no NSEC covers {name}"

    def no_ds(self, cut):
        types = self.match(cut)
        return None if types is not None and T.DS not in types and T.NS in types else f"no NSEC of {cut} without DS"


class Nsec3:
    def __init__(self, section):
        self.records, self.params, self.apex = [], None, None
        for s in section:
            for r in s if s.rdtype == T.NSEC3 else ():
                self.params = (r.salt, r.iterations)
                self.apex = s.name.parent()
                owner = s.name.labels[0].upper()
                following = base64.b32encode(r.next).translate(B32)
                self.records.append((owner, following, types_of(r), r.flags & 1))

    def __bool__(self):
        return bool(self.records)

    def match(self, name):
        h = nsec3_hash(name, *self.params)
        return next((t for owner, _, t, _ in self.records if owner == h), None)

    def cover(self, name):
        """None, or (opt-out,)."""
        h = nsec3_hash(name, *self.params)
        for owner, following, _, optout in self.records:
            if owner < h < following if owner < following else (h > owner or h < following):
                return (optout,)
        return None

    def encloser(self, name):
        """The closest encloser proved: (it, next closer, opt-out of what covers that); None if there is no proof."""
        for skip in range(1, len(name) - len(self.apex) + 1):
            encloser = dns.name.Name(name.labels[skip:])
            types = self.match(encloser)
            if types is None:
                continue
            if T.DNAME in types or (T.NS in types and T.SOA not in types):
                return None
            closer = dns.name.Name(name.labels[skip - 1:])
            got = self.cover(closer)
            return (encloser, closer, got[0]) if got else None
        return None

    def no_name(self, name):
        got = self.encloser(name)
        if not got:
            return f"no closest encloser proof for {name}"
        wildcard = dns.name.Name((b"*",) + got[0].labels)
        return None if self.cover(wildcard) else f"no NSEC3 covers {wildcard}"

    def no_data(self, name, rdtype, absent):
        types = self.match(name)
        if types is not None:
            return None if absent(types) else f"NSEC3 of {name} has the type"
        got = self.encloser(name)
        if not got:
            return f"no NSEC3 matches {name}, nor is there a closest encloser proof"
        if got[2]:
            return None  # opt-out: 8.6, and empty non-terminals above insecure delegations
        types = self.match(dns.name.Name((b"*",) + got[0].labels))
        return None if types is not None and absent(types) else f"no NSEC3 of a wildcard for {name}"

    def wildcard(self, name, labels):
        closer = dns.name.Name(name.labels[-(labels + 1):])
        return None if self.cover(closer) else f"no NSEC3 covers {closer}"

    def no_ds(self, cut):
        types = self.match(cut)
        if types is not None:
            return None if T.DS not in types and T.NS in types else f"NSEC3 of {cut} has DS"
        got = self.encloser(cut)
        return None if got and got[2] else f"no opt-out for {cut}"


def end_of_chain(reply, qname, qtype):
    """Where the aliases of the answer lead, and whether the question is answered there."""
    name = qname
    for _ in range(40):
        for s in reply.answer:
            if s.name == name and s.rdtype in (qtype, T.CNAME) or s.name == name and qtype == T.ANY and s.rdtype != T.RRSIG:
                break
        else:
            return name, False
        if s.rdtype == qtype or qtype == T.ANY:
            return name, True
        name = s[0].target
    return name, True


def problem(reply, qname, qtype):
    """Of an answer to a question with DO, from a server that has the whole of a signed zone (with its children, or not)."""
    name, answered = end_of_chain(reply, qname, qtype)
    proof = Nsec3(reply.authority) or Nsec(reply.authority)
    for s in reply.answer:
        if s.rdtype != T.RRSIG or s.covers == T.NSEC:
            continue
        labels = s[0].labels
        own = len(s.name) - 1 - (s.name.labels[0] == b"*")
        if labels < own:
            missing = proof.wildcard(s.name, labels + 1) if proof else "no proof at all"
            if missing:
                return f"{s.name} came from a wildcard: {missing}"
    if answered:
        return None
    soa = next((s for s in reply.authority if s.rdtype == T.SOA), None)
    ns = next((s for s in reply.authority if s.rdtype == T.NS), None)
    if soa is None and ns is None:
        return None if reply.answer else "neither SOA nor NS"  # an alias that leads away
    if soa is None or (ns and ns.name != soa.name):
        if any(s.rdtype == T.DS for s in reply.authority):
            return None
        return proof.no_ds(ns.name) if proof else "a referral without DS or a proof that there is none"
    if not name.is_subdomain(soa.name):
        return f"the SOA of {soa.name} says nothing of {name}"
    if not proof:
        return "no proof at all"
    if reply.rcode() == 3:
        return proof.no_name(name)

    def absent(types):
        # RFC 6840 4.1, 4.3: nothing of the type, no alias, and not from the wrong side of a cut.
        cut = T.NS in types and T.SOA not in types
        return qtype not in types and T.CNAME not in types and (qtype == T.DS or not cut) and not (qtype == T.DS and T.SOA in types and name != soa.name)
    return proof.no_data(name, qtype, absent)
