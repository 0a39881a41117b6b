"""``kent solve --repo``: an issue and a repository, to a patch with its reasons."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kent.config import KentConfig
from kent.errors import ConfigError
from memory.hologram.container import HologramContainer
from memory.store import Store
from sandbox import Sandbox
from trainers.code_trainer import versions
from trainers.code_trainer.apart import SEED
from trainers.code_trainer.diffs import unified_diff
from trainers.code_trainer.knowledge import Knowledge
from trainers.code_trainer.results import Solution
from trainers.code_trainer.solver import Solver
from trainers.tasks.swe.types import SWETask
from trainers.tasks.swe.working_tree import WorkingTree

SHOWN = 5
MANY_FILES = 5_000
"""From so many on, reading them for the first time takes long enough to be told."""


@dataclass(frozen=True)
class RepoSolved:
    """The answer to an issue: a diff that ``git apply`` takes, and where it came from."""

    solution: Solution
    diff: str
    model: str | None
    past: tuple[str, ...]

    def lines(self) -> list[str]:
        """Where, what, from which pattern and past fixes, what spoke against it, how sure."""
        one = self.solution
        lines = ["where:"]
        for path in one.files[:SHOWN]:
            names = ", ".join(one.functions.get(path, ())[:3]) or "(the module itself)"
            lines.append(f"  {path}: {names}")
        if one.confidence is not None:
            lines.append(f"  P(the first file is right) = {one.confidence:.2f}")
        lines.append(f"operation: {one.operation or 'not foreseen: nothing was learned'}")
        proposals = one.evidence.get("proposals", [])
        if not proposals:
            lines.append("no patch: no learned pattern fits there; `kent round code` learns more")
            return lines
        first = proposals[0]
        where = f"in {first['function'] or 'the module'}"
        if "pattern" in first:
            slots = ", ".join(f"{name} = {value}" for name, value in first["slots"].items())
            lines += [
                f"pattern: {first['edit']} ({first['pattern']}), {where}, line {first['line']}",
                f"filled: {slots or 'nothing'}",
            ]
        elif "quoted" in first:
            lines.append(f"quoted in the issue, {where}, line {first['line']}: {first['quoted']}")
        else:
            tokens = " ".join(one["token"] for one in first["generated"]["tokens"])
            lines.append(f"written by the decoder, {where}: {tokens}")
        lines += [
            f"seen in: {', '.join(self.past) or 'no fix that is dated'}",
            f"against it: {first['against']}",
            f"{len(proposals)} candidates were proposed; no test was run on them",
        ]
        return lines

    def to_json(self) -> dict[str, Any]:
        """The form of ``--json``."""
        one = self.solution
        return {
            "files": list(one.files[:SHOWN]),
            "functions": {path: list(one.functions.get(path, ())) for path in one.files[:SHOWN]},
            "operation": one.operation,
            "confidence": one.confidence,
            "diff": self.diff,
            "candidates": list(one.evidence.get("proposals", [])),
            "evidence": one.evidence.get("localisation"),
            "past_tasks": list(self.past),
            "seconds": one.seconds,
            "model": self.model,
        }


def solve_repository(
    config: KentConfig, repository: Path, issue: str, tell: Callable[[str], None]
) -> RepoSolved:
    """Localise an issue in a folder's files and propose a patch; no file is changed.

    Raises:
        ConfigError: the issue is empty, or nothing was learned yet.
        TaskError: the folder holds no Python file.
        CheckpointError: the version's files are damaged.
    """
    if not issue.strip():
        raise ConfigError("the issue is empty: say what goes wrong, with names and any traceback")
    path = config.state_dir / "kent.db"
    if not path.exists():
        raise ConfigError(
            f"no store in {config.state_dir}: nothing was learned yet; `kent round code` learns"
        )
    tree = WorkingTree(repository)
    if (count := len(tree.files())) >= MANY_FILES:
        tell(f"{count:,} Python files: all are read the first time, later only what changed")
    task = SWETask("solve", tree.folder.name, issue, {}, {}, source="solve", tree=tree)
    with Store.open(path, read_only=True) as store:
        row = versions.in_use(store)
        container = HologramContainer(store, config.code.dimensions, SEED, writes=False)
        knowledge = versions.load(config.state_dir, store, row, container)
        if row is None:
            tell("no version was trained yet: files are ranked by BM25, patterns by count")
        with Sandbox(workers=1) as sandbox:
            solution = Solver(knowledge, sandbox, config.code, seed=config.seed).solve(task)
        diff = _diff(tree, solution)
        return RepoSolved(solution, diff, row.id if row else None, _past(knowledge, solution))


def _diff(tree: WorkingTree, solution: Solution) -> str:
    if not solution.patches:
        return ""
    changed = dict(solution.patches[0])
    return unified_diff({path: tree.text(path) for path in changed}, changed)


def _past(knowledge: Knowledge, solution: Solution) -> tuple[str, ...]:
    proposals = solution.evidence.get("proposals", [])
    if not proposals:
        return ()
    if "pattern" in proposals[0]:
        return tuple(knowledge.library.examples(proposals[0]["pattern"], 3))
    if "quoted" in proposals[0]:
        return ()
    recalled = proposals[0]["generated"]["patterns"]
    return tuple(dict.fromkeys(task for one in recalled for task in one["sources"]))
