"""Using what was learned: many samples for one statement, and the best of them by every signal.

Nothing is written: it can run beside the daemon.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from memory.records import ProblemRow, SampleRow
from sandbox import Call, Program, Sandbox, Tests, tests_from_json
from trainers.critic.agreement import LIMITS, outcome
from trainers.critic.blend import stack
from trainers.critic.features import FeatureSource
from trainers.critic.inputs import inputs_of, parse_inputs, visible_calls
from trainers.critic.model import Critic
from trainers.critic.pickers import rankings
from trainers.critic.ranking import order
from trainers.critic.scalars import NAMES
from trainers.critic.signals import Executed, signals
from trainers.critic.survey import Surveyed, surveyed
from trainers.errors import GeneratorError
from trainers.generators.base import Generator, Message, Request, SamplingParams
from trainers.generators.prompts import extract_code, inputs_prompt, solve_prompt
from trainers.samples import program_hash

Array = NDArray[np.float64]

# The best picker first: what is there decides.
PREFERRED = (
    "critic_agreement_visible", "critic_agreement", "agreement_visible", "critic", "agreement",
    "logprob",
)  # fmt: skip


@dataclass(frozen=True)
class Solution:
    """The program that was picked. ``p_pass`` is calibrated; None without a critic.

    ``tests_passed`` is None where no test was given.
    """

    code: str
    p_pass: float | None
    picker: str
    tests_passed: bool | None
    n_samples: int
    n_distinct: int
    n_passing: int
    agreeing: float


def write_programs(
    generator: Generator, problem: ProblemRow, kind: str, count: int, params: SamplingParams
) -> tuple[list[SampleRow], list[Call]]:
    """Sample programs, and calls to compare them on; the generator is entered.

    Raises:
        GeneratorError: it died, or gave nothing.
    """
    prompt = solve_prompt(problem, kind)
    answers = list(generator.generate([Request("solve", prompt, count)], params))
    if not answers:
        raise GeneratorError(f"{generator.id} gave no sample; see its log, or raise --samples")
    samples = []
    for number, answer in enumerate(answers):
        code = extract_code(answer.text.encode("utf-8", "replace").decode(), problem)
        samples.append(
            SampleRow(
                problem_id=problem.id, generator_id=generator.id, protocol=kind, params={},
                params_hash="", idx=number, seed=params.seed, completion=answer.text, code=code,
                program_hash=program_hash(code), tokens=answer.tokens, logprob=answer.logprob,
                finish_reason=answer.finish_reason, stage_run_id=0,
            )
        )  # fmt: skip
    calls: list[Call] = []
    if like := visible_calls(problem, kind)[:1]:
        asked = Request("inputs", inputs_prompt(problem, kind))
        for answer in generator.generate([asked], params):
            calls = parse_inputs(answer.text, problem.entry_point, like[0])
    return samples, calls


def pick(
    problem: ProblemRow,
    kind: str,
    samples: Sequence[SampleRow],
    generated: Sequence[Call],
    sandbox: Sandbox,
    *,
    critic: Critic | None,
    features: FeatureSource | None,
    wanted: int,
) -> Solution:
    """Rank the samples by the best picker there is, and say how likely the first one passes.

    Args:
        problem: its ``tests`` are those that the user gave, and all of them are run.
        kind: of the prompt.
        samples: of the problem.
        generated: calls that the generator wrote.
        sandbox: who runs them.
        critic: the champion; None: there is none for this generator.
        features: what the critic sees, entered; None where it sees none.
        wanted: inputs to compare the samples on, at most.
    """
    prompt = solve_prompt(problem, kind)
    one = surveyed(problem, prompt, samples, keys=[(0, 0)] * len(samples), verdicts=[])
    inputs = inputs_of(problem, kind, generated, seed=0, wanted=wanted)
    ran = _executed(problem, samples, inputs, sandbox)
    told = signals([one], {problem.id: ran})
    if critic is not None:
        logits = critic.logits(_inputs(critic, one, prompt, samples, features))
        told["logit"] = logits.numpy().astype(float)
    ranked = rankings(told, critic.blends if critic else {})
    picker = next(name for name in PREFERRED if name in ranked or name == "logprob")
    first = int(order(ranked.get(picker, np.zeros(len(samples))))[0])
    return Solution(
        code=samples[first].code,
        p_pass=_probability(critic, told, picker, first),
        picker=picker,
        tests_passed=None if np.isnan(ran.visible[first]) else bool(ran.visible[first]),
        n_samples=len(samples),
        n_distinct=len(set(one.normals)),
        n_passing=int(np.nansum(ran.visible)),
        agreeing=float(told["cluster"][first]),
    )


def _executed(
    problem: ProblemRow, samples: Sequence[SampleRow], inputs: Sequence[Call], sandbox: Sandbox
) -> Executed:
    codes = {sample.program_hash: sample.code for sample in samples}
    outcomes: dict[str, tuple[str, ...]] = {}
    if inputs:
        calls = Tests("data", problem.entry_point, calls=tuple(inputs))
        programs = [Program(key, code, calls, LIMITS, observe=True) for key, code in codes.items()]
        for verdict in sandbox.run_many(programs):
            told = tuple(outcome(seen) for seen in verdict.observed)
            # Where the sandbox itself failed nothing was seen, and nothing agrees with that.
            outcomes[verdict.key] = told or (f"!{verdict.word.value}",) * len(inputs)
    passed: dict[str, float] = {}
    if problem.visible_tests:
        tests = tests_from_json(problem.tests)
        for verdict in sandbox.run_many(Program(k, code, tests) for k, code in codes.items()):
            passed[verdict.key] = float(verdict.passed)
    return Executed(
        [outcomes[sample.program_hash] for sample in samples] if inputs else [],
        np.array([passed.get(sample.program_hash, np.nan) for sample in samples]),
    )


def _inputs(
    critic: Critic,
    one: Surveyed,
    prompt: Sequence[Message],
    samples: Sequence[SampleRow],
    features: FeatureSource | None,
) -> torch.Tensor:
    """(samples, dim) as the critic sees them; each normal form is embedded once."""
    scalars = one.scalars[:, [NAMES.index(name) for name in critic.spec.scalars]]
    facts = torch.from_numpy(scalars).float()
    if features is None:
        return facts
    texts = {sample.program_hash: sample.code for sample in samples}
    distinct = list(dict.fromkeys(one.features_of))
    vectors = features.extract(prompt, [texts[key] for key in distinct])
    columns = features.columns(critic.spec.pooling)
    rows = [distinct.index(key) for key in one.features_of]
    return torch.cat([vectors[rows][:, columns], facts], dim=1)


def _probability(
    critic: Critic | None, told: dict[str, Array], picker: str, first: int
) -> float | None:
    """By the blend that picked, else by the critic alone."""
    if critic is None:
        return None
    blend = critic.blends.get(picker)
    if blend is None:
        logit = torch.tensor([told["logit"][first]])
        return float(critic.probability(logit)[0])
    values = stack(told, blend.signals)
    assert values is not None, "a picker is only used where its signals are known"
    return float(blend.probability(values)[first])
