"""The walls that a zygote puts around itself once; every program inherits them."""

import os
import sys

from sandbox.worker import landlock, linux, seccomp

DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


def readable() -> list[str]:
    """Tell what a program must read to import Python's library and to load its C modules."""
    library = {os.path.realpath(path) for path in sys.path if path}
    library.add(os.path.realpath(f"{sys.base_prefix}/lib"))
    system = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo")
    return [*sorted(library), *system, *DEVICES]


def raise_walls(level: str) -> None:
    """Put up the walls of ``level`` around this process, for good.

    Raises:
        OSError: the kernel refuses one of them.
    """
    if level == "D":
        return
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    if level == "B":
        if landlock.version() < landlock.SCOPES_FROM:
            raise OSError(38, f"Landlock {landlock.version()}, needs {landlock.SCOPES_FROM}")
        landlock.restrict(readable(), [])
    seccomp.install_for_zygote()
