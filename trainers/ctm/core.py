"""ThoughtCore: the recurrence of the CTM, arranged so that nothing is computed twice.

Tick order, as in the reference: action synchronisation, query, (workspace,) attention, synapses,
trace, neuron models. What ticks share (keys and values, folded neuron weights, scales of the
synchronisation) is prepared once; what does not feed back (output synchronisation, head) is
computed after the loop for all ticks at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt
from typing import TypeVar, TypeVarTuple, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from trainers.ctm.config import CTMConfig
from trainers.ctm.modules.attention import AttentionTape, MultiHeadAttention
from trainers.ctm.modules.nlm import NeuronLevelModels
from trainers.ctm.modules.precision import full, product_dtype
from trainers.ctm.modules.synapse import SynapseUNET
from trainers.ctm.modules.synchronization import SynchronizationModule
from trainers.ctm.modules.trace import NeuronTape, NeuronWeights
from trainers.ctm.modules.workspace import GridWorkspace

_Given = TypeVarTuple("_Given")
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class CoreState:
    """Everything that one tick hands to the next.

    Attributes:
        state: (B, D) post-activations.
        accumulated: (B, pairs) action accumulators, float32 or wider.
        past: (D, B, M - 1) pre-activations, oldest first.
        features: (B, N, D) cells.
        tick: how many ticks were run.
    """

    state: Tensor
    accumulated: Tensor
    past: Tensor
    features: Tensor
    tick: int

    def select(self, rows: Tensor) -> "CoreState":
        """Keep only samples ``rows`` (int64)."""
        return CoreState(
            self.state[rows],
            self.accumulated[rows],
            self.past[:, rows],
            self.features[rows],
            self.tick,
        )


@dataclass(frozen=True)
class Shared:
    """What all ticks of a run share.

    Attributes:
        weights: the neurons', scalars folded in.
        rate: (pairs,) of the action's decay.
        scales: (ticks, pairs) of the action's synchronisation.
        keys_values: of the cells, or None where the workspace rewrites them.
    """

    weights: NeuronWeights
    rate: Tensor
    scales: Tensor
    keys_values: tuple[Tensor, Tensor] | None

    def select(self, rows: Tensor) -> "Shared":
        """Keep only samples ``rows`` (int64)."""
        if self.keys_values is None:
            return self
        keys, values = self.keys_values
        return replace(self, keys_values=(keys[rows], values[rows]))


@dataclass(frozen=True)
class Segment:
    """What some ticks left behind.

    Attributes:
        states: (S, B, D) post-activations.
        features: the cells after each rewriting, each (B, N, D).
        attention: (B, heads, N) a tick where kept, without gradient.
    """

    states: Tensor
    features: tuple[Tensor, ...]
    attention: tuple[Tensor, ...]


class ThoughtCore(nn.Module):
    """Neurons, synapses, attention, synchronisation and, by default, the grid workspace."""

    def __init__(self, config: CTMConfig) -> None:
        super().__init__()
        self.config = config
        size, memory = config.d_model, config.memory_length
        self.sync = SynchronizationModule(config)
        self.attention = MultiHeadAttention(config, len(self.sync.action.decay))
        self.synapse = SynapseUNET(config)
        self.neurons = NeuronLevelModels(config)
        self.workspace = GridWorkspace(config) if config.workspace else None
        bound = 1 / sqrt(size)
        self.start_state = nn.Parameter(torch.empty(size).uniform_(-bound, bound))
        bound = 1 / sqrt(size + memory)
        self.start_trace = nn.Parameter(torch.empty(size, memory).uniform_(-bound, bound))

    def start(self, features: Tensor) -> CoreState:
        """Begin with (B, N, D) cells."""
        samples = features.shape[0]
        state = self.start_state.expand(samples, -1)
        none = full(state).new_zeros(samples, len(self.sync.action.decay))
        # A tick's window ends with what it appends, so the oldest start entry is never seen.
        past = self.start_trace[:, None, 1:].expand(-1, samples, -1)
        return CoreState(state, none, past, features, 0)

    def prepare(self, features: Tensor, ticks: int) -> Shared:
        """Compute once what ``ticks`` ticks share."""
        return Shared(
            self.neurons.weights(),
            self.sync.action_rate(),
            self.sync.action.scales(ticks),
            None if self.workspace is not None else self._again(self.attention.project)(features),
        )

    def run(
        self,
        now: CoreState,
        shared: Shared,
        valid: Tensor,
        ticks: int,
        keep_attention: bool = False,
    ) -> tuple[CoreState, Segment]:
        """Run some ticks; see ``think`` for a whole run.

        Args:
            now: where to go on.
            shared: of ``prepare``, for at least ``now.tick + ticks`` ticks.
            valid: (B, N) bool.
            ticks: how many.
            keep_attention: also return where the ticks looked.
        """
        state, accumulated, features = now.state, now.accumulated, now.features
        dtype = product_dtype(full(features))
        neurons = NeuronTape(shared.weights, now.past, ticks, dtype)
        attention, synapse = self.attention.open(dtype), self.synapse.open(dtype)
        cells = AttentionTape(*shared.keys_values, valid) if shared.keys_values else None
        pres: list[Tensor] = []
        states, rewritten, looks = [], [], []
        for tick in range(now.tick, now.tick + ticks):
            accumulated = self.sync.action_sync(state, accumulated, shared.rate)
            query = attention.query(accumulated * shared.scales[tick])
            if self.workspace is not None and tick % self.config.workspace_every == 0:
                features = self.workspace(features, query, valid)
                rewritten.append(features)
                cells = None
            if cells is None:
                cells = AttentionTape(*self.attention.project(features), valid)
            attended, look = attention.attend(query, cells)
            pres.append(synapse(attended, state))
            state = neurons.step(pres[-1])
            states.append(state)
            if keep_attention:
                looks.append(look)
        after = CoreState(state, accumulated, neurons.latest(pres), features, now.tick + ticks)
        return after, Segment(torch.stack(states), tuple(rewritten), tuple(looks))

    def think(
        self, features: Tensor, valid: Tensor, ticks: int, keep_attention: bool = False
    ) -> Segment:
        """Run all ticks, in recomputed segments where ``checkpoint_every`` says so.

        Args:
            features: (B, N, D) cells, 0 at padding.
            valid: (B, N) bool.
            ticks: how many.
            keep_attention: also return where the ticks looked.

        Returns:
            One segment; its states begin with the start state, so they are (ticks + 1, B, D).
        """
        now, shared = self.start(features), self.prepare(features, ticks)
        length = self.config.checkpoint_every or ticks
        run = self._again(self.run)
        found = []
        first = now.state[None]
        for begin in range(0, ticks, length):
            steps = min(length, ticks - begin)
            now, segment = run(now, shared, valid, steps, keep_attention)
            found.append(segment)
        states = torch.cat([first.to(found[0].states.dtype), *(part.states for part in found)])
        return Segment(
            states,
            tuple(each for part in found for each in part.features),
            tuple(each for part in found for each in part.attention),
        )

    def output_sync(self, states: Tensor) -> Tensor:
        """``SynchronizationModule.output_sync``, recomputed where ``checkpoint_every`` says so."""
        return self._again(self.sync.output_sync)(states)

    def _again(self, compute: Callable[[*_Given], _Made]) -> Callable[[*_Given], _Made]:
        """Make backward compute the inside again, where ``checkpoint_every`` is set."""
        if not self.config.checkpoint_every or not torch.is_grad_enabled():
            return compute

        def recomputed(*given: *_Given) -> _Made:
            made = checkpoint(compute, *given, use_reentrant=False, preserve_rng_state=False)
            return cast(_Made, made)

        return recomputed
