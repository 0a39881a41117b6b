"""Labelled samples as tensors: what the head trains on and is measured with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainers.critic.feature_cache import FeatureCache
from trainers.critic.survey import Surveyed

Rows = list[NDArray[np.int64]]


@dataclass(frozen=True)
class Examples:
    """Samples of several problems; those of one problem stand together, in the order of ``idx``.

    ``inputs`` is (samples, dim), ``passed`` (samples,) of 0 and 1, ``group`` (samples,) the number
    of the sample's problem in ``problem_ids``, ``normals`` their normal forms' hashes, ``weights``
    (samples,) how much each counts: how many samples it stands for, times what mining gave it.
    """

    problem_ids: list[str]
    group: Tensor
    inputs: Tensor
    passed: Tensor
    normals: list[str]
    weights: Tensor

    @cached_property
    def rows(self) -> Rows:
        """Per problem the numbers of its samples."""
        group = self.group.numpy()
        return [np.flatnonzero(group == number) for number in range(len(self.problem_ids))]

    @property
    def has_both(self) -> bool:
        """True when there is a sample that passed and one that did not."""
        return bool(self.passed.any()) and not bool(self.passed.all())

    @property
    def problem_of(self) -> list[str]:
        """(samples,) problem ids."""
        return [self.problem_ids[number] for number in self.group.tolist()]

    @property
    def outcomes(self) -> NDArray[np.float64]:
        """``passed`` as numpy has it."""
        return np.asarray(self.passed.numpy(), dtype=float)

    def take(self, kept: NDArray[np.int64]) -> "Examples":
        """Some of the samples, in the same order; problems without one are left out."""
        rows = torch.from_numpy(kept)
        numbers, group = torch.unique(self.group[rows], return_inverse=True)
        return Examples(
            problem_ids=[self.problem_ids[number] for number in numbers.tolist()],
            group=group,
            inputs=self.inputs[rows],
            passed=self.passed[rows],
            normals=[self.normals[number] for number in kept.tolist()],
            weights=self.weights[rows],
        )

    def of_problems(self, wanted: Sequence[str]) -> "Examples":
        """The samples of some problems."""
        chosen = set(wanted)
        numbers = [i for i, problem_id in enumerate(self.problem_ids) if problem_id in chosen]
        return self.take(np.concatenate([self.rows[i] for i in numbers] or [np.empty(0, int)]))

    def distinct(self) -> "Examples":
        """One sample of each normal form and outcome of a problem, with their summed weight."""
        first: dict[tuple[int, str, float], int] = {}
        weights: dict[int, float] = {}
        told = zip(self.group.tolist(), self.normals, self.passed.tolist(), strict=True)
        for number, key in enumerate(told):
            place = first.setdefault(key, number)
            weights[place] = weights.get(place, 0.0) + float(self.weights[number])
        kept = self.take(np.array(sorted(weights), dtype=np.int64))
        return replace(kept, weights=torch.tensor([weights[place] for place in sorted(weights)]))


def assemble(
    surveys: Sequence[Surveyed],
    cache: FeatureCache | None,
    *,
    columns: Sequence[int],
    scalars: Sequence[int],
) -> Examples:
    """Join samples with their cached features: some columns of these, then some of the scalars."""
    keys = [key for one in surveys for key in one.feature_keys]
    distinct = list(dict.fromkeys(keys))
    place = {key: i for i, key in enumerate(distinct)}
    hidden = torch.empty(len(keys), 0)
    if cache is not None and keys:
        hidden = cache.load(distinct, columns)[[place[key] for key in keys]]  # (samples, columns)
    facts = [torch.from_numpy(one.scalars[:, list(scalars)]).float() for one in surveys]
    sizes = torch.tensor([len(one.keys) for one in surveys], dtype=torch.long)
    passed = [torch.from_numpy(one.passed).float() for one in surveys]
    return Examples(
        problem_ids=[one.problem_id for one in surveys],
        group=torch.repeat_interleave(torch.arange(len(surveys)), sizes),
        inputs=torch.cat([hidden, torch.cat(facts) if facts else torch.empty(0, len(scalars))], 1),
        passed=torch.cat(passed) if passed else torch.empty(0),
        normals=[normal for one in surveys for normal in one.normals],
        weights=torch.ones(len(keys)),
    )
