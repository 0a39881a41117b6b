"""Copies of the database in ``backups/``: made when one is due, and only the newest are kept."""

import time
from pathlib import Path

from kent.service_settings import BackupConfig
from memory.maintenance import DATABASE_NAME, backup

_PATTERN = "kent-*.db"


def backup_dir(state_dir: Path) -> Path:
    """Where the copies are."""
    return state_dir / "backups"


def backups(state_dir: Path) -> list[Path]:
    """The copies that are there, oldest first; their names are times, in UTC."""
    return sorted(backup_dir(state_dir).glob(_PATTERN))


def is_due(state_dir: Path, rules: BackupConfig, now: float) -> bool:
    """True where the newest copy is older than the rules want; ``now`` is in Unix seconds.

    A copy from the future, after a clock that was set back, does not put off the next for ever.
    """
    if not rules.every_hours:
        return False
    there = backups(state_dir)
    age_s = now - there[-1].stat().st_mtime if there else None
    return age_s is None or not 0 <= age_s < rules.every_hours * 3600


def make_backup(state_dir: Path, keep: int, now: float | None = None) -> Path:
    """Copy the database at one moment of its life, and drop the oldest copies.

    While it writes there is one copy more than ``keep``; what a killed one left half written goes.

    Args:
        state_dir: the state directory.
        keep: how many copies stay, at least one.
        now: for its name, in Unix seconds; the clock's where it is None.

    Raises:
        StoreError: there is no space, or the database cannot be read; the older copies stay.
    """
    at = time.gmtime(time.time() if now is None else now)
    target = backup_dir(state_dir) / f"kent-{time.strftime('%Y%m%d-%H%M%S', at)}.db"
    backup(state_dir / DATABASE_NAME, target, like=_PATTERN)
    # By age and not by name: a clock that was set back must not make the new copy the oldest.
    by_age = sorted(backups(state_dir), key=lambda path: (path != target, -path.stat().st_mtime))
    for path in by_age[max(keep, 1) :]:
        path.unlink(missing_ok=True)
    return target
