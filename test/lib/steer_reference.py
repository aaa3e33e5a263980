"""Steering, computed once more: plainly, without tables, bit sets or a map. What src/steer chooses must be the same in every case.

A fleet is a dict as its YAML would be read: pools, steering. Places are those of mmdb.Database trees, looked up by walking them."""
import ipaddress
import math
import struct

MASK = (1 << 64) - 1


def siphash24(key, data):
    def rotl(x, n):
        return (x << n | x >> (64 - n)) & MASK

    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def turn():
        v[0] = (v[0] + v[1]) & MASK
        v[1] = rotl(v[1], 13) ^ v[0]
        v[0] = rotl(v[0], 32)
        v[2] = (v[2] + v[3]) & MASK
        v[3] = rotl(v[3], 16) ^ v[2]
        v[0] = (v[0] + v[3]) & MASK
        v[3] = rotl(v[3], 21) ^ v[0]
        v[2] = (v[2] + v[1]) & MASK
        v[1] = rotl(v[1], 17) ^ v[2]
        v[2] = rotl(v[2], 32)

    tail = data[len(data) // 8 * 8:]
    words = [int.from_bytes(data[i:i + 8], "little") for i in range(0, len(data) // 8 * 8, 8)]
    words.append(int.from_bytes(tail, "little") | (len(data) & 255) << 56)
    for word in words:
        v[3] ^= word
        turn()
        turn()
        v[0] ^= word
    v[2] ^= 255
    for _ in range(4):
        turn()
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def mix(x):
    x = ((x ^ x >> 33) * 0xFF51AFD7ED558CCD) & MASK
    x = ((x ^ x >> 33) * 0xC4CEB9FE1A85EC53) & MASK
    return x ^ x >> 33


def log_step(i):
    """log2(1 + i / 256) in 2^-32, by squaring."""
    x, out = (256 + i) << 55, 0
    for bit in range(31, -1, -1):
        x = x * x >> 63
        if x >> 64:
            x >>= 1
            out |= 1 << bit
    return out


LOG = [log_step(i) for i in range(256)] + [1 << 32]


def neg_log(h):
    h |= 1
    zeros = 64 - h.bit_length()
    m = h << zeros
    step, rest = m >> 55 & 255, m >> 23 & 0xFFFFFFFF
    return ((zeros + 1) << 32) - LOG[step] - ((LOG[step + 1] - LOG[step]) * rest >> 32)


_names = {}


def name_hash(name):
    if name not in _names:
        _names[name] = siphash24(b"zonecast.sticky1", name.encode())
    return _names[name]


def single(x):
    return struct.unpack("f", struct.pack("f", x))[0]


class Places:
    """What databases (mmdb.Database or None) say of addresses, and on how many bits that rests when equal neighbors are taken together."""

    def __init__(self, location, autonomous):
        self.databases = [location, autonomous]
        self.known = {}

    @staticmethod
    def decode(leaves):
        location, autonomous = leaves[0] or {}, leaves[1] or {}
        country = location.get("country", location.get("registered_country", {})).get("iso_code", "--")
        continent = location.get("continent", {}).get("code", "--")
        where = location.get("location", {})
        at = (single(where["latitude"]), single(where["longitude"])) if "latitude" in where and "longitude" in where else None
        return (country, continent, at, autonomous.get("autonomous_system_number", 0))

    def v4_roots(self):
        return [None if d is None else d.root if d.version == 4 else d.v4_root() for d in self.databases]

    def is_v4(self, nodes):
        some = False
        for d, node in zip(self.databases, nodes):
            if d is None or d.version == 4:
                continue
            if not isinstance(node, list) or node is not d.v4_root():
                return False
            some = True
        return some

    def same(self, nodes, v6):
        """What all addresses below these nodes have in common, as a tuple of one; None: not all the same."""
        key = tuple(id(n) for n in nodes) + (v6,)
        if key not in self.known:
            if v6 and self.is_v4(nodes):
                out = None
            elif not any(isinstance(n, list) for n in nodes):
                out = (self.decode(nodes),)
            else:
                halves = [self.same([n[i] if isinstance(n, list) else n for n in nodes], v6) for i in (0, 1)]
                out = halves[0] if halves[0] == halves[1] else None
            self.known[key] = out
        return self.known[key]

    def walk(self, nodes, bits, v6):
        for depth in range(len(bits) + 1):
            if v6 and self.is_v4(nodes):
                place, scope = self.walk(self.v4_roots(), bits[depth:depth + 32], False)
                return place, depth + scope
            common = self.same(nodes, v6)
            if common:
                return common[0], depth
            nodes = [n[int(bits[depth])] if isinstance(n, list) else n for n in nodes]
        raise ValueError("deeper than an address")

    def find(self, address):
        if address.version == 4:
            return self.walk(self.v4_roots(), f"{int(address):032b}", False)
        roots = [None if d is None or d.version == 4 else d.root for d in self.databases]
        return self.walk(roots, f"{int(address):0128b}", True)


def common_bits(a, b, size):
    return size - (int(a) ^ int(b)).bit_length()


FAMILY = 1  # bits of what rests on the family alone: scope 0 is for all


class Client:
    def __init__(self, address, prefix, places):
        address = ipaddress.ip_address(address)
        size = address.max_prefixlen
        self.address = ipaddress.ip_network((int(address) >> (size - min(prefix, size)) << (size - min(prefix, size)), size)).network_address
        if address.version == 6:
            self.address = ipaddress.IPv6Address(int(address) >> (128 - min(prefix, 128)) << (128 - min(prefix, 128)))
        self.place, self.scope = places.find(self.address) if places else (("--", "--", None, 0), 0)
        self.scope = max(self.scope, FAMILY if places else 0)

    def subnets(self, nets):
        """Is it in one of them, and on how many bits does that rest?"""
        size, need, inside = self.address.max_prefixlen, 0, []
        for net in map(ipaddress.ip_network, nets):
            if net.version != self.address.version:
                continue
            if self.address in net:
                inside.append(net.prefixlen)
            else:
                need = max(need, common_bits(net.network_address, self.address, size) + 1)
        return bool(inside), max(min(inside) if inside else need, FAMILY)

    def matches(self, rule, node):
        """(does the rule match, on how many bits does that rest)"""
        country, continent, _, autonomous = self.place
        parts = []
        if "nodes" in rule:
            parts.append((node in rule["nodes"], 0))
        if "subnets" in rule:
            parts.append(self.subnets(rule["subnets"]))
        place = [f(v) for k, f, v in (("countries", rule.get("countries", []).__contains__, country), ("continents", rule.get("continents", []).__contains__, continent),
                                      ("as", rule.get("as", []).__contains__, autonomous)) if k in rule]
        if place:
            parts.append((all(place), self.scope))
        fits = all(p[0] for p in parts)
        return fits, max([p[1] for p in parts], default=0) if fits else min(p[1] for p in parts if not p[0])


def kind(endpoint):
    return 0 if "target" in endpoint else ipaddress.ip_address(endpoint["address"]).version


class Chooser:
    def __init__(self, fleet, places, node):
        self.pools = fleet["pools"]
        self.by_name = {p["name"]: p for p in self.pools}
        self.places, self.node = places, node

    def choose(self, policy, family, address, prefix, random, up):
        """(rule, pool, endpoints by place, scope, kept, foreign, certain)"""
        self.policy, self.client, self.random, self.certain = policy, Client(address, prefix, self.places), random, True
        self.scope, rule, pool = 0, -1, policy["pool"]
        for i, r in enumerate(policy.get("rules", [])):
            fits, bits = self.client.matches(r, self.node)
            self.scope = max(self.scope, bits)
            if fits:
                rule, pool = i, r["pool"]
                break
        pool, chosen, kept, foreign = self.from_chain(pool, family, up)
        return rule, pool, sorted(chosen), self.scope, kept, foreign, self.certain

    def from_chain(self, pool, family, up):
        first, chain = pool, []
        while pool:
            p = self.by_name[pool]
            of = [i for i, e in enumerate(p["endpoints"]) if kind(e) == family]
            usable = [i for i in of if not p["endpoints"][i].get("disabled")]
            word = up[self.pools.index(p)]
            chain.append((p, bool(of), usable, [i for i in usable if word >> i & 1]))
            pool = p.get("fallback")
        foreign = True
        for p, any_of, _, ups in chain:
            foreign = foreign and not any_of
            if ups and len(ups) >= p.get("keep", 1):
                return p["name"], self.normal(p, ups), False, False
        best = [c for c in chain if c[3]] or [c for c in chain if c[2] and c[0].get("keep", 1)]
        if not best:
            return first, [], False, foreign
        p, _, usable, ups = best[0]
        return p["name"], self.kept(p, usable, ups), True, False

    def tiers(self, p, some):
        """From the best down."""
        out = {}
        for i in some:
            e = p["endpoints"][i]
            out.setdefault((e.get("priority", 1), e.get("weight", 100) == 0), []).append(i)
        return [out[k] for k in sorted(out)]

    def normal(self, p, ups):
        return self.pick(p, self.tiers(p, ups)[0], self.policy["answers"] or 64)

    def in_order(self, p, some):
        return sorted(some, key=lambda i: (p["endpoints"][i].get("priority", 1), -p["endpoints"][i].get("weight", 100), i))

    def kept(self, p, usable, ups):
        downs = self.in_order(p, set(usable) - set(ups))[: p.get("keep", 1) - len(ups)]
        out, want = [], self.policy["answers"] or 64
        for tier in self.tiers(p, ups) + self.tiers(p, downs):
            out += self.pick(p, tier, want - len(out))
        return out

    def pick(self, p, some, want):
        if want == 0 or len(some) <= want:
            return some if want else []
        return {"weight": self.weight, "sticky": self.sticky, "nearest": self.nearest, "all": lambda *a: self.in_order(a[0], a[1])[: a[2]]}[self.policy["choose"]](
            p, some, want)

    def draw(self):
        self.random = (self.random + 0x9E3779B97F4A7C15) & MASK
        z = self.random
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        return (z ^ z >> 31) >> 32

    @staticmethod
    def share(p, i):
        return p["endpoints"][i].get("weight", 100) or 1

    def weight(self, p, some, want):
        self.certain, left, out = False, sorted(some), []
        for _ in range(want):
            at = self.draw() * sum(self.share(p, i) for i in left) >> 32
            for i in left:
                if at < self.share(p, i):
                    break
                at -= self.share(p, i)
            out.append(i)
            left.remove(i)
        return out

    def sticky(self, p, some, want):
        a = self.client.address
        bits = 24 if a.version == 4 else 56
        network = a.version << 56 | (int(a) >> (a.max_prefixlen - bits)) << (56 - bits)
        self.scope = max(self.scope, bits)
        seed = mix(network ^ name_hash(self.policy["name"].lower()))
        key = lambda i: ((neg_log(mix((seed + name_hash(p["endpoints"][i]["name"])) & MASK)) << 20) // self.share(p, i), p["endpoints"][i]["name"].encode())
        return sorted(some, key=key)[:want]

    @staticmethod
    def on_sphere(latitude, longitude):
        a, o = latitude * (math.pi / 180), longitude * (math.pi / 180)
        return math.cos(a) * math.cos(o), math.cos(a) * math.sin(o), math.sin(a)

    def nearest(self, p, some, want):
        self.scope = max(self.scope, self.client.scope)
        where = self.client.place[2]
        if not where:
            return self.sticky(p, some, want)
        to = self.on_sphere(*where)

        def key(i):
            e = p["endpoints"][i]
            at = self.on_sphere(e.get("latitude", 0.0), e.get("longitude", 0.0))
            return -int((at[0] * to[0] + at[1] * to[1] + at[2] * to[2]) * 1099511627776.0), e["name"].encode()

        return sorted(some, key=key)[:want]
