"""A headless Chromium over its DevTools pipe: what a page looks like, and what it complains of."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which(
    "google-chrome"
)  # fmt: skip
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
    "--remote-debugging-pipe",
)  # fmt: skip
_COMPLAINTS = {"Runtime.exceptionThrown", "Log.entryAdded", "Network.loadingFailed"}
_START = 'exec "$0" "$@" 3<&{reading} 4>&{writing} {reading}<&- {writing}>&-'


class Chromium:
    """One tab. ``complaints`` is everything on its console that is no plain message."""

    def __init__(self, *, network: bool = False) -> None:
        assert BROWSER
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        (reading, self._to), (self._from, writing) = _pipe(), _pipe()
        walls = () if network else ("--host-resolver-rules=MAP * ~NOTFOUND",)
        self._process = subprocess.Popen(
            ["bash", "-c", _START.format(reading=reading, writing=writing), BROWSER, *FLAGS, *walls,
             f"--user-data-dir={self._profile.name}", "about:blank"],
            pass_fds=(reading, writing), stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(reading)
        os.close(writing)
        self._left = b""
        self._number = 0
        self._session: str | None = None
        self.complaints: list[str] = []
        self._loaded = 0

    def __enter__(self) -> Self:
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(one for one in targets if one["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        self._session = None
        self.call("Browser.close")
        self._process.wait(timeout=30)
        os.close(self._to)
        os.close(self._from)
        self._profile.cleanup()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the DevTools protocol, answered."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def shape(self, width: int, height: int, scheme: str) -> None:
        """The window's size in CSS pixels, and ``light`` or ``dark`` as the system's wish."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
        wish = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[wish])

    def open(self, address: str) -> None:
        """Go there; back when the page has loaded."""
        seen = self._loaded
        self.call("Page.navigate", url=address)
        while self._loaded == seen:
            self._next()

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def wait_for(self, script: str, timeout_s: float = 20) -> Any:
        """The first true value of an expression."""
        deadline = time.monotonic() + timeout_s
        while not (found := self.evaluate(script)):
            assert time.monotonic() < deadline, f"still not: {script}"
            time.sleep(0.05)
        return found

    def picture(self, file: Path) -> None:
        """The whole page, however long, as a PNG file."""
        done = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip={
            "x": 0, "y": 0, "scale": 1, "width": self.evaluate("innerWidth"),
            "height": self.evaluate("document.documentElement.scrollHeight")})  # fmt: skip
        file.write_bytes(base64.b64decode(done["data"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            piece = os.read(self._from, 1 << 20)
            assert piece, "the browser has gone"
            self._left += piece
        line, self._left = self._left.split(b"\0", 1)
        message: dict[str, Any] = json.loads(line)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, method: str | None, parameters: dict[str, Any]) -> None:
        wrong = method == "Runtime.consoleAPICalled" and parameters["type"] in {"error", "warning"}
        if method in _COMPLAINTS or wrong:
            self.complaints.append(json.dumps(parameters))
        self._loaded += method == "Page.loadEventFired"


def _pipe() -> tuple[int, int]:
    """A pipe whose numbers are above 3 and 4, those that the browser wants."""
    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return high[0], high[1]
