"""The key figures and plots of the CTM."""

from kent.report.figures import KeyFigure, Plot, StageView

CTM = StageView(
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
