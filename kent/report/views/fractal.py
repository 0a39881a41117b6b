"""The key figures and plots of the fractal coder."""

from kent.report.figures import KeyFigure, Plot, StageView

FRACTAL = StageView(
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
