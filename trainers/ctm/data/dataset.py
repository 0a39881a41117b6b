"""A data set that was built, for reading: its splits, their samples and where these are from."""

import json
from collections.abc import Iterable
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.ctm.data.collectors.synthetic import SOURCE as SYNTHETIC
from trainers.ctm.data.difficulty import rank
from trainers.ctm.data.gather import FUNCTIONS
from trainers.ctm.data.make import PAIRS
from trainers.ctm.data.manifest import VOCABULARY, Split, load_manifest
from trainers.ctm.data.sample import RepairSample
from trainers.ctm.data.shards import Shard
from trainers.ctm.data.taxonomy import CLASSES, BugClass
from trainers.ctm.data.tokenizer import CodeTokenizer
from trainers.errors import CTMDataError


class Dataset:
    """A complete data set in a folder.

    Args:
        folder: where it is.
        vocabulary: the version that a model was trained with; None: whatever it has.
        verify: compare the shards with their hashes when they are opened.

    Raises:
        CTMDataError: it is missing, incomplete, broken, or of another vocabulary.
    """

    def __init__(self, folder: Path, *, vocabulary: str | None = None, verify: bool = True) -> None:
        self.folder, self._verify = folder, verify
        self.manifest = load_manifest(folder)
        if not self.manifest.complete:
            raise CTMDataError(
                f"{folder} is not complete; run `kent tasks build-ctm --out {folder}` with the "
                "same options, which goes on where it was"
            )
        self.tokenizer = CodeTokenizer.load(
            folder / VOCABULARY, vocabulary or self.manifest.vocabulary
        )
        if self.tokenizer.version != self.manifest.vocabulary:
            raise CTMDataError(
                f"{folder} was made with the vocabulary {self.manifest.vocabulary}, not "
                f"{self.tokenizer.version}; use the model's own data, or train anew"
            )
        self.height = int(self.manifest.options["height"])
        self.width = int(self.manifest.options["width"])
        self._splits: dict[str, SplitData] = {}

    def split(self, name: Split) -> "SplitData":
        """The samples of a split.

        Raises:
            CTMDataError: a shard is missing or broken; it is named.
        """
        if name not in self._splits:
            entries = self.manifest.shards.get(name, [])
            shards = [
                Shard(self.folder / entry.name, entry.sha256 if self._verify else None)
                for entry in entries
            ]
            self._splits[name] = SplitData(shards, self.manifest.quantiles)
        return self._splits[name]

    def origin(self, sample: RepairSample) -> dict[str, Any]:
        """Where a sample is from: package, version, licence, path and line, or the pair's facts.

        Raises:
            CTMDataError: the file that says so is broken.
        """
        synthetic = sample.facts.source == SYNTHETIC
        path = self.folder / (FUNCTIONS if synthetic else PAIRS)
        try:
            with path.open(encoding="utf-8") as file:
                line = next(islice(file, sample.facts.origin, None))
            one: dict[str, Any] = json.loads(line)
        except (OSError, StopIteration, ValueError) as error:
            raise CTMDataError(f"{path} is broken ({error}); build the data again") from error
        if synthetic:
            return {key: one[key] for key in ("package", "version", "licence", "path", "line")}
        return {"source": one["source"], **one["origin"]}


class SplitData:
    """The samples of a split, numbered through its shards.

    Attributes:
        bug_class: (S,) uint8, positions in ``CLASSES``.
        cells: (S,) int64, cells of the grid.
        edits: (S,) int64.
        difficulty: (S,) float64, the rank among train's bugs, 0 to 1; 0 for clean programs.
    """

    def __init__(self, shards: list[Shard], pool: list[float]) -> None:
        self._shards = shards
        self._starts = np.cumsum([0, *map(len, shards)])
        self.bug_class = self._joined("bug_class").astype(np.uint8)
        self.cells = self._joined("cells").astype(np.int64)
        self.edits = self._joined("edits").astype(np.int64)
        raws = self._joined("raw").astype(np.float64)
        ranks = {raw: rank(raw, pool) for raw in set(raws.tolist())}
        self.difficulty = np.array([ranks[raw] for raw in raws.tolist()], np.float64)
        self.difficulty[self.edits == 0] = 0.0

    def __len__(self) -> int:
        return int(self._starts[-1])

    def sample(self, index: int) -> RepairSample:
        """One sample."""
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self._shards[shard].sample(
            int(index - self._starts[shard]), float(self.difficulty[index])
        )

    def samples(self, indices: Iterable[int]) -> list[RepairSample]:
        """Several samples."""
        return [self.sample(int(index)) for index in indices]

    def where(
        self,
        classes: Iterable[BugClass],
        difficulty: tuple[float, float] = (0.0, 1.0),
    ) -> NDArray[np.int64]:
        """The numbers of the samples of some classes, from and to a difficulty (both included)."""
        wanted = [CLASSES.index(one) for one in classes]
        low, high = difficulty
        fitting = (self.difficulty >= low) & (self.difficulty <= high)
        return np.flatnonzero(np.isin(self.bug_class, wanted) & fitting)

    @cached_property
    def operators(self) -> list[str]:
        """The kind of bug of every sample."""
        return [shard.operator(i) for shard in self._shards for i in range(len(shard))]

    def _joined(self, name: str) -> NDArray[Any]:
        columns = [shard.column(name) for shard in self._shards]
        return np.concatenate(columns) if columns else np.zeros(0)
