"""The benchmark: CTM and controls of equal size, at equal seconds and at equal samples.

All are trained from the same data with the same rates by mixed classes; each is measured on the
same test programs. Real bugs (QuixBugs, HumanEvalFix) are repaired and run in the sandbox.
"""

import gc
import json
from dataclasses import dataclass
from typing import Any

from memory.files import write_atomically
from trainers import statistics
from trainers.clock import Clock
from trainers.ctm import preparation
from trainers.ctm.analysis import analyse, with_repairs
from trainers.ctm.comparison import differences, items, without_items
from trainers.ctm.config import CTMConfig
from trainers.ctm.curriculum import CurriculumStage
from trainers.ctm.data.dataset import Dataset
from trainers.ctm.data.grid import CTMGridEncoder
from trainers.ctm.evaluate import for_fitting, held_out
from trainers.ctm.measure import measure
from trainers.ctm.model import ContinuousThoughtMachine
from trainers.ctm.models import Kind, weights_without_embedding
from trainers.ctm.reading import fit_reading
from trainers.ctm.real_bugs import RealBugs, real_bugs
from trainers.ctm.recipe import Budget, Recipe
from trainers.ctm.repair import Repairer
from trainers.ctm.training import CTMTrainer
from trainers.errors import BenchmarkError
from trainers.stage import StageContext, StageResult
from trainers.tasks.swe.notes import Notes

_RATE = 1.5e-3
_FIRST_STEPS, _PACE_STEPS = 2, 4
"""Steps before a run: those that compile kernels, and those that are timed, to lay out its rate."""

_TRM_AVERAGE = 0.999  # as in its paper; the others have none in theirs
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
        sandbox = settings.sandbox
        self.real = RealBugs(
            real_bugs(preparation.data_folder(settings), self.notes),
            CTMGridEncoder(self.data.tokenizer, self.data.height, self.data.width),
            sandbox.workers or None,
            sandbox.memory_mb,
        )

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
            document["executed_fix_accuracy"] = self.real.executed(repairer).to_json()
            document["executed_fix_accuracy_proposer"] = self.real.proposed(repairer).to_json()
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
