"""Lambda Cloud's public API, as far as one box needs it (https://docs.lambda.ai/api/cloud).

An answer is ``{"data": ...}`` or ``{"error": {"code", "message", "suggestion"}}``. Requests are
limited to one a second, and launches to one in twelve seconds; over that the answer is HTTP 429.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from kent.errors import RemoteError

BASE_URL = "https://cloud.lambda.ai/api/v1"
KEY_VARIABLE = "LAMBDA_API_KEY"
_ATTEMPTS = 8
_LAUNCH_PAUSE_S = 12.0
_LONGEST_PAUSE_S = 60.0
_GONE = ("terminated", "terminating")


class NotFound(RemoteError):
    """There is no such instance, or none any more."""


class Unanswered(RemoteError):
    """No answer, or one that leaves open whether the request was carried out."""


@dataclass(frozen=True)
class InstanceType:
    """A kind of machine, its price, and the regions that have one free now."""

    name: str
    description: str
    usd_per_hour: float
    regions: tuple[str, ...]


@dataclass(frozen=True)
class Instance:
    """A machine. ``status``: booting, active, unhealthy, terminated, terminating, preempted."""

    id: str
    name: str
    status: str
    ip: str
    type: str
    region: str
    usd_per_hour: float

    @property
    def gone(self) -> bool:
        """True when it is given back, or is about to be."""
        return self.status in _GONE


class LambdaCloud:
    """A client that keeps to the limits; use as a context manager.

    The key goes into a header and nowhere else. What can be repeated without harm is repeated where
    the server fails or says that it is asked too often; a launch only where it was surely not done.
    """

    def __init__(
        self,
        key: str,
        base_url: str = BASE_URL,
        *,
        pause_s: float = 1.0,
        timeout_s: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Nothing is asked yet.

        Args:
            key: of the account.
            base_url: of the API; without TLS only on this machine, or the key would be seen.
            pause_s: between two requests, in seconds.
            timeout_s: for an answer.
            sleep: waits so many seconds.

        Raises:
            RemoteError: there is no key, or the address would give it away.
        """
        if not key:
            raise RemoteError(f"{KEY_VARIABLE} is not set: make a key in the Lambda Cloud console")
        url = httpx.URL(base_url)
        if url.scheme != "https" and url.host not in ("127.0.0.1", "::1", "localhost"):
            raise RemoteError(f"{base_url} is not https: the key would be seen on the net")
        self._client = httpx.Client(
            base_url=base_url.rstrip("/"),
            headers={"Authorization": f"Bearer {key}"},
            timeout=timeout_s,
        )
        self._pause_s, self._sleep = pause_s, sleep
        self._asked_at = -1e9

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def instance_types(self) -> list[InstanceType]:
        """What can be rented, cheapest first."""
        found = [
            InstanceType(
                name=name,
                description=str(entry["instance_type"].get("description", "")),
                usd_per_hour=entry["instance_type"]["price_cents_per_hour"] / 100,
                regions=tuple(one["name"] for one in entry["regions_with_capacity_available"]),
            )
            for name, entry in self._ask("GET", "/instance-types").items()
        ]
        return sorted(found, key=lambda one: (one.usd_per_hour, one.name))

    def launch(self, *, type_name: str, region: str, ssh_key: str, name: str) -> str:
        """Rent a machine; its id. ``name`` must be new: it tells whether a launch went through.

        Raises:
            RemoteError: it was refused, such as for lack of capacity; then nothing was rented.
        """
        body = {
            "region_name": region,
            "instance_type_name": type_name,
            "ssh_key_names": [ssh_key],
            "name": name,
            "quantity": 1,
        }
        try:
            data = self._ask("POST", "/instance-operations/launch", body, repeat=False)
        except Unanswered:
            self._sleep(max(self._pause_s, 1.0))
            found = [one for one in self.instances() if one.name == name and not one.gone]
            if not found:
                raise
            return found[0].id
        return str(data["instance_ids"][0])

    def instances(self) -> list[Instance]:
        """The machines of the account."""
        return [_instance(entry) for entry in self._ask("GET", "/instances")]

    def instance(self, instance_id: str) -> Instance:
        """One machine.

        Raises:
            NotFound: there is none of that id.
        """
        return _instance(self._ask("GET", f"/instances/{instance_id}"))

    def terminate(self, instance_id: str) -> None:
        """Give a machine back for good, with all that is on it; again is no error."""
        try:
            body = {"instance_ids": [instance_id]}
            self._ask("POST", "/instance-operations/terminate", body)
        except NotFound:
            return

    def ssh_keys(self) -> list[str]:
        """The names of the account's SSH keys."""
        return [str(entry["name"]) for entry in self._ask("GET", "/ssh-keys")]

    def add_ssh_key(self, name: str, public_key: str) -> None:
        """Register a public key."""
        self._ask("POST", "/ssh-keys", {"name": name, "public_key": public_key}, repeat=False)

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, repeat: bool = True
    ) -> Any:
        """The ``data`` of an answer.

        ``repeat``: asking twice does no harm, so that one that was not answered is asked again.
        """
        pause_s, last = self._pause_s, "no answer"
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._sleep(pause_s)
            self._keep_the_pace()
            try:
                answer = self._client.request(method, path, json=body)
            except httpx.HTTPError as error:
                last = type(error).__name__
                if not repeat:
                    break
            else:
                if answer.is_success:
                    return _data(answer)
                last = _problem(answer)
                if answer.status_code == httpx.codes.NOT_FOUND:
                    raise NotFound(last)
                busy = answer.status_code == httpx.codes.TOO_MANY_REQUESTS
                if not busy and answer.status_code < 500:
                    raise RemoteError(last)
                if not busy and not repeat:
                    break
                if busy:
                    pause_s = max(_asked_to_wait(answer), 0.0 if repeat else self._launch_pause())
                    continue
            pause_s = min(max(pause_s, self._pause_s) * 2, _LONGEST_PAUSE_S)
        raise Unanswered(f"Lambda Cloud does not answer {method} {path}: {last}; try again later")

    def _launch_pause(self) -> float:
        return _LAUNCH_PAUSE_S * self._pause_s

    def _keep_the_pace(self) -> None:
        wait_s = self._asked_at + self._pause_s - time.monotonic()
        if wait_s > 0:
            self._sleep(wait_s)
        self._asked_at = time.monotonic()


