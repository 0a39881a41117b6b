"""A shard: a folder of NumPy arrays with the samples one after another, read by memory mapping.

A shard is written beside its place and moved there whole, so that it exists complete or not at all.
"""

import json
import os
import shutil
from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.ctm.data.grid import Grid
from trainers.ctm.data.sample import Facts, RepairSample
from trainers.ctm.data.taxonomy import CLASSES
from trainers.errors import CTMDataError

_NAMES = "names.json"
_CELLS = {"tokens": np.uint16, "row": np.uint8, "col": np.uint8, "lexeme": np.int16}
_EDITS = {
    "edit_at": np.int16,
    "edit_op": np.uint8,
    "edit_word": np.int16,
    "edit_token": np.int32,
}
_FACTS = {
    "cells": np.uint16,
    "lexemes": np.uint16,
    "edits": np.uint8,
    "bug_class": np.uint8,
    "operator": np.uint16,
    "source": np.uint8,
    "raw": np.float32,
    "origin": np.int32,
    "key": np.int64,
}


def write_shard(folder: Path, samples: Sequence[RepairSample]) -> str:
    """Write samples as the shard ``folder``, which takes the place of any that is there.

    Returns:
        The shard's SHA-256.
    """
    temporary = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    operators = sorted({sample.facts.operator for sample in samples})
    sources = sorted({sample.facts.source for sample in samples})
    arrays: dict[str, NDArray[Any]] = {
        name: np.concatenate([getattr(s.grid, name) for s in samples]) for name in _CELLS
    }
    arrays |= {name: np.concatenate([getattr(s, name) for s in samples]) for name in _EDITS}
    arrays["words"] = np.concatenate([s.words for s in samples])
    for name, values in _facts(samples, operators, sources).items():
        arrays[name] = np.array(values, _FACTS[name])
    for name, array in arrays.items():
        _save(temporary / f"{name}.npy", array)
    names = {"operators": operators, "sources": sources}
    (temporary / _NAMES).write_text(json.dumps(names), "utf-8")
    digest = hash_of(temporary)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    return digest


def hash_of(folder: Path) -> str:
    """The SHA-256 of a shard's files."""
    digest = sha256()
    for file in sorted(folder.iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


class Shard:
    """The samples of a shard.

    Raises:
        CTMDataError: a file is missing or broken, or the shard is not what ``expected`` says.
    """

    def __init__(self, folder: Path, expected: str | None = None) -> None:
        self.folder = folder
        try:
            if expected is not None and hash_of(folder) != expected:
                raise CTMDataError(f"{folder} is not what was built (its hash differs); {_REMEDY}")
            named = json.loads((folder / _NAMES).read_text("utf-8"))
            names = (*_CELLS, *_EDITS, *_FACTS, "words")
            self._arrays: dict[str, NDArray[Any]] = {
                name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names
            }
        except (OSError, ValueError, EOFError) as error:
            raise CTMDataError(f"the shard {folder} cannot be read ({error}); {_REMEDY}") from error
        self._operators, self._sources = named["operators"], named["sources"]

    def __len__(self) -> int:
        return len(self._arrays["key"])

    def column(self, name: str) -> NDArray[Any]:
        """One figure for every sample: ``cells``, ``edits``, ``bug_class``, ``raw``, ``key`` ..."""
        return self._arrays[name]

    def operator(self, index: int) -> str:
        """The kind of bug of a sample."""
        return str(self._operators[self._arrays["operator"][index]])

    def source(self, index: int) -> str:
        """The collector of a sample."""
        return str(self._sources[self._arrays["source"][index]])

    def sample(self, index: int, difficulty: float = 0.0) -> RepairSample:
        """A sample, with copies of its arrays."""
        cells, words, edits = (slice(*ends[index : index + 2]) for ends in self._ends)
        arrays = self._arrays
        grid = Grid(**{name: np.array(arrays[name][cells]) for name in _CELLS})
        facts = Facts(
            bug_class=CLASSES[arrays["bug_class"][index]],
            operator=self.operator(index),
            source=self.source(index),
            raw=float(arrays["raw"][index]),
            difficulty=difficulty,
            origin=int(arrays["origin"][index]),
        )
        return RepairSample(
            grid=grid,
            words=np.array(arrays["words"][words]),
            **{name: np.array(arrays[name][edits]) for name in _EDITS},
            key=int(arrays["key"][index]),
            facts=facts,
        )

    @cached_property
    def _ends(self) -> list[list[int]]:
        """Where the cells, lexemes and edits of each sample begin, and the last end."""
        counts = (self._arrays[name].astype(np.int64) for name in ("cells", "lexemes", "edits"))
        return [[0, *np.cumsum(count).tolist()] for count in counts]


_REMEDY = "remove it and run `kent tasks build-ctm` again with the same options"


def _facts(
    samples: Sequence[RepairSample], operators: list[str], sources: list[str]
) -> dict[str, list[float]]:
    return {
        "cells": [len(s.grid.tokens) for s in samples],
        "lexemes": [len(s.words) for s in samples],
        "edits": [len(s.edit_at) for s in samples],
        "bug_class": [CLASSES.index(s.facts.bug_class) for s in samples],
        "operator": [operators.index(s.facts.operator) for s in samples],
        "source": [sources.index(s.facts.source) for s in samples],
        "raw": [s.facts.raw for s in samples],
        "origin": [s.facts.origin for s in samples],
        "key": [s.key for s in samples],
    }


def _save(path: Path, array: NDArray[Any]) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
