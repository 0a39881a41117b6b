"""Which key figures each stage has: their names in the store, labels, units and plots."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Unit = Literal["percent", "fraction", "number", "count"]


@dataclass(frozen=True)
class KeyFigure:
    """A figure of a stage.

    ``name`` is the metric's name in the store and in the JSON document; ``heading`` is its two
    short lines at the head of a terminal column; ``better`` is the direction of an improvement.
    """

    name: str
    label: str
    heading: str
    unit: Unit
    better: Literal["up", "down", "none"]
    meaning: str


@dataclass(frozen=True)
class Plot:
    """A plot of one or more figures over the rounds. ``reference`` is a level worth knowing."""

    title: str
    figures: tuple[str, ...]
    reference: float | None = None
    reference_label: str = ""


@dataclass(frozen=True)
class StageView:
    """How a stage is shown. The first plot is drawn large; ``plotted`` figures are only there.

    ``headline`` is the name of the figure that stands for the stage.
    """

    title: str
    figures: tuple[KeyFigure, ...]
    plots: tuple[Plot, ...]
    plotted: tuple[KeyFigure, ...] = ()
    headline: str = ""

    @property
    def key(self) -> tuple[KeyFigure, ...]:
        """The figures that can improve: all but the counts."""
        return tuple(figure for figure in self.figures if figure.unit != "count")


_CRITIC = StageView(
    title="Critic",
    headline="gap_closed",
    figures=(
        KeyFigure(
            "baseline_pass1", "Baseline pass@1", "baseline\npass@1", "percent", "up",
            "The mean pass rate of single samples, nothing chosen.",
        ),
        KeyFigure(
            "verifier_pass1", "Verifier pass@1", "verifier\npass@1", "percent", "up",
            "How often the sample that the critic ranks first passes.",
        ),
        KeyFigure(
            "oracle_passN", "Oracle pass@N", "oracle\npass@N", "percent", "up",
            "How often at least one of a problem's N samples passes; "
            "no choice can do better.",
        ),
        KeyFigure(
            "gap_closed", "Gap closed", "gap\nclosed", "percent", "up",
            "The fraction of what choosing could win that the critic won: "
            "(verifier − baseline) / (oracle − baseline).",
        ),
        KeyFigure(
            "auc_within_problem", "AUC within problem", "AUC in\nproblem", "fraction", "up",
            "How often the critic ranks a passing sample of a problem above a failing one of "
            "the same problem; 0.5 is chance.",
        ),
        KeyFigure(
            "ece", "Calibration error", "calibr.\nerror", "fraction", "down",
            "Expected calibration error: the mean distance between the critic's probability "
            "and the rate that passes; 0 is perfect.",
        ),
        KeyFigure("n_problems", "Problems", "prob-\nlems", "count", "none", "Test problems."),
        KeyFigure("n_samples", "Samples", "sam-\nples", "count", "none", "Samples of them."),
    ),
    plots=(
        Plot("Test problems solved", ("baseline_pass1", "verifier_pass1", "oracle_passN")),
        Plot(
            "Gap closed by picker",
            ("gap_closed", "gap_closed.agreement", "gap_closed.critic_agreement"),
            0.0, "no gain",
        ),
        Plot("Gap closed on validation, as the gate sees it", ("validation_gap_closed",), 0.0,
             "no gain"),
        Plot("AUC within problem", ("auc_within_problem",), 0.5, "chance"),
        Plot("Calibration error (lower is better)", ("ece",)),
    ),
    plotted=(
        KeyFigure(
            "gap_closed.agreement", "Agreement", "", "percent", "up",
            "Gap closed by picking what most samples do on inputs without expected outputs.",
        ),
        KeyFigure(
            "gap_closed.critic_agreement", "Critic + agreement", "", "percent", "up",
            "Gap closed by both together.",
        ),
        KeyFigure(
            "validation_gap_closed", "Validation", "", "percent", "up",
            "Gap closed on validation problems by the round's candidate, each problem by a head "
            "that was chosen without it.",
        ),
    ),
)  # fmt: skip

_CODE = StageView(
    title="Code trainer",
    headline="resolved",
    figures=(
        KeyFigure(
            "file_acc1", "File @1", "file\n@1", "percent", "up",
            "How often all files that the truth changes are the first one named.",
        ),
        KeyFigure(
            "file_acc5", "File @5", "file\n@5", "percent", "up",
            "How often they are all within the first five named.",
        ),
        KeyFigure(
            "function_acc5", "Function @5", "func-\ntion @5", "percent", "up",
            "How often all functions that the truth changes are within the first five of their "
            "file, which itself must be within the first five.",
        ),
        KeyFigure(
            "operation_acc", "Operation", "oper-\nation", "percent", "up",
            "How often the kind of the largest change is foreseen.",
        ),
        KeyFigure(
            "repaired", "Repaired", "re-\npaired", "percent", "up",
            "Programs for which a candidate passes the tests that the search may see.",
        ),
        KeyFigure(
            "resolved", "Resolved", "re-\nsolved", "percent", "up",
            "Programs whose repair passes the hidden tests too.",
        ),
        KeyFigure(
            "median_candidates", "Candidates per repair", "candi-\ndates", "number", "down",
            "Programs run until the first that passes, the median over repaired tasks.",
        ),
        KeyFigure("n_tasks", "Tasks", "tasks", "count", "none", "Test tasks."),
    ),
    plots=(
        Plot("Files found", ("file_acc1", "file_acc5")),
        Plot("Candidates per repair (fewer is better)",
             ("median_candidates", "cold.median_candidates")),
        Plot("Programs repaired", ("repaired", "resolved")),
        Plot("Functions and operations", ("function_acc5", "operation_acc")),
    ),
    plotted=(
        KeyFigure(
            "cold.median_candidates", "Untrained order", "", "number", "down",
            "The same candidates of the same tasks in an order that nothing learned has a say in.",
        ),
    ),
)  # fmt: skip

_FRACTAL = StageView(
    title="Fractal coder",
    headline="python.pass_loop",
    figures=(
        KeyFigure(
            "python.pass1", "Python pass@1", "Python\npass@1", "percent", "up",
            "The mean pass rate of the flood's samples.",
        ),
        KeyFigure(
            "python.resample_equal_budget", "Resampling", "resam-\npling", "percent", "up",
            "How often the chosen program is right when the loop's tokens are spent on fresh "
            "samples, chosen in the same way.",
        ),
        KeyFigure(
            "python.pass_loop", "The loop", "the\nloop", "percent", "up",
            "How often the program that the loop chose passes the hidden tests.",
        ),
        KeyFigure(
            "python.difference", "Loop − resampling", "differ-\nence", "percent", "up",
            "Their difference on the same problems at the same budget.",
        ),
        KeyFigure(
            "synthetic.pass1", "Arithmetic pass@1", "arith.\npass@1", "percent", "up",
            "How often the first candidate of a chain of arithmetic reaches its target.",
        ),
        KeyFigure(
            "synthetic.pass_loop", "Arithmetic, the loop", "arith.\nloop", "percent", "up",
            "How often the loop reaches it within the budget.",
        ),
        KeyFigure(
            "synthetic.localisation_top1", "Wrong root found", "root\nfound", "percent", "up",
            "How often the model blames the one root first that was made wrong.",
        ),
        KeyFigure("n_problems", "Problems", "prob-\nlems", "count", "none", "Test problems."),
    ),
    plots=(
        Plot(
            "Python problems solved",
            ("python.pass1", "python.resample_equal_budget", "python.pass_loop"),
        ),
        Plot("The loop against resampling", ("python.difference",), 0.0, "no gain"),
        Plot(
            "Arithmetic solved",
            ("synthetic.pass1", "synthetic.resample_equal_budget", "synthetic.pass_loop"),
        ),
        Plot("Wrong root found first", ("synthetic.localisation_top1",)),
    ),
    plotted=(
        KeyFigure(
            "synthetic.resample_equal_budget", "Arithmetic, resampling", "", "percent", "up",
            "How often fresh floods reach the target within the loop's budget.",
        ),
    ),
)  # fmt: skip

_CTM = StageView(
    title="CTM code repair",
    headline="fix_accuracy",
    figures=(
        KeyFigure(
            "fix_accuracy", "Bugs repaired", "bugs\nrepaired", "percent", "up",
            "Bugs after whose repair the whole program is the original, lexeme by lexeme.",
        ),
        KeyFigure(
            "clean_kept", "Sound code kept", "sound\nkept", "percent", "up",
            "Sound programs that were left as they are.",
        ),
        KeyFigure(
            "localisation_acc1", "Place found", "place\nfound", "percent", "up",
            "Bugs whose likeliest first place is that of a right edit.",
        ),
        KeyFigure(
            "auroc", "AUROC", "AUROC", "fraction", "up",
            "How often a right repair is given a higher probability than a wrong one.",
        ),
        KeyFigure(
            "ece", "Calibration error", "calibr.\nerror", "fraction", "down",
            "The mean distance between the calibrated probability of a repair and the share of "
            "such repairs that is right.",
        ),
        KeyFigure(
            "ticks_spent", "Ticks spent", "ticks\nspent", "percent", "down",
            "The share of the ticks that is thought where thinking stops once certain.",
        ),
    ),
    plots=(
        Plot("Programs of packages never trained on", ("fix_accuracy", "clean_kept")),
        Plot("Bugs repaired, all ticks and stopped early", ("fix_accuracy", "fix_accuracy_early")),
        Plot("By class", ("fix_accuracy.syntax", "fix_accuracy.simple_logic",
                          "fix_accuracy.all_logic")),
        Plot("Calibration error (lower is better)", ("ece", "ece_before")),
    ),
    plotted=(
        KeyFigure(
            "fix_accuracy_early", "Stopped early", "", "percent", "up",
            "Bugs repaired where thinking stops once certain.",
        ),
        KeyFigure("fix_accuracy.syntax", "Syntax", "", "percent", "up", "Of syntax errors."),
        KeyFigure(
            "fix_accuracy.simple_logic", "Simple logic", "", "percent", "up",
            "Of operators, literals and their like.",
        ),
        KeyFigure("fix_accuracy.all_logic", "All logic", "", "percent", "up", "Of other logic."),
        KeyFigure(
            "ece_before", "Not calibrated", "", "fraction", "down",
            "The calibration error of the model's own probability.",
        ),
    ),
)  # fmt: skip


def _benchmark(title: str, view: StageView) -> StageView:
    """A round of its own that measures what a stage does, and trains nothing."""
    return StageView(title, view.figures, (), headline=view.headline)


# In the order of a round, the benchmarks last.
STAGES: Mapping[str, StageView] = {
    "critic": _CRITIC,
    "fractal": _FRACTAL,
    "code": _CODE,
    "ctm": _CTM,
    "CriticBenchmark": _benchmark("Benchmark of the critic", _CRITIC),
    "CodeBenchmark": _benchmark("Benchmark of the code trainer", _CODE),
    "fractal_benchmark": _benchmark("Benchmark of the fractal coder", _FRACTAL),
}


def view_of(stage: str, names: tuple[str, ...] = ()) -> StageView:
    """How ``stage`` is shown; one without a view of its own shows its metrics as they are named."""
    if stage in STAGES:
        return STAGES[stage]
    figures = tuple(
        KeyFigure(name, name, name.replace("_", "\n", 1), "fraction", "none", "") for name in names
    )
    return StageView(stage, figures, tuple(Plot(name, (name,)) for name in names))
