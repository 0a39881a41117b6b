"""The generator that a stage works with: the configured one, its engine known to the store."""

import os

from trainers.generators import open_generator as open_configured
from trainers.generators.base import Generator
from trainers.generators.weights import default_weights_dir
from trainers.stage import StageContext


def open_generator(context: StageContext) -> Generator:
    """The configured generator; its engine's process is registered, so that it can be ended."""

    def register(pid: int, start: float, role: str) -> None:
        context.store.register_process(pid, start, role, context.settings.generator.model)

    return open_configured(
        context.settings.generator,
        state_dir=context.state_dir,
        weights_dir=default_weights_dir(os.environ),
        log_path=context.state_dir / "logs" / "generator.log",
        on_engine=register,
    )
