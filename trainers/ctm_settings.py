"""What ``kent.toml`` says about the CTM trainer: the table ``[ctm]``."""

from typing import Literal

from pydantic import Field

from trainers.section import Section


class CTMSettings(Section):
    """The CTM on code repair."""

    preset: Literal["spec", "cpu", "tiny"] = Field(
        "spec", description="the model's shape; spec: the specification's 15 M weights"
    )
    curriculum: Literal["gpu", "cpu"] = Field("gpu", description="the four stages' ticks and sizes")
    curriculum_share: float = Field(1.0, gt=0, le=10, description="of the stages' samples")
    learning_rate_scale: float = Field(1.0, gt=0, le=10, description="of the stages' rates")
    data: str = Field(
        "", description="folder of `kent tasks build-ctm`; empty: one is built in the state"
    )
    data_samples: int = Field(
        1_000_000, ge=20, le=100_000_000, description="of train, where it is built"
    )
    data_growth: int = Field(
        0, ge=0, le=100_000_000, description="that each later round adds, new bugs in functions"
    )
    data_most: int = Field(
        1_000_000, ge=20, le=100_000_000, description="of train, to which rounds let it grow"
    )
    data_functions: int = Field(
        0, ge=0, description="read packages until so many are found; 0: as many as samples"
    )
    vocabulary: int = Field(32_768, ge=1024, le=65_536, description="ids, where it is built")
    seconds: float = Field(3600, gt=0, le=604_800, description="of training in a round, at most")
    samples: int = Field(0, ge=0, description="of training in a round, at most; 0: no limit")
    batch_size: int = Field(128, ge=1, le=65_536)
    most_cells: int = Field(
        65_536, ge=1, description="computed at once; larger batches are computed in parts"
    )
    gradient_accumulation: int = Field(1, ge=1, le=1024, description="batches an update")
    weight_decay: float = Field(0.01, ge=0, le=10)
    precision: Literal["auto", "float32", "bf16"] = Field(
        "auto", description="of matrix products; auto: bf16 where the hardware has it"
    )
    eval_samples: int = Field(
        5000, ge=4, le=1_000_000, description="programs of each held-out set that are repaired"
    )
    tick_samples: int = Field(
        1000, ge=0, le=1_000_000, description="of them, those repaired at every tick"
    )
    repair_pairs: bool = Field(True, description="train on the store's pairs too")
    alpha: float = Field(0.05, gt=0, lt=1, description="of the promotion test")
