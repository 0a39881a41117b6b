"""What a round of the critic stage works on: problems by split and how many samples of each."""

import hashlib
import os
from dataclasses import dataclass

from memory.records import ProblemRow
from memory.store import Store
from trainers.errors import TaskError
from trainers.samples import SampleSource, Want
from trainers.stage import StageContext
from trainers.tasks import load_problems

# Earlier rounds that sampled from this source, whether they ended well or not.
_EARLIER_ROUNDS = """
SELECT COUNT(DISTINCT r.round_id) AS rounds FROM stage_runs r
WHERE EXISTS (SELECT 1 FROM samples x WHERE x.stage_run_id = r.id AND x.generator_id = ?
              AND x.protocol = ? AND x.params_hash = ?) AND r.round_id < ?
"""


@dataclass(frozen=True)
class ProblemSets:
    """The problems of the train source, by split; ``source`` names the set, such as ``mbpp``."""

    source: str
    train: list[ProblemRow]
    validation: list[ProblemRow]
    test: list[ProblemRow]

    @property
    def all(self) -> dict[str, ProblemRow]:
        """Every problem by id."""
        return {row.id: row for row in (*self.train, *self.validation, *self.test)}


def load_sets(context: StageContext) -> ProblemSets:
    """Read the problems, remember them in the store, and keep those that this stage uses.

    Raises:
        TaskError: a split has no problem.
    """
    loaded = load_problems(context.settings.tasks, os.environ)
    context.store.add_problems(loaded.rows, loaded.rule)
    rows = [row for row in loaded.rows if row.source == loaded.train_source]
    splits = {
        name: [row for row in rows if row.split == name] for name in ("train", "validation", "test")
    }
    for name, found in splits.items():
        if not found:
            raise TaskError(
                f"{loaded.train_source} has no {name} problem; check tasks.train, "
                f"tasks.mbpp_split and tasks.data_dir"
            )
    return ProblemSets(loaded.train_source, **splits)


def wanted_samples(context: StageContext, sets: ProblemSets, source: SampleSource) -> list[Want]:
    """Train problems get new samples every round up to a limit; the others keep a fixed set."""
    config = context.settings.critic
    asked = (source.generator_id, source.protocol, source.params_hash, context.round_id)
    rounds = 1 + int(context.store.query(_EARLIER_ROUNDS, asked)[0]["rounds"])
    train = min(config.samples_per_problem * rounds, config.max_samples_per_problem)
    return [Want(row, train) for row in sets.train] + [
        Want(row, config.eval_samples_per_problem) for row in (*sets.validation, *sets.test)
    ]


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
