"""The figures of the synthetic domain: with and without repair, by length, localisation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
from numpy.random import Generator

from memory.records import Figure
from trainers import statistics
from trainers.fractal.loop import ArmChooser
from trainers.fractal.synthetic.competitors import Resampled, repair, resample
from trainers.fractal.synthetic.data import Example, Split, examples, operands
from trainers.fractal.synthetic.domain import SyntheticDomain
from trainers.fractal.synthetic.localise import LEAST_SHARE, RootEvidence
from trainers.fractal.synthetic.model import SyntheticModel
from trainers.fractal.synthetic.programs import ChainProgram, Root
from trainers.fractal.synthetic.solver import fixes
from trainers.synthetic_settings import DifficultyConfig, SyntheticConfig

# Seeds of the tasks that are drawn, apart for each use.
_TASKS, _LONG_TASKS, _INJECTED = 1, 2, 3
_TWICE = 2

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Solved:
    """What became of one task, by the loop and by resampling; ``single`` one candidate a flood."""

    roots: int
    first: bool
    loop: bool
    loop_tokens: int
    loop_steps: int
    wide: Resampled
    single: Resampled


@dataclass(frozen=True)
class Ways:
    """The competitors: the same networks, each way at the temperature that suits it."""

    loop: SyntheticDomain
    resampling: SyntheticDomain
    config: SyntheticConfig
    chooser: ArmChooser


def measure(
    model: SyntheticModel,
    config: SyntheticConfig,
    split: Split,
    chooser: ArmChooser,
    seed: int,
    advance: Advance = lambda done: None,
) -> dict[str, Any]:
    """Every figure on one split, as JSON values.

    Args:
        model: the champion.
        config: budgets and counts.
        split: ``test`` for the report, ``validation`` while anything is chosen.
        chooser: of the loop's arms; what it learns of these tasks is the caller's to forget.
        seed: of the loops' drawings.
        advance: told the tasks that are done.
    """
    domain = SyntheticDomain(model, config)
    rival = SyntheticDomain(
        model, config.model_copy(update={"temperature": config.resample_temperature})
    )
    ways = Ways(domain, rival, config, chooser)
    own = examples(config.difficulty, split, config.test_tasks, _TASKS)
    longer = _TWICE * config.difficulty.max_roots
    long = examples(config.difficulty, split, config.test_tasks, _LONG_TASKS, longer)
    solved = [solve(ways, one, [seed, 0, i], advance) for i, one in enumerate(own)]
    beyond = [solve(ways, one, [seed, 1, i], advance) for i, one in enumerate(long)]
    return {
        "split": split,
        **figures(solved),
        "by_length": by_length(solved),
        "twice_as_long": {"roots": longer} | figures(beyond),
        **localisation(domain, config, split, config.test_tasks),
    }


def solve(
    ways: Ways, example: Example, seed: Sequence[int], advance: Advance = lambda done: None
) -> Solved:
    """One task by the loop, and by resampling with floods as wide as the loop's and of one."""
    config, task = ways.config, example.task
    loop_rng, wide_rng, single_rng = np.random.default_rng(seed).spawn(3)
    outcome = repair(ways.loop, config, task, ways.chooser, loop_rng)
    solved = Solved(
        roots=task.roots,
        first=bool(outcome.tried) and outcome.tried[0].judgement.passed,
        loop=outcome.passed,
        loop_tokens=outcome.tokens,
        loop_steps=len(outcome.steps),
        wide=resample(ways.resampling, config, task, config.flood, wide_rng),
        single=resample(ways.resampling, config, task, 1, single_rng),
    )
    advance(1)
    return solved


def figures(solved: Sequence[Solved]) -> dict[str, Any]:
    """Pass rates at the same budget, and what a solved program cost in tokens.

    ``tokens_ratio`` is resampling's tokens a solved program over the loop's, and its interval
    bootstrap over tasks; of the two ways to resample that one counts which costs less.
    """
    loop = [one.loop for one in solved]
    loop_tokens = [one.loop_tokens for one in solved]
    ways = {"wide": [one.wide for one in solved], "single": [one.single for one in solved]}
    cheapest = min(ways, key=lambda way: _cost(ways[way]))
    best = ways[cheapest]
    return {
        "pass1": _share([one.first for one in solved]),
        "pass_loop": _share(loop),
        "resample_equal_budget": _share([one.passed for one in best]),
        "resample_by": cheapest,
        "tokens_per_solved": _per_solved(loop_tokens, loop),
        "resample_tokens_per_solved": _per_solved(
            [one.tokens for one in best], [one.passed for one in best]
        ),
        "tokens_ratio": _ratio(solved, best).to_json(),
    }


