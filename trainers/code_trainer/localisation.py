"""One form for what says where an issue is: the learned localiser, or BM25."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
from numpy.typing import NDArray

from trainers.code_trainer.bm25 import PATH_WEIGHT, bm25_scores
from trainers.code_trainer.chunks import parse_file
from trainers.code_trainer.localise import LocalisationResult
from trainers.code_trainer.tables import TableMaker
from trainers.code_trainer.tokens import tokens
from trainers.errors import TaskError
from trainers.tasks.swe.types import SWETask

Floats = NDArray[np.float64]

LISTED = 20
"""Files whose functions are ranked."""


@dataclass(frozen=True)
class Localisation:
    """Files, best first, with probabilities; functions by path, with their share of the file."""

    files: tuple[tuple[str, float], ...]
    functions: Mapping[str, tuple[tuple[str, float], ...]]
    operations: Mapping[str, float] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)


def of_result(found: LocalisationResult) -> Localisation:
    """What the learned localiser said."""
    files = tuple((one.path, one.probability) for one in found.files)
    chances = dict(files)
    functions: dict[str, list[tuple[str, float]]] = {}
    for one in found.functions:
        share = one.probability / max(chances[one.path], 1e-12)
        functions.setdefault(one.path, []).append((one.name, share))
    evidence = {
        "files": [{"path": one.path, "features": dict(one.evidence)} for one in found.files[:5]],
        "similar": [{"task": task, "cosine": cosine} for task, cosine in found.similar],
    }
    ranked = {path: tuple(names) for path, names in functions.items()}
    return Localisation(files, ranked, found.operations, evidence)


class Yardstick:
    """Ranks files by BM25 over contents and path words, functions by BM25 over their texts.

    Source: Robertson and Zaragoza 2009; the implementation is the library's (bm25s).

    Args:
        indexes: folder of the repository indexes, the localiser's; None keeps them in memory.
    """

    def __init__(self, indexes: Path | None = None) -> None:
        self._maker = TableMaker(indexes)

    def rank(self, task: SWETask) -> Localisation:
        """Rank the files and functions of a task's tree.

        Raises:
            TaskError: the task has no tree, or it cannot be read.
        """
        if task.tree is None:
            raise TaskError(f"{task.task_id} has no tree: there are no files to rank")
        view = self._maker.view(task.repo, task.tree)
        scores = bm25_scores(view, task.issue_text, PATH_WEIGHT)
        shares = _shares(scores)
        order = np.argsort(-scores, kind="stable")
        files = tuple((view.paths[i], float(shares[i])) for i in order)
        query = tokens(task.issue_text)
        functions = {path: _functions(task.tree.text(path), query) for path, _ in files[:LISTED]}
        return Localisation(files, functions, evidence={"method": "bm25"})


def _functions(text: str, query: list[str]) -> tuple[tuple[str, float], ...]:
    chunks = [chunk for chunk in parse_file(text).chunks if chunk.kind == "function"]
    if not chunks:
        return ()
    scores = _scores([tokens(chunk.text) for chunk in chunks], query)
    shares = _shares(scores)
    order = np.argsort(-scores, kind="stable")
    return tuple((chunks[i].name, float(shares[i])) for i in order)


def _scores(documents: list[list[str]], query: list[str]) -> Floats:
    """(documents,) BM25 scores of a query; zeros where nothing is shared."""
    known = {word for document in documents for word in document}
    asked = [word for word in query if word in known]
    if not asked:
        return np.zeros(len(documents))
    index = bm25s.BM25()
    index.index(documents, show_progress=False)
    return np.asarray(index.get_scores(asked), float)


def _shares(scores: Floats) -> Floats:
    total = scores.sum()
    return scores / total if total > 0 else np.full(len(scores), 1 / max(len(scores), 1))