def _data(answer: httpx.Response) -> Any:
    try:
        return answer.json()["data"]
    except (ValueError, KeyError, TypeError) as error:
        raise Unanswered("Lambda Cloud answered something that is not its protocol") from error


def _problem(answer: httpx.Response) -> str:
    """What an error says, in one line."""
    try:
        error = answer.json()["error"]
        words = [str(error["code"]), str(error["message"]), str(error.get("suggestion") or "")]
        said = ": ".join(word for word in words if word)
    except (ValueError, KeyError, TypeError, AttributeError):
        said = f"HTTP {answer.status_code}"
    if answer.status_code in (401, 403):
        said += f" (check {KEY_VARIABLE})"
    return " ".join(said.split())


def _asked_to_wait(answer: httpx.Response) -> float:
    """Seconds that a 429 asks for; a few where it says nothing."""
    try:
        return min(float(answer.headers.get("Retry-After", "")), _LONGEST_PAUSE_S)
    except ValueError:
        return 2.0


def _instance(entry: dict[str, Any]) -> Instance:
    kind = entry.get("instance_type") or {}
    return Instance(
        id=str(entry["id"]),
        name=str(entry.get("name") or ""),
        status=str(entry["status"]),
        ip=str(entry.get("ip") or ""),
        type=str(kind.get("name", "")),
        region=str((entry.get("region") or {}).get("name", "")),
        usd_per_hour=float(kind.get("price_cents_per_hour") or 0) / 100,
    )
