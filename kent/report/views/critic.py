"""The key figures and plots of the critic."""

from kent.report.figures import KeyFigure, Plot, StageView

CRITIC = StageView(
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
