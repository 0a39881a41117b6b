"""What a repair loop leaves behind: its steps, the programs that were judged, how it ended."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from trainers.fractal.domain import FLOOD, Judgement, Suspect

Program = TypeVar("Program")


@dataclass(frozen=True)
class Step:
    """One call and what came of it; ``kind`` is that of the best program it made.

    ``base`` is the number of the program that was patched, ``root`` the one that was blamed; both
    are None for the flood.
    """

    arm: str
    base: int | None
    root: int | None
    tokens: int
    programs: int
    new: int
    passed: bool
    score: float
    kind: str

    def to_json(self) -> dict[str, Any]:
        """For the trace that is stored."""
        return dict(self.__dict__)


@dataclass
class Tried(Generic[Program]):
    """A program that was judged, and how often it was patched."""

    number: int
    program: Program
    judgement: Judgement
    patched: int = 0
    base: int | None = None
    arm: str = FLOOD
    suspects: list[Suspect] | None = None


@dataclass(frozen=True)
class Outcome(Generic[Program]):
    """How a task ended. ``passing``: all programs that pass; ``best``: the first, or the nearest.

    ``tried`` has every program that was judged, in order; ``first_pass`` says whether the flood had
    a passing one, before any repair.
    """

    best: Tried[Program] | None
    passing: list[Tried[Program]]
    tried: list[Tried[Program]]
    steps: list[Step]
    tokens: int
    seconds: float
    first_pass: bool

    @property
    def passed(self) -> bool:
        """A program passes what the loop was allowed to see."""
        return bool(self.passing)


def promise(tried: Tried[Program]) -> tuple[bool, float, int]:
    """What orders programs by how near they are to passing; of equals the first is ahead."""
    return (tried.judgement.passed, tried.judgement.score, -tried.number)