def by_length(solved: Sequence[Solved]) -> list[dict[str, Any]]:
    """The figures for each number of roots."""
    lengths = sorted({one.roots for one in solved})
    return [
        {"roots": length} | figures([one for one in solved if one.roots == length])
        for length in lengths
    ]


@dataclass(frozen=True)
class Injected:
    """A program that is right but for one root: which, what speaks against whom, and all fixes."""

    guilty: int
    failing: dict[int, RootEvidence]
    everywhere: dict[int, RootEvidence]
    fixable: Sequence[int]


def localisation(
    domain: SyntheticDomain, config: SyntheticConfig, split: Split, count: int
) -> dict[str, Any]:
    """How often the root that was made wrong is blamed first, by each way and beside yardsticks.

    ``localisation_top1`` is what the loop does. ``without_tests`` ranks the roots of all stages,
    not told which test fails. ``analytic`` picks among the roots that a solver says could be to
    blame, ``random`` among those of the failing stage; ``several_roots`` leaves out the stages of
    one root, where the test alone tells.
    """
    rng = np.random.default_rng(_INJECTED)
    found = [
        inject(domain, config, example, rng)
        for example in examples(config.difficulty, split, count, _INJECTED)
    ]
    several = [one for one in found if len(one.failing) > 1]
    ways = _ways(config)
    return {
        "localisation_top1": _top1(found, ways["combined"]),
        "localisation": {
            **{name: _top1(found, way) for name, way in ways.items()},
            "several_roots": {name: _top1(several, way) for name, way in ways.items()},
            "without_tests": _mean(
                _hit(one.everywhere, one.guilty, ways["combined"]) for one in found
            ),
            "analytic": _mean(1 / len(one.fixable) for one in found),
            "random": _mean(1 / len(one.failing) for one in found),
        },
    }


def inject(
    domain: SyntheticDomain, config: SyntheticConfig, example: Example, rng: Generator
) -> Injected:
    """Give one root of a right program another operand, so that it is wrong; see who is blamed."""
    wrong, guilty = spoil(config.difficulty, example.program, rng)
    (judgement,) = domain.verify(example.task, [wrong])
    return Injected(
        guilty,
        domain.blames(example.task, wrong, domain.failing(judgement)),
        domain.blames(example.task, wrong, range(example.task.stages)),
        list(fixes(config.difficulty, example.task, wrong)),
    )


def spoil(
    difficulty: DifficultyConfig, program: ChainProgram, rng: Generator
) -> tuple[ChainProgram, int]:
    """The program with another operand at one of its roots, and the root's index."""
    guilty = int(rng.integers(len(program.roots)))
    root = program.roots[guilty]
    others = [operand for operand in operands(difficulty, root.op) if operand != root.operand]
    return program.with_roots({guilty: Root(root.op, int(rng.choice(others)))}), guilty


def _ways(config: SyntheticConfig) -> dict[str, Callable[[RootEvidence], float]]:
    return {
        "combined": lambda one: one.blame(config.gain_weight, config.attention_weight),
        "sensitivity": lambda one: one.sound,
        "gain": lambda one: one.gain,
        "attention": lambda one: log(max(one.attention, LEAST_SHARE)),
    }


def _top1(found: Sequence[Injected], way: Callable[[RootEvidence], float]) -> dict[str, Any]:
    return _mean(_hit(one.failing, one.guilty, way) for one in found)


def _hit(
    evidence: dict[int, RootEvidence], guilty: int, way: Callable[[RootEvidence], float]
) -> float:
    return float(max(evidence, key=lambda index: way(evidence[index])) == guilty)


def _mean(values: Any) -> dict[str, Any]:
    return statistics.rate(list(values)).to_json()


def _share(values: Sequence[bool]) -> dict[str, Any]:
    return statistics.wilson(sum(values), len(values)).to_json()


def _cost(ways: Sequence[Resampled]) -> float:
    solved = sum(one.passed for one in ways)
    return sum(one.tokens for one in ways) / solved if solved else float("inf")


def _per_solved(tokens: Sequence[int], solved: Sequence[bool]) -> dict[str, Any]:
    return statistics.ratio_of_means(tokens, [float(one) for one in solved]).to_json()


def _ratio(solved: Sequence[Solved], best: Sequence[Resampled]) -> Figure:
    """Tokens a solved program, resampling's over the loop's; where it solves none, undefined."""
    columns = np.array(
        [
            (other.tokens, other.passed, one.loop_tokens, one.loop)
            for one, other in zip(solved, best, strict=True)
        ],
        dtype=np.float64,
    ).reshape(-1, 4)

    def ratio(means: statistics.Array) -> statistics.Array:
        below = means[..., 1] * means[..., 2]
        out: statistics.Array = np.full(below.shape, np.nan)
        np.divide(means[..., 0] * means[..., 3], below, out=out, where=below > 0)
        return out

    return statistics.bootstrap(columns, ratio)
