"""What localisation learns: chunks are ranked, their scores inform the ranking of files.

Stage one ranks the tree's best chunks by how likely they are edited; three rankers each leave a
third of the tasks out, so that the files' features made of their scores are honest in training.
Stage two ranks files. A function ranker orders the functions of one file. All see the memory of
fixes before the task's date only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from trainers.code_trainer.calibration import Platt, fit_platt
from trainers.code_trainer.columns import MEMORY, STAGE, kept
from trainers.code_trainer.examples import Example
from trainers.code_trainer.fixes import FixMemory
from trainers.code_trainer.history import (
    CHUNK_COLUMNS,
    FILE_COLUMNS,
    chunk_history,
    file_history,
)  # fmt: skip
from trainers.code_trainer.ranker import Ranker, RankerSettings, RankingList, fit_ranker
from trainers.code_trainer.tables import Table

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

STAGE_COLUMNS = ("stage_best", "stage_share", "stage_log_share", "stage_rank")
INNER_FOLDS = 3
_FLOOR = -15.0  # log-odds below the best chunk at which a chunk says nothing
_MOST_FUNCTIONS = 300  # of a file that is learned from: lists are padded to the longest
# The columns of a quick score that picks the files worth training on.
_QUICK = ("base", "def_best", "path_all", "frame_near", "module", "path", "name_title", "stem_all")


@dataclass(frozen=True)
class ModelSettings:
    """How localisation is learned.

    ``lent_weight``: in the ranking of files, of tasks that borrow a tree, against 1; 0 leaves them
    to the memory and to the ranking of functions, where they have ``lent_functions``.
    ``candidates``, ``chunks_kept``: files and chunks a task has in training. ``without``: groups
    of columns left out.
    """

    files: RankerSettings = field(default_factory=lambda: RankerSettings(members=4, epochs=30))
    chunks: RankerSettings = field(default_factory=lambda: RankerSettings(members=1, epochs=25))
    functions: RankerSettings = field(default_factory=lambda: RankerSettings(members=2, epochs=20))
    lent_weight: float = 0.0
    lent_functions: float = 0.3
    candidates: int = 100
    chunks_kept: int = 200
    without: frozenset[str] = frozenset()
    calibrate: bool = True


@dataclass
class LocalisationModel:
    """Ranks the files and functions of a table; see ``fit_model``."""

    settings: ModelSettings
    memory: FixMemory
    chunk_rankers: list[Ranker]
    file_ranker: Ranker
    function_ranker: Ranker | None
    platt: Platt

    def file_inputs(self, table: Table, repo: str, date: float | None) -> Floats:
        """(files, features) as the file ranker takes them."""
        stage = stage_columns(table, self.chunk_scores(table, repo, date))
        return joined(table, repo, date, self.memory, stage, self.settings)

    def file_scores(self, table: Table, repo: str, date: float | None) -> Floats:
        """(files,): higher is likelier edited."""
        return self.file_ranker.scores(self.file_inputs(table, repo, date))

    def probabilities(self, scores: Floats) -> Floats:
        """(files,): calibrated chance that each file is edited."""
        return self.platt.probability(log_softmax(scores))

    def chunk_scores(self, table: Table, repo: str, date: float | None) -> list[Floats]:
        """(chunks,) by each of the chunk rankers; empty where stage one is left out."""
        if not self.chunk_rankers:
            return []
        memory = FixMemory([]) if MEMORY in self.settings.without else self.memory
        inputs = chunk_inputs(table, repo, date, memory)
        return [ranker.scores(inputs) for ranker in self.chunk_rankers]

    def function_scores(self, table: Table, repo: str, date: float | None) -> Floats:
        """(chunks,): higher is likelier edited among the chunks of the same file."""
        if self.function_ranker is None:
            return table.chunks[:, table.chunk_columns.index("chunk_all")].astype(np.float64)
        return self.function_ranker.scores(chunk_inputs(table, repo, date, self.memory))


@dataclass(frozen=True)
class ChunkStage:
    """Stage one: its rankers, and each example's chunk scores by the one that did not see it."""

    rankers: list[Ranker]
    scores: dict[str, list[Floats]]


def fit_chunks(examples: Sequence[Example], settings: ModelSettings) -> ChunkStage:
    """Learn stage one. Models with the same settings of it on the same examples may share it."""
    fixes = [] if MEMORY in settings.without else [e.fix() for e in examples]
    weighted = _weighted(examples, settings)
    return _fit_chunks(weighted, FixMemory(fixes), settings) if weighted else ChunkStage([], {})


