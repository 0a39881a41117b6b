"""The models' settings, typed, bounded and checked against each other, and three presets.

Source: the seed document of CTM code repair ("Architecture Configuration"); what it leaves open or
contradicts (``d_input`` missing, 24.7 M weights under a heading of 15 M) is settled here.
"""

from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from trainers.errors import ModelError
from trainers.section import Section

PairType = Literal["first-last", "random", "random-pairing"]
Positions = Literal["learnable-fourier-2d", "rotational-2d", "none"]
TickWeights = Literal["linear", "exponential", "uniform", "ctm", "mixed"]


class CTMConfig(Section):
    """One model's shape. Names are the specification's where it has one."""

    d_model: int = Field(384, ge=8, description="neurons; also the width of a cell's features")
    d_input: int = Field(256, ge=8, description="width of the attention's keys, values and output")
    heads: int = Field(8, ge=1)
    n_synch_out: int = Field(48, ge=1, description="neurons (random-pairing: pairs) read out")
    n_synch_action: int = Field(48, ge=1, description="neurons or pairs that form the query")
    neuron_select_type: PairType = Field("first-last")
    n_random_pairing_self: int = Field(0, ge=0, description="pairs of a neuron with itself")
    pair_seed: int = Field(0, ge=0, description="of the drawn pairs, which never change after")
    iterations: int = Field(64, ge=1, description="ticks")
    memory_length: int = Field(32, ge=1, description="pre-activations that a neuron sees")
    synapse_depth: int = Field(6, ge=1, description="widths of the U-Net; 1: a single GLU layer")
    synapse_min_width: int = Field(16, ge=1)
    deep_nlms: bool = Field(True)
    memory_hidden_dims: int = Field(64, ge=1, description="of a neuron's own model")
    vocab_size: int = Field(32768, ge=4)
    d_embedding: int = Field(256, ge=4, description="width of the tied token embedding")
    grid_height: int = Field(64, ge=2, description="rows")
    grid_width: int = Field(48, ge=2, description="cells of a row")
    backbone_type: Literal["code-encoder"] = Field("code-encoder")
    backbone_layers: int = Field(2, ge=0, description="3 x 3 convolutions over the grid")
    backbone_width: int = Field(240, ge=1, description="between a convolution and its way back")
    backbone_attention: int = Field(0, ge=0, description="layers of attention over all cells")
    positional_embedding: Positions = Field("learnable-fourier-2d")
    notices: bool = Field(False, description="show the parser's complaint to the models")
    uses: bool = Field(False, description="show how often a lexeme stands in the program")
    links: bool = Field(False, description="convolve also over a lexeme's other uses")
    workspace: bool = Field(True, description="let ticks rewrite the cells; off: as in the paper")
    workspace_every: int = Field(4, ge=1, description="ticks from one rewriting to the next")
    workspace_width: int = Field(384, ge=1)
    checkpoint_every: int = Field(0, ge=0, description="ticks recomputed in backward; 0: none")
    tick_weights: TickWeights = Field("linear", description="how ticks share the loss")
    edit_ticks: int = Field(
        2, ge=1, description="ticks, drawn by their weights, at which operation and token count"
    )
    calibration: float = Field(0.0, ge=0, description="weight of (certainty - correctness)^2")
    control_layers: int = Field(2, ge=1, description="of TRM's block, the encoder, the backbone")
    control_width: int = Field(0, ge=0, description="their hidden width; 0: equal weights to CTM")
    trm_inner: int = Field(6, ge=1, description="updates of z for one of y")
    trm_cycles: int = Field(3, ge=1, description="of which only the last has a gradient")
    trm_steps: int = Field(16, ge=1, description="supervision steps")
    trm_exploration: float = Field(0.1, ge=0, le=1, description="share that may not halt early")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        paired = self.neuron_select_type == "random-pairing"
        read = max(self.n_synch_out, self.n_synch_action)
        problems = {
            f"d_input {self.d_input} is not a multiple of heads {self.heads}": self.d_input
            % self.heads,
            f"d_model {self.d_model} is not a multiple of 4 x heads {self.heads}: "
            "rotations want whole pairs for rows and for columns": self.d_model % (4 * self.heads),
            f"{read} synchronised neurons, but d_model is {self.d_model}": not paired
            and read > self.d_model,
            f"n_random_pairing_self {self.n_random_pairing_self} belongs to random-pairing, "
            f"not to {self.neuron_select_type}": not paired and self.n_random_pairing_self,
            f"n_random_pairing_self {self.n_random_pairing_self} is above the number of pairs": (
                self.n_random_pairing_self > min(self.n_synch_out, self.n_synch_action)
            ),
            f"synapse_min_width {self.synapse_min_width} is above d_model {self.d_model}": (
                self.synapse_min_width > self.d_model
            ),
            f"checkpoint_every {self.checkpoint_every} is not a multiple of workspace_every "
            f"{self.workspace_every}": self.workspace
            and self.checkpoint_every % self.workspace_every,
        }
        found = [text for text, wrong in problems.items() if wrong]
        if found:
            raise ValueError("; ".join(found))
        return self


