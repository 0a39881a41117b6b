"""The service manager's notify protocol, sd_notify(3): ready, stopping, status, sign of life."""

import os
import socket
import time
from collections.abc import Callable, MutableMapping

from kent.logs import log
from kent.progress import describe
from memory.records import StageRunRow

_STATUS_EVERY_S = 2.0


class Notifier:
    """Tells the service manager how the daemon is; does nothing where none asked for it."""

    def __init__(
        self,
        address: str = "",
        watchdog_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is sent before the first call.

        Args:
            address: of the datagram socket, as ``NOTIFY_SOCKET`` has it; empty: nobody listens.
            watchdog_s: within which a sign of life is wanted; None: none is.
            clock: a steady one, in seconds.
        """
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._every_s = watchdog_s / 2 if watchdog_s else None
        self._clock = clock
        self._alive_at = self._said_at = -1e9
        self._said = ""

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str] = os.environ) -> "Notifier":
        """As the service manager asked; its variables are taken out, so that no child has them."""
        address = environ.pop("NOTIFY_SOCKET", "")
        watchdog_us, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        mine = not pid or pid == str(os.getpid())
        watched = watchdog_us.isdigit() and int(watchdog_us) > 0 and mine
        return cls(address, int(watchdog_us) / 1e6 if watched else None)

    def ready(self) -> None:
        """It works."""
        self._send("READY=1")

    def stopping(self) -> None:
        """It is about to end."""
        self._send("STOPPING=1\nSTATUS=stopping")

    def status(self, text: str) -> None:
        """What it is doing, in a line."""
        line = " ".join(text.split())
        if line != self._said:
            self._said, self._said_at = line, self._clock()
            self._send(f"STATUS={line}")

    def alive(self) -> None:
        """A sign of life, as often as the watchdog wants one; call it several times a second."""
        now = self._clock()
        if self._every_s is not None and now - self._alive_at >= self._every_s:
            self._alive_at = now
            self._send("WATCHDOG=1")

    def watch(self, row: StageRunRow) -> None:
        """Show where a stage stands, not more often than a person reads."""
        if self._address and self._clock() - self._said_at >= _STATUS_EVERY_S:
            self.status(f"round {row.round_id}, {describe(row, None)}")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(text.encode(), self._address)
        except OSError as error:  # nobody listens any more: no reason to end
            log.warning("the service manager was not told: %s", error)
