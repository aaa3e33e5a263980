# SPDX-License-Identifier: BSD-2-Clause
"""Endpoints to be checked: web servers, bare TCP ports and name servers, each of which can be told how to behave while it runs.

    with Endpoints(namespace) as e:
        e.open("web1", "http", "10.8.0.200", 8001)
        e.behave("web1", "error")                      # from now on
        e.open("tls1", "https", "10.8.0.200", 8443, certificate=(cert, key))

Kinds: tcp, http, https, dns. How they behave: good; error (503, SERVFAIL); hang (taken, never answered); slow (an octet every 100 ms); close (at once); garbage; gone (nothing listens); other
(a good answer with another text).

As a program (which Endpoints starts in its namespace) it takes lines of JSON and answers each with a line."""
import asyncio
import json
import os
import ssl
import subprocess
import sys


class Endpoints:
    def __init__(self, namespace):
        self.process = namespace.popen([sys.executable, os.path.abspath(__file__)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _order(self, **order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert answer.get("error") is None, (order, answer)
        return answer

    def open(self, name, kind, address, port, certificate=None, how="good"):
        self._order(do="open", name=name, kind=kind, address=address, port=port, certificate=certificate, how=how)

    def behave(self, name, how):
        self._order(do="behave", name=name, how=how)

    def asked(self, name):
        """How often somebody came."""
        return self._order(do="asked", name=name)["asked"]

    def last(self, name):
        """What the last client of a web server sent."""
        return self._order(do="last", name=name)["last"]

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Server:
    def __init__(self, order):
        self.kind, self.at, self.how = order["kind"], (order["address"], order["port"]), order["how"]
        self.context, self.listener, self.asked, self.last = None, None, 0, ""
        if order["certificate"]:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*order["certificate"])

    async def listen(self):
        if self.listener or self.how == "gone":
            return
        if self.kind == "dns":
            loop = asyncio.get_running_loop()
            self.listener, _ = await loop.create_datagram_endpoint(lambda: Datagrams(self), local_addr=self.at)
        else:
            self.listener = await asyncio.start_server(self.serve, *self.at, ssl=self.context, reuse_address=True)

    async def behave(self, how):
        self.how = how
        if how == "gone" and self.listener:
            self.listener.close()
            self.listener = None
        await self.listen()

    async def serve(self, reader, writer):
        self.asked += 1
        try:
            await self.answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def answer(self, reader, writer):
        if self.how == "close":
            return
        if self.kind == "tcp":
            await reader.read(1)
            return
        self.last = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, text = ("503 No", "oh") if self.how == "error" else ("200 OK", "another" if self.how == "other" else "all is well")
        out = f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode()
        if self.how == "hang":
            await asyncio.sleep(3600)
        if self.how == "garbage":
            out = b"\0\xff\x16\x03 nothing that anybody could read\r\n\r\n"
        for octet in out if self.how == "slow" else ():
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(0.1)
        if self.how != "slow":
            writer.write(out)
            await writer.drain()


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server):
        self.server, self.transport = server, None

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        import dns.flags  # pylint: disable=import-outside-toplevel
        import dns.message  # pylint: disable=import-outside-toplevel
        import dns.rcode  # pylint: disable=import-outside-toplevel
        import dns.rrset  # pylint: disable=import-outside-toplevel
        self.server.asked += 1
        how = self.server.how
        if how == "hang":
            return
        if how == "garbage":
            self.transport.sendto(data[:2] + b"\x80", addr)
            return
        q = dns.message.from_wire(data)
        answer = dns.message.make_response(q)
        answer.flags |= dns.flags.AA
        if how == "error":
            answer.set_rcode(dns.rcode.SERVFAIL)
        else:
            answer.answer.append(dns.rrset.from_text(q.question[0].name, 60, "IN", "A", "192.0.2.99" if how == "other" else "192.0.2.1"))
        self.transport.sendto(answer.to_wire(), addr)


async def main():
    loop, servers = asyncio.get_running_loop(), {}
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        order, answer = json.loads(line), {}
        try:
            if order["do"] == "open":
                servers[order["name"]] = Server(order)
                await servers[order["name"]].listen()
            elif order["do"] == "behave":
                await servers[order["name"]].behave(order["how"])
            else:
                answer = {"asked": servers[order["name"]].asked, "last": servers[order["name"]].last}
        except (OSError, KeyError) as e:
            answer["error"] = repr(e)
        print(json.dumps(answer), flush=True)
    os._exit(0)  # whoever hangs


if __name__ == "__main__":
    asyncio.run(main())
