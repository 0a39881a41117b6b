"""A worker process on a node: it opens what a job needs once, then does units of work."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sandbox import SandboxError
from trainers.errors import TrainerError

Unit_contra = TypeVar("Unit_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)


class Work(Protocol[Unit_contra, Result_co]):
    """What a worker has open. ``identity`` says what results can be compared with those of others.

    ``capacity``: how much it does at once, in programs or samples.
    """

    identity: str
    capacity: int

    def do(self, unit: Unit_contra) -> Result_co:
        """Do one unit; called by several threads where the job allows more than one."""

    def close(self) -> None:
        """End what it started."""


@dataclass(frozen=True)
class Opened:
    """A worker is ready."""

    identity: str
    capacity: int


@dataclass(frozen=True)
class Broken:
    """What the work needs does not work, or no longer; ``why`` is the error's text."""

    why: str


class Worker:
    """The actor. Errors of ours come back as values: only a fault of the program is raised."""

    def __init__(self) -> None:
        self._work: Work[Any, Any] | None = None

    def open(self, open_work: Callable[[], Work[Any, Any]]) -> Opened | Broken:
        """Open the work; to be called once, first."""
        try:
            self._work = open_work()
        except (TrainerError, SandboxError, OSError) as error:
            return Broken(f"{type(error).__name__}: {error}")
        return Opened(self._work.identity, self._work.capacity)

    def do(self, unit: Any) -> Any:
        """The unit's result, or :class:`Broken`: the worker is of no more use."""
        assert self._work is not None
        try:
            return self._work.do(unit)
        except (TrainerError, SandboxError) as error:
            return Broken(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """End what was opened."""
        if self._work is not None:
            self._work.close()
