# SPDX-License-Identifier: BSD-2-Clause
"""Programs that stand in front of a name server, with a cache: zonecast and dnsdist, each before the same Knot.

The backend has the generator's CPU and is not billed to who stands in front of it. Hits: few names, asked again and again, so that the backend hardly hears of them. Misses: each
question has a name of its own, answered by a wildcard (miss) or with NXDOMAIN (nx).
"""
import os
import time

import measure
from peers import SERVERS, Knot, Peer, Zonecast, ZonecastXdp
from rig import PORT, SERVER, run

BEHIND = ("127.0.0.1", 5300)
ENTRIES = 1_000_000  # that caches are made for, and filled with
CACHE_MIB = 512
FILL_RATE = 25_000
FILL_S = ENTRIES * 1.15 / FILL_RATE  # some are lost on the way


class KnotBehind(Knot):
    name = "knot-behind"

    def configure(self):
        super().configure()
        with open(self.path("knot.conf"), encoding="ascii") as f:
            text = f.read()
        with open(self.path("knot.conf"), "w", encoding="ascii") as f:
            f.write(text.replace(f"listen: [ {SERVER[4]}@{PORT}, {SERVER[6]}@{PORT} ]", "listen: [ %s@%d ]" % BEHIND))

    def cpu(self):
        return self.rig.client_cpu


class Front(Peer):
    """Not started before its backend is."""
    front = True

    def __init__(self, rig, zones, **how):
        super().__init__(rig, zones, **how)
        self.behind = KnotBehind(rig, zones, base=how.get("base"))

    def start(self):
        if not self.behind.process:
            self.behind.start()
            deadline = time.monotonic() + 120
            while not run("ip", "netns", "exec", self.rig.server_ns, "ss", "-Hlun", "sport", "=", f":{BEHIND[1]}").strip():
                if time.monotonic() > deadline or self.behind.process.poll() is not None:
                    raise RuntimeError(f"the backend does not start: {self.behind.log()[-1000:]}")
                time.sleep(0.05)
        return super().start()

    def close(self):
        try:
            super().close()
        finally:
            self.behind.close()


class ZonecastFront(Front, Zonecast):
    name, tls = "zonecast-front", False
    answer = (f"backend-cache: {{size: {CACHE_MIB}MiB}}",)

    @classmethod
    def fleet(cls, folder, store, zones, tls):
        for line in super().fleet(folder, store, [], tls):
            if line == "zones: []":
                yield from ("backends:", "  - {name: behind, servers: [{address: \"%s:%d\"}]}" % BEHIND, "zones:" if zones else line)
                yield from (f'  - {{name: "{name.rstrip(".") or "."}", backends: behind{cls.zone_more}}}' for name, _ in zones)
            else:
                yield line

    def memory(self):
        return self.cgroup.memory()


class ZonecastFrontXdp(ZonecastFront, ZonecastXdp):
    """Hits from the cache in the kernel, as far as a second brings the same question again."""
    name, xdp = "zonecast-front-xdp", True
    answer = (*ZonecastFront.answer, *ZonecastXdp.answer)


class Dnsdist(Front):
    """One thread for queries and one for answers, as it comes; its packet cache is for as many entries. What it offers against abuse is off, as with all servers here."""
    name, program = "dnsdist", "dnsdist"
    version_args = ("--version",)

    def configure(self):
        self.write("dnsdist.conf", f'setLocal("{SERVER[4]}:{PORT}")', f'addLocal("[{SERVER[6]}]:{PORT}")', 'setACL({"0.0.0.0/0", "::/0"})', 'setSecurityPollSuffix("")',
                   "setMaxUDPOutstanding(65535)", f'getPool(""):setCache(newPacketCache({ENTRIES}, {{maxTTL=86400}}))', 'setServerPolicy(leastOutstanding)',
                   'newServer({address="%s:%d", sockets=4, checkName="%s", checkType="SOA"})' % (*BEHIND, self.zones[0][0]))

    def argv(self):
        return ["dnsdist", "--supervised", "--disable-syslog", "-C", self.path("dnsdist.conf")]

    def memory(self):
        return self.cgroup.memory()


SERVERS.update({s.name: s for s in (ZonecastFront, ZonecastFrontXdp, Dnsdist)})


def filled(server, rig, row, questions):
    """Memory with the cache full of different names."""
    server.wait_quiet()
    empty = server.memory()
    got = measure.blast(rig, row, FILL_S, rate=FILL_RATE, questions=questions)
    server.wait_quiet()
    full = server.memory()
    return {"memory_mib": full / 2**20, "empty_mib": empty / 2**20, "octets_per_entry": (full - empty) / min(ENTRIES, max(1, got["answered"])), "lost": got["lost"] / max(1, got["sent"])}
