"""The synthetic domain's settings: difficulty, sizes of the networks, training, the loop."""

from typing import Literal, Self

from pydantic import Field, model_validator

from trainers.section import Section


class DifficultyConfig(Section):
    """What tasks are like."""

    min_roots: int = Field(2, ge=1, le=64, description="of a program")
    max_roots: int = Field(8, ge=1, le=64, description="of a program in training")
    stage_roots: int = Field(3, ge=1, le=8, description="roots between two checkpoints, at most")
    min_value: int = Field(20, ge=1, description="the least that a value is on the way")
    max_value: int = Field(999, le=9999, description="the most")
    max_addend: int = Field(19, ge=1, le=99, description="of + and -; the least is 1")
    max_factor: int = Field(9, ge=2, le=99, description="of * and /; the least is 2")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_roots > self.max_roots or self.min_value >= self.max_value:
            raise ValueError("min_roots and min_value must not exceed max_roots and max_value")
        return self


class NetworkConfig(Section):
    """The size of the Manager and of the renderer."""

    hidden: int = Field(64, ge=8, le=4096, multiple_of=8)
    layers: int = Field(2, ge=1, le=64)
    heads: int = Field(4, ge=1, le=64)
    running: Literal["both", "forward"] = Field(
        "both",
        description="running values that the renderer sees, as far as chunks are known; both: from "
        "a stage's start on and from its end back; forward: from its start on",
    )


class TrainingConfig(Section):
    """How the networks learn in one round."""

    tasks: int = Field(20_000, ge=1, description="drawn for a round")
    steps: int = Field(4_000, ge=1, description="a round")
    batch: int = Field(256, ge=4, description="stages a step")
    learning_rate: float = Field(2e-3, gt=0, le=1, description="at its peak")
    weight_decay: float = Field(0.01, ge=0, le=10)
    all_open: float = Field(0.35, ge=0, le=1, description="share of stages with all roots open")
    one_open: float = Field(0.45, ge=0, le=1, description="with one; of the rest a half of each")
    corrupted: float = Field(0.5, ge=0, le=1, description="with a wrong chunk where one is seen")
    checkpoint_every: int = Field(250, ge=1, description="steps")


class SyntheticConfig(Section):
    """The synthetic half of the fractal coder."""

    difficulty: DifficultyConfig = Field(default_factory=DifficultyConfig)
    network: NetworkConfig = Field(default_factory=NetworkConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    temperature: float = Field(1.3, gt=0, le=10, description="of roots and chunks that are drawn")
    resample_temperature: float = Field(
        0.7, gt=0, le=10, description="of the floods that the loop is compared with: theirs, best"
    )
    gain_weight: float = Field(
        0.3, ge=0, description="in localisation, of what another chunk would be likelier"
    )
    attention_weight: float = Field(0.1, ge=0, description="in localisation, of the attention")
    single_fault: float = Field(
        0.3, ge=0, le=1, description="chance of one wrong chunk from which it is patched first"
    )
    flood: int = Field(2, ge=1, le=1024, description="candidates drafted for a task at first")
    local: int = Field(4, ge=1, le=1024, description="candidates for a guilty root")
    tries: int = Field(8, ge=1, le=1000, description="patches of one program")
    tokens_per_root: int = Field(150, ge=1, description="a task's budget for each of its roots")
    validation_tasks: int = Field(200, ge=2, description="of the gate")
    test_tasks: int = Field(400, ge=2, description="of the report, of each kind")
    alpha: float = Field(0.05, gt=0, lt=1, description="of the promotion test")
