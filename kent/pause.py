"""A pause that survives restarts: a file in the state directory that the daemon looks at."""

from pathlib import Path

from kent.errors import DaemonError


def pause_path(state_dir: Path) -> Path:
    """The file that is there while the daemon is to pause."""
    return state_dir / "run" / "paused"


def is_paused(state_dir: Path) -> bool:
    """True while a pause is asked for."""
    return pause_path(state_dir).exists()


def set_paused(state_dir: Path, wanted: bool) -> bool:
    """Ask for a pause, or end it; True where that changes something.

    Raises:
        DaemonError: the directory cannot be written.
    """
    path = pause_path(state_dir)
    if is_paused(state_dir) == wanted:
        return False
    try:
        if wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise DaemonError(f"cannot write in {state_dir}: {error.strerror}") from error
    return True
