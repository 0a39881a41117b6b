"""The benchmark: CTM and controls of equal size, at equal seconds and at equal samples.

All are trained from the same data with the same rates by mixed classes; each is measured on the
same test programs. Real bugs (QuixBugs, HumanEvalFix) are repaired and run in the sandbox.
"""

import gc
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from memory.files import write_atomically
from memory.records import Figure
from sandbox import Limits, Program, Sandbox, Tests, Word, tests_from_json
from trainers import statistics
from trainers.clock import Clock
from trainers.ctm import preparation
from trainers.ctm.analysis import analyse, with_repairs
from trainers.ctm.comparison import differences, items, without_items
from trainers.ctm.config import CTMConfig
from trainers.ctm.curriculum import CurriculumStage
from trainers.ctm.data.bugs_real import FILES
from trainers.ctm.data.dataset import Dataset
from trainers.ctm.data.grid import CTMGridEncoder, GridError
from trainers.ctm.editable import TextProgram
from trainers.ctm.evaluate import for_fitting, held_out
from trainers.ctm.measure import measure
from trainers.ctm.model import ContinuousThoughtMachine
from trainers.ctm.models import Kind, weights_without_embedding
from trainers.ctm.reading import fit_reading
from trainers.ctm.repair import Repairer
from trainers.ctm.training import Budget, CTMTrainer, Recipe
from trainers.errors import BenchmarkError
from trainers.stage import StageContext, StageResult
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.reading import read_tasks
from trainers.tasks.swe.types import SWETask

_RATE = 1.5e-3
_FIRST_STEPS, _PACE_STEPS = 2, 4
"""Steps before a run: those that compile kernels, and those that are timed, to lay out its rate."""

_TRM_AVERAGE = 0.999  # as in its paper; the others have none in theirs
PROPOSED = 32
"""Programs that one real bug is edited to where visible tests choose."""

_TRIED = Limits(cpu_s=0.2, wall_s=6.0, memory_mb=256)
"""Of a proposal under the visible tests: one that never ends costs the time of hundreds else."""

_LONG_ENOUGH = 10_000_000  # samples: a schedule that no budget reaches the end of


class CTMBenchmark:
    """Trains CTM, TRM, encoder and bare backbone on the same data and measures all the same way."""

    name = "ctm_benchmark"

    def why_not_due(self, context: StageContext) -> str | None:
        """None: it is run when asked for."""
        return None

    def run(self, context: StageContext) -> StageResult:
        """See :class:`trainers.stage.Stage`.

        Raises:
            BenchmarkError: the data set has no test program.
        """
        clock = Clock()
        with clock.timed("data"):
            data = preparation.data_of(context)
        bench = _Bench(context, data, clock)
        seconds = context.settings.benchmark.ctm_seconds
        kinds = context.settings.benchmark.ctm_models
        equal_seconds = {kind: bench.once(kind, Budget(seconds)) for kind in kinds}
        least = min(one["trained_samples"] for one in equal_seconds.values())
        equal_samples = {
            kind: one
            if one["trained_samples"] == least
            else bench.once(kind, Budget(samples=least))
            for kind, one in equal_seconds.items()
        }
        budgets = {"equal_seconds": equal_seconds, "equal_samples": equal_samples}
        return StageResult(
            {
                **{budget: without_items(models) for budget, models in budgets.items()},
                "differences": {
                    budget: differences(models, seed=context.seed)
                    for budget, models in budgets.items()
                },
                "seconds_each": seconds,
                "samples_each": least,
                "copy": bench.copy(),
                "test_set": "test_packages",
                "notes": bench.notes.lines(),
                "seconds": clock.seconds,
            }
        )


