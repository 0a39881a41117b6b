"""What Python's parser says of a program, cell by cell: that it does not parse, why, and where.

A broken program is shown to the models together with the complaint that any Python gives for it,
as DrRepair has it (Yasunaga and Liang 2020, arXiv 2005.10636): nothing that the caller of a repair
would not have. The text that is parsed is written from the grid's own pieces, so that a sample, a
state between two edits and source text give the same notices.
"""

import ast
import re
import warnings
from bisect import bisect_right
from collections.abc import Sequence
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from trainers.ctm.data.grid import Grid
from trainers.ctm.data.tokenizer import CodeTokenizer

_COMPLAINTS = tuple(
    re.compile(pattern)
    for pattern in (
        r"'[\(\[\{]' was never closed",
        r"unmatched",
        r"closing parenthesis .* does not match opening parenthesis '[\(\[\{]'(?! on line)",
        r"closing parenthesis .* on line",
        r"unterminated string|EOL while scanning",
        r"unterminated triple-quoted|EOF while scanning triple",
        r"expected ':'",
        r"Perhaps you forgot a comma",
        r"Maybe you meant '=='",
        r"expected an indented block",
        r"unexpected indent",
        r"unindent does not match",
        r"expected 'except' or 'finally'",
        r"expected 'else'|expected '\('|expected 'in'|expected '",
        r"cannot assign to|cannot delete",
        r"keyword argument|positional argument",
        r"Generator expression must be parenthesized",
        r"f-string",
        r"invalid decimal literal|invalid character|invalid .* literal|leading zeros",
        r"multiple statements|named arguments must follow|non-default argument|duplicate argument",
        r"unexpected EOF",
        r"^invalid syntax$",
    )
)
PARSES, FAILS, _OTHER = 0, 1, 2
KINDS = 3 + len(_COMPLAINTS)
"""Numbers of notices: it parses; it does not; and for the cell that is named, the complaint."""


def noticed(grid: Grid, tokenizer: CodeTokenizer) -> NDArray[np.uint8]:
    """(N,) uint8 notices of a program of N cells, below ``KINDS``."""
    text, lines = _text(grid, tokenizer.sources)
    found = np.full(len(grid.tokens), PARSES, np.uint8)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd escapes and comparisons are no errors
            ast.parse(text)
    except SyntaxError as error:
        found[:] = FAILS
        line = lines[min(max(error.lineno or len(lines), 1), len(lines)) - 1]
        at = bisect_right(line, (error.offset or 1) - 1, key=itemgetter(0)) - 1
        found[line[max(at, 0)][1]] = _kind(error.msg)
    except (ValueError, RecursionError, MemoryError):  # null bytes, far too many brackets
        found[:] = FAILS
    return found


def _text(grid: Grid, sources: Sequence[str]) -> tuple[str, list[list[tuple[int, int]]]]:
    """The program as text, and for each of its lines the column and cell of every lexeme."""
    parts: list[str] = []
    lines: list[list[tuple[int, int]]] = [[]]
    column, before = 0, -1
    cells = zip(grid.tokens.tolist(), grid.lexeme.tolist(), strict=True)
    for cell, (token, lexeme) in enumerate(cells):
        if lexeme < 0:
            continue
        text = sources[token]
        if lexeme != before:
            before = lexeme
            if column and text != "\n":
                parts.append(" ")
                column += 1
            lines[-1].append((column, cell))
        parts.append(text)
        column += len(text)
        if text == "\n":
            lines.append([])
            column = 0
    return "".join(parts), lines if lines[-1] else lines[:-1]


def _kind(message: str) -> int:
    for number, complaint in enumerate(_COMPLAINTS):
        if complaint.search(message):
            return _OTHER + 1 + number
    return _OTHER
