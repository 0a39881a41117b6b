"""The walls that a zygote puts around itself once; every program inherits them."""

import os
import sys

from sandbox.worker import landlock, linux, namespaces, seccomp

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/dev/random")
SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo")
CAPABILITIES = 64


def readable(numpy: str) -> list[str]:
    """What a program must read to import Python's library and to load its C modules."""
    library = {os.path.realpath(path) for path in sys.path if path and path != numpy}
    library.add(os.path.realpath(f"{sys.base_prefix}/lib"))
    tops = [p for p in library if not any(p.startswith(f"{other}/") for other in library)]
    return [*SYSTEM, *sorted(tops)]


NUMPY = "/.numpy"
"""Where numpy is shown in a tree of our own: its environment may lie anywhere, also below /tmp."""


def numpy_paths(folder: str) -> dict[str, str]:
    """Return the parts of numpy in the folder that it is imported from, and where they are shown.

    Empty for "".
    """
    parts = ("numpy", "numpy.libs") if folder else ()
    return {f"{folder}/{name}": f"{NUMPY}/{name}" for name in parts}


def _relocate(folder: str) -> None:
    """Let what is still to be imported of numpy come from where it is shown."""
    sys.path[:] = [NUMPY if path == folder else path for path in sys.path]
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "numpy" and hasattr(module, "__path__"):
            module.__path__ = [path.replace(folder, NUMPY, 1) for path in module.__path__]


def raise_walls(level: str, numpy: str = "") -> namespaces.Nursery | None:
    """Put up the walls of ``level`` around this process, for good.

    ``numpy`` is the folder that numpy is imported from, "" where programs are not to have it.

    At level A the process that goes on from here is another one: see :mod:`.namespaces`.

    Raises:
        OSError: the kernel refuses one of them.
    """
    if level == "D":
        return None
    paths, moved = readable(numpy), numpy_paths(numpy)
    nursery = None
    if level == "A":
        namespaces.isolate(paths, DEVICES, moved)
    elif level == "A'":
        namespaces.mount_tmp()  # bubblewrap's own has no limit on the number of files
    if level in ("A", "A'"):
        if numpy:
            _relocate(numpy)
        nursery = namespaces.Nursery()
        _drop_bounding_set()
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    shown = moved.values() if nursery is not None else moved.keys()
    _restrict_paths(level, [*paths, *shown, *DEVICES])
    seccomp.install_for_zygote(own_files=nursery is not None)
    return nursery


def _restrict_paths(level: str, paths: list[str]) -> None:
    """Landlock: a second wall at level A, the only one for files at level B, none at level C."""
    version = landlock.version()
    if level == "B":
        if version < landlock.SCOPES_FROM:
            raise OSError(38, f"Landlock {version}, level B needs {landlock.SCOPES_FROM}")
        landlock.restrict(paths, [])
    elif level != "C" and version:
        landlock.restrict(paths, ["/tmp"])


def _drop_bounding_set() -> None:
    """No program can get a capability back."""
    for capability in range(CAPABILITIES):
        try:
            linux.prctl(linux.PR_CAPBSET_DROP, capability)
        except OSError:
            return  # beyond the last one that this kernel knows
