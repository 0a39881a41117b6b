"""What a prompt shows of a problem's tests, and the verdicts on it: a filter that is no peeking."""

import ast
import doctest
from collections.abc import Iterator, Mapping, Sequence

from memory.records import ProblemRow
from sandbox import (
    ConversionError,
    Limits,
    Program,
    Sandbox,
    Tests,
    Verdict,
    from_asserts,
    tests_from_json,
    tests_hash,
)
from trainers.critic.running import RunReport, run_in_batches
from trainers.generators.prompts import shown_tests
from trainers.labelling import verdict_row
from trainers.stage import StageContext


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


def run_visible(
    context: StageContext,
    sandbox: Sandbox,
    problems: Sequence[ProblemRow],
    prompt_kind: str,
    programs: Mapping[str, Mapping[str, str]],
    *,
    limits: Mapping[str, Limits] | None = None,
) -> tuple[dict[str, str], RunReport]:
    """Judge programs by the tests that the prompt shows; what is judged already is not run.

    The verdicts are ordinary rows under the visible tests' own hash; ``Store.verdict_words`` reads
    them.

    Args:
        context: store, progress, stop request.
        sandbox: who judges.
        problems: whose programs are judged.
        prompt_kind: ``visible1`` or ``seed``, under which nothing is run.
        programs: by problem id, each problem's code by program hash.
        limits: what a problem's programs may use, by the problem's id; else the sandbox's own.

    Returns:
        The visible tests' hash by problem id, where there are any; and what was run.

    Raises:
        Stopped: asked to stop; everything that was finished is stored.
        SandboxError: the sandbox cannot go on.
    """
    found = {row.id: visible_tests(row, prompt_kind) for row in problems}
    tests = {problem_id: one for problem_id, one in found.items() if one is not None}
    hashes = {problem_id: tests_hash(one) for problem_id, one in tests.items()}
    pairs = {
        (program, hashes[problem_id]): (problem_id, code)
        for problem_id in tests
        for program, code in programs.get(problem_id, {}).items()
    }
    known = context.store.known_verdicts(pairs, sandbox.version, sandbox.level)
    context.progress.start("run the visible tests", len(pairs), "programs", done=len(known))

    def missing() -> Iterator[Program]:
        for pair, (problem_id, code) in pairs.items():
            if pair not in known:
                allowed = (limits or {}).get(problem_id)
                yield Program(":".join(pair), code, tests[problem_id], allowed)

    def write(verdicts: Sequence[Verdict]) -> None:
        rows = [verdict_row(verdict, context.stage_run_id) for verdict in verdicts]
        context.store.add_verdicts(rows)

    return hashes, run_in_batches(context, sandbox, missing(), write, known=len(known))


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
