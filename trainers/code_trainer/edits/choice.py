"""One filling of a slot with what speaks for it."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from trainers.code_trainer.edits.template import Filling
from trainers.code_trainer.edits.tree import OPERATORS

Features = dict[str, float]
Words = Mapping[tuple[str, str, str], int]
"""How often (slot kind, type, value) was seen in fixes."""


@dataclass(frozen=True)
class Choice:
    """A filling of a slot, and its features."""

    value: Filling
    features: Features

    @property
    def text(self) -> str:
        """The filling as a person reads it."""
        if isinstance(self.value, OPERATORS):
            return type(self.value).__name__
        return self.value if isinstance(self.value, str) else ast.unparse(self.value)