def fit_model(
    examples: Sequence[Example],
    settings: ModelSettings,
    *,
    functions: bool = True,
    chunks: ChunkStage | None = None,
) -> LocalisationModel:
    """Learn from examples.

    Args:
        examples: all; their fixes are remembered.
        settings: of the learning.
        functions: learn to rank functions too.
        chunks: a finished stage one of these examples; learned by default.

    Raises:
        ValueError: no example has a gold file among its candidates.
    """
    memory = FixMemory([e.fix() for e in examples])
    weighted = _weighted(examples, settings)
    if not weighted:
        raise ValueError("no task has a tree of its own")
    if STAGE in settings.without:
        chunks = ChunkStage([], {})
    stage = chunks or fit_chunks(examples, settings)
    lists = [
        _file_list(example, weight, memory, stage.scores.get(example.task_id, []), settings)
        for example, weight in weighted
    ]
    names = [*weighted[0][0].table.file_columns, *FILE_COLUMNS, *STAGE_COLUMNS]
    names = [names[place] for place in kept(names, settings.without)]
    model = LocalisationModel(
        settings=settings,
        memory=memory,
        chunk_rankers=stage.rankers,
        file_ranker=fit_ranker(lists, names, settings.files),
        function_ranker=_fit_functions(examples, memory, settings) if functions else None,
        platt=Platt(1.0, 0.0),
    )
    if settings.calibrate:
        own = [(one, example) for one, (example, _) in zip(lists, weighted, strict=True)]
        model.platt = _calibrate(own, names, settings)
    return model


def joined(
    table: Table,
    repo: str,
    date: float | None,
    memory: FixMemory,
    stage: Floats,
    settings: ModelSettings,
) -> Floats:
    """(files, features): the table's columns, the memory's and stage one's, less those left out."""
    parts = [table.files.astype(np.float64), file_history(table, repo, date, memory), stage]
    names = [*table.file_columns, *FILE_COLUMNS, *STAGE_COLUMNS]
    return np.asarray(np.concatenate(parts, axis=1)[:, kept(names, settings.without)])


def chunk_inputs(table: Table, repo: str, date: float | None, memory: FixMemory) -> Floats:
    """(chunks, features): the table's columns and the memory's."""
    history = chunk_history(table, repo, date, memory)
    return np.concatenate([table.chunks.astype(np.float64), history], axis=1)


def stage_columns(table: Table, scores: Sequence[Floats]) -> Floats:
    """(files, ``STAGE_COLUMNS``) of the picked chunks' scores, the mean over several rankers."""
    if not scores:
        return np.zeros((len(table.paths), len(STAGE_COLUMNS)))
    return np.asarray(np.mean([_stage(table, one) for one in scores], axis=0))


def gold_files(example: Example) -> Bools:
    """(files,): which are edited."""
    return np.array([path in example.gold for path in example.table.paths])


def gold_chunks(example: Example) -> Bools:
    """(chunks,): which are edited functions."""
    table = example.table
    return np.array(
        [
            (table.paths[file], name) in example.functions
            for file, name in zip(table.chunk_file, table.chunk_names, strict=True)
        ],
        dtype=bool,
    )


def log_softmax(scores: Floats) -> Floats:
    """Scores less the logarithm of the sum of their exponentials."""
    shifted = scores - scores.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))


def inner_fold(task_id: str, folds: int = INNER_FOLDS) -> int:
    """The inner fold of a task, by its hash."""
    return int(sha256(f"inner {task_id}".encode()).hexdigest(), 16) % folds


def function_lists(
    example: Example, inputs: Floats
) -> list[tuple[int, NDArray[np.int64], RankingList]]:
    """For each gold file with an edited function: file, its function chunks, and their list."""
    table, gold = example.table, gold_chunks(example)
    functions = np.array([kind == "function" for kind in table.chunk_kinds])
    found = []
    for file in np.flatnonzero(gold_files(example)):
        own = np.flatnonzero((table.chunk_file == file) & functions)
        if gold[own].any():
            found.append((int(file), own, RankingList(inputs[own], gold[own])))
    return found


def _weighted(examples: Sequence[Example], settings: ModelSettings) -> list[tuple[Example, float]]:
    """The examples that the ranking of files learns from, with their weights."""
    return [
        (example, settings.lent_weight if example.lent else 1.0)
        for example in examples
        if not example.lent or settings.lent_weight > 0
    ]


