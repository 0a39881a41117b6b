"""Ridge regression from an issue's hypervector to bundles of names, in its dual form.

With n tasks and D > n dimensions the solution is a sum over tasks: what a new issue should give is
the tasks' own targets, weighted by (K + λI)⁻¹ k, where K are the cosines among the tasks' issues
and k those with the new one (Saunders, Gammerman and Vovk 1998, "Ridge regression learning
algorithm in dual variables"). Targets are kept as names with weights: their weighted bundle is
linear, so that the sum of the names' weights says all.
"""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor

from trainers.errors import TrainerError

BIAS = 0.1
"""Added to every cosine: what all tasks have in common, such as how often an operation occurs."""
PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)

Weights = Mapping[str, float]


class RidgeMap:
    """A map from (D,) to weights of names, for several targets at once."""

    def __init__(
        self,
        keys: Tensor,
        targets: Sequence[Mapping[str, Weights]],
        penalty: float | None = None,
    ) -> None:
        """Fit.

        Args:
            keys: (n, D), any scale.
            targets: for each key, by target, names with weights.
            penalty: λ; None takes the one of ``PENALTIES`` with the least error on tasks left out.

        Raises:
            TrainerError: there are no keys, or not as many targets.
        """
        if not len(keys) or len(keys) != len(targets):
            raise TrainerError(
                f"{len(keys)} issues and {len(targets)} targets cannot be fitted: give one each"
            )
        self.keys = _unit(keys.float()).to(torch.float16)
        self.targets = list(targets)
        kernel = self._kernel(self.keys.float())
        self.penalty = penalty or self._best_penalty(kernel)
        regular = kernel + self.penalty * torch.eye(len(kernel))
        self._inverse = torch.cholesky_inverse(torch.linalg.cholesky(regular))

    def __len__(self) -> int:
        return len(self.keys)

    def add(self, keys: Tensor, targets: Sequence[Mapping[str, Weights]]) -> "RidgeMap":
        """The map of these tasks and the new ones."""
        both = torch.cat([self.keys, _unit(keys.float()).to(torch.float16)])
        return RidgeMap(both, [*self.targets, *targets], self.penalty)

    def expected(self, key: Tensor) -> dict[str, dict[str, float]]:
        """By target, the names with their expected weights, for (D,)."""
        return self._sum(self._inverse @ self._kernel(_unit(key.float()[None]))[:, 0])

    def left_out(self, index: int) -> dict[str, dict[str, float]]:
        """What the other tasks give for one of the tasks, in closed form."""
        row = -self._inverse[index] / self._inverse[index, index]
        row[index] = 0.0
        return self._sum(row)

    def _kernel(self, keys: Tensor) -> Tensor:
        """(n, len(keys))."""
        cosines: Tensor = self.keys.float() @ keys.T
        return cosines + BIAS

    def _sum(self, coefficients: Tensor) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = {}
        for own, coefficient in zip(self.targets, coefficients.tolist(), strict=True):
            for target, weights in own.items():
                sums = found.setdefault(target, {})
                for name, weight in weights.items():
                    sums[name] = sums.get(name, 0.0) + coefficient * weight
        return found

    def _best_penalty(self, kernel: Tensor) -> float:
        """By the squared error of all targets on tasks left out: (A y)_i / A_ii."""
        gram = self._target_gram()
        values, vectors = torch.linalg.eigh(kernel)
        errors = []
        for penalty in PENALTIES:
            inverse = _inverse(values, vectors, penalty)
            residual = inverse / inverse.diagonal()[:, None]
            errors.append(float(((residual @ gram) * residual).sum()))
        return PENALTIES[errors.index(min(errors))]

    def _target_gram(self) -> Tensor:
        """(n, n): the products of the tasks' targets."""
        names: dict[tuple[str, str], int] = {}
        places, weights = [], []
        for row, own in enumerate(self.targets):
            for target, members in own.items():
                for name, weight in members.items():
                    places.append((row, names.setdefault((target, name), len(names))))
                    weights.append(weight)
        indices = torch.tensor(places, dtype=torch.int64).reshape(-1, 2).T
        size = (len(self.targets), max(1, len(names)))
        matrix = torch.sparse_coo_tensor(
            indices, torch.tensor(weights), size, check_invariants=True
        )
        return cast(Tensor, torch.sparse.mm(matrix, matrix.T.to_dense()))


def _unit(keys: Tensor) -> Tensor:
    scaled: Tensor = keys / keys.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    return scaled


def _inverse(values: Tensor, vectors: Tensor, penalty: float) -> Tensor:
    """(K + λI)⁻¹ from K's eigenvalues and eigenvectors."""
    scaled: Tensor = vectors / (values.clamp(min=0.0) + penalty)
    return scaled @ vectors.T
