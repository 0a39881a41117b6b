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

BIAS = 1.0
"""Added to every cosine: what all tasks have in common, such as how often an operation occurs."""
PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)

Weights = Mapping[str, float]


class RidgeMap:
    """A map from (D,) to weights of names, for several targets at once."""

    def __init__(
        self,
        keys: Tensor,
        targets: Sequence[Mapping[str, Weights]],
        penalties: Mapping[str, float] | None = None,
    ) -> None:
        """Fit.

        Args:
            keys: (n, D), any scale.
            targets: for each key, by target, names with weights.
            penalties: λ by target; None takes for each the one of ``PENALTIES`` with the least
                error on tasks left out.

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
        self.penalties = dict(penalties or self._best_penalties(kernel))
        self._inverses = {}
        for penalty in set(self.penalties.values()):
            regular = kernel + penalty * torch.eye(len(kernel))
            self._inverses[penalty] = torch.cholesky_inverse(torch.linalg.cholesky(regular))

    def __len__(self) -> int:
        return len(self.keys)

    def add(self, keys: Tensor, targets: Sequence[Mapping[str, Weights]]) -> "RidgeMap":
        """The map of these tasks and the new ones."""
        both = torch.cat([self.keys, _unit(keys.float()).to(torch.float16)])
        return RidgeMap(both, [*self.targets, *targets], self.penalties)

    def expected(self, key: Tensor, target: str) -> dict[str, float]:
        """The names of a target with their expected weights, for (D,)."""
        if target not in self.penalties:
            return {}
        inverse = self._inverses[self.penalties[target]]
        return self._sum(inverse @ self._kernel(_unit(key.float()[None]))[:, 0], target)

    def left_out(self, index: int, target: str) -> dict[str, float]:
        """What the other tasks give for one of the tasks, in closed form."""
        inverse = self._inverses[self.penalties[target]]
        row = -inverse[index] / inverse[index, index]
        row[index] = 0.0
        return self._sum(row, target)

    def _kernel(self, keys: Tensor) -> Tensor:
        """(n, len(keys))."""
        cosines: Tensor = self.keys.float() @ keys.T
        return cosines + BIAS

    def _sum(self, coefficients: Tensor, target: str) -> dict[str, float]:
        sums: dict[str, float] = {}
        for own, coefficient in zip(self.targets, coefficients.tolist(), strict=True):
            for name, weight in own.get(target, {}).items():
                sums[name] = sums.get(name, 0.0) + coefficient * weight
        return sums

    def _best_penalties(self, kernel: Tensor) -> dict[str, float]:
        """By the squared error of a target on tasks left out: (A y)_i / A_ii."""
        values, vectors = torch.linalg.eigh(kernel)
        residuals = []
        for penalty in PENALTIES:
            inverse = _inverse(values, vectors, penalty)
            residuals.append(inverse / inverse.diagonal()[:, None])
        best = {}
        for target in sorted({target for own in self.targets for target in own}):
            gram = self._target_gram(target)
            errors = [float(((residual @ gram) * residual).sum()) for residual in residuals]
            best[target] = PENALTIES[errors.index(min(errors))]
        return best

    def _target_gram(self, target: str) -> Tensor:
        """(n, n): the products of the tasks' weights of one target."""
        names: dict[str, int] = {}
        places, weights = [], []
        for row, own in enumerate(self.targets):
            for name, weight in own.get(target, {}).items():
                places.append((row, names.setdefault(name, len(names))))
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
