"""The generator that a stage works with: the configured one, its engine known to the store."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from trainers.config import GeneratorConfig
from trainers.generators import choose_backend
from trainers.generators import open_generator as open_configured
from trainers.generators.base import Generator
from trainers.generators.weights import default_weights_dir
from trainers.stage import StageContext


def open_generator(context: StageContext) -> Generator:
    """The configured generator, here or on every node of the cluster.

    The process of an engine here is registered, so that it can be ended; those of the cluster end
    with this one.
    """

    def register(pid: int, start: float, role: str) -> None:
        context.store.register_process(pid, start, role, context.settings.generator.model)

    here = open_configured(
        context.settings.generator,
        state_dir=context.state_dir,
        weights_dir=default_weights_dir(os.environ),
        log_path=context.state_dir / "logs" / "generator.log",
        on_engine=register,
    )
    settings = context.settings
    if settings.cluster.engine == "local" or choose_backend(settings.generator) == "openai":
        return here
    from trainers.cluster.generation import ClusterGenerator

    return ClusterGenerator(
        settings.cluster,
        here.id,
        partial(_open_on_node, settings.generator),
        settings.generator.parallel,
        on_notice(context),
    )


def on_notice(context: StageContext) -> Callable[[str], None]:
    """What keeps a notice about the cluster as an event of the stage."""

    def tell(notice: str) -> None:
        context.store.event(
            "cluster.notice",
            notice,
            level="warning",
            round_id=context.round_id,
            stage_run_id=context.stage_run_id,
        )

    return tell


def _open_on_node(config: GeneratorConfig, log_path: Path) -> Generator:
    return open_configured(
        config,
        state_dir=log_path.parent,
        weights_dir=default_weights_dir(os.environ),
        log_path=log_path,
        on_engine=lambda pid, start, role: None,
    )
