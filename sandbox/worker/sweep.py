"""Emptying the programs' /tmp between two of them, whatever they left there.

The cleaner meets hostile trees: it follows no link, holds one descriptor however deep a tree is,
and flattens folders into the top before it removes them.
"""

# pathlib is not loaded in the zygote.
# ruff: noqa: PTH208
import os
import stat
import time

PATIENCE_S = 2.0
"""How long emptying may take: after that a fresh zygote, with a fresh /tmp, is the quicker way."""


class Sweeper:
    """Knows what an empty ``path`` looks like; a look at the file system's counts is mostly all."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._free = os.fstatvfs(self.folder).f_ffree

    def sweep(self) -> bool:
        """Empty it; False when something would not go."""
        if os.fstatvfs(self.folder).f_ffree == self._free:
            return True
        try:
            self._empty()
        except OSError:
            return False
        return os.fstatvfs(self.folder).f_ffree == self._free

    def _empty(self) -> None:
        os.fchmod(self.folder, 0o1777)
        moved = 0
        deadline = time.monotonic() + PATIENCE_S
        while names := os.listdir(self.folder):
            for name in names:
                if time.monotonic() > deadline:
                    return
                mode = os.stat(name, dir_fd=self.folder, follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode):
                    moved = self._flatten(name, moved)
                else:
                    os.unlink(name, dir_fd=self.folder)

    def _flatten(self, name: str, moved: int) -> int:
        """Move what is in folder ``name`` to the top, and remove it; count the moves."""
        os.chmod(name, 0o700, dir_fd=self.folder)
        inner = os.open(
            name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.folder
        )
        try:
            for entry in os.listdir(inner):
                mode = os.stat(entry, dir_fd=inner, follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode):
                    os.chmod(entry, 0o700, dir_fd=inner)  # a folder is moved only if writable
                    moved += 1
                    target = f".swept-{moved}-{os.urandom(8).hex()}"
                    os.rename(entry, target, src_dir_fd=inner, dst_dir_fd=self.folder)
                else:
                    os.unlink(entry, dir_fd=inner)
        finally:
            os.close(inner)
        os.rmdir(name, dir_fd=self.folder)
        return moved
