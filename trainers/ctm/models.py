"""The compared models by name, with equal numbers of weights, and what they are made of."""

from collections.abc import Callable
from typing import Literal

from torch import nn

from trainers.ctm.config import CTMConfig
from trainers.ctm.encoder import BackboneModel, EncoderModel
from trainers.ctm.model import ContinuousThoughtMachine
from trainers.ctm.repair_model import RepairModel
from trainers.ctm.trm import TinyRecursiveModel
from trainers.errors import ModelError

Kind = Literal["ctm", "trm", "encoder", "backbone"]

KINDS: dict[str, Callable[[CTMConfig], RepairModel]] = {
    "ctm": ContinuousThoughtMachine,
    "trm": TinyRecursiveModel,
    "encoder": EncoderModel,
    "backbone": BackboneModel,
}


def build(kind: Kind, config: CTMConfig) -> RepairModel:
    """Make a model with fresh weights; torch's seed decides them.

    Controls whose ``control_width`` is 0 get as many weights as the CTM.

    Raises:
        ModelError: for a kind that does not exist, or one that cannot match the CTM.
    """
    made = _kind(kind)
    return made(config if kind == "ctm" or config.control_width else matched(kind, config))


def matched(kind: Kind, config: CTMConfig) -> CTMConfig:
    """Choose ``control_width`` so that the weights without embedding equal the CTM's within 5 %.

    Raises:
        ModelError: for a kind that does not exist, or where even the narrowest is too large.
    """
    made = _kind(kind)
    if kind == "ctm":
        return config
    # Both sides have the same embedding and token bias: count with the smallest ones.
    small = config.model_copy(update={"vocab_size": 4})
    wanted = _count(ContinuousThoughtMachine(small))
    one, two = (_count(made(small.model_copy(update={"control_width": width}))) for width in (1, 2))
    width = round(1 + (wanted - one) / (two - one))
    if width < 1 or abs(one + (width - 1) * (two - one) - wanted) > 0.05 * wanted:
        raise ModelError(
            f"a {kind} with {config.control_layers} layers of {config.d_model} has more weights "
            f"than the CTM's {wanted:,}: lower control_layers, or set control_width yourself"
        )
    return config.model_copy(update={"control_width": width})


def parameter_table(model: nn.Module) -> list[tuple[str, int]]:
    """Count trainable weights by component, largest first; a tied weight counts once."""
    table: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            component = _component(name)
            table[component] = table.get(component, 0) + parameter.numel()
    return sorted(table.items(), key=lambda row: -row[1])


def weights_without_embedding(model: nn.Module) -> int:
    """Count what comparisons of size go by."""
    return sum(count for name, count in parameter_table(model) if name != "token embedding")


_COMPONENTS = {
    "grid.embedding": "token embedding",
    "grid.widen": "token embedding, widened",
    "grid.positional": "positions",
    "grid.notice": "parser's notices",
    "grid.uses": "uses of lexemes",
    "core.attention": "attention",
    "core.synapse": "synapse U-Net",
    "core.neurons": "neuron-level models",
    "core.workspace": "grid workspace",
    "core.sync": "decay of the synchronisation",
    "core.start": "start state and trace",
    "backbone": "backbone",
    "layers": "layers",
    "halt": "halting head",
    "head": "edit head",
}


def _component(name: str) -> str:
    return next(label for start, label in _COMPONENTS.items() if name.startswith(start))


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _kind(kind: str) -> Callable[[CTMConfig], RepairModel]:
    if kind not in KINDS:
        raise ModelError(f"there is no model {kind!r}; use one of {', '.join(KINDS)}")
    return KINDS[kind]
