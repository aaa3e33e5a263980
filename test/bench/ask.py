# SPDX-License-Identifier: BSD-2-Clause
"""Single questions over UDP, with nothing but sockets: the clock of a load time must not wait for a library."""
import socket
import struct

PORT = 53
TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "DS": 43, "DNSKEY": 48}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 9: "NOTAUTH"}


def wire(name, qtype, dnssec=False):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split(".") if label) + b"\0"
    opt = struct.pack("!BHHIH", 0, 41, 1232, 0x8000, 0) if dnssec else b""
    return struct.pack("!HHHHHH", 0x1234, 0, 1, 0, 0, 1 if dnssec else 0) + labels + struct.pack("!HH", TYPES[qtype], 1) + opt


def question(address, name, qtype, wait_s=0.05, dnssec=False):
    """The answer's octets, or None."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(wait_s)
        try:
            s.connect((address, PORT))
            s.send(wire(name, qtype, dnssec))
            answer = s.recv(4096)
        except OSError:
            return None
    return answer if len(answer) >= 12 and answer[:2] == b"\x12\x34" and answer[2] & 0x80 else None


def rcode(answer):
    return RCODES.get(answer[3] & 15, str(answer[3] & 15))


def good(address, name, qtype):
    """Is the answer NOERROR with something in it?"""
    answer = question(address, name, qtype)
    return answer is not None and answer[3] & 15 == 0 and answer[6:10] != b"\0\0\0\0"


def skip_name(message, at):
    while message[at]:
        if message[at] >= 0xC0:
            return at + 2
        at += 1 + message[at]
    return at + 1


def serial(address, zone, wait_s=0.02):
    """The SOA serial, or None."""
    answer = question(address, zone, "SOA", wait_s)
    if answer is None or answer[6:8] == b"\0\0":
        return None
    at = skip_name(answer, skip_name(answer, 12) + 4) + 10  # question; owner, type, class, TTL, length
    at = skip_name(answer, skip_name(answer, at))           # the two names in the data
    return struct.unpack("!I", answer[at:at + 4])[0]
