"""The Python half of a round: practice on train problems, the loop measured on test problems."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from memory.records import ProblemRow
from sandbox import Limits, Sandbox
from trainers.clock import Clock
from trainers.fractal.python.domain import PythonDomain
from trainers.fractal.python.evaluation import LOOP, RIVAL, Evaluation, evaluate, rows_of
from trainers.fractal.python.figures import python_figures
from trainers.fractal.python.partners import Partners
from trainers.fractal.python.practice import DOMAIN, Practice
from trainers.fractal.python.recall import SolvedProblems
from trainers.generators.base import Generator, SamplingParams
from trainers.generators.pooled import PooledGenerator
from trainers.problem_sets import ProblemSets, derived_seed
from trainers.samples import SampleSource
from trainers.stage import StageContext
from trainers.visible import visible_tests

_NOTHING_VISIBLE = (
    "nothing was repaired: protocol {} runs no test before the choice is made, and a repair starts "
    'from a test that failed; set critic.protocol to "visible1"'
)


def run_python(
    context: StageContext,
    sets: ProblemSets,
    open_generator: Callable[[StageContext], Generator],
    partners: Partners,
    clock: Clock,
    *,
    practise: bool = True,
) -> dict[str, Any]:
    """Practise, and measure; what an earlier attempt of the round finished is not done again.

    The generator's engine has ended before the chooser opens.

    Raises:
        Stopped: asked to stop.
        TrainerError: the generator or the sandbox cannot go on.
    """
    kind = context.settings.critic.protocol
    generator = open_generator(context)
    source = SampleSource.of(generator.id, kind, context.settings.generator)
    problems = test_problems(sets.test, context.settings.fractal.python.eval_problems)
    limits = Limits(
        cpu_s=context.settings.sandbox.cpu_s,
        wall_s=context.settings.sandbox.wall_s,
        memory_mb=context.settings.sandbox.memory_mb,
    )
    workers = context.settings.sandbox.workers or None
    with Sandbox(workers=workers, limits=limits) as sandbox:
        evaluation = Evaluation(context, source)
        with generator, PooledGenerator(generator) as pool:
            domain = _domain(context, sets, source, pool, sandbox)
            editor_of = partners.editor(context)
            if practise:
                with clock.timed("practise"):
                    Practice(context, sets.train, source, sandbox).run(domain, editor_of)
            with clock.timed("loop"):
                evaluation.search(problems, domain, editor_of)
        with clock.timed("choose"):
            evaluate(evaluation, problems, domain, partners.chooser(context, generator.id))
    loops = context.store.loops(round_id=context.round_id, domain=DOMAIN)
    return {
        "figures": python_figures(rows_of(loops, LOOP), rows_of(loops, RIVAL), context.seed),
        "practice": _practised(context, loops),
        "generator": generator.id,
        "protocol": source.protocol,
        "problem_set": sets.source,
        "notes": [] if any(_visible(problems, kind)) else [_NOTHING_VISIBLE.format(kind)],
    }


def _visible(problems: Sequence[ProblemRow], kind: str) -> Iterator[bool]:
    return (visible_tests(problem, kind) is not None for problem in problems)


def test_problems(problems: Sequence[ProblemRow], count: int) -> list[ProblemRow]:
    """The test problems that are measured: the same ones every round, chosen by hash; 0: all."""
    if not count:
        return list(problems)
    return sorted(problems, key=lambda row: derived_seed("fractal", row.id))[:count]


test_problems.__test__ = False  # type: ignore[attr-defined]  # its name looks like pytest's


def _domain(
    context: StageContext,
    sets: ProblemSets,
    source: SampleSource,
    pool: PooledGenerator,
    sandbox: Sandbox,
) -> PythonDomain:
    config = context.settings.generator
    solved = SolvedProblems.of(context.store, sets.train, source)
    return PythonDomain(
        writer=pool,
        sandbox=sandbox,
        prompt_kind=context.settings.critic.protocol,
        params=SamplingParams(config.temperature, config.top_p, config.max_tokens),
        recall=solved.like if solved is not None else None,
        arms_wanted=context.settings.fractal.python.arms,
    )


def _practised(context: StageContext, loops: Sequence[Any]) -> dict[str, Any]:
    """What came of this round's practice; pairs are those of all rounds."""
    rows = [row for row in loops if row.mode == "training"]
    pairs = context.store.query(
        "SELECT coalesce(c.change, 'alike') AS change, count(*) AS n FROM repair_pairs r "
        "LEFT JOIN pair_changes c ON c.pair_id = r.id GROUP BY 1 ORDER BY 1"
    )
    return {
        "tried": len(rows),
        "repaired": sum(bool(row.right) for row in rows),
        "tokens": sum(row.tokens for row in rows),
        "repair_pairs": {row["change"]: row["n"] for row in pairs},
    }
