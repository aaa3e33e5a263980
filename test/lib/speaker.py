# SPDX-License-Identifier: BSD-2-Clause
"""bgp_speaker (test/lib/bgp_speaker.c) under control of a test: one BGP session of ours, driven by lines."""
import os
import re
import subprocess
import threading

from netns import stop_process, wait_until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def program():
    build = os.environ.get("ZONECAST_BUILD", os.path.join(TOP, "build"))
    return os.path.join(build, "test", "unit", "bgp", "bgp_speaker")


class Speaker:
    """Use as a context manager. ns is a netns.Namespace, or None for this host's own (loopback only)."""

    def __init__(self, ns=None, **options):
        argv = [program()] + [f"{key.replace('_', '-')}={value}" for key, value in options.items()]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        self.process = ns.popen(argv, **pipes) if ns else subprocess.Popen(argv, **pipes)
        self.lines = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def send(self, *commands):
        for command in commands:
            self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def wait(self, pattern, timeout=15, after=0):
        """The first line from index `after` on in which pattern is found; returns (index, match)."""
        def found():
            for i, line in enumerate(list(self.lines[after:])):
                match = re.search(pattern, line)
                if match:
                    return after + i, match
            return None
        return wait_until(found, timeout, lambda: f"{pattern!r} in {self.lines[after:]}")

    def start(self, *commands, timeout=20):
        """Commands, then start, then wait for the session."""
        at = len(self.lines)
        self.send(*commands, "start")
        self.wait(r"state open-confirm established", timeout, at)
        return self

    def status(self):
        """Keys and values of a status line; `routes` is the list of announced routes in text."""
        at = len(self.lines)
        self.send("status")
        end, match = self.wait(r"^status (.*?) last-error=(.*)", 5, at)
        values = dict(word.split("=", 1) for word in match.group(1).split())
        values["last-error"] = match.group(2)
        values["routes"] = [line[6:] for line in self.lines[at:end] if line.startswith("route ")]
        return values

    def quit(self):
        self.send("quit")
        assert self.process.wait(5) == 0

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        stop_process(self.process)
