"""Stages that only `kent benchmark` runs: the CTM in use, and the sandbox."""

from typing import Any

from sandbox.benchmark import run_benchmark
from trainers import statistics
from trainers.ctm import preparation, versions
from trainers.ctm.data.manifest import Split
from trainers.ctm.evaluate import Outcomes, held_out
from trainers.ctm.measure import measure
from trainers.errors import BenchmarkError
from trainers.stage import StageContext, StageResult

TEST_SET: Split = "test_packages"


class CTMInUse:
    """Measures the CTM's champion, or before there is one the newest version; trains nothing."""

    name = "ctm_in_use"

    def why_not_due(self, context: StageContext) -> str | None:
        """None: it is run when asked for."""
        return None

    def run(self, context: StageContext) -> StageResult:
        """See :class:`trainers.stage.Stage`.

        Raises:
            BenchmarkError: no version was trained yet, or its data has no test program.
        """
        rows = [row for row in context.store.models(versions.KIND) if row.checkpoint]
        used = context.store.champion(versions.KIND) or (rows[-1] if rows else None)
        if used is None:
            raise BenchmarkError("there is no CTM to measure; `kent round ctm` trains one")
        settings, data = context.settings, preparation.data_of(context)
        count = settings.benchmark.limit or settings.ctm.eval_samples
        samples = held_out(data, TEST_SET, count, 0)
        if not samples:
            raise BenchmarkError(f"{data.folder} has no program of packages that are never trained")
        context.progress.start("repair", len(samples), "programs")
        device = preparation.device()
        loaded = versions.load(context.state_dir, used)
        repairer = loaded.repairer(device, bf16=preparation.in_bf16(settings))

        def between(done: int) -> None:
            context.progress.advance(done)
            context.check_stop()

        found = measure(repairer, loaded.reading, samples, data, seed=context.seed, between=between)
        return StageResult(
            {
                **found.document,
                **beside_copying(found.outcomes),
                "model": used.id,
                "test_set": TEST_SET,
                "n": len(samples),
            }
        )


def beside_copying(outcomes: Outcomes) -> dict[str, Any]:
    """Program by program, and what copying the input has: no repair, and every sound program."""
    ours: dict[str, dict[str, float]] = {"fix_accuracy": {}, "clean_kept": {}}
    for number, (fixed, name) in enumerate(zip(outcomes.fixed, outcomes.bug_class, strict=True)):
        figure = "clean_kept" if name == "clean" else "fix_accuracy"
        ours[figure][str(number)] = float(fixed)
    copied = {
        figure: dict.fromkeys(values, float(figure == "clean_kept"))
        for figure, values in ours.items()
    }
    shares = {
        figure: statistics.wilson(int(sum(values.values())), len(values)).to_json()
        for figure, values in copied.items()
    }
    return {"copy": shares, "items": {"isolated": ours, "cold": copied}}


class SandboxSpeed:
    """Times the sandbox beside other harnesses."""

    name = "sandbox_speed"

    def why_not_due(self, context: StageContext) -> str | None:
        """None: it is run when asked for."""
        return None

    def run(self, context: StageContext) -> StageResult:
        """See :class:`trainers.stage.Stage`."""
        context.progress.start("time the sandbox", 0, "turns")

        def tell(line: str) -> None:
            context.progress.advance()
            context.check_stop()

        document: dict[str, Any] = run_benchmark(rounds=1, seed=context.seed, tell=tell)
        return StageResult(document)
