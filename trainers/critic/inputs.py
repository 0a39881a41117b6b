"""A problem's inputs for agreement: calls without expected values, and nothing of hidden tests.

They come from what the prompt shows, from the generator that was asked for more, and from mutation,
in that order: the most telling and the least likely to hang a program come first.
"""

import ast
import hashlib
import json
import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from memory.records import AgreementInputsRow, ProblemRow
from sandbox import Call, ConversionError, from_asserts
from sandbox.codec import NotDataError
from sandbox.tests_json import call_from_json, call_to_json
from trainers.critic.mutation import (
    Bounds,
    arguments_of,
    call_key,
    magnitude,
    mutants,
    numbers,
)
from trainers.visible import shown_asserts

WANTED = 24
MAX_PARSED = 32
MAX_TEXT = 1000
"""Characters of one call in a completion."""

_MAX_PLACES, _MAX_ENDS = 200, 40
_UNREADABLE = (SyntaxError, ValueError, TypeError, MemoryError, RecursionError)


def visible_calls(problem: ProblemRow, prompt_kind: str) -> list[Call]:
    """Return the calls in the tests that the prompt shows; none where they are no constants."""
    shown = shown_asserts(problem, prompt_kind)
    if not shown:
        return []
    try:
        tests = from_asserts(shown, entry_point=problem.entry_point)
    except ConversionError:
        return []  # a test that is no Python shows no calls; import has told of it
    calls = [_input(call, problem.entry_point) for call in tests.calls if call.function is None]
    return _distinct(calls)


def inputs_of(
    problem: ProblemRow,
    prompt_kind: str,
    generated: Sequence[Call],
    *,
    seed: int,
    wanted: int = WANTED,
) -> list[Call]:
    """Return up to ``wanted`` distinct calls: the visible, then the generated, then mutants.

    A problem that shows no call has none. Each call names its function, so that the calls of two
    problems never have one hash.

    Args:
        problem: whose; its hidden tests are not looked at.
        prompt_kind: ``visible1`` or ``seed``.
        generated: what :func:`parse_inputs` found.
        seed: of the mutants.
        wanted: how many in all.
    """
    visible = visible_calls(problem, prompt_kind)
    if not visible:
        return []
    calls = _distinct([*visible, *(_input(call, problem.entry_point) for call in generated)])
    random = Random(f"{seed}/{problem.id}")
    made = list(mutants(calls, random, max(0, wanted - len(calls))))
    return [*calls, *sorted(made, key=lambda call: _risk(call, visible))][:wanted]


def parse_inputs(completion: str, entry_point: str, like: Call) -> list[Call]:
    """Return the calls ``entry_point(<literals>)`` in a text, whatever stands around them.

    Nothing is run: arguments are literals, or the call is left out. So are calls whose arguments
    differ from those of ``like`` in number, names or types (an integer may stand for a float), and
    ones that are much larger.
    """
    found: list[Call] = []
    bounds = Bounds([like])
    places = re.finditer(rf"(?<![\w.]){re.escape(entry_point)}\s*\(", completion)
    for place, _ in zip(places, range(_MAX_PLACES), strict=False):
        call = _literal_call(completion[place.start() : place.start() + MAX_TEXT])
        if call is None:
            continue
        args, kwargs = call
        made = replace(_input(like, entry_point), args=args, kwargs=kwargs)
        if _fits(made, like) and bounds.admit(made):
            found.append(made)
    return _distinct(found)[:MAX_PARSED]


def calls_to_json(calls: Sequence[Call]) -> list[dict[str, Any]]:
    """Return calls as a JSON document."""
    return [call_to_json(call) for call in calls]


def calls_from_json(documents: Sequence[dict[str, Any]]) -> list[Call]:
    """Tell what :func:`calls_to_json` made, back."""
    return [call_from_json(document) for document in documents]


def inputs_hash(calls: Sequence[Call]) -> str:
    """Return the SHA-256 of the calls, functions and order included."""
    text = json.dumps(calls_to_json(calls), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def inputs_row(
    problem_id: str, calls: Sequence[Call], *, origin: str, generator_id: str | None, seed: int
) -> AgreementInputsRow:
    """Return calls as the row that the store keeps."""
    documents = calls_to_json(calls)
    return AgreementInputsRow(problem_id, inputs_hash(calls), origin, documents, generator_id, seed)


def _risk(call: Call, visible: Sequence[Call]) -> tuple[bool, float]:
    """Order calls by what makes programs loop: below zero where no test is, then large numbers.

    Those come last, since a program that is stopped on one call is not asked for the next.
    """
    lowest = min(numbers([arguments_of(one) for one in visible]), default=0)
    own = arguments_of(call)
    return lowest >= 0 > min(numbers(own), default=0), magnitude(own)


def _input(call: Call, entry_point: str) -> Call:
    """Return the call with its function named, and without what it is to satisfy."""
    return replace(call, expected=None, function=entry_point, compare="eq", tolerance=0.0)


def _distinct(calls: Sequence[Call]) -> list[Call]:
    """Leave out calls whose arguments came before."""
    first: dict[bytes, Call] = {}
    for call in calls:
        first.setdefault(call_key(call), call)
    return list(first.values())


def _literal_call(text: str) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Return the arguments of the call that ``text`` begins with; None where they are no literals.

    The call ends at the first closing bracket that makes it whole.
    """
    ends = [place for place, letter in enumerate(text) if letter == ")"]
    for end in ends[:_MAX_ENDS]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an odd escape in a text that is not ours
                node = ast.parse(text[: end + 1], mode="eval").body
        except _UNREADABLE:
            continue
        return _arguments(node)
    return None


def _arguments(node: ast.expr) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    if not isinstance(node, ast.Call):
        return None
    try:
        args = tuple(ast.literal_eval(argument) for argument in node.args)
        kwargs = {str(one.arg): ast.literal_eval(one.value) for one in node.keywords if one.arg}
    except _UNREADABLE:
        return None
    return (args, kwargs) if len(kwargs) == len(node.keywords) else None


def _fits(call: Call, like: Call) -> bool:
    """Tell whether the arguments are plain data, as many and of the types of those of ``like``."""
    if len(call.args) != len(like.args) or list(call.kwargs) != list(like.kwargs):
        return False
    pairs = zip(arguments_of(call), arguments_of(like), strict=True)
    if not all(_same_type(one, other) for one, other in pairs):
        return False
    try:
        call_key(call)
        call_to_json(call)
    except (NotDataError, TypeError):
        return False  # an ellipsis somewhere inside
    return True


def _same_type(value: Any, like: Any) -> bool:
    return type(value) is type(like) or (type(value) is int and type(like) is float)
