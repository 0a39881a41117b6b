"""The pickers, side by side: what each ranks the samples of a problem by."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from memory.records import Figure
from trainers import statistics
from trainers.critic.blend import stack
from trainers.critic.examples import Examples
from trainers.critic.model import Blend
from trainers.critic.ranking import oracle, picked, rates

Array = NDArray[np.float64]

PICKERS = (
    "random", "logprob", "brevity", "majority", "critic", "agreement", "visible",
    "agreement_visible", "critic_agreement", "critic_agreement_visible", "oracle",
)  # fmt: skip


def rankings(signals: Mapping[str, Array], blends: Mapping[str, Blend]) -> dict[str, Array]:
    """(samples,) by picker, higher is picked; a picker without what it needs is not there.

    ``oracle`` is none: it would have to see the hidden tests.

    Args:
        signals: by name (see signals), with ``logit`` where there is a critic.
        blends: the critic's.
    """
    found = {"random": np.zeros(len(signals["cluster"]))}
    for name in ("logprob", "brevity", "majority", "visible"):
        if not np.isnan(signals[name]).any():
            found[name] = signals[name]
    if "logit" in signals:
        found["critic"] = signals["logit"]
    # The largest cluster first; of equal ones that whose members agree most with the rest.
    found["agreement"] = np.round(signals["cluster"], 9) + 1e-3 * signals["agreement"]
    for name, blend in blends.items():
        told = stack(signals, blend.signals) if set(blend.signals) <= signals.keys() else None
        if told is not None:
            with torch.inference_mode():
                found[name] = blend.logits(told).numpy().astype(float)
    return found


def picker_figures(examples: Examples, ranked: Mapping[str, Array], seed: int) -> dict[str, Figure]:
    """How often each picker's choice passes; undefined for a picker that is not there."""
    values = picker_values(examples, ranked)
    undefined = Figure(None, None, None, len(examples.problem_ids))
    return {
        name: statistics.rate(values[name], seed=seed) if name in values else undefined
        for name in PICKERS
    }


def gap_figures(examples: Examples, ranked: Mapping[str, Array], seed: int) -> dict[str, Figure]:
    """The gap between random picking and the oracle that each picker closes."""
    values = picker_values(examples, ranked)
    undefined = Figure(None, None, None, len(examples.problem_ids))
    return {
        name: statistics.gap_closed(values["random"], values[name], values["oracle"], seed=seed)
        if name in values
        else undefined
        for name in PICKERS
    }


def picker_values(examples: Examples, ranked: Mapping[str, Array]) -> dict[str, Array]:
    """(problems,) in [0, 1] by picker: does its choice pass, ties broken by lot."""
    passed, rows = examples.outcomes, examples.rows
    values = {name: picked(scores, passed, rows) for name, scores in ranked.items()}
    return values | {"random": rates(passed, rows), "oracle": oracle(passed, rows)}
