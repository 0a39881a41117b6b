"""The loss of edits over ticks: weights that sum to 1, any correct location counts.

Sources: the two-tick loss of the CTM (arXiv 2505.05522, section 3.3); the specification's weights,
normalised so that the choice among them does not change the learning rate.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainers.ctm.batch import DELETE, Batch
from trainers.ctm.config import CTMConfig, TickWeights
from trainers.ctm.modules.attention import HIDDEN
from trainers.ctm.modules.head import EditHead
from trainers.ctm.modules.precision import full_precision
from trainers.ctm.thoughts import Thoughts


@dataclass(frozen=True)
class RepairLoss:
    """A loss and its parts.

    Attributes:
        total: scalar with gradient: location + operation + token + calibration.
        location: scalar, detached, nats; the others likewise.
        operation: averaged over a sample's edits, 0 for clean samples.
        token: averaged over edits with a new lexeme, 0 where there is none.
        calibration: mean of (certainty - correctness)^2, not yet weighted.
        per_sample: (B,) detached: the sample's own total, not weighted.
        success: (B,) detached: probability of the correct edits together, or of "no fix", averaged
            over the ticks at which tokens count.
        located: (B,) bool: the most likely location at the most certain tick is a correct one.
    """

    total: Tensor
    location: Tensor
    operation: Tensor
    token: Tensor
    calibration: Tensor
    per_sample: Tensor
    success: Tensor
    located: Tensor


def tick_weights(kind: TickWeights, ticks: int, like: Tensor) -> Tensor:
    """(ticks,) weights of location losses that sum to 1, of the type and device of ``like``.

    ``mixed`` has the linear ones for its second half; ``ctm`` has none of its own.
    """
    steps = torch.arange(1, ticks + 1, dtype=like.dtype, device=like.device)
    if kind == "exponential":
        raw = 2 ** (steps - ticks)
    elif kind == "uniform":
        raw = torch.ones_like(steps)
    else:
        raw = steps
    return raw / raw.sum()


def location_losses(locations: Tensor, targets: Tensor) -> Tensor:
    """-log of the probability of all correct locations together.

    Args:
        locations: (T, B, N + 1) full precision logits.
        targets: (B, N + 1) bool, at least one a row.

    Returns:
        (T, B) nats.
    """
    correct = locations.masked_fill(~targets, HIDDEN)
    return locations.logsumexp(-1) - correct.logsumexp(-1)


def two_ticks(losses: Tensor, certainty: Tensor) -> Tensor:
    """(2, B) int64: each sample's tick of least loss and its most certain one; no gradient."""
    return torch.stack([losses.detach().argmin(0), certainty.detach().argmax(0)])


def drawn_ticks(
    weights: Tensor, count: int, samples: int, generator: torch.Generator | None
) -> Tensor:
    """(count, samples) int64: ticks drawn by their weights, one from each of ``count`` shares.

    Averaging a loss over them estimates its weighted sum over all ticks without bias.
    """
    device = generator.device if generator is not None else weights.device
    drawn = torch.rand(count, samples, generator=generator, device=device).to(weights)
    share = (torch.arange(count, device=weights.device)[:, None] + drawn) / count
    ticks = torch.searchsorted(weights.cumsum(0), share.contiguous(), right=True)
    return ticks.clamp(max=len(weights) - 1)


@dataclass(frozen=True)
class _EditLogs:
    """Log-probabilities of the targets at K ticks: (K, B, E), 0 where there is nothing to say."""

    operation: Tensor
    token: Tensor


