# SPDX-License-Identifier: BSD-2-Clause
"""Are the answers of a server that has signed zones good for a validator? Every signature of every set by dnspython, every proof by denial.py.

    v = Validator({"example.": path, ...}, now=None)    all zones of the server, signed or not; now: for signatures that have expired
    v.learn(origin, reply)                              for each zone: its answer to DNSKEY
    v.problem(reply, qname, qtype)                      None, or what is wrong

Stricter than a resolver, which is content with one signature: each must be good, and there is one by every algorithm of the zone's keys (RFC 4035 2.2).
"""
import dns.dnssec
import dns.name
import dns.rdataclass
import dns.rdatatype as T
import dns.rrset

import denial


class Validator:
    def __init__(self, zones, now=None):
        self.zones = {dns.name.from_text(o) for o in zones}
        self.now = now
        self.keys = {}  # by zone, of those that are signed: see learn()
        self.known = {}
        self.counts = {"signatures": 0, "answers": 0}

    def learn(self, origin, reply):
        """The answer to DNSKEY: the keys of a signed zone. None, or what is wrong with it."""
        origin = dns.name.from_text(origin)
        keys = reply.get_rrset(reply.answer, origin, dns.rdataclass.IN, T.DNSKEY)
        if keys is None:
            return None
        self.keys[origin] = keys
        return self.set_problem(reply.answer, keys)

    def home(self, name, rdtype=None):
        """The zone of ours that a name is in; a DS is its parent's, when we have that."""
        own = [z for z in self.zones if name.is_subdomain(z)]
        if rdtype == T.DS and name in own and len(own) > 1:
            own.remove(name)
        return max(own, key=len) if own else None

    def algorithms(self, zone):
        return {k.algorithm for k in self.keys[zone]}

    def one_good(self, rrset, sig, zone):
        memo = (rrset.name, rrset.rdtype, frozenset(r.to_digestable() for r in rrset), sig.to_digestable())
        if memo not in self.known:
            try:
                dns.dnssec.validate_rrsig(rrset, sig, {zone: self.keys[zone]}, None, self.now)
                self.known[memo] = None
            except dns.dnssec.ValidationFailure as e:
                self.known[memo] = f"signature over {rrset.name} {T.to_text(rrset.rdtype)}: {e}"
            self.counts["signatures"] += 1
        return self.known[memo]

    def set_problem(self, section, rrset):
        zone = self.home(rrset.name, rrset.rdtype)
        if zone not in self.keys:
            return None
        what = f"{rrset.name} {T.to_text(rrset.rdtype)}"
        sigs = [r for s in section if s.rdtype == T.RRSIG and s.covers == rrset.rdtype and s.name == rrset.name for r in s]
        if rrset.rdtype == T.NSEC and rrset.name == zone and any(s.signer != zone for s in sigs):
            zone = self.home(rrset.name, T.DS)  # at a cut the parent has one too
        if {s.algorithm for s in sigs} != self.algorithms(zone):
            return f"{what} is not signed by every algorithm"
        for sig in sigs:
            if sig.signer != zone:
                return f"{what} is signed by {sig.signer}, not {zone}"
            wrong = self.one_good(rrset, sig, zone)
            if wrong:
                return wrong
        return None

    def from_dname(self, section, rrset):
        """A CNAME that follows from a DNAME of the same section, and is what it should be (RFC 6672 5.3.1)."""
        for d in section:
            if d.rdtype == T.DNAME and rrset.name.is_subdomain(d.name) and rrset.name != d.name:
                return rrset[0].target == dns.name.Name(rrset.name.relativize(d.name).labels + d[0].target.labels)
        return False

    def problem(self, reply, qname, qtype):
        self.counts["answers"] += 1
        if reply.rcode() not in (0, 3, 6):
            return f"rcode {reply.rcode()}"
        for section in (reply.answer, reply.authority):
            for rrset in section:
                # A delegation's NS has no signature; an answer to RRSIG has nothing else.
                if rrset.rdtype == T.RRSIG or (section is reply.authority and rrset.rdtype == T.NS):
                    continue
                if rrset.rdtype == T.CNAME and self.from_dname(section, rrset):
                    continue
                wrong = self.set_problem(section, rrset)
                if wrong:
                    return wrong
        if reply.rcode() == 6 or qtype == T.RRSIG:
            return None
        end, answered = denial.end_of_chain(reply, qname, qtype)
        soa = next((s.name for s in reply.authority if s.rdtype in (T.SOA, T.NS)), end)
        if not answered and self.home(soa) not in self.keys:
            return None  # the chain ends in a zone without signatures
        return denial.problem(reply, qname, qtype)
