"""Where an issue is to be fixed: files, functions, kind of edit, with chances and evidence."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from trainers.code_trainer import state
from trainers.code_trainer.examples import Example, make_examples
from trainers.code_trainer.model import (
    LocalisationModel,
    ModelSettings,
    fit_model,
    log_softmax,
)  # fmt: skip
from trainers.code_trainer.operations import OperationModel, fit_operations
from trainers.code_trainer.tables import Table, TableMaker
from trainers.errors import CheckpointError, TrainerError
from trainers.tasks.swe.types import SWETask

Floats = NDArray[np.float64]

SHOWN_FILES = 20  # ranked files whose evidence is given
FUNCTION_FILES = 5  # first files whose functions are ranked
_EVIDENCE = 6  # features named a file


@dataclass(frozen=True)
class RankedFile:
    """A file with its calibrated chance of being edited; ``evidence`` is empty beyond the first.

    ``evidence``: what raised its score most, feature by contribution (gradient times input).
    """

    path: str
    probability: float
    evidence: Mapping[str, float]


@dataclass(frozen=True)
class RankedFunction:
    """A function with the chance of its file times its share of the file; 1-based lines."""

    path: str
    name: str
    start: int
    end: int
    probability: float


@dataclass(frozen=True)
class LocalisationResult:
    """All files best first, the functions of the first files, and the operations' chances.

    ``similar``: ids of past fixes most like the issue, with their cosines.
    """

    files: tuple[RankedFile, ...]
    functions: tuple[RankedFunction, ...]
    operations: Mapping[str, float]
    similar: tuple[tuple[str, float], ...]


class Localiser:
    """Learns from SWE tasks where issues are fixed, and ranks files and functions of new ones.

    Args:
        settings: of the learning.
        indexes: folder of the repository indexes; None keeps them in memory.
        cache: folder of tables for tasks that are learned from; None makes them anew each time.
    """

    def __init__(
        self,
        settings: ModelSettings | None = None,
        *,
        indexes: Path | None = None,
        cache: Path | None = None,
    ) -> None:
        self.settings = settings or ModelSettings()
        self._maker = TableMaker(indexes)
        self._cache = cache
        self.model: LocalisationModel | None = None
        self.operations: OperationModel | None = None

    def fit(self, tasks: Iterable[SWETask], say: Callable[[str], None] = lambda line: None) -> None:
        """Learn from tasks; those without a tree borrow one or serve the memory only.

        Raises:
            TrainerError: none of the tasks has a tree with a file that its truth edits.
        """
        self.fit_examples(make_examples(tasks, self._maker, self._cache, say))

    def fit_examples(self, examples: Sequence[Example]) -> None:
        """Learn from finished examples.

        Raises:
            TrainerError: none has a gold file among its candidates.
        """
        if not examples:
            raise TrainerError("no task with a tree: localisation has nothing to learn from")
        try:
            self.model = fit_model(examples, self.settings)
        except ValueError as error:
            raise TrainerError(f"localisation cannot be learned: {error}") from error
        self.operations = fit_operations(examples)

    def rank(self, task: SWETask) -> LocalisationResult:
        """Rank the files of a task's tree and the functions of the first files.

        Raises:
            TrainerError: nothing was learned yet, or the tree is empty or cannot be read.
        """
        if task.tree is None:
            raise TrainerError(f"{task.task_id} has no tree: there are no files to rank")
        view = self._maker.view(task.repo, task.tree)
        everything = frozenset(view.paths)
        table = self._maker.table(task.issue_text, view, everything)
        return self.rank_table(table, task.repo, task.base_date)

    def rank_table(self, table: Table, repo: str, date: float | None) -> LocalisationResult:
        """Rank a finished table that has every chunk.

        Raises:
            TrainerError: nothing was learned yet.
        """
        if self.model is None or self.operations is None:
            raise TrainerError("the localiser has learned nothing yet: fit it or load one")
        inputs = self.model.file_inputs(table, repo, date)
        scores = self.model.file_ranker.scores(inputs)
        chances = self.model.probabilities(scores)
        order = np.argsort(-scores, kind="stable")
        told = self.model.file_ranker.contributions(inputs[order[:SHOWN_FILES]])
        files = tuple(
            RankedFile(
                table.paths[number],
                float(chances[number]),
                self._evidence(told[rank]) if rank < SHOWN_FILES else {},
            )
            for rank, number in enumerate(order)
        )
        functions = self._functions(table, repo, date, order[:FUNCTION_FILES], chances)
        similar = self.model.memory.similar(repo, date, table.query)
        return LocalisationResult(
            files=files,
            functions=functions,
            operations=self.operations.probabilities(table, repo, date),
            similar=tuple((fix.task_id, cosine) for fix, cosine in similar),
        )

    def save(self, folder: Path) -> None:
        """Write what was learned as safetensors and JSON.

        Raises:
            TrainerError: nothing was learned yet.
        """
        if self.model is None or self.operations is None:
            raise TrainerError("the localiser has learned nothing yet: there is nothing to save")
        state.save_model(self.model, folder)
        self.operations.save(folder)

    @classmethod
    def load(
        cls, folder: Path, *, indexes: Path | None = None, cache: Path | None = None
    ) -> "Localiser":
        """Read what ``save`` wrote.

        Raises:
            CheckpointError: a file is missing or broken.
        """
        model = state.load_model(folder)
        found = cls(model.settings, indexes=indexes, cache=cache)
        found.model = model
        try:
            found.operations = OperationModel.load(folder)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise CheckpointError(f"{folder} has no operation model ({error})") from error
        return found

    def _evidence(self, contributions: Floats) -> dict[str, float]:
        assert self.model is not None
        best = np.argsort(-contributions, kind="stable")[:_EVIDENCE]
        names = self.model.file_ranker.names
        return {names[n]: float(contributions[n]) for n in best if contributions[n] > 0}

    def _functions(
        self, table: Table, repo: str, date: float | None, files: NDArray[np.intp], chances: Floats
    ) -> tuple[RankedFunction, ...]:
        assert self.model is not None
        scores = self.model.function_scores(table, repo, date)
        functions = np.array([kind == "function" for kind in table.chunk_kinds], dtype=bool)
        found = []
        for file in files:
            own = np.flatnonzero((table.chunk_file == file) & functions)
            if not len(own):
                continue
            shares = np.exp(log_softmax(scores[own])) * chances[file]
            found += [
                RankedFunction(
                    table.paths[file],
                    table.chunk_names[number],
                    int(table.chunk_lines[number, 0]),
                    int(table.chunk_lines[number, 1]),
                    float(share),
                )
                for number, share in zip(own, shares, strict=True)
            ]
        return tuple(sorted(found, key=lambda one: (-one.probability, one.path, one.start)))
