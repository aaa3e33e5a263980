# SPDX-License-Identifier: BSD-2-Clause
"""`zonecast top`: figures of a node that is asked, at terminals of several sizes and without one; whatever ends it, the terminal is as it was."""
import contextlib
import json
import os
import signal
import socket
import threading

import dns.message
import pytest

from netns import missing, wait_until
from paths import SANITIZED, ZONECAST
from several import Several
from terminal import Terminal

WHY = missing(ZONECAST, "setsid", "bash")
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))
SLOW = 5 if SANITIZED else 1
LEFT = "\x1b[?25h\x1b[?1049l"  # what gives a terminal back


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("top")
    os.chmod(folder, 0o755)
    with Several(folder, ("hid", "fra"), more="answer: {query-log-sample: 1}\n") as f:
        f.start("hid", "fra")
        yield f


@contextlib.contextmanager
def asked(fleet):
    """fra is asked all the time, over both families, by one client of each."""
    ending = threading.Event()
    wires = [dns.message.make_query(name, kind).to_wire() for name, kind in (("www.example.", "A"), ("www.example.", "A"), ("none.example.", "AAAA"))]
    sockets = []
    for family, at in ((socket.AF_INET, fleet.v4("fra")), (socket.AF_INET6, fleet.v6("fra"))):
        s = fleet.ns["hid"].socket(family, socket.SOCK_DGRAM)
        s.setblocking(False)
        s.connect((at, 53))
        sockets.append(s)

    def run():
        while not ending.wait(0.01):
            for s in sockets:
                for wire in wires:
                    with contextlib.suppress(OSError):
                        s.send(wire)
                for _ in wires:
                    with contextlib.suppress(OSError):
                        s.recv(4096)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
        for s in sockets:
            s.close()


def top(fleet, *args, **how):
    return Terminal([ZONECAST, "top", "--interval", "300ms", *args, "--run-dir", fleet.path("fra", "run")], **how)


def wait_page(t, *said, seconds=60 * SLOW):
    """Until one page has all of this; that page."""
    def found():
        page = t.page()
        return page if all(any(s in line for line in page) for s in said) else None
    return wait_until(found, seconds, lambda: f"{said} on a page: {t.page()}\n{t.text()[-3000:]!r}")


def ended(t, left=True):
    """It has gone and the terminal is as it was. The exit status."""
    wait_until(lambda: t.process.poll() is not None, 30 * SLOW, "the program ends")
    wait_until(lambda: not left or LEFT in t.text(), 10, lambda: f"the terminal is given back: {t.text()[-200:]!r}")
    assert t.is_as_before()
    return t.process.returncode


TOLD = ("queries ", "IPv4 ", "kernel 0%", "NOERROR", "NXDOMAIN", "10.8.0.0/24", "2001:db8:8::/56", "www.example.", "none.example.")


@pytest.mark.asan
def test_live(fleet):
    """What is asked is seen; a new size is taken; f shows the nodes; q ends it."""
    with asked(fleet), top(fleet) as t:
        page = wait_page(t, *TOLD)
        assert len(page) == 24 and all(len(line) <= 80 for line in page), page
        assert page[0].startswith("fra  zonecast ") and page[-1].startswith("q quit")
        assert "\x1b[?1049h" in t.text() and "\x1b[32m" in t.text() and not t.is_as_before()
        for width, height in ((132, 50), (60, 12)):
            t.resize(width, height)
            page = wait_until(lambda h=height: len(t.page()) == h and t.page(), 60 * SLOW, lambda: f"a page of the new size: {t.page()}")
            assert all(len(line) <= width for line in page), page
        t.resize(80, 24)
        t.type("f")
        page = wait_page(t, "NODES", "hid")
        assert not any("CLIENTS" in line for line in page) and len(page) == 24
        t.type("f")
        wait_page(t, "CLIENTS", *TOLD)
        t.type("q")
        assert ended(t) == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV, signal.SIGABRT, "^C"])
