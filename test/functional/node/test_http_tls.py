# SPDX-License-Identifier: BSD-2-Clause
"""A node's web server over TLS, for who has a certificate; and where it listens."""
import contextlib
import json
import os
import signal
import ssl
import subprocess

import pytest

from certificates import Authority
from netns import missing, wait_until
from paths import ZONECAST
from web import ADDRESSES, BOSS, READER, SLOW, WebNode, tls_client

WHY = missing(ZONECAST)
pytestmark = [pytest.mark.skipif(WHY is not None, reason=str(WHY)), pytest.mark.asan]
HTTPS = "{token-file: tokens, tls: {certificate-file: web.pem, key-file: web.key, client-ca-file: clients/ca.pem}}"


def client_of(authority, folder, name, **how):
    """A certificate and its key, for a client."""
    certificate, key = os.path.join(folder, f"{name}.pem"), os.path.join(folder, f"{name}.key")
    authority.issue(certificate, key, name=name, **how)
    return certificate, key


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("webtls"))
    ours, clients, strangers = (Authority(os.path.join(folder, name)) for name in ("ours", "clients", "strangers"))
    ours.issue(os.path.join(folder, "web.pem"), os.path.join(folder, "web.key"), name="w1", addresses=ADDRESSES)
    with WebNode(folder, HTTPS) as node:
        node.ours, node.clients, node.strangers = ours, clients, strangers
        yield node


def context(node, *certificate):
    return tls_client(node.ours.file, *certificate)


@pytest.mark.parametrize("where", ADDRESSES)
def test_certificates_of_clients(site, where):
    good = client_of(site.clients, site.folder, "grafana.example")
    with site.socket(where, tls=context(site, *good)) as s:
        assert s.version() == "TLSv1.3"
    assert json.loads(site.get("/api/v1/session", where=where, tls=context(site, *good))[2]) == {
        "node": "w1", "reads": True, "by": "certificate", "name": "grafana.example", "changes": False, "tokens": True}
    assert site.get("/api/v1/status", where=where, tls=context(site, *good))[0] == 200
    # without one, or with one of somebody else: by token, or not at all
    for certificate in ((), client_of(site.strangers, site.folder, "stranger"), client_of(site.clients, site.folder, "late", days=-1)):
        try:
            assert site.get("/api/v1/status", where=where, tls=context(site, *certificate))[0] == 401
            assert site.get("/api/v1/status", where=where, tls=context(site, *certificate), token=READER)[0] == 200
        except (ssl.SSLError, ConnectionError):
            assert certificate  # it may be refused in the handshake
    # a certificate is for reading, and this server takes no orders at all
    assert site.post("/api/v1/orders", {"order": "drain"}, where=where, tls=context(site, *good))[0] == 403
    assert site.post("/api/v1/orders", {"order": "drain"}, where=where, tls=context(site), token=BOSS)[0] == 403
    assert "Secure" in site.post("/api/v1/login", {"token": READER}, where=where, tls=context(site))[1]["Set-Cookie"]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_nothing_but_tls(site):
    with site.socket() as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: w1\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert not s.recv(1000).startswith(b"HTTP")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        site.socket(tls=old)
    assert site.get("/", tls=context(site))[0] == 200


def serves(node, port, where=ADDRESSES[0], tls=None):
    try:
        with node.socket(where, port, tls=tls) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: w1\r\nConnection: close\r\n\r\n")
            return s.recv(12) == b"HTTP/1.1 200"
    except OSError:
        return False


