"""Batches of a split for a stage: drawn by class, bucketed by cells, resumable at any batch.

An epoch is a mixture: clean programs, bugs of the stage's classes and range of difficulty, and a
share of bugs of earlier classes, so that they are not forgotten. Everything follows from the seed,
the epoch and the number of the batch, so that a reader with the same position gives the same rest.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from trainers.ctm.batch import Batch
from trainers.ctm.data.collate import PARTIAL, collate
from trainers.ctm.data.dataset import SplitData
from trainers.ctm.data.grid import HEIGHT, WIDTH
from trainers.ctm.data.taxonomy import BugClass
from trainers.ctm.data.tokenizer import CodeTokenizer
from trainers.errors import CTMDataError

REHEARSAL, CLEAN = 0.15, 0.30
_BUCKETS = 50  # batches whose samples are sorted by their number of cells together

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class StageFilter:
    """What a stage is trained on.

    Attributes:
        classes: of its bugs; see ``taxonomy.expand``.
        difficulty: from and to, both included.
        earlier: classes of stages before, of which ``rehearsal`` of all samples are.
        rehearsal: that share; what is of ``classes`` anyway is not rehearsed.
        clean: the share of programs without a bug.
        longest: programs of more cells are left out; None: none is.
    """

    classes: tuple[BugClass, ...]
    difficulty: tuple[float, float] = (0.0, 1.0)
    earlier: tuple[BugClass, ...] = ()
    rehearsal: float = REHEARSAL
    clean: float = CLEAN
    longest: int | None = None


@dataclass(frozen=True)
class Position:
    """Where a reader is: the batch that comes next."""

    epoch: int = 0
    batch: int = 0

    def to_json(self) -> dict[str, int]:
        """As a JSON object; ``Position(**document)`` reads it."""
        return asdict(self)


class BatchReader:
    """Gives batches of a split for a stage, epoch after epoch.

    Args:
        split: the samples.
        stage: which of them, in which shares.
        batch_size: samples of a batch; the last of an epoch may have fewer.
        seed: draws and orders them.
        samples: of an epoch; None: as many as the stage's bugs allow without repeating.
        position: where to go on.
        partial: see ``collate``; 0 gives every sample as it is.
        height: of the grid of the data.
        width: of that grid.
        tokenizer: see ``collate``.

    Raises:
        CTMDataError: the split has no bug of the stage.
    """

    def __init__(
        self,
        split: SplitData,
        stage: StageFilter,
        batch_size: int,
        seed: int,
        *,
        samples: int | None = None,
        position: Position = Position(),
        partial: float = PARTIAL,
        height: int = HEIGHT,
        width: int = WIDTH,
        tokenizer: CodeTokenizer | None = None,
    ) -> None:
        self._split, self._size, self._seed = split, batch_size, seed
        self._partial, self._grid, self._tokenizer = partial, (height, width), tokenizer
        self.position = position
        earlier = tuple(one for one in stage.earlier if one not in stage.classes)
        bugs = split.where([c for c in stage.classes if c != "clean"], stage.difficulty)
        old = split.where(earlier, stage.difficulty)
        clean = split.where(["clean"])
        if stage.longest is not None:
            bugs, old, clean = (
                one[split.cells[one] <= stage.longest] for one in (bugs, old, clean)
            )
        if not len(bugs):
            raise CTMDataError(
                f"no sample is of {', '.join(stage.classes)} with a difficulty from "
                f"{stage.difficulty[0]} to {stage.difficulty[1]}; build more data"
            )
        rehearsed = stage.rehearsal if len(old) else 0.0
        cleaned = stage.clean if len(clean) else 0.0
        self._pools = (
            (bugs, 1.0 - rehearsed - cleaned),
            (old, rehearsed),
            (clean, cleaned),
        )
        self.samples = samples or round(len(bugs) / (1.0 - rehearsed - cleaned))
        self._epoch = -1
        self._batches: list[Numbers] = []

    @property
    def batches(self) -> int:
        """Of an epoch."""
        return -(-self.samples // self._size)

    def __iter__(self) -> Iterator[Batch]:
        """Batches without end; ``position`` is already that of the next one."""
        while True:
            yield self._next()

    def epoch(self) -> Iterator[Batch]:
        """The batches that are left of this epoch."""
        epoch = self.position.epoch
        while self.position.epoch == epoch:
            yield self._next()

    def _next(self) -> Batch:
        epoch, number = self.position.epoch, self.position.batch
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._order(epoch)
        last = number + 1 == len(self._batches)
        self.position = Position(epoch + 1, 0) if last else Position(epoch, number + 1)
        height, width = self._grid
        return collate(
            self._split.samples(self._batches[number].tolist()),
            np.random.default_rng([self._seed, epoch, number, 1]),
            height=height,
            width=width,
            partial=self._partial,
            tokenizer=self._tokenizer,
        )

    def _order(self, epoch: int) -> list[Numbers]:
        rng = np.random.default_rng([self._seed, epoch])
        counts = [round(self.samples * share) for _, share in self._pools[1:]]
        counts = [self.samples - sum(counts), *counts]
        drawn = [
            _drawn(pool, count, rng) for (pool, _), count in zip(self._pools, counts, strict=True)
        ]
        numbers = rng.permutation(np.concatenate(drawn))
        batches: list[Numbers] = []
        chunk = _BUCKETS * self._size
        for start in range(0, len(numbers), chunk):
            part = numbers[start : start + chunk]
            part = part[np.argsort(self._split.cells[part], kind="stable")]
            batches += [part[i : i + self._size] for i in range(0, len(part), self._size)]
        return [batches[i] for i in rng.permutation(len(batches)).tolist()]


def _drawn(pool: Numbers, count: int, rng: np.random.Generator) -> Numbers:
    """So many of a pool, each as often as any other or once more."""
    if not count:
        return pool[:0]
    rounds = [rng.permutation(pool) for _ in range(-(-count // len(pool)))]
    drawn: Numbers = np.concatenate(rounds)
    return drawn[:count]
