"""Practice on train problems: hidden tests may be used, and what is repaired becomes pairs.

Each problem is committed when it is done: its new samples and their verdicts, what the arms'
circuits learned, the repair pairs, and last the loop itself, which marks the problem as done.
"""

from collections.abc import Sequence
from dataclasses import replace

from memory.hologram.circuits import CircuitObserver
from memory.records import ProblemRow, SampleRow
from memory.repair_loops import LoopRow
from memory.repair_pairs import changed_lines, likeness
from memory.repair_records import RepairPairRow
from sandbox import Sandbox, Verdict, Word, tests_from_json
from trainers.fractal.arms import CircuitChooser
from trainers.fractal.outcome import Tried
from trainers.fractal.python.domain import PythonDomain, PythonTask
from trainers.fractal.python.loops import PythonOutcome, Work, kept, run_loops, trace_of
from trainers.fractal.python.partners import EditorOf
from trainers.fractal.python.patches import RESAMPLE
from trainers.fractal.python.program import PythonProgram
from trainers.generators.prompts import REPAIR_PROMPT_VERSION
from trainers.labelling import verdict_row
from trainers.problem_sets import derived_seed
from trainers.samples import SampleSource, program_hash
from trainers.stage import StageContext

DOMAIN = "python"
MOST_SAMPLES = 400
MIN_LIKENESS = 0.4
"""Below it a patched program is another program, not an edit of the one that failed."""

# The train problems with failing samples, those that were solved least first.
_FAILING = """
SELECT x.problem_id, avg(v.verdict = 'passed') AS rate
FROM samples x JOIN problems p ON p.id = x.problem_id
JOIN splits s ON s.problem_id = p.id AND s.split = 'train'
JOIN verdicts v ON v.program_hash = x.program_hash AND v.tests_hash = p.tests_hash
WHERE x.generator_id = :generator AND x.protocol = :protocol
GROUP BY x.problem_id HAVING rate < 1
"""
_IDS = """
SELECT program_hash, min(id) AS id FROM samples WHERE problem_id = :problem GROUP BY program_hash
"""


