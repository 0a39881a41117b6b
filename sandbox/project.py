"""Project mode: a repository's own tests, run by name in a fresh tree behind walls.

The judged patch lies over the original tree, the task's test files lie over the patch, and pytest's
and the interpreter's configuration are the original's. Each run has its own copy of the tree, which
goes with it: in memory at levels A and A', in a private folder at level B.

What a verdict proves, and what it does not. Tests and patched code share one process, and in one
process no report is safe: code that is written against this runner can find the plugin, read the
names of the tests, rewrite test files that are not yet read, and report what it likes. What is
checked is that the cheap ways do not work: leaving early, leaving with status 0, writing to every
descriptor, bringing a ``conftest.py``, and turning every report into "passed". For the last, every
session contains a control, a test under a random name that must fail; a run in which it does not
is a ``violation``. A patch that spares what it does not know by name passes the control. Where that
matters, look at the patches that pass, or judge by data with :class:`sandbox.Sandbox`.

The walls hold whatever the code does: no file is visible but the interpreter's, Python's library
and the tree, there is no network, and no process outlives the run. Other programs (git, a shell)
are not there. At level B chmod, chown, utime and changes of extended attributes report success and
do nothing, locks of multiprocessing cannot be made, and what all files take is looked at every two
seconds only.
"""

import json
import os
import random
import secrets
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox.errors import LevelError, SandboxError
from sandbox.levels import CHOSEN, choose
from sandbox.project_judge import judge
from sandbox.project_python import interpreter
from sandbox.project_run import Run
from sandbox.project_tree import Control, Entry, Tree, compose, make_control, write
from sandbox.sandbox import SANDBOX_VERSION
from sandbox.types import Word
from sandbox.worker.sweep import Sweeper

_PLUGIN = Path(__file__).parent / "worker" / "project_plugin.py"
REMOVE_S = 60.0


