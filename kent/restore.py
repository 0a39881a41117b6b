"""A backup takes the place of the database, which is kept beside it: ``kent state restore``."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from kent.champions import replace_damaged
from kent.errors import DaemonError
from kent.instance import Instance
from kent.retention import forget_missing
from memory.errors import StoreError
from memory.files import write_atomically
from memory.maintenance import DATABASE_NAME, copy_file, verify, verify_file
from memory.store import Store


@dataclass(frozen=True)
class Restored:
    """What a restore did: where the old database is now (None: there was none), what changed."""

    kept: Path | None
    notes: list[str]
    findings: list[str]


def restore(state_dir: Path, file: Path) -> Restored:
    """Put a copy of ``file`` in the place of the database.

    It is looked at before anything is touched, and the state is verified after. The database that
    was there stays beside it, with its log; at no moment is there none. Versions whose files were
    pruned since the backup lose their checkpoint; a champion among them gives way to its
    predecessor.

    Raises:
        AlreadyRunning: a daemon or a round holds the state directory.
        DaemonError: the file is no sound backup, or a newer KENT's.
        StoreError: the place cannot be written.
    """
    with Instance(state_dir, "restore"):
        if findings := verify_file(file):
            raise DaemonError(f"{file} is not a sound backup: {'; '.join(findings[:3])}")
        place = state_dir / DATABASE_NAME
        fresh = state_dir / f".{DATABASE_NAME}.restored"
        write_atomically(fresh, lambda target: copy_file(file, target))
        kept = _put_aside(place)
        fresh.replace(place)
        _sync(state_dir)
        with Store.open(place, create=False) as store:
            notes = [f"{one} has no checkpoint here any more" for one in forget_missing(store)]
            notes += replace_damaged(store)
            store.event("restore", f"restored from {file.name}", level="warning")
        return Restored(kept, notes, verify(state_dir))


def _put_aside(place: Path) -> Path | None:
    """Give the database a second name, and its log with it; the first name is left in place."""
    if not place.exists():
        return None
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    kept = _free_name(place, f"before-restore-{stamp}")
    try:
        kept.hardlink_to(place)
    except OSError as error:
        raise StoreError(f"{kept} cannot be made: {error.strerror}") from error
    wal = place.with_name(f"{place.name}-wal")
    if wal.exists():  # without it the last commits would be missing from what is kept
        wal.replace(kept.with_name(f"{kept.name}-wal"))
    place.with_name(f"{place.name}-shm").unlink(missing_ok=True)
    return kept


def _free_name(place: Path, word: str) -> Path:
    kept, number = place.with_name(f"{place.name}.{word}"), 1
    while kept.exists():
        number += 1
        kept = place.with_name(f"{place.name}.{word}-{number}")
    return kept


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
