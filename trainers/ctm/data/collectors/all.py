"""All the collectors beside the synthetic one, as one function for the builder."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from memory.repair_records import RepairPair
from trainers.ctm.data.collectors import git, linters, pairs, stack_exchange
from trainers.ctm.data.collectors.pair import Count, Pair
from trainers.ctm.data.corpus import Package
from trainers.ctm.data.gather import Placed, Progress
from trainers.ctm.data.validate import Drops


@dataclass(frozen=True)
class Collectors:
    """Which collectors give pairs; an instance is what ``build`` takes as ``collect``.

    Attributes:
        packages: whose files the linter reads; only those that functions were gathered from.
        lint: whether it does.
        repositories: git repositories to mine.
        posts: dumps of Stack Exchange to read.
        rows: repair pairs of the store.
        progress: is told which collector works.
    """

    packages: Sequence[Package] = ()
    lint: bool = False
    repositories: Sequence[Path] = ()
    posts: Sequence[Path] = ()
    rows: Iterable[RepairPair] = ()
    progress: Progress = lambda phase, done, total: None

    def __call__(self, placed: Sequence[Placed], drops: Drops) -> Iterator[Pair]:
        """The pairs of all of them; ``drops`` counts what gave none.

        Raises:
            TrainerError: a repository or a file cannot be read, or ruff does not run.
        """
        if self.lint:
            yield from self._linted(placed, _counter(drops, linters.SOURCE, "lint"))
        for number, path in enumerate(self.repositories):
            self.progress("repositories mined", number, len(self.repositories))
            yield from git.git_pairs(path, count=_counter(drops, git.SOURCE, "other"))
        for number, path in enumerate(self.posts):
            self.progress("dumps read", number, len(self.posts))
            count = _counter(drops, stack_exchange.SOURCE, "other")
            yield from stack_exchange.stack_exchange_pairs(path, count=count)
        yield from pairs.store_pairs(self.rows, count=_counter(drops, pairs.SOURCE, "other"))

    def _linted(self, placed: Sequence[Placed], count: Count) -> Iterator[Pair]:
        files: defaultdict[str, set[str]] = defaultdict(set)
        for one in placed:
            files[one.origin.package].add(one.origin.path)
        named = [package for package in self.packages if package.name in files]
        for number, package in enumerate(named):
            self.progress("packages linted", number, len(named))
            yield from linters.lint_pairs(package, sorted(files[package.name]), count=count)


def _counter(drops: Counter[tuple[str, str, str]], source: str, bug_class: str) -> Count:
    def count(reason: str) -> None:
        drops[source, bug_class, reason] += 1

    return count