def repair_loss(
    thoughts: Thoughts,
    batch: Batch,
    head: EditHead,
    embedding: torch.nn.Embedding,
    config: CTMConfig,
    generator: torch.Generator | None = None,
) -> RepairLoss:
    """Compute the loss of a batch in full precision.

    The location counts at every tick. Operation and token count at ``edit_ticks`` ticks drawn by
    the same weights, or at the two chosen ticks where the weights are ``ctm`` or ``mixed``.

    Args:
        thoughts: of the model, for this batch.
        batch: with targets.
        head: what reads operations and tokens.
        embedding: the tied one, from which the head reads tokens.
        config: tick weights and calibration.
        generator: of the drawn ticks; None: torch's own, which the caller seeds.
    """
    targets = batch.targets()
    each = location_losses(thoughts.locations, targets)
    weights = tick_weights(config.tick_weights, thoughts.ticks, each)
    chosen = two_ticks(each, thoughts.certainty)
    ticks = _edit_ticks(weights, chosen, config, generator)
    logs = _edit_logs(thoughts, batch, head, embedding, ticks)
    right = _located(thoughts.locations, targets)
    with full_precision(each):  # autocast would run these products in bf16
        linear, two = weights @ each, each.gather(0, chosen).mean(0)
        parts = {
            "location": {"ctm": two, "mixed": (linear + two) / 2}.get(config.tick_weights, linear),
            "operation": _mean(logs.operation, batch.edit_valid),
            "token": _mean(logs.token, batch.has_token),
            "calibration": weights @ (thoughts.certainty - right.to(each.dtype)) ** 2,
        }
        total = parts["location"] + parts["operation"] + parts["token"]
        if config.calibration:
            total = total + config.calibration * parts["calibration"]
        return RepairLoss(
            total=weighted_mean(total, batch.weight),
            **{name: weighted_mean(part.detach(), batch.weight) for name, part in parts.items()},
            per_sample=total.detach(),
            success=_success(thoughts, batch, logs, ticks),
            located=right.gather(0, chosen[1:]).squeeze(0),
        )


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of (B,) values by the samples' weights; 0 where no sample counts."""
    share = weight.to(values.dtype) / weight.sum().clamp(min=1e-8)
    return (values * share).sum()


def _edit_ticks(
    weights: Tensor, chosen: Tensor, config: CTMConfig, generator: torch.Generator | None
) -> Tensor:
    """(K, B) ticks at which operation and token count."""
    if len(weights) == 1:
        return chosen[:1]
    if config.tick_weights in ("ctm", "mixed"):
        return chosen
    return drawn_ticks(weights, config.edit_ticks, chosen.shape[1], generator)


def _edit_logs(
    thoughts: Thoughts, batch: Batch, head: EditHead, embedding: torch.nn.Embedding, ticks: Tensor
) -> _EditLogs:
    """Read each target's operation and lexeme at its cell, at ``ticks`` (K, B)."""
    count = len(ticks)
    features = thoughts.cells_at(ticks, batch.edit_cell.expand(count, -1, -1))
    hidden, operations = head.edit(features, thoughts.context_at(ticks)[:, :, None])
    op = batch.edit_op.clamp(0, DELETE).expand(count, -1, -1)
    operation = operations.gather(3, op[..., None]).squeeze(-1)
    new = head.replacement(hidden, op, thoughts.keys_at(ticks), thoughts.allowed)
    copied = new.copy + new.pointer.masked_fill(~batch.edit_pointer, HIDDEN).logsumexp(-1)
    known = ((batch.edit_token >= 0) & batch.has_token).expand(count, -1, -1)
    # The vocabulary is read at known new lexemes only: (R, V), not (K, B, E, V).
    logits = head.vocabulary(new.query[known], embedding)
    token = batch.edit_token.expand(count, -1, -1)[known]
    with full_precision(logits):
        read = torch.nn.functional.cross_entropy(logits, token, reduction="none")
    generated = torch.full_like(copied, HIDDEN)
    generated = generated.masked_scatter(known, new.generate[known] - read)
    mixed = torch.logaddexp(generated, copied)
    return _EditLogs(operation * batch.edit_valid, torch.where(batch.has_token, mixed, 0.0))


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    """-mean over ticks and counted edits: (K, B, E) to (B,)."""
    number = counted.sum(-1).clamp(min=1).to(values.dtype)
    return -(values * counted).sum(-1).mean(0) / number


def _located(locations: Tensor, targets: Tensor) -> Tensor:
    """(T, B) bool: the most likely location is a correct one."""
    best = locations.detach().argmax(-1, keepdim=True)
    return targets.expand(len(locations), -1, -1).gather(2, best).squeeze(-1)


@torch.no_grad()
def _success(thoughts: Thoughts, batch: Batch, logs: _EditLogs, ticks: Tensor) -> Tensor:
    """(B,) probability of all correct edits together, or of "no fix" where there is none."""
    samples = torch.arange(batch.size, device=ticks.device)
    places = thoughts.locations[ticks, samples].softmax(-1)
    cells = batch.edit_cell.expand(len(ticks), -1, -1)
    edits = places.gather(2, cells) * (logs.operation + logs.token).exp() * batch.edit_valid
    clean = places[..., -1] * ~batch.edit_valid.any(1)
    return (edits.sum(-1) + clean).mean(0)
