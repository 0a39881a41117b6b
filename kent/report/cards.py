"""The cards of a stage: each figure as it is now, its interval, its change and its small line."""

from html import escape

from kent.report import summary
from kent.report.figures import KeyFigure, StageView
from kent.report.svg import spark
from kent.report.values import Json
from kent.report.wording import change, clean, interval, number

_MOST = 12  # cards; a stage without a view of its own can have any number of figures


def cards(document: Json, stage: str, view: StageView) -> str:
    """A card for each figure that was measured; empty where none was."""
    shown = [card for known in view.key if (card := _card(document, stage, known))]
    return f'<ul class="cards">{"".join(shown[:_MOST])}</ul>' if shown else ""


def _card(document: Json, stage: str, known: KeyFigure) -> str:
    latest = summary.latest(document, stage, known)
    if latest is None:
        return ""
    unit = '<span class="unit"> %</span>' if known.unit == "percent" else ""
    values = [f["value"] for f in summary.series(document, stage, known.name)]
    band = interval(latest, known.unit) or "no interval"
    difference = document["change"].get(stage, {}).get(known.name, {}).get("since_first")
    told = moved(difference, known)
    change_of = f'<span class="moved {direction(difference, known)}">{told}</span>' if told else ""
    return (
        f'<li><span class="label">{escape(clean(known.label, 40))}</span>'
        f'<span class="value">{number(latest["value"], known.unit)}{unit}</span>'
        f'<span class="band">{band}</span><span class="band">n = {latest["n"]:,}</span>'
        f"{change_of}{spark(values)}</li>"
    )


def moved(difference: Json | None, known: KeyFigure) -> str:
    """``+3.1 since round 1``; empty where there is nothing to compare with."""
    if difference is None or difference["value"] is None:
        return ""
    return f"{change(difference['value'], known.unit)} since round {difference['from_round']}"


def direction(difference: Json | None, known: KeyFigure) -> str:
    """``better`` or ``worse`` only where a paired interval excludes no change."""
    if difference is None:
        return "unsure"
    low, high = difference["low"], difference["high"]
    if low is None or high is None or low <= 0 <= high or known.better == "none":
        return "unsure"
    return "better" if (low > 0) == (known.better == "up") else "worse"
