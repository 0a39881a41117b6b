"""How natural a change makes a program: how likely its words are beside those it had.

Hindle et al. (2012), "On the naturalness of software": code repeats itself, so counts of word
sequences foretell it; Ray et al. (2016), "On the naturalness of buggy code": wrong lines are the
unlikelier ones. Two models count: one of the words themselves, one in which a variable is how long
ago it was used, so that names do not matter.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from trainers.code_trainer.edits.choice import Features
from trainers.code_trainer.edits.code_words import is_variable, structure, surface, words
from trainers.code_trainer.edits.ngrams import NGrams
from trainers.errors import CheckpointError

SURFACE_ORDER, STRUCTURE_ORDER = 4, 5
LEAST_PROGRAMS = 30
"""Programs that a name must be in to be counted as itself."""

_TAIL = 4
"""Words after a change that are read too: what follows must fit as well."""


@dataclass(frozen=True)
class _Read:
    """A program's words as each of the two models numbers them."""

    surface: list[int]
    structure: list[int]


class Naturalness:
    """What programs look like, counted from some.

    Args:
        kept: names that are counted as themselves.
        surface_grams: counts of the words as written.
        structure_grams: counts with variables by when they were used last.
    """

    def __init__(
        self, kept: frozenset[str], surface_grams: NGrams, structure_grams: NGrams
    ) -> None:
        self._kept, self._surface, self._structure = kept, surface_grams, structure_grams
        self._read = lru_cache(maxsize=64)(self._read_anew)

    @classmethod
    def fit(cls, programs: Iterable[str]) -> "Naturalness":
        """Count some programs' words."""
        lexemes = [words(program) for program in programs]
        kept = frozenset(_common(lexemes))
        surfaces, structures = NGrams(SURFACE_ORDER), NGrams(STRUCTURE_ORDER)
        surfaces.fit(surface(one, kept) for one in lexemes)
        structures.fit(structure(one) for one in lexemes)
        return cls(kept, surfaces, structures)

    def change(self, before: str, after: str) -> Features:
        """Return how the words that a change puts in compare with those that it takes out.

        For each model: ``gain``, the difference of the sums of logarithms; ``new`` and ``old``, the
        means a word; ``put`` and ``cut``, the numbers of words.
        """
        old, new = self._read(before), self._read_anew(after)
        return {
            **_compared("surface", self._surface, old.surface, new.surface),
            **_compared("structure", self._structure, old.structure, new.structure),
        }

    def _read_anew(self, program: str) -> _Read:
        lexemes = words(program)
        return _Read(
            self._surface.ids(surface(lexemes, self._kept)),
            self._structure.ids(structure(lexemes)),
        )

    def save(self, path: Path) -> None:
        """Write the counts as compressed arrays."""
        arrays: dict[str, Any] = {
            f"{name}.{key}": value
            for name, grams in (("surface", self._surface), ("structure", self._structure))
            for key, value in grams.arrays().items()
        }
        with path.open("wb") as file:
            np.savez_compressed(file, kept=np.array(sorted(self._kept), dtype=np.str_), **arrays)

    @classmethod
    def load(cls, path: Path) -> "Naturalness":
        """Read what :meth:`save` wrote.

        Raises:
            CheckpointError: it is missing, cut or no such file.
        """
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            models = [
                NGrams.of_arrays(
                    {
                        key.removeprefix(f"{name}."): value
                        for key, value in arrays.items()
                        if key.startswith(f"{name}.")
                    }
                )
                for name in ("surface", "structure")
            ]
            return cls(frozenset(arrays["kept"].tolist()), *models)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise CheckpointError(
                f"{path}: no readable word counts: {error}; `kent round code` trains a new version"
            ) from error


def _common(programs: Iterable[Sequence[str]]) -> Iterable[str]:
    """Return the names that enough programs have."""
    shown = Counter(
        word
        for lexemes in programs
        for word in {
            word
            for before, word in zip(["", *lexemes], lexemes, strict=False)
            if is_variable(word, before)
        }
    )
    return (word for word, count in shown.items() if count >= LEAST_PROGRAMS)


def _compared(name: str, grams: NGrams, old: list[int], new: list[int]) -> Features:
    start, old_end, new_end = _difference(old, new)
    was = grams.score(old, start, old_end + _TAIL)
    becomes = grams.score(new, start, new_end + _TAIL)
    return {
        f"{name}.gain": becomes - was,
        f"{name}.new": becomes / (new_end + _TAIL - start),
        f"{name}.old": was / (old_end + _TAIL - start),
        f"{name}.put": float(new_end - start),
        f"{name}.cut": float(old_end - start),
    }


def _difference(old: Sequence[int], new: Sequence[int]) -> tuple[int, int, int]:
    """Return where two sequences begin to differ, and where that ends in each."""
    shorter = min(len(old), len(new))
    start = 0
    while start < shorter and old[start] == new[start]:
        start += 1
    alike = 0
    while alike < shorter - start and old[-1 - alike] == new[-1 - alike]:
        alike += 1
    return start, len(old) - alike, len(new) - alike
