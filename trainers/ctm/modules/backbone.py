"""CodeBackbone: token embeddings, local convolutions and attention over the cells that exist.

Functions fill some three per cent of a 64 x 48 grid. A convolution over packed cells gathers each
cell's eight neighbours by index: the numbers of a dense one, without the empty cells.
"""

import torch
from torch import Tensor, nn

from trainers.ctm.batch import Batch
from trainers.ctm.config import CTMConfig
from trainers.ctm.data.notices import KINDS
from trainers.ctm.lexeme_identity import LINKS, USES, links, uses
from trainers.ctm.modules.fourier import LearnableFourier2D
from trainers.ctm.modules.gather import gather_cells
from trainers.ctm.modules.precision import product_dtype
from trainers.ctm.modules.rotational import RotationalEmbedding2D, angles
from trainers.ctm.modules.transformer import PreNormLayer

OFFSETS = tuple((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1))


def neighbours(batch: Batch, config: CTMConfig) -> Tensor:
    """Find each cell's 3 x 3 neighbourhood.

    Returns:
        (B * N, 9) int64: indices into the flattened cells, B * N where the grid has no such cell;
        for padding cells all nine are B * N.
    """
    size, cells = batch.tokens.shape
    height, width = config.grid_height + 2, config.grid_width + 2
    device = batch.tokens.device
    sample = torch.arange(size, device=device)[:, None]
    place = ((sample * height + batch.row + 1) * width + batch.col + 1).flatten()
    none = size * cells
    # Padding cells go to one more place at the end, which nobody looks up.
    written = torch.where(batch.valid.flatten(), place, size * height * width)
    table = torch.full((size * height * width + 1,), none, dtype=torch.int64, device=device)
    table.scatter_(0, written, torch.arange(none, device=device))
    table[-1] = none
    steps = torch.tensor([i * width + j for i, j in OFFSETS], device=device)
    found = table[(place[:, None] + steps).clamp(0, size * height * width)]
    return found.masked_fill(~batch.valid.reshape(-1, 1), none)


class LocalConvolution(nn.Module):
    """x + W2 gelu(conv3x3(norm(x))), residual."""

    def __init__(self, d_model: int, width: int, near: int = len(OFFSETS)) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(d_model)
        self.convolve = nn.Linear(near * d_model, width)
        self.out = nn.Linear(width, d_model)

    def forward(self, features: Tensor, around: Tensor) -> Tensor:
        """Convolve packed cells.

        Args:
            features: (B * N, d_model).
            around: (B * N, 9) of ``neighbours``, with ``links`` where the configuration has them.
        """
        normalised: Tensor = self.norm(features)
        near = gather_cells(normalised.to(product_dtype(normalised)), around)
        changed: Tensor = features + self.out(nn.functional.gelu(self.convolve(near)))
        return changed


class TokenGrid(nn.Module):
    """Tied token embedding, widened to the model, plus the cell's position."""

    def __init__(self, config: CTMConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.d_embedding)
        nn.init.normal_(self.embedding.weight, std=config.d_embedding**-0.5)
        self.widen = nn.Linear(config.d_embedding, config.d_model)
        # The embedding serves as output weights too, so its rows are short; inputs are unit scale.
        self.scale = config.d_embedding**0.5
        self.positional: nn.Module | None = None
        if config.positional_embedding == "learnable-fourier-2d":
            self.positional = LearnableFourier2D(config)
        elif config.positional_embedding == "rotational-2d":
            self.positional = RotationalEmbedding2D(config)
        self.notice = _marks(KINDS, config.d_model) if config.notices else None
        self.uses = _marks(USES, config.d_model) if config.uses else None

    def forward(self, batch: Batch) -> Tensor:
        """(B, N, d_model); padding is 0."""
        features: Tensor = self.widen(self.embedding(batch.tokens) * self.scale)
        if self.positional is not None:
            features = features + self.positional(batch.row, batch.col)
        if self.notice is not None:
            features = features + self.notice(batch.notice)
        if self.uses is not None:
            features = features + self.uses(uses(batch).count)
        return features * batch.valid[..., None]


def _marks(kinds: int, width: int) -> nn.Embedding:
    """Small at first: what a cell says itself comes before what is said of it."""
    marks = nn.Embedding(kinds, width)
    nn.init.normal_(marks.weight, std=0.1)
    return marks


class CodeBackbone(nn.Module):
    """Local convolutions over a token grid, then attention of each cell to all others.

    Without attention its field of view is small, as in the paper's models. Where a name was bound
    and which bracket closes another are then out of sight, and one query a tick does not fetch
    them: layers of attention are what the CPU's preset adds.

    Args:
        config: the grid's size and the model's width.
        layers: convolutions.
        width: their hidden width.
        attention: layers of attention.
    """

    def __init__(self, config: CTMConfig, layers: int, width: int, attention: int = 0) -> None:
        super().__init__()
        self.config = config
        near = len(OFFSETS) + (LINKS if config.links else 0)
        self.layers = nn.ModuleList(
            LocalConvolution(config.d_model, width, near) for _ in range(layers)
        )
        self.attention = nn.ModuleList(
            PreNormLayer(config.d_model, config.heads, 2 * config.d_model) for _ in range(attention)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, features: Tensor, batch: Batch) -> Tensor:
        """(B, N, d_model) of ``TokenGrid`` to the same shape, normalised; padding is 0."""
        around = neighbours(batch, self.config)
        if self.config.links:
            near = links(batch, uses(batch))
            half = LINKS // 2
            around = torch.cat([near[:, :half], around, near[:, half:]], 1)
        packed = features.flatten(0, 1)
        for layer in self.layers:
            packed = layer(packed, around)
        cells = packed.view_as(features)
        if len(self.attention):
            turned = angles(batch.row, batch.col, self.config.d_model // self.config.heads)
            for attend in self.attention:
                cells = attend(cells, batch.valid, turned)
        normalised: Tensor = self.norm(cells)
        return normalised * batch.valid[..., None]
