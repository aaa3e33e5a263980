# SPDX-License-Identifier: BSD-2-Clause
"""Network namespaces for tests: made, wired and run in, and gone afterwards.

    with Net() as net:
        pop, rtr = net.namespace("pop"), net.namespace("rtr")
        net.veth(pop, "up0", ["10.9.0.2/24"], rtr, "pop0", ["10.9.0.1/24"])
        rtr.popen(["bird", ...])          # stopped by net at the end, by its pid, whatever happens
        print(pop.run(["ip", "addr"]))    # text of stdout; raises when the command fails

Names carry the pid and a counter, so runs never meet. Nothing outside the namespaces made here is touched.
"""
import ctypes
import itertools
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

_COUNTER = itertools.count()
CLONE_NEWNET = 0x40000000


def missing(*programs):
    """Why namespaces or these programs cannot be used here, or None: for pytest.mark.skipif."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    for program in ("ip", *programs):
        if not (shutil.which(program) or os.path.exists(program)):
            return f"needs {program}"
    return None


def wait_until(condition, timeout, what, interval=0.02):
    """Ask condition() until it is true, return its value; AssertionError naming `what` after timeout seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what() if callable(what) else what}")
        time.sleep(interval)


def within(limits, measure, tries=3):
    """measure() gives figures of time, in the order of limits; the machine may be busy with other things, so one of some tries has to be within all of them. What
    must hold in every try measure() asserts itself."""
    seen = []
    for _ in range(tries):
        seen.append(measure())
        if all(value < limit for value, limit in zip(seen[-1], limits)):
            return
    raise AssertionError(f"never within {limits}: {seen}")


def stop_process(process, sig=signal.SIGTERM, timeout=5):
    """End one process that was started here; SIGKILL when it does not go by itself."""
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.send_signal(sig)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Namespace:
    """One namespace; make it with Net.namespace()."""

    def __init__(self, net, name):
        self.net = net
        self.name = name

    def argv(self, argv):
        return ["ip", "netns", "exec", self.name, *argv]

    def run(self, argv, check=True, timeout=20, stdin=None):
        done = subprocess.run(self.argv(argv), check=False, timeout=timeout, text=True, input=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def ip(self, *args):
        subprocess.run(["ip", "-n", self.name, *args], check=True, timeout=20)

    def popen(self, argv, **kwargs):
        # ip netns exec replaces itself by the program, so the pid is the program's own.
        process = subprocess.Popen(self.argv(argv), **kwargs)
        self.net.processes.append(process)
        return process

    def socket(self, family, kind, protocol=0):
        """A socket of this namespace for the test's own process. setns() moves one thread, and the socket stays where it was made."""
        made = []

        def make():
            libc = ctypes.CDLL(None, use_errno=True)
            with open(f"/run/netns/{self.name}", "rb") as f:
                if libc.setns(f.fileno(), CLONE_NEWNET) == 0:
                    made.append(socket.socket(family, kind, protocol))
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if not made:
            raise RuntimeError(f"cannot enter {self.name}")
        return made[0]


class Net:
    """Some namespaces and what runs in them."""

    def __init__(self):
        self.prefix = f"zct{os.getpid()}x{next(_COUNTER)}"
        self.namespaces = []
        self.processes = []

    def namespace(self, name):
        ns = Namespace(self, f"{self.prefix}-{name}")
        subprocess.run(["ip", "netns", "add", ns.name], check=True, timeout=20)
        self.namespaces.append(ns)
        ns.ip("link", "set", "lo", "up")
        return ns

    @staticmethod
    def veth(a, name_a, addresses_a, b, name_b, addresses_b):
        """A cable between two namespaces. Addresses are usable at once: no duplicate address detection."""
        a.ip("link", "add", name_a, "type", "veth", "peer", "name", name_b, "netns", b.name)
        for ns, name, addresses in ((a, name_a, addresses_a), (b, name_b, addresses_b)):
            for address in addresses:
                ns.ip("addr", "add", address, "dev", name, *(["nodad"] if ":" in address else []))
            ns.ip("link", "set", name, "up")

    def close(self):
        for process in reversed(self.processes):
            stop_process(process)
        for ns in reversed(self.namespaces):
            subprocess.run(["ip", "netns", "del", ns.name], check=False, timeout=20)
        self.processes, self.namespaces = [], []

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class RouteWatch:
    """Changes of a namespace's kernel routing table, each with the monotonic time it was seen: what forwarding really does."""

    def __init__(self, ns):
        self.changes = []
        self.process = ns.popen(["ip", "monitor", "route"], stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        wait_until(lambda: self._probe(ns), 5, "ip monitor reports a change")

    def _probe(self, ns):
        """A change of our own: once it is reported, later ones are not missed."""
        ns.ip("route", "add", "blackhole", "198.51.100.99/32")
        ns.ip("route", "del", "blackhole", "198.51.100.99/32")
        return any("198.51.100.99" in line for _, line in list(self.changes))

    def _read(self):
        for line in self.process.stdout:
            self.changes.append((time.monotonic(), line.strip()))

    def wait_deleted(self, prefix, since, timeout):
        """Seconds from `since` to the deletion of the route to prefix."""
        def seen():
            return [at for at, line in list(self.changes)
                    if at >= since and line.startswith("Deleted") and prefix in line.split()]
        return wait_until(seen, timeout, lambda: f"deletion of {prefix}; seen: {self.changes}", 0.002)[0] - since
