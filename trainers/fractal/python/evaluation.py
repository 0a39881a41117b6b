"""The loop beside equal-budget resampling, on problems that nothing was learned from.

Both begin with one flood, see the visible tests only, may render the same number of tokens, stop at
a program that passes, and choose among what passes in the same way. The hidden tests score the
chosen program once.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from memory.hologram.circuits import CircuitObserver
from memory.records import ProblemRow
from memory.repair_loops import LoopMode, LoopRow
from sandbox import tests_from_json
from trainers.fractal.arms import CircuitChooser, FirstArm
from trainers.fractal.domain import FLOOD
from trainers.fractal.loop import ArmChooser
from trainers.fractal.outcome import Tried
from trainers.fractal.python.domain import PythonDomain, PythonTask
from trainers.fractal.python.judge import Judge
from trainers.fractal.python.loops import PythonOutcome, Work, flood_all, kept, run_loops, trace_of
from trainers.fractal.python.partners import Chooser, EditorOf
from trainers.fractal.python.patches import EDITS, RESAMPLE
from trainers.fractal.python.practice import DOMAIN
from trainers.fractal.python.program import PythonProgram
from trainers.fractal.python.shared_draws import SharedDraws
from trainers.samples import SampleSource
from trainers.stage import StageContext
from trainers.visible import visible_tests

LOOP: LoopMode = "evaluation"
RIVAL: LoopMode = "resampling"


@dataclass(frozen=True)
class Flooded:
    """A problem with its flood: the programs, and the tokens that they took."""

    task: PythonTask
    programs: list[PythonProgram]
    tokens: int


class Evaluation:
    """One set of problems: flood, both ways on, and the choice.

    Args:
        context: of the stage.
        source: of the generator's samples.
    """

    def __init__(self, context: StageContext, source: SampleSource) -> None:
        self._context, self._source = context, source
        self._config = context.settings.fractal.python
        self._outcomes: dict[tuple[LoopMode, str], PythonOutcome] = {}

    def search(
        self, problems: Sequence[ProblemRow], domain: PythonDomain, editor_of: EditorOf
    ) -> None:
        """Run what is not stored yet; the generator is needed for this and for nothing after.

        Raises:
            Stopped: asked to stop; this part of the evaluation is begun anew.
        """
        context, kind = self._context, domain.prompt_kind
        done = self._done()
        tasks = [
            PythonTask(row, tests)
            for row in problems
            if row.id not in done and (tests := visible_tests(row, kind)) is not None
        ]
        flooded = [found for task in tasks if (found := self._stored(task)) is not None]
        known = {found.task.problem.id for found in flooded}
        missing = [task for task in tasks if task.problem.id not in known]
        context.progress.start("flood", len(tasks), "problems", done=len(flooded))
        for task, programs, tokens in flood_all(missing, domain, self._config, context):
            flooded.append(Flooded(task, programs, tokens))
            context.progress.advance()
        domain = replace(domain, writer=SharedDraws(domain.writer))
        rival = replace(domain, arms_wanted=(RESAMPLE,), recall=None)
        for mode, one in ((LOOP, domain), (RIVAL, rival)):
            works = [self._work(item, mode) for item in flooded]
            context.progress.start(f"{mode}", len(works), "problems")
            for work, outcome in run_loops(
                works, one, editor_of if mode == LOOP else dict, self._config,
                context.check_stop,
            ):  # fmt: skip
                self._outcomes[mode, work.task.problem.id] = outcome
                context.progress.advance()

    def choose(
        self, problems: Sequence[ProblemRow], domain: PythonDomain, chooser: Chooser
    ) -> None:
        """Choose among what passes, score the choice by the hidden tests, and store the loops."""
        by_id = {row.id: row for row in problems}
        pending = sorted({problem_id for _, problem_id in self._outcomes})
        self._context.progress.start("choose", len(pending), "problems")
        for problem_id in pending:
            self._context.check_stop()
            problem = by_id[problem_id]
            rows = [
                self._row(mode, problem, self._outcomes[mode, problem_id], domain, chooser)
                for mode in (LOOP, RIVAL)
            ]
            self._context.store.add_loops(rows)
            self._context.progress.advance()
        self._outcomes.clear()

    def _stored(self, task: PythonTask) -> Flooded | None:
        """A flood of samples that the generator wrote before: as many as are wanted, or none."""
        source, count = self._source, self._config.flood
        rows = self._context.store.samples_of(
            task.problem.id, source.generator_id, source.protocol, source.params_hash, count
        )
        if len(rows) < count:
            return None
        programs = [
            PythonProgram(row.code, (), None, FLOOD, row.tokens, row.logprob) for row in rows
        ]
        return Flooded(task, programs, sum(row.tokens for row in rows))

    def _done(self) -> set[str]:
        loops = self._context.store.loops(round_id=self._context.round_id, domain=DOMAIN)
        return {row.task for row in loops if row.mode == RIVAL}

    def _work(self, item: Flooded, mode: LoopMode) -> Work:
        chooser: ArmChooser = FirstArm()
        if mode == LOOP:
            store = self._context.store
            chooser = CircuitChooser(DOMAIN, CircuitObserver(store), store.arm_costs(DOMAIN))
        return Work(
            item.task, chooser, self._context.seed, item.programs, item.tokens, doubted=True
        )

    def _row(
        self,
        mode: LoopMode,
        problem: ProblemRow,
        outcome: PythonOutcome,
        domain: PythonDomain,
        chooser: Chooser,
    ) -> LoopRow:
        chosen, right = "", False
        trace = trace_of(outcome, tests_from_json(problem.tests))
        hidden = Judge(domain.sandbox, tests_from_json(problem.tests))
        programs = kept(outcome)
        verdicts = hidden.words([tried.program.code for tried in programs])
        for told, verdict in zip(trace["programs"], verdicts, strict=True):
            told["hidden"] = verdict.passed
        if outcome.passing:
            taken = _choice(outcome, problem, domain, chooser)
            place = programs.index(taken)
            chosen = taken.program.code
            right = verdicts[place].passed
            trace["chosen"] = place
        return LoopRow(
            domain=DOMAIN,
            mode=mode,
            task=problem.id,
            problem_id=problem.id,
            outcome="first" if outcome.first_pass else "repaired" if chosen else "unsolved",
            right=right,
            tokens=outcome.tokens,
            seconds=outcome.seconds,
            program=chosen,
            trace=trace,
            generator_id=self._source.generator_id,
            stage_run_id=self._context.stage_run_id,
        )


def _choice(
    outcome: PythonOutcome, problem: ProblemRow, domain: PythonDomain, chooser: Chooser
) -> Tried[PythonProgram]:
    """The program that is taken: what a model wrote goes before what edits made.

    Few of the edits that pass a single visible test are right; of the samples that pass most are.
    """
    written = [one for one in outcome.passing if one.arm not in EDITS] or outcome.passing
    if len(written) == 1:
        return written[0]
    programs = [one.program for one in written]
    return written[chooser.choose(problem, domain.prompt_kind, programs, domain.sandbox)]


def evaluate(
    evaluation: Evaluation,
    problems: Sequence[ProblemRow],
    domain: PythonDomain,
    chooser: AbstractContextManager[Chooser],
) -> None:
    """Choose with a chooser that is opened only where something was searched."""
    with chooser as open_:
        evaluation.choose(problems, domain, open_)


def rows_of(rows: Iterable[LoopRow], mode: LoopMode) -> dict[str, LoopRow]:
    """Loops of a mode by problem."""
    return {row.task: row for row in rows if row.mode == mode}