def _stage(table: Table, scores: Floats) -> Floats:
    picked = table.picked
    files, scores = table.chunk_file[picked], scores[picked]
    count = len(table.paths)
    if not len(scores):
        return np.zeros((count, len(STAGE_COLUMNS)))
    log = np.clip(scores - scores.max(), _FLOOR, 0.0)
    shares = np.exp(log) / np.exp(log).sum()
    best, share = np.full(count, _FLOOR), np.zeros(count)
    np.maximum.at(best, files, log)
    np.add.at(share, files, shares)
    rank = np.empty(count)
    rank[np.argsort(-best, kind="stable")] = np.arange(1, count + 1)
    ranks = np.where(best > _FLOOR, 1 / rank, 0.0)
    return np.stack([best, share, np.log(share + 1e-4), ranks], axis=1)


def _fit_chunks(
    weighted: Sequence[tuple[Example, float]], memory: FixMemory, settings: ModelSettings
) -> ChunkStage:
    names = [*weighted[0][0].table.chunk_columns, *(f"own_{name}" for name in CHUNK_COLUMNS)]
    inputs = {e.task_id: chunk_inputs(e.table, e.repo, e.date, memory) for e, _ in weighted}
    lists = {}
    for example, weight in weighted:
        gold = gold_chunks(example)
        used = gold.copy()
        table = example.table
        order = np.argsort(-table.chunks[:, table.chunk_columns.index("chunk_all")], kind="stable")
        used[order[table.picked[order]][: settings.chunks_kept]] = True
        chosen = inputs[example.task_id][used]
        lists[example.task_id] = RankingList(chosen, gold[used], weight)
    rankers: list[Ranker] = []
    scores: dict[str, list[Floats]] = {}
    for fold in range(INNER_FOLDS):
        inside = [lists[e.task_id] for e, _ in weighted if inner_fold(e.task_id) != fold]
        seeded = replace(settings.chunks, seed=settings.chunks.seed + 100 * fold)
        try:
            ranker = fit_ranker(inside, names, seeded)
        except ValueError:  # too few tasks edit a function: files are ranked without stage one
            return ChunkStage([], {})
        rankers.append(ranker)
        for example, _ in weighted:
            if inner_fold(example.task_id) == fold:
                scores[example.task_id] = [ranker.scores(inputs[example.task_id])]
    return ChunkStage(rankers, scores)


def _file_list(
    example: Example,
    weight: float,
    memory: FixMemory,
    scores: Sequence[Floats],
    settings: ModelSettings,
) -> RankingList:
    """The training list of one example: its gold files and the best others by a quick score."""
    table = example.table
    stage = stage_columns(table, scores)
    inputs = joined(table, example.repo, example.date, memory, stage, settings)
    gold = gold_files(example)
    quick = sum(table.column(name) for name in _QUICK) + 2 * stage[:, -1]
    used = gold.copy()
    used[np.argsort(-quick, kind="stable")[: settings.candidates]] = True
    return RankingList(inputs[used], gold[used], weight)


def _fit_functions(
    examples: Sequence[Example], memory: FixMemory, settings: ModelSettings
) -> Ranker | None:
    lists = [
        replace(one, weight=settings.lent_functions if example.lent else 1.0)
        for example in examples
        if not example.lent or settings.lent_functions > 0
        for _, _, one in function_lists(
            example, chunk_inputs(example.table, example.repo, example.date, memory)
        )
    ]
    lists = [one for one in lists if len(one.gold) <= _MOST_FUNCTIONS]
    names = [*examples[0].table.chunk_columns, *(f"own_{name}" for name in CHUNK_COLUMNS)]
    try:
        return fit_ranker(lists, names, settings.functions)
    except ValueError:  # no task edits one function of several
        return None


def _calibrate(
    lists: Sequence[tuple[RankingList, Example]], names: Sequence[str], settings: ModelSettings
) -> Platt:
    """Platt's line from rankings of tasks that the ranker did not see."""
    quick = replace(settings.files, members=2)
    logs, golds = [], []
    for fold in range(INNER_FOLDS):
        inside = [one for one, e in lists if inner_fold(e.task_id) != fold]
        outside = [one for one, e in lists if inner_fold(e.task_id) == fold and not e.lent]
        if not outside or not any(one.gold.any() for one in inside):
            continue
        try:
            ranker = fit_ranker(inside, names, quick)
        except ValueError:
            continue
        for one in outside:
            logs.append(log_softmax(ranker.scores(one.features)))
            golds.append(one.gold)
    return fit_platt(np.concatenate(logs), np.concatenate(golds)) if logs else Platt(1.0, 0.0)
