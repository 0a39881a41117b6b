"""Which lines, bands and marks of the document go into each plot of the page."""

from html import escape
from typing import Literal

from kent.report import summary
from kent.report.figures import KeyFigure, Plot, StageView
from kent.report.forest import Row, forest
from kent.report.svg import Drawing, Mark, Point, Series, line_plot
from kent.report.values import Json
from kent.report.wording import change, clean, interval, number

_WIDE, _NARROW = (1080, 340), (400, 270)
_WIDTH = {"broad": 720, "large": _WIDE[0]}  # over two or all of the three columns
_MOST = 6  # plots; a stage without a view of its own can have any number of figures


def stage_plots(document: Json, stage: str, view: StageView) -> list[str]:
    """The stage's plots as figure elements; the first is drawn large where there is room."""
    if measured_rounds(document, stage, view) <= 1:
        return _one_round(document, stage, view)
    marks = _marks(document, stage)
    shown: list[str] = []
    for plot in view.plots[:_MOST]:
        drawing = _drawing(document, stage, view, plot, marks, f"{_slug(stage)}{len(shown)}")
        if any(line.points for line in drawing.series):
            shown.append(_large(drawing) if not shown and len(view.plots) > 1 else _small(drawing))
    curve = _reliability(document, stage)
    return [*shown, *([_small(curve)] if curve else []), *_analysis(document, stage)]


def _analysis(document: Json, stage: str) -> list[str]:
    """What the last analysed round's model does, drawn by matplotlib; for stages that look."""
    rounds = [(row["id"], e["analysis"]) for row, e in summary.history(document, stage)]
    looked = [(round_id, analysis) for round_id, analysis in rounds if analysis]
    if not looked:
        return []
    from kent.ctm_plots import as_svg, drawings  # matplotlib takes its time

    round_id, analysis = looked[-1]
    return [
        f'<figure class="seen"><figcaption>{_spoken(name)} in round {round_id}'
        f'</figcaption><div class="drawn">{as_svg(figure, _slug(stage) + name)}</div></figure>'
        for name, figure in drawings(analysis).items()
        if name != "reliability"  # it stands there already
    ]


def _spoken(name: str) -> str:
    return name.replace("_", " ").capitalize()


def measured_rounds(document: Json, stage: str, view: StageView) -> int:
    """In how many rounds any of the figures that are drawn was measured."""
    names = {name for plot in view.plots for name in plot.figures}
    return sum(
        any((entry.get(name) or {}).get("value") is not None for name in names)
        for _, entry in summary.history(document, stage)
    )


def _one_round(document: Json, stage: str, view: StageView) -> list[str]:
    """Every percentage with its interval on one axis; a line would have one point."""
    names = dict.fromkeys(name for plot in view.plots for name in plot.figures)
    known = {figure.name: figure for figure in view.every}
    rows = [
        Row(
            clean(known[name].label, 40), found["value"], found["low"], found["high"],
            told(found, known[name]),
        )
        for name in names
        if known[name].unit == "percent" and (found := summary.latest(document, stage, known[name]))
    ]  # fmt: skip
    curve = _reliability(document, stage)
    shown = [_forest(_slug(stage), rows, "broad" if curve else "large")] if rows else []
    return [*shown, *([_small(curve)] if curve else []), *_analysis(document, stage)]


def _forest(key: str, rows: list[Row], shape: Literal["broad", "large"]) -> str:
    title = "Measured in one round so far, with 95 % intervals"
    return (
        f'<figure class="{shape}"><figcaption>{title}</figcaption>'
        f'<div class="wide">{forest(key + "f", title, rows, _WIDTH[shape])}</div>'
        f'<div class="narrow">{forest(key + "fn", title, rows, _NARROW[0])}</div></figure>'
    )


def _large(drawing: Drawing) -> str:
    """The same plot in two shapes; the style shows the one that fits the screen."""
    narrow = Drawing(**{**vars(drawing), "key": drawing.key + "n"})
    return (
        f'<figure class="large"><figcaption>{escape(drawing.title)}</figcaption>'
        f'<div class="wide">{line_plot(drawing, *_WIDE)}</div>'
        f'<div class="narrow">{line_plot(narrow, *_NARROW)}</div></figure>'
    )


