"""A task's candidates as tables of numbers, kept on disk: made once, learned from often."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.code_trainer.chunk_features import chunk_features, quick_score
from trainers.code_trainer.features import file_features, prepare, text_scores
from trainers.code_trainer.index import RepositoryIndex
from trainers.code_trainer.issue import parse_issue
from trainers.code_trainer.queries import Query
from trainers.code_trainer.view import TreeView
from trainers.errors import TrainerError
from trainers.tasks.swe.types import Tree

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

MOST_CHUNKS = 400  # kept of a tree: the best by the unlearned score


@dataclass(frozen=True)
class Table:
    """The candidates of one task.

    ``files`` (paths, file columns); ``chunks`` (kept chunks, chunk columns) with the file of each,
    its qualified name and lines; ``picked`` is False for chunks that are kept only because their
    file was asked for. ``query`` is the issue's weight by stem, for the memory of fixes.
    """

    paths: tuple[str, ...]
    files: Floats
    file_columns: tuple[str, ...]
    chunks: Floats
    chunk_columns: tuple[str, ...]
    chunk_file: Ints
    chunk_names: tuple[str, ...]
    chunk_kinds: tuple[str, ...]
    chunk_lines: Ints
    picked: NDArray[np.bool_]
    query: Query

    def column(self, name: str) -> Floats:
        """(paths,) one file column."""
        return self.files[:, self.file_columns.index(name)]


class TableMaker:
    """Makes tables from issues and trees; one index a repository.

    Args:
        folder: for the indexes; None keeps them in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._repo = ""
        self._index: RepositoryIndex | None = None

    def index(self, repo: str) -> RepositoryIndex:
        """The index of a repository; the last one stays open."""
        if self._index is None or self._repo != repo:
            if self._index is not None:
                self._index.close()
            name = repo.replace("/", "__") or "repository"
            path = None if self._folder is None else self._folder / f"{name}.db"
            self._index, self._repo = RepositoryIndex(path), repo
        return self._index

    def view(self, repo: str, tree: Tree) -> TreeView:
        """The tree of a task over the index, new contents added first."""
        files = tree.files()
        paths = {content: path for path, content in files.items()}
        index = self.index(repo)
        index.add(files.values(), lambda content: tree.text(paths[content]))
        return TreeView(index, files, tree.recency())

    def table(self, text: str, view: TreeView, whole: frozenset[str] = frozenset()) -> Table:
        """The table of an issue over a tree; of the files in ``whole`` every chunk is kept.

        Raises:
            TrainerError: the tree is empty.
        """
        if not len(view):
            raise TrainerError("the tree has no .py file outside tests: there is nothing to rank")
        issue = parse_issue(text)
        queries, pairs = prepare(issue)
        scores = text_scores(view, queries, pairs)
        files = file_features(view, issue, queries, scores)
        chunks = chunk_features(view, issue, queries, scores)
        picked = np.zeros(len(view.chunk_file), dtype=bool)
        picked[np.argsort(-quick_score(chunks), kind="stable")[:MOST_CHUNKS]] = True
        asked = np.array([path in whole for path in view.paths])[view.chunk_file]
        kept = np.flatnonzero(picked | asked)
        starts = np.array([line for facts in view.facts for line in facts.starts])
        ends = np.array([line for facts in view.facts for line in facts.ends])
        return Table(
            paths=tuple(view.paths),
            files=np.stack(list(files.values()), axis=1).astype(np.float32),
            file_columns=tuple(files),
            chunks=np.stack([values[kept] for values in chunks.values()], 1).astype(np.float32),
            chunk_columns=tuple(chunks),
            chunk_file=view.chunk_file[kept].astype(np.int32),
            chunk_names=tuple(view.chunk_names[number] for number in kept),
            chunk_kinds=tuple(view.chunk_kinds[number] for number in kept),
            chunk_lines=np.stack([starts[kept], ends[kept]], axis=1).astype(np.int32),
            picked=picked[kept],
            query=queries["all"],
        )


def table_key(text: str, files: dict[str, str], whole: frozenset[str]) -> str:
    """A file name for what a table was made of."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    for path, content in sorted(files.items()):
        digest.update(f"{path}\0{content}\0".encode())
    digest.update("\0".join(sorted(whole)).encode())
    return digest.hexdigest()[:32]


def save_table(table: Table, path: Path) -> None:
    """Write a table as npz, without pickle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stored: dict[str, Any] = {name: np.array(getattr(table, name)) for name in _ARRAYS}
    stored["query_terms"] = np.array(list(table.query))
    stored["query_weights"] = np.array(list(table.query.values()))
    part = path.with_suffix(".part.npz")
    np.savez_compressed(part, **stored)
    part.replace(path)  # whole or not there


def load_table(path: Path) -> Table:
    """Read what ``save_table`` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        values: dict[str, Any] = {
            name: tuple(stored[name].tolist()) if name in _TEXTS else stored[name]
            for name in _ARRAYS
        }
        query = dict(
            zip(stored["query_terms"].tolist(), stored["query_weights"].tolist(), strict=True)
        )
    return Table(**values, query=query)


_TEXTS = ("paths", "file_columns", "chunk_columns", "chunk_names", "chunk_kinds")
_ARRAYS = (*_TEXTS, "files", "chunks", "chunk_file", "chunk_lines", "picked")
