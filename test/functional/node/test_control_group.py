# SPDX-License-Identifier: BSD-2-Clause
"""Who may use the control socket: root, the node's account, members of control-group; by its file's mode, and by what the kernel says of who connects."""
import grp
import json
import os
import stat
import subprocess
import sys

import pytest

from netns import missing, wait_until
from paths import ZONECAST
from streamnode import StreamNode

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "")
GROUP = "games"  # of Debian's base system
STRANGER = 4242  # a uid that nobody has
ASK = """
import os, socket, sys
path, uid, gid, more, request = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), [int(g) for g in sys.argv[4].split()], sys.argv[5]
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
os.fchdir(int(sys.argv[6]))
os.setgroups(more)
os.setresgid(gid, gid, gid)
os.setresuid(uid, uid, uid)
try:
    s.connect("control.sock")
except PermissionError:
    print('{"ok": false, "error": "EACCES"}')
    sys.exit()
try:
    s.sendall(request.encode() + b"\\n")
except BrokenPipeError:
    pass
got = b""
while not got.endswith(b"\\n"):
    more = s.recv(65536)
    if not more:
        break
    got += more
print(got.decode())
"""


class GroupNode(StreamNode):
    group = ""

    def fleet(self, answer):
        super().fleet(answer)
        with open(self.path("fleet.yaml"), "a", encoding="utf-8") as f:
            f.write(self.group)


def ask(node, uid, gid, more=(), request='{"command": "status"}'):
    """The reply to who connects as uid, with these groups. The folder is opened before: it is the socket's mode that is asked here."""
    folder = os.open(node.path("run"), os.O_RDONLY)
    try:
        done = subprocess.run([sys.executable, "-c", ASK, node.path("run", "control.sock"), str(uid), str(gid), " ".join(map(str, more)), request, str(folder)],
                              pass_fds=[folder], capture_output=True, text=True, timeout=60, check=True)
    finally:
        os.close(folder)
    return json.loads(done.stdout)


def account(node):
    with open(f"/proc/{node.pids()['admin', 0]}/status", encoding="ascii") as f:
        return int(next(line for line in f if line.startswith("Uid:")).split()[1])


def test_without_a_group(tmp_path):
    with GroupNode(tmp_path) as node:
        info = os.stat(node.path("run", "control.sock"))
        assert stat.S_IMODE(info.st_mode) == 0o600 and info.st_uid == account(node)
        assert ask(node, 0, 0)["ok"] and ask(node, account(node), STRANGER)["ok"]
        assert ask(node, STRANGER, 0, [0])["error"] == "EACCES"
        os.chmod(node.path("run", "control.sock"), 0o666)  # somebody's mistake
        reply = ask(node, STRANGER, 0, [0])
        assert not reply["ok"] and "control-group" in reply["error"]
        wait_until(lambda: f"control refused uid={STRANGER} gid=0 " in node.log(), 20, "the log")


@pytest.mark.asan
def test_members_of_the_group(tmp_path):
    gid = grp.getgrnam(GROUP).gr_gid
    GroupNode.group = f"control-group: {GROUP}\n"
    try:
        with GroupNode(tmp_path) as node:
            info = os.stat(node.path("run", "control.sock"))
            assert stat.S_IMODE(info.st_mode) == 0o660 and (info.st_uid, info.st_gid) == (account(node), gid)
            assert ask(node, STRANGER, gid)["status"]["node"] == "hidden"
            assert ask(node, STRANGER, STRANGER, [7, gid, 9])["ok"]
            assert ask(node, STRANGER, STRANGER, [7, 9])["error"] == "EACCES"
            assert ask(node, STRANGER, STRANGER, [gid], '{"command": "reload"}')["ok"]
            wait_until(lambda: f"control request=reload uid={STRANGER} pid=" in node.log(), 20, "the log")
            os.chmod(node.path("run", "control.sock"), 0o666)
            assert "control-group" in ask(node, STRANGER, STRANGER, [7, 9])["error"]
            assert node.log().count("control refused") == 1
    finally:
        GroupNode.group = ""


def test_group_that_is_not_there(tmp_path):
    GroupNode.group = "control-group: no-such-group\n"
    try:
        node = GroupNode(tmp_path)
        try:
            done = subprocess.run(node.ns.argv([ZONECAST, "run", "--config", node.path("fleet.yaml"), "--node", "hidden", "--run-dir", node.path("run"),
                                                "--state-dir", node.path("state")]), capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 1 and 'there is no group "no-such-group" on this machine' in done.stderr
        finally:
            node.net.close()
    finally:
        GroupNode.group = ""
