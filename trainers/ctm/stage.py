"""The CTM stage: data once, training that goes on, a version, the gate, figures on test sets."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from memory.files import write_atomically
from memory.records import Figure, ModelRow
from trainers.clock import Clock
from trainers.ctm import preparation, versions
from trainers.ctm.analysis import analyse, with_repairs
from trainers.ctm.curriculum import stage_filter
from trainers.ctm.data.bugs_real import benchmark_likenesses
from trainers.ctm.data.corpus import Package
from trainers.ctm.data.dataset import Dataset
from trainers.ctm.data.manifest import VOCABULARY, Split
from trainers.ctm.data.sample import RepairSample
from trainers.ctm.evaluate import evaluate, for_fitting, held_out
from trainers.ctm.measure import Measured, measure
from trainers.ctm.model import ContinuousThoughtMachine
from trainers.ctm.reading import Reading, fit_reading
from trainers.ctm.recipe import Budget
from trainers.ctm.repair import Repairer
from trainers.ctm.repair_model import RepairModel
from trainers.ctm.training import CTMTrainer
from trainers.gate import against_champion, carry_out, looks_so_far
from trainers.stage import StageContext, StageResult

PROBLEM_SET, PROTOCOL = "ctm", "whole program"
_FITTED = 3  # times the gate's programs, to fit a reading on where there are so many
TESTS: tuple[Split, ...] = ("test_files", "test_packages")


class CTMStage:
    """Trains a model that repairs code by edits, a budget's worth in every round.

    Args:
        sources: packages that the data set is made of; None: the installed ones.
    """

    name = "ctm"

    def __init__(self, sources: Sequence[Package] | None = None) -> None:
        self._sources = sources

    def why_not_due(self, context: StageContext) -> str | None:
        """None: there is always more to learn."""
        return None

    def run(self, context: StageContext) -> StageResult:
        """See :class:`trainers.stage.Stage`."""
        clock = Clock()
        with clock.timed("data"):
            data = preparation.data_of(context, self._sources)
        run = _Run(context, data)
        with clock.timed("train"):
            candidate, trained = run.candidate()
        with clock.timed("gate"):
            gated = run.gate(candidate)
        with clock.timed("measure"):
            measured = run.measure(candidate)
        return StageResult(
            {
                **measured,
                **gated,
                "training": trained,
                "problem_set": PROBLEM_SET,
                "protocol": _protocol(TESTS[-1]),
                "seconds": clock.seconds,
            }
        )


class _Run:
    """One round's work on one data set."""

    def __init__(self, context: StageContext, data: Dataset) -> None:
        self._context, self._data, self._settings = context, data, context.settings.ctm
        self._device = preparation.device()

    def candidate(self) -> tuple[ModelRow, dict[str, Any]]:
        """The version of this round: what an earlier attempt finished, or trained further now."""
        context = self._context
        made = versions.version_of_round(context)
        if made is not None:
            return made, {"resumed": made.id}
        samples, rows = self._pairs()
        trainer = CTMTrainer(
            "ctm",
            preparation.model_config(context.settings, self._data),
            self._data,
            preparation.recipe_of(context),
            folder=context.state_dir / preparation.WORK,
            seed=context.settings.seed,
            extra=samples,
            device=self._device,
        )
        losses = self._train(trainer)
        told = {
            "stage": trainer.state.stage + 1,
            "ticks": trainer.stage.iterations,
            "stage_step": trainer.state.step,
            "stage_steps": trainer.stage.steps(trainer.recipe.samples_per_step),
            "samples": trainer.state.samples,
            "seconds": round(trainer.state.seconds, 1),
            "loss": sum(losses[-20:]) / len(losses[-20:]) if losses else None,
            "repair_pairs": len(samples),
        }
        line = (
            f"stage {told['stage']}, {told['samples']} samples seen in all, {len(samples)} pairs "
            "of the store"
        )
        vocabulary = self._data.folder / VOCABULARY
        keys = preparation.example_keys(context.store, rows)
        reading = self._reading(trainer.model)
        row = versions.save(context, trainer.model, reading, vocabulary, keys, line)
        if self._passed(trainer, row):
            trainer.next_stage()
            trainer.state.total += 1  # a checkpoint of its own, at the new stage's beginning
            trainer.save()
        return row, told

    def _train(self, trainer: CTMTrainer) -> list[float]:
        """Train for what is left of the round's budget, which is kept over a cut.

        A round ends with the last stage: in the next pass the rate rises again, and a version from
        its beginning would be worse than what there was.
        """
        context, settings = self._context, self._settings
        start = self._start(trainer)
        context.progress.start("train", settings.samples, "samples")

        def between(samples: int) -> None:
            context.progress.advance(samples)
            context.check_stop()

        losses: list[float] = []
        if trainer.stage_done and trainer.state.samples == start["samples"]:
            trainer.next_stage()  # the round before ended with its stage
        while not (trainer.stage_done and trainer.in_last_stage):
            seconds = settings.seconds - (trainer.state.seconds - start["seconds"])
            samples = settings.samples - (trainer.state.samples - start["samples"])
            if seconds <= 0 or (settings.samples and samples <= 0):
                return losses
            budget = Budget(seconds, int(samples) if settings.samples else None)
            losses += trainer.train(budget, between=between)
            if trainer.stage_done and not trainer.in_last_stage:
                trainer.next_stage()
        return losses

    def _start(self, trainer: CTMTrainer) -> dict[str, float]:
        """Seconds and samples at which this round's training began."""
        path = self._context.state_dir / preparation.WORK / "round.json"
        now = {
            "round": self._context.round_id,
            "seconds": trainer.state.seconds,
            "samples": trainer.state.samples,
        }
        if path.is_file():
            found: dict[str, float] = json.loads(path.read_text("utf-8"))
            if found["round"] == self._context.round_id:
                return found
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(now).encode())
        return now

    def _pairs(self) -> tuple[list[RepairSample], list[Any]]:
        if not self._settings.repair_pairs:
            return [], []
        self._context.store.derive_repair_pairs()
        folder = preparation.data_folder(self._context.settings)
        exclude = benchmark_likenesses(folder) if folder else frozenset[str]()
        return preparation.pair_samples(self._context.store.repair_pairs(), self._data, exclude)

    def _passed(self, trainer: CTMTrainer, row: ModelRow) -> bool:
        """Whether validation says that the stage is learned, its samples spent or not."""
        if trainer.stage.target >= 1 or trainer.in_last_stage:
            return False
        stage = stage_filter(trainer.recipe.stages, trainer.state.stage)
        split = self._data.split("validation")
        numbers = split.where(stage.classes, stage.difficulty)[: self._settings.eval_samples]
        if not len(numbers):
            return False
        samples = split.samples(numbers.tolist())
        repairer, between = self._repairer(trainer.model), self._between("stage", len(samples))
        outcomes = evaluate(repairer, samples, self._data, between=between)
        return bool(outcomes.fixed.mean() >= trainer.stage.target)

    def _reading(self, model: RepairModel) -> Reading:
        """How the new version is read, from validation programs that the gate does not see."""
        gated = self._settings.eval_samples
        others = len(self._data.split("validation")) - gated
        samples = for_fitting(self._data, max(gated, min(_FITTED * gated, others)), 0)
        between = self._between("reading", 0)
        return fit_reading(self._repairer(model), samples, self._data, between=between)

    def gate(self, candidate: ModelRow) -> dict[str, Any]:
        """Decide by validation programs whether the candidate takes the champion's place."""
        context, store = self._context, self._context.store
        samples = held_out(self._data, "validation", self._settings.eval_samples, 0)
        ours = self._measured(candidate, samples, "validation")
        mine, outcomes = ours.figures, ours.outcomes
        self._store(candidate, "validation", mine)
        champion = store.champion(versions.KIND)
        if champion is not None and champion.id != candidate.id:
            rival = champion.id
            theirs = self._measured(champion, samples, "validation").outcomes.fixed
        else:
            rival, theirs = "copying the input", outcomes.edits == 0
        if candidate.status == "candidate" and samples:
            looks = 1 + looks_so_far(store, versions.KIND, candidate.id, PROBLEM_SET, PROTOCOL)
            decision = against_champion(
                outcomes.fixed.astype(np.float64),
                theirs.astype(np.float64),
                alpha=self._settings.alpha,
                looks=looks,
                seed=context.seed,
            )
            carry_out(
                context,
                candidate,
                decision,
                stage="ctm",
                figures=_json(mine),
                alternative={"rival": rival, "whole_accuracy": float(theirs.mean())},
                rival=rival,
            )
        return {"validation": ours.document}

    def measure(self, candidate: ModelRow) -> dict[str, Any]:
        """Measure on the test sets the version in use, or where there is none the candidate."""
        context = self._context
        used = context.store.champion(versions.KIND) or context.store.model(candidate.id)
        document: dict[str, Any] = {"ctm": used.id, "ctm_status": used.status}
        for split in TESTS:
            samples = held_out(self._data, split, self._settings.eval_samples, 0)
            if samples:
                found = self._measured(used, samples, split)
                self._store(used, split, found.figures)
                document[split] = found.document
                document["reliability"] = found.document["reliability"]
                document["analysis"] = self._analysis(used, samples, found)
        return document

    def _analysis(
        self, row: ModelRow, samples: list[RepairSample], found: Measured
    ) -> dict[str, Any]:
        loaded = versions.load(self._context.state_dir, row)
        model = loaded.model.to(self._device)
        assert isinstance(model, ContinuousThoughtMachine)  # the stage trains no other kind
        seen = analyse(model, samples, self._data, device=self._device)
        return with_repairs(seen, found.document)

    def _measured(self, row: ModelRow, samples: list[RepairSample], told: str) -> Measured:
        loaded = versions.load(self._context.state_dir, row)
        return measure(
            self._repairer(loaded.model),
            loaded.reading,
            samples,
            self._data,
            tick_samples=self._settings.tick_samples,
            seed=self._context.seed,
            between=self._between(told, len(samples)),
        )

    def _between(self, told: str, count: int) -> Callable[[int], None]:
        context = self._context
        context.progress.start(f"repair {told}", count, "programs")

        def between(done: int) -> None:
            context.progress.advance(done)
            context.check_stop()

        return between

    def _repairer(self, model: RepairModel) -> Repairer:
        bf16 = preparation.in_bf16(self._context.settings)
        return Repairer(model.to(self._device), device=self._device, bf16=bf16)

    def _store(self, row: ModelRow, split: str, found: dict[str, Figure]) -> None:
        named = "test" if split in TESTS else split
        self._context.store.add_evaluation(
            row.stage_run_id, row.id, PROBLEM_SET, named, _protocol(split), found
        )


def _protocol(split: str) -> str:
    return f"{PROTOCOL}, {split.removeprefix('test_')}" if split in TESTS else PROTOCOL


def _json(found: dict[str, Figure]) -> dict[str, Any]:
    return {name: figure.to_json() for name, figure in found.items()}


def work_folder(state_dir: Path) -> Path:
    """Where the run that goes on is kept."""
    return state_dir / preparation.WORK
