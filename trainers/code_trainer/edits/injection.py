"""Broken programs to learn the order from: fixes turned round, put into programs that are right.

The patterns are mined from the same fixes read backwards, so that what breaks is what people broke;
drawn by how often it was seen. A broken program counts only where a test of the right one fails.
Of several that are drawn those are taken that look most like code, since people's bugs do.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import exp
from random import Random

from sandbox import Sandbox, Tests
from trainers.code_trainer.edits.diff import Change, changes, lifted
from trainers.code_trainer.edits.instantiate import Candidate, candidate, fits
from trainers.code_trainer.edits.judging import TestRunner
from trainers.code_trainer.edits.learning import Example
from trainers.code_trainer.edits.library import PatternLibrary
from trainers.code_trainer.edits.naturalness import Naturalness
from trainers.code_trainer.edits.priors import Priors
from trainers.code_trainer.edits.program import Program
from trainers.code_trainer.edits.slots import Slots
from trainers.code_trainer.edits.splice import NoText
from trainers.code_trainer.edits.tree import form, size
from trainers.tasks.swe.types import SWETask

MOST_NODES = 350
"""Of a function that an example is made of; a search in a larger one is none of one function."""

TRIES, DRAWN = 100, 6
"""Draws for one program, and of what they give how many are tested for each that is wanted."""


def reversed_library(tasks: Iterable[SWETask]) -> PatternLibrary:
    """Mine the fixes of tasks backwards: the patterns of how programs get broken."""
    library = PatternLibrary()
    for task in tasks:
        turned = replace(task, code_before=task.code_after, code_after=task.code_before)
        library.add_task(turned)
    return library


def from_fixes(before: str, after: str) -> list[Example]:
    """Make examples of a fix: one for each function that one statement's edit turns right.

    Raises:
        SyntaxError: one of the texts is no Python of this version.
    """
    made = []
    for change in changes(before, after):
        if change.function and size(change.before) <= MOST_NODES:
            example = _of_change(change)
            if example is not None:
                made.append(example)
    return made


def _of_change(change: Change) -> Example | None:
    source = ast.unparse(ast.fix_missing_locations(change.before))
    wanted = ast.unparse(ast.fix_missing_locations(change.after))
    edits = lifted(change)
    if len(edits) > len(change.edits) + 1 or len(edits) > 3:
        return None
    paths = tuple((("body", 0), *edit.path) for edit in edits)
    try:
        return Example(Program(source), form(ast.parse(wanted)), paths)
    except SyntaxError:
        return None


class Injector:
    """Breaks programs.

    Args:
        library: of fixes read backwards, see :func:`reversed_library`.
        naturalness: tells which broken programs look most like code; None: any will do.
        seed: of what is drawn.
    """

    def __init__(
        self, library: PatternLibrary, naturalness: Naturalness | None = None, *, seed: int = 0
    ) -> None:
        self._library, self._random = library, Random(seed)
        self._naturalness = naturalness
        self._priors = Priors()
        self._patterns = [library.patterns[key] for key in sorted(library.patterns)]
        self._weights = [float(library.counts[p.key].tasks) for p in self._patterns]

    def broken(
        self, source: str, tests: Tests, sandbox: Sandbox, *, count: int = 2
    ) -> Iterator[Example]:
        """Give broken variants of a right program, each failing a test; fewer where none are found.

        Raises:
            SyntaxError: the program is no Python.
        """
        program = Program(source)
        slots = Slots(program, self._library.words)
        drawn: dict[str, Candidate] = {}
        for _ in range(TRIES):
            made = self._draw(program, slots)
            if made is None:
                continue
            try:
                drawn.setdefault(made.text, made)
            except NoText:
                continue
            if len(drawn) >= DRAWN * count:
                break
        outcomes = TestRunner(sandbox, tests)(list(drawn))
        failing = [t for t, o in zip(drawn, outcomes, strict=True) if not o.passed]
        for text in self._best(source, failing)[:count]:
            spectrum = TestRunner(sandbox, tests).observe(text)
            path = drawn[text].cell.site.path
            yield Example(Program(text), form(program.tree), (path,), spectrum)

    def _best(self, source: str, broken: list[str]) -> list[str]:
        """Sort broken variants, those that look most like code first, word for word."""
        if self._naturalness is None:
            return broken
        changes = {text: self._naturalness.change(source, text) for text in broken}
        return sorted(
            broken, key=lambda text: -changes[text]["surface.new"] - changes[text]["structure.new"]
        )

    def _draw(self, program: Program, slots: Slots) -> Candidate | None:
        (pattern,) = self._random.choices(self._patterns, self._weights)
        cells = [cell for site in program.sites if (cell := fits(pattern, site)) is not None]
        if not cells:
            return None
        cell = self._random.choice(cells)
        fillings = []
        for hole in pattern.slots:
            choices = slots.choices(cell.site, hole, hole == pattern.after)
            if not choices:
                return None
            weights = [exp(self._priors.score(choice.features)) for choice in choices]
            fillings.append((hole, self._random.choices(choices, weights)[0]))
        return candidate(program, cell, tuple(fillings), 0.0)
