"""The key figures and plots of the code trainer."""

from kent.report.figures import Curve, KeyFigure, Plot, StageView

_CURVE = Curve(
    title="What learning gave, on the same validation tasks in every round",
    meaning="The version in use beside a cold start: the same patterns in an order that nothing "
    "learned has a say in, and files by BM25 over contents and paths. Candidates: all programs "
    "that were run, divided by those repaired.",
    pairs=(
        (
            KeyFigure(
                "learning.file_acc1", "Learned @1", "file\n@1", "percent", "up",
                "How often all files that the truth changes are the first one named.",
            ),
            KeyFigure(
                "learning.cold.file_acc1", "BM25 @1", "BM25\n@1", "percent", "none", "By BM25.",
            ),
        ),
        (
            KeyFigure(
                "learning.file_acc5", "Learned @5", "file\n@5", "percent", "up",
                "How often they are all within the first five named.",
            ),
            KeyFigure(
                "learning.cold.file_acc5", "BM25 @5", "BM25\n@5", "percent", "none", "By BM25.",
            ),
        ),
        (
            KeyFigure(
                "learning.repaired", "Learned order", "re-\npaired", "percent", "up",
                "Programs for which a candidate passes the tests that the search may see.",
            ),
            KeyFigure(
                "learning.cold.repaired", "Untrained order", "un-\ntrained", "percent", "none",
                "In an untrained order.",
            ),
        ),
        (
            KeyFigure(
                "learning.candidates", "Learned order", "candi-\ndates", "number", "down",
                "All candidates that were run divided by the programs repaired.",
            ),
            KeyFigure(
                "learning.cold.candidates", "Untrained order", "un-\ntrained", "number", "none",
                "In an untrained order.",
            ),
        ),
    ),
    tasks=KeyFigure(
        "learning.tasks", "Validation tasks", "tasks", "count", "none", "Measured on in each round."
    ),
    learned_from=KeyFigure(
        "learning.train_tasks", "Train tasks", "learned\nfrom", "count", "none",
        "Tasks that were learned from by then.",
    ),
)  # fmt: skip

CODE = StageView(
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
        Plot("Programs run for each one repaired, on the same validation tasks (fewer is better)",
             ("learning.cold.candidates", "learning.candidates")),
        Plot("All changed files named first, the same validation tasks",
             ("learning.cold.file_acc1", "learning.file_acc1")),
        Plot("Within the first five, the same validation tasks",
             ("learning.cold.file_acc5", "learning.file_acc5")),
        Plot("Repaired, the same validation programs",
             ("learning.cold.repaired", "learning.repaired")),
        Plot("Test programs repaired", ("repaired", "resolved")),
        Plot("Functions and operations on test tasks", ("function_acc5", "operation_acc")),
    ),
    curve=_CURVE,
)  # fmt: skip
