"""Many problems' loops at once: threads that share one generator and touch no store."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sandbox import Tests
from trainers.config import PythonLoopConfig
from trainers.fractal.loop import ArmChooser, Budget, Loop, LoopSettings
from trainers.fractal.outcome import Outcome, Tried
from trainers.fractal.python.domain import PythonDomain, PythonTask
from trainers.fractal.python.partners import EditorOf
from trainers.fractal.python.patches import EDITS
from trainers.fractal.python.program import PythonProgram
from trainers.problem_sets import derived_seed
from trainers.stage import StageContext

PythonOutcome = Outcome[PythonProgram]
POLL_S = 0.25


@dataclass(frozen=True)
class Work:
    """One problem's loop: what may be run, who chooses the arm, what there is to begin with.

    ``flooded`` None: the loop draws its own flood. ``spent``: the tokens that those took.
    ``doubted``: the tests are so few that an edit which passes them is often wrong.
    """

    task: PythonTask
    chooser: ArmChooser
    seed: int
    flooded: Sequence[PythonProgram] | None = None
    spent: int = 0
    doubted: bool = False


def run_loops(
    works: Sequence[Work],
    domain: PythonDomain,
    editor_of: EditorOf,
    config: PythonLoopConfig,
    check_stop: Callable[[], None],
) -> Iterator[tuple[Work, PythonOutcome]]:
    """Give each work's outcome as it comes; at most ``config.parallel`` run at once.

    Raises:
        Stopped: asked to stop; what was given before stays valid.
        GeneratorError: the generator failed.
    """
    waiting = iter(works)
    running: dict[Future[PythonOutcome], Work] = {}
    stop: list[bool] = []

    def check() -> None:
        if stop:
            raise _LeftError

    with ThreadPoolExecutor(config.parallel, thread_name_prefix="loop") as pool:
        try:
            while True:
                check_stop()
                while len(running) < config.parallel and (work := next(waiting, None)):
                    running[pool.submit(_run, work, domain, editor_of, config, check)] = work
                if not running:
                    return
                done, _ = wait(running, timeout=POLL_S, return_when=FIRST_COMPLETED)
                for future in done:
                    yield running.pop(future), future.result()
        finally:
            stop.append(True)


class _LeftError(Exception):
    """The one who asked for a loop has left."""


def _run(
    work: Work,
    domain: PythonDomain,
    editor_of: EditorOf,
    config: PythonLoopConfig,
    check_stop: Callable[[], None],
) -> PythonOutcome:
    settings = LoopSettings(config.flood, config.local, config.tries, work.doubted)
    loop = Loop(replace(domain, editors=editor_of()), work.chooser, settings, check_stop)
    rng = np.random.default_rng(derived_seed(work.seed, work.task.problem.id))
    budget = Budget(work.spent + config.tokens, config.seconds)
    return loop.run(work.task, budget, rng, work.flooded, work.spent)


def flood_all(
    tasks: Sequence[PythonTask],
    domain: PythonDomain,
    config: PythonLoopConfig,
    context: StageContext,
) -> Iterator[tuple[PythonTask, list[PythonProgram], int]]:
    """Give the first candidates of each problem, and the tokens that they took."""

    def flood(task: PythonTask) -> tuple[PythonTask, list[PythonProgram], int]:
        context.check_stop()
        rng = np.random.default_rng(derived_seed(context.seed, task.problem.id, "flood"))
        rendered = domain.render(task, domain.draft(task, config.flood, rng), rng)
        programs = [one.program for one in rendered]
        return task, programs, sum(one.tokens for one in rendered)

    with ThreadPoolExecutor(config.parallel, thread_name_prefix="flood") as pool:
        yield from pool.map(flood, tasks)


def kept(outcome: PythonOutcome) -> list[Tried[PythonProgram]]:
    """What is stored of a loop's programs: all but learned edits that came to nothing.

    A sweep tries hundreds of these; the steps count them.
    """
    found = {
        tried.number for tried in outcome.tried if tried.arm not in EDITS or tried.judgement.passed
    }
    for tried in reversed(outcome.tried):
        if tried.number in found and tried.base is not None:
            found.add(tried.base)
    return [tried for tried in outcome.tried if tried.number in found]


def trace_of(outcome: PythonOutcome, tests: Tests) -> dict[str, Any]:
    """What is stored of a loop: every step, and of the programs that are kept how they did.

    ``base`` and ``chosen`` count places among the kept programs, in a step among all of them.
    """
    programs = kept(outcome)
    places = {tried.number: place for place, tried in enumerate(programs)}
    return {
        "tests": len(tests.calls),
        "steps": [step.to_json() for step in outcome.steps],
        "programs": [_told(tried, places) for tried in programs],
    }


def _told(tried: Tried[PythonProgram], places: Mapping[int, int]) -> dict[str, Any]:
    return {
        "arm": tried.arm,
        "base": None if tried.base is None else places[tried.base],
        "kind": tried.judgement.kind,
        "score": round(tried.judgement.score, 3),
        "code": tried.program.code,
    }
