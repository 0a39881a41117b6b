"""Bug classes and the kinds of bug in them: how often each is drawn, how hard its kind is.

Frequencies are those of TSSB-3M (Richter and Wehrheim 2022, arXiv 2201.12046, table of the
README), in thousands of fixes, for the kinds that it names; the others are set by hand to the
order of their like. Kinds are drawn by frequency to the power 0.5, so that rare ones appear.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

BugClass = Literal["syntax", "simple_logic", "all_logic", "security", "lint", "other", "clean"]
CLASSES: tuple[BugClass, ...] = get_args(BugClass)
LOGIC: tuple[BugClass, ...] = ("simple_logic", "all_logic")

_POWER = 0.5
# How hard a kind is by nature, for the raw difficulty (research notes, section 7).
_LITERAL, _CALL, _MISUSE, _MISSING, _SECURITY = 0.3, 0.5, 0.7, 0.85, 0.6


@dataclass(frozen=True)
class Kind:
    """A kind of bug: its class, frequency in thousands, and hardness from 0 to 1."""

    name: str
    bug_class: BugClass
    frequency: float
    hardness: float

    @property
    def weight(self) -> float:
        """How often it is drawn among those that a program has places for."""
        return float(self.frequency**_POWER)


def _kinds(bug_class: BugClass, hardness: float, frequencies: dict[str, float]) -> list[Kind]:
    return [Kind(name, bug_class, count, hardness) for name, count in frequencies.items()]


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        *_kinds(
            "syntax",
            0.0,
            {
                "bracket_missing": 60, "bracket_doubled": 25, "bracket_wrong": 20,
                "colon_missing": 50, "comma_missing": 40, "comma_doubled": 10,
                "quote_missing": 40, "quote_wrong": 15, "keyword_missing": 20,
                "keyword_misspelt": 20, "keyword_wrong": 15, "assignment_in_test": 25,
                "operator_missing": 15, "operator_doubled": 10, "indent": 50,
                "line_end_missing": 20,
            },
        ),
        *_kinds(
            "simple_logic",
            _LITERAL,
            {
                "comparison": 29, "arithmetic": 29, "augmented": 10, "boolean_operator": 20,
                "unary_operator": 15, "numeric_literal": 97, "boolean_literal": 37,
                "off_by_one": 60, "jump": 5,
            },
        ),
        *_kinds("simple_logic", _CALL, {"confusable_call": 60}),
        *_kinds(
            "all_logic",
            _CALL,
            {
                "wrong_function": 134, "wrong_attribute": 104, "more_arguments": 150,
                "fewer_arguments": 50, "swapped_arguments": 8, "wrong_keyword": 20,
                "missing_call": 117, "missing_method_call": 60, "added_call": 40,
                "missing_attribute": 32, "missing_element": 57, "wrong_exception": 20,
                "string_literal": 60,
            },
        ),
        *_kinds(
            "all_logic",
            _MISUSE,
            {
                "variable_misuse": 237, "wrong_operand": 174, "swapped_operands": 20,
                "misused_twice": 60, "swapped_names": 20, "bounds": 30, "range_and_index": 30,
                "flipped_comparisons": 15, "two_bugs": 60,
            },
        ),
        *_kinds(
            "all_logic",
            _MISSING,
            {
                "more_specific_condition": 68, "less_specific_condition": 22,
                "swapped_branches": 20, "shuffled_lines": 20, "missing_statement": 60,
                "missing_guard": 40, "missing_wrapper": 20, "missing_return": 20,
            },
        ),
        *_kinds("lint", _CALL, {"lint": 1}),
        *_kinds("other", _MISUSE, {"mined": 1}),
        Kind("clean", "clean", 1, 0.0),
    )
}  # fmt: skip
"""Every kind by its name, but those of security, whose names are the templates'."""


def kind_of(name: str, bug_class: BugClass) -> Kind:
    """The kind of an operator; one of a template of security where the table has none."""
    return KINDS.get(name) or Kind(name, bug_class, 1, _SECURITY)


def expand(names: Iterable[str]) -> tuple[BugClass, ...]:
    """The classes that a stage's ``bug_types`` mean: ``all_logic`` is both, ``all`` everything.

    Raises:
        ValueError: a name is no class.
    """
    found: dict[BugClass, None] = {}
    for name in names:
        if name == "all":
            found.update(dict.fromkeys(c for c in CLASSES if c != "clean"))
        elif name == "all_logic":
            found.update(dict.fromkeys(LOGIC))
        else:
            matching = [c for c in CLASSES if c == name]
            if not matching:
                raise ValueError(f"{name!r} is no bug class; choose of {', '.join(CLASSES)}, all")
            found[matching[0]] = None
    return tuple(found)
