"""The manifest of a data set: how it was made, its shards with their hashes, and what was dropped.

It is written anew after every shard, in one move, so that a build that was killed goes on there.
"""

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from trainers.ctm.data.validate import Drops
from trainers.errors import CTMDataError

Split = Literal["train", "validation", "test_files", "test_packages"]
SPLITS: tuple[Split, ...] = get_args(Split)
MANIFEST, VOCABULARY = "manifest.json", "vocabulary.json"
FORMAT = 1


@dataclass
class ShardEntry:
    """A shard that is complete; ``cursor`` is how many functions were visited up to its end.

    ``kept`` counts its samples by source and class, ``operators`` by kind, ``drops`` what became
    no sample while it was made.
    """

    name: str
    samples: int
    sha256: str
    cursor: int
    kept: list[tuple[str, str, int]]
    operators: dict[str, int]
    drops: list[tuple[str, str, str, int]]


@dataclass
class Manifest:
    """All that is known of a data set.

    ``templates`` are those of security that bandit confirmed both ways, ``collected`` counts what
    collectors left out, ``fruitless`` what was dropped, by split, after its last shard, and
    ``quantiles`` are of the raw difficulty of train's bugs.
    """

    options: dict[str, Any]
    vocabulary: str = ""
    python: str = ""
    corpus: dict[str, Any] = field(default_factory=dict)
    test_packages: list[str] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)
    collected: list[tuple[str, str, str, int]] = field(default_factory=list)
    shards: dict[str, list[ShardEntry]] = field(default_factory=dict)
    fruitless: dict[str, list[tuple[str, str, str, int]]] = field(default_factory=dict)
    quantiles: list[float] = field(default_factory=list)
    complete: bool = False

    def samples(self, split: str) -> int:
        """How many samples a split has."""
        return sum(entry.samples for entry in self.shards.get(split, []))

    def kept(self) -> Counter[tuple[str, str]]:
        """Samples by source and class."""
        total: Counter[tuple[str, str]] = Counter()
        for entry in self._entries():
            for source, bug_class, count in entry.kept:
                total[source, bug_class] += count
        return total

    def operators(self) -> Counter[str]:
        """Samples by kind of bug."""
        total: Counter[str] = Counter()
        for entry in self._entries():
            total.update(entry.operators)
        return total

    def drops(self) -> Drops:
        """What became no sample, by source, class and reason."""
        total: Drops = Counter()
        after = list(self.fruitless.values())
        for drops in (self.collected, *after, *(entry.drops for entry in self._entries())):
            for source, bug_class, reason, count in drops:
                total[source, bug_class, reason] += count
        return total

    def save(self, folder: Path) -> None:
        """Write it into the data set's folder."""
        document = {"format": FORMAT, **self.__dict__}
        document["shards"] = {
            split: [entry.__dict__ for entry in entries] for split, entries in self.shards.items()
        }
        write_whole(folder / MANIFEST, json.dumps(document, indent=1))

    def _entries(self) -> list[ShardEntry]:
        return [entry for entries in self.shards.values() for entry in entries]


def load_manifest(folder: Path) -> Manifest:
    """Read the manifest of a data set.

    Raises:
        CTMDataError: there is none, or it is broken or of another format.
    """
    path = folder / MANIFEST
    try:
        document = json.loads(path.read_text("utf-8"))
        version = document.pop("format")
        if version != FORMAT:
            raise CTMDataError(f"{path}: format {version} is unknown; build the data again")
        shards = {
            split: [_entry(entry) for entry in entries]
            for split, entries in document.pop("shards").items()
        }
        return Manifest(shards=shards, **document)
    except FileNotFoundError as error:
        raise CTMDataError(
            f"{folder} holds no data set; build one with `kent tasks build-ctm --out {folder}`"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CTMDataError(
            f"{path} is broken ({error}); remove {folder} and build the data again"
        ) from error


def _entry(document: dict[str, Any]) -> ShardEntry:
    lists = {key: [tuple(one) for one in document[key]] for key in ("kept", "drops")}
    return ShardEntry(**{**document, **lists})


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
