"""The system calls of a project's tests: processes and programs, but nothing that leads outside.

An allow-list over :mod:`.seccomp`'s. Sockets can be made in connected pairs only, so that no
address can be reached. Limits can be read and lowered for the caller alone.
"""

import os

from sandbox.worker import seccomp
from sandbox.worker.syscalls import numbers

ADDED = """
fork vfork execve execveat setsid setpgid setrlimit pidfd_open pidfd_send_signal kill tgkill tkill
flock getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr mknod mknodat
"""

CHANGES = """
fchmodat2 chown fchown lchown fchownat setxattr lsetxattr fsetxattr removexattr lremovexattr
fremovexattr
"""
"""What Landlock does not look at. At level B these report success and do nothing, since files of
the user's outside of the tree could be changed by them."""

_NOTHING_DONE = 0x00050000


def project_filter(
    machine: str = os.uname().machine, table: dict[str, int] | None = None, *, level: str
) -> list[seccomp.Instruction]:
    """Return the filter for the tests of a project at ``level``."""
    table = numbers() if table is None else table
    allow, refuse = (0x06, 0, 0, seccomp._ALLOW), (0x06, 0, 0, seccomp._EPERM)
    bodies = {name: [allow] for name in f"{seccomp.ALLOWED} {ADDED}".split()}
    bodies |= {
        name: [(0x06, 0, 0, _NOTHING_DONE)] if level == "B" else [allow]
        for name in f"{seccomp.OWNERS} {CHANGES}".split()
    }
    bodies |= {
        "clone": _no_namespaces(),
        "clone3": [(0x06, 0, 0, seccomp._ENOSYS)],
        "prctl": seccomp._one_of(0, seccomp.PRCTLS),
        "prlimit64": [seccomp._low(0), (0x15, 0, 1, 0), allow, refuse],
        "ioctl": seccomp._one_of(1, seccomp.IOCTLS),
        "socketpair": seccomp._one_of(0, (seccomp.AF_UNIX,)),
    }
    code = seccomp._head(machine)
    for name, body in bodies.items():
        if name in table:
            code += seccomp._rule(table[name], body)
    return [*code, refuse]


def _no_namespaces() -> list[seccomp.Instruction]:
    return [
        seccomp._low(0),
        (0x45, 0, 1, seccomp.CLONE_NEW),
        (0x06, 0, 0, seccomp._EPERM),
        (0x06, 0, 0, seccomp._ALLOW),
    ]
