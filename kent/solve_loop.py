"""The repair loop of ``kent solve``: what no sample passes is localised and rendered again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from kent.config import KentConfig
from memory.hologram.circuits import CircuitObserver
from memory.records import ProblemRow, SampleRow
from memory.store import Store
from sandbox import Sandbox, tests_from_json
from trainers.fractal.arms import CircuitChooser
from trainers.fractal.loop import Budget, Loop, LoopSettings
from trainers.fractal.outcome import Step
from trainers.fractal.python.domain import PythonDomain, PythonTask
from trainers.fractal.python.loops import PythonOutcome
from trainers.fractal.python.partners import Editor
from trainers.fractal.python.practice import DOMAIN
from trainers.fractal.python.program import PythonProgram
from trainers.fractal.python.recall import SolvedProblems
from trainers.generators.base import Generator, SamplingParams
from trainers.generators.pooled import PooledGenerator
from trainers.samples import SampleSource, program_hash

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Mended:
    """What the loop made: further samples, those that pass the tests; and its trace."""

    samples: list[SampleRow]
    trace: list[str]
    tokens: int


def mend(
    config: KentConfig,
    problem: ProblemRow,
    samples: Sequence[SampleRow],
    generator: Generator,
    sandbox: Sandbox,
    *,
    budget: int,
    seed: int,
    tell: Tell,
) -> Mended:
    """Repair the samples of a problem whose tests none of them passes, within a budget of tokens.

    Args:
        config: of the loop.
        problem: its tests are those that the user gave: all of them may be seen.
        samples: of the problem.
        generator: entered.
        sandbox: who judges.
        budget: tokens, beyond those of the samples.
        seed: of the loop.
        tell: told of every step.

    Raises:
        GeneratorError: the generator failed.
    """
    python = config.fractal.python
    settings = LoopSettings(python.flood, python.local, python.tries, doubted=True)
    flooded = [PythonProgram(row.code, tokens=row.tokens, logprob=row.logprob) for row in samples]
    spent = sum(row.tokens for row in samples)
    known = _memory(config, generator.id)
    with PooledGenerator(generator) as pool:
        domain = PythonDomain(
            pool, sandbox, config.critic.protocol,
            SamplingParams(
                config.generator.temperature, config.generator.top_p, config.generator.max_tokens
            ),
            editors=known.editors, recall=known.recall, arms_wanted=python.arms,
        )  # fmt: skip
        loop = Loop(domain, known.chooser, settings)
        task = PythonTask(problem, tests_from_json(problem.tests))
        rng = np.random.default_rng(seed)
        outcome = loop.run(task, Budget(spent + budget, python.seconds), rng, flooded, spent)
    for line in (trace := _trace(outcome)):
        tell(line)
    made = [
        _sample(problem, samples[0], one.program, number)
        for number, one in enumerate(outcome.passing, start=len(samples))
        if one.arm != "flood"
    ]
    return Mended(made, trace, outcome.tokens - spent)


@dataclass(frozen=True)
class _Memory:
    """What the store tells the loop: how the arms did, learned edits, problems that were solved."""

    chooser: CircuitChooser
    editors: Mapping[str, Editor] = field(default_factory=dict)
    recall: Callable[[ProblemRow], Sequence[tuple[ProblemRow, str]]] | None = None


def _memory(config: KentConfig, generator_id: str) -> _Memory:
    """All of it as far as it is there; nothing where there is no store."""
    path = config.state_dir / "kent.db"
    if not path.exists():
        return _Memory(CircuitChooser(DOMAIN, CircuitObserver()))
    from kent.partners import editors

    source = SampleSource.of(generator_id, config.critic.protocol, config.generator)
    with Store.open(path, read_only=True) as store:
        chooser = CircuitChooser(DOMAIN, CircuitObserver(store, writes=False),
                                 store.arm_costs(DOMAIN))  # fmt: skip
        train = store.problems(split="train")
        solved = SolvedProblems.of(store, train, source)
        found = editors(store, Path(config.state_dir))()
    return _Memory(chooser, found, None if solved is None else solved.like)


def _trace(outcome: PythonOutcome) -> list[str]:
    return [_line(number, step) for number, step in enumerate(outcome.steps, start=1)]


def _line(number: int, step: Step) -> str:
    where = "" if step.base is None else f" of program {step.base}, part {step.root}"
    how = "passes" if step.passed else f"nearest: {step.kind}"
    return f"{number:3}. {step.arm}{where}: {step.new} new programs for {step.tokens} tokens; {how}"


def _sample(problem: ProblemRow, like: SampleRow, program: PythonProgram, number: int) -> SampleRow:
    return replace(
        like, problem_id=problem.id, idx=number, completion=program.code, code=program.code,
        program_hash=program_hash(program.code), tokens=program.tokens, logprob=program.logprob,
    )  # fmt: skip