class Practice:
    """One round's practice.

    Args:
        context: of the stage.
        problems: all train problems.
        source: of the samples that the generator wrote without any repair.
        sandbox: that judged them.
    """

    def __init__(
        self,
        context: StageContext,
        problems: Sequence[ProblemRow],
        source: SampleSource,
        sandbox: Sandbox,
    ) -> None:
        self._context, self._source, self._sandbox = context, source, sandbox
        self._problems = {row.id: row for row in problems}
        self._observer = CircuitObserver(context.store)
        self._costs = context.store.arm_costs(DOMAIN)

    def run(self, domain: PythonDomain, editor_of: EditorOf) -> None:
        """Repair this round's problems; those of an earlier attempt are done."""
        context, config = self._context, self._context.settings.fractal.python
        loops = context.store.loops(round_id=context.round_id, domain=DOMAIN, mode="training")
        done = {row.task for row in loops}
        chosen = self._chosen(config.problems_per_round)
        context.progress.start("repair", len(chosen), "problems", done=len(done & set(chosen)))
        works = [self._work(problem_id) for problem_id in chosen if problem_id not in done]
        for work, outcome in run_loops(works, domain, editor_of, config, context.check_stop):
            self._remember(work, outcome)
            context.progress.advance()

    def _chosen(self, count: int) -> list[str]:
        """Problems with failing samples: by lot, each round another, the unsolved ones first."""
        context = self._context
        asked = {"generator": self._source.generator_id, "protocol": self._source.protocol}
        rates = {row["problem_id"]: row["rate"] for row in context.store.query(_FAILING, asked)}
        known = [problem_id for problem_id in rates if problem_id in self._problems]
        lot = {problem_id: derived_seed(context.seed, problem_id) for problem_id in known}
        return sorted(known, key=lambda one: (rates[one] > 0, lot[one]))[:count]

    def _work(self, problem_id: str) -> Work:
        problem = self._problems[problem_id]
        chooser = CircuitChooser(DOMAIN, self._observer, self._costs)
        task = PythonTask(problem, tests_from_json(problem.tests))
        return Work(task, chooser, self._context.seed, self._failing(problem), 0)

    def _failing(self, problem: ProblemRow) -> list[PythonProgram]:
        """The samples of a problem that fail, each text once: what there is to repair."""
        store, source, sandbox = self._context.store, self._source, self._sandbox
        rows = store.samples_of(
            problem.id, source.generator_id, source.protocol, source.params_hash, MOST_SAMPLES
        )
        pairs = [(row.program_hash, problem.tests_hash) for row in rows]
        words = store.verdict_words(pairs, sandbox.version, sandbox.level)
        failing = {
            row.program_hash: PythonProgram(row.code, tokens=row.tokens, logprob=row.logprob)
            for row, pair in zip(rows, pairs, strict=True)
            if words.get(pair, "passed") != "passed"
        }
        return list(failing.values())[: self._context.settings.fractal.python.flood]

    def _remember(self, work: Work, outcome: PythonOutcome) -> None:
        context, store, problem = self._context, self._context.store, work.task.problem
        programs = kept(outcome)
        made = [tried for tried in programs if tried.base is not None]
        store.add_samples([self._sample(problem, tried) for tried in made])
        verdicts = [_verdict(problem, tried) for tried in programs]
        store.add_verdicts(
            [verdict_row(one, context.stage_run_id) for one in verdicts if one is not None]
        )
        assert isinstance(work.chooser, CircuitChooser)
        rows = work.chooser.observations(problem.id, context.stage_run_id)
        self._observer.record(rows)
        store.add_repair_pairs(self._pairs(problem, outcome))
        store.add_loops([self._loop(work, outcome)])

    def _sample(self, problem: ProblemRow, tried: Tried[PythonProgram]) -> SampleRow:
        program = tried.program
        return SampleRow(
            problem_id=problem.id,
            generator_id=self._source.generator_id,
            protocol=f"{REPAIR_PROMPT_VERSION}:{self._source.protocol}",
            params={**self._source.params, "round": self._context.round_id},
            params_hash=f"{self._source.params_hash}/round{self._context.round_id}",
            idx=tried.number,
            seed=self._context.seed,
            completion=program.code,
            code=program.code,
            program_hash=program_hash(program.code),
            tokens=program.tokens,
            logprob=program.logprob,
            finish_reason=tried.arm,
            stage_run_id=self._context.stage_run_id,
        )

    def _pairs(self, problem: ProblemRow, outcome: PythonOutcome) -> list[RepairPairRow]:
        """The failing program and each passing one that a patch made of it."""
        ids = {
            row["program_hash"]: row["id"]
            for row in self._context.store.query(_IDS, {"problem": problem.id})
        }
        pairs = []
        for tried in outcome.passing:
            if tried.base is None or tried.arm == RESAMPLE:
                continue
            broken, fixed = outcome.tried[tried.base].program.code, tried.program.code
            alike = likeness(broken, fixed)
            sides = ids.get(program_hash(broken)), ids.get(program_hash(fixed))
            if alike < MIN_LIKENESS or alike == 1.0 or sides[0] is None or sides[1] is None:
                continue
            span = changed_lines(broken, fixed)
            pairs.append(
                RepairPairRow(problem.id, sides[0], sides[1], alike, span=span, change=tried.arm)
            )
        return pairs

    def _loop(self, work: Work, outcome: PythonOutcome) -> LoopRow:
        problem = work.task.problem
        return LoopRow(
            domain=DOMAIN,
            mode="training",
            task=problem.id,
            problem_id=problem.id,
            outcome="repaired" if outcome.passed else "unsolved",
            right=outcome.passed,
            tokens=outcome.tokens,
            seconds=outcome.seconds,
            program=outcome.best.program.code if outcome.best else "",
            trace=trace_of(outcome, work.task.tests),
            generator_id=self._source.generator_id,
            stage_run_id=self._context.stage_run_id,
        )


def _verdict(problem: ProblemRow, tried: Tried[PythonProgram]) -> Verdict | None:
    """The verdict under the hidden tests, with the key that it is stored by.

    One that was stopped has no verdict: the search allows less time than a label does.
    """
    verdict: Verdict = tried.judgement.evidence
    if verdict.word in (Word.NOT_JUDGED, Word.TIMEOUT):
        return None
    return replace(verdict, key=f"{program_hash(tried.program.code)}:{problem.tests_hash}")
