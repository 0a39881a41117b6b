"""What is known here of the boxes that were launched: one private file each until they go."""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kent.errors import RemoteError


@dataclass(frozen=True)
class BoxRecord:
    """A box from before its launch on; times are Unix seconds, ``deadline`` when it is ended."""

    name: str
    type: str
    region: str
    usd_per_hour: float
    launched_at: float
    deadline: float
    id: str = ""
    ip: str = ""
    user: str = "ubuntu"
    port: int = 22
    identity: str = ""
    guard_pid: int = 0
    guard_start: float = 0.0


def default_folder() -> Path:
    """The user's folder for the records."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "kent" / "boxes"


class Records:
    """The records in a folder that only its owner can read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """The file of a box."""
        return self.folder / f"{name}.json"

    def write(self, record: BoxRecord) -> BoxRecord:
        """Write a record, whole or not at all.

        Raises:
            RemoteError: the folder cannot be written.
        """
        path = self.path(record.name)
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = path.with_suffix(".tmp")
            temporary.write_text(json.dumps(asdict(record), indent=1), "utf-8")
            temporary.replace(path)
        except OSError as error:
            raise RemoteError(f"{path} cannot be written: {error.strerror}") from error
        return record

    def change(self, name: str, **changes: Any) -> BoxRecord:
        """Change a record that is there."""
        return self.write(replace(self.read(name), **changes))

    def read(self, name: str) -> BoxRecord:
        """The record of a box.

        Raises:
            RemoteError: there is none.
        """
        try:
            return BoxRecord(**json.loads(self.path(name).read_text("utf-8")))
        except FileNotFoundError as error:
            known = ", ".join(one.name for one in self.all()) or "none"
            raise RemoteError(f"no box {name!r} is known here; known: {known}") from error
        except (OSError, ValueError, TypeError) as error:
            raise RemoteError(f"{self.path(name)} cannot be read: {error}") from error

    def all(self) -> list[BoxRecord]:
        """Every record, oldest first."""
        names = [path.stem for path in self.folder.glob("*.json")]
        return sorted((self.read(name) for name in names), key=lambda one: one.launched_at)

    def the_one(self, name: str | None) -> BoxRecord:
        """The named box; without a name, the only one.

        Raises:
            RemoteError: there is none, or more than one to choose from.
        """
        if name is not None:
            return self.read(name)
        known = self.all()
        if len(known) != 1:
            names = ", ".join(one.name for one in known)
            raise RemoteError(f"name the box: {names}" if names else "no box is known here")
        return known[0]

    def forget(self, name: str) -> None:
        """A box is gone; its guard ends when it sees that."""
        for path in (self.path(name), self.folder / f"{name}.ssh", self.folder / f"{name}.hosts"):
            path.unlink(missing_ok=True)
