"""Labelled samples as tensors: what the head trains on and is measured with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memory.records import LabelledSample, ProblemRow
from trainers.critic.feature_cache import FeatureCache, feature_key
from trainers.critic.scalars import NAMES, scalars
from trainers.generators.base import Message


@dataclass(frozen=True)
class Examples:
    """Samples of several problems; those of one problem stand together, in the order of ``idx``.

    ``inputs`` is (samples, dim), ``passed`` (samples,) of 0 and 1, ``group`` (samples,) the number
    of the sample's problem in ``problem_ids``.
    """

    problem_ids: list[str]
    group: Tensor
    inputs: Tensor
    passed: Tensor
    keys: list[tuple[int, int]]  # (sample id, verdict id)

    @cached_property
    def rows(self) -> list[NDArray[np.int64]]:
        """Per problem the numbers of its samples."""
        group = self.group.numpy()
        return [np.flatnonzero(group == number) for number in range(len(self.problem_ids))]

    @property
    def has_both(self) -> bool:
        """True when there is a sample that passed and one that did not."""
        return bool(self.passed.any()) and not bool(self.passed.all())


def assemble(
    samples: Sequence[LabelledSample],
    problems: Mapping[str, ProblemRow],
    prompts: Mapping[str, Sequence[Message]],
    cache: FeatureCache,
    *,
    columns: Sequence[int],
    with_scalars: bool,
) -> Examples:
    """Join samples with their cached features: some columns of them, then scalars if wanted."""
    ids = sorted({labelled.sample.problem_id for labelled in samples})
    number = {problem_id: i for i, problem_id in enumerate(ids)}
    ordered = sorted(samples, key=lambda one: (number[one.sample.problem_id], one.sample.idx))
    keys = [feature_key(prompts[one.sample.problem_id], one.sample.code) for one in ordered]
    distinct = list(dict.fromkeys(keys))
    place = {key: i for i, key in enumerate(distinct)}
    hidden = cache.load(distinct)[:, columns][[place[key] for key in keys]]  # (samples, columns)
    parts = [hidden]
    if with_scalars:
        facts = [
            scalars(s.code, problems[s.problem_id].entry_point, s.tokens, s.logprob)
            for s in (one.sample for one in ordered)
        ]
        parts.append(torch.stack(facts) if facts else torch.empty(0, len(NAMES)))
    return Examples(
        problem_ids=ids,
        group=torch.tensor([number[one.sample.problem_id] for one in ordered], dtype=torch.long),
        inputs=torch.cat(parts, dim=1),  # (samples, hidden + scalars)
        passed=torch.tensor([float(one.passed) for one in ordered]),
        keys=[(_sample_id(one), one.verdict_id) for one in ordered],
    )


def _sample_id(labelled: LabelledSample) -> int:
    if labelled.sample.id is None:
        raise ValueError("a labelled sample comes from the store and has an id")
    return labelled.sample.id
