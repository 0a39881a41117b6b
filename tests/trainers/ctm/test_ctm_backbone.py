"""Packed convolutions give a dense grid's numbers, and positions do not depend on the batch."""

import pytest
import torch
from ctm_batches import random_batch

from trainers.ctm.config import preset
from trainers.ctm.modules.backbone import LocalConvolution, neighbours
from trainers.ctm.modules.fourier import LearnableFourier2D
from trainers.ctm.modules.gather import gather_cells
from trainers.ctm.modules.rotational import RotationalEmbedding2D, angles, rotate
from trainers.ctm.reference import DenseConvolution, dense_grid, packed_cells


def test_packed_equals_dense() -> None:
    config = preset("tiny")
    batch = random_batch(config, samples=3, cells=40)
    torch.manual_seed(0)
    layers = [LocalConvolution(config.d_model, 24).double() for _ in range(2)]
    dense = [DenseConvolution(layer) for layer in layers]
    features = torch.randn(3, 40, config.d_model, dtype=torch.float64) * batch.valid[..., None]
    given, same = features.clone().requires_grad_(), features.clone().requires_grad_()

    around = neighbours(batch, config)
    packed = given.flatten(0, 1)
    for layer in layers:
        packed = layer(packed, around)
    packed = packed.view_as(features) * batch.valid[..., None]
    grid, filled = dense_grid(same, batch, config.grid_height, config.grid_width)
    for layer in dense:
        grid = layer(grid, filled)
    expected = packed_cells(grid, batch)

    torch.testing.assert_close(packed, expected)
    weights = torch.randn_like(expected)
    (packed * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(given.grad, same.grad)
    for layer, plain in zip(layers, dense, strict=True):
        gradient = layer.convolve.weight.grad.view(24, 3, 3, -1).permute(0, 3, 1, 2)
        torch.testing.assert_close(gradient, plain.weight.grad)


def test_gathering_has_the_right_gradient() -> None:
    config = preset("tiny")
    batch = random_batch(config, samples=2, cells=12)
    features = torch.randn(24, 3, dtype=torch.float64) * batch.valid.flatten()[:, None]
    around = neighbours(batch, config)
    given = features.requires_grad_()
    found = gather_cells(given, around)
    rows = torch.cat([given, given.new_zeros(1, 3)])
    plain = rows[around.flatten()].view(24, -1)
    torch.testing.assert_close(found, plain)
    weights = torch.randn_like(found)
    one = torch.autograd.grad((found * weights).sum(), given)
    two = torch.autograd.grad((plain * weights).sum(), given)
    torch.testing.assert_close(one, two)


@pytest.mark.parametrize("kind", [LearnableFourier2D, RotationalEmbedding2D])
def test_positions_tell_all_cells_of_an_oblong_grid_apart(kind: type[torch.nn.Module]) -> None:
    config = preset("tiny")
    row, col = torch.meshgrid(torch.arange(16), torch.arange(24), indexing="ij")
    torch.manual_seed(0)
    with torch.no_grad():
        embedded = kind(config)(row.reshape(1, -1), col.reshape(1, -1))[0]
    distance = torch.cdist(embedded, embedded) + torch.eye(len(embedded)) * 9
    assert float(distance.min()) > 1e-3


def test_rotated_products_depend_on_the_offset_alone() -> None:
    query, key = torch.randn(2, 16, dtype=torch.float64)

    def product(first: tuple[int, int], second: tuple[int, int]) -> float:
        turned = [
            rotate(values, *(part[0, 0].double() for part in angles(*_cell(place), 16)))
            for values, place in ((query, first), (key, second))
        ]
        return float(turned[0] @ turned[1])

    assert product((1, 2), (4, 7)) == pytest.approx(product((11, 20), (14, 25)), abs=1e-5)
    assert product((1, 2), (4, 7)) != pytest.approx(product((1, 2), (7, 4)), abs=1e-3)


def _cell(place: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor([[place[0]]]), torch.tensor([[place[1]]])
