#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Sends queries over UDP from many source addresses and counts what comes back, by source. Meant to be run inside a namespace of the test's.

    flood.py '{"to": ["192.0.2.53"], "sources": ["198.18.0.1", ...], "count": 200000, "seconds": 4, "name": "www.example.", "random": false}'

Prints one line of JSON: {"seconds": elapsed, "sources": {ADDRESS: {"sent": n, "full": n, "truncated": n, "rcodes": {RCODE: n}}}}. "random" puts a
label that nobody asked for before in front of the name. Sources are bound without being configured (IP_FREEBIND): a local route must cover
them. The queries go out evenly over `seconds`; the count is what ends it.
"""
import json
import select
import socket
import sys
import time

import dns.message

IP_FREEBIND = 15
IPV6_FREEBIND = 78
LINGER_S = 1.0


def open_source(address, to):
    v6 = ":" in address
    s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP, IPV6_FREEBIND if v6 else IP_FREEBIND, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    s.bind((address, 0))
    s.connect((next(t for t in to if (":" in t) == v6), 53))
    s.setblocking(False)
    return s


def take(s, count):
    while True:
        try:
            reply = s.recv(4096)
        except (BlockingIOError, ConnectionRefusedError):
            return
        if reply[2] & 2:
            count["truncated"] += 1
        else:
            count["full"] += 1
        rcode = str(reply[3] & 15)
        count["rcodes"][rcode] = count["rcodes"].get(rcode, 0) + 1


def main():
    plan = json.loads(sys.argv[1])
    counts = {a: {"sent": 0, "full": 0, "truncated": 0, "rcodes": {}} for a in plan["sources"]}
    sockets = [(open_source(a, plan["to"]), counts[a]) for a in plan["sources"]]
    by_fd = {s.fileno(): (s, c) for s, c in sockets}
    poll = select.epoll()
    for s, _ in sockets:
        poll.register(s.fileno(), select.EPOLLIN)
    prefix = "aaaaaaaaaaaa." if plan.get("random") else ""
    query = bytearray(dns.message.make_query(prefix + plan["name"], plan.get("type", "A")).to_wire())
    began = time.monotonic()
    for i in range(plan["count"]):
        s, count = sockets[i % len(sockets)]
        query[0:2] = (i & 0xffff).to_bytes(2, "big")
        if prefix:
            query[13:25] = b"%012x" % i
        while True:
            try:
                s.send(query)
                count["sent"] += 1
            except BlockingIOError:  # on a busy machine the flood takes longer, but is the same
                for fd, _ in poll.poll(0.001):
                    take(*by_fd[fd])
                continue
            except OSError:
                pass
            break
        if i % 64 == 0:
            for fd, _ in poll.poll(0):
                take(*by_fd[fd])
            ahead = began + plan["seconds"] * i / plan["count"] - time.monotonic()
            if ahead > 0.002:
                time.sleep(ahead)
    elapsed = time.monotonic() - began
    until = time.monotonic() + LINGER_S
    while time.monotonic() < until:
        for fd, _ in poll.poll(0.1):
            take(*by_fd[fd])
    print(json.dumps({"seconds": elapsed, "sources": counts}))


if __name__ == "__main__":
    main()
