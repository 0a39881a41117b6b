"""The Manager: drafts the roots of a stage one after the other, given where it starts and ends."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainers.fractal.synthetic.blocks import Block
from trainers.fractal.synthetic.embedding import ENDS, EndsEmbedding, NetworkSpec
from trainers.fractal.synthetic.programs import Op
from trainers.fractal.synthetic.rows import PAD

END = PAD  # the root that ends a stage: its length is predicted, not given
_FAR = 15


class Manager(nn.Module):
    """A causal Transformer over roots, which sees the stage's two ends before them."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.ends = EndsEmbedding(spec.hidden)
        self.op = nn.Embedding(len(Op), spec.hidden)
        self.place = nn.Embedding(_FAR + 1, spec.hidden)
        self.blocks = nn.ModuleList(Block(spec.hidden, spec.heads) for _ in range(spec.layers))
        self.norm = nn.LayerNorm(spec.hidden)
        self.to_root = nn.Linear(spec.hidden, len(Op) + 1)

    def forward(self, start: Tensor, end: Tensor, ops: Tensor) -> Tensor:
        """Logits of the next root after each prefix; a stage has at least one root.

        Args:
            start: int64 (rows,).
            end: int64 (rows,).
            ops: int64 (rows, places), the roots so far; what is ``END`` or behind it is not used.

        Returns:
            float (rows, places + 1, operations + 1).
        """
        places = torch.arange(ops.shape[1]).clamp(max=_FAR)
        roots = self.op(ops.clamp(max=len(Op) - 1)) + self.place(places)
        states = torch.cat([self.ends(start, end), roots], 1)
        causal = torch.ones(states.shape[1], states.shape[1], dtype=torch.bool).tril()
        causal[:ENDS, :ENDS] = True
        for block in self.blocks:
            states = block(states, causal)
        logits: Tensor = self.to_root(self.norm(states[:, ENDS - 1 :]))
        first = torch.zeros_like(logits, dtype=torch.bool)
        first[:, 0, END] = True
        return logits.masked_fill(first, -torch.inf)

    @torch.inference_mode()
    def draft(
        self,
        ends: Sequence[tuple[int, int]],
        most: int,
        temperature: float,
        generator: torch.Generator,
    ) -> list[list[Op]]:
        """Sample the roots of a stage for each pair of ends, of ``most`` roots at most."""
        start, end = torch.tensor(ends, dtype=torch.int64).view(-1, 2).unbind(1)
        ops = torch.zeros(len(ends), 0, dtype=torch.int64)
        over = torch.zeros(len(ends), dtype=torch.bool)
        while ops.shape[1] < most and not over.all():
            chances = (self(start, end, ops)[:, -1] / temperature).softmax(-1)
            drawn = torch.multinomial(chances, 1, generator=generator)[:, 0]
            over = over | (drawn == END)
            ops = torch.cat([ops, torch.where(over, END, drawn)[:, None]], 1)
        return [[Op(op) for op in row if op != END] for row in ops.tolist()]

    @torch.inference_mode()
    def likelihood(self, ends: tuple[int, int], skeletons: Sequence[Sequence[Op]]) -> Tensor:
        """Log-likelihood of whole skeletons of one length for one stage, float (skeletons,)."""
        ops = torch.tensor([list(skeleton) for skeleton in skeletons], dtype=torch.int64)
        start, end = (torch.full((len(ops),), value) for value in ends)
        told = self(start, end, ops).log_softmax(-1)
        wanted = torch.nn.functional.pad(ops, (0, 1), value=END)
        chances: Tensor = told.gather(-1, wanted[..., None])[..., 0].sum(1)
        return chances
