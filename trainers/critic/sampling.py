"""The first half of a round: samples, labels, inputs for agreement, and what these give."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from memory.records import ProblemRow
from sandbox import Call, Limits, ProgramRunner, Sandbox
from trainers.calibration import calibrated_limits
from trainers.critic.agreement import ObservationWork, observe
from trainers.critic.generated_inputs import generated_calls, without_inputs, write_inputs
from trainers.critic.inputs import inputs_hash, inputs_of
from trainers.critic.signals import Executed
from trainers.critic.survey import LabelledSet, Surveyed
from trainers.critic.visible import run_visible
from trainers.generators.base import Generator
from trainers.labelling import LabelReport, sample_and_label
from trainers.problem_sets import derived_seed
from trainers.samples import SampleSource, Want, missing_indexes
from trainers.stage import StageContext
from trainers.stage_generator import on_notice

PROBLEMS_AT_ONCE = 64  # whose programs' texts are in memory together


@dataclass(frozen=True)
class Asked:
    """Which samples are wanted, of which source, asked for by which prompt."""

    wants: Sequence[Want]
    source: SampleSource
    prompt_kind: str

    @property
    def problems(self) -> list[ProblemRow]:
        """The problems, in the order of the wants."""
        return [want.problem for want in self.wants]

    @property
    def counts(self) -> dict[str, int]:
        """How many samples of a problem are used, by its id."""
        return {want.problem.id: want.count for want in self.wants}


def open_sandbox(context: StageContext) -> AbstractContextManager[ProgramRunner]:
    """The sandbox with the configured workers and limits, here or on every node of the cluster."""
    config = context.settings.sandbox
    limits = Limits(cpu_s=config.cpu_s, wall_s=config.wall_s, memory_mb=config.memory_mb)
    if context.settings.cluster.engine == "ray":
        from trainers.cluster.execution import ClusterSandbox

        return ClusterSandbox(context.settings.cluster, limits, on_notice(context))
    return Sandbox(workers=config.workers or None, limits=limits)


def sample(
    context: StageContext,
    asked: Asked,
    sandbox: ProgramRunner,
    open_generator: Callable[[StageContext], Generator],
) -> tuple[LabelReport, LabelledSet]:
    """Make all samples exist, judged, and inputs written; the engine is started only if needed.

    Raises:
        Stopped: asked to stop; everything that was finished is stored.
        GeneratorError: the generator died.
    """
    config, source = context.settings.critic, asked.source
    limits = calibrated_limits(context, sandbox, asked.problems)
    seed = derived_seed(context.seed, "sample", context.stage_run_id)
    generator = open_generator(context)
    bare: list[ProblemRow] = []
    if config.generated_inputs:
        bare = without_inputs(context, asked.problems, asked.prompt_kind, source.generator_id)

    def work() -> LabelReport:
        return sample_and_label(
            context, asked.wants, source, generator, sandbox,
            prompt_kind=asked.prompt_kind, seed=seed, limits=limits,
        )  # fmt: skip

    if bare or missing_indexes(context.store, asked.wants, source):
        context.progress.start("start the generator", 0, "")
        with generator:
            report = work()
            if bare:
                write_inputs(context, generator, bare, asked.prompt_kind, seed=seed)
    else:
        report = work()
    return report, LabelledSet(source, sandbox.version, sandbox.level)


def execute(
    context: StageContext,
    asked: Asked,
    sandbox: ProgramRunner,
    surveys: Sequence[Surveyed],
) -> dict[str, Executed]:
    """Run every program on its problem's inputs and on the tests that the prompt shows.

    Nothing here sees a hidden test or an expected value that the prompt does not show.

    Returns:
        By problem id.
    """
    problems = {row.id: row for row in asked.problems}
    found: dict[str, Executed] = {}
    for start in range(0, len(surveys), PROBLEMS_AT_ONCE):
        some = surveys[start : start + PROBLEMS_AT_ONCE]
        present = [problems[one.problem_id] for one in some]
        inputs = _inputs(context, asked, present)
        texts = {one.problem_id: context.store.programs(set(one.programs)) for one in some}
        work = [
            ObservationWork(row.id, inputs[row.id], row.entry_point, texts[row.id])
            for row in present
        ]
        observe(context, sandbox, work)
        shown, _ = run_visible(context, sandbox, present, asked.prompt_kind, texts)
        for one in some:
            found[one.problem_id] = _executed(context, sandbox, one, inputs, shown)
    return found


def _inputs(
    context: StageContext, asked: Asked, problems: Sequence[ProblemRow]
) -> dict[str, list[Call]]:
    generated = generated_calls(context, problems, asked.prompt_kind, asked.source.generator_id)
    wanted = context.settings.critic.agreement_inputs
    return {
        row.id: inputs_of(row, asked.prompt_kind, generated[row.id], seed=0, wanted=wanted)
        for row in problems
    }


def _executed(
    context: StageContext,
    sandbox: ProgramRunner,
    one: Surveyed,
    inputs: Mapping[str, Sequence[Call]],
    shown: Mapping[str, str],
) -> Executed:
    where = (sandbox.version, sandbox.level)
    outcomes: list[tuple[str, ...]] = []
    if inputs[one.problem_id]:
        digest = inputs_hash(inputs[one.problem_id])
        pairs = [(program, digest) for program in one.programs]
        found = context.store.behaviours(pairs, *where)
        lost = ("!not_judged",) * len(inputs[one.problem_id])
        outcomes = [found.get(pair, lost) for pair in pairs]
    visible = np.full(len(one.programs), np.nan)
    if tests := shown.get(one.problem_id):
        words = context.store.verdict_words([(p, tests) for p in one.programs], *where)
        visible = np.array([float(words.get((p, tests)) == "passed") for p in one.programs])
    return Executed(outcomes, visible)