_SHOWN = {"notices": True, "uses": True, "links": True}

PRESETS: dict[str, dict[str, Any]] = {
    "spec": {**_SHOWN, "backbone_width": 144},
    "cpu": {
        "d_model": 128,
        "d_input": 128,
        "heads": 4,
        "n_synch_out": 128,
        "n_synch_action": 128,
        "neuron_select_type": "random-pairing",
        "n_random_pairing_self": 16,
        "iterations": 4,
        "memory_length": 8,
        "synapse_depth": 3,
        "memory_hidden_dims": 16,
        "vocab_size": 4096,
        "d_embedding": 128,
        "grid_height": 32,
        "grid_width": 48,
        "backbone_layers": 3,
        "backbone_width": 128,
        "backbone_attention": 1,
        **_SHOWN,
        "workspace_every": 2,
        "workspace_width": 128,
        "trm_inner": 2,
        "trm_cycles": 1,
        "trm_steps": 2,
    },
    "tiny": {
        "d_model": 64,
        "d_input": 32,
        "heads": 4,
        "n_synch_out": 64,
        "n_synch_action": 64,
        "neuron_select_type": "random-pairing",
        "n_random_pairing_self": 8,
        "iterations": 6,
        "memory_length": 6,
        "synapse_depth": 3,
        "memory_hidden_dims": 8,
        "vocab_size": 2048,
        "d_embedding": 64,
        "grid_height": 16,
        "grid_width": 24,
        "backbone_layers": 1,
        "backbone_width": 64,
        **_SHOWN,
        "workspace_every": 1,
        "workspace_width": 64,
        "trm_inner": 2,
        "trm_cycles": 1,
        "trm_steps": 2,
    },
}


def preset(name: str, **changes: Any) -> CTMConfig:
    """Return a preset with some fields changed.

    Args:
        name: ``spec`` (the specification, 15 M weights), ``cpu`` or ``tiny`` (tests).
        changes: fields of ``CTMConfig``.

    Raises:
        ModelError: for a preset or field that does not exist, or values that contradict.
    """
    if name not in PRESETS:
        raise ModelError(f"there is no preset {name!r}; use one of {', '.join(PRESETS)}")
    return configured({**PRESETS[name], **changes})


def configured(fields: dict[str, Any]) -> CTMConfig:
    """Build a configuration; what is wrong with it is said in one line.

    Raises:
        ModelError: for unknown fields, values out of range, or values that contradict.
    """
    try:
        return CTMConfig.model_validate(fields)
    except ValidationError as error:
        found = [
            ": ".join(filter(None, (".".join(map(str, item["loc"])), item["msg"])))
            for item in error.errors()
        ]
        raise ModelError(f"the CTM's settings are wrong: {'; '.join(found)}") from error
