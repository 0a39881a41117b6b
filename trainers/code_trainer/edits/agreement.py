"""Which of several candidates that pass the visible tests to answer with.

Candidates that do the same on further inputs are one answer, written in several ways; what many
likely edits agree on is likelier than what a single one does. One that raises where the program to
repair did not is held to be less likely.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import exp, log

from sandbox import Limits, Program, Sandbox, Tests, Word
from trainers.code_trainer.edits.inputs import varied
from trainers.code_trainer.edits.search import Plausible

INPUTS = 24
SOFTNESS = 0.5
"""Of the score when likelihoods of one answer are added up: the model is surer than it should be."""

RAISING = 3.0
"""What raising on all of the inputs costs, as a logarithm, beside the program's own raising."""

Behaviour = tuple[str, ...]


def settled(
    found: Sequence[Plausible], source: str, tests: Tests, sandbox: Sandbox, *, limits: Limits
) -> list[Plausible]:
    """Return the candidates with the likeliest answer first; of one answer the likeliest edit.

    Args:
        found: those that pass the visible tests, at least one.
        source: the program to repair.
        tests: the visible ones, whose inputs are varied.
        sandbox: where they are run.
        limits: of each run.
    """
    calls = varied(tests, INPUTS)
    if len(found) < 2 or not calls:
        return list(found)
    asked = replace(tests, calls=calls)
    texts = [source, *(one.text for one in found)]
    behaviours = _observed(texts, asked, sandbox, limits)
    own = _raised(behaviours[0])
    weights: dict[Behaviour, float] = {}
    for one, behaviour in zip(found, behaviours[1:], strict=True):
        cost = RAISING * max(0.0, _raised(behaviour) - own)
        likely = exp(SOFTNESS * (one.score - found[0].score) - cost)
        weights[behaviour] = weights.get(behaviour, 0.0) + likely
    order = sorted(
        range(len(found)),
        key=lambda i: (-log(max(1e-300, weights[behaviours[i + 1]])), -found[i].score, i),
    )
    return [found[i] for i in order]


def _observed(
    texts: Sequence[str], tests: Tests, sandbox: Sandbox, limits: Limits
) -> list[Behaviour]:
    programs = [
        Program(str(number), text, tests, limits=limits, observe=True)
        for number, text in enumerate(texts)
    ]
    found: list[Behaviour] = [()] * len(texts)
    for verdict in sandbox.run_many(programs):
        found[int(verdict.key)] = tuple(
            item.digest or f"{item.word}:{item.type}" for item in verdict.observed
        )
    return found


def _raised(behaviour: Behaviour) -> float:
    """Return the share of the inputs that no value came back for."""
    failed = sum(1 for item in behaviour if not _is_digest(item))
    return failed / len(behaviour) if behaviour else 1.0


def _is_digest(item: str) -> bool:
    return not item.startswith(tuple(f"{word}:" for word in Word))
