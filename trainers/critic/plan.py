"""How many samples of each problem a round of the critic stage wants."""

from collections.abc import Sequence

from memory.records import ProblemRow
from memory.store import Store
from trainers.critic.allocation import (
    MOST_AT_ONCE,
    allocate,
    informative_shares,
    uniform_shares,
)
from trainers.problem_sets import ProblemSets
from trainers.samples import SampleSource, Want
from trainers.stage import StageContext


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
