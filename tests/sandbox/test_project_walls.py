"""What a project's tests can reach, use and leave behind."""

# The fixtures are imported.
# ruff: noqa: F401, F811
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from project_cases import PROBE, SMALL, runner, scratch, tree, with_probe

from sandbox import Word
from sandbox.project import ProjectLimits, ProjectRunner, ProjectTests


def running(mark):
    """Processes whose command line has ``mark`` in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


DAEMON = """
import os, signal, subprocess, sys, time
def sleeper():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", "MARK"],
        start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        sleeper()
        os._exit(0)
    os._exit(0)
sleeper()
time.sleep(0.5)
"""


@pytest.mark.parametrize(
    ("ending", "word"),
    [
        ("return 'reached'", Word.PASSED),
        ("while True: pass", Word.TIMEOUT),
        ("time.sleep(100)", Word.TIMEOUT),
        ("os.kill(os.getpid(), signal.SIGSEGV)", Word.CRASHED),
    ],
)
def test_nothing_survives(runner, tree, scratch, ending, word):
    mark = f"mark-{secrets.token_hex(8)}"
    seen = []
    body = DAEMON.replace("MARK", mark) + ending
    limits = ProjectLimits(cpu_s=2, wall_s=4, tree_mb=64)

    def look():
        while not done.wait(0.1):
            seen.extend(running(mark))

    done = threading.Event()
    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        began = time.monotonic()
        verdict = runner.run(tree, ProjectTests(PROBE), changed=with_probe(body), limits=limits)
        assert running(mark) == []
    finally:
        done.set()
        watcher.join()
    assert verdict.word is word, verdict
    assert seen, "the daemon was not even started"
    assert time.monotonic() - began < 10
    assert list(scratch.iterdir()) == []


RUN = """
import sys
from pathlib import Path
from sandbox.project import ProjectRunner, ProjectTests
tests = ProjectTests(("test_a.py::test_a",), {"test_a.py": sys.argv[3]})
ProjectRunner(level=sys.argv[1]).run(Path(sys.argv[2]), tests)
"""


def test_a_run_ends_with_whoever_waits_for_it(runner, tmp_path):
    mark = f"mark-{secrets.token_hex(8)}"
    lines = DAEMON.replace("MARK", mark + "-run").replace("\n", "\n    ")
    code = f"def test_a():{lines}\n    time.sleep(300)\n"
    command = [sys.executable, "-c", RUN, runner.level, tmp_path, code]
    host = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)})
    until(lambda: running(mark + "-run") and len(running(mark)) > 1)
    host.kill()
    host.wait()
    until(lambda: not running(mark))


def until(holds):
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_crowd_of_processes_is_bounded_and_gone(runner, tree):
    mark = f"mark-{secrets.token_hex(8)}"
    body = f"""
import os, subprocess, sys, time
kept = [subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(300)", "{mark}"])
    for _ in range(60)]
time.sleep(2)
return "reached"
"""
    limits = ProjectLimits(cpu_s=20, wall_s=20, tree_mb=64, processes=24)
    verdict = runner.run(tree, ProjectTests(PROBE), changed=with_probe(body), limits=limits)
    assert verdict.word is (Word.FAILED if runner.level == "A" else Word.ERROR), verdict
    assert running(mark) == []


def test_the_supervisor_is_out_of_reach(runner, tree):
    body = """
import os, signal, time
for pid in (os.getppid(), 1):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except PermissionError:
            pass
signal.signal(signal.SIGTERM, signal.SIG_IGN)
try:
    os.kill(-1, signal.SIGTERM)
except ProcessLookupError:
    pass
