# SPDX-License-Identifier: BSD-2-Clause
"""A node with a web server in a namespace of its own, and clients of it there.

    with WebNode(folder) as node:
        status, headers, body = node.get("/api/v1/status", token=READER)
"""
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess

from netns import Net, stop_process, wait_until
from paths import SANITIZED, ZONECAST

READER, BOSS = "r" * 24, "b" * 24
ADDRESSES = ["10.77.0.1", "2001:db8:77::1"]
PORT = 8053
SLOW = 10 if SANITIZED else 1

FLEET = """fleet: web
networks:
  - {{name: global, prefixes: [192.0.2.0/24, "2001:db8:53::/48"], addresses: [192.0.2.53, "2001:db8:53::53"], as: 64500, drain-time: 0s}}
nodes:
  - name: w1
    role: pop
    networks: [global]
    management: [10.77.0.1, "2001:db8:77::1"]
    workers: 1
    site: {{city: Frankfurt, latitude: 50.11, longitude: 8.68}}
  - {{name: w2, role: pop, networks: [global], management: [10.77.0.9, "2001:db8:77::9"]}}
keys: [{{name: k, secret-file: k.key}}]
zones:
{zones}
http: {http}
"""
ZONE = "$TTL 300\n@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n"


class Connection(http.client.HTTPConnection):
    """By a socket that is there already."""

    def __init__(self, where, sock):
        super().__init__(where, PORT, timeout=30 * SLOW)
        self.sock = sock


class WebNode:
    def __init__(self, folder, http="{token-file: tokens, allow-changes: true, names: [dns.example]}", zones=3):
        self.folder = str(folder)
        os.chmod(self.folder, 0o755)
        self.process, self.net = None, Net()
        try:
            self.ns = self.net.namespace("web")
            self.ns.run(["ip", "link", "set", "lo", "up"])
            self.ns.ip("addr", "add", "10.77.0.1/32", "dev", "lo")
            self.ns.ip("-6", "addr", "add", "2001:db8:77::1/128", "dev", "lo")
            self.ns.ip("route", "add", "local", "10.77.1.0/24", "dev", "lo")  # clients by other addresses
        except BaseException:
            self.net.close()
            raise
        self.zones = [f"z{i:05}.example" for i in range(zones)]
        self.write("zone", ZONE)
        self.write("k.key", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=\n", 0o600)
        self.write("tokens", f"# name, kind, token\nreader ro {READER}\nboss rw {BOSS}\n", 0o600)
        self.configure(http)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(name), mode)

    def configure(self, http):
        zones = "\n".join(f"  - {{name: {z}, file: zone, network: global}}" for z in self.zones)
        self.write("fleet.yaml", FLEET.format(http=http, zones=zones))

    def log(self):
        with open(self.path("log"), encoding="latin-1") as f:
            return f.read()

    def alive(self):
        assert self.process.poll() is None, f"the node ended with {self.process.returncode}:\n{self.log()[-3000:]}"
        return True

    def __enter__(self):
        argv = [ZONECAST, "run", "--config", self.path("fleet.yaml"), "--node", "w1", "--run-dir", self.path("run"), "--state-dir", self.path("state")]
        try:
            with open(self.path("log"), "ab") as log:
                self.process = self.ns.popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            wait_until(lambda: self.alive() and "\nready\n" in "\n" + self.log(), 120, lambda: f"ready; log:\n{self.log()[-3000:]}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            if self.process:
                stop_process(self.process, signal.SIGTERM, 20)
        finally:
            self.net.close()
        log = self.log()
        assert "ERROR: AddressSanitizer" not in log and "runtime error:" not in log, log[-5000:]

    def zonecast(self, *args):
        return subprocess.run([ZONECAST, *args, "--run-dir", self.path("run")], capture_output=True, text=True, timeout=60, check=False)

    def status(self):
        return json.loads(self.zonecast("status", "--json").stdout)

    def counters(self):
        return self.status()["http"]

    # clients

    def socket(self, where=ADDRESSES[0], port=PORT, source=None, tls=None):
        """Connected; tls: an SSLContext."""
        s = self.ns.socket(socket.AF_INET6 if ":" in where else socket.AF_INET, socket.SOCK_STREAM)
        try:
            s.settimeout(30 * SLOW)
            if source:
                s.bind((source, 0))
            s.connect((where, port))
            return tls.wrap_socket(s, server_hostname=where) if tls else s
        except BaseException:
            s.close()
            raise

    def ask(self, method, path, where=ADDRESSES[0], token=None, body=None, headers=None, tls=None, source=None):
        """Status, headers, body of one request on a connection of its own."""
        fields = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None and not isinstance(body, (bytes, str)):
            body, fields["Content-Type"] = json.dumps(body), "application/json"
        fields.update(headers or {})
        connection = Connection(where, self.socket(where, source=source, tls=tls))
        try:
            connection.request(method, path, body, fields)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def get(self, path, **how):
        return self.ask("GET", path, **how)

    def json(self, path, **how):
        status, _, body = self.get(path, token=READER, **how)
        assert status == 200, (status, body)
        return json.loads(body)

    def post(self, path, body, **how):
        return self.ask("POST", path, body=body, **how)


def tls_client(authority, certificate=None, key=None):
    """A context for clients; authority: whose server it believes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority)
    context.check_hostname = False
    if certificate:
        context.load_cert_chain(certificate, key)
    return context
