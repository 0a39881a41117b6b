"""Patches as hypervectors: a role-filler bundle or a product of fillers, and back (seed: §2.3)."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import torch
from torch import Tensor

from memory.hologram.codebook import Codebook
from memory.hologram.hypervectors import bundle
from memory.hologram.resonator import Factorization, TransformationResonator
from trainers.code_trainer.patches import CodePatch
from trainers.code_trainer.regions import OPERATIONS
from trainers.errors import PatchError

ROLES = ("OPERATION", "FILE", "LOCATION")


class PatchVectors:
    """Encodes patches with one codebook, which all that compares its vectors must share.

    Fillers are of the kind of their role, as ``TransformationResonator`` has them.
    """

    def __init__(self, codebook: Codebook) -> None:
        self.codebook = codebook
        self._resonator = TransformationResonator(codebook, ROLES)

    def encode_patch(self, patch: CodePatch, files: Collection[str] | None = None) -> Tensor:
        """float32 (D,): OPERATION ⊙ operation + FILE ⊙ file + LOCATION ⊙ location.

        Args:
            patch: what to encode.
            files: the files that the tree has; None takes any.

        Raises:
            PatchError: an operation that is none of the six, or a file that the tree lacks.
        """
        return self._resonator.encode_bundle(self._factors(patch, files))

    def encode_product(self, patch: CodePatch, files: Collection[str] | None = None) -> Tensor:
        """int8 (D,): the product of the three fillers, each rotated by its role's place.

        Raises:
            PatchError: as ``encode_patch``.
        """
        return self._resonator.encode_product(self._factors(patch, files))

    def encode_patches(
        self, patches: Sequence[CodePatch], files: Collection[str] | None = None
    ) -> Tensor:
        """float32 (D,): a change of several patches as the sum of their products.

        A sum of role-filler bundles would not say which file goes with which location.

        Raises:
            PatchError: as ``encode_patch``, or no patches.
        """
        if not patches:
            raise PatchError("a change without a patch has no vector: give at least one")
        return bundle(torch.stack([self.encode_product(patch, files) for patch in patches]))

    def factorise(self, vector: Tensor, vocabularies: Mapping[str, Sequence[str]]) -> Factorization:
        """The factors of a patch's vector of either form, among each role's names."""
        return self._resonator.resonate(vector, vocabularies)

    def agrees(
        self,
        patches: Iterable[CodePatch],
        factors: Mapping[str, str],
        vocabularies: Mapping[str, Sequence[str]],
    ) -> bool:
        """True where every patch, encoded again, has the factors that it was made for.

        What a patch is comes from its own text, not from the wish: vocabularies that lack one of
        its factors give another one, or none that is told from chance.
        """
        found = [self.factorise(self.encode_patch(patch), vocabularies) for patch in patches]
        return bool(found) and all(one.verified and one.factors == dict(factors) for one in found)

    def _factors(self, patch: CodePatch, files: Collection[str] | None) -> dict[str, str]:
        if patch.operation not in OPERATIONS:
            raise PatchError(
                f"no such operation: {patch.operation}; known: {', '.join(OPERATIONS)}"
            )
        if files is not None and patch.file not in files:
            raise PatchError(f"{patch.file} is not in the tree: a patch can only be of its files")
        return patch.factors
