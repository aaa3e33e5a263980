"""Databases in MaxMind's format, made for tests: trees of IPv4 or IPv6 with records of 24, 28 or 32 bits, aliases of the IPv4 part, data of any of its types.

The format is told at https://maxmind.github.io/MaxMind-DB/. A tree is kept as nested lists of two; a leaf is None or what insert() was given. What is inserted later wins where networks overlap."""
import ipaddress
import struct


class Double(float):
    """A number that is written as a double; plain floats are, too."""


class Float(float):
    """A number that is written in four octets."""


class U16(int):
    """A whole number that is written as one of 16 bits."""


class U64(int):
    """Likewise of 64 bits."""


def control(kind, size):
    """The octets before a value of this type and size."""
    first = (kind if kind < 8 else 0) << 5
    more = b"" if kind < 8 else bytes([kind - 7])
    if size < 29:
        return bytes([first | size]) + more
    if size < 29 + 256:
        return bytes([first | 29]) + more + bytes([size - 29])
    if size < 285 + 65536:
        return bytes([first | 30]) + more + struct.pack(">H", size - 285)
    return bytes([first | 31]) + more + (size - 65821).to_bytes(3, "big")


def whole(kind, value):
    octets = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return control(kind, len(octets)) + octets


class Data:
    """The data section; text and maps that are there already are pointed at."""

    def __init__(self):
        self.octets = bytearray()
        self.known = {}

    def pointer(self, at):
        if at < 2048:
            return bytes([1 << 5 | at >> 8, at & 255])
        if at < 2048 + (1 << 19):
            at -= 2048
            return bytes([1 << 5 | 1 << 3 | at >> 16, at >> 8 & 255, at & 255])
        if at < 526336 + (1 << 27):
            at -= 526336
            return bytes([1 << 5 | 2 << 3 | at >> 24]) + (at & 0xffffff).to_bytes(3, "big")
        return bytes([1 << 5 | 3 << 3]) + at.to_bytes(4, "big")

    def encode(self, value):
        if isinstance(value, bool):
            return control(14, int(value))
        if isinstance(value, U16):
            return whole(5, value)
        if isinstance(value, int):
            return whole(9 if isinstance(value, U64) else 6, value)
        if isinstance(value, Float):
            return control(15, 4) + struct.pack(">f", value)
        if isinstance(value, float):
            return control(3, 8) + struct.pack(">d", value)
        if isinstance(value, bytes):
            return control(4, len(value)) + value
        if isinstance(value, str):
            return self.shared(value) if len(value) > 1 else control(2, len(value.encode())) + value.encode()
        if isinstance(value, list):
            return control(11, len(value)) + b"".join(self.encode(v) for v in value)
        return control(7, len(value)) + b"".join(self.encode(k) + self.encode(v) for k, v in value.items())

    def shared(self, text):
        if text not in self.known:
            self.known[text] = len(self.octets)
            self.octets += control(2, len(text.encode())) + text.encode()
        return self.pointer(self.known[text])

    def add(self, value):
        """Where the value stands."""
        key = repr(value)
        if key not in self.known:
            octets = self.encode(value)  # what it points at comes first
            self.known[key] = len(self.octets)
            self.octets += octets
        return self.known[key]


class Database:
    """insert() networks, alias() the IPv4 part, write()."""

    def __init__(self, ip_version=6, record_size=28, kind="Test-City"):
        self.version, self.record_size, self.kind = ip_version, record_size, kind
        self.root = [None, None]
        self.aliases = []

    def bits(self, network):
        """The way to a network, as a string of bits."""
        net = ipaddress.ip_network(network)
        if net.version == 6:
            if self.version == 4:
                raise ValueError("IPv6 in a tree of IPv4")
            return f"{int(net.network_address):0128b}"[: net.prefixlen]
        return ("0" * 96 if self.version == 6 else "") + f"{int(net.network_address):032b}"[: net.prefixlen]

    def put(self, bits, value):
        node = self.root
        for bit in bits[:-1]:
            below = node[int(bit)]
            if not isinstance(below, list):
                below = [below, below]
                node[int(bit)] = below
            node = below
        node[int(bits[-1])] = value

    def insert(self, network, value):
        self.put(self.bits(network), value)

    def alias(self, network):
        """What is looked up below network is looked up as IPv4."""
        self.aliases.append(self.bits(network))

    def v4_root(self):
        node = self.root
        for _ in range(96):
            node = node[0]
        return node

    def octets(self):
        for bits in self.aliases:
            self.put(bits, self.v4_root())
        nodes, numbers, queue = [], {}, [self.root]
        numbers[id(self.root)] = 0
        while queue:
            node = queue.pop()
            nodes.append(node)
            for below in node:
                if isinstance(below, list) and id(below) not in numbers:
                    numbers[id(below)] = None
                    queue.append(below)
        numbers = {id(node): i for i, node in enumerate(nodes)}
        data = Data()

        def record(below):
            if isinstance(below, list):
                return numbers[id(below)]
            return len(nodes) if below is None else len(nodes) + 16 + data.add(below)

        tree = bytearray()
        for node in nodes:
            left, right = record(node[0]), record(node[1])
            if self.record_size == 24:
                tree += left.to_bytes(3, "big") + right.to_bytes(3, "big")
            elif self.record_size == 28:
                tree += (left & 0xffffff).to_bytes(3, "big") + bytes([left >> 24 << 4 | right >> 24]) + (right & 0xffffff).to_bytes(3, "big")
            else:
                tree += left.to_bytes(4, "big") + right.to_bytes(4, "big")
        meta = Data()
        meta.shared = lambda text: control(2, len(text.encode())) + text.encode()
        about = {"node_count": len(nodes), "record_size": U16(self.record_size), "ip_version": U16(self.version), "database_type": self.kind,
                 "languages": ["en"], "binary_format_major_version": U16(2), "binary_format_minor_version": U16(0), "build_epoch": U64(1700000000),
                 "description": {"en": "made for tests"}}
        return bytes(tree) + bytes(16) + bytes(data.octets) + b"\xab\xcd\xefMaxMind.com" + meta.encode(about)

    def write(self, path):
        with open(path, "wb") as f:
            f.write(self.octets())


def city(country=None, continent=None, latitude=None, longitude=None, registered=None):
    """An entry as those of GeoLite2-City."""
    out = {}
    if continent:
        out["continent"] = {"code": continent, "names": {"en": continent}}
    if country:
        out["country"] = {"iso_code": country, "geoname_id": 7}
    if registered:
        out["registered_country"] = {"iso_code": registered}
    if latitude is not None:
        out["location"] = {"accuracy_radius": U16(10), "latitude": float(latitude), "longitude": float(longitude)}
    return out


def asn(number):
    """An entry as those of GeoLite2-ASN."""
    return {"autonomous_system_number": number, "autonomous_system_organization": f"AS {number}"}
