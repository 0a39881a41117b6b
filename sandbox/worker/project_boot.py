"""A project's run inside its walls: put them up, unpack the tree, start the tests, end them all.

One process puts up the walls and stays as the supervisor, out of reach of what it starts: as the
first process of a process namespace (levels A and A'), or in an outer Landlock domain, of which
the tests have an inner one (level B). It ends every process of the run by one ``kill(-1)``, which
the kernel carries out in one piece, so that no fork can slip through, and which reaches the
namespace or the domain and nothing else. Daemons are its children in the end, and are reaped.

The job comes on descriptor 0: a line of JSON, then the files, each behind an ``ENTRY``.
"""

# pathlib is slow to load, and the paths are given as text.
# ruff: noqa: PTH102, PTH103, PTH112, PTH211
import contextlib
import fcntl
import json
import os
import resource
import select
import signal
import struct
from typing import IO, Any

from sandbox.worker import landlock, linux, namespaces, project_filter, seccomp, walls

ENTRY = struct.Struct("=BHQ")
"""What comes before each file: its kind, the length of its path and that of its content."""
FILE, EXECUTABLE, LINK = 0, 1, 2

REPORT_FD = 3
SHARED_MEMORY = "/dev/shm"
BACKSTOP_S = 2
REAP_S = 0.1
_NOSUID, _NODEV = 2, 4
_SET_CHILD_SUBREAPER = 36
_PATH_BENEATH = 1
_WRITE_FILE = 1 << 1
_OPEN_FILES = 1024
_HIGH = 16


def main(control: int, report: int) -> None:
    """Do the job and tell, on ``control``, of its start and its end, or what was refused."""
    control, report = _moved_up(control), _moved_up(report)
    with os.fdopen(0, "rb", closefd=False) as stream:
        job = json.loads(stream.readline())
        try:
            raise_walls(job)
            unpack(stream, job["root"])
            os.mkdir(f"{job['root']}/tmp", 0o700)
            pid = start(job, report)
        except OSError as error:
            tell(control, refused=str(error))
            return
    os.close(report)
    os.dup2(os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC), 1)
    tell(control, started=True)
    tell(control, **supervise(pid, control))


def unpack(stream: IO[bytes], root: str) -> None:
    """Write the files that come; none replaces another, and none lies behind a link."""
    while header := stream.read(ENTRY.size):
        kind, name_size, size = ENTRY.unpack(header)
        path = f"{root}/{os.fsdecode(stream.read(name_size))}"
        os.makedirs(path.rpartition("/")[0], exist_ok=True)
        content = stream.read(size)
        if kind == LINK:
            os.symlink(content, os.fsencode(path))
            continue
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o755 if kind == EXECUTABLE else 0o644), "wb") as file:
            file.write(content)


def _moved_up(fd: int) -> int:
    """Move a descriptor out of the way of those that the tests get, and let no program have it."""
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    os.close(fd)
    return moved


def tell(control: int, **fields: Any) -> None:
    """Write one message; nobody may be there to read it."""
    try:
        os.write(control, json.dumps(fields).encode() + b"\n")
    except OSError:
        return


def raise_walls(job: dict[str, Any]) -> None:
    """Put up what holds for the supervisor too; at levels A and A' another process goes on."""
    level = job["level"]
    if level == "A":
        namespaces.isolate([*job["readable"], SHARED_MEMORY], walls.DEVICES)
    if level == "A'":
        pid = namespaces.Nursery().fork()
        if pid:
            os.closerange(0, _OPEN_FILES)
            os.waitpid(pid, 0)
            os._exit(0)
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    if level == "B":
        if landlock.version() < landlock.SCOPES_FROM:
            raise OSError(38, f"level B needs Landlock {landlock.SCOPES_FROM}")
        restrict_paths(job)
        _prove_scope()
        linux.prctl(_SET_CHILD_SUBREAPER, 1)
    else:
        if os.getpid() != 1:
            raise OSError(1, "not the first of its process namespace: kill(-1) would reach others")
        _mount_files("/tmp", job["tree_mb"])
        if os.path.isdir(SHARED_MEMORY):
            _mount_files(SHARED_MEMORY, job["tree_mb"])
        os.chdir("/tmp")
    linux.drop_capabilities()


