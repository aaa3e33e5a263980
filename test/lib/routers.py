# SPDX-License-Identifier: BSD-2-Clause
"""Real routers as BGP neighbors in a namespace: BIRD 2, FRR, GoBGP, OpenBGPD, all behind one interface.

    bird = Bird(ns, tmpdir, asn=64601, router_id="10.9.0.1", neighbors=[Neighbor("10.9.0.2", 64500, password="x")])
    bird.start()                          # returns when it answers questions
    bird.route("192.0.2.0/24")            # None, or Route(path=[64500], communities=["65535:0"], ...)
    bird.refresh("10.9.0.2")              # sends us a ROUTE-REFRESH (BIRD and FRR; GoBGP never does)
    bird.stop()

Import everything, export nothing, no policy. BIRD and FRR install what they learn into the kernel of their namespace.
"""
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess

from netns import stop_process, wait_until

FRR_DIR = "/usr/lib/frr"


@dataclasses.dataclass
class Neighbor:
    """One of the router's neighbors; families are announced over either transport."""
    address: str
    asn: int
    password: str = ""
    ttl_security: bool = False
    hold: int = 90
    name: str = ""
    interface: str = ""      # of a link-local address
    extended: bool = False   # IPv6 next hops of IPv4 routes, RFC 8950
    role: str = ""           # the router's own, RFC 9234 (BIRD, FRR, OpenBGPD): provider, peer, customer
    strict: bool = False     # ... and it wants ours to be stated
    passive: bool = False    # it waits for us
    bfd: tuple = ()  # (interval in ms, multiplier, "multihop" or "")

    @property
    def ident(self):
        return self.name or "n" + re.sub(r"[^0-9a-z]", "_", self.address)


@dataclasses.dataclass
class Route:
    path: list
    next_hop: str
    communities: list
    large: list
    med: int
    local_pref: int


def _pairs(text):
    """'(65535,0) (1, 2)' -> ['65535:0', '1:2']"""
    return [":".join(re.findall(r"\d+", one)) for one in re.findall(r"\([^)]*\)", text)]


