"""Features that depend on what was learned: the memory of fixes joined to a task's tables."""

import numpy as np
from numpy.typing import NDArray

from trainers.code_trainer.fixes import FixMemory
from trainers.code_trainer.tables import Table

Floats = NDArray[np.float64]

FILE_COLUMNS = ("fix_prior", "fix_folder", "fix_similar", "fix_votes", "fix_together")
CHUNK_COLUMNS = ("fix_prior", "fix_similar")


class Paths:
    """The paths of a table by number, as the memory of fixes asks for them."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        self.paths = list(paths)
        self.number = {path: number for number, path in enumerate(paths)}

    def __len__(self) -> int:
        return len(self.paths)


def file_history(table: Table, repo: str, date: float | None, memory: FixMemory) -> Floats:
    """(files, ``FILE_COLUMNS``) of the fixes of the repository before the date."""
    paths = Paths(table.paths)
    found = memory.features(paths, repo, date, table.query)
    base = table.column("base").astype(np.float64)
    found["fix_together"] = memory.together(paths, repo, date, base)
    return np.stack([found[name] for name in FILE_COLUMNS], axis=1)


def chunk_history(table: Table, repo: str, date: float | None, memory: FixMemory) -> Floats:
    """(chunks, ``CHUNK_COLUMNS``): how often a function was edited, and for similar issues."""
    counts: dict[tuple[str, str], int] = {}
    for fix in memory.past(repo, date):
        for place in fix.functions:
            counts[place] = counts.get(place, 0) + 1
    similar: dict[tuple[str, str], float] = {}
    for fix, cosine in memory.similar(repo, date, table.query):
        for place in fix.functions:
            similar[place] = max(similar.get(place, 0.0), cosine)
    places = [
        (table.paths[file], name)
        for file, name in zip(table.chunk_file, table.chunk_names, strict=True)
    ]
    return np.array(
        [(np.log1p(counts.get(place, 0)), similar.get(place, 0.0)) for place in places]
    ).reshape(len(places), len(CHUNK_COLUMNS))
