"""What the loop needs to know of a domain: its programs, their roots, and who judges them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from numpy.random import Generator

FLOOD = "flood"
"""The arm that a task begins with."""

Task_contra = TypeVar("Task_contra", contravariant=True)
Program = TypeVar("Program")


@dataclass(frozen=True)
class Rendered(Generic[Program]):
    """A program all of whose roots have their text, and the tokens that were rendered for it."""

    program: Program
    tokens: int


@dataclass(frozen=True)
class Judgement:
    """What the verifier says of one program.

    ``score`` orders the programs that do not pass, from 0 to 1; ``kind`` names how it failed;
    ``evidence`` is what the domain's ``localise`` wants to know of the run.
    """

    passed: bool
    score: float
    kind: str
    evidence: Any = field(default=None, compare=False)


@dataclass(frozen=True)
class Suspect:
    """A root that may be to blame, by its index, and how much speaks for it."""

    root: int
    weight: float


class Domain(Protocol[Task_contra, Program]):
    """Where the loop works.

    A program is a value: its roots, each locked with its text or open. ``draft`` and ``reopen``
    give programs with open roots, ``render`` fills all open roots of all programs in one call.
    """

    name: str

    @property
    def anew(self) -> Sequence[str]:
        """The arms that begin anew, whatever was tried before."""

    @property
    def free(self) -> Sequence[str]:
        """The arms that patch without rendering a token."""

    def draft(
        self, task: Task_contra, count: int, rng: Generator, arm: str = FLOOD
    ) -> Sequence[Program]:
        """``count`` skeletons for a task; all their roots are open. ``arm``: or one of ``anew``."""

    def render(
        self, task: Task_contra, programs: Sequence[Program], rng: Generator
    ) -> list[Rendered[Program]]:
        """Fill what is open, in one batched call; fewer come back where a render came to nothing.

        The tokens are those of this call, so their sum is what the call cost.
        """

    def verify(self, task: Task_contra, programs: Sequence[Program]) -> list[Judgement]:
        """Judge programs by what the mode allows to see."""

    def localise(self, task: Task_contra, program: Program, judgement: Judgement) -> list[Suspect]:
        """The roots that may be to blame, the most suspicious first."""

    def arms(self, task: Task_contra, program: Program, judgement: Judgement) -> Sequence[str]:
        """The ways to patch this program; the first is the domain's default."""

    def reopen(
        self,
        task: Task_contra,
        program: Program,
        judgement: Judgement,
        suspect: Suspect,
        arm: str,
        count: int,
        rng: Generator,
    ) -> Sequence[Program]:
        """``count`` copies with the guilty root open and all others locked; none: not this way."""

    def text(self, program: Program) -> str:
        """The program as a person reads it; programs of one text are one program."""
