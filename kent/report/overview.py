"""The head of the page after the headline: one tile a stage, and the time line of all rounds."""

from html import escape

from kent.report import summary
from kent.report.cards import direction, moved
from kent.report.lanes import lanes
from kent.report.svg import spark
from kent.report.values import Json
from kent.report.wording import clean, interval, number

_WIDE, _NARROW = 1080, 360
_KEY = (("promoted", "▲", "promoted"), ("kept", "○", "the champion was kept"),
        ("done", "●", "done"), ("failed", "✕", "failed or cut"))  # fmt: skip


def overview_section(document: Json) -> str:
    """What each stage came to, and when."""
    tiles = "".join(_tile(document, stage) for stage in summary.stage_names(document))
    return (
        '<section id="overview"><h2>Over the rounds</h2>'
        f'<ul class="tiles">{tiles}</ul>'
        f'<div class="wide">{lanes(document, _WIDE)}</div>'
        f'<div class="narrow">{lanes(document, _NARROW)}</div>'
        f'<p class="key">{"".join(_key(*one) for one in _KEY)}</p></section>'
    )


def _key(style: str, mark: str, text: str) -> str:
    sign = f'<span class="tri {style}" aria-hidden="true">{mark}</span>'
    return f'<span class="with">{sign}{text}</span>'


def _tile(document: Json, stage: str) -> str:
    """The stage's headline figure, else how its last round ended."""
    view = summary.stage_view(document, stage)
    index = summary.stage_names(document).index(stage)
    title = escape(clean(view.title, 60))
    known = summary.headline_figure(document, stage)
    latest = summary.latest(document, stage, known) if known else None
    if known is None or latest is None:
        status = summary.history(document, stage)[-1][1]["status"]
        body = f'<span class="value quiet">{escape(status)}</span>'
    else:
        unit = '<span class="unit"> %</span>' if known.unit == "percent" else ""
        values = [f["value"] for f in summary.series(document, stage, known.name)]
        change = document["change"].get(stage, {}).get(known.name, {}).get("since_first")
        told = moved(change, known)
        body = (
            f'<span class="value">{number(latest["value"], known.unit)}{unit}</span>'
            f'<span class="band">{escape(known.label)}</span>'
            f'<span class="band">{interval(latest, known.unit) or "no interval"},'
            f" n = {latest['n']:,}</span>"
            + (f'<span class="moved {direction(change, known)}">{told}</span>' if told else "")
            + spark(values)
        )
    return f'<li><a href="#stage-{index}"><span class="label">{title}</span>{body}</a></li>'
