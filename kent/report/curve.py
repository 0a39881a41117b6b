"""The learning curve on the page: each round's figures beside those of a cold start."""

from html import escape

from kent.report import summary
from kent.report.figures import KeyFigure, StageView
from kent.report.tables import Cell, table
from kent.report.values import Json
from kent.report.wording import NOTHING, clean, interval, number


def curve_section(document: Json, stage: str, view: StageView) -> str:
    """The table below the plots; empty for a stage without a curve, or before its first round."""
    rows = summary.curve_rows(document, stage)
    if view.curve is None or not rows:
        return ""
    curve = view.curve
    head = ["Round", curve.learned_from.label]
    head += [_named(known) for pair in curve.pairs for known in pair]
    body = [
        [
            Cell(str(row["id"]), header=True),
            _cell(entry.get(curve.learned_from.name), curve.learned_from),
            *(_cell(entry.get(known.name), known) for pair in curve.pairs for known in pair),
        ]
        for row, entry in reversed(rows)
    ]
    count = number(rows[-1][1][curve.tasks.name]["value"], "count")
    caption = f"{curve.title} ({count} of them); the latest round first"
    return f'<p class="where">{escape(curve.meaning)}</p>' + table(caption, head, body)


def _named(known: KeyFigure) -> str:
    return clean(summary.spoken(known), 40) + (", %" if known.unit == "percent" else "")


def _cell(figure: Json | None, known: KeyFigure) -> Cell:
    if figure is None or figure["value"] is None:
        return Cell(NOTHING)
    band = interval(figure, known.unit)
    told = f"{band}, n = {figure['n']:,}" if band else ""
    return Cell(number(figure["value"], known.unit), small=told)
