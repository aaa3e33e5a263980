# SPDX-License-Identifier: BSD-2-Clause
"""A program that runs in a namespace, with a folder of its own for its files and its log."""
import os
import subprocess

from netns import stop_process


class Folder:
    """Whatever keeps files in a folder of its own."""

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as f:
            f.write(text)
        return self.path(name)


class Program(Folder):
    def __init__(self, ns, folder, name):
        self.ns, self.name, self.folder = ns, name, os.path.join(str(folder), name)
        self.process = None
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o755)

    def spawn(self, argv):
        env = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin")
        with open(self.path("log"), "ab") as log:
            self.process = self.ns.popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=self.folder)

    def log(self):
        with open(self.path("log"), encoding="latin-1") as f:
            return f.read()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        stop_process(self.process, timeout=20)
