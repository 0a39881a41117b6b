"""Localisation measured on tasks it did not see: by folds of task hashes, or by repository."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from memory.records import Figure
from trainers import statistics
from trainers.code_trainer.columns import MEMORY, STAGE
from trainers.code_trainer.examples import Example
from trainers.code_trainer.model import (
    ChunkStage,
    LocalisationModel,
    ModelSettings,
    chunk_inputs,
    fit_chunks,
    fit_model,
    function_lists,
    gold_files,
)  # fmt: skip
from trainers.code_trainer.operations import OperationModel, fit_operations

Floats = NDArray[np.float64]

NOT_RANKED = 1_000_000
AT = (1, 3, 5, 10)
FUNCTION_AT = (1, 3, 5)


@dataclass(frozen=True)
class Scored:
    """One task's outcome; ranks are 1-based.

    ``worst``: of the gold file ranked last (strict). ``first``: chance of the first file and
    whether it is gold. ``function_best`` and ``function_worst``: ranks of the edited functions in
    the gold file with most of them, None where no function is edited. ``operation``: foretold
    rightly.
    """

    task_id: str
    repo: str
    worst: int
    first: tuple[float, bool]
    function_best: int | None
    function_worst: int | None
    operation: bool


def fold_of(task_id: str, folds: int) -> int:
    """The fold of a task, by its hash."""
    return int(sha256(f"fold {task_id}".encode()).hexdigest(), 16) % folds


def by_folds(folds: int) -> Callable[[Example], str]:
    """The part of an example in a cross-validation by task hash."""
    return lambda example: str(fold_of(example.task_id, folds))


def by_repository(example: Example) -> str:
    """The part of an example where one repository is left out."""
    return example.repo


def score_parts(
    examples: Sequence[Example],
    part_of: Callable[[Example], str],
    variants: Mapping[str, ModelSettings],
    *,
    whole_repository: bool = False,
    details: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, list[Scored]]:
    """Score each task by models that saw the other parts only; a list by variant.

    Lent examples are never scored. They are learned from always, or, where parts are repositories
    (``whole_repository``), only when of another one.

    Args:
        examples: all; what is lent trains only.
        part_of: names the part of an example.
        variants: settings by name; those with the same stage one share it.
        whole_repository: parts are repositories.
        details: the variant whose functions, operations and calibration are scored too.
        say: is told of each part.
    """
    tested = [example for example in examples if not example.lent]
    found: dict[str, list[Scored]] = {name: [] for name in variants}
    for part in sorted({part_of(example) for example in tested}):
        inside = [e for e in examples if _trains(e, part, part_of, whole_repository)]
        outside = [example for example in tested if part_of(example) == part]
        stages: dict[tuple[object, ...], ChunkStage] = {}
        for name, settings in variants.items():
            key = (settings.chunks, settings.chunks_kept, settings.lent_weight,
                   MEMORY in settings.without)  # fmt: skip
            if key not in stages and STAGE not in settings.without:
                stages[key] = fit_chunks(inside, settings)
            model = fit_model(
                inside,
                replace(settings, calibrate=name == details),
                functions=name == details,
                chunks=stages.get(key),
            )
            operations = fit_operations(inside) if name == details else None
            found[name] += [_score(example, model, operations) for example in outside]
            ranks = [one.worst for one in found[name][-len(outside) :]]
            rates = " / ".join(f"{100 * np.mean([r <= k for r in ranks]):.1f}" for k in AT)
            say(f"part {part}, {len(outside)} tasks: {name} {rates}")
    return found


def worst_rank(scores: Floats, gold: NDArray[np.bool_]) -> int:
    """The rank of the gold file that is ranked last, ties in order."""
    if not gold.any():
        return NOT_RANKED
    return int(ranks_of(scores)[gold].max())


def ranks_of(scores: Floats) -> NDArray[np.int64]:
    """(n,) 1-based ranks, best first, ties in order."""
    ranks = np.empty(len(scores), dtype=np.int64)
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return ranks


def file_figures(ranks: Sequence[int], seed: int = 0) -> dict[str, Figure]:
    """Strict accuracy by k."""
    return {f"file_acc{k}": statistics.rate([r <= k for r in ranks], seed=seed) for k in AT}


def paired(ours: Mapping[str, int], other: Mapping[str, int], seed: int = 0) -> dict[str, Figure]:
    """Ours less the other by k on the same tasks, bootstrap over tasks."""
    ids = sorted(ours.keys() & other.keys())
    return {
        f"file_acc{k}": statistics.mean_difference(
            [float(ours[i] <= k) for i in ids], [float(other[i] <= k) for i in ids], seed=seed
        )
        for k in AT
    }


def detail_figures(scored: Sequence[Scored], seed: int = 0) -> dict[str, Figure]:
    """Functions given the file (``function``: one edited, ``functions``: all), operation, ECE."""
    edited = [one for one in scored if one.function_best is not None]
    found = {
        f"{name}_acc{k}": statistics.rate([(rank or 0) <= k for rank in ranks], seed=seed)
        for name, ranks in (
            ("function", [one.function_best for one in edited]),
            ("functions", [one.function_worst for one in edited]),
        )
        for k in FUNCTION_AT
    }
    found["operation_acc"] = statistics.rate([one.operation for one in scored], seed=seed)
    found["ece_first_file"] = statistics.ece(
        [one.first[0] for one in scored],
        [float(one.first[1]) for one in scored],
        [one.task_id for one in scored],
        seed=seed,
    )
    return found


def _trains(
    example: Example, part: str, part_of: Callable[[Example], str], whole_repository: bool
) -> bool:
    if example.lent and not whole_repository:
        return True
    return part_of(example) != part


def _score(example: Example, model: LocalisationModel, operations: OperationModel | None) -> Scored:
    foretold = None if operations is None else next(iter(operations.probabilities(example.table)))
    table, gold = example.table, gold_files(example)
    scores = model.file_scores(table, example.repo, example.date)
    # A gold file that is not in the tree cannot be found: the task counts as missed.
    missing = gold.sum() < len(example.gold)
    first = int(np.argmax(scores))
    best = worst = None
    if model.function_ranker is not None:
        inputs = chunk_inputs(table, example.repo, example.date, model.memory)
        lists = function_lists(example, inputs)
        if lists:
            _, _, one = max(lists, key=lambda item: item[2].gold.sum())
            ranks = ranks_of(model.function_ranker.scores(one.features))[one.gold]
            best, worst = int(ranks.min()), int(ranks.max())
    return Scored(
        task_id=example.task_id,
        repo=example.repo,
        worst=NOT_RANKED if missing else worst_rank(scores, gold),
        first=(float(model.probabilities(scores)[first]), bool(gold[first])),
        function_best=best,
        function_worst=worst,
        operation=foretold == example.operation,
    )
