"""Runs each task of a benchmark in a process of its own, with a scratch folder of its own.

A server process loads what was trained and never solves a task itself. For each task it forks a
child, which solves that one task and ends: whatever it kept in a module's globals, in a cache or in
its memory ends with it. Order is random but for the seed, and chance is seeded by task, so that
neither tells a task what came before it. ``shared_cache`` solves all tasks in one child with one
scratch folder: what it scores above ``isolated`` is what leaking between tasks would give.
"""

import multiprocessing
import os
import pickle
import random
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from trainers.errors import BenchmarkError
from trainers.honest.snapshot import Snapshot

Mode = Literal["isolated", "shared_cache", "cold"]
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
MODES: tuple[Mode, ...] = ("isolated", "shared_cache", "cold")


class Solves(Protocol):
    """Solves the tasks of a benchmark; lives in the server and its children."""

    def solve(self, key: str, scratch: Path) -> Any:
        """Solve the task of this key and give what can be pickled.

        Args:
            key: of the task.
            scratch: an empty folder, the only place to write to; with ``shared_cache`` all tasks
                have the same.
        """


class Opens(Protocol):
    """Makes a solver in the server; it is pickled to get there."""

    def __call__(self, mode: Mode) -> Solves:
        """Load what was trained; in mode ``cold``, nothing of it."""


@dataclass(frozen=True)
class Bench:
    """What one benchmark runs: who solves, on what snapshot, where it may write.

    ``snapshot`` is looked at after each task.
    """

    opens: Opens
    snapshot: Snapshot
    scratch: Path
    seed: int


def task_seed(seed: int, key: str) -> int:
    """The seed of one task: the same whatever ran before it."""
    return int.from_bytes(sha256(f"{seed}/{key}".encode()).digest()[:4])


def run(
    bench: Bench,
    mode: Mode,
    keys: Sequence[str],
    between: Callable[[], None] = lambda: None,
) -> Iterator[tuple[str, Any]]:
    """Solve the tasks in random order; give each key with its result when it is done.

    Args:
        bench: see ``Bench``.
        mode: of the module's three.
        keys: of the tasks.
        between: called before each task, to stop or to tell.

    Raises:
        BenchmarkError: a solver failed, its process died, or it wrote into the snapshot.
    """
    order = sorted(keys)
    random.Random(f"{bench.seed}/{mode}").shuffle(order)
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=_serve, args=(theirs, bench, mode), daemon=False)
    server.start()
    theirs.close()
    try:
        for key in order:
            between()
            try:
                ours.send(key)
                result = ours.recv()
            except (EOFError, ConnectionError) as error:
                raise BenchmarkError(
                    f"the server of the benchmark ended before {key} was solved; run it again"
                ) from error
            bench.snapshot.check(f"the solver of {key}")
            if isinstance(result, _Failed):
                raise BenchmarkError(f"{key}: {result.told}")
            yield key, result
    finally:
        ours.close()
        server.join(timeout=30)
        if server.is_alive():
            server.kill()
            server.join()


@dataclass(frozen=True)
class _Failed:
    """Why a task gave no result."""

    told: str


def _serve(line: Connection, bench: Bench, mode: Mode) -> None:
    """Load once; a child for each task, or one for all."""
    # Threads do not come along when a process forks: a library that has some would wait for them.
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        solver = bench.opens(mode)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)
    except Exception as error:  # noqa: BLE001 - told to the parent, which raises it
        _answer_all(line, _Failed(_told(error)))
        return
    if mode == "shared_cache":
        _in_child(lambda: _all(line, solver, bench, mode))
        return
    while (key := _next(line)) is not None:
        line.send(_one_in_child(solver, key, bench, mode))


def _one_in_child(solver: Solves, key: str, bench: Bench, mode: Mode) -> Any:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    scratch = _fresh(bench.scratch / mode / sha256(key.encode()).hexdigest()[:16])

    def work() -> None:
        ours.close()
        theirs.send(_solved(solver, key, scratch, bench.seed))

    child = _fork(work)
    theirs.close()
    try:
        result = ours.recv()
    except EOFError:
        result = None
    finally:
        ours.close()
    _, status = os.waitpid(child, 0)
    shutil.rmtree(scratch, ignore_errors=True)
    if result is None:
        code = os.waitstatus_to_exitcode(status)
        return _Failed(f"its process ended with status {code} and no result")
    return result


def _all(line: Connection, solver: Solves, bench: Bench, mode: Mode) -> None:
    scratch = _fresh(bench.scratch / mode)
    while (key := _next(line)) is not None:
        line.send(_solved(solver, key, scratch, bench.seed))
    shutil.rmtree(scratch, ignore_errors=True)


def _solved(solver: Solves, key: str, scratch: Path, seed: int) -> Any:
    chance = task_seed(seed, key)
    random.seed(chance)
    np.random.seed(chance)
    try:
        result = solver.solve(key, scratch)
        pickle.dumps(result)
    except Exception as error:  # noqa: BLE001 - told to the parent, which raises it
        return _Failed(_told(error))
    return result


def _told(error: Exception) -> str:
    traceback.print_exc()
    return f"{type(error).__name__}: {error}"


def _answer_all(line: Connection, answer: Any) -> None:
    while _next(line) is not None:
        line.send(answer)


def _next(line: Connection) -> str | None:
    try:
        return str(line.recv())
    except EOFError:
        return None


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _in_child(work: Callable[[], None]) -> None:
    os.waitpid(_fork(work), 0)


def _fork(work: Callable[[], None]) -> int:
    """Run in a forked child, which never returns here; its process id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except BaseException:  # noqa: BLE001 - the parent sees that no result came
        traceback.print_exc()
    finally:
        os._exit(status)
