"""Builds the zygote's C extension on first use, where there is a compiler; else there is none.

It is kept per source, interpreter and machine in the user's cache directory. The walls are the
same without it, only slower: the same tests run on both.
"""

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

SOURCES = [
    Path(__file__).parent / "worker" / name
    for name in ("_walls.c", "_supervise.c", "_serve.c", "_walls.h", "_serve.h")
]
SWITCH = "KENT_SANDBOX_NATIVE"
"""Environment variable: ``0`` keeps the extension from being used."""


def extension() -> Path | None:
    """Return the built extension's path, or None where it cannot be had."""
    return None if os.environ.get(SWITCH) == "0" else _built()


@functools.cache
def _built() -> Path | None:
    """Find the extension in the cache, or build it there; None where that fails."""
    header = Path(sysconfig.get_path("include"), "Python.h")
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or not header.exists():
        return None
    key = f"{sys.version}{os.uname().machine}".encode() + b"".join(
        source.read_bytes() for source in SOURCES
    )
    name = f"_walls-{hashlib.sha256(key).hexdigest()[:16]}.so"
    try:
        folder = _cache()
        target = folder / name
        if not target.exists():
            _compile(compiler, header.parent, target)
    except (OSError, subprocess.SubprocessError):
        return None
    return target


def _cache() -> Path:
    """Return the folder for built extensions, which only this user can write to."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    folder = Path(base, "kent")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to another user")
    return folder


def _compile(compiler: str, include: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder, target.name)
        command = [
            compiler,
            "-O2",
            "-shared",
            "-fPIC",
            "-fvisibility=hidden",
            "-Wall",
            f"-I{include}",
            "-o",
            str(made),
        ]
        subprocess.run(
            [*command, *(str(source) for source in SOURCES if source.suffix == ".c")],
            check=True,
            timeout=60,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        made.replace(target)
