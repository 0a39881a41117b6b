"""What a round of the critic stage works on: problems by split, and how many samples of each."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from memory.records import ProblemRow
from memory.store import Store
from trainers.critic.allocation import (
    MOST_AT_ONCE,
    allocate,
    informative_shares,
    uniform_shares,
)
from trainers.errors import TaskError
from trainers.samples import SampleSource, Want
from trainers.stage import StageContext
from trainers.tasks import load_problems

T = TypeVar("T")


@dataclass(frozen=True)
class ProblemSets:
    """The problems of the train source, by split; ``source`` names the set, such as ``mbpp``."""

    source: str
    train: list[ProblemRow]
    validation: list[ProblemRow]
    test: list[ProblemRow]
    further: dict[str, list[ProblemRow]] = field(default_factory=dict)  # other test sets, by name

    def parts(self, of: Callable[[list[str]], T]) -> dict[str, T]:
        """What ``of`` gives for the ids of each split, by its name."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: of([row.id for row in rows]) for name, rows in splits.items()}


def load_sets(context: StageContext, also: Sequence[str] | None = None) -> ProblemSets:
    """Read the problems, remember them in the store, and keep those that this stage uses.

    Args:
        context: settings and store.
        also: further test sets, instead of ``tasks.also``.

    Raises:
        TaskError: a split has no problem.
    """
    loaded = load_problems(context.settings.tasks, os.environ, also=also)
    context.store.add_problems(loaded.rows, loaded.rule)
    rows = [row for row in loaded.rows if row.source == loaded.train_source]
    if context.settings.critic.protocol == "seed" and loaded.train_source == "mbpp":
        # The seed measured on the hand-checked subset: 163 problems to learn from, 257 to test.
        rows = [row for row in rows if row.metadata["sanitized"]]
    splits = {
        name: [row for row in rows if row.split == name] for name in ("train", "validation", "test")
    }
    for name, found in splits.items():
        if not found:
            raise TaskError(
                f"{loaded.train_source} has no {name} problem; check tasks.train, "
                f"tasks.mbpp_split and tasks.data_dir"
            )
    further = {
        name: [row for row in loaded.rows if row.source == name and row.split == "test"]
        for name in dict.fromkeys(row.source for row in loaded.rows)
        if name != loaded.train_source
    }
    return ProblemSets(loaded.train_source, **splits, further=further)


def wanted_samples(context: StageContext, sets: ProblemSets, source: SampleSource) -> list[Want]:
    """Train problems get new samples every round up to a limit; the others keep a fixed set.

    What a round adds follows from the outcomes of the rounds before it alone, so that a round that
    was cut asks for the same again.
    """
    config = context.settings.critic
    key = (source.generator_id, source.protocol, source.params_hash)
    before = context.store.outcomes_before(context.round_id, *key)
    outcomes = [before.get(row.id, (0, 0)) for row in sets.train]
    share = informative_shares if config.sampling == "informative" else uniform_shares
    added = allocate(
        share(outcomes),
        config.samples_per_problem * len(outcomes),
        room=[max(0, config.max_samples_per_problem - count) for count, _ in outcomes],
        most=MOST_AT_ONCE * config.samples_per_problem,
    )
    train = [
        Want(row, count + more)
        for row, (count, _), more in zip(sets.train, outcomes, added, strict=True)
    ]
    return train + [
        Want(row, config.eval_samples_per_problem) for row in (*sets.validation, *sets.test)
    ]


def stored_counts(store: Store, problems: Sequence[ProblemRow], source: SampleSource) -> list[Want]:
    """Want what there is and no more: the samples of the problems that have any."""
    found = store.sample_indexes(
        [row.id for row in problems], source.generator_id, source.protocol, source.params_hash
    )
    return [Want(row, len(found[row.id])) for row in problems if found[row.id]]


def tokens_of_round(store: Store, round_id: int, stage: str) -> int:
    """Count the tokens that a stage's samples of a round took, over all its attempts."""
    rows = store.query(
        "SELECT COALESCE(SUM(x.tokens), 0) AS tokens FROM samples x "
        "JOIN stage_runs r ON r.id = x.stage_run_id WHERE r.round_id = ? AND r.stage = ?",
        (round_id, stage),
    )
    return int(rows[0]["tokens"])


def derived_seed(*parts: object) -> int:
    """Make a 31-bit seed that is fixed by its parts and unrelated to that of other parts."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
