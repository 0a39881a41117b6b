"""Syntax errors as people make them: lost, doubled and wrong lexemes, quotes and indentation.

The kinds follow the corruptions of DeepFix, DrRepair and BIFI (Yasunaga and Liang 2021, arXiv
2106.06600). Whether a mutant really fails to compile is checked by the caller.
"""

from collections.abc import Callable
from itertools import pairwise
from keyword import iskeyword
from random import Random

from trainers.ctm.data.edits import Edit, Op
from trainers.ctm.data.lexemes import (
    CLOSING,
    EOL,
    OPENING,
    OPERATORS,
    is_name,
    is_number,
    is_string,
    level_of,
)
from trainers.ctm.data.program import Program

_BRACKETS = OPENING | CLOSING
_BINARY = frozenset(OPERATORS) - _BRACKETS - {",", ":", ";"}
_FOREIGN = {
    "elif": ("elseif", "else if"),
    "else": ("otherwise", "elif"),
    "except": ("catch",),
    "def": ("function", "func"),
    "and": ("&&",),
    "or": ("||",),
    "not": ("!",),
    "in": ("of",),
    "import": ("include",),
    "return": ("retrun", "returns"),
}

Sites = Callable[[Program], list[int]]
Mutate = Callable[[Program, int, Random], str]


def _where(test: Callable[[tuple[str, ...], int], bool]) -> Sites:
    return lambda program: [at for at in range(len(program.values) - 1) if test(program.values, at)]


def _is_operand(value: str) -> bool:
    name = is_name(value) or value in ("None", "True", "False")
    return name or is_number(value) or is_string(value) or value in _BRACKETS


def _between_operands(values: tuple[str, ...], at: int) -> bool:
    inside = 0 < at < len(values) - 1 and values[at] in _BINARY
    return inside and _is_operand(values[at - 1]) and _is_operand(values[at + 1])


def _ends_header(values: tuple[str, ...], at: int) -> bool:
    return values[at] == ":" and values[at + 1] == EOL


def _in_test(values: tuple[str, ...], at: int) -> bool:
    return values[at] == "=="


def _delete(program: Program, at: int, rng: Random) -> str:
    return program.apply(Edit(at, Op.DELETE, None)).render()


def _double(program: Program, at: int, rng: Random) -> str:
    return program.apply(Edit(at, Op.INSERT_BEFORE, program.values[at])).render()


def _put(program: Program, at: int, text: str) -> str:
    """Other text for a lexeme, whatever it is read as."""
    parts = [lexeme.gap + lexeme.text for lexeme in program.lexemes]
    parts[at] = program.lexemes[at].gap + text
    return "".join(parts)


def _wrong_bracket(program: Program, at: int, rng: Random) -> str:
    old = program.values[at]
    return _put(program, at, rng.choice(sorted((OPENING if old in OPENING else CLOSING) - {old})))


def _quote_missing(program: Program, at: int, rng: Random) -> str:
    text = program.lexemes[at].text
    start = text.find(text[-1])
    return _put(program, at, text[:-1] if rng.random() < 0.7 else text[:start] + text[start + 1 :])


def _quote_wrong(program: Program, at: int, rng: Random) -> str:
    text = program.lexemes[at].text
    return _put(program, at, text[:-1] + ("'" if text[-1] == '"' else '"'))


def _misspelt(program: Program, at: int, rng: Random) -> str:
    text = program.values[at]
    i = rng.randrange(len(text) - 1)
    swapped = text[:i] + text[i + 1] + text[i] + text[i + 2 :]
    ways = [swapped, text[:i] + text[i + 1 :], text[: i + 1] + text[i:]]
    return _put(program, at, rng.choice([way for way in ways if way != text]))


def _foreign(program: Program, at: int, rng: Random) -> str:
    return _put(program, at, rng.choice(_FOREIGN[program.values[at]]))


def _assignment(program: Program, at: int, rng: Random) -> str:
    return _put(program, at, "=")


def _indent(program: Program, at: int, rng: Random) -> str:
    text = program.lexemes[at].text
    longer, shorter = text + rng.choice((" ", "    ")), text[: -rng.choice((1, 4))]
    return _put(program, at, longer if not text or rng.random() < 0.5 else shorter)


def _joined(program: Program, at: int, rng: Random) -> str:
    """A line and the next become one."""
    merged = program.apply(Edit(at, Op.DELETE, None))
    return merged.apply(Edit(at, Op.DELETE, None)).render()


def _joinable(program: Program) -> list[int]:
    """The ends of lines with nothing but spaces before the next line."""
    pairs = enumerate(pairwise(program.lexemes))
    return [
        at
        for at, (end, after) in pairs
        if end.value == EOL and level_of(after.value) is not None and not after.gap.strip()
    ]


def _is_short_string(values: tuple[str, ...], at: int) -> bool:
    return is_string(values[at]) and values[at][-3:] not in ("'''", '"""')


OPERATIONS: dict[str, tuple[Sites, Mutate]] = {
    "bracket_missing": (_where(lambda v, i: v[i] in _BRACKETS), _delete),
    "bracket_doubled": (_where(lambda v, i: v[i] in _BRACKETS), _double),
    "bracket_wrong": (_where(lambda v, i: v[i] in _BRACKETS), _wrong_bracket),
    "colon_missing": (_where(_ends_header), _delete),
    "comma_missing": (_where(lambda v, i: v[i] == ","), _delete),
    "comma_doubled": (_where(lambda v, i: v[i] == ","), _double),
    "quote_missing": (_where(_is_short_string), _quote_missing),
    "quote_wrong": (_where(_is_short_string), _quote_wrong),
    "keyword_missing": (_where(lambda v, i: iskeyword(v[i])), _delete),
    "keyword_misspelt": (_where(lambda v, i: iskeyword(v[i])), _misspelt),
    "keyword_wrong": (_where(lambda v, i: v[i] in _FOREIGN), _foreign),
    "assignment_in_test": (_where(_in_test), _assignment),
    "operator_missing": (_where(_between_operands), _delete),
    "operator_doubled": (_where(_between_operands), _double),
    "indent": (_where(lambda v, i: level_of(v[i]) is not None), _indent),
    "line_end_missing": (
        _joinable,
        _joined,
    ),
}
"""For each kind the places that it can be at, and what it does at one: the mutant's text."""
