"""The generator that a stage works with: the configured one, its engine known to the store."""

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from trainers.cards import CardReader, await_release, holders, open_cards, used_memory
from trainers.config import GeneratorConfig
from trainers.generators import choose_backend
from trainers.generators import open_generator as open_configured
from trainers.generators.base import Generator
from trainers.generators.weights import default_weights_dir
from trainers.stage import StageContext

log = logging.getLogger(__name__)

_RELEASE_S = 60.0  # for the driver to give back what an engine that ended had held


def open_generator(context: StageContext, cards: CardReader | None = None) -> Generator:
    """The configured generator, here or on every node of the cluster.

    The process of an engine here is registered, so that it can be ended; those of the cluster end
    with this one. When the engine has ended, the card is looked at until it holds no more than
    before, so that what is trained next finds it free. ``cards`` tells of it; None: whatever this
    machine has.
    """
    reader = open_cards(log.warning) if cards is None else cards
    before: dict[int, int] = {}

    def register(pid: int, start: float, role: str) -> None:
        before.update(used_memory(reader))
        context.store.register_process(pid, start, role, context.settings.generator.model)

    def ended() -> None:
        for card in await_release(reader, before, within_s=_RELEASE_S):
            held = f"card {card.index} still holds {card.used_mb:,} MiB after generation ended"
            _warn(context, f"{held}, {before.get(card.index, 0):,} before: {holders(card)}")

    here = open_configured(
        context.settings.generator,
        state_dir=context.state_dir,
        weights_dir=context.settings.weights_dir,
        log_path=context.state_dir / "logs" / "generator.log",
        on_engine=register,
        on_ended=ended,
    )
    settings = context.settings
    if settings.cluster.engine == "local" or choose_backend(settings.generator) == "openai":
        return here
    from trainers.cluster.generation import ClusterGenerator

    return ClusterGenerator(
        settings.cluster,
        here.id,
        partial(_open_on_node, settings.generator, settings.weights_dir),
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


def _warn(context: StageContext, text: str) -> None:
    log.warning(text)
    context.store.event(
        "card", text, level="warning", round_id=context.round_id, stage_run_id=context.stage_run_id
    )


def _open_on_node(config: GeneratorConfig, weights_dir: Path, log_path: Path) -> Generator:
    return open_configured(
        config,
        state_dir=log_path.parent,
        weights_dir=default_weights_dir(os.environ, weights_dir),
        log_path=log_path,
        on_engine=lambda pid, start, role: None,
    )
