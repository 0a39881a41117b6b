"""The ablations of localisation: which kind of evidence is worth how much, on the same tasks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from memory.hologram.codebook import Codebook
from trainers.code_trainer import columns as groups
from trainers.code_trainer.examples import Example, has_repository
from trainers.code_trainer.tables import Table, TableMaker
from trainers.code_trainer.vector_columns import QUERIES, VectorColumns
from trainers.tasks.swe.types import SWETask

_TEXT = frozenset(
    {groups.TEXT_FILES, groups.TEXT_CHUNKS, groups.STAGE, groups.GRAPH, groups.MEMORY}
)
VECTORS = frozenset({groups.HDC_FILES, groups.HDC_CHUNKS, groups.EXACT_FILES, groups.EXACT_CHUNKS})


OURS = "ours"
"""The row of everything that a version learns from: no vectors."""

_SYMBOLIC, _SPARSE = "symbolic only", "symbolic + sparse chunks"


@dataclass(frozen=True)
class Ablation:
    """A row of the table: its name, the groups of columns that are left out, what it is held to.

    ``against``: the rows that it is compared with, pair by pair; they come before it.
    """

    name: str
    without: frozenset[str]
    against: tuple[str, ...] = (OURS,)


def _symbolic(name: str, *also: str, against: tuple[str, ...] = (_SYMBOLIC,)) -> Ablation:
    """Symbolic columns and recency, and these groups of text scores or vectors."""
    return Ablation(name, (_TEXT | VECTORS) - set(also), (OURS, *against))


ABLATIONS = (
    _symbolic(_SYMBOLIC, against=()),
    _symbolic("symbolic + whole-file sparse", groups.TEXT_FILES),
    _symbolic("symbolic + whole-file HDC", groups.HDC_FILES),
    _symbolic("symbolic + whole-file exact, same weights", groups.EXACT_FILES),
    _symbolic(_SPARSE, groups.TEXT_CHUNKS),
    _symbolic("symbolic + HDC chunks", groups.HDC_CHUNKS, against=(_SYMBOLIC, _SPARSE)),
    _symbolic("symbolic + exact chunks, same weights", groups.EXACT_CHUNKS),
    _symbolic("symbolic + sparse chunks + whole-file HDC",
        groups.TEXT_CHUNKS, groups.HDC_FILES, against=(_SYMBOLIC, _SPARSE)),
    _symbolic("symbolic + sparse chunks + HDC chunks",
        groups.TEXT_CHUNKS, groups.HDC_CHUNKS, against=(_SYMBOLIC, _SPARSE)),
    _symbolic("symbolic + whole-file and chunk HDC", groups.HDC_FILES, groups.HDC_CHUNKS,
        against=(_SYMBOLIC, _SPARSE)),
    Ablation("all + whole-file and chunk HDC",
        frozenset({groups.EXACT_FILES, groups.EXACT_CHUNKS}),),
    Ablation("without memory of fixes", VECTORS | {groups.MEMORY}),
    Ablation("without recency", VECTORS | {groups.RECENCY}),
    Ablation("without import graph and folders", VECTORS | {groups.GRAPH}),
    Ablation("without chunk ranker", VECTORS | {groups.STAGE}),
)  # fmt: skip


def with_vectors(
    examples: Sequence[Example],
    tasks: Mapping[str, SWETask],
    maker: TableMaker,
    codebook: Codebook,
    cache: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> list[Example]:
    """The examples with their own tree, hypervector and exact columns joined to their tables."""
    found = []
    own = [e for e in examples if not e.lent and has_repository(tasks[e.task_id])]
    for repo in sorted({example.repo for example in own}):
        inside = sorted(
            (e for e in own if e.repo == repo), key=lambda e: (e.date or 0.0, e.task_id)
        )
        found += _of_repository(inside, tasks, maker, codebook, cache)
        say(f"vectors of {repo}: {len(inside)} tasks")
    return found


def _of_repository(
    examples: Sequence[Example],
    tasks: Mapping[str, SWETask],
    maker: TableMaker,
    codebook: Codebook,
    cache: Path | None,
) -> list[Example]:
    repo = examples[0].repo
    path = None
    if cache is not None:
        path = cache / f"{repo.replace('/', '__')}.{codebook.dimensions}.{codebook.seed}.npz"
        if path.is_file():
            with np.load(path, allow_pickle=False) as stored:
                if all(example.task_id in stored for example in examples):
                    names = stored["names"].tolist()
                    return [_joined(e, names, stored[e.task_id]) for e in examples]
    made, names = _columns(examples, tasks, maker, codebook)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        written: dict[str, Any] = {**made, "names": np.array(names)}
        np.savez_compressed(path, **written)
    return [_joined(e, names, made[e.task_id]) for e in examples]


def _columns(
    examples: Sequence[Example],
    tasks: Mapping[str, SWETask],
    maker: TableMaker,
    codebook: Codebook,
) -> tuple[dict[str, np.ndarray], list[str]]:
    trees = [tree for e in examples if (tree := tasks[e.task_id].tree) is not None]
    repo = examples[0].repo
    views = [maker.view(repo, tree) for tree in trees]
    vectors = VectorColumns(maker.index(repo), codebook, views[0])
    exact, seen = vectors.weights([tasks[e.task_id].issue_text for e in examples])
    made: dict[str, np.ndarray] = {}
    names: list[str] = []
    for number, (example, view) in enumerate(zip(examples, views, strict=True)):
        part = slice(number * len(QUERIES), (number + 1) * len(QUERIES))
        found = vectors.columns(view, exact[:, part], "exact")
        found |= vectors.columns(view, seen[:, part], "hdc")
        names = list(found)
        made[example.task_id] = np.stack(list(found.values()), axis=1).astype(np.float32)
    return made, names


def _joined(example: Example, names: Sequence[str], values: np.ndarray) -> Example:
    table: Table = example.table
    wider = replace(
        table,
        files=np.concatenate([table.files, values], axis=1),
        file_columns=(*table.file_columns, *names),
    )
    return replace(example, table=wider)
