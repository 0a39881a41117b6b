"""A synthetic model that trains in seconds, for tests."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from trainers.fractal.synthetic.domain import SyntheticDomain
from trainers.fractal.synthetic.model import SyntheticModel, untrained
from trainers.fractal.synthetic.programs import ChainProgram, Op, Root, SyntheticTask
from trainers.fractal.synthetic.train import train
from trainers.synthetic_settings import (
    DifficultyConfig,
    NetworkConfig,
    SyntheticConfig,
    TrainingConfig,
)

CONFIG = SyntheticConfig(
    difficulty=DifficultyConfig(max_roots=4, stage_roots=2, max_addend=9),
    network=NetworkConfig(hidden=16, layers=1, heads=2),
    training=TrainingConfig(tasks=300, steps=12, batch=32, checkpoint_every=5),
    validation_tasks=12,
    test_tasks=12,
    tokens_per_root=40,
)
LEARNED = CONFIG.model_copy(
    update={
        "network": NetworkConfig(hidden=32, layers=1, heads=2),
        "training": TrainingConfig(tasks=1000, steps=300, batch=64),
        "validation_tasks": 60,
    }
)
TASK = SyntheticTask((40, 90, 30), 4)
ADD, SUB, MUL, DIV = Op


def program(*stages: str) -> ChainProgram:
    """Such as program("+ 5 * 2", "/ 3")."""
    by_symbol = {op.symbol: op for op in Op}
    return ChainProgram(
        tuple(
            tuple(
                Root(by_symbol[symbol], None if operand == "?" else int(operand))
                for symbol, operand in zip(words[::2], words[1::2], strict=True)
            )
            for words in (stage.split() for stage in stages)
        )
    )


def random_model(config: SyntheticConfig = CONFIG, seed: int = 0) -> SyntheticModel:
    return untrained(config.network, config.difficulty, seed)


def random_domain() -> SyntheticDomain:
    return SyntheticDomain(random_model(), CONFIG)


@cache
def learned_model() -> SyntheticModel:
    """A model that has learned something, in some seconds; shared by the tests of a process."""
    with TemporaryDirectory() as folder:
        return train(LEARNED, 0, None, Path(folder) / "progress.safetensors")
