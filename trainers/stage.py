"""What a stage is: the protocol that the daemon runs and the context that it hands over."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from memory.store import Store
from trainers.config import TrainerSettings


class Stopped(Exception):
    """Raised inside a stage when it was asked to stop; all finished units are committed."""


@dataclass
class Progress:
    """Where a stage stands; the heartbeat thread writes it to the store. Rates are per second."""

    phase: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""

    def start(self, phase: str, total: int, unit: str, done: int = 0) -> None:
        """Begin a phase of ``total`` units, of which ``done`` were found finished."""
        self.phase, self.done, self.total, self.unit = phase, done, total, unit

    def advance(self, count: int = 1) -> None:
        """``count`` more units are done and committed."""
        self.done += count


@dataclass
class StageContext:
    """What a stage gets. ``batch_scale`` is 0.5 on the retry after running out of memory."""

    store: Store
    settings: TrainerSettings
    state_dir: Path
    round_id: int
    stage_run_id: int
    seed: int
    progress: Progress = field(default_factory=Progress)
    batch_scale: float = 1.0
    stop_requested: Callable[[], bool] = lambda: False

    def check_stop(self) -> None:
        """Raise :class:`Stopped` if the daemon asked for it; call between units of work."""
        if self.stop_requested():
            raise Stopped


@dataclass(frozen=True)
class StageResult:
    """``metrics`` is stored with the stage run as JSON; figures are ``Figure.to_json()``."""

    metrics: dict[str, Any]


class Stage(Protocol):
    """One trainer's turn in a round."""

    name: str

    def why_not_due(self, context: StageContext) -> str | None:
        """None when the stage is to run in this round, else the reason why not."""

    def run(self, context: StageContext) -> StageResult:
        """Do the stage's work; every unit is committed when done, so that it can be cut anywhere.

        Raises:
            Stopped: asked to stop.
            TrainerError: it cannot go on; the message says what to do.
        """
