"""One tree of an indexed repository: its files, chunks, definitions, modules and import graph."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from trainers.code_trainer.index import FileFacts, RepositoryIndex

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# Folders that hold sources without being packages: ``src/_pytest`` is imported as ``_pytest``.
_ROOTS = ("src", "lib", "source")


class TreeView:
    """The files of one commit, in path order, over their index.

    Chunks are numbered file after file: ``chunk_file[i]`` is the file of chunk ``i`` and
    ``chunk_row[i]`` its row in the index's counts; ``first_chunk[f]`` is file ``f``'s first.

    Args:
        index: has every content id of ``files``.
        files: content id by path.
        recency: how recently and often a path changed; may lack paths.
    """

    def __init__(
        self, index: RepositoryIndex, files: Mapping[str, str], recency: Mapping[str, float]
    ) -> None:
        self.index = index
        self.paths = sorted(files)
        self.number = {path: number for number, path in enumerate(self.paths)}
        self.facts: list[FileFacts] = [index.facts(files[path]) for path in self.paths]
        self.recency = np.array([recency.get(path, 0.0) for path in self.paths])
        sizes = [len(facts.rows) for facts in self.facts]
        self.chunk_file: Ints = np.repeat(np.arange(len(sizes)), sizes)
        self.first_chunk: Ints = np.concatenate([[0], np.cumsum(sizes)])[:-1].astype(np.int64)
        rows = [facts.rows for facts in self.facts]
        self.chunk_row: Ints = np.concatenate(rows).astype(np.int64) if rows else np.zeros(0, int)

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def chunk_names(self) -> list[str]:
        """The qualified name of each chunk."""
        return [name for facts in self.facts for name in facts.names]

    @cached_property
    def chunk_kinds(self) -> list[str]:
        """The kind of each chunk."""
        return [kind for facts in self.facts for kind in facts.kinds]

    @cached_property
    def file_sum(self) -> sparse.csr_matrix:
        """(files, chunks) of ones: sums chunk rows into file rows."""
        count = len(self.chunk_file)
        return sparse.csr_matrix(
            (np.ones(count, np.float32), (self.chunk_file, np.arange(count))),
            shape=(len(self), count),
        )

    @cached_property
    def definitions(self) -> dict[str, list[int]]:
        """The chunks by the last part of their name: functions, methods and classes."""
        found: dict[str, list[int]] = {}
        for number, (name, kind) in enumerate(zip(self.chunk_names, self.chunk_kinds, strict=True)):
            if kind != "module":
                found.setdefault(name.rpartition(".")[2], []).append(number)
        return found

    @cached_property
    def constants(self) -> dict[str, list[int]]:
        """The files by the names they assign at module level."""
        found: dict[str, list[int]] = {}
        for number, facts in enumerate(self.facts):
            for name in facts.constants:
                found.setdefault(name, []).append(number)
        return found

    @cached_property
    def modules(self) -> dict[str, int]:
        """The file of each dotted module name, source roots left out too."""
        found: dict[str, int] = {}
        for path, number in self.number.items():
            for name in module_names(path):
                found.setdefault(name, number)
        return found

    @cached_property
    def imports(self) -> sparse.csr_matrix:
        """(files, files): 1 where the row's file imports the column's; no file imports itself."""
        edges = {
            (number, target)
            for number, facts in enumerate(self.facts)
            for module, names in facts.imports
            for target in self._targets(self.paths[number], module, names)
            if target != number
        }
        rows, columns = zip(*sorted(edges), strict=True) if edges else ((), ())
        return sparse.csr_matrix(
            (np.ones(len(rows)), (rows, columns)), shape=(len(self), len(self))
        )

    def _targets(self, path: str, module: str, names: tuple[str, ...]) -> set[int]:
        """The files that an import in ``path`` reaches."""
        level = len(module) - len(module.lstrip("."))
        base = module.lstrip(".")
        if level:
            folder = PurePosixPath(path).parts[:-level]
            base = ".".join((*folder, base)) if base else ".".join(folder)
        found = {self.modules[name] for n in names if (name := f"{base}.{n}") in self.modules}
        if not found or len(found) < len(names):
            found |= {self.modules[base]} if base in self.modules else set()
        return found


def module_names(path: str) -> list[str]:
    """The dotted names a path may be imported by."""
    parts = list(PurePosixPath(path).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    names = [".".join(parts)] if parts else []
    if len(parts) > 1 and parts[0] in _ROOTS:
        names.append(".".join(parts[1:]))
    return names
