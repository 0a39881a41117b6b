"""Repair in a repository without tests: where, then what; candidates proposed in learned order."""

import heapq
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from trainers.code_trainer.edits.instantiate import Candidate
from trainers.code_trainer.edits.program import Program
from trainers.code_trainer.edits.ranking import Ranking
from trainers.code_trainer.edits.splice import NoText

FUNCTIONS = 5
"""Functions that are looked into, the likeliest first."""

EACH = 10
"""Candidates that a function brings at most: as many as are proposed in all."""

_SPARE = 2  # some candidates cannot be written

QUOTED_SHARE, DECODER_SHARE = 0.5, 0.1
"""Of the proposed patches, how many may be what the issue quotes, and what the decoder writes."""


@dataclass(frozen=True)
class Place:
    """A function with the logarithm of the probability that it is what has to change."""

    path: str
    function: str
    log_p: float


@dataclass(frozen=True)
class Proposal:
    """A changed file, how likely it was taken to be (a logarithm, unnormalised), and from what."""

    path: str
    text: str
    score: float
    operation: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


def places(
    files: Sequence[tuple[str, float]],
    functions: Mapping[str, Sequence[tuple[str, float]]],
    most: int = FUNCTIONS,
) -> list[Place]:
    """The likeliest functions: a file's probability times the function's, given the file."""
    found = [
        Place(path, name, math.log(max(p, 1e-12)) + math.log(max(q, 1e-12)))
        for path, p in files
        for name, q in functions.get(path, ())
    ]
    return heapq.nsmallest(
        most, found, key=lambda place: (-place.log_p, place.path, place.function)
    )


def propose(
    ranking: Ranking,
    texts: Mapping[str, str],
    where: Sequence[Place],
    issue: str,
    *,
    most: int = EACH,
) -> list[Proposal]:
    """Instantiate patterns in the likeliest functions; the best candidates of all, best first.

    Args:
        ranking: orders the candidates of a program.
        texts: of the files that are named in ``where``.
        where: the functions, see :func:`places`.
        issue: constants can come from its words.
        most: how many.
    """
    found: list[tuple[Place, Candidate]] = []
    for path in dict.fromkeys(place.path for place in where):
        inside = {place.function: place for place in where if place.path == path}
        try:
            program = Program(texts[path], functions=inside, issue=issue)
        except (SyntaxError, ValueError, RecursionError):
            continue  # of another version of Python
        for place in inside.values():
            sites = program.sites_in(place.function)
            ordered = ranking.ordered(program, sites=sites)
            found += ((place, one) for one in islice(ordered, most + _SPARE))
    found.sort(key=lambda item: (-item[0].log_p - item[1].score, item[0].path))
    distinct: dict[tuple[str, str], Proposal] = {}
    for place, made in found:
        if len(distinct) == most:
            break
        with suppress(NoText):
            one = _proposal(place, made)
            distinct.setdefault((one.path, one.text), one)
    return list(distinct.values())


def joined(
    quoted: Sequence[Proposal],
    by_pattern: Sequence[Proposal],
    written: Sequence[Proposal],
    most: int,
) -> list[Proposal]:
    """What the issue quotes first, then what patterns give, the decoder's behind.

    Their scores do not compare. What is quoted and what is written have a share of the places each;
    the places that are left over go to the rest in this order.
    """
    first = round(QUOTED_SHARE * most)
    last = min(len(written), max(1, round(DECODER_SHARE * most)))
    kept = max(0, most - min(first, len(quoted)) - last)
    distinct: dict[tuple[str, str], Proposal] = {}
    for one in [*quoted[:first], *by_pattern[:kept], *written, *quoted[first:], *by_pattern[kept:]]:
        distinct.setdefault((one.path, one.text), one)
    return list(distinct.values())[:most]


def _proposal(place: Place, made: Candidate) -> Proposal:
    """Write a candidate, which parses its whole file anew: only of the best ones.

    Raises:
        NoText: it cannot be written.
    """
    return Proposal(
        place.path,
        made.text,
        place.log_p + made.score,
        made.cell.pattern.operation,
        made.evidence,
    )
