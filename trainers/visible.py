"""What a prompt shows of a problem's tests: what may be run before a program is chosen."""

import ast
import doctest

from memory.records import ProblemRow
from sandbox import ConversionError, Tests, from_asserts, tests_from_json
from trainers.generators.prompts import shown_tests


def shown_asserts(problem: ProblemRow, prompt_kind: str) -> tuple[str, ...]:
    """Return the asserts that the prompt shows, and as asserts the doctests in its statement.

    HumanEval's rows have no ``visible_tests``; what they show are doctests.
    """
    return (*shown_tests(problem, prompt_kind), *_doctests(problem))


def visible_tests(problem: ProblemRow, prompt_kind: str) -> Tests | None:
    """Return the tests that a picker may run before it chooses; None where there are none.

    The protocol ``seed`` shows all tests to the generator and runs none when it chooses.
    """
    shown = shown_asserts(problem, prompt_kind)
    if prompt_kind == "seed" or not shown:
        return None
    # Asserts may need what the data set sets up for them (classes, helpers), which no prompt shows.
    setup_code = tests_from_json(problem.tests).setup_code if problem.visible_tests else ""
    try:
        return from_asserts(shown, entry_point=problem.entry_point, setup_code=setup_code)
    except ConversionError:
        return None


def _doctests(problem: ProblemRow) -> list[str]:
    """Return the examples in the statement that call the function and give a literal."""
    try:
        examples = doctest.DocTestParser().get_examples(problem.statement)
    except ValueError:
        return []  # prose that only looks like doctests
    texts = [(one.source.strip(), one.want.strip()) for one in examples if not one.exc_msg]
    return [
        f"assert {source} == {want}"
        for source, want in texts
        if _calls(source, problem.entry_point) and _is_literal(want)
    ]


def _calls(source: str, entry_point: str) -> bool:
    try:
        node = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError):
        return False
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == entry_point
    )


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (SyntaxError, ValueError, TypeError):
        return False
    return True
