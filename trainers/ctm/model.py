"""ContinuousThoughtMachine: the CTM as a model that repairs code (Darlow et al. 2025, 2505.05522).

What differs from the reference, and why, stands in the docstrings of the parts: edits instead of
one vector of classes (``modules.head``), packed cells (``modules.backbone``), the workspace
(``modules.workspace``), and an order of computation that gives the same numbers (``core``).
"""

import torch
from torch import Tensor

from trainers.ctm.batch import Batch
from trainers.ctm.config import CTMConfig
from trainers.ctm.core import Segment, ThoughtCore
from trainers.ctm.modules.backbone import CodeBackbone
from trainers.ctm.modules.precision import full_precision
from trainers.ctm.modules.synchronization import SynchronizationModule
from trainers.ctm.repair_model import RepairModel
from trainers.ctm.thoughts import Thoughts, certainty


class ContinuousThoughtMachine(RepairModel):
    """Backbone, thought core and edit head; the output synchronisation is the head's context."""

    def __init__(self, config: CTMConfig) -> None:
        pairs = len(SynchronizationModule(config).out.decay)
        super().__init__(config, d_context=pairs)
        self.backbone = CodeBackbone(
            config, config.backbone_layers, config.backbone_width, config.backbone_attention
        )
        self.core = ThoughtCore(config)

    def forward(self, batch: Batch, ticks: int | None = None, *, analyse: bool = False) -> Thoughts:
        """Think all ticks.

        Args:
            batch: B samples of N cells.
            ticks: None: the configuration's. The first ticks are the same however many follow.
            analyse: also return attention weights and synchronisation vectors.
        """
        return self.reason(self.encode(batch), batch, ticks, analyse=analyse)

    def encode(self, batch: Batch) -> Tensor:
        """Compute the cells' features, (B, N, d_model), 0 at padding."""
        encoded: Tensor = self.backbone(self.grid(batch), batch)
        return encoded

    def reason(
        self, features: Tensor, batch: Batch, ticks: int | None = None, *, analyse: bool = False
    ) -> Thoughts:
        """Think about features that exist; arguments as in ``forward``."""
        count = self.config.iterations if ticks is None else ticks
        segment = self.core.think(features, batch.valid, count, analyse)
        synchronisation = self.core.output_sync(segment.states)
        context = self.head.context(synchronisation)
        start = self.head.norm(features)
        rewritten = segment.features
        states = self.head.norm(torch.stack(rewritten)) if rewritten else start[None]
        every = self.config.workspace_every if rewritten else count
        locations = torch.cat(
            [
                self.head.locate(seen, context[i * every : (i + 1) * every], batch.allowed)
                for i, seen in enumerate(states.unbind(0))
            ]
        )
        return Thoughts(
            locations=locations,
            certainty=certainty(locations, batch.allowed),
            context=context,
            states=states,
            state_of_tick=torch.arange(count, device=features.device) // every,
            copy_keys=self.head.copy_keys(start)[None],
            allowed=batch.allowed,
            ticks_used=torch.full((batch.size,), count, device=features.device),
            attention=torch.stack(segment.attention) if analyse else None,
            synchronisation=synchronisation if analyse else None,
        )

    @torch.no_grad()
    def think(self, batch: Batch, threshold: float, ticks: int | None = None) -> Thoughts:
        """Stop each sample at its second tick in a row with a certainty above ``threshold``.

        A sample that stops leaves the batch, so the ticks it does not need are not computed. The
        thoughts hold one tick, the sample's last one.
        """
        count = self.config.iterations if ticks is None else ticks
        features = self.encode(batch)
        run = _StoppingRun(self, batch, features, count)
        while run.active.numel():
            run.step(threshold)
        return run.thoughts(self.head.copy_keys(self.head.norm(features)))


class _StoppingRun:
    """Ticks one by one over the samples that still think."""

    def __init__(
        self, model: ContinuousThoughtMachine, batch: Batch, features: Tensor, ticks: int
    ) -> None:
        self.model, self.allowed, self.ticks = model, batch.allowed, ticks
        self.active = torch.arange(batch.size, device=features.device)
        self.valid = batch.valid
        sync = model.core.sync
        self.now, self.shared = model.core.start(features), model.core.prepare(features, ticks)
        self.scales = sync.out.scales(ticks + 1)
        self.rate = torch.exp(-sync.out.rate())
        self.summed = sync.out.products(self.now.state)
        self.above = torch.zeros_like(self.active, dtype=torch.bool)
        self.found: list[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]] = []

    def step(self, threshold: float) -> None:
        """Run one tick; take out the samples that are certain for the second time."""
        model, head = self.model, self.model.head
        self.now, segment = model.core.run(self.now, self.shared, self.valid, 1)
        states = self._read(segment)
        allowed = self.allowed[self.active]
        context = head.context(self.summed * self.scales[self.now.tick])[None]
        locations = head.locate(states, context, allowed)
        certain = certainty(locations, allowed)[0]
        above = certain > threshold
        done = above & self.above | (self.now.tick == self.ticks)
        self.above = above
        if not bool(done.any()):
            return
        rows = done.nonzero().squeeze(1)
        used = torch.full_like(self.active[rows], self.now.tick)
        self.found.append(
            (self.active[rows], locations[0, rows], context[0, rows], states[rows], used)
        )
        self._keep((~done).nonzero().squeeze(1))

    def thoughts(self, copy_keys: Tensor) -> Thoughts:
        """Put the samples back in their order."""
        parts = [torch.cat(part) for part in zip(*self.found, strict=True)]
        order = parts[0].argsort()
        locations, context, states, used = (part[order] for part in parts[1:])
        return Thoughts(
            locations=locations[None],
            certainty=certainty(locations[None], self.allowed),
            context=context[None],
            states=states[None],
            state_of_tick=torch.zeros(1, dtype=torch.int64, device=states.device),
            copy_keys=copy_keys[None],
            allowed=self.allowed,
            ticks_used=used,
        )

    def _read(self, segment: Segment) -> Tensor:
        """Add the newest products, and return the cells that the head sees."""
        with full_precision(segment.states):
            products = self.model.core.sync.out.products(segment.states[0])
            self.summed = self.summed * self.rate + products
        states: Tensor = self.model.head.norm(self.now.features)
        return states

    def _keep(self, rows: Tensor) -> None:
        self.active, self.above, self.valid = self.active[rows], self.above[rows], self.valid[rows]
        self.now, self.shared = self.now.select(rows), self.shared.select(rows)
        self.summed = self.summed[rows]
