"""One task's two ways to a program: the repair loop, and fresh floods from the same budget."""

from collections.abc import Callable
from dataclasses import dataclass

from numpy.random import Generator

from trainers.fractal.loop import ArmChooser, Budget, Loop, LoopSettings
from trainers.fractal.outcome import Outcome
from trainers.fractal.synthetic.domain import SyntheticDomain
from trainers.fractal.synthetic.programs import ChainProgram, SyntheticTask
from trainers.synthetic_settings import SyntheticConfig


@dataclass(frozen=True)
class Resampled:
    """How resampling ended; ``tokens`` of all its floods, the last one included."""

    passed: bool
    tokens: int
    floods: int


def repair(
    domain: SyntheticDomain,
    config: SyntheticConfig,
    task: SyntheticTask,
    chooser: ArmChooser,
    rng: Generator,
    check_stop: Callable[[], None] = lambda: None,
) -> Outcome[ChainProgram]:
    """The loop on one task, within the task's budget."""
    settings = LoopSettings(flood=config.flood, local=config.local, tries=config.tries)
    loop = Loop(domain, chooser, settings, check_stop)
    return loop.run(task, budget_of(config, task), rng)


def resample(
    domain: SyntheticDomain,
    config: SyntheticConfig,
    task: SyntheticTask,
    width: int,
    rng: Generator,
) -> Resampled:
    """Fresh floods of ``width`` candidates until one passes or the loop's budget is spent."""
    budget = budget_of(config, task).tokens
    tokens = floods = 0
    passed = False
    while tokens < budget and not passed:
        rendered = domain.render(task, domain.draft(task, width, rng), rng)
        tokens += sum(one.tokens for one in rendered)
        floods += 1
        judged = domain.verify(task, [one.program for one in rendered])
        passed = any(judgement.passed for judgement in judged)
    return Resampled(passed, tokens, floods)


def budget_of(config: SyntheticConfig, task: SyntheticTask) -> Budget:
    """What a task may cost, by the number of roots that its own program has."""
    return Budget(config.tokens_per_root * task.roots)
