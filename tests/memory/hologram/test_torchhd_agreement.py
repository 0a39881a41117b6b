"""The algebra is that of torchhd's MAP vectors."""

import pytest
import torch

from memory.hologram.codebook import Codebook
from memory.hologram.hypervectors import bind, bundle, permute, sign, similarity, unbind

torchhd = pytest.importorskip("torchhd", reason="torch-hd is a development requirement")

VECTORS = Codebook(2000).matrix("k", [f"v{i}" for i in range(6)])


def as_map(vectors: torch.Tensor) -> torch.Tensor:
    return vectors.float().as_subclass(torchhd.MAPTensor)


def test_bind_and_unbind():
    a, b, c = as_map(VECTORS[:3])
    bound = torchhd.bind(torchhd.bind(a, b), c)
    assert torch.equal(bind(*VECTORS[:3]).float(), bound.as_subclass(torch.Tensor))
    assert torch.equal(bound, torchhd.multibind(as_map(VECTORS[:3])))
    undone = torchhd.bind(bound, torchhd.inverse(b)).as_subclass(torch.Tensor)
    assert torch.equal(unbind(bind(*VECTORS[:3]), VECTORS[1]).float(), undone)


def test_bundle():
    theirs = torchhd.multiset(as_map(VECTORS)).as_subclass(torch.Tensor)
    assert torch.equal(bundle(VECTORS), theirs)


@pytest.mark.parametrize("shifts", [-3, 0, 1, 17])
def test_permute(shifts):
    theirs = torchhd.permute(as_map(VECTORS), shifts=shifts).as_subclass(torch.Tensor)
    assert torch.equal(permute(VECTORS, shifts).float(), theirs)


def test_cosine():
    query = bundle(VECTORS[:4], torch.tensor([1.0, 2.0, 3.0, 4.0]))
    theirs = torchhd.cosine_similarity(as_map(query), as_map(VECTORS)).as_subclass(torch.Tensor)
    assert torch.allclose(similarity(VECTORS, query), theirs, atol=1e-6)


def test_sign_where_nothing_is_tied():
    odd = bundle(VECTORS[:5])
    theirs = torchhd.normalize(as_map(odd)).as_subclass(torch.Tensor)
    assert torch.equal(sign(odd).float(), theirs)