def test_a_reload_moves_it(site):
    """To another certificate, another port, other addresses, and away."""
    with site.socket(tls=context(site)) as before:
        site.ours.issue(site.path("web.pem"), site.path("web.key"), name="w1", days=20, addresses=ADDRESSES)
        assert site.zonecast("reload").returncode == 0
        serial = before.getpeercert()["serialNumber"]

    def fresh():
        with contextlib.suppress(OSError), site.socket(tls=context(site)) as s:
            return s.getpeercert()["serialNumber"] != serial
        return False

    wait_until(fresh, 30 * SLOW, "the new certificate")
    site.configure(HTTPS.replace("{token-file", "{port: 8443, token-file"))
    assert site.zonecast("reload").returncode == 0
    wait_until(lambda: serves(site, 8443, tls=context(site)) and not serves(site, 8053, tls=context(site)), 30 * SLOW, "the other port")
    site.configure("{token-file: tokens}\n")
    assert site.zonecast("reload").returncode == 0
    wait_until(lambda: serves(site, 8053) and serves(site, 8053, ADDRESSES[1]), 30 * SLOW, "plain HTTP")
    site.write("web.key", "nothing", 0o600)
    site.configure(HTTPS)
    refused = site.zonecast("reload")
    assert refused.returncode == 1 and "web.key" in refused.stdout + refused.stderr
    assert serves(site, 8053)
    with open(site.path("fleet.yaml"), encoding="ascii") as f:
        text = f.read()
    site.write("fleet.yaml", text[:text.index("\nhttp:") + 1])
    assert site.zonecast("reload").returncode == 0
    wait_until(lambda: not serves(site, 8053), 30 * SLOW, "no web server")
    assert site.status()["http"] is None


def test_it_comes_back_when_admin_dies(tmp_path):
    with WebNode(tmp_path, "{token-file: tokens}") as node:
        def admin():
            with open(node.path("run", "pids"), encoding="ascii") as f:
                return [int(line.split()[2]) for line in f if line.startswith("admin ")]

        assert serves(node, 8053)
        cookie = node.post("/api/v1/login", {"token": READER})[1]["Set-Cookie"].split(";")[0]
        (before,) = admin()
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: admin() not in ([], [before]) and serves(node, 8053) and serves(node, 8053, ADDRESSES[1]), 30 * SLOW, "the next admin")
        assert node.get("/api/v1/status", token=READER)[0] == 200
        assert node.get("/api/v1/status", headers={"Cookie": cookie})[0] == 401  # sessions are in its memory alone


def test_an_address_that_comes_later(tmp_path):
    with WebNode(tmp_path, "{token-file: tokens}") as node:
        text = open(node.path("fleet.yaml"), encoding="ascii").read()
        node.write("fleet.yaml", text.replace("    site:", '    http: {listen: [10.77.0.5, "2001:db8:77::5"], token-file: tokens}\n    site:'))
        assert node.zonecast("reload").returncode == 0
        node.ns.ip("addr", "add", "10.77.0.5/32", "dev", "lo")
        node.ns.ip("-6", "addr", "add", "2001:db8:77::5/128", "dev", "lo")
        wait_until(lambda: serves(node, 8053, "10.77.0.5") and serves(node, 8053, "2001:db8:77::5"), 30 * SLOW, "the addresses")
        assert not serves(node, 8053, "192.0.2.53")  # service addresses answer DNS
        wait_until(lambda: not serves(node, 8053), 30 * SLOW, "its own list is in place of the fleet's")


@pytest.mark.parametrize("http, want", [
    ("{}", "who may read?"),
    ("{token-file: missing}", "secret file"),
    ("{token-file: open-tokens}", "others may read this secret (mode 0644)"),
    ("{token-file: bad-tokens}", "bad-tokens:2: error: the second word is ro"),
    ("{token-file: twin-tokens}", "twin-tokens:2: error: this token is here twice"),
    ("{token-file: no-tokens}", "there is no token in it"),
    ("{open: true, tls: {certificate-file: web.pem, key-file: other.key}}", "does not belong to the certificate"),
    ("{tls: {certificate-file: web.pem, key-file: web.key, client-ca-file: tokens}}", "there is no certificate of an authority"),
    ("{listen: [127.0.0.1]}", None),
    ("{open: true}", None),
])
def test_what_check_says(tmp_path, http, want):
    node = WebNode(tmp_path, http)
    try:
        node.write("open-tokens", f"a ro {READER}\n", 0o644)
        node.write("bad-tokens", f"a ro {READER}\nb root {BOSS}\n", 0o600)
        node.write("twin-tokens", f"a ro {READER}\nb rw {READER}\n", 0o600)
        node.write("no-tokens", "# nobody\n\n", 0o600)
        ca = Authority(node.path("ca"))
        ca.issue(node.path("web.pem"), node.path("web.key"), name="w1")
        ca.issue(node.path("other.pem"), node.path("other.key"), name="w1")
        done = subprocess.run([ZONECAST, "check", "--config", node.path("fleet.yaml"), "--node", "w1"], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == (1 if want else 0), done.stdout + done.stderr
        assert not want or want in done.stdout + done.stderr
    finally:
        node.net.close()
