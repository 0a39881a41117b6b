"""What was learned by a round: the version in use beside a cold start, on the same tasks.

The seed's report has one number over time; it takes two to tell what training gave from what the
tasks give anybody.
"""

from collections.abc import Sequence
from typing import Any

from memory.hologram.intervals import ratio
from memory.records import Figure
from trainers.code_trainer.results import Scored, figures
from trainers.code_trainer.shares import fingerprint

PREFIX, COLD = "learning.", "cold."
_SHOWN = ("file_acc1", "file_acc5", "repaired")


def learning_figures(
    learned: Sequence[Scored], cold: Sequence[Scored], *, seed: int
) -> dict[str, Any]:
    """The curve's figures of one round as JSON values, by name; those of the cold start beside.

    ``learning.candidates`` is what it costs to repair a program: all candidates that were run, also
    on programs that were not repaired, divided by the programs repaired; a bootstrap over programs.
    It is what :class:`memory.hologram.self_improvement.SelfImprovementManager` says of the mode.

    Args:
        learned: results of the version in use.
        cold: of the untrained order and BM25, on the same tasks.
        seed: of the resampling.
    """
    found: dict[str, Any] = {}
    for side, scored in ((PREFIX, learned), (PREFIX + COLD, cold)):
        known = figures(scored, seed=seed)
        shown = {name: known[name] for name in _SHOWN} | {"candidates": _candidates(scored)}
        found |= {side + name: figure.to_json() for name, figure in shown.items()}
    tasks = [one.task_id for one in learned]
    return found | {f"{PREFIX}tasks": len(tasks), f"{PREFIX}set": fingerprint(tasks)}


def _candidates(scored: Sequence[Scored]) -> Figure:
    programs = [one for one in scored if one.candidates is not None]
    return ratio(
        [one.candidates or 0 for one in programs], [bool(one.passes_visible) for one in programs]
    )
