"""Makes the shards of a data set, one after another, from functions and collected pairs."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random

from trainers.ctm.data.augment import augmented
from trainers.ctm.data.collectors.pair import Pair
from trainers.ctm.data.collectors.synthetic import SOURCE as SYNTHETIC
from trainers.ctm.data.collectors.synthetic import Visit
from trainers.ctm.data.corpus import likeness
from trainers.ctm.data.gather import (
    Placed,
    Progress,
    split_of,
)
from trainers.ctm.data.grid import HEIGHT, WIDTH, CTMGridEncoder
from trainers.ctm.data.manifest import (
    SPLITS,
    Manifest,
    ShardEntry,
    Split,
)
from trainers.ctm.data.operators.security import TEMPLATES, Template
from trainers.ctm.data.program import Program
from trainers.ctm.data.sample import Facts, RepairSample
from trainers.ctm.data.shards import Shard, write_shard
from trainers.ctm.data.tokenizer import CPU_SIZE
from trainers.ctm.data.validate import (
    Drops,
    RejectedError,
    check_codes,
    folded,
    pair_sample,
)
from trainers.errors import CTMDataError

PAIRS = "pairs.jsonl"
CLEAN = 0.30
"""Of all samples the share without a bug."""
LINT_CAP = 0.10
_BUGS_PER_VISIT = 2
_AUGMENT_FIRST, _AUGMENT_AGAIN = 0.3, 0.9  # a function that comes again is written otherwise
_BARREN = 3  # passes over all functions without a new sample end a split


@dataclass(frozen=True)
class BuildOptions:
    """What a data set is made of; two builds with equal options and inputs are equal.

    ``samples`` is the size of train, ``held_out`` that of each other split (None: a twentieth, at
    most 5,000); ``functions`` ends the reading of packages (None: all).
    """

    samples: int = 60_000
    held_out: int | None = None
    functions: int | None = None
    vocabulary: int = CPU_SIZE
    height: int = HEIGHT
    width: int = WIDTH
    shard: int = 4096
    seed: int = 0
    sources: tuple[str, ...] = (SYNTHETIC,)

    def size(self, split: Split) -> int:
        """How many samples a split is to have."""
        if split == "train":
            return self.samples
        return min(self.samples // 20, 5_000) if self.held_out is None else self.held_out


@dataclass
class ShardMaker:
    """Makes the shards of a data set, one split after another."""

    out: Path
    options: BuildOptions
    encoder: CTMGridEncoder
    manifest: Manifest
    exclude: frozenset[str] = frozenset()
    seen: set[int] = field(default_factory=set)
    drops: Drops = field(default_factory=Counter)
    faulty: frozenset[str] = frozenset()

    def fill(self, split: Split, placed: Sequence[Placed], progress: Progress) -> None:
        """Make the shards of a split that are missing."""
        entries = self.manifest.shards.setdefault(split, [])
        self._check(entries)
        numbers = [number for number, one in enumerate(placed) if one.split == split]
        Random(f"{self.options.seed}/{split}").shuffle(numbers)
        pairs = self._pairs_of(split, placed)
        # What a collector found a fault in is no sound program, though it stands in a library.
        self.faulty = frozenset(likeness(pair.broken) for _, pair in pairs)
        total, wanted = self.options.size(split), self.options.shard
        count = -(-total // wanted)
        while numbers and self.manifest.samples(split) < total:
            size = min(wanted, total - self.manifest.samples(split))
            share = pairs[len(entries) :: count]
            progress(f"samples of {split}", self.manifest.samples(split), total)
            entry = self._shard(split, len(entries), size, placed, numbers, share, entries)
            if entry is None:
                self.manifest.fruitless[split] = listed(self.drops)
                return
            entries.append(entry)
            self.manifest.save(self.out)

    @cached_property
    def _templates(self) -> list[Template]:
        return [one for one in TEMPLATES if one.name in self.manifest.templates]

    def _check(self, entries: list[ShardEntry]) -> None:
        """Forget the shards from the first that is missing; remember the samples of the others."""
        for number, entry in enumerate(entries):
            try:
                shard = Shard(self.out / entry.name, entry.sha256)
            except CTMDataError:
                if (self.out / entry.name).exists():
                    raise
                del entries[number:]
                return
            self.seen.update(shard.column("key").tolist())

    def _shard(
        self,
        split: Split,
        number: int,
        size: int,
        placed: Sequence[Placed],
        numbers: Sequence[int],
        pairs: Sequence[tuple[int, Pair]],
        entries: Sequence[ShardEntry],
    ) -> ShardEntry | None:
        self.drops = Counter()
        cleans_left = round(CLEAN * size + 0.499)
        samples = list(self._of_pairs(pairs, size - cleans_left))
        bugs_left = size - cleans_left - len(samples)
        if SYNTHETIC not in self.options.sources:
            bugs_left, cleans_left = 0, -(-len(samples) * 3 // 7)
        cursor = entries[-1].cursor if entries else 0
        barren = 0
        while (bugs_left or cleans_left) and barren < _BARREN * len(numbers):
            before = len(samples)
            for sample in self._visit(split, cursor, placed, numbers, bugs_left, cleans_left):
                samples.append(sample)
                clean = sample.facts.bug_class == "clean"
                cleans_left, bugs_left = cleans_left - clean, bugs_left - (not clean)
            barren = 0 if len(samples) > before else barren + 1
            cursor += 1
        if not samples:
            return None
        Random(f"{self.options.seed}/{split}/{number}/order").shuffle(samples)
        name = f"{split}-{number:05d}"
        digest = write_shard(self.out / name, samples)
        kept = Counter((s.facts.source, s.facts.bug_class) for s in samples)
        return ShardEntry(
            name=name,
            samples=len(samples),
            sha256=digest,
            cursor=cursor,
            kept=[(*key, count) for key, count in sorted(kept.items())],
            operators=dict(sorted(Counter(s.facts.operator for s in samples).items())),
            drops=listed(self.drops),
        )

    def _visit(
        self,
        split: Split,
        cursor: int,
        placed: Sequence[Placed],
        numbers: Sequence[int],
        bugs: int,
        cleans: int,
    ) -> Iterator[RepairSample]:
        """The new samples of the function that is next, at most so many of each sort."""
        rng = Random(f"{self.options.seed}/{split}/{cursor}")
        number = numbers[cursor % len(numbers)]
        code = placed[number].code
        again = cursor >= len(numbers)
        if rng.random() < (_AUGMENT_AGAIN if again else _AUGMENT_FIRST):
            code = augmented(code, rng)
        try:
            visit = Visit(code, number, self.encoder, self.drops, rng, self._templates)
        except RejectedError as why:
            self.drops["synthetic", "clean", str(why)] += 1
            return
        sound = placed[number].likeness not in self.faulty
        made = [visit.clean()] if cleans and sound else []
        made += [visit.bug() for _ in range(min(bugs, _BUGS_PER_VISIT))]
        yield from self._new(sample for sample in made if sample is not None)

    def _new(self, samples: Iterable[RepairSample]) -> Iterator[RepairSample]:
        for sample in samples:
            if sample.key in self.seen:
                self.drops[sample.facts.source, sample.facts.bug_class, "there already"] += 1
                continue
            self.seen.add(sample.key)
            yield sample

    def _of_pairs(self, pairs: Sequence[tuple[int, Pair]], most: int) -> Iterator[RepairSample]:
        """Samples of collected pairs; those of linters fill at most a tenth of a shard."""
        given = lint = 0
        cap = round(LINT_CAP * self.options.shard)
        for number, pair in pairs:
            if given == most or (pair.bug_class == "lint" and lint == cap):
                self.drops[pair.source, pair.bug_class, "more than its share"] += 1
                continue
            try:
                check_codes(pair.bug_class, folded(pair.broken), folded(pair.fixed))
                facts = Facts(pair.bug_class, pair.operator, pair.source, origin=number)
                broken, fixed = Program.of(pair.broken), Program.of(pair.fixed)
                sample = pair_sample(broken, fixed, self.encoder, facts)
            except RejectedError as why:
                self.drops[pair.source, pair.bug_class, str(why)] += 1
                continue
            for new in self._new([sample]):
                given, lint = given + 1, lint + (pair.bug_class == "lint")
                yield new

    def _pairs_of(self, split: Split, placed: Sequence[Placed]) -> list[tuple[int, Pair]]:
        """The collected pairs of a split, by source in turn, each with its line's number."""
        sides = {one.likeness: one.split for one in placed}
        by_source: dict[str, list[tuple[int, Pair]]] = defaultdict(list)
        for number, pair in enumerate(read_pairs(self.out / PAIRS)):
            if _side(pair, sides, self.exclude) == split:
                by_source[pair.source].append((number, pair))
        found = [one for source in sorted(by_source) for one in by_source[source]]
        Random(f"{self.options.seed}/{split}/pairs").shuffle(found)
        return found


def _side(pair: Pair, sides: dict[str, Split], exclude: frozenset[str]) -> Split | None:
    """The split of a pair: that of its group, or of a function like it that is farther away."""
    alike = [likeness(pair.broken), likeness(pair.fixed)]
    if exclude.intersection(alike):
        return None
    own: Split = "train" if pair.train_only else split_of(pair.group)
    side = max((own, *(sides[one] for one in alike if one in sides)), key=SPLITS.index)
    return None if pair.train_only and side != "train" else side


def listed(drops: Drops) -> list[tuple[str, str, str, int]]:
    """Counts as rows: source, class, reason, number."""
    return [(*key, count) for key, count in sorted(drops.items())]


def read_pairs(path: Path) -> Iterator[Pair]:
    """Read the collected pairs of a data set.

    Raises:
        CTMDataError: the file is broken.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield Pair(**json.loads(line))
    except (OSError, ValueError, TypeError) as error:
        raise CTMDataError(f"{path} is broken ({error}); build the data in a new folder") from error
