"""A repair sample, packed: the broken program's cells, its words, and the edits that repair it.

A *word* is a number that all lexemes of one sample with the same text share, so that copies can be
told without the text, also of literals that the grid shows as a placeholder.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from trainers.ctm.data import edits as scripts
from trainers.ctm.data.edits import Edit, Op
from trainers.ctm.data.grid import HEIGHT, WIDTH, CTMGridEncoder, Grid, lay_out
from trainers.ctm.data.program import Program
from trainers.ctm.data.taxonomy import BugClass


class UnreachableError(Exception):
    """A repair needs a lexeme that is neither one vocabulary item nor to be copied."""


@dataclass(frozen=True)
class Facts:
    """What is known of a sample beside its programs.

    ``raw`` is the difficulty before ranking (``difficulty.py``), ``origin`` a line of the data
    set's ``origins.jsonl`` or -1.
    """

    bug_class: BugClass
    operator: str
    source: str
    raw: float = 0.0
    difficulty: float = 0.0
    origin: int = -1


@dataclass(frozen=True)
class RepairSample:
    """A broken program of N cells and L lexemes, and K edits (none: it is clean).

    Attributes:
        grid: the cells.
        words: (L,) int16, the word of each lexeme.
        edit_at: (K,) int16, the lexeme that an edit names, in the broken program.
        edit_op: (K,) uint8, see ``Op``.
        edit_word: (K,) int16, the new lexeme's word; -1 for DELETE.
        edit_token: (K,) int32, its vocabulary id; -1 where none is all of it.
        key: hash of both lexeme sequences.
        facts: class, operator, source, difficulty.
    """

    grid: Grid
    words: NDArray[np.int16]
    edit_at: NDArray[np.int16]
    edit_op: NDArray[np.uint8]
    edit_word: NDArray[np.int16]
    edit_token: NDArray[np.int32]
    key: int
    facts: Facts

    @property
    def edits(self) -> list[Edit[int]]:
        """The script, with words for lexemes."""
        columns = (self.edit_at.tolist(), self.edit_op.tolist(), self.edit_word.tolist())
        return [
            Edit(at, Op(op), word if word >= 0 else None)
            for at, op, word in zip(*columns, strict=True)
        ]

    @cached_property
    def pieces(self) -> dict[int, tuple[int, ...]]:
        """The vocabulary ids of each word, those that edits bring included."""
        lexeme, tokens = self.grid.lexeme, self.grid.tokens
        found: dict[int, tuple[int, ...]] = {}
        bounds = np.append(self.grid.cells, len(tokens))
        for number, word in enumerate(self.words.tolist()):
            if word not in found:
                cells = slice(bounds[number], bounds[number + 1])
                found[word] = tuple(tokens[cells][lexeme[cells] >= 0].tolist())
        for word, token in zip(self.edit_word.tolist(), self.edit_token.tolist(), strict=True):
            if word >= 0:
                found.setdefault(word, (token,))
        return found

    def state(self) -> "State":
        """The broken program, to be edited."""
        return State(tuple(self.words.tolist()), self.pieces)

    def repaired(self) -> "State":
        """The program after all edits."""
        state, left = self.state(), self.edits
        while left:
            state, left = state.apply(left[0]), scripts.remaining(left, 0)
        return state


@dataclass(frozen=True)
class State:
    """A program of a sample between edits: its words in order and the vocabulary ids of each word.

    Two states of one sample are the same program if their ``words`` are equal.
    """

    words: tuple[int, ...]
    pieces: dict[int, tuple[int, ...]] = field(compare=False)

    def apply(self, edit: Edit[int]) -> "State":
        """The state after an edit whose new lexeme is a word."""
        return replace(self, words=tuple(scripts.apply(self.words, edit)))

    def put(self, at: int, op: Op, token: int) -> "State":
        """The state after an edit whose new lexeme is all of a vocabulary id."""
        word = next((w for w, ids in self.pieces.items() if ids == (token,)), None)
        if word is not None:
            return self.apply(Edit(at, op, word))
        word = max(self.pieces, default=-1) + 1
        return replace(self, pieces={**self.pieces, word: (token,)}).apply(Edit(at, op, word))

    def copy(self, at: int, op: Op, source: int) -> "State":
        """The state after an edit whose new lexeme is that at position ``source``."""
        return self.apply(Edit(at, op, self.words[source]))

    def delete(self, at: int) -> "State":
        """The state without a lexeme."""
        return self.apply(Edit(at, Op.DELETE, None))

    def grid(self, height: int = HEIGHT, width: int = WIDTH) -> Grid:
        """Its cells.

        Raises:
            GridError: it does not fit.
        """
        return lay_out([self.pieces[word] for word in self.words], height, width)


def make_sample(
    buggy: Program, script: Sequence[Edit[str]], encoder: CTMGridEncoder, facts: Facts
) -> RepairSample:
    """Pack a broken program and the edits that repair it.

    Raises:
        GridError: the broken program does not fit the grid.
        UnreachableError: an edit needs a lexeme that can neither be named nor copied.
    """
    values = buggy.values
    numbers: dict[str, int] = {}
    words = [numbers.setdefault(value, len(numbers)) for value in values]
    touched = {edit.at for edit in script if edit.op is not Op.INSERT_BEFORE}
    lasting = {value for at, value in enumerate(values) if at not in touched}
    tokens, news = [], []
    for edit in script:
        if edit.new is None:
            tokens.append(-1)
            news.append(-1)
            continue
        token = encoder.tokenizer.whole(edit.new)
        if token < 0 and edit.new not in lasting:
            raise UnreachableError(edit.new)
        tokens.append(token)
        news.append(numbers.setdefault(edit.new, len(numbers)))
    return RepairSample(
        grid=encoder.pack(buggy),
        words=np.array(words, np.int16),
        edit_at=np.array([edit.at for edit in script], np.int16),
        edit_op=np.array([edit.op for edit in script], np.uint8),
        edit_word=np.array(news, np.int16),
        edit_token=np.array(tokens, np.int32),
        key=_key(values, script),
        facts=facts,
    )


@dataclass(frozen=True)
class CTMCodeSample:
    """The dense view of a sample, as the specification names it; H by W cells.

    Attributes:
        buggy_grid: (H, W) int32, vocabulary ids, 0 where nothing is.
        buggy_mask: (H, W) bool, valid cells of the broken program.
        fixed_grid: (H, W) int32.
        diff_mask: (H, W) bool, cells that differ.
        bug_type: the class.
        difficulty: 0 to 1.
        source: the collector.
        bug_location: row and column of the first edit; None for a clean program.
    """

    buggy_grid: NDArray[np.int32]
    buggy_mask: NDArray[np.bool_]
    fixed_grid: NDArray[np.int32]
    diff_mask: NDArray[np.bool_]
    bug_type: str
    difficulty: float
    source: str
    bug_location: tuple[int, int] | None


def dense(sample: RepairSample, height: int = HEIGHT, width: int = WIDTH) -> CTMCodeSample:
    """The dense view of a sample.

    Raises:
        GridError: the repaired program does not fit such a grid.
    """
    buggy = sample.grid.dense(height, width)
    fixed = sample.repaired().grid(height, width).dense(height, width)
    location = None
    if len(sample.edit_at):
        cell = sample.grid.cells[sample.edit_at[0]]
        location = (int(sample.grid.row[cell]), int(sample.grid.col[cell]))
    facts = sample.facts
    return CTMCodeSample(
        buggy, buggy != 0, fixed, buggy != fixed,
        facts.bug_class, facts.difficulty, facts.source, location,
    )  # fmt: skip


def _key(values: Sequence[str], script: Sequence[Edit[str]]) -> int:
    digest = blake2b(digest_size=8)
    digest.update("\0".join(values).encode("utf-8", "surrogatepass"))
    digest.update(
        repr([(e.at, int(e.op), e.new) for e in script]).encode("utf-8", "backslashreplace")
    )
    return int.from_bytes(digest.digest(), "little", signed=True)
