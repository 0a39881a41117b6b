"""Gathers the functions that a data set is made of, and puts each on one side of the split.

The split is by source file, and four packages are never trained on. Of functions that are alike,
names and literals aside, one stays: that on the side farthest from training.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from trainers.ctm.data.corpus import STANDARD_LIBRARY, Found, Origin, Package, functions
from trainers.ctm.data.grid import CTMGridEncoder, GridError
from trainers.ctm.data.manifest import SPLITS, Split, write_whole
from trainers.ctm.data.program import Program
from trainers.ctm.data.tokenizer import CodeTokenizer
from trainers.errors import CTMDataError

FUNCTIONS = "functions.jsonl"
HELD_OUT = 4
"""Packages that are never trained on."""
_ENOUGH, _TOO_MANY = 0.004, 0.1
"""Of all functions, the shares between which a package is that may be held out; at least 20."""
_TRAIN, _VALIDATION = 0.90, 0.95

Progress = Callable[[str, int, int], None]
"""Takes what is done now, how much of it is done, and of how much."""


@dataclass(frozen=True)
class Placed:
    """A function on its side of the split."""

    code: str
    origin: Origin
    likeness: str
    split: Split


def gather(
    packages: Sequence[Package],
    limit: int | None,
    exclude: frozenset[str],
    progress: Progress,
) -> tuple[list[Placed], list[str], dict[str, int]]:
    """Read functions of packages until there are enough.

    Args:
        packages: where to look.
        limit: stop after so many that are not alike; None: read all.
        exclude: likenesses of programs that nothing may be trained on, those of benchmarks.
        progress: is told how many files were read.

    Returns:
        The functions, the packages that are held out, and counts of what was seen and dropped.

    Raises:
        CTMDataError: there are no functions.
    """
    counts: Counter[str] = Counter()
    found: list[Found] = []
    likenesses: set[str] = set()
    files = sorted(
        ((package, path) for package in packages for path in package.files),
        key=lambda one: _hash(f"order {one[0].name}/{one[1]}"),
    )
    for number, (package, path) in enumerate(files):
        progress("files read", number, len(files))
        counts["files"] += 1
        for function in functions(package, path):
            counts["functions"] += 1
            if function.likeness in exclude:
                counts["in a benchmark"] += 1
                continue
            found.append(function)
            likenesses.add(function.likeness)
        if limit is not None and len(likenesses) >= limit:
            break
    if not found:
        raise CTMDataError("no package has a function to learn from; install some packages")
    held_out = _held_out(found)
    placed = _placed(found, held_out)
    counts["alike"] = len(found) - len(placed)
    return placed, held_out, dict(counts)


def fitting(
    placed: Sequence[Placed], tokenizer: CodeTokenizer, height: int, width: int
) -> tuple[list[Placed], dict[str, int]]:
    """Keep the functions that fit a grid; counts of the others by reason."""
    encoder = CTMGridEncoder(tokenizer, height, width)
    kept, counts = [], Counter[str]()
    for one in placed:
        try:
            encoder.pack(Program.of(one.code))
        except GridError as error:
            counts[f"does not fit: {error.reason}"] += 1
        else:
            kept.append(one)
    return kept, dict(counts)


def write_functions(path: Path, placed: Sequence[Placed]) -> None:
    """Write functions as JSON lines."""
    lines = (
        json.dumps(
            {"code": one.code, "likeness": one.likeness, "split": one.split, **one.origin.to_json()}
        )
        for one in placed
    )
    write_whole(path, "".join(f"{line}\n" for line in lines))


def read_functions(path: Path) -> Iterator[Placed]:
    """Read what ``write_functions`` wrote.

    Raises:
        CTMDataError: the file is broken.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                one: dict[str, Any] = json.loads(line)
                code, likeness, split = one.pop("code"), one.pop("likeness"), one.pop("split")
                yield Placed(code, Origin(**one), likeness, split)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CTMDataError(f"{path} is broken ({error}); build the data in a new folder") from error


def split_of(name: str) -> Split:
    """The side of a source file, or of any other group, by its hash."""
    share = int(_hash(name)[:8], 16) / 16**8
    if share < _TRAIN:
        return "train"
    return "validation" if share < _VALIDATION else "test_files"


def _held_out(found: Sequence[Found]) -> list[str]:
    """The packages never trained on: of those with enough functions the first by hash of name."""
    sizes = Counter(one.origin.package for one in found)
    least, most = max(20, round(_ENOUGH * len(found))), _TOO_MANY * len(found)
    large = [n for n, size in sizes.items() if least <= size <= most and n != STANDARD_LIBRARY]
    return sorted(sorted(large, key=_hash)[: min(HELD_OUT, len(large) // 2)])


def _placed(found: Sequence[Found], held_out: Sequence[str]) -> list[Placed]:
    best: dict[str, Placed] = {}
    for one in found:
        origin = one.origin
        inside = origin.package in held_out
        split: Split = "test_packages" if inside else split_of(f"{origin.package}/{origin.path}")
        known = best.get(one.likeness)
        if known is None or SPLITS.index(split) > SPLITS.index(known.split):
            best[one.likeness] = Placed(one.code, origin, one.likeness, split)
    return list(best.values())


def _hash(name: str) -> str:
    return sha256(name.encode()).hexdigest()
