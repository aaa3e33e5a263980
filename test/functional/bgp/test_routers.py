# SPDX-License-Identifier: BSD-2-Clause
"""Our BGP session against BIRD, FRR, GoBGP and OpenBGPD in network namespaces: what the routers have in their tables, and how fast it goes."""
import os
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
from netns import Net, RouteWatch, missing, wait_until  # noqa: E402
from routers import SIGCONT, SIGSTOP, Bird, Frr, GoBgp, Neighbor, OpenBgpd  # noqa: E402
from speaker import Speaker, program  # noqa: E402

V4, V6 = "192.0.2.0/24", "2001:db8:53::/48"
OUR_AS, ROUTER_AS = 4200000053, 64601
KINDS = {"bird": Bird, "frr": Frr, "gobgp": GoBgp, "openbgpd": OpenBgpd}

pytestmark = pytest.mark.skipif(missing(program()) is not None, reason=str(missing(program())))


class Site:
    """A router and a node on one cable. Each way to peer has an address of its own on the node."""

    plain, md5, gtsm, short, ibgp = "10.9.0.2", "10.9.0.3", "10.9.0.4", "10.9.0.5", "10.9.0.6"
    plain6, md5_6, gtsm6 = "2001:db8:9::2", "2001:db8:9::3", "2001:db8:9::4"

    def __init__(self, kind, net, directory):
        self.pop, self.rtr = net.namespace("pop"), net.namespace("rtr")
        net.veth(self.pop, "up0", [f"10.9.0.{i}/24" for i in range(2, 7)] + [f"2001:db8:9::{i}/64" for i in range(2, 5)],
                 self.rtr, "pop0", ["10.9.0.1/24", "2001:db8:9::1/64"])
        neighbors = [Neighbor(self.plain, OUR_AS), Neighbor(self.plain6, OUR_AS),
                     Neighbor(self.md5, OUR_AS, password="zonecast"), Neighbor(self.md5_6, OUR_AS, password="zonecast"),
                     Neighbor(self.gtsm, OUR_AS, ttl_security=True), Neighbor(self.gtsm6, OUR_AS, ttl_security=True),
                     Neighbor(self.short, OUR_AS, hold=3), Neighbor(self.ibgp, ROUTER_AS)]
        self.router = KINDS[kind](self.rtr, directory, ROUTER_AS, "10.9.0.1", neighbors).start()

    def speaker(self, local, asn=OUR_AS, **options):
        # The next hop of the other family is looked up on the interface: its first address.
        remote = "2001:db8:9::1" if ":" in local else "10.9.0.1"
        values = {"as": asn, "peer_as": ROUTER_AS, "router_id": "10.9.0.2", "remote": remote, "local": local, **options}
        return Speaker(self.pop, **values)

    def both(self, timeout=10):
        return [wait_until(lambda p=p: self.router.route(p), timeout, f"{p} at the router") for p in (V4, V6)]

    def gone(self, timeout=10):
        for p in (V4, V6):
            wait_until(lambda p=p: self.router.route(p) is None, timeout, f"{p} gone from the router")


@pytest.fixture(scope="module", params=list(KINDS))
def site(request, tmp_path_factory):
    why = missing(*KINDS[request.param].needs)
    if why:
        pytest.skip(why)
    directory = tmp_path_factory.mktemp("bgp")
    for above in (directory, directory.parent, directory.parent.parent):
        os.chmod(above, 0o755)  # FRR's daemons change their user
    with Net() as net:
        yield Site(request.param, net, directory)


def only(*kinds):
    return pytest.mark.parametrize("site", kinds, indirect=True)


@pytest.mark.parametrize("local", [Site.plain, Site.plain6], ids=["over-v4", "over-v6"])
def test_routes_come_and_go(site, local):
    with site.speaker(local) as s:
        s.start(f"announce {V4} prepend=2 med=7 community=64500:1 large=4200000053:2:3", f"announce {V6}")
        v4, v6 = site.both()
        assert v4.path == [OUR_AS] * 3 and v4.med == 7
        assert v4.communities == ["64500:1"] and v4.large == ["4200000053:2:3"]
        # The session's own address in its family, the first of the interface in the other.
        assert v4.next_hop == (local if ":" not in local else Site.plain)
        assert v6.path == [OUR_AS] and v6.communities == []
        assert v6.next_hop == (local if ":" in local else Site.plain6)

        # Graceful shutdown is a new announcement of the same prefix.
        s.send(f"announce {V4} prepend=2 med=7 community=64500:1 large=4200000053:2:3 community=65535:0")
        wait_until(lambda: "65535:0" in (site.router.route(V4) or v4).communities, 5, "graceful-shutdown seen")
        assert site.router.route(V6).communities == []

        s.send(f"withdraw {V4}")
        wait_until(lambda: site.router.route(V4) is None, 5, "v4 withdrawn")
        assert site.router.route(V6)
        s.send("withdraw all")
        site.gone(5)
        status = s.status()
        assert status["state"] == "established" and status["established"] == "1" and status["garbage"] == "0"
        s.quit()


