# SPDX-License-Identifier: BSD-2-Clause
"""Two namespaces joined by a veth pair, and the CPU time that is used at one end of it.

    gen  192.0.2.2  2001:db8::2   zg<pid> <----> zs<pid>   192.0.2.1  2001:db8::1  srv

plain  veth as it comes. The softirq that receives runs in the system call of the sender: the server is billed for receiving its answers, the
       generator for receiving the queries. Much the same work, swapped, for every server alike.
napi   what is received is handled by threads of the kernel (threaded NAPI), one per end, pinned to that end's CPU; the server's is billed to
       the server exactly. XDP programs run there too, so servers with XDP need this one. Never compare a figure of one rig with the other's.
"""
import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
import time

SERVER, CLIENT = {4: "192.0.2.1", 6: "2001:db8::1"}, {4: "192.0.2.2", 6: "2001:db8::2"}
MANAGEMENT = "10.53.0.1"  # of a node whose service address is the one that is asked
PORT, TLS_PORT = 53, 853
NICE = -15  # of server, generator and receive threads: ahead of what else the machine does
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/sbin"
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def run(*argv):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, env=dict(os.environ, PATH=PATH))
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, argv))}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def enter(namespace):
    with open(f"/run/netns/{namespace}", "rb") as f:
        if libc.setns(f.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")


def go_ahead():
    """This process, just begun and of a session of its own, goes ahead of the machine's other work; so do its children."""
    os.setpriority(os.PRIO_PROCESS, 0, NICE)
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as f:
        f.write(str(NICE))  # else niceness counts within the session only


def thread_ns(pid):
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
        return int(f.read().split()[0])


class Rig:
    """Use as a context manager; within, this process is in the generator's namespace and on its CPU. build: where the BPF objects are."""

    def __init__(self, kind, build, cpus):
        self.kind, self.build = kind, build
        self.server_cpu, self.client_cpu = cpus
        self.server_ns, self.client_ns = f"zcbench{os.getpid()}s", f"zcbench{os.getpid()}g"
        self.server_if, self.client_if = f"zs{os.getpid()}", f"zg{os.getpid()}"
        self.napi = None
        self.home = self.cpus = None

    def __enter__(self):
        self.home, self.cpus = os.open("/proc/self/ns/net", os.O_RDONLY), os.sched_getaffinity(0)
        try:
            self.up()
            enter(self.client_ns)
            os.sched_setaffinity(0, {self.client_cpu})
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        libc.setns(self.home, CLONE_NEWNET)
        os.close(self.home)
        os.sched_setaffinity(0, self.cpus)
        for ns in (self.server_ns, self.client_ns):
            subprocess.run(["ip", "netns", "del", ns], check=False, stderr=subprocess.DEVNULL)

    def up(self):
        run("ip", "netns", "add", self.server_ns)
        run("ip", "netns", "add", self.client_ns)
        run("ip", "link", "add", self.server_if, "netns", self.server_ns, "numrxqueues", 1, "numtxqueues", 1, "type", "veth",
            "peer", "name", self.client_if, "netns", self.client_ns, "numrxqueues", 1, "numtxqueues", 1)
        for ns, dev, at in ((self.server_ns, self.server_if, SERVER), (self.client_ns, self.client_if, CLIENT)):
            run("ip", "-n", ns, "addr", "add", at[4] + "/24", "dev", dev)
            run("ip", "-n", ns, "addr", "add", at[6] + "/64", "dev", dev, "nodad")
            run("ip", "-n", ns, "addr", "add", MANAGEMENT + "/32", "dev", dev)
            run("ip", "-n", ns, "link", "set", "lo", "up")
            run("ip", "-n", ns, "link", "set", dev, "up")
            run("ip", "netns", "exec", ns, "ethtool", "-K", dev, "tx", "off")  # XDP needs checksums in the packet; so for all
        if self.kind.endswith("napi"):
            self.threaded(self.client_ns, self.client_if, self.client_cpu)
            self.napi = self.threaded(self.server_ns, self.server_if, self.server_cpu)
            run("ip", "-n", self.client_ns, "link", "set", "dev", self.client_if, "xdpdrv", "obj", os.path.join(self.build, "pass.bpf.o"), "sec", "xdp")
        # Fills the neighbour tables of both.
        run("ip", "netns", "exec", self.client_ns, "ping", "-q", "-c", 1, "-W", 5, SERVER[4])
        run("ip", "netns", "exec", self.client_ns, "ping", "-q", "-c", 1, "-W", 5, SERVER[6])

    def threaded(self, ns, dev, cpu):
        """The pid of the kernel's thread that receives for dev."""
        run("ip", "netns", "exec", ns, "ethtool", "-K", dev, "gro", "on")
        run("ip", "netns", "exec", ns, "sh", "-c", f"echo 1 >/sys/class/net/{dev}/threaded")
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            for comm in pathlib.Path("/proc").glob("[0-9]*/comm"):
                with contextlib.suppress(OSError):
                    if comm.read_text(encoding="ascii", errors="replace").startswith(f"napi/{dev}-"):
                        pid = int(comm.parent.name)
                        os.sched_setaffinity(pid, {cpu})
                        os.setpriority(os.PRIO_PROCESS, pid, NICE)
                        return pid
        raise RuntimeError(f"{dev}: the kernel has no NAPI thread for it")


class Cgroup:
    """CPU time of whatever a server starts, in nanoseconds: cpuacct of cgroup v1, else v2."""

    def __init__(self, name):
        v1 = pathlib.Path("/sys/fs/cgroup/cpuacct")
        self.v1 = v1.is_dir()
        self.path = (v1 if self.v1 else pathlib.Path("/sys/fs/cgroup")) / name
        self.path.mkdir()

    def join(self):
        (self.path / "cgroup.procs").write_text("0", encoding="ascii")

    def pids(self):
        return [int(pid) for pid in (self.path / "cgroup.procs").read_text(encoding="ascii").split()]

    def cpu_ns(self):
        if self.v1:
            return int((self.path / "cpuacct.usage").read_text(encoding="ascii"))
        stat = dict(line.split() for line in (self.path / "cpu.stat").read_text(encoding="ascii").splitlines())
        return int(stat["usage_usec"]) * 1000

    def memory(self, without=None):
        """Proportional set size of all processes, in octets: what forks share is counted once. Mappings of files below `without` are not counted."""
        total = 0
        for pid in self.pids():
            counted = True
            with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as f:
                for line in f:
                    words = line.split()
                    if words[0] == "Pss:":
                        total += int(words[1]) * 1024 if counted else 0
                    elif not words[0].endswith(":"):
                        counted = not without or len(words) < 6 or not words[5].startswith(without)
        return total

    def kill(self, patience_s=20):
        """Ends all processes in it (they are all ours), politely first."""
        for sig in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sig)
            deadline = time.monotonic() + patience_s
            while self.pids() and time.monotonic() < deadline:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(-1, os.WNOHANG)
                time.sleep(0.01)

    def remove(self):
        for _ in range(200):
            with contextlib.suppress(OSError):
                self.path.rmdir()
                return
            time.sleep(0.02)