return "reached"
"""
    verdict = runner.run(tree, ProjectTests(PROBE), changed=with_probe(body), limits=SMALL)
    assert verdict.word is Word.PASSED, verdict


OUTSIDE = {
    "a file": "open(CANARY).read()",
    "a folder": "import os; os.listdir(FOLDER)",
    "the original": "open(ORIGINAL).read()",
    "a write": "open(CANARY, 'w').write('sunk')",
    "a socket": "import socket; socket.create_connection(('127.0.0.1', PORT), 2)",
    "an unconnected socket": "import socket; socket.socket(socket.AF_UNIX)",
    "a process": "import os; os.kill(PID, 0)",
    "a program": "import subprocess; subprocess.run(['/bin/true'])",
    "a limit": "import resource; resource.prlimit(os.getppid(), resource.RLIMIT_CPU)",
    "a namespace": "import ctypes\nif ctypes.CDLL(None).unshare(0x10000000): raise OSError",
    "the library": "open(os.__file__, 'a')",
    "packages": "import pytest; open(pytest.__file__, 'a')",
    "memory": "open('/proc/self/mem')",
}


def test_nothing_outside_is_reached(runner, tree, tmp_path):
    canary = tmp_path / "canary"
    canary.write_text("sings")
    canary.chmod(0o666)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        known = {
            "CANARY": repr(str(canary)),
            "FOLDER": repr(str(tmp_path)),
            "ORIGINAL": repr(str(tree / "pyproject.toml")),
            "PORT": str(listener.getsockname()[1]),
            "PID": str(os.getpid()),
        }
        code = "import os\n"
        for number, attempt in enumerate(OUTSIDE.values()):
            text = re.sub("[A-Z]{3,}", lambda word: known.get(word[0], word[0]), attempt)
            lines = "".join(f"    {line}\n" for line in text.splitlines())
            code += f"def test_{number}():\n{lines}\n"
        names = tuple(f"tests/test_out.py::test_{number}" for number in range(len(OUTSIDE)))
        tests = ProjectTests(names, {"tests/test_out.py": code})
        verdict = runner.run(tree, tests, limits=SMALL)
    reached = dict(zip(OUTSIDE, verdict.outcomes.values(), strict=True))
    assert reached == dict.fromkeys(OUTSIDE, "failed")
    assert canary.read_text() == "sings"


def test_what_landlock_does_not_look_at_is_out_of_reach_too(runner, tree, tmp_path):
    canary = tmp_path / "canary"
    canary.write_text("sings")
    canary.chmod(0o640)
    os.utime(canary, (1000, 1000))
    body = f"""
import contextlib, os
path = {str(canary)!r}
for change in (lambda: os.chmod(path, 0o777), lambda: os.utime(path, (5, 5)),
        lambda: os.chown(path, 7, 7), lambda: os.setxattr(path, "user.kent", b"x"),
        lambda: os.truncate(path, 0), lambda: os.unlink(path)):
    with contextlib.suppress(OSError):
        change()
return "reached"
"""
    assert runner.run(tree, ProjectTests(PROBE), changed=with_probe(body), limits=SMALL).passed
    found = canary.stat()
    assert (found.st_mode & 0o777, found.st_mtime, found.st_uid) == (0o640, 1000, os.geteuid())
    assert (canary.read_text(), os.listxattr(canary)) == ("sings", [])


@pytest.mark.parametrize(
    "body",
    [
        "return bytearray(10 ** 11)",
        "import os, time\nfor _ in range(6):\n    if os.fork() == 0:\n"
        "        kept = b'x' * (100 << 20)\n        time.sleep(60)\ntime.sleep(60)",
    ],
    ids=["one process", "several together"],
)
def test_memory_is_bounded(runner, tree, body):
    limits = ProjectLimits(cpu_s=20, wall_s=20, memory_mb=400, tree_mb=64)
    verdict = runner.run(tree, ProjectTests(PROBE), changed=with_probe(body), limits=limits)
    assert verdict.word is Word.OUT_OF_MEMORY, verdict


def test_files_are_bounded(runner, tree):
    body = """
import time
for number in range(40):
    open(str(number), "wb").write(b"x" * (1 << 20))
time.sleep(5)
return "reached"
"""
    limits = ProjectLimits(cpu_s=20, wall_s=20, tree_mb=16)
    verdict = runner.run(tree, ProjectTests(PROBE), changed=with_probe(body), limits=limits)
    assert verdict.word in (Word.FAILED, Word.ERROR), verdict
    told = verdict.failure
    assert ("No space left" if runner.level == "A" else "limit of files") in told


def test_what_a_hostile_run_leaves_is_removed(runner, tree, scratch):
    body = """
import os
os.mkdir("locked", 0)
os.symlink("/", "root")
here = os.getcwd()
for _ in range(1500):
    os.mkdir("d" * 60)
    os.chdir("d" * 60)
os.chdir(here)
return "reached"
"""
    verdict = runner.run(tree, ProjectTests(PROBE), changed=with_probe(body), limits=SMALL)
    assert verdict.passed, verdict
    assert list(scratch.iterdir()) == []


def test_closing_ends_a_run(runner, tree):
    other = ProjectRunner(level=runner.level)
    threading.Timer(1.5, other.close).start()
    verdict = other.run(tree, ProjectTests(PROBE), changed=with_probe("while True: pass"))
    assert verdict.word is Word.NOT_JUDGED