def _small(drawing: Drawing) -> str:
    caption = f"<figcaption>{escape(drawing.title)}</figcaption>"
    return f"<figure>{caption}{line_plot(drawing, *_NARROW)}</figure>"


def _drawing(
    document: Json, stage: str, view: StageView, plot: Plot, marks: tuple[Mark, ...], key: str
) -> Drawing:
    known = {figure.name: figure for figure in view.every}
    figures = [known[name] for name in plot.figures]
    rounds = [row["id"] for row, _ in summary.history(document, stage)]
    styles = ("s0", "s1", "s2") if len(figures) > 1 else ("s1",)
    series = tuple(
        _series(document, stage, figure, rounds, style)
        for figure, style in zip(figures, styles, strict=False)
    )
    return Drawing(
        key=key,
        title=clean(plot.title),
        description=_describe(series, figures),
        ticks=tuple(str(number) for number in rounds),
        series=series,
        marks=marks,
        reference=plot.reference,
        reference_label=plot.reference_label,
        percent=figures[0].unit == "percent",
    )


def _reliability(document: Json, stage: str) -> Drawing | None:
    """What the last round's probabilities said and what was seen; a calibrated one is level."""
    entries = [(row["id"], e) for row, e in summary.history(document, stage) if e["reliability"]]
    if not entries:
        return None
    round_id, bins = entries[-1][0], entries[-1][1]["reliability"]
    seen = tuple(
        Point(
            x, one["seen"]["value"], one["seen"]["low"], one["seen"]["high"],
            f"said {one['said']:.0%}, seen {one['seen']['value']:.0%}, n = {one['seen']['n']:,}",
        )
        for x, one in enumerate(bins)
    )  # fmt: skip
    said = tuple(
        Point(x, one["said"], None, None, f"said {one['said']:.0%}") for x, one in enumerate(bins)
    )
    return Drawing(
        key=f"{_slug(stage)}reliability",
        title=f"Reliability in round {round_id}: probability said, and the rate seen",
        description="Each group of samples with the mean probability of success that the model "
        "gave them and the share of them that succeeded.",
        ticks=tuple(f"{one['said']:.0%}" for one in bins),
        series=(Series("Said", "s0", said), Series("Seen", "s1", seen)),
        axis="probability said",
    )


def _series(document: Json, stage: str, known: KeyFigure, rounds: list[int], style: str) -> Series:
    figures = summary.series(document, stage, known.name)
    points = tuple(
        Point(
            x, f["value"], f["low"], f["high"], f"{known.label}, round {round_id}: {told(f, known)}"
        )
        for x, (round_id, f) in enumerate(zip(rounds, figures, strict=True))
        if f["value"] is not None
    )
    return Series(clean(known.label, 24), style, points)


def told(figure: Json, known: KeyFigure) -> str:
    """A figure with unit, interval and n, for a tool tip."""
    unit = " %" if known.unit == "percent" else ""
    band = interval(figure, known.unit)
    return number(figure["value"], known.unit) + unit + (f" ({band})" if band else "") + (
        f", n = {figure['n']:,}"
    )  # fmt: skip


def _describe(series: tuple[Series, ...], figures: list[KeyFigure]) -> str:
    """The plot in words: where each line begins and ends."""
    sentences = []
    for line, known in zip(series, figures, strict=True):
        if line.points:
            first, last = line.points[0], line.points[-1]
            moved = "" if first is last else f"from {number(first.value, known.unit)} to "
            sentences.append(f"{known.label}: {moved}{number(last.value, known.unit)}.")
    return " ".join(sentences) + " The table below holds the numbers."


def _marks(document: Json, stage: str) -> tuple[Mark, ...]:
    position = {row["id"]: x for x, (row, _) in enumerate(summary.history(document, stage))}
    return tuple(
        Mark(position[row["round"]], row["decision"] == "promoted", _mark_tip(row))
        for row in document["promotions"]
        if row["stage"] == stage and row["round"] in position
    )


def _mark_tip(row: Json) -> str:
    effect = change(row["effect"]["value"], "percent")
    return (
        f"Round {row['round']}: {clean(row['candidate'], 60)} {row['decision']}"
        f" (effect {effect} points). {clean(row['reason'], 200)}"
    )


def _slug(stage: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in stage) + "-"
