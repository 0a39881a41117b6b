"""Landlock: which paths can be read, none can be written, no signal or socket leads outside."""

# pathlib is not loaded in the zygote.
# ruff: noqa: PTH112
import os
import struct

from sandbox.worker import linux

_VERSION_QUERY = 1
_PATH_BENEATH = 1
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_READ = _READ_FILE | _READ_DIR

# File-system rights, TCP rights and scopes that each version of the interface knows.
_FS_BITS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NET_ALL, _SCOPE_ALL = 3, 3
SCOPES_FROM = 6
"""The version from which signals and abstract sockets can be kept inside."""


_RULESET = struct.Struct("=QQQ")  # file-system rights, TCP rights, scopes
_PATH_RULE = struct.Struct("=Qi")  # rights, descriptor


def version() -> int:
    """Return the kernel's Landlock version, asked by the call itself; 0 when there is none."""
    try:
        return linux.call("landlock_create_ruleset", 0, 0, _VERSION_QUERY)
    except OSError:
        return 0


def restrict(readable: list[str], writable: list[str]) -> None:
    """Restrict this process and what it forks, for good, to these trees. Needs no_new_privs.

    Raises:
        OSError: the kernel has no Landlock.
    """
    abi = version()
    rights = (1 << _FS_BITS[max(1, min(abi, 5))]) - 1
    attributes = _RULESET.pack(
        rights, _NET_ALL if abi >= 4 else 0, _SCOPE_ALL if abi >= SCOPES_FROM else 0
    )
    size = 24 if abi >= SCOPES_FROM else 16 if abi >= 4 else 8
    ruleset = linux.call("landlock_create_ruleset", attributes, size, 0)
    try:
        for path in readable:
            _allow(ruleset, path, _READ)
        for path in writable:
            _allow(ruleset, path, rights & ~_EXECUTE)
        linux.call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # what does not exist needs no permission
    try:
        if not os.path.isdir(path):
            rights &= ~_READ_DIR
        rule = _PATH_RULE.pack(rights, parent)
        linux.call("landlock_add_rule", ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(parent)