def test_ends(fleet, how):
    """The terminal is given back, by signals that end it, the terminal's ^C and its own death."""
    if SANITIZED and how in (signal.SIGSEGV, signal.SIGABRT):
        pytest.skip("the sanitizer has these signals")
    with top(fleet) as t:
        wait_page(t, "queries ")
        if how == "^C":
            t.type("\x03")
        else:
            t.process.send_signal(how)
        assert ended(t) == (-how if how in (signal.SIGSEGV, signal.SIGABRT) else 0)


def test_stops_and_goes_on(fleet):
    """Stopped by ^Z, the terminal is the shell's; in the foreground again, it is taken again."""
    script = f'set -m; {ZONECAST} top --interval 300ms --run-dir {fleet.path("fra", "run")}; echo "STO""PPED"; read -r; fg >/dev/null; echo "EN""DED $?"'
    with Terminal(["bash", "-c", script]) as t:
        wait_page(t, "queries ")
        t.type("\x1a")
        wait_until(lambda: "STOPPED" in t.text(), 30 * SLOW, lambda: f"it stops: {t.text()[-500:]!r}")
        assert LEFT in t.text() and t.is_as_before()
        t.forget()
        t.type("\n")
        wait_until(lambda: "\x1b[?1049h" in t.text(), 30 * SLOW, lambda: f"the terminal is taken again: {t.text()[-500:]!r}")
        wait_page(t, "queries ")
        t.type("q")
        wait_until(lambda: "ENDED 0" in t.text(), 30 * SLOW, lambda: f"it ends: {t.text()[-500:]!r}")
        assert ended(t) == 0


def test_node_goes_and_comes(fleet):
    """It says why there is nothing newer, at the foot of the page and nowhere else, and goes on when the node is back."""
    with top(fleet) as t:
        wait_page(t, "queries ")
        fleet.stop("fra")
        try:
            page = wait_page(t, "no node runs here")
            assert "no node runs here" in page[-1] and len(page) == 24
        finally:
            fleet.start("fra")
        wait_until(lambda: t.page() and "no node runs" not in t.page()[-1], 60 * SLOW, lambda: f"it goes on: {t.page()}")
        with asked(fleet):
            wait_page(t, *TOLD)
        t.type("q")
        assert ended(t) == 0


def test_without_terminal(fleet):
    """One page without a single sequence, or one JSON object; no terminal that can: the same page."""
    args = ("top", "--interval", "500ms")
    with asked(fleet):
        out = wait_until(lambda: (lambda o: o if all(s in o for s in TOLD) else None)(fleet.zonecast("fra", *args).stdout), 60 * SLOW, "a page with all of it")
        assert "\033" not in out and all(len(line) <= 80 for line in out.splitlines()) and "q quit" not in out and "NODES" in out
        found = wait_until(lambda: (lambda o: o if o["sample"]["clients"] else None)(json.loads(fleet.zonecast("fra", *args, "--json").stdout)), 60 * SLOW, "a sample")
        assert found["queries"]["udp_ipv4"] > 0 and found["queries"]["udp_ipv6"] > 0 and found["all"] > 0 and found["rcodes"]["NXDOMAIN"] > 0
        assert {c["key"] for c in found["sample"]["clients"]} >= {"10.8.0.0/24"} and {n["name"] for n in found["nodes"]} == {"hid", "fra"}
        with top(fleet, TERM="dumb") as t:
            assert ended(t, left=False) == 0
            wait_until(lambda: "CLIENTS" in t.text(), 30, t.text)
            assert "\x1b" not in t.text()


@pytest.mark.parametrize("interval", ["0", "199ms", "61m", "1x", "-1s", "99999999999999999999"])
def test_mistakes(fleet, interval):
    done = fleet.zonecast("fra", "top", "--interval", interval)
    assert done.returncode == 2 and "a time from 200ms to 60m" in done.stderr


def test_no_node(fleet, tmp_path):
    with Terminal([ZONECAST, "top", "--run-dir", str(tmp_path)]) as t:
        assert ended(t, left=False) == 1
        wait_until(lambda: "no node runs here" in t.text(), 30, t.text)
        assert "\x1b" not in t.text()
