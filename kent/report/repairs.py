"""Repair examples: a failing program beside the passing one most like it, as a diff."""

from difflib import unified_diff

from kent.report import learned_queries as queries
from kent.report.values import Json
from memory.store import Store

_SHOWN = 6
_LONGEST = 1_200  # characters of a program that is still read at a glance
_CONTEXT = 3


def repairs(store: Store) -> list[Json]:
    """Examples of repair pairs, all of train problems: one a problem, the smallest edits first."""
    found = queries.repair_pairs(store, 3 * _SHOWN, _LONGEST)
    return [_example(row) for row in found if _lines(row)][:_SHOWN]


def _example(row: queries.Row) -> Json:
    lines = _lines(row)
    return {
        "pair": row["id"],
        "problem": row["problem_id"],
        "statement": row["statement"],
        "verdict": row["verdict"],
        "how": row["change"] or "alike",
        "similarity": row["similarity"],
        "generator": row["generator_id"],
        "removed": sum(line.startswith("-") for line in lines),
        "added": sum(line.startswith("+") for line in lines),
        "diff": lines,
    }


def _lines(row: queries.Row) -> list[str]:
    """The diff without its file names; comments and blank lines are no part of a repair."""
    before, after = _program(row["broken"]), _program(row["fixed"])
    return list(unified_diff(before, after, n=_CONTEXT, lineterm=""))[2:]


def _program(code: str) -> list[str]:
    lines = (line.rstrip() for line in code.splitlines())
    return [line for line in lines if line and not line.lstrip().startswith("#")]
