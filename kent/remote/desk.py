"""What the verbs of ``gpu_box.py`` share: provider, records, a launch planned and awaited."""

import os
import re
import secrets
import time
from dataclasses import dataclass, replace
from pathlib import Path

import click

from kent.errors import RemoteError
from kent.remote.guard import watch_over
from kent.remote.lambda_cloud import KEY_VARIABLE, Instance, LambdaCloud, NotFound
from kent.remote.records import BoxRecord, Records

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass
class Desk:
    """The options that all verbs share."""

    records: Records
    base_url: str
    pause_s: float

    def cloud(self) -> LambdaCloud:
        """The provider, with the key of the environment."""
        return LambdaCloud(os.environ.get(KEY_VARIABLE, ""), self.base_url, pause_s=self.pause_s)

    def guard_all(self) -> None:
        """Start the guards that a restart of this machine ended."""
        for record in self.records.all() if os.environ.get(KEY_VARIABLE) else []:
            watch_over(self.records, record, self.base_url)


def planned(
    cloud: LambdaCloud,
    type_name: str,
    region: str | None,
    max_hours: float,
    max_usd: float | None,
    name: str | None,
) -> BoxRecord:
    """The record of a box that can be had, within the limit.

    Raises:
        RemoteError: there is no such type, none is free, it costs too much, or the name is none.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise RemoteError(f"{name!r} is no name for a box: small letters, digits and hyphens")
    known = {one.name: one for one in cloud.instance_types()}
    wanted = known.get(type_name)
    if wanted is None:
        raise RemoteError(f"there is no type {type_name!r}; known: {', '.join(known)}")
    cost = wanted.usd_per_hour * max_hours
    if max_usd is not None and cost > max_usd:
        raise RemoteError(f"{max_hours:g} h cost {cost:.2f} USD, more than --max-usd {max_usd:g}")
    if not wanted.regions or (region and region not in wanted.regions):
        free = ", ".join(wanted.regions) or "none"
        raise RemoteError(
            f"no {type_name} is free{f' in {region}' if region else ''}; free: {free}"
        )
    now = time.time()
    return BoxRecord(
        name=name or f"kent-{secrets.token_hex(4)}",
        type=type_name,
        region=region or wanted.regions[0],
        usd_per_hour=wanted.usd_per_hour,
        launched_at=now,
        deadline=now + max_hours * 3600,
    )


def with_identity(record: BoxRecord, identity: Path | None) -> BoxRecord:
    """A record with the private key that leads to the box."""
    return replace(record, identity=str(identity.expanduser().resolve())) if identity else record


def register_key(cloud: LambdaCloud, ssh_key: str, identity: Path | None) -> None:
    """Make sure that the account knows the key: a box that lets nobody in is paid for too.

    Raises:
        RemoteError: it does not, and its public half is not here.
    """
    if ssh_key in cloud.ssh_keys():
        return
    public = identity.expanduser().with_name(f"{identity.name}.pub") if identity else None
    if public is None or not public.is_file():
        raise RemoteError(f"the account has no SSH key {ssh_key!r}; name its file: --identity FILE")
    cloud.add_ssh_key(ssh_key, public.read_text("utf-8").strip())


def until_active(
    cloud: LambdaCloud, record: BoxRecord, timeout_s: float, poll_s: float
) -> Instance:
    """Look until a box is active and has an address.

    Raises:
        RemoteError: it is gone or broken, or not active within ``timeout_s`` seconds.
    """
    deadline = time.monotonic() + timeout_s
    status = "unknown"
    while time.monotonic() < deadline:
        try:
            found = cloud.instance(record.id)
        except NotFound as error:
            raise RemoteError(f"{record.name} is gone") from error
        if found.status == "active" and found.ip:
            return found
        if found.gone or found.status in ("unhealthy", "preempted"):
            raise RemoteError(f"{record.name} is {found.status}")
        if found.status != status:
            status = found.status
            click.echo(f"{record.name} is {status}", err=True)
        time.sleep(poll_s)
    raise RemoteError(f"{record.name} is still {status} after {timeout_s / 60:g} minutes")