def _mount_files(place: str, size_mb: int) -> None:
    options = f"size={size_mb}m,nr_inodes={size_mb * 256},mode=1777"
    texts = [text.encode() for text in ("tmpfs", place, "tmpfs")]
    linux.call("mount", *texts, _NOSUID | _NODEV, options.encode())


def restrict_paths(job: dict[str, Any]) -> None:
    """Landlock: the interpreter can be read and run, the run's folder written too, no more."""
    abi = landlock.version()
    if not abi:
        return
    rights = (1 << landlock._FS_BITS[max(1, min(abi, 5))]) - 1
    size = 24 if abi >= landlock.SCOPES_FROM else 16 if abi >= 4 else 8
    attributes = landlock._RULESET.pack(rights, landlock._NET_ALL, landlock._SCOPE_ALL)[:size]
    ruleset = linux.call("landlock_create_ruleset", attributes, size, 0)
    try:
        for path in job["readable"]:
            landlock._allow(ruleset, path, landlock._READ | landlock._EXECUTE)
        for path in walls.DEVICES:
            landlock._allow(ruleset, path, landlock._READ_FILE | _WRITE_FILE)
        landlock._allow(ruleset, job["root"], rights)
        if job["level"] != "B":  # there it is the machine's own
            landlock._allow(ruleset, SHARED_MEMORY, rights)
        linux.call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)


def _prove_scope() -> None:
    """See that no signal leaves the domain: ``kill(-1)`` from it would end the user's session."""
    for pid in (os.getppid(), 1):
        try:
            os.kill(pid, 0)
        except PermissionError:
            continue
        raise OSError(1, "a signal could leave the Landlock domain")


def start(job: dict[str, Any], report: int) -> int:
    """Start the interpreter behind its own walls; its pid.

    Raises:
        OSError: it could not be started; the text says why.
    """
    reader, writer = os.pipe()
    writer = _moved_up(writer)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        try:
            _become_tests(job, report, writer)
        except OSError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(72)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        refused = told.read()
    if refused:
        raise OSError(refused.decode())
    return pid


def _become_tests(job: dict[str, Any], report: int, writer: int) -> None:
    """Descriptors, limits, walls, and then another program; ``writer`` closes when it runs."""
    os.setsid()
    os.dup2(os.open("/dev/null", os.O_RDWR), 0)
    os.dup2(1, 2)
    os.dup2(report, REPORT_FD)
    os.closerange(REPORT_FD + 1, writer)
    os.closerange(writer + 1, _OPEN_FILES)
    os.chdir(f"{job['root']}/tree")
    for which, amount in _limits(job):
        resource.setrlimit(which, (amount, amount))
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    restrict_paths(job)
    linux.seccomp(seccomp.packed(project_filter.project_filter(level=job["level"])))
    os.execve(job["command"][0], job["command"], job["environment"])


def _limits(job: dict[str, Any]) -> list[tuple[int, int]]:
    limits = [
        (resource.RLIMIT_CPU, int(job["cpu_s"]) + BACKSTOP_S),
        (resource.RLIMIT_AS, job["memory_mb"] << 20),
        (resource.RLIMIT_FSIZE, job["tree_mb"] << 20),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ]
    if job["level"] != "B":  # there all of the user's processes count; they are counted outside
        limits.append((resource.RLIMIT_NPROC, job["processes"]))
    return limits


def supervise(pid: int, control: int) -> dict[str, Any]:
    """Wait for process ``pid``, or for a word from outside; end everything; what there was."""
    poll = select.poll()
    poll.register(control, select.POLLIN | select.POLLRDHUP)
    pidfd = os.pidfd_open(pid)
    poll.register(pidfd, select.POLLIN)
    status = None
    while status is None:
        ready = [fd for fd, _ in poll.poll(REAP_S * 1000)]
        status = _reap(pid, os.WNOHANG)
        if control in ready:
            break
    with contextlib.suppress(ProcessLookupError):  # it was the only one
        os.kill(-1, signal.SIGKILL)
    rest = _reap(pid, 0)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "status": rest if status is None else status,
        "cpu_s": usage.ru_utime + usage.ru_stime,
    }


def _reap(pid: int, flags: int) -> int | None:
    """Take the status of every child that has ended; that of ``pid`` if it is among them."""
    status = None
    while True:
        try:
            ended, how = os.waitpid(-1, flags)
        except ChildProcessError:
            return status
        if not ended:
            return status
        if ended == pid:
            status = how
