"""A frozen copy of the store and its checkpoints, and the proof that nobody wrote to it."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from memory.files import sha256_file, write_atomically
from memory.store import Store
from trainers.errors import BenchmarkError

_MANIFEST = "snapshot.json"
_KEPT = ("checkpoints", "models")
"""Folders of a state directory that hold what was trained."""

Stamp = tuple[int, int, int, int]


@dataclass(frozen=True)
class Snapshot:
    """A folder in the form of a state directory that is only ever read.

    ``stamps``: inode, size and times of each file when it was frozen; a write changes the time of
    the last change of status, which no program can set.
    """

    folder: Path
    hashes: dict[str, str]
    stamps: dict[str, Stamp]

    def open(self) -> Store:
        """The store, such that SQLite itself refuses every write."""
        return Store.open(self.folder / "kent.db", frozen=True)

    @property
    def sha256(self) -> str:
        """One hash for all of it."""
        listing = json.dumps(self.hashes, sort_keys=True).encode()
        return hashlib.sha256(listing).hexdigest()

    def check(self, told: str) -> None:
        """Refuse to go on where a file was written, added or removed since it was frozen.

        Args:
            told: what ran meanwhile.

        Raises:
            BenchmarkError: the snapshot is not what it was.
        """
        now = _stamps(self.folder)
        changed = sorted(
            name for name in {*now, *self.stamps} if now.get(name) != self.stamps.get(name)
        )
        if changed:
            raise BenchmarkError(
                f"{told} wrote into the frozen snapshot ({', '.join(changed[:3])}): its figures "
                "are void; a solver may write into its scratch folder only"
            )

    def verify(self) -> None:
        """As ``check``, by the content of every file.

        Raises:
            BenchmarkError: a file is not what it was.
        """
        self.check("something")
        for name, sha256 in self.hashes.items():
            if sha256_file(self.folder / name) != sha256:
                raise BenchmarkError(f"{self.folder / name} is not what was frozen")


def freeze(store: Store, state_dir: Path, folder: Path) -> Snapshot:
    """Copy the store and the checkpoints beside it to ``folder``, or take up the copy there.

    Raises:
        StoreError: the disk is full.
        BenchmarkError: the copy that is there was changed.
    """
    if (folder / _MANIFEST).is_file():
        return _taken_up(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store.copy_into(folder / "kent.db")
    for name in _KEPT:
        if (state_dir / name).is_dir():
            shutil.copytree(state_dir / name, folder / name)
    for path in _files(folder):
        path.chmod(0o444)
    hashes = {name: sha256_file(folder / name) for name in _stamps(folder)}
    write_atomically(folder / _MANIFEST, json.dumps(hashes).encode())
    return Snapshot(folder, hashes, _stamps(folder))


def _taken_up(folder: Path) -> Snapshot:
    hashes: dict[str, str] = json.loads((folder / _MANIFEST).read_text("utf-8"))
    snapshot = Snapshot(folder, hashes, _stamps(folder))
    if set(hashes) != set(snapshot.stamps):
        raise BenchmarkError(f"{folder} is not what was frozen; remove it and begin anew")
    snapshot.verify()
    return snapshot


def _files(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and path != folder / _MANIFEST
    )


def _stamps(folder: Path) -> dict[str, Stamp]:
    found = {}
    for path in _files(folder):
        status = path.stat()
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        found[path.relative_to(folder).as_posix()] = stamp
    return found
