# SPDX-License-Identifier: BSD-2-Clause
"""Chromium without a screen, driven over a pipe (DevTools protocol): enough to load a page, look at it, press keys and take pictures.

    with Chrome(folder) as chrome:
        page = chrome.open(url, width=1440, dark=True)
        page.wait("document.title != ''")
        page.js("document.title"), page.key("Tab"), page.picture("x.png")
        page.errors      # of the console, exceptions, requests that failed
        page.requests    # all addresses asked for
"""
import base64
import fcntl
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time

PROGRAM = next((p for p in ("/usr/lib/chromium/chromium", shutil.which("chromium")) if p and os.path.exists(p)), None)
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "Space": 32, "ArrowDown": 40, "ArrowUp": 38}
TEXTS = {"Enter": "\r", "Space": " "}


class Chrome:
    def __init__(self, folder, netns=None):
        """netns: a namespace of netns.py in which it is to run."""
        self.folder = str(folder)
        self.netns = netns
        self.pages = {}
        self.answers = {}
        self.number = 0
        self.lock = threading.Lock()

    def __enter__(self):
        # Its socket has to have a short name; killed, it leaves it behind.
        self.temporary = tempfile.mkdtemp(prefix="zct-chromium-")
        to_read, to_write = os.pipe()
        from_read, from_write = os.pipe()
        argv = [PROGRAM, "--headless", "--no-sandbox", "--remote-debugging-pipe", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
                "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps", "--no-proxy-server", "--force-color-profile=srgb",
                "--disable-features=Translate,OptimizationHints,MediaRouter", f"--user-data-dir={self.folder}/profile", "about:blank"]
        # The browser wants its pipe as descriptors 3 and 4, which may be something else here.
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (to_read, from_write)]
        shell = ["/bin/bash", "-c", f"exec 3<&{theirs[0]} 4>&{theirs[1]}; exec \"$@\"", "bash", *argv]
        popen = self.netns.popen if self.netns else subprocess.Popen
        with open(f"{self.folder}/chromium.log", "wb") as log:
            self.process = popen(shell, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=theirs, start_new_session=True,
                                 env={**os.environ, "HOME": self.folder, "XDG_CONFIG_HOME": self.folder, "TMPDIR": self.temporary, "DBUS_SESSION_BUS_ADDRESS": "disabled:"})
        for fd in (to_read, from_write, *theirs):
            os.close(fd)
        self.out, self.back = to_write, from_read
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        try:
            self.version = self.call("Browser.getVersion", timeout=60)["product"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.out)
        self.reader.join(10)
        os.close(self.back)
        shutil.rmtree(self.temporary, ignore_errors=True)

    def _read(self):
        rest = b""
        while got := os.read(self.back, 1 << 16):
            *whole, rest = (rest + got).split(b"\0")
            for text in whole:
                message = json.loads(text)
                if "id" in message:
                    self.answers[message["id"]].put(message)
                elif message.get("sessionId") in self.pages:
                    self.pages[message["sessionId"]].heard(message["method"], message["params"])

    def call(self, method, session=None, timeout=30, **params):
        with self.lock:
            self.number += 1
            number = self.number
            self.answers[number] = queue.Queue()
            message = {"id": number, "method": method, "params": params, **({"sessionId": session} if session else {})}
            data = json.dumps(message).encode() + b"\0"
            while data:
                data = data[os.write(self.out, data):]
        try:
            answer = self.answers[number].get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"{method}: no answer of the browser within {timeout} s") from None
        del self.answers[number]
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def open(self, url, **how):
        return Page(self, url, **how)


class Page:
    def __init__(self, chrome, url, width=1440, height=900, dark=False, reduced=False, scale=1):
        self.chrome = chrome
        self.errors, self.requests = [], []
        target = chrome.call("Target.createTarget", url="about:blank")["targetId"]
        self.target = target
        self.session = chrome.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        chrome.pages[self.session] = self
        for domain in ("Page", "Runtime", "Network", "Log", "Performance"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=width < 600)
        self.media(dark, reduced)
        self.call("Page.navigate", url=url)

    def call(self, method, **params):
        return self.chrome.call(method, session=self.session, **params)

    def media(self, dark, reduced=False):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                                                          {"name": "prefers-reduced-motion", "value": "reduce" if reduced else "no-preference"}])

    def heard(self, method, params):
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params["exceptionDetails"])[:600])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.errors.append(json.dumps(params["args"])[:600])
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    def js(self, expression):
        got = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in got, json.dumps(got["exceptionDetails"])[:600]
        return got["result"].get("value")

    def wait(self, condition, seconds=30, what=None):
        until = time.monotonic() + seconds
        while not (got := self.js(f"document.body ? !!({condition}) : false")):
            if time.monotonic() > until:
                raise AssertionError(f"not so within {seconds} s: {what or condition}; the page says: {self.js('document.body.innerText.slice(0, 1500)')}; errors: {self.errors}")
            time.sleep(0.05)
        return got

    def key(self, name, shift=False):
        text = TEXTS.get(name, name if len(name) == 1 else "")
        code = KEYS.get(name, ord(name.upper()) if len(name) == 1 else 0)
        common = {"key": " " if name == "Space" else name, "code": name, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def tree(self):
        """What a screen reader is told: (role, name) of all nodes that are not ignored."""
        self.call("Accessibility.enable")
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [(n.get("role", {}).get("value", ""), n.get("name", {}).get("value", "")) for n in nodes if not n.get("ignored")]

    def picture(self, path, whole=True):
        how = {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            how = {"captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png", **how)["data"])
        with open(path, "wb") as f:
            f.write(data)
        return len(data)

    def close(self):
        self.chrome.call("Target.closeTarget", targetId=self.target)
        del self.chrome.pages[self.session]