class Router:
    def __init__(self, ns, directory, asn, router_id, neighbors):
        self.ns, self.asn, self.router_id, self.neighbors = ns, asn, router_id, neighbors
        self.directory = os.path.join(str(directory), f"{type(self).__name__.lower()}-{ns.name}")
        self.processes = []
        self.sends = []  # (prefix, AS that originates it) to all neighbors
        os.makedirs(self.directory)
        os.chmod(self.directory, 0o755)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def spawn(self, name, argv):
        with open(self.path(name + ".out"), "ab") as log:
            process = self.ns.popen(argv, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def check_alive(self):
        for process in self.processes:
            if process.poll() is not None:
                raise AssertionError(f"{process.args} ended with {process.returncode}")
        return True

    def signal(self, sig):
        """To all of the router's processes: SIGSTOP makes it hang, SIGCONT lets it go on."""
        for process in self.processes:
            process.send_signal(sig)

    def stop(self):
        for process in reversed(self.processes):
            stop_process(process)
        self.processes = []


class Bird(Router):
    needs = ("bird", "birdc")

    def config(self):
        text = f"""router id {self.router_id};
log "{self.path('bird.log')}" all;
debug protocols {{ states, events }};
protocol device {{ scan time 5; }}
{'protocol bfd { }' if any(n.bfd for n in self.neighbors) else ''}
protocol kernel {{ ipv4 {{ import none; export where source != RTS_STATIC; }}; }}
protocol kernel {{ ipv6 {{ import none; export where source != RTS_STATIC; }}; }}
"""
        for family, of in (("ipv4", [s for s in self.sends if ":" not in s[0]]), ("ipv6", [s for s in self.sends if ":" in s[0]])):
            text += f"protocol static {{ {family}; " + "".join(f"route {p} blackhole; " for p, _ in of) + "}\n"
            text += f"filter send_{family} {{ if source != RTS_STATIC then reject; "
            text += "".join(f"if net = {p} then bgp_path.prepend({asn}); " for p, asn in of) + "accept; }\n"
        for n in self.neighbors:
            scope = f" % '{n.interface}'" if n.interface else ""
            extended = "extended next hop on;" if n.extended else ""
            text += f"""protocol bgp {n.ident} {{
  local as {self.asn}; neighbor {n.address}{scope} as {n.asn}; hold time {n.hold};
  connect delay time 1; connect retry time 2; error wait time 1, 2; error forget time 1;
  {'password "' + n.password + '";' if n.password else ''} {'ttl security on;' if n.ttl_security else ''}
  {'passive;' if n.passive else ''}
  {f'local role {n.role};' if n.role else ''} {'require roles on;' if n.strict else ''}
  {'bfd { interval %d ms; multiplier %d; };' % n.bfd[:2] if n.bfd else ''} {'multihop;' if 'multihop' in n.bfd else ''}
  ipv4 {{ import all; export filter send_ipv4; {extended} }};
  ipv6 {{ import all; export filter send_ipv6; }};
}}
"""
        return text

    def send(self, routes):
        self.sends = routes
        self.write("bird.conf", self.config())
        done = self.ask("configure")
        assert "Reconfigured" in done or "Reconfiguration" in done, done

    def start(self):
        self.spawn("bird", ["bird", "-f", "-c", self.write("bird.conf", self.config()), "-s", self.path("ctl")])
        wait_until(lambda: self.check_alive() and "Daemon is up" in self.ask("show status"), 10, "BIRD answers")
        return self

    def ask(self, command):
        return self.ns.run(["birdc", "-s", self.path("ctl"), command], check=False)

    def route(self, prefix):
        text = self.ask(f"show route for {prefix} all")
        if "BGP.next_hop" not in text or not re.search(rf"^{re.escape(prefix)}\s", text, re.M):
            return None

        def attr(name, default=""):
            found = re.search(rf"BGP\.{name}:(.*)", text)
            return found.group(1).strip() if found else default
        return Route(path=[int(a) for a in attr("as_path").split()], next_hop=attr("next_hop").split()[0],
                     communities=_pairs(attr("community")), large=_pairs(attr("large_community")),
                     med=int(attr("med", "0") or 0), local_pref=int(attr("local_pref", "0") or 0))

    def refresh(self, address):
        name = next(n.ident for n in self.neighbors if n.address == address)
        self.ask(f"reload in {name}")

    def log(self):
        with open(self.path("bird.log"), encoding="utf-8") as f:
            return f.read()


class Frr(Router):
    needs = ("vtysh", f"{FRR_DIR}/bgpd", f"{FRR_DIR}/zebra")

    def send(self, routes):
        lines = ["configure terminal"]
        for asn in {a for _, a in routes}:
            lines += [f"route-map FROM{asn} permit 10", f"set as-path prepend {asn}", "exit"]
        lines += [f"router bgp {self.asn}", "no bgp network import-check"]
        for no, of in (("no ", self.sends), ("", routes)):
            for prefix, asn in of:
                lines += [f"address-family {'ipv6' if ':' in prefix else 'ipv4'} unicast",
                          f"{no}network {prefix}" + ("" if no else f" route-map FROM{asn}"), "exit-address-family"]
        self.sends = routes
        self.ns.run(["vtysh", "--vty_socket", self.directory, *[w for line in lines for w in ("-c", line)]])

    def start(self):
        shutil.chown(self.directory, "frr", "frr")
        lines = [f"router bgp {self.asn}", f" bgp router-id {self.router_id}", " no bgp ebgp-requires-policy",
                 " no bgp default ipv4-unicast"]
        for n in self.neighbors:
            lines += [f" neighbor {n.address} remote-as {n.asn}", f" neighbor {n.address} timers {max(n.hold // 3, 1)} {n.hold}",
                      f" neighbor {n.address} timers connect 2"]
            lines += [f" neighbor {n.address} password {n.password}"] if n.password else []
            lines += [f" neighbor {n.address} ttl-security hops 1"] if n.ttl_security else []
            lines += [f" neighbor {n.address} interface {n.interface}"] if n.interface else []
            lines += [f" neighbor {n.address} capability extended-nexthop"] if n.extended else []
            lines += [f" neighbor {n.address} local-role {n.role}{' strict-mode' if n.strict else ''}"] if n.role else []
            lines += [f" neighbor {n.address} passive"] if n.passive else []
            lines += [f" neighbor {n.address} bfd", f" neighbor {n.address} bfd profile p{n.bfd[0]}x{n.bfd[1]}"] if n.bfd else []
        for family in ("ipv4", "ipv6"):
            lines += [f" address-family {family} unicast"]
            lines += [f"  neighbor {n.address} activate" for n in self.neighbors]
            lines += [" exit-address-family"]
        self.write("zebra.conf", "")
        bfd = {n.bfd for n in self.neighbors if n.bfd}
        profiles = [f" profile p{b[0]}x{b[1]}\n  detect-multiplier {b[1]}\n  receive-interval {b[0]}\n  transmit-interval {b[0]}" for b in bfd]
        self.write("bfdd.conf", "\n".join(["bfd", *profiles]) + "\n")
        self.write("bgpd.conf", "\n".join(lines) + "\n")
        for name in ("zebra", *(["bfdd"] if bfd else []), "bgpd"):
            shutil.chown(self.path(name + ".conf"), "frr", "frr")
            self.spawn(name, [f"{FRR_DIR}/{name}", "-f", self.path(name + ".conf"), "-i", self.path(name + ".pid"),
                              "-z", self.path("zserv"), "--vty_socket", self.directory, "-P", "0", "--log", "stdout",
                              *(["--bfdctl", self.path("bfdd.sock")] if name == "bfdd" else [])])
            wait_until(lambda n=name: self.check_alive() and os.path.exists(self.path(n + ".vty")), 10, f"FRR {name} is up")
        wait_until(lambda: str(self.asn) in self.ask("show bgp summary"), 10, "FRR answers")
        return self

    def ask(self, command):
        return self.ns.run(["vtysh", "--vty_socket", self.directory, "-c", command], check=False)

    def route(self, prefix):
        family = "ipv6" if ":" in prefix else "ipv4"
        try:
            paths = json.loads(self.ask(f"show bgp {family} unicast {prefix} json") or "{}").get("paths")
        except json.JSONDecodeError:
            return None
        if not paths:
            return None
        p = paths[0]
        words = p.get("community", {}).get("string", "").replace("graceful-shutdown", "65535:0").split()
        hops = [h["ip"] for h in p.get("nexthops", []) if h.get("scope", "global") == "global"]
        return Route(path=[int(a) for a in p["aspath"]["string"].split() if a.isdigit()], next_hop=hops[0],
                     communities=words, large=p.get("largeCommunity", {}).get("string", "").split(),
                     med=p.get("metric", 0), local_pref=p.get("locPrf", p.get("localpref", 0)))

    def refresh(self, address):
        self.ask(f"clear bgp ipv4 unicast {address} soft in")
        self.ask(f"clear bgp ipv6 unicast {address} soft in")


class GoBgp(Router):
    needs = ("gobgpd", "gobgp")

    def start(self):
        text = f"""[global.config]
  as = {self.asn}
  router-id = "{self.router_id}"
"""
        for n in self.neighbors:
            text += f"""[[neighbors]]
  [neighbors.config]
    neighbor-address = "{n.address}"
    peer-as = {n.asn}
    auth-password = "{n.password}"
  [neighbors.timers.config]
    hold-time = {n.hold}
    connect-retry = 2
    idle-hold-time-after-reset = 1
  [neighbors.ttl-security.config]
    enabled = {'true' if n.ttl_security else 'false'}
    ttl-min = 255
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv6-unicast"
"""
        self.spawn("gobgpd", ["gobgpd", "-f", self.write("gobgpd.toml", text), "--api-hosts", "127.0.0.1:50051",
                              "--pprof-disable"])
        wait_until(lambda: self.check_alive() and str(self.asn) in self.ask("global"), 10, "GoBGP answers")
        return self

    def ask(self, *args):
        return self.ns.run(["gobgp", "-u", "127.0.0.1", *args], check=False)

    def route(self, prefix):
        try:
            table = json.loads(self.ask("global", "rib", "-a", "ipv6" if ":" in prefix else "ipv4", "-j") or "{}")
        except json.JSONDecodeError:
            return None
        if prefix not in table:
            return None
        attrs = {a["type"]: a for a in table[prefix][0]["attrs"]}
        path = [asn for seg in attrs.get(2, {}).get("as_paths", []) for asn in seg["asns"]]
        return Route(path=path, next_hop=attrs[14]["nexthop"] if 14 in attrs else attrs[3]["nexthop"],
                     communities=[f"{c >> 16}:{c & 0xffff}" for c in attrs.get(8, {}).get("communities", [])],
                     large=[f"{v['ASN']}:{v['LocalData1']}:{v['LocalData2']}" for v in attrs.get(32, {}).get("value", [])],
                     med=attrs.get(4, {}).get("metric", 0), local_pref=attrs.get(5, {}).get("value", 0))


class OpenBgpd(Router):
    needs = ("bgpd", "bgpctl")

    def start(self):
        text = f"""AS {self.asn}
router-id {self.router_id}
fib-update no
socket "{self.path('ctl')}"
"""
        for n in self.neighbors:
            text += f"""neighbor {n.address} {{
  remote-as {n.asn}
  announce IPv4 unicast
  announce IPv6 unicast
  holdtime {n.hold}
  {'tcp md5sig password "' + n.password + '"' if n.password else ''}
  {'ttl-security yes' if n.ttl_security else ''}
  {'passive' if n.passive else ''}
}}
"""
        path = self.write("bgpd.conf", text + "allow from any\ndeny to any\n")
        os.chmod(path, 0o600)
        # It wants a folder of /run that its service would have made; ip netns exec has given it mounts of its own.
        self.spawn("bgpd", ["sh", "-c", 'mount -t tmpfs none /run && mkdir /run/openbgpd && exec bgpd -d -f "$0"', path])
        wait_until(lambda: self.check_alive() and "Neighbor" in self.ask("show", "summary"), 10, "OpenBGPD answers")
        return self

    def ask(self, *args):
        return self.ns.run(["bgpctl", "-s", self.path("ctl"), *args], check=False)

    def route(self, prefix):
        try:
            found = json.loads(self.ask("-j", "show", "rib", "detail", prefix) or "{}").get("rib")
        except json.JSONDecodeError:
            return None
        if not found or found[0]["prefix"] != prefix:
            return None
        p = found[0]
        return Route(path=[int(a) for a in p["aspath"].split()], next_hop=p["exit_nexthop"],
                     communities=[c.replace("GRACEFUL_SHUTDOWN", "65535:0") for c in p.get("communities", [])],
                     large=p.get("large_communities", []), med=p["metric"], local_pref=p["localpref"])

    def refresh(self, address):
        self.ask("neighbor", address, "refresh")


SIGSTOP, SIGCONT = signal.SIGSTOP, signal.SIGCONT
