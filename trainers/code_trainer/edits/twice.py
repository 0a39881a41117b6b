"""The same edit a second time: fixes often do one thing at two places of a function.

Where a mined fix wraps one operand it often wraps the other, and where it turns one truth value it
turns the next; no single edit passes a test then, and the pair is found only together.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from trainers.code_trainer.edits.instantiate import Candidate, Fillings, candidate, fits
from trainers.code_trainer.edits.program import Program, Site
from trainers.code_trainer.edits.slots import Choice, Slots, Words
from trainers.code_trainer.edits.splice import NoText
from trainers.code_trainer.edits.template import Hole
from trainers.code_trainer.edits.tree import form

MOST_PLACES = 4
"""Places of the second edit for each first one, nearest first."""


def repeated(
    firsts: Sequence[tuple[Candidate, str]], words: Words
) -> Iterator[tuple[Candidate, Candidate]]:
    """Give pairs of a first edit and the same one at another place of its function.

    Args:
        firsts: candidates that were tried, best first, with their texts.
        words: what filled slots in the fixes.
    """
    seen: set[str] = set()
    for first, text in firsts:
        if first.cell.pattern.kind == "insert":
            continue
        try:
            program = Program(text, issue=first.program.issue)
        except SyntaxError:
            continue
        slots = Slots(program, words)
        for made in islice(_again(first, program, slots), MOST_PLACES):
            if made.form not in seen and made.form != form(first.program.tree):
                seen.add(made.form)
                yield first, made


def _again(first: Candidate, program: Program, slots: Slots) -> Iterator[Candidate]:
    """Give the same edit at other places, nearest first."""
    home = first.cell.site
    places = [
        site
        for site in program.sites
        if site.function == home.function and site.node is not None and _apart(site, home)
    ]
    places.sort(key=lambda site: (abs(site.line - home.line), site.path))
    for site in places:
        cell = fits(first.cell.pattern, site)
        if cell is None or (cell.site.node and type(cell.site.node) is not type(home.node)):
            continue
        fillings = _alike(first.fillings, site, slots, first)
        made = None if fillings is None else candidate(program, cell, fillings, first.score)
        if made is None:
            continue
        try:
            made.text  # noqa: B018 - raises where it cannot be written
        except NoText:
            continue
        yield made


def _apart(site: Site, home: Site) -> bool:
    shorter = min(len(site.path), len(home.path))
    return site.path[:shorter] != home.path[:shorter]


def _alike(
    fillings: Fillings, site: Site, slots: Slots, first: Candidate
) -> Fillings | None:
    """Return what stands to the new place as the fillings to the old: the same, or its kind."""
    chosen: list[tuple[Hole, Choice]] = []
    for hole, old in fillings:
        choices = slots.choices(site, hole, hole == first.cell.pattern.after)
        same = [choice for choice in choices if choice.text == old.text]
        kin = [choice for choice in choices if _kind(choice) == _kind(old)]
        if not same and not kin:
            return None
        chosen.append((hole, (same or kin)[0]))
    return tuple(chosen)


def _kind(choice: Choice) -> frozenset[str]:
    return frozenset(name for name, value in choice.features.items() if value == 1.0)
