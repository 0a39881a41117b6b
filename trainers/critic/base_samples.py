"""Samples of a problem serve its stricter variant too: it has the same prompt and more tests."""

from collections.abc import Sequence
from dataclasses import replace

from memory.records import ProblemRow, SampleRow
from trainers.generators.prompts import solve_prompt
from trainers.samples import SampleSource
from trainers.stage import StageContext
from trainers.tasks.splits import base_id


def share_base_samples(
    context: StageContext, rows: Sequence[ProblemRow], source: SampleSource, count: int
) -> int:
    """Give + problems the samples of the problems that they are made from.

    Only where both have the same prompt: then a new sample would be drawn from the same
    distribution, at the cost of the generator.

    Args:
        context: the store.
        rows: problems, of which some have a base.
        source: whose samples.
        count: how many a problem at most.

    Returns:
        How many samples were added.
    """
    known = {row.id: row for row in context.store.problems()}
    kind = context.settings.critic.protocol
    added = 0
    for row in rows:
        base = known.get(base_id(row))
        if base is None or base.id == row.id or solve_prompt(base, kind) != solve_prompt(row, kind):
            continue
        samples = context.store.samples_of(
            base.id, source.generator_id, source.protocol, source.params_hash, count
        )
        added += context.store.add_samples([_copy(one, row, context) for one in samples])
    return added


def _copy(sample: SampleRow, row: ProblemRow, context: StageContext) -> SampleRow:
    return replace(sample, problem_id=row.id, stage_run_id=context.stage_run_id, id=None)
