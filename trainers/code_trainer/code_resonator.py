"""CodeResonator: operation, file and location of the repair that an issue asks for (seed: §2.4).

An issue's vector is a bundle of words and has no factors of its own: what the seed would factorise
is noise (research page §5). So a learned map takes it to patch space first, factor by factor, and
the estimate is cleaned up against the task's own names. Localisation's scores join as a prior.
Patch vectors themselves are factorised by the base class (``factorise``).
"""

import heapq
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from memory.files import write_atomically
from memory.hologram.codebook import Codebook
from memory.hologram.resonator import Factorization, TransformationResonator
from trainers.code_trainer.factor_parts import file_parts, location_parts
from trainers.code_trainer.fusion import Case, Fusion, Priors, Scored, best_fusion, prior_of
from trainers.code_trainer.patch_vectors import ROLES
from trainers.code_trainer.patches import CodePatch, CodePatchResult
from trainers.code_trainer.regions import OPERATIONS
from trainers.code_trainer.ridge import RidgeMap
from trainers.errors import CheckpointError, TrainerError

OPERATION, FILE, LOCATION = ROLES
FILES_TRIED = 5
"""So many of the likeliest files have their locations looked at."""
PARTS_KEPT = 1_000
"""Of an estimate's parts the weightiest; the others' sum is below the bundle's own noise."""

Names = Sequence[str] | Mapping[str, Sequence[str]]


