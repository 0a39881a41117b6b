"""What is known of each sample when one is to be picked, beside the critic's logit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainers.critic.agreement import exact_cluster, soft_agreement
from trainers.critic.survey import Surveyed

Array = NDArray[np.float64]

EXECUTED = ("cluster", "log_cluster", "agreement", "visible")


@dataclass(frozen=True)
class Executed:
    """What execution told of the samples of one problem; nothing in it comes from a hidden test.

    ``outcomes``: per sample what each input gave; empty where the problem has no inputs.
    ``visible``: (samples,) 1 where it passes the tests that the prompt shows, NaN where there are
    none.
    """

    outcomes: Sequence[Sequence[str]]
    visible: Array


def signals(surveys: Sequence[Surveyed], executed: Mapping[str, Executed]) -> dict[str, Array]:
    """(samples,) each, samples in the order of ``surveys``.

    ``cluster``: the share of the problem's samples that gave the same on all inputs; its logarithm;
    ``agreement``: the mean over inputs of the share that gave the same; ``visible``; ``logprob``:
    the mean of a token; ``brevity``: fewer tokens are higher; ``majority``: the share of samples
    with the same normal form.
    """
    parts: list[dict[str, Array]] = [_of_problem(one, executed[one.problem_id]) for one in surveys]
    found = {
        name: np.concatenate([part[name] for part in parts] or [np.empty(0)])
        for name in (*EXECUTED, "logprob", "brevity", "majority")
    }
    if not np.isnan(found["visible"]).all():
        # A problem that shows no test filters nothing.
        found["visible"] = np.nan_to_num(found["visible"], nan=1.0)
    return found


def _of_problem(one: Surveyed, executed: Executed) -> dict[str, Array]:
    n = len(one.keys)
    share = soft = np.full(n, 1 / n)
    if executed.outcomes and executed.outcomes[0]:
        counts = np.ones(n)
        share = exact_cluster(executed.outcomes, counts) / n
        soft = soft_agreement(executed.outcomes, counts)
    _, inverse, sizes = np.unique(one.normals, return_inverse=True, return_counts=True)
    return {
        "cluster": share,
        "log_cluster": np.log(share + 0.5 / n),
        "agreement": soft,
        "visible": executed.visible,
        "logprob": one.logprobs / np.maximum(one.tokens, 1),
        "brevity": -one.tokens,
        "majority": sizes[inverse] / n,
    }
