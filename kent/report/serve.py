"""The report as a live page over HTTP: read-only, on this machine alone unless asked otherwise.

``/`` is the page, ``/events`` tells by Server-Sent Events how the running round goes (WHATWG HTML,
section 9.2), ``/live.js`` is the script that shows it. Nothing can be changed through it.
"""

import errno
import ipaddress
import json
import signal
import socket
import sys
import threading
from collections.abc import Callable
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

from kent.errors import ServeError
from kent.report.document import build
from kent.report.feed import Feed
from kent.report.page import LIVE_POLICY, render_html
from memory.errors import StoreError
from memory.store import Store

_POLL_S = 0.5
_KEEP_ALIVE_S = 15.0  # a comment so often, so that a connection that died is found
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": LIVE_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class ReportServer(ThreadingHTTPServer):
    """Serves one state directory until :meth:`stop`."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, state_dir: Path, host: str, port: int) -> None:
        """Bind; ``port`` 0 takes a free one.

        Raises:
            ServeError: the port is taken, or the address is not this machine's.
        """
        self.state_dir = state_dir
        self.feed = Feed(state_dir)
        self.stopping = threading.Event()
        self.loopback = _is_loopback(host)
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise ServeError(_why_not(host, port, error)) from error

    @property
    def url(self) -> str:
        """Where the page is."""
        host, port = self.server_address[:2]
        shown = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{shown}:{port}/"

    def run(self, ready: Callable[[str], object]) -> None:
        """Serve until SIGTERM or SIGINT, or :meth:`stop`; ``ready`` is told the address."""
        before = {
            number: signal.signal(number, lambda *_: self.stopping.set())
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        thread = threading.Thread(target=self.serve_forever, args=(_POLL_S,), daemon=True)
        thread.start()
        try:
            ready(self.url)
            self.stopping.wait()
        finally:
            self.stop()
            thread.join()
            self.server_close()
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """End all streams and the server."""
        self.stopping.set()
        self.shutdown()

    @cached_property
    def script(self) -> bytes:
        """The page's script."""
        return files("kent.report").joinpath("live.js").read_bytes()

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that went away is no error; anything else is shown as the library does."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD of a few addresses."""

    server: ReportServer
    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds for a request to come in

    def do_GET(self) -> None:
        """Answer one of the addresses."""
        if not self._host_is_right():
            self._send(403, "text/plain", b"ask for it by the address that it was started with\n")
        elif self.path == "/":
            self._send_page()
        elif self.path == "/live.js":
            self._send(200, "text/javascript", self.server.script)
        elif self.path == "/favicon.ico":
            self._send(204, "image/x-icon", b"")
        elif self.path == "/events":
            self._stream()
        else:
            self._send(404, "text/plain", b"there is only / here\n")

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Keep requests out of the terminal."""

    def _host_is_right(self) -> bool:
        """On this machine alone, other names are of a page elsewhere that points its name here."""
        host = self.headers.get("Host", "").rpartition(":")[0].strip("[]")
        return not self.server.loopback or host == "localhost" or _is_loopback(host)

    def _send_page(self) -> None:
        try:
            with Store.open(self.server.state_dir / "kent.db", read_only=True) as store:
                page = render_html(build(store), live=True)
            self._send(200, "text/html", page.encode())
        except StoreError as error:  # there is none yet, or it is of an older KENT: the text says
            self._send(503, "text/plain", f"{error}\n".encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _stream(self) -> None:
        """A message whenever it differs from the last, until either side ends it."""
        self.close_connection = True
        self.send_response(200)
        for name, value in {**_HEADERS, "Content-Type": "text/event-stream"}.items():
            self.send_header(name, value)
        self.end_headers()
        last, silent_s = "", 0.0
        while self.command != "HEAD" and not self.server.stopping.is_set():
            message = json.dumps(self.server.feed.message(), ensure_ascii=False)
            if message != last:
                self.wfile.write(f"data: {message}\n\n".encode())
                last, silent_s = message, 0.0
            elif silent_s >= _KEEP_ALIVE_S:
                self.wfile.write(b": still here\n\n")
                silent_s = 0.0
            self.wfile.flush()
            self.server.stopping.wait(_POLL_S)
            silent_s += _POLL_S


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is taken: --port names another, --port 0 takes a free one"
    return f"cannot serve at {host}, port {port}: {error.strerror or error}"
