"""How hard a bug is to repair: a raw figure from its edits, ranked within the pool.

Raw = 0.35 kind + 0.20 size + 0.20 edits + 0.15 reach + 0.10 ambiguity, each from 0 to 1. The
difficulty of a sample is the percentile rank of its raw figure, so that ranges such as 0 to 0.3
are fixed shares of the pool.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from math import log

import numpy as np

from trainers.ctm.data.edits import MAX_EDITS, Edit
from trainers.ctm.data.lexemes import EOL, is_name, level_of
from trainers.ctm.data.program import Program
from trainers.ctm.data.taxonomy import Kind

_KIND, _SIZE, _EDITS, _REACH, _AMBIGUITY = 0.35, 0.20, 0.20, 0.15, 0.10
_SMALLEST, _LARGEST, _FARTHEST, _MOST = 32, 3072, 16, 64
_GROUPS = (
    ("<", "<=", ">", ">=", "==", "!="),
    ("+", "-", "*", "/", "//", "%", "**", "&", "|", "^", "<<", ">>", "@"),
    ("+=", "-=", "*=", "/=", "//=", "%=", "&=", "|=", "^=", "="),
    ("and", "or", "not", "in", "is"),
    ("True", "False", "None"),
    ("(", ")", "[", "]", "{", "}"),
    (",", ":", "."),
)
_SIZES = {value: len(group) for group in _GROUPS for value in group}
QUANTILES = 1001


def raw_difficulty(buggy: Program, script: Sequence[Edit[str]], kind: Kind) -> float:
    """The raw figure of a broken program and the edits that repair it, from 0 to 1."""
    if not script:
        return 0.0
    values = buggy.values
    size = log(max(len(values), _SMALLEST) / _SMALLEST) / log(_LARGEST / _SMALLEST)
    edits = (len(script) - 1) / (MAX_EDITS - 1)
    involved = [name for edit in script for name in (values[edit.at], edit.new or "")]
    reach = _reach(values, script[0].at, {name for name in involved if is_name(name)})
    alternatives = max(_alternatives(values, edit) for edit in script)
    ambiguity = min(log(alternatives) / log(_MOST), 1.0)
    return (
        _KIND * kind.hardness
        + _SIZE * min(size, 1.0)
        + _EDITS * edits
        + _REACH * min(reach / _FARTHEST, 1.0)
        + _AMBIGUITY * ambiguity
    )


def quantiles(raws: Iterable[float]) -> list[float]:
    """The pool's raw figures at 0, 0.1 % ... 100 %; empty for an empty pool."""
    values = np.fromiter(raws, np.float64)
    if not len(values):
        return []
    return [round(float(q), 6) for q in np.quantile(values, np.linspace(0, 1, QUANTILES))]


def rank(raw: float, pool: Sequence[float]) -> float:
    """The percentile rank of a raw figure among the quantiles of a pool, from 0 to 1."""
    if not pool:
        return 0.0
    raw = round(raw, 6)
    middle = (bisect_left(pool, raw) + bisect_right(pool, raw)) / 2
    return min(max(middle / len(pool), 0.0), 1.0)


def _reach(values: Sequence[str], at: int, names: set[str]) -> int:
    """Rows from the bug to the nearest other use of a name that it involves; 0 without names."""
    rows: list[int] = []
    row = place = 0
    for number, value in enumerate(values):
        if number == at:
            place = row
        elif value in names:
            rows.append(row)
        row += value == EOL
    return min((abs(other - place) for other in rows), default=0)


def _alternatives(values: Sequence[str], edit: Edit[str]) -> int:
    """How many lexemes could stand at the place of an edit."""
    value = edit.new or values[edit.at]
    if level_of(value) is not None:
        return 3
    if is_name(value):
        return max(len({name for name in values if is_name(name)}), 1)
    return _SIZES.get(value, 8)