@dataclass(frozen=True)
class ProjectTests:
    """The named tests, as pytest node ids, and the task's files, put in place after the patch."""

    names: tuple[str, ...]
    files: Mapping[str, str | bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class ProjectLimits:
    """What one run may use.

    CPU and wall seconds of all processes together; megabytes of address space of each process and
    of resident memory of all; megabytes of the tree with all that is written; bytes of output that
    are kept; processes and threads.
    """

    cpu_s: float = 120.0
    wall_s: float = 600.0
    memory_mb: int = 2048
    tree_mb: int = 512
    output_bytes: int = 65536
    processes: int = 64


@dataclass(frozen=True)
class ProjectVerdict:
    """What was found.

    ``outcomes`` has "passed", "failed", "error", "skipped" or "missing" for each named test;
    ``failure`` is the first failure's text. The output shows the control's failure too.
    """

    word: Word
    outcomes: Mapping[str, str]
    failure: str = ""
    cpu_s: float = 0.0
    wall_s: float = 0.0
    output_head: str = ""
    output_tail: str = ""
    level: str = ""
    version: str = ""

    @property
    def passed(self) -> bool:
        """True when every named test passed, in a session that went as it should."""
        return self.word is Word.PASSED


_DEFAULTS = ProjectLimits()


class ProjectRunner:
    """Runs the tests of projects; usable from several threads.

    Args:
        level: ``auto`` for the highest that works here, or A, A' or B by name. An interpreter
            below /tmp can be used at level B only.
        python: the interpreter that has pytest and the projects' dependencies; by default the one
            that runs now, with its virtual environment.
        plugins: pytest plugins to load, by the names of their modules; no other is.

    Raises:
        LevelError: the level does not work on this machine, or is none of these.
        SandboxError: the interpreter does not run, or has no pytest.
    """

    def __init__(
        self,
        *,
        level: str = "auto",
        python: str | Path | None = None,
        plugins: Sequence[str] = (),
    ) -> None:
        if level not in ("auto", *CHOSEN):
            raise LevelError(f"project mode runs at {', '.join(CHOSEN)}, not at {level!r}")
        self._python = interpreter(str(python or sys.executable))
        if self._python.covered and level == "auto":
            level = "B"
        if self._python.covered and level != "B":
            raise LevelError(
                f"level {level} covers /tmp, with the interpreter's {self._python.covered}"
            )
        self.level = choose(level)
        self.version = SANDBOX_VERSION
        self._plugins = tuple(plugins)
        self._closed = threading.Event()

    def run(
        self,
        tree: Path,
        tests: ProjectTests,
        *,
        changed: Mapping[str, str | None] | None = None,
        limits: ProjectLimits = _DEFAULTS,
    ) -> ProjectVerdict:
        """Run the named tests on ``tree`` with the patch ``changed``: new texts, None deletes.

        Raises:
            SandboxError: no test is named, a path leads out of the tree or through a link, or the
                tree is larger than its limit.
        """
        names = tuple(dict.fromkeys(tests.names))
        if not names or not all("::" in name for name in names):
            raise SandboxError(f"tests are named by pytest node ids, not by {list(names)}")
        composed = compose(tree, changed or {}, tests.files, limits.tree_mb)
        verdict = self._attempt(composed, tree, names, limits)
        if verdict.word is Word.NOT_JUDGED and not self._closed.is_set():
            verdict = self._attempt(composed, tree, names, limits)
        return verdict

    def _attempt(
        self, composed: Tree, original: Path, names: Sequence[str], limits: ProjectLimits
    ) -> ProjectVerdict:
        control, token = make_control(names, composed), secrets.token_hex(16)
        with _place(self.level) as root:
            beside = {
                "project_plugin.py": _PLUGIN.read_bytes(),
                "job.json": self._order(names, control, composed, original, token),
                "pytest.ini": b"[pytest]\n",  # where pytest stops to look above the tree
            }
            whole: Tree = {**composed, control.file: Entry(control.code.encode())}
            run = Run(self._job(root, limits), limits.output_bytes)
            try:
                run.feed(lambda out: write(whole, beside, out))
                ended = run.watch(self._closed.is_set)
            finally:
                run.close()
        word, outcomes, failure = judge(ended, names, control.name, token)
        return ProjectVerdict(
            word,
            outcomes,
            failure.encode(errors="replace").decode(),  # lone surrogates cannot be stored
            ended.cpu_s,
            ended.wall_s,
            ended.output.head.decode(errors="replace"),
            ended.output.tail.decode(errors="replace"),
            self.level,
            self.version,
        )

    def _job(self, root: str, limits: ProjectLimits) -> dict[str, Any]:
        """Return what the process that puts up the walls is told."""
        python = self._python.executable
        temporary = f"{root}/tmp"
        environment = {
            "PATH": str(Path(python).parent),
            "HOME": temporary,
            "TMPDIR": temporary,
            "USER": "sandbox",
            "LANG": "C.UTF-8",
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "MALLOC_ARENA_MAX": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        return {
            **asdict(limits),
            "level": self.level,
            "root": root,
            "readable": self._python.visible,
            "command": [python, "-s", "-B", f"{root}/project_plugin.py"],
            "environment": environment,
        }

    def _order(
        self, names: Sequence[str], control: Control, tree: Tree, original: Path, token: str
    ) -> bytes:
        """Return what the plugin is told: the control's file is one among those of the tests.

        Files are named, not tests, so that one that is missing does not keep the others from
        being run. What the project's own settings might add (stopping at a failure, choosing by
        marks) is taken back.
        """
        named = (name.partition("::")[0] for name in names)
        files = [f"./{file}" for file in dict.fromkeys(named) if file in tree]
        files.insert(random.SystemRandom().randint(0, len(files)), f"./{control.file}")
        options = ["--rootdir=.", "--confcutdir=.", "-p", "no:cacheprovider", "--color=no"]
        options += [
            "--tb=short",
            "--continue-on-collection-errors",
            "--maxfail=0",
            "-k",
            "",
            "-m",
            "",
        ]
        options += [word for plugin in self._plugins for word in ("-p", plugin)]
        sources = ["."] + ["src"] * any(path.startswith("src/") for path in tree)
        for folder in map(Path, self._python.path):
            if folder.is_relative_to(original.resolve()):  # installed there in editable form
                sources.append(str(folder.relative_to(original.resolve())))
        order = {
            "arguments": [*options, *files],
            "wanted": [*names, control.name],
            "token": token,
            "path": list(dict.fromkeys(sources)),
        }
        return json.dumps(order).encode()

    def close(self) -> None:
        """End the runs that other threads are waiting for: they are not judged."""
        self._closed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@contextmanager
def _place(level: str) -> Iterator[str]:
    """Yield the folder of one run, as the run sees it; what was left in it goes."""
    if level != "B":
        yield "/tmp"  # one of its own
        return
    outer = Path(tempfile.mkdtemp(prefix="kent-project-"))  # that no other user can enter
    inner = outer / "run"
    inner.mkdir()
    try:
        yield str(inner)
    finally:
        _remove(inner)
        shutil.rmtree(outer, ignore_errors=True)


def _remove(folder: Path) -> None:
    """Empty a folder that hostile code has written to, without following or descending."""
    sweeper = Sweeper(str(folder))
    deadline = time.monotonic() + REMOVE_S
    with suppress(OSError):  # what will not go is left to the caller
        while any(folder.iterdir()) and time.monotonic() < deadline:
            sweeper._empty()
    os.close(sweeper.folder)
