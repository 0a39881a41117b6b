"""How likely an edit is to be the fix: a log-linear model of pattern, place and slot fillings.

The score of a candidate is a sum over the pattern, the place, the pattern at the place, and each
slot's filling, so that the search can give candidates in order without making all of them. The
weights are learned (``learning.py``); where none were, the order is that of the pattern's keys.
"""

import ast
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import log
from pathlib import Path

from trainers.code_trainer.edits.choice import Features
from trainers.code_trainer.edits.instantiate import Cell, Fillings
from trainers.code_trainer.edits.library import PatternLibrary
from trainers.code_trainer.edits.pattern import Pattern
from trainers.code_trainer.edits.program import Program, Site
from trainers.code_trainer.edits.spectrum import Spectrum
from trainers.code_trainer.edits.template import root
from trainers.code_trainer.edits.tree import Path as NodePath
from trainers.code_trainer.edits.tree import size
from trainers.code_trainer.edits.types import alike, type_of
from trainers.errors import CheckpointError

SMOOTHING = 4.0
"""Tasks that the overall distribution counts for beside a pattern's own."""

FORMAT = 1

START = {
    "pattern.count": 1.0,
    "cell.context": 0.7,
    "cell.node": 0.7,
    "site.suspicious": 3.0,
    "site.unreached": -3.0,
    "name.share": 1.0,
    "const.share": 1.0,
    "builtin.share": 0.5,
    "builtin.word": 0.5,
    "attr.share": 0.5,
    "attr.word": 0.5,
    "op.share": 1.0,
    "expr.share": 1.0,
    "sub.share": 1.0,
    "pattern.size": -0.2,
    "made.share": 1.0,
    "made.inner": 0.5,
    "made.word": 0.5,
    "swap.share": 1.0,
    "kwarg.share": 1.0,
    "type.other": -1.0,
    "type.tree.other": -1.0,
    "cell.lost.stmt": -0.7,
    "cell.lost.expr": -0.5,
}
"""Weights that learning starts from: plain probabilities, and trust in the spectrum."""

Reweigh = Callable[[str, str], float]
"""What circuits and constraints add to a score: (place's context, pattern's key) to a logarithm."""


@dataclass
class Priors:
    """The weights of the features, by name."""

    weights: dict[str, float] = field(default_factory=lambda: dict(START))

    def score(self, features: Features) -> float:
        """Return the sum of weighted features."""
        weights = self.weights
        return sum(weights.get(name, 0.0) * value for name, value in features.items())

    def save(self, path: Path) -> None:
        """Write the weights as JSON."""
        path.write_text(json.dumps({"format": FORMAT, "weights": self.weights}, indent=1))

    @classmethod
    def load(cls, path: Path) -> "Priors":
        """Read what :meth:`save` wrote.

        Raises:
            CheckpointError: it is missing or of another format.
        """
        try:
            document = json.loads(path.read_text())
            if document["format"] != FORMAT:
                raise ValueError(f"format {document['format']}, this version reads {FORMAT}")
            return cls({str(name): float(value) for name, value in document["weights"].items()})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{path}: no readable priors: {error}; learn them anew"
            ) from error


@dataclass
class Evidence:
    """What the features are computed from: the library's counts, the program and its spectrum."""

    library: PatternLibrary
    program: Program | None = None
    spectrum: Spectrum | None = None
    _types: dict[NodePath, str] = field(default_factory=dict)

    def pattern(self, pattern: Pattern) -> Features:
        """Return what speaks for a pattern by itself."""
        counts = self.library.counts[pattern.key]
        before, after = root(pattern.before), root(pattern.after)
        return {
            "pattern.count": log(counts.tasks / max(1, len(self.library.tasks))),
            "pattern.size": float(pattern.size),
            "pattern.slots": float(len(pattern.slots)),
            f"pattern.level{pattern.level}": 1.0,
            f"pattern.{pattern.kind}.{pattern.where}": 1.0,
            f"pattern.{pattern.kind}.{before}>{after}": 1.0,
        }

    def site(self, site: Site) -> Features:
        """Return what speaks for a place by itself."""
        statement = type(site.statement).__name__
        features = {
            f"site.in.{statement}": 1.0,
            f"site.at.{site.context}": 1.0,
            "site.depth": float(site.depth),
            "site.nested": float(len(site.path)),
        }
        if not site.function:
            features["site.module"] = 1.0
        if self.spectrum is not None:
            features.update(self.spectrum.features(site))
        return features

    def cell(self, pattern: Pattern, site: Site) -> Features:
        """Return what speaks for a pattern at a place."""
        name = "" if site.node is None else type(site.node).__name__
        return {**self.habit(pattern, site.context, name), **self.loss(pattern, site)}

    def habit(self, pattern: Pattern, context: str, node: str) -> Features:
        """Return what past fixes say of a pattern in a context, at a type of node ("": none)."""
        library, counts = self.library, self.library.counts[pattern.key]
        features = {
            "cell.context": _lift(counts.contexts, library.contexts, context),
            f"cell.{context}>{root(pattern.after)}": 1.0,
        }
        if node:
            features["cell.node"] = _lift(counts.nodes, library.nodes, node)
        return features

    def loss(self, pattern: Pattern, site: Site) -> Features:
        """Return what is lost of what stands at a place, and whether the types are alike."""
        features: Features = {}
        if site.node is None:
            return features
        if pattern.loses:
            features[f"cell.lost.{site.category}"] = log(size(site.node))
            features["cell.lost.names"] = float(site.names)
        if isinstance(site.node, ast.expr) and pattern.made_type is not None:
            features[f"type.tree.{alike(pattern.made_type, self._type(site))}"] = 1.0
        return features

    def _type(self, site: Site) -> str:
        if self.program is None:
            return ""
        if site.path not in self._types:
            self._types[site.path] = type_of(site.node, self.program.types(site))
        return self._types[site.path]

    def whole(self, cell: Cell, fillings: Fillings) -> Features:
        """Return all features of a filled cell, summed."""
        total: Features = {}
        parts = [self.pattern(cell.pattern), self.site(cell.site)]
        parts.append(self.cell(cell.pattern, cell.site))
        parts += [choice.features for _, choice in fillings]
        for part in parts:
            for name, value in part.items():
                total[name] = total.get(name, 0.0) + value
        return total


def _lift(own: Mapping[str, int], overall: Mapping[str, int], name: str) -> float:
    """Return how much more often a pattern is seen with a name than edits are, as a logarithm."""
    total = sum(overall.values())
    share = (overall.get(name, 0) + 0.5) / (total + 0.5 * (len(overall) + 1))
    seen = (own.get(name, 0) + SMOOTHING * share) / (sum(own.values()) + SMOOTHING)
    return log(seen / share) / 3.0
