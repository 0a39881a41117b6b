"""Inputs that the generator writes: asked for once a problem, parsed as literals, kept."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from memory.records import AgreementInputsRow, ProblemRow
from sandbox import Call
from trainers.critic.inputs import calls_from_json, inputs_row, parse_inputs, visible_calls
from trainers.generators.base import Generator, Request, SamplingParams
from trainers.generators.prompts import INPUTS_PROMPT_VERSION, inputs_prompt
from trainers.stage import StageContext

MAX_TOKENS = 200
TEMPERATURE = 0.8


def origin_of(prompt_kind: str) -> str:
    """The origin under which a prompt's inputs are stored: what it showed shapes them."""
    return f"generated {prompt_kind}/{INPUTS_PROMPT_VERSION}"


def without_inputs(
    context: StageContext, problems: Sequence[ProblemRow], prompt_kind: str, generator_id: str
) -> list[ProblemRow]:
    """Those problems that this generator was not asked yet, and that show a call to go by."""
    rows = context.store.agreement_inputs([row.id for row in problems])
    return [
        problem
        for problem in problems
        if _stored(rows[problem.id], prompt_kind, generator_id) is None
        and visible_calls(problem, prompt_kind)
    ]


def write_inputs(
    context: StageContext,
    generator: Generator,
    problems: Sequence[ProblemRow],
    prompt_kind: str,
    *,
    seed: int,
) -> None:
    """Ask the generator, entered, for calls of each problem's function; each answer is kept.

    An answer without a usable call is kept as none, so that it is not asked for again.

    Raises:
        Stopped: asked to stop; the answers so far are kept.
        GeneratorError: the generator died.
    """
    by_id = {problem.id: problem for problem in problems}
    context.progress.start("write inputs", len(by_id), "problems")
    requests = [Request(row.id, inputs_prompt(row, prompt_kind)) for row in problems]
    params = SamplingParams(temperature=TEMPERATURE, max_tokens=MAX_TOKENS, seed=seed)
    for answer in generator.generate(iter(requests), params):
        problem = by_id[answer.key]
        like = visible_calls(problem, prompt_kind)[0]
        calls = parse_inputs(answer.text, problem.entry_point, like)
        origin = origin_of(prompt_kind)
        row = inputs_row(problem.id, calls, origin=origin, generator_id=generator.id, seed=seed)
        # Two prompts may get the same answer, such as none: each is kept as its own.
        own = hashlib.sha256(f"{origin}/{generator.id}/{row.inputs_hash}".encode()).hexdigest()
        context.store.add_agreement_inputs([replace(row, inputs_hash=own)])
        context.progress.advance()
        context.check_stop()


def generated_calls(
    context: StageContext, problems: Sequence[ProblemRow], prompt_kind: str, generator_id: str
) -> Mapping[str, list[Call]]:
    """What this generator wrote, by problem id; nothing where it was not asked."""
    rows = context.store.agreement_inputs([row.id for row in problems])
    return {
        problem_id: _stored(found, prompt_kind, generator_id) or []
        for problem_id, found in rows.items()
    }


def _stored(
    rows: Sequence[AgreementInputsRow], prompt_kind: str, generator_id: str
) -> list[Call] | None:
    origin = origin_of(prompt_kind)
    own = [row for row in rows if row.origin == origin and row.generator_id == generator_id]
    return calls_from_json(own[0].inputs) if own else None