@only("bird", "frr")  # GoBGP keeps what it heard and has no need to ask
def test_route_refresh(site):
    with site.speaker(Site.plain) as s:
        s.start(f"announce {V4}", f"announce {V6}")
        site.both()
        before = s.status()
        site.router.refresh(Site.plain)
        wait_until(lambda: int(s.status()["refreshes-in"]) >= int(before["refreshes-in"]) + 2, 5, "asked to refresh")
        after = s.status()
        assert int(after["updates-out"]) >= int(before["updates-out"]) + 2
        site.both()
        assert after["state"] == "established" and after["garbage"] == "0"
        s.quit()


@pytest.mark.parametrize("local", [Site.md5, Site.md5_6], ids=["over-v4", "over-v6"])
def test_md5(site, local):
    with site.speaker(local, md5="zonecast") as s:
        s.start(f"announce {V4}", f"announce {V6}")
        site.both()
        s.quit()


@pytest.mark.parametrize("local", [Site.gtsm, Site.gtsm6], ids=["over-v4", "over-v6"])
def test_ttl_security(site, local):
    with site.speaker(local, gtsm=1) as s:
        s.start(f"announce {V4}", f"announce {V6}")
        site.both()
        s.quit()


@only("bird")
def test_wrong_md5_key_is_said(site):
    with site.speaker(Site.md5, md5="another") as s:
        s.send(f"announce {V4}", "start")
        s.wait(r"error no answer to the TCP connection within 10 s: .*wrong password", 14)
        assert site.router.route(V4) is None


def test_wrong_as_is_said(site):
    with site.speaker(Site.plain, peer_as=64999) as s:
        s.send("start")
        s.wait(r"error the peer says it is AS 64601, configured is AS 64999", 10)
        s.wait(r"notification-out 2/2 bad peer AS", 1)
        s.wait(r"state idle connect", 8, len(s.lines))  # and again, for ever


@only("bird")
def test_internal_session(site):
    with site.speaker(Site.ibgp, asn=ROUTER_AS) as s:
        s.start(f"announce {V4} pref=150 prepend=2", f"announce {V6}")
        v4, v6 = site.both()
        assert v4.path == [] and v4.local_pref == 150
        assert v6.path == [] and v6.local_pref == 100
        s.quit()


@only("bird")
def test_shutdown_text_arrives(site):
    with site.speaker(Site.plain) as s:
        s.start(f"announce {V4}")
        wait_until(lambda: site.router.route(V4), 5, "the route")
        s.send("stop maintenance until noon")
        s.wait(r" closed$", 3)
        wait_until(lambda: 'Administrative shutdown: "maintenance until noon"' in site.router.log(), 3, "BIRD logs the text")
        assert site.router.route(V4) is None
        s.start()
        wait_until(lambda: site.router.route(V4), 5, "the route again")
        s.quit()


@only("bird", "frr")  # GoBGP installs nothing into the kernel
def test_sigkill_takes_the_route_away(site, record_property):
    """No timer is in the way: the kernel closes the socket, the router withdraws. Measured in the router's kernel table."""
    took = []
    for _ in range(3):
        with site.speaker(Site.plain) as s:
            s.start(f"announce {V4}", f"announce {V6}")
            site.both()
            wait_until(lambda: V4 in site.rtr.run(["ip", "route"]), 10, "the kernel's route")
            watch = RouteWatch(site.rtr)
            since = time.monotonic()
            s.process.kill()
            took.append(watch.wait_deleted(V4, since, 5) * 1000)
            site.gone(5)
    text = ", ".join(f"{ms:.0f}" for ms in took)
    record_property("sigkill_ms", text)
    print(f"\n{type(site.router).__name__}: route gone from the kernel {text} ms after SIGKILL")
    assert min(took) < 1000


@only("bird")
def test_hung_router_is_noticed(site):
    """Hold time 3: a router that hangs is given up, and met again when it goes on."""
    with site.speaker(Site.short, hold=3) as s:
        s.start(f"announce {V4}")
        assert s.status()["hold"] == "3"
        site.router.signal(SIGSTOP)
        try:
            s.wait(r"error hold timer expired: nothing from the peer within 3 s", 6)
            s.wait(r"notification-out 4/0 hold timer expired", 1)
        finally:
            site.router.signal(SIGCONT)
        s.wait(r"state open-confirm established", 20, len(s.lines))
        wait_until(lambda: site.router.route(V4), 5, "the route again")
        s.quit()


@only("bird")
def test_our_hang_is_noticed_by_the_router(site):
    with site.speaker(Site.short, hold=3) as s:
        s.start(f"announce {V4}")
        wait_until(lambda: site.router.route(V4), 5, "the route")
        s.process.send_signal(SIGSTOP)
        wait_until(lambda: site.router.route(V4) is None, 6, "BIRD's hold timer")
        s.process.send_signal(SIGCONT)
        s.wait(r"notification-in 4/0 hold timer expired|error the peer closed", 5)
        s.wait(r"state open-confirm established", 20, len(s.lines))
        s.quit()
