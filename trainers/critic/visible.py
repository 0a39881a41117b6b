"""The verdicts on the tests that a prompt shows: a filter that is no peeking."""

from collections.abc import Iterator, Mapping, Sequence

from memory.records import ProblemRow
from sandbox import (
    Limits,
    Program,
    ProgramRunner,
    Verdict,
    tests_hash,
)
from trainers.critic.running import RunReport, run_in_batches
from trainers.labelling import verdict_row
from trainers.stage import StageContext
from trainers.visible import visible_tests


def run_visible(
    context: StageContext,
    sandbox: ProgramRunner,
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
