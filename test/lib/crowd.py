# SPDX-License-Identifier: BSD-2-Clause
"""Many connections of many clients at once; run in the server's namespace, where every address is local.

    crowd.py SERVER4 SERVER6 PORT IDLE SLOW [tls]

Opens IDLE connections that say nothing and SLOW ones that send a query an octet a second, each from its own address (IPv6: its own /64). With `tls`
the silent ones finish a handshake first. Prints one JSON line when all are connected; then, for each line on stdin, another with what
has become of them; ends at the end of stdin.
"""
import json
import os
import resource
import select
import socket
import ssl
import struct
import sys
import time

IPV6_FREEBIND = 78
QUERY = struct.pack(">H6H", 33, 1, 0, 1, 0, 0, 0) + b"\x0fwww-of-the-slow\x00\x00\x01\x00\x01"


def client(servers, port, number):
    v6 = number % 2
    s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_STREAM)
    if v6:
        s.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
    s.bind((f"2001:db8:{number + 1:x}::1" if v6 else f"10.{100 + number // 65536}.{number // 256 % 256}.{number % 256}", 0))
    s.settimeout(60)
    s.connect((servers[v6], port))
    return s


def main():
    servers, (port, idle, slow) = sys.argv[1:3], (int(a) for a in sys.argv[3:6])
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    conns, sent, began = {}, {}, time.monotonic()
    poll = select.poll()
    for i in range(idle + slow):
        s = client(servers, port, i)
        if sys.argv[6:] == ["tls"]:
            s = context.wrap_socket(s)
        s.setblocking(False)
        conns[s.fileno()] = s
        poll.register(s, select.POLLIN | select.POLLHUP)
        if i >= idle:
            sent[s.fileno()] = 0
    print(json.dumps({"connected": len(conns), "took_s": round(time.monotonic() - began, 2)}), flush=True)
    poll.register(0, select.POLLIN | select.POLLHUP)
    ended, next_at = 0, time.monotonic()
    while True:
        for fd, _ in poll.poll(max(0, (next_at - time.monotonic()) * 1000)):
            if fd == 0:
                if not os.read(0, 1):
                    return
                print(json.dumps({"open": len(conns), "ended": ended}), flush=True)
                continue
            try:
                more = conns[fd].recv(4096)
            except BlockingIOError:
                continue
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                continue
            except OSError:
                more = b""
            if not more:
                poll.unregister(fd)
                conns.pop(fd).close()
                sent.pop(fd, None)
                ended += 1
        if time.monotonic() >= next_at:
            next_at = time.monotonic() + 1
            for fd, at in list(sent.items()):
                try:
                    conns[fd].send(QUERY[at:at + 1])
                    sent[fd] = at + 1
                except OSError:
                    pass  # poll tells of its end


main()
