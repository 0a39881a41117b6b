"""Bugs put into sound functions: of each function a few samples, each checked to be what it says.

A syntax bug does not compile; any other compiles to other bytecode than the sound function; the
edits made one by one give the sound function back.
"""

from collections.abc import Mapping, Sequence
from random import Random

from trainers.ctm.data.grid import CTMGridEncoder
from trainers.ctm.data.operators.function import Function
from trainers.ctm.data.operators.mutate import Mutant, Mutator
from trainers.ctm.data.operators.security import TEMPLATES, Template
from trainers.ctm.data.program import Program
from trainers.ctm.data.sample import Facts, RepairSample
from trainers.ctm.data.taxonomy import BugClass
from trainers.ctm.data.validate import (
    Drops,
    RejectedError,
    check_codes,
    clean_sample,
    folded,
    pair_sample,
)

SOURCE = "synthetic"
SHARES: Mapping[BugClass, float] = {
    "syntax": 0.25,
    "simple_logic": 0.25,
    "all_logic": 0.38,
    "security": 0.12,
}
"""Of the synthetic bugs."""
_SAFE_FORMS = 0.12
"""Of the clean samples the share that has the safe statement of a security template."""
_TRIES = 3


class Visit:
    """A function that is visited once: its clean sample and its bugs, all drawn by ``rng``.

    Raises:
        RejectedError: the function does not compile by itself.
    """

    def __init__(
        self,
        code: str,
        origin: int,
        encoder: CTMGridEncoder,
        drops: Drops,
        rng: Random,
        templates: Sequence[Template] = TEMPLATES,
    ) -> None:
        if folded(code) is None:
            raise RejectedError("fixed does not compile")
        self._function = Function(code)
        self._origin, self._encoder, self._drops, self._rng = origin, encoder, drops, rng
        self._mutator = Mutator(self._function, rng, templates)

    def clean(self) -> RepairSample | None:
        """The sample without a bug; None where it does not fit."""
        program = self._function.program
        if self._rng.random() < _SAFE_FORMS:
            mutant = next(self._mutator.draw("security", 1), None)
            if mutant is not None and folded(mutant.fixed) is not None:
                program = Program.of(mutant.fixed)
        try:
            facts = Facts("clean", "clean", SOURCE, origin=self._origin)
            return clean_sample(program, self._encoder, facts)
        except RejectedError as why:
            self._drops[SOURCE, "clean", str(why)] += 1
            return None

    def bug(self) -> RepairSample | None:
        """A sample of a class that is drawn; None where a few mutants of it were no good."""
        bug_class = self._rng.choices(list(SHARES), list(SHARES.values()))[0]
        for mutant in self._mutator.draw(bug_class, _TRIES):
            sample = self._checked(mutant, bug_class)
            if sample is not None:
                return sample
        return None

    def _checked(self, mutant: Mutant, bug_class: BugClass) -> RepairSample | None:
        sound = self._function.program
        try:
            check_codes(bug_class, folded(mutant.buggy), folded(mutant.fixed))
            return pair_sample(
                Program.of(mutant.buggy),
                sound if mutant.fixed == self._function.code else Program.of(mutant.fixed),
                self._encoder,
                Facts(bug_class, mutant.kind, SOURCE, origin=self._origin),
            )
        except RejectedError as why:
            self._drops[SOURCE, bug_class, str(why)] += 1
            return None
