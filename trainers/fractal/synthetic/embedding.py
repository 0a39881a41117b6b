"""How a stage is read: its two ends and each of its roots as one position each."""

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

from trainers.fractal.synthetic.numbers import (
    FEATURES,
    RATIO_FEATURES,
    UNKNOWN,
    difference,
    feature_table,
    ratio_features,
    table_rows,
)
from trainers.fractal.synthetic.rows import PAD, StageRows, digits_of

ENDS = 2  # positions before a stage's roots: its start and its end
_FAR = 7  # distances beyond are alike
_OPEN_DIGIT = 10

Running = Literal["both", "forward"]


@dataclass(frozen=True)
class NetworkSpec:
    """The size of both networks, and which running values the renderer sees.

    ``both``: the value before a root, run from the stage's start, and the value wanted after it,
    run back from the stage's end, each as far as chunks are known; ``forward``: only the first.
    """

    hidden: int = 64
    layers: int = 2
    heads: int = 4
    running: Running = "both"


class NumberEmbedding(nn.Module):
    """Whole numbers as states."""

    table: Tensor

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.register_buffer("table", feature_table(), persistent=False)
        self.map = nn.Linear(FEATURES, hidden)

    def forward(self, values: Tensor) -> Tensor:
        """Map int64 (...) to float (..., hidden)."""
        states: Tensor = self.map(self.table[table_rows(values)])
        return states


class ChangeEmbedding(nn.Module):
    """A pair of values as a state: their difference and their ratio."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.difference = NumberEmbedding(hidden)
        self.ratio = nn.Linear(RATIO_FEATURES, hidden)

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Map two int64 (...) to float (..., hidden)."""
        change, ratio = self.difference(difference(before, after)), ratio_features(before, after)
        return cast(Tensor, change + self.ratio(ratio))


class EndsEmbedding(nn.Module):
    """A stage's start and end as (rows, 2, hidden)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.value = NumberEmbedding(hidden)
        self.change = ChangeEmbedding(hidden)
        self.side = nn.Embedding(ENDS, hidden)

    def forward(self, start: Tensor, end: Tensor) -> Tensor:
        """Map two int64 (rows,) to float (rows, 2, hidden)."""
        values = self.value(torch.stack([start, end], 1)) + self.side.weight
        states: Tensor = values + self.change(start, end)[:, None]
        return states


class StageEmbedding(nn.Module):
    """Maps a batch of stages to float (rows, ENDS + places, hidden).

    Places are told by their distance from the stage's start and from its end, so that a stage
    looks the same wherever it stands in however long a program.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        hidden = spec.hidden
        self._both = spec.running == "both"
        self.ends = EndsEmbedding(hidden)
        self.before, self.after = NumberEmbedding(hidden), NumberEmbedding(hidden)
        self.change = ChangeEmbedding(hidden)
        self.op = nn.Embedding(PAD + 1, hidden)
        self.from_start = nn.Embedding(_FAR + 1, hidden)
        self.from_end = nn.Embedding(_FAR + 1, hidden)
        self.tens = nn.Embedding(_OPEN_DIGIT + 1, hidden)
        self.ones = nn.Embedding(_OPEN_DIGIT + 1, hidden)

    def forward(self, rows: StageRows) -> Tensor:
        """See the class."""
        places = torch.arange(rows.ops.shape[1])
        left = rows.real.sum(1, keepdim=True) - 1 - places
        tens, ones = (
            digits_of(rows.operands).masked_fill(rows.open[..., None], _OPEN_DIGIT).unbind(-1)
        )
        before, after = rows.before(), self._after(rows)
        roots = (
            self.op(rows.ops)
            + self.from_start(places.clamp(max=_FAR))
            + self.from_end(left.clamp(0, _FAR))
            + self.tens(tens)
            + self.ones(ones)
            + self.before(before)
            + self.after(after)
            + self.change(before, after if self._both else rows.end[:, None].expand_as(before))
        )
        return torch.cat([self.ends(rows.start, rows.end), roots], 1)

    def _after(self, rows: StageRows) -> Tensor:
        """What is wanted after a root, or what is reached after it where only that may be seen."""
        if self._both:
            return rows.after()
        return torch.cat([rows.before()[:, 1:], torch.full_like(rows.start, UNKNOWN)[:, None]], 1)
