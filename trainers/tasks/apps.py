"""APPS's records to problem rows: those whose tests call a function (data MIT).

Source: Hendrycks et al. 2021, "Measuring Coding Challenge Competence With APPS", arXiv 2105.09938.
Most of its problems read standard input and print; the sandbox judges functions, so that they are
counted and left out.
"""

import ast
import json
import typing
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from memory.records import ProblemRow
from sandbox.tests_json import tests_hash, tests_to_json
from sandbox.types import Tests
from trainers.errors import TaskError
from trainers.tasks.apps_tests import (
    Pair,
    agreed,
    arguments_of,
    function_tests,
    is_ambiguous,
    is_usable,
    method_tests,
)
from trainers.tasks.expected import Job, Recorded, record
from trainers.tasks.files import Record
from trainers.tasks.python_source import parse
from trainers.tasks.reference_tests import Made

KEY = "problem_id"
FIELDS = {
    "problem_id": int,
    "question": str,
    "solutions": str,
    "input_output": str,
    "difficulty": str,
    "starter_code": str,
}

STDIN = "they read standard input and print, and the sandbox judges functions"
NO_TESTS = "they have no tests"
UNREADABLE = "their tests or solutions cannot be read"
AMBIGUOUS = "no solution says whether an output is a list or what is in it"
WRONG = "their first solution fails their own tests"
_NAMED = 5  # ids that a note names

# What the sites that the solutions come from had imported for them.
_PRELUDE = """\
import bisect, collections, copy, datetime, functools, heapq, itertools, math, operator, random
import re, string, sys, time
from bisect import bisect_left, bisect_right, insort
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from functools import cmp_to_key, lru_cache, reduce
from heapq import heapify, heappop, heappush, nlargest, nsmallest
from itertools import accumulate, chain, combinations, count, groupby, permutations, product
from math import ceil, floor, gcd, log, sqrt
from typing import Any, Dict, List, Optional, Set, Tuple, Union


"""
_METHOD = """

def kent_method(*arguments):
    return Solution().{name}(*arguments)
"""


@dataclass(frozen=True)
class _Task:
    """What a record says, read; ``reference`` is empty where it has no solution."""

    record: Record
    name: str
    in_class: bool
    reference: str
    inputs: list[tuple[Any, ...]]
    outputs: list[Any]

    @property
    def id(self) -> str:
        return f"apps/{self.record[KEY]}"


class _LeftOut(Exception):
    """A record that becomes no row, and why."""


def rows(records: Sequence[Record]) -> Made:
    """Turn APPS's records into rows, all of the test split.

    The first solution of each runs in the sandbox, to learn how its outputs are to be read.

    Returns:
        The rows, and a note for each reason why some are left out or lost calls.
    """
    left_out: dict[str, list[str]] = defaultdict(list)
    tasks: list[_Task] = []
    for one in records:
        try:
            tasks.append(_read(one))
        except _LeftOut as why:
            left_out[str(why)].append(f"apps/{one[KEY]}")
    returned = {found.key: found for found in record(_job(t) for t in tasks if t.reference)}
    made: list[ProblemRow] = []
    lost: list[str] = []
    for task in tasks:
        try:
            pairs = _pairs(task, returned.get(task.id))
        except _LeftOut as why:
            left_out[str(why)].append(task.id)
            continue
        made.append(_row(task, pairs))
        lost += [task.id] if len(pairs) < len(task.inputs) else []
    notes = [_note(f"left out: {why}", ids) for why, ids in sorted(left_out.items())]
    if lost:
        notes.append(_note("lost the calls that their solution does not answer as stored", lost))
    return Made(made, notes)


def _read(one: Record) -> _Task:
    try:
        tests = json.loads(one["input_output"]) if one["input_output"].strip() else {}
        solutions = json.loads(one["solutions"]) if one["solutions"].strip() else []
    except (ValueError, RecursionError) as error:  # some hold integers of many thousand digits
        raise _LeftOut(UNREADABLE) from error
    if not isinstance(tests, dict) or not isinstance(solutions, list):
        raise _LeftOut(UNREADABLE)
    inputs, outputs, name = (tests.get(key) for key in ("inputs", "outputs", "fn_name"))
    if not inputs or not outputs:
        raise _LeftOut(NO_TESTS)
    if name is None:
        raise _LeftOut(STDIN)
    arguments = [arguments_of(given) for given in inputs] if isinstance(inputs, list) else [None]
    calls = [found for found in arguments if found is not None]
    first = solutions[0] if solutions else ""
    if (
        len(calls) != len(arguments)
        or not isinstance(outputs, list)
        or len(outputs) != len(calls)
        or not (isinstance(name, str) and name.isidentifier())
        or not isinstance(first, str)
    ):
        raise _LeftOut(UNREADABLE)
    in_class = _has_class(one["starter_code"]) or _has_class(first)
    return _Task(one, name, in_class, _PRELUDE + first if first else "", calls, outputs)


def _has_class(code: str) -> bool:
    return any(line.startswith("class Solution") for line in code.splitlines())


def _job(task: _Task) -> Job:
    if not task.in_class:
        return Job(task.id, task.reference, task.name, task.inputs)
    code = task.reference + _METHOD.format(name=task.name)
    return Job(task.id, code, "kent_method", task.inputs)


def _pairs(task: _Task, found: Recorded | None) -> list[Pair]:
    """The calls with what is expected of each."""
    if found is None:
        if is_ambiguous(task.outputs):
            raise _LeftOut(AMBIGUOUS)
        pairs = list(zip(task.inputs, task.outputs, strict=True))
    else:
        # The recorder gives back the very arguments that it was given.
        stored = {id(one): out for one, out in zip(task.inputs, task.outputs, strict=True)}
        pairs = [pair for pair in found.pairs if agreed(pair[1], stored[id(pair[0])])]
    usable = [pair for pair in pairs if is_usable(pair)]
    if not usable:
        raise _LeftOut(WRONG if pairs == [] else UNREADABLE)
    return usable


def _row(task: _Task, pairs: list[Pair]) -> ProblemRow:
    tests: Tests = (method_tests if task.in_class else function_tests)(task.name, pairs)
    if not task.record["question"].strip():
        raise TaskError(f"{task.id}: its question is empty; fetch the file again")
    return ProblemRow(
        id=task.id,
        source="apps",
        statement=task.record["question"].strip(),
        entry_point=task.name,
        split="test",
        tests=tests_to_json(tests),
        tests_hash=tests_hash(tests),
        stub=_stub(task.record["starter_code"]),
        reference=task.reference,
        metadata={"difficulty": task.record["difficulty"]},
    )


def _stub(starter: str) -> str:
    """The starter code with the imports that its annotations need."""
    lines = starter.rstrip().splitlines()
    if not lines:
        return ""
    indent = lines[-1][: len(lines[-1]) - len(lines[-1].lstrip())]
    try:
        tree = parse("\n".join(lines) + f"\n{indent}    pass\n")
    except (SyntaxError, ValueError, RecursionError):
        return "\n".join(lines)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names = sorted(used & set(typing.__all__))
    head = [f"from typing import {', '.join(names)}", "", ""] if names else []
    return "\n".join(head + lines)


def _note(text: str, ids: list[str]) -> str:
    more = " ..." if len(ids) > _NAMED else ""
    return f"{len(ids)} {text} ({', '.join(ids[:_NAMED])}{more})"
