# SPDX-License-Identifier: BSD-2-Clause
"""A program at a terminal of a given size, whose pages a test reads.

    with Terminal([ZONECAST, "top", ...], 80, 24) as t:
        wait_until(lambda: any("queries" in line for line in t.page()), 20, t.text)
        t.type("q")
"""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading

from netns import stop_process

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    def __init__(self, argv, width=80, height=24, **env):
        self.master, self.slave = pty.openpty()  # the slave stays open: its settings are looked at after the program's end
        self.before = termios.tcgetattr(self.slave)
        self.resize(width, height)
        self.bytes, self.lock = b"", threading.Lock()
        # A session of its own with this terminal, so that a new size is told to it, and ^C and ^Z come from the terminal.
        self.process = subprocess.Popen(["setsid", "-c", *argv], stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                        env={k: v for k, v in {**os.environ, "TERM": "xterm", "NO_COLOR": "", **env}.items() if v})
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        try:
            while piece := os.read(self.master, 65536):
                with self.lock:
                    self.bytes += piece
        except OSError:
            pass

    def resize(self, width, height):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def type(self, keys):
        os.write(self.master, keys.encode())

    def text(self):
        with self.lock:
            return self.bytes.decode("utf-8", "replace")

    def forget(self):
        """Only what comes from now on is looked at."""
        with self.lock:
            self.bytes = b""

    def page(self):
        """Lines of the last whole page that was drawn, without colours; none: []."""
        pages = re.findall(r"\x1b\[H(.+?)\x1b\[H", self.text(), re.DOTALL)
        return [ANSI.sub("", line) for line in re.split("\r*\n", pages[-1])] if pages else []

    def is_as_before(self):
        """The settings of the terminal are those from before the program."""
        return termios.tcgetattr(self.slave) == self.before

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop_process(self.process)
        os.close(self.slave)
        self.reader.join(10)
        os.close(self.master)
