"""Judges patches of SWE tasks by the projects' own tests, run behind the sandbox's walls.

A task can be judged here when its golden patch passes all of FAIL_TO_PASS in a place that a release
makes (see ``places``) and no patch does not. Of PASS_TO_PASS those count that pass with the golden
patch: the others fail for the place's sake (another Python, a test file of another day).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sandbox import ProjectLimits, ProjectRunner, ProjectTests, ProjectVerdict, Word
from trainers.errors import TaskError
from trainers.tasks.swe.judging import environments, releases
from trainers.tasks.swe.judging.names import node_ids
from trainers.tasks.swe.judging.places import Place, places
from trainers.tasks.swe.judging.recipes import RECIPES, Recipe
from trainers.tasks.swe.types import SWETask

Outcome = Literal["resolved", "unresolved", "not_judged"]
_INTERNAL = "INTERNALERROR> "
_ERROR = re.compile(rf"{_INTERNAL}[\w.]+: ")
_IN_VAIN = (Word.NOT_JUDGED, Word.VIOLATION)


@dataclass(frozen=True)
class Calibration:
    """Whether a task can be judged here, why not, and by what.

    ``fail_to_pass`` and ``pass_to_pass`` are node ids; ``dropped``: how many of PASS_TO_PASS do not
    count here. ``seconds``: of the golden run.
    """

    task_id: str
    repo: str
    judged: bool
    reason: str
    release: str = ""
    fail_to_pass: tuple[str, ...] = ()
    pass_to_pass: tuple[str, ...] = ()
    dropped: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The form in which it is kept."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Calibration":
        """What ``to_json`` gave."""
        lists = {name: tuple(document[name]) for name in ("fail_to_pass", "pass_to_pass")}
        return cls(**{**document, **lists})


@dataclass(frozen=True)
class Judgement:
    """What the tests say of a patch, and why where that is not "resolved"."""

    outcome: Outcome
    reason: str = ""


class LocalJudge:
    """Runs the tests of tasks in the environments and releases below ``folder``.

    Args:
        folder: where ``environments`` and ``releases`` lie; ``kent tasks judge`` fills them.
        level: of the sandbox.

    Raises:
        LevelError: the level does not work on this machine.
    """

    def __init__(self, folder: Path, *, level: str = "auto") -> None:
        self._folder, self._level = folder, level
        self._runners: dict[str, ProjectRunner] = {}

    def prepare(self, repos: Sequence[str]) -> list[str]:
        """Make the environments and fetch the releases of repositories; what failed is told.

        Raises:
            TaskError: an environment cannot be made.
        """
        told = []
        for repo in repos:
            if (recipe := RECIPES.get(repo)) is not None:
                python = environments.make(recipe, self._folder / "environments")
                told += releases.fetch(recipe, python, self._folder / "releases")
        return told

    def calibrate(self, task: SWETask) -> Calibration:
        """Run the golden patch and the empty one."""
        recipe, judge = RECIPES.get(task.repo), task.judge
        if recipe is None:
            return _no(task, "no recipe runs this repository's tests here")
        if judge is None or not judge.fail_to_pass:
            return _no(task, "it does not say which tests fail before")
        reasons = []
        try:
            for place in places(task, self._releases(recipe), self._folder / "trees"):
                found = self._at(task, recipe, place)
                if found.judged:
                    return found
                reasons.append(f"{place.told}: {found.reason}")
        except TaskError as error:
            reasons.append(str(error))
        return _no(task, "; ".join(reasons) or "its test patch fits no release")

    def judge(
        self, task: SWETask, changed: Mapping[str, str | None], known: Calibration
    ) -> Judgement:
        """Run the tests of a calibrated task with changed files: new texts by path, None goes."""
        if not known.judged:
            return Judgement("not_judged", known.reason)
        recipe = RECIPES[task.repo]
        there = places(task, self._releases(recipe), self._folder / "trees")
        place = next((one for one in there if one.told == known.release), None)
        if place is None:
            return Judgement(
                "not_judged", f"{known.release} is gone; `kent tasks judge` fetches it"
            )
        names = (*known.fail_to_pass, *known.pass_to_pass)
        verdict = self._run(recipe, place, names, changed)
        if verdict.word in _IN_VAIN:
            return Judgement("not_judged", f"{verdict.word}: {verdict.failure}")
        failed = [name for name in names if verdict.outcomes[name] != "passed"]
        if failed:
            return Judgement("unresolved", f"{len(failed)} of {len(names)} fail, first {failed[0]}")
        return Judgement("resolved")

    def close(self) -> None:
        """End what runs."""
        for runner in self._runners.values():
            runner.close()

    def _at(self, task: SWETask, recipe: Recipe, place: Place) -> Calibration:
        assert task.judge is not None
        fails = node_ids(recipe, task.judge.fail_to_pass, place.named)
        passes = node_ids(recipe, task.judge.pass_to_pass, place.named)
        if unknown := [name for name, node in fails.items() if node is None]:
            return _no(task, f"no test is named {unknown[0]!r}")
        wanted = list(dict.fromkeys(node for node in fails.values() if node))
        others = [n for n in dict.fromkeys(passes.values()) if n and n not in wanted]
        golden = self._run(recipe, place, (*wanted, *others), _changes(task))
        failing = [name for name in wanted if golden.outcomes[name] != "passed"]
        if golden.word in _IN_VAIN or failing:
            first = f", {failing[0]} {golden.outcomes[failing[0]]}" if failing else ""
            return _no(task, f"golden patch: {golden.word}{first}: {_ends(_failure(golden))}")
        empty = self._run(recipe, place, wanted, {})
        if all(outcome == "passed" for outcome in empty.outcomes.values()):
            return _no(task, "all of FAIL_TO_PASS pass without a patch")
        kept = tuple(name for name in others if golden.outcomes[name] == "passed")
        return Calibration(
            task.task_id,
            task.repo,
            judged=True,
            reason="",
            release=place.told,
            fail_to_pass=tuple(wanted),
            pass_to_pass=kept,
            dropped=len(task.judge.pass_to_pass) - len(kept),
            seconds=round(golden.wall_s, 1),
        )

    def _run(
        self,
        recipe: Recipe,
        place: Place,
        names: Sequence[str],
        changed: Mapping[str, str | None],
    ) -> ProjectVerdict:
        limits = ProjectLimits(cpu_s=recipe.cpu_s, wall_s=4 * recipe.cpu_s)
        return self._runner(recipe).run(
            place.folder,
            ProjectTests(tuple(names), place.tests),
            changed={**place.base, **changed},
            limits=limits,
        )

    def _runner(self, recipe: Recipe) -> ProjectRunner:
        if recipe.repo not in self._runners:
            python = environments.python_of(recipe, self._folder / "environments")
            if python is None:
                raise TaskError(
                    f"there is no environment for {recipe.repo}; `kent tasks judge` makes it"
                )
            self._runners[recipe.repo] = ProjectRunner(
                level=self._level, python=python, plugins=recipe.plugins
            )
        return self._runners[recipe.repo]

    def _releases(self, recipe: Recipe) -> list[releases.Release]:
        return releases.found(recipe, self._folder / "releases")


def _changes(task: SWETask) -> dict[str, str | None]:
    """The golden patch's code files; a text of "" is a file that goes."""
    return {path: text or None for path, text in task.code_after.items()}


def _failure(verdict: ProjectVerdict) -> str:
    """What went wrong, and of a session that could not begin the error that pytest shows."""
    said = f"{verdict.output_head}\n{verdict.output_tail}".splitlines()
    errors = [line for line in said if _ERROR.match(line)]
    return "; ".join([verdict.failure, *(line.removeprefix(_INTERNAL) for line in errors[-1:])])


def _ends(text: str, each: int = 200) -> str:
    """Its beginning and its end: where a test failed, and with what error."""
    return text if len(text) <= 2 * each else f"{text[:each]} ... {text[-each:]}"


def _no(task: SWETask, reason: str) -> Calibration:
    return Calibration(task.task_id, task.repo, judged=False, reason=reason)
