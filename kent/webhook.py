"""Messages to a webhook from a thread of their own: no answer and no refusal holds anything up."""

import queue
import threading
from collections.abc import Mapping
from typing import Any

from kent.logs import log

ATTEMPTS = 3
PAUSE_S = 2.0  # before the second try, then twice as long
_WAITING = 100  # messages; further ones are dropped, and that is told


class Webhook:
    """Posts JSON documents one after the other; close it to wait for those under way.

    Its address and token are never written anywhere: errors are told by their kind alone.
    """

    def __init__(
        self, url: str, *, token: str = "", timeout_s: float = 10, pause_s: float = PAUSE_S
    ) -> None:
        self._url, self._timeout_s, self._pause_s = url, timeout_s, pause_s
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._queue: queue.Queue[Mapping[str, Any] | None] = queue.Queue(_WAITING)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="webhook", daemon=True)
        self._thread.start()

    def send(self, document: Mapping[str, Any]) -> None:
        """Queue a document and return at once."""
        try:
            self._queue.put_nowait(document)
        except queue.Full:
            log.warning("an alert was dropped: %d wait for the webhook already", _WAITING)

    def close(self, wait_s: float = 5.0) -> None:
        """Give what is queued ``wait_s`` seconds, then leave it."""
        try:
            self._queue.put(None, timeout=wait_s)
        except queue.Full:
            return
        self._thread.join(wait_s)
        self._closing.set()

    def _work(self) -> None:
        while (document := self._queue.get()) is not None:
            problem = self._deliver(document)
            if problem:
                log.warning("an alert was not delivered: %s", problem)

    def _deliver(self, document: Mapping[str, Any]) -> str:
        """Try a few times; empty where it was taken, else what went wrong the last time."""
        import httpx  # only a daemon that has alerts to send loads it

        problem, pause_s = "", self._pause_s
        for attempt in range(ATTEMPTS):
            if attempt and self._closing.wait(pause_s * attempt):
                break
            try:
                answer = httpx.post(
                    self._url, json=dict(document), headers=self._headers, timeout=self._timeout_s
                )
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                problem = type(error).__name__
                continue
            if answer.is_success:
                return ""
            problem = f"HTTP {answer.status_code}"
            if answer.status_code < 500 and answer.status_code not in (408, 429):
                break
        return problem
