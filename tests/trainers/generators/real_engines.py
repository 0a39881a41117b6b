"""What the tests of real engines share: the small model's weights, one chat, one way to open."""

import os
from pathlib import Path

import pytest

from trainers.config import GeneratorConfig
from trainers.errors import WeightsError
from trainers.generators import Message, open_generator
from trainers.generators.engine import EngineGenerator
from trainers.generators.weights import default_weights_dir, find_weights

NAME = "qwen2.5-coder-0.5b-instruct"
CHAT = (
    Message("system", "You are a careful Python programmer."),
    Message("user", "Write a Python function `add(a, b)`. Answer with code only."),
)


def weights_dir() -> Path:
    """Where the small model's weights are; the test is skipped where they are not."""
    folder = default_weights_dir(os.environ)
    try:
        find_weights(NAME, folder)
    except WeightsError as error:
        pytest.skip(str(error))
    return folder


def opened(config: GeneratorConfig, folder: Path, engines: list[int]) -> EngineGenerator:
    """A generator, not entered yet; ``engines`` gets the pid of its process."""
    generator = open_generator(
        config,
        state_dir=folder,
        weights_dir=weights_dir(),
        log_path=folder / "generator.log",
        on_engine=lambda pid, start, role: engines.append(pid),
    )
    assert isinstance(generator, EngineGenerator)
    return generator