@dataclass
class _Bench:
    """What all models of one benchmark share."""

    context: StageContext
    data: Dataset
    clock: Clock

    def __post_init__(self) -> None:
        settings = self.context.settings
        count = settings.benchmark.limit or settings.ctm.eval_samples
        self.samples = held_out(self.data, "test_packages", count, 0)
        if not self.samples:
            raise BenchmarkError(
                f"{self.data.folder} has no program of packages that are never trained on; build "
                "it from more packages"
            )
        self.notes = Notes()
        self.real = list(self._real())

    def once(self, kind: Kind, budget: Budget) -> dict[str, Any]:
        """As ``trained``; what an earlier attempt of this round finished is not done again."""
        context = self.context
        name = "samples" if budget.seconds is None else "seconds"
        folder = context.state_dir / "ctm" / "benchmark" / f"round-{context.round_id}"
        path = folder / f"{kind}-{name}.json"
        if path.is_file():
            found: dict[str, Any] = json.loads(path.read_text("utf-8"))
            return found
        document = self.trained(kind, budget)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(document).encode())
        return document

    def trained(self, kind: Kind, budget: Budget) -> dict[str, Any]:
        """Train a model from scratch and measure it."""
        context, settings = self.context, self.context.settings
        config = preparation.model_config(settings, self.data)
        context.progress.start(f"train {kind}", budget.samples or 0, "samples")
        with self.clock.timed(f"train {kind}"):
            trainer = self._run(kind, config, budget)
        device = preparation.device()
        bf16 = preparation.in_bf16(settings)
        repairer = Repairer(trainer.averaged, device=device, bf16=bf16)
        context.progress.start(f"fit, {kind}", 0, "programs")
        with self.clock.timed(f"fit {kind}"):
            fitted = for_fitting(self.data, len(self.samples), 0)
            reading = fit_reading(repairer, fitted, self.data, between=self._between)
        context.progress.start(f"repair, {kind}", len(self.samples), "programs")
        with self.clock.timed(f"measure {kind}"):
            measured = measure(
                repairer,
                reading,
                self.samples,
                self.data,
                tick_samples=min(settings.ctm.tick_samples, len(self.samples)),
                seed=context.seed,
                between=self._between,
            )
            document = measured.document
            document["items"] = items(measured.outcomes)
            if isinstance(repairer.model, ContinuousThoughtMachine):
                seen = analyse(repairer.model, self.samples, self.data, device=device)
                document["analysis"] = with_repairs(seen, document)
            document["executed_fix_accuracy"] = self._executed(repairer).to_json()
            document["executed_fix_accuracy_proposer"] = self._proposed(repairer).to_json()
        document |= {
            "n": len(self.samples),
            "weights": weights_without_embedding(trainer.model),
            "trained_samples": trainer.state.samples,
            "trained_seconds": round(trainer.state.seconds, 1),
            "trained_samples_per_s": trainer.state.samples / max(trainer.state.seconds, 1e-9),
        }
        del trainer
        gc.collect()
        return document

    def copy(self) -> dict[str, Any]:
        """What leaving every program as it is would score."""
        bugs = sum(len(sample.edit_at) > 0 for sample in self.samples)
        return {
            "fix_accuracy": statistics.wilson(0, bugs).to_json(),
            "clean_kept": statistics.wilson(
                len(self.samples) - bugs, len(self.samples) - bugs
            ).to_json(),
        }

    def _run(self, kind: Kind, config: CTMConfig, budget: Budget) -> CTMTrainer:
        """A run on all classes at the configuration's ticks; its schedule ends with the budget."""
        samples = budget.samples
        if samples is None:
            pace = self._trainer(kind, config, _LONG_ENOUGH)
            pace.train(Budget(steps=_FIRST_STEPS), between=self._between)
            first, began = pace.state.samples, pace.state.seconds
            pace.train(Budget(steps=_PACE_STEPS), between=self._between)
            rate = (pace.state.samples - first) / max(pace.state.seconds - began, 1e-9)
            samples = max(1, round(rate * (budget.seconds or 0)))
        trainer = self._trainer(kind, config, samples)
        trainer.train(budget, between=self._between)
        return trainer

    def _trainer(self, kind: Kind, config: CTMConfig, samples: int) -> CTMTrainer:
        settings = self.context.settings
        pool = len(self.data.split("train"))
        stage = CurriculumStage(
            iterations=config.iterations,
            samples=min(samples, pool),
            bug_types=("all",),
            epochs=-(-samples // min(samples, pool)),
            lr=_RATE * settings.ctm.learning_rate_scale,
        )
        plain = preparation.recipe_of(self.context)
        recipe = Recipe(
            (stage,),
            plain.batch_size,
            plain.accumulate,
            most_cells=plain.most_cells,
            bf16=plain.bf16,
            average=_TRM_AVERAGE if kind == "trm" else 0.0,
        )
        return CTMTrainer(
            kind,
            config,
            self.data,
            recipe,
            seed=self.context.seed,
            device=preparation.device(),
        )

    def _between(self, count: int) -> None:
        self.context.progress.advance(count)
        self.context.check_stop()

    def _real(self) -> Iterable[SWETask]:
        folder = preparation.data_folder(self.context.settings)
        for file in FILES.values():
            if folder is not None and (folder / file).is_file():
                yield from (
                    task
                    for task in read_tasks(
                        folder / file,
                        notes=self.notes,
                    )
                    if task.judge is not None and task.judge.kind == "program"
                )

    def _executed(self, repairer: Repairer) -> Figure:
        """Of real bugs, the share whose most likely repair passes all tests; n 0 without data."""
        encoder = self._encoder()
        programs = [TextProgram.of(_broken(task), encoder) for task in self.real]
        texts = [cast(TextProgram, repair.program).text for repair in repairer.repair(programs)]
        return self._right(dict(enumerate(texts)))

    def _proposed(self, repairer: Repairer) -> Figure:
        """Of real bugs, the share right where the first edit that passes what is visible is taken.

        That is the model as it works in the fractal loop: it proposes, visible tests choose.
        """
        encoder = self._encoder()
        jobs: list[Program] = []
        texts: dict[str, str] = {}
        for number, task in enumerate(self.real):
            program = TextProgram.of(_broken(task), encoder)
            try:
                found = repairer.candidates(program, PROPOSED)
            except GridError:
                continue
            for place, one in enumerate(found):
                key = f"{number} {place}"
                texts[key] = cast(TextProgram, one.program).text
                jobs.append(Program(key, texts[key], _tests(task)[0], limits=_TRIED))
        first: dict[int, int] = {}
        with self._sandbox() as box:
            for verdict in box.run_many(jobs):
                number, place = map(int, verdict.key.split())
                if verdict.word is Word.PASSED:
                    first[number] = min(place, first.get(number, place))
        return self._right({n: texts[f"{n} {place}"] for n, place in first.items()})

    def _right(self, texts: Mapping[int, str]) -> Figure:
        """The share of the real bugs whose text, by the bug's number, passes all of their tests."""
        jobs = [
            Program(f"{number} {part}", text, tests)
            for number, text in texts.items()
            for part, tests in enumerate(_tests(self.real[number]))
        ]
        passed = dict.fromkeys(texts, True)
        with self._sandbox() as box:
            for verdict in box.run_many(jobs):
                passed[int(verdict.key.split()[0])] &= verdict.word is Word.PASSED
        if not self.real:
            return Figure(None, None, None, 0)
        return statistics.wilson(sum(passed.values()), len(self.real))

    def _encoder(self) -> CTMGridEncoder:
        return CTMGridEncoder(self.data.tokenizer, self.data.height, self.data.width)

    def _sandbox(self) -> Sandbox:
        sandbox = self.context.settings.sandbox
        return Sandbox(workers=sandbox.workers or None, limits=Limits(memory_mb=sandbox.memory_mb))


def _broken(task: SWETask) -> str:
    return next(iter(task.code_before.values()))


def _tests(task: SWETask) -> list[Tests]:
    """All tests of a program, the visible ones and the hidden ones."""
    judge = task.judge
    found = (judge.visible, judge.hidden) if judge is not None else ()
    return [tests_from_json(dict(one)) for one in found if one]
