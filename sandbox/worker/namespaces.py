"""Level A's walls: namespaces of its own, and a root file system with nothing but the library.

As root the tree is built first, while everything can still be read, and then the process becomes
a user that owns nothing; otherwise the user namespace comes first, since only it lets the tree be
built. Either way the zygote ends up as the first process of a process namespace that its user
namespace owns, so that it can make one more for each program, and its death ends them all.
"""

# pathlib is not loaded in the zygote.
# ruff: noqa: PTH102, PTH103, PTH106, PTH112, PTH114, PTH115, PTH120, PTH211
import os
import signal

from sandbox.worker import linux

NEWNS, NEWCGROUP, NEWUTS, NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
_APART = NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWNET

_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT = 1, 2, 4, 8, 32
_BIND, _REC, _PRIVATE = 4096, 16384, 1 << 18
_DETACH = 2

TMP_OPTIONS = "size=64m,nr_inodes=8192,mode=1777"
FIRST_UID = 1_400_000_000
"""Users that own nothing: each zygote of a root pool becomes one of its own from here on."""

_INSIDE_ID = 1000


def isolate(
    readable: list[str], devices: tuple[str, ...], moved: dict[str, str] | None = None
) -> None:
    """Leave the machine: return as the only process of new namespaces, the tree being ``/``.

    ``readable`` and ``devices`` are shown where they are, ``moved`` at other places.

    The process that called waits, outside, for the one that returns; the two die together.

    Raises:
        OSError: the kernel refuses a step.
    """
    places = {**{path: path for path in readable}, **(moved or {})}
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if os.geteuid() == 0:
        linux.call("unshare", NEWNS)
        _build_root(places, devices)
        _become(FIRST_UID + os.getpid())
        _unshare_user(proc, _APART)
    else:
        _unshare_user(proc, _APART)
        _build_root(places, devices)
    os.close(proc)
    mount_tmp()
    linux.call("sethostname", b"sandbox", 7)
    _first_of_new_processes()


def mount_tmp() -> None:
    """Put an empty /tmp of limited size and number of files in place."""
    _mount("tmpfs", "/tmp", "tmpfs", _NOSUID | _NODEV | _NOEXEC, TMP_OPTIONS)
    os.chdir("/tmp")


def _become(user: int) -> None:
    """Become a user and group that own nothing."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    linux.prctl(linux.PR_SET_DUMPABLE, 1)  # else the map files belong to root


def _unshare_user(proc: int, others: int) -> None:
    """Enter a new user namespace, and with it the ``others``, and map this user into it."""
    user, group = os.geteuid(), os.getegid()
    linux.call("unshare", NEWUSER | others)
    _write(proc, "self/setgroups", "deny")
    _write(proc, "self/uid_map", f"{_INSIDE_ID} {user} 1")
    _write(proc, "self/gid_map", f"{_INSIDE_ID} {group} 1")


def _write(folder: int, name: str, text: str) -> None:
    handle = os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    texts = [os.fsencode(text) for text in (source, target, kind)]
    linux.call("mount", *texts, flags, options.encode())


def _build_root(places: dict[str, str], devices: tuple[str, ...]) -> None:
    """Make a small read-only tree the root: the library, a few devices, an empty /tmp."""
    _mount("none", "/", "none", _REC | _PRIVATE)
    _mount("tmpfs", "/tmp", "tmpfs", _NOSUID | _NODEV, "size=1m,mode=755")
    os.mkdir("/tmp/.old")
    linux.call("pivot_root", b"/tmp", b"/tmp/.old")
    os.chdir("/")
    for path, place in places.items():
        _show(path, place, _NODEV)
    for path in devices:
        _show(path, path, 0)
    os.mkdir("/tmp", 0o755)
    linux.call("umount2", b"/.old", _DETACH)
    os.rmdir("/.old")
    _mount("none", "/", "none", _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)


def _show(path: str, place: str, flags: int) -> None:
    """Bind ``path`` of the old root read-only at ``place`` in the new one; a link is made anew."""
    source = "/.old" + path
    if not os.path.lexists(source) or os.path.lexists(place):
        return
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if os.path.islink(source):
        os.symlink(os.readlink(source), place)
        return
    if os.path.isdir(source):
        os.mkdir(place)
    else:
        os.close(os.open(place, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC))
    _mount(source, place, "none", _BIND | _REC)
    flags |= os.statvfs(place).f_flag & (_NOSUID | _NODEV | _NOEXEC)
    _mount("none", place, "none", _REMOUNT | _BIND | _RDONLY | _NOSUID | flags)


def _first_of_new_processes() -> None:
    """Go on as the first process of a new process namespace; what was before only waits."""
    linux.call("unshare", NEWPID)
    child = os.fork()
    if child:
        os.closerange(0, 1024)
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)


class Nursery:
    """Forks programs into process namespaces of their own."""

    def __init__(self) -> None:
        # By a handle on itself: there may be no /proc in here.
        self.home = os.pidfd_open(os.getpid())
        pid = self.fork()  # prove that it works
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)

    def fork(self) -> int:
        """Fork; the child is process 1 of a new namespace.

        Raises:
            OSError: the kernel refuses.
        """
        linux.call("unshare", NEWPID)
        pid = os.fork()
        if pid:
            linux.call("setns", self.home, NEWPID)
        return pid
