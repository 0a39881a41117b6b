"""A Python program in the loop: its text, how sure its writer was of it, and what is open."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from trainers.generators.base import Infill, Request


@dataclass(frozen=True)
class Opening:
    """What is to be rendered: by a chat that gives a whole program, or between two texts.

    ``start`` and ``end``: what the middle replaces in the program that it was opened in;
    ``indent``: the width of the indentation of what is replaced; ``whole``: the middle may hold
    what comes after it in the function too.
    """

    request: Request | Infill
    start: int = 0
    end: int = 0
    indent: int = 0
    whole: bool = False


@dataclass(frozen=True)
class PythonProgram:
    """``code`` with the log-probability of its tokens where known, as (offset, value) pairs.

    ``opening`` is None once it is rendered. ``change`` says what was done to another program to
    make this one. ``tokens`` and ``logprob``: what its writer spent on it and how sure it was.
    """

    code: str
    surprise: tuple[tuple[int, float], ...] = ()
    opening: Opening | None = None
    change: str = ""
    tokens: int = 0
    logprob: float | None = None

    def opened(self, opening: Opening, change: str) -> "PythonProgram":
        """The same with something to be rendered."""
        return replace(self, opening=opening, change=change)

    def filled(
        self,
        middle: str,
        pieces: Sequence[tuple[str, float]],
        tokens: int,
        logprob: float | None,
    ) -> "PythonProgram":
        """The program with the middle in the place of what was open."""
        at = self.opening
        assert at is not None, "nothing is open"
        shift = len(middle) - (at.end - at.start)
        before = [(place, value) for place, value in self.surprise if place < at.start]
        inside = [
            (at.start + place, value) for place, value in offsets(pieces) if place < len(middle)
        ]
        after = [(place + shift, value) for place, value in self.surprise if place >= at.end]
        return replace(
            self,
            code=self.code[: at.start] + middle + self.code[at.end :],
            surprise=(*before, *inside, *after),
            opening=None,
            tokens=tokens,
            logprob=logprob,
        )

    def doubt(self, start: int, end: int) -> float:
        """How surprising a span was to its writer: the mean surprisal of its tokens, in nats.

        0 where nothing is known of it.
        """
        values = [-value for place, value in self.surprise if start <= place < end]
        return math.fsum(values) / len(values) if values else 0.0


def offsets(pieces: Sequence[tuple[str, float]], base: int = 0) -> list[tuple[int, float]]:
    """Where each token begins in the text that they make, and its log-probability."""
    found, at = [], base
    for text, value in pieces:
        found.append((at, value))
        at += len(text)
    return found


def surprise_of(
    code: str, completion: str, pieces: Sequence[tuple[str, float]]
) -> tuple[tuple[int, float], ...]:
    """The tokens of an answer that stand in the code which was cut out of it."""
    at = completion.find(code) if code else -1
    if at < 0:
        return ()
    return tuple(
        (place - at, value) for place, value in offsets(pieces) if at <= place < at + len(code)
    )