class CodeResonator(TransformationResonator):
    """Maps issues to patches; roles ACTION, TARGET, MODIFIER are OPERATION, FILE, LOCATION."""

    def __init__(self, codebook: Codebook) -> None:
        super().__init__(codebook, ROLES)
        self._map: RidgeMap | None = None
        self._fusion = dict.fromkeys(ROLES, Fusion())

    def __len__(self) -> int:
        """How many tasks it has learned from."""
        return len(self._map) if self._map else 0

    def fit(
        self, issues: Sequence[Tensor], truths: Sequence[Sequence[CodePatch]]
    ) -> "CodeResonator":
        """Learn the map from issues and the patches that solved them, from the start.

        Raises:
            TrainerError: no issues, or not as many truths.
        """
        keys = torch.stack(list(issues)) if len(issues) else torch.empty(0, 1)
        self._map = RidgeMap(keys, [_targets(patches) for patches in truths])
        return self

    def add(self, issues: Sequence[Tensor], truths: Sequence[Sequence[CodePatch]]) -> None:
        """Learn from further tasks; what was learned stays."""
        if self._map is None:
            self.fit(issues, truths)
        else:
            new = [_targets(patches) for patches in truths]
            self._map = self._map.add(torch.stack(list(issues)), new)

    def calibrate(self, cases: Sequence[Case]) -> None:
        """Choose each factor's fusion by the likelihood of the truth in cases not fitted on."""
        for role in ROLES:
            scored = [
                Scored(
                    self._scores(role, self.estimate(case.issue, role), names),
                    prior_of(names, case.priors.get(role)),
                    names.index(case.truth[role]),
                )
                for case in cases
                if (names := list(case.names.get(role, ())))
                if case.truth.get(role) in names
            ]
            if scored:
                self._fusion[role] = best_fusion(scored)

    def estimate(self, issue: Tensor, role: str) -> Tensor:
        """The bundle of a factor's parts that the map expects of an issue: float32 (D,)."""
        if self._map is None:
            raise TrainerError(
                "the resonator has learned nothing: fit it on tasks with their fixes"
            )
        expected = self._map.expected(issue, role)
        largest = heapq.nlargest(PARTS_KEPT, expected.items(), key=lambda item: abs(item[1]))
        return self.codebook.weighted(f"{role} PART", dict(largest))

    def distribution(
        self, role: str, issue: Tensor, names: Sequence[str], prior: Mapping[str, float] | None
    ) -> dict[str, float]:
        """P(name) of one factor; the prior holds log probabilities, of names it lacks the least."""
        scores = self._scores(role, self.estimate(issue, role), names)
        logs = self._fusion[role](scores, prior_of(names, prior))
        return dict(zip(names, logs.exp().tolist(), strict=True))

    def resonate(  # type: ignore[override] # an issue has no factors: not the base's question
        self, issue: Tensor, vocabularies: Mapping[str, Names], priors: Priors | None = None
    ) -> CodePatchResult:
        """The likeliest operation, file and location; see ``resonate_topk``."""
        return self.resonate_topk(issue, vocabularies, 1, priors)[0]

    def resonate_topk(  # type: ignore[override]
        self,
        issue: Tensor,
        vocabularies: Mapping[str, Names],
        k: int,
        priors: Priors | None = None,
    ) -> list[CodePatchResult]:
        """Up to k different (operation, file, location), likeliest first.

        Args:
            issue: (D,).
            vocabularies: FILE: the tree's paths. LOCATION: the locations by file, of the files that
                are to be considered, or one list for all. OPERATION may be left out: all six.
            k: how many.
            priors: log probabilities by role and name; of a location the name is
                ``path::location``.

        Raises:
            TrainerError: nothing was learned, or no file has a location.
        """
        given = priors or {}
        by_file = self._locations(vocabularies)
        files = [path for path in vocabularies[FILE] if by_file(path)]
        operations = list(vocabularies.get(OPERATION, OPERATIONS))
        if not files or not operations:
            raise TrainerError("no file has a location to change: give the tree's files and theirs")
        of_places = given.get(LOCATION, {})
        least = min(of_places.values(), default=0.0)
        expected = {role: self.estimate(issue, role) for role in ROLES}
        of_operation = self._ranked(OPERATION, expected, operations, given.get(OPERATION))
        found = []
        for path, of_file in self._ranked(FILE, expected, files, given.get(FILE))[:FILES_TRIED]:
            names = list(by_file(path))
            prior = {name: of_places.get(f"{path}::{name}", least) for name in names if of_places}
            of_location = self._ranked(LOCATION, expected, names, prior)[:k]
            for (place, p), (operation, q) in product(of_location, of_operation):
                found.append(_result((operation, path, place), (q, of_file, p)))
        return sorted(found, key=lambda result: -result.probability)[:k]

    def factorise(self, patch: Tensor, vocabularies: Mapping[str, Sequence[str]]) -> Factorization:
        """The factors of a patch's own vector (the base class's resonate)."""
        return super().resonate_topk(patch, vocabularies, 1)[0]

    def save(self, path: Path) -> None:
        """Write what was learned, atomically, as safetensors with JSON in its metadata.

        Raises:
            TrainerError: nothing was learned.
        """
        if self._map is None:
            raise TrainerError(
                "the resonator has learned nothing that could be saved: fit it first"
            )
        told = {
            "codebook": [self.codebook.dimensions, self.codebook.seed],
            "penalties": self._map.penalties,
            "fusion": {role: asdict(fusion) for role, fusion in self._fusion.items()},
            "targets": self._map.targets,
        }
        content = save({"keys": self._map.keys.contiguous()}, {"resonator": json.dumps(told)})
        write_atomically(path, content)

    @classmethod
    def load(cls, path: Path, codebook: Codebook) -> "CodeResonator":
        """Read a resonator back.

        Raises:
            CheckpointError: it is missing, broken, or of another codebook.
        """
        try:
            with safe_open(path, framework="pt") as file:
                told: dict[str, Any] = json.loads(file.metadata()["resonator"])
                keys = file.get_tensor("keys")
            resonator = cls(codebook)
            resonator._map = RidgeMap(keys, told["targets"], told["penalties"])
            resonator._fusion = {role: Fusion(**told["fusion"][role]) for role in ROLES}
            made_with = told["codebook"]
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be read as a resonator: {error}") from error
        if made_with != [codebook.dimensions, codebook.seed]:
            raise CheckpointError(
                f"{path} was made with a codebook of (dimensions, seed) {made_with}: use that one"
            )
        return resonator

    def _scores(self, role: str, expected: Tensor, names: Sequence[str]) -> Tensor:
        """(names,): cosines of the names' bundles of parts with what is expected.

        The product with a bundle is the sum of those with its parts, and names share parts.
        """
        parts = [_parts(role, name) for name in names]
        all_parts = list(dict.fromkeys(part for own in parts for part in own))
        products: dict[str, float] = {}
        for start in range(0, len(all_parts), 1024):
            block = all_parts[start : start + 1024]
            vectors = self.codebook.matrix(f"{role} PART", block).float()
            products |= zip(block, (vectors @ expected).tolist(), strict=True)
        scale = float(expected.norm()) * math.sqrt(self.codebook.dimensions) or 1.0
        return torch.tensor(
            [
                sum(weight * products[part] for part, weight in own.items())
                / (scale * math.sqrt(sum(weight * weight for weight in own.values())))
                for own in parts
            ]
        )

    def _ranked(
        self,
        role: str,
        expected: Mapping[str, Tensor],
        names: Sequence[str],
        prior: Mapping[str, float] | None,
    ) -> list[tuple[str, float]]:
        scores = self._scores(role, expected[role], names)
        logs = self._fusion[role](scores, prior_of(names, prior))
        return sorted(zip(names, logs.exp().tolist(), strict=True), key=lambda pair: -pair[1])

    @staticmethod
    def _locations(vocabularies: Mapping[str, Names]) -> Any:
        given = vocabularies[LOCATION]
        if isinstance(given, Mapping):
            return lambda path: given.get(path, ())
        return lambda path: given


def _targets(patches: Sequence[CodePatch]) -> dict[str, dict[str, float]]:
    """What the map learns of a task: the largest patch's operation, all files and locations."""
    if not patches:
        return {}
    largest = max(patches, key=lambda p: p.anchor.count("\n") + p.content.count("\n"))
    targets: dict[str, dict[str, float]] = {OPERATION: {largest.operation: 1.0}}
    for role, names in (
        (FILE, dict.fromkeys(patch.file for patch in patches)),
        (LOCATION, dict.fromkeys(patch.location for patch in patches)),
    ):
        sums = targets.setdefault(role, {})
        for name in names:
            for part, weight in _parts(role, name).items():
                sums[part] = sums.get(part, 0.0) + weight / len(names)
    return targets


def _parts(role: str, name: str) -> Mapping[str, float]:
    if role == FILE:
        return file_parts(name)
    return location_parts(name) if role == LOCATION else {name: 1.0}


def _result(names: tuple[str, ...], probabilities: tuple[float, ...]) -> CodePatchResult:
    operation, path, place = names
    return CodePatchResult(
        file=path,
        operation=operation,
        location=place,
        min_confidence=min(probabilities),
        confidences=dict(zip(ROLES, probabilities, strict=True)),
        probability=math.prod(probabilities),
    )
