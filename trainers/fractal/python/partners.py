"""Who works with the loop from outside: learned edits, and who chooses among what passes.

The trainers do not know each other; whoever puts them together hands these in.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from memory.records import ProblemRow
from sandbox import Sandbox
from trainers.fractal.python.localise import Evidence
from trainers.fractal.python.program import PythonProgram
from trainers.stage import StageContext


class Editor(Protocol):
    """Learned edits: programs like a failing one that could be its repair, likeliest first.

    One editor serves one problem: asked again for the same program it goes on where it was.
    """

    def edits(self, code: str, statement: str, evidence: Evidence, count: int) -> list[str]:
        """At most ``count``; none where nothing was learned."""


class Chooser(Protocol):
    """Picks one of several programs that all pass what may be seen."""

    def choose(
        self,
        problem: ProblemRow,
        prompt_kind: str,
        programs: Sequence[PythonProgram],
        sandbox: Sandbox,
    ) -> int:
        """The place of the program that is taken."""


class SurestFirst:
    """Picks the program whose writer was surest of each of its tokens; the first of equals."""

    def choose(
        self,
        problem: ProblemRow,
        prompt_kind: str,
        programs: Sequence[PythonProgram],
        sandbox: Sandbox,
    ) -> int:
        """See :class:`Chooser`."""
        return max(range(len(programs)), key=lambda place: (_sureness(programs[place]), -place))


EditorOf = Callable[[], Mapping[str, Editor]]
"""Gives one problem's editors by arm; what nothing was learned for is not among them."""
OpenEditor = Callable[[StageContext], EditorOf]
OpenChooser = Callable[[StageContext, str], AbstractContextManager[Chooser]]
"""Opened for a generator's samples, by its id: after the generator's engine has ended."""


@dataclass(frozen=True)
class Partners:
    """How the partners are opened."""

    editor: OpenEditor
    chooser: OpenChooser


def _sureness(program: PythonProgram) -> float:
    if program.logprob is None or not program.tokens:
        return float("-inf")
    return program.logprob / program.tokens
