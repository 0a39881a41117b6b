"""Patches as hypervectors: what can be encoded, and what comes back (seed: code trainer §1.3)."""

import pytest
import torch
from swe_family import DIMENSIONS, encode_issue

from memory.hologram.codebook import Codebook
from trainers.code_trainer.code_resonator import CodeResonator
from trainers.code_trainer.diffs import patches_of
from trainers.code_trainer.patch_vectors import PatchVectors
from trainers.code_trainer.patches import CodePatch
from trainers.code_trainer.regions import OPERATIONS
from trainers.errors import PatchError

PATCH = CodePatch("app/sale.py", "add_line", "Sale.close:2", "x\n")
VOCABULARIES = {
    "OPERATION": OPERATIONS,
    "FILE": [f"app/{i}.py" for i in range(50)] + [PATCH.file],
    "LOCATION": [f"f{i}:{i}" for i in range(100)] + [PATCH.location],
}


class TestCodeEncoder:
    @pytest.mark.parametrize("form", ["encode_patch", "encode_product"])
    def test_encode_file_change(self, codebook, form):
        vectors = PatchVectors(codebook)
        vector = getattr(vectors, form)(PATCH)
        assert vector.shape == (DIMENSIONS,)
        found = vectors.factorise(vector, VOCABULARIES)
        assert found.factors == PATCH.factors
        assert found.verified

    def test_encode_multi_file(self, codebook, sample_swe_task):
        vectors = PatchVectors(codebook)
        one = patches_of(sample_swe_task.code_before, sample_swe_task.code_after)[0]
        both = vectors.encode_patches([one, PATCH])
        for patch in (one, PATCH):
            product = vectors.encode_product(patch).float()
            assert float(both @ product) / DIMENSIONS == pytest.approx(1, abs=0.15)
        crossed = CodePatch(one.file, PATCH.operation, PATCH.location, "")
        swapped = vectors.encode_product(crossed).float()
        assert abs(float(both @ swapped)) / DIMENSIONS < 0.15
        with pytest.raises(PatchError, match="at least one"):
            vectors.encode_patches([])

    def test_vocabulary_constraint(self, codebook):
        vectors = PatchVectors(codebook)
        with pytest.raises(PatchError, match="not in the tree"):
            vectors.encode_patch(PATCH, files=["app/other.py"])
        with pytest.raises(PatchError, match="no such operation"):
            vectors.encode_patch(CodePatch("a.py", "rewrite", "f:1", ""))  # type: ignore[arg-type]

    def test_a_patch_agrees_with_its_own_factors_alone(self, codebook):
        vectors = PatchVectors(codebook)
        assert vectors.agrees([PATCH], PATCH.factors, VOCABULARIES)
        other = {**PATCH.factors, "OPERATION": "modify_line"}
        assert not vectors.agrees([PATCH], other, VOCABULARIES)
        assert not vectors.agrees([], PATCH.factors, VOCABULARIES)
        elsewhere = {**VOCABULARIES, "LOCATION": ["g:1", "h:1"]}
        assert not vectors.agrees([PATCH], PATCH.factors, elsewhere)

    def test_all_parts_share_one_codebook(self, learned):
        vectors = PatchVectors(learned.codebook)
        assert learned.resonator.codebook is learned.codebook is vectors.codebook
        again = PatchVectors(Codebook(DIMENSIONS))
        assert torch.equal(vectors.encode_patch(PATCH), again.encode_patch(PATCH))
        resonator = CodeResonator(learned.codebook)
        assert resonator.factorise(again.encode_patch(PATCH), VOCABULARIES).factors == PATCH.factors
        strange = PatchVectors(Codebook(DIMENSIONS, seed=1)).encode_patch(PATCH)
        assert not resonator.factorise(strange, VOCABULARIES).verified
        assert encode_issue(learned.codebook, "an issue").shape == (DIMENSIONS,)
